/* SPDX-License-Identifier: MIT */
/* The truth: apps, and tasks that live and die as Marathon lets them. Facts: marathon.md. */
#include <stdio.h>
#include <string.h>

#include "marathon_parts.h"

struct marathon marathon;
struct chance marathon_luck;

void host_address(size_t host, char *text, size_t size)
{
    unsigned last = (unsigned)host + 1 + ((marathon.moved_names >> host) & 1u) * 100;
    (void)snprintf(text, size, "10.0.0.%u", last);
}

bool host_is_at(size_t host, const char *address)
{
    char text[48];
    host_address(host, text, sizeof(text));
    if (strcmp(text, address) == 0) {
        return true;
    }
    if (host < 3 || !marathon.names_us || now_us() - marathon.names_us > 60 * SECOND) {
        return false;
    }
    marathon.moved_names ^= 1u << host;
    host_address(host, text, sizeof(text));
    marathon.moved_names ^= 1u << host;
    return strcmp(text, address) == 0;
}

void host_name(size_t host, char *text, size_t size)
{
    if (sim.profile.names && host >= 3) {
        (void)snprintf(text, size, "node%zu.example.com", host);
    } else {
        host_address(host, text, size);
    }
}

size_t app_number(const struct app *app)
{
    return (size_t)(app - marathon.apps);
}

const char *const backend_names[N_BACKEND_NAMES + 1] = {
    "backend-a0",
    "backend-a1",
    "backend-a2",
    "backend-a3",
    "backend-a4",
    "backend-a5",
    "backendblue",
    "backend-a0-service-adm",
    "backend-a1-service-adm",
    "nobody's",
};

size_t definition_parts(size_t app, const struct definition *definition, struct part parts[MAX_PARTS])
{
    if (!definition->enabled || (sim.settings.constrained && !definition->tagged)) {
        return 0;
    }
    parts[0] = (struct part){definition->shares ? BACKEND_SHARED : app, definition->port_index,
                             definition->segments ? "web" : ""};
    parts[1] =
        (struct part){definition->shares ? BACKEND_SHARED : BACKEND_SEGMENT + app, definition->port_index ^ 1, "adm"};
    return definition->segments ? 2 : 1;
}

/* ---- lives ---- */

static void task_advance(void *arg, uint64_t doings);

void task_later(struct task *task, int64_t least, int64_t most)
{
    schedule(chance_delay(&marathon_luck, least, most), task_advance, task, task->doings);
}

void task_become(struct task *task, enum life state)
{
    task->state = state;
    task->doings++;
    tell("marathon", "%s is %s", task->id, life_name(state) + strlen("TASK_"));
}

/* Marathon asks the task whether it is ready, until it says so. */
static void task_check_readiness(void *arg, uint64_t deployment)
{
    struct task *task = arg;
    if (task->state == LIFE_OVER || task->deployment != deployment || task->result == RESULT_GOOD) {
        return;
    }
    schedule(chance_delay(&marathon_luck, 100 * MS, 6 * SECOND), task_check_readiness, task, deployment);
    if (task->state != LIFE_RUNNING) {
        return;
    }
    bool is_ready = sim.is_calm || chance_percent(&marathon_luck, 60);
    task->result = is_ready ? RESULT_GOOD : RESULT_BAD;
    tell("marathon", "%s %s ready", task->id, is_ready ? "is" : "is not");
}

static void task_run(struct task *task)
{
    if (task->state == LIFE_STARTING && task->readiness_s > 0 && task->deployment > 0) {
        /* Often later than a task may do without. */
        int64_t after = chance_percent(&marathon_luck, 50) ? chance_delay(&marathon_luck, 50 * MS, 5 * SECOND)
                                                           : (int64_t)chance_below(&marathon_luck, 40 * SECOND);
        schedule(after, task_check_readiness, task, task->deployment);
    }
    task->started_us = task->state == LIFE_STARTING ? now_us() : task->started_us;
    task_become(task, LIFE_RUNNING);
    publish_status(task, "TASK_RUNNING");
    publish_instance(task, "instance_changed_event", "Running");
}

