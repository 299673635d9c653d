/* SPDX-License-Identifier: MIT */
/* The orders' document: what it looks like, what is refused and changes nothing, and that it comes back as it was. */
#include <errno.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/orders.h"
#include "suite.h"

#define APP_DRAIN                                                                                                      \
    "{\"target\":\"app\",\"name\":\"/web\",\"by\":\"uid 1000 "                                                         \
    "(alice)\",\"asked_ms\":1700000000000,\"timeout_ms\":60000,\"until_ms\":0}"
#define DOCUMENT(drains, weights) "{\"slotd_orders\":1,\"drains\":[" drains "],\"weights\":[" weights "]}"

static struct orders *orders;
static struct buf why;

static void setup(void)
{
    orders = orders_new(3);
    why = BUF_INIT;
    struct drain_order kept = {ORDER_HOST, "kept", "me", 1, 2, 0};
    ck_assert_int_eq(orders_drain(orders, &kept, NULL), 0);
}

static void teardown(void)
{
    orders_free(orders);
    buf_free(&why);
}

/* expected NULL: the library says what is wrong, each version in its own words. */
static void refused_n(const char *text, size_t len, int err, const char *expected)
{
    uint64_t version = orders_version(orders);
    ck_assert_int_eq(orders_read(text, len, orders, &why), err);
    if (expected) {
        ck_assert_str_eq(buf_text(&why), expected);
    } else {
        ck_assert(strncmp(buf_text(&why), "no valid JSON: ", 15) == 0);
    }
    buf_clear(&why);
    ck_assert_int_eq(orders_read(text, len, orders, NULL), err);
    ck_assert_uint_eq(orders_version(orders), version);
    ck_assert_uint_eq(orders_count_drains(orders), 1);
    ck_assert_ptr_nonnull(orders_get_drain(orders, ORDER_HOST, "kept"));
}

static void refused(const char *text, int err, const char *expected)
{
    refused_n(text, strlen(text), err, expected);
}

START_TEST(no_document)
{
    refused("", SLOTD_E_PARSE, "no valid JSON: it ends too early");
    refused("{\"slotd_orders\":1,", SLOTD_E_PARSE, "no valid JSON: it ends too early");
    refused("{\"slotd_orders\":1,}", SLOTD_E_PARSE, NULL);
    refused(DOCUMENT("", "") "{}", SLOTD_E_PARSE, NULL);
    refused_n(DOCUMENT("", "") "\0", sizeof(DOCUMENT("", "")), SLOTD_E_PARSE, NULL);
    refused("[]", SLOTD_E_TYPE, "an object with slotd_orders, the number of its version, is expected");
    refused("{}", SLOTD_E_TYPE, "an object with slotd_orders, the number of its version, is expected");
    refused("{\"slotd_orders\":\"1\"}", SLOTD_E_TYPE,
            "an object with slotd_orders, the number of its version, is expected");
    refused("{\"slotd_orders\":2,\"drains\":[],\"weights\":[]}", SLOTD_E_TYPE,
            "this slotd reads version 1 of it, not 2");
    refused("{\"slotd_orders\":1,\"weights\":[]}", SLOTD_E_TYPE, "drains must be a list");
    refused("{\"slotd_orders\":1,\"drains\":[],\"weights\":{}}", SLOTD_E_TYPE, "weights must be a list");
}
END_TEST

START_TEST(too_large)
{
    refused_n("", ORDERS_MAX_DOCUMENT_BYTES + 1, SLOTD_E_LIMIT,
              "it has 134217729 bytes, and at most 134217728 are read");
    refused("{\"slotd_orders\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", SLOTD_E_LIMIT, "it is nested more than 16 deep");
    struct buf text = BUF_INIT;
    buf_puts(&text, "{\"slotd_orders\":1,\"drains\":[0");
    for (unsigned i = 0; i < ORDERS_MAX_DRAINS; i++) {
        buf_puts(&text, ",0");
    }
    buf_puts(&text, "],\"weights\":[]}");
    refused(buf_text(&text), SLOTD_E_LIMIT, "drains has 10001 entries, and at most 10000 are taken");
    buf_free(&text);
}
END_TEST

