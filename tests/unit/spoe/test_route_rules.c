/* SPDX-License-Identifier: MIT */
/* Each matcher and modifier on its own, as Traefik 1.7 has it; what cannot be taken first. */
#include "route_fixture.h"
#include "slotd/error.h"

static void check_refused(const char *rule, const char *expected)
{
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_int_eq(route_set("s", "Host:x", 1, NULL), 0);
    ck_assert_int_lt(route_set("s", rule, 1, &why), 0);
    ck_assert_str_eq(buf_text(&why), expected);
    ck_assert_ptr_null(route_table_get(table, "s"));
    ck_assert_uint_eq(route_table_count(table), 0);
}

/* What has no effect is told, and once more when the same rule is set again. */
static void check_told(const char *rule, const char *expected)
{
    for (int i = 0; i < 2; i++) {
        cleanup_buf struct buf why = BUF_INIT;
        ck_assert_int_eq(route_set("s", rule, 1, &why), 0);
        ck_assert_str_eq(buf_text(&why), expected);
    }
}

START_TEST(what_traefik_refuses_is_refused)
{
    check_refused("", "it is empty");
    check_refused("Headers:a", "Headers `a`: it takes pairs of a name and a value");
    check_refused("HeadersRegexp:a,(", "HeadersRegexp `(`: its regular expression has a ( without its )");
    check_refused("HeadersRegexp:a,(?=x)",
                  "HeadersRegexp `(?=x)`: its regular expression has a group that Go does not have (look-around, "
                  "atomic, recursion)");
    check_refused("Query:a", "Query `a`: it is no KEY=VALUE");
    check_refused("Query:a=b=c", "Query `a=b=c`: it is no KEY=VALUE");
    check_refused("Query:a={v},b={v}", "Query `b={v}`: two variables have one name");
    check_refused("Query:a={v", "Query `a={v`: its braces do not pair");
}
END_TEST

START_TEST(a_wrong_value_matches_nothing_and_is_told)
{
    check_told("Host:x;Path:a,/b", "Path `a`: it does not begin with `/`");
    check_told("Path:/{", "Path `/{`: its braces do not pair");
    check_told("Path:/{a:}", "Path `/{a:}`: it has braces without a name or without a regular expression");
    check_told("HostRegexp:{a:(?<n>x)},b", "HostRegexp `{a:(?<n>x)}`: its regular expression has a group that Go does "
                                           "not have (look-around, atomic, recursion)");
    check_told("ReplacePathRegex:^/x", "ReplacePathRegex `^/x`: it is not a regular expression, a blank, and a "
                                       "replacement");
    check_told("Query:a={v};Path:/{v}", "Path `/{v}`: a query has a variable of the same name");
    route_check_with("Path:a,/b", "GET", "x/b", NULL, "serve");
    route_check_with("Path:a", "GET", "x/a", NULL, "none");
    route_check("ReplacePathRegex:( x", "x/y", "serve");
}
END_TEST

START_TEST(host)
{
    route_check("Host:a.example", "http://a.example/", "serve");
    route_check("Host:A.Example", "http://a.eXample:8080/", "serve");
    route_check("Host:a.example.", "a.example/", "serve");
    route_check("Host:a.example", "a.example./", "serve");
    route_check("Host:a.example", "a.example.:80/", "serve");
    route_check("Host:a.example", "b.a.example/", "none");
    route_check("Host:c,b,a", "b", "serve");
    route_check("Host:c,b,a", "bb", "none");
    route_check("Host:a,b;Host:b,c", "b", "serve");
    route_check("Host:a,b;Host:b,c", "a", "none");
    route_check("Host:::1", "[::1]:80/", "none"); /* colons in a row are one */
    route_check("Host:fe80:0:1", "[fe80:0:1]:80/", "serve");
    route_check("Host:{x}", "x/", "none"); /* no template */
    route_check("Host:a", "a\x80/", "bad");
}
END_TEST

