/* SPDX-License-Identifier: MIT */
/* Who sits where, and which commands bring HAProxy there. */
#include <time.h>

#include "slots_fixture.h"

/* ---- assignment ---- */

START_TEST(a_new_endpoint_gets_address_weight_ready)
{
    want("a 80 w7");
    RUNS("s1 addr 10.0.0.1:80;s1 weight 7;s1 ready;");
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
}
END_TEST

START_TEST(late_addresses_are_read_back_before_ready)
{
    start(2, true);
    want("a 80,b 81");
    RUNS("s1 addr 10.0.0.1:80;s1 weight 1;s2 addr 10.0.0.1:81;s2 weight 1;read;s1 ready;s2 ready;");
}
END_TEST

START_TEST(a_checked_slot_has_its_check_port_reset)
{
    model.rows[0].checked = true;
    model.rows[0].check_port = 9000;
    model_show(&model, slots, true);
    want("a 80");
    RUNS("s1 addr 10.0.0.1:80;s1 check-port 0;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(a_weight_that_differs_is_set)
{
    want("a 80");
    run();
    want("a 80 w3");
    RUNS("s1 weight 3;");
    want("a 80 w0");
    RUNS("s1 weight 0;");
}
END_TEST

START_TEST(a_task_that_is_over_leaves_at_once)
{
    want("a 80,b 81");
    run();
    want("a 80 gone,b 81");
    RUNS("s1 maint;");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), -1);
}
END_TEST

START_TEST(what_leaves_goes_on_when_nothing_is_wanted)
{
    want("a 80");
    run();
    want("");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_LEAVING);
    want("");
    RUNS("s1 maint;");
}
END_TEST

START_TEST(freed_slots_are_reused_oldest_first)
{
    want("a 80,b 81,c 82,d 83");
    run();
    want("a 80,b 81 gone,c 82,d 83");
    run();
    want("a 80 gone,c 82,d 83");
    run();
    want("c 82,d 83,e 84");
    RUNS("s2 addr 10.0.0.1:84;s2 weight 1;s2 ready;");
    want("c 82,d 83,e 84,f 85");
    RUNS("s1 addr 10.0.0.1:85;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(a_task_that_returns_gets_the_slot_that_has_its_address)
{
    want("a 80,b 81");
    run();
    want("a 80 gone,b 81");
    run();
    want("a 80,b 81");
    RUNS("s1 ready;");
}
END_TEST

START_TEST(what_vanishes_leaves_after_what_arrives)
{
    want("a 80,b 81");
    run();
    want("c 82,d 83");
    RUNS("s3 addr 10.0.0.1:82;s3 weight 1;s4 addr 10.0.0.1:83;s4 weight 1;s3 ready;s4 ready;s1 maint;s2 maint;");
}
END_TEST

START_TEST(a_full_backend_makes_room_and_keeps_one_serving)
{
    start(2, true);
    want("a 80,b 81");
    run();
    want("c 82,d 83");
    RUNS("s1 maint;s1 addr 10.0.0.1:82;s1 weight 1;read;s1 ready;s2 maint;s2 addr 10.0.0.1:83;s2 weight 1;read;s2 "
         "ready;");
}
END_TEST

START_TEST(one_that_is_only_kept_stays_and_gets_nothing_new)
{
    want("a 80,b 81 kept");
    RUNS("s1 addr 10.0.0.1:80;s1 weight 1;s1 ready;");
    ck_assert_int_eq(slots_find_endpoint(slots, "b"), -1);
    ck_assert_uint_eq(slots_count_states(slots).waiting, 0);
    want("a 80 kept,b 81");
    RUNS("s2 addr 10.0.0.1:81;s2 weight 1;s2 ready;");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
    /* After a restart of ours what serves its address is its own. */
    slots_free(slots);
    slots = slots_new("web");
    want("a 80 kept,b 81 kept,c 82 kept");
    model_show(&model, slots, true);
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), -1);
    want("b 81 kept");
    RUNS("s1 maint;");
    /* A slot at rest is not taken again for it. */
    want("a 80 kept,b 81");
    RUNS("");
}
END_TEST

START_TEST(one_that_is_only_kept_does_not_inherit_from_one_that_is_over)
{
    want("a 80,b 81");
    run();
    want("a 80,b 81,c 80 kept");
    RUNS("");
    want("a 80 gone,b 81,c 80 kept");
    RUNS("s1 maint;");
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), -1);
    want("b 81,c 80");
    RUNS("s1 ready;");
    /* Under another key it is the same task: it may have served. */
    want("b 81,d 80 kept");
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "d"), 0);
}
END_TEST

