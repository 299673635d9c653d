/* SPDX-License-Identifier: MIT */
/* What happens in a run: a list of deeds made from the seed, each with a seed of its own. */
#include <string.h>

#include "model.h"
#include "slotd/mem.h"

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
    sim.disk_us = now_us();
}

static void deed_post(struct chance *chance)
{
    marathon_post(chance, (size_t)chance_below(chance, sim.profile.apps));
}

static void ambush_prepare(struct chance *chance)
{
    const bool *faults = sim.profile.faults;
    bool both = chance_percent(chance, 40);
    bool first = chance_percent(chance, 50);
    sim.ambush = (struct ambush){
        .is_armed = true,
        .map = chance_percent(chance, 50) ? MAP_LEASES : MAP_ROUTES,
        .kills = faults[FAULT_SLOTD_KILLED] && (both || first),
        .crashes = faults[FAULT_HAPROXY_CRASHED] && (both || !first) && chance_percent(chance, 50),
        .reloads = faults[FAULT_HAPROXY_RELOADED] && (both || !first),
        .delay_us = chance_percent(chance, 50) ? (int64_t)chance_below(chance, 50 * MS)
                                               : (int64_t)chance_below(chance, 1200 * MS),
    };
}

static void deed_delete(struct chance *chance)
{
    marathon_delete(chance, (size_t)chance_below(chance, sim.profile.apps));
    if (sim.profile.pooled > 0) {
        ambush_prepare(chance);
    }
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
    haproxy_cut(haproxy_pick(chance), (unsigned)chance_below(chance, 4) * 33);
}

static void deed_cut_batch(struct chance *chance)
{
    haproxy_pick(chance)->cut_after = 1 + (unsigned)chance_below(chance, 6);
}

static void deed_refuse(struct chance *chance)
{
    haproxy_pick(chance)->refuse_after = 1 + (unsigned)chance_below(chance, 6);
}

static void deed_crash(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_CRASHED);
    haproxy_crash(haproxy_pick(chance), 0, chance_delay(chance, 10 * MS, 5 * SECOND));
}

static void deed_crash_old(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_OLD_STATE);
    struct haproxy *haproxy = haproxy_pick(chance);
    int64_t down_us = chance_delay(chance, 10 * MS, 5 * SECOND);
    /* Each file by itself is as it was. */
    unsigned mask = haproxy->has_maps ? 1 + (unsigned)chance_below(chance, (1u << N_FILES) - 1) : 1u << STATE_FILE;
    haproxy_crash(haproxy, mask, down_us);
}

static void deed_keep_old(struct chance *chance)
{
    haproxy_keep_files(haproxy_pick(chance));
}

static void deed_reload(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_RELOADED);
    haproxy_reload(haproxy_pick(chance));
}

static void deed_freeze_haproxy(struct chance *chance)
{
    count_fault(FAULT_HAPROXY_FROZEN);
    haproxy_freeze(haproxy_pick(chance), chance_delay(chance, 10 * MS, 12 * SECOND));
}

static void deed_fail_checks(struct chance *chance)
{
    struct haproxy *haproxy = haproxy_pick(chance);
    struct backend *backend = &haproxy->backends[chance_below(chance, haproxy->n_backends)];
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
    sim.clock_us = now_us();
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

static void deed_configure(struct chance *chance)
{
    count_fault(FAULT_CONFIGURED);
    slotd_configure(chance);
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

static void ambush_strike(void *arg, uint64_t number)
{
    struct haproxy *haproxy = arg;
    const struct ambush *ambush = &sim.ambush;
    if (sim.is_calm) {
        return;
    }
    tell("story", "an ambush");
    if (ambush->crashes) {
        count_fault(FAULT_HAPROXY_CRASHED);
        haproxy_crash(haproxy, 0, 100 * MS);
    } else if (ambush->reloads) {
        count_fault(FAULT_HAPROXY_RELOADED);
        haproxy_reload(haproxy);
    }
    if (ambush->kills) {
        kill_slotd_now(NULL, number);
    }
}

void ambush_note_deleted(struct haproxy *haproxy, size_t map)
{
    if (sim.ambush.is_armed && sim.ambush.map == map) {
        sim.ambush.is_armed = false;
        schedule(sim.ambush.delay_us, ambush_strike, haproxy, 0);
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
    {"another configuration", deed_configure, 3, FAULT_CONFIGURED},
    {"a host gets another address", deed_move_host, 1, FAULT_NAME},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- making one ---- */

/* Most runs have maps, and most of these have pools: then many services have no backend of their own name. */
static void profile_make_maps(struct profile *profile, struct chance *chance)
{
    profile->own = (1u << N_BACKEND_NAMES) - 1;
    profile->maps = chance_percent(chance, 60);
    if (!profile->maps || !chance_percent(chance, 70)) {
        return;
    }
    profile->own = (unsigned)(chance_next(chance) & chance_next(chance)) & profile->own;
    profile->pooled = 1 + (unsigned)chance_below(chance, 4);
    profile->sticky = (unsigned)chance_below(chance, 3);
    profile->release_delay_ms = (int64_t[]){0, 1000, 5000}[chance_below(chance, 3)];
}

/* Some runs have all faults, some few: what many hide, few show. */
void profile_make(uint64_t seed, struct profile *profile)
{
    struct chance chance;
    chance_seed(&chance, seed, 10);
    unsigned percent = (unsigned[]){0, 10, 30, 60, 100}[chance_below(&chance, 5)];
    *profile = (struct profile){0};
    for (size_t i = 0; i < N_FAULTS; i++) {
        profile->faults[i] = chance_percent(&chance, percent);
    }
    profile->checked = chance_percent(&chance, 60);
    profile->drain_unhealthy = chance_percent(&chance, 25);
    profile->names = chance_percent(&chance, 30);
    profile->operators = chance_percent(&chance, 40);
    profile->slots = 3 + (size_t)chance_below(&chance, MAX_SLOTS - 2);
    profile->apps = 2 + (size_t)chance_below(&chance, MAX_APPS - 1);
    profile->max_removal_percent = chance_percent(&chance, 70) ? 50 : 100;
    profile->haproxies = chance_percent(&chance, 25) ? 2 : 1;
    profile->readiness = chance_percent(&chance, 35);
    profile->segments = chance_percent(&chance, 35);
    profile->drain_timeout_ms = chance_percent(&chance, 50) ? 60000 : 3000;
    profile_make_maps(profile, &chance);
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
    for (size_t i = 0; i < N_KINDS; i++) {
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

void deed_do(const struct deed *deed)
{
    struct chance chance;
    chance_seed(&chance, deed->seed, 12);
    if (deed->kind > 0) {
        tell("story", "%s", kinds[deed->kind].name);
    }
    kinds[deed->kind].act(&chance);
}
