/* SPDX-License-Identifier: MIT */
/* One app's JSON to struct marathon_app: what is not known is passed over, what is known must have its type. */
#include "app_parse.h"

#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/table.h"
#include "slotd/text.h"

#define MESSAGE_MAX_ID 200 /* bytes of an id that a message shows */

/* ---- lists ---- */

int32_t *app_read_ports(const struct json_place *place, size_t *ret_count)
{
    size_t count = json_place_count(place);
    int32_t *ports = mem_alloc_array(count, sizeof(*ports));
    for (size_t i = 0; i < count; i++) {
        struct json_place element = json_place_element(place, i);
        ports[i] = json_place_port(&element);
    }
    *ret_count = count;
    return ports;
}

/* An entry without an address keeps its place in the list, since labels pick by index. */
char **app_read_addresses(const struct json_place *place, size_t *ret_count)
{
    size_t count = json_place_count(place);
    char **addresses = mem_alloc_array(count, sizeof(*addresses));
    for (size_t i = 0; i < count; i++) {
        struct json_place element = json_place_element(place, i);
        struct json_place address = json_place_member(&element, "ipAddress");
        (void)json_place_is_object(&element);
        addresses[i] = json_place_text(&address);
    }
    *ret_count = count;
    return addresses;
}

/* Of what is perhaps no list: 0 then, and nobody is told. */
static size_t count_list(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

/* number: the member that holds the port. */
static struct marathon_port *read_named_ports(const struct json_place *place, const char *number, size_t *ret_count)
{
    size_t count = json_place_count(place);
    struct marathon_port *ports = mem_alloc_array(count, sizeof(*ports));
    for (size_t i = 0; i < count; i++) {
        struct json_place element = json_place_element(place, i);
        struct json_place name = json_place_member(&element, "name");
        struct json_place port = json_place_member(&element, number);
        struct json_place host_port = json_place_member(&element, "hostPort");
        (void)json_place_is_object(&element);
        ports[i].name = json_place_text(&name);
        ports[i].port = json_place_port(&port);
        (void)json_place_port(&host_port);
        ports[i].has_host_port = host_port.value != NULL;
    }
    *ret_count = count;
    return ports;
}

/* ---- the definition ---- */

static int label_compare(const void *left, const void *right)
{
    return strcmp(((const struct marathon_label *)left)->key, ((const struct marathon_label *)right)->key);
}

/* json-c's objects have unique keys, the last of equal ones wins; only names with bad UTF-8 can become equal here. */
static size_t labels_sort(struct marathon_label *labels, size_t count)
{
    size_t kept = 0;
    qsort(labels, count, sizeof(*labels), label_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(labels[kept - 1].key, labels[i].key) == 0) {
            free(labels[i].key);
            free(labels[i].value);
        } else {
            labels[kept++] = labels[i];
        }
    }
    return kept;
}

static void read_labels(struct marathon_app *app, const struct json_place *place)
{
    size_t count = json_place_is_object(place) ? (size_t)json_object_object_length(place->value) : 0;
    app->labels = mem_alloc_array(count, sizeof(*app->labels));
    if (count == 0) {
        return;
    }
    json_object_object_foreach(place->value, key, value)
    {
        struct json_place label = {.reading = place->reading,
                                   .above = place,
                                   .key = key,
                                   .value = value,
                                   .is_there = true,
                                   .is_required = true};
        struct marathon_label *next = &app->labels[app->n_labels++];
        next->key = json_text_copy(key, strlen(key));
        next->value = json_place_text(&label);
    }
    app->n_labels = labels_sort(app->labels, app->n_labels);
}

static enum marathon_network network_parse(const char *mode)
{
    if (strcmp(mode, "container") == 0) {
        return MARATHON_NETWORK_CONTAINER;
    }
    if (strcmp(mode, "container/bridge") == 0) {
        return MARATHON_NETWORK_BRIDGE;
    }
    return strcmp(mode, "host") == 0 ? MARATHON_NETWORK_HOST : MARATHON_NETWORK_NONE;
}

