/* SPDX-License-Identifier: MIT */
/* What happens in a run: a list of deeds made from the seed, each with a seed of its own; then calm, and the question
 * whether all is as it should be. */
#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* ---- deeds ---- */

static void do_fail_answers(struct chance *chance, unsigned *count)
{
    *count += 1 + (unsigned)chance_below(chance, 3);
}

static void start_slotd_again(void *arg, uint64_t confirm)
{
    (void)arg;
    slotd_start(confirm != 0);
}

static void heal_disk(void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    files_fail = false;
}

static void deed_post(struct chance *chance)
{
    marathon_post(chance, (size_t)chance_below(chance, sim.profile.apps));
}

static void deed_delete(struct chance *chance)
{
    marathon_delete(chance, (size_t)chance_below(chance, sim.profile.apps));
}

static void deed_lose_events(struct chance *chance)
{
    marathon.lose += 1 + (unsigned)chance_below(chance, 8);
}

static void deed_double_events(struct chance *chance)
{
    marathon.twice += 1 + (unsigned)chance_below(chance, 8);
}

static void deed_delay_events(struct chance *chance)
{
    marathon.delay += 1 + (unsigned)chance_below(chance, 8);
}

static void deed_cut_stream(struct chance *chance)
{
    (void)chance;
    marathon_cut_stream();
}

static void deed_fail_answers(struct chance *chance)
{
    do_fail_answers(chance, &marathon.fail);
}

static void deed_cut_answers(struct chance *chance)
{
    do_fail_answers(chance, &marathon.cut);
}

static void deed_halve_answers(struct chance *chance)
{
    marathon.halve += 1 + (unsigned)chance_below(chance, 4);
    marathon.half = chance_next(chance);
}

static void deed_malform(struct chance *chance)
{
    (void)chance;
    marathon.malform++;
}

static void deed_slow_answers(struct chance *chance)
{
    do_fail_answers(chance, &marathon.slow);
}

static void deed_cut_connection(struct chance *chance)
{
    count_fault(FAULT_CONNECTION_CUT);
    haproxy_cut((unsigned)chance_below(chance, 4) * 33);
}

static void deed_cut_batch(struct chance *chance)
{
    haproxy.cut_after = 1 + (unsigned)chance_below(chance, 6);
}

static void deed_refuse(struct chance *chance)
{
    haproxy.refuse_after = 1 + (unsigned)chance_below(chance, 6);
}

static void deed_crash(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_CRASHED);
    haproxy_crash(false, chance_delay(chance, 10 * MS, 5 * SECOND));
}

static void deed_crash_old(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_OLD_STATE);
    haproxy_crash(true, chance_delay(chance, 10 * MS, 5 * SECOND));
}

static void deed_keep_old(struct chance *chance)
{
    const struct buf *file = files_get(HAPROXY_STATE_FILE);
    (void)chance;
    if (file) {
        buf_clear(&haproxy.old_state);
        buf_append(&haproxy.old_state, file->data, file->len);
    }
}

static void deed_reload(struct chance *chance)
{
    (void)chance;
    count_fault(FAULT_HAPROXY_RELOADED);
    haproxy_reload();
}

static void deed_freeze_haproxy(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_FROZEN);
    haproxy_freeze(chance_delay(chance, 10 * MS, 12 * SECOND));
}

static void deed_fail_checks(struct chance *chance)
{
    struct backend *backend = &haproxy.backends[chance_below(chance, haproxy.n_backends)];
    bool all = chance_percent(chance, 25);
    bool sick = chance_percent(chance, 60);
    size_t one = (size_t)chance_below(chance, backend->n_servers);
    count_fault(FAULT_CHECK_FAILED);
    for (size_t i = 0; i < backend->n_servers; i++) {
        backend->servers[i].is_sick = all || i == one ? sick : backend->servers[i].is_sick;
    }
}

static void deed_kill_slotd(struct chance *chance)
{
    count_fault(FAULT_SLOTD_KILLED);
    slotd_kill();
    schedule(chance_delay(chance, MS, 8 * SECOND), start_slotd_again, NULL, 0);
}

static void deed_restart_slotd(struct chance *chance)
{
    count_fault(FAULT_SLOTD_RESTARTED);
    slotd_stop();
    schedule(chance_delay(chance, MS, 8 * SECOND), start_slotd_again, NULL, 0);
}

