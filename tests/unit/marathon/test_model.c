/* SPDX-License-Identifier: MIT */
/* Apps and tasks as values: ids, states, labels, copies. */
#include "slotd/marathon.h"
#include "slotd/mem.h"

#include <string.h>

#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INSTANCE "net_cni.instance-35c966d0-e6d5-11f1-b63d-02fc00000001"

START_TEST(other_tasks_are_not_of_the_instance)
{
    static const char *const others[] = {
        "",
        INSTANCE,
        INSTANCE ".",
        INSTANCE "._",
        INSTANCE "._.1",
        INSTANCE "._app.",
        INSTANCE "._app.x",
        INSTANCE "._app.1x",
        INSTANCE "._app.1.2",
        INSTANCE "0._app.1",
        INSTANCE ".0._app.1",
        INSTANCE "._app.instance-1._app.1",
        "x" INSTANCE "._app.1",
        "net_cni.instance-35c966d0._app.1",
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        ck_assert_msg(!marathon_task_is_of_instance(others[i], INSTANCE), "%s", others[i]);
    }
    ck_assert(!marathon_task_is_of_instance("._app.1", ""));
    ck_assert(!marathon_task_is_of_instance("", ""));
}
END_TEST

START_TEST(tasks_are_of_their_instance)
{
    ck_assert(marathon_task_is_of_instance(INSTANCE "._app.1", INSTANCE));
    ck_assert(marathon_task_is_of_instance(INSTANCE "._app.27", INSTANCE));
    ck_assert(marathon_task_is_of_instance("pods_one.instance-1.side-car.1", "pods_one.instance-1"));
    ck_assert(marathon_task_is_of_instance(INSTANCE "._app", INSTANCE));
}
END_TEST

START_TEST(states_have_names)
{
    static const char *const terminal[] = {"TASK_UNKNOWN",          "TASK_LOST",     "TASK_GONE",
                                           "TASK_GONE_BY_OPERATOR", "TASK_DROPPED",  "TASK_ERROR",
                                           "TASK_FAILED",           "TASK_FINISHED", "TASK_KILLED"};
    static const char *const unknown[] = {"", "RUNNING", "task_running", "TASK_RUNNING ", "TASK_", "Running"};
    for (size_t i = 0; i < COUNT(terminal); i++) {
        ck_assert_msg(marathon_task_state_parse(terminal[i]) == MARATHON_TASK_TERMINAL, "%s", terminal[i]);
    }
    for (size_t i = 0; i < COUNT(unknown); i++) {
        ck_assert_msg(marathon_task_state_parse(unknown[i]) == MARATHON_TASK_OTHER, "%s", unknown[i]);
    }
    ck_assert_int_eq(marathon_task_state_parse("TASK_STAGING"), MARATHON_TASK_STAGING);
    ck_assert_int_eq(marathon_task_state_parse("TASK_STARTING"), MARATHON_TASK_STARTING);
    ck_assert_int_eq(marathon_task_state_parse("TASK_RUNNING"), MARATHON_TASK_RUNNING);
    ck_assert_int_eq(marathon_task_state_parse("TASK_KILLING"), MARATHON_TASK_KILLING);
    ck_assert_int_eq(marathon_task_state_parse("TASK_UNREACHABLE"), MARATHON_TASK_UNREACHABLE);
}
END_TEST

START_TEST(states_are_shown_in_short)
{
    static const char *const names[] = {"other",   "staging",     "starting", "running",
                                        "killing", "unreachable", "terminal"};
    for (size_t i = 0; i < COUNT(names); i++) {
        ck_assert_str_eq(marathon_task_state_text((enum marathon_task_state)i), names[i]);
    }
}
END_TEST

static struct marathon_app *parse(const char *json)
{
    struct marathon_app *app = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(marathon_app_parse(json, strlen(json), &app, NULL, &why) == 0, "%s", buf_text(&why));
    return app;
}