START_TEST(bad_drains)
{
    refused(DOCUMENT("null", ""), SLOTD_E_TYPE, "drains[0] must be an object");
    refused(DOCUMENT(APP_DRAIN ",7", ""), SLOTD_E_TYPE, "drains[1] must be an object");
    refused(DOCUMENT("{}", ""), SLOTD_E_TYPE, "drains[0].target must be a string");
    refused(DOCUMENT("{\"target\":\"pod\"}", ""), SLOTD_E_PARSE,
            "drains[0]: an order is about an app, a task, a host or a slot, not about \"pod\"");
    refused(DOCUMENT("{\"target\":\"app\",\"name\":null}", ""), SLOTD_E_TYPE, "drains[0].name must be a string");
    refused(DOCUMENT("{\"target\":\"app\",\"name\":\"a\\u0000\"}", ""), SLOTD_E_TYPE,
            "drains[0].name must be a string without NUL");
    refused(DOCUMENT("{\"target\":\"app\",\"name\":\"a\",\"by\":\"b\",\"asked_ms\":1.5}", ""), SLOTD_E_TYPE,
            "drains[0].asked_ms must be a whole number");
    refused(DOCUMENT("{\"target\":\"app\",\"name\":\"a\",\"by\":\"b\",\"asked_ms\":1,\"timeout_ms\":"
                     "99999999999999999999,\"until_ms\":0}",
                     ""),
            -ERANGE, "drains[0]: the timeout in milliseconds must be from 0 to 315360000000, not 9223372036854775807");
    refused(DOCUMENT("{\"target\":\"slot\",\"name\":\"a\",\"by\":\"b\",\"asked_ms\":1,\"timeout_ms\":1,\"until_ms\":0}",
                     ""),
            SLOTD_E_PARSE,
            "drains[0]: a slot such as BACKEND/SERVER in HAProxy's names is expected, of letters, digits, and the "
            "characters _-.: on both sides of one slash, not \"a\"");
    refused(DOCUMENT(APP_DRAIN "," APP_DRAIN, ""), SLOTD_E_PARSE, "drains[1]: each target may be there once");
}
END_TEST

#define WEIGHT(target, rest) "{\"target\":\"" target "\",\"name\":\"a\",\"by\":\"b\",\"asked_ms\":1" rest "}"
START_TEST(bad_weights)
{
    refused(DOCUMENT(APP_DRAIN, WEIGHT("app", "")), SLOTD_E_TYPE,
            "weights[0] must have either weight or share_percent");
    refused(DOCUMENT("", WEIGHT("app", ",\"weight\":1,\"share_percent\":1")), SLOTD_E_TYPE,
            "weights[0] must have either weight or share_percent");
    refused(DOCUMENT("", WEIGHT("app", ",\"weight\":\"1\"")), SLOTD_E_TYPE, "weights[0].weight must be a whole number");
    refused(DOCUMENT("", WEIGHT("app", ",\"weight\":4294967296")), -ERANGE,
            "weights[0].weight must be a number from 0 to 2147483647");
    refused(DOCUMENT("", WEIGHT("app", ",\"share_percent\":101")), -ERANGE,
            "weights[0]: a share in percent must be from 0 to 100, not 101");
    refused(DOCUMENT("", WEIGHT("task", ",\"share_percent\":1")), SLOTD_E_TYPE,
            "weights[0]: a weight is N for an app or a task, or N% for an app; not N% for a task");
    refused(DOCUMENT("", WEIGHT("app", ",\"weight\":1") "," WEIGHT("app", ",\"share_percent\":1")), SLOTD_E_PARSE,
            "weights[1]: each target may be there once");
}
END_TEST

START_TEST(what_is_taken)
{
    static const char text[] =
        DOCUMENT(APP_DRAIN,
                 WEIGHT("app", ",\"share_percent\":10,\"note\":{\"x\":[1]}") "," WEIGHT("task", ",\"weight\":3")) " \n";
    uint64_t version = orders_version(orders);
    ck_assert_int_eq(orders_read(text, strlen(text), orders, &why), 0);
    ck_assert_uint_ne(orders_version(orders), version);
    ck_assert_ptr_null(orders_get_drain(orders, ORDER_HOST, "kept"));
    const struct drain_order *drain = orders_get_drain(orders, ORDER_APP, "/web");
    ck_assert(drain && drain->asked_ms == 1700000000000 && drain->timeout_ms == 60000 && drain->until_ms == 0);
    ck_assert_str_eq(drain->by, "uid 1000 (alice)");
    const struct weight_order *weight = orders_get_weight(orders, ORDER_APP, "/a");
    ck_assert(weight && weight->is_share && weight->value == 10);
    weight = orders_get_weight(orders, ORDER_TASK, "a");
    ck_assert(weight && !weight->is_share && weight->value == 3);
}
END_TEST

START_TEST(what_is_written)
{
    struct orders *some = orders_new(1);
    struct drain_order slot = {ORDER_SLOT, "b/s1", "a \"b\" \\", 5, 6, 7};
    struct drain_order app = {ORDER_APP, "web", "uid 1000 (alice)", 1700000000000, 60000, 0};
    struct weight_order share = {ORDER_APP, "green", "me", 1, true, 10};
    struct buf document = BUF_INIT;
    orders_write(some, &document);
    ck_assert_str_eq(buf_text(&document), "{\"slotd_orders\":1,\n\"drains\":[],\n\"weights\":[]}\n");
    buf_clear(&document);
    ck_assert_int_eq(orders_drain(some, &slot, NULL), 0);
    ck_assert_int_eq(orders_drain(some, &app, NULL), 0);
    ck_assert_int_eq(orders_weigh(some, &share, NULL), 0);
    orders_write(some, &document);
    ck_assert_str_eq(
        buf_text(&document),
        "{\"slotd_orders\":1,\n\"drains\":[\n" APP_DRAIN ",\n"
        "{\"target\":\"slot\",\"name\":\"b/s1\",\"by\":\"a \\\"b\\\" \\\\\",\"asked_ms\":5,\"timeout_ms\":6,"
        "\"until_ms\":7}],\n\"weights\":[\n"
        "{\"target\":\"app\",\"name\":\"/green\",\"by\":\"me\",\"asked_ms\":1,\"share_percent\":10}]}\n");
    buf_free(&document);
    orders_free(some);
}
END_TEST

