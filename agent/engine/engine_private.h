/* SPDX-License-Identifier: MIT */
/* The engine, its HAProxies and Marathon's side, and what they know of one another. The engine is the only place where
 * the flow's stages meet. */
#ifndef ENGINE_PRIVATE_H
#define ENGINE_PRIVATE_H

#include "edge_dynamic.h"
#include "edge_servers.h"
#include "engine_parts.h"
#include "orders_file.h"
#include "slotd/client.h"
#include "slotd/cluster.h"
#include "slotd/engine.h"
#include "slotd/engine_metrics.h"
#include "slotd/haproxy.h"
#include "slotd/kept_file.h"
#include "slotd/leases.h"
#include "slotd/map.h"
#include "slotd/mapping.h"
#include "slotd/routes.h"
#include "slotd/slots.h"
#include "slotd/table.h"
#include "slotd/tcp_routes.h"

/* ---- edge: one HAProxy in our care ---- */

/* What is unhealthy in a backend's service, as judged when its desired slots were computed last. */
struct backend_health {
    struct service_health counts;
    size_t unhealthy; /* endpoints, also those that take no traffic anyway */
    bool drains;      /* they drain; otherwise, if there are any, it is too much at once */
};

struct edge_backend {
    struct edge *edge;
    struct slots *slots;
    const char *name;                   /* the slots' own */
    const struct haproxy_server **rows; /* the row of each slot as read at adoption, by slot name order of adoption */
    size_t n_rows;
    struct change **open; /* by slot: a change that is not acknowledged to its end */
    size_t n_open;
    uint64_t received_ns; /* of the oldest cause since the last plan; 0: none */
    int64_t received_ms;
    struct edge_backend *next_dirty;
    bool dirty;
    struct backend_health health;
    size_t section; /* of the server-state file */
    struct edge_backend *next_unsaved;
    bool unsaved;         /* that section is older than what is applied */
    bool closed;          /* slots of it are drained by orders of their own */
    bool route_open;      /* a server of its service has been ready: routes lead here as long as their rule stands */
    bool unclaimed;       /* a route was kept that leads here, though nobody claimed it */
    char *server_options; /* of servers to be added; NULL: none are */
    char *server_refusal; /* what HAProxy said to the last `add server` or `del server` that it did not do; NULL: it did
                             all */
    /* Of a pool, released: */
    bool empty;      /* HAProxy has no request in it, since nothing leads there */
    bool asking;     /* it is asked for that */
    uint64_t ask_ms; /* loop time: not before */
    bool left;       /* its service is served elsewhere by now, and nothing should be in its slots */
};

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
    struct edge_map_swap *swap; /* in EDGE_MAP_SWAPPING */
    struct kept_file *file;
    bool filled;      /* what should be in it is known, and the file follows */
    bool doubts;      /* it has entries that no service asks for */
    unsigned tries;   /* times that it was read anew since all went well */
    size_t in_flight; /* lines of this connection without a reply */
    char *error;      /* why it is EDGE_MAP_REFUSED, or NULL */
    char *file_error; /* why the file could not be made at start, or NULL */
};

/* The keys of one host that lead somewhere. */
struct routed_key {
    enum edge_map_kind kind;
    char *key;
    char *services[ACCESS_POINTS]; /* by entry point; NULL: nowhere */
    bool decided[ACCESS_POINTS];   /* it led somewhere there: what it leads to else is no matter of doubt */
};
struct routed_host {
    char *name;
    struct routed_key *keys;
    size_t count;
};

/* What maps have of the access to services that are not open to everybody. */
struct edge_accesses {
    struct table by_backend;  /* the service's own backend to struct edge_access */
    struct edge_stale *stale; /* entries that no route needs once those that are on their way have arrived */
    size_t n_stale, stale_capacity;
};

