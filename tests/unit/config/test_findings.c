/* SPDX-License-Identifier: MIT */
/* slotd.conf: the exact text for each kind of mistake in a value. */
#include "files.h"

#define KEYS_OF_MARATHON                                                                                               \
    "endpoints, user, password_file, dcos_token_file, ca_file, cert_file, key_file, insecure_skip_verify, "            \
    "connect_timeout, response_timeout, keepalive, resync_interval"

START_TEST(unknown_keys)
{
    static const struct mistake mistakes[] = {
        {"marathon = { endpoint = 1; };", "unknown key `endpoint` in marathon; did you mean `endpoints`?"},
        {"marathon = { Connect-Timeout = 1; };",
         "unknown key `Connect-Timeout` in marathon; did you mean `connect_timeout`?"},
        {"marathon = { zzz = 1; };", "unknown key `zzz` in marathon; its keys are " KEYS_OF_MARATHON},
        {"marathon = { domain = 1; };", "unknown key `domain` in marathon; that is a key of mapping"},
        {"slots = { pools = ( { class = \"http\"; prefix = \"b\"; option = 1; } ); };",
         "unknown key `option` in slots.pools; its keys are class, prefix, server_options, defaults"},
        {"maraton = { };", "unknown section `maraton`; did you mean `marathon`?"},
        {"domain = \"a\";", "unknown section `domain`; that is a key of mapping"},
        {"other = { };",
         "unknown section `other`; the sections are marathon, haproxy, mapping, slots, spoe, control, edge"},
    };
    check_mistakes(mistakes, COUNT(mistakes));
}
END_TEST

START_TEST(wrong_types)
{
    static const struct mistake mistakes[] = {
        {"marathon = { endpoints = \"http://a\"; };",
         "marathon.endpoints must be a list of strings such as [ \"http://127.0.0.1:8080\" ], not a string"},
        {"marathon = { endpoints = [ 1 ]; };",
         "marathon.endpoints must be a list of strings such as [ \"http://127.0.0.1:8080\" ], not a number"},
        {"mapping = { domain = 1; };", "mapping.domain must be a string such as \"marathon.localhost\", not a number"},
        {"mapping = { script = true; };",
         "mapping.script must be a string such as \"/etc/slotd/map.lua\", not a boolean"},
        {"mapping = { strict = 1; };", "mapping.strict must be true or false, not a number"},
        {"mapping = { vocabulary = [ ]; };",
         "mapping.vocabulary must be \"traefik\" or \"marathon-lb\", not a list in [ ]"},
        {"slots = { pools = [ \"http\" ]; };", "slots.pools must be a list of groups such as ( { class = \"http\"; "
                                               "prefix = \"pool-http-\"; } ), not a list in "
                                               "[ ]"},
        {"spoe = { threads = \"2\"; };", "spoe.threads must be a whole number from 1 to 64, not a string"},
        {"spoe = { threads = 2.5; };",
         "spoe.threads must be a whole number from 1 to 64, not a number with a fraction"},
        {"spoe = { threads = 65L; };", "spoe.threads is 65; it must be a whole number from 1 to 64"},
        {"marathon = { keepalive = true; };",
         "marathon.keepalive must be a duration such as \"10s\", above 0 and at most 1h, not a boolean"},
        {"marathon = 5;", "marathon must be a group such as marathon = { endpoints = ...; }, not a number"},
        {"slots = { pools = { }; };", "slots.pools must be a list of groups such as ( { class = \"http\"; prefix = "
                                      "\"pool-http-\"; } ), not a group"},
        {"slots = { pools = ( \"a\" ); };", "slots.pools must be a list of groups such as ( { class = \"http\"; prefix "
                                            "= \"pool-http-\"; } ), not a string"},
    };
    check_mistakes(mistakes, COUNT(mistakes));
}
END_TEST

