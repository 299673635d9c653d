/* SPDX-License-Identifier: MIT */
/* Who has a port or a server name that several services want; at the end random changes beside a plain list. */
#include <string.h>

#include "slotd/buf.h"
#include "slotd/mem.h"
#include "slotd/tcp_routes.h"
#include "suite.h"

static struct tcp_routes *routes;
static struct buf touched; /* keys, each with a blank behind it */
static const char *holder; /* of every key */
static const char *closed; /* that service's claims do not count */
static const char *barred; /* that app may have no server name */

static void setup(void)
{
    routes = tcp_routes_new(7);
    holder = closed = barred = NULL;
}

static void teardown(void)
{
    tcp_routes_free(routes);
    buf_free(&touched);
}

static void touch(void *arg, enum tcp_way way, const char *key)
{
    (void)arg;
    buf_printf(&touched, "%s%s ", way == TCP_BY_PORT ? ":" : "", key);
}

/* names: separated by blanks. */
static void set(const char *service, unsigned port, const char *names)
{
    char *list[8];
    struct service_tcp tcp = {.port = (uint16_t)port, .names = list};
    cleanup_free char *frontend = mem_printf("f-%s", service);
    cleanup_free char *copy = mem_strdup(names);
    for (char *name = strtok(copy, " "); name; name = strtok(NULL, " ")) {
        list[tcp.n_names++] = name;
    }
    cleanup_free char *app = mem_printf("/%s", service);
    tcp_routes_set(routes, service, frontend, app, &tcp, touch, NULL);
}

static void drop(const char *service)
{
    tcp_routes_set(routes, service, "", "", NULL, touch, NULL);
}

static bool counts(void *arg, const char *service)
{
    (void)arg;
    return !closed || strcmp(closed, service) != 0;
}

static const char *hold(void *arg, enum tcp_way way, const char *key)
{
    (void)arg;
    (void)way;
    (void)key;
    return holder;
}

static bool bar(void *arg, const struct tcp_route *route, const struct tcp_key *key)
{
    (void)arg;
    return barred && key->way == TCP_BY_NAME && strcmp(barred, route->app) == 0;
}

static const struct tcp_judge judge = {counts, hold, bar, NULL};

static void check_has(enum tcp_way way, const char *key, const char *service)
{
    const struct tcp_route *route = tcp_routes_find(routes, way, key, &judge);
    ck_assert_str_eq(route ? route->service : "-", service);
}

static void check_touched(const char *expected)
{
    ck_assert_str_eq(buf_text(&touched), expected);
    buf_clear(&touched);
}

START_TEST(what_nobody_wants)
{
    check_has(TCP_BY_PORT, "5432", "-");
    drop("a");
    check_touched("");
    ck_assert_ptr_null(tcp_routes_get(routes, "a"));
    set("a", 0, "");
    check_touched("");
    ck_assert_uint_eq(tcp_routes_get(routes, "a")->n_keys, 0);
    set("a", 5432, "");
    check_has(TCP_BY_NAME, "5432", "-");
    check_has(TCP_BY_PORT, "543", "-");
}
END_TEST

START_TEST(touched_is_what_differs)
{
    set("a", 5432, "x.test y.test");
    check_touched(":5432 x.test y.test ");
    set("a", 5432, "x.test y.test");
    check_touched("");
    set("a", 5433, "y.test");
    check_touched(":5433 y.test :5432 x.test ");
    check_has(TCP_BY_PORT, "5432", "-");
    check_has(TCP_BY_PORT, "5433", "a");
    drop("a");
    check_touched(":5433 y.test ");
    check_has(TCP_BY_NAME, "y.test", "-");
}
END_TEST

START_TEST(two_that_want_one)
{
    set("b", 5432, "*.x.test");
    set("c", 5432, "");
    set("a", 5432, "*.x.test");
    check_has(TCP_BY_PORT, "5432", "a");
    check_has(TCP_BY_NAME, "*.x.test", "a");
    closed = "a";
    check_has(TCP_BY_PORT, "5432", "b");
    closed = NULL;
    holder = "c";
    check_has(TCP_BY_PORT, "5432", "c");
    check_has(TCP_BY_NAME, "*.x.test", "a");
    /* Who does not count keeps nothing. */
    closed = "c";
    check_has(TCP_BY_PORT, "5432", "a");
    closed = NULL;
    drop("c");
    check_has(TCP_BY_PORT, "5432", "a");
    holder = "b";
    drop("a");
    check_has(TCP_BY_PORT, "5432", "b");
}
END_TEST

START_TEST(one_that_may_not_have_it)
{
    set("a", 5432, "x.test");
    set("b", 0, "x.test");
    barred = "/a";
    check_has(TCP_BY_NAME, "x.test", "b");
    check_has(TCP_BY_PORT, "5432", "a");
    holder = "a";
    check_has(TCP_BY_NAME, "x.test", "b");
    drop("b");
    check_has(TCP_BY_NAME, "x.test", "-");
    barred = NULL;
    check_has(TCP_BY_NAME, "x.test", "a");
    /* The same label of another app may be judged otherwise. */
    buf_clear(&touched);
    char *name = (char *)(uintptr_t) "x.test";
    const struct service_tcp tcp = {.names = &name, .n_names = 1, .port = 5432};
    tcp_routes_set(routes, "a", "f-a", "/other", &tcp, touch, NULL);
    check_touched(":5432 x.test ");
}
END_TEST

START_TEST(listed_by_name)
{
    size_t count = 0;
    set("b", 1, "");
    set("a", 2, "");
    const struct tcp_route **list = tcp_routes_list(routes, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(list[0]->service, "a");
    ck_assert_str_eq(list[0]->keys[0].key, "2");
    ck_assert_str_eq(list[1]->service, "b");
    free(list);
}
END_TEST

START_TEST(random_changes)
{
    enum { SERVICES = 6, PORTS = 4, STEPS = 20000 };
    unsigned wants[SERVICES] = {0};
    uint32_t state = 1;
    for (int step = 0; step < STEPS; step++) {
        state = state * 1664525U + 1013904223U;
        unsigned service = (state >> 8) % SERVICES;
        unsigned port = (state >> 16) % (PORTS + 1);
        const char name[] = {(char)('a' + service), '\0'};
        wants[service] = port;
        if (port == 0 && (state >> 30) % 2 == 0) {
            drop(name);
        } else {
            set(name, port, "");
        }
        for (unsigned p = 1; p <= PORTS; p++) {
            unsigned first = 0;
            while (first < SERVICES && wants[first] != p) {
                first++;
            }
            const char winner[] = {(char)(first < SERVICES ? 'a' + first : '-'), '\0'};
            cleanup_free char *key = mem_printf("%u", p);
            check_has(TCP_BY_PORT, key, winner);
        }
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("tcp_routes");
    TCase *tests = tcase_create("tcp_routes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_nobody_wants);
    tcase_add_test(tests, touched_is_what_differs);
    tcase_add_test(tests, two_that_want_one);
    tcase_add_test(tests, one_that_may_not_have_it);
    tcase_add_test(tests, listed_by_name);
    tcase_add_test(tests, random_changes);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
