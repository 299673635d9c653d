/* SPDX-License-Identifier: MIT */
/* What HAProxy does not tell by itself and something depends on: sessions that end, health checks that pass. Backends
 * with such are asked about, seldomer the longer it takes; and what time alone decides is planned then. */
#include "engine_private.h"
#include "slotd/mem.h"

#define WATCH_MIN_MS UINT64_C(50)
#define WATCH_MAX_MS UINT64_C(1000)
#define WATCH_AGING 20 /* a pause is that part of the time since something happened there */
#define WATCH_MAX_ASKED 8

struct watched {
    char *backend;
    uint64_t since_ms, due_ms; /* of the loop's clock */
    int64_t deadline_ms;       /* since 1970: the next time at which a drain by an operator goes to maint */
    int64_t again_ms;          /* of the loop's clock: the next time at which a plan is due */
};

struct watches {
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

static void watches_tick(uv_timer_t *timer);

static void watches_schedule(struct watches *watches)
{
    if (watches->watched.count > 0) {
        /* Not set anew: a backend that changes all the time would put every look off. */
        if (!watches->ticking) {
            watches->ticking = true;
            uv_timer_start(watches->timer, watches_tick, WATCH_MIN_MS, 0);
        }
        return;
    }
    watches->ticking = false;
    if (watches->expires_ms != ORDERS_NEVER) {
        int64_t left = watches->expires_ms - engine_now_ms();
        uv_timer_start(watches->timer, watches_tick, left > 0 ? (uint64_t)left : 0, 0);
    } else {
        uv_timer_stop(watches->timer);
    }
}

static struct watched *watches_ensure(struct watches *watches, const char *backend)
{
    struct watched *watched = table_get(&watches->watched, backend);
    if (!watched) {
        watched = MEM_NEW(struct watched);
        watched->backend = mem_strdup(backend);
        watched->since_ms = watched->due_ms = uv_now(watches->engine->loop);
        watched->deadline_ms = ORDERS_NEVER;
        watched->again_ms = SLOTS_NEVER;
        table_put(&watches->watched, watched->backend, watched);
    }
    watches_schedule(watches);
    return watched;
}

void watches_note_drain(struct watches *watches, const char *backend, int64_t deadline_ms)
{
    struct watched *watched = watches_ensure(watches, backend);
    watched->since_ms = watched->due_ms = uv_now(watches->engine->loop);
    watched->deadline_ms = deadline_ms;
}

void watches_note_plan(struct watches *watches, const char *backend, bool awaits, bool changes, int64_t again_ms)
{
    struct watched *watched = table_get(&watches->watched, backend);
    if (!watched && !awaits && again_ms == SLOTS_NEVER) {
        return;
    }
    watched = watched ? watched : watches_ensure(watches, backend);
    watched->again_ms = again_ms < watched->again_ms ? again_ms : watched->again_ms;
    if (changes) {
        watched->since_ms = watched->due_ms = uv_now(watches->engine->loop);
    }
}

static void watches_forget(struct watches *watches, const char *backend)
{
    struct watched *watched = table_remove(&watches->watched, backend);
    if (watched) {
        watched_free(watched);
    }
}

/* ---- asking ---- */

/* Edges end before watches do, and fail what is under way. */
static void watches_answered(void *arg)
{
    struct watches *watches = arg;
    watches->n_asked--;
}

/* Returns whether it was allowed. */
static bool watches_ask(struct watches *watches, struct edge_backend *backend,
                        void (*read)(struct edge_backend *backend, engine_surveyed *done, void *arg))
{
    if (watches->n_asked >= WATCH_MAX_ASKED) {
        return false;
    }
    watches->n_asked++;
    read(backend, watches_answered, watches);
    return true;
}

static uint64_t watched_pause(const struct watched *watched, uint64_t now)
{
    uint64_t pause = (now - watched->since_ms) / WATCH_AGING;
    return pause < WATCH_MIN_MS ? WATCH_MIN_MS : pause > WATCH_MAX_MS ? WATCH_MAX_MS : pause;
}

/* Asks each HAProxy for what is awaited there. One that is due and may not ask stays due, ahead of those that did.
 * Returns whether something is awaited. */
static bool watched_ask(struct watches *watches, struct watched *watched)
{
    struct engine *engine = watches->engine;
    uint64_t now = uv_now(engine->loop);
    bool is_due = watched->due_ms <= now;
    bool is_allowed = true;
    bool awaits = false;
    for (size_t i = 0; i < engine->n_edges; i++) {
        struct edge_backend *backend = edge_find_backend(engine->edges[i], watched->backend);
        bool sessions = backend && slots_await_sessions(backend->slots);
        bool health = backend && slots_await_health(backend->slots);
        awaits = awaits || sessions || health;
        if (is_due && engine->edges[i]->adopted) {
            is_allowed = (!sessions || watches_ask(watches, backend, edge_read_sessions)) && is_allowed;
            is_allowed = (!health || watches_ask(watches, backend, edge_read_rows)) && is_allowed;
        }
    }
    if (is_due && is_allowed) {
        watched->due_ms = now + watched_pause(watched, now);
    }
    return awaits;
}

static void watched_plan_again(struct watches *watches, struct watched *watched)
{
    struct engine *engine = watches->engine;
    watched->again_ms = SLOTS_NEVER;
    engine_note_receipt(engine);
    for (size_t i = 0; i < engine->n_edges; i++) {
        struct edge_backend *backend = edge_find_backend(engine->edges[i], watched->backend);
        if (backend && engine->edges[i]->adopted) {
            edge_mark_dirty(backend);
        }
    }
}

/* Returns whether the backend still waits for something. */
static bool watched_look(struct watches *watches, struct watched *watched)
{
    struct engine *engine = watches->engine;
    if (watched->deadline_ms <= engine_now_ms()) {
        watched->deadline_ms = ORDERS_NEVER;
        engine_note_receipt(engine);
        engine_refresh_backend(engine, watched->backend);
        return true;
    }
    if (watched->again_ms <= (int64_t)uv_now(engine->loop)) {
        watched_plan_again(watches, watched);
        return true;
    }
    bool awaits = watched_ask(watches, watched);
    return awaits || watched->deadline_ms != ORDERS_NEVER || watched->again_ms != SLOTS_NEVER;
}

static void watches_expire(struct watches *watches)
{
    if (watches->expires_ms <= engine_now_ms()) {
        engine_expire_orders(watches->engine);
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
static void watches_tick(uv_timer_t *timer)
{
    struct watches *watches = timer->data;
    size_t count = 0;
    size_t position = 0;
    struct table_entry *entry;
    watches->ticking = false;
    engine_follow_clock(watches->engine);
    watches_expire(watches);
    struct watched **list = mem_alloc_array(watches->watched.count, sizeof(*list));
    /* A look may add to the table. */
    while ((entry = table_next(&watches->watched, &position))) {
        list[count++] = entry->value;
    }
    if (count > 1) {
        qsort(list, count, sizeof(*list), compare_due);
    }
    for (size_t i = 0; i < count; i++) {
        if (!watched_look(watches, list[i])) {
            watches_forget(watches, list[i]->backend);
        }
    }
    free(list);
    watches_schedule(watches);
}

void watches_set_expiry(struct watches *watches, int64_t expires_ms)
{
    watches->expires_ms = expires_ms;
    watches_schedule(watches);
}

void watches_shift(struct watches *watches, int64_t by_ms)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&watches->watched, &position))) {
        struct watched *watched = entry->value;
        watched->deadline_ms += watched->deadline_ms != ORDERS_NEVER ? by_ms : 0;
    }
    watches->expires_ms += watches->expires_ms != ORDERS_NEVER ? by_ms : 0;
}

/* ---- life ---- */

struct watches *watches_new(struct engine *engine)
{
    struct watches *watches = MEM_NEW(struct watches);
    watches->engine = engine;
    watches->expires_ms = ORDERS_NEVER;
    table_init(&watches->watched, engine->seed);
    watches->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(engine->loop, watches->timer);
    watches->timer->data = watches;
    return watches;
}

void watches_close(struct watches *watches)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&watches->watched, &position))) {
        watched_free(entry->value);
    }
    table_free(&watches->watched);
    engine_close_handle((uv_handle_t *)watches->timer);
    free(watches);
}
