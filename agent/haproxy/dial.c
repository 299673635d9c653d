/* SPDX-License-Identifier: MIT */
/* How a connection to HAProxy begins: by path, or by host and port, which may take a look-up. */
#include <string.h>

#include "connection_private.h"
#include "slotd/mem.h"

static void connection_connect_tcp(struct haproxy_connection *connection, uv_connect_t *request,
                                   const struct sockaddr *address)
{
    int err = uv_tcp_connect(request, &connection->peer->tcp, address, connection_connected);
    if (err) {
        free(request);
        connection_lose(connection, err, uv_strerror(err), CONNECTION_BACKOFF_MAX_MS);
    }
}

/* A look-up outlives the connection when it is closed meanwhile: it keeps a handle's worth of a claim on it. */
static void connection_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct haproxy_connection *connection = lookup->data;
    free(lookup);
    if (connection->phase != PHASE_CONNECTING) {
        uv_freeaddrinfo(list);
    } else if (status < 0) {
        connection_lose(connection, status, uv_strerror(status), CONNECTION_BACKOFF_MAX_MS);
    } else {
        uv_connect_t *request = MEM_NEW(uv_connect_t);
        request->data = connection;
        connection_connect_tcp(connection, request, list->ai_addr);
        uv_freeaddrinfo(list);
    }
    connection_handle_closed(connection);
}

static void connection_look_up(struct haproxy_connection *connection)
{
    cleanup_free char *host = mem_strdup(connection->address);
    char *colon = strrchr(host, ':');
    const char *port = "";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    size_t len = strlen(host);
    if (colon) {
        *colon = '\0';
        port = colon + 1;
        len = (size_t)(colon - host);
    }
    char *name = host;
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        name = host + 1;
    }
    uv_getaddrinfo_t *lookup = MEM_NEW(uv_getaddrinfo_t);
    lookup->data = connection;
    int err = uv_getaddrinfo(connection->loop, lookup, connection_looked_up, name, port, &hints);
    if (err) {
        free(lookup);
        connection_lose(connection, err, uv_strerror(err), CONNECTION_BACKOFF_MAX_MS);
        return;
    }
    connection->handles++;
}

void connection_connect(struct haproxy_connection *connection)
{
    bool is_path = connection->address[0] == '/';
    connection->peer = MEM_NEW(union peer);
    connection->phase = PHASE_CONNECTING;
    if (is_path) {
        uv_pipe_init(connection->loop, &connection->peer->pipe, 0);
    } else {
        uv_tcp_init(connection->loop, &connection->peer->tcp);
        uv_tcp_nodelay(&connection->peer->tcp, 1);
    }
    connection->peer->handle.data = connection;
    connection->handles++;
    if (is_path) {
        uv_connect_t *request = MEM_NEW(uv_connect_t);
        request->data = connection;
        uv_pipe_connect(request, &connection->peer->pipe, connection->address, connection_connected);
    } else {
        connection_look_up(connection);
    }
}
