/* SPDX-License-Identifier: MIT */
/* One app's JSON: what is refused and how it is said, what is taken, recorded apps. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"

#include "recordings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_refused_bytes(const char *json, size_t len, int expected_err, const char *expected_id,
                                const char *expected)
{
    struct marathon_app *untouched = (struct marathon_app *)(uintptr_t)8;
    struct marathon_app *app = untouched;
    char *id = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = marathon_app_parse(json, len, &app, &id, &why);
    ck_assert_msg(err == expected_err, "%s: %d", json, err);
    ck_assert_str_eq(buf_text(&why), expected);
    ck_assert_ptr_eq(app, untouched);
    ck_assert_str_eq(id ? id : "none", expected_id);
    free(id);
    ck_assert_int_eq(marathon_app_parse(json, len, &app, NULL, NULL), expected_err);
}

static void check_refused(const char *json, int expected_err, const char *expected_id, const char *expected)
{
    check_refused_bytes(json, strlen(json), expected_err, expected_id, expected);
}

static struct marathon_app *parse(const char *json)
{
    struct marathon_app *app = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(marathon_app_parse(json, strlen(json), &app, NULL, &why) == 0, "%s: %s", json, buf_text(&why));
    ck_assert_uint_eq(why.len, 0);
    return app;
}

START_TEST(what_is_no_json_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "{\"id\":\"/a\"",
        "{\"id\":\"/a\"}x",
        "{\"id\":\"/a\"}{}",
        "{\"id\":\"/a\",}",
        "{'id':'/a'}",
        "<html>",
        "\"/a\"x",
        "{\"id\":\"/a\"} // x",
        "{\"id\" \"/a\"}",
        "{\"id\":\"\\x\"}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct marathon_app *app = NULL;
        cleanup_buf struct buf why = BUF_INIT;
        ck_assert_msg(marathon_app_parse(bad[i], strlen(bad[i]), &app, NULL, &why) == SLOTD_E_PARSE, "%s", bad[i]);
        ck_assert_msg(strncmp(buf_text(&why), "no valid JSON: ", 15) == 0, "%s", buf_text(&why));
    }
    check_refused("{\"id\":\"/a\"", SLOTD_E_PARSE, "none", "no valid JSON: it ends too early");
    check_refused_bytes("{\"id\":\"/a\0\"}", 12, SLOTD_E_PARSE, "none", "no valid JSON: a NUL byte in it");
    check_refused_bytes("{\"id\":\"/a\"}\0", 12, SLOTD_E_PARSE, "none", "no valid JSON: a NUL byte in it");
}
END_TEST

START_TEST(what_is_no_object_is_refused)
{
    check_refused("null", SLOTD_E_TYPE, "none", "object expected, null found");
    check_refused("17", SLOTD_E_TYPE, "none", "object expected, integer found");
    check_refused("[{\"id\":\"/a\"}]", SLOTD_E_TYPE, "none", "object expected, array found");
    check_refused("\"/a\"", SLOTD_E_TYPE, "none", "object expected, string found");
    check_refused("true", SLOTD_E_TYPE, "none", "object expected, boolean found");
}
END_TEST

START_TEST(an_app_without_an_id_is_refused)
{
    check_refused("{}", SLOTD_E_TYPE, "none", "id: string expected, nothing found");
    check_refused("{\"id\":null}", SLOTD_E_TYPE, "none", "id: string expected, null found");
    check_refused("{\"id\":7}", SLOTD_E_TYPE, "none", "id: string expected, integer found");
    check_refused("{\"id\":\"\"}", SLOTD_E_TYPE, "none", "id: nonempty string expected, \"\" found");
    check_refused("{\"id\":\"/a\\u0000b\"}", SLOTD_E_TYPE, "none", "id: string without NUL expected, NUL found");
    check_refused("{\"app\":{\"labels\":{}}}", SLOTD_E_TYPE, "none", "app.id: string expected, nothing found");
}
END_TEST

START_TEST(a_name_with_nul_does_not_hide_whose_it_is)
{
    static const char why[] = "a member's name without NUL expected, NUL found in one";
    check_refused("{\"labels\":{\"a\\u0000b\":\"\\\\u0000\"},\"id\":\"/a\"}", SLOTD_E_TYPE, "/a", why);
    check_refused("{\"app\":{\"id\":\"/a\",\"env\":{\"\\u0000\":\"b\"}}}", SLOTD_E_TYPE, "/a", why);
    check_refused("{\"id\":\"/a\",\"id\\u0000\":\"/b\"}", SLOTD_E_TYPE, "/a", why);
    check_refused("{\"id\\u0000\":\"/b\"}", SLOTD_E_TYPE, "none", why);
}
END_TEST

START_TEST(an_id_is_bounded)
{
    cleanup_buf struct buf json = BUF_INIT;
    buf_printf(&json, "{\"id\":\"/%0*d\"}", MARATHON_MAX_ID_BYTES, 1);
    check_refused(buf_text(&json), SLOTD_E_LIMIT, "none", "id: string of at most 2048 bytes expected, 2049 found");
    buf_clear(&json);
    buf_printf(&json, "{\"id\":\"/%0*d\"}", MARATHON_MAX_ID_BYTES - 1, 1);
    marathon_app_free(parse(buf_text(&json)));
}
END_TEST

START_TEST(a_wrong_type_is_named_with_its_path)
{
    static const char *const cases[][2] = {
        {"\"version\":1", "version: string expected, integer found"},
        {"\"labels\":[]", "labels: object expected, array found"},
        {"\"labels\":{\"traefik.port\":80}", "labels.traefik.port: string expected, integer found"},
        {"\"labels\":{\"a\":null}", "labels.a: string expected, null found"},
        {"\"labels\":{\"a\\n\":{}}", "labels.a\\x0a: string expected, object found"},
        {"\"labels\":{\"a\":\"b\\u0000\"}", "labels.a: string without NUL expected, NUL found"},
        {"\"labels\":{\"traefik.enable\\u0000\":\"true\"}", "a member's name without NUL expected, NUL found in one"},
        {"\"networks\":{}", "networks: array expected, object found"},
        {"\"networks\":[\"host\"]", "networks[0]: object expected, string found"},
        {"\"networks\":[{\"mode\":[]}]", "networks[0].mode: string expected, array found"},
        {"\"container\":\"x\"", "container: object expected, string found"},
        {"\"container\":{\"docker\":[]}", "container.docker: object expected, array found"},
        {"\"container\":{\"portMappings\":{}}", "container.portMappings: array expected, object found"},
        {"\"container\":{\"portMappings\":[{\"containerPort\":\"80\"}]}",
         "container.portMappings[0].containerPort: integer 0..65535 expected, string found"},
        {"\"container\":{\"docker\":{\"portMappings\":[{},{\"hostPort\":65536}]}}",
         "container.docker.portMappings[1].hostPort: integer 0..65535 expected, 65536 found"},
        {"\"ipAddress\":[]", "ipAddress: object expected, array found"},
        {"\"ipAddress\":{\"discovery\":{\"ports\":[{\"number\":-1}]}}",
         "ipAddress.discovery.ports[0].number: integer 0..65535 expected, -1 found"},
        {"\"portDefinitions\":[{\"port\":80.0}]", "portDefinitions[0].port: integer 0..65535 expected, number found"},
        {"\"portDefinitions\":[{\"name\":1}]", "portDefinitions[0].name: string expected, integer found"},
        {"\"portDefinitions\":[80]", "portDefinitions[0]: object expected, integer found"},
        {"\"constraints\":[\"a:b\"]", "constraints[0]: array expected, string found"},
        {"\"constraints\":[[\"a\",1]]", "constraints[0][1]: string expected, integer found"},
        {"\"readinessChecks\":[{\"timeoutSeconds\":\"10\"}]",
         "readinessChecks[0].timeoutSeconds: integer 0..2147483647 expected, string found"},
        {"\"readinessCheckResults\":[{\"ready\":true}]",
         "readinessCheckResults[0].taskId: string expected, nothing found"},
        {"\"readinessCheckResults\":[{\"taskId\":\"t\",\"ready\":1}]",
         "readinessCheckResults[0].ready: boolean expected, integer found"},
        {"\"deployments\":{}", "deployments: array expected, object found"},
        {"\"instances\":\"3\"", "instances: integer 0..2147483647 expected, string found"},
        {"\"instances\":99999999999999999999", "instances: integer 0..2147483647 expected, 9223372036854775807 found"},
        {"\"tasks\":{}", "tasks: array expected, object found"},
        {"\"tasks\":[null]", "tasks[0]: object expected, null found"},
        {"\"tasks\":[{\"id\":\"t\"},{}]", "tasks[1].id: string expected, nothing found"},
        {"\"tasks\":[{\"id\":\"u\"},{\"id\":\"t\"},{\"id\":\"u\"}]",
         "tasks: tasks with ids of their own expected, u twice found"},
        {"\"tasks\":[{\"id\":\"t\",\"host\":{}}]", "tasks[0].host: string expected, object found"},
        {"\"tasks\":[{\"id\":\"t\",\"state\":3}]", "tasks[0].state: string expected, integer found"},
        {"\"tasks\":[{\"id\":\"t\",\"startedAt\":1}]", "tasks[0].startedAt: string expected, integer found"},
        {"\"tasks\":[{\"id\":\"t\"},{\"id\":\"u\"},{\"id\":\"v\"},{\"id\":\"w\",\"ports\":[\"80\"]}]",
         "tasks[3].ports[0]: integer 0..65535 expected, string found"},
        {"\"tasks\":[{\"id\":\"t\",\"ports\":[1,null]}]", "tasks[0].ports[1]: integer 0..65535 expected, null found"},
        {"\"tasks\":[{\"id\":\"t\",\"ipAddresses\":[\"::1\"]}]",
         "tasks[0].ipAddresses[0]: object expected, string found"},
        {"\"tasks\":[{\"id\":\"t\",\"ipAddresses\":[{\"ipAddress\":1}]}]",
         "tasks[0].ipAddresses[0].ipAddress: string expected, integer found"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cleanup_buf struct buf json = BUF_INIT;
        buf_printf(&json, "{%s,\"id\":\"/a\"}", cases[i][0]);
        check_refused(buf_text(&json), SLOTD_E_TYPE, "/a", cases[i][1]);
    }
}
END_TEST

START_TEST(the_first_wrong_part_is_told)
{
    check_refused("{\"id\":\"/a\",\"version\":1,\"labels\":2,\"tasks\":3}", SLOTD_E_TYPE, "/a",
                  "version: string expected, integer found");
}
END_TEST

START_TEST(nesting_is_bounded)
{
    cleanup_buf struct buf json = BUF_INIT;
    buf_puts(&json, "{\"id\":\"/a\",\"x\":");
    for (int i = 0; i < 100000; i++) {
        buf_putc(&json, '[');
    }
    check_refused(buf_text(&json), SLOTD_E_LIMIT, "/a", "JSON nested at most 64 deep expected, deeper found");
}
END_TEST

START_TEST(what_is_too_large_is_named)
{
    cleanup_buf struct buf json = BUF_INIT;
    buf_puts(&json,
             "{ \"x\" : {\"id\":\"/no\"}, \"y\":[\"id\", \"/no\"], \"z\":\"id\" , \"id\" : \"/large\", \"w\":\"");
    while (json.len < MARATHON_MAX_APP_BYTES) {
        buf_puts(&json, "wwwwwwwwwwwwwwww");
    }
    check_refused(buf_text(&json), SLOTD_E_LIMIT, "/large", "it is larger than 16 MiB");
    /* Whose it is cannot be told when its beginning does not say so. */
    memcpy(strstr(json.data, "\"id\" : \"/large\""), "\"ie", 3);
    check_refused(buf_text(&json), SLOTD_E_LIMIT, "none", "it is larger than 16 MiB");
}
END_TEST