/* The pooled backends of one HAProxy. */
struct edge_leasing {
    struct leases *leases;
    struct table on_disk;             /* what the files of maps led to when slotd began, until the first adoption */
    bool disk_unknown;                /* one of them could not be read */
    bool known;                       /* HAProxy's leases were read */
    bool verified;                    /* and held against who serves; after that what slotd knows is newer */
    bool gated;                       /* gate is set since the adoption */
    uint64_t gate;                    /* the server-state file has to be as new before a backend is given away */
    bool saving;                      /* released backends wait for the files */
    uint64_t stamps[EDGE_N_MAPS + 1]; /* as new they have to be: the maps, and the server-state file */
    uint64_t ask_ms;                  /* loop time: a backend is to be asked again whether it is empty */
    uv_timer_t *timer;                /* wakes the loop when slots.release_delay is over, or for that */
};

struct edge {
    struct engine *engine;
    const struct config_haproxy *config;
    struct haproxy_connection *connection;
    struct kept_file *state_file;       /* or NULL */
    struct edge_map *maps[EDGE_N_MAPS]; /* NULL without a maps_dir */
    struct table routed[2];             /* key to struct routed_key, of routes.map and paths.map */
    struct table routed_hosts;          /* to struct routed_host */
    struct table tcp_routed[TCP_WAYS];  /* keys of tcp-ports.map and sni.map, with their services */
    struct buf route_value;             /* the one that edge_route_value() has returned last */
    bool routes_known;                  /* HAProxy's were read */
    struct edge_accesses accesses;
    struct edge_leasing leasing;
    struct edge_dynamic dynamic;
    struct haproxy_state *state; /* as read at the last adoption, or NULL */
    struct haproxy_info info;
    struct haproxy_capabilities capabilities;
    struct table backends; /* name to struct edge_backend */
    struct edge_backend *first_dirty, **last_dirty;
    struct edge_backend *first_unsaved;
    bool no_swaps;    /* HAProxy has refused a whole table: entry by entry, until it is connected to anew */
    bool unsaved_all; /* servers were read anew since the server-state file was collected */
    size_t in_flight; /* commands without a reply */
    unsigned epoch;   /* counts connections: replies of an older one are not ours any more */
    bool adopted;
    bool confirmed;                /* `--confirm`: its orphans go with the first answer */
    char *error;                   /* why it is not in use, or NULL */
    unsigned orphan_confirmations; /* complete answers since adoption */
    size_t orphans_held;           /* orphans that the guard holds */
    uint64_t commands, refusals, adoptions, drifts;
    uint64_t servers_added, servers_deleted;
    struct histogram latency; /* from a cause to the acknowledgement of the last command for it */
    struct verification *verification;
};
struct edge *edge_new(struct engine *engine, const struct config_haproxy *config);
void edge_close(struct edge *edge);
/* What should be in the backend's slots, and in the maps for it, is computed again. */
void edge_refresh_backend(struct edge *edge, const char *backend);
/* The service changed: the same for each backend that it has, after a look at whether it needs one. key: the name of
 * the backend that would be its own. */
void edge_refresh_service(struct edge *edge, const char *key);
void edge_refresh_all(struct edge *edge);
/* The backend's slots are to be planned in this turn of the loop. */
void edge_mark_dirty(struct edge_backend *backend);
/* Plans what is dirty and sends it in one write. */
void edge_run(struct edge *edge);
/* A complete answer has been applied: judges orphans. force: an operator has confirmed. Returns whether some still
 * wait. */
bool edge_judge_orphans(struct edge *edge, bool force);
/* The same right after an adoption: the complete answers before it count. */
bool edge_judge_adopted(struct edge *edge);
/* A complete answer is a good moment to try slots again that refused too often. */
void edge_retry_aside(struct edge *edge);
/* Reads how many sessions the backend's slots have, or compares them with what was applied; done is called once. */
void edge_read_sessions(struct edge_backend *backend, engine_surveyed *done, void *arg);
void edge_read_rows(struct edge_backend *backend, engine_surveyed *done, void *arg);
/* Compares rows with what was applied; counts and tells what another hand has changed. */
void backend_compare(struct edge_backend *backend, const struct slot_observed *rows, size_t count);
/* The rows of the backend's slots; the caller frees the array. */
struct slot_observed *backend_find_rows(const struct edge_backend *backend, const struct haproxy_state *state,
                                        size_t *ret_count);
