/* SPDX-License-Identifier: MIT */
/* Results of Marathon's health checks, by receipts: of an event and an answer the newer counts. Kept only where they
 * are wanted (mapping.drain_unhealthy); what is not known counts as healthy. */
#include <string.h>

#include "cluster_private.h"

static void task_set_unhealthy(struct cluster *cluster, struct known_task *known, bool unhealthy)
{
    if (known->task->unhealthy != unhealthy) {
        known->task->unhealthy = unhealthy;
        cluster_mark_dirty(cluster, known->app);
    }
}

/* Which check has passed is not told. Where another one may still fail, answers alone tell the whole. */
static bool task_has_recovered(const struct known_task *known)
{
    return !known->task->unhealthy || known->app->definition->n_health_checks <= 1;
}

static void task_apply_health(struct cluster *cluster, struct known_task *known, bool alive)
{
    known->checked = cluster->receipts;
    known->unsure = alive && !task_has_recovered(known);
    if (!known->unsure) {
        task_set_unhealthy(cluster, known, !alive);
    }
}

/* Events name the instance, those of older versions the task. */
static bool task_is_meant(const struct known_task *known, const char *id)
{
    return strcmp(known->task->id, id) == 0 || marathon_task_is_of_instance(known->task->id, id);
}

enum cluster_effect cluster_apply_health(struct cluster *cluster, const struct marathon_event *event)
{
    struct known_app *app = cluster_find_app(cluster, event->app_id);
    const char *id = event->instance_id;
    bool unsure = false;
    bool found = false;
    if (!cluster->config.wants_health) {
        return CLUSTER_NO_EFFECT;
    }
    for (size_t i = app ? known_app_find_place(app, id) : 0; app && i < app->n_tasks; i++) {
        struct known_task *known = app->tasks[i];
        if (strncmp(known->task->id, id, strlen(id)) != 0) {
            break;
        }
        if (known->task->state != MARATHON_TASK_TERMINAL && task_is_meant(known, id)) {
            task_apply_health(cluster, known, event->alive);
            unsure = unsure || known->unsure;
            found = true;
        }
    }
    if (!found && (app || cluster->open_fetch)) {
        cluster_remember_instance(cluster, event);
    }
    if (unsure) {
        return CLUSTER_FETCH_APP;
    }
    return app && app->dirty ? CLUSTER_CHANGED : CLUSTER_NO_EFFECT;
}

void cluster_take_health(struct cluster *cluster, struct known_task *known, uint64_t stamp,
                         const struct marathon_task *listed)
{
    if (known->checked < stamp) {
        known->unsure = false;
        task_set_unhealthy(cluster, known, cluster->config.wants_health && listed->unhealthy);
    }
}

void cluster_start_health(struct cluster *cluster, struct known_task *known, uint64_t stamp,
                          const struct known_instance *instance)
{
    known->task->unhealthy = cluster->config.wants_health && known->task->unhealthy;
    if (instance && instance->checked > stamp) {
        task_apply_health(cluster, known, instance->alive);
        known->checked = instance->checked;
    }
}

void cluster_forget_health(struct cluster *cluster)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->tasks, &position))) {
        struct known_task *known = entry->value;
        known->checked = 0;
        known->unsure = false;
        task_set_unhealthy(cluster, known, false);
    }
}
