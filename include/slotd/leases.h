/* SPDX-License-Identifier: MIT */
/* Which service has which backend of a pool in one HAProxy. Pure: no I/O, no clock; what HAProxy and the files have
 * said, and the time, come in as arguments. A backend goes free -> leased -> released -> free, and from a free one on
 * nothing leads to it any more: neither in HAProxy nor, after a restart of it, by the files. */
#ifndef SLOTD_LEASES_H
#define SLOTD_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASES_NEVER INT64_MAX

/* A pool: the backends whose names begin with prefix (the longest that fits counts), for services of that class. */
struct lease_pool {
    const char *class;
    const char *prefix;
};
enum lease_state {
    LEASE_NONE, /* no pool has such a backend */
    LEASE_FREE,
    LEASE_LEASED,
    LEASE_LEAVING,  /* its service has another backend by now, and may still be served here */
    LEASE_RELEASED, /* of nobody, and something may still lead to it */
};

struct leases;
struct leases *leases_new(uint64_t seed);
void leases_free(struct leases *leases);

/* ---- what there is ---- */

/* A lease has ended because HAProxy has the backend no more. Called before anything else changes. */
typedef void leases_dropped(void *arg, const char *service, const char *backend);
/* The pools, and the names of HAProxy's backends; all of it is copied. What is there in both as before stays as it was;
 * a new one is free. One that HAProxy has and no pool any more stays with its service until that has another, or is
 * gone, and is forgotten once it would be free. */
void leases_set_backends(struct leases *leases, const struct lease_pool *pools, size_t n_pools,
                         const char *const *backends, size_t n_backends, leases_dropped *dropped, void *arg);
/* A backend is named as a service, and is that one's own: of no pool, unless another service has it, or had it just
 * now.
 */
void leases_forget(struct leases *leases, const char *backend);
/* The service had that backend before this program began. False: it is of no pool, or is another's, or the service has
 * one already. */
bool leases_recover(struct leases *leases, const char *service, const char *backend);
/* Something may lead to a free backend, or served there: it is released first. service: whose it was, or NULL. */
void leases_block(struct leases *leases, const char *backend, const char *service);

/* ---- leases ---- */

/* The class of the pool that serves a class: its own when HAProxy has a backend of such a pool; http for sticky and
 * leastconn; else NULL. */
const char *leases_find_class(const struct leases *leases, const char *class);
/* The service needs a backend of that class, and waits for one when what it has is of another: first come, first
 * served. Where it is leaving a backend of that class it goes back there at once, and leaves the other. */
void leases_want(struct leases *leases, const char *service, const char *class);
/* It waits no more; what it has stays. */
void leases_unwant(struct leases *leases, const char *service);
/* Whether a free backend may be given away now. */
typedef bool leases_usable(void *arg, const char *backend);
/* Leases to one that waits: what is released and not free yet to the service that had it; else, first come, first
 * served, the one of the class that is free for longest. What it costs grows with what is released, with what is free
 * and not usable, and with the classes; not with who waits. What it had until now is LEAVING. False: nobody can be
 * served. Borrowed names, valid until the next change. */
bool leases_give(struct leases *leases, leases_usable *usable, void *arg, const char **ret_service,
                 const char **ret_backend);
/* The service is to be served by a backend of its own name: its lease is LEAVING, unless it leaves one already. */
void leases_leave(struct leases *leases, const char *service);
/* A backend that is leased or leaving is nobody's any more. */
void leases_release(struct leases *leases, const char *backend);

/* ---- from released to free ---- */

/* Whether a released backend may still be led to by what HAProxy has. */
typedef bool leases_clear(void *arg, const char *backend);
/* Those that are released and clear wait for the files from now on; returns whether there are some. Not before the
 * former ones have ended. */
bool leases_begin_saving(struct leases *leases, leases_clear *clear, void *arg);
/* All files show it. */
void leases_end_saving(struct leases *leases, int64_t now_ms);
/* Frees those for which delay_ms has passed since then. Returns when the next one is due, or LEASES_NEVER. */
int64_t leases_expire(struct leases *leases, int64_t now_ms, int64_t delay_ms);

/* ---- reading ---- */

/* The service's backend, and the one that it leaves; NULL: none. */
const char *leases_get(const struct leases *leases, const char *service);
const char *leases_get_leaving(const struct leases *leases, const char *service);
/* The class of the pool that the backend is of; NULL: of none. */
const char *leases_get_class(const struct leases *leases, const char *backend);
/* Whose the backend is, leased or leaving; NULL: nobody's. */
const char *leases_find_service(const struct leases *leases, const char *backend);
enum lease_state leases_state(const struct leases *leases, const char *backend);
bool leases_waits(const struct leases *leases, const char *service);
/* Iterates over all backends of pools by name: start with *position = 0; NULL at the end. */
const char *leases_next(const struct leases *leases, size_t *position);
/* Iterates over those that are LEAVING: start with NULL; NULL at the end. after is LEAVING. The cost does not grow with
 * the pools. */
const char *leases_next_leaving(const struct leases *leases, const char *after);
/* How many backends pools have in all, and how many of them are LEAVING. */
size_t leases_count_backends(const struct leases *leases);
size_t leases_count_leaving(const struct leases *leases);
struct lease_counts {
    const char *class;
    const char *prefix;
    size_t total, leased, free, released; /* leased: LEAVING too */
    size_t waiting;                       /* services, told by the first pool of the class that would serve them */
};
size_t leases_count_pools(const struct leases *leases);
/* How many services wait for a class that no pool serves; *ret_class is the one that waits first asks for, or NULL. */
size_t leases_count_unserved(const struct leases *leases, const char **ret_class);
struct lease_counts leases_count(const struct leases *leases, size_t pool);
/* Fewer of its backends are free than a tenth of them, and than one; false for a pool without a backend. */
bool lease_counts_are_low(const struct lease_counts *counts);

#endif
