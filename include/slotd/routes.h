/* SPDX-License-Identifier: MIT */
/* Which services' rules look-ups in HAProxy's maps can decide, and which key leads to whom. Pure. */
#ifndef SLOTD_ROUTES_H
#define SLOTD_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/access.h"

#define ROUTES_MAX_KEYS 1024 /* hosts times paths of one rule */

enum route_means {
    ROUTE_BY_MAP,    /* plain hosts, and plain paths of one kind or none */
    ROUTE_BY_AGENT,  /* what look-ups cannot express */
    ROUTE_BY_NOBODY, /* no valid rule */
};

/* One service's rule. */
struct route {
    const char *service;
    const char *frontend;
    const char *rule;
    int64_t priority;
    unsigned points; /* entry points, bits of enum access_point */
    enum route_means means;
    const char *why; /* what keeps it out of the maps; NULL: nothing */
};

struct routes;
struct routes *routes_new(uint64_t seed);
void routes_free(struct routes *routes);
/* A key, host and path, whose claims are others than before: what leads there, and to keys that begin so, may differ.
 */
typedef void routes_touched(void *arg, const char *key);
/* The service's rule, its priority and its entry points; rule NULL: it has none any more. Calls touched for each key
 * that the change concerns, once it is made; nothing differs: for none. The cost is that of the rule. */
void routes_set(struct routes *routes, const char *service, const char *frontend, const char *rule, int64_t priority,
                unsigned points, routes_touched *touched, void *arg);
/* NULL: the service has no rule. */
const struct route *routes_get(const struct routes *routes, const char *service);
/* Every one, sorted by service; the caller frees the array. */
const struct route **routes_list(const struct routes *routes, size_t *ret_count);
/* Calls touched for each key of the service's rule, for ROUTE_BY_MAP. */
void routes_tell_keys(const struct routes *routes, const char *service, routes_touched *touched, void *arg);
/* The plain hosts that its rule names, whatever decides it. */
const char *const *routes_named_hosts(const struct routes *routes, const char *service, size_t *ret_count);

/* Every host that a rule of ROUTE_BY_MAP names, in no order: start with *position = 0; NULL at the end. */
const char *routes_next_host(const struct routes *routes, size_t *position);

/* ---- claims: the keys of one host ---- */

/* A key that a rule wants to lead to its service: the host in lower case without a last dot, and the path as it is
 * sent; "host/" where the rule is about any path. */
struct route_claim {
    const char *key;
    bool exact; /* the whole path; else what begins so */
    const struct route *route;
    /* Whose rule a look-up of this key finds first at each entry point, with what is around the key; NULL: nobody's. */
    const struct route *leads_to[ACCESS_POINTS];
    const struct route *loses_to; /* the first of them that comes before it at an entry point of its own, or NULL */
};
/* What the caller knows. */
struct routes_judge {
    bool (*counts)(void *arg, const char *service); /* whether its claims count by now; NULL: all do */
    /* The service that has the key at that entry point already, or NULL; it keeps the key against one of the same
     * priority. */
    const char *(*holder)(void *arg, const char *key, bool exact, enum access_point point);
    void *arg;
};
/* The claims on the host whose paths begin with `within` ("/": all of them), sorted by key, prefixes first. Which of
 * two is found first: of a higher priority, else of the frontend that is first by name (mapping.md); a look-up finds an
 * exact key before a prefix, and a longer prefix before a shorter one, so that a claim that is within one of a higher
 * priority at all of its entry points is in no map. The caller frees with routes_free_claims(). Cost: that of those
 * claims and of the prefixes around them, whatever else is on the host. */
struct route_claim *routes_find_claims(const struct routes *routes, const char *host, const char *within,
                                       const struct routes_judge *judge, size_t *ret_count);
/* Whether the claim's key leads to its own service at one entry point at least. */
bool route_claim_holds(const struct route_claim *claim);
void routes_free_claims(struct route_claim *claims, size_t count);

#endif
