/* SPDX-License-Identifier: MIT */
/* Events: what is refused and how it is said, what each type carries, recorded streams. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"

#include "recordings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_refused(const char *name, const char *json, int expected_err, const char *expected)
{
    struct marathon_event *untouched = (struct marathon_event *)(uintptr_t)8;
    struct marathon_event *event = untouched;
    cleanup_buf struct buf why = BUF_INIT;
    int err = marathon_event_parse(name, json, strlen(json), &event, &why);
    ck_assert_msg(err == expected_err, "%s: %d", json, err);
    ck_assert_str_eq(buf_text(&why), expected);
    ck_assert_ptr_eq(event, untouched);
    ck_assert_int_eq(marathon_event_parse(name, json, strlen(json), &event, NULL), expected_err);
}

static struct marathon_event *parse(const char *name, const char *json)
{
    struct marathon_event *event = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(marathon_event_parse(name, json, strlen(json), &event, &why) == 0, "%s: %s", json, buf_text(&why));
    ck_assert_uint_eq(why.len, 0);
    return event;
}

START_TEST(what_is_no_json_object_is_refused)
{
    check_refused("status_update_event", "", SLOTD_E_PARSE, "no valid JSON: it ends too early");
    check_refused("anything", "{\"a\":", SLOTD_E_PARSE, "no valid JSON: it ends too early");
    check_refused("anything", "[]", SLOTD_E_TYPE, "object expected, array found");
    check_refused("anything", "{\"eventType\":1}", SLOTD_E_TYPE, "eventType: string expected, integer found");
}
END_TEST

START_TEST(an_event_without_its_ids_is_refused)
{
    static const char *const cases[][3] = {
        {"status_update_event", "{\"taskId\":\"t\",\"taskStatus\":\"TASK_RUNNING\"}",
         "appId: string expected, nothing found"},
        {"status_update_event", "{\"appId\":\"/a\",\"taskStatus\":\"TASK_RUNNING\"}",
         "taskId: string expected, nothing found"},
        {"status_update_event", "{\"appId\":\"/a\",\"taskId\":\"t\"}", "taskStatus: string expected, nothing found"},
        {"status_update_event", "{\"appId\":\"\",\"taskId\":\"t\"}", "appId: nonempty string expected, \"\" found"},
        {"instance_changed_event", "{\"instanceId\":\"i\",\"condition\":\"Running\"}",
         "runSpecId: string expected, nothing found"},
        {"instance_changed_event", "{\"runSpecId\":\"/a\",\"condition\":\"Running\"}",
         "instanceId: string expected, nothing found"},
        {"instance_changed_event", "{\"runSpecId\":\"/a\",\"instanceId\":\"i\"}",
         "condition: string expected, nothing found"},
        {"unknown_instance_terminated_event", "{\"runSpecId\":\"/a\"}", "instanceId: string expected, nothing found"},
        {"health_status_changed_event", "{\"instanceId\":\"i\",\"alive\":true}",
         "appId: string expected, nothing found"},
        {"health_status_changed_event", "{\"appId\":\"/a\",\"alive\":true}",
         "instanceId: string expected, nothing found"},
        {"health_status_changed_event", "{\"appId\":\"/a\",\"taskId\":\"i\",\"alive\":false}",
         "instanceId: string expected, nothing found"},
        {"health_status_changed_event", "{\"appId\":\"/a\",\"instanceId\":\"i\"}",
         "alive: boolean expected, nothing found"},
        {"health_status_changed_event", "{\"appId\":\"/a\",\"instanceId\":\"i\",\"alive\":null}",
         "alive: boolean expected, null found"},
        {"health_status_changed_event", "{\"appId\":\"/a\",\"instanceId\":\"i\",\"alive\":\"false\"}",
         "alive: boolean expected, string found"},
        {"failed_health_check_event", "{\"appId\":\"/a\"}", "taskId: string expected, nothing found"},
        {"app_terminated_event", "{}", "appId: string expected, nothing found"},
        {"app_terminated_event", "{\"appId\":null}", "appId: string expected, null found"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        check_refused(cases[i][0], cases[i][1], SLOTD_E_TYPE, cases[i][2]);
    }
}
END_TEST

START_TEST(a_wrong_type_is_named_with_its_path)
{
    check_refused("status_update_event",
                  "{\"appId\":\"/a\",\"taskId\":\"t\",\"taskStatus\":\"TASK_RUNNING\",\"ports\":[1,\"2\"]}",
                  SLOTD_E_TYPE, "ports[1]: integer 0..65535 expected, string found");
    check_refused("status_update_event",
                  "{\"appId\":\"/a\",\"taskId\":\"t\",\"taskStatus\":\"TASK_RUNNING\",\"ipAddresses\":{}}",
                  SLOTD_E_TYPE, "ipAddresses: array expected, object found");
    check_refused("status_update_event",
                  "{\"appId\":\"/a\",\"taskId\":\"t\",\"taskStatus\":\"TASK_RUNNING\",\"host\":\"a\\u0000\"}",
                  SLOTD_E_TYPE, "host: string without NUL expected, NUL found");
    check_refused("api_post_event", "{\"appDefinition\":{\"id\":\"/a\",\"labels\":{\"x\":1}}}", SLOTD_E_TYPE,
                  "appDefinition.labels.x: string expected, integer found");
}
END_TEST

START_TEST(a_definition_must_be_there)
{
    check_refused("api_post_event", "{}", SLOTD_E_TYPE, "appDefinition: object expected, nothing found");
    check_refused("api_post_event", "{\"appDefinition\":null}", SLOTD_E_TYPE,
                  "appDefinition: object expected, null found");
    check_refused("api_post_event", "{\"appDefinition\":{}}", SLOTD_E_TYPE,
                  "appDefinition.id: string expected, nothing found");
}
END_TEST

START_TEST(an_id_is_bounded)
{
    cleanup_buf struct buf json = BUF_INIT;
    buf_printf(&json, "{\"appId\":\"/%0*d\"}", MARATHON_MAX_ID_BYTES, 1);
    check_refused("app_terminated_event", buf_text(&json), SLOTD_E_LIMIT,
                  "appId: string of at most 2048 bytes expected, 2049 found");
}
END_TEST

START_TEST(the_json_names_the_event)
{
    struct marathon_event *event =
        parse("status_update_event", "{\"eventType\":\"app_terminated_event\",\"appId\":\"/a\"}");
    ck_assert_int_eq(event->type, MARATHON_EVENT_APP_TERMINATED);
    ck_assert_str_eq(event->name, "app_terminated_event");
    marathon_event_free(event);
    event = parse("app_terminated_event", "{\"eventType\":\"news_event\"}");
    ck_assert_int_eq(event->type, MARATHON_EVENT_OTHER);
    marathon_event_free(event);
    event = parse("app_terminated_event", "{\"eventType\":null,\"appId\":\"/a\"}");
    ck_assert_int_eq(event->type, MARATHON_EVENT_APP_TERMINATED);
    marathon_event_free(event);
    event = parse("message", "{}");
    ck_assert_int_eq(event->type, MARATHON_EVENT_OTHER);
    ck_assert_str_eq(event->name, "message");
    marathon_event_free(event);
    marathon_event_free(NULL);
}
END_TEST

START_TEST(types_are_known_by_name)
{
    static const struct {
        const char *name;
        enum marathon_event_type type;
    } cases[] = {
        {"event_stream_attached", MARATHON_EVENT_ATTACHED},
        {"event_stream_detached", MARATHON_EVENT_OTHER},
        {"deployment_info", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_step_success", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_step_failure", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_success", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_failed", MARATHON_EVENT_DEPLOYMENT},
        {"instance_health_changed_event", MARATHON_EVENT_OTHER},
        {"unhealthy_instance_kill_event", MARATHON_EVENT_OTHER},
        {"pod_created_event", MARATHON_EVENT_OTHER},
        {"", MARATHON_EVENT_OTHER},
        {"STATUS_UPDATE_EVENT", MARATHON_EVENT_OTHER},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct marathon_event *event = parse(cases[i].name, "{\"appId\":\"/a\",\"taskId\":\"a.instance-1\"}");
        ck_assert_msg(event->type == cases[i].type, "%s", cases[i].name);
        ck_assert(event->app_id[0] == '\0' && event->instance_id[0] == '\0' && !event->task && !event->app);
        ck_assert_int_eq(event->state, MARATHON_TASK_OTHER);
        marathon_event_free(event);
    }
}
END_TEST

START_TEST(a_status_update_carries_the_task)
{
    struct marathon_event *event =
        parse("message",
              "{\"slaveId\":\"S1\",\"taskId\":\"shop_web.instance-1._app.1\",\"taskStatus\":\"TASK_RUNNING\","
              "\"message\":\"\","
              "\"appId\":\"/shop/"
              "web\",\"host\":\"127.0.0.2\",\"ipAddresses\":[{\"ipAddress\":\"172.17.0.5\",\"protocol\":\"IPv4\"}],"
              "\"ports\":[31735,31736],\"version\":\"v1\",\"eventType\":\"status_update_event\"}");
    ck_assert_int_eq(event->type, MARATHON_EVENT_STATUS_UPDATE);
    ck_assert_str_eq(event->app_id, "/shop/web");
    ck_assert_str_eq(event->task->id, "shop_web.instance-1._app.1");
    ck_assert_str_eq(event->task->host, "127.0.0.2");
    ck_assert_str_eq(event->task->version, "v1");
    ck_assert_str_eq(event->task->addresses[0], "172.17.0.5");
    ck_assert(event->task->n_ports == 2 && event->task->ports[1] == 31736);
    ck_assert(event->state == MARATHON_TASK_RUNNING && event->task->state == MARATHON_TASK_RUNNING);
    ck_assert(event->task->started_ms == MARATHON_NO_TIME);
    ck_assert_str_eq(event->instance_id, "");
    marathon_event_free(event);
    event = parse("status_update_event", "{\"taskId\":\"t\",\"taskStatus\":\"TASK_NEW\",\"appId\":\"/a\"}");
    ck_assert_int_eq(event->state, MARATHON_TASK_OTHER);
    marathon_event_free(event);
}
END_TEST

START_TEST(a_condition_is_a_state)
{
    static const struct {
        const char *condition;
        enum marathon_task_state state;
    } cases[] = {
        {"Scheduled", MARATHON_TASK_STAGING},       {"Provisioned", MARATHON_TASK_STAGING},
        {"Staging", MARATHON_TASK_STAGING},         {"Starting", MARATHON_TASK_STARTING},
        {"Running", MARATHON_TASK_RUNNING},         {"Killing", MARATHON_TASK_KILLING},
        {"Unreachable", MARATHON_TASK_UNREACHABLE}, {"UnreachableInactive", MARATHON_TASK_UNREACHABLE},
        {"Killed", MARATHON_TASK_TERMINAL},         {"Failed", MARATHON_TASK_TERMINAL},
        {"Finished", MARATHON_TASK_TERMINAL},       {"Gone", MARATHON_TASK_TERMINAL},
        {"Dropped", MARATHON_TASK_TERMINAL},        {"Error", MARATHON_TASK_TERMINAL},
        {"Unknown", MARATHON_TASK_TERMINAL},        {"Reserved", MARATHON_TASK_OTHER},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cleanup_buf struct buf json = BUF_INIT;
        buf_printf(&json, "{\"instanceId\":\"a.instance-1\",\"runSpecId\":\"/a\",\"host\":null,\"condition\":\"%s\"}",
                   cases[i].condition);
        struct marathon_event *event = parse("instance_changed_event", buf_text(&json));
        ck_assert_int_eq(event->type, MARATHON_EVENT_INSTANCE_CHANGED);
        ck_assert_str_eq(event->app_id, "/a");
        ck_assert_str_eq(event->instance_id, "a.instance-1");
        ck_assert_msg(event->state == cases[i].state, "%s", cases[i].condition);
        marathon_event_free(event);
        event = parse("unknown_instance_terminated_event", buf_text(&json));
        ck_assert_int_eq(event->type, MARATHON_EVENT_INSTANCE_TERMINATED);
        ck_assert_int_eq(event->state, MARATHON_TASK_TERMINAL);
        marathon_event_free(event);
    }
}
END_TEST

static void check_health(const char *name, const char *json, const char *instance_id, bool alive)
{
    struct marathon_event *event = parse(name, json);
    ck_assert_int_eq(event->type, MARATHON_EVENT_HEALTH);
    ck_assert_str_eq(event->app_id, "/a");
    ck_assert_str_eq(event->instance_id, instance_id);
    ck_assert_int_eq(event->alive, alive);
    marathon_event_free(event);
}

START_TEST(a_result_of_a_health_check_is_the_instance_s)
{
    check_health("health_status_changed_event", "{\"appId\":\"/a\",\"instanceId\":\"a.i-1\",\"alive\":true}", "a.i-1",
                 true);
    check_health("health_status_changed_event", "{\"appId\":\"/a\",\"instanceId\":\"a.i-1\",\"alive\":false}", "a.i-1",
                 false);
    check_health("failed_health_check_event", "{\"appId\":\"/a\",\"taskId\":\"a.i-1\",\"healthCheck\":{}}", "a.i-1",
                 false);
    check_health("failed_health_check_event", "{\"appId\":\"/a\",\"instanceId\":\"a.i-1\",\"taskId\":\"x\"}", "a.i-1",
                 false);
}
END_TEST

START_TEST(a_posted_definition_has_no_tasks)
{
    struct marathon_event *event = parse(
        "api_post_event",
        "{\"uri\":\"/v2/apps\",\"appDefinition\":{\"id\":\"/a\",\"labels\":{\"k\":\"v\"},\"tasks\":[{\"id\":\"t\"}]}}");
    ck_assert_int_eq(event->type, MARATHON_EVENT_API_POST);
    ck_assert_str_eq(event->app_id, "/a");
    ck_assert_str_eq(marathon_app_label(event->app, "k"), "v");
    ck_assert_uint_eq(event->app->n_tasks, 0);
    marathon_event_free(event);
}
END_TEST

/* ---- recordings ---- */

