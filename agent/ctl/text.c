/* SPDX-License-Identifier: MIT */
/* Answers of slotd as text for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* SGR numbers. */
enum { PLAIN = 0, BOLD = 1, RED = 31, GREEN = 32, YELLOW = 33 };

/* ---- reading ---- */

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = member(object, key);
    return value ? json_object_get_string(value) : "-";
}

static int64_t number_of(struct json_object *object, const char *key)
{
    return json_object_get_int64(member(object, key));
}

/* What so many of it are called. */
static const char *word_for(struct json_object *object, const char *key, const char *one, const char *many)
{
    return text_plural((uint64_t)number_of(object, key), one, many);
}

static bool is_true(struct json_object *object, const char *key)
{
    return json_object_get_boolean(member(object, key));
}

static size_t length_of(struct json_object *list)
{
    return list ? json_object_array_length(list) : 0;
}

/* Something that was asked for by name does not exist: that is said elsewhere, once. */
static bool has_unknown(struct json_object *document)
{
    return length_of(member(document, "unknown")) > 0;
}

/* Foreign text on a terminal: no escape sequence gets through. */
static void print_safe(const char *text)
{
    cleanup_buf struct buf safe = BUF_INIT;
    text_append_safe(&safe, text, strlen(text), 4096);
    fputs(buf_text(&safe), stdout);
}

__attribute__((format(printf, 3, 4))) static void print_line(const struct ctl *ctl, int colour, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cleanup_free char *text = mem_vprintf(format, args);
    va_end(args);
    if (ctl->colour && colour) {
        printf("\033[%dm", colour);
    }
    print_safe(text);
    puts(ctl->colour && colour ? "\033[0m" : "");
}

static void add_number(struct text_table *table, struct json_object *object, const char *key)
{
    cleanup_free char *text = mem_printf("%" PRId64, number_of(object, key));
    text_table_add(table, text, PLAIN);
}

static void add_user(struct text_table *table, struct json_object *object, const char *key)
{
    cleanup_free char *user = user_show(text_of(object, key));
    text_table_add(table, user, PLAIN);
}

/* ---- status ---- */

static void print_age(const char *what, struct json_object *object, const char *key)
{
    if (member(object, key)) {
        printf("  %s %.1f s ago", what, (double)number_of(object, key) / 1000);
    } else {
        printf("  %s: none yet", what);
    }
}

static void print_marathon(const struct ctl *ctl, struct json_object *marathon)
{
    bool live = is_true(marathon, "live");
    print_line(ctl, live ? GREEN : RED, "marathon  %s, %s", text_of(marathon, "endpoint"),
               live ? "event stream live" : "no event stream");
    printf("          leader ");
    print_safe(text_of(marathon, "leader"));
    print_age("last event", marathon, "last_event_age_ms");
    print_age("last sync", marathon, "last_sync_age_ms");
    putchar('\n');
}

static void print_haproxy(const struct ctl *ctl, struct json_object *haproxy)
{
    bool connected = is_true(haproxy, "connected");
    struct json_object *slots = member(haproxy, "slots");
    print_line(ctl, connected ? GREEN : RED, "haproxy   %s at %s, %s%s", text_of(haproxy, "name"),
               text_of(haproxy, "socket"), connected ? "connected, version " : "not in use: ",
               connected ? text_of(haproxy, "version") : text_of(haproxy, "error"));
    printf("          %" PRId64 " %s, %" PRId64 " %s", number_of(haproxy, "backends"),
           word_for(haproxy, "backends", "backend", "backends"), number_of(slots, "total"),
           word_for(slots, "total", "slot", "slots"));
    if (number_of(slots, "added") > 0) {
        printf(" (%" PRId64 " added)", number_of(slots, "added"));
    }
    printf(": %" PRId64 " ready, %" PRId64 " draining, %" PRId64 " free; %" PRId64 " %s, %" PRId64 " refused\n",
           number_of(slots, "ready"), number_of(slots, "draining"), number_of(slots, "free"),
           number_of(haproxy, "commands"), word_for(haproxy, "commands", "command", "commands"),
           number_of(haproxy, "commands_refused"));
}

