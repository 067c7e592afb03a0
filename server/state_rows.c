/* Rows: how they are found, by whatever transaction, and how the writer puts them. */
#include <errno.h>

#include "proto/must.h"
#include "server/state_internal.h"

/* --- through any transaction ------------------------------------------------ */

int state_get(const struct state *state, MDB_txn *txn, enum state_table table,
              const struct state_key *key, MDB_val *value_out)
{
    MDB_val place = {key->length, (void *)key->bytes};

    return mdb_get(txn, state->tables[table], &place, value_out);
}

int state_get_from(const struct state *state, MDB_txn *txn, enum state_table table,
                   const struct state_key *key, struct state_key *key_out, MDB_val *value_out)
{
    MDB_val place = {key->length, (void *)key->bytes};
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, state->tables[table], &cursor);

    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &place, value_out, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (code != 0)
        return code;
    if (place.mv_size != key->length)
        return MDB_CORRUPTED;
    key_out->length = place.mv_size;
    memcpy(key_out->bytes, place.mv_data, place.mv_size);
    return 0;
}

/* What was looked for with this result; empty rows when it was not found. */
static int person_found(int code, MDB_val value, struct person_row *row_out,
                        struct task_row *task_out, uint64_t *last_seq_out)
{
    if (code == 0)
        code = state_decode_person(value, row_out, task_out, last_seq_out);
    if (code != 0) {
        *row_out = (struct person_row){0};
        *task_out = (struct task_row){0};
        *last_seq_out = 0;
    }
    return code;
}

int state_get_person(const struct state *state, MDB_txn *txn, uint64_t person,
                     struct person_row *row_out, struct task_row *task_out, uint64_t *last_seq_out)
{
    struct state_key key = key_of_person(person);
    MDB_val value;
    int code = state_get(state, txn, TABLE_PERSON, &key, &value);

    return person_found(code, value, row_out, task_out, last_seq_out);
}

int state_get_task(const struct state *state, MDB_txn *txn, uint64_t person, uint64_t task,
                   struct task_row *out)
{
    struct state_key key = key_of_task(person, task);
    MDB_val value;
    int code = state_get(state, txn, TABLE_TASK, &key, &value);

    *out = (struct task_row){0};
    return code == 0 ? state_decode_task(value, task, out) : code;
}

int state_get_task_after(const struct state *state, MDB_txn *txn, uint64_t person, uint64_t after,
                         struct task_row *out)
{
    struct state_key key = key_of_task(person, after + 1), found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_TASK, &key, &found, &value);

    *out = (struct task_row){0};
    if (code == 0 && key_part64(found.bytes, 0) != person)
        code = MDB_NOTFOUND;
    return code == 0 ? state_decode_task(value, key_part64(found.bytes, 8), out) : code;
}

int state_get_work(const struct state *state, MDB_txn *txn, uint32_t agent, uint64_t deadline_ms,
                   uint64_t task, struct state_work *out)
{
    struct state_key key = key_of_work(agent, deadline_ms, task), found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_WORK, &key, &found, &value);

    *out = (struct state_work){0};
    if (code == 0 && key_part32(found.bytes, 0) != agent)
        code = MDB_NOTFOUND;
    if (code == 0)
        code = state_row_copy(value, &out->person, sizeof out->person);
    if (code != 0)
        return code;
    out->deadline_ms = key_part64(found.bytes, 4);
    out->task = key_part64(found.bytes, 12);
    return 0;
}

static int get_owned(const struct state *state, MDB_txn *txn, uint32_t agent, uint64_t *person_out)
{
    struct state_key key = key_of_owned(agent, 0), found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_OWNED, &key, &found, &value);

    if (code == 0 && key_part32(found.bytes, 0) != agent)
        code = MDB_NOTFOUND;
    *person_out = code == 0 ? key_part64(found.bytes, 4) : 0;
    return code;
}

/* --- the writer's finds ------------------------------------------------------- */

/* Most rows lie right behind or beside the one before, and a cursor that is there already need
 * not look for the place from the root. */
