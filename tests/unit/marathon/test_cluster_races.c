/* SPDX-License-Identifier: MIT */
/* Answers that overtake each other, ends that an answer under way could undo, and what the guard counts. */
#include "cluster_fixture.h"

/* ---- an older answer after a newer one ---- */

START_TEST(an_older_answer_does_not_revive_what_a_newer_single_one_lacks)
{
    answer("/a", "1", "x y");
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "x", "1", "KILLED");
    single_answer("/a", "1", "y");
    ck_assert_str_eq(believed("/a"), "y");
    list_app(stamp, "/a", "1", "x y");
    ck_assert_int_eq(cluster_end_fetch(cluster, stamp).verdict, CLUSTER_GOOD);
    ck_assert_str_eq(believed("/a"), "y");
}
END_TEST

START_TEST(an_older_single_answer_does_not_revive_what_a_complete_one_lacks)
{
    answer("/a", "1", "x y");
    uint64_t single = cluster_begin_single(cluster);
    status("/a", "x", "1", "KILLED");
    answer("/a", "1", "y");
    cluster_put_single_app(cluster, single, make_app("/a", "1", "x y"));
    ck_assert_str_eq(believed("/a"), "y");
}
END_TEST

START_TEST(an_older_single_answer_does_not_revive_a_removed_app)
{
    answer("/a", "1", "x");
    uint64_t single = cluster_begin_single(cluster);
    terminate("/a");
    status("/a", "x", "1", "KILLED");
    answer("/b", "1", "z");
    ck_assert_str_eq(believed("/a"), "gone");
    cluster_put_single_app(cluster, single, make_app("/a", "1", "x"));
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(an_older_complete_answer_does_not_judge_what_a_newer_single_one_told)
{
    answer("/a", "1", "x y");
    uint64_t stamp = cluster_begin_fetch(cluster);
    single_answer("/a", "1", "y");
    list_app(stamp, "/a", "1", "x y");
    ck_assert_uint_eq(cluster_end_fetch(cluster, stamp).n_missing, 0);
    answer("/a", "1", "y");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

/* A single answer of the app comes while a complete one is under way; x is in neither, or in one of them. */
static struct cluster_fetch_result overtaken_answer(const char *single, const char *complete)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    single_answer("/a", "1", single);
    if (complete) {
        list_app(stamp, "/a", "1", complete);
    } else {
        cluster_put_malformed_app(cluster, stamp, "/a", "it is broken");
    }
    return cluster_end_fetch(cluster, stamp);
}

START_TEST(what_has_run_is_not_listed_back_to_before_it_did)
{
    answer("/a", "1", "x y:UNREACHABLE z:KILLING v:STAGING");
    answer("/a", "1", "x:STAGING y:STARTING z:STAGING v:STARTING");
    ck_assert_str_eq(believed("/a"), "v:starting x y:unreachable z:killing");
    answer("/a", "1", "x:KILLED y z:KILLED v");
    ck_assert_str_eq(believed("/a"), "v x:terminal y z:terminal");
}
END_TEST

START_TEST(a_task_that_a_newer_single_answer_lacks_too_is_missing)
{
    answer("/a", "1", "x y");
    ck_assert_int_eq(overtaken_answer("y", "y").verdict, CLUSTER_UNCONFIRMED);
    ck_assert_str_eq(believed("/a"), "x y");
    ck_assert_uint_eq(overtaken_answer("y", "y").n_removed, 1);
    ck_assert_str_eq(believed("/a"), "y");
}
END_TEST

START_TEST(a_task_that_a_newer_single_answer_lists_is_not_missing)
{
    answer("/a", "1", "x y");
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(overtaken_answer("x y", "y").n_missing, 0);
    }
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(a_malformed_listing_that_is_overtaken_lists_all_tasks)
{
    answer("/a", "1", "x y");
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(overtaken_answer("y", NULL).n_missing, 0);
    }
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(what_an_overtaken_answer_lists_is_not_news)
{
    answer("/a", "1", "x y");
    uint64_t stamp = cluster_begin_fetch(cluster);
    single_answer("/a", "2", "y");
    list_app(stamp, "/a", "1", "w x y:KILLING");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), "x y");
    ck_assert_str_eq(version_of("/a"), "2");
}
END_TEST