static void print_capabilities(struct json_object *capabilities)
{
    cleanup_buf struct buf names = BUF_INIT;
    json_object_object_foreach(capabilities, key, value)
    {
        if (json_object_get_boolean(value)) {
            buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", key);
        }
    }
    printf("          capabilities: ");
    print_safe(names.len > 0 ? buf_text(&names) : "none beyond those of HAProxy 2.4");
    putchar('\n');
}

static void print_pools(const struct ctl *ctl, struct json_object *pools)
{
    for (size_t i = 0; i < length_of(pools); i++) {
        struct json_object *pool = json_object_array_get_idx(pools, i);
        if (number_of(pool, "total") > 0) {
            print_line(ctl, PLAIN,
                       "          pool %s* (%s): %" PRId64 " %s: %" PRId64 " leased, %" PRId64 " free, %" PRId64
                       " released; %" PRId64 " %s",
                       text_of(pool, "prefix"), text_of(pool, "class"), number_of(pool, "total"),
                       word_for(pool, "total", "backend", "backends"), number_of(pool, "leased"),
                       number_of(pool, "free"), number_of(pool, "released"), number_of(pool, "waiting"),
                       word_for(pool, "waiting", "service waits", "services wait"));
        }
    }
}

static void print_dynamic(const struct ctl *ctl, struct json_object *dynamic)
{
    if (is_true(dynamic, "enabled") || number_of(dynamic, "made") > 0) {
        print_line(ctl, PLAIN,
                   "          backends made at run time: %" PRId64 "; %" PRId64 " to come, %" PRId64 " refused",
                   number_of(dynamic, "made"), number_of(dynamic, "coming"), number_of(dynamic, "refused"));
    }
}

static void print_guard(const struct ctl *ctl, struct json_object *guard)
{
    bool holds = is_true(guard, "holding");
    print_line(ctl, holds ? YELLOW : PLAIN, "guard     holds %" PRId64 " %s, at most %" PRId64 " %% may go at once",
               number_of(guard, "held"), word_for(guard, "held", "endpoint", "endpoints"),
               number_of(guard, "max_removal_percent"));
}

void text_print_status(const struct ctl *ctl, struct json_object *status)
{
    struct json_object *reasons = member(status, "reasons");
    struct json_object *haproxies = member(status, "haproxy");
    struct json_object *counts = member(status, "counts");
    bool degraded = is_true(status, "degraded");
    print_line(ctl, degraded ? RED : GREEN, "slotd     %s, %s", text_of(status, "version"),
               degraded ? "degraded" : "in sync");
    for (size_t i = 0; i < length_of(reasons); i++) {
        print_line(ctl, YELLOW, "  ! %s", json_object_get_string(json_object_array_get_idx(reasons, i)));
    }
    struct json_object *warnings = member(status, "warnings");
    for (size_t i = 0; i < length_of(warnings); i++) {
        print_line(ctl, YELLOW, "  ! %s", json_object_get_string(json_object_array_get_idx(warnings, i)));
    }
    print_marathon(ctl, member(status, "marathon"));
    for (size_t i = 0; i < length_of(haproxies); i++) {
        struct json_object *haproxy = json_object_array_get_idx(haproxies, i);
        print_haproxy(ctl, haproxy);
        if (is_true(haproxy, "connected") && member(haproxy, "capabilities")) {
            print_capabilities(member(haproxy, "capabilities"));
            print_pools(ctl, member(haproxy, "pools"));
            print_dynamic(ctl, member(haproxy, "dynamic_backends"));
        }
    }
    printf("counts    %" PRId64 " %s, %" PRId64 " %s running, %" PRId64 " %s, %" PRId64
           " %s of labels (slotctl services lists these and others)\n",
           number_of(counts, "apps"), word_for(counts, "apps", "app", "apps"), number_of(counts, "tasks_running"),
           word_for(counts, "tasks_running", "task", "tasks"), number_of(counts, "services"),
           word_for(counts, "services", "service", "services"), number_of(counts, "problems"),
           word_for(counts, "problems", "problem", "problems"));
    print_guard(ctl, member(status, "guard"));
}

