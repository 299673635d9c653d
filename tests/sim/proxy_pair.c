/* SPDX-License-Identifier: MIT */
/* A connection through the fault proxy: two streams, two directions, one end. */
#include <string.h>

#include "proxy.h"

static void pair_handle_closed(uv_handle_t *handle)
{
    struct pair *pair = handle->data;
    if (--pair->handles == 0) {
        flow_free(&pair->flows[WAY_UP]);
        flow_free(&pair->flows[WAY_DOWN]);
        buf_free(&pair->head);
        free(pair);
    }
}

static void flow_timer_closed(uv_handle_t *handle)
{
    struct flow *flow = handle->data;
    handle->data = flow->pair;
    pair_handle_closed(handle);
}

/* What the faults call a reset is one where the transport has it: a unix socket just ends. */
static void stream_close(union stream *stream, bool reset)
{
    if (!reset || stream->handle.type != UV_TCP || uv_tcp_close_reset(&stream->tcp, pair_handle_closed)) {
        uv_close(&stream->handle, pair_handle_closed);
    }
}

void pair_close(struct pair *pair, bool reset)
{
    if (pair->closing) {
        return;
    }
    pair->closing = true;
    pair->proxy->open--;
    *pair->link = pair->next;
    if (pair->next) {
        pair->next->link = pair->link;
    }
    stream_close(&pair->client, reset);
    stream_close(&pair->server, reset);
    for (int way = 0; way < N_WAYS; way++) {
        uv_close((uv_handle_t *)&pair->flows[way].timer, flow_timer_closed);
    }
}

void pair_end_if_over(struct pair *pair)
{
    if (pair->flows[WAY_UP].over && pair->flows[WAY_DOWN].over) {
        pair_close(pair, false);
    }
}

bool pair_is_meant(const struct pair *pair)
{
    const char *match = pair->proxy->faults.match;
    return !match || (pair->head.len > 0 && memmem(pair->head.data, pair->head.len, match, strlen(match)));
}

void pair_take_faults(struct pair *pair)
{
    struct proxy *proxy = pair->proxy;
    const struct faults *faults = &proxy->faults;
    bool meant = pair_is_meant(pair);
    for (int way = 0; way < N_WAYS; way++) {
        pair->flows[way].until_cut = meant ? faults->cut[way] : -1;
        pair->flows[way].until_stall = meant ? faults->stall[way] : -1;
    }
    if (meant && faults->cut_random > 0) {
        enum way way = (enum way)proxy_random(proxy, N_WAYS);
        pair->flows[way].until_cut = (int64_t)proxy_random(proxy, (uint64_t)faults->cut_random);
    }
}

void pair_cut(struct pair *pair)
{
    struct proxy *proxy = pair->proxy;
    proxy->cuts++;
    pair_close(pair, proxy->faults.reset != 0);
    if (proxy->faults.count > 0 && --proxy->faults.count == 0) {
        faults_clear_all(proxy);
    }
}

static void pair_connected(uv_connect_t *request, int status)
{
    struct pair *pair = request->data;
    free(request);
    if (pair->closing) {
        return;
    }
    if (status < 0) {
        pair_close(pair, true);
        return;
    }
    pair->connected = true;
    flow_start(&pair->flows[WAY_UP]);
    flow_start(&pair->flows[WAY_DOWN]);
}

static struct pair *pair_new(struct proxy *proxy)
{
    struct pair *pair = MEM_NEW(struct pair);
    pair->proxy = proxy;
    pair->next = proxy->pairs;
    pair->link = &proxy->pairs;
    if (pair->next) {
        pair->next->link = &pair->next;
    }
    proxy->pairs = pair;
    proxy->open++;
    address_init(proxy->loop, proxy->listen, &pair->client);
    address_init(proxy->loop, proxy->to, &pair->server);
    pair->client.handle.data = pair->server.handle.data = pair;
    flow_init(pair, WAY_UP, &pair->client.stream, &pair->server.stream);
    flow_init(pair, WAY_DOWN, &pair->server.stream, &pair->client.stream);
    for (int way = 0; way < N_WAYS; way++) {
        uv_timer_init(proxy->loop, &pair->flows[way].timer);
        pair->flows[way].timer.data = &pair->flows[way];
    }
    pair->handles = 4;
    return pair;
}

void pair_accept(uv_stream_t *server, int status)
{
    struct proxy *proxy = server->data;
    struct pair *pair = pair_new(proxy);
    uv_connect_t *request = MEM_NEW(uv_connect_t);
    request->data = pair;
    proxy->connections++;
    if (status < 0 || uv_accept(server, &pair->client.stream) ||
        address_connect(request, &pair->server, proxy->to, pair_connected)) {
        free(request);
        pair_close(pair, true);
        return;
    }
    if (pair->client.handle.type == UV_TCP) {
        uv_tcp_nodelay(&pair->client.tcp, 1);
    }
    pair_take_faults(pair);
}
