/* SPDX-License-Identifier: MIT */
/* One question to HAProxy on a connection of its own, and its whole answer. Blocking, for a program that asks and ends;
 * what goes wrong is a finding, and is not tried again. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define CALL_TIMEOUT_MS 5000
#define CALL_MAX_ANSWER (256U << 20) /* `show servers state` of a million slots */

/* ---- connecting ---- */

static int set_timeouts(int fd)
{
    const struct timeval limit = {.tv_sec = CALL_TIMEOUT_MS / 1000};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit))
               ? -errno
               : 0;
}

/* Returns a socket, or -errno. */
static int connect_to(int family, const struct sockaddr *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = fd < 0 ? -errno : set_timeouts(fd);
    if (!err && connect(fd, address, len)) {
        err = errno == EINPROGRESS || errno == EAGAIN ? SLOTD_E_TIMEOUT : -errno;
    }
    if (err && fd >= 0) {
        close(fd);
    }
    return err ? err : fd;
}

static int connect_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
}

static int connect_host(const char *text)
{
    cleanup_free char *copy = mem_strdup(text);
    char *host = copy;
    char *colon = strrchr(copy, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (!colon) {
        return -EINVAL;
    }
    *colon = '\0';
    if (host[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        host++;
    }
    if (getaddrinfo(host, colon + 1, &hints, &list)) {
        return -EHOSTUNREACH;
    }
    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *one = list; one && fd < 0; one = one->ai_next) {
        fd = connect_to(one->ai_family, one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(list);
    return fd;
}

static int connect_address(const char *address)
{
    return address[0] == '/' ? connect_path(address) : connect_host(address);
}

int doctor_find_listener(const char *path, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int fd = connect_path(path);
    if (fd < 0) {
        return fd;
    }
    int err = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? -errno : 0;
    close(fd);
    if (!err) {
        *ret_pid = peer.pid;
    }
    return err;
}

/* ---- asking ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int send_all(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return errno == EAGAIN ? SLOTD_E_TIMEOUT : -errno;
        }
        text += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

/* Up to the end of the connection, as long as something comes. */
static int receive_all(int fd, struct buf *answer)
{
    int64_t last_ms = now_ms();
    for (;;) {
        ssize_t len = recv(fd, buf_reserve(answer, 65536), 65536, 0);
        if (len == 0) {
            return 0;
        }
        if (len > 0) {
            buf_commit(answer, (size_t)len);
            last_ms = now_ms();
        } else if (errno == EAGAIN || (errno == EINTR && now_ms() - last_ms >= CALL_TIMEOUT_MS)) {
            return SLOTD_E_TIMEOUT;
        } else if (errno != EINTR) {
            return -errno;
        }
        if (answer->len > CALL_MAX_ANSWER) {
            return SLOTD_E_LIMIT;
        }
    }
}

int doctor_call(const char *address, const char *command, struct buf *answer)
{
    cleanup_free char *line = mem_printf("%s\n", command);
    buf_clear(answer);
    int fd = connect_address(address);
    if (fd < 0) {
        return fd;
    }
    int err = send_all(fd, line);
    /* A worker hangs up by itself; the master does when no more can come. */
    if (!err && shutdown(fd, SHUT_WR)) {
        err = -errno;
    }
    err = err ? err : receive_all(fd, answer);
    close(fd);
    if (!err && (answer->len == 0 || answer->data[answer->len - 1] != '\n')) {
        err = SLOTD_E_CLOSED;
    }
    return err;
}
