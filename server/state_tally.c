/* Cells of the tally: read from their table when they are first asked for, changed in memory, and
 * put back with the next commit. What is stored does not depend on when that was: a cell that is
 * empty counts as one that is not there, in memory as in its table. */
#include <xxhash.h>

#include "proto/must.h"
#include "server/state_internal.h"

static enum status fail(struct state *state, enum status status)
{
    state->broken = status;
    return status;
}

static uint64_t checksum_of(const struct state_key *key, const void *bytes, size_t length)
{
    return XXH3_64bits_withSeed(bytes, length, XXH3_64bits(key->bytes, key->length));
}

/* The sum over all rows stands in meta: nothing else would tell that one of them is gone, or was
 * changed. */
static enum status store(struct state *state, struct tally_cell *cell)
{
    struct state_key key = key_of_tally(&cell->key);
    char *bytes;
    enum status status;

    state->meta.tally_checksum -= cell->stored;
    cell->stored = 0;
    if (cell->count == 0)
        return state_delete_row(state, TABLE_TALLY, key);
    status = state_reserve_row(state, TABLE_TALLY, key, tally_cell_bytes(cell), &bytes);
    if (status != STATUS_OK)
        return status;
    tally_cell_store(cell, bytes);
    cell->stored = checksum_of(&key, bytes, tally_cell_bytes(cell));
    state->meta.tally_checksum += cell->stored;
    return STATUS_OK;
}

enum status state_put_tally(struct state *state)
{
    enum status status = STATUS_OK;
    struct tally_cell *cell;

    while (status == STATUS_OK && (cell = tally_take(&state->tally)) != NULL)
        status = store(state, cell);
    return status;
}

/* What the table has of the cell, which is empty yet. */
static enum status load(struct state *state, struct tally_cell *cell)
{
    struct state_key key = key_of_tally(&cell->key);
    struct tally_view stored;
    MDB_val value;
    int code = state_get(state, state->txn, TABLE_TALLY, &key, &value);

    if (code == MDB_NOTFOUND)
        return STATUS_OK;
    if (code == 0 && !tally_view(&cell->key, value.mv_data, value.mv_size, &stored))
        code = MDB_CORRUPTED;
    if (code != 0)
        return fail(state, lmdb_env_failed(&state->lmdb, "tally", code));
    cell->stored = checksum_of(&key, value.mv_data, value.mv_size);
    return tally_cell_load(cell, &stored) ? STATUS_OK : fail(state, STATUS_BUSY);
}

/* NULL: how it has failed stands in state->broken. */
static struct tally_cell *cell_of(struct state *state, const struct tally_key *key)
{
    struct tally_cell *cell = tally_find(&state->tally, key);

    if (cell)
        return cell;
    if (tally_is_full(&state->tally)) {
        if (state_put_tally(state) != STATUS_OK)
            return NULL;
        tally_clear(&state->tally);
    }
    cell = tally_insert(&state->tally, key);
    if (!cell)
        fail(state, STATUS_BUSY);
    return cell && load(state, cell) == STATUS_OK ? cell : NULL;
}

static enum status change(struct state *state, struct tally_cell *cell, const struct tally_add *add)
{
    if (!tally_cell_add(cell, add) || !tally_note(&state->tally, cell))
        return fail(state, STATUS_BUSY);
    return STATUS_OK;
}

/* Anybody can make up a campaign; what a flood of them costs has to end somewhere. */
static bool is_made_up(const struct tally_key *key)
{
    return key->dimension == TALLY_SOURCE || key->dimension == TALLY_CAMPAIGN ||
           key->dimension == TALLY_AGENT;
}

/* Whether one value more still gets a cell of its own; then it is counted. */
static bool take_value(struct state *state, struct tally_key key)
{
    key.value = TALLY_VALUES_COUNT;
    struct tally_cell *values = cell_of(state, &key);
    if (!values)
        return false;
    if (values->count > 0 && tally_count_of(values->entries[0]) >= TALLY_VALUES_MAX)
        return false;
    return change(state, values, &(struct tally_add){0}) == STATUS_OK;
}

