/* SPDX-License-Identifier: MIT */
/* Endpoints that Marathon's health checks say alive=false of (mapping.drain_unhealthy): whether they drain, and what is
 * said of them. Judged here, since only here it is known what takes traffic: by weights and drains of operators, too.
 */
#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"
#include "slotd/text.h"

bool health_holds(const struct backend_health *health)
{
    return health->unhealthy > 0 && !health->drains;
}

/* living: the service's endpoints that are not gone, in its own order, with their weights. */
static void health_count(const struct service *service, const struct slot_endpoint *living,
                         struct backend_health *health)
{
    for (size_t p = 0, i = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            if (endpoint->phase == ENDPOINT_GONE) {
                continue;
            }
            bool serves = endpoint->phase == ENDPOINT_READY && !endpoint->kept_only && !living[i].operator_drain &&
                          living[i].weight > 0;
            health->unhealthy += endpoint->unhealthy;
            health->counts.serving += serves;
            health->counts.failing += serves && endpoint->unhealthy;
            i++;
        }
    }
}

struct backend_health health_judge(const struct service *service, const struct slot_endpoint *living,
                                   int max_removal_percent)
{
    struct backend_health health = {0};
    health_count(service, living, &health);
    health.drains = health.unhealthy > 0 && health_may_drain(&health.counts, max_removal_percent);
    return health;
}

void health_note(struct edge_backend *backend, const struct backend_health *health)
{
    bool held = health_holds(&backend->health);
    backend->health = *health;
    if (health_holds(health) && !held) {
        log_warning("mapping",
                    "%s: backend %s: %zu of %zu %s unhealthy by Marathon's checks, which is too much at once: %s on",
                    backend->edge->config->name, backend->name, health->counts.failing, health->counts.serving,
                    text_plural(health->counts.serving, "endpoint is", "endpoints are"),
                    text_plural(health->counts.failing, "it serves", "they serve"));
    }
}

enum endpoint_phase health_find_phase(const struct engine *engine, const struct service *service,
                                      const struct endpoint *endpoint)
{
    const struct edge_backend *backend = endpoint->unhealthy ? engine_find_backend_of(engine, service) : NULL;
    return backend && backend->health.drains ? ENDPOINT_DRAIN : endpoint->phase;
}

/* ---- problems ---- */

static bool endpoint_serves(const struct edge_backend *backend, const struct service_part *part,
                            const struct endpoint *endpoint)
{
    cleanup_free char *key = endpoint_key(part, endpoint);
    long place = slots_find_endpoint(backend->slots, key);
    return place >= 0 && slots_view(backend->slots, (size_t)place).state == SLOT_READY;
}

static void problems_of_part(const struct edge_backend *backend, const struct service_part *part,
                             struct json_object *problems)
{
    for (size_t e = 0; e < part->n_endpoints; e++) {
        const struct endpoint *endpoint = &part->endpoints[e];
        if (endpoint->unhealthy) {
            const char *message =
                endpoint_serves(backend, part, endpoint)
                    ? "a health check of Marathon says alive=false; it serves on as one of the last that do"
                    : "a health check of Marathon says alive=false: it drains until that changes";
            json_object_array_add(problems,
                                  map_output_problem(part->app, endpoint->task, part->segment, "unhealthy", message));
        }
    }
}

static bool part_is_unhealthy(const struct service_part *part)
{
    bool unhealthy = false;
    for (size_t e = 0; e < part->n_endpoints && !unhealthy; e++) {
        unhealthy = part->endpoints[e].unhealthy;
    }
    return unhealthy;
}

void health_add_problems(const struct edge_backend *backend, const struct service *service,
                         struct json_object *problems)
{
    const struct backend_health *health = &backend->health;
    cleanup_free char *held =
        mem_printf("Marathon's health checks say alive=false of %zu of the %zu %s, more than slots.max_removal_percent "
                   "(%d) lets go "
                   "at once: %s on",
                   health->counts.failing, health->counts.serving,
                   text_plural(health->counts.serving, "endpoint that serves", "endpoints that serve"),
                   backend->edge->engine->config->slots.max_removal_percent,
                   text_plural(health->counts.serving, "it serves", "all of them serve"));
    for (size_t p = 0; p < service->n_parts; p++) {
        const struct service_part *part = service->parts[p];
        if (health->drains) {
            problems_of_part(backend, part, problems);
        } else if (part_is_unhealthy(part)) {
            json_object_array_add(problems, map_output_problem(part->app, NULL, part->segment, "unhealthy-held", held));
        }
    }
}
