/* SPDX-License-Identifier: MIT */
/* Health checks: who takes traffic before its first good one, and who may go while others are down. */
#include "slots_fixture.h"

static void setup_checked(void)
{
    setup();
    for (size_t i = 0; i < model.count; i++) {
        model.rows[i].checked = true;
    }
    model_show(&model, slots, true);
}

/* HAProxy's check of a slot has that result, and its health is read. */
static void check_is(size_t place, bool passes)
{
    model_check(&model, place, passes);
    (void)slots_compare(slots, model.rows, model.count);
}

static enum slot_state state_of(size_t place)
{
    return slots_view(slots, place).state;
}

/* ---- checked start ---- */

START_TEST(with_no_other_up_it_starts_at_once)
{
    want("a 80 w7,b 81");
    RUNS("s1 addr 10.0.0.1:80;s1 check-port 0;s1 weight 7;s2 addr 10.0.0.1:81;s2 check-port 0;s2 weight 1;s1 ready;s2 "
         "ready;");
    ck_assert_int_eq(state_of(0), SLOT_READY);
    ck_assert(!slots_await_health(slots));
}
END_TEST

START_TEST(with_others_up_it_waits_for_its_first_good_check)
{
    want("a 80");
    run();
    want("a 80,b 81 w3");
    RUNS("s2 addr 10.0.0.1:81;s2 check-port 0;s2 weight 0;s2 ready;s2 health down;s2 weight 3;");
    ck_assert_int_eq(state_of(1), SLOT_STARTING);
    ck_assert(slots_await_health(slots));
    check_is(1, true);
    ck_assert_int_eq(state_of(1), SLOT_READY);
    ck_assert(!slots_await_health(slots));
    RUNS("");
}
END_TEST

/* A connection that was lost between `health down` and its answer leaves one that waits for its check and does not look
 * like it. While nothing else is up it is asked about: who comes next is to wait for a check when it is up. */
START_TEST(one_that_is_down_is_asked_about_while_nothing_is_up)
{
    want("a 80,b 81");
    run();
    check_is(0, false);
    ck_assert(!slots_await_health(slots));
    check_is(1, false);
    ck_assert(slots_await_health(slots));
    slots_forget(slots);
    model_show(&model, slots, true);
    ck_assert(slots_await_health(slots));
    check_is(0, true);
    ck_assert(!slots_await_health(slots));
    want("a 80,b 81,c 82");
    RUNS("s3 addr 10.0.0.1:82;s3 check-port 0;s3 weight 0;s3 ready;s3 health down;s3 weight 1;");
}
END_TEST

START_TEST(it_can_be_switched_off)
{
    struct slots_options options = model_options(&model);
    struct slot_plan plan = {0};
    options.checked_start = false;
    want("a 80");
    run();
    want("a 80,b 81 w3");
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 3);
    ck_assert_int_eq(plan.commands[2].kind, SLOT_COMMAND_WEIGHT);
    ck_assert_uint_eq(plan.commands[2].value, 3);
    slot_plan_free(&plan);
}
END_TEST

START_TEST(late_addresses_are_read_back_first)
{
    model.is_late = true;
    want("a 80");
    run();
    want("a 80,b 81");
    RUNS("s2 addr 10.0.0.1:81;s2 check-port 0;s2 weight 0;read;s2 ready;s2 health down;s2 weight 1;");
}
END_TEST

START_TEST(out_of_a_drain_its_health_is_known)
{
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81");
    RUNS("read;s1 drain;");
    want("a 80,b 81");
    RUNS("s1 ready;");
    ck_assert_int_eq(state_of(0), SLOT_READY);
    /* Out of maint it is not. */
    want("a 80 operator over,b 81");
    RUNS("s1 maint;");
    want("a 80,b 81");
    RUNS("s1 weight 0;s1 ready;s1 health down;s1 weight 1;");
}
END_TEST

/* It is as one without a check. */
START_TEST(one_that_takes_no_word_about_its_health_serves_at_once)
{
    struct slots_options options = model_options(&model);
    struct slot_plan plan = {0};
    want("a 80");
    run();
    want("a 80,b 81");
    for (int round = 0; round < 3; round++) {
        plan.count = 0;
        slots_plan(slots, &options, &plan);
        for (size_t i = 0; i < plan.count; i++) {
            bool ok = plan.commands[i].kind != SLOT_COMMAND_HEALTH_DOWN;
            if (ok) {
                model_apply(&model, &plan.commands[i]);
            }
            slots_acknowledge(slots, &plan.commands[i], ok);
        }
    }
    slot_plan_free(&plan);
    ck_assert_int_eq(state_of(1), SLOT_READY);
    ck_assert_uint_eq(model.rows[1].weight, 1);
    RUNS("");
    want("a 80 drain,b 81");
    RUNS("read;s1 drain;");
}
END_TEST

