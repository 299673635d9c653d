/* SPDX-License-Identifier: MIT */
/* Servers beyond the provisioned slots: the very commands, and when. */
#include "model.h"
#include "suite.h"

static struct model model;
static struct slots *slots;

static void setup(void)
{
    model_init(&model, 2, false);
    model.grows = true;
    slots = slots_new("web");
    model_show(&model, slots, true);
}

static void teardown(void)
{
    slots_free(slots);
}

/* Endpoints a, b, c, ... at ports 1, 2, 3, ... */
static void want(size_t count)
{
    static char keys[26][2];
    struct slot_endpoint endpoints[26];
    for (size_t i = 0; i < count; i++) {
        keys[i][0] = (char)('a' + i);
        endpoints[i] =
            (struct slot_endpoint){.key = keys[i], .address = "10.0.0.1", .port = (uint16_t)(i + 1), .weight = 1};
    }
    slots_set_desired(slots, endpoints, count);
}

/* What is sent until nothing more is. */
static const char *run(void)
{
    static struct buf text;
    buf_clear(&text);
    model_run(&model, slots, &text);
    return buf_text(&text);
}

/* One plan as text, and nothing is answered. */
static const char *plan_alone(struct slot_plan *ret_plan)
{
    static struct buf text;
    struct slots_options options = model_options(&model);
    buf_clear(&text);
    *ret_plan = (struct slot_plan){0};
    slots_plan(slots, &options, ret_plan);
    for (size_t i = 0; i < ret_plan->count; i++) {
        const struct slot_command *command = &ret_plan->commands[i];
        const char *name = command->kind == SLOT_COMMAND_ADD      ? "add"
                           : command->kind == SLOT_COMMAND_ASK    ? "ask"
                           : command->kind == SLOT_COMMAND_DELETE ? "delete"
                           : command->kind == SLOT_COMMAND_READ   ? "read"
                                                                  : "other";
        buf_printf(&text, "%s %s;", command->server ? command->server : "", name);
    }
    return buf_text(&text);
}

static void refuse(const struct slot_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->commands[i].kind == SLOT_COMMAND_READ) {
            model_show(&model, slots, false);
        } else {
            slots_acknowledge(slots, &plan->commands[i], false);
        }
    }
}

static void no_sessions(void)
{
    struct slot_sessions rows[MODEL_SLOTS];
    for (size_t i = 0; i < model.count; i++) {
        rows[i] = (struct slot_sessions){model.names[i], 0};
    }
    (void)slots_take_sessions(slots, rows, model.count);
}

/* ---- negative cases first ---- */

START_TEST(names_of_others)
{
    static const char *const others[] = {"",         "slotd",    "slotd-",    "slotd-0",           "slotd-01",
                                         "slotd-1x", "slotd-+1", "slotd-257", "slotd-99999999999", "Slotd-1",
                                         "xslotd-1", "slotd--1", "s1"};
    char name[SLOTS_MAX_ADDED_NAME];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_msg(slots_find_added(others[i]) == 0, "%s", others[i]);
    }
    for (unsigned number = 1; number <= SLOTS_MAX_ADDED; number++) {
        slots_name_added(number, name);
        ck_assert_uint_eq(slots_find_added(name), number);
    }
}
END_TEST

START_TEST(none_without_options)
{
    model.grows = false;
    want(3);
    ck_assert_ptr_null(strstr(run(), " add;"));
    struct slots_growth growth = slots_get_growth(slots);
    ck_assert_uint_eq(growth.lacking, 1);
    ck_assert_uint_eq(growth.added, 0);
    ck_assert(!growth.limited && !growth.refused);
}
END_TEST

START_TEST(none_while_one_is_free_soon)
{
    want(2);
    run();
    struct slot_endpoint next[] = {{.key = "a", .gone = true},
                                   {.key = "b", .address = "10.0.0.1", .port = 2, .weight = 1},
                                   {.key = "c", .address = "10.0.0.1", .port = 3, .weight = 1}};
    slots_set_desired(slots, next, 3);
    ck_assert_str_eq(run(), "s1 maint;s1 addr 10.0.0.1:3;s1 weight 1;s1 ready;");
}
END_TEST

