/* SPDX-License-Identifier: MIT */
/* Transfers of libcurl's multi interface on the loop. */
#include "http.h"

#include <string.h>
#include <strings.h>

#include "slotd/error.h"
#include "slotd/mem.h"

#define HTTP_MAX_LEADER 256
/* Of a body, not handed on yet: one read can unpack to a thousand times its size. */
#define HTTP_MAX_RECEIVED (1U << 20)

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t *timer;
    struct http_transfer *transfers; /* all */
    struct http_transfer *first_ready, **last_ready;
    bool pumping;
    bool closing;
};

struct http_transfer {
    struct http *http;
    CURL *easy; /* NULL once removed from the multi handle */
    struct curl_slist *headers;
    const struct http_events *events;
    void *arg;
    struct buf received;
    char leader[HTTP_MAX_LEADER];
    char message[CURL_ERROR_SIZE];
    bool header_complete, header_told;
    bool finished, busy, cancelled, ready, paused;
    int err;
    struct http_transfer *next, **link;
    struct http_transfer *next_ready;
};

/* A socket that libcurl watches. */
struct http_socket {
    struct http *http;
    uv_poll_t poll;
    curl_socket_t fd;
};

static void http_pump(struct http *http);

/* ---- ready transfers ---- */

static void transfer_mark_ready(struct http_transfer *transfer)
{
    struct http *http = transfer->http;
    if (transfer->ready) {
        return;
    }
    transfer->ready = true;
    transfer->next_ready = NULL;
    *http->last_ready = transfer;
    http->last_ready = &transfer->next_ready;
}

static struct http_transfer *http_take_ready(struct http *http)
{
    struct http_transfer *transfer = http->first_ready;
    if (transfer) {
        http->first_ready = transfer->next_ready;
        if (!http->first_ready) {
            http->last_ready = &http->first_ready;
        }
        transfer->ready = false;
    }
    return transfer;
}

static void http_unready(struct http *http, struct http_transfer *transfer)
{
    struct http_transfer **link = &http->first_ready;
    while (*link && *link != transfer) {
        link = &(*link)->next_ready;
    }
    if (*link) {
        *link = transfer->next_ready;
        if (!*link) {
            http->last_ready = link;
        }
    }
    transfer->ready = false;
}

static void transfer_drop_easy(struct http_transfer *transfer)
{
    if (transfer->easy) {
        curl_multi_remove_handle(transfer->http->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
        transfer->easy = NULL;
    }
}

/* One of them may carry a token. */
static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *header = headers; header; header = header->next) {
        explicit_bzero(header->data, strlen(header->data));
    }
    curl_slist_free_all(headers);
}

static void transfer_free(struct http_transfer *transfer)
{
    if (transfer->ready) {
        http_unready(transfer->http, transfer);
    }
    transfer_drop_easy(transfer);
    *transfer->link = transfer->next;
    if (transfer->next) {
        transfer->next->link = transfer->link;
    }
    headers_free(transfer->headers);
    buf_free(&transfer->received);
    free(transfer);
}

/* ---- libcurl's callbacks: they only collect ---- */

static size_t transfer_collect(char *data, size_t size, size_t count, void *arg)
{
    struct http_transfer *transfer = arg;
    transfer_mark_ready(transfer);
    if (transfer->received.len > HTTP_MAX_RECEIVED) {
        transfer->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buf_append(&transfer->received, data, size * count);
    return size * count;
}

static void transfer_note_leader(struct http_transfer *transfer, const char *value, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len && kept + 1 < sizeof(transfer->leader); i++) {
        if (value[i] > ' ' && value[i] < 0x7f && value[i] != '"' && value[i] != '<' && value[i] != '>') {
            transfer->leader[kept++] = value[i];
        }
    }
    transfer->leader[kept] = '\0';
}

static size_t transfer_collect_header(char *data, size_t size, size_t count, void *arg)
{
    static const char leader[] = "X-Marathon-Leader:";
    struct http_transfer *transfer = arg;
    size_t len = size * count;
    if (len > sizeof(leader) - 1 && strncasecmp(data, leader, sizeof(leader) - 1) == 0) {
        transfer_note_leader(transfer, data + sizeof(leader) - 1, len - (sizeof(leader) - 1));
    }
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if ((len == 2 || len == 1) && data[len - 1] == '\n' && status >= 200) {
        transfer->header_complete = true;
        transfer_mark_ready(transfer);
    }
    return len;
}

/* ---- sockets and time ---- */

/* libcurl says how long it took, to the millisecond. Without that the same failure has the same text, and is said once.
 */
static void message_drop_duration(char *message)
{
    char *start = strstr(message, " after ");
    char *digits = start ? start + strlen(" after ") : message;
    char *unit = digits + strspn(digits, "0123456789");
    if (!start || unit == digits) {
        return;
    }
    const char *end = strncmp(unit, " milliseconds", 13) == 0 ? unit + 13
                      : strncmp(unit, " ms", 3) == 0          ? unit + 3
                                                              : NULL;
    if (end) {
        memmove(start, end, strlen(end) + 1);
    }
}

