/* SPDX-License-Identifier: MIT */
/* One interactive connection that stays, with a prompt after each command as the border between replies.
 *
 * Measured on 2.6: 7 to 10 us for a round trip here, 63 to 90 us on a new connection for each command; in batches both
 * cost the same, 2 to 9 us a command. Staying gives the lowest latency for one event, replies that need no guessing
 * where they end, and takes one of HAProxy's ten `stats maxconn` places. Its price, that it stays with the old process
 * after a reload, is paid by a look at `Stopping` in `show info` twice a second and by the reply "Proxy is disabled.".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "connection_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define CONNECTION_TIMEOUT_MS 5000
#define CONNECTION_MAX_REPLY (256U << 20) /* `show servers state` of a million slots */
#define CONNECTION_READ_SIZE 65536
/* Bytes sent and not answered yet. HAProxy 3.2.0 stalls for ever, and aborts when we then hang up, with more than
 * 16384. */
#define CONNECTION_WINDOW 8000

struct write_job {
    uv_write_t request;
    char *data;
};

static void connection_leave(struct haproxy_connection *connection, int err, const char *why, uint64_t retry_ms);
static void connection_go_up(struct haproxy_connection *connection);

/* ---- handles ---- */

void connection_handle_closed(struct haproxy_connection *connection)
{
    if (--connection->handles == 0 && connection->phase == PHASE_CLOSED) {
        haproxy_reply_reader_free(connection->reader);
        buf_free(&connection->out);
        free(connection->read_buffer);
        free(connection->address);
        free(connection);
    }
}

static void own_handle_closed(uv_handle_t *handle)
{
    connection_handle_closed(handle->data);
}

static void peer_closed(uv_handle_t *handle)
{
    struct haproxy_connection *connection = handle->data;
    free(handle);
    connection_handle_closed(connection);
}

static void connection_drop_peer(struct haproxy_connection *connection)
{
    if (connection->peer) {
        uv_close(&connection->peer->handle, peer_closed);
        connection->peer = NULL;
    }
    haproxy_reply_reader_reset(connection->reader);
    buf_clear(&connection->out);
    connection->out_taken = 0;
    connection->in_flight = 0;
    connection->unsent = NULL;
    connection->probing = false;
    connection->waits_since_ms = 0;
}

/* ---- the straggler ---- */

static void connection_drop_straggler(struct haproxy_connection *connection)
{
    straggler_close(connection->straggler);
    connection->straggler = NULL;
}

static void connection_straggler_over(void *arg)
{
    struct haproxy_connection *connection = arg;
    connection_drop_straggler(connection);
    if (connection->waits_since_ms) {
        connection_go_up(connection);
    }
}

static void connection_straggler_closed(void *arg, uv_handle_t *stream)
{
    free(stream);
    connection_handle_closed(arg);
}

static void connection_replied(void *arg, const char *reply, size_t len);

/* Makes the present peer the straggler when lines are on their way to it. */
static void connection_hand_over(struct haproxy_connection *connection)
{
    static const struct straggler_events events = {.on_over = connection_straggler_over,
                                                   .on_closed = connection_straggler_closed};
    size_t awaited = 0;
    for (const struct request *request = connection->first; request && request != connection->unsent;
         request = request->next) {
        awaited++;
    }
    if (connection->phase != PHASE_UP || awaited == 0) {
        return;
    }
    connection_drop_straggler(connection);
    connection->straggler = straggler_new(&connection->peer->stream, connection->reader, awaited, &events, connection);
    connection->straggler_pid = connection->info.pid;
    connection->peer = NULL;
    connection->reader = haproxy_reply_reader_new(CONNECTION_MAX_REPLY, connection_replied, connection);
}

/* ---- requests ---- */

static void connection_queue(struct haproxy_connection *connection, const char *line, haproxy_done *done, void *arg)
{
    struct request *request = MEM_NEW(struct request);
    *request = (struct request){.done = done, .arg = arg, .len = strlen(line) + 1};
    *connection->last = request;
    connection->last = &request->next;
    connection->unsent = connection->unsent ? connection->unsent : request;
    buf_puts(&connection->out, line);
    buf_putc(&connection->out, '\n');
}

