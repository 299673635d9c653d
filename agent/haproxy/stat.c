/* SPDX-License-Identifier: MIT */
/* Answers to `show stat`: a heading of columns, and rows of comma-separated values. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"

#define STAT_MAX_COLUMNS 512 /* 115 on 2.4, 141 on 3.2 */

/* Cuts a writable line at its commas; one within quotes is part of its field. */
static size_t split_fields(char *line, const char **fields)
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

static int find_columns(char *header, const char *const *columns, size_t *places, struct buf *why)
{
    const char *fields[STAT_MAX_COLUMNS];
    size_t count = split_fields(header, fields);
    for (size_t c = 0; columns[c]; c++) {
        size_t i = 0;
        while (i < count && strcmp(fields[i], columns[c]) != 0) {
            i++;
        }
        if (i == count) {
            buf_printf(why, "`show stat` has no column %s", columns[c]);
            return SLOTD_E_PARSE;
        }
        places[c] = i;
    }
    return 0;
}

static int take_row(char *line, const char *const *columns, const size_t *places, haproxy_stat_row *row, void *arg)
{
    const char *fields[STAT_MAX_COLUMNS];
    const char *values[HAPROXY_STAT_MAX_VALUES];
    size_t count = split_fields(line, fields);
    for (size_t c = 0; columns[c]; c++) {
        values[c] = places[c] < count ? fields[places[c]] : "";
    }
    return row(arg, values);
}

int haproxy_stat_read(const char *text, size_t len, const char *const *columns, haproxy_stat_row *row, void *arg,
                      struct buf *why)
{
    cleanup_free char *copy = mem_strndup(text, len);
    size_t places[HAPROXY_STAT_MAX_VALUES] = {0};
    bool has_header = false;
    int err = 0;
    char *rest = copy;
    for (char *line; !err && (line = strsep(&rest, "\n"));) {
        if (line[0] == '\0') {
            continue;
        }
        if (has_header) {
            err = take_row(line, columns, places, row, arg);
        } else if (strncmp(line, "# ", 2) == 0) {
            err = find_columns(line + 2, columns, places, why);
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