START_TEST(host_regexp)
{
    route_check("HostRegexp:{s:[a-z]+}.example", "WWW.Example:80/", "serve");
    route_check("HostRegexp:{s:[a-z]+}.example", "w2.example/", "none");
    route_check("HostRegexp:{s}.example", "a.b.example/", "none");
    route_check("HostRegexp:{s}.example", "a.example/", "serve");
    route_check("HostRegexp:{s}.example", "a.example./", "none");
    route_check("HostRegexp:{s}.example", "axexample/", "none");
    route_check("HostRegexp:a.example,{s}.test", "A.example/", "serve");
    route_check("HostRegexp:{s:a|b}.test", "b.test/", "serve");
    route_check("HostRegexp:{s:a|b}.test", "a/", "none");
}
END_TEST

START_TEST(method)
{
    route_check_with("Method:get,post", "POST", "x/", NULL, "serve");
    route_check_with("Method:get,post", "PUT", "x/", NULL, "none");
    route_check_with("Method:get", "get", "x/", NULL, "none");
}
END_TEST

START_TEST(path)
{
    route_check("Path:/a", "x/a", "serve");
    route_check("Path:/a", "x/A", "none");
    route_check("Path:/a", "x/ab", "none");
    route_check("Path:/a", "x/a?q=1", "serve");
    route_check("Path:/a b", "x/a%20b", "serve");
    route_check("Path:/a%20b", "x/a%20b", "none");
    route_check("Path:/a/b", "x/a%2Fb", "serve");
    route_check("Path:/{a}/{b:[0-9]+}", "x/q/17", "serve");
    route_check("Path:/{a}/{b:[0-9]+}", "x/q/1x", "none");
    route_check("Path:/{a}", "x/q/r", "none");
    route_check("Path:/a.b", "x/axb", "none");
    route_check("Path:/{a:b.}", "x/b%0A", "none"); /* Go's dot is no line feed */
    route_check("Path:/a", "x/%zz", "bad");
    route_check("Path:/a", "x/%2", "bad");
    route_check("Path:/", "x", "serve");
}
END_TEST

START_TEST(a_slash_at_the_end_of_a_path_is_redirected)
{
    route_check("Path:/a", "x/a/", "redirect /a");
    route_check("Path:/a/", "x/a?q=%20", "redirect /a/?q=%20");
    route_check("Path:/a/", "x/a/", "serve");
    route_check("PathStrip:/a/", "x/a", "redirect /a/");
    route_check("Path:/{a}", "x/b%20c/", "redirect /b%20c");
    route_check("Path:/{a:.*}/", "x//evil.example", "redirect /evil.example/");
    route_check("Path:/{a:.*}/", "x/b/../../c/./", "serve");
    route_check("Path:/{a:.*}/", "x/b/../../c/.", "redirect /c/");
    route_check_with("Path:/a;Method:POST", "GET", "x/a/", NULL, "none");
    route_check("PathPrefix:/a/", "x/a", "none");
}
END_TEST

START_TEST(path_prefix)
{
    route_check("PathPrefix:/foo", "x/foobar", "serve");
    route_check("PathPrefix:/foo", "x/fo", "none");
    route_check("PathPrefix:/a,/b", "x/b/c", "serve");
    route_check("PathPrefix:/{a:[0-9]+}/b", "x/12/bcd", "serve");
    route_check("PathPrefix:/{a:[0-9]+}/b", "x/1a/bcd", "none");
    route_check("PathPrefix:/a;PathPrefix:/a/b", "x/a/b/c", "serve");
    route_check("PathPrefix:/a;PathPrefix:/a/b", "x/a/c", "none");
}
END_TEST

