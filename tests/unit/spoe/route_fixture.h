/* SPDX-License-Identifier: MIT */
/* Decisions as one line: the verdict, `/path` when it is rewritten or where it goes, and `<prefix>`. */
#ifndef SLOTD_TESTS_UNIT_SPOE_ROUTE_FIXTURE_H
#define SLOTD_TESTS_UNIT_SPOE_ROUTE_FIXTURE_H

#include <string.h>

#include "slotd/mem.h"
#include "slotd/route_output.h"
#include "suite.h"

static struct route_table *table;
static struct route_scratch *scratch;
static struct buf line;

static inline void route_setup(void)
{
    table = route_table_new(7);
    scratch = route_scratch_new();
}

static inline void route_teardown(void)
{
    route_table_free(table);
    route_scratch_free(scratch);
    buf_free(&line);
}

static inline int route_set(const char *service, const char *rule, int64_t priority, struct buf *why)
{
    const struct route_entry entry = {
        .service = service, .frontend = service, .rule = rule, .priority = priority, .points = ACCESS_EVERYWHERE};
    return route_table_set(table, &entry, why);
}

static inline void route_put_text(const char *before, struct spop_text text, const char *after)
{
    buf_puts(&line, before);
    buf_append(&line, text.data, text.len);
    buf_puts(&line, after);
}

static inline const char *route_line(const struct route_verdict *verdict)
{
    buf_clear(&line);
    buf_puts(&line, route_verdict_text(verdict->kind));
    if (verdict->kind == ROUTE_VERDICT_REDIRECT) {
        route_put_text(" ", verdict->location, "");
    }
    if (verdict->is_rewritten) {
        route_put_text(" ", verdict->path, "");
    }
    if (verdict->prefix.data) {
        route_put_text(" <", verdict->prefix, ">");
    }
    return buf_text(&line);
}

/* headers: one line each. */
static inline const char *route_decide(const char *method, const char *url, const char *headers,
                                       struct route_verdict *ret_verdict)
{
    const char *list[8];
    size_t count = 0;
    cleanup_free char *copy = mem_strdup(headers ? headers : "");
    char *rest = copy;
    for (char *one; (one = strsep(&rest, "\n")) && one[0];) {
        list[count++] = one;
    }
    struct route_asked asked;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(route_asked_from_url(method, url, list, count, NULL, &asked, &why) == 0, "%s", buf_text(&why));
    struct route_view *view = route_table_view(table);
    route_view_decide(view, scratch, &asked.request, NULL, NULL, ret_verdict);
    const char *shown = route_line(ret_verdict);
    route_view_free(view);
    route_asked_free(&asked);
    return shown;
}

static inline void route_check_with(const char *rule, const char *method, const char *url, const char *headers,
                                    const char *expected)
{
    struct route_verdict verdict;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(route_set("s", rule, 1, &why) == 0, "%s: %s", rule, buf_text(&why));
    const char *got = route_decide(method, url, headers, &verdict);
    ck_assert_msg(strcmp(got, expected) == 0, "%s: %s %.60s: %.60s, not %s", rule, method, url, got, expected);
}

static inline void route_check(const char *rule, const char *url, const char *expected)
{
    route_check_with(rule, "GET", url, NULL, expected);
}

#endif
