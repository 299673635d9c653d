/* SPDX-License-Identifier: MIT */
/* Leases of pooled backends: who has which, who waits, and which are not free yet. */
#include <string.h>

#include "leases_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

struct leases *leases_new(uint64_t seed)
{
    struct leases *leases = MEM_NEW(struct leases);
    table_init(&leases->by_name, seed);
    table_init(&leases->holders, seed);
    leases->pools = MEM_NEW(struct pool);
    leases_arrange(leases);
    return leases;
}

void member_free(struct member *member)
{
    free(member->former);
    free(member->name);
    free(member);
}

static void holder_free(struct holder *holder)
{
    free(holder->class);
    free(holder->service);
    free(holder);
}

void pools_free(struct pool *pools, size_t count)
{
    for (size_t i = 0; pools && i < count; i++) {
        free(pools[i].class);
        free(pools[i].prefix);
    }
    free(pools);
}

void leases_free(struct leases *leases)
{
    struct table_entry *entry;
    if (!leases) {
        return;
    }
    for (size_t position = 0; (entry = table_next(&leases->holders, &position));) {
        holder_free(entry->value);
    }
    for (size_t i = 0; i < leases->n_members; i++) {
        member_free(leases->members[i]);
    }
    free(leases->members);
    pools_free(leases->pools, leases->n_pools);
    queues_free(leases->queues, leases->n_queues);
    table_free(&leases->by_name);
    table_free(&leases->holders);
    free(leases);
}

/* ---- states ---- */

static void member_forget_former(struct member *member)
{
    free(member->former);
    member->former = NULL;
}

static struct holder *leases_ensure_holder(struct leases *leases, const char *service)
{
    struct holder *holder = table_get(&leases->holders, service);
    if (!holder) {
        holder = MEM_NEW(struct holder);
        holder->service = mem_strdup(service);
        table_put(&leases->holders, holder->service, holder);
    }
    return holder;
}

static void holder_drop_if_idle(struct leases *leases, struct holder *holder)
{
    if (!holder->current && !holder->leaving && !holder->class) {
        table_remove(&leases->holders, holder->service);
        holder_free(holder);
    }
}

static void holder_take(struct leases *leases, struct holder *holder, struct member *member)
{
    if (holder->current) {
        holder->leaving = holder->current;
        member_set_state(leases, holder->leaving, LEASE_LEAVING);
    }
    holder->current = member;
    member->holder = holder;
    member_forget_former(member);
    member_set_state(leases, member, LEASE_LEASED);
    holder_end_waiting(holder);
}

void member_detach(struct leases *leases, struct member *member)
{
    struct holder *holder = member->holder;
    member->holder = NULL;
    if (holder) {
        *(holder->current == member ? &holder->current : &holder->leaving) = NULL;
        holder_drop_if_idle(leases, holder);
    }
}

/* ---- what there is ---- */

bool leases_recover(struct leases *leases, const char *service, const char *backend)
{
    struct member *member = leases_get_member(leases, backend);
    const struct holder *known = table_get(&leases->holders, service);
    if (!member || member->holder || (known && known->current)) {
        return false;
    }
    holder_take(leases, leases_ensure_holder(leases, service), member);
    return true;
}

static void member_release(struct leases *leases, struct member *member, const char *former)
{
    member->former = mem_strdup(former);
    member->stage = STAGE_NEW;
    member_set_state(leases, member, LEASE_RELEASED);
}

void leases_block(struct leases *leases, const char *backend, const char *service)
{
    struct member *member = leases_get_member(leases, backend);
    if (member && (member->state == LEASE_FREE || member->state == LEASE_RELEASED)) {
        member_forget_former(member);
        member_release(leases, member, service);
    }
}

/* ---- leases ---- */

static void holder_return(struct leases *leases, struct holder *holder)
{
    struct member *back = holder->leaving;
    holder->leaving = NULL;
    holder_take(leases, holder, back);
}

static bool member_is_of(const struct member *member, const struct queue *queue)
{
    return member && member->pool->queue == queue;
}

