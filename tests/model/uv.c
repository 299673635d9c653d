/* SPDX-License-Identifier: MIT */
/* The part of libuv that slotd uses, in virtual time: its loop runs timers, prepare handles, what is ready, and what
 * closes, in libuv's order. The programs of the simulation link this in place of libuv. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "uv_parts.h"

#define MAX_TIMERS 64

uv_loop_t sim_loop;
static uint64_t loop_ms;
struct chance uv_lags;

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
    turn_after(chance_percent(&uv_lags, 98) ? (int64_t)chance_below(&uv_lags, 30)
                                            : chance_delay(&uv_lags, 100, 20 * MS));
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

static void run_closing(void)
{
    for (size_t i = 0; i < n_closing; i++) {
        uv_handle_t *handle = closing[i];
        if (handle->close_cb) {
            handle->close_cb(handle);
        }
    }
    n_closing = 0;
    stream_tell_written();
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
        turn_after(chance_percent(&uv_lags, 98) ? (int64_t)chance_below(&uv_lags, 50)
                                                : chance_delay(&uv_lags, 100, 20 * MS));
    }
    turn_for_timers();
}

void loop_reset(void)
{
    chance_seed(&uv_lags, sim.seed, 1);
    n_ready = n_timers = n_prepares = n_closing = 0;
    turn_is_due = false;
    turn_number++;
    frozen_until_us = 0;
    loop_ms = (uint64_t)(now_us() / MS);
    wires_reset();
}

void loop_finish(void)
{
    n_ready = 0;
    turn_is_due = false;
    turn_number++;
    frozen_until_us = 0;
    do {
        run_closing();
    } while (jobs_end_one() || n_closing > 0);
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
        stream_close((const uv_stream_t *)handle);
    }
    handle->flags |= FLAG_CLOSING;
    handle->close_cb = call;
    if (n_closing == sizeof(closing) / sizeof(closing[0])) {
        abort();
    }
    closing[n_closing++] = handle;
    turn_after(0);
}
