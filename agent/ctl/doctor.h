/* SPDX-License-Identifier: MIT */
/* `slotctl doctor`: what was seen of slotd.conf, HAProxy, files and slotd, and what is to be said of it. The judging
 * and the parsing are pure; doctor_look.c, doctor_call.c and doctor_user.c look. Internal to ctl/. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "slotd/buf.h"
#include "slotd/config.h"
#include "slotd/haproxy.h"
#include "slotd/map.h"

/* ---- findings ---- */

enum doctor_severity { DOCTOR_OK, DOCTOR_HINT, DOCTOR_WARNING, DOCTOR_ERROR, DOCTOR_N_SEVERITIES };

struct doctor_finding {
    enum doctor_severity severity;
    const char *code; /* static, stable: programs rely on it */
    char *subject;    /* a file, a socket, a backend, a key of slotd.conf */
    char *message;
    char *remedy; /* where possible a line to be pasted; NULL: none, or none is needed */
};
struct doctor_findings {
    struct doctor_finding *items;
    size_t count, capacity;
};
void doctor_report(struct doctor_findings *findings, enum doctor_severity severity, const char *code,
                   const char *subject, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What helps against the finding that was reported last. */
void doctor_remedy(struct doctor_findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether those from the first-th on are no worse than a hint. */
bool doctor_is_fine_since(const struct doctor_findings *findings, size_t first);
size_t doctor_count(const struct doctor_findings *findings, enum doctor_severity severity);
/* The worst first, otherwise in the order that they were reported in. */
void doctor_sort(struct doctor_findings *findings);
/* The caller owns it. */
struct json_object *doctor_document(const struct doctor_findings *findings);
void doctor_findings_free(struct doctor_findings *findings);

/* ---- who slotd is ---- */

struct doctor_user {
    bool known;
    bool runs; /* slotd runs, and it is its own; else that of the user `slotd`, who may run it */
    char *name;
    uid_t uid;
    gid_t *groups;
    size_t n_groups;
};

/* ---- what was seen ---- */

struct doctor_path {
    int err; /* of stat(), 0 or -errno */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t changed_ms;  /* since 1970 */
    bool has_acl;        /* then the mode does not say who may what */
    char *owner, *group; /* by name, or number */
};

/* A file that HAProxy starts with and slotd writes. */
struct doctor_file {
    char *path;
    struct doctor_path file;
    struct doctor_path folder; /* slotd replaces the file in it */
    int read_err;              /* 0, -errno or an enum slotd_error */
    struct buf content;
};

enum doctor_peer {
    DOCTOR_PEER_NONE,    /* not connected: connect_err */
    DOCTOR_PEER_SILENT,  /* connected, no answer */
    DOCTOR_PEER_MASTER,  /* the master's command line */
    DOCTOR_PEER_OTHER,   /* it answers, and not as HAProxy does */
    DOCTOR_PEER_HAPROXY, /* a worker */
};

struct doctor_backend {
    char *name;
    char *mode; /* "" where HAProxy does not say */
    char *balance;
};
struct doctor_backends {
    struct doctor_backend *items;
    size_t count;
};

/* A map that HAProxy's configuration mentions. */
struct doctor_known_map {
    char *name;
    char *place; /* "/etc/haproxy/haproxy.cfg line 25", or "" */
};
struct doctor_known_maps {
    struct doctor_known_map *items;
    size_t count;
};

/* What HAProxy's configuration files, as they are now, say about the server-state file. */
struct doctor_configuration {
    bool known;       /* all of them could be read */
    char *files;      /* their names */
    char *state_file; /* the path of `server-state-file`, or NULL */
    bool loads;       /* `load-server-state-from-file global` is somewhere */
};

/* What slotd says of a file that it writes. */
struct doctor_writing {
    bool known;      /* it writes it, and has answered */
    bool failed;     /* it cannot */
    bool saved;      /* all changes are on disk */
    int64_t changes; /* that there have been */
};
/* Whether a file that differs will go on doing so. */
struct doctor_wait {
    struct doctor_writing last;
    size_t steady; /* times in a row that slotd had nothing to write before and after a look */
    bool pending;  /* it differs, and slotd is about to write it */
};

/* The maps that slotd keeps in maps_dir. */
struct doctor_map {
    const char *name; /* static: routes.map */
    bool known;       /* HAProxy's configuration mentions maps_dir/name */
    struct doctor_file file;
    struct doctor_wait wait;
    struct map_content *content; /* NULL: not known, or it could not be read */
};

struct doctor_haproxy {
    const struct config_haproxy *config;
    struct doctor_path socket; /* where it is a path */
    enum doctor_peer peer;
    int connect_err;
    char *answer;   /* of DOCTOR_PEER_OTHER */
    size_t clients; /* connections to the socket that stay, ours not among them; 0 where that cannot be known */
    bool knows_info;
    struct haproxy_info info;
    char *level; /* "admin", "operator", "user", or NULL */
    struct haproxy_state *state;
    char *state_error; /* why there is none, or NULL */
    struct doctor_backends backends;
    struct doctor_known_maps known_maps;
    struct doctor_configuration configuration;
    struct doctor_file state_file;
    struct doctor_wait state_wait;
    int64_t now_ms;
    struct doctor_map *maps;
    size_t n_maps;
};
void doctor_haproxy_free(struct doctor_haproxy *haproxy);

/* ---- doctor_parse.c: pure ---- */

/* From `show map`. */
void doctor_parse_maps(const char *text, struct doctor_known_maps *ret_maps);
/* From `show stat -1 2 -1`; without a usable header none. */
void doctor_parse_backends(const char *text, struct doctor_backends *ret_backends);
/* From /proc/net/unix: the connections to the socket of that path. */
size_t doctor_parse_clients(const char *text, const char *path);
/* Adds what one configuration file says. */
void doctor_parse_configuration(const char *text, struct doctor_configuration *configuration);
/* The lines of a map file as the entries of a map; the caller frees with map_content_free(). */
struct map_content *doctor_parse_map_file(const char *text);
/* The name of a map without its folders. */
const char *doctor_base_name(const char *path);

/* ---- the judges: pure ---- */

/* What of HAProxy's servers is a slot. */
enum doctor_server {
    DOCTOR_SERVER_SLOT,
    DOCTOR_SERVER_OTHER,   /* somebody's, none of our business */
    DOCTOR_SERVER_NO_ADDR, /* a slot without an address: `init-addr none`, HAProxy refuses one for ever */
    DOCTOR_SERVER_LITERAL, /* `disabled` with a literal 0.0.0.0: no reload brings its address back */
    DOCTOR_SERVER_ENABLED, /* a name below .invalid without `disabled` */
};
enum doctor_server doctor_server_kind(const struct haproxy_state *state, const struct haproxy_server *server);

/* Of one backend; servers of one backend stand together in the state. */
struct doctor_count {
    const char *backend;
    size_t servers, slots, free, checked;
};
/* Every backend that has servers; the caller frees the array. */
struct doctor_count *doctor_count_slots(const struct haproxy_state *state, size_t *ret_count);

void doctor_judge_process(const struct doctor_haproxy *haproxy, struct doctor_findings *findings);
/* user: slotd's. Returns whether a worker answers that can be asked on. */
bool doctor_judge_socket(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                         struct doctor_findings *findings);
void doctor_judge_slots(const struct doctor_haproxy *haproxy, struct doctor_findings *findings);
void doctor_judge_pools(const struct config *config, const struct doctor_haproxy *haproxy,
                        struct doctor_findings *findings);
void doctor_judge_state_file(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                             struct doctor_findings *findings);
void doctor_judge_maps(const struct doctor_haproxy *haproxy, const struct doctor_user *user,
                       struct doctor_findings *findings);
/* A file with a secret, by its key in slotd.conf. */
void doctor_judge_secret(const char *key, const struct doctor_file *file, const struct doctor_user *user,
                         struct doctor_findings *findings);
/* A file that slotd replaces: whether it can. */
void doctor_judge_file(const struct doctor_file *file, const struct doctor_user *user,
                       struct doctor_findings *findings);
/* The answer to `status`, and whether it is about the HAProxys of this configuration. */
void doctor_judge_status(const struct config *config, struct json_object *status, struct doctor_findings *findings);
/* Whether the state file, or the map's, says what HAProxy says: how many rows, or keys, differ. A key of HAProxy's
 * alone that is its own value is about its process, and not meant for a file. */
size_t doctor_count_state_differences(const struct doctor_haproxy *haproxy, const struct haproxy_state *kept);
size_t doctor_count_map_differences(const struct map_content *file, const struct map_content *content);
/* Files may be about to be written: what differs is looked at again before it is told. Older than HAProxy's start is
 * out of step too. */
bool doctor_state_is_out_of_step(const struct doctor_haproxy *haproxy);
bool doctor_map_is_out_of_step(const struct doctor_map *map);
/* What the answer to `status` (NULL: there is none) says of the file of that path. */
struct doctor_writing doctor_find_writing(struct json_object *status, const char *path);
/* What slotd says once the file, which differs, has been looked at again. Returns whether it stays so: slotd cannot
 * write it, does not write it, or had nothing to write for three answers, and what differs is nothing of its own. */
bool doctor_wait_is_over(struct doctor_wait *wait, const struct doctor_writing *writing);

/* Whether the user may do that (bits as those of access()) to what the path is; true where that cannot be known. */
bool doctor_user_may(const struct doctor_user *user, const struct doctor_path *path, int want);

/* ---- doctor_user.c ---- */

/* pid: of a running slotd, or 0. */
void doctor_user_find(pid_t pid, struct doctor_user *ret_user);
void doctor_user_free(struct doctor_user *user);
void doctor_path_look(const char *path, struct doctor_path *ret_path);
void doctor_path_free(struct doctor_path *path);

/* ---- doctor_call.c ---- */

/* Sends one command on a connection of its own and reads all of the answer. Returns 0, -errno of the connection,
 * SLOTD_E_TIMEOUT (no answer within 5 s), SLOTD_E_CLOSED (an answer without its end) or SLOTD_E_LIMIT. */
int doctor_call(const char *address, const char *command, struct buf *answer);
/* The process that listens there: 0, or -errno when none does. */
int doctor_find_listener(const char *path, pid_t *ret_pid);

/* ---- doctor_look.c ---- */

/* Asks slotd for its status; NULL: it does not answer. The caller owns it. */
typedef struct json_object *doctor_ask(void *arg);
/* ask NULL: slotd does not run; else what differs is given the time in which it writes. */
void doctor_look_at(const struct config_haproxy *config, doctor_ask *ask, void *arg,
                    struct doctor_haproxy *ret_haproxy);
void doctor_file_look(const char *path, size_t max, struct doctor_file *ret_file);
void doctor_file_free(struct doctor_file *file);

#endif
