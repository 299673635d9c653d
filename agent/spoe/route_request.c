/* SPDX-License-Identifier: MIT */
/* What a request has for matchers to look at. */
#include <string.h>

#include "route_private.h"

/* Go's net.SplitHostPort as Traefik uses it: without the port, and without the brackets of an IPv6 address. */
static struct spop_text host_without_port(struct spop_text host)
{
    const char *colon = memrchr(host.data, ':', host.len);
    const char *bracket = memrchr(host.data, ']', host.len);
    if (host.data[0] == '[' && bracket && (bracket == host.data + host.len - 1 || colon == bracket + 1)) {
        return (struct spop_text){host.data + 1, (size_t)(bracket - host.data) - 1};
    }
    if (colon && memchr(host.data, ':', host.len) == colon) {
        host.len = (size_t)(colon - host.data);
    }
    return host;
}

/* Returns false for bytes that no host has. */
static bool open_host(struct route_subject *subject)
{
    struct spop_text sent = subject->request->host;
    for (size_t i = 0; i < sent.len; i++) {
        if ((unsigned char)sent.data[i] <= 0x20 || (unsigned char)sent.data[i] >= 0x7f) {
            return false;
        }
    }
    if (sent.len == 0) {
        return true;
    }
    const char *colon = memchr(sent.data, ':', sent.len);
    subject->raw_host = (struct spop_text){sent.data, colon ? (size_t)(colon - sent.data) : sent.len};
    struct spop_text host = host_without_port(sent);
    host.len -= host.len > 1 && host.data[host.len - 1] == '.';
    host.len = host.len > ROUTE_MAX_HOST ? 0 : host.len;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        subject->scratch->host[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    subject->host = (struct spop_text){subject->scratch->host, host.len};
    return true;
}

/* NULL, or what is wrong with the path. */
static const char *open_path(struct route_subject *subject)
{
    struct spop_text sent = subject->request->path;
    char *buffer = subject->scratch->path;
    bool is_encoded = false;
    bool is_ascii = true;
    for (size_t i = 0; i < sent.len; i++) {
        unsigned char c = (unsigned char)sent.data[i];
        is_encoded = is_encoded || c == '%';
        is_ascii = is_ascii && c < 0x80;
        if (c < 0x20 || c == 0x7f) {
            return "a control character in the path";
        }
    }
    subject->path = sent.data ? sent : SPOP_TEXT("");
    if (is_encoded) {
        subject->path = (struct spop_text){buffer, route_unescape(sent.data, sent.len, false, buffer)};
    }
    subject->is_ascii = is_ascii && !is_encoded;
    return subject->path.len == SIZE_MAX ? "a % in the path without two digits" : NULL;
}

static bool mend_path(struct route_subject *subject)
{
    char *buffer = subject->scratch->mended;
    subject->mended = subject->path;
    if (!subject->is_ascii && route_utf8_span(subject->path.data, subject->path.len) < subject->path.len) {
        size_t len = route_utf8_mend(subject->path.data, subject->path.len, buffer, ROUTE_MAX_PATH);
        subject->mended = (struct spop_text){buffer, len};
    }
    return subject->mended.len != SIZE_MAX;
}

bool route_subject_open(const struct route_request *request, struct route_scratch *scratch,
                        struct route_subject *ret_subject, enum route_verdict_kind *ret_kind, const char **ret_why)
{
    *ret_subject = (struct route_subject){.request = request, .scratch = scratch};
    *ret_kind = ROUTE_VERDICT_FAILED;
    *ret_why = "a path or a host that is too long";
    if (request->path.len >= ROUTE_MAX_PATH || request->host.len >= ROUTE_MAX_PATH) {
        return false;
    }
    const char *wrong = open_host(ret_subject) ? open_path(ret_subject) : "a host that is none";
    if (wrong) {
        *ret_kind = ROUTE_VERDICT_BAD;
        *ret_why = wrong;
        return false;
    }
    return mend_path(ret_subject);
}

bool route_header_next(struct spop_reader *reader, struct spop_text *ret_name, struct spop_text *ret_value)
{
    if (!spop_reader_more(reader)) {
        return false;
    }
    *ret_name = spop_read_text(reader);
    *ret_value = spop_read_text(reader);
    return !reader->failed && ret_name->len > 0;
}

/* The pair that *rest begins with, which is cut off. */
static struct spop_text next_pair(struct spop_text *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '&' && rest->data[len] != ';') {
        len++;
    }
    struct spop_text pair = {rest->data, len};
    len += len < rest->len;
    rest->data += len;
    rest->len -= len;
    return pair;
}

/* Go's url.ParseQuery: a semicolon separates too, and a pair with a wrong escape is none. */
bool route_query_find(const struct route_subject *subject, const char *key, size_t key_len, struct spop_text *ret_text)
{
    struct spop_text rest = subject->request->query;
    char *buffer = subject->scratch->value;
    if (rest.len >= ROUTE_MAX_PATH || key_len >= ROUTE_MAX_PATH) {
        return false;
    }
    while (rest.len > 0) {
        struct spop_text pair = next_pair(&rest);
        const char *equals = pair.len > 0 ? memchr(pair.data, '=', pair.len) : NULL;
        size_t name_len = equals ? (size_t)(equals - pair.data) : pair.len;
        if (pair.len == 0 || name_len < key_len || route_unescape(pair.data, name_len, true, buffer) != key_len ||
            memcmp(buffer, key, key_len) != 0) {
            continue;
        }
        buffer[key_len] = '=';
        size_t value_len = equals ? route_unescape(equals + 1, pair.len - name_len - 1, true, buffer + key_len + 1) : 0;
        if (value_len != SIZE_MAX) {
            *ret_text = (struct spop_text){buffer, key_len + 1 + value_len};
            return true;
        }
    }
    return false;
}
