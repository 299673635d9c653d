/* SPDX-License-Identifier: MIT */
/* What is measured, under its names. */
#include "slotd/metrics.h"

#include <stddef.h>
#include <string.h>

#include "exposition.h"

enum unit { UNIT_COUNT, UNIT_SECONDS };

/* One number of a struct that holds uint64_t: where it is, and what it is called. ENGINE_NEVER is left out. */
struct family {
    const char *name;
    enum exposition_type type;
    enum unit unit;
    size_t offset;
    const char *help;
};
#define GAUGE(of, member) EXPOSITION_GAUGE, UNIT_COUNT, offsetof(struct of, member)
#define COUNTER(of, member) EXPOSITION_COUNTER, UNIT_COUNT, offsetof(struct of, member)
#define SECONDS(of, member) EXPOSITION_GAUGE, UNIT_SECONDS, offsetof(struct of, member)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct family engine_families[] = {
    {"slotd_start_time_seconds", SECONDS(engine_metrics, started_ns), "When slotd started, since 1970."},
    {"slotd_in_sync", GAUGE(engine_metrics, in_sync), "Whether slotd is in sync with both sides, as /readyz says."},
    {"slotd_marathon_live", GAUGE(engine_metrics, live), "Whether Marathon's event stream is live."},
    {"slotd_marathon_last_event_age_seconds", SECONDS(engine_metrics, event_age_ns), "Since Marathon's last event."},
    {"slotd_marathon_last_answer_age_seconds", SECONDS(engine_metrics, answer_age_ns),
     "Since Marathon's last complete answer that was usable."},
    {"slotd_marathon_reconnects_total", COUNTER(engine_metrics, reconnects),
     "Event streams that were lost, or not to be had."},
    {"slotd_marathon_fetches_total", COUNTER(engine_metrics, fetches), "Requests for apps that were sent."},
    {"slotd_marathon_fetch_failures_total", COUNTER(engine_metrics, fetch_failures),
     "Of them, those that no endpoint answered with success, or with 404."},
    {"slotd_marathon_events_refused_total", COUNTER(engine_metrics, bad_events), "Events that could not be read."},
    {"slotd_apps", GAUGE(engine_metrics, apps), "Apps of Marathon that are known."},
    {"slotd_tasks", GAUGE(engine_metrics, tasks), "Their tasks that are not over."},
    {"slotd_tasks_running", GAUGE(engine_metrics, running), "Of them, those that run."},
    {"slotd_tombstones", GAUGE(engine_metrics, tombstones), "Tasks that are over and remembered for now."},
    {"slotd_left_aside_total", COUNTER(engine_metrics, left_aside), "Apps and tasks beyond what slotd stores."},
    {"slotd_services", GAUGE(engine_metrics, services), "Services that the apps make."},
    {"slotd_drain_orders", GAUGE(engine_metrics, drains), "Drains that operators have asked for."},
    {"slotd_weight_orders", GAUGE(engine_metrics, weights), "Weights that operators have asked for."},
    {"slotd_guard_held", GAUGE(engine_metrics, guard_holds), "Whether the guard holds removals: slotctl confirm."},
    {"slotd_guard_held_endpoints", GAUGE(engine_metrics, guard_held), "Endpoints whose removal the guard holds."},
    {"slotd_guard_holds_total", COUNTER(engine_metrics, guard_times), "How often the guard began to hold."},
};

static const struct family edge_families[] = {
    {"slotd_haproxy_connected", GAUGE(engine_edge_metrics, connected), "Whether HAProxy answers on its socket."},
    {"slotd_haproxy_adopted", GAUGE(engine_edge_metrics, adopted), "Whether its slots were read and are kept."},
    {"slotd_haproxy_connects_total", COUNTER(engine_edge_metrics, connects), "Connections to HAProxy."},
    {"slotd_haproxy_adoptions_total", COUNTER(engine_edge_metrics, adoptions), "Times its slots were read anew."},
    {"slotd_haproxy_commands_total", COUNTER(engine_edge_metrics, commands), "Commands that change slots."},
    {"slotd_haproxy_commands_refused_total", COUNTER(engine_edge_metrics, refusals),
     "Of them, those that were refused, or answered unexpectedly."},
    {"slotd_haproxy_commands_lost_total", COUNTER(engine_edge_metrics, lost),
     "Lines of any kind that stayed without a reply."},
    {"slotd_haproxy_commands_in_flight", GAUGE(engine_edge_metrics, in_flight), "Commands without a reply yet."},
    {"slotd_haproxy_drifts_total", COUNTER(engine_edge_metrics, drifts),
     "Slots, and entries of maps, that another hand had changed, and that were put right."},
    {"slotd_haproxy_servers_added", GAUGE(engine_edge_metrics, servers),
     "Slots that slotd has added, since their backend had too few."},
    {"slotd_haproxy_server_additions_total", COUNTER(engine_edge_metrics, additions), "Servers that slotd has added."},
    {"slotd_haproxy_server_deletions_total", COUNTER(engine_edge_metrics, deletions),
     "Of them, those that slotd has deleted, since they were needed no more."},
    {"slotd_haproxy_backends", GAUGE(engine_edge_metrics, n_backends), "Backends that have slots."},
    {"slotd_endpoints_waiting", GAUGE(engine_edge_metrics, waiting), "Endpoints that wait for a free slot."},
    {"slotd_endpoints_unresolved", GAUGE(engine_edge_metrics, unresolved), "Endpoints whose host has no address yet."},
    {"slotd_access_entries_leaving", GAUGE(engine_edge_metrics, access_leaving),
     "Map entries of former whitelists and redirects that wait for HAProxy's acknowledgement of the routes; 16384 at "
     "most."},
    {"slotd_services_without_backend", GAUGE(engine_edge_metrics, services_without_backend),
     "Services that the HAProxy has no backend with slots for."},
};

