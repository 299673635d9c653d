/* SPDX-License-Identifier: MIT */
/* The shortest story that still breaks the same rule. */
#include <string.h>
#include <time.h>

#include "model.h"
#include "slotd/mem.h"

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
