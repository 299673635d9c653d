/* SPDX-License-Identifier: MIT */
/* The table of all keys of slotd.conf: reading, defaults, freeing and error texts come out of it. Internal to config/.
 */
#ifndef SLOTD_CONFIG_KEY_H
#define SLOTD_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

enum config_key_type {
    CONFIG_KEY_STRING,   /* char * */
    CONFIG_KEY_LIST,     /* struct config_list */
    CONFIG_KEY_BOOL,     /* bool */
    CONFIG_KEY_INT,      /* int */
    CONFIG_KEY_DURATION, /* int64_t, milliseconds */
    CONFIG_KEY_CHOICE,   /* an enum that counts through words */
    CONFIG_KEY_GROUP,    /* a struct */
    CONFIG_KEY_GROUPS,   /* a pointer to an array of structs, and a size_t with their count */
};

struct config_group;

/* Whether value may be used; when not, appends what follows the key's name in the error text. */
typedef bool config_check(const char *value, struct buf *why);

struct config_key {
    const char *name;
    enum config_key_type type;
    size_t offset;
    const char *fallback;             /* the default as one would write it, without quotes; NULL: none */
    const char *example;              /* for error texts where the default does not serve */
    config_check *check;              /* STRING when not "", each element of LIST */
    bool required;                    /* STRING: "" is an error; LIST: not empty */
    bool unique;                      /* STRING of an entry in GROUPS: no two entries have the same, "" aside */
    bool trim_slashes;                /* LIST: '/' at the end of an element does not count */
    int64_t min, max;                 /* INT, DURATION (ms) */
    const char *const *words;         /* CHOICE, ends with NULL */
    const struct config_group *group; /* GROUP, GROUPS */
    size_t count_offset;              /* GROUPS */
};

struct config_group {
    const struct config_key *keys;
    size_t n_keys;
    size_t size; /* of the struct */
};

/* The whole file: its keys are the sections. */
extern const struct config_group config_root;

#endif
