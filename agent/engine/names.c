/* SPDX-License-Identifier: MIT */
/* The names that slotctl asks for: what they stand for, and those that stand for nothing. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

bool name_is_wanted(const char *name, const char *const *names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return n_names == 0;
}

bool service_is_wanted(const struct engine *engine, const struct service *service, const char *const *names,
                       size_t n_names)
{
    bool wanted = name_is_wanted(service->name, names, n_names) || name_is_wanted(service->backend, names, n_names);
    for (size_t i = 0; i < service->n_parts && !wanted; i++) {
        wanted = name_is_wanted(service->parts[i]->app, names, n_names);
    }
    for (size_t i = 0; i < engine->n_edges && !wanted; i++) {
        const struct edge_backend *backend = edge_find_backend_of(engine->edges[i], service);
        wanted = backend && name_is_wanted(backend->name, names, n_names);
    }
    return wanted;
}

bool edge_wants_backend(const struct edge *edge, const char *backend, const char *const *names, size_t n_names)
{
    const struct service *service = edge_find_service(edge, backend);
    return service && service_is_wanted(edge->engine, service, names, n_names);
}

/* Whether the app itself is asked for, or a service that it has a part in. */
bool app_is_wanted(const struct engine *engine, const char *app, const char *const *names, size_t n_names)
{
    const struct app_mapping *mapping = services_get_app(engine->services, app);
    bool wanted = name_is_wanted(app, names, n_names);
    for (size_t i = 0; mapping && i < mapping->n_parts && !wanted; i++) {
        wanted = service_is_wanted(engine, services_get(engine->services, mapping->parts[i].name), names, n_names);
    }
    return wanted;
}

static bool engine_leases_backend(const struct engine *engine, const char *name)
{
    bool leased = false;
    for (size_t i = 0; i < engine->n_edges && !leased; i++) {
        leased = edge_find_service(engine->edges[i], name) != NULL;
    }
    return leased;
}

/* What `services NAME` shows something of: also an app that has problems alone. */
bool engine_knows_service(const struct engine *engine, const char *name)
{
    const struct app_mapping *mapping = services_get_app(engine->services, name);
    return (mapping && mapping->n_parts + mapping->problems.count > 0) || services_get(engine->services, name) ||
           services_get_backend(engine->services, name) || engine_leases_backend(engine, name);
}

bool engine_knows_backend(const struct engine *engine, const char *name)
{
    return engine_find_backend(engine, name) != NULL;
}

struct json_object *names_list_unknown(const struct engine *engine, const char *const *names, size_t n_names,
                                       bool (*knows)(const struct engine *engine, const char *name))
{
    struct json_object *unknown = json_object_new_array();
    for (size_t i = 0; i < n_names; i++) {
        if (!knows(engine, names[i])) {
            json_object_array_add(unknown, json_object_new_string(names[i]));
        }
    }
    return unknown;
}
