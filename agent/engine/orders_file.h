/* SPDX-License-Identifier: MIT */
/* STATE_DIR/orders.json: what operators have asked for, across restarts. Read at start, written in a worker thread. */
#ifndef ENGINE_ORDERS_FILE_H
#define ENGINE_ORDERS_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/orders.h"

struct orders_file;
/* Called once, from the loop, never from within orders_file_save(). err 0: the orders as they were at the call, or
 * newer ones, are safely on disk. Else they hold in memory, are not saved, and writing is tried again: -errno, or
 * -ECANCELED when the file was closed before. orders_file_error() has the sentence. */
typedef void orders_saved(void *arg, int err);

/* Reads folder's orders.json into orders, which is borrowed and must outlive the file. Nothing there: orders stay
 * empty. A damaged document (or one of another version) is renamed to orders.json.damaged-NOW_MS, one that cannot be
 * read stays until the first write and is renamed to orders.json.unreadable-NOW_MS then; both are logged and never
 * fatal. folder "": nothing is kept, and each save says -EOPNOTSUPP. */
struct orders_file *orders_file_new(uv_loop_t *loop, const char *folder, struct orders *orders, int64_t now_ms);
/* The orders have changed. What is said during one turn of the loop, or while a write is under way, is written
 * together. done may be NULL: nobody waits, and after a failure the pause (1 s, doubling to 60 s) is honoured; with
 * done, writing is tried at once. Does nothing once orders_file_close() has been called. */
void orders_file_save(struct orders_file *file, orders_saved *done, void *arg);
/* Writes now, blocking, when something is not on disk yet (at exit), and tells all who wait. Returns 0 or -errno. */
int orders_file_flush(struct orders_file *file);
/* Tells those who still wait -ECANCELED; frees the file when the loop has closed its handle. Does not flush. */
void orders_file_close(struct orders_file *file);
/* Whether all that has been asked for is on disk. */
bool orders_file_is_saved(const struct orders_file *file);
/* Why the last write failed, as a sentence with the file's name, or NULL. Valid until the loop runs on. */
const char *orders_file_error(const struct orders_file *file);
/* What became of a file that was damaged or could not be read at start, as a sentence, or NULL. Stays until the end:
 * what had been asked for may have to be asked for again. */
const char *orders_file_loss(const struct orders_file *file);

#endif
