/* SPDX-License-Identifier: MIT */
/* Fetches of one app alone, and the short memory of those that are not there. */
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define FEED_ABSENT_MS 2000 /* how long an app's 404 is remembered */

/* A fetch of one app. */
struct feed_app {
    struct engine *engine;
    char *id;
    uint64_t stamp;
    uint64_t started_ns;
    struct client_fetch *fetch;
    struct buf body;
    bool again; /* asked for while in flight: the answer may have told it all the same */
};

struct feed_absent {
    char *id;
    uint64_t until_ms;
    bool again; /* asked for meanwhile: it may be there by now */
    struct feed_absent *next;
};

static void feed_app_free(struct feed_app *single)
{
    buf_free(&single->body);
    free(single->id);
    free(single);
}

/* ---- apps that are not there ---- */

static void feed_absent_free(struct feed_absent *absent)
{
    free(absent->id);
    free(absent);
}

/* The oldest stands first, and each is remembered equally long. */
static void feed_forget_absent(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    struct feed *feed = &engine->feed;
    while (feed->first_absent && feed->first_absent->until_ms <= uv_now(engine->loop)) {
        struct feed_absent *absent = feed->first_absent;
        feed->first_absent = absent->next;
        table_remove(&feed->absent, absent->id);
        if (absent->again && cluster_wants_app(feed->cluster, absent->id)) {
            feed_fetch_app(engine, absent->id);
        }
        feed_absent_free(absent);
    }
    if (!feed->first_absent) {
        feed->last_absent = &feed->first_absent;
        uv_timer_stop(timer);
    }
}

static void feed_remember_absent(struct engine *engine, const char *id)
{
    struct feed *feed = &engine->feed;
    if (feed->absent.count >= ENGINE_MAX_ABSENT) {
        return;
    }
    struct feed_absent *absent = MEM_NEW(struct feed_absent);
    *absent = (struct feed_absent){.id = mem_strdup(id), .until_ms = uv_now(engine->loop) + FEED_ABSENT_MS};
    table_put(&feed->absent, absent->id, absent);
    *feed->last_absent = absent;
    feed->last_absent = &absent->next;
    if (!uv_is_active((uv_handle_t *)feed->absent_timer)) {
        uv_timer_start(feed->absent_timer, feed_forget_absent, FEED_ABSENT_MS, FEED_ABSENT_MS / 4);
    }
}

/* ---- answers ---- */

static int feed_app_data(void *arg, const char *data, size_t len)
{
    struct feed_app *single = arg;
    if (single->body.len + len > MARATHON_MAX_APP_BYTES) {
        return SLOTD_E_LIMIT;
    }
    buf_append(&single->body, data, len);
    return 0;
}

static void feed_app_parsed(struct engine *engine, struct feed_app *single)
{
    struct marathon_app *app = NULL;
    cleanup_free char *id = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = marathon_app_parse(buf_text(&single->body), single->body.len, &app, &id, &why);
    if (err) {
        log_warning("marathon", "the answer for app %s is not usable: %s", single->id, buf_text(&why));
        if (id && strcmp(id, single->id) == 0) {
            cluster_put_malformed_single(engine->feed.cluster, single->stamp, id, buf_text(&why));
        }
    } else if (strcmp(app->id, single->id) != 0) {
        log_warning("marathon", "asked for app %s and got %s: left aside", single->id, app->id);
        marathon_app_free(app);
    } else {
        cluster_put_single_app(engine->feed.cluster, single->stamp, app);
    }
}

static void feed_app_done(void *arg, int err, long status, const char *why)
{
    struct feed_app *single = arg;
    struct engine *engine = single->engine;
    engine_note_receipt(engine);
    table_remove(&engine->feed.single, single->id);
    if (!err) {
        histogram_add(&engine->feed.app_fetches, uv_hrtime() - single->started_ns);
        feed_app_parsed(engine, single);
    } else if (status == 404) {
        cluster_put_single_missing(engine->feed.cluster, single->stamp, single->id);
        feed_remember_absent(engine, single->id);
    } else {
        log_warning("marathon", "app %s could not be fetched: %s", single->id, why[0] ? why : error_text(err));
        /* What it would have told comes with the next complete answer, which follows soon. */
        feed_confirm_soon(engine);
    }
    readiness_answered(engine->readiness, single->id);
    if (single->again && cluster_wants_app(engine->feed.cluster, single->id)) {
        /* After a 404 that only asks to be fetched once that is forgotten. */
        feed_fetch_app(engine, single->id);
    }
    feed_app_free(single);
}

/* ---- asking ---- */

void feed_fetch_app(struct engine *engine, const char *id)
{
    static const struct client_fetch_events events = {.on_data = feed_app_data, .on_done = feed_app_done};
    struct feed *feed = &engine->feed;
    struct feed_app *running = table_get(&feed->single, id);
    struct feed_absent *absent = table_get(&feed->absent, id);
    if (running) {
        running->again = true;
        return;
    }
    if (absent) {
        absent->again = true;
        return;
    }
    struct feed_app *single = MEM_NEW(struct feed_app);
    single->engine = engine;
    single->id = mem_strdup(id);
    single->stamp = cluster_begin_single(feed->cluster);
    single->started_ns = uv_hrtime();
    table_put(&feed->single, single->id, single);
    single->fetch = client_fetch_start(feed->client, CLIENT_FETCH_APP, single->id, &events, single);
}

bool feed_is_fetching_app(const struct engine *engine, const char *id)
{
    return table_get(&engine->feed.single, id) != NULL;
}

/* ---- life ---- */

void feed_apps_init(struct engine *engine)
{
    struct feed *feed = &engine->feed;
    table_init(&feed->single, engine->seed);
    table_init(&feed->absent, engine->seed);
    feed->last_absent = &feed->first_absent;
    feed->absent_timer = MEM_NEW(uv_timer_t);
    uv_timer_init(engine->loop, feed->absent_timer);
    feed->absent_timer->data = engine;
}

void feed_apps_stop(struct feed *feed)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&feed->single, &position))) {
        struct feed_app *single = entry->value;
        client_fetch_cancel(single->fetch);
        feed_app_free(single);
    }
    table_free(&feed->single);
}

void feed_apps_close(struct feed *feed)
{
    struct feed_absent *next = NULL;
    for (struct feed_absent *absent = feed->first_absent; absent; absent = next) {
        next = absent->next;
        feed_absent_free(absent);
    }
    table_free(&feed->absent);
    engine_close_handle((uv_handle_t *)feed->absent_timer);
}
