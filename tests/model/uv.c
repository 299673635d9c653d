/* SPDX-License-Identifier: MIT */
/* The part of libuv that slotd uses, in virtual time: its loop runs timers, prepare handles, what is ready, and what
 * closes, in libuv's order. The programs of the simulation link this in place of libuv. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "slotd/mem.h"

#define MAX_TIMERS 64
#define FLAG_ACTIVE 1u
#define FLAG_CLOSING 2u

uv_loop_t sim_loop;
static uint64_t loop_ms;
static struct chance lags;

/* What a turn of the loop finds. */
struct ready {
    happening *what;
    void *arg;
    uint64_t number;
};
static struct ready *ready;
static size_t n_ready, ready_capacity;

static uv_timer_t *timers[MAX_TIMERS];
static size_t n_timers;
static uint64_t timer_starts;
static uv_prepare_t *prepares[16];
static size_t n_prepares;
static uv_handle_t *closing[64];
static size_t n_closing;
static struct wire *wires;
static uint64_t n_wires;

/* A job of the thread pool. */
struct job {
    uv_work_t *work;
    uv_work_cb run;
    uv_after_work_cb after;
    bool has_run;
    uint64_t number;
    struct job *next;
};
static struct job *jobs;
struct lookup {
    uv_getaddrinfo_t *request;
    uv_getaddrinfo_cb done;
    char name[64];
    uint64_t number;
    struct lookup *next;
};
static struct lookup *lookups;
static uint64_t n_jobs;

static bool turn_is_due;
static int64_t turn_at_us;
static uint64_t turn_number;

static int64_t frozen_until_us;
static bool is_running; /* slotd's callbacks */

/* ---- the loop ---- */

static void loop_turn(void *arg, uint64_t number);

static void turn_after(int64_t after_us)
{
    int64_t at = now_us() + after_us;
    at = at < frozen_until_us ? frozen_until_us : at;
    if (!turn_is_due || at < turn_at_us) {
        turn_is_due = true;
        turn_at_us = at;
        schedule(at - now_us(), loop_turn, NULL, ++turn_number);
    }
}

static void turn_for_timers(void)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < n_timers; i++) {
        next = timers[i]->timeout < next ? timers[i]->timeout : next;
    }
    if (next != UINT64_MAX) {
        int64_t left = (int64_t)next * MS - now_us();
        turn_after(left > 0 ? left : 0);
    }
}

void loop_ready(happening *what, void *arg, uint64_t number)
{
    if (!slotd) {
        return;
    }
    MEM_GROW(ready, ready_capacity, n_ready + 1);
    ready[n_ready++] = (struct ready){what, arg, number};
    turn_after(chance_percent(&lags, 98) ? (int64_t)chance_below(&lags, 30) : chance_delay(&lags, 100, 20 * MS));
}

bool loop_is_frozen(void)
{
    return now_us() < frozen_until_us;
}

void loop_freeze(int64_t until_us)
{
    frozen_until_us = until_us;
    turn_is_due = false;
    turn_number++;
    turn_after(0);
}

static void run_timers(void)
{
    for (;;) {
        uv_timer_t *first = NULL;
        for (size_t i = 0; i < n_timers; i++) {
            if (!first || timers[i]->timeout < first->timeout ||
                (timers[i]->timeout == first->timeout && timers[i]->start_id < first->start_id)) {
                first = timers[i];
            }
        }
        if (!first || first->timeout > loop_ms) {
            return;
        }
        uv_timer_cb call = first->timer_cb;
        uint64_t repeat = first->repeat;
        uv_timer_stop(first);
        if (repeat) {
            uv_timer_start(first, call, repeat, repeat);
        }
        call(first);
        step();
    }
}

static void run_prepares(void)
{
    uv_prepare_t *list[16];
    size_t count = n_prepares;
    memcpy(list, prepares, sizeof(list));
    for (size_t i = 0; i < count; i++) {
        if (list[i]->flags & FLAG_ACTIVE) {
            list[i]->prepare_cb(list[i]);
            step();
        }
    }
}

