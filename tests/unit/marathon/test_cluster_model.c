/* SPDX-License-Identifier: MIT */
/* The cluster against a small true Marathon: events late, lost, doubled and out of order across tasks, answers that
 * race with them and with each other. SLOTD_MODEL_RUNS sets how many worlds are lived. */
#include "slotd/cluster.h"
#include "suite.h"
#include "world.h"

#define STEPS 250
#define MAX_FETCHES 2

/* A request under way: computed answers stand ready to be delivered app by app. */
struct fetch {
    bool is_open, is_computed;
    bool lies; /* lacks what it should list */
    uint64_t stamp;
    uint64_t sent; /* by the world's clock */
    char *apps[WORLD_APPS];
    size_t n_delivered;
};

static struct world *world;
static struct cluster *cluster;
static struct fetch complete[MAX_FETCHES];
static struct fetch single[WORLD_APPS];
static bool again[WORLD_APPS];
static char *mirror[WORLD_APPS]; /* what cluster_next_dirty() has told */
static bool is_calm;             /* the time of faults is over */
static bool must_be_honest;      /* the last complete answer lied: the next one may not */

/* ---- what is believed ---- */

static char *view_text(const struct cluster_view *view)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "%s%s", view->has_definition ? view->app->version : "none", view->problem ? " malformed" : "");
    for (size_t i = 0; i < view->app->n_tasks; i++) {
        const struct marathon_task *task = view->app->tasks[i];
        buf_printf(&text, "\n%s %s %s %d%s", task->id, marathon_task_state_text(task->state), task->host,
                   task->n_ports ? task->ports[0] : 0, cluster_task_waits(cluster, task->id) ? " waits" : "");
    }
    return buf_steal(&text);
}

static size_t app_number(const char *id)
{
    return (size_t)(id[2] - '0');
}

static void drain_dirty(void)
{
    struct cluster_view view;
    while (cluster_next_dirty(cluster, &view)) {
        char **told = &mirror[app_number(view.app->id)];
        free(*told);
        *told = view.removed ? NULL : view_text(&view);
    }
}

/* Nothing changes without its app being dirty. */
static void check_mirror(void)
{
    drain_dirty();
    for (size_t app = 0; app < WORLD_APPS; app++) {
        struct cluster_view view;
        cleanup_free char *id = mem_printf("/a%zu", app);
        bool is_known = cluster_get_app(cluster, id, &view);
        cleanup_free char *text = is_known ? view_text(&view) : mem_strdup("gone");
        const char *told = mirror[app] ? mirror[app] : "gone";
        /* A posted definition, or the ends of unknown tasks, can make an app that shows nothing. */
        bool is_empty_shell = is_known && !mirror[app] && strcmp(text, "none") == 0;
        ck_assert_msg(is_empty_shell || strcmp(text, told) == 0, "world %lu: %s: told\n%s\nis\n%s", world->seed, id,
                      told, text);
    }
}

static void look(void)
{
    struct cluster_view view;
    size_t position = 0;
    for (size_t i = 0; i < world->n_tasks; i++) {
        world->tasks[i].known = NULL;
    }
    while (cluster_next_app(cluster, &position, &view)) {
        for (size_t i = 0; i < view.app->n_tasks; i++) {
            const struct marathon_task *task = view.app->tasks[i];
            world->tasks[strtoul(strchr(task->id, '-') + 1, NULL, 10) - 1].known = task;
        }
    }
}

/* A task that was seen to end never comes back, one that is being killed runs no more, one that runs and was known
 * never goes. */