static void read_networks(struct marathon_app *app, const struct json_place *place)
{
    app->has_networks = json_place_count(place) > 0;
    if (app->has_networks) {
        struct json_place first = json_place_element(place, 0);
        struct json_place mode = json_place_member(&first, "mode");
        (void)json_place_is_object(&first);
        cleanup_free char *text = json_place_text(&mode);
        app->network = network_parse(text);
    }
}

static void read_port_mappings(struct marathon_app *app, const struct json_place *container)
{
    (void)json_place_is_object(container);
    struct json_place docker = json_place_member(container, "docker");
    (void)json_place_is_object(&docker);
    struct json_place own = json_place_member(container, "portMappings");
    struct json_place older = json_place_member(&docker, "portMappings");
    bool use_own = json_place_count(&own) > 0;
    app->port_mappings = read_named_ports(use_own ? &own : &older, "containerPort", &app->n_port_mappings);
}

static void read_ip_address(struct marathon_app *app, const struct json_place *place)
{
    struct json_place discovery = json_place_member(place, "discovery");
    struct json_place ports = json_place_member(&discovery, "ports");
    app->has_ip_address = json_place_is_object(place);
    (void)json_place_is_object(&discovery);
    app->discovery_ports = read_named_ports(&ports, "number", &app->n_discovery_ports);
}

static char *read_constraint(const struct json_place *place)
{
    struct buf joined = BUF_INIT;
    size_t count = json_place_count(place);
    for (size_t i = 0; i < count; i++) {
        struct json_place element = json_place_element(place, i);
        cleanup_free char *text = json_place_text(&element);
        buf_puts(&joined, i > 0 ? ":" : "");
        buf_puts(&joined, text);
    }
    return buf_steal(&joined);
}

static void read_constraints(struct marathon_app *app, const struct json_place *place)
{
    app->n_constraints = json_place_count(place);
    app->constraints = mem_alloc_array(app->n_constraints, sizeof(*app->constraints));
    for (size_t i = 0; i < app->n_constraints; i++) {
        struct json_place element = json_place_element(place, i);
        app->constraints[i] = read_constraint(&element);
    }
}

static void read_readiness_checks(struct marathon_app *app, const struct json_place *place)
{
    app->n_readiness_checks = json_place_count(place);
    if (app->n_readiness_checks > 0) {
        struct json_place first = json_place_element(place, 0);
        struct json_place timeout = json_place_member(&first, "timeoutSeconds");
        (void)json_place_is_object(&first);
        app->readiness_timeout_s = json_place_integer(&timeout, 0);
    }
}

static void read_readiness(struct marathon_app *app, const struct json_place *place)
{
    app->n_readiness = json_place_count(place);
    app->readiness = mem_alloc_array(app->n_readiness, sizeof(*app->readiness));
    for (size_t i = 0; i < app->n_readiness; i++) {
        struct json_place element = json_place_element(place, i);
        struct json_place task_id = json_place_member(&element, "taskId");
        struct json_place ready = json_place_member(&element, "ready");
        (void)json_place_is_object(&element);
        app->readiness[i].task_id = json_place_id(&task_id);
        app->readiness[i].ready = json_place_flag(&ready);
    }
}

/* Ids in any order; an element without one counts by its presence in n_deployments alone. */
static uint64_t read_deployments_mark(const struct json_place *place)
{
    uint64_t mark = 0;
    for (size_t i = 0; i < json_place_count(place); i++) {
        struct json_object *id = NULL;
        struct json_object *deployment = json_object_array_get_idx(place->value, i);
        if (json_object_is_type(deployment, json_type_object) && json_object_object_get_ex(deployment, "id", &id) &&
            json_object_is_type(id, json_type_string)) {
            mark += table_hash(0, json_object_get_string(id), (size_t)json_object_get_string_len(id)) | 1;
        }
    }
    return mark;
}

/* Marathon runs one instance when nothing else is asked for. */
#define DEFAULT_INSTANCES 1

