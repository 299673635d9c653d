/* SPDX-License-Identifier: MIT */
/* A recorded scenario, served again: the stream's bytes in their pace, /v2/apps as the newest answer of that moment. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define DAY_MS (24LL * 3600 * 1000)

/* The stream had that many bytes at that time. */
struct mark {
    int64_t ms;
    size_t bytes;
};

struct answer {
    int64_t ms;
    char *label, *body;
    size_t len;
};

struct replay {
    struct sim *sim;
    double speed;
    struct buf events;
    struct mark *marks;
    struct answer *answers;
    size_t n_marks, marks_capacity, n_answers, answers_capacity;
    int64_t now_ms; /* of the recording */
    int64_t end_ms;
    size_t sent;     /* bytes of the stream */
    int64_t base_ms; /* of the recording, which stands for base_loop_ms of the loop */
    uint64_t base_loop_ms;
    uv_timer_t *timer; /* NULL until the first subscriber starts the clock */
};

/* ---- loading ---- */

static bool file_load(const char *folder, const char *name, struct buf *content)
{
    cleanup_free char *path = mem_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "marathon-sim: %s cannot be read\n", path);
        return false;
    }
    size_t len;
    do {
        len = fread(buf_reserve(content, 65536), 1, 65536, file);
        buf_commit(content, len);
    } while (len > 0);
    fclose(file);
    return true;
}

/* Lines of `MS OFFSET`. */
static void marks_read(struct replay *replay, const struct buf *times)
{
    for (const char *line = buf_text(times); line && *line; line = strchr(line, '\n')) {
        long long ms = 0;
        size_t bytes = 0;
        line += *line == '\n';
        if (sscanf(line, "%lld %zu", &ms, &bytes) == 2 && bytes <= replay->events.len) {
            MEM_GROW(replay->marks, replay->marks_capacity, replay->n_marks + 1);
            replay->marks[replay->n_marks++] = (struct mark){ms, bytes};
        }
    }
}

/* When the answer in that file was recorded, by a line `HH:MM:SS.mmm GET ... (name)` of steps.log; -1: it is not there.
 */
static int64_t answer_time(const struct buf *steps, const char *name, int64_t midnight_ms)
{
    cleanup_free char *wanted = mem_printf("(%s)", name);
    const char *found = strstr(buf_text(steps), wanted);
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    int ms = 0;
    while (found && found > buf_text(steps) && found[-1] != '\n') {
        found--;
    }
    if (!found || sscanf(found, "%d:%d:%d.%d", &hours, &minutes, &seconds, &ms) != 4) {
        return -1;
    }
    return midnight_ms + ((hours * 60LL + minutes) * 60 + seconds) * 1000 + ms;
}

static int compare_answers(const void *a, const void *b)
{
    const struct answer *first = a;
    const struct answer *second = b;
    return (first->ms > second->ms) - (first->ms < second->ms);
}

static void answer_add(struct replay *replay, const char *name, int64_t ms, const struct buf *file)
{
    const char *body = memmem(file->data, file->len, "\r\n\r\n", 4);
    if (!body) {
        return;
    }
    body += 4;
    size_t len = file->len - (size_t)(body - file->data);
    MEM_GROW(replay->answers, replay->answers_capacity, replay->n_answers + 1);
    replay->answers[replay->n_answers++] = (struct answer){
        .ms = ms,
        .label = mem_strndup(name + 5, strlen(name) - 10), /* apps-NN-label.http */
        .body = mem_strndup(body, len),
        .len = len,
    };
}

