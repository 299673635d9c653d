/* SPDX-License-Identifier: MIT */
/* Access: at which entry points a service's routes are served, to which clients, and where else they send them; and how
 * HAProxy's maps say so. Pure.
 *
 * routes.map and paths.map have the plain name of a backend only where everybody may use it at every entry point. Else
 * the value is `/WAY/WAY`, one for each entry point: http, https. It is no backend's name, so that a frontend that
 * knows nothing of ways answers 503. A WAY is
 *     ~                            no route at this entry point
 *     BACKEND                      open
 *     BACKEND+WHITELIST+REDIRECT   `~` for WHITELIST: every client; `!`: no client, 503. `~` for REDIRECT: none
 * WHITELIST/4HEX and WHITELIST/6HEX are the beginnings of clients' addresses in whitelist.map; REDIRECT is a key of
 * redirect.map, whose values are STATUS=TARGET: 301 or 302, and an entry point or the beginning of an URL. */
#ifndef SLOTD_ACCESS_H
#define SLOTD_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

#define ACCESS_MAX_RANGES 256  /* of one whitelist, as labelled */
#define ACCESS_MAX_JOINED 1024 /* of one service, out of the whitelists of its apps */
#define ACCESS_MAX_TARGET 512  /* bytes of a redirect's target */
#define ACCESS_MAX_PREFIXES 8  /* keys that one range makes */
#define ACCESS_PREFIX_BYTES 40 /* of one such key's end, with its NUL: family and 32 digits */
#define ACCESS_CIDR_BYTES 64   /* of a range as text */

/* By the names of Traefik's default entry points. */
enum access_point { ACCESS_HTTP, ACCESS_HTTPS, ACCESS_POINTS };
#define ACCESS_EVERYWHERE 3U /* both bits, 1 << enum access_point */
const char *access_point_name(enum access_point point);
/* ACCESS_POINTS: there is none of that name. */
enum access_point access_point_find(const char *name, size_t len);

/* Clients' addresses: those whose first bits are these. An IPv4 client that came as IPv6 (::ffff:a.b.c.d) is IPv4. */
struct access_range {
    bool is_v6;
    uint8_t length;    /* bits, 0..32 or 0..128 */
    uint8_t bytes[16]; /* 4 of them for IPv4; 0 behind length */
};

/* Where a request is sent instead of being served. */
struct access_redirect {
    char *target;    /* of redirect.map: an entry point's name, or what comes before path and query; NULL: none */
    char *host;      /* of that host's requests alone, in lower case; NULL: of all */
    unsigned points; /* at these entry points, bits */
    bool permanent;
};

/* What one app's or segment's labels say, or a service's all together. */
struct access {
    unsigned points; /* entry points, bits; at least one */
    bool closed;     /* nobody is served: a protection is asked for that cannot be given */
    bool listed;     /* only clients in ranges are served; without it there are none */
    struct access_range *ranges;
    size_t n_ranges;
    uint64_t digest; /* of the ranges, the same in every process */
    struct access_redirect redirect;
};

/* Everywhere, for everybody. */
struct access access_open(void);
void access_free(struct access *access);
struct access access_copy(const struct access *access);
bool access_equal(const struct access *a, const struct access *b);
/* Whether both let the same clients through, as far as whitelists go. */
bool access_lists_equal(const struct access *a, const struct access *b);
/* Whether a plain backend in a map is all that it takes. */
bool access_is_open(const struct access *access);
/* What both allow; the redirect is the first one's, if it has one. Changes access. More than ACCESS_MAX_JOINED ranges
 * close it. */
void access_join(struct access *access, const struct access *other);
/* For people: "open", "closed", or "https, from 10.0.0.0/8 and 2 more, to https". */
void access_describe(const struct access *access, struct buf *text);

/* ---- whitelists ---- */

/* Lets clients in that list alone through: "10.0.0.0/8, fd00::/8, 192.0.2.1". Blanks around and empty pieces are
 * skipped, bits behind a range's length count for nothing, as in Traefik; what is within another range is left out, and
 * the order is one of its own. Returns 0, SLOTD_E_PARSE with why (something is no range, or there is none), or
 * SLOTD_E_REFUSED with why when there are more than ACCESS_MAX_RANGES: then the list is empty. */
int access_read_list(struct access *access, const char *text, struct buf *why);
/* As text: 10.0.0.0/8. */
void access_range_format(const struct access_range *range, char ret_text[ACCESS_CIDR_BYTES]);
/* Family and the first hexadecimal digits of every address in range, and of no other: "40A". Returns how many. */
size_t access_range_expand(const struct access_range *range,
                           char ret_prefixes[ACCESS_MAX_PREFIXES][ACCESS_PREFIX_BYTES]);
/* The whitelist's name in HAProxy's maps, for a service that wants that backend: another content has another name. */
void access_whitelist_name(const struct access *access, const char *backend, struct buf *name);

/* ---- redirects ---- */

/* redirect.map's value; the access has a redirect. */
void access_redirect_format(const struct access_redirect *redirect, struct buf *value);
/* Whether requests for host (in lower case) at that entry point are sent elsewhere. */
bool access_redirects(const struct access *access, enum access_point point, const char *host);
/* Reads regex and replacement of the kind ^http://HOST/(.*) and https://OTHER/$1, which a look-up can express. Returns
 * 0, or SLOTD_E_REFUSED for every other one. The caller frees target and host. */
int access_redirect_parse(const char *regex, const char *replacement, struct access_redirect *ret_redirect);

/* ---- the values of routes.map and paths.map ---- */

struct access_way {
    const char *backend;   /* NULL: no route */
    const char *whitelist; /* a name, "!" for nobody, or NULL */
    const char *redirect;  /* a key of redirect.map, or NULL */
};
void access_value_format(const struct access_way ways[ACCESS_POINTS], struct buf *value);
/* The way of one entry point, as text of length *ret_len that is borrowed from value; the plain backend for both of
 * them. NULL: no route there, or not of this form. */
const char *access_value_way(const char *value, enum access_point point, size_t *ret_len);
/* Its backend; the same. */
const char *access_value_backend(const char *value, enum access_point point, size_t *ret_len);

#endif
