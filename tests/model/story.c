/* SPDX-License-Identifier: MIT */
/* A run: the deeds of its story, then calm, and the question whether all is as it should be. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "slotd/mem.h"

#define UNIT (10 * MS) /* of deed.gap */
#define REST_US (240 * SECOND)
#define SILENCE_US (45 * SECOND)

struct sim sim;

const char *const fault_names[N_FAULTS] = {
    [FAULT_EVENT_LOST] = "events lost",
    [FAULT_EVENT_DOUBLED] = "events doubled",
    [FAULT_EVENT_DELAYED] = "events delayed",
    [FAULT_STREAM_CUT] = "streams cut",
    [FAULT_LEADER_CHANGED] = "leaders changed",
    [FAULT_ANSWER_OLD] = "answers of the past",
    [FAULT_ANSWER_FAILED] = "answers failed",
    [FAULT_ANSWER_CUT] = "answers cut",
    [FAULT_ANSWER_HALF] = "half answers",
    [FAULT_ANSWER_MALFORMED] = "apps malformed",
    [FAULT_ANSWER_SLOW] = "slow answers",
    [FAULT_CONNECTION_CUT] = "connections cut",
    [FAULT_BATCH_CUT] = "batches cut",
    [FAULT_COMMAND_REFUSED] = "commands refused",
    [FAULT_HAPROXY_CRASHED] = "HAProxy crashed",
    [FAULT_HAPROXY_OLD_STATE] = "HAProxy with an old state file",
    [FAULT_HAPROXY_RELOADED] = "HAProxy reloaded",
    [FAULT_HAPROXY_FROZEN] = "HAProxy frozen",
    [FAULT_FOREIGN_HAND] = "foreign hands",
    [FAULT_CHECK_FAILED] = "checks failing",
    [FAULT_SLOTD_KILLED] = "slotd killed",
    [FAULT_SLOTD_RESTARTED] = "slotd restarted",
    [FAULT_SLOTD_FROZEN] = "slotd frozen",
    [FAULT_DISK] = "disks full",
    [FAULT_CLOCK] = "clocks jumped",
    [FAULT_NAME] = "names not resolved",
    [FAULT_CONFIGURED] = "configurations changed",
    [FAULT_HOUR] = "hours without Marathon",
    [FAULT_HOUR_DOWN] = "hours without Marathon and slotd",
    [FAULT_PART] = "leaders with a part of the cluster",
};

void count_fault(enum fault fault)
{
    sim.faults[fault]++;
}

void step(void)
{
    sim.steps++;
    if (!sim.broken) {
        rules_check();
    }
}

/* ---- living one ---- */

static struct chance tends, checks, sessions;

static void tick_tend(void *arg, uint64_t number)
{
    marathon_tend(&tends);
    schedule(sim.pace * chance_delay(&tends, 50 * MS, 400 * MS), tick_tend, arg, number);
}

static void tick_checks(void *arg, uint64_t number)
{
    haproxies_run_checks(&checks, sim.is_calm);
    schedule(sim.pace * chance_delay(&checks, 100 * MS, 900 * MS), tick_checks, arg, number);
}

static void tick_sessions(void *arg, uint64_t number)
{
    haproxies_run_sessions(&sessions);
    if (sim.profile.faults[FAULT_ANSWER_OLD] && !sim.is_calm) {
        client_remember_old();
    }
    schedule(sim.pace * chance_delay(&sessions, 100 * MS, SECOND), tick_sessions, arg, number);
}

bool run_until(int64_t until_us)
{
    while (!sim.broken && schedule_step(until_us)) {
    }
    return !sim.broken;
}

static void world_end(void)
{
    slotd_reset();
    client_reset();
    loop_reset();
    schedule_reset();
    files_reset();
    haproxies_reset();
    marathon_reset();
}

static void world_begin(uint64_t seed, bool trace)
{
    uint64_t steps = sim.steps;
    int64_t lived_us = sim.lived_us;
    uint64_t faults[N_FAULTS];
    memcpy(faults, sim.faults, sizeof(faults));
    free(sim.broken);
    sim = (struct sim){.seed = seed, .steps = steps, .lived_us = lived_us, .trace = trace, .pace = 1};
    memcpy(sim.faults, faults, sizeof(faults));
    profile_make(seed, &sim.profile);
    sim.settings = (struct settings){
        .readiness = sim.profile.readiness,
        .drain_unhealthy = sim.profile.drain_unhealthy,
        .max_removal_percent = sim.profile.max_removal_percent,
        .drain_timeout_ms = sim.profile.drain_timeout_ms,
        .haproxies = (1u << sim.profile.haproxies) - 1,
    };
    schedule_reset();
    loop_reset();
    rules_reset();
    chance_seed(&tends, seed, 5);
    chance_seed(&checks, seed, 6);
    chance_seed(&sessions, seed, 7);
    client_begin();
    haproxies_begin();
    marathon_begin();
    for (size_t i = 0; i < sim.profile.apps; i++) {
        marathon_post(&tends, i);
    }
    tick_tend(NULL, 0);
    tick_checks(NULL, 0);
    tick_sessions(NULL, 0);
    slotd_start(false);
}

