/* SPDX-License-Identifier: MIT */
/* Whole files to disk and back. */
#include "slotd/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slotd/error.h"
#include "slotd/mem.h"

#define FILE_BATCH 256 /* parts a system call; IOV_MAX is 1024 */
#define FILE_CHUNK ((size_t)64 << 10)

static int write_batch(int fd, struct iovec *parts, size_t count)
{
    while (count > 0) {
        ssize_t written = writev(fd, parts, (int)count);
        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        size_t left = written > 0 ? (size_t)written : 0;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return 0;
}

static int write_parts(int fd, const struct iovec *parts, size_t count)
{
    struct iovec batch[FILE_BATCH];
    while (count > 0) {
        size_t some = count < FILE_BATCH ? count : FILE_BATCH;
        memcpy(batch, parts, some * sizeof(*parts));
        int err = write_batch(fd, batch, some);
        if (err) {
            return err;
        }
        parts += some;
        count -= some;
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

int file_replace(const char *path, mode_t mode, const struct iovec *parts, size_t count)
{
    cleanup_free char *temporary = mem_printf("%s.tmp", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return -errno;
    }
    int err = write_parts(fd, parts, count);
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

static int read_all(int fd, size_t max, struct buf *content)
{
    size_t end = content->len + max;
    for (;;) {
        ssize_t got = read(fd, buf_reserve(content, FILE_CHUNK), FILE_CHUNK);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            return 0;
        }
        buf_commit(content, got > 0 ? (size_t)got : 0);
        if (content->len > end) {
            return SLOTD_E_LIMIT;
        }
    }
}

int file_read(const char *path, size_t max, struct buf *content)
{
    struct stat status;
    /* A pipe without a writer would block. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    int err = fstat(fd, &status) < 0 ? -errno : 0;
    if (!err && !S_ISREG(status.st_mode)) {
        err = SLOTD_E_TYPE;
    }
    err = err ? err : read_all(fd, max, content);
    close(fd);
    return err;
}

int file_check(const char *path)
{
    return access(path, F_OK) ? -errno : 0;
}
