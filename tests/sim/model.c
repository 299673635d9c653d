/* SPDX-License-Identifier: MIT */
/* Apps: their definitions, and the tasks that they ask for. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim.h"

/* ---- small things ---- */

int64_t sim_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *sim_time(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    return mem_printf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                      parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(ms % 1000));
}

int64_t sim_version_ms(struct sim *sim)
{
    int64_t now_ms = sim_now_ms();
    sim->last_version_ms = now_ms > sim->last_version_ms ? now_ms : sim->last_version_ms + 1;
    return sim->last_version_ms;
}

char *sim_uuid(struct sim *sim)
{
    uint64_t high = table_hash(sim->task_table.seed, &sim->deployment_sequence, sizeof(sim->deployment_sequence));
    uint64_t low = table_hash(high, &sim->last_version_ms, sizeof(sim->last_version_ms));
    return mem_printf("%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16) & 0xffff,
                      (unsigned)high & 0xfff, (unsigned)(low >> 48) & 0xfff,
                      (unsigned long long)(low & 0xffffffffffff));
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void sim_close_timer(uv_timer_t **timer)
{
    if (*timer) {
        uv_close((uv_handle_t *)*timer, timer_closed);
        *timer = NULL;
    }
}

uv_timer_t *sim_new_timer(struct sim *sim, void *data)
{
    uv_timer_t *timer = MEM_NEW(uv_timer_t);
    uv_timer_init(sim->loop, timer);
    timer->data = data;
    return timer;
}

struct app *model_find_app(struct sim *sim, const char *id)
{
    return table_get(&sim->app_table, id);
}

struct task *model_find_task(struct sim *sim, const char *id)
{
    return table_get(&sim->task_table, id);
}

bool model_is_settled(const struct sim *sim)
{
    return sim->unsettled == 0 && !sim->deployments;
}

/* ---- what an app asks for ---- */

struct census {
    unsigned fresh, fresh_ready, old, leaving;
};

static struct census app_count(const struct app *app)
{
    struct census census = {0};
    for (const struct task *task = app->tasks; task; task = task->next) {
        bool is_fresh = task->generation == app->generation;
        if (!task_counts(task)) {
            census.leaving += task->doomed;
        } else if (is_fresh) {
            census.fresh++;
            census.fresh_ready += task_is_ready(task);
        } else {
            census.old++;
        }
    }
    return census;
}

/* The youngest go first. */
static void app_kill(struct app *app, unsigned count, bool fresh)
{
    struct task *next = NULL;
    for (struct task *task = app->tasks; task && count > 0; task = next) {
        next = task->next;
        if (task_counts(task) && (task->generation == app->generation) == fresh) {
            task_kill(task, false, false, true);
            count--;
        }
    }
}

void model_reconcile(struct app *app)
{
    struct census census = app_count(app);
    unsigned surplus = census.fresh > app->instances ? census.fresh - app->instances : 0;
    /* New ones are ready before old ones go, as far as the strategy wants. */
    unsigned needed = (unsigned)ceil(app->instances * app->minimum_health);
    unsigned alive = census.old + census.fresh_ready;
    unsigned dispensable = alive > needed ? alive - needed : 0;
    app_kill(app, surplus, true);
    app_kill(app, dispensable < census.old ? dispensable : census.old, false);
    census = app_count(app);
    unsigned room = app->instances + (census.old > 0 ? (unsigned)floor(app->instances * app->over_capacity) : 0);
    for (unsigned n = census.fresh; n < app->instances && n + census.old < room; n++) {
        task_start(app);
    }
    census = app_count(app);
    if (app->deployment && census.old == 0 && census.leaving == 0 && census.fresh == app->instances &&
        census.fresh_ready == app->instances) {
        deployment_succeed(app->deployment);
    }
}

/* ---- changes ---- */

static struct app *app_new(struct sim *sim, const char *id)
{
    struct app *app = MEM_NEW(struct app);
    app->sim = sim;
    app->id = mem_strdup(id);
    app->next = sim->apps;
    app->link = &sim->apps;
    if (app->next) {
        app->next->link = &app->next;
    }
    sim->apps = app;
    table_put(&sim->app_table, app->id, app);
    return app;
}

static void say_posted(struct sim *sim, const char *uri, struct json_object *definition)
{
    struct json_object *event = json_object_new_object();
    json_object_object_add(event, "clientIp", json_object_new_string("127.0.0.1"));
    json_object_object_add(event, "uri", json_object_new_string(uri));
    json_object_object_add(event, "appDefinition", json_object_get(definition));
    events_send(sim, "api_post_event", event);
}

/* Everything about the new definition but its tasks. */
static enum deployment_kind app_define(struct app *app, struct json_object *complete, int64_t version_ms)
{
    bool is_new = !app->definition;
    bool differs = !is_new && definition_differs(app->definition, complete);
    if (!is_new) {
        definition_release_ports(app->sim, app->definition);
        json_object_put(app->definition);
    }
    app->definition = complete;
    app->scaled_ms = version_ms;
    app->changed_ms = is_new || differs ? version_ms : app->changed_ms;
    app->generation += differs;
    app->launch_failures = 0;
    free(app->version);
    app->version = sim_time(version_ms);
    definition_assign_ports(app->sim, app->definition);
    definition_apply(app);
    return is_new ? DEPLOYMENT_START : differs ? DEPLOYMENT_RESTART : DEPLOYMENT_SCALE;
}

/* As the answer to a POST and its event show it: service ports are not given yet. */
static struct json_object *as_posted(struct json_object *complete, const char *version)
{
    struct json_object *posted = NULL;
    json_object_deep_copy(complete, &posted, NULL);
    json_object_object_add(posted, "version", json_object_new_string(version));
    return posted;
}

struct app *model_put_app(struct sim *sim, const char *id, struct json_object *definition, const char *uri,
                          struct json_object **ret_posted, char **ret_deployment)
{
    struct app *app = model_find_app(sim, id);
    int64_t version_ms = sim_version_ms(sim);
    cleanup_free char *version = sim_time(version_ms);
    cleanup_free char *group = events_group_of(id);
    struct json_object *complete = definition_complete(definition, app ? app->definition : NULL, id);
    struct json_object *posted = as_posted(complete, version);
    json_object_put(definition);
    app = app ? app : app_new(sim, id);
    enum deployment_kind kind = app_define(app, complete, version_ms);
    struct deployment *deployment = deployment_start(sim, app, id, kind, version_ms);
    if (kind == DEPLOYMENT_START && app->health_checks) {
        events_health_check(app, true);
    }
    deployment_second_step(deployment);
    say_posted(sim, uri, kind == DEPLOYMENT_START ? posted : app->definition);
    events_group_change(sim, group, version, NULL);
    *ret_posted = posted;
    *ret_deployment = mem_strdup(deployment->id);
    model_reconcile(app);
    return app;
}

/* By a kill with scale=true: no definition is posted. */
char *model_scale_app(struct app *app, unsigned instances)
{
    struct json_object *complete = NULL;
    int64_t version_ms = sim_version_ms(app->sim);
    json_object_deep_copy(app->definition, &complete, NULL);
    json_object_object_add(complete, "instances", json_object_new_int((int)instances));
    app_define(app, complete, version_ms);
    const struct deployment *deployment = deployment_start(app->sim, app, app->id, DEPLOYMENT_SCALE, version_ms);
    events_group_change(app->sim, "/", app->version, NULL);
    return mem_strdup(deployment->id);
}

static void app_free(struct app *app)
{
    *app->link = app->next;
    if (app->next) {
        app->next->link = app->link;
    }
    table_remove(&app->sim->app_table, app->id);
    definition_release_ports(app->sim, app->definition);
    json_object_put(app->definition);
    json_object_put(app->last_failure);
    free(app->id);
    free(app->version);
    free(app->text);
    free(app);
}

char *model_delete_app(struct app *app)
{
    struct sim *sim = app->sim;
    cleanup_free char *group = events_group_of(app->id);
    if (app->deployment) {
        deployment_cancel(app->deployment);
    }
    struct deployment *stop = deployment_start(sim, NULL, app->id, DEPLOYMENT_STOP, sim_version_ms(sim));
    char *id = mem_strdup(stop->id);
    if (app->health_checks) {
        events_health_check(app, false);
    }
    events_group_change(sim, group, stop->version, NULL);
    /* One more than there are tasks: it may not end before all of them know of it. */
    stop->n_waiting = app->n_tasks + 1;
    struct task *next = NULL;
    for (struct task *task = app->tasks; task; task = next) {
        next = task->next;
        checks_stop(task);
        task->stopping = stop;
        task_kill(task, false, false, true);
    }
    for (struct task *task = app->tasks; task; task = task->next) {
        task->app = NULL;
    }
    app_free(app);
    if (--stop->n_waiting == 0) {
        deployment_succeed(stop);
    }
    return id;
}
