/* SPDX-License-Identifier: MIT */
/* What another hand changes in a map is noticed: all of it is read and compared with what was left there. Nothing waits
 * for it: what is sent meanwhile makes the answer one of the past, and the map's next turn comes. */
#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

struct look {
    struct edge_map *map;
    uint64_t plans;
    edge_map_verified *done;
    void *arg;
};

static bool edge_map_is_at_rest(const struct edge_map *map)
{
    return map->state == EDGE_MAP_IN_STEP && map->in_flight == 0 && !map->missing && !map_differs(map->map);
}

static void edge_map_compare(struct edge_map *map, const struct map_content *content)
{
    size_t drift = map_count_drift(map->map, content);
    if (drift > 0) {
        map->edge->drifts += drift;
        log_warning("haproxy", "%s: %s: %zu %s put right", map->edge->config->name, map->path, drift,
                    text_plural(drift, "entry is not as it was left: another hand has changed it, and it is",
                                "entries are not as they were left: another hand has changed them, and they are"));
        edge_map_read(map);
    }
}

static void edge_map_looked(void *arg, int err, const char *reply, size_t len)
{
    struct look *look = arg;
    struct edge_map *map = look->map;
    struct map_content *content = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (!err && edge_map_is_at_rest(map) && look->plans == map_count_plans(map->map)) {
        if (map_content_parse(reply, len, &content, &why) == 0) {
            edge_map_compare(map, content);
        } else {
            edge_map_read(map); /* which tells what is wrong */
        }
        map_content_free(content);
    }
    look->done(look->arg);
    free(look);
}

void edge_map_verify(struct edge_map *map, edge_map_verified *done, void *arg)
{
    if (!edge_map_is_at_rest(map)) {
        done(arg);
        return;
    }
    struct look *look = MEM_NEW(struct look);
    cleanup_free char *line = mem_printf("show map %s", map->path);
    *look = (struct look){.map = map, .plans = map_count_plans(map->map), .done = done, .arg = arg};
    haproxy_connection_send(map->edge->connection, line, edge_map_looked, look);
}
