/* SPDX-License-Identifier: MIT */
/* What must hold after every step (design.md, "Rules that make it trustworthy"), judged by HAProxy's own state, by the
 * truth, and by what this slotd was told. */
#include <stdio.h>
#include <string.h>

#include "../../agent/engine/engine_private.h"
#include "../../agent/marathon/cluster_private.h"
#include "model.h"
#include "slotd/mem.h"

#define GONE_GRACE (400 * MS)    /* a slow turn of the loop, a batch under way, a read-back, and the command */
#define CALM_BEFORE (4 * SECOND) /* what health did before may not be known to slotd yet */
#define CONFIRMATIONS 2

static int64_t confirmed_us;
static int64_t unknown_us[MAX_HOSTS]; /* when slotd last did not know a host's address */
static uint64_t checks;

/* What was before a command. */
static struct {
    struct server server;
    size_t carrying;
    bool others_passed; /* one that carries, has passed a check, and stays */
} before;

/* One removal that absence alone explains. */
static struct {
    int64_t answer_us;
    size_t count, had;
} absences;

void rules_reset(void)
{
    memset(&before, 0, sizeof(before));
    memset(&absences, 0, sizeof(absences));
    confirmed_us = 0;
    memset(unknown_us, 0, sizeof(unknown_us));
}

void rules_note_confirm(void)
{
    confirmed_us = now_us();
}

/* ---- who is where ---- */

static bool server_is_tainted(const struct server *server)
{
    return server->foreign_us > now_us();
}

/* By the definition that slotd was told of last. */
static bool task_is_at(const struct task *task, const struct definition *definition, const struct backend *backend,
                       const char *address, uint16_t port)
{
    char text[48];
    app_backend(&marathon.apps[task->app], definition, text, sizeof(text));
    if (strcmp(text, backend->name) != 0 || task->ports[definition->port_index] != port) {
        return false;
    }
    return host_is_at(task->host, address);
}

static bool task_is_told_at(const struct task *task, const struct backend *backend, const struct server *server)
{
    const struct app *app = &marathon.apps[task->app];
    if (!task->told.is_told) {
        return false;
    }
    return (app->is_told && task_is_at(task, &app->history[0], backend, server->address, server->port)) ||
           (app->is_posted && task_is_at(task, &app->posted, backend, server->address, server->port));
}

static struct edge_backend *slotd_backend(const char *name)
{
    return slotd && slotd->n_edges > 0 ? edge_find_backend(slotd->edges[0], name) : NULL;
}

static bool view_of(const struct backend *backend, const struct server *server, struct slot_view *ret_view)
{
    const struct edge_backend *known = slotd_backend(backend->name);
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
static int64_t able_since(void)
{
    bool able = slotd && slotd->n_edges > 0 && slotd->edges[0]->adopted && slotd->feed.answered && haproxy.is_up &&
                now_us() >= haproxy.frozen_until_us && !loop_is_frozen();
    if (!able) {
        sim.quiet_us = now_us();
    }
    return sim.quiet_us;
}

/* ---- nothing points at a task that is gone ---- */

static bool serves_elsewhere(const struct backend *backend, const struct server *server)
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

static void check_gone(const struct backend *backend, struct server *server, int64_t since)
{
    const struct task *gone = NULL;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        bool is_posted = marathon.apps[task->app].is_posted;
        if (!task_is_told_at(task, backend, server)) {
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
    if (!gone) {
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

static void check_servers(void)
{
    int64_t since = able_since();
    note_unknown_hosts();
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        struct backend *backend = &haproxy.backends[b];
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
    if (slotd->n_edges > 0 && slotd->edges[0]->in_flight > 8 * MAX_BACKENDS * MAX_SLOTS) {
        broken("bounded", "%zu commands are on their way", slotd->edges[0]->in_flight);
    }
}

void rules_check(void)
{
    check_servers();
    if (!slotd || checks++ % 4 != 0) {
        return;
    }
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        const struct edge_backend *backend = slotd_backend(haproxy.backends[b].name);
        if (backend) {
            check_pairs(backend);
        }
    }
    check_bounds();
}

/* ---- commands ---- */

static bool server_stays(const struct backend *backend, const struct server *server)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        if (task_is_told_at(task, backend, server) && task->told.state == LIFE_RUNNING && !task->was_unhealthy &&
            !slotd_order_covers(i, backend->name, server->name)) {
            return true;
        }
    }
    return false;
}

static bool backend_is_calm(const struct backend *backend)
{
    bool calm = now_us() - backend->upset_us > CALM_BEFORE && now_us() - sim.quiet_us > CALM_BEFORE;
    for (size_t i = 0; i < backend->n_servers; i++) {
        calm = calm && !server_is_tainted(&backend->servers[i]);
    }
    return calm;
}

void rules_sent(const char *words, const struct backend *backend, const struct server *server)
{
    if (slotd && !slotd->feed.answered) {
        broken("guess", "%s/%s %s: Marathon has not said everything once yet", backend->name, server->name, words);
    }
}

void rules_before(const char *words, struct backend *backend, struct server *server)
{
    before.server = *server;
    before.carrying = count_carrying(backend);
    before.others_passed = false;
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *other = &backend->servers[i];
        struct slot_view view;
        bool is_known =
            now_us() - backend->command_us > 2 * SECOND || (view_of(backend, other, &view) && view.state == SLOT_READY);
        before.others_passed = before.others_passed || (is_known && other != server && server_carries(backend, other) &&
                                                        other->has_passed && server_stays(backend, other));
    }
    if (strcmp(words, "health up") != 0 && strncmp(words, "weight ", 7) != 0) {
        backend->command_us = now_us();
    }
}

