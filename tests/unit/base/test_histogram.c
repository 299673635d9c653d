/* SPDX-License-Identifier: MIT */
/* Durations by buckets. */
#include "slotd/histogram.h"

#include "suite.h"

#define MS UINT64_C(1000000)

START_TEST(bounds_go_from_a_tenth_of_a_millisecond_to_ten_seconds)
{
    ck_assert_uint_eq(histogram_bounds_ns[0], MS / 10);
    ck_assert_uint_eq(histogram_bounds_ns[HISTOGRAM_BOUNDS - 1], 10000 * MS);
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++) {
        ck_assert_uint_gt(histogram_bounds_ns[i], histogram_bounds_ns[i - 1]);
    }
}
END_TEST

START_TEST(a_bound_belongs_to_its_bucket)
{
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, histogram_bounds_ns[i] - 1);
        histogram_add(&histogram, histogram_bounds_ns[i]);
        histogram_add(&histogram, histogram_bounds_ns[i] + 1);
        ck_assert_uint_eq(histogram.counts[i], 2);
        ck_assert_uint_eq(histogram.counts[i + 1], 1);
        ck_assert_uint_eq(histogram.sum_ns, 3 * histogram_bounds_ns[i]);
    }
}
END_TEST

START_TEST(what_is_longer_than_all_of_them_is_counted)
{
    struct histogram histogram = {0};
    histogram_add(&histogram, 0);
    histogram_add(&histogram, 3600 * 1000 * MS);
    ck_assert_uint_eq(histogram.counts[0], 1);
    ck_assert_uint_eq(histogram.counts[HISTOGRAM_BOUNDS], 1);
    ck_assert_uint_eq(histogram.sum_ns, 3600 * 1000 * MS);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tests = tcase_create("histogram");
    tcase_add_test(tests, bounds_go_from_a_tenth_of_a_millisecond_to_ten_seconds);
    tcase_add_test(tests, a_bound_belongs_to_its_bucket);
    tcase_add_test(tests, what_is_longer_than_all_of_them_is_counted);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
