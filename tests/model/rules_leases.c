/* SPDX-License-Identifier: MIT */
/* Pools: no backend is given to another service while anything of the former one is behind it, or leads to it: in
 * HAProxy, or in the files that HAProxy would start with. */
#include <stdio.h>
#include <string.h>

#include "rules_parts.h"
#include "slotd/mem.h"

#define DELAY_MARGIN (100 * MS)

/* ---- whose a backend is ---- */

static size_t find_service(const struct backend *backend)
{
    const struct edge *edge = slotd_edge(backend->haproxy);
    if (!edge || !edge->leasing.known) {
        return backend->number;
    }
    const char *key = leases_find_service(edge->leasing.leases, backend->name);
    const struct edge_backend *known = edge_find_backend(edge, backend->name);
    return key && !(known && known->left) ? backend_number(key) : NOBODY;
}

static bool backend_has_sessions(const struct backend *backend)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        if (backend->servers[i].sessions > 0) {
            return true;
        }
    }
    return false;
}

bool map_leads_to(const struct runtime_map *map, const char *backend)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->lines[i].value, backend) == 0) {
            return true;
        }
    }
    return false;
}

/* With any weight: one of 0 is ready, and takes no traffic because somebody wants that. */
static bool backend_has_ready(const struct backend *backend)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        if (server_takes_new(&backend->servers[i])) {
            return true;
        }
    }
    return false;
}

static void note_backend(struct backend *backend)
{
    const struct haproxy *haproxy = backend->haproxy;
    backend->is_opened = backend->is_opened || backend_has_ready(backend);
    if (!backend->class) {
        return;
    }
    size_t number = find_service(backend);
    backend->renumbered_us = number == backend->number ? backend->renumbered_us : now_us();
    backend->number = number;
    backend->occupant = backend->occupant == number ? number : NOBODY;
    bool leads = backend_has_sessions(backend);
    for (size_t i = MAP_ROUTES; i <= MAP_LEASES; i++) {
        const struct runtime_map *map = &haproxy->maps[i];
        leads = leads || (!map_is_tainted(map) && map_leads_to(map, backend->name));
    }
    backend->held_us = leads && haproxy->is_up ? now_us() : backend->held_us;
}

/* ---- at an adoption the backend is the one's whose tasks serve in it ---- */

/* By what slotd maps: what is posted alone counts for nobody yet. */
static bool is_told_there(const struct task *task, size_t service, const struct server *server)
{
    const struct app *app = &marathon.apps[task->app];
    enum life state = task->told.state;
    bool is_there = state == LIFE_RUNNING || state == LIFE_KILLING || state == LIFE_UNREACHABLE;
    return task->told.is_told && is_there && app->is_told &&
           task_is_at(task, &app->history[0], service, server->shown.address, server->shown.port);
}

/* A task of the service is there, and nobody else's. */
static bool is_its_own(const struct server *server, size_t service)
{
    bool is_one_there = false;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        for (size_t other = 0; other < N_BACKEND_NAMES; other++) {
            if (!is_told_there(&marathon.tasks[i], other, server)) {
                continue;
            }
            if (other != service) {
                return false;
            }
            is_one_there = true;
        }
    }
    return is_one_there;
}

/* By its tasks in it, and by nobody else's, as slotd has read it: what another hand has done since it does not know. */
static bool is_occupied(const struct backend *backend)
{
    bool is_one_there = false;
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        if (server->shown.is_in_maint) {
            continue;
        }
        if (!is_its_own(server, backend->number)) {
            return false;
        }
        is_one_there = true;
    }
    return is_one_there;
}

static void note_occupants(struct haproxy *haproxy)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        bool is_taken = backend->class && backend->number != backend->held && is_occupied(backend);
        backend->occupant = is_taken ? backend->number : NOBODY;
    }
}

/* Once after each start of slotd, or after it is configured for that HAProxy: it was not there while tasks changed
 * their service. */
static void note_verified(struct haproxy *haproxy)
{
    const struct edge *edge = slotd_edge(haproxy);
    bool is_verified = edge && edge->leasing.verified;
    if (is_verified && !haproxy->is_verified) {
        note_occupants(haproxy);
    }
    haproxy->is_verified = is_verified;
}

void rules_note_backends(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            note_backend(&haproxy->backends[b]);
        }
        note_verified(haproxy);
    }
}

/* ---- what is left of the former service ---- */

static bool line_is_of(size_t map, const char *key, size_t service)
{
    struct claims claims;
    if (map == MAP_LEASES) {
        return strcmp(key, backend_names[service]) == 0;
    }
    return service_claims(service, definition_told, &claims) && claims_have(&claims, key, map == MAP_PATHS);
}

static char *find_line(const struct runtime_map *map, size_t number, const struct backend *backend, size_t service,
                       const char *where)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct map_line *line = &map->lines[i];
        if (strcmp(line->value, backend->name) == 0 && !line_is_of(number, line->key, service)) {
            return mem_printf("%s leads %s there", where, line->key);
        }
    }
    return NULL;
}

/* In a file, as HAProxy would read it. */
static char *find_in_file(const struct buf *file, size_t number, const struct backend *backend, size_t service,
                          const char *where)
{
    struct haproxy scratch = {.name = where};
    struct runtime_map map;
    if (!file) {
        return NULL;
    }
    map_load(&scratch, &map, file);
    return find_line(&map, number, backend, service, where);
}

