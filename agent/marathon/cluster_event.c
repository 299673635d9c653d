/* SPDX-License-Identifier: MIT */
/* Events into the store: what a task or an app has just become. */
#include <string.h>

#include "cluster_private.h"
#include "slotd/mem.h"

static enum cluster_effect effect_of(const struct known_app *app)
{
    return app->dirty ? CLUSTER_CHANGED : CLUSTER_NO_EFFECT;
}

/* A deleted app goes with its last task, unless an older answer is still under way and could list it again. */
static enum cluster_effect effect_of_end(struct cluster *cluster, struct known_app *app)
{
    if (cluster_app_is_over(cluster, app)) {
        cluster_remove_app(cluster, app);
        return CLUSTER_CHANGED;
    }
    return effect_of(app);
}

void cluster_inherit_readiness(struct marathon_app *posted, struct marathon_app *former)
{
    struct marathon_readiness *results = posted->readiness;
    size_t n_results = posted->n_readiness;
    posted->readiness = former->readiness;
    posted->n_readiness = former->n_readiness;
    former->readiness = results;
    former->n_readiness = n_results;
    posted->n_deployments = former->n_deployments > 0 ? former->n_deployments : 1;
    posted->deployments_mark = former->deployments_mark;
}

/* A posted definition counts from the moment a task of it runs. */
static void app_promote_provisional(struct cluster *cluster, struct known_app *app, const char *version)
{
    if (app->provisional && strcmp(app->provisional->version, version) == 0) {
        struct marathon_app *definition = app->provisional;
        app->provisional = NULL;
        cluster_inherit_readiness(definition, app->definition);
        cluster_set_definition(cluster, app, definition, app->posted);
        cluster_end_waiting(cluster, app, 0);
    }
}

static bool app_lacks_version(const struct known_app *app, const char *version)
{
    return !app->has_definition ||
           (strcmp(app->definition->version, version) != 0 && !known_app_knows_version(app, version));
}

static void task_take_place(struct cluster *cluster, struct known_task *known, struct marathon_event *event)
{
    if (!task_place_equal(known->task, event->task)) {
        cluster_mark_dirty(cluster, known->app);
    }
    /* The id is the table's key and the start is told by answers alone: the rest is the event's. */
    struct marathon_task *old = known->task;
    struct marathon_task *fresh = event->task;
    char *host = old->host;
    char *version = old->version;
    char **addresses = old->addresses;
    size_t n_addresses = old->n_addresses;
    int32_t *ports = old->ports;
    old->host = fresh->host;
    old->version = fresh->version;
    old->addresses = fresh->addresses;
    old->n_addresses = fresh->n_addresses;
    old->ports = fresh->ports;
    old->n_ports = fresh->n_ports;
    fresh->host = host;
    fresh->version = version;
    fresh->addresses = addresses;
    fresh->n_addresses = n_addresses;
    fresh->ports = ports;
}

static bool state_is_before_running(enum marathon_task_state state)
{
    return state == MARATHON_TASK_STAGING || state == MARATHON_TASK_STARTING || state == MARATHON_TASK_OTHER;
}

static bool app_lacks_results(const struct cluster *cluster, const struct known_app *app,
                              const struct known_task *known)
{
    return cluster->config.wants_results && app->has_definition && app->definition->n_readiness_checks > 0 &&
           known->ran == cluster->receipts;
}

static enum cluster_effect apply_running(struct cluster *cluster, struct known_app *app, struct known_task *known,
                                         struct marathon_event *event)
{
    bool was_running = known && known->task->state == MARATHON_TASK_RUNNING;
    app_promote_provisional(cluster, app, event->task->version);
    bool lacks = app_lacks_version(app, event->task->version);
    if (!known) {
        known = cluster_add_task(cluster, app, event->task);
        event->task = NULL;
        if (!known) {
            return CLUSTER_NO_EFFECT;
        }
        task_note_start(cluster, known);
    } else {
        if (state_is_before_running(known->task->state)) {
            task_note_start(cluster, known);
        }
        task_take_place(cluster, known, event);
        cluster_set_state(cluster, known, MARATHON_TASK_RUNNING);
    }
    known->event = cluster->receipts;
    cluster_task_found(cluster, known);
    if (was_running && !known->waits) {
        return CLUSTER_NO_EFFECT;
    }
    if (known->waits != lacks) {
        known->waits = lacks;
        cluster_mark_dirty(cluster, app);
    }
    return lacks || app_lacks_results(cluster, app, known) ? CLUSTER_FETCH_APP : CLUSTER_NO_EFFECT;
}

/* An answer under way may still list the task as it was: remember what the event said, even of tasks that are not known
 * yet. */
