/* SPDX-License-Identifier: MIT */
/* What the parts of the rules for maps know of one another. */
#ifndef ROUTES_PRIVATE_H
#define ROUTES_PRIVATE_H

#include "slotd/routes.h"
#include "slotd/table.h"

struct routes {
    struct table services; /* to their rules */
    struct table hosts;    /* to struct route_host */
};

/* A path that a rule names on a host. Both are the rule's. */
struct host_claim {
    const char *path;
    bool exact;
    const struct route *route;
};
struct route_host {
    char *name;
    struct host_claim *claims; /* sorted by path, prefixes first, then as they are looked at; those that came since the
                                  last look are behind the sorted ones */
    size_t count, n_sorted, capacity;
};

struct route_host *route_host_new(const char *name);
void route_host_free(struct route_host *host);
/* The claim is not there yet. */
void route_host_add(struct route_host *host, struct host_claim claim);
/* The claim is there. */
void route_host_remove(struct route_host *host, struct host_claim claim);

#endif
