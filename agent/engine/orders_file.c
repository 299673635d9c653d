/* SPDX-License-Identifier: MIT */
/* When the orders are written: at once, one write in flight, the newest content next; and who is told. */
#include "orders_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "slotd/error.h"
#include "slotd/file.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define ORDERS_FILE_LOST "drains and weights from before are not in force"
#define ORDERS_FILE_MODE 0600 /* who asked for what is nobody else's business */
#define ORDERS_FILE_FIRST_PAUSE_MS 1000
#define ORDERS_FILE_LAST_PAUSE_MS 60000

struct saver {
    orders_saved *done;
    void *arg;
    struct saver *next;
};

struct orders_file {
    uv_loop_t *loop;
    struct orders *orders;
    char *path;  /* NULL: nothing is kept */
    char *aside; /* what is at path goes there before the first write, or NULL; the worker thread's while it writes */
    uv_timer_t timer;
    uv_work_t work;
    uv_sem_t written; /* posted by the worker thread: lets the exit wait for it without the loop */
    bool writing;
    bool awaited; /* orders_file_flush() has seen to the result of the write in flight */
    bool touched; /* changed since the last write began, or that one failed */
    bool closing;
    bool timer_closed;
    struct buf content;    /* the worker thread's while it writes */
    int result;            /* of the worker thread's write */
    struct saver *waiting; /* for the next write */
    struct saver *carried; /* by the one in flight */
    uint64_t pause_ms;     /* before the next try; 0: the last one succeeded */
    char *error;
    char *loss; /* what became of a file that could not be used at start, or NULL */
};

/* ---- at start ---- */

/* What is at path may be of worth to somebody: it is never overwritten unread. */
static int set_aside(struct orders_file *file)
{
    if (!file->aside) {
        return 0;
    }
    if (rename(file->path, file->aside) < 0 && errno != ENOENT) {
        return -errno;
    }
    free(file->aside);
    file->aside = NULL;
    return 0;
}

static void load_damaged(struct orders_file *file, const char *why, int64_t now_ms)
{
    file->aside = mem_printf("%s.damaged-%" PRId64, file->path, now_ms);
    cleanup_free char *aside = mem_strdup(file->aside);
    int err = set_aside(file);
    if (err) {
        file->loss = mem_printf("%s is damaged (%s) and could not be renamed to %s (%s); " ORDERS_FILE_LOST, file->path,
                                why, aside, error_text(err));
    } else {
        file->loss = mem_printf("%s is damaged (%s) and is now %s; " ORDERS_FILE_LOST, file->path, why, aside);
    }
}

static void orders_file_load(struct orders_file *file, int64_t now_ms)
{
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    int err = file_read(file->path, ORDERS_MAX_DOCUMENT_BYTES, &text);
    if (err == -ENOENT) {
        return;
    }
    if (err == SLOTD_E_LIMIT) {
        load_damaged(file, error_text(err), now_ms);
    } else if (err) {
        file->aside = mem_printf("%s.unreadable-%" PRId64, file->path, now_ms);
        file->loss = mem_printf("%s cannot be read (%s); " ORDERS_FILE_LOST, file->path,
                                err == SLOTD_E_TYPE ? "no regular file" : error_text(err));
    } else if (orders_read(buf_text(&text), text.len, file->orders, &why)) {
        load_damaged(file, buf_text(&why), now_ms);
    }
    if (file->loss) {
        log_error("orders", "%s", file->loss);
    }
}

/* ---- who is told ---- */

static void savers_add(struct saver **list, orders_saved *done, void *arg)
{
    struct saver *saver = MEM_NEW(struct saver);
    saver->done = done;
    saver->arg = arg;
    while (*list) {
        list = &(*list)->next;
    }
    *list = saver;
}

/* They may ask for another save meanwhile: the list is taken first. */
static void savers_tell(struct saver **list, int err)
{
    struct saver *saver = *list;
    *list = NULL;
    while (saver) {
        struct saver *next = saver->next;
        saver->done(saver->arg, err);
        free(saver);
        saver = next;
    }
}

/* Logs a failure when it is a new one, and its end. */
static void note_result(struct orders_file *file, int err)
{
    char *text = err ? mem_printf("%s cannot be written: %s", file->path, error_text(err)) : NULL;
    if (text && (!file->error || strcmp(file->error, text) != 0)) {
        log_error("orders", "%s; a restart would lose drains and weights", text);
    } else if (!text && file->error) {
        log_notice("orders", "%s is written again", file->path);
    }
    free(file->error);
    file->error = text;
    if (!err) {
        file->pause_ms = 0;
    } else if (file->pause_ms == 0) {
        file->pause_ms = ORDERS_FILE_FIRST_PAUSE_MS;
    } else {
        file->pause_ms *= 2;
        file->pause_ms = file->pause_ms < ORDERS_FILE_LAST_PAUSE_MS ? file->pause_ms : ORDERS_FILE_LAST_PAUSE_MS;
    }
}

/* ---- writing ---- */

static void orders_file_begin(uv_timer_t *timer);

static void orders_file_schedule(struct orders_file *file, uint64_t after_ms)
{
    uv_timer_start(&file->timer, orders_file_begin, after_ms, 0);
}

static void orders_file_collect(struct orders_file *file)
{
    file->touched = false;
    buf_clear(&file->content);
    orders_write(file->orders, &file->content);
}

