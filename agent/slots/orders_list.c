/* SPDX-License-Identifier: MIT */
/* The orders in the order in which they are shown and written. */
#include <string.h>

#include "orders_private.h"
#include "slotd/mem.h"

static int compare_drains(const void *a, const void *b)
{
    const struct drain_order *left = *(const struct drain_order *const *)a;
    const struct drain_order *right = *(const struct drain_order *const *)b;
    return left->target != right->target ? (int)left->target - (int)right->target : strcmp(left->name, right->name);
}

static int compare_weights(const void *a, const void *b)
{
    const struct weight_order *left = *(const struct weight_order *const *)a;
    const struct weight_order *right = *(const struct weight_order *const *)b;
    return left->target != right->target ? (int)left->target - (int)right->target : strcmp(left->name, right->name);
}

const struct drain_order **orders_list_drains(const struct orders *orders, size_t *ret_count)
{
    const struct drain_order **list = mem_alloc_array(orders->n_drains, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        size_t position = 0;
        const struct table_entry *entry;
        while ((entry = table_next(&orders->drains[i], &position))) {
            list[count++] = &((const struct drain_entry *)entry->value)->order;
        }
    }
    qsort(list, count, sizeof(*list), compare_drains);
    *ret_count = count;
    return list;
}

const struct weight_order **orders_list_weights(const struct orders *orders, size_t *ret_count)
{
    const struct weight_order **list = mem_alloc_array(orders->n_weights, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < ORDER_TARGETS; i++) {
        size_t position = 0;
        const struct table_entry *entry;
        while ((entry = table_next(&orders->weights[i], &position))) {
            list[count++] = &((const struct weight_entry *)entry->value)->order;
        }
    }
    qsort(list, count, sizeof(*list), compare_weights);
    *ret_count = count;
    return list;
}
