/* SPDX-License-Identifier: MIT */
/* A HAProxy: its servers, their checks and sessions, and who else lays hands on them. Facts were measured on
 * HAProxy 2.4 to 3.4. */
#include <stdio.h>
#include <string.h>

#include "haproxy_parts.h"
#include "slotd/haproxy.h"

struct haproxy haproxies[MAX_HAPROXIES];
size_t n_haproxies;
struct chance haproxy_luck;

bool server_in_maint(const struct server *server)
{
    return (server->admin & SLOT_ADMIN_MAINT) != 0;
}

bool server_takes_new(const struct server *server)
{
    return (server->admin & (SLOT_ADMIN_MAINT | SLOT_ADMIN_DRAIN)) == 0;
}

bool server_carries(const struct backend *backend, const struct server *server)
{
    (void)backend;
    return server_takes_new(server) && server->op_state != 0 && server->weight > 0;
}

size_t count_carrying(const struct backend *backend)
{
    size_t count = 0;
    for (size_t i = 0; i < backend->n_servers; i++) {
        count += server_carries(backend, &backend->servers[i]);
    }
    return count;
}

size_t count_serving(const struct backend *backend)
{
    size_t count = 0;
    for (size_t i = 0; i < backend->n_servers; i++) {
        count += server_takes_new(&backend->servers[i]) && backend->servers[i].weight > 0;
    }
    return count;
}

bool haproxy_has_backend(const struct haproxy *haproxy, size_t number)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        if (haproxy->backends[b].number == number) {
            return true;
        }
    }
    return false;
}

struct backend *haproxy_find_backend(struct haproxy *haproxy, const char *name)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        if (strcmp(haproxy->backends[b].name, name) == 0) {
            return &haproxy->backends[b];
        }
    }
    return NULL;
}

struct server *haproxy_find_server(struct haproxy *haproxy, const char *backend_name, const char *name,
                                   struct backend **ret_backend)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        for (size_t i = 0; strcmp(backend->name, backend_name) == 0 && i < backend->n_servers; i++) {
            if (strcmp(backend->servers[i].name, name) == 0) {
                *ret_backend = backend;
                return &backend->servers[i];
            }
        }
    }
    return NULL;
}

struct haproxy *haproxy_next(struct haproxy *haproxy)
{
    struct haproxy *next = haproxy ? haproxy + 1 : haproxies;
    return next < haproxies + n_haproxies ? next : NULL;
}

struct haproxy *haproxy_pick(struct chance *chance)
{
    return &haproxies[chance_below(chance, n_haproxies)];
}

uint64_t haproxies_count_commands(void)
{
    uint64_t commands = 0;
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        commands += haproxy->commands;
    }
    return commands;
}

/* ---- what happens to it ---- */

void haproxy_freeze(struct haproxy *haproxy, int64_t for_us)
{
    int64_t until = now_us() + for_us;
    haproxy->frozen_until_us = until > haproxy->frozen_until_us ? until : haproxy->frozen_until_us;
    haproxy->quiet_us = haproxy->frozen_until_us;
}

/* Something answers there. */
static bool target_lives(const struct server *server)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        char address[48];
        if (task->state != LIFE_RUNNING && task->state != LIFE_KILLING && task->state != LIFE_UNREACHABLE) {
            continue;
        }
        if (server->port != task->ports[0] && server->port != task->ports[1]) {
            continue;
        }
        host_address(task->host, address, sizeof(address));
        if (strcmp(address, server->address) == 0) {
            return true;
        }
    }
    return false;
}

static void backend_run_checks(struct backend *backend, struct chance *chance, bool all)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        struct server *server = &backend->servers[i];
        if (server_in_maint(server) || (!all && !chance_percent(chance, 40))) {
            continue;
        }
        bool passes = !server->is_sick && target_lives(server);
        if (passes != (server->op_state != 0)) {
            tell(backend->haproxy->name, "%s/%s is %s by its checks", backend->name, server->name,
                 passes ? "up" : "down");
            backend->upset_us = now_us();
        }
        server->op_state = passes ? 2 : 0;
        server->has_passed = server->has_passed || passes;
    }
}

void haproxies_run_checks(struct chance *chance, bool all)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; haproxy->is_up && now_us() >= haproxy->frozen_until_us && b < haproxy->n_backends; b++) {
            if (haproxy->backends[b].checked) {
                backend_run_checks(&haproxy->backends[b], chance, all);
            }
        }
    }
    step();
}

static void backend_run_sessions(struct backend *backend, struct chance *chance)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        struct server *server = &backend->servers[i];
        if (server_carries(backend, server)) {
            server->sessions = (int64_t)chance_below(chance, 4);
        } else if (server->sessions > 0 && (sim.is_calm || chance_percent(chance, 30))) {
            server->sessions--;
        }
    }
}

void haproxies_run_sessions(struct chance *chance)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; haproxy->is_up && b < haproxy->n_backends; b++) {
            backend_run_sessions(&haproxy->backends[b], chance);
        }
    }
}

/* Somebody else does something to a server, and slotd is not asked. */
void haproxy_meddle(struct chance *chance)
{
    static const char *const words[] = {"state maint", "state ready", "state drain",
                                        "weight 7",    "weight 0",    "addr 10.9.9.9 port 999"};
    struct haproxy *haproxy = haproxy_pick(chance);
    if (haproxy->is_up && haproxy->has_maps && chance_percent(chance, 50)) {
        count_fault(FAULT_FOREIGN_HAND);
        map_meddle(chance, haproxy);
        return;
    }
    struct backend *backend = &haproxy->backends[chance_below(chance, haproxy->n_backends)];
    struct server *server = &backend->servers[chance_below(chance, backend->n_servers)];
    const char *what = words[chance_below(chance, sizeof(words) / sizeof(words[0]))];
    cleanup_buf struct buf reply = BUF_INIT;
    if (!haproxy->is_up) {
        return;
    }
    count_fault(FAULT_FOREIGN_HAND);
    tell("somebody", "%s: %s/%s %s", haproxy->name, backend->name, server->name, what);
    server->foreign_us = NEVER;
    backend->upset_us = now_us();
    server_execute(backend, server, what, &reply);
}
