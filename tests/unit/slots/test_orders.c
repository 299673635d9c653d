/* SPDX-License-Identifier: MIT */
/* Orders: what is refused and how that is said, what replaces what, which one applies, when each ends. */
#include "slotd/orders.h"

#include <errno.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

static struct orders *orders;
static struct buf why;
static struct buf seen;

static void setup(void)
{
    orders = orders_new(7);
    why = seen = BUF_INIT;
}

static void teardown(void)
{
    orders_free(orders);
    buf_free(&why);
    buf_free(&seen);
}

static struct drain_order drain(enum order_target target, const char *name, int64_t asked, int64_t timeout,
                                int64_t until)
{
    return (struct drain_order){target, name, "uid 1000 (alice)", asked, timeout, until};
}

static void add(enum order_target target, const char *name, int64_t asked, int64_t timeout, int64_t until)
{
    struct drain_order order = drain(target, name, asked, timeout, until);
    ck_assert_int_eq(orders_drain(orders, &order, &why), 0);
    ck_assert_str_eq(buf_text(&why), "");
}

static void weigh(enum order_target target, const char *name, bool is_share, int32_t value)
{
    struct weight_order order = {target, name, "uid 0 (root)", 5, is_share, value};
    ck_assert_int_eq(orders_weigh(orders, &order, &why), 0);
    ck_assert_str_eq(buf_text(&why), "");
}

static void note_end(void *arg, const struct drain_order *ended, const struct weight_order *weight)
{
    ck_assert(!ended != !weight);
    if (ended) {
        ck_assert_ptr_null(orders_get_drain(orders, ended->target, ended->name));
        buf_printf(arg, "drain %s %s\n", order_target_text(ended->target), ended->name);
    } else {
        buf_printf(arg, "weight %s %s\n", order_target_text(weight->target), weight->name);
    }
}

static void check_seen(const char *expected)
{
    ck_assert_str_eq(buf_text(&seen), expected);
    buf_clear(&seen);
}

/* ---- names ---- */

static void refused(enum order_target target, const char *name, int err, const char *text)
{
    char *parsed = NULL;
    ck_assert_int_eq(order_name_parse(target, name, &parsed, &why), err);
    ck_assert_ptr_null(parsed);
    ck_assert_str_eq(buf_text(&why), text);
    buf_clear(&why);
    ck_assert_int_eq(order_name_parse(target, name, &parsed, NULL), err);
}

static void accepted(enum order_target target, const char *name, const char *expected)
{
    char *parsed = NULL;
    ck_assert_int_eq(order_name_parse(target, name, &parsed, &why), 0);
    ck_assert_str_eq(parsed, expected);
    free(parsed);
}

START_TEST(names_that_are_refused)
{
    refused(ORDER_APP, "", SLOTD_E_PARSE,
            "an app id such as /group/web is expected, with at least one letter, not \"\"");
    refused(ORDER_APP, "/", SLOTD_E_PARSE,
            "an app id such as /group/web is expected, with at least one letter, not \"/\"");
    refused(ORDER_APP, "/a\nb", SLOTD_E_PARSE,
            "an app id such as /group/web is expected, without blanks, control characters and bytes that are no "
            "UTF-8, not \"/a\\x0ab\"");
    refused(ORDER_TASK, "web 1", SLOTD_E_PARSE,
            "a task id such as web.4c5e0a1f-1c2d-11ee-8f3a-024200000001 is expected, without blanks, control "
            "characters and bytes that are no UTF-8, not \"web 1\"");
    refused(ORDER_TASK, "\xff", SLOTD_E_PARSE,
            "a task id such as web.4c5e0a1f-1c2d-11ee-8f3a-024200000001 is expected, without blanks, control "
            "characters and bytes that are no UTF-8, not \"\\xff\"");
    refused(ORDER_HOST, "node/1", SLOTD_E_PARSE,
            "a host's name such as node1.example.com is expected, without a slash, not \"node/1\"");
    const char *const slots[] = {"web", "/s1", "web/", "web/s1/x", "w;b/s1", "web/s\xc3\xa9"};
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        cleanup_free char *text =
            mem_printf("a slot such as BACKEND/SERVER in HAProxy's names is expected, of letters, "
                       "digits, and the characters _-.: on both sides of one slash, not \"%s\"",
                       slots[i]);
        refused(ORDER_SLOT, slots[i], SLOTD_E_PARSE, text);
    }
}
END_TEST

