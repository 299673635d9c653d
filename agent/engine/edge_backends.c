/* SPDX-License-Identifier: MIT */
/* The backends of one HAProxy: they come with an adoption, or when they are made, and go. */
#include "engine_private.h"
#include "slotd/mem.h"

struct edge_backend *edge_ensure_backend(struct edge *edge, const char *name)
{
    struct edge_backend *backend = table_get(&edge->backends, name);
    if (!backend) {
        backend = MEM_NEW(struct edge_backend);
        backend->edge = edge;
        backend->slots = slots_new(name);
        backend->name = slots_backend(backend->slots);
        table_put(&edge->backends, backend->name, backend);
    }
    return backend;
}

void edge_backend_free(struct edge_backend *backend)
{
    backend_drop_changes(backend);
    slots_free(backend->slots);
    free(backend->rows);
    free(backend->server_options);
    free(backend->server_refusal);
    free(backend);
}

static void edge_unlist(struct edge *edge, struct edge_backend *backend)
{
    struct edge_backend **link = &edge->first_dirty;
    while (*link && *link != backend) {
        link = &(*link)->next_dirty;
    }
    if (*link) {
        *link = backend->next_dirty;
        edge->last_dirty = *link ? edge->last_dirty : link;
    }
    for (link = &edge->first_unsaved; *link && *link != backend;) {
        link = &(*link)->next_unsaved;
    }
    if (*link) {
        *link = backend->next_unsaved;
    }
}

struct edge_backend *edge_detach_backend(struct edge *edge, const char *name)
{
    struct edge_backend *backend = table_remove(&edge->backends, name);
    if (backend) {
        edge_unlist(edge, backend);
    }
    return backend;
}
