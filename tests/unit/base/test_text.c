/* SPDX-License-Identifier: MIT */
/* Checks and conversions of foreign text. */
#include "slotd/text.h"

#include <errno.h>
#include <string.h>

#include "slotd/error.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(int_refuses_what_is_no_number)
{
    static const char *const bad[] = {"", "-", "+", " 1", "1 ", "1.0", "0x1", "1_000", "--1", "one", "1e3"};
    int64_t value = 77;
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(text_parse_int(bad[i], INT64_MIN, INT64_MAX, &value) == SLOTD_E_PARSE, "%s", bad[i]);
    }
    ck_assert_int_eq(text_parse_int("11", 1, 10, &value), -ERANGE);
    ck_assert_int_eq(text_parse_int("0", 1, 10, &value), -ERANGE);
    ck_assert_int_eq(text_parse_int("9223372036854775808", INT64_MIN, INT64_MAX, &value), -ERANGE);
    ck_assert_int_eq(text_parse_int("99999999999999999999999", INT64_MIN, INT64_MAX, &value), -ERANGE);
    ck_assert_int_eq(text_parse_int("99999999999999999999999x", INT64_MIN, INT64_MAX, &value), SLOTD_E_PARSE);
    ck_assert_int_eq(value, 77);
}
END_TEST

START_TEST(int_takes_signs_and_both_ends)
{
    int64_t value;
    ck_assert_int_eq(text_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value), 0);
    ck_assert_int_eq(value, INT64_MIN);
    ck_assert_int_eq(text_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &value), 0);
    ck_assert_int_eq(value, INT64_MAX);
    ck_assert_int_eq(text_parse_int("+007", 1, 10, &value), 0);
    ck_assert_int_eq(value, 7);
    ck_assert_int_eq(text_parse_int("-0", 0, 0, &value), 0);
    ck_assert_int_eq(value, 0);
}
END_TEST

START_TEST(bool_is_go_s)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    static const char *const bad[] = {"", "yes", "no", "on", "tRUE", "true ", "2"};
    bool value = false;
    for (size_t i = 0; i < COUNT(yes); i++) {
        ck_assert(text_parse_bool(yes[i], &value) == 0 && value);
        ck_assert(text_parse_bool(no[i], &value) == 0 && !value);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(text_parse_bool(bad[i], &value), SLOTD_E_PARSE);
    }
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        int err;
        int64_t ms;
    } cases[] = {
        {"500ms", 0, 500},
        {"5s", 0, 5000},
        {"1m", 0, 60000},
        {"2h", 0, 7200000},
        {"30", 0, 30000},
        {"0", 0, 0},
        {"87600h", 0, INT64_C(315360000000)},
        {"87601h", -ERANGE, -1},
        {"99999999999999999999999999999s", -ERANGE, -1},
        {"", SLOTD_E_PARSE, -1},
        {"s", SLOTD_E_PARSE, -1},
        {"-1s", SLOTD_E_PARSE, -1},
        {"+1s", SLOTD_E_PARSE, -1},
        {"1 s", SLOTD_E_PARSE, -1},
        {"1.5s", SLOTD_E_PARSE, -1},
        {"1S", SLOTD_E_PARSE, -1},
        {"1d", SLOTD_E_PARSE, -1},
        {"1h30m", SLOTD_E_PARSE, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = -1;
        ck_assert_msg(text_parse_duration(cases[i].text, &ms) == cases[i].err, "%s", cases[i].text);
        ck_assert_msg(ms == cases[i].ms, "%s: %lld", cases[i].text, (long long)ms);
    }
}
END_TEST

START_TEST(times_that_are_none)
{
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T00:31:42",
        "2026-11-23 00:31:42Z",
        "2026-11-23T00:31:42z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T00:60:00Z",
        "2026-11-23T00:00:60Z",
        "2026-11-23T00:31:42.Z",
        "2026-11-23T00:31:42Zx",
        "2026-11-23T00:31:42+0100",
        "2026-11-23T00:31:42+24:00",
        "26-11-23T00:31:42Z",
        "2026-11-23T00:31:4Z",
        "-026-11-23T00:31:42Z",
        "null",
    };
    int64_t ms = 5;
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(text_parse_time(bad[i], &ms) == SLOTD_E_PARSE, "%s", bad[i]);
    }
    ck_assert_int_eq(ms, 5);
}
END_TEST

