/* SPDX-License-Identifier: MIT */
/* Leases in stories of chance, against a model of what may still lead where: no backend is given to another service
 * while something does. */
#include "slotd/leases.h"
#include "suite.h"

#include <string.h>

static const struct lease_pool pools[] = {
    {"http", "pool-http-"}, {"sticky", "pool-sticky-"}, {"http", "pool-http-big-"}, {"tcp", "pool-tcp-"}};
static struct leases *leases;

static bool always(void *arg, const char *backend)
{
    (void)arg;
    ck_assert_ptr_nonnull(backend);
    return true;
}

#define STORIES 60
#define STEPS 2000
#define N_SERVICES 12
#define N_BACKENDS 8

/* What the world outside knows: whose traffic a backend's file or route may still lead to. */
struct world {
    uint64_t chance;
    int64_t now_ms;
    int trail[N_BACKENDS];        /* the service that something leads there for, or -1 */
    int64_t shown_ms[N_BACKENDS]; /* when files stopped to, or -1 */
    bool saving[N_BACKENDS];
};

static const char *const story_backends[N_BACKENDS] = {"pool-http-1",   "pool-http-2",    "pool-http-3",
                                                       "pool-sticky-1", "pool-sticky-2",  "pool-tcp-1",
                                                       "pool-tcp-2",    "pool-http-big-1"};

static unsigned pick(struct world *world, unsigned below)
{
    world->chance += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = world->chance;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ (z >> 31)) % below);
}

static const char *service_name(unsigned service)
{
    static char names[N_SERVICES][8];
    snprintf(names[service], sizeof(names[service]), "s%u", service);
    return names[service];
}

static int service_number(const char *name)
{
    return (int)strtol(name + 1, NULL, 10);
}

static size_t backend_number(const char *name)
{
    size_t i = 0;
    while (strcmp(story_backends[i], name) != 0) {
        i++;
    }
    return i;
}

/* Nothing may lead to a backend that is given to another, by HAProxy or by files that are less than 10 ms old. */
static void world_give(struct world *world)
{
    const char *service = NULL;
    const char *backend = NULL;
    while (leases_give(leases, always, NULL, &service, &backend)) {
        size_t b = backend_number(backend);
        int s = service_number(service);
        ck_assert(world->trail[b] == -1 || world->trail[b] == s);
        world->trail[b] = s;
        world->shown_ms[b] = -1;
        world->saving[b] = false;
    }
}

static bool world_is_clear(void *arg, const char *backend)
{
    struct world *world = arg;
    bool clear = pick(world, 3) > 0;
    world->saving[backend_number(backend)] = clear;
    return clear;
}

static void world_release(struct world *world, unsigned service)
{
    const char *names[] = {leases_get_leaving(leases, service_name(service)),
                           leases_get(leases, service_name(service))};
    const char *backend = names[0] && pick(world, 2) ? names[0] : names[1];
    if (backend) {
        leases_release(leases, backend);
    }
}

static void world_save(struct world *world)
{
    bool some = leases_begin_saving(leases, world_is_clear, world);
    bool marked = false;
    for (size_t b = 0; b < N_BACKENDS; b++) {
        marked = marked || world->saving[b];
    }
    ck_assert(!some || marked);
    if (pick(world, 2)) {
        world_release(world, pick(world, N_SERVICES));
    }
    world->now_ms += pick(world, 5);
    leases_end_saving(leases, world->now_ms);
    for (size_t b = 0; b < N_BACKENDS; b++) {
        if (world->saving[b]) {
            world->shown_ms[b] = world->now_ms;
            world->saving[b] = false;
        }
    }
}

static void world_pass_time(struct world *world)
{
    world->now_ms += pick(world, 8);
    int64_t due = leases_expire(leases, world->now_ms, 10);
    ck_assert(due > world->now_ms);
    for (size_t b = 0; b < N_BACKENDS; b++) {
        bool over = world->shown_ms[b] >= 0 && world->shown_ms[b] + 10 <= world->now_ms;
        if (over) {
            world->trail[b] = -1;
            world->shown_ms[b] = -1;
        }
        if (leases_state(leases, story_backends[b]) == LEASE_FREE) {
            ck_assert_int_eq(world->trail[b], -1);
        }
    }
}

