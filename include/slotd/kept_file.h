/* SPDX-License-Identifier: MIT */
/* A file that HAProxy reads when it starts, kept in step with what slotd has applied: the server-state file, a map. */
#ifndef SLOTD_KEPT_FILE_H
#define SLOTD_KEPT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/buf.h"

/* The file has sections (one a backend, or one a key), so that a change costs the loop its own sections only; the
 * worker thread that writes the file keeps the whole text. */
struct kept_file;
/* Called before a write: hand over, with the two functions below, what has changed since the last call. */
typedef void kept_file_collect(void *arg, struct kept_file *file);
/* Writes path atomically (temporary file beside it, fsync, rename, fsync of the folder) in a worker thread, one write
 * in flight, the next not before 20 times the last one's duration and at least 100 ms (design.md), but after 5 s
 * however slow the disk is. loss, static: what a restart of HAProxy would lose without the file, for the log. */
struct kept_file *kept_file_new(uv_loop_t *loop, const char *path, const char *loss, kept_file_collect *collect,
                                void *arg);
/* Starts a new file with that header; every section is empty. Takes the header's memory over. */
void kept_file_reset(struct kept_file *file, struct buf *header);
/* Replaces a section, counted from 0. Takes the memory of the rows over. */
void kept_file_put(struct kept_file *file, size_t section, struct buf *rows);
/* What was applied has changed: write it soon. */
void kept_file_touch(struct kept_file *file);
/* What has been touched until now, to be asked for later; 0: nothing ever was. */
uint64_t kept_file_stamp(const struct kept_file *file);
/* Whether all that was touched before that stamp is safely on disk. */
bool kept_file_has_saved(const struct kept_file *file, uint64_t stamp);
/* Writes now, blocking, when something is not on disk yet (at exit). Returns 0 or -errno. */
int kept_file_flush(struct kept_file *file);
void kept_file_close(struct kept_file *file);
/* The last error's text, or NULL. */
const char *kept_file_error(const struct kept_file *file);

#endif
