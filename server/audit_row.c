/* Rows of people and tasks as state has them in its tables (state_packed.h), read word for word. */
#include "server/audit_internal.h"
#include "server/state_packed.h"

/* The words of a value that may have those from `first` on; the others are 0. */
static bool read_words(MDB_val stored, size_t first, uint64_t words[STATE_WORDS])
{
    const char *bytes = stored.mv_data;
    size_t at = STATE_WORD;
    uint64_t bits;

    memset(words, 0, STATE_WORDS * STATE_WORD);
    if (stored.mv_size < STATE_WORD)
        return false;
    memcpy(&bits, bytes, STATE_WORD);
    for (size_t word = 0; word < 64; word++) {
        if (!(bits >> word & 1))
            continue;
        if (word < first || word >= STATE_WORDS || at + STATE_WORD > stored.mv_size)
            return false;
        memcpy(&words[word], bytes + at, STATE_WORD);
        at += STATE_WORD;
    }
    return at == stored.mv_size;
}

static void tell_apart(uint64_t *words, const struct state_twin *twins, size_t count)
{
    for (const struct state_twin *twin = twins; twin < twins + count; twin++)
        words[twin->place] ^= words[twin->like];
}

static bool has_task(const uint64_t words[STATE_WORDS])
{
    return words[STATE_TASK_FIRST] != 0;
}

bool audit_read_person(MDB_val stored, uint64_t *last_seq_out, struct person_row *row_out,
                       struct task_row *task_out)
{
    uint64_t words[STATE_WORDS];

    if (!read_words(stored, 0, words))
        return false;
    tell_apart(words, state_twins_of_person, STATE_TWINS(state_twins_of_person));
    if (has_task(words)) {
        tell_apart(words, state_twins_of_first, STATE_TWINS(state_twins_of_first));
        tell_apart(words, state_twins_of_task, STATE_TWINS(state_twins_of_task));
    }
    memcpy(last_seq_out, words, STATE_WORD);
    memcpy(row_out, words + 1, sizeof *row_out);
    memcpy(task_out, words + STATE_TASK_FIRST, sizeof *task_out);
    return true;
}

bool audit_read_task(MDB_val stored, uint64_t number, struct task_row *out)
{
    uint64_t words[STATE_WORDS];

    if (!read_words(stored, STATE_TASK_FIRST, words))
        return false;
    tell_apart(words, state_twins_of_task, STATE_TWINS(state_twins_of_task));
    memcpy(out, words + STATE_TASK_FIRST, sizeof *out);
    out->number = number;
    return true;
}
