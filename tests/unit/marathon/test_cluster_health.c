/* SPDX-License-Identifier: MIT */
/* Results of Marathon's health checks: events and answers, and which of them is the newer. */
#include "cluster_fixture.h"

#define ONE "a.instance-1._app.1"
#define TWO "a.instance-2._app.1"
#define RELAUNCHED "a.instance-1._app.2"

static const struct cluster_config wanted = {
    .missing_confirmations = 2, .max_removal_percent = 50, .wants_health = true};
static const struct cluster_config unwanted = {.missing_confirmations = 2, .max_removal_percent = 50};

static void setup_wanted(void)
{
    cluster = cluster_new(&wanted);
}

/* App /a with so many checks. tasks is a list such as "a b", in which a! is listed with alive=false. */
static struct marathon_app *checked_app(size_t n_checks, const char *tasks)
{
    cleanup_free char *plain = mem_strdup(tasks);
    size_t len = 0;
    for (const char *c = tasks; *c; c++) {
        plain[len] = *c;
        len += *c != '!';
    }
    plain[len] = '\0';
    struct marathon_app *app = make_app("/a", "1", plain);
    app->n_health_checks = n_checks;
    for (size_t i = 0; i < app->n_tasks; i++) {
        cleanup_free char *marked = mem_printf("%s!", app->tasks[i]->id);
        app->tasks[i]->unhealthy = strstr(tasks, marked) != NULL;
    }
    return app;
}

static void list_checked(uint64_t stamp, const char *tasks)
{
    cluster_put_listed_app(cluster, stamp, checked_app(1, tasks));
}

static void answer_checked(const char *tasks)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    list_checked(stamp, tasks);
    (void)cluster_end_fetch(cluster, stamp);
}

static enum cluster_effect health(const char *instance, bool alive)
{
    cleanup_free char *json =
        mem_printf("{\"appId\":\"/a\",\"instanceId\":\"%s\",\"alive\":%s}", instance, alive ? "true" : "false");
    return apply("health_status_changed_event", json);
}

static enum cluster_effect failed_check(const char *instance)
{
    cleanup_free char *json = mem_printf("{\"appId\":\"/a\",\"taskId\":\"%s\"}", instance);
    return apply("failed_health_check_event", json);
}

/* The ids of the app's unhealthy tasks, without what they have in common. */
static const char *unhealthy(void)
{
    static struct buf text;
    struct cluster_view view;
    buf_clear(&text);
    bool known = cluster_get_app(cluster, "/a", &view);
    for (size_t i = 0; known && i < view.app->n_tasks; i++) {
        if (view.app->tasks[i]->unhealthy) {
            buf_printf(&text, "%s%s", text.len ? " " : "", view.app->tasks[i]->id);
        }
    }
    return buf_text(&text);
}

