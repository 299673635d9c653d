/* SPDX-License-Identifier: MIT */
/* The labels under frontend. that say who may use a route: what is taken, what closes it and with which words, and what
 * the apps of one service do with each other's. */
#include "mapping_fixture.h"

#define F(name, value) "'traefik.frontend." name "':'" value "'"
#define CLOSED_LIST                                                                                                    \
    ". Its routes answer 503, to everybody (Traefik would serve everybody); up to 256 ranges joined by commas would "  \
    "be right\n"

/* The access of each part, then the problems. */
static void check_labels(const char *labels, const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_free char *app = mem_printf("{'id':'/web','labels':{%s}}", labels);
    struct app_mapping *mapping = fixture_map(app);
    for (size_t i = 0; i < mapping->n_parts; i++) {
        const struct service_part *part = &mapping->parts[i];
        buf_printf(&text, "%s%s", part->segment, part->segment[0] ? ": " : "");
        access_describe(&part->access, &text);
        buf_puts(&text, part->access.redirect.target && part->access.redirect.permanent ? " for ever\n" : "\n");
    }
    for (size_t i = 0; i < mapping->problems.count; i++) {
        fixture_show_problem(&text, &mapping->problems.items[i]);
    }
    app_mapping_free(mapping);
    ck_assert_msg(strcmp(buf_text(&text), expected) == 0, "%s\ngives\n%s\nexpected\n%s", labels, buf_text(&text),
                  expected);
}

/* The same, of one problem the code alone. */
static void check_code(const char *labels, const char *summary, const char *code)
{
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_free char *app = mem_printf("{'id':'/web','labels':{%s}}", labels);
    struct app_mapping *mapping = fixture_map(app);
    access_describe(&mapping->parts[0].access, &text);
    ck_assert_msg(strcmp(buf_text(&text), summary) == 0, "%s: %s", labels, buf_text(&text));
    ck_assert_msg(mapping->problems.count == 1, "%s", labels);
    ck_assert_msg(strcmp(mapping->problems.items[0].code, code) == 0, "%s: %s", labels,
                  mapping->problems.items[0].code);
    ck_assert(text_is_plain(mapping->problems.items[0].message));
    ck_assert(strstr(mapping->problems.items[0].message, "traefik.frontend."));
    app_mapping_free(mapping);
}

START_TEST(protections_fail_closed)
{
    check_labels(F("whiteList.sourceRange", "10.0.0.0/8,all"),
                 "closed\n! whitelist-invalid - -: traefik.frontend.whiteList.sourceRange cannot be read: `all` is "
                 "neither an address nor a range such as 10.0.0.0/8 or fd00::/8" CLOSED_LIST);
    check_labels(F("whiteList.sourceRange", " , "),
                 "closed\n! whitelist-invalid - -: traefik.frontend.whiteList.sourceRange cannot be read: it has no "
                 "address in it" CLOSED_LIST);
    check_labels(
        F("auth.basic.users", "a:b"),
        "closed\n! auth-unsupported - -: traefik.frontend.auth.basic.users asks for authentication, which slotd "
        "cannot give yet: its routes answer 503, to everybody. Let the app ask for it itself and remove the "
        "labels, or use traefik.frontend.whiteList.sourceRange\n");
    static const char *const auth[] = {"auth.basic",
                                       "auth.basic.usersFile",
                                       "auth.digest.users",
                                       "auth.forward.address",
                                       "auth.headerField",
                                       "Auth.Basic.Users",
                                       "AUTH",
                                       "authentication"};
    for (size_t i = 0; i < COUNT(auth); i++) {
        cleanup_free char *label = mem_printf(F("%s", "x"), auth[i]);
        check_code(label, "closed", "auth-unsupported");
    }
    static const char *const unknown[] = {"whitelist.sourceRange",  "whiteList.sourcerange", "whiteList",
                                          "whiteList.sourceRanges", "whitelistsourcerange",  "WhiteList.IPs"};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        cleanup_free char *label = mem_printf(F("%s", "10.0.0.0/8"), unknown[i]);
        check_code(label, "closed", "whitelist-unknown");
    }
}
END_TEST

