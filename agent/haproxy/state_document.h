/* SPDX-License-Identifier: MIT */
/* The server-state file's text in sections, one a backend, and how it gets to disk. No loop and no globals: whoever
 * holds it, loop or worker thread, holds it alone. */
#ifndef STATE_DOCUMENT_H
#define STATE_DOCUMENT_H

#include <stddef.h>

#include "slotd/buf.h"

struct state_document {
    struct buf header;
    struct buf *sections;
    size_t n_sections;
    size_t capacity;
};

/* Another header, and no section: HAProxy's servers have been read anew. Takes header's memory over. */
void state_document_reset(struct state_document *document, struct buf *header);
/* The rows of that section; takes their memory over. */
void state_document_put(struct state_document *document, size_t section, struct buf *rows);
/* Writes path atomically, see file_replace(). Returns 0 or -errno. */
int state_document_write(const struct state_document *document, const char *path);
void state_document_free(struct state_document *document);

#endif
