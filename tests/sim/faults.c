/* SPDX-License-Identifier: MIT */
/* Faults on demand: what a test has ordered is answered in the place of what is true. */
#include <string.h>

#include "sim.h"

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
    peer->timer = sim_new_timer(peer->sim, peer);
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

/* A gzip stream of which only the first half is there: whole by HTTP, or cut off with the connection. */
static void answer_half_gzip(struct http_peer *peer, const char *body, size_t len, bool close)
{
    cleanup_buf struct buf packed = BUF_INIT;
    http_gzip(body, len, &packed);
    if (!close) {
        http_answer_gzip(peer, packed.data, packed.len / 2);
        return;
    }
    cleanup_buf struct buf answer = BUF_INIT;
    buf_printf(&answer,
               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
               "Transfer-Encoding: chunked\r\n\r\n%zX\r\n",
               packed.len);
    buf_append(&answer, packed.data, packed.len / 2);
    peer->close_after = true;
    http_send(peer, answer.data, answer.len);
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
    } else if (strcmp(fault->kind, "gzip-cut") == 0 || strcmp(fault->kind, "gzip-torn") == 0) {
        answer_half_gzip(peer, body, len, strcmp(fault->kind, "gzip-torn") == 0);
    } else if (strcmp(fault->kind, "gzip-garbage") == 0) {
        http_answer_gzip(peer, "\x1f\x8b\x08\x00no gzip stream at all", 25);
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

void faults_add(struct http_peer *peer)
{
    cleanup_free char *path = http_query(peer, "path");
    cleanup_free char *kind = http_query(peer, "kind");
    cleanup_free char *count = http_query(peer, "count");
    cleanup_free char *delay = http_query(peer, "delay_ms");
    if (!path || !kind) {
        http_answer(peer, 400, "Bad Request", "", "text/plain", "path and kind are needed", 24);
        return;
    }
    struct fault *fault = MEM_NEW(struct fault);
    fault->path = mem_strdup(path);
    fault->kind = mem_strdup(kind);
    fault->count = count ? (int)strtol(count, NULL, 10) : 0;
    fault->delay_ms = delay ? (int)strtol(delay, NULL, 10) : 0;
    fault->next = peer->sim->faults;
    peer->sim->faults = fault;
    http_answer(peer, 200, "OK", "", "application/json", "{}", 2);
}

void faults_clear(struct sim *sim)
{
    while (sim->faults) {
        struct fault *next = sim->faults->next;
        free(sim->faults->path);
        free(sim->faults->kind);
        free(sim->faults);
        sim->faults = next;
    }
}
