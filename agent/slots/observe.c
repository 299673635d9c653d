/* SPDX-License-Identifier: MIT */
/* What HAProxy shows and answers: adoption after a connect, rows that were read, commands acknowledged. */
#include <string.h>

#include "slotd/mem.h"
#include "slots_private.h"

struct slots *slots_new(const char *backend)
{
    struct slots *slots = MEM_NEW(struct slots);
    slots->backend = mem_strdup(backend);
    slots->idle = slots->held = (struct free_queue){SLOTS_NONE, SLOTS_NONE};
    table_init(&slots->wanted, 0);
    return slots;
}

static void slots_free_array(struct slot *array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(array[i].server);
        free(array[i].key);
    }
    free(array);
}

void slots_free(struct slots *slots)
{
    if (!slots) {
        return;
    }
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&slots->wanted, &position))) {
        wanted_free(entry->value);
    }
    table_free(&slots->wanted);
    slots_free_array(slots->slots, slots->count);
    free(slots->backend);
    free(slots);
}

const char *slots_backend(const struct slots *slots)
{
    return slots->backend;
}

void slots_forget(struct slots *slots)
{
    slots->observed = false;
    slots->reads_in_flight = 0;
    for (size_t i = 0; i < slots->count; i++) {
        slots->slots[i].in_flight = 0;
        slots->slots[i].reading = false;
    }
}

/* ---- a complete observation ---- */

void slot_take_row(struct slot *slot, const struct slot_observed *row)
{
    slot->observed = *row;
    slot->observed.server = slot->server;
    slot->unknown = false;
}

static bool slot_shows_sent_address(const struct slot *slot)
{
    return slot->observed.port == slot->sent_port && strcmp(slot->observed.address, slot->sent_address) == 0;
}

/* An address sent over the former connection may still be applied: it is waited for. One that serves has it not; only a
 * HAProxy that was started anew shows that. */
static void slot_inherit_doubt(struct slot *slot, const struct slot *old)
{
    memcpy(slot->sent_address, old->sent_address, sizeof(slot->sent_address));
    slot->sent_port = old->sent_port;
    slot->unsure = old->unsure && slot_is_in_maint(slot) && !slot_shows_sent_address(slot);
    slot->reading = slot->unsure;
}

/* It has the address that it is configured with (haproxy.md: the form of slots that works everywhere). */
static bool slot_was_never_used(const struct slot *slot)
{
    return slot->observed.address[0] == '\0' || strcmp(slot->observed.address, "0.0.0.0") == 0 ||
           strcmp(slot->observed.address, "::") == 0;
}

/* The same server keeps its part in the story when its row still fits it. */
static void slot_inherit(struct slots *slots, size_t place, struct slot *old)
{
    struct slot *slot = &slots->slots[place];
    slot->key = old->key;
    old->key = NULL;
    slot->taken_out = old->taken_out || old->role == ROLE_OWNED;
    slot->drain_since_ms = old->drain_since_ms;
    slot->starting = old->starting && !slot_is_in_maint(slot) && !slot_is_up(slot);
    slot->closed = old->closed;
    slot->idle = slot->idle || (old->idle && slot_is_in_maint(slot));
    slot_inherit_doubt(slot, old);
    if (old->role == ROLE_OWNED && slot_has_address_of(slot, old->owner) && !slot_is_in_maint(slot)) {
        slot->role = ROLE_OWNED;
        slot->taken_out = false;
        slot->owner = old->owner;
        slot->owner->slot = place;
        old->owner = NULL;
    } else if (old->role == ROLE_LEAVING && !slot_is_in_maint(slot)) {
        slot->role = ROLE_LEAVING;
        slot->hard = old->hard;
    }
}

static void slots_queue_displaced(struct slots *slots, struct slot *old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].role == ROLE_OWNED && old[i].owner) {
            slots_push_waiting(slots, old[i].owner);
        }
    }
}