START_TEST(an_event_counts_at_once)
{
    answer_checked(ONE " " TWO);
    (void)count_dirty();
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_CHANGED);
    ck_assert_str_eq(unhealthy(), ONE);
    ck_assert_uint_eq(count_dirty(), 1);
    /* Each further failure says the same. */
    ck_assert_int_eq(failed_check("a.instance-1"), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(health("a.instance-1", true), CLUSTER_CHANGED);
    ck_assert_str_eq(unhealthy(), "");
    ck_assert_uint_eq(count_dirty(), 1);
    ck_assert_int_eq(health("a.instance-1", true), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(failed_check("a.instance-2"), CLUSTER_CHANGED);
    ck_assert_str_eq(unhealthy(), TWO);
}
END_TEST

START_TEST(an_older_version_names_the_task)
{
    answer_checked("old.1 old.10");
    ck_assert_int_eq(failed_check("old.1"), CLUSTER_CHANGED);
    ck_assert_str_eq(unhealthy(), "old.1");
}
END_TEST

START_TEST(an_answer_tells_of_every_task)
{
    answer_checked(ONE "! " TWO);
    ck_assert_str_eq(unhealthy(), ONE);
    (void)count_dirty();
    answer_checked(ONE "! " TWO);
    ck_assert_uint_eq(count_dirty(), 0);
    answer_checked(ONE " " TWO "!");
    ck_assert_str_eq(unhealthy(), TWO);
    ck_assert_uint_eq(count_dirty(), 1);
    /* After a re-election no result is known: nothing is unhealthy. */
    answer_checked(ONE " " TWO);
    ck_assert_str_eq(unhealthy(), "");
    ck_assert_uint_eq(count_dirty(), 1);
}
END_TEST

START_TEST(an_answer_sent_before_the_event_is_older)
{
    answer_checked(ONE " " TWO "!");
    uint64_t stamp = cluster_begin_fetch(cluster);
    uint64_t single = cluster_begin_single(cluster);
    health("a.instance-1", false);
    health("a.instance-2", true);
    cluster_put_single_app(cluster, single, checked_app(1, ONE " " TWO "!"));
    list_checked(stamp, ONE " " TWO "!");
    (void)cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(unhealthy(), ONE);
    answer_checked(ONE " " TWO "!");
    ck_assert_str_eq(unhealthy(), TWO);
}
END_TEST

/* Its state may be known by a newer event than its health. */
START_TEST(health_and_state_are_told_apart)
{
    answer_checked(ONE);
    uint64_t stamp = cluster_begin_fetch(cluster);
    status("/a", ONE, "1", "KILLING");
    list_checked(stamp, ONE "!");
    (void)cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), ONE ":killing");
    ck_assert_str_eq(unhealthy(), ONE);
    stamp = cluster_begin_fetch(cluster);
    health("a.instance-1", true);
    list_checked(stamp, ONE "!");
    (void)cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), ONE);
    ck_assert_str_eq(unhealthy(), "");
}
END_TEST

START_TEST(a_task_that_an_answer_under_way_will_list)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_NO_EFFECT);
    health("a.instance-2", true);
    list_checked(stamp, ONE " " TWO "!");
    ck_assert_str_eq(unhealthy(), ONE);
    ck_assert_str_eq(believed("/a"), ONE " " TWO);
    (void)cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(unhealthy(), ONE);
    answer_checked(ONE " " TWO "!");
    ck_assert_str_eq(unhealthy(), TWO);
}
END_TEST

/* What is remembered of an instance's end and of its health does not replace one another. */
START_TEST(an_end_and_a_result_are_remembered_side_by_side)
{
    static const char killed[] = "{\"instanceId\":\"a.instance-1\",\"runSpecId\":\"/a\",\"condition\":\"Killed\"}";
    uint64_t stamp = cluster_begin_fetch(cluster);
    apply("instance_changed_event", killed);
    failed_check("a.instance-1");
    list_checked(stamp, ONE " " TWO);
    (void)cluster_end_fetch(cluster, stamp);
    ck_assert_str_eq(believed("/a"), ONE ":terminal " TWO);
}
END_TEST

START_TEST(a_relaunched_task_begins_anew)
{
    answer_checked(ONE "! " TWO);
    status("/a", ONE, "1", "KILLED");
    status("/a", RELAUNCHED, "1", "RUNNING");
    answer_checked(RELAUNCHED " " TWO);
    ck_assert_str_eq(unhealthy(), "");
    health("a.instance-1", false);
    ck_assert_str_eq(unhealthy(), RELAUNCHED);
}
END_TEST

