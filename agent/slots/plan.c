/* SPDX-License-Identifier: MIT */
/* From the difference between what is and what should be to commands, in an order that never lets traffic reach a wrong
 * address. */
#include <string.h>

#include "slotd/mem.h"
#include "slots_private.h"

/* What the whole backend allows at this moment; computed once for a plan. */
struct outlook {
    const struct slots *slots;
    const struct slots_options *options;
    size_t ready;     /* slots that serve an endpoint which is to stay, with a weight above 0 */
    size_t serving;   /* slots that take new sessions, whoever they belong to, until this plan says otherwise */
    size_t starting;  /* slots that would, but wait for their first good check */
    size_t arriving;  /* slots on the way to that */
    size_t waiting;   /* endpoints without a slot */
    size_t leaving;   /* slots that are free soon */
    size_t may_move;  /* slots that serve at their endpoint's former address and may go to the new one now */
    size_t may_leave; /* soft leavers that may go now */
    bool recalls;     /* all that serve are about to go, and what rests comes back before they do */
    bool hurries;     /* the same, or nothing serves, and what starts waits for its check no longer */
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
    if (outlook->may_leave > tally->soft_leavers) {
        outlook->may_leave = tally->soft_leavers;
    }
    bool goes_dark = outlook->may_move + outlook->may_leave >= outlook->serving;
    outlook->hurries = goes_dark && outlook->starting > 0;
    outlook->recalls = goes_dark && outlook->serving > 0 && !outlook->hurries && tally->resting > 0;
    if (outlook->hurries || outlook->recalls) {
        outlook->may_move = outlook->may_leave = 0;
    }
}

/* Health that was read before the cause of this plan says nothing of who may go now. */
static void outlook_go_blind(struct outlook *outlook)
{
    outlook->ready = outlook->may_move = outlook->may_leave = 0;
    outlook->recalls = false;
    outlook->hurries = outlook->serving == 0 && outlook->starting > 0;
}

static bool slot_is_starting(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && !slot->owner->drain && slot->starting && slot_is_really_ready(slot) &&
           !slot_is_up(slot);
}

/* On its way to the address that its endpoint, on its way out, has now: there it rests, and serves again if nothing
 * else does. */
static bool slot_is_coming_to_rest(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && slot->owner->drain && !slot->owner->operator_drain && !slot->closed &&
           !slot_is_unusable(slot) && !slot_has_address_of(slot, slot->owner) && !slot_is_mover(slot);
}

static struct outlook outlook_of(const struct slots *slots, const struct slots_options *options)
{
    struct outlook outlook = {.slots = slots, .options = options};
    struct tally tally = {0};
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        bool stays = slot->role == ROLE_OWNED && !slot->owner->drain;
        bool ready = stays && slot_is_really_ready(slot);
        bool moves = slot_is_mover(slot);
        outlook.ready += ready && slot_is_up(slot) && slot->owner->weight > 0 && slot->observed.weight > 0;
        outlook.starting += slot_is_starting(slot) && slot->owner->weight > 0;
        outlook.arriving += (stays && !ready && !moves) || slot_is_coming_to_rest(slot);
        tally.movers += moves;
        tally.resting += slot_rests(slot);
        tally.soft_leavers += slot->role == ROLE_LEAVING && slot_carries_traffic(slot);
        tally.leaving_now += slot->role == ROLE_LEAVING && (slot->hard || slot->in_flight > 0);
        outlook.serving += slot_carries_traffic(slot);
    }
    for (const struct wanted *wanted = slots->first_waiting; wanted; wanted = wanted->next) {
        outlook.waiting += wanted_needs_slot(wanted);
    }
    outlook.arriving += outlook.ready + outlook.serving + outlook.starting == 0 ? tally.resting : 0;
    outlook_allow(&outlook, &tally);
    outlook.leaving = tally.leaving_now + outlook.may_leave;
    if (slots->blind) {
        outlook_go_blind(&outlook);
    }
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
    bool others_serve = (outlook->serving > 0 && !outlook->recalls) || outlook->starting > 0;
    return slot_should_drain(outlook, slot) || (slot->owner->drain && others_serve);
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

/* It comes into a backend where others are up. Out of a drain its health is known. */
static bool slot_starts_checked(const struct outlook *outlook, const struct slot *slot)
{
    return outlook->options->checked_start && slot_has_check(slot) && slot_is_in_maint(slot) && outlook->serving > 0 &&
           !outlook->recalls;
}

/* A former task's settings survive in a slot: all of them are set at each assignment. Maint goes before and ready comes
 * after, each in a plan of its own: a line that is refused cannot stop those behind it in the same write. */
