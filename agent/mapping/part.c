/* SPDX-License-Identifier: MIT */
/* Problems and mappings as values: life and comparison. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"

static void problem_list_append(struct problem_list *list, const char *app, const char *task, const char *segment,
                                const char *code, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

static void problem_list_append(struct problem_list *list, const char *app, const char *task, const char *segment,
                                const char *code, const char *format, va_list args)
{
    MEM_GROW(list->items, list->capacity, list->count + 1);
    list->items[list->count++] = (struct problem){
        .app = mem_strdup(app),
        .task = mem_strdup(task),
        .segment = mem_strdup(segment),
        .code = code,
        .message = mem_vprintf(format, args),
    };
}

void problem_list_add(struct problem_list *list, const char *app, const char *task, const char *segment,
                      const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_list_append(list, app, task, segment, code, format, args);
    va_end(args);
}

/* What concerns the whole app is said once, not for each task. */
static bool view_has_problem(const struct segment_view *view, const char *code)
{
    const struct problem_list *list = &view->result->problems;
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i].task && list->items[i].code == code && strcmp(list->items[i].segment, view->segment) == 0) {
            return true;
        }
    }
    return false;
}

void view_add_problem(const struct segment_view *view, const struct marathon_task *task, const char *code,
                      const char *format, ...)
{
    va_list args;
    struct problem_list *list = &view->result->problems;
    if (list->count >= MAPPING_MAX_PROBLEMS || (!task && view_has_problem(view, code))) {
        return;
    }
    if (list->count == MAPPING_MAX_PROBLEMS - 1) {
        problem_list_add(list, view->app->id, NULL, "", "too-many-problems",
                         "more than %d problems were found; the others are not listed", MAPPING_MAX_PROBLEMS - 1);
        return;
    }
    va_start(args, format);
    problem_list_append(list, view->app->id, task ? task->id : NULL, view->segment, code, format, args);
    va_end(args);
}

void problem_list_cut(struct problem_list *list, size_t count)
{
    for (; list->count > count; list->count--) {
        struct problem *last = &list->items[list->count - 1];
        free(last->app);
        free(last->task);
        free(last->segment);
        free(last->message);
    }
}

void problem_list_free(struct problem_list *list)
{
    problem_list_cut(list, 0);
    free(list->items);
    *list = (struct problem_list){0};
}

const char *endpoint_phase_text(enum endpoint_phase phase)
{
    switch (phase) {
    case ENDPOINT_READY:
        return "ready";
    case ENDPOINT_DRAIN:
        return "drain";
    case ENDPOINT_GONE:
        return "gone";
    }
    return "gone";
}

static void part_free(struct service_part *part)
{
    for (size_t i = 0; i < part->n_endpoints; i++) {
        free(part->endpoints[i].app);
        free(part->endpoints[i].task);
        free(part->endpoints[i].server);
        free(part->endpoints[i].host);
    }
    free(part->endpoints);
    free(part->name);
    free(part->backend);
    free(part->app);
    free(part->segment);
    free(part->frontend);
    free(part->rule);
    access_free(&part->access);
    healthcheck_free(&part->check);
    tcp_free(&part->tcp);
}

void app_mapping_free(struct app_mapping *mapping)
{
    if (!mapping) {
        return;
    }
    for (size_t i = 0; i < mapping->n_parts; i++) {
        part_free(&mapping->parts[i]);
    }
    free(mapping->parts);
    problem_list_free(&mapping->problems);
    free(mapping->app);
    free(mapping);
}

static bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return strcmp(a->task, b->task) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port &&
           a->weight == b->weight && a->phase == b->phase && a->kept_only == b->kept_only &&
           a->unhealthy == b->unhealthy && a->protocol == b->protocol && strcmp(a->server, b->server) == 0;
}

bool service_part_equal(const struct service_part *a, const struct service_part *b)
{
    bool equal = a->n_endpoints == b->n_endpoints && a->mode == b->mode && a->class == b->class &&
                 a->priority == b->priority && strcmp(a->name, b->name) == 0 && strcmp(a->segment, b->segment) == 0 &&
                 strcmp(a->frontend, b->frontend) == 0 && strcmp(a->rule, b->rule) == 0 &&
                 access_equal(&a->access, &b->access) && healthcheck_equal(&a->check, &b->check) &&
                 tcp_equal(&a->tcp, &b->tcp);
    for (size_t i = 0; equal && i < a->n_endpoints; i++) {
        equal = endpoint_equal(&a->endpoints[i], &b->endpoints[i]);
    }
    return equal;
}

static bool problem_equal(const struct problem *a, const struct problem *b)
{
    bool same_task = a->task && b->task ? strcmp(a->task, b->task) == 0 : a->task == b->task;
    return same_task && a->code == b->code && strcmp(a->segment, b->segment) == 0 &&
           strcmp(a->message, b->message) == 0;
}

bool app_mapping_equal(const struct app_mapping *a, const struct app_mapping *b)
{
    bool equal = a->n_parts == b->n_parts && a->problems.count == b->problems.count && strcmp(a->app, b->app) == 0;
    for (size_t i = 0; equal && i < a->n_parts; i++) {
        equal = service_part_equal(&a->parts[i], &b->parts[i]);
    }
    for (size_t i = 0; equal && i < a->problems.count; i++) {
        equal = problem_equal(&a->problems.items[i], &b->problems.items[i]);
    }
    return equal;
}
