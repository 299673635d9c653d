/* SPDX-License-Identifier: MIT */
/* What is to be said of HAProxy's socket and process, of secrets, and of what slotd says itself. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- rights ---- */

bool doctor_user_may(const struct doctor_user *user, const struct doctor_path *path, int want)
{
    if (!user->known || user->uid == 0 || path->err || path->has_acl) {
        return true;
    }
    unsigned shift = user->uid == path->uid ? 6 : 0;
    for (size_t i = 0; shift == 0 && i < user->n_groups; i++) {
        shift = user->groups[i] == path->gid ? 3 : 0;
    }
    return (((unsigned)path->mode >> shift) & 7U & (unsigned)want) == (unsigned)want;
}

/* ---- the socket ---- */

/* The line of haproxy.cfg that would be right. */
static char *stats_line(const struct doctor_haproxy *haproxy)
{
    const char *socket = haproxy->config->socket;
    return socket[0] == '/'
               ? mem_printf("haproxy.cfg, global: stats socket %s user root group haproxy mode 660 level "
                            "admin expose-fd listeners",
                            socket)
               : mem_printf("haproxy.cfg, global: stats socket %s level admin expose-fd listeners", socket);
}

static void report_connection(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    const char *socket = haproxy->config->socket;
    const struct doctor_path *path = &haproxy->socket;
    cleanup_free char *line = stats_line(haproxy);
    if (socket[0] == '/' && path->err == -ENOENT) {
        doctor_report(findings, DOCTOR_ERROR, "socket-missing", socket,
                      "there is no such socket: HAProxy does not run, or its configuration names another one");
        doctor_remedy(findings, "%s", line);
    } else if (socket[0] == '/' && !path->err && !S_ISSOCK(path->mode)) {
        doctor_report(findings, DOCTOR_ERROR, "socket-no-socket", socket, "it is no socket, but a %s",
                      S_ISDIR(path->mode) ? "folder" : "file");
        doctor_remedy(findings, "slotd.conf: haproxy.socket is the path of a `stats socket` in haproxy.cfg");
    } else if (haproxy->connect_err == -EACCES && !path->err) {
        doctor_report(findings, DOCTOR_ERROR, "socket-permission", socket,
                      "this user may not connect: it belongs to %s, group %s, mode %03o", path->owner, path->group,
                      (unsigned)path->mode & 0777U);
        doctor_remedy(findings, "usermod -aG %s USER", path->group);
    } else if (haproxy->connect_err == -ECONNREFUSED) {
        doctor_report(findings, DOCTOR_ERROR, "socket-refused", socket,
                      "nobody listens: HAProxy does not run, or has another socket by now");
        doctor_remedy(findings, "systemctl start haproxy");
    } else {
        doctor_report(findings, DOCTOR_ERROR, "socket-unreachable", socket, "it cannot be connected to: %s",
                      error_text(haproxy->connect_err));
        doctor_remedy(findings, "%s", line);
    }
}

static void judge_rights(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                         struct doctor_findings *findings)
{
    const struct doctor_path *path = &haproxy->socket;
    if (!doctor_user_may(user, path, W_OK)) {
        bool grouped = (path->mode & S_IWGRP) != 0 && path->gid != 0;
        doctor_report(findings, DOCTOR_ERROR, "socket-permission-slotd", haproxy->config->socket,
                      "slotd's user %s may not connect: it belongs to %s, group %s, mode %03o", user->name, path->owner,
                      path->group, (unsigned)path->mode & 0777U);
        if (grouped) {
            doctor_remedy(findings, "usermod -aG %s %s && systemctl restart slotd", path->group, user->name);
        } else {
            cleanup_free char *line = stats_line(haproxy);
            doctor_remedy(findings, "%s", line);
        }
    }
    if (path->mode & S_IWOTH) {
        doctor_report(findings, DOCTOR_WARNING, "socket-open", haproxy->config->socket,
                      "everybody on this machine may change HAProxy: mode %03o", (unsigned)path->mode & 0777U);
        doctor_remedy(findings, "chmod o-rwx %s, and `mode 660` in its line of haproxy.cfg", haproxy->config->socket);
    }
}

