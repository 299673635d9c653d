/* SPDX-License-Identifier: MIT */
/* Routes of TCP services as documents: each port and server name, where it leads, and why it does not. */
#include <string.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"

static const struct edge_map *edge_find_map(const struct edge *edge, enum tcp_way way)
{
    const struct edge_map *map = edge->maps[way == TCP_BY_PORT ? EDGE_MAP_TCP_PORTS : EDGE_MAP_SNI];
    return edge->adopted && map && !map->missing ? map : NULL;
}

/* The HAProxy that is shown: the first that looks such keys up. */
static const struct edge *engine_find_looker(const struct engine *engine, enum tcp_way way)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (edge_find_map(engine->edges[i], way)) {
            return engine->edges[i];
        }
    }
    return NULL;
}

/* What has become of a key that a service wants. */
struct fate {
    const struct tcp_route *winner; /* or will be; NULL: none yet */
    struct server_name_owner owner; /* whose HTTP rule has the name: no TCP service of another app has it then */
    bool in_map;                    /* and leads to this service */
};

static struct fate edge_find_fate(const struct edge *edge, const struct tcp_route *route, const struct tcp_key *key)
{
    const struct edge_map *map = edge ? edge_find_map(edge, key->way) : NULL;
    struct fate fate = {.winner = map ? edge_tcp_find(edge, key->way, key->key) : NULL};
    if (edge) {
        fate.owner = engine_find_name_owner(edge->engine, route, key);
    }
    fate.in_map = fate.winner == route && map_get(map->map, key->key) != NULL;
    return fate;
}

/* ---- slotctl routes ---- */

static struct json_object *show_key(const struct engine *engine, const struct tcp_route *route,
                                    const struct tcp_key *key)
{
    struct json_object *object = json_object_new_object();
    struct fate fate = edge_find_fate(engine_find_looker(engine, key->way), route, key);
    json_object_object_add(object, "kind", json_object_new_string(key->way == TCP_BY_PORT ? "port" : "sni"));
    json_object_object_add(object, "key", json_object_new_string(key->key));
    json_object_object_add(object, "exact", json_object_new_boolean(key->key[0] != '*'));
    json_object_object_add(object, "leads_to",
                           json_object_new_string(fate.winner ? fate.winner->service : route->service));
    json_object_object_add(object, "in_map", json_object_new_boolean(fate.in_map));
    return object;
}

static struct json_object *show_route(const struct engine *engine, const struct tcp_route *route)
{
    const char *prefix = engine->config->mapping.label_prefix;
    struct json_object *object = json_object_new_object();
    struct json_object *keys = json_object_new_array();
    for (size_t i = 0; i < route->n_keys; i++) {
        json_object_array_add(keys, show_key(engine, route, &route->keys[i]));
    }
    cleanup_free char *why = mem_printf("neither %s.tcp.port nor %s.tcp.sni", prefix, prefix);
    json_object_object_add(object, "service", json_object_new_string(route->service));
    json_object_object_add(object, "frontend", json_object_new_string(route->frontend));
    json_object_object_add(object, "rule", NULL);
    json_object_object_add(object, "priority", NULL);
    json_object_object_add(object, "by", json_object_new_string(route->n_keys > 0 ? "map" : "nothing"));
    json_object_object_add(object, "why", route->n_keys > 0 ? NULL : json_object_new_string(why));
    json_object_object_add(object, "keys", keys);
    return object;
}

void show_tcp_routes(const struct engine *engine, struct json_object *shown)
{
    size_t count = 0;
    const struct tcp_route **routes = tcp_routes_list(engine->tcp_routes, &count);
    for (size_t i = 0; i < count; i++) {
        json_object_array_add(shown, show_route(engine, routes[i]));
    }
    free(routes);
}

/* ---- problems ---- */

static void add_problem(struct json_object *problems, const struct service *service, enum tcp_way way, const char *code,
                        const char *message)
{
    const struct service_part *part = service_find_tcp_part(service, way);
    json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, code, message));
}

static void problem_of_taken(const struct engine *engine, const struct service *service, const struct tcp_key *key,
                             const struct tcp_route *winner, struct json_object *problems)
{
    cleanup_free char *message = mem_printf(
        "%s.%s %s leads to %s, which wants it too; one of them needs another", engine->config->mapping.label_prefix,
        key->way == TCP_BY_PORT ? "tcp.port" : "tcp.sni", key->key, winner->service);
    add_problem(problems, service, key->way, "tcp-taken", message);
}

