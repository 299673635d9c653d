/* SPDX-License-Identifier: MIT */
/* The life of an instance and its tasks: Marathon's real life cycle, with its order of events. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define MAX_BACKOFF_MS 300000
#define MAX_CPUS 100 /* no agent has more */

static const struct ending {
    const char *status, *condition, *shown, *message;
} endings[] = {
    {"TASK_FAILED", "Failed", "TASK_FAILED", "Command exited with status 1"},
    {"TASK_FINISHED", "Finished", "TASK_FINISHED", "Command exited with status 0"},
    {"TASK_KILLED", "Killed", "TASK_KILLED", "Command terminated with signal Terminated"},
    {"TASK_LOST", "Gone", "TASK_GONE", ""},
    {"TASK_GONE", "Gone", "TASK_GONE", ""},
    {"TASK_GONE_BY_OPERATOR", "Gone", "TASK_GONE", ""},
    {"TASK_DROPPED", "Dropped", "TASK_DROPPED", ""},
    {"TASK_ERROR", "Error", "TASK_ERROR", ""},
};

/* ---- what it is ---- */

const char *task_status(const struct task *task)
{
    static const char *const names[] = {
        [TASK_SCHEDULED] = "TASK_STAGING", [TASK_STAGING] = "TASK_STAGING", [TASK_STARTING] = "TASK_STARTING",
        [TASK_RUNNING] = "TASK_RUNNING",   [TASK_KILLING] = "TASK_KILLING", [TASK_UNREACHABLE] = "TASK_UNREACHABLE",
    };
    return task->state == TASK_ENDED ? task->end_status : names[task->state];
}

const char *task_condition(const struct task *task)
{
    static const char *const names[] = {
        [TASK_SCHEDULED] = "Scheduled", [TASK_STAGING] = "Provisioned", [TASK_STARTING] = "Starting",
        [TASK_RUNNING] = "Running",     [TASK_KILLING] = "Killing",     [TASK_UNREACHABLE] = "Unreachable",
    };
    return task->state == TASK_ENDED ? task->end_condition : names[task->state];
}

/* Whether the instance is one of those that the app asks for. */
bool task_counts(const struct task *task)
{
    return !task->inactive && (!task->doomed || task->relaunch);
}

bool task_is_ready(const struct task *task)
{
    const struct app *app = task->app;
    /* Readiness counts in the deployment that started the task, and nowhere else. */
    bool needs_readiness = app->readiness_checks && app->deployment && app->deployment->number == task->started_in;
    return task->state == TASK_RUNNING && !task->doomed && (!app->health_checks || task->health == VERDICT_GOOD) &&
           (!needs_readiness || task->readiness == VERDICT_GOOD);
}

static void set_state(struct task *task, enum task_state state, bool doomed)
{
    bool was_settled = (task->state == TASK_RUNNING || task->state == TASK_UNREACHABLE) && !task->doomed;
    task->state = state;
    task->doomed = doomed;
    bool is_settled = (state == TASK_RUNNING || state == TASK_UNREACHABLE) && !doomed;
    task->sim->unsettled = task->sim->unsettled + was_settled - is_settled;
}

static bool env_is(const struct app *app, const char *name, const char *wanted)
{
    const char *value = app ? definition_env(app, name) : NULL;
    return value && strcmp(value, wanted) == 0;
}

static void task_wait(struct task *task, int64_t ms, uv_timer_cb then)
{
    uv_timer_start(task->timer, then, (uint64_t)(ms > 0 ? ms : 0), 0);
}

/* ---- its end ---- */

static void linger_over(uv_timer_t *timer)
{
    backend_kill(timer->data);
    sim_close_timer(&timer);
}

static void task_stop_serving(struct task *task)
{
    if (task->backend && task->sim->options.linger_ms > 0) {
        uv_timer_t *timer = sim_new_timer(task->sim, task->backend);
        uv_timer_start(timer, linger_over, (uint64_t)task->sim->options.linger_ms, 0);
    } else {
        backend_kill(task->backend);
    }
    task->backend = NULL;
}

/* From now on no answer of Marathon lists it. */
static void task_leave_app(struct task *task)
{
    if (task->app) {
        *task->link = task->next;
        if (task->next) {
            task->next->link = task->link;
        }
        task->app->n_tasks--;
        task->app = NULL;
    }
}

static void task_free(struct task *task)
{
    struct deployment *stopping = task->stopping;
    task_leave_app(task);
    checks_stop(task);
    table_remove(&task->sim->task_table, task->id);
    set_state(task, TASK_RUNNING, false);
    sim_close_timer(&task->timer);
    place_leave(task);
    free(task->app_id);
    free(task->id);
    free(task->instance);
    free(task->version);
    free(task);
    if (stopping && --stopping->n_waiting == 0) {
        deployment_succeed(stopping);
    }
}

static void task_launch(uv_timer_t *timer);

