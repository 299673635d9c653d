/* SPDX-License-Identifier: MIT */
/* What is known of leases when HAProxy, or slotd, has begun anew: recovered from leases.map; what the files or other
 * maps lead to is not free yet. */
#include <errno.h>
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/file.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define LEASES_MAX_FILE ((size_t)256 << 20) /* bytes of a map file */

/* ---- the files as slotd found them ---- */

/* A backend that a HAProxy which starts by them leads to, and its service where leases.map tells it. */
struct found {
    char *backend, *service;
};

static void leasing_note(struct edge_leasing *leasing, const char *backend, size_t len, const char *service)
{
    if (!backend || len == 0) {
        return;
    }
    struct found *found = table_get_n(&leasing->on_disk, backend, len);
    if (!found) {
        found = MEM_NEW(struct found);
        found->backend = mem_strndup(backend, len);
        table_put(&leasing->on_disk, found->backend, found);
    }
    if (service && !found->service) {
        found->service = mem_strdup(service);
    }
}

/* Lines are "key value", as HAProxy reads them. */
static void leasing_note_file(struct edge_leasing *leasing, const char *text, bool is_leases)
{
    for (const char *line = text; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL)) {
        size_t len = strcspn(line, " \t\n");
        const char *value = line + len + strspn(line + len, " \t");
        cleanup_free char *key = mem_strndup(line, len);
        cleanup_free char *word = mem_strndup(value, strcspn(value, " \t\n"));
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            size_t backend_len = 0;
            const char *backend = access_value_backend(word, (enum access_point)p, &backend_len);
            leasing_note(leasing, backend, backend_len, is_leases ? key : NULL);
        }
    }
}

void edge_leases_read_disk(struct edge *edge)
{
    for (size_t i = EDGE_MAP_ROUTES; i <= EDGE_MAP_LEASES && edge->maps[i]; i++) {
        const char *path = edge->maps[i]->path;
        cleanup_buf struct buf content = BUF_INIT;
        int err = file_read(path, LEASES_MAX_FILE, &content);
        if (err && err != -ENOENT) {
            log_warning("haproxy",
                        "%s: %s cannot be read: %s; no backend of a pool is given away before it has been written anew "
                        "and slots.release_delay is over",
                        edge->config->name, path, error_text(err));
            edge->leasing.disk_unknown = true;
        }
        leasing_note_file(&edge->leasing, buf_text(&content), i == EDGE_MAP_LEASES);
    }
}

static void leasing_forget_disk(struct edge_leasing *leasing)
{
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&leasing->on_disk, &position));) {
        struct found *found = entry->value;
        free(found->backend);
        free(found->service);
        free(found);
    }
    table_free(&leasing->on_disk);
    leasing->disk_unknown = false;
}

/* ---- what HAProxy has ---- */

static void lease_dropped(void *arg, const char *service, const char *backend)
{
    const struct edge *edge = arg;
    log_warning("haproxy", "%s: the service %s has lost the backend %s: HAProxy has it no more", edge->config->name,
                service, backend);
}

/* The values that several keys have. */
static void content_find_shared(const struct map_content *content, struct table *shared, uint64_t seed)
{
    struct table keys;
    table_init(&keys, seed);
    for (size_t i = 0; content && i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        const char *other = table_get(&keys, entry->value);
        if (!other) {
            table_put(&keys, entry->value, (void *)(uintptr_t)entry->key);
        } else if (strcmp(other, entry->key) != 0) {
            table_put(shared, entry->value, (void *)(uintptr_t)other);
        }
    }
    table_free(&keys);
}

/* What slotd knows from before is newer. A backend that two services have was given to neither by slotd. */
static void edge_recover_leases(struct edge *edge)
{
    struct leases *leases = edge->leasing.leases;
    const struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    const struct map_content *content = map ? map->content : NULL;
    struct table shared;
    table_init(&shared, edge->engine->seed);
    content_find_shared(content, &shared, edge->engine->seed);
    for (size_t i = 0; content && i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        const char *holder = leases_find_service(leases, entry->value);
        /* Under its own name: one that was made at run time. */
        if (strcmp(entry->key, entry->value) == 0 || (holder && strcmp(holder, entry->key) == 0)) {
            continue;
        }
        if (table_get(&shared, entry->value) || !leases_recover(leases, entry->key, entry->value)) {
            log_warning("haproxy",
                        "%s: %s leads the service %s to the backend %s, which is of no pool, or another's, or not its "
                        "only one: that is dropped",
                        edge->config->name, map->path, entry->key, entry->value);
        }
    }
    table_free(&shared);
}

