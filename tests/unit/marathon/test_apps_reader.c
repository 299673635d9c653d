/* SPDX-License-Identifier: MIT */
/* Answers split into apps: what is no such answer, cuts anywhere, bounds, recorded answers. */
#include <errno.h>

#include "slotd/error.h"
#include "slotd/marathon.h"

#include "recordings.h"

struct seen {
    struct buf apps; /* each with a line end */
    int answer;      /* of on_app */
};

static int note_app(void *arg, const char *json, size_t len)
{
    struct seen *seen = arg;
    buf_append(&seen->apps, json, len);
    buf_putc(&seen->apps, '\n');
    return seen->answer;
}

static int feed(void *reader, const char *data, size_t len)
{
    return apps_reader_feed(reader, data, len);
}

/* Reads in pieces; text gets the apps and what finish says. */
static int read_pieces(const char *data, size_t len, size_t chunk, struct buf *text)
{
    struct seen seen = {0};
    struct apps_reader *reader = apps_reader_new("apps", MARATHON_MAX_APP_BYTES, note_app, &seen);
    int fed = recording_feed(feed, reader, data, len, chunk);
    cleanup_buf struct buf why = BUF_INIT;
    int err = apps_reader_finish(reader, &why);
    ck_assert_msg(fed == 0 || fed == err, "fed %d, finished %d", fed, err);
    if (fed) {
        ck_assert_int_eq(apps_reader_feed(reader, "{\"apps\":[]}", 11), fed);
    }
    ck_assert_int_eq(err == 0, why.len == 0);
    apps_reader_free(reader);
    buf_append(text, buf_text(&seen.apps), seen.apps.len);
    buf_append(text, buf_text(&why), why.len);
    buf_free(&seen.apps);
    return err;
}

static void check_answer(const char *answer, int expected_err, const char *expected)
{
    size_t len = strlen(answer);
    for (size_t chunk = 1; chunk <= len + 1; chunk++) {
        cleanup_buf struct buf text = BUF_INIT;
        int err = read_pieces(answer, len, chunk, &text);
        ck_assert_msg(err == expected_err, "%s in pieces of %zu: %d", answer, chunk, err);
        ck_assert_str_eq(buf_text(&text), expected);
    }
}

#define WRONG_AT(byte) "no JSON document of the expected form; it goes wrong at byte " byte
#define TOO_EARLY(byte) "the JSON document ends too early, after " byte " bytes"

START_TEST(what_is_no_object_is_refused_at_once)
{
    check_answer("<html><body>502</body></html>", SLOTD_E_PARSE, WRONG_AT("1"));
    check_answer("  \r\n<html>", SLOTD_E_PARSE, WRONG_AT("5"));
    check_answer("\"apps\"", SLOTD_E_PARSE, WRONG_AT("1"));
    check_answer("[{\"id\":\"/a\"}]", SLOTD_E_PARSE, WRONG_AT("1"));
    check_answer("null", SLOTD_E_PARSE, WRONG_AT("1"));
    check_answer("", SLOTD_E_PARSE, TOO_EARLY("0"));
}
END_TEST

START_TEST(an_object_without_the_member_says_so)
{
    check_answer("{}", SLOTD_E_PARSE, "the JSON document has no list `apps`");
    check_answer("{\"message\":\"no leader \\\"apps\\\":[]\",\"details\":[{\"apps\":[1]}]}", SLOTD_E_PARSE,
                 "the JSON document has no list `apps`");
    check_answer("{\"app\":[1],\"appss\":[2],\"Apps\":[3],\"\\u0061pps\":[4]}", SLOTD_E_PARSE,
                 "the JSON document has no list `apps`");
}
END_TEST

START_TEST(the_member_must_be_one_list)
{
    check_answer("{\"apps\":null}", SLOTD_E_PARSE, WRONG_AT("9"));
    check_answer("{\"apps\":{}}", SLOTD_E_PARSE, WRONG_AT("9"));
    check_answer("{\"apps\":[],\"apps\":[]}", SLOTD_E_PARSE, WRONG_AT("19"));
}
END_TEST

