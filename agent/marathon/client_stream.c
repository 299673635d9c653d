/* SPDX-License-Identifier: MIT */
/* The event stream: connect, follow to the leader, live, lost, try the next endpoint. */
#include <string.h>
#include <strings.h>

#include "client_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

static const char stream_path[] = "/v2/events";

static void stream_connect(struct client *client);

static void stream_retry(uv_timer_t *timer)
{
    stream_connect(timer->data);
}

/* The pause before the next endpoint is tried: none within the first round, then doubling with jitter. */
static uint64_t stream_backoff_ms(struct client *client)
{
    size_t rounds = (client->failures - 1) / client->config->endpoints.count;
    uint64_t delay = CLIENT_BACKOFF_MIN_MS;
    for (size_t i = 0; i < rounds && delay < CLIENT_BACKOFF_MAX_MS; i++) {
        delay *= 2;
    }
    delay = delay < CLIENT_BACKOFF_MAX_MS ? delay : CLIENT_BACKOFF_MAX_MS;
    return delay / 2 + client_random(client, delay / 2 + 1);
}

static void stream_drop(struct client *client)
{
    if (client->stream) {
        http_transfer_cancel(client->stream);
        client->stream = NULL;
    }
    sse_parser_free(client->parser);
    client->parser = NULL;
    uv_timer_stop(client->timer);
    uv_timer_stop(client->watch);
}

static void stream_schedule(struct client *client, uint64_t after_ms)
{
    client->phase = STREAM_WAITING;
    uv_timer_start(client->timer, stream_retry, after_ms, 0);
}

/* Ends this try; the next one goes to the next endpoint. Each stream costs a complete answer: one that is cut again and
 * again must not be asked for at the pace of the first retry. */
static void stream_lose(struct client *client, const char *why)
{
    bool was_live = client->phase == STREAM_LIVE;
    bool was_steady = was_live && uv_now(client->loop) - client->live_since_ms >= CLIENT_STEADY_MS;
    cleanup_free char *reason = mem_strdup(why);
    stream_drop(client);
    client->failures = was_steady ? 1 : client->failures + 1;
    client->reconnects++;
    if (!was_live && client_note_told(client, reason)) {
        log_warning("marathon", "no event stream: %s", reason);
    }
    free(client->redirect);
    client->redirect = NULL;
    client->endpoint = (client->endpoint + 1) % client->config->endpoints.count;
    client_set_error(client, reason);
    stream_schedule(client, stream_backoff_ms(client));
    if (was_live) {
        client->events->on_lost(client->arg, reason);
    }
}

/* ---- live ---- */

static void stream_become_live(struct client *client)
{
    uv_timer_stop(client->timer);
    client->phase = STREAM_LIVE;
    client->live_since_ms = uv_now(client->loop);
    client_set_error(client, NULL);
    client_forget_told(client);
    client->events->on_live(client->arg, client->config->endpoints.items[client->endpoint]);
}

static void stream_waited(uv_timer_t *timer)
{
    struct client *client = timer->data;
    client->presumed = true;
    stream_become_live(client);
}

static void stream_event(void *arg, const char *name, const char *data, size_t len)
{
    struct client *client = arg;
    if (!client->stream) {
        return; /* dropped by the owner while earlier events of these bytes were told */
    }
    client->events->on_event(client->arg, name, data, len);
    if (client->stream && (client->phase == STREAM_OPEN || client->presumed)) {
        client->presumed = false;
        stream_become_live(client);
    }
}

static void stream_watch(uv_timer_t *timer)
{
    struct client *client = timer->data;
    uint64_t silent = uv_now(client->loop) - client->last_byte_ms;
    if (client->phase == STREAM_CONNECTING) {
        if (silent >= (uint64_t)client->config->response_timeout + (uint64_t)client->config->connect_timeout) {
            stream_lose(client, "no answer to the request for events in time");
        }
    } else if (silent >= CLIENT_SILENCE_MS) {
        stream_lose(client, "no byte for 25 s, although Marathon sends one every 10 s: the connection is dead");
    }
}

/* ---- what arrives ---- */

