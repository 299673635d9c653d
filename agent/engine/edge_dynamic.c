/* SPDX-License-Identifier: MIT */
/* Backends that are made in one HAProxy at run time, named as their services: made before anything leads there, deleted
 * when nothing does and no server is left. That slotd made one is noted in HAProxy's map of leases, under its own name,
 * and not in the map's file: another process of HAProxy has neither the backend nor the note. */
#include <string.h>

#include "engine_private.h"
#include "slotd/backend_command.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define DYNAMIC_RETRY_MS 200 /* until one is tried again that HAProxy would not delete yet */
#define DYNAMIC_PROBE_MS 50  /* they are gone after a reload: it has to be noticed soon */

/* A line that was sent. */
struct sent {
    struct edge *edge;
    enum backend_command command;
    char *name;
    struct edge_backend *former; /* DELETE: taken out of the edge, and freed with the reply */
    unsigned epoch;
    uint64_t received_ns; /* of its cause */
    int64_t received_ms;
};

/* ---- who gets one ---- */

static const struct config_pool *edge_find_class(const struct edge *edge, const char *class)
{
    const struct config_slots *config = &edge->engine->config->slots;
    for (size_t i = 0; i < config->n_pools; i++) {
        const struct config_pool *pool = &config->pools[i];
        if (strcmp(pool->class, class) == 0 && pool->defaults[0] && pool->server_options[0]) {
            return pool;
        }
    }
    return NULL;
}

static bool config_names_defaults(const struct config_slots *config)
{
    for (size_t i = 0; i < config->n_pools; i++) {
        if (config->pools[i].defaults[0] && config->pools[i].server_options[0]) {
            return config->add_backends && config->add_servers;
        }
    }
    return false;
}

/* Without the map of leases nothing could tell later who made it, and without servers it would be of no use. */
bool edge_makes_backends(const struct edge *edge)
{
    const struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    return config_names_defaults(&edge->engine->config->slots) && edge->capabilities.add_backend &&
           edge->capabilities.add_server && edge->dynamic.known && map && !map->missing;
}

/* A service that has a backend of a pool keeps it; a name that somebody else's backend has is not tried, nor one that
 * would be taken for a pool's. */
static bool edge_may_make(const struct edge *edge, const char *name)
{
    const struct leases *leases = edge->leasing.leases;
    return edge_makes_backends(edge) && !config_find_pool(&edge->engine->config->slots, name) &&
           !leases_get(leases, name) && !leases_get_leaving(leases, name) && !table_get(&edge->dynamic.present, name) &&
           text_is_haproxy_name(name);
}

const struct config_pool *edge_dynamic_find_pool(const struct edge *edge, const char *name)
{
    const struct dynamic dynamic = dynamics_get(edge->dynamic.dynamics, name);
    const struct service *service =
        dynamic.state == DYNAMIC_THERE ? services_get_backend(edge->engine->services, name) : NULL;
    return service ? edge_find_class(edge, service->class) : NULL;
}

bool edge_dynamic_is_ending(const struct edge *edge, const char *name)
{
    return dynamics_get(edge->dynamic.dynamics, name).state == DYNAMIC_ENDING;
}

bool edge_dynamic_want(struct edge *edge, const struct service *service)
{
    const char *name = service->backend;
    const struct dynamic dynamic = dynamics_get(edge->dynamic.dynamics, name);
    const struct config_pool *pool = edge_find_class(edge, service->class);
    if (!pool || table_get(&edge->dynamic.lacking, pool->defaults) ||
        (dynamic.state == DYNAMIC_NONE && !edge_may_make(edge, name))) {
        return dynamic_is_ours(&dynamic) && !dynamic.error;
    }
    return dynamics_want(edge->dynamic.dynamics, name, pool->defaults, strcmp(service->class, "tcp") == 0);
}

