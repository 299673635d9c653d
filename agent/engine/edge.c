/* SPDX-License-Identifier: MIT */
/* One HAProxy in our care: adopts what it shows, sends plans, matches replies, keeps its server-state file in step. */
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* A line that was sent and what it was for. */
struct sent {
    struct edge_backend *backend;
    struct slot_command command;
    unsigned epoch;
};

static void edge_set_error(struct edge *edge, const char *error)
{
    free(edge->error);
    edge->error = mem_strdup(error);
}

void edge_mark_dirty(struct edge_backend *backend)
{
    struct edge *edge = backend->edge;
    if (!backend->received_ns) {
        backend->received_ns = edge->engine->turn_received_ns;
        backend->received_ms = edge->engine->turn_received_ms;
    }
    if (backend->dirty) {
        return;
    }
    backend->dirty = true;
    backend->next_dirty = NULL;
    *edge->last_dirty = backend;
    edge->last_dirty = &backend->next_dirty;
}

/* ---- replies ---- */

struct slot_observed *backend_find_rows(const struct edge_backend *backend, const struct haproxy_state *state,
                                        size_t *ret_count)
{
    struct slot_observed *rows = mem_alloc_array(state->count, sizeof(*rows));
    size_t count = 0;
    for (size_t i = 0; i < state->count; i++) {
        const struct haproxy_server *server = &state->servers[i];
        if (server->is_slot && strcmp(server->backend, backend->name) == 0) {
            rows[count++] = server->observed;
        }
    }
    *ret_count = count;
    return rows;
}

static void edge_read_done(struct edge_backend *backend, const struct slot_command *command, const char *reply,
                           size_t len)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = haproxy_state_parse(reply, len, &state, &why);
    if (err) {
        log_warning("haproxy", "%s: backend %s cannot be read: %s", backend->edge->config->name, backend->name,
                    why.len ? buf_text(&why) : error_text(err));
        slots_acknowledge(backend->slots, command, false);
        haproxy_connection_restart(backend->edge->connection, "a backend's servers cannot be read: all is read anew");
        return;
    }
    size_t count = 0;
    struct slot_observed *rows = backend_find_rows(backend, state, &count);
    backend_compare(backend, rows, count);
    slots_observe(backend->slots, rows, count, false);
    /* An address that is applied late is known from here on, and no command need follow. */
    edge_touch_state(backend);
    free(rows);
    haproxy_state_free(state);
}

static void edge_command_done(struct edge_backend *backend, const struct slot_command *command, const char *reply,
                              size_t len)
{
    struct edge *edge = backend->edge;
    enum haproxy_reply verdict = haproxy_reply_judge(command, reply, len);
    if (verdict == HAPROXY_REPLY_STALE || verdict == HAPROXY_REPLY_DENIED) {
        slots_acknowledge(backend->slots, command, false);
        haproxy_connection_restart(edge->connection, verdict == HAPROXY_REPLY_STALE
                                                         ? "an old process answered after a reload"
                                                         : "permission denied: its socket needs `level admin`");
        return;
    }
    if (slot_command_is_growth(command->kind)) {
        slots_acknowledge(backend->slots, command, backend_take_server_reply(backend, command, verdict, reply, len));
        return;
    }
    bool ok = verdict == HAPROXY_REPLY_DONE || verdict == HAPROXY_REPLY_STATIC;
    if (verdict == HAPROXY_REPLY_STATIC && !slots_weights_are_fixed(backend->slots)) {
        log_warning("haproxy", "%s: backend %s takes no weights, its balance algorithm is static", edge->config->name,
                    backend->name);
        slots_fix_weights(backend->slots);
    }
    if (!ok) {
        edge->refusals++;
        log_warning("haproxy", "%s: %s/%s: %s: %.*s", edge->config->name, backend->name, command->server,
                    verdict == HAPROXY_REPLY_REFUSED ? "refused" : "unexpected reply", (int)(len < 200 ? len : 200),
                    reply);
    }
    slots_acknowledge(backend->slots, command, ok);
    backend_close_change(backend, command->slot, ok);
    edge_touch_state(backend);
}

