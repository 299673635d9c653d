/* SPDX-License-Identifier: MIT */
/* Segments, what they inherit, and which apps are mapped at all. */
#include "mapping_fixture.h"
#include "slotd/error.h"

/* ---- segments ---- */

/* The segments of the app with one label of that name, joined with blanks. */
static char *segments_of(const char *key)
{
    struct buf text = BUF_INIT;
    cleanup_free char *labels = mem_printf("{'id':'/web','labels':{'%s':'1'}}", key);
    struct app_mapping *mapping = fixture_map(labels);
    for (size_t i = 0; i < mapping->n_parts; i++) {
        buf_printf(&text, "%s%s", i > 0 ? " " : "", mapping->parts[i].segment);
    }
    app_mapping_free(mapping);
    return buf_steal(&text);
}

static void check_segments(const char *key, const char *expected)
{
    cleanup_free char *segments = segments_of(key);
    ck_assert_msg(strcmp(segments, expected) == 0, "%s: `%s`, expected `%s`", key, segments, expected);
}

START_TEST(labels_that_make_no_segment)
{
    static const char *const keys[] = {
        "traefik.port",
        "traefik.api",
        "traefik.api.",
        "traefik.api.ports",
        "traefik.api.portindex",
        "traefik.api.port ",
        "traefik.api.domain",
        "traefik.api.enable",
        "traefik.api.tags",
        "traefik.api.frontend",
        "traefik.api.frontend.",
        "traefik.api.backend.maxconn.amount",
        "traefik..port",
        "traefik.frontend.port",
        "traefik.frontend.frontend.rule",
        "traefik.frontend.api.port",
        "traefik.backend.weight",
        "traefik.backend.loadbalancer.port",
        "traefik.a\\nb.port",
        "traefik.api.frontend.ru\\nle",
        "Traefik.api.port",
        "traefikx.api.port",
        "traefik",
        "api.port",
        " traefik.api.port",
    };
    for (size_t i = 0; i < COUNT(keys); i++) {
        check_segments(keys[i], "");
    }
}
END_TEST

START_TEST(labels_that_make_one)
{
    static const char *const properties[] = {"port",     "portIndex", "portName",      "weight",
                                             "protocol", "backend",   "frontend.rule", "frontend.x"};
    for (size_t i = 0; i < COUNT(properties); i++) {
        cleanup_free char *key = mem_printf("traefik.api.%s", properties[i]);
        check_segments(key, "api");
    }
}
END_TEST

START_TEST(the_shortest_segment_counts)
{
    check_segments("traefik.a.b.port", "a.b");
    check_segments("traefik.a.frontend.port", "a");
    check_segments("traefik.a.frontend.b.port", "a");
    check_segments("traefik.a.port.port", "a.port");
    check_segments("traefik.a.backend.port", "a.backend");
    check_segments("traefik.a.healthcheck.port", "a.healthcheck");
    check_segments("traefik.a.backend.healthcheck.port", "");
    check_segments("traefik.backend.healthcheck.port", "");
    check_segments("traefik.port.port", "port");
    check_segments("traefik...port", ".");
    check_segments("traefik..a.port", ".a");
    check_segments("traefik.frontends.port", "frontends");
    check_segments("traefik.frontend.", "");
    check_segments("traefik.domain.port", "domain");
    check_segments("traefik.a b/\\u00e9.port", "a b/\xc3\xa9");
}
END_TEST

START_TEST(with_segments_the_app_has_no_service_of_its_own)
{
    check_mapping(
        LABELLED("'traefik.port':'80','traefik.b.portIndex':'1','traefik.a.port':'90'"),
        "backend-web-service-a frontend-web-service-a http 29 Host:a.web.marathon.localhost\n"
        "  server-web-web-1-service-a node1:90 http 1 ready\n"
        "backend-web-service-b frontend-web-service-b http 29 Host:b.web.marathon.localhost\n"
        "  server-web-web-1-service-b node1:80 http 1 ready\n"
        "! port-and-index - b: traefik.port and traefik.portIndex are both set; port wins, remove the other\n");
}
END_TEST

