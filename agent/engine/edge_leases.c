/* SPDX-License-Identifier: MIT */
/* Leases of one HAProxy's pooled backends: given to services without a backend of their own name, and taken back when
 * nothing is behind them, and nothing leads to them, any more. */
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"

static struct edge_map *edge_lease_map(const struct edge *edge)
{
    return edge->maps[EDGE_MAP_LEASES];
}

/* ---- who has which ---- */

static struct edge_backend *edge_find_named(const struct edge *edge, const char *name)
{
    return name ? edge_find_backend(edge, name) : NULL;
}

/* The backend of the service's own name: one of a pool is nobody's own. */
static struct edge_backend *edge_find_own(const struct edge *edge, const char *key)
{
    return leases_state(edge->leasing.leases, key) == LEASE_NONE ? edge_find_backend(edge, key) : NULL;
}

bool edge_has_own_backend(const struct edge *edge, const char *key)
{
    return edge_find_own(edge, key) != NULL;
}

static struct edge_backend *edge_find_primary(const struct edge *edge, const char *key)
{
    struct edge_backend *own = edge_find_own(edge, key);
    return own ? own : edge_find_named(edge, leases_get(edge->leasing.leases, key));
}

struct edge_backend *edge_find_backend_of(const struct edge *edge, const struct service *service)
{
    struct edge_backend *primary = edge_find_primary(edge, service->backend);
    struct edge_backend *former = edge_find_named(edge, leases_get_leaving(edge->leasing.leases, service->backend));
    bool has_moved = !former || former->left || (primary && primary->route_open);
    return primary && has_moved ? primary : former ? former : primary;
}

const struct service *edge_find_service(const struct edge *edge, const char *name)
{
    const struct services *services = edge->engine->services;
    const struct edge_backend *backend = edge_find_backend(edge, name);
    if (leases_state(edge->leasing.leases, name) == LEASE_NONE) {
        return services_get_backend(services, name);
    }
    const char *key = leases_find_service(edge->leasing.leases, name);
    return key && backend && !backend->left ? services_get_backend(services, key) : NULL;
}

void edge_refresh_service(struct edge *edge, const char *key)
{
    const struct leases *leases = edge->leasing.leases;
    edge_lease_look_at(edge, key);
    cleanup_free char *current = mem_strdup(leases_get(leases, key));
    cleanup_free char *leaving = mem_strdup(leases_get_leaving(leases, key));
    if (leases_state(leases, key) == LEASE_NONE) {
        edge_refresh_backend(edge, key);
    }
    if (current) {
        edge_refresh_backend(edge, current);
    }
    if (leaving) {
        edge_refresh_backend(edge, leaving);
    }
}

/* ---- what is behind a backend ---- */

static bool backend_is_free(const struct edge_backend *backend)
{
    struct slots_counts counts = slots_count_states(backend->slots);
    return counts.free == counts.slots;
}

/* Whether it may take traffic, or had just now. */
bool backend_may_serve(const struct edge_backend *backend)
{
    struct slots_counts counts = slots_count_states(backend->slots);
    return counts.free + counts.held < counts.slots;
}

bool edge_routes_lead_to(const struct edge *edge, const char *backend)
{
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        if (edge_map_is_of_routes(edge->maps[i]) && edge_map_names(edge->maps[i], backend)) {
            return true;
        }
    }
    return false;
}

bool edge_maps_show_leases(const struct edge *edge)
{
    return edge_maps_have_arrived(edge, EDGE_MAP_ROUTES, EDGE_MAP_LEASES);
}

/* ---- giving ---- */

static bool service_is_to_serve(const struct service *service)
{
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            if (endpoint->phase == ENDPOINT_READY && !endpoint->kept_only) {
                return true;
            }
        }
    }
    return false;
}

