/* SPDX-License-Identifier: MIT */
/* What doctor reads out of HAProxy's answers and files, and what it says of it. Whole HAProxys are t_doctor's. */
#include "../../../agent/ctl/doctor.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "suite.h"

#define HEADER                                                                                                         \
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "                \
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "   \
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "            \
    "srv_agent_addr srv_agent_port\n"

/* One row: backend, server, address, admin state, weight, check state, name, port. */
static char *row(const char *backend, const char *server, const char *address, int admin, int weight, int check,
                 const char *fqdn, int port)
{
    return mem_printf("1 %s 1 %s %s 0 %d %d 1 0 1 0 0 %d 0 0 0 %s %d - 0 0 - - 0\n", backend, server, address, admin,
                      weight, check, fqdn, port);
}

static struct haproxy_state *state_of(char *rows[], size_t count)
{
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf text = BUF_INIT;
    buf_puts(&text, HEADER);
    for (size_t i = 0; i < count; i++) {
        buf_puts(&text, rows[i]);
        free(rows[i]);
    }
    ck_assert_int_eq(haproxy_state_parse(buf_text(&text), text.len, &state, NULL), 0);
    return state;
}

static bool has(const struct doctor_findings *findings, enum doctor_severity severity, const char *code,
                const char *subject)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct doctor_finding *finding = &findings->items[i];
        if (finding->severity == severity && strcmp(finding->code, code) == 0 &&
            strcmp(finding->subject, subject) == 0) {
            return true;
        }
    }
    return false;
}

static char empty[] = "";
static char socket_name[] = "/run/s.sock";
static char edge_name[] = "edge";
static char state_name[] = "/run/state";
static char maps_name[] = "/maps";
static const struct config_haproxy haproxy_config = {
    .name = edge_name, .socket = socket_name, .state_file = state_name, .maps_dir = maps_name};

/* ---- what HAProxy prints ---- */

START_TEST(maps_are_listed)
{
    static const char text[] = "# id (file) description\n"
                               "2 (/m/r.map) pattern loaded from file '/m/r.map' used by map at file '/e/h.cfg' line "
                               "14. curr_ver=0 next_ver=0\n"
                               "4 () acl 'x' file '/e/h.cfg' line 3. curr_ver=0\n"
                               "5 (m.map) pattern loaded from file 'm.map' used by map\n\n";
    struct doctor_haproxy haproxy = {0};
    doctor_parse_maps(text, &haproxy.known_maps);
    ck_assert_uint_eq(haproxy.known_maps.count, 2);
    ck_assert_str_eq(haproxy.known_maps.items[0].name, "/m/r.map");
    ck_assert_str_eq(haproxy.known_maps.items[0].place, "/e/h.cfg line 14");
    ck_assert_str_eq(haproxy.known_maps.items[1].name, "m.map");
    ck_assert_str_eq(haproxy.known_maps.items[1].place, "");
    doctor_haproxy_free(&haproxy);
    doctor_parse_maps("Permission denied\n\n", &haproxy.known_maps);
    ck_assert_uint_eq(haproxy.known_maps.count, 0);
}
END_TEST

START_TEST(backends_are_listed_by_the_header)
{
    static const char text[] =
        "# pxname,svname,algo,x,mode,\nf,FRONTEND,,,http,\nb,s1,,,http,\nb,BACKEND,source,,tcp,\n"
        "short,BACKEND\n\n";
    struct doctor_haproxy haproxy = {0};
    doctor_parse_backends(text, &haproxy.backends);
    ck_assert_uint_eq(haproxy.backends.count, 2);
    ck_assert_str_eq(haproxy.backends.items[0].name, "b");
    ck_assert_str_eq(haproxy.backends.items[0].balance, "source");
    ck_assert_str_eq(haproxy.backends.items[0].mode, "tcp");
    ck_assert_str_eq(haproxy.backends.items[1].mode, "");
    doctor_haproxy_free(&haproxy);
    doctor_parse_backends("Permission denied\n\n", &haproxy.backends);
    ck_assert_uint_eq(haproxy.backends.count, 0);
    doctor_parse_backends("", &haproxy.backends);
    ck_assert_uint_eq(haproxy.backends.count, 0);
}
END_TEST

