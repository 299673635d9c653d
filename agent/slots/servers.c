/* SPDX-License-Identifier: MIT */
/* Servers beyond the provisioned slots: which are added where slots lack, and deleted when nobody needs them. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "slotd/mem.h"
#include "slots_private.h"

#define SERVERS_AT_ONCE 16 /* HAProxy's threads stop for each one */
#define SERVERS_FIRST_DELAY_MS 1000
#define SERVERS_LAST_DELAY_MS (300 * 1000)
/* A request whose connection was refused waits up to 1 s for its next try, uncounted, and HAProxy 3.4.0 can die of a
 * server that was deleted meanwhile; three such tries with 2 s to connect fit in here. Where HAProxy tells which
 * requests refer to a server this is not needed. */
#define SERVERS_REFERENCED_MS (10 * 1000)

bool slot_command_is_growth(enum slot_command_kind kind)
{
    return kind == SLOT_COMMAND_ADD || kind == SLOT_COMMAND_ASK || kind == SLOT_COMMAND_DELETE;
}

static const char added_prefix[] = "slotd-";

void slots_name_added(unsigned number, char ret_name[SLOTS_MAX_ADDED_NAME])
{
    (void)snprintf(ret_name, SLOTS_MAX_ADDED_NAME, "%s%u", added_prefix, number % 10000);
}

unsigned slots_find_added(const char *name)
{
    size_t len = sizeof(added_prefix) - 1;
    unsigned number = 0;
    if (strncmp(name, added_prefix, len) != 0 || name[len] == '0') {
        return 0;
    }
    for (const char *digit = name + len; *digit; digit++) {
        number = number * 10 + (unsigned)(*digit - '0');
        if (*digit < '0' || *digit > '9' || number > SLOTS_MAX_ADDED) {
            return 0;
        }
    }
    return number;
}

/* ---- questions ---- */

bool slot_is_present(const struct slot *slot)
{
    return slot->role != ROLE_ABSENT;
}

bool slot_needs_checks(const struct slot *slot)
{
    return slot->observed.added && slot->observed.checked && slot->observed.check_off && slot_is_in_maint(slot);
}

static bool slot_should_settle(const struct slot *slot)
{
    return slot->observed.added && slot_is_really_ready(slot) && slot_carries_traffic(slot) && slot->in_flight == 0 &&
           !slot->reading && !slot->closed && !slot->starting && wanted_needs_slot(slot->owner);
}

static bool slot_is_arriving(const struct slot *slot)
{
    return slot->role == ROLE_ABSENT && (slot->in_flight > 0 || slot->unknown);
}

size_t slots_count_arriving(const struct slots *slots)
{
    size_t arriving = 0;
    for (size_t i = 0; slots->has_added && i < slots->count; i++) {
        arriving += slot_is_arriving(&slots->slots[i]);
    }
    return arriving;
}

static bool slot_is_surplus(const struct slot *slot)
{
    return slot->observed.added && slot->role == ROLE_FREE && slot->free_since_ms != SLOTS_NEVER;
}

static bool slot_can_be_deleted(const struct slot *slot)
{
    return slot_is_surplus(slot) && slot->idle && !slot->unknown && !slot->reading && !slot->unsure && !slot->closed &&
           slot->in_flight == 0 && slot_is_in_maint(slot);
}

static int64_t slot_deletion_time(const struct slot *slot, const struct slots_options *options)
{
    int64_t least = options->tells_requests ? 0 : SERVERS_REFERENCED_MS;
    int64_t surplus = slot->free_since_ms + (options->surplus_ms > least ? options->surplus_ms : least);
    return surplus > slot->delete_again_ms ? surplus : slot->delete_again_ms;
}

/* ---- the plan ---- */

static void plan_add_command(struct slot_plan *plan, const struct slot_command *command)
{
    MEM_GROW(plan->commands, plan->capacity, plan->count + 1);
    plan->commands[plan->count++] = *command;
}

/* Nobody gets it from the question on, and in maint no request comes to refer to it: the answer holds. */
static bool slot_may_be_deleted_now(const struct slot *slot)
{
    return slot->role == ROLE_DELETING && slot->unreferenced && slot->in_flight == 0;
}

static void plan_deletions(const struct slots *slots, const struct slots_options *options, struct slot_plan *plan)
{
    size_t deleted = 0;
    for (size_t i = 0; slots->has_added && i < slots->count && deleted < SERVERS_AT_ONCE; i++) {
        const struct slot *slot = &slots->slots[i];
        bool is_due = slot_can_be_deleted(slot) && slot_deletion_time(slot, options) <= options->now_ms;
        if (is_due || slot_may_be_deleted_now(slot)) {
            enum slot_command_kind kind = is_due && options->tells_requests ? SLOT_COMMAND_ASK : SLOT_COMMAND_DELETE;
            plan_add_command(plan, &(struct slot_command){.kind = kind, .slot = i, .server = slot->server});
            deleted++;
        }
    }
}

