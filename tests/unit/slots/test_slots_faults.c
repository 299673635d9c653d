/* SPDX-License-Identifier: MIT */
/* Adoption, late addresses, lost connections and refusals. */
#include "slots_fixture.h"

/* ---- addresses that come late ---- */

START_TEST(a_late_address_is_read_until_it_is_there)
{
    start(2, true);
    model.shows_after = 3;
    want("a 80");
    RUNS("s1 addr 10.0.0.1:80;s1 weight 1;read;read;read;read;s1 ready;");
}
END_TEST

START_TEST(an_address_that_never_comes_costs_the_slot)
{
    start(2, true);
    want("a 80");
    model.shows_after = 65;
    run();
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 1);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_UNKNOWN);
    ck_assert_int_eq(slots_view(slots, 1).state, SLOT_READY);
}
END_TEST

/* Answers the commands that are planned now, the one with index refused with a refusal; the reads still show what was.
 */
static void answer_plan(size_t refused)
{
    struct slots_options options = {.read_back = model.is_late};
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        if (plan.commands[i].kind == SLOT_COMMAND_READ) {
            model_show(&model, slots, false);
            continue;
        }
        if (i != refused) {
            model_apply(&model, &plan.commands[i]);
        }
        slots_acknowledge(slots, &plan.commands[i], i != refused);
    }
    slot_plan_free(&plan);
}

START_TEST(the_next_endpoint_does_not_meet_a_former_ones_late_address)
{
    for (size_t refused = 1; refused <= 9; refused += 8) {
        start(1, true);
        want("a 80");
        run();
        want("a 80 gone,b 90");
        answer_plan(9);
        answer_plan(refused);
        /* s1 is in maint, shows 80, and will have 90. */
        want("b 90 gone,c 80");
        model.shows_after = 3;
        run();
        ck_assert(!model.pending[0]);
        ck_assert_uint_eq(model.rows[0].port, 80);
        ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
    }
}
END_TEST

/* Sends what is planned and loses the connection before any answer. */
static void lose_connection(void)
{
    struct slots_options options = {.read_back = model.is_late};
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        if (plan.commands[i].kind != SLOT_COMMAND_READ) {
            model_apply(&model, &plan.commands[i]);
        }
    }
    slot_plan_free(&plan);
    slots_forget(slots);
}

START_TEST(an_address_may_come_after_the_connection_was_lost)
{
    start(1, true);
    want("a 80");
    run();
    want("b 90");
    lose_connection();
    model_show(&model, slots, true);
    lose_connection();
    /* s1 is in maint, still shows 80, and will have 90. */
    want("c 80");
    model_show(&model, slots, true);
    run();
    ck_assert_uint_eq(model.rows[0].port, 80);
    ck_assert(!model.pending[0]);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
}
END_TEST

/* ---- adoption ---- */

START_TEST(a_restart_with_nothing_changed_sends_nothing)
{
    want("a 80,b 81 w5,c 82");
    run();
    want("a 80,b 81 w5,c 82 drain");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    RUNS("");
    want("a 80,b 81 w5,c 82 drain");
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "b"), 1);
    ck_assert_int_eq(slots_view(slots, 2).state, SLOT_DRAINING);
}
END_TEST

START_TEST(an_unclaimed_slot_serves_until_it_is_released)
{
    want("a 80,b 81");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80");
    RUNS("");
    ck_assert_uint_eq(slots_count_states(slots).orphans, 1);
    ck_assert_uint_eq(slots_release_orphans(slots, SIZE_MAX), 1);
    RUNS("s2 maint;");
}
END_TEST

START_TEST(unclaimed_slots_that_drain_make_room)
{
    start(2, false);
    want("a 80,b 81");
    run();
    for (size_t i = 0; i < model.count; i++) {
        model.rows[i].admin |= SLOT_ADMIN_FDRAIN;
    }
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("c 82,d 83");
    slots_release_orphans(slots, SIZE_MAX);
    run();
    ck_assert_uint_eq(slots_count_states(slots).ready, 2);
}
END_TEST

