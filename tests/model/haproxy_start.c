/* SPDX-License-Identifier: MIT */
/* HAProxy's starts: its configuration, and the files that it reads, one after another, while the old process still
 * runs. */
#include <stdio.h>
#include <string.h>

#include "haproxy_parts.h"
#include "slotd/haproxy.h"

#define STRAYED_US (120 * SECOND) /* slotd has corrected by then what files of long ago have led to */

/* ---- what the files say ---- */

static bool has_task_at(size_t service, const struct server *server)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        struct part parts[MAX_PARTS];
        size_t count = definition_parts(task->app, &marathon.apps[task->app].definition, parts);
        for (size_t p = 0; task->state == LIFE_RUNNING && p < count; p++) {
            if (parts[p].backend == service && task->ports[parts[p].port_index] == server->port &&
                host_is_at(task->host, server->address)) {
                return true;
            }
        }
    }
    return false;
}

/* Whose the server is where it stands now: the files may be older than its last move. Nobody's where the address may
 * have come to another service's task since. */
static void server_recall(struct server *server)
{
    server->service = NOBODY;
    for (size_t i = 0; i < STAYS && server->service == NOBODY; i++) {
        const struct stay *stay = &server->stays[i];
        bool is_there = stay->port == server->port && strcmp(stay->address, server->address) == 0;
        server->service = is_there ? stay->service : NOBODY;
    }
    if (server->service != NOBODY && !has_task_at(server->service, server)) {
        server->service = NOBODY;
    }
}

static void server_set_default(struct server *server)
{
    struct server fresh = {.backend = server->backend,
                           .port = 1,
                           .weight = 1,
                           .admin = SLOT_ADMIN_CMAINT | SLOT_ADMIN_FMAINT,
                           .foreign_us = server->foreign_us,
                           .is_sick = server->is_sick,
                           .service = NOBODY};
    memcpy(fresh.name, server->name, sizeof(fresh.name));
    memcpy(fresh.endpoint, server->endpoint, sizeof(fresh.endpoint));
    memcpy(fresh.stays, server->stays, sizeof(fresh.stays));
    memcpy(fresh.address, "0.0.0.0", sizeof("0.0.0.0"));
    *server = fresh;
}

static void load_rows(struct haproxy *haproxy, const struct haproxy_state *state)
{
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
            server_recall(server);
        }
    }
}

static void load_state(struct haproxy *haproxy)
{
    const struct buf *file = &haproxy->read_files[STATE_FILE];
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        backend->upset_us = now_us();
        for (size_t i = 0; i < backend->n_servers; i++) {
            server_set_default(&backend->servers[i]);
        }
    }
    if (file->len == 0) {
        return;
    }
    if (haproxy_state_parse(file->data, file->len, &state, &why)) {
        broken("state-file", "HAProxy cannot read its state file: %s", buf_text(&why));
        return;
    }
    load_rows(haproxy, state);
    haproxy_state_free(state);
}

static void load_files(struct haproxy *haproxy)
{
    for (size_t i = 0; haproxy->has_maps && i < N_MAPS; i++) {
        map_load(haproxy, &haproxy->maps[i], &haproxy->read_files[i]);
    }
    load_state(haproxy);
    haproxy->is_loading = false;
    haproxy->strayed_us = haproxy->old_mask ? now_us() + STRAYED_US : haproxy->strayed_us;
    rules_loaded(haproxy);
}

/* ---- reading them ---- */

static void read_file(struct haproxy *haproxy, size_t which)
{
    bool is_old = (haproxy->old_mask >> which & 1) != 0;
    const struct buf *file = is_old ? &haproxy->old_files[which] : files_get(haproxy->files[which]);
    buf_clear(&haproxy->read_files[which]);
    if (file) {
        buf_append(&haproxy->read_files[which], file->data, file->len);
    }
}

static void read_file_later(void *arg, uint64_t number)
{
    struct haproxy *haproxy = arg;
    if (haproxy->loads == number / N_FILES && haproxy->is_loading) {
        read_file(haproxy, number % N_FILES);
    }
}

/* Maps are read with the configuration, servers' states when it is complete: in each file may be what another moment
 * left there. Ready after that time. */
static void begin_loading(struct haproxy *haproxy, unsigned old_mask, int64_t after_us)
{
    haproxy->loads++;
    haproxy->is_loading = true;
    haproxy->old_mask = old_mask;
    if (!haproxy->has_maps) {
        return;
    }
    int64_t most = chance_delay(&haproxy_luck, 10 * MS, 800 * MS);
    int64_t takes = most < after_us ? most : after_us;
    for (size_t i = 0; i < N_FILES; i++) {
        buf_clear(&haproxy->read_files[i]);
        schedule(after_us - takes + takes * (int64_t)i / N_FILES, read_file_later, haproxy,
                 haproxy->loads * N_FILES + i);
    }
}

static void become_new_process(struct haproxy *haproxy)
{
    haproxy->process++;
    haproxy->started_us = now_us();
    if (!haproxy->has_maps) {
        read_file(haproxy, STATE_FILE);
    }
    load_files(haproxy);
}

void haproxy_keep_files(struct haproxy *haproxy)
{
    for (size_t i = 0; i < N_FILES; i++) {
        const struct buf *file = files_get(haproxy->files[i]);
        if (file && (i == STATE_FILE || haproxy->has_maps)) {
            buf_clear(&haproxy->old_files[i]);
            buf_append(&haproxy->old_files[i], file->data, file->len);
        }
    }
}

/* ---- crashes and reloads ---- */

static void haproxy_come_up(void *arg, uint64_t loads)
{
    struct haproxy *haproxy = arg;
    if (haproxy->is_up || haproxy->loads != loads) {
        return;
    }
    haproxy->is_up = true;
    become_new_process(haproxy);
    tell(haproxy->name, "is up again, pid %u", haproxy->process);
    haproxy->quiet_us = now_us();
    step();
}