static void check_address(const char *words, const struct backend *backend, struct server *server)
{
    if (strncmp(words, "addr ", 5) != 0) {
        return;
    }
    if (!server_in_maint(&before.server) && !server_is_tainted(server)) {
        broken("maint-before-move", "%s/%s moves while it is not in maint: %s", backend->name, server->name, words);
    }
    struct slot_view own = {0};
    bool is_own = view_of(backend, server, &own) && own.endpoint && strcmp(own.endpoint, server->endpoint) == 0;
    (void)snprintf(server->endpoint, sizeof(server->endpoint), "%s", own.endpoint ? own.endpoint : "");
    /* One without sessions would have been there, unless it is the sessions' own task that moves. */
    for (size_t i = 0; server->sessions > 0 && !is_own && i < backend->n_servers; i++) {
        const struct server *other = &backend->servers[i];
        char name[64];
        (void)snprintf(name, sizeof(name), "%s/%s", backend->name, other->name);
        if (slotd_drains_slot(name)) {
            continue;
        }
        struct slot_view view;
        if (view_of(backend, other, &view) && view.state == SLOT_FREE && !view.busy && other->sessions == 0 &&
            server_in_maint(other) && other->idle_us && now_us() - other->idle_us > 2 * SECOND &&
            backend_is_calm(backend)) {
            broken("idle-first", "%s/%s has %lld sessions and moves, and %s has none", backend->name, server->name,
                   (long long)server->sessions, other->name);
        }
    }
}

static bool apps_moved_lately(void)
{
    bool moved = false;
    for (size_t i = 0; i < MAX_APPS; i++) {
        moved = moved || (marathon.apps[i].moved_us && now_us() - marathon.apps[i].moved_us < GONE_GRACE);
    }
    return moved;
}

static void check_ready(const char *words, const struct backend *backend, const struct server *server)
{
    bool known = false;
    if (strcmp(words, "state ready") != 0 || !server_in_maint(&before.server) || server_is_tainted(server)) {
        return;
    }
    if (server->is_pending) {
        broken("read-back", "%s/%s is made ready before its address is there", backend->name, server->name);
    }
    for (size_t i = 0; i < marathon.n_tasks && !known; i++) {
        known = task_is_told_at(&marathon.tasks[i], backend, server);
    }
    if (!known && now_us() - sim.quiet_us > GONE_GRACE && now_us() - backend->upset_us > GONE_GRACE &&
        !apps_moved_lately()) {
        broken("address", "%s/%s is made ready at %s:%u, where slotd was told of nobody", backend->name, server->name,
               server->address, (unsigned)server->port);
    }
}

/* Nobody takes traffic before its first check while others do that stay. */
static void check_checked(const struct backend *backend, const struct server *server)
{
    bool carried = server_carries(backend, &before.server);
    bool would = !server_in_maint(&before.server);
    if (backend->checked && server_carries(backend, server) && !carried && !would && !server->has_passed &&
        before.others_passed && backend_is_calm(backend) && !server_is_tainted(server)) {
        broken("checked-start", "%s/%s takes traffic before its first check, and others are up", backend->name,
               server->name);
    }
}

