/* SPDX-License-Identifier: MIT */
/* A whole table at once (HAProxy 2.4+): prepared beside the one that look-ups go by, filled in blocks, and committed in
 * its place. When that is cheaper than one command for each difference, its lines, and their answers. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/map.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* Measured on 2.4.0 to 3.4.0 with 1,000 to 10,000 entries, as much of HAProxy's time as it takes: 2 to 5 us for a
 * single command, 0.5 to 2 us for an entry in a block, 0.2 to 0.3 us for one that a commit throws away. Up to 2.8 `set
 * map`, and `del map`, go through all entries, 6 to 9 ns for each. */
#define COST_COMMAND_NS UINT64_C(3000)
#define COST_SCAN_NS UINT64_C(7)
#define COST_ENTRY_NS UINT64_C(2000)
#define COST_DROP_NS UINT64_C(300)
#define SWAP_MIN_COMMANDS 64 /* fewer take less than 5 ms in any case */

bool map_swap_pays(const struct map *map, const struct map_plan *plan, bool indexed)
{
    uint64_t entries = map_count(map);
    uint64_t scans = 0;
    for (size_t i = 0; i < plan->count; i++) {
        scans += plan->commands[i].kind != MAP_COMMAND_ADD;
    }
    /* What goes is scanned, and dropped, too. */
    uint64_t there = entries > scans ? entries : scans;
    uint64_t single = plan->count * COST_COMMAND_NS + (indexed ? 0 : scans * there * COST_SCAN_NS);
    return plan->count >= SWAP_MIN_COMMANDS && entries * COST_ENTRY_NS + there * COST_DROP_NS < single;
}

/* ---- blocks ---- */

static bool is_word(const char *text)
{
    return text && text_is_map_word(text);
}

static struct buf *blocks_find_room(struct map_blocks *blocks, size_t len)
{
    struct buf *last = blocks->count > 0 ? &blocks->items[blocks->count - 1] : NULL;
    if (last && last->len + len <= MAP_BLOCK_BYTES) {
        return last;
    }
    MEM_GROW(blocks->items, blocks->capacity, blocks->count + 1);
    blocks->items[blocks->count] = BUF_INIT;
    return &blocks->items[blocks->count++];
}

int map_list_blocks(const struct map *map, struct map_blocks *ret_blocks)
{
    struct map_blocks blocks = {0};
    size_t position = 0;
    const char *key;
    while ((key = map_next(map, &position))) {
        const char *value = map_get(map, key);
        /* HAProxy takes a line without a value together with the next one: none may ever leave. */
        if (!is_word(key) || !is_word(value)) {
            map_blocks_free(&blocks);
            return SLOTD_E_REFUSED;
        }
        buf_printf(blocks_find_room(&blocks, strlen(key) + strlen(value) + 2), "%s %s\n", key, value);
    }
    *ret_blocks = blocks;
    return 0;
}

void map_blocks_free(struct map_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        buf_free(&blocks->items[i]);
    }
    free(blocks->items);
    *blocks = (struct map_blocks){0};
}

/* ---- lines ---- */

int map_prepare_format(const char *name, struct buf *line)
{
    if (!map_name_is_usable(name)) {
        return SLOTD_E_REFUSED;
    }
    buf_printf(line, "prepare map %s", name);
    return 0;
}

void map_fill_format(const char *name, unsigned version, const struct buf *block, struct buf *line)
{
    /* The line end that is still to come ends the payload: an empty line. */
    buf_printf(line, "add map @%u %s <<\n%s", version, name, buf_text(block));
}

void map_commit_format(const char *name, unsigned version, struct buf *line)
{
    buf_printf(line, "commit map @%u %s", version, name);
}

void map_clear_format(const char *name, unsigned version, struct buf *line)
{
    buf_printf(line, "clear map @%u %s", version, name);
}

/* ---- answers ---- */

static bool begins(const char *text, size_t len, const char *with)
{
    size_t with_len = strlen(with);
    return len >= with_len && memcmp(text, with, with_len) == 0;
}

/* Up to 3.1 each line of a payload is answered by a prompt of its own. */
static const char *skip_prompts(const char *reply, size_t *len)
{
    while (begins(reply, *len, "+ ")) {
        reply += 2;
        *len -= 2;
    }
    return reply;
}

enum haproxy_reply map_prepare_judge(const char *reply, size_t len, unsigned *ret_version)
{
    static const char done[] = "New version created: ";
    int64_t version = 0;
    if (!begins(reply, len, done)) {
        enum haproxy_reply verdict = map_reply_judge(reply, len);
        return verdict == HAPROXY_REPLY_DONE ? HAPROXY_REPLY_UNEXPECTED : verdict;
    }
    cleanup_free char *number = mem_strndup(reply + sizeof(done) - 1, len - (sizeof(done) - 1));
    number[strcspn(number, "\r\n")] = '\0';
    if (text_parse_int(number, 0, UINT32_MAX, &version)) {
        return HAPROXY_REPLY_UNEXPECTED;
    }
    *ret_version = (unsigned)version;
    return HAPROXY_REPLY_DONE;
}

bool map_prepare_is_unknown(const char *reply, size_t len)
{
    return begins(reply, len, "Unknown command");
}

enum haproxy_reply map_swap_judge(const char *reply, size_t len)
{
    reply = skip_prompts(reply, &len);
    return begins(reply, len, "Version number") ? HAPROXY_REPLY_REFUSED : map_reply_judge(reply, len);
}
