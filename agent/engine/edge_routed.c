/* SPDX-License-Identifier: MIT */
/* Where the keys of one HAProxy's routes.map and paths.map lead. Once in a turn of the loop the keys whose claims have
 * changed are judged, with those that begin so; what else is on their hosts is not looked at. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

/* ---- one key ---- */

static struct table *edge_routed(struct edge *edge, enum edge_map_kind kind)
{
    return &edge->routed[kind == EDGE_MAP_PATHS];
}

static void routed_key_unlink(struct routed_key *key, size_t point)
{
    struct routed_way *way = &key->ways[point];
    if (way->link) {
        *way->link = way->next;
        if (way->next) {
            way->next->ways[point].link = way->link;
        }
    }
    *way = (struct routed_way){0};
}

static struct routed_service *edge_ensure_led(struct edge *edge, const char *name)
{
    struct routed_service *service = table_get(&edge->led, name);
    if (!service) {
        service = MEM_NEW(struct routed_service);
        service->name = mem_strdup(name);
        table_put(&edge->led, service->name, service);
    }
    return service;
}

static void routed_key_leave(struct edge *edge, struct routed_key *key, size_t point)
{
    struct routed_service *service = key->ways[point].service;
    routed_key_unlink(key, point);
    bool is_led_to = false;
    for (size_t p = 0; service && p < ACCESS_POINTS; p++) {
        is_led_to = is_led_to || service->first[p];
    }
    if (service && !is_led_to) {
        table_remove(&edge->led, service->name);
        free(service->name);
        free(service);
    }
}

static void routed_key_lead_to(struct edge *edge, struct routed_key *key, size_t point, const char *name)
{
    struct routed_way *way = &key->ways[point];
    if (way->service && name && strcmp(way->service->name, name) == 0) {
        return;
    }
    routed_key_leave(edge, key, point);
    if (name) {
        way->service = edge_ensure_led(edge, name);
        way->next = way->service->first[point];
        way->link = &way->service->first[point];
        *way->link = key;
        if (way->next) {
            way->next->ways[point].link = &way->next;
        }
    }
}

static void routed_key_free(struct edge *edge, struct routed_key *key)
{
    for (size_t p = 0; p < ACCESS_POINTS; p++) {
        routed_key_leave(edge, key, p);
    }
    free(key->key);
    free(key);
}

const struct routed_key *edge_routed_key(struct edge *edge, enum edge_map_kind kind, const char *key)
{
    return table_get(edge_routed(edge, kind), key);
}

const char *routed_key_service(const struct routed_key *key, enum access_point point)
{
    return key && key->ways[point].service ? key->ways[point].service->name : NULL;
}

/* ---- judging ---- */

static enum edge_map_kind claim_kind(const struct route_claim *claim)
{
    return claim->exact ? EDGE_MAP_PATHS : EDGE_MAP_ROUTES;
}

/* Two rules may have one key between them, each at an entry point: both say the same. */
static void edge_take_claim(struct edge *edge, const struct route_claim *claim)
{
    struct table *routed = edge_routed(edge, claim_kind(claim));
    struct routed_key *key = table_get(routed, claim->key);
    if (!route_claim_holds(claim) || (key && key->judgement == edge->judgement)) {
        return;
    }
    if (!key) {
        key = MEM_NEW(struct routed_key);
        key->kind = claim_kind(claim);
        key->key = mem_strdup(claim->key);
        table_put(routed, key->key, key);
    }
    key->judgement = edge->judgement;
    for (size_t p = 0; p < ACCESS_POINTS; p++) {
        key->decided[p] = key->ways[p].service || key->decided[p];
        routed_key_lead_to(edge, key, p, claim->leads_to[p] ? claim->leads_to[p]->service : NULL);
    }
}

/* What was routed and is not any more goes at once, before the servers do: there is no doubt about it. */
static void edge_drop_unjudged(struct edge *edge, enum edge_map_kind kind, const char *name)
{
    struct routed_key *key = table_get(edge_routed(edge, kind), name);
    if (key && key->judgement != edge->judgement) {
        table_remove(edge_routed(edge, kind), name);
        edge_map_drop(edge->maps[kind], name);
        routed_key_free(edge, key);
    }
}