START_TEST(absent_and_null_are_defaults)
{
    static const char *const same[] = {
        "{\"id\":\"/a\"}",
        ("{\"id\":\"/"
         "a\",\"version\":null,\"labels\":null,\"networks\":null,\"container\":null,\"ipAddress\":null,"
         "\"portDefinitions\":null,"
         "\"constraints\":null,\"readinessChecks\":null,\"readinessCheckResults\":null,\"deployments\":null,"
         "\"instances\":null,\"tasks\":null}"),
        "{\"id\":\"/"
        "a\",\"labels\":{},\"networks\":[],\"container\":{\"docker\":null,\"portMappings\":null},\"constraints\":[],"
        "\"unknown\":[{}]}",
        " \r\n{\"app\" : {\"id\":\"/a\"}} \n",
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        struct marathon_app *app = parse(same[i]);
        ck_assert_str_eq(app->id, "/a");
        ck_assert_str_eq(app->version, "");
        ck_assert(!app->has_networks && !app->has_ip_address && app->network == MARATHON_NETWORK_NONE);
        ck_assert_uint_eq(app->n_labels + app->n_port_definitions + app->n_port_mappings + app->n_discovery_ports, 0);
        ck_assert_uint_eq(
            app->n_constraints + app->n_readiness_checks + app->n_readiness + app->n_deployments + app->n_tasks, 0);
        ck_assert_int_eq(app->readiness_timeout_s, 0);
        ck_assert_int_eq(app->instances, 1);
        marathon_app_free(app);
    }
}
END_TEST

