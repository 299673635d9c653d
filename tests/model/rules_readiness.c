/* SPDX-License-Identifier: MIT */
/* mapping.respect_readiness_checks: nobody takes traffic before its check says so, and who is old enough does. Judged
 * by what slotd was told. */
#include <string.h>

#include "rules_parts.h"

#define MARGIN_S 5
#define DEFAULT_S 10
#define ON_TIME (2 * SECOND) /* a slow turn, a plan that waits for another one, and the commands */

/* When the task is old enough to do without a result; NEVER: its age does not count. By slotd's clock. */
static int64_t old_enough_ms(const struct task *task)
{
    const struct app *app = &marathon.apps[task->app];
    const struct definition *definition = &app->history[0];
    const struct told *told = &task->told;
    bool is_listed = told->named > 0 && (told->ran_us == 0 || told->ran_listed || told->was_lost);
    bool is_fresh = told->fresh > 0 && !told->was_lost && told->fresh == app->told_deployment;
    /* Of a task that was started before its app had readiness checks no answer tells when. */
    if (!is_listed || is_fresh || told->result != RESULT_NONE || task->readiness_s == 0) {
        return NEVER;
    }
    int64_t timeout_s = definition->readiness_s > 0 ? definition->readiness_s + MARGIN_S : DEFAULT_S;
    return WALL_START + task->started_us / MS + timeout_s * 1000;
}

static bool task_is_ready(const struct task *task)
{
    const struct app *app = &marathon.apps[task->app];
    const struct told *told = &task->told;
    if (!app->is_told || app->history[0].readiness_s == 0) {
        return true;
    }
    if (told->ran_us > 0 && !told->ran_listed && !told->was_lost) {
        return false;
    }
    return app->told_deployment == 0 || told->result == RESULT_GOOD || engine_now_ms() >= old_enough_ms(task);
}

/* One that serves keeps serving while nothing is known, also at another port; so does one that had a slot when nobody
 * asked for readiness yet. */
bool task_may_serve(struct task *task)
{
    bool is_ready = task_is_ready(task);
    task->was_ready = task->was_ready || is_ready || task->told.since_us < sim.settings_us;
    return is_ready || (task->was_ready && task->told.result == RESULT_NONE);
}

/* One that is taken out to move serves until then: it may have taken a slot over that another task had left, unseen. */
void note_moving(const char *words, const struct backend *backend, const struct server *server)
{
    struct slot_view view;
    if (strcmp(words, "state maint") != 0 || !server_takes_new(server) || !view_of(backend, server, &view) ||
        !view.endpoint) {
        return;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        bool is_there = (task->ports[0] == server->port || task->ports[1] == server->port) &&
                        task->told.state == LIFE_RUNNING && host_is_at(task->host, server->address);
        task->was_ready = task->was_ready || (is_there && key_is_of(view.endpoint, task));
    }
}

/* Readiness counts, and what does has not changed just now. */
bool readiness_is_respected(void)
{
    return sim.settings.readiness && now_us() - sim.settings_us >= GONE_GRACE && now_us() - sim.clock_us >= GONE_GRACE;
}

void check_unready(const char *words, const struct backend *backend, const struct server *server)
{
    const struct task *unready = NULL;
    if (!readiness_is_respected()) {
        return;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if (!task_is_told_at(task, backend, server) || task->told.state != LIFE_RUNNING) {
            continue;
        }
        if (task_may_serve(task) || marathon.apps[task->app].is_posted ||
            slotd_order_covers(i, backend->name, server->name)) {
            return;
        }
        unready = task;
    }
    if (unready) {
        broken("unready", "%s/%s %s: %s is not ready as far as slotd was told (result %d, deployment %u, since %u)",
               backend->name, server->name, words, unready->id, (int)unready->told.result,
               marathon.apps[unready->app].told_deployment, unready->told.fresh);
    }
}

/* ---- on time ---- */

static bool task_is_served(const struct task *task, const struct part *part)
{
    char address[48];
    host_address(task->host, address, sizeof(address));
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            const struct backend *backend = &haproxy->backends[b];
            bool counts = backend->number == part->backend && slotd_edge(haproxy);
            size_t place = 0;
            size_t free_slots = 0;
            for (size_t i = 0; counts && i < backend->n_servers; i++) {
                const struct server *server = &backend->servers[i];
                counts = !server_is_tainted(server) &&
                         !slotd_order_covers((size_t)(task - marathon.tasks), backend->name, server->name);
                free_slots += server->idle_us > 0 && now_us() - server->idle_us > ON_TIME;
                place += server_takes_new(server) && server->port == task->ports[part->port_index] &&
                         strcmp(server->address, address) == 0;
            }
            if (counts && place == 0 && free_slots > 0 && now_us() - backend->upset_us > ON_TIME) {
                return false;
            }
        }
    }
    return true;
}

static bool world_was_calm(const struct task *task)
{
    const struct app *app = &marathon.apps[task->app];
    int64_t since = now_us() - 2 * ON_TIME;
    bool calm = task->told.since_us < since && app->moved_us < since && sim.settings_us < since &&
                sim.clock_us < since && marathon.names_us + 60 * SECOND < now_us();
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        calm = calm && (!slotd_edge(haproxy) || able_since(haproxy) < since);
    }
    return calm;
}

void check_on_time(void)
{
    int64_t now_ms = engine_now_ms();
    for (size_t i = 0; sim.settings.readiness && i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        const struct app *app = &marathon.apps[task->app];
        struct part parts[MAX_PARTS];
        if (task->told.state != LIFE_RUNNING || task->state != LIFE_RUNNING || !app->is_told || app->is_posted ||
            app->told_deployment == 0 || app->history[0].readiness_s == 0 || task->was_unhealthy ||
            task->told.absent > 0 || task->told.was_lost) {
            continue;
        }
        int64_t due_ms = old_enough_ms(task);
        if (due_ms == NEVER || now_ms < due_ms + ON_TIME / MS || !world_was_calm(task)) {
            continue;
        }
        size_t count = definition_parts(task->app, &app->history[0], parts);
        for (size_t p = 0; p < count; p++) {
            if (!task_is_served(task, &parts[p])) {
                broken("on-time", "%s was old enough to serve without a result %lld ms ago, and does not", task->id,
                       (long long)(now_ms - due_ms));
            }
        }
    }
}
