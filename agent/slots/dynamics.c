/* SPDX-License-Identifier: MIT */
/* Backends made at run time: which are to be added, are there, or are to be deleted. */
#include "slotd/dynamics.h"

#include <string.h>

#include "slotd/mem.h"
#include "slotd/table.h"

struct entry {
    char *name, *defaults;
    bool is_tcp;
    enum dynamic_state state;
    bool routed;
    bool turns;                    /* ADDING: not wanted any more; DELETING: wanted again */
    char *error;                   /* ENDING, DELETING: it is refused when it is gone; REFUSED */
    struct entry *previous, *next; /* WANTED, ENDING */
};

struct dynamics {
    struct table entries;
    struct entry *first, *last; /* pending, in the order in which they became so */
    struct dynamics_counts counts;
};

struct dynamics *dynamics_new(uint64_t seed)
{
    struct dynamics *dynamics = MEM_NEW(struct dynamics);
    table_init(&dynamics->entries, seed);
    return dynamics;
}

static void entry_free(struct entry *entry)
{
    free(entry->error);
    free(entry->defaults);
    free(entry->name);
    free(entry);
}

void dynamics_clear(struct dynamics *dynamics)
{
    const uint64_t seed = dynamics->entries.seed;
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&dynamics->entries, &position));) {
        entry_free(entry->value);
    }
    table_free(&dynamics->entries);
    table_init(&dynamics->entries, seed);
    dynamics->first = dynamics->last = NULL;
    dynamics->counts = (struct dynamics_counts){0};
}

void dynamics_free(struct dynamics *dynamics)
{
    if (dynamics) {
        dynamics_clear(dynamics);
        table_free(&dynamics->entries);
        free(dynamics);
    }
}

/* ---- states ---- */

static bool state_is_pending(enum dynamic_state state)
{
    return state == DYNAMIC_WANTED || state == DYNAMIC_ENDING;
}

static void dynamics_link(struct dynamics *dynamics, struct entry *entry)
{
    entry->next = NULL;
    entry->previous = dynamics->last;
    *(dynamics->last ? &dynamics->last->next : &dynamics->first) = entry;
    dynamics->last = entry;
}

static void dynamics_unlink(struct dynamics *dynamics, struct entry *entry)
{
    *(entry->previous ? &entry->previous->next : &dynamics->first) = entry->next;
    *(entry->next ? &entry->next->previous : &dynamics->last) = entry->previous;
}

static void dynamics_tally(struct dynamics *dynamics, enum dynamic_state state, size_t by)
{
    switch (state) {
    case DYNAMIC_WANTED:
    case DYNAMIC_ADDING:
        dynamics->counts.coming += by;
        return;
    case DYNAMIC_THERE:
    case DYNAMIC_ENDING:
    case DYNAMIC_DELETING:
        dynamics->counts.there += by;
        return;
    case DYNAMIC_REFUSED:
        dynamics->counts.refused += by;
        return;
    case DYNAMIC_NONE:
        return;
    }
}

static void dynamics_set_state(struct dynamics *dynamics, struct entry *entry, enum dynamic_state state)
{
    if (state_is_pending(entry->state)) {
        dynamics_unlink(dynamics, entry);
    }
    dynamics_tally(dynamics, entry->state, SIZE_MAX); /* one less */
    dynamics_tally(dynamics, state, 1);
    entry->state = state;
    entry->turns = false;
    if (state_is_pending(state)) {
        dynamics_link(dynamics, entry);
    }
}

static struct entry *dynamics_find(const struct dynamics *dynamics, const char *name)
{
    return table_get(&dynamics->entries, name);
}

static struct entry *dynamics_add(struct dynamics *dynamics, const char *name)
{
    struct entry *entry = MEM_NEW(struct entry);
    entry->name = mem_strdup(name);
    table_put(&dynamics->entries, entry->name, entry);
    return entry;
}

static void dynamics_drop(struct dynamics *dynamics, struct entry *entry)
{
    dynamics_set_state(dynamics, entry, DYNAMIC_NONE);
    table_remove(&dynamics->entries, entry->name);
    entry_free(entry);
}

static void entry_set_error(struct entry *entry, const char *error)
{
    char *copy = mem_strdup(error);
    free(entry->error);
    entry->error = copy;
}

void dynamics_recover(struct dynamics *dynamics, const char *name)
{
    if (!dynamics_find(dynamics, name)) {
        dynamics_set_state(dynamics, dynamics_add(dynamics, name), DYNAMIC_THERE);
    }
}

/* ---- what should be ---- */

static void entry_describe(struct entry *entry, const char *defaults, bool is_tcp)
{
    char *copy = mem_strdup(defaults);
    free(entry->defaults);
    entry->defaults = copy;
    entry->is_tcp = is_tcp;
}

