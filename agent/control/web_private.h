/* SPDX-License-Identifier: MIT */
/* The parts of the HTTP side: web.c has the connections, web_socket.c the address, web_pages.c what there is to see. */
#ifndef WEB_PRIVATE_H
#define WEB_PRIVATE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "slotd/engine.h"
#include "slotd/metrics.h"
#include "slotd/web.h"

/* web_socket.c */
/* A socket that listens at address. Returns 0 or -errno with why; the caller closes it. */
int web_socket_open(const char *address, int *ret_fd, struct buf *why);
/* Where it listens, as a URL's authority: the port is told also when it was 0. */
void web_socket_name(int fd, struct buf *name);

/* web_pages.c */
struct web_page {
    const char *path;
    const char *type; /* of its content */
    /* Appends the body and returns the status. */
    unsigned (*render)(struct engine *engine, const struct web_metrics *web, struct buf *body);
};
#define WEB_PAGES 3
extern const struct web_page web_pages[WEB_PAGES];
/* The page, or NULL. */
const struct web_page *web_page_find(const char *path);
/* Appends what there is, for who asks for something else. */
void web_pages_list(struct buf *body);

#endif
