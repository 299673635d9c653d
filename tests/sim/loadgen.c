/* SPDX-License-Identifier: MIT */
/* A steady load: sends requests at a rate until SIGTERM, counts every one of them, prints one JSON line. */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/mem.h"

#define LOAD_TIMEOUT_MS 10000
#define LOAD_MAX_SAMPLES 2000000

enum outcome { OUTCOME_GOOD, OUTCOME_STATUS, OUTCOME_CONNECT, OUTCOME_RESET, OUTCOME_TIMEOUT, N_OUTCOMES };
static const char *const outcome_names[N_OUTCOMES] = {"good", "bad_status", "connect_failed", "reset", "timeout"};

struct load {
    uv_loop_t *loop;
    struct sockaddr_in address;
    const char *host, *path;
    int rate, keepalive; /* percent of requests on kept connections */
    bool verbose;
    uv_timer_t tick;
    uint64_t began_ms, sent, done;
    uint64_t outcomes[N_OUTCOMES];
    struct user *idle; /* kept connections at rest */
    unsigned open;
    double *latencies;
    size_t n_latencies;
    bool stopping;
};

/* One connection with at most one request in flight. */
struct user {
    struct load *load;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct buf answer;
    uint64_t sent_ns;
    bool keep, busy, closing;
    struct user *next;
};

static void user_send(struct user *user);

static void user_closed(uv_handle_t *handle)
{
    struct user *user = handle->data;
    buf_free(&user->answer);
    user->load->open--;
    free(user);
}

static void user_close(struct user *user)
{
    if (!user->closing) {
        user->closing = true;
        for (struct user **link = &user->load->idle; *link; link = &(*link)->next) {
            if (*link == user) {
                *link = user->next;
                break;
            }
        }
        uv_close((uv_handle_t *)&user->tcp, user_closed);
    }
}

static void load_stop_if_done(struct load *load)
{
    if (load->stopping && load->done == load->sent) {
        uv_stop(load->loop);
    }
}

static void user_finish(struct user *user, enum outcome outcome, const char *detail)
{
    struct load *load = user->load;
    user->busy = false;
    load->done++;
    load->outcomes[outcome]++;
    if (outcome == OUTCOME_GOOD && load->n_latencies < LOAD_MAX_SAMPLES) {
        load->latencies[load->n_latencies++] = (double)(uv_hrtime() - user->sent_ns) / 1e6;
    } else if (outcome != OUTCOME_GOOD && load->verbose) {
        fprintf(stderr, "%llu ms: %s on a %s connection: %.200s\n",
                (unsigned long long)(uv_now(load->loop) - load->began_ms), outcome_names[outcome],
                user->keep ? "kept" : "new", detail);
    }
    if (outcome == OUTCOME_GOOD && user->keep) {
        buf_clear(&user->answer);
        user->next = load->idle;
        load->idle = user;
    } else {
        user_close(user);
    }
    load_stop_if_done(load);
}

/* Whether the answer in hand is complete. */
static bool answer_is_complete(const struct buf *answer)
{
    const char *end = strstr(buf_text(answer), "\r\n\r\n");
    const char *length = end ? strcasestr(answer->data, "content-length:") : NULL;
    return length && length < end && answer->len >= (size_t)(end - answer->data) + 4 + strtoul(length + 15, NULL, 10);
}

static void user_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    struct user *user = handle->data;
    (void)suggested;
    *part = uv_buf_init(buf_reserve(&user->answer, 4096), 4096);
}

static void user_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct user *user = stream->data;
    (void)part;
    if (n_read > 0) {
        buf_commit(&user->answer, (size_t)n_read);
    }
    bool complete = user->busy && answer_is_complete(&user->answer);
    if (complete || (n_read < 0 && user->busy && user->answer.len > 12)) {
        bool good = strncmp(buf_text(&user->answer), "HTTP/1.1 200", 12) == 0;
        user_finish(user, good ? OUTCOME_GOOD : OUTCOME_STATUS, buf_text(&user->answer));
    } else if (n_read < 0 && user->busy) {
        user_finish(user, OUTCOME_RESET, uv_strerror((int)n_read));
    }
    if (n_read < 0) {
        user_close(user);
    }
}

static void user_written(uv_write_t *request, int status)
{
    struct user *user = request->data;
    if (status < 0 && user->busy && !user->closing) {
        user_finish(user, OUTCOME_RESET, uv_strerror(status));
    }
}

static void user_send(struct user *user)
{
    static char text[2048];
    int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", user->load->path, user->load->host,
                       user->keep ? "" : "Connection: close\r\n");
    uv_buf_t part = uv_buf_init(text, (unsigned)len);
    user->write.data = user;
    if (uv_write(&user->write, (uv_stream_t *)&user->tcp, &part, 1, user_written)) {
        user_finish(user, OUTCOME_RESET, "write");
    }
}

