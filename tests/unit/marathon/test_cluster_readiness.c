/* SPDX-License-Identifier: MIT */
/* What the store knows of a task's start, so that its readiness can be judged (mapping.md). */
#include "cluster_fixture.h"

static void setup_checked(void)
{
    cluster = cluster_new(
        &(struct cluster_config){.missing_confirmations = 2, .max_removal_percent = 50, .wants_results = true});
}

/* The answer for app /a alone or in a complete one: it has readiness checks, and these deployments. */
static struct marathon_app *checked_app(const char *version, const char *tasks, const char *deployments)
{
    struct marathon_app *app = make_app("/a", version, tasks);
    cleanup_free char *json = mem_printf(
        "{\"id\":\"/a\",\"version\":\"%s\",\"readinessChecks\":[{}],\"deployments\":[%s]}", version, deployments);
    struct marathon_app *checked = NULL;
    ck_assert_int_eq(marathon_app_parse(json, strlen(json), &checked, NULL, NULL), 0);
    free(checked->tasks);
    checked->tasks = app->tasks;
    checked->n_tasks = app->n_tasks;
    app->tasks = NULL;
    app->n_tasks = 0;
    marathon_app_free(app);
    return checked;
}

static void answer_checked(const char *tasks, const char *deployments)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    cluster_put_listed_app(cluster, stamp, checked_app("1", tasks, deployments));
    (void)cluster_end_fetch(cluster, stamp);
}

#define FIRST "{\"id\":\"d1\"}"
#define SECOND "{\"id\":\"d2\"}"

START_TEST(test_tasks_of_answers_have_no_start)
{
    answer_checked("old", FIRST);
    ck_assert_int_eq(cluster_task_standing(cluster, "old"), CLUSTER_TASK_LISTED);
    ck_assert_int_eq(cluster_task_standing(cluster, "nobody"), CLUSTER_TASK_LISTED);
    /* Another word of a running task is no start. */
    ck_assert_int_ne(status("/a", "old", "1", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_int_eq(cluster_task_standing(cluster, "old"), CLUSTER_TASK_LISTED);
    status("/a", "old", "1", "UNREACHABLE");
    status("/a", "old", "1", "RUNNING");
    ck_assert_int_eq(cluster_task_standing(cluster, "old"), CLUSTER_TASK_LISTED);
}
END_TEST

START_TEST(test_a_start_is_asked_about)
{
    answer_checked("old", "");
    uint64_t older = cluster_begin_fetch(cluster);
    ck_assert_int_eq(status("/a", "new", "1", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_UNLISTED);
    ck_assert(cluster_wants_app(cluster, "/a"));
    /* A request sent before the start knows nothing of it. */
    cluster_put_listed_app(cluster, older, checked_app("1", "old new", ""));
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_UNLISTED);
    count_dirty();
    cluster_put_single_app(cluster, cluster_begin_single(cluster), checked_app("1", "old new", FIRST));
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_FRESH);
    ck_assert(!cluster_wants_app(cluster, "/a"));
    ck_assert_uint_eq(count_dirty(), 1);
}
END_TEST

START_TEST(test_a_start_after_staging)
{
    answer_checked("new:STAGING", FIRST);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_LISTED);
    ck_assert_int_eq(status("/a", "new", "1", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_UNLISTED);
    answer_checked("new", FIRST);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_FRESH);
}
END_TEST

/* It waits for its result as long as that deployment runs, and is one of many in the next one. */
START_TEST(test_an_answer_is_faster_than_the_event)
{
    answer_checked("new:STAGING", FIRST);
    answer_checked("new", FIRST);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_FRESH);
    ck_assert_int_ne(status("/a", "new", "1", "RUNNING"), CLUSTER_FETCH_APP);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_FRESH);
    answer_checked("new", SECOND);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_LISTED);
}
END_TEST

START_TEST(test_a_deployment_ends)
{
    answer_checked("old", FIRST);
    status("/a", "new", "1", "RUNNING");
    answer_checked("old new", FIRST);
    answer_checked("old new", FIRST);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_FRESH);
    count_dirty();
    answer_checked("old new", SECOND);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_LISTED);
    ck_assert_uint_eq(count_dirty(), 1);
    answer_checked("old new", "");
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_LISTED);
}
END_TEST

START_TEST(test_a_start_without_a_deployment)
{
    answer_checked("old", "");
    status("/a", "new", "1", "RUNNING");
    answer_checked("old new", "");
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_LISTED);
    answer_checked("old new", FIRST);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_LISTED);
}
END_TEST

static void post_checked(const char *version)
{
    cleanup_free char *json =
        mem_printf("{\"eventType\":\"api_post_event\",\"appDefinition\":{\"id\":\"/a\",\"version\":\"%s\","
                   "\"readinessChecks\":[{}]}}",
                   version);
    apply("api_post_event", json);
}

