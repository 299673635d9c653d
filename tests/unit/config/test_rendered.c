/* SPDX-License-Identifier: MIT */
/* slotd.conf for a haproxy.cfg: what would not keep its place there is refused, with its line. */
#include "files.h"

#define PATH "; it must be a path that haproxy.cfg takes as it is: letters, digits and /-._~+=@:"
#define POOL(rest) HAPROXY "slots = { pools = ( { class = \"http\"; prefix = \"p-\"; " rest " } ); };"
#define BIND "; it must be ADDRESS:PORT such as \"*:80\", or several joined by commas"

/* Each is the whole of F, of which the other uses find nothing wrong when it is render's alone. */
struct rendered {
    const char *text, *finding;
    bool render_alone;
};

static const struct rendered rendered[] = {
    {"haproxy = ( { socket = \"/a b\"; } );", "haproxy.socket is \"/a b\"" PATH, true},
    {"haproxy = ( { socket = \"/a,/b\"; } );", "haproxy.socket is \"/a,/b\"" PATH, true},
    {"haproxy = ( { socket = \"/$A\"; } );", "haproxy.socket is \"/$A\"" PATH, true},
    {"haproxy = ( { state_file = \"/a#\"; } );", "haproxy.state_file is \"/a#\"" PATH, true},
    {"haproxy = ( { state_file = \"/a'\"; } );", "haproxy.state_file is \"/a'\"" PATH, true},
    {"haproxy = ( { maps_dir = \"/a),b\"; } );", "haproxy.maps_dir is \"/a),b\"" PATH, true},
    {POOL("defaults = \"slotd\";"),
     "slots.pools.defaults is \"slotd\"; it must be a name that does not begin with slotd: those are render's own",
     true},
    {HAPROXY "slots = { pools = ( { class = \"udp\"; prefix = \"p-\"; } ); };",
     "slots.pools.class is \"udp\"; it must be http, leastconn, sticky, https, h2c or tcp", false},
    {HAPROXY "slots = { pools = ( { class = \"tcp\"; prefix = \"p1\"; } ); };",
     "slots.pools.prefix is \"p1\"; it must be at most 240 bytes that do not end in a digit, since the pool's numbers "
     "follow",
     true},
    {HAPROXY "slots = { pools = ( { class = \"tcp\"; prefix = \"a\"; defaults = \"d\"; }, "
             "{ class = \"http\"; prefix = \"b\"; defaults = \"d\"; } ); };",
     "slots.pools.defaults \"d\" is that of an entry with another class or other server_options; give each its own",
     true},
    {HAPROXY "slots = { pools = ( { class = \"tcp\"; prefix = \"a\"; defaults = \"d\"; }, "
             "{ class = \"tcp\"; prefix = \"b\"; defaults = \"d\"; server_options = \"check\"; } ); };",
     "slots.pools.defaults \"d\" is that of an entry with another class or other server_options; give each its own",
     true},
    {HAPROXY "edge = { https_bind = \"*:443\"; };",
     "edge.https_bind is set without edge.certificates; set both or none", false},
    {HAPROXY "edge = { certificates = \"/a\"; };", "edge.certificates is set without edge.https_bind; set both or none",
     false},
    {HAPROXY "edge = { sni_passthrough = true; };",
     "edge.sni_passthrough is set without edge.https_bind, to which clients of TLS connect", true},
    {HAPROXY "edge = { http_bind = \"80\"; };", "edge.http_bind is \"80\"" BIND, false},
    {HAPROXY "edge = { http_bind = \"*:80,\"; };", "edge.http_bind is \"*:80,\"" BIND, false},
    {HAPROXY "edge = { http_bind = \"*:80 ssl\"; };", "edge.http_bind is \"*:80 ssl\"" BIND, false},
    {HAPROXY "edge = { http_bind = \"*:80-81\"; };", "edge.http_bind is \"*:80-81\"" BIND, false},
    {HAPROXY "edge = { stats_bind = \"::1:80\"; };", "edge.stats_bind is \"::1:80\"" BIND, false},
    {HAPROXY "edge = { tcp_bind = \"*:2-1\"; };",
     "edge.tcp_bind is \"*:2-1\"; it must be ADDRESS:PORT-PORT or ADDRESS:PORT such as \"*:10000-10099\", or several "
     "joined by commas",
     false},
    {HAPROXY "edge = { tcp_bind = \"*:1-65536\"; };",
     "edge.tcp_bind is \"*:1-65536\"; it must be ADDRESS:PORT-PORT or ADDRESS:PORT such as \"*:10000-10099\", or "
     "several "
     "joined by commas",
     false},
    {HAPROXY "edge = { https_bind = \"*:443\"; certificates = \"/a b\"; };", "edge.certificates is \"/a b\"" PATH,
     false},
    {"",
     "haproxy has no entry; name at least one, such as haproxy = ( { name = \"edge\"; socket = "
     "\"/run/haproxy/admin.sock\"; } );",
     false},
};

START_TEST(what_is_refused)
{
    const struct rendered *row = &rendered[_i];
    cleanup_free char *expected = mem_printf("F:1: %s\n", row->finding);
    cleanup_buf struct buf why = BUF_INIT;
    struct config *config = NULL;
    write_text("F", row->text);
    ck_assert_int_eq(config_load_render("F", &config, &why), SLOTD_E_CONFIG);
    ck_assert_str_eq(buf_text(&why), expected);
    ck_assert_ptr_null(config);
    if (row->render_alone) {
        config_free(load_good("F", false));
    } else {
        check_findings(expected);
    }
}
END_TEST

START_TEST(what_is_taken)
{
    static const char *const texts[] = {
        "haproxy = ( { } );",
        "haproxy = ( { socket = \"[::1]:9999\"; state_file = \"/A-z_0.9~+=@:\"; maps_dir = \"/m/\"; } );",
        POOL("server_options = \"check inter 2s\"; defaults = \"p\";"),
        HAPROXY "slots = { pools = ( { class = \"tcp\"; prefix = \"a\"; defaults = \"d\"; }, "
                "{ class = \"tcp\"; prefix = \"b\"; defaults = \"d\"; } ); };",
        HAPROXY "slots = { pools = ( ); };",
        HAPROXY "edge = { http_bind = \"*:80,:81,10.0.0.1:80,[::1]:80,a.example.com:80\"; tcp_bind = "
                "\"*:1-65535,[::1]:5-5\"; };",
        HAPROXY "edge = { http_bind = \"\"; };",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        cleanup_buf struct buf why = BUF_INIT;
        struct config *config = NULL;
        write_text("F", texts[i]);
        int err = config_load_render("F", &config, &why);
        ck_assert_msg(err == 0, "%s: %s", texts[i], buf_text(&why));
        config_free(config);
    }
}
END_TEST

static Suite *rendered_suite(void)
{
    Suite *suite = suite_create("rendered");
    TCase *tests = tcase_create("rendered");
    tcase_add_checked_fixture(tests, folder_make, folder_remove);
    tcase_add_loop_test(tests, what_is_refused, 0, (int)COUNT(rendered));
    tcase_add_test(tests, what_is_taken);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(rendered_suite)