const char *edge_lease_value(const struct edge_map *map, const char *key)
{
    const struct dynamic dynamic = dynamics_get(map->edge->dynamic.dynamics, key);
    const char *backend = leases_get(map->edge->leasing.leases, key);
    backend = backend ? backend : leases_get_leaving(map->edge->leasing.leases, key);
    return backend || !dynamic_is_ours(&dynamic) ? backend : dynamic.name;
}

/* A pool's backend is reached by maps alone: one that none can lead to waits for none, and keeps what it has. */
static bool edge_may_wait(const struct edge *edge, const struct service *service)
{
    const struct leases *leases = edge->leasing.leases;
    return leases_get(leases, service->backend) || leases_get_leaving(leases, service->backend) ||
           edge_tcp_can_lead_to(edge, service);
}

static void edge_show_lease(struct edge *edge, const char *key)
{
    if (edge_lease_map(edge)) {
        edge_map_refresh(edge_lease_map(edge), key);
    }
}

/* Where its routes have left already they come back once a server is ready there again. */
static void edge_return_to(struct edge *edge, const char *key, struct edge_backend *back)
{
    const struct edge_backend *other = edge_find_named(edge, leases_get_leaving(edge->leasing.leases, key));
    back->left = false;
    back->route_open = back->route_open && !(other && other->route_open);
}

void edge_lease_look_at(struct edge *edge, const char *key)
{
    struct leases *leases = edge->leasing.leases;
    if (!edge->leasing.known) {
        return;
    }
    const struct service *service = services_get_backend(edge->engine->services, key);
    if (service) {
        leases_forget(leases, key);
    }
    bool has_own = edge_find_own(edge, key) != NULL;
    cleanup_free char *leaving = mem_strdup(leases_get_leaving(leases, key));
    edge_dynamic_look_at(edge, key);
    if (service && !has_own && service_is_to_serve(service) && !edge_dynamic_want(edge, service) &&
        edge_may_wait(edge, service)) {
        leases_want(leases, key, service->class);
    } else {
        leases_unwant(leases, key);
    }
    if (service && has_own) {
        leases_leave(leases, key);
    }
    struct edge_backend *back = edge_find_named(edge, leaving);
    if (back && leases_state(leases, leaving) == LEASE_LEASED) {
        edge_return_to(edge, key, back);
    }
    edge_show_lease(edge, key);
}

static bool edge_may_give(void *arg, const char *name)
{
    const struct edge_backend *backend = edge_find_backend(arg, name);
    return backend && backend_is_free(backend);
}

/* HAProxy's maps can show leases, and one that starts now finds no slot as it was before the adoption. */
static bool edge_gives_leases(struct edge *edge)
{
    struct edge_leasing *leasing = &edge->leasing;
    const struct edge_map *map = edge_lease_map(edge);
    if (!leasing->gated) {
        leasing->gate = edge->state_file ? kept_file_stamp(edge->state_file) : 0;
        leasing->gated = true;
    }
    return map && !map->missing && (!edge->state_file || kept_file_has_saved(edge->state_file, leasing->gate));
}

static void edge_give_leases(struct edge *edge)
{
    const char *service = NULL;
    const char *name = NULL;
    while (edge_gives_leases(edge) && leases_give(edge->leasing.leases, edge_may_give, edge, &service, &name)) {
        struct edge_backend *backend = edge_find_backend(edge, name);
        log_info("haproxy", "%s: the service %s has the backend %s now", edge->config->name, service, name);
        cleanup_free char *key = mem_strdup(service);
        backend->left = backend->empty = false;
        /* In place of one that HAProxy had, and would not make again: its routes lead there still. */
        backend->route_open = dynamics_get(edge->dynamic.dynamics, key).routed;
        edge_show_lease(edge, key);
        edge_refresh_service(edge, key);
        if (backend->route_open) {
            const struct service *served = services_get_backend(edge->engine->services, key);
            edge_route_touch_service(edge, served->name);
            edge_tcp_touch_service(edge, served->name);
        }
    }
}

/* ---- taking back ---- */