static const struct family process_families[] = {
    {"slotd_process_resident_memory_bytes", GAUGE(process_metrics, resident_bytes), "Memory in use."},
    {"slotd_process_virtual_memory_bytes", GAUGE(process_metrics, virtual_bytes), "Address space in use."},
    {"slotd_process_open_fds", GAUGE(process_metrics, open_fds), "File descriptors in use."},
    {"slotd_process_max_fds", GAUGE(process_metrics, max_fds), "File descriptors that are allowed."},
    {"slotd_process_cpu_seconds_total", EXPOSITION_COUNTER, UNIT_SECONDS, offsetof(struct process_metrics, cpu_ns),
     "Processor time, user and system."},
};

static const struct family web_families[] = {
    {"slotd_http_connections", GAUGE(web_metrics, connections), "Connections to control.http."},
    {"slotd_http_max_connections", GAUGE(web_metrics, max_connections), "How many are let in."},
    {"slotd_http_requests_total", COUNTER(web_metrics, requests), "Requests on them."},
    {"slotd_http_requests_refused_total", COUNTER(web_metrics, refused),
     "Of them, those for what there is not, or in a way that there is not."},
    {"slotd_http_connections_expired_total", COUNTER(web_metrics, expired),
     "Connections that were ended after too long without a whole request."},
};

static void family_add(const struct family *family, const char *const *labels, const void *values, struct buf *text)
{
    uint64_t value;
    memcpy(&value, (const char *)values + family->offset, sizeof(value));
    if (family->unit == UNIT_SECONDS && value != ENGINE_NEVER) {
        exposition_add_seconds(text, family->name, labels, value);
    } else if (family->unit == UNIT_COUNT) {
        exposition_add(text, family->name, labels, value);
    }
}

static void families_render(const struct family *families, size_t count, const void *values, struct buf *text)
{
    for (size_t i = 0; i < count; i++) {
        exposition_begin(text, families[i].name, families[i].type, families[i].help);
        family_add(&families[i], NO_LABELS, values, text);
    }
}

/* ---- Marathon ---- */

static void render_events(const struct engine_metrics *engine, struct buf *text)
{
    static const char name[] = "slotd_marathon_events_total";
    static const char *const types[MARATHON_EVENT_TYPES] = {
        [MARATHON_EVENT_OTHER] = "other",
        [MARATHON_EVENT_ATTACHED] = "event_stream_attached",
        [MARATHON_EVENT_STATUS_UPDATE] = "status_update",
        [MARATHON_EVENT_INSTANCE_CHANGED] = "instance_changed",
        [MARATHON_EVENT_INSTANCE_TERMINATED] = "instance_terminated",
        [MARATHON_EVENT_HEALTH] = "health",
        [MARATHON_EVENT_API_POST] = "api_post",
        [MARATHON_EVENT_APP_TERMINATED] = "app_terminated",
        [MARATHON_EVENT_DEPLOYMENT] = "deployment",
    };
    exposition_begin(text, name, EXPOSITION_COUNTER,
                     "Events by type; other: unknown ones, and those that concern no slot.");
    for (size_t i = 0; i < MARATHON_EVENT_TYPES; i++) {
        exposition_add(text, name, LABELS("type", types[i]), engine->events[i]);
    }
}