void edge_dynamic_look_at(struct edge *edge, const char *name)
{
    struct dynamics *dynamics = edge->dynamic.dynamics;
    const struct dynamic dynamic = dynamics_get(dynamics, name);
    if (dynamic.state == DYNAMIC_NONE) {
        return;
    }
    if (!services_get_backend(edge->engine->services, name)) {
        dynamics_unwant(dynamics, name);
    } else if (dynamic.state == DYNAMIC_ENDING) {
        (void)dynamics_want(dynamics, name, dynamic.defaults, dynamic.is_tcp);
    }
    struct edge_backend *backend = edge_find_backend(edge, name);
    if (backend) {
        backend_configure_servers(backend);
    }
}

bool edge_dynamic_takes_over(const struct edge *edge, const char *name)
{
    return dynamics_get(edge->dynamic.dynamics, name).state != DYNAMIC_NONE &&
           services_get_backend(edge->engine->services, name);
}

/* ---- sending ---- */

static void dynamic_replied(void *arg, int err, const char *reply, size_t len);

static void edge_dynamic_send(struct edge *edge, enum backend_command command, const struct dynamic *dynamic,
                              struct edge_backend *former)
{
    cleanup_buf struct buf line = BUF_INIT;
    if (backend_command_format(command, dynamic->name, dynamic->defaults, dynamic->is_tcp, &line)) {
        /* Names and sections are checked before they get here. */
        log_error("haproxy", "%s: a command for the backend %s was not sent: a part of it is not allowed",
                  edge->config->name, dynamic->name);
        return;
    }
    struct sent *sent = MEM_NEW(struct sent);
    *sent = (struct sent){.edge = edge,
                          .command = command,
                          .name = mem_strdup(dynamic->name),
                          .former = former,
                          .epoch = edge->epoch,
                          .received_ns = edge->engine->turn_received_ns,
                          .received_ms = edge->engine->turn_received_ms};
    edge->commands++;
    edge->in_flight++;
    log_debug("haproxy", "%s: %s", edge->config->name, buf_text(&line));
    haproxy_connection_send(edge->connection, buf_text(&line), dynamic_replied, sent);
}

static void mode_replied(void *arg, int err, const char *reply, size_t len)
{
    (void)arg;
    (void)err;
    (void)reply;
    (void)len;
}

/* The next line may need it; what comes of it the next line's reply tells. */
static void edge_dynamic_send_mode(struct edge *edge)
{
    haproxy_connection_send(edge->connection, BACKEND_COMMAND_MODE, mode_replied, NULL);
}

/* ---- what became of it ---- */

static void edge_dynamic_take(struct edge *edge, const struct dynamic *dynamic, const struct sent *cause)
{
    struct edge_backend *backend = edge_ensure_backend(edge, dynamic->name);
    cleanup_free char *name = mem_strdup(dynamic->name);
    slots_observe(backend->slots, NULL, 0, true);
    backend_configure_servers(backend);
    backend->route_open = dynamic->routed;
    backend->received_ns = cause->received_ns;
    backend->received_ms = cause->received_ms;
    edge_refresh_service(edge, name);
}

static void edge_dynamic_refuse(struct edge *edge, const char *name, const char *what, const char *why)
{
    edge->refusals++;
    log_warning("haproxy", "%s: the backend %s %s: %s; the service gets one of a pool, where there is one",
                edge->config->name, name, what, why);
}

/* It is the same for every service of the class, and told once. */
static void edge_dynamic_lack(struct edge *edge, const char *name)
{
    struct dynamics *dynamics = edge->dynamic.dynamics;
    const struct dynamic dynamic = dynamics_get(dynamics, name);
    if (dynamic.defaults && !table_get(&edge->dynamic.lacking, dynamic.defaults)) {
        char *section = mem_strdup(dynamic.defaults);
        table_put(&edge->dynamic.lacking, section, section);
        log_warning(
            "haproxy",
            "%s: it has no section `defaults %s`: services that would have a backend made from it get one of a pool",
            edge->config->name, section);
    }
    dynamics_end_adding(dynamics, name, "HAProxy has no such section");
    edge_refresh_service(edge, name);
}