/* What goes back to an opt-in is counted where that is: else a campaign could have conversations
 * and no people. */
static bool goes_back_to_optin(const struct tally_key *key)
{
    switch ((enum tally_kind)key->kind) {
    case TALLY_ANSWER:
    case TALLY_UNANSWERED:
    case TALLY_BREACH:
    case TALLY_STANDING:
    case TALLY_CONVERSED:
    case TALLY_STAGE:
    case TALLY_TIER:
    case TALLY_RUNG:
    case TALLY_SETTLED:
        return key->dimension != TALLY_AGENT;
    default:
        return false;
    }
}

/* Whether the value has a cell of its own, or gets one. */
static bool is_told_apart(struct state *state, struct tally_key key)
{
    struct tally_cell *optins;

    if (!goes_back_to_optin(&key))
        return take_value(state, key);
    key.kind = TALLY_OPTIN;
    optins = cell_of(state, &key);
    return optins && optins->count > 0;
}

/* The value's own cell, or the one of all others. Something that is taken away lies where it was
 * put: once there are too many values, none that had no cell gets one any more. */
static struct tally_cell *made_up_cell(struct state *state, struct tally_key key, bool less)
{
    struct tally_cell *cell = cell_of(state, &key);

    if (!cell || cell->count > 0)
        return cell;
    if (less || !is_told_apart(state, key))
        key.value = TALLY_VALUES_OTHER;
    /* Asked for again, because in between memory may have been cleared. */
    return state->broken == STATUS_OK ? cell_of(state, &key) : NULL;
}

/* Nearly all that is counted is: in a cell that was changed since the last commit. */
static bool count_again(struct state *state, const struct tally_key *key,
                        const struct tally_add *add)
{
    struct tally_cell *cell = *tally_last(&state->tally, key);

    return cell && cell->changed && tally_same_key(&cell->key, key) &&
           tally_cell_add_again(cell, add);
}

enum status state_tally(struct state *state, const struct tally_key *key,
                        const struct tally_add *add)
{
    struct tally_cell *cell;

    if (state->broken != STATUS_OK)
        return state->broken;
    MUST(state->txn);
    if (count_again(state, key, add))
        return STATUS_OK;
    cell =
        is_made_up(key) ? made_up_cell(state, *key, add->less || add->moves) : cell_of(state, key);
    return cell ? change(state, cell, add) : state->broken;
}

uint64_t state_tally_max(struct state *state, const struct tally_key *key)
{
    const struct tally_cell *cell =
        state_begin(state) == STATUS_OK && state->broken == STATUS_OK ? cell_of(state, key) : NULL;

    return cell != NULL ? cell->max : 0;
}

/* --- any thread ------------------------------------------------------------------ */

enum status state_read_tally(struct state_reader *reader, uint32_t agency, enum tally_kind kind,
                             enum tally_dimension dimension, uint32_t day_first, uint32_t day_last,
                             state_tally_fn *tell, void *owner)
{
    const struct tally_key first = {
        .agency = agency, .kind = kind, .dimension = dimension, .day = day_first};
    struct state_key from = key_of_tally(&first);
    MDB_val key = {from.length, from.bytes}, value;
    MDB_cursor *cursor;
    enum status status = state_reader_begin(reader);
    bool more = true;

    if (status != STATUS_OK)
        return status;
    int code = mdb_cursor_open(reader->snapshot, reader->state->tables[TABLE_TALLY], &cursor);
    if (code != 0)
        return state_reader_note(reader, "tally", code);
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && more) {
        struct tally_key place;
        struct tally_view cell;
        if (key.mv_size != TALLY_KEY_BYTES) {
            code = MDB_CORRUPTED;
            break;
        }
        place = tally_key_of(key.mv_data);
        if (place.agency != agency || place.kind != kind || place.dimension != dimension ||
            place.day > day_last)
            break;
        if (!tally_view(&place, value.mv_data, value.mv_size, &cell)) {
            code = MDB_CORRUPTED;
            break;
        }
        more = place.value == TALLY_VALUES_COUNT || tell(owner, &cell);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? STATUS_OK : state_reader_note(reader, "tally", code);
}
