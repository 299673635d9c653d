/* SPDX-License-Identifier: MIT */
/* Which service has which port, and which server name of TLS, where several want one. Pure. */
#ifndef SLOTD_TCP_ROUTES_H
#define SLOTD_TCP_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/mapping.h"

enum tcp_way {
    TCP_BY_PORT, /* "5432" */
    TCP_BY_NAME, /* "db.example.com", "*.example.com": as struct service_tcp has it */
    TCP_WAYS
};

struct tcp_key {
    enum tcp_way way;
    char *key;
};
/* One service of mode tcp. */
struct tcp_route {
    char *service;
    char *frontend;
    char *app;            /* whose label the server names are */
    struct tcp_key *keys; /* its port first */
    size_t n_keys;        /* 0: its labels name neither port nor server name */
};

struct tcp_routes;
struct tcp_routes *tcp_routes_new(uint64_t seed);
void tcp_routes_free(struct tcp_routes *routes);
/* A key that other services want than before. */
typedef void tcp_routes_touched(void *arg, enum tcp_way way, const char *key);
/* How the service is reached; tcp NULL: it is not one of mode tcp any more. Calls touched for each key that the change
 * concerns, once it is made; nothing differs: for none. The cost is that of its keys. */
void tcp_routes_set(struct tcp_routes *routes, const char *service, const char *frontend, const char *app,
                    const struct service_tcp *tcp, tcp_routes_touched *touched, void *arg);
/* NULL: the service is none of mode tcp. */
const struct tcp_route *tcp_routes_get(const struct tcp_routes *routes, const char *service);
/* Every one, sorted by service; the caller frees the array. */
const struct tcp_route **tcp_routes_list(const struct tcp_routes *routes, size_t *ret_count);

/* What the caller knows. */
struct tcp_judge {
    bool (*counts)(void *arg, const char *service); /* whether its claims count by now; NULL: all do */
    /* The service that has the key already, or NULL: it keeps the key as long as it wants it. */
    const char *(*holder)(void *arg, enum tcp_way way, const char *key);
    /* Whether that service may not have the key, whoever else wants it; NULL: each may. */
    bool (*barred)(void *arg, const struct tcp_route *route, const struct tcp_key *key);
    void *arg;
};
/* Who has the key: its holder, else the one whose frontend is first by name (mapping.md, of rules with one priority).
 * NULL: nobody who counts wants it. Cost: the services that want it. */
const struct tcp_route *tcp_routes_find(const struct tcp_routes *routes, enum tcp_way way, const char *key,
                                        const struct tcp_judge *judge);

#endif
