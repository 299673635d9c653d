/* SPDX-License-Identifier: MIT */
/* The truth: apps, and tasks that live and die as Marathon lets them. Facts: marathon.md. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "slotd/mem.h"

struct marathon marathon;
static struct chance luck;

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

/* The backend that the definition asks for, with an empty name when it wants none. */
size_t app_backend(const struct app *app, const struct definition *definition, char *name, size_t size)
{
    if (!definition->enabled) {
        name[0] = '\0';
        return 0;
    }
    if (definition->shares) {
        return (size_t)snprintf(name, size, "backendblue");
    }
    return (size_t)snprintf(name, size, "backend-a%zu", app_number(app));
}

/* ---- what is told of it ---- */

static const char *const state_names[] = {
    [LIFE_STAGING] = "TASK_STAGING", [LIFE_STARTING] = "TASK_STARTING",       [LIFE_RUNNING] = "TASK_RUNNING",
    [LIFE_KILLING] = "TASK_KILLING", [LIFE_UNREACHABLE] = "TASK_UNREACHABLE", [LIFE_OVER] = "TASK_FAILED",
};

static size_t task_number(const struct task *task)
{
    return (size_t)(task - marathon.tasks);
}

static void publish_status(const struct task *task, const char *state)
{
    char host[64];
    host_name(task->host, host, sizeof(host));
    client_publish(MAX_APPS + task_number(task), "status_update_event",
                   mem_printf("{\"appId\":\"/a%zu\",\"taskId\":\"%s\",\"version\":\"%u\",\"taskStatus\":\"%s\","
                              "\"host\":\"%s\",\"ports\":[%u,%u],\"eventType\":\"status_update_event\"}",
                              task->app, task->id, task->version, state, host, (unsigned)task->ports[0],
                              (unsigned)task->ports[1]),
                   task_number(task), task->state, task->app, NULL);
}

static void publish_instance(const struct task *task, const char *name, const char *condition)
{
    client_publish(MAX_APPS + task_number(task), name,
                   mem_printf("{\"runSpecId\":\"/a%zu\",\"instanceId\":\"%.*s\",\"condition\":\"%s\","
                              "\"eventType\":\"%s\"}",
                              task->app, (int)(strlen(task->id) - strlen("._app.1")), task->id, condition, name),
                   task_number(task), task->state, task->app, NULL);
}

static void write_definition(size_t app, const struct definition *definition, struct buf *json)
{
    buf_printf(json, "\"id\":\"/a%zu\",\"version\":\"%u\",\"instances\":%u,\"networks\":[{\"mode\":\"host\"}],", app,
               definition->version, definition->instances);
    if (definition->health_checks) {
        buf_puts(json, "\"healthChecks\":[{\"protocol\":\"MESOS_HTTP\"}],");
    }
    buf_printf(json, "\"labels\":{\"traefik.enable\":\"%s\",\"traefik.portIndex\":\"%u\"",
               definition->enabled ? "true" : "false", definition->port_index);
    if (definition->shares) {
        buf_puts(json, ",\"traefik.backend\":\"blue\"");
    }
    if (definition->weight) {
        buf_printf(json, ",\"traefik.weight\":\"%u\"", definition->weight);
    }
    if (definition->check_port) {
        buf_printf(json, ",\"traefik.backend.healthcheck.port\":\"%u\"", definition->check_port);
    }
    buf_puts(json, "}");
}

static void write_task(const struct task *task, enum life state, bool is_unhealthy, struct buf *json)
{
    char host[64];
    if (state == LIFE_OVER) {
        buf_printf(json, "{\"id\":\"%s\",\"state\":\"TASK_FAILED\",\"ports\":[]}", task->id);
        return;
    }
    host_name(task->host, host, sizeof(host));
    buf_printf(json, "{\"id\":\"%s\",\"state\":\"%s\",\"version\":\"%u\",\"host\":\"%s\",\"ports\":[%u,%u]", task->id,
               state_names[state], task->version, host, (unsigned)task->ports[0], (unsigned)task->ports[1]);
    if (marathon.apps[task->app].definition.health_checks && (is_unhealthy || state == LIFE_RUNNING)) {
        buf_printf(json, ",\"healthCheckResults\":[{\"alive\":%s}]", is_unhealthy ? "false" : "true");
    }
    buf_putc(json, '}');
}

/* ---- snapshots ---- */

