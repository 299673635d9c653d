/* SPDX-License-Identifier: MIT */
/* What whitelist.map and redirect.map have of services that are not open to everybody. What a route names is there
 * before the route is, and stays until no route names it: at no moment is a route open that should not be, and a client
 * that may pass before and after a change may pass in between. */
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"

struct listed {
    char *key;                     /* of whitelist.map */
    char range[ACCESS_CIDR_BYTES]; /* that it is a part of: the value */
};
/* One service's entries. */
struct edge_access {
    char *backend; /* the service's own, by which maps name it */
    struct access access;
    char *whitelist;       /* its name, or NULL */
    struct listed *listed; /* sorted by key */
    size_t n_listed, capacity;
    char *redirect; /* of redirect.map, or NULL */
};

/* ---- one service's entries ---- */

static void edge_access_free(struct edge_access *entry)
{
    if (!entry) {
        return;
    }
    for (size_t i = 0; i < entry->n_listed; i++) {
        free(entry->listed[i].key);
    }
    free(entry->listed);
    free(entry->redirect);
    free(entry->whitelist);
    free(entry->backend);
    access_free(&entry->access);
    free(entry);
}

/* Ranges are sorted, and apart from one another: so are the keys. */
static void edge_access_add_range(struct edge_access *entry, const struct access_range *range)
{
    char prefixes[ACCESS_MAX_PREFIXES][ACCESS_PREFIX_BYTES];
    size_t count = access_range_expand(range, prefixes);
    MEM_GROW(entry->listed, entry->capacity, entry->n_listed + count);
    for (size_t i = 0; i < count; i++) {
        struct listed *listed = &entry->listed[entry->n_listed++];
        listed->key = mem_printf("%s/%s", entry->whitelist, prefixes[i]);
        access_range_format(range, listed->range);
    }
}

static bool access_has_list(const struct access *access)
{
    return access->listed && !access->closed;
}

/* Whether maps have nothing of it. */
static bool service_is_open(const struct service *service)
{
    return service->gone || access_is_open(service->access);
}

static struct edge_access *edge_access_new(const struct service *service)
{
    struct edge_access *entry = MEM_NEW(struct edge_access);
    struct buf text = BUF_INIT;
    entry->backend = mem_strdup(service->backend);
    entry->access = access_copy(service->access);
    bool is_http = strcmp(service->mode, "http") == 0;
    if (is_http && access_has_list(&entry->access)) {
        access_whitelist_name(&entry->access, entry->backend, &text);
        entry->whitelist = buf_steal(&text);
    }
    for (size_t i = 0; entry->whitelist && i < entry->access.n_ranges; i++) {
        edge_access_add_range(entry, &entry->access.ranges[i]);
    }
    if (is_http && entry->access.redirect.target && !entry->access.closed) {
        access_redirect_format(&entry->access.redirect, &text);
        entry->redirect = buf_steal(&text);
    }
    return entry;
}

static int compare_keys(const void *key, const void *item)
{
    return strcmp(key, ((const struct listed *)item)->key);
}

/* The value that the entry wants for the key, or NULL. */
static const char *edge_access_find(const struct edge_access *entry, enum edge_map_kind kind, const char *key)
{
    if (!entry || kind == EDGE_MAP_REDIRECT) {
        return entry ? entry->redirect : NULL;
    }
    const struct listed *found =
        entry->n_listed > 0 ? bsearch(key, entry->listed, entry->n_listed, sizeof(*found), compare_keys) : NULL;
    return found ? found->range : NULL;
}

/* ---- what should be ---- */

static char *key_find_backend(const char *key)
{
    return mem_strndup(key, strcspn(key, "~"));
}

static struct table *edge_stale(struct edge *edge, enum edge_map_kind kind)
{
    return &edge->accesses.stale[kind == EDGE_MAP_REDIRECT];
}

static void edge_access_forget(struct edge *edge, enum edge_map_kind kind, const char *key)
{
    struct table *stale = edge_stale(edge, kind);
    if (!table_get(stale, key)) {
        char *copy = mem_strdup(key);
        table_put(stale, copy, copy);
    }
}

/* Routes to a service that Marathon has not spoken of are kept as long as tasks may be behind them: so is what they
 * name. */
static bool edge_access_is_in_doubt(const struct edge *edge, const char *backend)
{
    const char *leased = leases_get(edge->leasing.leases, backend);
    const char *leaving = leases_get_leaving(edge->leasing.leases, backend);
    return !services_get_backend(edge->engine->services, backend) &&
           (edge_may_serve(edge, backend) || (leased && edge_may_serve(edge, leased)) ||
            (leaving && edge_may_serve(edge, leaving)));
}