static struct request *connection_take_request(struct haproxy_connection *connection)
{
    struct request *request = connection->first;
    if (request) {
        connection->first = request->next;
        connection->in_flight -= request->len < connection->in_flight ? request->len : connection->in_flight;
        if (!connection->first) {
            connection->last = &connection->first;
        }
    }
    return request;
}

static void connection_fail_requests(struct haproxy_connection *connection, int err)
{
    struct request *request;
    while ((request = connection_take_request(connection))) {
        connection->statistics.failures++;
        request->done(request->arg, err, "", 0);
        free(request);
    }
}

static void write_done(uv_write_t *request, int status)
{
    struct write_job *job = (struct write_job *)request;
    (void)status; /* a broken connection is told by the reading side */
    free(job->data);
    free(job);
}

/* Marks the requests that fit the window as sent; returns the length of their lines. */
static size_t connection_fill_window(struct haproxy_connection *connection)
{
    size_t len = 0;
    uint64_t now = uv_now(connection->loop);
    while (connection->unsent &&
           (connection->in_flight == 0 || connection->in_flight + connection->unsent->len <= CONNECTION_WINDOW)) {
        connection->unsent->sent_ms = now;
        connection->in_flight += connection->unsent->len;
        len += connection->unsent->len;
        connection->unsent = connection->unsent->next;
    }
    return len;
}

static void connection_write(struct haproxy_connection *connection, const char *data, size_t len)
{
    struct write_job *job = MEM_NEW(struct write_job);
    job->data = mem_strndup(data, len);
    uv_buf_t part = uv_buf_init(job->data, (unsigned)len);
    int err = uv_write(&job->request, &connection->peer->stream, &part, 1, write_done);
    if (err) {
        free(job->data);
        free(job);
    }
}

void haproxy_connection_flush(struct haproxy_connection *connection)
{
    uv_prepare_stop(&connection->turn);
    size_t len = connection->peer ? connection_fill_window(connection) : 0;
    if (len == 0) {
        return;
    }
    connection_write(connection, connection->out.data + connection->out_taken, len);
    connection->out_taken += len;
    if (connection->out_taken * 2 >= connection->out.len) {
        buf_consume(&connection->out, connection->out_taken);
        connection->out_taken = 0;
    }
}

static void connection_turn(uv_prepare_t *turn)
{
    haproxy_connection_flush(turn->data);
}

void haproxy_connection_send(struct haproxy_connection *connection, const char *line, haproxy_done *done, void *arg)
{
    connection->statistics.commands++;
    connection_queue(connection, line, done, arg);
    uv_prepare_start(&connection->turn, connection_turn);
}

/* ---- probes ---- */

static void connection_go_up(struct haproxy_connection *connection)
{
    connection_drop_straggler(connection);
    connection->waits_since_ms = 0;
    connection->phase = PHASE_UP;
    connection->up_ms = uv_now(connection->loop);
    connection->backoff_ms = CONNECTION_BACKOFF_MIN_MS;
    connection->reported_down = false;
    connection->events->on_up(connection->arg, &connection->info);
}

static void connection_probed(void *arg, int err, const char *reply, size_t len)
{
    struct haproxy_connection *connection = arg;
    cleanup_buf struct buf why = BUF_INIT;
    struct haproxy_info info;
    connection->probing = false;
    if (err) {
        return;
    }
    if (haproxy_info_parse(reply, len, &info, &why)) {
        connection_lose(connection, SLOTD_E_PARSE, buf_text(&why), CONNECTION_BACKOFF_MAX_MS);
        return;
    }
    if (info.stopping) {
        connection_lose(connection, SLOTD_E_CLOSED, "this process is stopping (a reload, or its end)",
                        connection->backoff_ms);
        return;
    }
    connection->info = info;
    if (connection->phase == PHASE_GREETING && connection->straggler && connection->straggler_pid == info.pid) {
        connection->waits_since_ms = uv_now(connection->loop);
    } else if (connection->phase == PHASE_GREETING) {
        connection_go_up(connection);
    }
}

