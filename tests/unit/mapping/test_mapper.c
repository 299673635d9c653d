/* SPDX-License-Identifier: MIT */
/* One app to its parts: task states, readiness, weights, protocols, limits. */
#include "mapping_fixture.h"

/* ---- tasks ---- */

#define STATE(state) "{'id':'web.1','host':'node1','state':'" state "','ports':[31000]}"
#define ONE(task) "{'id':'/web','tasks':[" task "]}"
#define HEAD "backend-web frontend-web http 27 Host:web.marathon.localhost\n"
#define SERVER(id, phase) "  server-web-web-" id " node1:31000 http 1 " phase "\n"

START_TEST(offline_only_running_tasks_count)
{
    static const char *const states[] = {"",
                                         "TASK_STAGING",
                                         "TASK_STARTING",
                                         "TASK_KILLING",
                                         "TASK_UNREACHABLE",
                                         "TASK_FINISHED",
                                         "TASK_FAILED",
                                         "TASK_KILLED",
                                         "TASK_LOST",
                                         "task_running",
                                         "TASK_RUNNING "};
    for (size_t i = 0; i < COUNT(states); i++) {
        cleanup_free char *app = mem_printf(ONE(STATE("%s")), states[i]);
        check_mapping(app, HEAD);
    }
    check_mapping(ONE(STATE("TASK_RUNNING")), HEAD SERVER("1", "ready"));
}
END_TEST

