/* SPDX-License-Identifier: MIT */
/* Recorded answers and streams of a real Marathon: those of tests/fixtures/marathon, or of the folder that the
 * environment variable SLOTD_RECORDINGS names. */
#ifndef SLOTD_TESTS_UNIT_MARATHON_RECORDINGS_H
#define SLOTD_TESTS_UNIT_MARATHON_RECORDINGS_H

#include <ftw.h>
#include <string.h>

#include "slotd/buf.h"
#include "slotd/mem.h"
#include "suite.h"

typedef void recording_test(const char *path, const char *data, size_t len);

static struct {
    const char *part; /* of the file's name */
    const char *ending;
    recording_test *test;
    size_t count;
} recordings;

/* The body of a recorded answer, which may begin with a 100 Continue; *ret_status is the last status line's. */
static inline const char *recording_body(const struct buf *file, size_t *ret_len, int *ret_status)
{
    const char *body = buf_text(file);
    *ret_status = 0;
    while (strncmp(body, "HTTP/1.1 ", 9) == 0) {
        *ret_status = atoi(body + 9);
        const char *end = strstr(body, "\r\n\r\n");
        ck_assert_ptr_nonnull(end);
        body = end + 4;
    }
    *ret_len = file->len - (size_t)(body - buf_text(file));
    return body;
}

static inline void recording_load(const char *path, struct buf *file)
{
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s", path);
    size_t len;
    do {
        len = fread(buf_reserve(file, 65536), 1, 65536, stream);
        buf_commit(file, len);
    } while (len > 0);
    fclose(stream);
}

static inline int recording_visit(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    const char *name = path + walk->base;
    size_t len = strlen(name);
    size_t ending = strlen(recordings.ending);
    (void)status;
    if (type == FTW_F && strstr(name, recordings.part) && len > ending &&
        strcmp(name + len - ending, recordings.ending) == 0) {
        cleanup_buf struct buf file = BUF_INIT;
        recording_load(path, &file);
        recordings.test(path, buf_text(&file), file.len);
        recordings.count++;
    }
    return 0;
}

/* Runs test over every file whose name has part in it and ends with ending; returns how many there were. */
static inline size_t recordings_visit(const char *part, const char *ending, recording_test *test)
{
    const char *folder = getenv("SLOTD_RECORDINGS");
    recordings.part = part;
    recordings.ending = ending;
    recordings.test = test;
    recordings.count = 0;
    ck_assert_int_eq(nftw(folder ? folder : suite_fixture("marathon"), recording_visit, 16, FTW_PHYS), 0);
    return recordings.count;
}

/* Copies of exactly the size of each piece, so that a sanitizer sees a read behind the end. */
static inline int recording_feed(int (*feed)(void *parser, const char *data, size_t len), void *parser,
                                 const char *data, size_t len, size_t chunk)
{
    int err = 0;
    for (size_t at = 0; at < len && !err; at += chunk) {
        size_t part = len - at < chunk ? len - at : chunk;
        char *copy = mem_alloc(part);
        memcpy(copy, data + at, part);
        err = feed(parser, copy, part);
        free(copy);
    }
    return err;
}

#endif
