/* SPDX-License-Identifier: MIT */
/* Starts and ends of tasks: whether the one was seen, and how long the other stays final. */
#include <string.h>

#include "cluster_private.h"
#include "slotd/mem.h"

/* ---- starts ---- */

void task_note_start(struct cluster *cluster, struct known_task *known)
{
    known->ran = cluster->receipts;
    known->ran_listed = false;
    known->deployments = 0;
}

static void task_note_deployments(struct cluster *cluster, struct known_task *known)
{
    known->ran_listed = true;
    known->deployments = known->app->definition->deployments_mark;
    if (known->app->definition->n_readiness_checks > 0) {
        cluster_mark_dirty(cluster, known->app);
    }
}

void task_note_listed_start(struct cluster *cluster, struct known_task *known, uint64_t stamp)
{
    known->ran = stamp;
    task_note_deployments(cluster, known);
}

void task_note_listing(struct cluster *cluster, struct known_task *known, uint64_t stamp)
{
    known->listed = stamp;
    if (known->ran > 0 && !known->ran_listed && stamp > known->ran) {
        task_note_deployments(cluster, known);
    }
}

/* ---- ends ---- */

void app_drop_tombstones(struct cluster *cluster, struct known_app *app, uint64_t stamp)
{
    for (size_t i = app->n_tasks; i > 0; i--) {
        struct known_task *known = app->tasks[i - 1];
        if (known->task->state == MARATHON_TASK_TERMINAL && known->listed != stamp && known->ended < stamp) {
            cluster_remove_task(cluster, known);
        }
    }
}

/* The end of a task whose app is gone. */
struct known_end {
    char *id;
    uint64_t ended;  /* receipt */
    uint64_t listed; /* newest stamp of the answers that listed it, by a leader that did not know */
};

static void end_free(struct known_end *end)
{
    if (end) {
        free(end->id);
        free(end);
    }
}

void cluster_keep_end(struct cluster *cluster, const struct known_task *known)
{
    /* The end of an instance is perhaps that of an attempt before it: a newer answer's word counts. */
    if (known->by_instance || table_get(&cluster->ends, known->task->id)) {
        return;
    }
    if (cluster->ends.count >= CLUSTER_MAX_TASKS) {
        cluster->refused++;
        return;
    }
    struct known_end *end = MEM_NEW(struct known_end);
    *end = (struct known_end){.id = mem_strdup(known->task->id), .ended = known->ended};
    table_put(&cluster->ends, end->id, end);
}

bool cluster_keeps_end(struct cluster *cluster, const char *task_id, uint64_t stamp)
{
    struct known_end *end = table_get(&cluster->ends, task_id);
    if (end && stamp > end->listed) {
        end->listed = stamp;
    }
    return end != NULL;
}

void cluster_drop_ends(struct cluster *cluster, uint64_t stamp)
{
    struct table kept;
    size_t position = 0;
    struct table_entry *entry;
    table_init(&kept, cluster->config.seed);
    while ((entry = table_next(&cluster->ends, &position))) {
        struct known_end *end = entry->value;
        if (end->ended >= stamp || end->listed >= stamp) {
            table_put(&kept, end->id, end);
        } else {
            end_free(end);
        }
    }
    table_free(&cluster->ends);
    cluster->ends = kept;
}