START_TEST(times)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *shown;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"},
        {"2026-11-23T00:31:42.528Z", INT64_C(1795393902528), "2026-11-23T00:31:42.528Z"},
        {"2026-11-23T02:31:42.5289999+02:00", INT64_C(1795393902528), "2026-11-23T00:31:42.528Z"},
        {"2026-11-22T19:01:42.5-05:30", INT64_C(1795393902500), "2026-11-23T00:31:42.500Z"},
        {"2024-02-29T23:59:59.999Z", INT64_C(1709251199999), "2024-02-29T23:59:59.999Z"},
        {"1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = 12345;
        char shown[32];
        ck_assert_int_eq(text_parse_time(cases[i].text, &ms), 0);
        ck_assert_msg(ms == cases[i].ms, "%s: %lld", cases[i].text, (long long)ms);
        text_format_time(ms, shown);
        ck_assert_str_eq(shown, cases[i].shown);
    }
}
END_TEST

START_TEST(times_out_of_reach_are_clamped)
{
    char shown[32];
    text_format_time(INT64_MAX, shown);
    ck_assert_str_eq(shown, "9999-12-31T23:59:59.999Z");
    text_format_time(INT64_MIN, shown);
    ck_assert_str_eq(shown, "0000-01-01T00:00:00.000Z");
}
END_TEST

static void check_safe(const char *text, size_t len, size_t max, const char *expected)
{
    struct buf buf = BUF_INIT;
    text_append_safe(&buf, text, len, max);
    ck_assert_str_eq(buf_text(&buf), expected);
    buf_free(&buf);
}