START_TEST(a_single_answer_does_not_make_an_empty_one_believable)
{
    answer("/a", "1", "x");
    answer("/b", "1", "z");
    uint64_t stamp = cluster_begin_fetch(cluster);
    single_answer("/b", "1", "z");
    ck_assert_int_eq(cluster_end_fetch(cluster, stamp).verdict, CLUSTER_HELD);
    ck_assert_str_eq(believed("/a"), "x");
}
END_TEST

START_TEST(an_event_newer_than_the_answer_is_not_missing_in_it)
{
    answer("/a", "1", "x y");
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "y", "1", "RUNNING");
    list_app(stamp, "/a", "1", "x");
    ck_assert_uint_eq(cluster_end_fetch(cluster, stamp).n_missing, 0);
}
END_TEST

/* ---- deleted apps ---- */

START_TEST(a_deleted_app_goes_at_once_when_no_complete_answer_is_under_way)
{
    answer("/a", "1", "x");
    terminate("/a");
    single_404("/a");
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_int_eq(status("/a", "x", "1", "KILLED"), CLUSTER_CHANGED);
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(a_deleted_app_outlives_an_older_answer_under_way)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    terminate("/a");
    status("/a", "x", "1", "KILLED");
    single_404("/a");
    ck_assert_str_eq(believed("/a"), "x:terminal");
    list_app(stamp, "/a", "1", "x");
    list_app(stamp, "/b", "1", "z");
    ck_assert_str_eq(believed("/a"), "x:terminal");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(a_deleted_app_does_not_wait_for_an_answer_that_failed)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    terminate("/a");
    single_404("/a");
    status("/a", "x", "1", "KILLED");
    ck_assert_str_eq(believed("/a"), "x:terminal");
    cluster_abandon_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), "gone");
    /* Nor do the ends of unknown apps' tasks need to be remembered. */
    ck_assert_int_eq(status("/b", "y", "1", "KILLED"), CLUSTER_NO_EFFECT);
    ck_assert_uint_eq(cluster_count(cluster).apps, 0);
}
END_TEST

