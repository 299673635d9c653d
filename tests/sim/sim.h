/* SPDX-License-Identifier: MIT */
/* The Marathon simulator: apps and tasks that live as real ones do, Marathon's REST and event stream, faults on demand.
 */
#ifndef SIM_H
#define SIM_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/mem.h"
#include "slotd/table.h"

#define SIM_MAX_REQUEST (16U << 20)

/* ---- http.c, answer.c: requests in, answers out ---- */

struct sim;
struct member;
struct http_peer {
    struct sim *sim;
    struct member *member; /* the Marathon that it came to */
    uv_tcp_t tcp;
    struct buf input;
    char *method, *target, *path, *query, *accept, *authorization, *via, *body;
    size_t body_len;
    bool accepts_gzip;
    bool is_stream, closing;
    bool close_after;  /* once all is written */
    uv_timer_t *timer; /* a delayed answer, or the keep-alive of a stream */
    struct buf delayed;
    struct relay *relay; /* to the leader, while a standby waits for its answer */
    char **event_types;  /* of a stream: what it asked for; none: everything */
    size_t n_event_types;
    size_t replay_from; /* of a stream: the bytes of the recording before this are not for it */
    struct http_peer *next, **link;
};

/* Takes a connection; server->data is the member. */
void http_accept(uv_stream_t *server, int status);
/* Handles what has been read and not been handled yet. */
void http_take_requests(struct http_peer *peer);
/* Sends an answer with Marathon's usual headers and keeps the connection. headers: further lines, each with CRLF, or
 * "". */
void http_answer(struct http_peer *peer, int status, const char *reason, const char *headers, const char *type,
                 const char *body, size_t len);
void http_answer_json(struct http_peer *peer, int status, const char *reason, const char *headers,
                      struct json_object *object);
/* 200 with a JSON body, by gzip where a real Marathon would. */
void http_answer_body(struct http_peer *peer, const char *body, size_t len);
void http_answer_object(struct http_peer *peer, struct json_object *object);
/* 200 with that gzip stream, whatever it is. */
void http_answer_gzip(struct http_peer *peer, const char *packed, size_t len);
void http_gzip(const char *body, size_t len, struct buf *packed);
/* The servlet container's own error page. */
void http_answer_page(struct http_peer *peer, int status, const char *reason, const char *headers);
void http_answer_redirect(struct http_peer *peer, const char *location);
/* {"message":...}, with an empty "details" or without. */
void http_answer_message(struct http_peer *peer, int status, const char *reason, const char *message,
                         bool with_details);
void http_start_stream(struct http_peer *peer);
/* Sends bytes as they are. */
void http_send(struct http_peer *peer, const char *data, size_t len);
void http_close_peer(struct http_peer *peer);
/* A value of the query string, decoded; NULL when absent. The caller frees. The other gives the value behind skip
 * others of that name. */
char *http_query(const struct http_peer *peer, const char *name);
char *http_query_nth(const struct http_peer *peer, const char *name, size_t skip);
bool http_query_is(const struct http_peer *peer, const char *name, const char *wanted);

/* ---- backend.c: a task's own web server ---- */

struct backend;
struct backend *backend_new(struct sim *sim, const char *task_id);
/* Listens on host at port, 0 for one of the kernel's choice. Returns the port; negative: it cannot. */
int backend_listen(struct backend *backend, const char *host, int port);
/* Answers 503 for that long from now on; 0: it is well, UINT64_MAX: until it is told to be. */
void backend_set_sick(struct backend *backend, uint64_t ms);
/* Dies like a process: the listening sockets and every connection close at once. */
void backend_kill(struct backend *backend);

/* ---- apps, tasks, deployments ---- */

enum task_state {
    TASK_SCHEDULED, /* an instance without a task: Marathon lists none */
    TASK_STAGING,
    TASK_STARTING,
    TASK_RUNNING,
    TASK_KILLING,
    TASK_UNREACHABLE,
    TASK_ENDED, /* listed until the instance is launched again */
};

/* Whether a check has a result, and which. */
enum verdict { VERDICT_NONE, VERDICT_BAD, VERDICT_GOOD };

struct address {
    char *ip;
    bool is_v6;
};

