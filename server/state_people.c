/* People at hand: whoever a record was about lately. Most people are decided about, changed, and
 * asked for again within milliseconds, so their rows are kept as they are, and those that changed
 * go to their table once: with the commit, or when others need their place. */
#include "proto/must.h"
#include "server/state_internal.h"

_Static_assert((STATE_PEOPLE_KEPT & (STATE_PEOPLE_KEPT - 1)) == 0, "a power of 2");

/* Numbers that follow each other have places that do: so new people are stored in their order. */
static struct state_kept *place_of(struct state *state, uint64_t person)
{
    return &state->people[person & (STATE_PEOPLE_KEPT - 1)];
}

static enum status store(struct state *state, struct state_kept *kept)
{
    if (!kept->changed)
        return STATUS_OK;
    kept->changed = false;
    return state_store_person(state, kept->person, &kept->row,
                              kept->task.number != 0 ? &kept->task : NULL, kept->last_seq);
}

bool state_person_find(struct state *state, uint64_t person, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out)
{
    struct state_kept *kept = place_of(state, person);

    if (state->broken == STATUS_OK && (kept->person != person || person == 0)) {
        (void)store(state, kept);
        kept->person =
            state_load_person(state, person, &kept->row, &kept->task, &kept->last_seq) ? person : 0;
    }
    if (state->broken != STATUS_OK || kept->person == 0) {
        *row_out = (struct person_row){0};
        *task_out = (struct task_row){0};
        *last_seq_out = 0;
        return false;
    }
    *row_out = kept->row;
    *task_out = kept->task;
    *last_seq_out = kept->last_seq;
    return true;
}

enum status state_person_put(struct state *state, uint64_t person, const struct person_row *row,
                             const struct task_row *task, uint64_t last_seq)
{
    struct state_kept *kept = place_of(state, person);

    MUST(state->txn && person != 0);
    if (kept->person != person)
        (void)store(state, kept);
    if (state->broken != STATUS_OK)
        return state->broken;
    kept->person = person;
    kept->last_seq = last_seq;
    kept->row = *row;
    if (task)
        kept->task = *task;
    else
        kept->task = (struct task_row){0};
    kept->changed = state->changed = true;
    return STATUS_OK;
}

enum status state_put_people(struct state *state)
{
    enum status status = STATUS_OK;
    uint64_t from = state->people_top + 1; /* new people first, in their order */

    for (uint64_t i = 0; status == STATUS_OK && i < STATE_PEOPLE_KEPT; i++)
        status = store(state, place_of(state, from + i));
    return status;
}

void state_forget_people(struct state *state)
{
    for (unsigned i = 0; i < STATE_PEOPLE_KEPT; i++) {
        state->people[i].person = 0;
        state->people[i].changed = false;
    }
}
