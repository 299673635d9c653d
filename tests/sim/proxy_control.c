/* SPDX-License-Identifier: MIT */
/* The fault proxy's control: one request of HTTP a connection. See README.md. */
#include <inttypes.h>
#include <string.h>

#include "proxy.h"

#define CONTROL_MAX_REQUEST 8192

struct visitor {
    struct proxy *proxy;
    uv_tcp_t tcp;
    uv_write_t write;
    struct buf input, answer;
};

static const struct faults no_faults = {.cut = {-1, -1}, .stall = {-1, -1}};

/* ---- orders ---- */

static void proxy_set_faults(struct proxy *proxy, struct faults faults)
{
    free(proxy->faults.match);
    proxy->faults = faults;
    proxy_open(proxy);
    struct pair *next = NULL;
    for (struct pair *pair = proxy->pairs; pair; pair = pair->next) {
        pair_take_faults(pair);
    }
    for (struct pair *pair = proxy->pairs; pair; pair = next) {
        next = pair->next;
        flow_pump(&pair->flows[WAY_UP]);
        if (!pair->closing) {
            flow_pump(&pair->flows[WAY_DOWN]);
        }
    }
}

void faults_clear_all(struct proxy *proxy)
{
    proxy_set_faults(proxy, no_faults);
}

static int64_t *faults_number(struct faults *faults, const char *name, size_t len)
{
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {
        {"cut_up", &faults->cut[WAY_UP]},
        {"cut_down", &faults->cut[WAY_DOWN]},
        {"stall_up", &faults->stall[WAY_UP]},
        {"stall_down", &faults->stall[WAY_DOWN]},
        {"cut_random", &faults->cut_random},
        {"count", &faults->count},
        {"latency_ms", &faults->latency_ms},
        {"jitter_ms", &faults->jitter_ms},
        {"drip_bytes", &faults->drip_bytes},
        {"drip_ms", &faults->drip_ms},
        {"reset", &faults->reset},
        {"refuse", &faults->refuse},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strlen(numbers[i].name) == len && strncmp(numbers[i].name, name, len) == 0) {
            return numbers[i].value;
        }
    }
    return NULL;
}

/* One NAME=VALUE; false: it is not known, or no number. */
static bool faults_read_part(struct faults *faults, const char *part, size_t len)
{
    const char *equals = memchr(part, '=', len);
    size_t name_len = equals ? (size_t)(equals - part) : len;
    if (!equals) {
        return false;
    }
    if (name_len == 5 && strncmp(part, "match", 5) == 0) {
        free(faults->match);
        faults->match = mem_strndup(equals + 1, len - name_len - 1);
        return faults->match[0] != '\0';
    }
    int64_t *number = faults_number(faults, part, name_len);
    char *end = NULL;
    int64_t value = strtoll(equals + 1, &end, 10);
    if (!number || value < 0 || end == equals + 1 || end != part + len) {
        return false;
    }
    *number = value;
    return true;
}

static bool faults_read(const char *query, struct faults *ret_faults)
{
    struct faults faults = no_faults;
    for (const char *part = query; *part;) {
        size_t len = strcspn(part, "&");
        if (!faults_read_part(&faults, part, len)) {
            free(faults.match);
            return false;
        }
        part += len + (part[len] == '&');
    }
    *ret_faults = faults;
    return true;
}

static void proxy_cut_all(struct proxy *proxy)
{
    struct pair *next = NULL;
    for (struct pair *pair = proxy->pairs; pair; pair = next) {
        next = pair->next;
        proxy->cuts++;
        pair_close(pair, proxy->faults.reset != 0);
    }
}

/* ---- HTTP ---- */

static void visitor_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    buf_free(&visitor->input);
    buf_free(&visitor->answer);
    free(visitor);
}

static void visitor_close(struct visitor *visitor)
{
    if (!uv_is_closing((uv_handle_t *)&visitor->tcp)) {
        uv_close((uv_handle_t *)&visitor->tcp, visitor_closed);
    }
}

static void visitor_written(uv_write_t *request, int status)
{
    (void)status;
    visitor_close(request->data);
}

static void visitor_answer(struct visitor *visitor, const char *status, const char *body)
{
    buf_printf(&visitor->answer,
               "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
               status, strlen(body), body);
    uv_buf_t part = uv_buf_init(visitor->answer.data, (unsigned)visitor->answer.len);
    visitor->write.data = visitor;
    uv_read_stop((uv_stream_t *)&visitor->tcp);
    if (uv_write(&visitor->write, (uv_stream_t *)&visitor->tcp, &part, 1, visitor_written)) {
        visitor_close(visitor);
    }
}

static void visitor_show(struct visitor *visitor)
{
    const struct proxy *proxy = visitor->proxy;
    cleanup_free char *text =
        mem_printf("{\"connections\":%" PRIu64 ",\"open\":%" PRIu64 ",\"cuts\":%" PRIu64 ",\"bytes_up\":%" PRIu64
                   ",\"bytes_down\":%" PRIu64 "}",
                   proxy->connections, proxy->open, proxy->cuts, proxy->bytes[WAY_UP], proxy->bytes[WAY_DOWN]);
    visitor_answer(visitor, "200 OK", text);
}

/* target: PATH[?QUERY] */
static void visitor_act(struct visitor *visitor, const char *target)
{
    size_t len = strcspn(target, "?");
    const char *query = target[len] ? target + len + 1 : "";
    cleanup_free char *path = mem_strndup(target, len);
    struct faults faults;
    if (strcmp(path, "/stats") == 0) {
        visitor_show(visitor);
        return;
    }
    if (strcmp(path, "/faults") == 0 && faults_read(query, &faults)) {
        proxy_set_faults(visitor->proxy, faults);
    } else if (strcmp(path, "/clear") == 0) {
        faults_clear_all(visitor->proxy);
    } else if (strcmp(path, "/cut") == 0) {
        proxy_cut_all(visitor->proxy);
    } else {
        visitor_answer(visitor, "400 Bad Request", "{\"message\":\"no such fault, or no such number\"}");
        return;
    }
    visitor_answer(visitor, "200 OK", "{}");
}

static void visitor_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    struct visitor *visitor = handle->data;
    (void)suggested;
    *part = uv_buf_init(buf_reserve(&visitor->input, CONTROL_MAX_REQUEST), CONTROL_MAX_REQUEST);
}

static void visitor_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct visitor *visitor = stream->data;
    (void)part;
    if (n_read < 0 || visitor->input.len > CONTROL_MAX_REQUEST) {
        visitor_close(visitor);
        return;
    }
    buf_commit(&visitor->input, (size_t)n_read);
    if (!strstr(buf_text(&visitor->input), "\r\n\r\n")) {
        return;
    }
    const char *text = buf_text(&visitor->input);
    const char *start = text + strcspn(text, " \r");
    start += *start == ' ';
    cleanup_free char *target = mem_strndup(start, strcspn(start, " \r"));
    visitor_act(visitor, target);
}

void control_accept(uv_stream_t *server, int status)
{
    struct visitor *visitor = MEM_NEW(struct visitor);
    visitor->proxy = server->data;
    uv_tcp_init(visitor->proxy->loop, &visitor->tcp);
    visitor->tcp.data = visitor;
    if (status < 0 || uv_accept(server, (uv_stream_t *)&visitor->tcp)) {
        visitor_close(visitor);
        return;
    }
    uv_read_start((uv_stream_t *)&visitor->tcp, visitor_allocate, visitor_read);
}
