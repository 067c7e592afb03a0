/* Packing rows of people and tasks, and unpacking them: state_packed.h. */
#include "server/state_packed.h"

#include "server/state_internal.h"

_Static_assert(STATE_PACKED_MAX >= sizeof(struct state_whole) + STATE_WORD, "room for every word");

/* Last ones first, so that what a word is like still stands there. */
static void subtract(uint64_t *words, const struct state_twin *twins, size_t count)
{
    while (count-- > 0)
        words[twins[count].place] ^= words[twins[count].like];
}

static void add_back(uint64_t *words, const struct state_twin *twins, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words[twins[i].place] ^= words[twins[i].like];
}

/* Which words stay is found out first: a branch for each of them would go another way in every row.
 */
static size_t pack(char *out, const uint64_t *words, size_t from, size_t to, uint64_t always)
{
    uint64_t present = always;
    char *at = out + STATE_WORD;

    for (size_t i = from; i < to; i++)
        present |= (uint64_t)(words[i] != 0) << i;
    memcpy(out, &present, STATE_WORD);
    for (uint64_t left = present; left != 0; left &= left - 1) {
        memcpy(at, &words[__builtin_ctzll(left)], STATE_WORD);
        at += STATE_WORD;
    }
    return (size_t)(at - out);
}

/* Into words that are 0. False: nothing was ever stored so. */
static bool unpack(MDB_val stored, uint64_t *words, size_t from, size_t to, uint64_t *present_out)
{
    const char *at = stored.mv_data;
    uint64_t present, known = (to < 64 ? 1ull << to : 0) - (1ull << from);

    if (stored.mv_size < STATE_WORD)
        return false;
    memcpy(&present, at, STATE_WORD);
    if ((present & ~known) != 0 ||
        stored.mv_size != STATE_WORD * (1 + (size_t)__builtin_popcountll(present)))
        return false;
    *present_out = present;
    for (uint64_t left = present; left != 0; left &= left - 1) {
        at += STATE_WORD;
        memcpy(&words[__builtin_ctzll(left)], at, STATE_WORD);
    }
    return true;
}

/* --- a person -------------------------------------------------------------------------------- */

size_t state_pack_person(char *out, const struct person_row *row, const struct task_row *task,
                         uint64_t last_seq)
{
    uint64_t words[STATE_WORDS];

    words[0] = last_seq;
    memcpy(&words[1], row, sizeof(*row));
    if (task != NULL) {
        memcpy(&words[STATE_TASK_FIRST], task, sizeof(*task));
        subtract(words, state_twins_of_task, STATE_TWINS(state_twins_of_task));
        subtract(words, state_twins_of_first, STATE_TWINS(state_twins_of_first));
    }
    subtract(words, state_twins_of_person, STATE_TWINS(state_twins_of_person));
    return task != NULL ? pack(out, words, 0, STATE_WORDS, STATE_ALWAYS_OF_TASK)
                        : pack(out, words, 0, STATE_TASK_FIRST, 0);
}

int state_decode_person(MDB_val stored, struct person_row *row_out, struct task_row *task_out,
                        uint64_t *last_seq_out)
{
    uint64_t words[STATE_WORDS] = {0}, present;

    if (!unpack(stored, words, 0, STATE_WORDS, &present))
        return MDB_CORRUPTED;
    add_back(words, state_twins_of_person, STATE_TWINS(state_twins_of_person));
    if (present >> STATE_TASK_FIRST != 0) {
        add_back(words, state_twins_of_first, STATE_TWINS(state_twins_of_first));
        add_back(words, state_twins_of_task, STATE_TWINS(state_twins_of_task));
    }
    *last_seq_out = words[0];
    memcpy(row_out, &words[1], sizeof(*row_out));
    memcpy(task_out, &words[STATE_TASK_FIRST], sizeof(*task_out));
    return 0;
}

/* --- a further task, whose number is in its key ------------------------------------------------
 */

size_t state_pack_task(char *out, const struct task_row *row)
{
    uint64_t words[STATE_WORDS];

    memcpy(&words[STATE_TASK_FIRST], row, sizeof(*row));
    subtract(words, state_twins_of_task, STATE_TWINS(state_twins_of_task));
    words[STATE_TASK_FIRST] = 0;
    return pack(out, words, STATE_TASK_FIRST, STATE_WORDS, STATE_ALWAYS_OF_TASK);
}

int state_decode_task(MDB_val stored, uint64_t number, struct task_row *out)
{
    uint64_t words[STATE_WORDS] = {0}, present;

    if (!unpack(stored, words, STATE_TASK_FIRST, STATE_WORDS, &present))
        return MDB_CORRUPTED;
    add_back(words, state_twins_of_task, STATE_TWINS(state_twins_of_task));
    words[STATE_TASK_FIRST] = number;
    memcpy(out, &words[STATE_TASK_FIRST], sizeof(*out));
    return 0;
}
