/* SPDX-License-Identifier: MIT */
/* Which class of backend labels ask for, and what is said of those that cannot be read. */
#include "mapping_fixture.h"

static void check_class(const char *app, const char *class, const char *problems)
{
    struct app_mapping *mapping = fixture_map(app);
    struct buf shown = BUF_INIT;
    for (size_t i = 0; i < mapping->problems.count; i++) {
        fixture_show_problem(&shown, &mapping->problems.items[i]);
    }
    ck_assert_uint_eq(mapping->n_parts, 1);
    ck_assert_msg(strcmp(mapping->parts[0].class, class) == 0, "%s is of class %s", app, mapping->parts[0].class);
    ck_assert_str_eq(buf_text(&shown), problems);
    buf_free(&shown);
    app_mapping_free(mapping);
}

START_TEST(what_cannot_be_read)
{
    check_class(LABELLED("'traefik.backend.loadbalancer.stickiness':'yes'"), "http",
                "! stickiness-invalid - -: traefik.backend.loadbalancer.stickiness is `yes`; true or false would be "
                "right, false is taken\n");
    check_class(LABELLED("'traefik.backend.loadbalancer.method':'DRR'"), "http",
                "! loadbalancer-method-unknown - -: traefik.backend.loadbalancer.method is `DRR`; wrr or drr would be "
                "right, wrr is taken\n");
}
END_TEST

START_TEST(what_labels_ask_for)
{
    check_class(LABELLED(""), "http", "");
    check_class(LABELLED("'traefik.protocol':'https'"), "https", "");
    check_class(LABELLED("'traefik.protocol':'h2c'"), "h2c", "");
    check_class(LABELLED("'traefik.protocol':'tcp'"), "tcp", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.stickiness':'true'"), "sticky", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.sticky':'1'"), "sticky", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.stickiness.cookieName':'SRV'"), "sticky", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.stickiness':'false'"), "http", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.method':'drr'"), "leastconn", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.method':'wrr'"), "http", "");
}
END_TEST

START_TEST(what_comes_first)
{
    check_class(LABELLED("'traefik.protocol':'https','traefik.backend.loadbalancer.sticky':'true'"), "https", "");
    check_class(LABELLED("'traefik.backend.loadbalancer.method':'drr','traefik.backend.loadbalancer.sticky':'true'"),
                "sticky", "");
}
END_TEST

static void put(struct services *services, const char *text)
{
    services_set_app(services, fixture_map(text));
}

START_TEST(a_service_has_the_class_of_its_first_part)
{
    struct services *services = services_new(1);
    size_t count = 0;
    put(services, "{'id':'/b','labels':{'traefik.backend':'x','traefik.backend.loadbalancer.sticky':'true'}}");
    ck_assert_str_eq(services_get(services, "backendx")->class, "sticky");
    put(services, "{'id':'/a','labels':{'traefik.backend':'x'}}");
    ck_assert_str_eq(services_get(services, "backendx")->class, "http");
    const struct problem **list = services_list_problems(services, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(list[0]->code, "class-conflict");
    ck_assert_str_eq(list[0]->message, "its labels ask for a backend of the class sticky, but the service backendx has "
                                       "http from the app /a; that stays");
    free(list);
    /* Another class is a change. */
    while (services_next_changed(services)) {
    }
    put(services, "{'id':'/a','labels':{'traefik.backend':'x','traefik.backend.loadbalancer.method':'drr'}}");
    const struct service *changed = services_next_changed(services);
    ck_assert_ptr_nonnull(changed);
    ck_assert_str_eq(changed->class, "leastconn");
    services_free(services);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("class");
    TCase *tests = fixture_case(suite, "class");
    tcase_add_test(tests, what_cannot_be_read);
    tcase_add_test(tests, what_labels_ask_for);
    tcase_add_test(tests, what_comes_first);
    tcase_add_test(tests, a_service_has_the_class_of_its_first_part);
    return suite;
}

SUITE_MAIN(make_suite)
