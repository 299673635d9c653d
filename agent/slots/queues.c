/* SPDX-License-Identifier: MIT */
/* The queues of slots: free ones without sessions, free ones with some, perhaps; and that of endpoints that wait. */
#include "slots_private.h"

static struct free_queue *slots_queue_of(struct slots *slots, const struct slot *slot)
{
    return slot->idle ? &slots->idle : &slots->held;
}

void slots_push_free(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    struct free_queue *queue = slots_queue_of(slots, slot);
    slot->role = ROLE_FREE;
    slot->previous_free = queue->last;
    slot->next_free = SLOTS_NONE;
    if (queue->last == SLOTS_NONE) {
        queue->first = place;
    } else {
        slots->slots[queue->last].next_free = place;
    }
    queue->last = place;
}

void slots_take_free(struct slots *slots, size_t place)
{
    struct slot *slot = &slots->slots[place];
    struct free_queue *queue = slots_queue_of(slots, slot);
    if (slot->previous_free == SLOTS_NONE) {
        queue->first = slot->next_free;
    } else {
        slots->slots[slot->previous_free].next_free = slot->next_free;
    }
    if (slot->next_free == SLOTS_NONE) {
        queue->last = slot->previous_free;
    } else {
        slots->slots[slot->next_free].previous_free = slot->previous_free;
    }
}

void slots_set_idle(struct slots *slots, size_t place)
{
    slots_take_free(slots, place);
    slots->slots[place].idle = true;
    slots_push_free(slots, place);
}

void slots_push_waiting(struct slots *slots, struct wanted *wanted)
{
    wanted->slot = SLOTS_NONE;
    wanted->next = NULL;
    wanted->previous = slots->last_waiting;
    if (slots->last_waiting) {
        slots->last_waiting->next = wanted;
    } else {
        slots->first_waiting = wanted;
    }
    slots->last_waiting = wanted;
}

void slots_take_waiting(struct slots *slots, struct wanted *wanted)
{
    if (wanted->previous) {
        wanted->previous->next = wanted->next;
    } else {
        slots->first_waiting = wanted->next;
    }
    if (wanted->next) {
        wanted->next->previous = wanted->previous;
    } else {
        slots->last_waiting = wanted->previous;
    }
}
