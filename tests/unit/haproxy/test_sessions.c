/* SPDX-License-Identifier: MIT */
/* `show servers conn BACKEND` as HAProxy 2.4 to 3.4 print it. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "suite.h"

#define HEADER_2                                                                                                       \
    "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim "         \
    "idle_cur idle_per_thr[2]\n"
#define HEADER_3_4                                                                                                     \
    "# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb "         \
    "safe_nb idle_lim idle_cur idle_per_thr[2]\n"

static void assert_sessions(const char *answer, int64_t first, int64_t second)
{
    struct slot_sessions *rows = NULL;
    size_t count = 0;
    ck_assert_int_eq(haproxy_sessions_parse(answer, strlen(answer), &rows, &count, NULL), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(rows[0].server, "s1");
    ck_assert_int_eq(rows[0].sessions, first);
    ck_assert_str_eq(rows[1].server, "s2");
    ck_assert_int_eq(rows[1].sessions, second);
    haproxy_sessions_free(rows, count);
}

START_TEST(test_versions)
{
    assert_sessions(HEADER_2 "web/s1 3/1 127.0.0.1 31000 - 5000 7 9 0 0 0 -1 0 0 0\n"
                             "web/s2 3/2 0.0.0.0 1 - 5000 0 0 0 0 0 -1 0 0 0\n\n",
                    7, 0);
    /* A request that waits in the server's queue is served, and uses no connection yet. */
    assert_sessions(HEADER_3_4 "web/s1 3/1 127.0.0.1 31000 - 5000 5 4 0 0 0 0 0 -1 0 0 0\n"
                               "web/s2 3/2 0.0.0.0 1 - 5000 0 2 0 0 0 0 0 -1 0 0 0\n",
                    5, 2);
}
END_TEST