void snapshot_take(struct snapshot *snapshot)
{
    snapshot->at_us = now_us();
    snapshot->n_tasks = 0;
    for (size_t i = 0; i < MAX_APPS; i++) {
        snapshot->exists[i] = marathon.apps[i].exists;
        snapshot->definitions[i] = marathon.apps[i].definition;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        if (task->is_listed && marathon.apps[task->app].exists) {
            MEM_GROW(snapshot->tasks, snapshot->capacity, snapshot->n_tasks + 1);
            snapshot->tasks[snapshot->n_tasks++] =
                (struct listed){(uint16_t)i, (uint8_t)task->state, task->is_unhealthy};
        }
    }
}

void snapshot_write_app(const struct snapshot *snapshot, size_t app, struct buf *json)
{
    const char *comma = "";
    buf_puts(json, "{");
    write_definition(app, &snapshot->definitions[app], json);
    buf_puts(json, ",\"deployments\":[],\"tasks\":[");
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        const struct listed *listed = &snapshot->tasks[i];
        if (marathon.tasks[listed->task].app == app) {
            buf_puts(json, comma);
            write_task(&marathon.tasks[listed->task], (enum life)listed->state, listed->is_unhealthy, json);
            comma = ",";
        }
    }
    buf_puts(json, "]}");
}

/* ---- lives ---- */

static void task_advance(void *arg, uint64_t doings);

static void task_later(struct task *task, int64_t least, int64_t most)
{
    schedule(chance_delay(&luck, least, most), task_advance, task, task->doings);
}

static void task_become(struct task *task, enum life state)
{
    task->state = state;
    task->doings++;
    tell("marathon", "%s is %s", task->id, state_names[state] + strlen("TASK_"));
}

static void task_run(struct task *task)
{
    task_become(task, LIFE_RUNNING);
    task->started_us = now_us();
    publish_status(task, "TASK_RUNNING");
    publish_instance(task, "instance_changed_event", "Running");
}