START_TEST(a_segment_inherits_what_it_does_not_set)
{
    check_mapping(
        LABELLED("'traefik.weight':'5','traefik.protocol':'https','traefik.frontend.rule':'Path:/x',"
                 "'traefik.frontend.priority':'9','traefik.a.portIndex':'1','traefik.b.weight':'6',"
                 "'traefik.b.protocol':'','traefik.b.frontend.rule':'Path:/b','traefik.b.frontend.priority':'8'"),
        "backend-web-service-a frontend-web-service-a http 9 Path:/x\n"
        "  server-web-web-1-service-a node1:31001 https 5 ready\n"
        "backend-web-service-b frontend-web-service-b http 8 Path:/b\n"
        "  server-web-web-1-service-b node1:31000 http 6 ready\n");
}
END_TEST

START_TEST(a_domain_of_the_segment)
{
    check_mapping(LABELLED("'traefik.a.port':'1','traefik.a.domain':'example.org','traefik.b.port':'2',"
                           "'traefik.domain':'example.com'"),
                  "backend-web-service-a frontend-web-service-a http 22 Host:a.web.example.org\n"
                  "  server-web-web-1-service-a node1:1 http 1 ready\n"
                  "backend-web-service-b frontend-web-service-b http 22 Host:b.web.example.com\n"
                  "  server-web-web-1-service-b node1:2 http 1 ready\n");
}
END_TEST

START_TEST(segments_of_equal_names_do_not_share_servers)
{
    check_mapping(LABELLED("'traefik.a.b.port':'1','traefik.a-b.port':'2'"),
                  "backend-web-service-a-b frontend-web-service-a-b http 31 Host:a-b.web.marathon.localhost\n"
                  "  server-web-web-1-service-a-b node1:2 http 1 ready\n"
                  "! segment-clash - a.b: its names are those of the segment `a-b`; it is left out, rename one of "
                  "them\n");
}
END_TEST

START_TEST(segments_that_break_a_limit_are_left_out)
{
    cleanup_buf struct buf labels = BUF_INIT;
    for (int i = 0; i < 130; i++) {
        buf_printf(&labels, "%s'traefik.s%03d.port':'80'", i > 0 ? "," : "", i);
    }
    cleanup_free char *many = mem_printf("{'id':'/web','labels':{%s}}", buf_text(&labels));
    struct app_mapping *mapping = fixture_map(many);
    ck_assert_uint_eq(mapping->n_parts, 128);
    ck_assert_str_eq(mapping->parts[127].segment, "s127");
    ck_assert_uint_eq(mapping->problems.count, 1);
    ck_assert_str_eq(mapping->problems.items[0].message,
                     "its labels make 130 segments; the first 128 by name are taken");
    app_mapping_free(mapping);

    cleanup_free char *name = mem_alloc(1026);
    memset(name, 'x', 1025);
    cleanup_free char *longest = mem_printf("{'id':'/web','labels':{'traefik.%s.port':'80'}}", name);
    check_mapping(longest, "backend-web frontend-web http 27 Host:web.marathon.localhost\n"
                           "! segment-name-too-long - -: a segment's name in its labels is 1025 bytes long; at most "
                           "1024 would be right. It is left out\n");
}
END_TEST

START_TEST(another_prefix)
{
    fixture_set(&fixture_config->mapping.label_prefix, "edge.lb");
    check_mapping(LABELLED("'edge.lb.port':'80','traefik.port':'90','edge.port':'70'"),
                  "backend-web frontend-web http 27 Host:web.marathon.localhost\n"
                  "  server-web-web-1 node1:80 http 1 ready\n");
    check_mapping(LABELLED("'edge.lb.a.port':'x'"),
                  "backend-web-service-a frontend-web-service-a http 29 Host:a.web.marathon.localhost\n"
                  "! port-invalid web.1 a: edge.lb.port is `x`; 1 to 65535 would be right\n");
}
END_TEST

