/* SPDX-License-Identifier: MIT */
/* From a service to what should be in its slots: addresses resolved, weights scaled, sorted by key. */
#include <string.h>

#include "engine_private.h"
#include "slotd/mem.h"

char *endpoint_key(const struct service_part *part, const struct endpoint *endpoint)
{
    return mem_printf("%s %s", endpoint->task, part->segment);
}

void endpoint_key_show(struct json_object *object, const char *key)
{
    const char *blank = key ? strchr(key, ' ') : NULL;
    struct json_object *task = blank ? json_object_new_string_len(key, (int)(blank - key)) : NULL;
    json_object_object_add(object, "task", task);
    json_object_object_add(object, "segment", blank ? json_object_new_string(blank + 1) : NULL);
}

static int compare_endpoints(const void *a, const void *b)
{
    return strcmp(((const struct slot_endpoint *)a)->key, ((const struct slot_endpoint *)b)->key);
}

/* What weights_share() wants to know of a service: its endpoints that are not over, its apps in the order of parts. */
struct weighing {
    struct weight_endpoint *endpoints;
    struct weight_override *apps;
    size_t n_apps;
};

static void desired_scale(struct slot_endpoint *endpoints, const struct weighing *weighing, size_t count)
{
    uint16_t *scaled = mem_alloc_array(count, sizeof(*scaled));
    weights_share(weighing->endpoints, count, weighing->apps, weighing->n_apps, scaled);
    for (size_t i = 0; i < count; i++) {
        endpoints[i].weight = scaled[i];
    }
    free(scaled);
}

/* What an operator wants of the endpoint; *deadline_ms becomes the next time at which that changes. */
static void endpoint_apply_drain(const struct engine *engine, const struct slots *slots,
                                 const struct endpoint *endpoint, struct slot_endpoint *desired, int64_t *deadline_ms)
{
    if (orders_count_drains(engine->orders) == 0) {
        return;
    }
    long place = slots_find_endpoint(slots, desired->key);
    const struct order_endpoint asked = {
        .app = endpoint->app,
        .task = endpoint->task,
        .host = endpoint->host,
        .backend = slots_backend(slots),
        .server = place >= 0 ? slots_view(slots, (size_t)place).observed->server : NULL,
    };
    const struct drain_order *order = orders_find_drain(engine->orders, &asked);
    if (order) {
        int64_t deadline = drain_order_deadline(order);
        desired->operator_drain = true;
        desired->operator_maint = deadline <= engine_now_ms();
        *deadline_ms = !desired->operator_maint && deadline < *deadline_ms ? deadline : *deadline_ms;
    }
}

static struct slot_endpoint endpoint_desire(struct engine *engine, const struct service *service,
                                            const struct service_part *part, const struct endpoint *endpoint)
{
    bool gone = endpoint->phase == ENDPOINT_GONE;
    char literal[SLOTS_MAX_ADDRESS];
    const char *address = gone ? resolver_peek(engine->resolver, endpoint->host, literal)
                               : resolver_get(engine->resolver, endpoint->host, service->name);
    return (struct slot_endpoint){
        .key = endpoint_key(part, endpoint),
        .address = mem_strdup(address),
        .port = (uint16_t)endpoint->port,
        .check_port = service->check.port,
        .drain = endpoint->phase == ENDPOINT_DRAIN,
        .kept_only = endpoint->kept_only,
        .gone = gone,
    };
}

/* Tasks that are over have no say in the scale: weighing is NULL for them. */
static size_t service_collect(struct engine *engine, const struct service *service, struct slot_endpoint *endpoints,
                              struct weighing *weighing)
{
    size_t count = 0;
    for (size_t p = 0; p < service->n_parts; p++) {
        const struct service_part *part = service->parts[p];
        if (weighing && (p == 0 || strcmp(service->parts[p - 1]->app, part->app) != 0)) {
            weighing->apps[weighing->n_apps++] = weight_override_of(engine, part->app);
        }
        for (size_t e = 0; e < part->n_endpoints; e++) {
            const struct endpoint *endpoint = &part->endpoints[e];
            if ((endpoint->phase == ENDPOINT_GONE) != (weighing == NULL)) {
                continue;
            }
            if (weighing) {
                struct weight_endpoint *weighed = &weighing->endpoints[count];
                *weighed =
                    (struct weight_endpoint){.app = weighing->n_apps - 1, .idle = endpoint->phase == ENDPOINT_DRAIN};
                weighed->weight = endpoint_find_weight(engine, endpoint, &weighed->fixed);
            }
            endpoints[count++] = endpoint_desire(engine, service, part, endpoint);
        }
    }
    return count;
}

static size_t service_count_endpoints(const struct service *service)
{
    size_t count = 0;
    for (size_t p = 0; p < service->n_parts; p++) {
        count += service->parts[p]->n_endpoints;
    }
    return count;
}

/* An endpoint that an operator drains has no say in the shares either. */
static void service_apply_drains(struct engine *engine, const struct service *service, const struct slots *slots,
                                 struct slot_endpoint *endpoints, struct weighing *weighing)
{
    int64_t deadline_ms = ORDERS_NEVER;
    size_t count = 0;
    bool drains = false;
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            if (endpoint->phase == ENDPOINT_GONE) {
                continue;
            }
            endpoint_apply_drain(engine, slots, endpoint, &endpoints[count], &deadline_ms);
            weighing->endpoints[count].idle = weighing->endpoints[count].idle || endpoints[count].operator_drain;
            drains = drains || endpoints[count].operator_drain;
            count++;
        }
    }
    if (drains) {
        watches_note_drain(engine->watches, slots_backend(slots), deadline_ms);
    }
}

/* What drains for its health has no say in the shares; who is left gets what it had. */
static void service_apply_health(const struct service *service, struct slot_endpoint *endpoints,
                                 struct weighing *weighing, size_t living)
{
    size_t count = 0;
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            if (endpoint->phase == ENDPOINT_GONE) {
                continue;
            }
            endpoints[count].drain = endpoints[count].drain || endpoint->unhealthy;
            weighing->endpoints[count].idle = weighing->endpoints[count].idle || endpoint->unhealthy;
            count++;
        }
    }
    desired_scale(endpoints, weighing, living);
}

struct slot_endpoint *desired_new(struct engine *engine, const struct service *service, const struct slots *slots,
                                  size_t *ret_count, struct backend_health *ret_health)
{
    size_t most = service_count_endpoints(service);
    struct slot_endpoint *endpoints = mem_alloc_array(most, sizeof(*endpoints));
    struct weighing weighing = {
        .endpoints = mem_alloc_array(most, sizeof(*weighing.endpoints)),
        .apps = mem_alloc_array(service->n_parts, sizeof(*weighing.apps)),
    };
    size_t living = service_collect(engine, service, endpoints, &weighing);
    service_apply_drains(engine, service, slots, endpoints, &weighing);
    desired_scale(endpoints, &weighing, living);
    if (engine->config->mapping.drain_unhealthy) {
        *ret_health = health_judge(service, endpoints, engine->config->slots.max_removal_percent);
    }
    if (ret_health->drains) {
        service_apply_health(service, endpoints, &weighing, living);
    }
    size_t count = living + service_collect(engine, service, endpoints + living, NULL);
    free(weighing.endpoints);
    free(weighing.apps);
    qsort(endpoints, count, sizeof(*endpoints), compare_endpoints);
    *ret_count = count;
    return endpoints;
}

void desired_free(struct slot_endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)endpoints[i].key);
        free((char *)(uintptr_t)endpoints[i].address);
    }
    free(endpoints);
}