static void edge_release(struct edge *edge, struct edge_backend *backend)
{
    struct leases *leases = edge->leasing.leases;
    cleanup_free char *key = mem_strdup(leases_find_service(leases, backend->name));
    log_info("haproxy", "%s: the service %s has left the backend %s", edge->config->name, key, backend->name);
    leases_release(leases, backend->name);
    backend->route_open = backend->left = false;
    edge_refresh_service(edge, key);
    edge_refresh_backend(edge, backend->name);
}

/* Before enough complete answers have come somebody may speak of it yet. */
static void edge_release_surely(struct edge *edge, struct edge_backend *backend)
{
    if (engine_is_confident(edge->engine)) {
        edge_release(edge, backend);
    } else {
        feed_seek_confidence(edge->engine);
    }
}

/* Nothing is left in the former backend: its routes need not wait for a server in the next one, which an operator may
 * drain for long. */
static void edge_open_next(struct edge *edge, const struct edge_backend *former, struct edge_backend *next,
                           const struct service *service)
{
    if (former->route_open && !next->route_open && edge->routes_known && backend_is_free(former)) {
        next->route_open = true;
        edge_route_touch_service(edge, service->name);
        edge_tcp_touch_service(edge, service->name);
    }
}

/* No request comes to the former backend by a route, and none would find a server there that the next one lacks. */
static bool edge_has_moved(const struct edge *edge, const struct edge_backend *former, const struct edge_backend *next)
{
    bool is_served = slots_count_states(next->slots).ready > 0 && (next->route_open || !edge->routes_known);
    return (is_served || backend_is_free(former)) && edge_maps_show_leases(edge) &&
           !edge_routes_lead_to(edge, former->name);
}

/* A service that is served elsewhere by now: first its routes lead there, then the backend is emptied. */
static void edge_review_leaving(struct edge *edge, struct edge_backend *backend)
{
    const char *key = leases_find_service(edge->leasing.leases, backend->name);
    const struct service *service = services_get_backend(edge->engine->services, key);
    struct edge_backend *primary = edge_find_primary(edge, key);
    if (service && primary && !backend->left) {
        edge_open_next(edge, backend, primary, service);
    }
    if (!backend->left) {
        backend->left = !service || (primary && edge_has_moved(edge, backend, primary));
        if (backend->left) {
            edge_refresh_backend(edge, backend->name);
        }
    }
    if (backend->left && backend_is_free(backend)) {
        edge_release_surely(edge, backend);
    }
}

static void edge_review_all_leaving(struct edge *edge)
{
    const struct leases *leases = edge->leasing.leases;
    const char *next = NULL;
    for (const char *name = leases_next_leaving(leases, NULL); name; name = next) {
        next = leases_next_leaving(leases, name); /* it may be released */
        edge_review_leaving(edge, edge_find_backend(edge, name));
    }
}

/* Leased to a service that is gone, with nothing in its slots. */
static bool backend_is_abandoned(const struct edge_backend *backend)
{
    const struct edge *edge = backend->edge;
    const char *key = leases_find_service(edge->leasing.leases, backend->name);
    return leases_state(edge->leasing.leases, backend->name) == LEASE_LEASED &&
           !services_get_backend(edge->engine->services, key) && backend_is_free(backend);
}

static bool backend_has_sessions(const struct edge_backend *backend)
{
    size_t slot = 0;
    while (slot < slots_count(backend->slots) && slots_view(backend->slots, slot).sessions <= 0) {
        slot++;
    }
    return slot < slots_count(backend->slots);
}

/* Of a service that had left it, and not for long, when slotd began. */
static bool backend_is_left_behind(const struct edge_backend *backend)
{
    return leases_state(backend->edge->leasing.leases, backend->name) == LEASE_FREE && backend_has_sessions(backend);
}

