/* SPDX-License-Identifier: MIT */
/* What must hold after every step (design.md, "Rules that make it trustworthy"), judged by HAProxy's own state, by the
 * truth, and by what this slotd was told. */
#include <stdio.h>
#include <string.h>

#include "rules_parts.h"

static int64_t unknown_us[MAX_HOSTS]; /* when slotd last did not know a host's address */
static uint64_t checks;

void rules_reset(void)
{
    rules_reset_commands();
    rules_reset_asking();
    rules_reset_routes();
    memset(unknown_us, 0, sizeof(unknown_us));
}

/* ---- who is where ---- */

bool server_is_tainted(const struct server *server)
{
    return server->foreign_us > now_us();
}

/* The backend's part of that definition has this port of the task. */
static bool part_is_at(const struct task *task, const struct definition *definition, size_t backend, uint16_t port)
{
    struct part parts[MAX_PARTS];
    size_t count = definition_parts(task->app, definition, parts);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].backend == backend && task->ports[parts[i].port_index] == port) {
            return true;
        }
    }
    return false;
}

bool task_is_at(const struct task *task, const struct definition *definition, size_t service, const char *address,
                uint16_t port)
{
    bool has_port = task->ports[0] == port || task->ports[1] == port;
    return has_port && part_is_at(task, definition, service, port) && host_is_at(task->host, address);
}

bool task_is_told_at(const struct task *task, const struct backend *backend, const struct server *server)
{
    const struct app *app = &marathon.apps[task->app];
    if (!task->told.is_told) {
        return false;
    }
    return (app->is_told && task_is_at(task, &app->history[0], backend->number, server->address, server->port)) ||
           (app->is_posted && task_is_at(task, &app->posted, backend->number, server->address, server->port));
}

const struct edge *slotd_edge(const struct haproxy *haproxy)
{
    for (size_t i = 0; slotd && i < slotd->n_edges; i++) {
        /* They are made one after another. */
        if (slotd->edges[i] && strcmp(slotd->edges[i]->config->socket, haproxy->socket) == 0) {
            return slotd->edges[i];
        }
    }
    return NULL;
}

static const struct edge_backend *slotd_backend(const struct backend *backend)
{
    const struct edge *edge = slotd_edge(backend->haproxy);
    return edge ? edge_find_backend(edge, backend->name) : NULL;
}

bool view_of(const struct backend *backend, const struct server *server, struct slot_view *ret_view)
{
    const struct edge_backend *known = slotd_backend(backend);
    for (size_t i = 0; known && i < slots_count(known->slots); i++) {
        struct slot_view view = slots_view(known->slots, i);
        if (strcmp(view.observed->server, server->name) == 0) {
            *ret_view = view;
            return true;
        }
    }
    return false;
}

/* An orphan whose task has a host that slotd could not look up yet. */
static bool host_is_unknown(size_t host)
{
    char name[64];
    char literal[SLOTS_MAX_ADDRESS];
    host_name(host, name, sizeof(name));
    return !resolver_peek(slotd->resolver, name, literal);
}

static void note_unknown_hosts(void)
{
    for (size_t i = 3; sim.profile.names && i < MAX_HOSTS; i++) {
        if (!slotd || host_is_unknown(i)) {
            unknown_us[i] = now_us();
        }
    }
}

/* slotd can know of what happened, and can do something: it is connected, and both sides run. */
int64_t able_since(struct haproxy *haproxy)
{
    const struct edge *edge = slotd_edge(haproxy);
    bool able = edge && edge->adopted && slotd->feed.answered && haproxy->is_up &&
                now_us() >= haproxy->frozen_until_us && !loop_is_frozen();
    if (!able) {
        haproxy->quiet_us = now_us();
    }
    return haproxy->quiet_us > sim.quiet_us ? haproxy->quiet_us : sim.quiet_us;
}

/* ---- nothing points at a task that is gone ---- */

