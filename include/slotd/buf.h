/* SPDX-License-Identifier: MIT */
/* A growing byte buffer, always NUL-terminated behind its last byte. */
#ifndef SLOTD_BUF_H
#define SLOTD_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* NULL until the first byte; use buf_text() for a string that is never NULL */
    size_t len;
    size_t capacity;
};

#define BUF_INIT ((struct buf){0})

/* Appends; a NULL buffer is allowed and ignored, so that an explanation can be declined. */
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Makes room for at least extra more bytes and returns where they go; buf_commit() tells how many were written. */
char *buf_reserve(struct buf *buf, size_t extra);
void buf_commit(struct buf *buf, size_t written);
/* Removes the first len bytes (all, when there are fewer). */
void buf_consume(struct buf *buf, size_t len);
/* Forgets the content and keeps the memory. */
void buf_clear(struct buf *buf);
/* Frees the memory; the buffer is empty and usable afterwards. NULL is allowed. */
void buf_free(struct buf *buf);
/* Hands the content over as a string that the caller frees; the buffer is empty afterwards. */
char *buf_steal(struct buf *buf);
/* The content as a string, "" when empty; valid until the next change. */
const char *buf_text(const struct buf *buf);

#define cleanup_buf __attribute__((cleanup(buf_free)))

#endif
