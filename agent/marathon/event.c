/* SPDX-License-Identifier: MIT */
/* One event of the stream: what it says about apps, instances and tasks. */
#include <string.h>

#include "app_parse.h"
#include "slotd/error.h"
#include "slotd/mem.h"

static enum marathon_event_type event_type_parse(const char *name)
{
    static const struct {
        const char *name;
        enum marathon_event_type type;
    } types[] = {
        {"event_stream_attached", MARATHON_EVENT_ATTACHED},
        {"status_update_event", MARATHON_EVENT_STATUS_UPDATE},
        {"instance_changed_event", MARATHON_EVENT_INSTANCE_CHANGED},
        {"unknown_instance_terminated_event", MARATHON_EVENT_INSTANCE_TERMINATED},
        {"health_status_changed_event", MARATHON_EVENT_HEALTH},
        {"failed_health_check_event", MARATHON_EVENT_HEALTH},
        {"api_post_event", MARATHON_EVENT_API_POST},
        {"app_terminated_event", MARATHON_EVENT_APP_TERMINATED},
        {"deployment_info", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_step_success", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_step_failure", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_success", MARATHON_EVENT_DEPLOYMENT},
        {"deployment_failed", MARATHON_EVENT_DEPLOYMENT},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, name) == 0) {
            return types[i].type;
        }
    }
    return MARATHON_EVENT_OTHER;
}

static enum marathon_task_state condition_parse(const char *name)
{
    static const struct {
        const char *name;
        enum marathon_task_state state;
    } conditions[] = {
        {"Scheduled", MARATHON_TASK_STAGING},       {"Provisioned", MARATHON_TASK_STAGING},
        {"Staging", MARATHON_TASK_STAGING},         {"Starting", MARATHON_TASK_STARTING},
        {"Running", MARATHON_TASK_RUNNING},         {"Killing", MARATHON_TASK_KILLING},
        {"Unreachable", MARATHON_TASK_UNREACHABLE}, {"UnreachableInactive", MARATHON_TASK_UNREACHABLE},
        {"Killed", MARATHON_TASK_TERMINAL},         {"Failed", MARATHON_TASK_TERMINAL},
        {"Finished", MARATHON_TASK_TERMINAL},       {"Gone", MARATHON_TASK_TERMINAL},
        {"Dropped", MARATHON_TASK_TERMINAL},        {"Error", MARATHON_TASK_TERMINAL},
        {"Unknown", MARATHON_TASK_TERMINAL},
    };
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (strcmp(conditions[i].name, name) == 0) {
            return conditions[i].state;
        }
    }
    return MARATHON_TASK_OTHER;
}

static char *read_id(const struct json_place *place, const char *key)
{
    struct json_place id = json_place_member(place, key);
    return json_place_id(&id);
}

static void read_status_update(struct marathon_event *event, const struct json_place *place)
{
    struct marathon_task *task = MEM_NEW(struct marathon_task);
    struct json_place host = json_place_member(place, "host");
    struct json_place version = json_place_member(place, "version");
    struct json_place status = json_place_member(place, "taskStatus");
    struct json_place ports = json_place_member(place, "ports");
    struct json_place addresses = json_place_member(place, "ipAddresses");
    event->task = task;
    event->app_id = read_id(place, "appId");
    task->id = read_id(place, "taskId");
    cleanup_free char *state_name = json_place_required_text(&status);
    event->state = task->state = marathon_task_state_parse(state_name);
    task->host = json_place_text(&host);
    task->version = json_place_text(&version);
    task->started_ms = MARATHON_NO_TIME;
    task->ports = app_read_ports(&ports, &task->n_ports);
    task->addresses = app_read_addresses(&addresses, &task->n_addresses);
}

static void read_instance(struct marathon_event *event, const struct json_place *place)
{
    struct json_place condition = json_place_member(place, "condition");
    event->app_id = read_id(place, "runSpecId");
    event->instance_id = read_id(place, "instanceId");
    cleanup_free char *name = json_place_required_text(&condition);
    event->state = condition_parse(name);
    if (event->type == MARATHON_EVENT_INSTANCE_TERMINATED) {
        event->state = MARATHON_TASK_TERMINAL;
    }
}

/* A failed check is told once more at each failure, in which the instance's id is called taskId and alive is
 * understood.
 */
static void read_health(struct marathon_event *event, const struct json_place *place)
{
    bool failed = strcmp(event->name, "failed_health_check_event") == 0;
    struct json_place instance_id = json_place_member(place, "instanceId");
    struct json_place alive = json_place_member(place, "alive");
    event->app_id = read_id(place, "appId");
    event->instance_id = failed && !instance_id.is_there ? read_id(place, "taskId") : json_place_id(&instance_id);
    alive.is_required = !failed;
    event->alive = !failed && json_place_flag(&alive);
}

static void read_api_post(struct marathon_event *event, const struct json_place *place)
{
    struct json_place definition = json_place_member(place, "appDefinition");
    definition.is_required = true;
    event->app = app_read_definition(&definition);
    event->app_id = mem_strdup(event->app->id);
}

static void read_event(struct marathon_event *event, const struct json_place *place)
{
    switch (event->type) {
    case MARATHON_EVENT_STATUS_UPDATE:
        read_status_update(event, place);
        break;
    case MARATHON_EVENT_INSTANCE_CHANGED:
    case MARATHON_EVENT_INSTANCE_TERMINATED:
        read_instance(event, place);
        break;
    case MARATHON_EVENT_HEALTH:
        read_health(event, place);
        break;
    case MARATHON_EVENT_API_POST:
        read_api_post(event, place);
        break;
    case MARATHON_EVENT_APP_TERMINATED:
        event->app_id = read_id(place, "appId");
        break;
    case MARATHON_EVENT_OTHER:
    case MARATHON_EVENT_ATTACHED:
    case MARATHON_EVENT_DEPLOYMENT:
        break;
    }
    event->app_id = event->app_id ? event->app_id : mem_strdup("");
    event->instance_id = event->instance_id ? event->instance_id : mem_strdup("");
}

int marathon_event_parse(const char *name, const char *data, size_t len, struct marathon_event **ret_event,
                         struct buf *why)
{
    struct json_object *document = NULL;
    int err = json_document_parse(data, len, &document, why);
    if (err) {
        return err;
    }
    struct json_reading reading = {.why = why};
    struct json_place root = json_place_document(&reading, document);
    struct json_place own_name = json_place_member(&root, "eventType");
    struct marathon_event *event = MEM_NEW(struct marathon_event);
    (void)json_place_is_object(&root);
    event->name = json_place_text(&own_name);
    if (event->name[0] == '\0') {
        free(event->name);
        event->name = mem_strdup(name ? name : "");
    }
    event->type = event_type_parse(event->name);
    read_event(event, &root);
    json_object_put(document);
    if (reading.err) {
        marathon_event_free(event);
        return reading.err;
    }
    *ret_event = event;
    return 0;
}

void marathon_event_free(struct marathon_event *event)
{
    if (event) {
        marathon_task_free(event->task);
        marathon_app_free(event->app);
        free(event->instance_id);
        free(event->app_id);
        free(event->name);
        free(event);
    }
}
