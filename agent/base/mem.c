/* SPDX-License-Identifier: MIT */
/* Allocation helpers that abort: a daemon that cannot allocate is restarted by its supervisor and loses nothing. */
#include "slotd/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((noreturn)) static void mem_abort(void)
{
    static const char message[] = "slotd: out of memory\n";
    if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0) {
        abort();
    }
    abort();
}

void *mem_alloc(size_t size)
{
    return mem_alloc_array(1, size);
}

void *mem_alloc_array(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);
    if (!ptr) {
        mem_abort();
    }
    return ptr;
}

void *mem_resize_array(void *ptr, size_t count, size_t size)
{
    void *grown = reallocarray(ptr, count ? count : 1, size ? size : 1);
    if (!grown) {
        mem_abort();
    }
    return grown;
}

void mem_grow(void **ptr, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return;
    }
    size_t grown = *capacity ? *capacity : 8;
    while (grown < need) {
        if (__builtin_mul_overflow(grown, (size_t)2, &grown)) {
            mem_abort();
        }
    }
    *ptr = mem_resize_array(*ptr, grown, size);
    *capacity = grown;
}

char *mem_strdup(const char *text)
{
    return text ? mem_strndup(text, strlen(text)) : NULL;
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, text, len);
    return copy;
}

char *mem_vprintf(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        mem_abort();
    }
    return text;
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = mem_vprintf(format, args);
    va_end(args);
    return text;
}
