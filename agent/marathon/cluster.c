/* SPDX-License-Identifier: MIT */
/* The store itself: apps and tasks come, change and go; views of them. */
#include <string.h>

#include "cluster_private.h"
#include "slotd/mem.h"

/* ---- comparing ---- */

static bool texts_equal(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
    bool equal = n_a == n_b;
    for (size_t i = 0; equal && i < n_a; i++) {
        equal = strcmp(a[i], b[i]) == 0;
    }
    return equal;
}

static bool ports_equal(const struct marathon_port *a, size_t n_a, const struct marathon_port *b, size_t n_b)
{
    bool equal = n_a == n_b;
    for (size_t i = 0; equal && i < n_a; i++) {
        equal = a[i].port == b[i].port && a[i].has_host_port == b[i].has_host_port && strcmp(a[i].name, b[i].name) == 0;
    }
    return equal;
}

static bool labels_equal(const struct marathon_app *a, const struct marathon_app *b)
{
    bool equal = a->n_labels == b->n_labels;
    for (size_t i = 0; equal && i < a->n_labels; i++) {
        equal = strcmp(a->labels[i].key, b->labels[i].key) == 0 && strcmp(a->labels[i].value, b->labels[i].value) == 0;
    }
    return equal;
}

static bool readiness_equal(const struct marathon_app *a, const struct marathon_app *b)
{
    bool equal = a->n_readiness == b->n_readiness && a->n_readiness_checks == b->n_readiness_checks &&
                 a->readiness_timeout_s == b->readiness_timeout_s;
    for (size_t i = 0; equal && i < a->n_readiness; i++) {
        equal = a->readiness[i].ready == b->readiness[i].ready &&
                strcmp(a->readiness[i].task_id, b->readiness[i].task_id) == 0;
    }
    return equal;
}

/* Everything that the mapping reads of a definition; health results and counters are not in it. */
static bool definitions_equal(const struct marathon_app *a, const struct marathon_app *b)
{
    return strcmp(a->version, b->version) == 0 && a->has_networks == b->has_networks && a->network == b->network &&
           a->has_ip_address == b->has_ip_address && a->instances == b->instances &&
           a->n_deployments == b->n_deployments && a->deployments_mark == b->deployments_mark && labels_equal(a, b) &&
           readiness_equal(a, b) &&
           ports_equal(a->port_definitions, a->n_port_definitions, b->port_definitions, b->n_port_definitions) &&
           ports_equal(a->port_mappings, a->n_port_mappings, b->port_mappings, b->n_port_mappings) &&
           ports_equal(a->discovery_ports, a->n_discovery_ports, b->discovery_ports, b->n_discovery_ports) &&
           texts_equal(a->constraints, a->n_constraints, b->constraints, b->n_constraints);
}

bool task_place_equal(const struct marathon_task *a, const struct marathon_task *b)
{
    return strcmp(a->host, b->host) == 0 && a->n_ports == b->n_ports &&
           (a->n_ports == 0 || memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports)) == 0) &&
           texts_equal(a->addresses, a->n_addresses, b->addresses, b->n_addresses);
}

/* ---- apps ---- */

struct known_app *cluster_find_app(const struct cluster *cluster, const char *id)
{
    return table_get(&cluster->apps, id);
}

struct known_app *cluster_ensure_app(struct cluster *cluster, const char *id)
{
    struct known_app *app = cluster_find_app(cluster, id);
    if (app) {
        return app;
    }
    if (cluster->apps.count >= CLUSTER_MAX_APPS) {
        cluster->refused++;
        return NULL;
    }
    app = MEM_NEW(struct known_app);
    app->id = mem_strdup(id);
    app->definition = MEM_NEW(struct marathon_app);
    app->definition->id = mem_strdup(id);
    app->definition->version = mem_strdup("");
    app->since = cluster->receipts;
    table_put(&cluster->apps, app->id, app);
    return app;
}

static void known_app_drop_definition(struct known_app *app)
{
    /* The tasks in it belong to the store. */
    app->definition->tasks = NULL;
    app->definition->n_tasks = 0;
    marathon_app_free(app->definition);
}

