/* SPDX-License-Identifier: MIT */
/* `show servers state`, read and written again. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "suite.h"

#define HEADER                                                                                                         \
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "                   \
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "   \
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "            \
    "srv_agent_addr srv_agent_port\n"

static const char answer[] = "1\n" HEADER "3 web 1 s1 127.0.0.2 2 4 3 1 0 1 0 0 8 0 0 0 slot.invalid 80 - 0 0 - - 0\n"
                             "3 web 2 s2 0.0.0.0 0 5 1 1 1 1 0 0 10 0 0 0 Slot.INVALID 1 - 0 8080 - - 0\n"
                             "3 web 4 other 127.0.0.1 2 0 1 1 1 1 0 2 6 0 0 0 - 9 - 0 0 - - 0\n"
                             "3 web 5 spare 127.0.0.1 0 5 1 1 1 1 0 0 8 0 0 0 - 9 - 0 0 - - 0\n"
                             "4 api 1 s1 2001:db8::1 2 12 256 1 1 1 0 0 8 0 0 0 slot.invalid 443 - 0 0 - - 0\n"
                             "4 api 2 named 10.0.0.1 2 4 1 1 1 1 0 0 8 0 0 0 db.example.com 9 - 0 0 - - 0\n\n";

START_TEST(test_read)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_int_eq(haproxy_state_parse(answer, strlen(answer), &state, &why), 0);
    ck_assert_uint_eq(state->count, 6);
    /* Sorted by backend, HAProxy's order within. */
    ck_assert_str_eq(state->servers[0].backend, "api");
    ck_assert_str_eq(state->servers[0].observed.address, "2001:db8::1");
    ck_assert_uint_eq(state->servers[0].observed.weight, 256);
    ck_assert_uint_eq(state->servers[0].observed.admin, 12);
    ck_assert(state->servers[0].is_slot);
    ck_assert(!state->servers[1].is_slot);
    ck_assert_str_eq(state->servers[2].name, "s1");
    ck_assert_uint_eq(state->servers[2].observed.port, 80);
    ck_assert(!state->servers[2].observed.checked);
    ck_assert(state->servers[3].observed.checked);
    ck_assert(state->servers[3].observed.check_off);
    ck_assert(state->servers[3].is_slot);
    ck_assert_uint_eq(state->servers[3].observed.check_port, 8080);
    ck_assert(!state->servers[4].is_slot);
    ck_assert(state->servers[4].observed.checked);
    ck_assert(!state->servers[4].observed.check_off);
    ck_assert(!state->servers[5].is_slot);
    haproxy_state_free(state);
}
END_TEST

START_TEST(test_write)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf content = BUF_INIT;
    ck_assert_int_eq(haproxy_state_parse(answer, strlen(answer), &state, NULL), 0);
    const struct haproxy_server *slot = &state->servers[2];
    struct slot_observed applied = slot->observed;
    haproxy_state_write_header(state, &content);
    haproxy_state_write_row(state, slot, &applied, &content);
    strcpy(applied.address, "10.1.2.3");
    applied.port = 8080;
    applied.weight = 7;
    applied.admin = 5;
    applied.op_state = 0;
    haproxy_state_write_row(state, slot, &applied, &content);
    ck_assert_str_eq(buf_text(&content),
                     "1\n" HEADER "3 web 1 s1 127.0.0.2 2 4 3 1 0 1 0 0 8 0 0 0 slot.invalid 80 - 0 0 - - 0\n"
                     "3 web 1 s1 10.1.2.3 0 5 7 1 0 1 0 0 8 0 0 0 slot.invalid 8080 - 0 0 - - 0\n");
    haproxy_state_free(state);
}
END_TEST