const char *edge_access_value(struct edge_map *map, const char *key, const char *current)
{
    struct edge *edge = map->edge;
    cleanup_free char *backend = key_find_backend(key);
    const char *value = edge_access_find(table_get(&edge->accesses.by_backend, backend), map->kind, key);
    if (value || !current) {
        return value;
    }
    if (edge_access_is_in_doubt(edge, backend)) {
        map->doubts = true;
    } else {
        edge_access_forget(edge, map->kind, key);
    }
    return current;
}

static void edge_access_refresh(struct edge *edge, const struct edge_access *entry)
{
    for (size_t i = 0; entry && i < entry->n_listed; i++) {
        edge_map_refresh(edge->maps[EDGE_MAP_WHITELIST], entry->listed[i].key);
    }
    if (entry) {
        edge_map_refresh(edge->maps[EDGE_MAP_REDIRECT], entry->backend);
    }
}

/* What was there goes once no route names it: there is no doubt about it. */
static void edge_access_forget_all(struct edge *edge, const struct edge_access *entry)
{
    for (size_t i = 0; entry && i < entry->n_listed; i++) {
        edge_access_forget(edge, EDGE_MAP_WHITELIST, entry->listed[i].key);
    }
    if (entry && entry->redirect) {
        edge_access_forget(edge, EDGE_MAP_REDIRECT, entry->backend);
    }
}

size_t edge_accesses_count_stale(const struct edge *edge)
{
    return edge->accesses.stale[0].count + edge->accesses.stale[1].count;
}

static void stale_clear(struct table *stale)
{
    struct table_entry *slot;
    for (size_t position = 0; (slot = table_next(stale, &position));) {
        free(slot->value);
    }
    table_free(stale);
}

static void edge_access_prune(struct edge_map *map)
{
    struct table *stale = edge_stale(map->edge, map->kind);
    struct table_entry *slot;
    for (size_t position = 0; (slot = table_next(stale, &position));) {
        cleanup_free char *backend = key_find_backend(slot->key);
        /* It may be wanted again by now. */
        if (!edge_access_find(table_get(&map->edge->accesses.by_backend, backend), map->kind, slot->key)) {
            edge_map_drop(map, slot->key);
        }
    }
    stale_clear(stale);
}

static void edge_accesses_prune_now(struct edge *edge)
{
    edge_access_prune(edge->maps[EDGE_MAP_WHITELIST]);
    edge_access_prune(edge->maps[EDGE_MAP_REDIRECT]);
}

/* Routes that never arrive, while lists change, are no reason to keep everything that ever was. */
static void edge_accesses_bound(struct edge *edge)
{
    if (edge_accesses_count_stale(edge) > EDGE_MAX_STALE) {
        log_warning("haproxy",
                    "%s: more than %d entries of former whitelists and redirects wait for routes that HAProxy has not "
                    "acknowledged: they go now, and routes that still name them are closed",
                    edge->config->name, EDGE_MAX_STALE);
        edge_accesses_prune_now(edge);
    }
}

void edge_access_set(struct edge *edge, const struct service *service)
{
    if (!edge->maps[EDGE_MAP_WHITELIST]) {
        return;
    }
    struct edge_access *old = table_get(&edge->accesses.by_backend, service->backend);
    bool is_open = service_is_open(service);
    if (old ? !is_open && access_equal(&old->access, service->access) : is_open) {
        return;
    }
    struct edge_access *entry = is_open ? NULL : edge_access_new(service);
    if (entry) {
        table_put(&edge->accesses.by_backend, entry->backend, entry);
    } else if (old) {
        table_remove(&edge->accesses.by_backend, service->backend);
    }
    edge_access_refresh(edge, entry);
    edge_access_forget_all(edge, old);
    if (!service->gone) {
        edge_route_refresh_service(edge, service->name);
    }
    edge_tcp_touch_service(edge, service->name);
    edge_access_free(old);
    edge_accesses_bound(edge);
}

struct access_way edge_access_way(const struct service *service, const char *backend, enum access_point point,
                                  const char *host, struct buf *whitelist)
{
    const struct access *access = service->access;
    struct access_way way = {.backend = backend};
    bool is_tcp = strcmp(service->mode, "tcp") == 0;
    if (access->closed || (is_tcp && access->listed)) {
        way.whitelist = "!"; /* no frontend of mode tcp looks a list up */
        return way;
    }
    if (is_tcp) {
        return way;
    }
    if (access->listed) {
        access_whitelist_name(access, service->backend, whitelist);
        way.whitelist = buf_text(whitelist);
    }
    if (access_redirects(access, point, host)) {
        way.redirect = service->backend;
    }
    return way;
}

