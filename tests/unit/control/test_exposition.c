/* SPDX-License-Identifier: MIT */
/* Prometheus' text format, byte by byte. */
#include "../../../agent/control/exposition.h"

#include <string.h>

#include "suite.h"

static void assert_value(const char *value, const char *written)
{
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_buf struct buf wanted = BUF_INIT;
    exposition_add(&text, "a", LABELS("l", value), 1);
    buf_printf(&wanted, "a{l=\"%s\"} 1\n", written);
    ck_assert_str_eq(buf_text(&text), buf_text(&wanted));
}

START_TEST(values_of_labels_are_escaped)
{
    assert_value("", "");
    assert_value("backend-web_1.x:y", "backend-web_1.x:y");
    assert_value("a b", "a b");
    assert_value("\"", "\\\"");
    assert_value("\\", "\\\\");
    assert_value("\n", "\\n");
    assert_value("a\\n\"b\"\nc", "a\\\\n\\\"b\\\"\\nc");
    assert_value("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
}
END_TEST

/* What is no text is shown as text, and its backslash is one of the value. */
START_TEST(values_of_labels_are_text)
{
    assert_value("a\tb", "a\\\\x09b");
    assert_value("\r\n", "\\\\x0d\\n");
    assert_value("\xff", "\\\\xff");
    assert_value("\xc3", "\\\\xc3");
    assert_value("a\x7f", "a\\\\x7f");
}
END_TEST

START_TEST(values_of_labels_are_bounded)
{
    char value[2000];
    cleanup_buf struct buf text = BUF_INIT;
    memset(value, ' ', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    exposition_add(&text, "a", LABELS("l", value), 1);
    ck_assert_uint_lt(text.len, EXPOSITION_MAX_VALUE + 20);
    memset(value, '\n', sizeof(value) - 1);
    buf_clear(&text);
    exposition_add(&text, "a", LABELS("l", value), 1);
    ck_assert_uint_lt(text.len, 2 * EXPOSITION_MAX_VALUE + 20);
}
END_TEST

START_TEST(a_family_has_its_head)
{
    cleanup_buf struct buf text = BUF_INIT;
    exposition_begin(&text, "a_total", EXPOSITION_COUNTER, "What it is.");
    exposition_add(&text, "a_total", NO_LABELS, UINT64_MAX);
    exposition_begin(&text, "b", EXPOSITION_GAUGE, "B.");
    exposition_add(&text, "b", LABELS("x", "1", "y", "2"), 0);
    ck_assert_str_eq(buf_text(&text), "# HELP a_total What it is.\n"
                                      "# TYPE a_total counter\n"
                                      "a_total 18446744073709551615\n"
                                      "# HELP b B.\n"
                                      "# TYPE b gauge\n"
                                      "b{x=\"1\",y=\"2\"} 0\n");
}
END_TEST

START_TEST(seconds_are_exact)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "a 0\n"},
        {1, "a 0.000000001\n"},
        {100000, "a 0.0001\n"},
        {1000000000, "a 1\n"},
        {10000000000, "a 10\n"},
        {1500000000, "a 1.5\n"},
        {UINT64_MAX, "a 18446744073.709551615\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_buf struct buf text = BUF_INIT;
        exposition_add_seconds(&text, "a", NO_LABELS, cases[i].ns);
        ck_assert_str_eq(buf_text(&text), cases[i].text);
    }
}
END_TEST

START_TEST(a_histogram_is_cumulative)
{
    static const char wanted[] = "h_bucket{x=\"1\",le=\"0.0001\"} 2\n"
                                 "h_bucket{x=\"1\",le=\"0.0002\"} 2\n"
                                 "h_bucket{x=\"1\",le=\"0.0005\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.001\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.002\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.005\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.01\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.02\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.05\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.1\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.2\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"0.5\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"1\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"2\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"5\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"10\"} 3\n"
                                 "h_bucket{x=\"1\",le=\"+Inf\"} 4\n"
                                 "h_sum{x=\"1\"} 11.00045\n"
                                 "h_count{x=\"1\"} 4\n";
    struct histogram histogram = {0};
    cleanup_buf struct buf text = BUF_INIT;
    histogram_add(&histogram, 100000);
    histogram_add(&histogram, 50000);
    histogram_add(&histogram, 300000);
    histogram_add(&histogram, UINT64_C(11000000000));
    exposition_add_histogram(&text, "h", LABELS("x", "1"), &histogram);
    ck_assert_str_eq(buf_text(&text), wanted);
    buf_clear(&text);
    exposition_add_histogram(&text, "h", NO_LABELS, &histogram);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "h_bucket{le=\"+Inf\"} 4\nh_sum 11.00045\nh_count 4\n"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("exposition");
    TCase *tests = tcase_create("exposition");
    tcase_add_test(tests, values_of_labels_are_escaped);
    tcase_add_test(tests, values_of_labels_are_text);
    tcase_add_test(tests, values_of_labels_are_bounded);
    tcase_add_test(tests, a_family_has_its_head);
    tcase_add_test(tests, seconds_are_exact);
    tcase_add_test(tests, a_histogram_is_cumulative);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
