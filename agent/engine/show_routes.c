/* SPDX-License-Identifier: MIT */
/* Routes as documents: each rule, what decides it, and where its keys lead. */
#include <string.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define SHOW_MAX_RULE 200 /* bytes of a rule in a message */

static bool edge_has_routes(const struct edge *edge)
{
    return edge->adopted && edge->maps[EDGE_MAP_ROUTES] && !edge->maps[EDGE_MAP_ROUTES]->missing;
}

/* The HAProxy that is shown: the first that looks routes up. */
static const struct edge *engine_find_router(const struct engine *engine)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (edge_has_routes(engine->edges[i])) {
            return engine->edges[i];
        }
    }
    return NULL;
}

/* ---- all claims ---- */

static int compare_claims(const void *left, const void *right)
{
    const struct route_claim *a = left;
    const struct route_claim *b = right;
    int order = strcmp(a->route->service, b->route->service);
    order = order != 0 ? order : strcmp(a->key, b->key);
    return order != 0 ? order : (int)a->exact - (int)b->exact;
}

/* Those of all hosts, by service and key: each host is looked at once, whatever the number of its services. The caller
 * frees with routes_free_claims(). */
static struct route_claim *edge_list_claims(const struct edge *edge, size_t *ret_count)
{
    struct route_claim *all = NULL;
    size_t count = 0;
    size_t capacity = 0;
    size_t position = 0;
    const char *host;
    while ((host = routes_next_host(edge->engine->routes, &position))) {
        size_t n_claims = 0;
        struct route_claim *claims = edge_find_claims(edge, host, "/", &n_claims);
        MEM_GROW(all, capacity, count + n_claims);
        for (size_t i = 0; i < n_claims; i++) {
            all[count++] = claims[i];
        }
        free(claims);
    }
    if (count > 1) {
        qsort(all, count, sizeof(*all), compare_claims);
    }
    *ret_count = count;
    return all;
}

/* ---- problems ---- */

/* A rule in a message: what a label says may be long. */
static char *rule_shorten(const char *rule)
{
    struct buf shown = BUF_INIT;
    text_append_safe(&shown, rule, strlen(rule), SHOW_MAX_RULE);
    return buf_steal(&shown);
}

static void add_problem(struct json_object *problems, const struct service *service, const char *code,
                        const char *message)
{
    /* The rule is that of the first part. */
    json_object_array_add(problems,
                          map_output_problem(service->parts[0]->app, NULL, service->parts[0]->segment, code, message));
}

static void problem_of_claim(const struct service *service, const struct route_claim *claim,
                             struct json_object *problems)
{
    cleanup_free char *rule = rule_shorten(claim->loses_to->rule);
    cleanup_free char *message =
        mem_printf("`%s`%s leads to %s, whose rule `%s` comes first; another traefik.frontend.priority would decide "
                   "otherwise",
                   claim->key, claim->exact ? "" : " and what begins so", claim->loses_to->service, rule);
    add_problem(problems, service, "route-taken", message);
}

static void problem_of_rule(const struct service *service, const struct route *route, struct json_object *problems)
{
    cleanup_free char *rule = rule_shorten(route->rule);
    cleanup_free char *message =
        mem_printf("its rule `%s` leads nowhere: %s%s", rule,
                   route->means == ROUTE_BY_AGENT ? "no look-up in a map decides " : "", route->why);
    add_problem(problems, service, "rule-not-routed", message);
}

/* The service, when it is asked for and has servers here. */
static const struct service *find_wanted(const struct edge *edge, const char *name, const char *const *names,
                                         size_t n_names)
{
    const struct service *service = services_get(edge->engine->services, name);
    bool is_wanted =
        service && edge_find_backend_of(edge, service) && service_is_wanted(edge->engine, service, names, n_names);
    return is_wanted ? service : NULL;
}

void problems_of_routes(const struct engine *engine, const char *const *names, size_t n_names,
                        struct json_object *problems)
{
    const struct edge *edge = engine_find_router(engine);
    const struct service *service;
    size_t count = 0;
    if (!edge) {
        return;
    }
    const struct route **routes = routes_list(engine->routes, &count);
    for (size_t i = 0; i < count; i++) {
        if (routes[i]->means != ROUTE_BY_MAP && (service = find_wanted(edge, routes[i]->service, names, n_names))) {
            problem_of_rule(service, routes[i], problems);
        }
    }
    free(routes);
    struct route_claim *claims = edge_list_claims(edge, &count);
    for (size_t i = 0; i < count; i++) {
        if (claims[i].loses_to && (service = find_wanted(edge, claims[i].route->service, names, n_names))) {
            problem_of_claim(service, &claims[i], problems);
        }
    }
    routes_free_claims(claims, count);
}

/* ---- slotctl routes ---- */

static struct json_object *show_key(const struct edge *edge, const struct route_claim *claim)
{
    const struct edge_map *map = edge->maps[claim->exact ? EDGE_MAP_PATHS : EDGE_MAP_ROUTES];
    struct json_object *object = json_object_new_object();
    bool holds = route_claim_holds(claim);
    const char *leads_to = holds || !claim->loses_to ? claim->route->service : claim->loses_to->service;
    json_object_object_add(object, "key", json_object_new_string(claim->key));
    json_object_object_add(object, "exact", json_object_new_boolean(claim->exact));
    json_object_object_add(object, "leads_to", json_object_new_string(leads_to));
    json_object_object_add(object, "in_map", json_object_new_boolean(holds && map_get(map->map, claim->key) != NULL));
    return object;
}

/* claims: this route's. */
static struct json_object *show_route(const struct engine *engine, const struct edge *edge, const struct route *route,
                                      const struct route_claim *claims, size_t count)
{
    static const char *const means[] = {
        [ROUTE_BY_MAP] = "map", [ROUTE_BY_AGENT] = "spoe", [ROUTE_BY_NOBODY] = "nothing"};
    struct json_object *object = json_object_new_object();
    struct json_object *keys = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        json_object_array_add(keys, show_key(edge, &claims[i]));
    }
    json_object_object_add(object, "service", json_object_new_string(route->service));
    json_object_object_add(object, "frontend", json_object_new_string(route->frontend));
    json_object_object_add(object, "rule", json_object_new_string(route->rule));
    json_object_object_add(object, "priority", json_object_new_int64(route->priority));
    json_object_object_add(object, "by", json_object_new_string(means[route->means]));
    json_object_object_add(object, "why", route->why ? json_object_new_string(route->why) : NULL);
    const struct service *service = services_get(engine->services, route->service);
    json_object_object_add(object, "access", service ? map_output_access(service->access) : NULL);
    json_object_object_add(object, "keys", keys);
    return object;
}

struct json_object *engine_show_routes(const struct engine *engine)
{
    struct json_object *document = json_object_new_object();
    struct json_object *shown = json_object_new_array();
    const struct edge *edge = engine_find_router(engine);
    size_t count = 0;
    size_t n_claims = 0;
    const struct route **routes = routes_list(engine->routes, &count);
    struct route_claim *claims = edge ? edge_list_claims(edge, &n_claims) : NULL;
    for (size_t i = 0, first = 0; i < count; i++) {
        size_t end = first;
        while (end < n_claims && claims[end].route == routes[i]) {
            end++;
        }
        json_object_array_add(shown, show_route(engine, edge, routes[i], claims + first, end - first));
        first = end;
    }
    routes_free_claims(claims, n_claims);
    free(routes);
    show_tcp_routes(engine, shown);
    json_object_object_add(document, "haproxy", edge ? json_object_new_string(edge->config->name) : NULL);
    json_object_object_add(document, "routes", shown);
    return document;
}
