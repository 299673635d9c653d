/* SPDX-License-Identifier: MIT */
/* A kept file's text in sections, and how it gets to disk. No loop and no globals: whoever holds it, loop or worker
 * thread, holds it alone. */
#ifndef KEPT_DOCUMENT_H
#define KEPT_DOCUMENT_H

#include <stddef.h>

#include "slotd/buf.h"

struct kept_document {
    struct buf header;
    struct buf *sections;
    size_t n_sections;
    size_t capacity;
};

/* Another header, and no section: HAProxy's servers have been read anew. Takes header's memory over. */
void kept_document_reset(struct kept_document *document, struct buf *header);
/* The rows of that section; takes their memory over. */
void kept_document_put(struct kept_document *document, size_t section, struct buf *rows);
/* Writes path atomically, see file_replace(). Returns 0 or -errno. */
int kept_document_write(const struct kept_document *document, const char *path);
void kept_document_free(struct kept_document *document);

#endif