/* A refusal: tried again after 1 s, 2 s, ... 5 min, and never in between, whatever else is planned. */
START_TEST(refusals_are_rare)
{
    static const int64_t delays[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000};
    struct slot_plan plan;
    want(4);
    run();
    slots_forget(slots);
    model_init(&model, 2, false);
    model.grows = true;
    model_show(&model, slots, true);
    want(4);
    model.grows = false; /* the slots of the configuration are filled first */
    run();
    model.grows = true;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        ck_assert_str_eq(plan_alone(&plan), "slotd-1 add;");
        refuse(&plan);
        slot_plan_free(&plan);
        ck_assert(slots_get_growth(slots).refused);
        /* It is looked whether one of that name is there already. */
        ck_assert_str_eq(plan_alone(&plan), " read;");
        refuse(&plan);
        slot_plan_free(&plan);
        ck_assert_str_eq(plan_alone(&plan), "");
        ck_assert_int_eq(plan.again_ms, model.now_ms + delays[i]);
        model.now_ms = plan.again_ms - 1;
        slot_plan_free(&plan);
        ck_assert_str_eq(plan_alone(&plan), "");
        slot_plan_free(&plan);
        model.now_ms++;
    }
}
END_TEST

/* It says that it has added one, and shows none. */
START_TEST(one_that_never_appears)
{
    struct slot_plan plan;
    want(3);
    model.grows = false;
    run();
    model.grows = true;
    ck_assert_str_eq(plan_alone(&plan), "slotd-1 add;");
    slots_acknowledge(slots, &plan.commands[0], true);
    slot_plan_free(&plan);
    ck_assert_str_eq(plan_alone(&plan), " read;");
    model_show(&model, slots, false);
    slot_plan_free(&plan);
    ck_assert_str_eq(plan_alone(&plan), "");
    ck_assert_int_eq(plan.again_ms, model.now_ms + 1000);
    ck_assert(slots_get_growth(slots).refused);
    slot_plan_free(&plan);
}
END_TEST

/* A HAProxy with room for all of them, that does what it is told. */
struct many {
    struct slot_observed rows[SLOTS_MAX_ADDED];
    size_t count;
};

static void many_answer(struct many *many, const struct slot_command *command)
{
    if (command->kind == SLOT_COMMAND_READ) {
        slots_observe(slots, many->rows, many->count, false);
        return;
    }
    if (command->kind == SLOT_COMMAND_ADD) {
        ck_assert_uint_lt(many->count, SLOTS_MAX_ADDED);
        many->rows[many->count++] = (struct slot_observed){
            .server = command->server, .address = "0.0.0.0", .port = 1, .admin = SLOT_ADMIN_FMAINT, .added = true};
    }
    slots_acknowledge(slots, command, true);
}

START_TEST(limit)
{
    enum { ENDPOINTS = SLOTS_MAX_ADDED + 10 };
    static struct slot_endpoint endpoints[ENDPOINTS];
    static char keys[ENDPOINTS][8];
    static struct many many;
    struct slots_options options = model_options(&model);
    slots_observe(slots, NULL, 0, true);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%04zu", i);
        endpoints[i] =
            (struct slot_endpoint){.key = keys[i], .address = "10.0.0.1", .port = (uint16_t)(i + 1), .weight = 1};
    }
    slots_set_desired(slots, endpoints, ENDPOINTS);
    for (int round = 0; round < 100; round++) {
        struct slot_plan plan = {0};
        slots_plan(slots, &options, &plan);
        for (size_t i = 0; i < plan.count; i++) {
            many_answer(&many, &plan.commands[i]);
        }
        slot_plan_free(&plan);
    }
    ck_assert_uint_eq(many.count, SLOTS_MAX_ADDED);
    ck_assert_uint_eq(slots_count_states(slots).waiting, 10);
    ck_assert(slots_get_growth(slots).limited);
    ck_assert_uint_eq(slots_get_growth(slots).lacking, 10);
}
END_TEST