static int open_cursor(struct state *state, enum state_table table)
{
    if (state->cursors[table])
        return 0;
    return mdb_cursor_open(state->txn, state->tables[table], &state->cursors[table]);
}

/* The open transaction, or a snapshot of what is committed. The snapshot is not kept: it
 * would pin pages while the writer waits for work. NULL: LMDB has failed. */
static MDB_txn *look(struct state *state)
{
    int code;

    if (state->broken != STATUS_OK)
        return NULL;
    if (state->txn)
        return state->txn;
    if (state->peek)
        code = mdb_txn_renew(state->peek);
    else
        code = mdb_txn_begin(state->lmdb.env, NULL, MDB_RDONLY, &state->peek);
    if (code == 0)
        return state->peek;
    state->broken = lmdb_env_failed(&state->lmdb, "mdb_txn_renew", code);
    return NULL;
}

static bool looked(struct state *state, const char *what, int code)
{
    if (!state->txn)
        mdb_txn_reset(state->peek);
    if (code != 0 && code != MDB_NOTFOUND)
        state->broken = lmdb_env_failed(&state->lmdb, what, code);
    return code == 0;
}

static int find_person(struct state *state, MDB_txn *txn, uint64_t person, MDB_val *value_out)
{
    struct state_key key = key_of_person(person);
    MDB_val place = {key.length, key.bytes};

    if (!state->txn)
        return state_get(state, txn, TABLE_PERSON, &key, value_out);
    int code = open_cursor(state, TABLE_PERSON);
    return code == 0 ? mdb_cursor_get(state->cursors[TABLE_PERSON], &place, value_out, MDB_SET)
                     : code;
}

bool state_load_person(struct state *state, uint64_t person, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out)
{
    MDB_txn *txn = look(state);
    MDB_val value = {0, NULL};
    int code = txn ? find_person(state, txn, person, &value) : MDB_NOTFOUND;

    code = person_found(code, value, row_out, task_out, last_seq_out);
    return txn && looked(state, "person", code);
}

bool state_task_find(struct state *state, uint64_t person, uint64_t task, struct task_row *out)
{
    MDB_txn *txn = look(state);

    return txn && looked(state, "task", state_get_task(state, txn, person, task, out));
}

bool state_task_next(struct state *state, uint64_t person, uint64_t after, struct task_row *out)
{
    MDB_txn *txn = look(state);

    return txn && looked(state, "task", state_get_task_after(state, txn, person, after, out));
}

bool state_edge_next(struct state *state, uint64_t person, enum edge_kind kind, uint64_t from,
                     struct state_edge *out)
{
    MDB_txn *txn = look(state);

    return txn &&
           looked(state, "edge", state_get_edge_from(state, txn, person, (uint8_t)kind, from, out));
}

static int get_due(const struct state *state, MDB_txn *txn, struct state_due *out)
{
    struct state_key first = key_of_due(0, 0, 0), found;
    MDB_val value;
    uint8_t kind;
    int code = state_get_from(state, txn, TABLE_DUE, &first, &found, &value);

    *out = (struct state_due){0};
    if (code == 0)
        code = state_row_copy(value, &kind, sizeof kind);
    if (code != 0)
        return code;
    *out = (struct state_due){.due_ms = key_part64(found.bytes, 0),
                              .person = key_part64(found.bytes, 8),
                              .task = key_part64(found.bytes, 16),
                              .kind = (enum due_kind)kind};
    return 0;
}

static bool is_before(const struct state_due *a, const struct state_due *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return a->person != b->person ? a->person < b->person : a->task < b->task;
}

bool state_due_first(struct state *state, struct state_due *out)
{
    MDB_txn *txn = look(state);
    bool found = txn && looked(state, "due", get_due(state, txn, out));
    struct young_row row;

    if (!txn || !young_find_from(&state->young_due, (struct young_key){{0}}, &row))
        return found;
    const struct state_due young = {.due_ms = row.key.part[0],
                                    .person = row.key.part[1],
                                    .task = row.key.part[2],
                                    .kind = (enum due_kind)row.value[0]};
    if (!found || is_before(&young, out))
        *out = young;
    return true;
}

