/* SPDX-License-Identifier: MIT */
/* The steps of mapping one app, and the codes of its problems: access-clash, auth-unsupported, backend-name-too-long,
 * class-conflict, container-port-zero, domain-invalid, enable-invalid, entry-point-missing, entry-point-unknown,
 * healthcheck-clash, healthcheck-headers-fixed,
 * healthcheck-hostname-invalid, healthcheck-interval-fixed, healthcheck-path-invalid, healthcheck-port-invalid,
 * healthcheck-scheme-fixed, healthcheck-scheme-invalid, host-invalid, host-missing, ip-address-ambiguous,
 * ip-address-index, ip-address-missing, loadbalancer-method-unknown, mode-conflict, no-port,
 * pass-host-header-fixed, pass-host-header-invalid, port-and-index,
 * port-index-invalid, port-index-out-of-range, port-invalid, port-name-not-published, port-name-unknown,
 * priority-invalid, protocol-unknown, redirect-entry-point-unknown, redirect-incomplete, redirect-permanent-invalid,
 * redirect-unsupported, rule-invalid, segment-clash, segment-name-too-long, stickiness-invalid, task-id-invalid,
 * tcp-clash, tcp-port-ambiguous, tcp-port-invalid, tcp-sni-ignored, tcp-sni-invalid, tcp-sni-too-many,
 * too-many-endpoints, too-many-problems, too-many-segments, weight-invalid, weight-negative, weight-zero,
 * whitelist-forwarded, whitelist-forwarded-invalid, whitelist-invalid, whitelist-unknown. app-malformed comes from
 * those who read the app. */
#ifndef MAPPING_PRIVATE_H
#define MAPPING_PRIVATE_H

#include "slotd/mapping.h"

#define MAPPING_MAX_NAME 1024        /* bytes of a service name, and of a segment's */
#define MAPPING_MAX_RAW_NAME 4096    /* bytes of the label that it is made from */
#define MAPPING_MAX_SEGMENTS 128     /* of one app */
#define MAPPING_MAX_ENDPOINTS 65536  /* of one app, in all of its segments */
#define MAPPING_MAX_PROBLEMS 1000    /* of one app */
#define MAPPING_MAX_PORTS 1024       /* of one app that a name may pick */
#define MAPPING_MAX_BACKEND 200      /* bytes of a HAProxy name */
#define MAPPING_MAX_RULE (64U << 10) /* bytes of a rule */

struct constraint {
    char *glob;
    bool must_match;
};

struct mapper {
    const struct config_mapping *config;
    struct constraint *constraints;
    size_t n_constraints;
    void *word;  /* pcre2_code: one letter or number */
    void *lower; /* pcre2_code: everything, for case conversion */
};

/* One segment of one app while it is mapped. */
struct segment_view {
    const struct mapper *mapper;
    const struct marathon_app *app;
    const char *segment; /* "" for the app itself */
    struct app_mapping *result;
};

/* names.c */
int names_init(struct mapper *mapper, struct buf *why);
void names_free(struct mapper *mapper);
/* strings.ToLower: Unicode. The caller frees. */
char *names_lower(const struct mapper *mapper, const char *text);
/* The name as HAProxy takes it. The caller frees. */
char *names_to_ascii(const char *name);
/* That name, cut where it is long, with a hash of the whole behind it. The caller frees. */
char *names_mark(const char *ascii, const char *name);

/* labels.c */
/* The names of the app's segments, sorted, without the app's own; the caller frees array and names. Those that break a
 * limit are left out, with a problem. */
char **labels_list_segments(const struct segment_view *view, size_t *ret_count);
/* The label PREFIX.property as the segment has it: its own, else the app's. NULL when absent or empty. */
const char *labels_get(const struct segment_view *view, const char *property);
/* The app's own label, whatever the segment. */
const char *labels_get_own(const struct mapper *mapper, const struct marathon_app *app, const char *property);

/* A label's number as Go's strconv.Atoi reads it: 64 bits, nothing around it. */
bool label_to_int(const char *label, int64_t *ret_value);
/* A label's value as a message may show it: short and printable. The caller frees. */
char *label_to_shown(const char *label);

