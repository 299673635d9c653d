/* SPDX-License-Identifier: MIT */
/* What slotctl shows of the engine: JSON documents, and the reasons why it is degraded. */
#include <json-c/json.h>

#include "engine_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define SHOW_MAX_REASON 400 /* bytes of one in plain text */

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
    json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
    json_object_object_add(object, key, json_object_new_boolean(value));
}

/* Milliseconds since a moment of the wall clock; null when it never was. */
static void add_age(struct json_object *object, const char *key, int64_t since_ms)
{
    int64_t age = engine_now_ms() - since_ms;
    json_object_object_add(object, key, since_ms ? json_object_new_int64(age > 0 ? age : 0) : NULL);
}

/* ---- why it is degraded ---- */

__attribute__((format(printf, 2, 3))) static void add_reason(struct json_object *reasons, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cleanup_free char *text = mem_vprintf(format, args);
    va_end(args);
    json_object_array_add(reasons, json_object_new_string(text));
}

static void warnings_of_orders(const struct engine *engine, struct json_object *warnings)
{
    const char *loss = orders_file_loss(engine->orders_file);
    if (loss) {
        add_reason(warnings, "what operators had asked for is lost: %s", loss);
    }
}

static void warnings_of_marathon(const struct engine *engine, struct json_object *warnings)
{
    const struct feed *feed = &engine->feed;
    if (feed->answered && !feed->tells_absence && feed->unknown_answers > 0) {
        add_reason(warnings,
                   "definitions of apps cannot be read, nor could they before (slotctl services says which): what no "
                   "task claims stays as it is for the time being; if it is to go now: slotctl confirm");
    }
}

static void reasons_of_marathon(const struct engine *engine, struct json_object *reasons)
{
    struct client_status client = client_get_status(engine->feed.client);
    if (!client.live) {
        add_reason(reasons, "Marathon's event stream at %s is not live: %s", client.endpoint,
                   client.error[0] ? client.error : "connecting");
    }
    if (engine->feed.error) {
        add_reason(reasons, "Marathon's last answer was not usable: %s", engine->feed.error);
    } else if (!engine->feed.answered) {
        add_reason(reasons, "Marathon has not answered completely yet");
    }
    if (engine_orders_error(engine)) {
        add_reason(reasons, "what operators asked for is not kept: %s", engine_orders_error(engine));
    }
    size_t held = engine_count_held(engine);
    if (held > 0) {
        add_reason(reasons,
                   "the guard holds the removal of %zu %s, since too much is missing at once; if that is right: "
                   "slotctl confirm",
                   held, text_plural(held, "endpoint", "endpoints"));
    }
}

/* warnings: what will be a reason soon. */
static void reasons_of_edge(const struct edge *edge, struct json_object *reasons, struct json_object *warnings)
{
    const char *name = edge->config->name;
    struct slots_counts counts = edge_count(edge);
    if (!edge->adopted) {
        add_reason(reasons, "HAProxy %s is not in use: %s", name, edge->error ? edge->error : "reading its state");
        edge_explain_files(edge, reasons);
        return;
    }
    if (edge->backends.count == 0 && !edge_makes_backends(edge)) {
        add_reason(reasons,
                   "HAProxy %s has no slots: its backends need a line such as `server-template s 20 slot.invalid:1 "
                   "disabled`",
                   name);
    }
    if (counts.waiting > 0) {
        add_reason(reasons, "HAProxy %s: %zu %s for a free slot; see slotctl services", name, counts.waiting,
                   text_plural(counts.waiting, "endpoint waits", "endpoints wait"));
    }
    if (counts.unknown > 0) {
        add_reason(reasons, "HAProxy %s: %zu %s in an unknown state", name, counts.unknown,
                   text_plural(counts.unknown, "slot is", "slots are"));
    }
    edge_explain_servers(edge, warnings);
    edge_explain_leases(edge, reasons, warnings);
    edge_explain_dynamic(edge, warnings);
    edge_explain_files(edge, reasons);
}

static struct json_object *engine_reasons(const struct engine *engine, struct json_object *warnings)
{
    struct json_object *reasons = json_object_new_array();
    reasons_of_marathon(engine, reasons);
    warnings_of_orders(engine, warnings);
    warnings_of_marathon(engine, warnings);
    for (size_t i = 0; i < engine->n_edges; i++) {
        reasons_of_edge(engine->edges[i], reasons, warnings);
    }
    return reasons;
}

/* ---- status ---- */

static struct json_object *show_marathon(const struct engine *engine)
{
    const struct feed *feed = &engine->feed;
    struct client_status client = client_get_status(feed->client);
    struct json_object *object = json_object_new_object();
    add_text(object, "endpoint", client.endpoint);
    add_bool(object, "live", client.live);
    add_text(object, "leader", client.leader[0] ? client.leader : NULL);
    add_text(object, "error", feed->error ? feed->error : client.error[0] ? client.error : NULL);
    add_age(object, "last_event_age_ms", feed->last_event_ms);
    add_age(object, "last_sync_age_ms", feed->last_sync_ms);
    add_number(object, "events", feed->events);
    add_number(object, "events_refused", feed->bad_events);
    add_number(object, "reconnects", client.reconnects);
    add_number(object, "fetches", client.fetches);
    add_number(object, "fetch_failures", client.fetch_failures);
    return object;
}

