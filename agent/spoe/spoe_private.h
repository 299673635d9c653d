/* SPDX-License-Identifier: MIT */
/* What the files of the SPOE agent share: a loop for each thread, its connections, its numbers. */
#ifndef SLOTD_SPOE_PRIVATE_H
#define SLOTD_SPOE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "slotd/spoe.h"

#define OUTPUT_SIZE (SPOE_FRAME_MAX + SPOP_LENGTH_SIZE + 128) /* a whole answer, and a DISCONNECT behind it */
#define HELLO_MAX 4096   /* a HELLO is some 150 bytes; nothing larger is read before one */
#define HELLO_MS 5000    /* from the accept to the HELLO */
#define PARTIAL_MS 10000 /* from the first bytes of a frame to its last */
#define SLOW_MS 5000     /* for answers that HAProxy does not read */
#define LINGER_MS 1000   /* from our DISCONNECT to HAProxy's close */

typedef _Atomic uint64_t counter;

/* Only its thread writes, so an increment needs no locked instruction. */
static inline void count_add(counter *value, uint64_t n)
{
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n, memory_order_relaxed);
}

struct counters {
    counter requests, truncated, healthchecks, accepted, rejected, closed, slow, latency_sum_ns;
    counter answers[SPOE_KINDS], disconnects[SPOE_CODES], refused[SPOE_CODES], latency[HISTOGRAM_BOUNDS + 1];
};

enum phase {
    PHASE_HELLO,  /* nothing was said yet */
    PHASE_CHECK,  /* a health check that has its answer, and closes */
    PHASE_OPEN,   /* NOTIFY frames are answered */
    PHASE_ENDING, /* our DISCONNECT is said; what still comes is thrown away until the other side closes */
};

struct loop;

struct connection {
    struct loop *loop;
    struct connection *next;
    struct connection *prev;
    int fd;
    enum phase phase;
    bool shut;            /* all is written, and no more will be */
    uint32_t events;      /* what epoll waits for */
    uint32_t frame_max;   /* that is accepted from it */
    uint32_t answer_max;  /* that was agreed on */
    uint64_t deadline_ms; /* 0: none */
    uint8_t *input;
    size_t input_len;
    size_t input_size;
    uint8_t *unsent; /* answers that the socket did not take */
    size_t unsent_len;
    size_t unsent_at;
};

struct loop {
    struct counters counters;
    struct spoe *spoe;
    unsigned number;
    pthread_t thread;
    bool started;
    bool ending;
    int epoll;
    int listener;
    int wake;
    uint64_t now_ms;
    uint64_t accept_again_ms; /* 0: it accepts */
    unsigned connection_count;
    unsigned deadline_count;
    struct connection *connections;
    struct connection *closed; /* freed at the end of the turn, since events of it may still lie there */
    struct spop_message message;
    uint8_t output[OUTPUT_SIZE];
};

struct spoe {
    struct spoe_config config;
    char *path; /* of a socket file, to be removed */
    _Atomic bool stopping;
    unsigned listener_count;
    int listeners[SPOE_THREADS_MAX]; /* one a thread for TCP, else one for all */
    struct loop **loops;
};

/* --- connection.c --- */

/* Takes fd over. */
void connection_open(struct loop *loop, int fd);
void connection_close(struct connection *connection);
void connection_handle(struct connection *connection, uint32_t events);
/* Its deadline has passed. */
void connection_expire(struct connection *connection);
/* Answers what has arrived, and says DISCONNECT. */
void connection_end(struct connection *connection);
void connection_set_deadline(struct connection *connection, uint64_t after_ms);

/* --- answer.c --- */

/* Answers the frames that the input begins with, as long as the writer has room for a whole answer. Returns 0, or a
 * negative enum spop_code to disconnect with. ret_requests counts NOTIFY frames; ret_used is what of the input is done.
 */
int connection_answer(struct connection *connection, struct spop_writer *writer, size_t *ret_used,
                      uint64_t *ret_requests);
unsigned code_index(uint64_t code);

/* --- loop.c --- */

void *loop_run(void *arg);
uint64_t loop_clock_ns(void);

/* --- listen.c --- */

/* Opens the listeners. 0, or a negative errno, explained in why; spoe_close_listeners() in any case. */
int spoe_open_listeners(struct spoe *spoe, struct buf *why);
void spoe_close_listeners(struct spoe *spoe);

#endif
