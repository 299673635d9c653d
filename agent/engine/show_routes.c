/* SPDX-License-Identifier: MIT */
/* Routes as documents: each rule, what decides it, and where its keys lead. */
#include <string.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"

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

/* ---- problems ---- */

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
    if (!claim->loses_to || strcmp(claim->route->service, service->name) != 0) {
        return;
    }
    cleanup_free char *message = mem_printf(
        "`%s`%s leads to %s, whose rule `%s` comes first; another traefik.frontend.priority would decide "
        "otherwise",
        claim->key, claim->exact ? "" : " and what begins so", claim->loses_to->service, claim->loses_to->rule);
    add_problem(problems, service, "route-taken", message);
}

void problems_of_routes(const struct engine *engine, const struct service *service, struct json_object *problems)
{
    const struct edge *edge = engine_find_router(engine);
    const struct route *route = routes_get(engine->routes, service->name);
    size_t n_hosts = 0;
    if (!edge || !route) {
        return;
    }
    if (route->means != ROUTE_BY_MAP) {
        cleanup_free char *message =
            route->means == ROUTE_BY_AGENT
                ? mem_printf("its rule `%s` leads nowhere: no look-up in a map decides %s", route->rule, route->why)
                : mem_printf("its rule `%s` leads nowhere: %s", route->rule, route->why);
        add_problem(problems, service, "rule-not-routed", message);
    }
    const char *const *hosts = routes_hosts(engine->routes, service->name, &n_hosts);
    for (size_t i = 0; i < n_hosts; i++) {
        size_t count = 0;
        struct route_claim *claims = edge_find_claims(edge, hosts[i], &count);
        for (size_t c = 0; c < count; c++) {
            problem_of_claim(service, &claims[c], problems);
        }
        routes_free_claims(claims, count);
    }
}

/* ---- slotctl routes ---- */

static struct json_object *show_key(const struct edge *edge, const struct route_claim *claim)
{
    const struct edge_map *map = edge->maps[claim->exact ? EDGE_MAP_PATHS : EDGE_MAP_ROUTES];
    struct json_object *object = json_object_new_object();
    const char *leads_to = claim->loses_to ? claim->loses_to->service : claim->route->service;
    json_object_object_add(object, "key", json_object_new_string(claim->key));
    json_object_object_add(object, "exact", json_object_new_boolean(claim->exact));
    json_object_object_add(object, "leads_to", json_object_new_string(leads_to));
    json_object_object_add(object, "in_map",
                           json_object_new_boolean(!claim->loses_to && map_get(map->map, claim->key) != NULL));
    return object;
}

static void add_keys(const struct edge *edge, const struct route *route, struct json_object *keys)
{
    size_t n_hosts = 0;
    const char *const *hosts = routes_hosts(edge->engine->routes, route->service, &n_hosts);
    for (size_t i = 0; i < n_hosts; i++) {
        size_t count = 0;
        struct route_claim *claims = edge_find_claims(edge, hosts[i], &count);
        for (size_t c = 0; c < count; c++) {
            if (claims[c].route == route) {
                json_object_array_add(keys, show_key(edge, &claims[c]));
            }
        }
        routes_free_claims(claims, count);
    }
}

static struct json_object *show_route(const struct edge *edge, const struct route *route)
{
    static const char *const means[] = {
        [ROUTE_BY_MAP] = "map", [ROUTE_BY_AGENT] = "spoe", [ROUTE_BY_NOBODY] = "nothing"};
    struct json_object *object = json_object_new_object();
    struct json_object *keys = json_object_new_array();
    if (edge) {
        add_keys(edge, route, keys);
    }
    json_object_object_add(object, "service", json_object_new_string(route->service));
    json_object_object_add(object, "frontend", json_object_new_string(route->frontend));
    json_object_object_add(object, "rule", json_object_new_string(route->rule));
    json_object_object_add(object, "priority", json_object_new_int64(route->priority));
    json_object_object_add(object, "by", json_object_new_string(means[route->means]));
    json_object_object_add(object, "why", route->why ? json_object_new_string(route->why) : NULL);
    json_object_object_add(object, "keys", keys);
    return object;
}

struct json_object *engine_show_routes(const struct engine *engine)
{
    struct json_object *document = json_object_new_object();
    struct json_object *shown = json_object_new_array();
    const struct edge *edge = engine_find_router(engine);
    size_t count = 0;
    const struct route **routes = routes_list(engine->routes, &count);
    for (size_t i = 0; i < count; i++) {
        json_object_array_add(shown, show_route(edge, routes[i]));
    }
    free(routes);
    json_object_object_add(document, "haproxy", edge ? json_object_new_string(edge->config->name) : NULL);
    json_object_object_add(document, "routes", shown);
    return document;
}
