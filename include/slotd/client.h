/* SPDX-License-Identifier: MIT */
/* The connection to Marathon: the event stream and answers, over several endpoints with failover. libcurl's multi
 * interface, driven by the loop. Knows HTTP, credentials and back-off; does not know what apps or events mean. */
#ifndef SLOTD_CLIENT_H
#define SLOTD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/config.h"

struct client;

enum client_fetch_kind { CLIENT_FETCH_ALL, CLIENT_FETCH_APP };

/* The client calls these from the loop, never from inside a client_*() call. */
struct client_events {
    /* The stream is live: right after the first event of any kind was given to on_event, or 2 s after the answer's
     * header without one, and then once more after the first event. The owner sends its complete fetch now. */
    void (*on_live)(void *arg, const char *endpoint);
    /* One event (slotd/marathon.h's sse_parser gives name and data). */
    void (*on_event)(void *arg, const char *name, const char *data, size_t len);
    /* The stream is gone; why is a sentence. The client reconnects by itself (another endpoint first, back-off with
     * jitter, at most 30 s). */
    void (*on_lost)(void *arg, const char *why);
};

/* An answer that arrives. data comes in pieces as it is received (decompressed), only for status 200. */
struct client_fetch_events {
    /* A negative return ends the transfer with that error. */
    int (*on_data)(void *arg, const char *data, size_t len);
    /* Exactly one call ends each fetch, cancelled ones excepted. err 0: status is 200 and the body complete by HTTP's
     * rules. SLOTD_E_HTTP: another status (404: status 404). Other errors: why says what. why is "" with err 0. */
    void (*on_done)(void *arg, int err, long status, const char *why);
};

/* config is borrowed and must outlive the client. Nothing is sent before client_start(). */
int client_new(uv_loop_t *loop, const struct config_marathon *config, const struct client_events *events, void *arg,
               struct client **ret_client);
void client_start(struct client *client);
/* Another configuration with the same settings (only resync_interval, which is none of the client's, may differ): it is
 * borrowed from now on, secrets are read again, the stream stays. */
void client_borrow_config(struct client *client, const struct config_marathon *config);
/* Sends GET /v2/apps?embed=apps.tasks&embed=apps.deployments&embed=apps.readiness (gzip accepted), or GET /v2/apps/ID
 * with the same embeds as app.*, to the endpoint that the stream uses, when that fails to the others. Returns an id for
 * client_cancel(). At most one CLIENT_FETCH_ALL is meant to be in flight; single apps: the client bounds them (8 at
 * once, others queue). */
struct client_fetch;
struct client_fetch *client_fetch_start(struct client *client, enum client_fetch_kind kind, const char *app_id,
                                        const struct client_fetch_events *events, void *arg);
void client_fetch_cancel(struct client_fetch *fetch);
/* The last answer had status 200 and was not usable: the next request is sent to the next endpoint first, until the
 * stream is opened anew. */
void client_fetch_elsewhere(struct client *client);

struct client_status {
    const char *endpoint; /* the one in use, or tried now */
    const char *leader;   /* X-Marathon-Leader of the last answer, "" when none came yet */
    bool live;
    const char *error;    /* why the last thing failed, "" when all is well */
    int64_t last_byte_ms; /* loop time of the last byte of the stream, 0 if none */
    uint64_t reconnects;
    uint64_t fetches;
    uint64_t fetch_failures;
};
struct client_status client_get_status(const struct client *client);
/* Stops everything; freed when the loop has closed its handles. */
void client_close(struct client *client);

#endif
