/* SPDX-License-Identifier: MIT */
/* What people and faults do to Marathon and its tasks. */
#include "marathon_parts.h"

static uint8_t pick_class(struct chance *chance)
{
    return chance_percent(chance, 60) ? 0 : (uint8_t)chance_below(chance, N_CLASSES);
}

void marathon_post(struct chance *chance, size_t number)
{
    struct app *app = &marathon.apps[number];
    struct definition next = app->definition;
    bool is_new = !app->exists;
    unsigned what = (unsigned)chance_below(chance, sim.profile.maps ? 19 : 14);
    if (is_new) {
        next = (struct definition){.enabled = true, .instances = 1 + (unsigned)chance_below(chance, 4)};
        next.health_checks = chance_percent(chance, 50);
        next.segments = sim.profile.segments && number < 2 && chance_percent(chance, 60);
        next.readiness_s =
            sim.profile.readiness && chance_percent(chance, 70) ? (uint8_t)(1 + chance_below(chance, 14)) : 0;
        next.tagged = chance_percent(chance, 70);
        next.rule = sim.profile.maps ? (uint8_t)chance_below(chance, N_RULES) : 0;
        next.class = sim.profile.maps ? pick_class(chance) : 0;
    }
    if (what < 5) {
        next.instances = (unsigned)chance_below(chance, chance_percent(chance, 20) ? 12 : 6);
    } else if (what == 5) {
        next.enabled = !next.enabled;
    } else if (what == 6) {
        bool changes_segments = sim.profile.segments && number < 2 && chance_percent(chance, 50);
        next.segments = next.segments != changes_segments;
        next.port_index ^= !changes_segments;
    } else if (what == 7 && number < 3) {
        next.shares = !next.shares;
    } else if (what == 8) {
        next.weight = (uint8_t)chance_below(chance, 200);
    } else if (what == 10) {
        next.tagged = !next.tagged;
    } else if (what == 11 && sim.profile.readiness) {
        next.readiness_s = next.readiness_s ? 0 : (uint8_t)(1 + chance_below(chance, 14));
    } else if (what == 9) {
        next.check_port = next.check_port ? 0 : (uint16_t)(9000 + chance_below(chance, 3));
    } else if (what >= 14 && what < 17) {
        next.rule = (uint8_t)chance_below(chance, N_RULES);
    } else if (what >= 17) {
        next.class = pick_class(chance);
    }
    /* A rollback has an older version. */
    bool rolls_back = !is_new && chance_percent(chance, 10) && app->definition.version > 2;
    next.version = rolls_back ? app->definition.version - 1 : ++marathon.versions;
    next.config = is_new || what >= 5 ? next.version : next.config;
    /* The event comes before the change. */
    publish_definition(number, &next);
    if (!is_new && chance_percent(chance, 5)) {
        return; /* refused: nothing changes */
    }
    app->definition = next;
    app->deployment = ++marathon.deployments;
    app->exists = true;
    tell("marathon", "/a%zu is posted: version %u, %u instances%s%s, port %u, rule %u, class %s", number, next.version,
         next.instances, next.enabled ? "" : ", not exposed", next.shares ? ", backend blue" : "", next.port_index,
         next.rule, class_names[next.class]);
}

void marathon_delete(struct chance *chance, size_t number)
{
    struct app *app = &marathon.apps[number];
    (void)chance;
    if (!app->exists) {
        return;
    }
    app->exists = false;
    app->was_deleted = true;
    app->deployment = 0;
    tell("marathon", "/a%zu is deleted", number);
    publish_end(number);
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if (task->app == number) {
            task->is_listed = false;
            if (task_lives(task)) {
                task_kill(task);
            }
        }
    }
}

static struct task *pick_running(struct chance *chance)
{
    struct task *picked = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        if (marathon.tasks[i].state == LIFE_RUNNING && chance_below(chance, ++count) == 0) {
            picked = &marathon.tasks[i];
        }
    }
    return picked;
}

void marathon_fail_task(struct chance *chance)
{
    struct task *task = pick_running(chance);
    if (task) {
        task_end(task, "TASK_FAILED", chance_percent(chance, 10));
    }
}

void marathon_lose_host(struct chance *chance)
{
    size_t host = (size_t)chance_below(chance, MAX_HOSTS);
    bool all = chance_percent(chance, 20);
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct task *task = &marathon.tasks[i];
        if ((all || task->host == host) && task->state == LIFE_RUNNING) {
            task_become(task, LIFE_UNREACHABLE);
            publish_status(task, "TASK_UNREACHABLE");
            publish_instance(task, "instance_changed_event", "Unreachable");
            task_later(task, 50 * MS, 20 * SECOND);
        }
    }
}

void marathon_flip_health(struct chance *chance)
{
    struct task *task = pick_running(chance);
    if (task && marathon.apps[task->app].definition.health_checks) {
        task->is_unhealthy = !task->is_unhealthy;
        task->was_unhealthy = true;
        publish_health(task);
    }
}

void marathon_change_leader(struct chance *chance)
{
    count_fault(FAULT_LEADER_CHANGED);
    marathon.is_up = false;
    client_lose("the leader has changed");
    schedule(chance_delay(chance, 10 * MS, 15 * SECOND), marathon_come_up, NULL,
             sim.profile.faults[FAULT_ANSWER_OLD] && chance_percent(chance, 40));
}

void marathon_come_up(void *arg, uint64_t answers_old)
{
    (void)arg;
    marathon.is_up = true;
    if (answers_old && !sim.is_calm) {
        marathon.old_until_us = now_us() + chance_delay(&marathon_luck, 100 * MS, 6 * SECOND);
    }
}
