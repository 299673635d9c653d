/* SPDX-License-Identifier: MIT */
/* The events, each with the fields that a real Marathon gives it. */
#include <string.h>

#include "sim.h"

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void events_status(const struct task *task, const char *status, const char *message)
{
    struct json_object *event = json_object_new_object();
    struct json_object *ports = json_object_new_array();
    struct json_object *addresses = json_object_new_array();
    for (size_t i = 0; i < task->n_addresses; i++) {
        struct json_object *address = json_object_new_object();
        add_text(address, "ipAddress", task->addresses[i].ip);
        add_text(address, "protocol", task->addresses[i].is_v6 ? "IPv6" : "IPv4");
        json_object_array_add(addresses, address);
    }
    for (size_t i = 0; i < task->n_ports; i++) {
        json_object_array_add(ports, json_object_new_int(task->ports[i]));
    }
    record_add(task->sim, "status %s %s", task->id, status);
    add_text(event, "slaveId", task->slave);
    add_text(event, "taskId", task->id);
    add_text(event, "taskStatus", status);
    add_text(event, "message", message);
    add_text(event, "appId", task->app_id);
    add_text(event, "host", task->host);
    json_object_object_add(event, "ipAddresses", addresses);
    json_object_object_add(event, "ports", ports);
    add_text(event, "version", task->version);
    events_send(task->sim, "status_update_event", event);
}

void events_instance(const struct task *task, const char *condition)
{
    bool placed = strcmp(condition, "Scheduled") != 0;
    struct json_object *event = json_object_new_object();
    add_text(event, "instanceId", task->instance);
    add_text(event, "condition", condition);
    add_text(event, "runSpecId", task->app_id);
    add_text(event, "agentId", placed ? task->slave : NULL);
    add_text(event, "host", placed ? task->host : NULL);
    add_text(event, "runSpecVersion", task->version);
    events_send(task->sim, "instance_changed_event", event);
}

void events_unknown_terminated(const struct task *task, const char *condition)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "instanceId", task->instance);
    add_text(event, "runSpecId", task->app_id);
    add_text(event, "condition", condition);
    events_send(task->sim, "unknown_instance_terminated_event", event);
}

char *events_group_of(const char *app_id)
{
    const char *slash = strrchr(app_id, '/');
    return slash && slash != app_id ? mem_strndup(app_id, (size_t)(slash - app_id)) : mem_strdup("/");
}

void events_group_change(struct sim *sim, const char *group, const char *version, const char *failure)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "groupId", group);
    add_text(event, "version", version);
    if (failure) {
        add_text(event, "reason", failure);
    }
    events_send(sim, failure ? "group_change_failed" : "group_change_success", event);
}

void events_instance_health(const struct task *task, enum verdict health)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "instanceId", task->instance);
    add_text(event, "runSpecId", task->app_id);
    json_object_object_add(event, "healthy",
                           health == VERDICT_NONE ? NULL : json_object_new_boolean(health == VERDICT_GOOD));
    add_text(event, "runSpecVersion", task->version);
    events_send(task->sim, "instance_health_changed_event", event);
}

static void say_health(const struct task *task, bool alive)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "appId", task->app_id);
    add_text(event, "instanceId", task->instance);
    add_text(event, "version", task->version);
    json_object_object_add(event, "alive", json_object_new_boolean(alive));
    events_send(task->sim, "health_status_changed_event", event);
}

/* What Mesos finds out comes as a status update, and is told twice. */
void events_health(const struct task *task, bool alive, bool changed)
{
    enum verdict health = alive ? VERDICT_GOOD : VERDICT_BAD;
    if (changed) {
        say_health(task, alive);
        events_instance_health(task, health);
    }
    if (task->by_mesos) {
        events_status(task, "TASK_RUNNING", "");
        events_instance_health(task, health);
    }
}

static struct json_object *first_check(const struct app *app)
{
    return json_object_get(json_object_array_get_idx(app->health_checks, 0));
}

void events_health_check(const struct app *app, bool added)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "appId", app->id);
    if (added) {
        json_object_object_add(event, "healthCheck", first_check(app));
        add_text(event, "version", app->version);
    }
    events_send(app->sim, added ? "add_health_check_event" : "remove_health_check_event", event);
}

/* Its taskId holds the id of the instance. */
void events_failed_check(const struct task *task)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "appId", task->app_id);
    json_object_object_add(event, "healthCheck", first_check(task->app));
    add_text(event, "taskId", task->instance);
    events_send(task->sim, "failed_health_check_event", event);
}

void events_unhealthy_kill(const struct task *task)
{
    struct json_object *event = json_object_new_object();
    add_text(event, "appId", task->app_id);
    add_text(event, "taskId", task->id);
    add_text(event, "instanceId", task->instance);
    add_text(event, "version", task->version);
    add_text(event, "reason", "503 Service Unavailable");
    add_text(event, "host", task->host);
    add_text(event, "slaveId", task->slave);
    events_send(task->sim, "unhealthy_instance_kill_event", event);
}
