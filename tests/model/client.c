/* SPDX-License-Identifier: MIT */
/* Marathon as slotd meets it: the stream of its events and its answers, with all that may happen to them on the way.
 * In place of agent/marathon/client*.c. What slotd is told is written down by receipt, for the rules. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "slotd/client.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define MAX_PENDING 4096
#define N_OLD 6

struct client {
    const struct client_events *events;
    void *arg;
    bool is_live, is_subscribed;
    uint64_t connects;
};
static struct client *client;
static struct chance luck;

/* An event on its way. */
struct pending {
    size_t key;
    int64_t made_us, due_us;
    char *name, *json;
    size_t task, app;
    enum life state;
    struct definition definition;
    bool has_definition;
    uint64_t connects, number;
    struct pending *next;
};
static struct pending *first_pending;
static size_t n_pending;
static uint64_t n_events;
static int64_t last_due_us[MAX_APPS + MAX_TASKS];

struct client_fetch {
    enum client_fetch_kind kind;
    size_t app;
    const struct client_fetch_events *events;
    void *arg;
    int64_t sent_us;
    uint64_t number;
    struct snapshot snapshot;
    size_t next_app;
    bool fails, cuts;
    size_t malformed;
    struct client_fetch *next;
};
static struct client_fetch *fetches;
static uint64_t n_fetches;
static struct snapshot old[N_OLD];
static size_t n_old;
static int64_t answered_us; /* when the last complete answer of this slotd was complete */

/* ---- what slotd is told ---- */

static bool definitions_equal(const struct definition *a, const struct definition *b)
{
    return a->version == b->version && a->enabled == b->enabled && a->shares == b->shares && a->weight == b->weight &&
           a->port_index == b->port_index && a->check_port == b->check_port && a->instances == b->instances &&
           a->health_checks == b->health_checks && a->config == b->config;
}

static void app_told(struct app *app, const struct definition *definition)
{
    if (app->is_told && definitions_equal(&app->history[0], definition)) {
        return;
    }
    app->history[1] = app->is_told ? app->history[0] : *definition;
    app->history[0] = *definition;
    app->is_told = true;
    app->moved_us = now_us();
}

static void task_told(struct task *task, enum life state)
{
    struct told *told = &task->told;
    told->since_us = told->is_told && told->state == state ? told->since_us : now_us();
    told->is_told = true;
    told->absent = 0;
    if (state == LIFE_OVER && told->was_running && told->state != LIFE_OVER) {
        told->over_us = now_us();
        told->is_buried = false;
    }
    if (told->state != LIFE_OVER || told->over_us == 0) {
        told->state = state;
    }
    told->was_running = told->was_running || state == LIFE_RUNNING;
}

static void note_event(const struct pending *event)
{
    struct app *app = &marathon.apps[event->app];
    if (event->has_definition) {
        app->posted = event->definition;
        app->is_posted = true;
        app->posted_us = now_us();
        return;
    }
    bool is_status = strcmp(event->name, "status_update_event") == 0;
    bool counts = is_status || event->state == LIFE_OVER || event->state == LIFE_UNREACHABLE;
    if (event->task >= MAX_TASKS || !counts) {
        return; /* of an instance only these words are believed */
    }
    struct task *task = &marathon.tasks[event->task];
    task->told.event_us = now_us();
    task_told(task, event->state);
    if (event->state == LIFE_OVER) {
        bool was_so = task->told.by_instance || task->told.over_us == now_us();
        task->told.by_instance = !is_status && was_so;
    }
    if (event->state == LIFE_RUNNING && app->is_posted && app->posted.version == task->version) {
        app_told(app, &app->posted);
        app->defined_us = now_us();
        app->is_posted = false;
    }
}

/* The app's tasks that the answer lacks, though it was asked for after their end. */
static void note_buried(const struct client_fetch *fetch, size_t number)
{
    bool *lists = mem_alloc_array(MAX_TASKS, sizeof(*lists));
    for (size_t i = 0; i < fetch->snapshot.n_tasks; i++) {
        lists[fetch->snapshot.tasks[i].task] = true;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct told *told = &marathon.tasks[i].told;
        bool is_its = number == MAX_APPS || marathon.tasks[i].app == number;
        told->is_buried = told->is_buried || (is_its && !lists[i] && told->over_us && told->over_us < fetch->sent_us);
    }
    free(lists);
}