static const char *recording;
static size_t n_status, n_terminated;
static char last_task[256];

/* On a stream, a task's status is followed by its instance's condition, nearly always at once. */
static void check_event(void *arg, const char *name, const char *data, size_t len)
{
    struct marathon_event *event = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    (void)arg;
    ck_assert_msg(marathon_event_parse(name, data, len, &event, &why) == 0, "%s: %s: %s", recording, name,
                  buf_text(&why));
    ck_assert_str_eq(event->name, name);
    if (event->type == MARATHON_EVENT_STATUS_UPDATE) {
        ck_assert(event->state != MARATHON_TASK_OTHER && event->task->host[0] != '\0');
        snprintf(last_task, sizeof(last_task), "%s", event->task->id);
        n_status++;
    } else if (event->type == MARATHON_EVENT_INSTANCE_CHANGED) {
        ck_assert_int_ne(event->state, MARATHON_TASK_OTHER);
        bool is_same = strncmp(last_task, event->instance_id, strlen(event->instance_id)) == 0;
        ck_assert_msg(is_same == marathon_task_is_of_instance(last_task, event->instance_id), "%s of %s", last_task,
                      event->instance_id);
    } else if (event->type == MARATHON_EVENT_INSTANCE_TERMINATED) {
        n_terminated++;
    }
    marathon_event_free(event);
}

