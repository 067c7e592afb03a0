/* The counts that figures (`hotlead report ...`) are made of: added up while records are applied,
 * so that no figure needs a look at everybody.
 *
 * A cell holds what happened of one kind on one day (or in one week), seen from one side: all of
 * it, a site, an hour of the day, a source, a campaign, or an agent. Its bins are counts by what
 * the kind distinguishes (a length of time, a stage, how many attempts), and beside them the exact
 * sum and maximum.
 *
 * Days and hours are UTC. Most kinds are counted on the day of the opt-in that they go back to
 * (its cohort), so that shares of a day's opt-ins come out right however late something happens.
 *
 * Pure, but for the memory of struct tally. One thread. To change what a cell holds: raise
 * STATE_VERSION, which makes state anew from the journal. */
#ifndef HOTLEAD_SERVER_TALLY_H
#define HOTLEAD_SERVER_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted. Stored numbers: append only.
 *
 * kind          day, hour of        bin                            sum, max, aside
 * OPTIN         the opt-in          tally_optin_bin                max: its seq
 * ANSWER        the opt-in          promise, class and span        ms until the first attempt;
 *                                                                  aside: until it is decided
 * UNANSWERED    the opt-in          1: an answer was promised      its task ended with no attempt
 * BREACH        the opt-in          enum tally_breach
 * STANDING      the first opt-in    tally_standing_bin
 * CONVERSED     the first opt-in    span                           ms until the first conversation
 * STAGE         the first opt-in    stage, from the second on
 * OUTCOME       the outcome         enum outcome
 * STEP          the step            cadence (0: a planned call), TALLY_BY_ROBOT
 * SKIPPED       the step            why
 * CUT           the outcome         cadence that an agent's word ended before its time
 * BARE          the conversation    1: nothing was sent before, 0: something was
 * TIER          the opt-in          tier
 * RUNG          the opt-in          rung, TALLY_BY_ROBOT
 * BOARD         0                   tally_board_bin, of people with an owner
 * WOKEN         0                   0                              max: the newest moment that a
 *                                                                  call out of the graveyard has
 * SETTLED       the opt-in          1: it is its person's first    its first response is not
 * pending any more: answered, ended, late
 *
 * STANDING, CONVERSED, STAGE and BOARD follow from a person's row: whatever takes a row back takes
 * them back too. Of others TALLY_LESS says how many are taken back: people and what was owed to
 * them by a merge, what an outcome was by its amendment. */
enum tally_kind {
    TALLY_OPTIN = 1,
    TALLY_ANSWER,
    TALLY_UNANSWERED,
    TALLY_BREACH,
    TALLY_STANDING,
    TALLY_CONVERSED,
    TALLY_STAGE,
    TALLY_OUTCOME,
    TALLY_STEP,
    TALLY_SKIPPED,
    TALLY_CUT,
    TALLY_BARE,
    TALLY_TIER,
    TALLY_RUNG,
    TALLY_BOARD,
    TALLY_WOKEN,
    TALLY_SETTLED,
    TALLY_KIND_END
};

/* From which side. Stored numbers: append only. */
enum tally_dimension {
    TALLY_ALL = 1,  /* 0 */
    TALLY_SITE,     /* number */
    TALLY_HOUR,     /* of the day, UTC; of ANSWER and CONVERSED */
    TALLY_SOURCE,   /* keyed hash of source_kind */
    TALLY_CAMPAIGN, /* of utm_campaign */
    TALLY_AGENT,    /* of the agent's id */
    TALLY_OWNER,    /* number of the agent; of BOARD alone */
    TALLY_DIMENSION_END
};

/* All and sites are counted by the day, the others by the week: what happens today is about the
 * opt-ins of many days, and the cells of all of them are to stay in memory. The day that a cell
 * has for one in it: the same, or Monday. */
static inline uint32_t tally_day(enum tally_dimension dimension, uint32_t day)
{
    if (dimension <= TALLY_SITE || day < 4) /* 1970 began on a Thursday */
        return day;
    return day - (day + 3) % 7;
}

/* What anybody may make up (sources, campaigns, agents) is told apart up to so many values a kind
 * and a week; the rest is one. What goes back to an opt-in is where the opt-in is. */
