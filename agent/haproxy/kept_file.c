/* SPDX-License-Identifier: MIT */
/* When a file that HAProxy starts with is written: coalesced, off the loop, and with what changed alone passing through
 * it. */
#include <errno.h>
#include <string.h>

#include "kept_document.h"
#include "slotd/error.h"
#include "slotd/kept_file.h"
#include "slotd/log.h"
#include "slotd/mem.h"

/* The next write waits a multiple of the last one's duration, and ten times that where it failed, within limits: on a
 * slow disk too, a HAProxy that restarts finds nothing older than some seconds. */
#define KEPT_FILE_PAUSE_FACTOR 20
#define KEPT_FILE_MIN_PAUSE_MS 100
#define KEPT_FILE_MAX_PAUSE_MS 5000

/* What the loop has handed over and the document does not have yet. */
struct kept_change {
    bool resets;
    size_t section;
    struct buf text; /* the header, when it resets */
};
struct kept_changes {
    struct kept_change *items;
    size_t count;
    size_t capacity;
};

struct kept_file {
    uv_loop_t *loop;
    char *path;
    const char *loss; /* what a restart of HAProxy would lose while it cannot be written; static */
    kept_file_collect *collect;
    void *arg;
    uv_timer_t timer;
    uv_work_t work;
    uv_sem_t written; /* posted by the worker thread: lets the exit wait for it without the loop */
    bool writing;
    bool touched;                            /* changed since the last write began */
    uint64_t n_touched, n_gathered, n_saved; /* changes: all, those handed over to be written, those on disk */
    bool closing;
    struct kept_changes collected;
    struct kept_changes handed; /* with the document: the worker thread's alone while it writes */
    struct kept_document document;
    int result;
    uint64_t began_ns;
    char *error;
};

static void kept_file_note(struct kept_file *file, int err)
{
    const char *text = err ? error_text(err) : NULL;
    if (text && (!file->error || strcmp(file->error, text) != 0)) {
        log_error("haproxy", "%s cannot be written, a restart of HAProxy would lose %s: %s", file->path, file->loss,
                  text);
    } else if (!text && file->error) {
        log_notice("haproxy", "%s is written again", file->path);
    }
    free(file->error);
    file->error = mem_strdup(text);
}

/* ---- changes ---- */

static struct kept_change *changes_add(struct kept_changes *changes)
{
    MEM_GROW(changes->items, changes->capacity, changes->count + 1);
    struct kept_change *change = &changes->items[changes->count++];
    *change = (struct kept_change){0};
    return change;
}

static void changes_clear(struct kept_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        buf_free(&changes->items[i].text);
    }
    changes->count = 0;
}

static void changes_free(struct kept_changes *changes)
{
    changes_clear(changes);
    free(changes->items);
}

static void changes_apply(struct kept_changes *changes, struct kept_document *document)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct kept_change *change = &changes->items[i];
        if (change->resets) {
            kept_document_reset(document, &change->text);
        } else {
            kept_document_put(document, change->section, &change->text);
        }
    }
    changes_clear(changes);
}

void kept_file_reset(struct kept_file *file, struct buf *header)
{
    /* Sections of the former document are of no use any more. */
    changes_clear(&file->collected);
    struct kept_change *change = changes_add(&file->collected);
    change->resets = true;
    change->text = *header;
    *header = BUF_INIT;
}

void kept_file_put(struct kept_file *file, size_t section, struct buf *rows)
{
    struct kept_change *change = changes_add(&file->collected);
    change->section = section;
    change->text = *rows;
    *rows = BUF_INIT;
}

/* ---- writing ---- */

static int kept_file_write(struct kept_file *file)
{
    changes_apply(&file->handed, &file->document);
    return kept_document_write(&file->document, file->path);
}

/* The owner's part of it: what has changed since the last time. Cheap, and on the loop. */
static void kept_file_gather(struct kept_file *file)
{
    file->touched = false;
    file->n_gathered = file->n_touched;
    file->collect(file->arg, file);
}

static void kept_file_hand_over(struct kept_file *file)
{
    struct kept_changes empty = file->handed;
    file->handed = file->collected;
    file->collected = empty;
}

