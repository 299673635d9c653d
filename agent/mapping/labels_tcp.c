/* SPDX-License-Identifier: MIT */
/* The labels [SEGMENT.]tcp.port and [SEGMENT.]tcp.sni beside Traefik's grammar, by which [SEGMENT.]tcp.port is the port
 * of a segment called [SEGMENT.]tcp. Traefik 1.7 routes no TCP: with protocol tcp, and no other label that makes such a
 * segment, nobody can mean that one. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"

/* The same app, looked at as another segment of it. */
static struct segment_view view_as(const struct segment_view *view, const char *segment)
{
    struct segment_view other = *view;
    other.segment = segment;
    return other;
}

static bool protocol_is_tcp(const struct segment_view *view, const char *segment)
{
    struct segment_view other = view_as(view, segment);
    const char *protocol = labels_get(&other, "protocol");
    return protocol && strcmp(protocol, "tcp") == 0;
}

static bool app_has_label_below(const struct marathon_app *app, const char *start)
{
    size_t low = 0;
    size_t high = app->n_labels;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(app->labels[middle].key, start) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < app->n_labels && strncmp(app->labels[low].key, start, strlen(start)) == 0;
}

/* "tcp", or "SEGMENT.tcp". The caller frees. */
static char *name_below(const char *segment)
{
    return segment[0] ? mem_printf("%s.tcp", segment) : mem_strdup("tcp");
}

/* Whether more than its port makes the segment that is called so. */
static bool segment_is_made(const struct segment_view *view, const char *name)
{
    static const char *const makers[] = {"portIndex", "portName", "weight", "protocol",
                                         "backend",   "tcp.port", "tcp.sni"};
    const char *prefix = view->mapper->config->label_prefix;
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        cleanup_free char *key = mem_printf("%s.%s.%s", prefix, name, makers[i]);
        if (marathon_app_label(view->app, key)) {
            return true;
        }
    }
    cleanup_free char *start = mem_printf("%s.%s.frontend.", prefix, name);
    return app_has_label_below(view->app, start);
}

static bool port_is_own(const struct segment_view *view, const char *segment)
{
    cleanup_free char *name = name_below(segment);
    return protocol_is_tcp(view, segment) && !segment_is_made(view, name);
}

bool labels_tcp_is_own(const struct segment_view *view, const char *name, const char *property)
{
    static const char word[] = "tcp";
    size_t len = (size_t)(property - name);
    if (len < sizeof(word) - 1 || strncmp(property - (sizeof(word) - 1), word, sizeof(word) - 1) != 0 ||
        strcmp(property, ".port") != 0 || (len > sizeof(word) - 1 && name[len - sizeof(word)] != '.')) {
        return false;
    }
    cleanup_free char *segment = mem_strndup(name, len > sizeof(word) - 1 ? len - sizeof(word) : 0);
    return port_is_own(view, segment);
}

bool labels_tcp_make_segment(const struct segment_view *view, const char *name, const char *property)
{
    bool is_port = strcmp(property, ".tcp.port") == 0;
    if (!is_port && strcmp(property, ".tcp.sni") != 0) {
        return false;
    }
    cleanup_free char *segment = mem_strndup(name, (size_t)(property - name));
    return is_port ? port_is_own(view, segment) : protocol_is_tcp(view, segment);
}

const char *labels_get_tcp_port(const struct segment_view *view)
{
    if (view->segment[0] && port_is_own(view, view->segment)) {
        cleanup_free char *key = mem_printf("%s.%s.tcp.port", view->mapper->config->label_prefix, view->segment);
        const char *value = marathon_app_label(view->app, key);
        if (value) {
            return value[0] ? value : NULL;
        }
    }
    return port_is_own(view, "") ? labels_get_own(view->mapper, view->app, "tcp.port") : NULL;
}

/* The name of the segment around "SEGMENT.tcp", "" for the app itself; NULL: it is called otherwise. The caller frees.
 */
static char *find_outer(const char *segment)
{
    size_t len = strlen(segment);
    if (strcmp(segment, "tcp") == 0) {
        return mem_strdup("");
    }
    return len > 4 && strcmp(segment + len - 4, ".tcp") == 0 ? mem_strndup(segment, len - 4) : NULL;
}

void labels_tcp_judge_segment(const struct segment_view *view)
{
    const char *prefix = view->mapper->config->label_prefix;
    cleanup_free char *outer = find_outer(view->segment);
    cleanup_free char *key = mem_printf("%s.%s.port", prefix, view->segment);
    if (!outer || !marathon_app_label(view->app, key)) {
        return;
    }
    cleanup_free char *shown = label_to_shown(view->segment);
    cleanup_free char *around = label_to_shown(outer);
    if (protocol_is_tcp(view, outer)) {
        view_add_problem(view, NULL, "tcp-port-ambiguous",
                         "%s.%s.port is the port of the segment `%s`, which other labels make; for it to be the port "
                         "that HAProxy listens on, call the segment otherwise",
                         prefix, shown, shown);
    } else if (!segment_is_made(view, view->segment)) {
        view_add_problem(view, NULL, "tcp-port-ambiguous",
                         "%s.%s.port makes a segment `%s`, as in Traefik; for it to be the port that HAProxy listens "
                         "on, %s.%s%sprotocol has to be tcp",
                         prefix, shown, shown, prefix, around, around[0] ? "." : "");
    }
}