START_TEST(what_does_not_fit_waits_in_order)
{
    start(2, false);
    want("a 80,b 81,c 82");
    run();
    ck_assert_uint_eq(slots_count_states(slots).waiting, 1);
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), -1);
    want("a 80,aa 79,b 81,c 82");
    RUNS("");
    want("a 80 gone,aa 79,b 81,c 82");
    RUNS("s1 maint;s1 addr 10.0.0.1:82;s1 weight 1;s1 ready;");
    ck_assert(model_is_at_rest(&model, slots));
}
END_TEST

/* With one that waits, each answer once looked at every slot: 1.5 s for 10,000 of them. */
START_TEST(an_overfull_backend_costs_no_more_for_each_answer)
{
    static struct slot_observed rows[20000];
    static struct slot_endpoint endpoints[20001];
    static char names[20001][16];
    struct slots_options options = {0};
    struct slot_plan plan = {0};
    for (size_t i = 0; i <= 20000; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "s%05zu", i);
        endpoints[i] =
            (struct slot_endpoint){.key = names[i], .address = "10.0.0.1", .port = (uint16_t)(i + 1), .weight = 1};
        if (i < 20000) {
            rows[i] = (struct slot_observed){.server = names[i], .address = "0.0.0.0", .port = 1, .admin = 5};
        }
    }
    slots_observe(slots, rows, 20000, true);
    slots_set_desired(slots, endpoints, 20001);
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 40000);
    clock_t began = clock();
    for (size_t i = 0; i < plan.count; i++) {
        slots_acknowledge(slots, &plan.commands[i], true);
    }
    ck_assert_int_lt((clock() - began) * 1000 / CLOCKS_PER_SEC, 400);
    slot_plan_free(&plan);
}
END_TEST

