/* SPDX-License-Identifier: MIT */
/* haproxy.cfg: what is around the pools. HAProxy 2.4 to 3.4 take all of it without a warning. */
#include "render.h"

#include <inttypes.h>
#include <string.h>

#include "slotd/mem.h"
#include "slotd/text.h"

char *render_map_path(const struct config_haproxy *haproxy, enum render_map map)
{
    static const char *const names[RENDER_N_MAPS] = {
        [RENDER_MAP_ROUTES] = "routes.map",
        [RENDER_MAP_PATHS] = "paths.map",
        [RENDER_MAP_WHITELIST] = "whitelist.map",
        [RENDER_MAP_REDIRECT] = "redirect.map",
        [RENDER_MAP_LEASES] = "leases.map",
        [RENDER_MAP_TCP_PORTS] = "tcp-ports.map",
        [RENDER_MAP_SNI] = "sni.map",
        [RENDER_MAP_CHECK_PATH] = "check-path.map",
        [RENDER_MAP_CHECK_HOST] = "check-host.map",
    };
    const char *folder = haproxy->maps_dir;
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    return mem_printf("%.*s/%s", (int)len, folder, names[map]);
}

/* ---- head ---- */

uint64_t render_memory_kib(uint64_t n_backends, uint64_t n_slots, unsigned n_threads)
{
    /* Bytes, each with its part for a thread. */
    const uint64_t program = 14350000 + UINT64_C(245000) * n_threads;
    const uint64_t backend = 10500 + UINT64_C(1130) * n_threads;
    const uint64_t slot = 4880 + UINT64_C(600) * n_threads;
    return (program + n_backends * backend + n_slots * slot) / 1024;
}

static uint64_t count_checked_slots(const struct render *render)
{
    uint64_t checked = 0;
    for (size_t i = 0; i < render->config->slots.n_pools; i++) {
        checked += render_has_check(render->config->slots.pools[i].server_options);
    }
    return checked * render->n_backends * render->n_slots;
}

static void render_head(const struct render *render, struct buf *out)
{
    enum { FEW = 2, MANY = 16 }; /* threads */
    uint64_t n_backends = (uint64_t)render->config->slots.n_pools * render->n_backends;
    uint64_t n_slots = n_backends * render->n_slots;
    buf_printf(out,
               "# Made by `slotctl render` from slotd.conf, for its HAProxy \"%s\". HAProxy 2.4 to 3.4.\n"
               "#\n"
               "# %" PRIu64 " %s with %" PRIu64 " %s (--backends %u for each of %zu %s, --slots %u for each "
               "backend). HAProxy starts with about\n"
               "# %" PRIu64 " MB of memory with %d threads, %" PRIu64 " MB with %d; connections come on top. Measured: "
               "the resident memory of HAProxy 2.6.12 with 1 x 1,\n"
               "# 100 x 20, 900 x 1 and 900 x 20 slots. 3.2.0 takes less; 3.4.0 takes 5 MB more to begin with and less "
               "for each slot; neither takes much for a thread.\n",
               render->haproxy->name, n_backends, text_plural(n_backends, "backend", "backends"), n_slots,
               text_plural(n_slots, "slot", "slots"), render->n_backends, render->config->slots.n_pools,
               text_plural(render->config->slots.n_pools, "pool", "pools"), render->n_slots,
               render_memory_kib(n_backends, n_slots, FEW) / 1024, FEW,
               render_memory_kib(n_backends, n_slots, MANY) / 1024, MANY);
    uint64_t checked = count_checked_slots(render);
    if (checked > 0) {
        buf_printf(out,
                   "# HAProxy keeps a file descriptor ready for each slot that has a check, %" PRIu64
                   " here, and two for each connection: its limit\n"
                   "# (LimitNOFILE of its unit, `ulimit -n`) has to be above their sum, or it does not start.\n",
                   checked);
    }
}

static void render_global(const struct render *render, struct buf *out)
{
    const struct config_haproxy *haproxy = render->haproxy;
    buf_puts(out, "\nglobal\n"
                  "    # In a container: log stdout format raw local0\n"
                  "    log /dev/log local0\n"
                  "    chroot " RENDER_CHROOT "\n"
                  "    user haproxy\n"
                  "    group haproxy\n");
    if (haproxy->socket[0] == '/') {
        buf_printf(out,
                   "    # slotd talks to HAProxy here; it has to be in group haproxy. Without `group` the socket would "
                   "be root's alone.\n"
                   "    stats socket %s user root group haproxy mode 660 level admin expose-fd listeners\n",
                   haproxy->socket);
    } else {
        buf_printf(
            out,
            "    # slotd talks to HAProxy here, and so can everybody who reaches this address: a path has owners.\n"
            "    stats socket %s level admin expose-fd listeners\n",
            haproxy->socket);
    }
    if (haproxy->state_file[0]) {
        buf_printf(out,
                   "    # Written by slotd: what HAProxy starts again with, before slotd has said a word.\n"
                   "    server-state-file %s\n",
                   haproxy->state_file);
    } else {
        buf_puts(out,
                 "    # No server-state-file: haproxy.state_file is not set in slotd.conf. After a reload each slot "
                 "is empty until slotd has filled it.\n");
    }
}

