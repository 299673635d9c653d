/* SPDX-License-Identifier: MIT */
/* The address of the HTTP side: a socket that listens there, made here so that what is wrong with it can be said. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "slotd/mem.h"
#include "web_private.h"

#define WEB_BACKLOG 128

/* ADDRESS:PORT to what bind() takes. "*" and no address are all of IPv6 and IPv4. Numbers alone: nothing is looked up.
 */
static int address_parse(const char *address, struct addrinfo **ret_info)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    const char *colon = strrchr(address, ':');
    if (!colon) {
        return -EINVAL;
    }
    cleanup_free char *host = mem_strndup(address, (size_t)(colon - address));
    char *start = host;
    size_t len = strlen(host);
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        start++;
    }
    bool any = !*start || strcmp(start, "*") == 0;
    return getaddrinfo(any ? "::" : start, colon + 1, &hints, ret_info) == 0 ? 0 : -EINVAL;
}

static int socket_listen_at(const struct sockaddr *address, socklen_t len, int *ret_fd)
{
    const int on = 1;
    const int off = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, address, len) < 0 || listen(fd, WEB_BACKLOG) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

/* A machine without IPv6 has all addresses in IPv4. */
static int socket_listen_anywhere(const struct sockaddr_in6 *any, int *ret_fd)
{
    const struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = any->sin6_port};
    int err = socket_listen_at((const struct sockaddr *)any, sizeof(*any), ret_fd);
    bool lacks_ipv6 = err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL;
    return lacks_ipv6 ? socket_listen_at((const struct sockaddr *)&ipv4, sizeof(ipv4), ret_fd) : err;
}

int web_socket_open(const char *address, int *ret_fd, struct buf *why)
{
    struct addrinfo *info = NULL;
    int err = address_parse(address, &info);
    if (!err) {
        const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)(const void *)info->ai_addr;
        bool any = info->ai_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr);
        err = any ? socket_listen_anywhere(ipv6, ret_fd) : socket_listen_at(info->ai_addr, info->ai_addrlen, ret_fd);
        freeaddrinfo(info);
    }
    if (err) {
        buf_printf(why, "control.http: cannot listen on %s: %s", address, strerror(-err));
    }
    return err;
}

void web_socket_name(int fd, struct buf *name)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char host[NI_MAXHOST] = "";
    char port[NI_MAXSERV] = "";
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
        getnameinfo((const struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        buf_printf(name, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    }
}
