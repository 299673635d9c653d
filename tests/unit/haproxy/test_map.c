/* SPDX-License-Identifier: MIT */
/* A map: what HAProxy prints of it, what it is told, and the way from what is to what should be. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/map.h"
#include "slotd/mem.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILE_NAME "/m/check-path.map"

/* ---- what HAProxy prints ---- */

static void check_content(const char *text, int expected_err, const char *expected)
{
    struct map_content *content = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    cleanup_buf struct buf shown = BUF_INIT;
    int err = map_content_parse(text, strlen(text), &content, &why);
    for (size_t i = 0; !err && i < content->count; i++) {
        const struct map_entry *entry = &content->entries[i];
        buf_printf(&shown, "(%s)(%s)(%s)", entry->reference, entry->key, entry->value);
    }
    ck_assert_msg(err == expected_err, "%s gives %d", text, err);
    ck_assert_str_eq(err ? buf_text(&why) : buf_text(&shown), expected);
    map_content_free(content);
}

START_TEST(content_that_is_none)
{
    check_content("Unknown map identifier. Please use #<id> or <file>.\n", SLOTD_E_REFUSED,
                  "its configuration has no such map");
    check_content("Permission denied\n", SLOTD_E_PARSE, "not an entry of a map: Permission denied");
    check_content("0x1 web /a\n0x2 web\n", SLOTD_E_PARSE, "not an entry of a map: 0x2 web");
    check_content("0x1  /a\n", SLOTD_E_PARSE, "not an entry of a map: 0x1  /a");
    check_content("0x web /a\n", SLOTD_E_PARSE, "not an entry of a map: 0x");
    check_content("0x1g web /a\n", SLOTD_E_PARSE, "not an entry of a map: 0x1g");
    check_content("0x1;show\x01info web /a\n", SLOTD_E_PARSE, "not an entry of a map: 0x1;show\\x01info");
    struct map_content *content = NULL;
    ck_assert_int_eq(map_content_parse("0x1 a b\0c", 9, &content, NULL), SLOTD_E_PARSE);
    ck_assert_ptr_null(content);
}
END_TEST

START_TEST(content_that_is_one)
{
    check_content("", 0, "");
    check_content("\n", 0, "");
    check_content("0x55e8d0 web /healthz?x=1\n0x7f web /b\n0x1 x y  z \n", 0,
                  "(0x55e8d0)(web)(/healthz?x=1)(0x7f)(web)(/b)(0x1)(x)(y  z )");
    check_content("0x1 a /last line", 0, "(0x1)(a)(/last line)");
    check_content("0x1 a ", 0, "(0x1)(a)()");
}
END_TEST

/* ---- commands ---- */

static void check_format(const char *name, struct map_command command, const char *expected)
{
    cleanup_buf struct buf line = BUF_INIT;
    int err = map_command_format(name, &command, &line);
    ck_assert_str_eq(buf_text(&line), expected);
    ck_assert_int_eq(err, expected[0] ? 0 : SLOTD_E_REFUSED);
}

START_TEST(commands)
{
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_ADD, "web", "/a?b=%20", NULL},
                 "add map " FILE_NAME " web /a?b=%20");
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_SET, "web", "x.example", NULL},
                 "set map " FILE_NAME " web x.example");
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_DELETE, "web", NULL, NULL}, "del map " FILE_NAME " web");
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_DROP, NULL, NULL, "0x55e8"},
                 "del map " FILE_NAME " #0x55e8");
}
END_TEST