static bool judge_level(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    if (!haproxy->level || strcmp(haproxy->level, "admin") == 0) {
        return true;
    }
    cleanup_free char *line = stats_line(haproxy);
    doctor_report(findings, DOCTOR_ERROR, "socket-level", haproxy->config->socket,
                  "its level is %s: HAProxy shows things there and takes no change", haproxy->level);
    doctor_remedy(findings, "%s", line);
    return false;
}

static void judge_peer(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    const char *socket = haproxy->config->socket;
    if (haproxy->peer == DOCTOR_PEER_SILENT) {
        doctor_report(findings, DOCTOR_ERROR, "socket-silent", socket,
                      "HAProxy took the connection and did not answer (%s): it is frozen, or its ten connections of "
                      "`stats maxconn` are taken",
                      error_text(haproxy->connect_err));
        doctor_remedy(findings, "haproxy.cfg, global: stats maxconn 20");
    } else if (haproxy->peer == DOCTOR_PEER_MASTER) {
        doctor_report(findings, DOCTOR_ERROR, "socket-master", socket,
                      "it is the command line of HAProxy's master process (-S), which has no servers");
        doctor_remedy(findings, "slotd.conf: haproxy.socket is the path of a `stats socket` in haproxy.cfg");
    } else {
        cleanup_buf struct buf shown = BUF_INIT;
        text_append_safe(&shown, haproxy->answer, strlen(haproxy->answer), 80);
        doctor_report(findings, DOCTOR_ERROR, "socket-stranger", socket, "what answers there is not HAProxy: %s",
                      buf_text(&shown));
        doctor_remedy(findings, "slotd.conf: haproxy.socket is the path of a `stats socket` in haproxy.cfg");
    }
}

bool doctor_judge_socket(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                         struct doctor_findings *findings)
{
    size_t first = findings->count;
    if (haproxy->config->socket[0] == '/' && S_ISSOCK(haproxy->socket.mode)) {
        judge_rights(haproxy, user, findings);
    }
    if (haproxy->peer == DOCTOR_PEER_NONE) {
        report_connection(haproxy, findings);
        return false;
    }
    if (haproxy->peer != DOCTOR_PEER_HAPROXY) {
        judge_peer(haproxy, findings);
        return false;
    }
    if (haproxy->clients > 1) {
        doctor_report(
            findings, DOCTOR_HINT, "socket-shared", haproxy->config->socket,
            "%zu programs stay connected to it, and slotd needs one connection: a second slotd would undo what "
            "the first does",
            haproxy->clients);
        doctor_remedy(findings, "pgrep -a slotd");
    }
    bool is_admin = judge_level(haproxy, findings);
    if (doctor_is_fine_since(findings, first)) {
        doctor_report(findings, DOCTOR_OK, "socket", haproxy->config->socket, "HAProxy answers, and takes changes");
    }
    return is_admin;
}

/* ---- the process ---- */

static void judge_version(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    const struct haproxy_version *version = &haproxy->info.version;
    int number = version->major * 1000 + version->minor;
    if (number < 2004) {
        doctor_report(findings, DOCTOR_ERROR, "version-old", haproxy->config->name,
                      "HAProxy %s is older than 2.4, the oldest that slotd knows", version->text);
        doctor_remedy(findings, "apt-get install haproxy, from a newer release or https://haproxy.debian.net");
    } else if (number > 3004) {
        doctor_report(findings, DOCTOR_HINT, "version-new", haproxy->config->name,
                      "HAProxy %s is newer than 3.4, the newest that slotd was tested with", version->text);
    }
}

/* A check takes a descriptor for itself, a connection takes two. */
static void judge_descriptors(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    const struct haproxy_info *info = &haproxy->info;
    long checked = 0;
    for (size_t i = 0; haproxy->state && i < haproxy->state->count; i++) {
        checked += haproxy->state->servers[i].observed.checked;
    }
    if (info->max_files <= 0 || checked == 0 || checked * 2 < info->max_files) {
        return;
    }
    doctor_report(
        findings, DOCTOR_WARNING, "descriptors", haproxy->config->name,
        "%ld servers have a health check, each with a file descriptor of its own, out of %ld that HAProxy may "
        "open: %ld connections are left (maxconn)",
        checked, info->max_files, info->max_connections);
    doctor_remedy(findings, "systemctl edit haproxy: [Service] LimitNOFILE=%ld; then systemctl restart haproxy",
                  checked + 100000);
}

