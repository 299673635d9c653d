/* SPDX-License-Identifier: MIT */
/* What Marathon says, by receipts: decides which of an event and an answer is the newer, and what absence means.
 * Pure: no I/O, no clock. Rules: design.md "Which is newer" and rule 4 "Doubt keeps traffic". */
#ifndef SLOTD_CLUSTER_H
#define SLOTD_CLUSTER_H

#include "slotd/marathon.h"

/* The next service that the app's ready tasks serve in the HAProxy of that number; *position starts at 0. False when
 * there is none. The name is borrowed until the guard has judged. */
typedef bool cluster_next_service(void *arg, size_t haproxy, const char *app_id, size_t *position,
                                  const char **ret_name);

struct cluster_config {
    uint64_t seed;                  /* for hash tables */
    unsigned missing_confirmations; /* complete answers in a row that must lack a task before it goes; >= 1 */
    unsigned max_removal_percent;   /* 0..100; the guard of contract.md */
    /* What the guard counts, for each HAProxy by itself. NULL: there is one, and each app is a service of its own. */
    cluster_next_service *next_service;
    void *arg;
    size_t n_haproxies;
    bool wants_results; /* of readiness checks, which answers alone tell: an app that has them is fetched at each start
                         */
    bool wants_health;  /* marathon_task.unhealthy is kept; otherwise it is false, and no result changes anything */
};

struct cluster;
struct cluster *cluster_new(const struct cluster_config *config);
void cluster_free(struct cluster *cluster);
/* Takes new bounds into use (a reloaded configuration); what is known stays. */
void cluster_configure(struct cluster *cluster, const struct cluster_config *config);

/* ---- answers ---- */

/* Call when a request for all apps is sent; returns its stamp. Stamps and events share one count. An answer that is
 * older than one already applied to the same app says nothing, but that what it lists is not missing in it. */
uint64_t cluster_begin_fetch(struct cluster *cluster);
/* The same for a request for one app alone: at most one in flight for an app. */
uint64_t cluster_begin_single(struct cluster *cluster);
/* One app as listed by the answer to the request with that stamp. Takes ownership of app. Applied at once: what is
 * listed is an explicit statement, even when the rest of the answer never comes. */
void cluster_put_listed_app(struct cluster *cluster, uint64_t stamp, struct marathon_app *app);
/* An app that an answer, also one for it alone, lists in a form that does not parse: it counts as listed, keeps its
 * last good state, tasks of the broken version serve by its last good definition, and why is kept as its problem until
 * a good definition comes. id may be unknown to the cluster. */
void cluster_put_malformed_app(struct cluster *cluster, uint64_t stamp, const char *id, const char *why);
void cluster_put_malformed_single(struct cluster *cluster, uint64_t stamp, const char *id, const char *why);

enum cluster_verdict {
    CLUSTER_GOOD,        /* nothing is missing */
    CLUSTER_UNCONFIRMED, /* something is missing and needs another complete answer: fetch again within 2 s */
    CLUSTER_HELD,        /* the guard holds removals: too much is missing, or everything */
};
struct cluster_fetch_result {
    enum cluster_verdict verdict;
    size_t n_apps;        /* listed in this answer */
    size_t n_missing;     /* tasks that are known, not gone, and absent */
    size_t n_unconfirmed; /* of these, whom the guard does not hold and who wait for another answer */
    size_t n_removed;     /* tasks that went by this answer */
};
/* The answer to the request with that stamp is complete: judges absence. */
struct cluster_fetch_result cluster_end_fetch(struct cluster *cluster, uint64_t stamp);
/* The request with that stamp failed, or its answer was cut or broken: nothing more will be listed by it. What it has
 * listed stays. */
void cluster_abandon_fetch(struct cluster *cluster, uint64_t stamp);
/* The answer to a request for one app alone: listed, or 404. Absence of a task in it is no statement. A 404 removes the
 * app only after its app_terminated_event; otherwise it is a doubt that complete answers decide. */
