/* SPDX-License-Identifier: MIT */
/* When the server-state file is written: coalesced, off the loop, and with what changed alone passing through it. */
#include <errno.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "state_document.h"

#define STATE_FILE_MIN_PAUSE_MS 100
#define STATE_FILE_PAUSE_FACTOR 20 /* the next write waits this many times the last one's duration */

/* What the loop has handed over and the document does not have yet. */
struct state_change {
    bool resets;
    size_t section;
    struct buf text; /* the header, when it resets */
};
struct state_changes {
    struct state_change *items;
    size_t count;
    size_t capacity;
};

struct haproxy_state_file {
    uv_loop_t *loop;
    char *path;
    haproxy_state_collect *collect;
    void *arg;
    uv_timer_t timer;
    uv_work_t work;
    uv_sem_t written; /* posted by the worker thread: lets the exit wait for it without the loop */
    bool writing;
    bool touched; /* changed since the last write began */
    bool closing;
    struct state_changes collected;
    struct state_changes handed; /* with the document: the worker thread's alone while it writes */
    struct state_document document;
    int result;
    uint64_t began_ns;
    char *error;
};

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

/* ---- changes ---- */

static struct state_change *changes_add(struct state_changes *changes)
{
    MEM_GROW(changes->items, changes->capacity, changes->count + 1);
    struct state_change *change = &changes->items[changes->count++];
    *change = (struct state_change){0};
    return change;
}

static void changes_clear(struct state_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        buf_free(&changes->items[i].text);
    }
    changes->count = 0;
}

static void changes_free(struct state_changes *changes)
{
    changes_clear(changes);
    free(changes->items);
}

static void changes_apply(struct state_changes *changes, struct state_document *document)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct state_change *change = &changes->items[i];
        if (change->resets) {
            state_document_reset(document, &change->text);
        } else {
            state_document_put(document, change->section, &change->text);
        }
    }
    changes_clear(changes);
}

void haproxy_state_file_reset(struct haproxy_state_file *file, struct buf *header)
{
    /* Sections of the former document are of no use any more. */
    changes_clear(&file->collected);
    struct state_change *change = changes_add(&file->collected);
    change->resets = true;
    change->text = *header;
    *header = BUF_INIT;
}

void haproxy_state_file_put(struct haproxy_state_file *file, size_t section, struct buf *rows)
{
    struct state_change *change = changes_add(&file->collected);
    change->section = section;
    change->text = *rows;
    *rows = BUF_INIT;
}

/* ---- writing ---- */

static int state_file_write(struct haproxy_state_file *file)
{
    changes_apply(&file->handed, &file->document);
    return state_document_write(&file->document, file->path);
}

/* The owner's part of it: what has changed since the last time. Cheap, and on the loop. */
static void state_file_collect(struct haproxy_state_file *file)
{
    file->touched = false;
    file->collect(file->arg, file);
}

static void state_file_hand_over(struct haproxy_state_file *file)
{
    struct state_changes empty = file->handed;
    file->handed = file->collected;
    file->collected = empty;
}

static void state_file_free(struct haproxy_state_file *file)
{
    uv_sem_destroy(&file->written);
    changes_free(&file->collected);
    changes_free(&file->handed);
    state_document_free(&file->document);
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
    file->result = state_file_write(file);
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
    state_file_collect(file);
    state_file_hand_over(file);
    file->work.data = file;
    file->writing = uv_queue_work(file->loop, &file->work, state_file_work, state_file_written) == 0;
}

struct haproxy_state_file *haproxy_state_file_new(uv_loop_t *loop, const char *path, haproxy_state_collect *collect,
                                                  void *arg)
{
    struct haproxy_state_file *file = MEM_NEW(struct haproxy_state_file);
    file->loop = loop;
    file->path = mem_strdup(path);
    file->collect = collect;
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
    if (!file->touched && !file->writing && !file->error) {
        return 0;
    }
    if (file->writing) {
        /* The worker has the document, and the temporary file: let it end first. */
        uv_sem_wait(&file->written);
    }
    state_file_collect(file);
    state_file_hand_over(file);
    return state_file_write(file);
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
