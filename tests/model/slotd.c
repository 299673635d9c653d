/* SPDX-License-Identifier: MIT */
/* slotd's life: it starts, stops, is killed, and obeys operators. What runs is the real engine. */
#include <stdio.h>
#include <string.h>

#include "../../agent/engine/engine_private.h"
#include "model.h"
#include "slotd/mem.h"

#define MAX_ORDERS 64
#define ORDERS_LINGER (3 * SECOND) /* what an order has done is undone by then */

struct engine *slotd;
int64_t wall_skew_ms;
static struct config *config;

/* What an operator has asked for. */
struct asked {
    enum order_target target;
    char name[64];
    bool is_weight, lasts;
    bool is_saved;  /* slotd said that it is on disk */
    bool is_ending; /* undrained, reset: not known to be on disk */
    bool is_over;
    unsigned lacked; /* complete answers in a row that lacked whom it is for, until they were enough */
    int64_t over_us;
    uint64_t number;
};
static struct asked asked[MAX_ORDERS];
static size_t n_asked;
static uint64_t n_saves;

int64_t engine_clock_lead_ms(void)
{
    return wall_skew_ms;
}

int64_t engine_now_ms(void)
{
    return WALL_START + now_us() / MS + wall_skew_ms;
}

/* ---- life ---- */

void slotd_start(bool confirm)
{
    struct engine_options options = {.confirm = confirm, .seed = sim.seed + sim.generation};
    cleanup_buf struct buf why = BUF_INIT;
    if (slotd) {
        return;
    }
    if (!config) {
        config = slotd_make_config();
    }
    sim.generation++;
    marathon_forget_told();
    files_frozen = false;
    tell("slotd", "starts");
    if (engine_new(&sim_loop, config, &options, &slotd, &why)) {
        abort();
    }
    rules_check_orders();
    engine_start(slotd);
    sim.quiet_us = now_us();
}

/* One or two keys get another value; slotd reads the file again, or with its next start. */
void slotd_configure(struct chance *chance)
{
    struct settings before = sim.settings;
    settings_change(chance, &sim.settings);
    struct config *next = slotd_make_config();
    cleanup_buf struct buf why = BUF_INIT;
    tell("operator", "SIGHUP: HAProxies %u%s%s%s, at most %d%%", sim.settings.haproxies,
         sim.settings.constrained ? ", constrained" : "", sim.settings.readiness ? ", readiness" : "",
         sim.settings.drain_unhealthy ? ", health" : "", sim.settings.max_removal_percent);
    if (slotd && engine_reload(slotd, next, &why)) {
        broken("configured", "a good configuration is refused: %s", buf_text(&why));
        sim.settings = before;
        config_free(next);
        return;
    }
    config_free(config);
    config = next;
    wires_note_told();
    sim.settings_us = now_us();
    for (size_t i = 0; i < MAX_APPS; i++) {
        marathon.apps[i].moved_us = now_us();
    }
}

static void slotd_end(void)
{
    struct engine *engine = slotd;
    slotd = NULL;
    engine_close(engine);
    client_reset();
    loop_finish();
    for (size_t i = 0; i < n_asked; i++) {
        /* Said, and perhaps not on disk: it may be in force or not. */
        if (!asked[i].is_saved || asked[i].is_ending) {
            asked[i].is_over = true;
            asked[i].over_us = NEVER;
        }
    }
}

void slotd_stop(void)
{
    if (slotd) {
        tell("slotd", "is told to stop");
        slotd_end();
    }
}

void slotd_kill(void)
{
    if (slotd) {
        tell("slotd", "is killed");
        files_frozen = true;
        slotd_end();
    }
}

void slotd_reset(void)
{
    slotd_kill();
    config_free(config);
    config = NULL;
    n_asked = 0;
    wall_skew_ms = 0;
}

/* ---- operators ---- */

static void orders_are_saved(void *arg, int err)
{
    uint64_t number = (uint64_t)(uintptr_t)arg;
    for (size_t i = 0; slotd && err == 0 && i < n_asked; i++) {
        if (asked[i].number == number && !asked[i].is_over) {
            asked[i].is_over = asked[i].is_ending;
            asked[i].over_us = now_us() + ORDERS_LINGER;
            asked[i].is_saved = true;
        }
    }
}

static struct asked *find_asked(enum order_target target, const char *name, bool is_weight)
{
    for (size_t i = 0; i < n_asked; i++) {
        if (asked[i].target == target && asked[i].is_weight == is_weight && strcmp(asked[i].name, name) == 0) {
            return &asked[i];
        }
    }
    return NULL;
}

