/* SPDX-License-Identifier: MIT */
/* The labels tcp.port and tcp.sni: where they stand in Traefik's grammar of segments, what is refused and with which
 * words, and what parts of one service do with each other's. */
#include "mapping_fixture.h"

#define L(name, value) "'traefik." name "':'" value "'"
#define TCP L("protocol", "tcp")

/* Segment, mode, port and names of each part, then the problems. */
static void check_labels(const char *labels, const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_free char *app = mem_printf("{'id':'/db','labels':{%s}}", labels);
    struct app_mapping *mapping = fixture_map(app);
    for (size_t i = 0; i < mapping->n_parts; i++) {
        const struct service_part *part = &mapping->parts[i];
        buf_printf(&text, "%s%s%s %u", part->segment, part->segment[0] ? ": " : "", part->mode,
                   (unsigned)part->tcp.port);
        for (size_t n = 0; n < part->tcp.n_names; n++) {
            buf_printf(&text, " %s", part->tcp.names[n]);
        }
        buf_puts(&text, "\n");
    }
    for (size_t i = 0; i < mapping->problems.count; i++) {
        fixture_show_problem(&text, &mapping->problems.items[i]);
    }
    app_mapping_free(mapping);
    ck_assert_msg(strcmp(buf_text(&text), expected) == 0, "%s\ngives\n%s\nexpected\n%s", labels, buf_text(&text),
                  expected);
}

/* ---- what is refused ---- */

START_TEST(ports_that_are_none)
{
    static const char *const bad[] = {"0", "-1", "65536", "5432x", "port", " 5432", "0x10", "99999999999999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *labels = mem_printf(TCP "," L("tcp.port", "%s"), bad[i]);
        cleanup_free char *expected = mem_printf(
            "tcp 0\n! tcp-port-invalid - -: traefik.tcp.port is `%s`; 1 to 65535 would be right. It is left out\n",
            bad[i]);
        check_labels(labels, expected);
    }
    check_labels(TCP "," L("a.port", "1") "," L("a.tcp.port", "x"),
                 "a: tcp 0\n! tcp-port-invalid - a: traefik.tcp.port is `x`; 1 to 65535 would be right. It is left "
                 "out\n");
    check_labels(TCP "," L("tcp.port", ""), "tcp 0\n");
}
END_TEST

