#include "server/memory_dues.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"

static struct state_due *resized(struct state_due *rows, size_t count)
{
    struct state_due *larger = reallocarray(rows, count, sizeof(*larger));

    MUST(larger);
    return larger;
}

/* --- one person's --------------------------------------------------------------------------- */

struct state_due *memory_dues_rows(struct memory_dues *dues)
{
    return dues->further ? dues->further : dues->at_hand;
}

void memory_dues_add(struct memory_dues *dues, const struct state_due *due)
{
    uint32_t capacity = dues->further ? dues->capacity : DUES_AT_HAND;

    if (dues->count == capacity) {
        struct state_due *larger = resized(dues->further, 2 * capacity);
        if (!dues->further)
            memcpy(larger, dues->at_hand, sizeof(dues->at_hand));
        dues->further = larger;
        dues->capacity = 2 * capacity;
    }
    memory_dues_rows(dues)[dues->count++] = *due;
}

struct state_due *memory_dues_find(struct memory_dues *dues, uint64_t due_ms, uint64_t task)
{
    struct state_due *rows = memory_dues_rows(dues);

    for (uint32_t i = 0; i < dues->count; i++)
        if (rows[i].task == task && rows[i].due_ms == due_ms)
            return &rows[i];
    return NULL;
}

void memory_dues_remove(struct memory_dues *dues, uint64_t due_ms, uint64_t task)
{
    struct state_due *due = memory_dues_find(dues, due_ms, task);

    if (due)
        *due = memory_dues_rows(dues)[--dues->count];
}

void memory_dues_free(struct memory_dues *dues)
{
    free(dues->further);
}

/* --- everybody's ------------------------------------------------------------------------------ */

static bool comes_before(const struct state_due *a, const struct state_due *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return a->person != b->person ? a->person < b->person : a->task < b->task;
}

void memory_due_push(struct memory_due_heap *heap, const struct state_due *due)
{
    size_t place = heap->count++;

    if (heap->count > heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 1024 : 2 * heap->capacity;
        heap->rows = resized(heap->rows, heap->capacity);
    }
    while (place > 0 && comes_before(due, &heap->rows[(place - 1) / 2])) {
        heap->rows[place] = heap->rows[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->rows[place] = *due;
}

void memory_due_pop(struct memory_due_heap *heap)
{
    const struct state_due last = heap->rows[--heap->count];
    size_t place = 0, child;

    while ((child = 2 * place + 1) < heap->count) {
        if (child + 1 < heap->count && comes_before(&heap->rows[child + 1], &heap->rows[child]))
            child++;
        if (!comes_before(&heap->rows[child], &last))
            break;
        heap->rows[place] = heap->rows[child];
        place = child;
    }
    heap->rows[place] = last;
}

void memory_due_heap_free(struct memory_due_heap *heap)
{
    free(heap->rows);
}
