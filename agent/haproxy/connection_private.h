/* SPDX-License-Identifier: MIT */
/* A Runtime API connection from inside: connection.c speaks on it, dial.c begins it. */
#ifndef CONNECTION_PRIVATE_H
#define CONNECTION_PRIVATE_H

#include "slotd/haproxy.h"
#include "straggler.h"

#define CONNECTION_BACKOFF_MIN_MS 10
#define CONNECTION_BACKOFF_MAX_MS 1000
#define CONNECTION_BACKOFF_PATH_MS                                                                                     \
    100 /* a socket of this machine: a try costs nothing, and a HAProxy that is back waits */
#define CONNECTION_RESTART_MIN_MS 50
#define CONNECTION_RESTART_MAX_MS 5000

enum connection_phase { PHASE_WAITING, PHASE_CONNECTING, PHASE_GREETING, PHASE_UP, PHASE_CLOSED };

/* A line without its reply yet. */
struct request {
    haproxy_done *done;
    void *arg;
    size_t len; /* of the line with its end */
    uint64_t sent_ms;
    struct request *next;
};

union peer {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
};

struct haproxy_connection {
    uv_loop_t *loop;
    char *address;
    const struct haproxy_events *events;
    void *arg;
    enum connection_phase phase;
    union peer *peer; /* NULL in PHASE_WAITING and PHASE_CLOSED */
    uv_timer_t retry, probe;
    uv_prepare_t turn;
    struct haproxy_reply_reader *reader;
    struct request *first, **last;
    struct request *unsent; /* the first one that has not been written */
    struct buf out;         /* the lines of those */
    size_t out_taken;       /* bytes of out that have been written */
    size_t in_flight;       /* bytes written and not answered */
    char *read_buffer;
    struct haproxy_info info;
    uint64_t backoff_ms;
    uint64_t restart_ms; /* the last pause before a restart that was asked for */
    uint64_t up_ms;      /* loop time of the last on_up */
    uint64_t connect_ms; /* when it began to connect; UINT64_MAX while its name is looked up */
    unsigned probe_ms;   /* the pause between two probes */
    bool probing;
    bool reported_down;
    struct straggler *straggler; /* a former connection whose lines may still be executed, or NULL */
    long straggler_pid;          /* by the process with that number */
    uint64_t waits_since_ms;     /* greeted, and the straggler alone is waited for; 0: it is not */
    unsigned handles;            /* open handles of the loop that point here */
    struct haproxy_statistics statistics;
};

/* Begins to connect: connection_connected() or connection_lose() follows. */
void connection_connect(struct haproxy_connection *connection);
void connection_connected(uv_connect_t *request, int status);
/* Drops the peer, fails what waits for it, says so once, and comes back later. */
void connection_lose(struct haproxy_connection *connection, int err, const char *why, uint64_t retry_ms);
/* A handle, or a look-up, that points to the connection is gone. */
void connection_handle_closed(struct haproxy_connection *connection);

#endif
