/* SPDX-License-Identifier: MIT */
/* How a service of mode tcp is reached: by the port that is connected to, and by the server name of TLS (SNI). */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static uint16_t find_port(const struct segment_view *view)
{
    const char *label = labels_get_tcp_port(view);
    int64_t port = 0;
    if (!label || (label_to_int(label, &port) && port >= 1 && port <= UINT16_MAX)) {
        return (uint16_t)port;
    }
    cleanup_free char *shown = label_to_shown(label);
    view_add_problem(view, NULL, "tcp-port-invalid", "%s.tcp.port is `%s`; 1 to 65535 would be right. It is left out",
                     view->mapper->config->label_prefix, shown);
    return 0;
}

/* As a client sends it: in lower case, without a last dot. NULL: neither a host name nor "*." and one. The caller
 * frees. */
static char *server_name(const char *text, size_t len)
{
    len -= len > 1 && text[len - 1] == '.';
    char *name = mem_strndup(text, len);
    for (char *c = name; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    }
    const char *host = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    if (text_is_host_name(host) && !text_is_ip(host)) {
        return name;
    }
    free(name);
    return NULL;
}

static bool tcp_has_name(const struct service_tcp *tcp, const char *name)
{
    for (size_t i = 0; i < tcp->n_names; i++) {
        if (strcmp(tcp->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void tcp_take_name(struct service_tcp *tcp, const struct segment_view *view, const char *text, size_t len)
{
    const char *prefix = view->mapper->config->label_prefix;
    char *name = server_name(text, len);
    if (!name) {
        cleanup_free char *copy = mem_strndup(text, len);
        cleanup_free char *shown = label_to_shown(copy);
        view_add_problem(view, NULL, "tcp-sni-invalid",
                         "%s.tcp.sni has `%s`; a host name such as db.example.com, or *.example.com for any name one "
                         "level below, would be right. It is left out",
                         prefix, shown);
    } else if (tcp_has_name(tcp, name)) {
        free(name);
    } else if (tcp->n_names == SERVICE_MAX_NAMES) {
        view_add_problem(view, NULL, "tcp-sni-too-many", "%s.tcp.sni has more than %d names; the others are left out",
                         prefix, SERVICE_MAX_NAMES);
        free(name);
    } else {
        MEM_GROW(tcp->names, tcp->names_capacity, tcp->n_names + 1);
        tcp->names[tcp->n_names++] = name;
    }
}

static void tcp_take_names(struct service_tcp *tcp, const struct segment_view *view, const char *label)
{
    for (const char *next = label; next; next = strchr(next, ',') ? strchr(next, ',') + 1 : NULL) {
        const char *text = next + strspn(next, " \t");
        size_t len = strcspn(text, ",");
        while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
            len--;
        }
        if (len > 0) {
            tcp_take_name(tcp, view, text, len);
        }
    }
}

/* A label of the app's own is for those of its segments that speak TCP. */
static void refuse_names(const struct segment_view *view, const char *protocol)
{
    const char *prefix = view->mapper->config->label_prefix;
    const char *of_app = labels_get_own(view->mapper, view->app, "protocol");
    cleanup_free char *key = mem_printf("%s.%s.tcp.sni", prefix, view->segment);
    bool is_here = !view->segment[0] || marathon_app_label(view->app, key);
    if (is_here || !of_app || strcmp(of_app, "tcp") != 0) {
        view_add_problem(view, NULL, "tcp-sni-ignored",
                         "%s.tcp.sni has no effect: its protocol is %s; %s.protocol=tcp would be right", prefix,
                         protocol, prefix);
    }
}

struct service_tcp tcp_find(const struct segment_view *view, const char *protocol)
{
    struct service_tcp tcp = {0};
    const char *names = labels_get(view, "tcp.sni");
    labels_tcp_judge_segment(view);
    if (strcmp(protocol, "tcp") == 0) {
        tcp.port = find_port(view);
        tcp_take_names(&tcp, view, names);
    } else if (names) {
        refuse_names(view, protocol);
    }
    return tcp;
}

static bool names_equal(const struct service_tcp *a, const struct service_tcp *b)
{
    bool equal = a->n_names == b->n_names;
    for (size_t i = 0; equal && i < a->n_names; i++) {
        equal = strcmp(a->names[i], b->names[i]) == 0;
    }
    return equal;
}

bool tcp_equal(const struct service_tcp *a, const struct service_tcp *b)
{
    return a->port == b->port && names_equal(a, b);
}

void tcp_free(struct service_tcp *tcp)
{
    for (size_t i = 0; i < tcp->n_names; i++) {
        free(tcp->names[i]);
    }
    free(tcp->names);
}

void tcp_complete(struct service_tcp *tcp, const struct service_tcp *next)
{
    tcp->port = tcp->port ? tcp->port : next->port;
    if (tcp->n_names == 0) {
        tcp->names = next->names;
        tcp->n_names = next->n_names;
    }
}

const char *tcp_find_clash(const struct service_tcp *tcp, const struct service_tcp *part)
{
    if (part->port && part->port != tcp->port) {
        return "tcp.port";
    }
    return part->n_names > 0 && !names_equal(tcp, part) ? "tcp.sni" : NULL;
}
