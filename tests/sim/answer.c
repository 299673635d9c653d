/* SPDX-License-Identifier: MIT */
/* Answers with the headers that a real Marathon gives them, in its order, and gzip where it has it. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "sim.h"

/* Jetty sends what is shorter as it is. */
#define GZIP_MIN_BYTES 32

static void append_date(struct buf *head)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[64];
    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    buf_printf(head, "Date: %s\r\n", text);
}

/* reason: "" gives Marathon's bare `HTTP/1.1 422 `. */
static void append_head(struct buf *head, const struct http_peer *peer, int status, const char *reason)
{
    buf_printf(head, "HTTP/1.1 %d %s\r\n", status, reason);
    append_date(head);
    buf_printf(head,
               "X-Marathon-Leader: %s\r\nX-Frame-Options: DENY\r\nX-XSS-Protection: 1; mode=block\r\n"
               "Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\nExpires: 0\r\n",
               peer->sim->leader);
}

void http_start_stream(struct http_peer *peer)
{
    cleanup_buf struct buf head = BUF_INIT;
    append_head(&head, peer, 200, "OK");
    buf_puts(&head, "Content-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n\r\n");
    http_send(peer, head.data, head.len);
}

void http_gzip(const char *body, size_t len, struct buf *packed)
{
    z_stream stream = {0};
    int err = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    if (err != Z_OK) {
        abort();
    }
    size_t room = deflateBound(&stream, len);
    stream.next_in = (Bytef *)(uintptr_t)body;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)buf_reserve(packed, room);
    stream.avail_out = (uInt)room;
    err = deflate(&stream, Z_FINISH);
    if (err != Z_STREAM_END) {
        abort();
    }
    buf_commit(packed, room - stream.avail_out);
    deflateEnd(&stream);
}

void http_answer_gzip(struct http_peer *peer, const char *packed, size_t len)
{
    cleanup_buf struct buf answer = BUF_INIT;
    append_head(&answer, peer, 200, "OK");
    buf_printf(&answer,
               "Content-Type: application/json\r\nVary: Accept-Encoding, User-Agent\r\nContent-Encoding: gzip\r\n"
               "Transfer-Encoding: chunked\r\n\r\n%zX\r\n",
               len);
    buf_append(&answer, packed, len);
    buf_puts(&answer, "\r\n0\r\n\r\n");
    http_send(peer, answer.data, answer.len);
}

void http_answer(struct http_peer *peer, int status, const char *reason, const char *headers, const char *type,
                 const char *body, size_t len)
{
    cleanup_buf struct buf answer = BUF_INIT;
    append_head(&answer, peer, status, reason);
    buf_printf(&answer, "%s", headers);
    if (type) {
        buf_printf(&answer, "Content-Type: %s\r\n", type);
    }
    buf_printf(&answer, "Content-Length: %zu\r\n\r\n", len);
    if (strcmp(peer->method, "HEAD") != 0) {
        buf_append(&answer, body, len);
    }
    http_send(peer, answer.data, answer.len);
}

void http_answer_body(struct http_peer *peer, const char *body, size_t len)
{
    bool is_get = strcmp(peer->method, "GET") == 0;
    if (is_get && peer->accepts_gzip && len >= GZIP_MIN_BYTES) {
        cleanup_buf struct buf packed = BUF_INIT;
        http_gzip(body, len, &packed);
        http_answer_gzip(peer, packed.data, packed.len);
        return;
    }
    /* Marathon's Vary stands behind its Content-Type. */
    http_answer(peer, 200, "OK", "",
                is_get ? "application/json\r\nVary: Accept-Encoding, User-Agent" : "application/json", body, len);
}

static const char *text_of(struct json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

void http_answer_json(struct http_peer *peer, int status, const char *reason, const char *headers,
                      struct json_object *object)
{
    const char *text = text_of(object);
    http_answer(peer, status, reason, headers, "application/json", text, strlen(text));
    json_object_put(object);
}

void http_answer_object(struct http_peer *peer, struct json_object *object)
{
    const char *text = text_of(object);
    http_answer_body(peer, text, strlen(text));
    json_object_put(object);
}

void http_answer_page(struct http_peer *peer, int status, const char *reason, const char *headers)
{
    cleanup_buf struct buf page = BUF_INIT;
    cleanup_buf struct buf answer = BUF_INIT;
    buf_printf(&page,
               "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n"
               "<title>Error %d %s</title>\n</head>\n<body><h2>HTTP ERROR %d</h2>\n<p>Problem accessing %s. Reason:\n"
               "<pre>    %s</pre></p>\n</body>\n</html>\n",
               status, reason, status, peer->path, reason);
    /* Jetty's own pages, for those who take HTML. */
    bool is_empty = peer->accept && !strstr(peer->accept, "*/*") && !strstr(peer->accept, "text/html");
    buf_printf(&answer, "HTTP/1.1 %d %s\r\n", status, reason);
    append_date(&answer);
    buf_printf(&answer, "%sCache-Control: must-revalidate,no-cache,no-store\r\n", headers);
    if (!is_empty) {
        buf_puts(&answer, "Content-Type: text/html;charset=iso-8859-1\r\n");
    }
    buf_printf(&answer, "Content-Length: %zu\r\n\r\n", is_empty ? 0 : page.len);
    if (!is_empty && strcmp(peer->method, "HEAD") != 0) {
        buf_append(&answer, page.data, page.len);
    }
    http_send(peer, answer.data, answer.len);
}

void http_answer_redirect(struct http_peer *peer, const char *location)
{
    cleanup_buf struct buf answer = BUF_INIT;
    buf_puts(&answer, "HTTP/1.1 302 Found\r\n");
    append_date(&answer);
    buf_printf(&answer, "Location: %s\r\nContent-Length: 0\r\n\r\n", location);
    http_send(peer, answer.data, answer.len);
}

void http_answer_message(struct http_peer *peer, int status, const char *reason, const char *message, bool with_details)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "message", json_object_new_string(message));
    if (with_details) {
        json_object_object_add(object, "details", json_object_new_array());
    }
    http_answer_json(peer, status, reason, "", object);
}