/* ---- which apps ---- */

START_TEST(enable_that_is_no_truth_value)
{
    check_mapping(LABELLED("'traefik.enable':'yes'"),
                  PLAIN "! enable-invalid - -: traefik.enable is `yes`; true or false would be right, true is taken\n");
    check_mapping(LABELLED("'traefik.enable':''"), PLAIN);
    fixture_config->mapping.exposed_by_default = false;
    check_mapping(LABELLED("'traefik.enable':'TrUe'"),
                  "! enable-invalid - -: traefik.enable is `TrUe`; true or false would be right, false is taken\n");
    check_mapping(
        LABELLED("'traefik.enable':' true\\u0007'"),
        "! enable-invalid - -: traefik.enable is ` true\\x07`; true or false would be right, false is taken\n");
    check_mapping(LABELLED("'traefik.api.enable':'true'"), "");
}
END_TEST

START_TEST(enable_decides)
{
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    for (size_t i = 0; i < COUNT(no); i++) {
        cleanup_free char *off = mem_printf(LABELLED("'traefik.enable':'%s'"), no[i]);
        cleanup_free char *on = mem_printf(LABELLED("'traefik.enable':'%s'"), yes[i]);
        fixture_config->mapping.exposed_by_default = i % 2 == 0;
        check_mapping(off, "");
        check_mapping(on, PLAIN);
    }
}
END_TEST

/* ---- constraints ---- */

static bool is_selected(const char *constraint, const char *app)
{
    char *items[] = {mem_strdup(constraint)};
    struct config_list kept = fixture_config->mapping.constraints;
    fixture_config->mapping.constraints = (struct config_list){items, 1};
    struct app_mapping *mapping = fixture_map(app);
    bool selected = mapping->n_parts > 0;
    app_mapping_free(mapping);
    fixture_config->mapping.constraints = kept;
    free(items[0]);
    return selected;
}

static void check_tags(const char *glob, const char *tags, bool expected)
{
    cleanup_free char *app = mem_printf("{'id':'/a','labels':{'traefik.tags':'%s'}}", tags);
    cleanup_free char *wanted = mem_printf("tag==%s", glob);
    cleanup_free char *unwanted = mem_printf("tag!=%s", glob);
    ck_assert_msg(is_selected(wanted, app) == expected, "%s in %s", glob, tags);
    ck_assert_msg(is_selected(unwanted, app) == !expected, "%s not in %s", glob, tags);
}

START_TEST(constraints_that_cannot_be_read)
{
    static const char *const bad[] = {"", "tag", "tag=a", "tags==a", "TAG==a", " tag==a", "tag ==a", "a"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *items[] = {mem_strdup(bad[i])};
        struct mapper *mapper = NULL;
        cleanup_buf struct buf why = BUF_INIT;
        fixture_config->mapping.constraints = (struct config_list){items, 1};
        ck_assert_int_eq(mapper_new(&fixture_config->mapping, &mapper, &why), SLOTD_E_CONFIG);
        ck_assert_ptr_null(mapper);
        ck_assert_ptr_nonnull(strstr(buf_text(&why), "would be right"));
        fixture_config->mapping.constraints = (struct config_list){0};
        free(items[0]);
    }
}
END_TEST

START_TEST(tags_and_globs)
{
    check_tags("a", "", false);
    check_tags("*", "", false);
    check_tags("*", " , ,\\t", false);
    check_tags("*", "a", true);
    check_tags("", "a", false);
    check_tags("a", "a", true);
    check_tags("a", "A", false);
    check_tags("a", "ab", false);
    check_tags("a", "b , a\\t,c", true);
    check_tags("a b", "a b", true);
    check_tags("a*", "xa,ab", true);
    check_tags("a*", "xa", false);
    check_tags("*a", "ba", true);
    check_tags("*a", "ab", false);
    check_tags("*a*", "bab", true);
    check_tags("a*a", "a", false);
    check_tags("a*a", "aa", true);
    check_tags("a*b*c", "a-b-b-c", true);
    check_tags("a*b*c", "a-c-b", false);
    check_tags("a**b", "ab", true);
    check_tags("a?c", "abc", false);
    check_tags("a?c", "a?c", true);
    check_tags("[ab]", "a", false);
    check_tags("*ab", "aab", true);
    check_tags("*aab", "aaab", true);
    check_tags("a,b", "a,b", false);
}
END_TEST