static void user_connected(uv_connect_t *request, int status)
{
    struct user *user = request->data;
    if (user->closing) {
        return;
    }
    if (status < 0) {
        user_finish(user, OUTCOME_CONNECT, uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&user->tcp, 1);
    uv_read_start((uv_stream_t *)&user->tcp, user_allocate, user_read);
    user_send(user);
}

static void load_request(struct load *load)
{
    bool keep = (int)(load->sent % 100) < load->keepalive;
    struct user *user = keep ? load->idle : NULL;
    load->sent++;
    if (user) {
        load->idle = user->next;
        user->busy = true;
        user->sent_ns = uv_hrtime();
        user_send(user);
        return;
    }
    user = MEM_NEW(struct user);
    user->load = load;
    user->keep = keep;
    user->busy = true;
    user->sent_ns = uv_hrtime();
    uv_tcp_init(load->loop, &user->tcp);
    user->tcp.data = user;
    user->connect.data = user;
    load->open++;
    if (uv_tcp_connect(&user->connect, &user->tcp, (const struct sockaddr *)&load->address, user_connected)) {
        user_finish(user, OUTCOME_CONNECT, "connect");
    }
}

static void load_tick(uv_timer_t *timer)
{
    struct load *load = timer->data;
    uint64_t due = (uv_now(load->loop) - load->began_ms) * (uint64_t)load->rate / 1000;
    while (!load->stopping && load->sent < due) {
        load_request(load);
    }
}

static void load_give_up(uv_timer_t *timer)
{
    struct load *load = timer->data;
    load->outcomes[OUTCOME_TIMEOUT] += load->sent - load->done;
    uv_stop(load->loop);
}

static void load_terminated(uv_signal_t *handle, int number)
{
    struct load *load = handle->data;
    (void)number;
    load->stopping = true;
    uv_timer_start(&load->tick, load_give_up, LOAD_TIMEOUT_MS, 0);
    load_stop_if_done(load);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void load_print(struct load *load)
{
    uint64_t failed = load->sent - load->outcomes[OUTCOME_GOOD];
    qsort(load->latencies, load->n_latencies, sizeof(double), compare_doubles);
    printf("{\"requests\":%llu,\"failed\":%llu", (unsigned long long)load->sent, (unsigned long long)failed);
    for (int i = 0; i < N_OUTCOMES; i++) {
        printf(",\"%s\":%llu", outcome_names[i], (unsigned long long)load->outcomes[i]);
    }
    if (load->n_latencies > 0) {
        printf(",\"median_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f", load->latencies[load->n_latencies / 2],
               load->latencies[load->n_latencies * 99 / 100], load->latencies[load->n_latencies - 1]);
    }
    puts("}");
}

static bool parse(int argc, char **argv, struct load *load)
{
    int option;
    int port = 0;
    while ((option = getopt(argc, argv, "p:h:u:r:k:v")) != -1) {
        if (option == 'p') {
            port = (int)strtol(optarg, NULL, 10);
        } else if (option == 'h') {
            load->host = optarg;
        } else if (option == 'u') {
            load->path = optarg;
        } else if (option == 'r') {
            load->rate = (int)strtol(optarg, NULL, 10);
        } else if (option == 'k') {
            load->keepalive = (int)strtol(optarg, NULL, 10);
        } else if (option == 'v') {
            load->verbose = true;
        } else {
            return false;
        }
    }
    return port > 0 && uv_ip4_addr("127.0.0.1", port, &load->address) == 0;
}

int main(int argc, char **argv)
{
    static struct load load = {.host = "localhost", .path = "/", .rate = 200, .keepalive = 50};
    static uv_signal_t terminate;
    if (!parse(argc, argv, &load)) {
        fputs("usage: loadgen -p PORT [-h HOST] [-u PATH] [-r RATE] [-k PERCENT-KEPT] [-v]; ends with SIGTERM\n",
              stderr);
        return 2;
    }
    load.loop = uv_default_loop();
    load.latencies = mem_alloc_array(LOAD_MAX_SAMPLES, sizeof(double));
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(load.loop, &terminate);
    terminate.data = &load;
    uv_signal_start(&terminate, load_terminated, SIGTERM);
    uv_timer_init(load.loop, &load.tick);
    load.tick.data = &load;
    uv_update_time(load.loop);
    load.began_ms = uv_now(load.loop);
    uv_timer_start(&load.tick, load_tick, 1, 1);
    uv_run(load.loop, UV_RUN_DEFAULT);
    load_print(&load);
    return 0;
}
