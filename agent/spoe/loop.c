/* SPDX-License-Identifier: MIT */
/* The loop of a thread. It is epoll itself: libuv knows no EPOLLEXCLUSIVE, without which each connection to a shared
 * socket would wake every thread, and a write of it is a request to be allocated. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "slotd/mem.h"
#include "spoe_private.h"

#define EVENTS_MAX 64
#define ACCEPT_MAX 64 /* connections accepted in a turn */
#define TICK_MS 250   /* how late a deadline may be */
#define NO_DESCRIPTOR_MS 100

uint64_t loop_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void loop_listen(struct loop *loop, bool on)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &loop->listener};
    (void)epoll_ctl(loop->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, loop->listener, &event);
    loop->accept_again_ms = on ? 0 : loop->now_ms + NO_DESCRIPTOR_MS;
}

/* Without a descriptor the connection stays where it is, and would wake us for ever. */
static void loop_accept(struct loop *loop)
{
    for (unsigned i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                count_add(&loop->counters.rejected, 1);
                loop_listen(loop, false);
            }
            return;
        }
        if (loop->connection_count >= SPOE_CONNECTIONS_MAX) {
            count_add(&loop->counters.rejected, 1);
            close(fd);
            continue;
        }
        count_add(&loop->counters.accepted, 1);
        connection_open(loop, fd);
    }
}

static void loop_expire(struct loop *loop)
{
    struct connection *next = NULL;
    if (loop->accept_again_ms && loop->now_ms >= loop->accept_again_ms && !loop->ending) {
        loop_listen(loop, true);
    }
    for (struct connection *connection = loop->deadline_count ? loop->connections : NULL; connection;
         connection = next) {
        next = connection->next;
        if (connection->deadline_ms && loop->now_ms >= connection->deadline_ms) {
            connection_expire(connection);
        }
    }
}

static void loop_end(struct loop *loop)
{
    struct connection *next = NULL;
    loop->ending = true;
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->listener, NULL);
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->wake, NULL);
    for (struct connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        connection_end(connection);
    }
}

static void loop_handle(struct loop *loop, const struct epoll_event *event)
{
    if (event->data.ptr == &loop->listener) {
        if (!loop->ending) {
            loop_accept(loop);
        }
    } else if (event->data.ptr != &loop->wake) {
        connection_handle(event->data.ptr, event->events);
    }
}

static void loop_free_closed(struct loop *loop)
{
    while (loop->closed) {
        struct connection *connection = loop->closed;
        loop->closed = connection->next;
        free(connection);
    }
}

/* One turn; between two of them it holds nothing of what is published. */
static void loop_turn(struct loop *loop, const struct epoll_event *events, int count)
{
    struct epoch *epoch = loop->spoe->config.epoch;
    if (epoch) {
        epoch_enter(epoch, loop->number);
    }
    loop->now_ms = loop_clock_ns() / 1000000;
    for (int i = 0; i < count; i++) {
        loop_handle(loop, &events[i]);
    }
    if (!loop->ending && atomic_load(&loop->spoe->stopping)) {
        loop_end(loop);
    }
    if (loop->deadline_count || loop->accept_again_ms) {
        loop_expire(loop);
    }
    loop_free_closed(loop);
    if (epoch) {
        epoch_leave(epoch, loop->number);
    }
}

void *loop_run(void *arg)
{
    struct loop *loop = arg;
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = &loop->wake};
    loop->now_ms = loop_clock_ns() / 1000000;
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake);
    loop_listen(loop, true);
    while (!loop->ending || loop->connections) {
        bool timed = loop->deadline_count || loop->accept_again_ms;
        int count = epoll_wait(loop->epoll, events, EVENTS_MAX, timed ? TICK_MS : -1);
        loop_turn(loop, events, count);
    }
    return NULL;
}
