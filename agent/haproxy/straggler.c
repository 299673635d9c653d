/* SPDX-License-Identifier: MIT */
/* Waits for the replies of a connection that was given up. */
#include "straggler.h"

#include "slotd/mem.h"

struct straggler {
    uv_stream_t *stream;
    struct haproxy_reply_reader *reader;
    size_t awaited;
    const struct straggler_events *events;
    void *arg;
    bool over;
    char buffer[4096];
};

/* Said once. The owner may close it from inside. */
static void straggler_end(struct straggler *straggler)
{
    if (!straggler->over) {
        straggler->over = true;
        straggler->events->on_over(straggler->arg);
    }
}

static void straggler_replied(void *arg, const char *reply, size_t len)
{
    struct straggler *straggler = arg;
    (void)reply;
    (void)len;
    straggler->awaited -= straggler->awaited > 0;
    if (straggler->awaited == 0) {
        straggler_end(straggler);
    }
}

static void straggler_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    struct straggler *straggler = handle->data;
    (void)suggested;
    *part = uv_buf_init(straggler->buffer, sizeof(straggler->buffer));
}

static void straggler_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct straggler *straggler = stream->data;
    bool broken = n_read < 0;
    if (n_read > 0) {
        broken = haproxy_reply_reader_feed(straggler->reader, part->base, (size_t)n_read) != 0;
    }
    if (broken) {
        straggler_end(straggler);
    }
}

struct straggler *straggler_new(uv_stream_t *stream, struct haproxy_reply_reader *reader, size_t awaited,
                                const struct straggler_events *events, void *arg)
{
    struct straggler *straggler = MEM_NEW(struct straggler);
    straggler->stream = stream;
    straggler->reader = reader;
    straggler->awaited = awaited;
    straggler->events = events;
    straggler->arg = arg;
    haproxy_reply_reader_redirect(reader, straggler_replied, straggler);
    stream->data = straggler;
    uv_read_stop(stream);
    uv_read_start(stream, straggler_allocate, straggler_read);
    return straggler;
}

static void straggler_closed(uv_handle_t *handle)
{
    struct straggler *straggler = handle->data;
    const struct straggler_events *events = straggler->events;
    void *arg = straggler->arg;
    haproxy_reply_reader_free(straggler->reader);
    free(straggler);
    events->on_closed(arg, handle);
}

void straggler_close(struct straggler *straggler)
{
    if (straggler) {
        straggler->over = true;
        uv_close((uv_handle_t *)straggler->stream, straggler_closed);
    }
}
