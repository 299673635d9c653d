/* SPDX-License-Identifier: MIT */
/* What a world at rest must stand: an hour without Marathon in which everything is deployed anew, and a leader that has
 * loaded only a part of the cluster. Nobody helps, and no service is lost. */
#include "model.h"
#include "slotd/mem.h"

#define HOUR (3600 * SECOND)
#define REDEPLOY (180 * SECOND) /* of the hour, at the usual pace */
#define SLOW_PACE 100           /* of what happens by itself in the rest of it */
#define RECOVERY (120 * SECOND)

/* The backends that have to serve somebody from now on, as long as they did. */
static void watch_backends(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            struct backend *backend = &haproxy->backends[b];
            /* Checks that find its last one down are nobody's fault. */
            backend->must_serve = count_carrying(backend) > 0 && backend_has_duties(backend) ? now_us() : 0;
        }
    }
}

static void unwatch_backends(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            haproxy->backends[b].must_serve = 0;
        }
    }
}

/* What Marathon runs is served in time, and the guard asks nobody for a word. */
static bool recover(const char *from)
{
    int64_t until = now_us() + RECOVERY;
    char *difference = NULL;
    do {
        free(difference);
        difference = run_until(now_us() + SECOND) ? rules_find_difference() : NULL;
    } while (difference && now_us() < until);
    if (difference) {
        broken("recovery", "%lld s after %s: %s", (long long)(RECOVERY / SECOND), from, difference);
    }
    free(difference);
    unwatch_backends();
    return !sim.broken;
}

/* Everything is deployed anew while nobody tells slotd; it lives all the time, or starts when the hour is over. */
bool trial_hour(bool slotd_lives)
{
    uint64_t commands = haproxies_count_commands();
    bool has_drains = slotd_has_drains(); /* one that was asked for a while may end */
    count_fault(slotd_lives ? FAULT_HOUR : FAULT_HOUR_DOWN);
    tell("story", "an hour without Marathon; slotd %s", slotd_lives ? "lives" : "is down");
    marathon.is_up = false;
    client_lose("Marathon is gone");
    if (!slotd_lives) {
        slotd_stop();
    }
    marathon_redeploy();
    if (!run_until(now_us() + REDEPLOY)) {
        return false;
    }
    sim.pace = SLOW_PACE;
    bool held = run_until(now_us() + HOUR - REDEPLOY);
    sim.pace = 1;
    if (held && !has_drains && haproxies_count_commands() != commands) {
        broken("silence", "%llu commands while Marathon says nothing",
               (unsigned long long)(haproxies_count_commands() - commands));
    }
    if (sim.broken || !marathon_is_settled()) {
        return !sim.broken; /* no room for more tasks */
    }
    marathon.is_up = true;
    slotd_start(false);
    watch_backends();
    tell("story", "Marathon is there again");
    return recover("the hour without Marathon");
}

/* Whether that part of the answer is less than the guard lets pass, for each HAProxy. */
static bool part_is_held(void)
{
    bool held = slotd && sim.settings.max_removal_percent < 100;
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        size_t had = 0;
        size_t lacks = 0;
        for (size_t i = 0; i < marathon.n_tasks; i++) {
            const struct task *task = &marathon.tasks[i];
            struct part parts[MAX_PARTS];
            size_t count = definition_parts(task->app, &marathon.apps[task->app].definition, parts);
            for (size_t p = 0; task->state == LIFE_RUNNING && p < count; p++) {
                bool counts = haproxy_has_backend(haproxy, parts[p].backend);
                had += counts;
                lacks += counts && part_lacks(i);
            }
        }
        held = held && had >= 8 && lacks * 100 > had * (size_t)sim.settings.max_removal_percent;
    }
    return held;
}

/* A new leader answers before it has loaded all: again and again, when what it lacks is more than the guard lets pass;
 * else once. */
bool trial_part(struct chance *chance)
{
    uint64_t commands = haproxies_count_commands();
    count_fault(FAULT_PART);
    marathon.part = 1 + chance_next(chance) / 2;
    marathon.part_percent = 60 + (unsigned)chance_below(chance, 41);
    bool held = part_is_held();
    marathon.part_answers = held ? 1 + (unsigned)chance_below(chance, 10) : 1;
    tell("story", "a new leader has loaded a part: it lacks %u%%, %u answers", marathon.part_percent,
         marathon.part_answers);
    client_lose("the leader has changed");
    if (run_until(now_us() + 180 * SECOND) && haproxies_count_commands() != commands) {
        broken("part", "%llu commands since a leader had loaded only a part",
               (unsigned long long)(haproxies_count_commands() - commands));
    }
    return !sim.broken && recover("a leader had loaded only a part");
}
