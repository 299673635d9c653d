/* SPDX-License-Identifier: MIT */
/* Looks at one HAProxy: its socket, what it shows of itself, and the files that it starts with. Changes nothing. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "doctor.h"
#include "slotd/error.h"
#include "slotd/file.h"
#include "slotd/mem.h"

#define LOOK_MAX_FILE (256U << 20)
#define LOOK_MAX_CONFIGURATION (16U << 20)
#define LOOK_TRIES 50 /* slotd begins to write within 5 s, on a slow disk too */
#define LOOK_PAUSE_MS 300
#define LOOK_CLIENTS_MS 100

/* The maps of maps_dir, by their names. */
static const char *const map_names[] = {
    "routes.map",   "paths.map",     "leases.map",    "check-path.map", "check-host.map",
    "redirect.map", "whitelist.map", "tcp-ports.map", "sni.map",        "spoe-hosts.map",
};
#define N_MAPS (sizeof(map_names) / sizeof(map_names[0]))

/* ---- files ---- */

void doctor_file_look(const char *path, size_t max, struct doctor_file *ret_file)
{
    struct doctor_file file = {.path = mem_strdup(path)};
    cleanup_free char *copy = mem_strdup(path);
    doctor_path_look(path, &file.file);
    doctor_path_look(dirname(copy), &file.folder);
    file.read_err = file.file.err ? file.file.err : max > 0 ? file_read(path, max, &file.content) : -ENODATA;
    *ret_file = file;
}

void doctor_file_free(struct doctor_file *file)
{
    free(file->path);
    doctor_path_free(&file->file);
    doctor_path_free(&file->folder);
    buf_free(&file->content);
    *file = (struct doctor_file){0};
}

/* Of the kernel's: its size is not known in advance. */
static bool read_proc(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;
    while (file && (len = fread(buf_reserve(text, 65536), 1, 65536, file)) > 0) {
        buf_commit(text, len);
    }
    bool good = file && !ferror(file);
    if (file) {
        (void)fclose(file);
    }
    return good;
}

/* ---- HAProxy ---- */

static bool answer_begins(const struct buf *answer, const char *with)
{
    return strncmp(buf_text(answer), with, strlen(with)) == 0;
}

/* Who answers `show info`. */
static enum doctor_peer find_peer(const char *socket, const struct buf *answer)
{
    cleanup_buf struct buf processes = BUF_INIT;
    if (answer_begins(answer, "Name: ")) {
        return DOCTOR_PEER_HAPROXY;
    }
    /* The master knows no `show info`, and a worker no `show proc`. */
    if (doctor_call(socket, "show proc", &processes) == 0 && answer_begins(&processes, "#<PID>")) {
        return DOCTOR_PEER_MASTER;
    }
    return DOCTOR_PEER_OTHER;
}

static void look_at_peer(struct doctor_haproxy *haproxy)
{
    const char *socket = haproxy->config->socket;
    cleanup_buf struct buf answer = BUF_INIT;
    int err = doctor_call(socket, "show info", &answer);
    haproxy->connect_err = err;
    if (err == SLOTD_E_TIMEOUT || err == SLOTD_E_CLOSED) {
        haproxy->peer = answer.len > 0 ? DOCTOR_PEER_OTHER : DOCTOR_PEER_SILENT;
    } else if (err == 0) {
        haproxy->peer = find_peer(socket, &answer);
    }
    haproxy->answer = mem_strdup(buf_text(&answer));
    haproxy->knows_info = err == 0 && haproxy_info_parse(buf_text(&answer), answer.len, &haproxy->info, NULL) == 0;
}