/* ---- services ---- */

static int colour_of(const char *state)
{
    if (strcmp(state, "ready") == 0) {
        return GREEN;
    }
    if (strcmp(state, "down") == 0) {
        return RED;
    }
    return strcmp(state, "free") == 0 || strcmp(state, "-") == 0 ? PLAIN : YELLOW;
}

/* What leads to it: its rule, or its port and server names. The caller frees. */
static char *service_way(struct json_object *service)
{
    struct json_object *names = member(service, "sni");
    struct buf way = BUF_INIT;
    if (strcmp(text_of(service, "mode"), "tcp") != 0) {
        return mem_strdup(text_of(service, "rule"));
    }
    buf_puts(&way, "tcp");
    if (member(service, "tcp_port")) {
        buf_printf(&way, ", port %s", text_of(service, "tcp_port"));
    }
    for (size_t i = 0; i < length_of(names); i++) {
        buf_printf(&way, ", sni %s", json_object_get_string(json_object_array_get_idx(names, i)));
    }
    return buf_steal(&way);
}

static void print_service(const struct ctl *ctl, struct json_object *service)
{
    static const char *const headings[] = {"  TASK", "HOST", "ADDRESS", "PORT", "WEIGHT", "PHASE", "SLOT", "STATE"};
    struct json_object *endpoints = member(service, "endpoints");
    cleanup_free char *way = service_way(service);
    print_line(ctl, BOLD, "%s  (%s, backend %s)", text_of(service, "name"), way, text_of(service, "backend"));
    if (length_of(endpoints) == 0) {
        puts("  no endpoint");
        return;
    }
    struct text_table *table = text_table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (size_t i = 0; i < length_of(endpoints); i++) {
        struct json_object *endpoint = json_object_array_get_idx(endpoints, i);
        cleanup_free char *task = mem_printf("  %s", text_of(endpoint, "task"));
        text_table_add(table, task, PLAIN);
        text_table_add(table, text_of(endpoint, "host"), PLAIN);
        text_table_add(table, text_of(endpoint, "address"), PLAIN);
        add_number(table, endpoint, "port");
        add_number(table, endpoint, "weight");
        text_table_add(table, text_of(endpoint, "phase"), colour_of(text_of(endpoint, "phase")));
        text_table_add(table, text_of(endpoint, "slot"), PLAIN);
        text_table_add(table, text_of(endpoint, "state"), colour_of(text_of(endpoint, "state")));
    }
    text_table_print(table, ctl->colour);
}

static void print_problem(const struct ctl *ctl, struct json_object *problem)
{
    const char *task = text_of(problem, "task");
    const char *segment = text_of(problem, "segment");
    if (!member(problem, "app")) { /* it concerns a HAProxy */
        print_line(ctl, YELLOW, "  ! %s [%s]", text_of(problem, "message"), text_of(problem, "code"));
        return;
    }
    print_line(ctl, YELLOW, "  ! %s%s%s%s%s: %s [%s]", text_of(problem, "app"), segment[0] ? " segment " : "", segment,
               strcmp(task, "-") == 0 ? "" : " task ", strcmp(task, "-") == 0 ? "" : task, text_of(problem, "message"),
               text_of(problem, "code"));
}

void text_print_services(const struct ctl *ctl, struct json_object *document)
{
    struct json_object *services = member(document, "services");
    struct json_object *problems = member(document, "problems");
    for (size_t i = 0; i < length_of(services); i++) {
        print_service(ctl, json_object_array_get_idx(services, i));
    }
    if (length_of(services) == 0 && !has_unknown(document)) {
        puts("no service");
    }
    if (length_of(problems) > 0) {
        print_line(ctl, BOLD, "problems");
    }
    for (size_t i = 0; i < length_of(problems); i++) {
        print_problem(ctl, json_object_array_get_idx(problems, i));
    }
}

/* ---- slots, plan, events ---- */