struct app;
/* An instance, and the task that it is at present. */
struct task {
    struct sim *sim;
    struct app *app; /* NULL once the app is deleted */
    char *app_id, *id, *instance, *version, *host, *slave;
    enum task_state state;
    const char *end_status; /* TASK_FAILED... of one that has ended */
    const char *end_condition;
    unsigned generation; /* of the definition that it runs */
    uint64_t started_in; /* the number of the deployment; 0: none */
    unsigned attempt;
    struct backend *backend;
    int *ports;
    size_t n_ports;
    struct address *addresses;
    size_t n_addresses;
    int64_t staged_ms, started_ms;
    uv_timer_t *timer;                         /* the next step of its life */
    uv_timer_t *check_timer;                   /* the next result of its health and readiness checks */
    uint64_t health_due, first_due, ready_due; /* when, by the loop's clock; 0: never */
    enum verdict health, readiness;
    enum verdict next_readiness;      /* what the next check will find */
    int64_t healthy_ms, unhealthy_ms; /* first success, last failure */
    unsigned failures;
    unsigned failing;            /* its health checks that fail: a bit for each */
    bool was_healthy;            /* once: what fails then counts, whatever the grace period */
    bool doomed;                 /* a kill is under way */
    bool relaunch;               /* its end is not the instance's end */
    bool inactive;               /* unreachable for so long that it no longer counts */
    bool by_mesos;               /* its health checks are */
    struct deployment *stopping; /* the deployment that waits for its end */
    struct task *next, **link;   /* in its app, youngest first */
};

struct app {
    struct sim *sim;
    char *id, *version;
    struct json_object *definition; /* complete, as GET shows it */
    char *text;                     /* the same as JSON text without its last brace */
    int64_t scaled_ms, changed_ms;
    unsigned instances, generation;
    struct task *tasks; /* youngest first */
    unsigned n_tasks;
    struct deployment *deployment;
    /* What the definition says, read once. */
    struct json_object *readiness_checks, *health_checks, *networks, *ports;
    bool is_container_network, is_host_network, require_ports;
    double minimum_health, over_capacity;
    int64_t backoff_ms, inactive_after_ms, expunge_after_ms; /* inactive_after_ms -1: disabled */
    double backoff_factor;
    unsigned launch_failures;
    struct json_object *last_failure;
    struct app *next, **link;
};

enum deployment_kind { DEPLOYMENT_START, DEPLOYMENT_SCALE, DEPLOYMENT_RESTART, DEPLOYMENT_STOP };

struct deployment {
    struct sim *sim;
    char *id, *version, *app_id;
    enum deployment_kind kind;
    struct app *app;    /* NULL for DEPLOYMENT_STOP */
    unsigned n_waiting; /* tasks that a DEPLOYMENT_STOP waits for */
    uint64_t number;
    struct deployment *next, **link;
};

struct fault {
    char *path, *kind;
    int count; /* answers left; 0: until cleared */
    int delay_ms;
    struct fault *next;
};

struct options {
    const char *user, *password, *token, *leader, *second, *hosts, *replay, *record;
    int starting_ms, running_ms, killing_ms, killed_ms, linger_ms, keepalive_ms, attach_delay_ms;
    int offer_ms, backoff_ms, healthy_ms, check_ms, ready_ms, inactive_delay_ms, cluster;
    double speed;
    bool backends, locks;
};

/* One Marathon of the cluster. */
struct member {
    struct sim *sim;
    uv_tcp_t *server;
    char *host, *address; /* HOST:PORT */
    int port;
    bool is_standby;
};

struct replay;
struct sim {
    uv_loop_t *loop;
    struct options options;
    struct member members[2];
    size_t n_members;
    uv_timer_t *election; /* NULL: somebody leads */
    char *leader;
    struct http_peer *peers;
    struct app *apps;
    struct table app_table, task_table; /* by id; the tasks' includes those of deleted apps */
    struct deployment *deployments;
    struct fault *faults;
    char *raw_apps; /* served for /v2/apps as it is */
    struct replay *replay;
    FILE *record; /* NULL: none is kept */
    char **hosts;
    size_t n_hosts;
    unsigned char service_ports[10000]; /* users of 10000 + index */
    uint64_t sequence, address_sequence, deployment_sequence;
    int64_t last_version_ms;
    uint64_t requests, fetches, single_fetches, gzip_answers, streams, events;
    uint64_t unsettled; /* tasks that neither run nor are unreachable */
    unsigned leader_failures;
    bool silent;
};

