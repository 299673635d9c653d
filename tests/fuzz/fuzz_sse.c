/* SPDX-License-Identifier: MIT */
/* The event stream: the first byte says how the rest is cut; the cut must not change what comes out. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/marathon.h"

enum { MAX_EVENT = 4096 };

static void note_event(void *arg, const char *name, const char *data, size_t len)
{
    buf_append(arg, name, strlen(name) + 1);
    buf_append(arg, data, len);
}

static int parse(const char *data, size_t len, size_t chunk, struct buf *seen)
{
    int err = 0;
    struct sse_parser *parser = sse_parser_new(MAX_EVENT, note_event, seen);
    for (size_t at = 0; at < len && !err; at += chunk) {
        err = sse_parser_feed(parser, data + at, len - at < chunk ? len - at : chunk);
    }
    sse_parser_free(parser);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    cleanup_buf struct buf whole = BUF_INIT;
    cleanup_buf struct buf pieces = BUF_INIT;
    int err = parse((const char *)data + 1, size - 1, size - 1, &whole);
    int err_pieces = parse((const char *)data + 1, size - 1, data[0] % 32 + 1, &pieces);
    if (err != err_pieces || whole.len != pieces.len || memcmp(buf_text(&whole), buf_text(&pieces), whole.len) != 0) {
        abort();
    }
    return 0;
}
