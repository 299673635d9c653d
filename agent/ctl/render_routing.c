/* SPDX-License-Identifier: MIT */
/* haproxy.cfg: from a request to a backend, by slotd's maps. slotd/access.h says what is in them. */
#include <string.h>

#include "render.h"
#include "slotd/mem.h"

static const char not_found[] = "http-request return status 404 content-type text/plain string \"404 page not found\"";

void render_routing_comment(struct buf *out)
{
    buf_puts(
        out,
        "# A map's value is a backend, or /HTTP/HTTPS: what each of the two frontends has instead. ~: no route here; "
        "else a backend,\n"
        "# +WHITELIST (~: everybody, !: nobody), +REDIRECT (~: none). A frontend that does not read it answers 503. "
        "The client is the connection's\n"
        "# source: behind another proxy, `accept-proxy` on the bind line or `http-request set-src` as the first "
        "rule tells who it is.\n");
}

/* HAProxy takes both as they come, and the key would not say any more what the task will see: a path in front of the
 * path, or one that ends for map_str and goes on for the task. */
static const char refuse_unclear[] =
    "    http-request deny deny_status 400 if { var(txn.host) -m sub / } or { path -m sub %00 }\n";

static void render_lookup(const struct render *render, struct buf *out)
{
    cleanup_free char *routes = render_map_path(render->haproxy, RENDER_MAP_ROUTES);
    cleanup_free char *paths = render_map_path(render->haproxy, RENDER_MAP_PATHS);
    buf_printf(out,
               "    http-request set-var(txn.path) path,url_dec\n"
               "    http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub([.]$,)\n"
               "%s"
               "    http-request set-var(txn.key) var(txn.host),concat(,txn.path)\n"
               "    http-request set-var(txn.backend) var(txn.key),map_str(%s)\n"
               "    http-request set-var(txn.backend) var(txn.key),map_beg(%s) unless { var(txn.backend) -m found }\n"
               "    %s unless { var(txn.backend) -m found }\n",
               refuse_unclear, paths, routes, not_found);
}

/* Many tasks see a backslash as a slash, `;` and what follows as no part of a segment's name, and take out empty
 * segments and dots. More than four levels of `..` in one another are refused: nobody means them. */
#define TO_ROOT "regsub(\"^(/[.][.])+/\",/)"
#define ONE_UP ",regsub(\"/([^/.]|[.][^/.]|[.][.][^/])[^/]*/[.][.]/\",/,g)," TO_ROOT
static const char clean_path[] =
    "    http-request set-var(txn.clean) 'var(txn.path),regsub(\"[\\\\\\\\]\",/,g),regsub(;[^/]*,,g),concat(/),"
    "regsub(\"(/[.]?)+/\",/,g)' if { var(txn.path) -m reg '[;\\\\]|//|/[.]' }\n"
    "    http-request set-var(txn.clean) 'var(txn.clean)," TO_ROOT ONE_UP ONE_UP ONE_UP ONE_UP
    "' if { var(txn.clean) -m sub /../ }\n"
    "    http-request deny deny_status 400 if { var(txn.clean) -m sub /../ }\n";

/* A path that a task may read as another one, with a whitelist of its own, is no way around it; where no list is in
 * the way it goes as it is written. A key with a slash at its end is an exact one without, to many. */
static void render_clearance(const struct render *render, struct buf *out)
{
    cleanup_free char *routes = render_map_path(render->haproxy, RENDER_MAP_ROUTES);
    cleanup_free char *paths = render_map_path(render->haproxy, RENDER_MAP_PATHS);
    buf_puts(out, clean_path);
    buf_printf(
        out,
        "    http-request set-var(txn.clean) var(txn.path) if { var(txn.path) -m end / } !{ var(txn.clean) -m found }\n"
        "    http-request set-var(txn.clean) var(txn.host),concat(,txn.clean) if { var(txn.clean) -m found }\n"
        "    http-request set-var(txn.other) var(txn.clean),regsub(/$,),map_str(%s) if { var(txn.clean) -m found }\n"
        "    http-request set-var(txn.other) var(txn.clean),map_str(%s) if { var(txn.clean) -m found } !{ "
        "var(txn.other) -m found }\n"
        "    http-request set-var(txn.other) var(txn.clean),map_beg(%s) if { var(txn.clean) -m found } !{ "
        "var(txn.other) -m found }\n"
        "    http-request deny deny_status 400 if { var(txn.other) -m beg / } !{ var(txn.other),strcmp(txn.backend) eq "
        "0 "
        "}\n",
        paths, paths, routes);
}