START_TEST(labels_are_found)
{
    struct marathon_app *app = parse("{\"id\":\"/a\",\"labels\":{\"c\":\"3\",\"a\":\"1\",\"b\":\"\",\"aa\":\"2\"}}");
    ck_assert_str_eq(marathon_app_label(app, "a"), "1");
    ck_assert_str_eq(marathon_app_label(app, "aa"), "2");
    ck_assert_str_eq(marathon_app_label(app, "b"), "");
    ck_assert_str_eq(marathon_app_label(app, "c"), "3");
    ck_assert_ptr_null(marathon_app_label(app, ""));
    ck_assert_ptr_null(marathon_app_label(app, "A"));
    ck_assert_ptr_null(marathon_app_label(app, "d"));
    marathon_app_free(app);
    app = parse("{\"id\":\"/a\"}");
    ck_assert_ptr_null(marathon_app_label(app, "a"));
    marathon_app_free(app);
}
END_TEST

START_TEST(a_definition_is_copied_without_tasks)
{
    struct marathon_app *app = parse(
        "{\"id\":\"/a\",\"version\":\"v\",\"labels\":{\"k\":\"l\"},\"networks\":[{\"mode\":\"host\"}],\"instances\":7,"
        "\"portDefinitions\":[{\"port\":1,\"name\":\"d\"}],\"container\":{\"portMappings\":[{\"containerPort\":2,"
        "\"hostPort\":0}]},"
        "\"ipAddress\":{\"discovery\":{\"ports\":[{\"number\":3,\"name\":\"n\"}]}},\"constraints\":[[\"a\",\"b\"]],"
        "\"readinessChecks\":[{\"timeoutSeconds\":4}],\"readinessCheckResults\":[{\"taskId\":\"t\",\"ready\":true}],"
        "\"deployments\":[{\"id\":\"x\"}],\"tasks\":[{\"id\":\"t\"}]}");
    struct marathon_app *copy = marathon_app_copy_definition(app);
    marathon_app_free(app);
    ck_assert_str_eq(copy->id, "/a");
    ck_assert_str_eq(copy->version, "v");
    ck_assert_str_eq(marathon_app_label(copy, "k"), "l");
    ck_assert(copy->has_networks && copy->has_ip_address && copy->network == MARATHON_NETWORK_HOST);
    ck_assert_str_eq(copy->port_definitions[0].name, "d");
    ck_assert(copy->port_mappings[0].port == 2 && copy->port_mappings[0].has_host_port);
    ck_assert_str_eq(copy->discovery_ports[0].name, "n");
    ck_assert_str_eq(copy->constraints[0], "a:b");
    ck_assert_str_eq(copy->readiness[0].task_id, "t");
    ck_assert(copy->n_readiness_checks == 1 && copy->readiness_timeout_s == 4 && copy->n_deployments == 1);
    ck_assert_int_eq(copy->instances, 7);
    ck_assert_uint_eq(copy->n_tasks, 0);
    marathon_app_free(copy);
    marathon_app_free(NULL);
}
END_TEST

START_TEST(a_task_is_copied)
{
    struct marathon_app *app =
        parse("{\"id\":\"/a\",\"tasks\":[{\"id\":\"t\",\"host\":\"h\",\"version\":\"v\",\"state\":\"TASK_KILLING\","
              "\"ports\":[5,6],\"ipAddresses\":[{\"ipAddress\":\"::1\"}]}]}");
    struct marathon_task *copy = marathon_task_copy(app->tasks[0]);
    marathon_app_free(app);
    ck_assert_str_eq(copy->id, "t");
    ck_assert_str_eq(copy->host, "h");
    ck_assert_str_eq(copy->version, "v");
    ck_assert_int_eq(copy->state, MARATHON_TASK_KILLING);
    ck_assert(copy->n_ports == 2 && copy->ports[1] == 6);
    ck_assert(copy->n_addresses == 1 && strcmp(copy->addresses[0], "::1") == 0);
    ck_assert(copy->started_ms == MARATHON_NO_TIME);
    marathon_task_free(copy);
    marathon_task_free(NULL);
}
END_TEST

static Suite *model_suite(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_add_test(tests, other_tasks_are_not_of_the_instance);
    tcase_add_test(tests, tasks_are_of_their_instance);
    tcase_add_test(tests, states_have_names);
    tcase_add_test(tests, states_are_shown_in_short);
    tcase_add_test(tests, labels_are_found);
    tcase_add_test(tests, a_definition_is_copied_without_tasks);
    tcase_add_test(tests, a_task_is_copied);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(model_suite)
