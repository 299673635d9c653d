/* SPDX-License-Identifier: MIT */
/* What another hand changes in HAProxy is noticed: backends, then maps, are read one after another, all the time, and
 * compared with what was applied. It takes a bounded share of HAProxy's time, however many there are. */
#include "engine_private.h"
#include "slotd/mem.h"

#define VERIFICATION_ROUND_MS UINT64_C(2000) /* a round of all of them takes no less */
#define VERIFICATION_SHARE 50                /* a pause is that many times what the last answer took */
#define VERIFICATION_MAX_MS UINT64_C(10000)

struct verification {
    struct edge *edge;
    uv_timer_t *timer;
    size_t position; /* in the edge's table of backends */
    size_t map;      /* the next one, behind the last backend */
    uint64_t asked_ns;
};

static void verification_tick(uv_timer_t *timer);

static void verification_wait(struct verification *verification, uint64_t took_ns)
{
    uint64_t pause = VERIFICATION_ROUND_MS / (verification->edge->backends.count + EDGE_N_MAPS);
    uint64_t share = took_ns * VERIFICATION_SHARE / 1000000;
    pause = pause > share ? pause : share;
    pause = pause > VERIFICATION_MAX_MS ? VERIFICATION_MAX_MS : pause;
    uv_timer_start(verification->timer, verification_tick, pause, 0);
}

/* A connection that is lost stops the timer, after it has failed what was under way. */
static void verification_answered(void *arg)
{
    struct verification *verification = arg;
    verification_wait(verification, uv_hrtime() - verification->asked_ns);
}

/* Asks for the next backend. Returns false behind the last one. */
static bool verification_ask_backend(struct verification *verification)
{
    struct edge *edge = verification->edge;
    struct table_entry *entry = table_next(&edge->backends, &verification->position);
    if (entry) {
        edge_read_rows(entry->value, verification_answered, verification);
    }
    return entry;
}

/* The same for the next map; behind the last one the round begins anew. */
static void verification_ask_map(struct verification *verification)
{
    struct edge_map *map = verification->map < EDGE_N_MAPS ? verification->edge->maps[verification->map] : NULL;
    if (map) {
        verification->map++;
        edge_map_verify(map, verification_answered, verification);
    } else {
        verification->map = verification->position = 0;
        verification_wait(verification, 0);
    }
}

static void verification_tick(uv_timer_t *timer)
{
    struct verification *verification = timer->data;
    struct edge *edge = verification->edge;
    if (!edge->adopted) {
        return;
    }
    verification->asked_ns = uv_hrtime();
    if (!verification_ask_backend(verification)) {
        verification_ask_map(verification);
    }
    haproxy_connection_flush(edge->connection);
}

void verification_start(struct verification *verification)
{
    verification->map = verification->position = 0;
    verification_wait(verification, 0);
}

void verification_stop(struct verification *verification)
{
    uv_timer_stop(verification->timer);
}

struct verification *verification_new(struct edge *edge)
{
    struct verification *verification = MEM_NEW(struct verification);
    verification->edge = edge;
    verification->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(edge->engine->loop, verification->timer);
    verification->timer->data = verification;
    return verification;
}

void verification_close(struct verification *verification)
{
    engine_close_handle((uv_handle_t *)verification->timer);
    free(verification);
}
