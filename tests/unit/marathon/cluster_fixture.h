/* SPDX-License-Identifier: MIT */
/* A cluster under test: short ways to give it answers and events, and what it believes as text. */
#ifndef SLOTD_TESTS_UNIT_MARATHON_CLUSTER_FIXTURE_H
#define SLOTD_TESTS_UNIT_MARATHON_CLUSTER_FIXTURE_H

#include <string.h>

#include "slotd/cluster.h"
#include "slotd/mem.h"
#include "suite.h"

static struct cluster *cluster;

static inline void setup(void)
{
    cluster = cluster_new(&(struct cluster_config){.missing_confirmations = 2, .max_removal_percent = 50});
}

static inline void teardown(void)
{
    struct cluster_view view;
    while (cluster_next_dirty(cluster, &view)) {
    }
    cluster_free(cluster);
}

/* ---- the world's side ---- */

/* An app as an answer lists it: tasks is a list such as "a b:KILLING c". */
static inline struct marathon_app *make_app(const char *id, const char *version, const char *tasks)
{
    cleanup_buf struct buf json = BUF_INIT;
    cleanup_free char *list = mem_strdup(tasks);
    char *rest = NULL;
    buf_printf(&json, "{\"id\":\"%s\",\"version\":\"%s\",\"tasks\":[", id, version);
    for (char *task = strtok_r(list, " ", &rest); task; task = strtok_r(NULL, " ", &rest)) {
        char *state = strchr(task, ':');
        if (state) {
            *state++ = '\0';
        }
        buf_printf(&json, "%s{\"id\":\"%s\",\"host\":\"h\",\"ports\":[1],\"version\":\"%s\",\"state\":\"TASK_%s\"}",
                   json.data[json.len - 1] == '[' ? "" : ",", task, version, state ? state : "RUNNING");
    }
    buf_puts(&json, "]}");
    struct marathon_app *app = NULL;
    ck_assert_int_eq(marathon_app_parse(json.data, json.len, &app, NULL, NULL), 0);
    return app;
}

static inline void list_app(uint64_t stamp, const char *id, const char *version, const char *tasks)
{
    cluster_put_listed_app(cluster, stamp, make_app(id, version, tasks));
}

/* A complete answer that lists one app. */
static inline struct cluster_fetch_result answer(const char *id, const char *version, const char *tasks)
{
    uint64_t stamp = cluster_begin_fetch(cluster);
    list_app(stamp, id, version, tasks);
    return cluster_end_fetch(cluster, stamp);
}

static inline struct cluster_fetch_result empty_answer(void)
{
    return cluster_end_fetch(cluster, cluster_begin_fetch(cluster));
}

static inline enum cluster_effect apply(const char *name, const char *json)
{
    struct marathon_event *event = NULL;
    ck_assert_int_eq(marathon_event_parse(name, json, strlen(json), &event, NULL), 0);
    enum cluster_effect effect = cluster_apply_event(cluster, event);
    marathon_event_free(event);
    return effect;
}

static inline enum cluster_effect status(const char *app, const char *task, const char *version, const char *state)
{
    cleanup_free char *json =
        mem_printf("{\"appId\":\"%s\",\"taskId\":\"%s\",\"version\":\"%s\",\"taskStatus\":\"TASK_%s\","
                   "\"host\":\"h\",\"ports\":[1]}",
                   app, task, version, state);
    return apply("status_update_event", json);
}

static inline enum cluster_effect terminate(const char *app)
{
    cleanup_free char *json = mem_printf("{\"appId\":\"%s\"}", app);
    return apply("app_terminated_event", json);
}

static inline enum cluster_effect post(const char *app, const char *version)
{
    cleanup_free char *json = mem_printf("{\"appDefinition\":{\"id\":\"%s\",\"version\":\"%s\"}}", app, version);
    return apply("api_post_event", json);
}

/* ---- what is believed ---- */

/* The app's tasks as "a b:killing", waiting ones as "a?"; "gone" when the app is not known. */
static inline const char *believed(const char *id)
{
    static struct buf text;
    struct cluster_view view;
    buf_clear(&text);
    if (!cluster_get_app(cluster, id, &view)) {
        return "gone";
    }
    for (size_t i = 0; i < view.app->n_tasks; i++) {
        const struct marathon_task *task = view.app->tasks[i];
        buf_printf(&text, "%s%s%s", text.len ? " " : "", task->id, cluster_task_waits(cluster, task->id) ? "?" : "");
        if (task->state != MARATHON_TASK_RUNNING) {
            buf_printf(&text, ":%s", marathon_task_state_text(task->state));
        }
    }
    return buf_text(&text);
}

static inline const char *version_of(const char *id)
{
    struct cluster_view view;
    return cluster_get_app(cluster, id, &view) && view.has_definition ? view.app->version : "none";
}

static inline size_t count_dirty(void)
{
    struct cluster_view view;
    size_t count = 0;
    while (cluster_next_dirty(cluster, &view)) {
        count++;
    }
    return count;
}

/* The answer to a request for one app alone. */
static inline void single_answer(const char *id, const char *version, const char *tasks)
{
    cluster_put_single_app(cluster, cluster_begin_single(cluster), make_app(id, version, tasks));
}

static inline void single_404(const char *id)
{
    cluster_put_single_missing(cluster, cluster_begin_single(cluster), id);
}

#endif
