/* SPDX-License-Identifier: MIT */
/* What an order may be about and what it may say; the texts say what would be right. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "orders_private.h"
#include "slotd/error.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define MESSAGE_MAX_NAME 100 /* bytes of a name that a message shows */

static const char *const target_texts[ORDER_TARGETS] = {"app", "task", "host", "slot"};

const char *order_target_text(enum order_target target)
{
    return target_texts[target];
}

int order_target_parse(const char *text, enum order_target *ret_target, struct buf *why)
{
    for (unsigned i = 0; i < ORDER_TARGETS; i++) {
        if (strcmp(text, target_texts[i]) == 0) {
            *ret_target = (enum order_target)i;
            return 0;
        }
    }
    buf_puts(why, "an order is about an app, a task, a host or a slot, not about \"");
    if (why) {
        text_append_safe(why, text, strlen(text), MESSAGE_MAX_NAME);
    }
    buf_puts(why, "\"");
    return SLOTD_E_PARSE;
}

/* ---- names ---- */

static const char *const name_examples[ORDER_TARGETS] = {
    "an app id such as /group/web",
    "a task id such as web.4c5e0a1f-1c2d-11ee-8f3a-024200000001",
    "a host's name such as node1.example.com",
    "a slot such as BACKEND/SERVER in HAProxy's names",
};

static int name_refuse(enum order_target target, const char *name, const char *what, struct buf *why)
{
    if (why) {
        buf_printf(why, "%s is expected, %s, not \"", name_examples[target], what);
        text_append_safe(why, name, strlen(name), MESSAGE_MAX_NAME);
        buf_puts(why, "\"");
    }
    return SLOTD_E_PARSE;
}

static bool name_is_slot(const char *name)
{
    const char *slash = strchr(name, '/');
    if (!slash || !text_is_haproxy_name(slash + 1)) {
        return false;
    }
    cleanup_free char *backend = mem_strndup(name, (size_t)(slash - name));
    return text_is_haproxy_name(backend);
}

int order_name_parse(enum order_target target, const char *name, char **ret_name, struct buf *why)
{
    size_t max = target == ORDER_HOST ? ORDERS_MAX_HOST : MARATHON_MAX_ID_BYTES;
    bool lacks_slash = target == ORDER_APP && name[0] != '/';
    size_t len = strnlen(name, max + 1) + lacks_slash;
    if (len > max) {
        buf_printf(why, "%s is expected, at most %zu bytes long", name_examples[target], max);
        return SLOTD_E_LIMIT;
    }
    if (len == lacks_slash || (target == ORDER_APP && len == 1)) {
        return name_refuse(target, name, "with at least one letter", why);
    }
    if (!text_is_plain(name) || strchr(name, ' ')) {
        return name_refuse(target, name, "without blanks, control characters and bytes that are no UTF-8", why);
    }
    if (target == ORDER_HOST && strchr(name, '/')) {
        return name_refuse(target, name, "without a slash", why);
    }
    if (target == ORDER_SLOT && !name_is_slot(name)) {
        return name_refuse(target, name, "of letters, digits, and the characters _-.: on both sides of one slash", why);
    }
    *ret_name = mem_printf("%s%s", lacks_slash ? "/" : "", name);
    return 0;
}

/* ---- values ---- */

static int check_by(const char *by, struct buf *why)
{
    if (!by || by[0] == '\0' || !text_is_plain(by)) {
        buf_puts(why, "who asked must be a text without control characters, such as \"uid 1000 (alice)\"");
        return SLOTD_E_PARSE;
    }
    if (strnlen(by, ORDERS_MAX_BY + 1) > ORDERS_MAX_BY) {
        buf_printf(why, "who asked must be a text of at most %d bytes", ORDERS_MAX_BY);
        return SLOTD_E_LIMIT;
    }
    return 0;
}

static int check_number(int64_t value, int64_t max, const char *what, struct buf *why)
{
    if (value >= 0 && value <= max) {
        return 0;
    }
    buf_printf(why, "%s must be from 0 to %" PRId64 ", not %" PRId64, what, max, value);
    return -ERANGE;
}

int order_check_drain(const struct drain_order *order, struct buf *why)
{
    int err = check_by(order->by, why);
    err = err ? err : check_number(order->asked_ms, ORDERS_MAX_MS, "the time when it was asked, in milliseconds,", why);
    err = err ? err : check_number(order->timeout_ms, ORDERS_MAX_TIMEOUT_MS, "the timeout in milliseconds", why);
    return err ? err : check_number(order->until_ms, ORDERS_MAX_MS, "the time when it ends, in milliseconds,", why);
}

int order_check_weight(const struct weight_order *order, struct buf *why)
{
    if (order->target != ORDER_APP && (order->target != ORDER_TASK || order->is_share)) {
        buf_printf(why, "a weight is N for an app or a task, or N%% for an app; not %s for a %s",
                   order->is_share ? "N%" : "N", order_target_text(order->target));
        return SLOTD_E_TYPE;
    }
    int err = check_by(order->by, why);
    err = err ? err : check_number(order->asked_ms, ORDERS_MAX_MS, "the time when it was asked, in milliseconds,", why);
    if (err) {
        return err;
    }
    return order->is_share ? check_number(order->value, 100, "a share in percent", why)
                           : check_number(order->value, ORDERS_MAX_WEIGHT, "a weight", why);
}

int weight_order_parse_value(const char *text, bool *ret_is_share, int32_t *ret_value, struct buf *why)
{
    size_t len = strlen(text);
    bool is_share = len > 0 && text[len - 1] == '%';
    cleanup_free char *number = mem_strndup(text, len - is_share);
    int64_t value = 0;
    int err = strspn(number, "0123456789") == strlen(number)
                  ? text_parse_int(number, 0, is_share ? 100 : ORDERS_MAX_WEIGHT, &value)
                  : SLOTD_E_PARSE;
    if (err) {
        buf_printf(why, "a weight is a whole number from 0 to %d, or a share from 0%% to 100%%, not \"",
                   ORDERS_MAX_WEIGHT);
        if (why) {
            text_append_safe(why, text, len, MESSAGE_MAX_NAME);
        }
        buf_puts(why, "\"");
        return err;
    }
    *ret_is_share = is_share;
    *ret_value = (int32_t)value;
    return 0;
}
