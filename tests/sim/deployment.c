/* SPDX-License-Identifier: MIT */
/* Deployments: their plans, steps and events, and what /v2/deployments says of them. */
#include <string.h>

#include "sim.h"

static const char *const actions[][2] = {
    [DEPLOYMENT_START] = {"StartApplication", "ScaleApplication"},
    [DEPLOYMENT_SCALE] = {"ScaleApplication", NULL},
    [DEPLOYMENT_RESTART] = {"RestartApplication", NULL},
    [DEPLOYMENT_STOP] = {"StopApplication", NULL},
};

static int step_count(const struct deployment *deployment)
{
    return actions[deployment->kind][1] ? 2 : 1;
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *show_action(const struct deployment *deployment, int step)
{
    struct json_object *action = json_object_new_object();
    add_text(action, "action", actions[deployment->kind][step]);
    add_text(action, "app", deployment->app_id);
    return action;
}

static struct json_object *show_step(const struct deployment *deployment, int step)
{
    struct json_object *list = json_object_new_array();
    struct json_object *object = json_object_new_object();
    json_object_array_add(list, show_action(deployment, step));
    json_object_object_add(object, "actions", list);
    return object;
}

static struct json_object *show_steps(const struct deployment *deployment)
{
    struct json_object *steps = json_object_new_array();
    for (int i = 0; i < step_count(deployment); i++) {
        json_object_array_add(steps, show_step(deployment, i));
    }
    return steps;
}

/* step: -1 for an event about all of it. */
static void say(const struct deployment *deployment, const char *name, int step, const char *reason)
{
    struct json_object *event = json_object_new_object();
    struct json_object *plan = json_object_new_object();
    add_text(plan, "id", deployment->id);
    json_object_object_add(plan, "steps", show_steps(deployment));
    add_text(plan, "version", deployment->version);
    if (step < 0) {
        add_text(event, "id", deployment->id);
    }
    json_object_object_add(event, "plan", plan);
    if (step >= 0) {
        json_object_object_add(event, "currentStep", show_step(deployment, step));
    }
    if (reason) {
        add_text(event, "reason", reason);
    }
    events_send(deployment->sim, name, event);
}

static void deployment_free(struct deployment *deployment)
{
    *deployment->link = deployment->next;
    if (deployment->next) {
        deployment->next->link = deployment->link;
    }
    if (deployment->app) {
        deployment->app->deployment = NULL;
    }
    free(deployment->id);
    free(deployment->version);
    free(deployment->app_id);
    free(deployment);
}

struct deployment *deployment_start(struct sim *sim, struct app *app, const char *app_id, enum deployment_kind kind,
                                    int64_t version_ms)
{
    struct deployment *deployment = MEM_NEW(struct deployment);
    deployment->sim = sim;
    deployment->id = sim_uuid(sim);
    deployment->version = sim_time(version_ms);
    deployment->app_id = mem_strdup(app_id);
    deployment->kind = kind;
    deployment->app = app;
    deployment->number = ++sim->deployment_sequence;
    deployment->next = sim->deployments;
    deployment->link = &sim->deployments;
    if (deployment->next) {
        deployment->next->link = &deployment->next;
    }
    sim->deployments = deployment;
    if (app) {
        if (app->deployment) {
            deployment_cancel(app->deployment);
        }
        app->deployment = deployment;
    }
    say(deployment, "deployment_info", 0, NULL);
    return deployment;
}

void deployment_second_step(struct deployment *deployment)
{
    if (step_count(deployment) == 2) {
        say(deployment, "deployment_step_success", 0, NULL);
        say(deployment, "deployment_info", 1, NULL);
    }
}

void deployment_succeed(struct deployment *deployment)
{
    if (deployment->kind == DEPLOYMENT_STOP) {
        struct json_object *event = json_object_new_object();
        add_text(event, "appId", deployment->app_id);
        events_send(deployment->sim, "app_terminated_event", event);
    }
    say(deployment, "deployment_step_success", step_count(deployment) - 1, NULL);
    say(deployment, "deployment_success", -1, NULL);
    deployment_free(deployment);
}

void deployment_cancel(struct deployment *deployment)
{
    say(deployment, "deployment_failed", -1, "The upgrade has been cancelled");
    deployment_free(deployment);
}

static struct json_object *show_current(const struct deployment *deployment)
{
    struct json_object *list = json_object_new_array();
    struct json_object *action = show_action(deployment, step_count(deployment) - 1);
    json_object_object_add(action, "readinessCheckResults",
                           deployment->app ? checks_show_readiness(deployment->app) : json_object_new_array());
    json_object_array_add(list, action);
    return list;
}

struct json_object *deployment_show_all(const struct sim *sim)
{
    struct json_object *all = json_object_new_array();
    for (const struct deployment *deployment = sim->deployments; deployment; deployment = deployment->next) {
        struct json_object *object = json_object_new_object();
        struct json_object *apps = json_object_new_array();
        json_object_array_add(apps, json_object_new_string(deployment->app_id));
        add_text(object, "id", deployment->id);
        json_object_object_add(object, "steps", show_steps(deployment));
        add_text(object, "version", deployment->version);
        json_object_object_add(object, "affectedApps", apps);
        json_object_object_add(object, "affectedPods", json_object_new_array());
        json_object_object_add(object, "currentActions", show_current(deployment));
        json_object_object_add(object, "currentStep", json_object_new_int(step_count(deployment)));
        json_object_object_add(object, "totalSteps", json_object_new_int(step_count(deployment)));
        json_object_array_add(all, object);
    }
    return all;
}
