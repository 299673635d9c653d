/* SPDX-License-Identifier: MIT */
/* Which backends' rows the server-state file does not have yet, and what is in them. */
#include <string.h>

#include "engine_private.h"

static void backend_mark_unsaved(struct edge_backend *backend)
{
    if (!backend->unsaved) {
        backend->unsaved = true;
        backend->next_unsaved = backend->edge->first_unsaved;
        backend->edge->first_unsaved = backend;
    }
}

/* One that was made at run time is nothing that the file could bring back, and has no section of it. */
void edge_touch_state(struct edge_backend *backend)
{
    const struct dynamic dynamic = dynamics_get(backend->edge->dynamic.dynamics, backend->name);
    if (backend->edge->state_file && !dynamic_is_ours(&dynamic)) {
        backend_mark_unsaved(backend);
        kept_file_touch(backend->edge->state_file);
    }
}

void edge_touch_all_states(struct edge *edge)
{
    size_t position = 0;
    size_t section = 0;
    struct table_entry *entry;
    /* Backends that have vanished may be in the old list. */
    edge->first_unsaved = NULL;
    edge->unsaved_all = true;
    if (edge->state_file) {
        kept_file_touch(edge->state_file);
    }
    while ((entry = table_next(&edge->backends, &position))) {
        struct edge_backend *backend = entry->value;
        backend->section = section++;
        backend->unsaved = false;
        edge_touch_state(backend);
    }
}

static const struct haproxy_server *backend_find_row(const struct edge_backend *backend, size_t slot,
                                                     const char *server)
{
    if (slot < backend->n_rows && strcmp(backend->rows[slot]->name, server) == 0) {
        return backend->rows[slot];
    }
    for (size_t i = 0; i < backend->n_rows; i++) {
        if (strcmp(backend->rows[i]->name, server) == 0) {
            return backend->rows[i];
        }
    }
    return NULL;
}

static void backend_render_rows(const struct edge_backend *backend, struct buf *rows)
{
    for (size_t i = 0; i < slots_count(backend->slots); i++) {
        struct slot_view view = slots_view(backend->slots, i);
        /* A HAProxy that starts has no server that was added: its row would only be complained about. */
        const struct haproxy_server *row =
            view.observed->added ? NULL : backend_find_row(backend, i, view.observed->server);
        if (row) {
            haproxy_state_write_row(backend->edge->state, row, view.observed, rows);
        }
    }
}

void edge_collect_state(void *arg, struct kept_file *file)
{
    struct edge *edge = arg;
    struct edge_backend *backend;
    if (edge->unsaved_all) {
        struct buf header = BUF_INIT;
        haproxy_state_write_header(edge->state, &header);
        kept_file_reset(file, &header);
        edge->unsaved_all = false;
    }
    while ((backend = edge->first_unsaved)) {
        struct buf rows = BUF_INIT;
        edge->first_unsaved = backend->next_unsaved;
        backend->unsaved = false;
        backend_render_rows(backend, &rows);
        kept_file_put(file, backend->section, &rows);
    }
}
