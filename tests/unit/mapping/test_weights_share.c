/* SPDX-License-Identifier: MIT */
/* Shares of a service's traffic: exact cases, those without a meaning, and a bound of the error on random services. */
#include <stdint.h>
#include <string.h>

#include "slotd/mapping.h"
#include "suite.h"

enum { MAX_ENDPOINTS = 4096, MAX_APPS = 16 };

static struct weight_endpoint endpoints[MAX_ENDPOINTS];
static uint16_t scaled[MAX_ENDPOINTS];
static size_t count;
static struct weight_override apps[MAX_APPS];
static size_t n_apps;

static void setup(void)
{
    count = n_apps = 0;
}

/* Another app with so many endpoints; returns the index of its first one. */
static size_t app(enum weight_override_kind kind, int32_t value, size_t n, int32_t weight)
{
    size_t first = count;
    apps[n_apps] = (struct weight_override){kind, value};
    for (size_t i = 0; i < n; i++) {
        endpoints[count++] = (struct weight_endpoint){.app = n_apps, .weight = weight};
    }
    n_apps++;
    return first;
}

static void solve(void)
{
    memset(scaled, 0xff, sizeof(scaled));
    weights_share(endpoints, count, apps, n_apps, scaled);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(scaled[i] <= 256, "weight %zu is %u", i, scaled[i]);
    }
}

static int64_t units(size_t wanted)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += endpoints[i].app == wanted && !endpoints[i].idle ? scaled[i] : 0;
    }
    return sum;
}

/* The part of an app, in percent. */
static double part(size_t wanted)
{
    int64_t total = 0;
    for (size_t i = 0; i < n_apps; i++) {
        total += units(i);
    }
    ck_assert_int_gt(total, 0);
    return 100.0 * (double)units(wanted) / (double)total;
}

static void check_part(size_t wanted, double percent, double tolerance)
{
    double got = part(wanted);
    ck_assert_msg(got >= percent - tolerance && got <= percent + tolerance, "app %zu gets %f%%, not %f%%", wanted, got,
                  percent);
}

static void check_weights(size_t first, size_t n, unsigned weight)
{
    for (size_t i = first; i < first + n; i++) {
        ck_assert_msg(scaled[i] == weight, "weight %zu is %u, not %u", i, scaled[i], weight);
    }
}

#define EXACT 1e-9
#define IN_512THS (100.0 / 512)
#define IN_256THS (100.0 / 256)

/* ---- without a share ---- */

START_TEST(nothing_at_all)
{
    weights_share(NULL, 0, NULL, 0, NULL);
    app(WEIGHT_SHARE, 10, 0, 0);
    weights_share(NULL, 0, apps, 1, NULL);
}
END_TEST

/* The same as weights_scale(), also where nobody is there to share with. */
static void check_as_scaled(void)
{
    int32_t weights[MAX_ENDPOINTS];
    uint16_t expected[MAX_ENDPOINTS];
    for (size_t i = 0; i < count; i++) {
        const struct weight_override *override = &apps[endpoints[i].app];
        weights[i] = override->kind == WEIGHT_ABSOLUTE && !endpoints[i].fixed ? override->value : endpoints[i].weight;
    }
    weights_scale(weights, count, expected);
    solve();
    ck_assert_mem_eq(scaled, expected, count * sizeof(*expected));
}

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (uint32_t)(((uint64_t)random_state * bound) >> 32);
}

START_TEST(without_a_share_as_weights_scale)
{
    static const int32_t largest[] = {1, 2, 10, 300, 1000000, INT32_MAX};
    for (unsigned round = 0; round < 2000; round++) {
        setup();
        size_t many = 1 + random_below(4);
        for (size_t i = 0; i < many; i++) {
            size_t first = app(random_below(2) ? WEIGHT_ABSOLUTE : WEIGHT_LABELLED, (int32_t)random_below(400),
                               random_below(6), 0);
            for (size_t j = first; j < count; j++) {
                endpoints[j].weight = (int32_t)random_below((uint32_t)largest[random_below(6)]);
                endpoints[j].fixed = random_below(4) == 0;
                endpoints[j].idle = random_below(4) == 0;
            }
        }
        check_as_scaled();
    }
}
END_TEST

