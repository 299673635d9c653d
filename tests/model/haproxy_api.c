/* SPDX-License-Identifier: MIT */
/* HAProxy's Runtime API: what it shows, and what it is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haproxy_parts.h"
#include "slotd/haproxy.h"

#define TAINT_US (90 * SECOND) /* as long as a slot that was refused may be set aside */

/* ---- what it shows ---- */

static void note_shown(struct server *server)
{
    memcpy(server->shown.address, server->address, sizeof(server->shown.address));
    server->shown.port = server->port;
    server->shown.is_in_maint = server_in_maint(server);
}

static void show_servers(struct haproxy *haproxy, const char *only, struct buf *reply)
{
    buf_puts(reply, "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
                    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
                    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
                    "srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n");
    bool found = only[0] == '\0';
    size_t mark = reply->len;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        if (only[0] && strcmp(only, backend->name) != 0) {
            continue;
        }
        found = true;
        rules_note_shown(backend);
        for (size_t i = 0; i < backend->n_servers; i++) {
            struct server *server = &backend->servers[i];
            note_shown(server);
            buf_printf(reply, "%zu %s %zu %s %s %u %u %u 1 0 1 0 0 %d 0 0 0 slot.invalid %u - 0 %u - - 0\n", b + 3,
                       backend->name, i + 1, server->name, server->address, server->op_state, server->admin,
                       (unsigned)server->weight, backend->checked ? 14 : 8, (unsigned)server->port,
                       (unsigned)server->check_port);
        }
    }
    if (!found) {
        buf_clear(reply);
        buf_puts(reply, "Can't find backend.\n");
        broken("name", "slotd asks for the backend %s, which HAProxy does not have", only);
    }
    (void)mark;
}

static void show_sessions(const struct haproxy *haproxy, const char *only, struct buf *reply)
{
    buf_puts(reply, "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb "
                    "idle_lim idle_cur idle_per_thr[1]\n");
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        const struct backend *backend = &haproxy->backends[b];
        for (size_t i = 0; strcmp(only, backend->name) == 0 && i < backend->n_servers; i++) {
            const struct server *server = &backend->servers[i];
            buf_printf(reply, "%s/%s %zu/%zu %s %u - 5000 %lld 1 1 0 0 -1 0 0\n", backend->name, server->name, b + 3,
                       i + 1, server->address, (unsigned)server->port, (long long)server->sessions);
        }
    }
}

/* `show stat ID 4 -1`: what slotd reads of it. */
static void show_stat(const struct haproxy *haproxy, const char *id, struct buf *reply)
{
    size_t place = strtoul(id, NULL, 10) - 3;
    const struct backend *backend = place < haproxy->n_backends ? &haproxy->backends[place] : NULL;
    if (!backend) {
        buf_puts(reply, "No such proxy.\n");
        return;
    }
    buf_puts(reply, "# pxname,svname,qcur,qmax,scur,smax,\n");
    for (size_t i = 0; i < backend->n_servers; i++) {
        buf_printf(reply, "%s,%s,0,0,%lld,9,\n", backend->name, backend->servers[i].name,
                   (long long)backend->servers[i].sessions);
    }
}

/* `show stat BACKEND 2 -1`: its sessions in all. */
static void show_stat_of(const struct haproxy *haproxy, const char *words, struct buf *reply)
{
    size_t len = strcspn(words, " ");
    long long sessions = 0;
    const struct backend *backend = NULL;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        bool is_it = strlen(haproxy->backends[b].name) == len && strncmp(haproxy->backends[b].name, words, len) == 0;
        backend = is_it ? &haproxy->backends[b] : backend;
    }
    for (size_t i = 0; backend && i < backend->n_servers; i++) {
        sessions += (long long)backend->servers[i].sessions;
    }
    if (backend) {
        buf_printf(reply, "# pxname,svname,qcur,qmax,scur,smax,\n%s,BACKEND,0,0,%lld,9,\n", backend->name, sessions);
    } else {
        buf_puts(reply, "No such proxy.\n");
    }
}