void doctor_judge_process(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    size_t first = findings->count;
    if (!haproxy->knows_info) {
        doctor_report(findings, DOCTOR_ERROR, "version-unknown", haproxy->config->name,
                      "HAProxy does not tell its version: `show info` is not understood");
        return;
    }
    judge_version(haproxy, findings);
    if (haproxy->info.stopping) {
        doctor_report(findings, DOCTOR_WARNING, "process-stopping", haproxy->config->name,
                      "process %ld is stopping, and still has the socket: what it is told is lost", haproxy->info.pid);
        doctor_remedy(findings, "systemctl status haproxy");
    }
    judge_descriptors(haproxy, findings);
    if (doctor_is_fine_since(findings, first)) {
        struct haproxy_capabilities can = haproxy_capabilities_of(&haproxy->info.version);
        doctor_report(findings, DOCTOR_OK, "process", haproxy->config->name,
                      "HAProxy %s, process %ld; at run time it can have %s servers and %s backends",
                      haproxy->info.version.text, haproxy->info.pid, can.add_server ? "more" : "no more",
                      can.add_backend ? "more" : "no more");
    }
}

/* ---- secrets ---- */

void doctor_judge_secret(const char *key, const struct doctor_file *file, const struct doctor_user *user,
                         struct doctor_findings *findings)
{
    if (file->file.err) {
        doctor_report(findings, DOCTOR_ERROR, "secret-missing", file->path, "%s cannot be read: %s", key,
                      error_text(file->file.err));
        doctor_remedy(findings, "install -m 640 -o root -g slotd /dev/stdin %s", file->path);
        return;
    }
    if (!S_ISREG(file->file.mode)) {
        doctor_report(findings, DOCTOR_ERROR, "secret-no-file", file->path, "%s is no regular file", key);
        return;
    }
    if (file->file.mode & S_IROTH) {
        doctor_report(findings, DOCTOR_WARNING, "secret-open", file->path,
                      "everybody on this machine may read it (%s): mode %03o", key, (unsigned)file->file.mode & 0777U);
        doctor_remedy(findings, "chmod o-rwx %s", file->path);
    }
    if (!doctor_user_may(user, &file->file, R_OK)) {
        doctor_report(findings, DOCTOR_ERROR, "secret-permission", file->path,
                      "slotd's user %s may not read it (%s): it belongs to %s, group %s, mode %03o", user->name, key,
                      file->file.owner, file->file.group, (unsigned)file->file.mode & 0777U);
        doctor_remedy(findings, "chgrp slotd %s && chmod 640 %s", file->path, file->path);
    }
}

/* ---- files that HAProxy starts with ---- */

void doctor_judge_file(const struct doctor_file *file, const struct doctor_user *user, struct doctor_findings *findings)
{
    if (file->folder.err) {
        doctor_report(findings, DOCTOR_ERROR, "folder-missing", file->path, "its folder cannot be looked at: %s",
                      error_text(file->folder.err));
        doctor_remedy(findings, "install -d -o slotd $(dirname %s)", file->path);
    } else if (!doctor_user_may(user, &file->folder, W_OK | X_OK)) {
        doctor_report(findings, DOCTOR_ERROR, "folder-permission", file->path,
                      "slotd's user %s may not write into its folder, which belongs to %s, group %s, mode %03o",
                      user->name, file->folder.owner, file->folder.group, (unsigned)file->folder.mode & 0777U);
        doctor_remedy(findings, "chown %s $(dirname %s)", user->name, file->path);
    }
    if (!file->file.err && !S_ISREG(file->file.mode)) {
        doctor_report(findings, DOCTOR_ERROR, "file-no-file", file->path, "it is no regular file");
    }
}

/* ---- what slotd says ---- */