/* Each backend with its one service, each service with at most two backends, and the counts are those of the states. */
static void world_check(void)
{
    size_t leased = 0;
    size_t by_count = 0;
    size_t leaving = 0;
    size_t listed = 0;
    for (const char *name = NULL; (name = leases_next_leaving(leases, name)); listed++) {
        ck_assert_int_eq(leases_state(leases, name), LEASE_LEAVING);
    }
    ck_assert_uint_eq(listed, leases_count_leaving(leases));
    for (size_t b = 0; b < N_BACKENDS; b++) {
        const char *service = leases_find_service(leases, story_backends[b]);
        enum lease_state state = leases_state(leases, story_backends[b]);
        ck_assert_int_eq(service != NULL, state == LEASE_LEASED || state == LEASE_LEAVING);
        if (service) {
            const char *back =
                state == LEASE_LEASED ? leases_get(leases, service) : leases_get_leaving(leases, service);
            ck_assert_str_eq(back, story_backends[b]);
        }
        leased += service != NULL;
        leaving += state == LEASE_LEAVING;
    }
    for (size_t i = 0; i < leases_count_pools(leases); i++) {
        struct lease_counts found = leases_count(leases, i);
        ck_assert_uint_eq(found.total, found.leased + found.free + found.released);
        by_count += found.leased;
    }
    ck_assert_uint_ge(leased, by_count); /* some are of a pool that is gone */
    ck_assert_uint_eq(leaving, leases_count_leaving(leases));
}

static void world_step(struct world *world)
{
    static const char *const classes[] = {"http", "sticky", "leastconn", "tcp", "https"};
    unsigned service = pick(world, N_SERVICES);
    switch (pick(world, 9)) {
    case 0:
    case 1:
        leases_want(leases, service_name(service), classes[pick(world, 5)]);
        break;
    case 2:
        leases_unwant(leases, service_name(service));
        break;
    case 3:
        leases_leave(leases, service_name(service));
        break;
    case 4:
        world_release(world, service);
        break;
    case 5:
        world_save(world);
        break;
    case 6:
        world_give(world);
        break;
    case 7: /* slotd.conf has other pools, now and then; classes may change their pools, too */
        if (pick(world, 8) == 0) {
            size_t first = pick(world, 3);
            leases_set_backends(leases, pools + first, pick(world, (unsigned)(5 - first)), story_backends, N_BACKENDS,
                                NULL, NULL);
        }
        break;
    default:
        world_pass_time(world);
    }
    world_check();
}

START_TEST(stories)
{
    struct world world = {.chance = (uint64_t)_i * 7919, .now_ms = 1000};
    for (size_t b = 0; b < N_BACKENDS; b++) {
        world.trail[b] = -1;
        world.shown_ms[b] = -1;
    }
    leases = leases_new(11);
    leases_set_backends(leases, pools, 4, story_backends, N_BACKENDS, NULL, NULL);
    for (int i = 0; i < STEPS; i++) {
        world_step(&world);
    }
    /* In calm everybody whom a pool can serve is served. */
    leases_set_backends(leases, pools, 4, story_backends, N_BACKENDS, NULL, NULL);
    for (unsigned s = 0; s < N_SERVICES; s++) {
        leases_unwant(leases, service_name(s));
        world_release(&world, s);
        world_release(&world, s);
    }
    for (size_t b = 0; b < N_BACKENDS; b++) {
        leases_release(leases, story_backends[b]);
    }
    (void)leases_begin_saving(leases, always, NULL);
    leases_end_saving(leases, world.now_ms);
    ck_assert_int_eq(leases_expire(leases, world.now_ms, 0), LEASES_NEVER);
    for (unsigned s = 0; s < 4; s++) {
        leases_want(leases, service_name(s), "http");
        leases_want(leases, service_name(s + 4), s < 2 ? "sticky" : "tcp");
    }
    const char *service = NULL;
    const char *backend = NULL;
    for (int i = 0; i < N_BACKENDS; i++) {
        ck_assert(leases_give(leases, always, NULL, &service, &backend));
    }
    ck_assert(!leases_give(leases, always, NULL, &service, &backend));
    leases_free(leases);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("leases, by a model");
    TCase *tests = tcase_create("stories");
    tcase_add_loop_test(tests, stories, 0, STORIES);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
