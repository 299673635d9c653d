/* SPDX-License-Identifier: MIT */
/* Fuzz target: rules and a request. The first lines up to an empty one are rules, a service each; then come method,
 * host, path and query, a line each, and behind them the headers as HAProxy sends them. Whatever they say, a decision
 * ends, is the same in every table, and what goes into a request is nothing but a path. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "slotd/route_table.h"
#include "slotd/text.h"

#define MAX_SERVICES 24

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct spop_text next_line(struct spop_text *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
    struct spop_text line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    size_t taken = line.len + (end != NULL);
    rest->data += taken;
    rest->len -= taken;
    return line;
}

static void set_rule(struct route_table *table, size_t number, const char *rule)
{
    cleanup_free char *service = mem_printf("s%zu", number);
    cleanup_buf struct buf why = BUF_INIT;
    const struct route_entry entry = {.service = service,
                                      .frontend = service,
                                      .rule = rule,
                                      .priority = (int64_t)strlen(rule) % 7,
                                      .points = 1 + (unsigned)number % 3};
    int err = route_table_set(table, &entry, &why);
    require(!err || why.len > 0);
    require((route_table_get(table, service) != NULL) == !err);
    require(text_is_plain(buf_text(&why)));
}

/* No byte of it ends or begins anything in a request. */
static void check_path(struct spop_text path)
{
    require(path.len > 0 && path.data[0] == '/');
    for (size_t i = 0; i < path.len; i++) {
        require(path.data[i] > 0x20 && path.data[i] < 0x7f);
        require(!strchr("?#\"<>\\", path.data[i]));
    }
}

static void check_verdict(const struct route_verdict *verdict)
{
    require(verdict->kind < ROUTE_VERDICT_KINDS);
    require(verdict->entry || verdict->kind == ROUTE_VERDICT_NONE || verdict->kind == ROUTE_VERDICT_BAD ||
            verdict->kind == ROUTE_VERDICT_FAILED);
    if (verdict->is_rewritten) {
        check_path(verdict->path);
    }
    if (verdict->kind == ROUTE_VERDICT_REDIRECT) {
        size_t len = verdict->location.len;
        const char *query = memchr(verdict->location.data, '?', len);
        check_path((struct spop_text){verdict->location.data, query ? (size_t)(query - verdict->location.data) : len});
        require(len < 2 || verdict->location.data[1] != '/'); /* that would be another host */
    }
}

static void check_same(const struct route_verdict *a, const struct route_verdict *b)
{
    require(a->kind == b->kind && a->is_rewritten == b->is_rewritten && a->path.len == b->path.len);
    require(!a->is_rewritten || memcmp(a->path.data, b->path.data, a->path.len) == 0);
    require(!a->entry == !b->entry && (!a->entry || strcmp(a->entry->service, b->entry->service) == 0));
    require(a->prefix.len == b->prefix.len && a->location.len == b->location.len);
}

static void decide(struct route_table *table, struct route_scratch *scratch, struct spop_text input,
                   struct route_verdict *ret_verdict)
{
    struct route_request request = {0};
    struct route_view *view = route_table_view(table);
    request.method = next_line(&input);
    request.host = next_line(&input);
    request.path = next_line(&input);
    request.query = next_line(&input);
    request.headers = input;
    request.point = input.len % 2 ? ACCESS_HTTPS : ACCESS_HTTP;
    route_view_decide(view, scratch, &request, NULL, NULL, ret_verdict);
    check_verdict(ret_verdict);
    route_view_free(view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spop_text input = {(const char *)data, size};
    struct route_table *tables[2] = {route_table_new(1), route_table_new(2)};
    static struct route_scratch *scratches[2]; /* as a thread has them: for good */
    struct route_verdict verdicts[2];
    struct spop_text line;
    for (size_t i = 0; i < MAX_SERVICES && (line = next_line(&input)).len > 0; i++) {
        cleanup_free char *rule = mem_strndup(line.data, line.len);
        set_rule(tables[0], i, rule);
        set_rule(tables[1], i, "Host:other");
        set_rule(tables[1], i, rule);
    }
    for (size_t i = 0; i < 2; i++) {
        scratches[i] = scratches[i] ? scratches[i] : route_scratch_new();
        decide(tables[i], scratches[i], input, &verdicts[i]);
    }
    check_same(&verdicts[0], &verdicts[1]);
    for (size_t i = 0; i < 2; i++) {
        route_table_free(tables[i]);
    }
    return 0;
}
