/* SPDX-License-Identifier: MIT */
/* Servers that are added and deleted at run time: commands as lines, and the texts by which each HAProxy answers. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/server_command.h"
#include "slotd/text.h"
#include "suite.h"

static const char *format(struct server_command command)
{
    static struct buf line;
    buf_clear(&line);
    int err = server_command_format(&command, &line);
    ck_assert(!err || line.len == 0);
    return err ? "refused" : buf_text(&line);
}

static const struct server_command plain = {
    .kind = SERVER_COMMAND_ADD, .backend = "web", .server = "s", .address = "0.0.0.0", .port = 1};

/* The plain command with other parts: ADD(.part = value; command.part = value) */
#define ADD(...)                                                                                                       \
    ({                                                                                                                 \
        struct server_command command = plain;                                                                         \
        command __VA_ARGS__;                                                                                           \
        format(command);                                                                                               \
    })

/* ---- negative cases first ---- */

START_TEST(test_format_refuses)
{
    static const char *const names[] = {"", "a b", "a;b", "a\nb", "a/b", "a\\;", "\x01", "\xc3\xa9", "a#b", "a'b"};
    static const char *const addresses[] = {"", "host", "1.2.3.4:80", "1.2.3.4 check", "[::1]", "::1%eth0"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int kind = SERVER_COMMAND_ADD; kind <= SERVER_COMMAND_ENABLE_HEALTH; kind++) {
            ck_assert_str_eq(ADD(.kind = (enum server_command_kind)kind; command.backend = names[i]), "refused");
            ck_assert_str_eq(ADD(.kind = (enum server_command_kind)kind; command.server = names[i]), "refused");
        }
    }
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        ck_assert_str_eq(ADD(.address = addresses[i]), "refused");
    }
    ck_assert_str_eq(ADD(.address = NULL), "refused");
    ck_assert_str_eq(ADD(.port = 0), "refused");
    ck_assert_str_eq(ADD(.options = "check;quit"), "refused");
    ck_assert_str_eq(ADD(.kind = (enum server_command_kind)99), "refused");
}
END_TEST

START_TEST(test_options_refused)
{
    enum { MAX_OPTIONS = 1000 };
    static const char bad[] = ";<>#\n\r\t\"'\\$`|&!?{}[]^\x01\x7f\x80\xc3";
    for (size_t i = 0; i < sizeof(bad) - 1; i++) {
        const char options[] = {'c', bad[i], 'x', '\0'};
        ck_assert_msg(!text_is_server_options(options), "0x%02x passes", (unsigned char)bad[i]);
    }
    char long_options[MAX_OPTIONS + 2];
    memset(long_options, 'a', sizeof(long_options));
    long_options[MAX_OPTIONS + 1] = '\0';
    ck_assert(!text_is_server_options(long_options));
    long_options[MAX_OPTIONS] = '\0';
    ck_assert(text_is_server_options(long_options));
    char words[2 * 57 + 1];
    for (size_t i = 0; i < sizeof(words) - 1; i++) {
        words[i] = i % 2 ? ' ' : 'a';
    }
    words[sizeof(words) - 1] = '\0';
    ck_assert(!text_is_server_options(words));
    words[2 * 56] = '\0';
    ck_assert(text_is_server_options(words));
}
END_TEST

START_TEST(test_format)
{
    ck_assert_str_eq(ADD(.server = "slotd-1"), "add server web/slotd-1 0.0.0.0:1");
    ck_assert_str_eq(ADD(.options = ""), "add server web/s 0.0.0.0:1");
    ck_assert_str_eq(ADD(.options = "check inter 2s"; command.id = 100001),
                     "add server web/s 0.0.0.0:1 id 100001 check inter 2s");
    ck_assert_str_eq(ADD(.address = "fd00::1"; command.port = 65535), "add server web/s [fd00::1]:65535");
    ck_assert_str_eq(
        ADD(.options = "ssl verify required ca-file /etc/ssl/ca_1.pem sni req.hdr(host),lower"),
        "add server web/s 0.0.0.0:1 ssl verify required ca-file /etc/ssl/ca_1.pem sni req.hdr(host),lower");
    ck_assert_str_eq(ADD(.kind = SERVER_COMMAND_DELETE), "del server web/s");
    ck_assert_str_eq(ADD(.kind = SERVER_COMMAND_ASK), "show sess server web/s");
    ck_assert_str_eq(ADD(.kind = SERVER_COMMAND_ENABLE_HEALTH), "enable health web/s");
}
END_TEST

