/* SPDX-License-Identifier: MIT */
/* Names of services, frontends, servers and backends. */
#include "mapping_fixture.h"

static struct mapper *mapper;

static void names_setup(void)
{
    fixture_setup();
    mapper = fixture_mapper();
}

static void names_teardown(void)
{
    mapper_free(mapper);
    fixture_teardown();
}

static void check_normal(const char *text, const char *expected)
{
    cleanup_free char *normal = mapper_normalize(mapper, text);
    ck_assert_msg(strcmp(normal, expected) == 0, "`%s` gives `%s`, expected `%s`", text, normal, expected);
}

START_TEST(nothing_is_left_of_what_has_no_letter)
{
    static const char *const texts[] = {"", "-", "--/..", " \t\n", "\x01\x7f", "\xe2\x80\x94", "\xf0\x9f\x99\x82"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        check_normal(texts[i], "");
    }
}
END_TEST

START_TEST(what_is_no_letter_parts_words)
{
    check_normal("a", "a");
    check_normal("/a/b", "a-b");
    check_normal("a_b.c-d", "a-b-c-d");
    check_normal("--a--b--", "a-b");
    check_normal("A1z9", "A1z9");
    check_normal("a\nb;c\"d", "a-b-c-d");
    check_normal("a\xc2\xa0"
                 "b",
                 "a-b");
    check_normal("\xe2\x80\x94"
                 "a\xe2\x80\x94\xe2\x80\x94"
                 "b\xe2\x80\x94",
                 "a-b");
}
END_TEST

START_TEST(letters_and_numbers_of_all_scripts)
{
    check_normal("caf\xc3\xa9", "caf\xc3\xa9");
    check_normal("\xc3\xa9/\xc3\xa9", "\xc3\xa9-\xc3\xa9");
    check_normal("\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac");
    check_normal("x\xd9\xa3", "x\xd9\xa3");       /* an Arabic digit */
    check_normal("\xe2\x85\xa7", "\xe2\x85\xa7"); /* the Roman numeral eight is a number */
    check_normal("\xc2\xbd"
                 "a",
                 "\xc2\xbd"
                 "a");                                        /* so is one half */
    check_normal("\xf0\x90\x90\x80.a", "\xf0\x90\x90\x80-a"); /* four bytes */
    check_normal("e\xcc\x81"
                 "a",
                 "e-a"); /* a combining accent is no letter */
    check_normal("\xf0\x9f\x99\x82"
                 "a",
                 "a");
}
END_TEST

START_TEST(bytes_that_are_no_utf8_part_words)
{
    check_normal("a\xff"
                 "b",
                 "a-b");
    check_normal("a\xc3", "a");
    check_normal("\xa9"
                 "a",
                 "a");
    check_normal("a\xc3"
                 "b\xc3\xa9",
                 "a-b\xc3\xa9");
    check_normal("\xe6\x97"
                 "a",
                 "a");
    check_normal("\xc0\x80"
                 "a",
                 "a");
    check_normal("a\xed\xa0\x80"
                 "b",
                 "a-b");
    check_normal("a\xf8\x88\x80\x80\x80"
                 "b",
                 "a-b");
}
END_TEST

/* Hostile input: each character its own word. */
START_TEST(long_texts_take_no_long_time)
{
    enum { WORDS = 400000 };
    cleanup_buf struct buf text = BUF_INIT;
    for (int i = 0; i < WORDS; i++) {
        buf_puts(&text, "\xc3\xa9;");
    }
    cleanup_free char *normal = mapper_normalize(mapper, buf_text(&text));
    ck_assert_uint_eq(strlen(normal), WORDS * 3 - 1);
}
END_TEST

/* The names that a part has, joined with blanks. */
static void check_names(const char *app, const char *expected)
{
    struct app_mapping *mapping = fixture_map(app);
    ck_assert_uint_eq(mapping->n_parts, 1);
    cleanup_free char *names =
        mem_printf("%s %s %s", mapping->parts[0].name, mapping->parts[0].backend, mapping->parts[0].frontend);
    app_mapping_free(mapping);
    ck_assert_str_eq(names, expected);
}

