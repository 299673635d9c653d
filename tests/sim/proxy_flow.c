/* SPDX-License-Identifier: MIT */
/* One direction of a connection: bytes wait for their time, pass in pieces, stop, or end the connection. */
#include <string.h>

#include "proxy.h"

#define FLOW_MAX_QUEUED (1U << 20) /* more is not read: the sender notices that nobody takes it */

/* What was read at one moment; without bytes: the end. */
struct chunk {
    uint64_t due_ms;
    size_t len, taken;
    struct chunk *next;
    char data[];
};

struct write_job {
    uv_write_t request;
    struct flow *flow;
    char data[];
};

void flow_init(struct pair *pair, enum way way, uv_stream_t *from, uv_stream_t *to)
{
    struct flow *flow = &pair->flows[way];
    *flow = (struct flow){.pair = pair, .way = way, .from = from, .to = to, .until_cut = -1, .until_stall = -1};
    flow->last = &flow->first;
}

void flow_free(struct flow *flow)
{
    while (flow->first) {
        struct chunk *next = flow->first->next;
        free(flow->first);
        flow->first = next;
    }
}

/* ---- in ---- */

static void flow_queue(struct flow *flow, const char *data, size_t len)
{
    struct proxy *proxy = flow->pair->proxy;
    const struct faults *faults = &proxy->faults;
    struct chunk *chunk = mem_alloc(sizeof(*chunk) + len);
    uint64_t due = uv_now(proxy->loop);
    if (pair_is_meant(flow->pair)) {
        due += (uint64_t)faults->latency_ms + proxy_random(proxy, (uint64_t)faults->jitter_ms + 1);
    }
    /* Bytes do not overtake each other. */
    flow->due_ms = due > flow->due_ms ? due : flow->due_ms;
    chunk->due_ms = flow->due_ms;
    chunk->len = len;
    if (len > 0) {
        memcpy(chunk->data, data, len);
    }
    *flow->last = chunk;
    flow->last = &chunk->next;
    flow->queued += len;
}

static void flow_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    (void)handle;
    *part = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

/* The first bytes decide whether the connection is meant: the orders are looked at again with them. */
static void flow_note_head(struct pair *pair, const char *data, size_t len)
{
    if (pair->head.len < PROXY_MAX_HEAD) {
        bool was_meant = pair_is_meant(pair);
        size_t room = PROXY_MAX_HEAD - pair->head.len;
        buf_append(&pair->head, data, len < room ? len : room);
        if (!was_meant && pair_is_meant(pair)) {
            pair_take_faults(pair);
        }
    }
}

static void flow_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct pair *pair = stream->data;
    struct flow *flow = &pair->flows[stream == &pair->client.stream ? WAY_UP : WAY_DOWN];
    if (n_read > 0) {
        if (flow->way == WAY_UP) {
            flow_note_head(pair, part->base, (size_t)n_read);
        }
        flow_queue(flow, part->base, (size_t)n_read);
    } else if (n_read == UV_EOF) {
        flow->ended = true;
        flow_queue(flow, NULL, 0);
    } else if (n_read < 0) {
        pair_close(pair, true);
    }
    free(part->base);
    flow_pump(flow);
}

void flow_start(struct flow *flow)
{
    if (flow->pair->connected && !flow->reading && !flow->ended && flow->queued < FLOW_MAX_QUEUED) {
        flow->reading = uv_read_start(flow->from, flow_allocate, flow_read) == 0;
    }
}

static void flow_hold_back(struct flow *flow)
{
    if (flow->queued + uv_stream_get_write_queue_size(flow->to) > FLOW_MAX_QUEUED) {
        uv_read_stop(flow->from);
        flow->reading = false;
    } else {
        flow_start(flow);
    }
}

/* ---- out ---- */

static void flow_timer_over(uv_timer_t *timer)
{
    flow_pump(timer->data);
}

