/* SPDX-License-Identifier: MIT */
/* /metrics: numbers as Prometheus' text format 0.0.4. Every name starts with slotd_; labels are HAProxy's and backends'
 * names and closed lists of words, never an app or a task. Pure, but for process_measure(). */
#ifndef SLOTD_METRICS_H
#define SLOTD_METRICS_H

#include <stdint.h>

#include "slotd/buf.h"
#include "slotd/engine_metrics.h"

/* This process, as the kernel tells; 0 where it does not. */
struct process_metrics {
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_fds, max_fds;
    uint64_t cpu_ns;
};
void process_measure(struct process_metrics *ret_metrics);

/* The HTTP side itself. */
struct web_metrics {
    uint64_t connections, max_connections;
    uint64_t requests;
    uint64_t refused; /* requests that were answered with another status than 200 or 503 */
    uint64_t expired; /* connections that were ended since they took too long */
};

void metrics_render(const struct engine_metrics *engine, const struct process_metrics *process,
                    const struct web_metrics *web, struct buf *text);

#endif
