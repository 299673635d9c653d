/* SPDX-License-Identifier: MIT */
/* Leases as leases.map tells them, held against who serves in the backends' slots: a map that was lost, or edited, must
 * not mix one service's tasks with another's. Once, after slotd's start: what it knows since then is newer. */
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"

/* ---- whose an address is ---- */

struct place {
    char *name;          /* address and port */
    const char *service; /* its key, borrowed; NULL: several services have it */
};

static void places_add(struct table *places, char *name, const char *service)
{
    struct place *place = table_get(places, name);
    if (place) {
        place->service = place->service && strcmp(place->service, service) == 0 ? service : NULL;
        free(name);
        return;
    }
    place = MEM_NEW(struct place);
    *place = (struct place){name, service};
    table_put(places, place->name, place);
}

static void places_add_service(struct table *places, const struct engine *engine, const struct service *service)
{
    char literal[SLOTS_MAX_ADDRESS];
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            const char *address =
                endpoint->phase != ENDPOINT_GONE ? resolver_peek(engine->resolver, endpoint->host, literal) : NULL;
            if (address) {
                places_add(places, mem_printf("%s:%d", address, endpoint->port), service->backend);
            }
        }
    }
}

static void places_fill(struct table *places, const struct engine *engine)
{
    size_t count = 0;
    const struct service **list = services_list(engine->services, &count);
    table_init(places, engine->seed);
    for (size_t i = 0; i < count; i++) {
        places_add_service(places, engine, list[i]);
    }
    free(list);
}

static void places_free(struct table *places)
{
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(places, &position));) {
        struct place *place = entry->value;
        free(place->name);
        free(place);
    }
    table_free(places);
}

/* ---- who is in a backend ---- */

/* What HAProxy has by now counts, whatever is meant to come: one that is to move takes requests where it was. */
static bool slot_may_serve(const struct slot_view *view)
{
    return view->state != SLOT_ABSENT && (view->observed->admin & SLOT_ADMIN_MAINT) == 0;
}

/* The one service whose tasks serve there, and nobody else does; NULL: there is none. */
static const char *backend_find_occupant(const struct edge_backend *backend, const struct table *places)
{
    const char *occupant = NULL;
    for (size_t i = 0; i < slots_count(backend->slots); i++) {
        struct slot_view view = slots_view(backend->slots, i);
        if (!slot_may_serve(&view)) {
            continue;
        }
        cleanup_free char *name = mem_printf("%s:%u", view.observed->address, view.observed->port);
        const struct place *place = table_get(places, name);
        if (!place || !place->service || (occupant && strcmp(place->service, occupant) != 0)) {
            return NULL;
        }
        occupant = place->service;
    }
    return occupant;
}

static bool edge_is_occupied_by(const struct edge *edge, const char *name, const char *service,
                                const struct table *places)
{
    const struct edge_backend *backend = name ? edge_find_backend(edge, name) : NULL;
    const char *occupant = backend ? backend_find_occupant(backend, places) : NULL;
    return occupant && strcmp(occupant, service) == 0;
}

/* ---- putting right ---- */

struct correction {
    char *service, *backend;
};

static struct correction *edge_find_corrections(const struct edge *edge, const struct table *places, size_t *ret_count)
{
    const struct leases *leases = edge->leasing.leases;
    struct correction *list = mem_alloc_array(leases_count_backends(leases), sizeof(*list));
    size_t position = 0;
    const char *name;
    *ret_count = 0;
    while ((name = leases_next(leases, &position))) {
        const struct edge_backend *backend = edge_find_backend(edge, name);
        const char *occupant = backend ? backend_find_occupant(backend, places) : NULL;
        const char *holder = leases_find_service(leases, name);
        if (occupant && (!holder || strcmp(holder, occupant) != 0) && !edge_has_own_backend(edge, occupant) &&
            !edge_is_occupied_by(edge, leases_get(leases, occupant), occupant, places)) {
            list[(*ret_count)++] = (struct correction){mem_strdup(occupant), mem_strdup(name)};
        }
    }
    return list;
}

/* All of them are nobody's first: they may be exchanged. */
static void edge_correct(struct edge *edge, const struct correction *list, size_t count)
{
    struct leases *leases = edge->leasing.leases;
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *wrong = mem_strdup(leases_get(leases, list[i].service));
        leases_release(leases, list[i].backend);
        if (wrong) {
            leases_release(leases, wrong);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (leases_recover(leases, list[i].service, list[i].backend)) {
            log_warning("haproxy",
                        "%s: tasks of the service %s serve in the backend %s: it is given that, whatever %s says",
                        edge->config->name, list[i].service, list[i].backend, edge->maps[EDGE_MAP_LEASES]->path);
        }
    }
}

void edge_leases_verify(struct edge *edge)
{
    struct table places;
    size_t count = 0;
    places_fill(&places, edge->engine);
    struct correction *list = edge_find_corrections(edge, &places, &count);
    if (count > 0) {
        edge_correct(edge, list, count);
        edge_leases_refresh(edge);
        edge_refresh_all(edge);
    }
    for (size_t i = 0; i < count; i++) {
        free(list[i].service);
        free(list[i].backend);
    }
    free(list);
    places_free(&places);
}