static void show_info(const struct wire *wire, struct buf *reply)
{
    const struct haproxy *haproxy = wire->haproxy;
    bool stops = wire->process != haproxy->process;
    buf_printf(reply, "Name: HAProxy\nVersion: %s\nPid: %u\nUptime_sec: %lld\nStopping: %d\n",
               haproxy->is_late ? "3.2.0" : "2.6.12", wire->process,
               (long long)((now_us() - haproxy->started_us) / SECOND), stops ? 1 : 0);
}

/* ---- what it is told ---- */

static void server_move(struct server *server)
{
    (void)snprintf(server->address, sizeof(server->address), "%s", server->late_address);
    server->port = server->late_port;
    server->is_pending = false;
}

static void apply_late(void *arg, uint64_t number)
{
    struct server *server = arg;
    if (server->backend->haproxy->process == number && server->is_pending) {
        if (!server_in_maint(server) && server->foreign_us <= now_us()) {
            broken("maint-before-move", "%s gets the address %s:%u while it is not in maint", server->name,
                   server->late_address, (unsigned)server->late_port);
        }
        server_move(server);
        step();
    }
}

static void set_address(struct server *server, const char *address, unsigned port, struct buf *reply)
{
    const struct haproxy *haproxy = server->backend->haproxy;
    if (strcmp(server->address, address) == 0 && server->port == port) {
        buf_puts(reply, haproxy->is_late
                            ? "nothing changed\n"
                            : "no need to change the addr, no need to change the port by 'stats socket command'\n");
        return;
    }
    buf_printf(reply, "IP changed from '%s' to '%s', port changed from '%u' to '%u' by 'stats socket command'\n",
               server->address, address, (unsigned)server->port, port);
    (void)snprintf(server->late_address, sizeof(server->late_address), "%s", address);
    server->late_port = (uint16_t)port;
    server->is_pending = true;
    if (haproxy->is_late) {
        bool is_slow = !sim.is_calm && chance_percent(&haproxy_luck, 5);
        schedule(is_slow ? chance_delay(&haproxy_luck, MS, 60 * MS) : chance_delay(&haproxy_luck, 20, 800), apply_late,
                 server, haproxy->process);
    } else {
        server_move(server);
    }
}

static void set_ready(const struct backend *backend, struct server *server)
{
    if (server_in_maint(server)) {
        server->op_state = backend->checked && backend->haproxy->init_down ? 0 : 2;
        server->has_passed = false;
    }
    server->admin &= ~(unsigned)(SLOT_ADMIN_FMAINT | SLOT_ADMIN_FDRAIN);
}

void server_execute(struct backend *backend, struct server *server, const char *words, struct buf *reply)
{
    char address[48];
    unsigned number = 0;
    if (strcmp(words, "state maint") == 0) {
        server->admin = (server->admin & ~(unsigned)SLOT_ADMIN_FDRAIN) | SLOT_ADMIN_FMAINT;
        server->op_state = 0;
    } else if (strcmp(words, "state ready") == 0) {
        set_ready(backend, server);
    } else if (strcmp(words, "state drain") == 0) {
        server->op_state = server_in_maint(server) ? 2 : server->op_state;
        server->admin = (server->admin & ~(unsigned)SLOT_ADMIN_FMAINT) | SLOT_ADMIN_FDRAIN;
    } else if (strcmp(words, "health up") == 0 || strcmp(words, "health down") == 0) {
        if (!server_in_maint(server)) {
            server->op_state = words[7] == 'u' ? 2 : 0;
        }
    } else if (sscanf(words, "addr %47s port %u", address, &number) == 2) {
        set_address(server, address, number, reply);
    } else if (sscanf(words, "weight %u", &number) == 1 && number <= 256) {
        server->weight = (uint16_t)number;
    } else if (sscanf(words, "check-port %u", &number) == 1) {
        if (backend->checked) {
            server->check_port = (uint16_t)number;
        } else {
            buf_puts(reply, "health checks are not enabled on this server\n");
        }
    } else {
        buf_puts(reply, "'set server <srv>' only supports 'agent', 'health', 'state', 'weight', 'addr'.\n");
        broken("command", "slotd sends what is no command: %s", words);
    }
}

