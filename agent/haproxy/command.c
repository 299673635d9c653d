/* SPDX-License-Identifier: MIT */
/* Planned commands as Runtime API lines, and the exact texts by which HAProxy 2.4 to 3.4 answers them. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/server_command.h"
#include "slotd/text.h"

static int format_value(const struct slot_command *command, struct buf *line)
{
    switch (command->kind) {
    case SLOT_COMMAND_MAINT:
        buf_puts(line, "state maint");
        return 0;
    case SLOT_COMMAND_READY:
        buf_puts(line, "state ready");
        return 0;
    case SLOT_COMMAND_DRAIN:
        buf_puts(line, "state drain");
        return 0;
    case SLOT_COMMAND_HEALTH_DOWN:
        buf_puts(line, "health down");
        return 0;
    case SLOT_COMMAND_HEALTH_UP:
        buf_puts(line, "health up");
        return 0;
    case SLOT_COMMAND_ADDRESS:
        /* HAProxy truncates a port silently, and takes 0. */
        if (!command->address || !text_is_ip(command->address) || command->port == 0) {
            return SLOTD_E_REFUSED;
        }
        buf_printf(line, "addr %s port %u", command->address, (unsigned)command->port);
        return 0;
    case SLOT_COMMAND_CHECK_PORT:
        buf_printf(line, "check-port %u", (unsigned)command->value);
        return 0;
    case SLOT_COMMAND_WEIGHT:
        if (command->value > 256) {
            return SLOTD_E_REFUSED;
        }
        buf_printf(line, "weight %u", (unsigned)command->value);
        return 0;
    case SLOT_COMMAND_ENABLE_HEALTH:
    case SLOT_COMMAND_ADD:
    case SLOT_COMMAND_ASK:
    case SLOT_COMMAND_DELETE:
    case SLOT_COMMAND_READ:
        break;
    }
    return SLOTD_E_REFUSED;
}

static bool is_of_server(enum slot_command_kind kind)
{
    return slot_command_is_growth(kind) || kind == SLOT_COMMAND_ENABLE_HEALTH;
}

static enum server_command_kind server_kind_of(enum slot_command_kind kind)
{
    return kind == SLOT_COMMAND_ADD      ? SERVER_COMMAND_ADD
           : kind == SLOT_COMMAND_ASK    ? SERVER_COMMAND_ASK
           : kind == SLOT_COMMAND_DELETE ? SERVER_COMMAND_DELETE
                                         : SERVER_COMMAND_ENABLE_HEALTH;
}

/* A server is added with the address of a slot that was never used. */
static int format_server(const char *backend, const struct slot_command *command, struct buf *line)
{
    char name[SLOTS_MAX_ADDED_NAME];
    struct server_command server = {
        .kind = server_kind_of(command->kind), .backend = backend, .server = command->server};
    if (command->kind == SLOT_COMMAND_ADD) {
        slots_name_added(command->value, name);
        server.server = name;
        server.id = SLOTS_FIRST_ADDED_ID + (uint32_t)command->value;
        server.address = "0.0.0.0";
        server.port = 1;
        server.options = command->options;
    }
    return server_command_format(&server, line);
}

int haproxy_command_format(const char *backend, const struct slot_command *command, struct buf *line)
{
    cleanup_buf struct buf value = BUF_INIT;
    if (!text_is_haproxy_name(backend)) {
        return SLOTD_E_REFUSED;
    }
    if (command->kind == SLOT_COMMAND_READ) {
        buf_printf(line, "show servers state %s", backend);
        return 0;
    }
    if (is_of_server(command->kind)) {
        return format_server(backend, command, line);
    }
    if (!command->server || !text_is_haproxy_name(command->server)) {
        return SLOTD_E_REFUSED;
    }
    int err = format_value(command, &value);
    if (!err) {
        buf_printf(line, "set server %s/%s %s", backend, command->server, buf_text(&value));
    }
    return err;
}

static bool is_blank(const char *reply, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (reply[i] != '\n' && reply[i] != '\r' && reply[i] != ' ') {
            return false;
        }
    }
    return true;
}

static bool contains(const char *reply, size_t len, const char *text)
{
    return memmem(reply, len, text, strlen(text)) != NULL;
}

static bool begins(const char *reply, size_t len, const char *text)
{
    size_t text_len = strlen(text);
    return len >= text_len && memcmp(reply, text, text_len) == 0;
}

/* `IP changed from 'a' to 'b', port changed from 'x' to 'y' by ...`, each half alone, `no need to change ...` (up
 * to 2.8), or `nothing changed` (3.0+). A half that failed is told in the same sentence. */
static bool address_is_done(const char *reply, size_t len)
{
    static const char *const failures[] = {"problem", "nvalid", "failed", "not supported", "only supported"};
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (contains(reply, len, failures[i])) {
            return false;
        }
    }
    return begins(reply, len, "IP changed from '") || begins(reply, len, "port changed from '") ||
           begins(reply, len, "no need to change the addr") || begins(reply, len, "nothing changed");
}

static bool is_refusal(const char *reply, size_t len)
{
    static const char *const texts[] = {
        "No such server",
        "No such backend",
        "Require 'backend/server'",
        "Invalid addr",
        "Update for the current server address family",
        "Absolute weight can only be",
        "health checks are not enabled",
        "'set server <srv> state' expects",
        "'set server' only supports",
        "cannot change health on a tracking server",
        "problem converting port",
        "provided port is not",
        "No backend or server",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (contains(reply, len, texts[i])) {
            return true;
        }
    }
    return false;
}

enum haproxy_reply haproxy_reply_judge(const struct slot_command *command, const char *reply, size_t len)
{
    if (is_of_server(command->kind)) {
        return server_reply_judge(server_kind_of(command->kind), reply, len);
    }
    if (contains(reply, len, "Proxy is disabled.")) {
        return HAPROXY_REPLY_STALE;
    }
    if (begins(reply, len, "Permission denied")) {
        return HAPROXY_REPLY_DENIED;
    }
    bool done = command->kind == SLOT_COMMAND_ADDRESS ? address_is_done(reply, len) : is_blank(reply, len);
    if (done) {
        return HAPROXY_REPLY_DONE;
    }
    if (command->kind == SLOT_COMMAND_WEIGHT && begins(reply, len, "Backend is using a static LB algorithm")) {
        return HAPROXY_REPLY_STATIC;
    }
    return is_refusal(reply, len) ? HAPROXY_REPLY_REFUSED : HAPROXY_REPLY_UNEXPECTED;
}
