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
        an_unresolved_endpoint_waits_without_a_slot,
        an_address_that_changes_is_made_before_it_is_broken,
        a_task_on_its_way_out_drains_and_comes_back,
        the_last_one_that_serves_is_not_drained,
        an_operator_drains_even_the_last_one,
        a_restart_with_nothing_changed_sends_nothing,
        an_unclaimed_slot_serves_until_it_is_released,
        a_duplicate_of_what_serves_leaves_at_once,
        two_endpoints_at_one_address_have_two_slots,
        a_haproxy_that_came_back_empty_is_filled_again,
        a_task_known_to_be_over_is_out_after_a_reload,
        a_refused_slot_is_read_before_it_is_used,
        a_slot_that_refuses_always_is_set_aside,
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