/* ---- what happens ---- */

START_TEST(one_alone_then_the_others)
{
    want(5);
    ck_assert_str_eq(run(), "s1 addr 10.0.0.1:1;s1 weight 1;s2 addr 10.0.0.1:2;s2 weight 1;slotd-1 add;"
                            "s1 ready;s2 ready;slotd-2 add;slotd-3 add;read;"
                            "slotd-1 addr 10.0.0.1:3;slotd-1 weight 1;"
                            "slotd-2 addr 10.0.0.1:4;slotd-2 weight 1;slotd-3 addr 10.0.0.1:5;slotd-3 weight 1;"
                            "slotd-1 ready;slotd-2 ready;slotd-3 ready;");
    struct slots_counts counts = slots_count_states(slots);
    ck_assert_uint_eq(counts.slots, 5);
    ck_assert_uint_eq(counts.added, 3);
    ck_assert_uint_eq(counts.ready, 5);
    ck_assert_uint_eq(counts.waiting, 0);
}
END_TEST

START_TEST(checks_are_switched_on)
{
    model.checked = true;
    want(3);
    ck_assert_ptr_nonnull(strstr(run(), "read;slotd-1 enable health;slotd-1 addr 10.0.0.1:3;slotd-1 check-port 0;"
                                        "slotd-1 weight 0;slotd-1 ready;slotd-1 health down;slotd-1 weight 1;"));
}
END_TEST

/* Ended between the addition and the use: the next one goes on where HAProxy is. */
START_TEST(another_life_goes_on)
{
    struct slot_plan plan;
    model.checked = true;
    want(3);
    plan_alone(&plan);
    for (size_t i = 0; i < plan.count; i++) {
        model_apply(&model, &plan.commands[i]);
    }
    slot_plan_free(&plan);
    slots_free(slots);
    slots = slots_new("web");
    model_show(&model, slots, true);
    want(3);
    ck_assert_str_eq(run(), "s1 ready;s2 ready;slotd-1 enable health;slotd-1 addr 10.0.0.1:3;slotd-1 check-port 0;"
                            "slotd-1 weight 0;slotd-1 ready;slotd-1 health down;slotd-1 weight 1;");
    ck_assert_uint_eq(model.count, 3);
}
END_TEST

/* Who is in one goes to a slot of the configuration when that is free, and serves there before it leaves. */
START_TEST(they_are_left_and_deleted)
{
    want(3);
    run();
    struct slot_endpoint next[] = {{.key = "a", .gone = true},
                                   {.key = "b", .address = "10.0.0.1", .port = 2, .weight = 1},
                                   {.key = "c", .address = "10.0.0.1", .port = 3, .weight = 1}};
    slots_set_desired(slots, next, 3);
    ck_assert_str_eq(run(), "s1 maint;");
    no_sessions();
    ck_assert_str_eq(run(), "s1 addr 10.0.0.1:3;s1 weight 1;s1 ready;slotd-1 maint;");
    ck_assert_str_eq(run(), "");
    model.now_ms += MODEL_SURPLUS_MS;
    ck_assert_str_eq(run(), ""); /* its sessions are not known to be over */
    no_sessions();
    ck_assert_str_eq(run(), "slotd-1 delete;");
    ck_assert_uint_eq(slots_get_growth(slots).added, 0);
    ck_assert_uint_eq(slots_count_states(slots).slots, 2);
}
END_TEST

START_TEST(not_at_once)
{
    struct slot_plan plan;
    want(3);
    run();
    want(2);
    run();
    no_sessions();
    plan_alone(&plan);
    ck_assert_uint_eq(plan.count, 0);
    ck_assert_int_eq(plan.again_ms, model.now_ms + MODEL_SURPLUS_MS);
    slot_plan_free(&plan);
    model.now_ms += MODEL_SURPLUS_MS - 1;
    ck_assert_str_eq(run(), "");
    want(3); /* needed again just before */
    ck_assert_ptr_null(strstr(run(), " add;"));
    want(2);
    run();
    no_sessions();
    model.now_ms += MODEL_SURPLUS_MS - 1;
    ck_assert_str_eq(run(), "");
}
END_TEST

