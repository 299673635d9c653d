/* SPDX-License-Identifier: MIT */
/* Answers into the store: what is listed, what is absent, and when absence is believed. */
#include <string.h>

#include "cluster_private.h"
#include "slotd/mem.h"

uint64_t cluster_begin_fetch(struct cluster *cluster)
{
    cluster->older_fetch = cluster->open_fetch;
    cluster->open_fetch = ++cluster->receipts;
    return cluster->receipts;
}

uint64_t cluster_begin_single(struct cluster *cluster)
{
    return ++cluster->receipts;
}

/* ---- what is listed ---- */

/* A newer answer has told of the app, or of all apps: an older one could revive what has ended since. */
static bool answer_is_stale(const struct cluster *cluster, const struct known_app *app, uint64_t stamp)
{
    return stamp < cluster->complete || (app && stamp < app->listed);
}

/* All that counts of an answer that is overtaken: what it lists is not missing in it. */
static void task_note_overtaken(struct known_task *known, uint64_t stamp)
{
    if (known && known->listed < stamp) {
        known->listed = stamp;
    }
}

static void listing_note_overtaken(struct cluster *cluster, const struct marathon_app *listed, uint64_t stamp)
{
    for (size_t i = 0; i < listed->n_tasks; i++) {
        task_note_overtaken(table_get(&cluster->tasks, listed->tasks[i]->id), stamp);
    }
}

/* The same of an app that is malformed in it: nothing is known of its tasks. */
static void app_note_overtaken(struct known_app *app, uint64_t stamp)
{
    for (size_t i = 0; app && i < app->n_tasks; i++) {
        task_note_overtaken(app->tasks[i], stamp);
    }
}

static void count_listed(struct cluster *cluster, uint64_t stamp)
{
    cluster->listing_count = cluster->listing == stamp ? cluster->listing_count + 1 : 1;
    cluster->listing = stamp;
}

/* Details that events lack come from the listing even when the event's state is the newer. */
static void task_take_details(struct cluster *cluster, struct known_task *known, const struct marathon_task *listed)
{
    if (known->task->started_ms != listed->started_ms) {
        known->task->started_ms = listed->started_ms;
        cluster_mark_dirty(cluster, known->app);
    }
}

static void task_replace(struct cluster *cluster, struct known_task *known, struct marathon_task *listed)
{
    struct marathon_task *old = known->task;
    enum marathon_task_state state = listed->state;
    if (!task_place_equal(old, listed) || old->started_ms != listed->started_ms) {
        cluster_mark_dirty(cluster, known->app);
    }
    listed->state = old->state;
    listed->unhealthy = old->unhealthy;
    /* The key of the table is the task's own id: put it again before the old one goes. */
    known->task = listed;
    table_put(&cluster->tasks, listed->id, known);
    marathon_task_free(old);
    cluster_set_state(cluster, known, state);
}

static void task_add_listed(struct cluster *cluster, struct known_app *app, uint64_t stamp,
                            struct marathon_task *listed)
{
    const struct known_instance *instance = cluster_find_instance(cluster, listed->id);
    bool has_newer_state = instance && instance->event > stamp;
    if (has_newer_state) {
        listed->state = instance->state;
    }
    struct known_task *known = cluster_add_task(cluster, app, listed);
    if (known) {
        known->since = known->listed = stamp;
        known->event = has_newer_state ? instance->event : 0;
        known->by_instance = has_newer_state;
        cluster_start_health(cluster, known, stamp, instance);
    }
}

static bool state_is_before_running(enum marathon_task_state state)
{
    return state == MARATHON_TASK_STAGING || state == MARATHON_TASK_STARTING;
}

/* No task is started twice: a leader that lists it so knows no more than a former one did once. */
static bool listing_is_of_the_past(const struct known_task *known, const struct marathon_task *listed)
{
    enum marathon_task_state state = known->task->state;
    bool has_run =
        state == MARATHON_TASK_RUNNING || state == MARATHON_TASK_KILLING || state == MARATHON_TASK_UNREACHABLE;
    return has_run && state_is_before_running(listed->state);
}