START_TEST(a_duplicate_of_what_serves_leaves_at_once)
{
    want("a 80");
    run();
    model.rows[2] = model.rows[0];
    model.rows[2].server = model.names[2];
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80");
    RUNS("s3 maint;");
}
END_TEST

START_TEST(two_endpoints_at_one_address_have_two_slots)
{
    want("a 80,b 80");
    RUNS("s1 addr 10.0.0.1:80;s1 weight 1;s2 addr 10.0.0.1:80;s2 weight 1;s1 ready;s2 ready;");
    slots_forget(slots);
    model_show(&model, slots, true);
    RUNS("");
}
END_TEST

START_TEST(a_haproxy_that_came_back_empty_is_filled_again)
{
    want("a 80,b 81");
    run();
    slots_forget(slots);
    model_init(&model, 4, false);
    model_show(&model, slots, true);
    RUNS("s1 addr 10.0.0.1:80;s1 weight 1;s2 addr 10.0.0.1:81;s2 weight 1;s1 ready;s2 ready;");
}
END_TEST

/* Shows the rows with other names, as after a change of the configuration. */
static void show_renamed(const char *const *names, size_t count)
{
    model_init(&model, count, false);
    for (size_t i = 0; i < count; i++) {
        snprintf(model.names[i], sizeof(model.names[i]), "%s", names[i]);
    }
    slots_forget(slots);
    model_show(&model, slots, true);
}

START_TEST(a_haproxy_that_came_back_with_other_slots_is_filled_again)
{
    want("a 80,b 81,c 82");
    run();
    show_renamed((const char *const[]){"s2", "t1"}, 2);
    RUNS("s2 addr 10.0.0.1:80;s2 weight 1;t1 addr 10.0.0.1:81;t1 weight 1;s2 ready;t1 ready;");
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), -1);
    show_renamed(NULL, 0);
    RUNS("");
    ck_assert_uint_eq(slots_count_states(slots).waiting, 3);
    show_renamed((const char *const[]){"x", "y", "z", "w"}, 4);
    run();
    ck_assert_uint_eq(slots_count_states(slots).ready, 3);
}
END_TEST

START_TEST(rows_of_one_name_do_no_harm)
{
    want("a 80,b 81");
    run();
    struct slot_observed rows[] = {model.rows[0], model.rows[0], model.rows[1]};
    slots_forget(slots);
    slots_observe(slots, rows, 3, true);
    ck_assert_uint_eq(slots_count(slots), 2);
    ck_assert_int_eq(slots_find_endpoint(slots, "b"), 1);
    RUNS("");
}
END_TEST

START_TEST(slots_that_commands_cannot_wake_are_not_used)
{
    model.rows[0].admin |= SLOT_ADMIN_IMAINT;
    model.rows[1].admin |= SLOT_ADMIN_RMAINT;
    model_show(&model, slots, true);
    want("a 80");
    RUNS("s3 addr 10.0.0.1:80;s3 weight 1;s3 ready;");
}
END_TEST

START_TEST(nothing_is_sent_before_haproxy_is_known_or_without_it)
{
    slots_free(slots);
    slots = slots_new("web");
    want("a 80");
    RUNS("");
    model_show(&model, slots, true);
    slots_forget(slots);
    RUNS("");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_UNKNOWN);
}
END_TEST

START_TEST(a_task_known_to_be_over_is_out_after_a_reload)
{
    want("a 80,b 81");
    run();
    struct model before = model;
    want("a 80 gone,b 81");
    run();
    slots_forget(slots);
    model = before;
    for (size_t i = 0; i < model.count; i++) {
        model.rows[i].server = model.names[i];
    }
    model_show(&model, slots, true);
    ck_assert_uint_eq(slots_count_states(slots).orphans, 1);
    ck_assert_uint_eq(slots_release_revenants(slots), 1);
    RUNS("s1 maint;");
}
END_TEST