START_TEST(a_draining_task_gives_its_slot_to_one_that_waits)
{
    start(2, false);
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81");
    RUNS("s1 drain;");
    want("a 80 drain,b 81,c 82");
    RUNS("s1 maint;s1 addr 10.0.0.1:82;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(the_last_one_that_could_serve_again_does)
{
    start(3, false);
    want("a 80,b 81,c 82");
    run();
    want("a 80 drain,b 81 drain,c 82");
    RUNS("s1 drain;s2 drain;");
    want("a 80 drain,b 81 drain,c 82 gone,d 83,e 84,f 85");
    RUNS("s3 maint;s1 maint;s2 ready;s1 addr 10.0.0.1:83;s1 weight 1;s3 addr 10.0.0.1:84;s3 weight 1;s1 ready;s3 ready;"
         "s2 maint;s2 addr 10.0.0.1:85;s2 weight 1;s2 ready;");
}
END_TEST

/* However much is exchanged at once, something serves at every moment. */
static void check_never_dark(size_t count, const char *before, const char *after)
{
    for (int is_late = 0; is_late <= 1; is_late++) {
        start(count, is_late);
        want(before);
        run();
        model.least_serving = SIZE_MAX;
        want(after);
        run();
        ck_assert_msg(model.least_serving > 0, "%s to %s: nothing served after %s", before, after, buf_text(&text));
        ck_assert(model_is_at_rest(&model, slots));
    }
}

START_TEST(a_full_backend_is_never_dark)
{
    check_never_dark(2, "a 80,b 81", "a 80 drain,b 81 drain,c 82,d 83");
    check_never_dark(3, "a 80,b 81,c 82", "a 80 drain,d 83,e 84,f 85");
    check_never_dark(2, "a 80,b 81", "a 80 gone,c 82,d 83");
    check_never_dark(3, "a 80,b 81,c 82", "a 80 gone,b 81 gone,d 83,e 84,f 85");
    check_never_dark(3, "a 80,b 81,c 82", "a 80 gone,b 81 drain,d 83,e 84,f 85");
    check_never_dark(2, "a 80,b 81", "a 80 operator,c 82,d 83");
    check_never_dark(4, "a 80,b 81,c 82,d 83", "e 84,f 85,g 86,h 87");
}
END_TEST

START_TEST(a_task_that_returns_before_it_left_keeps_its_slot)
{
    want("a 80,b 81");
    run();
    want("b 81");
    want("a 80,b 81");
    RUNS("");
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 0);
}
END_TEST

START_TEST(an_unresolved_endpoint_waits_without_a_slot)
{
    want("a 80 unresolved");
    RUNS("");
    ck_assert_uint_eq(slots_count_states(slots).unresolved, 1);
    want("a 80");
    run();
    want("a 80 unresolved");
    RUNS("");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
}
END_TEST

START_TEST(an_address_that_changes_is_made_before_it_is_broken)
{
    want("a 80");
    run();
    want("a 90");
    RUNS("s2 addr 10.0.0.1:90;s2 weight 1;s2 ready;s1 maint;");
    start(1, false);
    want("a 80");
    run();
    want("a 90");
    RUNS("s1 maint;s1 addr 10.0.0.1:90;s1 weight 1;s1 ready;");
}
END_TEST

/* Half of what serves at most is on its way at a time, and a free slot is taken by one of them. */
START_TEST(addresses_that_all_change_are_exchanged_step_by_step)
{
    check_never_dark(2, "a 80,b 81", "a 90,b 91");
    check_never_dark(3, "a 80,b 81,c 82", "a 90,b 91,c 92,d 83");
    check_never_dark(4, "a 80,b 81,c 82 drain,d 83", "a 90 drain,b 91,c 92,d 93");
    for (size_t count = 4; count <= 5; count++) {
        start(count, true);
        want("a 80,b 81,c 82,d 83");
        run();
        model.least_serving = SIZE_MAX;
        want("a 90,b 91,c 92,d 93");
        run();
        ck_assert_uint_ge(model.least_serving, 2);
        ck_assert_uint_eq(slots_count_states(slots).ready, 4);
        all_sessions_are(0);
        ck_assert_uint_eq(slots_count_states(slots).free, count - 4);
    }
}
END_TEST

/* All of them serve as long as nobody else does; then they move. */
static void check_drains_never_dark(size_t count, const char *before, const char *drains, const char *after)
{
    for (int is_late = 0; is_late <= 1; is_late++) {
        start(count, is_late);
        want(before);
        run();
        want(drains);
        run();
        model.least_serving = SIZE_MAX;
        want(after);
        run();
        ck_assert_msg(model.least_serving > 0, "%s to %s: nothing served after %s", drains, after, buf_text(&text));
        ck_assert(model_is_at_rest(&model, slots));
    }
}

START_TEST(what_drains_and_moves_comes_back_before_the_last_one_moves)
{
    check_drains_never_dark(2, "a 80,b 81", "a 80 drain,b 81 drain", "a 81 drain,b 80 drain");
    check_drains_never_dark(3, "a 80,b 81,c 82", "a 80 drain,b 81 drain,c 82 drain",
                            "a 90 drain,b 91 drain,c 92 drain");
    /* One that rests and moves, too. */
    check_drains_never_dark(2, "a 80,b 81", "a 80,b 81 drain", "a 90 drain,b 91 drain");
}
END_TEST

START_TEST(what_drains_comes_back_before_the_last_one_goes)
{
    const char *const after[] = {"a 90,b 81 drain", "b 81 drain"};
    for (size_t i = 0; i < 2 * 2; i++) {
        start(2, i % 2);
        want("a 80,b 81");
        run();
        want("a 80,b 81 drain");
        run();
        model.least_serving = SIZE_MAX;
        want(after[i / 2]);
        run();
        ck_assert_msg(model.least_serving > 0, "%s: nothing served after %s", after[i / 2], buf_text(&text));
        ck_assert(model_is_at_rest(&model, slots));
    }
}
END_TEST

/* ---- draining ---- */

START_TEST(a_task_on_its_way_out_drains_and_comes_back)
{
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81");
    RUNS("s1 drain;");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_DRAINING);
    want("a 80,b 81");
    RUNS("s1 ready;");
}
END_TEST

START_TEST(the_last_one_that_serves_is_not_drained)
{
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81 drain");
    RUNS("");
    want("a 80 drain,b 81 drain,c 82");
    RUNS("s3 addr 10.0.0.1:82;s3 weight 1;s3 ready;s1 drain;s2 drain;");
    want("a 80 drain,b 81 drain,c 82 gone");
    RUNS("s3 maint;s1 ready;s2 ready;");
}
END_TEST

/* It may end at any moment, so that a request sent to it again could meet its end. */
START_TEST(what_drains_serves_again_only_when_nothing_else_does)
{
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81");
    RUNS("s1 drain;");
    want("a 80 drain,b 81 drain");
    RUNS("");
    want("a 80 drain,b 81 drain,c 82");
    RUNS("s3 addr 10.0.0.1:82;s3 weight 1;s3 ready;s2 drain;");
    want("a 80 drain,b 81 drain,c 82 drain");
    RUNS("");
    want("a 80 drain,b 81 drain,c 82 gone");
    RUNS("s3 maint;s1 ready;s2 ready;");
}
END_TEST

