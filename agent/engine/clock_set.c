/* SPDX-License-Identifier: MIT */
/* Somebody may set the wall clock while drains are reckoned by it. */
#include "engine_private.h"
#include "slotd/log.h"

#define CLOCK_SET_MS 1000 /* less is a clock that is brought in step slowly: it adds up, and is followed then */

/* 0 is never. */
static void moment_shift(int64_t *moment_ms, int64_t by_ms)
{
    *moment_ms += *moment_ms != 0 ? by_ms : 0;
}

void engine_follow_clock(struct engine *engine)
{
    int64_t lead_ms = engine_clock_lead_ms();
    int64_t by_ms = lead_ms - engine->clock_lead_ms;
    if (by_ms > -CLOCK_SET_MS && by_ms < CLOCK_SET_MS) {
        return;
    }
    engine->clock_lead_ms = lead_ms;
    log_notice("clock", "the clock was set by %.1f s; drains last as long as they were asked to", (double)by_ms / 1000);
    moment_shift(&engine->started_ms, by_ms);
    moment_shift(&engine->feed.last_event_ms, by_ms);
    moment_shift(&engine->feed.last_sync_ms, by_ms);
    if (orders_count_drains(engine->orders) > 0) {
        orders_shift(engine->orders, by_ms);
        watches_shift(engine->watches, by_ms);
        orders_file_save(engine->orders_file, NULL, NULL);
    }
}
