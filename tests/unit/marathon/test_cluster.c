/* SPDX-License-Identifier: MIT */
/* Which of an event and an answer is the newer, and what absence means. */
#include "cluster_fixture.h"

/* ---- events against answers ---- */

START_TEST(an_event_newer_than_the_request_wins)
{
    answer("/a", "1", "x y");
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "x", "1", "KILLING");
    list_app(stamp, "/a", "1", "x y");
    ck_assert_str_eq(believed("/a"), "x:killing y");
    cluster_end_fetch(cluster, stamp);
    answer("/a", "1", "x y");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(a_terminal_task_never_revives)
{
    answer("/a", "1", "x y");
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "x", "1", "FAILED");
    list_app(stamp, "/a", "1", "x y");
    ck_assert_str_eq(believed("/a"), "x:terminal y");
    status("/a", "x", "1", "RUNNING");
    ck_assert_str_eq(believed("/a"), "x:terminal y");
    cluster_end_fetch(cluster, stamp);
    /* Listed still by an answer sent after its end (terminal tasks linger): it stays as it is. */
    answer("/a", "1", "x y");
    ck_assert_str_eq(believed("/a"), "x:terminal y");
    answer("/a", "1", "y");
    ck_assert_str_eq(believed("/a"), "y");
}
END_TEST

START_TEST(an_end_is_remembered_of_an_app_that_an_answer_under_way_will_list)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "x", "1", "KILLED");
    list_app(stamp, "/a", "1", "x y");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), "x:terminal y");
}
END_TEST

START_TEST(a_listed_end_is_explicit)
{
    answer("/a", "1", "x y");
    answer("/a", "1", "x:FAILED y");
    ck_assert_str_eq(believed("/a"), "x:terminal y");
}
END_TEST

START_TEST(an_instance_that_is_wiped_ends_its_tasks)
{
    answer("/a", "1", "a.instance-1._app.1 a.instance-10._app.1");
    apply("unknown_instance_terminated_event",
          "{\"instanceId\":\"a.instance-1\",\"runSpecId\":\"/a\",\"condition\":\"Killed\"}");
    ck_assert_str_eq(believed("/a"), "a.instance-1._app.1:terminal a.instance-10._app.1");
}
END_TEST

START_TEST(an_unreachable_task_comes_back)
{
    answer("/a", "1", "x");
    status("/a", "x", "1", "UNREACHABLE");
    ck_assert_str_eq(believed("/a"), "x:unreachable");
    ck_assert_int_eq(status("/a", "x", "1", "RUNNING"), CLUSTER_CHANGED);
    ck_assert_str_eq(believed("/a"), "x");
}
END_TEST

