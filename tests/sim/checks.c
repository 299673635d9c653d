/* SPDX-License-Identifier: MIT */
/* Health and readiness checks: results with time, or as a test says. */
#include <string.h>

#include "sim.h"

static struct json_object *find(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

bool checks_is_by_mesos(const struct app *app)
{
    struct json_object *check = app->health_checks ? json_object_array_get_idx(app->health_checks, 0) : NULL;
    const char *protocol = check ? json_object_get_string(find(check, "protocol")) : "";
    return strncmp(protocol, "MESOS", 5) == 0 || strcmp(protocol, "COMMAND") == 0;
}

/* ---- results that come with time ---- */

static void checks_tick(uv_timer_t *timer);

static void checks_wait(struct task *task)
{
    const uint64_t dues[] = {task->health_due, task->first_due, task->ready_due};
    uint64_t next = 0;
    for (size_t i = 0; i < sizeof(dues) / sizeof(dues[0]); i++) {
        next = dues[i] > 0 && (next == 0 || dues[i] < next) ? dues[i] : next;
    }
    if (next > 0) {
        uint64_t now = uv_now(task->sim->loop);
        uv_timer_start(task->check_timer, checks_tick, next > now ? next - now : 0, 0);
    }
}

static bool is_due(uint64_t *due, uint64_t now)
{
    bool now_due = *due > 0 && *due <= now;
    *due = now_due ? 0 : *due;
    return now_due;
}

static void checks_tick(uv_timer_t *timer)
{
    struct task *task = timer->data;
    uint64_t now = uv_now(task->sim->loop);
    const char *unhealthy = definition_env(task->app, "SIM_UNHEALTHY");
    bool is_ready = false;
    if (is_due(&task->first_due, now) && task->readiness == VERDICT_NONE) {
        task->readiness = VERDICT_BAD;
        is_ready = task->next_readiness == VERDICT_GOOD;
    }
    is_ready = is_due(&task->ready_due, now) || is_ready;
    bool is_checked = is_due(&task->health_due, now);
    checks_wait(task);
    if (is_checked && task->health == VERDICT_NONE) {
        bool fails = task->failing != 0 || (unhealthy && strcmp(unhealthy, "1") == 0);
        checks_set_health(task, task->failing != 0 ? (unsigned)__builtin_ctz(task->failing) : 0, !fails, false);
    }
    if (is_ready && task->app) {
        checks_set_ready(task, true);
    }
}

static uint64_t due_after(const struct task *task, const char *variable, int otherwise_ms)
{
    const char *text = definition_env(task->app, variable);
    long ms = text ? strtol(text, NULL, 10) : otherwise_ms;
    return ms >= 0 ? uv_now(task->sim->loop) + (uint64_t)ms + 1 : 0;
}

static void checks_begin_wait(struct task *task)
{
    if (task->health_due > 0 || task->first_due > 0 || task->ready_due > 0) {
        task->check_timer = task->check_timer ? task->check_timer : sim_new_timer(task->sim, task);
        checks_wait(task);
    }
}

void checks_start(struct task *task)
{
    const struct app *app = task->app;
    const struct options *options = &task->sim->options;
    checks_stop(task);
    if (app->health_checks) {
        task->health_due = due_after(task, "SIM_HEALTHY_MS", options->healthy_ms);
    }
    task->next_readiness = VERDICT_BAD;
    if (app->readiness_checks) {
        task->first_due = due_after(task, "SIM_FIRST_CHECK_MS", options->check_ms);
        task->ready_due = due_after(task, "SIM_READY_AFTER_MS", options->ready_ms);
    }
    checks_begin_wait(task);
}

void checks_stop(struct task *task)
{
    sim_close_timer(&task->check_timer);
    task->health_due = task->first_due = task->ready_due = 0;
}

static void task_forget_checks(struct task *task)
{
    const struct options *options = &task->sim->options;
    bool by_marathon = task->health != VERDICT_NONE && !task->by_mesos;
    bool was_checked = task->readiness != VERDICT_NONE;
    if (by_marathon) {
        task->health = VERDICT_NONE;
        task->healthy_ms = task->unhealthy_ms = 0;
        task->failures = 0;
        task->health_due = due_after(task, "SIM_HEALTHY_MS", options->healthy_ms);
    }
    if (was_checked) {
        task->next_readiness = task->readiness;
        task->readiness = VERDICT_NONE;
        task->first_due = due_after(task, "SIM_FIRST_CHECK_MS", options->check_ms);
    }
    if (by_marathon || was_checked) {
        task->check_timer = task->check_timer ? task->check_timer : sim_new_timer(task->sim, task);
        checks_wait(task);
    }
}

void checks_forget(struct sim *sim)
{
    for (struct app *app = sim->apps; app; app = app->next) {
        for (struct task *task = app->tasks; task; task = task->next) {
            if (task->state == TASK_RUNNING) {
                task_forget_checks(task);
            }
        }
    }
}

/* ---- results ---- */

static void checks_note(struct task *task, unsigned check, bool alive)
{
    unsigned bit = 1U << (check % 32);
    task->failing = alive ? task->failing & ~bit : task->failing | bit;
    task->health = task->failing == 0 ? VERDICT_GOOD : VERDICT_BAD;
    task->was_healthy = task->was_healthy || alive;
    task->healthy_ms = alive && task->healthy_ms == 0 ? sim_now_ms() : task->healthy_ms;
}

void checks_set_health(struct task *task, unsigned check, bool alive, bool kill)
{
    bool was_known = task->health != VERDICT_NONE;
    bool was_alive = was_known && !(task->failing & (1U << (check % 32)));
    bool counts = !alive && (was_known || task->was_healthy);
    if (!task->app || !task->app->health_checks || task->state != TASK_RUNNING) {
        return;
    }
    checks_note(task, check, alive);
    task->failures = task->failing == 0 ? 0 : task->failures + counts;
    task->unhealthy_ms = counts ? sim_now_ms() : task->unhealthy_ms;
    if (counts) {
        events_failed_check(task);
    }
    if (alive != was_alive || !was_known) {
        events_health(task, alive, alive != was_alive);
    }
    if (kill && !alive) {
        events_unhealthy_kill(task);
        task_kill(task, false, true, false);
    }
    model_reconcile(task->app);
}

void checks_set_ready(struct task *task, bool ready)
{
    task->readiness = ready ? VERDICT_GOOD : VERDICT_BAD;
    record_add(task->sim, "check %s %s", task->id, ready ? "ready" : "unready");
    model_reconcile(task->app);
}

/* ---- what answers say ---- */

static struct json_object *show_result(struct json_object *check, const struct task *task)
{
    bool ready = task->readiness == VERDICT_GOOD;
    struct json_object *result = json_object_new_object();
    record_add(task->sim, "told %s %s", task->id, ready ? "ready" : "unready");
    json_object_object_add(result, "name", json_object_get(find(check, "name")));
    json_object_object_add(result, "taskId", json_object_new_string(task->id));
    json_object_object_add(result, "ready", json_object_new_boolean(ready));
    if (json_object_get_boolean(find(check, "preserveLastResponse"))) {
        struct json_object *response = json_object_new_object();
        json_object_object_add(response, "status", json_object_new_int(ready ? 200 : 503));
        json_object_object_add(response, "contentType", json_object_new_string(""));
        json_object_object_add(response, "body",
                               json_object_new_string(ready ? "{\"ready\":true}" : "{\"ready\":false}"));
        json_object_object_add(result, "lastResponse", response);
    }
    return result;
}

struct json_object *checks_show_readiness(const struct app *app)
{
    struct json_object *results = json_object_new_array();
    if (!app->deployment || !app->readiness_checks) {
        return results;
    }
    for (const struct task *task = app->tasks; task; task = task->next) {
        bool is_of_it = task->generation == app->generation && task->started_in == app->deployment->number;
        for (size_t i = 0; is_of_it && i < json_object_array_length(app->readiness_checks); i++) {
            if (task->state == TASK_RUNNING && task->readiness != VERDICT_NONE) {
                json_object_array_add(results, show_result(json_object_array_get_idx(app->readiness_checks, i), task));
            }
        }
    }
    return results;
}

static void append_time(struct buf *buf, const char *key, int64_t ms)
{
    cleanup_free char *time = sim_time(ms);
    buf_printf(buf, ",\"%s\":\"%s\"", key, time);
}

/* A health check was good just now, whenever that is asked. */
static void append_health(struct buf *buf, const struct task *task, bool alive)
{
    buf_printf(buf, "{\"alive\":%s,\"consecutiveFailures\":%u", alive ? "true" : "false", alive ? 0 : task->failures);
    if (task->healthy_ms > 0) {
        append_time(buf, "firstSuccess", task->healthy_ms);
    }
    buf_printf(buf, ",\"instanceId\":\"instance [%s]\"", task->instance);
    if (task->healthy_ms > 0) {
        append_time(buf, "lastSuccess", alive ? sim_now_ms() : task->healthy_ms);
    }
    if (task->unhealthy_ms > 0) {
        append_time(buf, "lastFailure", task->unhealthy_ms);
        buf_printf(buf, ",\"lastFailureCause\":\"%s\"", task->by_mesos ? "" : "503 Service Unavailable");
    }
    buf_puts(buf, "}");
}

void checks_append_health(struct buf *buf, const struct task *task)
{
    bool known = task->health != VERDICT_NONE && task->state != TASK_ENDED && task->app;
    for (size_t i = 0; known && i < json_object_array_length(task->app->health_checks); i++) {
        buf_puts(buf, i > 0 ? "," : "");
        append_health(buf, task, !(task->failing & (1U << (i % 32))));
    }
}
