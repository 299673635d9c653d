/* SPDX-License-Identifier: MIT */
/* What is told of instances alone: wiped tasks, and attempts that follow one another in one instance. */
#include "cluster_fixture.h"

#define ONE "a.instance-1._app.1"
#define TWO "a.instance-1._app.2"

static enum cluster_effect instance(const char *id, const char *condition)
{
    cleanup_free char *json =
        mem_printf("{\"instanceId\":\"%s\",\"runSpecId\":\"/a\",\"condition\":\"%s\"}", id, condition);
    return apply("instance_changed_event", json);
}

START_TEST(an_end_is_remembered_of_an_instance_that_an_answer_under_way_will_list)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    instance("a.instance-1", "Killed");
    apply("unknown_instance_terminated_event",
          "{\"instanceId\":\"a.instance-1\",\"runSpecId\":\"/a\",\"condition\":\"Killed\"}");
    list_app(stamp, "/a", "1", ONE " a.instance-10._app.1 b");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), ONE ":terminal a.instance-10._app.1 b");
    answer("/a", "1", "a.instance-10._app.1 b");
    ck_assert_str_eq(believed("/a"), "a.instance-10._app.1 b");
}
END_TEST

START_TEST(it_is_remembered_of_a_known_app_too)
{
    answer("/a", "1", "b");
    uint64_t stamp = cluster_begin_fetch(cluster);
    uint64_t single = cluster_begin_single(cluster);
    instance("a.instance-1", "Unreachable");
    cluster_put_single_app(cluster, single, make_app("/a", "1", ONE " b"));
    ck_assert_str_eq(believed("/a"), ONE ":unreachable b");
    list_app(stamp, "/a", "1", ONE " b");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), ONE ":unreachable b");
    answer("/a", "1", ONE " b");
    ck_assert_str_eq(believed("/a"), ONE " b");
}
END_TEST

START_TEST(a_newer_answer_knows_better_than_what_is_remembered)
{
    answer("/a", "1", "b");
    instance("a.instance-1", "Failed");
    answer("/a", "1", TWO " b");
    ck_assert_str_eq(believed("/a"), TWO " b");
}
END_TEST

START_TEST(nothing_is_remembered_that_no_answer_can_list)
{
    ck_assert_int_eq(instance("a.instance-1", "Killed"), CLUSTER_NO_EFFECT);
    uint64_t stamp = cluster_begin_fetch(cluster);
    instance("a.instance-1", "Running");
    list_app(stamp, "/a", "1", ONE);
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), ONE);
}
END_TEST

START_TEST(the_end_of_an_attempt_that_comes_late_does_not_end_the_next_one_for_good)
{
    answer("/a", "1", TWO " b");
    instance("a.instance-1", "Failed");
    ck_assert_str_eq(believed("/a"), TWO ":terminal b");
    ck_assert_int_eq(status("/a", TWO, "1", "RUNNING"), CLUSTER_CHANGED);
    ck_assert_str_eq(believed("/a"), TWO " b");
    ck_assert_uint_eq(cluster_count(cluster).tombstones, 0);
}
END_TEST

START_TEST(nor_when_only_answers_tell_of_it)
{
    answer("/a", "1", TWO " b");
    uint64_t stamp = cluster_begin_fetch(cluster);
    instance("a.instance-1", "Failed");
    list_app(stamp, "/a", "1", TWO " b");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), TWO ":terminal b");
    answer("/a", "1", TWO " b");
    ck_assert_str_eq(believed("/a"), TWO " b");
}
END_TEST

START_TEST(an_end_told_of_the_task_itself_is_final)
{
    answer("/a", "1", ONE " b");
    status("/a", ONE, "1", "FAILED");
    instance("a.instance-1", "Failed");
    status("/a", ONE, "1", "RUNNING");
    answer("/a", "1", ONE " b");
    ck_assert_str_eq(believed("/a"), ONE ":terminal b");
}
END_TEST

START_TEST(the_task_s_own_end_after_that_of_its_instance_is_final_too)
{
    answer("/a", "1", ONE " b");
    instance("a.instance-1", "Failed");
    status("/a", ONE, "1", "FAILED");
    status("/a", ONE, "1", "RUNNING");
    ck_assert_str_eq(believed("/a"), ONE ":terminal b");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster_instances");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        an_end_is_remembered_of_an_instance_that_an_answer_under_way_will_list,
        it_is_remembered_of_a_known_app_too,
        a_newer_answer_knows_better_than_what_is_remembered,
        nothing_is_remembered_that_no_answer_can_list,
        the_end_of_an_attempt_that_comes_late_does_not_end_the_next_one_for_good,
        nor_when_only_answers_tell_of_it,
        an_end_told_of_the_task_itself_is_final,
        the_task_s_own_end_after_that_of_its_instance_is_final_too,
    };
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