static void render_answers(const struct engine_metrics *engine, struct buf *text)
{
    static const char name[] = "slotd_marathon_answers_total";
    static const char fetches[] = "slotd_marathon_fetch_duration_seconds";
    static const char *const results[ENGINE_ANSWERS] = {
        [ENGINE_ANSWER_GOOD] = "good",
        [ENGINE_ANSWER_UNCONFIRMED] = "unconfirmed",
        [ENGINE_ANSWER_HELD] = "held",
        [ENGINE_ANSWER_BAD] = "bad",
    };
    exposition_begin(text, name, EXPOSITION_COUNTER,
                     "Complete answers by what became of them; unconfirmed: something is missing for the first time, "
                     "held: by the guard, bad: failed or not usable.");
    for (size_t i = 0; i < ENGINE_ANSWERS; i++) {
        exposition_add(text, name, LABELS("result", results[i]), engine->answers[i]);
    }
    exposition_begin(text, fetches, EXPOSITION_HISTOGRAM, "From a request, for all apps or one, to its answer's end.");
    exposition_add_histogram(text, fetches, LABELS("of", "all"), engine->all_fetches);
    exposition_add_histogram(text, fetches, LABELS("of", "app"), engine->app_fetches);
}

static void render_services(const struct engine_metrics *engine, struct buf *text)
{
    static const char endpoints[] = "slotd_endpoints";
    static const char problems[] = "slotd_problems";
    exposition_begin(text, endpoints, EXPOSITION_GAUGE,
                     "Endpoints of all services by phase, as health and operators make it.");
    for (size_t i = 0; i < ENGINE_PHASES; i++) {
        exposition_add(text, endpoints, LABELS("phase", endpoint_phase_text((enum endpoint_phase)i)),
                       engine->endpoints[i]);
    }
    exposition_begin(text, problems, EXPOSITION_GAUGE,
                     "Problems that mapping apps has found, by code, as slotctl services lists them.");
    for (size_t i = 0; i < engine->n_codes; i++) {
        exposition_add(text, problems, LABELS("code", engine->problems[i].code), engine->problems[i].count);
    }
}

/* ---- HAProxies ---- */

static void render_edges(const struct engine_metrics *engine, struct buf *text)
{
    for (size_t f = 0; f < COUNT(edge_families); f++) {
        exposition_begin(text, edge_families[f].name, edge_families[f].type, edge_families[f].help);
        for (size_t i = 0; i < engine->n_edges; i++) {
            family_add(&edge_families[f], LABELS("haproxy", engine->edges[i].name), &engine->edges[i], text);
        }
    }
}

static void render_versions(const struct engine_metrics *engine, struct buf *text)
{
    static const char name[] = "slotd_haproxy_info";
    exposition_begin(text, name, EXPOSITION_GAUGE, "1, with HAProxy's version; not there until that was read.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (engine->edges[i].version[0]) {
            exposition_add(text, name, LABELS("haproxy", engine->edges[i].name, "version", engine->edges[i].version),
                           1);
        }
    }
}

static void render_latencies(const struct engine_metrics *engine, struct buf *text)
{
    static const char name[] = "slotd_change_latency_seconds";
    exposition_begin(text, name, EXPOSITION_HISTOGRAM,
                     "From the cause of a slot's change, such as an event, to HAProxy's last acknowledgement of it.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        exposition_add_histogram(text, name, LABELS("haproxy", engine->edges[i].name), engine->edges[i].latency);
    }
}

static void render_slots(const struct engine_metrics *engine, struct buf *text)
{
    static const char name[] = "slotd_slots";
    exposition_begin(text, name, EXPOSITION_GAUGE, "Slots by state, as slotctl slots shows it.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        for (size_t s = 0; s < ENGINE_SLOT_STATES; s++) {
            exposition_add(text, name,
                           LABELS("haproxy", engine->edges[i].name, "state", slot_state_text((enum slot_state)s)),
                           engine->edges[i].slots[s]);
        }
    }
}

/* Of a backend fewer words: there may be thousands of them. */
static void render_backend_slots(const struct engine_edge_metrics *edge, const struct engine_backend_metrics *backend,
                                 const char *name, struct buf *text)
{
    static const enum slot_state shown[] = {SLOT_FREE, SLOT_READY, SLOT_DOWN, SLOT_DRAINING};
    uint64_t others = 0;
    for (size_t s = 0; s < ENGINE_SLOT_STATES; s++) {
        others += backend->slots[s];
    }
    for (size_t i = 0; i < COUNT(shown); i++) {
        others -= backend->slots[shown[i]];
        exposition_add(text, name,
                       LABELS("haproxy", edge->name, "backend", backend->name, "state", slot_state_text(shown[i])),
                       backend->slots[shown[i]]);
    }
    exposition_add(text, name, LABELS("haproxy", edge->name, "backend", backend->name, "state", "other"), others);
}

