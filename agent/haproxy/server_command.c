/* SPDX-License-Identifier: MIT */
/* `add server`, `del server` and `enable health` as lines, and the texts by which HAProxy 2.4 to 3.4 answers them. */
#include "slotd/server_command.h"

#include <string.h>

#include "slotd/error.h"
#include "slotd/text.h"

/* ---- lines ---- */

static int format_add(const struct server_command *command, struct buf *line)
{
    const char *options = command->options ? command->options : "";
    if (!command->address || !text_is_ip(command->address) || command->port == 0 || !text_is_server_options(options)) {
        return SLOTD_E_REFUSED;
    }
    /* A port behind an IPv6 literal is told from it by the brackets alone. */
    bool brackets = strchr(command->address, ':') != NULL;
    buf_printf(line, "add server %s/%s %s%s%s:%u", command->backend, command->server, brackets ? "[" : "",
               command->address, brackets ? "]" : "", (unsigned)command->port);
    if (command->id > 0) {
        buf_printf(line, " id %u", (unsigned)command->id);
    }
    buf_printf(line, "%s%s", options[0] ? " " : "", options);
    return 0;
}

int server_command_format(const struct server_command *command, struct buf *line)
{
    if (!command->backend || !command->server || !text_is_haproxy_name(command->backend) ||
        !text_is_haproxy_name(command->server)) {
        return SLOTD_E_REFUSED;
    }
    switch (command->kind) {
    case SERVER_COMMAND_ADD:
        return format_add(command, line);
    case SERVER_COMMAND_ASK:
        buf_printf(line, "show sess server %s/%s", command->backend, command->server);
        return 0;
    case SERVER_COMMAND_DELETE:
        buf_printf(line, "del server %s/%s", command->backend, command->server);
        return 0;
    case SERVER_COMMAND_ENABLE_HEALTH:
        buf_printf(line, "enable health %s/%s", command->backend, command->server);
        return 0;
    }
    return SLOTD_E_REFUSED;
}

/* ---- replies ---- */

static bool contains(const char *reply, size_t len, const char *text)
{
    return memmem(reply, len, text, strlen(text)) != NULL;
}

static bool begins(const char *reply, size_t len, const char *text)
{
    size_t text_len = strlen(text);
    return len >= text_len && memcmp(reply, text, text_len) == 0;
}

/* The text is the last line, without the line end: warnings may stand before it. */
static bool ends(const char *reply, size_t len, const char *text)
{
    size_t text_len = strlen(text);
    while (len > 0 && (reply[len - 1] == '\n' || reply[len - 1] == '\r' || reply[len - 1] == ' ')) {
        len--;
    }
    if (len < text_len || memcmp(reply + len - text_len, text, text_len) != 0) {
        return false;
    }
    return len == text_len || reply[len - text_len - 1] == '\n';
}

static bool is_refusal(const char *reply, size_t len)
{
    static const char *const texts[] = {
        "No such backend.",
        "No such server.",
        "Require 'backend/server'.",
        "Already exists a server with the same name in backend.",
        "option is not accepted for dynamic server",
        "unknown keyword '",
        "custom id ",
        "' expects ",
        "' argument of server ",
        "restricted to experimental mode only",
        "is not within 0 and 256",
        "no CA file specified",
        "unable to load ",
        "Only servers in maintenance mode can be deleted.",
        "This server cannot be removed at runtime",
        "Health check was not configured on this server, cannot enable.",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (contains(reply, len, texts[i])) {
            return true;
        }
    }
    return false;
}

static bool is_done(enum server_command_kind kind, const char *reply, size_t len)
{
    switch (kind) {
    case SERVER_COMMAND_ADD:
        return ends(reply, len, "New server registered.");
    case SERVER_COMMAND_ASK:
        return ends(reply, len, "") || ends(reply, len, "No such server.");
    case SERVER_COMMAND_DELETE:
        return ends(reply, len, "Server deleted.") || ends(reply, len, "No such server.");
    case SERVER_COMMAND_ENABLE_HEALTH:
        return ends(reply, len, "");
    }
    return false;
}

enum haproxy_reply server_reply_judge(enum server_command_kind kind, const char *reply, size_t len)
{
    if (contains(reply, len, "Proxy is disabled.")) {
        return HAPROXY_REPLY_STALE;
    }
    if (begins(reply, len, "Permission denied")) {
        return HAPROXY_REPLY_DENIED;
    }
    if (is_done(kind, reply, len)) {
        return HAPROXY_REPLY_DONE;
    }
    if (kind == SERVER_COMMAND_ADD && (begins(reply, len, "Backend must use a dynamic load balancing") ||
                                       begins(reply, len, "Backend does not support dynamic servers"))) {
        return HAPROXY_REPLY_STATIC;
    }
    if (kind == SERVER_COMMAND_DELETE && begins(reply, len, "Server still has connections attached to it")) {
        return HAPROXY_REPLY_BUSY;
    }
    if (kind == SERVER_COMMAND_ASK && begins(reply, len, "0x")) {
        return HAPROXY_REPLY_BUSY;
    }
    return is_refusal(reply, len) ? HAPROXY_REPLY_REFUSED : HAPROXY_REPLY_UNEXPECTED;
}