/* What a plan for its slots has to heed. */
struct slots_options backend_options(const struct edge_backend *backend);
bool edge_is_settled(const struct edge *edge);
struct slots_counts edge_count(const struct edge *edge);
/* What is applied to the backend has changed, or everything has been read anew: the server-state file is to follow. */
void edge_touch_state(struct edge_backend *backend);
void edge_touch_all_states(struct edge *edge);
/* What is applied to the slots since the last call, for the server-state file; arg is the edge. */
void edge_collect_state(void *arg, struct kept_file *file);
struct edge_backend *edge_find_backend(const struct edge *edge, const char *name);
/* Where the service is served, or will be: the backend of its own name, else the leased one; while it moves from one to
 * the other, the former until a server of the new one has been ready. NULL: nowhere. */
struct edge_backend *edge_find_backend_of(const struct edge *edge, const struct service *service);
/* Whose endpoints are in that backend's slots; while a service moves it is in two backends. NULL: nobody's. */
const struct service *edge_find_service(const struct edge *edge, const char *backend);
/* Every backend sorted by name; the caller frees the array. */
struct edge_backend **edge_list_backends(const struct edge *edge, size_t *ret_count);

/* The backend's slots are new: nothing is on its way to them. */
void backend_expect_changes(struct edge_backend *backend);
/* A command leaves: part of a change of its slot, which begins with it or is under way. */
void backend_open_change(struct edge_backend *backend, const struct slot_command *command);
/* A reply has come: the change of that slot is recorded when it was the last one, or a refusal. */
void backend_close_change(struct edge_backend *backend, size_t slot, bool ok);
/* What is under way will not be recorded. */
void backend_drop_changes(struct edge_backend *backend);

/* ---- maps ---- */

/* The file's name in maps_dir. */
const char *edge_map_name(enum edge_map_kind kind);
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
/* The key may have to lead elsewhere than it does. */
void edge_map_refresh(struct edge_map *map, const char *key);
/* The same, and what it leads to by now is no reason to keep it. */
void edge_map_drop(struct edge_map *map, const char *key);
/* Sends what the plan says, entry by entry or as a whole table. */
void edge_map_apply(struct edge_map *map, const struct map_plan *plan);
void edge_map_send_plan(struct edge_map *map, const struct map_plan *plan);
void edge_map_drop_swap(struct edge_map *map);
/* Sends a line; replied is called unless the connection was lost before. */
typedef void edge_map_replied(struct edge_map *map, const char *reply, size_t len);
void edge_map_ask(struct edge_map *map, const char *line, edge_map_replied *replied);
/* Asks HAProxy for all of it. */
void edge_map_read(struct edge_map *map);
/* HAProxy has not done what it was told: what it has is not known any more. */
void edge_map_refuse(struct edge_map *map, enum haproxy_reply verdict, const char *reply, size_t len);
/* Why its file is not in step, or NULL. */
const char *edge_map_file_error(const struct edge_map *map);
/* What the map should have for the backend, which has current now; NULL: no entry. Borrowed from the service, or
 * current: without a service an entry stays as long as tasks may be behind the backend. */