static void render_backends(const struct engine_metrics *engine, struct buf *text)
{
    static const char slots[] = "slotd_backend_slots";
    static const char waiting[] = "slotd_backend_endpoints_waiting";
    exposition_begin(text, slots, EXPOSITION_GAUGE,
                     "Slots of each backend by state; other: assigning, starting, held, leaving, unclaimed, unknown.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        for (size_t b = 0; b < engine->edges[i].n_backends; b++) {
            render_backend_slots(&engine->edges[i], &engine->edges[i].backends[b], slots, text);
        }
    }
    exposition_begin(text, waiting, EXPOSITION_GAUGE, "Endpoints that wait for a free slot of the backend.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct engine_edge_metrics *edge = &engine->edges[i];
        for (size_t b = 0; b < edge->n_backends; b++) {
            exposition_add(text, waiting, LABELS("haproxy", edge->name, "backend", edge->backends[b].name),
                           edge->backends[b].waiting);
        }
    }
}

static void render_pool(const struct engine_edge_metrics *edge, const struct lease_counts *pool, const char *name,
                        struct buf *text)
{
    const struct {
        const char *state;
        size_t count;
    } states[] = {{"free", pool->free}, {"leased", pool->leased}, {"released", pool->released}};
    for (size_t i = 0; i < COUNT(states); i++) {
        exposition_add(
            text, name,
            LABELS("haproxy", edge->name, "prefix", pool->prefix, "class", pool->class, "state", states[i].state),
            states[i].count);
    }
}

static void render_tcp_routes(const struct engine_metrics *engine, struct buf *text)
{
    static const char name[] = "slotd_tcp_routes";
    exposition_begin(text, name, EXPOSITION_GAUGE,
                     "Ports and server names that TCP services want; waiting: leads nowhere yet, taken: leads to "
                     "another one.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct engine_edge_metrics *edge = &engine->edges[i];
        exposition_add(text, name, LABELS("haproxy", edge->name, "state", "routed"), edge->tcp_routed);
        exposition_add(text, name, LABELS("haproxy", edge->name, "state", "waiting"), edge->tcp_waiting);
        exposition_add(text, name, LABELS("haproxy", edge->name, "state", "taken"), edge->tcp_taken);
    }
}

static void render_pools(const struct engine_metrics *engine, struct buf *text)
{
    static const char backends[] = "slotd_pool_backends";
    static const char waiting[] = "slotd_pool_services_waiting";
    exposition_begin(text, backends, EXPOSITION_GAUGE,
                     "Backends of each pool by state; released: of nobody, and not to be given away yet.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        for (size_t p = 0; p < engine->edges[i].n_pools; p++) {
            render_pool(&engine->edges[i], &engine->edges[i].pools[p], backends, text);
        }
    }
    exposition_begin(text, waiting, EXPOSITION_GAUGE, "Services that wait for a backend of the pool.");
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct engine_edge_metrics *edge = &engine->edges[i];
        for (size_t p = 0; p < edge->n_pools; p++) {
            exposition_add(
                text, waiting,
                LABELS("haproxy", edge->name, "prefix", edge->pools[p].prefix, "class", edge->pools[p].class),
                edge->pools[p].waiting);
        }
    }
}

static void render_dynamic(const struct engine_metrics *engine, struct buf *text)
{
    static const char backends[] = "slotd_dynamic_backends";
    exposition_begin(text, backends, EXPOSITION_GAUGE,
                     "Backends made at run time: made, coming (not there yet) or refused (a pool serves instead).");
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct engine_edge_metrics *edge = &engine->edges[i];
        exposition_add(text, backends, LABELS("haproxy", edge->name, "state", "made"), edge->dynamic.there);
        exposition_add(text, backends, LABELS("haproxy", edge->name, "state", "coming"), edge->dynamic.coming);
        exposition_add(text, backends, LABELS("haproxy", edge->name, "state", "refused"), edge->dynamic.refused);
    }
}

void metrics_render(const struct engine_metrics *engine, const struct process_metrics *process,
                    const struct web_metrics *web, struct buf *text)
{
    static const char build[] = "slotd_build_info";
    exposition_begin(text, build, EXPOSITION_GAUGE, "1, with slotd's version.");
    exposition_add(text, build, LABELS("version", PACKAGE_VERSION), 1);
    families_render(engine_families, COUNT(engine_families), engine, text);
    render_events(engine, text);
    render_answers(engine, text);
    render_services(engine, text);
    render_versions(engine, text);
    render_edges(engine, text);
    render_latencies(engine, text);
    render_slots(engine, text);
    render_backends(engine, text);
    render_pools(engine, text);
    render_tcp_routes(engine, text);
    render_dynamic(engine, text);
    families_render(process_families, COUNT(process_families), process, text);
    families_render(web_families, COUNT(web_families), web, text);
}