/* ---- replies ---- */

struct judged {
    enum server_command_kind kind;
    const char *reply;
    enum haproxy_reply verdict;
};

static const struct judged judged[] = {
    /* 2.4, where it is experimental; and what no version answers */
    {SERVER_COMMAND_ADD, "This command is restricted to experimental mode only.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_DELETE, "This command is restricted to experimental mode only.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_DELETE, "\n", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ADD, "Server deleted.\n", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ADD, "No, New server registered.\n", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ADD, "New server registered.\nnot quite\n", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ENABLE_HEALTH, "New server registered.\n", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ADD, "Unknown command: 'add', but maybe one of the following ones is a better match:\n",
     HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ENABLE_HEALTH, "Unknown command.\n", HAPROXY_REPLY_UNEXPECTED},
    /* 2.6 and later; up to 2.8 without the empty line */
    {SERVER_COMMAND_ADD, "New server registered.\n\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_ADD, "New server registered.", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_ADD, "something to be warned of.\nNew server registered.\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_ADD, "Already exists a server with the same name in backend.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "unknown keyword 'bogus'.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "'enabled' option is not accepted for dynamic server\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "'id' : custom id 5000 already used at (null):0 ('server slotd-7').\n\n",
     HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "'ca-file' : unable to load /etc/ssl/certs/ca-certificates.crt.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "'inter' expects a delay as argument..\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "unexpected character 'x' in 'agent-inter' argument of server slotd-10..\n\n",
     HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "No such backend.\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "Require 'backend/server'.\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "Backend must use a dynamic load balancing to support dynamic servers.\n",
     HAPROXY_REPLY_STATIC},
    {SERVER_COMMAND_ADD, /* 3.4 */
     "Backend does not support dynamic servers : backend 'web' uses a non dynamic load balancing method.\n\n",
     HAPROXY_REPLY_STATIC},
    {SERVER_COMMAND_DELETE, "Server deleted.\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_DELETE, "Server deleted.\n\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_DELETE, "No such server.\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_DELETE, "No such backend.\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_DELETE, "Only servers in maintenance mode can be deleted.\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_DELETE, "Server still has connections attached to it, cannot remove it.\n", HAPROXY_REPLY_BUSY},
    {SERVER_COMMAND_ASK, "\n", HAPROXY_REPLY_DONE}, /* 3.2 to 3.4 */
    {SERVER_COMMAND_ASK, "No such server.\n\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_ASK,
     "0x7f3b4c0425a0: proto=tcpv4 src=127.0.0.1:46852 fe=f be=web srv=s ts=00 epoch=0x7 age=1s calls=2 rate=2 "
     "cpu=0\n\n",
     HAPROXY_REPLY_BUSY},
    {SERVER_COMMAND_ASK, "No such backend.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ASK, "Permission denied\n", HAPROXY_REPLY_DENIED},
    {SERVER_COMMAND_ASK, "Unknown command.\n", HAPROXY_REPLY_UNEXPECTED},
    {SERVER_COMMAND_ENABLE_HEALTH, "\n", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_ENABLE_HEALTH, "", HAPROXY_REPLY_DONE},
    {SERVER_COMMAND_ENABLE_HEALTH, "No such server.\n\n", HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ENABLE_HEALTH, "Health check was not configured on this server, cannot enable.\n\n",
     HAPROXY_REPLY_REFUSED},
    {SERVER_COMMAND_ADD, "Permission denied\n", HAPROXY_REPLY_DENIED},
    {SERVER_COMMAND_DELETE, "Permission denied\n", HAPROXY_REPLY_DENIED},
    {SERVER_COMMAND_ENABLE_HEALTH, "Proxy is disabled.\n", HAPROXY_REPLY_STALE},
};

START_TEST(test_judge)
{
    const struct judged *row = &judged[_i];
    ck_assert_msg(server_reply_judge(row->kind, row->reply, strlen(row->reply)) == row->verdict, "%s", row->reply);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("servers at run time");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_format_refuses);
    tcase_add_test(tests, test_options_refused);
    tcase_add_test(tests, test_format);
    tcase_add_loop_test(tests, test_judge, 0, (int)(sizeof(judged) / sizeof(judged[0])));
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
