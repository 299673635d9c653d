/* SPDX-License-Identifier: MIT */
/* The hash table: its hash against another implementation, and itself against a plain array. */
#include "slotd/table.h"

#include <string.h>

#include "suite.h"

START_TEST(hash_is_siphash_1_3)
{
    /* Input 00 01 02 ...; values from OpenSSL's SIPHASH with c-rounds 1 and d-rounds 3 and the key that seed stands
     * for. */
    static const struct {
        size_t len;
        uint64_t hash;
    } known[] = {
        {0, 0xb8caed77a440bbba},  {1, 0x1b80bf9035b418c6},  {7, 0x145dc97eadc70dfc},  {8, 0xdc13b0974655c608},
        {15, 0x1f8336568070576d}, {16, 0x99ce579ee7133ac3}, {63, 0x7611f376cce087da},
    };
    unsigned char input[64];
    for (size_t i = 0; i < sizeof(input); i++) {
        input[i] = (unsigned char)i;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        ck_assert_uint_eq(table_hash(0x0706050403020100, input, known[i].len), known[i].hash);
    }
}
END_TEST

START_TEST(empty_table_has_nothing)
{
    struct table table;
    table_init(&table, 1);
    size_t position = 0;
    ck_assert_ptr_null(table_get(&table, "a"));
    ck_assert_ptr_null(table_remove(&table, "a"));
    ck_assert_ptr_null(table_next(&table, &position));
    table_free(&table);
}
END_TEST

START_TEST(put_replaces_key_and_value)
{
    struct table table;
    int one = 1;
    int two = 2;
    char first[] = "key";
    char second[] = "key";
    table_init(&table, 1);
    ck_assert_ptr_null(table_put(&table, first, &one));
    ck_assert_ptr_eq(table_put(&table, second, &two), &one);
    memset(first, 'x', 3);
    ck_assert_ptr_eq(table_get(&table, "key"), &two);
    ck_assert_uint_eq(table.count, 1);
    table_free(&table);
}
END_TEST

START_TEST(keys_are_compared_whole)
{
    struct table table;
    int value = 1;
    table_init(&table, 1);
    table_put(&table, "", &value);
    table_put(&table, "abc", &value);
    ck_assert_ptr_nonnull(table_get(&table, ""));
    ck_assert_ptr_nonnull(table_get_n(&table, "abcd", 3));
    ck_assert_ptr_null(table_get_n(&table, "abcd", 4));
    ck_assert_ptr_null(table_get_n(&table, "abcd", 2));
    ck_assert_ptr_null(table_get_n(&table, "abc\0", 4));
    table_free(&table);
}
END_TEST

enum { MODEL_KEYS = 300, MODEL_STEPS = 60000 };

/* Small, and the same on each run. */
static uint32_t model_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void model_compare(const struct table *table, char keys[][8], const bool *present)
{
    size_t count = 0;
    size_t seen = 0;
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        ck_assert_ptr_eq(table_get(table, keys[i]), present[i] ? keys[i] : NULL);
        count += present[i];
    }
    size_t position = 0;
    for (struct table_entry *entry; (entry = table_next(table, &position));) {
        ck_assert_ptr_eq(entry->value, entry->key);
        seen++;
    }
    ck_assert_uint_eq(table->count, count);
    ck_assert_uint_eq(seen, count);
}

/* Puts and removes in waves, so that clusters form, wrap around the end, and are closed from every side. */
START_TEST(random_steps_keep_to_the_model)
{
    static char keys[MODEL_KEYS][8];
    static bool present[MODEL_KEYS];
    uint32_t state = (uint32_t)_i + 1;
    struct table table;
    table_init(&table, (uint64_t)_i);
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        present[i] = false;
    }
    for (size_t step = 0; step < MODEL_STEPS; step++) {
        size_t i = model_random(&state) % MODEL_KEYS;
        bool put = model_random(&state) % 8 < ((step / 2000) % 2 ? 6 : 2);
        void *old = put ? table_put(&table, keys[i], keys[i]) : table_remove(&table, keys[i]);
        ck_assert_ptr_eq(old, present[i] ? keys[i] : NULL);
        present[i] = put;
        if (step % 500 == 0) {
            model_compare(&table, keys, present);
        }
    }
    model_compare(&table, keys, present);
    table_free(&table);
}
END_TEST

static Suite *table_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");
    tcase_add_test(tests, hash_is_siphash_1_3);
    tcase_add_test(tests, empty_table_has_nothing);
    tcase_add_test(tests, put_replaces_key_and_value);
    tcase_add_test(tests, keys_are_compared_whole);
    tcase_add_loop_test(tests, random_steps_keep_to_the_model, 0, 8);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(table_suite)
