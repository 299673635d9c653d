/* SPDX-License-Identifier: MIT */
/* The fault proxy: connections pass through it byte by byte, and break as a test has ordered. */
#ifndef PROXY_H
#define PROXY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/mem.h"

#define PROXY_MAX_HEAD 256 /* of what a client sends first: what `match` looks at */

/* Up: from the client to the server behind the proxy. */
enum way { WAY_UP, WAY_DOWN, N_WAYS };

/* What a test has ordered; all zero but cut and stall, which are -1, is a proxy that does nothing. */
struct faults {
    int64_t cut[N_WAYS];   /* the connection ends when that many bytes have passed from now on; -1: it does not */
    int64_t stall[N_WAYS]; /* nothing passes any more behind that many bytes; -1: it does */
    int64_t cut_random;    /* cut after less than that many bytes, one way or the other; 0: off */
    int64_t count;         /* all of it ends with that many cuts; 0: when it is cleared */
    int64_t latency_ms, jitter_ms;
    int64_t drip_bytes, drip_ms; /* that many bytes at a time, with that pause between; 0: as they come */
    int64_t reset;               /* a cut is a reset, and loses what is under way */
    int64_t refuse;              /* nobody listens */
    char *match; /* concerns only connections whose first bytes from the client contain that; NULL: all */
};

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct chunk;
struct pair;

/* One direction of a connection. */
struct flow {
    struct pair *pair;
    enum way way;
    uv_stream_t *from, *to;
    struct chunk *first, **last;
    size_t queued;            /* bytes that wait for their time */
    uint64_t due_ms, drip_ms; /* when the last chunk is due; when the next drop is */
    int64_t until_cut, until_stall;
    uv_timer_t timer;
    bool reading, ended, over; /* ended: all has been read; over: the end has been passed on */
};

struct proxy;
struct pair {
    struct proxy *proxy;
    union stream client, server;
    struct flow flows[N_WAYS];
    struct buf head;
    unsigned handles;
    bool connected, closing;
    struct pair *next, **link;
};

struct proxy {
    uv_loop_t *loop;
    const char *listen, *to; /* HOST:PORT, or a path */
    char *address;           /* where it listens, with the port */
    union stream *server;    /* NULL: refuses */
    union stream control;
    struct faults faults;
    struct pair *pairs;
    FILE *record; /* of what has passed upwards; NULL: none */
    uint64_t random;
    uint64_t connections, open, cuts, bytes[N_WAYS];
};

/* ---- proxy_address.c: a path, or HOST:PORT ---- */

bool address_is_path(const char *address);
int address_init(uv_loop_t *loop, const char *address, union stream *stream);
/* Binds and listens. *ret_address: where, with the kernel's port; the caller frees. */
int address_listen(union stream *stream, const char *address, uv_connection_cb then, char **ret_address);
int address_connect(uv_connect_t *request, union stream *stream, const char *address, uv_connect_cb then);

/* ---- proxy_pair.c ---- */

/* Takes a connection; server->data is the proxy. */
void pair_accept(uv_stream_t *server, int status);
/* What has been ordered concerns its further bytes. */
void pair_take_faults(struct pair *pair);
bool pair_is_meant(const struct pair *pair);
/* Ends it as the faults say, and counts it. */
void pair_cut(struct pair *pair);
void pair_close(struct pair *pair, bool reset);
/* Both ends have been passed on. */
void pair_end_if_over(struct pair *pair);

/* ---- proxy_flow.c ---- */

void flow_init(struct pair *pair, enum way way, uv_stream_t *from, uv_stream_t *to);
void flow_start(struct flow *flow);
/* Passes on what may pass at this moment. */
void flow_pump(struct flow *flow);
void flow_free(struct flow *flow);

/* ---- proxy_main.c, proxy_control.c ---- */

uint64_t proxy_random(struct proxy *proxy, uint64_t below);
/* Listens, or refuses, as the faults say; ends the process when it cannot. */
void proxy_open(struct proxy *proxy);
void faults_clear_all(struct proxy *proxy);
void control_accept(uv_stream_t *server, int status);

#endif
