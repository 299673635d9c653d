/* SPDX-License-Identifier: MIT */
/* Servers that are added to one HAProxy's backends, beyond the provisioned slots. */
#ifndef EDGE_SERVERS_H
#define EDGE_SERVERS_H

#include "slotd/config.h"
#include "slotd/haproxy.h"
#include "slotd/slots.h"

struct edge;
struct edge_backend;
struct json_object;

/* The pool that a backend of that name is of: the longest prefix that fits counts, as it does for leases. */
const struct config_pool *config_find_pool(const struct config_slots *config, const char *backend);
/* What servers may be added to the backend, by the configuration. */
void backend_configure_servers(struct edge_backend *backend);
/* The same for all. After an adoption, and a reload of slotd.conf. */
void edge_servers_configure(struct edge *edge);
/* The reply to a command that adds or deletes one. Returns whether it was done. */
bool backend_take_server_reply(struct edge_backend *backend, const struct slot_command *command,
                               enum haproxy_reply verdict, const char *reply, size_t len);
/* Appends why the backend has no more servers than it has; endpoints wait for one. */
void backend_explain_servers(const struct edge_backend *backend, struct buf *why);
/* Adds which servers are needed no more and stay, as warnings. */
void edge_explain_servers(const struct edge *edge, struct json_object *warnings);

#endif
