/* SPDX-License-Identifier: MIT */
/* Maps an app that is written as JSON and shows the result as text, so that a test compares all of it at once. In the
 * JSON ' stands for ". */
#ifndef SLOTD_TESTS_UNIT_MAPPING_FIXTURE_H
#define SLOTD_TESTS_UNIT_MAPPING_FIXTURE_H

#include <string.h>

#include "slotd/mapping.h"
#include "slotd/mem.h"
#include "slotd/text.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* 2026-11-23T00:01:00Z, one minute after the tasks' start. */
#define FIXTURE_NOW_MS INT64_C(1795392060000)
#define STARTED "'startedAt':'2026-11-23T00:00:00.000Z'"
#define TASK(id, rest) "{'id':'" id "','host':'node1','state':'TASK_RUNNING','ports':[31000,31001]," STARTED rest "}"
/* The app /web with one running task and labels. */
#define LABELLED(labels) "{'id':'/web','labels':{" labels "},'tasks':[" TASK("web.1", "") "]}"
/* What LABELLED gives when no label changes anything. */
#define PLAIN                                                                                                          \
    "backend-web frontend-web http 27 Host:web.marathon.localhost\n"                                                   \
    "  server-web-web-1 node1:31000 http 1 ready\n"

static struct config *fixture_config;
static enum mapper_view fixture_view;

static inline void fixture_setup(void)
{
    fixture_config = config_new_default();
    fixture_view = MAPPER_OFFLINE;
}

static inline void fixture_teardown(void)
{
    config_free(fixture_config);
}

static inline void fixture_set(char **field, const char *text)
{
    free(*field);
    *field = mem_strdup(text);
}

static inline char *fixture_json(const char *text)
{
    char *json = mem_strdup(text);
    for (char *c = json; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return json;
}

static inline struct mapper *fixture_mapper(void)
{
    struct mapper *mapper = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    ck_assert_msg(mapper_new(&fixture_config->mapping, &mapper, &why) == 0, "%s", buf_text(&why));
    return mapper;
}

static inline struct app_mapping *fixture_map_bytes(const char *json, size_t len)
{
    struct marathon_app *app = NULL;
    struct app_mapping *mapping = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    struct mapper *mapper = fixture_mapper();
    ck_assert_msg(marathon_app_parse(json, len, &app, NULL, &why) == 0, "%.200s: %s", json, buf_text(&why));
    mapper_map_app(mapper, app, fixture_view, FIXTURE_NOW_MS, NULL, NULL, &mapping);
    marathon_app_free(app);
    mapper_free(mapper);
    return mapping;
}

static inline struct app_mapping *fixture_map(const char *text)
{
    cleanup_free char *json = fixture_json(text);
    return fixture_map_bytes(json, strlen(json));
}

static inline void fixture_show_problem(struct buf *text, const struct problem *problem)
{
    buf_printf(text, "! %s %s %s: %s\n", problem->code, problem->task ? problem->task : "-",
               problem->segment[0] ? problem->segment : "-", problem->message);
}

static inline void fixture_show_part(struct buf *text, const struct service_part *part)
{
    buf_printf(text, "%s %s %s %lld %s\n", part->name, part->frontend, part->mode, (long long)part->priority,
               part->rule);
    for (size_t i = 0; i < part->n_endpoints; i++) {
        const struct endpoint *endpoint = &part->endpoints[i];
        buf_printf(text, "  %s %s:%d %s %d %s\n", endpoint->server, endpoint->host, endpoint->port, endpoint->protocol,
                   endpoint->weight, endpoint_phase_text(endpoint->phase));
    }
}

static inline char *fixture_show(const struct app_mapping *mapping)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < mapping->n_parts; i++) {
        fixture_show_part(&text, &mapping->parts[i]);
    }
    for (size_t i = 0; i < mapping->problems.count; i++) {
        fixture_show_problem(&text, &mapping->problems.items[i]);
    }
    return buf_steal(&text);
}

static inline void check_mapping(const char *text, const char *expected)
{
    struct app_mapping *mapping = fixture_map(text);
    cleanup_free char *shown = fixture_show(mapping);
    app_mapping_free(mapping);
    ck_assert_msg(strcmp(shown, expected) == 0, "%.500s\ngives\n%.3000s\nexpected\n%s", text, shown, expected);
}

/* An input and all that it gives. */
struct mapped {
    const char *app;
    const char *expected;
};

static inline void check_all_mapped(const struct mapped *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_mapping(list[i].app, list[i].expected);
    }
}

/* A suite with one case, in which each test has the fixture. */
static inline TCase *fixture_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, fixture_setup, fixture_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

#endif