static void known_task_free(struct known_task *known)
{
    marathon_task_free(known->task);
    free(known);
}

static void known_app_free(struct known_app *app)
{
    if (!app) {
        return;
    }
    for (size_t i = 0; i < app->n_tasks; i++) {
        known_task_free(app->tasks[i]);
    }
    for (size_t i = 0; i < CLUSTER_MAX_VERSIONS; i++) {
        free(app->versions[i]);
    }
    known_app_drop_definition(app);
    marathon_app_free(app->provisional);
    free(app->tasks);
    free(app->view);
    free(app->problem);
    free(app->id);
    free(app);
}

void cluster_mark_dirty(struct cluster *cluster, struct known_app *app)
{
    if (app->dirty) {
        return;
    }
    app->dirty = true;
    app->next_dirty = NULL;
    *cluster->last_dirty = app;
    cluster->last_dirty = &app->next_dirty;
}

void cluster_remove_app(struct cluster *cluster, struct known_app *app)
{
    for (size_t i = app->n_tasks; i > 0; i--) {
        struct known_task *known = app->tasks[i - 1];
        if (known->task->state == MARATHON_TASK_TERMINAL) {
            /* Its end may not have been seen yet: the last view tells it. */
            cluster_keep_end(cluster, known);
            table_remove(&cluster->tasks, known->task->id);
            cluster->tombstones--;
        } else {
            cluster_remove_task(cluster, known);
        }
    }
    table_remove(&cluster->apps, app->id);
    app->removed = true;
    cluster_mark_dirty(cluster, app);
}

bool cluster_app_is_over(const struct cluster *cluster, const struct known_app *app)
{
    bool over = app->absent && !cluster->open_fetch;
    for (size_t i = 0; i < app->n_tasks && over; i++) {
        over = app->tasks[i]->task->state == MARATHON_TASK_TERMINAL;
    }
    return over;
}

bool known_app_knows_version(const struct known_app *app, const char *version)
{
    for (size_t i = 0; i < CLUSTER_MAX_VERSIONS && app->versions[i]; i++) {
        if (strcmp(app->versions[i], version) == 0) {
            return true;
        }
    }
    return false;
}

void known_app_remember_version(struct known_app *app, const char *version)
{
    if (!version[0] || known_app_knows_version(app, version)) {
        return;
    }
    char **place = &app->versions[app->next_version++ % CLUSTER_MAX_VERSIONS];
    free(*place);
    *place = mem_strdup(version);
}

void cluster_set_definition(struct cluster *cluster, struct known_app *app, struct marathon_app *definition,
                            uint64_t receipt)
{
    if (!app->has_definition || !definitions_equal(app->definition, definition)) {
        cluster_mark_dirty(cluster, app);
    }
    known_app_drop_definition(app);
    app->definition = definition;
    app->has_definition = true;
    app->defined = receipt;
    known_app_remember_version(app, definition->version);
    if (app->problem) {
        free(app->problem);
        app->problem = NULL;
        cluster_mark_dirty(cluster, app);
    }
}

/* ---- tasks ---- */