static void slots_add_row(struct slots *slots, const struct slot_observed *row, struct slot *former)
{
    size_t place = slots->count++;
    struct slot *slot = &slots->slots[place];
    slot->server = mem_strdup(row->server);
    slot->sessions = -1;
    slot->drain_since_ms = slot->free_since_ms = SLOTS_NEVER;
    slot->delete_again_ms = INT64_MIN;
    slot_take_row(slot, row);
    slot->idle = slot_is_in_maint(slot) && slot_was_never_used(slot);
    slots->checked = slots->checked || slot->observed.checked;
    slots->has_added = slots->has_added || slot->observed.added;
    slots->served += slot_is_serving(slot);
    slot->role = ROLE_ORPHAN;
    if (former) {
        slot_inherit(slots, place, former);
    }
    if (slot->role == ROLE_ORPHAN && slot_is_in_maint(slot)) {
        slots_push_free(slots, place);
    }
}

static void slots_observe_all(struct slots *slots, const struct slot_observed *rows, size_t count)
{
    struct slot *old = slots->slots;
    size_t n_old = slots->count;
    struct table by_name;
    struct table taken;
    table_init(&by_name, 0);
    for (size_t i = 0; i < n_old; i++) {
        table_put(&by_name, old[i].server, &old[i]);
    }
    slots->slots = mem_alloc_array(count, sizeof(*slots->slots));
    slots->count = slots->served = 0;
    slots->idle = slots->held = (struct free_queue){SLOTS_NONE, SLOTS_NONE};
    slots->reads_in_flight = slots->read_failures = 0;
    slots->broken = slots->weights_fixed = slots->checked = slots->blind = slots->has_added = false;
    slots->capacity = count;
    slots->growth = (struct growth){.again_ms = INT64_MIN};
    slots->observed = true;
    slots->planned = false;
    table_init(&taken, 0);
    for (size_t i = 0; i < count; i++) {
        /* A command names a server: of two with one name only one can be meant. */
        if (!table_get(&taken, rows[i].server)) {
            slots_add_row(slots, &rows[i], table_get(&by_name, rows[i].server));
            table_put(&taken, slots->slots[slots->count - 1].server, slots);
        }
    }
    slots_queue_displaced(slots, old, n_old);
    table_free(&taken);
    table_free(&by_name);
    slots_free_array(old, n_old);
    slots_settle(slots);
}

/* ---- rows that were asked for ---- */

static void slot_give_up(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    if (slot->role == ROLE_OWNED) {
        struct wanted *owner = slot->owner;
        slots_leave(slots, place, true);
        slots_push_waiting(slots, owner);
    } else if (slot->role == ROLE_FREE) {
        slots_take_free(slots, place);
    }
}

void slot_set_aside(struct slots *slots, size_t place)
{
    slot_give_up(slots, place);
    slots->slots[place].role = ROLE_ASIDE;
}

/* What refuses a weight may still be taken out: set aside as it is, it would serve a task that has another slot by
 * then, and go on when that task is over. */
static void slot_distrust(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    if (slot_is_in_maint(slot) || slot->distrusted) {
        slot_set_aside(slots, place);
        return;
    }
    slot_give_up(slots, place);
    slots_leave(slots, place, true);
    slot->distrusted = true;
    slot->failures = 0;
}

static void slot_fail(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    slot->reading = false;
    slot->unknown = true;
    if (++slot->failures >= SLOTS_MAX_FAILURES) {
        slot_distrust(slots, place);
    }
}

/* Applied late (2.9+): looked for again, but not for ever. Also when the slot is nobody's by now: its next endpoint may
 * want the very address that it still shows, and HAProxy would answer that nothing changes and apply the other one
 * then.
 */
static void slot_doubt(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    slot->reading = ++slot->reads < SLOTS_MAX_READS;
    if (!slot->reading) {
        slot->unsure = false;
        slot_fail(slots, place);
    }
}

