/* Reading the tally: sums over days, and rows by day or by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/zone.h"
#include "server/figures_internal.h"
#include "server/record.h"

/* The cells of a kind, of one agency or of all. Seen from the query's own side only those that have
 * its value. */
struct walk {
    const struct figures *figures;
    bool only; /* the query's value */
    state_tally_fn *tell;
    void *owner;
};

static bool tell_wanted(void *owner, const struct tally_view *cell)
{
    const struct walk *walk = owner;

    if (walk->only && cell->key.value != walk->figures->query->value)
        return true;
    return walk->tell(walk->owner, cell);
}

static enum status read_cells(const struct figures *figures, enum tally_kind kind,
                              enum tally_dimension dimension, state_tally_fn *tell, void *owner)
{
    const struct figures_query *query = figures->query;
    struct walk walk = {.figures = figures,
                        .only = dimension == query->side && dimension != TALLY_ALL,
                        .tell = tell,
                        .owner = owner};
    uint32_t first = query->agency != 0 ? query->agency : 1;
    uint32_t last = query->agency != 0 ? query->agency : figures->source->agencies;
    enum status status = STATUS_OK;

    for (uint32_t agency = first; status == STATUS_OK && agency <= last; agency++)
        status = state_read_tally(figures->source->state, agency, kind, dimension,
                                  tally_day(dimension, query->day_first), query->day_last,
                                  tell_wanted, &walk);
    return status;
}

/* --- all of a kind --------------------------------------------------------------------- */

static void sum_add(struct sum *sum, const struct tally_view *cell)
{
    for (size_t i = 0; i < cell->count; i++) {
        uint64_t entry = tally_view_entry(cell, i), count = tally_count_of(entry);
        unsigned bin = tally_bin_of(entry);
        if (tally_is_less(cell->key.kind, bin)) { /* behind what it is taken from */
            sum->count = left_of(sum->count, count);
            sum->bins[bin ^ TALLY_LESS] = left_of(sum->bins[bin ^ TALLY_LESS], count);
            continue;
        }
        sum->count += count;
        sum->bins[bin & TALLY_SPAN_MASK] += count;
        sum->classes[bin >> TALLY_SPAN_BITS & (SUM_CLASSES - 1)] += count;
    }
    sum->total += cell->sum;
    sum->aside += cell->aside;
    if (cell->max > sum->max)
        sum->max = cell->max;
}

static bool add_to_sum(void *owner, const struct tally_view *cell)
{
    sum_add(owner, cell);
    return true;
}

enum status sum_read(const struct figures *figures, enum tally_kind kind, struct sum *out)
{
    memset(out, 0, sizeof(*out));
    return read_cells(figures, kind, figures->query->side, add_to_sum, out);
}

uint64_t sum_percentile(const struct sum *sum, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)sum->count), seen = 0;

    if (wanted == 0)
        wanted = 1;
    for (unsigned bin = 0; bin <= TALLY_SPAN_MASK; bin++) {
        uint64_t first, middle;
        seen += sum->bins[bin];
        if (seen < wanted)
            continue;
        first = tally_span_first((uint16_t)bin);
        middle = first + (tally_span_last((uint16_t)bin) - first) / 2;
        return middle < sum->max ? middle : sum->max;
    }
    return 0;
}

uint64_t sum_mean(const struct sum *sum)
{
    return sum->count == 0 ? 0 : sum->total / sum->count;
}

uint64_t sum_between(const struct sum *sum, unsigned first_bin, unsigned last_bin)
{
    uint64_t count = 0;

    for (unsigned bin = first_bin; bin <= last_bin; bin++)
        count += sum->bins[bin];
    return count;
}

uint64_t sum_standing(const struct sum *sum, standing_fn *is, unsigned least, unsigned most)
{
    uint64_t count = 0;

    for (unsigned bin = 0; bin <= TALLY_SPAN_MASK; bin++) {
        const struct tally_standing standing = tally_standing_of(bin);
        if (sum->bins[bin] > 0 && standing.attempts >= least && standing.attempts <= most &&
            is(&standing))
            count += sum->bins[bin];
    }
    return count;
}

