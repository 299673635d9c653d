/* SPDX-License-Identifier: MIT */
/* The maps of one HAProxy that slotd keeps, and their files. */
#ifndef EDGE_MAPS_H
#define EDGE_MAPS_H

#include "slotd/haproxy.h"
#include "slotd/kept_file.h"
#include "slotd/map.h"
#include "slotd/table.h"

struct edge;
struct edge_map_swap;
struct engine;
struct json_object;
struct service;

/* The maps that slotd keeps, by their names in maps_dir (contract.md). */
enum edge_map_kind {
    EDGE_MAP_CHECK_PATH, /* by backend */
    EDGE_MAP_CHECK_HOST,
    EDGE_MAP_WHITELIST, /* of services: ahead of the routes that name what is in it */
    EDGE_MAP_REDIRECT,
    EDGE_MAP_ROUTES, /* by host and path */
    EDGE_MAP_PATHS,
    EDGE_MAP_TCP_PORTS, /* by the port that is connected to */
    EDGE_MAP_SNI,       /* by the server name of TLS */
    EDGE_MAP_LEASES,    /* service to backend; behind those that lead there */
    EDGE_N_MAPS
};
enum edge_map_state {
    EDGE_MAP_UNREAD,   /* HAProxy is not connected */
    EDGE_MAP_READING,  /* and no slot gets a command meanwhile */
    EDGE_MAP_READ,     /* to be compared once Marathon has answered */
    EDGE_MAP_SWAPPING, /* a whole table is on its way, and no slot gets a command meanwhile */
    EDGE_MAP_IN_STEP,  /* differences are sent as they come */
    EDGE_MAP_REFUSED,  /* too often: it is left alone until Marathon's next complete answer */
};
struct edge_map {
    struct edge *edge;
    enum edge_map_kind kind;
    char *path; /* of its file, and its name in HAProxy */
    enum edge_map_state state;
    bool missing;                /* HAProxy's configuration does not mention it */
    struct map_content *content; /* as read, in EDGE_MAP_READ; NULL: missing */
    struct map *map;
    struct table named;         /* of maps of routes: backends that values name, to struct named_backend */
    struct edge_map_swap *swap; /* in EDGE_MAP_SWAPPING */
    struct kept_file *file;
    bool filled;      /* what should be in it is known, and the file follows */
    bool doubts;      /* it has entries that no service asks for */
    unsigned tries;   /* times that it was read anew since all went well */
    size_t in_flight; /* lines of this connection without a reply */
    char *error;      /* why it is EDGE_MAP_REFUSED, or NULL */
    char *file_error; /* why the file could not be made at start, or NULL */
};

/* The file's name in maps_dir. */
const char *edge_map_name(enum edge_map_kind kind);
/* What its keys are, and what its values: of backends, to what their checks ask for; of services' lists and redirects;
 * of requests and connections, to backends. */
bool edge_map_is_by_backend(const struct edge_map *map);
bool edge_map_is_of_access(const struct edge_map *map);
bool edge_map_is_of_http(const struct edge_map *map);
bool edge_map_is_of_tcp(const struct edge_map *map);
/* One of the last two. */
bool edge_map_is_of_routes(const struct edge_map *map);
/* What the key should have in that map, which has current now; as edge_check_value(). */
const char *edge_map_find_value(struct edge_map *map, const char *key, const char *current);
/* Whether HAProxy has acknowledged what those of its maps should have. */
bool edge_maps_have_arrived(const struct edge *edge, enum edge_map_kind first, enum edge_map_kind last);
/* Makes the maps that maps_dir is for, and the files that are missing. */
void edge_maps_open(struct edge *edge);
/* Writes what is not on disk yet. After the connection is closed. */
void edge_maps_close(struct edge *edge);
/* A new connection: asks what HAProxy has. */
void edge_maps_read(struct edge *edge);
void edge_maps_lose(struct edge *edge);
/* The service of that backend has changed, or what the backend does without one. */
void edge_maps_refresh(struct edge *edge, const char *backend);
/* Sends what differs. Only when adopted and answered. Returns false while one is not known: then slots have to wait. */
bool edge_maps_run(struct edge *edge);
/* A complete answer has been applied: what was kept in doubt, or was refused, is looked at again. */
void edge_maps_answered(struct edge *edge);
bool edge_maps_are_settled(const struct edge *edge);
/* Whether HAProxy has acknowledged what its maps of routes and leases should have. */
bool edge_maps_show_leases(const struct edge *edge);
/* The key may have to lead elsewhere than it does. */
void edge_map_refresh(struct edge_map *map, const char *key);
/* The same, and what it leads to by now is no reason to keep it. */
void edge_map_drop(struct edge_map *map, const char *key);
/* What the key should have: map_set(), and the backends that the map names follow. The file does not. */
bool edge_map_put(struct edge_map *map, const char *key, const char *value);
/* Whether some value that the map of routes should have names that backend. */
bool edge_map_names(const struct edge_map *map, const char *backend);
void edge_map_forget_named(struct edge_map *map);
/* Sends what the plan says, entry by entry or as a whole table. */
void edge_map_apply(struct edge_map *map, const struct map_plan *plan);
void edge_map_send_plan(struct edge_map *map, const struct map_plan *plan);
void edge_map_drop_swap(struct edge_map *map);
/* Sends a line; replied is called unless the connection was lost before. */
typedef void edge_map_replied(struct edge_map *map, const char *reply, size_t len);
void edge_map_ask(struct edge_map *map, const char *line, edge_map_replied *replied);
/* Compares all that HAProxy has of it with what was left there, and reads it anew where another hand has changed it.
 * Does nothing while something of it is on its way. done is called once, also when the connection is lost. */
typedef void edge_map_verified(void *arg);
void edge_map_verify(struct edge_map *map, edge_map_verified *done, void *arg);
/* Asks HAProxy for all of it. */
void edge_map_read(struct edge_map *map);
/* HAProxy has not done what it was told: what it has is not known any more. */
void edge_map_refuse(struct edge_map *map, enum haproxy_reply verdict, const char *reply, size_t len);
/* Why its file is not in step, or NULL. */
const char *edge_map_file_error(const struct edge_map *map);
/* What the map should have for the backend, which has current now; NULL: no entry. Borrowed from the service, or
 * current: without a service an entry stays as long as tasks may be behind the backend. */
const char *edge_check_value(struct edge_map *map, const char *backend, const char *current);
/* Adds where HAProxy's configuration keeps the service's labels for health checks from having an effect. */
void problems_of_checks(const struct engine *engine, const struct service *service, struct json_object *problems);
/* Adds why files, and maps, are not in step. */
void edge_explain_files(const struct edge *edge, struct json_object *reasons);
struct json_object *edge_show_maps(const struct edge *edge);
/* Adds NAME_changes, how many there have been, and NAME_saved, whether all of them are on disk; no file: both null. */
void show_kept_file(struct json_object *object, const char *name, const struct kept_file *file);

#endif
