/* SPDX-License-Identifier: MIT */
/* What operators have asked for, weights and drains: taken, kept on disk, applied, and ended with what it is about. */
#include <errno.h>
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- what an order concerns ---- */

static void engine_refresh_app(struct engine *engine, const char *app)
{
    const struct app_mapping *mapping = services_get_app(engine->services, app);
    engine_note_receipt(engine);
    for (size_t i = 0; mapping && i < mapping->n_parts; i++) {
        const struct service *service = services_get(engine->services, mapping->parts[i].name);
        if (service) {
            engine_refresh_service(engine, service->backend);
        }
    }
}

/* The app that an order's target belongs to, or NULL: nobody knows such a one. */
static const char *engine_find_target(const struct engine *engine, enum order_target target, const char *name)
{
    struct cluster_view view;
    if (target == ORDER_TASK) {
        return cluster_find_app_of_task(engine->feed.cluster, name);
    }
    return cluster_get_app(engine->feed.cluster, name, &view) && !view.removed ? view.app->id : NULL;
}

static void engine_refresh_host(struct engine *engine, const char *host)
{
    size_t count = 0;
    const struct service **list = services_list(engine->services, &count);
    for (size_t i = 0; i < count; i++) {
        if (service_is_on_host(list[i], host)) {
            engine_refresh_service(engine, list[i]->backend);
        }
    }
    free(list);
}

static void engine_refresh_target(struct engine *engine, enum order_target target, const char *name)
{
    engine_note_receipt(engine);
    if (target == ORDER_HOST) {
        engine_refresh_host(engine, name);
    } else if (target == ORDER_SLOT) {
        cleanup_free char *backend = mem_strndup(name, strcspn(name, "/"));
        engine_refresh_backend(engine, backend);
    } else {
        const char *app = engine_find_target(engine, target, name);
        engine_refresh_app(engine, app ? app : name);
    }
}

static bool engine_has_target(const struct engine *engine, enum order_target target, const char *name)
{
    if (target == ORDER_HOST) {
        return true; /* also for tasks that start there later */
    }
    if (target == ORDER_SLOT) {
        cleanup_free char *backend_name = mem_strndup(name, strcspn(name, "/"));
        for (size_t i = 0; i < engine->n_edges; i++) {
            const struct edge_backend *backend = edge_find_backend(engine->edges[i], backend_name);
            for (size_t k = 0; backend && k < slots_count(backend->slots); k++) {
                struct slot_view view = slots_view(backend->slots, k);
                if (view.state != SLOT_ABSENT && strcmp(view.observed->server, name + strlen(backend_name) + 1) == 0) {
                    return true;
                }
            }
        }
        return false;
    }
    return engine_find_target(engine, target, name) != NULL;
}

/* ---- taking ---- */

/* Reads the order's words; by and time are filled in. *ret_name is the caller's. */
static int weight_words_parse(const char *const *words, size_t count, struct weight_order *order, bool *ret_reset,
                              char **ret_name, struct buf *why)
{
    if (count != 3) {
        buf_puts(why, "weight takes app ID or task ID, and N, N% or reset");
        return SLOTD_E_PARSE;
    }
    int err = order_target_parse(words[0], &order->target, why);
    if (!err && order->target != ORDER_APP && order->target != ORDER_TASK) {
        buf_puts(why, "apps and tasks alone have weights: app ID or task ID would be right");
        err = SLOTD_E_TYPE;
    }
    *ret_reset = strcmp(words[2], "reset") == 0;
    if (!err && !*ret_reset) {
        err = weight_order_parse_value(words[2], &order->is_share, &order->value, why);
    }
    return err ? err : order_name_parse(order->target, words[1], ret_name, why);
}

int engine_order_weight(struct engine *engine, const char *const *words, size_t count, const char *by, struct buf *why)
{
    struct weight_order order = {.by = by, .asked_ms = engine_now_ms()};
    cleanup_free char *name = NULL;
    bool resets = false;
    int err = weight_words_parse(words, count, &order, &resets, &name, why);
    if (err) {
        return err;
    }
    const char *app = engine_find_target(engine, order.target, name);
    order.name = name;
    if (resets) {
        bool was = false;
        err = orders_reset_weight(engine->orders, order.target, name, &was, why);
        if (!err && !was && !app) {
            buf_printf(why, "there is no %s %s, and no weight of it to reset; slotctl weight lists them",
                       order_target_text(order.target), name);
            err = SLOTD_E_REFUSED;
        }
    } else if (!app) {
        buf_printf(why, "there is no %s %s", order_target_text(order.target), name);
        err = SLOTD_E_REFUSED;
    } else {
        err = orders_weigh(engine->orders, &order, why);
    }
    if (!err) {
        log_notice("orders", "weight of %s %s: %s, asked for by %s", order_target_text(order.target), name, words[2],
                   by);
        engine_refresh_app(engine, app ? app : name);
    }
    return err;
}

