/* SPDX-License-Identifier: MIT */
/* Commands as lines, and the texts by which each HAProxy answers them. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "suite.h"

static const char *format(const char *backend, struct slot_command command)
{
    static struct buf line;
    buf_clear(&line);
    return haproxy_command_format(backend, &command, &line) ? "refused" : buf_text(&line);
}

START_TEST(test_format)
{
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_MAINT, .server = "s1"}),
                     "set server web/s1 state maint");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_READY, .server = "s1"}),
                     "set server web/s1 state ready");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_DRAIN, .server = "s1"}),
                     "set server web/s1 state drain");
    ck_assert_str_eq(
        format("web",
               (struct slot_command){.kind = SLOT_COMMAND_ADDRESS, .server = "s1", .address = "10.0.0.1", .port = 80}),
        "set server web/s1 addr 10.0.0.1 port 80");
    ck_assert_str_eq(
        format("web",
               (struct slot_command){.kind = SLOT_COMMAND_ADDRESS, .server = "s1", .address = "::1", .port = 65535}),
        "set server web/s1 addr ::1 port 65535");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_WEIGHT, .server = "s1", .value = 256}),
                     "set server web/s1 weight 256");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_CHECK_PORT, .server = "s1"}),
                     "set server web/s1 check-port 0");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_READ}), "show servers state web");
    ck_assert_str_eq(
        format("web", (struct slot_command){.kind = SLOT_COMMAND_ADD, .value = 7, .options = "check inter 2s"}),
        "add server web/slotd-7 0.0.0.0:1 id 100007 check inter 2s");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_DELETE, .server = "slotd-7"}),
                     "del server web/slotd-7");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_ENABLE_HEALTH, .server = "slotd-7"}),
                     "enable health web/slotd-7");
}
END_TEST

/* Nothing of a label reaches a command unchecked. */
START_TEST(test_format_refuses)
{
    static const char *const names[] = {"", "a b", "a;b", "a\nb", "a/b", "a\\;", "\x01", "\xc3\xa9", "a#b", "a'b"};
    static const char *const addresses[] = {"",      "host",  "1.2.3.4:80", "1.2.3.4; disable server",
                                            "[::1]", "1.2.3", "::1%eth0"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_str_eq(format(names[i], (struct slot_command){.kind = SLOT_COMMAND_READY, .server = "s1"}),
                         "refused");
        ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_READY, .server = names[i]}),
                         "refused");
    }
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        ck_assert_str_eq(format("web",
                                (struct slot_command){
                                    .kind = SLOT_COMMAND_ADDRESS, .server = "s1", .address = addresses[i], .port = 80}),
                         "refused");
    }
    ck_assert_str_eq(
        format("web",
               (struct slot_command){.kind = SLOT_COMMAND_ADDRESS, .server = "s1", .address = "1.2.3.4", .port = 0}),
        "refused");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_WEIGHT, .server = "s1", .value = 257}),
                     "refused");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_READY}), "refused");
    ck_assert_str_eq(format("web", (struct slot_command){.kind = SLOT_COMMAND_DELETE}), "refused");
    ck_assert_str_eq(
        format("web", (struct slot_command){.kind = SLOT_COMMAND_ADD, .value = 7, .options = "check;quit"}), "refused");
}
END_TEST

static enum haproxy_reply judge(enum slot_command_kind kind, const char *reply)
{
    struct slot_command command = {.kind = kind, .server = "s1", .address = "10.0.0.1", .port = 80};
    return haproxy_reply_judge(&command, reply, strlen(reply));
}

