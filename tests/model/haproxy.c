/* SPDX-License-Identifier: MIT */
/* A HAProxy: its servers, its Runtime API as bytes, and all that happens to it. Facts: haproxy.md; they were measured
 * on HAProxy 2.4 to 3.4. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"

#define TAINT_US (90 * SECOND) /* as long as a slot that was refused may be set aside */

struct haproxy haproxy;
static struct chance luck;

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

/* ---- its configuration, and the state file ---- */

static void server_set_default(struct server *server)
{
    int64_t foreign_us = server->foreign_us;
    bool is_sick = server->is_sick;
    char name[sizeof(server->name)];
    char endpoint[sizeof(server->endpoint)];
    memcpy(name, server->name, sizeof(name));
    memcpy(endpoint, server->endpoint, sizeof(endpoint));
    *server = (struct server){.port = 1,
                              .weight = 1,
                              .admin = SLOT_ADMIN_CMAINT | SLOT_ADMIN_FMAINT,
                              .foreign_us = foreign_us,
                              .is_sick = is_sick};
    memcpy(server->name, name, sizeof(name));
    memcpy(server->endpoint, endpoint, sizeof(endpoint));
    memcpy(server->address, "0.0.0.0", sizeof("0.0.0.0"));
}

static struct server *find_server(const char *backend_name, const char *name, struct backend **ret_backend)
{
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        struct backend *backend = &haproxy.backends[b];
        for (size_t i = 0; strcmp(backend->name, backend_name) == 0 && i < backend->n_servers; i++) {
            if (strcmp(backend->servers[i].name, name) == 0) {
                *ret_backend = backend;
                return &backend->servers[i];
            }
        }
    }
    return NULL;
}

static void load_state(const struct buf *file)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        struct backend *backend = &haproxy.backends[b];
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
        struct server *server = find_server(state->servers[i].backend, state->servers[i].name, &backend);
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

static const char *const backend_names[MAX_BACKENDS] = {"backend-a0", "backend-a1", "backend-a2",
                                                        "backend-a3", "backend-a4", "backendblue"};

void haproxy_begin(void)
{
    memset(&haproxy, 0, sizeof(haproxy));
    chance_seed(&luck, sim.seed, 2);
    haproxy.is_up = true;
    haproxy.process = 1000;
    haproxy.n_backends = MAX_BACKENDS;
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        struct backend *backend = &haproxy.backends[b];
        (void)snprintf(backend->name, sizeof(backend->name), "%s", backend_names[b]);
        backend->checked = sim.profile.checked && b % 3 != 2;
        backend->n_servers = sim.profile.slots > b % 3 + 1 ? sim.profile.slots - b % 3 : 2;
        for (size_t i = 0; i < backend->n_servers; i++) {
            (void)snprintf(backend->servers[i].name, sizeof(backend->servers[i].name), "s%u", (unsigned)(i + 1) % 100);
        }
    }
    load_state(NULL);
}

void haproxy_reset(void)
{
    buf_free(&haproxy.old_state);
    memset(&haproxy, 0, sizeof(haproxy));
}

/* ---- what it shows ---- */

