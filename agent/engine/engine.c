/* SPDX-License-Identifier: MIT */
/* The engine's heart: once in a turn of the loop, what changed is mapped, planned and sent. */
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

static void handle_closed(uv_handle_t *handle)
{
    free(handle);
}

void engine_close_handle(uv_handle_t *handle)
{
    if (handle) {
        uv_close(handle, handle_closed);
    }
}

void engine_note_receipt(struct engine *engine)
{
    if (!engine->turn_received_ns) {
        engine->turn_received_ns = uv_hrtime();
        engine->turn_received_ms = engine_now_ms();
    }
}

bool engine_is_confident(const struct engine *engine)
{
    return engine->feed.good_answers >= (unsigned)engine->config->slots.missing_confirmations;
}

/* ---- from dirty apps to dirty backends ---- */

static enum mapper_standing engine_judge_task(void *arg, const struct marathon_task *task)
{
    static const enum mapper_standing standings[] = {
        [CLUSTER_TASK_LISTED] = MAPPER_TASK_PLAIN,
        [CLUSTER_TASK_UNLISTED] = MAPPER_TASK_UNLISTED,
        [CLUSTER_TASK_FRESH] = MAPPER_TASK_FRESH,
    };
    const struct cluster *cluster = ((const struct engine *)arg)->feed.cluster;
    return cluster_task_waits(cluster, task->id) ? MAPPER_TASK_WAITS
                                                 : standings[cluster_task_standing(cluster, task->id)];
}

static void engine_map_app(struct engine *engine, const struct cluster_view *view)
{
    struct app_mapping *mapping = NULL;
    engine_end_orders(engine, view);
    if (view->removed || (!view->has_definition && !view->problem)) {
        readiness_forget(engine->readiness, view->app->id);
        services_remove_app(engine->services, view->app->id);
        return;
    }
    if (view->has_definition) {
        mapper_map_app(engine->mapper, view->app, MAPPER_LIVE, engine_now_ms(), engine_judge_task, engine, &mapping);
    } else {
        mapping = MEM_NEW(struct app_mapping);
        mapping->app = mem_strdup(view->app->id);
    }
    readiness_note(engine->readiness, mapping);
    if (view->problem) {
        problem_list_add(
            &mapping->problems, view->app->id, NULL, "", "app-malformed", "its definition cannot be read, %s: %s",
            view->has_definition ? "the last good one stays in use" : "and there is no earlier one", view->problem);
    }
    services_set_app(engine->services, mapping);
}

void engine_refresh_service(struct engine *engine, const char *key)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_refresh_service(engine->edges[i], key);
    }
}

void engine_refresh_backend(struct engine *engine, const char *backend)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_refresh_backend(engine->edges[i], backend);
    }
}

static void engine_touch_key(void *arg, const char *key)
{
    const struct engine *engine = arg;
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_route_touch(engine->edges[i], key);
    }
}

static void engine_set_route(struct engine *engine, const struct service *service)
{
    bool routed = !service->gone && strcmp(service->mode, "http") == 0;
    for (size_t i = 0; service->gone && i < engine->n_edges; i++) {
        edge_route_close(engine->edges[i], service);
    }
    routes_set(engine->routes, service->name, service->frontend, routed ? service->rule : NULL,
               routed ? service->parts[0]->priority : 0, service->access->points, engine_touch_key, engine);
    engine_set_server_names(engine, service);
    engine_set_tcp_route(engine, service);
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_access_set(engine->edges[i], service);
    }
}

void engine_map_dirty(struct engine *engine)
{
    struct cluster_view view;
    const struct service *service;
    while (cluster_next_dirty(engine->feed.cluster, &view)) {
        engine_map_app(engine, &view);
    }
    while ((service = services_next_changed(engine->services))) {
        engine_set_route(engine, service);
        engine_refresh_service(engine, service->backend);
    }
}

static void engine_tell_listeners(struct engine *engine)
{
    engine->changed = false;
    for (struct engine_listener *listener = engine->listeners; listener; listener = engine->next_listener) {
        engine->next_listener = listener->next;
        listener->changed(listener->arg);
    }
}

static void engine_serve_waiters(struct engine *engine);
static void engine_turn(uv_prepare_t *prepare)
{
    struct engine *engine = prepare->data;
    engine_follow_clock(engine);
    engine_map_dirty(engine);
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_run(engine->edges[i]);
    }
    engine->turn_received_ns = 0;
    engine_note_guard(engine);
    engine_run_surveys(engine);
    engine_serve_waiters(engine);
    if (engine->changed) {
        engine_tell_listeners(engine);
    }
}

/* ---- what the parts report ---- */