#define TALLY_VALUES_MAX   256
#define TALLY_VALUES_OTHER UINT64_MAX
#define TALLY_VALUES_COUNT (UINT64_MAX - 1) /* not a value: how many there are, in bin 0 */

struct tally_key {
    uint64_t value; /* of the dimension */
    uint32_t agency;
    uint32_t day; /* since 1970 */
    uint8_t kind, dimension;
};

/* --- bins ------------------------------------------------------------------------ */

/* Lengths of time: below 64 ms exact, from there 32 bins for each doubling, 3 % wide and less. Any
 * length has a bin of so many bits. */
#define TALLY_SPAN_BITS 11
#define TALLY_SPAN_MASK ((1u << TALLY_SPAN_BITS) - 1)
uint16_t tally_span_bin(uint64_t ms);
/* The first and the last ms of a bin. */
uint64_t tally_span_first(uint16_t bin);
uint64_t tally_span_last(uint16_t bin);

/* Classes of the first answer; they stand over the span in the bin of an ANSWER, and over them what
 * became of the promise of an answer by the end of the business day. */
enum tally_class {
    TALLY_5_MIN,
    TALLY_10_MIN,
    TALLY_30_MIN,
    TALLY_HOUR_1,
    TALLY_BUSINESS_DAY, /* before the end of the business day that was promised */
    TALLY_LATER,
    TALLY_CLASS_END
};
/* `promise_ms`: the end of that day; 0: nothing was promised. */
enum tally_class tally_class_of(uint64_t received_ms, uint64_t answered_ms, uint64_t promise_ms);

#define TALLY_CLASS_BITS 3
enum tally_promise { TALLY_PROMISE_NONE, TALLY_PROMISE_KEPT, TALLY_PROMISE_BROKEN };
static inline enum tally_promise tally_promise_of(unsigned answer_bin)
{
    return (enum tally_promise)(answer_bin >> (TALLY_SPAN_BITS + TALLY_CLASS_BITS));
}

/* An opt-in: why it has no task (enum no_task), and what it made. What it made only later, by what
 * was learnt since, is counted apart (SINCE), and is no opt-in more. */
#define TALLY_OPTIN_REASON   0x0fu
#define TALLY_OPTIN_NEW      0x10u /* a person: one of whom there were no more than tests before */
#define TALLY_OPTIN_OPENED   0x20u /* a first response */
#define TALLY_OPTIN_PROMISED 0x40u /* by the end of the business day */
#define TALLY_OPTIN_FIRST    0x80u /* to the first opt-in of its person */
#define TALLY_OPTIN_SINCE    0x100u

/* Of OPTIN, SETTLED, OUTCOME, CUT and BARE: so many less of what the rest of the bin says. What is
 * taken back stands beside what it is taken from, so that both may be told by different rules. */
#define TALLY_LESS 0x200u
static inline bool tally_is_less(enum tally_kind kind, unsigned bin)
{
    bool can_be = kind == TALLY_OPTIN || kind == TALLY_SETTLED || kind == TALLY_OUTCOME ||
                  kind == TALLY_CUT || kind == TALLY_BARE;

    return can_be && (bin & TALLY_LESS);
}

/* A step or a rung that a robot's task was opened for. */
#define TALLY_BY_ROBOT 0x100u

/* Where somebody stands whom an agent owns: the stage, and whether it is over. */
#define TALLY_BOARD_STAGE 0x3fu
#define TALLY_BOARD_OVER  0x40u

enum tally_breach { TALLY_BREACH_WAITING, TALLY_BREACH_HELD }; /* was anybody at it? */

/* How far somebody has come. Who was not tried yet, and is somebody's task or none by a reason,
 * has the bin 0, which is not counted. */
enum tally_where {
    TALLY_WORKED,
    TALLY_ADRIFT,  /* nothing is planned, and nothing says why */
    TALLY_STOPPED, /* by an outcome that ends it */
    TALLY_BY_LAW,  /* or by a fact: nobody gave up */
    TALLY_BOUGHT,
};
struct tally_standing {
    unsigned attempts; /* that were made; when bought, at which */
    enum tally_where where;
    bool contacted, conversed, unhappy;
};
#define TALLY_ATTEMPTS_MAX 31u /* counted alike from there on */
uint16_t tally_standing_bin(const struct tally_standing *standing);
struct tally_standing tally_standing_of(unsigned bin);