START_TEST(values_out_of_range)
{
    static const struct mistake mistakes[] = {
        {"slots = { missing_confirmations = 0; };",
         "slots.missing_confirmations is 0; it must be a whole number from 1 to 10"},
        {"slots = { missing_confirmations = 11; };",
         "slots.missing_confirmations is 11; it must be a whole number from 1 to 10"},
        {"slots = { max_removal_percent = -1; };",
         "slots.max_removal_percent is -1; it must be a whole number from 0 to 100"},
        {"slots = { max_removal_percent = 101; };",
         "slots.max_removal_percent is 101; it must be a whole number from 0 to 100"},
        {"spoe = { threads = 65; };", "spoe.threads is 65; it must be a whole number from 1 to 64"},
        {"spoe = { threads = 4294967298; };", "the number 4294967298 is too large; numbers have at most 9 digits"},
        {"spoe = { threads = 0x100000002; };", "the number 0x100000002 is too large; numbers have at most 9 digits"},
        {"marathon = { keepalive = 0; };",
         "marathon.keepalive is 0; it must be a duration such as \"10s\", above 0 and at most 1h"},
        {"marathon = { keepalive = -0.5; };",
         "marathon.keepalive is -0.5; it must be a duration such as \"10s\", above 0 and at most 1h"},
        {"marathon = { keepalive = 1e300; };",
         "marathon.keepalive is 1e+300; it must be a duration such as \"10s\", above 0 and at most 1h"},
        {"marathon = { connect_timeout = \"601s\"; };",
         "marathon.connect_timeout is \"601s\"; it must be a duration such as \"5s\", above 0 and at most 10m"},
        {"slots = { drain_timeout = \"5 s\"; };",
         "slots.drain_timeout is \"5 s\"; it must be a duration such as \"60s\", above 0 and at most 168h"},
        {"mapping = { vocabulary = \"nginx\"; };",
         "mapping.vocabulary is \"nginx\"; it must be \"traefik\" or \"marathon-lb\""},
        {"marathon = { endpoints = [ ]; };", "marathon.endpoints has 0 entries; it must have 1 to 64"},
    };
    check_mistakes(mistakes, COUNT(mistakes));
}
END_TEST

#define ENDPOINT "an entry of marathon.endpoints"
#define URL                                                                                                            \
    "; it must be a URL such as \"http://marathon.example.com:8080\": scheme, host, and perhaps a port from 1 to "     \
    "65535"

START_TEST(endpoints_that_are_none)
{
    static const struct mistake values[] = {
        {"127.0.0.1:8080", " is \"127.0.0.1:8080\"; it must be a URL that begins with http:// or https://"},
        {"ftp://a", " is \"ftp://a\"; it must be a URL that begins with http:// or https://"},
        {"", " is \"\"; it must be a URL that begins with http:// or https://"},
        {"me:secret@a", " must begin with http:// or https://"},
        {"http://me:secret@a",
         " contains credentials; they go into user and password_file, because URLs are shown in logs and in status"},
        {"http://a/?token=x", " has a query (?) or a fragment (#); remove it: slotd appends /v2/... to the URL"},
        {"http://a#b", " has a query (?) or a fragment (#); remove it: slotd appends /v2/... to the URL"},
        {"http://", " is \"http://\"" URL},
        {"http:///", " is \"http:///\"" URL},
        {"http://:80", " is \"http://:80\"" URL},
        {"http://a:0", " is \"http://a:0\"" URL},
        {"http://a:65536", " is \"http://a:65536\"" URL},
        {"http://a:", " is \"http://a:\"" URL},
        {"http://[::1", " is \"http://[::1\"" URL},
        {"http://[x]:80", " is \"http://[x]:80\"" URL},
        {"http://a b", " is \"http://a b\"" URL},
        {"http://a/b c", " is \"http://a/b c\"; it must be free of blanks, quotes and letters outside ASCII"},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        cleanup_free char *text = mem_printf("marathon = { endpoints = [ \"%s\" ]; };", values[i].text);
        cleanup_free char *finding = mem_printf(ENDPOINT "%s", values[i].finding);
        check_mistakes(&(struct mistake){text, finding}, 1);
    }
}
END_TEST

#define SOCKET                                                                                                         \
    "it must be an absolute path such as \"/run/haproxy/admin.sock\", or HOST:PORT such as \"127.0.0.1:9999\""
