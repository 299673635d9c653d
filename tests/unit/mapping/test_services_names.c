/* SPDX-License-Identifier: MIT */
/* What services' backends are called in HAProxy: names that look alike there, and restarts. */
#include <string.h>

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

#define E_ACUTE "\xc3\xa9"
#define E_GRAVE "\xc3\xa8"

/* A name that is its own alone, whoever else is there: the hash of the service's name. */
#define ACUTE_NAME "backend-_-4117dacd"
#define GRAVE_NAME "backend-_-aa04e648"

START_TEST(names_that_look_alike_get_a_suffix_each)
{
    put_shared("a", E_ACUTE, "");
    put_shared("b", "plain", "");
    put_shared("c", E_GRAVE, "");
    check_list("backend-plain=backend-plain http Host:b.marathon.localhost: /b/1\n"
               "backend-" E_GRAVE "=" GRAVE_NAME " http Host:c.marathon.localhost: /c/1\n"
               "backend-" E_ACUTE "=" ACUTE_NAME " http Host:a.marathon.localhost: /a/1\n");
}
END_TEST

START_TEST(one_alone_has_the_plain_name)
{
    put_shared("c", E_GRAVE, "");
    check_list("backend-" E_GRAVE "=backend-_ http Host:c.marathon.localhost: /c/1\n");
}
END_TEST

/* Until it is told apart from the start, the newcomer has its own name already. */
START_TEST(who_has_a_name_keeps_it)
{
    put_shared("a", E_ACUTE, "");
    check_changed("backend-" E_ACUTE "=backend-_ http Host:a.marathon.localhost: /a/1\n");
    put_shared("c", E_GRAVE, "");
    check_changed("backend-" E_GRAVE "=" GRAVE_NAME " http Host:c.marathon.localhost: /c/1\n");
    services_remove_app(services, "/a");
    check_changed("backend-" E_ACUTE "=backend-_ http gone:\n");
    check_list("backend-" E_GRAVE "=" GRAVE_NAME " http Host:c.marathon.localhost: /c/1\n");
    put_shared("a", E_ACUTE, "");
    check_changed("backend-" E_ACUTE "=backend-_ http Host:a.marathon.localhost: /a/1\n");
}
END_TEST

/* Whatever the order they came in and the others that are there, after a restart no service is called as another was.
 */
START_TEST(no_name_is_another_s_after_a_restart)
{
    static const char *const labels[] = {E_ACUTE, E_GRAVE, "\xc3\xaa"};
    char *names[3][12] = {0};
    for (unsigned run = 0; run < 12; run++) {
        bool at_once = run >= 6;
        services_free(services);
        services = services_new(run);
        for (unsigned i = 0; i < 3; i++) {
            unsigned which = (run % 3 + (run & 1 ? 2 * i : i)) % 3;
            put_shared(labels[which], labels[which], "");
            if (!at_once) {
                (void)services_next_changed(services);
            }
        }
        for (unsigned i = 0; i < 3; i++) {
            cleanup_free char *name = mem_printf("backend-%s", labels[i]);
            names[i][run] = mem_strdup(services_get(services, name)->backend);
        }
    }
    for (unsigned run = 0; run < 12; run++) {
        for (unsigned other = 6; other < 12; other++) {
            for (unsigned i = 0; i < 9; i++) {
                bool is_same = strcmp(names[i / 3][run], names[i % 3][other]) == 0;
                ck_assert_msg(!is_same || i / 3 == i % 3, "%s", names[i / 3][run]);
            }
        }
    }
    for (unsigned i = 0; i < 36; i++) {
        free(names[i / 12][i % 12]);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("services' names");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, services_setup, services_teardown);
    tcase_add_test(tests, names_that_look_alike_get_a_suffix_each);
    tcase_add_test(tests, one_alone_has_the_plain_name);
    tcase_add_test(tests, who_has_a_name_keeps_it);
    tcase_add_test(tests, no_name_is_another_s_after_a_restart);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