START_TEST(commands_that_are_not_sent)
{
    static const char *const bad[] = {"",    "a b", "a;show info", "a\nb", "a\rb", "a\\ b",    "\"a",
                                      "'a'", "#1",  "<<",          "a\tb", "\x7f", "\xc3\xa9", "a[b]"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        check_format(FILE_NAME, (struct map_command){MAP_COMMAND_ADD, bad[i], "/a", NULL}, "");
        check_format(FILE_NAME, (struct map_command){MAP_COMMAND_ADD, "web", bad[i], NULL}, "");
        check_format(FILE_NAME, (struct map_command){MAP_COMMAND_SET, bad[i], "/a", NULL}, "");
        check_format(FILE_NAME, (struct map_command){MAP_COMMAND_SET, "web", bad[i], NULL}, "");
        check_format(FILE_NAME, (struct map_command){MAP_COMMAND_DELETE, bad[i], NULL, NULL}, "");
        check_format(FILE_NAME, (struct map_command){MAP_COMMAND_DROP, NULL, NULL, bad[i]}, "");
        check_format(bad[i], (struct map_command){MAP_COMMAND_ADD, "web", "/a", NULL}, "");
    }
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_ADD, "web", NULL, NULL}, "");
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_DELETE, NULL, NULL, NULL}, "");
    check_format(FILE_NAME, (struct map_command){MAP_COMMAND_DROP, "web", NULL, NULL}, "");
    check_format("m/relative.map", (struct map_command){MAP_COMMAND_ADD, "web", "/a", NULL}, "");
}
END_TEST

START_TEST(replies)
{
    static const struct {
        const char *reply;
        enum haproxy_reply verdict;
    } table[] = {
        {"", HAPROXY_REPLY_DONE},
        {"\n", HAPROXY_REPLY_DONE},
        {"entry not found.\n", HAPROXY_REPLY_REFUSED},
        {"Key not found.\n", HAPROXY_REPLY_REFUSED},
        {"Unknown map identifier. Please use #<id> or <file>.\n", HAPROXY_REPLY_REFUSED},
        {"'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) and a "
         "payload\n",
         HAPROXY_REPLY_REFUSED},
        {"'set map' expects three parameters: map identifier, key and value.\n", HAPROXY_REPLY_REFUSED},
        {"Permission denied\n", HAPROXY_REPLY_DENIED},
        {"Unknown command: 'add', but maybe\n", HAPROXY_REPLY_UNEXPECTED},
        {"x", HAPROXY_REPLY_UNEXPECTED},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        ck_assert_msg(map_reply_judge(table[i].reply, strlen(table[i].reply)) == table[i].verdict, "%s",
                      table[i].reply);
    }
}
END_TEST

/* ---- from what is to what should be ---- */

static struct map *map;

static void map_setup(void)
{
    map = map_new(1);
}

static void map_teardown(void)
{
    map_free(map);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines without the map's name; adds, sets and deletes may come in any order, and are sorted. */
static void check_plan(struct map_plan *plan, const char *expected)
{
    cleanup_buf struct buf shown = BUF_INIT;
    char **lines = mem_alloc_array(plan->count, sizeof(*lines));
    size_t drops = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct buf line = BUF_INIT;
        ck_assert_int_eq(map_command_format("/m", &plan->commands[i], &line), 0);
        lines[i] = buf_steal(&line);
        drops += i == drops && plan->commands[i].kind == MAP_COMMAND_DROP;
    }
    qsort(lines + drops, plan->count - drops, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < plan->count; i++) {
        buf_printf(&shown, "%.3s%s\n", lines[i], lines[i] + strlen("add map /m"));
        free(lines[i]);
    }
    free(lines);
    map_plan_free(plan);
    ck_assert_str_eq(buf_text(&shown), expected);
}

static void check_observed(const char *text, const char *expected)
{
    struct map_content *content = NULL;
    struct map_plan plan = {0};
    ck_assert_int_eq(map_content_parse(text, strlen(text), &content, NULL), 0);
    map_observe(map, content, &plan);
    check_plan(&plan, expected);
    ck_assert(!map_differs(map));
    map_content_free(content);
}

static void check_changes(const char *expected)
{
    struct map_plan plan = {0};
    map_make_plan(map, &plan);
    check_plan(&plan, expected);
    ck_assert(!map_differs(map));
}

START_TEST(only_differences_are_sent)
{
    check_observed("", "");
    map_set(map, "web", "/a");
    map_set(map, "api", "/b");
    check_observed("0x1 web /a\n0x2 api /b\n", "");
    check_observed("0x1 web /a\n0x2 api /c\n", "set api /b\n");
    check_observed("0x1 web /a\n", "add api /b\n");
    check_observed("", "add api /b\nadd web /a\n");
    ck_assert_uint_eq(map_count(map), 2);
}
END_TEST

