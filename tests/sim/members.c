/* SPDX-License-Identifier: MIT */
/* One or two Marathons of one cluster: where each listens, which of them leads, and elections. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

/* ---- listening ---- */

static void member_closed(uv_handle_t *handle)
{
    free(handle);
}

/* At the port that it had before, if any. */
static int member_listen(struct member *member)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    member->server = MEM_NEW(uv_tcp_t);
    uv_tcp_init(member->sim->loop, member->server);
    member->server->data = member;
    int err = uv_ip4_addr(member->host, member->port, &address);
    err = err ? err : uv_tcp_bind(member->server, (const struct sockaddr *)&address, 0);
    err = err ? err : uv_listen((uv_stream_t *)member->server, 512, http_accept);
    err = err ? err : uv_tcp_getsockname(member->server, (struct sockaddr *)&address, &len);
    member->port = ntohs(address.sin_port);
    return err;
}

int members_add(struct sim *sim, const char *listen)
{
    struct member *member = &sim->members[sim->n_members];
    const char *colon = strrchr(listen, ':');
    member->sim = sim;
    member->is_standby = sim->n_members++ > 0;
    member->host = mem_strndup(listen, colon ? (size_t)(colon - listen) : strlen(listen));
    member->port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    int err = member_listen(member);
    if (err) {
        fprintf(stderr, "marathon-sim: %s: %s\n", listen, uv_strerror(err));
        return err;
    }
    member->address = mem_printf("%s:%d", member->host, member->port);
    return 0;
}

/* ---- elections ---- */

/* Its process ends: nobody listens there any more, every connection is closed but that of who asked for it. */
static void member_die(const struct member *member, const struct http_peer *asking)
{
    struct http_peer *next = NULL;
    events_drop_streams(member->sim);
    uv_close((uv_handle_t *)member->server, member_closed);
    for (struct http_peer *peer = member->sim->peers; peer; peer = next) {
        next = peer->next;
        if (peer->member == member && peer != asking) {
            http_close_peer(peer);
        }
    }
}

/* The other one leads, and that which died is back as a standby. */
static void members_elected(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    for (size_t i = 0; i < sim->n_members; i++) {
        struct member *member = &sim->members[i];
        member->is_standby = !member->is_standby;
        if (member->is_standby && member_listen(member)) {
            fprintf(stderr, "marathon-sim: %s is taken by somebody else\n", member->address);
            abort();
        }
        if (!member->is_standby) {
            free(sim->leader);
            sim->leader = mem_printf("http://%s", member->address);
        }
    }
    checks_forget(sim);
    sim_close_timer(&sim->election);
}

bool members_elect(struct sim *sim, uint64_t gap_ms, const struct http_peer *asking)
{
    if (sim->n_members < 2 || sim->election) {
        return false;
    }
    member_die(&sim->members[sim->members[0].is_standby ? 1 : 0], asking);
    sim->election = sim_new_timer(sim, sim);
    uv_timer_start(sim->election, members_elected, gap_ms, 0);
    return true;
}
