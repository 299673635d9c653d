/* SPDX-License-Identifier: MIT */
/* How fast requests are decided on one thread, the codec with it, and what one app's change costs. Use: bench_route
 * [HOSTS [RULES [SECONDS]]]; 1000, 5000 and 1 by default. Prints one line a measurement. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "slotd/mem.h"
#include "slotd/route_table.h"

#define N_FRAMES 64 /* what was read from a socket a moment ago is in a near cache */
#define N_REQUESTS 4096
#define FRAME_SIZE 1024
#define HOST_DIGITS 6
#define N_CHANGES 2000U

static uint32_t state = 1;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

/* Seconds of CPU, so that other programs on the machine do not count. */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- rules ---- */

static const char *const kinds[] = {"",
                                    ";PathPrefix:/api",
                                    ";PathPrefixStrip:/v1",
                                    ";Path:/products/{id:[0-9]+}",
                                    ";PathPrefix:/api;Headers:X-Canary,true",
                                    ";Method:POST;PathPrefixStripRegex:/{area:[a-z]+}/{id:[0-9]+}",
                                    ";PathPrefix:/old;ReplacePathRegex:^/old/(.*)$ /new/$1",
                                    ";Query:debug=1"};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void set_rule(struct route_table *table, unsigned number, unsigned hosts, const char *kind)
{
    cleanup_free char *service = mem_printf("backend-app-%u", number);
    cleanup_free char *rule = mem_printf("Host:app-%06u.example.com%s", number % hosts, kind);
    const struct route_entry entry = {.service = service,
                                      .frontend = service,
                                      .backend = "pool-http-001",
                                      .rule = rule,
                                      .priority = (int64_t)strlen(rule),
                                      .points = ACCESS_EVERYWHERE};
    if (route_table_set(table, &entry, NULL)) {
        abort();
    }
}

static struct route_table *make_table(unsigned hosts, unsigned rules)
{
    struct route_table *table = route_table_new(draw(UINT32_MAX));
    for (unsigned i = 0; i < rules; i++) {
        set_rule(table, i, hosts, kinds[(i / hosts + i) % N_KINDS]);
    }
    return table;
}

/* ---- requests, as NOTIFY frames ---- */

struct frame {
    size_t size;
    char *digits; /* of the host */
    uint8_t bytes[FRAME_SIZE];
};

static void put_argument(struct spop_writer *writer, struct spop_text name, struct spop_text text)
{
    const struct spop_value value = {.type = SPOP_STRING, .text = text};
    spop_write_text(writer, name);
    spop_write_value(writer, &value);
}

static size_t put_headers(char *buffer, size_t size, const char *host)
{
    const char *const headers[][2] = {{"host", host},
                                      {"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"},
                                      {"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
                                      {"accept-encoding", "gzip, deflate, br"},
                                      {"x-canary", draw(2) ? "true" : "false"},
                                      {"cookie", "session=0123456789abcdef0123456789abcdef"}};
    struct spop_writer writer = spop_writer_over(buffer, size);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        spop_write_text(&writer, (struct spop_text){headers[i][0], strlen(headers[i][0])});
        spop_write_text(&writer, (struct spop_text){headers[i][1], strlen(headers[i][1])});
    }
    spop_write_text(&writer, SPOP_TEXT(""));
    spop_write_text(&writer, SPOP_TEXT(""));
    return (size_t)(writer.at - writer.start);
}

static void make_frame(struct frame *frame)
{
    static const char *const paths[] = {"/",           "/api/v2/users", "/v1/orders/7", "/products/1234",
                                        "/cart/77/ok", "/old/page",     "/index.html",  "/a%20b"};
    char host[64];
    char headers[768];
    const char *path = paths[draw(sizeof(paths) / sizeof(paths[0]))];
    struct spop_writer writer = spop_writer_over(frame->bytes, sizeof(frame->bytes));
    (void)snprintf(host, sizeof(host), "app-000000.example.com%s", draw(4) ? "" : ":8080");
    size_t len = put_headers(headers, sizeof(headers), host);
    uint8_t *start = spop_frame_begin(&writer, SPOP_NOTIFY, 1, 1);
    spop_write_text(&writer, SPOP_TEXT("slotd-route"));
    spop_write_byte(&writer, 5);
    put_argument(&writer, SPOP_TEXT("method"), draw(4) ? SPOP_TEXT("GET") : SPOP_TEXT("POST"));
    put_argument(&writer, SPOP_TEXT("host"), (struct spop_text){host, strlen(host)});
    put_argument(&writer, SPOP_TEXT("path"), (struct spop_text){path, strlen(path)});
    put_argument(&writer, SPOP_TEXT("query"), draw(3) ? SPOP_TEXT("") : SPOP_TEXT("debug=1&page=2"));
    put_argument(&writer, SPOP_TEXT("headers"), (struct spop_text){headers, len});
    spop_frame_end(&writer, start);
    frame->size = (size_t)(writer.at - writer.start);
    frame->digits = memmem(frame->bytes, frame->size, "app-000000", 10);
    frame->digits += strlen("app-");
    if (writer.failed) {
        abort();
    }
}

static struct spop_text text_of(const struct spop_message *message, struct spop_text name)
{
    const struct spop_value *value = spop_message_find(message, name);
    return value ? value->text : (struct spop_text){0};
}

static struct route_request read_request(const struct spop_message *message)
{
    return (struct route_request){.method = text_of(message, SPOP_TEXT("method")),
                                  .host = text_of(message, SPOP_TEXT("host")),
                                  .path = text_of(message, SPOP_TEXT("path")),
                                  .query = text_of(message, SPOP_TEXT("query")),
                                  .headers = text_of(message, SPOP_TEXT("headers"))};
}

