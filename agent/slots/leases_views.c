/* SPDX-License-Identifier: MIT */
/* What others may see of leases. */
#include <string.h>

#include "leases_private.h"

const char *leases_get(const struct leases *leases, const char *service)
{
    const struct holder *holder = table_get(&leases->holders, service);
    return holder && holder->current ? holder->current->name : NULL;
}

const char *leases_get_leaving(const struct leases *leases, const char *service)
{
    const struct holder *holder = table_get(&leases->holders, service);
    return holder && holder->leaving ? holder->leaving->name : NULL;
}

const char *leases_find_service(const struct leases *leases, const char *backend)
{
    const struct member *member = leases_get_member(leases, backend);
    return member && member->holder ? member->holder->service : NULL;
}

enum lease_state leases_state(const struct leases *leases, const char *backend)
{
    const struct member *member = leases_get_member(leases, backend);
    return member ? member->state : LEASE_NONE;
}

const char *leases_get_class(const struct leases *leases, const char *backend)
{
    const struct member *member = leases_get_member(leases, backend);
    return member ? member->pool->class : NULL;
}

bool leases_waits(const struct leases *leases, const char *service)
{
    const struct holder *holder = table_get(&leases->holders, service);
    return holder && holder->class;
}

const char *leases_next(const struct leases *leases, size_t *position)
{
    return *position < leases->n_members ? leases->members[(*position)++]->name : NULL;
}

const char *leases_next_leaving(const struct leases *leases, const char *after)
{
    const struct member *member = after ? leases_get_member(leases, after)->next : leases->first_leaving;
    return member ? member->name : NULL;
}

size_t leases_count_backends(const struct leases *leases)
{
    return leases->n_members;
}

size_t leases_count_leaving(const struct leases *leases)
{
    return leases->by_state[LEASE_LEAVING];
}

size_t leases_count_pools(const struct leases *leases)
{
    return leases->n_pools;
}

struct lease_counts leases_count(const struct leases *leases, size_t index)
{
    const struct pool *pool = &leases->pools[index];
    bool tells = pool->queue && pool->queue->pool == pool; /* who waits is told once */
    return (struct lease_counts){
        .class = pool->class,
        .prefix = pool->prefix,
        .total = pool->total,
        .leased = pool->by_state[LEASE_LEASED] + pool->by_state[LEASE_LEAVING],
        .free = pool->by_state[LEASE_FREE],
        .released = pool->by_state[LEASE_RELEASED],
        .waiting = tells ? pool->queue->n_waiting : 0,
    };
}

size_t leases_count_unserved(const struct leases *leases, const char **ret_class)
{
    const struct queue *queue = &leases->queues[0];
    *ret_class = queue->first ? queue->first->class : NULL;
    return queue->n_waiting;
}

bool lease_counts_are_low(const struct lease_counts *counts)
{
    size_t enough = counts->total / 10 > 1 ? counts->total / 10 : 1;
    return counts->total > 0 && counts->free < enough;
}
