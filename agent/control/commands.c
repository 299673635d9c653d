/* SPDX-License-Identifier: MIT */
/* What a client of the control socket may ask. */
#include <string.h>

#include "control_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static void command_refuse_change(struct client_session *session)
{
    session_refuse(session, "you may look, but not change anything: that takes root, slotd's own user, or a member "
                            "of the group that slotd.conf names as control.group");
}

void command_send_events(struct client_session *session)
{
    session->events_due = false;
    session_answer(session, true, "result",
                   engine_show_events(session->control->engine, session->next_event, &session->next_event));
}

/* A client that is slow to read gets what came meanwhile at once, out of the journal, so that nothing piles up for it.
 */
static void command_note_change(void *arg)
{
    struct client_session *session = arg;
    if (session->waiting > 0) {
        session->events_due = true;
    } else {
        command_send_events(session);
    }
}

static void command_events(struct client_session *session, struct control_request *request)
{
    session->next_event = request->from;
    command_send_events(session);
    if (request->follow && !session->listener && !session->closing) {
        session->listener = engine_listen(session->control->engine, command_note_change, session);
    }
}

static void command_synced(void *arg, bool ok, struct json_object *result)
{
    struct client_session *session = arg;
    session->waiter = NULL;
    if (ok) {
        session_answer(session, true, "result", result);
        return;
    }
    struct json_object *error = NULL;
    json_object_object_get_ex(result, "error", &error);
    session_refuse(session, error ? json_object_get_string(error) : "the synchronisation failed");
    json_object_put(result);
}

static void command_sync(struct client_session *session, struct control_request *request)
{
    (void)request;
    session->waiter = engine_sync(session->control->engine, command_synced, session);
}

static void command_status(struct client_session *session, struct control_request *request)
{
    (void)request;
    session_answer(session, true, "result", engine_show_status(session->control->engine));
}

/* What is shown when the survey has ended; the request's names are what it is asked for. */
static struct control_request *session_end_survey(struct client_session *session)
{
    struct control_request *request = session->request;
    session->survey = NULL;
    session->request = NULL;
    return request;
}

static void command_services_surveyed(void *arg)
{
    struct client_session *session = arg;
    struct control_request *request = session_end_survey(session);
    session_answer(
        session, true, "result",
        engine_show_services(session->control->engine, (const char *const *)request->names, request->n_names));
    control_request_free(request);
}

static void command_slots_surveyed(void *arg)
{
    struct client_session *session = arg;
    struct control_request *request = session_end_survey(session);
    session_answer(session, true, "result",
                   engine_show_slots(session->control->engine, (const char *const *)request->names, request->n_names));
    control_request_free(request);
}

static void session_survey(struct client_session *session, struct control_request *request,
                           enum engine_survey_topic topic, engine_surveyed *done)
{
    session->request = request;
    session->survey = engine_survey(session->control->engine, topic, (const char *const *)request->names,
                                    request->n_names, done, session);
}

static void command_services(struct client_session *session, struct control_request *request)
{
    session_survey(session, request, ENGINE_SURVEY_SERVICES, command_services_surveyed);
}

static void command_slots(struct client_session *session, struct control_request *request)
{
    session_survey(session, request, ENGINE_SURVEY_SLOTS, command_slots_surveyed);
}

static void command_plan(struct client_session *session, struct control_request *request)
{
    (void)request;
    session_answer(session, true, "result", engine_show_plan(session->control->engine));
}

static void command_routes(struct client_session *session, struct control_request *request)
{
    (void)request;
    session_answer(session, true, "result", engine_show_routes(session->control->engine));
}

static void command_confirm(struct client_session *session, struct control_request *request)
{
    struct json_object *result = json_object_new_object();
    (void)request;
    size_t removed = engine_confirm(session->control->engine);
    if (removed == 0) {
        log_notice("control", "an operator confirmed, and the guard held nothing");
    } else {
        log_notice("control", "an operator confirmed: %zu %s that the guard held %s", removed,
                   text_plural(removed, "endpoint", "endpoints"), text_plural(removed, "leaves", "leave"));
    }
    json_object_object_add(result, "removed", json_object_new_int64((int64_t)removed));
    session_answer(session, true, "result", result);
}

