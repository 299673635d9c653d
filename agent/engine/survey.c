/* SPDX-License-Identifier: MIT */
/* How many sessions the slots have, asked backend by backend: an event's commands never wait behind a long dump. */
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define SURVEY_WINDOW 4 /* backends asked at the same time */

/* Backends by name: a re-adoption in between may replace them. */
struct survey_target {
    struct edge *edge;
    char *backend;
};

struct engine_survey {
    struct engine *engine;
    struct survey_target *targets;
    size_t n_targets, next, in_flight;
    engine_surveyed *done; /* NULL: cancelled */
    void *arg;
    struct engine_survey *following;
};

/* ---- one backend ---- */

struct sessions_question {
    struct edge_backend *backend;
    engine_surveyed *done;
    void *arg;
};

static void sessions_replied(void *arg, int err, const char *reply, size_t len)
{
    struct sessions_question *question = arg;
    struct slot_sessions *rows = NULL;
    size_t count = 0;
    cleanup_buf struct buf why = BUF_INIT;
    if (!err && haproxy_sessions_parse(reply, len, &rows, &count, &why) == 0) {
        if (slots_take_sessions(question->backend->slots, rows, count)) {
            edge_mark_dirty(question->backend);
        }
        haproxy_sessions_free(rows, count);
    } else if (!err) {
        log_warning("haproxy", "%s: the sessions of backend %s cannot be read: %s",
                    question->backend->edge->config->name, question->backend->name, buf_text(&why));
    }
    question->done(question->arg);
    free(question);
}

void edge_read_sessions(struct edge_backend *backend, engine_surveyed *done, void *arg)
{
    struct sessions_question *question = MEM_NEW(struct sessions_question);
    cleanup_free char *line = mem_printf("show servers conn %s", backend->name);
    *question = (struct sessions_question){backend, done, arg};
    haproxy_connection_send(backend->edge->connection, line, sessions_replied, question);
}

/* ---- many ---- */

static void survey_free(struct engine_survey *survey)
{
    for (size_t i = 0; i < survey->n_targets; i++) {
        free(survey->targets[i].backend);
    }
    free(survey->targets);
    free(survey);
}

/* What comes next is decided in the loop's next turn: an edge may be about to end. */
static void survey_answered(void *arg)
{
    struct engine_survey *survey = arg;
    survey->in_flight--;
    if (!survey->done && survey->in_flight == 0) {
        survey_free(survey);
    }
}

static bool engine_has_edge(const struct engine *engine, const struct edge *edge)
{
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (engine->edges[i] == edge) {
            return edge->adopted;
        }
    }
    return false;
}

static void survey_go_on(struct engine_survey *survey)
{
    while (survey->next < survey->n_targets && survey->in_flight < SURVEY_WINDOW) {
        const struct survey_target *target = &survey->targets[survey->next++];
        struct edge_backend *backend =
            engine_has_edge(survey->engine, target->edge) ? edge_find_backend(target->edge, target->backend) : NULL;
        if (backend) {
            survey->in_flight++;
            edge_read_sessions(backend, survey_answered, survey);
            haproxy_connection_flush(target->edge->connection);
        }
    }
}

static void engine_unlink_survey(struct engine_survey *survey)
{
    struct engine_survey **link = &survey->engine->surveys;
    while (*link != survey) {
        link = &(*link)->following;
    }
    *link = survey->following;
}

static struct engine_survey *engine_find_complete_survey(const struct engine *engine)
{
    struct engine_survey *survey = engine->surveys;
    while (survey && (survey->in_flight > 0 || survey->next < survey->n_targets)) {
        survey = survey->following;
    }
    return survey;
}

void engine_run_surveys(struct engine *engine)
{
    struct engine_survey *complete;
    for (struct engine_survey *survey = engine->surveys; survey; survey = survey->following) {
        survey_go_on(survey);
    }
    /* From the start each time: a callback may end other surveys. */
    while ((complete = engine_find_complete_survey(engine))) {
        engine_unlink_survey(complete);
        complete->done(complete->arg);
        survey_free(complete);
    }
}

static void survey_add_edge(struct engine_survey *survey, struct edge *edge, const char *const *names, size_t n_names,
                            size_t *capacity)
{
    size_t count = 0;
    struct edge_backend **backends = edge_list_backends(edge, &count);
    for (size_t i = 0; i < count; i++) {
        if (name_is_wanted(backends[i]->name, names, n_names)) {
            MEM_GROW(survey->targets, *capacity, survey->n_targets + 1);
            survey->targets[survey->n_targets++] = (struct survey_target){edge, mem_strdup(backends[i]->name)};
        }
    }
    free(backends);
}

struct engine_survey *engine_survey(struct engine *engine, const char *const *backends, size_t n_backends,
                                    engine_surveyed *done, void *arg)
{
    struct engine_survey *survey = MEM_NEW(struct engine_survey);
    size_t capacity = 0;
    *survey = (struct engine_survey){.engine = engine, .done = done, .arg = arg, .following = engine->surveys};
    engine->surveys = survey;
    for (size_t i = 0; i < engine->n_edges; i++) {
        survey_add_edge(survey, engine->edges[i], backends, n_backends, &capacity);
    }
    return survey;
}

void engine_survey_cancel(struct engine_survey *survey)
{
    engine_unlink_survey(survey);
    survey->done = NULL;
    if (survey->in_flight == 0) {
        survey_free(survey);
    }
}
