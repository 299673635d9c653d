/* SPDX-License-Identifier: MIT */
/* Server-sent events: the rules of the standard, cuts anywhere, the bound, recorded streams. */
#include "slotd/error.h"
#include "slotd/marathon.h"

#include "recordings.h"

/* Each event as `name|data` and a line end. */
static void note_event(void *arg, const char *name, const char *data, size_t len)
{
    buf_printf(arg, "%s|", name);
    buf_append(arg, data, len);
    buf_putc(arg, '\n');
}

static int feed(void *parser, const char *data, size_t len)
{
    return sse_parser_feed(parser, data, len);
}

static struct buf parse(const char *data, size_t len, size_t chunk)
{
    struct buf seen = BUF_INIT;
    struct sse_parser *parser = sse_parser_new(MARATHON_MAX_EVENT_BYTES, note_event, &seen);
    ck_assert_int_eq(recording_feed(feed, parser, data, len, chunk), 0);
    sse_parser_free(parser);
    return seen;
}

static void check_stream(const char *data, size_t len, const char *expected, size_t expected_len)
{
    for (size_t chunk = 1; chunk <= len; chunk++) {
        cleanup_buf struct buf seen = parse(data, len, chunk);
        ck_assert_msg(seen.len == expected_len && memcmp(buf_text(&seen), expected, expected_len) == 0,
                      "in pieces of %zu: %s", chunk, buf_text(&seen));
    }
}

#define CHECK_STREAM(data, expected) check_stream(data, sizeof(data) - 1, expected, sizeof(expected) - 1)

START_TEST(an_event_that_never_ends_is_dropped)
{
    CHECK_STREAM("data: one", "");
    CHECK_STREAM("data: one\n", "");
    CHECK_STREAM("event: a\ndata: one\r\n", "");
}
END_TEST

START_TEST(no_data_is_no_event)
{
    CHECK_STREAM("event: a\n\ndata: one\n\n", "message|one\n");
    CHECK_STREAM("\n\n\r\n\r\r\n", "");
    CHECK_STREAM(": comment\n\n:\n\n", "");
    CHECK_STREAM("id: 1\nretry: 5\n\n", "");
}
END_TEST

START_TEST(other_fields_are_passed_over)
{
    CHECK_STREAM("id: 1\nretry: 5\ndatas: x\nDATA: x\n data: x\neven: x\ndata: one\n\n", "message|one\n");
    CHECK_STREAM("garbage\n<html>\ndata:one\n\n", "message|one\n");
}
END_TEST

START_TEST(every_line_end_counts_once)
{
    CHECK_STREAM("event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", "a|1\nb|2\n");
    CHECK_STREAM("event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n", "a|1\nb|2\n");
    CHECK_STREAM("event: a\rdata: 1\r\revent: b\rdata: 2\r\r", "a|1\nb|2\n");
    CHECK_STREAM("data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r\n", "message|1\nmessage|2\nmessage|3\n");
}
END_TEST

START_TEST(one_space_behind_the_colon_goes)
{
    CHECK_STREAM("data:one\n\ndata: two\n\ndata:  three\n\ndata:\tfour\n\n",
                 "message|one\nmessage|two\nmessage| three\nmessage|\tfour\n");
    CHECK_STREAM("data: a: b\n\n", "message|a: b\n");
}
END_TEST

START_TEST(data_lines_are_joined)
{
    CHECK_STREAM("data: a\ndata: b\ndata:\ndata\n\n", "message|a\nb\n\n\n");
    CHECK_STREAM("data\n\ndata:\n\n", "message|\nmessage|\n");
}
END_TEST

START_TEST(the_last_name_counts_and_is_forgotten)
{
    CHECK_STREAM("event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", "b|1\nmessage|2\n");
    CHECK_STREAM("event: a\nevent\ndata: 1\n\n", "message|1\n");
}
END_TEST

START_TEST(a_byte_order_mark_is_passed_over_once)
{
    CHECK_STREAM("\xef\xbb\xbf"
                 "data: 1\n\n",
                 "message|1\n");
    CHECK_STREAM("\xef\xbb\xbf\xef\xbb\xbf"
                 "data: 1\n\ndata: 2\n\n",
                 "message|2\n");
    CHECK_STREAM("\xef\xbb"
                 "data: 1\n\ndata: 2\n\n",
                 "message|2\n");
    CHECK_STREAM("data: 1\n\n\xef\xbb\xbf"
                 "data: 2\n\n",
                 "message|1\n");
}
END_TEST

