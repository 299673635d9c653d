/* SPDX-License-Identifier: MIT */
/* Access: redirects that a look-up in HAProxy's maps can express, and where they hold. */
#include "slotd/access.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_redirect(const char *regex, const char *replacement, const char *expected)
{
    struct access_redirect redirect = {0};
    cleanup_buf struct buf shown = BUF_INIT;
    int err = access_redirect_parse(regex, replacement, &redirect);
    if (err) {
        ck_assert_int_eq(err, SLOTD_E_REFUSED);
        ck_assert(!redirect.target && !redirect.host);
    } else {
        buf_printf(&shown, "%s %s %u", redirect.host, redirect.target, redirect.points);
    }
    ck_assert_msg(strcmp(buf_text(&shown), expected) == 0, "%s %s: %s", regex, replacement, buf_text(&shown));
    free(redirect.target);
    free(redirect.host);
}

START_TEST(what_a_look_up_can_express)
{
    const char *to = "https://b/$1";
    check_redirect("^http://localhost/(.*)", "http://mydomain/$1", "localhost http://mydomain 1");
    check_redirect("^https?://Www.Example\\.com/(.*)$", "https://example.com/${1}",
                   "www.example.com https://example.com 3");
    check_redirect("https:\\/\\/a\\\\.b\\-c/(.*)", "https://b:8443/x/$1", "a.b-c https://b:8443/x 2");
    static const char *const regexes[] = {
        "",
        "^",
        "^http",
        "^http://",
        "^http://a",
        "^http://a/",
        "^http://a/(.*",
        "^http://a/(.*)x",
        "^http://a/x/(.*)",
        "^http://a/(.+)",
        "^http://(a|b)/(.*)",
        "^http://a:80/(.*)",
        "^ftp://a/(.*)",
        "^http://[a-z]/(.*)",
        "^http://.*/(.*)",
        "^http://a\\/b/(.*)",
        "^http:///(.*)",
        "^(http)://a/(.*)",
        "^http://a b/(.*)",
        "^http://a;b/(.*)",
        "^http://a\n/(.*)",
        "^http://-/(.*)$$",
        "http://a/(.*)\\",
    };
    for (size_t i = 0; i < COUNT(regexes); i++) {
        check_redirect(regexes[i], to, "");
    }
    static const char *const replacements[] = {
        "",
        "$1",
        "/$1",
        "https://$1",
        "https:///$1",
        "https://b",
        "https://b$1",
        "https://b/$2",
        "https://b/$1x",
        "https://b/${1}x",
        "https://$1/$1",
        "https://b/{{.Request}}/$1",
        "https://b c/$1",
        "https://b;c/$1",
        "https://b\r\nX: y/$1",
        "https://b%20/$1",
        "https://b=/$1",
        "javascript:x/$1",
        "https://b/?q=/$1",
        "https://b/#/$1",
        "https://b+c/$1",
    };
    for (size_t i = 0; i < COUNT(replacements); i++) {
        check_redirect("^http://a/(.*)", replacements[i], "");
    }
    cleanup_free char *longest = mem_alloc(ACCESS_MAX_TARGET + 10);
    memset(longest, 'b', ACCESS_MAX_TARGET + 1);
    memcpy(longest, "https://", 8);
    strcpy(longest + ACCESS_MAX_TARGET + 1, "/$1");
    check_redirect("^http://a/(.*)", longest, "");
}
END_TEST

START_TEST(where_redirects_hold)
{
    struct access access = access_open();
    ck_assert(!access_redirects(&access, ACCESS_HTTP, "a"));
    access.redirect = (struct access_redirect){.target = mem_strdup("https"), .points = 1U << ACCESS_HTTP};
    ck_assert(access_redirects(&access, ACCESS_HTTP, "a"));
    ck_assert(!access_redirects(&access, ACCESS_HTTPS, "a"));
    access_free(&access);
    access.redirect = (struct access_redirect){mem_strdup("https://b"), mem_strdup("a"), ACCESS_EVERYWHERE, true};
    ck_assert(access_redirects(&access, ACCESS_HTTP, "a") && access_redirects(&access, ACCESS_HTTPS, "a"));
    ck_assert(!access_redirects(&access, ACCESS_HTTP, "b"));
    cleanup_buf struct buf value = BUF_INIT;
    access_redirect_format(&access.redirect, &value);
    ck_assert_str_eq(buf_text(&value), "301=https://b");
    /* To where it is: Traefik serves that. */
    free(access.redirect.host);
    access.redirect.host = mem_strdup("b");
    ck_assert(access_redirects(&access, ACCESS_HTTP, "b") && !access_redirects(&access, ACCESS_HTTPS, "b"));
    access_free(&access);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("access_redirect");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, what_a_look_up_can_express);
    tcase_add_test(tests, where_redirects_hold);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
