/* SPDX-License-Identifier: MIT */
/* Random endpoints, faults and restarts against the model: the rules hold after every command, and it comes to rest. */
#include "model.h"
#include "suite.h"

#define STEPS 400
#define MAX_ENDPOINTS 24

static uint64_t random_state;

static unsigned pick(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

struct world {
    struct model model;
    struct slots *slots;
    struct slot_endpoint endpoints[MAX_ENDPOINTS];
    char keys[MAX_ENDPOINTS][32];
    bool present[MAX_ENDPOINTS];
    unsigned life[MAX_ENDPOINTS];
};

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

static void world_change(struct world *world)
{
    size_t i = pick(MAX_ENDPOINTS);
    struct slot_endpoint *endpoint = &world->endpoints[i];
    if (!world->present[i] || endpoint->gone) {
        /* Another life: another key and port, as a new task has. */
        snprintf(world->keys[i], sizeof(world->keys[i]), "%02zu.%u", i, world->life[i]++ % 1000);
        *endpoint = (struct slot_endpoint){.key = world->keys[i],
                                           .address = "10.0.0.1",
                                           .port = (uint16_t)(1000 + pick(4000)),
                                           .weight = (uint16_t)pick(257)};
        world->present[i] = true;
    } else if (pick(4) == 0) {
        world->present[i] = false;
    } else if (pick(3) == 0) {
        endpoint->gone = true;
    } else if (pick(3) == 0) {
        endpoint->drain = !endpoint->drain;
    } else if (pick(3) == 0) {
        endpoint->weight = (uint16_t)pick(257);
    } else {
        endpoint->port = (uint16_t)(1000 + pick(4000));
    }
    world_want(world);
}

/* Never two: no endpoint in two slots, no slot with two. */
static void world_check(const struct world *world)
{
    for (size_t i = 0; i < MAX_ENDPOINTS; i++) {
        long slot = world->present[i] ? slots_find_endpoint(world->slots, world->endpoints[i].key) : -1;
        if (slot < 0) {
            continue;
        }
        struct slot_view view = slots_view(world->slots, (size_t)slot);
        ck_assert_str_eq(view.endpoint, world->endpoints[i].key);
        for (size_t k = 0; k < slots_count(world->slots); k++) {
            struct slot_view other = slots_view(world->slots, k);
            ck_assert(k == (size_t)slot || !other.endpoint || other.state == SLOT_LEAVING ||
                      other.state == SLOT_UNKNOWN || strcmp(other.endpoint, view.endpoint) != 0);
        }
    }
}

/* One plan, of which a random part is answered before the connection may be lost. */
static void world_step(struct world *world, bool faults)
{
    struct slots_options options = {.read_back = world->model.is_late};
    struct slot_plan plan = {0};
    slots_plan(world->slots, &options, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        const struct slot_command *command = &plan.commands[i];
        if (faults && pick(200) == 0) {
            slots_forget(world->slots);
            model_settle(&world->model);
            model_show(&world->model, world->slots, true);
            world_want(world);
            break;
        }
        if (command->kind == SLOT_COMMAND_READ) {
            if (!faults || pick(3) > 0) {
                model_settle(&world->model);
            }
            model_show(&world->model, world->slots, false);
        } else if (faults && pick(60) == 0) {
            slots_acknowledge(world->slots, command, false);
        } else {
            model_apply(&world->model, command);
            slots_acknowledge(world->slots, command, true);
        }
        world_check(world);
    }
    slot_plan_free(&plan);
}

static void world_restart_haproxy(struct world *world, const struct model *saved)
{
    bool is_late = world->model.is_late;
    slots_forget(world->slots);
    world->model = *saved;
    world->model.is_late = is_late;
    for (size_t i = 0; i < world->model.count; i++) {
        world->model.rows[i].server = world->model.names[i];
    }
    model_show(&world->model, world->slots, true);
    slots_release_orphans(world->slots);
    world_want(world);
}

/* Every endpoint that fits serves at its address with its weight; nothing else serves. */
static void world_is_right(struct world *world)
{
    size_t living = 0;
    size_t placed = 0;
    size_t serving = 0;
    for (size_t i = 0; i < MAX_ENDPOINTS; i++) {
        const struct slot_endpoint *endpoint = &world->endpoints[i];
        if (!world->present[i] || endpoint->gone || endpoint->drain) {
            continue;
        }
        living++;
        long slot = slots_find_endpoint(world->slots, endpoint->key);
        if (slot < 0) {
            continue;
        }
        placed++;
        const struct slot_observed *row = &world->model.rows[slot];
        ck_assert_uint_eq(row->port, endpoint->port);
        ck_assert_uint_eq(row->weight, endpoint->weight);
        ck_assert_uint_eq(row->admin, SLOT_ADMIN_CMAINT);
    }
    ck_assert_uint_eq(placed, living < world->model.count ? living : world->model.count);
    for (size_t i = 0; i < world->model.count; i++) {
        struct slot_view view = slots_view(world->slots, i);
        serving += world->model.rows[i].admin == SLOT_ADMIN_CMAINT;
        bool rests = view.state == SLOT_ASSIGNING && (world->model.rows[i].admin & SLOT_ADMIN_MAINT);
        ck_assert_msg(rests || view.state == SLOT_FREE || view.state == SLOT_READY || view.state == SLOT_DRAINING,
                      "%s is %s", view.observed->server, slot_state_text(view.state));
    }
    ck_assert_uint_ge(serving, placed);
}

static void world_restart_slotd(struct world *world)
{
    slots_free(world->slots);
    world->slots = slots_new("web");
    model_show(&world->model, world->slots, true);
    world_want(world);
}

START_TEST(random_story)
{
    struct world world = {0};
    struct model saved;
    random_state = 0x9e3779b97f4a7c15U * (uint64_t)(_i + 1);
    model_init(&world.model, 4 + (size_t)_i % 13, _i % 2 == 1);
    saved = world.model;
    world.slots = slots_new("web");
    model_show(&world.model, world.slots, true);
    for (int step = 0; step < STEPS; step++) {
        world_change(&world);
        world_step(&world, true);
        if (pick(50) == 0) {
            model_settle(&world.model);
            saved = world.model;
        }
        if (pick(80) == 0) {
            world_restart_haproxy(&world, &saved);
        }
    }
    /* The faults end: a new connection, then rest. */
    world_restart_haproxy(&world, &saved);
    model_run(&world.model, world.slots, NULL);
    world_is_right(&world);
    ck_assert(slots_is_settled(world.slots));
    world_restart_slotd(&world);
    ck_assert_msg(model_run(&world.model, world.slots, NULL) == 0, "a restart with nothing changed sent something");
    slots_free(world.slots);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slots, by a model");
    TCase *tests = tcase_create("stories");
    tcase_add_loop_test(tests, random_story, 0, 40);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
