/* SPDX-License-Identifier: MIT */
/* The store behind slotd/cluster.h: apps, their tasks, and what is known of each by which receipt. */
#ifndef MARATHON_CLUSTER_PRIVATE_H
#define MARATHON_CLUSTER_PRIVATE_H

#include "slotd/cluster.h"
#include "slotd/table.h"

#define CLUSTER_MAX_APPS 200000
#define CLUSTER_MAX_TASKS 1000000
#define CLUSTER_MAX_INSTANCES 100000
#define CLUSTER_MAX_VERSIONS 16 /* remembered for each app */

struct known_task {
    struct marathon_task *task; /* its id is the key in cluster.tasks */
    struct known_app *app;
    uint64_t since;        /* receipt by which it became known */
    uint64_t event;        /* receipt of its last event, 0: none */
    uint64_t ended;        /* receipt by which it became terminal */
    uint64_t listed;       /* newest stamp of the answers that listed it, also of one that was overtaken */
    uint64_t lacked_since; /* stamp of the first answer in a row that lacked it */
    uint64_t lacked_until; /* receipt count when the last answer that lacked it was complete */
    unsigned missing;      /* complete answers in a row without it */
    bool held;             /* by the guard */
    bool waits;            /* for a definition of its version */
    uint64_t ran;          /* receipt of the event that it runs now, when its start was seen; 0: it was not */
    bool ran_listed;       /* an answer sent after that has listed it */
    uint64_t deployments;  /* marathon_app.deployments_mark of that answer */
    uint64_t checked;      /* receipt of the last event that told of its health, 0: none */
    bool unsure;           /* a check of several has passed since it was unhealthy: an answer is waited for */
    bool by_instance;      /* its end was told of its instance: perhaps that of an attempt before it */
};

/* What an event said of an instance none of whose tasks is known. */
struct known_instance {
    char *id;
    enum marathon_task_state state;
    uint64_t event; /* receipt of that, 0: nothing was said */
    bool alive;
    uint64_t checked; /* the same */
};

struct known_app {
    char *id;
    struct marathon_app *definition; /* a shell with an id alone while has_definition is false */
    bool has_definition;
    uint64_t defined;                 /* receipt that the definition rests on */
    struct marathon_app *provisional; /* posted, and no task of it has run yet */
    uint64_t posted;
    char *versions[CLUSTER_MAX_VERSIONS];
    size_t next_version;
    struct known_task **tasks; /* sorted by task id */
    size_t n_tasks, tasks_capacity;
    struct marathon_task **view; /* the same as a view shows it */
    size_t view_capacity;
    uint64_t since, listed, lacked_until;
    unsigned missing;
    bool absent;         /* its absence is confirmed, or explicit */
    uint64_t terminated; /* receipt of app_terminated_event; 0: none that counts */
    char *problem;
    bool guarded; /* one of its services shrinks by the answer that is judged, and the guard holds that */
    bool dirty, removed;
    struct known_app *next_dirty;
};

struct cluster {
    struct cluster_config config;
    struct table apps;      /* id to struct known_app */
    struct table tasks;     /* id to struct known_task */
    struct table instances; /* id to struct known_instance */
    struct table ends;      /* id of a task whose app is gone, to struct known_end */
    uint64_t receipts;
    uint64_t open_fetch;  /* stamp of the complete fetch begun last; 0 once it has ended */
    uint64_t older_fetch; /* of one begun before it and neither ended nor abandoned */
    uint64_t complete;    /* the newest stamp of a complete answer: what is older says nothing any more */
    uint64_t listing;     /* stamp of the complete answer that listed an app last */
    size_t listing_count; /* how many it has listed */
    struct known_app *first_dirty, **last_dirty;
    struct known_app *returned; /* a removed app that a view still shows */
    size_t running, tombstones;
    size_t held;
    uint64_t refused; /* apps and tasks beyond the bounds */
    uint64_t complete_fetches;
};

struct known_app *cluster_find_app(const struct cluster *cluster, const char *id);
/* NULL when the bound on apps is reached. */
struct known_app *cluster_ensure_app(struct cluster *cluster, const char *id);
void cluster_mark_dirty(struct cluster *cluster, struct known_app *app);
/* Forgets the app when nothing of it is left that counts. */
void cluster_remove_app(struct cluster *cluster, struct known_app *app);
/* Takes ownership of task. NULL when the bound on tasks is reached. */
struct known_task *cluster_add_task(struct cluster *cluster, struct known_app *app, struct marathon_task *task);
void cluster_remove_task(struct cluster *cluster, struct known_task *known);
/* Puts the task into a state and keeps the counts. */
void cluster_set_state(struct cluster *cluster, struct known_task *known, enum marathon_task_state state);
/* It runs now and did not before, as an event says: a start, and not a task that is reachable again. The first answer
 * since then tells which deployments started it. */
