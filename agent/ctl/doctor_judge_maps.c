/* SPDX-License-Identifier: MIT */
/* What is to be said of the maps: whether HAProxy has them, and whether their files say what it has. */
#include <errno.h>
#include <string.h>

#include "doctor.h"
#include "slotd/access.h"
#include "slotd/mem.h"
#include "slotd/table.h"
#include "slotd/text.h"

/* Keys that one of them lacks, or has with another value. The first entry of a key counts. */
static size_t count_lacking(const struct map_content *from, const struct map_content *in)
{
    struct table values;
    struct table seen;
    size_t lacking = 0;
    table_init(&values, 0);
    table_init(&seen, 0);
    for (size_t i = 0; i < in->count; i++) {
        if (!table_get(&values, in->entries[i].key)) {
            table_put(&values, in->entries[i].key, (void *)(uintptr_t)in->entries[i].value);
        }
    }
    for (size_t i = 0; i < from->count; i++) {
        const struct map_entry *entry = &from->entries[i];
        if (!table_get(&seen, entry->key)) {
            table_put(&seen, entry->key, (void *)(uintptr_t)entry);
            lacking += !text_equal(table_get(&values, entry->key), entry->value);
        }
    }
    table_free(&values);
    table_free(&seen);
    return lacking;
}

/* How slotd notes a backend that it made at run time: for this process of HAProxy, and in no file. */
static size_t count_of_this_process(const struct map_content *file, const struct map_content *content)
{
    struct table keys;
    size_t count = 0;
    table_init(&keys, 0);
    for (size_t i = 0; i < file->count; i++) {
        table_put(&keys, file->entries[i].key, (void *)(uintptr_t)file);
    }
    for (size_t i = 0; i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        if (!table_get(&keys, entry->key)) {
            table_put(&keys, entry->key, (void *)(uintptr_t)content);
            count += text_equal(entry->key, entry->value);
        }
    }
    table_free(&keys);
    return count;
}

size_t doctor_count_map_differences(const struct map_content *file, const struct map_content *content)
{
    size_t here = count_lacking(file, content);
    size_t there = count_lacking(content, file) - count_of_this_process(file, content);
    return here > there ? here : there;
}

static const struct map_entry *find_double(const struct map_content *content, size_t *ret_count)
{
    struct table seen;
    const struct map_entry *found = NULL;
    table_init(&seen, 0);
    *ret_count = 0;
    for (size_t i = 0; i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        if (table_put(&seen, entry->key, (void *)(uintptr_t)entry)) {
            found = found ? found : entry;
            (*ret_count)++;
        }
    }
    table_free(&seen);
    return found;
}

/* As a command line for HAProxy's socket that can be pasted. */
static void remedy_command(struct doctor_findings *findings, const struct doctor_haproxy *haproxy, const char *command)
{
    const char *socket = haproxy->config->socket;
    doctor_remedy(findings, "echo '%s' | socat stdio %s%s", command,
                  socket[0] == '/' ? "UNIX-CONNECT:" : "TCP:", socket);
}

static void judge_doubles(const struct doctor_haproxy *haproxy, const struct doctor_map *map,
                          struct doctor_findings *findings)
{
    size_t count = 0;
    const struct map_entry *entry = find_double(map->content, &count);
    if (entry) {
        cleanup_free char *command = mem_printf("del map %s #%s", map->file.path, entry->reference);
        cleanup_buf struct buf key = BUF_INIT;
        text_append_safe(&key, entry->key, strlen(entry->key), 100);
        doctor_report(findings, DOCTOR_WARNING, "map-doubles", map->file.path,
                      "%zu %s a key that stands there before, such as %s: HAProxy goes by the first", count,
                      text_plural(count, "entry has", "entries have"), buf_text(&key));
        remedy_command(findings, haproxy, command);
    }
}

/* Whether the table of backends has all that the value leads to. */
static bool leads_somewhere(const struct table *names, const char *value)
{
    bool found = true;
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        size_t len = 0;
        const char *name = access_value_backend(value, (enum access_point)i, &len);
        found = found && (!name || table_get_n(names, name, len));
    }
    return found;
}

