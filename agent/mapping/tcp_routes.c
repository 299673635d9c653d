/* SPDX-License-Identifier: MIT */
/* Services of mode tcp by the ports and server names that they want. */
#include "slotd/tcp_routes.h"

#include <string.h>

#include "slotd/mem.h"
#include "slotd/table.h"

/* The services that want one key. */
struct wanted {
    char *key;
    const struct tcp_route **routes;
    size_t count, capacity;
};

struct tcp_routes {
    struct table services;       /* to struct tcp_route */
    struct table keys[TCP_WAYS]; /* to struct wanted */
};

struct tcp_routes *tcp_routes_new(uint64_t seed)
{
    struct tcp_routes *routes = MEM_NEW(struct tcp_routes);
    table_init(&routes->services, seed);
    for (size_t way = 0; way < TCP_WAYS; way++) {
        table_init(&routes->keys[way], seed);
    }
    return routes;
}

static void route_free(struct tcp_route *route)
{
    for (size_t i = 0; route && i < route->n_keys; i++) {
        free(route->keys[i].key);
    }
    if (route) {
        free(route->keys);
        free(route->service);
        free(route->frontend);
        free(route->app);
        free(route);
    }
}

static void wanted_free(struct wanted *wanted)
{
    free(wanted->routes);
    free(wanted->key);
    free(wanted);
}

void tcp_routes_free(struct tcp_routes *routes)
{
    struct table_entry *slot;
    if (!routes) {
        return;
    }
    for (size_t position = 0; (slot = table_next(&routes->services, &position));) {
        route_free(slot->value);
    }
    for (size_t way = 0; way < TCP_WAYS; way++) {
        for (size_t position = 0; (slot = table_next(&routes->keys[way], &position));) {
            wanted_free(slot->value);
        }
        table_free(&routes->keys[way]);
    }
    table_free(&routes->services);
    free(routes);
}

/* ---- changes ---- */

static struct tcp_route *route_new(const char *service, const char *frontend, const char *app,
                                   const struct service_tcp *tcp)
{
    struct tcp_route *route = MEM_NEW(struct tcp_route);
    route->service = mem_strdup(service);
    route->frontend = mem_strdup(frontend);
    route->app = mem_strdup(app);
    route->keys = mem_alloc_array(tcp->n_names + 1, sizeof(*route->keys));
    if (tcp->port) {
        route->keys[route->n_keys++] = (struct tcp_key){TCP_BY_PORT, mem_printf("%u", (unsigned)tcp->port)};
    }
    for (size_t i = 0; i < tcp->n_names; i++) {
        route->keys[route->n_keys++] = (struct tcp_key){TCP_BY_NAME, mem_strdup(tcp->names[i])};
    }
    return route;
}

static bool route_has(const struct tcp_route *route, const struct tcp_key *key)
{
    for (size_t i = 0; route && i < route->n_keys; i++) {
        if (route->keys[i].way == key->way && strcmp(route->keys[i].key, key->key) == 0) {
            return true;
        }
    }
    return false;
}

static bool route_equal(const struct tcp_route *a, const struct tcp_route *b)
{
    bool equal = a->n_keys == b->n_keys && strcmp(a->frontend, b->frontend) == 0 && strcmp(a->app, b->app) == 0;
    for (size_t i = 0; equal && i < a->n_keys; i++) {
        equal = a->keys[i].way == b->keys[i].way && strcmp(a->keys[i].key, b->keys[i].key) == 0;
    }
    return equal;
}

static void key_add(struct tcp_routes *routes, const struct tcp_key *key, const struct tcp_route *route)
{
    struct wanted *wanted = table_get(&routes->keys[key->way], key->key);
    if (!wanted) {
        wanted = MEM_NEW(struct wanted);
        wanted->key = mem_strdup(key->key);
        table_put(&routes->keys[key->way], wanted->key, wanted);
    }
    MEM_GROW(wanted->routes, wanted->capacity, wanted->count + 1);
    wanted->routes[wanted->count++] = route;
}

