/* SPDX-License-Identifier: MIT */
/* Configuration files that a test writes into a folder of its own and loads. */
#ifndef SLOTD_TESTS_UNIT_CONFIG_FILES_H
#define SLOTD_TESTS_UNIT_CONFIG_FILES_H

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

#define HAPROXY "haproxy = ( { name = \"edge\"; socket = \"/run/haproxy/admin.sock\"; } ); "
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A folder for one test's files; F below is a configuration in it. */
static char folder[64];

static inline void folder_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/slotd-test-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static inline void folder_remove(void)
{
    static const char *const names[] = {"F", "G", "sub/H", "sub/I"};
    for (size_t i = 0; i < COUNT(names); i++) {
        unlink(names[i]);
    }
    rmdir("sub");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline void write_bytes(const char *name, const char *bytes, size_t len)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Checks that file F is refused with exactly these lines. */
static inline void check_findings(const char *expected)
{
    struct buf why = BUF_INIT;
    struct config *config = NULL;
    int err = config_load("F", &config, &why);
    ck_assert_str_eq(buf_text(&why), expected);
    ck_assert_int_eq(err, SLOTD_E_CONFIG);
    ck_assert_ptr_null(config);
    ck_assert_int_eq(config_load("F", &config, NULL), SLOTD_E_CONFIG);
    buf_free(&why);
}

static inline struct config *load_good(const char *path, bool offline)
{
    struct buf why = BUF_INIT;
    struct config *config = NULL;
    int err = offline ? config_load_offline(path, &config, &why) : config_load(path, &config, &why);
    ck_assert_msg(err == 0, "%s: %d\n%s", path, err, buf_text(&why));
    ck_assert_str_eq(buf_text(&why), "");
    buf_free(&why);
    return config;
}

/* text is the content of F behind a good haproxy section; finding is what follows `F:1: `. */
struct mistake {
    const char *text;
    const char *finding;
};

static inline void check_mistakes(const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *text = mem_printf(HAPROXY "%s", mistakes[i].text);
        cleanup_free char *expected = mem_printf("F:1: %s\n", mistakes[i].finding);
        write_text("F", text);
        check_findings(expected);
    }
}

#endif