START_TEST(what_changes_nothing_makes_nothing_dirty)
{
    answer("/a", "1", "x y");
    ck_assert_uint_eq(count_dirty(), 1);
    answer("/a", "1", "y x");
    ck_assert_uint_eq(count_dirty(), 0);
    ck_assert_int_eq(status("/a", "x", "1", "RUNNING"), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(status("/a", "z", "1", "STAGING"), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(status("/deleted", "z", "1", "KILLED"), CLUSTER_NO_EFFECT);
    ck_assert_uint_eq(count_dirty(), 0);
    ck_assert_uint_eq(cluster_count(cluster).apps, 1);
}
END_TEST

/* ---- versions ---- */

START_TEST(a_task_of_an_unknown_version_waits_for_its_definition)
{
    answer("/a", "1", "x");
    ck_assert_int_eq(status("/a", "y", "2", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_str_eq(believed("/a"), "x y?");
    cluster_put_single_app(cluster, cluster_begin_single(cluster), make_app("/a", "2", "x y"));
    ck_assert_str_eq(believed("/a"), "x y");
    ck_assert_str_eq(version_of("/a"), "2");
    /* Now it is known, and so is the version before it. */
    ck_assert_int_eq(status("/a", "z", "2", "RUNNING"), CLUSTER_CHANGED);
    ck_assert_int_eq(status("/a", "w", "1", "RUNNING"), CLUSTER_CHANGED);
    ck_assert_str_eq(believed("/a"), "w x y z");
}
END_TEST

START_TEST(an_unknown_app_is_fetched)
{
    ck_assert_int_eq(status("/a", "x", "1", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_str_eq(believed("/a"), "x?");
    ck_assert_str_eq(version_of("/a"), "none");
    cluster_put_single_missing(cluster, cluster_begin_single(cluster), "/a");
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(a_posted_definition_counts_when_a_task_of_it_runs)
{
    answer("/a", "1", "x");
    post("/a", "2");
    ck_assert_str_eq(version_of("/a"), "1");
    ck_assert_int_eq(status("/a", "y", "2", "RUNNING"), CLUSTER_CHANGED);
    ck_assert_str_eq(version_of("/a"), "2");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(a_newer_answer_replaces_what_was_posted)
{
    answer("/a", "1", "x");
    post("/a", "2");
    answer("/a", "1", "x");
    ck_assert_int_eq(status("/a", "y", "2", "RUNNING"), CLUSTER_FETCH_APP);
}
END_TEST

START_TEST(an_older_answer_does_not_undo_what_was_posted)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    post("/a", "2");
    status("/a", "y", "2", "RUNNING");
    list_app(stamp, "/a", "1", "x");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(version_of("/a"), "2");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

/* It was asked for before the two posts, and answered after them: what it lists is what was posted last. */
START_TEST(an_older_answer_that_lists_what_was_posted_lets_it_count)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    post("/a", "2");
    status("/a", "y", "2", "RUNNING");
    post("/a", "3");
    list_app(stamp, "/a", "3", "x y");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(version_of("/a"), "3");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(a_rollback_has_an_older_version_and_counts)
{
    answer("/a", "2", "x");
    answer("/a", "1", "x");
    ck_assert_str_eq(version_of("/a"), "1");
}
END_TEST

/* ---- absence ---- */

START_TEST(absence_needs_confirmation)
{
    answer("/a", "1", "x y");
    ck_assert_int_eq(answer("/a", "1", "x").verdict, CLUSTER_UNCONFIRMED);
    ck_assert_str_eq(believed("/a"), "x y");
    ck_assert_uint_eq(answer("/a", "1", "x").n_removed, 1);
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_int_eq(answer("/a", "1", "x").verdict, CLUSTER_GOOD);
}
END_TEST

START_TEST(a_confirmation_is_sent_after_the_first_was_complete)
{
    answer("/a", "1", "x y");
    uint64_t first = cluster_begin_fetch(cluster);
    uint64_t second = cluster_begin_fetch(cluster);
    list_app(first, "/a", "1", "x");
    cluster_end_fetch(cluster, first);
    list_app(second, "/a", "1", "x");
    cluster_end_fetch(cluster, second);
    ck_assert_str_eq(believed("/a"), "x y");
    answer("/a", "1", "x");
    ck_assert_str_eq(believed("/a"), "x");
}
END_TEST

START_TEST(confirmations_are_in_a_row)
{
    answer("/a", "1", "x y");
    answer("/a", "1", "x");
    answer("/a", "1", "x y");
    answer("/a", "1", "x");
    ck_assert_str_eq(believed("/a"), "x y");
    status("/a", "y", "1", "RUNNING");
    answer("/a", "1", "x");
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(an_answer_sent_before_a_task_began_cannot_miss_it)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", "y", "1", "RUNNING");
    list_app(stamp, "/a", "1", "x");
    ck_assert_int_eq(cluster_end_fetch(cluster, stamp).verdict, CLUSTER_GOOD);
}
END_TEST

START_TEST(one_app_alone_is_no_statement_about_absent_tasks)
{
    answer("/a", "1", "x y");
    for (int i = 0; i < 3; i++) {
        cluster_put_single_app(cluster, cluster_begin_single(cluster), make_app("/a", "1", "x"));
    }
    ck_assert_str_eq(believed("/a"), "x y");
}
END_TEST

START_TEST(an_empty_answer_is_never_believed)
{
    answer("/a", "1", "x");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(empty_answer().verdict, CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_uint_eq(cluster_held(cluster), 1);
    ck_assert_uint_eq(cluster_confirm(cluster), 1);
    ck_assert_str_eq(believed("/a"), "");
    empty_answer();
    empty_answer();
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(the_guard_holds_what_is_too_much)
{
    answer("/a", "1", "a b c d e f g h");
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(answer("/a", "1", "a b c").verdict, CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/a"), "a b c d e f g h");
    /* Half is not above half. */
    answer("/a", "1", "a b c d");
    answer("/a", "1", "a b c d");
    ck_assert_str_eq(believed("/a"), "a b c d");
}
END_TEST

START_TEST(below_eight_the_guard_does_not_hold)
{
    answer("/a", "1", "a b c d e f g");
    answer("/a", "1", "a");
    answer("/a", "1", "a");
    ck_assert_str_eq(believed("/a"), "a");
}
END_TEST

START_TEST(what_is_replaced_is_not_held)
{
    answer("/a", "1", "a b c d e f g h");
    answer("/a", "2", "i j k l m n o p");
    answer("/a", "2", "i j k l m n o p");
    ck_assert_str_eq(believed("/a"), "i j k l m n o p");
}
END_TEST

START_TEST(events_let_through_what_the_guard_holds)
{
    answer("/a", "1", "a b c d e f g h");
    answer("/a", "1", "a");
    answer("/a", "1", "a");
    status("/a", "b", "1", "KILLED");
    ck_assert_str_eq(believed("/a"), "a b:terminal c d e f g h");
}
END_TEST

/* ---- apps ---- */

START_TEST(a_deleted_app_goes_with_its_404_and_its_last_task)
{
    answer("/a", "1", "x");
    ck_assert_int_eq(terminate("/a"), CLUSTER_FETCH_APP);
    cluster_put_single_missing(cluster, cluster_begin_single(cluster), "/a");
    ck_assert_str_eq(believed("/a"), "x");
    cluster_end_fetch(cluster, cluster_begin_fetch(cluster));
    status("/a", "x", "1", "KILLED");
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(a_404_without_a_word_is_a_doubt)
{
    answer("/a", "1", "x");
    cluster_put_single_missing(cluster, cluster_begin_single(cluster), "/a");
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert_str_eq(version_of("/a"), "1");
}
END_TEST

/* The last view of a removed app: whether Marathon has said that it ended, and its tasks that are over. */
static const char *last_view(void)
{
    static struct buf text;
    struct cluster_view view;
    buf_clear(&text);
    while (cluster_next_dirty(cluster, &view)) {
        for (size_t i = 0; view.removed && i < view.app->n_tasks; i++) {
            buf_printf(&text, "%s:%s ", view.app->tasks[i]->id, marathon_task_state_text(view.app->tasks[i]->state));
        }
        buf_puts(&text, view.ended ? "ended" : view.removed ? "removed" : "");
    }
    return buf_text(&text);
}

START_TEST(the_last_view_tells_what_has_ended_by_marathons_word)
{
    answer("/a", "1", "x y");
    ck_assert_str_eq(last_view(), "");
    terminate("/a");
    single_404("/a");
    status("/a", "x", "1", "KILLED");
    status("/a", "y", "1", "KILLED");
    ck_assert_uint_eq(cluster_count(cluster).tombstones, 0);
    ck_assert_str_eq(last_view(), "x:terminal y:terminal ended");
    /* What answers have lacked, or an app alone that is known by events of its tasks, may only be missing. */
    answer("/b", "1", "z");
    answer("/c", "1", "");
    answer("/c", "1", "");
    status("/d", "w", "1", "RUNNING");
    ck_assert_str_eq(last_view(), "removed");
    single_404("/d");
    ck_assert_str_eq(believed("/d"), "gone");
    ck_assert_str_eq(last_view(), "removed");
    ck_assert_uint_eq(cluster_count(cluster).tasks, 0);
}
END_TEST

START_TEST(an_app_deleted_and_created_again_lives)
{
    answer("/a", "1", "x");
    terminate("/a");
    status("/a", "x", "1", "KILLED");
    post("/a", "2");
    cluster_put_single_app(cluster, cluster_begin_single(cluster), make_app("/a", "2", ""));
    status("/a", "y", "2", "RUNNING");
    ck_assert_str_eq(believed("/a"), "y");
    ck_assert_str_eq(version_of("/a"), "2");
}
END_TEST

START_TEST(an_app_whose_listing_is_older_than_its_end_stays_ended)
{
    answer("/a", "1", "x");
    uint64_t stamp = cluster_begin_fetch(cluster);
    terminate("/a");
    status("/a", "x", "1", "KILLED");
    list_app(stamp, "/a", "1", "x");
    cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), "x:terminal");
    answer("/b", "1", "z");
    ck_assert_str_eq(believed("/a"), "gone");
}
END_TEST

START_TEST(a_malformed_app_keeps_its_last_good_state)
{
    struct cluster_view view;
    answer("/a", "1", "x");
    for (int i = 0; i < 3; i++) {
        uint64_t stamp = cluster_begin_fetch(cluster);
        cluster_put_malformed_app(cluster, stamp, "/a", "labels: object expected, array found");
        ck_assert_int_eq(cluster_end_fetch(cluster, stamp).verdict, CLUSTER_GOOD);
    }
    ck_assert_str_eq(believed("/a"), "x");
    ck_assert(cluster_get_app(cluster, "/a", &view));
    ck_assert_str_eq(view.problem, "labels: object expected, array found");
    answer("/a", "1", "x");
    ck_assert(cluster_get_app(cluster, "/a", &view));
    ck_assert_ptr_null(view.problem);
}
END_TEST

START_TEST(a_task_of_a_malformed_version_serves_by_the_last_good_definition)
{
    answer("/a", "1", "x");
    ck_assert_int_eq(status("/a", "y", "2", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_str_eq(believed("/a"), "x y?");
    cluster_put_malformed_single(cluster, cluster_begin_single(cluster), "/a", "it is broken");
    ck_assert_str_eq(believed("/a"), "x y");
    ck_assert_str_eq(version_of("/a"), "1");
}
END_TEST

START_TEST(without_a_good_definition_tasks_wait_on)
{
    status("/a", "y", "2", "RUNNING");
    cluster_put_malformed_single(cluster, cluster_begin_single(cluster), "/a", "it is broken");
    ck_assert_str_eq(believed("/a"), "y?");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        an_event_newer_than_the_request_wins,
        a_terminal_task_never_revives,
        an_end_is_remembered_of_an_app_that_an_answer_under_way_will_list,
        a_listed_end_is_explicit,
        an_instance_that_is_wiped_ends_its_tasks,
        an_unreachable_task_comes_back,
        what_changes_nothing_makes_nothing_dirty,
        a_task_of_an_unknown_version_waits_for_its_definition,
        an_unknown_app_is_fetched,
        a_posted_definition_counts_when_a_task_of_it_runs,
        a_newer_answer_replaces_what_was_posted,
        an_older_answer_does_not_undo_what_was_posted,
        an_older_answer_that_lists_what_was_posted_lets_it_count,
        a_rollback_has_an_older_version_and_counts,
        absence_needs_confirmation,
        a_confirmation_is_sent_after_the_first_was_complete,
        confirmations_are_in_a_row,
        an_answer_sent_before_a_task_began_cannot_miss_it,
        one_app_alone_is_no_statement_about_absent_tasks,
        an_empty_answer_is_never_believed,
        the_guard_holds_what_is_too_much,
        below_eight_the_guard_does_not_hold,
        what_is_replaced_is_not_held,
        events_let_through_what_the_guard_holds,
        a_deleted_app_goes_with_its_404_and_its_last_task,
        a_404_without_a_word_is_a_doubt,
        the_last_view_tells_what_has_ended_by_marathons_word,
        an_app_deleted_and_created_again_lives,
        an_app_whose_listing_is_older_than_its_end_stays_ended,
        a_malformed_app_keeps_its_last_good_state,
        a_task_of_a_malformed_version_serves_by_the_last_good_definition,
        without_a_good_definition_tasks_wait_on,
    };
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
