/* SPDX-License-Identifier: MIT */
/* A haproxy.cfg out of slotd.conf. Pure: text only, nothing is looked up. Internal to ctl/. */
#ifndef CTL_RENDER_H
#define CTL_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/access.h"
#include "slotd/buf.h"
#include "slotd/config.h"

#define RENDER_DEFAULT_BACKENDS 50
#define RENDER_DEFAULT_SLOTS 20
#define RENDER_MAX_BACKENDS 9999
#define RENDER_MAX_SLOTS 9999

/* All borrowed. The configuration is one that config_load_render() has taken: its strings are written as they are. */
struct render {
    const struct config *config;
    const struct config_haproxy *haproxy; /* the entry that it is for */
    unsigned n_backends;                  /* of each pool, 1 to RENDER_MAX_BACKENDS */
    unsigned n_slots;                     /* of each backend, 1 to RENDER_MAX_SLOTS */
};

/* Appends the whole file. */
void render_configuration(const struct render *render, struct buf *out);

/* The maps that it names, and that HAProxy does not start without. */
enum render_map {
    RENDER_MAP_ROUTES,
    RENDER_MAP_PATHS,
    RENDER_MAP_WHITELIST,
    RENDER_MAP_REDIRECT,
    RENDER_MAP_LEASES,
    RENDER_MAP_TCP_PORTS,
    RENDER_MAP_SNI,
    RENDER_MAP_CHECK_PATH,
    RENDER_MAP_CHECK_HOST,
    RENDER_N_MAPS
};
/* The map's path as HAProxy and slotd name it; the caller frees. The entry has a maps_dir. */
char *render_map_path(const struct config_haproxy *haproxy, enum render_map map);

/* ---- the parts ---- */

/* A pool's backend, counted from 1: its prefix and at least three digits. The caller frees. */
char *render_backend_name(const struct config_pool *pool, unsigned number);
/* The `defaults` section that the pool's backends come from; the caller frees. */
char *render_defaults_name(const struct config_pool *pool);
/* Whether HAProxy checks a server with these options: the word `check` is one of them. */
bool render_has_check(const char *server_options);
/* What HAProxy takes to start with (its resident memory, in KiB), as measured with 2.6.12: within 5 % of what 1 x 1 to
 * 900 x 20 slots took with 2 and 16 threads. */
uint64_t render_memory_kib(uint64_t n_backends, uint64_t n_slots, unsigned n_threads);
#define RENDER_CHROOT "/var/lib/haproxy" /* of HAProxy's packages */
/* What frontend https listens on: edge.https_bind, or where frontend sni hands its connections on. The caller frees. */
char *render_https_bind(const struct render *render);
/* The frontends of mode tcp: sni and tcp. */
void render_tcp(const struct render *render, struct buf *out);
/* What a frontend's rules for routes are about, and the rules of that entry point. */
void render_routing_comment(struct buf *out);
void render_routing(const struct render *render, enum access_point point, struct buf *out);
void render_pools(const struct render *render, struct buf *out);

#endif
