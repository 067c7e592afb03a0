/* The environment, its one write transaction, and what is kept in memory beside it. The
 * rows are in state_rows.c, what other threads read in state_read.c. */
#include "server/state.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "proto/must.h"
#include "server/log.h"
#include "server/state_internal.h"

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",       [TABLE_QUEUE] = "queue",     [TABLE_PERSON] = "person",
    [TABLE_TASK] = "task",       [TABLE_DUE] = "due",         [TABLE_OUTBOX] = "outbox",
    [TABLE_VISIBLE] = "visible", [TABLE_DROPPED] = "dropped", [TABLE_ENTITY] = "entity",
    [TABLE_SUSPECT] = "suspect", [TABLE_TALLY] = "tally",     [TABLE_AGENT] = "agent",
    [TABLE_WORK] = "work",       [TABLE_OWNED] = "owned",     [TABLE_EDGE] = "edge",
    [TABLE_REVIEW] = "review",
};

/* --- open ----------------------------------------------------------------- */

static uint64_t checksum_of(const struct state_stored_meta *stored)
{
    return XXH3_64bits(stored, offsetof(struct state_stored_meta, checksum));
}

static int put_meta(struct state *state, MDB_txn *txn)
{
    struct state_stored_meta stored = {STATE_VERSION, state->settled_seq, state->meta, 0};
    struct state_key place = STATE_META_KEY;
    MDB_val key = {place.length, place.bytes};
    MDB_val value = {sizeof stored, &stored};

    stored.checksum = checksum_of(&stored);
    return mdb_put(txn, state->tables[TABLE_META], &key, &value, 0);
}

/* MDB_VERSION_MISMATCH: written by another version of this file. MDB_CORRUPTED: not what was
 * written. */
static int load_meta(struct state *state, MDB_txn *txn)
{
    struct state_key key = STATE_META_KEY;
    struct state_stored_meta stored;
    MDB_val value;
    int code = state_get(state, txn, TABLE_META, &key, &value);

    if (code == MDB_NOTFOUND)
        return put_meta(state, txn);
    if (code == 0 &&
        (state_row_copy(value, &stored, sizeof stored) != 0 || stored.version != STATE_VERSION))
        code = MDB_VERSION_MISMATCH;
    if (code == 0 && stored.checksum != checksum_of(&stored))
        code = MDB_CORRUPTED;
    if (code != 0)
        return code;
    state->meta = stored.meta;
    state->settled_seq = stored.settled_seq;
    state->lacking = stored.settled_seq < stored.meta.folded_seq;
    return 0;
}

static int load_queues(struct state *state, MDB_txn *txn)
{
    struct state_key key = key_of_queue(0), found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_QUEUE, &key, &found, &value);

    while (code == 0) {
        uint32_t queue = key_part32(found.bytes, 0);
        if (queue >= STATE_QUEUES_MAX)
            return MDB_CORRUPTED;
        code = state_row_copy(value, state_queue(state, queue), sizeof state->queues[queue]);
        key = key_of_queue(queue + 1);
        if (code == 0)
            code = state_get_from(state, txn, TABLE_QUEUE, &key, &found, &value);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

static int load_agents(struct state *state, MDB_txn *txn)
{
    struct state_key key = key_of_agent(0), found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_AGENT, &key, &found, &value);

    while (code == 0) {
        uint32_t agent = key_part32(found.bytes, 0);
        if (agent >= STATE_AGENTS_MAX)
            return MDB_CORRUPTED;
        code = state_row_copy(value, &state->agents[agent], sizeof state->agents[agent]);
        state->agent_count = agent + 1;
        key = key_of_agent(agent + 1);
        if (code == 0)
            code = state_get_from(state, txn, TABLE_AGENT, &key, &found, &value);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

static int load_people_top(struct state *state, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, state->tables[TABLE_PERSON], &cursor);

    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    if (code == 0 && key.mv_size == sizeof(uint64_t))
        state->people_top = key_part64(key.mv_data, 0);
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

/* The next commit need not look at it. */
static bool is_at_rest(const struct state *state, uint32_t queue)
{
    const struct state_queue *row = &state->queues[queue];

    return young_oldest_seq(&state->young_visible[queue]) == UINT64_MAX &&
           young_oldest_seq(&state->young_outbox[queue]) == UINT64_MAX &&
           row->outbox_stored_seq == row->outbox_seq;
}

/* All of them are as they were committed. What rests has no memory: there may be many. */
static void let_rest(struct state *state)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < state->busy_count; i++) {
        uint32_t queue = state->busy[i];
        if (!is_at_rest(state, queue)) {
            state->busy[kept++] = queue;
            continue;
        }
        state->is_busy[queue] = false;
        young_clear(&state->young_visible[queue]);
        young_clear(&state->young_outbox[queue]);
    }
    state->busy_count = kept;
}

static void remember_committed(struct state *state)
{
    state->committed_meta = state->meta;
    state->committed_settled_seq = state->settled_seq;
    state->committed_people_top = state->people_top;
    for (uint32_t i = 0; i < state->busy_count; i++)
        state->committed_queues[state->busy[i]] = state->queues[state->busy[i]];
    let_rest(state);
    memcpy(state->committed_agents, state->agents, state->agent_count * sizeof state->agents[0]);
}