/* The fewest of some looks: who only asks something is soon gone. */
static void look_at_clients(struct doctor_haproxy *haproxy)
{
    enum { LOOKS = 3 };
    const struct timespec pause = {.tv_nsec = LOOK_CLIENTS_MS * 1000000L};
    for (int i = 0; i < LOOKS; i++) {
        cleanup_buf struct buf text = BUF_INIT;
        size_t clients = 0;
        if (haproxy->config->socket[0] == '/' && read_proc("/proc/net/unix", &text)) {
            clients = doctor_parse_clients(buf_text(&text), haproxy->config->socket);
        }
        haproxy->clients = i == 0 || clients < haproxy->clients ? clients : haproxy->clients;
        if (haproxy->clients <= 1) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void look_at_level(struct doctor_haproxy *haproxy)
{
    cleanup_buf struct buf answer = BUF_INIT;
    if (doctor_call(haproxy->config->socket, "show cli level", &answer) == 0) {
        haproxy->level = mem_strndup(buf_text(&answer), strcspn(buf_text(&answer), "\n"));
    }
}

static void look_at_servers(struct doctor_haproxy *haproxy)
{
    cleanup_buf struct buf answer = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    haproxy_state_free(haproxy->state);
    haproxy->state = NULL;
    free(haproxy->state_error);
    haproxy->state_error = NULL;
    int err = doctor_call(haproxy->config->socket, "show servers state", &answer);
    err = err ? err : haproxy_state_parse(buf_text(&answer), answer.len, &haproxy->state, &why);
    if (err) {
        haproxy->state_error = mem_strdup(why.len > 0 ? buf_text(&why) : error_text(err));
    }
}

static void look_at_backends(struct doctor_haproxy *haproxy)
{
    cleanup_buf struct buf answer = BUF_INIT;
    if (doctor_call(haproxy->config->socket, "show stat -1 2 -1", &answer) == 0) {
        doctor_parse_backends(buf_text(&answer), &haproxy->backends);
    }
}

/* Only where all files can be read, each under the name that HAProxy has it under. */
static void look_at_configuration(struct doctor_haproxy *haproxy)
{
    static const char key[] = "HAPROXY_CFGFILES=";
    cleanup_buf struct buf answer = BUF_INIT;
    if (doctor_call(haproxy->config->socket, "show env HAPROXY_CFGFILES", &answer) || !answer_begins(&answer, key)) {
        return;
    }
    struct doctor_configuration *configuration = &haproxy->configuration;
    const char *names = buf_text(&answer) + sizeof(key) - 1;
    configuration->files = mem_strndup(names, strcspn(names, "\n"));
    cleanup_free char *copy = mem_strdup(configuration->files);
    char *rest = NULL;
    configuration->known = copy[0] != '\0';
    for (const char *name = strtok_r(copy, ";", &rest); name; name = strtok_r(NULL, ";", &rest)) {
        cleanup_buf struct buf text = BUF_INIT;
        bool is_read = name[0] == '/' && file_read(name, LOOK_MAX_CONFIGURATION, &text) == 0;
        configuration->known = configuration->known && is_read;
        doctor_parse_configuration(buf_text(&text), configuration);
    }
}

/* ---- maps ---- */

static void look_at_map(struct doctor_haproxy *haproxy, struct doctor_map *map)
{
    cleanup_buf struct buf answer = BUF_INIT;
    cleanup_free char *path = mem_strdup(map->file.path);
    doctor_file_free(&map->file);
    map_content_free(map->content);
    map->content = NULL;
    doctor_file_look(path, LOOK_MAX_FILE, &map->file);
    cleanup_free char *command = mem_printf("show map %s", path);
    if (map->known && doctor_call(haproxy->config->socket, command, &answer) == 0) {
        (void)map_content_parse(buf_text(&answer), answer.len, &map->content, NULL);
    }
}

static void look_at_maps(struct doctor_haproxy *haproxy)
{
    const char *folder = haproxy->config->maps_dir;
    size_t len = strlen(folder);
    cleanup_buf struct buf answer = BUF_INIT;
    if (len == 0 || doctor_call(haproxy->config->socket, "show map", &answer)) {
        return;
    }
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    doctor_parse_maps(buf_text(&answer), &haproxy->known_maps);
    haproxy->maps = mem_alloc_array(N_MAPS, sizeof(*haproxy->maps));
    haproxy->n_maps = N_MAPS;
    for (size_t i = 0; i < N_MAPS; i++) {
        struct doctor_map *map = &haproxy->maps[i];
        map->name = map_names[i];
        map->file.path = mem_printf("%.*s/%s", (int)len, folder, map->name);
        for (size_t k = 0; k < haproxy->known_maps.count; k++) {
            map->known = map->known || strcmp(haproxy->known_maps.items[k].name, map->file.path) == 0;
        }
        look_at_map(haproxy, map);
    }
}

static void look_at_state_file(struct doctor_haproxy *haproxy)
{
    struct timespec now;
    doctor_file_free(&haproxy->state_file);
    doctor_file_look(haproxy->config->state_file, LOOK_MAX_FILE, &haproxy->state_file);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    haproxy->now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- files that slotd is about to write ---- */

/* Returns whether it may yet come into step. */
static bool ask_about(struct doctor_wait *wait, struct json_object *status, const char *path)
{
    const struct doctor_writing writing = doctor_find_writing(status, path);
    return !doctor_wait_is_over(wait, &writing);
}

/* Looks again at what differs and may be about to be written. Returns whether that was anything. */
static bool look_once_more(struct doctor_haproxy *haproxy, doctor_ask *ask, void *arg)
{
    struct json_object *status = NULL;
    bool some = haproxy->state_wait.pending;
    if (haproxy->state_wait.pending) {
        look_at_servers(haproxy);
        look_at_state_file(haproxy);
    }
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        if (haproxy->maps[i].wait.pending) {
            look_at_map(haproxy, &haproxy->maps[i]);
            some = true;
        }
    }
    status = some ? ask(arg) : NULL;
    haproxy->state_wait.pending = haproxy->state_wait.pending && doctor_state_is_out_of_step(haproxy) &&
                                  ask_about(&haproxy->state_wait, status, haproxy->state_file.path);
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        struct doctor_map *map = &haproxy->maps[i];
        map->wait.pending =
            map->wait.pending && doctor_map_is_out_of_step(map) && ask_about(&map->wait, status, map->file.path);
    }
    json_object_put(status);
    return some;
}

/* What another hand has changed is known within a second; a file on a slow disk is awaited. */
static void look_patiently(struct doctor_haproxy *haproxy, doctor_ask *ask, void *arg)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE_MS * 1000000L};
    haproxy->state_wait.pending = doctor_state_is_out_of_step(haproxy);
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        haproxy->maps[i].wait.pending = doctor_map_is_out_of_step(&haproxy->maps[i]);
    }
    for (int i = 0; i < LOOK_TRIES && look_once_more(haproxy, ask, arg); i++) {
        (void)nanosleep(&pause, NULL);
    }
}

