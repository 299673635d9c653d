/* SPDX-License-Identifier: MIT */
/* Leases: who gets which backend, and when it is free again. */
#include "slotd/leases.h"

#include <stdio.h>
#include <string.h>

#include "slotd/mem.h"
#include "suite.h"

static const struct lease_pool pools[] = {
    {"http", "pool-http-"}, {"sticky", "pool-sticky-"}, {"http", "pool-http-big-"}, {"tcp", "pool-tcp-"}};
static const char *const backends[] = {"web", "pool-http-2", "pool-http-1", "pool-sticky-1", "pool-http-big-1"};
static struct leases *leases;
static char dropped_text[256];

static void note_dropped(void *arg, const char *service, const char *backend)
{
    size_t len = strlen(dropped_text);
    ck_assert_ptr_eq(arg, dropped_text);
    snprintf(dropped_text + len, sizeof(dropped_text) - len, "%s %s;", service, backend);
}

static void set(const char *const *names, size_t count, size_t n_pools)
{
    leases_set_backends(leases, pools, n_pools, names, count, note_dropped, dropped_text);
}

static void setup(void)
{
    leases = leases_new(11);
    dropped_text[0] = '\0';
    set(backends, 5, 4);
}

static void teardown(void)
{
    leases_free(leases);
}

static bool always(void *arg, const char *backend)
{
    (void)arg;
    ck_assert_ptr_nonnull(backend);
    return true;
}

static bool all_but(void *arg, const char *backend)
{
    return strcmp(arg, backend) != 0;
}

static void check_gives(const char *service, const char *backend)
{
    const char *to = NULL;
    const char *what = NULL;
    ck_assert(leases_give(leases, always, NULL, &to, &what));
    ck_assert_str_eq(to, service);
    ck_assert_str_eq(what, backend);
    ck_assert_str_eq(leases_get(leases, service), backend);
    ck_assert_str_eq(leases_find_service(leases, backend), service);
    ck_assert_int_eq(leases_state(leases, backend), LEASE_LEASED);
    ck_assert(!leases_waits(leases, service));
}

static void check_gives_nothing(void)
{
    const char *to = NULL;
    const char *what = NULL;
    ck_assert(!leases_give(leases, always, NULL, &to, &what));
    ck_assert_ptr_null(to);
}

static void take(const char *service, const char *class, const char *backend)
{
    leases_want(leases, service, class);
    check_gives(service, backend);
}

/* All that is released becomes free. */
static void free_released(int64_t now_ms)
{
    (void)leases_begin_saving(leases, always, NULL);
    leases_end_saving(leases, now_ms);
    ck_assert_int_eq(leases_expire(leases, now_ms, 0), LEASES_NEVER);
}

START_TEST(names_that_nobody_has)
{
    leases_unwant(leases, "a");
    leases_leave(leases, "a");
    leases_release(leases, "web");
    leases_release(leases, "pool-http-1"); /* free: nobody's */
    leases_block(leases, "nowhere", "a");
    ck_assert_ptr_null(leases_get(leases, "a"));
    ck_assert_ptr_null(leases_get_leaving(leases, "a"));
    ck_assert_ptr_null(leases_find_service(leases, "pool-http-1"));
    ck_assert_int_eq(leases_state(leases, "web"), LEASE_NONE);
    ck_assert_ptr_null(leases_get_class(leases, "web"));
    ck_assert_str_eq(leases_get_class(leases, "pool-http-1"), "http");
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_FREE);
    ck_assert(!leases_waits(leases, "a"));
    ck_assert(!leases_recover(leases, "a", "web"));
    ck_assert(!leases_begin_saving(leases, always, NULL));
    check_gives_nothing();
}
END_TEST

START_TEST(never_leased_first_and_then_free_for_longest)
{
    take("a", "http", "pool-http-1");
    take("b", "http", "pool-http-2");
    take("c", "http", "pool-http-big-1");
    leases_want(leases, "d", "http");
    leases_want(leases, "e", "http");
    leases_want(leases, "d", "http"); /* stays first */
    check_gives_nothing();
    leases_release(leases, "pool-http-big-1");
    free_released(5);
    leases_release(leases, "pool-http-1");
    free_released(6);
    check_gives("d", "pool-http-big-1");
    check_gives("e", "pool-http-1");
    leases_unwant(leases, "d");
    ck_assert_str_eq(leases_get(leases, "d"), "pool-http-big-1");
}
END_TEST