struct marathon_app *app_read_definition(const struct json_place *place)
{
    struct marathon_app *app = MEM_NEW(struct marathon_app);
    struct json_place id = json_place_member(place, "id");
    struct json_place version = json_place_member(place, "version");
    struct json_place labels = json_place_member(place, "labels");
    struct json_place networks = json_place_member(place, "networks");
    struct json_place container = json_place_member(place, "container");
    struct json_place ip_address = json_place_member(place, "ipAddress");
    struct json_place definitions = json_place_member(place, "portDefinitions");
    struct json_place constraints = json_place_member(place, "constraints");
    struct json_place health_checks = json_place_member(place, "healthChecks");
    struct json_place checks = json_place_member(place, "readinessChecks");
    struct json_place results = json_place_member(place, "readinessCheckResults");
    struct json_place deployments = json_place_member(place, "deployments");
    struct json_place instances = json_place_member(place, "instances");
    (void)json_place_is_object(place);
    app->id = json_place_id(&id);
    app->version = json_place_text(&version);
    read_labels(app, &labels);
    read_networks(app, &networks);
    read_port_mappings(app, &container);
    read_ip_address(app, &ip_address);
    app->port_definitions = read_named_ports(&definitions, "port", &app->n_port_definitions);
    read_constraints(app, &constraints);
    read_readiness_checks(app, &checks);
    read_readiness(app, &results);
    app->n_health_checks = count_list(health_checks.value);
    app->n_deployments = json_place_count(&deployments);
    app->deployments_mark = read_deployments_mark(&deployments);
    app->instances = json_place_integer(&instances, DEFAULT_INSTANCES);
    return app;
}

/* ---- tasks ---- */

/* Results are only ever a reason to drain: what has another form than a real Marathon's is none, and no fault of the
 * app. Until a failure counts, in the grace period, alive=false comes without one: nothing is known then. */
static bool result_is_bad(struct json_object *result)
{
    struct json_object *alive = NULL;
    struct json_object *failures = NULL;
    bool is_false = json_object_is_type(result, json_type_object) &&
                    json_object_object_get_ex(result, "alive", &alive) &&
                    json_object_is_type(alive, json_type_boolean) && !json_object_get_boolean(alive);
    return is_false && !(json_object_object_get_ex(result, "consecutiveFailures", &failures) &&
                         json_object_is_type(failures, json_type_int) && json_object_get_int64(failures) == 0);
}

static bool read_unhealthy(struct json_object *results)
{
    bool unhealthy = false;
    for (size_t i = 0; i < count_list(results) && !unhealthy; i++) {
        unhealthy = result_is_bad(json_object_array_get_idx(results, i));
    }
    return unhealthy;
}

static int64_t read_time(const struct json_place *place)
{
    int64_t time_ms;
    cleanup_free char *text = json_place_text(place);
    return text_parse_time(text, &time_ms) == 0 ? time_ms : MARATHON_NO_TIME;
}

static struct marathon_task *read_task(const struct json_place *place)
{
    struct marathon_task *task = MEM_NEW(struct marathon_task);
    struct json_place id = json_place_member(place, "id");
    struct json_place host = json_place_member(place, "host");
    struct json_place version = json_place_member(place, "version");
    struct json_place state = json_place_member(place, "state");
    struct json_place started = json_place_member(place, "startedAt");
    struct json_place ports = json_place_member(place, "ports");
    struct json_place addresses = json_place_member(place, "ipAddresses");
    struct json_place results = json_place_member(place, "healthCheckResults");
    (void)json_place_is_object(place);
    task->id = json_place_id(&id);
    task->host = json_place_text(&host);
    task->version = json_place_text(&version);
    cleanup_free char *state_name = json_place_text(&state);
    task->state = marathon_task_state_parse(state_name);
    task->started_ms = read_time(&started);
    task->ports = app_read_ports(&ports, &task->n_ports);
    task->addresses = app_read_addresses(&addresses, &task->n_addresses);
    task->unhealthy = read_unhealthy(results.value);
    return task;
}

static int task_compare(const void *left, const void *right)
{
    return strcmp((*(struct marathon_task *const *)left)->id, (*(struct marathon_task *const *)right)->id);
}

