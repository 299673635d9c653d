/* SPDX-License-Identifier: MIT */
/* What is on its way between Marathon and slotd: events and answers, for the files that stand in place of slotd's
 * client. */
#ifndef SLOTD_TESTS_MODEL_TRAFFIC_H
#define SLOTD_TESTS_MODEL_TRAFFIC_H

#include "model.h"
#include "slotd/client.h"

struct client {
    const struct client_events *events;
    void *arg;
    bool is_live, is_subscribed;
    uint64_t connects;
};
extern struct client *client; /* of the slotd that runs, or NULL */
extern struct chance client_luck;

/* An event on its way. */
struct pending {
    size_t key;
    int64_t made_us, due_us;
    char *name, *json;
    size_t task, app;
    enum life state;
    struct definition definition;
    bool has_definition;
    uint64_t connects, number;
    struct pending *next;
};
/* When the last event is there that was made until then; 0: none of them is on its way. */
int64_t stream_last_due(int64_t made_us);
/* A happening: the client that has that number of connects asks for the stream. */
void stream_connect(void *arg, uint64_t connects);
void stream_reset(void);

struct client_fetch {
    enum client_fetch_kind kind;
    size_t app;
    const struct client_fetch_events *events;
    void *arg;
    int64_t sent_us;
    uint64_t number;
    struct snapshot snapshot;
    size_t next_app;
    bool fails, cuts;
    size_t malformed;
    struct client_fetch *next;
};
void answers_reset(void);
/* Of the next run. */
void answers_forget_old(void);
uint64_t answers_count(void);

/* ---- what slotd is told, by receipt ---- */

void told_event(const struct pending *event);
/* The answer tells of that app. */
void told_listed(const struct client_fetch *fetch, size_t app);
/* Of that app the answer says what cannot be read. */
void told_malformed(size_t app);
/* A complete answer: what it does not list is absent. */
void told_complete(const struct client_fetch *fetch);
void told_reset(void);

#endif