static void plan_move(const struct outlook *outlook, size_t place, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    const struct slot *slot = &slots->slots[place];
    if (!slot_is_in_maint(slot)) {
        plan_add(plan, slots, place, SLOT_COMMAND_MAINT, 0);
        return;
    }
    plan_add(plan, slots, place, SLOT_COMMAND_ADDRESS, 0);
    if (slot_has_check(slot)) {
        plan_add(plan, slots, place, SLOT_COMMAND_CHECK_PORT, slot->owner->check_port);
    }
    plan_add(plan, slots, place, SLOT_COMMAND_WEIGHT,
             slot_starts_checked(outlook, slot) ? 0 : slot_wanted_weight(slots, slot));
}

static void plan_check_port(const struct slots *slots, size_t place, struct slot_plan *plan)
{
    const struct slot *slot = &slots->slots[place];
    if (slot_has_check(slot) && slot->observed.check_port != slot->owner->check_port) {
        plan_add(plan, slots, place, SLOT_COMMAND_CHECK_PORT, slot->owner->check_port);
    }
}

/* Out of maint HAProxy has it up before any check, and up it stays until one fails. At weight 0 it gets no request
 * between ready and down (haproxy.md: without, 1 or 2 requests in 400). */
static void plan_enter_checked(const struct slots *slots, size_t place, struct slot_plan *plan)
{
    const struct slot *slot = &slots->slots[place];
    size_t before = plan->count;
    plan_check_port(slots, place, plan);
    if (slot->observed.weight != 0) {
        plan_add(plan, slots, place, SLOT_COMMAND_WEIGHT, 0);
    }
    if (plan->count == before) {
        plan_add(plan, slots, place, SLOT_COMMAND_READY, 0);
        plan_add(plan, slots, place, SLOT_COMMAND_HEALTH_DOWN, 0);
        plan_weight(slots, place, plan);
    }
}

