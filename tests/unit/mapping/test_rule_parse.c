/* SPDX-License-Identifier: MIT */
/* Rules from text to parts: `Word[value][value]` for each. */
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/rule.h"
#include "suite.h"

static void check_parts(const char *text, const char *expected)
{
    struct rule *rule = NULL;
    struct buf shown = BUF_INIT;
    struct buf why = BUF_INIT;
    int err = rule_parse(text, &rule, &why);
    ck_assert_msg(err == 0, "`%s`: %s", text, buf_text(&why));
    for (size_t i = 0; i < rule->n_parts; i++) {
        buf_puts(&shown, rule_word_text(rule->parts[i].word));
        for (size_t v = 0; v < rule->parts[i].n_values; v++) {
            buf_printf(&shown, "[%s]", rule->parts[i].values[v]);
        }
    }
    ck_assert_str_eq(buf_text(&shown), expected);
    buf_free(&shown);
    rule_free(rule);
}

static void check_error(const char *text, const char *expected)
{
    struct rule *rule = NULL;
    struct buf why = BUF_INIT;
    ck_assert_int_eq(rule_parse(text, &rule, &why), SLOTD_E_PARSE);
    ck_assert_ptr_null(rule);
    ck_assert_str_eq(buf_text(&why), expected);
    buf_free(&why);
}

START_TEST(what_is_no_rule)
{
    check_error("", "it is empty");
    check_error(" ; ;", "`` is no matcher; Host, Path or PathPrefix would be one");
    check_error(";;", "it is empty");
    check_error("host:a", "`host` is no matcher; Host, Path or PathPrefix would be one");
    check_error("Host:a;Pfad:/x\x1b", "`Pfad` is no matcher; Host, Path or PathPrefix would be one");
    check_error("Ho\x01st:a", "`Ho\\x01st` is no matcher; Host, Path or PathPrefix would be one");
    check_error(":", "`` is no matcher; Host, Path or PathPrefix would be one");
    check_error("Host", "Host has no value");
    check_error("Host:", "Host has no value");
    check_error("Host:a;Path::,,", "Path has no value");
}
END_TEST

START_TEST(parts_and_values)
{
    check_parts("Host:a.example", "Host[a.example]");
    check_parts(" Host : a , b ;; PathPrefix:/x,/y ", "Host[a][b]PathPrefix[/x][/y]");
    check_parts("Host:,a,,b,", "Host[a][b]");
    check_parts("Headers:Content-Type,application/json", "Headers[Content-Type][application/json]");
    check_parts("HeadersRegexp:X,a|b;Query:a=1,b={x:[0-9]+}", "HeadersRegexp[X][a|b]Query[a=1][b={x:[0-9]+}]");
    check_parts("HostRegexp:{sub:[a-z]+}.example", "HostRegexp[{sub:[a-z]+}.example]");
    check_parts("PathStrip:/a;PathStripRegex:/b;PathPrefixStrip:/c;PathPrefixStripRegex:/d",
                "PathStrip[/a]PathStripRegex[/b]PathPrefixStrip[/c]PathPrefixStripRegex[/d]");
    check_parts("Method:GET,POST;AddPrefix:/a;ReplacePath:/b;ReplacePathRegex:^/c/(.*) /d/$1",
                "Method[GET][POST]AddPrefix[/a]ReplacePath[/b]ReplacePathRegex[^/c/(.*) /d/$1]");
}
END_TEST

START_TEST(colons_are_split_and_joined)
{
    check_parts("Host:a:8080", "Host[a:8080]");
    check_parts("Path:/a::b:", "Path[/a:b]");
    check_parts("Host::a", "Host[a]");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rule_parse");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, what_is_no_rule);
    tcase_add_test(tests, parts_and_values);
    tcase_add_test(tests, colons_are_split_and_joined);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