bool standing_is_given_up(const struct tally_standing *standing)
{
    return (standing->where == TALLY_STOPPED || standing->where == TALLY_ADRIFT) &&
           standing->attempts > 0;
}

bool standing_is_by_law(const struct tally_standing *standing)
{
    return standing->where == TALLY_BY_LAW;
}

bool standing_is_bought(const struct tally_standing *standing)
{
    return standing->where == TALLY_BOUGHT;
}

bool standing_is_adrift(const struct tally_standing *standing)
{
    return standing->where == TALLY_ADRIFT;
}

bool standing_is_adrift_before_talk(const struct tally_standing *standing)
{
    return standing->where == TALLY_ADRIFT && !standing->conversed;
}

bool standing_is_adrift_after_talk(const struct tally_standing *standing)
{
    return standing->where == TALLY_ADRIFT && standing->conversed;
}

bool standing_is_unhappy(const struct tally_standing *standing)
{
    return standing->unhappy;
}

/* --- rows ------------------------------------------------------------------------------ */

struct gathering {
    struct rows *rows;
    enum tally_dimension dimension; /* ALL: by period */
    enum figures_by by;
    bool exhausted; /* no memory */
};

/* Rows are few and mostly asked for in the order of their keys: kept sorted. */
static size_t place_of(const struct rows *rows, uint64_t key)
{
    size_t from = 0, to = rows->count;

    if (to > 0 && rows->items[to - 1].key < key)
        return to;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (rows->items[middle].key < key)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool reserve(struct rows *rows)
{
    size_t capacity = rows->capacity == 0 ? 64 : 2 * rows->capacity;
    struct row *larger;

    if (rows->count < rows->capacity)
        return true;
    larger = realloc(rows->items, capacity * sizeof(*larger));
    if (!larger)
        return false;
    rows->items = larger;
    rows->capacity = capacity;
    return true;
}

/* NULL: no memory. */
static struct row *row_of(struct rows *rows, uint64_t key)
{
    size_t place;

    if (rows->count >= ROWS_MAX) {
        place = place_of(rows, key);
        if (place == rows->count || rows->items[place].key != key)
            key = TALLY_VALUES_OTHER;
    }
    place = place_of(rows, key);
    if (place < rows->count && rows->items[place].key == key)
        return &rows->items[place];
    if (!reserve(rows))
        return NULL;
    memmove(&rows->items[place + 1], &rows->items[place],
            (rows->count - place) * sizeof(*rows->items));
    rows->items[place] = (struct row){.key = key};
    rows->count++;
    return &rows->items[place];
}

/* 1970-01-01 was a Thursday; weeks begin on Monday. */
static uint64_t period_begin(enum figures_by by, uint32_t day)
{
    struct civil civil;

    if (by == FIGURES_BY_WEEK)
        return day < 4 ? 0 : day - (day + 3) % 7;
    if (by != FIGURES_BY_MONTH)
        return day;
    zone_civil(zone_utc(), day * DAY_MS, &civil);
    return day - (civil.day - 1u);
}

static void count_optin(struct row *row, unsigned bin, uint64_t count)
{
    unsigned reason = bin & TALLY_OPTIN_REASON;

    if (reason == NO_TASK_TEST || reason == NO_TASK_SUSPECT)
        return;
    if (!(bin & TALLY_OPTIN_SINCE))
        row->counts[MEASURE_OPTINS] += count;
    if (bin & TALLY_OPTIN_NEW)
        row->counts[MEASURE_PEOPLE] += count;
    if (bin & TALLY_OPTIN_OPENED)
        row->counts[MEASURE_OWED] += count;
    if (bin & TALLY_OPTIN_PROMISED)
        row->counts[MEASURE_PROMISED] += count;
    if (bin & TALLY_OPTIN_FIRST)
        row->counts[MEASURE_NEW_OWED] += count;
}

static void count_standing(struct row *row, unsigned bin, uint64_t count)
{
    const struct tally_standing standing = tally_standing_of(bin);

    if (standing.contacted)
        row->counts[MEASURE_CONTACTED] += count;
    if (standing.conversed)
        row->counts[MEASURE_CONVERSED] += count;
    if (standing.where == TALLY_BOUGHT)
        row->counts[MEASURE_SOLD] += count;
}

static void count_entry(struct row *row, enum tally_kind kind, uint64_t entry)
{
    uint64_t count = tally_count_of(entry);
    unsigned bin = tally_bin_of(entry);

    if (tally_is_less(kind, bin)) {
        count = -count;
        bin ^= TALLY_LESS;
    }
    switch (kind) {
    case TALLY_OPTIN:
        count_optin(row, bin, count);
        break;
    case TALLY_ANSWER:
        row->counts[MEASURE_ANSWERED] += count;
        if (tally_promise_of(bin) == TALLY_PROMISE_KEPT)
            row->counts[MEASURE_KEPT] += count;
        if (tally_promise_of(bin) == TALLY_PROMISE_BROKEN)
            row->counts[MEASURE_BROKEN] += count;
        break;
    case TALLY_UNANSWERED:
        row->counts[MEASURE_UNANSWERED] += count;
        if (bin != 0)
            row->counts[MEASURE_FORGOTTEN] += count;
        break;
    case TALLY_SETTLED:
        row->counts[MEASURE_SETTLED] += count;
        if (bin != 0)
            row->counts[MEASURE_NEW_SETTLED] += count;
        break;
    case TALLY_STANDING:
        count_standing(row, bin, count);
        break;
    case TALLY_CONVERSED:
        row->counts[MEASURE_CONVERSED] += count;
        break;
    case TALLY_STAGE:
        row->counts[MEASURE_LEADS] += count;
        break;
    default:
        MUST(!"a kind that has a measure");
    }
}

/* Days come in order, so the newest opt-in comes last. */
static void note_seq(struct row *row, uint64_t seq)
{
    memmove(&row->seqs[1], &row->seqs[0], (FIGURES_SEQS - 1) * sizeof(row->seqs[0]));
    row->seqs[0] = seq;
}

static bool add_to_rows(void *owner, const struct tally_view *cell)
{
    struct gathering *gathering = owner;
    uint64_t key = gathering->dimension == TALLY_ALL ? period_begin(gathering->by, cell->key.day)
                                                     : cell->key.value;
    struct row *row = row_of(gathering->rows, key);

    if (!row) {
        gathering->exhausted = true;
        return false;
    }
    for (size_t i = 0; i < cell->count; i++)
        count_entry(row, cell->key.kind, tally_view_entry(cell, i));
    if (cell->key.kind == TALLY_OPTIN)
        note_seq(row, cell->max);
    return true;
}

enum status rows_read(const struct figures *figures, const enum tally_kind *kinds, size_t count,
                      enum tally_dimension dimension, enum figures_by by, struct rows *rows)
{
    struct gathering gathering = {.rows = rows, .dimension = dimension, .by = by};
    enum status status = STATUS_OK;

    /* By period the query's own side serves as well as all. */
    if (dimension == TALLY_ALL)
        dimension = figures->query->side;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = read_cells(figures, kinds[i], dimension, add_to_rows, &gathering);
    return gathering.exhausted ? STATUS_BUSY : status;
}

bool side_is_weekly(enum tally_dimension side)
{
    return side == TALLY_HOUR || side == TALLY_SOURCE || side == TALLY_CAMPAIGN ||
           side == TALLY_AGENT;
}

enum figures_by period_known(const struct figures *figures, enum figures_by by)
{
    return side_is_weekly(figures->query->side) && by < FIGURES_BY_WEEK ? FIGURES_BY_WEEK : by;
}

uint64_t row_pending(const struct row *row)
{
    return left_of(row->counts[MEASURE_OWED], row->counts[MEASURE_SETTLED]);
}

uint64_t row_pending_people(const struct row *row)
{
    return left_of(row->counts[MEASURE_NEW_OWED], row->counts[MEASURE_NEW_SETTLED]);
}

static int compare_keys(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    return (left->key > right->key) - (left->key < right->key);
}

void rows_by_key(struct rows *rows)
{
    if (rows->count > 0)
        qsort(rows->items, rows->count, sizeof(*rows->items), compare_keys);
}

/* What was not told apart when it was counted comes last, so that what is not shown joins it. */
static int compare_counts(const void *a, const void *b, void *measure)
{
    const struct row *left = a, *right = b;
    int others = (left->key == TALLY_VALUES_OTHER) - (right->key == TALLY_VALUES_OTHER);
    uint64_t of_left = left->counts[*(enum measure *)measure];
    uint64_t of_right = right->counts[*(enum measure *)measure];

    if (others != 0)
        return others;
    if (of_left != of_right)
        return of_left < of_right ? 1 : -1;
    return compare_keys(a, b);
}

static void join(struct row *row, const struct row *more)
{
    row->key = TALLY_VALUES_OTHER;
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        row->counts[i] += more->counts[i];
}

void rows_by_count(struct rows *rows, enum measure measure, size_t most)
{
    if (rows->count > 0)
        qsort_r(rows->items, rows->count, sizeof(*rows->items), compare_counts, &measure);
    for (; rows->count > most; rows->count--)
        join(&rows->items[most - 1], &rows->items[rows->count - 1]);
}

struct row rows_total(const struct rows *rows)
{
    struct row total = {0};

    for (size_t i = 0; i < rows->count; i++)
        for (size_t measure = 0; measure < MEASURE_COUNT; measure++)
            total.counts[measure] += rows->items[i].counts[measure];
    return total;
}

void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->items[i].sum);
    free(rows->items);
    *rows = (struct rows){0};
}

