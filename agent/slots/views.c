/* SPDX-License-Identifier: MIT */
/* What others may see of the slots: states, counts, who sits where. */
#include "slots_private.h"

const char *slot_state_text(enum slot_state state)
{
    switch (state) {
    case SLOT_FREE:
        return "free";
    case SLOT_ASSIGNING:
        return "assigning";
    case SLOT_STARTING:
        return "starting";
    case SLOT_READY:
        return "ready";
    case SLOT_DOWN:
        return "down";
    case SLOT_DRAINING:
        return "draining";
    case SLOT_HELD:
        return "held";
    case SLOT_LEAVING:
        return "leaving";
    case SLOT_ORPHAN:
        return "unclaimed";
    case SLOT_UNKNOWN:
        return "unknown";
    case SLOT_ABSENT:
        return "absent";
    }
    return "unknown";
}

static enum slot_state slot_get_state(const struct slots *slots, const struct slot *slot)
{
    if (!slot_is_present(slot)) {
        return SLOT_ABSENT;
    }
    if (!slots->observed || slot->unknown || slot->role == ROLE_ASIDE) {
        return SLOT_UNKNOWN;
    }
    switch (slot->role) {
    case ROLE_FREE:
        return slot->idle ? SLOT_FREE : SLOT_HELD;
    case ROLE_LEAVING:
    case ROLE_DELETING:
        return SLOT_LEAVING;
    case ROLE_ORPHAN:
        return SLOT_ORPHAN;
    case ROLE_OWNED:
    case ROLE_ASIDE:
    case ROLE_ABSENT:
        break;
    }
    if (slot_is_really_ready(slot)) {
        return slot_is_up(slot) ? SLOT_READY : slot->starting ? SLOT_STARTING : SLOT_DOWN;
    }
    if (slot->owner->drain && slot_is_in_maint(slot)) {
        return SLOT_HELD;
    }
    return slot_is_draining(slot) && slot_has_address_of(slot, slot->owner) ? SLOT_DRAINING : SLOT_ASSIGNING;
}

bool slots_are_checked(const struct slots *slots)
{
    return slots->checked;
}

size_t slots_count(const struct slots *slots)
{
    return slots->count;
}

struct slot_view slots_view(const struct slots *slots, size_t place)
{
    const struct slot *slot = &slots->slots[place];
    bool named = slot->role == ROLE_OWNED || slot->role == ROLE_LEAVING;
    return (struct slot_view){
        .observed = &slot->observed,
        .state = slot_get_state(slots, slot),
        .endpoint = named ? slot->key : NULL,
        .sessions = slot->sessions,
        .busy = slot->in_flight > 0 || slot->reading,
    };
}

long slots_find_endpoint(const struct slots *slots, const char *key)
{
    const struct wanted *wanted = table_get(&slots->wanted, key);
    return wanted && wanted->slot != SLOTS_NONE ? (long)wanted->slot : -1;
}

/* Who is to serve, or would if no operator drained him: what operators do is no loss. */
static bool wanted_counts(const struct wanted *wanted)
{
    return !wanted->drain || wanted->operator_drain;
}

struct slots_counts slots_count_states(const struct slots *slots)
{
    struct slots_counts counts = {.served = slots->served};
    size_t absent = 0;
    size_t *by_state[] = {
        [SLOT_FREE] = &counts.free,
        [SLOT_ASSIGNING] = &counts.assigning,
        [SLOT_READY] = &counts.ready,
        [SLOT_DRAINING] = &counts.draining,
        [SLOT_LEAVING] = &counts.leaving,
        [SLOT_ORPHAN] = &counts.orphans,
        [SLOT_UNKNOWN] = &counts.unknown,
        [SLOT_HELD] = &counts.held,
        [SLOT_STARTING] = &counts.starting,
        [SLOT_DOWN] = &counts.down,
        [SLOT_ABSENT] = &absent,
    };
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        counts.added += slot->observed.added && slot_is_present(slot);
        (*by_state[slot_get_state(slots, slot)])++;
        counts.wanted += slot->role == ROLE_OWNED && wanted_counts(slot->owner);
    }
    counts.slots = slots->count - absent;
    for (const struct wanted *wanted = slots->first_waiting; wanted; wanted = wanted->next) {
        counts.waiting += wanted_needs_slot(wanted);
        counts.unresolved += wanted->address[0] == '\0';
        counts.wanted += wanted_counts(wanted) && !wanted->kept_only;
    }
    return counts;
}
