/* SPDX-License-Identifier: MIT */
/* The parts of the control socket: control.c has the socket, session.c its clients, commands.c what they may ask. */
#ifndef CONTROL_PRIVATE_H
#define CONTROL_PRIVATE_H

#include <json-c/json.h>
#include <sys/types.h>

#include "slotd/control.h"

#define CONTROL_READ_SIZE 16384

/* One client. */
struct client_session {
    struct control *control;
    uv_pipe_t pipe;
    struct buf input;
    size_t done;                      /* bytes of input that are answered */
    size_t line;                      /* bytes of the first request behind them, with its end; 0: it is not complete */
    size_t searched;                  /* how many of those behind were searched for that end */
    struct engine_listener *listener; /* `events -f` */
    struct engine_waiter *waiter;     /* `sync` */
    struct engine_survey *survey;     /* `slots`, `services` */
    struct control_request *request;  /* of that survey */
    uint64_t next_event;
    uint64_t active;           /* when it asked last, counted in requests */
    size_t waiting;            /* bytes of answers that are on their way to it */
    struct command_save *save; /* an order that is on its way to disk */
    unsigned uid;              /* who has connected */
    bool may_change;           /* not only look */
    bool events_due;           /* something changed while an answer was on its way */
    bool ended;                /* it asks nothing more: it has shut its side, or is not listened to any more */
    bool closing;
    struct client_session *next, **link;
};

struct control {
    uv_loop_t *loop;
    struct engine *engine;
    char *path;
    uv_pipe_t *pipe;
    uv_idle_t *idle; /* runs while a request waits */
    bool has_group;  /* control.group is set: its members may change things */
    gid_t group;
    struct client_session *sessions;
    size_t n_sessions;
    size_t waiting; /* the sessions' sum */
    uint64_t clock; /* requests so far */
    char read_buffer[CONTROL_READ_SIZE];
};

/* session.c */
void session_accept(uv_stream_t *server, int status);
void session_close(struct client_session *session);
/* Takes ownership of value. */
void session_answer(struct client_session *session, bool ok, const char *key, struct json_object *value);
void session_refuse(struct client_session *session, const char *why);
/* Looks what is next for a client: changes, a request, more to read, the end. */
void session_go_on(struct client_session *session);
/* Runs the request that is next. */
void session_serve(uv_idle_t *idle);

/* peer.c */
/* Whether who has connected may change things: root, slotd's own user, and control.group's members (contract.md). */
bool peer_may_change(int fd, const struct control *control, unsigned *ret_uid);

/* commands.c */
void command_run(struct client_session *session, const char *line, size_t len);
/* The session ends before the order is on disk: it is put there all the same. */
void command_abandon_save(struct command_save *save);
/* The changes since the last that the session has seen. */
void command_send_events(struct client_session *session);

#endif
