/* What other threads read: committed rows, through a snapshot that is let go between turns
 * of a loop. */
#include <stdlib.h>

#include "proto/task.h"
#include "server/state_internal.h"

enum status state_reader_open(struct state *state, struct state_reader **out)
{
    struct state_reader *reader = calloc(1, sizeof *reader);

    *out = reader;
    if (!reader)
        return STATUS_BUSY;
    reader->state = state;
    atomic_fetch_add(&state->readers, 1);
    return STATUS_OK;
}

void state_reader_close(struct state_reader *reader)
{
    if (!reader)
        return;
    if (reader->snapshot)
        mdb_txn_abort(reader->snapshot);
    atomic_fetch_sub(&reader->state->readers, 1);
    free(reader);
}

void state_reader_release(struct state_reader *reader)
{
    if (reader->reading)
        mdb_txn_reset(reader->snapshot);
    reader->reading = false;
    reader->failure = STATUS_OK;
}

/* NOT_FOUND is an answer; whatever else is not OK has failed. */
static enum status note(struct state_reader *reader, enum status status)
{
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        reader->failure = status;
    return status;
}

enum status state_reader_begin(struct state_reader *reader)
{
    int code;

    if (reader->reading)
        return STATUS_OK;
    if (reader->snapshot)
        code = mdb_txn_renew(reader->snapshot);
    else
        code = mdb_txn_begin(reader->state->lmdb.env, NULL, MDB_RDONLY, &reader->snapshot);
    reader->reading = code == 0;
    return note(reader, lmdb_env_failed(&reader->state->lmdb, "mdb_txn_renew", code));
}

enum status state_reader_note(struct state_reader *reader, const char *what, int code)
{
    return note(reader, lmdb_env_failed(&reader->state->lmdb, what, code));
}

static bool found(struct state_reader *reader, const char *what, int code)
{
    return state_reader_note(reader, what, code) == STATUS_OK;
}

enum status state_reader_failure(const struct state_reader *reader)
{
    return reader->failure;
}

uint64_t state_read_folded(struct state_reader *reader)
{
    struct state_key key = STATE_META_KEY;
    struct state_stored_meta stored = {0};
    MDB_val value;

    if (state_reader_begin(reader) != STATUS_OK)
        return 0;
    int code = state_get(reader->state, reader->snapshot, TABLE_META, &key, &value);
    if (code == 0)
        code = state_row_copy(value, &stored, sizeof stored);
    return found(reader, "meta", code) ? stored.meta.folded_seq : 0;
}

bool state_read_queue(struct state_reader *reader, uint32_t queue, struct state_queue *out)
{
    struct state_key key = key_of_queue(queue);
    MDB_val value;

    *out = (struct state_queue){0};
    if (state_reader_begin(reader) != STATUS_OK)
        return false;
    int code = state_get(reader->state, reader->snapshot, TABLE_QUEUE, &key, &value);
    if (code == 0)
        code = state_row_copy(value, out, sizeof *out);
    return found(reader, "queue", code);
}

bool state_read_queue_next(struct state_reader *reader, uint32_t after, uint32_t *queue_out,
                           struct state_queue *out)
{
    struct state_key key = key_of_queue(after + 1), found_key;
    MDB_val value;

    if (state_reader_begin(reader) != STATUS_OK)
        return false;
    int code =
        state_get_from(reader->state, reader->snapshot, TABLE_QUEUE, &key, &found_key, &value);
    if (code == 0)
        code = state_row_copy(value, out, sizeof *out);
    if (code == 0)
        *queue_out = key_part32(found_key.bytes, 0);
    return found(reader, "queue", code);
}

bool state_read_person(struct state_reader *reader, uint64_t person, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out)
{
    return state_reader_begin(reader) == STATUS_OK &&
           found(reader, "person",
                 state_get_person(reader->state, reader->snapshot, person, row_out, task_out,
                                  last_seq_out));
}

/* One row of a scan, where the cursor stands. */
static int tell_person(MDB_val key, MDB_val value, state_person_fn *tell, void *owner,
                       uint64_t *number_out, bool *more_out)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;
    int code = key.mv_size == sizeof(uint64_t) ? state_decode_person(value, &row, &task, &last_seq)
                                               : MDB_CORRUPTED;

    if (code != 0)
        return code;
    *number_out = key_part64(key.mv_data, 0);
    *more_out = tell(owner, *number_out, &row, &task);
    return 0;
}