static void check_task(struct world_task *task)
{
    const struct marathon_task *known = task->known;
    bool has_ended = known && known->state == MARATHON_TASK_TERMINAL;
    bool is_alive = known && !has_ended;
    ck_assert_msg(!has_ended || task->state == MARATHON_TASK_TERMINAL, "world %lu: %s has not ended", world->seed,
                  task->id);
    ck_assert_msg(!(task->was_ended && is_alive), "world %lu: %s is back from the dead", world->seed, task->id);
    ck_assert_msg(!(task->was_killed && known && known->state == MARATHON_TASK_RUNNING), "world %lu: %s runs again",
                  world->seed, task->id);
    ck_assert_msg(!(task->was_known && !is_alive && task->state == MARATHON_TASK_RUNNING),
                  "world %lu: %s runs and is gone", world->seed, task->id);
    task->was_ended = task->was_ended || has_ended;
    task->was_known = is_alive;
}

static void check_counts(void)
{
    struct cluster_view view;
    struct cluster_counts counts = cluster_count(cluster);
    size_t running = 0;
    size_t ended = 0;
    size_t all = 0;
    size_t position = 0;
    while (cluster_next_app(cluster, &position, &view)) {
        for (size_t i = 0; i < view.app->n_tasks; i++) {
            running += view.app->tasks[i]->state == MARATHON_TASK_RUNNING;
            ended += view.app->tasks[i]->state == MARATHON_TASK_TERMINAL;
            all++;
        }
    }
    ck_assert_uint_eq(counts.running, running);
    ck_assert_uint_eq(counts.tombstones, ended);
    ck_assert_uint_eq(counts.tasks, all - ended);
    ck_assert_uint_le(cluster_held(cluster), all - ended);
}

static void check_all(void)
{
    look();
    for (size_t i = 0; i < world->n_tasks; i++) {
        check_task(&world->tasks[i]);
    }
    check_counts();
}

/* ---- events arrive ---- */

static void begin_single(size_t app)
{
    if (single[app].is_open) {
        again[app] = true;
        return;
    }
    single[app] = (struct fetch){.is_open = true,
                                 .lies = !is_calm && world_chance(world, 20),
                                 .stamp = cluster_begin_single(cluster),
                                 .sent = world->now};
}

static void apply(const struct world_event *told)
{
    struct marathon_event *event = NULL;
    ck_assert_int_eq(marathon_event_parse(told->name, told->json, strlen(told->json), &event, NULL), 0);
    size_t app = app_number(event->app_id);
    if (event->task && event->state == MARATHON_TASK_KILLING) {
        world->tasks[told->key - WORLD_APPS].was_killed = true;
    }
    enum cluster_effect effect = cluster_apply_event(cluster, event);
    marathon_event_free(event);
    if (effect == CLUSTER_FETCH_APP) {
        begin_single(app);
    }
}

static void deliver_event(size_t place)
{
    struct world_event event = world_take_event(world, place);
    bool is_lost = !is_calm && world_chance(world, 10);
    for (size_t times = is_lost ? 0 : 1 + world_chance(world, 10); times > 0; times--) {
        apply(&event);
        check_all();
    }
    free(event.name);
    free(event.json);
}

/* No event is so late that a request sent after it is answered before it. */
static void deliver_events_made_by(uint64_t time)
{
    for (size_t i = 0; i < world->n_events;) {
        if (world->events[i].made <= time) {
            deliver_event(i);
            i = 0;
        } else {
            i++;
        }
    }
}

/* ---- answers arrive ---- */

static void fetch_close(struct fetch *fetch)
{
    for (size_t i = 0; i < WORLD_APPS; i++) {
        free(fetch->apps[i]);
    }
    *fetch = (struct fetch){0};
}

static void fetch_compute(struct fetch *fetch)
{
    for (size_t app = 0; app < WORLD_APPS; app++) {
        fetch->apps[app] = world_app_json(world, app, fetch->lies);
    }
    fetch->is_computed = true;
}

static struct marathon_app *parse_app(const char *json)
{
    struct marathon_app *app = NULL;
    ck_assert_int_eq(marathon_app_parse(json, strlen(json), &app, NULL, NULL), 0);
    return app;
}