/* Which of them has passed is not told: the app is asked about, and drains on until the answer. */
START_TEST(one_of_several_checks_passes)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    cluster_put_listed_app(cluster, stamp, checked_app(2, ONE " " TWO));
    (void)cluster_end_fetch(cluster, stamp);
    ck_assert_int_ne(health("a.instance-1", true), CLUSTER_FETCH_APP);
    ck_assert(!cluster_wants_app(cluster, "/a"));
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_CHANGED);
    uint64_t older = cluster_begin_single(cluster);
    ck_assert_int_eq(health("a.instance-1", true), CLUSTER_FETCH_APP);
    ck_assert_str_eq(unhealthy(), ONE);
    cluster_put_single_app(cluster, older, checked_app(2, ONE " " TWO));
    ck_assert_str_eq(unhealthy(), ONE);
    ck_assert(cluster_wants_app(cluster, "/a"));
    cluster_put_single_app(cluster, cluster_begin_single(cluster), checked_app(2, ONE "! " TWO));
    ck_assert_str_eq(unhealthy(), ONE);
    ck_assert(!cluster_wants_app(cluster, "/a"));
    ck_assert_int_eq(health("a.instance-1", true), CLUSTER_FETCH_APP);
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_CHANGED);
    ck_assert(!cluster_wants_app(cluster, "/a"));
    ck_assert_int_eq(health("a.instance-1", true), CLUSTER_FETCH_APP);
    cluster_put_single_app(cluster, cluster_begin_single(cluster), checked_app(2, ONE " " TWO));
    ck_assert_str_eq(unhealthy(), "");
}
END_TEST

START_TEST(one_of_several_checks_passes_before_the_task_is_known)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    health("a.instance-1", true);
    cluster_put_listed_app(cluster, stamp, checked_app(2, ONE "!"));
    ck_assert_str_eq(unhealthy(), ONE);
    ck_assert(cluster_wants_app(cluster, "/a"));
}
END_TEST

START_TEST(results_of_nobody_are_no_matter)
{
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_NO_EFFECT);
    answer_checked(ONE);
    (void)count_dirty();
    ck_assert_int_eq(health("a.instance-7", false), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(health("a.instance-", false), CLUSTER_NO_EFFECT);
    status("/a", ONE, "1", "KILLED");
    (void)count_dirty();
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_NO_EFFECT);
    ck_assert_uint_eq(count_dirty(), 0);
    ck_assert_str_eq(unhealthy(), "");
}
END_TEST

/* With the option off no result is kept, and none makes an app dirty. */
START_TEST(results_that_nobody_wants_change_nothing)
{
    cluster_configure(cluster, &unwanted);
    answer_checked(ONE "! " TWO);
    (void)count_dirty();
    answer_checked(ONE " " TWO "!");
    ck_assert_int_eq(health("a.instance-1", false), CLUSTER_NO_EFFECT);
    ck_assert_int_eq(failed_check("a.instance-2"), CLUSTER_NO_EFFECT);
    ck_assert_uint_eq(count_dirty(), 0);
    ck_assert_str_eq(unhealthy(), "");
    /* Wanted from now on: what an answer says then. */
    cluster_configure(cluster, &wanted);
    ck_assert_str_eq(unhealthy(), "");
    answer_checked(ONE "! " TWO);
    ck_assert_str_eq(unhealthy(), ONE);
    health("a.instance-1", false);
    cluster_configure(cluster, &unwanted);
    ck_assert_str_eq(unhealthy(), "");
    cluster_configure(cluster, &wanted);
    answer_checked(ONE " " TWO "!");
    ck_assert_str_eq(unhealthy(), TWO);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster_health");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        an_event_counts_at_once,
        an_older_version_names_the_task,
        an_answer_tells_of_every_task,
        an_answer_sent_before_the_event_is_older,
        health_and_state_are_told_apart,
        a_task_that_an_answer_under_way_will_list,
        an_end_and_a_result_are_remembered_side_by_side,
        a_relaunched_task_begins_anew,
        one_of_several_checks_passes,
        one_of_several_checks_passes_before_the_task_is_known,
        results_of_nobody_are_no_matter,
        results_that_nobody_wants_change_nothing,
    };
    tcase_add_checked_fixture(tests, setup_wanted, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
