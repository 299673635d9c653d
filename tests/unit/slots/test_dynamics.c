/* SPDX-License-Identifier: MIT */
/* Backends made at run time: from wanted to there, and away again. */
#include "slotd/dynamics.h"

#include <stdio.h>
#include <string.h>

#include "slotd/buf.h"
#include "slotd/mem.h"
#include "suite.h"

static struct dynamics *dynamics;

static void setup(void)
{
    dynamics = dynamics_new(7);
}

static void teardown(void)
{
    dynamics_free(dynamics);
}

static void check_state(const char *name, enum dynamic_state state)
{
    struct dynamic dynamic = dynamics_get(dynamics, name);
    ck_assert_str_eq(dynamic.name, name);
    ck_assert_msg(dynamic.state == state, "%s is %d", name, (int)dynamic.state);
}

static void check_pending(const char *expected)
{
    cleanup_buf struct buf shown = BUF_INIT;
    for (const char *name = NULL; (name = dynamics_next_pending(dynamics, name));) {
        buf_printf(&shown, "%s ", name);
    }
    ck_assert_str_eq(buf_text(&shown), expected);
}

static void check_counts(size_t coming, size_t there, size_t refused)
{
    struct dynamics_counts counts = dynamics_count(dynamics);
    ck_assert_uint_eq(counts.coming, coming);
    ck_assert_uint_eq(counts.there, there);
    ck_assert_uint_eq(counts.refused, refused);
}

static void make(const char *name)
{
    ck_assert(dynamics_want(dynamics, name, "pool-http", false));
    dynamics_begin(dynamics, name);
    dynamics_end_adding(dynamics, name, NULL);
    check_state(name, DYNAMIC_THERE);
}

static void end(const char *name)
{
    dynamics_unwant(dynamics, name);
    check_state(name, DYNAMIC_ENDING);
    dynamics_begin(dynamics, name);
    check_state(name, DYNAMIC_DELETING);
}

START_TEST(unknown_names)
{
    dynamics_unwant(dynamics, "web");
    dynamics_fail(dynamics, "web", "no");
    dynamics_note_routed(dynamics, "web");
    dynamics_begin(dynamics, "web");
    dynamics_end_adding(dynamics, "web", NULL);
    dynamics_end_deleting(dynamics, "web", true);
    check_state("web", DYNAMIC_NONE);
    ck_assert_ptr_null(dynamics_next_pending(dynamics, "web"));
    check_pending("");
    check_counts(0, 0, 0);
}
END_TEST

START_TEST(what_comes_out_of_turn)
{
    make("web");
    dynamics_begin(dynamics, "web");
    dynamics_end_adding(dynamics, "web", "late");
    dynamics_end_deleting(dynamics, "web", true);
    check_state("web", DYNAMIC_THERE);
    dynamics_want(dynamics, "new", "pool-http", false);
    dynamics_end_adding(dynamics, "new", NULL);
    dynamics_fail(dynamics, "new", "no");
    check_state("new", DYNAMIC_WANTED);
}
END_TEST

START_TEST(comes_and_goes)
{
    ck_assert(dynamics_want(dynamics, "web", "pool-http", false));
    ck_assert(dynamics_want(dynamics, "db", "pool-tcp", true));
    check_pending("web db ");
    check_counts(2, 0, 0);
    struct dynamic db = dynamics_get(dynamics, "db");
    ck_assert_str_eq(db.defaults, "pool-tcp");
    ck_assert(db.is_tcp && dynamic_is_coming(&db) && dynamic_is_ours(&db) && !db.routed);
    dynamics_begin(dynamics, "web");
    check_state("web", DYNAMIC_ADDING);
    check_pending("db ");
    dynamics_end_adding(dynamics, "web", NULL);
    check_state("web", DYNAMIC_THERE);
    check_counts(1, 1, 0);
    dynamics_unwant(dynamics, "web");
    check_pending("db web ");
    dynamics_begin(dynamics, "web");
    check_counts(1, 1, 0);
    dynamics_end_deleting(dynamics, "web", true);
    check_state("web", DYNAMIC_NONE);
    dynamics_unwant(dynamics, "db");
    check_state("db", DYNAMIC_NONE);
    check_counts(0, 0, 0);
}
END_TEST

