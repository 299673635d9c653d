/* SPDX-License-Identifier: MIT */
/* The backends that were made in one HAProxy at run time, each for the service of its name. Pure: what HAProxy has said
 * comes in, what is to be sent next goes out. A backend goes WANTED -> ADDING -> THERE -> ENDING -> DELETING, and is
 * never another service's. */
#ifndef SLOTD_DYNAMICS_H
#define SLOTD_DYNAMICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dynamic_state {
    DYNAMIC_NONE,
    DYNAMIC_WANTED,   /* to be added */
    DYNAMIC_ADDING,   /* that is on its way */
    DYNAMIC_THERE,    /* HAProxy has it */
    DYNAMIC_ENDING,   /* to be deleted once nothing leads to it, and nothing is in it */
    DYNAMIC_DELETING, /* that is on its way */
    DYNAMIC_REFUSED,  /* HAProxy does not take it, or no server in it: its service is served by a pool */
};

struct dynamics;
struct dynamics *dynamics_new(uint64_t seed);
void dynamics_free(struct dynamics *dynamics);
/* Another process of HAProxy, or the same one read anew: nothing is known. */
void dynamics_clear(struct dynamics *dynamics);
/* HAProxy has that one, and it was made by this program, or by it before its restart. */
void dynamics_recover(struct dynamics *dynamics, const char *name);

/* ---- what should be ---- */

/* The service of that name is to have a backend made from that section; both are copied. False: it is refused. */
bool dynamics_want(struct dynamics *dynamics, const char *name, const char *defaults, bool is_tcp);
/* The service is gone; a refusal is forgotten with it. */
void dynamics_unwant(struct dynamics *dynamics, const char *name);
/* One that was refused may be tried again. */
void dynamics_forgive(struct dynamics *dynamics, const char *name);
/* The one that is THERE is of no use, since HAProxy takes no server in it: it goes, and is REFUSED then. */
void dynamics_fail(struct dynamics *dynamics, const char *name, const char *why);
/* HAProxy's routes lead to the name since before the backend is there. */
void dynamics_note_routed(struct dynamics *dynamics, const char *name);

/* ---- commands ---- */

struct dynamic {
    const char *name, *defaults; /* borrowed */
    bool is_tcp;
    enum dynamic_state state;
    bool routed;
    const char *error; /* of the refusal, or NULL */
};
/* The names of those that are WANTED, or ENDING: the one after that name, NULL for the first; NULL at the end. Taken
 * before the former one is begun. */
const char *dynamics_next_pending(const struct dynamics *dynamics, const char *after);
/* Its commands are sent: WANTED is ADDING, ENDING is DELETING from now on. */
void dynamics_begin(struct dynamics *dynamics, const char *name);
/* What came of adding it; why NULL: it is there. Borrowed for the call. */
void dynamics_end_adding(struct dynamics *dynamics, const char *name, const char *why);
/* What came of deleting it. Not done: it stays, and is THERE again if its service came back meanwhile. */
void dynamics_end_deleting(struct dynamics *dynamics, const char *name, bool done);

/* ---- reading ---- */

/* DYNAMIC_NONE, with the name as it was given, when there is no such. */
struct dynamic dynamics_get(const struct dynamics *dynamics, const char *name);
/* Whether it will be there soon, and is not yet. */
bool dynamic_is_coming(const struct dynamic *dynamic);
/* Whether HAProxy may have it, made by this program. */
bool dynamic_is_ours(const struct dynamic *dynamic);
/* Iterates in no order: start with *position = 0; false at the end. Nothing may change meanwhile. */
bool dynamics_next(const struct dynamics *dynamics, size_t *position, struct dynamic *ret_dynamic);
struct dynamics_counts {
    size_t there;  /* ENDING and DELETING too */
    size_t coming; /* WANTED and ADDING */
    size_t refused;
};
struct dynamics_counts dynamics_count(const struct dynamics *dynamics);

#endif
