/* SPDX-License-Identifier: MIT */
/* Apps and tasks as values: life, copies, small questions. */
#include <string.h>

#include "slotd/marathon.h"
#include "slotd/mem.h"

void marathon_task_free(struct marathon_task *task)
{
    if (!task) {
        return;
    }
    for (size_t i = 0; i < task->n_addresses; i++) {
        free(task->addresses[i]);
    }
    free(task->addresses);
    free(task->ports);
    free(task->version);
    free(task->host);
    free(task->id);
    free(task);
}

static void ports_free(struct marathon_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(ports[i].name);
    }
    free(ports);
}

void marathon_app_free(struct marathon_app *app)
{
    if (!app) {
        return;
    }
    for (size_t i = 0; i < app->n_labels; i++) {
        free(app->labels[i].key);
        free(app->labels[i].value);
    }
    for (size_t i = 0; i < app->n_constraints; i++) {
        free(app->constraints[i]);
    }
    for (size_t i = 0; i < app->n_readiness; i++) {
        free(app->readiness[i].task_id);
    }
    for (size_t i = 0; i < app->n_tasks; i++) {
        marathon_task_free(app->tasks[i]);
    }
    ports_free(app->port_definitions, app->n_port_definitions);
    ports_free(app->port_mappings, app->n_port_mappings);
    ports_free(app->discovery_ports, app->n_discovery_ports);
    free(app->labels);
    free(app->constraints);
    free(app->readiness);
    free(app->tasks);
    free(app->version);
    free(app->id);
    free(app);
}

static struct marathon_port *ports_copy(const struct marathon_port *ports, size_t count)
{
    struct marathon_port *copy = mem_alloc_array(count, sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = ports[i];
        copy[i].name = mem_strdup(ports[i].name);
    }
    return copy;
}

static char **texts_copy(char *const *texts, size_t count)
{
    char **copy = mem_alloc_array(count, sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = mem_strdup(texts[i]);
    }
    return copy;
}

struct marathon_app *marathon_app_copy_definition(const struct marathon_app *app)
{
    struct marathon_app *copy = MEM_NEW(struct marathon_app);
    *copy = *app;
    copy->id = mem_strdup(app->id);
    copy->version = mem_strdup(app->version);
    copy->labels = mem_alloc_array(app->n_labels, sizeof(*copy->labels));
    for (size_t i = 0; i < app->n_labels; i++) {
        copy->labels[i] = (struct marathon_label){mem_strdup(app->labels[i].key), mem_strdup(app->labels[i].value)};
    }
    copy->port_definitions = ports_copy(app->port_definitions, app->n_port_definitions);
    copy->port_mappings = ports_copy(app->port_mappings, app->n_port_mappings);
    copy->discovery_ports = ports_copy(app->discovery_ports, app->n_discovery_ports);
    copy->constraints = texts_copy(app->constraints, app->n_constraints);
    copy->readiness = mem_alloc_array(app->n_readiness, sizeof(*copy->readiness));
    for (size_t i = 0; i < app->n_readiness; i++) {
        copy->readiness[i] =
            (struct marathon_readiness){mem_strdup(app->readiness[i].task_id), app->readiness[i].ready};
    }
    copy->tasks = NULL;
    copy->n_tasks = 0;
    return copy;
}

struct marathon_task *marathon_task_copy(const struct marathon_task *task)
{
    struct marathon_task *copy = MEM_NEW(struct marathon_task);
    *copy = *task;
    copy->id = mem_strdup(task->id);
    copy->host = mem_strdup(task->host);
    copy->version = mem_strdup(task->version);
    copy->addresses = texts_copy(task->addresses, task->n_addresses);
    copy->ports = mem_alloc_array(task->n_ports, sizeof(*copy->ports));
    if (task->n_ports > 0) {
        memcpy(copy->ports, task->ports, task->n_ports * sizeof(*copy->ports));
    }
    return copy;
}

const char *marathon_app_label(const struct marathon_app *app, const char *key)
{
    size_t low = 0;
    size_t high = app->n_labels;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(app->labels[middle].key, key);
        if (order == 0) {
            return app->labels[middle].value;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

enum marathon_task_state marathon_task_state_parse(const char *name)
{
    static const struct {
        const char *name;
        enum marathon_task_state state;
    } states[] = {
        {"TASK_RUNNING", MARATHON_TASK_RUNNING},
        {"TASK_STAGING", MARATHON_TASK_STAGING},
        {"TASK_STARTING", MARATHON_TASK_STARTING},
        {"TASK_KILLING", MARATHON_TASK_KILLING},
        {"TASK_UNREACHABLE", MARATHON_TASK_UNREACHABLE},
        {"TASK_FINISHED", MARATHON_TASK_TERMINAL},
        {"TASK_FAILED", MARATHON_TASK_TERMINAL},
        {"TASK_KILLED", MARATHON_TASK_TERMINAL},
        {"TASK_ERROR", MARATHON_TASK_TERMINAL},
        {"TASK_LOST", MARATHON_TASK_TERMINAL},
        {"TASK_DROPPED", MARATHON_TASK_TERMINAL},
        {"TASK_GONE", MARATHON_TASK_TERMINAL},
        {"TASK_GONE_BY_OPERATOR", MARATHON_TASK_TERMINAL},
        {"TASK_UNKNOWN", MARATHON_TASK_TERMINAL},
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i].name, name) == 0) {
            return states[i].state;
        }
    }
    return MARATHON_TASK_OTHER;
}

const char *marathon_task_state_text(enum marathon_task_state state)
{
    switch (state) {
    case MARATHON_TASK_OTHER:
        return "other";
    case MARATHON_TASK_STAGING:
        return "staging";
    case MARATHON_TASK_STARTING:
        return "starting";
    case MARATHON_TASK_RUNNING:
        return "running";
    case MARATHON_TASK_KILLING:
        return "killing";
    case MARATHON_TASK_UNREACHABLE:
        return "unreachable";
    case MARATHON_TASK_TERMINAL:
        return "terminal";
    }
    return "other";
}

/* Behind the instance's id stands a container (`_app`, or a pod's by its bare name), then the attempt, and nothing
 * more: app ids may contain dots, so that one id can begin with another. */
bool marathon_task_is_of_instance(const char *task_id, const char *instance_id)
{
    size_t len = strlen(instance_id);
    if (len == 0 || strncmp(task_id, instance_id, len) != 0 || task_id[len] != '.') {
        return false;
    }
    const char *container = task_id + len + 1;
    container += *container == '_' ? 1 : 0;
    size_t container_len = strcspn(container, ".");
    const char *attempt = container + container_len;
    if (container_len == 0 || *attempt == '\0') {
        return container_len > 0;
    }
    attempt++;
    size_t digits = strspn(attempt, "0123456789");
    return digits > 0 && attempt[digits] == '\0';
}
