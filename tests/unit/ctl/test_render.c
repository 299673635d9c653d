/* SPDX-License-Identifier: MIT */
/* A haproxy.cfg's parts: names, numbers, and what stands in it by which key. Whether HAProxy takes it is t_render's. */
#include "../../../agent/ctl/render.h"

#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

START_TEST(names_of_backends)
{
    static char prefix[] = "pool-http-";
    static const struct {
        unsigned number;
        const char *name;
    } cases[] = {{1, "pool-http-001"}, {42, "pool-http-042"}, {999, "pool-http-999"}, {1000, "pool-http-1000"}};
    const struct config_pool pool = {.prefix = prefix};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_free char *name = render_backend_name(&pool, cases[i].number);
        ck_assert_str_eq(name, cases[i].name);
    }
}
END_TEST

START_TEST(names_of_defaults)
{
    static char prefix[] = "pool-http-";
    static char none[] = "";
    static char given[] = "mine";
    cleanup_free char *own = render_defaults_name(&(struct config_pool){.prefix = prefix, .defaults = none});
    cleanup_free char *theirs = render_defaults_name(&(struct config_pool){.prefix = prefix, .defaults = given});
    ck_assert_str_eq(own, "slotd-pool-http-");
    ck_assert_str_eq(theirs, "mine");
}
END_TEST

START_TEST(paths_of_maps)
{
    static char folders[][8] = {"/maps", "/maps/", "/maps//", "/"};
    static const char *const paths[] = {"/maps/routes.map", "/maps/routes.map", "/maps/routes.map", "//routes.map"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct config_haproxy haproxy = {.maps_dir = folders[i]};
        cleanup_free char *path = render_map_path(&haproxy, RENDER_MAP_ROUTES);
        ck_assert_str_eq(path, paths[i]);
    }
}
END_TEST

START_TEST(a_check_is_a_word)
{
    static const char *const without[] = {"", " ", "check-ssl", "agent-check", "inter 2s", "nocheck", "checks"};
    static const char *const with[] = {"check", "check inter 2s", "inter 2s check", "  check  ", "a check b"};
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        ck_assert_msg(!render_has_check(without[i]), "%s", without[i]);
    }
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
        ck_assert_msg(render_has_check(with[i]), "%s", with[i]);
    }
}
END_TEST

/* VmRSS of HAProxy 2.6.12, in KiB, with checks. */
START_TEST(memory_is_as_measured)
{
    static const struct {
        uint64_t n_backends, n_slots;
        unsigned n_threads;
        uint64_t kib;
    } cases[] = {
        {1, 1, 2, 14508},        {1, 1, 16, 17888},    {100, 2000, 2, 27620}, {100, 2000, 16, 48964},
        {900, 18000, 2, 132968}, {900, 900, 2, 31072}, {900, 900, 16, 55680},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t kib = render_memory_kib(cases[i].n_backends, cases[i].n_slots, cases[i].n_threads);
        ck_assert_uint_ge(kib * 100, cases[i].kib * 95);
        ck_assert_uint_le(kib * 100, cases[i].kib * 105);
    }
}
END_TEST

START_TEST(classes)
{
    enum config_class class = CONFIG_CLASS_HTTP;
    ck_assert_int_eq(config_class_parse("tcp", &class), 0);
    ck_assert_int_eq(class, CONFIG_CLASS_TCP);
    ck_assert_int_eq(config_class_parse("h2c", &class), 0);
    ck_assert_int_eq(class, CONFIG_CLASS_H2C);
    ck_assert_int_eq(config_class_parse("TCP", &class), SLOTD_E_PARSE);
    ck_assert_int_eq(config_class_parse("", &class), SLOTD_E_PARSE);
    ck_assert_int_eq(class, CONFIG_CLASS_H2C);
}
END_TEST

/* ---- the whole ---- */

static struct config *config;
static struct buf text;

static void make(void)
{
    config = config_new_render_default();
    ck_assert_uint_eq(config->n_haproxy, 1);
}

