/* SPDX-License-Identifier: MIT */
/* The orders' document: what is refused changes nothing and says why, what is taken is written and read again alike. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "slotd/orders.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void ended_note(void *arg, const struct drain_order *drain, const struct weight_order *weight)
{
    require(!drain != !weight);
    ++*(size_t *)arg;
}

static void check_drains(const struct orders *orders)
{
    size_t count = 0;
    const struct drain_order **list = orders_list_drains(orders, &count);
    require(count == orders_count_drains(orders) && count <= ORDERS_MAX_DRAINS);
    for (size_t i = 0; i < count; i++) {
        char *name = NULL;
        require(orders_get_drain(orders, list[i]->target, list[i]->name) == list[i]);
        require(order_name_parse(list[i]->target, list[i]->name, &name, NULL) == 0 && strcmp(name, list[i]->name) == 0);
        require(list[i]->asked_ms >= 0 && list[i]->until_ms >= 0);
        require(drain_order_deadline(list[i]) >= list[i]->asked_ms);
        free(name);
    }
    free(list);
}

static void check_weights(const struct orders *orders)
{
    size_t count = 0;
    const struct weight_order **list = orders_list_weights(orders, &count);
    require(count == orders_count_weights(orders) && count <= ORDERS_MAX_WEIGHTS);
    for (size_t i = 0; i < count; i++) {
        require(list[i]->value >= 0 && (!list[i]->is_share || list[i]->value <= 100));
        require(list[i]->target == ORDER_APP || (list[i]->target == ORDER_TASK && !list[i]->is_share));
    }
    free(list);
}

static void check_round_trip(const struct orders *orders)
{
    cleanup_buf struct buf first = BUF_INIT;
    cleanup_buf struct buf second = BUF_INIT;
    struct orders *again = orders_new(2);
    orders_write(orders, &first);
    require(orders_read(buf_text(&first), first.len, again, NULL) == 0);
    orders_write(again, &second);
    require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    orders_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct orders *orders = orders_new(1);
    cleanup_buf struct buf why = BUF_INIT;
    size_t ended = 0;
    int err = orders_read((const char *)data, size, orders, &why);
    require(err ? why.len > 0 && orders_version(orders) == 0 : why.len == 0);
    require(!err || (orders_count_drains(orders) == 0 && orders_count_weights(orders) == 0));
    check_drains(orders);
    check_weights(orders);
    check_round_trip(orders);
    size_t before = orders_count_drains(orders);
    require(orders_expire(orders, ORDERS_MAX_MS, ended_note, &ended) == ORDERS_NEVER);
    require(orders_count_drains(orders) + ended == before);
    orders_free(orders);
    return 0;
}
