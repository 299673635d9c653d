/* SPDX-License-Identifier: MIT */
/* HTTP in the loop: libmicrohttpd without a thread, its epoll descriptor watched by libuv; bounds for those who ask. */
#include "slotd/web.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <string.h>
#include <unistd.h>

#include "slotd/log.h"
#include "slotd/mem.h"
#include "web_private.h"

/* libmicrohttpd's yes and no have been an enum since 0.9.71. */
#if MHD_VERSION >= 0x00097002
typedef enum MHD_Result web_result;
#else
typedef int web_result;
#endif

#define WEB_PAUSE_MS 100 /* without a file left for who connects */

enum { STATUS_NOT_FOUND = 404, STATUS_METHOD = 405, STATUS_BODY = 413 };

/* One connection. */
struct web_client {
    struct web *web;
    int fd;
    uint64_t since_ms; /* of the loop: its start, or its last whole request */
    struct web_client *next, **link;
};

/* What a page had to say, for all who ask soon after. */
struct web_answer {
    struct MHD_Response *response; /* NULL: not yet */
    unsigned status;
    uint64_t made_ms;
};

struct web {
    uv_loop_t *loop;
    struct engine *engine;
    char *address; /* as it was told */
    struct MHD_Daemon *daemon;
    uv_poll_t *poll;   /* libmicrohttpd's epoll descriptor */
    uv_timer_t *timer; /* libmicrohttpd's own wish, the oldest client's end, or that of a pause */
    struct web_client *oldest, **newest;
    bool again; /* a connection has ended in this run: there may be room for one that waits */
    struct web_metrics metrics;
    struct web_answer answers[WEB_PAGES];
};

/* ---- clients ---- */

static void client_unlink(struct web_client *client)
{
    *client->link = client->next;
    if (client->next) {
        client->next->link = client->link;
    } else {
        client->web->newest = client->link;
    }
}

/* They stand in the order of their patience's end. */
static void client_append(struct web_client *client)
{
    struct web *web = client->web;
    client->since_ms = uv_now(web->loop);
    client->next = NULL;
    client->link = web->newest;
    *web->newest = client;
    web->newest = &client->next;
}

static void web_note_connection(void *arg, struct MHD_Connection *connection, void **context,
                                enum MHD_ConnectionNotificationCode code)
{
    struct web *web = arg;
    struct web_client *client = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        client = MEM_NEW(struct web_client);
        client->web = web;
        client->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        client_append(client);
        web->metrics.connections++;
        *context = client;
    } else if (client) {
        client_unlink(client);
        web->metrics.connections--;
        web->again = true;
        free(client);
        *context = NULL;
    }
}

static void client_note_request(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct web_client *client = info->socket_context;
    client_unlink(client);
    client_append(client);
    client->web->metrics.requests++;
}

/* libmicrohttpd counts silence, and knows no end for who drips: it finds the socket closed. */
static void web_end_slow(struct web *web)
{
    while (web->oldest && uv_now(web->loop) - web->oldest->since_ms >= WEB_PATIENCE_MS) {
        struct web_client *client = web->oldest;
        (void)shutdown(client->fd, SHUT_RDWR);
        web->metrics.expired++;
        client_unlink(client);
        client_append(client);
    }
}

/* ---- answers ---- */

static struct MHD_Response *response_new(struct buf *body, const char *type)
{
    size_t len = body->len;
    struct MHD_Response *response = MHD_create_response_from_buffer(len, buf_steal(body), MHD_RESPMEM_MUST_FREE);
    if (!response) {
        abort();
    }
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    return response;
}

static web_result web_show_page(struct web *web, struct MHD_Connection *connection, const struct web_page *page)
{
    struct web_answer *answer = &web->answers[page - web_pages];
    if (!answer->response || uv_now(web->loop) - answer->made_ms >= WEB_ANSWER_AGE_MS) {
        struct buf body = BUF_INIT;
        if (answer->response) {
            MHD_destroy_response(answer->response);
        }
        answer->status = page->render(web->engine, &web->metrics, &body);
        answer->response = response_new(&body, page->type);
        answer->made_ms = uv_now(web->loop);
    }
    return MHD_queue_response(connection, answer->status, answer->response);
}

static web_result web_refuse(struct web *web, struct MHD_Connection *connection, unsigned status)
{
    struct buf body = BUF_INIT;
    web->metrics.refused++;
    if (status == STATUS_NOT_FOUND) {
        buf_puts(&body, "there is nothing here; there is ");
        web_pages_list(&body);
        buf_putc(&body, '\n');
    } else if (status == STATUS_METHOD) {
        buf_puts(&body, "GET and HEAD alone: nothing is changed over HTTP, see slotctl\n");
    } else {
        buf_puts(&body, "a request has no body here\n");
    }
    struct MHD_Response *response = response_new(&body, "text/plain; charset=utf-8");
    /* Older libraries go on to read the body of some methods otherwise. */
    MHD_add_response_header(response, "Connection", "close");
    if (status == STATUS_METHOD) {
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    }
    web_result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static bool request_has_body(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding") ||
           (length && strcmp(length, "0") != 0);
}

/* With the head of a request alone: what is refused now ends the connection. */
static web_result web_begin_request(struct web *web, struct MHD_Connection *connection, const char *path,
                                    const char *method, void **page)
{
    const struct web_page *found = web_page_find(path);
    client_note_request(connection);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return web_refuse(web, connection, STATUS_METHOD);
    }
    if (request_has_body(connection)) {
        return web_refuse(web, connection, STATUS_BODY);
    }
    if (!found) {
        return web_refuse(web, connection, STATUS_NOT_FOUND);
    }
    *page = (void *)found;
    return MHD_YES;
}

