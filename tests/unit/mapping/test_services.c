/* SPDX-License-Identifier: MIT */
/* Services joined from apps while apps come, change and go; and weights as HAProxy takes them. */
#include "mapping_fixture.h"

static struct services *services;

static void services_setup(void)
{
    fixture_setup();
    services = services_new(1);
}

static void services_teardown(void)
{
    services_free(services);
    fixture_teardown();
}

static void put(const char *app)
{
    services_set_app(services, fixture_map(app));
}

/* An app with a service name of its own choice, one task and one more label. */
static void put_shared(const char *id, const char *backend, const char *label)
{
    cleanup_free char *app = mem_printf("{'id':'/%s','labels':{'traefik.backend':'-%s'%s},'tasks':[{'id':'%s.1',"
                                        "'host':'n','state':'TASK_RUNNING','ports':[80]}]}",
                                        id, backend, label, id);
    put(app);
}

static void show_service(struct buf *text, const struct service *service)
{
    buf_printf(text, "%s=%s %s %s:", service->name, service->backend, service->mode,
               service->gone ? "gone" : service->rule);
    for (size_t i = 0; i < service->n_parts; i++) {
        buf_printf(text, " %s%s%s/%zu", service->parts[i]->app, service->parts[i]->segment[0] ? "#" : "",
                   service->parts[i]->segment, service->parts[i]->n_endpoints);
    }
    buf_putc(text, '\n');
}

static void check_changed(const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    const struct service *service;
    while ((service = services_next_changed(services))) {
        show_service(&text, service);
    }
    ck_assert_str_eq(buf_text(&text), expected);
}

static void check_list(const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    size_t count = 0;
    const struct service **list = services_list(services, &count);
    for (size_t i = 0; i < count; i++) {
        show_service(&text, list[i]);
        ck_assert_ptr_eq(services_get(services, list[i]->name), list[i]);
        ck_assert_ptr_eq(services_get_backend(services, list[i]->backend), list[i]);
    }
    free(list);
    ck_assert_str_eq(buf_text(&text), expected);
}

static void check_problems(const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    size_t count = 0;
    const struct problem **list = services_list_problems(services, &count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s ", list[i]->app);
        fixture_show_problem(&text, list[i]);
    }
    free(list);
    ck_assert_str_eq(buf_text(&text), expected);
}

/* ---- change by change ---- */

START_TEST(nothing_is_there_at_first)
{
    check_changed("");
    check_list("");
    check_problems("");
    services_remove_app(services, "/web");
    check_changed("");
    ck_assert_ptr_null(services_get(services, "backend-web"));
    ck_assert_ptr_null(services_get_backend(services, "backend-web"));
    ck_assert_ptr_null(services_get_app(services, "/web"));
    ck_assert_uint_eq(services_count(services), 0);
    services_free(NULL);
}
END_TEST

#define WEB "backend-web=backend-web http Host:web.marathon.localhost:"

START_TEST(an_app_comes_changes_and_goes)
{
    put(LABELLED(""));
    check_changed(WEB " /web/1\n");
    check_changed("");
    put(LABELLED("'traefik.weight':'2'"));
    check_changed(WEB " /web/1\n");
    put("{'id':'/web'}");
    check_changed(WEB " /web/0\n");
    services_remove_app(services, "/web");
    ck_assert_ptr_null(services_get(services, "backend-web"));
    check_changed("backend-web=backend-web http gone:\n");
    check_changed("");
    ck_assert_uint_eq(services_count(services), 0);
}
END_TEST

START_TEST(what_does_not_change_is_not_reported)
{
    static const char *const equal[] = {
        LABELLED(""),
        LABELLED("'other':'label'"),
        LABELLED("'traefik.weight':'1'"),
        LABELLED("'traefik.port':'31000'"),
        "{'id':'/web','instances':5,'version':'x','tasks':[" TASK("web.1", "") "]}",
    };
    put(LABELLED(""));
    check_changed(WEB " /web/1\n");
    for (size_t i = 0; i < COUNT(equal); i++) {
        put(equal[i]);
        check_changed("");
    }
    check_list(WEB " /web/1\n");
}
END_TEST