/* What is posted is a deployment, though no event tells of one: nobody gets ready by it. */
START_TEST(test_a_posted_definition_is_a_deployment)
{
    struct cluster_view view;
    answer_checked("old", "");
    post_checked("2");
    status("/a", "new", "2", "RUNNING");
    ck_assert(cluster_get_app(cluster, "/a", &view));
    ck_assert_str_eq(view.app->version, "2");
    ck_assert_uint_eq(view.app->n_deployments, 1);
    ck_assert_uint_eq(view.app->deployments_mark, 0);
}
END_TEST

START_TEST(test_a_posted_definition_keeps_what_is_known_of_readiness)
{
    struct cluster_view view;
    answer_checked("old", FIRST);
    status("/a", "first", "1", "RUNNING");
    struct marathon_app *app = checked_app("1", "old first", FIRST);
    free(app->readiness);
    app->readiness = mem_alloc_array(1, sizeof(*app->readiness));
    app->readiness[app->n_readiness++] = (struct marathon_readiness){.task_id = mem_strdup("first"), .ready = false};
    cluster_put_single_app(cluster, cluster_begin_single(cluster), app);
    post_checked("2");
    status("/a", "new", "2", "RUNNING");
    ck_assert(cluster_get_app(cluster, "/a", &view));
    ck_assert_str_eq(view.app->version, "2");
    ck_assert_uint_eq(view.app->n_deployments, 1);
    ck_assert_uint_eq(view.app->n_readiness, 1);
    ck_assert_int_eq(cluster_task_standing(cluster, "first"), CLUSTER_TASK_FRESH);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_UNLISTED);
    /* An answer tells better. */
    cluster_put_single_app(cluster, cluster_begin_single(cluster), checked_app("2", "old first new", ""));
    ck_assert(cluster_get_app(cluster, "/a", &view));
    ck_assert_uint_eq(view.app->n_deployments, 0);
    ck_assert_uint_eq(view.app->n_readiness, 0);
}
END_TEST

/* Its definition is too old, what it tells of deployments is not. */
START_TEST(test_an_answer_from_before_a_post_tells_of_deployments)
{
    struct cluster_view view;
    answer_checked("old", "");
    status("/a", "first", "1", "RUNNING");
    uint64_t stamp = cluster_begin_single(cluster);
    post_checked("2");
    status("/a", "new", "2", "RUNNING");
    while (cluster_next_dirty(cluster, &view)) {
        ck_assert(view.app);
    }
    cluster_put_single_app(cluster, stamp, checked_app("1", "old first", FIRST));
    ck_assert(cluster_next_dirty(cluster, &view));
    ck_assert_str_eq(view.app->version, "2");
    ck_assert_uint_eq(view.app->n_deployments, 1);
    ck_assert_int_eq(cluster_task_standing(cluster, "first"), CLUSTER_TASK_FRESH);
    ck_assert_int_eq(cluster_task_standing(cluster, "old"), CLUSTER_TASK_LISTED);
    ck_assert_int_eq(cluster_task_standing(cluster, "new"), CLUSTER_TASK_UNLISTED);
}
END_TEST

START_TEST(test_apps_without_checks_are_not_asked_about)
{
    answer("/a", "1", "old");
    ck_assert_int_ne(status("/a", "new", "1", "RUNNING"), CLUSTER_FETCH_APP);
}
END_TEST

START_TEST(test_results_that_nobody_wants_are_not_asked_for)
{
    answer_checked("old", FIRST);
    cluster_configure(cluster, &(struct cluster_config){.missing_confirmations = 2, .max_removal_percent = 50});
    ck_assert_int_ne(status("/a", "new", "1", "RUNNING"), CLUSTER_FETCH_APP);
}
END_TEST

static Suite *cluster_readiness_suite(void)
{
    Suite *suite = suite_create("cluster_readiness");
    TCase *tests = tcase_create("starts");
    tcase_add_checked_fixture(tests, setup_checked, teardown);
    tcase_add_test(tests, test_tasks_of_answers_have_no_start);
    tcase_add_test(tests, test_a_start_is_asked_about);
    tcase_add_test(tests, test_a_start_after_staging);
    tcase_add_test(tests, test_an_answer_is_faster_than_the_event);
    tcase_add_test(tests, test_a_deployment_ends);
    tcase_add_test(tests, test_a_start_without_a_deployment);
    tcase_add_test(tests, test_a_posted_definition_is_a_deployment);
    tcase_add_test(tests, test_a_posted_definition_keeps_what_is_known_of_readiness);
    tcase_add_test(tests, test_an_answer_from_before_a_post_tells_of_deployments);
    tcase_add_test(tests, test_apps_without_checks_are_not_asked_about);
    tcase_add_test(tests, test_results_that_nobody_wants_are_not_asked_for);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(cluster_readiness_suite)