static bool sessions_are(int64_t first, int64_t second)
{
    const struct slot_sessions rows[] = {{"s1", first}, {"other", 9}, {"s2", second}};
    return slots_take_sessions(slots, rows, 3);
}

START_TEST(an_operator_s_drain_ends_with_the_last_session)
{
    want("a 80,b 81");
    run();
    ck_assert(!slots_await_sessions(slots));
    want("a 80 operator,b 81");
    /* Asked for before the drain: nothing is known by that. */
    ck_assert(!sessions_are(0, 0));
    RUNS("s1 drain;");
    ck_assert(slots_await_sessions(slots));
    ck_assert(!sessions_are(2, 0));
    ck_assert_int_eq(slots_view(slots, 0).sessions, 2);
    RUNS("");
    ck_assert(sessions_are(0, 5));
    RUNS("s1 maint;");
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_HELD);
    ck_assert_str_eq(slots_view(slots, 0).endpoint, "a");
    ck_assert_uint_eq(slots_count_states(slots).held, 1);
    ck_assert(!slots_await_sessions(slots));
    want("a 80,b 81");
    RUNS("s1 ready;");
    want("a 80 operator,b 81");
    RUNS("s1 drain;");
}
END_TEST

START_TEST(an_operator_s_drain_ends_when_its_time_is_over)
{
    want("a 80,b 81");
    run();
    want("a 80 operator,b 81 operator");
    RUNS("s1 drain;s2 drain;");
    ck_assert(!sessions_are(3, 4));
    want("a 80 operator over,b 81 operator");
    RUNS("s1 maint;");
    /* What is left of its sessions is of interest still. */
    ck_assert(slots_await_sessions(slots));
    want("a 80 operator over,b 81 operator over,c 82 operator over");
    RUNS("s2 maint;");
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), -1);
    want("b 81 operator over");
    all_sessions_are(0);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_FREE);
}
END_TEST

START_TEST(a_weight_of_0_serves_nobody_and_protects_no_drain)
{
    want("a 80 w9,b 81 w0");
    run();
    want("a 80 w9 drain,b 81 w0");
    RUNS("");
    want("a 80 w9 drain,b 81 w2");
    RUNS("s2 weight 2;s1 drain;");
}
END_TEST

START_TEST(what_is_in_maint_is_never_drained)
{
    want("a 80 drain,b 81");
    RUNS("s1 addr 10.0.0.1:81;s1 weight 1;s1 ready;");
    want("a 80,b 81");
    struct slots_options options = {0};
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    want("a 80 operator,b 81");
    for (size_t i = 0; i < plan.count; i++) {
        model_apply(&model, &plan.commands[i]);
        slots_acknowledge(slots, &plan.commands[i], true);
    }
    slot_plan_free(&plan);
    RUNS("");
    ck_assert_uint_eq(model.rows[1].admin & SLOT_ADMIN_MAINT, SLOT_ADMIN_FMAINT);
}
END_TEST

/* Also where a former run of the program has put it: that the task is over is a statement, and no doubt. */
START_TEST(an_orphan_whose_task_is_over_leaves_at_once)
{
    want("a 80,b 81");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("b 81,x 80 gone");
    RUNS("s1 maint;");
    ck_assert_int_eq(slots_view(slots, 1).state, SLOT_READY);
}
END_TEST

/* The slot that it had before it moved waits for its turn no longer. */
START_TEST(a_task_that_is_over_leaves_its_former_slot_too)
{
    want("a 80");
    run();
    want("a 90");
    struct slots_options options = model_options(&model);
    struct slot_plan plan = {0};
    slots_plan(slots, &options, &plan);
    ck_assert_int_eq(slots_find_endpoint(slots, "a"), 1);
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_LEAVING);
    slot_plan_free(&plan);
    want("a 90 gone,b 81");
    slots_plan(slots, &options, &plan);
    ck_assert_int_eq(plan.commands[0].kind, SLOT_COMMAND_MAINT);
    ck_assert_uint_eq(plan.commands[0].slot, 0);
    slot_plan_free(&plan);
}
END_TEST

/* A program that has begun anew hears of a change and of its end before it may send anything. */
START_TEST(what_comes_and_goes_before_the_first_plan_moves_nobody)
{
    start(2, false);
    want("a 80,b 81");
    run();
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80 drain,b 81,c 82");
    want("a 80,b 81,c 82");
    RUNS("");
    want("a 80 drain,b 81,c 82");
    RUNS("s1 maint;s1 addr 10.0.0.1:82;s1 weight 1;s1 ready;");
}
END_TEST