START_TEST(what_was_in_doubt_before_a_reload_is_in_doubt_after_it)
{
    want("a 80,b 81,c 82");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80");
    RUNS("");
    slots_forget(slots);
    model_show(&model, slots, true);
    want("a 80");
    ck_assert_uint_eq(slots_release_revenants(slots), 0);
    RUNS("");
    struct slots_counts counts = slots_count_states(slots);
    ck_assert_uint_eq(counts.orphans, 2);
    ck_assert_uint_eq(counts.served, 3);
    ck_assert_uint_eq(counts.wanted, 1);
    ck_assert_uint_eq(slots_release_orphans(slots, 1), 1);
    RUNS("s2 maint;");
}
END_TEST

START_TEST(an_orphan_that_drains_leaves_before_one_that_serves)
{
    want("a 80,b 81,c 82");
    run();
    want("a 80,b 81,c 82 drain");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("");
    struct slots_counts counts = slots_count_states(slots);
    ck_assert_uint_eq(counts.orphans, 3);
    ck_assert_uint_eq(counts.served, 2);
    ck_assert_uint_eq(slots_release_orphans(slots, 1), 1);
    RUNS("s3 maint;");
}
END_TEST

START_TEST(what_an_operator_drains_is_there_nevertheless)
{
    want("a 80,b 81");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("c 82 operator,d 83 operator,e 84");
    struct slots_counts counts = slots_count_states(slots);
    ck_assert_uint_eq(counts.orphans, 2);
    ck_assert_uint_eq(counts.served, 2);
    ck_assert_uint_eq(counts.wanted, 3);
}
END_TEST

/* ---- refusals ---- */

static void refuse_all(void)
{
    struct slots_options options = {0};
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        if (plan.commands[i].kind == SLOT_COMMAND_READ) {
            model_show(&model, slots, false);
        } else {
            slots_acknowledge(slots, &plan.commands[i], false);
        }
    }
    slot_plan_free(&plan);
}

START_TEST(a_refused_slot_is_read_before_it_is_used)
{
    want("a 80");
    refuse_all();
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_UNKNOWN);
    RUNS("read;s1 addr 10.0.0.1:80;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(a_slot_that_refuses_always_is_set_aside)
{
    want("a 80");
    for (int i = 0; i < 5; i++) {
        refuse_all();
    }
    RUNS("s2 addr 10.0.0.1:80;s2 weight 1;s2 ready;");
    ck_assert_uint_eq(slots_count_states(slots).unknown, 1);
}
END_TEST

/* Answers the one command that is planned. */
static void answer_one(enum slot_command_kind kind, bool ok)
{
    struct slots_options options = {0};
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 1);
    ck_assert_int_eq(plan.commands[0].kind, kind);
    slots_acknowledge(slots, &plan.commands[0], ok);
    slot_plan_free(&plan);
}

START_TEST(refusals_count_when_they_come_in_a_row)
{
    want("a 80 w1");
    run();
    for (int i = 0; i < 5; i++) {
        want(i % 2 ? "a 80 w1" : "a 80 w2");
        answer_one(SLOT_COMMAND_WEIGHT, false);
        RUNS(i % 2 ? "read;s1 weight 1;" : "read;s1 weight 2;");
    }
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
}
END_TEST

START_TEST(a_slot_set_aside_is_tried_again_later)
{
    start(1, false);
    want("a 80");
    for (int i = 0; i < 5; i++) {
        refuse_all();
    }
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), -1);
    ck_assert_uint_eq(slots_retry_aside(slots), 1);
    run();
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
    ck_assert_uint_eq(slots_retry_aside(slots), 0);
}
END_TEST

START_TEST(a_static_algorithm_costs_no_slot)
{
    struct slots_options options = {0};
    struct slot_plan plan = {0};
    for (size_t i = 0; i < model.count; i++) {
        model.rows[i].configured = 1;
    }
    model_show(&model, slots, true);
    want("a 80 w5");
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 2);
    model_apply(&model, &plan.commands[0]);
    slots_acknowledge(slots, &plan.commands[0], true);
    slots_fix_weights(slots);
    slots_acknowledge(slots, &plan.commands[1], true);
    slot_plan_free(&plan);
    RUNS("s1 ready;");
    want("a 80 w0,b 81 w7");
    RUNS("s2 addr 10.0.0.1:81;s2 weight 1;s1 weight 0;s2 ready;");
}
END_TEST

