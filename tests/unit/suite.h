/* SPDX-License-Identifier: MIT */
/* The main of a unit test: runs one libcheck suite, each test in its own process unless CK_FORK=no.
 * CK_VERBOSITY, CK_RUN_CASE and CK_TAP_LOG_FILE_NAME work as libcheck documents them. */
#ifndef SLOTD_TESTS_UNIT_SUITE_H
#define SLOTD_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* The path of a file below tests/fixtures; valid until the next call. */
static inline const char *suite_fixture(const char *name)
{
    static char path[4096];
    const char *folder = getenv("SLOTD_TEST_FIXTURES");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : SLOTD_TEST_FIXTURES, name);
    return path;
}

/* A suite without a test is a mistake, not a success. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* libcheck gives a test 4 s, which is little on a loaded machine or under a sanitizer: that would be a timed assertion.
 */
static inline void suite_prepare(void)
{
    (void)setenv("CK_DEFAULT_TIMEOUT", "60", 0);
}

/* make is a function without arguments that returns the Suite. */
#define SUITE_MAIN(make)                                                                                               \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        suite_prepare();                                                                                               \
        return suite_run(make());                                                                                      \
    }

#endif
