/* SPDX-License-Identifier: MIT */
/* Splits an interactive connection's bytes at the prompts: HAProxy ends each command's answer with "\n> ". */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"

struct haproxy_reply_reader {
    struct buf bytes;
    size_t searched; /* bytes that hold no border */
    size_t max_bytes;
    haproxy_reply_complete *on_reply;
    void *arg;
    unsigned resets; /* a reply's receiver may reset us */
};

static const char border[] = "\n> ";
#define BORDER_LEN (sizeof(border) - 1)

struct haproxy_reply_reader *haproxy_reply_reader_new(size_t max_bytes, haproxy_reply_complete *on_reply, void *arg)
{
    struct haproxy_reply_reader *reader = MEM_NEW(struct haproxy_reply_reader);
    reader->max_bytes = max_bytes;
    reader->on_reply = on_reply;
    reader->arg = arg;
    return reader;
}

void haproxy_reply_reader_redirect(struct haproxy_reply_reader *reader, haproxy_reply_complete *on_reply, void *arg)
{
    reader->on_reply = on_reply;
    reader->arg = arg;
}

void haproxy_reply_reader_free(struct haproxy_reply_reader *reader)
{
    if (reader) {
        buf_free(&reader->bytes);
        free(reader);
    }
}

void haproxy_reply_reader_reset(struct haproxy_reply_reader *reader)
{
    buf_clear(&reader->bytes);
    reader->searched = 0;
    reader->resets++;
}

/* Hands out the complete replies in front; returns how many bytes they took. */
static size_t reader_hand_out(struct haproxy_reply_reader *reader)
{
    size_t start = 0;
    unsigned resets = reader->resets;
    for (;;) {
        const char *from = reader->bytes.data + reader->searched;
        const char *found = memmem(from, reader->bytes.len - reader->searched, border, BORDER_LEN);
        if (!found) {
            return start;
        }
        size_t end = (size_t)(found - reader->bytes.data);
        size_t len = end - start;
        const char *reply = reader->bytes.data + start;
        if (len > 0 && reply[len - 1] == '\n') {
            len--;
        }
        start = end + BORDER_LEN;
        reader->searched = start;
        reader->on_reply(reader->arg, reply, len);
        if (reader->resets != resets) {
            return 0;
        }
    }
}

int haproxy_reply_reader_feed(struct haproxy_reply_reader *reader, const char *data, size_t len)
{
    unsigned resets = reader->resets;
    buf_append(&reader->bytes, data, len);
    size_t taken = reader_hand_out(reader);
    if (reader->resets != resets) {
        return 0;
    }
    buf_consume(&reader->bytes, taken);
    /* A border may lie across two reads; a prompt without its line end opens the next reply. */
    reader->searched = reader->bytes.len > BORDER_LEN ? reader->bytes.len - BORDER_LEN : 0;
    return reader->bytes.len > reader->max_bytes ? SLOTD_E_LIMIT : 0;
}
