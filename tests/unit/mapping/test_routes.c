/* SPDX-License-Identifier: MIT */
/* Which keys of which rules are in HAProxy's maps; at the end random rules, looked up and decided as Traefik would. */
#include <string.h>

#include "slotd/buf.h"
#include "slotd/mem.h"
#include "slotd/routes.h"
#include "suite.h"

static struct routes *routes;
static struct buf touched; /* keys, each with a blank behind it */
static const char *holder; /* of every key */
static const char *closed; /* that service's claims do not count */

static void setup(void)
{
    routes = routes_new(7);
    holder = closed = NULL;
}

static void teardown(void)
{
    routes_free(routes);
    buf_free(&touched);
}

static void touch(void *arg, const char *key)
{
    (void)arg;
    buf_printf(&touched, "%s ", key);
}

static void set(const char *service, const char *rule, int64_t priority)
{
    cleanup_free char *frontend = mem_printf("f-%s", service);
    routes_set(routes, service, frontend, rule, priority, ACCESS_EVERYWHERE, touch, NULL);
}

static bool counts(void *arg, const char *service)
{
    (void)arg;
    return !closed || strcmp(closed, service) != 0;
}

static const char *hold(void *arg, const char *key, bool exact, enum access_point point)
{
    (void)arg;
    (void)point;
    (void)key;
    (void)exact;
    return holder;
}

static const struct routes_judge judge = {counts, hold, NULL};

/* Each claim as KEY=SERVICE, an exact one with `!` behind its key, one that loses with `<WINNER`. */
static void check_claims(const char *host, const char *expected)
{
    size_t count = 0;
    struct buf shown = BUF_INIT;
    struct route_claim *claims = routes_find_claims(routes, host, "/", &judge, &count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&shown, "%s%s%s=%s", i > 0 ? " " : "", claims[i].key, claims[i].exact ? "!" : "",
                   claims[i].route->service);
        if (claims[i].loses_to) {
            buf_printf(&shown, "<%s", claims[i].loses_to->service);
        }
    }
    ck_assert_str_eq(buf_text(&shown), expected);
    buf_free(&shown);
    routes_free_claims(claims, count);
}

static void check_means(const char *rule, enum route_means means, const char *why)
{
    set("x", rule, 1);
    const struct route *route = routes_get(routes, "x");
    ck_assert_int_eq(route->means, means);
    ck_assert_str_eq(route->why ? route->why : "", why);
}

START_TEST(what_maps_can_express)
{
    check_means("Host:a.example", ROUTE_BY_MAP, "");
    check_means("Host:A.example.,b_1;PathPrefix:/x,/y~", ROUTE_BY_MAP, "");
    check_means("Path:/x;Host:10.0.0.1", ROUTE_BY_MAP, "");
    check_means("PathPrefix:/x", ROUTE_BY_AGENT, "no matcher Host");
    check_means("Host:a;Host:b", ROUTE_BY_AGENT, "two matchers Host in one rule");
    check_means("Host:a;Path:/x;PathPrefix:/x", ROUTE_BY_AGENT, "two matchers of paths in one rule");
    check_means("Host:a;Method:GET", ROUTE_BY_AGENT, "the matcher `Method`");
    check_means("Host:a;PathPrefixStrip:/x", ROUTE_BY_AGENT, "the matcher `PathPrefixStrip`");
    check_means("Host:a;AddPrefix:/x", ROUTE_BY_AGENT, "the matcher `AddPrefix`");
    check_means("HostRegexp:a", ROUTE_BY_AGENT, "the matcher `HostRegexp`");
    check_means("Host:{x}.a", ROUTE_BY_AGENT, "a host that is no plain name, `{x}.a`");
    check_means("Host:a:80", ROUTE_BY_AGENT, "a host that is no plain name, `a:80`");
    check_means("Host:a;Path:/a b", ROUTE_BY_AGENT, "a path that is not plain, `/a b`");
    check_means("Host:a;Path:/{id}", ROUTE_BY_AGENT, "a path that is not plain, `/{id}`");
    check_means("Host:a;Path:/a%20b", ROUTE_BY_AGENT, "a path that is not plain, `/a%20b`");
    check_means("Host:a;Path:x", ROUTE_BY_AGENT, "a path that is not plain, `x`");
    check_means("Host:a;Path:/x;y", ROUTE_BY_NOBODY, "`y` is no matcher; Host, Path or PathPrefix would be one");
    check_means("", ROUTE_BY_NOBODY, "it is empty");
}
END_TEST

