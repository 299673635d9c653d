/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing and backward-shift deletion. */
#include "slotd/table.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"

struct siphash {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline void siphash_round(struct siphash *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

/* SipHash by Aumasson and Bernstein, 1 compression and 3 finalization rounds. */
uint64_t table_hash(uint64_t seed, const void *data, size_t len)
{
    uint64_t k0 = seed;
    uint64_t k1 = seed ^ 0x9e3779b97f4a7c15U;
    struct siphash s = {k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU, k0 ^ 0x6c7967656e657261U,
                        k1 ^ 0x7465646279746573U};
    const unsigned char *bytes = data;
    size_t left = len;
    for (; left >= 8; left -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        s.v3 ^= word;
        siphash_round(&s);
        s.v0 ^= word;
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)bytes[i] << (8 * i);
    }
    s.v3 ^= last;
    siphash_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        siphash_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void table_init(struct table *table, uint64_t seed)
{
    *table = (struct table){.seed = seed};
}

void table_free(struct table *table)
{
    free(table->entries);
    table_init(table, table->seed);
}

/* The place of an equal key, or the free place where it would go; the table is never full. */
static size_t table_find(const struct table *table, const char *key, size_t len, uint64_t hash)
{
    size_t mask = table->capacity - 1;
    size_t place = (size_t)hash & mask;
    while (table->entries[place].key) {
        const struct table_entry *entry = &table->entries[place];
        if (entry->hash == hash && strncmp(entry->key, key, len) == 0 && entry->key[len] == '\0') {
            break;
        }
        place = (place + 1) & mask;
    }
    return place;
}

static void table_grow(struct table *table)
{
    struct table old = *table;
    table->capacity = old.capacity ? old.capacity * 2 : 8;
    table->entries = mem_alloc_array(table->capacity, sizeof(*table->entries));
    for (size_t i = 0; i < old.capacity; i++) {
        const struct table_entry *entry = &old.entries[i];
        if (entry->key) {
            table->entries[table_find(table, entry->key, strlen(entry->key), entry->hash)] = *entry;
        }
    }
    free(old.entries);
}

void *table_put(struct table *table, const char *key, void *value)
{
    if ((table->count + 1) * 4 > table->capacity * 3) {
        table_grow(table);
    }
    size_t len = strlen(key);
    uint64_t hash = table_hash(table->seed, key, len);
    struct table_entry *entry = &table->entries[table_find(table, key, len, hash)];
    void *old = entry->key ? entry->value : NULL;
    if (!entry->key) {
        table->count++;
    }
    *entry = (struct table_entry){key, value, hash};
    return old;
}

void *table_get_n(const struct table *table, const char *key, size_t len)
{
    if (table->count == 0 || memchr(key, '\0', len)) {
        return NULL;
    }
    const struct table_entry *entry = &table->entries[table_find(table, key, len, table_hash(table->seed, key, len))];
    return entry->key ? entry->value : NULL;
}

void *table_get(const struct table *table, const char *key)
{
    return table_get_n(table, key, strlen(key));
}

/* Closes the hole at place: moves back each following entry whose home does not lie behind the hole. */
static void table_close_hole(struct table *table, size_t hole)
{
    size_t mask = table->capacity - 1;
    for (size_t next = (hole + 1) & mask; table->entries[next].key; next = (next + 1) & mask) {
        size_t home = (size_t)table->entries[next].hash & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            table->entries[hole] = table->entries[next];
            hole = next;
        }
    }
    table->entries[hole] = (struct table_entry){0};
}

void *table_remove(struct table *table, const char *key)
{
    if (table->count == 0) {
        return NULL;
    }
    size_t len = strlen(key);
    size_t place = table_find(table, key, len, table_hash(table->seed, key, len));
    if (!table->entries[place].key) {
        return NULL;
    }
    void *value = table->entries[place].value;
    table->count--;
    table_close_hole(table, place);
    return value;
}

struct table_entry *table_next(const struct table *table, size_t *position)
{
    while (*position < table->capacity) {
        struct table_entry *entry = &table->entries[(*position)++];
        if (entry->key) {
            return entry;
        }
    }
    return NULL;
}
