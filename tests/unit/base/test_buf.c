/* SPDX-License-Identifier: MIT */
/* The byte buffer. */
#include "slotd/buf.h"

#include <string.h>

#include "suite.h"

START_TEST(empty_buffer_is_an_empty_string)
{
    struct buf buf = BUF_INIT;
    ck_assert_str_eq(buf_text(&buf), "");
    buf_consume(&buf, 5);
    buf_clear(&buf);
    ck_assert_str_eq(buf_text(&buf), "");
    char *text = buf_steal(&buf);
    ck_assert_str_eq(text, "");
    free(text);
    buf_free(&buf);
    buf_free(NULL);
}
END_TEST

START_TEST(null_buffer_declines)
{
    buf_append(NULL, "a", 1);
    buf_puts(NULL, "a");
    buf_putc(NULL, 'a');
    buf_printf(NULL, "%d", 1);
}
END_TEST

START_TEST(reserved_room_is_no_content)
{
    struct buf buf = BUF_INIT;
    ck_assert_ptr_nonnull(buf_reserve(&buf, 100));
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_str_eq(buf_text(&buf), "");
    memcpy(buf_reserve(&buf, 3), "abc", 3);
    buf_commit(&buf, 2);
    ck_assert_str_eq(buf_text(&buf), "ab");
    buf_free(&buf);
}
END_TEST

START_TEST(appends_grow)
{
    struct buf buf = BUF_INIT;
    for (int i = 0; i < 1000; i++) {
        buf_printf(&buf, "%d,", i);
        buf_putc(&buf, ';');
    }
    ck_assert_uint_eq(buf.len, strlen(buf_text(&buf)));
    ck_assert_uint_eq(buf.len, 10 + 90 * 2 + 900 * 3 + 2000);
    ck_assert_int_eq(strncmp(buf_text(&buf), "0,;1,;2,;", 9), 0);
    buf_free(&buf);
}
END_TEST

START_TEST(bytes_with_nul_are_kept)
{
    struct buf buf = BUF_INIT;
    buf_append(&buf, "a\0b", 3);
    buf_append(&buf, NULL, 0);
    ck_assert_uint_eq(buf.len, 3);
    ck_assert_mem_eq(buf.data, "a\0b", 4);
    buf_free(&buf);
}
END_TEST

START_TEST(consume_takes_from_the_front)
{
    struct buf buf = BUF_INIT;
    buf_puts(&buf, "hello world");
    buf_consume(&buf, 0);
    buf_consume(&buf, 6);
    ck_assert_str_eq(buf_text(&buf), "world");
    buf_consume(&buf, 5);
    ck_assert_str_eq(buf_text(&buf), "");
    buf_puts(&buf, "x");
    buf_consume(&buf, 99);
    ck_assert_uint_eq(buf.len, 0);
    buf_free(&buf);
}
END_TEST

START_TEST(steal_leaves_a_usable_buffer)
{
    struct buf buf = BUF_INIT;
    buf_puts(&buf, "mine");
    char *text = buf_steal(&buf);
    buf_puts(&buf, "new");
    ck_assert_str_eq(text, "mine");
    ck_assert_str_eq(buf_text(&buf), "new");
    free(text);
    buf_free(&buf);
}
END_TEST

static Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tests = tcase_create("buf");
    tcase_add_test(tests, empty_buffer_is_an_empty_string);
    tcase_add_test(tests, null_buffer_declines);
    tcase_add_test(tests, reserved_room_is_no_content);
    tcase_add_test(tests, appends_grow);
    tcase_add_test(tests, bytes_with_nul_are_kept);
    tcase_add_test(tests, consume_takes_from_the_front);
    tcase_add_test(tests, steal_leaves_a_usable_buffer);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(buf_suite)