START_TEST(nul_stays_in_data_and_spoils_a_name)
{
    CHECK_STREAM("data: a\0b\n\n", "message|a\0b\n");
    CHECK_STREAM("event: status_update_event\0x\ndata: 1\n\n", "message|1\n");
}
END_TEST

static int feed_text(struct sse_parser *parser, const char *text)
{
    return sse_parser_feed(parser, text, strlen(text));
}

START_TEST(an_event_is_bounded)
{
    cleanup_buf struct buf seen = BUF_INIT;
    struct sse_parser *parser = sse_parser_new(20, note_event, &seen);
    ck_assert_int_eq(feed_text(parser, "data: 12345678901234\n\n"), 0);
    ck_assert_int_eq(feed_text(parser, "event: 123456\ndata: 1\ndata: 23\n"), 0);
    ck_assert_int_eq(feed_text(parser, "data: 45678"), SLOTD_E_LIMIT);
    ck_assert_int_eq(feed_text(parser, "\n\n"), SLOTD_E_LIMIT);
    ck_assert_int_eq(sse_parser_feed(parser, "", 0), SLOTD_E_LIMIT);
    ck_assert_str_eq(buf_text(&seen), "message|12345678901234\n");
    sse_parser_free(parser);
}
END_TEST

START_TEST(comments_and_names_are_bounded_too)
{
    cleanup_buf struct buf seen = BUF_INIT;
    struct sse_parser *parser = sse_parser_new(20, note_event, &seen);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(feed_text(parser, ": a comment\n"), 0);
    }
    ck_assert_int_eq(feed_text(parser, ": a comment that never ends"), SLOTD_E_LIMIT);
    sse_parser_free(parser);
    parser = sse_parser_new(20, note_event, &seen);
    ck_assert_int_eq(feed_text(parser, "event: 0123456789012\n"), 0);
    ck_assert_int_eq(feed_text(parser, "data: 12"), SLOTD_E_LIMIT);
    sse_parser_free(parser);
    sse_parser_free(NULL);
}
END_TEST

static void check_recording(const char *path, const char *data, size_t len)
{
    static const size_t chunks[] = {1, 7, 1000};
    cleanup_buf struct buf whole = parse(data, len, len ? len : 1);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        cleanup_buf struct buf pieces = parse(data, len, chunks[i]);
        ck_assert_msg(strcmp(buf_text(&pieces), buf_text(&whole)) == 0, "%s in pieces of %zu", path, chunks[i]);
    }
    ck_assert_msg(whole.len > 0, "%s has no event", path);
    /* A recording may have been stopped inside its last event, never more. */
    size_t starts = 0;
    size_t events = 0;
    for (const char *at = data; (at = strstr(at, "event: ")); at++) {
        starts += at == data || at[-1] == '\n';
    }
    for (const char *at = buf_text(&whole); (at = strchr(at, '\n')); at++) {
        events++;
    }
    ck_assert_msg(events == starts || events + 1 == starts, "%s: %zu events, %zu begun", path, events, starts);
}

START_TEST(recorded_streams_parse_in_pieces)
{
    ck_assert_uint_ge(recordings_visit("", ".sse", check_recording), 10);
}
END_TEST

static Suite *sse_suite(void)
{
    Suite *suite = suite_create("sse");
    TCase *tests = tcase_create("sse");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_event_that_never_ends_is_dropped);
    tcase_add_test(tests, no_data_is_no_event);
    tcase_add_test(tests, other_fields_are_passed_over);
    tcase_add_test(tests, every_line_end_counts_once);
    tcase_add_test(tests, one_space_behind_the_colon_goes);
    tcase_add_test(tests, data_lines_are_joined);
    tcase_add_test(tests, the_last_name_counts_and_is_forgotten);
    tcase_add_test(tests, a_byte_order_mark_is_passed_over_once);
    tcase_add_test(tests, nul_stays_in_data_and_spoils_a_name);
    tcase_add_test(tests, an_event_is_bounded);
    tcase_add_test(tests, comments_and_names_are_bounded_too);
    tcase_add_test(tests, recorded_streams_parse_in_pieces);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(sse_suite)
