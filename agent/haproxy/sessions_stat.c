/* SPDX-License-Identifier: MIT */
/* `show stat ID 4 -1`: before 3.3 `show servers conn` counts no sessions of mode tcp (2.4.0 to 3.2.0: used_cur is 0
 * while three are open), and none that wait in a server's queue. */
#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"
#include "slotd/text.h"

long haproxy_sessions_find_id(const char *text, size_t len)
{
    cleanup_free char *copy = mem_strndup(text, len);
    const char *header = strchr(copy, '#');
    const char *row = header ? strchr(header, '\n') : NULL;
    const char *id = row ? strchr(row, ' ') : NULL;
    if (!id) {
        return 0;
    }
    const char *served = strstr(header, " served ");
    return served && served < row ? 0 : strtol(id, NULL, 10);
}

enum column { COLUMN_BACKEND, COLUMN_SERVER, COLUMN_QUEUED, COLUMN_SESSIONS };

struct stat_reader {
    const char *backend;
    struct slot_sessions *rows;
    size_t count, next; /* the rows come in one order */
    struct buf *why;
};

static void take_sessions(struct stat_reader *reader, const char *server, int64_t sessions)
{
    for (size_t i = 0; i < reader->count; i++) {
        struct slot_sessions *row = &reader->rows[(reader->next + i) % reader->count];
        if (strcmp(row->server, server) == 0) {
            row->sessions = row->sessions > sessions ? row->sessions : sessions;
            reader->next = (reader->next + i + 1) % reader->count;
            return;
        }
    }
}

static int take_row(void *arg, const char *const *values)
{
    struct stat_reader *reader = arg;
    int64_t queued = 0;
    int64_t sessions = 0;
    if (strcmp(values[COLUMN_BACKEND], reader->backend) != 0) {
        buf_puts(reader->why, "`show stat` has a row of another backend");
        return SLOTD_E_PARSE;
    }
    if (text_parse_int(values[COLUMN_QUEUED], 0, UINT32_MAX, &queued) ||
        text_parse_int(values[COLUMN_SESSIONS], 0, UINT32_MAX, &sessions)) {
        buf_puts(reader->why, "`show stat` has a row without a number of sessions");
        return SLOTD_E_PARSE;
    }
    take_sessions(reader, values[COLUMN_SERVER], queued + sessions);
    return 0;
}

int haproxy_sessions_complete(const char *text, size_t len, const char *backend, struct slot_sessions *rows,
                              size_t count, struct buf *why)
{
    static const char *const columns[] = {
        [COLUMN_BACKEND] = "pxname",
        [COLUMN_SERVER] = "svname",
        [COLUMN_QUEUED] = "qcur",
        [COLUMN_SESSIONS] = "scur",
        NULL,
    };
    struct stat_reader reader = {.backend = backend, .rows = rows, .count = count, .why = why};
    return haproxy_stat_read(text, len, columns, take_row, &reader, why);
}
