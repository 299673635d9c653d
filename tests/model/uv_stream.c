/* SPDX-License-Identifier: MIT */
/* Streams of the simulated libuv: a wire to HAProxy each. */
#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "uv_parts.h"

static struct wire *wires;
static uint64_t n_wires;

static struct wire *wire_of(const uv_stream_t *stream)
{
    for (struct wire *wire = wires; wire; wire = wire->next) {
        if (wire->stream == stream) {
            return wire;
        }
    }
    return NULL;
}

int uv_pipe_init(uv_loop_t *loop, uv_pipe_t *pipe, int ipc)
{
    (void)ipc;
    memset(pipe, 0, sizeof(*pipe));
    pipe->loop = loop;
    pipe->type = UV_NAMED_PIPE;
    return 0;
}

static struct wire *wire_find(uint64_t number)
{
    struct wire *wire = wires;
    while (wire && wire->number != number) {
        wire = wire->next;
    }
    return wire;
}

static void wire_connected(void *arg, uint64_t number)
{
    struct wire *wire = wire_find(number);
    (void)arg;
    if (!wire || !wire->connecting) {
        return;
    }
    uv_connect_t *request = wire->connecting;
    wire->connecting = NULL;
    int status = wire->haproxy->is_up ? 0 : UV_ECONNREFUSED;
    wire->is_open = status == 0;
    wire->process = wire->haproxy->process;
    wire->connected(request, status);
}

static void wire_arrives(void *arg, uint64_t number)
{
    loop_ready(wire_connected, arg, number);
}

void uv_pipe_connect(uv_connect_t *request, uv_pipe_t *pipe, const char *name, uv_connect_cb connected)
{
    struct wire *wire = MEM_NEW(struct wire);
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        wire->haproxy = strcmp(haproxy->socket, name) == 0 ? haproxy : wire->haproxy;
    }
    if (!wire->haproxy) {
        abort();
    }
    wire->stream = (uv_stream_t *)pipe;
    wire->connecting = request;
    wire->connected = connected;
    request->handle = wire->stream;
    wire->number = ++n_wires;
    wire->next = wires;
    wires = wire;
    schedule(chance_delay(&uv_lags, 20, 2 * MS), wire_arrives, NULL, wire->number);
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb allocate, uv_read_cb read)
{
    struct wire *wire = wire_of(stream);
    wire->allocate = allocate;
    wire->read = read;
    return 0;
}

int uv_read_stop(uv_stream_t *stream)
{
    wire_of(stream)->read = NULL;
    return 0;
}

/* What slotd's own callbacks are told later. */
struct written {
    uv_write_t *request;
    uv_write_cb done;
    struct written *next;
};
static struct written *writes;

void stream_tell_written(void)
{
    struct written *list = writes;
    writes = NULL;
    while (list) {
        struct written *next = list->next;
        list->done(list->request, 0);
        free(list);
        list = next;
    }
}

static void write_ready(uv_write_t *request, uv_write_cb done)
{
    struct written *written = MEM_NEW(struct written);
    *written = (struct written){request, done, writes};
    writes = written;
}

int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t parts[], unsigned int count, uv_write_cb done)
{
    struct wire *wire = wire_of(stream);
    for (unsigned i = 0; i < count; i++) {
        buf_append(&wire->input, parts[i].base, parts[i].len);
    }
    haproxy_input(wire);
    write_ready(request, done);
    return 0;
}

static void wire_read(void *arg, uint64_t number)
{
    struct wire *wire = wire_find(number);
    uv_buf_t part;
    (void)arg;
    if (!wire || !wire->stream || !wire->read) {
        return;
    }
    if (wire->output.len > 0) {
        wire->allocate((uv_handle_t *)wire->stream, 65536, &part);
        size_t len = wire->output.len < part.len ? wire->output.len : part.len;
        if (len > 1 && chance_percent(&uv_lags, 5)) {
            len = 1 + (size_t)chance_below(&uv_lags, len - 1);
            loop_ready(wire_read, NULL, number);
        }
        memcpy(part.base, wire->output.data, len);
        buf_consume(&wire->output, len);
        if (wire->output.len == 0) {
            rules_note_read(wire);
        }
        wire->read(wire->stream, (ssize_t)len, &part);
    } else if (wire->is_eof) {
        part = uv_buf_init(NULL, 0);
        wire->read(wire->stream, UV_EOF, &part);
    }
}

static void wire_readable(void *arg, uint64_t number)
{
    (void)arg;
    loop_ready(wire_read, NULL, number);
}

void wire_deliver(struct wire *wire, const char *data, size_t len)
{
    if (wire->stream) {
        buf_append(&wire->output, data, len);
        schedule(chance_delay(&uv_lags, 5, 300), wire_readable, NULL, wire->number);
    }
}

void wire_end(struct wire *wire)
{
    if (!wire->is_eof) {
        wire->is_eof = true;
        schedule(chance_delay(&uv_lags, 5, 300), wire_readable, NULL, wire->number);
    }
}

struct wire *wire_next(struct wire *wire)
{
    return wire ? wire->next : wires;
}

void stream_close(const uv_stream_t *stream)
{
    struct wire *wire = wire_of(stream);
    if (!wire) {
        return;
    }
    uv_connect_t *request = wire->connecting;
    wire->connecting = NULL;
    if (request) {
        wire->connected(request, UV_ECANCELED);
    }
    wire->stream = NULL;
    haproxy_note_closed(wire);
}

void wires_reset(void)
{
    while (wires) {
        struct wire *next = wires->next;
        buf_free(&wires->input);
        buf_free(&wires->output);
        free(wires);
        wires = next;
    }
}