static void deliver_listed(struct fetch *fetch)
{
    size_t app = fetch->n_delivered++;
    cleanup_free char *id = mem_printf("/a%zu", app);
    if (fetch->apps[app] && !is_calm && world_chance(world, 5)) {
        cluster_put_malformed_app(cluster, fetch->stamp, id, "it is broken");
    } else if (fetch->apps[app]) {
        cluster_put_listed_app(cluster, fetch->stamp, parse_app(fetch->apps[app]));
    }
}

/* The next thing that happens to a request for all apps. */
static void step_complete(struct fetch *fetch)
{
    if (!fetch->is_open) {
        *fetch = (struct fetch){.is_open = true,
                                .lies = !is_calm && !must_be_honest && world_chance(world, 30),
                                .stamp = cluster_begin_fetch(cluster),
                                .sent = world->now};
    } else if (!fetch->is_computed) {
        fetch_compute(fetch);
    } else if (!is_calm && world_chance(world, 5)) {
        cluster_abandon_fetch(cluster, fetch->stamp);
        fetch_close(fetch);
    } else {
        deliver_events_made_by(fetch->sent);
        if (fetch->n_delivered < WORLD_APPS) {
            deliver_listed(fetch);
        } else {
            (void)cluster_end_fetch(cluster, fetch->stamp);
            must_be_honest = fetch->lies;
            fetch_close(fetch);
        }
    }
}

static void answer_single(size_t app)
{
    struct fetch *fetch = &single[app];
    cleanup_free char *id = mem_printf("/a%zu", app);
    deliver_events_made_by(fetch->sent);
    if (!is_calm && world_chance(world, 10)) {
        /* It fails. */
    } else if (fetch->apps[app]) {
        cluster_put_single_app(cluster, fetch->stamp, parse_app(fetch->apps[app]));
    } else {
        cluster_put_single_missing(cluster, fetch->stamp, id);
    }
    fetch_close(fetch);
    if (again[app]) {
        again[app] = false;
        begin_single(app);
    }
}

static void step_single(size_t app)
{
    if (single[app].is_open && !single[app].is_computed) {
        fetch_compute(&single[app]);
    } else if (single[app].is_open) {
        answer_single(app);
    }
}

/* ---- one world ---- */

static void step_world(void)
{
    size_t app = 1 + world_pick(world, WORLD_APPS - 1);
    switch (world_pick(world, 12)) {
    case 0:
        world_post(world, app);
        break;
    case 1:
        world_delete(world, app);
        break;
    case 2:
    case 3:
    case 4:
        world_launch(world, world_pick(world, WORLD_APPS));
        break;
    default:
        if (world->n_tasks > 0) {
            /* The young ones have more to live. */
            size_t back = world_pick(world, world->n_tasks < 24 ? world->n_tasks : 24);
            world_advance(world, &world->tasks[world->n_tasks - 1 - back]);
        }
        break;
    }
}

