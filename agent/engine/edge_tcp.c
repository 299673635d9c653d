/* SPDX-License-Identifier: MIT */
/* Routes of TCP services: which keys of tcp-ports.map and sni.map lead to which backend of one HAProxy. They come,
 * stand and go as the routes of edge_routes.c do. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

/* A key that leads somewhere. */
struct routed {
    char *key, *service;
};

static enum edge_map_kind map_kind_of(enum tcp_way way)
{
    return way == TCP_BY_PORT ? EDGE_MAP_TCP_PORTS : EDGE_MAP_SNI;
}

static void routed_free(struct routed *routed)
{
    if (routed) {
        free(routed->key);
        free(routed->service);
        free(routed);
    }
}

/* ---- who has a key ---- */

static const char *edge_find_holder(void *arg, enum tcp_way way, const char *key)
{
    const struct edge *edge = arg;
    const struct edge_map *map = edge->maps[map_kind_of(way)];
    const char *backend = map ? map_get(map->map, key) : NULL;
    const struct service *service = backend ? edge_find_service(edge, backend) : NULL;
    return service ? service->name : NULL;
}

struct server_name_owner engine_find_name_owner(const struct engine *engine, const struct tcp_route *route,
                                                const struct tcp_key *key)
{
    return key->way == TCP_BY_NAME ? server_names_find_other(engine->server_names, key->key, route->app)
                                   : (struct server_name_owner){NULL, NULL};
}

/* On a port where TLS ends here and passes through by sni.map, the map is looked up first. */
static bool edge_bars(void *arg, const struct tcp_route *route, const struct tcp_key *key)
{
    const struct edge *edge = arg;
    return engine_find_name_owner(edge->engine, route, key).app != NULL;
}

const struct tcp_route *edge_tcp_find(const struct edge *edge, enum tcp_way way, const char *key)
{
    const struct tcp_judge judge = {edge_service_counts, edge_find_holder, edge_bars, (void *)(uintptr_t)edge};
    return tcp_routes_find(edge->engine->tcp_routes, way, key, &judge);
}

/* ---- who can be led to ---- */

static bool edge_looks_up(const struct edge *edge, enum tcp_way way)
{
    const struct edge_map *map = edge->maps[map_kind_of(way)];
    return map && !map->missing;
}

bool engine_listens_on(const struct engine *engine, uint16_t port)
{
    const char *bind = engine->config->edge.tcp_bind;
    return !bind[0] || config_bind_has_port(bind, port);
}

bool edge_tcp_can_lead_to(const struct edge *edge, const struct service *service)
{
    bool by_port = service->tcp.port != 0 && engine_listens_on(edge->engine, service->tcp.port);
    return strcmp(service->mode, "tcp") != 0 || (by_port && edge_looks_up(edge, TCP_BY_PORT)) ||
           (service->tcp.n_names > 0 && edge_looks_up(edge, TCP_BY_NAME));
}

/* ---- what leads where ---- */

static void edge_tcp_touch(struct edge *edge, enum tcp_way way, const char *key)
{
    struct edge_map *map = edge->maps[map_kind_of(way)];
    if (!map || !edge->routes_known) {
        return;
    }
    const struct tcp_route *route = edge_tcp_find(edge, way, key);
    struct routed *old = table_remove(&edge->tcp_routed[way], key);
    if (route) {
        struct routed *routed = MEM_NEW(struct routed);
        *routed = (struct routed){mem_strdup(key), mem_strdup(route->service)};
        table_put(&edge->tcp_routed[way], routed->key, routed);
    }
    if (old && !route) {
        /* It was ours, and goes at once, before the servers do. */
        edge_map_drop(map, key);
    } else {
        edge_map_refresh(map, key);
    }
    routed_free(old);
}

void edge_tcp_touch_service(struct edge *edge, const char *service)
{
    const struct tcp_route *route = tcp_routes_get(edge->engine->tcp_routes, service);
    for (size_t i = 0; route && i < route->n_keys; i++) {
        edge_tcp_touch(edge, route->keys[i].way, route->keys[i].key);
    }
}

void edge_tcp_touch_all(struct edge *edge)
{
    size_t count = 0;
    const struct tcp_route **routes = tcp_routes_list(edge->engine->tcp_routes, &count);
    for (size_t i = 0; i < count; i++) {
        edge_tcp_touch_service(edge, routes[i]->service);
    }
    free(routes);
}

const char *edge_tcp_service(const struct edge_map *map, const char *key)
{
    const struct routed *routed =
        table_get(&map->edge->tcp_routed[map->kind == EDGE_MAP_TCP_PORTS ? TCP_BY_PORT : TCP_BY_NAME], key);
    return routed ? routed->service : NULL;
}

/* ---- what services want ---- */

static void engine_touch_key(void *arg, enum tcp_way way, const char *key)
{
    const struct engine *engine = arg;
    for (size_t i = 0; i < engine->n_edges; i++) {
        edge_tcp_touch(engine->edges[i], way, key);
    }
}

const struct service_part *service_find_tcp_part(const struct service *service, enum tcp_way way)
{
    for (size_t i = 0; i < service->n_parts; i++) {
        const struct service_tcp *tcp = &service->parts[i]->tcp;
        if (way == TCP_BY_PORT ? tcp->port != 0 : tcp->n_names > 0) {
            return service->parts[i];
        }
    }
    return service->parts[0];
}

void engine_set_tcp_route(struct engine *engine, const struct service *service)
{
    bool routed = !service->gone && strcmp(service->mode, "tcp") == 0;
    tcp_routes_set(engine->tcp_routes, service->name, service->frontend,
                   routed ? service_find_tcp_part(service, TCP_BY_NAME)->app : "", routed ? &service->tcp : NULL,
                   engine_touch_key, engine);
}

static void engine_touch_name(void *arg, const char *name)
{
    engine_touch_key(arg, TCP_BY_NAME, name);
}

/* The rule is that of the first part. */
void engine_set_server_names(struct engine *engine, const struct service *service)
{
    size_t count = 0;
    const char *const *hosts = routes_named_hosts(engine->routes, service->name, &count);
    bool is_https = !service->gone && (service->access->points & (1U << ACCESS_HTTPS)) != 0;
    server_names_set(engine->server_names, service->name, is_https ? service->parts[0]->app : "", hosts,
                     is_https ? count : 0, engine_touch_name, engine);
}

/* ---- life ---- */

void edge_tcp_open(struct edge *edge)
{
    for (size_t way = 0; way < TCP_WAYS; way++) {
        table_init(&edge->tcp_routed[way], edge->engine->seed);
    }
}

void edge_tcp_free(struct edge *edge)
{
    struct table_entry *entry;
    for (size_t way = 0; way < TCP_WAYS; way++) {
        for (size_t position = 0; (entry = table_next(&edge->tcp_routed[way], &position));) {
            routed_free(entry->value);
        }
        table_free(&edge->tcp_routed[way]);
    }
}
