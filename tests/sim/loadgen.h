/* SPDX-License-Identifier: MIT */
/* The load generator: the load, its connections, and its targets where it is given several by orders. */
#ifndef LOADGEN_H
#define LOADGEN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/table.h"

enum outcome {
    OUTCOME_GOOD,
    OUTCOME_STATUS,
    OUTCOME_CONNECT,
    OUTCOME_RESET,
    OUTCOME_TIMEOUT,
    OUTCOME_WRONG,   /* a 200 of an app that has no business there */
    OUTCOME_ALLOWED, /* no good answer, and none is demanded of that target now */
    N_OUTCOMES
};

/* One client's cookie, as the last answer set it; of several answers under way the last one counts. */
struct jar {
    char cookie[256];
};

enum target_mode {
    TARGET_AWAITED, /* asked again and again until its app has answered */
    TARGET_LIVE,    /* takes part in the load, and every answer has to be a good one of its app */
    TARGET_DOUBTED, /* takes part in the load, and may be refused, or answered by one of the others */
    TARGET_DROPPED,
};

/* Something that is asked for, as an order has it. */
struct target {
    struct load *load;
    char *id, *host, *path, *app;
    char *others; /* apps that may answer as well when it is not live, with a blank before and behind each */
    enum target_mode mode;
    uint64_t pause_ms; /* between two requests while it is awaited */
    uv_timer_t timer;
    struct target *next;
};

struct load {
    uv_loop_t *loop;
    struct sockaddr_in address;
    const char *host, *path;
    int rate, keepalive; /* percent of requests on kept connections */
    int n_jars;          /* clients that keep a cookie; 0: nobody does */
    struct jar *jars;
    bool verbose, by_orders;
    uv_pipe_t orders;
    struct buf order;     /* what has come of the next one */
    struct table targets; /* by id */
    struct target *first_target, *turn;
    uv_timer_t tick;
    uint64_t began_ms, ticked, sent, done, cookies; /* ticked: sent, or without a target to be sent to */
    uint64_t outcomes[N_OUTCOMES];
    struct user *idle; /* kept connections at rest */
    unsigned open;
    double *latencies;
    size_t n_latencies;
    bool stopping;
};

/* One connection with at most one request in flight. */
struct user {
    struct load *load;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct buf request, answer;
    uint64_t sent_ns, begun_us; /* of the loop's clock; since 1970 */
    struct jar *jar;
    struct target *target; /* NULL: the load has but one */
    bool strict;           /* the target was live when the request began */
    bool keep, busy, closing;
    struct user *next;
};

/* Microseconds since 1970. */
uint64_t load_now_us(void);
/* Sends a request to the target, or to the one of a load without orders (NULL). */
void load_request(struct load *load, struct target *target);

/* Takes orders from standard input from now on. */
void targets_open(struct load *load);
/* No more orders, and nothing is asked again. */
void targets_close(struct load *load);
/* The next one that takes part in the load, or NULL. */
struct target *targets_take_turn(struct load *load);
/* What the outcome of the user's request comes to, by its target. */
enum outcome target_judge(const struct user *user, enum outcome outcome);
/* The request has ended so. */
void target_note(struct target *target, enum outcome outcome);

#endif