#define HUNDRED_BYTES                                                                                                  \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(values_that_do_not_fit)
{
    static const struct mistake mistakes[] = {
        {"marathon = { endpoints = [ \"http://a\", \"http://a/\" ]; };",
         "marathon.endpoints lists \"http://a\" twice; remove one of them"},
        {"marathon = { ca_file = \"ca.pem\"; };",
         "marathon.ca_file is \"ca.pem\"; it must be an absolute path, which begins with /"},
        {"mapping = { constraints = [ \"tag=edge\" ]; };",
         "an entry of mapping.constraints is \"tag=edge\"; it must be tag==GLOB or tag!=GLOB, such as \"tag==edge\" or "
         "\"tag!=int*\""},
        {"mapping = { constraints = [ \"tag!=\" ]; };",
         "an entry of mapping.constraints is \"tag!=\"; it must be tag==GLOB or tag!=GLOB, such as \"tag==edge\" or "
         "\"tag!=int*\""},
        {"mapping = { constraints = [ \"==a\" ]; };", "an entry of mapping.constraints is \"==a\"; it must be "
                                                      "tag==GLOB or tag!=GLOB, such as \"tag==edge\" or \"tag!=int*\""},
        {"mapping = { label_prefix = \"\"; };",
         "mapping.label_prefix is \"\"; it must be a prefix of letters, digits, '_', '-' and '.', such as \"traefik\""},
        {"mapping = { label_prefix = \"a b\"; };", "mapping.label_prefix is \"a b\"; it must be a prefix of letters, "
                                                   "digits, '_', '-' and '.', such as \"traefik\""},
        {"mapping = { domain = \".a\"; };",
         "mapping.domain is \".a\"; it must be a domain name such as \"marathon.localhost\", or \"\" for none"},
        {"mapping = { groups = [ \"a,b\" ]; };", "an entry of mapping.groups is \"a,b\"; it must be one group's name "
                                                 "without commas and blanks, or \"*\" for all groups"},
        {"mapping = { domain = \"a\\n\"; };",
         "mapping.domain contains the control character 0x0a; remove it (a string ends in the line where it begins)"},
        {"mapping = { domain = \"a\\x00b\"; };", "a string cannot contain \\x00; remove it"},
        {"slots = { pools = ( { class = \"http\"; } ); };",
         "slots.pools.prefix is missing; set it to a string such as \"pool-http-\""},
        {"slots = { pools = ( { class = \"http\"; prefix = \"p-\"; }, { class = \"tcp\"; prefix = \"p-\"; } ); };",
         "slots.pools.prefix \"p-\" is that of another entry too; each entry needs its own"},
        {"slots = { pools = ( { class = \"http\"; prefix = \"p\"; server_options = \"check; quit\"; } ); };",
         "slots.pools.server_options is \"check; quit\"; it must be options of a HAProxy server such as \"check inter "
         "2s\", at most 56 words and 1000 bytes of letters, digits, blanks and -._~,:/=+@%()*"},
        {"slots = { pools = ( { class = \"http\"; prefix = \"p\"; server_options = \"check enabled\"; } ); };",
         "slots.pools.server_options has `enabled`, which slotd's servers cannot have; leave it out"},
        {"spoe = { listen = \"9876\"; };", "spoe.listen is \"9876\"; it must be ADDRESS:PORT such as "
                                           "\"127.0.0.1:9876\", \"abns@slotd\", or an absolute path"},
        {"control = { http = \"localhost\"; };", "control.http is \"localhost\"; it must be ADDRESS:PORT such as "
                                                 "\"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\""},
        {"control = { http = \"localhost:9100\"; };", "control.http is \"localhost:9100\"; it must be ADDRESS:PORT "
                                                      "such as \"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\""},
        {"control = { http = \"::1:9100\"; };", "control.http is \"::1:9100\"; it must be ADDRESS:PORT such as "
                                                "\"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\""},
        {"control = { http = \"[127.0.0.1]:9100\"; };", "control.http is \"[127.0.0.1]:9100\"; it must be ADDRESS:PORT "
                                                        "such as \"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\""},
        {"control = { http = \"127.0.0.1:65536\"; };", "control.http is \"127.0.0.1:65536\"; it must be ADDRESS:PORT "
                                                       "such as \"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\""},
        {"control = { http = \"127.0.0.1:00\"; };", "control.http is \"127.0.0.1:00\"; it must be ADDRESS:PORT such as "
                                                    "\"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\""},
        {"control = { socket = \"\"; };", "control.socket is \"\"; it must be an absolute path, which begins with /"},
        {"control = { socket = \"/" HUNDRED_BYTES "12345678\"; };",
         "control.socket has 109 bytes; the path of a unix socket may have at most 107"},
    };
    check_mistakes(mistakes, COUNT(mistakes));
}
END_TEST

START_TEST(marathon_keys_that_need_each_other)
{
    static const struct mistake mistakes[] = {
        {"marathon = { user = \"a\"; };", "marathon.user is set without marathon.password_file; set both or none"},
        {"marathon = { user = \"\"; password_file = \"/a\"; };",
         "marathon.password_file is set without marathon.user; set both or none"},
        {"marathon = { cert_file = \"/a\"; };",
         "marathon.cert_file is set without marathon.key_file; set both or none"},
        {"marathon = { key_file = \"/a\"; };", "marathon.key_file is set without marathon.cert_file; set both or none"},
        {"marathon = { user = \"a\"; password_file = \"/a\"; dcos_token_file = \"/b\"; };",
         "marathon.user and marathon.dcos_token_file are both set; a request carries only one of them"},
        {"marathon = { user = \"a:b\"; password_file = \"/a\"; };",
         "marathon.user is \"a:b\"; it must be without ':', which separates it from the password; that goes into "
         "password_file"},
    };
    check_mistakes(mistakes, COUNT(mistakes));
}
END_TEST

static const char no_haproxy[] = "haproxy has no entry; name at least one, such as "
                                 "haproxy = ( { name = \"edge\"; socket = \"/run/haproxy/admin.sock\"; } );";

