/* SPDX-License-Identifier: MIT */
/* slotd.conf: syntax, files and includes, every key and every default. */
#include <errno.h>

#include "files.h"

START_TEST(syntax)
{
    static const struct mistake values[] = {
        {"a = 1;\nb = 2 3;\n",
         "F:2: syntax error here or just before; a key is written name = value; and strings stand in double quotes\n"},
        {"a = 1;\n\na = 2;\n", "F:3: the key `a` stands in its group twice; remove one of them\n"},
        {"b = { a = 1; };\nc = ( { a = 1; }, { a = 2; b = 1; } );\nb2 = 1; b : 2; d = 1;\n",
         "F:3: the key `b` stands in its group twice; remove one of them\n"},
        {"a = { b = 1; # b = 2\n c = \"b = 3\"; b /* d */ = 4;\n};\n",
         "F:2: the key `b` stands in its group twice; remove one of them\n"},
        {"a = [ 1,\n \"b\" ];\n", "F:2: the elements of [ ] must all be of one type, such as [ \"a\", \"b\" ]\n"},
        {"a = {\n b = (\n", "F:2: unexpected end of the file: this `(` is never closed; a `)` is missing\n"},
        {"a = {\n b = (\n };\n", "F:3: `}` stands where `)` must close the `(` of line 2\n"},
        {"a = 1;\n};\n", "F:2: `}` closes nothing; remove it or open the bracket that it ends\n"},
        {"a = 1;\nb = \"c;\n\n", "F:2: this string has no end; close it with \"\n"},
        {"a = 1;\n/* b\n\n", "F:2: this comment has no end; close it with */\n"},
        {"a = 1; @include \"F\"\n",
         "F:1: `@` must begin a line of its own such as @include \"more.conf\"; text stands in double quotes\n"},
        {"a=(((((((((((((((((1)))))))))))))))));",
         "F:1: brackets are nested deeper than 16 levels; no key needs more than 4\n"},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        write_text("F", values[i].text);
        check_findings(values[i].finding);
    }
}
END_TEST

START_TEST(nesting_up_to_the_limit)
{
    static const struct mistake deep = {
        "a=((((((((((((((((1))))))))))))))));",
        "unknown section `a`; the sections are marathon, haproxy, mapping, slots, spoe, control, edge"};
    check_mistakes(&deep, 1);
}
END_TEST

START_TEST(bytes_and_sizes)
{
    write_bytes("F", "a = 1;\nb = \"x\0y\";\n", 19);
    check_findings("F:2: byte 0x00 is not allowed; a configuration is plain text\n");
    struct buf text = BUF_INIT;
    memset(buf_reserve(&text, 1048577), '\n', 1048577);
    buf_commit(&text, 1048577);
    write_bytes("F", text.data, text.len);
    check_findings("F:1: the configuration is larger than 1048576 bytes\n");
    memcpy(text.data, HAPROXY, strlen(HAPROXY));
    write_bytes("F", text.data, text.len - 1);
    config_free(load_good("F", false));
    write_text("G", HAPROXY "\n@include \"F\"");
    struct config *config = NULL;
    buf_clear(&text);
    ck_assert_int_eq(config_load("G", &config, &text), SLOTD_E_CONFIG);
    ck_assert_str_eq(buf_text(&text), "G:2: with F the configuration is larger than 1048576 bytes\n");
    buf_free(&text);
}
END_TEST

START_TEST(number_of_keys_is_bounded)
{
    struct buf text = BUF_INIT;
    for (int i = 0; i < 4097; i++) {
        buf_printf(&text, "k%d = 1;\n", i);
    }
    write_text("F", buf_text(&text));
    check_findings("F:4097: the configuration has more than 4096 keys\n");
    buf_free(&text);
}
END_TEST

static void check_unreadable(const char *path, int expected_err, const char *expected)
{
    struct buf why = BUF_INIT;
    struct config *config = NULL;
    ck_assert_int_eq(config_load(path, &config, &why), expected_err);
    ck_assert_str_eq(buf_text(&why), expected);
    ck_assert_ptr_null(config);
    buf_free(&why);
}

START_TEST(files_that_cannot_be_read)
{
    check_unreadable("none", -ENOENT, "none: cannot be read: No such file or directory\n");
    check_unreadable("/", -EISDIR, "/: cannot be read: Is a directory\n");
    if (geteuid() != 0) {
        write_text("F", HAPROXY);
        ck_assert_int_eq(chmod("F", 0), 0);
        check_unreadable("F", -EACCES, "F: cannot be read: Permission denied\n");
    }
}
END_TEST

