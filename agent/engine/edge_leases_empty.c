/* SPDX-License-Identifier: MIT */
/* Whether a request is left in a backend that nothing leads to any more. One that waits to be tried again after a
 * refused connection, or for a free server, is in no slot; HAProxy would send it to the next app's tasks. */
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define EMPTY_PAUSE_MS 100 /* between two questions about a backend that is not empty yet */

struct empty_question {
    struct edge_backend *backend;
    unsigned epoch;
};

static void backend_ask_later(struct edge_backend *backend)
{
    struct edge_leasing *leasing = &backend->edge->leasing;
    uint64_t now = uv_now(backend->edge->engine->loop);
    backend->ask_ms = now + EMPTY_PAUSE_MS;
    if (leasing->ask_ms <= now || backend->ask_ms < leasing->ask_ms) {
        leasing->ask_ms = backend->ask_ms;
    }
}

static void empty_replied(void *arg, int err, const char *reply, size_t len)
{
    struct empty_question *question = arg;
    struct edge_backend *backend = question->backend;
    bool current = question->epoch == backend->edge->epoch;
    int64_t sessions = 0;
    cleanup_buf struct buf why = BUF_INIT;
    free(question);
    backend->asking = false;
    if (err || !current) {
        return;
    }
    if (haproxy_backend_parse(reply, len, &sessions, &why)) {
        log_warning("haproxy", "%s: the sessions of backend %s cannot be read: %s", backend->edge->config->name,
                    backend->name, buf_text(&why));
        sessions = 1;
    }
    backend->empty = sessions == 0;
    if (!backend->empty) {
        backend_ask_later(backend);
    }
}

bool backend_is_empty(struct edge_backend *backend)
{
    struct edge *edge = backend->edge;
    if (!backend->empty && !backend->asking && backend->ask_ms <= uv_now(edge->engine->loop)) {
        struct empty_question *question = MEM_NEW(struct empty_question);
        cleanup_free char *line = mem_printf("show stat %s 2 -1", backend->name);
        *question = (struct empty_question){backend, edge->epoch};
        backend->asking = true;
        haproxy_connection_send(edge->connection, line, empty_replied, question);
    }
    return backend->empty;
}
