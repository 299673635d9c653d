/* SPDX-License-Identifier: MIT */
/* The agent as a whole: its threads begin, end, and are summed up. */
#include "slotd/spoe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "slotd/mem.h"
#include "spoe_private.h"

static struct loop *loop_new(struct spoe *spoe, unsigned number)
{
    struct loop *loop = MEM_NEW(struct loop);
    loop->spoe = spoe;
    loop->number = number;
    loop->listener = spoe->listeners[number % spoe->listener_count];
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return loop;
}

static void loop_free(struct loop *loop)
{
    if (!loop) {
        return;
    }
    if (loop->started) {
        pthread_join(loop->thread, NULL);
    }
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    if (loop->wake >= 0) {
        close(loop->wake);
    }
    free(loop);
}

/* Signals are for the main thread. */
static int loop_start(struct loop *loop)
{
    sigset_t all;
    sigset_t before;
    if (loop->epoll < 0 || loop->wake < 0) {
        return -EMFILE;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int err = -pthread_create(&loop->thread, NULL, loop_run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop->started = !err;
    return err;
}

int spoe_start(const struct spoe_config *config, struct buf *why, struct spoe **ret_spoe)
{
    struct spoe *spoe = MEM_NEW(struct spoe);
    spoe->config = *config;
    spoe->loops = mem_alloc_array(config->threads, sizeof(struct loop *));
    int err = spoe_open_listeners(spoe, why);
    for (unsigned i = 0; i < config->threads && !err; i++) {
        spoe->loops[i] = loop_new(spoe, i);
        err = loop_start(spoe->loops[i]);
        if (err) {
            buf_printf(why, "spoe.threads: cannot start a thread: %s", strerror(-err));
        }
    }
    if (err) {
        spoe_free(spoe);
        return err;
    }
    spoe->config.listen = NULL;
    *ret_spoe = spoe;
    return 0;
}

void spoe_stop(struct spoe *spoe)
{
    atomic_store(&spoe->stopping, true);
    for (unsigned i = 0; i < spoe->config.threads && spoe->loops[i]; i++) {
        (void)eventfd_write(spoe->loops[i]->wake, 1);
    }
}

void spoe_free(struct spoe *spoe)
{
    if (!spoe) {
        return;
    }
    spoe_stop(spoe);
    for (unsigned i = 0; i < spoe->config.threads; i++) {
        loop_free(spoe->loops[i]);
    }
    spoe_close_listeners(spoe);
    free(spoe->loops);
    free(spoe);
}

static void sum(uint64_t *total, const counter *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        total[i] += atomic_load_explicit(&values[i], memory_order_relaxed);
    }
}

void spoe_metrics_read(const struct spoe *spoe, struct spoe_metrics *ret_metrics)
{
    struct spoe_metrics metrics = {0};
    for (unsigned i = 0; i < spoe->config.threads; i++) {
        const struct counters *counters = &spoe->loops[i]->counters;
        sum(&metrics.requests, &counters->requests, 1);
        sum(metrics.answers, counters->answers, SPOE_KINDS);
        sum(&metrics.truncated, &counters->truncated, 1);
        sum(metrics.disconnects, counters->disconnects, SPOE_CODES);
        sum(metrics.refused, counters->refused, SPOE_CODES);
        sum(&metrics.healthchecks, &counters->healthchecks, 1);
        sum(&metrics.accepted, &counters->accepted, 1);
        sum(&metrics.rejected, &counters->rejected, 1);
        sum(&metrics.closed, &counters->closed, 1);
        sum(&metrics.slow, &counters->slow, 1);
        sum(metrics.latency.counts, counters->latency, HISTOGRAM_BOUNDS + 1);
        sum(&metrics.latency.sum_ns, &counters->latency_sum_ns, 1);
    }
    *ret_metrics = metrics;
}