/* A wiped task has no terminal status; one that failed may stay listed for a while. */
static void task_end(struct task *task, const char *state, bool wiped)
{
    bool listed_on = chance_percent(&luck, 50);
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

static void task_kill(struct task *task)
{
    bool is_silent = chance_percent(&luck, 10);
    if (task->state == LIFE_STAGING || task->state == LIFE_STARTING || is_silent) {
        task_end(task, "TASK_KILLED", chance_percent(&luck, 20));
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
        task_end(task, "TASK_KILLED", chance_percent(&luck, 20));
        break;
    case LIFE_UNREACHABLE:
        if (sim.is_calm || chance_percent(&luck, 60)) {
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
    task->host = (size_t)chance_below(&luck, MAX_HOSTS);
    task->ports[0] = port_take(task->host, 0);
    task->ports[1] = port_take(task->host, task->ports[0]);
    (void)snprintf(task->id, sizeof(task->id), "a%zu.instance-%zu._app.1", app, marathon.n_tasks);
    task_become(task, LIFE_STAGING);
    task_later(task, 5 * MS, SECOND);
}

static bool task_lives(const struct task *task)
{
    return task->state != LIFE_OVER && task->state != LIFE_KILLING;
}

struct census {
    size_t fresh, old, fresh_running, running;
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
        census.fresh_running += is_fresh && runs;
        if (is_fresh && (!census.a_fresh || chance_percent(&luck, 30))) {
            census.a_fresh = task;
        } else if (!is_fresh && (!census.an_old || chance_percent(&luck, 30))) {
            census.an_old = task;
        }
    }
    return census;
}

static void app_tend(size_t number)
{
    const struct app *app = &marathon.apps[number];
    struct census census = app_count(number);
    if (!app->exists) {
        struct task *task = census.a_fresh ? census.a_fresh : census.an_old;
        if (task) {
            task_kill(task);
        }
        return;
    }
    if (census.fresh < app->definition.instances) {
        app_launch(number);
    } else if (census.fresh > app->definition.instances && census.a_fresh) {
        task_kill(census.a_fresh);
    }
    if (census.old > 0 && (census.fresh_running > 0 || app->definition.instances == 0 || chance_percent(&luck, 10))) {
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

/* ---- what people and faults do ---- */

void marathon_post(struct chance *chance, size_t number)
{
    struct app *app = &marathon.apps[number];
    struct definition next = app->definition;
    struct buf json = BUF_INIT;
    bool is_new = !app->exists;
    unsigned what = (unsigned)chance_below(chance, 12);
    if (is_new) {
        next = (struct definition){.enabled = true, .instances = 1 + (unsigned)chance_below(chance, 4)};
        next.health_checks = chance_percent(chance, 50);
    }
    if (what < 5) {
        next.instances = (unsigned)chance_below(chance, chance_percent(chance, 20) ? 12 : 6);
    } else if (what == 5) {
        next.enabled = !next.enabled;
    } else if (what == 6) {
        next.port_index ^= 1;
    } else if (what == 7 && number < 3) {
        next.shares = !next.shares;
    } else if (what == 8) {
        next.weight = (uint8_t)chance_below(chance, 200);
    } else if (what == 9) {
        next.check_port = next.check_port ? 0 : (uint16_t)(9000 + chance_below(chance, 3));
    }
    /* A rollback has an older version. */
    bool rolls_back = !is_new && chance_percent(chance, 10) && app->definition.version > 2;
    next.version = rolls_back ? app->definition.version - 1 : ++marathon.versions;
    next.config = is_new || what >= 5 ? next.version : next.config;
    /* The event comes before the change. */
    buf_puts(&json, "{\"eventType\":\"api_post_event\",\"appDefinition\":{");
    write_definition(number, &next, &json);
    buf_puts(&json, "}}");
    client_publish(number, "api_post_event", buf_steal(&json), MAX_TASKS, LIFE_STAGING, number, &next);
    if (!is_new && chance_percent(chance, 5)) {
        return; /* refused: nothing changes */
    }
    app->definition = next;
    app->exists = true;
    tell("marathon", "/a%zu is posted: version %u, %u instances%s%s, port %u", number, next.version, next.instances,
         next.enabled ? "" : ", not exposed", next.shares ? ", backend blue" : "", next.port_index);
}

void marathon_delete(struct chance *chance, size_t number)
{
    struct app *app = &marathon.apps[number];
    (void)chance;
    if (!app->exists) {
        return;
    }
    app->exists = false;
    app->was_deleted = true;
    tell("marathon", "/a%zu is deleted", number);
    client_publish(number, "app_terminated_event",
                   mem_printf("{\"appId\":\"/a%zu\",\"eventType\":\"app_terminated_event\"}", number), MAX_TASKS,
                   LIFE_OVER, number, NULL);
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if (task->app == number) {
            task->is_listed = false;
            if (task_lives(task)) {
                task_kill(task);
            }
        }
    }
}

static struct task *pick_running(struct chance *chance)
{
    struct task *picked = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        if (marathon.tasks[i].state == LIFE_RUNNING && chance_below(chance, ++count) == 0) {
            picked = &marathon.tasks[i];
        }
    }
    return picked;
}

void marathon_fail_task(struct chance *chance)
{
    struct task *task = pick_running(chance);
    if (task) {
        task_end(task, "TASK_FAILED", chance_percent(chance, 10));
    }
}

void marathon_lose_host(struct chance *chance)
{
    size_t host = (size_t)chance_below(chance, MAX_HOSTS);
    bool all = chance_percent(chance, 20);
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if ((all || task->host == host) && task->state == LIFE_RUNNING) {
            task_become(task, LIFE_UNREACHABLE);
            publish_status(task, "TASK_UNREACHABLE");
            publish_instance(task, "instance_changed_event", "Unreachable");
            task_later(task, 50 * MS, 20 * SECOND);
        }
    }
}

void marathon_flip_health(struct chance *chance)
{
    struct task *task = pick_running(chance);
    if (task && marathon.apps[task->app].definition.health_checks) {
        task->is_unhealthy = !task->is_unhealthy;
        task->was_unhealthy = true;
        client_publish(MAX_APPS + task_number(task), "health_status_changed_event",
                       mem_printf("{\"appId\":\"/a%zu\",\"instanceId\":\"%.*s\",\"alive\":%s,"
                                  "\"eventType\":\"health_status_changed_event\"}",
                                  task->app, (int)(strlen(task->id) - strlen("._app.1")), task->id,
                                  task->is_unhealthy ? "false" : "true"),
                       MAX_TASKS, LIFE_RUNNING, task->app, NULL);
    }
}

void marathon_change_leader(struct chance *chance)
{
    count_fault(FAULT_LEADER_CHANGED);
    marathon.is_up = false;
    client_lose("the leader has changed");
    schedule(chance_delay(chance, 10 * MS, 15 * SECOND), marathon_come_up, NULL,
             sim.profile.faults[FAULT_ANSWER_OLD] && chance_percent(chance, 40));
}

void marathon_come_up(void *arg, uint64_t answers_old)
{
    (void)arg;
    marathon.is_up = true;
    if (answers_old && !sim.is_calm) {
        marathon.old_until_us = now_us() + chance_delay(&luck, 100 * MS, 6 * SECOND);
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
        if (app->exists && (census.old > 0 || census.fresh != app->definition.instances)) {
            return false;
        }
    }
    return true;
}

void marathon_begin(void)
{
    memset(&marathon, 0, sizeof(marathon));
    chance_seed(&luck, sim.seed, 3);
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
        app->defined_us = app->moved_us = app->listed_us = 0;
    }
}
