/* SPDX-License-Identifier: MIT */
/* What must be in maps and pools when all is calm: what the rules say, and who waits does so for want of a backend. */
#include <string.h>

#include "rules_parts.h"
#include "slotd/mem.h"

static struct backend *find_backend_of(struct haproxy *haproxy, size_t service)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        if (haproxy->backends[b].number == service) {
            return &haproxy->backends[b];
        }
    }
    return NULL;
}

/* ---- routes ---- */

/* Routes lead there, or should. */
static bool service_counts(struct haproxy *haproxy, size_t service)
{
    const struct backend *backend = find_backend_of(haproxy, service);
    return backend && (count_serving(backend) > 0 || map_leads_to(&haproxy->maps[MAP_ROUTES], backend->name) ||
                       map_leads_to(&haproxy->maps[MAP_PATHS], backend->name));
}

/* Another one comes first where the key is looked up: of a higher priority, or of the same with the very same key. */
static bool is_beaten(struct haproxy *haproxy, size_t service, const struct claims *own, const char *key, bool is_exact,
                      bool or_equal)
{
    for (size_t other = 0; other < N_BACKEND_NAMES; other++) {
        struct claims claims;
        if (other == service || !service_claims(other, definition_true, &claims) || !service_counts(haproxy, other)) {
            continue;
        }
        for (size_t i = 0; i < claims.count; i++) {
            const struct claim *claim = &claims.claims[i];
            bool is_same = claim->is_exact == is_exact && strcmp(claim->key, key) == 0;
            bool is_within = !claim->is_exact && strncmp(claim->key, key, strlen(claim->key)) == 0;
            if (((is_same || is_within) && claims.priority > own->priority) ||
                (or_equal && is_same && claims.priority == own->priority)) {
                return true;
            }
        }
    }
    return false;
}

static char *find_wrong_line(struct haproxy *haproxy, size_t number)
{
    const struct runtime_map *map = &haproxy->maps[number];
    for (size_t i = 0; i < map->count; i++) {
        const struct map_line *line = &map->lines[i];
        const struct backend *backend = haproxy_find_backend(haproxy, line->value);
        struct claims claims = {0};
        bool is_claimed = backend && service_claims(backend->number, definition_true, &claims) &&
                          claims_have(&claims, line->key, number == MAP_PATHS);
        if (!is_claimed || map_find(map, line->key) != line ||
            is_beaten(haproxy, backend->number, &claims, line->key, number == MAP_PATHS, false)) {
            return mem_printf("%s of %s leads to %s of %s, which %s", line->key, haproxy->name, line->value,
                              backend ? backend_names[backend->number] : "nobody",
                              is_claimed ? "comes second" : "does not claim it");
        }
    }
    return NULL;
}

static char *find_missing_line(struct haproxy *haproxy, size_t service)
{
    struct claims claims;
    const struct backend *backend = find_backend_of(haproxy, service);
    if (!backend || count_serving(backend) == 0 || !service_claims(service, definition_true, &claims)) {
        return NULL;
    }
    for (size_t i = 0; i < claims.count; i++) {
        const struct claim *claim = &claims.claims[i];
        const struct map_line *line = map_find(&haproxy->maps[claim->is_exact ? MAP_PATHS : MAP_ROUTES], claim->key);
        bool leads = line && strcmp(line->value, backend->name) == 0;
        if (!leads && !is_beaten(haproxy, service, &claims, claim->key, claim->is_exact, true)) {
            return mem_printf("%s of %s does not lead to %s of %s", claim->key, haproxy->name, backend->name,
                              backend_names[service]);
        }
    }
    return NULL;
}

/* Whoever asks for a key that a rule has is answered by it, or by one that comes first. */
static char *find_wrong_look_up(struct haproxy *haproxy, size_t service)
{
    struct claims claims;
    size_t number = 0;
    if (!service_counts(haproxy, service) || !service_claims(service, definition_true, &claims)) {
        return NULL;
    }
    for (size_t i = 0; i < claims.count; i++) {
        const char *key = claims.claims[i].key;
        const struct map_line *line = haproxy_look_up(haproxy, key, &number);
        const struct backend *backend = line ? haproxy_find_backend(haproxy, line->value) : NULL;
        struct claims found = {0};
        bool is_right = backend && service_claims(backend->number, definition_true, &found) &&
                        claims_have(&found, line->key, number == MAP_PATHS);
        if (line && (!is_right || (backend->number != service && found.priority < claims.priority &&
                                   number == MAP_ROUTES && count_serving(find_backend_of(haproxy, service)) > 0))) {
            return mem_printf("%s of %s leads to %s, and should to %s", key, haproxy->name, line->value,
                              backend_names[service]);
        }
    }
    return NULL;
}