static void dynamic_added(struct sent *sent, enum backend_reply verdict, const char *why)
{
    struct edge *edge = sent->edge;
    struct dynamics *dynamics = edge->dynamic.dynamics;
    if (verdict == BACKEND_REPLY_SECTION) {
        edge_dynamic_lack(edge, sent->name);
        return;
    }
    bool is_there = verdict == BACKEND_REPLY_DONE || verdict == BACKEND_REPLY_UNFIT;
    edge->capabilities.add_backend = edge->capabilities.add_backend && strncmp(why, "Unknown command", 15) != 0;
    dynamics_end_adding(dynamics, sent->name, is_there ? NULL : why);
    if (verdict == BACKEND_REPLY_UNFIT) {
        dynamics_fail(dynamics, sent->name, why);
    }
    if (verdict != BACKEND_REPLY_DONE) {
        edge_dynamic_refuse(edge, sent->name, "was not made", why);
        edge_refresh_service(edge, sent->name);
        return;
    }
    const struct dynamic dynamic = dynamics_get(dynamics, sent->name);
    log_info("haproxy", "%s: the service %s has a backend of its name now, made at run time", edge->config->name,
             sent->name);
    edge_dynamic_send(edge, BACKEND_COMMAND_PUBLISH, &dynamic, NULL);
    edge_dynamic_take(edge, &dynamic, sent);
}

void edge_dynamic_fail(struct edge *edge, const char *name, const char *why)
{
    if (dynamics_get(edge->dynamic.dynamics, name).state != DYNAMIC_THERE) {
        return;
    }
    edge_dynamic_refuse(edge, name, "is of no use", why);
    dynamics_fail(edge->dynamic.dynamics, name, why);
    edge_refresh_service(edge, name);
}

static void dynamic_deleted(struct sent *sent, enum backend_reply verdict, const char *why)
{
    struct edge *edge = sent->edge;
    bool done = verdict == BACKEND_REPLY_DONE || verdict == BACKEND_REPLY_ABSENT;
    dynamics_end_deleting(edge->dynamic.dynamics, sent->name, done);
    if (done) {
        log_info("haproxy", "%s: the backend %s, made at run time, is deleted", edge->config->name, sent->name);
        edge_refresh_service(edge, sent->name);
        return;
    }
    if (verdict != BACKEND_REPLY_BUSY) {
        edge->refusals++;
        log_warning("haproxy", "%s: the backend %s was not deleted: %s", edge->config->name, sent->name, why);
    }
    const struct dynamic dynamic = dynamics_get(edge->dynamic.dynamics, sent->name);
    edge->dynamic.again_ms = uv_now(edge->engine->loop) + DYNAMIC_RETRY_MS;
    edge_dynamic_send(edge, BACKEND_COMMAND_PUBLISH, &dynamic, NULL);
    edge_dynamic_take(edge, &dynamic, sent);
}

static void dynamic_take_reply(struct sent *sent, const char *reply, size_t len)
{
    struct edge *edge = sent->edge;
    enum backend_reply verdict = backend_reply_judge(sent->command, reply, len);
    cleanup_buf struct buf why = BUF_INIT;
    text_append_safe(&why, reply, strcspn(reply, "\n") < len ? strcspn(reply, "\n") : len, 200);
    if (verdict == BACKEND_REPLY_STALE || verdict == BACKEND_REPLY_DENIED) {
        haproxy_connection_restart(edge->connection, verdict == BACKEND_REPLY_STALE
                                                         ? "an old process answered after a reload"
                                                         : "permission denied: its socket needs `level admin`");
    } else if (sent->command == BACKEND_COMMAND_ADD) {
        dynamic_added(sent, verdict, buf_text(&why));
    } else if (sent->command == BACKEND_COMMAND_DELETE) {
        dynamic_deleted(sent, verdict, buf_text(&why));
    } else if (sent->command == BACKEND_COMMAND_PUBLISH && verdict != BACKEND_REPLY_DONE) {
        edge_dynamic_fail(edge, sent->name, buf_text(&why));
    }
}

static void dynamic_replied(void *arg, int err, const char *reply, size_t len)
{
    struct sent *sent = arg;
    sent->edge->in_flight--;
    if (!err && sent->epoch == sent->edge->epoch) {
        dynamic_take_reply(sent, reply, len);
    }
    if (sent->former) {
        edge_backend_free(sent->former);
    }
    free(sent->name);
    free(sent);
}

