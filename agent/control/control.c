/* SPDX-License-Identifier: MIT */
/* The control socket: clients, their requests, their answers. A slow or mad client costs itself, nobody else. */
#include <errno.h>
#include <grp.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "slotd/control.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define CONTROL_MODE 0660
#define CONTROL_BACKLOG 64
#define CONTROL_READ_SIZE 16384

struct client_session {
    struct control *control;
    uv_pipe_t pipe;
    struct buf input;
    struct engine_listener *listener; /* `events -f` */
    struct engine_waiter *waiter;     /* `sync` */
    uint64_t next_event;
    bool closing;
    struct client_session *next, **link;
};

struct control {
    uv_loop_t *loop;
    struct engine *engine;
    char *path;
    uv_pipe_t *pipe;
    struct client_session *sessions;
    size_t n_sessions;
    char read_buffer[CONTROL_READ_SIZE];
};

struct answer {
    uv_write_t request;
    char *data;
};

/* ---- sessions ---- */

static void session_closed(uv_handle_t *handle)
{
    struct client_session *session = handle->data;
    buf_free(&session->input);
    free(session);
}

static void session_close(struct client_session *session)
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
    *session->link = session->next;
    if (session->next) {
        session->next->link = session->link;
    }
    session->control->n_sessions--;
    uv_close((uv_handle_t *)&session->pipe, session_closed);
}

static void answer_written(uv_write_t *request, int status)
{
    struct answer *answer = (struct answer *)request;
    struct client_session *session = request->handle->data;
    free(answer->data);
    free(answer);
    if (status < 0) {
        session_close(session);
    }
}

static void session_answer(struct client_session *session, bool ok, const char *key, struct json_object *value)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "slotd", json_object_new_int(CONTROL_PROTOCOL));
    json_object_object_add(object, "ok", json_object_new_boolean(ok));
    json_object_object_add(object, key, value);
    struct buf line = BUF_INIT;
    buf_puts(&line, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    buf_putc(&line, '\n');
    json_object_put(object);
    if (session->closing ||
        uv_stream_get_write_queue_size((uv_stream_t *)&session->pipe) + line.len > CONTROL_MAX_BACKLOG) {
        buf_free(&line);
        session_close(session);
        return;
    }
    struct answer *answer = MEM_NEW(struct answer);
    uv_buf_t part = uv_buf_init(NULL, (unsigned)line.len);
    answer->data = buf_steal(&line);
    part.base = answer->data;
    if (uv_write(&answer->request, (uv_stream_t *)&session->pipe, &part, 1, answer_written)) {
        free(answer->data);
        free(answer);
        session_close(session);
    }
}

static void session_refuse(struct client_session *session, const char *why)
{
    session_answer(session, false, "error", json_object_new_string(why));
}

/* ---- commands ---- */

static void session_events_changed(void *arg)
{
    struct client_session *session = arg;
    session_answer(session, true, "result",
                   engine_show_events(session->control->engine, session->next_event, &session->next_event));
}

static void command_events(struct client_session *session, const struct control_request *request)
{
    session->next_event = request->from;
    session_events_changed(session);
    if (request->follow && !session->listener && !session->closing) {
        session->listener = engine_listen(session->control->engine, session_events_changed, session);
    }
}

static void session_synced(void *arg, bool ok, struct json_object *result)
{
    struct client_session *session = arg;
    session->waiter = NULL;
    if (ok) {
        session_answer(session, true, "result", result);
        return;
    }
    struct json_object *error = NULL;
    json_object_object_get_ex(result, "error", &error);
    session_refuse(session, error ? json_object_get_string(error) : "the synchronisation failed");
    json_object_put(result);
}

static void command_sync(struct client_session *session, const struct control_request *request)
{
    (void)request;
    if (session->waiter) {
        session_refuse(session, "a sync is already running on this connection");
        return;
    }
    session->waiter = engine_sync(session->control->engine, session_synced, session);
}

static void command_status(struct client_session *session, const struct control_request *request)
{
    (void)request;
    session_answer(session, true, "result", engine_show_status(session->control->engine));
}

static void command_services(struct client_session *session, const struct control_request *request)
{
    session_answer(
        session, true, "result",
        engine_show_services(session->control->engine, (const char *const *)request->names, request->n_names));
}

static void command_slots(struct client_session *session, const struct control_request *request)
{
    session_answer(session, true, "result",
                   engine_show_slots(session->control->engine, (const char *const *)request->names, request->n_names));
}

static void command_plan(struct client_session *session, const struct control_request *request)
{
    (void)request;
    session_answer(session, true, "result", engine_show_plan(session->control->engine));
}

static void command_confirm(struct client_session *session, const struct control_request *request)
{
    struct json_object *result = json_object_new_object();
    (void)request;
    size_t removed = engine_confirm(session->control->engine);
    log_notice("control", "an operator confirmed: %zu endpoints that the guard held leave", removed);
    json_object_object_add(result, "removed", json_object_new_int64((int64_t)removed));
    session_answer(session, true, "result", result);
}

static const struct control_command {
    const char *name;
    void (*run)(struct client_session *session, const struct control_request *request);
} commands[] = {
    {"status", command_status}, {"services", command_services}, {"slots", command_slots},     {"plan", command_plan},
    {"sync", command_sync},     {"events", command_events},     {"confirm", command_confirm},
};

