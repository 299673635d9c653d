/* SPDX-License-Identifier: MIT */
/* A task's own web server: answers its task id, after as many milliseconds as the request's `ms=` asks for, or 503
 * while it is sick. Each request is recorded with what its X-Load header says of it. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

struct backend {
    struct sim *sim;
    char *task_id;
    struct listener *listeners;
    struct visitor *visitors;
    unsigned handles;
    uint64_t well_ms; /* loop time until which it is sick */
    bool dead;
};

struct listener {
    struct backend *backend;
    uv_tcp_t tcp;
    struct listener *next;
};

struct visitor {
    struct backend *backend;
    uv_tcp_t tcp;
    uv_timer_t timer;
    struct buf input;
    bool waiting;
    unsigned handles;
    struct visitor *next, **link;
};

static void backend_handle_closed(struct backend *backend)
{
    if (--backend->handles == 0 && backend->dead) {
        free(backend->task_id);
        free(backend);
    }
}

static void listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct backend *backend = listener->backend;
    free(listener);
    backend_handle_closed(backend);
}

static void visitor_handle_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    if (--visitor->handles == 0) {
        struct backend *backend = visitor->backend;
        buf_free(&visitor->input);
        free(visitor);
        backend_handle_closed(backend);
    }
}

static void visitor_close(struct visitor *visitor)
{
    if (uv_is_closing((uv_handle_t *)&visitor->tcp)) {
        return;
    }
    *visitor->link = visitor->next;
    if (visitor->next) {
        visitor->next->link = visitor->link;
    }
    uv_close((uv_handle_t *)&visitor->tcp, visitor_handle_closed);
    uv_close((uv_handle_t *)&visitor->timer, visitor_handle_closed);
}

static void visitor_serve(struct visitor *visitor);

struct reply {
    uv_write_t request;
    char text[1024];
};

static void reply_written(uv_write_t *request, int status)
{
    struct visitor *visitor = request->handle->data;
    free(request);
    if (status < 0) {
        visitor_close(visitor);
    }
}

static void visitor_answer(uv_timer_t *timer)
{
    struct visitor *visitor = timer->data;
    struct reply *reply = MEM_NEW(struct reply);
    const char *id = visitor->backend->task_id;
    bool sick = uv_now(visitor->backend->sim->loop) < visitor->backend->well_ms;
    int len =
        snprintf(reply->text, sizeof(reply->text),
                 "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nX-Task: %.256s\r\nContent-Length: %zu\r\n\r\n%.256s\n",
                 sick ? "503 Service Unavailable" : "200 OK", id, strnlen(id, 256) + 1, id);
    uv_buf_t part = uv_buf_init(reply->text, (unsigned)len);
    visitor->waiting = false;
    if (uv_write(&reply->request, (uv_stream_t *)&visitor->tcp, &part, 1, reply_written)) {
        free(reply);
        visitor_close(visitor);
        return;
    }
    visitor_serve(visitor);
}

static void visitor_record(const struct visitor *visitor, const char *head)
{
    static const char name[] = "\r\nX-Load: ";
    const char *mark = strcasestr(head, name);
    mark = mark ? mark + sizeof(name) - 1 : "- -";
    record_add(visitor->backend->sim, "request %s %.*s", visitor->backend->task_id, (int)strcspn(mark, "\r\n"), mark);
}

/* Takes the next request, when the one before has been answered. */
static void visitor_serve(struct visitor *visitor)
{
    char *end = visitor->input.len ? memmem(visitor->input.data, visitor->input.len, "\r\n\r\n", 4) : NULL;
    if (!end || visitor->waiting) {
        return;
    }
    *end = '\0';
    const char *wait = strstr(visitor->input.data, "ms=");
    const char *line_end = strstr(visitor->input.data, "\r\n");
    visitor_record(visitor, visitor->input.data);
    unsigned long ms = wait && (!line_end || wait < line_end) ? strtoul(wait + 3, NULL, 10) : 0;
    buf_consume(&visitor->input, (size_t)(end - visitor->input.data) + 4);
    visitor->waiting = true;
    if (ms == 0) {
        visitor_answer(&visitor->timer);
    } else {
        uv_timer_start(&visitor->timer, visitor_answer, ms < 60000 ? ms : 60000, 0);
    }
}

static void visitor_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    (void)handle;
    *part = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

static void visitor_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct visitor *visitor = stream->data;
    if (n_read > 0) {
        buf_append(&visitor->input, part->base, (size_t)n_read);
    }
    free(part->base);
    if (n_read < 0 || visitor->input.len > 65536) {
        visitor_close(visitor);
    } else {
        visitor_serve(visitor);
    }
}

static void backend_accept(uv_stream_t *server, int status)
{
    struct listener *listener = server->data;
    struct backend *backend = listener->backend;
    struct visitor *visitor = MEM_NEW(struct visitor);
    visitor->backend = backend;
    visitor->handles = 2;
    backend->handles++;
    uv_tcp_init(backend->sim->loop, &visitor->tcp);
    uv_timer_init(backend->sim->loop, &visitor->timer);
    visitor->tcp.data = visitor->timer.data = visitor;
    visitor->next = backend->visitors;
    visitor->link = &backend->visitors;
    if (visitor->next) {
        visitor->next->link = &visitor->next;
    }
    backend->visitors = visitor;
    if (status < 0 || uv_accept(server, (uv_stream_t *)&visitor->tcp)) {
        visitor_close(visitor);
        return;
    }
    uv_tcp_nodelay(&visitor->tcp, 1);
    uv_read_start((uv_stream_t *)&visitor->tcp, visitor_allocate, visitor_read);
}

struct backend *backend_new(struct sim *sim, const char *task_id)
{
    struct backend *backend = MEM_NEW(struct backend);
    backend->sim = sim;
    backend->task_id = mem_strdup(task_id);
    backend->handles = 1; /* its owner's */
    return backend;
}

void backend_set_sick(struct backend *backend, uint64_t ms)
{
    uint64_t now = uv_now(backend->sim->loop);
    backend->well_ms = ms < UINT64_MAX - now ? now + ms : UINT64_MAX;
}

int backend_listen(struct backend *backend, const char *host, int port)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    struct listener *listener = MEM_NEW(struct listener);
    uv_tcp_init(backend->sim->loop, &listener->tcp);
    listener->backend = backend;
    listener->tcp.data = listener;
    backend->handles++;
    int err = uv_ip4_addr(host, port, &address);
    err = err ? err : uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&address, 0);
    err = err ? err : uv_listen((uv_stream_t *)&listener->tcp, 512, backend_accept);
    err = err ? err : uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&address, &len);
    if (err) {
        uv_close((uv_handle_t *)&listener->tcp, listener_closed);
        return -1;
    }
    listener->next = backend->listeners;
    backend->listeners = listener;
    return ntohs(address.sin_port);
}

void backend_kill(struct backend *backend)
{
    if (!backend) {
        return;
    }
    backend->dead = true;
    while (backend->visitors) {
        if (backend->visitors->waiting) {
            record_add(backend->sim, "cut %s", backend->task_id);
        }
        visitor_close(backend->visitors);
    }
    while (backend->listeners) {
        struct listener *next = backend->listeners->next;
        uv_close((uv_handle_t *)&backend->listeners->tcp, listener_closed);
        backend->listeners = next;
    }
    backend_handle_closed(backend);
}
