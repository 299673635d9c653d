/* SPDX-License-Identifier: MIT */
/* Backends made at run time, as Runtime API lines; measured on HAProxy 3.4.0. */
#include "slotd/backend_command.h"

#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

int backend_command_format(enum backend_command command, const char *backend, const char *defaults, bool is_tcp,
                           struct buf *line)
{
    static const char *const verbs[] = {
        [BACKEND_COMMAND_ADD] = "add",
        [BACKEND_COMMAND_PUBLISH] = "publish",
        [BACKEND_COMMAND_UNPUBLISH] = "unpublish",
        [BACKEND_COMMAND_DELETE] = "del",
    };
    bool adds = command == BACKEND_COMMAND_ADD;
    if (!text_is_haproxy_name(backend) || (adds && !text_is_haproxy_name(defaults))) {
        return SLOTD_E_REFUSED;
    }
    buf_printf(line, "%s backend %s", verbs[command], backend);
    if (adds) {
        buf_printf(line, " from %s mode %s", defaults, is_tcp ? "tcp" : "http");
    }
    return 0;
}

/* ---- replies ---- */

struct line {
    const char *text;
    size_t len;
};

static struct line find_last_line(const char *reply, size_t len)
{
    while (len > 0 && (reply[len - 1] == '\n' || reply[len - 1] == '\r' || reply[len - 1] == ' ')) {
        len--;
    }
    const char *end = len > 0 ? memrchr(reply, '\n', len) : NULL;
    const char *text = end ? end + 1 : reply;
    return (struct line){text, len - (size_t)(text - reply)};
}

static bool begins(const struct line *line, const char *text)
{
    size_t len = strlen(text);
    return line->len >= len && memcmp(line->text, text, len) == 0;
}

static bool begins_with_one(const struct line *line, const char *const *texts)
{
    while (*texts && !begins(line, *texts)) {
        texts++;
    }
    return *texts != NULL;
}

static enum backend_reply judge_add(const struct line *line)
{
    if (begins(line, "New backend registered.")) {
        return BACKEND_REPLY_DONE;
    }
    if (begins(line, "New backend registered (no support for dynamic servers")) {
        return BACKEND_REPLY_UNFIT;
    }
    if (begins(line, "Cannot find default proxy")) {
        return BACKEND_REPLY_SECTION;
    }
    if (begins(line, "Error during backend creation : name is already used by other proxy")) {
        return BACKEND_REPLY_EXISTS;
    }
    return BACKEND_REPLY_UNEXPECTED;
}

static enum backend_reply judge_others(enum backend_command command, const struct line *line)
{
    static const char *const done[] = {
        [BACKEND_COMMAND_ADD] = "",
        [BACKEND_COMMAND_PUBLISH] = "Backend published.",
        [BACKEND_COMMAND_UNPUBLISH] = "Backend unpublished.",
        [BACKEND_COMMAND_DELETE] = "Backend deleted.",
    };
    static const char *const busy[] = {"Only a backend without server can be deleted.",
                                       "Backend still has attached streams on it.", NULL};
    if (begins(line, done[command])) {
        return BACKEND_REPLY_DONE;
    }
    if (begins(line, "No such backend.")) {
        return BACKEND_REPLY_ABSENT;
    }
    return begins_with_one(line, busy) ? BACKEND_REPLY_BUSY : BACKEND_REPLY_UNEXPECTED;
}

enum backend_reply backend_reply_judge(enum backend_command command, const char *reply, size_t len)
{
    static const char *const stale[] = {"No effect on a disabled backend.", "Proxy is disabled.", NULL};
    static const char *const refusals[] = {
        "Mode is required",
        "Dynamic backends ",
        "Error during backend creation",
        "Invalid character",
        "Require backend name",
        "Unknown proxy mode",
        "Usage: ",
        "This proxy cannot be removed",
        "Cannot remove a backend with stick-table",
        "Cannot delete a listen section",
        "Deletion of backend with deprecated",
        "Only TCP or HTTP proxies can be removed",
        "Backend must be unpublished",
        NULL,
    };
    const struct line line = find_last_line(reply, len);
    if (begins(&line, "Permission denied")) {
        return BACKEND_REPLY_DENIED;
    }
    if (begins_with_one(&line, stale)) {
        return BACKEND_REPLY_STALE;
    }
    enum backend_reply verdict = command == BACKEND_COMMAND_ADD ? judge_add(&line) : judge_others(command, &line);
    bool refused = verdict == BACKEND_REPLY_UNEXPECTED && begins_with_one(&line, refusals);
    return refused ? BACKEND_REPLY_REFUSED : verdict;
}

/* ---- `show backend` ---- */

void backend_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

int backend_names_parse(const char *text, size_t len, char ***ret_names, size_t *ret_count, struct buf *why)
{
    static const char header[] = "# name";
    char **names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    cleanup_free char *copy = mem_strndup(text, len);
    char *rest = copy;
    const char *first = strsep(&rest, "\n");
    if (strcmp(first, header) != 0) {
        buf_printf(why, "`%s` is not its first line", header);
        return SLOTD_E_PARSE;
    }
    for (const char *line; (line = strsep(&rest, "\n"));) {
        if (line[0] != '\0') {
            MEM_GROW(names, capacity, count + 1);
            names[count++] = mem_strdup(line);
        }
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}
