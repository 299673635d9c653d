/* SPDX-License-Identifier: MIT */
/* One app to its parts of services. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- life ---- */

int mapper_new(const struct config_mapping *config, struct mapper **ret_mapper, struct buf *why)
{
    struct mapper *mapper = MEM_NEW(struct mapper);
    mapper->config = config;
    int err = names_init(mapper, why);
    err = err ? err : constraints_init(mapper, why);
    if (err) {
        mapper_free(mapper);
        return err;
    }
    *ret_mapper = mapper;
    return 0;
}

void mapper_free(struct mapper *mapper)
{
    if (mapper) {
        constraints_free(mapper);
        names_free(mapper);
        free(mapper);
    }
}

/* ---- endpoints ---- */

static int32_t find_weight(const struct segment_view *view, enum mapper_view mode)
{
    const char *label = labels_get(view, "weight");
    const char *prefix = view->mapper->config->label_prefix;
    int64_t weight = 1;
    if (label && text_parse_int(label, INT32_MIN, INT32_MAX, &weight)) {
        view_add_problem(view, NULL, "weight-invalid", "%s.weight is no number; 1 is taken", prefix);
        weight = 1;
    }
    if (weight < 0) {
        view_add_problem(view, NULL, "weight-negative", "%s.weight is below 0; 1 is taken", prefix);
        weight = 1;
    }
    if (weight == 0 && mode == MAPPER_LIVE) {
        view_add_problem(view, NULL, "weight-zero",
                         "%s.weight is 0: it takes no traffic (Traefik would have served it with 1)", prefix);
    }
    return (int32_t)weight;
}

static const char *find_protocol(const struct segment_view *view)
{
    static const char *const protocols[] = {"http", "https", "h2c", "tcp"};
    const char *label = labels_get(view, "protocol");
    for (size_t i = 0; label && i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (strcmp(protocols[i], label) == 0) {
            return protocols[i];
        }
    }
    if (label) {
        view_add_problem(view, NULL, "protocol-unknown",
                         "%s.protocol is `%.40s`; http, https, h2c or tcp would be right. http is taken",
                         view->mapper->config->label_prefix, label);
    }
    return protocols[0];
}

/* Whether the task makes an endpoint, and in which phase. */
static bool task_phase(const struct segment_view *view, const struct marathon_task *task, enum mapper_view mode,
                       int64_t now_ms, enum endpoint_phase *ret_phase)
{
    switch (task->state) {
    case MARATHON_TASK_RUNNING:
        *ret_phase = ENDPOINT_READY;
        return !view->mapper->config->respect_readiness_checks || task_is_ready(view->app, task, now_ms);
    case MARATHON_TASK_KILLING:
    case MARATHON_TASK_UNREACHABLE:
        *ret_phase = ENDPOINT_DRAIN;
        return mode == MAPPER_LIVE;
    case MARATHON_TASK_TERMINAL:
        *ret_phase = ENDPOINT_GONE;
        return mode == MAPPER_LIVE;
    case MARATHON_TASK_OTHER:
    case MARATHON_TASK_STAGING:
    case MARATHON_TASK_STARTING:
        break;
    }
    return false;
}

static void add_endpoint(const struct segment_view *view, struct service_part *part, const struct marathon_task *task,
                         enum endpoint_phase phase, const char *suffix)
{
    const char *host = "";
    int32_t port = 0;
    bool placed = phase == ENDPOINT_GONE || (place_find_host(view, task, &host) && place_find_port(view, task, &port));
    if (!placed) {
        return;
    }
    cleanup_free char *server = mem_printf("server-%s-%s%s", view->app->id, task->id, suffix);
    part->endpoints[part->n_endpoints++] = (struct endpoint){
        .app = mem_strdup(view->app->id),
        .task = mem_strdup(task->id),
        .server = mapper_normalize(view->mapper, server),
        .host = mem_strdup(host),
        .port = port,
        .phase = phase,
        .since_ms = task->started_ms,
    };
}

/* ---- parts ---- */

static char *segment_suffix(const struct segment_view *view)
{
    if (!view->segment[0]) {
        return mem_strdup("");
    }
    cleanup_free char *normal = mapper_normalize(view->mapper, view->segment);
    return mem_printf("-service-%s", normal);
}

static char *service_name(const struct segment_view *view, const char *suffix)
{
    const char *label = labels_get(view, "backend");
    cleanup_free char *raw = label ? mem_printf("backend%s", label) : mem_printf("backend%s%s", view->app->id, suffix);
    return mapper_normalize(view->mapper, raw);
}

static bool name_is_usable(const struct segment_view *view, const char *name)
{
    if (strlen(name) <= MAPPING_MAX_NAME) {
        return true;
    }
    view_add_problem(view, NULL, "backend-name-too-long", "its service name is longer than %d bytes: it is left out",
                     MAPPING_MAX_NAME);
    return false;
}

static void map_segment(const struct segment_view *view, enum mapper_view mode, int64_t now_ms, mapper_admit *admit,
                        void *admit_arg)
{
    cleanup_free char *suffix = segment_suffix(view);
    cleanup_free char *name = service_name(view, suffix);
    const struct marathon_app *app = view->app;
    if (!name_is_usable(view, name)) {
        return;
    }
    struct service_part *part = &view->result->parts[view->result->n_parts++];
    cleanup_free char *frontend = mem_printf("frontend%s%s", app->id, suffix);
    const char *protocol = find_protocol(view);
    part->name = mem_strdup(name);
    part->backend = names_to_ascii(name);
    part->app = mem_strdup(app->id);
    part->segment = mem_strdup(view->segment);
    part->frontend = mapper_normalize(view->mapper, frontend);
    part->rule = rule_find(view);
    part->mode = strcmp(protocol, "tcp") == 0 ? "tcp" : "http";
    part->priority = rule_find_priority(view, part->rule);
    part->endpoints = mem_alloc_array(app->n_tasks, sizeof(*part->endpoints));
    int32_t weight = find_weight(view, mode);
    for (size_t i = 0; i < app->n_tasks; i++) {
        enum endpoint_phase phase;
        if (task_phase(view, app->tasks[i], mode, now_ms, &phase) && (!admit || admit(admit_arg, app->tasks[i]))) {
            add_endpoint(view, part, app->tasks[i], phase, suffix);
        }
    }
    for (size_t i = 0; i < part->n_endpoints; i++) {
        part->endpoints[i].weight = weight;
        part->endpoints[i].protocol = protocol;
    }
}

void mapper_map_app(const struct mapper *mapper, const struct marathon_app *app, enum mapper_view mode, int64_t now_ms,
                    mapper_admit *admit, void *admit_arg, struct app_mapping **ret_mapping)
{
    struct app_mapping *mapping = MEM_NEW(struct app_mapping);
    mapping->app = mem_strdup(app->id);
    *ret_mapping = mapping;
    if (!app_is_selected(mapper, app)) {
        return;
    }
    size_t count = 0;
    char **segments = labels_list_segments(mapper, app, &count);
    struct segment_view view = {.mapper = mapper, .app = app, .segment = "", .result = mapping};
    mapping->parts = mem_alloc_array(count ? count : 1, sizeof(*mapping->parts));
    if (count == 0) {
        map_segment(&view, mode, now_ms, admit, admit_arg);
    }
    for (size_t i = 0; i < count; i++) {
        view.segment = segments[i];
        map_segment(&view, mode, now_ms, admit, admit_arg);
        free(segments[i]);
    }
    free(segments);
}
