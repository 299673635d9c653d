/* SPDX-License-Identifier: MIT */
/* What the parts of leases share. */
#ifndef LEASES_PRIVATE_H
#define LEASES_PRIVATE_H

#include "slotd/leases.h"
#include "slotd/table.h"

struct pool {
    char *class, *prefix;
    size_t total, free;
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
    uint64_t freed;        /* in the order in which they became free; 0: never leased */
    struct holder *holder; /* LEASED, LEAVING */
    char *former;          /* RELEASED: whose it was, or NULL */
};

/* A service that has a backend, leaves one, or waits. */
struct holder {
    char *service;
    struct member *current, *leaving;
    char *class; /* that it waits for, or NULL: it does not */
    struct holder *previous, *next;
};

struct leases {
    struct pool *pools;
    size_t n_pools;
    struct member **members; /* by name */
    size_t n_members;
    struct table by_name; /* to struct member */
    struct table holders; /* by service */
    struct holder *first, *last;
    size_t n_leaving, n_released;
    uint64_t freed;
};

void pools_free(struct pool *pools, size_t count);
void member_free(struct member *member);
void member_set_state(struct leases *leases, struct member *member, enum lease_state state);
/* It has nothing to do with its holder any more; its state is the caller's to set. */
void member_detach(struct leases *leases, struct member *member);

static inline struct member *leases_get_member(const struct leases *leases, const char *backend)
{
    return table_get(&leases->by_name, backend);
}

#endif