static bool read_frame(const struct frame *frame, struct spop_message *ret_message)
{
    struct spop_frame read;
    return spop_frame_read(frame->bytes, frame->size, SPOP_MAX_FRAME_MIN * 64, &read) == 1 &&
           spop_message_read(&read.payload, ret_message);
}

static void write_answer(struct spop_writer *writer, const struct route_verdict *verdict)
{
    uint8_t *start = spop_frame_begin(writer, SPOP_ACK, 1, 1);
    if (verdict->kind == ROUTE_VERDICT_SERVE) {
        const char *service = verdict->entry->service;
        const char *backend = verdict->entry->backend;
        spop_set_text(writer, SPOP_TRANSACTION, SPOP_TEXT("backend"), (struct spop_text){backend, strlen(backend)});
        spop_set_text(writer, SPOP_TRANSACTION, SPOP_TEXT("service"), (struct spop_text){service, strlen(service)});
    }
    if (verdict->is_rewritten) {
        spop_set_text(writer, SPOP_TRANSACTION, SPOP_TEXT("path"), verdict->path);
    }
    if (verdict->prefix.data) {
        spop_set_text(writer, SPOP_TRANSACTION, SPOP_TEXT("prefix"), verdict->prefix);
    }
    spop_frame_end(writer, start);
}

/* ---- measurements ---- */

struct measured {
    size_t count, served, rewritten;
    double seconds;
};

static void report(const char *what, const struct measured *measured)
{
    printf("%-16s %10.0f decisions a second, %6.0f ns each (%.0f %% served, %.0f %% rewritten)\n", what,
           (double)measured->count / measured->seconds, measured->seconds * 1e9 / (double)measured->count,
           100.0 * (double)measured->served / (double)measured->count,
           100.0 * (double)measured->rewritten / (double)measured->count);
}

/* The hosts of the requests to come, as digits. */
static char (*make_hosts(unsigned hosts))[HOST_DIGITS + 1]
{
    char(*digits)[HOST_DIGITS + 1] = mem_alloc_array(N_REQUESTS, sizeof(*digits));
    for (size_t i = 0; i < N_REQUESTS; i++) {
        (void)snprintf(digits[i], sizeof(digits[i]), "%06u", draw(hosts) % 1000000);
    }
    return digits;
}

/* with_codec: from the bytes of a NOTIFY frame to those of its ACK. */
static void measure_decisions(const struct route_view *view, struct frame *frames, unsigned hosts, double seconds,
                              bool with_codec)
{
    struct route_scratch *scratch = route_scratch_new();
    struct spop_message *message = MEM_NEW(struct spop_message);
    struct route_request requests[N_FRAMES] = {0};
    char(*digits)[HOST_DIGITS + 1] = make_hosts(hosts);
    uint8_t answer[FRAME_SIZE];
    struct measured measured = {0};
    for (size_t i = 0; i < N_FRAMES && read_frame(&frames[i], message); i++) {
        requests[i] = read_request(message);
    }
    double start = now();
    while (measured.seconds < seconds) {
        for (size_t i = 0; i < N_REQUESTS; i++) {
            struct route_verdict verdict;
            struct frame *frame = &frames[i % N_FRAMES];
            struct route_request *request = &requests[i % N_FRAMES];
            memcpy(frame->digits, digits[i], HOST_DIGITS);
            if (with_codec && read_frame(frame, message)) {
                *request = read_request(message);
            }
            route_view_decide(view, scratch, request, NULL, NULL, &verdict);
            if (with_codec) {
                struct spop_writer writer = spop_writer_over(answer, sizeof(answer));
                write_answer(&writer, &verdict);
            }
            measured.served += verdict.kind == ROUTE_VERDICT_SERVE;
            measured.rewritten += verdict.is_rewritten;
        }
        measured.count += N_REQUESTS;
        measured.seconds = now() - start;
    }
    report(with_codec ? "codec and table" : "table", &measured);
    free(digits);
    free(message);
    route_scratch_free(scratch);
}

/* Each change is a rule that was not there before, compiled, and a view that replaces the last one. */
static void measure_changes(unsigned hosts, unsigned rules)
{
    struct route_table *table = make_table(hosts, rules);
    struct route_view *view = route_table_view(table);
    double start = now();
    for (unsigned i = 0; i < N_CHANGES; i++) {
        cleanup_free char *kind = mem_printf(";PathPrefix:/changed-%u", i);
        set_rule(table, draw(rules), hosts, kind);
        struct route_view *next = route_table_view(table);
        route_view_free(view);
        view = next;
    }
    printf("one app's change among %6u rules of %5u hosts: %.2f us\n", rules, hosts, (now() - start) * 1e6 / N_CHANGES);
    route_view_free(view);
    route_table_free(table);
}

int main(int argc, char **argv)
{
    unsigned hosts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
    unsigned rules = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5000;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 1;
    if (hosts < 1 || hosts > 100000 || rules < hosts || !(seconds > 0)) {
        fprintf(stderr, "usage: bench_route [HOSTS [RULES [SECONDS]]]\n");
        return 2;
    }
    struct frame *frames = mem_alloc_array(N_FRAMES, sizeof(*frames));
    for (size_t i = 0; i < N_FRAMES; i++) {
        make_frame(&frames[i]);
    }
    double start = now();
    struct route_table *table = make_table(hosts, rules);
    printf("%u rules of %u hosts compiled in %.0f ms\n", rules, hosts, (now() - start) * 1e3);
    struct route_view *view = route_table_view(table);
    measure_decisions(view, frames, hosts, seconds, false);
    measure_decisions(view, frames, hosts, seconds, true);
    route_view_free(view);
    route_table_free(table);
    measure_changes(hosts, rules);
    measure_changes(hosts * 10, rules * 10);
    free(frames);
    return 0;
}
