/* SPDX-License-Identifier: MIT */
/* What slotd has been told, written down by receipt for the rules. */
#include <string.h>

#include "slotd/mem.h"
#include "traffic.h"

static int64_t answered_us; /* when the last complete answer of this slotd was complete */
static int64_t complete_us; /* when the newest of the complete ones was asked for */

static bool definitions_equal(const struct definition *a, const struct definition *b)
{
    return a->version == b->version && a->enabled == b->enabled && a->shares == b->shares && a->weight == b->weight &&
           a->port_index == b->port_index && a->check_port == b->check_port && a->instances == b->instances &&
           a->health_checks == b->health_checks && a->segments == b->segments && a->readiness_s == b->readiness_s &&
           a->tagged == b->tagged && a->config == b->config && a->rule == b->rule && a->class == b->class;
}

/* Whom the answer has no result for has none. */
static void note_results(const struct snapshot *snapshot, size_t app)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct told *told = &marathon.tasks[i].told;
        told->result = marathon.tasks[i].app == app ? RESULT_NONE : told->result;
    }
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        struct task *task = &marathon.tasks[snapshot->tasks[i].task];
        if (task->app == app) {
            enum result result = (enum result)snapshot->tasks[i].result;
            task->told.result = result;
            task->was_ready = task->was_ready || result == RESULT_GOOD || snapshot->deployments[app] == 0;
        }
    }
    marathon.apps[app].told_deployment = snapshot->deployments[app];
}

/* The first answer after its start tells which deployment started it. */
static void note_readiness(const struct client_fetch *fetch, struct task *task)
{
    struct told *told = &task->told;
    if (told->ran_us > 0 && !told->ran_listed && fetch->sent_us >= told->ran_us) {
        told->ran_listed = true;
        told->fresh = marathon.apps[task->app].told_deployment;
    }
}

static void app_told(struct app *app, const struct definition *definition)
{
    if (app->is_told && definitions_equal(&app->history[0], definition)) {
        return;
    }
    app->history[1] = app->is_told ? app->history[0] : *definition;
    app->history[0] = *definition;
    app->is_told = true;
    app->moved_us = now_us();
    wires_note_told();
}

static void told_found(struct told *told)
{
    told->found_us = told->absent >= CONFIRMATIONS ? now_us() : told->found_us;
    told->absent = 0;
}

static void task_told(struct task *task, enum life state)
{
    struct told *told = &task->told;
    told->since_us = told->is_told && told->state == state ? told->since_us : now_us();
    told->is_told = true;
    told_found(told);
    if (state == LIFE_OVER && told->was_running && told->state != LIFE_OVER) {
        told->over_us = now_us();
        told->is_buried = false;
    }
    if (told->state != LIFE_OVER || told->over_us == 0) {
        told->state = state;
    }
    told->was_running = told->was_running || state == LIFE_RUNNING;
}

void told_event(const struct pending *event)
{
    struct app *app = &marathon.apps[event->app];
    if (event->has_definition) {
        app->posted = event->definition;
        app->is_posted = true;
        app->posted_us = now_us();
        app->ended_us = 0;
        return;
    }
    app->ended_us = event->task >= MAX_TASKS && event->state == LIFE_OVER ? now_us() : app->ended_us;
    bool is_status = strcmp(event->name, "status_update_event") == 0;
    bool counts = is_status || event->state == LIFE_OVER || event->state == LIFE_UNREACHABLE;
    if (event->task >= MAX_TASKS || !counts) {
        return; /* of an instance only these words are believed */
    }
    struct task *task = &marathon.tasks[event->task];
    if (task->told.was_running && (event->state == LIFE_STAGING || event->state == LIFE_STARTING)) {
        return; /* too late: it runs */
    }
    bool may_start = !task->told.is_told || task->told.state == LIFE_STAGING || task->told.state == LIFE_STARTING;
    if (event->state == LIFE_RUNNING && may_start) {
        task->told.ran_us = now_us();
    }
    task->told.event_us = now_us();
    task_told(task, event->state);
    if (event->state == LIFE_OVER) {
        bool was_so = task->told.by_instance || task->told.over_us == now_us();
        task->told.by_instance = !is_status && was_so;
    }
    if (event->state == LIFE_RUNNING && app->is_posted && app->posted.version == task->version) {
        app_told(app, &app->posted);
        app->defined_us = app->posted_us;
        app->is_posted = false;
    }
}

/* The app's tasks that the answer lacks, though it was asked for after their end. */
static void note_buried(const struct client_fetch *fetch, size_t number)
{
    bool *lists = mem_alloc_array(MAX_TASKS, sizeof(*lists));
    for (size_t i = 0; i < fetch->snapshot.n_tasks; i++) {
        lists[fetch->snapshot.tasks[i].task] = true;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct told *told = &marathon.tasks[i].told;
        bool is_its = number == MAX_APPS || marathon.tasks[i].app == number;
        told->is_buried = told->is_buried || (is_its && !lists[i] && told->over_us && told->over_us < fetch->sent_us);
    }
    free(lists);
}

