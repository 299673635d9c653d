/* SPDX-License-Identifier: MIT */
/* The parts of the simulated HAProxy, and what they know of one another. */
#ifndef SLOTD_TESTS_MODEL_HAPROXY_PARTS_H
#define SLOTD_TESTS_MODEL_HAPROXY_PARTS_H

#include "model.h"

extern struct chance haproxy_luck;

struct server *haproxy_find_server(struct haproxy *haproxy, const char *backend_name, const char *name,
                                   struct backend **ret_backend);
/* What `set server` does, whoever says it. */
void server_execute(struct backend *backend, struct server *server, const char *words, struct buf *reply);
/* It refuses the next command, as somebody has asked for. */
bool haproxy_refuses(struct haproxy *haproxy);
/* The same for maps; false: the line is about something else. */
bool haproxy_execute_map(struct wire *wire, const char *line, struct buf *reply);
void map_meddle(struct chance *chance, struct haproxy *haproxy);
/* A line of the Runtime API; appends the reply. */
void haproxy_execute(struct wire *wire, const char *line, struct buf *reply);

#endif
