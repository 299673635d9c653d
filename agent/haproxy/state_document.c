/* SPDX-License-Identifier: MIT */
/* The server-state file's text in sections, and its atomic way to disk. */
#include "state_document.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "slotd/mem.h"

#define DOCUMENT_MODE 0644 /* nothing secret; HAProxy may run as another user */
#define DOCUMENT_BATCH 256 /* sections a system call; IOV_MAX is 1024 */

static void buf_take_over(struct buf *buf, struct buf *from)
{
    buf_free(buf);
    *buf = *from;
    *from = BUF_INIT;
}

static void document_free_sections(struct state_document *document)
{
    for (size_t i = 0; i < document->n_sections; i++) {
        buf_free(&document->sections[i]);
    }
    document->n_sections = 0;
}

void state_document_reset(struct state_document *document, struct buf *header)
{
    document_free_sections(document);
    buf_take_over(&document->header, header);
}

void state_document_put(struct state_document *document, size_t section, struct buf *rows)
{
    MEM_GROW(document->sections, document->capacity, section + 1);
    while (document->n_sections <= section) {
        document->sections[document->n_sections++] = BUF_INIT;
    }
    buf_take_over(&document->sections[section], rows);
}

void state_document_free(struct state_document *document)
{
    document_free_sections(document);
    free(document->sections);
    buf_free(&document->header);
    *document = (struct state_document){0};
}

/* ---- to disk ---- */

static int write_parts(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t written = writev(fd, parts, count);
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

static int document_write_to(const struct state_document *document, int fd)
{
    struct iovec parts[DOCUMENT_BATCH];
    int count = 0;
    parts[count++] = (struct iovec){document->header.data, document->header.len};
    for (size_t i = 0; i < document->n_sections; i++) {
        if (count == DOCUMENT_BATCH) {
            int err = write_parts(fd, parts, count);
            if (err) {
                return err;
            }
            count = 0;
        }
        parts[count++] = (struct iovec){document->sections[i].data, document->sections[i].len};
    }
    return write_parts(fd, parts, count);
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

int state_document_write(const struct state_document *document, const char *path)
{
    cleanup_free char *temporary = mem_printf("%s.tmp", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, DOCUMENT_MODE);
    if (fd < 0) {
        return -errno;
    }
    int err = document_write_to(document, fd);
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