START_TEST(test_nonsense)
{
    static const struct {
        const char *answer;
        int err;
        const char *why;
    } cases[] = {
        {"", SLOTD_E_PARSE, "`show servers conn` has no header"},
        {"Can't find backend.\n", SLOTD_E_REFUSED, "`show servers conn` answered: Can't find backend."},
        {"# bkname/svname addr\n", SLOTD_E_PARSE, "`show servers conn` has no columns bkname/svname and used_cur"},
        {"# addr used_cur\n", SLOTD_E_PARSE, "`show servers conn` has no columns bkname/svname and used_cur"},
        {HEADER_2 "web\n", SLOTD_E_PARSE, "`show servers conn` has a row without the name of a server"},
        {HEADER_2 "web/s1 3/1 127.0.0.1\n", SLOTD_E_PARSE,
         "`show servers conn` has a row without a number of sessions"},
        {HEADER_2 "web/s1 3/1 127.0.0.1 1 - 5000 -7 9 0 0 0 -1 0 0 0\n", SLOTD_E_PARSE,
         "`show servers conn` has a row without a number of sessions"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slot_sessions *rows = NULL;
        size_t count = 0;
        cleanup_buf struct buf why = BUF_INIT;
        const char *answer = cases[i].answer;
        ck_assert_int_eq(haproxy_sessions_parse(answer, strlen(answer), &rows, &count, &why), cases[i].err);
        ck_assert_str_eq(buf_text(&why), cases[i].why);
        ck_assert_ptr_null(rows);
    }
}
END_TEST

/* ---- before 3.3 ---- */

#define STAT "# pxname,svname,qcur,qmax,scur,smax,check_desc,type,\n"

static int complete(const char *answer, int64_t *sessions, struct buf *why)
{
    struct slot_sessions rows[] = {{.server = "s1", .sessions = 3}, {.server = "s2"}, {.server = "s3"}};
    int err = haproxy_sessions_complete(answer, strlen(answer), "web", rows, 3, why);
    for (size_t i = 0; i < 3; i++) {
        sessions[i] = rows[i].sessions;
    }
    return err;
}

START_TEST(test_ids)
{
    static const char old[] = HEADER_2 "web/s1 12/1 127.0.0.1 31000 - 5000 7 9 0 0 0 -1 0 0 0\n";
    static const char late[] = HEADER_3_4 "web/s1 12/1 127.0.0.1 31000 - 5000 5 4 0 0 0 0 0 -1 0 0 0\n";
    ck_assert_int_eq(haproxy_sessions_find_id(old, strlen(old)), 12);
    ck_assert_int_eq(haproxy_sessions_find_id(late, strlen(late)), 0);
    ck_assert_int_eq(haproxy_sessions_find_id(HEADER_2, strlen(HEADER_2)), 0);
    ck_assert_int_eq(haproxy_sessions_find_id("", 0), 0);
}
END_TEST

START_TEST(test_stat_completes)
{
    int64_t sessions[3];
    ck_assert_int_eq(complete(STAT "web,s1,0,0,2,9,\"a, \"\"b\"\"\",2,\nweb,s2,1,0,2,9,,2,\nweb,other,0,0,7,9,,2,\n",
                              sessions, NULL),
                     0);
    ck_assert_int_eq(sessions[0], 3);
    ck_assert_int_eq(sessions[1], 3);
    ck_assert_int_eq(sessions[2], 0);
    /* In another order. */
    ck_assert_int_eq(complete(STAT "web,s3,0,0,1,9,,2,\nweb,s1,0,0,4,9,,2,\n", sessions, NULL), 0);
    ck_assert_int_eq(sessions[0], 4);
    ck_assert_int_eq(sessions[2], 1);
}
END_TEST

START_TEST(test_stat_nonsense)
{
    static const struct {
        const char *answer;
        int err;
        const char *why;
    } cases[] = {
        {"", SLOTD_E_PARSE, "`show stat` has no header"},
        {"No such proxy.\n", SLOTD_E_REFUSED, "`show stat` answered: No such proxy."},
        {"# pxname,svname,qcur\n", SLOTD_E_PARSE, "`show stat` has no column scur"},
        {STAT "web,s1,0,0\n", SLOTD_E_PARSE, "`show stat` has a row without a number of sessions"},
        {STAT "web,s1,0,0,-1,9,,2,\n", SLOTD_E_PARSE, "`show stat` has a row without a number of sessions"},
        {STAT "web,s1,x,0,1,9,,2,\n", SLOTD_E_PARSE, "`show stat` has a row without a number of sessions"},
        {STAT "api,s1,0,0,1,9,,2,\n", SLOTD_E_PARSE, "`show stat` has a row of another backend"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t sessions[3];
        cleanup_buf struct buf why = BUF_INIT;
        ck_assert_int_eq(complete(cases[i].answer, sessions, &why), cases[i].err);
        ck_assert_str_eq(buf_text(&why), cases[i].why);
    }
}
END_TEST

/* ---- a whole backend ---- */

#define STAT_HEADER "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,\n"

static int parse_backend(const char *answer, int64_t *ret_sessions, struct buf *why)
{
    return haproxy_backend_parse(answer, strlen(answer), ret_sessions, why);
}

START_TEST(test_backend)
{
    int64_t sessions = -1;
    ck_assert_int_eq(parse_backend(STAT_HEADER "pool-1,BACKEND,0,0,3,9,200,17,UP,\n\n", &sessions, NULL), 0);
    ck_assert_int_eq(sessions, 3);
    ck_assert_int_eq(parse_backend("# scur,x,svname\n0,,BACKEND", &sessions, NULL), 0);
    ck_assert_int_eq(sessions, 0);
}
END_TEST

START_TEST(test_backend_nonsense)
{
    static const struct {
        const char *answer;
        int err;
        const char *why;
    } cases[] = {
        {"", SLOTD_E_PARSE, "`show stat` has no header"},
        {"No such proxy.\n\n", SLOTD_E_REFUSED, "`show stat` answered: No such proxy."},
        {"# pxname,svname,qcur\nx,BACKEND,1\n", SLOTD_E_PARSE, "`show stat` has no column scur"},
        {"# pxname,scur,xscur,svnamex\nx,1,BACKEND\n", SLOTD_E_PARSE, "`show stat` has no column svname"},
        {STAT_HEADER, SLOTD_E_PARSE, "`show stat` has no row of a backend with a number of sessions"},
        {STAT_HEADER "pool-1,s1,0,0,3,\n", SLOTD_E_PARSE,
         "`show stat` has no row of a backend with a number of sessions"},
        {STAT_HEADER "pool-1,BACKEND,0,0,,\n", SLOTD_E_PARSE,
         "`show stat` has no row of a backend with a number of sessions"},
        {STAT_HEADER "pool-1,BACKEND\n", SLOTD_E_PARSE,
         "`show stat` has no row of a backend with a number of sessions"},
        {STAT_HEADER "pool-1,BACKEND,0,0,-1,\n", SLOTD_E_PARSE,
         "`show stat` has no row of a backend with a number of sessions"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t sessions = 7;
        cleanup_buf struct buf why = BUF_INIT;
        ck_assert_int_eq(parse_backend(cases[i].answer, &sessions, &why), cases[i].err);
        ck_assert_str_eq(buf_text(&why), cases[i].why);
        ck_assert_int_eq(sessions, 7);
    }
}
END_TEST

static Suite *sessions_suite(void)
{
    Suite *suite = suite_create("sessions");
    TCase *tests = tcase_create("sessions");
    tcase_add_test(tests, test_versions);
    tcase_add_test(tests, test_nonsense);
    tcase_add_test(tests, test_ids);
    tcase_add_test(tests, test_stat_completes);
    tcase_add_test(tests, test_stat_nonsense);
    tcase_add_test(tests, test_backend);
    tcase_add_test(tests, test_backend_nonsense);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(sessions_suite)