/* --- lengths by side --------------------------------------------------------------------- */

static bool add_to_row_sums(void *owner, const struct tally_view *cell)
{
    struct rows *rows = owner;
    size_t place = place_of(rows, cell->key.value);

    if (place == rows->count || rows->items[place].key != cell->key.value)
        place = rows->count - 1; /* TALLY_VALUES_OTHER is the highest key */
    sum_add(rows->items[place].sum, cell);
    return true;
}

static bool make_sums(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        rows->items[i].sum = calloc(1, sizeof(*rows->items[i].sum));
        if (!rows->items[i].sum)
            return false;
    }
    return true;
}

static int compare_sums(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    if (left->sum->count != right->sum->count)
        return left->sum->count < right->sum->count ? 1 : -1;
    return compare_keys(a, b);
}

enum status rows_read_sums(const struct figures *figures, enum tally_kind kind,
                           enum tally_dimension dimension, size_t most, struct rows *rows)
{
    enum measure measure = kind == TALLY_ANSWER ? MEASURE_ANSWERED : MEASURE_CONVERSED;
    const enum tally_kind named = TALLY_OPTIN;
    struct rows names = {0};
    enum status status;

    struct gathering gathering = {.rows = rows, .dimension = dimension};

    status = read_cells(figures, kind, dimension, add_to_rows, &gathering);
    rows_by_count(rows, measure, most);
    rows_by_key(rows);
    if (status == STATUS_OK && (gathering.exhausted || !make_sums(rows)))
        status = STATUS_BUSY;
    if (status == STATUS_OK && rows->count > 0)
        status = read_cells(figures, kind, dimension, add_to_row_sums, rows);
    if (status == STATUS_OK && (dimension == TALLY_SOURCE || dimension == TALLY_CAMPAIGN))
        status = rows_read(figures, &named, 1, dimension, FIGURES_BY_DAY, &names);
    for (size_t i = 0; status == STATUS_OK && i < rows->count; i++) {
        size_t place = place_of(&names, rows->items[i].key);
        if (place < names.count && names.items[place].key == rows->items[i].key)
            memcpy(rows->items[i].seqs, names.items[place].seqs, sizeof(rows->items[i].seqs));
    }
    if (status == STATUS_OK && dimension != TALLY_HOUR && rows->count > 0)
        qsort(rows->items, rows->count, sizeof(*rows->items), compare_sums);
    rows_free(&names);
    return status;
}
