/* SPDX-License-Identifier: MIT */
/* The Marathon simulator: apps and tasks that live as real ones do, Marathon's REST and event stream, faults on demand.
 */
#ifndef SIM_H
#define SIM_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/mem.h"

#define SIM_MAX_REQUEST (16U << 20)

/* ---- http.c: requests in, answers out ---- */

struct sim;
struct http_peer {
    struct sim *sim;
    uv_tcp_t tcp;
    struct buf input;
    char *method, *path, *query, *accept, *authorization, *body;
    size_t body_len;
    bool accepts_gzip;
    bool is_stream, closing;
    uv_timer_t *timer; /* a delayed answer, or the keep-alive of a stream */
    struct buf delayed;
    bool close_after;
    struct http_peer *next, **link;
};

int http_listen(struct sim *sim, const char *host, int port);
/* Sends an answer with Marathon's usual headers and keeps the connection. headers: further lines, each with CRLF, or
 * "". */
void http_answer(struct http_peer *peer, int status, const char *reason, const char *headers, const char *type,
                 const char *body, size_t len);
void http_answer_json(struct http_peer *peer, int status, const char *reason, const char *headers,
                      struct json_object *object);
/* Sends bytes as they are. */
void http_send(struct http_peer *peer, const char *data, size_t len);
void http_close_peer(struct http_peer *peer);
/* A value of the query string, decoded; NULL when absent. The caller frees. */
char *http_query(const struct http_peer *peer, const char *name);

/* ---- backend.c: a task's own web server ---- */

struct backend;
/* Listens on host at a port of the kernel's choice. NULL: it cannot. */
struct backend *backend_new(struct sim *sim, const char *host, const char *task_id);
int backend_port(const struct backend *backend);
/* Dies like a process: the listening socket and every connection close at once. */
void backend_kill(struct backend *backend);

/* ---- model.c: apps and tasks ---- */

enum task_state { TASK_STAGING, TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_UNREACHABLE, TASK_ENDED };

struct app;
struct task {
    struct sim *sim;
    struct app *app; /* NULL once the app is deleted */
    char *app_id, *id, *instance, *version, *host;
    enum task_state state;
    unsigned generation; /* of the definition that it runs */
    unsigned attempt;
    struct backend *backend;
    int port;
    int64_t staged_ms, started_ms;
    uv_timer_t *timer;
    bool wiped;
    struct task *next, **link;
};

struct app {
    struct sim *sim;
    char *id, *version;
    struct json_object *definition;
    unsigned instances, generation;
    bool deploying;
    struct app *next, **link;
};

struct fault {
    char *path, *kind;
    int count; /* answers left; 0: until cleared */
    int delay_ms;
    struct fault *next;
};

struct options {
    const char *user, *password, *token, *leader, *host;
    int starting_ms, running_ms, killing_ms, killed_ms, linger_ms, keepalive_ms, attach_delay_ms;
    bool backends;
};

struct sim {
    uv_loop_t *loop;
    struct options options;
    uv_tcp_t server;
    int port;
    char *leader;
    struct http_peer *peers;
    struct app *apps;
    struct task *tasks;
    struct fault *faults;
    char *raw_apps; /* served for /v2/apps as it is */
    uint64_t sequence;
    uint64_t requests, fetches, single_fetches, streams, events;
    bool silent;
};

struct app *model_find_app(struct sim *sim, const char *id);
struct task *model_find_task(struct sim *sim, const char *id);
/* A new app, or another definition of one that is there; takes ownership of definition. Returns the app. */
struct app *model_put_app(struct sim *sim, const char *id, struct json_object *definition);
void model_delete_app(struct app *app);
void model_kill_task(struct task *task, bool wipe);
/* Ends at once, without a warning. */
void model_fail_task(struct task *task);
void model_set_reachable(struct task *task, bool reachable);
/* Starts and kills what the definitions ask for. */
void model_reconcile(struct app *app);
bool model_is_settled(const struct sim *sim);
struct json_object *model_show_app(const struct app *app);
struct json_object *model_show_apps(const struct sim *sim);
/* A closed handle is freed by the loop. */
void sim_close_timer(uv_timer_t **timer);
int64_t sim_now_ms(void);
char *sim_time(int64_t ms);

/* ---- events.c ---- */

void events_attach(struct http_peer *peer);
void events_send(struct sim *sim, const char *name, struct json_object *event);
void events_status(struct task *task, const char *status);
void events_instance(struct task *task, const char *condition);
void events_drop_streams(struct sim *sim);

/* ---- api.c, control.c: what is asked ---- */

void api_handle(struct http_peer *peer);
void control_handle(struct http_peer *peer);
/* Whether a fault took the request over. */
bool faults_apply(struct http_peer *peer, const char *body, size_t len);

#endif
