/* SPDX-License-Identifier: MIT */
/* The engine's numbers of one moment, for who measures it. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

#define NS_PER_MS UINT64_C(1000000)

/* Since a moment of the wall clock, milliseconds since 1970; 0: it never was. */
static uint64_t age_ns(int64_t since_ms)
{
    int64_t age_ms = engine_now_ms() - since_ms;
    return since_ms == 0 ? ENGINE_NEVER : (uint64_t)(age_ms > 0 ? age_ms : 0) * NS_PER_MS;
}

static void measure_marathon(const struct engine *engine, struct engine_metrics *metrics)
{
    const struct feed *feed = &engine->feed;
    struct client_status client = client_get_status(feed->client);
    metrics->live = client.live;
    metrics->event_age_ns = age_ns(feed->last_event_ms);
    metrics->answer_age_ns = age_ns(feed->last_sync_ms);
    metrics->reconnects = client.reconnects;
    metrics->fetches = client.fetches;
    metrics->fetch_failures = client.fetch_failures;
    memcpy(metrics->events, feed->events_by_type, sizeof(metrics->events));
    metrics->bad_events = feed->bad_events;
    memcpy(metrics->answers, feed->answers, sizeof(metrics->answers));
    metrics->all_fetches = &feed->all_fetches;
    metrics->app_fetches = &feed->app_fetches;
}

static void measure_cluster(const struct engine *engine, struct engine_metrics *metrics)
{
    struct cluster_counts counts = cluster_count(engine->feed.cluster);
    metrics->apps = counts.apps;
    metrics->tasks = counts.tasks;
    metrics->running = counts.running;
    metrics->tombstones = counts.tombstones;
    metrics->left_aside = counts.refused;
    metrics->drains = orders_count_drains(engine->orders);
    metrics->weights = orders_count_weights(engine->orders);
    metrics->guard_held = engine_count_held(engine);
    metrics->guard_holds = metrics->guard_held > 0;
    metrics->guard_times = engine->times_held;
}

/* ---- services ---- */

static void measure_service(struct engine *engine, const struct service *service, struct engine_metrics *metrics)
{
    metrics->services++;
    for (size_t p = 0; p < service->n_parts; p++) {
        const struct service_part *part = service->parts[p];
        for (size_t e = 0; e < part->n_endpoints; e++) {
            metrics->endpoints[engine_find_phase(engine, service, part, &part->endpoints[e])]++;
        }
    }
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct edge *edge = engine->edges[i];
        metrics->edges[i].services_without_backend += edge->adopted && !edge_find_backend_of(edge, service);
    }
}

static void measure_problem(void *arg, const struct problem *problem)
{
    struct engine_metrics *metrics = arg;
    size_t place = 0;
    while (place < metrics->n_codes && strcmp(metrics->problems[place].code, problem->code) != 0) {
        place++;
    }
    if (place == metrics->n_codes) {
        bool last = place + 1 >= ENGINE_MAX_CODES;
        place = place < ENGINE_MAX_CODES ? place : ENGINE_MAX_CODES - 1;
        metrics->problems[place].code = last ? "other" : problem->code;
        metrics->n_codes = place + 1;
    }
    metrics->problems[place].count++;
}

static void measure_services(struct engine *engine, struct engine_metrics *metrics)
{
    const struct service *service;
    size_t position = 0;
    while ((service = services_next(engine->services, &position))) {
        measure_service(engine, service, metrics);
    }
    services_visit_problems(engine->services, measure_problem, metrics);
}

/* ---- HAProxies ---- */

static void measure_backend(const struct edge_backend *backend, struct engine_backend_metrics *ret_metrics,
                            struct engine_edge_metrics *edge)
{
    struct slots_counts counts = slots_count_states(backend->slots);
    *ret_metrics = (struct engine_backend_metrics){
        .name = backend->name,
        .slots = {[SLOT_FREE] = counts.free,
                  [SLOT_ASSIGNING] = counts.assigning,
                  [SLOT_STARTING] = counts.starting,
                  [SLOT_READY] = counts.ready,
                  [SLOT_DOWN] = counts.down,
                  [SLOT_DRAINING] = counts.draining,
                  [SLOT_HELD] = counts.held,
                  [SLOT_LEAVING] = counts.leaving,
                  [SLOT_ORPHAN] = counts.orphans,
                  [SLOT_UNKNOWN] = counts.unknown},
        .waiting = counts.waiting,
    };
    for (size_t i = 0; i < ENGINE_SLOT_STATES; i++) {
        edge->slots[i] += ret_metrics->slots[i];
    }
    edge->waiting += counts.waiting;
    edge->servers += counts.added;
    edge->unresolved += counts.unresolved;
}

static void measure_edge(const struct edge *edge, struct engine_edge_metrics *ret_metrics)
{
    struct haproxy_statistics statistics = haproxy_connection_statistics(edge->connection);
    size_t count = 0;
    struct edge_backend **list = edge_list_backends(edge, &count);
    *ret_metrics = (struct engine_edge_metrics){
        .name = edge->config->name,
        .version = edge->info.version.text,
        .connected = haproxy_connection_is_up(edge->connection),
        .adopted = edge->adopted,
        .connects = statistics.connects,
        .adoptions = edge->adoptions,
        .commands = edge->commands,
        .refusals = edge->refusals,
        .lost = statistics.failures,
        .in_flight = edge->in_flight,
        .drifts = edge->drifts,
        .additions = edge->servers_added,
        .deletions = edge->servers_deleted,
        .access_leaving = edge_accesses_count_stale(edge),
        .n_backends = count,
        .latency = &edge->latency,
        .backends = mem_alloc_array(count, sizeof(struct engine_backend_metrics)),
    };
    for (size_t i = 0; i < count; i++) {
        measure_backend(list[i], &ret_metrics->backends[i], ret_metrics);
    }
    free(list);
    measure_tcp(edge, ret_metrics);
    ret_metrics->dynamic = dynamics_count(edge->dynamic.dynamics);
    ret_metrics->n_pools = leases_count_pools(edge->leasing.leases);
    ret_metrics->pools = mem_alloc_array(ret_metrics->n_pools, sizeof(*ret_metrics->pools));
    for (size_t i = 0; i < ret_metrics->n_pools; i++) {
        ret_metrics->pools[i] = leases_count(edge->leasing.leases, i);
    }
}

void engine_measure(struct engine *engine, struct engine_metrics *ret_metrics)
{
    struct engine_metrics *metrics = ret_metrics;
    *metrics = (struct engine_metrics){.in_sync = engine_list_reasons(engine, NULL)};
    metrics->started_ns = (uint64_t)engine->started_ms * NS_PER_MS;
    metrics->n_edges = engine->n_edges;
    metrics->edges = mem_alloc_array(engine->n_edges, sizeof(*metrics->edges));
    for (size_t i = 0; i < engine->n_edges; i++) {
        measure_edge(engine->edges[i], &metrics->edges[i]);
    }
    measure_marathon(engine, metrics);
    measure_cluster(engine, metrics);
    measure_services(engine, metrics);
}

void engine_metrics_clear(struct engine_metrics *metrics)
{
    for (size_t i = 0; i < metrics->n_edges; i++) {
        free(metrics->edges[i].backends);
        free(metrics->edges[i].pools);
    }
    free(metrics->edges);
    *metrics = (struct engine_metrics){0};
}