/* How many may be added now. */
static size_t growth_allowance(const struct slots *slots, const struct slots_options *options, size_t lacking)
{
    size_t allowed = slots->growth.proven ? SERVERS_AT_ONCE : 1;
    if (!options->server_options || slots->growth.again_ms > options->now_ms) {
        return 0;
    }
    if (!slots->growth.proven && slots_count_arriving(slots) > 0) {
        return 0;
    }
    return lacking < allowed ? lacking : allowed;
}

/* Absent ones first: their places and names are kept. Returns how many more are to be added. */
static size_t plan_additions_again(const struct slots *slots, struct slot_command *command, size_t left,
                                   bool used[SLOTS_MAX_ADDED + 1], struct slot_plan *plan)
{
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        unsigned number = slot->observed.added ? slots_find_added(slot->server) : 0;
        if (number == 0) {
            continue;
        }
        used[number] = true;
        if (left > 0 && slot->role == ROLE_ABSENT && !slot_is_arriving(slot)) {
            command->slot = i;
            command->server = slot->server;
            command->value = (uint16_t)number;
            plan_add_command(plan, command);
            left--;
        }
    }
    return left;
}

static size_t plan_additions(const struct slots *slots, const struct slots_options *options, size_t left,
                             struct slot_plan *plan)
{
    bool used[SLOTS_MAX_ADDED + 1] = {false};
    struct slot_command command = {.kind = SLOT_COMMAND_ADD, .options = options->server_options};
    left = plan_additions_again(slots, &command, left, used, plan);
    command.slot = slots->count;
    command.server = NULL;
    for (unsigned number = 1; number <= SLOTS_MAX_ADDED && left > 0; number++) {
        if (!used[number]) {
            command.value = (uint16_t)number;
            plan_add_command(plan, &command);
            command.slot++;
            left--;
        }
    }
    return left;
}

size_t servers_plan(const struct slots *slots, const struct slots_options *options, size_t lacking,
                    struct slot_plan *plan)
{
    if (options->deletes_servers) {
        plan_deletions(slots, options, plan);
    }
    size_t allowed = growth_allowance(slots, options, lacking);
    return allowed > 0 ? allowed - plan_additions(slots, options, allowed, plan) : 0;
}

/* ---- back to the slots of the configuration ---- */

static size_t slots_next_kept_free(const struct slots *slots)
{
    size_t place = slots->idle.first;
    while (place != SLOTS_NONE &&
           (slots->slots[place].observed.added || !slot_is_usable(&slots->slots[place], false))) {
        place = slots->slots[place].next_free;
    }
    return place;
}

void servers_leave(struct slots *slots)
{
    for (size_t i = 0; slots->has_added && i < slots->count; i++) {
        size_t place = slot_should_settle(&slots->slots[i]) ? slots_next_kept_free(slots) : SLOTS_NONE;
        if (place != SLOTS_NONE) {
            slots_change_places(slots, i, place);
        }
    }
}

/* ---- time ---- */

static int64_t delay_after(unsigned failures)
{
    int64_t delay = SERVERS_FIRST_DELAY_MS;
    for (unsigned i = 1; i < failures && delay < SERVERS_LAST_DELAY_MS; i++) {
        delay *= 2;
    }
    return delay < SERVERS_LAST_DELAY_MS ? delay : SERVERS_LAST_DELAY_MS;
}

static void count_failure(unsigned *failures)
{
    *failures += *failures < UINT_MAX;
}

void servers_keep_time(struct slots *slots, const struct slots_options *options)
{
    struct growth *growth = &slots->growth;
    if (growth->refused) {
        growth->refused = false;
        count_failure(&growth->failures);
        growth->again_ms = options->now_ms + delay_after(growth->failures);
    }
    for (size_t i = 0; slots->has_added && i < slots->count; i++) {
        struct slot *slot = &slots->slots[i];
        if (slot->delete_refused) {
            slot->delete_refused = false;
            count_failure(&slot->delete_failures);
            slot->delete_again_ms = options->now_ms + delay_after(slot->delete_failures);
        }
        if (slot->role != ROLE_FREE && slot->role != ROLE_DELETING) {
            slot->free_since_ms = SLOTS_NEVER;
            slot->delete_failures = 0;
            slot->delete_again_ms = INT64_MIN;
        } else if (slot->free_since_ms == SLOTS_NEVER) {
            slot->free_since_ms = options->now_ms;
        }
    }
}

