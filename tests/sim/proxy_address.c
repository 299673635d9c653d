/* SPDX-License-Identifier: MIT */
/* Where the fault proxy listens and where it connects to: a path, or HOST:PORT. */
#include <string.h>
#include <unistd.h>

#include "proxy.h"

bool address_is_path(const char *address)
{
    return strchr(address, '/') != NULL;
}

static int address_parse(const char *address, struct sockaddr_in *ret_address)
{
    const char *colon = strrchr(address, ':');
    if (!colon) {
        return UV_EINVAL;
    }
    cleanup_free char *host = mem_strndup(address, (size_t)(colon - address));
    return uv_ip4_addr(host, (int)strtol(colon + 1, NULL, 10), ret_address);
}

int address_init(uv_loop_t *loop, const char *address, union stream *stream)
{
    return address_is_path(address) ? uv_pipe_init(loop, &stream->pipe, 0) : uv_tcp_init(loop, &stream->tcp);
}

static char *address_of(const uv_tcp_t *tcp)
{
    struct sockaddr_in name = {0};
    int len = sizeof(name);
    char host[64] = "";
    uv_tcp_getsockname(tcp, (struct sockaddr *)&name, &len);
    uv_ip4_name(&name, host, sizeof(host));
    return mem_printf("%s:%d", host, ntohs(name.sin_port));
}

int address_listen(union stream *stream, const char *address, uv_connection_cb then, char **ret_address)
{
    struct sockaddr_in where;
    int err = 0;
    if (address_is_path(address)) {
        (void)unlink(address);
        err = uv_pipe_bind(&stream->pipe, address);
    } else {
        err = address_parse(address, &where);
        err = err ? err : uv_tcp_bind(&stream->tcp, (const struct sockaddr *)&where, 0);
    }
    err = err ? err : uv_listen(&stream->stream, 128, then);
    if (!err) {
        *ret_address = address_is_path(address) ? mem_strdup(address) : address_of(&stream->tcp);
    }
    return err;
}

int address_connect(uv_connect_t *request, union stream *stream, const char *address, uv_connect_cb then)
{
    struct sockaddr_in where;
    if (address_is_path(address)) {
        uv_pipe_connect(request, &stream->pipe, address, then);
        return 0;
    }
    int err = address_parse(address, &where);
    return err ? err : uv_tcp_connect(request, &stream->tcp, (const struct sockaddr *)&where, then);
}
