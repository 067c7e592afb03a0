#include "server/tally.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"

#define MINUTE_MS      60000ull
#define SPAN_FINE      5 /* bits: bins for each doubling */
#define ENTRIES_MIN    4
#define SLOTS_MIN      1024
#define NUMBERS_STORED 3 /* before the entries */

/* --- bins ------------------------------------------------------------------------ */

uint16_t tally_span_bin(uint64_t ms)
{
    unsigned doublings;

    if (ms < 1u << SPAN_FINE)
        return (uint16_t)ms;
    doublings = 63 - (unsigned)__builtin_clzll(ms) - SPAN_FINE;
    return (uint16_t)((doublings + 1) << SPAN_FINE | (ms >> doublings & ((1u << SPAN_FINE) - 1)));
}

uint64_t tally_span_first(uint16_t bin)
{
    unsigned doublings = bin >> SPAN_FINE;
    uint64_t fine = bin & ((1u << SPAN_FINE) - 1);

    if (doublings == 0)
        return fine;
    return ((1ull << SPAN_FINE) + fine) << (doublings - 1);
}

uint64_t tally_span_last(uint16_t bin)
{
    return tally_span_first((uint16_t)(bin + 1)) - 1;
}

enum tally_class tally_class_of(uint64_t received_ms, uint64_t answered_ms, uint64_t promise_ms)
{
    uint64_t ms = answered_ms - received_ms;

    if (ms <= 5 * MINUTE_MS)
        return TALLY_5_MIN;
    if (ms <= 10 * MINUTE_MS)
        return TALLY_10_MIN;
    if (ms <= 30 * MINUTE_MS)
        return TALLY_30_MIN;
    if (ms <= 60 * MINUTE_MS)
        return TALLY_HOUR_1;
    return answered_ms <= promise_ms ? TALLY_BUSINESS_DAY : TALLY_LATER;
}

/* 0..4 attempts, 5..7 where, 8 contacted, 9 conversed, 10 unhappy */
uint16_t tally_standing_bin(const struct tally_standing *standing)
{
    unsigned attempts =
        standing->attempts < TALLY_ATTEMPTS_MAX ? standing->attempts : TALLY_ATTEMPTS_MAX;

    return (uint16_t)(attempts | (unsigned)standing->where << 5 |
                      (unsigned)standing->contacted << 8 | (unsigned)standing->conversed << 9 |
                      (unsigned)standing->unhappy << 10);
}

struct tally_standing tally_standing_of(unsigned bin)
{
    return (struct tally_standing){.attempts = bin & TALLY_ATTEMPTS_MAX,
                                   .where = (enum tally_where)(bin >> 5 & 7),
                                   .contacted = bin >> 8 & 1,
                                   .conversed = bin >> 9 & 1,
                                   .unhappy = bin >> 10 & 1};
}

/* --- a cell ------------------------------------------------------------------------ */

static size_t place_of(struct tally_cell *cell, uint16_t bin)
{
    size_t from = 0, to = cell->count;

    if (cell->last < cell->count && tally_bin_of(cell->entries[cell->last]) == bin)
        return cell->last;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (tally_bin_of(cell->entries[middle]) < bin)
            from = middle + 1;
        else
            to = middle;
    }
    cell->last = (uint16_t)from;
    return from;
}

static bool grow(struct tally_cell *cell)
{
    uint16_t capacity = cell->capacity < ENTRIES_MIN ? ENTRIES_MIN : (uint16_t)(2 * cell->capacity);
    uint64_t *larger = realloc(cell->entries, capacity * sizeof *larger);

    if (!larger)
        return false;
    cell->entries = larger;
    cell->capacity = capacity;
    return true;
}

static void remove_entry(struct tally_cell *cell, size_t place)
{
    cell->count--;
    memmove(&cell->entries[place], &cell->entries[place + 1],
            (cell->count - place) * sizeof *cell->entries);
}

static void take_one(struct tally_cell *cell, uint16_t bin)
{
    size_t place = place_of(cell, bin);

    MUST(place < cell->count && tally_bin_of(cell->entries[place]) == bin);
    if (tally_count_of(--cell->entries[place]) == 0)
        remove_entry(cell, place);
}

static void take_away(struct tally_cell *cell, const struct tally_add *add)
{
    take_one(cell, add->bin);
    cell->sum -= add->amount;
    cell->aside -= add->aside;
    if (cell->count == 0)
        cell->max = 0;
    else if (add->amount == cell->max && add->amount != 0)
        cell->max = tally_span_last(tally_bin_of(cell->entries[cell->count - 1]));
}

static bool put_one(struct tally_cell *cell, uint16_t bin)
{
    size_t place = place_of(cell, bin);

    if (place == cell->count || tally_bin_of(cell->entries[place]) != bin) {
        if (cell->count == cell->capacity && !grow(cell))
            return false;
        memmove(&cell->entries[place + 1], &cell->entries[place],
                (cell->count - place) * sizeof *cell->entries);
        cell->entries[place] = (uint64_t)bin << TALLY_COUNT_BITS;
        cell->count++;
    }
    cell->entries[place]++;
    return true;
}

bool tally_cell_add(struct tally_cell *cell, const struct tally_add *add)
{
    if (add->less) {
        take_away(cell, add);
        return true;
    }
    if (!put_one(cell, add->bin))
        return false;
    if (add->moves)
        take_one(cell, add->from);
    cell->sum += add->amount;
    cell->aside += add->aside;
    if (add->amount > cell->max)
        cell->max = add->amount;
    return true;
}

size_t tally_cell_bytes(const struct tally_cell *cell)
{
    return (NUMBERS_STORED + cell->count) * sizeof(uint64_t);
}

