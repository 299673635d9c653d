/* SPDX-License-Identifier: MIT */
/* What can be measured of the engine, as numbers of one moment. Counters count since slotd's start, or since what they
 * count was configured. */
#ifndef SLOTD_ENGINE_METRICS_H
#define SLOTD_ENGINE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "slotd/cluster.h"
#include "slotd/dynamics.h"
#include "slotd/engine.h"
#include "slotd/histogram.h"
#include "slotd/leases.h"
#include "slotd/mapping.h"
#include "slotd/slots.h"

#define ENGINE_NEVER UINT64_MAX /* an age of what has not happened yet */
#define ENGINE_MAX_CODES 64     /* kinds of problems; what is beyond counts as the last one, "other" */
#define ENGINE_SLOT_STATES (SLOT_UNKNOWN + 1)
#define ENGINE_PHASES (ENDPOINT_GONE + 1)

/* A complete answer of Marathon, by what became of it. */
enum engine_answer {
    ENGINE_ANSWER_GOOD = CLUSTER_GOOD,
    ENGINE_ANSWER_UNCONFIRMED = CLUSTER_UNCONFIRMED,
    ENGINE_ANSWER_HELD = CLUSTER_HELD,
    ENGINE_ANSWER_BAD, /* it failed, or was not usable */
    ENGINE_ANSWERS,
};

struct engine_backend_metrics {
    const char *name;
    uint64_t slots[ENGINE_SLOT_STATES];
    uint64_t waiting; /* endpoints without a slot because all are taken */
};

/* One HAProxy. */
struct engine_edge_metrics {
    const char *name;
    const char *version;         /* "" until it was read */
    uint64_t connected, adopted; /* 0 or 1 */
    uint64_t connects, adoptions;
    uint64_t commands, refusals, lost; /* refused, or without a reply */
    uint64_t in_flight;
    uint64_t drifts;
    uint64_t servers, additions, deletions; /* slots that were added at run time */
    uint64_t n_backends;                    /* with slots */
    uint64_t slots[ENGINE_SLOT_STATES];
    uint64_t waiting, unresolved; /* endpoints without a slot, without an address */
    uint64_t services_without_backend;
    uint64_t access_leaving; /* entries of former whitelists and redirects that routes on their way may name */
    uint64_t tcp_routed, tcp_waiting, tcp_taken; /* ports and server names; those that have had no server, or no map */
    const struct histogram *latency;             /* from a cause to HAProxy's acknowledgement */
    struct engine_backend_metrics *backends;     /* sorted by name */
    struct lease_counts *pools;                  /* in the order of slots.pools */
    size_t n_pools;
    struct dynamics_counts dynamic; /* backends made at run time */
};

struct engine_problem_count {
    const char *code;
    uint64_t count;
};

/* Texts and histograms are the engine's: valid until its next turn. */
struct engine_metrics {
    uint64_t started_ns; /* when slotd did, since 1970 */
    uint64_t in_sync;    /* 0 or 1: what /readyz says */
    uint64_t live;       /* likewise, the event stream */
    uint64_t event_age_ns, answer_age_ns;
    uint64_t reconnects, fetches, fetch_failures;
    uint64_t events[MARATHON_EVENT_TYPES], bad_events;
    uint64_t answers[ENGINE_ANSWERS];
    const struct histogram *all_fetches, *app_fetches; /* those that were answered with 200 */
    uint64_t apps, tasks, running, tombstones, left_aside;
    uint64_t services;
    uint64_t endpoints[ENGINE_PHASES];
    struct engine_problem_count problems[ENGINE_MAX_CODES]; /* of the apps' mapping; those that there are */
    size_t n_codes;
    uint64_t drains, weights;                      /* orders of operators */
    uint64_t guard_held, guard_holds, guard_times; /* endpoints; 0 or 1; how often it began to hold */
    struct engine_edge_metrics *edges;
    size_t n_edges;
};

/* Looks at every slot and every endpoint: once for each time that somebody wants to know. */
void engine_measure(struct engine *engine, struct engine_metrics *ret_metrics);
/* Frees what it holds. */
void engine_metrics_clear(struct engine_metrics *metrics);

#endif