/* --- a cell ------------------------------------------------------------------------ */

/* A count under its bin: bin << 48 | count. Sorted; none has the count 0. */
#define TALLY_COUNT_BITS 48
static inline uint16_t tally_bin_of(uint64_t entry)
{
    return (uint16_t)(entry >> TALLY_COUNT_BITS);
}
static inline uint64_t tally_count_of(uint64_t entry)
{
    return entry & ((1ull << TALLY_COUNT_BITS) - 1);
}

struct tally_cell {
    struct tally_key key;
    bool changed; /* since it was last taken */
    uint16_t count, capacity;
    uint16_t last; /* where the bin is that was asked for last */
    uint64_t sum, max, aside;
    uint64_t stored; /* the checksum of the row that its table has; 0: it has none */
    uint64_t *entries;
};

/* One thing more, or one less, or one that moves from another bin. A cell that is taken away from
 * holds at most what was added to it; when its longest goes, `max` is the end of the bin that is
 * then the last. */
struct tally_add {
    uint16_t bin;
    uint16_t from; /* when it moves */
    bool less, moves;
    uint64_t amount, aside; /* to sum and max; to aside */
};
/* False: no memory. */
bool tally_cell_add(struct tally_cell *cell, const struct tally_add *add);

/* The same for one thing more under the bin that was asked for last, as mostly is; false: it is
 * another one, and nothing was counted. */
static inline bool tally_cell_add_again(struct tally_cell *cell, const struct tally_add *add)
{
    if (add->less || add->moves || cell->last >= cell->count ||
        tally_bin_of(cell->entries[cell->last]) != add->bin)
        return false;
    cell->entries[cell->last]++;
    cell->sum += add->amount;
    cell->aside += add->aside;
    if (add->amount > cell->max)
        cell->max = add->amount;
    return true;
}

/* As it is stored: sum, max, aside, entries. */
size_t tally_cell_bytes(const struct tally_cell *cell);
void tally_cell_store(const struct tally_cell *cell, char *bytes);

/* A stored cell for reading; its entries lie unaligned in what it was read from. */
struct tally_view {
    struct tally_key key;
    uint64_t sum, max, aside;
    size_t count;
    const char *entries;
};
bool tally_view(const struct tally_key *key, const char *bytes, size_t length,
                struct tally_view *out); /* false: no cell looks so */
/* Fills an empty cell from it. False: no memory. */
bool tally_cell_load(struct tally_cell *cell, const struct tally_view *view);
uint64_t tally_view_entry(const struct tally_view *view, size_t index);

/* --- many of them -------------------------------------------------------------------- */

#define TALLY_CELLS_MAX 16384
#define TALLY_LAST      16

/* Cells that were asked for lately. Zeroed: empty. */
struct tally {
    struct tally_slot {
        uint32_t hash;           /* of the key: another one is told without a look at its cell */
        struct tally_cell *cell; /* NULL: free */
    } * slots;
    size_t capacity, count;
    struct tally_cell **changed;
    size_t changed_count, changed_capacity;
    /* Most often asked for again, by the value's low bits. */
    struct tally_cell *last[TALLY_KIND_END][TALLY_DIMENSION_END][TALLY_LAST];
};

static inline bool tally_same_key(const struct tally_key *a, const struct tally_key *b)
{
    return a->value == b->value && a->agency == b->agency && a->day == b->day &&
           a->kind == b->kind && a->dimension == b->dimension;
}

/* Where the cell that was asked for last under such a key is noted. */
static inline struct tally_cell **tally_last(struct tally *tally, const struct tally_key *key)
{
    return &tally->last[key->kind][key->dimension][key->value % TALLY_LAST];
}

struct tally_cell *tally_find(struct tally *tally, const struct tally_key *key); /* NULL: none */
bool tally_is_full(const struct tally *tally);
/* An empty cell of that key, which is not there; NULL: no memory. Not when it is full. */
struct tally_cell *tally_insert(struct tally *tally, const struct tally_key *key);
/* Notes that the cell is to be taken. False: no memory. */
bool tally_note(struct tally *tally, struct tally_cell *cell);
/* A changed cell, which counts as unchanged from then on; NULL: there is none. */
struct tally_cell *tally_take(struct tally *tally);
void tally_clear(struct tally *tally);

#endif