/* Requests that wait for their next try are in no count of sessions, and HAProxy would use the server after its end. */
START_TEST(never_under_a_request_that_tries_again)
{
    struct slot_plan plan;
    struct slots_options options = {.now_ms = 0, .deletes_servers = true, .surplus_ms = 0};
    want(3);
    run();
    want(2);
    run();
    no_sessions();
    plan_alone(&plan);
    slot_plan_free(&plan);
    options.now_ms = model.now_ms + 9999;
    plan = (struct slot_plan){0};
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 0);
    ck_assert_int_eq(plan.again_ms, model.now_ms + 10000);
    options.now_ms++;
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 1);
    ck_assert_int_eq(plan.commands[0].kind, SLOT_COMMAND_DELETE);
    ck_assert_str_eq(plan.commands[0].server, "slotd-1");
    slot_plan_free(&plan);
}
END_TEST

/* A server that is free, and was for long enough. */
static void leave_one_over(void)
{
    struct slot_plan plan;
    want(3);
    run();
    want(2);
    run();
    no_sessions();
    plan_alone(&plan);
    slot_plan_free(&plan);
    model.now_ms += MODEL_SURPLUS_MS;
}

/* The one command that is due, and what becomes of it. */
static void answer(const char *due, bool ok)
{
    struct slot_plan plan;
    ck_assert_str_eq(plan_alone(&plan), due);
    slots_acknowledge(slots, &plan.commands[0], ok);
    slot_plan_free(&plan);
}

/* HAProxy is asked where it can tell, and nobody gets the server meanwhile. */
START_TEST(requests_are_asked_for_where_haproxy_tells_of_them)
{
    struct slot_plan plan;
    model.tells_requests = true;
    leave_one_over();
    answer("slotd-1 ask;", false); /* a request refers to it */
    want(3);
    ck_assert_ptr_nonnull(strstr(run(), "slotd-1 ready;"));
    leave_one_over();
    answer("slotd-1 ask;", true);
    want(3);
    ck_assert_str_eq(plan_alone(&plan), "slotd-1 delete;slotd-2 add;"); /* and not given away */
    slot_plan_free(&plan);
}
END_TEST

/* A connection came between: what was said is not believed twice. */
START_TEST(a_deletion_that_is_refused_is_asked_for_again)
{
    struct slot_plan plan;
    model.tells_requests = true;
    leave_one_over();
    answer("slotd-1 ask;", true);
    answer("slotd-1 delete;", false);
    no_sessions();
    ck_assert_str_eq(plan_alone(&plan), "");
    model.now_ms = plan.again_ms;
    slot_plan_free(&plan);
    ck_assert_str_eq(run(), "slotd-1 ask;slotd-1 delete;");
    ck_assert_uint_eq(slots_get_growth(slots).added, 0);
}
END_TEST

/* The answer was another process's. */
START_TEST(an_answer_does_not_outlive_the_connection)
{
    struct slot_plan plan;
    model.tells_requests = true;
    leave_one_over();
    answer("slotd-1 ask;", true);
    slots_forget(slots);
    model_show(&model, slots, true);
    no_sessions();
    ck_assert_ptr_null(strstr(plan_alone(&plan), "delete"));
    slot_plan_free(&plan);
}
END_TEST

/* Without a wait of its own: a backend that goes is not kept by its servers. */
START_TEST(what_haproxy_tells_takes_no_time)
{
    struct slot_plan plan = {0};
    struct slots_options options = {.now_ms = 0, .deletes_servers = true, .tells_requests = true, .surplus_ms = 0};
    want(3);
    run();
    want(2);
    run();
    no_sessions();
    options.now_ms = model.now_ms;
    slots_plan(slots, &options, &plan);
    ck_assert_uint_eq(plan.count, 1);
    ck_assert_int_eq(plan.commands[0].kind, SLOT_COMMAND_ASK);
    slot_plan_free(&plan);
}
END_TEST

