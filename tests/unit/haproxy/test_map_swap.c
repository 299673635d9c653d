/* SPDX-License-Identifier: MIT */
/* A whole table at once: when it pays, its lines, and what HAProxy answers to them. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/map.h"
#include "slotd/mem.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILE_NAME "/m/routes.map"

static struct map *map_of(size_t entries)
{
    struct map *map = map_new(1);
    for (size_t i = 0; i < entries; i++) {
        cleanup_free char *key = mem_printf("app-%05zu.test/", i);
        map_set(map, key, "pool-http-001");
    }
    return map;
}

/* ---- when ---- */

START_TEST(a_table_pays_by_its_cost)
{
    static const struct {
        size_t entries, adds, scans;
        bool indexed, pays;
    } cases[] = {
        /* A first fill. */
        {5000, 5000, 0, false, true},
        {5000, 5000, 0, true, true},
        {64, 64, 0, true, true},
        {63, 63, 0, false, false},
        /* Small changes of large tables, and more of them in one that is scanned for each. */
        {10000, 63, 0, false, false},
        {10000, 0, 63, false, false},
        {10000, 1000, 0, false, false},
        {10000, 0, 1000, false, true},
        {10000, 0, 1000, true, false},
        {10000, 0, 10000, true, true},
        {10000, 0, 200, false, false},
        /* Nothing is left, and much was there. */
        {0, 0, 5000, false, true},
        {0, 0, 5000, true, true},
        {0, 0, 5, true, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct map *map = map_of(cases[i].entries);
        size_t count = cases[i].adds + cases[i].scans;
        struct map_command *commands = mem_alloc_array(count, sizeof(*commands));
        for (size_t k = 0; k < count; k++) {
            commands[k].kind = k < cases[i].adds ? MAP_COMMAND_ADD
                               : k % 3 == 0      ? MAP_COMMAND_SET
                               : k % 3 == 1      ? MAP_COMMAND_DELETE
                                                 : MAP_COMMAND_DROP;
        }
        const struct map_plan plan = {.commands = commands, .count = count};
        ck_assert_msg(map_swap_pays(map, &plan, cases[i].indexed) == cases[i].pays, "case %zu", i);
        free(commands);
        map_free(map);
    }
}
END_TEST

/* ---- what ---- */

START_TEST(blocks_have_every_entry_once)
{
    for (size_t entries = 0; entries <= 3000; entries += 750) {
        struct map *map = map_of(entries);
        struct map *seen = map_new(2);
        struct map_blocks blocks;
        map_set(map, "gone/", "pool-http-001");
        map_set(map, "gone/", NULL);
        ck_assert_int_eq(map_list_blocks(map, &blocks), 0);
        for (size_t i = 0; i < blocks.count; i++) {
            ck_assert_uint_le(blocks.items[i].len, MAP_BLOCK_BYTES);
            ck_assert_int_eq(blocks.items[i].data[blocks.items[i].len - 1], '\n');
            char *rest = blocks.items[i].data;
            for (char *line; (line = strsep(&rest, "\n")) && line[0];) {
                char *value = strchr(line, ' ');
                ck_assert_ptr_nonnull(value);
                *value = '\0';
                ck_assert_str_eq(value + 1, "pool-http-001");
                ck_assert_msg(map_set(seen, line, value + 1), "%s stands there twice", line);
            }
        }
        ck_assert_uint_eq(map_count(seen), entries);
        ck_assert(blocks.count <= entries / 100 + 1);
        map_blocks_free(&blocks);
        map_free(seen);
        map_free(map);
    }
}
END_TEST

/* The longest key and value that pass do not fit a block with others; two such blocks are within the connection's
 * window all the same. */
START_TEST(a_block_of_one_long_entry)
{
    struct map *map = map_new(1);
    struct map_blocks blocks;
    cleanup_free char *value = mem_alloc(2049);
    memset(value, 'v', 2048);
    for (char c = 'a'; c < 'd'; c++) {
        cleanup_free char *key = mem_alloc(2049);
        memset(key, c, 2048);
        ck_assert(map_set(map, key, value));
    }
    ck_assert_int_eq(map_list_blocks(map, &blocks), 0);
    ck_assert_uint_eq(blocks.count, 3);
    for (size_t i = 0; i < blocks.count; i++) {
        cleanup_buf struct buf line = BUF_INIT;
        map_fill_format(FILE_NAME, UINT32_MAX, &blocks.items[i], &line);
        ck_assert_uint_lt(line.len, 8000);
    }
    map_blocks_free(&blocks);
    map_free(map);
}
END_TEST

START_TEST(lines)
{
    cleanup_buf struct buf line = BUF_INIT;
    cleanup_buf struct buf block = BUF_INIT;
    static const char *const names[] = {"routes.map", "", "/m/r.map x", "/m/r.map;show info", "/m/r\n"};
    for (size_t i = 0; i < COUNT(names); i++) {
        ck_assert_int_eq(map_prepare_format(names[i], &line), SLOTD_E_REFUSED);
        ck_assert_uint_eq(line.len, 0);
    }
    ck_assert_int_eq(map_prepare_format(FILE_NAME, &line), 0);
    ck_assert_str_eq(buf_text(&line), "prepare map /m/routes.map");
    buf_puts(&block, "a b\nc d\n");
    buf_clear(&line);
    map_fill_format(FILE_NAME, 7, &block, &line);
    ck_assert_str_eq(buf_text(&line), "add map @7 /m/routes.map <<\na b\nc d\n");
    buf_clear(&line);
    map_commit_format(FILE_NAME, 7, &line);
    ck_assert_str_eq(buf_text(&line), "commit map @7 /m/routes.map");
    buf_clear(&line);
    map_clear_format(FILE_NAME, 7, &line);
    ck_assert_str_eq(buf_text(&line), "clear map @7 /m/routes.map");
}
END_TEST

/* ---- answers ---- */

START_TEST(answers_to_prepare)
{
    static const struct {
        const char *reply;
        enum haproxy_reply verdict;
        unsigned version;
        bool unknown;
    } cases[] = {
        {"New version created: 1\n", HAPROXY_REPLY_DONE, 1, false},
        {"New version created: 4294967295", HAPROXY_REPLY_DONE, UINT32_MAX, false},
        {"New version created: 4294967296\n", HAPROXY_REPLY_UNEXPECTED, 0, false},
        {"New version created: 1; show info\n", HAPROXY_REPLY_UNEXPECTED, 0, false},
        {"New version created: \n", HAPROXY_REPLY_UNEXPECTED, 0, false},
        {"", HAPROXY_REPLY_UNEXPECTED, 0, false},
        {"\n", HAPROXY_REPLY_UNEXPECTED, 0, false},
        {"Permission denied\n", HAPROXY_REPLY_DENIED, 0, false},
        {"Unknown map identifier. Please use #<id> or <file>.\n", HAPROXY_REPLY_REFUSED, 0, false},
        {"Unknown command: 'prepare', but maybe\n", HAPROXY_REPLY_UNEXPECTED, 0, true},
        {"Unknown command. Please enter one of\n", HAPROXY_REPLY_UNEXPECTED, 0, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned version = 0;
        size_t len = strlen(cases[i].reply);
        ck_assert_msg(map_prepare_judge(cases[i].reply, len, &version) == cases[i].verdict, "%s", cases[i].reply);
        ck_assert_uint_eq(version, cases[i].version);
        ck_assert_int_eq(map_prepare_is_unknown(cases[i].reply, len), cases[i].unknown);
    }
}
END_TEST

START_TEST(answers_to_the_rest)
{
    static const struct {
        const char *reply;
        enum haproxy_reply verdict;
    } cases[] = {
        {"", HAPROXY_REPLY_DONE},
        {"\n", HAPROXY_REPLY_DONE},
        {"+ + + ", HAPROXY_REPLY_DONE},
        {"+ + \n", HAPROXY_REPLY_DONE},
        {"+ + Permission denied\n", HAPROXY_REPLY_DENIED},
        {"Version number out of range.\n", HAPROXY_REPLY_REFUSED},
        {"Version number in the future, please use 'prepare map' before.\n", HAPROXY_REPLY_REFUSED},
        {"+ Unknown map identifier. Please use #<id> or <file>.\n", HAPROXY_REPLY_REFUSED},
        {"+ + out of memory\n", HAPROXY_REPLY_UNEXPECTED},
        {"+", HAPROXY_REPLY_UNEXPECTED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_msg(map_swap_judge(cases[i].reply, strlen(cases[i].reply)) == cases[i].verdict, "%s", cases[i].reply);
    }
}
END_TEST

static Suite *map_swap_suite(void)
{
    Suite *suite = suite_create("map_swap");
    TCase *cases = tcase_create("a whole table");
    tcase_add_test(cases, a_table_pays_by_its_cost);
    tcase_add_test(cases, blocks_have_every_entry_once);
    tcase_add_test(cases, a_block_of_one_long_entry);
    tcase_add_test(cases, lines);
    tcase_add_test(cases, answers_to_prepare);
    tcase_add_test(cases, answers_to_the_rest);
    suite_add_tcase(suite, cases);
    return suite;
}

SUITE_MAIN(map_swap_suite)
