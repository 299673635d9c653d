/* SPDX-License-Identifier: MIT */
/* What was refused: the slot may be in any state, so slotd reads it before it does anything more with it. */
#include <string.h>

#include "../../agent/haproxy/connection_private.h"
#include "../../agent/slots/slots_private.h"
#include "rules_parts.h"

#define ROW_US (90 * SECOND) /* refusals further apart are no row: a slot that was set aside has been tried again */

/* Lines wait in slotd that may be older than what it reads now. */
static bool lines_wait(const struct haproxy *haproxy)
{
    const struct edge *edge = slotd_edge(haproxy);
    return edge && edge->connection && edge->connection->unsent;
}

void rules_note_refused(const struct wire *wire, const char *words, struct server *server)
{
    struct refusal *refusal = &server->refusal;
    /* Which other server's checks it follows is all that this tells. */
    if (strncmp(words, "health ", 7) == 0 || !wire->stream) {
        return;
    }
    refusal->in_row = now_us() - refusal->at_us < ROW_US ? refusal->in_row + 1 : 1;
    refusal->at_us = now_us();
    refusal->wire = wire->number;
    refusal->known_us = 0;
}

void rules_note_read(const struct wire *wire)
{
    struct haproxy *haproxy = wire->haproxy;
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
            struct refusal *refusal = &haproxy->backends[b].servers[i].refusal;
            if (refusal->wire == wire->number && refusal->known_us == 0) {
                refusal->known_us = now_us();
                refusal->known_at = lines_wait(haproxy) ? UINT64_MAX : wire->taken + wire->input.len;
            }
        }
    }
}

void rules_note_shown(struct backend *backend)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        backend->servers[i].refusal.wire = 0;
    }
}

void rules_check_use(const struct wire *wire, const char *words, const struct backend *backend,
                     const struct server *server)
{
    const struct refusal *refusal = &server->refusal;
    if (refusal->wire == wire->number && refusal->known_us > 0 && wire->line_at >= refusal->known_at) {
        broken("reread", "%s/%s %s: a command for it was refused %lld ms ago, and it was not read since", backend->name,
               server->name, words, (long long)((now_us() - refusal->at_us) / MS));
    }
}

static void check_refusal(const struct backend *backend, struct server *server, int64_t since)
{
    struct refusal *refusal = &server->refusal;
    /* One that refuses again and again is set aside. */
    if (refusal->wire == 0 || refusal->known_us == 0 || refusal->in_row >= SLOTS_MAX_FAILURES) {
        return;
    }
    /* With the connection it was given up; the next one begins with a look at everything. */
    int64_t from = refusal->known_us > since ? refusal->known_us : since;
    if (now_us() - from > GONE_GRACE) {
        broken("reread", "a command for %s/%s was refused %lld ms ago, and it was not read since", backend->name,
               server->name, (long long)((now_us() - refusal->at_us) / MS));
    }
}

void check_refusals(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        int64_t since = able_since(haproxy);
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            for (size_t i = 0; i < haproxy->backends[b].n_servers; i++) {
                check_refusal(&haproxy->backends[b], &haproxy->backends[b].servers[i], since);
            }
        }
    }
}
