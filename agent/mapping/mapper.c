/* SPDX-License-Identifier: MIT */
/* One app to its parts of services. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"

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
    bool is_number = !label || label_to_int(label, &weight);
    if (!is_number || weight < 0 || weight > INT32_MAX) {
        cleanup_free char *shown = label_to_shown(label);
        const char *code = is_number && weight < 0 ? "weight-negative" : "weight-invalid";
        weight = weight < 0 ? 1 : weight > INT32_MAX ? INT32_MAX : weight;
        view_add_problem(view, NULL, code, "%s.weight is `%s`; a number from 0 to %d would be right, %d is taken",
                         prefix, shown, INT32_MAX, (int)weight);
    }
    if (weight == 0 && mode == MAPPER_LIVE) {
        view_add_problem(view, NULL, "weight-zero",
                         "%s.weight is 0: by its label it takes no traffic (Traefik would have served it with 1)",
                         prefix);
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
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, NULL, "protocol-unknown",
                         "%s.protocol is `%s`; http, https, h2c or tcp would be right, http is taken",
                         view->mapper->config->label_prefix, shown);
    }
    return protocols[0];
}

/* Marathon's ids are plain; another one could be taken for a second task's, since it also names what slotd keeps. */
static bool task_has_plain_id(const struct segment_view *view, const struct marathon_task *task)
{
    for (const char *c = task->id; *c; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                        (unsigned char)*c >= 0x80 || strchr("._-:@+~", *c);
        if (!is_plain) {
            cleanup_free char *shown = label_to_shown(task->id);
            view_add_problem(view, task, "task-id-invalid",
                             "its id `%s` has other than letters, digits and . _ - : @ + ~ in it; it is left out",
                             shown);
            return false;
        }
    }
    return true;
}

/* What a task makes: an endpoint in that phase, and whether only where it serves already. */
struct task_use {
    enum endpoint_phase phase;
    bool kept_only;
    bool unhealthy;
};

/* What map_segment needs but the view has not. */
struct mapping_run {
    enum mapper_view mode;
    int64_t now_ms;
    mapper_judge *judge;
    void *judge_arg;
    size_t n_endpoints; /* of the segments before */
};

/* Whether a running task makes an endpoint. Notes what is not ready, and when the first of them will be. */
static bool task_passes_readiness(const struct segment_view *view, const struct mapping_run *run,
                                  const struct marathon_task *task, enum mapper_standing standing, bool *ret_kept_only)
{
    struct app_mapping *result = view->result;
    int64_t ready_ms = MARATHON_NO_TIME;
    enum readiness readiness = READINESS_GOOD;
    if (view->mapper->config->respect_readiness_checks) {
        readiness = task_find_readiness(view->app, task, standing, run->now_ms, &ready_ms);
    }
    *ret_kept_only = readiness == READINESS_UNKNOWN;
    if (readiness == READINESS_GOOD) {
        return true;
    }
    result->n_unready++;
    if (ready_ms != MARATHON_NO_TIME &&
        (result->next_ready_ms == MARATHON_NO_TIME || ready_ms < result->next_ready_ms)) {
        result->next_ready_ms = ready_ms;
    }
    return readiness == READINESS_UNKNOWN && run->mode == MAPPER_LIVE;
}

/* Whether the task makes an endpoint, and in which phase. */
static bool task_find_use(const struct segment_view *view, const struct mapping_run *run,
                          const struct marathon_task *task, struct task_use *ret_use)
{
    enum mapper_view mode = run->mode;
    enum mapper_standing standing = run->judge ? run->judge(run->judge_arg, task) : MAPPER_TASK_PLAIN;
    if (standing == MAPPER_TASK_WAITS) {
        return false;
    }
    switch (task->state) {
    case MARATHON_TASK_RUNNING:
        ret_use->phase = ENDPOINT_READY;
        ret_use->unhealthy = view->mapper->config->drain_unhealthy && task->unhealthy;
        return task_passes_readiness(view, run, task, standing, &ret_use->kept_only);
    case MARATHON_TASK_KILLING:
    case MARATHON_TASK_UNREACHABLE:
        ret_use->phase = ENDPOINT_DRAIN;
        return mode == MAPPER_LIVE;
    case MARATHON_TASK_TERMINAL:
        ret_use->phase = ENDPOINT_GONE;
        return mode == MAPPER_LIVE;
    case MARATHON_TASK_OTHER:
    case MARATHON_TASK_STAGING:
    case MARATHON_TASK_STARTING:
        break;
    }
    return false;
}

/* Where a task that is over was; what is wrong with that is of no interest any more. */
static void place_find_former(const struct segment_view *view, const struct marathon_task *task, const char **host,
                              int32_t *port)
{
    size_t n_problems = view->result->problems.count;
    if (!place_find_host(view, task, host) || !place_find_port(view, task, port)) {
        *host = "";
        *port = 0;
    }
    problem_list_cut(&view->result->problems, n_problems);
}

