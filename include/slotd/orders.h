/* SPDX-License-Identifier: MIT */
/* What operators have asked for: drains of apps, tasks, hosts and slots, weights of apps and tasks, and the document
 * that keeps them. Pure: no I/O, no clock; times are milliseconds since 1970 and come in as arguments. */
#ifndef SLOTD_ORDERS_H
#define SLOTD_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

#define ORDERS_MAX_DRAINS 10000
#define ORDERS_MAX_WEIGHTS 10000
#define ORDERS_MAX_HOST 255                           /* bytes of a host's name; ids are bounded as Marathon's are */
#define ORDERS_MAX_BY 256                             /* bytes that say who asked */
#define ORDERS_MAX_MS INT64_C(253402300799999)        /* the end of the year 9999 */
#define ORDERS_MAX_TIMEOUT_MS INT64_C(315360000000)   /* 10 years, as durations are bounded elsewhere */
#define ORDERS_MAX_WEIGHT INT32_MAX                   /* what a label may say: N stands in for it */
#define ORDERS_MAX_DOCUMENT_BYTES ((size_t)128 << 20) /* above what the bounds of both lists can make */
#define ORDERS_NEVER INT64_MAX

/* What an order is about. */
enum order_target {
    ORDER_APP,  /* app id with its leading slash, such as /group/web */
    ORDER_TASK, /* task id */
    ORDER_HOST, /* as Marathon names the task's host; covers tasks that start there later */
    ORDER_SLOT, /* BACKEND/SERVER, HAProxy's names */
};
#define ORDER_TARGETS 4
/* "app", "task", "host", "slot". */
const char *order_target_text(enum order_target target);
/* The reverse. Returns 0, or SLOTD_E_PARSE with why. */
int order_target_parse(const char *text, enum order_target *ret_target, struct buf *why);
/* Checks a name and brings it to the form under which it is kept: an app id gets its leading slash. Returns 0 and a
 * string that the caller frees; or SLOTD_E_PARSE or SLOTD_E_LIMIT, with why saying what would be right. */
int order_name_parse(enum order_target target, const char *name, char **ret_name, struct buf *why);

struct drain_order {
    enum order_target target;
    const char *name;
    const char *by;     /* who asked, such as "uid 1000 (alice)" */
    int64_t asked_ms;   /* when it was asked first */
    int64_t timeout_ms; /* how long sessions are waited for before maint; 0: not at all */
    int64_t until_ms;   /* when the order ends by itself; 0: never */
};
/* When what is drained by it goes to maint at the latest: asked_ms + timeout_ms. */
int64_t drain_order_deadline(const struct drain_order *order);

struct weight_order {
    enum order_target target; /* ORDER_APP or ORDER_TASK */
    const char *name;
    const char *by;
    int64_t asked_ms;
    bool is_share; /* ORDER_APP only: value is the app's percentage of its service's traffic, 0..100 */
    int32_t value; /* otherwise instead of the labels' weight, 0..ORDERS_MAX_WEIGHT */
};
/* Reads `N` or `N%`. Returns 0, or SLOTD_E_PARSE or -ERANGE with why. */
int weight_order_parse_value(const char *text, bool *ret_is_share, int32_t *ret_value, struct buf *why);

struct orders;
/* seed is that of the hash tables, see slotd/table.h. */
struct orders *orders_new(uint64_t seed);
void orders_free(struct orders *orders);
/* Counts changes: differs after each call that changed something. */
uint64_t orders_version(const struct orders *orders);
size_t orders_count_drains(const struct orders *orders);
bool orders_have_slot_drains(const struct orders *orders);
size_t orders_count_weights(const struct orders *orders);

/* ---- drains ---- */

/* Takes a copy of order. One for the same target is replaced in timeout_ms and until_ms alone: by and asked_ms stay
 * those of the first (what drains already does not begin anew; undrain first to begin again). Returns 0;
 * SLOTD_E_PARSE or SLOTD_E_LIMIT (name or by), -ERANGE (a time), SLOTD_E_LIMIT (too many orders), each with why and
 * without a change. */