static void note_listed(const struct client_fetch *fetch, size_t number)
{
    const struct snapshot *snapshot = &fetch->snapshot;
    struct app *app = &marathon.apps[number];
    if (fetch->sent_us < app->listed_us) {
        return; /* a newer one has told of it */
    }
    app->listed_us = fetch->sent_us;
    note_buried(fetch, number);
    if (app->posted_us < fetch->sent_us || app->posted.version == snapshot->definitions[number].version) {
        app->is_posted = false;
    }
    if (app->defined_us <= fetch->sent_us) {
        app_told(app, &snapshot->definitions[number]);
        app->defined_us = fetch->sent_us;
    }
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        const struct listed *listed = &snapshot->tasks[i];
        struct task *task = &marathon.tasks[listed->task];
        if (task->app != number) {
            continue;
        }
        task->told.absent = 0;
        if (task->told.event_us > fetch->sent_us || task->told.sent_us > fetch->sent_us) {
            continue;
        }
        task->told.sent_us = fetch->sent_us;
        if (snapshot->at_us < fetch->sent_us && listed->state != LIFE_OVER &&
            (task->told.is_buried || task->told.by_instance)) {
            task->told.over_us = 0; /* an old leader says that it lives: a word against a word */
        }
        task_told(task, (enum life)listed->state);
    }
}

/* A complete answer: what it does not list is absent. */
static void note_complete(const struct client_fetch *fetch)
{
    bool *lists = mem_alloc_array(MAX_TASKS, sizeof(*lists));
    for (size_t i = 0; i < fetch->snapshot.n_tasks; i++) {
        lists[fetch->snapshot.tasks[i].task] = true;
    }
    for (size_t i = 0; i < marathon.n_tasks; i++) {
        struct told *told = &marathon.tasks[i].told;
        if (!lists[i] && told->event_us < fetch->sent_us && (told->absent == 0 || fetch->sent_us >= answered_us)) {
            told->absent++;
            told->absent_us = now_us();
        }
    }
    free(lists);
    note_buried(fetch, MAX_APPS);
    answered_us = now_us();
}

/* ---- the stream ---- */

static void pending_free(struct pending *event)
{
    free(event->name);
    free(event->json);
    free(event);
}

static void event_arrives(struct pending *event)
{
    tell("event", "%.160s", event->json);
    note_event(event);
    client->events->on_event(client->arg, event->name, event->json, strlen(event->json));
    pending_free(event);
}

/* slotd reads it when its loop runs. */
static void event_due(void *arg, uint64_t number)
{
    struct pending **link = &first_pending;
    (void)arg;
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct pending *event = *link;
    if (!event) {
        return;
    }
    *link = event->next;
    n_pending--;
    if (client && client->is_live && event->connects == client->connects) {
        event_arrives(event);
    } else {
        pending_free(event);
    }
}

static void event_wait(void *arg, uint64_t number)
{
    loop_ready(event_due, arg, number);
}

static void pending_add(size_t key, const struct pending *like, int64_t after_us)
{
    struct pending *event = MEM_NEW(struct pending);
    *event = *like;
    event->name = mem_strdup(like->name);
    event->json = mem_strdup(like->json);
    int64_t due = now_us() + after_us;
    /* The events of one task, or one app, keep their order. */
    due = due < last_due_us[key] ? last_due_us[key] : due;
    last_due_us[key] = due;
    event->due_us = due;
    event->number = ++n_events;
    event->next = first_pending;
    first_pending = event;
    n_pending++;
    schedule(due - now_us(), event_wait, NULL, event->number);
}

void client_publish(size_t key, const char *name, char *json, size_t task, enum life state, size_t app,
                    const struct definition *definition)
{
    cleanup_free char *owned = json;
    if (!client || !client->is_subscribed || n_pending >= MAX_PENDING) {
        return;
    }
    if (!sim.is_calm && marathon.lose > 0) {
        marathon.lose--;
        count_fault(FAULT_EVENT_LOST);
        tell("event", "lost: %.160s", json);
        return;
    }
    struct pending like = {.key = key,
                           .made_us = now_us(),
                           .name = (char *)(uintptr_t)name,
                           .json = owned,
                           .task = task,
                           .app = app,
                           .state = state,
                           .connects = client->connects,
                           .has_definition = definition != NULL};
    if (definition) {
        like.definition = *definition;
    }
    int64_t after = chance_delay(&luck, 50, 20 * MS);
    if (!sim.is_calm && marathon.delay > 0) {
        marathon.delay--;
        count_fault(FAULT_EVENT_DELAYED);
        after = chance_delay(&luck, 10 * MS, 3 * SECOND);
    }
    pending_add(key, &like, after);
    if (!sim.is_calm && marathon.twice > 0) {
        marathon.twice--;
        count_fault(FAULT_EVENT_DOUBLED);
        pending_add(key, &like, after + chance_delay(&luck, 0, 500 * MS));
    }
}