static void key_remove(struct tcp_routes *routes, const struct tcp_key *key, const struct tcp_route *route)
{
    struct wanted *wanted = table_get(&routes->keys[key->way], key->key);
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->routes[i] == route) {
            wanted->routes[i] = wanted->routes[--wanted->count];
            break;
        }
    }
    if (wanted->count == 0) {
        table_remove(&routes->keys[key->way], key->key);
        wanted_free(wanted);
    }
}

static void tell(const struct tcp_route *route, const struct tcp_route *but, tcp_routes_touched *touched, void *arg)
{
    for (size_t i = 0; route && i < route->n_keys; i++) {
        if (!route_has(but, &route->keys[i])) {
            touched(arg, route->keys[i].way, route->keys[i].key);
        }
    }
}

void tcp_routes_set(struct tcp_routes *routes, const char *service, const char *frontend, const char *app,
                    const struct service_tcp *tcp, tcp_routes_touched *touched, void *arg)
{
    struct tcp_route *old = table_get(&routes->services, service);
    struct tcp_route *route = tcp ? route_new(service, frontend, app, tcp) : NULL;
    if (old && route && route_equal(old, route)) {
        route_free(route);
        return;
    }
    for (size_t i = 0; old && i < old->n_keys; i++) {
        key_remove(routes, &old->keys[i], old);
    }
    if (route) {
        table_put(&routes->services, route->service, route);
    } else if (old) {
        table_remove(&routes->services, service);
    }
    for (size_t i = 0; route && i < route->n_keys; i++) {
        key_add(routes, &route->keys[i], route);
    }
    tell(route, NULL, touched, arg);
    tell(old, route, touched, arg);
    route_free(old);
}

/* ---- reading ---- */

const struct tcp_route *tcp_routes_get(const struct tcp_routes *routes, const char *service)
{
    return table_get(&routes->services, service);
}

static int compare_routes(const void *a, const void *b)
{
    return strcmp((*(const struct tcp_route *const *)a)->service, (*(const struct tcp_route *const *)b)->service);
}

const struct tcp_route **tcp_routes_list(const struct tcp_routes *routes, size_t *ret_count)
{
    const struct tcp_route **list = mem_alloc_array(routes->services.count, sizeof(*list));
    struct table_entry *slot;
    size_t count = 0;
    for (size_t position = 0; (slot = table_next(&routes->services, &position));) {
        list[count++] = slot->value;
    }
    if (count > 1) {
        qsort(list, count, sizeof(*list), compare_routes);
    }
    *ret_count = count;
    return list;
}

static bool route_precedes(const struct tcp_route *a, const struct tcp_route *b)
{
    int order = strcmp(a->frontend, b->frontend);
    return order != 0 ? order < 0 : strcmp(a->service, b->service) < 0;
}

static bool judge_lets(const struct tcp_judge *judge, const struct tcp_route *route, enum tcp_way way, char *key)
{
    const struct tcp_key wanted = {way, key};
    return (!judge->counts || judge->counts(judge->arg, route->service)) &&
           !(judge->barred && judge->barred(judge->arg, route, &wanted));
}

const struct tcp_route *tcp_routes_find(const struct tcp_routes *routes, enum tcp_way way, const char *key,
                                        const struct tcp_judge *judge)
{
    const struct wanted *wanted = table_get(&routes->keys[way], key);
    const struct tcp_route *first = NULL;
    const char *holder = wanted && wanted->count > 1 && judge->holder ? judge->holder(judge->arg, way, key) : NULL;
    for (size_t i = 0; wanted && i < wanted->count; i++) {
        const struct tcp_route *route = wanted->routes[i];
        if (!judge_lets(judge, route, way, wanted->key)) {
            continue;
        }
        if (holder && strcmp(holder, route->service) == 0) {
            return route;
        }
        first = first && route_precedes(first, route) ? first : route;
    }
    return first;
}