static struct json_object *show_slot_counts(const struct slots_counts *counts)
{
    struct json_object *object = json_object_new_object();
    add_number(object, "total", counts->slots);
    add_number(object, "free", counts->free);
    add_number(object, "starting", counts->starting);
    add_number(object, "ready", counts->ready);
    add_number(object, "down", counts->down);
    add_number(object, "draining", counts->draining);
    add_number(object, "held", counts->held);
    add_number(object, "unclaimed", counts->orphans);
    add_number(object, "unknown", counts->unknown);
    add_number(object, "added", counts->added);
    add_number(object, "endpoints_waiting", counts->waiting);
    add_number(object, "endpoints_unresolved", counts->unresolved);
    return object;
}

static struct json_object *show_capabilities(const struct edge *edge)
{
    struct json_object *object = json_object_new_object();
    add_bool(object, "late_address", edge->capabilities.late_address);
    add_bool(object, "add_server", edge->capabilities.add_server);
    add_bool(object, "add_backend", edge->capabilities.add_backend);
    add_bool(object, "wait_command", edge->capabilities.wait_command);
    add_bool(object, "init_state", edge->capabilities.init_state);
    return object;
}

static struct json_object *show_edge(const struct edge *edge)
{
    struct slots_counts counts = edge_count(edge);
    struct haproxy_statistics statistics = haproxy_connection_statistics(edge->connection);
    struct json_object *object = json_object_new_object();
    add_text(object, "name", edge->config->name);
    add_text(object, "socket", edge->config->socket);
    add_bool(object, "connected", edge->adopted);
    add_text(object, "error", edge->adopted ? NULL : edge->error);
    add_text(object, "version", edge->info.version.text[0] ? edge->info.version.text : NULL);
    add_number(object, "pid", (uint64_t)edge->info.pid);
    add_number(object, "adoptions", edge->adoptions);
    add_number(object, "commands", edge->commands);
    add_number(object, "commands_refused", edge->refusals);
    add_number(object, "drifts", edge->drifts);
    add_number(object, "commands_without_reply", statistics.failures);
    add_number(object, "backends", edge->backends.count);
    json_object_object_add(object, "slots", show_slot_counts(&counts));
    json_object_object_add(object, "capabilities", show_capabilities(edge));
    add_text(object, "state_file", edge->config->state_file[0] ? edge->config->state_file : NULL);
    add_text(object, "state_file_error", edge->state_file ? kept_file_error(edge->state_file) : NULL);
    show_kept_file(object, "state_file", edge->state_file);
    json_object_object_add(object, "maps", edge_show_maps(edge));
    json_object_object_add(object, "pools", edge_show_pools(edge));
    json_object_object_add(object, "dynamic_backends", edge_show_dynamic(edge));
    return object;
}

static struct json_object *show_counts(const struct engine *engine)
{
    struct cluster_counts counts = cluster_count(engine->feed.cluster);
    size_t n_problems = 0;
    free(services_list_problems(engine->services, &n_problems));
    struct json_object *object = json_object_new_object();
    add_number(object, "apps", counts.apps);
    add_number(object, "tasks", counts.tasks);
    add_number(object, "tasks_running", counts.running);
    add_number(object, "services", services_count(engine->services));
    add_number(object, "problems", n_problems);
    add_number(object, "changes", engine->journal.next);
    return object;
}

static struct json_object *show_guard(const struct engine *engine)
{
    size_t held = engine_count_held(engine);
    struct json_object *object = json_object_new_object();
    add_bool(object, "holding", held > 0);
    add_number(object, "held", held);
    json_object_object_add(object, "max_removal_percent",
                           json_object_new_int(engine->config->slots.max_removal_percent));
    return object;
}

struct json_object *engine_show_status(const struct engine *engine)
{
    struct json_object *status = json_object_new_object();
    struct json_object *warnings = json_object_new_array();
    struct json_object *reasons = engine_reasons(engine, warnings);
    struct json_object *edges = json_object_new_array();
    for (size_t i = 0; i < engine->n_edges; i++) {
        json_object_array_add(edges, show_edge(engine->edges[i]));
    }
    add_text(status, "version", PACKAGE_VERSION);
    add_age(status, "uptime_ms", engine->started_ms);
    add_bool(status, "degraded", json_object_array_length(reasons) > 0);
    json_object_object_add(status, "reasons", reasons);
    json_object_object_add(status, "warnings", warnings);
    json_object_object_add(status, "marathon", show_marathon(engine));
    json_object_object_add(status, "haproxy", edges);
    json_object_object_add(status, "counts", show_counts(engine));
    json_object_object_add(status, "guard", show_guard(engine));
    return status;
}