START_TEST(who_cannot_be_served_holds_nobody_up)
{
    leases_want(leases, "t", "tcp"); /* HAProxy has none */
    leases_want(leases, "s", "sticky");
    leases_want(leases, "s2", "sticky");
    leases_want(leases, "a", "http");
    check_gives("s", "pool-sticky-1");
    check_gives("a", "pool-http-1");
    check_gives_nothing();
    ck_assert(leases_waits(leases, "t"));
    ck_assert(leases_waits(leases, "s2"));
    leases_unwant(leases, "t");
    ck_assert(!leases_waits(leases, "t"));
}
END_TEST

START_TEST(classes_that_fall_back)
{
    ck_assert_str_eq(leases_find_class(leases, "sticky"), "sticky");
    ck_assert_str_eq(leases_find_class(leases, "leastconn"), "http");
    ck_assert_ptr_null(leases_find_class(leases, "tcp"));
    ck_assert_ptr_null(leases_find_class(leases, "https"));
    take("l", "leastconn", "pool-http-1");
    leases_want(leases, "l", "leastconn"); /* has it */
    ck_assert(!leases_waits(leases, "l"));
    leases_want(leases, "l", "https"); /* what it has is better than nothing */
    ck_assert(!leases_waits(leases, "l"));
    ck_assert_str_eq(leases_get(leases, "l"), "pool-http-1");
    set(NULL, 0, 4);
    ck_assert_ptr_null(leases_find_class(leases, "sticky"));
}
END_TEST

START_TEST(an_unusable_one_is_passed_over)
{
    const char *to = NULL;
    const char *what = NULL;
    char unusable[] = "pool-http-1";
    leases_want(leases, "a", "http");
    ck_assert(leases_give(leases, all_but, unusable, &to, &what));
    ck_assert_str_eq(what, "pool-http-2");
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_FREE);
}
END_TEST

START_TEST(released_is_free_after_files_and_delay)
{
    char unclear[] = "pool-http-1";
    take("a", "http", "pool-http-1");
    leases_release(leases, "pool-http-1");
    ck_assert_ptr_null(leases_get(leases, "a"));
    ck_assert_ptr_null(leases_find_service(leases, "pool-http-1"));
    ck_assert(!leases_begin_saving(leases, all_but, unclear));
    leases_end_saving(leases, 90); /* of nobody */
    ck_assert_int_eq(leases_expire(leases, 1000, 10), LEASES_NEVER);
    ck_assert(leases_begin_saving(leases, always, NULL));
    ck_assert_int_eq(leases_expire(leases, 1000, 10), LEASES_NEVER);
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_RELEASED);
    leases_end_saving(leases, 100);
    ck_assert_int_eq(leases_expire(leases, 109, 10), 110);
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_RELEASED);
    ck_assert_int_eq(leases_expire(leases, 110, 10), LEASES_NEVER);
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_FREE);
}
END_TEST

/* What comes while the files are written is in the next write. */
START_TEST(a_later_release_is_not_in_the_write_under_way)
{
    take("a", "http", "pool-http-1");
    take("b", "http", "pool-http-2");
    leases_release(leases, "pool-http-1");
    ck_assert(leases_begin_saving(leases, always, NULL));
    leases_release(leases, "pool-http-2");
    leases_end_saving(leases, 100);
    (void)leases_expire(leases, 100, 0);
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_FREE);
    ck_assert_int_eq(leases_state(leases, "pool-http-2"), LEASE_RELEASED);
}
END_TEST

START_TEST(its_own_is_given_back_at_once)
{
    take("a", "http", "pool-http-1");
    take("b", "http", "pool-http-2");
    leases_release(leases, "pool-http-1");
    leases_release(leases, "pool-http-2");
    (void)leases_begin_saving(leases, always, NULL);
    take("b", "http", "pool-http-2");
    leases_end_saving(leases, 100);
    (void)leases_expire(leases, 100, 0);
    ck_assert_int_eq(leases_state(leases, "pool-http-2"), LEASE_LEASED);
    take("c", "http", "pool-http-big-1");
}
END_TEST

