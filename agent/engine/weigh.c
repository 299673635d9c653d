/* SPDX-License-Identifier: MIT */
/* Weights that operators have asked for: taken, kept on disk, shown, and ended with what they are about. */
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
            engine_refresh_backend(engine, service->backend);
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

/* ---- ending ---- */

static void order_has_ended(void *arg, const struct drain_order *drain, const struct weight_order *weight)
{
    struct engine *engine = arg;
    if (weight) {
        log_notice("orders", "the weight of %s %s ends with it", order_target_text(weight->target), weight->name);
    }
    (void)drain;
    orders_file_save(engine->orders_file, NULL, NULL);
}

void engine_end_orders(struct engine *engine, const struct cluster_view *view)
{
    if (orders_count_weights(engine->orders) == 0) {
        return;
    }
    if (view->removed) {
        (void)orders_end_app(engine->orders, view->app->id, order_has_ended, engine);
    }
    for (size_t i = 0; i < view->app->n_tasks; i++) {
        if (view->app->tasks[i]->state == MARATHON_TASK_TERMINAL) {
            (void)orders_end_task(engine->orders, view->app->tasks[i]->id, order_has_ended, engine);
        }
    }
}

/* ---- showing ---- */

struct json_object *engine_show_weights(const struct engine *engine)
{
    size_t count = 0;
    const struct weight_order **list = orders_list_weights(engine->orders, &count);
    struct json_object *weights = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        struct json_object *object = json_object_new_object();
        cleanup_free char *value = mem_printf("%d%s", list[i]->value, list[i]->is_share ? "%" : "");
        char asked[32];
        text_format_time(list[i]->asked_ms, asked);
        json_object_object_add(object, "target", json_object_new_string(order_target_text(list[i]->target)));
        json_object_object_add(object, "name", json_object_new_string(list[i]->name));
        json_object_object_add(object, "weight", json_object_new_string(value));
        json_object_object_add(object, "by", json_object_new_string(list[i]->by));
        json_object_object_add(object, "asked", json_object_new_string(asked));
        json_object_array_add(weights, object);
    }
    free(list);
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "weights", weights);
    return document;
}
