/* SPDX-License-Identifier: MIT */
/* Marathon's answers: its state at one moment between request and reply, or before, and what may be wrong with
 * them. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "traffic.h"

#define N_OLD 6

static struct client_fetch *fetches;
static uint64_t n_fetches;
static struct snapshot old[N_OLD];
static size_t n_old;

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
    size_t half = len > 1 ? 1 + (size_t)chance_below(&client_luck, len - 1) : len;
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
        wires_note_told();
        fetch_end(fetch, SLOTD_E_HTTP, 404, "HTTP status 404");
        return;
    }
    buf_puts(&json, "{\"app\":");
    snapshot_write_app(&fetch->snapshot, fetch->app, &json);
    buf_puts(&json, "}");
    told_listed(fetch, fetch->app);
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
            told_malformed(app);
        } else {
            snapshot_write_app(&fetch->snapshot, app, &json);
            told_listed(fetch, app);
        }
        tell("answer", "%s", buf_text(&json));
        fetch_give(fetch, json.data, json.len);
        loop_ready(fetch_part, NULL, number);
        return;
    }
    buf_puts(&json, "]}");
    fetch_give(fetch, json.data, json.len);
    if (fetch_find(number)) {
        told_complete(fetch);
        fetch_end(fetch, 0, 200, "");
    }
}

/* No event is so late that a request sent after it is answered before it. */
static void fetch_answer(void *arg, uint64_t number)
{
    const struct client_fetch *fetch = fetch_find(number);
    int64_t due_us = fetch && client && client->is_live ? stream_last_due(fetch->sent_us) : 0;
    if (due_us > 0) {
        schedule((due_us > now_us() ? due_us - now_us() : 0) + MS, fetch_answer, arg, number);
    } else if (fetch) {
        loop_ready(fetch_part, arg, number);
    }
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

bool part_lacks(size_t task)
{
    struct chance part;
    chance_seed(&part, marathon.part + task, 15);
    return chance_percent(&part, marathon.part_percent);
}

/* An app without tasks is not known either, or has none yet. */
static void snapshot_take_part(struct snapshot *snapshot)
{
    bool has_tasks[MAX_APPS] = {false};
    size_t left = 0;
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        if (!part_lacks(snapshot->tasks[i].task)) {
            has_tasks[marathon.tasks[snapshot->tasks[i].task].app] = true;
            snapshot->tasks[left++] = snapshot->tasks[i];
        }
    }
    snapshot->n_tasks = left;
    for (size_t i = 0; i < MAX_APPS; i++) {
        snapshot->exists[i] = snapshot->exists[i] && (has_tasks[i] || marathon.part % 2);
    }
}

static void fetch_compute(void *arg, uint64_t number)
{
    struct client_fetch *fetch = fetch_find(number);
    int64_t after = chance_delay(&client_luck, 100, 300 * MS);
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
        snapshot_copy(&fetch->snapshot, &old[chance_below(&client_luck, n_old)]);
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
            fetch->malformed = (size_t)chance_below(&client_luck, MAX_APPS);
        }
    }
    if (is_all && !fetch->fails && marathon.part_answers > 0) {
        marathon.part_answers--;
        snapshot_take_part(&fetch->snapshot);
    }
    if (!sim.is_calm && marathon.slow > 0) {
        marathon.slow--;
        count_fault(FAULT_ANSWER_SLOW);
        after = chance_delay(&client_luck, 100 * MS, 20 * SECOND);
    }
    fetch->snapshot.n_given = 0;
    schedule(after, fetch_answer, arg, number);
}

void client_remember_old(void)
{
    snapshot_take(&old[n_old < N_OLD ? n_old : chance_below(&client_luck, N_OLD)]);
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
    if (kind == CLIENT_FETCH_ALL) {
        rules_note_asked();
    }
    tell("request", "%s", app_id ? app_id : "for all apps");
    schedule(chance_delay(&client_luck, 50, 100 * MS), fetch_compute, NULL, fetch->number);
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

uint64_t answers_count(void)
{
    return n_fetches++;
}

void answers_reset(void)
{
    while (fetches) {
        fetch_remove(fetches);
    }
}

void answers_forget_old(void)
{
    n_old = 0;
    n_fetches = 0;
}