START_TEST(test_judge)
{
    ck_assert_int_eq(judge(SLOT_COMMAND_READY, ""), HAPROXY_REPLY_DONE);
    ck_assert_int_eq(judge(SLOT_COMMAND_WEIGHT, "\n"), HAPROXY_REPLY_DONE);
    ck_assert_int_eq(
        judge(SLOT_COMMAND_ADDRESS,
              "IP changed from '0.0.0.0' to '10.0.0.1', port changed from '1' to '80' by 'stats socket command'\n"),
        HAPROXY_REPLY_DONE);
    ck_assert_int_eq(judge(SLOT_COMMAND_ADDRESS,
                           "no need to change the addr, port changed from '1' to '80' by 'stats socket command'"),
                     HAPROXY_REPLY_DONE);
    ck_assert_int_eq(judge(SLOT_COMMAND_ADDRESS, "nothing changed"), HAPROXY_REPLY_DONE);
    ck_assert_int_eq(
        judge(SLOT_COMMAND_ADDRESS,
              "no need to change the addr, problem converting port 'abc' to an int by 'stats socket command'"),
        HAPROXY_REPLY_REFUSED);
    ck_assert_int_eq(judge(SLOT_COMMAND_ADDRESS, "Invalid addr 'host.name'"), HAPROXY_REPLY_REFUSED);
    ck_assert_int_eq(judge(SLOT_COMMAND_ADDRESS, ""), HAPROXY_REPLY_UNEXPECTED);
    ck_assert_int_eq(judge(SLOT_COMMAND_READY, "No such server.\n"), HAPROXY_REPLY_REFUSED);
    ck_assert_int_eq(judge(SLOT_COMMAND_READY, "No such backend.\n"), HAPROXY_REPLY_REFUSED);
    ck_assert_int_eq(judge(SLOT_COMMAND_WEIGHT,
                           "Backend is using a static LB algorithm and only accepts weights '0%' and "
                           "'100%'.\n"),
                     HAPROXY_REPLY_STATIC);
    ck_assert_int_eq(judge(SLOT_COMMAND_READY, "Permission denied\n"), HAPROXY_REPLY_DENIED);
    ck_assert_int_eq(judge(SLOT_COMMAND_CHECK_PORT, "health checks are not enabled on this server\n"),
                     HAPROXY_REPLY_REFUSED);
    ck_assert_int_eq(judge(SLOT_COMMAND_ADD, "New server registered.\n"), HAPROXY_REPLY_DONE);
    ck_assert_int_eq(judge(SLOT_COMMAND_DELETE, "Server deleted.\n"), HAPROXY_REPLY_DONE);
    ck_assert_int_eq(judge(SLOT_COMMAND_ENABLE_HEALTH, ""), HAPROXY_REPLY_DONE);
    ck_assert_int_eq(judge(SLOT_COMMAND_READY, "Proxy is disabled.\n"), HAPROXY_REPLY_STALE);
    ck_assert_int_eq(judge(SLOT_COMMAND_ADDRESS, "Proxy is disabled.\n"), HAPROXY_REPLY_STALE);
    ck_assert_int_eq(
        judge(SLOT_COMMAND_READY, "Unknown command, but maybe one of the following ones is a better match:\n"),
        HAPROXY_REPLY_UNEXPECTED);
}
END_TEST

START_TEST(test_version)
{
    struct haproxy_version version;
    ck_assert_int_eq(haproxy_version_parse("2.6.12-1+deb12u3", &version), 0);
    ck_assert_int_eq(version.major * 10000 + version.minor * 100 + version.patch, 20612);
    ck_assert_int_eq(haproxy_version_parse("3.3-dev2-abc", &version), 0);
    ck_assert_int_eq(version.minor, 3);
    ck_assert_int_eq(version.patch, 0);
    ck_assert_int_eq(haproxy_version_parse("", &version), SLOTD_E_PARSE);
    ck_assert_int_eq(haproxy_version_parse("three", &version), SLOTD_E_PARSE);
    ck_assert_int_eq(haproxy_version_parse("3", &version), SLOTD_E_PARSE);
    ck_assert_int_eq(haproxy_version_parse("99999999999999999999.1", &version), SLOTD_E_PARSE);
}
END_TEST