static int drain_words_parse(const char *const *words, size_t count, enum order_target *ret_target, char **ret_name,
                             struct buf *why)
{
    if (count != 2) {
        buf_puts(why, "a drain takes app ID, task ID, host NAME or slot BACKEND/SLOT");
        return SLOTD_E_PARSE;
    }
    int err = order_target_parse(words[0], ret_target, why);
    return err ? err : order_name_parse(*ret_target, words[1], ret_name, why);
}

static int duration_parse(const char *option, const char *text, int64_t absent, int64_t *ret_ms, struct buf *why)
{
    *ret_ms = absent;
    int err = text ? text_parse_duration(text, ret_ms) : 0;
    if (err) {
        buf_printf(why, "%s %s is no duration; 500ms, 5s, 1m or a number of seconds would be right", option, text);
    }
    return err;
}

/* *ret_ms is 0 when nothing was said: it never ends by itself, which no duration can say. */
static int lasts_parse(const char *text, int64_t *ret_ms, struct buf *why)
{
    int err = duration_parse("--for", text, 0, ret_ms, why);
    if (!err && text && *ret_ms == 0) {
        buf_printf(why, "--for %s would end before it begins; without --for a drain holds until undrain", text);
        err = -ERANGE;
    }
    return err;
}

int engine_order_drain(struct engine *engine, const char *const *words, size_t count,
                       const struct engine_drain_options *options, struct buf *why)
{
    engine_follow_clock(engine);
    int64_t now = engine_now_ms();
    int64_t lasts_ms = 0;
    struct drain_order order = {.by = options->by, .asked_ms = now};
    cleanup_free char *name = NULL;
    int err = drain_words_parse(words, count, &order.target, &name, why);
    /* Who asks again, to wait for it, does not cut short what was given before. */
    const struct drain_order *known = err ? NULL : orders_get_drain(engine->orders, order.target, name);
    int64_t timeout_ms = known ? known->timeout_ms : engine->config->slots.drain_timeout;
    err = err ? err : duration_parse("--timeout", options->timeout, timeout_ms, &order.timeout_ms, why);
    err = err ? err : lasts_parse(options->lasts, &lasts_ms, why);
    if (!err && !engine_has_target(engine, order.target, name)) {
        buf_printf(why, "there is no %s %s", order_target_text(order.target), name);
        err = SLOTD_E_REFUSED;
    }
    order.name = name;
    order.until_ms = lasts_ms > 0 ? now + lasts_ms : 0;
    err = err ? err : orders_drain(engine->orders, &order, why);
    if (!err) {
        log_notice("orders", "drain of %s %s, asked for by %s", order_target_text(order.target), name, options->by);
        engine_expire_orders(engine);
        engine_refresh_target(engine, order.target, name);
    }
    return err;
}

int engine_order_undrain(struct engine *engine, const char *const *words, size_t count, const char *by, struct buf *why)
{
    enum order_target target = ORDER_APP;
    cleanup_free char *name = NULL;
    bool was = false;
    int err = drain_words_parse(words, count, &target, &name, why);
    err = err ? err : orders_undrain(engine->orders, target, name, &was, why);
    if (!err && !was) {
        buf_printf(why, "%s %s is not drained by an order; slotctl drains lists them", order_target_text(target), name);
        err = SLOTD_E_REFUSED;
    }
    if (!err) {
        log_notice("orders", "drain of %s %s ends, asked for by %s", order_target_text(target), name, by);
        engine_refresh_target(engine, target, name);
    }
    return err;
}

void engine_save_orders(struct engine *engine, engine_orders_saved *done, void *arg)
{
    orders_file_save(engine->orders_file, done, arg);
}

const char *engine_orders_error(const struct engine *engine)
{
    return orders_file_error(engine->orders_file);
}

/* ---- applying ---- */