int state_get_visible(const struct state *state, MDB_txn *txn, const struct state_key *from,
                      struct state_visible *out)
{
    struct state_stored_visible stored;
    struct state_key found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_VISIBLE, from, &found, &value);

    if (code == 0 && key_part32(found.bytes, 0) != key_part32(from->bytes, 0))
        code = MDB_NOTFOUND; /* the next queue's */
    if (code == 0)
        code = state_row_copy(value, &stored, sizeof stored);
    if (code != 0)
        return code;
    *out = (struct state_visible){.rank_ms = key_part64(found.bytes, 4),
                                  .task = key_part64(found.bytes, 12),
                                  .person = stored.person,
                                  .outbox_seq = stored.outbox_seq};
    return 0;
}

bool state_visible_next(struct state *state, uint32_t queue, uint64_t rank_ms, uint64_t task,
                        struct state_visible *out)
{
    struct state_key from = key_of_visible(queue, rank_ms, task);
    MDB_txn *txn = look(state);
    struct young_row row;

    *out = (struct state_visible){0};
    bool found = txn && looked(state, "visible", state_get_visible(state, txn, &from, out));
    if (!txn || !young_find_from(state_young(state, TABLE_VISIBLE, queue),
                                 (struct young_key){{rank_ms, task}}, &row))
        return found;
    const struct state_visible young = {.rank_ms = row.key.part[0],
                                        .task = row.key.part[1],
                                        .person = row.value[0],
                                        .outbox_seq = row.value[1]};
    if (!found || young.rank_ms < out->rank_ms ||
        (young.rank_ms == out->rank_ms && young.task < out->task))
        *out = young;
    return true;
}

bool state_work_first(struct state *state, uint32_t agent, struct state_work *out)
{
    MDB_txn *txn = look(state);

    return txn && looked(state, "work", state_get_work(state, txn, agent, 0, 0, out));
}

bool state_owned_first(struct state *state, uint32_t agent, uint64_t *person_out)
{
    MDB_txn *txn = look(state);

    return txn && looked(state, "owned", get_owned(state, txn, agent, person_out));
}

/* --- the writer's puts -------------------------------------------------------- */

/* Into the open transaction, unless it is broken. With MDB_RESERVE in `flags` value->mv_data
 * is where to write. */
static enum status put(struct state *state, enum state_table table, const struct state_key *key,
                       MDB_val *value, unsigned flags)
{
    MDB_val place = {key->length, (void *)key->bytes};

    if (state->broken != STATUS_OK)
        return state->broken;
    MUST(state->txn);
    state->changed = true;
    int code = open_cursor(state, table);
    if (code == 0)
        code = mdb_cursor_put(state->cursors[table], &place, value, flags);
    state->broken = lmdb_env_failed(&state->lmdb, "mdb_cursor_put", code);
    return state->broken;
}

enum status state_put_row(struct state *state, enum state_table table, struct state_key key,
                          const void *row, size_t bytes)
{
    MDB_val value = {bytes, (void *)row};

    return put(state, table, &key, &value, 0);
}

static enum status delete_row(struct state *state, enum state_table table, struct state_key key)
{
    MDB_val place = {key.length, key.bytes}, value;

    if (state->broken != STATUS_OK)
        return state->broken;
    MUST(state->txn);
    int code = open_cursor(state, table);
    if (code == 0)
        code = mdb_cursor_get(state->cursors[table], &place, &value, MDB_SET);
    if (code == MDB_NOTFOUND)
        return STATUS_OK;
    state->changed = true;
    if (code == 0)
        code = mdb_cursor_del(state->cursors[table], 0);
    state->broken = lmdb_env_failed(&state->lmdb, "mdb_cursor_del", code);
    return state->broken;
}

/* False: it has to go into its table now. While rows are missing all do, because one that is
 * restored may be there already. */
