/* SPDX-License-Identifier: MIT */
/* What operators have asked for, as JSON: weights, and drains with what is left of them. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

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

/* ---- drains ---- */

/* What one drain has come to. */
struct drain_account {
    const struct drain_order *order;
    struct json_object *endpoints;
    int64_t sessions;
    bool open; /* something of it still takes part in traffic */
};

static bool order_concerns(const struct drain_order *order, const struct service *service,
                           const struct endpoint *endpoint, const char *server)
{
    switch (order->target) {
    case ORDER_APP:
        return strcmp(endpoint->app, order->name) == 0;
    case ORDER_TASK:
        return strcmp(endpoint->task, order->name) == 0;
    case ORDER_HOST:
        return strcmp(endpoint->host, order->name) == 0;
    case ORDER_SLOT: {
        size_t len = strlen(service->backend);
        return strncmp(order->name, service->backend, len) == 0 && order->name[len] == '/' &&
               strcmp(order->name + len + 1, server) == 0;
    }
    }
    return false;
}

static void account_add_slot(struct drain_account *account, const struct edge_backend *backend, size_t place,
                             const struct endpoint *endpoint)
{
    struct slot_view view = slots_view(backend->slots, place);
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "app", json_object_new_string(endpoint->app));
    json_object_object_add(object, "task", json_object_new_string(endpoint->task));
    json_object_object_add(object, "haproxy", json_object_new_string(backend->edge->config->name));
    json_object_object_add(object, "backend", json_object_new_string(backend->name));
    json_object_object_add(object, "slot", json_object_new_string(view.observed->server));
    json_object_object_add(object, "state", json_object_new_string(slot_state_text(view.state)));
    json_object_object_add(object, "sessions", view.sessions < 0 ? NULL : json_object_new_int64(view.sessions));
    json_object_array_add(account->endpoints, object);
    account->sessions += view.sessions > 0 ? view.sessions : 0;
    account->open = account->open || view.state != SLOT_HELD || view.sessions < 0;
}

static void account_add_service(struct drain_account *account, const struct engine *engine,
                                const struct service *service)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct edge_backend *backend = edge_find_backend(engine->edges[i], service->backend);
        for (size_t p = 0; backend && p < service->n_parts; p++) {
            for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
                const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
                cleanup_free char *key = endpoint_key(service->parts[p], endpoint);
                long place = slots_find_endpoint(backend->slots, key);
                if (place >= 0 && order_concerns(account->order, service, endpoint,
                                                 slots_view(backend->slots, (size_t)place).observed->server)) {
                    account_add_slot(account, backend, (size_t)place, endpoint);
                }
            }
        }
    }
}

static struct json_object *account_show(const struct drain_account *account)
{
    const struct drain_order *order = account->order;
    struct json_object *object = json_object_new_object();
    char time[32];
    int64_t left = drain_order_deadline(order) - engine_now_ms();
    json_object_object_add(object, "target", json_object_new_string(order_target_text(order->target)));
    json_object_object_add(object, "name", json_object_new_string(order->name));
    json_object_object_add(object, "state", json_object_new_string(account->open ? "draining" : "drained"));
    json_object_object_add(object, "sessions", json_object_new_int64(account->sessions));
    json_object_object_add(object, "left_ms", json_object_new_int64(left > 0 ? left : 0));
    json_object_object_add(object, "timeout_ms", json_object_new_int64(order->timeout_ms));
    text_format_time(order->asked_ms, time);
    json_object_object_add(object, "asked", json_object_new_string(time));
    json_object_object_add(object, "by", json_object_new_string(order->by));
    text_format_time(order->until_ms, time);
    json_object_object_add(object, "until", order->until_ms ? json_object_new_string(time) : NULL);
    json_object_object_add(object, "endpoints", account->endpoints);
    return object;
}

struct json_object *engine_show_drains(const struct engine *engine)
{
    size_t n_orders = 0;
    size_t n_services = 0;
    const struct drain_order **orders = orders_list_drains(engine->orders, &n_orders);
    const struct service **services = services_list(engine->services, &n_services);
    struct json_object *drains = json_object_new_array();
    for (size_t i = 0; i < n_orders; i++) {
        struct drain_account account = {.order = orders[i], .endpoints = json_object_new_array()};
        for (size_t k = 0; k < n_services; k++) {
            account_add_service(&account, engine, services[k]);
        }
        json_object_array_add(drains, account_show(&account));
    }
    free(services);
    free(orders);
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "drains", drains);
    return document;
}
