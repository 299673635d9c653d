/* SPDX-License-Identifier: MIT */
/* A HAProxy: its servers, the state file that it starts with, and all that happens to it. Facts were measured on
 * HAProxy 2.4 to 3.4. */
#include <stdio.h>
#include <string.h>

#include "haproxy_parts.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"

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

/* ---- its configuration, and the state file ---- */

static void server_set_default(struct server *server)
{
    struct backend *backend = server->backend;
    int64_t foreign_us = server->foreign_us;
    bool is_sick = server->is_sick;
    char name[sizeof(server->name)];
    char endpoint[sizeof(server->endpoint)];
    memcpy(name, server->name, sizeof(name));
    memcpy(endpoint, server->endpoint, sizeof(endpoint));
    *server = (struct server){.backend = backend,
                              .port = 1,
                              .weight = 1,
                              .admin = SLOT_ADMIN_CMAINT | SLOT_ADMIN_FMAINT,
                              .foreign_us = foreign_us,
                              .is_sick = is_sick};
    memcpy(server->name, name, sizeof(name));
    memcpy(server->endpoint, endpoint, sizeof(endpoint));
    memcpy(server->address, "0.0.0.0", sizeof("0.0.0.0"));
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

static void load_state(struct haproxy *haproxy, const struct buf *file)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        backend->upset_us = now_us();
        for (size_t i = 0; i < backend->n_servers; i++) {
            server_set_default(&backend->servers[i]);
        }
    }
    if (!file || file->len == 0) {
        return;
    }
    if (haproxy_state_parse(file->data, file->len, &state, &why)) {
        broken("state-file", "HAProxy cannot read its state file: %s", buf_text(&why));
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        const struct slot_observed *row = &state->servers[i].observed;
        struct backend *backend = NULL;
        struct server *server =
            haproxy_find_server(haproxy, state->servers[i].backend, state->servers[i].name, &backend);
        if (server) {
            (void)snprintf(server->address, sizeof(server->address), "%s", row->address);
            server->port = row->port;
            server->weight = row->weight;
            server->check_port = row->check_port;
            server->admin = row->admin | SLOT_ADMIN_CMAINT;
            server->op_state = server_in_maint(server) ? 0 : row->op_state;
        }
    }
    haproxy_state_free(state);
}

static const size_t backend_numbers[MAX_BACKENDS] = {
    0, 1, 2, 3, 4, BACKEND_SHARED, BACKEND_SEGMENT, BACKEND_SEGMENT + 1};

static void backend_begin(struct haproxy *haproxy, size_t place)
{
    struct backend *backend = &haproxy->backends[place];
    backend->haproxy = haproxy;
    backend->number = backend_numbers[place];
    (void)snprintf(backend->name, sizeof(backend->name), "%s", backend_names[backend->number]);
    backend->checked = sim.profile.checked && place % 3 != 2;
    backend->n_servers = sim.profile.slots > place % 3 + 1 ? sim.profile.slots - place % 3 : 2;
    for (size_t i = 0; i < backend->n_servers; i++) {
        struct server *server = &backend->servers[i];
        server->backend = backend;
        (void)snprintf(server->name, sizeof(server->name), "s%u", (unsigned)(i + 1) % 100);
    }
}

static void haproxy_begin(struct haproxy *haproxy, size_t number)
{
    haproxy->name = number ? "haproxy-1" : "haproxy-0";
    haproxy->socket = number ? "/sim/haproxy-1.sock" : "/sim/haproxy-0.sock";
    haproxy->state_file = number ? "/sim/haproxy-1.state" : "/sim/haproxy-0.state";
    haproxy->is_up = true;
    haproxy->process = 1000 + 1000000 * (unsigned)number;
    haproxy->is_late = chance_percent(&haproxy_luck, 50);
    haproxy->init_down = haproxy->is_late && chance_percent(&haproxy_luck, 50);
    haproxy->n_backends = sim.profile.segments ? MAX_BACKENDS : MAX_BACKENDS - 2;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        backend_begin(haproxy, b);
    }
    load_state(haproxy, NULL);
}

void haproxies_begin(void)
{
    memset(haproxies, 0, sizeof(haproxies));
    chance_seed(&haproxy_luck, sim.seed, 2);
    n_haproxies = sim.profile.haproxies;
    for (size_t i = 0; i < n_haproxies; i++) {
        haproxy_begin(&haproxies[i], i);
    }
}

void haproxies_reset(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        buf_free(&haproxy->old_state);
    }
    memset(haproxies, 0, sizeof(haproxies));
    n_haproxies = 0;
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

static void haproxy_come_up(void *arg, uint64_t with_old_state)
{
    struct haproxy *haproxy = arg;
    if (haproxy->is_up) {
        return;
    }
    haproxy->is_up = true;
    haproxy->process++;
    haproxy->started_us = now_us();
    load_state(haproxy, with_old_state ? &haproxy->old_state : files_get(haproxy->state_file));
    tell(haproxy->name, "is up again, pid %u", haproxy->process);
    haproxy->quiet_us = now_us();
    step();
}

void haproxy_crash(struct haproxy *haproxy, bool with_old_state, int64_t down_us)
{
    if (!haproxy->is_up) {
        return;
    }
    haproxy_cut(haproxy, 0);
    haproxy->is_up = false;
    haproxy->frozen_until_us = 0;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
            haproxy->backends[b].servers[i].sessions = 0;
            haproxy->backends[b].servers[i].is_pending = false;
        }
    }
    schedule(down_us, haproxy_come_up, haproxy, with_old_state);
}

static void old_process_ends(void *arg, uint64_t process)
{
    (void)arg;
    for (struct wire *wire = wire_next(NULL); wire; wire = wire_next(wire)) {
        if (wire->is_open && !wire->is_eof && wire->process == process) {
            wire_end(wire);
        }
    }
}

void haproxy_reload(struct haproxy *haproxy)
{
    if (!haproxy->is_up) {
        return;
    }
    schedule(chance_delay(&haproxy_luck, 100 * MS, 5 * SECOND), old_process_ends, NULL, haproxy->process);
    haproxy->process++;
    haproxy->started_us = now_us();
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
            haproxy->backends[b].servers[i].sessions = 0;
        }
    }
    load_state(haproxy, files_get(haproxy->state_file));
    haproxy->quiet_us = now_us() + SECOND;
}

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