START_TEST(safe_text_escapes_what_is_not_shown)
{
    check_safe("a b~", 4, 100, "a b~");
    check_safe("a\nb\0c\x7f", 6, 100, "a\\x0ab\\x00c\\x7f");
    check_safe("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15, 100,
               "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    check_safe("\xc2\x85", 2, 100, "\\xc2\\x85");                   /* C1 control */
    check_safe("\xe2\x80\xae", 3, 100, "\\xe2\\x80\\xae");          /* right-to-left override */
    check_safe("\xc0\xaf", 2, 100, "\\xc0\\xaf");                   /* overlong */
    check_safe("\xe0\x80\xaf", 3, 100, "\\xe0\\x80\\xaf");          /* overlong */
    check_safe("\xed\xa0\x80", 3, 100, "\\xed\\xa0\\x80");          /* surrogate */
    check_safe("\xf4\x90\x80\x80", 4, 100, "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    check_safe("\xe2\x82", 2, 100, "\\xe2\\x82");                   /* cut */
    check_safe("\xff\xfe", 2, 100, "\\xff\\xfe");
}
END_TEST

START_TEST(safe_text_is_bounded)
{
    check_safe("abcdef", 6, 6, "abcdef");
    check_safe("abcdef", 6, 5, "abcde...");
    check_safe("ab\xc3\xbc", 4, 3, "ab..."); /* never in the middle of a letter */
    check_safe("abc", 3, 0, "...");
    check_safe("", 0, 0, "");
    text_append_safe(NULL, "abc", 3, 2);
}
END_TEST

START_TEST(same_texts)
{
    ck_assert(!text_equal("a", "b"));
    ck_assert(!text_equal("", NULL));
    ck_assert(!text_equal(NULL, "a"));
    ck_assert(text_equal("a", "a"));
    ck_assert(text_equal(NULL, NULL));
}
END_TEST

START_TEST(ip_literals)
{
    static const char *const good[] = {"127.0.0.1", "::1", "::", "2001:db8::5", "::ffff:10.0.0.1"};
    static const char *const bad[] = {"",      "127.0.0",      "127.0.0.256", "01.2.3.4",
                                      "[::1]", "fe80::1%eth0", "1.2.3.4 ",    "localhost"};
    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_msg(text_is_ip(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(!text_is_ip(bad[i]), "%s", bad[i]);
    }
}
END_TEST

START_TEST(host_names)
{
    static const char *const good[] = {"a", "node1", "my_host-2.example.com", "10.0.0.1", "3com.com"};
    static const char *const bad[] = {"",     ".",    "a.",  ".a",   "a..b", "-a",          "a-",
                                      "a-.b", "a.-b", "a b", "a:80", "a/b",  "\xc3\xbc.de", "a\n"};
    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_msg(text_is_host_name(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(!text_is_host_name(bad[i]), "%s", bad[i]);
    }
    char name[300];
    memset(name, 'a', sizeof(name));
    name[63] = '\0';
    ck_assert(text_is_host_name(name));
    name[63] = 'a';
    name[64] = '\0';
    ck_assert(!text_is_host_name(name));
    memset(name, 'a', sizeof(name));
    name[60] = name[120] = name[180] = name[240] = '.';
    name[253] = '\0';
    ck_assert(text_is_host_name(name));
    name[253] = 'a';
    name[254] = '\0';
    ck_assert(!text_is_host_name(name));
}
END_TEST

START_TEST(haproxy_names)
{
    char name[300];
    ck_assert(text_is_haproxy_name("server-web_1.2:3"));
    ck_assert(!text_is_haproxy_name(""));
    ck_assert(!text_is_haproxy_name("a/b"));
    ck_assert(!text_is_haproxy_name("a b"));
    ck_assert(!text_is_haproxy_name("a;b"));
    ck_assert(!text_is_haproxy_name("a\n"));
    ck_assert(!text_is_haproxy_name("\xc3\xbc"));
    memset(name, 'a', sizeof(name));
    name[250] = '\0';
    ck_assert(text_is_haproxy_name(name));
    name[250] = 'a';
    name[251] = '\0';
    ck_assert(!text_is_haproxy_name(name));
}
END_TEST

START_TEST(map_words)
{
    ck_assert(text_is_map_word("/aZ09-._~!$&()*+,=:@/?%20"));
    char word[] = "/x";
    for (int c = 0; c < 256; c++) {
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        word[1] = (char)c;
        ck_assert_int_eq(text_is_map_word(word), c == 0 || is_alnum || strchr("-._~!$&()*+,=:@/?%", c) != NULL);
    }
    ck_assert(!text_is_map_word(""));
    char longest[2050];
    memset(longest, 'a', 2048);
    longest[2048] = '\0';
    ck_assert(text_is_map_word(longest));
    longest[2048] = 'a';
    longest[2049] = '\0';
    ck_assert(!text_is_map_word(longest));
}
END_TEST

START_TEST(one_and_many)
{
    ck_assert_str_eq(text_plural(0, "slot", "slots"), "slots");
    ck_assert_str_eq(text_plural(1, "slot", "slots"), "slot");
    ck_assert_str_eq(text_plural(2, "slot", "slots"), "slots");
    ck_assert_str_eq(text_plural((uint64_t)1 << 32, "slot", "slots"), "slots");
}
END_TEST

START_TEST(plain_text)
{
    ck_assert(text_is_plain(""));
    ck_assert(text_is_plain("/web a\"\\\xc3\xa9\xf0\x9f\x98\x80"));
    const char *const bad[] = {"a\nb", "\x7f", "\xff", "\xc3", "\xc2\x85", "\xe2\x80\xae", "\xed\xa0\x80", "\xc0\xaf"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert(!text_is_plain(bad[i]));
    }
}
END_TEST

static Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, int_refuses_what_is_no_number);
    tcase_add_test(tests, int_takes_signs_and_both_ends);
    tcase_add_test(tests, bool_is_go_s);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, times_that_are_none);
    tcase_add_test(tests, times);
    tcase_add_test(tests, times_out_of_reach_are_clamped);
    tcase_add_test(tests, safe_text_escapes_what_is_not_shown);
    tcase_add_test(tests, safe_text_is_bounded);
    tcase_add_test(tests, same_texts);
    tcase_add_test(tests, ip_literals);
    tcase_add_test(tests, host_names);
    tcase_add_test(tests, haproxy_names);
    tcase_add_test(tests, map_words);
    tcase_add_test(tests, plain_text);
    tcase_add_test(tests, one_and_many);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(text_suite)