void tally_cell_store(const struct tally_cell *cell, char *bytes)
{
    const uint64_t numbers[NUMBERS_STORED] = {cell->sum, cell->max, cell->aside};

    memcpy(bytes, numbers, sizeof numbers);
    memcpy(bytes + sizeof numbers, cell->entries, cell->count * sizeof *cell->entries);
}

bool tally_view(const struct tally_key *key, const char *bytes, size_t length,
                struct tally_view *out)
{
    uint64_t numbers[NUMBERS_STORED];

    if (length < sizeof numbers || length % sizeof(uint64_t) != 0)
        return false;
    memcpy(numbers, bytes, sizeof numbers);
    *out = (struct tally_view){.key = *key,
                               .sum = numbers[0],
                               .max = numbers[1],
                               .aside = numbers[2],
                               .count = length / sizeof(uint64_t) - NUMBERS_STORED,
                               .entries = bytes + sizeof numbers};
    return true;
}

bool tally_cell_load(struct tally_cell *cell, const struct tally_view *view)
{
    cell->entries = malloc(view->count * sizeof *cell->entries + 1);
    if (!cell->entries)
        return false;
    memcpy(cell->entries, view->entries, view->count * sizeof *cell->entries);
    cell->count = cell->capacity = (uint16_t)view->count;
    cell->sum = view->sum;
    cell->max = view->max;
    cell->aside = view->aside;
    return true;
}

uint64_t tally_view_entry(const struct tally_view *view, size_t index)
{
    uint64_t entry;

    memcpy(&entry, view->entries + index * sizeof entry, sizeof entry);
    return entry;
}

/* --- many of them -------------------------------------------------------------------- */

/* Keys differ in a few low bits of each part; multiplying spreads them over the high ones. */
static uint32_t hash_key(const struct tally_key *key)
{
    uint64_t mixed = key->value * 0x9e3779b97f4a7c15ull;

    mixed ^= ((uint64_t)key->agency << 32 | key->day) * 0xc2b2ae3d27d4eb4full;
    mixed ^= ((uint64_t)key->kind << 8 | key->dimension) * 0x165667b19e3779f9ull;
    mixed ^= mixed >> 29;
    return (uint32_t)(mixed * 0x9e3779b97f4a7c15ull >> 32);
}

/* Where the key is, or would be. */
static struct tally_slot *slot_of(const struct tally *tally, const struct tally_key *key,
                                  uint32_t hash)
{
    size_t place = hash & (tally->capacity - 1);
    struct tally_slot *slot = &tally->slots[place];

    while (slot->cell && (slot->hash != hash || !tally_same_key(&slot->cell->key, key))) {
        place = (place + 1) & (tally->capacity - 1);
        slot = &tally->slots[place];
    }
    return slot;
}

struct tally_cell *tally_find(struct tally *tally, const struct tally_key *key)
{
    struct tally_cell **last = tally_last(tally, key);

    if (*last && tally_same_key(&(*last)->key, key))
        return *last;
    if (tally->capacity == 0)
        return NULL;
    struct tally_cell *cell = slot_of(tally, key, hash_key(key))->cell;
    if (cell)
        *last = cell;
    return cell;
}

bool tally_is_full(const struct tally *tally)
{
    return tally->count == TALLY_CELLS_MAX;
}

static bool widen(struct tally *tally)
{
    struct tally wider = {.capacity = tally->capacity == 0 ? SLOTS_MIN : 2 * tally->capacity};

    wider.slots = calloc(wider.capacity, sizeof(*wider.slots));
    if (!wider.slots)
        return false;
    for (struct tally_slot *slot = tally->slots; slot < tally->slots + tally->capacity; slot++)
        if (slot->cell)
            *slot_of(&wider, &slot->cell->key, slot->hash) = *slot;
    free(tally->slots);
    tally->slots = wider.slots;
    tally->capacity = wider.capacity;
    return true;
}

struct tally_cell *tally_insert(struct tally *tally, const struct tally_key *key)
{
    uint32_t hash = hash_key(key);

    MUST(!tally_is_full(tally));
    if (2 * tally->count >= tally->capacity && !widen(tally))
        return NULL;
    struct tally_cell *cell = calloc(1, sizeof *cell);
    if (!cell)
        return NULL;
    cell->key = *key;
    *slot_of(tally, key, hash) = (struct tally_slot){hash, cell};
    tally->count++;
    *tally_last(tally, key) = cell;
    return cell;
}

bool tally_note(struct tally *tally, struct tally_cell *cell)
{
    if (cell->changed)
        return true;
    if (tally->changed_count == tally->changed_capacity) {
        size_t capacity = tally->changed_capacity == 0 ? SLOTS_MIN : 2 * tally->changed_capacity;
        struct tally_cell **larger = realloc(tally->changed, capacity * sizeof(*larger));
        if (!larger)
            return false;
        tally->changed = larger;
        tally->changed_capacity = capacity;
    }
    tally->changed[tally->changed_count++] = cell;
    cell->changed = true;
    return true;
}

struct tally_cell *tally_take(struct tally *tally)
{
    if (tally->changed_count == 0)
        return NULL;
    struct tally_cell *cell = tally->changed[--tally->changed_count];
    cell->changed = false;
    return cell;
}

void tally_clear(struct tally *tally)
{
    for (struct tally_slot *slot = tally->slots; slot < tally->slots + tally->capacity; slot++) {
        if (!slot->cell)
            continue;
        free(slot->cell->entries);
        free(slot->cell);
    }
    free(tally->slots);
    free(tally->changed);
    *tally = (struct tally){0};
}