bool serves_elsewhere(const struct backend *backend, const struct server *server)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *other = &backend->servers[i];
        if (other != server && server_takes_new(other) && other->weight > 0 && other->port == server->port &&
            strcmp(other->address, server->address) == 0) {
            return true;
        }
    }
    return false;
}

/* An answer sent after its end has lacked it, and only then HAProxy came and showed the slot: it is nobody's. */
static bool is_nobodys(const struct task *task, const struct backend *backend, const struct server *server)
{
    struct slot_view view;
    bool is_forgotten = !table_get(&slotd->feed.cluster->tasks, task->id);
    /* Nobody asks for the address of a name that only tasks have that are over. */
    bool is_named = sim.profile.names && task->host >= 3;
    return (is_forgotten || is_named) && view_of(backend, server, &view) && view.state == SLOT_ORPHAN;
}

/* As far as slotd knows. */
static bool resolves_to(size_t host, const char *address)
{
    char name[64];
    char literal[SLOTS_MAX_ADDRESS];
    host_name(host, name, sizeof(name));
    const char *known = resolver_peek(slotd->resolver, name, literal);
    return known && strcmp(known, address) == 0;
}

bool key_is_of(const char *key, const struct task *task)
{
    size_t len = strlen(task->id);
    return strncmp(key, task->id, len) == 0 && key[len] == ' ';
}

/* It has the address now, and has never been ready. */
static bool is_unready(struct task *task)
{
    return readiness_is_respected() && task->told.state == LIFE_RUNNING && !task_may_serve(task);
}

static void check_gone(const struct backend *backend, struct server *server, int64_t since)
{
    const struct task *gone = NULL;
    const struct task *next = NULL;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        bool is_posted = marathon.apps[task->app].is_posted;
        if (!task_is_told_at(task, backend, server)) {
            continue;
        }
        if (!is_posted && is_unready(task)) {
            next = task;
            continue;
        }
        if (is_posted || task->told.over_us == 0 || task->told.state != LIFE_OVER) {
            return; /* somebody else is there, as far as slotd knows */
        }
        if (!slotd || !resolves_to(task->host, server->address) || is_nobodys(task, backend, server)) {
            server->excused_us = now_us();
            return;
        }
        gone = !gone || gone->told.over_us < task->told.over_us ? task : gone;
    }
    /* Where somebody serves who is not ready may be his own from before, as far as slotd can know. */
    if (!gone || (next && (!key_is_of(server->endpoint, gone) || gone->told.over_us < since))) {
        return;
    }
    int64_t from = gone->told.over_us > since ? gone->told.over_us : since;
    from = from > server->ready_us ? from : server->ready_us;
    from = from > server->excused_us ? from : server->excused_us;
    from = from > backend->upset_us ? from : backend->upset_us;
    for (size_t i = 0; i < MAX_APPS; i++) {
        from = from > marathon.apps[i].moved_us ? from : marathon.apps[i].moved_us;
    }
    from = from > marathon.names_us ? from : marathon.names_us;
    from = from > unknown_us[gone->host] ? from : unknown_us[gone->host];
    if (now_us() - from > GONE_GRACE) {
        struct slot_view view = {0};
        (void)view_of(backend, server, &view);
        broken("gone",
               "%s/%s takes new requests at %s:%u, where %s was: slotd was told of its end %lld ms ago (%s%s%s)",
               backend->name, server->name, server->address, (unsigned)server->port, gone->id,
               (long long)((now_us() - gone->told.over_us) / MS), slot_state_text(view.state),
               view.endpoint ? ", of " : "", view.endpoint ? view.endpoint : "");
    }
}

static void check_backend(struct backend *backend, int64_t since)
{
    if (backend->must_serve && backend->upset_us < backend->must_serve && count_serving(backend) == 0) {
        broken("dark", "nobody serves in %s of %s any more", backend->name, backend->haproxy->socket);
    }
    for (size_t i = 0; i < backend->n_servers; i++) {
        struct server *server = &backend->servers[i];
        if (!server_takes_new(server)) {
            server->ready_us = 0;
            continue;
        }
        server->ready_us = server->ready_us ? server->ready_us : now_us();
        if (!server_is_tainted(server) && now_us() - since > GONE_GRACE) {
            check_gone(backend, server, since);
        }
    }
}

