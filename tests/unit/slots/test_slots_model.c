/* SPDX-License-Identifier: MIT */
/* Random endpoints, faults and restarts against the model: the rules hold after every command, and it comes to rest. */
#include "model.h"
#include "suite.h"

#define STEPS 400
#define SEEDS 100
#define MAX_ENDPOINTS 24
#define MAX_PLANS_TO_REST 150

static uint64_t random_state;

static unsigned pick(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

/* What may happen in a story. */
struct story {
    bool faults; /* refusals, lost connections, restarts */
    bool twins;  /* endpoints may share an address */
    bool gentle; /* nothing that takes a server out at once: no end of a task, no operator, no weight of 0 */
    bool checks; /* the slots have health checks */
    bool grows;  /* servers are added where slots lack */
};

struct world {
    struct story story;
    struct model model;
    struct slots *slots;
    struct slot_endpoint endpoints[MAX_ENDPOINTS];
    char keys[MAX_ENDPOINTS][32];
    bool present[MAX_ENDPOINTS];
    unsigned life[MAX_ENDPOINTS];
};

/* A plan as it was sent: what it borrows from the slots may be gone when the answers come. */
struct sent_plan {
    struct slot_plan plan;
    char addresses[4 * MODEL_SLOTS][SLOTS_MAX_ADDRESS];
    uint16_t ready_ports[MODEL_SLOTS]; /* of the endpoint that each slot had then */
};

/* ---- what should be ---- */

static void world_want(struct world *world)
{
    struct slot_endpoint list[MAX_ENDPOINTS];
    size_t count = 0;
    for (size_t i = 0; i < MAX_ENDPOINTS; i++) {
        if (world->present[i]) {
            list[count++] = world->endpoints[i];
        }
    }
    slots_set_desired(world->slots, list, count);
}

static uint16_t pick_weight(const struct world *world)
{
    return (uint16_t)(world->story.gentle ? 1 + pick(256) : pick(257));
}

static uint16_t pick_port(const struct world *world, size_t i)
{
    return (uint16_t)(world->story.twins ? 1000 + pick(20) : 1000 * (i + 1) + pick(500));
}

static void endpoint_change(const struct world *world, struct slot_endpoint *endpoint)
{
    if (pick(3) == 0) {
        endpoint->drain = !endpoint->drain;
    } else if (pick(3) == 0) {
        endpoint->weight = pick_weight(world);
    } else if (world->story.gentle) {
        endpoint->port = pick_port(world, (size_t)(endpoint - world->endpoints));
    } else if (pick(3) == 0) {
        endpoint->operator_drain = !endpoint->operator_drain;
    } else if (pick(2) == 0) {
        endpoint->gone = true;
    } else {
        endpoint->port = pick_port(world, (size_t)(endpoint - world->endpoints));
    }
}

static void world_change(struct world *world)
{
    size_t i = pick(MAX_ENDPOINTS);
    struct slot_endpoint *endpoint = &world->endpoints[i];
    if (!world->present[i] || endpoint->gone) {
        /* Another life: another key and port, as a new task has. */
        snprintf(world->keys[i], sizeof(world->keys[i]), "%02zu.%u", i, world->life[i]++ % 1000);
        *endpoint = (struct slot_endpoint){
            .key = world->keys[i], .address = "10.0.0.1", .port = pick_port(world, i), .weight = pick_weight(world)};
        world->present[i] = true;
    } else if (pick(4) == 0) {
        world->present[i] = false;
    } else {
        endpoint_change(world, endpoint);
    }
    world_want(world);
}

static const struct slot_endpoint *world_find(const struct world *world, const char *key)
{
    for (size_t i = 0; key && i < MAX_ENDPOINTS; i++) {
        if (world->present[i] && strcmp(world->endpoints[i].key, key) == 0) {
            return &world->endpoints[i];
        }
    }
    return NULL;
}

/* How many are to serve. */
static size_t world_count_living(const struct world *world)
{
    size_t living = 0;
    for (size_t i = 0; i < MAX_ENDPOINTS; i++) {
        const struct slot_endpoint *endpoint = &world->endpoints[i];
        living += world->present[i] && !endpoint->gone && !endpoint->drain && !endpoint->operator_drain;
    }
    return living;
}

/* ---- the rules ---- */

/* Never two: no endpoint in two slots, no slot with two. */
static void world_check(const struct world *world)
{
    long places[MAX_ENDPOINTS];
    for (size_t i = 0; i < MAX_ENDPOINTS; i++) {
        places[i] = world->present[i] ? slots_find_endpoint(world->slots, world->endpoints[i].key) : -1;
        for (size_t k = 0; places[i] >= 0 && k < i; k++) {
            if (places[k] == places[i]) {
                ck_abort_msg("%s and %s are in one slot", world->endpoints[i].key, world->endpoints[k].key);
            }
        }
        const char *named = places[i] >= 0 ? slots_view(world->slots, (size_t)places[i]).endpoint : NULL;
        if (places[i] >= 0 && (!named || strcmp(named, world->endpoints[i].key) != 0)) {
            ck_abort_msg("the slot of %s says %s", world->endpoints[i].key, named ? named : "nothing");
        }
    }
}

/* Who takes traffic. */
struct traffic {
    bool carries[MODEL_SLOTS];
    bool would[MODEL_SLOTS]; /* out of a drain */
    size_t carrying;
    bool passed;       /* the check of one of them has passed */
    bool passed_stays; /* and it is to stay there */
};

static struct traffic traffic_of(const struct world *world)
{
    const struct model *model = &world->model;
    struct traffic traffic = {.carrying = model_count_carrying(model)};
    for (size_t i = 0; i < model->count; i++) {
        const struct slot_endpoint *owner = world_find(world, model_view(model, world->slots, i).endpoint);
        bool stays = owner && !owner->drain && owner->port == model->rows[i].port;
        traffic.carries[i] = !model->gone[i] && model_is_carrying(&model->rows[i]);
        traffic.would[i] = (model->rows[i].admin & (SLOT_ADMIN_MAINT | SLOT_ADMIN_DRAIN)) == SLOT_ADMIN_FDRAIN &&
                           model->rows[i].op_state != 0;
        traffic.passed = traffic.passed || (traffic.carries[i] && model->passed[i]);
        traffic.passed_stays = traffic.passed_stays || (traffic.carries[i] && model->passed[i] && stays);
    }
    return traffic;
}

/* Whether a server that no check has had up yet could be put up. */
static bool world_has_starting(const struct world *world)
{
    for (size_t i = 0; i < world->model.count; i++) {
        struct slot_view view = model_view(&world->model, world->slots, i);
        const struct slot_endpoint *owner = world_find(world, view.endpoint);
        if (view.state == SLOT_STARTING && owner && !owner->drain) {
            return true;
        }
    }
    return false;
}

/* Nobody takes traffic unchecked while others do, unless it is called since all of them are to go; and as long as
 * somebody could, nobody is the last to be taken out. */
static void world_check_health(const struct world *world, const struct slot_command *command, struct traffic was)
{
    struct traffic now = traffic_of(world);
    size_t place = model_find_place(&world->model, command->server);
    const struct slot_endpoint *owner = world_find(world, slots_view(world->slots, command->slot).endpoint);
    bool called = command->kind == SLOT_COMMAND_HEALTH_UP || (owner && owner->drain);
    bool others_do = called ? was.passed_stays : was.passed;
    if (now.carries[place] && !was.carries[place] && !was.would[place] && !world->model.passed[place] && others_do) {
        ck_abort_msg("%s takes traffic before its first check, and others do", command->server);
    }
    if (was.carrying > 0 && now.carrying == 0 && (command->kind == SLOT_COMMAND_DRAIN || world_has_starting(world))) {
        ck_abort_msg("nothing takes traffic after %s %s", command->server,
                     command->kind == SLOT_COMMAND_DRAIN ? "drains" : "was taken out, and one starts");
    }
}

static void world_apply(struct world *world, const struct sent_plan *sent, const struct slot_command *command)
{
    size_t before = model_count_serving(&world->model);
    size_t living = world_count_living(world);
    struct traffic was = traffic_of(world);
    model_apply(&world->model, command);
    const struct slot_observed *row = &world->model.rows[model_find_place(&world->model, command->server)];
    if (command->kind == SLOT_COMMAND_READY && row->port != sent->ready_ports[command->slot]) {
        ck_abort_msg("%s made ready at port %u, not %u", row->server, row->port, sent->ready_ports[command->slot]);
    }
    if (world->story.gentle && world->story.checks) {
        world_check_health(world, command, was);
    } else if (world->story.gentle && before > 0 && living > 0 && model_count_serving(&world->model) == 0) {
        ck_abort_msg("nothing serves after %s, and %zu should", row->server, living);
    }
}

/* ---- what happens ---- */

static void world_plan(struct world *world, struct sent_plan *sent)
{
    struct slots_options options = model_options(&world->model);
    sent->plan = (struct slot_plan){0};
    slots_plan(world->slots, &options, &sent->plan);
    ck_assert_uint_le(sent->plan.count, 4 * MODEL_SLOTS);
    for (size_t i = 0; i < sent->plan.count; i++) {
        struct slot_command *command = &sent->plan.commands[i];
        if (command->kind == SLOT_COMMAND_ADDRESS) {
            snprintf(sent->addresses[i], SLOTS_MAX_ADDRESS, "%s", command->address);
            command->address = sent->addresses[i];
        } else if (command->kind == SLOT_COMMAND_READY) {
            const struct slot_endpoint *owner = world_find(world, slots_view(world->slots, command->slot).endpoint);
            ck_assert_ptr_nonnull(owner);
            sent->ready_ports[command->slot] = owner->port;
        }
    }
}

static void world_reconnect(struct world *world)
{
    slots_forget(world->slots);
    if (pick(2)) {
        world_change(world);
    }
    model_show(&world->model, world->slots, true);
    world_want(world);
}

/* HAProxy does the rest of the plan, or a part of it, and nobody hears of it. */
static void world_lose_connection(struct world *world, const struct sent_plan *sent, size_t next)
{
    size_t left = sent->plan.count - next;
    size_t end = next + (left ? pick((unsigned)left + 1) : 0);
    for (; next < end; next++) {
        if (sent->plan.commands[next].kind != SLOT_COMMAND_READ) {
            world_apply(world, sent, &sent->plan.commands[next]);
        }
    }
    world_reconnect(world);
}

static void world_answer(struct world *world, const struct sent_plan *sent, const struct slot_command *command)
{
    bool faults = world->story.faults;
    if (command->kind == SLOT_COMMAND_READ) {
        if (!faults || pick(3) > 0) {
            model_settle(&world->model);
        }
        model_show(&world->model, world->slots, false);
    } else if ((faults && pick(60) == 0) || (command->kind == SLOT_COMMAND_DELETE && pick(3) == 0)) {
        slots_acknowledge(world->slots, command, false);
    } else {
        world_apply(world, sent, command);
        slots_acknowledge(world->slots, command, true);
    }
    world_check(world);
}

/* One plan; the connection may be lost at each of its answers, and endpoints may change between them. */
static size_t world_step(struct world *world)
{
    struct sent_plan sent = {0};
    world_plan(world, &sent);
    size_t count = sent.plan.count;
    for (size_t i = 0; i < count; i++) {
        if (world->story.faults && pick(100) == 0) {
            world_lose_connection(world, &sent, i);
            break;
        }
        world_answer(world, &sent, &sent.plan.commands[i]);
        if (world->story.faults && pick(40) == 0) {
            world_change(world);
        }
    }
    slot_plan_free(&sent.plan);
    return count;
}

/* A HAProxy that comes back has what its server-state file had. */
static void world_restart_haproxy(struct world *world, const struct model *saved)
{
    slots_forget(world->slots);
    int64_t now_ms = world->model.now_ms;
    world->model = *saved;
    world->model.now_ms = now_ms;
    for (size_t i = 0; i < world->model.count; i++) {
        world->model.rows[i].server = world->model.names[i];
        world->model.gone[i] = world->model.gone[i] || world->model.rows[i].added;
    }
    model_show(&world->model, world->slots, true);
    slots_release_orphans(world->slots, SIZE_MAX);
    world_want(world);
}

static void world_restart_slotd(struct world *world)
{
    model_settle(&world->model);
    slots_free(world->slots);
    world->slots = slots_new("web");
    model_show(&world->model, world->slots, true);
    world_want(world);
}

/* Checks pass and fail at any time; a poll may tell. */
static void world_run_checks(struct world *world)
{
    for (size_t i = 0; world->story.checks && i < world->model.count; i++) {
        if (pick(4) == 0) {
            model_check(&world->model, i, pick(3) > 0);
        }
    }
    if (world->story.checks && (world->story.gentle || pick(3) == 0)) {
        (void)model_compare(&world->model, world->slots);
    }
}

/* Sessions end sooner or later. */
static void world_run_sessions(struct world *world, unsigned most)
{
    struct slot_sessions rows[MODEL_SLOTS];
    for (size_t i = 0; i < world->model.count; i++) {
        rows[i] = (struct slot_sessions){world->model.names[i], pick(most)};
    }
    (void)slots_take_sessions(world->slots, rows, world->model.count);
}

static void world_pass_time(struct world *world)
{
    world->model.now_ms += pick(MODEL_DRAIN_MS / 4);
    world_run_checks(world);
    if (pick(4) == 0) {
        world_run_sessions(world, 3);
    }
}

/* Another hand changes a slot that nothing is on its way to, and it is noticed before something is. */
static void world_tamper(struct world *world)
{
    size_t place = pick((unsigned)world->model.count);
    enum slot_state state = model_view(&world->model, world->slots, place).state;
    struct slot_observed *row = &world->model.rows[place];
    if (!world->model.pending[place] && state != SLOT_ASSIGNING && state != SLOT_UNKNOWN && state != SLOT_ABSENT) {
        row->weight = pick(2) ? (uint16_t)pick(257) : row->weight;
        row->port = pick(2) ? (uint16_t)(1 + pick(60000)) : row->port;
        row->admin ^= pick(2) ? SLOT_ADMIN_FMAINT : pick(2) ? SLOT_ADMIN_FDRAIN : 0;
    }
    (void)model_compare(&world->model, world->slots);
}

static void world_begin(struct world *world, struct story story, int seed)
{
    random_state = 0x9e3779b97f4a7c15U * (uint64_t)(seed + 1);
    world->story = story;
    model_init(&world->model, 2 + (size_t)seed % 15, seed % 2 == 1);
    for (size_t i = 0; story.checks && i < world->model.count; i++) {
        world->model.rows[i].checked = true;
    }
    world->model.grows = story.grows;
    world->model.checked = story.checks;
    world->model.starts_down = story.checks && seed % 3 == 2;
    world->slots = slots_new("web");
    model_show(&world->model, world->slots, true);
}

/* ---- the end ---- */

static size_t world_come_to_rest(struct world *world)
{
    size_t plans = 0;
    world->story.faults = false;
    slots_release_orphans(world->slots, SIZE_MAX);
    for (size_t idle = 0; idle < 5; plans++) {
        bool retried = slots_retry_aside(world->slots) > 0;
        for (size_t i = 0; i < world->model.count; i++) {
            model_check(&world->model, i, true);
        }
        (void)model_compare(&world->model, world->slots);
        if (world->story.grows) {
            /* Nothing is left that would be tried again later. */
            world->model.now_ms += 10 * MODEL_DRAIN_MS;
            world_run_sessions(world, 1);
        }
        idle = world_step(world) == 0 && !retried ? idle + 1 : 0;
        ck_assert_msg(plans < MAX_PLANS_TO_REST, "no end of commands");
    }
    ck_assert(model_is_at_rest(&world->model, world->slots));
    return plans;
}

/* No added server is left free, and none serves whom a slot of the configuration could serve. */
static void world_has_no_surplus(const struct world *world)
{
    bool has_free = false;
    for (size_t i = 0; i < world->model.count; i++) {
        struct slot_view view = model_view(&world->model, world->slots, i);
        enum slot_state state = view.state;
        bool added = world->model.rows[i].added;
        bool is_free = (state == SLOT_FREE || state == SLOT_HELD) && !view.endpoint;
        ck_assert_msg(!added || !is_free, "%s is left", world->model.names[i]);
        has_free = has_free || (!added && state == SLOT_FREE);
    }
    for (size_t i = 0; has_free && i < world->model.count; i++) {
        struct slot_view view = model_view(&world->model, world->slots, i);
        ck_assert_msg(!world->model.rows[i].added || view.state != SLOT_READY, "%s serves, and slots are free",
                      world->model.names[i]);
    }
}

/* Every endpoint that fits serves at its address with its weight; nothing else serves. */
static void world_is_right(const struct world *world)
{
    size_t living = world_count_living(world);
    size_t placed = 0;
    for (size_t i = 0; i < MAX_ENDPOINTS; i++) {
        const struct slot_endpoint *endpoint = &world->endpoints[i];
        long slot = world->present[i] ? slots_find_endpoint(world->slots, endpoint->key) : -1;
        if (slot < 0 || endpoint->drain || endpoint->operator_drain) {
            continue;
        }
        placed++;
        const char *server = slots_view(world->slots, (size_t)slot).observed->server;
        const struct slot_observed *row = &world->model.rows[model_find_place(&world->model, server)];
        ck_assert_uint_eq(row->port, endpoint->port);
        ck_assert_uint_eq(row->weight, endpoint->weight);
        ck_assert_uint_eq(row->admin, row->added ? 0 : SLOT_ADMIN_CMAINT);
    }
    bool fits = world->story.grows || living < world->model.count;
    ck_assert_uint_eq(placed, fits ? living : world->model.count);
    world_has_no_surplus(world);
    for (size_t i = 0; i < world->model.count; i++) {
        struct slot_view view = model_view(&world->model, world->slots, i);
        bool rests = view.state == SLOT_ASSIGNING && (world->model.rows[i].admin & SLOT_ADMIN_MAINT);
        ck_assert_msg(rests || (view.state != SLOT_ASSIGNING && view.state != SLOT_LEAVING &&
                                view.state != SLOT_ORPHAN && view.state != SLOT_UNKNOWN),
                      "%s is %s", view.observed->server, slot_state_text(view.state));
    }
}

static void world_end(struct world *world)
{
    world_come_to_rest(world);
    world_is_right(world);
    world_restart_slotd(world);
    struct buf text = BUF_INIT;
    size_t sent = model_run(&world->model, world->slots, &text);
    /* Which of two with one address has which slot cannot be seen. */
    ck_assert_msg(world->story.twins || sent == 0, "a restart with nothing changed sent %s", buf_text(&text));
    buf_free(&text);
    slots_free(world->slots);
}

/* ---- stories ---- */

static void run_faults(struct story story, int seed)
{
    static struct world world;
    static struct model saved;
    world_begin(&world, story, seed);
    saved = world.model;
    for (int step = 0; step < STEPS; step++) {
        world_change(&world);
        world_step(&world);
        world_pass_time(&world);
        if (pick(40) == 0) {
            world_tamper(&world);
        }
        if (pick(50) == 0) {
            model_settle(&world.model);
            saved = world.model;
        }
        if (pick(50) == 0) {
            slots_retry_aside(world.slots);
        }
        if (pick(80) == 0) {
            world_restart_haproxy(&world, &saved);
        } else if (pick(80) == 0) {
            world_restart_slotd(&world);
        }
    }
    world_end(&world);
}

START_TEST(with_faults)
{
    run_faults((struct story){.faults = true, .twins = _i % 4 == 3, .checks = _i % 3 != 0}, _i);
}
END_TEST

/* Without faults, and with nothing that ends at once, a service that has servers never loses all of them. */
static void run_gently(struct story story, int seed)
{
    static struct world world;
    world_begin(&world, story, seed);
    for (int step = 0; step < STEPS; step++) {
        unsigned changes = 1 + pick(pick(4) ? 2 : 20);
        for (unsigned i = 0; i < changes; i++) {
            world_change(&world);
        }
        world_step(&world);
        world_pass_time(&world);
    }
    world_end(&world);
}

START_TEST(never_dark)
{
    run_gently((struct story){.gentle = true, .twins = _i % 4 == 3, .checks = _i % 3 != 0}, _i);
}
END_TEST

/* The same two, where servers are added and deleted. */
START_TEST(grows_with_faults)
{
    run_faults((struct story){.faults = true, .grows = true, .twins = _i % 4 == 3, .checks = _i % 3 != 0}, _i);
}
END_TEST

START_TEST(grows_never_dark)
{
    run_gently((struct story){.gentle = true, .grows = true, .twins = _i % 4 == 3, .checks = _i % 3 != 0}, _i);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots, by a model");
    TCase *tests = tcase_create("stories");
    tcase_add_loop_test(tests, with_faults, 0, SEEDS);
    tcase_add_loop_test(tests, never_dark, 0, SEEDS);
    tcase_add_loop_test(tests, grows_with_faults, 0, SEEDS);
    tcase_add_loop_test(tests, grows_never_dark, 0, SEEDS);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
