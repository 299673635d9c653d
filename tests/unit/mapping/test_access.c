/* SPDX-License-Identifier: MIT */
/* Access: whitelists as beginnings of hexadecimal text, and the values of HAProxy's maps. */
#include "slotd/access.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- reading ---- */

static struct access make(const char *list)
{
    struct access access = access_open();
    if (list) {
        ck_assert_int_eq(access_read_list(&access, list, NULL), 0);
    }
    return access;
}

/* The ranges joined by blanks. */
static void check_ranges(const struct access *access, const char *expected)
{
    char text[ACCESS_CIDR_BYTES];
    cleanup_buf struct buf shown = BUF_INIT;
    for (size_t i = 0; i < access->n_ranges; i++) {
        access_range_format(&access->ranges[i], text);
        buf_printf(&shown, "%s%s", i > 0 ? " " : "", text);
    }
    ck_assert_str_eq(buf_text(&shown), expected);
}

START_TEST(lists_that_are_not_taken)
{
    static const struct {
        const char *list, *why;
    } bad[] = {
        {"", "it has no address in it"},
        {" , ,", "it has no address in it"},
        {"10.0.0.0/33", "`10.0.0.0/33` is"},
        {"10.0.0.0/-1", "`10.0.0.0/-1` is"},
        {"10.0.0.0/+8", "`10.0.0.0/+8` is"},
        {"10.0.0.0/ 8", "`10.0.0.0/ 8` is"},
        {"10.0.0.0/", "`10.0.0.0/` is"},
        {"10.0.0.0/8/8", "`10.0.0.0/8/8` is"},
        {"10.0.0.0/255.0.0.0", "`10.0.0.0/255.0.0.0` is"},
        {"10.0.0", "`10.0.0` is"},
        {"10.0.0.256", "`10.0.0.256` is"},
        {"010.0.0.1", "`010.0.0.1` is"},
        {"0x0a.0.0.1", "`0x0a.0.0.1` is"},
        {"/8", "`/8` is"},
        {"*", "`*` is"},
        {"all", "`all` is"},
        {"10.0.0.1 10.0.0.2", "`10.0.0.1 10.0.0.2` is"},
        {"10.0.0.1;show info", "`10.0.0.1;show info` is"},
        {"10.0.0.1\nshow info", "`10.0.0.1\\x0ashow info` is"},
        {"fd00::/129", "`fd00::/129` is"},
        {"fd00::1%lo", "`fd00::1%lo` is"},
        {"[fd00::1]", "`[fd00::1]` is"},
        {"fd00:::1", "`fd00:::1` is"},
        {"::ffff:10.0.0.1/129", "`::ffff:10.0.0.1/129` is"},
        {"10.0.0.1,10.0.0.0/99,10.0.0.2", "`10.0.0.0/99` is"},
        {"10.0.0.1,example.com", "`example.com` is"},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/128", "`0000:0000"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct access access = access_open();
        cleanup_buf struct buf why = BUF_INIT;
        ck_assert_int_eq(access_read_list(&access, bad[i].list, &why), SLOTD_E_PARSE);
        ck_assert_msg(strncmp(buf_text(&why), bad[i].why, strlen(bad[i].why)) == 0, "%s", buf_text(&why));
        ck_assert(access.listed && access.n_ranges == 0 && text_is_plain(buf_text(&why)));
        access_free(&access);
    }
}
END_TEST

START_TEST(too_many_ranges)
{
    cleanup_buf struct buf list = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    struct access access = access_open();
    for (int i = 0; i < ACCESS_MAX_RANGES; i++) {
        buf_printf(&list, "10.%d.0.0/17,", i);
    }
    ck_assert_int_eq(access_read_list(&access, buf_text(&list), &why), 0);
    ck_assert_uint_eq(access.n_ranges, ACCESS_MAX_RANGES);
    buf_puts(&list, "10.0.0.0/8");
    ck_assert_int_eq(access_read_list(&access, buf_text(&list), &why), SLOTD_E_REFUSED);
    ck_assert_str_eq(buf_text(&why), "it has more than 256 ranges");
    ck_assert(access.listed && access.n_ranges == 0);
    access_free(&access);
}
END_TEST

START_TEST(lists_are_canonical)
{
    static const struct {
        const char *list, *shown;
    } good[] = {
        {"10.0.0.1", "10.0.0.1/32"},
        {" 10.1.2.3/8 ,, \t192.0.2.1\t,", "10.0.0.0/8 192.0.2.1/32"},
        {"192.0.2.1,10.0.0.0/8", "10.0.0.0/8 192.0.2.1/32"},
        {"10.0.0.0/8,10.0.0.0/8,10.9.0.0/16,10.0.0.0/9", "10.0.0.0/8"},
        {"0.0.0.0/0,1.2.3.4", "0.0.0.0/0"},
        {"FD00::1/8", "fd00::/8"},
        {"::/0,10.0.0.0/8", "10.0.0.0/8 ::/0"},
        /* Go's To4(): what is IPv4 in another form. */
        {"::ffff:10.1.2.3", "10.1.2.3/32"},
        {"::ffff:10.1.2.3/104", "10.0.0.0/8"},
        {"::ffff:0:0/96", "0.0.0.0/0"},
        {"::ffff:0:0/95", "::fffe:0:0/95"},
        {"2001:db8::/32,2001:db8:1::/48,2001:db9::", "2001:db8::/32 2001:db9::/128"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct access access = make(good[i].list);
        check_ranges(&access, good[i].shown);
        access_free(&access);
    }
}
END_TEST

/* ---- prefixes, against arithmetic ---- */

static uint32_t state = 1;
static uint32_t draw(uint32_t below)
{
    state = state * 1664525U + 1013904223U;
    return (uint32_t)(((uint64_t)(state >> 8) * below) >> 24);
}

/* As HAProxy has a client: `src,hex`, with IPv4 in IPv6 as IPv4, behind its family. */
static void client_to_text(int family, const uint8_t *address, char *text)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool is_v4 = family == AF_INET || memcmp(address, mapped, 12) == 0;
    const uint8_t *bytes = address + (family == AF_INET6 && is_v4 ? 12 : 0);
    *text++ = is_v4 ? '4' : '6';
    for (int i = 0; i < (is_v4 ? 4 : 16); i++) {
        text += sprintf(text, "%02X", bytes[i]);
    }
}

static bool looks_up(const struct access *access, const char *client)
{
    char prefixes[ACCESS_MAX_PREFIXES][ACCESS_PREFIX_BYTES];
    bool found = false;
    for (size_t i = 0; i < access->n_ranges; i++) {
        size_t count = access_range_expand(&access->ranges[i], prefixes);
        ck_assert(count >= 1 && count <= ACCESS_MAX_PREFIXES);
        for (size_t p = 0; p < count; p++) {
            found = found || strncmp(client, prefixes[p], strlen(prefixes[p])) == 0;
        }
    }
    return found;
}

static bool is_within(int family, const uint8_t *range, unsigned length, const uint8_t *address)
{
    for (unsigned bit = 0; bit < length; bit++) {
        unsigned a = (unsigned)range[bit / 8] >> (7 - bit % 8) & 1U;
        unsigned b = (unsigned)address[bit / 8] >> (7 - bit % 8) & 1U;
        if (a != b) {
            return false;
        }
    }
    return length <= (family == AF_INET ? 32U : 128U);
}

struct model_range {
    uint8_t bytes[16];
    unsigned length;
    int family;
};

/* An address near what is there already: that is where mistakes are. */
static void draw_address(uint8_t *bytes, size_t len, const uint8_t *near)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = near ? near[i] : (uint8_t)draw(256);
    }
    for (uint32_t flips = near ? draw(3) : 0; flips > 0; flips--) {
        unsigned bit = draw((uint32_t)len * 8);
        bytes[bit / 8] ^= (uint8_t)(0x80U >> bit % 8);
    }
}

START_TEST(prefixes_are_the_ranges)
{
    int allowed = 0;
    for (int round = 0; round < 1000; round++) {
        struct model_range ranges[4];
        cleanup_buf struct buf list = BUF_INIT;
        char text[INET6_ADDRSTRLEN];
        size_t n_ranges = 1 + draw(COUNT(ranges));
        for (size_t i = 0; i < n_ranges; i++) {
            ranges[i].family = draw(2) ? AF_INET : AF_INET6;
            size_t len = ranges[i].family == AF_INET ? 4 : 16;
            bool near = i > 0 && ranges[i - 1].family == ranges[i].family && draw(2);
            draw_address(ranges[i].bytes, len, near ? ranges[i - 1].bytes : NULL);
            ranges[i].length = draw((uint32_t)len * 8 + 1);
            inet_ntop(ranges[i].family, ranges[i].bytes, text, sizeof(text));
            buf_printf(&list, "%s/%u,", text, ranges[i].length);
        }
        struct access access = make(buf_text(&list));
        for (int probe = 0; probe < 20; probe++) {
            const struct model_range *near = &ranges[draw((uint32_t)n_ranges)];
            uint8_t address[16];
            char client[40];
            bool wanted = false;
            draw_address(address, near->family == AF_INET ? 4 : 16, near->bytes);
            for (size_t i = 0; i < n_ranges; i++) {
                wanted = wanted || (ranges[i].family == near->family &&
                                    is_within(near->family, ranges[i].bytes, ranges[i].length, address));
            }
            client_to_text(near->family, address, client);
            ck_assert_msg(looks_up(&access, client) == wanted, "%s %s", buf_text(&list), client);
            allowed += wanted;
        }
        access_free(&access);
    }
    ck_assert_int_gt(allowed, 2000);
    ck_assert_int_lt(allowed, 18000);
}
END_TEST

START_TEST(a_client_in_both_forms)
{
    static const struct {
        const char *list, *client;
        bool passes;
    } cases[] = {
        {"10.0.0.0/8", "10.1.1.1", true},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"10.0.0.0/8", "::ffff:11.1.1.1", false},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"10.0.0.0/8", "0a00::1", false},
        {"a00::/8", "10.1.1.1", false},
        {"::/0", "10.1.1.1", false},
        {"::/0", "::ffff:10.1.1.1", false},
        {"::/0", "::1", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0", "::ffff:1.2.3.4", true},
        {"::/64", "::ffff:10.1.1.1", false},
        {"10.0.0.0/8", "::10.1.1.1", false},
        {"10.0.0.0/8", "2002:0a01:0101::1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct access access = make(cases[i].list);
        uint8_t address[16];
        char client[40];
        int family = strchr(cases[i].client, ':') ? AF_INET6 : AF_INET;
        ck_assert_int_eq(inet_pton(family, cases[i].client, address), 1);
        client_to_text(family, address, client);
        ck_assert_msg(looks_up(&access, client) == cases[i].passes, "%s %s", cases[i].list, cases[i].client);
        access_free(&access);
    }
}
END_TEST

/* ---- together ---- */

static void check_join(const char *a, const char *b, const char *expected)
{
    struct access access = make(a);
    struct access other = make(b);
    access_join(&access, &other);
    check_ranges(&access, expected);
    ck_assert(access.listed == (a || b) && !access.closed);
    access_free(&access);
    access_free(&other);
}

START_TEST(who_may_use_both)
{
    check_join(NULL, NULL, "");
    check_join("10.0.0.0/8", NULL, "10.0.0.0/8");
    check_join(NULL, "10.0.0.0/8", "10.0.0.0/8");
    check_join("10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8");
    check_join("10.0.0.0/8,192.0.2.1", "10.9.0.0/16,10.8.0.1,192.0.2.0/24", "10.8.0.1/32 10.9.0.0/16 192.0.2.1/32");
    check_join("10.0.0.0/8", "11.0.0.0/8", "");
    check_join("0.0.0.0/0", "::/0", "");
    check_join("10.0.0.0/9,10.128.0.0/9,fd00::/8", "10.0.0.0/8,fd00::1,fe80::/10",
               "10.0.0.0/9 10.128.0.0/9 fd00::1/128");
    check_join("10.0.0.1,10.0.0.3,10.0.0.5", "10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5", "10.0.0.3/32 10.0.0.5/32");
    struct access http = {.points = 1U << ACCESS_HTTP};
    struct access https = {.points = 1U << ACCESS_HTTPS};
    struct access open = access_open();
    access_join(&open, &https);
    ck_assert(open.points == https.points && !open.closed);
    access_join(&open, &http);
    ck_assert(open.closed && open.points == ACCESS_EVERYWHERE);
    struct access target = access_open();
    target.redirect.target = mem_strdup("https");
    struct access joined = access_open();
    access_join(&joined, &target);
    ck_assert_str_eq(joined.redirect.target, "https");
    access_free(&target);
    access_free(&joined);
}
END_TEST

START_TEST(another_list_has_another_name)
{
    cleanup_buf struct buf a = BUF_INIT;
    cleanup_buf struct buf b = BUF_INIT;
    struct access one = make("10.0.0.0/8,192.0.2.1");
    struct access same = make("192.0.2.1,10.1.1.1/8");
    struct access other = make("10.0.0.0/9,192.0.2.1");
    access_whitelist_name(&one, "backend-web", &a);
    access_whitelist_name(&same, "backend-web", &b);
    ck_assert_str_eq(buf_text(&a), buf_text(&b));
    /* It is the same in every process: HAProxy's maps outlive slotd. */
    ck_assert_str_eq(buf_text(&a), "backend-web~c10310b4f196cbb5");
    buf_clear(&b);
    access_whitelist_name(&other, "backend-web", &b);
    ck_assert_str_ne(buf_text(&a), buf_text(&b));
    ck_assert(text_is_map_word(buf_text(&a)) && !text_is_haproxy_name(buf_text(&a)));
    access_free(&one);
    access_free(&same);
    access_free(&other);
}
END_TEST

/* ---- values ---- */

/* What both entry points have of a value: their ways, and whether it names the backend "b". */
static void check_value(const char *value, const char *http, const char *https, const char *names)
{
    const char *wanted[ACCESS_POINTS] = {http, https};
    bool is_named = false;
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        size_t len = 0;
        const char *backend = access_value_backend(value, (enum access_point)i, &len);
        is_named = is_named || (backend && len == 1 && backend[0] == 'b');
        const char *way = access_value_way(value, (enum access_point)i, &len);
        cleanup_free char *shown = way ? mem_strndup(way, len) : mem_strdup("-");
        ck_assert_str_eq(shown, wanted[i]);
    }
    ck_assert_str_eq(is_named ? "yes" : "no", names);
}

START_TEST(values_of_maps)
{
    struct access_way ways[ACCESS_POINTS] = {{"b", NULL, NULL}, {"b", NULL, NULL}};
    cleanup_buf struct buf value = BUF_INIT;
    access_value_format(ways, &value);
    ck_assert_str_eq(buf_text(&value), "b");
    ways[0].redirect = "r";
    ways[1].backend = "c";
    buf_clear(&value);
    access_value_format(ways, &value);
    ck_assert_str_eq(buf_text(&value), "/b+~+r/c");
    check_value(buf_text(&value), "b+~+r", "c", "yes");
    ways[0] = (struct access_way){"b", "w~1", NULL};
    ways[1] = (struct access_way){NULL, NULL, NULL};
    buf_clear(&value);
    access_value_format(ways, &value);
    ck_assert_str_eq(buf_text(&value), "/b+w~1+~/~");
    check_value(buf_text(&value), "b+w~1+~", "-", "yes");
    check_value("b", "b", "b", "yes");
    check_value("/a/b", "a", "b", "yes");
    check_value("/a/bc+!+~", "a", "bc+!+~", "no");
    check_value("/~/b+!+~", "-", "b+!+~", "yes");
    /* What slotd has not written. */
    check_value("", "-", "-", "no");
    check_value("/", "-", "-", "no");
    check_value("//", "-", "-", "no");
    check_value("/b", "b", "-", "yes");
    check_value("/a/b/c", "a", "b", "yes");
    check_value("/+w+r/b", "+w+r", "b", "yes");
    check_value("~", "-", "-", "no");
}
END_TEST

static void check_description(const struct access *access, const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT;
    access_describe(access, &text);
    ck_assert_str_eq(buf_text(&text), expected);
}

START_TEST(descriptions)
{
    struct access access = access_open();
    check_description(&access, "open");
    access = make("10.0.0.0/8,192.0.2.1,::1");
    check_description(&access, "from 10.0.0.0/8 and 2 more");
    access.points = 1U << ACCESS_HTTPS;
    access.redirect.target = mem_strdup("http");
    check_description(&access, "https, from 10.0.0.0/8 and 2 more, to http");
    access.closed = true;
    check_description(&access, "closed");
    access_free(&access);
    access.listed = true;
    check_description(&access, "from nowhere");
    ck_assert(!access_is_open(&access));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, lists_that_are_not_taken);
    tcase_add_test(tests, too_many_ranges);
    tcase_add_test(tests, lists_are_canonical);
    tcase_add_test(tests, prefixes_are_the_ranges);
    tcase_add_test(tests, a_client_in_both_forms);
    tcase_add_test(tests, who_may_use_both);
    tcase_add_test(tests, another_list_has_another_name);
    tcase_add_test(tests, values_of_maps);
    tcase_add_test(tests, descriptions);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