/* Without checks `health down` would be for ever, and a check port is refused. */
START_TEST(one_whose_checks_are_off_serves_at_once)
{
    model.rows[1].check_off = true;
    model_show(&model, slots, true);
    want("a 80");
    run();
    want("a 80,b 81 w3");
    RUNS("s2 addr 10.0.0.1:81;s2 weight 3;s2 ready;");
    ck_assert_int_eq(state_of(1), SLOT_READY);
}
END_TEST

START_TEST(one_whose_checks_are_switched_off_meanwhile_serves_then)
{
    want("a 80");
    run();
    want("a 80,b 81");
    run();
    model.rows[1].check_off = true;
    ck_assert(slots_compare(slots, model.rows, model.count).changed);
    RUNS("s2 health up;");
    ck_assert_int_eq(state_of(1), SLOT_READY);
    /* Before its next task it is known. */
    want("a 80,b 81 gone");
    run();
    ck_assert(!slots_compare(slots, model.rows, model.count).changed);
    want("a 80,c 82,d 83,e 84");
    RUNS("s2 addr 10.0.0.1:84;s2 weight 1;s3 addr 10.0.0.1:82;s3 check-port 0;s3 weight 0;s4 addr 10.0.0.1:83;s4 "
         "check-port 0;s4 weight 0;s2 ready;s3 ready;s3 health down;s3 weight 1;s4 ready;s4 health down;s4 weight 1;");
}
END_TEST

/* `init-state down` of a rendered configuration: with nothing else up, it starts at once all the same. */
START_TEST(one_that_haproxy_starts_down_is_put_up_when_nothing_else_is)
{
    model.starts_down = true;
    want("a 80");
    RUNS("s1 addr 10.0.0.1:80;s1 check-port 0;s1 weight 1;s1 ready;read;s1 health up;");
    ck_assert_int_eq(state_of(0), SLOT_READY);
    want("a 80,b 81");
    RUNS("s2 addr 10.0.0.1:81;s2 check-port 0;s2 weight 0;s2 ready;s2 health down;s2 weight 1;read;");
    ck_assert_int_eq(state_of(1), SLOT_STARTING);
}
END_TEST

/* ---- the last one that is up ---- */

static void one_starts_beside(const char *first, const char *second)
{
    want(first);
    run();
    cleanup_free char *both = mem_printf("%s,%s", first, second);
    want(both);
    run();
    ck_assert_int_eq(state_of(1), SLOT_STARTING);
}

START_TEST(the_last_one_up_is_not_drained)
{
    one_starts_beside("a 80", "b 81");
    want("a 80 drain,b 81");
    RUNS("read;");
    ck_assert(slots_await_health(slots));
    check_is(1, true);
    RUNS("s1 drain;");
    /* It is over when its task is; what is up by then stays. */
    want("a 80 gone,b 81");
    RUNS("s1 maint;");
    ck_assert(!slots_await_health(slots));
}
END_TEST

START_TEST(an_operator_drains_it_and_the_other_starts_at_once)
{
    one_starts_beside("a 80", "b 81");
    want("a 80 operator,b 81");
    RUNS("s1 drain;s2 health up;");
    ck_assert_int_eq(state_of(1), SLOT_READY);
}
END_TEST

START_TEST(when_it_is_gone_the_other_starts_at_once)
{
    one_starts_beside("a 80", "b 81");
    want("a 80 gone,b 81");
    RUNS("s1 maint;s2 health up;");
    /* What a check has had down is not put up: it was no start. */
    check_is(1, false);
    ck_assert_int_eq(state_of(1), SLOT_DOWN);
    RUNS("");
}
END_TEST

START_TEST(a_start_goes_on_after_a_drain)
{
    one_starts_beside("a 80", "b 81");
    want("a 80,b 81 operator");
    RUNS("s2 drain;");
    model_show(&model, slots, false);
    slots_forget(slots);
    model_show(&model, slots, true);
    want("a 80,b 81");
    RUNS("s2 ready;");
    ck_assert_int_eq(state_of(1), SLOT_STARTING);
    want("a 80 gone,b 81");
    RUNS("s1 maint;s2 health up;");
}
END_TEST

START_TEST(what_vanishes_leaves_after_the_other_was_put_up)
{
    one_starts_beside("a 80", "b 81");
    want("b 81");
    RUNS("read;s2 health up;s1 maint;");
}
END_TEST