static void run_ready(void)
{
    size_t count = n_ready;
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count && !sim.broken; i++) {
        struct ready item = ready[i];
        item.what(item.arg, item.number);
        step();
    }
    memmove(ready, ready + count, (n_ready - count) * sizeof(*ready));
    n_ready -= count;
}

static void write_tell(void);
static void run_closing(void)
{
    for (size_t i = 0; i < n_closing; i++) {
        uv_handle_t *handle = closing[i];
        if (handle->close_cb) {
            handle->close_cb(handle);
        }
    }
    n_closing = 0;
    write_tell();
}

static void loop_turn(void *arg, uint64_t number)
{
    (void)arg;
    if (number != turn_number) {
        return;
    }
    turn_is_due = false;
    if (!slotd) {
        return;
    }
    loop_ms = (uint64_t)(now_us() / MS);
    is_running = true;
    run_timers();
    run_prepares();
    bool had_ready = n_ready > 0;
    run_ready();
    run_closing();
    is_running = false;
    if (had_ready || n_ready > 0) {
        turn_after(chance_percent(&lags, 98) ? (int64_t)chance_below(&lags, 50) : chance_delay(&lags, 100, 20 * MS));
    }
    turn_for_timers();
}

void loop_reset(void)
{
    chance_seed(&lags, sim.seed, 1);
    n_ready = n_timers = n_prepares = n_closing = 0;
    turn_is_due = false;
    turn_number++;
    frozen_until_us = 0;
    loop_ms = (uint64_t)(now_us() / MS);
    while (wires) {
        struct wire *next = wires->next;
        buf_free(&wires->input);
        buf_free(&wires->output);
        free(wires);
        wires = next;
    }
}

void loop_finish(void)
{
    n_ready = 0;
    turn_is_due = false;
    turn_number++;
    frozen_until_us = 0;
    while (jobs || lookups || n_closing > 0) {
        run_closing();
        struct job *job = jobs;
        if (job) {
            jobs = job->next;
            if (!job->has_run) {
                job->run(job->work);
            }
            job->after(job->work, 0);
            free(job);
        }
        struct lookup *lookup = lookups;
        if (lookup) {
            lookups = lookup->next;
            lookup->done(lookup->request, UV_ECANCELED, NULL);
            free(lookup);
        }
    }
    n_timers = n_prepares = 0;
}

/* ---- clocks, texts, buffers ---- */

uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return loop_ms;
}

uint64_t uv_hrtime(void)
{
    return (uint64_t)now_us() * 1000;
}

const char *uv_strerror(int err)
{
    return err == UV_EOF ? "end of file" : err == UV_ECANCELED ? "operation canceled" : strerror(-err);
}

uv_buf_t uv_buf_init(char *base, unsigned int len)
{
    uv_buf_t part;
    part.base = base;
    part.len = len;
    return part;
}

/* ---- handles ---- */

int uv_is_active(const uv_handle_t *handle)
{
    return (handle->flags & FLAG_ACTIVE) != 0;
}

static void prepares_remove(const uv_prepare_t *handle)
{
    for (size_t i = 0; i < n_prepares; i++) {
        if (prepares[i] == handle) {
            memmove(&prepares[i], &prepares[i + 1], (--n_prepares - i) * sizeof(prepares[0]));
        }
    }
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    memset(timer, 0, sizeof(*timer));
    timer->loop = loop;
    timer->type = UV_TIMER;
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb call, uint64_t after, uint64_t repeat)
{
    if (timer->flags & FLAG_CLOSING) {
        return UV_EINVAL;
    }
    uv_timer_stop(timer);
    timer->timer_cb = call;
    timer->timeout = after > UINT64_MAX - loop_ms ? UINT64_MAX : loop_ms + after;
    timer->repeat = repeat;
    timer->start_id = timer_starts++;
    timer->flags |= FLAG_ACTIVE;
    if (n_timers == MAX_TIMERS) {
        abort();
    }
    timers[n_timers++] = timer;
    if (!is_running) {
        turn_for_timers();
    }
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    timer->flags &= ~FLAG_ACTIVE;
    for (size_t i = 0; i < n_timers; i++) {
        if (timers[i] == timer) {
            timers[i] = timers[--n_timers];
        }
    }
    return 0;
}

