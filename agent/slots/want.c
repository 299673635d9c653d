/* SPDX-License-Identifier: MIT */
/* What should be served: endpoints come, change and go; what nobody claims is released. */
#include <stdio.h>
#include <string.h>

#include "slotd/mem.h"
#include "slots_private.h"

/* What serves may have to stop, by another word than an operator's. */
static bool wanted_is_leaving_now(const struct wanted *wanted, const struct slot_endpoint *endpoint)
{
    bool moves = endpoint->address && wanted->address[0] &&
                 (wanted->port != endpoint->port || strcmp(wanted->address, endpoint->address) != 0);
    return wanted->slot != SLOTS_NONE && ((endpoint->drain && !wanted->drain) || moves);
}

static void wanted_update(struct wanted *wanted, const struct slot_endpoint *endpoint)
{
    wanted->listed = true;
    wanted->weight = endpoint->weight;
    wanted->check_port = endpoint->check_port;
    wanted->drain = endpoint->drain || endpoint->operator_drain;
    wanted->operator_drain = endpoint->operator_drain;
    wanted->operator_maint = endpoint->operator_maint;
    wanted->drained = wanted->drained && endpoint->operator_drain;
    wanted->kept_only = endpoint->kept_only;
    /* Not resolved at the moment: an address that is known stays. */
    if (endpoint->address) {
        (void)snprintf(wanted->address, sizeof(wanted->address), "%s", endpoint->address);
        wanted->port = endpoint->port;
    }
}

static struct wanted *slots_add_wanted(struct slots *slots, const char *key)
{
    struct wanted *wanted = MEM_NEW(struct wanted);
    wanted->key = mem_strdup(key);
    table_put(&slots->wanted, wanted->key, wanted);
    slots_push_waiting(slots, wanted);
    return wanted;
}

static void slots_drop_wanted(struct slots *slots, struct wanted *wanted, bool hard)
{
    if (wanted->slot == SLOTS_NONE) {
        slots_take_waiting(slots, wanted);
    } else {
        slots_leave(slots, wanted->slot, hard);
    }
    table_remove(&slots->wanted, wanted->key);
    wanted_free(wanted);
}

static void slots_drop_unlisted(struct slots *slots)
{
    struct wanted **vanished = mem_alloc_array(slots->wanted.count, sizeof(struct wanted *));
    size_t count = 0;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&slots->wanted, &position))) {
        struct wanted *wanted = entry->value;
        if (!wanted->listed) {
            vanished[count++] = wanted;
        }
        wanted->listed = false;
    }
    for (size_t i = 0; i < count; i++) {
        slots_drop_wanted(slots, vanished[i], false);
    }
    free(vanished);
}

static size_t slots_count_orphans(const struct slots *slots)
{
    size_t n_orphans = 0;
    for (size_t i = 0; i < slots->count; i++) {
        n_orphans += slots->slots[i].role == ROLE_ORPHAN;
    }
    return n_orphans;
}

/* An orphan at the address of an endpoint that is served by its own slot is a leftover: it can go without any doubt. */
static void slots_drop_duplicates(struct slots *slots)
{
    struct address_index served;
    if (slots_count_orphans(slots) == 0) {
        return;
    }
    address_index_build(&served, slots, slot_is_really_ready);
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        if (slot->role == ROLE_ORPHAN && !slot->unsure &&
            address_index_find(&served, slot->observed.address, slot->observed.port) != SLOTS_NONE) {
            slots_leave(slots, i, true);
        }
    }
    address_index_free(&served);
}

/* It serves somebody whom this program never knew. */
static bool slot_is_strange(const struct slot *slot)
{
    return (slot->role == ROLE_ORPHAN || (slot->role == ROLE_LEAVING && !slot->key)) && !slot->unsure;
}

static bool slots_has_strangers(const struct slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        if (slot_is_strange(&slots->slots[i])) {
            return true;
        }
    }
    return false;
}

