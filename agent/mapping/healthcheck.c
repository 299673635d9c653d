/* SPDX-License-Identifier: MIT */
/* PREFIX.backend.healthcheck.*: what the check of a backend asks its servers for, and what no label can change at run
 * time. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define HEALTHCHECK_MAX_PATH 1024 /* bytes of path and query */

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool path_has_url_bytes(const char *path)
{
    for (const char *c = strchr(path, '%'); c; c = strchr(c + 1, '%')) {
        if (!is_hex_digit(c[1]) || !is_hex_digit(c[2])) {
            return false;
        }
    }
    return text_is_map_word(path);
}

/* Traefik resolves the label against the server's URL: without a `/` it gets one, and what begins as `//` or as
 * `scheme:` names another server, which no check of a backend can ask. */
static bool path_is_of_server(const char *path)
{
    size_t segment = strcspn(path, "/?");
    return strncmp(path, "//", 2) != 0 && (path[0] == '/' || !memchr(path, ':', segment));
}

static char *find_path(const struct segment_view *view)
{
    const char *label = labels_get(view, "backend.healthcheck.path");
    if (!label) {
        return NULL;
    }
    size_t len = strnlen(label, HEALTHCHECK_MAX_PATH + 1) + (label[0] != '/');
    if (len <= HEALTHCHECK_MAX_PATH && path_is_of_server(label) && path_has_url_bytes(label)) {
        return mem_printf("%s%s", label[0] == '/' ? "" : "/", label);
    }
    cleanup_free char *shown = label_to_shown(label);
    view_add_problem(view, NULL, "healthcheck-path-invalid",
                     "%s.backend.healthcheck.path is `%s`; a path such as /healthz?deep=1 of at most %d bytes would be "
                     "right: letters, digits, -._~!$&()*+,=:@/? and %%XX. It is left out",
                     view->mapper->config->label_prefix, shown, HEALTHCHECK_MAX_PATH);
    return NULL;
}

static char *find_host(const struct segment_view *view)
{
    const char *label = labels_get(view, "backend.healthcheck.hostname");
    if (!label || text_is_host_name(label)) {
        return mem_strdup(label);
    }
    cleanup_free char *shown = label_to_shown(label);
    view_add_problem(view, NULL, "healthcheck-hostname-invalid",
                     "%s.backend.healthcheck.hostname is `%s`; a host name such as web.example.com would be right. It "
                     "is left out",
                     view->mapper->config->label_prefix, shown);
    return NULL;
}

static uint16_t find_check_port(const struct segment_view *view)
{
    const char *label = labels_get(view, "backend.healthcheck.port");
    int64_t port = 0;
    if (!label || (label_to_int(label, &port) && port >= 1 && port <= UINT16_MAX)) {
        return (uint16_t)port;
    }
    cleanup_free char *shown = label_to_shown(label);
    view_add_problem(view, NULL, "healthcheck-port-invalid",
                     "%s.backend.healthcheck.port is `%s`; 1 to 65535 would be right. It is left out",
                     view->mapper->config->label_prefix, shown);
    return 0;
}

/* The Runtime API does not tell, and cannot change, whether a check speaks TLS. */
static void check_scheme(const struct segment_view *view, const char *protocol)
{
    const char *label = labels_get(view, "backend.healthcheck.scheme");
    const char *prefix = view->mapper->config->label_prefix;
    if (!label) {
        return;
    }
    bool is_https = strcmp(label, "https") == 0;
    if (!is_https && strcmp(label, "http") != 0) {
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, NULL, "healthcheck-scheme-invalid",
                         "%s.backend.healthcheck.scheme is `%s`; http or https would be right. It is left out", prefix,
                         shown);
    } else if (is_https != (strcmp(protocol, "https") == 0)) {
        view_add_problem(view, NULL, "healthcheck-scheme-fixed",
                         "%s.backend.healthcheck.scheme is %s, but its protocol is %s, and no label can change whether "
                         "a check speaks TLS: the backend's server-template has to say %s",
                         prefix, label, protocol, is_https ? "check-ssl" : "no-check-ssl");
    }
}

static void refuse_fixed(const struct segment_view *view)
{
    const char *prefix = view->mapper->config->label_prefix;
    if (labels_get(view, "backend.healthcheck.interval")) {
        view_add_problem(view, NULL, "healthcheck-interval-fixed",
                         "%s.backend.healthcheck.interval cannot be changed at run time: `check inter` of the "
                         "backend's server-template has to say it",
                         prefix);
    }
    if (labels_get(view, "backend.healthcheck.headers")) {
        view_add_problem(view, NULL, "healthcheck-headers-fixed",
                         "%s.backend.healthcheck.headers cannot be changed at run time: `http-check send` of the "
                         "backend has to name them",
                         prefix);
    }
}

struct service_check healthcheck_find(const struct segment_view *view, const char *protocol)
{
    struct service_check check = {
        .path = find_path(view),
        .host = find_host(view),
        .port = find_check_port(view),
    };
    check_scheme(view, protocol);
    refuse_fixed(view);
    return check;
}

bool healthcheck_equal(const struct service_check *a, const struct service_check *b)
{
    return text_equal(a->path, b->path) && text_equal(a->host, b->host) && a->port == b->port;
}

void healthcheck_free(struct service_check *check)
{
    free(check->path);
    free(check->host);
}

void healthcheck_complete(struct service_check *check, const struct service_check *next)
{
    check->path = check->path ? check->path : next->path;
    check->host = check->host ? check->host : next->host;
    check->port = check->port ? check->port : next->port;
}

const char *healthcheck_find_clash(const struct service_check *check, const struct service_check *part)
{
    if (part->path && !text_equal(part->path, check->path)) {
        return "path";
    }
    if (part->host && !text_equal(part->host, check->host)) {
        return "hostname";
    }
    return part->port && part->port != check->port ? "port" : NULL;
}