static void note_order(enum order_target target, const char *name, bool is_weight, bool ends, bool lasts)
{
    struct asked *order = find_asked(target, name, is_weight);
    if (!order && n_asked == MAX_ORDERS) {
        return;
    }
    order = order ? order : &asked[n_asked++];
    *order = (struct asked){.target = target, .is_weight = is_weight, .is_ending = ends, .lasts = lasts};
    (void)snprintf(order->name, sizeof(order->name), "%s", name);
    order->number = ++n_saves;
    engine_save_orders(slotd, orders_are_saved, (void *)(uintptr_t)order->number);
}

static enum order_target pick_target(struct chance *chance, bool is_weight, char *name, size_t size)
{
    enum order_target target = (enum order_target)chance_below(chance, is_weight ? 2 : ORDER_TARGETS);
    const struct haproxy *haproxy = haproxy_pick(chance);
    const struct backend *backend = &haproxy->backends[chance_below(chance, haproxy->n_backends)];
    switch (target) {
    case ORDER_TASK:
        if (marathon.n_tasks > 0) {
            size_t back = (size_t)chance_below(chance, marathon.n_tasks < 12 ? marathon.n_tasks : 12);
            (void)snprintf(name, size, "%s", marathon.tasks[marathon.n_tasks - 1 - back].id);
            return target;
        }
        target = ORDER_APP;
        break;
    case ORDER_HOST:
        host_name((size_t)chance_below(chance, MAX_HOSTS), name, size);
        return target;
    case ORDER_SLOT:
        (void)snprintf(name, size, "%s/s%u", backend->name, 1 + (unsigned)chance_below(chance, backend->n_servers));
        return target;
    case ORDER_APP:
        break;
    }
    (void)snprintf(name, size, "/a%u", (unsigned)chance_below(chance, sim.profile.apps));
    return target;
}

static void order_drain(struct chance *chance, bool ends)
{
    char name[64];
    cleanup_buf struct buf why = BUF_INIT;
    enum order_target target = pick_target(chance, false, name, sizeof(name));
    if (ends && n_asked > 0) {
        const struct asked *order = &asked[chance_below(chance, n_asked)];
        target = order->is_weight ? target : order->target;
        (void)snprintf(name, sizeof(name), "%s", order->is_weight ? name : order->name);
    }
    const char *words[] = {order_target_text(target), name};
    bool lasts = chance_percent(chance, 30);
    struct engine_drain_options options = {
        .timeout = chance_percent(chance, 50) ? "3s" : NULL, .lasts = lasts ? "20s" : NULL, .by = "uid 0 (root)"};
    int err = ends ? engine_order_undrain(slotd, words, 2, "uid 0 (root)", &why)
                   : engine_order_drain(slotd, words, 2, &options, &why);
    tell("operator", "%s %s %s: %s", ends ? "undrain" : "drain", words[0], name, err ? buf_text(&why) : "done");
    if (!err) {
        note_order(target, name, false, ends, lasts);
    }
}

static void order_weight(struct chance *chance, bool ends)
{
    static const char *const values[] = {"0%", "10%", "50%", "100%", "7", "100"};
    char name[64];
    cleanup_buf struct buf why = BUF_INIT;
    enum order_target target = pick_target(chance, true, name, sizeof(name));
    const char *value = values[chance_below(chance, sizeof(values) / sizeof(values[0]))];
    value = target == ORDER_TASK && strchr(value, '%') ? "5" : value;
    const char *words[] = {order_target_text(target), name, ends ? "reset" : value};
    int err = engine_order_weight(slotd, words, 3, "uid 0 (root)", &why);
    tell("operator", "weight %s %s %s: %s", words[0], name, words[2], err ? buf_text(&why) : "done");
    if (!err) {
        note_order(target, name, true, ends, false);
    }
}

void slotd_confirm(void)
{
    tell("operator", "confirm");
    wires_note_told();
    (void)engine_confirm(slotd);
    rules_note_confirm();
}

void slotd_order(struct chance *chance)
{
    unsigned what = (unsigned)chance_below(chance, 20);
    if (!slotd) {
        return;
    }
    if (what < 8) {
        order_drain(chance, false);
    } else if (what < 13) {
        order_drain(chance, true);
    } else if (what < 16) {
        order_weight(chance, false);
    } else if (what < 18) {
        order_weight(chance, true);
    } else {
        slotd_confirm();
    }
}