static bool stream_is_events(CURL *easy)
{
    static const char wanted[] = "text/event-stream";
    char *type = NULL;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    return type && strncasecmp(type, wanted, sizeof(wanted) - 1) == 0;
}

static void stream_redirected(struct client *client, CURL *easy)
{
    cleanup_buf struct buf why = BUF_INIT;
    if (client->redirect) {
        stream_lose(client, "redirected twice; one redirect, to the leader, is followed");
        return;
    }
    client->redirect = client_check_redirect(client, easy, &why);
    if (!client->redirect) {
        stream_lose(client, buf_text(&why));
        return;
    }
    stream_drop(client);
    stream_connect(client);
}

static void stream_header(void *arg, struct http_transfer *transfer, long status)
{
    struct client *client = arg;
    CURL *easy = http_transfer_easy(transfer);
    cleanup_buf struct buf why = BUF_INIT;
    char *url = NULL;
    client->last_byte_ms = uv_now(client->loop);
    client_note_leader(client, transfer);
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    if (client_is_redirect(status)) {
        stream_redirected(client, easy);
    } else if (status == 401 && client_renew_secrets(client)) {
        stream_drop(client);
        stream_connect(client);
    } else if (status != 200) {
        client_describe_status(status, url, &why);
        stream_lose(client, buf_text(&why));
    } else if (!stream_is_events(easy)) {
        buf_printf(&why, "%s answered with another type than text/event-stream; is this Marathon?", url);
        stream_lose(client, buf_text(&why));
    } else {
        client->phase = STREAM_OPEN;
        uv_timer_start(client->timer, stream_waited, CLIENT_LIVE_WAIT_MS, 0);
    }
}

static int stream_data(void *arg, struct http_transfer *transfer, const char *data, size_t len)
{
    struct client *client = arg;
    client->last_byte_ms = uv_now(client->loop);
    if (!client->parser || client->stream != transfer) {
        return 0;
    }
    /* The owner may drop the stream from inside an event, parser and all: keep ours until the bytes are through. */
    struct sse_parser *parser = client->parser;
    client->parser = NULL;
    int err = sse_parser_feed(parser, data, len);
    if (client->stream == transfer) {
        client->parser = parser;
    } else {
        sse_parser_free(parser);
    }
    if (err && client->stream == transfer) {
        stream_lose(client, "an event is larger than 8 MiB");
    }
    return 0;
}

static void stream_done(void *arg, struct http_transfer *transfer, int err, const char *why)
{
    struct client *client = arg;
    cleanup_buf struct buf reason = BUF_INIT;
    client->stream = NULL;
    (void)transfer;
    if (client->redirect && client->phase == STREAM_CONNECTING) {
        buf_printf(&reason, "the leader %s, named by %s, cannot be reached: ", client->redirect,
                   client->config->endpoints.items[client->endpoint]);
    } else if (err) {
        buf_printf(&reason, "%s: ", client->config->endpoints.items[client->endpoint]);
    }
    buf_puts(&reason, !err     ? "Marathon ended the stream (a new leader, a restart, or we were too slow)"
                      : why[0] ? why
                               : error_text(err));
    stream_lose(client, buf_text(&reason));
}

/* ---- connecting ---- */

static void stream_connect(struct client *client)
{
    static const struct http_events events = {
        .on_header = stream_header, .on_data = stream_data, .on_done = stream_done};
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
    CURL *easy = client_new_easy(client, client->endpoint, stream_path, client->redirect, &headers);
    /* A kept connection may have died unnoticed, and the old leader's must not be used again. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    client->phase = STREAM_CONNECTING;
    client->presumed = false;
    client->detour = 0;
    client->last_byte_ms = uv_now(client->loop);
    client->parser = sse_parser_new(MARATHON_MAX_EVENT_BYTES, stream_event, client);
    client->stream = http_transfer_start(client->http, easy, headers, &events, client);
    uv_timer_start(client->watch, stream_watch, 500, 500);
}

void stream_start(struct client *client)
{
    stream_schedule(client, 0);
}

void stream_stop(struct client *client)
{
    stream_drop(client);
    free(client->redirect);
    client->redirect = NULL;
    client->phase = STREAM_OFF;
}