START_TEST(names_of_a_service)
{
    check_names("{'id':'/web'}", "backend-web backend-web frontend-web");
    check_names("{'id':'/a/b_c.d'}", "backend-a-b-c-d backend-a-b-c-d frontend-a-b-c-d");
    check_names("{'id':'web'}", "backendweb backendweb frontendweb");
    check_names("{'id':'/web','labels':{'traefik.backend':'blue/green'}}",
                "backendblue-green backendblue-green frontend-web");
    check_names("{'id':'/web','labels':{'traefik.backend':'-x'}}", "backend-x backend-x frontend-web");
    check_names("{'id':'/web','labels':{'traefik.backend':'/'}}", "backend backend frontend-web");
    check_names("{'id':'/web','labels':{'traefik.backend':''}}", "backend-web backend-web frontend-web");
    check_names("{'id':'/web','labels':{'traefik.api_v2.port':'80'}}",
                "backend-web-service-api-v2 backend-web-service-api-v2 frontend-web-service-api-v2");
    check_names("{'id':'/web','labels':{'traefik.-.port':'80'}}",
                "backend-web-service backend-web-service frontend-web-service");
    check_names("{'id':'/web','labels':{'traefik.a.backend':'b'}}", "backendb backendb frontend-web-service-a");
    check_names("{'id':'/web','labels':{'traefik.backend':'x','traefik.a.port':'1'}}",
                "backendx backendx frontend-web-service-a");
}
END_TEST

START_TEST(haproxy_gets_ascii)
{
    check_names("{'id':'/caf\xc3\xa9'}", "backend-caf\xc3\xa9 backend-caf_ frontend-caf\xc3\xa9");
    check_names("{'id':'/\xe6\x97\xa5\xf0\x90\x90\x80'}",
                "backend-\xe6\x97\xa5\xf0\x90\x90\x80 backend-__ frontend-\xe6\x97\xa5\xf0\x90\x90\x80");
    check_names("{'id':'/web','labels':{'traefik.backend':';set \\n x\\u001b\\u007f y'}}",
                "backend-set-x-y backend-set-x-y frontend-web");
}
END_TEST

static char *backend_of_length(size_t len, char last)
{
    cleanup_free char *label = mem_alloc(len + 1);
    memset(label, 'x', len);
    label[len - 1] = last;
    cleanup_free char *app = mem_printf("{'id':'/web','labels':{'traefik.backend':'%s'}}", label);
    struct app_mapping *mapping = fixture_map(app);
    char *backend = mapping->n_parts > 0 ? mem_strdup(mapping->parts[0].backend) : mem_strdup("none");
    app_mapping_free(mapping);
    return backend;
}

START_TEST(long_backends_are_cut_and_stay_apart)
{
    cleanup_free char *longest = backend_of_length(200 - strlen("backend"), 'a');
    cleanup_free char *one = backend_of_length(900, 'a');
    cleanup_free char *other = backend_of_length(900, 'b');
    ck_assert_uint_eq(strlen(longest), 200);
    ck_assert_int_eq(longest[199], 'a');
    ck_assert_uint_eq(strlen(one), 200);
    ck_assert_uint_eq(strlen(other), 200);
    ck_assert_int_eq(strncmp(one, other, 192), 0);
    ck_assert_str_ne(one, other);
    ck_assert(text_is_haproxy_name(one));
}
END_TEST

START_TEST(names_that_are_too_long_are_left_out)
{
    cleanup_free char *longest = backend_of_length(1024 - strlen("backend"), 'a');
    cleanup_free char *longer = backend_of_length(1025 - strlen("backend"), 'a');
    cleanup_free char *mad = backend_of_length(1 << 20, 'a');
    ck_assert_uint_eq(strlen(longest), 200);
    ck_assert_str_eq(longer, "none");
    ck_assert_str_eq(mad, "none");
    cleanup_free char *id = mem_alloc(2000);
    memset(id, 'x', 1999);
    cleanup_free char *app = mem_printf("{'id':'/%s'}", id);
    check_mapping(app, "! backend-name-too-long - -: its service name is longer than 1024 bytes; it is left out, a "
                       "shorter label traefik.backend would help\n");
}
END_TEST

static Suite *names_suite(void)
{
    Suite *suite = suite_create("names");
    TCase *tests = tcase_create("names");
    tcase_add_checked_fixture(tests, names_setup, names_teardown);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, nothing_is_left_of_what_has_no_letter);
    tcase_add_test(tests, what_is_no_letter_parts_words);
    tcase_add_test(tests, letters_and_numbers_of_all_scripts);
    tcase_add_test(tests, bytes_that_are_no_utf8_part_words);
    tcase_add_test(tests, long_texts_take_no_long_time);
    tcase_add_test(tests, names_of_a_service);
    tcase_add_test(tests, haproxy_gets_ascii);
    tcase_add_test(tests, long_backends_are_cut_and_stay_apart);
    tcase_add_test(tests, names_that_are_too_long_are_left_out);
    return suite;
}

SUITE_MAIN(names_suite)