static void deed_freeze_slotd(struct chance *chance)
{
    count_fault(FAULT_SLOTD_FROZEN);
    int64_t until = now_us() + chance_delay(chance, 10 * MS, 8 * SECOND);
    loop_freeze(until);
    sim.quiet_us = until;
}

static void deed_fill_disk(struct chance *chance)
{
    count_fault(FAULT_DISK);
    files_fail = true;
    schedule(chance_delay(chance, 100 * MS, 20 * SECOND), heal_disk, NULL, 0);
}

static void deed_jump_clock(struct chance *chance)
{
    count_fault(FAULT_CLOCK);
    wall_skew_ms += (int64_t)chance_below(chance, 7200000) - 3600000;
}

static void deed_move_host(struct chance *chance)
{
    size_t host = 3 + (size_t)chance_below(chance, MAX_HOSTS - 3);
    if (sim.profile.names) {
        marathon.moved_names ^= 1u << host;
        marathon.names_us = now_us();
    }
}

static void deed_nothing(struct chance *chance)
{
    (void)chance;
}

static void kill_slotd_now(void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    if (slotd) {
        count_fault(FAULT_SLOTD_KILLED);
        slotd_kill();
        schedule(SECOND, start_slotd_again, NULL, 0);
    }
}

/* An operator asks for something, and slotd may die before it is on disk. */
static void deed_order(struct chance *chance)
{
    slotd_order(chance);
    if (sim.profile.faults[FAULT_SLOTD_KILLED] && chance_percent(chance, 20)) {
        schedule((int64_t)chance_below(chance, 40 * MS), kill_slotd_now, NULL, 0);
    }
}

#define ALWAYS N_FAULTS
static const struct {
    const char *name;
    void (*act)(struct chance *chance);
    unsigned weight;
    unsigned fault; /* that it needs, or ALWAYS */
} kinds[] = {
    {"nothing", deed_nothing, 4, ALWAYS},
    {"post an app", deed_post, 14, ALWAYS},
    {"delete an app", deed_delete, 2, ALWAYS},
    {"a task fails", marathon_fail_task, 8, ALWAYS},
    {"a host is lost", marathon_lose_host, 2, ALWAYS},
    {"health changes", marathon_flip_health, 3, ALWAYS},
    {"an operator", deed_order, 4, ALWAYS},
    {"lose events", deed_lose_events, 4, FAULT_EVENT_LOST},
    {"double events", deed_double_events, 3, FAULT_EVENT_DOUBLED},
    {"delay events", deed_delay_events, 5, FAULT_EVENT_DELAYED},
    {"cut the stream", deed_cut_stream, 2, FAULT_STREAM_CUT},
    {"change the leader", marathon_change_leader, 2, FAULT_LEADER_CHANGED},
    {"fail answers", deed_fail_answers, 2, FAULT_ANSWER_FAILED},
    {"cut an answer", deed_cut_answers, 2, FAULT_ANSWER_CUT},
    {"halve an answer", deed_halve_answers, 2, FAULT_ANSWER_HALF},
    {"malform an app", deed_malform, 2, FAULT_ANSWER_MALFORMED},
    {"slow answers", deed_slow_answers, 2, FAULT_ANSWER_SLOW},
    {"cut the connection", deed_cut_connection, 3, FAULT_CONNECTION_CUT},
    {"cut a batch", deed_cut_batch, 5, FAULT_BATCH_CUT},
    {"refuse a command", deed_refuse, 3, FAULT_COMMAND_REFUSED},
    {"HAProxy crashes", deed_crash, 2, FAULT_HAPROXY_CRASHED},
    {"HAProxy gets an old state file", deed_crash_old, 1, FAULT_HAPROXY_OLD_STATE},
    {"a copy of the state file", deed_keep_old, 1, FAULT_HAPROXY_OLD_STATE},
    {"HAProxy reloads", deed_reload, 2, FAULT_HAPROXY_RELOADED},
    {"HAProxy freezes", deed_freeze_haproxy, 1, FAULT_HAPROXY_FROZEN},
    {"a foreign hand", haproxy_meddle, 2, FAULT_FOREIGN_HAND},
    {"checks fail", deed_fail_checks, 4, FAULT_CHECK_FAILED},
    {"slotd is killed", deed_kill_slotd, 2, FAULT_SLOTD_KILLED},
    {"slotd is restarted", deed_restart_slotd, 2, FAULT_SLOTD_RESTARTED},
    {"slotd freezes", deed_freeze_slotd, 1, FAULT_SLOTD_FROZEN},
    {"the disk is full", deed_fill_disk, 1, FAULT_DISK},
    {"the clock jumps", deed_jump_clock, 1, FAULT_CLOCK},
    {"a host gets another address", deed_move_host, 1, FAULT_NAME},
};
const size_t n_deed_kinds = sizeof(kinds) / sizeof(kinds[0]);