START_TEST(broken_structure_is_refused)
{
    check_answer("{\"apps\":[{]}]}", SLOTD_E_PARSE, WRONG_AT("11"));
    check_answer("{\"apps\":[{} {}]}", SLOTD_E_PARSE, "{}\n" WRONG_AT("13"));
    check_answer("{\"apps\":[{},]}", SLOTD_E_PARSE, "{}\n" WRONG_AT("13"));
    check_answer("{\"apps\":[,{}]}", SLOTD_E_PARSE, WRONG_AT("10"));
    check_answer("{\"apps\":[{}}", SLOTD_E_PARSE, "{}\n" WRONG_AT("12"));
    check_answer("{\"apps\":[]]", SLOTD_E_PARSE, WRONG_AT("11"));
    check_answer("{\"apps\" []}", SLOTD_E_PARSE, WRONG_AT("9"));
    check_answer("{,\"apps\":[]}", SLOTD_E_PARSE, WRONG_AT("2"));
    check_answer("{\"apps\":[],}", SLOTD_E_PARSE, WRONG_AT("12"));
    check_answer("{\"a\":,\"apps\":[]}", SLOTD_E_PARSE, WRONG_AT("6"));
    check_answer("{\"apps\":[]}x", SLOTD_E_PARSE, WRONG_AT("12"));
    check_answer("{\"apps\":[]}{\"apps\":[]}", SLOTD_E_PARSE, WRONG_AT("12"));
}
END_TEST

START_TEST(a_cut_answer_is_no_answer)
{
    static const char answer[] = "{\"x\":\"\\\"\",\"apps\":[{\"id\":\"/a\"}]}";
    for (size_t len = 1; len < strlen(answer); len++) {
        cleanup_buf struct buf text = BUF_INIT;
        ck_assert_int_eq(read_pieces(answer, len, len, &text), SLOTD_E_PARSE);
        ck_assert_ptr_nonnull(strstr(buf_text(&text), "the JSON document ends too early"));
    }
}
END_TEST

START_TEST(elements_are_passed_on_as_they_are)
{
    check_answer("{\"apps\":[]}", 0, "");
    check_answer(" { \"apps\" : [ {\"id\": \"/a\"} , {\"b\":[{}, []]}\n] } \r\n", 0,
                 "{\"id\": \"/a\"}\n{\"b\":[{}, []]}\n");
    check_answer("{\"apps\":[1,null,\"s\",[2],-1.5e+3]}", 0, "1\nnull\n\"s\"\n[2]\n-1.5e+3\n");
    check_answer("{\"apps\":[\"]\",\"\\\"\",\"\\\\\",{\"\\\"}\":\"{\\\\\\\"[\"}]}", 0,
                 "\"]\"\n\"\\\"\"\n\"\\\\\"\n{\"\\\"}\":\"{\\\\\\\"[\"}\n");
}
END_TEST

START_TEST(other_members_are_passed_over)
{
    check_answer("{\"a\":1,\"b\":\"apps\",\"c\":{\"apps\":[9]},\"d\":[[{\"apps\":[8]}]],\"apps\":[{}],\"e\":true,\"f\":"
                 "\"\\\\\"}",
                 0, "{}\n");
    check_answer("{\"apps\\\"\":[7],\"apps\":[{}]}", 0, "{}\n");
}
END_TEST

START_TEST(an_app_is_bounded)
{
    struct seen seen = {0};
    for (size_t chunk = 1; chunk < 40; chunk++) {
        struct apps_reader *reader = apps_reader_new("apps", 10, note_app, &seen);
        static const char good[] = "{\"apps\":[{\"a\":1234},";
        static const char large[] = "{\"a\":12345, \"b\":[\"]}\"]},";
        static const char behind[] = "{\"c\":1}]}";
        ck_assert_int_eq(recording_feed(feed, reader, good, sizeof(good) - 1, chunk), 0);
        ck_assert_int_eq(recording_feed(feed, reader, large, sizeof(large) - 1, chunk), 0);
        ck_assert_int_eq(recording_feed(feed, reader, behind, sizeof(behind) - 1, chunk), 0);
        ck_assert_int_eq(apps_reader_finish(reader, NULL), 0);
        /* Of what is too large the beginning; what stands behind it is not lost. */
        ck_assert_str_eq(buf_text(&seen.apps), "{\"a\":1234}\n{\"a\":12345\n{\"c\":1}\n");
        buf_clear(&seen.apps);
        apps_reader_free(reader);
    }
    buf_free(&seen.apps);
    apps_reader_free(NULL);
}
END_TEST

