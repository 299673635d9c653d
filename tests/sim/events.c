/* SPDX-License-Identifier: MIT */
/* The event stream: framing and events as a real Marathon sends them. */
#include <string.h>

#include "sim.h"

static void stream_keepalive(uv_timer_t *timer)
{
    struct http_peer *peer = timer->data;
    if (!peer->sim->silent) {
        http_send(peer, "\r\n", 2);
    }
}

static void stream_send(struct http_peer *peer, const char *name, struct json_object *event)
{
    cleanup_buf struct buf text = BUF_INIT;
    buf_printf(&text, "event: %s\r\ndata: %s\r\n\r\n", name,
               json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    http_send(peer, text.data, text.len);
}

void events_send(struct sim *sim, const char *name, struct json_object *event)
{
    cleanup_free char *time = sim_time(sim_now_ms());
    struct http_peer *next = NULL;
    json_object_object_add(event, "eventType", json_object_new_string(name));
    json_object_object_add(event, "timestamp", json_object_new_string(time));
    sim->events++;
    for (struct http_peer *peer = sim->peers; peer && !sim->silent; peer = next) {
        next = peer->next;
        if (peer->is_stream) {
            stream_send(peer, name, event);
        }
    }
    json_object_put(event);
}

static void stream_attached(uv_timer_t *timer)
{
    struct http_peer *peer = timer->data;
    struct json_object *event = json_object_new_object();
    json_object_object_add(event, "remoteAddress", json_object_new_string("127.0.0.1"));
    events_send(peer->sim, "event_stream_attached", event);
    uv_timer_start(timer, stream_keepalive, (uint64_t)peer->sim->options.keepalive_ms,
                   (uint64_t)peer->sim->options.keepalive_ms);
}

void events_attach(struct http_peer *peer)
{
    static const char type[] = "Content-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n\r\n";
    cleanup_buf struct buf head = BUF_INIT;
    buf_printf(&head, "HTTP/1.1 200 OK\r\nX-Marathon-Leader: %s\r\n%s", peer->sim->leader, type);
    http_send(peer, head.data, head.len);
    peer->is_stream = true;
    peer->sim->streams++;
    peer->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(peer->sim->loop, peer->timer);
    peer->timer->data = peer;
    uv_timer_start(peer->timer, stream_attached, (uint64_t)peer->sim->options.attach_delay_ms, 0);
}

void events_drop_streams(struct sim *sim)
{
    struct http_peer *next = NULL;
    for (struct http_peer *peer = sim->peers; peer; peer = next) {
        next = peer->next;
        if (peer->is_stream) {
            http_close_peer(peer);
        }
    }
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void events_status(struct task *task, const char *status)
{
    struct json_object *event = json_object_new_object();
    struct json_object *ports = json_object_new_array();
    struct json_object *addresses = json_object_new_array();
    struct json_object *address = json_object_new_object();
    add_text(address, "ipAddress", "172.17.0.2");
    add_text(address, "protocol", "IPv4");
    json_object_array_add(addresses, address);
    json_object_array_add(ports, json_object_new_int(task->port));
    add_text(event, "slaveId", "b1f0a7c4-S0");
    add_text(event, "taskId", task->id);
    add_text(event, "taskStatus", status);
    add_text(event, "message", "");
    add_text(event, "appId", task->app_id);
    add_text(event, "host", task->host);
    json_object_object_add(event, "ipAddresses", addresses);
    json_object_object_add(event, "ports", ports);
    add_text(event, "version", task->version);
    events_send(task->sim, "status_update_event", event);
}

void events_instance(struct task *task, const char *condition)
{
    bool placed = strcmp(condition, "Scheduled") != 0;
    struct json_object *event = json_object_new_object();
    add_text(event, "instanceId", task->instance);
    add_text(event, "condition", condition);
    add_text(event, "runSpecId", task->app_id);
    add_text(event, "agentId", placed ? "b1f0a7c4-S0" : NULL);
    add_text(event, "host", placed ? task->host : NULL);
    add_text(event, "runSpecVersion", task->version);
    events_send(task->sim, "instance_changed_event", event);
}
