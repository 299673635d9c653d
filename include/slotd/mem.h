/* SPDX-License-Identifier: MIT */
/* Allocation that cannot fail: each function aborts with a message when the system has no memory left. */
#ifndef SLOTD_MEM_H
#define SLOTD_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

/* Zeroed memory; the caller frees it with free(). size 0 gives a pointer that can be freed. */
void *mem_alloc(size_t size);
/* Zeroed array; aborts on overflow of count * size. */
void *mem_alloc_array(size_t count, size_t size);
/* Array grown or shrunk; new elements are not zeroed; aborts on overflow. */
void *mem_resize_array(void *ptr, size_t count, size_t size);
/* Grows *ptr so that it holds at least need elements, doubling; *capacity is kept up to date. */
void mem_grow(void **ptr, size_t *capacity, size_t need, size_t size);
/* Copies; the caller frees. mem_strdup(NULL) is NULL. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))
#define MEM_GROW(ptr, capacity, need) mem_grow((void **)&(ptr), &(capacity), (need), sizeof(*(ptr)))

static inline void mem_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

/* A local that owns: `cleanup_free char *text = mem_strdup(...)`. */
#define cleanup_free __attribute__((cleanup(mem_free_pointer)))

#endif
