/* SPDX-License-Identifier: MIT */
/* What Marathon says: its events, and snapshots of what it knows. Facts: recordings of Marathon 1.11. */
#include <stdio.h>
#include <string.h>

#include "marathon_parts.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static const char *const state_names[] = {
    [LIFE_STAGING] = "TASK_STAGING", [LIFE_STARTING] = "TASK_STARTING",       [LIFE_RUNNING] = "TASK_RUNNING",
    [LIFE_KILLING] = "TASK_KILLING", [LIFE_UNREACHABLE] = "TASK_UNREACHABLE", [LIFE_OVER] = "TASK_FAILED",
};

const char *life_name(enum life state)
{
    return state_names[state];
}

static size_t task_number(const struct task *task)
{
    return (size_t)(task - marathon.tasks);
}

void publish_status(const struct task *task, const char *state)
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

void publish_instance(const struct task *task, const char *name, const char *condition)
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
    if (definition->readiness_s) {
        buf_printf(json, "\"readinessChecks\":[{\"timeoutSeconds\":%u}],", (unsigned)definition->readiness_s);
    }
    buf_printf(json, "\"labels\":{\"traefik.enable\":\"%s\"", definition->enabled ? "true" : "false");
    if (definition->segments) {
        buf_printf(json, ",\"traefik.web.portIndex\":\"%u\",\"traefik.adm.portIndex\":\"%u\"", definition->port_index,
                   definition->port_index ^ 1u);
    } else {
        buf_printf(json, ",\"traefik.portIndex\":\"%u\"", definition->port_index);
    }
    if (definition->segments && !definition->shares) {
        buf_printf(json, ",\"traefik.web.backend\":\"-a%zu\"", app);
    }
    if (definition->shares) {
        buf_puts(json, ",\"traefik.backend\":\"blue\"");
    }
    if (definition->tagged) {
        buf_puts(json, ",\"traefik.tags\":\"other,live-1\"");
    }
    if (definition->weight) {
        buf_printf(json, ",\"traefik.weight\":\"%u\"", definition->weight);
    }
    if (definition->check_port) {
        buf_printf(json, ",\"traefik.backend.healthcheck.port\":\"%u\"", definition->check_port);
        buf_puts(json, sim.profile.maps ? ",\"traefik.backend.healthcheck.path\":\"/check\"" : "");
    }
    if (definition->rule) {
        buf_puts(json, ",\"traefik.frontend.rule\":\"");
        definition_label(app, definition, json);
        buf_puts(json, "\"");
    }
    if (definition->class) {
        buf_puts(json, definition->class == 1 ? ",\"traefik.backend.loadbalancer.stickiness\":\"true\""
                                              : ",\"traefik.backend.loadbalancer.method\":\"drr\"");
    }
    buf_puts(json, "}");
}

void publish_health(const struct task *task)
{
    client_publish(MAX_APPS + task_number(task), "health_status_changed_event",
                   mem_printf("{\"appId\":\"/a%zu\",\"instanceId\":\"%.*s\",\"alive\":%s,"
                              "\"eventType\":\"health_status_changed_event\"}",
                              task->app, (int)(strlen(task->id) - strlen("._app.1")), task->id,
                              task->is_unhealthy ? "false" : "true"),
                   MAX_TASKS, LIFE_RUNNING, task->app, NULL);
}

void publish_definition(size_t app, const struct definition *definition)
{
    struct buf json = BUF_INIT;
    buf_puts(&json, "{\"eventType\":\"api_post_event\",\"appDefinition\":{");
    write_definition(app, definition, &json);
    buf_puts(&json, "}}");
    client_publish(app, "api_post_event", buf_steal(&json), MAX_TASKS, LIFE_STAGING, app, definition);
}

void publish_end(size_t app)
{
    client_publish(app, "app_terminated_event",
                   mem_printf("{\"appId\":\"/a%zu\",\"eventType\":\"app_terminated_event\"}", app), MAX_TASKS,
                   LIFE_OVER, app, NULL);
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
               life_name(state), task->version, host, (unsigned)task->ports[0], (unsigned)task->ports[1]);
    if (marathon.apps[task->app].definition.health_checks && (is_unhealthy || state == LIFE_RUNNING)) {
        buf_printf(json, ",\"healthCheckResults\":[{\"alive\":%s}]", is_unhealthy ? "false" : "true");
    }
    if (task->readiness_s > 0 && task->started_us > 0) {
        char started[32];
        text_format_time(WALL_START + task->started_us / MS, started);
        buf_printf(json, ",\"startedAt\":\"%s\"", started);
    }
    buf_putc(json, '}');
}

/* ---- snapshots ---- */

/* Only while the deployment runs that started it. */
static enum result task_result(const struct task *task)
{
    return task->deployment > 0 && task->deployment == marathon.apps[task->app].deployment ? task->result : RESULT_NONE;
}

void snapshot_take(struct snapshot *snapshot)
{
    snapshot->at_us = now_us();
    snapshot->n_tasks = 0;
    for (size_t i = 0; i < MAX_APPS; i++) {
        snapshot->exists[i] = marathon.apps[i].exists;
        snapshot->definitions[i] = marathon.apps[i].definition;
        snapshot->deployments[i] = marathon.apps[i].deployment;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        if (task->is_listed && marathon.apps[task->app].exists) {
            MEM_GROW(snapshot->tasks, snapshot->capacity, snapshot->n_tasks + 1);
            snapshot->tasks[snapshot->n_tasks++] =
                (struct listed){(uint16_t)i, (uint8_t)task->state, task->is_unhealthy, (uint8_t)task_result(task)};
        }
    }
}

static void write_results(const struct snapshot *snapshot, size_t app, struct buf *json)
{
    const char *comma = "";
    buf_puts(json, "\"readinessCheckResults\":[");
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        const struct task *task = &marathon.tasks[snapshot->tasks[i].task];
        if (task->app == app && snapshot->tasks[i].result != RESULT_NONE) {
            buf_printf(json, "%s{\"taskId\":\"%s\",\"ready\":%s}", comma, task->id,
                       snapshot->tasks[i].result == RESULT_GOOD ? "true" : "false");
            comma = ",";
        }
    }
    buf_puts(json, "],");
}

void snapshot_write_app(const struct snapshot *snapshot, size_t app, struct buf *json)
{
    const char *comma = "";
    buf_puts(json, "{");
    write_definition(app, &snapshot->definitions[app], json);
    buf_puts(json, ",\"deployments\":[");
    if (snapshot->deployments[app]) {
        buf_printf(json, "{\"id\":\"d%u\"}", snapshot->deployments[app]);
    }
    buf_puts(json, "],");
    write_results(snapshot, app, json);
    buf_puts(json, "\"tasks\":[");
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