START_TEST(nothing_else_is_left_in_it)
{
    map_set(map, "web", "/a");
    check_observed("0x1 web /a\n0x2 other /b\n0x3 k with blanks\n", "del #0x2\ndel #0x3\n");
    /* What HAProxy holds twice goes before anything is set, since 3.4 would set one of them. */
    check_observed("0x1 web /b\n0x2 web /a\n0x3 web /a\n", "del #0x2\ndel #0x3\nset web /a\n");
    check_observed("0x1 web /a\n0x2 web /b\n", "del #0x2\n");
}
END_TEST

START_TEST(changes_are_single_commands)
{
    check_observed("0x1 web /a\n", "del #0x1\n");
    ck_assert(map_set(map, "web", "/a"));
    ck_assert(map_differs(map));
    check_changes("add web /a\n");
    check_changes("");
    ck_assert(!map_set(map, "web", "/a"));
    ck_assert(map_set(map, "web", "/b"));
    ck_assert(map_set(map, "api", "/c"));
    check_changes("add api /c\nset web /b\n");
    ck_assert(map_set(map, "web", NULL));
    ck_assert(!map_set(map, "none", NULL));
    check_changes("del web\n");
    ck_assert(map_set(map, "web", "/d"));
    ck_assert(map_set(map, "web", NULL));
    check_changes("");
    ck_assert(map_set(map, "api", "/d"));
    ck_assert(map_set(map, "api", "/c"));
    check_changes("");
    ck_assert_str_eq(map_get(map, "api"), "/c");
    ck_assert_ptr_null(map_get(map, "web"));
    ck_assert_uint_eq(map_count(map), 1);
    size_t position = 0;
    ck_assert_str_eq(map_next(map, &position), "api");
    ck_assert_ptr_null(map_next(map, &position));
}
END_TEST

static size_t drift_of(const char *text)
{
    struct map_content *content = NULL;
    ck_assert_int_eq(map_content_parse(text, strlen(text), &content, NULL), 0);
    size_t drift = map_count_drift(map, content);
    map_content_free(content);
    return drift;
}

START_TEST(what_another_hand_has_changed_is_counted)
{
    ck_assert_uint_eq(drift_of("\n"), 0);
    ck_assert_uint_eq(drift_of("0x1 web /a\n"), 1);
    map_set(map, "web", "/a");
    map_set(map, "api", "/b");
    check_changes("add api /b\nadd web /a\n");
    ck_assert_uint_eq(drift_of("0x1 api /b\n0x2 web /a\n"), 0);
    ck_assert_uint_eq(drift_of("0x1 api /b\n"), 1);
    ck_assert_uint_eq(drift_of(""), 2);
    ck_assert_uint_eq(drift_of("0x1 web /b\n0x2 api /b\n"), 1);
    ck_assert_uint_eq(drift_of("0x1 web /a\n0x2 api /b\n0x3 web /a\n"), 1);
    ck_assert_uint_eq(drift_of("0x1 web /a\n0x2 api /b\n0x3 other /a\n"), 1);
    ck_assert_uint_eq(drift_of("0x1 web /c\n0x2 other /b\n0x3 other /b\n"), 4);
    /* Nothing was changed by looking, and what is not sent yet is no drift. */
    uint64_t plans = map_count_plans(map);
    map_set(map, "web", "/z");
    map_set(map, "api", NULL);
    ck_assert_uint_eq(drift_of("0x1 api /b\n0x2 web /a\n"), 0);
    ck_assert_uint_eq(map_count_plans(map), plans);
    check_changes("del api\nset web /z\n");
    ck_assert_uint_ne(map_count_plans(map), plans);
    /* A key that was taken out and is there again. */
    ck_assert_uint_eq(drift_of("0x1 api /b\n0x2 web /z\n"), 1);
    plans = map_count_plans(map);
    check_observed("0x2 web /z\n", "");
    ck_assert_uint_ne(map_count_plans(map), plans);
}
END_TEST

START_TEST(what_may_not_be_said_is_not_wanted)
{
    ck_assert(map_set(map, "web", "/a"));
    ck_assert(map_set(map, "web", "/a;show info"));
    ck_assert_ptr_null(map_get(map, "web"));
    ck_assert(!map_set(map, "a b", "/a"));
    ck_assert(!map_set(map, "", "/a"));
    ck_assert(!map_set(map, "web", ""));
    check_observed("", "");
}
END_TEST