size_t client_pending(void)
{
    return n_pending;
}

static void client_went_live(void *arg, uint64_t connects)
{
    (void)arg;
    if (!client || client->connects != connects || !client->is_subscribed) {
        return;
    }
    static const char attached[] = "{\"eventType\":\"event_stream_attached\",\"remoteAddress\":\"127.0.0.1\"}";
    client->is_live = true;
    tell("stream", "is live");
    client->events->on_event(client->arg, "event_stream_attached", attached, sizeof(attached) - 1);
    client->events->on_live(client->arg, "http://m1");
}

static void client_answered(void *arg, uint64_t connects)
{
    loop_ready(client_went_live, arg, connects);
}

static void client_connect(void *arg, uint64_t connects)
{
    (void)arg;
    if (!client || client->connects != connects) {
        return;
    }
    if (!marathon.is_up) {
        schedule(chance_delay(&luck, 100 * MS, 2 * SECOND), client_connect, NULL, connects);
        return;
    }
    client->is_subscribed = true;
    schedule(chance_delay(&luck, 100, 50 * MS), client_answered, NULL, connects);
}

static void client_lost(void *arg, uint64_t connects)
{
    (void)arg;
    if (client && client->connects == connects) {
        client->events->on_lost(client->arg, "the stream has ended");
    }
}

/* What was on its way is lost. */
void client_lose(const char *why)
{
    if (!client || !client->is_subscribed) {
        return;
    }
    tell("stream", "is cut: %s", why);
    client->is_live = client->is_subscribed = false;
    client->connects++;
    loop_ready(client_lost, NULL, client->connects);
    schedule(chance_delay(&luck, 50 * MS, 3 * SECOND), client_connect, NULL, client->connects);
}

void marathon_cut_stream(void)
{
    count_fault(FAULT_STREAM_CUT);
    client_lose("a cut");
}

bool client_is_live(void)
{
    return client && client->is_live;
}

/* ---- answers ---- */

static struct client_fetch *fetch_find(uint64_t number)
{
    struct client_fetch *fetch = fetches;
    while (fetch && fetch->number != number) {
        fetch = fetch->next;
    }
    return fetch;
}

static void fetch_remove(struct client_fetch *fetch)
{
    struct client_fetch **link = &fetches;
    while (*link != fetch) {
        link = &(*link)->next;
    }
    *link = fetch->next;
    free(fetch->snapshot.tasks);
    free(fetch);
}

static void fetch_end(struct client_fetch *fetch, int err, long status, const char *why)
{
    const struct client_fetch_events *events = fetch->events;
    void *arg = fetch->arg;
    fetch_remove(fetch);
    tell("answer", "%s", err ? why : "complete");
    events->on_done(arg, err, status, why);
}

static void fetch_give(struct client_fetch *fetch, const char *data, size_t len)
{
    uint64_t number = fetch->number;
    size_t half = len > 1 ? 1 + (size_t)chance_below(&luck, len - 1) : len;
    if (fetch->events->on_data(fetch->arg, data, half) == 0 && fetch_find(number) && half < len) {
        (void)fetch->events->on_data(fetch->arg, data + half, len - half);
    }
}

static void fetch_single(struct client_fetch *fetch)
{
    cleanup_buf struct buf json = BUF_INIT;
    if (fetch->fails) {
        fetch_end(fetch, SLOTD_E_HTTP, 503, "HTTP status 503");
        return;
    }
    if (!fetch->snapshot.exists[fetch->app]) {
        marathon.apps[fetch->app].has_ended = true;
        fetch_end(fetch, SLOTD_E_HTTP, 404, "HTTP status 404");
        return;
    }
    buf_puts(&json, "{\"app\":");
    snapshot_write_app(&fetch->snapshot, fetch->app, &json);
    buf_puts(&json, "}");
    note_listed(fetch, fetch->app);
    tell("answer", "for /a%zu: %s", fetch->app, buf_text(&json));
    fetch_give(fetch, json.data, json.len);
    fetch_end(fetch, 0, 200, "");
}