START_TEST(too_many_keys_are_none)
{
    struct buf rule = BUF_INIT;
    buf_puts(&rule, "Host:h0");
    for (int i = 1; i < 33; i++) {
        buf_printf(&rule, ",h%d", i);
    }
    buf_puts(&rule, ";Path:/0");
    for (int i = 1; i < 32; i++) {
        buf_printf(&rule, ",/%d", i);
    }
    check_means(buf_text(&rule), ROUTE_BY_AGENT, "more than 1024 hosts times paths");
    buf_clear(&rule);
    buf_puts(&rule, "Host:");
    for (int i = 0; i < 1025; i++) {
        buf_puts(&rule, "h,");
    }
    check_means(buf_text(&rule), ROUTE_BY_AGENT, "more than 1024 hosts times paths");
    ck_assert_uint_eq(touched.len, 0);
    buf_free(&rule);
}
END_TEST

START_TEST(keys_are_told_of)
{
    set("a", "Host:x,Y,x", 1);
    ck_assert_str_eq(buf_text(&touched), "x/ y/ ");
    buf_clear(&touched);
    set("a", "Host:x,Y,x", 1);
    ck_assert_str_eq(buf_text(&touched), "");
    set("a", "Host:y,z", 1);
    ck_assert_str_eq(buf_text(&touched), "y/ z/ x/ ");
    buf_clear(&touched);
    set("a", "Host:y,z", 2);
    ck_assert_str_eq(buf_text(&touched), "y/ z/ ");
    buf_clear(&touched);
    set("a", NULL, 0);
    ck_assert_str_eq(buf_text(&touched), "y/ z/ ");
    ck_assert_ptr_null(routes_get(routes, "a"));
    buf_clear(&touched);
    set("a", NULL, 0);
    ck_assert_str_eq(buf_text(&touched), "");
}
END_TEST

START_TEST(one_rule)
{
    set("a", "Host:X.example;PathPrefix:/p,/q", 1);
    check_claims("x.example", "x.example/p=a x.example/q=a");
    check_claims("X.example", "");
    set("a", "Host:x.example;Path:/p", 1);
    check_claims("x.example", "x.example/p!=a");
    set("a", "Host:x.example,y", 1);
    check_claims("x.example", "x.example/=a");
    buf_clear(&touched);
    routes_tell_keys(routes, "a", touch, NULL);
    ck_assert_str_eq(buf_text(&touched), "x.example/ y/ ");
    closed = "a";
    check_claims("x.example", "");
}
END_TEST

START_TEST(the_higher_priority_has_the_key)
{
    set("a", "Host:x", 6);
    set("b", "Host:x", 7);
    check_claims("x", "x/=b x/=a<b");
    /* Also against the one that has it by now. */
    holder = "a";
    check_claims("x", "x/=b x/=a<b");
}
END_TEST

START_TEST(with_equal_priorities_who_has_the_key_keeps_it)
{
    set("b", "Host:x", 6);
    set("a", "Host:x", 6);
    set("c", "Host:x", 6);
    check_claims("x", "x/=a x/=b<a x/=c<a");
    holder = "b";
    check_claims("x", "x/=a<b x/=b x/=c<b");
    holder = "gone";
    check_claims("x", "x/=a x/=b<a x/=c<a");
    closed = "a";
    check_claims("x", "x/=b x/=c<b");
}
END_TEST

START_TEST(what_is_within_another_s_is_in_no_map)
{
    set("wide", "Host:x;PathPrefix:/a", 50);
    set("long", "Host:x;PathPrefix:/a/b", 20);
    set("longer", "Host:x;PathPrefix:/a/b/c", 60);
    set("exact", "Host:x;Path:/a", 20);
    set("other", "Host:x;PathPrefix:/b", 1);
    check_claims("x", "x/a=wide x/a!=exact<wide x/a/b=long<wide x/a/b/c=longer x/b=other");
    /* Nested in what loses: the outer one still stands before it. */
    set("longer", "Host:x;PathPrefix:/a/b/c", 30);
    check_claims("x", "x/a=wide x/a!=exact<wide x/a/b=long<wide x/a/b/c=longer<wide x/b=other");
    /* An exact key is around nothing. */
    set("exact", "Host:x;Path:/a", 99);
    check_claims("x", "x/a=wide x/a!=exact x/a/b=long<wide x/a/b/c=longer<wide x/b=other");
}
END_TEST

/* ---- random rules ---- */

#define N_SERVICES 9

struct random_rule {
    char service[16], frontend[16], path[8];
    const char *text;
    bool exact, host_alone;
    unsigned points;
    int64_t priority;
};

