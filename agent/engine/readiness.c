/* SPDX-License-Identifier: MIT */
/* Apps with tasks that are not ready yet: asked about, each alone, as long as their deployment moves, and mapped again
 * at the moment when a task becomes ready by its age. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

#define READINESS_MIN_MS UINT64_C(50)
#define READINESS_MAX_MS UINT64_C(10000)
#define READINESS_DUTY 3    /* a pause is at least that many times what the answer took: Marathon has other work */
#define READINESS_AGING 100 /* and a hundredth of the time since something changed: a stuck deployment costs little */
#define READINESS_MAX_ASKED 4

struct awaiting {
    char *id;
    uint64_t changed_ms, due_ms, asked_ms; /* of the loop's clock */
    bool asked;                            /* an answer is under way */
    int64_t ready_ms;                      /* since 1970; MARATHON_NO_TIME: age changes nothing */
};

struct readiness {
    struct engine *engine;
    struct table apps; /* id to struct awaiting */
    size_t n_asked;
    uv_timer_t *timer;
};

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void awaiting_free(struct awaiting *awaiting)
{
    free(awaiting->id);
    free(awaiting);
}

/* ---- when ---- */

static void readiness_tick(uv_timer_t *timer);

static uint64_t awaiting_wake_ms(const struct readiness *readiness, const struct awaiting *awaiting)
{
    uint64_t wake = UINT64_MAX;
    if (!awaiting->asked && readiness->n_asked < READINESS_MAX_ASKED) {
        wake = awaiting->due_ms;
    }
    if (awaiting->ready_ms != MARATHON_NO_TIME) {
        int64_t left = awaiting->ready_ms - engine_now_ms();
        wake = min_of(wake, uv_now(readiness->engine->loop) + (left > 0 ? (uint64_t)left : 0));
    }
    return wake;
}

static void readiness_schedule(struct readiness *readiness)
{
    uint64_t now = uv_now(readiness->engine->loop);
    uint64_t wake = UINT64_MAX;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&readiness->apps, &position))) {
        wake = min_of(wake, awaiting_wake_ms(readiness, entry->value));
    }
    if (wake == UINT64_MAX) {
        uv_timer_stop(readiness->timer);
    } else {
        uv_timer_start(readiness->timer, readiness_tick, wake > now ? wake - now : 0, 0);
    }
}

/* ---- asking ---- */

static void awaiting_ask(struct readiness *readiness, struct awaiting *awaiting)
{
    struct engine *engine = readiness->engine;
    uint64_t now = uv_now(engine->loop);
    if (feed_is_fetching_app(engine, awaiting->id)) {
        awaiting->due_ms = now + READINESS_MIN_MS;
        return;
    }
    feed_fetch_app(engine, awaiting->id);
    awaiting->asked = feed_is_fetching_app(engine, awaiting->id);
    awaiting->asked_ms = now;
    awaiting->due_ms = now + READINESS_MAX_MS;
    readiness->n_asked += awaiting->asked;
}

static void readiness_tick(uv_timer_t *timer)
{
    struct readiness *readiness = timer->data;
    struct engine *engine = readiness->engine;
    uint64_t now = uv_now(engine->loop);
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&readiness->apps, &position))) {
        struct awaiting *awaiting = entry->value;
        if (awaiting->ready_ms != MARATHON_NO_TIME && awaiting->ready_ms <= engine_now_ms()) {
            awaiting->ready_ms = MARATHON_NO_TIME;
            engine_note_receipt(engine);
            cluster_mark_app_dirty(engine->feed.cluster, awaiting->id);
        }
        if (!awaiting->asked && awaiting->due_ms <= now && readiness->n_asked < READINESS_MAX_ASKED) {
            awaiting_ask(readiness, awaiting);
        }
    }
    readiness_schedule(readiness);
}

void readiness_answered(struct readiness *readiness, const char *id)
{
    struct awaiting *awaiting = table_get(&readiness->apps, id);
    uint64_t now = uv_now(readiness->engine->loop);
    if (!awaiting || !awaiting->asked) {
        return;
    }
    uint64_t pause =
        max_of((now - awaiting->asked_ms) * READINESS_DUTY, (now - awaiting->changed_ms) / READINESS_AGING);
    awaiting->asked = false;
    readiness->n_asked--;
    awaiting->due_ms = now + min_of(max_of(pause, READINESS_MIN_MS), READINESS_MAX_MS);
    readiness_schedule(readiness);
}

void readiness_cancel(struct readiness *readiness)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&readiness->apps, &position))) {
        ((struct awaiting *)entry->value)->asked = false;
    }
    readiness->n_asked = 0;
}

/* ---- who waits ---- */

void readiness_forget(struct readiness *readiness, const char *id)
{
    struct awaiting *awaiting = table_remove(&readiness->apps, id);
    if (awaiting) {
        readiness->n_asked -= awaiting->asked;
        awaiting_free(awaiting);
        readiness_schedule(readiness);
    }
}

void readiness_note(struct readiness *readiness, const struct app_mapping *mapping)
{
    uint64_t now = uv_now(readiness->engine->loop);
    struct awaiting *awaiting = table_get(&readiness->apps, mapping->app);
    if (mapping->n_unready == 0) {
        if (awaiting) {
            readiness_forget(readiness, mapping->app);
        }
        return;
    }
    if (!awaiting) {
        awaiting = MEM_NEW(struct awaiting);
        awaiting->id = mem_strdup(mapping->app);
        awaiting->due_ms = UINT64_MAX;
        table_put(&readiness->apps, awaiting->id, awaiting);
    }
    awaiting->changed_ms = now;
    /* Never later than before: an app that changes all the time would not be asked about. */
    awaiting->due_ms = min_of(awaiting->due_ms, now + READINESS_MIN_MS);
    awaiting->ready_ms = mapping->next_ready_ms;
    readiness_schedule(readiness);
}

/* ---- life ---- */

struct readiness *readiness_new(struct engine *engine)
{
    struct readiness *readiness = MEM_NEW(struct readiness);
    readiness->engine = engine;
    table_init(&readiness->apps, engine->seed);
    readiness->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(engine->loop, readiness->timer);
    readiness->timer->data = readiness;
    return readiness;
}

void readiness_close(struct readiness *readiness)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&readiness->apps, &position))) {
        awaiting_free(entry->value);
    }
    table_free(&readiness->apps);
    engine_close_handle((uv_handle_t *)readiness->timer);
    free(readiness);
}
