/* SPDX-License-Identifier: MIT */
/* Requests from JSON or from a command's words, and decisions as JSON. */
#include "slotd/route_output.h"

#include <arpa/inet.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"
#include "slotd/text.h"

enum { METHOD, HOST, PATH, QUERY, HEADERS, TEXTS };

/* ---- requests ---- */

void route_asked_free(struct route_asked *asked)
{
    for (int i = 0; i < TEXTS; i++) {
        buf_free(&asked->texts[i]);
    }
}

static struct spop_text text_of(const struct buf *buf)
{
    return (struct spop_text){buf_text(buf), buf->len};
}

/* The texts are complete; headers lack their end. */
static void asked_close(struct route_asked *asked)
{
    if (asked->texts[METHOD].len == 0) {
        buf_puts(&asked->texts[METHOD], "GET");
    }
    if (asked->texts[PATH].len == 0) {
        buf_puts(&asked->texts[PATH], "/");
    }
    buf_append(&asked->texts[HEADERS], "\0", 2);
    asked->request.method = text_of(&asked->texts[METHOD]);
    asked->request.host = text_of(&asked->texts[HOST]);
    asked->request.path = text_of(&asked->texts[PATH]);
    asked->request.query = text_of(&asked->texts[QUERY]);
    asked->request.headers = text_of(&asked->texts[HEADERS]);
}

static void put_text(struct buf *headers, const char *text, size_t len)
{
    char *place = buf_reserve(headers, SPOP_VARINT_MAX + len);
    struct spop_writer writer = spop_writer_over(place, SPOP_VARINT_MAX + len);
    spop_write_text(&writer, (struct spop_text){text, len});
    buf_commit(headers, (size_t)(writer.at - writer.start));
}

/* As HAProxy has it in req.hdrs_bin. */
static void put_header(struct buf *headers, const char *name, size_t name_len, const char *value, size_t value_len)
{
    cleanup_free char *lower = mem_strndup(name, name_len);
    for (char *c = lower; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    }
    put_text(headers, lower, strlen(lower));
    put_text(headers, value, value_len);
}

static int read_src(const char *text, struct route_asked *asked, struct buf *why)
{
    bool is_v6 = strchr(text, ':') != NULL;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, asked->src) != 1) {
        buf_puts(why, "src is no IP address");
        return SLOTD_E_PARSE;
    }
    asked->request.src.len = is_v6 ? 16 : 4;
    return 0;
}

static int read_header(struct json_object *pair, struct buf *headers, struct buf *why)
{
    struct json_object *texts[2] = {0};
    for (size_t i = 0; json_object_is_type(pair, json_type_array) && i < 2; i++) {
        texts[i] = json_object_array_get_idx(pair, i);
    }
    if (!json_object_is_type(texts[0], json_type_string) || !json_object_is_type(texts[1], json_type_string) ||
        json_object_array_length(pair) != 2 || json_object_get_string_len(texts[0]) == 0) {
        buf_puts(why, "headers must be a list of pairs of a name and a value");
        return SLOTD_E_TYPE;
    }
    put_header(headers, json_object_get_string(texts[0]), (size_t)json_object_get_string_len(texts[0]),
               json_object_get_string(texts[1]), (size_t)json_object_get_string_len(texts[1]));
    return 0;
}

static int read_headers(struct json_object *list, struct buf *headers, struct buf *why)
{
    bool is_list = json_object_is_type(list, json_type_array);
    size_t count = is_list ? json_object_array_length(list) : ROUTE_OUTPUT_MAX_HEADERS + 1;
    if (count > ROUTE_OUTPUT_MAX_HEADERS) {
        buf_puts(why, "headers must be a list of at most 1000 pairs");
        return SLOTD_E_TYPE;
    }
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        err = read_header(json_object_array_get_idx(list, i), headers, why);
    }
    return err;
}

