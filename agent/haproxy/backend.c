/* SPDX-License-Identifier: MIT */
/* `show stat BACKEND 2 -1`: how many requests a backend has, those without a server too. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/text.h"

enum column { COLUMN_SERVER, COLUMN_SESSIONS };

struct backend_reader {
    int64_t sessions; /* -1: there is no such row yet */
    bool is_bad;
};

/* The first row is the backend's, or all of it is doubtful. */
static int take_backend(void *arg, const char *const *values)
{
    struct backend_reader *reader = arg;
    if (reader->sessions < 0) {
        reader->is_bad = strcmp(values[COLUMN_SERVER], "BACKEND") != 0 ||
                         text_parse_int(values[COLUMN_SESSIONS], 0, UINT32_MAX, &reader->sessions);
    }
    return reader->is_bad ? SLOTD_E_PARSE : 0;
}

int haproxy_backend_parse(const char *text, size_t len, int64_t *ret_sessions, struct buf *why)
{
    static const char *const columns[] = {[COLUMN_SERVER] = "svname", [COLUMN_SESSIONS] = "scur", NULL};
    struct backend_reader reader = {.sessions = -1};
    int err = haproxy_stat_read(text, len, columns, take_backend, &reader, why);
    if (reader.is_bad || (!err && reader.sessions < 0)) {
        buf_puts(why, "`show stat` has no row of a backend with a number of sessions");
        return SLOTD_E_PARSE;
    }
    if (!err) {
        *ret_sessions = reader.sessions;
    }
    return err;
}
