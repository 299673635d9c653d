/* SPDX-License-Identifier: MIT */
/* Backends made at run time: what HAProxy is told, and what it answers. */
#include "slotd/backend_command.h"

#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

START_TEST(format_refuses)
{
    static const char *const names[] = {"", "a b", "a;b", "a\nb", "a/b", "b\xc3\xa4r", "#1"};
    cleanup_buf struct buf line = BUF_INIT;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_ADD, names[i], "pool-http", false, &line),
                         SLOTD_E_REFUSED);
        ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_ADD, "backend-web", names[i], false, &line),
                         SLOTD_E_REFUSED);
        ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_DELETE, names[i], NULL, false, &line), SLOTD_E_REFUSED);
    }
    char longest[252];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[251] = '\0';
    ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_ADD, longest, "pool-http", false, &line), SLOTD_E_REFUSED);
    ck_assert_uint_eq(line.len, 0);
}
END_TEST

START_TEST(format)
{
    cleanup_buf struct buf line = BUF_INIT;
    ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_ADD, "backend-web", "pool-http", false, &line), 0);
    buf_putc(&line, '|');
    ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_ADD, "backend-db", "pool-tcp", true, &line), 0);
    buf_putc(&line, '|');
    ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_PUBLISH, "backend-web", NULL, false, &line), 0);
    buf_putc(&line, '|');
    ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_UNPUBLISH, "backend-web", NULL, false, &line), 0);
    buf_putc(&line, '|');
    ck_assert_int_eq(backend_command_format(BACKEND_COMMAND_DELETE, "backend-web", NULL, false, &line), 0);
    ck_assert_str_eq(buf_text(&line), "add backend backend-web from pool-http mode http|"
                                      "add backend backend-db from pool-tcp mode tcp|publish backend backend-web|"
                                      "unpublish backend backend-web|del backend backend-web");
}
END_TEST

struct reply {
    enum backend_command command;
    const char *text;
    enum backend_reply verdict;
};

static void check_replies(const struct reply *replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum backend_reply verdict = backend_reply_judge(replies[i].command, replies[i].text, strlen(replies[i].text));
        ck_assert_msg(verdict == replies[i].verdict, "%s: %d", replies[i].text, (int)verdict);
    }
}

/* As HAProxy 3.4.0 answers. */
START_TEST(replies_of_add)
{
    static const struct reply replies[] = {
        {BACKEND_COMMAND_ADD, "", BACKEND_REPLY_UNEXPECTED},
        {BACKEND_COMMAND_ADD, "\n", BACKEND_REPLY_UNEXPECTED},
        {BACKEND_COMMAND_ADD,
         "Unknown command: 'add backend', but maybe one of the following ones is a better match:\n",
         BACKEND_REPLY_UNEXPECTED},
        {BACKEND_COMMAND_ADD, "Permission denied\n", BACKEND_REPLY_DENIED},
        {BACKEND_COMMAND_ADD, "New backend registered.\n", BACKEND_REPLY_DONE},
        {BACKEND_COMMAND_ADD,
         "New backend registered (no support for dynamic servers: backend 'bst' uses a non dynamic load balancing "
         "method).\n",
         BACKEND_REPLY_UNFIT},
        {BACKEND_COMMAND_ADD,
         "Error during backend creation : name is already used by other proxy 'backend backend-a'.\n",
         BACKEND_REPLY_EXISTS},
        {BACKEND_COMMAND_ADD, "Error during backend creation : name is already used by other proxy 'frontend edge'.\n",
         BACKEND_REPLY_EXISTS},
        {BACKEND_COMMAND_ADD, "Error during backend creation : no spare proxy ID available.\n", BACKEND_REPLY_REFUSED},
        {BACKEND_COMMAND_ADD, "Error during backend creation.\n", BACKEND_REPLY_REFUSED},
        {BACKEND_COMMAND_ADD, "Cannot find default proxy 'none'.\n", BACKEND_REPLY_SECTION},
        {BACKEND_COMMAND_ADD, "Mode is required as 'nomode' default proxy does not explicitly defines it.\n",
         BACKEND_REPLY_REFUSED},
        {BACKEND_COMMAND_ADD, "Invalid character '/' in backend name.\n", BACKEND_REPLY_REFUSED},
    };
    check_replies(replies, sizeof(replies) / sizeof(replies[0]));
}
END_TEST

START_TEST(replies_of_others)
{
    static const struct reply replies[] = {
        {BACKEND_COMMAND_PUBLISH, "\n", BACKEND_REPLY_UNEXPECTED},
        {BACKEND_COMMAND_PUBLISH, "Backend unpublished.\n", BACKEND_REPLY_UNEXPECTED},
        {BACKEND_COMMAND_PUBLISH, "Backend published.\n", BACKEND_REPLY_DONE},
        {BACKEND_COMMAND_PUBLISH, "No such backend.\n", BACKEND_REPLY_ABSENT},
        {BACKEND_COMMAND_PUBLISH, "No effect on a disabled backend.\n", BACKEND_REPLY_STALE},
        {BACKEND_COMMAND_UNPUBLISH, "Backend unpublished.\n", BACKEND_REPLY_DONE},
        {BACKEND_COMMAND_DELETE, "Backend deleted.\n", BACKEND_REPLY_DONE},
        {BACKEND_COMMAND_DELETE, "Server deleted.\nServer deleted.\nBackend deleted.\n", BACKEND_REPLY_DONE},
        {BACKEND_COMMAND_DELETE, "Backend deleted.\nNo such backend.\n", BACKEND_REPLY_ABSENT},
        {BACKEND_COMMAND_DELETE, "Only a backend without server can be deleted.\n", BACKEND_REPLY_BUSY},
        {BACKEND_COMMAND_DELETE, "Backend still has attached streams on it.\n", BACKEND_REPLY_BUSY},
        {BACKEND_COMMAND_DELETE, "Backend must be unpublished prior to its deletion.\n", BACKEND_REPLY_REFUSED},
        {BACKEND_COMMAND_DELETE,
         "This proxy cannot be removed at runtime due to other configuration elements pointing to it.\n",
         BACKEND_REPLY_REFUSED},
        {BACKEND_COMMAND_DELETE, "Cannot remove a backend with stick-table.\n", BACKEND_REPLY_REFUSED},
        {BACKEND_COMMAND_DELETE, "Permission denied\n", BACKEND_REPLY_DENIED},
    };
    check_replies(replies, sizeof(replies) / sizeof(replies[0]));
}
END_TEST

static void check_names(const char *text, int expected_err, const char *expected)
{
    char **names = NULL;
    size_t count = 0;
    cleanup_buf struct buf why = BUF_INIT;
    cleanup_buf struct buf shown = BUF_INIT;
    int err = backend_names_parse(text, strlen(text), &names, &count, &why);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&shown, "(%s)", names[i]);
    }
    ck_assert_msg(err == expected_err, "%s gives %d", text, err);
    ck_assert_str_eq(err ? buf_text(&why) : buf_text(&shown), expected);
    backend_names_free(names, count);
}

START_TEST(names)
{
    check_names("", SLOTD_E_PARSE, "`# name` is not its first line");
    check_names("web\n", SLOTD_E_PARSE, "`# name` is not its first line");
    check_names("# name\n", 0, "");
    check_names("# name\nst\nbackend-a\n\n", 0, "(st)(backend-a)");
    check_names("# name\nst", 0, "(st)");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("backend commands");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, format_refuses);
    tcase_add_test(tests, format);
    tcase_add_test(tests, replies_of_add);
    tcase_add_test(tests, replies_of_others);
    tcase_add_test(tests, names);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
