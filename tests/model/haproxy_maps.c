/* SPDX-License-Identifier: MIT */
/* HAProxy's maps: what its files and its Runtime API make of them, and what a look-up finds. */
#include <stdio.h>
#include <string.h>

#include "haproxy_parts.h"
#include "slotd/mem.h"

#define TAINT_US (90 * SECOND) /* a map of which commands were refused is left alone until the next complete answer */
#define KNOWN_US (5 * SECOND)  /* what slotd has read is put right by then */

bool map_is_tainted(const struct runtime_map *map)
{
    return map->foreign_us > now_us();
}

/* ---- lines ---- */

static void map_add(struct haproxy *haproxy, struct runtime_map *map, const char *key, const char *value)
{
    if (map->count == MAX_LINES) {
        broken("bounded", "a map of %s has more than %d lines", haproxy->name, MAX_LINES);
        return;
    }
    struct map_line *line = &map->lines[map->count++];
    line->reference = 0x55e800000000 + ++haproxy->references * 64;
    (void)snprintf(line->key, sizeof(line->key), "%s", key);
    (void)snprintf(line->value, sizeof(line->value), "%s", value);
    line->is_foreign = false;
}

const struct map_line *map_find(const struct runtime_map *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->lines[i].key, key) == 0) {
            return &map->lines[i];
        }
    }
    return NULL;
}

/* All lines of the key have the value, or go; false: there is none. Both versions that are simulated do so. */
static bool map_change_all(struct runtime_map *map, const char *key, const char *value)
{
    size_t kept = 0;
    bool found = false;
    for (size_t i = 0; i < map->count; i++) {
        struct map_line *line = &map->lines[i];
        bool is_it = strcmp(line->key, key) == 0;
        found = found || is_it;
        if (is_it && value) {
            (void)snprintf(line->value, sizeof(line->value), "%s", value);
            line->is_foreign = false;
        }
        if (!is_it || value) {
            map->lines[kept++] = *line;
        }
    }
    map->count = kept;
    return found;
}

static bool map_drop(struct runtime_map *map, uint64_t reference)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->lines[i].reference == reference) {
            memmove(&map->lines[i], &map->lines[i + 1], (map->count - i - 1) * sizeof(map->lines[0]));
            map->count--;
            return true;
        }
    }
    return false;
}

void map_load(struct haproxy *haproxy, struct runtime_map *map, const struct buf *file)
{
    char key[48];
    char value[32];
    int taken = 0;
    *map = (struct runtime_map){0};
    for (const char *text = buf_text(file); sscanf(text, "%47s %31s %n", key, value, &taken) == 2; text += taken) {
        map_add(haproxy, map, key, value);
    }
}

/* ---- look-ups ---- */

const struct map_line *haproxy_look_up(const struct haproxy *haproxy, const char *key, size_t *ret_map)
{
    const struct map_line *best = map_find(&haproxy->maps[MAP_PATHS], key);
    *ret_map = MAP_PATHS;
    if (best) {
        return best;
    }
    const struct runtime_map *map = &haproxy->maps[MAP_ROUTES];
    *ret_map = MAP_ROUTES;
    for (size_t i = 0; i < map->count; i++) {
        size_t len = strlen(map->lines[i].key);
        if (strncmp(map->lines[i].key, key, len) == 0 && (!best || len > strlen(best->key))) {
            best = &map->lines[i];
        }
    }
    return best;
}

/* ---- the Runtime API ---- */

static size_t find_number(const struct haproxy *haproxy, const char *path)
{
    size_t number = 0;
    while (number < N_MAPS && strcmp(haproxy->files[number], path) != 0) {
        number++;
    }
    return haproxy->has_maps ? number : N_MAPS;
}

static void show_map(struct haproxy *haproxy, const char *path, struct buf *reply)
{
    size_t number = find_number(haproxy, path);
    if (number == N_MAPS) {
        buf_puts(reply, "Unknown map identifier. Please use #<id> or <file>.\n");
        broken("name", "slotd asks for the map %s, which HAProxy does not have", path);
        return;
    }
    struct runtime_map *map = &haproxy->maps[number];
    if (map->foreign_us == NEVER) {
        map->foreign_us = now_us() + KNOWN_US;
        rules_map_shown(haproxy, number);
    }
    for (size_t i = 0; i < map->count; i++) {
        buf_printf(reply, "0x%llx %s %s\n", (unsigned long long)map->lines[i].reference, map->lines[i].key,
                   map->lines[i].value);
    }
}

