/* SPDX-License-Identifier: MIT */
/* What is durable: whole files, replaced at once or not at all. In place of agent/base/file.c. */
#include <errno.h>
#include <string.h>

#include "model.h"
#include "slotd/file.h"
#include "slotd/mem.h"

#define MAX_FILES 32

bool files_fail, files_frozen;
static struct {
    char *path;
    struct buf content;
} files[MAX_FILES];

static struct buf *file_ensure(const char *path)
{
    size_t i = 0;
    while (i < MAX_FILES && files[i].path && strcmp(files[i].path, path) != 0) {
        i++;
    }
    if (i == MAX_FILES) {
        abort();
    }
    files[i].path = files[i].path ? files[i].path : mem_strdup(path);
    return &files[i].content;
}

void files_reset(void)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        free(files[i].path);
        files[i].path = NULL;
        buf_free(&files[i].content);
    }
    files_fail = files_frozen = false;
}

const struct buf *files_get(const char *path)
{
    for (size_t i = 0; i < MAX_FILES && files[i].path; i++) {
        if (strcmp(files[i].path, path) == 0) {
            return &files[i].content;
        }
    }
    return NULL;
}

void files_put(const char *path, const char *data, size_t len)
{
    struct buf *content = file_ensure(path);
    buf_clear(content);
    buf_append(content, data, len);
}

int file_replace(const char *path, mode_t mode, const struct iovec *parts, size_t count)
{
    (void)mode;
    if (files_frozen || files_fail) {
        return -ENOSPC;
    }
    struct buf *content = file_ensure(path);
    buf_clear(content);
    for (size_t i = 0; i < count; i++) {
        buf_append(content, parts[i].iov_base, parts[i].iov_len);
    }
    tell("disk", "%s is written", path);
    return 0;
}

int file_read(const char *path, size_t max, struct buf *content)
{
    const struct buf *file = files_get(path);
    (void)max;
    if (!file) {
        return -ENOENT;
    }
    buf_append(content, file->data, file->len);
    return 0;
}

int file_check(const char *path)
{
    return files_get(path) ? 0 : -ENOENT;
}
