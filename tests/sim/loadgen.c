/* SPDX-License-Identifier: MIT */
/* A steady load: sends requests at a rate until SIGTERM, counts every one of them, prints one JSON line. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loadgen.h"
#include "slotd/mem.h"

#define LOAD_TIMEOUT_MS 10000
#define LOAD_MAX_SAMPLES 2000000

static const char *const outcome_names[N_OUTCOMES] = {"good",    "bad_status", "connect_failed", "reset",
                                                      "timeout", "wrong",      "allowed"};

static void user_closed(uv_handle_t *handle)
{
    struct user *user = handle->data;
    buf_free(&user->request);
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

uint64_t load_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void load_stop_if_done(struct load *load)
{
    if (load->stopping && load->done == load->sent) {
        uv_stop(load->loop);
    }
}

static void user_tell(const struct user *user, enum outcome outcome, const char *detail)
{
    if (user->load->verbose && outcome != OUTCOME_GOOD && outcome != OUTCOME_ALLOWED) {
        fprintf(stderr, "%llu: %s on a %s connection, begun at %llu: %s%s%.200s\n", (unsigned long long)load_now_us(),
                outcome_names[outcome], user->keep ? "kept" : "new", (unsigned long long)user->begun_us,
                user->target ? user->target->id : "", user->target ? ": " : "", detail);
    }
}

static void user_finish(struct user *user, enum outcome reached, const char *detail)
{
    struct load *load = user->load;
    enum outcome outcome = target_judge(user, reached);
    user->busy = false;
    load->done++;
    load->outcomes[outcome]++;
    if (outcome == OUTCOME_GOOD && load->n_latencies < LOAD_MAX_SAMPLES) {
        load->latencies[load->n_latencies++] = (double)(uv_hrtime() - user->sent_ns) / 1e6;
    }
    user_tell(user, outcome, detail);
    target_note(user->target, outcome);
    if (reached == OUTCOME_GOOD && user->keep) {
        buf_clear(&user->answer);
        user->next = load->idle;
        load->idle = user;
    } else {
        user_close(user);
    }
    load_stop_if_done(load);
}

static void user_take_cookie(struct user *user)
{
    static const char name[] = "\r\nset-cookie: ";
    const char *end = strstr(buf_text(&user->answer), "\r\n\r\n");
    const char *cookie = strcasestr(buf_text(&user->answer), name);
    if (user->jar && cookie && cookie < end) {
        cookie += sizeof(name) - 1;
        (void)snprintf(user->jar->cookie, sizeof(user->jar->cookie), "%.*s", (int)strcspn(cookie, ";\r\n"), cookie);
        user->load->cookies++;
    }
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
        bool good = complete && strncmp(buf_text(&user->answer), "HTTP/1.1 200", 12) == 0;
        user_take_cookie(user);
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

/* X-Load tells the task when the request was begun, and by which client with a cookie, or `-`. */
static void user_send(struct user *user)
{
    const struct load *load = user->load;
    const struct target *target = user->target;
    struct buf *text = &user->request;
    buf_clear(text);
    buf_printf(text, "GET %s HTTP/1.1\r\nHost: %s\r\n%sX-Load: %llu ", target ? target->path : load->path,
               target ? target->host : load->host, user->keep ? "" : "Connection: close\r\n",
               (unsigned long long)user->begun_us);
    if (user->jar) {
        buf_printf(text, "%td", user->jar - load->jars);
    } else {
        buf_putc(text, '-');
    }
    if (user->jar && user->jar->cookie[0]) {
        buf_printf(text, "\r\nCookie: %s", user->jar->cookie);
    }
    buf_puts(text, "\r\n\r\n");
    uv_buf_t part = uv_buf_init(text->data, (unsigned)text->len);
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

static struct user *user_new(struct load *load)
{
    struct user *user = MEM_NEW(struct user);
    user->load = load;
    uv_tcp_init(load->loop, &user->tcp);
    user->tcp.data = user;
    user->connect.data = user;
    load->open++;
    return user;
}

void load_request(struct load *load, struct target *target)
{
    bool keep = (int)(load->sent % 100) < load->keepalive;
    struct user *kept = keep ? load->idle : NULL;
    struct user *user = kept ? kept : user_new(load);
    user->keep = keep;
    user->busy = true;
    user->target = target;
    user->strict = target && target->mode == TARGET_LIVE;
    user->jar = load->n_jars > 0 ? &load->jars[load->sent % (uint64_t)load->n_jars] : NULL;
    user->sent_ns = uv_hrtime();
    user->begun_us = load_now_us();
    load->sent++;
    if (kept) {
        load->idle = kept->next;
        user_send(user);
    } else if (uv_tcp_connect(&user->connect, &user->tcp, (const struct sockaddr *)&load->address, user_connected)) {
        user_finish(user, OUTCOME_CONNECT, "connect");
    }
}

static void load_tick(uv_timer_t *timer)
{
    struct load *load = timer->data;
    uint64_t due = (uv_now(load->loop) - load->began_ms) * (uint64_t)load->rate / 1000;
    for (; !load->stopping && load->ticked < due; load->ticked++) {
        struct target *target = load->by_orders ? targets_take_turn(load) : NULL;
        if (target || !load->by_orders) {
            load_request(load, target);
        }
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
    targets_close(load);
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
    uint64_t failed = load->sent - load->outcomes[OUTCOME_GOOD] - load->outcomes[OUTCOME_ALLOWED];
    qsort(load->latencies, load->n_latencies, sizeof(double), compare_doubles);
    printf("{\"requests\":%llu,\"failed\":%llu,\"cookies\":%llu", (unsigned long long)load->sent,
           (unsigned long long)failed, (unsigned long long)load->cookies);
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
    while ((option = getopt(argc, argv, "p:h:u:r:k:c:tv")) != -1) {
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
        } else if (option == 'c') {
            load->n_jars = (int)strtol(optarg, NULL, 10);
        } else if (option == 't') {
            load->by_orders = true;
        } else if (option == 'v') {
            load->verbose = true;
        } else {
            return false;
        }
    }
    return port > 0 && load->n_jars >= 0 && uv_ip4_addr("127.0.0.1", port, &load->address) == 0;
}

int main(int argc, char **argv)
{
    static struct load load = {.host = "localhost", .path = "/", .rate = 200, .keepalive = 50};
    static uv_signal_t terminate;
    if (!parse(argc, argv, &load)) {
        fputs("usage: loadgen -p PORT [-h HOST] [-u PATH] [-r RATE] [-k PERCENT-KEPT] [-c CLIENTS-WITH-COOKIE] [-t] "
              "[-v]; "
              "ends with SIGTERM; -t: targets come by orders on standard input\n",
              stderr);
        return 2;
    }
    load.loop = uv_default_loop();
    load.latencies = mem_alloc_array(LOAD_MAX_SAMPLES, sizeof(double));
    load.jars = mem_alloc_array((size_t)load.n_jars, sizeof(*load.jars));
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(load.loop, &terminate);
    terminate.data = &load;
    uv_signal_start(&terminate, load_terminated, SIGTERM);
    if (load.by_orders) {
        targets_open(&load);
    }
    uv_timer_init(load.loop, &load.tick);
    load.tick.data = &load;
    uv_update_time(load.loop);
    load.began_ms = uv_now(load.loop);
    uv_timer_start(&load.tick, load_tick, 1, 1);
    uv_run(load.loop, UV_RUN_DEFAULT);
    load_print(&load);
    return 0;
}