/* ---- definition.c: what POST and PUT bring, as Marathon completes it ---- */

/* A complete definition from what came and, for a known app, from what was; takes neither. Service ports of 0 stay. */
struct json_object *definition_complete(struct json_object *given, struct json_object *old, const char *id);
/* Gives each service port that is 0 a number of its own. */
void definition_assign_ports(struct sim *sim, struct json_object *definition);
void definition_release_ports(struct sim *sim, struct json_object *definition);
/* Reads into app what the simulator wants to know of its definition. */
void definition_apply(struct app *app);
/* Why Marathon refuses it, or NULL. */
const char *definition_refusal(struct json_object *given);
bool definition_differs(struct json_object *a, struct json_object *b);
/* A variable of the app's environment, or NULL: how the recorded cluster's tasks were told to misbehave. */
const char *definition_env(const struct app *app, const char *name);

/* ---- model.c: apps ---- */

struct app *model_find_app(struct sim *sim, const char *id);
struct task *model_find_task(struct sim *sim, const char *id);
/* A new app, or another definition of one that is there; takes ownership of definition. uri is what was asked for.
 * ret_posted: the definition as a POST answers it; ret_deployment: the id. The caller owns both. */
struct app *model_put_app(struct sim *sim, const char *id, struct json_object *definition, const char *uri,
                          struct json_object **ret_posted, char **ret_deployment);
/* For a kill that scales down. Returns the id of the deployment; the caller frees. */
char *model_scale_app(struct app *app, unsigned instances);
/* The same. */
char *model_delete_app(struct app *app);
/* Starts and kills what the definitions ask for. */
void model_reconcile(struct app *app);
bool model_is_settled(const struct sim *sim);
/* A new version; never twice the same. */
int64_t sim_version_ms(struct sim *sim);

/* ---- task.c: the life of a task ---- */

void task_start(struct app *app);
/* with_goal: Marathon first says that the instance is meant to go. */
void task_kill(struct task *task, bool wipe, bool relaunch, bool with_goal);
/* Ends at once, without a warning. status: TASK_FAILED, TASK_FINISHED, TASK_LOST... */
void task_end_now(struct task *task, const char *status);
void task_set_reachable(struct task *task, bool reachable);
bool task_is_ready(const struct task *task);
/* The condition that events tell of it. */
const char *task_condition(const struct task *task);
const char *task_status(const struct task *task);
bool task_counts(const struct task *task);

/* ---- place.c: where a task runs, and what it listens on ---- */

void place_find(struct task *task);
void place_leave(struct task *task);

/* ---- checks.c: health and readiness ---- */

void checks_start(struct task *task);
void checks_stop(struct task *task);
/* A result of the health check with that number. */
void checks_set_health(struct task *task, unsigned check, bool alive, bool kill);
/* Another leader: what Marathon's own checks had found out is not known any more, until they have asked again. */
void checks_forget(struct sim *sim);
void checks_set_ready(struct task *task, bool ready);
bool checks_is_by_mesos(const struct app *app);
/* readinessCheckResults of the app: only while the deployment runs that started the tasks. */
struct json_object *checks_show_readiness(const struct app *app);
void checks_append_health(struct buf *buf, const struct task *task);

/* ---- deployment.c ---- */

struct deployment *deployment_start(struct sim *sim, struct app *app, const char *app_id, enum deployment_kind kind,
                                    int64_t version_ms);
/* Says that its first step is done, when it has two. */
void deployment_second_step(struct deployment *deployment);
void deployment_succeed(struct deployment *deployment);
void deployment_cancel(struct deployment *deployment);
struct json_object *deployment_show_all(const struct sim *sim);

/* ---- show.c: apps and tasks as JSON text ---- */

enum embed {
    EMBED_TASKS = 1,
    EMBED_COUNTS = 2,
    EMBED_DEPLOYMENTS = 4,
    EMBED_READINESS = 8,
    EMBED_LAST_FAILURE = 16,
    EMBED_STATS = 32
};

