/* SPDX-License-Identifier: MIT */
/* Which endpoints of a service count when it is judged how much of it may drain for its health. */
#include <string.h>

#include "../../../agent/engine/engine_private.h"
#include "slotd/mem.h"
#include "suite.h"

/* A service with one part for each word; a letter is an endpoint: r serves, u is unhealthy, k is kept for its
 * readiness, d drains, g is gone, o is drained by an operator, w has no weight, x and y are o and w and unhealthy. */
static struct backend_health judge(const char *parts, int percent)
{
    struct endpoint endpoints[16] = {0};
    struct slot_endpoint living[16] = {0};
    struct service_part list[4] = {0};
    const struct service_part *pointers[4];
    struct service service = {.parts = pointers};
    size_t count = 0;
    size_t n_living = 0;
    for (const char *c = parts; *c; c++) {
        struct service_part *part = &list[service.n_parts - (*c != ' ' && service.n_parts > 0)];
        if (*c == ' ' || service.n_parts == 0) {
            pointers[service.n_parts++] = part;
            part->endpoints = &endpoints[count];
        }
        if (*c == ' ') {
            continue;
        }
        endpoints[count].phase = *c == 'd' ? ENDPOINT_DRAIN : *c == 'g' ? ENDPOINT_GONE : ENDPOINT_READY;
        endpoints[count].kept_only = *c == 'k';
        endpoints[count].unhealthy = strchr("uxy", *c) != NULL;
        part->n_endpoints++;
        count++;
        if (*c != 'g') {
            living[n_living].operator_drain = *c == 'o' || *c == 'x';
            living[n_living++].weight = *c == 'w' || *c == 'y' ? 0 : 1;
        }
    }
    return health_judge(&service, living, percent);
}

START_TEST(what_serves_is_what_counts)
{
    static const struct {
        const char *parts;
        size_t serving, failing, unhealthy;
        bool drains; /* at 50% */
    } cases[] = {
        {"", 0, 0, 0, false},    {"rr", 2, 0, 0, false},   {"u", 1, 1, 1, false},       {"ru", 2, 1, 1, true},
        {"ruu", 3, 2, 2, false}, {"ur rr", 4, 1, 1, true}, {"u ur r", 4, 2, 2, true},   {"u uu r", 4, 3, 3, false},
        {"gru", 2, 1, 1, true},  {"rgug", 2, 1, 1, true},  {"ddu", 1, 1, 1, false},     {"kkkru", 2, 1, 1, true},
        {"oou", 1, 1, 1, false}, {"wwu", 1, 1, 1, false},  {"wwruu", 3, 2, 2, false},   {"rx", 1, 0, 1, true},
        {"ry", 1, 0, 1, true},   {"ruyyy", 2, 1, 4, true}, {"g rg gug", 2, 1, 1, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct backend_health health = judge(cases[i].parts, 50);
        ck_assert_msg(health.counts.serving == cases[i].serving && health.counts.failing == cases[i].failing &&
                          health.unhealthy == cases[i].unhealthy && health.drains == cases[i].drains,
                      "%s: %zu of %zu, %zu, %d", cases[i].parts, health.counts.failing, health.counts.serving,
                      health.unhealthy, health.drains);
        ck_assert_int_eq(health_holds(&health), cases[i].unhealthy > 0 && !cases[i].drains);
    }
}
END_TEST

START_TEST(the_limit_is_the_configured_one)
{
    ck_assert(!judge("u", 99).drains);
    ck_assert(judge("u", 100).drains);
    ck_assert(judge("ru", 50).drains);
    ck_assert(!judge("ru", 49).drains);
    ck_assert(!judge("ruu", 66).drains);
    ck_assert(judge("ruu", 67).drains);
    ck_assert(!judge("rrrrrrru", 0).drains);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("health");
    TCase *tests = tcase_create("health");
    tcase_add_test(tests, what_serves_is_what_counts);
    tcase_add_test(tests, the_limit_is_the_configured_one);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