/* ---- each turn ---- */

/* The note is on its way before the backend is: a map's changes leave ahead of this. */
static bool edge_dynamic_has_noted(const struct edge *edge)
{
    const struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    return map && map->state == EDGE_MAP_IN_STEP && !map_differs(map->map);
}

/* Before enough complete answers have come somebody may speak of its service yet: the next one is not left until the
 * regular one. */
static bool edge_dynamic_is_sure(const struct edge *edge)
{
    if (engine_is_confident(edge->engine)) {
        return true;
    }
    feed_seek_confidence(edge->engine);
    return false;
}

/* Of a service that is served elsewhere its routes may still name it: they follow once it is gone. */
static bool edge_dynamic_may_go(const struct edge *edge, const struct dynamic *dynamic)
{
    const struct edge_backend *backend = edge_find_backend(edge, dynamic->name);
    if (uv_now(edge->engine->loop) < edge->dynamic.again_ms ||
        (backend && slots_count_states(backend->slots).slots > 0)) {
        return false;
    }
    return dynamic->error ||
           (edge_dynamic_is_sure(edge) && edge_maps_show_leases(edge) && !edge_routes_lead_to(edge, dynamic->name));
}

static struct edge_backend *edge_dynamic_detach(struct edge *edge, const char *name)
{
    struct edge_backend *backend = edge_detach_backend(edge, name);
    if (backend && backend->route_open) {
        dynamics_note_routed(edge->dynamic.dynamics, name);
    }
    return backend;
}

static void edge_dynamic_go_on(struct edge *edge, const char *name)
{
    const struct dynamic dynamic = dynamics_get(edge->dynamic.dynamics, name);
    if (dynamic.state == DYNAMIC_WANTED && edge_dynamic_has_noted(edge)) {
        edge_dynamic_send_mode(edge);
        edge_dynamic_send(edge, BACKEND_COMMAND_ADD, &dynamic, NULL);
        dynamics_begin(edge->dynamic.dynamics, name);
    } else if (dynamic.state == DYNAMIC_ENDING && edge_dynamic_may_go(edge, &dynamic)) {
        edge_dynamic_send_mode(edge);
        edge_dynamic_send(edge, BACKEND_COMMAND_UNPUBLISH, &dynamic, NULL);
        edge_dynamic_send(edge, BACKEND_COMMAND_DELETE, &dynamic, edge_dynamic_detach(edge, name));
        dynamics_begin(edge->dynamic.dynamics, name);
    }
}

/* It only has to wake the loop. */
static void dynamic_wake(uv_timer_t *timer)
{
    (void)timer;
}

void edge_dynamic_run(struct edge *edge)
{
    struct dynamics *dynamics = edge->dynamic.dynamics;
    uint64_t now = uv_now(edge->engine->loop);
    const char *next = NULL;
    for (const char *name = dynamics_next_pending(dynamics, NULL); name; name = next) {
        next = dynamics_next_pending(dynamics, name);
        edge_dynamic_go_on(edge, name);
    }
    if (edge->dynamic.again_ms > now) {
        uv_timer_start(edge->dynamic.timer, dynamic_wake, edge->dynamic.again_ms - now, 0);
    }
    haproxy_connection_set_probe(edge->connection,
                                 dynamics_count(dynamics).there > 0 ? DYNAMIC_PROBE_MS : HAPROXY_PROBE_MS);
}

/* ---- complete answers ---- */

/* A refusal may have had a cause that is gone; who has a backend of a pool by now keeps that. */
static void edge_dynamic_review(struct edge *edge, const struct dynamic *dynamic)
{
    cleanup_free char *name = mem_strdup(dynamic->name);
    bool retries = dynamic->state == DYNAMIC_REFUSED && !leases_get(edge->leasing.leases, name);
    if (retries) {
        dynamics_forgive(edge->dynamic.dynamics, name);
    }
    if (retries || (dynamic->state == DYNAMIC_THERE && !services_get_backend(edge->engine->services, name) &&
                    edge_dynamic_is_sure(edge))) {
        edge_refresh_service(edge, name);
    }
}

