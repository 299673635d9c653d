/* SPDX-License-Identifier: MIT */
/* The control API of the simulator: what tests do to the cluster and to the connection. See README.md. */
#include <string.h>

#include "sim.h"

static void answer_good(struct http_peer *peer)
{
    http_answer(peer, 200, "OK", "", "application/json", "{}", 2);
}

static void answer_bad(struct http_peer *peer, const char *message)
{
    http_answer(peer, 400, "Bad Request", "", "text/plain", message, strlen(message));
}

/* ---- faults ---- */

static const char html[] =
    "<html><head><title>Error 502</title></head><body>Connection to leader refused.</body></html>";

static void delayed_send(uv_timer_t *timer)
{
    struct http_peer *peer = timer->data;
    sim_close_timer(&peer->timer);
    http_send(peer, peer->delayed.data, peer->delayed.len);
    buf_clear(&peer->delayed);
}

static void peer_start_timer(struct http_peer *peer, int after_ms, int repeat_ms, uv_timer_cb then)
{
    peer->timer = MEM_NEW(uv_timer_t);
    uv_timer_init(peer->sim->loop, peer->timer);
    peer->timer->data = peer;
    uv_timer_start(peer->timer, then, (uint64_t)after_ms, (uint64_t)repeat_ms);
}

static void drip_send(uv_timer_t *timer)
{
    struct http_peer *peer = timer->data;
    size_t part = peer->delayed.len < 200 ? peer->delayed.len : 200;
    http_send(peer, peer->delayed.data, part);
    buf_consume(&peer->delayed, part);
    if (peer->delayed.len == 0) {
        sim_close_timer(&peer->timer);
    }
}

/* Promises the whole body and sends half of it. */
static void answer_half(struct http_peer *peer, const char *body, size_t len, bool close)
{
    cleanup_buf struct buf answer = BUF_INIT;
    buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    buf_append(&answer, body, len / 2);
    peer->close_after = close;
    http_send(peer, answer.data, answer.len);
    if (!close) {
        peer_start_timer(peer, 3600 * 1000, 0, delayed_send);
    }
}

