/* SPDX-License-Identifier: MIT */
/* Prometheus' text format. */
#include "exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "slotd/text.h"

#define NS_PER_S UINT64_C(1000000000)

void exposition_begin(struct buf *text, const char *family, enum exposition_type type, const char *help)
{
    static const char *const types[] = {
        [EXPOSITION_GAUGE] = "gauge", [EXPOSITION_COUNTER] = "counter", [EXPOSITION_HISTOGRAM] = "histogram"};
    buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, types[type]);
}

/* Printable UTF-8 and line ends; of everything else text_append_safe() makes that. */
static void make_printable(struct buf *safe, const char *value)
{
    while (*value && safe->len < EXPOSITION_MAX_VALUE) {
        size_t len = strcspn(value, "\n");
        text_append_safe(safe, value, len, EXPOSITION_MAX_VALUE - safe->len);
        value += len;
        if (*value == '\n') {
            buf_putc(safe, *value++);
        }
    }
}

/* Exactly three characters have an escape; in the names of thousands of backends there is none. */
static void add_label_value(struct buf *text, const char *value)
{
    cleanup_buf struct buf safe = BUF_INIT;
    if (text_is_haproxy_name(value)) {
        buf_puts(text, value);
        return;
    }
    make_printable(&safe, value);
    for (const char *rest = buf_text(&safe); *rest;) {
        size_t plain = strcspn(rest, "\\\"\n");
        buf_append(text, rest, plain);
        rest += plain;
        if (*rest) {
            buf_putc(text, '\\');
            buf_putc(text, *rest == '\n' ? 'n' : *rest);
            rest++;
        }
    }
}

/* bound: the label `le`, or NULL. */
static void add_labels(struct buf *text, const char *const *labels, const char *bound)
{
    const char *separator = "{";
    for (; *labels; labels += 2) {
        buf_puts(text, separator);
        buf_puts(text, labels[0]);
        buf_puts(text, "=\"");
        add_label_value(text, labels[1]);
        buf_putc(text, '"');
        separator = ",";
    }
    if (bound) {
        buf_printf(text, "%sle=\"%s\"", separator, bound);
        separator = ",";
    }
    if (*separator == ',') {
        buf_putc(text, '}');
    }
}

/* Without zeros at the end. */
static void format_seconds(uint64_t ns, char ret_text[32])
{
    int len = snprintf(ret_text, 32, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
    while (ret_text[len - 1] == '0') {
        ret_text[--len] = '\0';
    }
    if (ret_text[len - 1] == '.') {
        ret_text[len - 1] = '\0';
    }
}

void exposition_add(struct buf *text, const char *family, const char *const *labels, uint64_t value)
{
    buf_puts(text, family);
    add_labels(text, labels, NULL);
    buf_printf(text, " %" PRIu64 "\n", value);
}

void exposition_add_seconds(struct buf *text, const char *family, const char *const *labels, uint64_t value_ns)
{
    char seconds[32];
    format_seconds(value_ns, seconds);
    buf_puts(text, family);
    add_labels(text, labels, NULL);
    buf_printf(text, " %s\n", seconds);
}

static void add_bucket(struct buf *text, const char *family, const char *const *labels, const char *bound,
                       uint64_t count)
{
    buf_printf(text, "%s_bucket", family);
    add_labels(text, labels, bound);
    buf_printf(text, " %" PRIu64 "\n", count);
}

void exposition_add_histogram(struct buf *text, const char *family, const char *const *labels,
                              const struct histogram *histogram)
{
    uint64_t count = 0;
    char seconds[32];
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += histogram->counts[i];
        format_seconds(histogram_bounds_ns[i], seconds);
        add_bucket(text, family, labels, seconds, count);
    }
    count += histogram->counts[HISTOGRAM_BOUNDS];
    add_bucket(text, family, labels, "+Inf", count);
    format_seconds(histogram->sum_ns, seconds);
    buf_printf(text, "%s_sum", family);
    add_labels(text, labels, NULL);
    buf_printf(text, " %s\n%s_count", seconds, family);
    add_labels(text, labels, NULL);
    buf_printf(text, " %" PRIu64 "\n", count);
}
