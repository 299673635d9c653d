/* SPDX-License-Identifier: MIT */
/* Read-only questions about an edge. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

bool edge_is_settled(const struct edge *edge)
{
    /* Whatever changes a backend makes it dirty, each reply too: with nothing dirty and nothing on its way, the last
     * plan of each was empty. */
    return edge->adopted && !edge->first_dirty && edge->in_flight == 0 && edge_maps_are_settled(edge);
}

struct slots_counts edge_count(const struct edge *edge)
{
    struct slots_counts sum = {0};
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        struct slots_counts counts = slots_count_states(((const struct edge_backend *)entry->value)->slots);
        sum.slots += counts.slots;
        sum.free += counts.free;
        sum.assigning += counts.assigning;
        sum.starting += counts.starting;
        sum.ready += counts.ready;
        sum.down += counts.down;
        sum.leaving += counts.leaving;
        sum.draining += counts.draining;
        sum.held += counts.held;
        sum.orphans += counts.orphans;
        sum.unknown += counts.unknown;
        sum.waiting += counts.waiting;
        sum.added += counts.added;
        sum.unresolved += counts.unresolved;
    }
    return sum;
}

struct edge_backend *edge_find_backend(const struct edge *edge, const char *name)
{
    return table_get(&edge->backends, name);
}

static int compare_backends(const void *a, const void *b)
{
    return strcmp((*(struct edge_backend *const *)a)->name, (*(struct edge_backend *const *)b)->name);
}

struct edge_backend **edge_list_backends(const struct edge *edge, size_t *ret_count)
{
    struct edge_backend **list = mem_alloc_array(edge->backends.count, sizeof(*list));
    size_t count = 0;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        list[count++] = entry->value;
    }
    qsort(list, count, sizeof(*list), compare_backends);
    *ret_count = count;
    return list;
}

const struct edge_backend *engine_find_backend_of(const struct engine *engine, const struct service *service)
{
    const struct edge_backend *backend = NULL;
    for (size_t i = 0; i < engine->n_edges && !backend; i++) {
        backend = edge_find_backend_of(engine->edges[i], service);
    }
    return backend;
}

const struct edge_backend *engine_find_backend(const struct engine *engine, const char *name)
{
    const struct edge_backend *backend = NULL;
    for (size_t i = 0; i < engine->n_edges && !backend; i++) {
        backend = edge_find_backend(engine->edges[i], name);
    }
    return backend;
}

struct slots_options backend_options(const struct edge_backend *backend)
{
    const struct edge *edge = backend->edge;
    const struct config_slots *config = &edge->engine->config->slots;
    return (struct slots_options){
        .read_back = edge->capabilities.late_address,
        .init_state = edge->capabilities.init_state,
        .checked_start = config->checked_start,
        .now_ms = (int64_t)uv_now(edge->engine->loop),
        .drain_timeout_ms = config->drain_timeout,
        .server_options = edge->capabilities.add_server ? backend->server_options : NULL,
        .deletes_servers = edge->capabilities.add_server,
        .tells_requests = edge->capabilities.sess_server,
        .surplus_ms = edge_dynamic_is_ending(edge, backend->name) ? 0 : config->release_delay,
    };
}