int uv_prepare_init(uv_loop_t *loop, uv_prepare_t *prepare)
{
    memset(prepare, 0, sizeof(*prepare));
    prepare->loop = loop;
    prepare->type = UV_PREPARE;
    return 0;
}

/* The one started last comes first, as in libuv. */
int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb call)
{
    if (prepare->flags & FLAG_ACTIVE) {
        return 0;
    }
    prepare->prepare_cb = call;
    prepare->flags |= FLAG_ACTIVE;
    if (n_prepares == sizeof(prepares) / sizeof(prepares[0])) {
        abort();
    }
    memmove(&prepares[1], &prepares[0], n_prepares++ * sizeof(prepares[0]));
    prepares[0] = prepare;
    return 0;
}

int uv_prepare_stop(uv_prepare_t *prepare)
{
    prepare->flags &= ~FLAG_ACTIVE;
    prepares_remove(prepare);
    return 0;
}

static struct wire *wire_of(const uv_stream_t *stream)
{
    for (struct wire *wire = wires; wire; wire = wire->next) {
        if (wire->stream == stream) {
            return wire;
        }
    }
    return NULL;
}

void uv_close(uv_handle_t *handle, uv_close_cb call)
{
    if (handle->flags & FLAG_CLOSING) {
        abort();
    }
    if (handle->type == UV_TIMER) {
        uv_timer_stop((uv_timer_t *)handle);
    } else if (handle->type == UV_PREPARE) {
        uv_prepare_stop((uv_prepare_t *)handle);
    } else {
        struct wire *wire = wire_of((uv_stream_t *)handle);
        if (wire) {
            uv_connect_t *request = wire->connecting;
            wire->connecting = NULL;
            if (request) {
                wire->connected(request, UV_ECANCELED);
            }
            wire->stream = NULL;
            haproxy_note_closed(wire);
        }
    }
    handle->flags |= FLAG_CLOSING;
    handle->close_cb = call;
    if (n_closing == sizeof(closing) / sizeof(closing[0])) {
        abort();
    }
    closing[n_closing++] = handle;
    turn_after(0);
}

/* ---- streams: a wire to HAProxy each ---- */

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
    int status = haproxy.is_up ? 0 : UV_ECONNREFUSED;
    wire->is_open = status == 0;
    wire->process = haproxy.process;
    wire->connected(request, status);
}

static void wire_arrives(void *arg, uint64_t number)
{
    loop_ready(wire_connected, arg, number);
}

void uv_pipe_connect(uv_connect_t *request, uv_pipe_t *pipe, const char *name, uv_connect_cb connected)
{
    (void)name;
    struct wire *wire = MEM_NEW(struct wire);
    wire->stream = (uv_stream_t *)pipe;
    wire->connecting = request;
    wire->connected = connected;
    request->handle = wire->stream;
    wire->number = ++n_wires;
    wire->next = wires;
    wires = wire;
    schedule(chance_delay(&lags, 20, 2 * MS), wire_arrives, NULL, wire->number);
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

static void write_tell(void)
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
        if (len > 1 && chance_percent(&lags, 5)) {
            len = 1 + (size_t)chance_below(&lags, len - 1);
            loop_ready(wire_read, NULL, number);
        }
        memcpy(part.base, wire->output.data, len);
        buf_consume(&wire->output, len);
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
        schedule(chance_delay(&lags, 5, 300), wire_readable, NULL, wire->number);
    }
}

void wire_end(struct wire *wire)
{
    if (!wire->is_eof) {
        wire->is_eof = true;
        schedule(chance_delay(&lags, 5, 300), wire_readable, NULL, wire->number);
    }
}

struct wire *wire_next(struct wire *wire)
{
    return wire ? wire->next : wires;
}

/* ---- threads ---- */

static void job_after(void *arg, uint64_t number)
{
    struct job **link = &jobs;
    (void)arg;
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct job *job = *link;
    if (job) {
        *link = job->next;
        job->after(job->work, 0);
        free(job);
    }
}

