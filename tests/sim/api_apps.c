/* SPDX-License-Identifier: MIT */
/* /v2/apps and /v2/apps/ID. */
#include <string.h>

#include "sim.h"

static bool is_method(const struct http_peer *peer, const char *method)
{
    return strcmp(peer->method, method) == 0;
}

static bool is_read(const struct http_peer *peer)
{
    return is_method(peer, "GET") || is_method(peer, "HEAD");
}

static void answer_refusal(struct http_peer *peer, const char *error)
{
    struct json_object *object = json_object_new_object();
    struct json_object *details = json_object_new_array();
    struct json_object *detail = json_object_new_object();
    struct json_object *errors = json_object_new_array();
    json_object_array_add(errors, json_object_new_string(error));
    json_object_object_add(detail, "path", json_object_new_string("/"));
    json_object_object_add(detail, "errors", errors);
    json_object_array_add(details, detail);
    json_object_object_add(object, "message", json_object_new_string("Object is not valid"));
    json_object_object_add(object, "details", details);
    http_answer_json(peer, 422, "", "", object);
}

static void answer_no_method(struct http_peer *peer)
{
    http_answer_message(peer, 405, "Method Not Allowed", "Method Not Allowed", false);
}

void api_answer_no_app(struct http_peer *peer, const char *id, bool with_details)
{
    cleanup_free char *message = mem_printf("App '%s' does not exist", id);
    http_answer_message(peer, 404, "Not Found", message, with_details);
}

void api_answer_deployment(struct http_peer *peer, const char *id, const char *version)
{
    cleanup_free char *header = mem_printf("Marathon-Deployment-Id: %s\r\n", id);
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "deploymentId", json_object_new_string(id));
    json_object_object_add(object, "version", json_object_new_string(version));
    http_answer_json(peer, 200, "OK", header, object);
}

/* ---- reading ---- */

/* What `embed=` asks for, with `apps.` or `app.` before each; unknown ones are ignored. */
static unsigned read_embed(const struct http_peer *peer, const char *prefix)
{
    static const struct {
        const char *name;
        unsigned embed;
    } known[] = {
        {"tasks", EMBED_TASKS},
        {"counts", EMBED_COUNTS},
        {"deployments", EMBED_DEPLOYMENTS},
        {"readiness", EMBED_READINESS},
        {"lastTaskFailure", EMBED_LAST_FAILURE},
        {"taskStats", EMBED_STATS},
        {"failures", EMBED_TASKS | EMBED_LAST_FAILURE},
    };
    unsigned embed = EMBED_COUNTS | EMBED_DEPLOYMENTS;
    size_t prefix_len = strlen(prefix);
    char *value = NULL;
    for (size_t i = 0; (value = http_query_nth(peer, "embed", i)); i++) {
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            if (strncmp(value, prefix, prefix_len) == 0 && strcmp(value + prefix_len, known[k].name) == 0) {
                embed |= known[k].embed;
            }
        }
        free(value);
    }
    return embed;
}

static void answer_apps(struct http_peer *peer)
{
    struct sim *sim = peer->sim;
    cleanup_buf struct buf rendered = BUF_INIT;
    cleanup_free char *id = http_query(peer, "id");
    cleanup_free char *label = http_query(peer, "label");
    const char *text = sim->raw_apps;
    size_t len = text ? strlen(text) : 0;
    if (label && strspn(label, "!=") == strlen(label)) {
        cleanup_free char *message =
            mem_printf("Can not parse label selector %s. Reason: end of input expected", label);
        http_answer_message(peer, 422, "", message, false);
        return;
    }
    if (!text && sim->replay) {
        text = replay_apps(sim->replay, &len);
    } else if (!text) {
        show_apps(&rendered, sim, read_embed(peer, "apps."), id, label);
        text = buf_text(&rendered);
        len = rendered.len;
    }
    sim->fetches++;
    sim->gzip_answers += peer->accepts_gzip;
    if (!faults_apply(peer, text, len)) {
        http_answer_body(peer, text, len);
    }
}

