/* SPDX-License-Identifier: MIT */
/* An answer split into apps: the first byte says how the rest is cut; the cut must not change what comes out. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"

enum { MAX_APP = 8192 };

static int note_app(void *arg, const char *json, size_t len)
{
    buf_append(arg, json, len);
    buf_putc(arg, '\n');
    return 0;
}

static int parse(const char *data, size_t len, size_t chunk, struct buf *seen)
{
    int err = 0;
    struct apps_reader *reader = apps_reader_new("apps", MAX_APP, note_app, seen);
    for (size_t at = 0; at < len && !err; at += chunk) {
        err = apps_reader_feed(reader, data + at, len - at < chunk ? len - at : chunk);
    }
    err = apps_reader_finish(reader, err == SLOTD_E_LIMIT ? NULL : seen);
    apps_reader_free(reader);
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
    /* A broken app that is also too large is told as the one or the other, by where it is cut. */
    bool either = err != 0 && err_pieces != 0 && (err == SLOTD_E_LIMIT || err_pieces == SLOTD_E_LIMIT);
    if (!either &&
        (err != err_pieces || whole.len != pieces.len || memcmp(buf_text(&whole), buf_text(&pieces), whole.len) != 0)) {
        abort();
    }
    return 0;
}
