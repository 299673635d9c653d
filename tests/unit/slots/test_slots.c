/* SPDX-License-Identifier: MIT */
/* Who sits where, and which commands bring HAProxy there. */
#include "model.h"
#include "slotd/mem.h"
#include "suite.h"

static struct model model;
static struct slots *slots;
static struct buf text;

static void start(size_t count, bool is_late)
{
    slots_free(slots);
    model_init(&model, count, is_late);
    slots = slots_new("web");
    model_show(&model, slots, true);
}

static void setup(void)
{
    start(4, false);
}

static void teardown(void)
{
    slots_free(slots);
    slots = NULL;
    buf_free(&text);
}

/* Endpoints as "KEY PORT [WORD...]" separated by commas: words are drain, operator, gone, unresolved, wN for the
 * weight. */
static void want(const char *description)
{
    struct slot_endpoint endpoints[MODEL_SLOTS] = {0};
    static char keys[MODEL_SLOTS][16];
    cleanup_free char *copy = mem_strdup(description);
    char *rest = copy;
    size_t count = 0;
    for (char *part = strsep(&rest, ","); part && part[0]; part = strsep(&rest, ",")) {
        struct slot_endpoint *endpoint = &endpoints[count];
        unsigned port = 0;
        unsigned weight = 1;
        ck_assert_int_eq(sscanf(part, "%15s %u", keys[count], &port), 2);
        const char *labelled = strstr(part, " w");
        if (labelled) {
            sscanf(labelled, " w%u", &weight);
        }
        *endpoint = (struct slot_endpoint){
            .key = keys[count],
            .address = strstr(part, "unresolved") ? NULL : "10.0.0.1",
            .port = (uint16_t)port,
            .weight = (uint16_t)weight,
            .drain = strstr(part, "drain") != NULL,
            .operator_drain = strstr(part, "operator") != NULL,
            .gone = strstr(part, "gone") != NULL,
        };
        count++;
    }
    slots_set_desired(slots, endpoints, count);
}

static const char *run(void)
{
    buf_clear(&text);
    model_run(&model, slots, &text);
    return buf_text(&text);
}

#define RUNS(commands) ck_assert_str_eq(run(), commands)

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
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_FREE);
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
    ck_assert(slots_is_settled(slots));
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
        ck_assert(slots_is_settled(slots));
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

START_TEST(an_operator_drains_even_the_last_one)
{
    want("a 80");
    run();
    want("a 80 operator");
    RUNS("s1 drain;");
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
    ck_assert_uint_eq(slots_release_orphans(slots), 1);
    RUNS("s2 maint;");
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
    slots_release_orphans(slots);
    RUNS("s1 maint;");
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
    for (int i = 0; i < 50; i++) {
        refuse_all();
    }
    run();
    ck_assert_int_eq(slots_view(slots, 0).state, SLOT_READY);
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
    Suite *suite = suite_create("slots");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        a_new_endpoint_gets_address_weight_ready,
        late_addresses_are_read_back_before_ready,
        a_checked_slot_has_its_check_port_reset,
        a_weight_that_differs_is_set,
        a_task_that_is_over_leaves_at_once,
        freed_slots_are_reused_oldest_first,
        a_task_that_returns_gets_the_slot_that_has_its_address,
        what_vanishes_leaves_after_what_arrives,
        a_full_backend_makes_room_and_keeps_one_serving,
        what_does_not_fit_waits_in_order,
        a_draining_task_gives_its_slot_to_one_that_waits,
        a_full_backend_is_never_dark,
        a_task_that_returns_before_it_left_keeps_its_slot,
        an_unresolved_endpoint_waits_without_a_slot,
        an_address_that_changes_is_made_before_it_is_broken,
        a_late_address_is_read_until_it_is_there,
        an_address_that_never_comes_costs_the_slot,
        an_address_may_come_after_the_connection_was_lost,
        a_task_on_its_way_out_drains_and_comes_back,
        a_weight_of_0_serves_nobody_and_protects_no_drain,
        what_is_in_maint_is_never_drained,
        the_last_one_that_serves_is_not_drained,
        an_operator_drains_even_the_last_one,
        a_restart_with_nothing_changed_sends_nothing,
        an_unclaimed_slot_serves_until_it_is_released,
        a_duplicate_of_what_serves_leaves_at_once,
        two_endpoints_at_one_address_have_two_slots,
        a_haproxy_that_came_back_empty_is_filled_again,
        a_haproxy_that_came_back_with_other_slots_is_filled_again,
        rows_of_one_name_do_no_harm,
        slots_that_commands_cannot_wake_are_not_used,
        nothing_is_sent_before_haproxy_is_known_or_without_it,
        a_task_known_to_be_over_is_out_after_a_reload,
        a_refused_slot_is_read_before_it_is_used,
        a_slot_that_refuses_always_is_set_aside,
        refusals_count_when_they_come_in_a_row,
        a_slot_set_aside_is_tried_again_later,
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