size_t known_app_find_place(const struct known_app *app, const char *id)
{
    size_t low = 0;
    size_t high = app->n_tasks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(app->tasks[middle]->task->id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct known_task *cluster_add_task(struct cluster *cluster, struct known_app *app, struct marathon_task *task)
{
    if (cluster->tasks.count >= CLUSTER_MAX_TASKS) {
        cluster->refused++;
        marathon_task_free(task);
        return NULL;
    }
    struct known_task *known = MEM_NEW(struct known_task);
    enum marathon_task_state state = task->state;
    known->task = task;
    known->app = app;
    known->since = cluster->receipts;
    task->state = MARATHON_TASK_OTHER;
    size_t place = known_app_find_place(app, task->id);
    MEM_GROW(app->tasks, app->tasks_capacity, app->n_tasks + 1);
    memmove(&app->tasks[place + 1], &app->tasks[place], (app->n_tasks - place) * sizeof(*app->tasks));
    app->tasks[place] = known;
    app->n_tasks++;
    table_put(&cluster->tasks, task->id, known);
    cluster_set_state(cluster, known, state);
    cluster_mark_dirty(cluster, app);
    return known;
}

void cluster_set_state(struct cluster *cluster, struct known_task *known, enum marathon_task_state state)
{
    enum marathon_task_state old = known->task->state;
    if (old == state) {
        return;
    }
    cluster->running += state == MARATHON_TASK_RUNNING;
    cluster->running -= old == MARATHON_TASK_RUNNING;
    cluster->tombstones += state == MARATHON_TASK_TERMINAL;
    cluster->tombstones -= old == MARATHON_TASK_TERMINAL;
    known->task->state = state;
    if (state == MARATHON_TASK_TERMINAL) {
        known->ended = cluster->receipts;
        known->waits = false;
    }
    known->by_instance = false;
    cluster_mark_dirty(cluster, known->app);
}

void cluster_set_held(struct cluster *cluster, struct known_task *known, bool held)
{
    cluster->held += held;
    cluster->held -= known->held;
    known->held = held;
}

void cluster_task_found(struct cluster *cluster, struct known_task *known)
{
    known->missing = 0;
    cluster_set_held(cluster, known, false);
}

void cluster_remove_task(struct cluster *cluster, struct known_task *known)
{
    struct known_app *app = known->app;
    size_t place = known_app_find_place(app, known->task->id);
    cluster_set_state(cluster, known, MARATHON_TASK_OTHER);
    cluster_set_held(cluster, known, false);
    table_remove(&cluster->tasks, known->task->id);
    app->n_tasks--;
    memmove(&app->tasks[place], &app->tasks[place + 1], (app->n_tasks - place) * sizeof(*app->tasks));
    cluster_mark_dirty(cluster, app);
    known_task_free(known);
}

void cluster_end_waiting(struct cluster *cluster, struct known_app *app, uint64_t stamp)
{
    for (size_t i = 0; i < app->n_tasks; i++) {
        struct known_task *known = app->tasks[i];
        bool fits = known->event < stamp || strcmp(app->definition->version, known->task->version) == 0;
        if (known->waits && fits) {
            known->waits = false;
            cluster_mark_dirty(cluster, app);
        }
    }
}

/* ---- life ---- */

struct cluster *cluster_new(const struct cluster_config *config)
{
    struct cluster *cluster = MEM_NEW(struct cluster);
    cluster->config = *config;
    cluster->last_dirty = &cluster->first_dirty;
    table_init(&cluster->apps, config->seed);
    table_init(&cluster->tasks, config->seed);
    table_init(&cluster->instances, config->seed);
    table_init(&cluster->ends, config->seed);
    return cluster;
}

void cluster_configure(struct cluster *cluster, const struct cluster_config *config)
{
    uint64_t seed = cluster->config.seed;
    cluster->config = *config;
    cluster->config.seed = seed;
    if (!config->wants_health) {
        cluster_forget_health(cluster);
    }
}

void cluster_free(struct cluster *cluster)
{
    if (!cluster) {
        return;
    }
    /* Removed apps are in the dirty list alone, the others in the table. */
    for (struct known_app *app = cluster->first_dirty, *next = NULL; app; app = next) {
        next = app->next_dirty;
        if (app->removed) {
            known_app_free(app);
        }
    }
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        known_app_free(entry->value);
    }
    known_app_free(cluster->returned);
    cluster_forget_instances(cluster, UINT64_MAX);
    cluster_drop_ends(cluster, UINT64_MAX);
    table_free(&cluster->ends);
    table_free(&cluster->apps);
    table_free(&cluster->tasks);
    free(cluster);
}

/* ---- views ---- */

static void known_app_show(struct known_app *app, struct cluster_view *ret_view)
{
    MEM_GROW(app->view, app->view_capacity, app->n_tasks);
    for (size_t i = 0; i < app->n_tasks; i++) {
        app->view[i] = app->tasks[i]->task;
    }
    app->definition->tasks = app->view;
    app->definition->n_tasks = app->n_tasks;
    *ret_view = (struct cluster_view){
        .app = app->definition,
        .has_definition = app->has_definition,
        .removed = app->removed,
        .ended = app->removed && app->terminated > 0,
        .problem = app->problem,
    };
}

bool cluster_next_dirty(struct cluster *cluster, struct cluster_view *ret_view)
{
    struct known_app *app = cluster->first_dirty;
    known_app_free(cluster->returned);
    cluster->returned = NULL;
    if (!app) {
        return false;
    }
    cluster->first_dirty = app->next_dirty;
    if (!cluster->first_dirty) {
        cluster->last_dirty = &cluster->first_dirty;
    }
    app->dirty = false;
    known_app_show(app, ret_view);
    if (app->removed) {
        cluster->returned = app;
    }
    return true;
}

enum cluster_standing cluster_task_standing(const struct cluster *cluster, const char *task_id)
{
    const struct known_task *known = table_get(&cluster->tasks, task_id);
    if (!known || known->ran == 0) {
        return CLUSTER_TASK_LISTED;
    }
    if (!known->ran_listed) {
        return CLUSTER_TASK_UNLISTED;
    }
    return known->deployments != 0 && known->deployments == known->app->definition->deployments_mark
               ? CLUSTER_TASK_FRESH
               : CLUSTER_TASK_LISTED;
}

const char *cluster_find_app_of_task(const struct cluster *cluster, const char *task_id)
{
    const struct known_task *known = table_get(&cluster->tasks, task_id);
    return known && known->task->state != MARATHON_TASK_TERMINAL ? known->app->id : NULL;
}

void cluster_mark_app_dirty(struct cluster *cluster, const char *id)
{
    struct known_app *app = cluster_find_app(cluster, id);
    if (app) {
        cluster_mark_dirty(cluster, app);
    }
}

bool cluster_get_app(const struct cluster *cluster, const char *id, struct cluster_view *ret_view)
{
    struct known_app *app = cluster_find_app(cluster, id);
    if (app) {
        known_app_show(app, ret_view);
    }
    return app != NULL;
}

bool cluster_next_app(const struct cluster *cluster, size_t *position, struct cluster_view *ret_view)
{
    struct table_entry *entry = table_next(&cluster->apps, position);
    if (entry) {
        known_app_show(entry->value, ret_view);
    }
    return entry != NULL;
}

bool cluster_task_waits(const struct cluster *cluster, const char *task_id)
{
    const struct known_task *known = table_get(&cluster->tasks, task_id);
    return known && known->waits;
}

void cluster_mark_all_dirty(struct cluster *cluster)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&cluster->apps, &position))) {
        cluster_mark_dirty(cluster, entry->value);
    }
}

size_t cluster_held(const struct cluster *cluster)
{
    return cluster->held;
}

static bool app_has_held(const struct known_app *app)
{
    for (size_t i = 0; i < app->n_tasks; i++) {
        if (app->tasks[i]->held) {
            return true;
        }
    }
    return false;
}

size_t cluster_list_held(const struct cluster *cluster, const char **ids, size_t max)
{
    size_t count = 0;
    size_t position = 0;
    struct table_entry *entry;
    while (cluster->held > 0 && (entry = table_next(&cluster->apps, &position))) {
        const struct known_app *app = entry->value;
        if (app_has_held(app)) {
            if (count < max) {
                ids[count] = app->id;
            }
            count++;
        }
    }
    return count;
}

struct cluster_counts cluster_count(const struct cluster *cluster)
{
    return (struct cluster_counts){
        .apps = cluster->apps.count,
        .tasks = cluster->tasks.count - cluster->tombstones,
        .running = cluster->running,
        .tombstones = cluster->tombstones,
        .receipts = cluster->receipts,
        .refused = cluster->refused,
        .complete_fetches = cluster->complete_fetches,
    };
}
