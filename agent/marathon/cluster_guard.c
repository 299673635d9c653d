/* SPDX-License-Identifier: MIT */
/* The guard of contract.md: by how many ready endpoints the services of each HAProxy would shrink when what an answer
 * lacks were gone. A task is one ready endpoint in each service of its app. */
#include "cluster_private.h"
#include "slotd/mem.h"

#define GUARD_MIN_ENDPOINTS 8 /* below that the share says nothing */
#define NEVER UINT64_MAX

struct guard_service {
    uint64_t first; /* stamp of the first answer in a row that lacked one of its tasks; NEVER: it lacks none */
    size_t before, after;
};

/* One HAProxy's. */
struct guard {
    struct cluster *cluster;
    uint64_t stamp;
    size_t haproxy;
    struct table services; /* name to struct guard_service */
    uint64_t first;        /* the earliest of all */
    size_t before, shrinks;
};

typedef void guard_visit(struct guard *guard, struct known_app *app, const char *service);

/* Without services to ask for each app is one of its own. */
static bool guard_next_service(const struct guard *guard, const struct known_app *app, size_t *position,
                               const char **ret_name)
{
    const struct cluster_config *config = &guard->cluster->config;
    if (config->next_service) {
        return config->next_service(config->arg, guard->haproxy, app->id, position, ret_name);
    }
    *ret_name = app->id;
    return (*position)++ == 0;
}

/* Tasks of an app without a definition have no endpoints; a pod's are in no answer at all. */
static void guard_visit_all(struct guard *guard, guard_visit *visit)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&guard->cluster->apps, &position))) {
        struct known_app *app = entry->value;
        const char *service = NULL;
        for (size_t i = 0; app->has_definition && guard_next_service(guard, app, &i, &service);) {
            visit(guard, app, service);
        }
    }
}

static uint64_t app_first_lack(const struct known_app *app, uint64_t stamp)
{
    uint64_t first = NEVER;
    for (size_t i = 0; i < app->n_tasks; i++) {
        const struct known_task *known = app->tasks[i];
        if (task_is_lacked(known, stamp) && known->lacked_since < first) {
            first = known->lacked_since;
        }
    }
    return first;
}

static void guard_note_lack(struct guard *guard, struct known_app *app, const char *name)
{
    struct guard_service *service = table_get(&guard->services, name);
    uint64_t first = app_first_lack(app, guard->stamp);
    if (!service) {
        service = MEM_NEW(struct guard_service);
        service->first = NEVER;
        table_put(&guard->services, name, service);
    }
    service->first = first < service->first ? first : service->first;
    guard->first = first < guard->first ? first : guard->first;
}

/* Confirming what an earlier answer lacked, before is what was before that one: what came with it is a replacement, and
 * what came to other services must not make the loss look smaller. */
static void guard_count(struct guard *guard, struct known_app *app, const char *name)
{
    struct guard_service *service = table_get(&guard->services, name);
    uint64_t first = service->first != NEVER ? service->first : guard->first;
    for (size_t i = 0; i < app->n_tasks; i++) {
        const struct known_task *known = app->tasks[i];
        bool ready = known->task->state == MARATHON_TASK_RUNNING && !known->waits;
        service->before += known->since < first && (ready || known->task->state == MARATHON_TASK_UNREACHABLE);
        service->after += ready && !task_is_lacked(known, guard->stamp);
    }
}

static void guard_sum(struct guard *guard)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&guard->services, &position))) {
        const struct guard_service *service = entry->value;
        guard->before += service->before;
        guard->shrinks += service->before > service->after ? service->before - service->after : 0;
    }
}

static void guard_hold(struct guard *guard, struct known_app *app, const char *name)
{
    const struct guard_service *service = table_get(&guard->services, name);
    app->guarded = app->guarded || service->before > service->after;
}

static void guard_free(struct guard *guard)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&guard->services, &position))) {
        free(entry->value);
    }
    table_free(&guard->services);
}

static bool guard_judge_haproxy(struct cluster *cluster, uint64_t stamp, size_t haproxy, bool nothing_listed)
{
    struct guard guard = {.cluster = cluster, .stamp = stamp, .haproxy = haproxy, .first = NEVER};
    table_init(&guard.services, cluster->config.seed);
    guard_visit_all(&guard, guard_note_lack);
    guard_visit_all(&guard, guard_count);
    guard_sum(&guard);
    bool too_much = guard.before >= GUARD_MIN_ENDPOINTS &&
                    guard.shrinks * 100 > guard.before * (size_t)cluster->config.max_removal_percent;
    bool holds = too_much || (nothing_listed && guard.before > 0);
    if (too_much) {
        guard_visit_all(&guard, guard_hold);
    }
    guard_free(&guard);
    return holds;
}

bool cluster_guard_judge(struct cluster *cluster, uint64_t stamp, bool nothing_listed)
{
    size_t count = cluster->config.next_service ? cluster->config.n_haproxies : 1;
    bool holds = false;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        ((struct known_app *)entry->value)->guarded = false;
    }
    for (size_t i = 0; i < count; i++) {
        holds = guard_judge_haproxy(cluster, stamp, i, nothing_listed) || holds;
    }
    return holds;
}
