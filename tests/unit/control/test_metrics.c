/* SPDX-License-Identifier: MIT */
/* /metrics from numbers: names, labels, what is left out. The format as such is test_exposition's. */
#include "slotd/metrics.h"

#include <string.h>

#include "suite.h"

static struct histogram none;
static struct engine_backend_metrics backends[] = {
    {.name = "backend-a",
     .slots = {[SLOT_FREE] = 3, [SLOT_READY] = 2, [SLOT_HELD] = 4, [SLOT_STARTING] = 1, [SLOT_DOWN] = 5}},
    {.name = "backend-b", .slots = {[SLOT_DRAINING] = 7}, .waiting = 8},
};
static struct lease_counts pools[] = {
    {.class = "http", .prefix = "pool-", .total = 9, .leased = 5, .free = 3, .released = 1, .waiting = 23},
};
static struct engine_edge_metrics edges[] = {
    {.name = "edge",
     .version = "2.6.12",
     .connected = 1,
     .commands = 9,
     .latency = &none,
     .backends = backends,
     .n_backends = 2,
     .pools = pools,
     .n_pools = 1,
     .tcp_routed = 24,
     .tcp_taken = 25,
     .access_leaving = 32,
     .dynamic = {.there = 31, .coming = 2, .refused = 4},
     .slots = {[SLOT_FREE] = 3, [SLOT_ORPHAN] = 6}},
    {.name = "other", .version = "", .latency = &none, .services_without_backend = 11},
};

static struct engine_metrics make_metrics(void)
{
    return (struct engine_metrics){
        .event_age_ns = ENGINE_NEVER,
        .answer_age_ns = 1500000000,
        .events = {[MARATHON_EVENT_OTHER] = 12, [MARATHON_EVENT_STATUS_UPDATE] = 13},
        .answers = {[ENGINE_ANSWER_HELD] = 14, [ENGINE_ANSWER_BAD] = 15},
        .endpoints = {[ENDPOINT_DRAIN] = 16},
        .problems = {{"port-invalid", 17}},
        .n_codes = 1,
        .guard_held = 18,
        .guard_holds = 1,
        .all_fetches = &none,
        .app_fetches = &none,
        .edges = edges,
        .n_edges = 2,
    };
}

static struct buf render(const struct engine_metrics *engine)
{
    const struct process_metrics process = {.cpu_ns = 20000000, .open_fds = 21};
    const struct web_metrics web = {.connections = 22};
    struct buf text = BUF_INIT;
    metrics_render(engine, &process, &web, &text);
    return text;
}

static bool has_line(const struct buf *text, const char *line)
{
    cleanup_buf struct buf whole = BUF_INIT;
    buf_printf(&whole, "\n%s\n", line);
    return strstr(buf_text(text), buf_text(&whole)) != NULL;
}

