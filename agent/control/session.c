/* SPDX-License-Identifier: MIT */
/* The clients of the control socket. A slow or mad client costs itself, nobody else: a turn of the loop answers one
 * request, that of the client who waits for the longest time, and none of a client whose last answer has not left. */
#include <string.h>

#include "control_private.h"
#include "slotd/mem.h"

struct answer {
    uv_write_t request;
    char *data;
    size_t len;
};

/* ---- life ---- */

static void session_closed(uv_handle_t *handle)
{
    struct client_session *session = handle->data;
    buf_free(&session->input);
    free(session);
}

static void session_unlink(struct client_session *session)
{
    *session->link = session->next;
    if (session->next) {
        session->next->link = session->link;
    }
    session->control->n_sessions--;
    session->control->waiting -= session->waiting;
}

void session_close(struct client_session *session)
{
    if (session->closing) {
        return;
    }
    session->closing = true;
    if (session->listener) {
        engine_unlisten(session->listener);
    }
    if (session->waiter) {
        engine_waiter_cancel(session->waiter);
    }
    if (session->survey) {
        engine_survey_cancel(session->survey);
    }
    if (session->save) {
        command_abandon_save(session->save);
    }
    control_request_free(session->request);
    session_unlink(session);
    uv_close((uv_handle_t *)&session->pipe, session_closed);
}

static bool session_is_busy(const struct client_session *session)
{
    return session->waiting > 0 || session->waiter || session->survey || session->save;
}

/* The one that has asked nothing for the longest time; one that waits for something only when there is no other. */
static struct client_session *session_find_idle(const struct control *control)
{
    struct client_session *found = NULL;
    bool found_waits = false;
    for (struct client_session *session = control->sessions; session; session = session->next) {
        bool waits = session_is_busy(session) || session->listener;
        if (!found || (found_waits && !waits) || (found_waits == waits && session->active < found->active)) {
            found = session;
            found_waits = waits;
        }
    }
    return found;
}

/* Of the others that do not read their answers the one that has asked nothing for the longest time, or NULL. */
static struct client_session *session_find_stuck(const struct client_session *besides)
{
    struct client_session *found = NULL;
    for (struct client_session *session = besides->control->sessions; session; session = session->next) {
        if (session != besides && session->waiting > 0 && (!found || session->active < found->active)) {
            found = session;
        }
    }
    return found;
}

/* ---- answers ---- */

static void answer_written(uv_write_t *request, int status)
{
    struct answer *answer = (struct answer *)request;
    struct client_session *session = request->handle->data;
    size_t len = answer->len;
    free(answer->data);
    free(answer);
    if (session->closing) {
        return;
    }
    session->waiting -= len;
    session->control->waiting -= len;
    if (status < 0) {
        session_close(session);
    } else {
        session_go_on(session);
    }
}

/* Whether len more bytes may wait for clients; those who do not read theirs make room. */
static bool answer_has_room(const struct client_session *session, size_t len)
{
    const struct control *control = session->control;
    struct client_session *stuck;
    while (control->waiting + len > CONTROL_MAX_BACKLOG && (stuck = session_find_stuck(session))) {
        session_close(stuck);
    }
    return control->waiting + len <= CONTROL_MAX_BACKLOG;
}

static void answer_send(struct client_session *session, char *data, size_t len)
{
    struct answer *answer = MEM_NEW(struct answer);
    uv_buf_t part = uv_buf_init(data, (unsigned)len);
    answer->data = data;
    answer->len = len;
    if (uv_write(&answer->request, (uv_stream_t *)&session->pipe, &part, 1, answer_written)) {
        free(answer->data);
        free(answer);
        session_close(session);
        return;
    }
    session->waiting += len;
    session->control->waiting += len;
}

void session_answer(struct client_session *session, bool ok, const char *key, struct json_object *value)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "slotd", json_object_new_int(CONTROL_PROTOCOL));
    json_object_object_add(object, "ok", json_object_new_boolean(ok));
    json_object_object_add(object, key, value);
    struct buf line = BUF_INIT;
    buf_puts(&line, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    buf_putc(&line, '\n');
    json_object_put(object);
    if (session->closing || !answer_has_room(session, line.len)) {
        buf_free(&line);
        session_close(session);
        return;
    }
    size_t len = line.len;
    answer_send(session, buf_steal(&line), len);
}

void session_refuse(struct client_session *session, const char *why)
{
    session_answer(session, false, "error", json_object_new_string(why));
}