/* One app after another; the last one ends it. */
static void fetch_part(void *arg, uint64_t number)
{
    struct client_fetch *fetch = fetch_find(number);
    cleanup_buf struct buf json = BUF_INIT;
    (void)arg;
    if (!fetch) {
        return;
    }
    if (fetch->kind == CLIENT_FETCH_APP) {
        fetch_single(fetch);
        return;
    }
    if (fetch->fails) {
        fetch_end(fetch, SLOTD_E_HTTP, 502, "HTTP status 502");
        return;
    }
    bool is_first = fetch->next_app == 0;
    while (fetch->next_app < MAX_APPS && !fetch->snapshot.exists[fetch->next_app]) {
        fetch->next_app++;
    }
    size_t app = fetch->next_app++;
    if (fetch->cuts && app >= 2) {
        fetch_end(fetch, SLOTD_E_CLOSED, 200, "the answer was cut");
        return;
    }
    if (is_first) {
        buf_puts(&json, "{\"apps\":[");
    }
    if (app < MAX_APPS) {
        if (fetch->snapshot.n_given++ > 0) {
            buf_puts(&json, ",");
        }
        if (fetch->malformed == app) {
            count_fault(FAULT_ANSWER_MALFORMED);
            buf_printf(&json, "{\"id\":\"/a%zu\",\"labels\":[]}", app);
            for (size_t i = 0; i < marathon.n_tasks; i++) {
                marathon.tasks[i].told.absent = marathon.tasks[i].app == app ? 0 : marathon.tasks[i].told.absent;
            }
            marathon.apps[app].moved_us = now_us();
        } else {
            snapshot_write_app(&fetch->snapshot, app, &json);
            note_listed(fetch, app);
        }
        tell("answer", "%s", buf_text(&json));
        fetch_give(fetch, json.data, json.len);
        loop_ready(fetch_part, NULL, number);
        return;
    }
    buf_puts(&json, "]}");
    fetch_give(fetch, json.data, json.len);
    if (fetch_find(number)) {
        note_complete(fetch);
        fetch_end(fetch, 0, 200, "");
    }
}

/* No event is so late that a request sent after it is answered before it. */
static int64_t fetch_least(const struct client_fetch *fetch)
{
    int64_t least = now_us();
    for (const struct pending *event = first_pending; event; event = event->next) {
        if (event->made_us <= fetch->sent_us && event->due_us > least) {
            least = event->due_us;
        }
    }
    return least - now_us();
}

static void fetch_answer(void *arg, uint64_t number)
{
    struct client_fetch *fetch = fetch_find(number);
    if (!fetch) {
        return;
    }
    for (const struct pending *event = first_pending; event; event = event->next) {
        if (event->made_us <= fetch->sent_us && client && client->is_live) {
            schedule(fetch_least(fetch) + MS, fetch_answer, arg, number);
            return;
        }
    }
    loop_ready(fetch_part, arg, number);
}

static void snapshot_copy(struct snapshot *to, const struct snapshot *from)
{
    struct listed *tasks = to->tasks;
    size_t capacity = to->capacity;
    MEM_GROW(tasks, capacity, from->n_tasks);
    *to = *from;
    to->tasks = tasks;
    to->capacity = capacity;
    if (from->n_tasks > 0) {
        memcpy(to->tasks, from->tasks, from->n_tasks * sizeof(*tasks));
    }
}

/* It lacks what it should list, and the next one lacks the same. */
static void snapshot_halve(struct snapshot *snapshot)
{
    size_t left = 0;
    struct chance half;
    chance_seed(&half, marathon.half, 13);
    bool whole_apps = chance_percent(&half, 30);
    size_t gone = (size_t)chance_below(&half, MAX_APPS);
    unsigned percent = 30 + (unsigned)chance_below(&half, 70);
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        chance_seed(&half, marathon.half + snapshot->tasks[i].task, 14);
        bool lacks = whole_apps ? marathon.tasks[snapshot->tasks[i].task].app == gone : chance_percent(&half, percent);
        if (!lacks) {
            snapshot->tasks[left++] = snapshot->tasks[i];
        }
    }
    snapshot->n_tasks = left;
    if (whole_apps) {
        snapshot->exists[gone] = false;
    }
}