/* ---- round trip ---- */

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (uint32_t)(((uint64_t)random_state * bound) >> 32);
}

static void random_text(struct buf *text, const char *const *letters, uint32_t n_letters)
{
    buf_clear(text);
    for (uint32_t len = 1 + random_below(12); len > 0; len--) {
        buf_puts(text, letters[random_below(n_letters)]);
    }
}

static void random_order(struct orders *some)
{
    static const char *const letters[] = {"a", "Z", "7", "-", "\"", "\\", "/", "{", "\xc3\xa9", "\xf0\x9f\x98\x80",
                                          "%", " "};
    cleanup_buf struct buf name = BUF_INIT;
    cleanup_buf struct buf by = BUF_INIT;
    enum order_target target = (enum order_target)random_below(ORDER_TARGETS);
    /* A slot's or host's name has fewer letters; what does not pass is refused, and that is good too. */
    random_text(&name, letters, target == ORDER_SLOT || target == ORDER_HOST ? 4 : 11);
    if (target == ORDER_SLOT) {
        buf_puts(&name, "/s1");
    }
    random_text(&by, letters, 12);
    if (random_below(2)) {
        struct drain_order order = {target,
                                    buf_text(&name),
                                    buf_text(&by),
                                    random_below(1000000),
                                    (int64_t)random_below(UINT32_MAX) * 70,
                                    (int64_t)random_below(UINT32_MAX) * 50000};
        (void)orders_drain(some, &order, NULL);
    } else {
        struct weight_order order = {target,
                                     buf_text(&name),
                                     buf_text(&by),
                                     random_below(1000000),
                                     random_below(2) == 0,
                                     (int32_t)random_below(101)};
        (void)orders_weigh(some, &order, NULL);
    }
}

static void check_equal(const struct orders *a, const struct orders *b)
{
    size_t count = 0;
    const struct drain_order **drains = orders_list_drains(a, &count);
    ck_assert_uint_eq(orders_count_drains(b), count);
    for (size_t i = 0; i < count; i++) {
        const struct drain_order *other = orders_get_drain(b, drains[i]->target, drains[i]->name);
        ck_assert(other && strcmp(other->by, drains[i]->by) == 0 && other->asked_ms == drains[i]->asked_ms);
        ck_assert(other->timeout_ms == drains[i]->timeout_ms && other->until_ms == drains[i]->until_ms);
    }
    free(drains);
    const struct weight_order **weights = orders_list_weights(a, &count);
    ck_assert_uint_eq(orders_count_weights(b), count);
    for (size_t i = 0; i < count; i++) {
        const struct weight_order *other = orders_get_weight(b, weights[i]->target, weights[i]->name);
        ck_assert(other && strcmp(other->by, weights[i]->by) == 0 && other->asked_ms == weights[i]->asked_ms);
        ck_assert(other->is_share == weights[i]->is_share && other->value == weights[i]->value);
    }
    free(weights);
}

START_TEST(round_trip)
{
    for (unsigned round = 0; round < 300; round++) {
        struct orders *some = orders_new(round);
        struct buf first = BUF_INIT;
        struct buf second = BUF_INIT;
        for (uint32_t n = random_below(80); n > 0; n--) {
            random_order(some);
        }
        orders_write(some, &first);
        ck_assert_int_eq(orders_read(first.data, first.len, orders, &why), 0);
        check_equal(some, orders);
        orders_write(orders, &second);
        ck_assert_str_eq(buf_text(&first), buf_text(&second));
        buf_free(&first);
        buf_free(&second);
        orders_free(some);
    }
}
END_TEST

/* Whatever is cut off or broken: it is refused, or what is taken can be written. */
START_TEST(broken_documents)
{
    static const char text[] = DOCUMENT(APP_DRAIN, WEIGHT("task", ",\"weight\":3"));
    char broken[sizeof(text)];
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        ck_assert_int_eq(orders_read(text, len, orders, NULL), SLOTD_E_PARSE);
    }
    ck_assert_ptr_nonnull(orders_get_drain(orders, ORDER_HOST, "kept"));
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(broken, text, sizeof(text));
        broken[random_below(sizeof(text) - 1)] = (char)random_below(256);
        struct buf document = BUF_INIT;
        (void)orders_read(broken, sizeof(text) - 1, orders, NULL);
        orders_write(orders, &document);
        ck_assert_int_eq(orders_read(document.data, document.len, orders, NULL), 0);
        buf_free(&document);
    }
}
END_TEST

static Suite *orders_document_suite(void)
{
    Suite *suite = suite_create("orders_document");
    TCase *tests = tcase_create("orders_document");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, no_document);
    tcase_add_test(tests, too_large);
    tcase_add_test(tests, bad_drains);
    tcase_add_test(tests, bad_weights);
    tcase_add_test(tests, what_is_taken);
    tcase_add_test(tests, what_is_written);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, broken_documents);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(orders_document_suite)