START_TEST(blocked_ones_are_not_given_away)
{
    leases_block(leases, "pool-http-1", "a");
    leases_block(leases, "pool-http-big-1", NULL);
    take("b", "http", "pool-http-2");
    leases_block(leases, "pool-http-2", NULL); /* is leased */
    ck_assert_str_eq(leases_get(leases, "b"), "pool-http-2");
    leases_want(leases, "c", "http");
    check_gives_nothing();
    take("a", "http", "pool-http-1"); /* whose it was */
    free_released(1);
    check_gives("c", "pool-http-big-1");
}
END_TEST

START_TEST(recovered_once)
{
    ck_assert(leases_recover(leases, "a", "pool-http-2"));
    ck_assert(!leases_recover(leases, "a", "pool-http-1")); /* has one */
    ck_assert(!leases_recover(leases, "b", "pool-http-2")); /* is another's */
    ck_assert_str_eq(leases_find_service(leases, "pool-http-2"), "a");
    leases_want(leases, "a", "http");
    ck_assert(!leases_waits(leases, "a"));
}
END_TEST

START_TEST(another_class_is_a_move)
{
    take("a", "http", "pool-http-1");
    leases_want(leases, "a", "sticky");
    ck_assert(leases_waits(leases, "a"));
    ck_assert_str_eq(leases_get(leases, "a"), "pool-http-1");
    check_gives("a", "pool-sticky-1");
    ck_assert_str_eq(leases_get_leaving(leases, "a"), "pool-http-1");
    ck_assert_str_eq(leases_find_service(leases, "pool-http-1"), "a");
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_LEAVING);
    ck_assert_uint_eq(leases_count_leaving(leases), 1);
    ck_assert_str_eq(leases_next_leaving(leases, NULL), "pool-http-1");
    ck_assert_ptr_null(leases_next_leaving(leases, "pool-http-1"));
    leases_want(leases, "a", "http"); /* and back */
    ck_assert_str_eq(leases_get(leases, "a"), "pool-http-1");
    ck_assert_str_eq(leases_get_leaving(leases, "a"), "pool-sticky-1");
    leases_release(leases, "pool-sticky-1");
    ck_assert_ptr_null(leases_get_leaving(leases, "a"));
    ck_assert_uint_eq(leases_count_leaving(leases), 0);
    ck_assert_ptr_null(leases_next_leaving(leases, NULL));
}
END_TEST

START_TEST(its_own_backend_ends_the_lease)
{
    take("a", "http", "pool-http-1");
    leases_leave(leases, "a");
    ck_assert_ptr_null(leases_get(leases, "a"));
    ck_assert_str_eq(leases_get_leaving(leases, "a"), "pool-http-1");
    leases_want(leases, "a", "http"); /* which is gone again */
    ck_assert_str_eq(leases_get(leases, "a"), "pool-http-1");
    leases_leave(leases, "a");
    leases_release(leases, "pool-http-1");
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_RELEASED);
}
END_TEST

START_TEST(what_vanishes_is_dropped)
{
    static const char *const fewer[] = {"pool-http-2", "pool-http-3"};
    take("a", "http", "pool-http-1");
    take("b", "http", "pool-http-2");
    take("s", "sticky", "pool-sticky-1");
    set(fewer, 2, 4);
    ck_assert(strcmp(dropped_text, "a pool-http-1;s pool-sticky-1;") == 0 ||
              strcmp(dropped_text, "s pool-sticky-1;a pool-http-1;") == 0);
    ck_assert_str_eq(leases_get(leases, "b"), "pool-http-2");
    ck_assert_ptr_null(leases_get(leases, "a"));
    take("a", "http", "pool-http-3");
}
END_TEST

START_TEST(what_a_pool_has_lost_stays_until_it_is_released)
{
    take("a", "http", "pool-http-1");
    take("b", "http", "pool-http-2");
    set(backends, 5, 0); /* no pool at all */
    ck_assert_str_eq(dropped_text, "");
    ck_assert_str_eq(leases_get(leases, "a"), "pool-http-1");
    ck_assert_int_eq(leases_state(leases, "pool-http-big-1"), LEASE_NONE); /* was free */
    ck_assert_uint_eq(leases_count_pools(leases), 0);
    leases_want(leases, "a", "http");
    ck_assert(!leases_waits(leases, "a")); /* what it has is better than nothing */
    leases_release(leases, "pool-http-1");
    leases_want(leases, "a", "http");
    check_gives_nothing(); /* nor is it given back */
    free_released(3);
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_NONE);
    ck_assert_uint_eq(leases_count_backends(leases), 1);
    set(backends, 5, 4);
    ck_assert_str_eq(leases_get(leases, "b"), "pool-http-2");
    check_gives("a", "pool-http-1");
}
END_TEST

