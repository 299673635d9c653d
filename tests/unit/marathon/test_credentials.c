/* SPDX-License-Identifier: MIT */
/* Secrets from files: what is taken, what is refused, what is said of their files, and that none is in what is said. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../agent/marathon/client_private.h"
#include "slotd/mem.h"
#include "suite.h"

#define MODE_GOOD 0640

static char folder[64], path[128];
static char none[] = "";
static char user[] = "ops";
static struct config_marathon config;
static struct credentials credentials;

static void setup(void)
{
    strcpy(folder, "/tmp/slotd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    config = (struct config_marathon){
        .user = user, .password_file = path, .dcos_token_file = none, .key_file = none, .cert_file = none};
    credentials = (struct credentials){0};
}

static void teardown(void)
{
    credentials_free(&credentials);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_secret(const char *text, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* Reads, and checks what is said behind the path. */
static bool read_and_hear(const char *said)
{
    struct buf why = BUF_INIT;
    cleanup_free char *wanted = said[0] ? mem_printf("%s%s", path, said) : mem_strdup("");
    bool changed = credentials_read(&credentials, &config, &why);
    ck_assert_str_eq(buf_text(&why), wanted);
    buf_free(&why);
    return changed;
}

START_TEST(a_password)
{
    write_secret(" \t s3cret word\t \r\nnot this\n", 26, MODE_GOOD);
    ck_assert(read_and_hear(""));
    ck_assert_str_eq(credentials.user_password, "ops:s3cret word");
    ck_assert_ptr_null(credentials.token_header);
    ck_assert(!credentials_lack(&credentials, &config));
    ck_assert(!read_and_hear(""));
    write_secret("another", 7, MODE_GOOD);
    ck_assert(read_and_hear(""));
    ck_assert_str_eq(credentials.user_password, "ops:another");
}
END_TEST

START_TEST(a_token)
{
    config.user = config.password_file = none;
    config.dcos_token_file = path;
    write_secret("abc.def\n", 8, 0400);
    ck_assert(read_and_hear(""));
    ck_assert_str_eq(credentials.token_header, "Authorization: token=abc.def");
    ck_assert_ptr_null(credentials.user_password);
    ck_assert(!credentials_lack(&credentials, &config));
}
END_TEST

START_TEST(what_is_no_secret)
{
    char long_one[CLIENT_MAX_SECRET + 1];
    memset(long_one, 'x', sizeof(long_one));
    read_and_hear(": cannot be read: No such file or directory");
    ck_assert(credentials_lack(&credentials, &config));
    write_secret("s3c\001ret\n", 8, MODE_GOOD);
    read_and_hear(": holds a control byte; one line of text is expected");
    ck_assert(credentials_lack(&credentials, &config));
    write_secret(long_one, sizeof(long_one), MODE_GOOD);
    read_and_hear(": is longer than 4096 bytes; one line of text is expected");
    ck_assert(credentials_lack(&credentials, &config));
    write_secret(long_one, sizeof(long_one) - 1, MODE_GOOD);
    ck_assert(read_and_hear(""));
    ck_assert_uint_eq(strlen(credentials.user_password), CLIENT_MAX_SECRET + 4);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, MODE_GOOD), 0);
    ck_assert(read_and_hear(": is no regular file"));
    ck_assert_ptr_null(credentials.user_password);
}
END_TEST

START_TEST(who_may_read_it)
{
    write_secret("s3cret\n", 7, 0644);
    ck_assert(read_and_hear(": everybody may read it (mode 0644); 0640 with slotd's group is enough"));
    ck_assert_str_eq(credentials.user_password, "ops:s3cret");
    write_secret("s3cret\n", 7, 0602);
    ck_assert(!read_and_hear(": everybody may write it (mode 0602); 0640 with slotd's group is enough"));
    write_secret("s3cret\n", 7, 0660);
    ck_assert(!read_and_hear(""));
    config.user = config.password_file = none;
    config.key_file = path;
    write_secret("-----BEGIN", 10, 0604);
    ck_assert(read_and_hear(": everybody may read it (mode 0604); 0640 with slotd's group is enough"));
    ck_assert(!credentials_lack(&credentials, &config));
    write_secret("-----BEGIN", 10, 0600);
    ck_assert(!read_and_hear(""));
}
END_TEST

/* Two findings are one text. */
START_TEST(two_files)
{
    struct buf why = BUF_INIT;
    cleanup_free char *wanted = mem_printf("/nowhere/password: cannot be read: No such file or directory; "
                                           "%s: everybody may read it (mode 0644); 0640 with slotd's group is enough",
                                           path);
    char nowhere[] = "/nowhere/password";
    config.password_file = nowhere;
    config.key_file = path;
    write_secret("-----BEGIN", 10, 0644);
    (void)credentials_read(&credentials, &config, &why);
    ck_assert_str_eq(buf_text(&why), wanted);
    buf_free(&why);
}
END_TEST

static Suite *credentials_suite(void)
{
    Suite *suite = suite_create("credentials");
    TCase *tests = tcase_create("credentials");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_password);
    tcase_add_test(tests, a_token);
    tcase_add_test(tests, what_is_no_secret);
    tcase_add_test(tests, who_may_read_it);
    tcase_add_test(tests, two_files);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(credentials_suite)
