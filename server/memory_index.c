/* Open addressing with the whole place of a hash in each slot. Events are kept for two spans, of
 * which the older is dropped when a third begins: never sooner than INDEX_EVENT_DAYS after they
 * came, as in the files. */
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "server/memory.h"

#define SPAN_MS   (INDEX_EVENT_DAYS * 86400000ull)
#define SLOTS_MIN 256

struct slot {
    uint64_t place, number; /* 0: free */
};

struct table {
    struct slot *slots;
    uint64_t count, capacity;
    uint64_t span; /* of time that its events are of */
};

struct index {
    struct table identity, events[2];
};

enum status index_open(const char *directory, bool fresh, struct index **out)
{
    (void)directory, (void)fresh;
    *out = memory_take_zeroed(1, sizeof(**out));
    return STATUS_OK;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    free(index->identity.slots);
    free(index->events[0].slots);
    free(index->events[1].slots);
    free(index);
}

static void insert(struct table *table, uint64_t place, uint64_t number);

static void widen(struct table *table)
{
    struct table wider = {.capacity = table->capacity == 0 ? SLOTS_MIN : 2 * table->capacity,
                          .span = table->span};

    wider.slots = memory_take_zeroed(wider.capacity, sizeof(*wider.slots));
    for (uint64_t i = 0; i < table->capacity; i++)
        if (table->slots[i].number != 0)
            insert(&wider, table->slots[i].place, table->slots[i].number);
    free(table->slots);
    *table = wider;
}

static void insert(struct table *table, uint64_t place, uint64_t number)
{
    if (2 * table->count >= table->capacity)
        widen(table);
    uint64_t at = place & (table->capacity - 1);
    while (table->slots[at].number != 0) {
        if (table->slots[at].place == place && table->slots[at].number == number)
            return;
        at = (at + 1) & (table->capacity - 1);
    }
    table->slots[at] = (struct slot){place, number};
    table->count++;
}

/* The table of that time, emptied when its turn has come. */
static struct table *events_of(struct index *index, uint64_t now_ms)
{
    uint64_t span = now_ms / SPAN_MS;
    struct table *table = &index->events[span % 2];

    if (table->span != span) {
        if (table->count > 0)
            memset(table->slots, 0, table->capacity * sizeof(*table->slots));
        table->count = 0;
        table->span = span;
    }
    return table;
}

enum status index_insert(struct index *index, enum index_family family, struct hash hash,
                         uint64_t number, uint64_t now_ms)
{
    struct table *table = family == INDEX_IDENTITY ? &index->identity : events_of(index, now_ms);

    insert(table, hash_place(hash), number);
    return STATUS_OK;
}

void index_prefetch(const struct index *index, enum index_family family, struct hash hash)
{
    (void)index, (void)family, (void)hash;
}

struct index_lookup index_lookup(struct index *index, enum index_family family, struct hash hash,
                                 uint64_t since_ms)
{
    (void)since_ms; /* every hit is looked at again */
    return (struct index_lookup){.index = index, .family = family, .place = hash_place(hash)};
}

static bool next_in(const struct table *table, struct index_lookup *lookup, uint64_t *number_out)
{
    while (lookup->steps < table->capacity) {
        uint64_t at = (lookup->place + lookup->steps++) & (table->capacity - 1);
        const struct slot *slot = &table->slots[at];
        if (slot->number == 0)
            return false;
        if (slot->place != lookup->place)
            continue;
        *number_out = slot->number;
        return true;
    }
    return false;
}

bool index_next(struct index_lookup *lookup, uint64_t *number_out)
{
    struct index *index = lookup->index;

    if (lookup->family == INDEX_IDENTITY)
        return next_in(&index->identity, lookup, number_out);
    for (; lookup->file < 2; lookup->file++, lookup->steps = 0)
        if (next_in(&index->events[lookup->file], lookup, number_out))
            return true;
    return false;
}
