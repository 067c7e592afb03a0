#include "server/state_young.h"

#include <stdlib.h>

#include "proto/must.h"

#define LANE_ROWS_MIN 256

static int compare(struct young_key a, struct young_key b)
{
    for (int i = 0; i < 2; i++)
        if (a.part[i] != b.part[i])
            return a.part[i] < b.part[i] ? -1 : 1;
    return a.part[2] < b.part[2] ? -1 : a.part[2] > b.part[2];
}

static struct young_row *row_at(const struct young_lane *lane, uint64_t number)
{
    return &lane->rows[number & (lane->capacity - 1)];
}

static bool is_empty(const struct young_lane *lane)
{
    return lane->begin == lane->end;
}

/* A deleted row keeps its key, for the order, until it stands at an end of its lane: so the rows
 * at both ends are always there. */
static bool is_deleted(const struct young_row *row)
{
    return row->seq == 0;
}

static void lane_free(struct young_lane *lane)
{
    free(lane->rows);
    *lane = (struct young_lane){0};
}

/* There may be thousands of queues: what a busy hour made of a lane does not stay. */
static void trim(struct young_lane *lane)
{
    while (!is_empty(lane) && is_deleted(row_at(lane, lane->begin)))
        lane->begin++;
    while (!is_empty(lane) && is_deleted(row_at(lane, lane->end - 1)))
        lane->end--;
    if (is_empty(lane) && lane->capacity > LANE_ROWS_MIN)
        lane_free(lane);
}

/* The number of the first row, deleted or not, whose key is not before this one. Looked for from
 * the front, in steps that double, because what is asked for is nearly always there. */
