/* SPDX-License-Identifier: MIT */
/* What must hold of every command, before and after it is executed. */
#include <stdio.h>
#include <string.h>

#include "rules_parts.h"

#define CALM_BEFORE (4 * SECOND) /* what health did before may not be known to slotd yet */

static int64_t confirmed_us;

/* What was before a command. */
static struct {
    const struct wire *wire;
    struct server server;
    size_t carrying;
    bool others_passed; /* one that carries, has passed a check, and stays */
} before;

/* One removal that absence alone explains. */
static struct {
    const struct haproxy *haproxy;
    int64_t answer_us;
    size_t count, had;
} absences;

void rules_reset_commands(void)
{
    memset(&before, 0, sizeof(before));
    memset(&absences, 0, sizeof(absences));
    confirmed_us = 0;
}

void rules_note_confirm(void)
{
    confirmed_us = now_us();
}

static bool server_stays(const struct backend *backend, const struct server *server)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        if (task_is_told_at(task, backend, server) && task->told.state == LIFE_RUNNING && !task->was_unhealthy &&
            task->told.absent < CONFIRMATIONS && task->told.result != RESULT_BAD &&
            !slotd_order_covers(i, backend->name, server->name)) {
            return true;
        }
    }
    return false;
}

static bool backend_is_calm(const struct backend *backend)
{
    bool calm = now_us() - backend->upset_us > CALM_BEFORE && now_us() - able_since(backend->haproxy) > CALM_BEFORE;
    for (size_t i = 0; i < backend->n_servers; i++) {
        calm = calm && !server_is_tainted(&backend->servers[i]);
    }
    return calm;
}

void rules_sent(const char *words, const struct haproxy *haproxy, const char *name)
{
    if (slotd && !slotd_edge(haproxy)) {
        broken("configured", "%s%s: slotd is not configured for %s", name, words, haproxy->socket);
    }
    if (slotd && !slotd->feed.answered) {
        broken("guess", "%s%s: Marathon has not said everything once yet", name, words);
    }
}

void rules_before(const struct wire *wire, const char *words, struct backend *backend, struct server *server)
{
    rules_note_backends();
    before.wire = wire;
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
    rules_check_move(words, backend);
    note_moving(words, backend, server);
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
    bool lives = false;
    if (strcmp(words, "state ready") != 0 || !server_in_maint(&before.server) || server_is_tainted(server)) {
        return;
    }
    if (server->is_pending) {
        broken("read-back", "%s/%s is made ready before its address is there", backend->name, server->name);
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        bool is_there = task_is_told_at(task, backend, server);
        known = known || is_there;
        bool is_lost = task->told.absent >= CONFIRMATIONS && now_us() - task->told.absent_us > GONE_GRACE;
        lives = lives || (is_there && !is_lost);
    }
    if (slotd && known && !lives && !before.wire->is_older && cluster_held(slotd->feed.cluster) == 0) {
        broken("revived", "%s/%s is made ready at %s:%u, where answers lack everybody", backend->name, server->name,
               server->address, (unsigned)server->port);
    }
    if (!known && now_us() - able_since(backend->haproxy) > GONE_GRACE && now_us() - backend->upset_us > GONE_GRACE &&
        !apps_moved_lately() && now_us() - backend->renumbered_us > GONE_GRACE) {
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
    if (told->result == RESULT_BAD && (sim.settings.readiness || now_us() - sim.settings_us < SECOND)) {
        return "not ready";
    }
    if (slotd_order_covers(number, backend->name, server->name)) {
        return "order";
    }
    if ((sim.settings.drain_unhealthy || now_us() - sim.settings_us < SECOND) && task->was_unhealthy) {
        return "unhealthy";
    }
    if (confirmed_us > 0 && now_us() - confirmed_us < 10 * SECOND) {
        return "confirmed";
    }
    if (told->absent >= CONFIRMATIONS) {
        return "absent";
    }
    if (app->is_told && !task_is_at(task, &app->history[0], backend->number, server->address, server->port)) {
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
static bool was_told_just_now(const struct task *task, const struct backend *backend)
{
    int64_t late = now_us() - able_since(backend->haproxy) < GONE_GRACE ? 15 * SECOND : GONE_GRACE;
    int64_t told_us = task->told.since_us > task->told.found_us ? task->told.since_us : task->told.found_us;
    return task->told.is_told && now_us() - told_us < late;
}

/* Contract: what only answers lack goes when it is not too much at once. A margin is left for what comes and goes at
 * the same time. */
static void check_guard(const struct task *task, const struct backend *backend)
{
    int64_t answer_us = task->told.absent_us;
    if (absences.answer_us != answer_us || absences.haproxy != backend->haproxy) {
        absences.haproxy = backend->haproxy;
        absences.answer_us = answer_us;
        absences.count = 0;
        absences.had = 1;
        for (size_t b = 0; b < backend->haproxy->n_backends; b++) {
            absences.had += count_carrying(&backend->haproxy->backends[b]);
        }
    }
    absences.count++;
    if (absences.had >= 12 && absences.count * 100 > absences.had * ((size_t)sim.settings.max_removal_percent + 25)) {
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
                                                       backend->number, before.server.address, before.server.port)) {
            continue;
        }
        const char *reason = reason_to_remove(i, backend, server);
        if (!reason && (another_leaves(&before.server, task) || was_told_just_now(task, backend))) {
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
            check_guard(task, backend);
        }
    }
}

static bool backend_has_endpoint(const struct backend *backend, const struct task *task)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        if (key_is_of(backend->servers[i].endpoint, task)) {
            return true;
        }
    }
    return false;
}