START_TEST(names_that_are_too_long)
{
    char name[2100];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    refused(ORDER_APP, name, SLOTD_E_LIMIT, "an app id such as /group/web is expected, at most 2048 bytes long");
    refused(ORDER_HOST, name, SLOTD_E_LIMIT,
            "a host's name such as node1.example.com is expected, at most 255 bytes long");
    name[2048] = '\0';
    refused(ORDER_APP, name, SLOTD_E_LIMIT, "an app id such as /group/web is expected, at most 2048 bytes long");
    accepted(ORDER_TASK, name, name);
    name[255] = '\0';
    accepted(ORDER_HOST, name, name);
}
END_TEST

START_TEST(names_that_are_taken)
{
    accepted(ORDER_APP, "/web", "/web");
    accepted(ORDER_APP, "web", "/web");
    accepted(ORDER_APP,
             "group/w\xc3\xa9"
             "b",
             "/group/w\xc3\xa9"
             "b");
    accepted(ORDER_TASK, "web.1", "web.1");
    accepted(ORDER_HOST, "10.0.0.1", "10.0.0.1");
    accepted(ORDER_HOST, "fe80::1", "fe80::1");
    accepted(ORDER_SLOT, "pool-http-001/s3", "pool-http-001/s3");
    enum order_target target = ORDER_APP;
    ck_assert_int_eq(order_target_parse("slot", &target, &why), 0);
    ck_assert_int_eq(target, ORDER_SLOT);
    ck_assert_int_eq(order_target_parse("pod", &target, &why), SLOTD_E_PARSE);
    ck_assert_str_eq(buf_text(&why), "an order is about an app, a task, a host or a slot, not about \"pod\"");
}
END_TEST

/* ---- drains ---- */

static void drain_refused(struct drain_order order, int err, const char *text)
{
    uint64_t version = orders_version(orders);
    ck_assert_int_eq(orders_drain(orders, &order, &why), err);
    ck_assert_str_eq(buf_text(&why), text);
    buf_clear(&why);
    ck_assert_uint_eq(orders_version(orders), version);
    ck_assert_uint_eq(orders_count_drains(orders), 0);
}

START_TEST(drains_that_are_refused)
{
    char by[300];
    memset(by, 'a', sizeof(by) - 1);
    by[sizeof(by) - 1] = '\0';
    struct drain_order order = drain(ORDER_APP, "/web", 1, 2, 3);
    order.by = "a\tb";
    drain_refused(order, SLOTD_E_PARSE,
                  "who asked must be a text without control characters, such as \"uid 1000 (alice)\"");
    order.by = by;
    drain_refused(order, SLOTD_E_LIMIT, "who asked must be a text of at most 256 bytes");
    drain_refused(drain(ORDER_APP, "/web", -1, 2, 3), -ERANGE,
                  "the time when it was asked, in milliseconds, must be from 0 to 253402300799999, not -1");
    drain_refused(drain(ORDER_APP, "/web", 1, 315360000001, 3), -ERANGE,
                  "the timeout in milliseconds must be from 0 to 315360000000, not 315360000001");
    drain_refused(drain(ORDER_APP, "/web", 1, 2, INT64_MIN), -ERANGE,
                  "the time when it ends, in milliseconds, must be from 0 to 253402300799999, not "
                  "-9223372036854775808");
}
END_TEST

START_TEST(a_repeated_drain_keeps_who_and_when)
{
    add(ORDER_APP, "web", 1000, 60000, 0);
    struct drain_order again = {ORDER_APP, "/web", "uid 0 (root)", 2000, 5000, 9000};
    uint64_t version = orders_version(orders);
    ck_assert_int_eq(orders_drain(orders, &again, &why), 0);
    ck_assert_uint_ne(orders_version(orders), version);
    ck_assert_uint_eq(orders_count_drains(orders), 1);
    const struct drain_order *kept = orders_get_drain(orders, ORDER_APP, "/web");
    ck_assert_ptr_nonnull(kept);
    ck_assert_str_eq(kept->by, "uid 1000 (alice)");
    ck_assert_int_eq(kept->asked_ms, 1000);
    ck_assert_int_eq(kept->timeout_ms, 5000);
    ck_assert_int_eq(kept->until_ms, 9000);
    ck_assert_int_eq(drain_order_deadline(kept), 6000);
}
END_TEST

