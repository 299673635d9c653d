/* SPDX-License-Identifier: MIT */
/* What the guard counts: ready endpoints by service, for each HAProxy by itself. */
#include "cluster_fixture.h"

/* HAProxy 0 has a backend for every app but those that begin with /x, HAProxy 1 for /web alone. /blue and /green are
 * one service, /two is two. */
static bool next_service(void *arg, size_t haproxy, const char *app_id, size_t *position, const char **ret_name)
{
    size_t place = (*position)++;
    (void)arg;
    *ret_name = strcmp(app_id, "/blue") == 0 || strcmp(app_id, "/green") == 0 ? "color" : app_id;
    if (strcmp(app_id, "/two") == 0 && place == 1) {
        *ret_name = "other";
        return haproxy == 0;
    }
    return place == 0 && (haproxy == 0 ? app_id[1] != 'x' : strcmp(app_id, "/web") == 0);
}

static void setup_services(void)
{
    cluster = cluster_new(&(struct cluster_config){
        .missing_confirmations = 2, .max_removal_percent = 50, .next_service = next_service, .n_haproxies = 2});
}

/* A complete answer: pairs of app and tasks. */
static enum cluster_verdict list(const char *first, const char *first_tasks, const char *second,
                                 const char *second_tasks)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    if (first) {
        list_app(stamp, first, "1", first_tasks);
    }
    if (second) {
        list_app(stamp, second, "1", second_tasks);
    }
    return cluster_end_fetch(cluster, stamp).verdict;
}

#define EIGHT "a b c d e f g h"
#define MANY "k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 l0 l1 l2 l3 l4 l5 l6 l7 l8 l9"

START_TEST(what_no_haproxy_has_does_not_make_a_loss_look_small)
{
    list("/web", EIGHT, "/x", MANY);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(list(NULL, NULL, "/x", MANY), CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/web"), EIGHT);
}
END_TEST

START_TEST(what_no_haproxy_has_is_not_held)
{
    list("/web", EIGHT, "/x", MANY);
    list("/web", EIGHT, NULL, NULL);
    ck_assert_int_eq(list("/web", EIGHT, NULL, NULL), CLUSTER_GOOD);
    ck_assert_str_eq(believed("/x"), "gone");
}
END_TEST

START_TEST(each_haproxy_is_judged_by_itself)
{
    list("/web", EIGHT, "/api", MANY);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(list("/web", "a", "/api", MANY), CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/web"), EIGHT);
    list("/web", EIGHT, "/api", MANY);
    for (int i = 0; i < 2; i++) {
        list("/web", EIGHT, "/api", &MANY[9]);
    }
    ck_assert_str_eq(believed("/api"), &MANY[9]);
}
END_TEST

START_TEST(an_app_that_takes_over_a_service_replaces_the_other)
{
    list("/blue", EIGHT, NULL, NULL);
    ck_assert_int_eq(list("/green", "i j k l m n o p", NULL, NULL), CLUSTER_UNCONFIRMED);
    ck_assert_int_eq(list("/green", "i j k l m n o p", NULL, NULL), CLUSTER_GOOD);
    ck_assert_str_eq(believed("/blue"), "gone");
}
END_TEST

START_TEST(a_task_is_an_endpoint_in_each_service_of_its_app)
{
    list("/two", "a b c d", "/web", "e f g");
    for (int i = 0; i < 3; i++) {
        /* Eight and three before, eight of them gone. */
        ck_assert_int_eq(list(NULL, NULL, "/web", "e f g"), CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/two"), "a b c d");
}
END_TEST

START_TEST(apps_whose_tasks_are_held_are_listed)
{
    const char *ids[2] = {"", ""};
    ck_assert_uint_eq(cluster_list_held(cluster, ids, 2), 0);
    list("/web", EIGHT, "/api", "p");
    ck_assert_int_eq(list(NULL, NULL, "/api", "p"), CLUSTER_HELD);
    ck_assert_uint_eq(cluster_list_held(cluster, ids, 0), 1);
    ck_assert_str_eq(ids[0], "");
    ck_assert_uint_eq(cluster_list_held(cluster, ids, 2), 1);
    ck_assert_str_eq(ids[0], "/web");
    ck_assert_uint_eq(cluster_confirm(cluster), 8);
    ck_assert_uint_eq(cluster_list_held(cluster, ids, 2), 0);
}
END_TEST

START_TEST(what_is_lacked_besides_waits_for_its_confirmation)
{
    list("/web", EIGHT, "/api", "p");
    uint64_t stamp = cluster_begin_fetch(cluster);
    list_app(stamp, "/api", "1", "q");
    struct cluster_fetch_result result = cluster_end_fetch(cluster, stamp);
    ck_assert_int_eq(result.verdict, CLUSTER_HELD);
    ck_assert_uint_eq(result.n_missing, 9);
    ck_assert_uint_eq(result.n_unconfirmed, 1);
    stamp = cluster_begin_fetch(cluster);
    list_app(stamp, "/api", "1", "q");
    result = cluster_end_fetch(cluster, stamp);
    ck_assert_uint_eq(result.n_removed, 1);
    ck_assert_uint_eq(result.n_unconfirmed, 0);
}
END_TEST

START_TEST(what_comes_to_others_does_not_let_go_what_is_held)
{
    list("/api", EIGHT, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(list("/new", MANY, NULL, NULL), CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/api"), EIGHT);
}
END_TEST

START_TEST(a_task_that_waits_for_its_definition_replaces_nothing)
{
    list("/api", EIGHT, NULL, NULL);
    for (int i = 0; i < 8; i++) {
        cleanup_free char *task = mem_printf("n%d", i);
        status("/api", task, "2", "RUNNING");
    }
    uint64_t stamp = cluster_begin_fetch(cluster);
    for (int i = 0; i < 8; i++) {
        cleanup_free char *task = mem_printf("n%d", i);
        status("/api", task, "2", "RUNNING");
    }
    list_app(stamp, "/api", "1", "");
    ck_assert_int_eq(cluster_end_fetch(cluster, stamp).verdict, CLUSTER_HELD);
}
END_TEST

START_TEST(an_empty_answer_holds_everything_that_a_haproxy_serves)
{
    list("/web", "a", NULL, NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(empty_answer().verdict, CLUSTER_HELD);
    }
    ck_assert_str_eq(believed("/web"), "a");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster_guard");
    TCase *tests = tcase_create("all");
    const TTest *const all[] = {
        what_no_haproxy_has_does_not_make_a_loss_look_small,
        what_no_haproxy_has_is_not_held,
        each_haproxy_is_judged_by_itself,
        an_app_that_takes_over_a_service_replaces_the_other,
        a_task_is_an_endpoint_in_each_service_of_its_app,
        what_comes_to_others_does_not_let_go_what_is_held,
        what_is_lacked_besides_waits_for_its_confirmation,
        apps_whose_tasks_are_held_are_listed,
        a_task_that_waits_for_its_definition_replaces_nothing,
        an_empty_answer_holds_everything_that_a_haproxy_serves,
    };
    tcase_add_checked_fixture(tests, setup_services, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