/* Added by us: by name and chosen id; a server of the configuration with one of the two is none. */
START_TEST(test_added)
{
    static const char text[] = "1\n" HEADER "3 web 100003 slotd-3 0.0.0.0 0 1 1 1 0 1 0 0 2 0 0 1 - 1 - 0 0 - - 0\n"
                               "3 web 100003 slotd-3 0.0.0.0 0 1 1 1 0 1 0 0 2 0 0 0 - 1 - 0 0 - - 0\n"
                               "3 web 3 slotd-3 0.0.0.0 0 1 1 1 0 1 0 0 2 0 0 1 - 1 - 0 0 - - 0\n"
                               "3 web 100004 slotd-3 0.0.0.0 0 1 1 1 0 1 0 0 2 0 0 1 - 1 - 0 0 - - 0\n"
                               "3 web 100003 s3 0.0.0.0 0 1 1 1 0 1 0 0 2 0 0 1 - 1 - 0 0 - - 0\n"
                               "3 web 100003 slotd-03 0.0.0.0 0 1 1 1 0 1 0 0 2 0 0 1 - 1 - 0 0 - - 0\n";
    struct haproxy_state *state = NULL;
    ck_assert_int_eq(haproxy_state_parse(text, strlen(text), &state, NULL), 0);
    ck_assert(state->servers[0].is_slot && state->servers[0].observed.added);
    ck_assert(state->servers[0].observed.checked && state->servers[0].observed.check_off);
    for (size_t i = 1; i < state->count; i++) {
        ck_assert_msg(!state->servers[i].is_slot && !state->servers[i].observed.added, "row %zu", i);
    }
    haproxy_state_free(state);
}
END_TEST

START_TEST(test_columns_in_another_order)
{
    static const char text[] =
        "1\n# srv_port srv_fqdn srv_check_port srv_agent_state srv_check_state srv_uweight srv_iweight srv_admin_state "
        "srv_op_state srv_addr srv_name be_name more\n"
        "81 slot.invalid 0 2 8 1 5 4 2 10.0.0.9 s1 web x\n";
    struct haproxy_state *state = NULL;
    ck_assert_int_eq(haproxy_state_parse(text, strlen(text), &state, NULL), 0);
    ck_assert_str_eq(state->servers[0].observed.address, "10.0.0.9");
    ck_assert_uint_eq(state->servers[0].observed.port, 81);
    ck_assert_uint_eq(state->servers[0].observed.configured, 5);
    ck_assert(state->servers[0].observed.has_agent);
    ck_assert(!state->servers[0].observed.checked);
    ck_assert(state->servers[0].is_slot);
    haproxy_state_free(state);
}
END_TEST

static void refuse(const char *text, int wanted, const char *message)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_int_eq(haproxy_state_parse(text, strlen(text), &state, &why), wanted);
    ck_assert_str_eq(buf_text(&why), message);
    ck_assert_ptr_null(state);
}

START_TEST(test_refuses)
{
    refuse("Can't find backend.\n", SLOTD_E_REFUSED, "`show servers state` answered: Can't find backend.");
    refuse("", SLOTD_E_REFUSED, "`show servers state` answered: ");
    refuse("1\n", SLOTD_E_PARSE, "`show servers state` has no header");
    refuse("1\nx y\n", SLOTD_E_PARSE, "`show servers state` has no header");
    refuse("1\n# be_name srv_name\n", SLOTD_E_PARSE, "`show servers state` has no column srv_addr");
    refuse("1\n" HEADER "3 web 1\n", SLOTD_E_PARSE, "`show servers state`, line 3: 25 columns expected, 3 found");
    refuse("1\n" HEADER "3 web 1 s1 127.0.0.2 2 4 300 1 0 1 0 0 8 0 0 0 slot.invalid 80 - 0 0 - - 0\n", SLOTD_E_PARSE,
           "`show servers state`, line 3: srv_uweight is no number up to 256");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("haproxy state");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_read);
    tcase_add_test(tests, test_write);
    tcase_add_test(tests, test_added);
    tcase_add_test(tests, test_columns_in_another_order);
    tcase_add_test(tests, test_refuses);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
