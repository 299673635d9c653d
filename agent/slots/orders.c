/* SPDX-License-Identifier: MIT */
/* The orders in hash tables, one a kind of target. */
#include "slotd/orders.h"

#include <stdio.h>
#include <string.h>

#include "orders_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define SLOT_MAX_NAME 512 /* two names of HAProxy, each at most 250 bytes */

struct orders *orders_new(uint64_t seed)
{
    struct orders *orders = MEM_NEW(struct orders);
    orders->seed = seed;
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        table_init(&orders->drains[i], seed);
        table_init(&orders->weights[i], seed);
    }
    return orders;
}

static void table_clear(struct table *table)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(table, &position))) {
        free(entry->value);
    }
    table_free(table);
}

void orders_clear(struct orders *orders)
{
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        table_clear(&orders->drains[i]);
        table_clear(&orders->weights[i]);
    }
    orders->n_drains = orders->n_weights = 0;
}

void orders_free(struct orders *orders)
{
    if (orders) {
        orders_clear(orders);
        free(orders);
    }
}

uint64_t orders_version(const struct orders *orders)
{
    return orders->version;
}

size_t orders_count_drains(const struct orders *orders)
{
    return orders->n_drains;
}

bool orders_have_slot_drains(const struct orders *orders)
{
    return orders->drains[ORDER_SLOT].count > 0;
}

size_t orders_count_weights(const struct orders *orders)
{
    return orders->n_weights;
}

/* Copies both behind each other to text. */
static void text_fill(char *text, const char *name, const char *by)
{
    size_t len = strlen(name) + 1;
    memcpy(text, name, len);
    memcpy(text + len, by, strlen(by) + 1);
}

static int check_room(size_t count, size_t max, struct buf *why)
{
    if (count < max) {
        return 0;
    }
    buf_printf(why, "there are %zu such orders already, and no more are kept; end some of them first", count);
    return SLOTD_E_LIMIT;
}

/* ---- drains ---- */

int64_t drain_order_deadline(const struct drain_order *order)
{
    return order->asked_ms + order->timeout_ms;
}

static void drains_add(struct orders *orders, const struct drain_order *order, const char *name)
{
    size_t name_len = strlen(name) + 1;
    struct drain_entry *entry = mem_alloc(sizeof(*entry) + name_len + strlen(order->by) + 1);
    entry->order = *order;
    entry->listing = (struct order_listing){0};
    text_fill(entry->text, name, order->by);
    entry->order.name = entry->text;
    entry->order.by = entry->text + name_len;
    (void)table_put(&orders->drains[order->target], entry->order.name, entry);
    orders->n_drains++;
}

int orders_drain(struct orders *orders, const struct drain_order *order, struct buf *why)
{
    cleanup_free char *name = NULL;
    int err = order_name_parse(order->target, order->name, &name, why);
    err = err ? err : order_check_drain(order, why);
    if (err) {
        return err;
    }
    struct drain_entry *known = table_get(&orders->drains[order->target], name);
    if (known) {
        known->order.timeout_ms = order->timeout_ms;
        known->order.until_ms = order->until_ms;
    } else {
        err = check_room(orders->n_drains, ORDERS_MAX_DRAINS, why);
        if (err) {
            return err;
        }
        drains_add(orders, order, name);
    }
    orders->version++;
    return 0;
}

/* Takes the order out and returns it, or NULL; the caller frees it. */
static struct drain_entry *drains_take(struct orders *orders, enum order_target target, const char *name)
{
    struct drain_entry *entry = table_remove(&orders->drains[target], name);
    if (entry) {
        orders->n_drains--;
        orders->version++;
    }
    return entry;
}

int orders_undrain(struct orders *orders, enum order_target target, const char *name, bool *ret_was, struct buf *why)
{
    cleanup_free char *kept = NULL;
    int err = order_name_parse(target, name, &kept, why);
    if (err) {
        return err;
    }
    struct drain_entry *entry = drains_take(orders, target, kept);
    *ret_was = entry != NULL;
    free(entry);
    return 0;
}

