/* SPDX-License-Identifier: MIT */
/* Services as their parts know them. */
#ifndef SERVICES_PRIVATE_H
#define SERVICES_PRIVATE_H

#include "mapping_private.h"
#include "slotd/table.h"

struct entry {
    struct service service; /* parts points to parts below */
    char *name, *wanted;
    char *backend; /* NULL until somebody asks: see services_name_backends() */
    bool clashes;  /* another that came with it wants the same one */
    const struct service_part **parts;
    size_t n_parts, capacity;
    struct access access; /* of all parts together */
    struct problem_list conflicts;
    bool unjudged, changed; /* unjudged: access and conflicts are of other parts */
    struct entry *next_changed;
};

struct services {
    struct table apps;      /* app id to struct app_mapping */
    struct table by_name;   /* to struct entry */
    struct table backends;  /* to struct entry */
    struct entry **unnamed; /* those without a backend's name, in the order they came */
    size_t n_unnamed, unnamed_capacity;
    struct entry *first_changed, **last_changed;
    struct entry *returned; /* a gone service that the caller still looks at */
};

/* Gives those that have none a backend's name: when somebody asks, so that all that came together are there. */
void services_name_backends(const struct services *services);

#endif