void cluster_put_single_app(struct cluster *cluster, uint64_t stamp, struct marathon_app *app);
void cluster_put_single_missing(struct cluster *cluster, uint64_t stamp, const char *id);
/* Whether an answer for that app alone would still tell something that is waited for: a definition, results of
 * readiness or health checks, or its 404. */
bool cluster_wants_app(const struct cluster *cluster, const char *id);
/* Lets through what the guard holds (slotctl confirm): absences seen so far count as confirmed. Returns how many tasks
 * go. */
size_t cluster_confirm(struct cluster *cluster);
/* Whether the guard holds something now, and how many tasks. */
size_t cluster_held(const struct cluster *cluster);
/* The ids of the apps whose tasks these are, at most max of them, in no order; borrowed until the cluster changes.
 * Returns how many apps there are in all. */
size_t cluster_list_held(const struct cluster *cluster, const char **ids, size_t max);

/* ---- events ---- */

enum cluster_effect {
    CLUSTER_NO_EFFECT,
    CLUSTER_CHANGED,   /* at least one app is dirty now */
    CLUSTER_FETCH_APP, /* additionally or alone: fetch event->app_id alone, its definition is not known in that version
                        */
};
/* Takes the event's parts that it keeps (event->task, event->app become NULL then). */
enum cluster_effect cluster_apply_event(struct cluster *cluster, struct marathon_event *event);

/* ---- reading ---- */

/* An app as it is believed to be. app->tasks holds every known task in its effective state, terminal ones until an
 * answer sent after their end lacks them. Borrowed: valid until the next change of the cluster. */
struct cluster_view {
    const struct marathon_app *app; /* never NULL; definition NULL-safe: see has_definition */
    bool has_definition;            /* false: tasks are known by events alone, labels are not known yet */
    bool removed;                   /* the app is gone: drop all that came from it */
    bool ended;                     /* removed, and Marathon has said that it ended; else it was missing in answers */
    const char *problem;            /* why its last definition could not be read, or NULL */
};
/* The next app that changed since it was last returned here; false when there is none. A removed app is returned once,
 * as removed, with those of its tasks that are over; its view is valid until the next call of cluster_next_dirty(). */
bool cluster_next_dirty(struct cluster *cluster, struct cluster_view *ret_view);
/* A task that waits for a definition of its version is left out of rotation: true when task_id is such a one. */
bool cluster_task_waits(const struct cluster *cluster, const char *task_id);
/* What is known of a running task's start, for its readiness (mapping.md). */
enum cluster_standing {
    CLUSTER_TASK_LISTED,   /* by answers like any other, or not known at all */
    CLUSTER_TASK_UNLISTED, /* its start was seen, and no answer sent since has come: results are not known */
    CLUSTER_TASK_FRESH,    /* its start was seen, and the deployments that went on then still do */
};
enum cluster_standing cluster_task_standing(const struct cluster *cluster, const char *task_id);
/* The id of the app that a task which is not over belongs to, or NULL. */
const char *cluster_find_app_of_task(const struct cluster *cluster, const char *task_id);
/* The app is to be mapped again, because time has passed. Nothing happens when it is not known. */
void cluster_mark_app_dirty(struct cluster *cluster, const char *id);
bool cluster_get_app(const struct cluster *cluster, const char *id, struct cluster_view *ret_view);
/* Marks every app dirty (a reloaded configuration maps them anew). */
void cluster_mark_all_dirty(struct cluster *cluster);
/* Iterates over apps in no order: *position starts at 0. */
bool cluster_next_app(const struct cluster *cluster, size_t *position, struct cluster_view *ret_view);

struct cluster_counts {
    size_t apps;
    size_t tasks; /* not terminal */
    size_t running;
    size_t tombstones;
    uint64_t receipts; /* events and fetches counted so far */
    uint64_t complete_fetches;
    uint64_t refused; /* apps and tasks left aside because the store was full */
};
struct cluster_counts cluster_count(const struct cluster *cluster);

#endif