/* An order that holds already and is answered when it is on disk. */
struct command_save {
    struct client_session *session; /* NULL: it has ended */
    struct json_object *(*show)(const struct engine *engine);
};

void command_abandon_save(struct command_save *save)
{
    save->session = NULL;
}

static void command_saved(void *arg, int err)
{
    struct command_save *save = arg;
    struct client_session *session = save->session;
    struct json_object *(*show)(const struct engine *engine) = save->show;
    free(save);
    if (!session) {
        return;
    }
    session->save = NULL;
    if (err) {
        const char *why = engine_orders_error(session->control->engine);
        cleanup_free char *text =
            mem_printf("it is in force, but would not survive a restart: %s", why ? why : error_text(err));
        session_refuse(session, text);
        return;
    }
    session_answer(session, true, "result", show(session->control->engine));
}

/* Ends a command that gives an order: err 0 saves it, else why is the answer. */
static void command_finish_order(struct client_session *session, int err, const struct buf *why,
                                 struct json_object *(*show)(const struct engine *engine))
{
    if (err) {
        session_refuse(session, why->len ? buf_text(why) : error_text(err));
        return;
    }
    session->save = MEM_NEW(struct command_save);
    *session->save = (struct command_save){session, show};
    engine_save_orders(session->control->engine, command_saved, session->save);
}

static void command_weight(struct client_session *session, struct control_request *request)
{
    struct engine *engine = session->control->engine;
    cleanup_buf struct buf why = BUF_INIT;
    if (request->n_names == 0) {
        session_answer(session, true, "result", engine_show_weights(engine));
    } else if (!session->may_change) {
        command_refuse_change(session);
    } else {
        cleanup_free char *by = mem_printf("uid %u", session->uid);
        int err = engine_order_weight(engine, (const char *const *)request->names, request->n_names, by, &why);
        command_finish_order(session, err, &why, engine_show_weights);
    }
}

static void command_drain(struct client_session *session, struct control_request *request)
{
    cleanup_buf struct buf why = BUF_INIT;
    cleanup_free char *by = mem_printf("uid %u", session->uid);
    const struct engine_drain_options options = {request->timeout, request->lasts, by};
    int err = engine_order_drain(session->control->engine, (const char *const *)request->names, request->n_names,
                                 &options, &why);
    command_finish_order(session, err, &why, engine_show_drains);
}

static void command_undrain(struct client_session *session, struct control_request *request)
{
    cleanup_buf struct buf why = BUF_INIT;
    cleanup_free char *by = mem_printf("uid %u", session->uid);
    int err =
        engine_order_undrain(session->control->engine, (const char *const *)request->names, request->n_names, by, &why);
    command_finish_order(session, err, &why, engine_show_drains);
}

static void command_drains(struct client_session *session, struct control_request *request)
{
    (void)request;
    session_answer(session, true, "result", engine_show_drains(session->control->engine));
}

static const struct control_command {
    const char *name;
    void (*run)(struct client_session *session, struct control_request *request);
    bool changes; /* not for those who may only look */
} commands[] = {
    {"status", command_status, false},  {"services", command_services, false}, {"slots", command_slots, false},
    {"plan", command_plan, false},      {"events", command_events, false},     {"sync", command_sync, true},
    {"confirm", command_confirm, true}, {"weight", command_weight, false}, /* looking is free */
    {"drain", command_drain, true},     {"undrain", command_undrain, true},    {"drains", command_drains, false},
    {"routes", command_routes, false},
};

static const struct control_command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

void command_run(struct client_session *session, const char *line, size_t len)
{
    struct control_request *request = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (control_request_parse(line, len, &request, &why)) {
        session_refuse(session, buf_text(&why));
        return;
    }
    const struct control_command *command = command_find(request->command);
    if (!command) {
        session_refuse(session,
                       "this slotd does not know that command; slotctl and slotd may be of different versions");
    } else if (command->changes && !session->may_change) {
        command_refuse_change(session);
    } else {
        command->run(session, request);
    }
    /* A command that goes on keeps it. */
    if (session->request != request) {
        control_request_free(request);
    }
}