START_TEST(a_task_of_null_and_nothing_has_defaults)
{
    struct marathon_app *app =
        parse("{\"id\":\"/a\",\"tasks\":[{\"id\":\"t\",\"host\":null,\"state\":\"TASK_NEW\",\"startedAt\":\"soon\","
              "\"ports\":null,\"ipAddresses\":[{},{\"ipAddress\":\"::1\"}]}]}");
    const struct marathon_task *task = app->tasks[0];
    ck_assert_str_eq(task->host, "");
    ck_assert_str_eq(task->version, "");
    ck_assert_int_eq(task->state, MARATHON_TASK_OTHER);
    ck_assert(task->started_ms == MARATHON_NO_TIME);
    ck_assert_uint_eq(task->n_ports, 0);
    ck_assert_uint_eq(task->n_addresses, 2);
    ck_assert_str_eq(task->addresses[0], "");
    ck_assert_str_eq(task->addresses[1], "::1");
    marathon_app_free(app);
}
END_TEST

START_TEST(names_of_networks_are_known)
{
    static const struct {
        const char *json;
        enum marathon_network network;
    } cases[] = {
        {"[{\"mode\":\"container\"},{\"mode\":\"host\"}]", MARATHON_NETWORK_CONTAINER},
        {"[{\"mode\":\"container/bridge\"}]", MARATHON_NETWORK_BRIDGE},
        {"[{\"mode\":\"host\"}]", MARATHON_NETWORK_HOST},
        {"[{\"mode\":\"new\"}]", MARATHON_NETWORK_NONE},
        {"[{\"name\":\"x\"}]", MARATHON_NETWORK_NONE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cleanup_buf struct buf json = BUF_INIT;
        buf_printf(&json, "{\"id\":\"/a\",\"networks\":%s}", cases[i].json);
        struct marathon_app *app = parse(buf_text(&json));
        ck_assert(app->has_networks);
        ck_assert_int_eq(app->network, cases[i].network);
        marathon_app_free(app);
    }
}
END_TEST

START_TEST(the_newer_port_mappings_win)
{
    struct marathon_app *app = parse(
        "{\"id\":\"/a\",\"container\":{\"portMappings\":[{\"containerPort\":1,\"hostPort\":0},{\"containerPort\":2},"
        "{\"hostPort\":null}],\"docker\":{\"portMappings\":[{\"containerPort\":9}]}}}");
    ck_assert_uint_eq(app->n_port_mappings, 3);
    ck_assert(app->port_mappings[0].port == 1 && app->port_mappings[0].has_host_port);
    ck_assert(app->port_mappings[1].port == 2 && !app->port_mappings[1].has_host_port);
    ck_assert(app->port_mappings[2].port == 0 && !app->port_mappings[2].has_host_port);
    marathon_app_free(app);
    app = parse("{\"id\":\"/"
                "a\",\"container\":{\"portMappings\":[],\"docker\":{\"portMappings\":[{\"containerPort\":9,\"name\":"
                "\"n\"}]}}}");
    ck_assert_uint_eq(app->n_port_mappings, 1);
    ck_assert_str_eq(app->port_mappings[0].name, "n");
    marathon_app_free(app);
}
END_TEST

START_TEST(labels_and_tasks_are_sorted)
{
    struct marathon_app *app = parse(
        "{\"id\":\"/a\",\"labels\":{\"b\":\"1\",\"a\":\"2\",\"b\":\"3\"},\"tasks\":[{\"id\":\"u\"},{\"id\":\"t\"}]}");
    ck_assert_uint_eq(app->n_labels, 2);
    ck_assert_str_eq(app->labels[0].key, "a");
    ck_assert_str_eq(app->labels[1].value, "3");
    ck_assert_str_eq(app->tasks[0]->id, "t");
    ck_assert_str_eq(app->tasks[1]->id, "u");
    marathon_app_free(app);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_replaced)
{
    static const char *const cases[][2] = {
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82"
         "x",
         "\xef\xbf\xbd\xef\xbf\xbd"
         "x"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\ud800", "\xef\xbf\xbd"},
        {"\\udc00x", "\xef\xbf\xbdx"},
        {"\\ud800\\u0041", "\xef\xbf\xbd"
                           "A"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cleanup_buf struct buf json = BUF_INIT;
        buf_printf(&json, "{\"id\":\"/a\",\"labels\":{\"k%s\":\"%s\"}}", cases[i][0], cases[i][0]);
        struct marathon_app *app = parse(buf_text(&json));
        ck_assert_msg(strcmp(app->labels[0].value, cases[i][1]) == 0, "case %zu: %s", i, app->labels[0].value);
        ck_assert_str_eq(app->labels[0].key + 1, cases[i][1]);
        marathon_app_free(app);
    }
}
END_TEST

START_TEST(nul_in_what_is_not_read_is_no_matter)
{
    marathon_app_free(parse("{\"id\":\"/a\",\"env\":{\"x\":\"\\u0000\"},\"labels\":{\"a\\\\u0000\":\"b\\\\u0000\"}}"));
}
END_TEST

/* ---- recordings ---- */

static int check_app(void *arg, const char *json, size_t len)
{
    struct marathon_app *app = NULL;
    char *id = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(marathon_app_parse(json, len, &app, &id, &why) == 0, "%s: %s", (const char *)arg, buf_text(&why));
    ck_assert_str_eq(app->id, id);
    ck_assert(app->id[0] == '/' && app->version[0] != '\0' && app->has_networks);
    ck_assert_int_ne(app->network, MARATHON_NETWORK_NONE);
    for (size_t i = 0; i < app->n_tasks; i++) {
        const struct marathon_task *task = app->tasks[i];
        ck_assert_msg(task->state != MARATHON_TASK_OTHER && task->host[0] != '\0', "%s", task->id);
        ck_assert(task->state != MARATHON_TASK_RUNNING ||
                  (task->version[0] != '\0' && task->started_ms != MARATHON_NO_TIME));
    }
    marathon_app_free(app);
    free(id);
    return 0;
}

static void check_recording(const char *path, const char *data, size_t len)
{
    struct buf file = {.data = (char *)(uintptr_t)data, .len = len};
    int status;
    const char *body = recording_body(&file, &len, &status);
    struct apps_reader *reader = apps_reader_new("apps", MARATHON_MAX_APP_BYTES, check_app, (void *)(uintptr_t)path);
    ck_assert(status != 200 || apps_reader_feed(reader, body, len) == 0);
    apps_reader_free(reader);
}

START_TEST(recorded_apps_are_complete)
{
    ck_assert_uint_ge(recordings_visit("apps-", ".http", check_recording), 50);
}
END_TEST

static int keep_app(void *arg, const char *json, size_t len)
{
    struct marathon_app **app = arg;
    marathon_app_free(*app);
    return marathon_app_parse(json, len, app, NULL, NULL);
}

START_TEST(a_recorded_app_has_all_its_parts)
{
    cleanup_buf struct buf file = BUF_INIT;
    struct marathon_app *app = NULL;
    size_t len;
    int status;
    recording_load(suite_fixture("marathon/02-bridge-docker/apps-05-healthy.http"), &file);
    const char *body = recording_body(&file, &len, &status);
    struct apps_reader *reader = apps_reader_new("apps", MARATHON_MAX_APP_BYTES, keep_app, &app);
    ck_assert_int_eq(apps_reader_feed(reader, body, len), 0);
    ck_assert_int_eq(apps_reader_finish(reader, NULL), 0);
    apps_reader_free(reader);
    ck_assert_str_eq(app->id, "/shop/web");
    ck_assert_str_eq(app->version, "2026-11-23T00:30:53.621Z");
    ck_assert_int_eq(app->network, MARATHON_NETWORK_BRIDGE);
    ck_assert_uint_eq(app->n_labels, 14);
    ck_assert_str_eq(marathon_app_label(app, "traefik.web.frontend.rule"), "Host:shop.example.com;PathPrefix:/");
    ck_assert_uint_eq(app->n_port_mappings, 2);
    ck_assert_str_eq(app->port_mappings[1].name, "admin");
    ck_assert(app->port_mappings[1].port == 9090 && app->port_mappings[1].has_host_port);
    ck_assert_int_eq(app->instances, 2);
    ck_assert_uint_eq(app->n_tasks, 2);
    ck_assert_str_eq(app->tasks[1]->id, "shop_web.instance-249ac01b-e6d5-11f1-b63d-02fc00000001._app.1");
    ck_assert_str_eq(app->tasks[1]->host, "127.0.0.2");
    ck_assert(app->tasks[1]->n_ports == 2 && app->tasks[1]->ports[0] == 31735 && app->tasks[1]->ports[1] == 31736);
    ck_assert_str_eq(app->tasks[1]->addresses[0], "172.17.0.5");
    ck_assert_int_eq(app->tasks[1]->state, MARATHON_TASK_RUNNING);
    marathon_app_free(app);
}
END_TEST

/* One task with these results: whether it is unhealthy by them. */
static bool unhealthy_by(const char *results)
{
    cleanup_free char *json = mem_printf(
        "{\"id\":\"/a\",\"healthChecks\":[{},{}],\"tasks\":[{\"id\":\"t\",\"state\":\"TASK_RUNNING\"%s}]}", results);
    struct marathon_app *app = parse(json);
    bool unhealthy = app->tasks[0]->unhealthy;
    ck_assert_uint_eq(app->n_health_checks, 2);
    marathon_app_free(app);
    return unhealthy;
}
#define RESULTS(list) ",\"healthCheckResults\":" list

START_TEST(alive_false_alone_is_unhealthy)
{
    static const char *const bad[] = {
        RESULTS("[{\"alive\":false}]"),
        RESULTS("[{\"alive\":false,\"consecutiveFailures\":1,\"lastFailure\":\"x\"}]"),
        RESULTS("[{\"alive\":true,\"consecutiveFailures\":0},{\"alive\":false,\"consecutiveFailures\":3}]"),
        RESULTS("[null,{\"alive\":false,\"consecutiveFailures\":\"0\"}]"),
    };
    /* Unknown, or of a form that no Marathon sends: no reason, and no fault of the app. */
    static const char *const good[] = {
        "",
        RESULTS("null"),
        RESULTS("[]"),
        RESULTS("[{\"alive\":true,\"consecutiveFailures\":0}]"),
        RESULTS("[{\"alive\":false,\"consecutiveFailures\":0,\"instanceId\":\"instance [i]\"}]"),
        RESULTS("[{\"alive\":true},{\"alive\":false,\"consecutiveFailures\":0}]"),
        RESULTS("[{}]"),
        RESULTS("[{\"alive\":null}]"),
        RESULTS("[{\"alive\":\"false\"}]"),
        RESULTS("[{\"alive\":0}]"),
        RESULTS("[null,1,[],\"alive\"]"),
        RESULTS("{\"alive\":false}"),
        RESULTS("\"alive=false\""),
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(unhealthy_by(bad[i]), "%s", bad[i]);
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_msg(!unhealthy_by(good[i]), "%s", good[i]);
    }
}
END_TEST

START_TEST(checks_of_another_form_are_none)
{
    struct marathon_app *app = parse("{\"id\":\"/a\",\"healthChecks\":{}}");
    ck_assert_uint_eq(app->n_health_checks, 0);
    marathon_app_free(app);
}
END_TEST

static Suite *app_parse_suite(void)
{
    Suite *suite = suite_create("app_parse");
    TCase *tests = tcase_create("app_parse");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_no_json_is_refused);
    tcase_add_test(tests, what_is_no_object_is_refused);
    tcase_add_test(tests, an_app_without_an_id_is_refused);
    tcase_add_test(tests, a_name_with_nul_does_not_hide_whose_it_is);
    tcase_add_test(tests, an_id_is_bounded);
    tcase_add_test(tests, a_wrong_type_is_named_with_its_path);
    tcase_add_test(tests, the_first_wrong_part_is_told);
    tcase_add_test(tests, nesting_is_bounded);
    tcase_add_test(tests, what_is_too_large_is_named);
    tcase_add_test(tests, absent_and_null_are_defaults);
    tcase_add_test(tests, a_task_of_null_and_nothing_has_defaults);
    tcase_add_test(tests, names_of_networks_are_known);
    tcase_add_test(tests, the_newer_port_mappings_win);
    tcase_add_test(tests, labels_and_tasks_are_sorted);
    tcase_add_test(tests, bytes_that_are_no_text_are_replaced);
    tcase_add_test(tests, nul_in_what_is_not_read_is_no_matter);
    tcase_add_test(tests, recorded_apps_are_complete);
    tcase_add_test(tests, a_recorded_app_has_all_its_parts);
    tcase_add_test(tests, alive_false_alone_is_unhealthy);
    tcase_add_test(tests, checks_of_another_form_are_none);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(app_parse_suite)
