/* SPDX-License-Identifier: MIT */
/* The table as a whole: order, views that do not change, the recorded decisions of Traefik, and the same answers as
 * HAProxy's maps for the rules that those can express. */
#include <glob.h>
#include <json-c/json.h>
#include <string.h>

#include "route_fixture.h"
#include "slotd/config.h"
#include "slotd/map_output.h"
#include "slotd/routes.h"

static const char *decided_by(const struct route_view *view, const char *url, enum access_point point)
{
    struct route_asked asked;
    struct route_verdict verdict;
    ck_assert_int_eq(route_asked_from_url("GET", url, NULL, 0, NULL, &asked, NULL), 0);
    asked.request.point = point;
    route_view_decide(view, scratch, &asked.request, NULL, NULL, &verdict);
    route_asked_free(&asked);
    return verdict.entry ? verdict.entry->service : "";
}

static void check_service(const char *url, const char *expected)
{
    struct route_view *view = route_table_view(table);
    ck_assert_str_eq(decided_by(view, url, ACCESS_HTTP), expected);
    route_view_free(view);
}

/* ---- order, changes ---- */

START_TEST(the_higher_priority_is_first_wherever_the_rule_is)
{
    ck_assert_int_eq(route_set("named", "Host:x", 5, NULL), 0);
    ck_assert_int_eq(route_set("any", "PathPrefix:/", 4, NULL), 0);
    check_service("x/", "named");
    check_service("y/", "any");
    ck_assert_int_eq(route_set("any", "PathPrefix:/", 6, NULL), 0);
    check_service("x/", "any");
    ck_assert_int_eq(route_set("any", "PathPrefix:/", 5, NULL), 0);
    check_service("x/", "any"); /* of equal ones the first by name */
    ck_assert_uint_eq(route_table_count(table), 2);
    ck_assert_uint_eq(route_table_count_hostless(table), 1);
}
END_TEST

START_TEST(a_rule_is_for_its_entry_points)
{
    struct route_entry entry = {
        .service = "a", .frontend = "a", .rule = "Host:x", .priority = 2, .points = 1U << ACCESS_HTTPS};
    ck_assert_int_eq(route_table_set(table, &entry, NULL), 0);
    ck_assert_int_eq(route_set("b", "Host:x", 1, NULL), 0);
    struct route_view *view = route_table_view(table);
    ck_assert_str_eq(decided_by(view, "x/", ACCESS_HTTP), "b");
    ck_assert_str_eq(decided_by(view, "x/", ACCESS_HTTPS), "a");
    route_view_free(view);
}
END_TEST

START_TEST(who_is_not_open_to_everybody_is_guarded)
{
    struct route_verdict verdict;
    struct access access = access_open();
    ck_assert_int_eq(access_read_list(&access, "10.0.0.0/8", NULL), 0);
    struct route_entry entry = {.service = "a",
                                .frontend = "a",
                                .rule = "Host:x;AddPrefix:/p",
                                .priority = 2,
                                .points = ACCESS_EVERYWHERE,
                                .access = &access};
    ck_assert_int_eq(route_table_set(table, &entry, NULL), 0);
    access_free(&access);
    ck_assert_str_eq(route_decide("GET", "x/a", NULL, &verdict), "guarded /p/a");
    ck_assert(verdict.entry->access->listed);
    ck_assert_uint_eq(verdict.entry->access->n_ranges, 1);
}
END_TEST

START_TEST(a_view_stays_as_it_was)
{
    ck_assert_int_eq(route_set("a", "Host:x,y", 1, NULL), 0);
    struct route_view *old = route_table_view(table);
    ck_assert_int_eq(route_set("a", "Host:z", 1, NULL), 0);
    ck_assert_int_eq(route_set("b", "Host:x", 1, NULL), 0);
    struct route_view *new = route_table_view(table);
    route_table_remove(table, "a");
    route_table_remove(table, "a");
    ck_assert_str_eq(decided_by(old, "x/", ACCESS_HTTP), "a");
    ck_assert_str_eq(decided_by(old, "z/", ACCESS_HTTP), "");
    ck_assert_str_eq(decided_by(new, "x/", ACCESS_HTTP), "b");
    ck_assert_str_eq(decided_by(new, "z/", ACCESS_HTTP), "a");
    check_service("z/", "");
    route_view_free(old);
    route_view_free(new);
}
END_TEST

START_TEST(hosts_of_a_rule)
{
    size_t count = 9;
    ck_assert_int_eq(route_set("a", "Host:X.,y,y;Host:a,b,c", 1, NULL), 0);
    const char *const *hosts = route_table_hosts(table, "a", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(hosts[0], "x");
    ck_assert_str_eq(hosts[1], "y");
    ck_assert_int_eq(route_set("a", "PathPrefix:/", 1, NULL), 0);
    (void)route_table_hosts(table, "a", &count);
    ck_assert_uint_eq(count, 0);
    (void)route_table_hosts(table, "b", &count);
    ck_assert_uint_eq(count, 0);
}
END_TEST

static uint32_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 16) % below;
}

