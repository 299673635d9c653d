/* SPDX-License-Identifier: MIT */
/* Drains that operators have asked for: which endpoints they concern, when sessions are asked for, when they end. */
#include "engine_private.h"
#include "slotd/mem.h"

#define DRAIN_MIN_MS UINT64_C(50)
#define DRAIN_MAX_MS UINT64_C(1000)
#define DRAIN_AGING 20 /* a pause is that part of the time since the backend began to drain */
#define DRAIN_MAX_ASKED 8

/* A backend with endpoints that an operator drains. */
struct watched {
    char *backend;
    uint64_t since_ms, due_ms; /* of the loop's clock */
    int64_t deadline_ms;       /* since 1970: the next time at which one of them goes to maint; ORDERS_NEVER: none */
};

struct drains {
    struct engine *engine;
    struct table watched; /* backend to struct watched */
    size_t n_asked;       /* answers under way */
    int64_t expires_ms;   /* since 1970: when the next order ends by itself */
    uv_timer_t *timer;
    bool ticking; /* the timer is set for the watched ones */
};

static void watched_free(struct watched *watched)
{
    free(watched->backend);
    free(watched);
}

/* ---- when ---- */

static void drains_tick(uv_timer_t *timer);

static void drains_schedule(struct drains *drains)
{
    if (drains->watched.count > 0) {
        /* Not set anew: a backend that changes all the time would put every look off. */
        if (!drains->ticking) {
            drains->ticking = true;
            uv_timer_start(drains->timer, drains_tick, DRAIN_MIN_MS, 0);
        }
        return;
    }
    drains->ticking = false;
    if (drains->expires_ms != ORDERS_NEVER) {
        int64_t left = drains->expires_ms - engine_now_ms();
        uv_timer_start(drains->timer, drains_tick, left > 0 ? (uint64_t)left : 0, 0);
    } else {
        uv_timer_stop(drains->timer);
    }
}

void drains_note(struct drains *drains, const char *backend, int64_t deadline_ms)
{
    struct watched *watched = table_get(&drains->watched, backend);
    uint64_t now = uv_now(drains->engine->loop);
    if (!watched) {
        watched = MEM_NEW(struct watched);
        watched->backend = mem_strdup(backend);
        table_put(&drains->watched, watched->backend, watched);
    }
    watched->since_ms = watched->due_ms = now;
    watched->deadline_ms = deadline_ms;
    drains_schedule(drains);
}

static void drains_forget(struct drains *drains, const char *backend)
{
    struct watched *watched = table_remove(&drains->watched, backend);
    if (watched) {
        watched_free(watched);
    }
}

/* ---- asking ---- */

/* Edges end before drains do, and fail what is under way. */
static void drains_answered(void *arg)
{
    struct drains *drains = arg;
    drains->n_asked--;
}

static void drains_ask(struct drains *drains, struct edge_backend *backend)
{
    drains->n_asked++;
    edge_read_sessions(backend, drains_answered, drains);
}

/* Returns whether the backend still waits for something. One that is due and may not ask stays due, ahead of those that
 * did. */
static bool watched_look(struct drains *drains, struct watched *watched)
{
    struct engine *engine = drains->engine;
    uint64_t now = uv_now(engine->loop);
    bool was_due = watched->due_ms <= now;
    bool is_denied = false;
    bool waits = false;
    if (watched->deadline_ms <= engine_now_ms()) {
        watched->deadline_ms = ORDERS_NEVER;
        engine_note_receipt(engine);
        engine_refresh_backend(engine, watched->backend);
        return true;
    }
    for (size_t i = 0; i < engine->n_edges; i++) {
        struct edge *edge = engine->edges[i];
        struct edge_backend *backend = edge_find_backend(edge, watched->backend);
        bool awaits = backend && slots_await_sessions(backend->slots);
        if (awaits && edge->adopted && was_due) {
            is_denied = is_denied || drains->n_asked >= DRAIN_MAX_ASKED;
            if (!is_denied) {
                drains_ask(drains, backend);
            }
        }
        waits = waits || awaits;
    }
    if (was_due && !is_denied) {
        uint64_t pause = (now - watched->since_ms) / DRAIN_AGING;
        pause = pause < DRAIN_MIN_MS ? DRAIN_MIN_MS : pause > DRAIN_MAX_MS ? DRAIN_MAX_MS : pause;
        watched->due_ms = now + pause;
    }
    return waits;
}

static void drains_expire(struct drains *drains)
{
    if (drains->expires_ms <= engine_now_ms()) {
        engine_expire_orders(drains->engine);
    }
}

static int compare_due(const void *a, const void *b)
{
    const struct watched *left = *(const struct watched *const *)a;
    const struct watched *right = *(const struct watched *const *)b;
    return left->due_ms < right->due_ms ? -1 : left->due_ms > right->due_ms;
}

/* Those that have been due longest come first: in the table's order a few with sessions that stay would keep all others
 * from being asked about. */
static void drains_tick(uv_timer_t *timer)
{
    struct drains *drains = timer->data;
    size_t count = 0;
    size_t position = 0;
    struct table_entry *entry;
    drains->ticking = false;
    drains_expire(drains);
    struct watched **list = mem_alloc_array(drains->watched.count, sizeof(*list));
    /* A look may add to the table. */
    while ((entry = table_next(&drains->watched, &position))) {
        list[count++] = entry->value;
    }
    if (count > 1) {
        qsort(list, count, sizeof(*list), compare_due);
    }
    for (size_t i = 0; i < count; i++) {
        if (!watched_look(drains, list[i]) && list[i]->deadline_ms == ORDERS_NEVER) {
            drains_forget(drains, list[i]->backend);
        }
    }
    free(list);
    drains_schedule(drains);
}

void drains_set_expiry(struct drains *drains, int64_t expires_ms)
{
    drains->expires_ms = expires_ms;
    drains_schedule(drains);
}

/* ---- life ---- */

struct drains *drains_new(struct engine *engine)
{
    struct drains *drains = MEM_NEW(struct drains);
    drains->engine = engine;
    drains->expires_ms = ORDERS_NEVER;
    table_init(&drains->watched, engine->seed);
    drains->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(engine->loop, drains->timer);
    drains->timer->data = drains;
    return drains;
}

void drains_close(struct drains *drains)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&drains->watched, &position))) {
        watched_free(entry->value);
    }
    table_free(&drains->watched);
    engine_close_handle((uv_handle_t *)drains->timer);
    free(drains);
}
