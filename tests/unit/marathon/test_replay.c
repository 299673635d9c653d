/* SPDX-License-Identifier: MIT */
/* The events of a recorded scenario, up to a recorded answer, give that answer's running tasks with host, ports and
 * health. */
#include <dirent.h>
#include <string.h>

#include "recordings.h"
#include "slotd/cluster.h"

#define DAY_MS (24LL * 3600 * 1000)
#define MAX_ANSWERS 64

static struct buf scenario_file(const char *folder, const char *name)
{
    struct buf file = BUF_INIT;
    cleanup_free char *path = mem_printf("%s/%s", folder, name);
    recording_load(path, &file);
    return file;
}

/* ---- both sides as text: a line "task host port..." and its health for each running task, sorted ---- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
    char *items[4096];
    size_t count;
};

static size_t n_unhealthy; /* lines of either side that say so */

static void lines_add(struct lines *lines, const struct marathon_task *task)
{
    struct buf line = BUF_INIT;
    ck_assert_uint_lt(lines->count, 4096);
    buf_printf(&line, "%s %s", task->id, task->host);
    for (size_t i = 0; i < task->n_ports; i++) {
        buf_printf(&line, " %d", task->ports[i]);
    }
    buf_puts(&line, task->unhealthy ? " unhealthy" : "");
    n_unhealthy += task->unhealthy;
    lines->items[lines->count++] = buf_steal(&line);
}

static char *lines_join(struct lines *lines)
{
    struct buf text = BUF_INIT;
    qsort(lines->items, lines->count, sizeof(char *), compare_lines);
    for (size_t i = 0; i < lines->count; i++) {
        buf_printf(&text, "%s\n", lines->items[i]);
        free(lines->items[i]);
    }
    return buf_steal(&text);
}

static void lines_add_running(struct lines *lines, const struct marathon_app *app)
{
    for (size_t i = 0; i < app->n_tasks; i++) {
        if (app->tasks[i]->state == MARATHON_TASK_RUNNING) {
            lines_add(lines, app->tasks[i]);
        }
    }
}

/* ---- the answer's side ---- */

static int take_app(void *arg, const char *json, size_t len)
{
    struct marathon_app *app = NULL;
    ck_assert_int_eq(marathon_app_parse(json, len, &app, NULL, NULL), 0);
    lines_add_running(arg, app);
    marathon_app_free(app);
    return 0;
}

static char *answer_tasks(const char *folder, const char *name)
{
    static struct lines lines;
    cleanup_buf struct buf file = scenario_file(folder, name);
    size_t len = 0;
    int status = 0;
    const char *body = recording_body(&file, &len, &status);
    struct apps_reader *reader = apps_reader_new("apps", MARATHON_MAX_APP_BYTES, take_app, &lines);
    lines.count = 0;
    ck_assert_int_eq(apps_reader_feed(reader, body, len), 0);
    ck_assert_int_eq(apps_reader_finish(reader, NULL), 0);
    apps_reader_free(reader);
    return lines_join(&lines);
}

/* ---- the events' side ---- */

static void take_event(void *arg, const char *name, const char *data, size_t len)
{
    struct marathon_event *event = NULL;
    ck_assert_int_eq(marathon_event_parse(name, data, len, &event, NULL), 0);
    (void)cluster_apply_event(arg, event);
    marathon_event_free(event);
}

/* Pods are no apps: /v2/apps does not list them, and no definition of theirs is posted as an app's. */
static char *replayed_tasks(const char *events, size_t len)
{
    static struct lines lines;
    struct cluster_view view;
    size_t position = 0;
    struct cluster *cluster = cluster_new(
        &(struct cluster_config){.missing_confirmations = 2, .max_removal_percent = 50, .wants_health = true});
    struct sse_parser *parser = sse_parser_new(MARATHON_MAX_EVENT_BYTES, take_event, cluster);
    lines.count = 0;
    ck_assert_int_eq(sse_parser_feed(parser, events, len), 0);
    while (cluster_next_app(cluster, &position, &view)) {
        if (view.has_definition) {
            lines_add_running(&lines, view.app);
        }
    }
    sse_parser_free(parser);
    cluster_free(cluster);
    return lines_join(&lines);
}