static bool put_young(struct state *state, enum state_table table, uint32_t queue,
                      struct young_key key, uint64_t value, uint64_t other)
{
    const struct young_row row = {
        .key = key, .value = {value, other}, .seq = state->meta.folded_seq + 1};

    if (state->broken != STATUS_OK || state->lacking)
        return false;
    MUST(state->txn);
    if (!young_put(state_young(state, table, queue), &row))
        return false;
    state->young_rows++;
    return true;
}

static bool delete_young(struct state *state, enum state_table table, uint32_t queue,
                         struct young_key key)
{
    if (state->broken != STATUS_OK || !young_delete(state_young(state, table, queue), key))
        return false;
    state->young_rows--;
    return true;
}

enum status state_store_person(struct state *state, uint64_t person, const struct person_row *row,
                               const struct task_row *task, uint64_t last_seq)
{
    struct state_key key = key_of_person(person);
    char bytes[STATE_PACKED_MAX];
    MDB_val value = {state_pack_person(bytes, row, task, last_seq), bytes};
    bool is_new = person > state->people_top;

    enum status status = put(state, TABLE_PERSON, &key, &value, is_new ? MDB_APPEND : 0);

    if (status == STATUS_OK && is_new)
        state->people_top = person;
    return status;
}

enum status state_task_put(struct state *state, uint64_t person, const struct task_row *task)
{
    char bytes[STATE_PACKED_MAX];

    return state_put_row(state, TABLE_TASK, key_of_task(person, task->number), bytes,
                         state_pack_task(bytes, task));
}

enum status state_task_delete(struct state *state, uint64_t person, uint64_t task)
{
    return delete_row(state, TABLE_TASK, key_of_task(person, task));
}

enum status state_suspect_put(struct state *state, uint32_t agency, uint64_t optin_seq,
                              const struct suspect_row *row)
{
    return state_put_row(state, TABLE_SUSPECT, key_of_suspect(agency, optin_seq), row, sizeof *row);
}

enum status state_due_put(struct state *state, uint64_t due_ms, uint64_t person, uint64_t task,
                          enum due_kind kind)
{
    uint8_t stored = (uint8_t)kind;

    if (put_young(state, TABLE_DUE, 0, (struct young_key){{due_ms, person, task}}, kind, 0))
        return STATUS_OK;
    return state_put_row(state, TABLE_DUE, key_of_due(due_ms, person, task), &stored,
                         sizeof stored);
}

enum status state_due_delete(struct state *state, uint64_t due_ms, uint64_t person, uint64_t task)
{
    if (delete_young(state, TABLE_DUE, 0, (struct young_key){{due_ms, person, task}}))
        return STATUS_OK;
    return delete_row(state, TABLE_DUE, key_of_due(due_ms, person, task));
}

enum status state_outbox_put(struct state *state, uint32_t queue, uint64_t seq,
                             const struct outbox_row *row)
{
    struct state_stored_put put = {row->person, row->task.number};

    if (row->op == OUTBOX_PUT && put_young(state, TABLE_OUTBOX, queue, (struct young_key){{seq}},
                                           row->person, row->task.number))
        return STATUS_OK;
    if (row->op == OUTBOX_PUT)
        return state_put_row(state, TABLE_OUTBOX, key_of_outbox(queue, seq), &put, sizeof put);
    return state_put_row(state, TABLE_OUTBOX, key_of_outbox(queue, seq), row, sizeof *row);
}

enum status state_outbox_delete(struct state *state, uint32_t queue, uint64_t seq)
{
    if (delete_young(state, TABLE_OUTBOX, queue, (struct young_key){{seq}}))
        return STATUS_OK;
    return delete_row(state, TABLE_OUTBOX, key_of_outbox(queue, seq));
}

enum status state_visible_put(struct state *state, uint32_t queue, uint64_t rank_ms, uint64_t task,
                              uint64_t person, uint64_t outbox_seq)
{
    struct state_stored_visible stored = {person, outbox_seq};

    if (put_young(state, TABLE_VISIBLE, queue, (struct young_key){{rank_ms, task}}, person,
                  outbox_seq))
        return STATUS_OK;
    return state_put_row(state, TABLE_VISIBLE, key_of_visible(queue, rank_ms, task), &stored,
                         sizeof stored);
}

