/* SPDX-License-Identifier: MIT */
/* The maps of one HAProxy: read at each adoption, compared, and changed by single commands. What should be in them is
 * the business of edge_checks.c, edge_access.c, edge_routes.c and edge_leases.c. */
#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define MAP_TRIES 3 /* times that it is read anew in a row because a command was refused */

/* A line that was sent. */
struct sent {
    struct edge_map *map;
    unsigned epoch;
    edge_map_replied *replied; /* of edge_map_ask() */
};

/* ---- reading ---- */

static void edge_map_set_error(struct edge_map *map, const char *error)
{
    free(map->error);
    map->error = mem_strdup(error);
}

static void edge_map_send(struct edge_map *map, const char *line, haproxy_done *done, edge_map_replied *replied)
{
    struct edge *edge = map->edge;
    struct sent *sent = MEM_NEW(struct sent);
    *sent = (struct sent){.map = map, .epoch = edge->epoch, .replied = replied};
    edge->in_flight++;
    map->in_flight++;
    log_debug("haproxy", "%s: %s", edge->config->name, line);
    haproxy_connection_send(edge->connection, line, done, sent);
}

/* Whether a reply is one to this connection: a later one has forgotten what was on its way. */
static bool edge_map_take_reply(struct sent *sent)
{
    struct edge_map *map = sent->map;
    bool current = sent->epoch == map->edge->epoch;
    free(sent);
    map->edge->in_flight--;
    if (current) {
        map->in_flight--;
    }
    return current;
}

static void edge_map_asked(void *arg, int err, const char *reply, size_t len)
{
    struct edge_map *map = ((struct sent *)arg)->map;
    edge_map_replied *replied = ((struct sent *)arg)->replied;
    if (edge_map_take_reply(arg) && !err) {
        replied(map, reply, len);
    }
}

void edge_map_ask(struct edge_map *map, const char *line, edge_map_replied *replied)
{
    edge_map_send(map, line, edge_map_asked, replied);
}

/* Nothing is known of it any more. */
static void edge_map_doubt(struct edge_map *map, const char *why)
{
    if (map->state == EDGE_MAP_READING) {
        return;
    }
    if (map->tries++ < MAP_TRIES) {
        edge_map_read(map);
        return;
    }
    log_error("haproxy", "%s: %s is left as it is until Marathon's next complete answer: %s", map->edge->config->name,
              map->path, why);
    edge_map_set_error(map, why);
    map->state = EDGE_MAP_REFUSED;
}

static void edge_map_read_done(void *arg, int err, const char *reply, size_t len)
{
    struct edge_map *map = ((struct sent *)arg)->map;
    cleanup_buf struct buf why = BUF_INIT;
    if (!edge_map_take_reply(arg) || err) {
        return;
    }
    map_content_free(map->content);
    map->content = NULL;
    err = map_content_parse(reply, len, &map->content, &why);
    map->missing = err == SLOTD_E_REFUSED;
    map->state = EDGE_MAP_READ;
    if (err && !map->missing) {
        cleanup_free char *text = mem_printf("it cannot be read: %s", buf_text(&why));
        edge_map_doubt(map, text);
    }
}

void edge_map_read(struct edge_map *map)
{
    cleanup_free char *line = mem_printf("show map %s", map->path);
    map->state = EDGE_MAP_READING;
    edge_map_send(map, line, edge_map_read_done, NULL);
}

void edge_maps_read(struct edge *edge)
{
    edge->no_swaps = false;
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        struct edge_map *map = edge->maps[i];
        map->in_flight = 0;
        map->tries = 0;
        edge_map_set_error(map, NULL);
        edge_map_read(map);
    }
}

void edge_maps_lose(struct edge *edge)
{
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        map_content_free(edge->maps[i]->content);
        edge->maps[i]->content = NULL;
        edge_map_drop_swap(edge->maps[i]);
        edge->maps[i]->state = EDGE_MAP_UNREAD;
    }
}

/* ---- what should be in it ---- */

static void edge_map_set(struct edge_map *map, const char *key, const char *value)
{
    if (edge_map_put(map, key, value)) {
        kept_file_touch(map->file);
    }
}