#define N_HOSTS 300
#define N_KEPT 500

/* 20,000 changes, with views of other times held all along: each answers as its time did. */
START_TEST(many_changes_and_views)
{
    static char have[N_KEPT][16]; /* the host of service i, or "" */
    struct route_view *views[8] = {0};
    char hosts[8][16] = {{0}};
    char services[8][16] = {{0}};
    state = 1;
    for (int i = 0; i < 20000; i++) {
        char name[16];
        uint32_t which = draw(N_KEPT);
        (void)snprintf(name, sizeof(name), "s%u", which);
        if (draw(4) == 0) {
            route_table_remove(table, name);
            have[which][0] = '\0';
        } else {
            (void)snprintf(have[which], sizeof(have[which]), "h%u", draw(N_HOSTS));
            cleanup_free char *rule = mem_printf("Host:%s", have[which]);
            ck_assert_int_eq(route_set(name, rule, (int64_t)draw(1000000), NULL), 0);
        }
        uint32_t slot = draw(8);
        if (views[slot]) {
            ck_assert_str_eq(decided_by(views[slot], hosts[slot], ACCESS_HTTP), services[slot]);
            route_view_free(views[slot]);
        }
        views[slot] = route_table_view(table);
        (void)snprintf(hosts[slot], sizeof(hosts[slot]), "h%u", draw(N_HOSTS));
        strcpy(services[slot], decided_by(views[slot], hosts[slot], ACCESS_HTTP));
        const struct route_entry *entry = route_table_get(table, services[slot]);
        ck_assert(!services[slot][0] || strcmp(entry->rule + 5, hosts[slot]) == 0);
    }
    for (uint32_t i = 0; i < N_KEPT; i++) { /* and none of them is lost */
        char name[16];
        (void)snprintf(name, sizeof(name), "s%u", i);
        ck_assert_int_eq(route_table_get(table, name) != NULL, have[i][0] != '\0');
        route_table_remove(table, name);
    }
    for (uint32_t i = 0; i < N_HOSTS; i++) {
        cleanup_free char *host = mem_printf("h%u", i);
        check_service(host, "");
    }
    for (int i = 0; i < 8; i++) {
        route_view_free(views[i]);
    }
}
END_TEST

/* ---- what a real Traefik decided ---- */