static void check_servers(void)
{
    note_unknown_hosts();
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        int64_t since = able_since(haproxy);
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            check_backend(&haproxy->backends[b], since);
        }
    }
}

/* ---- never two ---- */

static void check_pairs(const struct edge_backend *backend)
{
    const char *keys[MAX_SLOTS];
    size_t count = 0;
    for (size_t i = 0; i < slots_count(backend->slots); i++) {
        struct slot_view view = slots_view(backend->slots, i);
        if (!view.endpoint || view.state == SLOT_LEAVING || view.state == SLOT_UNKNOWN) {
            continue;
        }
        long place = slots_find_endpoint(backend->slots, view.endpoint);
        for (size_t k = 0; k < count; k++) {
            if (strcmp(keys[k], view.endpoint) == 0 && place >= 0) {
                broken("two", "%s is in two slots of %s", view.endpoint, backend->name);
            }
        }
        if (place >= 0 && (size_t)place != i) {
            broken("two", "%s is in slot %ld of %s, and in %s", view.endpoint, place, backend->name,
                   view.observed->server);
        }
        keys[count++] = view.endpoint;
    }
}

static void check_bounds(void)
{
    const struct cluster *cluster = slotd->feed.cluster;
    struct cluster_counts counts = cluster_count(cluster);
    if (slotd->feed.single.count > MAX_APPS || slotd->feed.absent.count > MAX_APPS) {
        broken("bounded", "%zu fetches of single apps", slotd->feed.single.count);
    }
    if (counts.apps > MAX_APPS || counts.tasks > marathon.n_tasks || cluster->instances.count > marathon.n_tasks) {
        broken("bounded", "the cluster has %zu apps and %zu tasks", counts.apps, counts.tasks);
    }
    for (size_t i = 0; i < slotd->n_edges; i++) {
        if (slotd->edges[i] && slotd->edges[i]->in_flight > 8 * MAX_BACKENDS * MAX_SLOTS) {
            broken("bounded", "%zu commands are on their way", slotd->edges[i]->in_flight);
        }
    }
}

bool rules_task_is_kept(const struct task *task)
{
    return slotd && table_get(&slotd->feed.cluster->tasks, task->id);
}

bool rules_app_is_kept(size_t app)
{
    char id[8];
    (void)snprintf(id, sizeof(id), "/a%u", (unsigned)app % 100);
    const struct known_app *known = slotd ? table_get(&slotd->feed.cluster->apps, id) : NULL;
    return !slotd || (known && known->has_definition);
}

/* Whom so many complete answers lack, with nothing newer that tells of him, goes unless the guard holds him. */
static void check_lacked(void)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct told *told = &marathon.tasks[i].told;
        const struct known_task *known =
            told->absent >= CONFIRMATIONS ? table_get(&slotd->feed.cluster->tasks, marathon.tasks[i].id) : NULL;
        if (known && !known->held && known->task->state != MARATHON_TASK_TERMINAL) {
            broken("lacked", "%s is still there, though %u complete answers in a row lack it", marathon.tasks[i].id,
                   told->absent);
        }
    }
}

void rules_check(void)
{
    rules_note_backends();
    check_servers();
    if (!slotd || checks++ % 4 != 0) {
        return;
    }
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            const struct edge_backend *backend = slotd_backend(&haproxy->backends[b]);
            if (backend) {
                check_pairs(backend);
            }
        }
    }
    check_bounds();
    check_lacked();
    check_asking();
    check_refusals();
    if (sim.profile.maps) {
        rules_check_routes();
        rules_close_routes();
    }
    if (checks % 64 == 1) {
        check_on_time();
        check_kept();
    }
}