START_TEST(includes_are_put_in_place)
{
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    write_text("F", "# @include \"none\"\n/*\n@include \"none\"\n*/\n" HAPROXY
                    "\n  @include \"sub/H\"\ncontrol = { group = \"adm\"; };");
    write_text("sub/H", "mapping = {\n@include \"I\"\n};\nspoe = { threads = 3; };// end");
    write_text("sub/I", "domain = \"included\";");
    struct config *config = load_good("F", false);
    ck_assert_str_eq(config->mapping.domain, "included");
    ck_assert_str_eq(config->control.group, "adm");
    ck_assert_int_eq(config->spoe.threads, 3);
    config_free(config);
}
END_TEST

START_TEST(findings_name_the_included_file)
{
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    write_text("F", "a = 1;\n@include \"sub/H\" b = 2;\nc = 3;\n" HAPROXY);
    write_text("sub/H", "\nmapping = {\n@include \"I\"\n@include \"I2\"\n\n domain = 1; };");
    write_text("sub/I", "\nscript = 1;");
    check_findings("sub/H:4: sub/I2 is included and cannot be read: No such file or directory\n");
    write_text("sub/H", "\nmapping = {\n@include \"I\"\n\n domain = 1; };");
#define SECTIONS "; the sections are marathon, haproxy, mapping, slots, spoe, control, edge\n"
    check_findings("F:1: unknown section `a`" SECTIONS
                   "sub/I:2: mapping.script must be a string such as \"/etc/slotd/map.lua\", not a number\n"
                   "sub/H:5: mapping.domain must be a string such as \"marathon.localhost\", not a number\n"
                   "F:2: unknown section `b`" SECTIONS "F:3: unknown section `c`" SECTIONS);
    write_text("sub/H", "mapping = {\n\n");
    check_findings("sub/H:1: unexpected end of the file: this `{` is never closed; a `}` is missing\n");
    write_text("sub/H", "\n\nd = e;\n");
    check_findings("sub/H:3: syntax error here or just before; a key is written name = value; and strings stand in "
                   "double quotes\n");
}
END_TEST

START_TEST(includes_that_cannot_be)
{
    write_text("F", HAPROXY "\n@include \"F\"\n@include \"F\"\n");
    check_findings("F:2: F is not included: files include each other deeper than 8 levels\n");
    write_text("F", HAPROXY "\n@include \"/\"\n");
    check_findings("F:2: / is included and cannot be read: Is a directory\n");
    write_text("F", HAPROXY "\n@include \"none\n");
    check_findings("F:2: this string has no end; close it with \"\n");
}
END_TEST

static void check_default_marathon(const struct config_marathon *marathon)
{
    ck_assert_uint_eq(marathon->endpoints.count, 1);
    ck_assert_str_eq(marathon->endpoints.items[0], "http://127.0.0.1:8080");
    ck_assert_str_eq(marathon->user, "");
    ck_assert_str_eq(marathon->password_file, "");
    ck_assert_str_eq(marathon->dcos_token_file, "");
    ck_assert_str_eq(marathon->ca_file, "");
    ck_assert_str_eq(marathon->cert_file, "");
    ck_assert_str_eq(marathon->key_file, "");
    ck_assert(!marathon->insecure_skip_verify);
    ck_assert_int_eq(marathon->connect_timeout, 5000);
    ck_assert_int_eq(marathon->response_timeout, 60000);
    ck_assert_int_eq(marathon->keepalive, 10000);
    ck_assert_int_eq(marathon->resync_interval, 60000);
}

static void check_default_mapping(const struct config_mapping *mapping)
{
    ck_assert_str_eq(mapping->label_prefix, "traefik");
    ck_assert_str_eq(mapping->domain, "marathon.localhost");
    ck_assert(mapping->exposed_by_default);
    ck_assert(!mapping->groups_as_subdomains);
    ck_assert_int_eq(mapping->vocabulary, CONFIG_VOCABULARY_TRAEFIK);
    ck_assert_uint_eq(mapping->groups.count, 0);
    ck_assert(!mapping->strict);
    ck_assert(!mapping->marathon_lb_compatibility);
    ck_assert_uint_eq(mapping->constraints.count, 0);
    ck_assert(!mapping->filter_marathon_constraints);
    ck_assert(!mapping->force_task_hostname);
    ck_assert(!mapping->respect_readiness_checks);
    ck_assert(!mapping->drain_unhealthy);
    ck_assert_str_eq(mapping->script, "");
}

