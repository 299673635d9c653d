/* SPDX-License-Identifier: MIT */
/* The control API of the simulator: what tests do to the cluster and to the connection. See README.md. */
#include <string.h>

#include "sim.h"

static void answer_good(struct http_peer *peer)
{
    http_answer(peer, 200, "OK", "", "application/json", "{}", 2);
}

static void answer_bad(struct http_peer *peer, const char *message)
{
    http_answer(peer, 400, "Bad Request", "", "text/plain", message, strlen(message));
}

static void control_clear(struct http_peer *peer)
{
    faults_clear(peer->sim);
    peer->sim->silent = false;
    answer_good(peer);
}

/* ---- tasks ---- */

static struct task *wanted_task(struct http_peer *peer)
{
    cleanup_free char *id = http_query(peer, "task");
    struct task *task = id ? model_find_task(peer->sim, id) : NULL;
    if (!task) {
        answer_bad(peer, "there is no such task");
    }
    return task;
}

static void control_task(struct http_peer *peer, const char *action)
{
    struct task *task = wanted_task(peer);
    if (!task) {
        return;
    }
    cleanup_free char *status = http_query(peer, "status");
    if (strcmp(action, "fail") == 0) {
        task_end_now(task, "TASK_FAILED");
    } else if (strcmp(action, "end") == 0) {
        task_end_now(task, status ? status : "TASK_FINISHED");
    } else if (strcmp(action, "kill") == 0) {
        task_kill(task, false, true, false);
    } else if (strcmp(action, "sick") == 0 && task->backend) {
        backend_set_sick(task->backend, http_query_is(peer, "sick", "false") ? 0 : UINT64_MAX);
    } else if (strcmp(action, "health") == 0) {
        cleanup_free char *check = http_query(peer, "check");
        checks_set_health(task, check ? (unsigned)strtoul(check, NULL, 10) : 0, http_query_is(peer, "alive", "true"),
                          http_query_is(peer, "kill", "true"));
    } else if (strcmp(action, "ready") == 0 && task->app) {
        checks_set_ready(task, !http_query_is(peer, "ready", "false"));
    } else {
        task_set_reachable(task, strcmp(action, "reachable") == 0);
    }
    answer_good(peer);
}

/* Forgets a task without a word, as if its events had been lost. */
static void control_lose(struct http_peer *peer)
{
    struct task *task = wanted_task(peer);
    if (task) {
        events_drop_streams(peer->sim);
        task_end_now(task, "TASK_FAILED");
        answer_good(peer);
    }
}

/* ---- the stream ---- */

static void control_event(struct http_peer *peer)
{
    struct http_peer *next = NULL;
    for (struct http_peer *stream = peer->sim->peers; stream; stream = next) {
        next = stream->next;
        if (stream->is_stream) {
            http_send(stream, peer->body, peer->body_len);
        }
    }
    answer_good(peer);
}

static void control_burst(struct http_peer *peer)
{
    cleanup_free char *count = http_query(peer, "n");
    long n = count ? strtol(count, NULL, 10) : 1000;
    size_t position = 0;
    long n_running = 0; /* in this round */
    while (n > 0) {
        const struct table_entry *entry = table_next(&peer->sim->task_table, &position);
        const struct task *task = entry ? entry->value : NULL;
        if (task && task->state == TASK_RUNNING) {
            events_status(task, "TASK_RUNNING", "");
            n_running++;
            n--;
        } else if (!task && n_running == 0) {
            break;
        } else if (!task) {
            position = 0;
            n_running = 0;
        }
    }
    answer_good(peer);
}

static void control_stats(struct http_peer *peer)
{
    const struct sim *sim = peer->sim;
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "requests", json_object_new_int64((int64_t)sim->requests));
    json_object_object_add(object, "fetches", json_object_new_int64((int64_t)sim->fetches));
    json_object_object_add(object, "single_fetches", json_object_new_int64((int64_t)sim->single_fetches));
    json_object_object_add(object, "streams", json_object_new_int64((int64_t)sim->streams));
    json_object_object_add(object, "events", json_object_new_int64((int64_t)sim->events));
    json_object_object_add(object, "gzip_answers", json_object_new_int64((int64_t)sim->gzip_answers));
    json_object_object_add(object, "apps", json_object_new_int64((int64_t)sim->app_table.count));
    json_object_object_add(object, "tasks", json_object_new_int64((int64_t)sim->task_table.count));
    json_object_object_add(object, "settled", json_object_new_boolean(model_is_settled(sim)));
    http_answer_json(peer, 200, "OK", "", object);
}

static void control_apps(struct http_peer *peer)
{
    free(peer->sim->raw_apps);
    peer->sim->raw_apps = peer->body_len > 0 ? mem_strndup(peer->body, peer->body_len) : NULL;
    answer_good(peer);
}

static void control_leader(struct http_peer *peer)
{
    cleanup_free char *url = http_query(peer, "url");
    free(peer->sim->leader);
    peer->sim->leader = mem_strdup(url ? url : "http://127.0.0.1:8080");
    checks_forget(peer->sim);
    events_drop_streams(peer->sim);
    answer_good(peer);
}

/* The leader dies; the other Marathon leads after a while. */
static void control_elect(struct http_peer *peer)
{
    cleanup_free char *gap = http_query(peer, "gap_ms");
    if (members_elect(peer->sim, gap ? strtoul(gap, NULL, 10) : 1000, peer)) {
        answer_good(peer);
    } else {
        answer_bad(peer, "there is no second Marathon, or an election is going on");
    }
}

static void control_streams(struct http_peer *peer)
{
    events_drop_streams(peer->sim);
    answer_good(peer);
}

static void control_silence(struct http_peer *peer)
{
    peer->sim->silent = true;
    answer_good(peer);
}

/* Where the replay is, and, with until=, where it is to be. */
static void control_replay(struct http_peer *peer)
{
    struct replay *replay = peer->sim->replay;
    cleanup_free char *until = http_query(peer, "until");
    if (!replay || (until && !replay_until(replay, until))) {
        answer_bad(peer, replay ? "there is no such answer" : "nothing is replayed");
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "over", json_object_new_boolean(replay_is_over(replay)));
    json_object_object_add(object, "goes_on", json_object_new_boolean(replay_goes_on(replay)));
    json_object_object_add(object, "answers", replay_labels(replay));
    http_answer_json(peer, 200, "OK", "", object);
}

void control_handle(struct http_peer *peer)
{
    static const struct {
        const char *name;
        void (*handle)(struct http_peer *peer);
    } actions[] = {
        {"fault", faults_add},      {"clear", control_clear},
        {"lose", control_lose},     {"replay", control_replay},
        {"event", control_event},   {"burst", control_burst},
        {"stats", control_stats},   {"apps", control_apps},
        {"leader", control_leader}, {"drop-streams", control_streams},
        {"elect", control_elect},   {"silence", control_silence},
    };
    const char *action = peer->path + 5;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, action) == 0) {
            actions[i].handle(peer);
            return;
        }
    }
    static const char *const on_tasks[] = {"fail",      "end",    "kill",  "unreachable",
                                           "reachable", "health", "ready", "sick"};
    for (size_t i = 0; i < sizeof(on_tasks) / sizeof(on_tasks[0]); i++) {
        if (strcmp(on_tasks[i], action) == 0) {
            control_task(peer, action);
            return;
        }
    }
    answer_bad(peer, "there is no such action");
}