static void haproxy_end_sessions(struct haproxy *haproxy)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
            haproxy->backends[b].servers[i].sessions = 0;
        }
    }
}

void haproxy_crash(struct haproxy *haproxy, unsigned old_mask, int64_t down_us)
{
    if (!haproxy->is_up) {
        return;
    }
    haproxy_cut(haproxy, 0);
    haproxy->is_up = false;
    haproxy->frozen_until_us = 0;
    haproxy_end_sessions(haproxy);
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
            haproxy->backends[b].servers[i].is_pending = false;
        }
    }
    begin_loading(haproxy, old_mask, down_us);
    schedule(down_us, haproxy_come_up, haproxy, haproxy->loads);
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

static void haproxy_take_over(void *arg, uint64_t loads)
{
    struct haproxy *haproxy = arg;
    if (!haproxy->is_up || haproxy->loads != loads) {
        return;
    }
    schedule(chance_delay(&haproxy_luck, 100 * MS, 5 * SECOND), old_process_ends, NULL, haproxy->process);
    haproxy_end_sessions(haproxy);
    become_new_process(haproxy);
    haproxy->quiet_us = now_us() + SECOND;
}

void haproxy_reload(struct haproxy *haproxy)
{
    if (!haproxy->is_up || haproxy->is_loading) {
        return;
    }
    int64_t after = haproxy->has_maps ? chance_delay(&haproxy_luck, 10 * MS, SECOND) : 0;
    begin_loading(haproxy, 0, after);
    if (after > 0) {
        tell(haproxy->name, "a new process reads its files");
        schedule(after, haproxy_take_over, haproxy, haproxy->loads);
    } else {
        haproxy_take_over(haproxy, haproxy->loads);
    }
}

/* ---- its configuration ---- */

static void backend_begin(struct haproxy *haproxy, const char *name, const char *class)
{
    size_t place = haproxy->n_backends++;
    struct backend *backend = &haproxy->backends[place];
    backend->haproxy = haproxy;
    backend->number = backend_number(name);
    backend->class = class;
    backend->held = backend->occupant = NOBODY;
    (void)snprintf(backend->name, sizeof(backend->name), "%s", name);
    backend->checked = sim.profile.checked && place % 3 != 2;
    backend->n_servers = sim.profile.slots > place % 3 + 1 ? sim.profile.slots - place % 3 : 2;
    for (size_t i = 0; i < backend->n_servers; i++) {
        struct server *server = &backend->servers[i];
        server->backend = backend;
        (void)snprintf(server->name, sizeof(server->name), "s%u", (unsigned)(i + 1) % 100);
    }
}

static void pool_begin(struct haproxy *haproxy, const char *class, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "pool-%s-%u", class, i % 100);
        backend_begin(haproxy, name, class);
    }
}

static void backends_begin(struct haproxy *haproxy)
{
    static const size_t numbers[] = {0, 1, 2, 3, 4, BACKEND_SHARED, BACKEND_SEGMENT, BACKEND_SEGMENT + 1};
    size_t count = sizeof(numbers) / sizeof(numbers[0]) - (sim.profile.segments ? 0 : 2);
    for (size_t i = 0; i < count; i++) {
        if (sim.profile.own >> numbers[i] & 1) {
            backend_begin(haproxy, backend_names[numbers[i]], NULL);
        }
    }
    pool_begin(haproxy, class_names[0], sim.profile.pooled);
    pool_begin(haproxy, class_names[1], sim.profile.sticky);
}

static const struct {
    const char *name, *socket, *maps_dir;
    const char *files[N_FILES];
} places[MAX_HAPROXIES] = {
    {"haproxy-0",
     "/sim/haproxy-0.sock",
     "/sim/maps-0/",
     {"/sim/maps-0/check-path.map", "/sim/maps-0/check-host.map", "/sim/maps-0/whitelist.map",
      "/sim/maps-0/redirect.map", "/sim/maps-0/routes.map", "/sim/maps-0/paths.map", "/sim/maps-0/tcp-ports.map",
      "/sim/maps-0/sni.map", "/sim/maps-0/leases.map", "/sim/haproxy-0.state"}},
    {"haproxy-1",
     "/sim/haproxy-1.sock",
     "/sim/maps-1",
     {"/sim/maps-1/check-path.map", "/sim/maps-1/check-host.map", "/sim/maps-1/whitelist.map",
      "/sim/maps-1/redirect.map", "/sim/maps-1/routes.map", "/sim/maps-1/paths.map", "/sim/maps-1/tcp-ports.map",
      "/sim/maps-1/sni.map", "/sim/maps-1/leases.map", "/sim/haproxy-1.state"}},
};

static void haproxy_begin(struct haproxy *haproxy, size_t number)
{
    haproxy->name = places[number].name;
    haproxy->socket = places[number].socket;
    haproxy->maps_dir = sim.profile.maps ? places[number].maps_dir : "";
    haproxy->has_maps = sim.profile.maps;
    memcpy(haproxy->files, places[number].files, sizeof(haproxy->files));
    haproxy->is_up = true;
    haproxy->process = 1000 + 1000000 * (unsigned)number;
    haproxy->is_late = chance_percent(&haproxy_luck, 50);
    haproxy->init_down = haproxy->is_late && chance_percent(&haproxy_luck, 50);
    backends_begin(haproxy);
    load_files(haproxy);
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
        for (size_t i = 0; i < N_FILES; i++) {
            buf_free(&haproxy->old_files[i]);
            buf_free(&haproxy->read_files[i]);
        }
    }
    memset(haproxies, 0, sizeof(haproxies));
    n_haproxies = 0;
}