static void check_default_slots(const struct config_slots *slots)
{
    ck_assert_int_eq(slots->drain_timeout, 60000);
    ck_assert_int_eq(slots->release_delay, 30000);
    ck_assert(slots->checked_start);
    ck_assert_int_eq(slots->missing_confirmations, 2);
    ck_assert_int_eq(slots->max_removal_percent, 50);
    ck_assert_uint_eq(slots->n_pools, 2);
    ck_assert_str_eq(slots->pools[0].class, "http");
    ck_assert_str_eq(slots->pools[0].prefix, "pool-http-");
    ck_assert_str_eq(slots->pools[0].server_options, "check inter 2s");
    ck_assert_str_eq(slots->pools[0].defaults, "pool-http");
    ck_assert_str_eq(slots->pools[1].class, "tcp");
    ck_assert_str_eq(slots->pools[1].prefix, "pool-tcp-");
    ck_assert_str_eq(slots->pools[1].server_options, "");
    ck_assert_str_eq(slots->pools[1].defaults, "");
    ck_assert(slots->add_servers);
    ck_assert(slots->add_backends);
}

static void check_defaults(const struct config *config)
{
    check_default_marathon(&config->marathon);
    check_default_mapping(&config->mapping);
    check_default_slots(&config->slots);
    ck_assert_str_eq(config->spoe.listen, "");
    ck_assert_int_eq(config->spoe.threads, 1);
    ck_assert_str_eq(config->control.socket, "/run/slotd/slotd.sock");
    ck_assert_str_eq(config->control.group, "");
    ck_assert_str_eq(config->control.http, "");
    ck_assert_str_eq(config->control.state_dir, "/var/lib/slotd");
    ck_assert_str_eq(config->edge.http_bind, "*:80");
    ck_assert_str_eq(config->edge.https_bind, "");
    ck_assert_str_eq(config->edge.certificates, "");
    ck_assert_str_eq(config->edge.tcp_bind, "");
    ck_assert(!config->edge.sni_passthrough);
    ck_assert_str_eq(config->edge.stats_bind, "");
}

START_TEST(defaults)
{
    struct config *config = config_new_default();
    check_defaults(config);
    ck_assert_uint_eq(config->n_haproxy, 0);
    config_free(config);
    config_free(NULL);
    write_text("F",
               "haproxy = ( { } ); marathon = { }; mapping = { }; slots = { }; spoe = { }; control = { }; edge = { };");
    config = load_good("F", false);
    check_defaults(config);
    ck_assert_uint_eq(config->n_haproxy, 1);
    ck_assert_str_eq(config->haproxy[0].name, "edge");
    ck_assert_str_eq(config->haproxy[0].socket, "/run/haproxy/admin.sock");
    ck_assert_str_eq(config->haproxy[0].state_file, "");
    ck_assert_str_eq(config->haproxy[0].maps_dir, "");
    config_free(config);
}
END_TEST

static void check_every_key_of_marathon(const struct config_marathon *marathon)
{
    ck_assert_uint_eq(marathon->endpoints.count, 2);
    ck_assert_str_eq(marathon->endpoints.items[1], "https://b");
    ck_assert_str_eq(marathon->user, "me");
    ck_assert_str_eq(marathon->password_file, "/p");
    ck_assert_str_eq(marathon->ca_file, "/ca");
    ck_assert_str_eq(marathon->cert_file, "/cert");
    ck_assert_str_eq(marathon->key_file, "/key");
    ck_assert(marathon->insecure_skip_verify);
    ck_assert_int_eq(marathon->connect_timeout, 250);
    ck_assert_int_eq(marathon->response_timeout, 120000);
    ck_assert_int_eq(marathon->keepalive, 7000);
    ck_assert_int_eq(marathon->resync_interval, 1500);
}

static void check_every_key_of_mapping(const struct config_mapping *mapping)
{
    ck_assert_str_eq(mapping->label_prefix, "slotd.v1");
    ck_assert_str_eq(mapping->domain, "");
    ck_assert(!mapping->exposed_by_default);
    ck_assert(mapping->groups_as_subdomains);
    ck_assert_int_eq(mapping->vocabulary, CONFIG_VOCABULARY_MARATHON_LB);
    ck_assert_uint_eq(mapping->groups.count, 2);
    ck_assert_str_eq(mapping->groups.items[1], "*");
    ck_assert(mapping->strict);
    ck_assert(mapping->marathon_lb_compatibility);
    ck_assert_uint_eq(mapping->constraints.count, 2);
    ck_assert_str_eq(mapping->constraints.items[0], "tag==rack_id:CLUSTER:*");
    ck_assert(mapping->filter_marathon_constraints);
    ck_assert(mapping->force_task_hostname);
    ck_assert(mapping->respect_readiness_checks);
    ck_assert(mapping->drain_unhealthy);
    ck_assert_str_eq(mapping->script, "/map.lua");
}

