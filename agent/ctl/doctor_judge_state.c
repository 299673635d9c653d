/* SPDX-License-Identifier: MIT */
/* What is to be said of the server-state file, which HAProxy starts with and slotd writes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "doctor.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- the server-state file ---- */

static const struct haproxy_server *find_server(const struct haproxy_state *state, const struct haproxy_server *like)
{
    size_t low = 0;
    size_t high = state->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(state->servers[middle].backend, like->backend) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low; i < state->count && strcmp(state->servers[i].backend, like->backend) == 0; i++) {
        if (strcmp(state->servers[i].name, like->name) == 0) {
            return &state->servers[i];
        }
    }
    return NULL;
}

/* What decides where traffic goes after a restart. Health comes and goes by itself. */
static bool is_same_slot(const struct slot_observed *a, const struct slot_observed *b)
{
    bool free_a = (a->admin & SLOT_ADMIN_MAINT) != 0;
    bool free_b = (b->admin & SLOT_ADMIN_MAINT) != 0;
    return (free_a && free_b) ||
           (free_a == free_b && a->port == b->port && a->weight == b->weight && strcmp(a->address, b->address) == 0);
}

size_t doctor_count_state_differences(const struct doctor_haproxy *haproxy, const struct haproxy_state *kept)
{
    size_t differences = 0;
    for (size_t i = 0; i < haproxy->state->count; i++) {
        const struct haproxy_server *server = &haproxy->state->servers[i];
        if (doctor_server_kind(haproxy->state, server) != DOCTOR_SERVER_SLOT) {
            continue;
        }
        const struct haproxy_server *row = find_server(kept, server);
        bool is_free = (server->observed.admin & SLOT_ADMIN_MAINT) != 0;
        differences += row ? !is_same_slot(&server->observed, &row->observed) : !is_free;
    }
    return differences;
}

/* Whether it has servers that HAProxy does not have, and nothing about those that it has. */
static bool is_foreign(const struct doctor_haproxy *haproxy, const struct haproxy_state *kept)
{
    size_t strangers = 0;
    for (size_t i = 0; i < kept->count; i++) {
        strangers += !find_server(haproxy->state, &kept->servers[i]);
    }
    for (size_t i = 0; strangers > 0 && i < haproxy->state->count; i++) {
        const struct haproxy_server *server = &haproxy->state->servers[i];
        if (doctor_server_kind(haproxy->state, server) == DOCTOR_SERVER_SLOT && find_server(kept, server)) {
            return false;
        }
    }
    return strangers > 0;
}

static void judge_configuration(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    const struct doctor_configuration *configuration = &haproxy->configuration;
    const char *path = haproxy->config->state_file;
    const char *named = configuration->state_file ? configuration->state_file : path;
    /* A relative path, or one with a variable, is HAProxy's to resolve. */
    if (!configuration->known || named[0] != '/' || strchr(named, '$')) {
        return;
    }
    if (!configuration->state_file || strcmp(configuration->state_file, path) != 0) {
        doctor_report(findings, DOCTOR_WARNING, "state-file-not-read", path,
                      "HAProxy's configuration (%s) has %s%s: it starts without what slotd keeps there",
                      configuration->files, configuration->state_file ? "server-state-file " : "no server-state-file",
                      configuration->state_file ? configuration->state_file : "");
        doctor_remedy(findings, "haproxy.cfg, global: server-state-file %s", path);
    } else if (!configuration->loads) {
        doctor_report(findings, DOCTOR_WARNING, "state-file-not-loaded", path,
                      "HAProxy's configuration (%s) names the file, and no backend reads it", configuration->files);
        doctor_remedy(findings, "haproxy.cfg, defaults: load-server-state-from-file global");
    }
}

static bool is_older_than_start(const struct doctor_haproxy *haproxy)
{
    int64_t started_ms = haproxy->now_ms - ((int64_t)haproxy->info.uptime_s + 1) * 1000;
    return haproxy->state_file.file.changed_ms < started_ms;
}