const char *edge_check_value(struct edge_map *map, const char *backend, const char *current);
/* Whether tasks may be behind the backend that Marathon has not spoken of yet: orphans, sessions that end. */
bool edge_may_serve(const struct edge *edge, const char *backend);
/* Adds where HAProxy's configuration keeps the service's labels for health checks from having an effect. */
void problems_of_checks(const struct engine *engine, const struct service *service, struct json_object *problems);
/* Adds why files, and maps, are not in step. */
void edge_explain_files(const struct edge *edge, struct json_object *reasons);
struct json_object *edge_show_maps(const struct edge *edge);

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
/* How a request that an entry point has for host comes to the service's backend. The texts are borrowed from service,
 * backend and whitelist. */
struct access_way edge_access_way(const struct service *service, const char *backend, enum access_point point,
                                  const char *host, struct buf *whitelist);
/* Adds what keeps labels from having an effect here, though nobody is let through that should not be. */
void problems_of_access(const struct engine *engine, const struct service *service, struct json_object *problems);

/* ---- leases ---- */

/* Before the maps are opened, and after they are closed. */
void edge_leases_open(struct edge *edge);
void edge_leases_close(struct edge *edge);
/* Reads the files of the maps, before they are written. */
void edge_leases_read_disk(struct edge *edge);
/* HAProxy's backends and maps have been read. Returns false where leases.map could not be: then nothing may be
 * concluded about a pool's backends. */
bool edge_leases_adopt(struct edge *edge);
/* Marathon has answered since the adoption: what leases.map tells is corrected where tasks of another service serve. */
void edge_leases_verify(struct edge *edge);
/* Every service is looked at again, and leases.map follows. */
void edge_leases_refresh(struct edge *edge);
/* Whether HAProxy has a backend of the service's own name. */
bool edge_has_own_backend(const struct edge *edge, const char *key);
/* Other pools are configured, maybe. */
void edge_leases_configure(struct edge *edge);
/* Whether the service needs, has or leaves a backend of a pool, from now on. */
void edge_lease_look_at(struct edge *edge, const char *key);
/* What leases.map should have. Borrowed from the leases. */
const char *edge_lease_value(const struct edge_map *map, const char *key);
/* The backend's last session may have ended. */
void edge_lease_note_sessions(struct edge_backend *backend);
/* Takes back and gives away, in each turn of the loop; ahead of the maps. */
void edge_leases_run(struct edge *edge);
/* A complete answer has been applied: leases of services that nobody speaks of are looked at again. */
void edge_leases_answered(struct edge *edge);
/* Whether its slots may take traffic, or are on their way out of it. */
bool backend_may_serve(const struct edge_backend *backend);
/* Whether HAProxy has said that it has no request in it since that was asked for anew; asks. */
bool backend_is_empty(struct edge_backend *backend);
/* Adds why a service has no backend: its class has no pool, or none that is free; and that the pool is another than it
 * asked for. Returns false where HAProxy has no backend of any pool. */
bool problems_of_leases(const struct edge *edge, const struct service *service, struct json_object *problems);
/* Adds what is about pools and concerns no service alone. */
void problems_of_pools(const struct edge *edge, struct json_object *problems);
/* Adds why services without a backend of their own wait, and what will be so soon. */
void edge_explain_leases(const struct edge *edge, struct json_object *reasons, struct json_object *warnings);
struct json_object *edge_show_pools(const struct edge *edge);

/* Whether HAProxy has acknowledged what its maps of routes and leases should have. */
bool edge_maps_show_leases(const struct edge *edge);
/* Whether a key of the maps of routes should lead to that backend. */
bool edge_routes_lead_to(const struct edge *edge, const char *backend);

/* ---- routes ---- */

void edge_routes_open(struct edge *edge);
void edge_routes_free(struct edge *edge);
/* The claims on that host are others, or count otherwise. */
void edge_route_touch(struct edge *edge, const char *host);
/* The same for all hosts of the service's rule. */
void edge_route_touch_service(struct edge *edge, const char *service);
/* The service is gone: the next one in its backends begins without a route. */
void edge_route_close(struct edge *edge, const struct service *service);
/* Which backend the key should lead to, which leads to current now; NULL: no entry. Borrowed as edge_check_value()'s.
 */