const char *deed_name(const struct deed *deed)
{
    return kinds[deed->kind].name;
}

/* ---- making one ---- */

/* Some runs have all faults, some few: what many hide, few show. */
static void profile_make(uint64_t seed, struct profile *profile)
{
    struct chance chance;
    chance_seed(&chance, seed, 10);
    unsigned percent = (unsigned[]){0, 10, 30, 60, 100}[chance_below(&chance, 5)];
    *profile = (struct profile){0};
    for (size_t i = 0; i < N_FAULTS; i++) {
        profile->faults[i] = chance_percent(&chance, percent);
    }
    profile->is_late = chance_percent(&chance, 50);
    profile->init_down = profile->is_late && chance_percent(&chance, 50);
    profile->checked = chance_percent(&chance, 60);
    profile->drain_unhealthy = chance_percent(&chance, 25);
    profile->names = chance_percent(&chance, 30);
    profile->operators = chance_percent(&chance, 40);
    profile->slots = 3 + (size_t)chance_below(&chance, MAX_SLOTS - 2);
    profile->apps = 2 + (size_t)chance_below(&chance, MAX_APPS - 1);
    profile->max_removal_percent = chance_percent(&chance, 70) ? 50 : 100;
    profile->drain_timeout_ms = chance_percent(&chance, 50) ? 60000 : 3000;
}

void story_make(uint64_t seed, size_t count, struct story *story)
{
    struct chance chance;
    unsigned total = 0;
    struct profile profile;
    profile_make(seed, &profile);
    chance_seed(&chance, seed, 11);
    unsigned pace = (unsigned[]){5, 20, 60, 150}[chance_below(&chance, 4)];
    *story = (struct story){.seed = seed, .deeds = mem_alloc_array(count, sizeof(struct deed)), .count = count};
    for (size_t i = 0; i < n_deed_kinds; i++) {
        total += kinds[i].weight;
    }
    for (size_t i = 0; i < count; i++) {
        struct deed *deed = &story->deeds[i];
        unsigned left = (unsigned)chance_below(&chance, total);
        while (left >= kinds[deed->kind].weight) {
            left -= kinds[deed->kind++].weight;
        }
        bool may = (kinds[deed->kind].fault == ALWAYS || profile.faults[kinds[deed->kind].fault]) &&
                   (kinds[deed->kind].act != deed_order || profile.operators);
        deed->kind = may ? deed->kind : 0;
        deed->gap = (uint16_t)(chance_percent(&chance, 70) ? chance_below(&chance, pace)
                                                           : chance_below(&chance, (uint64_t)pace * 8));
        deed->seed = (uint32_t)chance_next(&chance);
    }
}

/* ---- living one ---- */

static struct chance tends, checks, sessions;

static void tick_tend(void *arg, uint64_t number)
{
    marathon_tend(&tends);
    schedule(chance_delay(&tends, 50 * MS, 400 * MS), tick_tend, arg, number);
}

static void tick_checks(void *arg, uint64_t number)
{
    haproxy_run_checks(&checks, sim.is_calm);
    schedule(chance_delay(&checks, 100 * MS, 900 * MS), tick_checks, arg, number);
}

static void tick_sessions(void *arg, uint64_t number)
{
    haproxy_run_sessions(&sessions);
    if (sim.profile.faults[FAULT_ANSWER_OLD] && !sim.is_calm) {
        client_remember_old();
    }
    schedule(chance_delay(&sessions, 100 * MS, SECOND), tick_sessions, arg, number);
}

static bool run_until(int64_t until_us)
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
    haproxy_reset();
    marathon_reset();
}

static void world_begin(uint64_t seed, bool trace)
{
    uint64_t steps = sim.steps;
    uint64_t faults[N_FAULTS];
    memcpy(faults, sim.faults, sizeof(faults));
    free(sim.broken);
    sim = (struct sim){.seed = seed, .steps = steps, .trace = trace};
    memcpy(sim.faults, faults, sizeof(faults));
    profile_make(seed, &sim.profile);
    schedule_reset();
    loop_reset();
    rules_reset();
    chance_seed(&tends, seed, 5);
    chance_seed(&checks, seed, 6);
    chance_seed(&sessions, seed, 7);
    client_begin();
    haproxy_begin();
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
    files_fail = false;
    haproxy.refuse_after = haproxy.cut_after = 0;
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        for (size_t i = 0; i < haproxy.backends[b].n_servers; i++) {
            haproxy.backends[b].servers[i].is_sick = false;
        }
    }
    marathon_settle();
}