START_TEST(undrain)
{
    bool was = true;
    ck_assert_int_eq(orders_undrain(orders, ORDER_APP, "web", &was, &why), 0);
    ck_assert(!was);
    add(ORDER_APP, "/web", 1, 2, 0);
    ck_assert_int_eq(orders_undrain(orders, ORDER_TASK, "/web", &was, &why), 0);
    ck_assert(!was);
    ck_assert_int_eq(orders_undrain(orders, ORDER_APP, "web", &was, &why), 0);
    ck_assert(was);
    ck_assert_uint_eq(orders_count_drains(orders), 0);
    ck_assert_int_eq(orders_undrain(orders, ORDER_APP, "", &was, &why), SLOTD_E_PARSE);
    ck_assert(was);
}
END_TEST

static const char *applies(const struct order_endpoint *endpoint)
{
    const struct drain_order *found = orders_find_drain(orders, endpoint);
    return found ? order_target_text(found->target) : "none";
}

START_TEST(which_drain_applies)
{
    struct order_endpoint endpoint = {"/web", "web.1", "node1", "b", "s1"};
    ck_assert_str_eq(applies(&endpoint), "none");
    add(ORDER_APP, "/other", 0, 0, 0);
    add(ORDER_SLOT, "b/s2", 0, 0, 0);
    ck_assert_str_eq(applies(&endpoint), "none");
    add(ORDER_HOST, "node1", 1000, 60000, 0);
    ck_assert_str_eq(applies(&endpoint), "host");
    add(ORDER_APP, "/web", 1000, 60000, 0);
    ck_assert_str_eq(applies(&endpoint), "app");
    add(ORDER_SLOT, "b/s1", 1000, 60001, 0);
    ck_assert_str_eq(applies(&endpoint), "app");
    add(ORDER_SLOT, "b/s1", 1000, 60000, 0);
    ck_assert_str_eq(applies(&endpoint), "slot");
    add(ORDER_TASK, "web.1", 60000, 999, 0);
    ck_assert_str_eq(applies(&endpoint), "task");
    add(ORDER_HOST, "node1", 5, 0, 0);
    ck_assert_str_eq(applies(&endpoint), "host");
    ck_assert_str_eq(applies(&(struct order_endpoint){.app = "/web", .backend = "b"}), "app");
    ck_assert_str_eq(applies(&(struct order_endpoint){.server = "s1"}), "none");
    ck_assert_str_eq(applies(&(struct order_endpoint){.backend = "b", .server = "s1"}), "slot");
    char server[600];
    memset(server, 's', sizeof(server) - 1);
    server[sizeof(server) - 1] = '\0';
    ck_assert_str_eq(applies(&(struct order_endpoint){.backend = "b", .server = server}), "none");
}
END_TEST

START_TEST(drains_are_bounded)
{
    char name[32];
    for (unsigned i = 0; i < ORDERS_MAX_DRAINS; i++) {
        snprintf(name, sizeof(name), "%s%u", i % 2 ? "host" : "/app", i);
        add(i % 2 ? ORDER_HOST : ORDER_APP, name, 1, 2, 0);
    }
    struct drain_order more = drain(ORDER_TASK, "t", 1, 2, 0);
    ck_assert_int_eq(orders_drain(orders, &more, &why), SLOTD_E_LIMIT);
    ck_assert_str_eq(buf_text(&why),
                     "there are 10000 such orders already, and no more are kept; end some of them first");
    buf_clear(&why);
    add(ORDER_APP, "/app0", 1, 99, 0);
    bool was;
    ck_assert_int_eq(orders_undrain(orders, ORDER_HOST, "host1", &was, &why), 0);
    add(ORDER_TASK, "t", 1, 2, 0);
}
END_TEST

/* ---- weights ---- */