/* keys: the outermost one, and touched ones that begin so. */
static void edge_judge_keys(struct edge *edge, char *const *keys, size_t n_keys)
{
    size_t count = 0;
    size_t host_len = strcspn(keys[0], "/");
    cleanup_free char *host = mem_strndup(keys[0], host_len);
    struct route_claim *claims = edge_find_claims(edge, host, keys[0] + host_len, &count);
    edge->judgement++;
    for (size_t i = 0; i < count; i++) {
        edge_take_claim(edge, &claims[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (route_claim_holds(&claims[i])) {
            edge_map_refresh(edge->maps[claim_kind(&claims[i])], claims[i].key);
        }
    }
    for (size_t i = 0; i < count; i++) {
        edge_drop_unjudged(edge, claim_kind(&claims[i]), claims[i].key);
    }
    for (size_t i = 0; i < n_keys; i++) {
        edge_drop_unjudged(edge, EDGE_MAP_ROUTES, keys[i]);
        edge_drop_unjudged(edge, EDGE_MAP_PATHS, keys[i]);
    }
    routes_free_claims(claims, count);
}

void edge_route_touch(void *arg, const char *key)
{
    struct edge *edge = arg;
    if (edge->maps[EDGE_MAP_ROUTES] && edge->routes_known && !table_get(&edge->touched_keys, key)) {
        char *copy = mem_strdup(key);
        table_put(&edge->touched_keys, copy, copy);
    }
}

void edge_route_touch_service(struct edge *edge, const char *service)
{
    routes_tell_keys(edge->engine->routes, service, edge_route_touch, edge);
}

/* By host: all claims on it. What is routed and claimed by nobody who counts any more is looked at, too. */
void edge_route_touch_all(struct edge *edge)
{
    const char *host;
    const struct table_entry *key;
    for (size_t position = 0; (host = routes_next_host(edge->engine->routes, &position));) {
        cleanup_free char *all = mem_printf("%s/", host);
        edge_route_touch(edge, all);
    }
    for (size_t i = 0; i < 2; i++) {
        for (size_t position = 0; (key = table_next(&edge->routed[i], &position));) {
            edge_route_touch(edge, key->key);
        }
    }
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void edge_routes_judge(struct edge *edge)
{
    size_t count = 0;
    struct table_entry *entry;
    if (edge->touched_keys.count == 0) {
        return;
    }
    cleanup_free char **keys = mem_alloc_array(edge->touched_keys.count, sizeof(*keys));
    for (size_t position = 0; (entry = table_next(&edge->touched_keys, &position));) {
        keys[count++] = entry->value;
    }
    table_free(&edge->touched_keys);
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && strncmp(keys[end], keys[i], strlen(keys[i])) == 0) {
            end++;
        }
        edge_judge_keys(edge, &keys[i], end - i);
        i = end;
    }
    for (size_t i = 0; i < count; i++) {
        free(keys[i]);
    }
}

void edge_route_refresh_service(struct edge *edge, const char *name)
{
    const struct routed_service *service = table_get(&edge->led, name);
    for (size_t p = 0; service && p < ACCESS_POINTS; p++) {
        for (const struct routed_key *key = service->first[p]; key; key = key->ways[p].next) {
            edge_map_refresh(edge->maps[key->kind], key->key);
        }
    }
}

/* ---- life ---- */

void edge_routed_open(struct edge *edge)
{
    table_init(&edge->routed[0], edge->engine->seed);
    table_init(&edge->routed[1], edge->engine->seed);
    table_init(&edge->led, edge->engine->seed);
    table_init(&edge->touched_keys, edge->engine->seed);
}

void edge_routed_free(struct edge *edge)
{
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&edge->touched_keys, &position));) {
        free(entry->value);
    }
    table_free(&edge->touched_keys);
    for (size_t i = 0; i < 2; i++) {
        for (size_t position = 0; (entry = table_next(&edge->routed[i], &position));) {
            routed_key_free(edge, entry->value);
        }
        table_free(&edge->routed[i]);
    }
    table_free(&edge->led);
}