static void check_every_key_of_the_rest(const struct config *config)
{
    ck_assert_uint_eq(config->n_haproxy, 2);
    ck_assert_str_eq(config->haproxy[0].state_file, "/run/s");
    ck_assert_str_eq(config->haproxy[0].maps_dir, "/maps");
    ck_assert_str_eq(config->haproxy[1].name, "other");
    ck_assert_str_eq(config->haproxy[1].socket, "[::1]:9999");
    ck_assert_int_eq(config->slots.drain_timeout, 3600000);
    ck_assert_int_eq(config->slots.release_delay, 1);
    ck_assert(!config->slots.checked_start);
    ck_assert_int_eq(config->slots.missing_confirmations, 10);
    ck_assert_int_eq(config->slots.max_removal_percent, 0);
    ck_assert_uint_eq(config->slots.n_pools, 1);
    ck_assert_str_eq(config->slots.pools[0].class, "sticky");
    ck_assert(!config->slots.add_servers);
    ck_assert(!config->slots.add_backends);
    ck_assert_str_eq(config->spoe.listen, "abns@slotd");
    ck_assert_int_eq(config->spoe.threads, 64);
    ck_assert_str_eq(config->control.socket, "/run/c.sock");
    ck_assert_str_eq(config->control.group, "adm");
    ck_assert_str_eq(config->control.http, "*:9100");
    ck_assert_str_eq(config->control.state_dir, "");
    ck_assert_str_eq(config->edge.http_bind, "10.0.0.1:80");
    ck_assert_str_eq(config->edge.https_bind, "*:443");
    ck_assert_str_eq(config->edge.certificates, "/certs");
    ck_assert_str_eq(config->edge.tcp_bind, "*:10000-10099,[::1]:5432");
    ck_assert(!config_bind_has_port(config->edge.tcp_bind, 9999));
    ck_assert(config_bind_has_port(config->edge.tcp_bind, 10000));
    ck_assert(config_bind_has_port(config->edge.tcp_bind, 10099));
    ck_assert(!config_bind_has_port(config->edge.tcp_bind, 10100));
    ck_assert(!config_bind_has_port(config->edge.tcp_bind, 1));
    ck_assert(config_bind_has_port(config->edge.tcp_bind, 5432));
    ck_assert(config->edge.sni_passthrough);
    ck_assert_str_eq(config->edge.stats_bind, "127.0.0.1:8404");
}

START_TEST(every_key)
{
    struct config *config = load_good(suite_fixture("config/every-key.conf"), false);
    check_every_key_of_marathon(&config->marathon);
    check_every_key_of_mapping(&config->mapping);
    check_every_key_of_the_rest(config);
    config_free(config);
}
END_TEST

START_TEST(token_instead_of_password)
{
    write_text("F", HAPROXY "marathon = { dcos_token_file = \"/t\"; }; slots = { pools = ( ); };");
    struct config *config = load_good("F", false);
    ck_assert_str_eq(config->marathon.dcos_token_file, "/t");
    ck_assert_uint_eq(config->slots.n_pools, 0);
    config_free(config);
}
END_TEST

START_TEST(offline_needs_no_haproxy)
{
    struct config *config = load_good(suite_fixture("config/golden-constraints.conf"), true);
    ck_assert_uint_eq(config->mapping.constraints.count, 1);
    ck_assert_str_eq(config->mapping.constraints.items[0], "tag==edge");
    ck_assert_uint_eq(config->n_haproxy, 0);
    config_free(config);
    config = load_good(suite_fixture("config/golden-empty-domain.conf"), true);
    ck_assert_str_eq(config->mapping.domain, "");
    config_free(config);
    write_text("F", "");
    config_free(load_good("F", true));
    write_text("F", "spoe = { threads = 0; };");
    struct buf why = BUF_INIT;
    ck_assert_int_eq(config_load_offline("F", &config, &why), SLOTD_E_CONFIG);
    ck_assert_str_eq(buf_text(&why), "F:1: spoe.threads is 0; it must be a whole number from 1 to 64\n");
    buf_free(&why);
}
END_TEST

START_TEST(example_is_good)
{
    cleanup_free char *path = mem_strdup(suite_fixture("../../packaging/slotd.conf.example"));
    struct config *config = load_good(path, false);
    check_defaults(config);
    ck_assert_uint_eq(config->n_haproxy, 1);
    config_free(config);
}
END_TEST