START_TEST(absolute_weights)
{
    app(WEIGHT_ABSOLUTE, 5, 2, 1);
    app(WEIGHT_LABELLED, 0, 1, 3);
    endpoints[1] = (struct weight_endpoint){.app = 0, .weight = 7, .fixed = true};
    solve();
    check_weights(0, 1, 5);
    check_weights(1, 1, 7);
    check_weights(2, 1, 3);
}
END_TEST

START_TEST(nobody_to_share_with)
{
    app(WEIGHT_SHARE, 10, 3, 7);
    check_as_scaled();
    apps[0].value = 0;
    check_as_scaled();
    app(WEIGHT_LABELLED, 0, 0, 1);
    check_as_scaled();
    app(WEIGHT_SHARE, 0, 2, 3);
    check_as_scaled();
    /* Somebody who drains is nobody. */
    setup();
    app(WEIGHT_SHARE, 10, 3, 7);
    endpoints[app(WEIGHT_LABELLED, 0, 1, 7)].idle = true;
    check_as_scaled();
}
END_TEST

/* ---- shares ---- */

START_TEST(whatever_the_counts)
{
    static const struct {
        size_t canary, stable;
        int32_t percent;
        double tolerance;
    } cases[] = {
        {1, 10, 10, EXACT},       {10, 1, 10, EXACT},      {1, 1, 50, EXACT},      {3, 500, 50, 0.1},
        {500, 3, 10, IN_256THS},  {500, 3, 90, 0.1},       {1, 1000, 1, 0.1},      {1, 2, 33, IN_512THS},
        {1, 1, 1, 0.1},           {1, 1, 99, 0.1},         {300, 1, 1, IN_256THS}, {1, 2000, 20, IN_256THS},
        {1, 4000, 99, IN_256THS}, {4000, 1, 1, IN_256THS}, {7, 13, 17, 0.1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup();
        app(WEIGHT_SHARE, cases[i].percent, cases[i].canary, 1);
        app(WEIGHT_LABELLED, 0, cases[i].stable, 1);
        solve();
        check_part(0, cases[i].percent, cases[i].tolerance);
    }
}
END_TEST

START_TEST(smallest_weights_that_are_exact)
{
    app(WEIGHT_SHARE, 10, 1, 1);
    app(WEIGHT_LABELLED, 0, 10, 1);
    solve();
    check_weights(0, 1, 10);
    check_weights(1, 10, 9);
}
END_TEST

START_TEST(none_and_all)
{
    app(WEIGHT_SHARE, 0, 2, 5);
    app(WEIGHT_LABELLED, 0, 3, 5);
    solve();
    check_weights(0, 2, 0);
    check_weights(2, 3, 1);
    apps[0].value = 100;
    solve();
    check_weights(0, 2, 1);
    check_weights(2, 3, 0);
}
END_TEST

START_TEST(several_shares)
{
    app(WEIGHT_SHARE, 20, 1, 1);
    app(WEIGHT_SHARE, 30, 5, 9);
    app(WEIGHT_LABELLED, 0, 2, 1);
    app(WEIGHT_LABELLED, 0, 2, 4);
    solve();
    check_part(0, 20, IN_512THS);
    check_part(1, 30, IN_512THS);
    check_part(2, 10, IN_512THS);
    check_part(3, 40, IN_512THS);
}
END_TEST

START_TEST(shares_above_100_are_scaled_down)
{
    app(WEIGHT_SHARE, 100, 3, 1);
    app(WEIGHT_SHARE, 60, 1, 1);
    app(WEIGHT_LABELLED, 0, 4, 1);
    solve();
    check_part(0, 62.5, IN_512THS);
    check_part(1, 37.5, IN_512THS);
    check_weights(4, 4, 0);
}
END_TEST

START_TEST(shares_alone_are_relative)
{
    app(WEIGHT_SHARE, 5, 3, 1);
    app(WEIGHT_SHARE, 15, 1, 1);
    solve();
    check_part(0, 25, EXACT);
    check_part(1, 75, EXACT);
    /* Others that want nothing do not count. */
    app(WEIGHT_ABSOLUTE, 0, 2, 1);
    solve();
    check_part(0, 25, EXACT);
    check_weights(4, 2, 0);
}
END_TEST

START_TEST(weights_of_0)
{
    app(WEIGHT_SHARE, 50, 2, 0);
    app(WEIGHT_LABELLED, 0, 1, 1);
    solve();
    check_part(0, 50, EXACT);
    check_weights(0, 2, 1);
    apps[0].value = 0;
    endpoints[2].weight = 0;
    solve();
    check_weights(0, 2, 0);
    check_weights(2, 1, 1);
}
END_TEST

/* A new app with labels of 0 that was given a share, and the old one drains: it is the only one that is left. */
START_TEST(weights_of_0_alone)
{
    app(WEIGHT_SHARE, 100, 2, 0);
    app(WEIGHT_LABELLED, 0, 2, 5);
    endpoints[2].idle = endpoints[3].idle = true;
    solve();
    check_weights(0, 2, 1);
    apps[0].value = 1;
    solve();
    check_weights(0, 2, 1);
    /* What it was given nothing of it does not get by that. */
    apps[0].value = 0;
    solve();
    check_weights(0, 2, 0);
    apps[0].kind = WEIGHT_LABELLED;
    solve();
    check_weights(0, 2, 0);
}
END_TEST

START_TEST(proportions_within_an_app)
{
    app(WEIGHT_SHARE, 50, 2, 2);
    endpoints[1].weight = 3;
    app(WEIGHT_LABELLED, 0, 1, 1);
    solve();
    check_weights(0, 1, 2);
    check_weights(1, 1, 3);
    check_weights(2, 1, 5);
}
END_TEST

START_TEST(what_drains_has_no_say)
{
    app(WEIGHT_SHARE, 10, 2, 1);
    app(WEIGHT_LABELLED, 0, 12, 1);
    endpoints[0].idle = true;
    endpoints[2].idle = endpoints[3].idle = true;
    solve();
    check_weights(0, 2, 10);
    check_weights(2, 12, 9);
}
END_TEST

START_TEST(too_many_for_their_share)
{
    app(WEIGHT_SHARE, 1, 300, 1);
    app(WEIGHT_LABELLED, 0, 1, 1);
    solve();
    int64_t canary = units(0);
    ck_assert_int_ge(canary, 2);
    check_weights(0, (size_t)canary, 1);
    check_weights((size_t)canary, 300 - (size_t)canary, 0);
    check_part(0, 1, 0.2);
}
END_TEST

/* Three parties, where no factor suits: equal endpoints differ by 1, and none is left without. */
START_TEST(unit_by_unit)
{
    app(WEIGHT_SHARE, 30, 1, 1);
    app(WEIGHT_SHARE, 35, 300, 1);
    app(WEIGHT_LABELLED, 0, 210, 1);
    solve();
    check_part(0, 30, IN_256THS);
    check_part(1, 35, IN_256THS);
    check_part(2, 35, IN_256THS);
    for (size_t i = 301; i < count; i++) {
        ck_assert(scaled[i] == 1 || scaled[i] == 2);
    }
}
END_TEST

/* ---- random services ---- */

static void random_service(void)
{
    static const uint32_t sizes[] = {1, 3, 20, 500};
    setup();
    size_t many = 2 + random_below(7);
    for (size_t i = 0; i < many; i++) {
        bool is_share = i == 0 || (i + 1 < many && random_below(3) == 0);
        size_t first = app(is_share ? WEIGHT_SHARE : WEIGHT_LABELLED, 1 + (int32_t)random_below(99),
                           1 + random_below(sizes[random_below(4)]), 1 + (int32_t)random_below(3));
        bool mixed = random_below(4) == 0;
        for (size_t j = first; mixed && j < count; j++) {
            endpoints[j].weight = 1 + (int32_t)random_below(10);
        }
    }
}

/* What an app with a share, or all the others together, should get, in percent. */
static double wanted_percent(size_t which)
{
    double sum = 0;
    for (size_t i = 0; i < n_apps; i++) {
        sum += apps[i].kind == WEIGHT_SHARE ? apps[i].value : 0;
    }
    double whole = sum > 100 ? sum : 100;
    return which < n_apps ? 100 * apps[which].value / whole : 100 - 100 * sum / whole;
}

static bool all_above_0(void)
{
    for (size_t i = 0; i < count; i++) {
        if (scaled[i] == 0) {
            return false;
        }
    }
    return true;
}

START_TEST(random_services)
{
    unsigned whole = 0;
    for (unsigned round = 0; round < 1500; round++) {
        random_service();
        solve();
        double rest = 0;
        for (size_t i = 0; i < n_apps; i++) {
            if (apps[i].kind == WEIGHT_SHARE) {
                check_part(i, wanted_percent(i), IN_256THS);
            } else {
                rest += part(i);
            }
        }
        double wanted = wanted_percent(n_apps);
        ck_assert_msg(rest > wanted - IN_256THS && rest < wanted + IN_256THS, "the others get %f%%, not %f%%", rest,
                      wanted);
        whole += all_above_0();
    }
    ck_assert_uint_gt(whole, 300);
}
END_TEST

/* Two apps of equal endpoints: no pair of weights is better by more than rounding. */
static double best_of_all_pairs(size_t canary, size_t stable, double percent)
{
    double best = 100;
    for (size_t a = 1; a <= 256; a++) {
        for (size_t b = 1; b <= 256; b++) {
            double got = 100.0 * (double)(a * canary) / (double)(a * canary + b * stable);
            double error = got > percent ? got - percent : percent - got;
            best = error < best ? error : best;
        }
    }
    return best;
}

START_TEST(two_apps_as_good_as_can_be)
{
    for (unsigned round = 0; round < 300; round++) {
        setup();
        size_t canary = 1 + random_below(30);
        size_t stable = 1 + random_below(30);
        int32_t percent = 1 + (int32_t)random_below(99);
        app(WEIGHT_SHARE, percent, canary, 1);
        app(WEIGHT_LABELLED, 0, stable, 1);
        solve();
        double best = best_of_all_pairs(canary, stable, percent);
        check_part(0, percent, best > IN_512THS ? IN_256THS : best + 0.001);
        ck_assert(best > IN_512THS || all_above_0());
    }
}
END_TEST

static Suite *weights_share_suite(void)
{
    Suite *suite = suite_create("weights_share");
    TCase *tests = tcase_create("weights_share");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, nothing_at_all);
    tcase_add_test(tests, without_a_share_as_weights_scale);
    tcase_add_test(tests, absolute_weights);
    tcase_add_test(tests, nobody_to_share_with);
    tcase_add_test(tests, whatever_the_counts);
    tcase_add_test(tests, smallest_weights_that_are_exact);
    tcase_add_test(tests, none_and_all);
    tcase_add_test(tests, several_shares);
    tcase_add_test(tests, shares_above_100_are_scaled_down);
    tcase_add_test(tests, shares_alone_are_relative);
    tcase_add_test(tests, weights_of_0);
    tcase_add_test(tests, weights_of_0_alone);
    tcase_add_test(tests, proportions_within_an_app);
    tcase_add_test(tests, what_drains_has_no_say);
    tcase_add_test(tests, too_many_for_their_share);
    tcase_add_test(tests, unit_by_unit);
    tcase_add_test(tests, random_services);
    tcase_add_test(tests, two_apps_as_good_as_can_be);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(weights_share_suite)
