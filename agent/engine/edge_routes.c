/* SPDX-License-Identifier: MIT */
/* Routes: which keys of routes.map and paths.map lead to which backend of one HAProxy. A route appears once a server of
 * its service has been ready, and stands as long as its rule does: without a server left it answers 503, and no wider
 * rule answers for it. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

/* ---- claims, as this HAProxy has them ---- */

/* While a service moves between http and tcp the pool's backend that it leaves speaks what it does not speak any more.
 */
static bool backend_has_mode(const struct edge_backend *backend, const char *mode)
{
    const char *class = leases_get_class(backend->edge->leasing.leases, backend->name);
    return !class || (strcmp(class, "tcp") == 0) == (strcmp(mode, "tcp") == 0);
}

/* One that is made at run time counts from before it is there when its routes do: HAProxy has begun anew with them. */
bool edge_service_counts(void *arg, const char *name)
{
    const struct edge *edge = arg;
    const struct service *service = services_get(edge->engine->services, name);
    const struct edge_backend *backend = service ? edge_find_backend_of(edge, service) : NULL;
    if (!backend) {
        return service && dynamics_get(edge->dynamic.dynamics, service->backend).routed;
    }
    return backend->route_open && backend_has_mode(backend, service->mode);
}

/* Whose backend a map's value leads to at that entry point; the backend's name is in ret_name then. */
static const struct service *edge_find_led_to(const struct edge *edge, const char *value, enum access_point point,
                                              struct buf *ret_name)
{
    size_t len = 0;
    const char *backend = value ? access_value_backend(value, point, &len) : NULL;
    buf_clear(ret_name);
    if (backend) {
        buf_append(ret_name, backend, len);
    }
    return backend ? edge_find_service(edge, buf_text(ret_name)) : NULL;
}

static const char *edge_find_holder(void *arg, const char *key, bool exact, enum access_point point)
{
    const struct edge *edge = arg;
    const struct edge_map *map = edge->maps[exact ? EDGE_MAP_PATHS : EDGE_MAP_ROUTES];
    cleanup_buf struct buf name = BUF_INIT;
    const struct service *service = edge_find_led_to(edge, map ? map_get(map->map, key) : NULL, point, &name);
    return service ? service->name : NULL;
}

struct route_claim *edge_find_claims(const struct edge *edge, const char *host, const char *within, size_t *ret_count)
{
    const struct routes_judge judge = {edge_service_counts, edge_find_holder, (void *)(uintptr_t)edge};
    return routes_find_claims(edge->engine->routes, host, within, &judge, ret_count);
}

/* ---- what a key leads to ---- */

/* Tasks may serve there whom Marathon has not spoken of, or not enough. What leaves already is no reason to stay. */
static bool edge_may_be_claimed(const struct edge *edge, const char *name)
{
    const struct edge_backend *backend = edge_find_backend(edge, name);
    return !engine_is_confident(edge->engine) || (backend && slots_count_states(backend->slots).orphans > 0);
}

/* It is looked at again when the backend has a service. */
static void edge_note_unclaimed(const struct edge *edge, const char *name)
{
    struct edge_backend *backend = edge_find_backend(edge, name);
    if (backend) {
        backend->unclaimed = true;
    }
}

/* Whether what HAProxy has stays at that entry point, though no rule asks for it now: of a backend that HAProxy has
 * lost and is told to make again, and of a service that Marathon has not spoken of, or not enough. */
static bool edge_keeps_way(struct edge_map *map, const char *current, enum access_point point, bool is_decided,
                           struct buf *name)
{
    struct edge *edge = map->edge;
    bool is_known = edge_find_led_to(edge, current, point, name) != NULL;
    if (name->len == 0 || edge_dynamic_takes_over(edge, buf_text(name))) {
        return name->len > 0;
    }
    bool keeps = !is_known && !is_decided && edge_may_be_claimed(edge, buf_text(name));
    if (keeps) {
        edge_note_unclaimed(edge, buf_text(name));
        map->doubts = true;
    }
    return keeps;
}

/* Appends one entry point's way; false: it is none. */
static bool edge_put_way(struct edge_map *map, const char *key, enum access_point point, const char *current,
                         struct access_way *ret_way, struct buf texts[2])
{
    struct edge *edge = map->edge;
    const struct routed_key *routed = edge_map_is_of_tcp(map) ? NULL : edge_routed_key(edge, map->kind, key);
    const char *name = edge_map_is_of_tcp(map) ? edge_tcp_service(map, key) : routed_key_service(routed, point);
    const struct service *service = name ? services_get(edge->engine->services, name) : NULL;
    const struct edge_backend *backend = service ? edge_find_backend_of(edge, service) : NULL;
    if (backend) {
        cleanup_free char *host = mem_strndup(key, strcspn(key, "/"));
        *ret_way = edge_access_way(service, backend->name, point, host, &texts[0]);
        return true;
    }
    bool is_decided = routed && routed->decided[point];
    if (!edge_keeps_way(map, current, point, is_decided, &texts[0])) {
        return false;
    }
    size_t len = 0;
    const char *way = access_value_way(current, point, &len);
    if (way) {
        buf_append(&texts[1], way, len);
    }
    ret_way->backend = buf_text(&texts[1]);
    return true;
}