void leases_want(struct leases *leases, const char *service, const char *class)
{
    const struct queue *found = leases_find_queue(leases, class);
    struct holder *holder = leases_ensure_holder(leases, service);
    if (!found ? holder->current != NULL : member_is_of(holder->current, found)) {
        holder_end_waiting(holder);
    } else if (found && member_is_of(holder->leaving, found)) {
        holder_return(leases, holder);
    } else if (holder->leaving) {
        holder_end_waiting(holder); /* one move after the other */
    } else {
        holder_begin_waiting(leases, holder, class);
    }
    holder_drop_if_idle(leases, holder);
}

void leases_unwant(struct leases *leases, const char *service)
{
    struct holder *holder = table_get(&leases->holders, service);
    if (holder) {
        holder_end_waiting(holder);
        holder_drop_if_idle(leases, holder);
    }
}

/* One that is released, and had by a service that waits for its class. */
static struct member *leases_find_own(const struct leases *leases, leases_usable *usable, void *arg,
                                      struct holder **ret_holder)
{
    for (struct member *member = leases->first_released; member; member = member->next) {
        struct holder *holder = member->former ? table_get(&leases->holders, member->former) : NULL;
        if (holder && holder->queue && holder->queue == member->pool->queue && usable(arg, member->name)) {
            *ret_holder = holder;
            return member;
        }
    }
    return NULL;
}

static struct member *queue_choose(const struct queue *queue, leases_usable *usable, void *arg)
{
    struct member *member = queue->first ? queue->first_free : NULL;
    while (member && !usable(arg, member->name)) {
        member = member->next;
    }
    return member;
}

bool leases_give(struct leases *leases, leases_usable *usable, void *arg, const char **ret_service,
                 const char **ret_backend)
{
    struct holder *holder = NULL;
    struct member *member = leases_find_own(leases, usable, arg, &holder);
    bool is_own = member != NULL;
    for (size_t i = 1; i < leases->n_queues; i++) {
        const struct queue *queue = &leases->queues[i];
        bool is_next = queue->first && (!holder || queue->first->since < holder->since);
        struct member *chosen = is_next && !is_own ? queue_choose(queue, usable, arg) : NULL;
        if (chosen) {
            member = chosen;
            holder = queue->first;
        }
    }
    if (!member || !holder) {
        return false;
    }
    holder_take(leases, holder, member);
    *ret_service = holder->service;
    *ret_backend = member->name;
    return true;
}

void leases_leave(struct leases *leases, const char *service)
{
    struct holder *holder = table_get(&leases->holders, service);
    if (holder && holder->current && !holder->leaving) {
        holder->leaving = holder->current;
        holder->current = NULL;
        member_set_state(leases, holder->leaving, LEASE_LEAVING);
    }
}

void leases_release(struct leases *leases, const char *backend)
{
    struct member *member = leases_get_member(leases, backend);
    if (member && member->holder) {
        member_release(leases, member, member->holder->service);
        member_detach(leases, member);
    }
}

/* ---- from released to free ---- */

bool leases_begin_saving(struct leases *leases, leases_clear *clear, void *arg)
{
    bool some = false;
    for (struct member *member = leases->first_released; member; member = member->next) {
        if (member->stage == STAGE_NEW && clear(arg, member->name)) {
            member->stage = STAGE_SAVING;
            some = true;
        }
    }
    return some;
}

void leases_end_saving(struct leases *leases, int64_t now_ms)
{
    for (struct member *member = leases->first_released; member; member = member->next) {
        if (member->stage == STAGE_SAVING) {
            member->stage = STAGE_SAVED;
            member->saved_ms = now_ms;
        }
    }
}

int64_t leases_expire(struct leases *leases, int64_t now_ms, int64_t delay_ms)
{
    int64_t next_ms = LEASES_NEVER;
    struct member *next;
    for (struct member *member = leases->first_released; member; member = next) {
        next = member->next;
        int64_t due_ms = member->saved_ms + delay_ms;
        if (member->stage != STAGE_SAVED) {
            continue;
        }
        if (due_ms <= now_ms) {
            member_forget_former(member);
            member->freed = ++leases->freed;
            member_set_state(leases, member, LEASE_FREE);
        } else if (due_ms < next_ms) {
            next_ms = due_ms;
        }
    }
    leases_forget_retired(leases);
    return next_ms;
}
