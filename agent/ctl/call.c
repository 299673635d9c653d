/* SPDX-License-Identifier: MIT */
/* One request to slotd and its answers, over the control socket. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl_private.h"
#include "slotd/control.h"
#include "slotd/mem.h"

static volatile sig_atomic_t interrupted;

static void call_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void ctl_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = call_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
}

bool ctl_is_interrupted(void)
{
    return interrupted != 0;
}

static int call_connect(const struct ctl *ctl)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(ctl->socket) >= sizeof(address.sun_path)) {
        fprintf(stderr, "slotctl: %s: the path is too long for a socket\n", ctl->socket);
        return -1;
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", ctl->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        return fd;
    }
    const char *hint = errno == ENOENT || errno == ECONNREFUSED ? "; is slotd running?"
                       : errno == EACCES                        ? "; you are not in the socket's group"
                                                                : "";
    if (!ctl->quiet) {
        fprintf(stderr, "slotctl: %s: %s%s\n", ctl->socket, strerror(errno), hint);
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static bool call_send(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            text += sent;
            len -= (size_t)sent;
        }
    }
    return true;
}

static bool call_request(int fd, const char *command, struct json_object *arguments)
{
    struct json_object *request = json_object_new_object();
    json_object_object_add(request, "slotd", json_object_new_int(CONTROL_PROTOCOL));
    json_object_object_add(request, "command", json_object_new_string(command));
    json_object_object_add(request, "arguments", arguments);
    cleanup_free char *line = mem_printf("%s\n", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
    json_object_put(request);
    return call_send(fd, line, strlen(line));
}

/* Returns -1 while more answers are wanted, else an exit code. */
static int call_take_line(const char *line, bool follow, ctl_answer *answer, void *arg)
{
    struct json_object *object = json_tokener_parse(line);
    struct json_object *ok = NULL;
    struct json_object *result = NULL;
    struct json_object *error = NULL;
    int code = CTL_EXIT_FAILED;
    json_object_object_get_ex(object, "ok", &ok);
    if (ok && json_object_get_boolean(ok) && json_object_object_get_ex(object, "result", &result)) {
        bool more = answer(arg, result) && follow;
        code = more ? -1 : CTL_EXIT_DONE;
    } else if (json_object_object_get_ex(object, "error", &error)) {
        fprintf(stderr, "slotctl: %s\n", json_object_get_string(error));
    } else {
        fputs("slotctl: slotd's answer is not understood; are both of the same version?\n", stderr);
    }
    json_object_put(object);
    return code;
}

static int call_take_lines(struct buf *input, bool follow, ctl_answer *answer, void *arg)
{
    char *end;
    int code = -1;
    while (code < 0 && input->len > 0 && (end = memchr(input->data, '\n', input->len))) {
        *end = '\0';
        code = call_take_line(input->data, follow, answer, arg);
        buf_consume(input, (size_t)(end - input->data) + 1);
    }
    return code;
}

/* Waits for more of the answer; who follows also for the end of whoever reads what is printed. Returns -1, or the exit
 * code with which the waiting ends. */
static int call_await(int fd, bool follow)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = follow ? STDOUT_FILENO : -1, .events = 0}};
    while (poll(fds, 2, -1) < 0) {
        if (interrupted || errno != EINTR) {
            return CTL_EXIT_FAILED;
        }
    }
    if (fds[1].revents) {
        (void)raise(SIGPIPE); /* as the next line would have it */
        return CTL_EXIT_FAILED;
    }
    return -1;
}

int ctl_call(const struct ctl *ctl, const char *command, struct json_object *arguments, bool follow, ctl_answer *answer,
             void *arg)
{
    cleanup_buf struct buf input = BUF_INIT;
    int code = -1;
    int fd = call_connect(ctl);
    if (fd < 0) {
        json_object_put(arguments);
        return CTL_EXIT_UNREACHABLE;
    }
    bool sent = call_request(fd, command, arguments);
    while (sent && code < 0 && (code = call_await(fd, follow)) < 0) {
        ssize_t len = recv(fd, buf_reserve(&input, 65536), 65536, 0);
        if (len > 0) {
            buf_commit(&input, (size_t)len);
            code = call_take_lines(&input, follow, answer, arg);
        } else if (len == 0 || errno != EINTR) {
            break;
        }
    }
    close(fd);
    if (code < 0 && !ctl->quiet) {
        fprintf(stderr, "slotctl: %s: slotd closed the connection\n", ctl->socket);
    }
    return code < 0 ? CTL_EXIT_UNREACHABLE : code;
}