static void fetch_compute(void *arg, uint64_t number)
{
    struct client_fetch *fetch = fetch_find(number);
    int64_t after = chance_delay(&luck, 100, 300 * MS);
    if (!fetch) {
        return;
    }
    bool is_all = fetch->kind == CLIENT_FETCH_ALL;
    fetch->fails = !marathon.is_up || (!sim.is_calm && marathon.fail > 0 && marathon.fail--);
    if (fetch->fails) {
        count_fault(FAULT_ANSWER_FAILED);
    }
    if (now_us() < marathon.old_until_us && n_old > 0) {
        count_fault(FAULT_ANSWER_OLD);
        snapshot_copy(&fetch->snapshot, &old[chance_below(&luck, n_old)]);
    } else {
        snapshot_take(&fetch->snapshot);
    }
    if (!sim.is_calm && is_all && !fetch->fails) {
        if (marathon.halve > 0) {
            marathon.halve--;
            count_fault(FAULT_ANSWER_HALF);
            snapshot_halve(&fetch->snapshot);
        }
        if (marathon.cut > 0) {
            marathon.cut--;
            count_fault(FAULT_ANSWER_CUT);
            fetch->cuts = true;
        }
        if (marathon.malform > 0) {
            marathon.malform--;
            fetch->malformed = (size_t)chance_below(&luck, MAX_APPS);
        }
    }
    if (!sim.is_calm && marathon.slow > 0) {
        marathon.slow--;
        count_fault(FAULT_ANSWER_SLOW);
        after = chance_delay(&luck, 100 * MS, 20 * SECOND);
    }
    fetch->snapshot.n_given = 0;
    schedule(after, fetch_answer, arg, number);
}

void client_remember_old(void)
{
    snapshot_take(&old[n_old < N_OLD ? n_old : chance_below(&luck, N_OLD)]);
    n_old += n_old < N_OLD;
}

struct client_fetch *client_fetch_start(struct client *own, enum client_fetch_kind kind, const char *app_id,
                                        const struct client_fetch_events *events, void *arg)
{
    (void)own;
    struct client_fetch *fetch = MEM_NEW(struct client_fetch);
    *fetch = (struct client_fetch){.kind = kind,
                                   .app = app_id ? (size_t)(app_id[2] - '0') : 0,
                                   .events = events,
                                   .arg = arg,
                                   .sent_us = now_us(),
                                   .number = ++n_fetches,
                                   .malformed = MAX_APPS,
                                   .next = fetches};
    fetches = fetch;
    tell("request", "%s", app_id ? app_id : "for all apps");
    schedule(chance_delay(&luck, 50, 100 * MS), fetch_compute, NULL, fetch->number);
    return fetch;
}

void client_fetch_cancel(struct client_fetch *fetch)
{
    fetch_remove(fetch);
}

void client_fetch_elsewhere(struct client *own)
{
    (void)own;
}

/* ---- life ---- */

int client_new(uv_loop_t *loop, const struct config_marathon *config, const struct client_events *events, void *arg,
               struct client **ret_client)
{
    (void)loop;
    (void)config;
    client = MEM_NEW(struct client);
    client->events = events;
    client->arg = arg;
    client->connects = 1 + n_fetches++ * 1000;
    *ret_client = client;
    return 0;
}

void client_start(struct client *own)
{
    schedule(chance_delay(&luck, MS, 100 * MS), client_connect, NULL, own->connects);
}

void client_borrow_config(struct client *own, const struct config_marathon *config)
{
    (void)own;
    (void)config;
}

struct client_status client_get_status(const struct client *own)
{
    return (struct client_status){.endpoint = "http://m1", .leader = "", .live = own->is_live, .error = ""};
}

void client_close(struct client *own)
{
    if (client == own) {
        client = NULL;
    }
    free(own);
}

void client_reset(void)
{
    while (fetches) {
        fetch_remove(fetches);
    }
    while (first_pending) {
        struct pending *next = first_pending->next;
        pending_free(first_pending);
        first_pending = next;
    }
    n_pending = 0;
    memset(last_due_us, 0, sizeof(last_due_us));
    answered_us = 0;
}

void client_begin(void)
{
    chance_seed(&luck, sim.seed, 4);
    n_old = 0;
    n_fetches = 0;
}