static void connection_probe(struct haproxy_connection *connection)
{
    connection->probing = true;
    connection_queue(connection, "show info", connection_probed, connection);
    haproxy_connection_flush(connection);
}

/* Notices silence, and asks whether the peer is still the living process. */
static void connection_tick(uv_timer_t *timer)
{
    struct haproxy_connection *connection = timer->data;
    uint64_t now = uv_now(connection->loop);
    if (connection->first && connection->first != connection->unsent &&
        now - connection->first->sent_ms >= CONNECTION_TIMEOUT_MS) {
        connection_leave(connection, SLOTD_E_TIMEOUT, "no answer within 5 s: frozen, or very slow",
                         connection->backoff_ms);
        return;
    }
    if (connection->waits_since_ms && now - connection->waits_since_ms >= CONNECTION_TIMEOUT_MS) {
        connection_go_up(connection);
    }
    if (connection->phase == PHASE_CONNECTING && connection->connect_ms <= now &&
        now - connection->connect_ms >= CONNECTION_TIMEOUT_MS) {
        connection_lose(connection, SLOTD_E_TIMEOUT, "no connection within 5 s", connection->backoff_ms);
    } else if (connection->phase == PHASE_UP && !connection->probing) {
        connection_probe(connection);
    }
}

void haproxy_connection_set_probe(struct haproxy_connection *connection, unsigned probe_ms)
{
    if (connection->probe_ms != probe_ms) {
        connection->probe_ms = probe_ms;
        uv_timer_start(&connection->probe, connection_tick, probe_ms, probe_ms);
    }
}

/* ---- reading ---- */

static void connection_replied(void *arg, const char *reply, size_t len)
{
    struct haproxy_connection *connection = arg;
    struct request *request = connection_take_request(connection);
    if (!request) {
        connection_lose(connection, SLOTD_E_PARSE, "an answer came that nothing had asked for",
                        CONNECTION_BACKOFF_MAX_MS);
        return;
    }
    request->done(request->arg, 0, reply, len);
    free(request);
}

static void connection_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    const struct haproxy_connection *connection = handle->data;
    (void)suggested;
    *part = uv_buf_init(connection->read_buffer, CONNECTION_READ_SIZE);
}

static void connection_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct haproxy_connection *connection = stream->data;
    if (!connection->peer || &connection->peer->stream != stream || n_read == 0) {
        return;
    }
    if (n_read < 0) {
        bool eof = n_read == UV_EOF;
        connection_lose(connection, eof ? SLOTD_E_CLOSED : (int)n_read,
                        eof ? "HAProxy closed the connection" : uv_strerror((int)n_read), connection->backoff_ms);
        return;
    }
    if (haproxy_reply_reader_feed(connection->reader, part->base, (size_t)n_read)) {
        connection_lose(connection, SLOTD_E_LIMIT, "a reply is larger than allowed", CONNECTION_BACKOFF_MAX_MS);
    } else if (connection->unsent && connection->in_flight <= CONNECTION_WINDOW / 2) {
        haproxy_connection_flush(connection);
    }
}

/* ---- connecting ---- */

static void connection_greeted(void *arg, int err, const char *reply, size_t len)
{
    struct haproxy_connection *connection = arg;
    (void)reply;
    (void)len;
    if (!err) {
        connection_probe(connection);
    }
}

void connection_connected(uv_connect_t *request, int status)
{
    struct haproxy_connection *connection = request->data;
    bool current = connection->peer && request->handle == &connection->peer->stream;
    free(request);
    if (!current) {
        return;
    }
    if (status < 0) {
        connection_lose(connection, status, uv_strerror(status), connection->backoff_ms);
        return;
    }
    connection->statistics.connects++;
    connection->phase = PHASE_GREETING;
    uv_read_start(&connection->peer->stream, connection_allocate, connection_read);
    connection_queue(connection, "prompt", connection_greeted, connection);
    haproxy_connection_flush(connection);
}

