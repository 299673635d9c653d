/* SPDX-License-Identifier: MIT */
/* A connection of HAProxy: one read, the answers to all frames of it in one write, and an end that HAProxy can read. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "slotd/mem.h"
#include "spoe_private.h"

void connection_set_deadline(struct connection *connection, uint64_t after_ms)
{
    struct loop *loop = connection->loop;
    loop->deadline_count -= connection->deadline_ms != 0;
    connection->deadline_ms = after_ms ? loop->now_ms + after_ms : 0;
    loop->deadline_count += connection->deadline_ms != 0;
}

static void connection_wait_for(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (events != connection->events) {
        (void)epoll_ctl(connection->loop->epoll, connection->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd,
                        &event);
        connection->events = events;
    }
}

void connection_open(struct loop *loop, int fd)
{
    struct connection *connection = MEM_NEW(struct connection);
    *connection = (struct connection){.loop = loop,
                                      .next = loop->connections,
                                      .fd = fd,
                                      .frame_max = HELLO_MAX,
                                      .input_size = HELLO_MAX + SPOP_LENGTH_SIZE};
    connection->input = mem_resize_array(NULL, connection->input_size, 1);
    if (connection->next) {
        connection->next->prev = connection;
    }
    loop->connections = connection;
    loop->connection_count++;
    connection_set_deadline(connection, HELLO_MS);
    connection_wait_for(connection, EPOLLIN);
}

void connection_close(struct connection *connection)
{
    struct loop *loop = connection->loop;
    connection_set_deadline(connection, 0);
    if (connection->prev) {
        connection->prev->next = connection->next;
    } else {
        loop->connections = connection->next;
    }
    if (connection->next) {
        connection->next->prev = connection->prev;
    }
    close(connection->fd);
    connection->fd = -1;
    free(connection->input);
    free(connection->unsent);
    connection->next = loop->closed;
    loop->closed = connection;
    loop->connection_count--;
    count_add(&loop->counters.closed, 1);
}

/* What was sent; 0 when the socket is full, or a negative errno. */
static ssize_t connection_send(const struct connection *connection, const void *data, size_t len)
{
    ssize_t sent = send(connection->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    return sent;
}

/* Nothing more will be written: HAProxy sees an end behind our last frame, whatever it still sends. */
static void connection_shut(struct connection *connection)
{
    if (!connection->shut) {
        connection->shut = true;
        (void)shutdown(connection->fd, SHUT_WR);
        connection_set_deadline(connection, LINGER_MS);
    }
}

/* One write; what the socket does not take is kept, and until it is gone nothing is read. */
static int connection_write(struct connection *connection, const uint8_t *data, size_t len)
{
    ssize_t sent = len > 0 ? connection_send(connection, data, len) : 0;
    if (sent < 0) {
        return (int)sent;
    }
    if ((size_t)sent < len) {
        connection->unsent_len = len - (size_t)sent;
        connection->unsent_at = 0;
        connection->unsent = mem_resize_array(NULL, connection->unsent_len, 1);
        memcpy(connection->unsent, data + sent, connection->unsent_len);
        connection_set_deadline(connection, SLOW_MS);
        connection_wait_for(connection, EPOLLOUT);
    }
    return 0;
}

/* How long HAProxy may take for what comes next. */
static void connection_expect(struct connection *connection)
{
    if (connection->phase == PHASE_OPEN) {
        if (connection->input_len == 0) {
            connection_set_deadline(connection, 0);
        } else if (!connection->deadline_ms) {
            connection_set_deadline(connection, PARTIAL_MS);
        }
    }
    connection_wait_for(connection, EPOLLIN);
}

static void latency_add(struct loop *loop, uint64_t since_ns, uint64_t requests)
{
    struct histogram one = {0};
    size_t bucket = 0;
    histogram_add(&one, loop_clock_ns() - since_ns);
    while (!one.counts[bucket]) {
        bucket++;
    }
    count_add(&loop->counters.latency[bucket], requests);
    count_add(&loop->counters.latency_sum_ns, one.sum_ns * requests);
    count_add(&loop->counters.requests, requests);
}

/* Why it ends is said behind the answers, in the same write. */
static void connection_finish(struct connection *connection, struct spop_writer *writer, int err)
{
    connection->phase = PHASE_ENDING;
    spop_agent_disconnect_write(writer, (enum spop_code) - err);
    count_add(&connection->loop->counters.disconnects[code_index((uint64_t)-err)], 1);
}

/* Answers one output's worth of frames. Whether more may be there. */
static bool connection_turn(struct connection *connection, bool ending, int *ret_err)
{
    struct loop *loop = connection->loop;
    struct spop_writer writer = spop_writer_over(loop->output, sizeof(loop->output));
    uint64_t since = loop_clock_ns();
    uint64_t requests = 0;
    size_t used = 0;
    writer.end -= sizeof(loop->output) - SPOE_FRAME_MAX - SPOP_LENGTH_SIZE;
    int err = connection_answer(connection, &writer, &used, &requests);
    writer.end = loop->output + sizeof(loop->output);
    bool full = !err && used > 0 && used < connection->input_len && connection->phase == PHASE_OPEN &&
                SPOE_FRAME_MAX - (size_t)(writer.at - writer.start) < connection->answer_max;
    if (err || connection->phase == PHASE_ENDING || (ending && !full)) {
        connection_finish(connection, &writer, err);
    }
    connection->input_len -= used;
    memmove(connection->input, connection->input + used, connection->input_len);
    *ret_err = connection_write(connection, loop->output, (size_t)(writer.at - loop->output));
    if (requests > 0) {
        latency_add(loop, since, requests);
    }
    return full && !connection->unsent;
}

/* Answers what has been read. */
static void connection_process(struct connection *connection, bool ending)
{
    int err = 0;
    while (connection_turn(connection, ending, &err) && !err) {
    }
    if (err) {
        connection_close(connection);
    } else if (!connection->unsent) {
        if (connection->phase == PHASE_ENDING) {
            connection_shut(connection);
        }
        connection_expect(connection);
    }
}

/* True when something was read; false when nothing is there, or the connection is closed. */
static bool connection_read(struct connection *connection)
{
    bool ending = connection->phase >= PHASE_ENDING;
    size_t at = ending ? 0 : connection->input_len;
    ssize_t got = recv(connection->fd, connection->input + at, connection->input_size - at, MSG_DONTWAIT);
    if (got > 0) {
        connection->input_len = ending ? 0 : at + (size_t)got;
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_close(connection);
    }
    return false;
}

/* Sends what was kept; then goes on with what has been read meanwhile. */
static void connection_flush(struct connection *connection)
{
    ssize_t sent = connection_send(connection, connection->unsent + connection->unsent_at,
                                   connection->unsent_len - connection->unsent_at);
    if (sent < 0) {
        connection_close(connection);
        return;
    }
    connection->unsent_at += (size_t)sent;
    if (connection->unsent_at < connection->unsent_len) {
        return;
    }
    free(connection->unsent);
    connection->unsent = NULL;
    connection_set_deadline(connection, 0);
    if (connection->phase == PHASE_ENDING) {
        connection_shut(connection);
        connection_wait_for(connection, EPOLLIN);
    } else {
        connection_process(connection, connection->loop->ending);
    }
}

void connection_handle(struct connection *connection, uint32_t events)
{
    if (connection->fd < 0) {
        return;
    }
    if (connection->unsent) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            connection_flush(connection);
        }
    } else if (connection_read(connection) && connection->phase != PHASE_ENDING) {
        connection_process(connection, false);
    }
}

void connection_end(struct connection *connection)
{
    if (connection->phase == PHASE_ENDING || connection->unsent) {
        return;
    }
    if (connection->phase == PHASE_OPEN) {
        (void)connection_read(connection);
        if (connection->fd < 0) {
            return;
        }
    }
    connection_process(connection, true);
}

void connection_expire(struct connection *connection)
{
    if (connection->unsent) {
        count_add(&connection->loop->counters.slow, 1);
        connection_close(connection);
    } else if (connection->phase == PHASE_ENDING || connection->phase == PHASE_CHECK) {
        connection_close(connection);
    } else {
        struct spop_writer writer = spop_writer_over(connection->loop->output, OUTPUT_SIZE);
        connection_finish(connection, &writer, -SPOP_TIMEOUT);
        (void)connection_send(connection, writer.start, (size_t)(writer.at - writer.start));
        connection_shut(connection);
    }
}