static int read_member(struct route_asked *asked, const char *key, struct json_object *value, struct buf *why)
{
    static const char *const keys[] = {"method", "host", "path", "query"};
    if (strcmp(key, "headers") == 0) {
        return read_headers(value, &asked->texts[HEADERS], why);
    }
    bool is_src = strcmp(key, "src") == 0;
    bool is_point = strcmp(key, "entry_point") == 0;
    size_t which = 0;
    while (which < HEADERS && strcmp(key, keys[which]) != 0) {
        which++;
    }
    if (which == HEADERS && !is_src && !is_point) {
        return 0;
    }
    if (!json_object_is_type(value, json_type_string)) {
        buf_printf(why, "%s must be a string", key);
        return SLOTD_E_TYPE;
    }
    const char *text = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value);
    if (is_src) {
        return read_src(text, asked, why);
    }
    if (is_point) {
        asked->request.point = access_point_find(text, len);
        buf_puts(why, asked->request.point == ACCESS_POINTS ? "entry_point is http or https" : "");
        return asked->request.point == ACCESS_POINTS ? SLOTD_E_PARSE : 0;
    }
    buf_append(&asked->texts[which], text, len);
    return 0;
}

static void asked_finish(struct route_asked *asked, struct route_asked *ret_asked)
{
    asked_close(asked);
    *ret_asked = *asked;
    ret_asked->request.src.data = (const char *)ret_asked->src;
}

int route_asked_read(struct json_object *object, struct route_asked *ret_asked, struct buf *why)
{
    struct route_asked asked = {0};
    int err = 0;
    if (!json_object_is_type(object, json_type_object)) {
        buf_puts(why, "a request is an object");
        return SLOTD_E_TYPE;
    }
    json_object_object_foreach(object, key, value)
    {
        err = err ? err : read_member(&asked, key, value, why);
    }
    if (err) {
        route_asked_free(&asked);
        return err;
    }
    asked_finish(&asked, ret_asked);
    return 0;
}

/* The scheme and host of an URL; a bare host and path will do. Returns where its path begins. */
static const char *read_origin(const char *url, struct route_asked *asked)
{
    if (strncmp(url, "http://", 7) == 0) {
        url += 7;
    } else if (strncmp(url, "https://", 8) == 0) {
        asked->request.point = ACCESS_HTTPS;
        url += 8;
    }
    size_t len = strcspn(url, "/?#");
    buf_append(&asked->texts[HOST], url, len);
    return url + len;
}

static int read_line(const char *line, struct route_asked *asked, struct buf *why)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line) {
        buf_puts(why, "a header is `Name: value`");
        return SLOTD_E_PARSE;
    }
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && strchr(" \t", value[len - 1])) {
        len--;
    }
    if (colon - line == 4 && strncasecmp(line, "host", 4) == 0) {
        buf_clear(&asked->texts[HOST]);
        buf_append(&asked->texts[HOST], value, len);
    }
    put_header(&asked->texts[HEADERS], line, (size_t)(colon - line), value, len);
    return 0;
}

int route_asked_from_url(const char *method, const char *url, const char *const *headers, size_t n_headers,
                         const char *src, struct route_asked *ret_asked, struct buf *why)
{
    struct route_asked asked = {0};
    buf_puts(&asked.texts[METHOD], method);
    const char *path = read_origin(url, &asked);
    size_t len = strcspn(path, "?#");
    buf_append(&asked.texts[PATH], path, len);
    if (path[len] == '?') {
        buf_append(&asked.texts[QUERY], path + len + 1, strcspn(path + len + 1, "#"));
    }
    int err = src ? read_src(src, &asked, why) : 0;
    for (size_t i = 0; !err && i < n_headers; i++) {
        err = read_line(headers[i], &asked, why);
    }
    if (!err && asked.texts[HOST].len == 0) {
        buf_puts(why, "the URL has no host, and there is no header Host");
        err = SLOTD_E_PARSE;
    }
    if (err) {
        route_asked_free(&asked);
        return err;
    }
    asked_finish(&asked, ret_asked);
    return 0;
}

static struct json_object *render_text(struct spop_text text)
{
    return json_object_new_string_len(text.data ? text.data : "", (int)text.len);
}

