/* Many small tables instead of a large one: the upper bits of an opt-in's mixed key choose the
 * table, the lower ones the place in it. A large table that doubles would move millions of entries
 * in one go, and the sender on the same thread would owe all that it should have sent meanwhile.
 * Here a growth moves one table of a few thousand.
 *
 * Nothing is ever taken out, so an opt-in is found by walking on from its place to the first empty
 * entry. */
#include "bench/ledger.h"

#include <stdlib.h>

#include "proto/must.h"

#define TABLES_MIN    1024u
#define TABLES_MAX    (1u << 20)
#define ENTRIES_MIN   16u
#define TABLE_OPTINS  2048u /* that are expected in a table */
#define MOMENT_NS_MAX ((1ull << 60) - 1)

struct entry {
    uint64_t key;
    uint64_t intended_ns;
    /* When it was acknowledged; until it is, when it was popped. An entry that is neither of these
     * nor emailed is empty. */
    uint64_t moment_ns : 60;
    uint64_t acked : 1;
    uint64_t popped : 1;
    uint64_t must_pop : 1;
    uint64_t emailed : 1;
};
_Static_assert(sizeof(struct entry) == 24, "an opt-in costs 24 bytes");

struct table {
    struct entry *entries;
    uint32_t places; /* a power of two */
    uint32_t used;
};

struct ledger {
    struct table *tables;
    uint32_t table_count; /* a power of two */
    uint64_t popped_unacked, popped_must, emailed_must;
    struct ledger_counts counts; /* all but `lost`, `unclaimed` and `emails_missing` */
};

/* The senders of peers are numbered: neighbours have to part. (The finalizer of MurmurHash3.) */
static uint64_t mix(uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdull;
    key ^= key >> 33;
    key *= 0xc4ceb9fe1a85ec53ull;
    return key ^ key >> 33;
}

static bool is_empty(const struct entry *entry)
{
    return !entry->acked && !entry->popped && !entry->emailed;
}

static struct entry *place_of(const struct table *table, uint64_t key)
{
    uint64_t place = mix(key) & (table->places - 1);

    while (!is_empty(&table->entries[place]) && table->entries[place].key != key)
        place = (place + 1) & (table->places - 1);
    return &table->entries[place];
}

static bool table_open(struct table *table, uint32_t places)
{
    table->entries = calloc(places, sizeof(*table->entries));
    table->places = places;
    table->used = 0;
    return table->entries != NULL;
}

/* Without memory for the ledger nothing that was measured could be vouched for. */
static void table_grow(struct table *table)
{
    struct table larger;

    MUST(table_open(&larger, table->places * 2));
    for (uint32_t i = 0; i < table->places; i++)
        if (!is_empty(&table->entries[i]))
            *place_of(&larger, table->entries[i].key) = table->entries[i];
    larger.used = table->used;
    free(table->entries);
    *table = larger;
}

/* The entry of this opt-in: an empty one when it is new, which the caller then fills. At most three
 * quarters of a table are used. */
static struct entry *entry_of(struct ledger *ledger, uint64_t key)
{
    struct table *table = &ledger->tables[mix(key) >> 32 & (ledger->table_count - 1)];
    struct entry *entry = place_of(table, key);

    if (!is_empty(entry))
        return entry;
    if ((table->used + 1) * 4 > table->places * 3) {
        table_grow(table);
        entry = place_of(table, key);
    }
    table->used++;
    entry->key = key;
    return entry;
}

static uint64_t power_of_two(uint64_t least)
{
    uint64_t power = 1;

    while (power < least)
        power *= 2;
    return power;
}

struct ledger *ledger_open(uint64_t expected)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL)
        return NULL;
    uint64_t tables = power_of_two(expected / TABLE_OPTINS);
    tables = tables < TABLES_MIN ? TABLES_MIN : tables > TABLES_MAX ? TABLES_MAX : tables;
    uint64_t places = power_of_two(expected / tables * 3 / 2);
    ledger->tables = calloc(tables, sizeof(*ledger->tables));
    bool made = ledger->tables != NULL;
    for (; made && ledger->table_count < tables; ledger->table_count++)
        made = table_open(&ledger->tables[ledger->table_count],
                          places < ENTRIES_MIN ? ENTRIES_MIN : (uint32_t)places);
    if (made)
        return ledger;
    ledger_close(ledger);
    return NULL;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    for (uint32_t i = 0; i < ledger->table_count; i++)
        free(ledger->tables[i].entries);
    free(ledger->tables);
    free(ledger);
}

static void demand(struct ledger *ledger, struct entry *entry)
{
    entry->must_pop = true;
    ledger->counts.must_pop++;
    ledger->popped_must += entry->popped;
    ledger->emailed_must += entry->emailed;
}

uint64_t ledger_acked(struct ledger *ledger, uint64_t key, bool must_pop, uint64_t intended_ns,
                      uint64_t acked_ns)
{
    struct entry *entry = entry_of(ledger, key);
    uint64_t popped_ns = 0;

    if (entry->acked) {
        ledger->counts.acked_again++;
    } else {
        ledger->counts.acked++;
        if (entry->popped) {
            popped_ns = entry->moment_ns;
            ledger->popped_unacked--;
        }
        entry->acked = true;
        entry->intended_ns = intended_ns;
        entry->moment_ns = acked_ns & MOMENT_NS_MAX;
    }
    /* The answer to a repetition may be read before that to the first request, which demands. */
    if (must_pop && !entry->must_pop)
        demand(ledger, entry);
    return popped_ns;
}

struct ledger_match ledger_popped(struct ledger *ledger, uint64_t key, uint32_t delivery,
                                  uint64_t popped_ns)
{
    struct entry *entry = entry_of(ledger, key);

    if (delivery > 1)
        ledger->counts.redelivered++;
    if (entry->popped) {
        ledger->counts.doubled += delivery <= 1;
        return (struct ledger_match){0};
    }
    entry->popped = true;
    ledger->counts.popped++;
    ledger->popped_must += entry->must_pop;
    if (entry->acked)
        return (struct ledger_match){true, entry->intended_ns, entry->moment_ns};
    entry->moment_ns = popped_ns & MOMENT_NS_MAX;
    ledger->popped_unacked++;
    return (struct ledger_match){0};
}

void ledger_emailed(struct ledger *ledger, uint64_t key, uint32_t delivery)
{
    struct entry *entry = entry_of(ledger, key);

    if (entry->emailed) {
        ledger->counts.emails_doubled += delivery <= 1;
        return;
    }
    entry->emailed = true;
    ledger->counts.emailed++;
    ledger->emailed_must += entry->must_pop;
}

void ledger_count(const struct ledger *ledger, struct ledger_counts *out)
{
    *out = ledger->counts;
    out->lost = ledger->counts.must_pop - ledger->popped_must;
    out->unclaimed = ledger->popped_unacked;
    out->emails_missing = ledger->counts.must_pop - ledger->emailed_must;
}
