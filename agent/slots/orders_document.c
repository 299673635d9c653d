/* SPDX-License-Identifier: MIT */
/* The orders as a JSON document, and back: whoever wrote it, what is taken from it keeps every bound. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "orders_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define DOCUMENT_VERSION 1
#define DOCUMENT_MAX_DEPTH 16 /* ours has 3 levels; members that are not known may have some */

/* ---- writing ---- */

/* Names are plain text (text_is_plain()): these two are all that JSON wants escaped. */
static void append_string(struct buf *document, const char *text)
{
    buf_putc(document, '"');
    while (*text) {
        size_t len = strcspn(text, "\"\\");
        buf_append(document, text, len);
        text += len;
        if (*text) {
            buf_putc(document, '\\');
            buf_putc(document, *text++);
        }
    }
    buf_putc(document, '"');
}

/* What both kinds of order begin with. */
static void append_head(struct buf *document, bool is_first, enum order_target target, const char *name, const char *by,
                        int64_t asked_ms)
{
    buf_printf(document, "%s\n{\"target\":\"%s\",\"name\":", is_first ? "" : ",", order_target_text(target));
    append_string(document, name);
    buf_puts(document, ",\"by\":");
    append_string(document, by);
    buf_printf(document, ",\"asked_ms\":%" PRId64, asked_ms);
}

static void append_drains(const struct orders *orders, struct buf *document)
{
    size_t count = 0;
    const struct drain_order **list = orders_list_drains(orders, &count);
    for (size_t i = 0; i < count; i++) {
        const struct drain_order *order = list[i];
        append_head(document, i == 0, order->target, order->name, order->by, order->asked_ms);
        buf_printf(document, ",\"timeout_ms\":%" PRId64 ",\"until_ms\":%" PRId64 "}", order->timeout_ms,
                   order->until_ms);
    }
    free(list);
}

static void append_weights(const struct orders *orders, struct buf *document)
{
    size_t count = 0;
    const struct weight_order **list = orders_list_weights(orders, &count);
    for (size_t i = 0; i < count; i++) {
        const struct weight_order *order = list[i];
        append_head(document, i == 0, order->target, order->name, order->by, order->asked_ms);
        buf_printf(document, ",\"%s\":%" PRId32 "}", order->is_share ? "share_percent" : "weight", order->value);
    }
    free(list);
}

void orders_write(const struct orders *orders, struct buf *document)
{
    buf_printf(document, "{\"slotd_orders\":%d,\n\"drains\":[", DOCUMENT_VERSION);
    append_drains(orders, document);
    buf_puts(document, "],\n\"weights\":[");
    append_weights(orders, document);
    buf_puts(document, "]}\n");
}

/* ---- reading ---- */

/* One order of the document, with what a message needs to say where it is. */
struct reading {
    const char *list; /* "drains" or "weights" */
    size_t index;
    struct json_object *object;
    struct buf *why;
};

static int reading_refuse(const struct reading *reading, const char *member, const char *wanted)
{
    buf_printf(reading->why, "%s[%zu].%s must be %s", reading->list, reading->index, member, wanted);
    return SLOTD_E_TYPE;
}

/* Says where it is before what is wrong there. */
static int reading_explain(const struct reading *reading, int err, const struct buf *what)
{
    buf_printf(reading->why, "%s[%zu]: %s", reading->list, reading->index, buf_text(what));
    return err;
}

/* Borrowed from the document. */
static int read_string(const struct reading *reading, const char *member, const char **ret_text)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(reading->object, member, &value) || !json_object_is_type(value, json_type_string)) {
        return reading_refuse(reading, member, "a string");
    }
    const char *text = json_object_get_string(value);
    if (strlen(text) != (size_t)json_object_get_string_len(value)) {
        return reading_refuse(reading, member, "a string without NUL");
    }
    *ret_text = text;
    return 0;
}

static int read_number(const struct reading *reading, const char *member, int64_t *ret_value)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(reading->object, member, &value) || !json_object_is_type(value, json_type_int)) {
        return reading_refuse(reading, member, "a whole number");
    }
    *ret_value = json_object_get_int64(value);
    return 0;
}

static int read_target(const struct reading *reading, enum order_target *ret_target)
{
    const char *text = NULL;
    cleanup_buf struct buf what = BUF_INIT;
    int err = read_string(reading, "target", &text);
    if (err) {
        return err;
    }
    err = order_target_parse(text, ret_target, &what);
    return err ? reading_explain(reading, err, &what) : 0;
}

static int read_drain(const struct reading *reading, struct orders *orders)
{
    struct drain_order order = {0};
    cleanup_buf struct buf what = BUF_INIT;
    int err = read_target(reading, &order.target);
    err = err ? err : read_string(reading, "name", &order.name);
    err = err ? err : read_string(reading, "by", &order.by);
    err = err ? err : read_number(reading, "asked_ms", &order.asked_ms);
    err = err ? err : read_number(reading, "timeout_ms", &order.timeout_ms);
    err = err ? err : read_number(reading, "until_ms", &order.until_ms);
    if (err) {
        return err;
    }
    size_t before = orders_count_drains(orders);
    err = orders_drain(orders, &order, &what);
    if (!err && orders_count_drains(orders) == before) {
        err = SLOTD_E_PARSE;
        buf_puts(&what, "each target may be there once");
    }
    return err ? reading_explain(reading, err, &what) : 0;
}