static void edge_replied(void *arg, int err, const char *reply, size_t len)
{
    struct sent *sent = arg;
    struct edge_backend *backend = sent->backend;
    struct slot_command command = sent->command;
    bool current = sent->epoch == backend->edge->epoch;
    free(sent);
    backend->edge->in_flight--;
    if (!current) {
        return;
    }
    if (err) {
        /* Not refused: the connection is gone, and adoption finds out what became of it. */
        slots_acknowledge(backend->slots, &command, false);
        return;
    }
    if (command.kind == SLOT_COMMAND_READ) {
        edge_read_done(backend, &command, reply, len);
    } else {
        edge_command_done(backend, &command, reply, len);
    }
    edge_mark_dirty(backend);
}

/* ---- plans ---- */

static void edge_send(struct edge_backend *backend, const struct slot_command *command, struct buf *line)
{
    struct edge *edge = backend->edge;
    buf_clear(line);
    int err = haproxy_command_format(backend->name, command, line);
    if (err) {
        log_error("haproxy", "%s: a command for %s/%s was not sent: a part of it is not allowed", edge->config->name,
                  backend->name, command->server ? command->server : "");
        slots_acknowledge(backend->slots, command, false);
        edge_mark_dirty(backend);
        return;
    }
    struct sent *sent = MEM_NEW(struct sent);
    *sent = (struct sent){.backend = backend, .command = *command, .epoch = edge->epoch};
    if (command->kind != SLOT_COMMAND_READ) {
        edge->commands++;
        backend_open_change(backend, command);
    }
    edge->in_flight++;
    log_debug("haproxy", "%s: %s", edge->config->name, buf_text(line));
    haproxy_connection_send(edge->connection, buf_text(line), edge_replied, sent);
}

static struct edge_backend *edge_take_dirty(struct edge *edge)
{
    struct edge_backend *backend = edge->first_dirty;
    if (backend) {
        edge->first_dirty = backend->next_dirty;
        if (!edge->first_dirty) {
            edge->last_dirty = &edge->first_dirty;
        }
        backend->dirty = false;
    }
    return backend;
}

/* Which slots operators drain, whoever is there. */
static void backend_close_slots(struct edge_backend *backend)
{
    const struct orders *orders = backend->edge->engine->orders;
    bool closed = orders_have_slot_drains(orders);
    for (size_t i = 0; (closed || backend->closed) && i < slots_count(backend->slots); i++) {
        const char *server = slots_view(backend->slots, i).observed->server;
        const struct order_endpoint slot = {.backend = backend->name, .server = server};
        slots_set_closed(backend->slots, i, orders_find_drain(orders, &slot) != NULL);
    }
    backend->closed = closed;
}

static void backend_set_desired(struct edge_backend *backend)
{
    struct engine *engine = backend->edge->engine;
    backend_close_slots(backend);
    size_t count = 0;
    const struct service *service = edge_find_service(backend->edge, backend->name);
    struct backend_health health = {0};
    struct slot_endpoint *endpoints = service ? desired_new(engine, service, backend->slots, &count, &health) : NULL;
    health_note(backend, &health);
    slots_set_desired(backend->slots, endpoints, count);
    desired_free(endpoints, count);
}

static bool plan_changes_something(const struct slot_plan *plan)
{
    /* A read stands at the end. */
    return plan->count > 0 && plan->commands[0].kind != SLOT_COMMAND_READ;
}

/* What HAProxy does not tell by itself is asked for as long as something depends on it. */
static void backend_watch(struct edge_backend *backend, const struct slot_plan *plan)
{
    bool awaits = slots_await_sessions(backend->slots) || slots_await_health(backend->slots);
    watches_note_plan(backend->edge->engine->watches, backend->name, awaits, plan_changes_something(plan),
                      plan->again_ms);
}