static void edge_map_look_at(struct edge_map *map, const char *key, const char *current)
{
    edge_map_set(map, key, edge_map_find_value(map, key, current));
}

void edge_map_refresh(struct edge_map *map, const char *key)
{
    if (map->filled) {
        edge_map_look_at(map, key, map_get(map->map, key));
    }
}

void edge_map_drop(struct edge_map *map, const char *key)
{
    if (map->filled) {
        edge_map_look_at(map, key, NULL);
    }
}

void edge_maps_refresh(struct edge *edge, const char *backend)
{
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        if (edge_map_is_by_backend(edge->maps[i])) {
            edge_map_refresh(edge->maps[i], backend);
        }
    }
}

/* What is kept though no service asks for it is looked at again. */
static void edge_map_refresh_all(struct edge_map *map)
{
    size_t position = 0;
    const char *key;
    map->doubts = false;
    while ((key = map_next(map->map, &position))) {
        edge_map_refresh(map, key);
    }
}

/* A backend whose service is gone may have no task any more by now, or has a service again. All keys are looked at
 * once, however many such backends there are: in one turn of the loop a second look sees nothing else. */
static void edge_map_review(struct edge_map *map)
{
    bool all = false;
    for (const struct edge_backend *backend = map->edge->first_dirty; map->doubts && !all && backend;
         backend = backend->next_dirty) {
        if (edge_map_is_by_backend(map)) {
            edge_map_refresh(map, backend->name);
        } else if (backend->unclaimed || !edge_find_service(map->edge, backend->name)) {
            edge_map_refresh_all(map);
            all = true;
        }
    }
}

/* Doubts that another complete answer ends are not left until the regular one. */
static void edge_map_ask_for_answer(const struct edge_map *map)
{
    if (map->doubts && !engine_is_confident(map->edge->engine)) {
        feed_seek_confidence(map->edge->engine);
    }
}

void edge_maps_answered(struct edge *edge)
{
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        struct edge_map *map = edge->maps[i];
        if (map->doubts) {
            edge_map_refresh_all(map);
            edge_map_ask_for_answer(map);
        }
        if (map->state == EDGE_MAP_REFUSED) {
            map->tries = 0;
            edge_map_set_error(map, NULL);
            edge_map_read(map);
        }
    }
}

/* A leased backend has an entry under its own name, and the service another under the name that would be its own:
 * should that backend appear one day, its first check asks for the right thing. */
static void edge_map_fill(struct edge_map *map)
{
    size_t count = 0;
    const struct service **list = services_list(map->edge->engine->services, &count);
    map->filled = true;
    for (size_t i = 0; i < count; i++) {
        const struct edge_backend *backend = edge_find_backend_of(map->edge, list[i]);
        edge_map_refresh(map, list[i]->backend);
        if (backend) {
            edge_map_refresh(map, backend->name);
        }
    }
    free(list);
    kept_file_touch(map->file);
}

/* ---- sending ---- */

void edge_map_refuse(struct edge_map *map, enum haproxy_reply verdict, const char *reply, size_t len)
{
    struct edge *edge = map->edge;
    if (verdict == HAPROXY_REPLY_DENIED) {
        haproxy_connection_restart(edge->connection, "permission denied: its socket needs `level admin`");
        return;
    }
    cleanup_buf struct buf shown = BUF_INIT;
    buf_puts(&shown, "HAProxy refused a change: ");
    text_append_safe(&shown, reply, len, 200);
    edge->refusals++;
    log_warning("haproxy", "%s: %s: %s", edge->config->name, map->path, buf_text(&shown));
    edge_map_doubt(map, buf_text(&shown));
}

static void edge_map_command_done(void *arg, int err, const char *reply, size_t len)
{
    struct edge_map *map = ((struct sent *)arg)->map;
    if (!edge_map_take_reply(arg) || err) {
        return;
    }
    enum haproxy_reply verdict = map_reply_judge(reply, len);
    if (verdict != HAPROXY_REPLY_DONE) {
        edge_map_refuse(map, verdict, reply, len);
    } else if (map->state == EDGE_MAP_IN_STEP && map->in_flight == 0) {
        map->tries = 0;
    }
}

