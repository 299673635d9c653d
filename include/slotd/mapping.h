/* SPDX-License-Identifier: MIT */
/* From apps to services: labels, hosts, ports, names, weights, constraints. Pure. Rules: Traefik 1.7's Marathon
 * provider, with its faults repaired where the functions say so. */
#ifndef SLOTD_MAPPING_H
#define SLOTD_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/access.h"
#include "slotd/buf.h"
#include "slotd/config.h"
#include "slotd/marathon.h"

/* Something an operator has to know about an app; never a reason to stop. */
struct problem {
    char *app;
    char *task;       /* or NULL */
    char *segment;    /* "" for the app itself */
    const char *code; /* static, such as "port-index-out-of-range" */
    char *message;    /* one sentence: what is wrong and what would be right */
};
struct problem_list {
    struct problem *items;
    size_t count;
    size_t capacity;
};
void problem_list_add(struct problem_list *list, const char *app, const char *task, const char *segment,
                      const char *code, const char *format, ...) __attribute__((format(printf, 6, 7)));
void problem_list_free(struct problem_list *list);

enum endpoint_phase { ENDPOINT_READY, ENDPOINT_DRAIN, ENDPOINT_GONE };
const char *endpoint_phase_text(enum endpoint_phase phase);

/* One task's address and port within a service. */
struct endpoint {
    char *app;
    char *task;
    char *server;         /* Traefik's server name; unique within the service: app, task and segment make it */
    char *host;           /* as mapped: an IP literal or a name still to be resolved; "": gone, and not known where */
    int32_t port;         /* 1..65535; 0: the same */
    const char *protocol; /* "http", "https", "h2c" or "tcp"; static */
    int32_t weight;       /* as labelled, >= 0 */
    enum endpoint_phase phase;
    bool kept_only;   /* its readiness is not known: it serves on where it does, and is not taken in (rule 4: doubt) */
    bool unhealthy;   /* it is ready, and a health check of Marathon says alive=false: may be drained for that */
    int64_t since_ms; /* when the task started, or MARATHON_NO_TIME */
};

/* What the backend's health check asks for, by the labels backend.healthcheck.*. */
struct service_check {
    char *path; /* with the query; "/..." of at most 1,024 bytes from text_is_map_word()'s alphabet; NULL: no label */
    char *host; /* a host name; NULL: no label */
    uint16_t port; /* 0: no label, the server's own */
};

#define SERVICE_MAX_NAMES 64
/* How clients reach a service of mode tcp, by the labels tcp.port and tcp.sni (or marathon-lb's service port). */
struct service_tcp {
    uint16_t port; /* that HAProxy listens on; 0: none */
    char **names;  /* server names of TLS, each once, in the label's order: host names in lower case, or "*." and one */
    size_t n_names, names_capacity;
};

/* What one app, or one segment of it, contributes to the service of that name. */
struct service_part {
    char *name;    /* the service's name, by Traefik's rule, in Unicode */
    char *backend; /* the same as HAProxy takes it: ASCII, letters outside it as '_' */
    char *app;
    char *segment; /* "" for the app itself */
    char *frontend;
    char *rule;
    const char *mode; /* "http" or "tcp"; static */
    const char
        *class;       /* of the backend that it needs: "http", "https", "h2c", "tcp", "sticky" or "leastconn"; static */
    int64_t priority; /* of the rule: the label's, else the rule's length in characters */
    struct access access;
    struct service_check check;
    struct service_tcp tcp;     /* of mode tcp alone */
    struct endpoint *endpoints; /* in the order of the app's tasks, sorted by task id */
    size_t n_endpoints;
};

/* All that one app makes. */
struct app_mapping {
    char *app;
    struct service_part *parts;
    size_t n_parts;
    struct problem_list problems;
    size_t n_unready; /* running tasks that wait for their readiness */
    int64_t
        next_ready_ms; /* when the first of them is old enough to count as ready, since 1970; MARATHON_NO_TIME: none */
};
void app_mapping_free(struct app_mapping *mapping);
bool app_mapping_equal(const struct app_mapping *a, const struct app_mapping *b);

/* The options, compiled. */
struct mapper;
/* Returns 0, or SLOTD_E_CONFIG with why (a constraint that cannot be read). config is borrowed and must outlive it. */
int mapper_new(const struct config_mapping *config, struct mapper **ret_mapper, struct buf *why);
void mapper_free(struct mapper *mapper);

enum mapper_view {
    MAPPER_OFFLINE, /* `slotctl map`: TASK_RUNNING alone makes endpoints, weight 0 stays as labelled */
    MAPPER_LIVE,    /* killing and unreachable tasks are there as drain, terminal ones as gone */
};
/* Tells what else is known of a task; NULL: nothing. */
enum mapper_standing {
    MAPPER_TASK_PLAIN,
    MAPPER_TASK_WAITS,    /* for its app's definition: it is left out */
    MAPPER_TASK_UNLISTED, /* its readiness is not known yet: it is left out where that counts */
    MAPPER_TASK_FRESH, /* started by the deployment in progress: it is ready when its result says so, whatever its age
                        */
};
typedef enum mapper_standing mapper_judge(void *arg, const struct marathon_task *task);
/* Maps one app. now_ms (since 1970) is for readiness. Never fails: what is wrong becomes a problem. An app that is not
 * exposed or not selected by constraints makes no part. The caller frees *ret with app_mapping_free(). */