static void show_servers(const char *only, struct buf *reply)
{
    buf_puts(reply, "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
                    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
                    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
                    "srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n");
    bool found = only[0] == '\0';
    size_t mark = reply->len;
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        const struct backend *backend = &haproxy.backends[b];
        if (only[0] && strcmp(only, backend->name) != 0) {
            continue;
        }
        found = true;
        for (size_t i = 0; i < backend->n_servers; i++) {
            const struct server *server = &backend->servers[i];
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

static void show_sessions(const char *only, struct buf *reply)
{
    buf_puts(reply, "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb "
                    "idle_lim idle_cur idle_per_thr[1]\n");
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        const struct backend *backend = &haproxy.backends[b];
        for (size_t i = 0; strcmp(only, backend->name) == 0 && i < backend->n_servers; i++) {
            const struct server *server = &backend->servers[i];
            buf_printf(reply, "%s/%s %zu/%zu %s %u - 5000 %lld 1 1 0 0 -1 0 0\n", backend->name, server->name, b + 3,
                       i + 1, server->address, (unsigned)server->port, (long long)server->sessions);
        }
    }
}

static void show_info(const struct wire *wire, struct buf *reply)
{
    bool stops = wire->process != haproxy.process;
    buf_printf(reply, "Name: HAProxy\nVersion: %s\nPid: %u\nUptime_sec: %lld\nStopping: %d\n",
               sim.profile.is_late ? "3.2.0" : "2.6.12", wire->process,
               (long long)((now_us() - haproxy.started_us) / SECOND), stops ? 1 : 0);
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
    if (haproxy.process == number && server->is_pending) {
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
    if (strcmp(server->address, address) == 0 && server->port == port) {
        buf_puts(reply, sim.profile.is_late
                            ? "nothing changed\n"
                            : "no need to change the addr, no need to change the port by 'stats socket command'\n");
        return;
    }
    buf_printf(reply, "IP changed from '%s' to '%s', port changed from '%u' to '%u' by 'stats socket command'\n",
               server->address, address, (unsigned)server->port, port);
    (void)snprintf(server->late_address, sizeof(server->late_address), "%s", address);
    server->late_port = (uint16_t)port;
    server->is_pending = true;
    if (sim.profile.is_late) {
        bool is_slow = !sim.is_calm && chance_percent(&luck, 5);
        schedule(is_slow ? chance_delay(&luck, MS, 60 * MS) : chance_delay(&luck, 20, 800), apply_late, server,
                 haproxy.process);
    } else {
        server_move(server);
    }
}

static void set_ready(const struct backend *backend, struct server *server)
{
    if (server_in_maint(server)) {
        server->op_state = backend->checked && sim.profile.init_down ? 0 : 2;
        server->has_passed = false;
    }
    server->admin &= ~(unsigned)(SLOT_ADMIN_FMAINT | SLOT_ADMIN_FDRAIN);
}

static void execute_words(struct backend *backend, struct server *server, const char *words, struct buf *reply)
{
    char address[48];
    unsigned number = 0;
    if (strcmp(words, "state maint") == 0) {
        server->admin |= SLOT_ADMIN_FMAINT;
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

static bool is_refused(struct server *server, struct buf *reply)
{
    if (haproxy.refuse_after == 0 || --haproxy.refuse_after > 0) {
        return false;
    }
    count_fault(FAULT_COMMAND_REFUSED);
    server->foreign_us = now_us() + TAINT_US;
    if (chance_percent(&luck, 50)) {
        haproxy.refuse_after = 1 + (unsigned)chance_below(&luck, 3); /* and again */
    }
    buf_puts(reply, chance_percent(&luck, 50) ? "No such server.\n" : "Something that nobody has heard of.\n");
    return true;
}

static void execute_set(const struct wire *wire, const char *line, struct buf *reply)
{
    char backend_name[64];
    char name[16];
    int taken = 0;
    struct backend *backend = NULL;
    if (sscanf(line, "set server %63[^/]/%15s %n", backend_name, name, &taken) != 2 || taken == 0) {
        broken("command", "slotd sends what is no command: %s", line);
        return;
    }
    struct server *server = find_server(backend_name, name, &backend);
    if (!server) {
        buf_puts(reply, "No such server.\n");
        broken("name", "slotd names the server %s/%s, which HAProxy does not have", backend_name, name);
        return;
    }
    if (wire->process != haproxy.process) {
        /* The old process: what it still acknowledges is lost. */
        if (now_us() - haproxy.started_us > 150 * MS) {
            buf_puts(reply, "Proxy is disabled.\n");
        }
        return;
    }
    haproxy.commands++;
    if (is_refused(server, reply)) {
        tell("haproxy", "%s/%s %s: refused", backend_name, name, line + taken);
        return;
    }
    tell("haproxy", "%s/%s %s", backend_name, name, line + taken);
    if (wire->stream) {
        rules_sent(line + taken, backend, server);
    }
    rules_before(line + taken, backend, server);
    execute_words(backend, server, line + taken, reply);
    rules_after(line + taken, backend, server);
}

static void execute(struct wire *wire, const char *line, struct buf *reply)
{
    if (strcmp(line, "prompt") == 0) {
        wire->is_prompting = true;
    } else if (strcmp(line, "show info") == 0) {
        show_info(wire, reply);
    } else if (strncmp(line, "show servers state", 18) == 0) {
        if (line[18] == '\0') {
            for (size_t b = 0; b < haproxy.n_backends; b++) {
                for (size_t i = 0; i < haproxy.backends[b].n_servers; i++) {
                    struct server *server = &haproxy.backends[b].servers[i];
                    server->foreign_us = server->foreign_us == NEVER ? now_us() + 5 * SECOND : server->foreign_us;
                }
            }
        }
        show_servers(line[18] ? line + 19 : "", reply);
    } else if (strncmp(line, "show servers conn ", 18) == 0) {
        show_sessions(line + 18, reply);
    } else {
        execute_set(wire, line, reply);
    }
    buf_putc(reply, '\n');
}

/* ---- wires ---- */

static struct wire *wire_numbered(uint64_t number)
{
    struct wire *wire = wire_next(NULL);
    while (wire && wire->number != number) {
        wire = wire_next(wire);
    }
    return wire;
}

static bool wire_take_line(struct wire *wire, struct buf *line)
{
    const char *end = wire->input.len ? memchr(wire->input.data, '\n', wire->input.len) : NULL;
    if (!end) {
        return false;
    }
    size_t len = (size_t)(end - wire->input.data);
    buf_clear(line);
    buf_append(line, wire->input.data, len);
    buf_consume(&wire->input, len + 1);
    return true;
}

/* What slotd has left in a socket that it closed is still executed, or some of it, or nothing. */
static void wire_spend(struct wire *wire, unsigned percent)
{
    cleanup_buf struct buf line = BUF_INIT;
    cleanup_buf struct buf reply = BUF_INIT;
    size_t lines = 0;
    for (size_t i = 0; i < wire->input.len; i++) {
        lines += wire->input.data[i] == '\n';
    }
    size_t most = percent >= 99 ? lines : lines * percent / 100;
    while (most-- > 0 && wire_take_line(wire, &line)) {
        buf_clear(&reply);
        execute(wire, buf_text(&line), &reply);
        step();
    }
    buf_clear(&wire->input);
}

static void wire_work(void *arg, uint64_t number)
{
    struct wire *wire = wire_numbered(number);
    cleanup_buf struct buf line = BUF_INIT;
    cleanup_buf struct buf reply = BUF_INIT;
    (void)arg;
    if (!wire) {
        return;
    }
    wire->is_busy = false;
    if (wire->is_eof || !wire->is_open) {
        return;
    }
    if (now_us() < haproxy.frozen_until_us) {
        /* What slotd has left there comes first: a new connection has several replies to wait for before it adopts. */
        wire->is_busy = true;
        schedule(haproxy.frozen_until_us - now_us(), wire_work, NULL, number);
        return;
    }
    if (!wire->stream) {
        wire_spend(wire, (unsigned)chance_below(&luck, 4) * 33);
        return;
    }
    if (!wire_take_line(wire, &line)) {
        return;
    }
    bool changes = strncmp(line.data, "set ", 4) == 0;
    execute(wire, buf_text(&line), &reply);
    if (wire->is_prompting) {
        buf_puts(&reply, "> ");
    }
    wire_deliver(wire, reply.data, reply.len);
    step();
    if (changes && haproxy.cut_after > 0 && --haproxy.cut_after == 0) {
        count_fault(FAULT_BATCH_CUT);
        haproxy_cut((unsigned)chance_below(&luck, 4) * 33);
        return;
    }
    if (wire->input.len > 0) {
        wire->is_busy = true;
        schedule(3 + (int64_t)chance_below(&luck, 30), wire_work, NULL, number);
    }
}

void haproxy_input(struct wire *wire)
{
    if (!wire->is_busy) {
        wire->is_busy = true;
        schedule(chance_delay(&luck, 10, 400), wire_work, NULL, wire->number);
    }
}

void haproxy_note_closed(struct wire *wire)
{
    if (wire->is_open && !wire->is_eof && now_us() >= haproxy.frozen_until_us) {
        wire_spend(wire, (unsigned)chance_below(&luck, 4) * 33);
    }
}

void haproxy_cut(unsigned percent_done)
{
    for (struct wire *wire = wire_next(NULL); wire; wire = wire_next(wire)) {
        if (wire->is_open && !wire->is_eof) {
            wire_spend(wire, percent_done);
            buf_clear(&wire->output);
            wire_end(wire);
        }
    }
    sim.quiet_us = now_us();
}

/* ---- what happens to it ---- */

static void haproxy_come_up(void *arg, uint64_t with_old_state)
{
    (void)arg;
    if (haproxy.is_up) {
        return;
    }
    haproxy.is_up = true;
    haproxy.process++;
    haproxy.started_us = now_us();
    load_state(with_old_state ? &haproxy.old_state : files_get(HAPROXY_STATE_FILE));
    tell("haproxy", "is up again, pid %u", haproxy.process);
    sim.quiet_us = now_us();
    step();
}

void haproxy_crash(bool with_old_state, int64_t down_us)
{
    if (!haproxy.is_up) {
        return;
    }
    haproxy_cut(0);
    haproxy.is_up = false;
    haproxy.frozen_until_us = 0;
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        for (size_t i = 0; i < haproxy.backends[b].n_servers; i++) {
            haproxy.backends[b].servers[i].sessions = 0;
            haproxy.backends[b].servers[i].is_pending = false;
        }
    }
    schedule(down_us, haproxy_come_up, NULL, with_old_state);
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

void haproxy_reload(void)
{
    if (!haproxy.is_up) {
        return;
    }
    schedule(chance_delay(&luck, 100 * MS, 5 * SECOND), old_process_ends, NULL, haproxy.process);
    haproxy.process++;
    haproxy.started_us = now_us();
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        for (size_t i = 0; i < haproxy.backends[b].n_servers; i++) {
            haproxy.backends[b].servers[i].sessions = 0;
        }
    }
    load_state(files_get(HAPROXY_STATE_FILE));
    sim.quiet_us = now_us() + SECOND;
}

void haproxy_freeze(int64_t for_us)
{
    int64_t until = now_us() + for_us;
    haproxy.frozen_until_us = until > haproxy.frozen_until_us ? until : haproxy.frozen_until_us;
    sim.quiet_us = haproxy.frozen_until_us;
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

void haproxy_run_checks(struct chance *chance, bool all)
{
    for (size_t b = 0; haproxy.is_up && now_us() >= haproxy.frozen_until_us && b < haproxy.n_backends; b++) {
        struct backend *backend = &haproxy.backends[b];
        for (size_t i = 0; backend->checked && i < backend->n_servers; i++) {
            struct server *server = &backend->servers[i];
            if (server_in_maint(server) || (!all && !chance_percent(chance, 40))) {
                continue;
            }
            bool passes = !server->is_sick && target_lives(server);
            if (passes != (server->op_state != 0)) {
                tell("haproxy", "%s/%s is %s by its checks", backend->name, server->name, passes ? "up" : "down");
                backend->upset_us = now_us();
            }
            server->op_state = passes ? 2 : 0;
            server->has_passed = server->has_passed || passes;
        }
    }
    step();
}

void haproxy_run_sessions(struct chance *chance)
{
    for (size_t b = 0; haproxy.is_up && b < haproxy.n_backends; b++) {
        struct backend *backend = &haproxy.backends[b];
        for (size_t i = 0; i < backend->n_servers; i++) {
            struct server *server = &backend->servers[i];
            if (server_carries(backend, server)) {
                server->sessions = (int64_t)chance_below(chance, 4);
            } else if (server->sessions > 0 && (sim.is_calm || chance_percent(chance, 30))) {
                server->sessions--;
            }
        }
    }
}

/* Somebody else does something to a server, and slotd is not asked. */
void haproxy_meddle(struct chance *chance)
{
    static const char *const words[] = {"state maint", "state ready", "state drain",
                                        "weight 7",    "weight 0",    "addr 10.9.9.9 port 999"};
    struct backend *backend = &haproxy.backends[chance_below(chance, haproxy.n_backends)];
    struct server *server = &backend->servers[chance_below(chance, backend->n_servers)];
    const char *what = words[chance_below(chance, sizeof(words) / sizeof(words[0]))];
    cleanup_buf struct buf reply = BUF_INIT;
    if (!haproxy.is_up) {
        return;
    }
    count_fault(FAULT_FOREIGN_HAND);
    tell("somebody", "%s/%s %s", backend->name, server->name, what);
    server->foreign_us = NEVER;
    backend->upset_us = now_us();
    execute_words(backend, server, what, &reply);
}
