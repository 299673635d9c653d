/* SPDX-License-Identifier: MIT */
/* Which services' rules look-ups in HAProxy's maps can decide, and which key leads to whom. Pure. */
#ifndef SLOTD_ROUTES_H
#define SLOTD_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    enum route_means means;
    const char *why; /* what keeps it out of the maps; NULL: nothing */
};

struct routes;
struct routes *routes_new(uint64_t seed);
void routes_free(struct routes *routes);
/* A host whose claims are others than before. */
typedef void routes_touched(void *arg, const char *host);
/* The service's rule, and its priority; rule NULL: it has none any more. Calls touched for each host that the change
 * concerns, once it is made; nothing differs: for none. The cost is that of the rule. */
void routes_set(struct routes *routes, const char *service, const char *frontend, const char *rule, int64_t priority,
                routes_touched *touched, void *arg);
/* NULL: the service has no rule. */
const struct route *routes_get(const struct routes *routes, const char *service);
/* Every one, sorted by service; the caller frees the array. */
const struct route **routes_list(const struct routes *routes, size_t *ret_count);
/* The hosts that a service's rule names, for ROUTE_BY_MAP; else none. */
const char *const *routes_hosts(const struct routes *routes, const char *service, size_t *ret_count);

/* Every host that a rule of ROUTE_BY_MAP names, in no order: start with *position = 0; NULL at the end. */
const char *routes_next_host(const struct routes *routes, size_t *position);

/* ---- claims: the keys of one host ---- */

/* A key that a rule wants to lead to its service: the host in lower case without a last dot, and the path as it is
 * sent; "host/" where the rule is about any path. */
struct route_claim {
    const char *key;
    bool exact; /* the whole path; else what begins so */
    const struct route *route;
    const struct route
        *loses_to; /* whose rule comes before it wherever this key is looked up; NULL: it is in the map */
};
/* What the caller knows. */
struct routes_judge {
    bool (*counts)(void *arg, const char *service); /* whether its claims count by now; NULL: all do */
    /* The service that has the key already, or NULL; it keeps the key against one of the same priority. */
    const char *(*holder)(void *arg, const char *key, bool exact);
    void *arg;
};
/* All claims on the host, sorted by key, prefixes first. Which of two is found first: of a higher priority, else of the
 * frontend that is first by name (mapping.md); a look-up finds an exact key before a prefix, and a longer prefix before
 * a shorter one, so that a claim that is within one of a higher priority is in no map. The caller frees with
 * routes_free_claims(). Cost: n log n of the claims on that host. */
struct route_claim *routes_find_claims(const struct routes *routes, const char *host, const struct routes_judge *judge,
                                       size_t *ret_count);
void routes_free_claims(struct route_claim *claims, size_t count);

#endif