void engine_record(struct engine *engine, struct change *change)
{
    double after_ms = (double)(change->acknowledged_ns - change->received_ns) / 1e6;
    int task_len = change->endpoint ? (int)strcspn(change->endpoint, " ") : 0;
    log_info("slots", "%s: %s: %s%.*s on %s:%u: %s in slot %s, weight %u (%.2f ms after its cause)", change->haproxy,
             change->backend, task_len ? "task " : "no task", task_len, change->endpoint ? change->endpoint : "",
             change->address, (unsigned)change->port, change->action, change->server, (unsigned)change->weight,
             after_ms);
    journal_add(&engine->journal, change);
    engine->changed = true;
}

static void engine_note_answer(struct engine *engine, uint64_t stamp, bool ok)
{
    for (struct engine_waiter *waiter = engine->waiters; waiter; waiter = waiter->next) {
        if (waiter->stamp <= stamp) {
            waiter->fetched = waiter->fetched || ok;
            waiter->failed = waiter->failed || !ok;
        }
    }
}

void engine_answer_applied(struct engine *engine, uint64_t stamp, bool ok)
{
    bool orphans_wait = false;
    engine_note_answer(engine, stamp, ok);
    if (!ok) {
        return;
    }
    /* The answer's own changes first: an orphan may be claimed by them. */
    engine_map_dirty(engine);
    for (size_t i = 0; i < engine->n_edges; i++) {
        orphans_wait = edge_judge_orphans(engine->edges[i], false) || orphans_wait;
        edge_retry_aside(engine->edges[i]);
        edge_maps_answered(engine->edges[i]);
        edge_leases_answered(engine->edges[i]);
        edge_dynamic_answered(engine->edges[i]);
    }
    if (orphans_wait) {
        feed_seek_confidence(engine);
    }
    engine_judge_orders(engine);
}

static void engine_host_changed(void *arg, const char *service_name)
{
    struct engine *engine = arg;
    const struct service *service = services_get(engine->services, service_name);
    engine_note_receipt(engine);
    if (service) {
        engine_refresh_service(engine, service->backend);
    }
}

bool service_is_on_host(const struct service *service, const char *host)
{
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            if (strcmp(service->parts[p]->endpoints[e].host, host) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool engine_host_in_use(void *arg, const char *host, const char *service_name)
{
    const struct engine *engine = arg;
    const struct service *service = services_get(engine->services, service_name);
    return service && service_is_on_host(service, host);
}

/* ---- life ---- */

int engine_new(uv_loop_t *loop, const struct config *config, const struct engine_options *options,
               struct engine **ret_engine, struct buf *why)
{
    struct mapper *mapper = NULL;
    int err = mapper_new(&config->mapping, &mapper, why);
    if (err) {
        return err;
    }
    struct engine *engine = MEM_NEW(struct engine);
    engine->loop = loop;
    engine->config = config;
    engine->seed = options->seed;
    engine->mapper = mapper;
    engine->services = services_new(options->seed);
    engine->routes = routes_new(options->seed);
    engine->tcp_routes = tcp_routes_new(options->seed);
    engine->server_names = server_names_new(options->seed);
    engine->readiness = readiness_new(engine);
    engine->watches = watches_new(engine);
    engine->orders = orders_new(options->seed);
    engine->orders_file = orders_file_new(loop, config->control.state_dir, engine->orders, engine_now_ms());
    engine->resolver = resolver_new(loop, options->seed, engine_host_changed, engine_host_in_use, engine);
    engine->started_ms = engine_now_ms();
    engine->clock_lead_ms = engine_clock_lead_ms();
    engine->turn = MEM_NEW(uv_prepare_t);
    uv_prepare_init(loop, engine->turn);
    engine->turn->data = engine;
    feed_init(engine);
    engine->feed.confirm_next = engine->confirm = options->confirm;
    *ret_engine = engine;
    return 0;
}

void engine_start(struct engine *engine)
{
    engine_expire_orders(engine);
    (void)engine_remake_edges(engine, engine->config);
    uv_prepare_start(engine->turn, engine_turn);
    feed_start(engine);
}

void engine_close(struct engine *engine)
{
    struct engine_waiter *next = NULL;
    for (struct engine_waiter *waiter = engine->waiters; waiter; waiter = next) {
        next = waiter->next;
        engine_waiter_cancel(waiter);
    }
    feed_close(engine);
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_close(engine->edges[i]);
    }
    free(engine->edges);
    readiness_close(engine->readiness);
    watches_close(engine->watches);
    (void)orders_file_flush(engine->orders_file);
    orders_file_close(engine->orders_file);
    orders_free(engine->orders);
    resolver_close(engine->resolver);
    services_free(engine->services);
    routes_free(engine->routes);
    tcp_routes_free(engine->tcp_routes);
    server_names_free(engine->server_names);
    mapper_free(engine->mapper);
    journal_free(&engine->journal);
    engine_close_handle((uv_handle_t *)engine->turn);
    free(engine);
}

/* ---- waiters and listeners ---- */

static void waiter_surveyed(void *arg)
{
    struct engine_waiter *waiter = arg;
    waiter->survey = NULL;
}

struct engine_waiter *engine_sync(struct engine *engine, engine_synced *done, void *arg)
{
    struct engine_waiter *waiter = MEM_NEW(struct engine_waiter);
    *waiter = (struct engine_waiter){.engine = engine, .done = done, .arg = arg, .next = engine->waiters};
    engine->waiters = waiter;
    feed_fetch_all(engine);
    /* An answer to a request that was sent earlier does not count. */
    waiter->survey = engine_survey(engine, ENGINE_SURVEY_DRIFT, NULL, 0, waiter_surveyed, waiter);
    waiter->stamp = engine->feed.again ? engine->feed.stamp + 1 : engine->feed.stamp;
    return waiter;
}

void engine_waiter_cancel(struct engine_waiter *waiter)
{
    struct engine_waiter **link = &waiter->engine->waiters;
    while (*link != waiter) {
        link = &(*link)->next;
    }
    *link = waiter->next;
    if (waiter->survey) {
        engine_survey_cancel(waiter->survey);
    }
    if (waiter->engine->next_waiter == waiter) {
        waiter->engine->next_waiter = waiter->next;
    }
    free(waiter);
}

static const char *engine_sync_obstacle(const struct engine *engine, const struct engine_waiter *waiter)
{
    if (waiter->failed) {
        return engine->feed.error ? engine->feed.error : "Marathon's answer is not usable";
    }
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (!engine->edges[i]->adopted && engine->edges[i]->error) {
            return engine->edges[i]->error;
        }
    }
    return NULL;
}