static void remember_failure(const struct task *task, const struct ending *ending)
{
    cleanup_free char *time = sim_time(sim_now_ms());
    struct json_object *failure = json_object_new_object();
    const struct {
        const char *key, *value;
    } fields[] = {
        {"appId", task->app_id}, {"host", task->host}, {"message", ending->message}, {"state", ending->status},
        {"taskId", task->id},    {"timestamp", time},  {"version", task->version},   {"slaveId", task->slave},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_object_object_add(failure, fields[i].key, json_object_new_string(fields[i].value));
    }
    json_object_put(task->app->last_failure);
    task->app->last_failure = failure;
}

/* How long until the instance is launched again. */
static int64_t relaunch_delay(struct task *task, bool by_kill)
{
    const struct options *options = &task->sim->options;
    struct app *app = task->app;
    if (by_kill) {
        return options->offer_ms;
    }
    if (options->backoff_ms >= 0) {
        return options->backoff_ms;
    }
    double delay = (double)app->backoff_ms * pow(app->backoff_factor, app->launch_failures);
    app->launch_failures += delay < MAX_BACKOFF_MS;
    return delay < MAX_BACKOFF_MS ? (int64_t)delay : MAX_BACKOFF_MS;
}

static void task_end(struct task *task, const struct ending *ending, const char *message, bool by_kill)
{
    struct app *app = task->app;
    checks_stop(task);
    /* A deployment that stops the app is done before the stream has the last task's end. */
    if (task->stopping && task->stopping->n_waiting == 1) {
        deployment_succeed(task->stopping);
        task->stopping = NULL;
    }
    events_status(task, ending->status, message);
    events_instance(task, ending->condition);
    task_stop_serving(task);
    if (app && (!by_kill || task->relaunch)) {
        if (!by_kill) {
            remember_failure(task, ending);
        }
        task->end_status = ending->shown;
        task->end_condition = ending->condition;
        set_state(task, TASK_ENDED, false);
        task_wait(task, relaunch_delay(task, by_kill), task_launch);
    } else {
        task_free(task);
    }
    if (app) {
        model_reconcile(app);
    }
}

void task_end_now(struct task *task, const char *status)
{
    const struct ending *ending = &endings[0];
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        ending = strcmp(endings[i].status, status) == 0 ? &endings[i] : ending;
    }
    if (task->state != TASK_SCHEDULED && task->state != TASK_ENDED) {
        bool by_kill = task->doomed && !task->relaunch;
        task_end(task, ending, strcmp(status, "TASK_KILLED") == 0 ? "" : ending->message, by_kill);
    }
}

/* ---- kills ---- */

static void task_killed(uv_timer_t *timer)
{
    task_end(timer->data, &endings[2], endings[2].message, true);
}

static void task_killing(uv_timer_t *timer)
{
    struct task *task = timer->data;
    bool had_health = task->by_mesos && task->health != VERDICT_NONE;
    set_state(task, TASK_KILLING, true);
    events_status(task, "TASK_KILLING", "");
    events_instance(task, "Killing");
    if (had_health) {
        events_instance_health(task, VERDICT_NONE);
    }
    task_wait(task, task->sim->options.killed_ms, task_killed);
}

/* What Marathon has forgotten dies without a status update. */
static void unknown_killed(uv_timer_t *timer)
{
    struct task *task = timer->data;
    events_unknown_terminated(task, "Killed");
    task_free(task);
}

static void task_wipe(struct task *task)
{
    events_instance(task, "Killed");
    task_leave_app(task);
    checks_stop(task);
    task_wait(task, task->sim->options.killing_ms + task->sim->options.killed_ms, unknown_killed);
}

void task_kill(struct task *task, bool wipe, bool relaunch, bool with_goal)
{
    bool has_process = task->state == TASK_STAGING || task->state == TASK_STARTING || task->state == TASK_RUNNING;
    bool was_doomed = task->doomed;
    if (with_goal && !(was_doomed && task->relaunch == relaunch)) {
        events_instance(task, task_condition(task));
    }
    task->relaunch = was_doomed ? task->relaunch && relaunch : relaunch;
    if (was_doomed) {
        return;
    }
    if (has_process) {
        set_state(task, task->state, true);
        if (wipe) {
            task_wipe(task);
        } else {
            task_wait(task, task->sim->options.killing_ms, task_killing);
        }
    } else if (!relaunch || task->state == TASK_UNREACHABLE) {
        task_free(task);
    }
}

/* ---- its beginning ---- */

static void fails_alone(uv_timer_t *timer)
{
    task_end(timer->data, &endings[0], endings[0].message, false);
}

static void finishes_alone(uv_timer_t *timer)
{
    task_end(timer->data, &endings[1], endings[1].message, false);
}

static void task_running(uv_timer_t *timer)
{
    struct task *task = timer->data;
    struct app *app = task->app;
    if (env_is(app, "SIM_FAIL_START", "1")) {
        task_end(task, &endings[0], "Failed to launch container: exited with status 1", false);
        return;
    }
    set_state(task, TASK_RUNNING, false);
    task->started_ms = sim_now_ms();
    events_status(task, "TASK_RUNNING", "");
    events_instance(task, "Running");
    checks_start(task);
    const char *fails = definition_env(app, "SIM_FAIL_AFTER_MS");
    const char *finishes = definition_env(app, "SIM_FINISH_AFTER_MS");
    if (fails || finishes) {
        task_wait(task, strtol(fails ? fails : finishes, NULL, 10), fails ? fails_alone : finishes_alone);
    }
    model_reconcile(app);
}