const char *edge_route_value(struct edge_map *map, const char *key, const char *current)
{
    struct edge *edge = map->edge;
    struct access_way ways[ACCESS_POINTS] = {0};
    struct buf texts[ACCESS_POINTS][2] = {0};
    bool any = false;
    for (size_t p = 0; p < ACCESS_POINTS; p++) {
        any = edge_put_way(map, key, (enum access_point)p, current, &ways[p], texts[p]) || any;
    }
    buf_clear(&edge->route_value);
    access_value_format(ways, &edge->route_value);
    for (size_t p = 0; p < ACCESS_POINTS; p++) {
        buf_free(&texts[p][0]);
        buf_free(&texts[p][1]);
    }
    return any ? buf_text(&edge->route_value) : NULL;
}

/* ---- when a route opens ---- */

static void backend_open_route(struct edge_backend *backend)
{
    struct edge *edge = backend->edge;
    const struct service *service = edge_find_service(edge, backend->name);
    if (!service || slots_count_states(backend->slots).ready == 0) {
        return;
    }
    backend->route_open = true;
    edge_route_touch_service(edge, service->name);
    edge_tcp_touch_service(edge, service->name);
}

void edge_routes_review(struct edge *edge)
{
    for (struct edge_backend *backend = edge->first_dirty; edge->routes_known && backend;
         backend = backend->next_dirty) {
        if (!backend->route_open) {
            backend_open_route(backend);
        }
    }
}

void edge_route_close(struct edge *edge, const struct service *service)
{
    struct edge_backend *backend = edge_find_backend_of(edge, service);
    if (backend) {
        backend->route_open = false;
    }
}

void edge_route_left(struct edge *edge, const char *name)
{
    struct edge_backend *backend = edge_find_backend(edge, name);
    if (backend && backend->route_open && !edge_find_service(edge, name)) {
        backend->route_open = edge_routes_lead_to(edge, name);
    }
}

/* ---- adoption ---- */

static void edge_note_led_to(struct edge *edge, const char *name)
{
    struct edge_backend *backend = edge_find_backend(edge, name);
    if (backend) {
        backend->route_open = true;
    } else if (name[0]) {
        dynamics_note_routed(edge->dynamic.dynamics, name);
    }
}

/* What HAProxy has is what stands, at first: of several lines of a key the first one answers. */
static void edge_map_take_routes(struct edge_map *map)
{
    cleanup_buf struct buf name = BUF_INIT;
    for (size_t i = 0; map->content && i < map->content->count; i++) {
        const struct map_entry *entry = &map->content->entries[i];
        if (!map->filled && map_get(map->map, entry->key)) {
            continue;
        }
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            (void)edge_find_led_to(map->edge, entry->value, (enum access_point)p, &name);
            edge_note_led_to(map->edge, buf_text(&name));
        }
        if (!map->filled) {
            (void)edge_map_put(map, entry->key, entry->value);
        }
    }
    if (!map->filled) {
        map->filled = true;
        kept_file_touch(map->file);
    }
}

void edge_routes_settle(struct edge_map *map)
{
    cleanup_buf struct buf name = BUF_INIT;
    for (size_t i = 0; edge_map_is_of_routes(map) && map->content && i < map->content->count; i++) {
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            (void)edge_find_led_to(map->edge, map->content->entries[i].value, (enum access_point)p, &name);
            edge_route_left(map->edge, buf_text(&name));
        }
    }
}

void edge_routes_adopt(struct edge *edge)
{
    size_t count = 0;
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        if (edge_map_is_of_routes(edge->maps[i]) && edge->maps[i]->state == EDGE_MAP_READ) {
            edge_map_take_routes(edge->maps[i]);
            count++;
        }
    }
    if (count == 0) {
        return;
    }
    edge->routes_known = true;
    edge_route_touch_all(edge);
    edge_tcp_touch_all(edge);
}

/* ---- life ---- */

void edge_routes_open(struct edge *edge)
{
    edge_routed_open(edge);
    edge_tcp_open(edge);
}

void edge_routes_free(struct edge *edge)
{
    edge_routed_free(edge);
    edge_tcp_free(edge);
    buf_free(&edge->route_value);
}