/* ---- maps that have just been read ---- */

/* Another configuration may have brought this HAProxy, after the services. */
static void edge_access_look_at_all(struct edge *edge)
{
    size_t position = 0;
    const struct service *service;
    while ((service = services_next(edge->engine->services, &position))) {
        edge_access_set(edge, service);
    }
}

void edge_accesses_adopt(struct edge *edge)
{
    bool any = false;
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        struct edge_map *map = edge->maps[i];
        if (edge_map_is_of_access(map) && map->state == EDGE_MAP_READ && !map->filled) {
            map->filled = any = true;
            kept_file_touch(map->file);
        }
    }
    struct table_entry *slot;
    if (any) {
        edge_access_look_at_all(edge);
    }
    for (size_t position = 0; any && (slot = table_next(&edge->accesses.by_backend, &position));) {
        edge_access_refresh(edge, slot->value);
    }
}

/* ---- what no route needs any more ---- */

bool edge_accesses_prune(struct edge *edge)
{
    /* A request that has read a route before HAProxy acknowledged the next has had time for its whitelist too. */
    if (edge_accesses_count_stale(edge) == 0 || !edge_maps_have_arrived(edge, EDGE_MAP_ROUTES, EDGE_MAP_PATHS)) {
        return false;
    }
    edge_accesses_prune_now(edge);
    return true;
}

/* ---- problems ---- */

static bool edge_lacks(const struct edge *edge, enum edge_map_kind kind)
{
    return edge->adopted && edge->maps[kind] && edge->maps[kind]->missing;
}

static void problem_of_map(const struct edge *edge, const struct service_part *part, enum edge_map_kind kind,
                           const char *label, struct json_object *problems)
{
    cleanup_free char *text = mem_printf(
        "%s.frontend.%s cannot be honoured: HAProxy %s has no map %s, and so no frontend that heeds it; until it has, "
        "its routes answer 503. `slotctl render` shows the lines that a frontend needs",
        edge->engine->config->mapping.label_prefix, label, edge->config->name, edge->maps[kind]->path);
    json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, "access-map-missing", text));
}

static void problem_of_tcp(const struct edge *edge, const struct service_part *part, struct json_object *problems)
{
    if (!part->access.listed) {
        return;
    }
    cleanup_free char *text = mem_printf(
        "%s.frontend.whiteList.sourceRange cannot be honoured for a service of mode tcp: no connection is let "
        "through. `tcp-request connection reject` in the frontend can tell clients apart",
        edge->engine->config->mapping.label_prefix);
    json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, "access-tcp", text));
}

static void problems_of_part(const struct edge *edge, const struct service_part *part, struct json_object *problems)
{
    const struct access *access = &part->access;
    if (strcmp(part->mode, "tcp") == 0) {
        problem_of_tcp(edge, part, problems);
        return;
    }
    if (access->listed && edge_lacks(edge, EDGE_MAP_WHITELIST)) {
        problem_of_map(edge, part, EDGE_MAP_WHITELIST, "whiteList.sourceRange", problems);
    }
    if (access->redirect.target && edge_lacks(edge, EDGE_MAP_REDIRECT)) {
        problem_of_map(edge, part, EDGE_MAP_REDIRECT, "redirect", problems);
    }
    if (access->points != ACCESS_EVERYWHERE && edge_lacks(edge, EDGE_MAP_REDIRECT)) {
        problem_of_map(edge, part, EDGE_MAP_REDIRECT, "entryPoints", problems);
    }
}

void problems_of_access(const struct engine *engine, const struct service *service, struct json_object *problems)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        for (size_t p = 0; p < service->n_parts; p++) {
            problems_of_part(engine->edges[i], service->parts[p], problems);
        }
    }
}

/* ---- life ---- */

void edge_accesses_open(struct edge *edge)
{
    table_init(&edge->accesses.by_backend, edge->engine->seed);
    table_init(&edge->accesses.stale[0], edge->engine->seed);
    table_init(&edge->accesses.stale[1], edge->engine->seed);
}

void edge_accesses_free(struct edge *edge)
{
    struct table_entry *slot;
    for (size_t position = 0; (slot = table_next(&edge->accesses.by_backend, &position));) {
        edge_access_free(slot->value);
    }
    stale_clear(&edge->accesses.stale[0]);
    stale_clear(&edge->accesses.stale[1]);
    table_free(&edge->accesses.by_backend);
}