static void answers_read(struct replay *replay, const char *folder, const struct buf *steps)
{
    struct dirent **names = NULL;
    int64_t midnight_ms = replay->n_marks > 0 ? replay->marks[0].ms / DAY_MS * DAY_MS : 0;
    int count = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        size_t len = strlen(name);
        int64_t ms = answer_time(steps, name, midnight_ms);
        cleanup_buf struct buf file = BUF_INIT;
        if (len > 10 && strncmp(name, "apps-", 5) == 0 && name[5] >= '0' && name[5] <= '9' &&
            strcmp(name + len - 5, ".http") == 0 && ms >= 0 && file_load(folder, name, &file)) {
            answer_add(replay, name, ms, &file);
        }
        free(names[i]);
    }
    free(names);
    if (replay->n_answers > 0) {
        qsort(replay->answers, replay->n_answers, sizeof(*replay->answers), compare_answers);
    }
}

int replay_open(struct sim *sim, const char *folder, double speed)
{
    struct replay *replay = MEM_NEW(struct replay);
    cleanup_buf struct buf times = BUF_INIT;
    cleanup_buf struct buf steps = BUF_INIT;
    sim->replay = replay;
    replay->sim = sim;
    replay->speed = speed;
    if (!file_load(folder, "events.sse", &replay->events) || !file_load(folder, "events.times", &times) ||
        !file_load(folder, "steps.log", &steps)) {
        return -1;
    }
    marks_read(replay, &times);
    answers_read(replay, folder, &steps);
    if (replay->n_marks == 0 || replay->n_answers == 0) {
        fprintf(stderr, "marathon-sim: %s has no events or no answers\n", folder);
        return -1;
    }
    replay->now_ms = replay->marks[0].ms - 1;
    replay->end_ms = replay->marks[replay->n_marks - 1].ms;
    int64_t last_answer_ms = replay->answers[replay->n_answers - 1].ms;
    replay->end_ms = last_answer_ms > replay->end_ms ? last_answer_ms : replay->end_ms;
    return 0;
}

/* ---- the clock ---- */