static void session_run(struct client_session *session, const char *line, size_t len)
{
    struct control_request *request = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (control_request_parse(line, len, &request, &why)) {
        session_refuse(session, buf_text(&why));
        return;
    }
    size_t i = 0;
    while (i < sizeof(commands) / sizeof(commands[0]) && strcmp(commands[i].name, request->command) != 0) {
        i++;
    }
    if (i < sizeof(commands) / sizeof(commands[0])) {
        commands[i].run(session, request);
    } else {
        session_refuse(session,
                       "this slotd does not know that command; slotctl and slotd may be of different versions");
    }
    control_request_free(request);
}

/* ---- reading ---- */

static void session_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    const struct client_session *session = handle->data;
    (void)suggested;
    *part = uv_buf_init(session->control->read_buffer, CONTROL_READ_SIZE);
}

static void session_run_lines(struct client_session *session)
{
    size_t start = 0;
    const char *end;
    while (!session->closing && session->input.len > start &&
           (end = memchr(session->input.data + start, '\n', session->input.len - start))) {
        size_t len = (size_t)(end - session->input.data) - start;
        session_run(session, session->input.data + start, len);
        start += len + 1;
    }
    buf_consume(&session->input, start);
    if (!session->closing && session->input.len > CONTROL_MAX_REQUEST) {
        session_close(session);
    }
}

static void session_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct client_session *session = stream->data;
    if (n_read < 0) {
        session_close(session);
    } else if (n_read > 0) {
        buf_append(&session->input, part->base, (size_t)n_read);
        session_run_lines(session);
    }
}

static void control_accept(uv_stream_t *server, int status)
{
    struct control *control = server->data;
    struct client_session *session = MEM_NEW(struct client_session);
    session->control = control;
    uv_pipe_init(control->loop, &session->pipe, 0);
    session->pipe.data = session;
    session->next = control->sessions;
    session->link = &control->sessions;
    if (session->next) {
        session->next->link = &session->next;
    }
    control->sessions = session;
    control->n_sessions++;
    if (status < 0 || uv_accept(server, (uv_stream_t *)&session->pipe) || control->n_sessions > CONTROL_MAX_CLIENTS) {
        session_close(session);
        return;
    }
    uv_read_start((uv_stream_t *)&session->pipe, session_allocate, session_read);
}

/* ---- the socket ---- */

/* Whether somebody answers at path. */
static bool socket_is_alive(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    bool alive = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
    close(fd);
    return alive;
}

static int socket_clear_path(const char *path, struct buf *why)
{
    struct stat info;
    if (lstat(path, &info) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(info.st_mode)) {
        buf_printf(why, "%s exists and is no socket", path);
        return -EEXIST;
    }
    if (socket_is_alive(path)) {
        buf_printf(why, "%s: another slotd answers there", path);
        return -EADDRINUSE;
    }
    return unlink(path) < 0 ? -errno : 0;
}

static int socket_set_owner(const char *path, const char *group, struct buf *why)
{
    if (chmod(path, CONTROL_MODE) < 0) {
        buf_printf(why, "%s: mode cannot be set: %s", path, strerror(errno));
        return -errno;
    }
    if (!group[0]) {
        return 0;
    }
    const struct group *entry = getgrnam(group);
    if (!entry) {
        buf_printf(why, "control.group: there is no group %s on this machine", group);
        return SLOTD_E_CONFIG;
    }
    if (chown(path, (uid_t)-1, entry->gr_gid) < 0) {
        int err = -errno;
        buf_printf(why, "%s: group %s cannot be set: %s", path, group, strerror(-err));
        return err;
    }
    return 0;
}

static void control_pipe_closed(uv_handle_t *handle)
{
    free(handle->data);
    free(handle);
}

static int control_listen(struct control *control, const struct config_control *config, struct buf *why)
{
    int err = socket_clear_path(config->socket, why);
    if (err) {
        return err;
    }
    /* Nobody may connect before mode and group are right. */
    mode_t mask = umask(0177);
    err = uv_pipe_bind(control->pipe, config->socket);
    umask(mask);
    err = err ? err : socket_set_owner(config->socket, config->group, why);
    err = err ? err : uv_listen((uv_stream_t *)control->pipe, CONTROL_BACKLOG, control_accept);
    return err;
}

int control_new(uv_loop_t *loop, const struct config_control *config, struct engine *engine,
                struct control **ret_control, struct buf *why)
{
    struct control *control = MEM_NEW(struct control);
    control->loop = loop;
    control->engine = engine;
    control->path = mem_strdup(config->socket);
    control->pipe = MEM_NEW(uv_pipe_t);
    uv_pipe_init(loop, control->pipe, 0);
    control->pipe->data = control;
    size_t said = why ? why->len : 0;
    int err = control_listen(control, config, why);
    if (err) {
        if (why && why->len == said) {
            buf_printf(why, "%s: %s", config->socket, error_text(err));
        }
        free(control->path);
        uv_close((uv_handle_t *)control->pipe, control_pipe_closed);
        return err;
    }
    *ret_control = control;
    return 0;
}

void control_close(struct control *control)
{
    while (control->sessions) {
        session_close(control->sessions);
    }
    /* Closing a bound pipe removes its file. */
    free(control->path);
    uv_close((uv_handle_t *)control->pipe, control_pipe_closed);
}