void edge_run(struct edge *edge)
{
    edge_routes_judge(edge);
    /* Until Marathon has said everything once, weights and "nobody claims this" would be guesses. */
    if (!edge->adopted || !edge->engine->feed.answered || !edge_maps_run(edge)) {
        return;
    }
    edge_dynamic_run(edge);
    if (!edge->first_dirty) {
        return;
    }
    cleanup_buf struct buf line = BUF_INIT;
    struct slot_plan plan = {0};
    struct edge_backend *backend;
    while ((backend = edge_take_dirty(edge))) {
        plan.count = 0;
        if (orders_have_slot_drains(edge->engine->orders)) {
            /* Endpoints may have come to such a slot, or left it, since. */
            backend_set_desired(backend);
        }
        struct slots_options options = backend_options(backend);
        slots_plan(backend->slots, &options, &plan);
        for (size_t i = 0; i < plan.count; i++) {
            edge_send(backend, &plan.commands[i], &line);
        }
        backend_watch(backend, &plan);
        backend->received_ns = 0;
    }
    slot_plan_free(&plan);
    haproxy_connection_flush(edge->connection);
}

void edge_refresh_backend(struct edge *edge, const char *name)
{
    struct edge_backend *backend = table_get(&edge->backends, name);
    edge_maps_refresh(edge, name);
    if (backend && edge->adopted) {
        backend_set_desired(backend);
        edge_mark_dirty(backend);
    }
}

void edge_refresh_all(struct edge *edge)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        edge_refresh_backend(edge, entry->key);
    }
}

void edge_retry_aside(struct edge *edge)
{
    size_t position = 0;
    struct table_entry *entry;
    while (edge->adopted && (entry = table_next(&edge->backends, &position))) {
        struct edge_backend *backend = entry->value;
        if (slots_retry_aside(backend->slots) > 0) {
            edge_mark_dirty(backend);
        }
    }
}

/* ---- adoption ---- */

static void edge_take_backend(struct edge *edge, const struct haproxy_server *servers, size_t count)
{
    size_t n_slots = 0;
    for (size_t i = 0; i < count; i++) {
        n_slots += servers[i].is_slot;
    }
    if (n_slots == 0) {
        return;
    }
    struct edge_backend *backend = edge_ensure_backend(edge, servers[0].backend);
    struct slot_observed *rows = mem_alloc_array(n_slots, sizeof(*rows));
    backend_drop_changes(backend);
    backend->empty = false;
    free(backend->rows);
    backend->rows = mem_alloc_array(n_slots, sizeof(*backend->rows));
    backend->n_rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (servers[i].is_slot) {
            rows[backend->n_rows] = servers[i].observed;
            backend->rows[backend->n_rows++] = &servers[i];
        }
    }
    slots_observe(backend->slots, rows, n_slots, true);
    free(rows);
    backend_expect_changes(backend);
}

/* Forgets the backends that have no slot in the state just read. */
static void edge_drop_vanished(struct edge *edge, const struct haproxy_state *state)
{
    struct table kept;
    table_init(&kept, edge->engine->seed);
    for (size_t i = 0; i < state->count; i++) {
        struct edge_backend *backend =
            state->servers[i].is_slot ? table_get(&edge->backends, state->servers[i].backend) : NULL;
        if (backend) {
            table_put(&kept, backend->name, backend);
        }
    }
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        if (!table_get(&kept, entry->key)) {
            edge_backend_free(entry->value);
        }
    }
    table_free(&edge->backends);
    edge->backends = kept;
}

static void edge_take_state(struct edge *edge, struct haproxy_state *state)
{
    edge->first_dirty = NULL;
    edge->last_dirty = &edge->first_dirty;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        ((struct edge_backend *)entry->value)->dirty = false;
    }
    edge_drop_vanished(edge, state);
    for (size_t i = 0; i < state->count;) {
        size_t end = i + 1;
        while (end < state->count && strcmp(state->servers[end].backend, state->servers[i].backend) == 0) {
            end++;
        }
        edge_take_backend(edge, &state->servers[i], end - i);
        i = end;
    }
    haproxy_state_free(edge->state);
    edge->state = state;
}