/* What only a new look tells slotd: somebody else has changed a server. */
static void look_again(void)
{
    bool changed = false;
    for (size_t b = 0; b < haproxy.n_backends; b++) {
        for (size_t i = 0; i < haproxy.backends[b].n_servers; i++) {
            changed = changed || haproxy.backends[b].servers[i].foreign_us == NEVER;
        }
    }
    if (changed) {
        haproxy_cut(100);
    }
}

static bool come_to_rest(void)
{
    cleanup_free char *difference = NULL;
    int64_t until = now_us() + REST_US;
    bool confirmed = false;
    unsigned right = 0;
    uint64_t began = haproxy.commands;
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
    if (!sim.broken && haproxy.commands - began > 3000) {
        broken("convergence", "%llu commands to come to rest", (unsigned long long)(haproxy.commands - began));
    }
    return !sim.broken;
}

static bool stay_silent(const char *after, int64_t for_us)
{
    uint64_t commands = haproxy.commands;
    if (run_until(now_us() + for_us) && haproxy.commands != commands) {
        broken("silence", "%llu commands %s, though nothing has changed",
               (unsigned long long)(haproxy.commands - commands), after);
    }
    if (!sim.broken) {
        cleanup_free char *difference = rules_find_difference();
        if (difference) {
            broken("silence", "%s: %s", after, difference);
        }
    }
    return !sim.broken;
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
    haproxy_crash(false, 100 * MS);
    (void)stay_silent("after a start of HAProxy", SILENCE_US);
}

bool story_run(const struct story *story, bool trace)
{
    world_begin(story->seed, trace);
    run_until(now_us() + 3 * SECOND);
    for (size_t i = 0; i < story->count && !sim.broken; i++) {
        const struct deed *deed = &story->deeds[i];
        struct chance chance;
        if (!run_until(now_us() + deed->gap * UNIT)) {
            break;
        }
        chance_seed(&chance, deed->seed, 12);
        if (deed->kind > 0) {
            tell("story", "%s", kinds[deed->kind].name);
        }
        kinds[deed->kind].act(&chance);
        step();
    }
    if (!sim.broken) {
        world_rest();
    }
    bool held = !sim.broken;
    char *text = sim.broken;
    sim.broken = NULL;
    world_end();
    sim.broken = text;
    return held;
}

/* ---- the shortest that still breaks the same rule ---- */

static bool still_breaks(const struct story *story, const char *rule)
{
    bool held = story_run(story, false);
    return !held && strcmp(sim.rule, rule) == 0;
}

/* Takes parts away, ever smaller ones (delta debugging). */
void story_shrink(struct story *story, unsigned runs, int64_t seconds)
{
    const char *rule = sim.rule;
    time_t until = time(NULL) + seconds;
    size_t part = story->count / 2;
    struct story shorter = {.seed = story->seed, .deeds = mem_alloc_array(story->count, sizeof(struct deed))};
    while (part > 0 && runs > 0 && time(NULL) < until) {
        bool shrunk = false;
        for (size_t from = 0; from < story->count && runs > 0 && time(NULL) < until;) {
            size_t len = from + part < story->count ? part : story->count - from;
            memcpy(shorter.deeds, story->deeds, from * sizeof(struct deed));
            memcpy(shorter.deeds + from, story->deeds + from + len, (story->count - from - len) * sizeof(struct deed));
            shorter.count = story->count - len;
            if (from < shorter.count) {
                /* What comes after stays when it was, if that can be. */
                unsigned gap = shorter.deeds[from].gap;
                for (size_t i = 0; i < len; i++) {
                    gap += story->deeds[from + i].gap;
                }
                shorter.deeds[from].gap = (uint16_t)(gap < UINT16_MAX ? gap : UINT16_MAX);
            }
            runs--;
            if (still_breaks(&shorter, rule)) {
                memcpy(story->deeds, shorter.deeds, shorter.count * sizeof(struct deed));
                story->count = shorter.count;
                shrunk = true;
            } else {
                from += len;
            }
        }
        part = shrunk && part > 1 ? part : part / 2;
    }
    free(shorter.deeds);
}
