/* SPDX-License-Identifier: MIT */
/* What the parts of leases share. */
#ifndef LEASES_PRIVATE_H
#define LEASES_PRIVATE_H

#include "slotd/leases.h"
#include "slotd/table.h"

#define LEASES_N_STATES (LEASE_RELEASED + 1)

struct queue;
struct pool {
    char *class, *prefix;
    size_t total;
    size_t by_state[LEASES_N_STATES];
    struct queue *queue; /* of its class; NULL: without a backend, or the retired one */
};

/* How far a released backend is on its way to be free. */
enum stage {
    STAGE_NEW,    /* something may lead to it in HAProxy */
    STAGE_SAVING, /* or by the files */
    STAGE_SAVED,  /* or in a HAProxy that is starting by older ones */
};

struct holder;
struct member {
    char *name;
    struct pool *pool;
    enum lease_state state;
    enum stage stage;
    int64_t saved_ms;
    uint64_t freed;                 /* in the order in which they became free; 0: never leased */
    struct holder *holder;          /* LEASED, LEAVING */
    char *former;                   /* RELEASED: whose it was, or NULL */
    struct member *previous, *next; /* FREE: of its class; RELEASED, LEAVING: of all */
};

/* A service that has a backend, leaves one, or waits. */
struct holder {
    char *service;
    struct member *current, *leaving;
    char *class; /* that it waits for, or NULL: it does not */
    uint64_t since;
    struct queue *queue;
    struct holder *previous, *next;
};

/* A class that has pools: its free backends, the one that is free for longest first, and who waits for one. */
struct queue {
    char *name;              /* NULL: no pool serves who waits here */
    const struct pool *pool; /* its first one */
    struct member *first_free, *last_free;
    struct holder *first, *last;
    size_t n_waiting;
};

struct leases {
    struct pool *pools; /* and behind them the retired one: what is no pool's any more, and not free yet */
    size_t n_pools;
    struct queue *queues; /* the first one is of those whom no pool serves */
    size_t n_queues;
    struct member **members; /* by name */
    size_t n_members;
    struct table by_name; /* to struct member */
    struct table holders; /* by service */
    struct member *first_released, *last_released;
    struct member *first_leaving, *last_leaving;
    size_t by_state[LEASES_N_STATES];
    uint64_t freed, waits;
};

void pools_free(struct pool *pools, size_t count);
void queues_free(struct queue *queues, size_t count);
void member_free(struct member *member);
void member_set_state(struct leases *leases, struct member *member, enum lease_state state);
/* It has nothing to do with its holder any more; its state is the caller's to set. */
void member_detach(struct leases *leases, struct member *member);
/* The retired ones that are free are forgotten. */
void leases_forget_retired(struct leases *leases);

/* The queue of the class that serves this one, or NULL. */
struct queue *leases_find_queue(const struct leases *leases, const char *class);
void holder_begin_waiting(struct leases *leases, struct holder *holder, const char *class);
void holder_end_waiting(struct holder *holder);
/* Pools and members are others: who waits, and what is free, stands where it belongs again, in the order of before. */
void leases_arrange(struct leases *leases);

static inline struct member *leases_get_member(const struct leases *leases, const char *backend)
{
    return table_get(&leases->by_name, backend);
}

static inline struct pool *leases_retired(const struct leases *leases)
{
    return &leases->pools[leases->n_pools];
}

#endif
