/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface driven by the loop. libcurl forbids calling it from inside its own callbacks, so those only
 * collect; what arrived is handed on afterwards, when everything may be called again. */
#ifndef MARATHON_HTTP_H
#define MARATHON_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

#include "slotd/buf.h"

struct http;
struct http_transfer;

struct http_events {
    /* The final header is complete. May be NULL. */
    void (*on_header)(void *arg, struct http_transfer *transfer, long status);
    /* Bytes of the body, decompressed. A negative return ends the transfer: on_done gets that error. */
    int (*on_data)(void *arg, struct http_transfer *transfer, const char *data, size_t len);
    /* The end, once, unless cancelled; the transfer is freed after it. err: 0, a negative errno or SLOTD_E_*; why: a
     * sentence or "". */
    void (*on_done)(void *arg, struct http_transfer *transfer, int err, const char *why);
};

struct http *http_new(uv_loop_t *loop);
/* Cancels all transfers. Freed when the loop has closed its handles. */
void http_close(struct http *http);
/* Takes over easy (options set, not added) and headers. */
struct http_transfer *http_transfer_start(struct http *http, CURL *easy, struct curl_slist *headers,
                                          const struct http_events *events, void *arg);
/* No event comes after it. May be called from inside an event. */
void http_transfer_cancel(struct http_transfer *transfer);
CURL *http_transfer_easy(struct http_transfer *transfer);
/* The value of the X-Marathon-Leader header, "" when there was none. */
const char *http_transfer_leader(const struct http_transfer *transfer);

#endif