static void edge_state_read(void *arg, int err, const char *reply, size_t len)
{
    struct edge *edge = arg;
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (!err) {
        err = haproxy_state_parse(reply, len, &state, &why);
    }
    if (err) {
        if (haproxy_connection_is_up(edge->connection)) {
            buf_printf(&why, "%s`show servers state` failed: %s", why.len ? ": " : "", error_text(err));
            haproxy_connection_restart(edge->connection, buf_text(&why));
        }
        return;
    }
    edge_take_state(edge, state);
    edge_servers_configure(edge);
    if (!edge_leases_adopt(edge)) {
        haproxy_connection_restart(edge->connection, "its leases cannot be read");
        return;
    }
    edge->adopted = true;
    edge->adoptions++;
    edge_set_error(edge, NULL);
    edge_refresh_all(edge);
    struct slots_counts counts = edge_count(edge);
    log_notice("haproxy", "%s: adopted HAProxy %s, pid %ld: %zu %s in %zu %s, %zu ready", edge->config->name,
               edge->info.version.text, edge->info.pid, counts.slots, text_plural(counts.slots, "slot", "slots"),
               edge->backends.count, text_plural(edge->backends.count, "backend", "backends"),
               counts.ready + counts.orphans);
    if (edge_judge_adopted(edge) && edge->engine->feed.answered) {
        feed_seek_confidence(edge->engine);
    }
    edge_touch_all_states(edge);
    verification_start(edge->verification);
}

static void edge_adopt(struct edge *edge)
{
    edge_maps_read(edge);
    edge_dynamic_read(edge);
    haproxy_connection_send(edge->connection, "show servers state", edge_state_read, edge);
    haproxy_connection_flush(edge->connection);
}

static void edge_up(void *arg, const struct haproxy_info *info)
{
    struct edge *edge = arg;
    edge->epoch++;
    edge->info = *info;
    edge->capabilities = haproxy_capabilities_of(&info->version);
    edge_adopt(edge);
}

static void edge_down(void *arg, const char *why)
{
    struct edge *edge = arg;
    edge->epoch++;
    edge->adopted = false;
    verification_stop(edge->verification);
    if (!edge->error || strcmp(edge->error, why) != 0) {
        log_warning("haproxy", "%s: not connected: %s", edge->config->name, why);
    }
    edge_set_error(edge, why);
    edge_maps_lose(edge);
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        slots_forget(((struct edge_backend *)entry->value)->slots);
    }
}

/* ---- life ---- */

struct edge *edge_new(struct engine *engine, const struct config_haproxy *config)
{
    static const struct haproxy_events events = {.on_up = edge_up, .on_down = edge_down};
    struct edge *edge = MEM_NEW(struct edge);
    edge->engine = engine;
    edge->config = config;
    edge->confirmed = engine->confirm;
    edge->last_dirty = &edge->first_dirty;
    table_init(&edge->backends, engine->seed);
    edge->verification = verification_new(edge);
    edge_set_error(edge, "not connected yet");
    if (config->state_file[0]) {
        edge->state_file = kept_file_new(engine->loop, config->state_file, "its slots", edge_collect_state, edge);
    }
    edge_accesses_open(edge);
    edge_routes_open(edge);
    edge_leases_open(edge);
    edge_dynamic_open(edge);
    edge_maps_open(edge);
    edge_leases_read_disk(edge);
    edge->connection = haproxy_connection_new(engine->loop, config->socket, &events, edge);
    return edge;
}

void edge_close(struct edge *edge)
{
    haproxy_connection_close(edge->connection);
    verification_close(edge->verification);
    edge_maps_close(edge);
    if (edge->state_file) {
        int err = edge->state ? kept_file_flush(edge->state_file) : 0;
        if (err) {
            log_error("haproxy", "%s: %s cannot be written: %s", edge->config->name, edge->config->state_file,
                      error_text(err));
        }
        kept_file_close(edge->state_file);
    }
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        edge_backend_free(entry->value);
    }
    table_free(&edge->backends);
    edge_routes_free(edge);
    edge_accesses_free(edge);
    edge_leases_close(edge);
    edge_dynamic_close(edge);
    haproxy_state_free(edge->state);
    free(edge->error);
    free(edge);
}