static int orders_file_write(struct orders_file *file)
{
    struct iovec part = {file->content.data, file->content.len};
    int err = set_aside(file);
    return err ? err : file_replace(file->path, ORDERS_FILE_MODE, &part, 1);
}

static void orders_file_free_if_over(struct orders_file *file)
{
    if (!file->timer_closed || file->writing) {
        return;
    }
    uv_sem_destroy(&file->written);
    buf_free(&file->content);
    free(file->aside);
    free(file->error);
    free(file->loss);
    free(file->path);
    free(file);
}

/* What is not on disk yet is written next: at once for somebody who waits, else after the pause. */
static void orders_file_follow(struct orders_file *file)
{
    if (file->touched && !file->writing && !file->closing) {
        orders_file_schedule(file, file->waiting ? 0 : file->pause_ms);
    }
}

/* A write has ended: those whose change it carried are told, and the next one is seen to. */
static void orders_file_end(struct orders_file *file, int err)
{
    note_result(file, err);
    file->touched = file->touched || err;
    savers_tell(&file->carried, err);
    orders_file_follow(file);
}

static void orders_file_work(uv_work_t *work)
{
    struct orders_file *file = work->data;
    file->result = orders_file_write(file);
    uv_sem_post(&file->written);
}

static void orders_file_written(uv_work_t *work, int status)
{
    struct orders_file *file = work->data;
    bool awaited = file->awaited;
    (void)uv_sem_trywait(&file->written);
    file->writing = file->awaited = false;
    if (file->closing) {
        orders_file_free_if_over(file);
    } else if (awaited) {
        orders_file_follow(file);
    } else {
        orders_file_end(file, status ? status : file->result);
    }
}

static void orders_file_begin(uv_timer_t *timer)
{
    struct orders_file *file = timer->data;
    if (!file->path) {
        savers_tell(&file->waiting, -EOPNOTSUPP);
        return;
    }
    if (!file->touched) {
        return; /* flushed meanwhile */
    }
    file->carried = file->waiting;
    file->waiting = NULL;
    orders_file_collect(file);
    file->work.data = file;
    int err = uv_queue_work(file->loop, &file->work, orders_file_work, orders_file_written);
    file->writing = err == 0;
    if (err) {
        orders_file_end(file, err);
    }
}

/* ---- life ---- */

struct orders_file *orders_file_new(uv_loop_t *loop, const char *folder, struct orders *orders, int64_t now_ms)
{
    struct orders_file *file = MEM_NEW(struct orders_file);
    file->loop = loop;
    file->orders = orders;
    uv_timer_init(loop, &file->timer);
    file->timer.data = file;
    if (uv_sem_init(&file->written, 0)) {
        abort();
    }
    if (folder[0] != '\0') {
        file->path = mem_printf("%s/orders.json", folder);
        if (access(folder, W_OK | X_OK) < 0) {
            log_warning("orders", "control.state_dir %s cannot be written: %s; drains and weights would not be kept",
                        folder, strerror(errno));
        }
        orders_file_load(file, now_ms);
    } else {
        file->error = mem_strdup("control.state_dir is empty: drains and weights are not kept");
    }
    return file;
}

void orders_file_save(struct orders_file *file, orders_saved *done, void *arg)
{
    if (file->closing) {
        return;
    }
    file->touched = true;
    if (done) {
        savers_add(&file->waiting, done, arg);
    }
    if (!file->writing && (done || !uv_is_active((uv_handle_t *)&file->timer))) {
        orders_file_schedule(file, 0);
    }
}

/* Lets the write in flight end: the worker thread has the content, and the temporary file. */
static void flush_await(struct orders_file *file)
{
    uv_sem_wait(&file->written);
    file->awaited = true;
    if (file->result == 0) {
        note_result(file, 0);
        savers_tell(&file->carried, 0);
        return;
    }
    /* It is written once more: only that decides. */
    struct saver **end = &file->carried;
    while (*end) {
        end = &(*end)->next;
    }
    *end = file->waiting;
    file->waiting = file->carried;
    file->carried = NULL;
    file->touched = true;
}

int orders_file_flush(struct orders_file *file)
{
    int err = file->path ? 0 : -EOPNOTSUPP;
    if (file->writing && !file->awaited) {
        flush_await(file);
    }
    if (file->path && file->touched) {
        orders_file_collect(file);
        err = orders_file_write(file);
        file->touched = err != 0;
        note_result(file, err);
    }
    savers_tell(&file->waiting, err);
    orders_file_follow(file);
    return err;
}

static void orders_file_closed(uv_handle_t *handle)
{
    struct orders_file *file = handle->data;
    file->timer_closed = true;
    orders_file_free_if_over(file);
}

void orders_file_close(struct orders_file *file)
{
    file->closing = true;
    savers_tell(&file->carried, -ECANCELED);
    savers_tell(&file->waiting, -ECANCELED);
    uv_close((uv_handle_t *)&file->timer, orders_file_closed);
}

bool orders_file_is_saved(const struct orders_file *file)
{
    return file->path && !file->touched && !file->writing;
}

const char *orders_file_error(const struct orders_file *file)
{
    return file->error;
}

const char *orders_file_loss(const struct orders_file *file)
{
    return file->loss;
}