const char *edge_route_value(struct edge_map *map, const char *key, const char *current);
/* Opens the routes of dirty backends that have a server by now. */
void edge_routes_review(struct edge *edge);
/* Maps of routes have been read: what they lead to is taken over. */
void edge_routes_adopt(struct edge *edge);
/* Whether the service's claims count by now: it has had a server. arg is the edge. */
bool edge_service_counts(void *arg, const char *service);
/* All claims on the host, as this HAProxy has it. The caller frees with routes_free_claims(). */
struct route_claim *edge_find_claims(const struct edge *edge, const char *host, size_t *ret_count);
/* Adds which rules no look-up decides, and which keys lead to others, of the services that the names stand for. */
void problems_of_routes(const struct engine *engine, const char *const *names, size_t n_names,
                        struct json_object *problems);

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
/* The service has changed, or is gone. */
void engine_set_tcp_route(struct engine *engine, const struct service *service);
/* Adds which ports and names lead to others, or nowhere, of the services that the names stand for. */
void problems_of_tcp(const struct engine *engine, const char *const *names, size_t n_names,
                     struct json_object *problems);
/* Appends each service of mode tcp, as `slotctl routes` shows it. */
void show_tcp_routes(const struct engine *engine, struct json_object *shown);
/* Counts the keys by what has become of them. */
void measure_tcp(const struct edge *edge, struct engine_edge_metrics *ret_metrics);

/* The key of an endpoint among the slots of its backend. The caller frees it. */
char *endpoint_key(const struct service_part *part, const struct endpoint *endpoint);
/* Adds that key's "task" and "segment"; null for both without a key. */
void endpoint_key_show(struct json_object *object, const char *key);
/* What should be in the backend's slots, sorted by key; the caller frees with desired_free(). *ret_health is all zero
 * before. */
struct slot_endpoint *desired_new(struct engine *engine, const struct service *service, const struct slots *slots,
                                  size_t *ret_count, struct backend_health *ret_health);
void desired_free(struct slot_endpoint *endpoints, size_t count);

/* ---- health: endpoints that are unhealthy by Marathon's checks (mapping.drain_unhealthy) ---- */

/* living: the service's endpoints that are not gone, in its own order, with their weights. */
struct backend_health health_judge(const struct service *service, const struct slot_endpoint *living,
                                   int max_removal_percent);
/* Whether unhealthy endpoints serve on because they are too many. */
bool health_holds(const struct backend_health *health);
/* The judgement that holds for the backend from now on; a hold that begins is logged. */
void health_note(struct edge_backend *backend, const struct backend_health *health);
/* The phase as its health makes it. */
enum endpoint_phase health_find_phase(const struct engine *engine, const struct service *service,
                                      const struct endpoint *endpoint);
/* Appends "unhealthy" for each endpoint that drains, or "unhealthy-held". */
void health_add_problems(const struct edge_backend *backend, const struct service *service,
                         struct json_object *problems);

/* ---- names: what slotctl asks for ---- */

/* Whether name is among the names, or there are none. */
bool name_is_wanted(const char *name, const char *const *names, size_t n_names);
/* By its own name, that of a backend of it, or an app's. */
bool service_is_wanted(const struct engine *engine, const struct service *service, const char *const *names,
                       size_t n_names);
/* Whether the app itself is asked for, or a service that it has a part in. */
bool app_is_wanted(const struct engine *engine, const char *app, const char *const *names, size_t n_names);
bool engine_knows_service(const struct engine *engine, const char *name);
bool engine_knows_backend(const struct engine *engine, const char *name);
/* Those of the names that knows() does not, as a list that the caller owns. */
struct json_object *names_list_unknown(const struct engine *engine, const char *const *names, size_t n_names,
                                       bool (*knows)(const struct engine *engine, const char *name));

/* ---- feed: Marathon's side ---- */