static void map_execute(struct haproxy *haproxy, struct runtime_map *map, const char *verb, const char *key,
                        const char *value, struct buf *reply)
{
    unsigned long long reference = 0;
    if (strcmp(verb, "add") == 0) {
        map_add(haproxy, map, key, value);
    } else if (strcmp(verb, "set") == 0) {
        buf_puts(reply, map_change_all(map, key, value) ? "" : "entry not found.\n");
    } else if (sscanf(key, "#0x%llx", &reference) == 1) {
        buf_puts(reply, map_drop(map, reference) ? "" : "Key not found.\n");
    } else {
        buf_puts(reply, map_change_all(map, key, NULL) ? "" : "Key not found.\n");
    }
}

static bool map_refuses(struct haproxy *haproxy, struct runtime_map *map, struct buf *reply)
{
    if (!haproxy_refuses(haproxy)) {
        return false;
    }
    map->foreign_us = map->foreign_us == NEVER ? NEVER : now_us() + TAINT_US;
    buf_puts(reply, chance_percent(&haproxy_luck, 50) ? "entry not found.\n" : "Something that nobody has heard of.\n");
    return true;
}

/* The key that a line names by its reference, or as it is. */
static void find_key(const struct runtime_map *map, const char *words, char *key, size_t size)
{
    unsigned long long reference = 0;
    (void)snprintf(key, size, "%s", words);
    for (size_t i = 0; sscanf(words, "#0x%llx", &reference) == 1 && i < map->count; i++) {
        if (map->lines[i].reference == reference) {
            (void)snprintf(key, size, "%s", map->lines[i].key);
        }
    }
}

static void change_map(const struct wire *wire, const char *line, struct buf *reply)
{
    struct haproxy *haproxy = wire->haproxy;
    char verb[8];
    char path[64];
    char words[48];
    char value[32] = "";
    char key[48];
    int count = sscanf(line, "%7s map %63s %47s %31s", verb, path, words, value);
    size_t number = find_number(haproxy, path);
    if (count != (verb[0] == 'd' ? 3 : 4) || number == N_MAPS) {
        broken("command", "slotd sends what is no command: %s", line);
        return;
    }
    if (wire->process != haproxy->process) {
        return; /* the old process: what it acknowledges is lost */
    }
    struct runtime_map *map = &haproxy->maps[number];
    haproxy->commands++;
    if (map_refuses(haproxy, map, reply)) {
        tell(haproxy->name, "%s: refused", line);
        return;
    }
    tell(haproxy->name, "%s", line);
    if (wire->stream) {
        rules_sent(line, haproxy, "");
    }
    find_key(map, words, key, sizeof(key));
    rules_map_before(wire, number, key);
    map_execute(haproxy, map, verb, words, value, reply);
    rules_map_after(wire, number, key, strcmp(verb, "del") == 0);
    if (strcmp(verb, "del") == 0) {
        ambush_note_deleted(haproxy, number);
    }
}

bool haproxy_execute_map(struct wire *wire, const char *line, struct buf *reply)
{
    static const char *const verbs[] = {"add map ", "set map ", "del map "};
    if (strncmp(line, "show map ", 9) == 0) {
        show_map(wire->haproxy, line + 9, reply);
        return true;
    }
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strncmp(line, verbs[i], strlen(verbs[i])) == 0) {
            change_map(wire, line, reply);
            return true;
        }
    }
    return false;
}

/* ---- somebody else ---- */

void map_meddle(struct chance *chance, struct haproxy *haproxy)
{
    static const char *const keys[] = {"www.example.com/", "www.example.com/api", "a0.example.com/",
                                       "a1.marathon.localhost/", "nobody.example.com/"};
    static const char *const verbs[] = {"add", "set", "del"};
    struct runtime_map *map = &haproxy->maps[chance_below(chance, N_MAPS)];
    const struct backend *backend = &haproxy->backends[chance_below(chance, haproxy->n_backends)];
    const char *verb = verbs[chance_below(chance, sizeof(verbs) / sizeof(verbs[0]))];
    cleanup_buf struct buf reply = BUF_INIT;
    cleanup_free char *key = mem_strdup(keys[chance_below(chance, sizeof(keys) / sizeof(keys[0]))]);
    if (map->count > 0 && chance_percent(chance, 60)) {
        free(key);
        key = mem_strdup(map->lines[chance_below(chance, map->count)].key);
    }
    if (map->count > MAX_LINES / 2) {
        return;
    }
    tell("somebody", "%s: %s %s %s in map %zu", haproxy->name, verb, key, backend->name, (size_t)(map - haproxy->maps));
    map->foreign_us = NEVER;
    map_execute(haproxy, map, verb, key, backend->name, &reply);
    for (size_t i = 0; i < map->count; i++) {
        struct map_line *line = &map->lines[i];
        line->is_foreign = line->is_foreign || (strcmp(line->key, key) == 0 && strcmp(line->value, backend->name) == 0);
    }
}
