/* SPDX-License-Identifier: MIT */
/* The server-state file on disk: atomic, coalesced, written off the loop. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define STATE_FILE_MIN_PAUSE_MS 100
#define STATE_FILE_PAUSE_FACTOR 20 /* the next write waits this many times the last one's duration */
#define STATE_FILE_MODE 0640

struct haproxy_state_file {
    uv_loop_t *loop;
    char *path;
    haproxy_state_render *render;
    void *arg;
    uv_timer_t timer;
    uv_work_t work;
    uv_sem_t written; /* posted by the worker thread: lets the exit wait for it without the loop */
    bool writing;
    bool touched; /* changed since the last write began */
    bool closing;
    struct buf content; /* of the write in flight: the worker thread's alone meanwhile */
    int result;
    uint64_t began_ns;
    char *error;
};

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        }
    }
    return 0;
}

/* The folder's entry has to be on disk too, or the rename is not. */
static int sync_folder(const char *path)
{
    cleanup_free char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int err = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int write_atomically(const char *path, const char *data, size_t len)
{
    cleanup_free char *temporary = mem_printf("%s.tmp", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, STATE_FILE_MODE);
    if (fd < 0) {
        return -errno;
    }
    int err = write_all(fd, data, len);
    if (!err && fsync(fd) < 0) {
        err = -errno;
    }
    if (close(fd) < 0 && !err) {
        err = -errno;
    }
    if (!err && rename(temporary, path) < 0) {
        err = -errno;
    }
    if (err) {
        (void)unlink(temporary);
        return err;
    }
    return sync_folder(path);
}

static void state_file_note(struct haproxy_state_file *file, int err)
{
    const char *text = err ? error_text(err) : NULL;
    if (text && (!file->error || strcmp(file->error, text) != 0)) {
        log_error("haproxy", "%s cannot be written, a restart of HAProxy would lose its slots: %s", file->path, text);
    } else if (!text && file->error) {
        log_notice("haproxy", "%s is written again", file->path);
    }
    free(file->error);
    file->error = mem_strdup(text);
}

static void state_file_free(struct haproxy_state_file *file)
{
    uv_sem_destroy(&file->written);
    buf_free(&file->content);
    free(file->error);
    free(file->path);
    free(file);
}

static void state_file_closed(uv_handle_t *handle)
{
    struct haproxy_state_file *file = handle->data;
    if (!file->writing) {
        state_file_free(file);
    } else {
        file->timer.data = NULL;
    }
}

static void state_file_work(uv_work_t *work)
{
    struct haproxy_state_file *file = work->data;
    file->result = write_atomically(file->path, buf_text(&file->content), file->content.len);
    uv_sem_post(&file->written);
}

static void state_file_begin(uv_timer_t *timer);

static void state_file_schedule(struct haproxy_state_file *file, uint64_t after_ms)
{
    if (!uv_is_active((uv_handle_t *)&file->timer)) {
        uv_timer_start(&file->timer, state_file_begin, after_ms, 0);
    }
}

static void state_file_pause_over(uv_timer_t *timer)
{
    struct haproxy_state_file *file = timer->data;
    if (file->touched) {
        state_file_begin(timer);
    }
}

static void state_file_written(uv_work_t *work, int status)
{
    struct haproxy_state_file *file = work->data;
    file->writing = false;
    (void)uv_sem_trywait(&file->written);
    if (file->closing) {
        if (!file->timer.data) {
            state_file_free(file);
        }
        return;
    }
    state_file_note(file, status ? status : file->result);
    if (file->result) {
        file->touched = true;
    }
    uint64_t pause = (uv_hrtime() - file->began_ns) / 1000000 * STATE_FILE_PAUSE_FACTOR;
    pause = pause > STATE_FILE_MIN_PAUSE_MS ? pause : STATE_FILE_MIN_PAUSE_MS;
    uv_timer_start(&file->timer, state_file_pause_over, file->result ? pause * 10 : pause, 0);
}

static void state_file_begin(uv_timer_t *timer)
{
    struct haproxy_state_file *file = timer->data;
    file->began_ns = uv_hrtime();
    file->touched = false;
    buf_clear(&file->content);
    file->render(file->arg, &file->content);
    if (file->content.len == 0) {
        return;
    }
    file->work.data = file;
    file->writing = uv_queue_work(file->loop, &file->work, state_file_work, state_file_written) == 0;
}

struct haproxy_state_file *haproxy_state_file_new(uv_loop_t *loop, const char *path, haproxy_state_render *render,
                                                  void *arg)
{
    struct haproxy_state_file *file = MEM_NEW(struct haproxy_state_file);
    file->loop = loop;
    file->path = mem_strdup(path);
    file->render = render;
    file->arg = arg;
    uv_timer_init(loop, &file->timer);
    file->timer.data = file;
    if (uv_sem_init(&file->written, 0)) {
        abort();
    }
    return file;
}

void haproxy_state_file_touch(struct haproxy_state_file *file)
{
    file->touched = true;
    if (!file->writing) {
        /* Changes of the same moment go together; a pause after the last write is honoured by its timer. */
        state_file_schedule(file, 1);
    }
}

int haproxy_state_file_flush(struct haproxy_state_file *file)
{
    cleanup_buf struct buf content = BUF_INIT;
    if (!file->touched && !file->writing && !file->error) {
        return 0;
    }
    file->render(file->arg, &content);
    if (content.len == 0) {
        return 0;
    }
    if (file->writing) {
        /* The worker writes the same temporary file, and older content: let it end first. */
        uv_sem_wait(&file->written);
    }
    file->touched = false;
    return write_atomically(file->path, buf_text(&content), content.len);
}

void haproxy_state_file_close(struct haproxy_state_file *file)
{
    file->closing = true;
    uv_close((uv_handle_t *)&file->timer, state_file_closed);
}

const char *haproxy_state_file_error(const struct haproxy_state_file *file)
{
    return file->error;
}
