/* SPDX-License-Identifier: MIT */
/* The wall clock, alone: a simulation has another one. */
#include <time.h>

#include "engine_private.h"

static int64_t clock_read_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t engine_now_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME);
}

/* CLOCK_BOOTTIME goes on while the machine sleeps, so that sleep is not taken for a clock that was set. */
int64_t engine_clock_lead_ms(void)
{
    return engine_now_ms() - clock_read_ms(CLOCK_BOOTTIME);
}