static void task_starting(uv_timer_t *timer)
{
    struct task *task = timer->data;
    set_state(task, TASK_STARTING, false);
    events_status(task, "TASK_STARTING", "");
    events_instance(task, "Starting");
    if (!env_is(task->app, "SIM_STUCK", "starting")) {
        task_wait(task, task->sim->options.running_ms, task_running);
    }
}

/* An offer was good: the instance gets a new task. */
static void task_launch(uv_timer_t *timer)
{
    struct task *task = timer->data;
    table_remove(&task->sim->task_table, task->id);
    free(task->id);
    task->id = mem_printf("%s._app.%u", task->instance, ++task->attempt);
    table_put(&task->sim->task_table, task->id, task);
    task->health = task->readiness = VERDICT_NONE;
    task->healthy_ms = task->unhealthy_ms = task->started_ms = 0;
    task->failures = task->failing = 0;
    task->was_healthy = false;
    task->relaunch = false;
    task->by_mesos = checks_is_by_mesos(task->app);
    place_find(task);
    task->staged_ms = sim_now_ms();
    set_state(task, TASK_STAGING, false);
    events_instance(task, "Provisioned");
    if (!env_is(task->app, "SIM_STUCK", "staging")) {
        task_wait(task, task->sim->options.starting_ms, task_starting);
    }
}

static char *flat_id(const char *id)
{
    char *flat = mem_strdup(id + (id[0] == '/'));
    for (char *c = flat; *c; c++) {
        *c = *c == '/' ? '_' : *c;
    }
    return flat;
}

static bool is_placeable(const struct app *app)
{
    struct json_object *cpus = NULL;
    return !json_object_object_get_ex(app->definition, "cpus", &cpus) || json_object_get_double(cpus) <= MAX_CPUS;
}

void task_start(struct app *app)
{
    struct sim *sim = app->sim;
    struct task *task = MEM_NEW(struct task);
    cleanup_free char *flat = flat_id(app->id);
    task->sim = sim;
    task->app = app;
    task->app_id = mem_strdup(app->id);
    task->version = mem_strdup(app->version);
    task->generation = app->generation;
    task->started_in = app->deployment ? app->deployment->number : 0;
    task->instance = mem_printf("%s.instance-%08llx-e6d5-11f1-b63d-02fc%08x", flat, (unsigned long long)++sim->sequence,
                                (unsigned)sim->options.cluster);
    task->id = mem_printf("%s._app.0", task->instance);
    task->timer = sim_new_timer(sim, task);
    task->next = app->tasks;
    task->link = &app->tasks;
    if (task->next) {
        task->next->link = &task->next;
    }
    app->tasks = task;
    app->n_tasks++;
    table_put(&sim->task_table, task->id, task);
    sim->unsettled++;
    events_instance(task, "Scheduled");
    if (is_placeable(app)) {
        task_wait(task, sim->options.offer_ms, task_launch);
    }
}

/* ---- agents that are cut off ---- */

static void task_expunged(uv_timer_t *timer)
{
    task_free(timer->data);
}

static void task_inactive(uv_timer_t *timer)
{
    struct task *task = timer->data;
    int64_t left_ms = task->app->expunge_after_ms - task->app->inactive_after_ms;
    task->inactive = true;
    events_instance(task, "UnreachableInactive");
    task_wait(task, left_ms, task_expunged);
    model_reconcile(task->app);
}

static void task_cut_off(struct task *task)
{
    struct app *app = task->app;
    cleanup_free char *message =
        mem_printf("Agent %s at %s became unreachable: health check timed out", task->slave, task->host);
    set_state(task, TASK_UNREACHABLE, false);
    events_status(task, "TASK_UNREACHABLE", message);
    if (app->inactive_after_ms == 0) {
        /* Replaced at once and forgotten, though its process lives. */
        events_instance(task, "UnreachableInactive");
        task->inactive = true;
        task_leave_app(task);
        model_reconcile(app);
        return;
    }
    events_instance(task, "Unreachable");
    if (app->inactive_after_ms > 0) {
        task_wait(task, app->inactive_after_ms + task->sim->options.inactive_delay_ms, task_inactive);
    }
}

void task_set_reachable(struct task *task, bool reachable)
{
    if (!reachable && task->state == TASK_RUNNING && !task->doomed && task->app) {
        task_cut_off(task);
    } else if (reachable && task->state == TASK_UNREACHABLE && !task->app) {
        task_wait(task, task->sim->options.killed_ms, unknown_killed);
    } else if (reachable && task->state == TASK_UNREACHABLE) {
        uv_timer_stop(task->timer);
        task->inactive = false;
        set_state(task, TASK_RUNNING, false);
        events_status(task, "TASK_RUNNING", "");
        events_instance(task, "Running");
    }
}