static int feed(void *parser, const char *data, size_t len)
{
    return sse_parser_feed(parser, data, len);
}

static void check_recording(const char *path, const char *data, size_t len)
{
    struct sse_parser *parser = sse_parser_new(MARATHON_MAX_EVENT_BYTES, check_event, NULL);
    recording = path;
    last_task[0] = '\0';
    /* The one recording that was shortened inside an event is no JSON there. */
    if (!strstr(path, "fast-beside-slow")) {
        ck_assert_int_eq(recording_feed(feed, parser, data, len, 1000), 0);
    }
    sse_parser_free(parser);
}

START_TEST(recorded_events_parse)
{
    ck_assert_uint_ge(recordings_visit("", ".sse", check_recording), 10);
    ck_assert_uint_ge(n_status, 200);
    ck_assert_uint_ge(n_terminated, 2);
}
END_TEST

static Suite *event_suite(void)
{
    Suite *suite = suite_create("event");
    TCase *tests = tcase_create("event");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_no_json_object_is_refused);
    tcase_add_test(tests, an_event_without_its_ids_is_refused);
    tcase_add_test(tests, a_wrong_type_is_named_with_its_path);
    tcase_add_test(tests, a_definition_must_be_there);
    tcase_add_test(tests, an_id_is_bounded);
    tcase_add_test(tests, the_json_names_the_event);
    tcase_add_test(tests, types_are_known_by_name);
    tcase_add_test(tests, a_status_update_carries_the_task);
    tcase_add_test(tests, a_condition_is_a_state);
    tcase_add_test(tests, a_result_of_a_health_check_is_the_instance_s);
    tcase_add_test(tests, a_posted_definition_has_no_tasks);
    tcase_add_test(tests, recorded_events_parse);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(event_suite)
