/* SPDX-License-Identifier: MIT */
/* What slotctl shows of services: where their endpoints are, and why one of them takes no traffic. */
#include <json-c/json.h>

#include "engine_private.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"

static const char *place_backend(void *arg, const struct service *service)
{
    const struct edge_backend *backend = engine_find_backend_of(arg, service);
    return backend ? backend->name : NULL;
}

static int32_t place_weight(void *arg, const struct endpoint *endpoint)
{
    bool is_own = false;
    struct weight_override of_app = weight_override_of(arg, endpoint->app);
    int32_t weight = endpoint_find_weight(arg, endpoint, &is_own);
    return !is_own && of_app.kind == WEIGHT_ABSOLUTE ? of_app.value : weight;
}

static const char *place_address(void *arg, const struct endpoint *endpoint)
{
    struct engine *engine = arg;
    return resolver_peek(engine->resolver, endpoint->host, engine->shown_address);
}

/* False: it has none. */
static bool place_find(void *arg, const struct service *service, const struct service_part *part,
                       const struct endpoint *endpoint, struct slot_view *ret_view)
{
    const struct edge_backend *backend = engine_find_backend_of(arg, service);
    cleanup_free char *key = endpoint_key(part, endpoint);
    long slot = backend ? slots_find_endpoint(backend->slots, key) : -1;
    if (slot >= 0) {
        *ret_view = slots_view(backend->slots, (size_t)slot);
    }
    return slot >= 0;
}

static const char *place_slot(void *arg, const struct service *service, const struct service_part *part,
                              const struct endpoint *endpoint)
{
    struct slot_view view;
    return place_find(arg, service, part, endpoint, &view) ? view.observed->server : NULL;
}

static const char *place_state(void *arg, const struct service *service, const struct service_part *part,
                               const struct endpoint *endpoint)
{
    struct slot_view view;
    return place_find(arg, service, part, endpoint, &view) ? slot_state_text(view.state) : NULL;
}

static void add_part_problem(struct json_object *problems, const struct service_part *part, const char *task,
                             const char *code, const char *message)
{
    json_object_array_add(problems, map_output_problem(part->app, task, part->segment, code, message));
}

static void problems_of_placed(const struct slot_view *view, const struct service_part *part,
                               const struct endpoint *endpoint, struct json_object *problems)
{
    if (view->state == SLOT_DOWN) {
        add_part_problem(problems, part, endpoint->task, "check-fails",
                         "HAProxy's health check of it fails: it keeps its slot and takes no traffic until one passes");
    } else if (view->state == SLOT_STARTING) {
        add_part_problem(problems, part, endpoint->task, "check-awaited",
                         "it takes traffic after its first good health check: others of its backend are up");
    }
}

static void problems_of_endpoint(const struct engine *engine, const struct edge_backend *backend,
                                 const struct service_part *part, const struct endpoint *endpoint,
                                 struct json_object *problems)
{
    char canonical[SLOTS_MAX_ADDRESS];
    cleanup_free char *key = endpoint_key(part, endpoint);
    long slot = slots_find_endpoint(backend->slots, key);
    if (slot >= 0) {
        struct slot_view view = slots_view(backend->slots, (size_t)slot);
        problems_of_placed(&view, part, endpoint, problems);
        return;
    }
    if (endpoint->phase != ENDPOINT_READY || endpoint->kept_only) {
        return;
    }
    if (!resolver_peek(engine->resolver, endpoint->host, canonical)) {
        add_part_problem(problems, part, endpoint->task, "host-unresolved",
                         "its host name has no address yet: it waits");
    } else if (slots_count_states(backend->slots).waiting > 0) {
        cleanup_buf struct buf why = BUF_INIT;
        backend_explain_servers(backend, &why);
        cleanup_free char *message = mem_printf("every slot of the backend is taken: it waits for the next free one; "
                                                "give the server-template line more slots%s",
                                                buf_text(&why));
        add_part_problem(problems, part, endpoint->task, "backend-full", message);
    }
}

static bool service_has_weights(const struct service *service)
{
    const struct endpoint *first = NULL;
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            first = first ? first : endpoint;
            if (endpoint->weight != first->weight) {
                return true;
            }
        }
    }
    return false;
}

/* What only the meeting with HAProxy shows. */
static void problems_of_service(const struct engine *engine, const struct service *service,
                                struct json_object *problems)
{
    const struct edge_backend *backend = engine_find_backend_of(engine, service);
    bool adopted = false;
    bool pooled = false;
    for (size_t i = 0; i < engine->n_edges; i++) {
        const struct edge *edge = engine->edges[i];
        adopted = adopted || edge->adopted;
        pooled = (edge->adopted && problems_of_leases(edge, service, problems)) || pooled;
        pooled = (edge->adopted && problems_of_dynamic(edge, service, problems)) || pooled;
    }
    if (!backend) {
        cleanup_free char *message =
            mem_printf("no HAProxy has a backend `%s` with slots: it takes no traffic", service->backend);
        for (size_t p = 0; adopted && !pooled && p < service->n_parts; p++) {
            add_part_problem(problems, service->parts[p], NULL, "backend-missing", message);
        }
        return;
    }
    health_add_problems(backend, service, problems);
    problems_of_checks(engine, service, problems);
    problems_of_access(engine, service, problems);
    bool ignores_weights = slots_weights_are_fixed(backend->slots) && service_has_weights(service);
    for (size_t p = 0; ignores_weights && p < service->n_parts; p++) {
        add_part_problem(problems, service->parts[p], NULL, "weights-ignored",
                         "the backend's balance algorithm is static and takes no weights: all its endpoints have the "
                         "configured one");
    }
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            problems_of_endpoint(engine, backend, service->parts[p], &service->parts[p]->endpoints[e], problems);
        }
    }
}

static struct json_object *problems_of_apps(const struct engine *engine, const char *const *names, size_t n_names)
{
    size_t count = 0;
    const struct problem **list = services_list_problems(engine->services, &count);
    struct json_object *problems = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        if (app_is_wanted(engine, list[i]->app, names, n_names)) {
            json_object_array_add(problems, map_output_problem(list[i]->app, list[i]->task, list[i]->segment,
                                                               list[i]->code, list[i]->message));
        }
    }
    free(list);
    return problems;
}

struct json_object *engine_show_services(struct engine *engine, const char *const *names, size_t n_names)
{
    const struct map_output_places places = {
        .arg = engine,
        .backend = place_backend,
        .address = place_address,
        .slot = place_slot,
        .state = place_state,
        .weight = place_weight,
        .phase = engine_find_phase,
    };
    struct json_object *problems = problems_of_apps(engine, names, n_names);
    struct json_object *shown = json_object_new_array();
    size_t count = 0;
    const struct service **list = services_list(engine->services, &count);
    for (size_t i = 0; i < count; i++) {
        if (service_is_wanted(engine, list[i], names, n_names)) {
            json_object_array_add(shown, map_output_service(list[i], &places));
            problems_of_service(engine, list[i], problems);
        }
    }
    free(list);
    problems_of_routes(engine, names, n_names, problems);
    problems_of_tcp(engine, names, n_names, problems);
    for (size_t i = 0; n_names == 0 && i < engine->n_edges; i++) {
        problems_of_pools(engine->edges[i], problems);
    }
    struct json_object *document = map_output_document(shown, problems);
    json_object_object_add(document, "unknown", names_list_unknown(engine, names, n_names, engine_knows_service));
    return document;
}