static void report_list(struct json_object *status, const char *key, enum doctor_severity severity, const char *code,
                        struct doctor_findings *findings)
{
    struct json_object *list = NULL;
    json_object_object_get_ex(status, key, &list);
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        doctor_report(findings, severity, code, "slotd", "%s",
                      json_object_get_string(json_object_array_get_idx(list, i)));
        doctor_remedy(findings, "slotctl status");
    }
}

static const char *member_text(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    const char *text = json_object_get_string(value);
    return text ? text : "";
}

static bool status_has(struct json_object *status, const struct config_haproxy *config)
{
    struct json_object *list = NULL;
    json_object_object_get_ex(status, "haproxy", &list);
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *haproxy = json_object_array_get_idx(list, i);
        if (strcmp(member_text(haproxy, "name"), config->name) == 0 &&
            strcmp(member_text(haproxy, "socket"), config->socket) == 0) {
            return true;
        }
    }
    return false;
}

void doctor_judge_status(const struct config *config, struct json_object *status, struct doctor_findings *findings)
{
    size_t first = findings->count;
    report_list(status, "reasons", DOCTOR_ERROR, "slotd-degraded", findings);
    report_list(status, "warnings", DOCTOR_WARNING, "slotd-warning", findings);
    for (size_t i = 0; i < config->n_haproxy; i++) {
        if (!status_has(status, &config->haproxy[i])) {
            doctor_report(findings, DOCTOR_WARNING, "slotd-other-configuration", "slotd",
                          "it runs with another configuration: it has no HAProxy %s at %s", config->haproxy[i].name,
                          config->haproxy[i].socket);
            doctor_remedy(findings, "systemctl reload slotd");
        }
    }
    if (doctor_is_fine_since(findings, first)) {
        doctor_report(findings, DOCTOR_OK, "slotd", "slotd", "it runs, and is in sync with Marathon and HAProxy");
    }
}

/* ---- what slotd says of its files ---- */

static bool member_holds(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

/* Of an object that has NAME, the path, with NAME_error, NAME_changes and NAME_saved. */
static bool read_writing(struct json_object *object, const char *name, const char *path,
                         struct doctor_writing *ret_writing)
{
    cleanup_free char *error = mem_printf("%s_error", name);
    cleanup_free char *changes = mem_printf("%s_changes", name);
    cleanup_free char *saved = mem_printf("%s_saved", name);
    struct json_object *count = NULL;
    if (strcmp(member_text(object, name), path) != 0 || !json_object_object_get_ex(object, changes, &count)) {
        return false;
    }
    *ret_writing = (struct doctor_writing){.known = true,
                                           .failed = member_text(object, error)[0] != '\0',
                                           .saved = member_holds(object, saved),
                                           .changes = json_object_get_int64(count)};
    return true;
}

struct doctor_writing doctor_find_writing(struct json_object *status, const char *path)
{
    struct doctor_writing writing = {0};
    struct json_object *list = NULL;
    bool found = false;
    json_object_object_get_ex(status, "haproxy", &list);
    for (size_t i = 0; list && !found && i < json_object_array_length(list); i++) {
        struct json_object *haproxy = json_object_array_get_idx(list, i);
        struct json_object *maps = NULL;
        json_object_object_get_ex(haproxy, "maps", &maps);
        found = read_writing(haproxy, "state_file", path, &writing);
        for (size_t k = 0; maps && !found && k < json_object_array_length(maps); k++) {
            found = read_writing(json_object_array_get_idx(maps, k), "file", path, &writing);
        }
    }
    return writing;
}

/* HAProxy may have done what slotd has not heard of yet: one answer more than it takes to see that nothing changed. */
bool doctor_wait_is_over(struct doctor_wait *wait, const struct doctor_writing *writing)
{
    enum { STEADY_ANSWERS = 2 };
    bool steady = wait->last.known && wait->last.saved && writing->saved && wait->last.changes == writing->changes;
    wait->steady = steady ? wait->steady + 1 : 0;
    wait->last = *writing;
    return !writing->known || writing->failed || wait->steady >= STEADY_ANSWERS;
}
