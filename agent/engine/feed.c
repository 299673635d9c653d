/* SPDX-License-Identifier: MIT */
/* Marathon's side of the engine: stream and answers into the cluster, and when to ask again. */
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define FEED_CONFIRM_MS UINT64_C(500) /* the fetch that confirms an absence; contract.md allows 2 s */
#define FEED_RETRY_MIN_MS 250
#define FEED_RETRY_MAX_MS 30000
#define FEED_UNKNOWN_PATIENCE 10   /* answers in a row that unreadable apps may keep from saying who is absent */
#define FEED_LIVE_PATIENCE_MS 3000 /* without a stream by then, answers alone have to do */

static void feed_set_error(struct feed *feed, const char *error)
{
    free(feed->error);
    feed->error = mem_strdup(error);
}

/* ---- the complete fetch ---- */

static void feed_timer(uv_timer_t *timer)
{
    feed_fetch_all(timer->data);
}

static void feed_schedule(struct engine *engine, uint64_t after_ms)
{
    engine->feed.due_ms = uv_now(engine->loop) + after_ms;
    uv_timer_start(engine->feed.timer, feed_timer, after_ms, 0);
}

/* The interval of complete fetches, with a jitter of a tenth so that several daemons do not ask together. */
static uint64_t feed_resync_ms(const struct engine *engine)
{
    uint64_t interval = (uint64_t)engine->config->marathon.resync_interval;
    uint64_t jitter = table_hash(engine->seed, &engine->feed.stamp, sizeof(engine->feed.stamp)) % (interval / 10 + 1);
    return interval - interval / 20 + jitter;
}

/* What is not confirmed or held, or could not be fetched alone, wants another answer soon: the first good one ends it.
 * What is held, or in doubt for an app that cannot be read, can wait longer and longer. */
static uint64_t feed_next_ms(const struct engine *engine)
{
    const struct feed *feed = &engine->feed;
    uint64_t resync = feed_resync_ms(engine);
    bool wanted = feed->last.verdict != CLUSTER_GOOD || feed->wanted_soon;
    unsigned held = feed->held_answers < 5 ? feed->held_answers : 5;
    uint64_t soon = FEED_CONFIRM_MS << (wanted ? held : feed->unknown_answers);
    wanted = wanted || !feed->tells_absence;
    return !wanted || soon > resync ? resync : soon;
}

static uint64_t feed_retry_ms(const struct engine *engine)
{
    uint64_t delay = FEED_RETRY_MIN_MS;
    for (unsigned i = 1; i < engine->feed.failures && delay < FEED_RETRY_MAX_MS; i++) {
        delay *= 2;
    }
    delay = delay < FEED_RETRY_MAX_MS ? delay : FEED_RETRY_MAX_MS;
    uint64_t jitter = table_hash(engine->seed, &engine->feed.failures, sizeof(engine->feed.failures)) % (delay / 4 + 1);
    return delay - delay / 4 + jitter;
}

/* Never later than planned, or a steady row of wishes would put it off for ever; nor sooner than the back-off allows.
 */
void feed_confirm_soon(struct engine *engine)
{
    struct feed *feed = &engine->feed;
    if (feed->fetch) {
        feed->wanted_soon = true;
    } else if (feed->failures == 0 && feed->due_ms > uv_now(engine->loop) + FEED_CONFIRM_MS) {
        feed_schedule(engine, FEED_CONFIRM_MS);
    }
}

void feed_seek_confidence(struct engine *engine)
{
    if (engine->feed.tells_absence) {
        feed_confirm_soon(engine);
    }
}

static int feed_listed_app(void *arg, const char *json, size_t len)
{
    struct engine *engine = arg;
    struct marathon_app *app = NULL;
    char *id = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = marathon_app_parse(json, len, &app, &id, &why);
    if (!err) {
        cluster_put_listed_app(engine->feed.cluster, engine->feed.stamp, app);
    } else if (id) {
        struct cluster_view view;
        cluster_put_malformed_app(engine->feed.cluster, engine->feed.stamp, id, buf_text(&why));
        engine->feed.unknown += !cluster_get_app(engine->feed.cluster, id, &view) || !view.has_definition;
    }
    if (err && !id) {
        engine->feed.unreadable++;
        log_warning("marathon", "an app in the answer has no readable id: %s",
                    why.len ? buf_text(&why) : error_text(err));
    }
    free(id);
    return 0;
}

static int feed_answer_data(void *arg, const char *data, size_t len)
{
    struct engine *engine = arg;
    engine_note_receipt(engine);
    return apps_reader_feed(engine->feed.reader, data, len);
}