static int read_nested(size_t depth)
{
    cleanup_buf struct buf answer = BUF_INIT;
    cleanup_buf struct buf text = BUF_INIT;
    buf_puts(&answer, "{\"apps\":[");
    for (size_t i = 0; i < depth; i++) {
        buf_putc(&answer, '[');
    }
    for (size_t i = 0; i < depth; i++) {
        buf_putc(&answer, ']');
    }
    buf_puts(&answer, "]}");
    return read_pieces(buf_text(&answer), answer.len, 5, &text);
}

/* How deep an app is concerns that app: it is passed over to its end. */
START_TEST(nesting_is_no_end)
{
    ck_assert_int_eq(read_nested(MARATHON_MAX_DEPTH), 0);
    ck_assert_int_eq(read_nested(MARATHON_MAX_DEPTH + 1), 0);
    ck_assert_int_eq(read_nested(100000), 0);
}
END_TEST

START_TEST(the_callback_can_stop_the_reading)
{
    struct seen seen = {.answer = -ECANCELED};
    struct apps_reader *reader = apps_reader_new("apps", 100, note_app, &seen);
    ck_assert_int_eq(apps_reader_feed(reader, "{\"apps\":[1,2]}", 14), -ECANCELED);
    ck_assert_int_eq(apps_reader_feed(reader, "]}", 2), -ECANCELED);
    ck_assert_int_eq(apps_reader_finish(reader, NULL), -ECANCELED);
    ck_assert_str_eq(buf_text(&seen.apps), "1\n");
    apps_reader_free(reader);
    buf_free(&seen.apps);
}
END_TEST

static void check_recording(const char *path, const char *data, size_t len)
{
    static const size_t chunks[] = {1, 7, 1000};
    struct buf file = {.data = (char *)(uintptr_t)data, .len = len};
    int status;
    const char *body = recording_body(&file, &len, &status);
    cleanup_buf struct buf whole = BUF_INIT;
    int err = read_pieces(body, len, len ? len : 1, &whole);
    ck_assert_msg(err == (status == 200 ? 0 : SLOTD_E_PARSE), "%s: status %d, %d", path, status, err);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        cleanup_buf struct buf pieces = BUF_INIT;
        ck_assert_int_eq(read_pieces(body, len, chunks[i], &pieces), err);
        ck_assert_msg(strcmp(buf_text(&pieces), buf_text(&whole)) == 0, "%s in pieces of %zu", path, chunks[i]);
    }
}

START_TEST(recorded_answers_parse_in_pieces)
{
    ck_assert_uint_ge(recordings_visit("apps-", ".http", check_recording), 50);
}
END_TEST

static Suite *apps_reader_suite(void)
{
    Suite *suite = suite_create("apps_reader");
    TCase *tests = tcase_create("apps_reader");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_no_object_is_refused_at_once);
    tcase_add_test(tests, an_object_without_the_member_says_so);
    tcase_add_test(tests, the_member_must_be_one_list);
    tcase_add_test(tests, broken_structure_is_refused);
    tcase_add_test(tests, a_cut_answer_is_no_answer);
    tcase_add_test(tests, elements_are_passed_on_as_they_are);
    tcase_add_test(tests, other_members_are_passed_over);
    tcase_add_test(tests, an_app_is_bounded);
    tcase_add_test(tests, nesting_is_no_end);
    tcase_add_test(tests, the_callback_can_stop_the_reading);
    tcase_add_test(tests, recorded_answers_parse_in_pieces);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(apps_reader_suite)
