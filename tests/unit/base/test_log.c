/* SPDX-License-Identifier: MIT */
/* Log lines as they reach stderr. */
#include "slotd/log.h"

#include <errno.h>
#include <regex.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

static int saved_stderr;
static FILE *captured;

/* stderr goes into a file from here on. */
static void capture_begin(void)
{
    captured = tmpfile();
    ck_assert_ptr_nonnull(captured);
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(captured), STDERR_FILENO), 0);
}

/* Gives stderr back and returns what was written; valid until the next call. */
static const char *capture_end(void)
{
    static char text[65536];
    ck_assert_int_ge(dup2(saved_stderr, STDERR_FILENO), 0);
    close(saved_stderr);
    rewind(captured);
    text[fread(text, 1, sizeof(text) - 1, captured)] = '\0';
    fclose(captured);
    return text;
}

static void check_matches(const char *text, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "%s does not match %s", text, pattern);
    regfree(&regex);
}

static void set_journal_stream(int fd)
{
    struct stat info;
    char text[64];
    ck_assert_int_eq(fstat(fd, &info), 0);
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
}

START_TEST(text_has_time_and_level)
{
    unsetenv("JOURNAL_STREAM");
    capture_begin();
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_warning("marathon", "%s is %d", "answer", 42);
    check_matches(capture_end(), "^" TIME " warning marathon: answer is 42\n$");
}
END_TEST

START_TEST(journal_gets_priorities)
{
    capture_begin();
    set_journal_stream(STDERR_FILENO);
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
    log_error("a", "1");
    log_warning("a", "2");
    log_notice("a", "3");
    log_info("a", "4");
    log_debug("a", "5");
    ck_assert_str_eq(capture_end(), "<3>a: 1\n<4>a: 2\n<5>a: 3\n<6>a: 4\n<7>a: 5\n");
}
END_TEST

START_TEST(another_stream_is_not_the_journal)
{
    static const char *const broken[] = {"", "1", "1:", "a:b", ":"};
    set_journal_stream(STDIN_FILENO);
    capture_begin();
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_info("a", "b");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        setenv("JOURNAL_STREAM", broken[i], 1);
        log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
        log_info("a", "b");
    }
    check_matches(capture_end(), "^(" TIME " info a: b\n){6}$");
}
END_TEST

START_TEST(json_is_escaped)
{
    capture_begin();
    log_open(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_notice("map\"ping", "say \"hi\" \\ to %s", "gr\xc3\xbcn\n\x01\xff");
    check_matches(capture_end(),
                  "^\\{\"time\":\"" TIME "\",\"level\":\"notice\",\"subsystem\":\"map\\\\\"ping\","
                  "\"message\":\"say \\\\\"hi\\\\\" \\\\\\\\ to gr\xc3\xbcn\\\\\\\\x0a\\\\\\\\x01\\\\\\\\xff\"\\}\n$");
}
END_TEST

START_TEST(lines_above_the_level_are_dropped)
{
    capture_begin();
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
    log_notice("a", "dropped");
    ck_assert_str_eq(capture_end(), "");
    ck_assert(log_enabled(LOG_LEVEL_WARNING));
    ck_assert(!log_enabled(LOG_LEVEL_NOTICE));
}
END_TEST

START_TEST(one_line_is_one_line_and_bounded)
{
    static char long_text[100000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    unsetenv("JOURNAL_STREAM");
    capture_begin();
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_info("a", "b\nc %s", long_text);
    const char *line = capture_end();
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    ck_assert_ptr_nonnull(strstr(line, " info a: b\\x0ac xxx"));
    ck_assert_str_eq(line + strlen(line) - 5, "x...\n");
    ck_assert_uint_lt(strlen(line), 4096 + 64);
}
END_TEST

START_TEST(errno_is_kept)
{
    capture_begin();
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_info("a", "written to nowhere");
    int after = errno;
    (void)capture_end();
    ck_assert_int_eq(after, ENOENT);
}
END_TEST

static void take_line(void *arg, enum log_level level, const char *subsystem, const char *text)
{
    snprintf(arg, 100, "%d %s %s", level, subsystem, text);
}

START_TEST(a_reader_that_does_not_read_holds_up_nothing)
{
    enum { LINES = 2000 };
    static char text[1 << 20];
    int ends[2];
    unsetenv("JOURNAL_STREAM");
    ck_assert_int_eq(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    for (int i = 0; i < LINES; i++) {
        log_info("test", "line %d of those that fill the pipe and then some", i);
    }
    ssize_t first = read(ends[0], text, sizeof(text) - 1);
    log_info("test", "read again");
    ssize_t second = read(ends[0], text + first, sizeof(text) - 1 - (size_t)first);
    ck_assert_int_ge(dup2(saved_stderr, STDERR_FILENO), 0);
    close(saved_stderr);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_gt(first, 4096);
    ck_assert_int_gt(second, 0);
    check_matches(text, "info test: line 0 of those");
    check_matches(text + first,
                  "^" TIME " warning log: [0-9]+ lines before this one are lost: their reader was too slow\n" TIME
                  " info test: read again\n$");
}
END_TEST

START_TEST(hook_takes_the_lines)
{
    char line[100] = "";
    capture_begin();
    log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_set_hook(take_line, line);
    log_error("a", "b\tc");
    log_set_hook(NULL, NULL);
    ck_assert_str_eq(capture_end(), "");
    ck_assert_str_eq(line, "0 a b\\x09c");
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, text_has_time_and_level);
    tcase_add_test(tests, journal_gets_priorities);
    tcase_add_test(tests, another_stream_is_not_the_journal);
    tcase_add_test(tests, json_is_escaped);
    tcase_add_test(tests, lines_above_the_level_are_dropped);
    tcase_add_test(tests, one_line_is_one_line_and_bounded);
    tcase_add_test(tests, errno_is_kept);
    tcase_add_test(tests, a_reader_that_does_not_read_holds_up_nothing);
    tcase_add_test(tests, hook_takes_the_lines);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(log_suite)