static void task_listed(struct cluster *cluster, struct known_app *app, uint64_t stamp, struct marathon_task *listed)
{
    struct known_task *known = table_get(&cluster->tasks, listed->id);
    if (!known) {
        if (cluster_keeps_end(cluster, listed->id, stamp) || listed->state == MARATHON_TASK_TERMINAL) {
            marathon_task_free(listed);
            return;
        }
        task_add_listed(cluster, app, stamp, listed);
        return;
    }
    task_note_listing(cluster, known, stamp);
    cluster_task_found(cluster, known);
    bool may_live = known->by_instance && known->ended < stamp && listed->state != MARATHON_TASK_TERMINAL;
    bool is_over = known->task->state == MARATHON_TASK_TERMINAL && !may_live;
    if (is_over || known->app != app || listing_is_of_the_past(known, listed)) {
        marathon_task_free(listed);
        return;
    }
    cluster_take_health(cluster, known, stamp, listed);
    if (known->event > stamp) {
        task_take_details(cluster, known, listed);
        marathon_task_free(listed);
        return;
    }
    /* Terminal tasks are listed without ports and version: only their state counts. */
    if (listed->state == MARATHON_TASK_TERMINAL) {
        cluster_set_state(cluster, known, MARATHON_TASK_TERMINAL);
        known->ended = stamp;
        marathon_task_free(listed);
        return;
    }
    bool starts = state_is_before_running(known->task->state) && listed->state == MARATHON_TASK_RUNNING;
    task_replace(cluster, known, listed);
    if (starts) {
        task_note_listed_start(cluster, known, stamp);
    }
}

static void app_take_definition(struct cluster *cluster, struct known_app *app, uint64_t stamp,
                                struct marathon_app *listed)
{
    bool is_posted = app->provisional && strcmp(app->provisional->version, listed->version) == 0;
    /* What was posted is in force: the definition is as new as the post, whenever the answer was asked for. */
    uint64_t receipt = is_posted && app->posted > stamp ? app->posted : stamp;
    if (is_posted || (app->provisional && app->posted < stamp)) {
        marathon_app_free(app->provisional);
        app->provisional = NULL;
    }
    if (app->has_definition && app->defined > receipt) {
        /* The definition is older than the posted one; what it says of deployments is the newest that is known. */
        cluster_inherit_readiness(app->definition, listed);
        if (app->definition->n_readiness_checks > 0) {
            cluster_mark_dirty(cluster, app);
        }
        marathon_app_free(listed);
        return;
    }
    cluster_set_definition(cluster, app, listed, receipt);
}

/* NULL when the answer says nothing of the app: it is stale, or the app is beyond the bound. */
static struct known_app *app_note_listed(struct cluster *cluster, uint64_t stamp, const char *id)
{
    struct known_app *app = cluster_find_app(cluster, id);
    if (answer_is_stale(cluster, app, stamp)) {
        return NULL;
    }
    app = cluster_ensure_app(cluster, id);
    if (app) {
        app->listed = stamp;
        app->missing = 0;
        if (app->terminated < stamp) {
            app->terminated = 0;
            app->absent = false;
        }
    }
    return app;
}

static void app_listed(struct cluster *cluster, uint64_t stamp, struct marathon_app *listed)
{
    struct known_app *app = app_note_listed(cluster, stamp, listed->id);
    if (!app) {
        listing_note_overtaken(cluster, listed, stamp);
        marathon_app_free(listed);
        return;
    }
    struct marathon_task **tasks = listed->tasks;
    size_t n_tasks = listed->n_tasks;
    listed->tasks = NULL;
    listed->n_tasks = 0;
    if (app->terminated) {
        /* The app's end is newer: it had the tasks then, but its definition counts no more. */
        marathon_app_free(listed);
    } else {
        app_take_definition(cluster, app, stamp, listed);
    }
    for (size_t i = 0; i < n_tasks; i++) {
        known_app_remember_version(app, tasks[i]->version);
        task_listed(cluster, app, stamp, tasks[i]);
    }
    free(tasks);
    cluster_end_waiting(cluster, app, stamp);
    app_drop_tombstones(cluster, app, stamp);
}

void cluster_put_listed_app(struct cluster *cluster, uint64_t stamp, struct marathon_app *app)
{
    count_listed(cluster, stamp);
    app_listed(cluster, stamp, app);
}

void cluster_put_single_app(struct cluster *cluster, uint64_t stamp, struct marathon_app *app)
{
    app_listed(cluster, stamp, app);
}

