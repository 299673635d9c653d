/* SPDX-License-Identifier: MIT */
/* Frontends that look at no request: TCP services by port, and by the server name of TLS (SNI). */
#include "render.h"

#include "slotd/mem.h"

/* Whole, then with its first part as `*`. Waits for the client's first words as long as inspect-delay allows. */
static void render_look_up_name(const struct render *render, struct buf *out)
{
    cleanup_free char *names = render_map_path(render->haproxy, RENDER_MAP_SNI);
    buf_printf(out,
               "    tcp-request content set-var(sess.name) req.ssl_sni,lower if { req.ssl_hello_type 1 }\n"
               "    tcp-request content set-var(sess.backend) var(sess.name),map_str(%s)\n"
               "    tcp-request content set-var(sess.backend) var(sess.name),regsub(^[^.]*,*),map_str(%s) unless { "
               "var(sess.backend) -m found }\n",
               names, names);
}

static void render_ports(const struct render *render, const char *bind, struct buf *out)
{
    cleanup_free char *ports = render_map_path(render->haproxy, RENDER_MAP_TCP_PORTS);
    buf_printf(out,
               "\n# TCP services (traefik.protocol=tcp): traefik.tcp.port is a key of the first map, traefik.tcp.sni "
               "are keys of the second. The port comes\n"
               "# first, and is not waited for: many servers speak before their clients. On a port that the first map "
               "lacks the server name decides, as\n"
               "# a client of TLS sends it, whole and then as *.example.com; without either the connection is closed. "
               "HAProxy listens on each port from\n"
               "# its start on.\n"
               "frontend tcp from slotd.tcp\n"
               "    bind %s\n"
               "    tcp-request inspect-delay 5s\n"
               "    tcp-request content set-var(sess.backend) dst_port,map_str(%s)\n"
               "    tcp-request content accept if { var(sess.backend) -m found }\n",
               bind, ports);
    render_look_up_name(render, out);
    buf_puts(out, "    tcp-request content reject unless { var(sess.backend) -m found }\n"
                  "    use_backend %[var(sess.backend)]\n");
}

static bool render_passes_through(const struct render *render)
{
    const struct config_edge *edge = &render->config->edge;
    return edge->sni_passthrough && edge->https_bind[0] && render->haproxy->maps_dir[0];
}

/* Who connects there says by the PROXY protocol who the client is: that is for HAProxy's user alone. HAProxy makes the
 * socket before its chroot, and connects to it from within. */
static char *render_inner_name(const struct render *render)
{
    return mem_printf("slotd-%s-https.sock", render->haproxy->name);
}

char *render_https_bind(const struct render *render)
{
    if (!render_passes_through(render)) {
        return mem_strdup(render->config->edge.https_bind);
    }
    cleanup_free char *name = render_inner_name(render);
    return mem_printf("unix@" RENDER_CHROOT "/%s user haproxy group haproxy mode 600 accept-proxy", name);
}

static void render_passthrough(const struct render *render, struct buf *out)
{
    cleanup_free char *name = render_inner_name(render);
    buf_puts(out, "\n# What TLS clients connect to. A server name of the map (traefik.tcp.sni) leads to its service, "
                  "which has the certificate itself; all else\n"
                  "# goes to frontend https above, which sees the client's address by the PROXY protocol.\n"
                  "frontend sni from slotd.tcp\n");
    buf_printf(out,
               "    bind %s\n"
               "    tcp-request inspect-delay 5s\n",
               render->config->edge.https_bind);
    render_look_up_name(render, out);
    buf_printf(out,
               "    use_backend %%[var(sess.backend)] if { var(sess.backend) -m found }\n"
               "    default_backend slotd-https\n"
               "\n# By a socket in the folder that HAProxy sees as /, of HAProxy's user alone.\n"
               "backend slotd-https from slotd.tcp\n"
               "    server https unix@/%s send-proxy-v2\n",
               name);
}

void render_tcp(const struct render *render, struct buf *out)
{
    const char *bind = render->config->edge.tcp_bind;
    if (render_passes_through(render)) {
        render_passthrough(render, out);
    } else if (render->config->edge.sni_passthrough) {
        buf_puts(out, "\n# No frontend sni: haproxy.maps_dir is not set in slotd.conf.\n");
    }
    if (bind[0] && render->haproxy->maps_dir[0]) {
        render_ports(render, bind, out);
    } else {
        buf_printf(out, "\n# No frontend tcp: %s not set in slotd.conf.\n",
                   !bind[0] ? "edge.tcp_bind, a range of ports such as \"*:10000-10099\", is" : "haproxy.maps_dir is");
    }
}