const struct drain_order *orders_get_drain(const struct orders *orders, enum order_target target, const char *name)
{
    const struct drain_entry *entry = name ? table_get(&orders->drains[target], name) : NULL;
    return entry ? &entry->order : NULL;
}

static const struct drain_order *find_slot_drain(const struct orders *orders, const char *backend, const char *server)
{
    char name[SLOT_MAX_NAME];
    if (orders->drains[ORDER_SLOT].count == 0 || !backend || !server) {
        return NULL;
    }
    int len = snprintf(name, sizeof(name), "%s/%s", backend, server);
    return len > 0 && (size_t)len < sizeof(name) ? orders_get_drain(orders, ORDER_SLOT, name) : NULL;
}

const struct drain_order *orders_find_drain(const struct orders *orders, const struct order_endpoint *endpoint)
{
    if (orders->n_drains == 0) {
        return NULL;
    }
    /* The narrowest first: a later one has to be earlier in time to win. */
    const struct drain_order *found[] = {
        find_slot_drain(orders, endpoint->backend, endpoint->server),
        orders_get_drain(orders, ORDER_TASK, endpoint->task),
        orders_get_drain(orders, ORDER_APP, endpoint->app),
        orders_get_drain(orders, ORDER_HOST, endpoint->host),
    };
    const struct drain_order *best = NULL;
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        if (found[i] && (!best || drain_order_deadline(found[i]) < drain_order_deadline(best))) {
            best = found[i];
        }
    }
    return best;
}

/* ---- weights ---- */

int orders_weigh(struct orders *orders, const struct weight_order *order, struct buf *why)
{
    cleanup_free char *name = NULL;
    int err = order_name_parse(order->target, order->name, &name, why);
    err = err ? err : order_check_weight(order, why);
    if (!err && !orders_get_weight(orders, order->target, name)) {
        err = check_room(orders->n_weights, ORDERS_MAX_WEIGHTS, why);
    }
    if (err) {
        return err;
    }
    size_t name_len = strlen(name) + 1;
    struct weight_entry *entry = mem_alloc(sizeof(*entry) + name_len + strlen(order->by) + 1);
    entry->order = *order;
    entry->listing = (struct order_listing){0};
    text_fill(entry->text, name, order->by);
    entry->order.name = entry->text;
    entry->order.by = entry->text + name_len;
    struct weight_entry *old = table_put(&orders->weights[order->target], entry->order.name, entry);
    orders->n_weights += old ? 0 : 1;
    free(old);
    orders->version++;
    return 0;
}

static struct weight_entry *weights_take(struct orders *orders, enum order_target target, const char *name)
{
    struct weight_entry *entry = table_remove(&orders->weights[target], name);
    if (entry) {
        orders->n_weights--;
        orders->version++;
    }
    return entry;
}

int orders_reset_weight(struct orders *orders, enum order_target target, const char *name, bool *ret_was,
                        struct buf *why)
{
    cleanup_free char *kept = NULL;
    int err = order_name_parse(target, name, &kept, why);
    if (err) {
        return err;
    }
    struct weight_entry *entry = weights_take(orders, target, kept);
    *ret_was = entry != NULL;
    free(entry);
    return 0;
}

const struct weight_order *orders_get_weight(const struct orders *orders, enum order_target target, const char *name)
{
    const struct weight_entry *entry = name ? table_get(&orders->weights[target], name) : NULL;
    return entry ? &entry->order : NULL;
}

/* ---- how long they live ---- */

static size_t end_both(struct orders *orders, enum order_target target, const char *name, order_ended *ended, void *arg)
{
    struct drain_entry *drain = drains_take(orders, target, name);
    struct weight_entry *weight = weights_take(orders, target, name);
    if (drain) {
        ended(arg, &drain->order, NULL);
    }
    if (weight) {
        ended(arg, NULL, &weight->order);
    }
    size_t count = (drain ? 1U : 0U) + (weight ? 1U : 0U);
    free(drain);
    free(weight);
    return count;
}