/* Of maps whose values are backends. */
static void judge_backends_of(const struct doctor_haproxy *haproxy, const struct doctor_map *map,
                              struct doctor_findings *findings)
{
    bool is_route = strcmp(map->name, "routes.map") == 0 || strcmp(map->name, "paths.map") == 0 ||
                    strcmp(map->name, "tcp-ports.map") == 0 || strcmp(map->name, "sni.map") == 0;
    struct table names;
    size_t count = 0;
    const struct map_entry *first = NULL;
    table_init(&names, 0);
    for (size_t i = 0; i < haproxy->backends.count; i++) {
        table_put(&names, haproxy->backends.items[i].name, &haproxy->backends.items[i]);
    }
    for (size_t i = 0; is_route && haproxy->backends.count > 0 && i < map->content->count; i++) {
        const struct map_entry *entry = &map->content->entries[i];
        if (!leads_somewhere(&names, entry->value)) {
            first = first ? first : entry;
            count++;
        }
    }
    table_free(&names);
    if (first) {
        cleanup_buf struct buf shown = BUF_INIT;
        text_append_safe(&shown, first->key, strlen(first->key), 100);
        buf_puts(&shown, " to ");
        text_append_safe(&shown, first->value, strlen(first->value), 100);
        doctor_report(findings, DOCTOR_WARNING, "route-to-nowhere", map->file.path,
                      "%zu %s that HAProxy does not have, such as %s", count,
                      text_plural(count, "route leads to a backend", "routes lead to backends"), buf_text(&shown));
        doctor_remedy(findings, "slotctl routes");
    }
}

static struct map_content *parse_file(const struct doctor_map *map)
{
    return map->file.read_err ? NULL : doctor_parse_map_file(buf_text(&map->file.content));
}

static void judge_step(const struct doctor_map *map, const struct doctor_user *user, struct doctor_findings *findings)
{
    struct map_content *file = parse_file(map);
    size_t differences = file ? doctor_count_map_differences(file, map->content) : 0;
    map_content_free(file);
    if (differences > 0 && map->wait.pending) {
        doctor_report(findings, DOCTOR_HINT, "map-being-written", map->file.path,
                      "slotd is about to write it: file and HAProxy differ in %zu %s so far", differences,
                      text_plural(differences, "key", "keys"));
        doctor_remedy(findings, "slotctl doctor, again; where it stays so, the disk is too slow");
    } else if (differences > 0) {
        doctor_report(findings, DOCTOR_WARNING, "map-out-of-step", map->file.path, "file and HAProxy differ in %zu %s",
                      differences,
                      text_plural(differences, "key: a restart of HAProxy would change it",
                                  "keys: a restart of HAProxy would change them"));
        doctor_remedy(findings, user->runs ? "slotctl status says why slotd cannot write it" : "systemctl start slotd");
    }
}

static void judge_known_map(const struct doctor_haproxy *haproxy, const struct doctor_map *map,
                            const struct doctor_user *user, struct doctor_findings *findings)
{
    size_t first = findings->count;
    doctor_judge_file(&map->file, user, findings);
    if (map->file.file.err == -ENOENT) {
        doctor_report(findings, DOCTOR_ERROR, "map-missing", map->file.path,
                      "HAProxy's configuration names it and the file is not there: HAProxy would not start again");
        doctor_remedy(findings, "slotctl render --init >/dev/null");
    }
    if (!map->content) {
        return;
    }
    judge_doubles(haproxy, map, findings);
    judge_backends_of(haproxy, map, findings);
    judge_step(map, user, findings);
    if (doctor_is_fine_since(findings, first)) {
        doctor_report(findings, DOCTOR_OK, "map", map->file.path, "%zu %s", map->content->count,
                      text_plural(map->content->count, "entry", "entries"));
    }
}

/* The map that HAProxy has under another path, or NULL. */
static const struct doctor_known_map *find_elsewhere(const struct doctor_haproxy *haproxy, const struct doctor_map *map)
{
    for (size_t i = 0; i < haproxy->known_maps.count; i++) {
        const struct doctor_known_map *known = &haproxy->known_maps.items[i];
        if (strcmp(doctor_base_name(known->name), map->name) == 0 && strcmp(known->name, map->file.path) != 0) {
            return known;
        }
    }
    return NULL;
}

static bool knows_map(const struct doctor_haproxy *haproxy, const char *name)
{
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        if (strcmp(haproxy->maps[i].name, name) == 0) {
            return haproxy->maps[i].known;
        }
    }
    return false;
}

