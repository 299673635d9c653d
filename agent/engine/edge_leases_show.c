/* SPDX-License-Identifier: MIT */
/* Pools and leases as documents: how many are left, who waits and for what, and what HAProxy or slotd.conf would need.
 */
#include <string.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- what is missing ---- */

/* What keeps leases from being given at all, as a sentence that the caller frees; NULL: nothing. */
static char *edge_find_obstacle(const struct edge *edge)
{
    const struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    if (!map) {
        return mem_printf("HAProxy %s has no maps_dir in slotd.conf, without which no backend of a pool is given to a "
                          "service",
                          edge->config->name);
    }
    if (map->missing) {
        return mem_printf("HAProxy %s does not know %s, without which no backend of a pool is given to a service; its "
                          "frontend needs a line such as `http-request set-var(txn.lease) str(x),map(%s)`",
                          edge->config->name, map->path, map->path);
    }
    return NULL;
}

/* The pool of that class with most backends, among those that HAProxy has something of; false: none. */
static bool edge_find_pool(const struct edge *edge, const char *class, struct lease_counts *ret_counts)
{
    const struct leases *leases = edge->leasing.leases;
    size_t most = 0;
    for (size_t i = 0; i < leases_count_pools(leases); i++) {
        struct lease_counts counts = leases_count(leases, i);
        if (counts.total > most && strcmp(counts.class, class) == 0) {
            *ret_counts = counts;
            most = counts.total;
        }
    }
    return most > 0;
}

/* ---- problems ---- */

static void add_problem(struct json_object *problems, const struct service *service, const char *code,
                        const char *message)
{
    for (size_t p = 0; p < service->n_parts; p++) {
        const struct service_part *part = service->parts[p];
        json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, code, message));
    }
}

static void problem_of_class(const struct edge *edge, const struct service *service, const char *instead,
                             struct json_object *problems)
{
    cleanup_free char *outcome =
        instead ? mem_printf("it gets one of the class %s", instead) : mem_strdup("it takes no traffic");
    cleanup_free char *message = mem_printf(
        "its labels ask for a backend of the class %s, and HAProxy %s has none: %s; backends pool-%s-1, pool-%s-2 and "
        "so on in haproxy.cfg and `{ class = \"%s\"; prefix = \"pool-%s-\"; }` in slots.pools would be right",
        service->class, edge->config->name, outcome, service->class, service->class, service->class, service->class);
    add_problem(problems, service, "pool-missing", message);
}

static void problem_of_waiting(const struct edge *edge, const struct service *service, const char *class,
                               struct json_object *problems)
{
    struct lease_counts counts = {0};
    cleanup_free char *obstacle = edge_find_obstacle(edge);
    cleanup_free char *message = NULL;
    if (obstacle) {
        message = mem_printf("it takes no traffic: %s", obstacle);
        add_problem(problems, service, "leases-map-missing", message);
    } else if (leases_waits(edge->leasing.leases, service->backend) && edge_find_pool(edge, class, &counts)) {
        message =
            counts.free == 0
                ? mem_printf(
                      "it waits for a backend: %s%zu of HAProxy %s's pool %s* (class %s) %s taken; more backends "
                      "with that prefix in haproxy.cfg would help",
                      text_plural(counts.total, "the ", "all "), counts.total, edge->config->name, counts.prefix,
                      counts.class, text_plural(counts.total, "is", "are"))
                : mem_printf("it waits for a backend of HAProxy %s's pool %s* (class %s): none is given away before "
                             "its slots have no sessions left and the server-state file is written",
                             edge->config->name, counts.prefix, counts.class);
        add_problem(problems, service, counts.free == 0 ? "pool-empty" : "lease-waits", message);
    }
}

/* A pool's backend is reached by the maps alone. */
static void problem_of_keys(const struct edge *edge, const struct service *service, bool has_backend,
                            struct json_object *problems)
{
    const char *prefix = edge->engine->config->mapping.label_prefix;
    cleanup_free char *message = mem_printf(
        "no map of HAProxy %s leads to it: it is of mode tcp, and its labels have "
        "neither a port (%s.tcp.port) nor server names (%s.tcp.sni) that are good%s",
        edge->config->name, prefix, prefix, has_backend ? "" : "; until then it waits for no backend of a pool");
    add_problem(problems, service, "tcp-not-routed", message);
}