static void flow_wait_until(struct flow *flow, uint64_t when_ms)
{
    uv_timer_start(&flow->timer, flow_timer_over, when_ms - uv_now(flow->pair->proxy->loop), 0);
}

static void flow_written(uv_write_t *request, int status)
{
    struct write_job *job = (struct write_job *)request;
    struct flow *flow = job->flow;
    free(job);
    if (flow->pair->closing) {
        return;
    }
    if (status < 0) {
        pair_close(flow->pair, true);
    } else {
        flow_hold_back(flow);
    }
}

static void flow_shut(uv_shutdown_t *request, int status)
{
    struct flow *flow = request->data;
    (void)status;
    free(request);
    flow->over = true;
    pair_end_if_over(flow->pair);
}

static void flow_write(struct flow *flow, const char *data, size_t len)
{
    struct proxy *proxy = flow->pair->proxy;
    struct write_job *job = mem_alloc(sizeof(*job) + len);
    job->flow = flow;
    memcpy(job->data, data, len);
    proxy->bytes[flow->way] += len;
    if (flow->way == WAY_UP && proxy->record) {
        (void)fwrite(data, 1, len, proxy->record);
        (void)fflush(proxy->record);
    }
    uv_buf_t part = uv_buf_init(job->data, (unsigned)len);
    if (uv_write(&job->request, flow->to, &part, 1, flow_written)) {
        free(job);
        pair_close(flow->pair, true);
    }
}

static void flow_pass_end(struct flow *flow)
{
    uv_shutdown_t *request = MEM_NEW(uv_shutdown_t);
    request->data = flow;
    if (uv_shutdown(request, flow->to, flow_shut)) {
        free(request);
        pair_close(flow->pair, true);
    }
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return limit >= 0 && limit < value ? limit : value;
}

/* How much of the chunk may pass now. Negative: nothing, and a timer or an order will say when. */
static int64_t flow_allowance(struct flow *flow, const struct chunk *chunk)
{
    const struct proxy *proxy = flow->pair->proxy;
    uint64_t now = uv_now(proxy->loop);
    bool drips = proxy->faults.drip_bytes > 0 && pair_is_meant(flow->pair);
    uint64_t due = drips && flow->drip_ms > chunk->due_ms ? flow->drip_ms : chunk->due_ms;
    if (flow->until_stall == 0) {
        return -1;
    }
    if (due > now) {
        flow_wait_until(flow, due);
        return -1;
    }
    int64_t allowed = at_most((int64_t)(chunk->len - chunk->taken), flow->until_cut);
    allowed = at_most(allowed, flow->until_stall);
    if (drips) {
        allowed = at_most(allowed, proxy->faults.drip_bytes);
        flow->drip_ms = now + (uint64_t)proxy->faults.drip_ms;
    }
    return allowed;
}

static void flow_count_off(struct flow *flow, size_t len)
{
    flow->queued -= len;
    flow->until_cut -= flow->until_cut > 0 ? (int64_t)len : 0;
    flow->until_stall -= flow->until_stall > 0 ? (int64_t)len : 0;
}

void flow_pump(struct flow *flow)
{
    while (!flow->pair->closing && flow->first) {
        struct chunk *chunk = flow->first;
        int64_t allowed = flow_allowance(flow, chunk);
        if (allowed < 0) {
            break;
        }
        if (chunk->len > 0 && allowed > 0) {
            flow_write(flow, chunk->data + chunk->taken, (size_t)allowed);
            chunk->taken += (size_t)allowed;
            flow_count_off(flow, (size_t)allowed);
        }
        if (flow->until_cut == 0) {
            pair_cut(flow->pair);
            return;
        }
        if (chunk->taken < chunk->len) {
            continue;
        }
        flow->first = chunk->next;
        flow->last = flow->first ? flow->last : &flow->first;
        if (chunk->len == 0) {
            flow_pass_end(flow);
        }
        free(chunk);
    }
    if (!flow->pair->closing) {
        flow_hold_back(flow);
    }
}
