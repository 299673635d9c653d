/* SPDX-License-Identifier: MIT */
/* What the rules have in common. */
#ifndef SLOTD_TESTS_MODEL_RULES_PARTS_H
#define SLOTD_TESTS_MODEL_RULES_PARTS_H

#include "../../agent/engine/engine_private.h"
#include "../../agent/marathon/cluster_private.h"
#include "model.h"

#define GONE_GRACE (400 * MS) /* a slow turn of the loop, a batch under way, a read-back, and the command */

bool server_is_tainted(const struct server *server);
/* By that definition. */
bool task_is_at(const struct task *task, const struct definition *definition, size_t service, const char *address,
                uint16_t port);
/* By what slotd was told. */
bool task_is_told_at(const struct task *task, const struct backend *backend, const struct server *server);
/* slotd's key of an endpoint of that task. */
bool key_is_of(const char *key, const struct task *task);
/* Another server takes requests at the same address. */
bool serves_elsewhere(const struct backend *backend, const struct server *server);
/* slotd's own view of the server; false: it has none. */
bool view_of(const struct backend *backend, const struct server *server, struct slot_view *ret_view);
/* Of that HAProxy; NULL: slotd does not run, or is not configured for it. */
const struct edge *slotd_edge(const struct haproxy *haproxy);
/* Since when slotd knows what is and can do something about it, there. */
int64_t able_since(struct haproxy *haproxy);
/* Before a command to the server. */
void note_moving(const char *words, const struct backend *backend, const struct server *server);
/* Before slotd makes that server ready. */
void check_unready(const char *words, const struct backend *backend, const struct server *server);
void check_on_time(void);
bool readiness_is_respected(void);
/* By what slotd was told of its readiness, now or before. */
bool task_may_serve(struct task *task);
void rules_reset_commands(void);
void rules_reset_asking(void);
void check_asking(void);
void check_refusals(void);
void check_kept(void);

/* Whose pooled backends are, and what is in use, at this moment. */
void rules_note_backends(void);
/* The backend is the service's, by what was just said; what is the command's words, or "lease ". */
void rules_check_lease(struct backend *backend, size_t service, const char *what);
/* Before a command gives a server away, and after it. */
void rules_check_move(const char *words, struct backend *backend);
void rules_note_move(const char *words, struct backend *backend, struct server *server);
bool map_leads_to(const struct runtime_map *map, const char *backend);
void rules_check_routes(void);
void rules_close_routes(void);
void rules_reset_routes(void);
/* A command takes the server out. */
void rules_check_route_first(const struct wire *wire, const char *words, const struct backend *backend,
                             const struct server *server);
bool service_has_duties(size_t service);
/* NULL, or what is not as it should be; the caller frees. */
char *find_maps_difference(struct haproxy *haproxy);

#endif