static char *find_in_state(const struct buf *file, const struct backend *backend)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    char *found = NULL;
    if (!file || file->len == 0 || haproxy_state_parse(file->data, file->len, &state, &why)) {
        return NULL;
    }
    for (size_t i = 0; i < state->count && !found; i++) {
        const struct haproxy_server *row = &state->servers[i];
        if (strcmp(row->backend, backend->name) == 0 && !(row->observed.admin & SLOT_ADMIN_MAINT)) {
            found = mem_printf("the state file has %s ready", row->name);
        }
    }
    haproxy_state_free(state);
    return found;
}

static char *find_on_disk(const struct backend *backend, size_t service)
{
    const struct haproxy *haproxy = backend->haproxy;
    char *found = NULL;
    for (size_t i = MAP_ROUTES; i <= MAP_LEASES && !found; i++) {
        found = find_in_file(files_get(haproxy->files[i]), i, backend, service, haproxy->files[i]);
        if (!found && haproxy->is_loading) {
            found = find_in_file(&haproxy->read_files[i], i, backend, service, "the process that starts");
        }
    }
    return found;
}

static char *find_in_haproxy(const struct backend *backend, size_t service)
{
    static const char *const names[] = {[MAP_ROUTES] = "routes", "paths", "tcp-ports", "sni", "leases"};
    char *found = NULL;
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        if (server->sessions > 0) {
            return mem_printf("%s has %lld sessions", server->name, (long long)server->sessions);
        }
        /* Also one that drains: who has its cookie comes back to it. */
        if (!server_in_maint(server) && !server_is_tainted(server) && server->service != service) {
            return mem_printf("%s is not in maint", server->name);
        }
    }
    for (size_t i = MAP_ROUTES; i <= MAP_LEASES && !found; i++) {
        if (!map_is_tainted(&backend->haproxy->maps[i])) {
            found = find_line(&backend->haproxy->maps[i], i, backend, service, names[i]);
        }
    }
    return found;
}

/* Not before slots.release_delay is over, as far as this slotd has seen what was there. */
static char *find_hurry(const struct backend *backend)
{
    bool has_seen = able_since(backend->haproxy) < backend->held_us && sim.settings_us < backend->held_us;
    int64_t ago = now_us() - backend->held_us;
    return has_seen && ago < sim.profile.release_delay_ms * MS - DELAY_MARGIN
               ? mem_printf("that ended %lld ms ago", (long long)(ago / MS))
               : NULL;
}

/* It was given to the one whose tasks are in it, whatever led there. */
static bool is_taken_by_tasks(struct backend *backend, size_t service)
{
    bool is_taken = backend->occupant == service;
    for (size_t i = 0; is_taken && i < backend->n_servers; i++) {
        struct server *server = &backend->servers[i];
        server->service = server_in_maint(server) ? server->service : service;
    }
    backend->occupant = NOBODY;
    backend->taken_us = is_taken ? now_us() : backend->taken_us;
    return is_taken;
}

void rules_check_lease(struct backend *backend, size_t service, const char *what)
{
    size_t former = backend->held;
    if (!backend->class || service == NOBODY || former == service) {
        return;
    }
    backend->held = service;
    backend->is_opened = is_taken_by_tasks(backend, service);
    if (former == NOBODY || backend->haproxy->strayed_us > now_us() || backend->is_opened) {
        return;
    }
    tell("rules", "%s was of %s, and is of %s now", backend->name, backend_names[former], backend_names[service]);
    cleanup_free char *in_haproxy = find_in_haproxy(backend, service);
    cleanup_free char *on_disk = in_haproxy ? NULL : find_on_disk(backend, service);
    cleanup_free char *in_state = in_haproxy || on_disk || strncmp(what, "lease ", 6) != 0
                                      ? NULL
                                      : find_in_state(files_get(backend->haproxy->files[STATE_FILE]), backend);
    cleanup_free char *hurry = find_hurry(backend);
    const char *why = in_haproxy ? in_haproxy : on_disk ? on_disk : in_state ? in_state : hurry;
    if (why) {
        broken("lease", "%s is given to %s (%s) while it is of %s: %s", backend->name, backend_names[service], what,
               backend_names[former], why);
    }
}

/* ---- what slotd says to servers ---- */

static void note_stay(struct server *server, const char *address, uint16_t port)
{
    size_t place = 0;
    while (place < STAYS - 1 &&
           (server->stays[place].port != port || strcmp(server->stays[place].address, address) != 0)) {
        place++;
    }
    memmove(&server->stays[1], &server->stays[0], place * sizeof(server->stays[0]));
    server->stays[0] = (struct stay){.port = port, .service = server->service};
    (void)snprintf(server->stays[0].address, sizeof(server->stays[0].address), "%s", address);
}

static bool gives_away(const char *words, char address[48], unsigned *ret_port)
{
    return sscanf(words, "addr %47s port %u", address, ret_port) == 2 || strcmp(words, "state ready") == 0;
}

void rules_check_move(const char *words, struct backend *backend)
{
    char address[48];
    unsigned port = 0;
    if (gives_away(words, address, &port)) {
        rules_check_lease(backend, backend->number, words);
    }
}

void rules_note_move(const char *words, struct backend *backend, struct server *server)
{
    char address[48];
    unsigned port = 0;
    if (!gives_away(words, address, &port)) {
        return;
    }
    bool moves = port > 0;
    /* What was on its way while its service had left. */
    server->service = backend->number == NOBODY ? backend->held : backend->number;
    note_stay(server, moves ? address : server->address, moves ? (uint16_t)port : server->port);
}