static int load(struct state *state)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(state->lmdb.env, NULL, 0, &txn);

    if (code != 0)
        return code;
    for (int i = 0; code == 0 && i < TABLE_COUNT; i++)
        code = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &state->tables[i]);
    if (code == 0)
        code = load_meta(state, txn);
    if (code == 0)
        code = load_queues(state, txn);
    if (code == 0)
        code = load_agents(state, txn);
    if (code == 0)
        code = load_people_top(state, txn);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static void forget(struct state *state)
{
    state->meta = (struct state_meta){0};
    memset(state->queues, 0, state->queue_count * sizeof state->queues[0]);
    memset(state->committed_queues, 0, state->queue_count * sizeof state->committed_queues[0]);
    memset(state->agents, 0, state->agent_count * sizeof state->agents[0]);
    memset(state->committed_agents, 0, state->agent_count * sizeof state->agents[0]);
    state->agent_count = 0;
    state_forget_young(state);
    state_forget_people(state);
    tally_clear(&state->tally);
    state->queue_count = 0;
    state->people_top = 0;
    state->settled_seq = 0;
    state->lacking = false;
    remember_committed(state);
}

static void close_environment(struct state *state)
{
    state_abort(state);
    if (state->peek)
        mdb_txn_abort(state->peek);
    state->peek = NULL;
    lmdb_env_close(&state->lmdb);
    forget(state);
}

static enum status open_environment(struct state *state)
{
    struct lmdb_env_options options = {.directory = state->directory,
                                       .map_bytes = state->options.map_bytes,
                                       .flags = MDB_NOTLS | MDB_NOSYNC,
                                       .tables = TABLE_COUNT,
                                       .log = state->options.log};
    enum status status = lmdb_env_open(&state->lmdb, &options);

    if (status != STATUS_OK)
        return status;
    status = lmdb_env_failed(&state->lmdb, "load", load(state));
    if (status == STATUS_OK)
        remember_committed(state);
    else
        close_environment(state);
    return status;
}

enum status state_open(const struct state_options *options, struct state **out)
{
    struct state *state = calloc(1, sizeof *state);

    *out = NULL;
    if (!state)
        return STATUS_IO;
    state->options = *options;
    state->directory = strdup(options->directory);
    state->lmdb.directory_fd = -1;

    enum status status = state->directory ? open_environment(state) : STATUS_IO;
    if (status == STATUS_CORRUPT) {
        log_write(options->log, LOG_WARN, "state cannot be used: it is made anew from the journal",
                  LOG_TEXT("directory", options->directory), LOG_END);
        status = state_reset(state);
    }
    if (status != STATUS_OK) {
        state_close(state);
        return status;
    }
    *out = state;
    return STATUS_OK;
}

void state_close(struct state *state)
{
    if (!state)
        return;
    MUST(atomic_load(&state->readers) == 0);
    close_environment(state);
    free(state->directory);
    free(state);
}

enum status state_reset(struct state *state)
{
    MUST(atomic_load(&state->readers) == 0);
    close_environment(state);
    enum status status = state_remove(state->directory);

    return status == STATUS_OK ? open_environment(state) : status;
}

enum status state_remove(const char *directory)
{
    static const char *const files[] = {"/data.mdb", "/lock.mdb"};
    enum status status = STATUS_OK;

    for (int i = 0; i < 2; i++) {
        char *path = lmdb_path(directory, files[i]);
        if (!path || (unlink(path) != 0 && errno != ENOENT))
            status = STATUS_IO;
        free(path);
    }
    return status;
}

enum status state_sync(struct state *state)
{
    return lmdb_env_failed(&state->lmdb, "mdb_env_sync", mdb_env_sync(state->lmdb.env, 1));
}

uint64_t state_bytes(const struct state *state)
{
    return lmdb_env_file_bytes(&state->lmdb);
}

/* --- the transaction ------------------------------------------------------ */

enum status state_begin(struct state *state)
{
    if (state->broken != STATUS_OK)
        return state->broken;
    if (state->txn)
        return STATUS_OK;
    int code = mdb_txn_begin(state->lmdb.env, NULL, 0, &state->txn);
    if (code != 0)
        state->txn = NULL;
    return lmdb_env_failed(&state->lmdb, "mdb_txn_begin", code);
}

enum status state_failure(const struct state *state)
{
    return state->broken;
}

static bool queue_changed(const struct state *state, uint32_t queue)
{
    return memcmp(&state->queues[queue], &state->committed_queues[queue],
                  sizeof state->queues[queue]) != 0;
}

static bool agent_changed(const struct state *state, uint32_t agent)
{
    return memcmp(&state->agents[agent], &state->committed_agents[agent],
                  sizeof state->agents[agent]) != 0;
}