START_TEST(clients_are_counted_by_the_name_that_haproxy_bound)
{
    static const char text[] = "Num               RefCount Protocol Flags    Type St Inode Path\n"
                               "0000: 00000002 00000000 00010000 0001 01 1 /run/s.sock.12.tmp\n"
                               "0000: 00000003 00000000 00000000 0001 03 2 /run/s.sock.12.tmp\n"
                               "0000: 00000003 00000000 00000000 0001 03 3 /run/s.sock\n"
                               "0000: 00000003 00000000 00000000 0001 03 4 /run/s.sock2\n"
                               "0000: 00000003 00000000 00000000 0001 03 5 /run/s.sock.tmp\n"
                               "0000: 00000003 00000000 00000000 0001 03 6 /run/s.sock.12.tmpx\n"
                               "0000: 00000003 00000000 00000000 0001 03 7\n";
    ck_assert_uint_eq(doctor_parse_clients(text, "/run/s.sock"), 2);
    ck_assert_uint_eq(doctor_parse_clients("", "/run/s.sock"), 0);
}
END_TEST

START_TEST(configuration_is_read_by_words)
{
    struct doctor_haproxy haproxy = {0};
    doctor_parse_configuration("# server-state-file /no\n  server-state-file-base /base\n"
                               "\tload-server-state-from-file local\n",
                               &haproxy.configuration);
    ck_assert_ptr_null(haproxy.configuration.state_file);
    ck_assert(!haproxy.configuration.loads);
    doctor_parse_configuration("global\n\tserver-state-file \"/run/state\" # x\r\ndefaults\n"
                               " load-server-state-from-file  global\n",
                               &haproxy.configuration);
    ck_assert_str_eq(haproxy.configuration.state_file, "/run/state");
    ck_assert(haproxy.configuration.loads);
    doctor_haproxy_free(&haproxy);
}
END_TEST

START_TEST(map_files_are_read_as_haproxy_does)
{
    struct map_content *content = doctor_parse_map_file("# x\n\n a  b c \r\nonly\n\td e");
    ck_assert_uint_eq(content->count, 3);
    ck_assert_str_eq(content->entries[0].key, "a");
    ck_assert_str_eq(content->entries[0].value, "b c");
    ck_assert_str_eq(content->entries[1].key, "only");
    ck_assert_str_eq(content->entries[1].value, "");
    ck_assert_str_eq(content->entries[2].value, "e");
    map_content_free(content);
}
END_TEST

