/* The journal in LMDB's unnamed table, key: seq as 8 big-endian bytes. A named table
 * would have its root in the unnamed one and cost each commit a page more. */
#include "server/journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/must.h"
#include "server/clock.h"
#include "server/directory.h"
#include "server/journal_ahead.h"
#include "server/lmdb_env.h"

#define SCAN_PAGE       1000       /* records a read transaction */
#define SCAN_READ_AHEAD (4u << 20) /* bytes; a page has 0.5 to 1.5 MB as a rule */
#define TIGHT_CHECK_MS  100

struct journal {
    struct lmdb_env lmdb;
    MDB_dbi table;
    uint64_t reserve_bytes;
    struct journal_ahead *ahead; /* NULL: reading only, or it cannot be had */

    /* Writer thread. */
    MDB_txn *batch;    /* NULL: none open */
    uint64_t last_seq; /* with those of the open batch */
    uint64_t committed_seq;
    char *copy; /* one record: read outside a batch, or being erased */

    /* Any thread. */
    _Atomic bool tight;
    _Atomic uint64_t check_at_ms;
    _Atomic unsigned readers;
};

struct journal_reader {
    struct journal *journal;
    MDB_txn *snapshot; /* NULL until the first read */
    bool reading;      /* else it is reset and holds nothing */
};

/* --- open ----------------------------------------------------------------- */

/* 0 for an empty table. */
static int find_last(MDB_txn *txn, MDB_dbi table, uint64_t *seq_out)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    uint64_t stored;
    int code = mdb_cursor_open(txn, table, &cursor);

    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    if (code == 0 && key.mv_size == sizeof stored) {
        memcpy(&stored, key.mv_data, sizeof stored);
        *seq_out = be64toh(stored);
    } else if (code == 0) {
        code = MDB_CORRUPTED;
    } else if (code == MDB_NOTFOUND) {
        *seq_out = 0;
        code = 0;
    }
    mdb_cursor_close(cursor);
    return code;
}

static int open_table(struct journal *journal)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(journal->lmdb.env, NULL, MDB_RDONLY, &txn);

    if (code != 0)
        return code;
    code = mdb_dbi_open(txn, NULL, 0, &journal->table);
    if (code == 0)
        code = find_last(txn, journal->table, &journal->last_seq);
    journal->committed_seq = journal->last_seq;
    mdb_txn_abort(txn);
    return code;
}

static uint64_t used_bytes(const struct journal *journal, MDB_envinfo *map_out)
{
    MDB_stat pages;

    /* Neither fails for an open environment. */
    mdb_env_info(journal->lmdb.env, map_out);
    mdb_env_stat(journal->lmdb.env, &pages);
    return ((uint64_t)map_out->me_last_pgno + 1) * pages.ms_psize;
}

static void start_ahead(struct journal *journal)
{
    MDB_envinfo map;
    uint64_t used = used_bytes(journal, &map);
    struct journal_ahead_options options = {.path = journal->lmdb.data_path,
                                            .used_bytes = used,
                                            .map_bytes = map.me_mapsize,
                                            .reserve_bytes = journal->reserve_bytes,
                                            .log = journal->lmdb.log};

    journal->ahead = journal_ahead_open(&options);
}

enum status journal_open(const struct journal_options *options, struct journal **out)
{
    struct journal *journal = calloc(1, sizeof *journal);
    struct lmdb_env_options env = {.directory = options->directory,
                                   .map_bytes = options->map_bytes,
                                   .flags = MDB_NOTLS,
                                   .read_only = options->read_only,
                                   .log = options->log};

    *out = NULL;
    if (!journal)
        return STATUS_IO;
    journal->reserve_bytes = options->reserve_bytes;
    journal->copy = malloc(RECORD_BYTES_MAX);