size_t orders_end_task(struct orders *orders, const char *task, order_ended *ended, void *arg)
{
    return end_both(orders, ORDER_TASK, task, ended, arg);
}

size_t orders_end_app(struct orders *orders, const char *app, order_ended *ended, void *arg)
{
    return end_both(orders, ORDER_APP, app, ended, arg);
}

/* Whether a target of which an answer says that is over. One that answers have listed has been judged by the store. */
static bool listing_note(struct order_listing *listing, enum order_standing standing, unsigned confirmations)
{
    if (standing == ORDER_LISTED) {
        *listing = (struct order_listing){.seen = true};
    } else if (standing == ORDER_GONE) {
        listing->lacked++;
    }
    return standing == ORDER_GONE && (listing->seen || listing->lacked >= confirmations);
}

static void judge_drains(struct orders *orders, const struct order_judge *judge, order_ended *ended, void *arg)
{
    size_t count = 0;
    const struct drain_order **list = orders_list_drains(orders, &count);
    for (size_t i = 0; i < count; i++) {
        enum order_target target = list[i]->target;
        struct drain_entry *entry = table_get(&orders->drains[target], list[i]->name);
        if ((target == ORDER_APP || target == ORDER_TASK) &&
            listing_note(&entry->listing, judge->ask(judge->arg, target, list[i]->name), judge->confirmations)) {
            (void)drains_take(orders, target, list[i]->name);
            ended(arg, &entry->order, NULL);
            free(entry);
        }
    }
    free(list);
}

static void judge_weights(struct orders *orders, const struct order_judge *judge, order_ended *ended, void *arg)
{
    size_t count = 0;
    const struct weight_order **list = orders_list_weights(orders, &count);
    for (size_t i = 0; i < count; i++) {
        enum order_target target = list[i]->target;
        struct weight_entry *entry = table_get(&orders->weights[target], list[i]->name);
        if (listing_note(&entry->listing, judge->ask(judge->arg, target, list[i]->name), judge->confirmations)) {
            (void)weights_take(orders, target, list[i]->name);
            ended(arg, NULL, &entry->order);
            free(entry);
        }
    }
    free(list);
}

void orders_note_answer(struct orders *orders, const struct order_judge *judge, order_ended *ended, void *arg)
{
    judge_drains(orders, judge, ended, arg);
    judge_weights(orders, judge, ended, arg);
}

static int64_t time_shift(int64_t time_ms, int64_t least_ms, int64_t by_ms)
{
    int64_t shifted = time_ms + by_ms;
    return shifted < least_ms ? least_ms : shifted > ORDERS_MAX_MS ? ORDERS_MAX_MS : shifted;
}

void orders_shift(struct orders *orders, int64_t by_ms)
{
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        size_t position = 0;
        struct table_entry *entry;
        while ((entry = table_next(&orders->drains[i], &position))) {
            struct drain_order *order = &((struct drain_entry *)entry->value)->order;
            order->asked_ms = time_shift(order->asked_ms, 0, by_ms);
            /* 0 would be for ever. */
            order->until_ms = order->until_ms ? time_shift(order->until_ms, 1, by_ms) : 0;
            orders->version++;
        }
    }
}

int64_t orders_expire(struct orders *orders, int64_t now_ms, order_ended *ended, void *arg)
{
    int64_t next = ORDERS_NEVER;
    size_t count = 0;
    const struct drain_order **drains = orders_list_drains(orders, &count);
    for (size_t i = 0; i < count; i++) {
        if (drains[i]->until_ms == 0) {
            continue;
        }
        if (drains[i]->until_ms > now_ms) {
            next = drains[i]->until_ms < next ? drains[i]->until_ms : next;
            continue;
        }
        struct drain_entry *entry = drains_take(orders, drains[i]->target, drains[i]->name);
        ended(arg, &entry->order, NULL);
        free(entry);
    }
    free(drains);
    return next;
}
