/* SPDX-License-Identifier: MIT */
/* Checks and conversions of text that comes from outside. */
#ifndef SLOTD_TEXT_H
#define SLOTD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

/* A decimal integer that is the whole of text (a sign is allowed, blanks are not, as Go's strconv.Atoi).
 * Returns 0, SLOTD_E_PARSE, or -ERANGE when outside min..max. */
int text_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret_value);
/* Go's strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False; else SLOTD_E_PARSE. */
int text_parse_bool(const char *text, bool *ret_value);
/* `500ms`, `5s`, `1m`, `2h`, or a bare number of seconds (contract.md), to milliseconds, at most 10 years. */
int text_parse_duration(const char *text, int64_t *ret_ms);
/* An RFC 3339 time such as 2026-11-23T00:31:42.528Z, to milliseconds since 1970 UTC. */
int text_parse_time(const char *text, int64_t *ret_ms);
/* The one word or the other, as that many things need it. */
const char *text_plural(uint64_t count, const char *one, const char *many);
/* Milliseconds since 1970 as RFC 3339 UTC with milliseconds, in a buffer of at least 32 bytes. */
void text_format_time(int64_t ms, char ret_text[32]);
/* Appends text, at most max bytes of it (then "..."), with everything but printable ASCII and valid UTF-8 letters
 * escaped as \xNN. */
void text_append_safe(struct buf *buf, const char *text, size_t len, size_t max);
/* The bytes of the control character that text begins with (C0, DEL, or C1 in UTF-8), or 0. */
size_t text_control_length(const char *text);
/* Whether text is valid UTF-8 without controls and without what a reader cannot see (marks of direction, joiners). */
bool text_is_plain(const char *text);
/* Whether two texts are the same; NULL is the same as NULL alone. */
bool text_equal(const char *a, const char *b);
/* Whether text is an IPv4 or IPv6 literal (no brackets, no zone). */
bool text_is_ip(const char *text);
/* Whether text is a host name by RFC 1123 (letters, digits, '-', '_', dots; 1..253 bytes). */
bool text_is_host_name(const char *text);
/* Whether text is a name that a Runtime API command may carry: 1..250 bytes of letters, digits, '_', '-', '.', ':'. */
bool text_is_haproxy_name(const char *text);
/* Whether text may be a key or a value in a HAProxy map: 1..2048 bytes of letters, digits and -._~!$&()*+,=:@/?% (what
 * paths, queries and host names are made of). None of them means anything on HAProxy's command line or in a map file,
 * so that nothing has to be escaped; the value of a map is not expanded as a log format. */
bool text_is_map_word(const char *text);
/* Whether text may stand as options of a server on a Runtime API line: at most 1000 bytes and 56 words (HAProxy takes
 * 64 a command) of letters, digits and -._~,:/=+@%()*, between blanks. Nothing in it ends, quotes or comments out
 * anything.
 */
bool text_is_server_options(const char *text);

#endif