void show_quote(struct buf *buf, const char *text);
void show_task(struct buf *buf, const struct task *task, bool with_service_ports);
void show_app(struct buf *buf, const struct app *app, unsigned embed);
/* id, command: part of those, or NULL. label: a selector, or NULL. */
void show_apps(struct buf *buf, const struct sim *sim, unsigned embed, const char *id, const char *label);

/* ---- events.c, event_kinds.c ---- */

void events_attach(struct http_peer *peer);
void events_detached(struct sim *sim);
void events_send(struct sim *sim, const char *name, struct json_object *event);
void events_drop_streams(struct sim *sim);
void events_status(const struct task *task, const char *status, const char *message);
void events_instance(const struct task *task, const char *condition);
void events_unknown_terminated(const struct task *task, const char *condition);
void events_group_change(struct sim *sim, const char *group, const char *version, const char *failure);
/* changed: Marathon's own view of it, which begins with not alive. */
void events_health(const struct task *task, bool alive, bool changed);
void events_instance_health(const struct task *task, enum verdict health);
void events_health_check(const struct app *app, bool added);
void events_failed_check(const struct task *task);
void events_unhealthy_kill(const struct task *task);
/* The id of the group that an app is in; the caller frees. */
char *events_group_of(const char *app_id);

/* ---- api.c, api_apps.c, api_tasks.c, control.c, faults.c: what is asked ---- */

void api_handle(struct http_peer *peer);
void api_handle_apps(struct http_peer *peer);
void api_handle_app(struct http_peer *peer, const char *rest);
void api_answer_no_app(struct http_peer *peer, const char *id, bool with_details);
/* /v2/tasks and, with rest "/delete", what kills some. */
void api_handle_tasks(struct http_peer *peer, const char *rest);
void api_answer_app_tasks(struct http_peer *peer, const char *app_id);
/* DELETE /v2/apps/ID/tasks[/TASK]?wipe=true&scale=true */
void api_kill_tasks(struct http_peer *peer, struct app *app, const char *task_id);
void api_answer_deployment(struct http_peer *peer, const char *id, const char *version);
void control_handle(struct http_peer *peer);
/* Whether a fault took the request over. */
bool faults_apply(struct http_peer *peer, const char *body, size_t len);
void faults_add(struct http_peer *peer);
void faults_clear(struct sim *sim);

/* ---- standby.c: a Marathon that does not lead ---- */

void standby_relay(struct http_peer *peer);
void standby_forget(struct http_peer *peer);

/* ---- members.c: one or two Marathons of one cluster ---- */

/* Another one, listening at HOST:PORT; the first one leads. 0, or negative with the reason on stderr. */
int members_add(struct sim *sim, const char *listen);
/* The leader dies, and so many ms later the other one leads. false: there is none, or an election is going on. */
bool members_elect(struct sim *sim, uint64_t gap_ms, const struct http_peer *asking);

/* ---- replay.c: a recorded scenario ---- */

/* 0, or negative with the reason on stderr. speed: 0 as fast as possible, negative only by replay_until. */
int replay_open(struct sim *sim, const char *folder, double speed);
/* The newest recorded answer that is not later than the clock, or has no more events before it. */
const char *replay_apps(struct replay *replay, size_t *ret_len);
void replay_attach(struct http_peer *peer);
/* Whether a blank line may be sent without cutting an event in two. */
bool replay_is_between_events(const struct replay *replay);
/* Moves to just before the answer of that label, or behind everything with "end"; false: there is no such answer. */
bool replay_until(struct replay *replay, const char *label);
bool replay_is_over(const struct replay *replay);
/* Whether tasks change after the last answer, so that it is not what the events come to. */
bool replay_goes_on(const struct replay *replay);
struct json_object *replay_labels(const struct replay *replay);

/* ---- record.c: what happened when ---- */

/* 0, or negative with the reason on stderr. */
int record_open(struct sim *sim, const char *path);
/* One line; nothing without --record. */
void record_add(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- small things ---- */

/* A closed handle is freed by the loop. */
void sim_close_timer(uv_timer_t **timer);
uv_timer_t *sim_new_timer(struct sim *sim, void *data);
int64_t sim_now_ms(void);
char *sim_time(int64_t ms);
char *sim_uuid(struct sim *sim);

#endif