struct engine_waiter {
    struct engine *engine;
    engine_synced *done;
    void *arg;
    bool fetched;                 /* the complete fetch that it asked for has been applied */
    bool failed;                  /* or it failed */
    uint64_t stamp;               /* satisfied by a fetch with this stamp or a later one */
    struct engine_survey *survey; /* of every backend; NULL: it has ended */
    struct engine_waiter *next;
};
struct engine_listener {
    struct engine *engine;
    engine_changed *changed;
    void *arg;
    struct engine_listener *next;
};

struct feed {
    struct client *client;
    struct cluster *cluster;
    struct client_fetch *fetch; /* the complete one in flight, or NULL */
    struct apps_reader *reader;
    uint64_t stamp;      /* of that fetch */
    uint64_t started_ns; /* when it was */
    bool again;          /* another complete fetch was asked for meanwhile */
    bool wanted_soon;    /* or shall follow it soon */
    uv_timer_t *timer;   /* the next complete fetch */
    uint64_t due_ms;     /* loop time of it */
    struct table single; /* app id to struct feed_app, in flight */
    struct table absent; /* app id to struct feed_absent */
    struct feed_absent *first_absent, **last_absent;
    uv_timer_t *absent_timer;            /* forgets them */
    bool answered;                       /* a complete answer has come since start */
    size_t unreadable;                   /* apps in this answer without a readable id */
    unsigned failures;                   /* complete fetches that failed in a row */
    char *error;                         /* of the last complete fetch, or NULL */
    int64_t last_event_ms, last_sync_ms; /* since 1970; 0: never */
    struct cluster_fetch_result last;    /* of the last complete answer */
    unsigned held_answers;               /* complete answers in a row that the guard holds */
    unsigned good_answers;               /* complete answers since start that the guard did not hold */
    uint64_t events, bad_events;
    uint64_t events_by_type[MARATHON_EVENT_TYPES];
    uint64_t answers[ENGINE_ANSWERS]; /* complete ones */
    struct histogram all_fetches, app_fetches;
    bool confirm_next; /* the next complete answer is believed whatever it lacks */
};

struct engine {
    uv_loop_t *loop;
    const struct config *config;
    struct mapper *mapper;
    struct services *services;
    struct routes *routes; /* by the services' names */
    struct tcp_routes *tcp_routes;
    struct resolver *resolver;
    struct readiness *readiness;
    struct orders *orders;
    struct orders_file *orders_file;
    struct watches *watches;
    struct feed feed;
    struct edge **edges;
    size_t n_edges;
    struct journal journal;
    uv_prepare_t *turn;        /* runs what one turn of the loop has gathered */
    uint64_t turn_received_ns; /* when the first cause of this turn arrived; 0: none */
    int64_t turn_received_ms;
    struct engine_waiter *waiters;
    struct engine_listener *listeners;
    struct engine_survey *surveys;
    /* The next to be called: a callback may end others than its own. */
    struct engine_waiter *next_waiter;
    struct engine_listener *next_listener;
    int64_t started_ms;
    int64_t clock_lead_ms; /* as it was when the clock was looked at last, or set */
    uint64_t seed;
    char shown_address[SLOTS_MAX_ADDRESS]; /* the literal that a view shows last */
    size_t held_told;                      /* what the log has of the guard */
    uint64_t times_held;                   /* how often it began to hold */
    bool confirm;                          /* `--confirm` */
    bool changed;                          /* the journal grew during this turn */
    bool closing;
};

