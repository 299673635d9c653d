/* SPDX-License-Identifier: MIT */
/* What a HAProxy that starts now would come back with: the server-state file says what HAProxy says. */
#include <string.h>

#include "rules_parts.h"
#include "slotd/haproxy.h"

#define REST_US (6 * SECOND) /* the longest pause between two writes, 5 s, and the write */

/* What slotd cannot know is not asked: whether checks find it up. */
static bool row_fits(const struct slot_observed *row, const struct server *server)
{
    bool row_in_maint = (row->admin & SLOT_ADMIN_MAINT) != 0;
    bool row_drains = (row->admin & SLOT_ADMIN_DRAIN) != 0;
    return strcmp(row->address, server->address) == 0 && row->port == server->port && row->weight == server->weight &&
           row->check_port == server->check_port && row_in_maint == server_in_maint(server) &&
           row_drains == ((server->admin & SLOT_ADMIN_DRAIN) != 0);
}

static const struct slot_observed *find_row(const struct haproxy_state *state, const char *backend, const char *server)
{
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->servers[i].backend, backend) == 0 && strcmp(state->servers[i].name, server) == 0) {
            return &state->servers[i].observed;
        }
    }
    return NULL;
}

static void check_rows(const struct backend *backend, const struct haproxy_state *state)
{
    for (size_t i = 0; i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        const struct slot_observed *row = find_row(state, backend->name, server->name);
        if (server_is_tainted(server) || (row && row_fits(row, server))) {
            continue;
        }
        broken("kept",
               "%lld ms after the last command the state file has %s/%s at %s:%u, weight %u, state %u, and %s has it "
               "at %s:%u, weight %u, state %u",
               (long long)((now_us() - backend->haproxy->command_us) / MS), backend->name, server->name,
               row ? row->address : "nowhere", row ? row->port : 0u, row ? row->weight : 0u, row ? row->admin : 0u,
               backend->haproxy->name, server->address, (unsigned)server->port, (unsigned)server->weight,
               server->admin);
    }
}

static void check_file(struct haproxy *haproxy)
{
    const struct buf *file = files_get(haproxy->files[STATE_FILE]);
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (!file || haproxy_state_parse(file->data, file->len, &state, &why)) {
        broken("kept", "there is no state file that can be read");
        return;
    }
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        check_rows(&haproxy->backends[b], state);
    }
    haproxy_state_free(state);
}

/* Once for each time of rest. */
void check_kept(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        int64_t since = able_since(haproxy);
        since = since > haproxy->command_us ? since : haproxy->command_us;
        since = since > sim.disk_us ? since : sim.disk_us;
        if (!files_fail && haproxy->kept_us <= since && now_us() - since > REST_US) {
            haproxy->kept_us = now_us();
            check_file(haproxy);
        }
    }
}
