/* Rows in order of three numbers, in one sorted array: for what there is little of. */
#ifndef HOTLEAD_SERVER_MEMORY_ORDER_H
#define HOTLEAD_SERVER_MEMORY_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_row {
    uint64_t key[3];
    uint64_t value;
};

struct memory_order {
    struct memory_row *rows;
    size_t count, capacity;
};

void memory_order_put(struct memory_order *order, const struct memory_row *row);
void memory_order_delete(struct memory_order *order,
                         const uint64_t key[3]); /* or it is not there */
/* The first row that does not sort before the key; NULL: there is none. */
const struct memory_row *memory_order_from(const struct memory_order *order, const uint64_t key[3]);
void memory_order_free(struct memory_order *order);

#endif