bool state_is_dirty(const struct state *state)
{
    if (state->changed || state->young_rows > 0 ||
        memcmp(&state->meta, &state->committed_meta, sizeof state->meta) != 0)
        return true;
    for (uint32_t i = 0; i < state->busy_count; i++)
        if (queue_changed(state, state->busy[i]))
            return true;
    return false; /* what changes an agent changes meta */
}

/* A queue that is as if nothing had happened has no row, so that what is stored does not
 * depend on which records fell between two commits. */
static int put_queue(struct state *state, uint32_t queue)
{
    static const struct state_queue untouched;
    struct state_queue *row = &state->queues[queue];
    struct state_key place = key_of_queue(queue);
    MDB_val key = {place.length, place.bytes}, value = {sizeof *row, row};

    if (memcmp(row, &untouched, sizeof untouched) != 0)
        return mdb_put(state->txn, state->tables[TABLE_QUEUE], &key, &value, 0);
    return mdb_del(state->txn, state->tables[TABLE_QUEUE], &key, NULL);
}

static int put_queues(struct state *state)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < state->busy_count; i++)
        if (queue_changed(state, state->busy[i]))
            code = put_queue(state, state->busy[i]);
    return code;
}

/* As with queues. */
static int put_agent(struct state *state, uint32_t agent)
{
    static const struct state_agent untouched;
    struct state_agent *row = &state->agents[agent];
    struct state_key place = key_of_agent(agent);
    MDB_val key = {place.length, place.bytes}, value = {sizeof *row, row};

    if (memcmp(row, &untouched, sizeof untouched) != 0)
        return mdb_put(state->txn, state->tables[TABLE_AGENT], &key, &value, 0);
    return mdb_del(state->txn, state->tables[TABLE_AGENT], &key, NULL);
}

static int put_agents(struct state *state)
{
    int code = 0;

    for (uint32_t agent = 0; code == 0 && agent < state->agent_count; agent++)
        if (agent_changed(state, agent))
            code = put_agent(state, agent);
    return code;
}

/* LMDB ends its cursors with it. */
static void forget_transaction(struct state *state)
{
    state->txn = NULL;
    memset(state->cursors, 0, sizeof state->cursors);
}

static int put_memory_and_commit(struct state *state)
{
    int code = put_meta(state, state->txn);

    if (code == 0)
        code = put_queues(state);
    if (code == 0)
        code = put_agents(state);
    if (code != 0)
        return code;
    MDB_txn *txn = state->txn;
    forget_transaction(state); /* LMDB frees it either way */
    return mdb_txn_commit(txn);
}

/* Without changes this ends the transaction that was opened for nothing. */
static void end_transaction(struct state *state)
{
    if (state->txn)
        mdb_txn_abort(state->txn);
    forget_transaction(state);
    state->changed = false;
    state->broken = STATUS_OK;
}

static enum status commit(struct state *state, uint64_t settle_until_seq, unsigned most)
{
    enum status status = state->broken;

    if (status == STATUS_OK && state_is_dirty(state)) {
        status = state_begin(state);
        if (status == STATUS_OK)
            status = state_settle(state, settle_until_seq, most);
        if (status == STATUS_OK)
            status = state_put_people(state);
        if (status == STATUS_OK)
            status = state_put_tally(state);
        if (status == STATUS_OK)
            status = lmdb_env_failed(&state->lmdb, "mdb_txn_commit", put_memory_and_commit(state));
        if (status == STATUS_OK)
            remember_committed(state);
    }
    if (status == STATUS_OK)
        end_transaction(state);
    else
        state_abort(state);
    return status;
}

enum status state_commit(struct state *state)
{
    return commit(state, UINT64_MAX, UINT_MAX);
}

enum status state_commit_live(struct state *state, bool all)
{
    return commit(state, all ? UINT64_MAX : state_aged_seq(state), STATE_SETTLED_AT_ONCE);
}

void state_abort(struct state *state)
{
    end_transaction(state);
    state_forget_young(state);
    state_forget_people(state);
    tally_clear(&state->tally); /* what is committed is read again when it is asked for */
    state->meta = state->committed_meta;
    state->settled_seq = state->committed_settled_seq;
    state->lacking = state->settled_seq < state->meta.folded_seq;
    state->people_top = state->committed_people_top;
    for (uint32_t i = 0; i < state->busy_count; i++)
        state->queues[state->busy[i]] = state->committed_queues[state->busy[i]];
    let_rest(state);
    memcpy(state->agents, state->committed_agents, state->agent_count * sizeof state->agents[0]);
}

struct state_meta *state_meta(struct state *state)
{
    return &state->meta;
}

struct state_queue *state_queue(struct state *state, uint32_t queue)
{
    MUST(queue < STATE_QUEUES_MAX);
    if (queue >= state->queue_count)
        state->queue_count = queue + 1;
    if (!state->is_busy[queue])
        state->busy[state->busy_count++] = queue;
    state->is_busy[queue] = true;
    return &state->queues[queue];
}

struct state_agent *state_agent(struct state *state, uint32_t agent)
{
    MUST(agent < STATE_AGENTS_MAX);
    if (agent >= state->agent_count)
        state->agent_count = agent + 1;
    return &state->agents[agent];
}
