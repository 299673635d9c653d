/* SPDX-License-Identifier: MIT */
/* A hash table from strings to pointers. Keys come from the network, so they are hashed with SipHash under a seed. */
#ifndef SLOTD_TABLE_H
#define SLOTD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_entry {
    const char *key; /* borrowed: must live, unchanged, as long as the entry; NULL marks a free place */
    void *value;
    uint64_t hash;
};

struct table {
    struct table_entry *entries;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    uint64_t seed;
};

/* An empty table. The daemon takes seed from the system's random source; tests use a fixed one. */
void table_init(struct table *table, uint64_t seed);
/* Frees the table's own memory, neither keys nor values. */
void table_free(struct table *table);
/* Adds, or replaces key and value of the entry that has an equal key; returns the replaced value, else NULL. */
void *table_put(struct table *table, const char *key, void *value);
/* The value for key, or NULL. */
void *table_get(const struct table *table, const char *key);
/* The same for a key that is not terminated; a key with NUL inside is never found. */
void *table_get_n(const struct table *table, const char *key, size_t len);
/* Removes the entry and returns its value, or NULL. */
void *table_remove(struct table *table, const char *key);
/* Iterates in no order: start with *position = 0; returns NULL at the end. The table may not change meanwhile. */
struct table_entry *table_next(const struct table *table, size_t *position);
/* SipHash-1-3 of the bytes under seed. */
uint64_t table_hash(uint64_t seed, const void *data, size_t len);

#endif