/* One that failed may stay listed for a while. */
void task_end(struct task *task, const char *state, bool wiped)
{
    bool listed_on = chance_percent(&marathon_luck, 50);
    task_become(task, LIFE_OVER);
    if (wiped) {
        publish_instance(task, "unknown_instance_terminated_event", "Killed");
    } else {
        publish_status(task, state);
        publish_instance(task, "instance_changed_event", strcmp(state, "TASK_KILLED") == 0 ? "Killed" : "Failed");
    }
    if (listed_on) {
        task_later(task, 10 * MS, 3 * SECOND);
    } else {
        task->is_listed = false;
    }
}

void task_kill(struct task *task)
{
    bool is_silent = chance_percent(&marathon_luck, 10);
    if (task->state == LIFE_STAGING || task->state == LIFE_STARTING || is_silent) {
        task_end(task, "TASK_KILLED", chance_percent(&marathon_luck, 20));
        return;
    }
    task_become(task, LIFE_KILLING);
    publish_status(task, "TASK_KILLING");
    task_later(task, 5 * MS, 20 * SECOND);
}

static void task_advance(void *arg, uint64_t doings)
{
    struct task *task = arg;
    if (task->doings != doings) {
        return;
    }
    switch (task->state) {
    case LIFE_STAGING:
        task_become(task, LIFE_STARTING);
        publish_status(task, "TASK_STARTING");
        task_later(task, 5 * MS, 2 * SECOND);
        break;
    case LIFE_STARTING:
        task_run(task);
        break;
    case LIFE_KILLING:
        task_end(task, "TASK_KILLED", chance_percent(&marathon_luck, 20));
        break;
    case LIFE_UNREACHABLE:
        if (sim.is_calm || chance_percent(&marathon_luck, 60)) {
            task_run(task);
        } else {
            task_end(task, "TASK_GONE", false);
        }
        break;
    case LIFE_OVER:
        task->is_listed = false;
        break;
    case LIFE_RUNNING:
        break;
    }
    step();
}

/* Ports are used again at once: what points at a former task reaches another one. */
static bool port_is_free(size_t host, uint16_t port)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        if (task->host == host && task->state != LIFE_OVER && (task->ports[0] == port || task->ports[1] == port)) {
            return false;
        }
    }
    return true;
}

static uint16_t port_take(size_t host, uint16_t other)
{
    uint16_t port = 31000;
    while (port == other || !port_is_free(host, port)) {
        port++;
    }
    return port;
}

static void app_launch(size_t app)
{
    if (marathon.n_tasks == MAX_TASKS) {
        marathon.is_stuck = true;
        return;
    }
    struct task *task = &marathon.tasks[marathon.n_tasks++];
    *task = (struct task){.app = app, .is_listed = true};
    task->version = marathon.apps[app].definition.version;
    task->config = marathon.apps[app].definition.config;
    task->readiness_s = marathon.apps[app].definition.readiness_s;
    task->deployment = marathon.apps[app].deployment;
    task->host = (size_t)chance_below(&marathon_luck, MAX_HOSTS);
    task->ports[0] = port_take(task->host, 0);
    task->ports[1] = port_take(task->host, task->ports[0]);
    (void)snprintf(task->id, sizeof(task->id), "a%zu.instance-%zu._app.1", app, marathon.n_tasks);
    task_become(task, LIFE_STAGING);
    task_later(task, 5 * MS, SECOND);
}

bool task_lives(const struct task *task)
{
    return task->state != LIFE_OVER && task->state != LIFE_KILLING;
}

struct census {
    size_t fresh, old, fresh_running, running;
    size_t unready; /* of the fresh ones: the deployment waits for them */
    struct task *a_fresh, *an_old;
};