    enum status status = journal->copy ? lmdb_env_open(&journal->lmdb, &env) : STATUS_IO;
    if (status != STATUS_OK) {
        free(journal->copy);
        free(journal);
        return status;
    }
    status = lmdb_env_failed(&journal->lmdb, "open_table", open_table(journal));
    if (status != STATUS_OK) {
        journal_close(journal);
        return status;
    }
    if (!options->read_only)
        start_ahead(journal);
    *out = journal;
    return STATUS_OK;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    MUST(atomic_load(&journal->readers) == 0);
    journal_abort(journal);
    journal_ahead_stop(journal->ahead);
    lmdb_env_close(&journal->lmdb);
    journal_ahead_close(journal->ahead);
    free(journal->copy);
    free(journal);
}

uint64_t journal_last_seq(const struct journal *journal)
{
    return journal->last_seq;
}

uint64_t journal_inode(const struct journal *journal)
{
    return lmdb_env_inode(&journal->lmdb);
}

uint64_t journal_bytes(const struct journal *journal)
{
    return lmdb_env_file_bytes(&journal->lmdb);
}

bool journal_is_tight(struct journal *journal)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t due = atomic_load_explicit(&journal->check_at_ms, memory_order_relaxed);

    /* Whoever moves the time on makes the check; the others take what was found. */
    if (now >= due &&
        atomic_compare_exchange_strong(&journal->check_at_ms, &due, now + TIGHT_CHECK_MS)) {
        bool tight = lmdb_env_disk_left(&journal->lmdb) < journal->reserve_bytes ||
                     lmdb_env_map_left(&journal->lmdb) < journal->reserve_bytes;
        atomic_store_explicit(&journal->tight, tight, memory_order_relaxed);
    }
    return atomic_load_explicit(&journal->tight, memory_order_relaxed);
}

/* --- a batch -------------------------------------------------------------- */

enum status journal_begin(struct journal *journal)
{
    MUST(!journal->batch);
    int code = mdb_txn_begin(journal->lmdb.env, NULL, 0, &journal->batch);

    if (code != 0)
        journal->batch = NULL;
    return lmdb_env_failed(&journal->lmdb, "mdb_txn_begin", code);
}

void journal_abort(struct journal *journal)
{
    if (!journal->batch)
        return;
    mdb_txn_abort(journal->batch);
    journal->batch = NULL;
    journal->last_seq = journal->committed_seq;
}

enum status journal_append(struct journal *journal, const struct record *record)
{
    uint64_t stored_seq = htobe64(record->header.seq);
    MDB_val key = {sizeof stored_seq, &stored_seq};
    MDB_val value = {record_bytes(&record->header), NULL};

    MUST(journal->batch);
    MUST(record->header.seq == journal->last_seq + 1);
    int code = mdb_put(journal->batch, journal->table, &key, &value, MDB_APPEND | MDB_RESERVE);
    if (code != 0) {
        journal_abort(journal);
        return lmdb_env_failed(&journal->lmdb, "mdb_put", code);
    }
    record_store(record, value.mv_data);
    journal->last_seq = record->header.seq;
    return STATUS_OK;
}

enum status journal_commit(struct journal *journal)
{
    MDB_envinfo map;

    MUST(journal->batch);
    int code = mdb_txn_commit(journal->batch);

    /* LMDB has freed the transaction either way. */
    journal->batch = NULL;
    if (code == 0)
        journal->committed_seq = journal->last_seq;
    else
        journal->last_seq = journal->committed_seq;
    if (code == 0)
        journal_ahead_follow(journal->ahead, used_bytes(journal, &map));
    return lmdb_env_failed(&journal->lmdb, "mdb_txn_commit", code);
}

/* --- reading -------------------------------------------------------------- */

/* The seq is in the header too: a record under another's key is as bad as a damaged one. */
static enum status view_stored(uint64_t seq, MDB_val value, struct record_view *out)
{
    enum status status = record_view((struct slice){value.mv_data, value.mv_size}, out);

    if (status == STATUS_OK && out->header.seq != seq)
        status = STATUS_CORRUPT;
    if (status != STATUS_OK)
        *out = (struct record_view){.header.seq = seq};
    return status;
}

static int get(struct journal *journal, MDB_txn *txn, uint64_t seq, MDB_val *value_out)
{
    uint64_t stored_seq = htobe64(seq);
    MDB_val key = {sizeof stored_seq, &stored_seq};

    return mdb_get(txn, journal->table, &key, value_out);
}