bool dynamics_want(struct dynamics *dynamics, const char *name, const char *defaults, bool is_tcp)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (!entry) {
        entry = dynamics_add(dynamics, name);
        dynamics_set_state(dynamics, entry, DYNAMIC_WANTED);
    }
    if (entry->error) {
        return false;
    }
    entry_describe(entry, defaults, is_tcp);
    if (entry->state == DYNAMIC_ENDING) {
        dynamics_set_state(dynamics, entry, DYNAMIC_THERE);
    }
    entry->turns = entry->state == DYNAMIC_DELETING;
    return true;
}

void dynamics_unwant(struct dynamics *dynamics, const char *name)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (!entry) {
        return;
    }
    switch (entry->state) {
    case DYNAMIC_WANTED:
    case DYNAMIC_REFUSED:
    case DYNAMIC_NONE:
        dynamics_drop(dynamics, entry);
        return;
    case DYNAMIC_THERE:
        dynamics_set_state(dynamics, entry, DYNAMIC_ENDING);
        return;
    case DYNAMIC_ADDING:
        entry->turns = true;
        return;
    case DYNAMIC_ENDING:
    case DYNAMIC_DELETING:
        entry_set_error(entry, NULL);
        entry->turns = false;
        return;
    }
}

void dynamics_forgive(struct dynamics *dynamics, const char *name)
{
    if (dynamics_get(dynamics, name).state == DYNAMIC_REFUSED) {
        dynamics_unwant(dynamics, name);
    }
}

void dynamics_fail(struct dynamics *dynamics, const char *name, const char *why)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (entry && entry->state == DYNAMIC_THERE) {
        entry_set_error(entry, why);
        dynamics_set_state(dynamics, entry, DYNAMIC_ENDING);
    }
}

void dynamics_note_routed(struct dynamics *dynamics, const char *name)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (entry) {
        entry->routed = true;
    }
}

/* ---- commands ---- */

static struct dynamic entry_show(const struct entry *entry)
{
    return (struct dynamic){.name = entry->name,
                            .defaults = entry->defaults,
                            .is_tcp = entry->is_tcp,
                            .state = entry->state,
                            .routed = entry->routed,
                            .error = entry->error};
}

const char *dynamics_next_pending(const struct dynamics *dynamics, const char *after)
{
    const struct entry *entry = after ? dynamics_find(dynamics, after) : NULL;
    const struct entry *next = !after ? dynamics->first : entry && state_is_pending(entry->state) ? entry->next : NULL;
    return next ? next->name : NULL;
}

void dynamics_begin(struct dynamics *dynamics, const char *name)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (entry && state_is_pending(entry->state)) {
        dynamics_set_state(dynamics, entry, entry->state == DYNAMIC_WANTED ? DYNAMIC_ADDING : DYNAMIC_DELETING);
    }
}

void dynamics_end_adding(struct dynamics *dynamics, const char *name, const char *why)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (!entry || entry->state != DYNAMIC_ADDING) {
        return;
    }
    bool wanted = !entry->turns;
    if (why && !wanted) {
        dynamics_drop(dynamics, entry);
        return;
    }
    entry_set_error(entry, why);
    dynamics_set_state(dynamics, entry, why ? DYNAMIC_REFUSED : wanted ? DYNAMIC_THERE : DYNAMIC_ENDING);
}

void dynamics_end_deleting(struct dynamics *dynamics, const char *name, bool done)
{
    struct entry *entry = dynamics_find(dynamics, name);
    if (!entry || entry->state != DYNAMIC_DELETING) {
        return;
    }
    bool wanted = entry->turns;
    if (!done) {
        dynamics_set_state(dynamics, entry, wanted ? DYNAMIC_THERE : DYNAMIC_ENDING);
    } else if (entry->error) {
        dynamics_set_state(dynamics, entry, DYNAMIC_REFUSED);
    } else if (wanted) {
        entry->routed = false;
        dynamics_set_state(dynamics, entry, DYNAMIC_WANTED);
    } else {
        dynamics_drop(dynamics, entry);
    }
}

/* ---- reading ---- */

struct dynamic dynamics_get(const struct dynamics *dynamics, const char *name)
{
    const struct entry *entry = dynamics_find(dynamics, name);
    return entry ? entry_show(entry) : (struct dynamic){.name = name};
}

bool dynamic_is_coming(const struct dynamic *dynamic)
{
    return dynamic->state == DYNAMIC_WANTED || dynamic->state == DYNAMIC_ADDING;
}

bool dynamic_is_ours(const struct dynamic *dynamic)
{
    return dynamic->state != DYNAMIC_NONE && dynamic->state != DYNAMIC_REFUSED;
}

bool dynamics_next(const struct dynamics *dynamics, size_t *position, struct dynamic *ret_dynamic)
{
    const struct table_entry *entry = table_next(&dynamics->entries, position);
    if (entry) {
        *ret_dynamic = entry_show(entry->value);
    }
    return entry != NULL;
}

struct dynamics_counts dynamics_count(const struct dynamics *dynamics)
{
    return dynamics->counts;
}
