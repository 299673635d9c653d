/* SPDX-License-Identifier: MIT */
/* HAProxy's version, what `show info` says, and what each version can do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/text.h"

int haproxy_version_parse(const char *text, struct haproxy_version *ret_version)
{
    struct haproxy_version version = {0};
    char *end = NULL;
    errno = 0;
    long major = strtol(text, &end, 10);
    if (end == text || *end != '.' || major < 0 || major > 999 || errno) {
        return SLOTD_E_PARSE;
    }
    const char *rest = end + 1;
    long minor = strtol(rest, &end, 10);
    if (end == rest || minor < 0 || minor > 999) {
        return SLOTD_E_PARSE;
    }
    /* "3.3-dev2" has no patch level. */
    long patch = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    version.major = (int)major;
    version.minor = (int)minor;
    version.patch = patch > 0 && patch < 100000 ? (int)patch : 0;
    snprintf(version.text, sizeof(version.text), "%s", text);
    *ret_version = version;
    return 0;
}

struct haproxy_capabilities haproxy_capabilities_of(const struct haproxy_version *version)
{
    int number = version->major * 1000 + version->minor;
    return (struct haproxy_capabilities){
        .late_address = number >= 2009,
        .add_server = number >= 2006,
        .add_backend = number >= 3004,
        .sess_server = number >= 3002,
        .wait_command = number >= 3000,
        .init_state = number >= 3001,
        .indexed_maps = number >= 3000,
        .idle_pool = number >= 3000,
        .sni_auto = number >= 3004,
    };
}

/* Copies the value of the line `NAME: value` into value; false when there is no such line. */
static bool info_find(const char *text, size_t len, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);
    const char *end = text + len;
    for (const char *line = text; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next ? next : end;
        if ((size_t)(stop - line) > name_len + 1 && memcmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *start = line + name_len + 1;
            while (start < stop && *start == ' ') {
                start++;
            }
            snprintf(value, size, "%.*s", (int)(stop - start < (long)size ? stop - start : (long)size), start);
            return true;
        }
        line = stop + 1;
    }
    return false;
}

static int info_number(const char *text, size_t len, const char *name, long *ret_number, struct buf *why)
{
    char value[32];
    int64_t number = 0;
    if (!info_find(text, len, name, value, sizeof(value)) || text_parse_int(value, 0, INT32_MAX, &number)) {
        buf_printf(why, "`show info` has no usable %s", name);
        return SLOTD_E_PARSE;
    }
    *ret_number = (long)number;
    return 0;
}

int haproxy_info_parse(const char *text, size_t len, struct haproxy_info *ret_info, struct buf *why)
{
    struct haproxy_info info = {0};
    char value[64];
    long stopping = 0;
    if (!info_find(text, len, "Version", value, sizeof(value)) || haproxy_version_parse(value, &info.version)) {
        buf_puts(why, "`show info` has no usable Version");
        return SLOTD_E_PARSE;
    }
    int err = info_number(text, len, "Pid", &info.pid, why);
    err = err ? err : info_number(text, len, "Uptime_sec", &info.uptime_s, why);
    err = err ? err : info_number(text, len, "Stopping", &stopping, why);
    if (!err) {
        info.stopping = stopping != 0;
        (void)info_number(text, len, "Ulimit-n", &info.max_files, NULL);
        (void)info_number(text, len, "Maxconn", &info.max_connections, NULL);
        *ret_info = info;
    }
    return err;
}