START_TEST(numbers_stand_under_their_names)
{
    static const char *const lines[] = {
        "slotd_build_info{version=\"" PACKAGE_VERSION "\"} 1",
        "slotd_marathon_last_answer_age_seconds 1.5",
        "slotd_marathon_events_total{type=\"other\"} 12",
        "slotd_marathon_events_total{type=\"status_update\"} 13",
        "slotd_marathon_answers_total{result=\"held\"} 14",
        "slotd_marathon_answers_total{result=\"bad\"} 15",
        "slotd_endpoints{phase=\"drain\"} 16",
        "slotd_problems{code=\"port-invalid\"} 17",
        "slotd_guard_held_endpoints 18",
        "slotd_guard_held 1",
        "slotd_guard_holds_total 0",
        "slotd_haproxy_info{haproxy=\"edge\",version=\"2.6.12\"} 1",
        "slotd_haproxy_connected{haproxy=\"edge\"} 1",
        "slotd_haproxy_connected{haproxy=\"other\"} 0",
        "slotd_haproxy_commands_total{haproxy=\"edge\"} 9",
        "slotd_services_without_backend{haproxy=\"other\"} 11",
        "slotd_access_entries_leaving{haproxy=\"edge\"} 32",
        "slotd_slots{haproxy=\"edge\",state=\"free\"} 3",
        "slotd_slots{haproxy=\"edge\",state=\"unclaimed\"} 6",
        "slotd_backend_slots{haproxy=\"edge\",backend=\"backend-a\",state=\"free\"} 3",
        "slotd_backend_slots{haproxy=\"edge\",backend=\"backend-a\",state=\"ready\"} 2",
        "slotd_backend_slots{haproxy=\"edge\",backend=\"backend-a\",state=\"down\"} 5",
        "slotd_backend_slots{haproxy=\"edge\",backend=\"backend-a\",state=\"other\"} 5",
        "slotd_backend_slots{haproxy=\"edge\",backend=\"backend-b\",state=\"draining\"} 7",
        "slotd_backend_slots{haproxy=\"edge\",backend=\"backend-b\",state=\"other\"} 0",
        "slotd_backend_endpoints_waiting{haproxy=\"edge\",backend=\"backend-b\"} 8",
        "slotd_pool_backends{haproxy=\"edge\",prefix=\"pool-\",class=\"http\",state=\"free\"} 3",
        "slotd_pool_backends{haproxy=\"edge\",prefix=\"pool-\",class=\"http\",state=\"leased\"} 5",
        "slotd_pool_backends{haproxy=\"edge\",prefix=\"pool-\",class=\"http\",state=\"released\"} 1",
        "slotd_dynamic_backends{haproxy=\"edge\",state=\"made\"} 31",
        "slotd_dynamic_backends{haproxy=\"edge\",state=\"coming\"} 2",
        "slotd_dynamic_backends{haproxy=\"edge\",state=\"refused\"} 4",
        "slotd_pool_services_waiting{haproxy=\"edge\",prefix=\"pool-\",class=\"http\"} 23",
        "slotd_tcp_routes{haproxy=\"edge\",state=\"routed\"} 24",
        "slotd_tcp_routes{haproxy=\"edge\",state=\"waiting\"} 0",
        "slotd_tcp_routes{haproxy=\"edge\",state=\"taken\"} 25",
        "slotd_process_cpu_seconds_total 0.02",
        "slotd_process_open_fds 21",
        "slotd_http_connections 22",
    };
    struct engine_metrics engine = make_metrics();
    cleanup_buf struct buf text = render(&engine);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ck_assert_msg(has_line(&text, lines[i]), "%s", lines[i]);
    }
}
END_TEST

START_TEST(what_was_never_is_left_out)
{
    struct engine_metrics engine = make_metrics();
    cleanup_buf struct buf text = render(&engine);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "# TYPE slotd_marathon_last_event_age_seconds gauge\n#"));
    ck_assert_ptr_null(strstr(buf_text(&text), "haproxy=\"other\",version"));
    engine.event_age_ns = 0;
    cleanup_buf struct buf again = render(&engine);
    ck_assert(has_line(&again, "slotd_marathon_last_event_age_seconds 0"));
}
END_TEST

START_TEST(no_haproxy_and_no_problem_is_no_series)
{
    const struct engine_metrics engine = {.all_fetches = &none, .app_fetches = &none};
    cleanup_buf struct buf text = render(&engine);
    ck_assert_ptr_null(strstr(buf_text(&text), "haproxy=\""));
    ck_assert_ptr_null(strstr(buf_text(&text), "code=\""));
    ck_assert(has_line(&text, "# TYPE slotd_problems gauge"));
    ck_assert(has_line(&text, "# TYPE slotd_slots gauge"));
}
END_TEST

START_TEST(this_process_is_measured)
{
    struct process_metrics process = {0};
    process_measure(&process);
    ck_assert_uint_gt(process.resident_bytes, 0);
    ck_assert_uint_gt(process.virtual_bytes, process.resident_bytes);
    ck_assert_uint_ge(process.max_fds, process.open_fds);
    uint64_t open_fds = process.open_fds;
    FILE *file = fopen("/dev/null", "re");
    process_measure(&process);
    ck_assert_uint_eq(process.open_fds, open_fds + 1);
    (void)fclose(file);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_test(tests, numbers_stand_under_their_names);
    tcase_add_test(tests, what_was_never_is_left_out);
    tcase_add_test(tests, no_haproxy_and_no_problem_is_no_series);
    tcase_add_test(tests, this_process_is_measured);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