static void judge_elsewhere(const struct doctor_map *map, const struct doctor_known_map *known,
                            struct doctor_findings *findings)
{
    size_t len = (size_t)(doctor_base_name(known->name) - known->name);
    doctor_report(findings, DOCTOR_ERROR, "map-elsewhere", map->file.path,
                  "HAProxy reads %s%s%s: what slotd keeps here never gets there", known->name,
                  known->place[0] ? ", named in " : "", known->place);
    if (len > 1 && known->name[0] == '/') {
        doctor_remedy(findings, "slotd.conf, haproxy: maps_dir = \"%.*s\"; or, in haproxy.cfg, the path %s",
                      (int)len - 1, known->name, map->file.path);
    } else {
        doctor_remedy(findings, "haproxy.cfg: the whole path, %s", map->file.path);
    }
}

/* What HAProxy's configuration does not mention has no effect; not every one has to have one. */
static void judge_absent(const struct doctor_haproxy *haproxy, bool has_checks, struct doctor_findings *findings)
{
    bool by_path = knows_map(haproxy, "check-path.map");
    bool by_host = knows_map(haproxy, "check-host.map");
    if (!knows_map(haproxy, "routes.map")) {
        doctor_report(findings, DOCTOR_HINT, "routes-unknown", haproxy->config->maps_dir,
                      "HAProxy's configuration does not mention routes.map there: rules of apps lead nowhere but where "
                      "it says so by hand");
        doctor_remedy(findings, "haproxy-cfg/routes.cfg, or slotctl render, has the frontend's lines");
    } else if (!knows_map(haproxy, "paths.map")) {
        doctor_report(findings, DOCTOR_WARNING, "paths-unknown", haproxy->config->maps_dir,
                      "HAProxy's configuration mentions routes.map and not paths.map: rules with an exact path lead "
                      "nowhere");
        doctor_remedy(findings,
                      "haproxy.cfg, frontend: http-request set-var(txn.backend) "
                      "var(txn.key),map_str(%s/paths.map)",
                      haproxy->config->maps_dir);
    } else if (!knows_map(haproxy, "whitelist.map") || !knows_map(haproxy, "redirect.map")) {
        doctor_report(findings, DOCTOR_HINT, "access-unknown", haproxy->config->maps_dir,
                      "HAProxy's configuration does not mention whitelist.map and redirect.map: routes of apps with a "
                      "whitelist, a redirect or one entry point alone answer 503");
        doctor_remedy(findings, "haproxy-cfg/routes.cfg, or slotctl render, has the frontend's lines");
    }
    if (has_checks && !by_path && !by_host) {
        doctor_report(findings, DOCTOR_HINT, "checks-unknown", haproxy->config->maps_dir,
                      "HAProxy's configuration does not mention check-path.map and check-host.map there: labels do not "
                      "say what its health checks ask for");
        doctor_remedy(findings, "haproxy-cfg/checked.cfg has the backend's lines");
    } else if (!has_checks && (by_path || by_host)) {
        doctor_report(findings, DOCTOR_HINT, "checks-unused", haproxy->config->maps_dir,
                      "HAProxy's configuration mentions maps for health checks, and no slot has one");
        doctor_remedy(findings, "haproxy.cfg: default-server init-addr last,0.0.0.0 check inter 2s");
    }
}

static bool has_checked_slot(const struct doctor_haproxy *haproxy)
{
    for (size_t i = 0; haproxy->state && i < haproxy->state->count; i++) {
        const struct haproxy_server *server = &haproxy->state->servers[i];
        if (server->observed.checked && doctor_server_kind(haproxy->state, server) == DOCTOR_SERVER_SLOT) {
            return true;
        }
    }
    return false;
}

void doctor_judge_maps(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                       struct doctor_findings *findings)
{
    size_t first = findings->count;
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        const struct doctor_map *map = &haproxy->maps[i];
        const struct doctor_known_map *elsewhere = map->known ? NULL : find_elsewhere(haproxy, map);
        if (map->known) {
            judge_known_map(haproxy, map, user, findings);
        } else if (elsewhere) {
            judge_elsewhere(map, elsewhere, findings);
        }
    }
    if (haproxy->n_maps > 0 && doctor_is_fine_since(findings, first)) {
        judge_absent(haproxy, has_checked_slot(haproxy), findings);
    }
}

bool doctor_map_is_out_of_step(const struct doctor_map *map)
{
    struct map_content *file = map->content ? parse_file(map) : NULL;
    bool differs = file && doctor_count_map_differences(file, map->content) > 0;
    map_content_free(file);
    return differs;
}