static uint64_t lower_bound(const struct young_lane *lane, struct young_key key)
{
    uint64_t from = lane->begin, to = lane->end;

    for (uint64_t step = 1; from < to && step < to - from; step *= 2) {
        if (compare(row_at(lane, from + step - 1)->key, key) >= 0) {
            to = from + step - 1;
            break;
        }
        from += step;
    }
    while (from < to) {
        uint64_t middle = from + (to - from) / 2;
        if (compare(row_at(lane, middle)->key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* --- putting --------------------------------------------------------------------- */

static bool grow(struct young_lane *lane)
{
    struct young_lane larger = *lane;

    larger.capacity = lane->capacity == 0 ? LANE_ROWS_MIN : 2 * lane->capacity;
    if (larger.capacity > YOUNG_LANE_ROWS_MAX)
        return false;
    larger.rows = malloc(larger.capacity * sizeof *larger.rows);
    if (!larger.rows)
        return false;
    for (uint64_t number = lane->begin; number < lane->end; number++)
        *row_at(&larger, number) = *row_at(lane, number);
    free(lane->rows);
    *lane = larger;
    return true;
}

/* The number that a row of this key gets in its lane; false: too many would have to make room. */
static bool find_place(const struct young_lane *lane, struct young_key key, uint64_t *number_out)
{
    uint64_t number = lane->end;

    while (number > lane->begin && compare(row_at(lane, number - 1)->key, key) >= 0) {
        if (lane->end - number == YOUNG_SHIFT_MAX)
            return false;
        number--;
    }
    *number_out = number;
    return true;
}

/* Of the lanes that the row may join, the one whose end is nearest: so that rows which come at
 * several distances keep to lanes of their own. NULL: there is none. */
static struct young_lane *lane_for(struct young *young, struct young_key key, uint64_t *number_out)
{
    struct young_lane *best = NULL, *unused = NULL;
    uint64_t nearest = UINT64_MAX;

    for (int i = 0; i < YOUNG_LANES; i++) {
        struct young_lane *lane = &young->lanes[i];
        if (is_empty(lane)) {
            unused = unused ? unused : lane;
            continue;
        }
        uint64_t last = row_at(lane, lane->end - 1)->key.part[0];
        uint64_t distance = last > key.part[0] ? last - key.part[0] : key.part[0] - last;
        if (distance < nearest && (last <= key.part[0] || distance <= YOUNG_LATE_MAX)) {
            best = lane;
            nearest = distance;
        }
    }
    if (best && find_place(best, key, number_out))
        return best;
    if (unused)
        *number_out = unused->end;
    return unused;
}

/* Who settles takes a lane's rows in turn, so seqs never descend in it: a row that comes late is
 * taken for as old as the one that it stands before, and is settled no later than that one. */
static void insert(struct young_lane *lane, uint64_t number, const struct young_row *row)
{
    uint64_t seq = row->seq;

    for (uint64_t at = lane->end++; at > number; at--) {
        *row_at(lane, at) = *row_at(lane, at - 1);
        if (!is_deleted(row_at(lane, at)))
            seq = row_at(lane, at)->seq;
    }
    *row_at(lane, number) = *row;
    row_at(lane, number)->seq = seq;
}

bool young_put(struct young *young, const struct young_row *row)
{
    uint64_t number;
    struct young_lane *lane = lane_for(young, row->key, &number);

    MUST(row->seq > 0);
    if (!lane || (lane->end - lane->begin == lane->capacity && !grow(lane)))
        return false;
    insert(lane, number, row);
    return true;
}

/* --- finding and taking ------------------------------------------------------------ */

/* Each lane is for rows of another distance, so most keys lie outside of most lanes. */
static bool may_have(const struct young_lane *lane, struct young_key key)
{
    return !is_empty(lane) && compare(key, row_at(lane, lane->end - 1)->key) <= 0 &&
           compare(row_at(lane, lane->begin)->key, key) <= 0;
}

bool young_delete(struct young *young, struct young_key key)
{
    for (int i = 0; i < YOUNG_LANES; i++) {
        struct young_lane *lane = &young->lanes[i];
        if (!may_have(lane, key))
            continue;
        uint64_t number = lower_bound(lane, key);
        if (compare(row_at(lane, number)->key, key) != 0 || is_deleted(row_at(lane, number)))
            continue;
        row_at(lane, number)->seq = 0;
        trim(lane);
        return true;
    }
    return false;
}

bool young_find_from(const struct young *young, struct young_key key, struct young_row *out)
{
    bool found = false;

    for (int i = 0; i < YOUNG_LANES; i++) {
        const struct young_lane *lane = &young->lanes[i];
        uint64_t number = lower_bound(lane, key);
        while (number < lane->end && is_deleted(row_at(lane, number)))
            number++;
        if (number == lane->end || (found && compare(out->key, row_at(lane, number)->key) < 0))
            continue;
        *out = *row_at(lane, number);
        found = true;
    }
    return found;
}

bool young_take(struct young *young, uint64_t until_seq, struct young_row *out)
{
    struct young_lane *oldest = NULL;

    for (int i = 0; i < YOUNG_LANES; i++) {
        struct young_lane *lane = &young->lanes[i];
        if (!is_empty(lane) &&
            (!oldest || row_at(lane, lane->begin)->seq < row_at(oldest, oldest->begin)->seq))
            oldest = lane;
    }
    if (!oldest || row_at(oldest, oldest->begin)->seq > until_seq)
        return false;
    *out = *row_at(oldest, oldest->begin++);
    trim(oldest);
    return true;
}

uint64_t young_oldest_seq(const struct young *young)
{
    uint64_t oldest = UINT64_MAX;

    for (int i = 0; i < YOUNG_LANES; i++) {
        const struct young_lane *lane = &young->lanes[i];
        if (!is_empty(lane) && row_at(lane, lane->begin)->seq < oldest)
            oldest = row_at(lane, lane->begin)->seq;
    }
    return oldest;
}

void young_clear(struct young *young)
{
    for (int i = 0; i < YOUNG_LANES; i++)
        lane_free(&young->lanes[i]);
}