/* Sends nothing of a map that HAProxy does not have. */
void edge_map_send_plan(struct edge_map *map, const struct map_plan *plan)
{
    cleanup_buf struct buf line = BUF_INIT;
    for (size_t i = 0; i < plan->count && !map->missing; i++) {
        buf_clear(&line);
        if (map_command_format(map->path, &plan->commands[i], &line)) {
            log_error("haproxy", "%s: a command for %s was not sent: a part of it is not allowed",
                      map->edge->config->name, map->path);
            continue;
        }
        map->edge->commands++;
        edge_map_send(map, buf_text(&line), edge_map_command_done, NULL);
    }
}

/* HAProxy's content is known and Marathon has answered: the two are compared. */
static void edge_map_settle(struct edge_map *map, struct map_plan *plan)
{
    static const struct map_content nothing = {0};
    const struct map_content *content = map->content ? map->content : &nothing;
    if (map->filled) {
        edge_map_refresh_all(map);
    } else {
        edge_map_fill(map);
    }
    for (size_t i = 0; i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        if (!map_get(map->map, entry->key)) {
            edge_map_look_at(map, entry->key, entry->value);
        }
    }
    edge_routes_settle(map);
    map_observe(map->map, content, plan);
    map->state = EDGE_MAP_IN_STEP;
    edge_map_apply(map, plan);
    if (plan->count > 0) {
        kept_file_touch(map->file); /* HAProxy may have begun with a file that is not as we left it */
    }
    map_content_free(map->content);
    map->content = NULL;
    map->tries = plan->count == 0 ? 0 : map->tries;
    edge_map_ask_for_answer(map);
}

/* All maps have been looked at. */
static void edge_note_claimed(struct edge *edge)
{
    for (struct edge_backend *backend = edge->first_dirty; backend; backend = backend->next_dirty) {
        backend->unclaimed = backend->unclaimed && !edge_find_service(edge, backend->name);
    }
}

static void edge_map_run(struct edge_map *map, struct map_plan *plan)
{
    plan->count = 0;
    edge_map_review(map);
    if (map->state == EDGE_MAP_READ) {
        edge_map_settle(map, plan);
    } else if (map->state == EDGE_MAP_IN_STEP && map_differs(map->map)) {
        map_make_plan(map->map, plan);
        edge_map_apply(map, plan);
    }
}

static bool edge_map_is_on_its_way(const struct edge_map *map)
{
    return map->state == EDGE_MAP_READING || map->state == EDGE_MAP_SWAPPING;
}

/* What a route names is there before the route is. */
static bool edge_map_has_to_wait(const struct edge_map *map)
{
    return edge_map_is_of_http(map) && (edge_map_is_on_its_way(map->edge->maps[EDGE_MAP_WHITELIST]) ||
                                        edge_map_is_on_its_way(map->edge->maps[EDGE_MAP_REDIRECT]));
}

bool edge_maps_run(struct edge *edge)
{
    struct map_plan plan = {0};
    bool known = true;
    edge_leases_run(edge);
    edge_accesses_adopt(edge);
    edge_routes_adopt(edge);
    edge_routes_review(edge);
    edge_routes_judge(edge);
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        if (!edge_map_has_to_wait(edge->maps[i])) {
            edge_map_run(edge->maps[i], &plan);
        }
        known = known && !edge_map_is_on_its_way(edge->maps[i]);
    }
    if (edge_accesses_prune(edge)) {
        edge_map_run(edge->maps[EDGE_MAP_WHITELIST], &plan);
        edge_map_run(edge->maps[EDGE_MAP_REDIRECT], &plan);
    }
    edge_note_claimed(edge);
    map_plan_free(&plan);
    return known;
}

bool edge_maps_are_settled(const struct edge *edge)
{
    if (edge->touched_keys.count > 0) {
        return false;
    }
    for (size_t i = 0; i < EDGE_N_MAPS && edge->maps[i]; i++) {
        const struct edge_map *map = edge->maps[i];
        if (map->state != EDGE_MAP_REFUSED && (map->state != EDGE_MAP_IN_STEP || map_differs(map->map))) {
            return false;
        }
    }
    return true;
}
