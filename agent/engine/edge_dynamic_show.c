/* SPDX-License-Identifier: MIT */
/* Backends made at run time as documents: how many there are, and why some are not. */
#include <string.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static void add_problem(struct json_object *problems, const struct service *service, const char *code,
                        const char *message)
{
    for (size_t p = 0; p < service->n_parts; p++) {
        const struct service_part *part = service->parts[p];
        json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, code, message));
    }
}

/* It was made from another class's section than its labels ask for by now. */
static void problem_of_class(const struct edge *edge, const struct service *service, const struct dynamic *dynamic,
                             struct json_object *problems)
{
    const struct config_pool *pool = edge_dynamic_find_pool(edge, dynamic->name);
    if (dynamic->defaults && (!pool || strcmp(pool->defaults, dynamic->defaults) != 0)) {
        cleanup_free char *message =
            mem_printf("HAProxy %s has made its backend from `defaults %s`, and its labels ask for the class %s by "
                       "now: that holds after the next restart of HAProxy, or once the service has been away",
                       edge->config->name, dynamic->defaults, service->class);
        add_problem(problems, service, "backend-class", message);
    }
}

bool problems_of_dynamic(const struct edge *edge, const struct service *service, struct json_object *problems)
{
    const struct dynamic dynamic = dynamics_get(edge->dynamic.dynamics, service->backend);
    const struct edge_backend *backend = edge_find_backend_of(edge, service);
    if (dynamic.state == DYNAMIC_THERE) {
        problem_of_class(edge, service, &dynamic, problems);
    }
    /* A section that is not there is told once, in status. */
    if (!dynamic.error || (dynamic.defaults && table_get(&edge->dynamic.lacking, dynamic.defaults))) {
        return dynamic_is_ours(&dynamic);
    }
    cleanup_free char *outcome = backend ? mem_printf("it is served by `%s`", backend->name)
                                         : mem_strdup("it takes no traffic as long as no pool has one for it");
    cleanup_free char *message =
        mem_printf("HAProxy %s has no backend `%s`, and slotd could not make one from its section `defaults %s`: %s; "
                   "%s",
                   edge->config->name, dynamic.name, dynamic.defaults ? dynamic.defaults : "?", dynamic.error, outcome);
    add_problem(problems, service, "backend-refused", message);
    return true;
}

void edge_explain_dynamic(const struct edge *edge, struct json_object *warnings)
{
    struct dynamics_counts counts = dynamics_count(edge->dynamic.dynamics);
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&edge->dynamic.lacking, &position));) {
        cleanup_free char *text = mem_printf(
            "HAProxy %s has no section `defaults %s`, from which backends would be made at run time; haproxy.cfg needs "
            "it, or slots.add_backends = false",
            edge->config->name, entry->key);
        json_object_array_add(warnings, json_object_new_string(text));
    }
    if (counts.refused > 0) {
        cleanup_free char *text =
            mem_printf("HAProxy %s: %zu %s could not be made at run time, %s one of a pool; see slotctl services",
                       edge->config->name, counts.refused, text_plural(counts.refused, "backend", "backends"),
                       text_plural(counts.refused, "its service needs", "their services need"));
        json_object_array_add(warnings, json_object_new_string(text));
    }
}

struct json_object *edge_show_dynamic(const struct edge *edge)
{
    struct dynamics_counts counts = dynamics_count(edge->dynamic.dynamics);
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "enabled", json_object_new_boolean(edge_makes_backends(edge)));
    json_object_object_add(object, "made", json_object_new_int64((int64_t)counts.there));
    json_object_object_add(object, "coming", json_object_new_int64((int64_t)counts.coming));
    json_object_object_add(object, "refused", json_object_new_int64((int64_t)counts.refused));
    return object;
}