START_TEST(whitelists)
{
    check_labels("", "open\n");
    check_labels(F("whiteList.sourceRange", ""), "open\n");
    check_labels(F("auth.basic.users", ""), "open\n");
    check_labels(F("whiteList.sourceRange", "10.0.0.0/8, fd00::/8"), "from 10.0.0.0/8 and 1 more\n");
    check_labels(F("whitelistSourceRange", "10.0.0.0/8"), "from 10.0.0.0/8\n");
    check_labels(F("whitelistSourceRange", "bad") "," F("whiteList.sourceRange", "10.0.0.0/8"), "from 10.0.0.0/8\n");
    check_labels(F("whiteList.useXForwardedFor", "false") "," F("whiteList.sourceRange", "10.0.0.0/8"),
                 "from 10.0.0.0/8\n");
    check_code(F("whiteList.useXForwardedFor", "true") "," F("whiteList.sourceRange", "10.0.0.0/8"), "from 10.0.0.0/8",
               "whitelist-forwarded");
    check_code(F("whiteList.useXForwardedFor", "yes") "," F("whiteList.sourceRange", "10.0.0.0/8"), "from 10.0.0.0/8",
               "whitelist-forwarded-invalid");
}
END_TEST

START_TEST(segments_have_their_own)
{
    check_labels(
        "'traefik.a.port':'1','traefik.b.port':'2','traefik.b.frontend.whiteList.sourceRange':'10.0.0.0/8',"
        "'traefik.c.port':'3','traefik.c.frontend.whiteList.sourceRange':''," F("whiteList.sourceRange", "192.0.2.1"),
        "a: from 192.0.2.1/32\nb: from 10.0.0.0/8\nc: open\n");
    cleanup_free char *app = mem_strdup(
        "{'id':'/web','labels':{'traefik.a.port':'1','traefik.b.port':'2','traefik.b.frontend.auth.basic.users':'x'}}");
    struct app_mapping *mapping = fixture_map(app);
    ck_assert_uint_eq(mapping->n_parts, 2);
    ck_assert(!mapping->parts[0].access.closed && mapping->parts[1].access.closed);
    app_mapping_free(mapping);
    app = (free(app), mem_strdup("{'id':'/web','labels':{'traefik.a.port':'1','traefik.b.port':'2',"
                                 "'traefik.frontend.auth.basic.users':'x','traefik.b.frontend.auth.basic.users':''}}"));
    mapping = fixture_map(app);
    ck_assert(mapping->parts[0].access.closed && !mapping->parts[1].access.closed);
    app_mapping_free(mapping);
}
END_TEST

START_TEST(entry_points)
{
    check_labels(F("entryPoints", "http,https"), "open\n");
    check_labels(F("entryPoints", " https , "), "https\n");
    check_labels(F("entryPoints", "http"), "http\n");
    check_labels(F("entryPoints", ","), "open\n");
    check_labels(F("entryPoints", "http,traefik"),
                 "http\n! entry-point-unknown - -: traefik.frontend.entryPoints is `http,traefik`; http and https are "
                 "the entry points that there are, and what is no name of theirs is left out\n");
    check_code(F("entryPoints", "HTTP,http"), "http", "entry-point-unknown");
    check_labels(F("entryPoints", "traefik"),
                 "closed\n! entry-point-unknown - -: traefik.frontend.entryPoints is `traefik`; http and https are the "
                 "entry points that there are, and what is no name of theirs is left out\n! entry-point-missing - -: "
                 "traefik.frontend.entryPoints names no entry point that there is: its routes answer 503. http, https "
                 "or both would be right\n");
}
END_TEST

START_TEST(redirects)
{
    check_labels(F("redirect.entryPoint", "https"), "to https\n");
    check_labels(F("redirect.entryPoint", "https") "," F("redirect.permanent", "true"), "to https for ever\n");
    check_labels(F("redirect.permanent", "true"), "open\n");
    check_labels(F("redirect.regex", "^http://a/(.*)") "," F("redirect.replacement", "https://b/$1"), "to https://b\n");
    check_labels(F("redirect.regex", "(.*)") "," F("redirect.replacement", "x") "," F("redirect.entryPoint", "http"),
                 "to http\n");
    check_code(F("redirect.entryPoint", "traefik"), "closed", "redirect-entry-point-unknown");
    check_code(F("redirect.entryPoint", "https\\nx"), "closed", "redirect-entry-point-unknown");
    check_code(F("redirect.regex", "(.*)") "," F("redirect.replacement", "https://b/$1"), "closed",
               "redirect-unsupported");
    check_code(F("redirect.regex", "^http://a/(.*)"), "open", "redirect-incomplete");
    check_code(F("redirect.replacement", "https://b/$1"), "open", "redirect-incomplete");
    check_code(F("redirect.entryPoint", "https") "," F("redirect.permanent", "ever"), "to https",
               "redirect-permanent-invalid");
}
END_TEST

START_TEST(what_cannot_be_done)
{
    check_labels(F("passHostHeader", "true"), "open\n");
    check_code(F("passHostHeader", "false"), "open", "pass-host-header-fixed");
    check_code(F("passHostHeader", "no"), "open", "pass-host-header-invalid");
}
END_TEST