static struct census app_count(size_t app)
{
    struct census census = {0};
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if (task->app != app || !task_lives(task)) {
            continue;
        }
        bool is_fresh = task->config == marathon.apps[app].definition.config;
        bool runs = task->state == LIFE_RUNNING;
        census.fresh += is_fresh;
        census.old += !is_fresh;
        census.running += runs;
        bool is_unready = task->readiness_s > 0 && task->deployment > 0 &&
                          task->deployment == marathon.apps[app].deployment && task->result != RESULT_GOOD;
        census.fresh_running += is_fresh && runs && !is_unready;
        census.unready += is_fresh && is_unready;
        if (is_fresh && (!census.a_fresh || chance_percent(&marathon_luck, 30))) {
            census.a_fresh = task;
        } else if (!is_fresh && (!census.an_old || chance_percent(&marathon_luck, 30))) {
            census.an_old = task;
        }
    }
    return census;
}

static void app_tend(size_t number)
{
    struct app *app = &marathon.apps[number];
    struct census census = app_count(number);
    if (!app->exists) {
        struct task *task = census.a_fresh ? census.a_fresh : census.an_old;
        if (task) {
            task_kill(task);
        }
        return;
    }
    if (app->deployment && census.old + census.unready == 0 && census.fresh_running == app->definition.instances) {
        tell("marathon", "the deployment of /a%zu is done", number);
        app->deployment = 0;
    }
    if (census.fresh < app->definition.instances) {
        app_launch(number);
    } else if (census.fresh > app->definition.instances && census.a_fresh) {
        task_kill(census.a_fresh);
    }
    if (census.old > 0 &&
        (census.fresh_running > 0 || app->definition.instances == 0 || chance_percent(&marathon_luck, 10))) {
        task_kill(census.an_old);
    }
}

void marathon_tend(struct chance *chance)
{
    for (size_t i = 0; i < sim.profile.apps; i++) {
        if (sim.is_calm || chance_percent(chance, 50)) {
            app_tend(i);
        }
    }
    step();
}

void marathon_redeploy(void)
{
    for (size_t i = 0; i < sim.profile.apps; i++) {
        struct app *app = &marathon.apps[i];
        if (app->exists) {
            app->definition.version = app->definition.config = ++marathon.versions;
            app->deployment = ++marathon.deployments;
        }
    }
}

/* ---- the end ---- */

void marathon_settle(void)
{
    marathon.is_up = true;
    marathon.old_until_us = 0;
    marathon.lose = marathon.twice = marathon.delay = marathon.fail = marathon.cut = marathon.halve = 0;
    marathon.malform = marathon.slow = 0;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if (task->is_unhealthy) {
            task->is_unhealthy = false;
        }
    }
}

bool marathon_is_settled(void)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        const struct app *app = &marathon.apps[task->app];
        if (task->state != LIFE_OVER && (task->state != LIFE_RUNNING || !app->exists)) {
            return false;
        }
    }
    for (size_t i = 0; i < sim.profile.apps && !marathon.is_stuck; i++) {
        struct census census = app_count(i);
        const struct app *app = &marathon.apps[i];
        if (app->exists && (app->deployment > 0 || census.old > 0 || census.fresh != app->definition.instances)) {
            return false;
        }
    }
    return true;
}

void marathon_begin(void)
{
    memset(&marathon, 0, sizeof(marathon));
    chance_seed(&marathon_luck, sim.seed, 3);
    marathon.is_up = true;
    marathon.versions = 1;
}

void marathon_reset(void)
{
    marathon.n_tasks = 0;
}

void marathon_forget_told(void)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        marathon.tasks[i].told = (struct told){0};
    }
    for (size_t i = 0; i < MAX_APPS; i++) {
        struct app *app = &marathon.apps[i];
        app->is_told = app->is_told_twice = app->is_posted = app->has_ended = false;
        app->defined_us = app->moved_us = app->listed_us = app->ended_us = 0;
        app->told_deployment = 0;
    }
}
