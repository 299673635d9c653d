/* SPDX-License-Identifier: MIT */
/* A Marathon that does not lead: it hands requests on to the leader, and answers for it when it is gone. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sim.h"

struct relay {
    struct http_peer *peer; /* NULL once it has gone away */
    struct sim *sim;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct buf request, answer;
};

static void relay_closed(uv_handle_t *handle)
{
    struct relay *relay = handle->data;
    buf_free(&relay->request);
    buf_free(&relay->answer);
    free(relay);
}

static void relay_close(struct relay *relay)
{
    if (relay->peer) {
        relay->peer->relay = NULL;
        relay->peer = NULL;
    }
    if (!uv_is_closing((uv_handle_t *)&relay->tcp)) {
        uv_close((uv_handle_t *)&relay->tcp, relay_closed);
    }
}

void standby_forget(struct http_peer *peer)
{
    if (peer->relay) {
        relay_close(peer->relay);
    }
}

/* Alternately, as recorded while a dead leader's session lasts. */
static void relay_failed(struct relay *relay)
{
    struct http_peer *peer = relay->peer;
    bool is_first = relay->sim->leader_failures++ % 2 == 0;
    relay_close(relay);
    if (peer) {
        http_answer_page(peer, is_first ? 502 : 500, is_first ? "Connection to leader refused." : "Server Error", "");
    }
}

static bool line_is(const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    return len > name_len && strncasecmp(line, name, name_len) == 0 && line[name_len] == ':';
}

/* One line of the leader's head, as a standby hands it on; what stands behind its own mark goes to last. */
static void append_line(struct buf *answer, struct buf *last, const char *line, size_t len)
{
    struct buf *into = line_is(line, len, "Content-Type") || line_is(line, len, "Content-Length") ||
                               line_is(line, len, "Content-Encoding") || line_is(line, len, "Transfer-Encoding")
                           ? last
                           : answer;
    if (line_is(line, len, "Expires")) {
        buf_puts(into, "Expires: Wed, 01 Jan 1800 00:00:00 GMT\r\n");
        return;
    }
    if (len == 12 && strncmp(line, "Vary: Accept", 12) == 0) {
        return;
    }
    bool is_lower = line_is(line, len, "X-Frame-Options") || line_is(line, len, "X-XSS-Protection");
    for (size_t i = 0; i < len; i++) {
        bool in_name = is_lower && !memchr(line, ':', i);
        buf_putc(into, (char)(in_name && line[i] >= 'A' && line[i] <= 'Z' ? line[i] + 32 : line[i]));
    }
    buf_puts(into, strncmp(line, "HTTP/1.1 422 ", 13) == 0 ? "Unprocessable Entity\r\n" : "\r\n");
}

static void append_head(struct buf *answer, const char *head, size_t len, const struct member *member)
{
    cleanup_buf struct buf last = BUF_INIT;
    for (const char *line = head; line < head + len;) {
        const char *end = memmem(line, len - (size_t)(line - head), "\r\n", 2);
        size_t line_len = end ? (size_t)(end - line) : len - (size_t)(line - head);
        if (line_len > 0) {
            append_line(answer, &last, line, line_len);
        }
        line += line_len + 2;
    }
    buf_printf(answer, "X-Marathon-Via: 1.1 %s\r\n", member->address);
    if (!strstr(buf_text(&last), "Content-Type:")) {
        buf_puts(answer, "Content-Type: none/none\r\n");
    }
    buf_printf(answer, "%s\r\n", buf_text(&last));
}

static void relay_done(struct relay *relay)
{
    struct http_peer *peer = relay->peer;
    const char *end = relay->answer.len ? memmem(relay->answer.data, relay->answer.len, "\r\n\r\n", 4) : NULL;
    if (!peer || !end) {
        relay_failed(relay);
        return;
    }
    cleanup_buf struct buf answer = BUF_INIT;
    size_t head_len = (size_t)(end - relay->answer.data) + 2;
    append_head(&answer, relay->answer.data, head_len, peer->member);
    buf_append(&answer, end + 4, relay->answer.len - head_len - 2);
    relay->sim->leader_failures = 0;
    relay_close(relay);
    http_send(peer, answer.data, answer.len);
    http_take_requests(peer);
}

static void relay_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    (void)handle;
    *part = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

static void relay_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct relay *relay = stream->data;
    if (n_read > 0) {
        buf_append(&relay->answer, part->base, (size_t)n_read);
    }
    free(part->base);
    if (n_read < 0) {
        relay_done(relay);
    }
}

static void relay_written(uv_write_t *request, int status)
{
    (void)request;
    (void)status; /* the reader learns of it too */
}

static void relay_connected(uv_connect_t *request, int status)
{
    struct relay *relay = request->data;
    uv_buf_t part = uv_buf_init(relay->request.data, (unsigned)relay->request.len);
    if (status < 0 || !relay->peer || uv_read_start((uv_stream_t *)&relay->tcp, relay_allocate, relay_read) ||
        uv_write(&relay->write, (uv_stream_t *)&relay->tcp, &part, 1, relay_written)) {
        relay_failed(relay);
    }
}

static void append_request(struct buf *request, const struct http_peer *peer)
{
    buf_printf(request, "%s %s HTTP/1.1\r\nConnection: close\r\nX-Marathon-Via: 1.1 %s\r\n", peer->method, peer->target,
               peer->member->address);
    if (peer->accept) {
        buf_printf(request, "Accept: %s\r\n", peer->accept);
    }
    if (peer->authorization) {
        buf_printf(request, "Authorization: %s\r\n", peer->authorization);
    }
    if (peer->accepts_gzip) {
        buf_puts(request, "Accept-Encoding: gzip\r\n");
    }
    buf_printf(request, "Content-Length: %zu\r\n\r\n", peer->body_len);
    buf_append(request, peer->body, peer->body_len);
}

void standby_relay(struct http_peer *peer)
{
    struct sockaddr_in address;
    char host[64] = "";
    int port = 0;
    if (peer->via) {
        http_answer_page(peer, 502, "Detected proxying loop.", "");
        return;
    }
    struct relay *relay = MEM_NEW(struct relay);
    relay->sim = peer->sim;
    relay->peer = peer;
    relay->connect.data = relay;
    relay->tcp.data = relay;
    peer->relay = relay;
    uv_tcp_init(peer->sim->loop, &relay->tcp);
    append_request(&relay->request, peer);
    if (sscanf(peer->sim->leader, "http://%63[^:/]:%d", host, &port) != 2 || uv_ip4_addr(host, port, &address) ||
        uv_tcp_connect(&relay->connect, &relay->tcp, (const struct sockaddr *)&address, relay_connected)) {
        relay_failed(relay);
    }
}