START_TEST(the_end_of_a_deleted_app_s_task_is_final_until_an_answer_knows_it)
{
    answer("/a", "1", "x");
    terminate("/a");
    single_404("/a");
    status("/a", "x", "1", "KILLED");
    ck_assert_str_eq(believed("/a"), "gone");
    ck_assert_int_eq(status("/a", "x", "1", "RUNNING"), CLUSTER_NO_EFFECT);
    ck_assert_str_eq(believed("/a"), "gone");
    /* A new leader answers what the former one knew. */
    answer("/a", "1", "x");
    ck_assert_str_eq(believed("/a"), "");
    single_answer("/a", "1", "x y");
    ck_assert_str_eq(believed("/a"), "y");
    answer("/a", "1", "y");
    answer("/a", "1", "x y");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(an_older_answer_that_failed_does_not_end_a_newer_one)
{
    answer("/a", "1", "x");
    uint64_t older = cluster_begin_fetch(cluster);
    uint64_t newer = cluster_begin_fetch(cluster);
    terminate("/a");
    single_404("/a");
    status("/a", "x", "1", "KILLED");
    cluster_abandon_fetch(cluster, older);
    list_app(newer, "/a", "1", "x");
    ck_assert_str_eq(believed("/a"), "x:terminal");
    cluster_abandon_fetch(cluster, newer);
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(an_answer_that_failed_does_not_end_an_older_one)
{
    answer("/a", "1", "x");
    uint64_t older = cluster_begin_fetch(cluster);
    uint64_t newer = cluster_begin_fetch(cluster);
    terminate("/a");
    single_404("/a");
    status("/a", "x", "1", "KILLED");
    cluster_abandon_fetch(cluster, newer);
    list_app(older, "/a", "1", "x");
    ck_assert_str_eq(believed("/a"), "x:terminal");
}
END_TEST

START_TEST(a_404_older_than_the_end_is_a_doubt)
{
    answer("/a", "1", "x");
    uint64_t single = cluster_begin_single(cluster);
    terminate("/a");
    status("/a", "x", "1", "KILLED");
    cluster_put_single_missing(cluster, single, "/a");
    ck_assert_str_eq(believed("/a"), "x:terminal");
}
END_TEST

START_TEST(a_listing_older_than_the_end_lists_its_tasks_all_the_same)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    terminate("/a");
    list_app(stamp, "/a", "9", "x");
    ck_assert_uint_eq(cluster_end_fetch(cluster, stamp).n_missing, 0);
    ck_assert_str_eq(version_of("/a"), "1");
    ck_assert_str_eq(believed("/a"), "x");
}
END_TEST

START_TEST(a_post_after_the_end_keeps_the_app)
{
    answer("/a", "1", "x");
    terminate("/a");
    post("/a", "2");
    single_404("/a");
    status("/a", "x", "1", "KILLED");
    ck_assert_str_eq(believed("/a"), "x:terminal");
    ck_assert_str_eq(version_of("/a"), "1");
}
END_TEST

START_TEST(a_malformed_listing_keeps_an_app_whose_absence_was_confirmed)
{
    answer("/a", "1", "x");
    answer("/b", "1", "z");
    status("/a", "x", "1", "RUNNING");
    for (int i = 0; i < 2; i++) {
        uint64_t stamp = cluster_begin_fetch(cluster);
        status("/a", "x", "1", "RUNNING");
        list_app(stamp, "/b", "1", "z");
        cluster_end_fetch(cluster, stamp);
    }
    cluster_put_malformed_app(cluster, cluster_begin_fetch(cluster), "/a", "it is broken");
    answer("/b", "1", "z");
    status("/a", "x", "1", "KILLED");
    ck_assert_str_eq(believed("/a"), "x:terminal");
}
END_TEST

/* ---- apps that no answer knows: pods, and what a 404 says ---- */

START_TEST(a_404_does_not_drop_a_task_that_came_after_it_was_asked)
{
    status("/a", "x", "1", "RUNNING");
    uint64_t single = cluster_begin_single(cluster);
    status("/a", "y", "1", "RUNNING");
    cluster_put_single_missing(cluster, single, "/a");
    ck_assert_str_eq(believed("/a"), "x? y?");
    single_404("/a");
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(tasks_of_pods_do_not_wake_the_guard)
{
    answer("/a", "1", "x y");
    for (int i = 0; i < 10; i++) {
        cleanup_free char *pod = mem_printf("p%d", i);
        status("/pod", pod, "1", "RUNNING");
    }
    ck_assert_int_eq(answer("/a", "1", "x").verdict, CLUSTER_UNCONFIRMED);
    ck_assert_int_eq(answer("/a", "1", "x").verdict, CLUSTER_GOOD);
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_str_eq(believed("/pod"), "gone");
}
END_TEST

START_TEST(an_empty_answer_is_good_when_only_pods_run)
{
    status("/pod", "p", "1", "RUNNING");
    empty_answer();
    ck_assert_int_eq(empty_answer().verdict, CLUSTER_GOOD);
    ck_assert_str_eq(believed("/pod"), "gone");
}
END_TEST

START_TEST(what_is_held_back_does_not_hold_back_pods)
{
    answer("/a", "1", "a b c d e f g h");
    status("/pod", "p", "1", "RUNNING");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(answer("/a", "1", "a").verdict, CLUSTER_HELD);
    }
    ck_assert_uint_eq(cluster_held(cluster), 7);
    ck_assert_str_eq(believed("/pod"), "");
    answer("/a", "1", "a b c d e f g h");
    ck_assert_str_eq(believed("/pod"), "gone");
}
END_TEST

/* ---- the guard ---- */

START_TEST(an_empty_answer_holds_apps_and_drops_pods)
{
    answer("/a", "1", "x");
    status("/pod", "p", "1", "RUNNING");
    empty_answer();
    ck_assert_int_eq(empty_answer().verdict, CLUSTER_HELD);
    ck_assert_uint_eq(cluster_held(cluster), 1);
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_str_eq(believed("/pod"), "");
}
END_TEST

START_TEST(what_is_held_is_counted_down_by_events_and_answers)
{
    answer("/a", "1", "a b c d e f g h");
    answer("/a", "1", "a");
    ck_assert_uint_eq(cluster_held(cluster), 7);
    status("/a", "b", "1", "KILLED");
    ck_assert_uint_eq(cluster_held(cluster), 6);
    status("/a", "c", "1", "RUNNING");
    ck_assert_uint_eq(cluster_held(cluster), 5);
    single_answer("/a", "1", "d");
    ck_assert_uint_eq(cluster_held(cluster), 4);
    ck_assert_uint_eq(cluster_confirm(cluster), 4);
    ck_assert_uint_eq(cluster_held(cluster), 0);
    ck_assert_str_eq(believed("/a"), "a c d");
}
END_TEST

START_TEST(an_unreachable_task_counts_as_shrinking)
{
    answer("/a", "1", "a b c d e f g h");
    for (int i = 0; i < 3; i++) {
        answer("/a", "1", "a b c d:UNREACHABLE e:UNREACHABLE f:UNREACHABLE");
    }
    ck_assert_uint_eq(cluster_held(cluster), 2);
}
END_TEST

START_TEST(an_app_that_does_not_shrink_is_not_held_for_another)
{
    uint64_t stamp = 0;
    answer("/a", "1", "a b c d e f g h");
    for (int i = 0; i < 3; i++) {
        stamp = cluster_begin_fetch(cluster);
        list_app(stamp, "/a", "1", "a");
        list_app(stamp, "/b", "1", i == 0 ? "x" : "y");
        cluster_end_fetch(cluster, stamp);
    }
    ck_assert_str_eq(believed("/b"), "y");
    ck_assert_str_eq(believed("/a"), "a b c d e f g h");
}
END_TEST

START_TEST(a_redeployment_with_fewer_tasks_is_not_held)
{
    answer("/a", "1", "a b c d e f g h");
    for (int i = 0; i < 2; i++) {
        answer("/a", "2", "i j k l m");
    }
    ck_assert_str_eq(believed("/a"), "i j k l m");
}
END_TEST

START_TEST(no_app_goes_while_the_guard_holds)
{
    answer("/empty", "1", "");
    uint64_t stamp = cluster_begin_fetch(cluster);
    list_app(stamp, "/empty", "1", "");
    list_app(stamp, "/a", "1", "a b c d e f g h");
    cluster_end_fetch(cluster, stamp);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(answer("/a", "1", "a").verdict, CLUSTER_HELD);
    }
    ck_assert_str_eq(version_of("/empty"), "1");
}
END_TEST

