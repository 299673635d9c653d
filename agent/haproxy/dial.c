/* SPDX-License-Identifier: MIT */
/* How a connection to HAProxy begins: by path, or by host and port, which may take a look-up. */
#include <stdlib.h>
#include <string.h>

#include "connection_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define CONNECTION_LOOK_UP_MS 100 /* until a look-up is tried again that another one was in the way of */

static void connection_connect_tcp(struct haproxy_connection *connection, const struct sockaddr *address)
{
    uv_connect_t *request = MEM_NEW(uv_connect_t);
    request->data = connection;
    connection->connect_ms = uv_now(connection->loop);
    int err = uv_tcp_connect(request, &connection->peer->tcp, address, connection_connected);
    if (err) {
        free(request);
        connection_lose(connection, err, uv_strerror(err), CONNECTION_BACKOFF_MAX_MS);
    }
}

/* libuv's threads are four. The names of Marathon's hosts may take two of them, and the state file needs one: however
 * many HAProxies have a name, one is looked up at a time. */
static bool look_up_is_under_way;

/* A look-up outlives the connection when it is closed meanwhile: it keeps a handle's worth of a claim on it. */
static void connection_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct haproxy_connection *connection = lookup->data;
    look_up_is_under_way = false;
    free(lookup);
    if (connection->phase == PHASE_CONNECTING && status < 0) {
        connection_lose(connection, status, uv_strerror(status), CONNECTION_BACKOFF_MAX_MS);
    } else if (connection->phase == PHASE_CONNECTING) {
        connection_connect_tcp(connection, list->ai_addr);
    }
    uv_freeaddrinfo(list);
    connection_handle_closed(connection);
}

static void connection_look_up(struct haproxy_connection *connection, const char *name, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (look_up_is_under_way) {
        connection_lose(connection, SLOTD_E_CLOSED, "another HAProxy's name is being looked up", CONNECTION_LOOK_UP_MS);
        return;
    }
    uv_getaddrinfo_t *lookup = MEM_NEW(uv_getaddrinfo_t);
    lookup->data = connection;
    int err = uv_getaddrinfo(connection->loop, lookup, connection_looked_up, name, port, &hints);
    if (err) {
        free(lookup);
        connection_lose(connection, err, uv_strerror(err), CONNECTION_BACKOFF_MAX_MS);
        return;
    }
    look_up_is_under_way = true;
    connection->handles++;
}

/* A literal address needs no look-up, which may have to wait for a thread. */
static void connection_begin_tcp(struct haproxy_connection *connection)
{
    cleanup_free char *host = mem_strdup(connection->address);
    struct sockaddr_storage address;
    char *name = host;
    char *colon = strrchr(host, ':');
    const char *port = colon ? colon + 1 : "";
    size_t len = colon ? (size_t)(colon - host) : strlen(host);
    host[len] = '\0';
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        name = host + 1;
    }
    int number = atoi(port);
    if (uv_ip4_addr(name, number, (struct sockaddr_in *)&address) == 0 ||
        uv_ip6_addr(name, number, (struct sockaddr_in6 *)&address) == 0) {
        connection_connect_tcp(connection, (const struct sockaddr *)&address);
    } else {
        connection_look_up(connection, name, port);
    }
}

void connection_connect(struct haproxy_connection *connection)
{
    bool is_path = connection->address[0] == '/';
    connection->peer = MEM_NEW(union peer);
    connection->phase = PHASE_CONNECTING;
    connection->connect_ms = UINT64_MAX;
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
        connection->connect_ms = uv_now(connection->loop);
        uv_pipe_connect(request, &connection->peer->pipe, connection->address, connection_connected);
    } else {
        connection_begin_tcp(connection);
    }
}
