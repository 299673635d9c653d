/* SPDX-License-Identifier: MIT */
/* The labels of a backend's health check: what is taken, what is refused and with which words, and what parts of one
 * service do with each other's. */
#include "mapping_fixture.h"

#define CHECK(name, value) "'traefik.backend.healthcheck." name "':'" value "'"
#define PATH_WRONG                                                                                                     \
    "`; a path such as /healthz?deep=1 of at most 1024 bytes would be right: letters, digits, "                        \
    "-._~!$&()*+,=:@/? and %XX. It is left out"

/* Path, host and port of each part, then the problems. */
static void check_labels(const char *labels, const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_free char *app = mem_printf("{'id':'/web','labels':{%s}}", labels);
    struct app_mapping *mapping = fixture_map(app);
    for (size_t i = 0; i < mapping->n_parts; i++) {
        const struct service_check *check = &mapping->parts[i].check;
        buf_printf(&text, "%s%s%s %s %u\n", mapping->parts[i].segment, mapping->parts[i].segment[0] ? ": " : "",
                   check->path ? check->path : "-", check->host ? check->host : "-", (unsigned)check->port);
    }
    for (size_t i = 0; i < mapping->problems.count; i++) {
        fixture_show_problem(&text, &mapping->problems.items[i]);
    }
    app_mapping_free(mapping);
    ck_assert_msg(strcmp(buf_text(&text), expected) == 0, "%s\ngives\n%s\nexpected\n%s", labels, buf_text(&text),
                  expected);
}

