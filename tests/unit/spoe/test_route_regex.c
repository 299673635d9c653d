/* SPDX-License-Identifier: MIT */
/* Go's regular expressions as PCRE2 gets them; what Go does not have is refused. */
#include <string.h>

#include "../../../agent/spoe/route_private.h"
#include "suite.h"

static void check_refused(const char *regex, const char *what)
{
    cleanup_buf struct buf pattern = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    struct route_groups groups = {0};
    ck_assert_msg(route_regex_translate(regex, strlen(regex), &pattern, &groups, &why) != 0, "%s", regex);
    ck_assert_msg(strstr(buf_text(&why), what) != NULL, "%s: %s", regex, buf_text(&why));
    route_groups_free(&groups);
}

START_TEST(what_go_does_not_have)
{
    static const char *const groups[] = {"(?=a)", "(?!a)", "(?<=a)",  "(?<!a)", "(?>a)",   "(?|a)",  "(?R)",
                                         "(?1)",  "(?&n)", "(?P>n)",  "(?P=n)", "(?C1)",   "(?x)",   "(?^i)",
                                         "(?#c)", "(?-)",  "(?i--s)", "(?i",    "(?<n>a)", "(?'n'a)"};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        check_refused(groups[i], "a group");
    }
    check_refused("a++", "a repetition of a repetition");
    check_refused("a*+", "a repetition of a repetition");
    check_refused("a??+", "a repetition of a repetition");
    check_refused("a{2}{3}", "a repetition of a repetition");
    check_refused("(*ACCEPT)", "a repetition of nothing");
    check_refused("*", "a repetition of nothing");
    check_refused("a|*", "a repetition of nothing");
    check_refused("(?i)*", "a repetition of nothing");
    check_refused("a{1001}", "more than 1000");
    check_refused("a{3,2}", "more than 1000");
    check_refused("(a)\\1", "a back-reference");
    check_refused("\\k<n>", "a back-reference");
    check_refused("\\g1", "a back-reference");
    check_refused("\\8", "a back-reference");
    static const char *const escapes[] = {"\\K", "\\G", "\\R", "\\X", "\\C",  "\\h",
                                          "\\N", "\\Z", "\\E", "\\e", "[\\b]"};
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        check_refused(escapes[i], "an escape that Go does not have");
    }
    check_refused("\\xz", "an escape \\x");
    check_refused("\\x{110000}", "an escape \\x");
    check_refused("\\", "a \\ at its end");
    check_refused("\\p", "a class \\p");
    check_refused("\\p{Lu", "a class \\p");
    check_refused("[a", "a [ without its ]");
    check_refused("[", "a [ without its ]");
    check_refused("[z-a]", "a range");
    check_refused("[a-\\d]", "an escape that Go does not have");
    check_refused("[[:nope:]]", "a class that Go does not have");
    check_refused("a)", "a ) without its (");
    check_refused("(a", "a ( without its )");
    check_refused("(?P<a>x)(?P<a>y)", "two groups of one name");
    check_refused("(?P<>x)", "a group with a name");
    check_refused("\xff", "no UTF-8");
}
END_TEST

static void check(const char *regex, const char *text, const char *expected)
{
    cleanup_buf struct buf pattern = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    cleanup_buf struct buf got = BUF_INIT;
    struct route_pattern *compiled = NULL;
    const size_t *offsets = NULL;
    struct route_scratch *scratch = route_scratch_new();
    ck_assert_msg(route_regex_translate(regex, strlen(regex), &pattern, NULL, &why) == 0, "%s", buf_text(&why));
    ck_assert_msg(route_pattern_new(&pattern, &compiled, &why) == 0, "%s: %s", regex, buf_text(&why));
    enum route_match found =
        route_pattern_match(compiled, scratch, (struct spop_text){text, strlen(text)}, 0, &offsets);
    for (size_t i = 0; found == ROUTE_YES && i <= route_pattern_groups(compiled); i++) {
        buf_puts(&got, i > 0 ? "|" : "");
        if (offsets[2 * i] != SIZE_MAX) {
            buf_append(&got, text + offsets[2 * i], offsets[2 * i + 1] - offsets[2 * i]);
        }
    }
    ck_assert_int_ne(found, ROUTE_FAILED);
    ck_assert_msg(strcmp(found == ROUTE_NO ? "no" : buf_text(&got), expected) == 0, "%s: %s, not %s", regex,
                  found == ROUTE_NO ? "no" : buf_text(&got), expected);
    route_pattern_free(compiled);
    route_scratch_free(scratch);
}

/* As Go 1.26 answers each of them. */
START_TEST(what_means_the_same)
{
    check("b(c)?(d)?", "abd", "bd||d");
    check("a|ab", "ab", "a");
    check("(a+)(b+)?", "xaab", "aab|aa|b");
    check("a*?b", "aab", "aab");
    check("a{2,}", "aaa", "aaa");
    check("a{,2}", "a{,2}", "a{,2}");
    check("{", "{", "{");
    check("x{a}", "x{a}", "x{a}");
    check("^a$", "a\n", "no");
    check("(?m)^b$", "a\nb\nc", "b");
    check("(?s)a.b", "a\nb", "a\nb");
    check("a.b", "a\nb", "no");
    check("(?U)a+", "aa", "a");
    check("(?i:A)b", "ab", "ab");
    check("(?i:A)b", "aB", "no");
    check("(?i)k", "\xe2\x84\xaa", "\xe2\x84\xaa");
    check("[\\s]", "\v", "no");
    check("\\s", "\v", "no");
    check("\\S", "\v", "\v");
    check("[\\S]", "\v", "\v");
    check("\\v", "\v", "\v");
    check("\\v", "\n", "no");
    check("[]a]+", "]a", "]a");
    check("[^]a]", "]ab", "b");
    check("[a-]+", "-a", "-a");
    check("[[:alpha:]_]+", "1b_", "b_");
    check("[[:^alpha:]]", "b1", "1");
    check("[[.x]+", "[.x", "[.x");
    check("\\Qa.b\\E+", "a.bb", "a.bb");
    check("\\Q*", "*", "*");
    check("\\012", "\n", "\n");
    check("\\x41\\x{e4}", "A\xc3\xa4", "A\xc3\xa4");
    check("^.$", "\xc3\xa4", "\xc3\xa4");
    check("\\pL\\p{Lu}\\P{Lu}", "aBc", "aBc");
    check("\\w", "\xc3\xa4", "no");
    check("\\bb\\B", "a bc", "b");
    check("^*a", "a", "a");
    check("(?:^|x)a$", "xa", "xa");
    check("(|a)b", "ab", "ab|a");
    check("a#b c", "a#b c", "a#b c");
    check("(?P<n>a)", "a", "a|a");
    check("", "abc", "");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("route regex");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, what_go_does_not_have);
    tcase_add_test(tests, what_means_the_same);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