enum status state_visible_delete(struct state *state, uint32_t queue, uint64_t rank_ms,
                                 uint64_t task)
{
    if (delete_young(state, TABLE_VISIBLE, queue, (struct young_key){{rank_ms, task}}))
        return STATUS_OK;
    return delete_row(state, TABLE_VISIBLE, key_of_visible(queue, rank_ms, task));
}

enum status state_dropped_put(struct state *state, uint64_t dropped_ms, uint32_t queue,
                              uint64_t seq)
{
    return state_put_row(state, TABLE_DROPPED, key_of_dropped(dropped_ms, queue, seq), "", 0);
}

/* The oldest drop if it is to go; MDB_NOTFOUND: there is none. */
static int get_dropped(const struct state *state, uint64_t before_ms, size_t keep,
                       struct state_key *out)
{
    struct state_key first = key_of_dropped(0, 0, 0);
    MDB_stat table;
    MDB_val value;
    int code = state_get_from(state, state->txn, TABLE_DROPPED, &first, out, &value);

    if (code == 0)
        code = mdb_stat(state->txn, state->tables[TABLE_DROPPED], &table);
    if (code == 0 && key_part64(out->bytes, 0) >= before_ms && table.ms_entries <= keep)
        code = MDB_NOTFOUND;
    return code;
}

static enum status delete_drop(struct state *state, struct state_key key)
{
    uint32_t queue = key_part32(key.bytes, 8);
    uint64_t seq = key_part64(key.bytes, 12);

    state_queue(state, queue)->trimmed_seq = seq;
    enum status status = state_outbox_delete(state, queue, seq);
    return status == STATUS_OK ? delete_row(state, TABLE_DROPPED, key) : status;
}

enum status state_dropped_trim(struct state *state, uint64_t before_ms, size_t keep, unsigned most)
{
    enum status status = state->broken;

    MUST(state->txn || status != STATUS_OK);
    for (unsigned i = 0; status == STATUS_OK && i < most; i++) {
        struct state_key key;
        if (!looked(state, "dropped", get_dropped(state, before_ms, keep, &key)))
            return state->broken;
        status = delete_drop(state, key);
    }
    return status;
}

enum status state_work_put(struct state *state, uint32_t agent, const struct state_work *work)
{
    return state_put_row(state, TABLE_WORK, key_of_work(agent, work->deadline_ms, work->task),
                         &work->person, sizeof work->person);
}

enum status state_work_delete(struct state *state, uint32_t agent, uint64_t deadline_ms,
                              uint64_t task)
{
    return delete_row(state, TABLE_WORK, key_of_work(agent, deadline_ms, task));
}

enum status state_owned_put(struct state *state, uint32_t agent, uint64_t person)
{
    return state_put_row(state, TABLE_OWNED, key_of_owned(agent, person), "", 0);
}

enum status state_owned_delete(struct state *state, uint32_t agent, uint64_t person)
{
    return delete_row(state, TABLE_OWNED, key_of_owned(agent, person));
}

enum status state_entity_put(struct state *state, enum entity_kind kind, uint32_t number,
                             struct slice settings)
{
    struct state_key key = key_of_entity(kind, number);

    if (settings.length == 0)
        return delete_row(state, TABLE_ENTITY, key);
    return state_put_row(state, TABLE_ENTITY, key, settings.bytes, settings.length);
}

/* --- for cells, which are put by state_tally.c ---------------------------------- */

enum status state_reserve_row(struct state *state, enum state_table table, struct state_key key,
                              size_t bytes, char **row_out)
{
    MDB_val value = {bytes, NULL};
    enum status status = put(state, table, &key, &value, MDB_RESERVE);

    *row_out = value.mv_data;
    return status;
}

enum status state_delete_row(struct state *state, enum state_table table, struct state_key key)
{
    return delete_row(state, table, key);
}
