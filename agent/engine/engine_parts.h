/* SPDX-License-Identifier: MIT */
/* The engine's smaller parts: journal, resolver, readiness, watches, verification. */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include <uv.h>

#include "slotd/mapping.h"
#include "slotd/slots.h"

struct engine;
struct json_object;

#define ENGINE_MAX_CHANGES 4096 /* recorded changes kept for `slotctl events` */
#define ENGINE_MAX_LOOKUPS 2    /* libuv's threads are few, and file work needs them too */
#define ENGINE_MAX_HOSTS 100000 /* host names remembered by the resolver */
#define ENGINE_MAX_ABSENT 1024  /* apps whose 404 is remembered */

/* ---- journal: what changed, when it was received, when HAProxy acknowledged ---- */

struct change {
    uint64_t sequence;
    int64_t time_ms;      /* since 1970, when the cause was received */
    uint64_t received_ns; /* loop's high resolution time of the same moment */
    uint64_t acknowledged_ns;
    const char *action; /* "ready", "up", "drain", "remove", "weight" or "failed"; static */
    char *haproxy, *backend, *server, *endpoint;
    char address[SLOTS_MAX_ADDRESS];
    uint16_t port, weight;
};
struct journal {
    struct change *changes[ENGINE_MAX_CHANGES];
    uint64_t next; /* sequence of the next change */
};
/* Takes ownership of change and numbers it. */
void journal_add(struct journal *journal, struct change *change);
void journal_free(struct journal *journal);
void change_free(struct change *change);
struct json_object *journal_show(const struct journal *journal, uint64_t from, uint64_t *ret_next);

/* ---- resolver: host names to addresses, without blocking ---- */

struct resolver;
/* The address of host may have changed: what uses it for that service has to be planned again. */
typedef void resolver_changed(void *arg, const char *service);
/* Whether service still has an endpoint on host; asked when an address is refreshed. */
typedef bool resolver_in_use(void *arg, const char *host, const char *service);
struct resolver *resolver_new(uv_loop_t *loop, uint64_t seed, resolver_changed *changed, resolver_in_use *in_use,
                              void *arg);
/* The canonical literal for host (itself, when it is one), or NULL while it is not known: changed is called when it is.
 */
const char *resolver_get(struct resolver *resolver, const char *host, const char *service);
/* The same, without starting a look-up. */
const char *resolver_peek(const struct resolver *resolver, const char *host, char canonical[SLOTS_MAX_ADDRESS]);
void resolver_close(struct resolver *resolver);

/* ---- readiness: apps with tasks that are not ready yet (mapping.respect_readiness_checks) ---- */

struct readiness;
struct readiness *readiness_new(struct engine *engine);
void readiness_close(struct readiness *readiness);
/* The app was mapped: while tasks of it are not ready it is asked about, and mapped again when one becomes old enough.
 */
void readiness_note(struct readiness *readiness, const struct app_mapping *mapping);
void readiness_forget(struct readiness *readiness, const char *id);
/* The answer for that app alone has come, or failed. */
void readiness_answered(struct readiness *readiness, const char *id);
/* What is under way will not be answered. */
void readiness_cancel(struct readiness *readiness);

/* ---- watches: backends where sessions that end, or checks that pass, are waited for ---- */

struct watches;
struct watches *watches_new(struct engine *engine);
/* After the edges. */
void watches_close(struct watches *watches);
/* The backend has endpoints that an operator drains: it is refreshed at deadline_ms (since 1970; ORDERS_NEVER: there is
 * none), and its sessions are asked for as long as they matter. */
void watches_note_drain(struct watches *watches, const char *backend, int64_t deadline_ms);
/* A plan was made for the backend: awaits says that sessions or health are to be asked for, changes that the plan did
 * something, so that they are worth a look soon; it is planned again at again_ms (of the loop's clock; or SLOTS_NEVER).
 */
void watches_note_plan(struct watches *watches, const char *backend, bool awaits, bool changes, int64_t again_ms);
/* When the next order ends by itself: engine_expire_orders() is called then. */
void watches_set_expiry(struct watches *watches, int64_t expires_ms);
/* The clock was set by that many milliseconds. */
void watches_shift(struct watches *watches, int64_t by_ms);

/* ---- verification: one backend, and map, after another is compared with what was applied ---- */

struct edge;
struct verification *verification_new(struct edge *edge);
/* Begins with the first backend, after an adoption. */
void verification_start(struct verification *verification);
/* Nothing is asked until the next start. */
void verification_stop(struct verification *verification);
void verification_close(struct verification *verification);

#endif
