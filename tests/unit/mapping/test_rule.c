/* SPDX-License-Identifier: MIT */
/* The rule as text and its priority. */
#include "mapping_fixture.h"

#define RULE_FALLBACK "Host:web.marathon.localhost"
#define TOO_WILD " has control characters in it or is longer than 65536 bytes; the default rule is taken"

/* Compares the rule of the app's one part, and what its first problem says. */
static void check_rule(const char *app, const char *expected, const char *expected_problem)
{
    struct app_mapping *mapping = fixture_map(app);
    cleanup_free char *rule = mem_strdup(mapping->parts[0].rule);
    cleanup_free char *problem = mem_strdup(mapping->problems.count > 0 ? mapping->problems.items[0].message : "");
    app_mapping_free(mapping);
    ck_assert_msg(strcmp(rule, expected) == 0, "%.300s gives `%.300s`, expected `%s`", app, rule, expected);
    ck_assert_str_eq(problem, expected_problem);
}

static void check_label(const char *label, const char *expected, const char *expected_problem)
{
    cleanup_free char *app = mem_printf("{'id':'/web','labels':{'traefik.frontend.rule':'%s'}}", label);
    check_rule(app, expected, expected_problem);
}

START_TEST(rules_with_control_bytes_are_not_taken)
{
    static const char *const bad[] = {"Host:a\\nb",       "\\u0001", "Host:a\\tb", "Host:a\\u007f",
                                      "Host:a\\u001b[2J", "\\r",     "\\u0098",    "Path:/a\\u0085"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        check_label(bad[i], RULE_FALLBACK, "traefik.frontend.rule" TOO_WILD);
    }
}
END_TEST

START_TEST(rules_have_a_longest)
{
    cleanup_free char *longest = mem_alloc(65538);
    memset(longest, 'x', 65537);
    check_label(longest, RULE_FALLBACK, "traefik.frontend.rule" TOO_WILD);
    longest[65536] = '\0';
    check_label(longest, longest, "");
}
END_TEST

START_TEST(a_rule_is_taken_as_it_is)
{
    check_label("Host:a.example;PathPrefix: /x , /y", "Host:a.example;PathPrefix: /x , /y", "");
    check_label("nonsense {[(", "nonsense {[(", "");
    check_label(" ", " ", "");
    check_label("Host:\xc3\xa9;\\\"#", "Host:\xc3\xa9;\"#", "");
    check_label("Path:/\xc2\xa0,/a\\u200d,/b", "Path:/\xc2\xa0,/a\xe2\x80\x8d,/b", "");
    check_label("", RULE_FALLBACK, "");
}
END_TEST

START_TEST(the_default_rule)
{
    check_rule("{'id':'/a/b/c'}", "Host:a-b-c.marathon.localhost", "");
    check_rule("{'id':'a/b'}", "Host:a-b.marathon.localhost", "");
    check_rule("{'id':'//a/'}", "Host:-a-.marathon.localhost", "");
    check_rule("{'id':'/a','labels':{'traefik.domain':'example.org'}}", "Host:a.example.org", "");
    check_rule("{'id':'/a','labels':{'traefik.domain':''}}", "Host:a.marathon.localhost", "");
    check_rule("{'id':'/a','labels':{'traefik.API_v2.port':'1'}}", "Host:api-v2.a.marathon.localhost", "");
    check_rule("{'id':'/a','labels':{'traefik.\xc3\x89-\xce\xa3.port':'1'}}",
               "Host:\xc3\xa9-\xcf\x83.a.marathon.localhost", "");
    check_rule("{'id':'/a','labels':{'traefik.-.port':'1'}}", "Host:.a.marathon.localhost", "");
    fixture_set(&fixture_config->mapping.domain, "");
    check_rule("{'id':'/a/b'}", "Host:a-b", "");
    check_rule("{'id':'/a','labels':{'traefik.domain':'x'}}", "Host:a.x", "");
}
END_TEST