START_TEST(names_that_are_none)
{
    static const struct {
        const char *label, *shown;
    } bad[] = {
        {"a b", "a b"},
        {"a;show info", "a;show info"},
        {"a\\nb", "a\\x0ab"},
        {"a..b", "a..b"},
        {".a", ".a"},
        {"*", "*"},
        {"*.", "*."},
        {"*.*.a", "*.*.a"},
        {"a.*.b", "a.*.b"},
        {"*a.b", "*a.b"},
        {"10.0.0.1", "10.0.0.1"},
        {"*.10.0.0.1", "*.10.0.0.1"},
        {"::1", "::1"},
        {"a.b:443", "a.b:443"},
        {"https://a.b", "https://a.b"},
        {"\\u00e9.example.com", "\xc3\xa9.example.com"},
        {"-a.b", "-a.b"},
        {"a#", "a#"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *labels = mem_printf(TCP "," L("tcp.sni", "%s,good.test"), bad[i].label);
        cleanup_free char *expected =
            mem_printf("tcp 0 good.test\n! tcp-sni-invalid - -: traefik.tcp.sni has `%s`; a host name such as "
                       "db.example.com, or *.example.com for any name one level below, would be right. It is left "
                       "out\n",
                       bad[i].shown);
        check_labels(labels, expected);
    }
    check_labels(TCP "," L("tcp.sni", " , ,,"), "tcp 0\n");
}
END_TEST

START_TEST(too_many_names)
{
    struct buf labels = BUF_INIT;
    buf_puts(&labels, TCP ",'traefik.tcp.sni':'");
    for (int i = 0; i < 65; i++) {
        buf_printf(&labels, "a%d.test,", i);
    }
    buf_puts(&labels, "'");
    cleanup_free char *app = mem_printf("{'id':'/db','labels':{%s}}", buf_text(&labels));
    struct app_mapping *mapping = fixture_map(app);
    ck_assert_uint_eq(mapping->parts[0].tcp.n_names, SERVICE_MAX_NAMES);
    ck_assert_uint_eq(mapping->problems.count, 1);
    ck_assert_str_eq(mapping->problems.items[0].message,
                     "traefik.tcp.sni has more than 64 names; the others are left out");
    app_mapping_free(mapping);
    buf_free(&labels);
}
END_TEST

START_TEST(names_without_tcp)
{
    check_labels(L("tcp.sni", "a.test"), "http 0\n! tcp-sni-ignored - -: traefik.tcp.sni has no effect: its protocol "
                                         "is http; traefik.protocol=tcp would be right\n");
    check_labels(L("protocol", "https") "," L("tcp.sni", "a.test"),
                 "http 0\n! tcp-sni-ignored - -: traefik.tcp.sni has no effect: its protocol is https; "
                 "traefik.protocol=tcp would be right\n");
    /* One of a segment, and one that is for the other segment. */
    check_labels(L("a.port", "1") "," L("a.tcp.sni", "a.test"),
                 "a: http 0\n! tcp-sni-ignored - a: traefik.tcp.sni has no effect: its protocol is http; "
                 "traefik.protocol=tcp would be right\n");
    check_labels(TCP "," L("tcp.sni", "a.test") "," L("a.port", "1") "," L("b.protocol", "http"),
                 "a: tcp 0 a.test\nb: http 0\n");
}
END_TEST

/* ---- Traefik's grammar ---- */

START_TEST(a_segment_called_tcp)
{
    /* As in Traefik, and told. */
    check_labels(L("tcp.port", "80"),
                 "tcp: http 0\n! tcp-port-ambiguous - tcp: traefik.tcp.port makes a segment `tcp`, as in Traefik; for "
                 "it to be the port that HAProxy listens on, traefik.protocol has to be tcp\n");
    check_labels(L("protocol", "https") "," L("tcp.port", "80"),
                 "tcp: http 0\n! tcp-port-ambiguous - tcp: traefik.tcp.port makes a segment `tcp`, as in Traefik; for "
                 "it to be the port that HAProxy listens on, traefik.protocol has to be tcp\n");
    check_labels(L("a.port", "1") "," L("a.tcp.port", "80"),
                 "a: http 0\na.tcp: http 0\n! tcp-port-ambiguous - a.tcp: traefik.a.tcp.port makes a segment `a.tcp`, "
                 "as in Traefik; for it to be the port that HAProxy listens on, traefik.a.protocol has to be tcp\n");
    /* Nobody can mean anything else. */
    check_labels(L("tcp.port", "80") "," L("tcp.frontend.rule", "Host:a"), "tcp: http 0\n");
    check_labels(L("tcp.port", "80") "," L("tcp.weight", "2"), "tcp: http 0\n");
    check_labels(L("tcp.portIndex", "1"), "tcp: http 0\n");
    check_labels(TCP "," L("tcp.portIndex", "1"), "tcp: tcp 0\n");
    check_labels(L("tcp.protocol", "tcp") "," L("tcp.port", "80"), "tcp: tcp 0\n");
    check_labels(TCP "," L("backend.tcp.port", "80") "," L("frontend.tcp.port", "81"), "tcp 0\n");
}
END_TEST

START_TEST(one_or_the_other)
{
    static const char *const makers[] = {"portIndex':'0",  "portName':'x", "weight':'2",
                                         "protocol':'tcp", "backend':'b",  "frontend.rule':'Host:a"};
    for (size_t i = 0; i < COUNT(makers); i++) {
        cleanup_free char *labels =
            mem_printf(TCP "," L("tcp.port", "80") "," L("web.port", "81") ",'traefik.tcp.%s'", makers[i]);
        check_labels(labels, "tcp: tcp 0\nweb: tcp 0\n! tcp-port-ambiguous - tcp: traefik.tcp.port is the port of the "
                             "segment `tcp`, which other labels make; for it to be the port that HAProxy listens on, "
                             "call the segment otherwise\n");
    }
    /* Both, each by its own label. */
    check_labels(TCP "," L("tcp.port", "80") "," L("tcp.tcp.port", "5432"),
                 "tcp: tcp 5432\n! tcp-port-ambiguous - tcp: traefik.tcp.port is the port of the segment `tcp`, which "
                 "other labels make; for it to be the port that HAProxy listens on, call the segment otherwise\n");
}
END_TEST

/* ---- what is taken ---- */

START_TEST(of_an_app)
{
    check_labels(TCP "," L("tcp.port", "5432"), "tcp 5432\n");
    check_labels(TCP "," L("tcp.port", "+1") "," L("port", "80"), "tcp 1\n");
    check_labels(TCP "," L("tcp.port", "65535") "," L("tcp.sni", "DB.Example.COM., *.b.test ,db.example.com"),
                 "tcp 65535 db.example.com *.b.test\n");
    check_labels(TCP "," L("tcp.sni", "db"), "tcp 0 db\n");
    check_labels(TCP, "tcp 0\n");
}
END_TEST

START_TEST(of_segments)
{
    /* They make a segment, as its other properties do. */
    check_labels(TCP "," L("a.tcp.port", "1001") "," L("b.tcp.sni", "b.test"), "a: tcp 1001\nb: tcp 0 b.test\n");
    check_labels(L("a.protocol", "tcp") "," L("a.tcp.port", "1001") "," L("b.port", "80"), "a: tcp 1001\nb: http 0\n");
    check_labels(L("a.b.protocol", "tcp") "," L("a.b.tcp.port", "1001"), "a.b: tcp 1001\n");
    check_labels(L("a.protocol", "tcp") "," L("a.tcp.sni", "a.test"), "a: tcp 0 a.test\n");
    check_labels(L("a.tcp.sni", "a.test"), "http 0\n");
    /* They inherit the app's. */
    check_labels(TCP "," L("tcp.port", "1000") "," L("a.tcp.port", "1001") "," L("b.port", "80"),
                 "a: tcp 1001\nb: tcp 1000\n");
    check_labels(TCP "," L("tcp.port", "1000") "," L("a.tcp.port", "") "," L("b.protocol", "http"),
                 "a: tcp 0\nb: http 0\n");
    check_labels(TCP "," L("tcp.sni", "x.test") "," L("a.tcp.sni", "a.test") "," L("b.port", "80"),
                 "a: tcp 0 a.test\nb: tcp 0 x.test\n");
}
END_TEST

/* ---- joined ---- */

static void check_joined(const char *const *apps, size_t count, unsigned port, const char *names, const char *problems)
{
    struct services *services = services_new(7);
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_buf struct buf told = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *app = mem_printf("{'id':'/app%zu','labels':{'traefik.backend':'x',%s}}", i, apps[i]);
        services_set_app(services, fixture_map(app));
    }
    const struct service *service = services_get(services, "backendx");
    for (size_t i = 0; i < service->tcp.n_names; i++) {
        buf_printf(&text, "%s ", service->tcp.names[i]);
    }
    ck_assert_uint_eq(service->tcp.port, port);
    ck_assert_str_eq(buf_text(&text), names);
    size_t n_problems = 0;
    const struct problem **list = services_list_problems(services, &n_problems);
    for (size_t i = 0; i < n_problems; i++) {
        fixture_show_problem(&told, list[i]);
    }
    ck_assert_str_eq(buf_text(&told), problems);
    free(list);
    services_free(services);
}