static void slot_take_read(struct slots *slots, size_t place, const struct slot_observed *row)
{
    struct slot *slot = &slots->slots[place];
    slot_take_row(slot, row);
    servers_take_read(slots, place);
    slot->starting = slot->starting && !slot_is_in_maint(slot) && !slot_is_up(slot);
    slot->reading = false;
    slot->unsure = slot->unsure && !slot_shows_sent_address(slot);
    if (slot->unsure) {
        slot_doubt(slots, place);
    }
}

static void slots_observe_read(struct slots *slots, const struct slot_observed *rows, size_t count)
{
    struct table by_name;
    table_init(&by_name, 0);
    for (size_t i = 0; i < count; i++) {
        table_put(&by_name, rows[i].server, (void *)(uintptr_t)&rows[i]);
    }
    (void)slots_compare(slots, rows, count);
    slots->blind = false;
    slots->reads_in_flight -= slots->reads_in_flight > 0;
    slots->read_failures = 0;
    for (size_t i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->slots[i];
        if ((!slot->reading && !slot->unknown) || slot->in_flight > 0 || slot->role == ROLE_ASIDE) {
            continue;
        }
        const struct slot_observed *row = table_get(&by_name, slot->server);
        if (row) {
            slot_take_read(slots, i, row);
        } else {
            slot_lose(slots, i);
        }
    }
    table_free(&by_name);
    slots_settle(slots);
}

void slots_observe(struct slots *slots, const struct slot_observed *rows, size_t count, bool complete)
{
    if (complete) {
        slots_observe_all(slots, rows, count);
    } else {
        slots_observe_read(slots, rows, count);
    }
}

/* The row was asked for after the drain was acknowledged: replies come in the order of commands. */
static bool slot_awaits_sessions(const struct slot *slot)
{
    return slot->role == ROLE_OWNED && slot->owner->operator_drain && !wanted_is_held(slot->owner) &&
           slot->in_flight == 0 && !slot->unknown && slot_is_draining(slot);
}

/* Nobody's, and in maint since before its sessions were asked for: replies come in the order of commands. */
static bool slot_is_held_free(const struct slot *slot)
{
    return slot->role == ROLE_FREE && !slot->idle && !slot->unknown && !slot->reading;
}

bool slots_take_sessions(struct slots *slots, const struct slot_sessions *rows, size_t count)
{
    struct table by_name;
    bool drained = false;
    table_init(&by_name, 0);
    for (size_t i = 0; i < count; i++) {
        table_put(&by_name, rows[i].server, (void *)(uintptr_t)&rows[i]);
    }
    for (size_t i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->slots[i];
        const struct slot_sessions *row = table_get(&by_name, slot->server);
        slot->sessions = row ? row->sessions : -1;
        if (slot->sessions == 0 && slot_awaits_sessions(slot)) {
            slot->owner->drained = drained = true;
        } else if (slot->sessions == 0 && slot_is_held_free(slot)) {
            slots_set_idle(slots, i);
            drained = drained || slots->has_added; /* it may be needed, or be surplus */
        }
    }
    table_free(&by_name);
    return drained;
}

bool slots_await_sessions(const struct slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        bool drains = slot->role == ROLE_OWNED && slot->owner->operator_drain;
        if ((drains && (!slot_is_in_maint(slot) || slot->sessions != 0)) || slot_is_held_free(slot)) {
            return true;
        }
    }
    return false;
}

bool slots_await_health(const struct slots *slots)
{
    bool is_dark = true;
    bool is_down = false;
    for (size_t i = 0; slots->checked && i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        is_dark = is_dark && !slot_carries_traffic(slot);
        is_down = is_down || (slot_is_really_ready(slot) && !slot_is_up(slot));
        bool starts = slot->starting && slot_is_serving(slot) && !slot_is_up(slot);
        bool goes = slot->role == ROLE_OWNED && slot->owner->drain && !slot->owner->operator_drain;
        if (starts || goes) {
            return true;
        }
    }
    return is_dark && is_down;
}

