/* SPDX-License-Identifier: MIT */
/* A slot that a task has left is free when its sessions have ended; a drain has an end. */
#include "slots_fixture.h"

START_TEST(a_slot_is_free_when_its_sessions_have_ended)
{
    want("a 80,b 81");
    run();
    ck_assert(!slots_await_sessions(slots));
    want("b 81");
    RUNS("s1 maint;");
    ck_assert(slots_await_sessions(slots));
    all_sessions_are(2);
    ck_assert(slots_await_sessions(slots));
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_HELD);
    all_sessions_are(0);
    ck_assert(!slots_await_sessions(slots));
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_FREE);
    ck_assert_uint_eq(slots_count_states(slots).free, 3);
}
END_TEST

START_TEST(a_slot_with_sessions_is_reused_last)
{
    want("a 80,b 81");
    run();
    want("b 81");
    run();
    want("b 81,c 82,d 83");
    RUNS("s3 addr 10.0.0.1:82;s3 weight 1;s4 addr 10.0.0.1:83;s4 weight 1;s3 ready;s4 ready;");
    want("b 81,c 82");
    run();
    all_sessions_are(1);
    /* Nothing else is free: its sessions go on, and the task is served. The one that left first comes first. */
    want("b 81,c 82,e 84");
    RUNS("s1 addr 10.0.0.1:84;s1 weight 1;s1 ready;");
    all_sessions_are(0);
    want("b 81,c 82,e 84,f 85");
    RUNS("s4 addr 10.0.0.1:85;s4 weight 1;s4 ready;");
}
END_TEST

START_TEST(a_slot_that_is_closed_is_used_last)
{
    want("a 80");
    run();
    slots_set_closed(slots, 1, true);
    slots_set_closed(slots, 2, true);
    slots_forget(slots);
    model_show(&model, slots, true);
    want("a 80,b 81");
    RUNS("s4 addr 10.0.0.1:81;s4 weight 1;s4 ready;");
    /* It waits there for the end of the order. */
    want("a 80,b 81,c 82");
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), 1);
    want("a 80,c 82");
    run();
    all_sessions_are(1);
    slots_set_closed(slots, 2, false);
    slots_set_closed(slots, 3, true);
    want("a 80,c 82,d 83");
    RUNS("s3 addr 10.0.0.1:83;s3 weight 1;s3 ready;");
}
END_TEST

/* After a restart: one that was never used has no sessions, of the others nobody knows. */
START_TEST(what_is_adopted_in_maint_may_have_sessions)
{
    want("a 80,b 81");
    run();
    want("b 81");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("b 81");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_HELD);
    ck_assert_int_eq(slots_view(slots, 2).state, SLOT_FREE);
    ck_assert(slots_await_sessions(slots));
    all_sessions_are(0);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_FREE);
    /* What is known stays known when the connection is lost. */
    slots_forget(slots);
    model_show(&model, slots, true);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_FREE);
    RUNS("");
}
END_TEST

/* Its sessions are still the drain's to wait for, and nobody else gets its slot. */
START_TEST(what_an_operator_holds_is_adopted_where_it_is)
{
    want("a 80,b 81");
    run();
    want("a 80 operator over,b 81");
    RUNS("s1 maint;");
    slots_forget(slots);
    model_show(&model, slots, true);
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
    slots_free(slots);
    slots = slots_new("web");
    want("a 80 operator over,b 81");
    model_show(&model, slots, true);
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_HELD);
    all_sessions_are(2);
    ck_assert_int_eq(slots_view(slots, 0).sessions, 2);
    want("a 80 operator over,b 81,c 82");
    RUNS("s3 addr 10.0.0.1:82;s3 weight 1;s3 ready;");
    /* A task that Marathon stops has nothing to do there. */
    want("a 80 drain,b 81,c 82");
    slots_forget(slots);
    model_show(&model, slots, true);
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), -1);
}
END_TEST

/* Clients that follow a draining task by a cookie go elsewhere before it ends. */
START_TEST(a_drain_that_takes_too_long_ends_in_maint)
{
    want("a 80,b 81");
    run();
    model.now_ms = 5000;
    want("a 80 drain,b 81");
    RUNS("s1 drain;");
    struct slots_options options = model_options(&model);
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    ck_assert_int_eq(plan.again_ms, 5000 + MODEL_DRAIN_MS);
    model.now_ms = 5000 + MODEL_DRAIN_MS - 1;
    RUNS("");
    model.now_ms++;
    RUNS("s1 maint;");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_HELD);
    ck_assert_uint_eq(slots_view(slots, 0).observed->admin, model.rows[0].admin);
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
    options = model_options(&model);
    slots_plan(slots, &options, &plan);
    ck_assert_int_eq(plan.again_ms, SLOTS_NEVER);
    /* It comes back to its slot, also when it is the last. */
    want("a 80 drain,b 81 gone");
    RUNS("s2 maint;s1 ready;");
    slot_plan_free(&plan);
}
END_TEST

/* They end where they are, and it is there for the time when nobody else serves. */
START_TEST(a_task_that_drains_and_moves_leaves_its_sessions_alone)
{
    start(3, false);
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81");
    run();
    all_sessions_are(1);
    want("a 90 drain,b 81");
    RUNS("s3 addr 10.0.0.1:90;s3 weight 1;s1 maint;");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_HELD);
    want("a 90 drain,b 81 gone");
    RUNS("s2 maint;s3 ready;");
    /* One that an operator drains has no turn to wait for. */
    all_sessions_are(0);
    want("a 90,b 81");
    run();
    want("a 90,b 81 operator");
    run();
    all_sessions_are(1);
    want("a 90,b 91 operator");
    RUNS("s1 addr 10.0.0.1:91;s1 weight 1;s2 maint;");
}
END_TEST

/* Sessions of somebody else are no better. */
START_TEST(a_task_that_drains_moves_in_its_slot_where_no_other_is_empty)
{
    start(3, false);
    want("a 80,b 81,c 82");
    run();
    want("a 80 drain,b 81");
    run();
    all_sessions_are(1);
    want("a 90 drain,b 81");
    RUNS("s1 maint;s1 addr 10.0.0.1:90;s1 weight 1;");
    /* An open slot is none for a task that drains since an operator drains its own. */
    all_sessions_are(0);
    want("a 90,b 81");
    run();
    slots_set_closed(slots, 0, true);
    want("a 90 operator,b 81");
    run();
    all_sessions_are(1);
    want("a 91 operator,b 81");
    RUNS("s1 maint;");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots and sessions");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_slot_is_free_when_its_sessions_have_ended);
    tcase_add_test(tests, a_slot_with_sessions_is_reused_last);
    tcase_add_test(tests, a_slot_that_is_closed_is_used_last);
    tcase_add_test(tests, what_is_adopted_in_maint_may_have_sessions);
    tcase_add_test(tests, what_an_operator_holds_is_adopted_where_it_is);
    tcase_add_test(tests, a_drain_that_takes_too_long_ends_in_maint);
    tcase_add_test(tests, a_task_that_drains_and_moves_leaves_its_sessions_alone);
    tcase_add_test(tests, a_task_that_drains_moves_in_its_slot_where_no_other_is_empty);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