int64_t servers_next_deadline(const struct slots *slots, const struct slots_options *options)
{
    int64_t next = SLOTS_NEVER;
    if (options->server_options && slots->growth.lacking > 0 && slots->growth.again_ms > options->now_ms) {
        next = slots->growth.again_ms;
    }
    for (size_t i = 0; slots->has_added && options->deletes_servers && i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        int64_t due = slot_is_surplus(slot) ? slot_deletion_time(slot, options) : SLOTS_NEVER;
        next = due > options->now_ms && due < next ? due : next;
    }
    return next;
}

/* ---- what becomes of them ---- */

/* A place for a server that is about to be added. */
static void slots_append_absent(struct slots *slots, unsigned number)
{
    char name[SLOTS_MAX_ADDED_NAME];
    slots_name_added(number, name);
    MEM_GROW(slots->slots, slots->capacity, slots->count + 1);
    struct slot *slot = &slots->slots[slots->count++];
    *slot = (struct slot){.server = mem_strdup(name), .role = ROLE_ABSENT, .sessions = -1};
    slot->drain_since_ms = slot->free_since_ms = SLOTS_NEVER;
    slot->delete_again_ms = INT64_MIN;
    slot->observed = (struct slot_observed){.server = slot->server, .added = true, .admin = SLOT_ADMIN_FMAINT};
    slots->has_added = true;
}

void servers_note_sent(struct slots *slots, struct slot_command *command)
{
    if (command->kind == SLOT_COMMAND_ADD) {
        if (command->slot == slots->count) {
            slots_append_absent(slots, command->value);
        }
        command->server = slots->slots[command->slot].server;
    } else if (slots->slots[command->slot].role == ROLE_FREE) {
        slots_take_free(slots, command->slot);
        slots->slots[command->slot].role = ROLE_DELETING;
    }
    slots->slots[command->slot].unreferenced = false;
    slots->slots[command->slot].in_flight++;
}

static void slot_become_absent(struct slot *slot)
{
    slot->role = ROLE_ABSENT;
    slot->unknown = slot->reading = slot->unsure = slot->starting = slot->idle = slot->distrusted = false;
    slot->taken_out = slot->closed = slot->foreign = false;
    slot->failures = slot->reads = 0;
    slot->sessions = -1;
    slot->observed = (struct slot_observed){.server = slot->server, .added = true, .admin = SLOT_ADMIN_FMAINT};
    free(slot->key);
    slot->key = NULL;
}

void slot_lose(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    if (slot->role == ROLE_ABSENT) {
        /* It was asked about, since its addition was not understood, and is not there. */
        slot->unknown = false;
        if (slot->failures == 0) {
            slots->growth.refused = slots->growth.failed = true;
        }
        return;
    }
    slot_set_aside(slots, place);
    if (slot->observed.added) {
        slot_become_absent(slot);
    }
}

static void acknowledge_addition(struct slots *slots, struct slot *slot, bool ok)
{
    /* Also where it was refused: one of that name may be there already. */
    slot->unknown = true;
    slot->failures = ok ? 0 : 1;
    slots->growth.failed = !ok;
    if (ok) {
        slots->growth.proven = true;
        slots->growth.failures = 0;
    } else {
        slots->growth.proven = false;
        slots->growth.refused = true;
    }
}

void servers_acknowledge(struct slots *slots, const struct slot_command *command, bool ok)
{
    struct slot *slot = &slots->slots[command->slot];
    slot->in_flight -= slot->in_flight > 0;
    if (command->kind == SLOT_COMMAND_ADD) {
        acknowledge_addition(slots, slot, ok);
    } else if (slot->role == ROLE_DELETING && ok && command->kind == SLOT_COMMAND_ASK) {
        slot->unreferenced = true;
    } else if (slot->role == ROLE_DELETING && ok) {
        slot_become_absent(slot);
    } else if (slot->role == ROLE_DELETING) {
        slot->delete_refused = true;
        slot->idle = false; /* its sessions are asked for again */
        slots_push_free(slots, command->slot);
        slots->unsettled = true;
    }
}

void servers_take_read(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    if (slot->role != ROLE_ABSENT) {
        return;
    }
    slots->checked = slots->checked || slot->observed.checked;
    slot->failures = 0;
    slot->free_since_ms = SLOTS_NEVER;
    slot->delete_again_ms = INT64_MIN;
    if (slot_is_in_maint(slot)) {
        slot->idle = true;
        slots_push_free(slots, place);
    } else {
        slots_leave(slots, place, true);
    }
}

struct slots_growth slots_get_growth(const struct slots *slots)
{
    struct slots_growth view = {.lacking = slots->growth.lacking, .refused = slots->growth.failed};
    size_t places = 0;
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        view.added += slot->observed.added && slot_is_present(slot);
        places += slot->observed.added && (slot_is_present(slot) || slot_is_arriving(slot));
        view.undeletable += slot_is_surplus(slot) && (slot->delete_failures > 0 || slot->delete_refused);
    }
    view.limited = view.lacking > 0 && places >= SLOTS_MAX_ADDED;
    return view;
}