static uint32_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 16) % below;
}

static void draw_path(char path[8])
{
    size_t len = draw(5);
    path[0] = '/';
    for (size_t i = 1; i <= len; i++) {
        path[i] = draw(3) ? 'a' : '/';
    }
    path[len + 1] = '\0';
}

static void draw_rule(struct random_rule *rule, int number)
{
    (void)snprintf(rule->service, sizeof(rule->service), "s%d", number);
    (void)snprintf(rule->frontend, sizeof(rule->frontend), "f%u", draw(100));
    draw_path(rule->path);
    rule->exact = draw(3) == 0;
    rule->host_alone = !rule->exact && draw(6) == 0;
    if (rule->host_alone) {
        strcpy(rule->path, "/");
    }
    rule->priority = draw(4);
    cleanup_free char *text = rule->host_alone
                                  ? mem_strdup("Host:h")
                                  : mem_printf("Host:h;%s:%s", rule->exact ? "Path" : "PathPrefix", rule->path);
    rule->points = 1 + draw(3);
    routes_set(routes, rule->service, rule->frontend, text, rule->priority, rule->points, touch, NULL);
}

/* Traefik's way: the entry point's rules in their order, and the first that matches. */
static const char *decide(const struct random_rule *rules, const char *path, enum access_point point)
{
    const struct random_rule *best = NULL;
    for (size_t i = 0; i < N_SERVICES; i++) {
        const struct random_rule *rule = &rules[i];
        bool matches = rule->exact ? strcmp(rule->path, path) == 0 : strncmp(rule->path, path, strlen(rule->path)) == 0;
        if (!matches || !(rule->points & (1U << point))) {
            continue;
        }
        int order = best ? strcmp(rule->frontend, best->frontend) : -1;
        order = order || !best ? order : strcmp(rule->service, best->service);
        if (!best || rule->priority > best->priority || (rule->priority == best->priority && order < 0)) {
            best = rule;
        }
    }
    return best ? best->service : "";
}

/* HAProxy's way: the exact key, else the longest prefix; what it has for the entry point. */
static const char *look_up(const struct route_claim *claims, size_t count, const char *path, enum access_point point)
{
    const struct route *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        const char *key = claims[i].key + 1;
        size_t len = strlen(key);
        if (!route_claim_holds(&claims[i])) {
            continue;
        }
        if (claims[i].exact && strcmp(key, path) == 0) {
            return claims[i].leads_to[point] ? claims[i].leads_to[point]->service : "";
        }
        if (!claims[i].exact && len > longest && strncmp(key, path, len) == 0) {
            found = claims[i].leads_to[point];
            longest = len;
        }
    }
    return found ? found->service : "";
}

/* As at one door and at the other: KEY=HTTP/HTTPS, for the keys that are in the map. */
static void check_ways(const char *host, const char *expected)
{
    size_t count = 0;
    struct buf shown = BUF_INIT;
    struct route_claim *claims = routes_find_claims(routes, host, "/", &judge, &count);
    for (size_t i = 0; i < count; i++) {
        const struct route *const *to = claims[i].leads_to;
        bool again = i > 0 && strcmp(claims[i].key, claims[i - 1].key) == 0;
        if (route_claim_holds(&claims[i]) && !again) {
            buf_printf(&shown, "%s%s=%s/%s", shown.len ? " " : "", claims[i].key, to[0] ? to[0]->service : "",
                       to[1] ? to[1]->service : "");
        }
    }
    ck_assert_str_eq(buf_text(&shown), expected);
    buf_free(&shown);
    routes_free_claims(claims, count);
}

START_TEST(each_entry_point_has_its_own_rules)
{
    const unsigned http = 1U << ACCESS_HTTP;
    const unsigned https = 1U << ACCESS_HTTPS;
    routes_set(routes, "a", "fa", "Host:h", 1, https, touch, NULL);
    check_ways("h", "h/=/a");
    routes_set(routes, "b", "fb", "Host:h", 1, http, touch, NULL);
    check_ways("h", "h/=b/a");
    check_claims("h", "h/=a h/=b");
    routes_set(routes, "c", "fc", "Host:h;PathPrefix:/api", 9, http, touch, NULL);
    check_ways("h", "h/=b/a h/api=c/a");
    routes_set(routes, "d", "fd", "Host:h;Path:/api/x", 9, https, touch, NULL);
    check_ways("h", "h/=b/a h/api=c/a h/api/x=c/d");
    /* Within a rule that comes first it is in no map, at that entry point. */
    routes_set(routes, "a", "fa", "Host:h", 99, https, touch, NULL);
    check_ways("h", "h/=b/a h/api=c/a");
    check_claims("h", "h/=a h/=b h/api=c h/api/x!=d<a");
    /* The same rule at both: one of them is taken where the other is, too. */
    routes_set(routes, "b", "fb", "Host:h", 1, http | https, touch, NULL);
    check_claims("h", "h/=a h/=b<a h/api=c h/api/x!=d<a");
    check_ways("h", "h/=b/a h/api=c/a");
}
END_TEST