static void judge_state_rows(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                             const struct haproxy_state *kept, struct doctor_findings *findings)
{
    const struct doctor_file *file = &haproxy->state_file;
    size_t differences = doctor_count_state_differences(haproxy, kept);
    if (is_foreign(haproxy, kept)) {
        doctor_report(findings, DOCTOR_WARNING, "state-file-foreign", file->path,
                      "it is about another HAProxy: it has %zu %s, and none of this one's slots", kept->count,
                      text_plural(kept->count, "server", "servers"));
        doctor_remedy(findings, "slotd.conf: a haproxy.state_file of its own for each HAProxy");
    } else if (haproxy->state_wait.pending) {
        doctor_report(findings, DOCTOR_HINT, "state-file-being-written", file->path,
                      "slotd is about to write it: %zu %s otherwise so far", differences,
                      text_plural(differences, "slot is", "slots are"));
        doctor_remedy(findings, "slotctl doctor, again; where it stays so, the disk is too slow");
    } else if (differences > 0) {
        doctor_report(findings, DOCTOR_WARNING, "state-file-out-of-step", file->path,
                      "it was written %" PRId64
                      " s ago, and %zu %s otherwise by now: a restart of HAProxy would bring back "
                      "what it says",
                      (haproxy->now_ms - file->file.changed_ms) / 1000, differences,
                      text_plural(differences, "slot is", "slots are"));
        doctor_remedy(findings, user->runs ? "slotctl status says why slotd cannot write it" : "systemctl start slotd");
    } else if (user->runs && is_older_than_start(haproxy)) {
        doctor_report(findings, DOCTOR_WARNING, "state-file-old", file->path,
                      "it is older than HAProxy's start %ld s ago, since when slotd should have written it",
                      haproxy->info.uptime_s);
        doctor_remedy(findings, "slotctl status says why slotd cannot write it");
    }
}

/* `slotctl render --init` makes one with the version alone. */
static int parse_kept(const struct doctor_file *file, struct haproxy_state **ret_kept, struct buf *why)
{
    const char *text = buf_text(&file->content);
    if (strcmp(text, "1\n") == 0) {
        *ret_kept = MEM_NEW(struct haproxy_state);
        return 0;
    }
    return haproxy_state_parse(text, file->content.len, ret_kept, why);
}

static void judge_state_content(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                                struct doctor_findings *findings)
{
    const struct doctor_file *file = &haproxy->state_file;
    struct haproxy_state *kept = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (parse_kept(file, &kept, &why)) {
        doctor_report(findings, DOCTOR_ERROR, "state-file-broken", file->path, "it is no server-state file: %s",
                      buf_text(&why));
        doctor_remedy(findings, "printf '1\\n' >%s && systemctl restart slotd", file->path);
        return;
    }
    judge_state_rows(haproxy, user, kept, findings);
    haproxy_state_free(kept);
}

static void judge_state_kept(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                             struct doctor_findings *findings)
{
    const struct doctor_file *file = &haproxy->state_file;
    doctor_judge_file(file, user, findings);
    if (file->file.err == -ENOENT) {
        doctor_report(findings, DOCTOR_WARNING, "state-file-missing", file->path,
                      "there is no such file: after a restart HAProxy has empty slots until slotd has filled them");
        doctor_remedy(findings, user->runs ? "slotctl status says why slotd cannot write it" : "systemctl start slotd");
    } else if (file->read_err && S_ISREG(file->file.mode)) {
        doctor_report(findings, DOCTOR_HINT, "state-file-unreadable", file->path, "it cannot be read here: %s",
                      error_text(file->read_err));
    } else if (!file->read_err && haproxy->state) {
        judge_state_content(haproxy, user, findings);
    }
}

void doctor_judge_state_file(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                             struct doctor_findings *findings)
{
    size_t first = findings->count;
    if (haproxy->config->state_file[0] == '\0') {
        doctor_report(findings, DOCTOR_HINT, "state-file-unset", haproxy->config->name,
                      "slotd.conf names no state_file: after a restart or reload HAProxy has empty slots until slotd "
                      "has filled them");
        doctor_remedy(findings, "slotd.conf, haproxy: state_file = \"/run/slotd/haproxy.state\"; haproxy.cfg, global: "
                                "server-state-file /run/slotd/haproxy.state; defaults: load-server-state-from-file "
                                "global");
        return;
    }
    judge_configuration(haproxy, findings);
    judge_state_kept(haproxy, user, findings);
    if (doctor_is_fine_since(findings, first) && !haproxy->state_wait.pending) {
        const char *named = haproxy->configuration.known ? haproxy->configuration.state_file : NULL;
        bool is_read = named && strcmp(named, haproxy->config->state_file) == 0;
        doctor_report(findings, DOCTOR_OK, "state-file", haproxy->state_file.path, "it says what HAProxy's slots are%s",
                      is_read ? ", and HAProxy starts with it" : "");
    }
}

bool doctor_state_is_out_of_step(const struct doctor_haproxy *haproxy)
{
    struct haproxy_state *kept = NULL;
    if (!haproxy->state || haproxy->state_file.read_err || parse_kept(&haproxy->state_file, &kept, NULL)) {
        return false;
    }
    bool differs = doctor_count_state_differences(haproxy, kept) > 0 || is_older_than_start(haproxy);
    haproxy_state_free(kept);
    return differs;
}