void text_print_slots(const struct ctl *ctl, struct json_object *document)
{
    static const char *const headings[] = {"HAPROXY", "BACKEND", "SLOT",     "STATE", "ADDRESS",
                                           "PORT",    "WEIGHT",  "SESSIONS", "TASK"};
    struct json_object *slots = member(document, "slots");
    if (length_of(slots) == 0 && has_unknown(document)) {
        return;
    }
    struct text_table *table = text_table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (size_t i = 0; i < length_of(slots); i++) {
        struct json_object *slot = json_object_array_get_idx(slots, i);
        text_table_add(table, text_of(slot, "haproxy"), PLAIN);
        text_table_add(table, text_of(slot, "backend"), PLAIN);
        text_table_add(table, text_of(slot, "slot"), PLAIN);
        text_table_add(table, text_of(slot, "state"), colour_of(text_of(slot, "state")));
        text_table_add(table, text_of(slot, "address"), PLAIN);
        add_number(table, slot, "port");
        add_number(table, slot, "weight");
        text_table_add(table, text_of(slot, "sessions"), PLAIN);
        text_table_add(table, text_of(slot, "task"), PLAIN);
    }
    text_table_print(table, ctl->colour);
}

static void add_route(struct text_table *table, struct json_object *route, struct json_object *key)
{
    const char *leads_to = key ? text_of(key, "leads_to") : "-";
    bool own = strcmp(leads_to, text_of(route, "service")) == 0;
    struct json_object *in_map = key ? member(key, "in_map") : NULL;
    bool routed = in_map && json_object_get_boolean(in_map);
    const char *kind = key && member(key, "kind") ? text_of(key, "kind") : "";
    cleanup_free char *shown = key ? mem_printf("%s%s%s", kind, kind[0] ? " " : "", text_of(key, "key")) : NULL;
    text_table_add(table, text_of(route, "service"), PLAIN);
    text_table_add(table, text_of(route, "rule"), PLAIN);
    text_table_add(table, text_of(route, "priority"), PLAIN);
    text_table_add(table, text_of(route, "by"), strcmp(text_of(route, "by"), "map") == 0 ? PLAIN : YELLOW);
    text_table_add(table, key ? shown : text_of(route, "why"), PLAIN);
    text_table_add(table, !key ? "-" : routed ? "yes" : own ? "not yet" : leads_to, routed ? GREEN : YELLOW);
    const char *access = text_of(member(route, "access"), "summary");
    text_table_add(table, access, strcmp(access, "closed") == 0 ? RED : PLAIN);
}

void text_print_routes(const struct ctl *ctl, struct json_object *document)
{
    static const char *const headings[] = {"SERVICE", "RULE", "PRIORITY", "BY", "KEY", "ROUTED", "ACCESS"};
    struct json_object *routes = member(document, "routes");
    if (length_of(routes) == 0) {
        puts("no route");
        return;
    }
    struct text_table *table = text_table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (size_t i = 0; i < length_of(routes); i++) {
        struct json_object *route = json_object_array_get_idx(routes, i);
        struct json_object *keys = member(route, "keys");
        for (size_t k = 0; k < length_of(keys); k++) {
            add_route(table, route, json_object_array_get_idx(keys, k));
        }
        if (length_of(keys) == 0) {
            add_route(table, route, NULL);
        }
    }
    text_table_print(table, ctl->colour);
}

void text_print_plan(const struct ctl *ctl, struct json_object *document)
{
    struct json_object *haproxies = member(document, "haproxy");
    for (size_t i = 0; i < length_of(haproxies); i++) {
        struct json_object *haproxy = json_object_array_get_idx(haproxies, i);
        struct json_object *commands = member(haproxy, "commands");
        const char *what = !is_true(haproxy, "connected") ? "not connected"
                           : length_of(commands) == 0     ? "nothing to do"
                                                          : "would be sent:";
        print_line(ctl, BOLD, "%s: %s", text_of(haproxy, "name"), what);
        for (size_t c = 0; c < length_of(commands); c++) {
            print_line(ctl, PLAIN, "  %s", json_object_get_string(json_object_array_get_idx(commands, c)));
        }
    }
}

