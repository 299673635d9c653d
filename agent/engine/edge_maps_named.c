/* SPDX-License-Identifier: MIT */
/* Which backends the values of a map of routes name, and how often: whether routes still lead to a backend is asked in
 * each turn of the loop while it is to be released, and no answer to it may cost what the whole map does. */
#include "engine_private.h"
#include "slotd/mem.h"

struct named_backend {
    char *name;
    size_t count; /* values, by entry point */
};

static void map_name_backend(struct edge_map *map, const char *name, size_t len)
{
    struct named_backend *named = table_get_n(&map->named, name, len);
    if (!named) {
        named = MEM_NEW(struct named_backend);
        named->name = mem_strndup(name, len);
        table_put(&map->named, named->name, named);
    }
    named->count++;
}

static void map_unname_backend(struct edge_map *map, const char *name, size_t len)
{
    struct named_backend *named = table_get_n(&map->named, name, len);
    if (named && --named->count == 0) {
        table_remove(&map->named, named->name);
        free(named->name);
        free(named);
    }
}

typedef void map_note_backend(struct edge_map *map, const char *name, size_t len);
static void map_note_value(struct edge_map *map, const char *value, map_note_backend *note)
{
    for (size_t i = 0; value && i < ACCESS_POINTS; i++) {
        size_t len = 0;
        const char *name = access_value_backend(value, (enum access_point)i, &len);
        if (name) {
            note(map, name, len);
        }
    }
}

static void map_leave_backend(struct edge_map *map, const char *name, size_t len)
{
    cleanup_free char *backend = mem_strndup(name, len);
    edge_route_left(map->edge, backend);
}

bool edge_map_put(struct edge_map *map, const char *key, const char *value)
{
    if (!edge_map_is_of_routes(map)) {
        return map_set(map->map, key, value);
    }
    cleanup_free char *former = mem_strdup(map_get(map->map, key));
    if (!map_set(map->map, key, value)) {
        return false;
    }
    map_note_value(map, former, map_unname_backend);
    map_note_value(map, map_get(map->map, key), map_name_backend);
    map_note_value(map, former, map_leave_backend);
    return true;
}

bool edge_map_names(const struct edge_map *map, const char *backend)
{
    return table_get(&map->named, backend) != NULL;
}

void edge_map_forget_named(struct edge_map *map)
{
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&map->named, &position));) {
        struct named_backend *named = entry->value;
        free(named->name);
        free(named);
    }
    table_free(&map->named);
}