/* ---- leases and pools ---- */

static char *find_wrong_lease(struct haproxy *haproxy)
{
    const struct runtime_map *map = &haproxy->maps[MAP_LEASES];
    size_t count = 0;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        const struct backend *backend = &haproxy->backends[b];
        const struct map_line *line = map_find(map, backend_names[backend->number]);
        bool is_leased = backend->class && backend->number != NOBODY;
        count += is_leased;
        if (is_leased && (!line || strcmp(line->value, backend->name) != 0)) {
            return mem_printf("%s of %s is of %s, and leases.map has %s", backend->name, haproxy->name,
                              backend_names[backend->number], line ? line->value : "nothing");
        }
    }
    return map->count == count ? NULL
                               : mem_printf("leases.map of %s has %zu lines, and %zu backends are leased",
                                            haproxy->name, map->count, count);
}

/* The class of the pool that would serve it; NULL: none. */
static const char *find_class(const struct haproxy *haproxy, uint8_t class)
{
    const char *found = NULL;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        const char *pool = haproxy->backends[b].class;
        if (pool && strcmp(pool, class_names[class]) == 0) {
            return pool;
        }
        found = pool && strcmp(pool, class_names[0]) == 0 ? pool : found;
    }
    return found;
}

static bool is_told_problem(const struct haproxy *haproxy, size_t service)
{
    const struct edge *edge = slotd_edge(haproxy);
    const struct service *known = services_get_backend(slotd->services, backend_names[service]);
    struct json_object *problems = json_object_new_array();
    bool told = known && problems_of_leases(edge, known, problems) && json_object_array_length(problems) > 0;
    json_object_put(problems);
    return told;
}

/* A service that has tasks and no backend. */
static char *find_idle_backend(struct haproxy *haproxy, size_t service)
{
    struct claims claims;
    if (find_backend_of(haproxy, service) || !service_has_duties(service) ||
        !service_claims(service, definition_true, &claims)) {
        return NULL;
    }
    const char *class = find_class(haproxy, claims.class);
    for (size_t b = 0; class && b < haproxy->n_backends; b++) {
        const struct backend *backend = &haproxy->backends[b];
        if (backend->class == class && backend->number == NOBODY) {
            return mem_printf("%s has no backend of %s, and %s is nobody's", backend_names[service], haproxy->name,
                              backend->name);
        }
    }
    if (class && !is_told_problem(haproxy, service)) {
        return mem_printf("%s waits for a backend of %s, and slotd does not say so", backend_names[service],
                          haproxy->name);
    }
    return NULL;
}

/* ---- checks and files ---- */

static char *find_wrong_check(struct haproxy *haproxy)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        const struct backend *backend = &haproxy->backends[b];
        struct claims claims = {0};
        bool exists = backend->number != NOBODY && service_claims(backend->number, definition_true, &claims);
        const struct map_line *line = map_find(&haproxy->maps[0], backend->name);
        if ((line != NULL) != (exists && claims.has_check) || (line && strcmp(line->value, "/check") != 0)) {
            return mem_printf("check-path.map of %s has %s for %s", haproxy->name, line ? line->value : "nothing",
                              backend->name);
        }
    }
    return NULL;
}

static char *find_old_file(struct haproxy *haproxy, size_t number)
{
    struct haproxy scratch = {.name = haproxy->name};
    struct runtime_map map = {0};
    const struct buf *file = files_get(haproxy->files[number]);
    if (file) {
        map_load(&scratch, &map, file);
    }
    bool equal = map.count == haproxy->maps[number].count;
    for (size_t i = 0; equal && i < map.count; i++) {
        const struct map_line *line = map_find(&haproxy->maps[number], map.lines[i].key);
        equal = line && strcmp(line->value, map.lines[i].value) == 0;
    }
    return equal ? NULL : mem_printf("%s is not what HAProxy has", haproxy->files[number]);
}

char *find_maps_difference(struct haproxy *haproxy)
{
    char *difference = find_wrong_lease(haproxy);
    for (size_t service = 0; service < N_BACKEND_NAMES && !difference; service++) {
        difference = find_idle_backend(haproxy, service);
    }
    for (size_t i = MAP_ROUTES; i <= MAP_PATHS && !difference; i++) {
        difference = find_wrong_line(haproxy, i);
    }
    for (size_t service = 0; service < N_BACKEND_NAMES && !difference; service++) {
        difference = find_missing_line(haproxy, service);
        difference = difference ? difference : find_wrong_look_up(haproxy, service);
    }
    difference = difference ? difference : find_wrong_check(haproxy);
    for (size_t i = 0; i < N_MAPS && !difference; i++) {
        difference = find_old_file(haproxy, i);
    }
    return difference;
}