void text_print_events(const struct ctl *ctl, struct json_object *document)
{
    struct json_object *events = member(document, "events");
    for (size_t i = 0; i < length_of(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        const char *action = text_of(event, "action");
        bool failed = strcmp(action, "failed") == 0;
        const char *segment = member(event, "segment") ? text_of(event, "segment") : "";
        print_line(ctl, failed ? RED : PLAIN,
                   "%s  %s  %-7s %s  slot %s  %s:%" PRId64 "  weight %" PRId64 "  acknowledged after %.2f ms  %s%s%s",
                   text_of(event, "received"), text_of(event, "haproxy"), action, text_of(event, "backend"),
                   text_of(event, "slot"), text_of(event, "address"), number_of(event, "port"),
                   number_of(event, "weight"), json_object_get_double(member(event, "acknowledged_after_ms")),
                   text_of(event, "task"), segment[0] ? " segment " : "", segment);
    }
}

void text_print_sync(const struct ctl *ctl, struct json_object *result)
{
    print_line(ctl, GREEN, "in sync: %" PRId64 " %s listed, %" PRId64 " %s missing, %" PRId64 " removed (answer %s)",
               number_of(result, "apps"), word_for(result, "apps", "app", "apps"), number_of(result, "missing"),
               word_for(result, "missing", "task", "tasks"), number_of(result, "removed"), text_of(result, "answer"));
}

void text_print_confirm(const struct ctl *ctl, struct json_object *result)
{
    if (number_of(result, "removed") == 0) {
        print_line(ctl, PLAIN, "nothing was held");
        return;
    }
    print_line(ctl, PLAIN, "%" PRId64 " %s now", number_of(result, "removed"),
               word_for(result, "removed", "endpoint that was held leaves", "endpoints that were held leave"));
}

void text_print_weights(const struct ctl *ctl, struct json_object *document)
{
    static const char *const headings[] = {"TARGET", "NAME", "WEIGHT", "BY", "ASKED"};
    struct json_object *weights = member(document, "weights");
    if (length_of(weights) == 0) {
        puts("no weight but the labels'");
        return;
    }
    struct text_table *table = text_table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (size_t i = 0; i < length_of(weights); i++) {
        struct json_object *weight = json_object_array_get_idx(weights, i);
        text_table_add(table, text_of(weight, "target"), PLAIN);
        text_table_add(table, text_of(weight, "name"), PLAIN);
        text_table_add(table, text_of(weight, "weight"), PLAIN);
        add_user(table, weight, "by");
        text_table_add(table, text_of(weight, "asked"), PLAIN);
    }
    text_table_print(table, ctl->colour);
}

void text_print_drains(const struct ctl *ctl, struct json_object *document)
{
    static const char *const headings[] = {"TARGET", "NAME", "STATE", "SESSIONS", "LEFT", "BY", "ASKED", "UNTIL"};
    struct json_object *drains = member(document, "drains");
    if (length_of(drains) == 0) {
        puts("no drain");
        return;
    }
    struct text_table *table = text_table_new(headings, sizeof(headings) / sizeof(headings[0]));
    for (size_t i = 0; i < length_of(drains); i++) {
        struct json_object *drain = json_object_array_get_idx(drains, i);
        /* What is in maint waits for nothing any more. */
        bool waits = strcmp(text_of(drain, "state"), "draining") == 0;
        cleanup_free char *left =
            waits ? mem_printf("%.1f s", (double)number_of(drain, "left_ms") / 1000) : mem_strdup("-");
        text_table_add(table, text_of(drain, "target"), PLAIN);
        text_table_add(table, text_of(drain, "name"), PLAIN);
        text_table_add(table, text_of(drain, "state"), colour_of(text_of(drain, "state")));
        add_number(table, drain, "sessions");
        text_table_add(table, left, PLAIN);
        add_user(table, drain, "by");
        text_table_add(table, text_of(drain, "asked"), PLAIN);
        text_table_add(table, text_of(drain, "until"), PLAIN);
    }
    text_table_print(table, ctl->colour);
}
