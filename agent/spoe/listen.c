/* SPDX-License-Identifier: MIT */
/* Where the agent listens: a socket a thread for TCP, so that the kernel shares connections out; one for all of them
 * for a path or an abstract name, which have no SO_REUSEPORT. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "slotd/mem.h"
#include "spoe_private.h"

#define BACKLOG 1024 /* after a reload HAProxy opens all of its connections at once */

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
};

/* Numbers alone: nothing is looked up. */
static int address_of_tcp(const char *text, union address *address, socklen_t *ret_len)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    const char *colon = strrchr(text, ':');
    if (!colon) {
        return -EINVAL;
    }
    cleanup_free char *host = mem_strndup(text, (size_t)(colon - text));
    char *start = host;
    size_t len = strlen(host);
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        start++;
    }
    bool any = !*start || strcmp(start, "*") == 0;
    if (getaddrinfo(any ? "0.0.0.0" : start, colon + 1, &hints, &info) != 0) {
        return -EINVAL;
    }
    memcpy(address, info->ai_addr, info->ai_addrlen);
    *ret_len = info->ai_addrlen;
    freeaddrinfo(info);
    return 0;
}

/* HAProxy fills an abstract name (abns@) with zeros to the whole length. */
static int address_of_local(const char *name, bool abstract, union address *address, socklen_t *ret_len)
{
    size_t len = strlen(name);
    if (len + 1 > sizeof(address->local.sun_path)) {
        return -ENAMETOOLONG;
    }
    memset(&address->local, 0, sizeof(address->local));
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path + abstract, name, len);
    *ret_len = sizeof(address->local);
    return 0;
}

/* A socket file that nobody listens on is left from before. */
static void remove_stale(const union address *address, socklen_t len)
{
    struct stat status;
    const char *path = address->local.sun_path;
    if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, &address->any, len) < 0 && errno == ECONNREFUSED) {
        (void)unlink(path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int listen_at(const union address *address, socklen_t len, int *ret_fd)
{
    const int on = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (address->any.sa_family != AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (bind(fd, &address->any, len) < 0 || listen(fd, BACKLOG) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

/* Another agent on the same port would silently get half of the connections: the first socket must be alone. */
static int check_alone(const union address *address, socklen_t len)
{
    const int on = 1;
    int err = 0;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address->any, len) < 0) {
        err = -errno;
    }
    close(fd);
    return err;
}

static int open_tcp(struct spoe *spoe, union address *address, socklen_t len)
{
    int err = check_alone(address, len);
    while (!err && spoe->listener_count < spoe->config.threads) {
        err = listen_at(address, len, &spoe->listeners[spoe->listener_count]);
        if (!err && spoe->listener_count++ == 0) {
            /* Port 0 is the kernel's choice, which the others share. */
            (void)getsockname(spoe->listeners[0], &address->any, &len);
        }
    }
    return err;
}

/* Who may enter its folder may ask, as everybody on the machine may at a loopback address. */
static int open_local(struct spoe *spoe, const union address *address, socklen_t len, const char *path)
{
    if (path) {
        remove_stale(address, len);
    }
    int err = listen_at(address, len, &spoe->listeners[0]);
    if (err) {
        return err;
    }
    spoe->listener_count = 1;
    if (path) {
        spoe->path = mem_strdup(path);
        err = chmod(path, 0666) < 0 ? -errno : 0;
    }
    return err;
}

int spoe_open_listeners(struct spoe *spoe, struct buf *why)
{
    static const char abns[] = "abns@";
    const char *text = spoe->config.listen;
    union address address;
    socklen_t len = 0;
    bool abstract = strncmp(text, abns, sizeof(abns) - 1) == 0;
    bool local = abstract || *text == '/';
    int err = local ? address_of_local(abstract ? text + sizeof(abns) - 1 : text, abstract, &address, &len)
                    : address_of_tcp(text, &address, &len);
    if (!err) {
        err = local ? open_local(spoe, &address, len, abstract ? NULL : text) : open_tcp(spoe, &address, len);
    }
    if (err) {
        buf_printf(why, "spoe.listen: cannot listen on %s: %s", text, strerror(-err));
    }
    return err;
}

void spoe_close_listeners(struct spoe *spoe)
{
    for (unsigned i = 0; i < spoe->listener_count; i++) {
        close(spoe->listeners[i]);
    }
    spoe->listener_count = 0;
    if (spoe->path) {
        (void)unlink(spoe->path);
        free(spoe->path);
        spoe->path = NULL;
    }
}

uint16_t spoe_port(const struct spoe *spoe)
{
    union address address;
    socklen_t len = sizeof(address);
    if (getsockname(spoe->listeners[0], &address.any, &len) < 0) {
        return 0;
    }
    switch (address.any.sa_family) {
    case AF_INET:
        return ntohs(address.ipv4.sin_port);
    case AF_INET6:
        return ntohs(address.ipv6.sin6_port);
    default:
        return 0;
    }
}