/* ---- replies ---- */

static void slot_apply(const struct slots *slots, struct slot *slot, const struct slot_command *command)
{
    struct slot_observed *observed = &slot->observed;
    switch (command->kind) {
    case SLOT_COMMAND_MAINT:
        /* It ends a drain (every HAProxy), and no HAProxy reads a state file's row that says both. */
        observed->admin = (observed->admin & ~(unsigned)SLOT_ADMIN_FDRAIN) | SLOT_ADMIN_FMAINT;
        observed->op_state = 0;
        slot->starting = slot->foreign = false;
        break;
    case SLOT_COMMAND_READY:
        /* Out of maint it counts as up before any check; out of a drain its health is what it was. */
        observed->op_state = slot_is_in_maint(slot) ? 2 : observed->op_state;
        observed->admin &= ~(unsigned)(SLOT_ADMIN_FMAINT | SLOT_ADMIN_FDRAIN);
        slot->failures = 0;
        break;
    case SLOT_COMMAND_HEALTH_DOWN:
    case SLOT_COMMAND_HEALTH_UP:
        slot->starting = command->kind == SLOT_COMMAND_HEALTH_DOWN;
        if (!slot_is_in_maint(slot)) {
            observed->op_state = slot->starting ? 0 : 2;
        }
        break;
    case SLOT_COMMAND_DRAIN:
        observed->admin = (observed->admin & ~(unsigned)SLOT_ADMIN_FMAINT) | SLOT_ADMIN_FDRAIN;
        slot->failures = 0;
        break;
    case SLOT_COMMAND_ADDRESS:
        if (!slot->reading) {
            memcpy(observed->address, slot->sent_address, sizeof(observed->address));
            observed->port = slot->sent_port;
        }
        break;
    case SLOT_COMMAND_CHECK_PORT:
        observed->check_port = command->value;
        break;
    case SLOT_COMMAND_WEIGHT:
        if (!slots->weights_fixed || command->value == 0 || command->value == observed->configured) {
            observed->weight = command->value;
        }
        /* On the way to ready it ends no row of refusals: another of its commands may be the one that is refused. */
        slot->failures = slot_is_really_ready(slot) ? 0 : slot->failures;
        break;
    case SLOT_COMMAND_ENABLE_HEALTH:
        observed->check_off = false;
        break;
    case SLOT_COMMAND_ADD:
    case SLOT_COMMAND_ASK:
    case SLOT_COMMAND_DELETE:
    case SLOT_COMMAND_READ:
        break;
    }
}

void slots_fix_weights(struct slots *slots)
{
    slots->weights_fixed = true;
}

bool slots_weights_are_fixed(const struct slots *slots)
{
    return slots->weights_fixed;
}

void slots_acknowledge(struct slots *slots, const struct slot_command *command, bool ok)
{
    if (command->kind == SLOT_COMMAND_READ) {
        slots->reads_in_flight -= slots->reads_in_flight > 0;
        slots->broken = ++slots->read_failures >= SLOTS_MAX_FAILURES;
        return;
    }
    if (slot_command_is_growth(command->kind)) {
        servers_acknowledge(slots, command, ok);
        return;
    }
    struct slot *slot = &slots->slots[command->slot];
    slot->in_flight -= slot->in_flight > 0;
    bool is_health = command->kind == SLOT_COMMAND_HEALTH_DOWN || command->kind == SLOT_COMMAND_HEALTH_UP;
    if (ok) {
        slot_apply(slots, slot, command);
    } else if (is_health) {
        /* It follows the checks of another server (`track`). */
        slot->observed.checked = slot->starting = false;
    } else if (!slot->unknown && slot->role != ROLE_ASIDE) {
        slot_fail(slots, command->slot);
    }
    slots_settle_slot(slots, command->slot);
}