bool haproxy_refuses(struct haproxy *haproxy)
{
    if (haproxy->refuse_after == 0 || --haproxy->refuse_after > 0) {
        return false;
    }
    count_fault(FAULT_COMMAND_REFUSED);
    if (chance_percent(&haproxy_luck, 50)) {
        haproxy->refuse_after = 1 + (unsigned)chance_below(&haproxy_luck, 3); /* and again */
    }
    return true;
}

static bool is_refused(struct server *server, struct buf *reply)
{
    if (!haproxy_refuses(server->backend->haproxy)) {
        return false;
    }
    server->foreign_us = now_us() + TAINT_US;
    buf_puts(reply, chance_percent(&haproxy_luck, 50) ? "No such server.\n" : "Something that nobody has heard of.\n");
    return true;
}

static void execute_set(const struct wire *wire, const char *line, struct buf *reply)
{
    struct haproxy *haproxy = wire->haproxy;
    char backend_name[64];
    char name[16];
    int taken = 0;
    struct backend *backend = NULL;
    if (sscanf(line, "set server %63[^/]/%15s %n", backend_name, name, &taken) != 2 || taken == 0) {
        broken("command", "slotd sends what is no command: %s", line);
        return;
    }
    struct server *server = haproxy_find_server(haproxy, backend_name, name, &backend);
    if (!server) {
        buf_puts(reply, "No such server.\n");
        broken("name", "slotd names the server %s/%s, which HAProxy does not have", backend_name, name);
        return;
    }
    if (wire->process != haproxy->process) {
        /* The old process: what it still acknowledges is lost. */
        if (now_us() - haproxy->started_us > 150 * MS) {
            buf_puts(reply, "Proxy is disabled.\n");
        }
        return;
    }
    haproxy->commands++;
    haproxy->command_us = now_us();
    rules_check_use(wire, line + taken, backend, server);
    if (is_refused(server, reply)) {
        rules_note_refused(wire, line + taken, server);
        tell(haproxy->name, "%s/%s %s: refused", backend_name, name, line + taken);
        return;
    }
    tell(haproxy->name, "%s/%s %s", backend_name, name, line + taken);
    if (wire->stream) {
        char full[48];
        (void)snprintf(full, sizeof(full), "%s/%s ", backend->name, server->name);
        rules_sent(line + taken, haproxy, full);
    }
    rules_before(wire, line + taken, backend, server);
    server_execute(backend, server, line + taken, reply);
    rules_after(line + taken, backend, server);
}

void haproxy_execute(struct wire *wire, const char *line, struct buf *reply)
{
    struct haproxy *haproxy = wire->haproxy;
    if (strcmp(line, "prompt") == 0) {
        wire->is_prompting = true;
    } else if (strcmp(line, "show info") == 0) {
        show_info(wire, reply);
    } else if (strncmp(line, "show servers state", 18) == 0) {
        if (line[18] == '\0') {
            for (size_t b = 0; b < haproxy->n_backends; b++) {
                for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
                    struct server *server = &haproxy->backends[b].servers[i];
                    server->foreign_us = server->foreign_us == NEVER ? now_us() + 5 * SECOND : server->foreign_us;
                }
            }
        }
        show_servers(haproxy, line[18] ? line + 19 : "", reply);
    } else if (strncmp(line, "show servers conn ", 18) == 0) {
        show_sessions(haproxy, line + 18, reply);
    } else if (strncmp(line, "show stat ", 10) == 0) {
        (strchr("0123456789", line[10]) ? show_stat : show_stat_of)(haproxy, line + 10, reply);
    } else if (haproxy_execute_map(wire, line, reply)) {
        /* Done. */
    } else {
        execute_set(wire, line, reply);
    }
    buf_putc(reply, '\n');
}
