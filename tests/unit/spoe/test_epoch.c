/* SPDX-License-Identifier: MIT */
/* Data that is replaced while it is read: who is inside keeps it, and nobody else does; with threads, for TSan and ASan
 * to look at. */
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "slotd/epoch.h"
#include "slotd/mem.h"

enum { READERS = 3, PUBLISHED = 3000, ALIVE = 12345, DEAD = -1 };

struct item {
    int state;
    unsigned number;
};

static unsigned released;

static void release(void *data)
{
    struct item *item = data;
    item->state = DEAD;
    released++;
    free(item);
}

static void publish(struct epoch *epoch, unsigned number)
{
    struct item *item = MEM_NEW(struct item);
    *item = (struct item){ALIVE, number};
    epoch_publish(epoch, item);
}

START_TEST(nothing_is_published_at_first)
{
    released = 0;
    struct epoch *epoch = epoch_new(1, release);
    epoch_enter(epoch, 0);
    ck_assert_ptr_null(epoch_data(epoch));
    epoch_leave(epoch, 0);
    ck_assert_uint_eq(epoch_reclaim(epoch), 0);
    epoch_free(epoch);
    epoch_free(NULL);
    ck_assert_uint_eq(released, 0);
}
END_TEST

START_TEST(without_a_reader_inside_the_old_goes_at_once)
{
    released = 0;
    struct epoch *epoch = epoch_new(2, release);
    publish(epoch, 1);
    publish(epoch, 2);
    ck_assert_uint_eq(released, 1);
    epoch_free(epoch);
    ck_assert_uint_eq(released, 2);
}
END_TEST

START_TEST(a_reader_inside_keeps_what_it_may_have)
{
    released = 0;
    struct epoch *epoch = epoch_new(2, release);
    publish(epoch, 1);
    epoch_enter(epoch, 0);
    const struct item *item = epoch_data(epoch);
    publish(epoch, 2);
    epoch_enter(epoch, 1);
    publish(epoch, 3);
    ck_assert_uint_eq(epoch_reclaim(epoch), 2);
    ck_assert_int_eq(item->state, ALIVE);
    epoch_leave(epoch, 0);
    ck_assert_uint_eq(epoch_reclaim(epoch), 1);
    ck_assert_uint_eq(released, 1);
    epoch_enter(epoch, 0);
    ck_assert_uint_eq(((const struct item *)epoch_data(epoch))->number, 3);
    epoch_leave(epoch, 1);
    ck_assert_uint_eq(epoch_reclaim(epoch), 0);
    ck_assert_uint_eq(released, 2);
    epoch_leave(epoch, 0);
    epoch_free(epoch);
    ck_assert_uint_eq(released, 3);
}
END_TEST

static struct epoch *shared;
static _Atomic bool over;
static _Atomic unsigned next_reader;
static _Atomic unsigned wrong;

static void *read_on(void *arg)
{
    unsigned reader = atomic_fetch_add(&next_reader, 1);
    unsigned last = 0;
    (void)arg;
    while (!atomic_load(&over)) {
        epoch_enter(shared, reader);
        const struct item *item = epoch_data(shared);
        if (item->state != ALIVE || item->number < last) {
            atomic_fetch_add(&wrong, 1);
        }
        last = item->number;
        epoch_leave(shared, reader);
    }
    return NULL;
}

START_TEST(readers_never_see_what_was_released)
{
    pthread_t threads[READERS];
    released = 0;
    atomic_store(&over, false);
    shared = epoch_new(READERS, release);
    publish(shared, 0);
    for (int i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, NULL), 0);
    }
    for (unsigned i = 1; i <= PUBLISHED; i++) {
        publish(shared, i);
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(epoch_reclaim(shared), 0);
    ck_assert_uint_eq(released, PUBLISHED);
    epoch_free(shared);
}
END_TEST

static Suite *epoch_suite(void)
{
    Suite *suite = suite_create("epoch");
    TCase *tests = tcase_create("epoch");
    tcase_add_test(tests, nothing_is_published_at_first);
    tcase_add_test(tests, without_a_reader_inside_the_old_goes_at_once);
    tcase_add_test(tests, a_reader_inside_keeps_what_it_may_have);
    tcase_add_test(tests, readers_never_see_what_was_released);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(epoch_suite)
