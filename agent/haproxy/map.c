/* SPDX-License-Identifier: MIT */
/* What should be in a map and what HAProxy has: only what differs is planned, and written to the map's file. */
#include "slotd/map.h"

#include <string.h>

#include "slotd/mem.h"
#include "slotd/table.h"
#include "slotd/text.h"

struct item {
    char *key;
    char *wanted; /* NULL: no entry */
    char *there;  /* HAProxy's, with what has been sent; NULL: none */
    bool changed; /* in the list of those to plan */
    bool seen;    /* while map_count_drift() looks */
    struct item *next_changed;
    size_t section; /* of the file */
    bool unsaved;   /* in the list of those to write */
    struct item *next_unsaved;
};

struct map {
    struct table items;
    size_t wanted;
    bool leaves_out_own;
    uint64_t plans; /* times that what HAProxy has was to become another */
    struct item *first_changed, **last_changed;
    struct item *first_unsaved;
    size_t n_sections;
    size_t *free_sections; /* of keys that are forgotten */
    size_t n_free, free_capacity;
};

/* ---- life ---- */

struct map *map_new(uint64_t seed)
{
    struct map *map = MEM_NEW(struct map);
    table_init(&map->items, seed);
    map->last_changed = &map->first_changed;
    return map;
}

static void item_free(struct item *item)
{
    free(item->key);
    free(item->wanted);
    free(item->there);
    free(item);
}

void map_free(struct map *map)
{
    if (!map) {
        return;
    }
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&map->items, &position))) {
        item_free(entry->value);
    }
    table_free(&map->items);
    free(map->free_sections);
    free(map);
}

/* ---- items ---- */

static void map_mark_changed(struct map *map, struct item *item)
{
    if (!item->changed) {
        item->changed = true;
        item->next_changed = NULL;
        *map->last_changed = item;
        map->last_changed = &item->next_changed;
    }
}

static void map_mark_unsaved(struct map *map, struct item *item)
{
    if (!item->unsaved) {
        item->unsaved = true;
        item->next_unsaved = map->first_unsaved;
        map->first_unsaved = item;
    }
}

static struct item *map_ensure(struct map *map, const char *key)
{
    struct item *item = table_get(&map->items, key);
    if (!item) {
        item = MEM_NEW(struct item);
        item->key = mem_strdup(key);
        item->section = map->n_free > 0 ? map->free_sections[--map->n_free] : map->n_sections++;
        table_put(&map->items, item->key, item);
    }
    return item;
}

bool map_set(struct map *map, const char *key, const char *value)
{
    value = value && text_is_map_word(key) && text_is_map_word(value) ? value : NULL;
    struct item *item = value ? map_ensure(map, key) : table_get(&map->items, key);
    if (!item || text_equal(item->wanted, value)) {
        return false;
    }
    map->wanted += (value != NULL);
    map->wanted -= (item->wanted != NULL);
    char *copy = mem_strdup(value);
    free(item->wanted);
    item->wanted = copy;
    map_mark_changed(map, item);
    map_mark_unsaved(map, item);
    return true;
}

const char *map_get(const struct map *map, const char *key)
{
    const struct item *item = table_get(&map->items, key);
    return item ? item->wanted : NULL;
}

const char *map_next(const struct map *map, size_t *position)
{
    struct table_entry *entry;
    while ((entry = table_next(&map->items, position))) {
        if (((const struct item *)entry->value)->wanted) {
            return entry->key;
        }
    }
    return NULL;
}

size_t map_count(const struct map *map)
{
    return map->wanted;
}

bool map_differs(const struct map *map)
{
    return map->first_changed != NULL;
}

/* ---- plans ---- */

static struct map_command *plan_add(struct map_plan *plan, enum map_command_kind kind)
{
    MEM_GROW(plan->commands, plan->capacity, plan->count + 1);
    struct map_command *command = &plan->commands[plan->count++];
    *command = (struct map_command){.kind = kind};
    return command;
}

static void map_plan_item(struct map *map, struct item *item, struct map_plan *plan)
{
    if (text_equal(item->wanted, item->there)) {
        return;
    }
    struct map_command *command = plan_add(plan, !item->wanted  ? MAP_COMMAND_DELETE
                                                 : !item->there ? MAP_COMMAND_ADD
                                                                : MAP_COMMAND_SET);
    command->key = item->key;
    command->value = item->wanted;
    map->plans++;
    free(item->there);
    item->there = mem_strdup(item->wanted);
    if (!item->there) {
        /* Nothing holds the item any more but its line in the file. */
        map_mark_unsaved(map, item);
    }
}

void map_make_plan(struct map *map, struct map_plan *plan)
{
    struct item *item;
    while ((item = map->first_changed)) {
        map->first_changed = item->next_changed;
        item->changed = false;
        map_plan_item(map, item, plan);
    }
    map->last_changed = &map->first_changed;
}

/* What HAProxy has is not known until it is read. */
static void map_forget_there(struct map *map)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&map->items, &position))) {
        struct item *item = entry->value;
        free(item->there);
        item->there = NULL;
        map_mark_changed(map, item);
        if (!item->wanted) {
            map_mark_unsaved(map, item);
        }
    }
}

void map_observe(struct map *map, const struct map_content *content, struct map_plan *plan)
{
    map->plans++;
    map_forget_there(map);
    /* `set map` and `del map` by key mean all entries of that key up to 3.2, and one of them, not the first, in 3.4:
     * whatever is too much goes first, each by its own reference. */
    for (size_t i = 0; i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        struct item *item = table_get(&map->items, entry->key);
        if (!item || !item->wanted || item->there) {
            plan_add(plan, MAP_COMMAND_DROP)->reference = entry->reference;
        } else {
            item->there = mem_strdup(entry->value);
        }
    }
    map_make_plan(map, plan);
}

uint64_t map_count_plans(const struct map *map)
{
    return map->plans;
}

/* Entries that HAProxy should have and that none of the content was about; the next look begins anew. */
static size_t map_count_unseen(struct map *map)
{
    size_t unseen = 0, position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&map->items, &position))) {
        struct item *item = entry->value;
        unseen += item->there && !item->seen;
        item->seen = false;
    }
    return unseen;
}

size_t map_count_drift(struct map *map, const struct map_content *content)
{
    size_t drift = 0;
    for (size_t i = 0; i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        struct item *item = table_get(&map->items, entry->key);
        drift += !item || item->seen || !text_equal(item->there, entry->value);
        if (item) {
            item->seen = true;
        }
    }
    return drift + map_count_unseen(map);
}

/* ---- the file ---- */

static void map_forget_item(struct map *map, struct item *item)
{
    MEM_GROW(map->free_sections, map->free_capacity, map->n_free + 1);
    map->free_sections[map->n_free++] = item->section;
    table_remove(&map->items, item->key);
    item_free(item);
}

void map_leave_out_own(struct map *map)
{
    map->leaves_out_own = true;
}

static bool map_leaves_out(const struct map *map, const struct item *item)
{
    return map->leaves_out_own && strcmp(item->key, item->wanted) == 0;
}

bool map_next_unsaved(struct map *map, size_t *ret_section, struct buf *line)
{
    struct item *item = map->first_unsaved;
    if (!item) {
        return false;
    }
    map->first_unsaved = item->next_unsaved;
    item->unsaved = false;
    *ret_section = item->section;
    if (item->wanted && !map_leaves_out(map, item)) {
        buf_printf(line, "%s %s\n", item->key, item->wanted);
    } else if (!item->wanted && !item->there && !item->changed) {
        map_forget_item(map, item);
    }
    return true;
}