static void feed_answer_failed(struct engine *engine, const char *why)
{
    struct feed *feed = &engine->feed;
    cluster_abandon_fetch(feed->cluster, feed->stamp);
    feed->failures++;
    feed->answers[ENGINE_ANSWER_BAD]++;
    if (!feed->error || strcmp(feed->error, why) != 0) {
        log_warning("marathon", "the answer of /v2/apps is not usable, what runs stays as it is: %s", why);
    }
    feed_set_error(feed, why);
    feed_schedule(engine, feed_retry_ms(engine));
    engine_answer_applied(engine, feed->stamp, false);
}

/* Slots, routes and leases that nobody claims may be those of an app whose definition could not be read since slotd
 * began: such an answer does not say that nobody is there. Not for ever, or one broken app would keep all others'
 * leftovers; nor later, since an app that comes to be then can have nothing yet. */
static void feed_judge_absence(struct engine *engine)
{
    struct feed *feed = &engine->feed;
    bool is_doubtful = feed->unknown > 0 && !feed->confirm_next && !engine_is_confident(engine) &&
                       feed->unknown_answers < FEED_UNKNOWN_PATIENCE;
    if (is_doubtful && feed->unknown_answers == 0) {
        log_warning("marathon",
                    "%zu %s cannot be read, nor could %s before: what no task claims stays as it is for %d complete "
                    "answers in a row. If it is to go now: slotctl confirm",
                    feed->unknown, text_plural(feed->unknown, "app's definition", "apps' definitions"),
                    text_plural(feed->unknown, "it", "they"), FEED_UNKNOWN_PATIENCE);
    }
    feed->unknown_answers += is_doubtful;
    feed->tells_absence = !is_doubtful;
    if (feed->unknown == 0) {
        feed->unknown_answers = 0;
    }
}

static void feed_answer_complete(struct engine *engine)
{
    struct feed *feed = &engine->feed;
    feed->answered = true;
    if (feed->unreadable > 0) {
        /* An app without a readable id cannot be told from one that is missing: what is listed counts, absence does
         * not. */
        feed_answer_failed(engine, "an app in it has no readable id, so that absence cannot be judged");
        return;
    }
    feed->failures = 0;
    feed_set_error(feed, NULL);
    feed->last_sync_ms = engine_now_ms();
    /* The guard compares services: those that this answer has changed, too. */
    engine_map_dirty(engine);
    feed->last = cluster_end_fetch(feed->cluster, feed->stamp);
    feed_judge_absence(engine);
    if (feed->confirm_next) {
        feed->confirm_next = false;
        feed->last.n_removed += cluster_confirm(feed->cluster);
        feed->last.verdict = CLUSTER_GOOD;
    }
    feed->answers[feed->last.verdict]++;
    if (feed->last.verdict != CLUSTER_HELD) {
        feed->held_answers = 0;
        feed->good_answers += feed->tells_absence;
    } else {
        /* What is held can wait longer and longer; what is lacked besides cannot. */
        feed->held_answers = feed->last.n_unconfirmed > 0 ? 1 : feed->held_answers + 1;
    }
    feed_schedule(engine, feed_next_ms(engine));
    engine_answer_applied(engine, feed->stamp, true);
}

static void feed_answer_done(void *arg, int err, long status, const char *why)
{
    struct engine *engine = arg;
    struct feed *feed = &engine->feed;
    cleanup_buf struct buf reason = BUF_INIT;
    feed->fetch = NULL;
    if (!err) {
        histogram_add(&feed->all_fetches, uv_hrtime() - feed->started_ns);
        err = apps_reader_finish(feed->reader, &reason);
    } else {
        buf_puts(&reason, why[0] ? why : error_text(err));
    }
    apps_reader_free(feed->reader);
    feed->reader = NULL;
    if (err) {
        if (feed->client && status == 200) {
            client_fetch_elsewhere(feed->client);
        }
        feed_answer_failed(engine, reason.len ? buf_text(&reason) : error_text(err));
    } else {
        feed_answer_complete(engine);
    }
    if (feed->again) {
        feed_fetch_all(engine);
    }
}

void feed_fetch_all(struct engine *engine)
{
    static const struct client_fetch_events events = {.on_data = feed_answer_data, .on_done = feed_answer_done};
    struct feed *feed = &engine->feed;
    if (feed->fetch) {
        feed->again = true;
        return;
    }
    feed->again = feed->wanted_soon = false;
    feed->unreadable = feed->unknown = 0;
    uv_timer_stop(feed->timer);
    feed->reader = apps_reader_new("apps", MARATHON_MAX_APP_BYTES, feed_listed_app, engine);
    feed->stamp = cluster_begin_fetch(feed->cluster);
    feed->started_ns = uv_hrtime();
    feed->fetch = client_fetch_start(feed->client, CLIENT_FETCH_ALL, NULL, &events, engine);
}

