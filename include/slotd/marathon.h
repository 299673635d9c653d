/* SPDX-License-Identifier: MIT */
/* Marathon's words as structs: apps, tasks and events, and the parsers that make them. Pure: bytes in, values out. */
#ifndef SLOTD_MARATHON_H
#define SLOTD_MARATHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

/* Bounds on what a peer controls. */
#define MARATHON_MAX_APP_BYTES (16U << 20)  /* one app's JSON in an answer */
#define MARATHON_MAX_EVENT_BYTES (8U << 20) /* one event of the stream */
#define MARATHON_MAX_DEPTH 64               /* nesting of JSON */
#define MARATHON_MAX_ID_BYTES 2048          /* an app or task id */

enum marathon_task_state {
    MARATHON_TASK_OTHER, /* a state that this version does not know; never in rotation */
    MARATHON_TASK_STAGING,
    MARATHON_TASK_STARTING,
    MARATHON_TASK_RUNNING,
    MARATHON_TASK_KILLING,
    MARATHON_TASK_UNREACHABLE,
    MARATHON_TASK_TERMINAL, /* FINISHED, FAILED, KILLED, ERROR, LOST, DROPPED, GONE, GONE_BY_OPERATOR, UNKNOWN */
};

struct marathon_task {
    char *id;
    char *host;    /* "" when not there */
    char *version; /* "" when not there */
    enum marathon_task_state state;
    int64_t started_ms; /* since 1970; MARATHON_NO_TIME when absent or not a time */
    int32_t *ports;
    size_t n_ports;
    char **addresses; /* ipAddresses[].ipAddress in their order, as text, not yet checked to be literals */
    size_t n_addresses;
    bool unhealthy; /* a result of Marathon's health checks says alive=false; false also when no result is known */
};
#define MARATHON_NO_TIME INT64_MIN

struct marathon_label {
    char *key;
    char *value;
};

/* A portDefinitions or portMappings entry, or one of ipAddress.discovery.ports. */
struct marathon_port {
    char *name;         /* "" when it has none */
    int32_t port;       /* portDefinitions: port; portMappings: containerPort; discovery: number */
    bool has_host_port; /* portMappings: the key hostPort is there (also when it is 0) */
};

enum marathon_network {
    MARATHON_NETWORK_NONE,
    MARATHON_NETWORK_HOST,
    MARATHON_NETWORK_BRIDGE,
    MARATHON_NETWORK_CONTAINER
};

struct marathon_readiness {
    char *task_id;
    bool ready;
};

struct marathon_app {
    char *id;
    char *version;
    struct marathon_label *labels; /* sorted by key, keys unique */
    size_t n_labels;
    bool has_networks;             /* the key networks is there and not empty */
    enum marathon_network network; /* mode of the first of networks */
    bool has_ip_address;           /* the older ipAddress object is there (not null) */
    struct marathon_port *port_definitions;
    size_t n_port_definitions;
    struct marathon_port *port_mappings; /* container.portMappings, else container.docker.portMappings */
    size_t n_port_mappings;
    struct marathon_port *discovery_ports; /* ipAddress.discovery.ports */
    size_t n_discovery_ports;
    char **constraints; /* each joined with ':' */
    size_t n_constraints;
    size_t n_health_checks;
    size_t n_readiness_checks;
    int64_t readiness_timeout_s; /* timeoutSeconds of the first readiness check; 0 when absent */
    struct marathon_readiness *readiness;
    size_t n_readiness;
    size_t n_deployments;      /* deployments in progress */
    uint64_t deployments_mark; /* a hash of their ids, the same for the same ones; 0: none */
    int64_t instances;
    struct marathon_task **tasks; /* owned; empty when the definition comes from an event */
    size_t n_tasks;
};

void marathon_task_free(struct marathon_task *task);
void marathon_app_free(struct marathon_app *app);
/* A deep copy of everything but the tasks. */
struct marathon_app *marathon_app_copy_definition(const struct marathon_app *app);
struct marathon_task *marathon_task_copy(const struct marathon_task *task);
/* The label's value, or NULL. */
const char *marathon_app_label(const struct marathon_app *app, const char *key);
/* "TASK_RUNNING" and the like; terminal names all give MARATHON_TASK_TERMINAL, unknown ones MARATHON_TASK_OTHER. */
enum marathon_task_state marathon_task_state_parse(const char *name);
/* A short name for messages and JSON: "running", "killing", ... */
const char *marathon_task_state_text(enum marathon_task_state state);