static void plan_enter(const struct outlook *outlook, size_t place, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    size_t before = plan->count;
    if (slot_starts_checked(outlook, &slots->slots[place])) {
        plan_enter_checked(slots, place, plan);
        return;
    }
    plan_check_port(slots, place, plan);
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

/* A task that drains longer than it may: clients that follow it by a cookie go elsewhere before it ends. An operator's
 * drain has its own end. */
static int64_t slot_drain_deadline(const struct slots_options *options, const struct slot *slot)
{
    bool counts = slot->role == ROLE_OWNED && slot->owner->drain && !slot->owner->operator_drain &&
                  slot_is_draining(slot) && slot->drain_since_ms != SLOTS_NEVER;
    return counts ? slot->drain_since_ms + options->drain_timeout_ms : SLOTS_NEVER;
}

static void plan_resting(const struct outlook *outlook, size_t place, struct slot_plan *plan)
{
    const struct slot *slot = &outlook->slots->slots[place];
    if (!slot_should_rest(outlook, slot)) {
        plan_enter(outlook, place, plan);
    } else if (slot_drain_deadline(outlook->options, slot) <= outlook->options->now_ms) {
        plan_add(plan, outlook->slots, place, SLOT_COMMAND_MAINT, 0);
    }
}

static void plan_serving(const struct outlook *outlook, size_t place, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    const struct slot *slot = &slots->slots[place];
    if (slot_should_drain(outlook, slot)) {
        plan_add(plan, slots, place, SLOT_COMMAND_DRAIN, 0);
        return;
    }
    plan_check_port(slots, place, plan);
    plan_weight(slots, place, plan);
    if (slot_is_starting(slot) && (outlook->hurries || slot->observed.check_off)) {
        plan_add(plan, slots, place, SLOT_COMMAND_HEALTH_UP, 0);
    }
}

static void plan_owned(struct outlook *outlook, size_t place, struct slot_plan *plan)
{
    const struct slots *slots = outlook->slots;
    const struct slot *slot = &slots->slots[place];
    bool rests = slot->closed && slot_is_in_maint(slot);
    if (wanted_is_held(slot->owner) || rests) {
        if (!slot_is_in_maint(slot)) {
            plan_add(plan, slots, place, SLOT_COMMAND_MAINT, 0);
        }
    } else if (slot_needs_checks(slot)) {
        plan_add(plan, slots, place, SLOT_COMMAND_ENABLE_HEALTH, 0);
    } else if (!slot_has_address_of(slot, slot->owner)) {
        if (slot->owner->address[0] && outlook_lets_move(outlook, slot)) {
            plan_move(outlook, place, plan);
        }
    } else if (!slot_is_serving(slot)) {
        plan_resting(outlook, place, plan);
    } else {
        plan_serving(outlook, place, plan);
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

/* What a command does, its acknowledgement does not always tell. */
static bool command_needs_read(const struct slots *slots, const struct slots_options *options,
                               const struct slot_command *command)
{
    return (command->kind == SLOT_COMMAND_ADDRESS && options->read_back) ||
           (command->kind == SLOT_COMMAND_READY && options->init_state && slots->slots[command->slot].observed.checked);
}

static bool plan_needs_read(const struct slots *slots, const struct slots_options *options,
                            const struct slot_plan *plan, size_t first)
{
    for (size_t i = first; i < plan->count; i++) {
        if (command_needs_read(slots, options, &plan->commands[i])) {
            return true;
        }
    }
    if (slots->blind && slots->reads_in_flight == 0) {
        return true;
    }
    for (size_t i = 0; i < slots->count && slots->reads_in_flight == 0; i++) {
        const struct slot *slot = &slots->slots[i];
        if ((slot->reading || slot->unknown) && slot->in_flight == 0 && slot->role != ROLE_ASIDE) {
            return true;
        }
    }
    return false;
}

static size_t outlook_lacking(const struct outlook *outlook)
{
    size_t coming = outlook->leaving + slots_count_arriving(outlook->slots);
    return outlook->waiting > coming ? outlook->waiting - coming : 0;
}

/* Returns for how many endpoints no slot is there, or on its way. */
static size_t plan_build(const struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    size_t first = plan->count;
    plan->again_ms = SLOTS_NEVER;
    if (!slots->observed || slots->broken) {
        return 0;
    }
    struct outlook outlook = outlook_of(slots, options);
    plan_leavers(&outlook, true, plan);
    plan_owners(&outlook, false, plan);
    plan_owners(&outlook, true, plan);
    plan_leavers(&outlook, false, plan);
    size_t lacking = outlook_lacking(&outlook);
    lacking -= servers_plan(slots, options, lacking, plan);
    if (plan_needs_read(slots, options, plan, first)) {
        MEM_GROW(plan->commands, plan->capacity, plan->count + 1);
        plan->commands[plan->count++] = (struct slot_command){.kind = SLOT_COMMAND_READ};
    }
    return lacking;
}

void slots_preview(const struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    (void)plan_build(slots, options, plan);
}

static void slots_note_sent(struct slots *slots, const struct slots_options *options, struct slot_command *command)
{
    if (command->kind == SLOT_COMMAND_READ) {
        slots->reads_in_flight++;
        return;
    }
    if (slot_command_is_growth(command->kind)) {
        servers_note_sent(slots, command);
        return;
    }
    struct slot *slot = &slots->slots[command->slot];
    slot->in_flight++;
    if (command->kind == SLOT_COMMAND_ADDRESS) {
        slot->reading = slot->unsure = options->read_back;
        slot->reads = 0;
        memcpy(slot->sent_address, slot->owner->address, sizeof(slot->sent_address));
        slot->sent_port = slot->owner->port;
    } else if (command->kind == SLOT_COMMAND_READY && slot_is_in_maint(slot)) {
        slot->starting = slot->observed.checked && options->init_state;
    }
}

/* From when on the slots are in drain, for those that a plan sees there for the first time. */
static void slots_time_drains(struct slots *slots, const struct slots_options *options)
{
    for (size_t i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->slots[i];
        if (!slot_is_draining(slot)) {
            slot->drain_since_ms = SLOTS_NEVER;
        } else if (slot->drain_since_ms == SLOTS_NEVER) {
            slot->drain_since_ms = options->now_ms;
        }
    }
}

static int64_t slots_next_deadline(const struct slots *slots, const struct slots_options *options)
{
    int64_t next = SLOTS_NEVER;
    for (size_t i = 0; i < slots->count; i++) {
        int64_t deadline = slot_drain_deadline(options, &slots->slots[i]);
        next = deadline > options->now_ms && deadline < next ? deadline : next;
    }
    int64_t servers = servers_next_deadline(slots, options);
    return servers < next ? servers : next;
}

void slots_plan(struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    size_t first = plan->count;
    slots_begin_plan(slots);
    slots_settle_rest(slots);
    slots_time_drains(slots, options);
    servers_keep_time(slots, options);
    slots->growth.lacking = plan_build(slots, options, plan);
    plan->again_ms = slots_next_deadline(slots, options);
    for (size_t i = first; i < plan->count; i++) {
        slots_note_sent(slots, options, &plan->commands[i]);
    }
}
