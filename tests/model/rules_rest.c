/* SPDX-License-Identifier: MIT */
/* What must be when all is calm: HAProxy serves what Marathon runs. */
#include <stdio.h>
#include <string.h>

#include "rules_parts.h"
#include "slotd/mem.h"

struct duty {
    char address[56];
    bool is_met;
};

/* Of the service with that number, but for whom an operator drains there. */
static size_t list_duties(size_t number, const char *name, struct duty duties[MAX_TASKS * MAX_PARTS])
{
    size_t n_duties = 0;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct task *task = &marathon.tasks[i];
        const struct app *app = &marathon.apps[task->app];
        struct part parts[MAX_PARTS];
        size_t n_parts = definition_parts(task->app, &app->definition, parts);
        if (task->state != LIFE_RUNNING || !app->exists || slotd_drains(i, name, NULL)) {
            continue;
        }
        for (size_t p = 0; p < n_parts; p++) {
            char text[48];
            if (parts[p].backend != number) {
                continue;
            }
            host_address(task->host, text, sizeof(text));
            (void)snprintf(duties[n_duties].address, sizeof(duties[0].address), "%s:%u", text,
                           (unsigned)task->ports[parts[p].port_index]);
            duties[n_duties++].is_met = false;
        }
    }
    return n_duties;
}

static char *find_backend_difference(const struct backend *backend)
{
    struct duty duties[MAX_TASKS * MAX_PARTS];
    size_t n_duties = list_duties(backend->number, backend->name, duties);
    size_t serving = 0;
    size_t met = 0;
    size_t usable = 0;
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        char name[64];
        char address[56];
        (void)snprintf(name, sizeof(name), "%s/%s", backend->name, server->name);
        usable += !slotd_drains_slot(name);
        if (!server_takes_new(server)) {
            continue;
        }
        serving++;
        (void)snprintf(address, sizeof(address), "%s:%u", server->address, (unsigned)server->port);
        bool found = false;
        for (size_t k = 0; k < n_duties && !found; k++) {
            if (strcmp(duties[k].address, address) == 0 && !duties[k].is_met) {
                duties[k].is_met = found = true;
                met++;
            }
        }
        if (!found) {
            return mem_printf("%s serves %s, which should not be served", name, address);
        }
        if (server->weight == 0 || server->op_state == 0) {
            return mem_printf("%s serves %s with weight %u, %s", name, address, (unsigned)server->weight,
                              server->op_state ? "up" : "down");
        }
    }
    size_t should = n_duties < backend->n_servers ? n_duties : backend->n_servers;
    if (usable == backend->n_servers ? met != should : met + backend->n_servers - usable < should) {
        return mem_printf("%s: %zu serve, %zu should, on %zu slots", backend->name, met, n_duties, backend->n_servers);
    }
    return NULL;
}

bool backend_has_duties(const struct backend *backend)
{
    struct duty duties[MAX_TASKS * MAX_PARTS];
    return slotd_edge(backend->haproxy) && list_duties(backend->number, backend->name, duties) > 0;
}

bool service_has_duties(size_t service)
{
    struct duty duties[MAX_TASKS * MAX_PARTS];
    return list_duties(service, "", duties) > 0;
}

static char *find_haproxy_difference(struct haproxy *haproxy)
{
    const struct edge *edge = slotd_edge(haproxy);
    char *difference = NULL;
    if (!edge) {
        return NULL;
    }
    if (!edge_is_settled(edge)) {
        return mem_printf("slotd is not settled with %s", haproxy->socket);
    }
    if (edge->orphans_held > 0) {
        return mem_printf("the guard holds %zu orphans", edge->orphans_held);
    }
    for (size_t b = 0; b < haproxy->n_backends && !difference; b++) {
        difference = find_backend_difference(&haproxy->backends[b]);
    }
    if (!difference && haproxy->has_maps && haproxy->is_up) {
        difference = find_maps_difference(haproxy);
    }
    return difference;
}

char *rules_find_difference(void)
{
    char *difference = NULL;
    if (!slotd || !slotd->feed.answered) {
        return mem_strdup("slotd has no answer yet");
    }
    if (cluster_held(slotd->feed.cluster) > 0) {
        return mem_printf("the guard holds %zu tasks", cluster_held(slotd->feed.cluster));
    }
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        difference = difference ? difference : find_haproxy_difference(haproxy);
    }
    return difference;
}
