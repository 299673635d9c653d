/* SPDX-License-Identifier: MIT */
/* Answers: all apps, or one. Each endpoint is tried once, from the one that the stream uses. */
#include <string.h>

#include "client_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define FETCH_STRETCH 10 /* a transfer may take that many response time-outs in all */

static void fetch_begin(struct client_fetch *fetch);

static void fetch_unlink(struct client_fetch *fetch)
{
    struct client_fetch **link = &fetch->client->fetches;
    while (*link != fetch) {
        link = &(*link)->next;
    }
    *link = fetch->next;
}

static void fetch_free(struct client_fetch *fetch)
{
    free(fetch->redirect);
    free(fetch->path);
    free(fetch);
}

static void fetch_leave_flight(struct client_fetch *fetch)
{
    fetch->transfer = NULL;
    fetch->client->app_fetches -= fetch->kind == CLIENT_FETCH_APP;
}

static void fetches_begin_queued(struct client *client)
{
    for (struct client_fetch *fetch = client->fetches; fetch && client->app_fetches < CLIENT_MAX_APP_FETCHES;
         fetch = fetch->next) {
        if (!fetch->transfer) {
            fetch_begin(fetch);
        }
    }
}

static void fetch_end(struct client_fetch *fetch, int err, long status, const char *why)
{
    struct client *client = fetch->client;
    const struct client_fetch_events *events = fetch->events;
    void *arg = fetch->arg;
    client->fetch_failures += err != 0 && status != 404;
    fetch_unlink(fetch);
    fetch_free(fetch);
    fetches_begin_queued(client);
    events->on_done(arg, err, status, why);
}

/* ---- what arrives ---- */

static void fetch_header(void *arg, struct http_transfer *transfer, long status)
{
    struct client_fetch *fetch = arg;
    fetch->status = status;
    client_note_leader(fetch->client, transfer);
}

static int fetch_data(void *arg, struct http_transfer *transfer, const char *data, size_t len)
{
    struct client_fetch *fetch = arg;
    (void)transfer;
    if (fetch->status != 200) {
        return 0; /* an error's page; its status says enough */
    }
    fetch->handed_on = true;
    return fetch->events->on_data(fetch->arg, data, len);
}

/* Whether another try is worth it, set up in fetch. */
static bool fetch_try_again(struct client_fetch *fetch, CURL *easy, int err, struct buf *why)
{
    struct client *client = fetch->client;
    if (fetch->handed_on || (!err && fetch->status == 404)) {
        return false;
    }
    if (!err && client_is_redirect(fetch->status) && !fetch->redirect) {
        buf_puts(why, ": ");
        fetch->redirect = client_check_redirect(client, easy, why);
        if (fetch->redirect) {
            return true;
        }
    }
    if (!err && fetch->status == 401 && !fetch->renewed) {
        fetch->renewed = true;
        if (client_renew_secrets(client)) {
            return true;
        }
    }
    free(fetch->redirect);
    fetch->redirect = NULL;
    fetch->endpoint = (fetch->endpoint + 1) % client->config->endpoints.count;
    return ++fetch->tries < client->config->endpoints.count;
}

static void fetch_done(void *arg, struct http_transfer *transfer, int err, const char *why)
{
    struct client_fetch *fetch = arg;
    CURL *easy = http_transfer_easy(transfer);
    cleanup_buf struct buf reason = BUF_INIT;
    char *url = NULL;
    fetch_leave_flight(fetch);
    if (!err && fetch->status == 200) {
        fetch_end(fetch, 0, 200, "");
        return;
    }
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    if (err) {
        buf_printf(&reason, "%s: %s", url, why[0] ? why : error_text(err));
    } else {
        client_describe_status(fetch->status, url, &reason);
    }
    if (fetch_try_again(fetch, easy, err, &reason)) {
        fetch_begin(fetch);
        return;
    }
    fetch_end(fetch, err ? err : SLOTD_E_HTTP, fetch->status, buf_text(&reason));
}

/* ---- starting ---- */

static void fetch_begin(struct client_fetch *fetch)
{
    static const struct http_events events = {.on_header = fetch_header, .on_data = fetch_data, .on_done = fetch_done};
    struct client *client = fetch->client;
    long timeout_ms = (long)client->config->response_timeout;
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    CURL *easy = client_new_easy(client, fetch->endpoint, fetch->path, fetch->redirect, &headers);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, timeout_ms / 1000 + 1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms * FETCH_STRETCH);
    fetch->status = 0;
    client->app_fetches += fetch->kind == CLIENT_FETCH_APP;
    client->n_fetches++;
    fetch->transfer = http_transfer_start(client->http, easy, headers, &events, fetch);
}

/* Ids come from events: everything but unreserved characters and '/' is escaped. */
static char *app_path(const char *id)
{
    static const char hex[] = "0123456789ABCDEF";
    struct buf path = BUF_INIT;
    buf_puts(&path, id[0] == '/' ? "/v2/apps" : "/v2/apps/");
    for (const char *c = id; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
            strchr("-._~/", byte)) {
            buf_putc(&path, *c);
        } else {
            buf_putc(&path, '%');
            buf_putc(&path, hex[byte >> 4]);
            buf_putc(&path, hex[byte & 15]);
        }
    }
    buf_puts(&path, "?embed=app.tasks&embed=app.deployments&embed=app.readiness");
    return buf_steal(&path);
}

struct client_fetch *client_fetch_start(struct client *client, enum client_fetch_kind kind, const char *app_id,
                                        const struct client_fetch_events *events, void *arg)
{
    struct client_fetch *fetch = MEM_NEW(struct client_fetch);
    fetch->client = client;
    fetch->kind = kind;
    fetch->path = kind == CLIENT_FETCH_ALL
                      ? mem_strdup("/v2/apps?embed=apps.tasks&embed=apps.deployments&embed=apps.readiness")
                      : app_path(app_id);
    fetch->events = events;
    fetch->arg = arg;
    fetch->endpoint = (client->endpoint + client->detour) % client->config->endpoints.count;
    struct client_fetch **last = &client->fetches;
    while (*last) {
        last = &(*last)->next;
    }
    *last = fetch;
    if (kind == CLIENT_FETCH_ALL || client->app_fetches < CLIENT_MAX_APP_FETCHES) {
        fetch_begin(fetch);
    }
    return fetch;
}

void client_fetch_elsewhere(struct client *client)
{
    client->detour++;
}

void client_fetch_cancel(struct client_fetch *fetch)
{
    struct client *client = fetch->client;
    if (fetch->transfer) {
        struct http_transfer *transfer = fetch->transfer;
        fetch_leave_flight(fetch);
        http_transfer_cancel(transfer);
    }
    fetch_unlink(fetch);
    fetch_free(fetch);
    if (!client->closing) {
        fetches_begin_queued(client);
    }
}

void fetches_cancel_all(struct client *client)
{
    struct client_fetch *next = NULL;
    for (struct client_fetch *fetch = client->fetches; fetch; fetch = next) {
        next = fetch->next;
        client_fetch_cancel(fetch);
    }
}