/* A slot that serves is taken out before it is left alone: its endpoint has another one, and may end. */
START_TEST(a_slot_set_aside_serves_no_more)
{
    start(2, false);
    want("a 80");
    run();
    want("a 80 w5");
    for (int i = 0; i < 3; i++) {
        answer_one(SLOT_COMMAND_WEIGHT, false);
        if (i < 2) {
            answer_plan(9);
        }
    }
    run();
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 1);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_UNKNOWN);
    ck_assert_uint_eq(model.rows[0].admin & SLOT_ADMIN_MAINT, SLOT_ADMIN_FMAINT);
    ck_assert_uint_eq(model_count_serving(&model), 1);
    slots_retry_aside(slots);
    run();
    all_sessions_are(0);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_FREE);
}
END_TEST

START_TEST(a_backend_that_cannot_be_read_rests_until_it_is_adopted_again)
{
    want("a 80");
    refuse_all();
    for (int i = 0; i < 3; i++) {
        answer_one(SLOT_COMMAND_READ, false);
    }
    RUNS("");
    model_show(&model, slots, true);
    RUNS("s1 addr 10.0.0.1:80;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(a_server_that_is_deleted_is_passed_over)
{
    want("a 80");
    refuse_all();
    struct slots_options options = {0};
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    slots_observe(slots, &model.rows[1], 3, false);
    slot_plan_free(&plan);
    RUNS("s2 addr 10.0.0.1:80;s2 weight 1;s2 ready;");
}
END_TEST

START_TEST(a_preview_is_the_plan)
{
    struct slots_options options = {0};
    struct slot_plan preview = {0};
    struct slot_plan plan = {0};
    want("a 80,b 81 w9");
    slots_preview(slots, &options, &preview);
    slots_preview(slots, &options, &preview);
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(preview.count, 2 * plan.count);
    for (size_t i = 0; i < plan.count; i++) {
        ck_assert_int_eq(preview.commands[i].kind, plan.commands[i].kind);
        ck_assert_uint_eq(preview.commands[i].slot, plan.commands[i].slot);
        ck_assert_uint_eq(preview.commands[i].value, plan.commands[i].value);
    }
    slot_plan_free(&preview);
    slots_preview(slots, &options, &preview);
    ck_assert_uint_eq(preview.count, 0);
    slot_plan_free(&preview);
    slot_plan_free(&plan);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots, with faults");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        a_late_address_is_read_until_it_is_there,
        an_address_that_never_comes_costs_the_slot,
        the_next_endpoint_does_not_meet_a_former_ones_late_address,
        an_address_may_come_after_the_connection_was_lost,
        a_restart_with_nothing_changed_sends_nothing,
        an_unclaimed_slot_serves_until_it_is_released,
        unclaimed_slots_that_drain_make_room,
        a_duplicate_of_what_serves_leaves_at_once,
        two_endpoints_at_one_address_have_two_slots,
        a_haproxy_that_came_back_empty_is_filled_again,
        a_haproxy_that_came_back_with_other_slots_is_filled_again,
        rows_of_one_name_do_no_harm,
        slots_that_commands_cannot_wake_are_not_used,
        nothing_is_sent_before_haproxy_is_known_or_without_it,
        a_task_known_to_be_over_is_out_after_a_reload,
        what_was_in_doubt_before_a_reload_is_in_doubt_after_it,
        an_orphan_that_drains_leaves_before_one_that_serves,
        what_an_operator_drains_is_there_nevertheless,
        a_refused_slot_is_read_before_it_is_used,
        a_slot_that_refuses_always_is_set_aside,
        refusals_count_when_they_come_in_a_row,
        a_slot_set_aside_is_tried_again_later,
        a_slot_set_aside_serves_no_more,
        a_static_algorithm_costs_no_slot,
        a_backend_that_cannot_be_read_rests_until_it_is_adopted_again,
        a_server_that_is_deleted_is_passed_over,
        a_preview_is_the_plan,
    };
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
