/* SPDX-License-Identifier: MIT */
/* The maps of one HAProxy as files: made where they are missing, kept in step, written to their end. */
#include <errno.h>
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/file.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define MAP_MODE 0644 /* nothing secret; HAProxy may run as another user */

/* ---- the file ---- */

static void edge_map_collect(void *arg, struct kept_file *file)
{
    struct edge_map *map = arg;
    struct buf line = BUF_INIT;
    size_t section = 0;
    while (map_next_unsaved(map->map, &section, &line)) {
        kept_file_put(file, section, &line);
        line = BUF_INIT;
    }
}

/* HAProxy does not start without its map files. One that is there stays until it is known what should be in it. */
static void edge_map_ensure_file(struct edge_map *map)
{
    int err = file_check(map->path);
    if (err == -ENOENT) {
        err = file_replace(map->path, MAP_MODE, NULL, 0);
    }
    if (err) {
        log_error("haproxy",
                  "%s is not there and cannot be made: %s; HAProxy does not start without the map files that "
                  "its configuration names",
                  map->path, error_text(err));
        map->file_error = mem_strdup(error_text(err));
    }
}

const char *edge_map_file_error(const struct edge_map *map)
{
    const char *error = kept_file_error(map->file);
    return error || map->filled ? error : map->file_error;
}

/* ---- life ---- */

static struct edge_map *edge_map_new(struct edge *edge, enum edge_map_kind kind)
{
    struct edge_map *map = MEM_NEW(struct edge_map);
    const char *folder = edge->config->maps_dir;
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    map->edge = edge;
    map->kind = kind;
    map->path = mem_printf("%.*s/%s", (int)len, folder, edge_map_name(kind));
    map->map = map_new(edge->engine->seed);
    table_init(&map->named, edge->engine->seed);
    if (kind == EDGE_MAP_LEASES) {
        map_leave_out_own(map->map);
    }
    map->file = kept_file_new(edge->engine->loop, map->path, "what slotd has put into it", edge_map_collect, map);
    edge_map_ensure_file(map);
    return map;
}

void edge_maps_open(struct edge *edge)
{
    for (size_t i = 0; i < EDGE_N_MAPS && edge->config->maps_dir[0]; i++) {
        edge->maps[i] = edge_map_new(edge, (enum edge_map_kind)i);
    }
}

static void edge_map_close(struct edge_map *map)
{
    int err = map->filled ? kept_file_flush(map->file) : 0;
    if (err) {
        log_error("haproxy", "%s: %s cannot be written: %s", map->edge->config->name, map->path, error_text(err));
    }
    kept_file_close(map->file);
    edge_map_drop_swap(map);
    map_content_free(map->content);
    map_free(map->map);
    edge_map_forget_named(map);
    free(map->path);
    free(map->error);
    free(map->file_error);
    free(map);
}

void edge_maps_close(struct edge *edge)
{
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        edge_map_close(edge->maps[i]);
    }
}