/* HEALTH_UP, too. */
static void check_hurry(const char *words, const struct backend *backend, const struct server *server)
{
    if (strcmp(words, "health up") == 0 && server_carries(backend, server) && !server->has_passed &&
        before.server.op_state == 0 && before.others_passed && backend_is_calm(backend)) {
        broken("checked-start", "%s/%s is called up before its first check, and others are up", backend->name,
               server->name);
    }
}

static const char *reason_to_remove(size_t number, const struct backend *backend, const struct server *server)
{
    const struct task *task = &marathon.tasks[number];
    const struct told *told = &task->told;
    const struct app *app = &marathon.apps[task->app];
    if (told->is_told && told->state != LIFE_RUNNING) {
        return "told";
    }
    if (slotd_order_covers(number, backend->name, server->name)) {
        return "order";
    }
    if (sim.profile.drain_unhealthy && task->was_unhealthy) {
        return "unhealthy";
    }
    if (confirmed_us > 0 && now_us() - confirmed_us < 10 * SECOND) {
        return "confirmed";
    }
    if (told->absent >= CONFIRMATIONS) {
        return "absent";
    }
    if (app->is_told && !task_is_at(task, &app->history[0], backend, server->address, server->port)) {
        return "definition";
    }
    if (task->host >= 3 && marathon.names_us && now_us() - marathon.names_us < 60 * SECOND) {
        return "name";
    }
    if (app->moved_us && now_us() - app->moved_us < SECOND) {
        return "definition";
    }
    return NULL;
}

/* The slot is that of another task, which had the address before, and left for a reason of its own. */
static bool another_leaves(const struct server *server, const struct task *task)
{
    size_t len = strcspn(server->endpoint, " ");
    for (size_t i = 0; len > 0 && i < marathon.n_tasks; i++) {
        const struct task *owner = &marathon.tasks[i];
        if (owner != task && strlen(owner->id) == len && strncmp(owner->id, server->endpoint, len) == 0) {
            return !owner->told.is_told || owner->told.state != LIFE_RUNNING || owner->told.absent >= CONFIRMATIONS;
        }
    }
    return false;
}

/* The command may be older than what was told. */
static bool was_told_just_now(const struct task *task)
{
    int64_t late = now_us() - sim.quiet_us < GONE_GRACE ? 15 * SECOND : GONE_GRACE;
    return task->told.is_told && now_us() - task->told.since_us < late;
}

/* Contract: what only answers lack goes when it is not too much at once. A margin is left for what comes and goes at
 * the same time. */
static void check_guard(const struct task *task)
{
    int64_t answer_us = task->told.absent_us;
    if (absences.answer_us != answer_us) {
        absences.answer_us = answer_us;
        absences.count = 0;
        absences.had = 1;
        for (size_t b = 0; b < haproxy.n_backends; b++) {
            absences.had += count_carrying(&haproxy.backends[b]);
        }
    }
    absences.count++;
    if (absences.had >= 12 && absences.count * 100 > absences.had * ((size_t)sim.profile.max_removal_percent + 25)) {
        broken("guard", "%zu of %zu tasks that run leave since answers lack them", absences.count, absences.had);
    }
}

/* Rule 4: doubt keeps traffic. */
static void check_doubt(const char *words, const struct backend *backend, const struct server *server)
{
    bool out = server_takes_new(&before.server) && before.server.weight > 0 &&
               (!server_takes_new(server) || server->weight == 0);
    if (!out || server_is_tainted(server) || serves_elsewhere(backend, &before.server)) {
        return;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        const struct app *app = &marathon.apps[task->app];
        if (task->state != LIFE_RUNNING || !task_is_at(task, app->is_told ? &app->history[0] : &app->definition,
                                                       backend, before.server.address, before.server.port)) {
            continue;
        }
        const char *reason = reason_to_remove(i, backend, server);
        if (!reason && (another_leaves(&before.server, task) || was_told_just_now(task))) {
            continue;
        }
        if (!reason && !task->told.is_told && now_us() - backend->upset_us < CALM_BEFORE) {
            return; /* somebody else's doing, or an old state file */
        }
        if (!reason) {
            broken("doubt", "%s/%s %s: %s runs there, and nobody said otherwise", backend->name, server->name, words,
                   task->id);
            return;
        }
        tell("rules", "%s leaves: %s", task->id, reason);
        if (strcmp(reason, "absent") == 0) {
            check_guard(task);
        }
    }
}

