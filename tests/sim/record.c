/* SPDX-License-Identifier: MIT */
/* A record of what happened when, for tests that compare moments: one line each, microseconds since 1970 first. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim.h"

int record_open(struct sim *sim, const char *path)
{
    sim->record = fopen(path, "we");
    if (!sim->record) {
        fprintf(stderr, "marathon-sim: %s: %s\n", path, strerror(errno));
        return -errno;
    }
    setvbuf(sim->record, NULL, _IOLBF, 0);
    return 0;
}

void record_add(struct sim *sim, const char *format, ...)
{
    struct timespec now;
    va_list args;
    if (!sim->record) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    fprintf(sim->record, "%lld ", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    va_start(args, format);
    vfprintf(sim->record, format, args);
    va_end(args);
    fputc('\n', sim->record);
}