struct weight_override weight_override_of(const struct engine *engine, const char *app)
{
    const struct weight_order *order = orders_get_weight(engine->orders, ORDER_APP, app);
    if (!order) {
        return (struct weight_override){WEIGHT_LABELLED, 0};
    }
    return (struct weight_override){order->is_share ? WEIGHT_SHARE : WEIGHT_ABSOLUTE, order->value};
}

int32_t endpoint_find_weight(const struct engine *engine, const struct endpoint *endpoint, bool *ret_is_own)
{
    const struct weight_order *order = orders_get_weight(engine->orders, ORDER_TASK, endpoint->task);
    *ret_is_own = order != NULL;
    return order ? order->value : endpoint->weight;
}

static bool endpoint_is_drained(const struct engine *engine, const struct service *service,
                                const struct service_part *part, const struct endpoint *endpoint)
{
    struct order_endpoint asked = {.app = endpoint->app, .task = endpoint->task, .host = endpoint->host};
    const struct edge_backend *backend =
        orders_have_slot_drains(engine->orders) ? engine_find_backend_of(engine, service) : NULL;
    if (backend) {
        cleanup_free char *key = endpoint_key(part, endpoint);
        long place = slots_find_endpoint(backend->slots, key);
        asked.backend = backend->name;
        asked.server = place >= 0 ? slots_view(backend->slots, (size_t)place).observed->server : NULL;
    }
    return orders_find_drain(engine->orders, &asked) != NULL;
}

enum endpoint_phase engine_find_phase(void *arg, const struct service *service, const struct service_part *part,
                                      const struct endpoint *endpoint)
{
    const struct engine *engine = arg;
    enum endpoint_phase phase = health_find_phase(engine, service, endpoint);
    return phase == ENDPOINT_READY && endpoint_is_drained(engine, service, part, endpoint) ? ENDPOINT_DRAIN : phase;
}

/* ---- ending ---- */

static void order_has_ended(void *arg, const struct drain_order *drain, const struct weight_order *weight)
{
    struct engine *engine = arg;
    enum order_target target = drain ? drain->target : weight->target;
    const char *name = drain ? drain->name : weight->name;
    log_notice("orders", "the %s of %s %s ends", drain ? "drain" : "weight", order_target_text(target), name);
    engine_refresh_target(engine, target, name);
    orders_file_save(engine->orders_file, NULL, NULL);
}

void engine_expire_orders(struct engine *engine)
{
    watches_set_expiry(engine->watches, orders_expire(engine->orders, engine_now_ms(), order_has_ended, engine));
}

void engine_end_orders(struct engine *engine, const struct cluster_view *view)
{
    if (orders_count_weights(engine->orders) + orders_count_drains(engine->orders) == 0) {
        return;
    }
    if (view->ended) {
        (void)orders_end_app(engine->orders, view->app->id, order_has_ended, engine);
    }
    for (size_t i = 0; i < view->app->n_tasks; i++) {
        if (view->app->tasks[i]->state == MARATHON_TASK_TERMINAL) {
            (void)orders_end_task(engine->orders, view->app->tasks[i]->id, order_has_ended, engine);
        }
    }
}

static enum order_standing engine_judge_order(void *arg, enum order_target target, const char *name)
{
    const struct cluster *cluster = ((const struct engine *)arg)->feed.cluster;
    const char *app = target == ORDER_TASK ? cluster_find_app_of_task(cluster, name) : name;
    struct cluster_view view;
    if (!app || !cluster_get_app(cluster, app, &view)) {
        return ORDER_GONE;
    }
    return view.has_definition ? ORDER_LISTED : ORDER_UNSURE;
}

/* What an answer lacks is not believed, or what HAProxy serves is not known yet or claimed by nobody (design.md, rule
 * 4). */
static bool engine_doubts_answer(const struct engine *engine)
{
    bool doubts = engine->feed.last.n_apps == 0 || engine->feed.last.verdict == CLUSTER_HELD;
    for (size_t i = 0; i < engine->n_edges && !doubts; i++) {
        doubts = !engine->edges[i]->adopted || edge_count(engine->edges[i]).orphans > 0;
    }
    return doubts;
}

void engine_judge_orders(struct engine *engine)
{
    struct order_judge judge = {
        .ask = engine_judge_order,
        .arg = engine,
        .confirmations = (unsigned)engine->config->slots.missing_confirmations,
    };
    if (orders_count_weights(engine->orders) + orders_count_drains(engine->orders) > 0 &&
        !engine_doubts_answer(engine)) {
        orders_note_answer(engine->orders, &judge, order_has_ended, engine);
    }
}