void edge_lease_note_sessions(struct edge_backend *backend)
{
    if (backend_is_left_behind(backend)) {
        leases_block(backend->edge->leasing.leases, backend->name, NULL);
        backend->empty = false;
    } else if (backend_is_abandoned(backend)) {
        edge_mark_dirty(backend);
    }
}

static void edge_review_backend(struct edge *edge, struct edge_backend *backend)
{
    struct leases *leases = edge->leasing.leases;
    if (leases_state(leases, backend->name) == LEASE_FREE && backend_may_serve(backend)) {
        leases_block(leases, backend->name, NULL);
        backend->empty = false;
    } else if (backend_is_abandoned(backend)) {
        edge_release_surely(edge, backend);
    } else if (leases_state(leases, backend->name) == LEASE_NONE && engine_is_confident(edge->engine)) {
        edge_dynamic_look_at(edge, backend->name);
    }
}

/* ---- from released to free ---- */

static bool edge_is_clear(void *arg, const char *name)
{
    const struct edge *edge = arg;
    struct edge_backend *backend = edge_find_backend(edge, name);
    return backend && backend_is_free(backend) && !edge_routes_lead_to(edge, name) && backend_is_empty(backend);
}

static void edge_take_stamps(struct edge *edge)
{
    for (size_t i = 0; i < EDGE_N_MAPS; i++) {
        edge->leasing.stamps[i] = edge->maps[i] ? kept_file_stamp(edge->maps[i]->file) : 0;
    }
    edge->leasing.stamps[EDGE_N_MAPS] = edge->state_file ? kept_file_stamp(edge->state_file) : 0;
}

static bool edge_files_are_saved(const struct edge *edge)
{
    for (size_t i = 0; i < EDGE_N_MAPS; i++) {
        if (edge->maps[i] && !kept_file_has_saved(edge->maps[i]->file, edge->leasing.stamps[i])) {
            return false;
        }
    }
    return !edge->state_file || kept_file_has_saved(edge->state_file, edge->leasing.stamps[EDGE_N_MAPS]);
}

/* It only has to wake the loop. */
static void lease_delay_over(uv_timer_t *timer)
{
    (void)timer;
}

static void edge_free_released(struct edge *edge)
{
    struct edge_leasing *leasing = &edge->leasing;
    uint64_t now = uv_now(edge->engine->loop);
    if (!leasing->saving && edge_maps_show_leases(edge) && leases_begin_saving(leasing->leases, edge_is_clear, edge)) {
        edge_take_stamps(edge);
        leasing->saving = true;
    }
    if (leasing->saving && edge_files_are_saved(edge)) {
        leases_end_saving(leasing->leases, (int64_t)now);
        leasing->saving = false;
    }
    int64_t due = leases_expire(leasing->leases, (int64_t)now, edge->engine->config->slots.release_delay);
    due = leasing->ask_ms > now && (int64_t)leasing->ask_ms < due ? (int64_t)leasing->ask_ms : due;
    if (due == LEASES_NEVER) {
        uv_timer_stop(leasing->timer);
    } else {
        uv_timer_start(leasing->timer, lease_delay_over, (uint64_t)due - now, 0);
    }
}

void edge_leases_run(struct edge *edge)
{
    if (!edge->leasing.verified) {
        edge->leasing.verified = true;
        edge_leases_verify(edge);
    }
    for (struct edge_backend *backend = edge->first_dirty; backend; backend = backend->next_dirty) {
        edge_review_backend(edge, backend);
    }
    edge_review_all_leaving(edge);
    edge_free_released(edge);
    edge_give_leases(edge);
}

void edge_leases_answered(struct edge *edge)
{
    const struct leases *leases = edge->leasing.leases;
    size_t position = 0;
    const char *name;
    while (edge->adopted && (name = leases_next(leases, &position))) {
        const char *key = leases_find_service(leases, name);
        if (key && !services_get_backend(edge->engine->services, key)) {
            edge_mark_dirty(edge_find_backend(edge, name));
        }
    }
}
