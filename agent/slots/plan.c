/* SPDX-License-Identifier: MIT */
/* From the difference between what is and what should be to commands, in an order that never lets traffic reach a wrong
 * address. */
#include <string.h>

#include "slotd/mem.h"
#include "slots_private.h"

/* What the whole backend allows at this moment; computed once for a plan. */
struct outlook {
    const struct slots *slots;
    size_t ready;     /* slots that serve an endpoint which is to stay, with a weight above 0 */
    size_t serving;   /* slots that take new sessions, whoever they belong to, until this plan says otherwise */
    size_t arriving;  /* slots on the way to that */
    size_t waiting;   /* endpoints without a slot */
    size_t may_move;  /* slots that serve at their endpoint's former address and may go to the new one now */
    size_t may_leave; /* soft leavers that may go now */
    bool recalls;     /* all that serve are about to go, and what rests comes back before they do */
};

void slot_plan_free(struct slot_plan *plan)
{
    free(plan->commands);
    *plan = (struct slot_plan){0};
}

static void plan_add(struct slot_plan *plan, const struct slots *slots, size_t place, enum slot_command_kind kind,
                     uint16_t value)
{
    const struct slot *slot = &slots->slots[place];
    MEM_GROW(plan->commands, plan->capacity, plan->count + 1);
    struct slot_command *command = &plan->commands[plan->count++];
    *command = (struct slot_command){.kind = kind, .slot = place, .server = slot->server, .value = value};
    if (kind == SLOT_COMMAND_ADDRESS) {
        command->address = slot->owner->address;
        command->port = slot->owner->port;
    }
}

/* ---- the backend as a whole ---- */

/* What is counted on the way to an outlook. */
struct tally {
    size_t movers;       /* of those that serve: at their endpoint's former address */
    size_t resting;      /* slots in drain or maint that would serve again if nothing else did */
    size_t soft_leavers; /* of them: on their way out */
    size_t leaving_now;
};

/* How many of those that serve may go now: half of them, with what is on its way already counted as gone; the last one
 * only when nothing else is on its way. */
static size_t outlook_spare(const struct outlook *outlook, const struct tally *tally)
{
    size_t busy = outlook->arriving + tally->leaving_now;
    if (outlook->serving > 1) {
        return outlook->serving > busy ? (outlook->serving - busy) / 2 : 0;
    }
    return busy == 0 ? outlook->serving : 0;
}

static void outlook_allow(struct outlook *outlook, const struct tally *tally)
{
    size_t spare = outlook_spare(outlook, tally);
    outlook->may_move = tally->movers < spare ? tally->movers : spare;
    spare -= outlook->may_move;
    if (outlook->arriving + outlook->waiting + tally->movers == 0) {
        outlook->may_leave = tally->soft_leavers;
    } else if (outlook->waiting > tally->leaving_now) {
        size_t room = outlook->waiting - tally->leaving_now;
        outlook->may_leave = room < spare ? room : spare;
    }
    if (tally->resting > 0 && outlook->serving > 0 && outlook->may_move + outlook->may_leave >= outlook->serving) {
        outlook->may_move = outlook->may_leave = 0;
        outlook->recalls = true;
    }
}

static struct outlook outlook_of(const struct slots *slots)
{
    struct outlook outlook = {.slots = slots};
    struct tally tally = {0};
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        bool stays = slot->role == ROLE_OWNED && !slot->owner->drain;
        bool ready = stays && slot_is_really_ready(slot);
        bool moves = slot_is_mover(slot);
        outlook.ready += ready && slot->owner->weight > 0 && slot->observed.weight > 0;
        outlook.arriving += stays && !ready && !moves;
        tally.movers += moves;
        tally.resting += slot_rests(slot);
        tally.soft_leavers += slot->role == ROLE_LEAVING && slot_carries_traffic(slot);
        tally.leaving_now += slot->role == ROLE_LEAVING && (slot->hard || slot->in_flight > 0);
        outlook.serving += slot_carries_traffic(slot);
    }
    for (const struct wanted *wanted = slots->first_waiting; wanted; wanted = wanted->next) {
        outlook.waiting += wanted_needs_slot(wanted);
    }
    outlook.arriving += outlook.ready + outlook.serving == 0 ? tally.resting : 0;
    outlook_allow(&outlook, &tally);
    return outlook;
}

/* Draining the last one that serves would answer 503 where it still can answer; an operator's word counts more. */
static bool slot_should_drain(const struct outlook *outlook, const struct slot *slot)
{
    return slot->owner->operator_drain || (slot->owner->drain && outlook->ready > 0);
}

/* One that rests and is on its way out may end at any moment: it serves again only when nothing else does, and not
 * because those that still serve are told to go too. */
static bool slot_should_rest(const struct outlook *outlook, const struct slot *slot)
{
    return slot_should_drain(outlook, slot) || (slot->owner->drain && outlook->serving > 0 && !outlook->recalls);
}

/* ---- one slot ---- */

static uint16_t slot_wanted_weight(const struct slots *slots, const struct slot *slot)
{
    bool fixed = slots->weights_fixed && slot->owner->weight > 0;
    return fixed ? slot->observed.configured : slot->owner->weight;
}

static void plan_weight(const struct slots *slots, size_t place, struct slot_plan *plan)
{
    const struct slot *slot = &slots->slots[place];
    uint16_t weight = slot_wanted_weight(slots, slot);
    if (slot->observed.weight != weight) {
        plan_add(plan, slots, place, SLOT_COMMAND_WEIGHT, weight);
    }
}

/* A former task's settings survive in a slot: all of them are set at each assignment. Maint goes before and ready comes
 * after, each in a plan of its own: a line that is refused cannot stop those behind it in the same write. */