START_TEST(headers)
{
    route_check_with("Headers:X-A,b", "GET", "x/", "x-a: b", "serve");
    route_check_with("Headers:x-a,b", "GET", "x/", "X-A: c\nX-A: b", "serve");
    route_check_with("Headers:X-A,b", "GET", "x/", "X-A: B", "none");
    route_check_with("Headers:X-A,b,X-C,d", "GET", "x/", "X-A: b", "none");
    route_check_with("Headers:X-A,b,X-C,d", "GET", "x/", "X-A: b\nX-C: d", "serve");
    route_check_with("Headers:X-A,b,X-A,c", "GET", "x/", "X-A: c", "serve"); /* the last one of a name */
    route_check_with("Headers:X-A, ", "GET", "x/", "X-A: any", "serve");
    route_check_with("Headers:X-A, ", "GET", "x/", NULL, "none");
    route_check_with("Headers:Host,x", "GET", "x/", NULL, "none");
    route_check_with("HeadersRegexp:X-A,^[0-9]+$", "GET", "x/", "X-A: 12", "serve");
    route_check_with("HeadersRegexp:X-A,^[0-9]+$", "GET", "x/", "X-A: 12a", "none");
    route_check_with("HeadersRegexp:X-A,b+c", "GET", "x/", "X-A: aabbcc", "serve");
    route_check_with("HeadersRegexp:X-A,(?i)B", "GET", "x/", "X-A: b", "serve");
    route_check_with("HeadersRegexp:X-A,^a.c$", "GET", "x/",
                     "X-A: a\xff"
                     "c",
                     "serve"); /* as U+FFFD */
}
END_TEST

START_TEST(query)
{
    route_check("Query:a=b", "x/?a=b", "serve");
    route_check("Query:a=b", "x/?a=c&a=b", "none"); /* the first one counts */
    route_check("Query:a=b", "x/?c;a=b", "serve");
    route_check("Query:a=b,c=d", "x/?a=b", "none"); /* all of them */
    route_check("Query:a=b,c=d", "x/?c=d&a=b", "serve");
    route_check("Query:a={v:[0-9]+}", "x/?a=12", "serve");
    route_check("Query:a={v:[0-9]+}", "x/?a=x", "none");
    route_check("Query:a=", "x/?a=any", "serve");
    route_check("Query:a=", "x/?a", "serve");
    route_check("Query:a=", "x/?b", "none");
    route_check("Query:a b=c d", "x/?a+b=c%20d", "serve");
    route_check("Query:a=b", "x/?a=%zz&a=b", "serve"); /* the first one that can be read */
    route_check("Query:a=b", "x/", "none");
}
END_TEST

START_TEST(strips)
{
    route_check("PathPrefixStrip:/a", "x/a/b?q", "serve /b </a>");
    route_check("PathPrefixStrip:/a", "x/a", "serve / </a>");
    route_check("PathPrefixStrip:/a", "x/abc", "serve /bc </a>");
    route_check("PathPrefixStrip:/a/", "x/a/b", "serve /b </a/>");
    route_check("PathPrefixStrip:/a,/a/b", "x/a/b/c", "serve /c </a/b>");                 /* the longest one first */
    route_check("PathPrefixStrip:/a/b;PathPrefixStrip:/a", "x/a/b/c", "serve /b/c </a>"); /* the last part's */
    route_check("PathStrip:/a", "x/a", "serve / </a>");
    route_check("PathStrip:/{a}", "x/b", "none"); /* what is stripped is no template */
    route_check("PathStripRegex:/{a}", "x/b", "serve / </b>");
    route_check("PathPrefixStripRegex:/{a}/{b:[0-9]+}", "x/q/12/r", "serve /r </q/12>");
    route_check("PathPrefixStripRegex:/{a:[^/]+}", "x/b%C3%A4/c", "serve /c </b\xc3\xa4>");
    route_check("PathPrefixStripRegex:/{a:[^/]+}", "x/b%FF/c", "serve /c </b\xff>");
    route_check("PathPrefixStripRegex:/{a};PathPrefixStrip:/{a}", "x/b/c", "none");
    route_check("PathPrefixStrip:/a", "x/a/b%2Fc", "serve /b%2Fc </a>"); /* as it was sent */
    route_check("PathPrefixStrip:/a b", "x/a%20b/c%2Fd", "serve /c/d </a b>");
    route_check("PathPrefixStrip:/a", "x/a/\"", "serve /%22 </a>");
    route_check("PathPrefixStrip:/a", "x/a//evil", "serve //evil </a>");
}
END_TEST