START_TEST(each_thing_that_an_endpoint_has_counts)
{
    static const char *const other[] = {
        LABELLED("'traefik.weight':'3'"),
        LABELLED("'traefik.port':'80'"),
        LABELLED("'traefik.protocol':'https'"),
        LABELLED("'traefik.frontend.priority':'3'"),
        "{'id':'/web','tasks':[{'id':'web.1','host':'node2','state':'TASK_RUNNING','ports':[31000]}]}",
        "{'id':'/web','tasks':[{'id':'web.1','host':'node1','state':'TASK_KILLING','ports':[31000]}]}",
        "{'id':'/web','tasks':[" TASK("web.1", ",'healthCheckResults':[{'alive':false}]") "]}",
        "{'id':'/web','tasks':[" TASK("web.2", "") "]}",
        "{'id':'/web','tasks':[" TASK("web.1", "") "," TASK("web.2", "") "]}",
    };
    fixture_view = MAPPER_LIVE;
    fixture_config->mapping.drain_unhealthy = true;
    for (size_t i = 0; i < COUNT(other); i++) {
        put(LABELLED(""));
        while (services_next_changed(services)) {
        }
        put(other[i]);
        ck_assert_msg(services_next_changed(services) != NULL, "%s", other[i]);
    }
}
END_TEST

START_TEST(a_service_that_comes_back_was_never_gone)
{
    put(LABELLED(""));
    services_remove_app(services, "/web");
    put(LABELLED(""));
    check_changed(WEB " /web/1\n");
    services_remove_app(services, "/web");
    check_list("");
    put("{'id':'/web'}");
    check_changed(WEB " /web/0\n");
    check_list(WEB " /web/0\n");
}
END_TEST

START_TEST(a_service_that_comes_and_goes_unseen_is_gone)
{
    put(LABELLED(""));
    services_remove_app(services, "/web");
    check_list("");
    check_changed("backend-web=backend-web http gone:\n");
    check_changed("");
}
END_TEST

START_TEST(a_renamed_service_is_a_new_one)
{
    put(LABELLED(""));
    check_changed(WEB " /web/1\n");
    put(LABELLED("'traefik.backend':'-x'"));
    check_changed("backend-web=backend-web http gone:\n"
                  "backend-x=backend-x http Host:web.marathon.localhost: /web/1\n");
}
END_TEST

START_TEST(an_app_that_is_no_longer_exposed_leaves)
{
    put(LABELLED(""));
    check_changed(WEB " /web/1\n");
    put(LABELLED("'traefik.enable':'false'"));
    check_changed("backend-web=backend-web http gone:\n");
    ck_assert_ptr_nonnull(services_get_app(services, "/web"));
    ck_assert_uint_eq(services_get_app(services, "/web")->n_parts, 0);
}
END_TEST

/* ---- services of several apps ---- */

START_TEST(the_first_app_by_id_gives_the_rule)
{
    put_shared("b", "x", "");
    check_changed("backend-x=backend-x http Host:b.marathon.localhost: /b/1\n");
    put_shared("c", "x", "");
    check_changed("backend-x=backend-x http Host:b.marathon.localhost: /b/1 /c/1\n");
    put_shared("a", "x", "");
    check_changed("backend-x=backend-x http Host:a.marathon.localhost: /a/1 /b/1 /c/1\n");
    services_remove_app(services, "/a");
    check_changed("backend-x=backend-x http Host:b.marathon.localhost: /b/1 /c/1\n");
    put_shared("b", "y", "");
    check_changed("backend-x=backend-x http Host:c.marathon.localhost: /c/1\n"
                  "backend-y=backend-y http Host:b.marathon.localhost: /b/1\n");
}
END_TEST

START_TEST(only_the_services_that_differ_are_reported)
{
    put(LABELLED("'traefik.a.port':'1','traefik.b.port':'2','traefik.c.port':'3'"));
    while (services_next_changed(services)) {
    }
    put(LABELLED("'traefik.a.port':'1','traefik.b.port':'9','traefik.d.port':'3'"));
    check_changed("backend-web-service-b=backend-web-service-b http Host:b.web.marathon.localhost: /web#b/1\n"
                  "backend-web-service-c=backend-web-service-c http gone:\n"
                  "backend-web-service-d=backend-web-service-d http Host:d.web.marathon.localhost: /web#d/1\n");
}
END_TEST