/* ---- the stream ---- */

static void feed_live(void *arg, const char *endpoint)
{
    struct engine *engine = arg;
    log_notice("marathon", "event stream of %s is live", endpoint);
    if (engine->feed.fetch) {
        /* Sent before the subscription: it may miss what happened in between. */
        cluster_abandon_fetch(engine->feed.cluster, engine->feed.stamp);
        client_fetch_cancel(engine->feed.fetch);
        engine->feed.fetch = NULL;
        apps_reader_free(engine->feed.reader);
        engine->feed.reader = NULL;
    }
    feed_fetch_all(engine);
}

static void feed_event(void *arg, const char *name, const char *data, size_t len)
{
    struct engine *engine = arg;
    struct feed *feed = &engine->feed;
    struct marathon_event *event = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    feed->events++;
    feed->last_event_ms = engine_now_ms();
    int err = marathon_event_parse(name, data, len, &event, &why);
    if (err) {
        feed->bad_events++;
        log_warning("marathon", "an event was left aside: %s: %s", name, why.len ? buf_text(&why) : error_text(err));
        return;
    }
    feed->events_by_type[event->type]++;
    cleanup_free char *app_id = mem_strdup(event->app_id);
    enum cluster_effect effect = cluster_apply_event(feed->cluster, event);
    marathon_event_free(event);
    if (effect != CLUSTER_NO_EFFECT) {
        engine_note_receipt(engine);
    }
    if (effect == CLUSTER_FETCH_APP) {
        feed_fetch_app(engine, app_id);
    }
}

static void feed_lost(void *arg, const char *why)
{
    (void)arg;
    log_warning("marathon", "event stream lost, what runs stays as it is: %s", why);
}

/* ---- life ---- */

/* The guard counts what a HAProxy has a backend for. Of one that was never read everything is taken for granted. */
static bool feed_next_service(void *arg, size_t haproxy, const char *app_id, size_t *position, const char **ret_name)
{
    const struct engine *engine = arg;
    const struct app_mapping *mapping = services_get_app(engine->services, app_id);
    const struct edge *edge = haproxy < engine->n_edges ? engine->edges[haproxy] : NULL;
    while (mapping && edge && *position < mapping->n_parts) {
        const struct service *service = services_get(engine->services, mapping->parts[(*position)++].name);
        if (service && (edge->adoptions == 0 || edge_find_backend_of(edge, service))) {
            *ret_name = service->name;
            return true;
        }
    }
    return false;
}

void feed_configure_cluster(struct engine *engine, struct cluster_config *ret_config)
{
    *ret_config = (struct cluster_config){
        .seed = engine->seed,
        .missing_confirmations = (unsigned)engine->config->slots.missing_confirmations,
        .max_removal_percent = (unsigned)engine->config->slots.max_removal_percent,
        .next_service = feed_next_service,
        .arg = engine,
        .n_haproxies = engine->config->n_haproxy,
        .wants_results = engine->config->mapping.respect_readiness_checks,
        .wants_health = engine->config->mapping.drain_unhealthy,
    };
}

void feed_init(struct engine *engine)
{
    struct feed *feed = &engine->feed;
    struct cluster_config config;
    feed_configure_cluster(engine, &config);
    feed->cluster = cluster_new(&config);
    feed_apps_init(engine);
    feed->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(engine->loop, feed->timer);
    feed->timer->data = engine;
}

void feed_start(struct engine *engine)
{
    static const struct client_events events = {.on_live = feed_live, .on_event = feed_event, .on_lost = feed_lost};
    int err = client_new(engine->loop, &engine->config->marathon, &events, engine, &engine->feed.client);
    if (err) {
        log_error("marathon", "the client cannot be made: %s", error_text(err));
        abort();
    }
    client_start(engine->feed.client);
    feed_schedule(engine, FEED_LIVE_PATIENCE_MS);
}

static void feed_stop_fetches(struct feed *feed)
{
    feed_apps_stop(feed);
    if (feed->fetch) {
        cluster_abandon_fetch(feed->cluster, feed->stamp);
        client_fetch_cancel(feed->fetch);
        apps_reader_free(feed->reader);
        feed->fetch = NULL;
        feed->reader = NULL;
    }
}

void feed_stop_client(struct engine *engine)
{
    feed_stop_fetches(&engine->feed);
    readiness_cancel(engine->readiness);
    if (engine->feed.client) {
        client_close(engine->feed.client);
        engine->feed.client = NULL;
    }
}

void feed_close(struct engine *engine)
{
    struct feed *feed = &engine->feed;
    feed_stop_client(engine);
    feed_apps_close(feed);
    engine_close_handle((uv_handle_t *)feed->timer);
    cluster_free(feed->cluster);
    free(feed->error);
}