void edge_dynamic_answered(struct edge *edge)
{
    struct dynamics *dynamics = edge->dynamic.dynamics;
    struct dynamics_counts counts = dynamics_count(dynamics);
    char **names = mem_alloc_array(counts.there + counts.coming + counts.refused, sizeof(*names));
    size_t count = 0;
    struct dynamic dynamic;
    for (size_t position = 0; dynamics_next(dynamics, &position, &dynamic);) {
        names[count++] = mem_strdup(dynamic.name);
    }
    for (size_t i = 0; i < count; i++) {
        dynamic = dynamics_get(dynamics, names[i]);
        edge_dynamic_review(edge, &dynamic);
        free(names[i]);
    }
    free(names);
}

/* ---- adoption ---- */

static void dynamic_forget_lacking(struct edge_dynamic *dynamic)
{
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&dynamic->lacking, &position));) {
        free(entry->value);
    }
    table_free(&dynamic->lacking);
}

static void dynamic_forget_present(struct edge_dynamic *dynamic)
{
    table_free(&dynamic->present);
    backend_names_free(dynamic->names, dynamic->n_names);
    dynamic->names = NULL;
    dynamic->n_names = 0;
    dynamic->known = false;
}

static void present_replied(void *arg, int err, const char *reply, size_t len)
{
    struct edge *edge = arg;
    cleanup_buf struct buf why = BUF_INIT;
    if (err) {
        return;
    }
    if (backend_names_parse(reply, len, &edge->dynamic.names, &edge->dynamic.n_names, &why)) {
        log_warning("haproxy", "%s: its backends cannot be read, and none is made: %s", edge->config->name,
                    buf_text(&why));
        return;
    }
    for (size_t i = 0; i < edge->dynamic.n_names; i++) {
        table_put(&edge->dynamic.present, edge->dynamic.names[i], edge);
    }
    edge->dynamic.known = true;
}

void edge_dynamic_read(struct edge *edge)
{
    dynamic_forget_present(&edge->dynamic);
    table_init(&edge->dynamic.present, edge->engine->seed);
    edge_dynamic_configure(edge);
    if (edge->capabilities.add_backend) {
        haproxy_connection_send(edge->connection, "show backend", present_replied, edge);
    }
}

void edge_dynamic_adopt(struct edge *edge)
{
    const struct edge_map *map = edge->maps[EDGE_MAP_LEASES];
    const struct map_content *content = map ? map->content : NULL;
    dynamics_clear(edge->dynamic.dynamics);
    for (size_t i = 0; content && i < content->count; i++) {
        const char *name = content->entries[i].key;
        if (strcmp(name, content->entries[i].value) == 0 && table_get(&edge->dynamic.present, name)) {
            dynamics_recover(edge->dynamic.dynamics, name);
            table_remove(&edge->dynamic.present, name);
            if (!edge_find_backend(edge, name)) {
                slots_observe(edge_ensure_backend(edge, name)->slots, NULL, 0, true);
            }
        }
    }
}

void edge_dynamic_configure(struct edge *edge)
{
    dynamic_forget_lacking(&edge->dynamic);
    table_init(&edge->dynamic.lacking, edge->engine->seed);
}

/* ---- life ---- */

void edge_dynamic_open(struct edge *edge)
{
    edge->dynamic.dynamics = dynamics_new(edge->engine->seed);
    table_init(&edge->dynamic.present, edge->engine->seed);
    table_init(&edge->dynamic.lacking, edge->engine->seed);
    edge->dynamic.timer = MEM_NEW(uv_timer_t);
    uv_timer_init(edge->engine->loop, edge->dynamic.timer);
}

void edge_dynamic_close(struct edge *edge)
{
    dynamic_forget_present(&edge->dynamic);
    dynamic_forget_lacking(&edge->dynamic);
    dynamics_free(edge->dynamic.dynamics);
    engine_close_handle((uv_handle_t *)edge->dynamic.timer);
}
