/* SPDX-License-Identifier: MIT */
/* Marathon as slotd meets it, in place of agent/marathon/client*.c: the connection's life. */
#include "slotd/mem.h"
#include "traffic.h"

struct client *client;
struct chance client_luck;

int client_new(uv_loop_t *loop, const struct config_marathon *config, const struct client_events *events, void *arg,
               struct client **ret_client)
{
    (void)loop;
    (void)config;
    client = MEM_NEW(struct client);
    client->events = events;
    client->arg = arg;
    client->connects = 1 + answers_count() * 1000;
    *ret_client = client;
    return 0;
}

void client_start(struct client *own)
{
    schedule(chance_delay(&client_luck, MS, 100 * MS), stream_connect, NULL, own->connects);
}

void client_borrow_config(struct client *own, const struct config_marathon *config)
{
    (void)own;
    (void)config;
}

struct client_status client_get_status(const struct client *own)
{
    return (struct client_status){.endpoint = "http://m1", .leader = "", .live = own->is_live, .error = ""};
}

void client_close(struct client *own)
{
    if (client == own) {
        client = NULL;
    }
    free(own);
}

void client_reset(void)
{
    answers_reset();
    stream_reset();
    told_reset();
}

void client_begin(void)
{
    chance_seed(&client_luck, sim.seed, 4);
    answers_forget_old();
}
