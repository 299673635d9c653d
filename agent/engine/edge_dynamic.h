/* SPDX-License-Identifier: MIT */
/* The backends of one HAProxy that were made at run time, each for the service of its name. */
#ifndef EDGE_DYNAMIC_H
#define EDGE_DYNAMIC_H

#include <uv.h>

#include "slotd/config.h"
#include "slotd/dynamics.h"
#include "slotd/mapping.h"
#include "slotd/table.h"

struct edge;
struct edge_backend;
struct json_object;

struct edge_dynamic {
    struct dynamics *dynamics;
    char **names; /* of all backends, as read at the adoption */
    size_t n_names;
    struct table present; /* those of them that slotd has not made */
    struct table lacking; /* names of defaults sections that HAProxy does not have, owned */
    bool known;           /* they were read, which takes a HAProxy that can make backends */
    uint64_t again_ms;    /* on the loop's clock: none is deleted before */
    uv_timer_t *timer;
};

/* Before the maps are opened, and after the connection is closed. */
void edge_dynamic_open(struct edge *edge);
void edge_dynamic_close(struct edge *edge);
/* A new connection: asks which backends HAProxy has. */
void edge_dynamic_read(struct edge *edge);
/* HAProxy's backends and leases.map have been read: which of them slotd has made. */
void edge_dynamic_adopt(struct edge *edge);
/* The service has no backend: whether it gets one of its own name, now or soon. */
bool edge_dynamic_want(struct edge *edge, const struct service *service);
/* Whether the routes that name that backend, which HAProxy does not have, are to stay: it is about to have it again, or
 * its service is to be served by a pool instead. */
bool edge_dynamic_takes_over(const struct edge *edge, const char *name);
/* The service of that name has come, or gone. */
void edge_dynamic_look_at(struct edge *edge, const char *name);
/* HAProxy takes no server in that backend, which has none: if it was made at run time it goes, and its service gets one
 * of a pool. */
void edge_dynamic_fail(struct edge *edge, const char *name, const char *why);
/* Makes and deletes, in each turn of the loop; behind the maps. */
void edge_dynamic_run(struct edge *edge);
/* Other pools are configured, maybe. */
void edge_dynamic_configure(struct edge *edge);
/* A complete answer has been applied: what was refused is tried again, what nobody speaks of is looked at. */
void edge_dynamic_answered(struct edge *edge);

/* Whose server_options are those of the servers of that backend, made at run time for a service that there is; NULL:
 * it is none, or no use any more. */
const struct config_pool *edge_dynamic_find_pool(const struct edge *edge, const char *name);
/* Nobody needs that backend, made at run time: nor its servers. */
bool edge_dynamic_is_ending(const struct edge *edge, const char *name);
/* Whether some service may get one: HAProxy can, and slotd.conf has a class with `defaults`. */
bool edge_makes_backends(const struct edge *edge);
/* Adds why the service has none. Returns false where none is meant for it. */
bool problems_of_dynamic(const struct edge *edge, const struct service *service, struct json_object *problems);
void edge_explain_dynamic(const struct edge *edge, struct json_object *warnings);
struct json_object *edge_show_dynamic(const struct edge *edge);

/* ---- an edge's backends come and go ---- */

/* The edge's backend of that name, made where there is none; its slots are not observed yet. */
struct edge_backend *edge_ensure_backend(struct edge *edge, const char *name);
/* Takes the backend out of the edge, which has nothing to do with it any more but the replies that are on their way:
 * to be freed with the reply to a command that is sent later. NULL: there is none. */
struct edge_backend *edge_detach_backend(struct edge *edge, const char *name);
void edge_backend_free(struct edge_backend *backend);

#endif