static void http_check_finished(struct http *http)
{
    CURLMsg *message;
    int left = 0;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        struct http_transfer *transfer = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        CURLcode code = message->data.result;
        transfer->finished = true;
        if (code == CURLE_OPERATION_TIMEDOUT) {
            transfer->err = SLOTD_E_TIMEOUT;
        } else if (code != CURLE_OK) {
            transfer->err = SLOTD_E_CLOSED;
        }
        if (code != CURLE_OK && !transfer->message[0]) {
            (void)strncpy(transfer->message, curl_easy_strerror(code), sizeof(transfer->message) - 1);
        }
        message_drop_duration(transfer->message);
        transfer_mark_ready(transfer);
    }
}

static void http_act(struct http *http, curl_socket_t fd, int what)
{
    int running = 0;
    curl_multi_socket_action(http->multi, fd, what, &running);
    http_check_finished(http);
    http_pump(http);
}

static void http_poll_fired(uv_poll_t *poll, int status, int events)
{
    struct http_socket *sock = poll->data;
    int what = 0;
    what |= status < 0 ? CURL_CSELECT_ERR : 0;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    http_act(sock->http, sock->fd, what);
}

static void http_socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static int http_watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct http *http = arg;
    struct http_socket *sock = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (sock) {
            curl_multi_assign(http->multi, fd, NULL);
            uv_poll_stop(&sock->poll);
            uv_close((uv_handle_t *)&sock->poll, http_socket_closed);
        }
        return 0;
    }
    if (!sock) {
        sock = MEM_NEW(struct http_socket);
        sock->http = http;
        sock->fd = fd;
        sock->poll.data = sock;
        if (uv_poll_init_socket(http->loop, &sock->poll, fd)) {
            free(sock);
            return -1;
        }
        curl_multi_assign(http->multi, fd, sock);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&sock->poll, events, http_poll_fired) ? -1 : 0;
}

static void http_timer_fired(uv_timer_t *timer)
{
    http_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int http_set_timer(CURLM *multi, long after_ms, void *arg)
{
    struct http *http = arg;
    (void)multi;
    if (after_ms < 0) {
        uv_timer_stop(http->timer);
    } else if (!http->closing) {
        uv_timer_start(http->timer, http_timer_fired, (uint64_t)after_ms, 0);
    }
    return 0;
}

/* ---- handing on ---- */

/* libcurl gives again what it was not let to, perhaps at once: then the transfer is ready again. */
static void transfer_go_on(struct http_transfer *transfer)
{
    if (transfer->paused && !transfer->finished && !transfer->cancelled) {
        transfer->paused = false;
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    }
}

static void transfer_hand_on(struct http_transfer *transfer)
{
    if (transfer->header_complete && !transfer->header_told && !transfer->cancelled) {
        long status = 0;
        transfer->header_told = true;
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        if (transfer->events->on_header) {
            transfer->events->on_header(transfer->arg, transfer, status);
        }
    }
    if (transfer->received.len > 0 && !transfer->cancelled) {
        int err = transfer->events->on_data(transfer->arg, transfer, transfer->received.data, transfer->received.len);
        buf_clear(&transfer->received);
        if (err && !transfer->cancelled) {
            transfer->finished = true;
            transfer->err = err;
            transfer->message[0] = '\0';
        }
    }
    if (transfer->finished && !transfer->cancelled) {
        transfer->events->on_done(transfer->arg, transfer, transfer->err, transfer->err ? transfer->message : "");
    }
}

static void http_pump(struct http *http)
{
    struct http_transfer *transfer;
    if (http->pumping) {
        return;
    }
    http->pumping = true;
    while ((transfer = http_take_ready(http))) {
        transfer->busy = true;
        transfer_hand_on(transfer);
        transfer->busy = false;
        if (transfer->finished || transfer->cancelled) {
            transfer_free(transfer);
        } else {
            transfer_go_on(transfer);
        }
    }
    http->pumping = false;
}

/* ---- life ---- */

struct http *http_new(uv_loop_t *loop)
{
    struct http *http = MEM_NEW(struct http);
    http->loop = loop;
    http->last_ready = &http->first_ready;
    http->multi = curl_multi_init();
    http->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(loop, http->timer);
    http->timer->data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, http_watch_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, http_set_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    return http;
}

static void http_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
    free(handle);
}

void http_close(struct http *http)
{
    http->closing = true;
    struct http_transfer *next = NULL;
    for (struct http_transfer *transfer = http->transfers; transfer; transfer = next) {
        next = transfer->next;
        transfer_free(transfer);
    }
    curl_multi_cleanup(http->multi);
    uv_close((uv_handle_t *)http->timer, http_timer_closed);
}

struct http_transfer *http_transfer_start(struct http *http, CURL *easy, struct curl_slist *headers,
                                          const struct http_events *events, void *arg)
{
    struct http_transfer *transfer = MEM_NEW(struct http_transfer);
    transfer->http = http;
    transfer->easy = easy;
    transfer->headers = headers;
    transfer->events = events;
    transfer->arg = arg;
    transfer->next = http->transfers;
    transfer->link = &http->transfers;
    if (transfer->next) {
        transfer->next->link = &transfer->next;
    }
    http->transfers = transfer;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, transfer_collect_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->message);
    curl_multi_add_handle(http->multi, easy);
    return transfer;
}

void http_transfer_cancel(struct http_transfer *transfer)
{
    if (transfer->busy) {
        transfer->cancelled = true;
        transfer_drop_easy(transfer);
    } else {
        transfer_free(transfer);
    }
}

CURL *http_transfer_easy(struct http_transfer *transfer)
{
    return transfer->easy;
}

const char *http_transfer_leader(const struct http_transfer *transfer)
{
    return transfer->leader;
}
