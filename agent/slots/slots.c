/* SPDX-License-Identifier: MIT */
/* Who sits where: which endpoint that waits gets which free slot. */
#include "slots_private.h"

#include <stdio.h>
#include <string.h>

#include "slotd/mem.h"

/* ---- questions ---- */

bool slot_is_in_maint(const struct slot *slot)
{
    return (slot->observed.admin & SLOT_ADMIN_MAINT) != 0;
}

bool slot_is_draining(const struct slot *slot)
{
    return !slot_is_in_maint(slot) && (slot->observed.admin & SLOT_ADMIN_DRAIN) != 0;
}

bool slot_is_serving(const struct slot *slot)
{
    return (slot->observed.admin & (SLOT_ADMIN_MAINT | SLOT_ADMIN_DRAIN)) == 0;
}

bool slot_is_unusable(const struct slot *slot)
{
    return (slot->observed.admin & (SLOT_ADMIN_IMAINT | SLOT_ADMIN_RMAINT)) != 0;
}

bool slot_has_address_of(const struct slot *slot, const struct wanted *wanted)
{
    return !slot->unsure && slot->observed.port == wanted->port && strcmp(slot->observed.address, wanted->address) == 0;
}

/* One that is stopping by its check (`http-check disable-on-404`) gets only what a cookie sends it. */
bool slot_is_up(const struct slot *slot)
{
    return !slot->observed.checked || slot->observed.op_state == 1 || slot->observed.op_state == 2;
}

bool slot_has_check(const struct slot *slot)
{
    return slot->observed.checked && !slot->observed.check_off;
}

static bool slot_is_going(const struct slot *slot)
{
    if (slot->role == ROLE_OWNED) {
        return slot->owner->operator_drain || (slot->in_flight > 0 && !slot_has_address_of(slot, slot->owner));
    }
    return slot->role == ROLE_LEAVING && (slot->hard || slot->in_flight > 0);
}

bool slot_keeps_serving(const struct slot *slot)
{
    return !slot->unknown && slot->role != ROLE_ASIDE && slot_is_serving(slot) && slot_is_up(slot) && !slot->foreign &&
           !slot_is_going(slot);
}

bool slot_carries_traffic(const struct slot *slot)
{
    return slot_keeps_serving(slot) && slot->observed.weight > 0;
}

bool slot_is_mover(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && slot_carries_traffic(slot) && !slot_has_address_of(slot, slot->owner);
}

bool slot_rests(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && slot->owner->drain && !slot->owner->operator_drain && !slot->unknown &&
           !slot_is_serving(slot) && !slot_is_unusable(slot) && slot_has_address_of(slot, slot->owner) &&
           (slot_is_in_maint(slot) || slot_is_up(slot));
}

bool slot_is_really_ready(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && !slot->unknown && slot_is_serving(slot) &&
           slot_has_address_of(slot, slot->owner);
}

/* ---- owning and leaving ---- */

void slots_own(struct slots *slots, size_t place, struct wanted *wanted)
{
    struct slot *slot = &slots->slots[place];
    slots_take_waiting(slots, wanted);
    if (slot->role == ROLE_FREE) {
        slots_take_free(slots, place);
    }
    slot->role = ROLE_OWNED;
    slot->owner = wanted;
    slot->hard = slot->taken_out = slot->idle = false;
    free(slot->key);
    slot->key = mem_strdup(wanted->key);
    wanted->slot = place;
}

void slots_leave(struct slots *slots, size_t place, bool hard)
{
    struct slot *slot = &slots->slots[place];
    slot->role = ROLE_LEAVING;
    slot->owner = NULL;
    slot->hard = hard;
    slot->taken_out = true;
    if (!hard && slot_is_serving(slot) && slot_is_up(slot)) {
        slots_go_blind(slots);
    }
}

void slots_go_blind(struct slots *slots)
{
    slots->blind = slots->checked;
}

void wanted_free(struct wanted *wanted)
{
    free(wanted->key);
    free(wanted);
}

/* ---- assignment ---- */

static char *address_key(const char *address, uint16_t port)
{
    return mem_printf("%s %u", address, (unsigned)port);
}

/* Serving slots before draining ones before those in maint: an adoption should send as little as possible. */
static int slot_rank(const struct slot *slot)
{
    return slot_is_in_maint(slot) ? 2 : slot_is_draining(slot) ? 1 : 0;
}

static bool slot_is_up_for_adoption(const struct slot *slot)
{
    return !slot->unknown && !slot->unsure && !slot->distrusted && slot->in_flight == 0 && !slot->reading &&
           !slot_is_unusable(slot) && slot->observed.address[0] &&
           (slot->role == ROLE_FREE || slot->role == ROLE_LEAVING || slot->role == ROLE_ORPHAN);
}

