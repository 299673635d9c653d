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
    bool open; /* something of it still takes part in traffic, or may */
};

/* Whether something that it is about may serve all the same, since slotd does not know it yet: Marathon has not
 * answered, a HAProxy was never read, or slots serve that no task claims. Whoever waits for a drain takes a machine
 * away next. */
static bool account_is_unsure(const struct engine *engine, enum order_target target)
{
    bool unsure = engine->feed.last_sync_ms == 0;
    for (size_t i = 0; i < engine->n_edges && !unsure; i++) {
        struct slots_counts counts = edge_count(engine->edges[i]);
        /* Tasks that are known are told from those by their addresses, but for names that have none yet. */
        bool is_known = (target == ORDER_APP || target == ORDER_TASK) && counts.unresolved == 0;
        unsure = engine->edges[i]->adoptions == 0 || (counts.orphans > 0 && !is_known);
    }
    return unsure;
}

/* All of them: an endpoint's are looked up, since there may be as many drains as endpoints. */
struct drain_accounts {
    struct drain_account *list;
    size_t count;
    struct table by_name[ORDER_TARGETS]; /* target's name to struct drain_account */
};

static void accounts_open(struct drain_accounts *accounts, const struct engine *engine)
{
    const struct drain_order **orders = orders_list_drains(engine->orders, &accounts->count);
    bool unsure[ORDER_TARGETS];
    accounts->list = mem_alloc_array(accounts->count, sizeof(*accounts->list));
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        unsure[i] = accounts->count > 0 && account_is_unsure(engine, (enum order_target)i);
        table_init(&accounts->by_name[i], engine->seed);
    }
    for (size_t i = 0; i < accounts->count; i++) {
        struct drain_account *account = &accounts->list[i];
        *account = (struct drain_account){
            .order = orders[i],
            .endpoints = json_object_new_array(),
            .open = unsure[orders[i]->target],
        };
        table_put(&accounts->by_name[orders[i]->target], orders[i]->name, account);
    }
    free(orders);
}

static void accounts_close(struct drain_accounts *accounts)
{
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        table_free(&accounts->by_name[i]);
    }
    free(accounts->list);
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

static void accounts_add_endpoint(struct drain_accounts *accounts, const struct edge_backend *backend,
                                  const struct service_part *part, const struct endpoint *endpoint)
{
    struct drain_account *found[ORDER_TARGETS] = {
        [ORDER_APP] = table_get(&accounts->by_name[ORDER_APP], endpoint->app),
        [ORDER_TASK] = table_get(&accounts->by_name[ORDER_TASK], endpoint->task),
        [ORDER_HOST] = table_get(&accounts->by_name[ORDER_HOST], endpoint->host),
    };
    const struct table *slots = &accounts->by_name[ORDER_SLOT];
    if (!found[ORDER_APP] && !found[ORDER_TASK] && !found[ORDER_HOST] && slots->count == 0) {
        return;
    }
    cleanup_free char *key = endpoint_key(part, endpoint);
    long place = slots_find_endpoint(backend->slots, key);
    if (place >= 0 && slots->count > 0) {
        const char *server = slots_view(backend->slots, (size_t)place).observed->server;
        cleanup_free char *slot = mem_printf("%s/%s", backend->name, server);
        found[ORDER_SLOT] = table_get(slots, slot);
    }
    for (size_t i = 0; place >= 0 && i < ORDER_TARGETS; i++) {
        if (found[i]) {
            account_add_slot(found[i], backend, (size_t)place, endpoint);
        }
    }
}

static void accounts_add_service(struct drain_accounts *accounts, const struct engine *engine,
                                 const struct service *service)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct edge_backend *backend = edge_find_backend_of(engine->edges[i], service);
        for (size_t p = 0; backend && p < service->n_parts; p++) {
            for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
                accounts_add_endpoint(accounts, backend, service->parts[p], &service->parts[p]->endpoints[e]);
            }
        }
    }
}

/* Maint comes also when the time is over, with sessions left. */
static const char *account_state(const struct drain_account *account)
{
    if (account->open) {
        return "draining";
    }
    return account->sessions > 0 ? "timed-out" : "drained";
}

static struct json_object *account_show(const struct drain_account *account)
{
    const struct drain_order *order = account->order;
    struct json_object *object = json_object_new_object();
    char time[32];
    int64_t left = drain_order_deadline(order) - engine_now_ms();
    json_object_object_add(object, "target", json_object_new_string(order_target_text(order->target)));
    json_object_object_add(object, "name", json_object_new_string(order->name));
    json_object_object_add(object, "state", json_object_new_string(account_state(account)));
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
    size_t n_services = 0;
    const struct service **services = services_list(engine->services, &n_services);
    struct json_object *drains = json_object_new_array();
    struct drain_accounts accounts = {0};
    accounts_open(&accounts, engine);
    for (size_t i = 0; i < n_services && accounts.count > 0; i++) {
        accounts_add_service(&accounts, engine, services[i]);
    }
    for (size_t i = 0; i < accounts.count; i++) {
        json_object_array_add(drains, account_show(&accounts.list[i]));
    }
    accounts_close(&accounts);
    free(services);
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "drains", drains);
    return document;
}