static void read_file(const char *folder, const char *name, struct buf *content)
{
    cleanup_free char *path = mem_printf("%s%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t len;
    ck_assert_msg(file != NULL, "%s", path);
    while ((len = fread(buf_reserve(content, 65536), 1, 65536, file)) > 0) {
        buf_commit(content, len);
    }
    (void)fclose(file);
}

static void take_apps(const char *folder)
{
    struct services *services = NULL;
    struct problem_list malformed = {0};
    size_t count = 0;
    cleanup_buf struct buf apps = BUF_INIT;
    struct config *config = config_new_default();
    read_file(folder, "apps.json", &apps);
    ck_assert_int_eq(map_output_services(buf_text(&apps), apps.len, config, 0, &services, &malformed, NULL), 0);
    const struct service **list = services_list(services, &count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(route_set(list[i]->name, list[i]->rule, list[i]->parts[0]->priority, NULL), 0);
    }
    ck_assert_uint_eq(count, 80);
    free(list);
    problem_list_free(&malformed);
    services_free(services);
    config_free(config);
}

static void check_decision(const struct route_view *view, const char *recorded)
{
    static const char *const keys[] = {"service", "backend_path", "prefix"};
    struct route_asked asked;
    struct json_object *wanted = json_tokener_parse(recorded);
    ck_assert_int_eq(route_asked_read(wanted, &asked, NULL), 0);
    struct json_object *got = route_output_decision(view, scratch, &asked, false);
    for (size_t i = 0; i < 3; i++) {
        struct json_object *a = NULL;
        struct json_object *b = NULL;
        ck_assert(json_object_object_get_ex(got, keys[i], &a) && json_object_object_get_ex(wanted, keys[i], &b));
        ck_assert_msg(json_object_equal(a, b), "%s\n%s", recorded, json_object_to_json_string(got));
    }
    json_object_put(got);
    json_object_put(wanted);
    route_asked_free(&asked);
}

START_TEST(what_traefik_decided)
{
    glob_t folders = {0};
    size_t count = 0;
    cleanup_free char *pattern = mem_strdup(suite_fixture("golden-routes/*/"));
    ck_assert_int_eq(glob(pattern, 0, NULL, &folders), 0);
    for (size_t i = 0; i < folders.gl_pathc; i++) {
        cleanup_buf struct buf decisions = BUF_INIT;
        take_apps(folders.gl_pathv[i]);
        struct route_view *view = route_table_view(table);
        read_file(folders.gl_pathv[i], "decisions.jsonl", &decisions);
        char *rest = decisions.data;
        for (char *one; (one = strsep(&rest, "\n")) && one[0]; count++) {
            check_decision(view, one);
        }
        route_view_free(view);
    }
    ck_assert_uint_eq(count, 2400);
    globfree(&folders);
}
END_TEST

/* ---- what maps decide ---- */

#define N_SERVICES 9

static void touch(void *arg, const char *host)
{
    (void)arg;
    (void)host;
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

static void draw_rule(struct routes *routes, int number)
{
    char service[16];
    char frontend[16];
    char path[8];
    (void)snprintf(service, sizeof(service), "s%d", number);
    (void)snprintf(frontend, sizeof(frontend), "f%u", draw(100));
    draw_path(path);
    const char *kind = draw(3) == 0 ? "Path" : "PathPrefix";
    cleanup_free char *rule = draw(6) == 0 ? mem_strdup("Host:h") : mem_printf("Host:h;%s:%s", kind, path);
    const struct route_entry entry = {
        .service = service, .frontend = frontend, .rule = rule, .priority = draw(4), .points = 1 + draw(3)};
    ck_assert_int_eq(route_table_set(table, &entry, NULL), 0);
    routes_set(routes, service, frontend, rule, entry.priority, entry.points, touch, NULL);
    ck_assert_int_eq(routes_get(routes, service)->means, ROUTE_BY_MAP);
}

/* HAProxy's way: the exact key, else the longest prefix; what it has for the entry point. */
static const char *look_up(const struct route_claim *claims, size_t count, const char *path, enum access_point point)
{
    const struct route *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        const char *key = claims[i].key + 1;
        if (!route_claim_holds(&claims[i])) {
            continue;
        }
        if (claims[i].exact && strcmp(key, path) == 0) {
            return claims[i].leads_to[point] ? claims[i].leads_to[point]->service : "";
        }
        if (!claims[i].exact && strlen(key) > longest && strncmp(key, path, strlen(key)) == 0) {
            found = claims[i].leads_to[point];
            longest = strlen(key);
        }
    }
    return found ? found->service : "";
}

/* Whether Traefik's slash at the end of a path plays a part, which maps know nothing of: it redirects, or takes `//`
 * for the rule's `///`. */
static bool turns_slash(const struct route_verdict *verdict, const char *path)
{
    const char *exact = verdict->entry ? strstr(verdict->entry->rule, "Path:") : NULL;
    return exact && strcmp(exact + 5, path) != 0;
}

static bool check_path(const struct route_view *view, const struct route_claim *claims, size_t count, uint32_t seed)
{
    char path[8];
    struct route_verdict verdict;
    draw_path(path);
    struct route_request request = {.method = SPOP_TEXT("GET"),
                                    .host = SPOP_TEXT("h"),
                                    .path = {path, strlen(path)},
                                    .point = draw(2) ? ACCESS_HTTPS : ACCESS_HTTP};
    route_view_decide(view, scratch, &request, NULL, NULL, &verdict);
    if (turns_slash(&verdict, path)) {
        return false;
    }
    const char *got = verdict.entry ? verdict.entry->service : "";
    const char *wanted = look_up(claims, count, path, request.point);
    ck_assert_msg(strcmp(got, wanted) == 0, "seed %u: %s: %s, not %s", seed, path, got, wanted);
    return true;
}

START_TEST(maps_and_the_table_decide_the_same)
{
    size_t compared = 0;
    for (uint32_t seed = 1; seed <= 3000; seed++) {
        struct routes *routes = routes_new(7);
        state = seed * 1000;
        for (int i = 0; i < N_SERVICES; i++) {
            draw_rule(routes, i);
        }
        size_t count = 0;
        struct route_claim *claims = routes_find_claims(routes, "h", "/", &(struct routes_judge){0}, &count);
        struct route_view *view = route_table_view(table);
        for (int i = 0; i < 30; i++) {
            compared += check_path(view, claims, count, seed);
        }
        route_view_free(view);
        routes_free_claims(claims, count);
        routes_free(routes);
    }
    ck_assert_uint_gt(compared, 70000);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("route table");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, route_setup, route_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, the_higher_priority_is_first_wherever_the_rule_is);
    tcase_add_test(tests, a_rule_is_for_its_entry_points);
    tcase_add_test(tests, who_is_not_open_to_everybody_is_guarded);
    tcase_add_test(tests, a_view_stays_as_it_was);
    tcase_add_test(tests, hosts_of_a_rule);
    tcase_add_test(tests, many_changes_and_views);
    tcase_add_test(tests, what_traefik_decided);
    tcase_add_test(tests, maps_and_the_table_decide_the_same);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