void mapper_map_app(const struct mapper *mapper, const struct marathon_app *app, enum mapper_view view, int64_t now_ms,
                    mapper_judge *judge, void *judge_arg, struct app_mapping **ret_mapping);
/* Traefik's normalize: splits at every character that is neither letter nor number (Unicode), joins the parts with '-'.
 * Invalid UTF-8 counts as such a character. The caller frees the result. */
char *mapper_normalize(const struct mapper *mapper, const char *text);

/* ---- services: the parts of all apps, joined by name ---- */

struct service {
    const char *name;
    const char *backend;  /* HAProxy backend name wanted; unique among services: those that clash get a suffix */
    const char *frontend; /* of the first part in app id order */
    const char *rule;
    const char *mode;
    const char *class;
    const struct access *access;             /* what the labels of all parts allow; valid until the next change */
    struct service_check check;              /* borrowed; each label's from the first part that has it */
    struct service_tcp tcp;                  /* borrowed; the same */
    const struct service_part *const *parts; /* sorted by app id, then segment */
    size_t n_parts;
    bool gone; /* no part is left; reported once as changed, then forgotten */
};

struct services;
struct services *services_new(uint64_t seed);
void services_free(struct services *services);
/* Replaces what that app contributed; takes ownership of mapping. Services that really differ become changed.
 * Cost: the app's own parts and those of the services it shares. */
void services_set_app(struct services *services, struct app_mapping *mapping);
void services_remove_app(struct services *services, const char *app);
/* The next changed service, each once, in the order of change; NULL when there is none. Valid until the next change. */
const struct service *services_next_changed(struct services *services);
const struct service *services_get(const struct services *services, const char *name);
const struct service *services_get_backend(const struct services *services, const char *backend);
/* What the app makes now, or NULL. */
const struct app_mapping *services_get_app(const struct services *services, const char *app);
/* Iterates over the services in no order: *position starts at 0. NULL at the end; no change meanwhile. */
const struct service *services_next(const struct services *services, size_t *position);
/* Every service sorted by name; the caller frees the array, not the services. */
const struct service **services_list(const struct services *services, size_t *ret_count);
/* Every problem of every app, sorted by app id; the caller frees the array. */
const struct problem **services_list_problems(const struct services *services, size_t *ret_count);
/* Visits the same, in no order. */
typedef void services_problem(void *arg, const struct problem *problem);
void services_visit_problems(const struct services *services, services_problem *visit, void *arg);
size_t services_count(const struct services *services);

/* ---- weights and limits of a service ---- */

/* What mapping.drain_unhealthy is about, counted among the endpoints of one service. */
struct service_health {
    size_t serving; /* those that take new traffic, or would but for their health */
    size_t failing; /* of them: those that are unhealthy */
};
/* Whether what is unhealthy in a service may drain, all of it: false when it is more than max_removal_percent (0..100)
 * of what serves. Then none of it may: so much at once says more about the checks than about the tasks (mapping.md). */
bool health_may_drain(const struct service_health *health, int max_removal_percent);

/* HAProxy's weights 0..256 from labelled ones: one factor for the service, proportion kept, largest at most 256, none
 * above 0 becomes 0; all 0 gives all 1. Writes ret_scaled[count]. */
void weights_scale(const int32_t *weights, size_t count, uint16_t *ret_scaled);

/* What an operator has said about the weight of one app in a service. */
enum weight_override_kind {
    WEIGHT_LABELLED, /* nothing */
    WEIGHT_ABSOLUTE, /* value instead of the labels' weight */
    WEIGHT_SHARE,    /* value percent of the service's traffic, 0..100 */
};
struct weight_override {
    enum weight_override_kind kind;
    int32_t value;
};
struct weight_endpoint {
    size_t app;     /* index of its app's override */
    int32_t weight; /* as labelled, or the task's own */
    bool fixed;     /* the task's own: its app's WEIGHT_ABSOLUTE does not replace it */
    bool idle;      /* takes no new traffic (it drains): has no say in the shares, and gets what its equals get */
};
/* HAProxy's weights 0..256 for all endpoints of a service, so that an app with a share gets that part of the service's
 * whole weight, however many endpoints there are on each side.
 *
 * Shares above 100% together are scaled down. Apps without a share divide what is left in proportion of their weights,
 * as the endpoints of one app divide what the app gets (all 0: equally, in an app with a share). With nobody else to
 * take the rest, shares are relative to each other: a single app gets everything, whatever its share (above 0%: also
 * with labelled weights of 0), and shares of 0% alone say nothing. Share 0% gives 0 to all of an app's endpoints.
 *
 * Equal endpoints (app, weight) get equal weights, and no endpoint with a part of the traffic gets 0, as long as every
 * app's part then is right within 1/512. Where it cannot be (300 endpoints for 1%, beside a single one), equal
 * endpoints get weights that differ by 1, and where there are more endpoints than units of weight some get 0: the first
 * ones, in the order of endpoints, keep 1. Each share, and what all without a share get together, is right within 1/256
 * then, for up to 8 apps with at least 1% each; among the possible factors the one with the smallest error is taken
 * (within 1/4096 of it the one that keeps proportions within the apps best, and of those the smallest).
 *
 * Without a share the result is that of weights_scale() over the labelled or absolute weights. apps[n_apps], writes
 * ret_scaled[count]. The cost grows with count, and 256 times with the number of different (app, weight). */
void weights_share(const struct weight_endpoint *endpoints, size_t count, const struct weight_override *apps,
                   size_t n_apps, uint16_t *ret_scaled);

#endif