/* Called twice: when the head of a request is there, and at its end. */
static web_result web_take_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                   const char *version, const char *data, size_t *len, void **page)
{
    (void)version;
    (void)data;
    (void)len;
    return *page ? web_show_page(arg, connection, *page) : web_begin_request(arg, connection, path, method, page);
}

/* ---- the loop ---- */

static void web_timer(uv_timer_t *timer);

/* When it has to be run next, also when nothing arrives. */
static void web_schedule(struct web *web)
{
    MHD_UNSIGNED_LONG_LONG wish_ms = 0;
    uint64_t now_ms = uv_now(web->loop);
    uint64_t after_ms = UINT64_MAX;
    if (web->oldest) {
        uint64_t end_ms = web->oldest->since_ms + WEB_PATIENCE_MS;
        after_ms = end_ms > now_ms ? end_ms - now_ms : 0;
    }
    if (MHD_get_timeout(web->daemon, &wish_ms) == MHD_YES && wish_ms < after_ms) {
        after_ms = wish_ms;
    }
    after_ms = web->again ? 0 : after_ms;
    if (after_ms == UINT64_MAX) {
        uv_timer_stop(web->timer);
    } else {
        uv_timer_start(web->timer, web_timer, after_ms, 0);
    }
}

/* At its limit libmicrohttpd does not watch its listener, and looks whether there is room only at a run's begin. */
static void web_run(struct web *web)
{
    web_end_slow(web);
    web->again = false;
    (void)MHD_run(web->daemon);
    web_schedule(web);
}

static bool files_are_used_up(const struct web *web)
{
    int fd = fcntl(MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0;
}

/* Who cannot be accepted stays readable: without a pause the loop would turn for nothing else. */
static void web_readable(uv_poll_t *poll, int status, int events)
{
    struct web *web = poll->data;
    struct web_metrics before = web->metrics;
    (void)status;
    (void)events;
    web_run(web);
    if (memcmp(&before, &web->metrics, sizeof(before)) == 0 && files_are_used_up(web)) {
        uv_poll_stop(poll);
        uv_timer_start(web->timer, web_timer, WEB_PAUSE_MS, 0);
    }
}

static void web_timer(uv_timer_t *timer)
{
    struct web *web = timer->data;
    uv_poll_start(web->poll, UV_READABLE, web_readable);
    web_run(web);
}

/* ---- life ---- */

/* Paths are compared as they are sent: none of ours has an escape, and %00 ends no name. */
static size_t web_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *web_start_daemon(struct web *web, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, web_take_request, web, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)WEB_MAX_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)WEB_MAX_PER_ADDRESS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
        web_note_connection, web, MHD_OPTION_UNESCAPE_CALLBACK, web_unescape, NULL, MHD_OPTION_END);
}

static void web_watch(struct web *web)
{
    int fd = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    web->poll = MEM_NEW(uv_poll_t);
    web->timer = MEM_NEW(uv_timer_t);
    uv_poll_init(web->loop, web->poll, fd);
    uv_timer_init(web->loop, web->timer);
    web->poll->data = web->timer->data = web;
    uv_poll_start(web->poll, UV_READABLE, web_readable);
}

static int web_new(uv_loop_t *loop, struct engine *engine, const char *address, struct web **ret_web, struct buf *why)
{
    int fd = -1;
    cleanup_buf struct buf name = BUF_INIT;
    int err = web_socket_open(address, &fd, why);
    if (err) {
        return err;
    }
    struct web *web = MEM_NEW(struct web);
    web->loop = loop;
    web->engine = engine;
    web->newest = &web->oldest;
    web->metrics.max_connections = WEB_MAX_CONNECTIONS;
    web_socket_name(fd, &name);
    web->daemon = web_start_daemon(web, fd);
    if (!web->daemon) {
        buf_printf(why, "control.http: libmicrohttpd %s does not start", MHD_get_version());
        close(fd);
        free(web);
        return -ENOTSUP;
    }
    web->address = mem_strdup(address);
    web_watch(web);
    log_notice("http", "listens at http://%s/", buf_text(&name));
    *ret_web = web;
    return 0;
}

static void web_handle_closed(uv_handle_t *handle)
{
    free(handle);
}

void web_close(struct web *web)
{
    if (!web) {
        return;
    }
    /* Before its descriptor is closed. */
    uv_close((uv_handle_t *)web->poll, web_handle_closed);
    uv_close((uv_handle_t *)web->timer, web_handle_closed);
    MHD_stop_daemon(web->daemon);
    for (size_t i = 0; i < WEB_PAGES; i++) {
        if (web->answers[i].response) {
            MHD_destroy_response(web->answers[i].response);
        }
    }
    free(web->address);
    free(web);
}

const char *web_address(const struct web *web)
{
    return web ? web->address : "";
}

/* Whether the one in use may be what stands in the way of the other. */
static bool ports_equal(const char *a, const char *b)
{
    const char *port = strrchr(a, ':');
    const char *other = strrchr(b, ':');
    return port && other && strcmp(port, other) == 0;
}

int web_listen(struct web **web, uv_loop_t *loop, struct engine *engine, const char *address, struct buf *why)
{
    struct web *fresh = NULL;
    if (strcmp(web_address(*web), address) == 0) {
        return 0;
    }
    int err = address[0] ? web_new(loop, engine, address, &fresh, why) : 0;
    if (err == -EADDRINUSE && ports_equal(web_address(*web), address)) {
        cleanup_free char *former = mem_strdup(web_address(*web));
        web_close(*web);
        *web = NULL;
        buf_clear(why);
        err = web_new(loop, engine, address, &fresh, why);
        if (err) {
            (void)web_new(loop, engine, former, web, why);
        }
    }
    if (!err) {
        web_close(*web);
        *web = fresh;
    }
    return err;
}
