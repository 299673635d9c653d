/* SPDX-License-Identifier: MIT */
/* Changes of slots as they are recorded: from the first command of a slot to its last reply. */
#include <stdio.h>
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

void backend_drop_changes(struct edge_backend *backend)
{
    for (size_t i = 0; i < backend->n_open; i++) {
        change_free(backend->open[i]);
    }
    free(backend->open);
    backend->open = NULL;
    backend->n_open = 0;
}

void backend_expect_changes(struct edge_backend *backend)
{
    backend->n_open = slots_count(backend->slots);
    backend->open = mem_alloc_array(backend->n_open, sizeof(*backend->open));
}

/* Slots have come since. */
static void backend_expect_more_changes(struct edge_backend *backend)
{
    size_t capacity = backend->n_open;
    size_t count = slots_count(backend->slots);
    MEM_GROW(backend->open, capacity, count);
    while (backend->n_open < count) {
        backend->open[backend->n_open++] = NULL;
    }
}

void backend_open_change(struct edge_backend *backend, const struct slot_command *command)
{
    if (slot_command_is_growth(command->kind)) {
        return; /* no change of what a slot does */
    }
    if (command->slot >= backend->n_open) {
        backend_expect_more_changes(backend);
    }
    struct change **open = &backend->open[command->slot];
    if (!*open) {
        *open = MEM_NEW(struct change);
        (*open)->received_ns = backend->received_ns ? backend->received_ns : uv_hrtime();
        (*open)->time_ms = backend->received_ns ? backend->received_ms : engine_now_ms();
        (*open)->haproxy = mem_strdup(backend->edge->config->name);
        (*open)->backend = mem_strdup(backend->name);
        (*open)->server = mem_strdup(command->server);
        (*open)->endpoint = mem_strdup(slots_view(backend->slots, command->slot).endpoint);
    }
    struct change *change = *open;
    if (command->kind == SLOT_COMMAND_READY || command->kind == SLOT_COMMAND_MAINT) {
        change->action = command->kind == SLOT_COMMAND_READY ? "ready" : "remove";
    } else if (command->kind == SLOT_COMMAND_DRAIN) {
        change->action = "drain";
    } else if (command->kind == SLOT_COMMAND_HEALTH_UP) {
        change->action = "up";
    } else if (!change->action) {
        change->action = "weight";
    }
}

/* Whether nothing more will be sent for the slot's present target. */
static bool slot_is_at_rest(const struct slot_view *view)
{
    return !view->busy && view->state != SLOT_ASSIGNING && view->state != SLOT_LEAVING && view->state != SLOT_UNKNOWN;
}

void backend_close_change(struct edge_backend *backend, size_t slot, bool ok)
{
    struct change *change = slot < backend->n_open ? backend->open[slot] : NULL;
    if (!change) {
        return;
    }
    struct slot_view view = slots_view(backend->slots, slot);
    const char *endpoint = change->endpoint ? change->endpoint : "";
    bool passed_on = view.endpoint && strcmp(view.endpoint, endpoint) != 0;
    if (ok && !passed_on && !slot_is_at_rest(&view)) {
        return;
    }
    backend->open[slot] = NULL;
    change->acknowledged_ns = uv_hrtime();
    histogram_add(&backend->edge->latency, change->acknowledged_ns - change->received_ns);
    change->action = ok ? change->action : "failed";
    snprintf(change->address, sizeof(change->address), "%s", view.observed->address);
    change->port = view.observed->port;
    change->weight = view.observed->weight;
    engine_record(backend->edge->engine, change);
}