static void engine_finish_waiter(struct engine *engine, struct engine_waiter *waiter, const char *obstacle)
{
    static const char *const verdicts[] = {
        [CLUSTER_GOOD] = "good", [CLUSTER_UNCONFIRMED] = "unconfirmed", [CLUSTER_HELD] = "held"};
    const struct cluster_fetch_result *last = &engine->feed.last;
    struct json_object *result = json_object_new_object();
    if (obstacle) {
        json_object_object_add(result, "error", json_object_new_string(obstacle));
    }
    json_object_object_add(result, "apps", json_object_new_int64((int64_t)last->n_apps));
    json_object_object_add(result, "missing", json_object_new_int64((int64_t)last->n_missing));
    json_object_object_add(result, "removed", json_object_new_int64((int64_t)last->n_removed));
    json_object_object_add(result, "answer", json_object_new_string(verdicts[last->verdict]));
    engine_synced *done = waiter->done;
    void *arg = waiter->arg;
    engine_waiter_cancel(waiter);
    done(arg, obstacle == NULL, result);
}

static bool engine_is_settled(const struct engine *engine)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (!edge_is_settled(engine->edges[i])) {
            return false;
        }
    }
    return true;
}

static void engine_serve_waiters(struct engine *engine)
{
    for (struct engine_waiter *waiter = engine->waiters; waiter; waiter = engine->next_waiter) {
        engine->next_waiter = waiter->next;
        const char *obstacle = engine_sync_obstacle(engine, waiter);
        if (obstacle || (waiter->fetched && !waiter->survey && engine_is_settled(engine))) {
            engine_finish_waiter(engine, waiter, obstacle);
        }
    }
}

size_t engine_confirm(struct engine *engine)
{
    engine_note_receipt(engine);
    size_t removed = cluster_confirm(engine->feed.cluster);
    engine_map_dirty(engine);
    for (size_t i = 0; i < engine->n_edges; i++) {
        removed += engine->edges[i]->orphans_held;
        (void)edge_judge_orphans(engine->edges[i], true);
    }
    engine->feed.good_answers++;
    return removed;
}

struct engine_listener *engine_listen(struct engine *engine, engine_changed *changed, void *arg)
{
    struct engine_listener *listener = MEM_NEW(struct engine_listener);
    *listener = (struct engine_listener){.engine = engine, .changed = changed, .arg = arg, .next = engine->listeners};
    engine->listeners = listener;
    return listener;
}

void engine_unlisten(struct engine_listener *listener)
{
    struct engine_listener **link = &listener->engine->listeners;
    while (*link != listener) {
        link = &(*link)->next;
    }
    *link = listener->next;
    if (listener->engine->next_listener == listener) {
        listener->engine->next_listener = listener->next;
    }
    free(listener);
}