/* ---- waiting ---- */

START_TEST(an_answer_older_than_a_task_brings_its_definition)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    ck_assert_int_eq(status("/a", "x", "2", "RUNNING"), CLUSTER_FETCH_APP);
    count_dirty();
    list_app(stamp, "/a", "2", "");
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_uint_eq(count_dirty(), 1);
}
END_TEST

START_TEST(an_app_is_wanted_while_something_waits_for_it)
{
    ck_assert(!cluster_wants_app(cluster, "/a"));
    status("/a", "x", "1", "RUNNING");
    uint64_t single = cluster_begin_single(cluster);
    status("/a", "y", "1", "RUNNING");
    ck_assert(cluster_wants_app(cluster, "/a"));
    cluster_put_single_app(cluster, single, make_app("/a", "1", "x"));
    ck_assert(!cluster_wants_app(cluster, "/a"));
    terminate("/a");
    ck_assert(cluster_wants_app(cluster, "/a"));
    single_404("/a");
    ck_assert(!cluster_wants_app(cluster, "/a"));
}
END_TEST

START_TEST(a_definition_taken_from_an_event_ends_the_waiting_of_all)
{
    answer("/a", "1", "");
    status("/a", "x", "2", "RUNNING");
    post("/a", "2");
    ck_assert_str_eq(believed("/a"), "x?");
    status("/a", "y", "2", "RUNNING");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(a_post_that_is_newer_than_an_answer_survives_it)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    post("/a", "2");
    list_app(stamp, "/a", "1", "x");
    cluster_end_fetch(cluster, stamp);
    ck_assert_int_eq(status("/a", "y", "2", "RUNNING"), CLUSTER_CHANGED);
    ck_assert_str_eq(version_of("/a"), "2");
}
END_TEST