static void connection_retry(uv_timer_t *timer)
{
    connection_connect(timer->data);
}

void connection_lose(struct haproxy_connection *connection, int err, const char *why, uint64_t retry_ms)
{
    if (connection->phase == PHASE_WAITING || connection->phase == PHASE_CLOSED) {
        return;
    }
    bool was_up = connection->phase == PHASE_UP;
    connection->phase = PHASE_WAITING;
    connection_drop_peer(connection);
    connection_fail_requests(connection, err);
    uv_timer_start(&connection->retry, connection_retry, retry_ms, 0);
    uint64_t most = connection->address[0] == '/' ? CONNECTION_BACKOFF_PATH_MS : CONNECTION_BACKOFF_MAX_MS;
    connection->backoff_ms = connection->backoff_ms * 2 < most ? connection->backoff_ms * 2 : most;
    if (was_up || !connection->reported_down) {
        connection->reported_down = true;
        connection->events->on_down(connection->arg, why);
    }
}

/* As connection_lose(), of a connection that still stands. */
static void connection_leave(struct haproxy_connection *connection, int err, const char *why, uint64_t retry_ms)
{
    connection_hand_over(connection);
    connection_lose(connection, err, why, retry_ms);
}

void haproxy_connection_restart(struct haproxy_connection *connection, const char *why)
{
    /* At once, but ever more slowly when whatever is wrong stays wrong: each time HAProxy shows all of its servers. */
    bool again = uv_now(connection->loop) - connection->up_ms < CONNECTION_BACKOFF_MAX_MS;
    uint64_t doubled = connection->restart_ms ? 2 * connection->restart_ms : CONNECTION_RESTART_MIN_MS;
    connection->restart_ms = !again ? 0 : doubled < CONNECTION_RESTART_MAX_MS ? doubled : CONNECTION_RESTART_MAX_MS;
    connection_leave(connection, SLOTD_E_CLOSED, why, connection->restart_ms);
}

/* ---- life ---- */

struct haproxy_connection *haproxy_connection_new(uv_loop_t *loop, const char *address,
                                                  const struct haproxy_events *events, void *arg)
{
    struct haproxy_connection *connection = MEM_NEW(struct haproxy_connection);
    connection->loop = loop;
    connection->address = mem_strdup(address);
    connection->events = events;
    connection->arg = arg;
    connection->last = &connection->first;
    connection->backoff_ms = CONNECTION_BACKOFF_MIN_MS;
    connection->read_buffer = mem_alloc(CONNECTION_READ_SIZE);
    connection->reader = haproxy_reply_reader_new(CONNECTION_MAX_REPLY, connection_replied, connection);
    uv_timer_init(loop, &connection->retry);
    uv_timer_init(loop, &connection->probe);
    uv_prepare_init(loop, &connection->turn);
    connection->retry.data = connection->probe.data = connection->turn.data = connection;
    connection->handles = 3;
    haproxy_connection_set_probe(connection, HAPROXY_PROBE_MS);
    uv_timer_start(&connection->retry, connection_retry, 0, 0);
    return connection;
}

bool haproxy_connection_is_up(const struct haproxy_connection *connection)
{
    return connection->phase == PHASE_UP;
}

struct haproxy_statistics haproxy_connection_statistics(const struct haproxy_connection *connection)
{
    return connection->statistics;
}

void haproxy_connection_close(struct haproxy_connection *connection)
{
    connection->phase = PHASE_CLOSED;
    connection_drop_straggler(connection);
    connection_drop_peer(connection);
    connection_fail_requests(connection, -ECANCELED);
    uv_close((uv_handle_t *)&connection->retry, own_handle_closed);
    uv_close((uv_handle_t *)&connection->probe, own_handle_closed);
    uv_close((uv_handle_t *)&connection->turn, own_handle_closed);
}