static void apply_not_running(struct cluster *cluster, struct known_app *app, struct known_task *known,
                              struct marathon_event *event)
{
    if (!known) {
        known = cluster_add_task(cluster, app, event->task);
        event->task = NULL;
    } else {
        cluster_set_state(cluster, known, event->state);
    }
    if (known) {
        known->event = cluster->receipts;
        cluster_task_found(cluster, known);
        if (event->state == MARATHON_TASK_TERMINAL) {
            known->ended = cluster->receipts;
        }
    }
}

static bool state_matters(enum marathon_task_state state)
{
    return state == MARATHON_TASK_RUNNING || state == MARATHON_TASK_KILLING || state == MARATHON_TASK_UNREACHABLE ||
           state == MARATHON_TASK_TERMINAL;
}

/* An end is final, unless it was told of the instance alone: then the task's own word counts. */
static bool task_is_over(struct known_task *known, enum marathon_task_state told)
{
    if (known->task->state != MARATHON_TASK_TERMINAL) {
        return false;
    }
    known->by_instance = known->by_instance && told != MARATHON_TASK_TERMINAL;
    return !known->by_instance || told != MARATHON_TASK_RUNNING;
}

static bool status_is_too_late(struct cluster *cluster, struct known_task *known, const struct marathon_event *event)
{
    return known ? task_is_over(known, event->state) : cluster_keeps_end(cluster, event->task->id, 0);
}

static enum cluster_effect apply_status_update(struct cluster *cluster, struct marathon_event *event)
{
    struct known_task *known = table_get(&cluster->tasks, event->task->id);
    struct known_app *app = known ? known->app : cluster_find_app(cluster, event->app_id);
    if (!state_matters(event->state) || status_is_too_late(cluster, known, event)) {
        return CLUSTER_NO_EFFECT;
    }
    /* What ends in an app that is not known matters only while an older answer may still come and list it. */
    if (!app && (event->state == MARATHON_TASK_RUNNING || cluster->open_fetch)) {
        app = cluster_ensure_app(cluster, event->app_id);
    }
    if (!app) {
        return CLUSTER_NO_EFFECT;
    }
    if (event->state == MARATHON_TASK_RUNNING) {
        enum cluster_effect effect = apply_running(cluster, app, known, event);
        return effect == CLUSTER_FETCH_APP ? effect : effect_of(app);
    }
    apply_not_running(cluster, app, known, event);
    return effect_of_end(cluster, app);
}

static enum cluster_effect apply_instance(struct cluster *cluster, const struct marathon_event *event)
{
    struct known_app *app = cluster_find_app(cluster, event->app_id);
    cluster_apply_instance(cluster, app, event);
    return app ? effect_of_end(cluster, app) : CLUSTER_NO_EFFECT;
}

static enum cluster_effect apply_post(struct cluster *cluster, struct marathon_event *event)
{
    struct known_app *app = cluster_ensure_app(cluster, event->app_id);
    if (!app) {
        return CLUSTER_NO_EFFECT;
    }
    marathon_app_free(app->provisional);
    app->provisional = event->app;
    app->posted = cluster->receipts;
    app->terminated = 0;
    app->absent = false;
    app->missing = 0;
    event->app = NULL;
    return CLUSTER_NO_EFFECT;
}

static enum cluster_effect apply_app_terminated(struct cluster *cluster, const struct marathon_event *event)
{
    struct known_app *app = cluster_find_app(cluster, event->app_id);
    if (!app) {
        return CLUSTER_NO_EFFECT;
    }
    app->terminated = cluster->receipts;
    /* Its own 404 confirms it (design.md, rule 4). */
    return CLUSTER_FETCH_APP;
}

enum cluster_effect cluster_apply_event(struct cluster *cluster, struct marathon_event *event)
{
    cluster->receipts++;
    switch (event->type) {
    case MARATHON_EVENT_STATUS_UPDATE:
        return apply_status_update(cluster, event);
    case MARATHON_EVENT_INSTANCE_CHANGED:
    case MARATHON_EVENT_INSTANCE_TERMINATED:
        return apply_instance(cluster, event);
    case MARATHON_EVENT_HEALTH:
        return cluster_apply_health(cluster, event);
    case MARATHON_EVENT_API_POST:
        return apply_post(cluster, event);
    case MARATHON_EVENT_APP_TERMINATED:
        return apply_app_terminated(cluster, event);
    case MARATHON_EVENT_OTHER:
    case MARATHON_EVENT_ATTACHED:
    case MARATHON_EVENT_DEPLOYMENT:
        return CLUSTER_NO_EFFECT;
    }
    return CLUSTER_NO_EFFECT;
}