void cluster_put_malformed_single(struct cluster *cluster, uint64_t stamp, const char *id, const char *why)
{
    struct known_app *app = app_note_listed(cluster, stamp, id);
    if (!app) {
        app_note_overtaken(cluster_find_app(cluster, id), stamp);
        return;
    }
    for (size_t i = 0; i < app->n_tasks; i++) {
        /* Nothing is known of its tasks: they count as listed as they were. */
        app->tasks[i]->listed = stamp;
        cluster_task_found(cluster, app->tasks[i]);
    }
    if (app->has_definition) {
        /* The last good definition stays in use, also for tasks that wait for the broken one: they may soon be all. */
        cluster_end_waiting(cluster, app, stamp);
    }
    if (!app->problem || strcmp(app->problem, why) != 0) {
        free(app->problem);
        app->problem = mem_strdup(why);
        cluster_mark_dirty(cluster, app);
    }
}

void cluster_put_malformed_app(struct cluster *cluster, uint64_t stamp, const char *id, const char *why)
{
    count_listed(cluster, stamp);
    cluster_put_malformed_single(cluster, stamp, id, why);
}

static bool app_has_newer_event(const struct known_app *app, uint64_t stamp)
{
    for (size_t i = 0; i < app->n_tasks; i++) {
        if (app->tasks[i]->event > stamp) {
            return true;
        }
    }
    return false;
}

void cluster_put_single_missing(struct cluster *cluster, uint64_t stamp, const char *id)
{
    struct known_app *app = cluster_find_app(cluster, id);
    if (!app || answer_is_stale(cluster, app, stamp)) {
        return;
    }
    /* Known by events of its tasks alone: a pod, or the kill updates of an app that is deleted. */
    bool is_shell = !app->has_definition && !app->provisional && !app->problem && !app_has_newer_event(app, stamp);
    app->absent = app->absent || is_shell || (app->terminated && app->terminated < stamp);
    if (cluster_app_is_over(cluster, app) || (is_shell && !cluster->open_fetch)) {
        cluster_remove_app(cluster, app);
    }
}

static bool task_lacks_results(const struct cluster *cluster, const struct known_task *known)
{
    return cluster->config.wants_results && known->app->definition->n_readiness_checks > 0 && known->ran > 0 &&
           !known->ran_listed && known->task->state == MARATHON_TASK_RUNNING;
}

bool cluster_wants_app(const struct cluster *cluster, const char *id)
{
    const struct known_app *app = cluster_find_app(cluster, id);
    bool wanted = app && app->terminated && !app->absent;
    for (size_t i = 0; app && i < app->n_tasks && !wanted; i++) {
        wanted = app->tasks[i]->waits || app->tasks[i]->unsure || task_lacks_results(cluster, app->tasks[i]);
    }
    return wanted;
}

/* ---- what is absent ---- */

/* What a complete answer lacks. */
struct absence {
    uint64_t stamp;
    size_t missing; /* tasks that it lacks */
    size_t removed;
    size_t unconfirmed; /* neither removed nor held */
    size_t n_listed;
    bool guarded;
};

/* Neither that answer nor a newer one of its app alone lists it. While an app is polled for readiness, such ones
 * overtake each complete one: it could never say that a task is missing. */
bool task_is_lacked(const struct known_task *known, uint64_t stamp)
{
    return known->task->state != MARATHON_TASK_TERMINAL && known->listed < stamp && known->event < stamp &&
           known->since < stamp;
}

static void count_lack(unsigned *missing, uint64_t *lacked_until, uint64_t stamp, uint64_t now)
{
    /* A confirmation is an answer sent after the previous one was complete. */
    if (*missing == 0 || stamp > *lacked_until) {
        (*missing)++;
        *lacked_until = now;
    }
}

static void absence_count(struct cluster *cluster, struct absence *absence)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        struct known_app *app = entry->value;
        for (size_t i = 0; i < app->n_tasks; i++) {
            struct known_task *known = app->tasks[i];
            if (task_is_lacked(known, absence->stamp)) {
                known->lacked_since = known->missing > 0 ? known->lacked_since : absence->stamp;
                count_lack(&known->missing, &known->lacked_until, absence->stamp, cluster->receipts);
                absence->missing++;
            }
        }
    }
    absence->guarded = absence->missing > 0 && cluster_guard_judge(cluster, absence->stamp, absence->n_listed == 0);
}