/* ---- time ---- */

/* The bytes of the stream that had arrived by then: lines of `MS OFFSET`. */
static size_t bytes_by(const struct buf *times, long long ms)
{
    size_t bytes = 0;
    for (const char *line = buf_text(times); line && *line; line = strchr(line, '\n')) {
        long long at = 0;
        size_t offset = 0;
        line += *line == '\n';
        if (sscanf(line, "%lld %zu", &at, &offset) == 2 && at <= ms) {
            bytes = offset;
        }
    }
    return bytes;
}

/* When the answer called name was recorded, by a line `HH:MM:SS.mmm GET ... (name)` of steps.log. */
static long long time_of(const struct buf *steps, const char *name, long long midnight_ms)
{
    cleanup_free char *mark = mem_printf("(%s)", name);
    const char *found = strstr(buf_text(steps), mark);
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    int ms = 0;
    ck_assert_msg(found != NULL, "%s is not in steps.log", name);
    while (found > buf_text(steps) && found[-1] != '\n') {
        found--;
    }
    ck_assert_int_eq(sscanf(found, "%d:%d:%d.%d", &hours, &minutes, &seconds, &ms), 4);
    return midnight_ms + ((hours * 60LL + minutes) * 60 + seconds) * 1000 + ms;
}

static size_t replay_scenario(const char *folder)
{
    cleanup_buf struct buf events = scenario_file(folder, "events.sse");
    cleanup_buf struct buf times = scenario_file(folder, "events.times");
    cleanup_buf struct buf steps = scenario_file(folder, "steps.log");
    long long midnight_ms = strtoll(buf_text(&times), NULL, 10) / DAY_MS * DAY_MS;
    struct dirent **names = NULL;
    size_t compared = 0;
    int count = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        cleanup_free char *mark = mem_printf("(%s)", name);
        if (strncmp(name, "apps-", 5) == 0 && strstr(buf_text(&steps), mark) && name[5] >= '0' && name[5] <= '9') {
            size_t bytes = bytes_by(&times, time_of(&steps, name, midnight_ms));
            cleanup_free char *wanted = answer_tasks(folder, name);
            cleanup_free char *got = replayed_tasks(buf_text(&events), bytes);
            ck_assert_msg(strcmp(wanted, got) == 0, "%s/%s, %zu bytes of events: wanted\n%sgot\n%s", folder, name,
                          bytes, wanted, got);
            compared++;
        }
        free(names[i]);
    }
    free(names);
    return compared;
}

static const struct {
    const char *folder;
    size_t answers;
} scenarios[] = {
    {"02-bridge-docker", 5}, {"03-host-network", 4}, {"04-container-network", 4}, {"05-scale", 6},
    {"07-kill-task", 8},     {"08-failures", 21},    {"09-readiness", 11},        {"10-suspend-delete", 6},
    {"12-health", 11},       {"13-pods", 5},
};
#define HEALTH_UNHEALTHY 4 /* two answers of 12-health list a task with alive=false, and so do the events */

START_TEST(events_give_the_answers)
{
    const char *recordings_folder = getenv("SLOTD_RECORDINGS");
    cleanup_free char *base = mem_strdup(recordings_folder ? recordings_folder : suite_fixture("marathon"));
    cleanup_free char *folder = mem_printf("%s/%s", base, scenarios[_i].folder);
    n_unhealthy = 0;
    ck_assert_uint_eq(replay_scenario(folder), scenarios[_i].answers);
    ck_assert_uint_eq(n_unhealthy, strcmp(scenarios[_i].folder, "12-health") == 0 ? HEALTH_UNHEALTHY : 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("replay");
    TCase *tests = tcase_create("scenarios");
    tcase_add_loop_test(tests, events_give_the_answers, 0, sizeof(scenarios) / sizeof(scenarios[0]));
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