void doctor_look_at(const struct config_haproxy *config, doctor_ask *ask, void *arg, struct doctor_haproxy *ret_haproxy)
{
    struct doctor_haproxy haproxy = {.config = config};
    if (config->socket[0] == '/') {
        doctor_path_look(config->socket, &haproxy.socket);
    }
    haproxy.state_file.read_err = -ENODATA;
    look_at_peer(&haproxy);
    if (haproxy.peer == DOCTOR_PEER_HAPROXY) {
        look_at_clients(&haproxy);
        look_at_level(&haproxy);
        look_at_servers(&haproxy);
        look_at_backends(&haproxy);
        look_at_configuration(&haproxy);
        look_at_maps(&haproxy);
    }
    if (config->state_file[0]) {
        look_at_state_file(&haproxy);
    }
    if (ask) {
        look_patiently(&haproxy, ask, arg);
    }
    *ret_haproxy = haproxy;
}

void doctor_haproxy_free(struct doctor_haproxy *haproxy)
{
    doctor_path_free(&haproxy->socket);
    free(haproxy->answer);
    free(haproxy->level);
    free(haproxy->state_error);
    haproxy_state_free(haproxy->state);
    for (size_t i = 0; i < haproxy->backends.count; i++) {
        free(haproxy->backends.items[i].name);
        free(haproxy->backends.items[i].mode);
        free(haproxy->backends.items[i].balance);
    }
    free(haproxy->backends.items);
    for (size_t i = 0; i < haproxy->known_maps.count; i++) {
        free(haproxy->known_maps.items[i].name);
        free(haproxy->known_maps.items[i].place);
    }
    free(haproxy->known_maps.items);
    free(haproxy->configuration.files);
    free(haproxy->configuration.state_file);
    doctor_file_free(&haproxy->state_file);
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        doctor_file_free(&haproxy->maps[i].file);
        map_content_free(haproxy->maps[i].content);
    }
    free(haproxy->maps);
    *haproxy = (struct doctor_haproxy){0};
}