/* One at the address of a task that is over, and of nobody else: that task is what it served. */
static void slots_drop_gone(struct slots *slots, const struct slot_endpoint *endpoints, size_t count)
{
    struct address_index strangers;
    if (!slots_has_strangers(slots)) {
        return;
    }
    address_index_build(&strangers, slots, slot_is_strange);
    for (size_t i = 0; i < count && strangers.n_keys > 0; i++) {
        const struct slot_endpoint *endpoint = &endpoints[i];
        size_t place = endpoint->gone && endpoint->address
                           ? address_index_find(&strangers, endpoint->address, endpoint->port)
                           : SLOTS_NONE;
        if (place != SLOTS_NONE) {
            slots_leave(slots, place, true);
        }
    }
    address_index_free(&strangers);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct slot_endpoint *)a)->key, ((const struct slot_endpoint *)b)->key);
}

static bool endpoint_is_gone(const struct slot_endpoint *endpoints, size_t count, const char *key)
{
    const struct slot_endpoint wanted = {.key = key};
    const struct slot_endpoint *found =
        count > 0 ? bsearch(&wanted, endpoints, count, sizeof(*endpoints), compare_keys) : NULL;
    return found && found->gone;
}

/* What its task has left already, and may still serve until others do: that it is over leaves nothing to wait for. */
static void slots_harden(struct slots *slots, const struct slot_endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->slots[i];
        if (slot->role == ROLE_LEAVING && !slot->hard && slot->key) {
            slot->hard = endpoint_is_gone(endpoints, count, slot->key);
        }
    }
}

/* It got a slot at an observation by what was wanted before, and by now would only keep one where it serves. */
static void slots_take_back(struct slots *slots, struct wanted *wanted)
{
    const struct slot *slot = wanted->slot == SLOTS_NONE ? NULL : &slots->slots[wanted->slot];
    if (!slots->planned && slot && wanted->kept_only && !wanted->operator_drain && !slot->closed &&
        slot_is_in_maint(slot)) {
        slots_leave(slots, wanted->slot, false);
        slots_push_waiting(slots, wanted);
    }
}

void slots_set_desired(struct slots *slots, const struct slot_endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct slot_endpoint *endpoint = &endpoints[i];
        struct wanted *wanted = table_get(&slots->wanted, endpoint->key);
        if (endpoint->gone) {
            if (wanted) {
                slots_drop_wanted(slots, wanted, true);
            }
            continue;
        }
        if (!wanted) {
            wanted = slots_add_wanted(slots, endpoint->key);
        }
        if (wanted_is_leaving_now(wanted, endpoint)) {
            slots_go_blind(slots);
        }
        wanted_update(wanted, endpoint);
        slots_take_back(slots, wanted);
    }
    slots_drop_unlisted(slots);
    slots_harden(slots, endpoints, count);
    slots_settle(slots);
    slots_drop_duplicates(slots);
    slots_drop_gone(slots, endpoints, count);
}

static size_t slots_release(struct slots *slots, size_t most, bool (*is_meant)(const struct slot *slot))
{
    size_t released = 0;
    for (size_t i = 0; i < slots->count && released < most; i++) {
        if (slots->slots[i].role == ROLE_ORPHAN && is_meant(&slots->slots[i])) {
            slots_leave(slots, i, false);
            released++;
        }
    }
    return released;
}

static bool orphan_serves_no_more(const struct slot *slot)
{
    return !slot_is_serving(slot);
}

static bool orphan_may_serve(const struct slot *slot)
{
    (void)slot;
    return true;
}

static bool orphan_was_taken_out(const struct slot *slot)
{
    return slot->taken_out;
}

size_t slots_release_orphans(struct slots *slots, size_t most)
{
    size_t released = slots_release(slots, most, orphan_serves_no_more);
    return released + slots_release(slots, most - released, orphan_may_serve);
}

size_t slots_retry_aside(struct slots *slots)
{
    size_t retried = 0;
    for (size_t i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->slots[i];
        if (slot->role == ROLE_ASIDE) {
            slots_leave(slots, i, true);
            slot->unknown = true;
            slot->distrusted = false;
            slot->failures = 0;
            retried++;
        }
    }
    return retried;
}

size_t slots_release_revenants(struct slots *slots)
{
    return slots_release(slots, SIZE_MAX, orphan_was_taken_out);
}