/* Addresses as hexadecimal text, of which a whitelist has the beginnings. IPv4 that came as IPv6 is IPv4. */
static void render_whitelist(const struct render *render, struct buf *out)
{
    cleanup_free char *whitelist = render_map_path(render->haproxy, RENDER_MAP_WHITELIST);
    buf_printf(
        out,
        "    http-request set-var(txn.whitelist) var(txn.way),field(2,+) if { var(txn.way) -m sub + }\n"
        "    http-request deny deny_status 503 if { var(txn.whitelist) -m str ! }\n"
        "    http-request set-var(txn.client) src,hex,regsub(^0{20}FFFF,) if { var(txn.whitelist) -m found }\n"
        "    http-request set-var(txn.entry) var(txn.whitelist),concat(/4,txn.client) if { var(txn.client) -m len 8 }\n"
        "    http-request set-var(txn.entry) var(txn.whitelist),concat(/6,txn.client) if { var(txn.client) -m len 32 "
        "}\n"
        "    http-request set-var(txn.allowed) var(txn.entry),map_beg(%s) if { var(txn.entry) -m found }\n"
        "    http-request deny deny_status 403 if { var(txn.whitelist) -m found } !{ var(txn.whitelist) -m str ~ } "
        "!{ var(txn.allowed) -m found }\n",
        whitelist);
}

/* The entry point's port, with its colon; the first one of several, nothing for the one that its scheme has. */
static char *point_find_port(const struct config_edge *edge, enum access_point point)
{
    const char *bind = point == ACCESS_HTTPS ? edge->https_bind : edge->http_bind;
    const char *usual = point == ACCESS_HTTPS ? ":443" : ":80";
    size_t len = strcspn(bind, ",");
    while (len > 0 && bind[len - 1] != ':') {
        len--;
    }
    if (len == 0) {
        return mem_strdup("");
    }
    cleanup_free char *port = mem_strndup(bind + len - 1, strcspn(bind + len - 1, ","));
    return mem_strdup(strcmp(port, usual) == 0 ? "" : port);
}

static void render_location(const struct render *render, enum access_point point, struct buf *out)
{
    const char *scheme = access_point_name(point);
    cleanup_free char *port = point_find_port(&render->config->edge, point);
    buf_printf(out,
               "    http-request set-var(txn.location) str(%s://),concat(,txn.host%s%s) if { var(txn.location) -m str "
               "%s }\n",
               scheme, port[0] ? "," : "", port, scheme);
}

/* Traefik's statuses: with another one than 301 or 302 a method that is not GET stays what it is. */
static void render_redirect(const struct render *render, struct buf *out)
{
    static const struct {
        int status, other;
    } codes[] = {{301, 308}, {302, 307}};
    cleanup_free char *redirect = render_map_path(render->haproxy, RENDER_MAP_REDIRECT);
    buf_printf(
        out,
        "    http-request set-var(txn.redirect) var(txn.way),field(3,+),map_str(%s) if { var(txn.way) -m sub + }\n"
        "    http-request deny deny_status 503 if { var(txn.way) -m sub + } !{ var(txn.way) -m end +~ } !{ "
        "var(txn.redirect) -m found }\n"
        "    http-request set-var(txn.location) var(txn.redirect),field(2,=)\n",
        redirect);
    render_location(render, ACCESS_HTTP, out);
    render_location(render, ACCESS_HTTPS, out);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        buf_printf(
            out,
            "    http-request redirect code %d location %%[var(txn.location)]%%[pathq] if { var(txn.redirect) -m "
            "beg %d= } { method GET }\n"
            "    http-request redirect code %d location %%[var(txn.location)]%%[pathq] if { var(txn.redirect) -m "
            "beg %d= }\n",
            codes[i].status, codes[i].status, codes[i].other, codes[i].status);
    }
}

void render_routing(const struct render *render, enum access_point point, struct buf *out)
{
    if (!render->haproxy->maps_dir[0]) {
        buf_printf(out,
                   "    #use_backend backend-web if { req.hdr(host),field(1,:),lower web.example.com }\n"
                   "    %s\n",
                   not_found);
        return;
    }
    render_lookup(render, out);
    render_clearance(render, out);
    buf_printf(out,
               "    http-request set-var(txn.way) var(txn.backend),field(%d,/) if { var(txn.backend) -m beg / }\n"
               "    %s if { var(txn.way) -m str ~ }\n",
               (int)point + 2, not_found);
    render_whitelist(render, out);
    render_redirect(render, out);
    buf_puts(out, "    http-request set-var(txn.backend) var(txn.way),field(1,+) if { var(txn.way) -m found }\n"
                  "    use_backend %[var(txn.backend)]\n");
}