static enum status read_record(struct journal *journal, MDB_txn *txn, uint64_t seq,
                               struct record_view *out)
{
    MDB_val value;
    int code = get(journal, txn, seq, &value);

    if (code == 0)
        return view_stored(seq, value, out);
    *out = (struct record_view){.header.seq = seq};
    return lmdb_env_failed(&journal->lmdb, "mdb_get", code);
}

static enum status copy_record(struct journal *journal, MDB_txn *txn, uint64_t seq,
                               struct slice *copy_out)
{
    MDB_val value;
    int code = get(journal, txn, seq, &value);

    *copy_out = (struct slice){0};
    if (code != 0)
        return lmdb_env_failed(&journal->lmdb, "mdb_get", code);
    if (value.mv_size > RECORD_BYTES_MAX)
        return STATUS_CORRUPT;
    memcpy(journal->copy, value.mv_data, value.mv_size);
    *copy_out = (struct slice){journal->copy, value.mv_size};
    return STATUS_OK;
}

/* Without a batch there is no transaction whose end the writer would see to, so the record
 * is copied and the snapshot is let go at once. */
static enum status read_alone(struct journal *journal, uint64_t seq, struct record_view *out)
{
    struct slice copy;
    MDB_txn *txn;
    int code = mdb_txn_begin(journal->lmdb.env, NULL, MDB_RDONLY, &txn);

    *out = (struct record_view){.header.seq = seq};
    if (code != 0)
        return lmdb_env_failed(&journal->lmdb, "mdb_txn_begin", code);
    enum status status = copy_record(journal, txn, seq, &copy);
    mdb_txn_abort(txn);
    if (status != STATUS_OK)
        return status;
    return view_stored(seq, (MDB_val){copy.length, journal->copy}, out);
}

enum status journal_batch_read(struct journal *journal, uint64_t seq, struct record_view *out)
{
    if (!journal->batch)
        return read_alone(journal, seq, out);
    return read_record(journal, journal->batch, seq, out);
}

enum status journal_reader_open(struct journal *journal, struct journal_reader **out)
{
    struct journal_reader *reader = calloc(1, sizeof *reader);

    *out = reader;
    if (!reader)
        return STATUS_BUSY;
    reader->journal = journal;
    atomic_fetch_add(&journal->readers, 1);
    return STATUS_OK;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (!reader)
        return;
    if (reader->snapshot)
        mdb_txn_abort(reader->snapshot);
    atomic_fetch_sub(&reader->journal->readers, 1);
    free(reader);
}

void journal_reader_release(struct journal_reader *reader)
{
    if (reader->reading)
        mdb_txn_reset(reader->snapshot);
    reader->reading = false;
}

static enum status reader_begin(struct journal_reader *reader)
{
    struct journal *journal = reader->journal;
    int code = 0;

    if (reader->reading)
        return STATUS_OK;
    if (reader->snapshot)
        code = mdb_txn_renew(reader->snapshot);
    else
        code = mdb_txn_begin(journal->lmdb.env, NULL, MDB_RDONLY, &reader->snapshot);
    reader->reading = code == 0;
    return lmdb_env_failed(&journal->lmdb, "mdb_txn_renew", code);
}

enum status journal_read(struct journal_reader *reader, uint64_t seq, struct record_view *out)
{
    enum status status = reader_begin(reader);

    if (status == STATUS_OK)
        status = read_record(reader->journal, reader->snapshot, seq, out);
    else
        *out = (struct record_view){.header.seq = seq};
    return status;
}

/* --- scan ----------------------------------------------------------------- */

struct scan {
    uint64_t next_seq;
    bool more;
    journal_record_fn *on_record;
    void *owner;
};

static int scan_one(struct scan *scan, MDB_val key, MDB_val value)
{
    struct record_view view;
    uint64_t stored;

    if (key.mv_size != sizeof stored)
        return MDB_CORRUPTED;
    memcpy(&stored, key.mv_data, sizeof stored);

    uint64_t seq = be64toh(stored);
    enum status status = view_stored(seq, value, &view);
    scan->more = scan->on_record(scan->owner, seq, status, &view);
    scan->next_seq = seq + 1;
    return 0;
}

