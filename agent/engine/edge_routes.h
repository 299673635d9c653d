/* SPDX-License-Identifier: MIT */
/* Which requests and connections one HAProxy's maps lead to which backend, and whom they let through. */
#ifndef EDGE_ROUTES_H
#define EDGE_ROUTES_H

#include "edge_maps.h"
#include "slotd/access.h"
#include "slotd/engine_metrics.h"
#include "slotd/mapping.h"
#include "slotd/routes.h"
#include "slotd/server_names.h"
#include "slotd/table.h"
#include "slotd/tcp_routes.h"

struct edge;
struct engine;
struct json_object;

/* A key that leads somewhere. */
struct routed_service;
struct routed_key;
struct routed_way {
    struct routed_service *service;  /* NULL: nowhere */
    struct routed_key *next, **link; /* among those that lead there at that entry point */
};
struct routed_key {
    enum edge_map_kind kind;
    char *key;
    struct routed_way ways[ACCESS_POINTS];
    bool decided[ACCESS_POINTS]; /* it led somewhere there: what it leads to else is no matter of doubt */
    uint64_t judgement;          /* the last one that it was part of */
};
/* A service that keys lead to. */
struct routed_service {
    char *name;
    struct routed_key *first[ACCESS_POINTS];
};

/* What maps have of the access to services that are not open to everybody. */
#define EDGE_MAX_STALE 16384 /* keys of both: two of the longest whitelists */
struct edge_accesses {
    struct table by_backend; /* the service's own backend to struct edge_access */
    struct table stale[2];   /* keys of whitelist.map and redirect.map that no route needs once those that are on their
                                way have arrived; each entry's key is its value */
};

/* ---- routes ---- */

void edge_routes_open(struct edge *edge);
void edge_routes_free(struct edge *edge);
void edge_routed_open(struct edge *edge);
void edge_routed_free(struct edge *edge);
/* The claims of that key are others, or count otherwise: edge_routes_judge() looks at it, and at those that begin so.
 * arg is the edge. */
void edge_route_touch(void *arg, const char *key);
void edge_route_touch_all(struct edge *edge);
/* The same for all keys of the service's rule. */
void edge_route_touch_service(struct edge *edge, const char *service);
/* Where touched keys lead. In each turn of the loop, before anything leaves; also without a HAProxy, for the files. */
void edge_routes_judge(struct edge *edge);
/* What the keys that lead to that service have for it may be something else; they lead to it still. */
void edge_route_refresh_service(struct edge *edge, const char *service);
/* NULL: the key leads nowhere. */
const struct routed_key *edge_routed_key(struct edge *edge, enum edge_map_kind kind, const char *key);
/* NULL: nowhere, or key is NULL. */
const char *routed_key_service(const struct routed_key *key, enum access_point point);
/* The service is gone: the next one in its backends begins without a route. */
void edge_route_close(struct edge *edge, const struct service *service);
/* A key leads elsewhere than to that backend. Where none does any more, and no service is there, the next one begins
 * without a route. */
void edge_route_left(struct edge *edge, const char *backend);
/* Which backend the key should lead to, which leads to current now; NULL: no entry. Borrowed as edge_check_value()'s.
 */
const char *edge_route_value(struct edge_map *map, const char *key, const char *current);
/* Opens the routes of dirty backends that have a server by now. */
void edge_routes_review(struct edge *edge);
/* Maps of routes have been read: what they lead to is taken over. */
void edge_routes_adopt(struct edge *edge);
/* All keys of a map that has been read are looked at: what only HAProxy led to is no open route. */
void edge_routes_settle(struct edge_map *map);
/* Whether a key of the maps of routes should lead to that backend. */
bool edge_routes_lead_to(const struct edge *edge, const char *backend);
/* Whether the service's claims count by now: it has had a server. arg is the edge. */
bool edge_service_counts(void *arg, const char *service);
/* The claims on the host, as this HAProxy has them; see routes_find_claims(). */
struct route_claim *edge_find_claims(const struct edge *edge, const char *host, const char *within, size_t *ret_count);
/* Adds which rules no look-up decides, and which keys lead to others, of the services that the names stand for. */
void problems_of_routes(const struct engine *engine, const char *const *names, size_t n_names,
                        struct json_object *problems);

/* ---- access ---- */

void edge_accesses_open(struct edge *edge);
void edge_accesses_free(struct edge *edge);
/* The service is another than before: what its whitelist and its redirect are in maps is there ahead of the routes that
 * name them, and goes behind those that did. Its hosts are touched when its access is another. */
void edge_access_set(struct edge *edge, const struct service *service);
/* What whitelist.map or redirect.map should have; as edge_check_value(). */
const char *edge_access_value(struct edge_map *map, const char *key, const char *current);
/* What there should be in maps that have just been read. */
void edge_accesses_adopt(struct edge *edge);
/* Takes out what no route needs any more, once HAProxy has acknowledged the routes. Returns whether something is to be
 * sent. */
bool edge_accesses_prune(struct edge *edge);
/* How many entries wait for that. */
size_t edge_accesses_count_stale(const struct edge *edge);
/* How a request that an entry point has for host comes to the service's backend. The texts are borrowed from service,
 * backend and whitelist. */
struct access_way edge_access_way(const struct service *service, const char *backend, enum access_point point,
                                  const char *host, struct buf *whitelist);
/* Adds what keeps labels from having an effect here, though nobody is let through that should not be. */
void problems_of_access(const struct engine *engine, const struct service *service, struct json_object *problems);

/* ---- routes of TCP services ---- */

void edge_tcp_open(struct edge *edge);
void edge_tcp_free(struct edge *edge);
/* What the service's ports and names lead to may be another backend by now. */
void edge_tcp_touch_service(struct edge *edge, const char *service);
void edge_tcp_touch_all(struct edge *edge);
/* The service that the key leads to, or NULL. */
const char *edge_tcp_service(const struct edge_map *map, const char *key);
/* Who has the key in this HAProxy, or will have with its next change; NULL: nobody who has had a server. */
const struct tcp_route *edge_tcp_find(const struct edge *edge, enum tcp_way way, const char *key);
/* Whether edge.tcp_bind has the port, or says nothing. */
bool engine_listens_on(const struct engine *engine, uint16_t port);
/* False: the service is of mode tcp, and no map of this HAProxy leads to it whoever else goes: it has no good port and
 * no server name, the port is beside edge.tcp_bind, or HAProxy does not know the map. */
bool edge_tcp_can_lead_to(const struct edge *edge, const struct service *service);
/* Another app whose HTTP rule has the server name at https; .app NULL: none, or the key is a port. */
struct server_name_owner engine_find_name_owner(const struct engine *engine, const struct tcp_route *route,
                                                const struct tcp_key *key);
/* The part whose label keys of that way are from; without any the first. */
const struct service_part *service_find_tcp_part(const struct service *service, enum tcp_way way);
/* The service has changed, or is gone: what its HTTP rule has is nobody else's server name. */
void engine_set_server_names(struct engine *engine, const struct service *service);
/* The service has changed, or is gone. */
void engine_set_tcp_route(struct engine *engine, const struct service *service);
/* Adds which ports and names lead to others, or nowhere, of the services that the names stand for. */
void problems_of_tcp(const struct engine *engine, const char *const *names, size_t n_names,
                     struct json_object *problems);
/* Appends each service of mode tcp, as `slotctl routes` shows it. */
void show_tcp_routes(const struct engine *engine, struct json_object *shown);
/* Counts the keys by what has become of them. */
void measure_tcp(const struct edge *edge, struct engine_edge_metrics *ret_metrics);

#endif