START_TEST(segments_may_share_a_service)
{
    put(LABELLED("'traefik.a.port':'1','traefik.b.port':'2','traefik.backend':'-x'"));
    check_changed("backend-x=backend-x http Host:a.web.marathon.localhost: /web#a/1 /web#b/1\n");
}
END_TEST

/* ---- problems ---- */

START_TEST(problems_stand_in_the_order_of_apps)
{
    put_shared("b", "x", ",'traefik.weight':'x','traefik.portIndex':'7'");
    put_shared("a", "y", ",'traefik.weight':'y'");
    check_problems("/a ! weight-invalid - -: traefik.weight is `y`; a number from 0 to 2147483647 would be right, 1 is "
                   "taken\n"
                   "/b ! weight-invalid - -: traefik.weight is `x`; a number from 0 to 2147483647 would be right, 1 is "
                   "taken\n"
                   "/b ! port-index-out-of-range b.1 -: traefik.portIndex is 7; there are the ports 0 to 0\n");
    put_shared("b", "x", "");
    services_remove_app(services, "/a");
    check_problems("");
}
END_TEST

START_TEST(a_service_has_one_mode)
{
#define CONFLICT                                                                                                       \
    "/b ! mode-conflict - -: its protocol asks for mode tcp, but the service backend-x has mode http from the app "    \
    "/a; "                                                                                                             \
    "that stays\n"
    put_shared("b", "x", ",'traefik.protocol':'tcp'");
    check_changed("backend-x=backend-x tcp Host:b.marathon.localhost: /b/1\n");
    check_problems("");
    put_shared("a", "x", "");
    check_changed("backend-x=backend-x http Host:a.marathon.localhost: /a/1 /b/1\n");
    check_problems(CONFLICT);
    put_shared("a", "x", ",'traefik.protocol':'https'");
    check_problems(CONFLICT);
    put_shared("a", "x", ",'traefik.protocol':'tcp'");
    check_problems("");
    put_shared("a", "x", "");
    services_remove_app(services, "/b");
    check_problems("");
    put_shared("b", "x", ",'traefik.protocol':'tcp'");
    services_remove_app(services, "/a");
    check_problems("");
}
END_TEST

/* ---- a listener that believes the reports knows what is there ---- */

enum { STEPS = 2000, APPS = 6, SERVICES = 16 };

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % limit;
}

static char *random_app(void)
{
    static const char *const backends[] = {"", ",'traefik.backend':'-x'", ",'traefik.backend':'-y'"};
    static const char *const protocols[] = {"", "", ",'traefik.protocol':'tcp'"};
    static const char *const segments[] = {"", "", ",'traefik.s.port':'80'"};
    unsigned id = random_below(APPS);
    return mem_printf("{'id':'/%u','labels':{'traefik.weight':'%u'%s%s%s},'tasks':[{'id':'%u.1','host':'n',"
                      "'state':'TASK_RUNNING','ports':[80]}]}",
                      id, random_below(2), backends[random_below(3)], protocols[random_below(3)],
                      segments[random_below(3)], id);
}

/* What the listener knows: one line for each service. */
static char *known[SERVICES];

static char **find_known(const char *name)
{
    char **room = NULL;
    size_t len = strlen(name);
    for (size_t i = 0; i < SERVICES; i++) {
        if (known[i] && strncmp(known[i], name, len) == 0 && known[i][len] == '=') {
            return &known[i];
        }
        room = known[i] ? room : &known[i];
    }
    ck_assert_ptr_nonnull(room);
    return room;
}

static char *full_line(const struct service *service)
{
    struct buf text = BUF_INIT;
    show_service(&text, service);
    for (size_t i = 0; i < service->n_parts; i++) {
        fixture_show_part(&text, service->parts[i]);
    }
    return buf_steal(&text);
}

static void take_reports(void)
{
    const struct service *service;
    while ((service = services_next_changed(services))) {
        char **line = find_known(service->name);
        free(*line);
        *line = service->gone ? NULL : full_line(service);
    }
}

static void check_known(void)
{
    size_t count = 0;
    size_t n_known = 0;
    const struct service **list = services_list(services, &count);
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *line = full_line(list[i]);
        char **mine = find_known(list[i]->name);
        ck_assert_msg(*mine && strcmp(*mine, line) == 0, "%s known as %s", line, *mine ? *mine : "nothing");
    }
    for (size_t i = 0; i < SERVICES; i++) {
        n_known += known[i] != NULL;
    }
    ck_assert_uint_eq(n_known, count);
    free(list);
}