static void problem_of_owner(const struct engine *engine, const struct service *service, const struct tcp_key *key,
                             const struct server_name_owner *owner, struct json_object *problems)
{
    const char *prefix = engine->config->mapping.label_prefix;
    cleanup_free char *message =
        mem_printf("%s.tcp.sni %s leads nowhere: %s is a host of the app %s's HTTP rule, and its TLS connections are "
                   "not passed on to "
                   "another app; another server name here, or %s.frontend.entryPoints=http at %s, would be right",
                   prefix, key->key, owner->host, owner->app, prefix, owner->app);
    add_problem(problems, service, key->way, "tcp-name-of-rule", message);
}

static void problem_of_map(const struct engine *engine, const struct service *service, const struct tcp_key *key,
                           struct json_object *problems)
{
    static const char *const lines[TCP_WAYS] = {
        [TCP_BY_PORT] = "use_backend %[dst_port,map_str(", [TCP_BY_NAME] = "use_backend %[req.ssl_sni,lower,map_str("};
    enum edge_map_kind kind = key->way == TCP_BY_PORT ? EDGE_MAP_TCP_PORTS : EDGE_MAP_SNI;
    const struct edge *edge = NULL;
    for (size_t i = 0; i < engine->n_edges && !edge; i++) {
        edge = engine->edges[i]->adopted ? engine->edges[i] : NULL;
    }
    const struct edge_map *map = edge ? edge->maps[kind] : NULL;
    if (!edge) {
        return;
    }
    cleanup_free char *path = map ? mem_strdup(map->path) : mem_printf("MAPS_DIR/%s", edge_map_name(kind));
    cleanup_free char *message = mem_printf(
        "%s.%s %s leads nowhere: HAProxy %s has no %s; its frontend of mode tcp needs `%s%s)]`, as slotctl render "
        "prints it",
        engine->config->mapping.label_prefix, key->way == TCP_BY_PORT ? "tcp.port" : "tcp.sni", key->key,
        edge->config->name, map ? "such map" : "maps_dir in slotd.conf", lines[key->way], path);
    add_problem(problems, service, key->way, "tcp-map-missing", message);
}

static void problem_of_bind(const struct engine *engine, const struct service *service, struct json_object *problems)
{
    const char *bind = engine->config->edge.tcp_bind;
    if (service->tcp.port == 0 || engine_listens_on(engine, service->tcp.port)) {
        return;
    }
    cleanup_free char *message = mem_printf(
        "%s.tcp.port %u is none that HAProxy listens on: edge.tcp_bind is \"%s\"; a port of it would be right",
        engine->config->mapping.label_prefix, (unsigned)service->tcp.port, bind);
    add_problem(problems, service, TCP_BY_PORT, "tcp-port-not-bound", message);
}

static void problems_of_route(const struct engine *engine, const struct service *service, const struct tcp_route *route,
                              struct json_object *problems)
{
    problem_of_bind(engine, service, problems);
    for (size_t i = 0; i < route->n_keys; i++) {
        const struct tcp_key *key = &route->keys[i];
        const struct edge *edge = engine_find_looker(engine, key->way);
        struct fate fate = edge_find_fate(edge, route, key);
        if (!edge) {
            problem_of_map(engine, service, key, problems);
        } else if (fate.owner.app) {
            problem_of_owner(engine, service, key, &fate.owner, problems);
        } else if (fate.winner && fate.winner != route) {
            problem_of_taken(engine, service, key, fate.winner, problems);
        }
    }
}

void problems_of_tcp(const struct engine *engine, const char *const *names, size_t n_names,
                     struct json_object *problems)
{
    size_t count = 0;
    const struct tcp_route **routes = tcp_routes_list(engine->tcp_routes, &count);
    for (size_t i = 0; i < count; i++) {
        const struct service *service = services_get(engine->services, routes[i]->service);
        if (service && service_is_wanted(engine, service, names, n_names)) {
            problems_of_route(engine, service, routes[i], problems);
        }
    }
    free(routes);
}

/* ---- metrics ---- */

void measure_tcp(const struct edge *edge, struct engine_edge_metrics *ret_metrics)
{
    size_t count = 0;
    const struct tcp_route **routes = tcp_routes_list(edge->engine->tcp_routes, &count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < routes[i]->n_keys; k++) {
            struct fate fate = edge_find_fate(edge, routes[i], &routes[i]->keys[k]);
            ret_metrics->tcp_routed += fate.in_map;
            bool is_taken = fate.owner.app || (fate.winner && fate.winner != routes[i]);
            ret_metrics->tcp_taken += is_taken;
            ret_metrics->tcp_waiting += !fate.in_map && !is_taken;
        }
    }
    free(routes);
}
