/* SPDX-License-Identifier: MIT */
/* `show servers conn BACKEND`: how many sessions each server has, read by its header's names. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define SESSIONS_MAX_COLUMNS 64

struct sessions_reader {
    size_t name, used, served; /* columns; served is 0 where the version has none */
    struct slot_sessions *rows;
    size_t count, capacity;
    struct buf *why;
};

static size_t split_words(char *line, char **words)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word && count < SESSIONS_MAX_COLUMNS;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    return count;
}

/* The heading starts with "# ", a word of its own that rows do not have. */
static int read_header(struct sessions_reader *reader, char *line)
{
    char *words[SESSIONS_MAX_COLUMNS];
    size_t count = split_words(line + 1, words);
    bool has_name = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], "bkname/svname") == 0) {
            reader->name = i;
            has_name = true;
        } else if (strcmp(words[i], "used_cur") == 0) {
            reader->used = i;
        } else if (strcmp(words[i], "served") == 0) {
            reader->served = i;
        }
    }
    if (!has_name || reader->used == 0) {
        buf_puts(reader->why, "`show servers conn` has no columns bkname/svname and used_cur");
        return SLOTD_E_PARSE;
    }
    return 0;
}

static int read_count(const struct sessions_reader *reader, char *const *words, size_t count, size_t column,
                      int64_t *ret_sessions)
{
    if (column >= count || text_parse_int(words[column], 0, UINT32_MAX, ret_sessions)) {
        buf_puts(reader->why, "`show servers conn` has a row without a number of sessions");
        return SLOTD_E_PARSE;
    }
    return 0;
}

static int read_row(struct sessions_reader *reader, char *line)
{
    char *words[SESSIONS_MAX_COLUMNS];
    size_t count = split_words(line, words);
    char *slash = reader->name < count ? strchr(words[reader->name], '/') : NULL;
    int64_t used = 0;
    int64_t served = 0;
    if (!slash) {
        buf_puts(reader->why, "`show servers conn` has a row without the name of a server");
        return SLOTD_E_PARSE;
    }
    int err = read_count(reader, words, count, reader->used, &used);
    if (!err && reader->served > 0) {
        err = read_count(reader, words, count, reader->served, &served);
    }
    if (err) {
        return err;
    }
    MEM_GROW(reader->rows, reader->capacity, reader->count + 1);
    reader->rows[reader->count++] =
        (struct slot_sessions){.server = mem_strdup(slash + 1), .sessions = used > served ? used : served};
    return 0;
}

void haproxy_sessions_free(struct slot_sessions *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)rows[i].server);
    }
    free(rows);
}

int haproxy_sessions_parse(const char *text, size_t len, struct slot_sessions **ret_rows, size_t *ret_count,
                           struct buf *why)
{
    struct sessions_reader reader = {.why = why};
    cleanup_free char *copy = mem_strndup(text, len);
    char *rest = copy;
    char *line;
    int err = 0;
    bool has_header = false;
    while (!err && (line = strsep(&rest, "\n"))) {
        if (line[0] == '\0') {
            continue;
        }
        if (has_header) {
            err = read_row(&reader, line);
        } else if (line[0] == '#') {
            err = read_header(&reader, line);
            has_header = true;
        } else {
            buf_printf(why, "`show servers conn` answered: %.100s", line);
            err = SLOTD_E_REFUSED;
        }
    }
    if (!err && !has_header) {
        buf_puts(why, "`show servers conn` has no header");
        err = SLOTD_E_PARSE;
    }
    if (err) {
        haproxy_sessions_free(reader.rows, reader.count);
        return err;
    }
    *ret_rows = reader.rows;
    *ret_count = reader.count;
    return 0;
}
