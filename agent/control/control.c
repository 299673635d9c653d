/* SPDX-License-Identifier: MIT */
/* The control socket: its place, mode and owner, and its life. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define CONTROL_MODE 0660
#define CONTROL_BACKLOG 1024

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

static int socket_set_owner(struct control *control, const struct config_control *config, struct buf *why)
{
    const char *path = config->socket;
    if (chmod(path, CONTROL_MODE) < 0) {
        buf_printf(why, "%s: mode cannot be set: %s", path, strerror(errno));
        return -errno;
    }
    if (!config->group[0]) {
        return 0;
    }
    const struct group *entry = getgrnam(config->group);
    if (!entry) {
        buf_printf(why, "control.group: there is no group %s on this machine", config->group);
        return SLOTD_E_CONFIG;
    }
    control->has_group = true;
    control->group = entry->gr_gid;
    if (chown(path, (uid_t)-1, entry->gr_gid) < 0) {
        int err = -errno;
        buf_printf(why, "%s: group %s cannot be set: %s%s", path, config->group, strerror(-err),
                   err == -EPERM ? "; slotd's user must be a member of it (SupplementaryGroups= of its unit)" : "");
        return err;
    }
    return 0;
}

/* libuv calls a folder that is missing a permission that is denied. */
static void socket_explain(const char *path, int err, struct buf *why)
{
    cleanup_free char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    if (folder[0] && access(folder, F_OK) < 0 && errno == ENOENT) {
        buf_printf(why, "%s: there is no folder %s; create it, with write access for slotd", path, folder);
    } else {
        buf_printf(why, "%s: %s", path, error_text(err));
    }
}

static void control_pipe_closed(uv_handle_t *handle)
{
    free(handle->data);
    free(handle);
}

static void control_idle_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Closing a bound pipe removes its file. */
static void control_free(struct control *control)
{
    free(control->path);
    uv_close((uv_handle_t *)control->idle, control_idle_closed);
    uv_close((uv_handle_t *)control->pipe, control_pipe_closed);
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
    err = err ? err : socket_set_owner(control, config, why);
    err = err ? err : uv_listen((uv_stream_t *)control->pipe, CONTROL_BACKLOG, session_accept);
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
    control->idle = MEM_NEW(uv_idle_t);
    uv_idle_init(loop, control->idle);
    control->pipe->data = control->idle->data = control;
    size_t said = why ? why->len : 0;
    int err = control_listen(control, config, why);
    if (err) {
        if (why && why->len == said) {
            socket_explain(config->socket, err, why);
        }
        control_free(control);
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
    control_free(control);
}
