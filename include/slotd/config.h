/* SPDX-License-Identifier: MIT */
/* slotd.conf as a struct: every key of the configuration file, with its default applied. Immutable once loaded. */
#ifndef SLOTD_CONFIG_H
#define SLOTD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

#define CONFIG_DEFAULT_FILE "/etc/slotd/slotd.conf"
#define CONFIG_DEFAULT_SOCKET "/run/slotd/slotd.sock"

/* A list of strings; entries are never NULL. */
struct config_list {
    char **items;
    size_t count;
};

/* Strings are never NULL; "" means not set. Durations are in milliseconds. */
struct config_marathon {
    struct config_list endpoints; /* http:// or https:// URLs without query, no trailing slash */
    char *user;
    char *password_file;
    char *dcos_token_file;
    char *ca_file;
    char *cert_file;
    char *key_file;
    bool insecure_skip_verify;
    int64_t connect_timeout;
    int64_t response_timeout;
    int64_t keepalive;
    int64_t resync_interval;
};

struct config_haproxy {
    char *name;
    char *socket; /* an absolute path, or host:port */
    char *state_file;
    char *maps_dir;
};

enum config_vocabulary { CONFIG_VOCABULARY_TRAEFIK, CONFIG_VOCABULARY_MARATHON_LB };

struct config_mapping {
    char *label_prefix;
    char *domain;
    bool exposed_by_default;
    bool groups_as_subdomains;
    enum config_vocabulary vocabulary;
    struct config_list groups;
    bool strict;
    bool marathon_lb_compatibility;
    struct config_list constraints; /* as written: tag==GLOB or tag!=GLOB */
    bool filter_marathon_constraints;
    bool force_task_hostname;
    bool respect_readiness_checks;
    bool drain_unhealthy;
    char *script;
};

struct config_pool {
    char *class;
    char *prefix;
    char *server_options;
    char *defaults;
};

struct config_slots {
    int64_t drain_timeout;
    int64_t release_delay;
    bool checked_start;
    int missing_confirmations;
    int max_removal_percent;
    struct config_pool *pools;
    size_t n_pools;
    bool add_servers;
    bool add_backends;
};

struct config_spoe {
    char *listen;
    int threads;
};

struct config_control {
    char *socket;
    char *group;
    char *http;
    char *state_dir;
};

struct config_edge {
    char *http_bind;
    char *https_bind;
    char *certificates;
    char *tcp_bind;
    bool sni_passthrough;
    char *stats_bind;
};

struct config {
    struct config_marathon marathon;
    struct config_haproxy *haproxy;
    size_t n_haproxy;
    struct config_mapping mapping;
    struct config_slots slots;
    struct config_spoe spoe;
    struct config_control control;
    struct config_edge edge;
};

/* Reads and checks the file at path. Returns 0 and a configuration that the caller frees with config_free(), or a
 * negative error: -errno when the file cannot be read, SLOTD_E_CONFIG when its content is not usable. Each finding is
 * appended to why as one line `FILE:LINE: what is wrong and what would be right`. Unknown keys, wrong types and values
 * out of range are errors (contract.md). All findings are listed, not only the first (at most 100). Each line ends with
 * '\n'. */
int config_load(const char *path, struct config **ret_config, struct buf *why);
/* As config_load for the mapping section alone, as `slotctl map -c FILE` needs it: other sections may be missing, yet
 * what is there must be good. */
int config_load_offline(const char *path, struct config **ret_config, struct buf *why);
/* As config_load for `slotctl render -c FILE`: refuses also what cannot stand in a haproxy.cfg as it is. */
int config_load_render(const char *path, struct config **ret_config, struct buf *why);
/* The configuration of an empty file: all defaults, no haproxy entry. */
struct config *config_new_default(void);
/* The defaults with one haproxy entry, itself all defaults. */
struct config *config_new_render_default(void);
void config_free(struct config *config);
/* Whether a file with a secret is named: a password, a token, a private key. None of them is in the struct itself. */
bool config_names_secret(const struct config *config);

/* Whether one of the addresses of a good edge.tcp_bind has that port. */
bool config_bind_has_port(const char *bind, uint16_t port);

/* The classes of pools that `slotctl render` can write. */
enum config_class {
    CONFIG_CLASS_HTTP,
    CONFIG_CLASS_LEASTCONN,
    CONFIG_CLASS_STICKY,
    CONFIG_CLASS_HTTPS,
    CONFIG_CLASS_H2C,
    CONFIG_CLASS_TCP,
    CONFIG_N_CLASSES
};
/* Returns 0, or SLOTD_E_PARSE for another word. */
int config_class_parse(const char *word, enum config_class *ret_class);
/* Whether word is one of the words of a pool's server_options. */
bool config_options_have(const char *options, const char *word);
/* What servers of that class need besides their pool's server_options, which may say it otherwise: "" or words with a
 * blank in front. */
const char *config_class_options(enum config_class class, const char *server_options);

#endif