START_TEST(paths_that_are_not_taken)
{
    static const struct {
        const char *label, *shown;
    } bad[] = {
        {"/a b", "/a b"},
        {"/a;set server x/y state maint", "/a;set server x/y state maint"},
        {"/a\\nshow info", "/a\\x0ashow info"},
        {"/a\\r", "/a\\x0d"},
        {"/a\\\\b", "/a\\b"},
        {"/a#b", "/a#b"},
        {"/a`b", "/a`b"},
        {"/a<<", "/a<<"},
        {"/%[be_name]", "/%[be_name]"},
        {"/100%", "/100%"},
        {"/%2", "/%2"},
        {"/%zz", "/%zz"},
        {"/\\u00e9", "/\xc3\xa9"},
        {"/a\\\"b", "/a\"b"},
        {"/{a}", "/{a}"},
        {"/\\u007f", "/\\x7f"},
        {"//other/x", "//other/x"},
        {"http://other/x", "http://other/x"},
        {"mailto:x", "mailto:x"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *labels = mem_printf(CHECK("path", "%s"), bad[i].label);
        cleanup_free char *expected =
            mem_printf("- - 0\n! healthcheck-path-invalid - -: traefik.backend.healthcheck.path is `%s%s\n",
                       bad[i].shown, PATH_WRONG);
        check_labels(labels, expected);
    }
}
END_TEST

START_TEST(paths_that_are_taken)
{
    check_labels("", "- - 0\n");
    check_labels(CHECK("path", ""), "- - 0\n");
    check_labels(CHECK("path", "/"), "/ - 0\n");
    check_labels(CHECK("path", "/healthz?deep=1&x=%20y"), "/healthz?deep=1&x=%20y - 0\n");
    check_labels(CHECK("path", "/-._~!$&()*+,=:@/?%2F"), "/-._~!$&()*+,=:@/?%2F - 0\n");
    /* As Traefik resolves them. */
    check_labels(CHECK("path", "healthz"), "/healthz - 0\n");
    check_labels(CHECK("path", "?x=1"), "/?x=1 - 0\n");
    check_labels(CHECK("path", "a/b:c"), "/a/b:c - 0\n");
}
END_TEST

START_TEST(paths_have_a_longest)
{
    char path[1026] = "/";
    memset(path + 1, 'x', 1024);
    cleanup_free char *longer = mem_printf(CHECK("path", "%s"), path);
    cleanup_free char *refused = mem_printf("- - 0\n! healthcheck-path-invalid - -: traefik.backend.healthcheck.path "
                                            "is `%.60s...%s\n",
                                            path, PATH_WRONG);
    check_labels(longer, refused);
    cleanup_free char *joined = mem_printf(CHECK("path", "%s"), path + 1);
    cleanup_free char *also_refused = mem_printf("- - 0\n! healthcheck-path-invalid - -: "
                                                 "traefik.backend.healthcheck.path is `%.60s...%s\n",
                                                 path + 1, PATH_WRONG);
    check_labels(joined, also_refused);
    path[1024] = '\0';
    cleanup_free char *longest = mem_printf(CHECK("path", "%s"), path);
    cleanup_free char *taken = mem_printf("%s - 0\n", path);
    check_labels(longest, taken);
}
END_TEST

START_TEST(host_names)
{
    check_labels(CHECK("hostname", "web.example.com"), "- web.example.com 0\n");
    check_labels(CHECK("hostname", "10.0.0.1"), "- 10.0.0.1 0\n");
    static const char *const bad[] = {"a b", "a;b", "a:80", "[::1]", "a/b", "%[src]", "-.-..x"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *labels = mem_printf(CHECK("hostname", "%s"), bad[i]);
        cleanup_free char *expected = mem_printf(
            "- - 0\n! healthcheck-hostname-invalid - -: traefik.backend.healthcheck.hostname is `%s`; a host "
            "name such as web.example.com would be right. It is left out\n",
            bad[i]);
        check_labels(labels, expected);
    }
}
END_TEST

START_TEST(ports)
{
    check_labels(CHECK("port", "1"), "- - 1\n");
    check_labels(CHECK("port", "65535"), "- - 65535\n");
    static const char *const bad[] = {"0", "65536", "-1", "http", "80 ", "99999999999999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *labels = mem_printf(CHECK("port", "%s"), bad[i]);
        cleanup_free char *expected =
            mem_printf("- - 0\n! healthcheck-port-invalid - -: traefik.backend.healthcheck.port is `%s`; 1 to 65535 "
                       "would be right. It is left out\n",
                       bad[i]);
        check_labels(labels, expected);
    }
}
END_TEST

START_TEST(what_no_label_can_change)
{
#define FIXED(scheme, protocol, option)                                                                                \
    "- - 0\n! healthcheck-scheme-fixed - -: traefik.backend.healthcheck.scheme is " scheme                             \
    ", but its protocol is " protocol ", and no label can change whether a check speaks TLS: the backend's "           \
    "server-template has to say " option "\n"
    check_labels(CHECK("scheme", "http"), "- - 0\n");
    check_labels(CHECK("scheme", "https") ",'traefik.protocol':'https'", "- - 0\n");
    check_labels(CHECK("scheme", "http") ",'traefik.protocol':'tcp'", "- - 0\n");
    check_labels(CHECK("scheme", "https"), FIXED("https", "http", "check-ssl"));
    check_labels(CHECK("scheme", "http") ",'traefik.protocol':'https'", FIXED("http", "https", "no-check-ssl"));
    check_labels(CHECK("scheme", "HTTP"), "- - 0\n! healthcheck-scheme-invalid - -: traefik.backend.healthcheck.scheme "
                                          "is `HTTP`; http or https would be right. It is left out\n");
    check_labels(CHECK("interval", "5s"),
                 "- - 0\n! healthcheck-interval-fixed - -: traefik.backend.healthcheck.interval cannot be changed at "
                 "run time: `check inter` of the backend's server-template has to say it\n");
    check_labels(CHECK("headers", "X-A:b"),
                 "- - 0\n! healthcheck-headers-fixed - -: traefik.backend.healthcheck.headers cannot be changed at run "
                 "time: `http-check send` of the backend has to name them\n");
}
END_TEST

START_TEST(segments_have_their_own_and_inherit)
{
    check_labels(CHECK("path", "/all") "," CHECK("port", "81") ",'traefik.api.port':'1','traefik.www.port':'2'",
                 "api: /all - 81\nwww: /all - 81\n");
    check_labels(CHECK("path", "/all") ",'traefik.api.port':'1','traefik.www.port':'2',"
                                       "'traefik.api.backend.healthcheck.path':'/api',"
                                       "'traefik.api.backend.healthcheck.port':'82'",
                 "api: /api - 82\nwww: /all - 0\n");
    /* Empty: the segment's own is that there is none. */
    check_labels(CHECK("path", "/all") ",'traefik.api.port':'1','traefik.api.backend.healthcheck.path':''",
                 "api: - - 0\n");
}
END_TEST

START_TEST(the_prefix_is_the_configured_one)
{
    fixture_set(&fixture_config->mapping.label_prefix, "edge");
    check_labels(CHECK("path", "/x") ",'edge.backend.healthcheck.port':'x'",
                 "- - 0\n! healthcheck-port-invalid - -: edge.backend.healthcheck.port is `x`; 1 to 65535 would be "
                 "right. It is left out\n");
    check_labels("'edge.backend.healthcheck.path':'/y'", "/y - 0\n");
}
END_TEST

/* ---- in one service ---- */

static struct services *services;

static void put(const char *id, const char *labels)
{
    cleanup_free char *app = mem_printf("{'id':'/%s','labels':{'traefik.backend':'-x'%s}}", id, labels);
    services_set_app(services, fixture_map(app));
}

static void check_service(const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    const struct service *service = services_get(services, "backend-x");
    size_t count = 0;
    const struct problem **list = services_list_problems(services, &count);
    buf_printf(&text, "%s %s %u", service->check.path ? service->check.path : "-",
               service->check.host ? service->check.host : "-", (unsigned)service->check.port);
    for (size_t i = 0; i < count; i++) {
        const char *label = strstr(list[i]->message, "backend.healthcheck.");
        buf_printf(&text, " %s:%s:%.*s", list[i]->app, list[i]->code, label ? (int)strcspn(label, " ") : 0, label);
    }
    free(list);
    ck_assert_str_eq(buf_text(&text), expected);
}

START_TEST(the_first_app_that_has_the_label_decides)
{
    services = services_new(1);
    put("b", "," CHECK("path", "/b"));
    put("c", "");
    check_service("/b - 0");
    put("a", "," CHECK("port", "81"));
    check_service("/b - 81");
    put("c", "," CHECK("path", "/b") "," CHECK("hostname", "c"));
    check_service("/b c 81");
    put("d", "," CHECK("path", "/d") "," CHECK("port", "82"));
    check_service("/b c 81 /d:healthcheck-clash:backend.healthcheck.path");
    put("d", "," CHECK("port", "82"));
    check_service("/b c 81 /d:healthcheck-clash:backend.healthcheck.port");
    put("d", "," CHECK("hostname", "d"));
    check_service("/b c 81 /d:healthcheck-clash:backend.healthcheck.hostname");
    put("a", "," CHECK("path", "/a"));
    check_service("/a c 0 /b:healthcheck-clash:backend.healthcheck.path /c:healthcheck-clash:backend.healthcheck.path "
                  "/d:healthcheck-clash:backend.healthcheck.hostname");
    services_remove_app(services, "/a");
    services_remove_app(services, "/d");
    check_service("/b c 0");
    services_free(services);
}
END_TEST

START_TEST(another_check_is_a_change)
{
    static const char *const other[] = {"," CHECK("path", "/y"), "," CHECK("hostname", "y"), "," CHECK("port", "80"),
                                        ""};
    services = services_new(1);
    put("a", "," CHECK("path", "/x"));
    ck_assert_ptr_nonnull(services_next_changed(services));
    put("a", "," CHECK("path", "/x"));
    ck_assert_ptr_null(services_next_changed(services));
    for (size_t i = 0; i < COUNT(other); i++) {
        put("a", other[i]);
        ck_assert_ptr_nonnull(services_next_changed(services));
    }
    services_free(services);
}
END_TEST

static Suite *healthcheck_suite(void)
{
    Suite *suite = suite_create("healthcheck");
    TCase *tests = fixture_case(suite, "healthcheck");
    tcase_add_test(tests, paths_that_are_not_taken);
    tcase_add_test(tests, paths_that_are_taken);
    tcase_add_test(tests, paths_have_a_longest);
    tcase_add_test(tests, host_names);
    tcase_add_test(tests, ports);
    tcase_add_test(tests, what_no_label_can_change);
    tcase_add_test(tests, segments_have_their_own_and_inherit);
    tcase_add_test(tests, the_prefix_is_the_configured_one);
    tcase_add_test(tests, the_first_app_that_has_the_label_decides);
    tcase_add_test(tests, another_check_is_a_change);
    return suite;
}

SUITE_MAIN(healthcheck_suite)