/* Which are up is read before one is drained: checks may have taken the others down since. */
START_TEST(health_is_read_before_a_drain)
{
    want("a 80,b 81");
    run();
    model_check(&model, 1, false);
    want("a 80 drain,b 81");
    RUNS("read;");
    ck_assert_int_eq(state_of(0), SLOT_READY);
    ck_assert_int_eq(state_of(1), SLOT_DOWN);
    ck_assert_int_eq(slots_find_endpoint(slots, "b"), 1);
}
END_TEST

/* `http-check disable-on-404`: a server that says it is about to stop gets no new session, only what a cookie sends. */
START_TEST(one_that_is_stopping_by_its_check_is_not_up)
{
    want("a 80,b 81");
    run();
    model.rows[1].op_state = 3;
    want("a 80 drain,b 81");
    RUNS("read;");
    ck_assert_int_eq(state_of(0), SLOT_READY);
    ck_assert_int_eq(state_of(1), SLOT_DOWN);
    check_is(1, true);
    RUNS("s1 drain;");
}
END_TEST

START_TEST(what_drains_comes_back_when_checks_take_the_others_down)
{
    want("a 80,b 81");
    run();
    want("a 80 drain,b 81");
    RUNS("read;s1 drain;");
    ck_assert(slots_await_health(slots));
    check_is(1, false);
    RUNS("s1 ready;");
    check_is(1, true);
    RUNS("s1 drain;");
    /* With both down, the one whose check passes first serves. */
    check_is(0, false);
    check_is(1, false);
    RUNS("s1 ready;");
    check_is(0, true);
    ck_assert_int_eq(state_of(0), SLOT_READY);
    RUNS("");
}
END_TEST

START_TEST(one_that_is_down_holds_nobody)
{
    want("a 80,b 81,c 82");
    run();
    check_is(0, false);
    /* It leaves without a word about the others, and those that vanish do not wait for it. */
    want("b 81,c 82");
    RUNS("s1 maint;");
    check_is(1, false);
    want("b 81");
    RUNS("read;s3 maint;");
}
END_TEST

/* ---- the rest ---- */

START_TEST(the_check_port_follows_the_endpoint)
{
    struct slot_endpoint endpoint = {.key = "a", .address = "10.0.0.1", .port = 80, .weight = 1, .check_port = 9000};
    slots_set_desired(slots, &endpoint, 1);
    RUNS("s1 addr 10.0.0.1:80;s1 check-port 9000;s1 weight 1;s1 ready;");
    endpoint.check_port = 9001;
    slots_set_desired(slots, &endpoint, 1);
    RUNS("s1 check-port 9001;");
    /* Found in a slot that is adopted, a stale one is corrected. */
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80");
    RUNS("s1 check-port 0;");
}
END_TEST

START_TEST(adoption_shows_who_is_down_and_sends_nothing)
{
    want("a 80,b 81");
    run();
    model_check(&model, 0, false);
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want("a 80,b 81");
    RUNS("");
    ck_assert_int_eq(state_of(0), SLOT_DOWN);
    ck_assert_uint_eq(slots_count_states(slots).down, 1);
    ck_assert(!slots_await_health(slots));
}
END_TEST

/* Its start is not over when the connection is lost. */
START_TEST(a_start_goes_on_after_a_reconnect)
{
    one_starts_beside("a 80", "b 81");
    slots_forget(slots);
    model_show(&model, slots, true);
    want("a 80,b 81");
    ck_assert_int_eq(state_of(1), SLOT_STARTING);
    want("a 80 gone,b 81");
    RUNS("s1 maint;s2 health up;");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots and health");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        with_no_other_up_it_starts_at_once,
        with_others_up_it_waits_for_its_first_good_check,
        one_that_is_down_is_asked_about_while_nothing_is_up,
        it_can_be_switched_off,
        late_addresses_are_read_back_first,
        out_of_a_drain_its_health_is_known,
        one_that_takes_no_word_about_its_health_serves_at_once,
        one_whose_checks_are_off_serves_at_once,
        one_whose_checks_are_switched_off_meanwhile_serves_then,
        one_that_haproxy_starts_down_is_put_up_when_nothing_else_is,
        the_last_one_up_is_not_drained,
        an_operator_drains_it_and_the_other_starts_at_once,
        when_it_is_gone_the_other_starts_at_once,
        a_start_goes_on_after_a_drain,
        what_vanishes_leaves_after_the_other_was_put_up,
        health_is_read_before_a_drain,
        one_that_is_stopping_by_its_check_is_not_up,
        what_drains_comes_back_when_checks_take_the_others_down,
        one_that_is_down_holds_nobody,
        the_check_port_follows_the_endpoint,
        adoption_shows_who_is_down_and_sends_nothing,
        a_start_goes_on_after_a_reconnect,
    };
    tcase_add_checked_fixture(tests, setup_checked, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
