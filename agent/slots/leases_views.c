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

size_t leases_count_backends(const struct leases *leases)
{
    return leases->n_members;
}

size_t leases_count_leaving(const struct leases *leases)
{
    return leases->n_leaving;
}

size_t leases_count_pools(const struct leases *leases)
{
    return leases->n_pools;
}

/* Who waits is told once, by the first pool of the class that would serve him. */
static size_t leases_count_waiting(const struct leases *leases, const struct pool *pool)
{
    size_t count = 0;
    for (const struct holder *holder = leases->first; holder; holder = holder->next) {
        count += leases_find_class(leases, holder->class) == pool->class;
    }
    return count;
}

struct lease_counts leases_count(const struct leases *leases, size_t index)
{
    const struct pool *pool = &leases->pools[index];
    struct lease_counts counts = {
        .class = pool->class, .prefix = pool->prefix, .total = pool->total, .free = pool->free};
    for (size_t i = 0; i < leases->n_members; i++) {
        const struct member *member = leases->members[i];
        counts.leased += member->pool == pool && member->holder;
        counts.released += member->pool == pool && member->state == LEASE_RELEASED;
    }
    counts.waiting = leases_count_waiting(leases, pool);
    return counts;
}

bool lease_counts_are_low(const struct lease_counts *counts)
{
    size_t enough = counts->total / 10 > 1 ? counts->total / 10 : 1;
    return counts->total > 0 && counts->free < enough;
}