START_TEST(many_versions_at_once_do_not_hide_the_current_one)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    for (int i = 0; i < 40; i++) {
        cleanup_free char *task = mem_printf("t%d", i);
        cleanup_free char *version = mem_printf("v%d", i);
        status("/a", task, version, "RUNNING");
        list_app(stamp, "/a", version, task);
    }
    single_answer("/a", "current", "t1");
    for (int i = 0; i < 40; i++) {
        cleanup_free char *task = mem_printf("t%d", i);
        status("/a", task, "current", "RUNNING");
    }
    ck_assert_int_eq(status("/a", "new", "current", "RUNNING"), CLUSTER_CHANGED);
}
END_TEST

START_TEST(a_start_that_only_answers_tell_makes_the_app_dirty)
{
    static const char *const json =
        "{\"id\":\"/a\",\"version\":\"1\",\"tasks\":[{\"id\":\"x\",\"host\":\"h\",\"ports\":[1],"
        "\"version\":\"1\",\"state\":\"TASK_RUNNING\","
        "\"startedAt\":\"2026-11-23T00:31:01.157Z\"}]}";
    struct marathon_app *app = NULL;
    answer("/a", "1", "");
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "x", "1", "RUNNING");
    count_dirty();
    ck_assert_int_eq(marathon_app_parse(json, strlen(json), &app, NULL, NULL), 0);
    cluster_put_listed_app(cluster, stamp, app);
    ck_assert_uint_eq(count_dirty(), 1);
    struct cluster_view view;
    ck_assert(cluster_get_app(cluster, "/a", &view));
    ck_assert_int_ne(view.app->tasks[0]->started_ms, MARATHON_NO_TIME);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster_races");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        an_older_answer_does_not_revive_what_a_newer_single_one_lacks,
        an_older_single_answer_does_not_revive_what_a_complete_one_lacks,
        an_older_single_answer_does_not_revive_a_removed_app,
        an_older_complete_answer_does_not_judge_what_a_newer_single_one_told,
        what_has_run_is_not_listed_back_to_before_it_did,
        a_task_that_a_newer_single_answer_lacks_too_is_missing,
        a_task_that_a_newer_single_answer_lists_is_not_missing,
        a_malformed_listing_that_is_overtaken_lists_all_tasks,
        what_an_overtaken_answer_lists_is_not_news,
        a_single_answer_does_not_make_an_empty_one_believable,
        an_event_newer_than_the_answer_is_not_missing_in_it,
        a_deleted_app_goes_at_once_when_no_complete_answer_is_under_way,
        a_deleted_app_outlives_an_older_answer_under_way,
        the_end_of_a_deleted_app_s_task_is_final_until_an_answer_knows_it,
        a_deleted_app_does_not_wait_for_an_answer_that_failed,
        an_older_answer_that_failed_does_not_end_a_newer_one,
        an_answer_that_failed_does_not_end_an_older_one,
        a_404_older_than_the_end_is_a_doubt,
        a_listing_older_than_the_end_lists_its_tasks_all_the_same,
        a_post_after_the_end_keeps_the_app,
        a_malformed_listing_keeps_an_app_whose_absence_was_confirmed,
        a_404_does_not_drop_a_task_that_came_after_it_was_asked,
        tasks_of_pods_do_not_wake_the_guard,
        an_empty_answer_is_good_when_only_pods_run,
        what_is_held_back_does_not_hold_back_pods,
        an_empty_answer_holds_apps_and_drops_pods,
        what_is_held_is_counted_down_by_events_and_answers,
        an_unreachable_task_counts_as_shrinking,
        an_app_that_does_not_shrink_is_not_held_for_another,
        a_redeployment_with_fewer_tasks_is_not_held,
        no_app_goes_while_the_guard_holds,
        an_answer_older_than_a_task_brings_its_definition,
        an_app_is_wanted_while_something_waits_for_it,
        a_definition_taken_from_an_event_ends_the_waiting_of_all,
        a_post_that_is_newer_than_an_answer_survives_it,
        many_versions_at_once_do_not_hide_the_current_one,
        a_start_that_only_answers_tell_makes_the_app_dirty,
    };
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
