/* SPDX-License-Identifier: MIT */
/* The pooled backends of one HAProxy: given away, taken back, and found again after a start. */
#ifndef EDGE_LEASES_H
#define EDGE_LEASES_H

#include <uv.h>

#include "edge_maps.h"
#include "slotd/leases.h"
#include "slotd/mapping.h"
#include "slotd/table.h"

struct edge;
struct edge_backend;
struct json_object;

/* The pooled backends of one HAProxy. */
struct edge_leasing {
    struct leases *leases;
    struct table on_disk;             /* what the files of maps led to when slotd began, until the first adoption */
    bool disk_unknown;                /* one of them could not be read */
    bool known;                       /* HAProxy's leases were read */
    bool verified;                    /* and held against who serves; after that what slotd knows is newer */
    bool gated;                       /* gate is set since the adoption */
    uint64_t gate;                    /* the server-state file has to be as new before a backend is given away */
    bool saving;                      /* released backends wait for the files */
    uint64_t stamps[EDGE_N_MAPS + 1]; /* as new they have to be: the maps, and the server-state file */
    uint64_t ask_ms;                  /* loop time: a backend is to be asked again whether it is empty */
    uv_timer_t *timer;                /* wakes the loop when slots.release_delay is over, or for that */
};

/* Before the maps are opened, and after they are closed. */
void edge_leases_open(struct edge *edge);
void edge_leases_close(struct edge *edge);
/* Reads the files of the maps, before they are written. */
void edge_leases_read_disk(struct edge *edge);
/* HAProxy's backends and maps have been read. Returns false where leases.map could not be: then nothing may be
 * concluded about a pool's backends. */
bool edge_leases_adopt(struct edge *edge);
/* Marathon has answered since the adoption: what leases.map tells is corrected where tasks of another service serve. */
void edge_leases_verify(struct edge *edge);
/* Every service is looked at again, and leases.map follows. */
void edge_leases_refresh(struct edge *edge);
/* Whether HAProxy has a backend of the service's own name. */
bool edge_has_own_backend(const struct edge *edge, const char *key);
/* Other pools are configured, maybe. */
void edge_leases_configure(struct edge *edge);
/* Whether the service needs, has or leaves a backend of a pool, from now on. */
void edge_lease_look_at(struct edge *edge, const char *key);
/* What leases.map should have. Borrowed from the leases. */
const char *edge_lease_value(const struct edge_map *map, const char *key);
/* The backend's sessions are known anew: the last one may have ended, or one is left that nobody knew of. */
void edge_lease_note_sessions(struct edge_backend *backend);
/* Takes back and gives away, in each turn of the loop; ahead of the maps. */
void edge_leases_run(struct edge *edge);
/* A complete answer has been applied: leases of services that nobody speaks of are looked at again. */
void edge_leases_answered(struct edge *edge);
/* Whether its slots may take traffic, or are on their way out of it. */
bool backend_may_serve(const struct edge_backend *backend);
/* Whether HAProxy has said that it has no request in it since that was asked for anew; asks. */
bool backend_is_empty(struct edge_backend *backend);
/* Adds why a service has no backend: its class has no pool, or none that is free; and that the pool is another than it
 * asked for. Returns false where HAProxy has no backend of any pool. */
bool problems_of_leases(const struct edge *edge, const struct service *service, struct json_object *problems);
/* Adds what is about pools and concerns no service alone. */
void problems_of_pools(const struct edge *edge, struct json_object *problems);
/* Adds why services without a backend of their own wait, and what will be so soon. */
void edge_explain_leases(const struct edge *edge, struct json_object *reasons, struct json_object *warnings);
struct json_object *edge_show_pools(const struct edge *edge);

#endif
