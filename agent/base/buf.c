/* SPDX-License-Identifier: MIT */
/* The growing byte buffer. */
#include "slotd/buf.h"

#include <stdio.h>
#include <string.h>

#include "slotd/mem.h"

char *buf_reserve(struct buf *buf, size_t extra)
{
    size_t need;
    if (__builtin_add_overflow(buf->len, extra, &need) || __builtin_add_overflow(need, (size_t)1, &need)) {
        abort();
    }
    MEM_GROW(buf->data, buf->capacity, need);
    buf->data[buf->len] = '\0';
    return buf->data + buf->len;
}

void buf_commit(struct buf *buf, size_t written)
{
    buf->len += written;
    buf->data[buf->len] = '\0';
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
    if (!buf) {
        return;
    }
    char *place = buf_reserve(buf, len);
    if (len > 0) {
        memcpy(place, data, len);
    }
    buf_commit(buf, len);
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    if (!buf) {
        return;
    }
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        return;
    }
    char *place = buf_reserve(buf, (size_t)len);
    (void)vsnprintf(place, (size_t)len + 1, format, args);
    buf_commit(buf, (size_t)len);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf_clear(buf);
        return;
    }
    buf->len -= len;
    memmove(buf->data, buf->data + len, buf->len + 1);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

void buf_free(struct buf *buf)
{
    if (buf) {
        free(buf->data);
        *buf = BUF_INIT;
    }
}

char *buf_steal(struct buf *buf)
{
    char *data = buf->data ? buf->data : mem_strdup("");
    *buf = BUF_INIT;
    return data;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}
