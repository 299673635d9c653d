/* SPDX-License-Identifier: MIT */
/* `show stat ID 4 -1`: before 3.3 `show servers conn` counts no sessions of mode tcp (2.4.0 to 3.2.0: used_cur is 0
 * while three are open), and none that wait in a server's queue. */
#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define STAT_MAX_COLUMNS 512 /* 115 on 2.4, 141 on 3.2 */

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

/* Cuts a writable line at its commas; one within quotes is part of its field. */
static size_t split_fields(char *line, char **fields)
{
    size_t count = 0;
    while (line && count < STAT_MAX_COLUMNS) {
        bool quoted = false;
        fields[count++] = line;
        while (*line && (quoted || *line != ',')) {
            quoted = quoted != (*line == '"');
            line++;
        }
        if (*line == '\0') {
            break;
        }
        *line++ = '\0';
    }
    return count;
}

enum column { COLUMN_BACKEND, COLUMN_SERVER, COLUMN_QUEUED, COLUMN_SESSIONS, N_COLUMNS };

static int find_columns(char *header, size_t *places, struct buf *why)
{
    static const char *const names[N_COLUMNS] = {"pxname", "svname", "qcur", "scur"};
    char *fields[STAT_MAX_COLUMNS];
    size_t count = split_fields(header, fields);
    for (size_t c = 0; c < N_COLUMNS; c++) {
        size_t i = 0;
        while (i < count && strcmp(fields[i], names[c]) != 0) {
            i++;
        }
        if (i == count) {
            buf_printf(why, "`show stat` has no column %s", names[c]);
            return SLOTD_E_PARSE;
        }
        places[c] = i;
    }
    return 0;
}

struct stat_reader {
    const char *backend;
    struct slot_sessions *rows;
    size_t count, next; /* the rows come in one order */
    size_t places[N_COLUMNS];
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

static int read_row(struct stat_reader *reader, char *line)
{
    char *fields[STAT_MAX_COLUMNS];
    size_t count = split_fields(line, fields);
    int64_t queued = 0;
    int64_t sessions = 0;
    for (size_t c = 0; c < N_COLUMNS; c++) {
        if (reader->places[c] >= count) {
            buf_puts(reader->why, "`show stat` has a row that ends too early");
            return SLOTD_E_PARSE;
        }
    }
    if (strcmp(fields[reader->places[COLUMN_BACKEND]], reader->backend) != 0) {
        buf_puts(reader->why, "`show stat` has a row of another backend");
        return SLOTD_E_PARSE;
    }
    if (text_parse_int(fields[reader->places[COLUMN_QUEUED]], 0, UINT32_MAX, &queued) ||
        text_parse_int(fields[reader->places[COLUMN_SESSIONS]], 0, UINT32_MAX, &sessions)) {
        buf_puts(reader->why, "`show stat` has a row without a number of sessions");
        return SLOTD_E_PARSE;
    }
    take_sessions(reader, fields[reader->places[COLUMN_SERVER]], queued + sessions);
    return 0;
}

int haproxy_sessions_complete(const char *text, size_t len, const char *backend, struct slot_sessions *rows,
                              size_t count, struct buf *why)
{
    struct stat_reader reader = {.backend = backend, .rows = rows, .count = count, .why = why};
    cleanup_free char *copy = mem_strndup(text, len);
    char *rest = copy;
    char *line;
    bool has_header = false;
    int err = 0;
    while (!err && (line = strsep(&rest, "\n"))) {
        if (line[0] == '\0') {
            continue;
        }
        if (has_header) {
            err = read_row(&reader, line);
        } else if (strncmp(line, "# ", 2) == 0) {
            err = find_columns(line + 2, reader.places, why);
            has_header = true;
        } else {
            buf_printf(why, "`show stat` answered: %.100s", line);
            err = SLOTD_E_REFUSED;
        }
    }
    if (!err && !has_header) {
        buf_puts(why, "`show stat` has no header");
        err = SLOTD_E_PARSE;
    }
    return err;
}
