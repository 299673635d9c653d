/* SPDX-License-Identifier: MIT */
/* The parts of the client: endpoints and credentials, the stream, the fetches. */
#ifndef MARATHON_CLIENT_PRIVATE_H
#define MARATHON_CLIENT_PRIVATE_H

#include "http.h"
#include "slotd/buf.h"
#include "slotd/client.h"
#include "slotd/marathon.h"

#define CLIENT_SILENCE_MS 25000  /* Marathon's keep-alive comes every 10 s */
#define CLIENT_LIVE_WAIT_MS 2000 /* without any event by then the stream counts as live */
#define CLIENT_STEADY_MS 10000   /* a stream that was live that long ends a row of failures */
#define CLIENT_BACKOFF_MIN_MS 100
#define CLIENT_BACKOFF_MAX_MS 30000
#define CLIENT_MAX_APP_FETCHES 8
#define CLIENT_MAX_SECRET 4096

/* Secrets as read from their files; never logged, never shown. */
struct credentials {
    char *user_password; /* user:password, or NULL */
    char *token_header;  /* the whole Authorization header, or NULL */
};

struct client_fetch {
    struct client *client;
    enum client_fetch_kind kind;
    char *path; /* path and query */
    const struct client_fetch_events *events;
    void *arg;
    struct http_transfer *transfer; /* NULL: queued */
    size_t tries;
    size_t endpoint; /* index of the one asked now */
    char *redirect;  /* the leader's URL that this try goes to, or NULL */
    bool renewed;    /* secrets were read again for this fetch */
    bool handed_on;  /* data has reached the owner: it cannot be asked elsewhere any more */
    long status;
    struct client_fetch *next;
};

enum stream_phase { STREAM_OFF, STREAM_WAITING, STREAM_CONNECTING, STREAM_OPEN, STREAM_LIVE };

struct client {
    uv_loop_t *loop;
    const struct config_marathon *config;
    const struct client_events *events;
    void *arg;
    struct http *http;
    struct credentials credentials;
    char *told_secrets; /* what the log has of their files, or NULL */
    bool closing;

    enum stream_phase phase;
    size_t endpoint; /* index of the one in use */
    struct http_transfer *stream;
    struct sse_parser *parser;
    char *redirect;    /* the leader's URL that the stream goes to, or NULL */
    uv_timer_t *timer; /* the next connect, or the end of a wait */
    uv_timer_t *watch; /* notices silence */
    unsigned failures; /* in a row */
    uint64_t live_since_ms;
    bool presumed; /* live only because no event came: the first one shows that the subscription is */
    uint64_t last_byte_ms;
    uint64_t random; /* state of the jitter */

    struct client_fetch *fetches; /* all */
    unsigned app_fetches;         /* single apps in flight */
    size_t detour;                /* how many endpoints behind the stream's the next fetch begins */

    char leader[256];
    char *error;
    char **told; /* for each endpoint what the log has of it since the stream was live last, or NULL */
    uint64_t reconnects, n_fetches, fetch_failures;
};

/* Reads the secrets of the configuration again, and looks at who may read their files. Returns whether they differ from
 * before; why gets what is wrong, "" when nothing is. */
bool credentials_read(struct credentials *credentials, const struct config_marathon *config, struct buf *why);
/* Whether one that the configuration asks for could not be read. */
bool credentials_lack(const struct credentials *credentials, const struct config_marathon *config);
/* Wipes them. */
void credentials_free(struct credentials *credentials);
/* Reads them again, as after a 401: whether another try with them is worth it. */
bool client_renew_secrets(struct client *client);

/* A transfer of method GET for path at the endpoint, or at redirect when it is not NULL. Headers are taken over. */
CURL *client_new_easy(struct client *client, size_t endpoint, const char *path, const char *redirect,
                      struct curl_slist **headers);
/* Where a redirect answer may lead: the leader's URL for the same path and scheme, or NULL with why. The caller frees
 * it. */
char *client_check_redirect(struct client *client, CURL *easy, struct buf *why);
/* Whether status is one of the redirects that keep the method. */
bool client_is_redirect(long status);
void client_note_leader(struct client *client, const struct http_transfer *transfer);
void client_set_error(struct client *client, const char *error);
/* Whether that reason is news about the endpoint in use; it is none from now on. */
bool client_note_told(struct client *client, const char *reason);
/* The stream is live: every failure is news again. */
void client_forget_told(struct client *client);
/* Appends what an unusable status means to an operator. */
void client_describe_status(long status, const char *url, struct buf *why);
/* A number in 0..below-1 for jitter. */
uint64_t client_random(struct client *client, uint64_t below);

void stream_start(struct client *client);
void stream_stop(struct client *client);
void fetches_cancel_all(struct client *client);

#endif
