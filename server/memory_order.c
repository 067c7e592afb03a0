#include "server/memory_order.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"

static bool sorts_before(const uint64_t a[3], const uint64_t b[3])
{
    size_t i = 0;

    while (i < 2 && a[i] == b[i])
        i++;
    return a[i] < b[i];
}

static size_t place_of(const struct memory_order *order, const uint64_t key[3])
{
    size_t low = 0, high = order->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorts_before(order->rows[middle].key, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct memory_order *order, size_t place, const uint64_t key[3])
{
    return place < order->count && memcmp(order->rows[place].key, key, 3 * sizeof(*key)) == 0;
}

void memory_order_put(struct memory_order *order, const struct memory_row *row)
{
    size_t place = place_of(order, row->key);

    if (is_at(order, place, row->key)) {
        order->rows[place] = *row;
        return;
    }
    if (order->count == order->capacity) {
        order->capacity = order->capacity == 0 ? 16 : 2 * order->capacity;
        order->rows = reallocarray(order->rows, order->capacity, sizeof(*order->rows));
        MUST(order->rows);
    }
    memmove(order->rows + place + 1, order->rows + place,
            (order->count - place) * sizeof(*order->rows));
    order->rows[place] = *row;
    order->count++;
}

void memory_order_delete(struct memory_order *order, const uint64_t key[3])
{
    size_t place = place_of(order, key);

    if (!is_at(order, place, key))
        return;
    order->count--;
    memmove(order->rows + place, order->rows + place + 1,
            (order->count - place) * sizeof(*order->rows));
}

const struct memory_row *memory_order_from(const struct memory_order *order, const uint64_t key[3])
{
    size_t place = place_of(order, key);

    return place < order->count ? &order->rows[place] : NULL;
}

void memory_order_free(struct memory_order *order)
{
    free(order->rows);
    *order = (struct memory_order){0};
}
