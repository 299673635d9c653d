/* SPDX-License-Identifier: MIT */
/* How many sessions the slots have and which are up, asked backend by backend: an event's commands never wait behind a
 * long dump. */
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define SURVEY_WINDOW 8 /* questions under way at the same time */

/* Backends by name: a re-adoption in between may replace them. */
struct survey_target {
    struct edge *edge;
    char *backend;
};

typedef void backend_read(struct edge_backend *backend, engine_surveyed *done, void *arg);

struct engine_survey {
    struct engine *engine;
    enum engine_survey_topic topic;
    struct survey_target *targets;
    size_t n_targets, next, in_flight;
    engine_surveyed *done; /* NULL: cancelled */
    void *arg;
    struct engine_survey *following;
};

/* ---- one backend ---- */

struct backend_question {
    struct edge_backend *backend;
    engine_surveyed *done;
    void *arg;
    struct slot_sessions *rows; /* not complete yet */
    size_t count;
};

static void question_send(struct edge_backend *backend, const char *command, haproxy_done *replied,
                          engine_surveyed *done, void *arg)
{
    struct backend_question *question = MEM_NEW(struct backend_question);
    cleanup_free char *line = mem_printf("%s %s", command, backend->name);
    *question = (struct backend_question){.backend = backend, .done = done, .arg = arg};
    haproxy_connection_send(backend->edge->connection, line, replied, question);
}

static void question_end(struct backend_question *question)
{
    question->done(question->arg);
    free(question);
}

static void sessions_end(struct backend_question *question, bool good, const struct buf *why)
{
    struct edge_backend *backend = question->backend;
    if (good && slots_take_sessions(backend->slots, question->rows, question->count)) {
        edge_mark_dirty(backend);
    } else if (why->len > 0) {
        log_warning("haproxy", "%s: the sessions of backend %s cannot be read: %s", backend->edge->config->name,
                    backend->name, buf_text(why));
    }
    edge_lease_note_sessions(backend);
    haproxy_sessions_free(question->rows, question->count);
    question_end(question);
}

static void sessions_completed(void *arg, int err, const char *reply, size_t len)
{
    struct backend_question *question = arg;
    cleanup_buf struct buf why = BUF_INIT;
    bool good = !err && haproxy_sessions_complete(reply, len, question->backend->name, question->rows, question->count,
                                                  &why) == 0;
    sessions_end(question, good, &why);
}

static void sessions_replied(void *arg, int err, const char *reply, size_t len)
{
    struct backend_question *question = arg;
    struct haproxy_connection *connection = question->backend->edge->connection;
    cleanup_buf struct buf why = BUF_INIT;
    bool good = !err && haproxy_sessions_parse(reply, len, &question->rows, &question->count, &why) == 0;
    long id = good ? haproxy_sessions_find_id(reply, len) : 0;
    if (id > 0) {
        cleanup_free char *line = mem_printf("show stat %ld 4 -1", id);
        haproxy_connection_send(connection, line, sessions_completed, question);
        haproxy_connection_flush(connection);
    } else {
        sessions_end(question, good, &why);
    }
}

void backend_compare(struct edge_backend *backend, const struct slot_observed *rows, size_t count)
{
    struct slots_comparison found = slots_compare(backend->slots, rows, count);
    if (found.drifted > 0) {
        backend->edge->drifts += found.drifted;
        log_warning("haproxy", "%s: backend %s: %zu %s left, %s the first: another hand has changed %s put right",
                    backend->edge->config->name, backend->name, found.drifted,
                    text_plural(found.drifted, "slot is not as it was", "slots are not as they were"), found.first,
                    text_plural(found.drifted, "it, and it is", "them, and they are"));
    }
    if (found.changed) {
        edge_mark_dirty(backend);
        edge_touch_state(backend);
    }
}

static void rows_replied(void *arg, int err, const char *reply, size_t len)
{
    struct backend_question *question = arg;
    struct edge_backend *backend = question->backend;
    struct haproxy_state *state = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (!err && haproxy_state_parse(reply, len, &state, &why) == 0) {
        size_t count = 0;
        struct slot_observed *rows = backend_find_rows(backend, state, &count);
        backend_compare(backend, rows, count);
        free(rows);
        haproxy_state_free(state);
    } else if (!err) {
        log_warning("haproxy", "%s: the servers of backend %s cannot be read: %s", backend->edge->config->name,
                    backend->name, buf_text(&why));
    }
    question_end(question);
}

void edge_read_sessions(struct edge_backend *backend, engine_surveyed *done, void *arg)
{
    question_send(backend, "show servers conn", sessions_replied, done, arg);
}

void edge_read_rows(struct edge_backend *backend, engine_surveyed *done, void *arg)
{
    question_send(backend, "show servers state", rows_replied, done, arg);
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

static void survey_ask(struct engine_survey *survey, struct edge_backend *backend, backend_read *read, bool asks)
{
    if (asks) {
        survey->in_flight++;
        read(backend, survey_answered, survey);
    }
}

static void survey_go_on(struct engine_survey *survey)
{
    while (survey->next < survey->n_targets && survey->in_flight < SURVEY_WINDOW) {
        const struct survey_target *target = &survey->targets[survey->next++];
        struct edge_backend *backend =
            engine_has_edge(survey->engine, target->edge) ? edge_find_backend(target->edge, target->backend) : NULL;
        if (backend) {
            survey_ask(survey, backend, edge_read_sessions, survey->topic == ENGINE_SURVEY_SLOTS);
            survey_ask(survey, backend, edge_read_rows,
                       survey->topic == ENGINE_SURVEY_DRIFT || slots_are_checked(backend->slots));
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
        bool wanted = survey->topic == ENGINE_SURVEY_SERVICES
                          ? edge_wants_backend(edge, backends[i]->name, names, n_names)
                          : name_is_wanted(backends[i]->name, names, n_names);
        if (wanted) {
            MEM_GROW(survey->targets, *capacity, survey->n_targets + 1);
            survey->targets[survey->n_targets++] = (struct survey_target){edge, mem_strdup(backends[i]->name)};
        }
    }
    free(backends);
}

struct engine_survey *engine_survey(struct engine *engine, enum engine_survey_topic topic, const char *const *names,
                                    size_t n_names, engine_surveyed *done, void *arg)
{
    struct engine_survey *survey = MEM_NEW(struct engine_survey);
    size_t capacity = 0;
    *survey = (struct engine_survey){
        .engine = engine, .topic = topic, .done = done, .arg = arg, .following = engine->surveys};
    engine->surveys = survey;
    for (size_t i = 0; i < engine->n_edges; i++) {
        survey_add_edge(survey, engine->edges[i], names, n_names, &capacity);
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
