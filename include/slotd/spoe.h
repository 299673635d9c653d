/* SPDX-License-Identifier: MIT */
/* The agent that HAProxy's SPOE asks: threads that answer NOTIFY frames by a callback. None of them logs; what happened
 * is counted, and read by spoe_metrics_read(). */
#ifndef SLOTD_SPOE_H
#define SLOTD_SPOE_H

#include <stdint.h>

#include "slotd/buf.h"
#include "slotd/epoch.h"
#include "slotd/histogram.h"
#include "slotd/spop.h"

#define SPOE_KINDS 8  /* of answers, as the callback numbers them */
#define SPOE_CODES 15 /* 0 to 13 as enum spop_code, and the last one for all others */
#define SPOE_THREADS_MAX 64
#define SPOE_CONNECTIONS_MAX 1024            /* a thread; more are accepted and closed at once */
#define SPOE_FRAME_MAX (UINT32_C(256) << 10) /* the largest max-frame-size that is agreed on */

/* Decides a message: appends actions to answer, and returns which kind of answer it is, below SPOE_KINDS. Called by the
 * thread of that number, between epoch_enter() and epoch_leave(); it must neither wait nor allocate. The message lives
 * until it returns. Actions that do not fit into a frame are dropped, all of that frame. */
typedef unsigned spoe_decide(void *arg, unsigned thread, const struct spop_message *message,
                             struct spop_writer *answer);

struct spoe_config {
    const char *listen; /* ADDRESS:PORT, abns@NAME, or an absolute path; port 0 is any, see spoe_port() */
    unsigned threads;   /* 1..SPOE_THREADS_MAX */
    spoe_decide *decide;
    void *arg;
    struct epoch *epoch; /* with a reader for each thread; the caller's, and outlives the agent. May be NULL. */
};

struct spoe;

/* Listens and starts the threads. 0, or a negative errno, explained in why. */
int spoe_start(const struct spoe_config *config, struct buf *why, struct spoe **ret_spoe);
/* The port that it listens on, or 0 for a socket of another family. */
uint16_t spoe_port(const struct spoe *spoe);
/* Tells the threads to end: no new connection; what HAProxy has sent is answered, then DISCONNECT 0, and each
 * connection is closed when HAProxy has, after a second at the latest. Returns at once. */
void spoe_stop(struct spoe *spoe);
/* spoe_stop(), waits for the threads, and frees. NULL is allowed. */
void spoe_free(struct spoe *spoe);

struct spoe_metrics {
    uint64_t requests;                /* NOTIFY frames */
    uint64_t answers[SPOE_KINDS];     /* messages by what the callback said */
    uint64_t truncated;               /* answers that did not fit and were sent empty */
    uint64_t disconnects[SPOE_CODES]; /* DISCONNECT frames sent, by code */
    uint64_t refused[SPOE_CODES];     /* DISCONNECT frames received, by code */
    uint64_t healthchecks;
    uint64_t accepted;
    uint64_t rejected;        /* connections above SPOE_CONNECTIONS_MAX, or without a file descriptor */
    uint64_t closed;          /* connections that are over; accepted - closed are open */
    uint64_t slow;            /* closed because answers were not read */
    struct histogram latency; /* from the read of a NOTIFY to the write of its answer */
};

/* The sums over all threads, each number as it was a moment ago. By any thread. */
void spoe_metrics_read(const struct spoe *spoe, struct spoe_metrics *ret_metrics);

#endif
