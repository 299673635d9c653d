/* SPDX-License-Identifier: MIT */
/* What is told of instances: a wiped task gets no status update, only the word that its instance has ended. */
#include <string.h>

#include "cluster_private.h"
#include "slotd/mem.h"

static void instance_free(struct known_instance *instance)
{
    if (instance) {
        free(instance->id);
        free(instance);
    }
}

/* NULL when the bound on instances is reached. */
static struct known_instance *cluster_ensure_instance(struct cluster *cluster, const char *id)
{
    struct known_instance *instance = table_get(&cluster->instances, id);
    if (instance) {
        return instance;
    }
    if (cluster->instances.count >= CLUSTER_MAX_INSTANCES) {
        cluster->refused++;
        return NULL;
    }
    instance = MEM_NEW(struct known_instance);
    instance->id = mem_strdup(id);
    table_put(&cluster->instances, instance->id, instance);
    return instance;
}

void cluster_remember_instance(struct cluster *cluster, const struct marathon_event *event)
{
    struct known_instance *instance = cluster_ensure_instance(cluster, event->instance_id);
    if (!instance) {
        return;
    }
    if (event->type == MARATHON_EVENT_HEALTH) {
        instance->alive = event->alive;
        instance->checked = cluster->receipts;
    } else {
        instance->state = event->state;
        instance->event = cluster->receipts;
    }
}

/* Tasks are sorted by their ids, which begin with the instance's. */
static bool app_apply_instance(struct cluster *cluster, struct known_app *app, const struct marathon_event *event)
{
    const char *id = event->instance_id;
    size_t len = strlen(id);
    bool found = false;
    for (size_t i = known_app_find_place(app, id); i < app->n_tasks; i++) {
        struct known_task *known = app->tasks[i];
        if (strncmp(known->task->id, id, len) != 0) {
            break;
        }
        if (!marathon_task_is_of_instance(known->task->id, id)) {
            continue;
        }
        found = true;
        if (known->task->state != MARATHON_TASK_TERMINAL) {
            cluster_set_state(cluster, known, event->state);
            known->by_instance = true;
            known->event = cluster->receipts;
            cluster_task_found(cluster, known);
        }
    }
    return found;
}

void cluster_apply_instance(struct cluster *cluster, struct known_app *app, const struct marathon_event *event)
{
    bool matters = event->state == MARATHON_TASK_TERMINAL || event->state == MARATHON_TASK_UNREACHABLE;
    bool found = matters && app && app_apply_instance(cluster, app, event);
    if (matters && !found && (app || cluster->open_fetch)) {
        cluster_remember_instance(cluster, event);
    }
}

/* Behind the instance's id stands a container, mostly with the attempt behind it. */
const struct known_instance *cluster_find_instance(const struct cluster *cluster, const char *task_id)
{
    size_t len = strlen(task_id);
    for (int parts = 0; parts < 2 && cluster->instances.count > 0; parts++) {
        const char *dot = memrchr(task_id, '.', len);
        if (!dot) {
            break;
        }
        len = (size_t)(dot - task_id);
        const struct known_instance *instance = table_get_n(&cluster->instances, task_id, len);
        if (instance && marathon_task_is_of_instance(task_id, instance->id)) {
            return instance;
        }
    }
    return NULL;
}

void cluster_forget_instances(struct cluster *cluster, uint64_t stamp)
{
    struct table kept;
    size_t position = 0;
    struct table_entry *entry;
    table_init(&kept, cluster->config.seed);
    while ((entry = table_next(&cluster->instances, &position))) {
        struct known_instance *instance = entry->value;
        if (instance->event > stamp || instance->checked > stamp) {
            table_put(&kept, instance->id, instance);
        } else {
            instance_free(instance);
        }
    }
    table_free(&cluster->instances);
    cluster->instances = kept;
}
