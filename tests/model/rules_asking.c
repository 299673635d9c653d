/* SPDX-License-Identifier: MIT */
/* What slotd must ask Marathon of its own accord, and how soon: whoever does not ask serves what is old. */
#include "rules_parts.h"
#include "traffic.h"

#define ASKING (3 * SECOND) /* contract.md: within 2 s; and a slow turn */

static int64_t live_us;     /* when the stream became live last */
static int64_t asked_us;    /* when all apps were asked for last */
static int64_t answered_us; /* when the last complete answer ended, if nothing was asked for since; else 0 */

void rules_reset_asking(void)
{
    live_us = asked_us = answered_us = 0;
}

void rules_note_live(void)
{
    live_us = now_us();
}

void rules_note_asked(void)
{
    asked_us = now_us();
    answered_us = 0;
}

/* A task is lacked, not often enough, and the guard does not hold it. */
static bool answer_leaves_doubt(void)
{
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        const struct told *told = &marathon.tasks[i].told;
        bool is_lacked = told->absent > 0 && told->absent < CONFIRMATIONS && told->state != LIFE_OVER;
        const struct known_task *known =
            slotd && is_lacked ? table_get(&slotd->feed.cluster->tasks, marathon.tasks[i].id) : NULL;
        if (known && !known->held) {
            return true;
        }
    }
    return false;
}

void rules_note_answered(void)
{
    answered_us = now_us();
}

void check_asking(void)
{
    int64_t since = live_us > sim.quiet_us ? live_us : sim.quiet_us;
    if (!client || !client->is_live || loop_is_frozen() || now_us() - since < ASKING) {
        return;
    }
    /* What happened before the stream was live no event tells. */
    if (asked_us < live_us) {
        broken("asked", "the stream is live for %lld ms, and all apps were not asked for",
               (long long)((now_us() - live_us) / MS));
    }
    bool is_due = answered_us > 0 && now_us() - (answered_us > since ? answered_us : since) > ASKING;
    if (is_due && answer_leaves_doubt()) {
        broken("confirmed", "an answer lacked a task %lld ms ago, and no other one was asked for",
               (long long)((now_us() - answered_us) / MS));
    }
}