static void edge_block_named(struct edge *edge, const struct map_content *content)
{
    for (size_t i = 0; content && i < content->count; i++) {
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            size_t len = 0;
            const char *backend = access_value_backend(content->entries[i].value, (enum access_point)p, &len);
            cleanup_free char *name = backend ? mem_strndup(backend, len) : NULL;
            if (name) {
                leases_block(edge->leasing.leases, name, NULL);
            }
        }
    }
}

/* What leads to a backend by HAProxy's maps, or by the files that slotd found when it began, or serves there. */
static void edge_block_backends(struct edge *edge)
{
    struct edge_leasing *leasing = &edge->leasing;
    size_t position = 0;
    const char *name;
    for (size_t i = EDGE_MAP_ROUTES; i <= EDGE_MAP_LEASES && edge->maps[i]; i++) {
        edge_block_named(edge, edge->maps[i]->content);
    }
    while ((name = leases_next(leasing->leases, &position))) {
        const struct found *found = table_get(&leasing->on_disk, name);
        if (found || leasing->disk_unknown || backend_may_serve(edge_find_backend(edge, name))) {
            leases_block(leasing->leases, name, found ? found->service : NULL);
        }
    }
    leasing_forget_disk(leasing);
}

static void edge_set_pools(struct edge *edge)
{
    const struct config_slots *config = &edge->engine->config->slots;
    size_t count = 0;
    struct edge_backend **backends = edge_list_backends(edge, &count);
    const char **names = mem_alloc_array(count, sizeof(*names));
    struct lease_pool *pools = mem_alloc_array(config->n_pools, sizeof(*pools));
    for (size_t i = 0; i < count; i++) {
        names[i] = backends[i]->name;
    }
    for (size_t i = 0; i < config->n_pools; i++) {
        pools[i] = (struct lease_pool){config->pools[i].class, config->pools[i].prefix};
    }
    leases_set_backends(edge->leasing.leases, pools, config->n_pools, names, count, lease_dropped, edge);
    free(pools);
    free(names);
    free(backends);
}

static void edge_look_at_all_services(struct edge *edge)
{
    size_t count = 0;
    const struct service **list = services_list(edge->engine->services, &count);
    for (size_t i = 0; i < count; i++) {
        edge_lease_look_at(edge, list[i]->backend);
    }
    free(list);
}

static void edge_fill_lease_map(struct edge *edge)
{
    struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    size_t position = 0;
    const char *name;
    if (!map) {
        return;
    }
    map->filled = true;
    while ((name = leases_next(edge->leasing.leases, &position))) {
        const char *key = leases_find_service(edge->leasing.leases, name);
        if (key) {
            edge_map_refresh(map, key);
        }
    }
    struct dynamic dynamic;
    for (position = 0; dynamics_next(edge->dynamic.dynamics, &position, &dynamic);) {
        edge_map_refresh(map, dynamic.name);
    }
    kept_file_touch(map->file);
}

void edge_leases_refresh(struct edge *edge)
{
    edge_fill_lease_map(edge);
    edge_look_at_all_services(edge);
}

bool edge_leases_adopt(struct edge *edge)
{
    const struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    if (map && map->state != EDGE_MAP_READ) {
        return false;
    }
    edge_set_pools(edge);
    edge_dynamic_adopt(edge);
    edge_recover_leases(edge);
    edge_block_backends(edge);
    edge->leasing.known = true;
    edge->leasing.gated = false;
    edge_leases_refresh(edge);
    return true;
}

/* What is free now, and was of no pool until now, may have routes. */
static void edge_block_routed(struct edge *edge)
{
    struct leases *leases = edge->leasing.leases;
    size_t position = 0;
    const char *name;
    while ((name = leases_next(leases, &position))) {
        if (leases_state(leases, name) == LEASE_FREE && edge_routes_lead_to(edge, name)) {
            leases_block(leases, name, NULL);
        }
    }
}

void edge_leases_configure(struct edge *edge)
{
    if (edge->adopted) {
        edge_dynamic_configure(edge);
        edge_set_pools(edge);
        edge_block_routed(edge);
        edge_leases_refresh(edge);
        edge_refresh_all(edge);
    }
}

/* ---- life ---- */

void edge_leases_open(struct edge *edge)
{
    struct edge_leasing *leasing = &edge->leasing;
    leasing->leases = leases_new(edge->engine->seed);
    table_init(&leasing->on_disk, edge->engine->seed);
    leasing->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(edge->engine->loop, leasing->timer);
}

void edge_leases_close(struct edge *edge)
{
    leasing_forget_disk(&edge->leasing);
    leases_free(edge->leasing.leases);
    engine_close_handle((uv_handle_t *)edge->leasing.timer);
}
