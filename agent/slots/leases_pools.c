/* SPDX-License-Identifier: MIT */
/* Which backends there are, and which pool has them. */
#include <string.h>

#include "leases_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static struct pool *pools_find(struct pool *pools, size_t count, const char *backend)
{
    struct pool *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(pools[i].prefix);
        if (len > longest && strncmp(backend, pools[i].prefix, len) == 0) {
            found = &pools[i];
            longest = len;
        }
    }
    return found;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp((*(struct member *const *)a)->name, (*(struct member *const *)b)->name);
}

/* The pool that a backend belongs to from now on; NULL: it is forgotten. What a pool has lost is kept until nothing is
 * behind it. */
static struct pool *leases_find_pool(const struct leases *leases, struct pool *pools, size_t n_pools,
                                     const char *backend)
{
    struct pool *pool = pools_find(pools, n_pools, backend);
    const struct member *member = leases_get_member(leases, backend);
    bool is_in_use = member && member->state != LEASE_FREE;
    return pool ? pool : is_in_use ? &pools[n_pools] : NULL;
}

/* Members in new places; those of before that are there again are themselves, and are taken out of the old table. */
static struct member **leases_collect(struct leases *leases, struct pool *pools, size_t n_pools,
                                      const char *const *backends, size_t n_backends, size_t *ret_count)
{
    struct member **members = mem_alloc_array(n_backends, sizeof(struct member *));
    size_t count = 0;
    for (size_t i = 0; i < n_backends; i++) {
        struct pool *pool = leases_find_pool(leases, pools, n_pools, backends[i]);
        struct member *member = pool ? table_remove(&leases->by_name, backends[i]) : NULL;
        if (!pool) {
            continue;
        }
        if (!member) {
            member = MEM_NEW(struct member);
            member->name = mem_strdup(backends[i]);
            member->state = LEASE_FREE;
        }
        member->pool = pool;
        member->previous = member->next = NULL;
        pool->total++;
        members[count++] = member;
    }
    if (count > 1) {
        qsort(members, count, sizeof(struct member *), compare_members);
    }
    *ret_count = count;
    return members;
}

static void leases_drop(struct leases *leases, struct member *member, leases_dropped *dropped, void *arg)
{
    if (member->holder && dropped) {
        dropped(arg, member->holder->service, member->name);
    }
    member_detach(leases, member);
    member_free(member);
}

static struct pool *pools_new(const struct lease_pool *pools, size_t count)
{
    struct pool *fresh = mem_alloc_array(count + 1, sizeof(*fresh));
    for (size_t i = 0; i < count; i++) {
        fresh[i] = (struct pool){.class = mem_strdup(pools[i].class), .prefix = mem_strdup(pools[i].prefix)};
    }
    return fresh;
}

void leases_set_backends(struct leases *leases, const struct lease_pool *pools, size_t n_pools,
                         const char *const *backends, size_t n_backends, leases_dropped *dropped, void *arg)
{
    struct table_entry *entry;
    struct pool *fresh = pools_new(pools, n_pools);
    size_t count = 0;
    struct member **members = leases_collect(leases, fresh, n_pools, backends, n_backends, &count);
    for (size_t position = 0; (entry = table_next(&leases->by_name, &position));) {
        leases_drop(leases, entry->value, dropped, arg);
    }
    table_free(&leases->by_name);
    for (size_t i = 0; i < count; i++) {
        table_put(&leases->by_name, members[i]->name, members[i]);
    }
    free(leases->members);
    pools_free(leases->pools, leases->n_pools);
    leases->members = members;
    leases->n_members = count;
    leases->pools = fresh;
    leases->n_pools = n_pools;
    leases_arrange(leases);
}

void leases_forget(struct leases *leases, const char *backend)
{
    struct member *member = leases_get_member(leases, backend);
    bool is_ours =
        member && (member->state == LEASE_FREE ||
                   (member->state == LEASE_RELEASED && (!member->former || text_equal(member->former, backend))));
    size_t kept = 0;
    if (!is_ours) {
        return;
    }
    for (size_t i = 0; i < leases->n_members; i++) {
        if (leases->members[i] != member) {
            leases->members[kept++] = leases->members[i];
        }
    }
    leases->n_members = kept;
    table_remove(&leases->by_name, member->name);
    member_set_state(leases, member, LEASE_NONE);
    member->pool->total--;
    member_free(member);
    leases_arrange(leases);
}

void leases_forget_retired(struct leases *leases)
{
    struct pool *retired = leases_retired(leases);
    size_t kept = 0;
    for (size_t i = 0; retired->by_state[LEASE_FREE] > 0 && i < leases->n_members; i++) {
        struct member *member = leases->members[i];
        if (member->pool != retired || member->state != LEASE_FREE) {
            leases->members[kept++] = member;
            continue;
        }
        table_remove(&leases->by_name, member->name);
        member_free(member);
        retired->total--;
        leases->by_state[LEASE_FREE]--;
    }
    leases->n_members = retired->by_state[LEASE_FREE] > 0 ? kept : leases->n_members;
    retired->by_state[LEASE_FREE] = 0;
}
