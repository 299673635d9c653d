/* SPDX-License-Identifier: MIT */
/* The orders' file: what is there at start, when those who wait are told, what a full disk and the exit do. */
#include "../../../agent/engine/orders_file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slotd/file.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "suite.h"

#define NOW_MS 1700000000000

static uv_loop_t loop;
static struct orders *orders;
static struct orders_file *file;
static char folder[64], path[128];
static struct buf logged;

static void note_log(void *arg, enum log_level level, const char *subsystem, const char *text)
{
    (void)level;
    ck_assert_str_eq(subsystem, "orders");
    buf_printf(arg, "%s\n", text);
}

static void setup(void)
{
    strcpy(folder, "/tmp/slotd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/orders.json", folder);
    uv_loop_init(&loop);
    orders = orders_new(1);
    file = NULL;
    logged = BUF_INIT;
    log_set_hook(note_log, &logged);
}

/* Folder and all that is in it. */
static void folder_remove(void)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    ck_assert_ptr_nonnull(entries);
    while ((entry = readdir(entries))) {
        cleanup_free char *name = mem_printf("%s/%s", folder, entry->d_name);
        (void)(unlink(name) == 0 || rmdir(name) == 0);
    }
    closedir(entries);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void teardown(void)
{
    if (file) {
        orders_file_close(file);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    orders_free(orders);
    buf_free(&logged);
    log_set_hook(NULL, NULL);
    folder_remove();
}

static void start(void)
{
    file = orders_file_new(&loop, folder, orders, NOW_MS);
}

static void drain(const char *app)
{
    struct drain_order order = {ORDER_APP, app, "me", 1, 2, 0};
    ck_assert_int_eq(orders_drain(orders, &order, NULL), 0);
}

static void put(const char *text)
{
    struct iovec part = {(char *)(uintptr_t)text, strlen(text)};
    ck_assert_int_eq(file_replace(path, 0600, &part, 1), 0);
}

/* How many drains are on disk; all of them are as they were asked. */
static size_t on_disk(void)
{
    cleanup_buf struct buf content = BUF_INIT;
    struct orders *read = orders_new(1);
    ck_assert_int_eq(file_read(path, 1 << 20, &content), 0);
    ck_assert_int_eq(orders_read(content.data, content.len, read, NULL), 0);
    size_t count = orders_count_drains(read);
    orders_free(read);
    return count;
}

/* One line: the path, first, and when there is more the path again and second. */
static void check_log(const char *first, const char *second)
{
    cleanup_free char *expected = mem_printf("%s%s%s%s\n", path, first, second ? path : "", second ? second : "");
    ck_assert_str_eq(buf_text(&logged), expected);
    buf_clear(&logged);
}

struct told {
    unsigned times;
    int err;
    size_t drains; /* on disk at that time, when it went well */
};

static void tell(void *arg, int err)
{
    struct told *told = arg;
    told->times++;
    told->err = err;
    told->drains = err ? 0 : on_disk();
}

static void run_until(const struct told *told, unsigned times)
{
    while (told->times < times) {
        int more = uv_run(&loop, UV_RUN_ONCE);
        ck_assert(more || told->times >= times);
    }
}

/* ---- at start ---- */

START_TEST(nothing_there)
{
    start();
    ck_assert_uint_eq(orders_count_drains(orders), 0);
    ck_assert_str_eq(buf_text(&logged), "");
    ck_assert_ptr_null(orders_file_error(file));
    ck_assert_ptr_null(orders_file_loss(file));
    ck_assert(orders_file_is_saved(file));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(what_was_saved)
{
    struct told told = {0};
    struct stat status;
    start();
    drain("/web");
    orders_file_save(file, tell, &told);
    ck_assert(!orders_file_is_saved(file));
    ck_assert_uint_eq(told.times, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, 0);
    ck_assert_uint_eq(told.drains, 1);
    ck_assert(orders_file_is_saved(file));
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    orders_file_close(file);
    orders_free(orders);
    orders = orders_new(2);
    start();
    ck_assert_ptr_nonnull(orders_get_drain(orders, ORDER_APP, "/web"));
    ck_assert_str_eq(buf_text(&logged), "");
}
END_TEST

START_TEST(damaged)
{
    cleanup_free char *aside = mem_printf("%s.damaged-%lld", path, (long long)NOW_MS);
    put("{\"slotd_orders\":1,\"drains\":[],");
    start();
    check_log(" is damaged (no valid JSON: it ends too early) and is now ",
              ".damaged-1700000000000; drains and weights from before are not in force");
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(access(aside, F_OK), 0);
    orders_file_save(file, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(on_disk(), 0);
    ck_assert_int_eq(access(aside, F_OK), 0);
    cleanup_free char *loss = mem_printf("%s is damaged (no valid JSON: it ends too early) and is now %s; drains and "
                                         "weights from before are not in force",
                                         path, aside);
    ck_assert_str_eq(orders_file_loss(file), loss);
}
END_TEST

START_TEST(of_another_version)
{
    put("{\"slotd_orders\":2}");
    start();
    check_log(" is damaged (this slotd reads version 1 of it, not 2) and is now ",
              ".damaged-1700000000000; drains and weights from before are not in force");
}
END_TEST

/* What could not be read is still there until something has to be written, and is not lost then. */
START_TEST(unreadable)
{
    struct told told = {0};
    cleanup_free char *aside = mem_printf("%s.unreadable-%lld", path, (long long)NOW_MS);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    start();
    check_log(" cannot be read (no regular file); drains and weights from before are not in force", NULL);
    ck_assert_int_eq(access(path, F_OK), 0);
    drain("/web");
    orders_file_save(file, tell, &told);
    run_until(&told, 1);
    ck_assert_int_eq(told.err, 0);
    ck_assert_uint_eq(told.drains, 1);
    ck_assert_int_eq(access(aside, F_OK), 0);
}
END_TEST

START_TEST(nothing_is_kept)
{
    struct told told = {0};
    file = orders_file_new(&loop, "", orders, NOW_MS);
    ck_assert_str_eq(orders_file_error(file), "control.state_dir is empty: drains and weights are not kept");
    orders_file_save(file, tell, &told);
    orders_file_save(file, NULL, NULL);
    ck_assert_uint_eq(told.times, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, -EOPNOTSUPP);
    ck_assert(!orders_file_is_saved(file));
    ck_assert_int_eq(orders_file_flush(file), -EOPNOTSUPP);
}
END_TEST

/* ---- writing ---- */

/* What comes during a write is in the next one; each is told when its own order is on disk. */
START_TEST(coalesced)
{
    struct told told[3] = {{0}};
    start();
    drain("/a");
    orders_file_save(file, tell, &told[0]);
    drain("/b");
    orders_file_save(file, tell, &told[1]);
    while (told[0].times == 0) {
        uv_run(&loop, UV_RUN_ONCE);
        if (told[2].times == 0 && orders_count_drains(orders) == 2) {
            drain("/c");
            orders_file_save(file, tell, &told[2]);
        }
    }
    ck_assert_uint_eq(told[1].times, 1);
    ck_assert_uint_ge(told[0].drains, 2);
    ck_assert_uint_ge(told[1].drains, 2);
    run_until(&told[2], 1);
    ck_assert_uint_eq(told[2].drains, 3);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(told[0].times + told[1].times + told[2].times, 3);
}
END_TEST

static void tell_and_save_again(void *arg, int err)
{
    struct told *told = arg;
    tell(told, err);
    if (told->times < 5) {
        orders_file_save(file, tell_and_save_again, told);
    }
}

START_TEST(saved_again_when_told)
{
    struct told told = {0};
    start();
    orders_file_save(file, tell_and_save_again, &told);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(told.times, 5);
    ck_assert_int_eq(told.err, 0);
}
END_TEST

/* A folder that is away stands for every disk that refuses. */
START_TEST(refused_by_the_disk)
{
    struct told told = {0};
    char away[80];
    cleanup_free char *error = mem_printf("%s cannot be written: No such file or directory", path);
    (void)snprintf(away, sizeof(away), "%s.away", folder);
    start();
    ck_assert_int_eq(rename(folder, away), 0);
    drain("/web");
    orders_file_save(file, tell, &told);
    run_until(&told, 1);
    ck_assert_int_eq(told.err, -ENOENT);
    ck_assert_str_eq(orders_file_error(file), error);
    check_log(" cannot be written: No such file or directory; a restart would lose drains and weights", NULL);
    /* Somebody who waits is not kept waiting for the pause; the same failure is logged once. */
    uint64_t began = uv_now(&loop);
    orders_file_save(file, tell, &told);
    run_until(&told, 2);
    ck_assert_uint_lt(uv_now(&loop) - began, 900);
    ck_assert_str_eq(buf_text(&logged), "");
    ck_assert(!orders_file_is_saved(file));
    ck_assert_int_eq(rename(away, folder), 0);
    while (!orders_file_is_saved(file)) {
        int more = uv_run(&loop, UV_RUN_ONCE);
        ck_assert(more || orders_file_is_saved(file));
    }
    ck_assert_ptr_null(orders_file_error(file));
    check_log(" is written again", NULL);
    ck_assert_uint_eq(on_disk(), 1);
    ck_assert_uint_eq(told.times, 2);
}
END_TEST

/* ---- at exit ---- */

START_TEST(flushed)
{
    struct told told = {0};
    start();
    ck_assert_int_eq(orders_file_flush(file), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    drain("/web");
    orders_file_save(file, tell, &told);
    ck_assert_int_eq(orders_file_flush(file), 0);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_uint_eq(told.drains, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(told.times, 1);
}
END_TEST

/* Also while the worker thread is writing something older. */
START_TEST(flushed_during_a_write)
{
    struct told told[3] = {{0}};
    start();
    for (unsigned round = 0; round < 100; round++) {
        cleanup_free char *name = mem_printf("/a%u", round);
        drain(name);
        orders_file_save(file, tell, &told[0]);
        uv_run(&loop, UV_RUN_NOWAIT);
        cleanup_free char *another = mem_printf("/b%u", round);
        drain(another);
        orders_file_save(file, tell, &told[1]);
        ck_assert_int_eq(orders_file_flush(file), 0);
        ck_assert_uint_eq(told[0].times, round + 1);
        ck_assert_uint_eq(told[1].times, round + 1);
        ck_assert_uint_eq(on_disk(), 2 * (round + 1));
    }
    drain("/last");
    orders_file_save(file, tell, &told[2]);
    run_until(&told[2], 1);
    ck_assert_uint_eq(on_disk(), 201);
}
END_TEST

START_TEST(flush_refused)
{
    struct told told = {0};
    char away[80];
    (void)snprintf(away, sizeof(away), "%s.away", folder);
    start();
    ck_assert_int_eq(rename(folder, away), 0);
    orders_file_save(file, tell, &told);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(orders_file_flush(file), -ENOENT);
    ck_assert_uint_eq(told.times, 1);
    ck_assert_int_eq(told.err, -ENOENT);
    ck_assert_int_eq(rename(away, folder), 0);
    ck_assert_int_eq(orders_file_flush(file), 0);
    ck_assert_uint_eq(on_disk(), 0);
}
END_TEST

START_TEST(closed)
{
    struct told told[2] = {{0}};
    start();
    orders_file_save(file, tell, &told[0]);
    uv_run(&loop, UV_RUN_NOWAIT);
    orders_file_save(file, tell, &told[1]);
    orders_file_close(file);
    ck_assert_uint_eq(told[0].times, 1);
    ck_assert_uint_eq(told[1].times, 1);
    ck_assert_int_eq(told[1].err, -ECANCELED);
    orders_file_save(file, tell, &told[1]);
    file = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(told[1].times, 1);
}
END_TEST

static Suite *orders_file_suite(void)
{
    Suite *suite = suite_create("orders_file");
    TCase *tests = tcase_create("orders_file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, nothing_there);
    tcase_add_test(tests, what_was_saved);
    tcase_add_test(tests, damaged);
    tcase_add_test(tests, of_another_version);
    tcase_add_test(tests, unreadable);
    tcase_add_test(tests, nothing_is_kept);
    tcase_add_test(tests, coalesced);
    tcase_add_test(tests, saved_again_when_told);
    tcase_add_test(tests, refused_by_the_disk);
    tcase_add_test(tests, flushed);
    tcase_add_test(tests, flushed_during_a_write);
    tcase_add_test(tests, flush_refused);
    tcase_add_test(tests, closed);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(orders_file_suite)