/* A fault reads a single page here (see lmdb_env.c), and a scan goes through the file nearly in
 * order, so what comes next is asked for: only a hint, and cheap where it is in memory already. */
static void read_ahead(const void *from)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    madvise((void *)((uintptr_t)from / page * page), SCAN_READ_AHEAD, MADV_WILLNEED);
}

static int scan_page(struct journal_reader *reader, struct scan *scan)
{
    uint64_t stored = htobe64(scan->next_seq);
    MDB_val key = {sizeof stored, &stored}, value;
    MDB_cursor *cursor;
    int code = mdb_cursor_open(reader->snapshot, reader->journal->table, &cursor);

    if (code != 0)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code == 0)
        read_ahead(value.mv_data);
    for (unsigned i = 0; code == 0 && scan->more && i < SCAN_PAGE; i++) {
        code = scan_one(scan, key, value);
        if (code == 0)
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code == MDB_NOTFOUND) {
        scan->more = false;
        code = 0;
    }
    return code;
}

enum status journal_scan(struct journal_reader *reader, uint64_t from_seq,
                         journal_record_fn *on_record, void *owner)
{
    struct scan scan = {from_seq, true, on_record, owner};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && scan.more) {
        journal_reader_release(reader);
        status = reader_begin(reader);
        if (status == STATUS_OK)
            status = lmdb_env_failed(&reader->journal->lmdb, "scan", scan_page(reader, &scan));
    }
    journal_reader_release(reader);
    return status;
}

/* --- erasure and backup --------------------------------------------------- */

enum status journal_erase(struct journal *journal, uint64_t seq)
{
    uint64_t stored_seq = htobe64(seq);
    MDB_val key = {sizeof stored_seq, &stored_seq};
    struct record_view view;
    struct slice copy;

    MUST(journal->batch);
    enum status status = copy_record(journal, journal->batch, seq, &copy);
    if (status == STATUS_OK)
        status = view_stored(seq, (MDB_val){copy.length, journal->copy}, &view);
    if (status != STATUS_OK || view.payload.length == 0)
        return status;

    memset(journal->copy + copy.length - view.payload.length, 0, view.payload.length);
    MDB_val value = {copy.length, journal->copy};
    int code = mdb_put(journal->batch, journal->table, &key, &value, 0);
    if (code != 0)
        journal_abort(journal);
    return lmdb_env_failed(&journal->lmdb, "mdb_put", code);
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code;
}

/* The copy is another file than the one LMDB has locks on, so it may be opened by hand. */
static int copy_into(struct journal *journal, const char *directory, const char *file)
{
    if (mkdir(directory, 0700) != 0)
        return errno;
    int code = mdb_env_copy2(journal->lmdb.env, directory, MDB_CP_COMPACT);

    if (code == 0)
        code = sync_file(file);
    if (code == 0)
        code = directory_sync(directory);
    return code;
}

/* What a backup that was interrupted has left. */
static void remove_partial(const char *directory, const char *file)
{
    unlink(file);
    rmdir(directory);
}

static int copy_and_move(struct journal *journal, const char *partial, const char *file,
                         const char *directory)
{
    int code = copy_into(journal, partial, file);

    if (code == 0 && rename(partial, directory) != 0)
        code = errno;
    if (code == 0)
        code = directory_sync_parent(directory);
    return code;
}

enum status journal_backup(struct journal *journal, const char *directory)
{
    char *partial = lmdb_path(directory, ".partial");
    char *file = lmdb_path(directory, ".partial/data.mdb");
    enum status status = STATUS_IO;
    struct stat existing;

    if (lstat(directory, &existing) == 0) {
        status = STATUS_CONFLICT;
    } else if (partial && file) {
        remove_partial(partial, file);
        int code = copy_and_move(journal, partial, file, directory);

        /* The room there decides what EIO means, so this comes before the tidying. */
        status = lmdb_failed_at(&journal->lmdb, "backup", code, partial);
        if (status != STATUS_OK)
            remove_partial(partial, file);
    }
    free(file);
    free(partial);
    return status;
}