static bool backend_has_room(const struct backend *backend)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        struct slot_view view;
        if (view_of(backend, server, &view) && view.state == SLOT_FREE && server_in_maint(server) && !view.busy &&
            server->sessions == 0) {
            return true;
        }
    }
    return false;
}

/* Somebody who is to serve in the backend, and whom slotd has not given a server there yet. */
static const struct task *find_awaited(const struct backend *backend)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        const struct app *app = &marathon.apps[task->app];
        struct part parts[MAX_PARTS];
        size_t count = app->is_told ? definition_parts(task->app, &app->history[0], parts) : 0;
        bool counts = task->told.is_told && task->told.state == LIFE_RUNNING && task->told.absent < CONFIRMATIONS &&
                      !task->was_unhealthy && app->history[0].readiness_s == 0 && !app->is_posted &&
                      (task->host < 3 || !sim.profile.names) && !slotd_order_covers(i, backend->name, "");
        for (size_t p = 0; counts && p < count; p++) {
            if (parts[p].backend == backend->number && !backend_has_endpoint(backend, task)) {
                return task;
            }
        }
    }
    return NULL;
}

/* By the definition in force, as it is configured: one that is posted alone does not say so yet. */
static bool app_is_excluded(const struct app *app)
{
    struct part parts[MAX_PARTS];
    return app->is_told && definition_parts(app_number(app), &app->history[0], parts) == 0;
}

/* Whose it is as far as slotd was told; its end, or an operator's word, explains that it goes. */
static const struct task *find_owner(const struct backend *backend, const struct server *server, bool *ret_explained)
{
    const struct task *owner = NULL;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        if (!key_is_of(server->endpoint, task) && !task_is_told_at(task, backend, server)) {
            continue;
        }
        *ret_explained =
            *ret_explained || task->told.state == LIFE_OVER || slotd_order_covers(i, backend->name, server->name);
        if (task_is_told_at(task, backend, server) && task->told.was_running && task->told.absent < CONFIRMATIONS &&
            task->told.result != RESULT_BAD && !app_is_excluded(&marathon.apps[task->app])) {
            owner = task;
        }
    }
    return owner;
}

/* The last one that is up serves until its task is over, or until somebody else does. Where all slots are taken one has
 * to go so that another can come. */
static void check_last(const char *words, const struct backend *backend, const struct server *server)
{
    bool explained = strncmp(words, "health", 6) == 0 || (confirmed_us > 0 && now_us() - confirmed_us < 10 * SECOND);
    if (!server_carries(backend, &before.server) || count_carrying(backend) > 0 || !backend_is_calm(backend) ||
        !backend_has_room(backend)) {
        return;
    }
    const struct task *owner = find_owner(backend, &before.server, &explained);
    const struct task *awaited = find_awaited(backend);
    if (!explained && (owner || awaited)) {
        broken("last", "%s/%s was the last one that is up: %s; %s %s", backend->name, server->name, words,
               owner ? owner->id : awaited->id, owner ? "is not over" : "is on its way");
    }
}

void rules_after(const char *words, struct backend *backend, struct server *server)
{
    if (server_in_maint(server) && server->sessions == 0) {
        server->idle_us = server->idle_us ? server->idle_us : now_us();
    } else {
        server->idle_us = 0;
    }
    rules_note_move(words, backend, server);
    check_address(words, backend, server);
    if (strcmp(words, "state ready") == 0) {
        struct slot_view view = {0};
        (void)view_of(backend, server, &view);
        (void)snprintf(server->endpoint, sizeof(server->endpoint), "%s", view.endpoint ? view.endpoint : "");
    }
    check_ready(words, backend, server);
    if (strcmp(words, "state ready") == 0 && server_in_maint(&before.server) && !server_is_tainted(server)) {
        check_unready(words, backend, server);
    }
    check_checked(backend, server);
    check_hurry(words, backend, server);
    check_doubt(words, backend, server);
    check_last(words, backend, server);
    if (server_takes_new(&before.server) && (!server_takes_new(server) || server->weight == 0)) {
        rules_check_route_first(before.wire, words, backend, server);
    }
}
