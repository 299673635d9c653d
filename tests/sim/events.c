/* SPDX-License-Identifier: MIT */
/* The event stream: framing, subscribers, filters and keep-alives as a real Marathon has them. */
#include <string.h>

#include "sim.h"

static void stream_keepalive(uv_timer_t *timer)
{
    struct http_peer *peer = timer->data;
    const struct replay *replay = peer->sim->replay;
    if (!peer->sim->silent && (!replay || replay_is_between_events(replay))) {
        http_send(peer, "\r\n", 2);
    }
}

/* No filter lets everything through; a list in one value is the name of no event. */
static bool stream_wants(const struct http_peer *peer, const char *name)
{
    for (size_t i = 0; i < peer->n_event_types; i++) {
        if (strcmp(peer->event_types[i], name) == 0) {
            return true;
        }
    }
    return peer->n_event_types == 0;
}

static void stream_read_filter(struct http_peer *peer)
{
    size_t capacity = 0;
    char *value = http_query_nth(peer, "event_type", 0);
    while (value) {
        MEM_GROW(peer->event_types, capacity, peer->n_event_types + 1);
        peer->event_types[peer->n_event_types++] = value;
        value = http_query_nth(peer, "event_type", peer->n_event_types);
    }
}

void events_send(struct sim *sim, const char *name, struct json_object *event)
{
    cleanup_free char *time = sim_time(sim_now_ms());
    cleanup_buf struct buf text = BUF_INIT;
    struct http_peer *next = NULL;
    json_object_object_add(event, "eventType", json_object_new_string(name));
    json_object_object_add(event, "timestamp", json_object_new_string(time));
    buf_printf(&text, "event: %s\r\ndata: %s\r\n\r\n", name,
               json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    sim->events++;
    for (struct http_peer *peer = sim->peers; peer && !sim->silent && !sim->replay; peer = next) {
        next = peer->next;
        if (peer->is_stream && stream_wants(peer, name)) {
            http_send(peer, text.data, text.len);
        }
    }
    json_object_put(event);
}

static void say_remote(struct sim *sim, const char *name)
{
    struct json_object *event = json_object_new_object();
    json_object_object_add(event, "remoteAddress", json_object_new_string("127.0.0.1"));
    events_send(sim, name, event);
}

static void stream_attached(uv_timer_t *timer)
{
    struct http_peer *peer = timer->data;
    uint64_t keepalive_ms = (uint64_t)peer->sim->options.keepalive_ms;
    uv_timer_start(timer, stream_keepalive, keepalive_ms, keepalive_ms);
    if (peer->sim->replay) {
        replay_attach(peer);
    } else {
        say_remote(peer->sim, "event_stream_attached");
    }
}

void events_attach(struct http_peer *peer)
{
    http_start_stream(peer);
    stream_read_filter(peer);
    peer->is_stream = true;
    peer->close_after = false;
    peer->replay_from = SIZE_MAX;
    peer->sim->streams++;
    peer->timer = sim_new_timer(peer->sim, peer);
    uv_timer_start(peer->timer, stream_attached, (uint64_t)peer->sim->options.attach_delay_ms, 0);
}

void events_detached(struct sim *sim)
{
    say_remote(sim, "event_stream_detached");
}

void events_drop_streams(struct sim *sim)
{
    struct http_peer *next = NULL;
    for (struct http_peer *peer = sim->peers; peer; peer = next) {
        next = peer->next;
        if (peer->is_stream) {
            /* Nobody is left to be told of it. */
            peer->is_stream = false;
            http_close_peer(peer);
        }
    }
}