bool problems_of_leases(const struct edge *edge, const struct service *service, struct json_object *problems)
{
    const struct leases *leases = edge->leasing.leases;
    const struct edge_backend *backend = edge_find_backend_of(edge, service);
    const char *class = leases_find_class(leases, service->class);
    bool is_pooled = backend && leases_state(leases, backend->name) != LEASE_NONE;
    if (leases_count_backends(leases) == 0) {
        return false;
    }
    if ((!backend || is_pooled) && (!class || strcmp(class, service->class) != 0)) {
        problem_of_class(edge, service, class, problems);
    }
    bool has_keys = service->tcp.port != 0 || service->tcp.n_names > 0;
    if ((!backend || is_pooled) && strcmp(service->mode, "tcp") == 0 && !has_keys) {
        problem_of_keys(edge, service, backend != NULL, problems);
    }
    if (!backend && class) {
        problem_of_waiting(edge, service, class, problems);
    }
    return true;
}

void problems_of_pools(const struct edge *edge, struct json_object *problems)
{
    const struct leases *leases = edge->leasing.leases;
    for (size_t i = 0; edge->adopted && i < leases_count_pools(leases); i++) {
        struct lease_counts counts = leases_count(leases, i);
        if (lease_counts_are_low(&counts)) {
            cleanup_free char *message = mem_printf(
                "%zu of the %zu %s of HAProxy %s's pool %s* (class %s) %s free; more backends with that prefix in "
                "haproxy.cfg would be right",
                counts.free, counts.total, text_plural(counts.total, "backend", "backends"), edge->config->name,
                counts.prefix, counts.class, text_plural(counts.free, "is", "are"));
            json_object_array_add(problems, map_output_problem(NULL, NULL, "", "pool-low", message));
        }
    }
}

/* ---- for status ---- */

static void add_text(struct json_object *texts, char *text)
{
    json_object_array_add(texts, json_object_new_string(text));
    free(text);
}

void edge_explain_leases(const struct edge *edge, struct json_object *reasons, struct json_object *warnings)
{
    const struct leases *leases = edge->leasing.leases;
    size_t waiting = 0;
    for (size_t i = 0; i < leases_count_pools(leases); i++) {
        struct lease_counts counts = leases_count(leases, i);
        waiting += counts.waiting;
        if (counts.waiting > 0 && counts.free == 0) {
            add_text(reasons,
                     mem_printf("HAProxy %s: %zu %s for a backend of the pool %s* (class %s), of which none of %zu is "
                                "free; give haproxy.cfg more of them",
                                edge->config->name, counts.waiting,
                                text_plural(counts.waiting, "service waits", "services wait"), counts.prefix,
                                counts.class, counts.total));
        } else if (lease_counts_are_low(&counts)) {
            add_text(warnings,
                     mem_printf("HAProxy %s: %zu of the %zu %s of the pool %s* (class %s) %s free; give haproxy.cfg "
                                "more of them",
                                edge->config->name, counts.free, counts.total,
                                text_plural(counts.total, "backend", "backends"), counts.prefix, counts.class,
                                text_plural(counts.free, "is", "are")));
        }
    }
    const char *class = NULL;
    size_t unserved = leases_count_unserved(leases, &class);
    if (unserved > 0 && leases_count_backends(leases) > 0) {
        add_text(warnings, mem_printf("HAProxy %s: %zu %s labels ask for (the first: class %s); see slotctl services",
                                      edge->config->name, unserved,
                                      text_plural(unserved, "service has no backend, since no pool is for what its",
                                                  "services have no backend, since no pool is for what their"),
                                      class));
    }
    char *obstacle = leases_count_backends(leases) > 0 ? edge_find_obstacle(edge) : NULL;
    if (obstacle) {
        add_text(waiting > 0 ? reasons : warnings, obstacle);
    }
}

struct json_object *edge_show_pools(const struct edge *edge)
{
    const struct leases *leases = edge->leasing.leases;
    struct json_object *pools = json_object_new_array();
    for (size_t i = 0; i < leases_count_pools(leases); i++) {
        struct lease_counts counts = leases_count(leases, i);
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "class", json_object_new_string(counts.class));
        json_object_object_add(object, "prefix", json_object_new_string(counts.prefix));
        json_object_object_add(object, "total", json_object_new_int64((int64_t)counts.total));
        json_object_object_add(object, "leased", json_object_new_int64((int64_t)counts.leased));
        json_object_object_add(object, "free", json_object_new_int64((int64_t)counts.free));
        json_object_object_add(object, "released", json_object_new_int64((int64_t)counts.released));
        json_object_object_add(object, "waiting", json_object_new_int64((int64_t)counts.waiting));
        json_object_array_add(pools, object);
    }
    return pools;
}
