/* SPDX-License-Identifier: MIT */
/* Rows that are read at any time, against what was applied: health, which is HAProxy's own to change, and drift, what
 * another hand has changed. */
#include <string.h>

#include "slots_private.h"

/* Nothing is on its way to it: what differs is not of our doing. Replies come in the order of commands. */
static bool slot_can_be_compared(const struct slot *slot)
{
    return slot->in_flight == 0 && !slot->unknown && !slot->reading && !slot->unsure && slot->role != ROLE_ASIDE &&
           slot_is_present(slot);
}

/* An agent check may set weight and drain by itself; maint for a name's or another server's sake is HAProxy's. */
static bool slot_has_drifted(const struct slot *slot, const struct slot_observed *row)
{
    const struct slot_observed *applied = &slot->observed;
    unsigned ours = SLOT_ADMIN_FMAINT | (row->has_agent ? 0 : (unsigned)SLOT_ADMIN_FDRAIN);
    bool differs = applied->port != row->port || strcmp(applied->address, row->address) != 0;
    differs = differs || ((applied->admin ^ row->admin) & ours) != 0;
    differs = differs || (!row->has_agent && applied->weight != row->weight);
    return differs || (row->checked && !row->check_off && applied->checked && applied->check_port != row->check_port);
}

/* A slot of nobody that serves leaves again; one that serves whom nobody knows and is out of service is free. What an
 * endpoint's slot needs, the plan finds. */
static void slots_take_drift(struct slots *slots, size_t place, const struct slot_observed *row)
{
    struct slot *slot = &slots->slots[place];
    bool moved = slot->observed.port != row->port || strcmp(slot->observed.address, row->address) != 0;
    slot_take_row(slot, row);
    bool serves_wrongly = slot->role == ROLE_OWNED ? !slot_has_address_of(slot, slot->owner) : moved;
    slot->foreign = !slot_is_in_maint(slot) && serves_wrongly;
    if (slot->role == ROLE_FREE && !slot_is_in_maint(slot)) {
        slots_take_free(slots, place);
        slot->idle = false;
        slots_leave(slots, place, true);
    } else if (slot->role == ROLE_ORPHAN && slot_is_in_maint(slot)) {
        slots_push_free(slots, place);
    }
}

static void slots_compare_row(struct slots *slots, size_t place, const struct slot_observed *row,
                              struct slots_comparison *result)
{
    struct slot *slot = &slots->slots[place];
    bool was_up = slot_is_up(slot);
    bool was_off = slot->observed.check_off;
    if (slot_has_drifted(slot, row)) {
        result->drifted++;
        result->first = result->first ? result->first : slot->server;
        slots_take_drift(slots, place, row);
    } else {
        slot_take_row(slot, row);
    }
    slot->starting = slot->starting && !slot_is_in_maint(slot) && !slot_is_up(slot);
    result->changed =
        result->changed || slot_is_up(slot) != was_up || (slot->starting && slot->observed.check_off != was_off);
}

struct slots_comparison slots_compare(struct slots *slots, const struct slot_observed *rows, size_t count)
{
    struct slots_comparison result = {0};
    struct table by_name;
    table_init(&by_name, 0);
    for (size_t i = 0; i < count; i++) {
        table_put(&by_name, rows[i].server, (void *)(uintptr_t)&rows[i]);
    }
    for (size_t i = 0; i < slots->count && slots->observed; i++) {
        const struct slot_observed *row = table_get(&by_name, slots->slots[i].server);
        if (!slot_can_be_compared(&slots->slots[i])) {
            continue;
        }
        if (row) {
            slots_compare_row(slots, i, row, &result);
        } else {
            result.drifted++;
            result.first = result.first ? result.first : slots->slots[i].server;
            slot_lose(slots, i);
        }
    }
    table_free(&by_name);
    result.changed = result.changed || result.drifted > 0;
    if (result.drifted > 0) {
        slots_settle(slots);
    }
    return result;
}
