/* SPDX-License-Identifier: MIT */
/* Durations counted by buckets. */
#include "slotd/histogram.h"

#include <stddef.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

const uint64_t histogram_bounds_ns[HISTOGRAM_BOUNDS] = {
    100 * US, 200 * US, 500 * US, 1 * MS,   2 * MS, 5 * MS, 10 * MS, 20 * MS,
    50 * MS,  100 * MS, 200 * MS, 500 * MS, 1 * S,  2 * S,  5 * S,   10 * S,
};

void histogram_add(struct histogram *histogram, uint64_t duration_ns)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && duration_ns > histogram_bounds_ns[bucket]) {
        bucket++;
    }
    histogram->counts[bucket]++;
    histogram->sum_ns += duration_ns;
}