/* What a server needs so that it can talk to its class, when it is not in haproxy.cfg. */
START_TEST(options_of_classes)
{
    ck_assert_str_eq(config_class_options(CONFIG_CLASS_HTTP, "check"), "");
    ck_assert_str_eq(config_class_options(CONFIG_CLASS_H2C, ""), " proto h2");
    ck_assert_str_eq(config_class_options(CONFIG_CLASS_HTTPS, "check"),
                     " ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt");
    ck_assert_str_eq(config_class_options(CONFIG_CLASS_HTTPS, "check  verify none"), " ssl");
    ck_assert(!config_options_have("check-ssl no-check checks", "check"));
    ck_assert(!config_options_have("", "check"));
    ck_assert(!config_options_have("  ", "check"));
    ck_assert(config_options_have("inter 2s  check ", "check"));
}
END_TEST

START_TEST(good_endpoints)
{
    write_text(
        "F", HAPROXY
        "marathon = { endpoints = ( \"http://a/\", \"https://[::1]:8443///\", \"http://10.0.0.1:1/service/marathon/\","
        " \"http://[::1]\", \"http://a.example.com:65535\" ); };");
    struct config *config = load_good("F", false);
    const struct config_list *list = &config->marathon.endpoints;
    ck_assert_uint_eq(list->count, 5);
    ck_assert_str_eq(list->items[0], "http://a");
    ck_assert_str_eq(list->items[1], "https://[::1]:8443");
    ck_assert_str_eq(list->items[2], "http://10.0.0.1:1/service/marathon");
    ck_assert_str_eq(list->items[3], "http://[::1]");
    config_free(config);
}
END_TEST

START_TEST(names_of_secrets)
{
    static const struct {
        const char *text;
        bool names;
    } texts[] = {
        {"", false},
        {"marathon = { ca_file = \"/ca\"; insecure_skip_verify = true; };", false},
        {"marathon = { user = \"ops\"; password_file = \"/password\"; };", true},
        {"marathon = { dcos_token_file = \"/token\"; };", true},
        {"marathon = { cert_file = \"/cert\"; key_file = \"/key\"; };", true},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        cleanup_free char *text = mem_printf(HAPROXY "%s", texts[i].text);
        write_text("F", text);
        struct config *config = load_good("F", false);
        ck_assert_msg(config_names_secret(config) == texts[i].names, "%s", texts[i].text);
        config_free(config);
    }
}
END_TEST

START_TEST(addresses_to_listen_on)
{
    static const char *const good[] = {"127.0.0.1:9100", "[::1]:9100", "[::]:65535", "*:1", ":9100", "127.0.0.1:0", ""};
    for (size_t i = 0; i < COUNT(good); i++) {
        cleanup_free char *text = mem_printf(HAPROXY "control = { http = \"%s\"; };", good[i]);
        write_text("F", text);
        struct config *config = load_good("F", false);
        ck_assert_str_eq(config->control.http, good[i]);
        config_free(config);
    }
}
END_TEST

START_TEST(forms_of_a_duration)
{
    static const struct {
        const char *text;
        int64_t ms;
    } forms[] = {
        {"\"500ms\"", 500}, {"\"5s\"", 5000}, {"\"1m\"", 60000}, {"\"5\"", 5000}, {"5", 5000},
        {"5L", 5000},       {"5.0", 5000},    {"0.5", 500},      {"0x10", 16000},
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        cleanup_free char *text = mem_printf(HAPROXY "marathon = { connect_timeout = %s; };", forms[i].text);
        write_text("F", text);
        struct config *config = load_good("F", false);
        ck_assert_msg(config->marathon.connect_timeout == forms[i].ms, "%s", forms[i].text);
        config_free(config);
    }
}
END_TEST

static Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, folder_make, folder_remove);
    tcase_add_test(tests, syntax);
    tcase_add_test(tests, nesting_up_to_the_limit);
    tcase_add_test(tests, bytes_and_sizes);
    tcase_add_test(tests, number_of_keys_is_bounded);
    tcase_add_test(tests, files_that_cannot_be_read);
    tcase_add_test(tests, includes_are_put_in_place);
    tcase_add_test(tests, findings_name_the_included_file);
    tcase_add_test(tests, includes_that_cannot_be);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, every_key);
    tcase_add_test(tests, token_instead_of_password);
    tcase_add_test(tests, offline_needs_no_haproxy);
    tcase_add_test(tests, example_is_good);
    tcase_add_test(tests, options_of_classes);
    tcase_add_test(tests, good_endpoints);
    tcase_add_test(tests, names_of_secrets);
    tcase_add_test(tests, addresses_to_listen_on);
    tcase_add_test(tests, forms_of_a_duration);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(config_suite)