START_TEST(is_refused)
{
    dynamics_want(dynamics, "web", "none", false);
    dynamics_begin(dynamics, "web");
    dynamics_end_adding(dynamics, "web", "Cannot find default proxy 'none'.");
    struct dynamic web = dynamics_get(dynamics, "web");
    ck_assert_int_eq(web.state, DYNAMIC_REFUSED);
    ck_assert_str_eq(web.error, "Cannot find default proxy 'none'.");
    ck_assert(!dynamic_is_ours(&web) && !dynamic_is_coming(&web));
    ck_assert(!dynamics_want(dynamics, "web", "pool-http", false));
    check_counts(0, 0, 1);
    dynamics_unwant(dynamics, "web");
    ck_assert(dynamics_want(dynamics, "web", "pool-http", false));
    dynamics_forgive(dynamics, "web");
    check_state("web", DYNAMIC_WANTED);
    dynamics_begin(dynamics, "web");
    dynamics_end_adding(dynamics, "web", "no");
    dynamics_forgive(dynamics, "web");
    check_state("web", DYNAMIC_NONE);
}
END_TEST

START_TEST(takes_no_server)
{
    make("web");
    dynamics_fail(dynamics, "web", "too many open files");
    check_pending("web ");
    ck_assert(!dynamics_want(dynamics, "web", "pool-http", false));
    dynamics_begin(dynamics, "web");
    ck_assert(!dynamics_want(dynamics, "web", "pool-http", false));
    dynamics_end_deleting(dynamics, "web", true);
    check_state("web", DYNAMIC_REFUSED);
    ck_assert_str_eq(dynamics_get(dynamics, "web").error, "too many open files");
    /* Its service goes meanwhile: that it was refused is nobody's business any more. */
    make("db");
    dynamics_fail(dynamics, "db", "too many open files");
    dynamics_unwant(dynamics, "db");
    dynamics_begin(dynamics, "db");
    dynamics_end_deleting(dynamics, "db", true);
    check_state("db", DYNAMIC_NONE);
}
END_TEST

START_TEST(service_turns)
{
    dynamics_want(dynamics, "web", "pool-http", false);
    dynamics_begin(dynamics, "web");
    dynamics_unwant(dynamics, "web");
    dynamics_end_adding(dynamics, "web", NULL);
    check_state("web", DYNAMIC_ENDING);
    ck_assert(dynamics_want(dynamics, "web", "pool-http", false));
    check_state("web", DYNAMIC_THERE);
    /* Comes back while it is deleted. */
    end("web");
    ck_assert(dynamics_want(dynamics, "web", "pool-other", false));
    check_state("web", DYNAMIC_DELETING);
    dynamics_end_deleting(dynamics, "web", true);
    check_state("web", DYNAMIC_WANTED);
    ck_assert_str_eq(dynamics_get(dynamics, "web").defaults, "pool-other");
    /* And while it cannot be. */
    dynamics_begin(dynamics, "web");
    dynamics_end_adding(dynamics, "web", NULL);
    end("web");
    ck_assert(dynamics_want(dynamics, "web", "pool-http", false));
    dynamics_end_deleting(dynamics, "web", false);
    check_state("web", DYNAMIC_THERE);
    /* Comes and goes. */
    end("web");
    ck_assert(dynamics_want(dynamics, "web", "pool-http", false));
    dynamics_unwant(dynamics, "web");
    dynamics_end_deleting(dynamics, "web", false);
    check_state("web", DYNAMIC_ENDING);
    /* One that nobody wants is not refused either. */
    dynamics_want(dynamics, "db", "pool-http", false);
    dynamics_begin(dynamics, "db");
    dynamics_unwant(dynamics, "db");
    dynamics_want(dynamics, "db", "pool-http", false);
    dynamics_unwant(dynamics, "db");
    dynamics_end_adding(dynamics, "db", "no");
    check_state("db", DYNAMIC_NONE);
}
END_TEST

START_TEST(another_process)
{
    make("web");
    dynamics_want(dynamics, "db", "pool-http", false);
    dynamics_clear(dynamics);
    check_counts(0, 0, 0);
    check_pending("");
    dynamics_recover(dynamics, "web");
    dynamics_recover(dynamics, "web");
    check_state("web", DYNAMIC_THERE);
    ck_assert(dynamics_want(dynamics, "db", "pool-http", false));
    dynamics_note_routed(dynamics, "db");
    ck_assert(dynamics_get(dynamics, "db").routed);
    dynamics_recover(dynamics, "db");
    check_state("db", DYNAMIC_WANTED);
    size_t position = 0;
    size_t count = 0;
    struct dynamic dynamic;
    while (dynamics_next(dynamics, &position, &dynamic)) {
        count++;
    }
    ck_assert_uint_eq(count, 2);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("dynamics");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, unknown_names);
    tcase_add_test(tests, what_comes_out_of_turn);
    tcase_add_test(tests, comes_and_goes);
    tcase_add_test(tests, is_refused);
    tcase_add_test(tests, takes_no_server);
    tcase_add_test(tests, service_turns);
    tcase_add_test(tests, another_process);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