START_TEST(another_pool_takes_over)
{
    static const struct lease_pool others[] = {{"http", "pool-sticky-"}, {"tcp", "pool-http-big-"}};
    static const char *const fewer[] = {"pool-http-1", "pool-sticky-1", "pool-http-big-1"};
    take("a", "http", "pool-http-1");
    take("s", "sticky", "pool-sticky-1");
    leases_want(leases, "t", "tcp");
    leases_want(leases, "b", "http");
    check_gives("b", "pool-http-2");
    leases_set_backends(leases, others, 2, fewer, 3, note_dropped, dropped_text);
    ck_assert_str_eq(dropped_text, "b pool-http-2;"); /* HAProxy has it no more */
    leases_want(leases, "a", "http");
    leases_want(leases, "s", "sticky");
    ck_assert(leases_waits(leases, "a"));
    ck_assert(!leases_waits(leases, "s")); /* http will do */
    check_gives("t", "pool-http-big-1");   /* has waited all the time */
    leases_release(leases, "pool-sticky-1");
    free_released(4);
    check_gives("a", "pool-sticky-1");
    ck_assert_str_eq(leases_get_leaving(leases, "a"), "pool-http-1");
    leases_release(leases, "pool-http-1");
    free_released(5);
    ck_assert_int_eq(leases_state(leases, "pool-http-1"), LEASE_NONE);
    set(NULL, 0, 0);
    ck_assert_uint_eq(leases_count_backends(leases), 0);
}
END_TEST

START_TEST(a_service_and_the_backend_of_its_name)
{
    take("a", "http", "pool-http-1");
    leases_forget(leases, "web");         /* of no pool */
    leases_forget(leases, "pool-http-1"); /* another's */
    leases_forget(leases, "pool-http-2");
    leases_block(leases, "pool-http-big-1", "pool-http-big-1");
    leases_forget(leases, "pool-http-big-1");
    leases_block(leases, "pool-sticky-1", "s");
    leases_forget(leases, "pool-sticky-1"); /* something may lead there for s */
    ck_assert_str_eq(leases_get(leases, "a"), "pool-http-1");
    ck_assert_int_eq(leases_state(leases, "pool-http-2"), LEASE_NONE);
    ck_assert_int_eq(leases_state(leases, "pool-http-big-1"), LEASE_NONE);
    ck_assert_int_eq(leases_state(leases, "pool-sticky-1"), LEASE_RELEASED);
    ck_assert_uint_eq(leases_count_backends(leases), 2);
    ck_assert_uint_eq(leases_count(leases, 0).total, 1);
    ck_assert_uint_eq(leases_count(leases, 0).leased, 1);
    leases_want(leases, "b", "http");
    check_gives_nothing();
    free_released(3);
    leases_forget(leases, "pool-sticky-1");
    ck_assert_ptr_null(leases_find_class(leases, "tcp"));
    ck_assert_str_eq(leases_find_class(leases, "sticky"), "http"); /* its only one is gone */
}
END_TEST

static bool count_all(void *arg, const char *backend)
{
    ++*(size_t *)arg;
    return strcmp(backend, "pool-http-0000") != 0;
}

