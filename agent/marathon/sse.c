/* SPDX-License-Identifier: MIT */
/* Server-sent events as the WHATWG HTML standard has them, fed in pieces of any size. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"

struct sse_parser {
    size_t max_event_bytes;
    sse_parser_event *on_event;
    void *arg;
    struct buf line; /* of the line that is not complete yet */
    struct buf name;
    struct buf data;
    bool after_cr;   /* the last byte was CR: an LF next belongs to the same line end */
    size_t bom_seen; /* bytes of the byte order mark passed over; 3: done */
    int err;
};

struct sse_parser *sse_parser_new(size_t max_event_bytes, sse_parser_event *on_event, void *arg)
{
    struct sse_parser *parser = MEM_NEW(struct sse_parser);
    parser->max_event_bytes = max_event_bytes;
    parser->on_event = on_event;
    parser->arg = arg;
    return parser;
}

void sse_parser_free(struct sse_parser *parser)
{
    if (parser) {
        buf_free(&parser->line);
        buf_free(&parser->name);
        buf_free(&parser->data);
        free(parser);
    }
}

static void sse_dispatch(struct sse_parser *parser)
{
    if (parser->data.len > 0) {
        const char *name = parser->name.len > 0 ? buf_text(&parser->name) : "message";
        /* Each data line, also an empty one, was ended with a line feed; the last one is not part of the data. */
        size_t len = parser->data.len - 1;
        parser->data.data[len] = '\0';
        parser->on_event(parser->arg, name, parser->data.data, len);
    }
    buf_clear(&parser->name);
    buf_clear(&parser->data);
}

static void sse_take_field(struct sse_parser *parser, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t)(colon - line) : len;
    const char *value = colon ? colon + 1 : line + len;
    size_t value_len = colon ? len - name_len - 1 : 0;
    if (value_len > 0 && value[0] == ' ') {
        value++;
        value_len--;
    }
    if (name_len == 5 && memcmp(line, "event", 5) == 0) {
        /* A name that a C string cannot hold is nobody's: it must not be taken for its beginning. */
        buf_clear(&parser->name);
        buf_append(&parser->name, value, memchr(value, '\0', value_len) ? 0 : value_len);
    } else if (name_len == 4 && memcmp(line, "data", 4) == 0) {
        buf_append(&parser->data, value, value_len);
        buf_putc(&parser->data, '\n');
    }
}

static void sse_take_line(struct sse_parser *parser)
{
    if (parser->line.len == 0) {
        sse_dispatch(parser);
    } else if (parser->line.data[0] != ':') {
        sse_take_field(parser, parser->line.data, parser->line.len);
    }
    buf_clear(&parser->line);
}

/* Passes over a byte order mark at the very start; bytes that only looked like one belong to the first line. */
static size_t sse_skip_bom(struct sse_parser *parser, const char *data, size_t len)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t taken = 0;
    while (parser->bom_seen < 3 && taken < len) {
        if (data[taken] != bom[parser->bom_seen]) {
            buf_append(&parser->line, bom, parser->bom_seen);
            parser->bom_seen = 3;
            break;
        }
        parser->bom_seen++;
        taken++;
    }
    return taken;
}

/* One pass for both line ends: looking for each by itself would go over the same bytes once more for every line. */
static size_t sse_line_length(const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && data[at] != '\n' && data[at] != '\r') {
        at++;
    }
    return at;
}

int sse_parser_feed(struct sse_parser *parser, const char *data, size_t len)
{
    size_t at = sse_skip_bom(parser, data, len);
    while (!parser->err && at < len) {
        if (parser->after_cr && data[at] == '\n') {
            parser->after_cr = false;
            at++;
            continue;
        }
        parser->after_cr = false;
        size_t part = sse_line_length(data + at, len - at);
        if (parser->line.len + parser->data.len + parser->name.len + part > parser->max_event_bytes) {
            parser->err = SLOTD_E_LIMIT;
            break;
        }
        buf_append(&parser->line, data + at, part);
        at += part;
        if (at < len) {
            parser->after_cr = data[at] == '\r';
            at++;
            sse_take_line(parser);
        }
    }
    return parser->err;
}