/* One app's JSON object, as in /v2/apps, in {"app":...} once unwrapped, or api_post_event's appDefinition.
 * Returns 0, SLOTD_E_PARSE (no JSON), SLOTD_E_TYPE (a part has a wrong JSON type: why names it, such as
 * `labels: object expected, array found`) or SLOTD_E_LIMIT. When the id could be read, *ret_id (may be NULL) gets it
 * even on failure, so that the app can be named; the caller frees it. */
int marathon_app_parse(const char *json, size_t len, struct marathon_app **ret_app, char **ret_id, struct buf *why);

/* ---- an answer of /v2/apps, split into its apps while it arrives ---- */

struct apps_reader;
/* Called with the bytes of one element of the top-level array `apps`, of one larger than max_app_bytes with that many
 * of its first; a negative return stops the reading with that error. */
typedef int apps_reader_app(void *arg, const char *json, size_t len);
/* member: the name of the top-level array, "apps". Memory stays below max_app_bytes plus a small constant. */
struct apps_reader *apps_reader_new(const char *member, size_t max_app_bytes, apps_reader_app *on_app, void *arg);
void apps_reader_free(struct apps_reader *reader);
/* Takes the next bytes, cut anywhere. Returns 0, SLOTD_E_PARSE or on_app's error; after an error every call returns it
 * again. */
int apps_reader_feed(struct apps_reader *reader, const char *data, size_t len);
/* The end of the body: 0 when the document is complete and had the member; else SLOTD_E_PARSE. */
int apps_reader_finish(struct apps_reader *reader, struct buf *why);

/* ---- the event stream (WHATWG HTML, server-sent events) ---- */

struct sse_parser;
/* One event: name is "message" when the stream gives none; data has its lines joined with '\n'. Both end with the call.
 */
typedef void sse_parser_event(void *arg, const char *name, const char *data, size_t len);
struct sse_parser *sse_parser_new(size_t max_event_bytes, sse_parser_event *on_event, void *arg);
void sse_parser_free(struct sse_parser *parser);
/* Takes the next bytes, cut anywhere. LF, CR and CRLF end lines; comments and blank keep-alives are passed over; a byte
 * order mark at the start too. Returns 0, or SLOTD_E_LIMIT when an event outgrew max_event_bytes: drop the connection.
 */
int sse_parser_feed(struct sse_parser *parser, const char *data, size_t len);

/* ---- one event ---- */

enum marathon_event_type {
    MARATHON_EVENT_OTHER, /* nothing that concerns slots */
    MARATHON_EVENT_ATTACHED,
    MARATHON_EVENT_STATUS_UPDATE,       /* app_id, task (id, host, ports, addresses, version, state) */
    MARATHON_EVENT_INSTANCE_CHANGED,    /* app_id, instance_id, condition as state: TERMINAL or UNREACHABLE count
                                           (marathon.md 17b) */
    MARATHON_EVENT_INSTANCE_TERMINATED, /* unknown_instance_terminated_event: as INSTANCE_CHANGED with TERMINAL */
    MARATHON_EVENT_HEALTH,              /* health_status_changed_event, failed_health_check_event: app_id, instance_id,
                                           alive by one of the app's health checks, which one is not told */
    MARATHON_EVENT_API_POST,            /* app: the definition, without tasks */
    MARATHON_EVENT_APP_TERMINATED,      /* app_id */
    MARATHON_EVENT_DEPLOYMENT,          /* deployment_*: app ids that its plan touches, for readiness later */
};
#define MARATHON_EVENT_TYPES (MARATHON_EVENT_DEPLOYMENT + 1)

struct marathon_event {
    enum marathon_event_type type;
    char *name;                     /* eventType as sent */
    char *app_id;                   /* "" when it has none */
    char *instance_id;              /* "" when it has none */
    bool alive;                     /* HEALTH only */
    struct marathon_task *task;     /* STATUS_UPDATE only, else NULL */
    enum marathon_task_state state; /* of the task or instance */
    struct marathon_app *app;       /* API_POST only, else NULL */
};

/* The event called name with its data. Returns 0 (also for events that are none of our business, as OTHER),
 * SLOTD_E_PARSE, SLOTD_E_TYPE or SLOTD_E_LIMIT with why. The caller frees *ret_event with marathon_event_free(). */
int marathon_event_parse(const char *name, const char *data, size_t len, struct marathon_event **ret_event,
                         struct buf *why);
void marathon_event_free(struct marathon_event *event);
/* Whether task_id belongs to instance_id: instance id, "._", container, ".", attempt; also the form without attempt. */
bool marathon_task_is_of_instance(const char *task_id, const char *instance_id);

#endif