/* The last one that is up is not drained by Marathon's word. */
static void check_last(const char *words, const struct backend *backend, const struct server *server)
{
    if (strcmp(words, "state drain") != 0 || !server_carries(backend, &before.server) || count_carrying(backend) > 0 ||
        !backend_is_calm(backend)) {
        return;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        if (task_is_told_at(&marathon.tasks[i], backend, server) &&
            slotd_order_covers(i, backend->name, server->name)) {
            return;
        }
    }
    broken("last", "%s/%s was the last one that is up, and drains", backend->name, server->name);
}

void rules_after(const char *words, struct backend *backend, struct server *server)
{
    if (server_in_maint(server) && server->sessions == 0) {
        server->idle_us = server->idle_us ? server->idle_us : now_us();
    } else {
        server->idle_us = 0;
    }
    check_address(words, backend, server);
    if (strcmp(words, "state ready") == 0) {
        struct slot_view view = {0};
        (void)view_of(backend, server, &view);
        (void)snprintf(server->endpoint, sizeof(server->endpoint), "%s", view.endpoint ? view.endpoint : "");
    }
    check_ready(words, backend, server);
    check_checked(backend, server);
    check_hurry(words, backend, server);
    check_doubt(words, backend, server);
    check_last(words, backend, server);
}

/* ---- at the end ---- */

struct duty {
    char address[56];
    bool is_met;
};

static char *find_backend_difference(const struct backend *backend)
{
    struct duty duties[MAX_TASKS];
    size_t n_duties = 0;
    size_t serving = 0;
    size_t met = 0;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        const struct app *app = &marathon.apps[task->app];
        char text[48];
        app_backend(app, &app->definition, text, sizeof(text));
        if (task->state != LIFE_RUNNING || !app->exists || strcmp(text, backend->name) != 0 ||
            slotd_drains(i, backend->name, NULL)) {
            continue;
        }
        host_address(task->host, text, sizeof(text));
        (void)snprintf(duties[n_duties].address, sizeof(duties[0].address), "%s:%u", text,
                       (unsigned)task->ports[app->definition.port_index]);
        duties[n_duties++].is_met = false;
    }
    size_t usable = 0;
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        char name[64];
        char address[56];
        (void)snprintf(name, sizeof(name), "%s/%s", backend->name, server->name);
        usable += !slotd_drains_slot(name);
        if (!server_takes_new(server)) {
            continue;
        }
        serving++;
        (void)snprintf(address, sizeof(address), "%s:%u", server->address, (unsigned)server->port);
        bool found = false;
        for (size_t k = 0; k < n_duties && !found; k++) {
            if (strcmp(duties[k].address, address) == 0 && !duties[k].is_met) {
                duties[k].is_met = found = true;
                met++;
            }
        }
        if (!found) {
            return mem_printf("%s serves %s, which should not be served", name, address);
        }
        if (server->weight == 0 || server->op_state == 0) {
            return mem_printf("%s serves %s with weight %u, %s", name, address, (unsigned)server->weight,
                              server->op_state ? "up" : "down");
        }
    }
    size_t should = n_duties < backend->n_servers ? n_duties : backend->n_servers;
    if (usable == backend->n_servers ? met != should : met + backend->n_servers - usable < should) {
        return mem_printf("%s: %zu serve, %zu should, on %zu slots", backend->name, met, n_duties, backend->n_servers);
    }
    return NULL;
}

char *rules_find_difference(void)
{
    if (!slotd || !slotd->feed.answered || slotd->n_edges == 0 || !edge_is_settled(slotd->edges[0])) {
        return mem_strdup("slotd is not settled");
    }
    if (cluster_held(slotd->feed.cluster) > 0 || slotd->edges[0]->orphans_held > 0) {
        return mem_printf("the guard holds %zu tasks and %zu orphans", cluster_held(slotd->feed.cluster),
                          slotd->edges[0]->orphans_held);
    }
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        char *difference = find_backend_difference(&haproxy.backends[b]);
        if (difference) {
            return difference;
        }
    }
    return NULL;
}