/* One app of the recorded answer. */
static bool answer_replayed_app(struct http_peer *peer, const char *id)
{
    size_t len = 0;
    const char *text = replay_apps(peer->sim->replay, &len);
    cleanup_free char *copy = mem_strndup(text, len);
    struct json_object *document = json_tokener_parse(copy);
    struct json_object *apps = NULL;
    bool found = false;
    json_object_object_get_ex(document, "apps", &apps);
    for (size_t i = 0; !found && i < json_object_array_length(apps); i++) {
        struct json_object *app = json_object_array_get_idx(apps, i);
        found = strcmp(json_object_get_string(json_object_object_get(app, "id")), id) == 0;
        if (found) {
            struct json_object *object = json_object_new_object();
            json_object_object_add(object, "app", json_object_get(app));
            http_answer_object(peer, object);
        }
    }
    json_object_put(document);
    return found;
}

static void answer_app(struct http_peer *peer, const char *id)
{
    const struct app *app = model_find_app(peer->sim, id);
    const char *versions = strstr(id, "/versions/");
    cleanup_buf struct buf text = BUF_INIT;
    peer->sim->single_fetches++;
    if (versions) {
        /* Old versions are not kept; times are told with their milliseconds. */
        cleanup_free char *message = mem_printf("App '%.*s' does not exist in version %.19s.000Z", (int)(versions - id),
                                                id, versions + strlen("/versions/"));
        http_answer_message(peer, 404, "Not Found", message, true);
        return;
    }
    if (peer->sim->replay && answer_replayed_app(peer, id)) {
        return;
    }
    if (!app) {
        api_answer_no_app(peer, id, true);
        return;
    }
    buf_puts(&text, "{\"app\":");
    show_app(&text, app, read_embed(peer, "app.") | EMBED_TASKS);
    buf_puts(&text, "}");
    http_answer_body(peer, buf_text(&text), text.len);
}

/* GET /v2/apps//GROUP/ and a star: the apps of that group. */
static void answer_group(struct http_peer *peer, const char *path)
{
    cleanup_free char *group = mem_strndup(path, strlen(path) - 2);
    cleanup_free char *prefix = mem_printf("%s/", group);
    cleanup_buf struct buf text = BUF_INIT;
    const char *comma = "";
    buf_puts(&text, "{\"*\":[");
    for (const struct app *app = peer->sim->apps; app; app = app->next) {
        if (strncmp(app->id, prefix, strlen(prefix)) == 0) {
            buf_puts(&text, comma);
            show_app(&text, app, read_embed(peer, "apps."));
            comma = ",";
        }
    }
    if (comma[0] == '\0' && group[0]) {
        cleanup_free char *message = mem_printf("Group '%s' does not exist", group);
        http_answer_message(peer, 404, "Not Found", message, true);
        return;
    }
    buf_puts(&text, "]}");
    http_answer_body(peer, buf_text(&text), text.len);
}

/* ---- changing ---- */

/* Whether another deployment holds the app, with --locks; then that has been answered. */
static bool is_locked(struct http_peer *peer, const struct app *app)
{
    if (!peer->sim->options.locks || !app || !app->deployment || http_query_is(peer, "force", "true")) {
        return false;
    }
    struct json_object *object = json_object_new_object();
    struct json_object *list = json_object_new_array();
    struct json_object *item = json_object_new_object();
    cleanup_free char *group = events_group_of(app->id);
    json_object_object_add(item, "id", json_object_new_string(app->deployment->id));
    json_object_array_add(list, item);
    json_object_object_add(object, "message",
                           json_object_new_string("App is locked by one or more deployments. Override with the option "
                                                  "'?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'."));
    json_object_object_add(object, "deployments", list);
    events_group_change(peer->sim, group, app->version, "App is locked by one or more deployments");
    http_answer_json(peer, 409, "Conflict", "", object);
    return true;
}