/* An idle connection keeps it: tried again, seldomer and seldomer; it may be used meanwhile. */
START_TEST(deletion_is_refused)
{
    struct slot_plan plan;
    want(3);
    run();
    want(2);
    run();
    no_sessions();
    ck_assert_str_eq(run(), "");
    model.now_ms += MODEL_SURPLUS_MS;
    for (int64_t delay = 1000; delay < 9000; delay *= 2) {
        ck_assert_str_eq(plan_alone(&plan), "slotd-1 delete;");
        refuse(&plan);
        slot_plan_free(&plan);
        no_sessions();
        ck_assert_str_eq(plan_alone(&plan), "");
        ck_assert_int_eq(plan.again_ms, model.now_ms + delay);
        ck_assert_uint_eq(slots_get_growth(slots).undeletable, 1);
        model.now_ms = plan.again_ms;
        slot_plan_free(&plan);
    }
    want(3);
    ck_assert_ptr_nonnull(strstr(run(), "slotd-1 ready;"));
    ck_assert_uint_eq(slots_get_growth(slots).undeletable, 0);
}
END_TEST

/* A deleted one's place and name are used again. */
START_TEST(numbers_stay_small)
{
    for (int round = 0; round < 20; round++) {
        want(4);
        run();
        want(2);
        run();
        no_sessions();
        run();
        model.now_ms += MODEL_SURPLUS_MS;
        ck_assert_str_eq(run(), "slotd-1 delete;slotd-2 delete;");
    }
    ck_assert_uint_eq(model.count, 4);
    ck_assert_uint_eq(slots_count(slots), 4);
    ck_assert_uint_eq(slots_count_states(slots).slots, 2);
}
END_TEST

/* A reload has taken them: they are added again, and who was there waits no longer than that. */
START_TEST(a_reload_takes_them)
{
    want(4);
    run();
    slots_forget(slots);
    model.gone[2] = model.gone[3] = true;
    model_show(&model, slots, true);
    want(4);
    const char *sent = run();
    ck_assert_int_eq(strncmp(sent, "slotd-1 add;slotd-2 add;read;", 13), 0);
    ck_assert_uint_eq(slots_count_states(slots).ready, 4);
}
END_TEST

/* Another hand has deleted one. */
START_TEST(one_vanishes)
{
    want(3);
    run();
    model.gone[2] = true;
    ck_assert(model_compare(&model, slots).changed);
    ck_assert_ptr_nonnull(strstr(run(), "slotd-1 add;"));
    ck_assert_uint_eq(slots_count_states(slots).ready, 3);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("servers beyond the slots");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_of_others);
    tcase_add_test(tests, none_without_options);
    tcase_add_test(tests, none_while_one_is_free_soon);
    tcase_add_test(tests, refusals_are_rare);
    tcase_add_test(tests, one_that_never_appears);
    tcase_add_test(tests, limit);
    tcase_add_test(tests, one_alone_then_the_others);
    tcase_add_test(tests, checks_are_switched_on);
    tcase_add_test(tests, another_life_goes_on);
    tcase_add_test(tests, they_are_left_and_deleted);
    tcase_add_test(tests, not_at_once);
    tcase_add_test(tests, never_under_a_request_that_tries_again);
    tcase_add_test(tests, requests_are_asked_for_where_haproxy_tells_of_them);
    tcase_add_test(tests, a_deletion_that_is_refused_is_asked_for_again);
    tcase_add_test(tests, an_answer_does_not_outlive_the_connection);
    tcase_add_test(tests, what_haproxy_tells_takes_no_time);
    tcase_add_test(tests, deletion_is_refused);
    tcase_add_test(tests, numbers_stay_small);
    tcase_add_test(tests, a_reload_takes_them);
    tcase_add_test(tests, one_vanishes);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