static void value_refused(const char *text, int err)
{
    bool is_share;
    int32_t value;
    cleanup_free char *expected =
        mem_printf("a weight is a whole number from 0 to 2147483647, or a share from 0%% to 100%%, not \"%s\"", text);
    ck_assert_int_eq(weight_order_parse_value(text, &is_share, &value, &why), err);
    ck_assert_str_eq(buf_text(&why), expected);
    buf_clear(&why);
}

START_TEST(weight_values)
{
    const char *const bad[] = {"", "%", "-1", "+1", "1.5", "10%%", "ten", " 1", "1 %"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        value_refused(bad[i], SLOTD_E_PARSE);
    }
    value_refused("101%", -ERANGE);
    value_refused("2147483648", -ERANGE);
    value_refused("99999999999999999999999", -ERANGE);
    bool is_share = false;
    int32_t value = -1;
    ck_assert_int_eq(weight_order_parse_value("10%", &is_share, &value, &why), 0);
    ck_assert(is_share && value == 10);
    ck_assert_int_eq(weight_order_parse_value("2147483647", &is_share, &value, &why), 0);
    ck_assert(!is_share && value == INT32_MAX);
    ck_assert_int_eq(weight_order_parse_value("0%", &is_share, &value, &why), 0);
    ck_assert(is_share && value == 0);
}
END_TEST

static void weight_refused(struct weight_order order, int err, const char *text)
{
    ck_assert_int_eq(orders_weigh(orders, &order, &why), err);
    ck_assert_str_eq(buf_text(&why), text);
    buf_clear(&why);
    ck_assert_uint_eq(orders_version(orders), 0);
}

START_TEST(weights_that_are_refused)
{
    weight_refused((struct weight_order){ORDER_HOST, "node1", "me", 1, false, 1}, SLOTD_E_TYPE,
                   "a weight is N for an app or a task, or N% for an app; not N for a host");
    weight_refused((struct weight_order){ORDER_TASK, "web.1", "me", 1, true, 1}, SLOTD_E_TYPE,
                   "a weight is N for an app or a task, or N% for an app; not N% for a task");
    weight_refused((struct weight_order){ORDER_APP, "web", "me", 1, true, 101}, -ERANGE,
                   "a share in percent must be from 0 to 100, not 101");
    weight_refused((struct weight_order){ORDER_APP, "web", "me", 1, false, -1}, -ERANGE,
                   "a weight must be from 0 to 2147483647, not -1");
    weight_refused((struct weight_order){ORDER_APP, "web", "", 1, false, 1}, SLOTD_E_PARSE,
                   "who asked must be a text without control characters, such as \"uid 1000 (alice)\"");
}
END_TEST

START_TEST(weights)
{
    ck_assert_ptr_null(orders_get_weight(orders, ORDER_APP, "/web"));
    ck_assert_ptr_null(orders_get_weight(orders, ORDER_APP, NULL));
    weigh(ORDER_APP, "web", true, 10);
    weigh(ORDER_TASK, "web.1", false, 3);
    const struct weight_order *kept = orders_get_weight(orders, ORDER_APP, "/web");
    ck_assert(kept && kept->is_share && kept->value == 10);
    ck_assert_str_eq(kept->by, "uid 0 (root)");
    struct weight_order again = {ORDER_APP, "/web", "alice", 77, false, 200};
    ck_assert_int_eq(orders_weigh(orders, &again, &why), 0);
    kept = orders_get_weight(orders, ORDER_APP, "/web");
    ck_assert(kept && !kept->is_share && kept->value == 200 && kept->asked_ms == 77);
    ck_assert_str_eq(kept->by, "alice");
    ck_assert_uint_eq(orders_count_weights(orders), 2);
    bool was = false;
    ck_assert_int_eq(orders_reset_weight(orders, ORDER_APP, "web", &was, &why), 0);
    ck_assert(was);
    ck_assert_int_eq(orders_reset_weight(orders, ORDER_APP, "web", &was, &why), 0);
    ck_assert(!was);
    ck_assert_uint_eq(orders_count_weights(orders), 1);
}
END_TEST

START_TEST(weights_are_bounded)
{
    char name[32];
    for (unsigned i = 0; i < ORDERS_MAX_WEIGHTS; i++) {
        snprintf(name, sizeof(name), "/app%u", i);
        weigh(ORDER_APP, name, true, 5);
    }
    struct weight_order more = {ORDER_APP, "/one-more", "me", 1, false, 1};
    ck_assert_int_eq(orders_weigh(orders, &more, &why), SLOTD_E_LIMIT);
    buf_clear(&why);
    weigh(ORDER_APP, "/app7", false, 5);
}
END_TEST

