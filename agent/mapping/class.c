/* SPDX-License-Identifier: MIT */
/* What kind of backend a service needs: by its protocol, and how its requests are to be spread. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static bool find_switch(const struct segment_view *view, const char *property)
{
    const char *label = labels_get(view, property);
    bool value = false;
    if (label && text_parse_bool(label, &value)) {
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, NULL, "stickiness-invalid",
                         "%s.%s is `%s`; true or false would be right, false is taken",
                         view->mapper->config->label_prefix, property, shown);
    }
    return value;
}

static bool is_sticky(const struct segment_view *view)
{
    bool sticky = find_switch(view, "backend.loadbalancer.stickiness");
    bool old = find_switch(view, "backend.loadbalancer.sticky");
    return sticky || old || labels_get(view, "backend.loadbalancer.stickiness.cookieName");
}

static bool is_by_connections(const struct segment_view *view)
{
    const char *label = labels_get(view, "backend.loadbalancer.method");
    if (!label || strcmp(label, "wrr") == 0 || strcmp(label, "drr") == 0) {
        return label && label[0] == 'd';
    }
    cleanup_free char *shown = label_to_shown(label);
    view_add_problem(view, NULL, "loadbalancer-method-unknown",
                     "%s.backend.loadbalancer.method is `%s`; wrr or drr would be right, wrr is taken",
                     view->mapper->config->label_prefix, shown);
    return false;
}

const char *class_find(const struct segment_view *view, const char *protocol)
{
    bool sticky = is_sticky(view);
    bool by_connections = is_by_connections(view);
    if (strcmp(protocol, "http") != 0) {
        return protocol;
    }
    return sticky ? "sticky" : by_connections ? "leastconn" : "http";
}
