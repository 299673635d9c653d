/* SPDX-License-Identifier: MIT */
/* Health checks by label: what the maps that a backend's check reads should say, and where HAProxy's configuration
 * keeps a label from having an effect. */
#include <string.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"

static const char *check_label(const struct service_check *check, enum edge_map_kind kind)
{
    return kind == EDGE_MAP_CHECK_PATH ? check->path : check->host;
}

/* ---- what should be ---- */

bool edge_may_serve(const struct edge *edge, const char *name)
{
    const struct edge_backend *backend = edge_find_backend(edge, name);
    return !engine_is_confident(edge->engine) || (backend && backend_may_serve(backend));
}

const char *edge_check_value(struct edge_map *map, const char *backend, const char *current)
{
    const struct service *service = edge_find_service(map->edge, backend);
    if (service) {
        return check_label(&service->check, map->kind);
    }
    bool keeps = current && edge_may_serve(map->edge, backend);
    map->doubts = map->doubts || keeps;
    return keeps ? current : NULL;
}

/* ---- what keeps it from having an effect ---- */

/* What haproxy.cfg needs for that map, with its path. */
static void put_needed_line(const struct edge *edge, enum edge_map_kind kind, struct buf *text)
{
    const struct edge_map *map = edge->maps[kind];
    cleanup_free char *path = map ? mem_strdup(map->path) : mem_printf("MAPS_DIR/%s", edge_map_name(kind));
    if (kind == EDGE_MAP_CHECK_PATH) {
        buf_printf(text, "`http-check send meth GET uri-lf %%[be_name,map(%s,/)] ver HTTP/1.1`", path);
    } else {
        buf_printf(text, "`hdr Host %%[be_name,map(%s,localhost)]` in its `http-check send`", path);
    }
}

static void problem_of_map(const struct edge *edge, const struct service_part *part, enum edge_map_kind kind,
                           struct json_object *problems)
{
    const struct edge_map *map = edge->maps[kind];
    cleanup_buf struct buf text = BUF_INIT;
    if (!check_label(&part->check, kind) || (map && !map->missing)) {
        return;
    }
    buf_printf(&text, "%s.backend.healthcheck.%s has no effect: ", edge->engine->config->mapping.label_prefix,
               kind == EDGE_MAP_CHECK_PATH ? "path" : "hostname");
    if (map) {
        buf_printf(&text, "HAProxy %s has no map %s; the backend needs `option httpchk` and ", edge->config->name,
                   map->path);
    } else {
        buf_printf(&text,
                   "HAProxy %s has no maps_dir in slotd.conf; it needs one, and the backend `option httpchk` and ",
                   edge->config->name);
    }
    put_needed_line(edge, kind, &text);
    json_object_array_add(
        problems, map_output_problem(part->app, NULL, part->segment, "healthcheck-map-missing", buf_text(&text)));
}

static void problem_of_check(const struct edge_backend *backend, const struct service_part *part,
                             struct json_object *problems)
{
    if (slots_are_checked(backend->slots) || (!part->check.path && !part->check.host && !part->check.port)) {
        return;
    }
    cleanup_free char *text =
        mem_printf("its labels %s.backend.healthcheck.* have no effect: the servers of HAProxy %s's backend %s are not "
                   "checked; their server-template needs `check`",
                   backend->edge->engine->config->mapping.label_prefix, backend->edge->config->name, backend->name);
    json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, "healthcheck-unchecked", text));
}

void problems_of_checks(const struct engine *engine, const struct service *service, struct json_object *problems)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct edge *edge = engine->edges[i];
        const struct edge_backend *backend = edge_find_backend_of(edge, service);
        for (size_t p = 0; edge->adopted && backend && p < service->n_parts; p++) {
            problem_of_check(backend, service->parts[p], problems);
            problem_of_map(edge, service->parts[p], EDGE_MAP_CHECK_PATH, problems);
            problem_of_map(edge, service->parts[p], EDGE_MAP_CHECK_HOST, problems);
        }
    }
}

/* ---- for status ---- */

static void add_reason(struct json_object *reasons, const struct edge *edge, const char *path, const char *what,
                       const char *why)
{
    cleanup_free char *text = mem_printf("HAProxy %s: %s %s: %s", edge->config->name, path, what, why);
    json_object_array_add(reasons, json_object_new_string(text));
}

void edge_explain_files(const struct edge *edge, struct json_object *reasons)
{
    if (edge->state_file && kept_file_error(edge->state_file)) {
        add_reason(reasons, edge, edge->config->state_file, "cannot be written", kept_file_error(edge->state_file));
    }
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        const struct edge_map *map = edge->maps[i];
        if (map->error) {
            add_reason(reasons, edge, map->path, "is not what it should be", map->error);
        }
        if (edge_map_file_error(map)) {
            add_reason(reasons, edge, map->path, "cannot be written", edge_map_file_error(map));
        }
    }
}

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

void show_kept_file(struct json_object *object, const char *name, const struct kept_file *file)
{
    cleanup_free char *changes = mem_printf("%s_changes", name);
    cleanup_free char *saved = mem_printf("%s_saved", name);
    uint64_t stamp = file ? kept_file_stamp(file) : 0;
    json_object_object_add(object, changes, file ? json_object_new_int64((int64_t)stamp) : NULL);
    json_object_object_add(object, saved, file ? json_object_new_boolean(kept_file_has_saved(file, stamp)) : NULL);
}

struct json_object *edge_show_maps(const struct edge *edge)
{
    struct json_object *maps = json_object_new_array();
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        const struct edge_map *map = edge->maps[i];
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "file", json_object_new_string(map->path));
        json_object_object_add(object, "in_haproxy", json_object_new_boolean(edge->adopted && !map->missing));
        json_object_object_add(object, "entries", json_object_new_int64((int64_t)map_count(map->map)));
        json_object_object_add(object, "error", text_or_null(map->error));
        json_object_object_add(object, "file_error", text_or_null(edge_map_file_error(map)));
        show_kept_file(object, "file", map->file);
        json_object_array_add(maps, object);
    }
    return maps;
}