START_TEST(every_constraint_counts)
{
    char *items[] = {mem_strdup("tag==a*"), mem_strdup("tag!=ab"), mem_strdup("tag==c")};
    fixture_config->mapping.constraints = (struct config_list){items, 3};
    check_mapping(LABELLED("'traefik.tags':'aa,c'"), PLAIN);
    check_mapping(LABELLED("'traefik.tags':'aa,ab,c'"), "");
    check_mapping(LABELLED("'traefik.tags':'aa'"), "");
    check_mapping(LABELLED(""), "");
    fixture_config->mapping.constraints = (struct config_list){0};
    for (size_t i = 0; i < COUNT(items); i++) {
        free(items[i]);
    }
}
END_TEST

START_TEST(the_group_is_one_tag_with_marathon_lb_compatibility)
{
    static const char app[] = "{'id':'/a','labels':{'HAPROXY_GROUP':'x, y','traefik.tags':'z'}}";
    ck_assert(!is_selected("tag==x, y", app));
    fixture_config->mapping.marathon_lb_compatibility = true;
    ck_assert(is_selected("tag==x, y", app));
    ck_assert(is_selected("tag==z", app));
    ck_assert(!is_selected("tag==x", app));
    ck_assert(!is_selected("tag==y", app));
    ck_assert(!is_selected("tag==*", "{'id':'/a','labels':{'HAPROXY_GROUP':''}}"));
}
END_TEST

START_TEST(marathon_constraints_are_tags_when_asked_for)
{
    static const char app[] = "{'id':'/a','constraints':[['rack','CLUSTER','r-1'],['hostname','UNIQUE']]}";
    ck_assert(!is_selected("tag==rack:CLUSTER:*", app));
    fixture_config->mapping.filter_marathon_constraints = true;
    ck_assert(is_selected("tag==rack:CLUSTER:*", app));
    ck_assert(is_selected("tag==hostname:UNIQUE", app));
    ck_assert(!is_selected("tag==hostname", app));
    ck_assert(!is_selected("tag!=*UNIQUE", app));
}
END_TEST

static Suite *labels_suite(void)
{
    Suite *suite = suite_create("labels");
    TCase *segments = fixture_case(suite, "segments");
    tcase_add_test(segments, labels_that_make_no_segment);
    tcase_add_test(segments, labels_that_make_one);
    tcase_add_test(segments, the_shortest_segment_counts);
    tcase_add_test(segments, with_segments_the_app_has_no_service_of_its_own);
    tcase_add_test(segments, a_segment_inherits_what_it_does_not_set);
    tcase_add_test(segments, a_domain_of_the_segment);
    tcase_add_test(segments, segments_of_equal_names_do_not_share_servers);
    tcase_add_test(segments, segments_that_break_a_limit_are_left_out);
    tcase_add_test(segments, another_prefix);
    TCase *selection = fixture_case(suite, "selection");
    tcase_add_test(selection, enable_that_is_no_truth_value);
    tcase_add_test(selection, enable_decides);
    tcase_add_test(selection, constraints_that_cannot_be_read);
    tcase_add_test(selection, tags_and_globs);
    tcase_add_test(selection, every_constraint_counts);
    tcase_add_test(selection, the_group_is_one_tag_with_marathon_lb_compatibility);
    tcase_add_test(selection, marathon_constraints_are_tags_when_asked_for);
    return suite;
}

SUITE_MAIN(labels_suite)