/* Whether that backend's service is meant by names of services, backends or apps, or there are none. */
bool edge_wants_backend(const struct edge *edge, const char *backend, const char *const *names, size_t n_names);
/* Asks on, and ends the surveys that are complete. */
void engine_run_surveys(struct engine *engine);
/* The backend of that name in the first HAProxy that has it (slots are named alike on all of them), or NULL. */
const struct edge_backend *engine_find_backend(const struct engine *engine, const char *name);
/* The service's in the first HAProxy that has one for it, or NULL. */
const struct edge_backend *engine_find_backend_of(const struct engine *engine, const struct service *service);
void feed_init(struct engine *engine);
/* The cluster's bounds as the configuration has them. */
void feed_configure_cluster(struct engine *engine, struct cluster_config *ret_config);
void feed_start(struct engine *engine);
/* Drops stream and fetches (another configuration follows with feed_start()); the cluster stays. */
void feed_stop_client(struct engine *engine);
void feed_close(struct engine *engine);
/* Asks for a complete fetch now, or after the one in flight. */
void feed_fetch_all(struct engine *engine);
/* Something waits for another complete answer: asks for it well within the 2 s that contract.md allows. */
void feed_confirm_soon(struct engine *engine);
/* Asks for one app alone: one request in flight for an app, and none shortly after it was not there. What is asked for
 * meanwhile is asked once more afterwards. */
void feed_fetch_app(struct engine *engine, const char *id);
bool feed_is_fetching_app(const struct engine *engine, const char *id);
void feed_apps_init(struct engine *engine);
/* Drops the fetches of single apps. */
void feed_apps_stop(struct feed *feed);
void feed_apps_close(struct feed *feed);
/* A cause arrived in this turn of the loop. */
void engine_note_receipt(struct engine *engine);
/* Notes that HAProxy has acknowledged a change to its end; takes ownership. */
void engine_record(struct engine *engine, struct change *change);
/* The service changed: every HAProxy's desired slots are computed again. key: its backend's own name. */
void engine_refresh_service(struct engine *engine, const char *key);
/* The same for a backend as it is called in HAProxy. */
void engine_refresh_backend(struct engine *engine, const char *backend);
/* What operators have asked for: the app's weight, the endpoint's own, and the end of orders with what they are about.
 */
struct weight_override weight_override_of(const struct engine *engine, const char *app);
int32_t endpoint_find_weight(const struct engine *engine, const struct endpoint *endpoint, bool *ret_is_own);
/* The phase that is shown, as health and operators make it; arg is the engine. */
enum endpoint_phase engine_find_phase(void *arg, const struct service *service, const struct service_part *part,
                                      const struct endpoint *endpoint);
void engine_end_orders(struct engine *engine, const struct cluster_view *view);
/* The same by a complete answer: of what it lacks, when that is not in doubt. */
void engine_judge_orders(struct engine *engine);
void engine_expire_orders(struct engine *engine);
bool service_is_on_host(const struct service *service, const char *host);
/* Maps what has changed in the cluster; the backends that it concerns get what should be in their slots. */
void engine_map_dirty(struct engine *engine);
/* A complete answer is applied, or its fetch failed (error set in the feed). */
void engine_answer_applied(struct engine *engine, uint64_t stamp, bool ok);
/* Enough complete answers have been seen to know that an unclaimed slot belongs to nobody. */
bool engine_is_confident(const struct engine *engine);
/* Makes the edges that config names; one that is configured as before stays as it is. Returns whether all did. */
bool engine_remake_edges(struct engine *engine, const struct config *config);
/* ---- guard ---- */

/* Endpoints, and slots that no task claims, whose removal the guard holds. */
size_t engine_count_held(const struct engine *engine);
/* Logs what the guard holds, and how to let it through, when that is news. */
void engine_note_guard(struct engine *engine);

/* Wall clock, milliseconds since 1970. */
int64_t engine_now_ms(void);
/* How far it is ahead of a clock that nobody sets, in milliseconds. */
int64_t engine_clock_lead_ms(void);
/* When the wall clock was set, what is reckoned by it goes along: drains and ages keep their length. */
void engine_follow_clock(struct engine *engine);
/* Closes a heap handle of the loop and frees it then; NULL is allowed. */
void engine_close_handle(uv_handle_t *handle);

#endif
