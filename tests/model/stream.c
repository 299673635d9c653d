/* SPDX-License-Identifier: MIT */
/* The stream of Marathon's events, with all that may happen to them on the way. */
#include <string.h>

#include "slotd/mem.h"
#include "traffic.h"

#define MAX_PENDING 4096

static struct pending *first_pending;
static size_t n_pending;
static uint64_t n_events;
static int64_t last_due_us[MAX_APPS + MAX_TASKS];

static void pending_free(struct pending *event)
{
    free(event->name);
    free(event->json);
    free(event);
}

static void event_arrives(struct pending *event)
{
    tell("event", "%.160s", event->json);
    told_event(event);
    client->events->on_event(client->arg, event->name, event->json, strlen(event->json));
    pending_free(event);
}

/* slotd reads it when its loop runs. */
static void event_due(void *arg, uint64_t number)
{
    struct pending **link = &first_pending;
    (void)arg;
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct pending *event = *link;
    if (!event) {
        return;
    }
    *link = event->next;
    n_pending--;
    if (client && client->is_live && event->connects == client->connects) {
        event_arrives(event);
    } else {
        pending_free(event);
    }
}

static void event_wait(void *arg, uint64_t number)
{
    loop_ready(event_due, arg, number);
}

static void pending_add(size_t key, const struct pending *like, int64_t after_us)
{
    struct pending *event = MEM_NEW(struct pending);
    *event = *like;
    event->name = mem_strdup(like->name);
    event->json = mem_strdup(like->json);
    int64_t due = now_us() + after_us;
    /* The events of one task, or one app, keep their order. */
    due = due < last_due_us[key] ? last_due_us[key] : due;
    last_due_us[key] = due;
    event->due_us = due;
    event->number = ++n_events;
    event->next = first_pending;
    first_pending = event;
    n_pending++;
    schedule(due - now_us(), event_wait, NULL, event->number);
}

void client_publish(size_t key, const char *name, char *json, size_t task, enum life state, size_t app,
                    const struct definition *definition)
{
    cleanup_free char *owned = json;
    if (!client || !client->is_subscribed || n_pending >= MAX_PENDING) {
        return;
    }
    if (!sim.is_calm && marathon.lose > 0) {
        marathon.lose--;
        count_fault(FAULT_EVENT_LOST);
        tell("event", "lost: %.160s", json);
        return;
    }
    struct pending like = {.key = key,
                           .made_us = now_us(),
                           .name = (char *)(uintptr_t)name,
                           .json = owned,
                           .task = task,
                           .app = app,
                           .state = state,
                           .connects = client->connects,
                           .has_definition = definition != NULL};
    if (definition) {
        like.definition = *definition;
    }
    int64_t after = chance_delay(&client_luck, 50, 20 * MS);
    if (!sim.is_calm && marathon.delay > 0) {
        marathon.delay--;
        count_fault(FAULT_EVENT_DELAYED);
        after = chance_delay(&client_luck, 10 * MS, 3 * SECOND);
    }
    pending_add(key, &like, after);
    if (!sim.is_calm && marathon.twice > 0) {
        marathon.twice--;
        count_fault(FAULT_EVENT_DOUBLED);
        pending_add(key, &like, after + chance_delay(&client_luck, 0, 500 * MS));
    }
}

static void client_went_live(void *arg, uint64_t connects)
{
    (void)arg;
    if (!client || client->connects != connects || !client->is_subscribed) {
        return;
    }
    static const char attached[] = "{\"eventType\":\"event_stream_attached\",\"remoteAddress\":\"127.0.0.1\"}";
    client->is_live = true;
    tell("stream", "is live");
    rules_note_live();
    client->events->on_event(client->arg, "event_stream_attached", attached, sizeof(attached) - 1);
    client->events->on_live(client->arg, "http://m1");
}

static void client_answered(void *arg, uint64_t connects)
{
    loop_ready(client_went_live, arg, connects);
}

void stream_connect(void *arg, uint64_t connects)
{
    (void)arg;
    if (!client || client->connects != connects) {
        return;
    }
    if (!marathon.is_up) {
        schedule(chance_delay(&client_luck, 100 * MS, 2 * SECOND), stream_connect, NULL, connects);
        return;
    }
    client->is_subscribed = true;
    schedule(chance_delay(&client_luck, 100, 50 * MS), client_answered, NULL, connects);
}

static void client_lost(void *arg, uint64_t connects)
{
    (void)arg;
    if (client && client->connects == connects) {
        client->events->on_lost(client->arg, "the stream has ended");
    }
}

/* What was on its way is lost. */
void client_lose(const char *why)
{
    if (!client || !client->is_subscribed) {
        return;
    }
    tell("stream", "is cut: %s", why);
    client->is_live = client->is_subscribed = false;
    client->connects++;
    loop_ready(client_lost, NULL, client->connects);
    schedule(chance_delay(&client_luck, 50 * MS, 3 * SECOND), stream_connect, NULL, client->connects);
}

void marathon_cut_stream(void)
{
    count_fault(FAULT_STREAM_CUT);
    client_lose("a cut");
}

int64_t stream_last_due(int64_t made_us)
{
    int64_t last = 0;
    for (const struct pending *event = first_pending; event; event = event->next) {
        last = event->made_us <= made_us && event->due_us > last ? event->due_us : last;
    }
    return last;
}

void stream_reset(void)
{
    while (first_pending) {
        struct pending *next = first_pending->next;
        pending_free(first_pending);
        first_pending = next;
    }
    n_pending = 0;
    memset(last_due_us, 0, sizeof(last_due_us));
}