/* As the answer to a POST ends: counts of nothing, and the deployment. */
static void answer_posted(struct http_peer *peer, const struct app *app, struct json_object *posted, const char *id)
{
    static const char *const counts[] = {"tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy"};
    struct json_object *list = json_object_new_array();
    struct json_object *item = json_object_new_object();
    cleanup_free char *headers =
        mem_printf("Location: %s%s\r\nMarathon-Deployment-Id: %s\r\n", peer->sim->leader, app->id, id);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        json_object_object_add(posted, counts[i], json_object_new_int(0));
    }
    json_object_object_add(item, "id", json_object_new_string(id));
    json_object_array_add(list, item);
    json_object_object_add(posted, "deployments", list);
    http_answer_json(peer, 201, "Created", headers, posted);
}

static void put_app(struct http_peer *peer, const char *path_id)
{
    struct json_object *definition = json_tokener_parse(peer->body);
    if (!json_object_is_type(definition, json_type_object)) {
        json_object_put(definition);
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "message", json_object_new_string("Invalid JSON"));
        json_object_object_add(object, "details", json_object_new_string("Unexpected character"));
        http_answer_json(peer, 400, "Bad Request", "", object);
        return;
    }
    const char *refusal = path_id ? NULL : definition_refusal(definition);
    cleanup_free char *id =
        mem_strdup(path_id ? path_id : json_object_get_string(json_object_object_get(definition, "id")));
    if (refusal || is_locked(peer, model_find_app(peer->sim, id))) {
        json_object_put(definition);
        if (refusal) {
            answer_refusal(peer, refusal);
        }
        return;
    }
    struct json_object *posted = NULL;
    cleanup_free char *deployment = NULL;
    const struct app *app = model_put_app(peer->sim, id, definition, peer->path, &posted, &deployment);
    if (path_id) {
        api_answer_deployment(peer, deployment, app->version);
        json_object_put(posted);
    } else {
        answer_posted(peer, app, posted, deployment);
    }
}

static void delete_app(struct http_peer *peer, const char *id)
{
    struct app *app = model_find_app(peer->sim, id);
    if (!app) {
        cleanup_free char *version = sim_time(sim_version_ms(peer->sim));
        cleanup_free char *group = events_group_of(id);
        cleanup_free char *reason = mem_printf("App '%s' does not exist", id);
        events_group_change(peer->sim, group, version, reason);
        api_answer_no_app(peer, id, false);
    } else if (!is_locked(peer, app)) {
        cleanup_free char *deployment = model_delete_app(app);
        cleanup_free char *version = sim_time(peer->sim->last_version_ms);
        api_answer_deployment(peer, deployment, version);
    }
}

/* `/GROUP/APP`, with one slash before it, or one too few, or one too many. */
void api_handle_app(struct http_peer *peer, const char *rest)
{
    while (rest[0] == '/' && rest[1] == '/') {
        rest++;
    }
    size_t len = strlen(rest);
    const char *tasks = strstr(rest, "/tasks");
    bool has_tasks = tasks && (tasks[6] == '\0' || tasks[6] == '/');
    cleanup_free char *id = mem_strndup(rest, has_tasks ? (size_t)(tasks - rest) : len);
    if (faults_apply(peer, "", 0)) {
        return;
    }
    if (has_tasks && is_method(peer, "DELETE")) {
        struct app *app = model_find_app(peer->sim, id);
        if (app) {
            api_kill_tasks(peer, app, tasks[6] == '/' ? tasks + 7 : NULL);
        } else {
            api_answer_no_app(peer, id, true);
        }
    } else if (has_tasks && is_read(peer)) {
        api_answer_app_tasks(peer, id);
    } else if (len > 2 && strcmp(rest + len - 2, "/*") == 0 && is_read(peer)) {
        answer_group(peer, rest);
    } else if (is_read(peer)) {
        answer_app(peer, id);
    } else if (is_method(peer, "PUT")) {
        put_app(peer, id);
    } else if (is_method(peer, "DELETE")) {
        delete_app(peer, id);
    } else {
        answer_no_method(peer);
    }
}

void api_handle_apps(struct http_peer *peer)
{
    if (is_read(peer)) {
        answer_apps(peer);
    } else if (is_method(peer, "POST")) {
        put_app(peer, NULL);
    } else {
        answer_no_method(peer);
    }
}
