/* SPDX-License-Identifier: MIT */
/* Tasks: lists of them, and kills. */
#include <string.h>

#include "sim.h"

static void append_task(struct buf *text, const struct task *task, bool with_service_ports)
{
    if (text->data[text->len - 1] != '[') {
        buf_puts(text, ",");
    }
    show_task(text, task, with_service_ports);
}

static void answer_list(struct http_peer *peer, struct buf *text)
{
    buf_puts(text, "]}");
    if (strcmp(peer->method, "GET") == 0) {
        http_answer_body(peer, buf_text(text), text->len);
    } else {
        http_answer(peer, 200, "OK", "", "application/json", buf_text(text), text->len);
    }
}

void api_answer_app_tasks(struct http_peer *peer, const char *app_id)
{
    const struct app *app = model_find_app(peer->sim, app_id);
    cleanup_buf struct buf text = BUF_INIT;
    if (!app) {
        api_answer_no_app(peer, app_id, true);
        return;
    }
    buf_puts(&text, "{\"tasks\":[");
    for (const struct task *task = app->tasks; task; task = task->next) {
        if (task->state != TASK_SCHEDULED) {
            append_task(&text, task, false);
        }
    }
    answer_list(peer, &text);
}

static void answer_all_tasks(struct http_peer *peer)
{
    bool only_running = http_query_is(peer, "status", "running");
    bool only_staging = http_query_is(peer, "status", "staging");
    cleanup_buf struct buf text = BUF_INIT;
    buf_puts(&text, "{\"tasks\":[");
    for (const struct app *app = peer->sim->apps; app; app = app->next) {
        for (const struct task *task = app->tasks; task; task = task->next) {
            if (task->state != TASK_SCHEDULED && (!only_running || task->state == TASK_RUNNING) &&
                (!only_staging || task->state == TASK_STAGING)) {
                append_task(&text, task, true);
            }
        }
    }
    answer_list(peer, &text);
}

/* ---- kills ---- */

static void kill_for_good(struct http_peer *peer, struct app *app, struct task *const *tasks, unsigned count)
{
    cleanup_free char *deployment = model_scale_app(app, app->instances > count ? app->instances - count : 0);
    cleanup_free char *version = mem_strdup(app->version);
    for (unsigned i = 0; i < count; i++) {
        task_kill(tasks[i], false, false, true);
    }
    model_reconcile(app);
    api_answer_deployment(peer, deployment, version);
}

static void kill_tasks(struct app *app, struct task *const *tasks, unsigned count, bool wipe)
{
    for (unsigned i = 0; i < count; i++) {
        task_kill(tasks[i], wipe, !wipe, wipe);
    }
    model_reconcile(app);
}

/* The tasks of app that are asked for; the caller frees. */
static struct task **choose_tasks(struct app *app, const char *task_id, unsigned *ret_count)
{
    struct task **tasks = mem_alloc_array(app->n_tasks + 1, sizeof(struct task *));
    unsigned count = 0;
    for (struct task *task = app->tasks; task; task = task->next) {
        if (task->state != TASK_SCHEDULED && task->state != TASK_ENDED &&
            (!task_id || strcmp(task->id, task_id) == 0)) {
            tasks[count++] = task;
        }
    }
    *ret_count = count;
    return tasks;
}

static void answer_unknown_task(struct http_peer *peer, const char *task_id)
{
    const char *dot = strrchr(task_id, '.');
    if (strstr(task_id, ".instance-")) {
        cleanup_free char *message = mem_printf("Task '%s' does not exist", task_id);
        http_answer_message(peer, 404, "Not Found", message, false);
        return;
    }
    cleanup_free char *message =
        mem_printf("Failure(java.lang.IllegalArgumentException: Invalid UUID string: %s) (of class scala.util.Failure)",
                   dot ? dot + 1 : task_id);
    http_answer_message(peer, 500, "Internal Server Error", message, false);
}

void api_kill_tasks(struct http_peer *peer, struct app *app, const char *task_id)
{
    unsigned count = 0;
    cleanup_free struct task **tasks = choose_tasks(app, task_id, &count);
    bool wipe = http_query_is(peer, "wipe", "true");
    cleanup_buf struct buf text = BUF_INIT;
    if (task_id && count == 0) {
        answer_unknown_task(peer, task_id);
        return;
    }
    if (http_query_is(peer, "scale", "true")) {
        kill_for_good(peer, app, tasks, count);
        return;
    }
    buf_puts(&text, task_id ? "{\"task\":" : "{\"tasks\":[");
    for (unsigned i = 0; i < count; i++) {
        if (task_id) {
            show_task(&text, tasks[i], false);
        } else {
            append_task(&text, tasks[i], false);
        }
    }
    buf_puts(&text, task_id ? "}" : "]}");
    kill_tasks(app, tasks, count, wipe);
    http_answer(peer, 200, "OK", "", "application/json", buf_text(&text), text.len);
}

/* POST /v2/tasks/delete {"ids": [...]} */
static void kill_listed(struct http_peer *peer)
{
    struct json_object *document = json_tokener_parse(peer->body);
    struct json_object *ids = NULL;
    bool wipe = http_query_is(peer, "wipe", "true");
    bool scale = http_query_is(peer, "scale", "true");
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_free char *wrong = NULL;
    json_object_object_get_ex(document, "ids", &ids);
    size_t count = json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
    buf_puts(&text, "{\"tasks\":[");
    for (size_t i = 0; i < count && !wrong; i++) {
        const char *id = json_object_get_string(json_object_array_get_idx(ids, i));
        const char *dot = strrchr(id, '.');
        struct task *task = model_find_task(peer->sim, id);
        if (!strstr(id, ".instance-")) {
            wrong = mem_printf("Invalid UUID string: %s", dot ? dot + 1 : id);
        } else if (task && task->app && task->state != TASK_SCHEDULED && task->state != TASK_ENDED) {
            append_task(&text, task, false);
            if (scale) {
                free(model_scale_app(task->app, task->app->instances - 1));
                task_kill(task, false, false, true);
            } else {
                kill_tasks(task->app, &task, 1, wipe);
            }
        }
    }
    json_object_put(document);
    if (wrong) {
        http_answer_message(peer, 422, "", wrong, false);
    } else {
        answer_list(peer, &text);
    }
}

void api_handle_tasks(struct http_peer *peer, const char *rest)
{
    bool is_read = strcmp(peer->method, "GET") == 0 || strcmp(peer->method, "HEAD") == 0;
    if (is_read && rest[0] == '\0') {
        answer_all_tasks(peer);
    } else if (strcmp(peer->method, "POST") == 0 && strcmp(rest, "/delete") == 0) {
        kill_listed(peer);
    } else {
        http_answer_message(peer, 405, "Method Not Allowed", "Method Not Allowed", false);
    }
}