static void drop(void)
{
    config_free(config);
    buf_free(&text);
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = mem_strdup(value);
}

static void render_it(unsigned n_backends, unsigned n_slots)
{
    struct render render = {config, config->haproxy, n_backends, n_slots};
    buf_clear(&text);
    render_configuration(&render, &text);
}

static bool has(const char *line)
{
    cleanup_free char *whole = mem_printf("\n%s\n", line);
    return strstr(buf_text(&text), whole);
}

static bool mentions(const char *words)
{
    return strstr(buf_text(&text), words);
}

START_TEST(the_defaults)
{
    render_it(2, 3);
    ck_assert(has(
        "    stats socket /run/haproxy/admin.sock user root group haproxy mode 660 level admin expose-fd listeners"));
    ck_assert(has("    bind *:80"));
    ck_assert(has("backend pool-http-002 from pool-http"));
    ck_assert(has("backend pool-tcp-001 from slotd-pool-tcp-"));
    ck_assert(has("    server-template s 3 slot.invalid:1 disabled"));
    ck_assert(!mentions("pool-http-003"));
    ck_assert(!mentions("\nfrontend https"));
    ck_assert(!mentions("\n    server-state-file"));
    ck_assert(!mentions(".map)"));
    ck_assert(mentions("# 4 backends with 12 slots (--backends 2 for each of 2 pools, --slots 3 for each backend)."));
    ck_assert(mentions("has a check, 6 here,"));
}
END_TEST

START_TEST(a_key_brings_its_lines)
{
    set(&config->haproxy->socket, "127.0.0.1:9999");
    set(&config->haproxy->state_file, "/s");
    set(&config->haproxy->maps_dir, "/m/");
    set(&config->edge.https_bind, "*:443");
    set(&config->edge.certificates, "/c");
    set(&config->edge.tcp_bind, "*:1-2");
    set(&config->edge.stats_bind, "*:8404");
    render_it(1, 1);
    ck_assert(has("    stats socket 127.0.0.1:9999 level admin expose-fd listeners"));
    ck_assert(has("    server-state-file /s"));
    ck_assert(has("    load-server-state-from-file global"));
    ck_assert(has("    bind *:443 ssl crt /c alpn h2,http/1.1"));
    ck_assert(has("    tcp-request content set-var(sess.backend) dst_port,map_str(/m/tcp-ports.map)"));
    ck_assert(has("    tcp-request content set-var(sess.backend) var(sess.name),map_str(/m/sni.map)"));
    ck_assert(!mentions("\nfrontend sni"));
    config->edge.sni_passthrough = true;
    render_it(1, 1);
    ck_assert(has("    bind unix@/var/lib/haproxy/slotd-edge-https.sock user haproxy group haproxy mode 600 "
                  "accept-proxy ssl crt /c alpn h2,http/1.1"));
    ck_assert(has("frontend sni from slotd.tcp\n    bind *:443\n    tcp-request inspect-delay 5s"));
    ck_assert(has("    server https unix@/slotd-edge-https.sock send-proxy-v2"));
    set(&config->haproxy->maps_dir, "");
    render_it(1, 1);
    ck_assert(has("    bind *:443 ssl crt /c alpn h2,http/1.1"));
    ck_assert(has("# No frontend sni: haproxy.maps_dir is not set in slotd.conf."));
    set(&config->haproxy->maps_dir, "/m/");
    config->edge.sni_passthrough = false;
    render_it(1, 1);
    ck_assert(has("    http-request set-var(txn.backend) var(txn.key),map_str(/m/paths.map)"));
    ck_assert(
        has("    http-request set-var(txn.allowed) var(txn.entry),map_beg(/m/whitelist.map) if { var(txn.entry) -m "
            "found }"));
    ck_assert(mentions("var(txn.way),field(3,+),map_str(/m/redirect.map) "));
    ck_assert(has("    http-request set-var(txn.lease) str(-),map_str(/m/leases.map) if FALSE"));
    ck_assert(has("backend pool-http-001 from pool-http\n    option httpchk"));
    ck_assert(has("backend pool-tcp-001 from slotd-pool-tcp-\n    server-template s 1 slot.invalid:1 disabled"));
    ck_assert(has("frontend statistics from slotd.http"));
    /* What is made at run time has its checks from the section. */
    ck_assert(has("    .if version_atleast(3.4)\n    option httpchk"));
    config->slots.add_backends = false;
    render_it(1, 1);
    ck_assert(!mentions("version_atleast(3.4)"));
}
END_TEST