/* Everything that went wrong is right again. */
static void calm_down(void)
{
    sim.is_calm = true;
    tell("story", "all is calm from now on");
    sim.disk_us = files_fail ? now_us() : sim.disk_us;
    files_fail = false;
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        haproxy->refuse_after = haproxy->cut_after = 0;
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
                haproxy->backends[b].servers[i].is_sick = false;
            }
        }
    }
    marathon_settle();
}

/* What only a new look tells slotd: somebody else has changed a server. */
static void look_again(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        bool changed = false;
        for (size_t i = 0; i < N_MAPS; i++) {
            changed = changed || haproxy->maps[i].foreign_us == NEVER;
        }
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
                changed = changed || haproxy->backends[b].servers[i].foreign_us == NEVER;
            }
        }
        if (changed) {
            haproxy_cut(haproxy, 100);
        }
    }
}

static bool come_to_rest(void)
{
    cleanup_free char *difference = NULL;
    int64_t until = now_us() + REST_US;
    bool confirmed = false;
    unsigned right = 0;
    uint64_t began = haproxies_count_commands();
    while (right < 3 && now_us() < until && run_until(now_us() + SECOND)) {
        free(difference);
        difference = marathon_is_settled() ? rules_find_difference() : mem_strdup("Marathon is not settled");
        right = difference ? 0 : right + 1;
        if (difference && strstr(difference, "the guard holds") && now_us() > until - REST_US / 2 && !confirmed) {
            confirmed = true;
            slotd_confirm();
        }
    }
    if (!sim.broken && difference) {
        broken("convergence", "%lld s after the last fault: %s", (long long)(REST_US / SECOND), difference);
    }
    if (!sim.broken && haproxies_count_commands() - began > 3000) {
        broken("convergence", "%llu commands to come to rest",
               (unsigned long long)(haproxies_count_commands() - began));
    }
    return !sim.broken;
}

static bool stay_silent(const char *after, int64_t for_us)
{
    uint64_t commands = haproxies_count_commands();
    if (run_until(now_us() + for_us) && haproxies_count_commands() != commands) {
        broken("silence", "%llu commands %s, though nothing has changed",
               (unsigned long long)(haproxies_count_commands() - commands), after);
    }
    if (!sim.broken) {
        cleanup_free char *difference = rules_find_difference();
        if (difference) {
            broken("silence", "%s: %s", after, difference);
        }
    }
    return !sim.broken;
}

/* Some of the runs go on with a trial. */
static void world_try(void)
{
    switch (chance_below(&tends, 6)) {
    case 0:
        (void)trial_hour(true);
        break;
    case 1:
        (void)trial_hour(false);
        break;
    case 2:
    case 3:
        (void)trial_part(&tends);
        break;
    default:
        break;
    }
}

/* Sessions end, and what waits for that is done: then nothing is sent any more, whoever starts anew. */
static void world_rest(void)
{
    if (!run_until(now_us() + 20 * SECOND)) {
        return;
    }
    calm_down();
    if (!run_until(now_us() + 20 * SECOND)) {
        return;
    }
    slotd_start(false);
    slotd_end_orders();
    look_again();
    if (!come_to_rest() || !run_until(now_us() + 65 * SECOND) || !stay_silent("in calm", SILENCE_US)) {
        return;
    }
    if (sim.seed % 2) {
        slotd_stop();
    } else {
        slotd_kill();
    }
    slotd_start(false);
    if (!stay_silent("after a start of slotd", SILENCE_US)) {
        return;
    }
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        haproxy_crash(haproxy, 0, 100 * MS);
    }
    if (stay_silent("after a start of HAProxy", SILENCE_US)) {
        world_try();
    }
}

bool story_run(const struct story *story, bool trace)
{
    world_begin(story->seed, trace);
    run_until(now_us() + 3 * SECOND);
    for (size_t i = 0; i < story->count && !sim.broken; i++) {
        const struct deed *deed = &story->deeds[i];
        if (!run_until(now_us() + deed->gap * UNIT)) {
            break;
        }
        deed_do(deed);
        step();
    }
    if (!sim.broken) {
        world_rest();
    }
    bool held = !sim.broken;
    sim.lived_us += now_us();
    char *text = sim.broken;
    sim.broken = NULL;
    world_end();
    sim.broken = text;
    return held;
}
