/* SPDX-License-Identifier: MIT */
/* A small HTTP/1.1 server for tests. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sim.h"

static void peer_clear_request(struct http_peer *peer)
{
    free(peer->method);
    free(peer->path);
    free(peer->query);
    free(peer->accept);
    free(peer->authorization);
    free(peer->via);
    free(peer->target);
    free(peer->body);
    peer->method = peer->path = peer->query = peer->accept = peer->authorization = NULL;
    peer->via = peer->target = peer->body = NULL;
    peer->body_len = 0;
    peer->accepts_gzip = false;
}

static void peer_closed(uv_handle_t *handle)
{
    struct http_peer *peer = handle->data;
    peer_clear_request(peer);
    buf_free(&peer->input);
    buf_free(&peer->delayed);
    for (size_t i = 0; i < peer->n_event_types; i++) {
        free(peer->event_types[i]);
    }
    free(peer->event_types);
    free(peer);
}

void http_close_peer(struct http_peer *peer)
{
    if (peer->closing) {
        return;
    }
    peer->closing = true;
    *peer->link = peer->next;
    if (peer->next) {
        peer->next->link = peer->link;
    }
    sim_close_timer(&peer->timer);
    standby_forget(peer);
    uv_close((uv_handle_t *)&peer->tcp, peer_closed);
    if (peer->is_stream) {
        events_detached(peer->sim);
    }
}

struct write_job {
    uv_write_t request;
    char *data;
};

static void write_done(uv_write_t *request, int status)
{
    struct write_job *job = (struct write_job *)request;
    struct http_peer *peer = request->handle->data;
    free(job->data);
    free(job);
    if (status < 0 || (peer->close_after && uv_stream_get_write_queue_size((uv_stream_t *)&peer->tcp) == 0)) {
        http_close_peer(peer);
    }
}

void http_send(struct http_peer *peer, const char *data, size_t len)
{
    if (peer->closing) {
        return;
    }
    struct write_job *job = mem_alloc(sizeof(*job));
    job->data = mem_strndup(data, len);
    uv_buf_t part = uv_buf_init(job->data, (unsigned)len);
    if (uv_write(&job->request, (uv_stream_t *)&peer->tcp, &part, 1, write_done)) {
        free(job->data);
        free(job);
        http_close_peer(peer);
    }
}

/* ---- reading ---- */

static char *decode(const char *text, size_t len)
{
    struct buf decoded = BUF_INIT;
    for (size_t i = 0; i < len; i++) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < len && sscanf(text + i + 1, "%2x", &value) == 1) {
            buf_putc(&decoded, (char)value);
            i += 2;
        } else {
            buf_putc(&decoded, text[i] == '+' ? ' ' : text[i]);
        }
    }
    return buf_steal(&decoded);
}

char *http_query_nth(const struct http_peer *peer, const char *name, size_t skip)
{
    size_t name_len = strlen(name);
    for (const char *part = peer->query; part && *part;) {
        size_t len = strcspn(part, "&");
        if (len > name_len && part[name_len] == '=' && strncmp(part, name, name_len) == 0 && skip-- == 0) {
            return decode(part + name_len + 1, len - name_len - 1);
        }
        part += len + (part[len] == '&');
    }
    return NULL;
}

char *http_query(const struct http_peer *peer, const char *name)
{
    return http_query_nth(peer, name, 0);
}

bool http_query_is(const struct http_peer *peer, const char *name, const char *wanted)
{
    cleanup_free char *value = http_query(peer, name);
    return value && strcmp(value, wanted) == 0;
}

static char *find_header(const char *head, const char *name)
{
    size_t name_len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        const char *start = line + 2;
        if (strncasecmp(start, name, name_len) == 0 && start[name_len] == ':') {
            start += name_len + 1;
            start += strspn(start, " \t");
            return mem_strndup(start, strcspn(start, "\r\n"));
        }
    }
    return NULL;
}

static bool peer_parse_head(struct http_peer *peer, char *head)
{
    char *method_end = strchr(head, ' ');
    char *target = method_end ? method_end + 1 : NULL;
    char *target_end = target ? strchr(target, ' ') : NULL;
    if (!target_end) {
        return false;
    }
    size_t target_len = (size_t)(target_end - target);
    char *question = memchr(target, '?', target_len);
    size_t path_len = question ? (size_t)(question - target) : target_len;
    peer_clear_request(peer);
    peer->method = mem_strndup(head, (size_t)(method_end - head));
    peer->target = mem_strndup(target, target_len);
    peer->path = decode(target, path_len);
    peer->query = question ? mem_strndup(question + 1, target_len - path_len - 1) : mem_strdup("");
    peer->accept = find_header(head, "Accept");
    peer->authorization = find_header(head, "Authorization");
    peer->via = find_header(head, "X-Marathon-Via");
    cleanup_free char *encoding = find_header(head, "Accept-Encoding");
    cleanup_free char *connection = find_header(head, "Connection");
    peer->accepts_gzip = encoding && strstr(encoding, "gzip");
    peer->close_after = connection && strcasecmp(connection, "close") == 0;
    return true;
}

/* Takes one request from the front of the input; false when it is not complete yet. */
static bool peer_take_request(struct http_peer *peer)
{
    char *end = peer->input.len ? memmem(peer->input.data, peer->input.len, "\r\n\r\n", 4) : NULL;
    if (!end) {
        return false;
    }
    size_t head_len = (size_t)(end - peer->input.data) + 4;
    cleanup_free char *head = mem_strndup(peer->input.data, head_len);
    cleanup_free char *length = find_header(head, "Content-Length");
    size_t body_len = length ? strtoul(length, NULL, 10) : 0;
    if (body_len > SIM_MAX_REQUEST || peer->input.len < head_len + body_len) {
        return false;
    }
    if (!peer_parse_head(peer, head)) {
        http_close_peer(peer);
        return false;
    }
    peer->body = mem_strndup(peer->input.data + head_len, body_len);
    peer->body_len = body_len;
    buf_consume(&peer->input, head_len + body_len);
    return true;
}

static void peer_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    (void)handle;
    *part = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

static void peer_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct http_peer *peer = stream->data;
    if (n_read > 0) {
        buf_append(&peer->input, part->base, (size_t)n_read);
    }
    free(part->base);
    if (n_read < 0 || peer->input.len > SIM_MAX_REQUEST) {
        http_close_peer(peer);
        return;
    }
    http_take_requests(peer);
}

void http_take_requests(struct http_peer *peer)
{
    while (!peer->closing && !peer->is_stream && !peer->timer && !peer->relay && peer_take_request(peer)) {
        peer->sim->requests++;
        if (strncmp(peer->path, "/sim/", 5) == 0) {
            control_handle(peer);
        } else {
            api_handle(peer);
        }
    }
}

void http_accept(uv_stream_t *server, int status)
{
    struct member *member = server->data;
    struct sim *sim = member->sim;
    struct http_peer *peer = MEM_NEW(struct http_peer);
    peer->sim = sim;
    peer->member = member;
    uv_tcp_init(sim->loop, &peer->tcp);
    peer->tcp.data = peer;
    peer->next = sim->peers;
    peer->link = &sim->peers;
    if (peer->next) {
        peer->next->link = &peer->next;
    }
    sim->peers = peer;
    if (status < 0 || uv_accept(server, (uv_stream_t *)&peer->tcp)) {
        http_close_peer(peer);
        return;
    }
    uv_tcp_nodelay(&peer->tcp, 1);
    uv_read_start((uv_stream_t *)&peer->tcp, peer_allocate, peer_read);
}
