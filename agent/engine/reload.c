/* SPDX-License-Identifier: MIT */
/* Another configuration, at the start and later: what is configured as before keeps its connections. */
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"

static bool lists_equal(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool marathon_equal(const struct config_marathon *a, const struct config_marathon *b)
{
    return lists_equal(&a->endpoints, &b->endpoints) && strcmp(a->user, b->user) == 0 &&
           strcmp(a->password_file, b->password_file) == 0 && strcmp(a->dcos_token_file, b->dcos_token_file) == 0 &&
           strcmp(a->ca_file, b->ca_file) == 0 && strcmp(a->cert_file, b->cert_file) == 0 &&
           strcmp(a->key_file, b->key_file) == 0 && a->insecure_skip_verify == b->insecure_skip_verify &&
           a->connect_timeout == b->connect_timeout && a->response_timeout == b->response_timeout &&
           a->keepalive == b->keepalive;
}

static bool haproxy_equal(const struct config_haproxy *a, const struct config_haproxy *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->socket, b->socket) == 0 &&
           strcmp(a->state_file, b->state_file) == 0 && strcmp(a->maps_dir, b->maps_dir) == 0;
}

/* The edge of the HAProxy that old also names, taken out of the old ones; NULL: there is none. */
static struct edge *engine_take_edge(struct edge **old, size_t n_old, const struct config_haproxy *config)
{
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] && haproxy_equal(old[i]->config, config)) {
            struct edge *edge = old[i];
            edge->config = config;
            old[i] = NULL;
            return edge;
        }
    }
    return NULL;
}

/* The others are closed first: a socket may stand under another name now. */
bool engine_remake_edges(struct engine *engine, const struct config *config)
{
    struct edge **old = engine->edges;
    size_t n_old = engine->n_edges;
    bool same = n_old == config->n_haproxy;
    engine->n_edges = config->n_haproxy;
    engine->edges = mem_alloc_array(engine->n_edges, sizeof(struct edge *));
    for (size_t i = 0; i < engine->n_edges; i++) {
        engine->edges[i] = engine_take_edge(old, n_old, &config->haproxy[i]);
    }
    for (size_t i = 0; i < n_old; i++) {
        if (old[i]) {
            edge_close(old[i]);
        }
    }
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (!engine->edges[i]) {
            engine->edges[i] = edge_new(engine, &config->haproxy[i]);
            same = false;
        }
    }
    free(old);
    return same;
}

/* Whether what is under way in the slots goes on as it was: drains have another end, or less may drain for its health.
 */
static bool limits_equal(const struct config_slots *a, const struct config_slots *b)
{
    return a->max_removal_percent == b->max_removal_percent && a->drain_timeout == b->drain_timeout;
}

/* Whether the same backends are given to the same services. */
static bool pools_equal(const struct config_slots *a, const struct config_slots *b)
{
    bool equal = a->n_pools == b->n_pools;
    for (size_t i = 0; equal && i < a->n_pools; i++) {
        equal =
            strcmp(a->pools[i].class, b->pools[i].class) == 0 && strcmp(a->pools[i].prefix, b->pools[i].prefix) == 0;
    }
    return equal;
}

int engine_reload(struct engine *engine, const struct config *config, struct buf *why)
{
    struct mapper *mapper = NULL;
    int err = mapper_new(&config->mapping, &mapper, why);
    if (err) {
        return err;
    }
    bool same_marathon = marathon_equal(&engine->config->marathon, &config->marathon);
    bool same_limits = limits_equal(&engine->config->slots, &config->slots);
    bool same_pools = pools_equal(&engine->config->slots, &config->slots) &&
                      strcmp(engine->config->edge.tcp_bind, config->edge.tcp_bind) == 0;
    bool starts_health = config->mapping.drain_unhealthy && !engine->config->mapping.drain_unhealthy;
    struct cluster_config bounds;
    if (same_marathon) {
        client_borrow_config(engine->feed.client, &config->marathon);
    } else {
        feed_stop_client(engine);
    }
    engine->confirm = false; /* it was said of the start */
    bool same_haproxy = engine_remake_edges(engine, config);
    engine->config = config;
    mapper_free(engine->mapper);
    engine->mapper = mapper;
    feed_configure_cluster(engine, &bounds);
    cluster_configure(engine->feed.cluster, &bounds);
    cluster_mark_all_dirty(engine->feed.cluster);
    for (size_t i = 0; i < engine->n_edges && !same_limits; i++) {
        edge_refresh_all(engine->edges[i]);
    }
    for (size_t i = 0; i < engine->n_edges && !same_pools; i++) {
        edge_leases_configure(engine->edges[i]);
        edge_servers_configure(engine->edges[i]);
    }
    log_notice("config", "in use now%s%s", same_marathon ? "" : ", other Marathon settings",
               same_haproxy ? "" : ", other HAProxies");
    if (!same_marathon) {
        feed_start(engine);
    } else if (starts_health) {
        feed_fetch_all(engine); /* nothing was kept of the results so far */
    }
    return 0;
}