static void answer_late(struct http_peer *peer, const struct fault *fault, const char *body, size_t len, bool drip)
{
    buf_clear(&peer->delayed);
    buf_printf(&peer->delayed, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    buf_append(&peer->delayed, body, len);
    peer_start_timer(peer, fault->delay_ms, drip ? 5 : 0, drip ? drip_send : delayed_send);
}

static void fault_answer(struct http_peer *peer, const struct fault *fault, const char *body, size_t len)
{
    if (strcmp(fault->kind, "500") == 0) {
        http_answer(peer, 500, "Server Error", "", "application/json", "{\"message\":\"trouble\"}", 21);
    } else if (strcmp(fault->kind, "html") == 0) {
        http_answer(peer, 200, "OK", "", "text/html", html, sizeof(html) - 1);
    } else if (strcmp(fault->kind, "502") == 0) {
        http_answer(peer, 502, "Bad Gateway", "", "text/html", html, sizeof(html) - 1);
    } else if (strcmp(fault->kind, "garbage") == 0) {
        http_answer(peer, 200, "OK", "", "application/json", "\x00\xff{]]garbage", 12);
    } else if (strcmp(fault->kind, "half-json") == 0) {
        http_answer(peer, 200, "OK", "", "application/json", body, len / 2);
    } else if (strcmp(fault->kind, "empty") == 0) {
        http_answer(peer, 200, "OK", "", "application/json", "{\"apps\":[]}", 11);
    } else if (strcmp(fault->kind, "cut") == 0) {
        answer_half(peer, body, len, true);
    } else if (strcmp(fault->kind, "stall") == 0) {
        answer_half(peer, body, len, false);
    } else if (strcmp(fault->kind, "slow") == 0 || strcmp(fault->kind, "drip") == 0) {
        answer_late(peer, fault, body, len, fault->kind[0] == 'd');
    } else {
        http_close_peer(peer);
    }
}

bool faults_apply(struct http_peer *peer, const char *body, size_t len)
{
    for (struct fault **link = &peer->sim->faults; *link; link = &(*link)->next) {
        struct fault *fault = *link;
        if (strcmp(fault->path, peer->path) != 0) {
            continue;
        }
        fault_answer(peer, fault, body, len);
        if (fault->count > 0 && --fault->count == 0) {
            *link = fault->next;
            free(fault->path);
            free(fault->kind);
            free(fault);
        }
        return true;
    }
    return false;
}

static void control_add_fault(struct http_peer *peer)
{
    cleanup_free char *path = http_query(peer, "path");
    cleanup_free char *kind = http_query(peer, "kind");
    cleanup_free char *count = http_query(peer, "count");
    cleanup_free char *delay = http_query(peer, "delay_ms");
    if (!path || !kind) {
        answer_bad(peer, "path and kind are needed");
        return;
    }
    struct fault *fault = MEM_NEW(struct fault);
    fault->path = mem_strdup(path);
    fault->kind = mem_strdup(kind);
    fault->count = count ? (int)strtol(count, NULL, 10) : 0;
    fault->delay_ms = delay ? (int)strtol(delay, NULL, 10) : 0;
    fault->next = peer->sim->faults;
    peer->sim->faults = fault;
    answer_good(peer);
}

static void control_clear_faults(struct http_peer *peer)
{
    struct sim *sim = peer->sim;
    while (sim->faults) {
        struct fault *next = sim->faults->next;
        free(sim->faults->path);
        free(sim->faults->kind);
        free(sim->faults);
        sim->faults = next;
    }
    sim->silent = false;
    answer_good(peer);
}

/* ---- tasks ---- */

static struct task *wanted_task(struct http_peer *peer)
{
    cleanup_free char *id = http_query(peer, "task");
    struct task *task = id ? model_find_task(peer->sim, id) : NULL;
    if (!task) {
        answer_bad(peer, "there is no such task");
    }
    return task;
}

static void control_task(struct http_peer *peer, const char *action)
{
    struct task *task = wanted_task(peer);
    if (!task) {
        return;
    }
    if (strcmp(action, "fail") == 0) {
        model_fail_task(task);
    } else if (strcmp(action, "kill") == 0) {
        model_kill_task(task, false);
    } else {
        model_set_reachable(task, strcmp(action, "reachable") == 0);
    }
    answer_good(peer);
}

/* Forgets a task without a word, as if its events had been lost. */
static void control_lose(struct http_peer *peer)
{
    struct task *task = wanted_task(peer);
    if (task) {
        events_drop_streams(peer->sim);
        model_fail_task(task);
        answer_good(peer);
    }
}

/* ---- the stream ---- */

static void control_event(struct http_peer *peer)
{
    struct http_peer *next = NULL;
    for (struct http_peer *stream = peer->sim->peers; stream; stream = next) {
        next = stream->next;
        if (stream->is_stream) {
            http_send(stream, peer->body, peer->body_len);
        }
    }
    answer_good(peer);
}

static void control_burst(struct http_peer *peer)
{
    cleanup_free char *count = http_query(peer, "n");
    long n = count ? strtol(count, NULL, 10) : 1000;
    for (long i = 0; i < n;) {
        struct task *task = peer->sim->tasks;
        for (; task && i < n; task = task->next, i++) {
            events_status(task, "TASK_RUNNING");
        }
        if (!peer->sim->tasks) {
            break;
        }
    }
    answer_good(peer);
}

static void control_stats(struct http_peer *peer)
{
    const struct sim *sim = peer->sim;
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "requests", json_object_new_int64((int64_t)sim->requests));
    json_object_object_add(object, "fetches", json_object_new_int64((int64_t)sim->fetches));
    json_object_object_add(object, "single_fetches", json_object_new_int64((int64_t)sim->single_fetches));
    json_object_object_add(object, "streams", json_object_new_int64((int64_t)sim->streams));
    json_object_object_add(object, "events", json_object_new_int64((int64_t)sim->events));
    json_object_object_add(object, "settled", json_object_new_boolean(model_is_settled(sim)));
    http_answer_json(peer, 200, "OK", "", object);
}

static void control_apps(struct http_peer *peer)
{
    free(peer->sim->raw_apps);
    peer->sim->raw_apps = peer->body_len > 0 ? mem_strndup(peer->body, peer->body_len) : NULL;
    answer_good(peer);
}

static void control_leader(struct http_peer *peer)
{
    cleanup_free char *url = http_query(peer, "url");
    free(peer->sim->leader);
    peer->sim->leader = mem_strdup(url ? url : "http://127.0.0.1:8080");
    events_drop_streams(peer->sim);
    answer_good(peer);
}

static void control_streams(struct http_peer *peer)
{
    events_drop_streams(peer->sim);
    answer_good(peer);
}

static void control_silence(struct http_peer *peer)
{
    peer->sim->silent = true;
    answer_good(peer);
}

void control_handle(struct http_peer *peer)
{
    static const struct {
        const char *name;
        void (*handle)(struct http_peer *peer);
    } actions[] = {
        {"fault", control_add_fault}, {"clear", control_clear_faults}, {"lose", control_lose},
        {"event", control_event},     {"burst", control_burst},        {"stats", control_stats},
        {"apps", control_apps},       {"leader", control_leader},      {"drop-streams", control_streams},
        {"silence", control_silence},
    };
    const char *action = peer->path + 5;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, action) == 0) {
            actions[i].handle(peer);
            return;
        }
    }
    if (strcmp(action, "fail") == 0 || strcmp(action, "kill") == 0 || strcmp(action, "unreachable") == 0 ||
        strcmp(action, "reachable") == 0) {
        control_task(peer, action);
    } else {
        answer_bad(peer, "there is no such action");
    }
}
