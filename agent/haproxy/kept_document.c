/* SPDX-License-Identifier: MIT */
/* A kept file's text in sections. */
#include "kept_document.h"

#include "slotd/file.h"
#include "slotd/mem.h"

#define DOCUMENT_MODE 0644 /* nothing secret; HAProxy may run as another user */

static void buf_take_over(struct buf *buf, struct buf *from)
{
    buf_free(buf);
    *buf = *from;
    *from = BUF_INIT;
}

static void document_free_sections(struct kept_document *document)
{
    for (size_t i = 0; i < document->n_sections; i++) {
        buf_free(&document->sections[i]);
    }
    document->n_sections = 0;
}

void kept_document_reset(struct kept_document *document, struct buf *header)
{
    document_free_sections(document);
    buf_take_over(&document->header, header);
}

void kept_document_put(struct kept_document *document, size_t section, struct buf *rows)
{
    MEM_GROW(document->sections, document->capacity, section + 1);
    while (document->n_sections <= section) {
        document->sections[document->n_sections++] = BUF_INIT;
    }
    buf_take_over(&document->sections[section], rows);
}

void kept_document_free(struct kept_document *document)
{
    document_free_sections(document);
    free(document->sections);
    buf_free(&document->header);
    *document = (struct kept_document){0};
}

int kept_document_write(const struct kept_document *document, const char *path)
{
    cleanup_free struct iovec *parts = mem_alloc_array(document->n_sections + 1, sizeof(*parts));
    parts[0] = (struct iovec){document->header.data, document->header.len};
    for (size_t i = 0; i < document->n_sections; i++) {
        parts[i + 1] = (struct iovec){document->sections[i].data, document->sections[i].len};
    }
    return file_replace(path, DOCUMENT_MODE, parts, document->n_sections + 1);
}