static void add_endpoint(const struct segment_view *view, struct service_part *part, const struct marathon_task *task,
                         const struct task_use *use, const char *suffix)
{
    const char *host = "";
    int32_t port = 0;
    if (use->phase == ENDPOINT_GONE) {
        place_find_former(view, task, &host, &port);
    } else if (!place_find_host(view, task, &host) || !place_find_port(view, task, &port)) {
        return;
    }
    cleanup_free char *server = mem_printf("server-%s-%s%s", view->app->id, task->id, suffix);
    part->endpoints[part->n_endpoints++] = (struct endpoint){
        .app = mem_strdup(view->app->id),
        .task = mem_strdup(task->id),
        .server = mapper_normalize(view->mapper, server),
        .host = mem_strdup(host),
        .port = port,
        .phase = use->phase,
        .kept_only = use->kept_only,
        .unhealthy = use->unhealthy && !use->kept_only,
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

/* The caller frees. NULL with a problem when it is longer than a name may be. */
static char *service_name(const struct segment_view *view, const char *suffix)
{
    const char *label = labels_get(view, "backend");
    if (!label || strlen(label) <= MAPPING_MAX_RAW_NAME) {
        cleanup_free char *raw =
            label ? mem_printf("backend%s", label) : mem_printf("backend%s%s", view->app->id, suffix);
        char *name = mapper_normalize(view->mapper, raw);
        if (strlen(name) <= MAPPING_MAX_NAME) {
            return name;
        }
        free(name);
    }
    view_add_problem(view, NULL, "backend-name-too-long",
                     "its service name is longer than %d bytes; it is left out, a shorter label %s.backend would help",
                     MAPPING_MAX_NAME, view->mapper->config->label_prefix);
    return NULL;
}

/* Segments that differ only in what is neither letter nor digit have the same names; their servers would be the same
 * ones. */
static bool segment_clashes(const struct segment_view *view, const char *name, const char *frontend)
{
    for (size_t i = 0; i < view->result->n_parts; i++) {
        const struct service_part *part = &view->result->parts[i];
        if (strcmp(part->frontend, frontend) == 0 && strcmp(part->name, name) == 0) {
            cleanup_free char *shown = label_to_shown(part->segment);
            view_add_problem(view, NULL, "segment-clash",
                             "its names are those of the segment `%s`; it is left out, rename one of them", shown);
            return true;
        }
    }
    return false;
}

static void map_tasks(const struct segment_view *view, struct mapping_run *run, struct service_part *part,
                      const char *suffix)
{
    const struct marathon_app *app = view->app;
    size_t room = MAPPING_MAX_ENDPOINTS - run->n_endpoints;
    part->endpoints = mem_alloc_array(app->n_tasks < room ? app->n_tasks : room, sizeof(*part->endpoints));
    for (size_t i = 0; i < app->n_tasks; i++) {
        struct task_use use = {0};
        if (!task_find_use(view, run, app->tasks[i], &use) || !task_has_plain_id(view, app->tasks[i])) {
            continue;
        }
        if (part->n_endpoints == room) {
            view_add_problem(view, NULL, "too-many-endpoints",
                             "its tasks and segments make more than %d endpoints; the others are left out",
                             MAPPING_MAX_ENDPOINTS);
            break;
        }
        add_endpoint(view, part, app->tasks[i], &use, suffix);
    }
    run->n_endpoints += part->n_endpoints;
}

static void map_segment(const struct segment_view *view, struct mapping_run *run)
{
    cleanup_free char *suffix = segment_suffix(view);
    cleanup_free char *name = service_name(view, suffix);
    const struct marathon_app *app = view->app;
    cleanup_free char *raw = mem_printf("frontend%s%s", app->id, suffix);
    cleanup_free char *frontend = mapper_normalize(view->mapper, raw);
    if (!name || segment_clashes(view, name, frontend)) {
        return;
    }
    const char *protocol = find_protocol(view);
    int32_t weight = find_weight(view, run->mode);
    struct service_part *part = &view->result->parts[view->result->n_parts++];
    part->name = mem_strdup(name);
    part->backend = names_to_ascii(name);
    part->app = mem_strdup(app->id);
    part->segment = mem_strdup(view->segment);
    part->frontend = mem_strdup(frontend);
    part->rule = rule_find(view);
    part->mode = strcmp(protocol, "tcp") == 0 ? "tcp" : "http";
    part->class = class_find(view, protocol);
    part->priority = rule_find_priority(view, part->rule);
    part->access = access_find(view);
    part->check = healthcheck_find(view, protocol);
    part->tcp = tcp_find(view, protocol);
    map_tasks(view, run, part, suffix);
    for (size_t i = 0; i < part->n_endpoints; i++) {
        part->endpoints[i].weight = weight;
        part->endpoints[i].protocol = protocol;
    }
}

void mapper_map_app(const struct mapper *mapper, const struct marathon_app *app, enum mapper_view mode, int64_t now_ms,
                    mapper_judge *judge, void *judge_arg, struct app_mapping **ret_mapping)
{
    struct app_mapping *mapping = MEM_NEW(struct app_mapping);
    mapping->app = mem_strdup(app->id);
    mapping->next_ready_ms = MARATHON_NO_TIME;
    *ret_mapping = mapping;
    struct segment_view view = {.mapper = mapper, .app = app, .segment = "", .result = mapping};
    struct mapping_run run = {.mode = mode, .now_ms = now_ms, .judge = judge, .judge_arg = judge_arg};
    if (!app_is_selected(&view)) {
        return;
    }
    size_t count = 0;
    char **segments = labels_list_segments(&view, &count);
    mapping->parts = mem_alloc_array(count ? count : 1, sizeof(*mapping->parts));
    if (count == 0) {
        map_segment(&view, &run);
    }
    for (size_t i = 0; i < count; i++) {
        view.segment = segments[i];
        map_segment(&view, &run);
        free(segments[i]);
    }
    free(segments);
}