int orders_drain(struct orders *orders, const struct drain_order *order, struct buf *why);
/* *ret_was: whether there was one. Returns 0, or as order_name_parse() does when there can be no such name. */
int orders_undrain(struct orders *orders, enum order_target target, const char *name, bool *ret_was, struct buf *why);
/* The order for exactly that target, or NULL; name as it is kept. Valid until the next change. */
const struct drain_order *orders_get_drain(const struct orders *orders, enum order_target target, const char *name);

/* An endpoint and where it sits; what is NULL is not asked for. The slot is asked for when both parts of it are there.
 */
struct order_endpoint {
    const char *app; /* with its leading slash */
    const char *task;
    const char *host;
    const char *backend;
    const char *server;
};
/* The order that drains the endpoint, or NULL. Of several the one with the earliest drain_order_deadline(), and among
 * equal ones the narrowest: slot, task, app, host. At most four look-ups, none for kinds without an order. Valid until
 * the next change. */
const struct drain_order *orders_find_drain(const struct orders *orders, const struct order_endpoint *endpoint);
/* All of them, sorted by target and name; the caller frees the array, not the orders. */
const struct drain_order **orders_list_drains(const struct orders *orders, size_t *ret_count);

/* ---- weights ---- */

/* Takes a copy of order; one for the same target is replaced as a whole. Returns as orders_drain() does; -ERANGE also
 * for a value, SLOTD_E_TYPE for a target that can have no such weight. */
int orders_weigh(struct orders *orders, const struct weight_order *order, struct buf *why);
int orders_reset_weight(struct orders *orders, enum order_target target, const char *name, bool *ret_was,
                        struct buf *why);
/* The order for that app or task, or NULL; name as it is kept. A task's own weight goes before its app's N. Valid until
 * the next change. */
const struct weight_order *orders_get_weight(const struct orders *orders, enum order_target target, const char *name);
const struct weight_order **orders_list_weights(const struct orders *orders, size_t *ret_count);

/* ---- how long they live ---- */

/* Told of each order that has ended by itself; one of the two is NULL. The order is out of orders already and is freed
 * afterwards. orders may be asked, not changed. */
typedef void order_ended(void *arg, const struct drain_order *drain, const struct weight_order *weight);
/* Ends the drains whose until_ms is not above now_ms. Returns the next time at which one will end, or ORDERS_NEVER. */
int64_t orders_expire(struct orders *orders, int64_t now_ms, order_ended *ended, void *arg);
/* The clock was set by that many milliseconds: the times of all drains go along, so that each lasts as long as it was
 * asked to. Times stay within their bounds. */
void orders_shift(struct orders *orders, int64_t by_ms);
/* The task is over (ids are never used again): its drain and its weight end. Returns how many did. */
size_t orders_end_task(struct orders *orders, const char *task, order_ended *ended, void *arg);
/* The app is deleted for certain: its drain and its weight end. Orders of its tasks end with them, those of hosts and
 * slots never by themselves. */
size_t orders_end_app(struct orders *orders, const char *app, order_ended *ended, void *arg);
/* How an app or a task stands, by a complete answer of Marathon that is not in doubt. */
enum order_standing {
    ORDER_LISTED,
    ORDER_UNSURE, /* known, but by no answer that lists it */
    ORDER_GONE,   /* not known */
};
struct order_judge {
    enum order_standing (*ask)(void *arg, enum order_target target, const char *name);
    void *arg;
    unsigned confirmations; /* slots.missing_confirmations */
};
/* Call after each such answer. Orders of apps and tasks end whose target has been listed before and is gone, or that
 * was gone with `confirmations` answers in a row (it ended before slotd's start, perhaps). */
void orders_note_answer(struct orders *orders, const struct order_judge *judge, order_ended *ended, void *arg);

/* ---- the document ---- */

/* Appends {"slotd_orders":1,"drains":[...],"weights":[...]}: UTF-8, one order a line, sorted as the lists are, so that
 * equal orders make equal documents. */
void orders_write(const struct orders *orders, struct buf *document);
/* Replaces all orders by those of the document. Strict: an unknown version, a wrong type, a value outside its bounds or
 * the same target twice refuse the document as a whole, and orders stay as they are. Members that are not known are
 * passed over. Returns 0, SLOTD_E_PARSE, SLOTD_E_TYPE, SLOTD_E_LIMIT or -ERANGE, with why. */
int orders_read(const char *text, size_t len, struct orders *orders, struct buf *why);

#endif