/* constraints.c */
int constraints_init(struct mapper *mapper, struct buf *why);
void constraints_free(struct mapper *mapper);
/* Whether the app is to be mapped at all. */
bool app_is_selected(const struct segment_view *view);

/* place.c: host and port of a task; false with a problem added when there is none. ret_host is borrowed from task. */
bool place_find_host(const struct segment_view *view, const struct marathon_task *task, const char **ret_host);
bool place_find_port(const struct segment_view *view, const struct marathon_task *task, int32_t *ret_port);

/* part.c */
bool service_part_equal(const struct service_part *a, const struct service_part *b);

/* healthcheck.c */
/* The check by the segment's labels; the caller frees it with healthcheck_free(). */
struct service_check healthcheck_find(const struct segment_view *view, const char *protocol);
bool healthcheck_equal(const struct service_check *a, const struct service_check *b);
void healthcheck_free(struct service_check *check);
/* Borrows from next what check does not have. */
void healthcheck_complete(struct service_check *check, const struct service_check *next);
/* The first label of part, by its last word, that the service does otherwise; NULL: none. */
const char *healthcheck_find_clash(const struct service_check *check, const struct service_check *part);

/* labels_tcp.c: where the labels [SEGMENT.]tcp.port and .tcp.sni stand in Traefik's grammar. A label PREFIX.NAME is
 * given as NAME, and the dot in it that is looked at. */
/* Whether NAME is [SEGMENT.]tcp.port, property its last part, and slotd's own label: SEGMENT (or the app) has protocol
 * tcp, and no label but this one makes a segment [SEGMENT.]tcp. */
bool labels_tcp_is_own(const struct segment_view *view, const char *name, const char *property);
/* Whether NAME up to property is a segment because property is .tcp.port, or .tcp.sni, and that is its own label. */
bool labels_tcp_make_segment(const struct segment_view *view, const char *name, const char *property);
/* The label tcp.port as labels_get() has others, where it is not the port of a segment called tcp. */
const char *labels_get_tcp_port(const struct segment_view *view);
/* Adds a problem for a segment called [SEGMENT.]tcp whose port may have been meant as the other one. */
void labels_tcp_judge_segment(const struct segment_view *view);

/* tcp.c */
/* How the segment is reached, by its labels; the caller frees it with tcp_free(). */
struct service_tcp tcp_find(const struct segment_view *view, const char *protocol);
bool tcp_equal(const struct service_tcp *a, const struct service_tcp *b);
void tcp_free(struct service_tcp *tcp);
/* Borrows from next what tcp does not have. */
void tcp_complete(struct service_tcp *tcp, const struct service_tcp *next);
/* The first label of part that the service does otherwise; NULL: none. */
const char *tcp_find_clash(const struct service_tcp *tcp, const struct service_tcp *part);

/* access_labels.c */
/* What the segment's labels say; the caller frees it with access_free(). */
struct access access_find(const struct segment_view *view);
/* The first labels of part, by their last words, that the service does otherwise; NULL: none. */
const char *access_find_clash(const struct access *access, const struct access *part);

/* class.c: of the backend that the segment needs; static. */
const char *class_find(const struct segment_view *view, const char *protocol);

/* readiness.c */
enum readiness {
    READINESS_GOOD,
    READINESS_BAD,     /* a result says so */
    READINESS_UNKNOWN, /* no result, and not old enough: not ready, though nothing says so */
};
/* *ret_ready_ms is when the task becomes ready by its age alone, or MARATHON_NO_TIME. */
enum readiness task_find_readiness(const struct marathon_app *app, const struct marathon_task *task,
                                   enum mapper_standing standing, int64_t now_ms, int64_t *ret_ready_ms);

/* rule.c: the rule as text, without control bytes; the caller frees. */
char *rule_find(const struct segment_view *view);
int64_t rule_find_priority(const struct segment_view *view, const char *rule);

/* Forgets what was added after the first count. */
void problem_list_cut(struct problem_list *list, size_t count);
__attribute__((format(printf, 4, 5))) void view_add_problem(const struct segment_view *view,
                                                            const struct marathon_task *task, const char *code,
                                                            const char *format, ...);

#endif