static int read_weight_value(const struct reading *reading, struct weight_order *order)
{
    int64_t value = 0;
    bool has_weight = json_object_object_get_ex(reading->object, "weight", NULL);
    order->is_share = json_object_object_get_ex(reading->object, "share_percent", NULL);
    if (has_weight == order->is_share) {
        buf_printf(reading->why, "%s[%zu] must have either weight or share_percent", reading->list, reading->index);
        return SLOTD_E_TYPE;
    }
    int err = read_number(reading, order->is_share ? "share_percent" : "weight", &value);
    if (err) {
        return err;
    }
    if (value < 0 || value > ORDERS_MAX_WEIGHT) {
        (void)reading_refuse(reading, order->is_share ? "share_percent" : "weight", "a number from 0 to 2147483647");
        return -ERANGE;
    }
    order->value = (int32_t)value;
    return 0;
}

static int read_weight(const struct reading *reading, struct orders *orders)
{
    struct weight_order order = {0};
    cleanup_buf struct buf what = BUF_INIT;
    int err = read_target(reading, &order.target);
    err = err ? err : read_string(reading, "name", &order.name);
    err = err ? err : read_string(reading, "by", &order.by);
    err = err ? err : read_number(reading, "asked_ms", &order.asked_ms);
    err = err ? err : read_weight_value(reading, &order);
    if (err) {
        return err;
    }
    size_t before = orders_count_weights(orders);
    err = orders_weigh(orders, &order, &what);
    if (!err && orders_count_weights(orders) == before) {
        err = SLOTD_E_PARSE;
        buf_puts(&what, "each target may be there once");
    }
    return err ? reading_explain(reading, err, &what) : 0;
}

typedef int read_order(const struct reading *reading, struct orders *orders);

static int read_list(struct json_object *document, const char *name, size_t max, read_order *read,
                     struct orders *orders, struct buf *why)
{
    struct json_object *list = NULL;
    if (!json_object_object_get_ex(document, name, &list) || !json_object_is_type(list, json_type_array)) {
        buf_printf(why, "%s must be a list", name);
        return SLOTD_E_TYPE;
    }
    size_t count = json_object_array_length(list);
    if (count > max) {
        buf_printf(why, "%s has %zu entries, and at most %zu are taken", name, count, max);
        return SLOTD_E_LIMIT;
    }
    for (size_t i = 0; i < count; i++) {
        struct reading reading = {name, i, json_object_array_get_idx(list, i), why};
        if (!json_object_is_type(reading.object, json_type_object)) {
            buf_printf(why, "%s[%zu] must be an object", name, i);
            return SLOTD_E_TYPE;
        }
        int err = read(&reading, orders);
        if (err) {
            return err;
        }
    }
    return 0;
}

static int read_document(struct json_object *document, struct orders *orders, struct buf *why)
{
    struct json_object *version = NULL;
    if (!json_object_is_type(document, json_type_object) ||
        !json_object_object_get_ex(document, "slotd_orders", &version) ||
        !json_object_is_type(version, json_type_int)) {
        buf_puts(why, "an object with slotd_orders, the number of its version, is expected");
        return SLOTD_E_TYPE;
    }
    if (json_object_get_int64(version) != DOCUMENT_VERSION) {
        buf_printf(why, "this slotd reads version %d of it, not %" PRId64, DOCUMENT_VERSION,
                   json_object_get_int64(version));
        return SLOTD_E_TYPE;
    }
    int err = read_list(document, "drains", ORDERS_MAX_DRAINS, read_drain, orders, why);
    return err ? err : read_list(document, "weights", ORDERS_MAX_WEIGHTS, read_weight, orders, why);
}

static size_t blank_length(const char *text, size_t len)
{
    size_t blank = 0;
    while (blank < len && text[blank] && strchr(" \t\r\n", text[blank])) {
        blank++;
    }
    return blank;
}

static int parse_document(const char *text, size_t len, struct json_object **ret_document, struct buf *why)
{
    if (len > ORDERS_MAX_DOCUMENT_BYTES) {
        buf_printf(why, "it has %zu bytes, and at most %zu are read", len, ORDERS_MAX_DOCUMENT_BYTES);
        return SLOTD_E_LIMIT;
    }
    struct json_tokener *tokener = json_tokener_new_ex(DOCUMENT_MAX_DEPTH);
    if (!tokener) {
        abort();
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *document = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error failure = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (failure == json_tokener_success && end + blank_length(text + end, len - end) == len) {
        *ret_document = document;
        return 0;
    }
    json_object_put(document);
    if (failure == json_tokener_error_depth) {
        buf_printf(why, "it is nested more than %d deep", DOCUMENT_MAX_DEPTH);
        return SLOTD_E_LIMIT;
    }
    buf_printf(why, "no valid JSON: %s",
               failure == json_tokener_success    ? "something stands behind its end"
               : failure == json_tokener_continue ? "it ends too early"
                                                  : json_tokener_error_desc(failure));
    return SLOTD_E_PARSE;
}

/* Takes over what is in from, and frees from. */
static void orders_take_over(struct orders *orders, struct orders *from)
{
    uint64_t version = orders->version;
    orders_clear(orders);
    *orders = *from;
    orders->version = version + 1;
    free(from);
}

int orders_read(const char *text, size_t len, struct orders *orders, struct buf *why)
{
    struct json_object *document = NULL;
    int err = parse_document(text, len, &document, why);
    if (err) {
        return err;
    }
    struct orders *fresh = orders_new(orders->seed);
    err = read_document(document, fresh, why);
    json_object_put(document);
    if (err) {
        orders_free(fresh);
        return err;
    }
    orders_take_over(orders, fresh);
    return 0;
}