static void job_run(void *arg, uint64_t number)
{
    struct job *job = jobs;
    (void)arg;
    while (job && job->number != number) {
        job = job->next;
    }
    if (job && !job->has_run) {
        job->has_run = true;
        job->run(job->work);
        loop_ready(job_after, NULL, job->number);
    }
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
    struct job *job = MEM_NEW(struct job);
    (void)loop;
    *job = (struct job){.work = work, .run = run, .after = after, .number = ++n_jobs};
    struct job **end = &jobs;
    while (*end) {
        end = &(*end)->next;
    }
    *end = job;
    schedule(chance_delay(&lags, 100, 40 * MS), job_run, NULL, job->number);
    return 0;
}

int uv_sem_init(uv_sem_t *sem, unsigned int value)
{
    memset(sem, 0, sizeof(*sem));
    *(unsigned *)sem = value;
    return 0;
}

void uv_sem_destroy(uv_sem_t *sem)
{
    (void)sem;
}

void uv_sem_post(uv_sem_t *sem)
{
    ++*(unsigned *)sem;
}

void uv_sem_wait(uv_sem_t *sem)
{
    for (struct job *job = jobs; job && *(unsigned *)sem == 0; job = job->next) {
        if (!job->has_run) {
            job->has_run = true;
            job->run(job->work);
            loop_ready(job_after, NULL, job->number);
        }
    }
    --*(unsigned *)sem;
}

int uv_sem_trywait(uv_sem_t *sem)
{
    if (*(unsigned *)sem == 0) {
        return UV_EAGAIN;
    }
    --*(unsigned *)sem;
    return 0;
}

/* ---- names ---- */

static void lookup_done(void *arg, uint64_t number)
{
    struct lookup **link = &lookups;
    (void)arg;
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct lookup *lookup = *link;
    if (!lookup) {
        return;
    }
    *link = lookup->next;
    struct addrinfo *info = NULL;
    char address[48];
    size_t host = (size_t)atoi(lookup->name + strlen("node"));
    host_address(host, address, sizeof(address));
    int status = !sim.is_calm && sim.profile.faults[FAULT_NAME] && chance_percent(&lags, 10) ? UV_EAI_AGAIN : 0;
    if (status == 0) {
        struct sockaddr_in *place = mem_alloc(sizeof(*place));
        info = mem_alloc(sizeof(*info));
        place->sin_family = AF_INET;
        unsigned char *bytes = (unsigned char *)&place->sin_addr;
        unsigned part[4] = {0};
        (void)sscanf(address, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]);
        for (size_t i = 0; i < 4; i++) {
            bytes[i] = (unsigned char)part[i];
        }
        info->ai_family = AF_INET;
        info->ai_addr = (struct sockaddr *)place;
    } else {
        count_fault(FAULT_NAME);
    }
    lookup->done(lookup->request, status, info);
    free(lookup);
}

static void lookup_ready(void *arg, uint64_t number)
{
    loop_ready(lookup_done, arg, number);
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb done, const char *node,
                   const char *service, const struct addrinfo *hints)
{
    struct lookup *lookup = MEM_NEW(struct lookup);
    (void)loop;
    (void)service;
    (void)hints;
    *lookup = (struct lookup){.request = request, .done = done, .number = ++n_jobs, .next = lookups};
    (void)snprintf(lookup->name, sizeof(lookup->name), "%s", node);
    lookups = lookup;
    schedule(chance_delay(&lags, 200, 800 * MS), lookup_ready, NULL, lookup->number);
    return 0;
}

void uv_freeaddrinfo(struct addrinfo *info)
{
    if (info) {
        free(info->ai_addr);
        free(info);
    }
}

int uv_cancel(uv_req_t *request)
{
    (void)request;
    return UV_EBUSY;
}

/* ---- not reached: HAProxy's socket is a path here ---- */

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp)
{
    (void)loop;
    (void)tcp;
    abort();
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable)
{
    (void)tcp;
    (void)enable;
    abort();
}

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *address, uv_connect_cb connected)
{
    (void)request;
    (void)tcp;
    (void)address;
    (void)connected;
    abort();
}

int uv_ip4_addr(const char *ip, int port, struct sockaddr_in *address)
{
    (void)ip;
    (void)port;
    (void)address;
    abort();
}

int uv_ip6_addr(const char *ip, int port, struct sockaddr_in6 *address)
{
    (void)ip;
    (void)port;
    (void)address;
    abort();
}