struct json_object *route_asked_render(const struct route_asked *asked)
{
    struct json_object *object = json_object_new_object();
    struct json_object *headers = json_object_new_array();
    struct spop_reader reader = spop_reader_over(asked->request.headers.data, asked->request.headers.len);
    json_object_object_add(object, "method", render_text(asked->request.method));
    json_object_object_add(object, "host", render_text(asked->request.host));
    json_object_object_add(object, "path", render_text(asked->request.path));
    json_object_object_add(object, "query", render_text(asked->request.query));
    for (struct spop_text name = spop_read_text(&reader); name.len > 0; name = spop_read_text(&reader)) {
        struct json_object *pair = json_object_new_array();
        json_object_array_add(pair, render_text(name));
        json_object_array_add(pair, render_text(spop_read_text(&reader)));
        json_object_array_add(headers, pair);
    }
    json_object_object_add(object, "headers", headers);
    if (asked->request.src.len > 0) {
        char text[INET6_ADDRSTRLEN];
        (void)inet_ntop(asked->request.src.len == 4 ? AF_INET : AF_INET6, asked->src, text, sizeof(text));
        json_object_object_add(object, "src", json_object_new_string(text));
    }
    json_object_object_add(object, "entry_point", json_object_new_string(access_point_name(asked->request.point)));
    return object;
}

/* ---- decisions ---- */

static void put_part(const struct rule_part *part, struct buf *text)
{
    buf_printf(text, "%s:", rule_word_text(part->word));
    for (size_t i = 0; i < part->n_values; i++) {
        buf_printf(text, "%s%s", i > 0 ? "," : "", part->values[i]);
    }
}

static void add_candidate(void *arg, const struct route_entry *entry, const struct rule_part *failed, size_t part,
                          const char *why)
{
    struct json_object *candidate = json_object_new_object();
    (void)part;
    json_object_object_add(candidate, "service", json_object_new_string(entry->service));
    json_object_object_add(candidate, "rule", json_object_new_string(entry->rule));
    json_object_object_add(candidate, "priority", json_object_new_int64(entry->priority));
    json_object_object_add(candidate, "matched", json_object_new_boolean(!failed && !why));
    if (failed) {
        cleanup_buf struct buf text = BUF_INIT;
        put_part(failed, &text);
        json_object_object_add(candidate, "failed", json_object_new_string(buf_text(&text)));
    }
    if (why) {
        json_object_object_add(candidate, "why", json_object_new_string(why));
    }
    json_object_array_add(arg, candidate);
}

static struct json_object *render_path(const struct route_asked *asked, const struct route_verdict *verdict)
{
    cleanup_buf struct buf path = BUF_INIT;
    struct spop_text sent = verdict->is_rewritten ? verdict->path : asked->request.path;
    buf_append(&path, sent.data, sent.len);
    if (asked->request.query.len > 0) {
        buf_putc(&path, '?');
        buf_append(&path, asked->request.query.data, asked->request.query.len);
    }
    return render_text(text_of(&path));
}

static void add_entry(struct json_object *object, const struct route_entry *entry)
{
    json_object_object_add(object, "backend", entry->backend ? json_object_new_string(entry->backend) : NULL);
    json_object_object_add(object, "frontend", json_object_new_string(entry->frontend));
    json_object_object_add(object, "rule", json_object_new_string(entry->rule));
    json_object_object_add(object, "priority", json_object_new_int64(entry->priority));
    json_object_object_add(object, "access", map_output_access(entry->access));
}

struct json_object *route_output_decision(const struct route_view *view, struct route_scratch *scratch,
                                          const struct route_asked *asked, bool is_whole)
{
    struct route_verdict verdict;
    struct json_object *object = json_object_new_object();
    struct json_object *candidates = is_whole ? json_object_new_array() : NULL;
    route_view_decide(view, scratch, &asked->request, is_whole ? add_candidate : NULL, candidates, &verdict);
    bool is_served = verdict.kind == ROUTE_VERDICT_SERVE || verdict.kind == ROUTE_VERDICT_GUARDED;
    json_object_object_add(object, "service", is_served ? json_object_new_string(verdict.entry->service) : NULL);
    json_object_object_add(object, "backend_path", is_served ? render_path(asked, &verdict) : NULL);
    json_object_object_add(object, "prefix", is_served && verdict.prefix.data ? render_text(verdict.prefix) : NULL);
    json_object_object_add(object, "verdict", json_object_new_string(route_verdict_text(verdict.kind)));
    if (verdict.kind == ROUTE_VERDICT_REDIRECT) {
        json_object_object_add(object, "location", render_text(verdict.location));
        json_object_object_add(object, "status", json_object_new_int64(verdict.status));
    } else if (!is_served) {
        json_object_object_add(object, "why", json_object_new_string(verdict.why));
    }
    if (is_whole && verdict.entry) {
        add_entry(object, verdict.entry);
    }
    if (is_whole) {
        json_object_object_add(object, "candidates", candidates);
    }
    return object;
}