/* The entry point's URL is the scheme with the client's host, and a port where it is not the usual one. */
static void check_locations(const char *http_bind, const char *https_bind, const char *http, const char *https)
{
    cleanup_free char *http_line =
        mem_printf("    http-request set-var(txn.location) str(http://),concat(,txn.host%s) if { var(txn.location) -m "
                   "str http }",
                   http);
    cleanup_free char *https_line =
        mem_printf("    http-request set-var(txn.location) str(https://),concat(,txn.host%s) if { var(txn.location) -m "
                   "str https }",
                   https);
    set(&config->haproxy->maps_dir, "/m");
    set(&config->edge.certificates, "/c");
    set(&config->edge.http_bind, http_bind);
    set(&config->edge.https_bind, https_bind);
    render_it(1, 1);
    ck_assert_msg(has(http_line) && has(https_line), "%s %s", http_bind, https_bind);
}

START_TEST(where_redirects_lead)
{
    check_locations("*:80", "", "", "");
    check_locations("*:80", "*:443", "", "");
    check_locations("127.0.0.1:8080", "*:8443,[::1]:443", ",:8080", ",:8443");
    check_locations("[::1]:80,*:81", "[::]:444", "", ",:444");
    /* Each frontend reads its own part of a value. */
    ck_assert(has("    http-request set-var(txn.way) var(txn.backend),field(2,/) if { var(txn.backend) -m beg / }"));
    ck_assert(has("    http-request set-var(txn.way) var(txn.backend),field(3,/) if { var(txn.backend) -m beg / }"));
}
END_TEST

START_TEST(what_the_classes_are)
{
    static const struct {
        const char *class, *options, *line;
    } cases[] = {
        {"http", "", "    balance roundrobin"},
        {"leastconn", "", "    balance leastconn"},
        {"sticky", "", "    cookie SRV insert indirect nocache dynamic"},
        {"https", "check",
         "    default-server init-addr last,0.0.0.0 ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt "
         "check"},
        {"https", "verify none", "    default-server init-addr last,0.0.0.0 ssl verify none"},
        {"http", "ssl verify none", "    default-server init-addr last,0.0.0.0 ssl verify none"},
        {"h2c", "check", "    default-server init-addr last,0.0.0.0 proto h2 check"},
        {"tcp", "check", "defaults pool-http from slotd.tcp"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set(&config->slots.pools[0].class, cases[i].class);
        set(&config->slots.pools[0].server_options, cases[i].options);
        render_it(1, 1);
        ck_assert_msg(has(cases[i].line), "%s %s:\n%s", cases[i].class, cases[i].options, buf_text(&text));
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("render");
    TCase *parts = tcase_create("parts");
    tcase_add_test(parts, names_of_backends);
    tcase_add_test(parts, names_of_defaults);
    tcase_add_test(parts, paths_of_maps);
    tcase_add_test(parts, a_check_is_a_word);
    tcase_add_test(parts, memory_is_as_measured);
    tcase_add_test(parts, classes);
    suite_add_tcase(suite, parts);
    TCase *whole = tcase_create("whole");
    tcase_add_checked_fixture(whole, make, drop);
    tcase_add_test(whole, the_defaults);
    tcase_add_test(whole, a_key_brings_its_lines);
    tcase_add_test(whole, where_redirects_lead);
    tcase_add_test(whole, what_the_classes_are);
    suite_add_tcase(suite, whole);
    return suite;
}

SUITE_MAIN(make_suite)
