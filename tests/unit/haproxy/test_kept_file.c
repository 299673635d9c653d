/* SPDX-License-Identifier: MIT */
/* A kept file: sections replaced one by one, written whole, in a worker thread. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slotd/kept_file.h"
#include "slotd/mem.h"
#include "suite.h"

struct owner {
    uv_loop_t loop;
    struct kept_file *file;
    char folder[64], path[128];
    const char *header;  /* given at the next call, then NULL */
    const char *rows[2]; /* by section; NULL: not changed */
    size_t many;         /* that many sections of one line each */
    useconds_t delay_us; /* how long a write takes longer */
    unsigned collected;
};

static void give(struct kept_file *file, size_t section, const char *text)
{
    struct buf rows = BUF_INIT;
    buf_puts(&rows, text);
    kept_file_put(file, section, &rows);
}

static void collect(void *arg, struct kept_file *file)
{
    struct owner *owner = arg;
    owner->collected++;
    (void)usleep(owner->delay_us);
    if (owner->header) {
        struct buf header = BUF_INIT;
        buf_puts(&header, owner->header);
        kept_file_reset(file, &header);
        owner->header = NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        if (owner->rows[i]) {
            give(file, i, owner->rows[i]);
            owner->rows[i] = NULL;
        }
    }
    for (size_t i = 0; i < owner->many; i++) {
        cleanup_free char *line = mem_printf("row %zu\n", i);
        give(file, i, line);
    }
}

static void owner_start(struct owner *owner)
{
    *owner = (struct owner){0};
    strcpy(owner->folder, "/tmp/slotd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(owner->folder));
    (void)snprintf(owner->path, sizeof(owner->path), "%s/state", owner->folder);
    uv_loop_init(&owner->loop);
    owner->file = kept_file_new(&owner->loop, owner->path, "its slots", collect, owner);
}

static void owner_stop(struct owner *owner)
{
    kept_file_close(owner->file);
    uv_run(&owner->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&owner->loop), 0);
    (void)unlink(owner->path);
    ck_assert_int_eq(rmdir(owner->folder), 0); /* and nothing else is in it */
}

static char *file_read(const char *path)
{
    FILE *stream = fopen(path, "r");
    struct buf content = BUF_INIT;
    if (!stream) {
        return NULL;
    }
    size_t got;
    while ((got = fread(buf_reserve(&content, 4096), 1, 4096, stream)) > 0) {
        buf_commit(&content, got);
    }
    (void)fclose(stream);
    return content.len ? buf_steal(&content) : mem_strdup("");
}

/* Until the loop has nothing left to do: the write and the pause behind it are over. */
static void owner_write(struct owner *owner)
{
    kept_file_touch(owner->file);
    uv_run(&owner->loop, UV_RUN_DEFAULT);
}

static void assert_content(const struct owner *owner, const char *wanted)
{
    cleanup_free char *content = file_read(owner->path);
    ck_assert_ptr_nonnull(content);
    ck_assert_str_eq(content, wanted);
}

START_TEST(test_sections)
{
    struct owner owner;
    owner_start(&owner);
    owner.header = "header\n";
    owner.rows[0] = "a 1\n";
    owner.rows[1] = "b 1\nb 2\n";
    owner_write(&owner);
    assert_content(&owner, "header\na 1\nb 1\nb 2\n");
    owner.rows[0] = "a 1 changed\n";
    owner_write(&owner);
    assert_content(&owner, "header\na 1 changed\nb 1\nb 2\n");
    owner.header = "another\n";
    owner.rows[1] = "b\n";
    owner_write(&owner);
    assert_content(&owner, "another\nb\n");
    ck_assert_uint_eq(owner.collected, 3);
    ck_assert_ptr_null(kept_file_error(owner.file));
    owner_stop(&owner);
}
END_TEST

START_TEST(test_many_sections)
{
    struct owner owner;
    struct buf wanted = BUF_INIT;
    owner_start(&owner);
    owner.header = "header\n";
    owner.many = 3000;
    buf_puts(&wanted, owner.header);
    for (size_t i = 0; i < owner.many; i++) {
        buf_printf(&wanted, "row %zu\n", i);
    }
    owner_write(&owner);
    assert_content(&owner, buf_text(&wanted));
    buf_free(&wanted);
    owner_stop(&owner);
}
END_TEST

