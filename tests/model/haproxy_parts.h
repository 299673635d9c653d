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
/* A line of the Runtime API; appends the reply. */
void haproxy_execute(struct wire *wire, const char *line, struct buf *reply);

#endif
