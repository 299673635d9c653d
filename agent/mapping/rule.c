/* SPDX-License-Identifier: MIT */
/* The routing rule as text: labelled, or made from the app's id. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static bool has_control_byte(const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return true;
        }
    }
    return false;
}

static void append_reversed_groups(const char *id, struct buf *rule)
{
    size_t end = strlen(id);
    while (true) {
        size_t start = end;
        while (start > 0 && id[start - 1] != '/') {
            start--;
        }
        buf_append(rule, id + start, end - start);
        if (start == 0) {
            return;
        }
        buf_putc(rule, '.');
        end = start - 1;
    }
}

static void append_sub_domain(const struct segment_view *view, struct buf *rule)
{
    const char *id = view->app->id + (view->app->id[0] == '/');
    if (view->mapper->config->groups_as_subdomains) {
        append_reversed_groups(id, rule);
        return;
    }
    for (const char *c = id; *c; c++) {
        buf_putc(rule, *c == '/' ? '-' : *c);
    }
}

static char *rule_default(const struct segment_view *view)
{
    struct buf rule = BUF_INIT;
    const char *domain = labels_get(view, "domain");
    domain = domain ? domain : view->mapper->config->domain;
    buf_puts(&rule, "Host:");
    if (view->segment[0]) {
        cleanup_free char *normal = mapper_normalize(view->mapper, view->segment);
        cleanup_free char *lower = names_lower(view->mapper, normal);
        buf_puts(&rule, lower);
        buf_putc(&rule, '.');
    }
    append_sub_domain(view, &rule);
    if (domain[0]) {
        buf_putc(&rule, '.');
        buf_puts(&rule, domain);
    }
    return buf_steal(&rule);
}

char *rule_find(const struct segment_view *view)
{
    const char *label = labels_get(view, "frontend.rule");
    if (label && (has_control_byte(label) || strlen(label) > MAPPING_MAX_RULE)) {
        view_add_problem(view, NULL, "rule-invalid",
                         "%s.frontend.rule has control bytes in it or is longer than 64 KiB; the default rule is taken",
                         view->mapper->config->label_prefix);
        return rule_default(view);
    }
    if (label) {
        return mem_strdup(label);
    }
    const char *vhost =
        view->mapper->config->marathon_lb_compatibility ? marathon_app_label(view->app, "HAPROXY_0_VHOST") : NULL;
    return vhost && vhost[0] && !has_control_byte(vhost) ? mem_printf("Host:%s", vhost) : rule_default(view);
}

static int64_t count_characters(const char *text)
{
    int64_t count = 0;
    for (const char *c = text; *c; c++) {
        count += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return count;
}

int64_t rule_find_priority(const struct segment_view *view, const char *rule)
{
    int64_t priority = 0;
    const char *label = labels_get(view, "frontend.priority");
    if (label && text_parse_int(label, INT32_MIN, INT32_MAX, &priority)) {
        view_add_problem(view, NULL, "priority-invalid",
                         "%s.frontend.priority is no number; the rule's length is taken",
                         view->mapper->config->label_prefix);
        label = NULL;
    }
    return label && priority != 0 ? priority : count_characters(rule);
}
