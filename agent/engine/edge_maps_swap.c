/* SPDX-License-Identifier: MIT */
/* Changes of a map as they are sent: one by one, or, where that is cheaper, as a whole table that takes the old one's
 * place at once. Until it does the old one stands, and no slot gets a command: routes go before servers do. */
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* The table that is being prepared. */
struct edge_map_swap {
    struct map_blocks blocks;
    unsigned version;
    size_t entries;
    size_t awaited; /* blocks without an answer */
};

void edge_map_drop_swap(struct edge_map *map)
{
    if (map->swap) {
        map_blocks_free(&map->swap->blocks);
        free(map->swap);
        map->swap = NULL;
    }
}

static void swap_send(struct edge_map *map, const struct buf *line, edge_map_replied *replied)
{
    map->edge->commands++;
    edge_map_ask(map, buf_text(line), replied);
}

/* The answer to `clear map`: it makes no difference. What is not cleared goes with the next commit. */
static void swap_cleared(struct edge_map *map, const char *reply, size_t len)
{
    if (map_swap_judge(reply, len) != HAPROXY_REPLY_DONE) {
        log_debug("haproxy", "%s: %s: a table that is not used was not cleared", map->edge->config->name, map->path);
    }
}

static void swap_fail(struct edge_map *map, enum haproxy_reply verdict, const char *reply, size_t len)
{
    map->edge->no_swaps = true;
    edge_map_drop_swap(map);
    edge_map_refuse(map, verdict, reply, len);
}

static void swap_committed(struct edge_map *map, const char *reply, size_t len)
{
    enum haproxy_reply verdict = map_swap_judge(reply, len);
    if (verdict != HAPROXY_REPLY_DONE) {
        swap_fail(map, verdict, reply, len);
        return;
    }
    log_info("haproxy", "%s: %s: %zu %s taken the place of all that it had", map->edge->config->name, map->path,
             map->swap->entries, text_plural(map->swap->entries, "entry has", "entries have"));
    edge_map_drop_swap(map);
    map->state = EDGE_MAP_IN_STEP;
    map->tries = 0;
}

/* Only when each block has been taken: a commit of half a table would be done as well. */
static void swap_commit(struct edge_map *map)
{
    cleanup_buf struct buf line = BUF_INIT;
    map_commit_format(map->path, map->swap->version, &line);
    swap_send(map, &line, swap_committed);
}

static void swap_filled(struct edge_map *map, const char *reply, size_t len)
{
    enum haproxy_reply verdict = map_swap_judge(reply, len);
    if (map->state != EDGE_MAP_SWAPPING) {
        return; /* it has failed already */
    }
    if (verdict != HAPROXY_REPLY_DONE) {
        cleanup_buf struct buf line = BUF_INIT;
        map_clear_format(map->path, map->swap->version, &line);
        swap_send(map, &line, swap_cleared);
        swap_fail(map, verdict, reply, len);
    } else if (--map->swap->awaited == 0) {
        swap_commit(map);
    }
}

static void swap_fill(struct edge_map *map)
{
    struct edge_map_swap *swap = map->swap;
    cleanup_buf struct buf line = BUF_INIT;
    swap->awaited = swap->blocks.count;
    for (size_t i = 0; i < swap->blocks.count; i++) {
        buf_clear(&line);
        map_fill_format(map->path, swap->version, &swap->blocks.items[i], &line);
        swap_send(map, &line, swap_filled);
    }
    if (swap->awaited == 0) {
        swap_commit(map);
    }
}

static void swap_prepared(struct edge_map *map, const char *reply, size_t len)
{
    enum haproxy_reply verdict = map_prepare_judge(reply, len, &map->swap->version);
    if (verdict == HAPROXY_REPLY_DONE) {
        swap_fill(map);
    } else if (map_prepare_is_unknown(reply, len)) {
        log_notice("haproxy", "%s: HAProxy knows no `prepare map`: maps are changed entry by entry",
                   map->edge->config->name);
        map->edge->no_swaps = true;
        edge_map_drop_swap(map);
        edge_map_read(map);
    } else {
        swap_fail(map, verdict, reply, len);
    }
}

/* What should be in the map is what the plan has just counted as done: later changes follow the commit. */
static bool edge_map_swap(struct edge_map *map)
{
    cleanup_buf struct buf line = BUF_INIT;
    struct map_blocks blocks = {0};
    if (map_prepare_format(map->path, &line) || map_list_blocks(map->map, &blocks)) {
        return false;
    }
    map->swap = MEM_NEW(struct edge_map_swap);
    *map->swap = (struct edge_map_swap){.blocks = blocks, .entries = map_count(map->map)};
    map->state = EDGE_MAP_SWAPPING;
    swap_send(map, &line, swap_prepared);
    return true;
}

void edge_map_apply(struct edge_map *map, const struct map_plan *plan)
{
    const struct edge *edge = map->edge;
    bool swaps = !map->missing && !edge->no_swaps && map_swap_pays(map->map, plan, edge->capabilities.indexed_maps) &&
                 edge_map_swap(map);
    if (!swaps) {
        edge_map_send_plan(map, plan);
    }
}