/* By id, as everything behind this wants them; Marathon's own order changes from answer to answer. */
static void sort_tasks(struct marathon_app *app, const struct json_place *place)
{
    if (place->reading->err || app->n_tasks == 0) {
        return;
    }
    qsort(app->tasks, app->n_tasks, sizeof(struct marathon_task *), task_compare);
    for (size_t i = 1; i < app->n_tasks; i++) {
        if (strcmp(app->tasks[i - 1]->id, app->tasks[i]->id) == 0) {
            cleanup_buf struct buf found = BUF_INIT;
            text_append_safe(&found, app->tasks[i]->id, strlen(app->tasks[i]->id), MESSAGE_MAX_ID);
            buf_puts(&found, " twice");
            json_place_fail(place, SLOTD_E_TYPE, "tasks with ids of their own", buf_text(&found));
            return;
        }
    }
}

static void read_tasks(struct marathon_app *app, const struct json_place *place)
{
    size_t count = json_place_count(place);
    app->tasks = mem_alloc_array(count, sizeof(struct marathon_task *));
    for (size_t i = 0; i < count && !place->reading->err; i++) {
        struct json_place element = json_place_element(place, i);
        app->tasks[app->n_tasks++] = read_task(&element);
    }
    sort_tasks(app, place);
}

/* ---- an app ---- */

/* An answer for one app has it one level deeper, as the member `app`. */
static struct json_place app_place(const struct json_place *document)
{
    struct json_place inner = json_place_member(document, "app");
    struct json_place id = json_place_member(document, "id");
    return inner.value && !id.is_there ? inner : *document;
}

/* Read by itself, since it names the app in what is said about a wrong part; NULL when it is the wrong part. */
static char *app_read_id(struct json_object *document)
{
    struct json_reading reading = {0};
    struct json_place root = json_place_document(&reading, document);
    struct json_place place = app_place(&root);
    struct json_place id_place = json_place_member(&place, "id");
    char *id = json_place_id(&id_place);
    if (reading.err) {
        free(id);
        return NULL;
    }
    return id;
}

/* The id of an app that is refused for a NUL in a member's name: a mark takes the place of each NUL, so that no name is
 * cut to another one. */
static char *app_read_id_masked(const char *json, size_t len)
{
    static const char nul[] = "\\u0000";
    static const char mark[] = "\\ufffd";
    struct json_object *document = NULL;
    cleanup_free char *masked = mem_strndup(json, len);
    for (char *at = strchr(masked, '\\'); at; at = strchr(at, '\\')) {
        if (strncmp(at, nul, sizeof(nul) - 1) == 0) {
            memcpy(at, mark, sizeof(mark) - 1);
        }
        at += at[1] ? 2 : 1;
    }
    if (json_document_parse(masked, len, &document, NULL)) {
        return NULL;
    }
    char *id = app_read_id(document);
    json_object_put(document);
    return id;
}

static int app_from_document(struct json_object *document, struct marathon_app **ret_app, struct buf *why)
{
    struct json_reading reading = {.why = why};
    struct json_place root = json_place_document(&reading, document);
    struct json_place place = app_place(&root);
    struct json_place tasks = json_place_member(&place, "tasks");
    struct marathon_app *app = app_read_definition(&place);
    read_tasks(app, &tasks);
    if (reading.err) {
        marathon_app_free(app);
        return reading.err;
    }
    *ret_app = app;
    return 0;
}

int marathon_app_parse(const char *json, size_t len, struct marathon_app **ret_app, char **ret_id, struct buf *why)
{
    struct json_object *document = NULL;
    char *id = NULL;
    int err = SLOTD_E_LIMIT;
    if (len < MARATHON_MAX_APP_BYTES) {
        err = json_document_parse(json, len, &document, why);
    } else {
        buf_printf(why, "it is larger than %u MiB", MARATHON_MAX_APP_BYTES >> 20);
    }
    if (ret_id && !err) {
        id = app_read_id(document);
    } else if (ret_id && err == SLOTD_E_TYPE) {
        id = app_read_id_masked(json, len);
    } else if (ret_id && err == SLOTD_E_LIMIT) {
        id = app_scan_id(json, len);
    }
    if (id) {
        *ret_id = id;
    }
    if (!err) {
        err = app_from_document(document, ret_app, why);
        json_object_put(document);
    }
    return err;
}
