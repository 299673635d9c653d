/* SPDX-License-Identifier: MIT */
/* HTTP on control.http: /metrics, /healthz, /readyz. Read-only: no request changes anything, and none waits for
 * anything. libmicrohttpd, driven by the loop. */
#ifndef SLOTD_WEB_H
#define SLOTD_WEB_H

#include <uv.h>

#include "slotd/buf.h"
#include "slotd/engine.h"

/* Whoever reaches the address may ask, so that everything has a bound. */
#define WEB_MAX_CONNECTIONS 128   /* above it new ones wait in the kernel */
#define WEB_MAX_PER_ADDRESS 32    /* of one client address; above it they are closed at once */
#define WEB_CONNECTION_BYTES 8192 /* memory of each, and so the longest head of a request */
#define WEB_PATIENCE_MS 10000     /* from a connection's start, or its last request, to the next whole one */
#define WEB_ANSWER_AGE_MS 250     /* an answer is made anew when it is older: asking often costs no more */

struct web;
/* Listens at address from now on ("ADDRESS:PORT" as config_check_listen() takes it; "": nowhere) in place of what *web
 * listens at (NULL: nowhere). The same address: nothing happens. On failure *web stays as it was, and why says which
 * key is wrong: -errno, such as -EADDRINUSE or -EACCES. */
int web_listen(struct web **web, uv_loop_t *loop, struct engine *engine, const char *address, struct buf *why);
/* The address that *web was told, "" for NULL. */
const char *web_address(const struct web *web);
/* Ends every connection. Freed when the loop has closed its handles; NULL is allowed. */
void web_close(struct web *web);

#endif
