/* SPDX-License-Identifier: MIT */
/* Which server names are hosts of other apps' HTTP rules; at the end random changes beside a plain list. */
#include "slotd/server_names.h"

#include <stdbool.h>
#include <string.h>

#include "slotd/buf.h"
#include "slotd/mem.h"
#include "suite.h"

static struct server_names *names;
static struct buf touched; /* names, each with a blank behind it */

static void setup(void)
{
    names = server_names_new(7);
}

static void teardown(void)
{
    server_names_free(names);
    buf_free(&touched);
}

static void touch(void *arg, const char *name)
{
    (void)arg;
    buf_printf(&touched, "%s ", name);
}

/* text: hosts, separated by blanks. */
static void set(const char *service, const char *app, const char *text)
{
    const char *hosts[8];
    size_t count = 0;
    cleanup_free char *copy = mem_strdup(text);
    for (char *host = strtok(copy, " "); host; host = strtok(NULL, " ")) {
        hosts[count++] = host;
    }
    server_names_set(names, service, app, hosts, count, touch, NULL);
}

static void check_touched(const char *expected)
{
    ck_assert_str_eq(buf_text(&touched), expected);
    buf_clear(&touched);
}

/* What that app finds: "APP HOST", or "-". */
static void check_other(const char *name, const char *app, const char *expected)
{
    struct server_name_owner owner = server_names_find_other(names, name, app);
    cleanup_free char *found = owner.app ? mem_printf("%s %s", owner.app, owner.host) : mem_strdup("-");
    ck_assert_str_eq(found, expected);
}

START_TEST(a_host_is_another_apps)
{
    check_other("web.test", "/mq", "-");
    set("s", "/web", "web.test");
    check_touched("web.test *.test ");
    check_other("web.test", "/mq", "/web web.test");
    check_other("web.test", "/web", "-");
    check_other("api.test", "/mq", "-");
    set("s", "/web", "web.test");
    check_touched("");
    set("s", "", "");
    check_touched("web.test *.test ");
    check_other("web.test", "/mq", "-");
    check_other("*.test", "/mq", "-");
}
END_TEST

START_TEST(a_wildcard_covers_one_level)
{
    set("s", "/web", "a.b.test");
    check_other("*.b.test", "/mq", "/web a.b.test");
    check_other("*.test", "/mq", "-");
    check_other("*.a.b.test", "/mq", "-");
    check_other("*.b.test", "/web", "-");
    set("t", "/web", "localhost");
    check_other("localhost", "/mq", "/web localhost");
    check_other("*", "/mq", "-");
}
END_TEST

START_TEST(several_have_one)
{
    set("s", "/web", "web.test");
    set("t", "/web", "web.test");
    set("u", "/shop", "web.test shop.test");
    check_other("web.test", "/web", "/shop web.test");
    check_other("web.test", "/shop", "/web web.test");
    check_other("*.test", "/shop", "/web web.test");
    set("s", "", "");
    check_other("web.test", "/shop", "/web web.test");
    set("t", "", "");
    check_other("web.test", "/shop", "-");
    check_other("*.test", "/shop", "-");
    buf_clear(&touched);
    /* A service whose rule another app has the say of now. */
    set("u", "/web", "web.test shop.test");
    check_touched("web.test *.test shop.test *.test web.test *.test shop.test *.test ");
    check_other("shop.test", "/shop", "/web shop.test");
}
END_TEST

enum { SERVICES = 6, APPS = 3, HOSTS = 4, STEPS = 4000 };
static const char *const host_names[HOSTS] = {"a.test", "b.test", "a.b.test", "test"};
static const char *const app_names[APPS] = {"/a", "/b", "/c"};

/* wants[s]: bits of hosts. */
static bool some_other_has(const unsigned *wants, const unsigned *apps, unsigned app, unsigned hosts)
{
    bool has = false;
    for (unsigned s = 0; s < SERVICES; s++) {
        has = has || ((wants[s] & hosts) != 0 && apps[s] != app);
    }
    return has;
}

START_TEST(random_changes)
{
    unsigned wants[SERVICES] = {0};
    unsigned apps[SERVICES] = {0};
    uint64_t random = 1;
    for (int step = 0; step < STEPS; step++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        unsigned s = (unsigned)(random >> 33) % SERVICES;
        const char *hosts[HOSTS];
        size_t count = 0;
        wants[s] = (unsigned)(random >> 41) % (1U << HOSTS);
        apps[s] = (unsigned)(random >> 50) % APPS;
        for (unsigned h = 0; h < HOSTS; h++) {
            if (wants[s] & (1U << h)) {
                hosts[count++] = host_names[h];
            }
        }
        const char service[] = {(char)('0' + s), '\0'};
        server_names_set(names, service, count > 0 ? app_names[apps[s]] : "", hosts, count, touch, NULL);
        for (unsigned app = 0; app < APPS; app++) {
            for (unsigned h = 0; h < HOSTS; h++) {
                ck_assert_int_eq(server_names_find_other(names, host_names[h], app_names[app]).app != NULL,
                                 some_other_has(wants, apps, app, 1U << h));
            }
            ck_assert_int_eq(server_names_find_other(names, "*.test", app_names[app]).app != NULL,
                             some_other_has(wants, apps, app, 3));
        }
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("server_names");
    TCase *tests = tcase_create("server_names");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_host_is_another_apps);
    tcase_add_test(tests, a_wildcard_covers_one_level);
    tcase_add_test(tests, several_have_one);
    tcase_add_test(tests, random_changes);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