START_TEST(live_every_state_has_its_phase)
{
    fixture_view = MAPPER_LIVE;
    static const struct mapped list[] = {
        {ONE(STATE("TASK_STAGING")), HEAD},
        {ONE(STATE("TASK_STARTING")), HEAD},
        {ONE(STATE("TASK_NEVER_HEARD_OF")), HEAD},
        {ONE(STATE("TASK_RUNNING")), HEAD SERVER("1", "ready")},
        {ONE(STATE("TASK_KILLING")), HEAD SERVER("1", "drain")},
        {ONE(STATE("TASK_UNREACHABLE")), HEAD SERVER("1", "drain")},
        {ONE("{'id':'web.1','state':'TASK_FAILED','ports':[]}"), HEAD "  server-web-web-1 :0 http 1 gone\n"},
        {ONE("{'id':'web.1','host':'; x','state':'TASK_GONE'}"), HEAD "  server-web-web-1 :0 http 1 gone\n"},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(states_without_a_place_make_no_problem)
{
    fixture_view = MAPPER_LIVE;
    check_mapping(ONE("{'id':'web.1','state':'TASK_STAGING','ports':[]}"), HEAD);
    check_mapping(ONE("{'id':'web.1','state':'TASK_STARTING'}"), HEAD);
    check_mapping(ONE("{'id':'web.1','state':'TASK_KILLED'}"), HEAD "  server-web-web-1 :0 http 1 gone\n");
}
END_TEST

#define BAD_ID(raw, shown)                                                                                             \
    HEAD SERVER("1", "ready") "! task-id-invalid " raw " -: its id `" shown                                            \
                              "` has other than letters, digits and . _ - : @ + ~ in it; it is left out\n"

START_TEST(a_task_id_is_plain)
{
    static const struct mapped list[] = {
        {ONE(TASK("a b", "") "," TASK("web.1", "")), BAD_ID("a b", "a b")},
        {ONE(TASK("a;b", "") "," TASK("web.1", "")), BAD_ID("a;b", "a;b")},
        {ONE(TASK("a\\nb", "") "," TASK("web.1", "")), BAD_ID("a\nb", "a\\x0ab")},
        {ONE(TASK("a/b", "") "," TASK("web.1", "")), BAD_ID("a/b", "a/b")},
        {ONE(TASK("gr\xc3\xbcn_web.instance-4c5e._app.1", "")),
         HEAD "  server-web-gr\xc3\xbcn-web-instance-4c5e-app-1 node1:31000 http 1 ready\n"},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(endpoints_stand_in_the_order_of_task_ids)
{
    check_mapping("{'id':'/web','tasks':[" TASK("web.3", "") "," TASK("web.1", "") "," TASK("web.2", "") "]}",
                  HEAD SERVER("1", "ready") SERVER("2", "ready") SERVER("3", "ready"));
}
END_TEST

static enum mapper_standing one_waits(void *arg, const struct marathon_task *task)
{
    return strcmp(task->id, arg) == 0 ? MAPPER_TASK_WAITS : MAPPER_TASK_PLAIN;
}

START_TEST(a_task_that_waits_makes_nothing)
{
    struct mapper *mapper = fixture_mapper();
    struct marathon_app *app = NULL;
    struct app_mapping *mapping = NULL;
    char refused[] = "web.2";
    cleanup_free char *json = fixture_json("{'id':'/web','tasks':[" TASK("web.1", "") "," TASK("web.2", "") "]}");
    ck_assert_int_eq(marathon_app_parse(json, strlen(json), &app, NULL, NULL), 0);
    mapper_map_app(mapper, app, MAPPER_LIVE, FIXTURE_NOW_MS, one_waits, refused, &mapping);
    cleanup_free char *shown = fixture_show(mapping);
    ck_assert_str_eq(shown, HEAD SERVER("1", "ready"));
    app_mapping_free(mapping);
    marathon_app_free(app);
    mapper_free(mapper);
}
END_TEST

/* ---- readiness: the task has run for one minute ---- */

#define CHECKED(check, results, deployments, started)                                                                  \
    "{'id':'/web','readinessChecks':[" check "],'readinessCheckResults':[" results "],'deployments':[" deployments     \
    "],'tasks':[{'id':'web.1','host':'node1','state':'TASK_RUNNING','ports':[31000],'startedAt':'" started "'}]}"
#define DEPLOYED "{'id':'d'}"
#define MINUTE "2026-11-23T00:00:00.000Z"
#define JUST_NOW "2026-11-23T00:00:59.000Z"
#define RESULT(task, ready) "{'taskId':'" task "','ready':" ready "}"

START_TEST(tasks_that_are_not_ready)
{
    fixture_config->mapping.respect_readiness_checks = true;
    static const char *const apps[] = {
        CHECKED("{}", RESULT("web.1", "false"), DEPLOYED, MINUTE),
        CHECKED("{}", RESULT("web.2", "true"), DEPLOYED, JUST_NOW),
        CHECKED("{}", "", DEPLOYED, JUST_NOW),
        CHECKED("{}", "", DEPLOYED, "2026-11-23T00:00:50.001Z"),
        CHECKED("{'timeoutSeconds':0}", "", DEPLOYED, "2026-11-23T00:00:50.001Z"),
        CHECKED("{'timeoutSeconds':3}", "", DEPLOYED, "2026-11-23T00:00:52.001Z"),
        CHECKED("{'timeoutSeconds':56}", "", DEPLOYED, MINUTE),
        CHECKED("{'timeoutSeconds':2147483647}", "", DEPLOYED, MINUTE),
        CHECKED("{}", "", DEPLOYED, "2099-01-01T00:00:00.000Z"),
        CHECKED("{}", "", DEPLOYED, "yesterday"),
        CHECKED("{}", "", DEPLOYED, ""),
    };
    for (size_t i = 0; i < COUNT(apps); i++) {
        check_mapping(apps[i], HEAD);
    }
    fixture_config->mapping.respect_readiness_checks = false;
    for (size_t i = 0; i < COUNT(apps); i++) {
        check_mapping(apps[i], HEAD SERVER("1", "ready"));
    }
}
END_TEST

static enum mapper_standing judged(void *arg, const struct marathon_task *task)
{
    (void)task;
    return *(const enum mapper_standing *)arg;
}

/* What is known of a start counts beside the answer; when age alone would do it is said. */
START_TEST(tasks_whose_start_was_seen)
{
    fixture_config->mapping.respect_readiness_checks = true;
    static const struct {
        const char *app;
        enum mapper_standing standing;
        size_t n_unready;
        size_t n_kept;         /* endpoints that serve on where they do */
        int64_t next_ready_ms; /* after FIXTURE_NOW_MS; 0: none */
    } cases[] = {
        {CHECKED("{}", "", DEPLOYED, "2026-11-23T00:00:50.001Z"), MAPPER_TASK_PLAIN, 1, 1, 1},
        {CHECKED("{'timeoutSeconds':56}", "", DEPLOYED, MINUTE), MAPPER_TASK_PLAIN, 1, 1, 1000},
        {CHECKED("{}", "", DEPLOYED, MINUTE), MAPPER_TASK_PLAIN, 0, 0, 0},
        {CHECKED("{}", "", DEPLOYED, MINUTE), MAPPER_TASK_FRESH, 1, 1, 0},
        {CHECKED("{}", RESULT("web.1", "true"), DEPLOYED, MINUTE), MAPPER_TASK_FRESH, 0, 0, 0},
        {CHECKED("{}", RESULT("web.1", "false"), DEPLOYED, MINUTE), MAPPER_TASK_PLAIN, 1, 0, 0},
        {CHECKED("{}", "", "", MINUTE), MAPPER_TASK_FRESH, 0, 0, 0},
        {CHECKED("{}", "", "", MINUTE), MAPPER_TASK_UNLISTED, 1, 1, 0},
        {CHECKED("{}", RESULT("web.1", "true"), DEPLOYED, MINUTE), MAPPER_TASK_UNLISTED, 1, 1, 0},
        {CHECKED("", "", "", MINUTE), MAPPER_TASK_UNLISTED, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mapper *mapper = fixture_mapper();
        struct marathon_app *app = NULL;
        struct app_mapping *mapping = NULL;
        enum mapper_standing standing = cases[i].standing;
        cleanup_free char *json = fixture_json(cases[i].app);
        ck_assert_int_eq(marathon_app_parse(json, strlen(json), &app, NULL, NULL), 0);
        mapper_map_app(mapper, app, MAPPER_LIVE, FIXTURE_NOW_MS, judged, &standing, &mapping);
        ck_assert_msg(mapping->n_unready == cases[i].n_unready, "case %zu: %zu unready", i, mapping->n_unready);
        ck_assert_uint_eq(mapping->parts[0].n_endpoints, 1 - cases[i].n_unready + cases[i].n_kept);
        ck_assert(cases[i].n_kept == 0 || mapping->parts[0].endpoints[0].kept_only);
        ck_assert_int_eq(mapping->next_ready_ms,
                         cases[i].next_ready_ms ? FIXTURE_NOW_MS + cases[i].next_ready_ms : MARATHON_NO_TIME);
        app_mapping_free(mapping);
        marathon_app_free(app);
        mapper_free(mapper);
    }
}
END_TEST

START_TEST(tasks_that_are_ready)
{
    fixture_config->mapping.respect_readiness_checks = true;
    static const char *const apps[] = {
        CHECKED("{}", RESULT("web.1", "true"), DEPLOYED, JUST_NOW),
        CHECKED("{}", RESULT("web.1", "false"), "", JUST_NOW),
        CHECKED("", RESULT("web.1", "false"), DEPLOYED, "never"),
        CHECKED("{}", "", DEPLOYED, "2026-11-23T00:00:50.000Z"),
        CHECKED("{'timeoutSeconds':0}", "", DEPLOYED, "2026-11-23T00:00:50.000Z"),
        CHECKED("{'timeoutSeconds':3},{'timeoutSeconds':99}", "", DEPLOYED, "2026-11-23T00:00:52.000Z"),
        CHECKED("{'timeoutSeconds':55}", RESULT("web.2", "false"), DEPLOYED, MINUTE),
    };
    for (size_t i = 0; i < COUNT(apps); i++) {
        check_mapping(apps[i], HEAD SERVER("1", "ready"));
    }
}
END_TEST

/* ---- health ---- */

#define RESULTS(list) ",'healthCheckResults':[" list "]"
#define DEAD RESULTS("{'alive':true},{'alive':false}")

/* The marks of what MAPPER_LIVE makes of the app: one letter an endpoint, large when it is unhealthy. */
static void check_health(const char *text, const char *expected)
{
    struct app_mapping *mapping = fixture_map(text);
    char marks[8] = "";
    for (size_t i = 0; i < mapping->parts[0].n_endpoints; i++) {
        const struct endpoint *endpoint = &mapping->parts[0].endpoints[i];
        marks[i] = endpoint_phase_text(endpoint->phase)[0];
        marks[i] = (char)(endpoint->unhealthy ? marks[i] - 'a' + 'A' : marks[i]);
    }
    ck_assert_msg(strcmp(marks, expected) == 0, "%s gives %s", text, marks);
    app_mapping_free(mapping);
}

#define IN_STATE(id, state, rest) "{'id':'" id "','host':'node1','ports':[1],'state':'TASK_" state "'" rest "}"
#define MANY                                                                                                           \
    ONE(IN_STATE("a", "RUNNING", "") "," IN_STATE("b", "RUNNING", DEAD) "," IN_STATE(                                  \
        "c", "RUNNING", RESULTS("")) "," IN_STATE("d", "UNREACHABLE",                                                  \
                                                  DEAD) "," IN_STATE("e", "KILLING", DEAD) "," IN_STATE("f", "FAILED", \
                                                                                                        DEAD))

/* Whether it drains is judged for the service as a whole; here it is only said of running tasks, when that is wanted.
 */
START_TEST(an_unhealthy_task_is_one_when_that_is_wanted)
{
    fixture_view = MAPPER_LIVE;
    check_health(MANY, "rrrddg");
    fixture_config->mapping.drain_unhealthy = true;
    check_health(MANY, "rRrddg");
}
END_TEST

START_TEST(what_is_kept_for_its_readiness_is_not_judged_by_its_health)
{
    fixture_view = MAPPER_LIVE;
    fixture_config->mapping.drain_unhealthy = fixture_config->mapping.respect_readiness_checks = true;
    check_health("{'id':'/web','readinessChecks':[{}],'deployments':[{'id':'d'}],'tasks':["
                 "{'id':'a','host':'n','ports':[1],'state':'TASK_RUNNING','startedAt':'" JUST_NOW "'" DEAD "}]}",
                 "r");
}
END_TEST

/* ---- weight and protocol ---- */

static void check_weight(const char *label, int expected, const char *expected_problem)
{
    cleanup_free char *app = mem_printf(LABELLED("'traefik.weight':'%s'"), label);
    cleanup_free char *text =
        mem_printf(HEAD "  server-web-web-1 node1:31000 http %d ready\n%s", expected, expected_problem);
    check_mapping(app, text);
}

START_TEST(weights)
{
#define NOT_TAKEN(label, taken)                                                                                        \
    "! weight-invalid - -: traefik.weight is `" label "`; a number from 0 to 2147483647 would be right, " taken        \
    " is taken\n"
    check_weight("x", 1, NOT_TAKEN("x", "1"));
    check_weight("1.5", 1, NOT_TAKEN("1.5", "1"));
    check_weight("50%%", 1, NOT_TAKEN("50%%", "1"));
    check_weight("99999999999999999999", 1, NOT_TAKEN("99999999999999999999", "1"));
    check_weight("2147483648", INT32_MAX, NOT_TAKEN("2147483648", "2147483647"));
    check_weight("-1", 1,
                 "! weight-negative - -: traefik.weight is `-1`; a number from 0 to 2147483647 would be right, 1 is "
                 "taken\n");
    check_weight("", 1, "");
    check_weight("0", 0, "");
    check_weight("+07", 7, "");
    check_weight("2147483647", INT32_MAX, "");
    fixture_view = MAPPER_LIVE;
    check_weight("0", 0,
                 "! weight-zero - -: traefik.weight is 0: by its label it takes no traffic (Traefik would have served "
                 "it with 1)\n");
}
END_TEST

START_TEST(protocols)
{
#define UNKNOWN(label)                                                                                                 \
    PLAIN "! protocol-unknown - -: traefik.protocol is `" label "`; http, https, h2c or tcp would be right, http is "  \
          "taken\n"
    static const struct mapped list[] = {
        {LABELLED("'traefik.protocol':'HTTP'"), UNKNOWN("HTTP")},
        {LABELLED("'traefik.protocol':'ftp\\n'"), UNKNOWN("ftp\\x0a")},
        {LABELLED("'traefik.protocol':'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
         UNKNOWN("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...")},
        {LABELLED("'traefik.protocol':''"), PLAIN},
        {LABELLED("'traefik.protocol':'h2c'"), HEAD "  server-web-web-1 node1:31000 h2c 1 ready\n"},
        {LABELLED("'traefik.protocol':'https'"), HEAD "  server-web-web-1 node1:31000 https 1 ready\n"},
        {LABELLED("'traefik.protocol':'tcp'"), "backend-web frontend-web tcp 27 Host:web.marathon.localhost\n"
                                               "  server-web-web-1 node1:31000 tcp 1 ready\n"},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

/* ---- limits ---- */

/* An app with that many running tasks. */
static char *app_with_tasks(int count, const char *labels, const char *ports)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "{'id':'/web','labels':{%s},'tasks':[", labels);
    for (int i = 0; i < count; i++) {
        buf_printf(&text, "%s{'id':'t%06d','host':'n','state':'TASK_RUNNING','ports':[%s]}", i ? "," : "", i, ports);
    }
    buf_puts(&text, "]}");
    return buf_steal(&text);
}

START_TEST(endpoints_of_an_app_have_a_limit)
{
    cleanup_free char *app =
        app_with_tasks(40000, "'traefik.a.port':'1','traefik.b.port':'2','traefik.c.port':'3'", "");
    struct app_mapping *mapping = fixture_map(app);
    ck_assert_uint_eq(mapping->n_parts, 3);
    ck_assert_uint_eq(mapping->parts[0].n_endpoints, 40000);
    ck_assert_uint_eq(mapping->parts[1].n_endpoints, 25536);
    ck_assert_uint_eq(mapping->parts[2].n_endpoints, 0);
    ck_assert_uint_eq(mapping->problems.count, 2);
    ck_assert_str_eq(mapping->problems.items[0].code, "too-many-endpoints");
    ck_assert_str_eq(mapping->problems.items[1].segment, "c");
    app_mapping_free(mapping);
}
END_TEST

START_TEST(problems_of_an_app_have_a_limit)
{
    cleanup_free char *app =
        app_with_tasks(20000, "'traefik.portIndex':'3','traefik.a.weight':'1','traefik.b.weight':'1'", "80");
    struct app_mapping *mapping = fixture_map(app);
    ck_assert_uint_eq(mapping->problems.count, 1000);
    ck_assert_str_eq(mapping->problems.items[998].code, "port-index-out-of-range");
    ck_assert_str_eq(mapping->problems.items[999].code, "too-many-problems");
    ck_assert_str_eq(mapping->problems.items[999].message,
                     "more than 999 problems were found; the others are not listed");
    app_mapping_free(mapping);
}
END_TEST

/* ---- hostile labels: whatever they hold, what HAProxy would see is clean ---- */

static void check_clean(const struct app_mapping *mapping)
{
    for (size_t p = 0; p < mapping->n_parts; p++) {
        const struct service_part *part = &mapping->parts[p];
        ck_assert_msg(text_is_haproxy_name(part->backend), "%s", part->backend);
        for (size_t e = 0; e < part->n_endpoints; e++) {
            const struct endpoint *endpoint = &part->endpoints[e];
            ck_assert(text_is_ip(endpoint->host) || text_is_host_name(endpoint->host));
            ck_assert(endpoint->port >= 1 && endpoint->port <= 65535);
        }
    }
    for (size_t i = 0; i < mapping->problems.count; i++) {
        for (const char *c = mapping->problems.items[i].message; *c; c++) {
            ck_assert_msg((unsigned char)*c >= 0x20 && *c != 0x7f, "%s", mapping->problems.items[i].message);
        }
        ck_assert_uint_lt(strlen(mapping->problems.items[i].message), 500);
    }
}

static void check_hostile(const char *value)
{
    static const char *const names[] = {"port",          "portIndex",         "portName",     "weight",
                                        "protocol",      "backend",           "tags",         "enable",
                                        "frontend.rule", "frontend.priority", "ipAddressIdx", "domain"};
    for (size_t i = 0; i < 2 * COUNT(names); i++) {
        cleanup_free char *app = mem_printf(
            "{'id':'/"
            "web','networks':[{'mode':'%s'}],'labels':{'traefik.%s%s':'%s'},'tasks':[{'id':'web.1','host':'node1',"
            "'state':'TASK_RUNNING','ports':[80],'ipAddresses':[{'ipAddress':'::1'},{'ipAddress':'1.1.1.1'}]}]}",
            i % 3 == 0 ? "container" : "host", i % 2 == 0 ? "" : "seg.", names[i / 2], value);
        struct app_mapping *mapping = fixture_map(app);
        check_clean(mapping);
        app_mapping_free(mapping);
    }
    cleanup_free char *segment = mem_printf(LABELLED("'traefik.%s.port':'80'"), value);
    struct app_mapping *mapping = fixture_map(segment);
    check_clean(mapping);
    app_mapping_free(mapping);
}

START_TEST(hostile_labels)
{
    static const char *const values[] = {
        "a b",
        "a;disable server x/y",
        "80\\nset server a/b state maint",
        "\\r\\n",
        "\\u001b[2J",
        "\\u007f",
        "\\u0085\\u202e",
        "%s%n",
        "../../etc",
        "\xc3\xa9\xc3\xa9",
        "\xff\xfe",
        "-9223372036854775808",
        "9223372036854775808",
        "0x10",
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        check_hostile(values[i]);
    }
}
END_TEST

START_TEST(long_labels)
{
    static const char *const pieces[] = {"x", "0", "9", "-", "\xc3\xa9", "a,", ".", "\xc3\xa9."};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        cleanup_buf struct buf value = BUF_INIT;
        while (value.len < 1 << 20) {
            buf_puts(&value, pieces[i]);
        }
        check_hostile(buf_text(&value));
    }
}
END_TEST

static Suite *mapper_suite(void)
{
    Suite *suite = suite_create("mapper");
    TCase *tasks = fixture_case(suite, "tasks");
    tcase_add_test(tasks, offline_only_running_tasks_count);
    tcase_add_test(tasks, live_every_state_has_its_phase);
    tcase_add_test(tasks, states_without_a_place_make_no_problem);
    tcase_add_test(tasks, a_task_id_is_plain);
    tcase_add_test(tasks, endpoints_stand_in_the_order_of_task_ids);
    tcase_add_test(tasks, a_task_that_waits_makes_nothing);
    tcase_add_test(tasks, tasks_whose_start_was_seen);
    tcase_add_test(tasks, tasks_that_are_not_ready);
    tcase_add_test(tasks, tasks_that_are_ready);
    tcase_add_test(tasks, an_unhealthy_task_is_one_when_that_is_wanted);
    tcase_add_test(tasks, what_is_kept_for_its_readiness_is_not_judged_by_its_health);
    TCase *values = fixture_case(suite, "values");
    tcase_add_test(values, weights);
    tcase_add_test(values, protocols);
    TCase *limits = fixture_case(suite, "limits");
    tcase_set_timeout(limits, 60);
    tcase_add_test(limits, endpoints_of_an_app_have_a_limit);
    tcase_add_test(limits, problems_of_an_app_have_a_limit);
    tcase_add_test(limits, hostile_labels);
    tcase_add_test(limits, long_labels);
    return suite;
}

SUITE_MAIN(mapper_suite)