/* ---- reading ---- */

static void session_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    const struct client_session *session = handle->data;
    (void)suggested;
    *part = uv_buf_init(session->control->read_buffer, CONTROL_READ_SIZE);
}

/* Looks for the end of the first request among what is not looked at yet. */
static void session_find_line(struct client_session *session)
{
    const char *data = session->input.data + session->done;
    size_t len = session->input.len - session->done;
    if (session->line > 0 || session->searched == len) {
        return;
    }
    const char *end = memchr(data + session->searched, '\n', len - session->searched);
    session->line = end ? (size_t)(end - data) + 1 : 0;
    session->searched = len;
}

/* Requests that are done stay in front until they are worth a move. */
static void session_drop_line(struct client_session *session)
{
    session->done += session->line;
    session->line = session->searched = 0;
    if (session->done == session->input.len || session->done > CONTROL_MAX_REQUEST) {
        buf_consume(&session->input, session->done);
        session->done = 0;
    }
    session_find_line(session);
}

/* Whether it asks faster than it is answered by more than anybody needs. */
static bool session_is_mad(const struct client_session *session)
{
    size_t all = 0;
    if (session->input.len <= CONTROL_MAX_REQUEST) {
        return false;
    }
    for (const struct client_session *other = session->control->sessions; other; other = other->next) {
        all += other->input.len;
    }
    return session->input.len > CONTROL_MAX_AHEAD || all > CONTROL_MAX_BACKLOG;
}

static void session_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct client_session *session = stream->data;
    if (n_read == UV_EOF && !session->listener) {
        session->ended = true;
    } else if (n_read < 0) {
        session_close(session);
    } else if (!session->ended) {
        buf_append(&session->input, part->base, (size_t)n_read);
        session_find_line(session);
    }
    if (session_is_mad(session)) {
        session_close(session);
    }
    session_go_on(session);
}

static bool session_is_ready(const struct client_session *session)
{
    return session->line > 0 && !session_is_busy(session);
}

void session_serve(uv_idle_t *idle)
{
    struct control *control = idle->data;
    struct client_session *next = NULL;
    for (struct client_session *session = control->sessions; session; session = session->next) {
        if (session_is_ready(session) && (!next || session->active < next->active)) {
            next = session;
        }
    }
    if (!next) {
        uv_idle_stop(idle);
        return;
    }
    next->active = ++control->clock;
    command_run(next, next->input.data + next->done, next->line - 1);
    session_drop_line(next);
    session_go_on(next);
}

/* A line that is longer than a request may be: the rest of it would never make one. */
static void session_cut(struct client_session *session)
{
    buf_clear(&session->input);
    session->done = session->searched = 0;
    session->ended = true;
    uv_read_stop((uv_stream_t *)&session->pipe);
    session_refuse(session, "a request is at most 64 KiB long");
}

void session_go_on(struct client_session *session)
{
    if (!session->closing && session->events_due && session->waiting == 0) {
        command_send_events(session);
    }
    if (!session->closing && session_is_ready(session)) {
        uv_idle_start(session->control->idle, session_serve);
    }
    if (!session->closing && session->line == 0 && session->input.len - session->done > CONTROL_MAX_REQUEST) {
        session_cut(session);
    }
    if (!session->closing && session->ended && session->line == 0 && !session_is_busy(session)) {
        session_close(session);
    }
}

void session_accept(uv_stream_t *server, int status)
{
    struct control *control = server->data;
    if (status == 0 && control->n_sessions >= CONTROL_MAX_CLIENTS) {
        session_close(session_find_idle(control));
    }
    struct client_session *session = MEM_NEW(struct client_session);
    session->control = control;
    uv_pipe_init(control->loop, &session->pipe, 0);
    session->pipe.data = session;
    session->active = ++control->clock;
    session->next = control->sessions;
    session->link = &control->sessions;
    if (session->next) {
        session->next->link = &session->next;
    }
    control->sessions = session;
    control->n_sessions++;
    if (status < 0 || uv_accept(server, (uv_stream_t *)&session->pipe)) {
        session_close(session);
        return;
    }
    uv_os_fd_t fd = -1;
    session->may_change =
        uv_fileno((uv_handle_t *)&session->pipe, &fd) == 0 && peer_may_change(fd, control, &session->uid);
    uv_read_start((uv_stream_t *)&session->pipe, session_allocate, session_read);
}
