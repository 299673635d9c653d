/* SPDX-License-Identifier: MIT */
/* By class: what is free, and who waits, each in its order. */
#include <string.h>

#include "leases_private.h"
#include "slotd/mem.h"

/* ---- the classes ---- */

static struct queue *leases_find_own_queue(const struct leases *leases, const char *class)
{
    for (size_t i = 1; i < leases->n_queues; i++) {
        if (strcmp(leases->queues[i].name, class) == 0) {
            return &leases->queues[i];
        }
    }
    return NULL;
}

struct queue *leases_find_queue(const struct leases *leases, const char *class)
{
    struct queue *found = leases_find_own_queue(leases, class);
    bool falls_back = strcmp(class, "sticky") == 0 || strcmp(class, "leastconn") == 0;
    return !found && falls_back ? leases_find_own_queue(leases, "http") : found;
}

const char *leases_find_class(const struct leases *leases, const char *class)
{
    const struct queue *queue = leases_find_queue(leases, class);
    return queue ? queue->name : NULL;
}

void queues_free(struct queue *queues, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(queues[i].name);
    }
    free(queues);
}

/* ---- who waits ---- */

static void holder_join(struct leases *leases, struct holder *holder)
{
    struct queue *queue = leases_find_queue(leases, holder->class);
    queue = queue ? queue : &leases->queues[0];
    holder->queue = queue;
    holder->previous = queue->last;
    holder->next = NULL;
    *(queue->last ? &queue->last->next : &queue->first) = holder;
    queue->last = holder;
    queue->n_waiting++;
}

void holder_end_waiting(struct holder *holder)
{
    struct queue *queue = holder->queue;
    if (!queue) {
        return;
    }
    *(holder->previous ? &holder->previous->next : &queue->first) = holder->next;
    *(holder->next ? &holder->next->previous : &queue->last) = holder->previous;
    queue->n_waiting--;
    holder->previous = holder->next = NULL;
    holder->queue = NULL;
    free(holder->class);
    holder->class = NULL;
}

void holder_begin_waiting(struct leases *leases, struct holder *holder, const char *class)
{
    if (holder->class && strcmp(holder->class, class) == 0) {
        return;
    }
    holder_end_waiting(holder);
    holder->class = mem_strdup(class);
    holder->since = ++leases->waits;
    holder_join(leases, holder);
}

/* ---- what is free, released, or left ---- */

struct member_list {
    struct member **first, **last;
};

static bool leases_find_list(struct leases *leases, const struct member *member, struct member_list *ret_list)
{
    struct queue *queue = member->pool->queue;
    if (member->state == LEASE_RELEASED) {
        *ret_list = (struct member_list){&leases->first_released, &leases->last_released};
        return true;
    }
    if (member->state == LEASE_LEAVING) {
        *ret_list = (struct member_list){&leases->first_leaving, &leases->last_leaving};
        return true;
    }
    if (member->state == LEASE_FREE && queue) {
        *ret_list = (struct member_list){&queue->first_free, &queue->last_free};
        return true;
    }
    return false;
}

static void member_unlink(struct leases *leases, struct member *member)
{
    struct member_list list;
    if (leases_find_list(leases, member, &list)) {
        *(member->previous ? &member->previous->next : list.first) = member->next;
        *(member->next ? &member->next->previous : list.last) = member->previous;
        member->previous = member->next = NULL;
    }
}

static void member_link(struct leases *leases, struct member *member)
{
    struct member_list list;
    if (leases_find_list(leases, member, &list)) {
        member->previous = *list.last;
        member->next = NULL;
        *(*list.last ? &(*list.last)->next : list.first) = member;
        *list.last = member;
    }
}

void member_set_state(struct leases *leases, struct member *member, enum lease_state state)
{
    member_unlink(leases, member);
    member->pool->by_state[member->state]--;
    leases->by_state[member->state]--;
    member->state = state;
    member->pool->by_state[state]++;
    leases->by_state[state]++;
    member_link(leases, member);
}

/* ---- all of it anew ---- */

static int compare_freed(const void *a, const void *b)
{
    const struct member *left = *(struct member *const *)a;
    const struct member *right = *(struct member *const *)b;
    return left->freed != right->freed ? (left->freed < right->freed ? -1 : 1) : strcmp(left->name, right->name);
}

static int compare_since(const void *a, const void *b)
{
    const struct holder *left = *(struct holder *const *)a;
    const struct holder *right = *(struct holder *const *)b;
    return left->since < right->since ? -1 : left->since > right->since;
}

/* Pools of one class share a queue. */
static void leases_make_queues(struct leases *leases)
{
    queues_free(leases->queues, leases->n_queues);
    leases->queues = mem_alloc_array(leases->n_pools + 1, sizeof(*leases->queues));
    leases->n_queues = 1;
    for (size_t i = 0; i < leases->n_pools; i++) {
        struct pool *pool = &leases->pools[i];
        pool->queue = pool->total > 0 ? leases_find_own_queue(leases, pool->class) : NULL;
        if (pool->total > 0 && !pool->queue) {
            pool->queue = &leases->queues[leases->n_queues++];
            pool->queue->name = mem_strdup(pool->class);
            pool->queue->pool = pool;
        }
    }
}

static void leases_arrange_members(struct leases *leases)
{
    struct member **list = mem_alloc_array(leases->n_members, sizeof(struct member *));
    memset(leases->by_state, 0, sizeof(leases->by_state));
    for (size_t i = 0; i <= leases->n_pools; i++) {
        memset(leases->pools[i].by_state, 0, sizeof(leases->pools[i].by_state));
    }
    leases->first_released = leases->last_released = NULL;
    leases->first_leaving = leases->last_leaving = NULL;
    for (size_t i = 0; i < leases->n_members; i++) {
        list[i] = leases->members[i];
    }
    if (leases->n_members > 1) {
        qsort(list, leases->n_members, sizeof(struct member *), compare_freed);
    }
    for (size_t i = 0; i < leases->n_members; i++) {
        list[i]->pool->by_state[list[i]->state]++;
        leases->by_state[list[i]->state]++;
        member_link(leases, list[i]);
    }
    free(list);
}

static void leases_arrange_waiting(struct leases *leases)
{
    struct holder **list = mem_alloc_array(leases->holders.count, sizeof(struct holder *));
    struct table_entry *entry;
    size_t count = 0;
    for (size_t position = 0; (entry = table_next(&leases->holders, &position));) {
        struct holder *holder = entry->value;
        if (holder->class) {
            list[count++] = holder;
        }
    }
    if (count > 1) {
        qsort(list, count, sizeof(struct holder *), compare_since);
    }
    for (size_t i = 0; i < count; i++) {
        holder_join(leases, list[i]);
    }
    free(list);
}

void leases_arrange(struct leases *leases)
{
    leases_make_queues(leases);
    leases_arrange_members(leases);
    leases_arrange_waiting(leases);
}
