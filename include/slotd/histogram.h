/* SPDX-License-Identifier: MIT */
/* Durations counted by buckets: what a distribution costs is one increment, and its size is fixed. */
#ifndef SLOTD_HISTOGRAM_H
#define SLOTD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 16

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last one: longer than every bound */
    uint64_t sum_ns;
};

/* The upper bounds in nanoseconds, ascending: 0.1 ms to 10 s. */
extern const uint64_t histogram_bounds_ns[HISTOGRAM_BOUNDS];

/* Counts one duration; a bound belongs to its bucket. */
void histogram_add(struct histogram *histogram, uint64_t duration_ns);

#endif
