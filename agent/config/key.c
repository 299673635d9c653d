/* SPDX-License-Identifier: MIT */
/* Each key of slotd.conf, with its default. */
#include "key.h"

#include "check.h"
#include "slotd/config.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

#define KEY(section, member, kind)                                                                                     \
    .name = #member, .offset = offsetof(struct config_##section, member), .type = CONFIG_KEY_##kind
#define GROUP_OF(list, section)                                                                                        \
    {                                                                                                                  \
        .keys = list, .n_keys = sizeof(list) / sizeof((list)[0]), .size = sizeof(struct config_##section)              \
    }

static const struct config_key marathon_keys[] = {
    {KEY(marathon, endpoints, LIST), .fallback = "http://127.0.0.1:8080", .check = config_check_endpoint,
     .required = true, .trim_slashes = true},
    {KEY(marathon, user, STRING), .fallback = "", .example = "slotd", .check = config_check_user},
    {KEY(marathon, password_file, STRING), .fallback = "", .example = "/etc/slotd/password",
     .check = config_check_path},
    {KEY(marathon, dcos_token_file, STRING), .fallback = "", .example = "/etc/slotd/token", .check = config_check_path},
    {KEY(marathon, ca_file, STRING), .fallback = "", .example = "/etc/slotd/ca.pem", .check = config_check_path},
    {KEY(marathon, cert_file, STRING), .fallback = "", .example = "/etc/slotd/client.pem", .check = config_check_path},
    {KEY(marathon, key_file, STRING), .fallback = "", .example = "/etc/slotd/client.key", .check = config_check_path},
    {KEY(marathon, insecure_skip_verify, BOOL), .fallback = "false"},
    {KEY(marathon, connect_timeout, DURATION), .fallback = "5s", .max = 10 * MINUTE},
    {KEY(marathon, response_timeout, DURATION), .fallback = "60s", .max = HOUR},
    {KEY(marathon, keepalive, DURATION), .fallback = "10s", .max = HOUR},
    {KEY(marathon, resync_interval, DURATION), .fallback = "60s", .max = 24 * HOUR},
};
static const struct config_group marathon_group = GROUP_OF(marathon_keys, marathon);

static const struct config_key haproxy_keys[] = {
    {KEY(haproxy, name, STRING), .fallback = "edge", .check = config_check_name, .required = true, .unique = true},
    {KEY(haproxy, socket, STRING), .fallback = "/run/haproxy/admin.sock", .check = config_check_socket,
     .required = true, .unique = true},
    {KEY(haproxy, state_file, STRING), .fallback = "", .example = "/run/slotd/haproxy.state",
     .check = config_check_path, .unique = true},
    {KEY(haproxy, maps_dir, STRING), .fallback = "", .example = "/var/lib/slotd/maps", .check = config_check_maps_dir,
     .unique = true},
};
static const struct config_group haproxy_group = GROUP_OF(haproxy_keys, haproxy);

static const char *const vocabulary_words[] = {
    [CONFIG_VOCABULARY_TRAEFIK] = "traefik", [CONFIG_VOCABULARY_MARATHON_LB] = "marathon-lb", NULL};

static const struct config_key mapping_keys[] = {
    {KEY(mapping, label_prefix, STRING), .fallback = "traefik", .check = config_check_label_prefix, .required = true},
    {KEY(mapping, domain, STRING), .fallback = "marathon.localhost", .check = config_check_domain},
    {KEY(mapping, exposed_by_default, BOOL), .fallback = "true"},
    {KEY(mapping, groups_as_subdomains, BOOL), .fallback = "false"},
    {KEY(mapping, vocabulary, CHOICE), .fallback = "traefik", .words = vocabulary_words},
    {KEY(mapping, groups, LIST), .example = "external", .check = config_check_lb_group},
    {KEY(mapping, strict, BOOL), .fallback = "false"},
    {KEY(mapping, marathon_lb_compatibility, BOOL), .fallback = "false"},
    {KEY(mapping, constraints, LIST), .example = "tag==edge", .check = config_check_constraint},
    {KEY(mapping, filter_marathon_constraints, BOOL), .fallback = "false"},
    {KEY(mapping, force_task_hostname, BOOL), .fallback = "false"},
    {KEY(mapping, respect_readiness_checks, BOOL), .fallback = "false"},
    {KEY(mapping, drain_unhealthy, BOOL), .fallback = "false"},
    {KEY(mapping, script, STRING), .fallback = "", .example = "/etc/slotd/map.lua", .check = config_check_path},
};
static const struct config_group mapping_group = GROUP_OF(mapping_keys, mapping);

static const struct config_key pool_keys[] = {
    {KEY(pool, class, STRING), .example = "http", .check = config_check_class, .required = true},
    {KEY(pool, prefix, STRING), .example = "pool-http-", .check = config_check_haproxy_name, .required = true,
     .unique = true},
    {KEY(pool, server_options, STRING), .fallback = "", .example = "check inter 2s",
     .check = config_check_server_options},
    {KEY(pool, defaults, STRING), .fallback = "", .example = "pool-http", .check = config_check_haproxy_name},
};
static const struct config_group pool_group = GROUP_OF(pool_keys, pool);

static const char pool_fallback[] =
    "( { class = \"http\"; prefix = \"pool-http-\"; server_options = \"check inter 2s\"; defaults = \"pool-http\"; },"
    "  { class = \"tcp\"; prefix = \"pool-tcp-\"; } )";

static const struct config_key slots_keys[] = {
    {KEY(slots, drain_timeout, DURATION), .fallback = "60s", .max = 7 * 24 * HOUR},
    {KEY(slots, release_delay, DURATION), .fallback = "30s", .max = 24 * HOUR},
    {KEY(slots, checked_start, BOOL), .fallback = "true"},
    {KEY(slots, missing_confirmations, INT), .fallback = "2", .min = 1, .max = 10},
    {KEY(slots, max_removal_percent, INT), .fallback = "50", .min = 0, .max = 100},
    {KEY(slots, pools, GROUPS), .fallback = pool_fallback, .group = &pool_group,
     .example = "( { class = \"http\"; prefix = \"pool-http-\"; } )",
     .count_offset = offsetof(struct config_slots, n_pools)},
    {KEY(slots, add_servers, BOOL), .fallback = "true"},
    {KEY(slots, add_backends, BOOL), .fallback = "true"},
};
static const struct config_group slots_group = GROUP_OF(slots_keys, slots);

static const struct config_key spoe_keys[] = {
    {KEY(spoe, listen, STRING), .fallback = "", .example = "127.0.0.1:9876", .check = config_check_spoe_listen},
    {KEY(spoe, threads, INT), .fallback = "1", .min = 1, .max = 64},
};
static const struct config_group spoe_group = GROUP_OF(spoe_keys, spoe);

static const struct config_key control_keys[] = {
    {KEY(control, socket, STRING), .fallback = CONFIG_DEFAULT_SOCKET, .check = config_check_socket_path,
     .required = true},
    {KEY(control, group, STRING), .fallback = "", .example = "adm", .check = config_check_name},
    {KEY(control, http, STRING), .fallback = "", .example = "127.0.0.1:9100", .check = config_check_listen},
    {KEY(control, state_dir, STRING), .fallback = "/var/lib/slotd", .check = config_check_path},
};
static const struct config_group control_group = GROUP_OF(control_keys, control);

static const struct config_key edge_keys[] = {
    {KEY(edge, http_bind, STRING), .fallback = "*:80", .check = config_check_bind},
    {KEY(edge, https_bind, STRING), .fallback = "", .example = "*:443", .check = config_check_bind},
    {KEY(edge, certificates, STRING), .fallback = "", .example = "/etc/haproxy/certs",
     .check = config_check_rendered_path},
    {KEY(edge, tcp_bind, STRING), .fallback = "", .example = "*:10000-10099", .check = config_check_bind_range},
    {KEY(edge, sni_passthrough, BOOL), .fallback = "false"},
    {KEY(edge, stats_bind, STRING), .fallback = "", .example = "127.0.0.1:8404", .check = config_check_bind},
};
static const struct config_group edge_group = GROUP_OF(edge_keys, edge);

#define SECTION(member, kind) .name = #member, .offset = offsetof(struct config, member), .type = CONFIG_KEY_##kind

static const struct config_key root_keys[] = {
    {SECTION(marathon, GROUP), .group = &marathon_group},
    {SECTION(haproxy, GROUPS), .group = &haproxy_group, .count_offset = offsetof(struct config, n_haproxy),
     .example = "( { name = \"edge\"; socket = \"/run/haproxy/admin.sock\"; } )"},
    {SECTION(mapping, GROUP), .group = &mapping_group},
    {SECTION(slots, GROUP), .group = &slots_group},
    {SECTION(spoe, GROUP), .group = &spoe_group},
    {SECTION(control, GROUP), .group = &control_group},
    {SECTION(edge, GROUP), .group = &edge_group},
};

const struct config_group config_root = {root_keys, sizeof(root_keys) / sizeof(root_keys[0]), sizeof(struct config)};
