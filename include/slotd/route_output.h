/* SPDX-License-Identifier: MIT */
/* Requests and what the routing table decides on them, as the JSON of `slotctl route`: one form with and without slotd.
 */
#ifndef SLOTD_ROUTE_OUTPUT_H
#define SLOTD_ROUTE_OUTPUT_H

#include <json-c/json.h>

#include "slotd/route_table.h"

#define ROUTE_OUTPUT_MAX_HEADERS 1000

/* A request that owns its texts. */
struct route_asked {
    struct route_request request;
    struct buf texts[5]; /* method, host, path, query, headers */
    uint8_t src[16];
};
void route_asked_free(struct route_asked *asked);
/* Reads {"method", "host", "path", "query", "headers": [[NAME, VALUE], ...], "src": IP, "entry_point": "http"|"https"};
 * without a method it is GET, without a path `/`. Other keys are ignored: a recorded decision is a request too. Returns
 * 0, or SLOTD_E_TYPE or SLOTD_E_PARSE with why. The caller frees with route_asked_free(). */
int route_asked_read(struct json_object *object, struct route_asked *ret_asked, struct buf *why);
/* A method, an URL and headers such as "Name: value"; src may be NULL. The URL's scheme says the entry point, and a
 * header Host goes before the URL's host. As route_asked_read(). */
int route_asked_from_url(const char *method, const char *url, const char *const *headers, size_t n_headers,
                         const char *src, struct route_asked *ret_asked, struct buf *why);
/* The request as route_asked_read() takes it; the caller owns the object. */
struct json_object *route_asked_render(const struct route_asked *asked);

/* Decides and tells {"service", "backend_path", "prefix"}, each null when there is none, then "verdict" (as
 * route_verdict_text()), and where they are something "location", "status" and "why". is_whole: also "backend",
 * "frontend", "rule", "priority", "access", and "candidates": each rule that was looked at, with "matched", and
 * "failed", the part that did not match. The caller owns the object. */
struct json_object *route_output_decision(const struct route_view *view, struct route_scratch *scratch,
                                          const struct route_asked *asked, bool is_whole);

#endif