static size_t bytes_by(const struct replay *replay, int64_t ms)
{
    size_t low = 0;
    size_t high = replay->n_marks;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (replay->marks[middle].ms <= ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? replay->marks[low - 1].bytes : 0;
}

static void bytes_send(struct replay *replay, size_t until)
{
    struct http_peer *next = NULL;
    if (until <= replay->sent) {
        return;
    }
    for (struct http_peer *peer = replay->sim->peers; peer && !replay->sim->silent; peer = next) {
        next = peer->next;
        size_t from = peer->replay_from > replay->sent ? peer->replay_from : replay->sent;
        if (peer->is_stream && from < until) {
            http_send(peer, replay->events.data + from, until - from);
        }
    }
    replay->sent = until;
}

static void clock_set(struct replay *replay, int64_t ms)
{
    if (ms > replay->now_ms) {
        replay->now_ms = ms;
        bytes_send(replay, bytes_by(replay, ms));
    }
}

/* The next moment at which anything happens. */
static int64_t next_ms(const struct replay *replay)
{
    int64_t next = replay->end_ms;
    for (size_t i = 0; i < replay->n_marks; i++) {
        if (replay->marks[i].ms > replay->now_ms && replay->marks[i].ms < next) {
            next = replay->marks[i].ms;
        }
    }
    for (size_t i = 0; i < replay->n_answers; i++) {
        if (replay->answers[i].ms > replay->now_ms && replay->answers[i].ms < next) {
            next = replay->answers[i].ms;
        }
    }
    return next;
}

static void clock_tick(uv_timer_t *timer);

static void clock_wait(struct replay *replay)
{
    if (!replay->timer || replay_is_over(replay) || replay->speed < 0) {
        return;
    }
    double left_ms = replay->speed > 0 ? (double)(next_ms(replay) - replay->base_ms) / replay->speed : 0;
    uint64_t due = replay->base_loop_ms + (uint64_t)left_ms + 1;
    uint64_t now = uv_now(replay->sim->loop);
    uv_timer_start(replay->timer, clock_tick, due > now && replay->speed > 0 ? due - now : 0, 0);
}

static void clock_tick(uv_timer_t *timer)
{
    struct replay *replay = timer->data;
    double passed_ms = (double)(uv_now(replay->sim->loop) - replay->base_loop_ms) * replay->speed;
    clock_set(replay, replay->speed > 0 ? replay->base_ms + (int64_t)passed_ms : replay->end_ms);
    clock_wait(replay);
}

/* From here the pace counts. */
static void clock_base(struct replay *replay)
{
    replay->base_ms = replay->now_ms;
    replay->base_loop_ms = uv_now(replay->sim->loop);
    clock_wait(replay);
}

static void clock_start(struct replay *replay)
{
    replay->timer = sim_new_timer(replay->sim, replay);
    clock_set(replay, replay->marks[0].ms);
    clock_base(replay);
}

/* ---- what is asked ---- */

bool replay_is_over(const struct replay *replay)
{
    return replay->now_ms >= replay->end_ms;
}

/* A real Marathon's answer never lags behind its events: one is due once all events before it are out, no sooner, no
 * later. */
const char *replay_apps(struct replay *replay, size_t *ret_len)
{
    static const char none[] = "{\"apps\":[]}";
    const struct answer *newest = NULL;
    for (size_t i = 0; replay->sent > 0 && i < replay->n_answers; i++) {
        bool is_due =
            replay->answers[i].ms <= replay->now_ms || bytes_by(replay, replay->answers[i].ms) <= replay->sent;
        newest = is_due ? &replay->answers[i] : newest;
    }
    *ret_len = newest ? newest->len : sizeof(none) - 1;
    return newest ? newest->body : none;
}

void replay_attach(struct http_peer *peer)
{
    struct replay *replay = peer->sim->replay;
    peer->replay_from = replay->sent;
    bool is_first = replay->sent == 0;
    if (!replay->timer) {
        clock_start(replay);
    }
    if (is_first) {
        return;
    }
    const char *rest = buf_text(&replay->events) + replay->sent;
    peer->replay_from = replay->sent;
    /* A late one joins at the next whole event, behind the mark that a real Marathon gives each subscriber. */
    if (!replay_is_between_events(replay)) {
        const char *end = memmem(rest, replay->events.len - replay->sent, "\r\n\r\n", 4);
        peer->replay_from = end ? (size_t)(end + 4 - replay->events.data) : replay->events.len;
    }
    cleanup_free char *time = sim_time(replay->now_ms);
    cleanup_free char *mark =
        mem_printf("event: event_stream_attached\r\ndata: {\"remoteAddress\":\"127.0.0.1\",\"eventType\":"
                   "\"event_stream_attached\",\"timestamp\":\"%s\"}\r\n\r\n",
                   time);
    http_send(peer, mark, strlen(mark));
}

bool replay_is_between_events(const struct replay *replay)
{
    return replay->sent == 0 ||
           (replay->sent >= 4 && memcmp(replay->events.data + replay->sent - 4, "\r\n\r\n", 4) == 0);
}

bool replay_until(struct replay *replay, const char *label)
{
    if (strcmp(label, "end") == 0) {
        clock_set(replay, replay->end_ms);
        clock_base(replay);
        return true;
    }
    for (size_t i = 0; i < replay->n_answers; i++) {
        if (strcmp(replay->answers[i].label, label) == 0) {
            /* All events that had arrived by then are out; the answer itself comes with the next millisecond. */
            clock_set(replay, replay->answers[i].ms - 1);
            bytes_send(replay, bytes_by(replay, replay->answers[i].ms));
            clock_base(replay);
            return true;
        }
    }
    return false;
}

bool replay_goes_on(const struct replay *replay)
{
    static const char mark[] = "event: status_update_event";
    size_t from = bytes_by(replay, replay->answers[replay->n_answers - 1].ms);
    return memmem(replay->events.data + from, replay->events.len - from, mark, sizeof(mark) - 1) != NULL;
}

struct json_object *replay_labels(const struct replay *replay)
{
    struct json_object *labels = json_object_new_array();
    for (size_t i = 0; i < replay->n_answers; i++) {
        json_object_array_add(labels, json_object_new_string(replay->answers[i].label));
    }
    return labels;
}