bool engine_list_reasons(const struct engine *engine, struct buf *lines)
{
    struct json_object *warnings = json_object_new_array();
    struct json_object *reasons = engine_reasons(engine, warnings);
    size_t count = json_object_array_length(reasons);
    for (size_t i = 0; i < count; i++) {
        struct json_object *reason = json_object_array_get_idx(reasons, i);
        text_append_safe(lines, json_object_get_string(reason), (size_t)json_object_get_string_len(reason),
                         SHOW_MAX_REASON);
        buf_putc(lines, '\n');
    }
    json_object_put(warnings);
    json_object_put(reasons);
    return count == 0;
}

void engine_describe(const struct engine *engine, struct buf *text)
{
    struct json_object *warnings = json_object_new_array();
    struct json_object *reasons = engine_reasons(engine, warnings);
    struct cluster_counts counts = cluster_count(engine->feed.cluster);
    if (json_object_array_length(reasons) > 0) {
        buf_printf(text, "degraded: %s", json_object_get_string(json_object_array_get_idx(reasons, 0)));
    } else {
        size_t n_services = services_count(engine->services);
        buf_printf(text, "in sync: %zu %s, %zu %s running", n_services, text_plural(n_services, "service", "services"),
                   counts.running, text_plural(counts.running, "task", "tasks"));
    }
    json_object_put(warnings);
    json_object_put(reasons);
}

/* ---- slots ---- */

static struct json_object *show_slot(const struct edge_backend *backend, size_t slot)
{
    struct slot_view view = slots_view(backend->slots, slot);
    const struct slot_observed *observed = view.observed;
    struct json_object *object = json_object_new_object();
    add_text(object, "haproxy", backend->edge->config->name);
    add_text(object, "backend", backend->name);
    add_text(object, "slot", observed->server);
    add_bool(object, "added", observed->added);
    add_text(object, "state", slot_state_text(view.state));
    add_text(object, "address", observed->address);
    add_number(object, "port", observed->port);
    add_number(object, "weight", observed->weight);
    json_object_object_add(object, "sessions", view.sessions < 0 ? NULL : json_object_new_int64(view.sessions));
    add_bool(object, "maint", (observed->admin & SLOT_ADMIN_MAINT) != 0);
    add_bool(object, "up", observed->op_state >= 1 && observed->op_state <= 2);
    endpoint_key_show(object, view.endpoint);
    return object;
}

static void show_backend_slots(const struct edge_backend *backend, struct json_object *slots)
{
    for (size_t i = 0; i < slots_count(backend->slots); i++) {
        if (slots_view(backend->slots, i).state != SLOT_ABSENT) {
            json_object_array_add(slots, show_slot(backend, i));
        }
    }
}

struct json_object *engine_show_slots(const struct engine *engine, const char *const *names, size_t n_names)
{
    struct json_object *slots = json_object_new_array();
    for (size_t i = 0; i < engine->n_edges; i++) {
        size_t count = 0;
        struct edge_backend **backends = edge_list_backends(engine->edges[i], &count);
        for (size_t b = 0; b < count; b++) {
            if (name_is_wanted(backends[b]->name, names, n_names)) {
                show_backend_slots(backends[b], slots);
            }
        }
        free(backends);
    }
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "slots", slots);
    json_object_object_add(document, "unknown", names_list_unknown(engine, names, n_names, engine_knows_backend));
    return document;
}

/* ---- plan ---- */

static void show_backend_plan(const struct edge_backend *backend, struct json_object *commands)
{
    struct slot_plan plan = {0};
    struct slots_options options = backend_options(backend);
    cleanup_buf struct buf line = BUF_INIT;
    slots_preview(backend->slots, &options, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        buf_clear(&line);
        if (haproxy_command_format(backend->name, &plan.commands[i], &line) == 0) {
            json_object_array_add(commands, json_object_new_string(buf_text(&line)));
        }
    }
    slot_plan_free(&plan);
}

struct json_object *engine_show_plan(const struct engine *engine)
{
    struct json_object *edges = json_object_new_array();
    for (size_t i = 0; i < engine->n_edges; i++) {
        size_t count = 0;
        struct json_object *object = json_object_new_object();
        struct json_object *commands = json_object_new_array();
        struct edge_backend **backends = edge_list_backends(engine->edges[i], &count);
        for (size_t b = 0; b < count; b++) {
            show_backend_plan(backends[b], commands);
        }
        free(backends);
        add_text(object, "name", engine->edges[i]->config->name);
        add_bool(object, "connected", engine->edges[i]->adopted);
        json_object_object_add(object, "commands", commands);
        json_object_array_add(edges, object);
    }
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "haproxy", edges);
    return document;
}

struct json_object *engine_show_events(const struct engine *engine, uint64_t from, uint64_t *ret_next)
{
    return journal_show(&engine->journal, from, ret_next);
}
