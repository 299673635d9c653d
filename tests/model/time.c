/* SPDX-License-Identifier: MIT */
/* Virtual time: a heap of what will happen. */
#include "model.h"
#include "slotd/mem.h"

struct scheduled {
    int64_t at_us;
    uint64_t order;
    happening *what;
    void *arg;
    uint64_t number;
};

static struct scheduled *heap;
static size_t count, capacity;
static int64_t now;
static uint64_t order;

int64_t now_us(void)
{
    return now;
}

static bool is_before(const struct scheduled *a, const struct scheduled *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void schedule(int64_t after_us, happening *what, void *arg, uint64_t number)
{
    struct scheduled item = {now + (after_us > 0 ? after_us : 0), order++, what, arg, number};
    MEM_GROW(heap, capacity, count + 1);
    size_t place = count++;
    while (place > 0 && is_before(&item, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = item;
}

static struct scheduled take_first(void)
{
    struct scheduled first = heap[0];
    struct scheduled last = heap[--count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= count) {
            break;
        }
        child += child + 1 < count && is_before(&heap[child + 1], &heap[child]);
        if (!is_before(&heap[child], &last)) {
            break;
        }
        heap[place] = heap[child];
        place = child;
    }
    if (count > 0) {
        heap[place] = last;
    }
    return first;
}

bool schedule_step(int64_t until_us)
{
    if (count == 0 || heap[0].at_us > until_us) {
        now = until_us > now ? until_us : now;
        return false;
    }
    struct scheduled item = take_first();
    now = item.at_us > now ? item.at_us : now;
    item.what(item.arg, item.number);
    return true;
}

void schedule_reset(void)
{
    count = 0;
    now = SECOND;
    order = 0;
}