START_TEST(parts_of_one_service)
{
#define CLASH(label)                                                                                                   \
    "! tcp-clash - -: its label " label " is not that of an earlier app in the service backendx; that of the first "   \
    "app by id stays\n"
    static const char *const same[] = {TCP "," L("tcp.port", "1"), TCP "," L("tcp.port", "1")};
    check_joined(same, 2, 1, "", "");
    static const char *const other[] = {TCP "," L("tcp.port", "1"), TCP "," L("tcp.port", "2")};
    check_joined(other, 2, 1, "", CLASH("tcp.port"));
    static const char *const names[] = {TCP "," L("tcp.sni", "a.test"), TCP "," L("tcp.sni", "b.test")};
    check_joined(names, 2, 0, "a.test ", CLASH("tcp.sni"));
    static const char *const later[] = {TCP, TCP "," L("tcp.port", "2") "," L("tcp.sni", "b.test"),
                                        TCP "," L("tcp.sni", "b.test")};
    check_joined(later, 3, 2, "b.test ", "");
    static const char *const modes[] = {L("port", "1"), TCP "," L("tcp.port", "2")};
    check_joined(modes, 2, 0, "",
                 "! mode-conflict - -: its protocol asks for mode tcp, but the service backendx has mode http from the "
                 "app /app0; that stays\n");
}
END_TEST

START_TEST(a_changed_label_is_a_change)
{
    static const char *const labels[] = {TCP, TCP "," L("tcp.port", "1"), TCP "," L("tcp.port", "2"),
                                         TCP "," L("tcp.port", "2") "," L("tcp.sni", "a"),
                                         TCP "," L("tcp.port", "2") "," L("tcp.sni", "b")};
    struct services *services = services_new(7);
    for (size_t i = 0; i < COUNT(labels); i++) {
        cleanup_free char *app = mem_printf("{'id':'/db','labels':{%s}}", labels[i]);
        services_set_app(services, fixture_map(app));
        ck_assert_ptr_nonnull(services_next_changed(services));
        services_set_app(services, fixture_map(app));
        ck_assert_ptr_null(services_next_changed(services));
    }
    services_free(services);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("tcp");
    TCase *tests = fixture_case(suite, "tcp");
    tcase_add_test(tests, ports_that_are_none);
    tcase_add_test(tests, names_that_are_none);
    tcase_add_test(tests, too_many_names);
    tcase_add_test(tests, names_without_tcp);
    tcase_add_test(tests, a_segment_called_tcp);
    tcase_add_test(tests, one_or_the_other);
    tcase_add_test(tests, of_an_app);
    tcase_add_test(tests, of_segments);
    tcase_add_test(tests, parts_of_one_service);
    tcase_add_test(tests, a_changed_label_is_a_change);
    return suite;
}

SUITE_MAIN(make_suite)
