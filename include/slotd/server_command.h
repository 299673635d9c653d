/* SPDX-License-Identifier: MIT */
/* HAProxy's commands for servers that are not in its configuration: lines and their replies. Pure: no I/O. */
#ifndef SLOTD_SERVER_COMMAND_H
#define SLOTD_SERVER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"
#include "slotd/haproxy.h"

enum server_command_kind {
    SERVER_COMMAND_ADD,
    SERVER_COMMAND_ASK, /* which requests refer to it, also those that wait for their next try and that HAProxy counts
                           nowhere (3.2+) */
    SERVER_COMMAND_DELETE,
    SERVER_COMMAND_ENABLE_HEALTH, /* a server is added with its checks off */
};
struct server_command {
    enum server_command_kind kind;
    const char *backend;
    const char *server;  /* the others are ADD's */
    const char *address; /* an IP literal: HAProxy never resolves a name there, and 2.6.0 crashes over one */
    uint16_t port;
    uint32_t id;         /* 0: HAProxy chooses */
    const char *options; /* of text_is_server_options()'s alphabet, "" for none; `default-server` has no effect on such
                            a server */
};

/* Writes a command as one Runtime API line, without line end. Every part is checked; returns 0, or SLOTD_E_REFUSED when
 * one does not pass: then nothing is appended. */
int server_command_format(const struct server_command *command, struct buf *line);
/* Judges the reply by a table of the texts of HAProxy 2.4 to 3.4; everything unknown is UNEXPECTED. STATIC: the
 * backend's algorithm takes no server at run time. BUSY: it is not deleted as long as it has connections, also idle
 * ones. ASK is DONE when no request refers to the server, and BUSY when one does. A server that is to be deleted and is
 * not there any more is DONE. */
enum haproxy_reply server_reply_judge(enum server_command_kind kind, const char *reply, size_t len);

#endif
