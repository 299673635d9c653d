/* SPDX-License-Identifier: MIT */
/* Marathon's REST resources, as far as slotd and the tests use them. */
#include <string.h>

#include "sim.h"

static void answer_message(struct http_peer *peer, int status, const char *reason, const char *message)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "message", json_object_new_string(message));
    http_answer_json(peer, status, reason, "", object);
}

static void answer_deployment(struct http_peer *peer)
{
    cleanup_free char *time = sim_time(sim_now_ms());
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "version", json_object_new_string(time));
    json_object_object_add(object, "deploymentId", json_object_new_string("55d0251a-167b-4f33-9858-03c4bb38cd0c"));
    http_answer_json(peer, 200, "OK", "Marathon-Deployment-Id: 55d0251a-167b-4f33-9858-03c4bb38cd0c\r\n", object);
}

static bool is_authorized(const struct http_peer *peer)
{
    const struct options *options = &peer->sim->options;
    cleanup_free char *wanted = options->token ? mem_printf("token=%s", options->token) : NULL;
    if (options->user) {
        /* The test gives user and password as the base64 that it expects. */
        wanted = mem_printf("Basic %s", options->password);
    }
    return !wanted || (peer->authorization && strcmp(peer->authorization, wanted) == 0);
}

static void answer_apps(struct http_peer *peer)
{
    struct sim *sim = peer->sim;
    struct json_object *document = model_show_apps(sim);
    const char *text =
        sim->raw_apps
            ? sim->raw_apps
            : json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    sim->fetches++;
    if (!faults_apply(peer, text, strlen(text))) {
        http_answer(peer, 200, "OK", "", "application/json", text, strlen(text));
    }
    json_object_put(document);
}

static void answer_app(struct http_peer *peer, const char *id)
{
    struct app *app = model_find_app(peer->sim, id);
    peer->sim->single_fetches++;
    if (!app) {
        cleanup_free char *message = mem_printf("App '%s' does not exist", id);
        answer_message(peer, 404, "Not Found", message);
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "app", model_show_app(app));
    http_answer_json(peer, 200, "OK", "", object);
}

static void put_app(struct http_peer *peer, const char *id, int status)
{
    struct json_object *definition = json_tokener_parse(peer->body);
    struct json_object *own_id = NULL;
    if (!json_object_is_type(definition, json_type_object)) {
        json_object_put(definition);
        answer_message(peer, 400, "Bad Request", "Invalid JSON");
        return;
    }
    json_object_object_get_ex(definition, "id", &own_id);
    cleanup_free char *name = mem_strdup(id ? id : own_id ? json_object_get_string(own_id) : "/unnamed");
    struct app *app = model_put_app(peer->sim, name, definition);
    if (status == 201) {
        http_answer_json(peer, 201, "Created", "", model_show_app(app));
    } else {
        answer_deployment(peer);
    }
}

/* DELETE /v2/apps/ID/tasks[/TASK]?wipe=true&scale=true */
static void delete_tasks(struct http_peer *peer, const char *app_id, const char *task_id)
{
    struct app *app = model_find_app(peer->sim, app_id);
    cleanup_free char *wipe = http_query(peer, "wipe");
    cleanup_free char *scale = http_query(peer, "scale");
    bool wiped = wipe && strcmp(wipe, "true") == 0;
    if (!app || (task_id && !model_find_task(peer->sim, task_id))) {
        answer_message(peer, 404, "Not Found", "no such app or task");
        return;
    }
    if (scale && strcmp(scale, "true") == 0 && app->instances > 0) {
        app->instances--;
        json_object_object_add(app->definition, "instances", json_object_new_int((int)app->instances));
    }
    for (struct task *task = peer->sim->tasks; task; task = task->next) {
        if (task->app == app && (!task_id || strcmp(task->id, task_id) == 0)) {
            model_kill_task(task, wiped);
        }
    }
    model_reconcile(app);
    answer_deployment(peer);
}

static void delete_path(struct http_peer *peer, const char *id)
{
    char *tasks = strstr(id, "/tasks");
    if (tasks && (tasks[6] == '\0' || tasks[6] == '/')) {
        cleanup_free char *app_id = mem_strndup(id, (size_t)(tasks - id));
        delete_tasks(peer, app_id, tasks[6] == '/' ? tasks + 7 : NULL);
        return;
    }
    struct app *app = model_find_app(peer->sim, id);
    if (!app) {
        cleanup_free char *message = mem_printf("App '%s' does not exist", id);
        answer_message(peer, 404, "Not Found", message);
        return;
    }
    model_delete_app(app);
    answer_deployment(peer);
}

static void handle_app(struct http_peer *peer, const char *rest)
{
    while (rest[0] == '/' && rest[1] == '/') {
        rest++;
    }
    if (strcmp(peer->method, "GET") == 0) {
        if (!faults_apply(peer, "", 0)) {
            answer_app(peer, rest);
        }
    } else if (strcmp(peer->method, "PUT") == 0) {
        put_app(peer, rest, 200);
    } else if (strcmp(peer->method, "DELETE") == 0) {
        delete_path(peer, rest);
    } else {
        answer_message(peer, 405, "Method Not Allowed", "method not allowed");
    }
}

static void handle_events(struct http_peer *peer)
{
    const struct options *options = &peer->sim->options;
    if (faults_apply(peer, "", 0)) {
        return;
    }
    if (!peer->accept || strcmp(peer->accept, "text/event-stream") != 0) {
        static const char page[] = "<html><body>HTTP method GET is not supported by this URL</body></html>";
        http_answer(peer, 405, "Method Not Allowed", "", "text/html;charset=iso-8859-1", page, sizeof(page) - 1);
        return;
    }
    if (options->leader) {
        cleanup_free char *location =
            mem_printf("Location: %s/v2/events%s%s\r\n", options->leader, peer->query[0] ? "?" : "", peer->query);
        http_answer(peer, 302, "Found", location, NULL, "", 0);
        return;
    }
    events_attach(peer);
}

void api_handle(struct http_peer *peer)
{
    bool is_get = strcmp(peer->method, "GET") == 0;
    if (!is_authorized(peer)) {
        http_answer(peer, 401, "Unauthorized", "WWW-Authenticate: basic realm=\"null\"\r\n", NULL, "", 0);
    } else if (strcmp(peer->path, "/ping") == 0) {
        http_answer(peer, 200, "OK", "", "text/plain", "pong", 4);
    } else if (strcmp(peer->path, "/v2/events") == 0) {
        handle_events(peer);
    } else if (strcmp(peer->path, "/v2/apps") == 0 && is_get) {
        answer_apps(peer);
    } else if (strcmp(peer->path, "/v2/apps") == 0 && strcmp(peer->method, "POST") == 0) {
        put_app(peer, NULL, 201);
    } else if (strncmp(peer->path, "/v2/apps/", 9) == 0) {
        handle_app(peer, peer->path + 8);
    } else {
        answer_message(peer, 500, "Server Error", "URI not found");
    }
}