/* However many wait, and whatever is taken. */
START_TEST(giving_costs_what_can_be_placed)
{
    enum { MANY = 2000 };
    char *names[MANY];
    size_t asked = 0;
    const char *service = NULL;
    const char *backend = NULL;
    for (int i = 0; i < MANY; i++) {
        names[i] = mem_printf("pool-http-%04d", i);
    }
    set((const char *const *)names, MANY, 4);
    for (int i = 0; i < 2 * MANY; i++) {
        cleanup_free char *name = mem_printf("s%d", i);
        leases_want(leases, name, i % 2 ? "http" : "leastconn");
    }
    for (int i = 0; i < MANY - 1; i++) {
        ck_assert(leases_give(leases, count_all, &asked, &service, &backend));
    }
    ck_assert_uint_eq(asked, 2 * (MANY - 1)); /* the first is never usable */
    asked = 0;
    ck_assert(!leases_give(leases, count_all, &asked, &service, &backend));
    ck_assert_uint_eq(asked, 1);
    leases_release(leases, "pool-http-0007");
    leases_release(leases, "pool-http-0008");
    asked = 0;
    ck_assert(!leases_give(leases, count_all, &asked, &service, &backend));
    ck_assert_uint_eq(asked, 1);
    free_released(9);
    ck_assert(leases_give(leases, count_all, &asked, &service, &backend));
    ck_assert(leases_give(leases, count_all, &asked, &service, &backend));
    ck_assert(!leases_give(leases, count_all, &asked, &service, &backend));
    ck_assert_uint_eq(asked, 6);
    ck_assert_str_eq(backend, "pool-http-0008");
    for (int i = 0; i < MANY; i++) {
        free(names[i]);
    }
}
END_TEST

START_TEST(counts)
{
    take("a", "http", "pool-http-1");
    leases_want(leases, "t", "tcp");
    struct lease_counts http = leases_count(leases, 0);
    struct lease_counts big = leases_count(leases, 2);
    ck_assert_uint_eq(leases_count_pools(leases), 4);
    ck_assert_str_eq(http.prefix, "pool-http-");
    ck_assert_uint_eq(http.total, 2);
    ck_assert_uint_eq(http.leased, 1);
    ck_assert_uint_eq(http.free, 1);
    ck_assert_uint_eq(big.total, 1);
    ck_assert_uint_eq(leases_count(leases, 3).waiting, 0); /* no pool serves it */
    const char *class = NULL;
    ck_assert_uint_eq(leases_count_unserved(leases, &class), 1);
    ck_assert_str_eq(class, "tcp");
    leases_unwant(leases, "t");
    ck_assert_uint_eq(leases_count_unserved(leases, &class), 0);
    ck_assert_ptr_null(class);
    take("b", "http", "pool-http-2");
    take("c", "http", "pool-http-big-1");
    leases_want(leases, "d", "http");
    leases_release(leases, "pool-http-1");
    http = leases_count(leases, 0);
    ck_assert_uint_eq(http.released, 1);
    ck_assert_uint_eq(http.waiting, 1);
    ck_assert_uint_eq(leases_count(leases, 2).waiting, 0); /* told once */
    ck_assert(lease_counts_are_low(&http));
    ck_assert(!lease_counts_are_low(&(struct lease_counts){.total = 19, .free = 1}));
    ck_assert(lease_counts_are_low(&(struct lease_counts){.total = 20, .free = 1}));
    ck_assert(!lease_counts_are_low(&(struct lease_counts){.total = 20, .free = 2}));
    ck_assert(!lease_counts_are_low(&(struct lease_counts){0}));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("leases");
    TCase *tests = tcase_create("leases");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_that_nobody_has);
    tcase_add_test(tests, never_leased_first_and_then_free_for_longest);
    tcase_add_test(tests, who_cannot_be_served_holds_nobody_up);
    tcase_add_test(tests, classes_that_fall_back);
    tcase_add_test(tests, an_unusable_one_is_passed_over);
    tcase_add_test(tests, released_is_free_after_files_and_delay);
    tcase_add_test(tests, a_later_release_is_not_in_the_write_under_way);
    tcase_add_test(tests, its_own_is_given_back_at_once);
    tcase_add_test(tests, blocked_ones_are_not_given_away);
    tcase_add_test(tests, recovered_once);
    tcase_add_test(tests, another_class_is_a_move);
    tcase_add_test(tests, its_own_backend_ends_the_lease);
    tcase_add_test(tests, what_vanishes_is_dropped);
    tcase_add_test(tests, what_a_pool_has_lost_stays_until_it_is_released);
    tcase_add_test(tests, another_pool_takes_over);
    tcase_add_test(tests, a_service_and_the_backend_of_its_name);
    tcase_add_test(tests, giving_costs_what_can_be_placed);
    tcase_add_test(tests, counts);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