void task_note_start(struct cluster *cluster, struct known_task *known);
/* The same as an answer says that was faster than the event. */
void task_note_listed_start(struct cluster *cluster, struct known_task *known, uint64_t stamp);
/* The answer to the request with that stamp lists the task. */
void task_note_listing(struct cluster *cluster, struct known_task *known, uint64_t stamp);
/* A tombstone has done its duty once an answer sent after the end lacks the task. */
void app_drop_tombstones(struct cluster *cluster, struct known_app *app, uint64_t stamp);
/* The app goes before that: the end of its task stays final. */
void cluster_keep_end(struct cluster *cluster, const struct known_task *known);
/* Whether the task, which is not known, is one of those; stamp: of the answer that lists it, 0: an event names it. */
bool cluster_keeps_end(struct cluster *cluster, const char *task_id, uint64_t stamp);
/* The answer with that stamp is complete: drops the ends that it knows of. UINT64_MAX: all. */
void cluster_drop_ends(struct cluster *cluster, uint64_t stamp);
void cluster_set_held(struct cluster *cluster, struct known_task *known, bool held);
/* An event or an answer names the task: it is missing no more. */
void cluster_task_found(struct cluster *cluster, struct known_task *known);
/* The place of the task among the app's, or where it would go. */
size_t known_app_find_place(const struct known_app *app, const char *id);
/* No event tells which deployments are in progress and what their checks say: one is (the posted definition's own), and
 * the rest is as the last answer has it. Takes former's results. */
void cluster_inherit_readiness(struct marathon_app *posted, struct marathon_app *former);
/* What is told of an instance counts for each of its tasks. app may be NULL. */
void cluster_apply_instance(struct cluster *cluster, struct known_app *app, const struct marathon_event *event);
/* An answer under way may still list tasks of the instance as they were. */
void cluster_remember_instance(struct cluster *cluster, const struct marathon_event *event);
/* What was told of the instance of a task that was not known then, or NULL. */
const struct known_instance *cluster_find_instance(const struct cluster *cluster, const char *task_id);
/* Forgets what an answer to the request with that stamp has taken into account, or everything with UINT64_MAX. */
void cluster_forget_instances(struct cluster *cluster, uint64_t stamp);
/* One of the app's health checks has passed or failed in an instance (event->type HEALTH). */
enum cluster_effect cluster_apply_health(struct cluster *cluster, const struct marathon_event *event);
/* The answer to the request with that stamp lists the task with its results. */
void cluster_take_health(struct cluster *cluster, struct known_task *known, uint64_t stamp,
                         const struct marathon_task *listed);
/* The same for a task that this answer has made known; instance: what was told of it before, or NULL. */
void cluster_start_health(struct cluster *cluster, struct known_task *known, uint64_t stamp,
                          const struct known_instance *instance);
/* Results are not wanted any more. */
void cluster_forget_health(struct cluster *cluster);
/* Its absence is settled, no task of it lives, and no answer is under way that could list it as it was. */
bool cluster_app_is_over(const struct cluster *cluster, const struct known_app *app);
void known_app_remember_version(struct known_app *app, const char *version);
bool known_app_knows_version(const struct known_app *app, const char *version);
/* Takes ownership of definition. */
void cluster_set_definition(struct cluster *cluster, struct known_app *app, struct marathon_app *definition,
                            uint64_t receipt);
/* The definition that tasks wait for has come: by its version, or by an answer newer than their last event. */
void cluster_end_waiting(struct cluster *cluster, struct known_app *app, uint64_t stamp);
/* Not terminal, and the complete answer with that stamp should have listed it; nor has a newer one of its app. */
bool task_is_lacked(const struct known_task *known, uint64_t stamp);
/* Whether the guard holds what the complete answer with that stamp lacks, and for which apps (known_app.guarded). */
bool cluster_guard_judge(struct cluster *cluster, uint64_t stamp, bool nothing_listed);
bool task_place_equal(const struct marathon_task *a, const struct marathon_task *b);

#endif
