/* SPDX-License-Identifier: MIT */
/* What another hand changes is noticed, counted and put right. */
#include "slots_fixture.h"

static struct slots_comparison look(void)
{
    return slots_compare(slots, model.rows, model.count);
}

static void two_serve(void)
{
    want("a 80,b 81 w5");
    run();
    ck_assert_uint_eq(look().drifted, 0);
    ck_assert(!look().changed);
}

START_TEST(a_weight_is_set_again)
{
    two_serve();
    model.rows[1].weight = 9;
    struct slots_comparison found = look();
    ck_assert_uint_eq(found.drifted, 1);
    ck_assert(found.changed);
    ck_assert_str_eq(found.first, "s2");
    RUNS("s2 weight 5;");
    ck_assert_uint_eq(look().drifted, 0);
}
END_TEST

START_TEST(one_taken_out_serves_again)
{
    two_serve();
    model.rows[0].admin |= SLOT_ADMIN_FMAINT;
    model.rows[1].admin |= SLOT_ADMIN_FDRAIN;
    ck_assert_uint_eq(look().drifted, 2);
    RUNS("s1 ready;s2 ready;");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
}
END_TEST

/* A wrong address serves somebody else's requests: it is left at once, also by the only one that serves. */
START_TEST(an_address_is_put_right_at_once)
{
    want("a 80");
    run();
    model.rows[0].port = 99;
    ck_assert_uint_eq(look().drifted, 1);
    RUNS("s1 maint;s1 addr 10.0.0.1:80;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(a_free_slot_that_was_made_ready_leaves_again)
{
    two_serve();
    model.rows[3].admin &= ~(unsigned)SLOT_ADMIN_FMAINT;
    ck_assert_uint_eq(look().drifted, 1);
    RUNS("s4 maint;");
    all_sessions_are(0);
    ck_assert_int_eq(slots_view(slots, 3).state, SLOT_FREE);
}
END_TEST

START_TEST(an_unclaimed_one_that_was_taken_out_is_free)
{
    want("a 80,b 81");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80");
    ck_assert_int_eq(slots_view(slots, 1).state, SLOT_ORPHAN);
    model.rows[1].admin |= SLOT_ADMIN_FMAINT;
    look();
    all_sessions_are(0);
    ck_assert_int_eq(slots_view(slots, 1).state, SLOT_FREE);
    RUNS("");
}
END_TEST

/* HAProxy 3.0+ lets anybody delete it. */
START_TEST(the_task_of_a_server_that_was_deleted_gets_another)
{
    two_serve();
    model.count--;
    model.rows[0] = model.rows[3];
    memcpy(model.names[0], model.names[3], sizeof(model.names[0]));
    model.rows[0].server = model.names[0];
    ck_assert_uint_eq(look().drifted, 1);
    RUNS("s3 addr 10.0.0.1:80;s3 weight 1;s3 ready;");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_UNKNOWN);
}
END_TEST

START_TEST(what_has_commands_on_its_way_is_passed_over)
{
    struct slots_options options = model_options(&model);
    struct slot_plan plan = {0};
    want("a 80");
    slots_plan(slots, &options, &plan);
    model.rows[0].weight = 200;
    ck_assert_uint_eq(look().drifted, 0);
    for (size_t i = 0; i < plan.count; i++) {
        model_apply(&model, &plan.commands[i]);
        slots_acknowledge(slots, &plan.commands[i], true);
    }
    slot_plan_free(&plan);
    ck_assert_uint_eq(look().drifted, 0);
    RUNS("s1 ready;");
}
END_TEST

START_TEST(an_agent_check_may_set_weight_and_drain)
{
    two_serve();
    model.rows[0].has_agent = true;
    ck_assert_uint_eq(look().drifted, 0);
    model.rows[0].weight = 3;
    model.rows[0].admin |= SLOT_ADMIN_FDRAIN;
    ck_assert_uint_eq(look().drifted, 0);
    model.rows[0].admin |= SLOT_ADMIN_FMAINT;
    ck_assert_uint_eq(look().drifted, 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots and drift");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        a_weight_is_set_again,
        one_taken_out_serves_again,
        an_address_is_put_right_at_once,
        a_free_slot_that_was_made_ready_leaves_again,
        an_unclaimed_one_that_was_taken_out_is_free,
        the_task_of_a_server_that_was_deleted_gets_another,
        what_has_commands_on_its_way_is_passed_over,
        an_agent_check_may_set_weight_and_drain,
    };
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
