/* SPDX-License-Identifier: MIT */
/* Access as a value, and as the text that HAProxy's maps of routes have of it. */
#include "slotd/access.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "slotd/text.h"

static const char *const names[ACCESS_POINTS] = {[ACCESS_HTTP] = "http", [ACCESS_HTTPS] = "https"};

const char *access_point_name(enum access_point point)
{
    return names[point];
}

enum access_point access_point_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0) {
            return (enum access_point)i;
        }
    }
    return ACCESS_POINTS;
}

struct access access_open(void)
{
    return (struct access){.points = ACCESS_EVERYWHERE};
}

void access_free(struct access *access)
{
    free(access->ranges);
    free(access->redirect.target);
    free(access->redirect.host);
    *access = access_open();
}

struct access access_copy(const struct access *access)
{
    struct access copy = *access;
    copy.ranges = NULL;
    if (access->n_ranges > 0) {
        copy.ranges = mem_alloc_array(access->n_ranges, sizeof(*copy.ranges));
        memcpy(copy.ranges, access->ranges, access->n_ranges * sizeof(*copy.ranges));
    }
    copy.redirect.target = mem_strdup(access->redirect.target);
    copy.redirect.host = mem_strdup(access->redirect.host);
    return copy;
}

bool access_lists_equal(const struct access *a, const struct access *b)
{
    bool equal = a->listed == b->listed && a->n_ranges == b->n_ranges;
    for (size_t i = 0; equal && i < a->n_ranges; i++) {
        equal = a->ranges[i].is_v6 == b->ranges[i].is_v6 && a->ranges[i].length == b->ranges[i].length &&
                memcmp(a->ranges[i].bytes, b->ranges[i].bytes, sizeof(a->ranges[i].bytes)) == 0;
    }
    return equal;
}

bool access_equal(const struct access *a, const struct access *b)
{
    return a->points == b->points && a->closed == b->closed && text_equal(a->redirect.target, b->redirect.target) &&
           text_equal(a->redirect.host, b->redirect.host) && a->redirect.points == b->redirect.points &&
           a->redirect.permanent == b->redirect.permanent && access_lists_equal(a, b);
}

bool access_is_open(const struct access *access)
{
    return access->points == ACCESS_EVERYWHERE && !access->closed && !access->listed && !access->redirect.target;
}

static void describe(struct buf *text, size_t start, const char *what)
{
    buf_puts(text, text->len > start ? ", " : "");
    buf_puts(text, what);
}

void access_describe(const struct access *access, struct buf *text)
{
    size_t start = text->len;
    char range[ACCESS_CIDR_BYTES];
    if (access->closed) {
        buf_puts(text, "closed");
        return;
    }
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        if (access->points == 1U << i) {
            describe(text, start, names[i]);
        }
    }
    if (access->n_ranges > 0) {
        access_range_format(&access->ranges[0], range);
        describe(text, start, "from ");
        buf_puts(text, range);
        if (access->n_ranges > 1) {
            buf_printf(text, " and %zu more", access->n_ranges - 1);
        }
    } else if (access->listed) {
        describe(text, start, "from nowhere");
    }
    if (access->redirect.target) {
        describe(text, start, "to ");
        buf_puts(text, access->redirect.target);
    }
    if (text->len == start) {
        buf_puts(text, "open");
    }
}

/* ---- the values of maps ---- */

static bool way_is_bare(const struct access_way *way)
{
    return way->backend && !way->whitelist && !way->redirect;
}

void access_value_format(const struct access_way ways[ACCESS_POINTS], struct buf *value)
{
    if (way_is_bare(&ways[0]) && way_is_bare(&ways[1]) && strcmp(ways[0].backend, ways[1].backend) == 0) {
        buf_puts(value, ways[0].backend);
        return;
    }
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        const struct access_way *way = &ways[i];
        if (!way->backend) {
            buf_puts(value, "/~");
        } else if (way_is_bare(way)) {
            buf_printf(value, "/%s", way->backend);
        } else {
            buf_printf(value, "/%s+%s+%s", way->backend, way->whitelist ? way->whitelist : "~",
                       way->redirect ? way->redirect : "~");
        }
    }
}

const char *access_value_way(const char *value, enum access_point point, size_t *ret_len)
{
    const char *way = value;
    *ret_len = strlen(value);
    if (value[0] == '/') {
        for (size_t i = 0; way && i <= (size_t)point; i++) {
            way = strchr(way + (i > 0), '/');
        }
        way = way ? way + 1 : NULL;
        *ret_len = way ? strcspn(way, "/") : 0;
    }
    return *ret_len > 0 && way[0] != '~' ? way : NULL;
}

const char *access_value_backend(const char *value, enum access_point point, size_t *ret_len)
{
    const char *way = access_value_way(value, point, ret_len);
    size_t len = way ? strcspn(way, "+/") : 0;
    *ret_len = len;
    return len > 0 ? way : NULL;
}
