/* SPDX-License-Identifier: MIT */
/* What stream and fetches share: endpoints, credentials, TLS, redirects. */
#include <errno.h>
#include <string.h>

#include "client_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

/* ---- credentials ---- */

/* Reads them again. What is wrong with their files is said when it is not what was said last. */
bool client_renew_secrets(struct client *client)
{
    cleanup_buf struct buf why = BUF_INIT;
    bool changed = credentials_read(&client->credentials, client->config, &why);
    if (why.len && (!client->told_secrets || strcmp(client->told_secrets, buf_text(&why)) != 0)) {
        bool lacks = credentials_lack(&client->credentials, client->config);
        log_write(lacks ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "marathon", "%s", buf_text(&why));
    }
    free(client->told_secrets);
    client->told_secrets = why.len ? buf_steal(&why) : NULL;
    return changed;
}

/* ---- one transfer's options ---- */

static void easy_set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

static void easy_set_tls(CURL *easy, const struct config_marathon *config)
{
    if (config->ca_file[0]) {
        /* That one authority, not the system's beside it: libcurl has a folder of those by default. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (config->cert_file[0]) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, config->cert_file);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, config->key_file);
    }
    if (config->insecure_skip_verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

CURL *client_new_easy(struct client *client, size_t endpoint, const char *path, const char *redirect,
                      struct curl_slist **headers)
{
    const struct config_marathon *config = client->config;
    cleanup_free char *url =
        redirect ? mem_strdup(redirect) : mem_printf("%s%s", config->endpoints.items[endpoint], path);
    long keepalive_s = (long)((config->keepalive + 999) / 1000);
    CURL *easy = curl_easy_init();
    if (!easy) {
        abort();
    }
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, keepalive_s);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, keepalive_s);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "slotd/" PACKAGE_VERSION);
    easy_set_protocols(easy);
    easy_set_tls(easy, config);
    if (client->credentials.user_password) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERPWD, client->credentials.user_password);
    }
    if (client->credentials.token_header) {
        *headers = curl_slist_append(*headers, client->credentials.token_header);
    }
    return easy;
}

/* ---- redirects ---- */

bool client_is_redirect(long status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

static bool url_has_user(CURLU *url)
{
    char *user = NULL;
    bool has = curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    return has;
}

static bool url_part_equal(CURLU *a, CURLU *b, CURLUPart part)
{
    char *left = NULL;
    char *right = NULL;
    curl_url_get(a, part, &left, 0);
    curl_url_get(b, part, &right, 0);
    bool equal = left && right && strcmp(left, right) == 0;
    curl_free(left);
    curl_free(right);
    return equal;
}

char *client_check_redirect(struct client *client, CURL *easy, struct buf *why)
{
    char *target = NULL;
    char *url = NULL;
    char *result = NULL;
    (void)client;
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &target);
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    CURLU *from = curl_url();
    CURLU *to = curl_url();
    if (!target || !url || curl_url_set(from, CURLUPART_URL, url, 0) || curl_url_set(to, CURLUPART_URL, target, 0)) {
        buf_puts(why, "redirect without a usable Location");
    } else if (!url_part_equal(from, to, CURLUPART_SCHEME)) {
        buf_puts(why,
                 "redirect to another scheme is not followed, credentials would leave the scheme that is configured");
    } else if (!url_part_equal(from, to, CURLUPART_PATH)) {
        buf_puts(why, "redirect to another path is not followed; is this Marathon?");
    } else if (url_has_user(to)) {
        buf_puts(why, "redirect with a user in its Location is not followed, it would take the place of the one that "
                      "is configured");
    } else {
        result = mem_strdup(target);
    }
    curl_url_cleanup(from);
    curl_url_cleanup(to);
    return result;
}

/* ---- small things ---- */

void client_note_leader(struct client *client, const struct http_transfer *transfer)
{
    const char *leader = http_transfer_leader(transfer);
    if (leader[0]) {
        (void)strncpy(client->leader, leader, sizeof(client->leader) - 1);
    }
}

void client_set_error(struct client *client, const char *error)
{
    char *copy = error && error[0] ? mem_strdup(error) : NULL;
    free(client->error);
    client->error = copy;
}

bool client_note_told(struct client *client, const char *reason)
{
    char **told = &client->told[client->endpoint];
    bool is_news = !*told || strcmp(*told, reason) != 0;
    if (is_news) {
        free(*told);
        *told = mem_strdup(reason);
    }
    return is_news;
}

void client_forget_told(struct client *client)
{
    for (size_t i = 0; i < client->config->endpoints.count; i++) {
        free(client->told[i]);
        client->told[i] = NULL;
    }
}

void client_describe_status(long status, const char *url, struct buf *why)
{
    buf_printf(why, "%s answered %ld", url, status);
    if (status == 401) {
        buf_puts(why, " (the user and password, or the token, are not accepted)");
    } else if (status == 403) {
        buf_puts(why, " (the user may not read apps or events)");
    } else if (status == 404) {
        buf_puts(why, " (is this Marathon?)");
    } else if (status == 503) {
        buf_puts(why, " (too many connections to Marathon at once, or it is starting)");
    } else if (status == 502 || status == 500) {
        buf_puts(why, " (no leader at the moment, or Marathon is in trouble)");
    }
}

uint64_t client_random(struct client *client, uint64_t below)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return below ? client->random % below : 0;
}

/* ---- life ---- */

int client_new(uv_loop_t *loop, const struct config_marathon *config, const struct client_events *events, void *arg,
               struct client **ret_client)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        return -EIO;
    }
    struct client *client = MEM_NEW(struct client);
    client->loop = loop;
    client->config = config;
    client->events = events;
    client->arg = arg;
    client->told = mem_alloc_array(config->endpoints.count, sizeof(*client->told));
    client->random = uv_hrtime() | 1;
    client->http = http_new(loop);
    client->timer = MEM_NEW(uv_timer_t);
    client->watch = MEM_NEW(uv_timer_t);
    uv_timer_init(loop, client->timer);
    uv_timer_init(loop, client->watch);
    client->timer->data = client->watch->data = client;
    (void)client_renew_secrets(client);
    *ret_client = client;
    return 0;
}

void client_borrow_config(struct client *client, const struct config_marathon *config)
{
    client->config = config;
    (void)client_renew_secrets(client);
}

void client_start(struct client *client)
{
    stream_start(client);
}

struct client_status client_get_status(const struct client *client)
{
    return (struct client_status){
        .endpoint = client->config->endpoints.items[client->endpoint],
        .leader = client->leader,
        .live = client->phase == STREAM_LIVE,
        .error = client->error ? client->error : "",
        .last_byte_ms = (int64_t)client->last_byte_ms,
        .reconnects = client->reconnects,
        .fetches = client->n_fetches,
        .fetch_failures = client->fetch_failures,
    };
}

static void client_handle_closed(uv_handle_t *handle)
{
    free(handle);
}

void client_close(struct client *client)
{
    client->closing = true;
    fetches_cancel_all(client);
    stream_stop(client);
    http_close(client->http);
    uv_close((uv_handle_t *)client->timer, client_handle_closed);
    uv_close((uv_handle_t *)client->watch, client_handle_closed);
    credentials_free(&client->credentials);
    free(client->told_secrets);
    free(client->error);
    client_forget_told(client);
    free(client->told);
    free(client);
    curl_global_cleanup();
}