static bool is_before_running(enum life state)
{
    return state == LIFE_STAGING || state == LIFE_STARTING;
}

/* An event that it starts is no newer than an answer that it runs, whenever that was asked for. */
static bool is_overtaken(const struct task *task, const struct client_fetch *fetch, enum life listed)
{
    bool has_begun = is_before_running(task->told.state) && !is_before_running(listed);
    return (task->told.event_us > fetch->sent_us && !has_begun) || task->told.sent_us > fetch->sent_us;
}

/* An answer that it runs, faster than the event, tells by which deployment, too, when one listed it before it did. */
static void note_start(struct task *task, enum life listed, bool was_listed)
{
    struct told *told = &task->told;
    if (was_listed && is_before_running(told->state) && listed == LIFE_RUNNING) {
        told->ran_us = now_us();
        told->ran_listed = true;
        told->fresh = marathon.apps[task->app].told_deployment;
    }
}

/* No task is started twice. */
static bool is_of_the_past(const struct task *task, enum life listed)
{
    enum life state = task->told.state;
    bool has_run = task->told.is_told && state != LIFE_STAGING && state != LIFE_STARTING && state != LIFE_OVER;
    return has_run && (listed == LIFE_STAGING || listed == LIFE_STARTING);
}

void told_listed(const struct client_fetch *fetch, size_t number)
{
    const struct snapshot *snapshot = &fetch->snapshot;
    struct app *app = &marathon.apps[number];
    if (fetch->sent_us < app->listed_us || fetch->sent_us < complete_us) {
        return; /* a newer one has told of it, or of all apps */
    }
    app->listed_us = fetch->sent_us;
    note_buried(fetch, number);
    bool is_posted = app->is_posted && app->posted.version == snapshot->definitions[number].version;
    int64_t said_us = is_posted && app->posted_us > fetch->sent_us ? app->posted_us : fetch->sent_us;
    if (app->posted_us < fetch->sent_us || is_posted) {
        app->is_posted = false;
    }
    if (app->defined_us <= said_us && app->ended_us <= fetch->sent_us) {
        app_told(app, &snapshot->definitions[number]);
        app->defined_us = said_us;
    }
    note_results(snapshot, number);
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        const struct listed *listed = &snapshot->tasks[i];
        struct task *task = &marathon.tasks[listed->task];
        if (task->app != number) {
            continue;
        }
        bool was_listed = task->told.named > 0 && task->told.absent < CONFIRMATIONS;
        told_found(&task->told);
        task->told.named = fetch->number;
        note_readiness(fetch, task);
        if (is_overtaken(task, fetch, (enum life)listed->state)) {
            continue;
        }
        task->told.sent_us = fetch->sent_us;
        if (is_of_the_past(task, (enum life)listed->state)) {
            continue;
        }
        if (snapshot->at_us < fetch->sent_us && listed->state != LIFE_OVER &&
            (task->told.is_buried || task->told.by_instance)) {
            task->told.over_us = 0; /* an old leader says that it lives: a word against a word */
            task->told.was_lost = task->told.was_lost || task->told.is_buried;
        }
        note_start(task, (enum life)listed->state, was_listed);
        task_told(task, (enum life)listed->state);
    }
}

void told_complete(const struct client_fetch *fetch)
{
    wires_note_told();
    slotd_note_answer(&fetch->snapshot);
    bool *lists = mem_alloc_array(MAX_TASKS, sizeof(*lists));
    for (size_t i = 0; i < fetch->snapshot.n_tasks; i++) {
        lists[fetch->snapshot.tasks[i].task] = true;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct told *told = &marathon.tasks[i].told;
        /* Of an app that cannot be read everybody counts as listed. */
        size_t app = marathon.tasks[i].app;
        bool is_read = app != fetch->malformed || !fetch->snapshot.exists[app];
        bool is_named = told->named > fetch->number; /* by a newer answer for its app */
        if (!lists[i] && is_read && !is_named && told->event_us < fetch->sent_us &&
            (told->absent == 0 || fetch->sent_us >= answered_us)) {
            told->absent++;
            told->was_lost = told->was_lost || told->absent >= CONFIRMATIONS;
            told->absent_us = now_us();
        }
    }
    free(lists);
    note_buried(fetch, MAX_APPS);
    answered_us = now_us();
    complete_us = fetch->sent_us > complete_us ? fetch->sent_us : complete_us;
    rules_note_answered();
}

void told_malformed(size_t number)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        /* One that has left is not among those that count as listed; one that the guard holds is. */
        bool is_known = task->told.absent < CONFIRMATIONS || rules_task_is_kept(task);
        task->told.absent = task->app == number && is_known ? 0 : task->told.absent;
    }
    marathon.apps[number].moved_us = now_us();
}

void told_reset(void)
{
    answered_us = complete_us = 0;
}
