/* What is due: in one heap for everybody, and beside each person what is due to them.
 *
 * An entry of the heap counts as long as its person has it on the list of what is due to them, so
 * that taking one away costs nothing but that: the heap forgets it when it comes to its front.
 * Empty when all zero. */
#ifndef HOTLEAD_SERVER_MEMORY_DUES_H
#define HOTLEAD_SERVER_MEMORY_DUES_H

#include "server/state.h"

#define DUES_AT_HAND 3 /* most people have no more: their own, and those of two tasks */

/* One person's, in no order. */
struct memory_dues {
    struct state_due *further; /* NULL: all of them are at hand */
    struct state_due at_hand[DUES_AT_HAND];
    uint32_t count, capacity; /* of `further` */
};

struct state_due *memory_dues_rows(struct memory_dues *dues);
void memory_dues_add(struct memory_dues *dues, const struct state_due *due);
/* NULL: it is not due, or not any more. */
struct state_due *memory_dues_find(struct memory_dues *dues, uint64_t due_ms, uint64_t task);
void memory_dues_remove(struct memory_dues *dues, uint64_t due_ms, uint64_t task);
void memory_dues_free(struct memory_dues *dues);

/* Everybody's, the earliest first. */
struct memory_due_heap {
    struct state_due *rows;
    size_t count, capacity;
};

void memory_due_push(struct memory_due_heap *heap, const struct state_due *due);
void memory_due_pop(struct memory_due_heap *heap); /* it is not empty */
void memory_due_heap_free(struct memory_due_heap *heap);

#endif