/* ---- how long they live ---- */

START_TEST(drains_expire)
{
    ck_assert(orders_expire(orders, 100, note_end, &seen) == ORDERS_NEVER);
    add(ORDER_APP, "/for-ever", 1, 2, 0);
    add(ORDER_APP, "/b", 1, 2, 200);
    add(ORDER_HOST, "node1", 1, 2, 100);
    add(ORDER_TASK, "t", 1, 2, 300);
    ck_assert_int_eq(orders_expire(orders, 99, note_end, &seen), 100);
    check_seen("");
    ck_assert_int_eq(orders_expire(orders, 100, note_end, &seen), 200);
    check_seen("drain host node1\n");
    uint64_t version = orders_version(orders);
    ck_assert_int_eq(orders_expire(orders, 150, note_end, &seen), 200);
    ck_assert_uint_eq(orders_version(orders), version);
    ck_assert(orders_expire(orders, 1000, note_end, &seen) == ORDERS_NEVER);
    check_seen("drain app /b\ndrain task t\n");
    ck_assert_uint_eq(orders_count_drains(orders), 1);
}
END_TEST

START_TEST(drains_go_along_with_the_clock)
{
    orders_shift(orders, 1000);
    ck_assert_uint_eq(orders_version(orders), 0);
    add(ORDER_APP, "/for-ever", 5000, 2, 0);
    add(ORDER_HOST, "node1", 5000, 2, 9000);
    uint64_t version = orders_version(orders);
    orders_shift(orders, 1000);
    ck_assert_uint_ne(orders_version(orders), version);
    ck_assert_int_eq(orders_get_drain(orders, ORDER_APP, "/for-ever")->asked_ms, 6000);
    ck_assert_int_eq(orders_get_drain(orders, ORDER_APP, "/for-ever")->until_ms, 0);
    ck_assert_int_eq(orders_get_drain(orders, ORDER_HOST, "node1")->until_ms, 10000);
    ck_assert_int_eq(drain_order_deadline(orders_get_drain(orders, ORDER_HOST, "node1")), 6002);
    orders_shift(orders, -20000);
    ck_assert_int_eq(orders_get_drain(orders, ORDER_HOST, "node1")->asked_ms, 0);
    ck_assert_int_eq(orders_get_drain(orders, ORDER_HOST, "node1")->until_ms, 1);
    orders_shift(orders, ORDERS_MAX_MS);
    orders_shift(orders, 1000);
    ck_assert_int_eq(orders_get_drain(orders, ORDER_HOST, "node1")->until_ms, ORDERS_MAX_MS);
}
END_TEST

START_TEST(orders_end_with_their_target)
{
    add(ORDER_TASK, "web.1", 1, 2, 0);
    add(ORDER_TASK, "web.2", 1, 2, 0);
    add(ORDER_APP, "/web", 1, 2, 0);
    add(ORDER_HOST, "web.1", 1, 2, 0);
    weigh(ORDER_TASK, "web.1", false, 1);
    weigh(ORDER_APP, "/web", true, 1);
    ck_assert_uint_eq(orders_end_task(orders, "web.1", note_end, &seen), 2);
    check_seen("drain task web.1\nweight task web.1\n");
    ck_assert_uint_eq(orders_end_task(orders, "web.1", note_end, &seen), 0);
    ck_assert_uint_eq(orders_end_app(orders, "/other", note_end, &seen), 0);
    ck_assert_uint_eq(orders_end_app(orders, "/web", note_end, &seen), 2);
    check_seen("drain app /web\nweight app /web\n");
    ck_assert_uint_eq(orders_count_drains(orders), 2);
    ck_assert_uint_eq(orders_count_weights(orders), 0);
}
END_TEST

/* What an answer says of each target: the names that it lists, then those that are known without an answer. */
struct answer {
    const char *listed, *unsure;
};

static enum order_standing ask(void *arg, enum order_target target, const char *name)
{
    const struct answer *answer = arg;
    ck_assert(target == ORDER_APP || target == ORDER_TASK);
    return strstr(answer->listed, name) ? ORDER_LISTED : strstr(answer->unsure, name) ? ORDER_UNSURE : ORDER_GONE;
}

