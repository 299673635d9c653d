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
    for (size_t i = 0; i < count; i++) {
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
    table_free(&leases->by_name);
    table_free(&leases->holders);
    free(leases);
}

/* ---- states ---- */

void member_set_state(struct leases *leases, struct member *member, enum lease_state state)
{
    member->pool->free -= member->state == LEASE_FREE;
    leases->n_leaving -= member->state == LEASE_LEAVING;
    leases->n_released -= member->state == LEASE_RELEASED;
    member->state = state;
    member->pool->free += state == LEASE_FREE;
    leases->n_leaving += state == LEASE_LEAVING;
    leases->n_released += state == LEASE_RELEASED;
}

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

static void holder_end_waiting(struct leases *leases, struct holder *holder)
{
    if (!holder->class) {
        return;
    }
    *(holder->previous ? &holder->previous->next : &leases->first) = holder->next;
    *(holder->next ? &holder->next->previous : &leases->last) = holder->previous;
    holder->previous = holder->next = NULL;
    free(holder->class);
    holder->class = NULL;
}

static void holder_begin_waiting(struct leases *leases, struct holder *holder, const char *class)
{
    if (holder->class && strcmp(holder->class, class) == 0) {
        return;
    }
    holder_end_waiting(leases, holder);
    holder->class = mem_strdup(class);
    holder->previous = leases->last;
    *(leases->last ? &leases->last->next : &leases->first) = holder;
    leases->last = holder;
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
    holder_end_waiting(leases, holder);
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

static const char *leases_find_own_class(const struct leases *leases, const char *class)
{
    for (size_t i = 0; i < leases->n_pools; i++) {
        if (leases->pools[i].total > 0 && strcmp(leases->pools[i].class, class) == 0) {
            return leases->pools[i].class;
        }
    }
    return NULL;
}

const char *leases_find_class(const struct leases *leases, const char *class)
{
    const char *found = leases_find_own_class(leases, class);
    bool falls_back = strcmp(class, "sticky") == 0 || strcmp(class, "leastconn") == 0;
    return !found && falls_back ? leases_find_own_class(leases, "http") : found;
}

static bool member_is_of_class(const struct member *member, const char *class)
{
    return member && strcmp(member->pool->class, class) == 0;
}

static void holder_return(struct leases *leases, struct holder *holder)
{
    struct member *back = holder->leaving;
    holder->leaving = NULL;
    holder_take(leases, holder, back);
}

void leases_want(struct leases *leases, const char *service, const char *class)
{
    const char *found = leases_find_class(leases, class);
    struct holder *holder = leases_ensure_holder(leases, service);
    if (!found ? holder->current != NULL : member_is_of_class(holder->current, found)) {
        holder_end_waiting(leases, holder);
    } else if (found && member_is_of_class(holder->leaving, found)) {
        holder_return(leases, holder);
    } else if (holder->leaving) {
        holder_end_waiting(leases, holder); /* one move after the other */
    } else {
        holder_begin_waiting(leases, holder, class);
    }
    holder_drop_if_idle(leases, holder);
}

void leases_unwant(struct leases *leases, const char *service)
{
    struct holder *holder = table_get(&leases->holders, service);
    if (holder) {
        holder_end_waiting(leases, holder);
        holder_drop_if_idle(leases, holder);
    }
}

static bool leases_have_free(const struct leases *leases, const char *class)
{
    for (size_t i = 0; i < leases->n_pools; i++) {
        if (leases->pools[i].free > 0 && strcmp(leases->pools[i].class, class) == 0) {
            return true;
        }
    }
    return false;
}

/* Its own released one, or the free one that nobody has had for longest. */
static struct member *leases_choose(const struct leases *leases, const struct holder *holder, const char *class,
                                    leases_usable *usable, void *arg)
{
    struct member *best = NULL;
    for (size_t i = 0; i < leases->n_members; i++) {
        struct member *member = leases->members[i];
        if (!member_is_of_class(member, class)) {
            continue;
        }
        if (member->state == LEASE_RELEASED && text_equal(member->former, holder->service) &&
            usable(arg, member->name)) {
            return member;
        }
        if (member->state == LEASE_FREE && (!best || member->freed < best->freed) && usable(arg, member->name)) {
            best = member;
        }
    }
    return best;
}

bool leases_give(struct leases *leases, leases_usable *usable, void *arg, const char **ret_service,
                 const char **ret_backend)
{
    for (struct holder *holder = leases->first; holder; holder = holder->next) {
        const char *class = leases_find_class(leases, holder->class);
        struct member *member = class && (leases->n_released > 0 || leases_have_free(leases, class))
                                    ? leases_choose(leases, holder, class, usable, arg)
                                    : NULL;
        if (member) {
            holder_take(leases, holder, member);
            *ret_service = holder->service;
            *ret_backend = member->name;
            return true;
        }
    }
    return false;
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
    for (size_t i = 0; leases->n_released > 0 && i < leases->n_members; i++) {
        struct member *member = leases->members[i];
        if (member->state == LEASE_RELEASED && member->stage == STAGE_NEW && clear(arg, member->name)) {
            member->stage = STAGE_SAVING;
            some = true;
        }
    }
    return some;
}

void leases_end_saving(struct leases *leases, int64_t now_ms)
{
    for (size_t i = 0; i < leases->n_members; i++) {
        struct member *member = leases->members[i];
        if (member->state == LEASE_RELEASED && member->stage == STAGE_SAVING) {
            member->stage = STAGE_SAVED;
            member->saved_ms = now_ms;
        }
    }
}

int64_t leases_expire(struct leases *leases, int64_t now_ms, int64_t delay_ms)
{
    int64_t next_ms = LEASES_NEVER;
    for (size_t i = 0; leases->n_released > 0 && i < leases->n_members; i++) {
        struct member *member = leases->members[i];
        if (member->state != LEASE_RELEASED || member->stage != STAGE_SAVED) {
            continue;
        }
        int64_t due_ms = member->saved_ms + delay_ms;
        if (due_ms <= now_ms) {
            member_forget_former(member);
            member->freed = ++leases->freed;
            member_set_state(leases, member, LEASE_FREE);
        } else if (due_ms < next_ms) {
            next_ms = due_ms;
        }
    }
    return next_ms;
}
