/* SPDX-License-Identifier: MIT */
/* Files: what fails leaves the old content and no litter; what is read has a bound. */
#include "slotd/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

static char folder[64], path[128];

static void setup(void)
{
    strcpy(folder, "/tmp/slotd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/file", folder);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)rmdir(path);
    ck_assert_int_eq(rmdir(folder), 0); /* and nothing else is in it */
}

static int replace(const char *text)
{
    struct iovec part = {(char *)(uintptr_t)text, strlen(text)};
    return file_replace(path, 0600, &part, 1);
}

static void check_content(const char *expected)
{
    cleanup_buf struct buf content = BUF_INIT;
    ck_assert_int_eq(file_read(path, strlen(expected), &content), 0);
    ck_assert_str_eq(buf_text(&content), expected);
}

START_TEST(replaced)
{
    struct stat status;
    ck_assert_int_eq(replace("one"), 0);
    check_content("one");
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(replace("another"), 0);
    check_content("another");
    ck_assert_int_eq(replace(""), 0);
    check_content("");
    ck_assert_int_eq(file_replace(path, 0600, NULL, 0), 0);
    check_content("");
}
END_TEST

START_TEST(many_parts)
{
    enum { PARTS = 1000 };
    struct iovec parts[PARTS];
    cleanup_buf struct buf expected = BUF_INIT;
    char letters[] = "abc";
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = (struct iovec){letters, i % 4};
        buf_append(&expected, letters, i % 4);
    }
    ck_assert_int_eq(file_replace(path, 0600, parts, PARTS), 0);
    check_content(buf_text(&expected));
}
END_TEST

START_TEST(not_replaced)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(replace("one"), -EISDIR);
    ck_assert_int_eq(rmdir(path), 0);
    (void)snprintf(path, sizeof(path), "%s/none/file", folder);
    ck_assert_int_eq(replace("one"), -ENOENT);
}
END_TEST

START_TEST(checked)
{
    char below[160];
    ck_assert_int_eq(file_check(path), -ENOENT);
    ck_assert_int_eq(replace("one"), 0);
    ck_assert_int_eq(file_check(path), 0);
    (void)snprintf(below, sizeof(below), "%s/file", path);
    ck_assert_int_eq(file_check(below), -ENOTDIR);
}
END_TEST

START_TEST(not_read)
{
    cleanup_buf struct buf content = BUF_INIT;
    ck_assert_int_eq(file_read(path, 10, &content), -ENOENT);
    ck_assert_int_eq(file_read(folder, 10, &content), SLOTD_E_TYPE);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(file_read(path, 10, &content), SLOTD_E_TYPE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(replace("12345678901"), 0);
    ck_assert_int_eq(file_read(path, 10, &content), SLOTD_E_LIMIT);
}
END_TEST

static Suite *file_suite(void)
{
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, replaced);
    tcase_add_test(tests, many_parts);
    tcase_add_test(tests, not_replaced);
    tcase_add_test(tests, not_read);
    tcase_add_test(tests, checked);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(file_suite)
