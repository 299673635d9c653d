/* SPDX-License-Identifier: MIT */
/* Inside the orders. */
#ifndef SLOTS_ORDERS_PRIVATE_H
#define SLOTS_ORDERS_PRIVATE_H

#include "slotd/orders.h"
#include "slotd/table.h"

/* What complete answers of Marathon have said of an order's target since slotd's start. */
struct order_listing {
    bool seen;       /* one of them listed it */
    unsigned lacked; /* so many in a row did not */
};

/* An order with its strings in one allocation: name, NUL, by, NUL. */
struct drain_entry {
    struct drain_order order;
    struct order_listing listing;
    char text[];
};
struct weight_entry {
    struct weight_order order;
    struct order_listing listing;
    char text[];
};

struct orders {
    uint64_t seed;
    uint64_t version;
    size_t n_drains;
    size_t n_weights;
    struct table drains[ORDER_TARGETS];  /* name to struct drain_entry */
    struct table weights[ORDER_TARGETS]; /* name to struct weight_entry; those of hosts and slots stay empty */
};

/* The parts of an order that a name is not. Return 0, SLOTD_E_PARSE, SLOTD_E_LIMIT, SLOTD_E_TYPE or -ERANGE with why.
 */
int order_check_drain(const struct drain_order *order, struct buf *why);
int order_check_weight(const struct weight_order *order, struct buf *why);
/* Frees all orders; the tables stay usable. */
void orders_clear(struct orders *orders);

#endif