START_TEST(groups_as_sub_domains)
{
    fixture_config->mapping.groups_as_subdomains = true;
    check_rule("{'id':'/a/b/c'}", "Host:c.b.a.marathon.localhost", "");
    check_rule("{'id':'/a'}", "Host:a.marathon.localhost", "");
    check_rule("{'id':'/a//b'}", "Host:b..a.marathon.localhost", "");
    check_rule("{'id':'/a/b','labels':{'traefik.s.port':'1'}}", "Host:s.b.a.marathon.localhost", "");
}
END_TEST

START_TEST(a_domain_with_control_bytes_is_not_taken)
{
    check_rule(
        "{'id':'/a','labels':{'traefik.domain':'x\\ny'}}", "Host:a.marathon.localhost",
        "traefik.domain is `x\\x0ay`, which has control characters in it or is longer than 253 bytes; the configured "
        "domain is taken");
    check_rule("{'id':'/a\\nb\\u007f'}", "Host:a-b-.marathon.localhost", "");
}
END_TEST

START_TEST(the_vhost_with_marathon_lb_compatibility)
{
    static const char app[] = "{'id':'/web','labels':{'HAPROXY_0_VHOST':'a.example,b.example'}}";
    check_rule(app, RULE_FALLBACK, "");
    fixture_config->mapping.marathon_lb_compatibility = true;
    check_rule(app, "Host:a.example,b.example", "");
    check_rule("{'id':'/web','labels':{'HAPROXY_0_VHOST':''}}", RULE_FALLBACK, "");
    check_rule("{'id':'/web','labels':{'HAPROXY_0_VHOST':'a\\nb'}}", RULE_FALLBACK, "HAPROXY_0_VHOST" TOO_WILD);
    check_rule("{'id':'/web','labels':{'HAPROXY_0_VHOST':'a','traefik.frontend.rule':'Path:/'}}", "Path:/", "");
    check_rule("{'id':'/web','labels':{'HAPROXY_0_VHOST':'a','traefik.s.port':'1'}}", "Host:a", "");
}
END_TEST

static void check_priority(const char *label, int64_t expected, const char *expected_problem)
{
    cleanup_free char *app = mem_printf(
        "{'id':'/web','labels':{'traefik.frontend.priority':'%s','traefik.frontend.rule':'Host:\xc3\xa9'}}", label);
    struct app_mapping *mapping = fixture_map(app);
    cleanup_free char *problem = mem_strdup(mapping->problems.count > 0 ? mapping->problems.items[0].message : "");
    ck_assert_msg(mapping->parts[0].priority == expected, "%s: %lld", label, (long long)mapping->parts[0].priority);
    app_mapping_free(mapping);
    ck_assert_str_eq(problem, expected_problem);
}

START_TEST(priorities)
{
    check_priority("x", 6,
                   "traefik.frontend.priority is `x`; a number from 1 would be right, the rule's length is taken");
    check_priority("-5", 6,
                   "traefik.frontend.priority is `-5`; a number from 1 would be right, the rule's length is taken");
    check_priority("99999999999999999999", 6,
                   "traefik.frontend.priority is `99999999999999999999`; a number from 1 would be right, the rule's "
                   "length is taken");
    check_priority("", 6, "");
    check_priority("0", 6, "");
    check_priority("1", 1, "");
    check_priority("99999999999", INT64_C(99999999999), "");
}
END_TEST

static Suite *rule_suite(void)
{
    Suite *suite = suite_create("rule");
    TCase *tests = fixture_case(suite, "rule");
    tcase_add_test(tests, rules_with_control_bytes_are_not_taken);
    tcase_add_test(tests, rules_have_a_longest);
    tcase_add_test(tests, a_rule_is_taken_as_it_is);
    tcase_add_test(tests, the_default_rule);
    tcase_add_test(tests, groups_as_sub_domains);
    tcase_add_test(tests, a_domain_with_control_bytes_is_not_taken);
    tcase_add_test(tests, the_vhost_with_marathon_lb_compatibility);
    tcase_add_test(tests, priorities);
    return suite;
}

SUITE_MAIN(rule_suite)