static void kept_file_free(struct kept_file *file)
{
    uv_sem_destroy(&file->written);
    changes_free(&file->collected);
    changes_free(&file->handed);
    kept_document_free(&file->document);
    free(file->error);
    free(file->path);
    free(file);
}

static void kept_file_closed(uv_handle_t *handle)
{
    struct kept_file *file = handle->data;
    if (!file->writing) {
        kept_file_free(file);
    } else {
        file->timer.data = NULL;
    }
}

static void kept_file_work(uv_work_t *work)
{
    struct kept_file *file = work->data;
    file->result = kept_file_write(file);
    uv_sem_post(&file->written);
}

static void kept_file_begin(uv_timer_t *timer);

static void kept_file_schedule(struct kept_file *file, uint64_t after_ms)
{
    if (!uv_is_active((uv_handle_t *)&file->timer)) {
        uv_timer_start(&file->timer, kept_file_begin, after_ms, 0);
    }
}

static void kept_file_pause_over(uv_timer_t *timer)
{
    struct kept_file *file = timer->data;
    if (file->touched) {
        kept_file_begin(timer);
    }
}

static uint64_t kept_file_find_pause(const struct kept_file *file)
{
    uint64_t pause = (uv_hrtime() - file->began_ns) / 1000000 * KEPT_FILE_PAUSE_FACTOR;
    pause = pause > KEPT_FILE_MIN_PAUSE_MS ? pause : KEPT_FILE_MIN_PAUSE_MS;
    pause = file->result ? pause * 10 : pause;
    return pause < KEPT_FILE_MAX_PAUSE_MS ? pause : KEPT_FILE_MAX_PAUSE_MS;
}

static void kept_file_written(uv_work_t *work, int status)
{
    struct kept_file *file = work->data;
    file->writing = false;
    (void)uv_sem_trywait(&file->written);
    if (file->closing) {
        if (!file->timer.data) {
            kept_file_free(file);
        }
        return;
    }
    kept_file_note(file, status ? status : file->result);
    if (status || file->result) {
        file->touched = true;
    } else {
        file->n_saved = file->n_gathered;
    }
    uv_timer_start(&file->timer, kept_file_pause_over, kept_file_find_pause(file), 0);
}

static void kept_file_begin(uv_timer_t *timer)
{
    struct kept_file *file = timer->data;
    file->began_ns = uv_hrtime();
    kept_file_gather(file);
    kept_file_hand_over(file);
    file->work.data = file;
    file->writing = uv_queue_work(file->loop, &file->work, kept_file_work, kept_file_written) == 0;
}

struct kept_file *kept_file_new(uv_loop_t *loop, const char *path, const char *loss, kept_file_collect *collect,
                                void *arg)
{
    struct kept_file *file = MEM_NEW(struct kept_file);
    file->loop = loop;
    file->path = mem_strdup(path);
    file->loss = loss;
    file->collect = collect;
    file->arg = arg;
    uv_timer_init(loop, &file->timer);
    file->timer.data = file;
    if (uv_sem_init(&file->written, 0)) {
        abort();
    }
    return file;
}

void kept_file_touch(struct kept_file *file)
{
    file->touched = true;
    file->n_touched++;
    if (!file->writing) {
        /* Changes of the same moment go together; a pause after the last write is honoured by its timer. */
        kept_file_schedule(file, 1);
    }
}

uint64_t kept_file_stamp(const struct kept_file *file)
{
    return file->n_touched;
}

bool kept_file_has_saved(const struct kept_file *file, uint64_t stamp)
{
    return file->n_saved >= stamp;
}

int kept_file_flush(struct kept_file *file)
{
    if (!file->touched && !file->writing && !file->error) {
        return 0;
    }
    if (file->writing) {
        /* The worker has the document, and the temporary file: let it end first. */
        uv_sem_wait(&file->written);
    }
    kept_file_gather(file);
    kept_file_hand_over(file);
    return kept_file_write(file);
}

void kept_file_close(struct kept_file *file)
{
    file->closing = true;
    uv_close((uv_handle_t *)&file->timer, kept_file_closed);
}

const char *kept_file_error(const struct kept_file *file)
{
    return file->error;
}
