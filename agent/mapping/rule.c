/* SPDX-License-Identifier: MIT */
/* The routing rule as text: labelled, or made from the app's id. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define RULE_MAX_DOMAIN 253 /* bytes of a host name */

static bool is_usable(const char *text, size_t max)
{
    size_t len = 0;
    while (len <= max && text[len] && text_control_length(text + len) == 0) {
        len++;
    }
    return len <= max && text[len] == '\0';
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

static const char *find_domain(const struct segment_view *view)
{
    const char *domain = labels_get(view, "domain");
    if (domain && !is_usable(domain, RULE_MAX_DOMAIN)) {
        cleanup_free char *shown = label_to_shown(domain);
        view_add_problem(
            view, NULL, "domain-invalid",
            "%s.domain is `%s`, which has control characters in it or is longer than %d bytes; the configured "
            "domain is taken",
            view->mapper->config->label_prefix, shown, RULE_MAX_DOMAIN);
        domain = NULL;
    }
    return domain ? domain : view->mapper->config->domain;
}

static char *rule_default(const struct segment_view *view)
{
    struct buf rule = BUF_INIT;
    const char *domain = find_domain(view);
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
    for (size_t i = 0; i < rule.len; i++) {
        memset(rule.data + i, '-', text_control_length(rule.data + i));
    }
    return buf_steal(&rule);
}

/* Whether the label that the rule comes from may be taken. */
static bool rule_check(const struct segment_view *view, const char *name, const char *value)
{
    if (is_usable(value, MAPPING_MAX_RULE)) {
        return true;
    }
    view_add_problem(view, NULL, "rule-invalid",
                     "%s has control characters in it or is longer than %u bytes; the default rule is taken", name,
                     MAPPING_MAX_RULE);
    return false;
}

char *rule_find(const struct segment_view *view)
{
    const struct config_mapping *config = view->mapper->config;
    const char *label = labels_get(view, "frontend.rule");
    if (label) {
        cleanup_free char *name = mem_printf("%s.frontend.rule", config->label_prefix);
        return rule_check(view, name, label) ? mem_strdup(label) : rule_default(view);
    }
    const char *vhost = config->marathon_lb_compatibility ? marathon_app_label(view->app, "HAPROXY_0_VHOST") : NULL;
    bool usable = vhost && vhost[0] && rule_check(view, "HAPROXY_0_VHOST", vhost);
    return usable ? mem_printf("Host:%s", vhost) : rule_default(view);
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
    if (label && (!label_to_int(label, &priority) || priority < 0)) {
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, NULL, "priority-invalid",
                         "%s.frontend.priority is `%s`; a number from 1 would be right, the rule's length is taken",
                         view->mapper->config->label_prefix, shown);
    }
    return priority > 0 ? priority : count_characters(rule);
}