/* ---- services ---- */

/* The access of the service "backendmix" of two apps with these labels, and who is told of a clash. */
static void check_mix(const char *a, const char *b, const char *expected)
{
    struct services *services = services_new(1);
    cleanup_buf struct buf text = BUF_INIT;
    const char *labels[] = {a, b};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(labels); i++) {
        cleanup_free char *app = mem_printf("{'id':'/%c','labels':{'traefik.backend':'mix'%s%s}}", (char)('a' + (int)i),
                                            labels[i][0] ? "," : "", labels[i]);
        services_set_app(services, fixture_map(app));
    }
    access_describe(services_get(services, "backendmix")->access, &text);
    const struct problem **problems = services_list_problems(services, &count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, " %s:%s", problems[i]->app, problems[i]->code);
    }
    ck_assert_msg(strcmp(buf_text(&text), expected) == 0, "%s | %s: %s", a, b, buf_text(&text));
    free(problems);
    services_free(services);
}

START_TEST(what_all_apps_of_a_service_allow)
{
    const char *list = F("whiteList.sourceRange", "10.0.0.0/8");
    check_mix("", "", "open");
    check_mix(list, list, "from 10.0.0.0/8");
    check_mix(list, "", "from 10.0.0.0/8 /b:access-clash");
    check_mix("", list, "from 10.0.0.0/8 /a:access-clash");
    check_mix(list, F("whiteList.sourceRange", "10.1.0.0/16,192.0.2.1"),
              "from 10.1.0.0/16 /a:access-clash /b:access-clash");
    check_mix(list, F("whiteList.sourceRange", "192.0.2.1"), "from nowhere /a:access-clash /b:access-clash");
    check_mix("", F("auth.basic.users", "x"), "closed /a:access-clash /b:auth-unsupported");
    check_mix(F("entryPoints", "https"), "", "https /b:access-clash");
    check_mix(F("entryPoints", "https"), F("entryPoints", "http"), "closed /a:access-clash /b:access-clash");
    check_mix("", F("redirect.entryPoint", "https"), "to https");
    check_mix(F("redirect.entryPoint", "http"), F("redirect.entryPoint", "https"), "to http /b:access-clash");
}
END_TEST

/* It took minutes: the service was judged anew for each segment, and each range compared with all others. */
START_TEST(one_app_with_every_segment_and_range_there_may_be)
{
    cleanup_buf struct buf app = BUF_INIT;
    cleanup_buf struct buf text = BUF_INIT;
    struct services *services = services_new(1);
    buf_puts(&app, "{'id':'/web','labels':{'traefik.backend':'all'");
    for (int segment = 0; segment < 128; segment++) {
        buf_printf(&app, ",'traefik.s%d.portIndex':'0','traefik.s%d.frontend.whiteList.sourceRange':'11.0.0.%d",
                   segment, segment, segment);
        for (int range = 1; range < 256; range++) {
            buf_printf(&app, ",10.%d.0.0/16", range);
        }
        buf_puts(&app, "'");
    }
    buf_puts(&app, "}}");
    services_set_app(services, fixture_map(buf_text(&app)));
    access_describe(services_get(services, "backendall")->access, &text);
    ck_assert_str_eq(buf_text(&text), "from 10.1.0.0/16 and 254 more");
    services_free(services);
}
END_TEST

START_TEST(a_label_changes_a_service)
{
    struct services *services = services_new(1);
    services_set_app(services, fixture_map("{'id':'/web'}"));
    ck_assert(access_is_open(services_next_changed(services)->access));
    ck_assert_ptr_null(services_next_changed(services));
    services_set_app(services, fixture_map("{'id':'/web','labels':{" F("whiteList.sourceRange", "10.0.0.0/8") "}}"));
    ck_assert(services_next_changed(services)->access->listed);
    services_set_app(services, fixture_map("{'id':'/web','labels':{" F("whiteList.sourceRange", "10.9.9.9/8") "}}"));
    ck_assert_ptr_null(services_next_changed(services));
    services_remove_app(services, "/web");
    ck_assert(services_next_changed(services)->gone);
    services_free(services);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("access_labels");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, fixture_setup, fixture_teardown);
    tcase_add_test(tests, protections_fail_closed);
    tcase_add_test(tests, whitelists);
    tcase_add_test(tests, segments_have_their_own);
    tcase_add_test(tests, entry_points);
    tcase_add_test(tests, redirects);
    tcase_add_test(tests, what_cannot_be_done);
    tcase_add_test(tests, what_all_apps_of_a_service_allow);
    tcase_add_test(tests, one_app_with_every_segment_and_range_there_may_be);
    tcase_add_test(tests, a_label_changes_a_service);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