static void step(void)
{
    switch (world_pick(world, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        step_complete(&complete[world_pick(world, MAX_FETCHES)]);
        break;
    case 4:
    case 5:
        step_single(world_pick(world, WORLD_APPS));
        break;
    case 6:
        check_mirror();
        break;
    case 7:
        if (world_chance(world, 5)) {
            (void)cluster_confirm(cluster);
            /* That was the operator's word, also on what only one answer lacked. */
            for (size_t i = 0; i < world->n_tasks; i++) {
                world->tasks[i].was_known = false;
            }
        }
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        if (world->n_events > 0) {
            deliver_event(world_pick(world, world->n_events));
        }
        break;
    default:
        step_world();
        break;
    }
    check_all();
}

static void fetch_undisturbed(void)
{
    struct fetch *fetch = &complete[0];
    do {
        step_complete(fetch);
        check_all();
    } while (fetch->is_open);
}

static void settle(void)
{
    is_calm = true;
    for (size_t i = 0; i < world->n_tasks; i++) {
        while (world->tasks[i].orphan && world->tasks[i].state != MARATHON_TASK_TERMINAL) {
            world_advance(world, &world->tasks[i]);
        }
        if (world->tasks[i].state == MARATHON_TASK_TERMINAL) {
            world->tasks[i].is_gone = true;
        }
    }
    deliver_events_made_by(UINT64_MAX);
    for (size_t i = 0; i < MAX_FETCHES; i++) {
        fetch_close(&complete[i]);
    }
    for (size_t app = 0; app < WORLD_APPS; app++) {
        while (single[app].is_open) {
            step_single(app);
        }
    }
}

static void check_truth(unsigned max_removal_percent)
{
    fetch_undisturbed();
    if (max_removal_percent < 100) {
        (void)cluster_confirm(cluster);
    }
    fetch_undisturbed();
    if (max_removal_percent < 100) {
        /* While something was held no app's absence counted. */
        fetch_undisturbed();
    }
    check_mirror();
    ck_assert_uint_eq(cluster_held(cluster), 0);
    for (size_t app = 0; app < WORLD_APPS; app++) {
        cleanup_buf struct buf truth = BUF_INIT;
        buf_printf(&truth, "%u", world->version[app]);
        for (size_t i = 0; i < world->n_tasks; i++) {
            if (world_lists(&world->tasks[i], app)) {
                ck_assert_msg(world->tasks[i].known != NULL, "world %lu: %s is not known", world->seed,
                              world->tasks[i].id);
            }
        }
        cleanup_free char *id = mem_printf("/a%zu", app);
        struct cluster_view view;
        ck_assert_msg(cluster_get_app(cluster, id, &view) == world->exists[app], "world %lu: %s", world->seed, id);
        if (world->exists[app]) {
            ck_assert_str_eq(view.app->version, buf_text(&truth));
        }
    }
}

static void check_states(void)
{
    size_t listed = 0;
    for (size_t i = 0; i < world->n_tasks; i++) {
        const struct world_task *task = &world->tasks[i];
        if (world_lists(task, task->app)) {
            listed++;
            ck_assert_int_eq(task->known->state, task->state);
            ck_assert(!cluster_task_waits(cluster, task->id));
        }
    }
    ck_assert_uint_eq(cluster_count(cluster).tasks, listed);
    ck_assert_uint_eq(cluster_count(cluster).tombstones, 0);
}

static void live(uint64_t seed, unsigned max_removal_percent)
{
    is_calm = must_be_honest = false;
    world = MEM_NEW(struct world);
    world->seed = seed;
    world->random = seed * 0x9E3779B97F4A7C15u + 1;
    cluster = cluster_new(
        &(struct cluster_config){.seed = seed, .missing_confirmations = 2, .max_removal_percent = max_removal_percent});
    world_post(world, 0);
    for (size_t i = 0; i < STEPS; i++) {
        step();
    }
    settle();
    check_truth(max_removal_percent);
    check_states();
    for (size_t app = 0; app < WORLD_APPS; app++) {
        free(mirror[app]);
        mirror[app] = NULL;
    }
    cluster_free(cluster);
    world_free(world);
}

static uint64_t runs(void)
{
    const char *text = getenv("SLOTD_MODEL_RUNS");
    return text ? strtoull(text, NULL, 10) : 250;
}

START_TEST(after_faults_the_cluster_equals_the_truth)
{
    for (uint64_t seed = 1; seed <= runs(); seed++) {
        mark_point();
        live(seed, 100);
    }
}
END_TEST

START_TEST(the_guard_ends_with_a_confirmation)
{
    for (uint64_t seed = 1; seed <= runs(); seed++) {
        live(seed + 1000000, 50);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster_model");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, after_faults_the_cluster_equals_the_truth);
    tcase_add_test(tests, the_guard_ends_with_a_confirmation);
    tcase_set_timeout(tests, 0);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