START_TEST(additions_and_replacements)
{
    route_check("AddPrefix:/p", "x/a", "serve /p/a");
    route_check("AddPrefix:p", "x/a", "serve /p/a"); /* a path begins with a slash */
    route_check("AddPrefix:/p;PathPrefixStrip:/a", "x/a/b", "serve /p/b </a>");
    route_check("AddPrefix:/p;PathPrefixStripRegex:/{a}/", "x/a/b", "serve /pb </a/>");
    route_check("AddPrefix:/p", "x/a%2Fb", "serve /p/a%2Fb");
    route_check("ReplacePath:/new", "x/a?q", "serve /new");
    route_check("ReplacePath:/a", "x/a", "serve");
    route_check("ReplacePath:/n,/m", "x/a", "serve /m");
    route_check("ReplacePathRegex: ^/api/(.*) /v2/$1", "x/api/b/c", "serve /v2/b/c");
    route_check("ReplacePathRegex: ^/api/(.*) /v2/$1", "x/b", "serve");
    route_check("ReplacePathRegex:^/(?P<one>[^/]+)/(.*)$ /${2}/$one", "x/a/b/c", "serve /b/c/a");
    route_check("ReplacePathRegex:^/(.*)$ /$1x", "x/a", "serve /"); /* the group 1x, which is none */
    route_check("ReplacePathRegex:^/(.*)$ /${1}x$$$9", "x/a", "serve /ax$");
    route_check("ReplacePathRegex:a b", "x/aaca", "serve /bbcb");
    route_check("ReplacePathRegex:x* -", "x/abc", "serve /-/-a-b-c-");
    route_check("ReplacePathRegex:/(a|(b)) /[$2]", "x/a", "serve /%5B%5D");
    route_check("AddPrefix:/p;ReplacePathRegex:^/p /q;ReplacePath:/z", "x/a", "serve /z");
    route_check("AddPrefix:/p;ReplacePathRegex:^/p /q", "x/a", "serve /q/a");
}
END_TEST

START_TEST(limits_fail_and_do_not_stall)
{
    struct buf url = BUF_INIT;
    buf_puts(&url, "x/");
    for (int i = 0; i < 8000; i++) {
        buf_putc(&url, 'a');
    }
    buf_putc(&url, '!');
    route_check("Path:/{a:(a+)+}", buf_text(&url), "failed");
    route_check("Path:/{a:(a|a)*[bc]}", buf_text(&url), "failed");
    route_check("ReplacePathRegex:(a?)(a?)(a?)(a?)(a*)*[bc] c", buf_text(&url), "failed");
    route_check("ReplacePathRegex:a b", buf_text(&url), "failed"); /* more replacements than any path needs */
    route_check("PathPrefix:/{a:a+}", buf_text(&url), "serve");
    for (int i = 0; i < ROUTE_MAX_PATH; i++) {
        buf_putc(&url, 'a');
    }
    route_check("PathPrefix:/", buf_text(&url), "failed");
    buf_free(&url);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("route rules");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, route_setup, route_teardown);
    tcase_add_test(tests, what_traefik_refuses_is_refused);
    tcase_add_test(tests, a_wrong_value_matches_nothing_and_is_told);
    tcase_add_test(tests, host);
    tcase_add_test(tests, host_regexp);
    tcase_add_test(tests, method);
    tcase_add_test(tests, path);
    tcase_add_test(tests, a_slash_at_the_end_of_a_path_is_redirected);
    tcase_add_test(tests, path_prefix);
    tcase_add_test(tests, headers);
    tcase_add_test(tests, query);
    tcase_add_test(tests, strips);
    tcase_add_test(tests, additions_and_replacements);
    tcase_add_test(tests, limits_fail_and_do_not_stall);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
