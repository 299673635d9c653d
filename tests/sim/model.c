/* SPDX-License-Identifier: MIT */
/* Apps and tasks: Marathon's real life cycle, with its order of events. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim.h"

/* ---- small things ---- */

int64_t sim_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *sim_time(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[32];
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    return mem_printf("%s.%03dZ", text, (int)(ms % 1000));
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void sim_close_timer(uv_timer_t **timer)
{
    if (*timer) {
        uv_close((uv_handle_t *)*timer, timer_closed);
        *timer = NULL;
    }
}

struct app *model_find_app(struct sim *sim, const char *id)
{
    struct app *app = sim->apps;
    while (app && strcmp(app->id, id) != 0) {
        app = app->next;
    }
    return app;
}

struct task *model_find_task(struct sim *sim, const char *id)
{
    struct task *task = sim->tasks;
    while (task && strcmp(task->id, id) != 0) {
        task = task->next;
    }
    return task;
}

/* ---- tasks ---- */

static void task_wait(struct task *task, int ms, uv_timer_cb then)
{
    uv_timer_start(task->timer, then, (uint64_t)ms, 0);
}

static void task_free(struct task *task)
{
    *task->link = task->next;
    if (task->next) {
        task->next->link = task->link;
    }
    sim_close_timer(&task->timer);
    free(task->app_id);
    free(task->id);
    free(task->instance);
    free(task->version);
    free(task->host);
    free(task);
}

static void linger_over(uv_timer_t *timer)
{
    backend_kill(timer->data);
    uv_close((uv_handle_t *)timer, timer_closed);
}

static void task_stop_serving(struct task *task)
{
    if (task->backend && task->sim->options.linger_ms > 0) {
        uv_timer_t *timer = MEM_NEW(uv_timer_t);
        uv_timer_init(task->sim->loop, timer);
        timer->data = task->backend;
        uv_timer_start(timer, linger_over, (uint64_t)task->sim->options.linger_ms, 0);
    } else {
        backend_kill(task->backend);
    }
    task->backend = NULL;
}

static void task_end(struct task *task, const char *status, const char *condition)
{
    struct app *app = task->app;
    task->state = TASK_ENDED;
    if (task->wiped) {
        struct json_object *event = json_object_new_object();
        json_object_object_add(event, "instanceId", json_object_new_string(task->instance));
        json_object_object_add(event, "runSpecId", json_object_new_string(task->app_id));
        json_object_object_add(event, "condition", json_object_new_string(condition));
        events_instance(task, condition);
        events_send(task->sim, "unknown_instance_terminated_event", event);
    } else {
        events_status(task, status);
        events_instance(task, condition);
    }
    task_stop_serving(task);
    task_free(task);
    if (app) {
        model_reconcile(app);
    }
}

static void task_killed(uv_timer_t *timer)
{
    task_end(timer->data, "TASK_KILLED", "Killed");
}

static void task_killing(uv_timer_t *timer)
{
    struct task *task = timer->data;
    if (!task->wiped) {
        events_status(task, "TASK_KILLING");
        events_instance(task, "Killing");
    }
    task_wait(task, task->sim->options.killed_ms, task_killed);
}

static void task_running(uv_timer_t *timer)
{
    struct task *task = timer->data;
    task->state = TASK_RUNNING;
    task->started_ms = sim_now_ms();
    events_status(task, "TASK_RUNNING");
    events_instance(task, "Running");
    if (task->app) {
        model_reconcile(task->app);
    }
}

static void task_starting(uv_timer_t *timer)
{
    struct task *task = timer->data;
    task->state = TASK_STARTING;
    events_status(task, "TASK_STARTING");
    events_instance(task, "Starting");
    task_wait(task, task->sim->options.running_ms, task_running);
}

static char *flat_id(const char *id)
{
    char *flat = mem_strdup(id + (id[0] == '/'));
    for (char *c = flat; *c; c++) {
        *c = *c == '/' ? '_' : *c;
    }
    return flat;
}

static void task_start(struct app *app)
{
    struct sim *sim = app->sim;
    struct task *task = MEM_NEW(struct task);
    cleanup_free char *flat = flat_id(app->id);
    task->sim = sim;
    task->app = app;
    task->app_id = mem_strdup(app->id);
    task->version = mem_strdup(app->version);
    task->generation = app->generation;
    task->host = mem_strdup(sim->options.host);
    task->instance =
        mem_printf("%s.instance-%08llx-e6d5-11f1-b63d-02fc00000001", flat, (unsigned long long)++sim->sequence);
    task->id = mem_printf("%s._app.1", task->instance);
    task->staged_ms = sim_now_ms();
    task->next = sim->tasks;
    task->link = &sim->tasks;
    if (task->next) {
        task->next->link = &task->next;
    }
    sim->tasks = task;
    task->backend = sim->options.backends ? backend_new(sim, task->host, task->id) : NULL;
    task->port = task->backend ? backend_port(task->backend) : 31000 + (int)(sim->sequence % 20000);
    task->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(sim->loop, task->timer);
    task->timer->data = task;
    events_instance(task, "Scheduled");
    events_instance(task, "Provisioned");
    task_wait(task, sim->options.starting_ms, task_starting);
}

void model_kill_task(struct task *task, bool wipe)
{
    if (task->state == TASK_KILLING) {
        return;
    }
    task->state = TASK_KILLING;
    task->wiped = wipe;
    task_wait(task, task->sim->options.killing_ms, task_killing);
}

void model_fail_task(struct task *task)
{
    task->wiped = false;
    task_end(task, "TASK_FAILED", "Failed");
}

void model_set_reachable(struct task *task, bool reachable)
{
    if (reachable && task->state == TASK_UNREACHABLE) {
        task->state = TASK_RUNNING;
        events_status(task, "TASK_RUNNING");
        events_instance(task, "Running");
    } else if (!reachable && task->state == TASK_RUNNING) {
        task->state = TASK_UNREACHABLE;
        events_status(task, "TASK_UNREACHABLE");
        events_instance(task, "Unreachable");
    }
}

/* ---- apps ---- */

struct census {
    unsigned fresh, fresh_running, old;
    struct task *youngest_fresh, *youngest_old;
};

/* Tasks stand in the list youngest first. */
static struct census app_count(const struct app *app)
{
    struct census census = {0};
    for (struct task *task = app->sim->tasks; task; task = task->next) {
        if (task->app != app || task->state == TASK_KILLING) {
            continue;
        }
        if (task->generation == app->generation) {
            census.fresh++;
            census.fresh_running += task->state == TASK_RUNNING;
            census.youngest_fresh = census.youngest_fresh ? census.youngest_fresh : task;
        } else {
            census.old++;
            census.youngest_old = census.youngest_old ? census.youngest_old : task;
        }
    }
    return census;
}

static void app_say_deployment(struct app *app, const char *name)
{
    cleanup_free char *time = sim_time(sim_now_ms());
    struct json_object *event = json_object_new_object();
    struct json_object *plan = json_object_new_object();
    json_object_object_add(plan, "id", json_object_new_string("c2a8c180-986b-4503-ba69-2c338f62c834"));
    json_object_object_add(plan, "steps", json_object_new_array());
    json_object_object_add(plan, "version", json_object_new_string(time));
    json_object_object_add(event, "plan", plan);
    events_send(app->sim, name, event);
}

void model_reconcile(struct app *app)
{
    struct census census = app_count(app);
    while (census.fresh < app->instances) {
        task_start(app);
        census.fresh++;
    }
    while (census.fresh > app->instances) {
        model_kill_task(census.youngest_fresh, false);
        census = app_count(app);
    }
    /* New ones run before old ones go. */
    while (census.old > 0 && census.old + census.fresh_running > app->instances) {
        model_kill_task(census.youngest_old, false);
        census = app_count(app);
    }
    if (app->deploying && census.old == 0 && census.fresh_running == app->instances) {
        app->deploying = false;
        app_say_deployment(app, "deployment_success");
    }
}

/* Whether only the number of instances differs. */
static bool is_scaling(struct json_object *definition)
{
    struct json_object *labels = NULL;
    json_object_object_get_ex(definition, "labels", &labels);
    return !labels && json_object_object_length(definition) <= 2;
}

static void definition_merge(struct json_object *into, struct json_object *from)
{
    json_object_object_foreach(from, key, value)
    {
        json_object_object_add(into, key, json_object_get(value));
    }
}

static struct app *app_new(struct sim *sim, const char *id)
{
    struct app *app = MEM_NEW(struct app);
    app->sim = sim;
    app->id = mem_strdup(id);
    app->instances = 1;
    app->definition = json_object_new_object();
    app->next = sim->apps;
    app->link = &sim->apps;
    if (app->next) {
        app->next->link = &app->next;
    }
    sim->apps = app;
    return app;
}

struct app *model_put_app(struct sim *sim, const char *id, struct json_object *definition)
{
    struct app *app = model_find_app(sim, id);
    bool scaling = app && is_scaling(definition);
    struct json_object *instances = NULL;
    if (!app) {
        app = app_new(sim, id);
    } else if (!scaling) {
        app->generation++;
    }
    definition_merge(app->definition, definition);
    json_object_put(definition);
    if (json_object_object_get_ex(app->definition, "instances", &instances)) {
        app->instances = (unsigned)json_object_get_int(instances);
    }
    free(app->version);
    app->version = sim_time(sim_now_ms());
    json_object_object_add(app->definition, "id", json_object_new_string(id));
    json_object_object_add(app->definition, "instances", json_object_new_int((int)app->instances));
    json_object_object_add(app->definition, "version", json_object_new_string(app->version));
    struct json_object *event = json_object_new_object();
    struct json_object *copy = NULL;
    json_object_deep_copy(app->definition, &copy, NULL);
    json_object_object_add(event, "clientIp", json_object_new_string("127.0.0.1"));
    json_object_object_add(event, "uri", json_object_new_string("/v2/apps"));
    json_object_object_add(event, "appDefinition", copy);
    events_send(sim, "api_post_event", event);
    app->deploying = true;
    app_say_deployment(app, "deployment_info");
    model_reconcile(app);
    return app;
}

void model_delete_app(struct app *app)
{
    struct sim *sim = app->sim;
    struct json_object *event = json_object_new_object();
    for (struct task *task = sim->tasks; task; task = task->next) {
        if (task->app == app) {
            model_kill_task(task, false);
            task->app = NULL;
        }
    }
    *app->link = app->next;
    if (app->next) {
        app->next->link = app->link;
    }
    json_object_object_add(event, "appId", json_object_new_string(app->id));
    events_send(sim, "app_terminated_event", event);
    json_object_put(app->definition);
    free(app->id);
    free(app->version);
    free(app);
}

bool model_is_settled(const struct sim *sim)
{
    for (const struct app *app = sim->apps; app; app = app->next) {
        if (app->deploying) {
            return false;
        }
    }
    for (const struct task *task = sim->tasks; task; task = task->next) {
        if (task->state != TASK_RUNNING && task->state != TASK_UNREACHABLE) {
            return false;
        }
    }
    return true;
}

/* ---- as JSON ---- */

static const char *const state_names[] = {
    [TASK_STAGING] = "TASK_STAGING", [TASK_STARTING] = "TASK_STARTING",       [TASK_RUNNING] = "TASK_RUNNING",
    [TASK_KILLING] = "TASK_KILLING", [TASK_UNREACHABLE] = "TASK_UNREACHABLE", [TASK_ENDED] = "TASK_FAILED",
};

static void add_time(struct json_object *object, const char *key, int64_t ms)
{
    cleanup_free char *text = sim_time(ms);
    json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *show_task(const struct task *task)
{
    struct json_object *object = json_object_new_object();
    struct json_object *ports = json_object_new_array();
    json_object_array_add(ports, json_object_new_int(task->port));
    json_object_object_add(object, "appId", json_object_new_string(task->app_id));
    json_object_object_add(object, "healthCheckResults", json_object_new_array());
    json_object_object_add(object, "host", json_object_new_string(task->host));
    json_object_object_add(object, "id", json_object_new_string(task->id));
    json_object_object_add(object, "ipAddresses", json_object_new_array());
    json_object_object_add(object, "ports", ports);
    json_object_object_add(object, "servicePorts", json_object_new_array());
    json_object_object_add(object, "slaveId", json_object_new_string("b1f0a7c4-S0"));
    json_object_object_add(object, "state", json_object_new_string(state_names[task->state]));
    add_time(object, "stagedAt", task->staged_ms);
    if (task->started_ms) {
        add_time(object, "startedAt", task->started_ms);
    }
    json_object_object_add(object, "version", json_object_new_string(task->version));
    json_object_object_add(object, "localVolumes", json_object_new_array());
    json_object_object_add(object, "role", json_object_new_string("*"));
    return object;
}

struct json_object *model_show_app(const struct app *app)
{
    struct json_object *object = NULL;
    struct json_object *tasks = json_object_new_array();
    struct json_object *deployments = json_object_new_array();
    int running = 0;
    for (const struct task *task = app->sim->tasks; task; task = task->next) {
        if (task->app == app) {
            json_object_array_add(tasks, show_task(task));
            running += task->state == TASK_RUNNING;
        }
    }
    if (app->deploying) {
        struct json_object *deployment = json_object_new_object();
        json_object_object_add(deployment, "id", json_object_new_string("c2a8c180-986b-4503-ba69-2c338f62c834"));
        json_object_array_add(deployments, deployment);
    }
    json_object_deep_copy(app->definition, &object, NULL);
    json_object_object_add(object, "tasksRunning", json_object_new_int(running));
    json_object_object_add(object, "deployments", deployments);
    json_object_object_add(object, "readinessCheckResults", json_object_new_array());
    json_object_object_add(object, "tasks", tasks);
    return object;
}

/* The order of apps changes between answers, as a real Marathon's does. */
struct json_object *model_show_apps(const struct sim *sim)
{
    struct json_object *apps = json_object_new_array();
    struct json_object *document = json_object_new_object();
    for (int round = 0; round < 2; round++) {
        size_t i = 0;
        for (const struct app *app = sim->apps; app; app = app->next, i++) {
            if ((int)((i + sim->fetches) % 2) == round) {
                json_object_array_add(apps, model_show_app(app));
            }
        }
    }
    json_object_object_add(document, "apps", apps);
    return document;
}