/* What could not be written is kept, and written when the folder takes it again. */
START_TEST(test_slow_writes)
{
    struct owner owner;
    owner_start(&owner);
    owner.delay_us = 300000;
    owner.header = "header\n";
    kept_file_touch(owner.file);
    while (access(owner.path, F_OK) != 0 || uv_backend_timeout(&owner.loop) <= 0) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    /* 20 times as long would be 6 s. */
    ck_assert_int_le(uv_backend_timeout(&owner.loop), 5000);
    owner_stop(&owner);
}
END_TEST

START_TEST(test_failure)
{
    struct owner owner;
    char away[80];
    owner_start(&owner);
    (void)snprintf(away, sizeof(away), "%s.away", owner.folder);
    ck_assert_int_eq(rename(owner.folder, away), 0);
    owner.header = "header\n";
    owner.rows[0] = "a\n";
    kept_file_touch(owner.file);
    while (!kept_file_error(owner.file)) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    ck_assert_str_eq(kept_file_error(owner.file), "No such file or directory");
    ck_assert_int_eq(rename(away, owner.folder), 0);
    while (kept_file_error(owner.file)) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    assert_content(&owner, "header\na\n");
    owner_stop(&owner);
}
END_TEST

/* At exit: also while the worker thread is writing something older. */
START_TEST(test_flush)
{
    struct owner owner;
    owner_start(&owner);
    ck_assert_int_eq(kept_file_flush(owner.file), 0);
    ck_assert_int_ne(access(owner.path, F_OK), 0);
    owner.header = "header\n";
    owner.rows[0] = "a 1\n";
    kept_file_touch(owner.file);
    while (owner.collected == 0) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    owner.rows[0] = "a 2\n";
    kept_file_touch(owner.file);
    ck_assert_int_eq(kept_file_flush(owner.file), 0);
    assert_content(&owner, "header\na 2\n");
    owner_stop(&owner);
}
END_TEST

/* What is told to be on disk is: not before it is written, and not what came while it was. */
START_TEST(test_saved)
{
    struct owner owner;
    char blocked[160];
    owner_start(&owner);
    (void)snprintf(blocked, sizeof(blocked), "%s.tmp", owner.path);
    ck_assert(kept_file_has_saved(owner.file, kept_file_stamp(owner.file)));
    ck_assert_int_eq(mkdir(blocked, 0700), 0);
    owner.header = "header\n";
    owner.rows[0] = "a 1\n";
    kept_file_touch(owner.file);
    uint64_t first = kept_file_stamp(owner.file);
    ck_assert(!kept_file_has_saved(owner.file, first));
    while (!kept_file_error(owner.file)) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    ck_assert(!kept_file_has_saved(owner.file, first));
    ck_assert_int_eq(rmdir(blocked), 0);
    while (owner.collected < 2) {
        ck_assert(!kept_file_has_saved(owner.file, first));
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    owner.rows[0] = "a 2\n"; /* while the write is under way */
    kept_file_touch(owner.file);
    uint64_t second = kept_file_stamp(owner.file);
    while (!kept_file_has_saved(owner.file, first)) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    ck_assert(!kept_file_has_saved(owner.file, second));
    assert_content(&owner, "header\na 1\n");
    while (!kept_file_has_saved(owner.file, second)) {
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
    assert_content(&owner, "header\na 2\n");
    owner_stop(&owner);
}
END_TEST

static Suite *kept_file_suite(void)
{
    Suite *suite = suite_create("kept_file");
    TCase *tests = tcase_create("kept_file");
    tcase_add_test(tests, test_sections);
    tcase_add_test(tests, test_many_sections);
    tcase_add_test(tests, test_slow_writes);
    tcase_add_test(tests, test_failure);
    tcase_add_test(tests, test_flush);
    tcase_add_test(tests, test_saved);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(kept_file_suite)