START_TEST(an_address_that_changes_and_returns_before_the_first_plan_moves_nobody)
{
    start(3, false);
    want("a 80,b 81");
    run();
    slots_forget(slots);
    model_show(&model, slots, true);
    want("a 90,b 81");
    want("a 80,b 81");
    RUNS("");
}
END_TEST

/* Its slot has its address, and the connection was lost before it was made ready. */
START_TEST(one_that_is_only_kept_by_now_is_not_made_ready_at_an_observation)
{
    start(2, false);
    want("a 80");
    run();
    want("");
    run();
    slots_forget(slots);
    want("a 80");
    model_show(&model, slots, true);
    want("a 80 kept");
    RUNS("");
    want("a 80");
    RUNS("s1 ready;");
}
END_TEST

/* The other one would drain there in its turn, and the two would change places for ever. */
START_TEST(a_slot_that_an_operator_drains_is_not_taken_over)
{
    start(2, false);
    want("a 80,b 81,c 82");
    run();
    slots_set_closed(slots, 0, true);
    want("a 80 operator,b 81,c 82");
    RUNS("s1 drain;");
    slots_set_closed(slots, 0, false);
    want("a 80 operator,b 81,c 82");
    RUNS("s1 maint;s1 addr 10.0.0.1:82;s1 weight 1;s1 ready;");
}
END_TEST

/* Nor given to anybody while another one is free. */
START_TEST(a_slot_that_an_operator_drains_is_the_last_choice)
{
    start(3, false);
    slots_set_closed(slots, 0, true);
    want("a 80");
    RUNS("s2 addr 10.0.0.1:80;s2 weight 1;s2 ready;");
    slots_forget(slots);
    model_show(&model, slots, true);
    want("a 80,b 81");
    RUNS("s3 addr 10.0.0.1:81;s3 weight 1;s3 ready;");
    want("a 80,b 81,c 82");
    ck_assert_int_eq(slots_find_endpoint(slots, "c"), 0);
}
END_TEST

START_TEST(an_operator_drains_even_the_last_one)
{
    want("a 80");
    run();
    want("a 80 operator");
    RUNS("s1 drain;");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        a_new_endpoint_gets_address_weight_ready,
        late_addresses_are_read_back_before_ready,
        a_checked_slot_has_its_check_port_reset,
        a_weight_that_differs_is_set,
        a_task_that_is_over_leaves_at_once,
        what_leaves_goes_on_when_nothing_is_wanted,
        freed_slots_are_reused_oldest_first,
        a_task_that_returns_gets_the_slot_that_has_its_address,
        what_vanishes_leaves_after_what_arrives,
        a_full_backend_makes_room_and_keeps_one_serving,
        one_that_is_only_kept_stays_and_gets_nothing_new,
        one_that_is_only_kept_does_not_inherit_from_one_that_is_over,
        what_does_not_fit_waits_in_order,
        an_overfull_backend_costs_no_more_for_each_answer,
        a_draining_task_gives_its_slot_to_one_that_waits,
        the_last_one_that_could_serve_again_does,
        a_full_backend_is_never_dark,
        a_task_that_returns_before_it_left_keeps_its_slot,
        an_unresolved_endpoint_waits_without_a_slot,
        an_address_that_changes_is_made_before_it_is_broken,
        addresses_that_all_change_are_exchanged_step_by_step,
        what_drains_and_moves_comes_back_before_the_last_one_moves,
        what_drains_comes_back_before_the_last_one_goes,
        a_task_on_its_way_out_drains_and_comes_back,
        the_last_one_that_serves_is_not_drained,
        what_drains_serves_again_only_when_nothing_else_does,
        an_operator_s_drain_ends_with_the_last_session,
        an_operator_s_drain_ends_when_its_time_is_over,
        a_weight_of_0_serves_nobody_and_protects_no_drain,
        what_is_in_maint_is_never_drained,
        an_orphan_whose_task_is_over_leaves_at_once,
        a_task_that_is_over_leaves_its_former_slot_too,
        what_comes_and_goes_before_the_first_plan_moves_nobody,
        an_address_that_changes_and_returns_before_the_first_plan_moves_nobody,
        one_that_is_only_kept_by_now_is_not_made_ready_at_an_observation,
        a_slot_that_an_operator_drains_is_not_taken_over,
        a_slot_that_an_operator_drains_is_the_last_choice,
        an_operator_drains_even_the_last_one,
    };
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