enum status state_read_people(struct state_reader *reader, uint64_t after, unsigned most,
                              state_person_fn *tell, void *owner, uint64_t *next_out)
{
    struct state_key from = key_of_person(after + 1);
    MDB_val key = {from.length, from.bytes}, value;
    MDB_cursor *cursor;
    enum status status = state_reader_begin(reader);
    bool more = true;

    *next_out = 0;
    if (status != STATUS_OK)
        return status;
    int code = mdb_cursor_open(reader->snapshot, reader->state->tables[TABLE_PERSON], &cursor);
    if (code != 0)
        return state_reader_note(reader, "person", code);
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (; code == 0 && more && most > 0; most--) {
        code = tell_person(key, value, tell, owner, next_out, &more);
        if (code == 0)
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code == MDB_NOTFOUND) {
        *next_out = 0;
        code = 0;
    }
    return code == 0 ? STATUS_OK : state_reader_note(reader, "person", code);
}

bool state_read_task(struct state_reader *reader, uint64_t person, uint64_t task,
                     struct task_row *out)
{
    return state_reader_begin(reader) == STATUS_OK &&
           found(reader, "task",
                 state_get_task(reader->state, reader->snapshot, person, task, out));
}

bool state_read_task_next(struct state_reader *reader, uint64_t person, uint64_t after,
                          struct task_row *out)
{
    return state_reader_begin(reader) == STATUS_OK &&
           found(reader, "task",
                 state_get_task_after(reader->state, reader->snapshot, person, after, out));
}

bool state_read_call(struct state_reader *reader, uint64_t person, const struct person_row *row,
                     const struct task_row *first, struct task_row *out)
{
    bool has_first = first->number != 0;
    bool more = row->open_tasks > has_first;

    *out = *first;
    if (has_first && first->channel == TASK_CALL)
        return true;
    out->number = 0;
    while (more && (more = state_read_task_next(reader, person, out->number, out)))
        if (out->channel == TASK_CALL)
            return true;
    return false;
}

static bool read_put(struct state_reader *reader, MDB_val value, uint64_t seq,
                     struct outbox_row *out)
{
    struct state_stored_put put;
    struct person_row person;
    uint64_t last_seq;

    memcpy(&put, value.mv_data, sizeof put);
    *out = (struct outbox_row){.person = put.person, .op = OUTBOX_PUT};
    if (!state_read_person(reader, put.person, &person, &out->task, &last_seq))
        return false;
    if (out->task.number != put.task && !state_read_task(reader, put.person, put.task, &out->task))
        return false;
    return out->task.put_seq == seq;
}

bool state_read_outbox_next(struct state_reader *reader, uint32_t queue, uint64_t after,
                            uint64_t *seq_out, struct outbox_row *out)
{
    struct state_key key = key_of_outbox(queue, after + 1), next;
    MDB_val value;

    if (state_reader_begin(reader) != STATUS_OK)
        return false;
    int code = state_get_from(reader->state, reader->snapshot, TABLE_OUTBOX, &key, &next, &value);
    if (code == 0 && key_part32(next.bytes, 0) != queue)
        code = MDB_NOTFOUND;
    if (code == 0)
        *seq_out = key_part64(next.bytes, 4);
    if (code == 0 && value.mv_size == sizeof(struct state_stored_put))
        return read_put(reader, value, *seq_out, out);
    if (code == 0)
        code = state_row_copy(value, out, sizeof *out);
    return found(reader, "outbox", code);
}

bool state_read_visible_next(struct state_reader *reader, uint32_t queue, uint64_t rank_ms,
                             uint64_t task, struct state_visible *out)
{
    struct state_key from = key_of_visible(queue, rank_ms, task);

    *out = (struct state_visible){0};
    return state_reader_begin(reader) == STATUS_OK &&
           found(reader, "visible", state_get_visible(reader->state, reader->snapshot, &from, out));
}

bool state_read_work_next(struct state_reader *reader, uint32_t agent, uint64_t deadline_ms,
                          uint64_t task, struct state_work *out)
{
    return state_reader_begin(reader) == STATUS_OK &&
           found(reader, "work",
                 state_get_work(reader->state, reader->snapshot, agent, deadline_ms, task, out));
}

bool state_read_suspect_next(struct state_reader *reader, uint32_t agency, uint64_t before,
                             uint64_t *optin_seq_out, struct suspect_row *out)
{
    struct state_key key = key_of_suspect(agency, before - 1), next;
    MDB_val value;

    if (before == 0 || state_reader_begin(reader) != STATUS_OK)
        return false;
    int code = state_get_from(reader->state, reader->snapshot, TABLE_SUSPECT, &key, &next, &value);
    if (code == 0 && key_part32(next.bytes, 0) != agency)
        code = MDB_NOTFOUND;
    if (code == 0)
        code = state_row_copy(value, out, sizeof *out);
    if (code == 0)
        *optin_seq_out = ~key_part64(next.bytes, 4);
    return found(reader, "suspect", code);
}