static void plan_move(const struct slots *slots, size_t place, struct slot_plan *plan)
{
    const struct slot *slot = &slots->slots[place];
    if (!slot_is_in_maint(slot)) {
        plan_add(plan, slots, place, SLOT_COMMAND_MAINT, 0);
        return;
    }
    plan_add(plan, slots, place, SLOT_COMMAND_ADDRESS, 0);
    if (slot->observed.checked) {
        plan_add(plan, slots, place, SLOT_COMMAND_CHECK_PORT, 0);
    }
    plan_add(plan, slots, place, SLOT_COMMAND_WEIGHT, slot_wanted_weight(slots, slot));
}

static void plan_enter(const struct slots *slots, size_t place, struct slot_plan *plan)
{
    const struct slot *slot = &slots->slots[place];
    size_t before = plan->count;
    if (slot->observed.checked && slot->observed.check_port != 0) {
        plan_add(plan, slots, place, SLOT_COMMAND_CHECK_PORT, 0);
    }
    plan_weight(slots, place, plan);
    if (plan->count == before) {
        plan_add(plan, slots, place, SLOT_COMMAND_READY, 0);
    }
}

/* While it serves at a former address it takes its turn: all at once would leave nothing that serves. */
static bool outlook_lets_move(struct outlook *outlook, const struct slot *slot)
{
    if (!slot_is_mover(slot)) {
        return true;
    }
    if (outlook->may_move == 0) {
        return false;
    }
    outlook->may_move--;
    return true;
}

static void plan_owned(struct outlook *outlook, size_t place, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    const struct slot *slot = &slots->slots[place];
    if (wanted_is_held(slot->owner)) {
        if (!slot_is_in_maint(slot)) {
            plan_add(plan, slots, place, SLOT_COMMAND_MAINT, 0);
        }
    } else if (!slot_has_address_of(slot, slot->owner)) {
        if (slot->owner->address[0] && outlook_lets_move(outlook, slot)) {
            plan_move(slots, place, plan);
        }
    } else if (!slot_is_serving(slot)) {
        if (!slot_should_rest(outlook, slot)) {
            plan_enter(slots, place, plan);
        }
    } else if (slot_should_drain(outlook, slot)) {
        plan_add(plan, slots, place, SLOT_COMMAND_DRAIN, 0);
    } else {
        plan_weight(slots, place, plan);
    }
}

/* Commands for one slot are strictly one after another: none while others are on their way, none before it is known. */
static bool slot_can_be_planned(const struct slot *slot)
{
    return slot->in_flight == 0 && !slot->unknown && !slot->reading && slot->role != ROLE_ASIDE &&
           slot->role != ROLE_ORPHAN && !slot_is_unusable(slot);
}

/* ---- the plan ---- */

/* Soft leavers that carry no traffic have nothing to wait for. */
static void plan_leavers(const struct outlook *outlook, bool hard, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    size_t left = outlook->may_leave;
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        if (slot->role != ROLE_LEAVING || slot->hard != hard || !slot_can_be_planned(slot) || slot_is_in_maint(slot)) {
            continue;
        }
        bool free_to_go = hard || !slot_carries_traffic(slot);
        if (free_to_go || left > 0) {
            plan_add(plan, slots, i, SLOT_COMMAND_MAINT, 0);
            left -= free_to_go ? 0 : 1;
        }
    }
}

/* New ones first: what serves already is changed after what will serve. */
static void plan_owners(struct outlook *outlook, bool serving, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        if (slot->role == ROLE_OWNED && slot_is_really_ready(slot) == serving && slot_can_be_planned(slot)) {
            plan_owned(outlook, i, plan);
        }
    }
}

static bool plan_needs_read(const struct slots *slots, const struct slots_options *options,
                            const struct slot_plan *plan, size_t first)
{
    for (size_t i = first; i < plan->count && options->read_back; i++) {
        if (plan->commands[i].kind == SLOT_COMMAND_ADDRESS) {
            return true;
        }
    }
    for (size_t i = 0; i < slots->count && slots->reads_in_flight == 0; i++) {
        const struct slot *slot = &slots->slots[i];
        if ((slot->reading || slot->unknown) && slot->in_flight == 0 && slot->role != ROLE_ASIDE) {
            return true;
        }
    }
    return false;
}

static void plan_build(const struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    size_t first = plan->count;
    if (!slots->observed || slots->broken) {
        return;
    }
    struct outlook outlook = outlook_of(slots);
    plan_leavers(&outlook, true, plan);
    plan_owners(&outlook, false, plan);
    plan_owners(&outlook, true, plan);
    plan_leavers(&outlook, false, plan);
    if (plan_needs_read(slots, options, plan, first)) {
        MEM_GROW(plan->commands, plan->capacity, plan->count + 1);
        plan->commands[plan->count++] = (struct slot_command){.kind = SLOT_COMMAND_READ};
    }
}

void slots_preview(const struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    plan_build(slots, options, plan);
}

void slots_plan(struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    size_t first = plan->count;
    slots_settle_rest(slots);
    plan_build(slots, options, plan);
    for (size_t i = first; i < plan->count; i++) {
        const struct slot_command *command = &plan->commands[i];
        if (command->kind == SLOT_COMMAND_READ) {
            slots->reads_in_flight++;
            continue;
        }
        struct slot *slot = &slots->slots[command->slot];
        slot->in_flight++;
        if (command->kind == SLOT_COMMAND_ADDRESS) {
            slot->reading = slot->unsure = options->read_back;
            slot->reads = 0;
            memcpy(slot->sent_address, slot->owner->address, sizeof(slot->sent_address));
            slot->sent_port = slot->owner->port;
        }
    }
}
