/* SPDX-License-Identifier: MIT */
/* The engine, its HAProxies and Marathon's side, and what they know of one another. The engine is the only place where
 * the flow's stages meet. */
#ifndef ENGINE_PRIVATE_H
#define ENGINE_PRIVATE_H

#include "edge_dynamic.h"
#include "edge_leases.h"
#include "edge_maps.h"
#include "edge_routes.h"
#include "edge_servers.h"
#include "engine_parts.h"
#include "orders_file.h"
#include "slotd/client.h"
#include "slotd/cluster.h"
#include "slotd/engine.h"
#include "slotd/engine_metrics.h"
#include "slotd/haproxy.h"
#include "slotd/kept_file.h"
#include "slotd/mapping.h"
#include "slotd/routes.h"
#include "slotd/server_names.h"
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

struct edge {
    struct engine *engine;
    const struct config_haproxy *config;
    struct haproxy_connection *connection;
    struct kept_file *state_file;       /* or NULL */
    struct edge_map *maps[EDGE_N_MAPS]; /* NULL without a maps_dir */
    struct table routed[2];             /* key to struct routed_key, of routes.map and paths.map */
    struct table led;                   /* services that they lead to, to struct routed_service */
    struct table touched_keys;          /* to be judged in this turn; each entry's key is its value */
    uint64_t judgement;                 /* counts them */
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
/* Whether tasks may be behind the backend that Marathon has not spoken of yet: orphans, sessions that end. */
bool edge_may_serve(const struct edge *edge, const char *backend);
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

/* ---- desired: what should be in a backend's slots ---- */

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
    size_t unknown;                      /* apps in this answer whose definition cannot be read, nor was before */
    unsigned unknown_answers;            /* complete answers in a row that this made doubtful */
    bool tells_absence;                  /* whether what the last complete answer lacks is not in the cluster */
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
    struct server_names *server_names; /* of HTTP rules */
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
/* Something waits until what no task claims is known to be nobody's: the same, unless answers cannot tell that now. */
void feed_seek_confidence(struct engine *engine);
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