START_TEST(look_ups_decide_as_traefik_does)
{
    struct random_rule rules[N_SERVICES];
    for (state = 1; state < 3000000; state += 1000) {
        uint32_t seed = state;
        for (int i = 0; i < N_SERVICES; i++) {
            draw_rule(&rules[i], i);
        }
        size_t count = 0;
        struct route_claim *claims = routes_find_claims(routes, "h", "/", &(struct routes_judge){0}, &count);
        for (int i = 0; i < 30; i++) {
            char path[8];
            enum access_point point = i % 2 ? ACCESS_HTTPS : ACCESS_HTTP;
            draw_path(path);
            const char *found = look_up(claims, count, path, point);
            const char *wanted = decide(rules, path, point);
            ck_assert_msg(strcmp(found, wanted) == 0, "seed %u: %s: %s, not %s", seed, path, found, wanted);
        }
        routes_free_claims(claims, count);
        state = seed;
    }
}
END_TEST

/* What a part of the host comes to does not depend on how much of it is asked for; also while rules come and go. */
START_TEST(a_part_is_as_the_whole)
{
    struct random_rule rules[N_SERVICES];
    size_t judged = 0;
    memset(rules, 0, sizeof(rules));
    for (state = 77; judged < 40000;) {
        char path[8];
        size_t n_all = 0;
        size_t n_part = 0;
        uint32_t number = draw(N_SERVICES);
        draw_rule(&rules[number], (int)number);
        if (draw(3) == 0) {
            routes_set(routes, rules[draw(N_SERVICES)].service, "", NULL, 0, 0, touch, NULL);
        }
        draw_path(path);
        struct route_claim *all = routes_find_claims(routes, "h", "/", &judge, &n_all);
        struct route_claim *part = routes_find_claims(routes, "h", path, &judge, &n_part);
        size_t at = 0;
        for (size_t i = 0; i < n_all; i++) {
            ck_assert(i == 0 || strcmp(all[i - 1].key, all[i].key) <= 0);
            if (strncmp(all[i].key + 1, path, strlen(path)) != 0) {
                continue;
            }
            ck_assert_uint_lt(at, n_part);
            ck_assert_str_eq(part[at].key, all[i].key);
            ck_assert_ptr_eq(part[at].route, all[i].route);
            ck_assert_ptr_eq(part[at].loses_to, all[i].loses_to);
            ck_assert(memcmp(part[at].leads_to, all[i].leads_to, sizeof(all[i].leads_to)) == 0);
            at++;
        }
        ck_assert_uint_eq(at, n_part);
        judged += n_part;
        routes_free_claims(all, n_all);
        routes_free_claims(part, n_part);
    }
}
END_TEST

START_TEST(hosts_that_are_named)
{
    size_t count = 0;
    routes_set(routes, "s", "f", "Host:a.test,B.test.;Method:GET", 1, 3, touch, NULL);
    const char *const *hosts = routes_named_hosts(routes, "s", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(hosts[1], "b.test");
    routes_tell_keys(routes, "s", touch, NULL);
    ck_assert_str_eq(buf_text(&touched), "");
    routes_set(routes, "s", "f", "Host:a.test;Nonsense:1", 1, 3, touch, NULL);
    (void)routes_named_hosts(routes, "s", &count);
    ck_assert_uint_eq(count, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("routes");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, hosts_that_are_named);
    tcase_add_test(tests, what_maps_can_express);
    tcase_add_test(tests, too_many_keys_are_none);
    tcase_add_test(tests, keys_are_told_of);
    tcase_add_test(tests, one_rule);
    tcase_add_test(tests, the_higher_priority_has_the_key);
    tcase_add_test(tests, with_equal_priorities_who_has_the_key_keeps_it);
    tcase_add_test(tests, what_is_within_another_s_is_in_no_map);
    tcase_add_test(tests, each_entry_point_has_its_own_rules);
    tcase_add_test(tests, a_part_is_as_the_whole);
    tcase_add_test(tests, look_ups_decide_as_traefik_does);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