static void address_index_add(struct address_index *index, const struct slot *slot, size_t place)
{
    char *key = address_key(slot->observed.address, slot->observed.port);
    if (table_get(&index->table, key)) {
        free(key);
        return;
    }
    index->keys[index->n_keys++] = key;
    table_put(&index->table, key, (void *)(place + 1));
}

void address_index_build(struct address_index *index, const struct slots *slots, bool (*takes)(const struct slot *slot))
{
    table_init(&index->table, 0);
    index->keys = mem_alloc_array(slots->count, sizeof(char *));
    index->n_keys = 0;
    for (int rank = 0; rank <= 2; rank++) {
        for (size_t i = 0; i < slots->count; i++) {
            if (slot_rank(&slots->slots[i]) == rank && takes(&slots->slots[i])) {
                address_index_add(index, &slots->slots[i], i);
            }
        }
    }
}

size_t address_index_find(const struct address_index *index, const char *address, uint16_t port)
{
    cleanup_free char *key = address_key(address, port);
    void *found = table_get(&index->table, key);
    return found ? (size_t)found - 1 : SLOTS_NONE;
}

void address_index_free(struct address_index *index)
{
    for (size_t i = 0; i < index->n_keys; i++) {
        free(index->keys[i]);
    }
    free(index->keys);
    table_free(&index->table);
}

/* One that gets no new slot has nothing to do in one that rests, unless that is where an operator holds it; nor in one
 * that serves the end of a task that had the address before: that is no sign that the next one has served. */
static bool slot_can_be_adopted(const struct slot *slot, const struct wanted *wanted)
{
    if (slot->role == ROLE_OWNED || (wanted->kept_only && slot->role == ROLE_LEAVING && slot->hard)) {
        return false;
    }
    return wanted_needs_slot(wanted) || wanted->operator_drain || slot->closed || !slot_is_in_maint(slot);
}

/* Gives those that wait the slots that have their address already. Two endpoints with one address need two rounds. */
static size_t slots_adopt_by_address(struct slots *slots)
{
    struct address_index index;
    size_t adopted = 0;
    struct wanted *next = NULL;
    address_index_build(&index, slots, slot_is_up_for_adoption);
    for (struct wanted *wanted = slots->first_waiting; wanted && index.n_keys > 0; wanted = next) {
        next = wanted->next;
        size_t place = address_index_find(&index, wanted->address, wanted->port);
        if (place != SLOTS_NONE && slot_can_be_adopted(&slots->slots[place], wanted)) {
            slots_own(slots, place, wanted);
            adopted++;
        }
    }
    address_index_free(&index);
    return adopted;
}

bool slot_is_usable(const struct slot *slot, bool closed)
{
    return !slot_is_unusable(slot) && !slot->unknown && slot->closed == closed;
}

/* One that HAProxy's configuration has comes first: a reload keeps it. */
static size_t slots_next_usable(const struct slots *slots, const struct free_queue *queue, bool closed)
{
    size_t added = SLOTS_NONE;
    for (size_t place = queue->first; place != SLOTS_NONE; place = slots->slots[place].next_free) {
        if (!slot_is_usable(&slots->slots[place], closed)) {
            continue;
        }
        if (!slots->slots[place].observed.added) {
            return place;
        }
        added = added == SLOTS_NONE ? place : added;
    }
    return added;
}

/* One with sessions goes to another task of the same service rather than nobody serving it: they go on meanwhile. */
static size_t slots_next_usable_free(const struct slots *slots)
{
    size_t place = slots_next_usable(slots, &slots->idle, false);
    return place == SLOTS_NONE ? slots_next_usable(slots, &slots->held, false) : place;
}

/* Who comes there drains; it is in the place that it will have when the order ends. */
static size_t slots_next_closed(const struct slots *slots)
{
    size_t place = slots_next_usable(slots, &slots->idle, true);
    return place == SLOTS_NONE ? slots_next_usable(slots, &slots->held, true) : place;
}

bool wanted_is_held(const struct wanted *wanted)
{
    return wanted->operator_drain && (wanted->operator_maint || wanted->drained);
}

bool wanted_needs_slot(const struct wanted *wanted)
{
    return wanted->address[0] && !wanted->drain && !wanted->kept_only;
}

/* A search for slots that endpoints on their way out can give up; each one found is taken. */
struct takeover {
    size_t serving; /* slots that serve, those that were taken among them: the plan lets them go one after another */
    size_t resting; /* slots that would serve again if nothing else did */
    size_t next;    /* where the search goes on */
};

static struct takeover takeover_begin(const struct slots *slots)
{
    struct takeover takeover = {0};
    for (size_t i = 0; i < slots->count; i++) {
        takeover.serving += slot_keeps_serving(&slots->slots[i]);
        takeover.resting += slot_rests(&slots->slots[i]);
    }
    return takeover;
}

/* Whether a slot may be taken from an endpoint on its way out: its sessions go on when the slot moves. The last one
 * that serves, or would serve again, stays. */
