/* SPDX-License-Identifier: MIT */
/* haproxy.cfg: the pools. A class is a `defaults` section; a pool's backends come from it and differ by name alone, so
 * that each fits any service of the class. */
#include <string.h>

#include "render.h"
#include "slotd/mem.h"

struct pool_class {
    const char *balance; /* always said: what HAProxy takes without it differs by version */
    const char *lines;   /* of the section, or "" */
};

static const struct pool_class classes[CONFIG_N_CLASSES] = {
    [CONFIG_CLASS_HTTP] = {"roundrobin", ""},
    [CONFIG_CLASS_LEASTCONN] = {"leastconn", ""},
    [CONFIG_CLASS_STICKY] =
        {"roundrobin", "    # The cookie follows a task's address, not its slot. Every HAProxy before the same apps "
                       "needs the same key; any text will do.\n"
                       "    dynamic-cookie-key slotd\n"
                       "    cookie SRV insert indirect nocache dynamic\n"},
    [CONFIG_CLASS_HTTPS] =
        {"roundrobin", "    # Signed by whom is verified, the name is not: tasks have addresses. `verify` and `sni` in "
                       "slots.pools.server_options say otherwise.\n"
                       "    # HAProxy 3.3 and later would take the name from the request.\n"
                       "    .if version_atleast(3.3)\n"
                       "    default-server no-sni-auto no-check-sni-auto\n"
                       "    .endif\n"},
    [CONFIG_CLASS_H2C] = {"roundrobin", ""},
    [CONFIG_CLASS_TCP] = {"roundrobin", ""},
};

char *render_backend_name(const struct config_pool *pool, unsigned number)
{
    return mem_printf("%s%03u", pool->prefix, number);
}

char *render_defaults_name(const struct config_pool *pool)
{
    return pool->defaults[0] ? mem_strdup(pool->defaults) : mem_printf("slotd-%s", pool->prefix);
}

bool render_has_check(const char *server_options)
{
    return config_options_have(server_options, "check");
}

/* Whether HAProxy asks the pool's servers for something, and does not only connect. */
static bool pool_asks(const struct render *render, const struct config_pool *pool, enum config_class class)
{
    return class != CONFIG_CLASS_TCP && render->haproxy->maps_dir[0] && render_has_check(pool->server_options);
}

static void render_checks_comment(const struct render *render, struct buf *out)
{
    if (!render->haproxy->maps_dir[0]) {
        buf_puts(out,
                 "# Checks only connect: haproxy.maps_dir is not set in slotd.conf, which would let labels say what "
                 "they ask for.\n");
        return;
    }
    buf_puts(
        out,
        "# Checks ask for what the labels traefik.backend.healthcheck.path and .hostname say. Apps without them "
        "are asked for `/`, which many do\n"
        "# not have: every answer below 500 is a sign of life. 200-399 is Traefik's rule for apps with the labels.\n");
}

/* What a check asks for comes from maps, so that a label can change it. In each backend: HAProxy 3.0.0 writes into
 * freed memory when it ends, `haproxy -c` too, where a `defaults` section has a check with an expression. */
static char *make_check(const struct render *render)
{
    cleanup_free char *paths = render_map_path(render->haproxy, RENDER_MAP_CHECK_PATH);
    cleanup_free char *hosts = render_map_path(render->haproxy, RENDER_MAP_CHECK_HOST);
    return mem_printf("    option httpchk\n"
                      "    http-check send meth GET uri-lf %%[be_name,map_str(%s,/)] ver HTTP/1.1 hdr Host "
                      "%%[be_name,map_str(%s,localhost)]\n"
                      "    http-check expect status 200-499\n",
                      paths, hosts);
}

static void render_default_server(enum config_class class, const char *options, struct buf *out)
{
    if (!render_has_check(options)) {
        buf_puts(out, "    # No checks: slots.pools.server_options have no `check`, such as \"check inter 2s\".\n");
    }
    buf_printf(out, "    default-server init-addr last,0.0.0.0%s%s%s\n", config_class_options(class, options),
               options[0] ? " " : "", options);
}