static void render_defaults(const struct render *render, struct buf *out)
{
    buf_puts(out,
             "\ndefaults slotd\n"
             "    log global\n"
             "    timeout connect 2s\n"
             "    timeout client 60s\n"
             "    timeout server 60s\n"
             "    timeout queue 10s\n"
             "    timeout tunnel 1h\n"
             "    # A task that died without a warning refuses the connection: the request goes to another one, and "
             "its client notices nothing.\n"
             "    retries 2\n"
             "    option redispatch 1\n");
    if (render->haproxy->state_file[0]) {
        buf_puts(out, "    load-server-state-from-file global\n");
    }
    buf_puts(out, "\ndefaults slotd.http from slotd\n"
                  "    mode http\n"
                  "    option httplog\n"
                  "    timeout http-request 10s\n"
                  "    retry-on conn-failure\n"
                  "    # Should somebody reload HAProxy: with this the old process closes a kept connection with an "
                  "answer, never under a request.\n"
                  "    .if version_atleast(2.5)\n"
                  "    option idle-close-on-response\n"
                  "    .endif\n"
                  "\ndefaults slotd.tcp from slotd\n"
                  "    mode tcp\n"
                  "    option tcplog\n");
}

/* ---- frontends ---- */

/* What is said of the frontends' lines once. */
static void render_edge_comment(const struct render *render, struct buf *out)
{
    buf_puts(out, "\n# Frontends. X-Forwarded-For: the client is appended to what it says of itself, as Traefik does; "
                  "`http-request del-header\n"
                  "# X-Forwarded-For` trusts nobody.\n");
    if (!render->haproxy->maps_dir[0]) {
        buf_puts(
            out,
            "# No routes: haproxy.maps_dir is not set in slotd.conf. Without it rules are written here by hand.\n");
        return;
    }
    buf_puts(
        out,
        "# What is looked up is the host, in lower case, without port and last dot, with the path, decoded: the exact "
        "one, then the longest prefix.\n"
        "# Nothing found: 404; a route without a server: 503. /%61 is /a, as for Traefik. /x/../a, //a and /;x/a are "
        "not, as for Traefik, but many\n"
        "# tasks take them for it: where /a has a whitelist, a redirect or one entry point alone, such a spelling "
        "answers 400. What a task\n"
        "# decodes twice, or reads without case, is for the task to protect.\n");
    render_routing_comment(out);
}

/* options: of the `bind`, each with a blank in front. */
static void render_edge(const struct render *render, enum access_point point, const char *bind, const char *options,
                        struct buf *out)
{
    const char *scheme = access_point_name(point);
    buf_printf(out,
               "\nfrontend %s from slotd.http\n"
               "    bind %s%s\n"
               "    option forwardfor\n"
               "    http-request set-header X-Forwarded-Proto %s\n"
               "    http-request set-header X-Forwarded-Host %%[req.hdr(host)]\n"
               "    http-request set-header X-Forwarded-Port %%[dst_port]\n",
               scheme, bind, options, scheme);
    render_routing(render, point, out);
}

static void render_http(const struct render *render, struct buf *out)
{
    const struct config_edge *edge = &render->config->edge;
    render_edge_comment(render, out);
    if (edge->http_bind[0]) {
        render_edge(render, ACCESS_HTTP, edge->http_bind, "", out);
    } else {
        buf_puts(out, "\n# No frontend http: edge.http_bind is empty in slotd.conf.\n");
    }
    if (edge->https_bind[0]) {
        cleanup_free char *options = mem_printf(" ssl crt %s alpn h2,http/1.1", edge->certificates);
        cleanup_free char *bind = render_https_bind(render);
        render_edge(render, ACCESS_HTTPS, bind, options, out);
    } else {
        buf_puts(out, "\n# No frontend https: edge.https_bind and edge.certificates are not set in slotd.conf.\n");
    }
}

static void render_statistics(const struct render *render, struct buf *out)
{
    const char *bind = render->config->edge.stats_bind;
    if (!bind[0]) {
        buf_puts(out, "\n# No statistics: edge.stats_bind is not set in slotd.conf.\n");
        return;
    }
    buf_printf(out,
               "\nfrontend statistics from slotd.http\n"
               "    bind %s\n"
               "    stats enable\n"
               "    stats uri /\n"
               "    stats refresh 10s\n"
               "    # For Prometheus, where HAProxy is built with it (`haproxy -vv` says PROMEX):\n"
               "    #http-request use-service prometheus-exporter if { path /metrics }\n",
               bind);
}

/* HAProxy knows only maps that its configuration mentions; slotd keeps in this one which service has which backend. */
static void render_leases(const struct render *render, struct buf *out)
{
    if (!render->haproxy->maps_dir[0]) {
        return;
    }
    cleanup_free char *leases = render_map_path(render->haproxy, RENDER_MAP_LEASES);
    buf_printf(
        out,
        "\n# Never asked: slotd keeps here which service has which backend of a pool, and HAProxy holds only maps "
        "that something mentions.\n"
        "backend slotd-leases from slotd.http\n"
        "    http-request set-var(txn.lease) str(-),map_str(%s) if FALSE\n",
        leases);
}

static void render_spoe(const struct render *render, struct buf *out)
{
    if (render->config->spoe.listen[0]) {
        buf_puts(out,
                 "\n# No SPOE filter: spoe.listen has no effect in this version. Rules that no map can decide are in "
                 "`slotctl routes`.\n");
    } else {
        buf_puts(out, "\n# No SPOE filter: spoe.listen is not set in slotd.conf. Rules that no map can decide are in "
                      "`slotctl routes`.\n");
    }
}

void render_configuration(const struct render *render, struct buf *out)
{
    render_head(render, out);
    render_global(render, out);
    render_defaults(render, out);
    render_http(render, out);
    render_tcp(render, out);
    render_statistics(render, out);
    render_spoe(render, out);
    render_leases(render, out);
    render_pools(render, out);
}
