/* SPDX-License-Identifier: MIT */
/* A counter that grows with each publication; a reader inside shows the one it entered at. What was replaced before
 * every shown number is nobody's. */
#include <stdatomic.h>
#include <stdint.h>

#include "slotd/epoch.h"
#include "slotd/mem.h"

#define OUTSIDE UINT64_MAX

/* A cache line each, so that readers do not slow each other down. */
struct reader {
    _Alignas(64) _Atomic uint64_t entered;
};

struct retired {
    struct retired *next;
    void *data;
    uint64_t last; /* readers that entered later cannot have it */
};

struct epoch {
    _Atomic(void *) data;
    _Atomic uint64_t now;
    struct retired *retired; /* newest first */
    void (*release)(void *data);
    unsigned reader_count;
    void *memory;
    struct reader *readers;
};

struct epoch *epoch_new(unsigned readers, void (*release)(void *data))
{
    struct epoch *epoch = MEM_NEW(struct epoch);
    epoch->release = release;
    epoch->reader_count = readers;
    epoch->memory = mem_alloc_array(readers + 1, sizeof(struct reader));
    uintptr_t start = (uintptr_t)epoch->memory;
    epoch->readers = (struct reader *)((start + sizeof(struct reader) - 1) & ~(sizeof(struct reader) - 1));
    for (unsigned i = 0; i < readers; i++) {
        atomic_init(&epoch->readers[i].entered, OUTSIDE);
    }
    return epoch;
}

/* The order matters, and is that of memory_order_seq_cst: the reader shows its number and then takes the data; who
 * publishes replaces the data and then looks at the numbers. */
void epoch_enter(struct epoch *epoch, unsigned reader)
{
    atomic_store(&epoch->readers[reader].entered, atomic_load(&epoch->now));
}

void epoch_leave(struct epoch *epoch, unsigned reader)
{
    atomic_store_explicit(&epoch->readers[reader].entered, OUTSIDE, memory_order_release);
}

const void *epoch_data(const struct epoch *epoch)
{
    return atomic_load(&epoch->data);
}

static uint64_t oldest_reader(const struct epoch *epoch)
{
    uint64_t oldest = OUTSIDE;
    for (unsigned i = 0; i < epoch->reader_count; i++) {
        uint64_t entered = atomic_load(&epoch->readers[i].entered);
        oldest = entered < oldest ? entered : oldest;
    }
    return oldest;
}

size_t epoch_reclaim(struct epoch *epoch)
{
    uint64_t oldest = oldest_reader(epoch);
    size_t waiting = 0;
    for (struct retired **place = &epoch->retired; *place;) {
        struct retired *retired = *place;
        if (retired->last >= oldest) {
            waiting++;
            place = &retired->next;
            continue;
        }
        *place = retired->next;
        epoch->release(retired->data);
        free(retired);
    }
    return waiting;
}

void epoch_publish(struct epoch *epoch, void *data)
{
    void *old = atomic_exchange(&epoch->data, data);
    uint64_t last = atomic_fetch_add(&epoch->now, 1);
    if (old) {
        struct retired *retired = MEM_NEW(struct retired);
        *retired = (struct retired){.next = epoch->retired, .data = old, .last = last};
        epoch->retired = retired;
    }
    epoch_reclaim(epoch);
}

void epoch_free(struct epoch *epoch)
{
    if (!epoch) {
        return;
    }
    epoch_publish(epoch, NULL);
    free(epoch->memory);
    free(epoch);
}