/* Weights go back to what labels say, and half of the drains end. */
void slotd_end_orders(void)
{
    cleanup_buf struct buf why = BUF_INIT;
    for (size_t i = 0; slotd && i < n_asked; i++) {
        const char *words[] = {order_target_text(asked[i].target), asked[i].name, "reset"};
        if (asked[i].is_weight) {
            (void)engine_order_weight(slotd, words, 3, "uid 0 (root)", &why);
        } else if (asked[i].target == ORDER_SLOT || i % 2 == 0) {
            (void)engine_order_undrain(slotd, words, 2, "uid 0 (root)", &why);
        }
        if (asked[i].is_weight || asked[i].target == ORDER_SLOT || i % 2 == 0) {
            asked[i].is_over = true;
            asked[i].over_us = now_us() + ORDERS_LINGER;
        }
    }
    if (slotd) {
        engine_save_orders(slotd, orders_are_saved, NULL);
    }
}

static bool order_is_about(const struct asked *order, const struct task *task, const char *backend, const char *server)
{
    char name[64];
    switch (order->target) {
    case ORDER_APP:
        (void)snprintf(name, sizeof(name), "/a%zu", task->app);
        break;
    case ORDER_TASK:
        (void)snprintf(name, sizeof(name), "%s", task->id);
        break;
    case ORDER_HOST:
        host_name(task->host, name, sizeof(name));
        break;
    case ORDER_SLOT:
        (void)snprintf(name, sizeof(name), "%s/%s", backend, server);
        break;
    }
    return strcmp(name, order->name) == 0;
}

/* What an operator asked for concerns the task, now or a moment ago. */
bool slotd_order_covers(size_t number, const char *backend, const char *server)
{
    for (size_t i = 0; i < n_asked; i++) {
        const struct asked *order = &asked[i];
        bool counts = !order->is_over || order->over_us > now_us();
        if (counts && (order->is_weight || order_is_about(order, &marathon.tasks[number], backend, server))) {
            return true;
        }
    }
    return false;
}

/* Whether an order that slotd has now drains the task where it is. */
bool slotd_drains(size_t number, const char *backend, const char *server)
{
    char app[16];
    char host[64];
    const struct task *task = &marathon.tasks[number];
    (void)snprintf(app, sizeof(app), "/a%zu", task->app);
    host_name(task->host, host, sizeof(host));
    const struct order_endpoint endpoint = {
        .app = app, .task = task->id, .host = host, .backend = backend, .server = server};
    return slotd && orders_find_drain(slotd->orders, &endpoint) != NULL;
}

bool slotd_has_drains(void)
{
    return slotd && orders_count_drains(slotd->orders) > 0;
}

bool slotd_drains_slot(const char *name)
{
    return slotd && orders_get_drain(slotd->orders, ORDER_SLOT, name) != NULL;
}

/* ---- rules about orders ---- */

static bool snapshot_lacks(const struct snapshot *snapshot, const struct asked *order)
{
    if (order->target == ORDER_APP) {
        return !snapshot->exists[order->name[2] - '0'];
    }
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        if (strcmp(marathon.tasks[snapshot->tasks[i].task].id, order->name) == 0) {
            return false;
        }
    }
    return order->target == ORDER_TASK;
}

void slotd_note_answer(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < n_asked; i++) {
        struct asked *order = &asked[i];
        if (order->lacked < CONFIRMATIONS) {
            order->lacked = snapshot_lacks(snapshot, order) ? order->lacked + 1 : 0;
        }
    }
}

static bool order_may_have_ended(const struct asked *order)
{
    if (order->lasts || order->is_over || order->is_ending || !order->is_saved || order->lacked >= CONFIRMATIONS) {
        return true;
    }
    if (order->target == ORDER_APP) {
        const struct app *app = &marathon.apps[order->name[2] - '0'];
        return app->was_deleted;
    }
    if (order->target == ORDER_TASK) {
        for (size_t i = 0; i < marathon.n_tasks; i++) {
            if (strcmp(marathon.tasks[i].id, order->name) == 0) {
                return marathon.tasks[i].state == LIFE_OVER;
            }
        }
    }
    return false;
}

/* slotd has just started: what was saved is in force. */
void rules_check_orders(void)
{
    for (size_t i = 0; i < n_asked; i++) {
        const struct asked *order = &asked[i];
        bool is_there = order->is_weight ? orders_get_weight(slotd->orders, order->target, order->name) != NULL
                                         : orders_get_drain(slotd->orders, order->target, order->name) != NULL;
        if (!order_may_have_ended(order) && !is_there) {
            broken("orders", "the %s of %s %s was saved, and is not there after a start",
                   order->is_weight ? "weight" : "drain", order_target_text(order->target), order->name);
        }
    }
}
