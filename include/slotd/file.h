/* SPDX-License-Identifier: MIT */
/* Whole files: replaced atomically, read within a bound. Blocking; any thread. */
#ifndef SLOTD_FILE_H
#define SLOTD_FILE_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "slotd/buf.h"

/* Makes parts, one behind the other, the content of path: PATH.tmp beside it, fsync, rename, fsync of the folder. mode
 * is that of a new file. Returns 0 or -errno; the old content stays then, unless only the folder's fsync failed. One
 * caller at a time for a path. */
int file_replace(const char *path, mode_t mode, const struct iovec *parts, size_t count);
/* Appends the content of the regular file path. Returns 0, -errno, SLOTD_E_LIMIT when there are more than max bytes, or
 * SLOTD_E_TYPE when it is no regular file; content may have some of it then. */
int file_read(const char *path, size_t max, struct buf *content);
/* Whether there is something at path: returns 0 or -errno, -ENOENT when there is nothing. */
int file_check(const char *path);

#endif