static void note_answer(const char *listed, const char *unsure, unsigned confirmations)
{
    struct answer answer = {listed, unsure};
    struct order_judge judge = {ask, &answer, confirmations};
    orders_note_answer(orders, &judge, note_end, &seen);
}

START_TEST(what_answers_have_listed_ends_when_it_is_gone)
{
    add(ORDER_APP, "/web", 1, 2, 0);
    add(ORDER_TASK, "web.1", 1, 2, 0);
    add(ORDER_HOST, "node1", 1, 2, 0);
    add(ORDER_SLOT, "be/s1", 1, 2, 0);
    weigh(ORDER_APP, "/web", true, 1);
    weigh(ORDER_TASK, "web.1", false, 1);
    uint64_t version = orders_version(orders);
    note_answer("/web web.1", "", 3);
    note_answer("/web", "web.1", 3);
    check_seen("");
    ck_assert_uint_eq(orders_version(orders), version);
    note_answer("/web", "", 3);
    check_seen("drain task web.1\nweight task web.1\n");
    note_answer("", "", 3);
    check_seen("drain app /web\nweight app /web\n");
    ck_assert_uint_eq(orders_count_drains(orders), 2);
    ck_assert_uint_eq(orders_count_weights(orders), 0);
}
END_TEST

START_TEST(what_no_answer_has_listed_ends_when_that_is_confirmed)
{
    add(ORDER_TASK, "web.1", 1, 2, 0);
    weigh(ORDER_APP, "/web", true, 1);
    note_answer("", "", 2);
    note_answer("", "/web web.1", 2);
    check_seen("");
    /* In a row: once it is listed the count begins anew, and says that the store knows it. */
    note_answer("/web", "", 2);
    check_seen("drain task web.1\n");
    note_answer("", "", 2);
    check_seen("weight app /web\n");
    /* An order that replaces another one has been listed by nobody. */
    weigh(ORDER_APP, "/web", true, 1);
    note_answer("/web", "", 2);
    weigh(ORDER_APP, "/web", true, 2);
    note_answer("", "", 2);
    check_seen("");
    note_answer("", "", 2);
    check_seen("weight app /web\n");
}
END_TEST

START_TEST(lists_are_sorted)
{
    add(ORDER_SLOT, "b/s", 1, 2, 0);
    add(ORDER_TASK, "z", 1, 2, 0);
    add(ORDER_TASK, "a", 1, 2, 0);
    add(ORDER_APP, "/z", 1, 2, 0);
    size_t count = 0;
    const struct drain_order **list = orders_list_drains(orders, &count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&seen, "%s\n", list[i]->name);
    }
    check_seen("/z\na\nz\nb/s\n");
    free(list);
    const struct weight_order **weights_list = orders_list_weights(orders, &count);
    ck_assert_uint_eq(count, 0);
    free(weights_list);
    orders_free(NULL);
}
END_TEST

static Suite *orders_suite(void)
{
    Suite *suite = suite_create("orders");
    TCase *tests = tcase_create("orders");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_that_are_refused);
    tcase_add_test(tests, names_that_are_too_long);
    tcase_add_test(tests, names_that_are_taken);
    tcase_add_test(tests, drains_that_are_refused);
    tcase_add_test(tests, a_repeated_drain_keeps_who_and_when);
    tcase_add_test(tests, undrain);
    tcase_add_test(tests, which_drain_applies);
    tcase_add_test(tests, drains_are_bounded);
    tcase_add_test(tests, weight_values);
    tcase_add_test(tests, weights_that_are_refused);
    tcase_add_test(tests, weights);
    tcase_add_test(tests, weights_are_bounded);
    tcase_add_test(tests, drains_expire);
    tcase_add_test(tests, drains_go_along_with_the_clock);
    tcase_add_test(tests, orders_end_with_their_target);
    tcase_add_test(tests, what_answers_have_listed_ends_when_it_is_gone);
    tcase_add_test(tests, what_no_answer_has_listed_ends_when_that_is_confirmed);
    tcase_add_test(tests, lists_are_sorted);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(orders_suite)