START_TEST(maps_differ_by_keys)
{
    static const struct {
        const char *file, *content;
        size_t differences;
    } cases[] = {
        {"", "", 0},           {"a 1\nb 2\n", "b 2\na 1\n", 0}, {"a 1\n", "", 1},      {"", "a 1\n", 1},
        {"a 1\n", "a 2\n", 1}, {"a 1\na 2\n", "a 1\n", 0},      {"a 1\n", "b 1\n", 1}, {"a 1\nb 2\nc 3\n", "a 1\n", 2},
        {"", "a a\na a\n", 0}, {"", "a 1\na a\n", 1},           {"a 1\n", "a a\n", 1}, {"a a\n", "", 1},
        {"a a\n", "a 1\n", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct map_content *file = doctor_parse_map_file(cases[i].file);
        struct map_content *content = doctor_parse_map_file(cases[i].content);
        ck_assert_uint_eq(doctor_count_map_differences(file, content), cases[i].differences);
        map_content_free(file);
        map_content_free(content);
    }
}
END_TEST

/* ---- servers ---- */

START_TEST(servers_are_told_apart)
{
    char *rows[] = {
        row("b", "slot", "0.0.0.0", 5, 1, 0, "slot.invalid", 1), row("b", "used", "10.0.0.1", 4, 1, 0, "s.INVALID", 80),
        row("b", "none", "-", 37, 1, 0, "slot.invalid", 1),      row("b", "literal", "0.0.0.0", 5, 1, 0, "-", 0),
        row("b", "enabled", "0.0.0.0", 0, 1, 0, "x.invalid", 1), row("b", "static", "127.0.0.1", 0, 1, 0, "-", 9),
        row("b", "off", "127.0.0.1", 5, 1, 0, "-", 9),           row("b", "named", "0.0.0.0", 5, 1, 0, "a.test", 9),
        row("b", "added", "0.0.0.0", 1, 1, 0, "-", 9),
    };
    static const enum doctor_server kinds[] = {
        DOCTOR_SERVER_SLOT,  DOCTOR_SERVER_SLOT,  DOCTOR_SERVER_NO_ADDR, DOCTOR_SERVER_LITERAL, DOCTOR_SERVER_ENABLED,
        DOCTOR_SERVER_OTHER, DOCTOR_SERVER_OTHER, DOCTOR_SERVER_OTHER,   DOCTOR_SERVER_OTHER,
    };
    struct haproxy_state *state = state_of(rows, sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        ck_assert_msg(doctor_server_kind(state, &state->servers[i]) == kinds[i], "%s", state->servers[i].name);
    }
    size_t n = 0;
    struct doctor_count *counts = doctor_count_slots(state, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(counts[0].servers, 9);
    ck_assert_uint_eq(counts[0].slots, 2);
    ck_assert_uint_eq(counts[0].free, 1);
    free(counts);
    haproxy_state_free(state);
}
END_TEST

START_TEST(a_kept_state_differs_where_traffic_would_go)
{
    char *rows[] = {row("b", "s1", "10.0.0.1", 4, 1, 0, "s.invalid", 80),
                    row("b", "s2", "0.0.0.0", 5, 1, 0, "s.invalid", 1),
                    row("b", "other", "10.0.0.9", 0, 1, 0, "-", 80)};
    struct doctor_haproxy haproxy = {.state = state_of(rows, 3)};
    static const struct {
        const char *address;
        int admin, weight, port;
        size_t differences;
    } cases[] = {
        {"10.0.0.1", 4, 1, 80, 0}, {"10.0.0.2", 4, 1, 80, 1}, {"10.0.0.1", 4, 2, 80, 1},
        {"10.0.0.1", 4, 1, 81, 1}, {"10.0.0.1", 5, 1, 80, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* What is free may have any former address. */
        char *kept_rows[] = {
            row("b", "s1", cases[i].address, cases[i].admin, cases[i].weight, 0, "s.invalid", cases[i].port),
            row("b", "s2", "10.9.9.9", 5, 7, 0, "s.invalid", 9)};
        struct haproxy_state *kept = state_of(kept_rows, 2);
        ck_assert_uint_eq(doctor_count_state_differences(&haproxy, kept), cases[i].differences);
        haproxy_state_free(kept);
    }
    struct haproxy_state *nothing = state_of(NULL, 0);
    ck_assert_uint_eq(doctor_count_state_differences(&haproxy, nothing), 1);
    haproxy_state_free(nothing);
    haproxy_state_free(haproxy.state);
}
END_TEST

/* ---- judging ---- */

START_TEST(versions_are_judged)
{
    static const struct {
        const char *version, *code;
        enum doctor_severity severity;
    } cases[] = {
        {"2.2.9", "version-old", DOCTOR_ERROR},   {"1.8.0", "version-old", DOCTOR_ERROR},
        {"2.4.0", "process", DOCTOR_OK},          {"3.4.9", "process", DOCTOR_OK},
        {"3.5-dev2", "version-new", DOCTOR_HINT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct doctor_findings findings = {0};
        struct doctor_haproxy haproxy = {.config = &haproxy_config, .knows_info = true};
        ck_assert_int_eq(haproxy_version_parse(cases[i].version, &haproxy.info.version), 0);
        doctor_judge_process(&haproxy, &findings);
        ck_assert_msg(has(&findings, cases[i].severity, cases[i].code, "edge"), "%s", cases[i].version);
        doctor_findings_free(&findings);
    }
    struct doctor_findings findings = {0};
    doctor_judge_process(&(struct doctor_haproxy){.config = &haproxy_config}, &findings);
    ck_assert(has(&findings, DOCTOR_ERROR, "version-unknown", "edge"));
    doctor_findings_free(&findings);
}
END_TEST

START_TEST(descriptors_are_judged_by_their_use)
{
    for (long limit = 0; limit <= 5; limit++) {
        char *rows[] = {row("b", "s1", "0.0.0.0", 5, 1, 14, "s.invalid", 1),
                        row("b", "s2", "0.0.0.0", 5, 1, 14, "s.invalid", 1),
                        row("b", "s3", "0.0.0.0", 5, 1, 8, "s.invalid", 1)};
        struct doctor_findings findings = {0};
        struct doctor_haproxy haproxy = {.config = &haproxy_config, .knows_info = true, .state = state_of(rows, 3)};
        ck_assert_int_eq(haproxy_version_parse("2.6.0", &haproxy.info.version), 0);
        haproxy.info.max_files = limit;
        doctor_judge_process(&haproxy, &findings);
        ck_assert_int_eq(has(&findings, DOCTOR_WARNING, "descriptors", "edge"), limit > 0 && limit <= 4);
        haproxy_state_free(haproxy.state);
        doctor_findings_free(&findings);
    }
}
END_TEST

START_TEST(a_stopping_process_is_told)
{
    struct doctor_findings findings = {0};
    struct doctor_haproxy haproxy = {.config = &haproxy_config, .knows_info = true, .info = {.stopping = true}};
    ck_assert_int_eq(haproxy_version_parse("2.6.0", &haproxy.info.version), 0);
    doctor_judge_process(&haproxy, &findings);
    ck_assert(has(&findings, DOCTOR_WARNING, "process-stopping", "edge"));
    doctor_findings_free(&findings);
}
END_TEST

START_TEST(rights_follow_the_mode)
{
    gid_t groups[] = {7, 8};
    static const struct {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        int want;
        bool may;
    } cases[] = {
        {5, 9, 0600, W_OK, true},         {5, 9, 0066, W_OK, false},       {6, 8, 0060, W_OK, true},
        {6, 8, 0606, W_OK, false},        {6, 9, 0002, W_OK, true},        {6, 9, 0660, W_OK, false},
        {5, 9, 0200, W_OK | X_OK, false}, {5, 9, 0300, W_OK | X_OK, true},
    };
    struct doctor_user user = {.known = true, .uid = 5, .groups = groups, .n_groups = 2};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct doctor_path path = {.uid = cases[i].uid, .gid = cases[i].gid, .mode = cases[i].mode};
        ck_assert_msg(doctor_user_may(&user, &path, cases[i].want) == cases[i].may, "case %zu", i);
    }
    /* What cannot be known is not held against anybody. */
    ck_assert(doctor_user_may(&user, &(struct doctor_path){.uid = 6, .has_acl = true}, W_OK));
    ck_assert(doctor_user_may(&user, &(struct doctor_path){.err = -ENOENT}, W_OK));
    user.known = false;
    ck_assert(doctor_user_may(&user, &(struct doctor_path){.uid = 6}, W_OK));
    user = (struct doctor_user){.known = true, .uid = 0};
    ck_assert(doctor_user_may(&user, &(struct doctor_path){.uid = 6}, W_OK));
}
END_TEST

START_TEST(a_frozen_haproxy_is_no_stranger)
{
    static const struct {
        enum doctor_peer peer;
        const char *code;
    } cases[] = {
        {DOCTOR_PEER_SILENT, "socket-silent"},
        {DOCTOR_PEER_MASTER, "socket-master"},
        {DOCTOR_PEER_OTHER, "socket-stranger"},
        {DOCTOR_PEER_NONE, "socket-missing"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct doctor_findings findings = {0};
        struct doctor_haproxy haproxy = {.config = &haproxy_config,
                                         .peer = cases[i].peer,
                                         .connect_err = SLOTD_E_TIMEOUT,
                                         .answer = empty,
                                         .socket = {.err = -ENOENT}};
        ck_assert(!doctor_judge_socket(&haproxy, &(struct doctor_user){0}, &findings));
        ck_assert_msg(has(&findings, DOCTOR_ERROR, cases[i].code, socket_name), "%s", cases[i].code);
        ck_assert_ptr_nonnull(findings.items[0].remedy);
        doctor_findings_free(&findings);
    }
}
END_TEST

/* ---- files that slotd is about to write ---- */

START_TEST(what_slotd_says_of_a_file_is_found)
{
    struct json_object *status =
        json_tokener_parse("{\"haproxy\":[{\"state_file\":null,\"state_file_changes\":null},{\"state_file\":\"/s\","
                           "\"state_file_error\":null,\"state_file_changes\":7,\"state_file_saved\":true,\"maps\":["
                           "{\"file\":\"/m/r\",\"file_error\":\"no space\",\"file_changes\":9,\"file_saved\":false},"
                           "{\"file\":\"/m/old\"}]}]}");
    struct doctor_writing writing = doctor_find_writing(status, "/s");
    ck_assert(writing.known && writing.saved && !writing.failed);
    ck_assert_int_eq(writing.changes, 7);
    writing = doctor_find_writing(status, "/m/r");
    ck_assert(writing.known && !writing.saved && writing.failed);
    ck_assert_int_eq(writing.changes, 9);
    ck_assert(!doctor_find_writing(status, "/m/old").known);
    ck_assert(!doctor_find_writing(status, "/m/none").known);
    ck_assert(!doctor_find_writing(NULL, "/s").known);
    json_object_put(status);
}
END_TEST

static bool wait_hears(struct doctor_wait *wait, bool saved, int64_t changes)
{
    return doctor_wait_is_over(wait, &(struct doctor_writing){.known = true, .saved = saved, .changes = changes});
}

START_TEST(a_file_is_waited_for_until_slotd_has_nothing_to_write)
{
    struct doctor_wait wait = {0};
    ck_assert(!wait_hears(&wait, false, 3));
    ck_assert(!wait_hears(&wait, true, 3));
    ck_assert(!wait_hears(&wait, true, 3));
    ck_assert(!wait_hears(&wait, true, 4));
    ck_assert(!wait_hears(&wait, true, 4));
    ck_assert(wait_hears(&wait, true, 4));
}
END_TEST

START_TEST(a_file_that_slotd_does_not_write_is_not_waited_for)
{
    struct doctor_wait wait = {0};
    struct doctor_wait other = {0};
    ck_assert(doctor_wait_is_over(&wait, &(struct doctor_writing){.saved = true}));
    ck_assert(doctor_wait_is_over(&other, &(struct doctor_writing){.known = true, .failed = true}));
}
END_TEST

static char map_path[] = "/maps/routes.map";

START_TEST(a_file_that_is_being_written_is_a_hint)
{
    struct doctor_user user = {.runs = true};
    struct doctor_findings findings = {0};
    struct doctor_map map = {.name = "routes.map", .known = true, .file.path = map_path};
    struct doctor_haproxy haproxy = {.config = &haproxy_config, .maps = &map, .n_maps = 1};
    map.content = doctor_parse_map_file("a b\n");
    ck_assert(doctor_map_is_out_of_step(&map));
    map.wait.pending = true;
    doctor_judge_maps(&haproxy, &user, &findings);
    ck_assert(has(&findings, DOCTOR_HINT, "map-being-written", map_path));
    ck_assert(!has(&findings, DOCTOR_WARNING, "map-out-of-step", map_path));
    map.wait.pending = false;
    doctor_judge_maps(&haproxy, &user, &findings);
    ck_assert(has(&findings, DOCTOR_WARNING, "map-out-of-step", map_path));
    doctor_findings_free(&findings);
    map_content_free(map.content);
}
END_TEST

START_TEST(findings_are_sorted_and_counted)
{
    struct doctor_findings findings = {0};
    doctor_report(&findings, DOCTOR_OK, "a", "x", "%d", 1);
    doctor_report(&findings, DOCTOR_ERROR, "b", "x", "%s", "two");
    doctor_remedy(&findings, "do %s", "this");
    doctor_report(&findings, DOCTOR_HINT, "c", "x", "three");
    ck_assert(!doctor_is_fine_since(&findings, 0));
    ck_assert(doctor_is_fine_since(&findings, 2));
    doctor_report(&findings, DOCTOR_ERROR, "d", "x", "four");
    doctor_report(&findings, DOCTOR_WARNING, "e", "x", "five");
    doctor_sort(&findings);
    struct json_object *document = doctor_document(&findings);
    ck_assert_str_eq(
        json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN),
        "{\"findings\":["
        "{\"severity\":\"error\",\"code\":\"b\",\"subject\":\"x\",\"message\":\"two\",\"remedy\":\"do this\"},"
        "{\"severity\":\"error\",\"code\":\"d\",\"subject\":\"x\",\"message\":\"four\",\"remedy\":null},"
        "{\"severity\":\"warning\",\"code\":\"e\",\"subject\":\"x\",\"message\":\"five\",\"remedy\":null},"
        "{\"severity\":\"hint\",\"code\":\"c\",\"subject\":\"x\",\"message\":\"three\",\"remedy\":null},"
        "{\"severity\":\"ok\",\"code\":\"a\",\"subject\":\"x\",\"message\":\"1\",\"remedy\":null}],"
        "\"errors\":2,\"warnings\":1,\"hints\":1}");
    json_object_put(document);
    doctor_findings_free(&findings);
}
END_TEST

static Suite *doctor_suite(void)
{
    Suite *suite = suite_create("doctor");
    TCase *parse = tcase_create("what is read");
    tcase_add_test(parse, maps_are_listed);
    tcase_add_test(parse, backends_are_listed_by_the_header);
    tcase_add_test(parse, clients_are_counted_by_the_name_that_haproxy_bound);
    tcase_add_test(parse, configuration_is_read_by_words);
    tcase_add_test(parse, map_files_are_read_as_haproxy_does);
    tcase_add_test(parse, maps_differ_by_keys);
    suite_add_tcase(suite, parse);
    TCase *judge = tcase_create("what is said");
    tcase_add_test(judge, servers_are_told_apart);
    tcase_add_test(judge, a_kept_state_differs_where_traffic_would_go);
    tcase_add_test(judge, versions_are_judged);
    tcase_add_test(judge, descriptors_are_judged_by_their_use);
    tcase_add_test(judge, a_stopping_process_is_told);
    tcase_add_test(judge, rights_follow_the_mode);
    tcase_add_test(judge, a_frozen_haproxy_is_no_stranger);
    tcase_add_test(judge, findings_are_sorted_and_counted);
    suite_add_tcase(suite, judge);
    TCase *wait = tcase_create("what is about to be written");
    tcase_add_test(wait, what_slotd_says_of_a_file_is_found);
    tcase_add_test(wait, a_file_is_waited_for_until_slotd_has_nothing_to_write);
    tcase_add_test(wait, a_file_that_slotd_does_not_write_is_not_waited_for);
    tcase_add_test(wait, a_file_that_is_being_written_is_a_hint);
    suite_add_tcase(suite, wait);
    return suite;
}

SUITE_MAIN(doctor_suite)
