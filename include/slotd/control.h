/* SPDX-License-Identifier: MIT */
/* The control socket: a bounded, versioned JSON-lines protocol on a unix socket, for slotctl. */
#ifndef SLOTD_CONTROL_H
#define SLOTD_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/config.h"
#include "slotd/engine.h"

/* Protocol: the client sends one line {"slotd":1,"command":"services","arguments":{...}}, the daemon answers with lines
 * {"slotd":1,"ok":true,"result":{...}} or {"slotd":1,"ok":false,"error":"..."}. `events` with "follow" answers with a
 * line for each batch of changes; every other command with exactly one. Several requests may follow one another on one
 * connection: they are answered in their order, each after the answer before it has left. A client may shut its sending
 * side and still gets its answers. */
#define CONTROL_PROTOCOL 1
#define CONTROL_MAX_REQUEST (64U << 10) /* a longer line is refused and the connection closed */
#define CONTROL_MAX_AHEAD (1U << 20)    /* requests that wait for one client's turn: above it the client is dropped */
#define CONTROL_MAX_BACKLOG (64U << 20) /* answers that wait for clients: those who do not read make room */
#define CONTROL_MAX_CLIENTS 256         /* above it the one that has asked nothing for the longest time makes room */

struct control;
/* Creates the socket with mode 0660 (group config->group when set) and answers from engine. Whoever can connect may
 * look; root, slotd's own user and members of config->group may change things. An old socket that nobody
 * listens on is replaced; one that a living slotd answers is -EADDRINUSE with why. */
int control_new(uv_loop_t *loop, const struct config_control *config, struct engine *engine,
                struct control **ret_control, struct buf *why);
/* Closes clients and socket, removes the file. Freed when the loop has closed its handles. */
void control_close(struct control *control);

/* ---- the request parser, pure, for tests and fuzzing ---- */

struct control_request {
    char *command;
    char **names; /* arguments.names: services, slots */
    size_t n_names;
    bool follow;   /* arguments.follow */
    uint64_t from; /* arguments.from: events */
    char *timeout; /* arguments.timeout: drain, a duration as text; NULL: absent */
    char *lasts;   /* arguments.for: drain, likewise */
};
/* One line without its end. Returns 0, SLOTD_E_PARSE, SLOTD_E_TYPE or SLOTD_E_LIMIT with why. */
int control_request_parse(const char *line, size_t len, struct control_request **ret_request, struct buf *why);
void control_request_free(struct control_request *request);

#endif
