/* SPDX-License-Identifier: MIT */
/* A map of HAProxy's: what should be in it, what is, and the commands between. Pure: no I/O, no clock. */
#ifndef SLOTD_MAP_H
#define SLOTD_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"
#include "slotd/haproxy.h"

/* ---- what HAProxy prints ---- */

struct map_entry {
    const char *reference; /* "0x55e8...": names this entry alone, also among equal keys */
    const char *key;
    const char *value;
};
struct map_content {
    struct map_entry *entries; /* in HAProxy's order, which is that of its look-ups */
    size_t count;
    char *text; /* what they point into */
};
/* Parses the answer to `show map FILE`. Returns 0, SLOTD_E_REFUSED when HAProxy has no map of that name (its
 * configuration does not mention it), or SLOTD_E_PARSE, with why. The caller frees *ret with map_content_free(). */
int map_content_parse(const char *text, size_t len, struct map_content **ret_content, struct buf *why);
void map_content_free(struct map_content *content);

/* ---- commands ---- */

enum map_command_kind {
    MAP_COMMAND_ADD,    /* key and value; HAProxy does not look whether it has the key */
    MAP_COMMAND_SET,    /* key and value */
    MAP_COMMAND_DELETE, /* key */
    MAP_COMMAND_DROP,   /* reference: a second entry of a key, or one that is not ours */
};
struct map_command {
    enum map_command_kind kind;
    const char *key; /* the others are borrowed too */
    const char *value;
    const char *reference;
};
struct map_plan {
    struct map_command *commands; /* in the order to be sent */
    size_t count;
    size_t capacity;
};
void map_plan_free(struct map_plan *plan);

/* Whether a Runtime API line may name that map: an absolute path of text_is_map_word()'s alphabet. */
bool map_name_is_usable(const char *name);
/* Writes a command as one Runtime API line, without line end. Every part is checked against text_is_map_word(); returns
 * 0, or SLOTD_E_REFUSED when one does not pass: then nothing is appended. */
int map_command_format(const char *name, const struct map_command *command, struct buf *line);
/* Judges the reply by an exact table of texts, the same on HAProxy 2.4 to 3.4; everything unknown is UNEXPECTED. */
enum haproxy_reply map_reply_judge(const char *reply, size_t len);

struct map;

/* ---- a whole table at once ---- */

/* Whether that is cheaper for HAProxy than the plan's commands, which bring the table there one by one. indexed: it
 * finds a key without a look at all of them. By costs as measured, see map_swap.c. */
bool map_swap_pays(const struct map *map, const struct map_plan *plan, bool indexed);
/* All that should be in a map, in blocks of lines, each small enough for two to be on their way (HAProxy takes payloads
 * of less than 16 kB). */
#define MAP_BLOCK_BYTES 3900
struct map_blocks {
    struct buf *items;
    size_t count, capacity;
};
/* Returns 0, or SLOTD_E_REFUSED when a key or a value does not pass text_is_map_word(). The caller frees with
 * map_blocks_free(). */
int map_list_blocks(const struct map *map, struct map_blocks *ret_blocks);
void map_blocks_free(struct map_blocks *blocks);
/* The lines, without line end: `prepare map` gives the version that the others name. Refused as by
 * map_command_format(). */
int map_prepare_format(const char *name, struct buf *line);
/* For a name that has been prepared. The block goes as a payload, which the line's end completes. */
void map_fill_format(const char *name, unsigned version, const struct buf *block, struct buf *line);
void map_commit_format(const char *name, unsigned version, struct buf *line);
void map_clear_format(const char *name, unsigned version, struct buf *line);
/* Judges as map_reply_judge() does; DONE with the version. */
enum haproxy_reply map_prepare_judge(const char *reply, size_t len, unsigned *ret_version);
/* Whether HAProxy does not know the command. */
bool map_prepare_is_unknown(const char *reply, size_t len);
/* The replies to the other three. */
enum haproxy_reply map_swap_judge(const char *reply, size_t len);

/* ---- what should be and what is ---- */

struct map *map_new(uint64_t seed);
void map_free(struct map *map);
/* What key should have; NULL, or what does not pass text_is_map_word(): no entry. Returns whether that is another than
 * before. */
bool map_set(struct map *map, const char *key, const char *value);
/* What key should have, or NULL. */
const char *map_get(const struct map *map, const char *key);
/* Iterates in no order over the keys that should have an entry: start with *position = 0; NULL at the end. map_set()
 * may be called meanwhile with the key just returned. */
const char *map_next(const struct map *map, size_t *position);
/* How many entries there should be. */
size_t map_count(const struct map *map);
/* Whether something differs from what HAProxy is known to have. */
bool map_differs(const struct map *map);
/* HAProxy's whole content has been read: appends all that it takes to make it the one that should be, each key once and
 * nothing else, and counts it as done. What is there once and right is left alone. A refused command means that nothing
 * is known any more: read again. Borrowed from map and content until one of them changes. */
void map_observe(struct map *map, const struct map_content *content, struct map_plan *plan);
/* Appends what has changed since, and counts it as done. The cost is that of the changes. */
void map_make_plan(struct map *map, struct map_plan *plan);
/* Counts up with each command that is planned, and each map_observe(): what was asked of HAProxy before is of the past
 * once this is another. */
uint64_t map_count_plans(const struct map *map);
/* How many entries of HAProxy's whole content are not as they were left: of another value, of nobody, there twice, or
 * gone. Changes nothing: map_observe() puts them right. */
size_t map_count_drift(struct map *map, const struct map_content *content);

/* ---- its file ---- */

/* An entry whose value is its own key has no line in the file from now on: it is about this process of HAProxy alone.
 */
void map_leave_out_own(struct map *map);
/* The next key whose line in the file has changed since the last call: its section (see slotd/kept_file.h) and the
 * line, empty when there is none any more. Returns false at the end. */
bool map_next_unsaved(struct map *map, size_t *ret_section, struct buf *line);

#endif