START_TEST(reports_tell_everything)
{
    random_state = 7;
    for (int step = 0; step < STEPS; step++) {
        if (random_below(4) == 0) {
            cleanup_free char *id = mem_printf("/%u", random_below(APPS));
            services_remove_app(services, id);
        } else {
            cleanup_free char *app = random_app();
            put(app);
        }
        if (random_below(3) == 0) {
            take_reports();
            check_known();
        }
    }
    for (size_t i = 0; i < SERVICES; i++) {
        free(known[i]);
    }
}
END_TEST

/* ---- weights ---- */

static void check_scaled(const int32_t *given, const uint16_t *expected, size_t count)
{
    uint16_t scaled[8] = {0};
    weights_scale(given, count, scaled);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(scaled[i] == expected[i], "weight %zu: %u, expected %u", i, scaled[i], expected[i]);
    }
}
#define SCALED(given, expected)                                                                                        \
    check_scaled((const int32_t[])given, (const uint16_t[])expected, COUNT(((int32_t[])given)))
#define W(...)                                                                                                         \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

START_TEST(what_drains_for_its_health_is_bounded)
{
    static const struct {
        size_t serving, failing;
        int percent;
        bool drains;
    } cases[] = {
        {100, 49, 50, true}, {100, 50, 50, true}, {100, 51, 50, false}, {2, 1, 50, true},          {2, 1, 49, false},
        {3, 1, 33, false},   {3, 1, 34, true},    {1, 1, 50, false},    {1, 1, 99, false},         {1, 1, 100, true},
        {9, 9, 100, true},   {1000, 1, 0, false}, {9, 0, 0, true},      {65536, 32769, 50, false}, {0, 0, 50, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct service_health health = {cases[i].serving, cases[i].failing};
        ck_assert_msg(health_may_drain(&health, cases[i].percent) == cases[i].drains, "case %zu", i);
    }
}
END_TEST

START_TEST(weights_are_scaled)
{
    weights_scale(NULL, 0, NULL);
    SCALED(W(1), W(1));
    SCALED(W(0), W(1));
    SCALED(W(0, 0), W(1, 1));
    SCALED(W(0, 5), W(0, 5));
    SCALED(W(1, 256), W(1, 256));
    SCALED(W(1, 257), W(1, 256));
    SCALED(W(128, 512), W(64, 256));
    SCALED(W(0, 1, 1000000), W(0, 1, 256));
    SCALED(W(INT32_MAX, INT32_MAX - 1, INT32_MAX / 2, 1), W(256, 255, 127, 1));
    SCALED(W(-5, 3), W(0, 3));
    SCALED(W(INT32_MIN, -1), W(1, 1));
}
END_TEST

static Suite *services_suite(void)
{
    Suite *suite = suite_create("services");
    TCase *tests = tcase_create("services");
    tcase_add_checked_fixture(tests, services_setup, services_teardown);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, nothing_is_there_at_first);
    tcase_add_test(tests, an_app_comes_changes_and_goes);
    tcase_add_test(tests, what_does_not_change_is_not_reported);
    tcase_add_test(tests, each_thing_that_an_endpoint_has_counts);
    tcase_add_test(tests, a_service_that_comes_back_was_never_gone);
    tcase_add_test(tests, a_service_that_comes_and_goes_unseen_is_gone);
    tcase_add_test(tests, a_renamed_service_is_a_new_one);
    tcase_add_test(tests, an_app_that_is_no_longer_exposed_leaves);
    tcase_add_test(tests, the_first_app_by_id_gives_the_rule);
    tcase_add_test(tests, only_the_services_that_differ_are_reported);
    tcase_add_test(tests, segments_may_share_a_service);
    tcase_add_test(tests, problems_stand_in_the_order_of_apps);
    tcase_add_test(tests, a_service_has_one_mode);
    tcase_add_test(tests, reports_tell_everything);
    tcase_add_test(tests, what_drains_for_its_health_is_bounded);
    tcase_add_test(tests, weights_are_scaled);
    return suite;
}

SUITE_MAIN(services_suite)