/* ---- the file ---- */

static void check_unsaved(const char *expected)
{
    char *sections[8] = {0};
    size_t section = 0;
    cleanup_buf struct buf shown = BUF_INIT;
    cleanup_buf struct buf line = BUF_INIT;
    while (map_next_unsaved(map, &section, &line)) {
        ck_assert_uint_lt(section, COUNT(sections));
        ck_assert_ptr_null(sections[section]);
        sections[section] = buf_steal(&line);
    }
    for (size_t i = 0; i < COUNT(sections); i++) {
        if (sections[i]) {
            buf_printf(&shown, "%zu:%s", i, sections[i][0] ? sections[i] : "\n");
            free(sections[i]);
        }
    }
    ck_assert_str_eq(buf_text(&shown), expected);
}

START_TEST(the_file_follows_what_should_be)
{
    check_unsaved("");
    map_set(map, "web", "/a");
    map_set(map, "api", "/b");
    check_unsaved("0:web /a\n1:api /b\n");
    check_unsaved("");
    map_set(map, "api", "/c");
    check_unsaved("1:api /c\n");
    check_observed("0x1 web /a\n", "add api /c\n");
    map_set(map, "web", NULL);
    check_unsaved("0:\n");
    check_changes("del web\n");
    check_unsaved("0:\n");
}
END_TEST

START_TEST(the_place_of_a_forgotten_key_is_used_again)
{
    check_observed("", "");
    for (int i = 0; i < 3; i++) {
        cleanup_free char *key = mem_printf("key%d", i);
        cleanup_free char *line = mem_printf("0:%s /a\n", key);
        map_set(map, key, "/a");
        check_unsaved(line);
        check_changes(i == 0 ? "add key0 /a\n" : i == 1 ? "add key1 /a\n" : "add key2 /a\n");
        map_set(map, key, NULL);
        check_changes(i == 0 ? "del key0\n" : i == 1 ? "del key1\n" : "del key2\n");
        check_unsaved("0:\n");
    }
    /* HAProxy lost it, and nobody wants it. */
    map_set(map, "a", "/a");
    check_changes("add a /a\n");
    map_set(map, "a", NULL);
    check_unsaved("0:\n");
    check_observed("", "");
    check_unsaved("0:\n");
    map_set(map, "b", "/b");
    check_unsaved("0:b /b\n");
}
END_TEST

START_TEST(what_is_its_own_key_is_not_in_the_file)
{
    map_leave_out_own(map);
    map_set(map, "web", "web");
    map_set(map, "api", "pool-1");
    check_unsaved("0:\n1:api pool-1\n");
    check_observed("0x1 web web\n", "add api pool-1\n");
    map_set(map, "web", "pool-2");
    check_unsaved("0:web pool-2\n");
    check_changes("set web pool-2\n");
    map_set(map, "web", "web");
    check_changes("set web web\n");
    check_unsaved("0:\n");
    map_set(map, "web", NULL);
    check_changes("del web\n");
    check_unsaved("0:\n");
}
END_TEST

static Suite *map_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tests = tcase_create("map");
    tcase_add_checked_fixture(tests, map_setup, map_teardown);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, content_that_is_none);
    tcase_add_test(tests, content_that_is_one);
    tcase_add_test(tests, commands);
    tcase_add_test(tests, commands_that_are_not_sent);
    tcase_add_test(tests, replies);
    tcase_add_test(tests, only_differences_are_sent);
    tcase_add_test(tests, nothing_else_is_left_in_it);
    tcase_add_test(tests, changes_are_single_commands);
    tcase_add_test(tests, what_another_hand_has_changed_is_counted);
    tcase_add_test(tests, what_may_not_be_said_is_not_wanted);
    tcase_add_test(tests, the_file_follows_what_should_be);
    tcase_add_test(tests, the_place_of_a_forgotten_key_is_used_again);
    tcase_add_test(tests, what_is_its_own_key_is_not_in_the_file);
    return suite;
}

SUITE_MAIN(map_suite)