START_TEST(haproxy_entries)
{
    static const struct mistake values[] = {
        {"", no_haproxy},
        {"\n\nspoe = { };", no_haproxy},
        {"haproxy = ( );", no_haproxy},
        {"haproxy = { };", "haproxy must be a list of groups such as ( { name = \"edge\"; socket = "
                           "\"/run/haproxy/admin.sock\"; } ), not a group"},
        {"haproxy = ( { name = \"a.b\"; } );",
         "haproxy.name is \"a.b\"; it must be a name of letters, digits, '_' and '-'"},
        {"haproxy = ( { socket = \"admin.sock\"; } );", "haproxy.socket is \"admin.sock\"; " SOCKET},
        {"haproxy = ( { socket = \"a:0\"; } );", "haproxy.socket is \"a:0\"; " SOCKET},
        {"haproxy = ( { socket = \":9999\"; } );", "haproxy.socket is \":9999\"; " SOCKET},
        {"haproxy = ( { socket = \"*:9999\"; } );", "haproxy.socket is \"*:9999\"; " SOCKET},
        {"haproxy = ( { socket = \"::1:9999\"; } );", "haproxy.socket is \"::1:9999\"; " SOCKET},
        {"haproxy = ( { maps_dir = \"maps\"; } );",
         "haproxy.maps_dir is \"maps\"; it must be an absolute path, which begins with /"},
        {"haproxy = ( { maps_dir = \"/my maps\"; } );",
         "haproxy.maps_dir is \"/my maps\"; it must be a path that HAProxy's command line takes: at most 1024 bytes of "
         "letters, digits and -._~!$&()*+,=:@/?%"},
        {"haproxy = ( { name = \"a\"; socket = \"/a\"; }, { name = \"a\"; socket = \"/b\"; } );",
         "haproxy.name \"a\" is that of another entry too; each entry needs its own"},
        {"haproxy = ( { name = \"a\"; socket = \"/a\"; }, { name = \"b\"; socket = \"/a\"; } );",
         "haproxy.socket \"/a\" is that of another entry too; each entry needs its own"},
        {"haproxy = ( { name = \"a\"; socket = \"/a\"; state_file = \"/s\"; }, { name = \"b\"; socket = \"/b\"; "
         "state_file = \"/s\"; } );",
         "haproxy.state_file \"/s\" is that of another entry too; each entry needs its own"},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        cleanup_free char *expected = mem_printf("F:1: %s\n", values[i].finding);
        write_text("F", values[i].text);
        check_findings(expected);
    }
}
END_TEST

START_TEST(all_findings_are_listed)
{
    write_text("F", "marathon = {\n  user = 1;\n  endpoint = 2;\n};\nmapping = {\n  domain = true;\n};\nspoe = { "
                    "threads = 99; };\n");
    check_findings("F:2: marathon.user must be a string such as \"slotd\", not a number\n"
                   "F:3: unknown key `endpoint` in marathon; did you mean `endpoints`?\n"
                   "F:6: mapping.domain must be a string such as \"marathon.localhost\", not a boolean\n"
                   "F:8: spoe.threads is 99; it must be a whole number from 1 to 64\n"
                   "F:2: marathon.user is set without marathon.password_file; set both or none\n"
                   "F:1: haproxy has no entry; name at least one, such as "
                   "haproxy = ( { name = \"edge\"; socket = \"/run/haproxy/admin.sock\"; } );\n");
}
END_TEST

START_TEST(findings_are_bounded)
{
    struct buf text = BUF_INIT;
    for (int i = 0; i < 1000; i++) {
        buf_printf(&text, "unknown%d = 1;\n", i);
    }
    write_text("F", buf_text(&text));
    buf_clear(&text);
    struct config *config = NULL;
    ck_assert_int_eq(config_load("F", &config, &text), SLOTD_E_CONFIG);
    ck_assert_ptr_nonnull(
        strstr(buf_text(&text), "F:100: there is more that is wrong; correct the lines above first\n"));
    ck_assert_ptr_null(strstr(buf_text(&text), "F:101:"));
    buf_free(&text);
}
END_TEST

static Suite *findings_suite(void)
{
    Suite *suite = suite_create("findings");
    TCase *tests = tcase_create("findings");
    tcase_add_checked_fixture(tests, folder_make, folder_remove);
    tcase_add_test(tests, unknown_keys);
    tcase_add_test(tests, wrong_types);
    tcase_add_test(tests, values_out_of_range);
    tcase_add_test(tests, endpoints_that_are_none);
    tcase_add_test(tests, values_that_do_not_fit);
    tcase_add_test(tests, marathon_keys_that_need_each_other);
    tcase_add_test(tests, haproxy_entries);
    tcase_add_test(tests, all_findings_are_listed);
    tcase_add_test(tests, findings_are_bounded);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(findings_suite)