START_TEST(test_capabilities)
{
    struct haproxy_version version = {.major = 2, .minor = 8};
    ck_assert(!haproxy_capabilities_of(&version).late_address);
    version.minor = 9;
    ck_assert(haproxy_capabilities_of(&version).late_address);
    version = (struct haproxy_version){.major = 3, .minor = 4};
    ck_assert(haproxy_capabilities_of(&version).add_backend);
    ck_assert(haproxy_capabilities_of(&version).sni_auto);
    version.minor = 3;
    ck_assert(!haproxy_capabilities_of(&version).sni_auto);
    version.minor = 2;
    ck_assert(haproxy_capabilities_of(&version).sess_server);
    version.minor = 1;
    ck_assert(!haproxy_capabilities_of(&version).sess_server);
    version = (struct haproxy_version){.major = 2, .minor = 5};
    ck_assert(!haproxy_capabilities_of(&version).add_server);
    version.minor = 6;
    ck_assert(haproxy_capabilities_of(&version).add_server);
}
END_TEST

START_TEST(test_info)
{
    static const char good[] =
        "Name: HAProxy\nVersion: 2.6.12\nPid: 42\nUptime: 0d 0h00m01s\nUptime_sec: 1\nStopping: 0\n";
    static const char old[] = "Version: 2.6.12\nPid: 42\nUptime_sec: 1\nStopping: 1";
    struct haproxy_info info;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_int_eq(haproxy_info_parse(good, strlen(good), &info, &why), 0);
    ck_assert_int_eq(info.pid, 42);
    ck_assert_int_eq(info.uptime_s, 1);
    ck_assert(!info.stopping);
    ck_assert_int_eq(haproxy_info_parse(old, strlen(old), &info, &why), 0);
    ck_assert(info.stopping);
    ck_assert_int_eq(haproxy_info_parse("", 0, &info, &why), SLOTD_E_PARSE);
    ck_assert_str_eq(buf_text(&why), "`show info` has no usable Version");
}
END_TEST

/* ---- the borders between replies ---- */

static void note_reply(void *arg, const char *reply, size_t len)
{
    buf_putc(arg, '[');
    buf_append(arg, reply, len);
    buf_putc(arg, ']');
}

START_TEST(test_replies)
{
    static const char bytes[] =
        "\n> IP changed\n\n> \n> \n> health checks are not enabled on this server\n> 1\n# a b\nx y\n\n> ";
    for (size_t chunk = 1; chunk < sizeof(bytes); chunk++) {
        cleanup_buf struct buf seen = BUF_INIT;
        struct haproxy_reply_reader *reader = haproxy_reply_reader_new(1000, note_reply, &seen);
        for (size_t at = 0; at < sizeof(bytes) - 1; at += chunk) {
            size_t len = sizeof(bytes) - 1 - at < chunk ? sizeof(bytes) - 1 - at : chunk;
            ck_assert_int_eq(haproxy_reply_reader_feed(reader, bytes + at, len), 0);
        }
        ck_assert_str_eq(buf_text(&seen),
                         "[][IP changed][][][health checks are not enabled on this server][1\n# a b\nx y]");
        haproxy_reply_reader_free(reader);
    }
}
END_TEST

START_TEST(test_replies_bounded)
{
    cleanup_buf struct buf seen = BUF_INIT;
    struct haproxy_reply_reader *reader = haproxy_reply_reader_new(10, note_reply, &seen);
    ck_assert_int_eq(haproxy_reply_reader_feed(reader, "0123456789", 10), 0);
    ck_assert_int_eq(haproxy_reply_reader_feed(reader, "0", 1), SLOTD_E_LIMIT);
    haproxy_reply_reader_free(reader);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("haproxy commands");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_format);
    tcase_add_test(tests, test_format_refuses);
    tcase_add_test(tests, test_judge);
    tcase_add_test(tests, test_version);
    tcase_add_test(tests, test_capabilities);
    tcase_add_test(tests, test_info);
    tcase_add_test(tests, test_replies);
    tcase_add_test(tests, test_replies_bounded);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
