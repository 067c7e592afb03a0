#include "server/site_names.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "proto/must.h"

#define SLOTS_AT_START 256

struct name_slot {
    uint64_t hash;
    uint32_t number; /* 0: free */
    uint32_t space;
};

bool names_open(struct names *names, name_match_fn *has_name, const void *owner)
{
    *names = (struct names){.has_name = has_name, .owner = owner, .capacity = SLOTS_AT_START};
    randombytes_buf(&names->seed, sizeof(names->seed));
    names->slots = calloc(SLOTS_AT_START, sizeof(*names->slots));
    return names->slots != NULL;
}

void names_close(struct names *names)
{
    free(names->slots);
    names->slots = NULL;
}

void names_clear(struct names *names)
{
    memset(names->slots, 0, names->capacity * sizeof(*names->slots));
    names->count = 0;
}

static uint64_t hash_name(const struct names *names, uint32_t space, struct slice name)
{
    return XXH3_64bits_withSeed(name.bytes, name.length, names->seed + space);
}

uint32_t names_find(const struct names *names, uint32_t space, struct slice name)
{
    size_t mask = names->capacity - 1;
    uint64_t hash = hash_name(names, space, name);

    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        const struct name_slot *slot = &names->slots[at];
        if (slot->number == 0)
            return 0;
        if (slot->hash == hash && slot->space == space &&
            names->has_name(names->owner, space, slot->number, name))
            return slot->number;
    }
}

static void place(struct name_slot *slots, size_t capacity, struct name_slot name)
{
    size_t at = name.hash & (capacity - 1);

    while (slots[at].number != 0)
        at = (at + 1) & (capacity - 1);
    slots[at] = name;
}

bool names_reserve(struct names *names, size_t more)
{
    size_t capacity = names->capacity;

    if ((names->count + more) * 2 <= capacity)
        return true;
    struct name_slot *slots = calloc(capacity * 2, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < capacity; i++)
        if (names->slots[i].number != 0)
            place(slots, capacity * 2, names->slots[i]);
    free(names->slots);
    names->slots = slots;
    names->capacity = capacity * 2;
    return true;
}

void names_add(struct names *names, uint32_t space, struct slice name, uint32_t number)
{
    MUST(names->count * 2 < names->capacity);
    place(names->slots, names->capacity,
          (struct name_slot){hash_name(names, space, name), number, space});
    names->count++;
}

/* Those that had to step aside for it move up, so that no search stops at the hole. */
void names_remove(struct names *names, uint32_t space, struct slice name, uint32_t number)
{
    size_t mask = names->capacity - 1;
    uint64_t hash = hash_name(names, space, name);
    struct name_slot *slots = names->slots;
    size_t hole = hash & mask;

    while (slots[hole].hash != hash || slots[hole].space != space || slots[hole].number != number) {
        MUST(slots[hole].number != 0);
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; slots[at].number != 0; at = (at + 1) & mask) {
        size_t home = slots[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        slots[hole] = slots[at];
        hole = at;
    }
    slots[hole].number = 0;
    names->count--;
}
