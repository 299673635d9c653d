/* SPDX-License-Identifier: MIT */
/* A connection to HAProxy that was given up while lines were on their way. HAProxy executes them even when the other
 * end is closed, and not before those of a later connection: what the later one reads is true only after their replies.
 * So it stays open until they are there. Seen on 2.6 to 3.4 after a freeze. */
#ifndef STRAGGLER_H
#define STRAGGLER_H

#include <uv.h>

#include "slotd/haproxy.h"

struct straggler;
struct straggler_events {
    /* The replies are there, or the peer is gone: to be closed now. */
    void (*on_over)(void *arg);
    /* The stream's memory may be freed; the last call. */
    void (*on_closed)(void *arg, uv_handle_t *stream);
};

/* Takes over a stream that awaits that many replies, with the reader that has read from it so far. */
struct straggler *straggler_new(uv_stream_t *stream, struct haproxy_reply_reader *reader, size_t awaited,
                                const struct straggler_events *events, void *arg);
/* NULL is allowed. */
void straggler_close(struct straggler *straggler);

#endif