/* Whether slotd may make backends from the pool's section, where HAProxy can. */
static bool pool_is_made_from(const struct render *render, const struct config_pool *pool)
{
    const struct config_slots *slots = &render->config->slots;
    return slots->add_backends && slots->add_servers && pool->defaults[0] && pool->server_options[0] &&
           render->haproxy->maps_dir[0];
}

static void render_made_comment(const struct render *render, struct buf *out)
{
    const struct config_slots *slots = &render->config->slots;
    for (size_t i = 0; i < slots->n_pools; i++) {
        if (pool_is_made_from(render, &slots->pools[i])) {
            buf_puts(out, "# With HAProxy 3.4 and later a new app gets a backend of its own name, which slotd makes "
                          "from a pool's `defaults` section: statistics\n"
                          "# carry that name. It is in no file: after a reload or restart of HAProxy it answers 503 "
                          "for about a tenth of a second, until slotd\n"
                          "# has made it again. A pool's backend does not; `add_backends = false` under slots in "
                          "slotd.conf gives apps these alone.\n");
            return;
        }
    }
}

/* A backend that slotd makes at run time has nothing but its section. */
static void render_check_of_made(const struct render *render, const struct config_pool *pool, struct buf *out)
{
    if (!pool_is_made_from(render, pool)) {
        return;
    }
    cleanup_free char *check = make_check(render);
    buf_printf(out,
               "    # HAProxy 3.4 and later: slotd makes backends from this section, named as their services "
               "(slots.add_backends).\n"
               "    .if version_atleast(3.4)\n%s    .endif\n",
               check);
}

static void render_section(const struct render *render, const struct config_pool *pool, enum config_class class,
                           const char *name, struct buf *out)
{
    buf_printf(out, "\ndefaults %s from slotd.%s\n    balance %s\n%s", name, class == CONFIG_CLASS_TCP ? "tcp" : "http",
               classes[class].balance, classes[class].lines);
    render_default_server(class, pool->server_options, out);
    if (pool_asks(render, pool, class)) {
        render_check_of_made(render, pool, out);
    }
}

/* Whether an earlier pool has the same section: both say the same then. */
static bool is_shared(const struct render *render, size_t place)
{
    const struct config_pool *pools = render->config->slots.pools;
    for (size_t i = 0; i < place && pools[place].defaults[0]; i++) {
        if (strcmp(pools[i].defaults, pools[place].defaults) == 0) {
            return true;
        }
    }
    return false;
}

static void render_pool(const struct render *render, size_t place, struct buf *out)
{
    const struct config_pool *pool = &render->config->slots.pools[place];
    enum config_class class = CONFIG_CLASS_HTTP;
    if (config_class_parse(pool->class, &class)) {
        return; /* config_load_render() has refused it */
    }
    cleanup_free char *defaults = render_defaults_name(pool);
    buf_printf(out, "\n# ---- pool \"%s\": class %s ----\n", pool->prefix, pool->class);
    if (!is_shared(render, place)) {
        render_section(render, pool, class, defaults, out);
    }
    cleanup_free char *check = pool_asks(render, pool, class) ? make_check(render) : mem_strdup("");
    buf_putc(out, '\n');
    for (unsigned i = 1; i <= render->n_backends; i++) {
        cleanup_free char *name = render_backend_name(pool, i);
        buf_printf(out, "backend %s from %s\n%s    server-template s %u slot.invalid:1 disabled\n", name, defaults,
                   check, render->n_slots);
    }
}

void render_pools(const struct render *render, struct buf *out)
{
    if (render->config->slots.n_pools == 0) {
        buf_puts(out, "\n# No pool: slots.pools is empty in slotd.conf.\n");
        return;
    }
    buf_puts(out, "\n# A slot is `disabled`, has a name below .invalid, and lets its address come from the state file "
                  "(`last`): that marks it as slotd's.\n"
                  "# A service that needs settings of its own gets a backend of its name, with such a line; it is "
                  "used before any pool.\n");
    render_checks_comment(render, out);
    render_made_comment(render, out);
    for (size_t i = 0; i < render->config->slots.n_pools; i++) {
        render_pool(render, i, out);
    }
}
