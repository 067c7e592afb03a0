/* Young rows on their way to the tables: which of them go with a commit, and what the tables lack
 * as long as others do not. */
#include "proto/must.h"
#include "server/state_internal.h"

struct young *state_young(struct state *state, enum state_table table, uint32_t queue)
{
    if (table == TABLE_DUE)
        return &state->young_due;
    (void)state_queue(state, queue); /* so that the next commit looks at it */
    return table == TABLE_VISIBLE ? &state->young_visible[queue] : &state->young_outbox[queue];
}

static uint64_t oldest_seq(const struct state *state)
{
    uint64_t oldest = young_oldest_seq(&state->young_due);

    for (uint32_t i = 0; i < state->busy_count; i++) {
        uint32_t queue = state->busy[i];
        uint64_t visible = young_oldest_seq(&state->young_visible[queue]);
        uint64_t outbox = young_oldest_seq(&state->young_outbox[queue]);
        uint64_t either = visible < outbox ? visible : outbox;
        oldest = either < oldest ? either : oldest;
    }
    return oldest;
}

static struct state_key key_of(enum state_table table, uint32_t queue, const struct young_key *key)
{
    if (table == TABLE_DUE)
        return key_of_due(key->part[0], key->part[1], key->part[2]);
    if (table == TABLE_VISIBLE)
        return key_of_visible(queue, key->part[0], key->part[1]);
    return key_of_outbox(queue, key->part[0]);
}

/* Both kinds of rows that belong to a queue are two numbers. */
_Static_assert(sizeof(struct state_stored_visible) == sizeof((struct young_row){0}.value), "");
_Static_assert(sizeof(struct state_stored_put) == sizeof((struct young_row){0}.value), "");

static enum status settle(struct state *state, enum state_table table, uint32_t queue,
                          uint64_t until_seq, unsigned *most)
{
    struct young *young = state_young(state, table, queue);
    enum status status = STATUS_OK;
    struct young_row row;

    while (status == STATUS_OK && *most > 0 && young_take(young, until_seq, &row)) {
        struct state_key key = key_of(table, queue, &row.key);
        uint8_t kind = (uint8_t)row.value[0];
        --*most;
        state->young_rows--;
        if (table == TABLE_DUE)
            status = state_put_row(state, table, key, &kind, sizeof kind);
        else
            status = state_put_row(state, table, key, row.value, sizeof row.value);
    }
    return status;
}

static void note_settled(struct state *state)
{
    if (state->lacking)
        return;
    state->settled_seq = state->young_rows > 0 ? oldest_seq(state) - 1 : state->meta.folded_seq;
    for (uint32_t i = 0; i < state->busy_count; i++) {
        uint32_t queue = state->busy[i];
        struct state_queue *row = &state->queues[queue];
        struct young_row first;
        row->outbox_stored_seq =
            young_find_from(&state->young_outbox[queue], (struct young_key){{0}}, &first)
                ? first.key.part[0] - 1
                : row->outbox_seq;
    }
}

enum status state_settle(struct state *state, uint64_t until_seq, unsigned most)
{
    enum status status = settle(state, TABLE_DUE, 0, until_seq, &most);

    for (uint32_t i = 0; status == STATUS_OK && i < state->busy_count; i++) {
        status = settle(state, TABLE_VISIBLE, state->busy[i], until_seq, &most);
        if (status == STATUS_OK)
            status = settle(state, TABLE_OUTBOX, state->busy[i], until_seq, &most);
    }
    note_settled(state);
    return status;
}

/* Each turn settles what was young at the one before: so a row is young for one turn to two. */
uint64_t state_aged_seq(struct state *state)
{
    if (state->meta.folded_ms >= state->turn_ms + STATE_YOUNG_MS) {
        state->aged_seq = state->turn_seq;
        state->turn_seq = state->meta.folded_seq;
        state->turn_ms = state->meta.folded_ms;
    }
    return state->aged_seq;
}

void state_forget_young(struct state *state)
{
    state->young_rows = 0;
    young_clear(&state->young_due);
    for (uint32_t i = 0; i < state->busy_count; i++) {
        young_clear(&state->young_visible[state->busy[i]]);
        young_clear(&state->young_outbox[state->busy[i]]);
    }
    state->turn_ms = state->turn_seq = state->aged_seq = 0;
}

/* --- rows that are missing ---------------------------------------------------------- */

uint64_t state_settled_seq(const struct state *state)
{
    return state->settled_seq;
}

bool state_has_young(const struct state *state)
{
    return state->young_rows > 0;
}

bool state_lacks_rows(const struct state *state)
{
    return state->lacking;
}

void state_restored(struct state *state, uint64_t seq)
{
    MUST(state->lacking && seq >= state->settled_seq && seq <= state->meta.folded_seq);
    state->settled_seq = seq;
    state->lacking = seq < state->meta.folded_seq;
}