static bool slot_can_be_taken(const struct slot *slot, const struct takeover *takeover)
{
    if (slot->role != ROLE_OWNED || !slot->owner->drain || slot->in_flight > 0 || slot->unknown || slot->reading) {
        return false;
    }
    if (slot->closed) {
        return false; /* the two would take it from each other for ever */
    }
    if (slot_keeps_serving(slot)) {
        return takeover->serving > 1;
    }
    return takeover->serving > 0 || takeover->resting > 1 || !slot_rests(slot);
}

/* No slot is free: within the same service, a task that drains gives its slot to one that is to serve. */
static size_t slots_take_draining(struct slots *slots, struct takeover *takeover)
{
    for (; takeover->next < slots->count; takeover->next++) {
        struct slot *slot = &slots->slots[takeover->next];
        if (slot_can_be_taken(slot, takeover)) {
            takeover->resting -= slot_rests(slot);
            slots_push_waiting(slots, slot->owner);
            slots_leave(slots, takeover->next, false);
            return takeover->next;
        }
    }
    return SLOTS_NONE;
}

static bool slots_has_needy(const struct slots *slots)
{
    const struct wanted *wanted = slots->first_waiting;
    while (wanted && !wanted_needs_slot(wanted)) {
        wanted = wanted->next;
    }
    return wanted != NULL;
}

static void slots_assign(struct slots *slots)
{
    if (!slots->first_waiting || !slots->observed) {
        return;
    }
    while (slots->first_waiting && slots_adopt_by_address(slots) > 0) {
    }
    struct takeover takeover = takeover_begin(slots);
    struct wanted *next = NULL;
    for (struct wanted *wanted = slots->first_waiting; wanted; wanted = next) {
        next = wanted->next;
        if (!wanted_needs_slot(wanted)) {
            continue;
        }
        size_t place = slots_next_usable_free(slots);
        /* Before anything can be sent the one on its way out may come back to the slot that it has never left. */
        place = place == SLOTS_NONE && slots->planned ? slots_take_draining(slots, &takeover) : place;
        place = place == SLOTS_NONE ? slots_next_closed(slots) : place;
        if (place == SLOTS_NONE) {
            break;
        }
        slots_own(slots, place, wanted);
    }
}

void slots_change_places(struct slots *slots, size_t from, size_t to)
{
    struct wanted *owner = slots->slots[from].owner;
    slots_leave(slots, from, false);
    slots_push_waiting(slots, owner);
    slots_own(slots, to, owner);
}

/* It drains, with sessions perhaps, where its endpoint was before. */
static bool slot_drains_elsewhere(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && slot_is_draining(slot) && slot->in_flight == 0 && !slot->unknown &&
           !slot->reading && !slot->closed && !slot_is_unusable(slot) && slot->owner->address[0] &&
           !slot_has_address_of(slot, slot->owner);
}

/* An endpoint that moved takes a free slot that nobody waits for, so that the new address serves before the old one
 * leaves. One that drains takes only one without sessions: its own end in the slot that they are in. */
static void slots_spread_movers(struct slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        size_t place = SLOTS_NONE;
        if (slot_is_mover(slot) && wanted_needs_slot(slot->owner)) {
            place = slots_next_usable_free(slots);
        } else if (slot_drains_elsewhere(slot)) {
            place = slots_next_usable(slots, &slots->idle, false);
        }
        if (place != SLOTS_NONE) {
            slots_change_places(slots, i, place);
        }
    }
}

static bool slot_has_left(const struct slot *slot)
{
    return slot->role == ROLE_LEAVING && slot->in_flight == 0 && !slot->unknown && !slot->reading &&
           slot_is_in_maint(slot);
}

static void slots_free_if_left(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    if (!slot_has_left(slot)) {
        return;
    }
    if (slot->distrusted) {
        slot->role = ROLE_ASIDE;
    } else {
        slots_push_free(slots, place);
    }
}

void slots_set_closed(struct slots *slots, size_t place, bool closed)
{
    slots->slots[place].closed = closed;
}

void slots_settle(struct slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        slots_free_if_left(slots, i);
    }
    slots->unsettled = false;
    slots_assign(slots);
    if (slots->observed && slots->planned) {
        slots_spread_movers(slots);
    }
}

void slots_begin_plan(struct slots *slots)
{
    if (slots->observed && !slots->planned) {
        slots->planned = true;
        slots_settle(slots);
    }
}

void slots_settle_slot(struct slots *slots, size_t place)
{
    slots_free_if_left(slots, place);
    slots->unsettled = true;
}

void slots_settle_rest(struct slots *slots)
{
    if (slots->unsettled && slots_has_needy(slots)) {
        slots_assign(slots);
    }
    slots->unsettled = false;
    if (slots->observed) {
        servers_leave(slots);
    }
}
