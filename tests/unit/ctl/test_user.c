/* SPDX-License-Identifier: MIT */
/* Who asked, with his name where there is one, and as it stands where there is none. */
#include "../../../agent/ctl/ctl_private.h"

#include <pwd.h>
#include <stdint.h>
#include <string.h>

#include "slotd/mem.h"
#include "suite.h"

START_TEST(what_is_no_uid_stays_as_it_is)
{
    static const char *const list[] = {
        "",
        "uid",
        "uid ",
        "uid -1",
        "uid +0",
        "uid 0x0",
        "uid 0 ",
        " uid 0",
        "uid  0",
        "UID 0",
        "uid 0 (root)",
        "root",
        "-",
        "uid 4294967296",
        "uid 18446744073709551616",
        "uid 99999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        cleanup_free char *shown = user_show(list[i]);
        ck_assert_str_eq(shown, list[i]);
    }
}
END_TEST

START_TEST(a_user_has_a_name)
{
    const struct passwd *root = getpwuid(0);
    ck_assert_ptr_nonnull(root);
    cleanup_free char *expected = mem_printf("%s (uid 0)", root->pw_name);
    cleanup_free char *shown = user_show("uid 0");
    ck_assert_str_eq(shown, expected);
}
END_TEST

START_TEST(a_number_without_a_user_stays_as_it_is)
{
    uint32_t uid = UINT32_MAX - 2;
    while (getpwuid(uid)) {
        uid--;
    }
    cleanup_free char *by = mem_printf("uid %u", uid);
    cleanup_free char *shown = user_show(by);
    ck_assert_str_eq(shown, by);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("user");
    TCase *tests = tcase_create("user");
    tcase_add_test(tests, what_is_no_uid_stays_as_it_is);
    tcase_add_test(tests, a_user_has_a_name);
    tcase_add_test(tests, a_number_without_a_user_stays_as_it_is);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