static void app_remove_lacked(struct cluster *cluster, struct known_app *app, struct absence *absence)
{
    /* What the answer replaces is change, not shrinking: the guard lets it pass. */
    bool held = absence->guarded && app->has_definition && (app->guarded || absence->n_listed == 0);
    for (size_t i = app->n_tasks; i > 0; i--) {
        struct known_task *known = app->tasks[i - 1];
        if (!task_is_lacked(known, absence->stamp)) {
            continue;
        }
        cluster_set_held(cluster, known, held);
        if (!held && known->missing >= cluster->config.missing_confirmations) {
            cluster_remove_task(cluster, known);
            absence->removed++;
        } else if (!held) {
            absence->unconfirmed++;
        }
    }
}

/* An app that no answer lists any more goes with its last task; its rule stands until then. */
static void app_judge_absence(struct cluster *cluster, struct known_app *app, const struct absence *absence)
{
    if (app->listed < absence->stamp && app->since < absence->stamp && app->posted < absence->stamp &&
        !absence->guarded) {
        count_lack(&app->missing, &app->lacked_until, absence->stamp, cluster->receipts);
        bool explicit_end = app->terminated && app->terminated < absence->stamp;
        app->absent = app->absent || explicit_end || app->missing >= cluster->config.missing_confirmations ||
                      !app->has_definition;
    }
}

/* Apps cannot go while the table is being walked. */
static void cluster_remove_over(struct cluster *cluster)
{
    struct known_app **over = mem_alloc_array(cluster->apps.count, sizeof(struct known_app *));
    size_t n_over = 0;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        if (cluster_app_is_over(cluster, entry->value)) {
            over[n_over++] = entry->value;
        }
    }
    for (size_t i = 0; i < n_over; i++) {
        cluster_remove_app(cluster, over[i]);
    }
    free(over);
}

static void absence_apply(struct cluster *cluster, struct absence *absence)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        struct known_app *app = entry->value;
        app_remove_lacked(cluster, app, absence);
        if (app->listed < absence->stamp) {
            app_drop_tombstones(cluster, app, absence->stamp);
        }
        app_judge_absence(cluster, app, absence);
    }
    cluster_remove_over(cluster);
}

static bool apps_are_unconfirmed(const struct cluster *cluster, uint64_t stamp)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        const struct known_app *app = entry->value;
        if (app->listed < stamp && app->since < stamp && app->posted < stamp && !app->absent) {
            return true;
        }
    }
    return false;
}

struct cluster_fetch_result cluster_end_fetch(struct cluster *cluster, uint64_t stamp)
{
    struct absence absence = {.stamp = stamp, .n_listed = cluster->listing == stamp ? cluster->listing_count : 0};
    cluster->receipts++;
    cluster->complete_fetches++;
    cluster->open_fetch = stamp < cluster->open_fetch ? cluster->open_fetch : 0;
    cluster->older_fetch = 0;
    cluster->complete = stamp > cluster->complete ? stamp : cluster->complete;
    absence_count(cluster, &absence);
    absence_apply(cluster, &absence);
    cluster_forget_instances(cluster, stamp);
    cluster_drop_ends(cluster, stamp);
    enum cluster_verdict verdict = CLUSTER_GOOD;
    if (cluster->held > 0) {
        verdict = CLUSTER_HELD;
    } else if (absence.missing > absence.removed || apps_are_unconfirmed(cluster, stamp)) {
        verdict = CLUSTER_UNCONFIRMED;
    }
    return (struct cluster_fetch_result){.verdict = verdict,
                                         .n_apps = absence.n_listed,
                                         .n_missing = absence.missing,
                                         .n_unconfirmed = absence.unconfirmed,
                                         .n_removed = absence.removed};
}

void cluster_abandon_fetch(struct cluster *cluster, uint64_t stamp)
{
    if (stamp == cluster->open_fetch) {
        cluster->open_fetch = cluster->older_fetch;
    } else if (stamp != cluster->older_fetch) {
        return;
    }
    cluster->older_fetch = 0;
    cluster_remove_over(cluster);
}

size_t cluster_confirm(struct cluster *cluster)
{
    size_t removed = 0;
    struct known_task **gone = mem_alloc_array(cluster->tasks.count, sizeof(struct known_task *));
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->tasks, &position))) {
        struct known_task *known = entry->value;
        if (known->missing > 0 && known->task->state != MARATHON_TASK_TERMINAL) {
            gone[removed++] = known;
        }
    }
    for (size_t i = 0; i < removed; i++) {
        cluster_remove_task(cluster, gone[i]);
    }
    free(gone);
    return removed;
}
