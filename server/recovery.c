#include "server/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/must.h"
#include "server/directory.h"
#include "server/recovery_chain.h"
#include "server/recovery_owner.h"

#define COMMIT_EACH 4096 /* records: always about the same size keeps the freelist small */

struct recovery {
    struct recovery_options options;
    char state_directory[PATH_MAX];
    int lock;
    struct journal *journal;
    struct journal_reader *reader;
    struct state *state;
    struct index *index;
    struct registry *registry;
    struct engine *engine;
    struct effect_genesis genesis;
    struct effect_epoch epoch;
    uint64_t admin_seq;
    uint64_t last_ms;
    bool trusted;
    enum status folding; /* of the scan in recovery_fold */
    uint64_t fold_left;
};

static bool path_join(char out[PATH_MAX], const char *directory, const char *name)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", directory, name);

    return length > 0 && length < PATH_MAX;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* --- the journal's own records --------------------------------------------------------- */

static uint64_t machine_hash(const struct recovery *recovery)
{
    char text[64];
    size_t length = recovery_read_small("/etc/machine-id", text, sizeof(text));

    return hash_place(
        hash_of(&recovery->genesis.hash_key, HASH_ID, 0, (struct slice){text, length}));
}

static void make_own(struct record *record, enum record_kind kind, const struct turn *turn,
                     enum effect_kind effect_kind, const void *effect, size_t bytes,
                     struct slice payload)
{
    record_begin(record, kind, turn->now_ms, 0);
    record->header.seq = turn->seq;
    record->header.admin_prev = turn->admin_seq;
    MUST(record_effect(record, effect_kind, effect, bytes));
    record->payload = payload;
    record_seal(record);
}

static enum status append_own(struct recovery *recovery, enum record_kind kind,
                              enum effect_kind effect_kind, const void *effect, size_t bytes,
                              struct slice payload)
{
    struct record record;
    uint64_t now_ms = recovery->options.now_ms;
    struct turn turn = {.seq = journal_last_seq(recovery->journal) + 1,
                        .admin_seq = recovery->admin_seq,
                        .now_ms = now_ms > recovery->last_ms ? now_ms : recovery->last_ms};
    enum status result;

    make_own(&record, kind, &turn, effect_kind, effect, bytes, payload);
    result = journal_begin(recovery->journal);
    if (result == STATUS_OK)
        result = journal_append(recovery->journal, &record);
    if (result == STATUS_OK)
        result = journal_commit(recovery->journal);
    if (result != STATUS_OK)
        return result;
    recovery->admin_seq = record.header.seq;
    recovery->last_ms = record.header.now_ms;
    return STATUS_OK;
}

static enum status begin_journal(struct recovery *recovery)
{
    if (!recovery->options.create)
        return STATUS_NOT_FOUND;
    recovery->genesis = (struct effect_genesis){.plans_lives = 1};
    randombytes_buf(&recovery->genesis.hash_key, sizeof(recovery->genesis.hash_key));
    randombytes_buf(&recovery->genesis.id_key, sizeof(recovery->genesis.id_key));
    return append_own(recovery, RECORD_GENESIS, EFFECT_GENESIS, &recovery->genesis,
                      sizeof(recovery->genesis), (struct slice){0});
}

/* A folder that was copied or restored is another incarnation: its outbox would number other
 * operations with seqs that Redis has seen. Machine and inode tell. */
static enum status bind_epoch(struct recovery *recovery)
{
    uint64_t machine = machine_hash(recovery), inode = journal_inode(recovery->journal);

    if (recovery->epoch.epoch != 0 && recovery->epoch.machine == machine &&
        recovery->epoch.inode == inode)
        return STATUS_OK;
    if (recovery->epoch.epoch != 0)
        log_write(recovery->options.log, LOG_WARN,
                  "this journal was copied or restored: a new epoch begins", LOG_END);
    recovery->epoch = (struct effect_epoch){.machine = machine, .inode = inode};
    do
        randombytes_buf(&recovery->epoch.epoch, sizeof(recovery->epoch.epoch));
    while (recovery->epoch.epoch == 0);
    return append_own(recovery, RECORD_EPOCH, EFFECT_EPOCH, &recovery->epoch,
                      sizeof(recovery->epoch), (struct slice){0});
}

void recovery_begin_epoch(const struct recovery *recovery, uint64_t epoch, const struct turn *turn,
                          struct record *record)
{
    struct effect_epoch effect = recovery->epoch;

    effect.epoch = epoch;
    make_own(record, RECORD_EPOCH, turn, EFFECT_EPOCH, &effect, sizeof(effect), (struct slice){0});
}

static enum status append_shipped(struct recovery *recovery, struct slice settings)
{
    const struct effect_admin effect = {
        .entity = ENTITY_PLAYBOOK,
        .number = registry_next_number(recovery->registry, ENTITY_PLAYBOOK)};
    enum status result =
        append_own(recovery, RECORD_ADMIN, EFFECT_ADMIN, &effect, sizeof(effect), settings);

    return result == STATUS_OK
               ? registry_apply(recovery->registry, ENTITY_PLAYBOOK, effect.number, settings)
               : result;
}

/* Before anybody is pinned to it. Where there are as many versions as can be, the newest that is
 * kept stays in force. */
static enum status keep_shipped(struct recovery *recovery)
{
    char *bytes = malloc(RECORD_PAYLOAD_MAX);
    struct text settings = text_over(bytes, RECORD_PAYLOAD_MAX);
    enum status result =
        bytes ? registry_keep_shipped(recovery->registry, &settings) : STATUS_INTERNAL;

    if (result == STATUS_OK)
        result = append_shipped(recovery, text_slice(&settings));
    free(bytes);
    return result == STATUS_DUPLICATE || result == STATUS_BUSY ? STATUS_OK : result;
}

/* Keys and epoch stand in the chain too; the newest epoch is the one in force. */
static enum status read_own_records(struct recovery *recovery)
{
    uint64_t *seqs = NULL;
    size_t count = 0;
    bool genesis = false;
    struct record_view record;
    enum status result =
        journal_read(recovery->reader, journal_last_seq(recovery->journal), &record);

    if (result != STATUS_OK)
        goto cleanup;
    recovery->last_ms = record.header.now_ms;
    recovery->admin_seq = record.header.kind == RECORD_GENESIS ||
                                  record.header.kind == RECORD_EPOCH ||
                                  record.header.kind == RECORD_ADMIN
                              ? record.header.seq
                              : record.header.admin_prev;
    result = recovery_admin_chain(recovery->reader, recovery->admin_seq, &seqs, &count);
    for (size_t i = 0; result == STATUS_OK && i < count; i++) {
        result = journal_read(recovery->reader, seqs[i], &record);
        if (result != STATUS_OK)
            break;
        genesis |=
            effect_find(&record, EFFECT_GENESIS, &recovery->genesis, sizeof(recovery->genesis));
        effect_find(&record, EFFECT_EPOCH, &recovery->epoch, sizeof(recovery->epoch));
    }
    if (result == STATUS_OK && !genesis)
        result = STATUS_CORRUPT;
    if (result == STATUS_OK)
        result = recovery_read_registry(recovery->reader, recovery->admin_seq, recovery->registry);
cleanup:
    free(seqs);
    journal_reader_release(recovery->reader);
    return result;
}

/* --- opening ------------------------------------------------------------------------------ */

/* Its name is to last as long as what is in it. Where the folder above may not be read, somebody
 * else has made this one. */
static bool make_data_directory(const char *path)
{
    if (!make_directory(path))
        return false;
    (void)directory_sync_parent(path);
    return true;
}

static enum status take_lock(struct recovery *recovery)
{
    char path[PATH_MAX];

    if (recovery->options.create && !make_data_directory(recovery->options.data_directory))
        return STATUS_IO;
    if (!path_join(path, recovery->options.data_directory, "hotlead.lock"))
        return STATUS_INVALID;
    recovery->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (recovery->lock < 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    return flock(recovery->lock, LOCK_EX | LOCK_NB) == 0 ? STATUS_OK : STATUS_CONFLICT;
}

static enum status open_journal(struct recovery *recovery)
{
    char path[PATH_MAX];
    struct journal_options options = {
        .directory = path,
        .map_bytes = recovery->options.journal_map_bytes,
        .reserve_bytes = recovery->options.reserve_bytes,
        .log = recovery->options.log,
    };
    struct stat info;
    enum status result;

    if (!path_join(path, recovery->options.data_directory, "journal"))
        return STATUS_INVALID;
    if (!recovery->options.create && stat(path, &info) != 0)
        return STATUS_NOT_FOUND;
    result = journal_open(&options, &recovery->journal);
    if (result == STATUS_OK)
        result = journal_reader_open(recovery->journal, &recovery->reader);
    if (result == STATUS_OK && journal_last_seq(recovery->journal) == 0)
        result = begin_journal(recovery);
    if (result == STATUS_OK)
        result = read_own_records(recovery);
    if (result == STATUS_OK && recovery->options.create)
        result = bind_epoch(recovery);
    if (result == STATUS_OK && recovery->options.keeps_shipped)
        result = keep_shipped(recovery);
    return result;
}

/* The journal's record at the folded seq must be the one that state folded. */
static bool state_fits_journal(struct recovery *recovery)
{
    const struct state_meta *meta = state_meta(recovery->state);
    struct record_view record;
    bool fits;

    if (meta->folded_seq == 0 || meta->folded_seq > journal_last_seq(recovery->journal))
        return false;
    fits = journal_read(recovery->reader, meta->folded_seq, &record) == STATUS_OK &&
           record.header.checksum == meta->folded_checksum;
    journal_reader_release(recovery->reader);
    return fits;
}

static enum status open_state(struct recovery *recovery)
{
    char rows[PATH_MAX], index[PATH_MAX];
    struct state_options options = {
        .directory = rows,
        .map_bytes = recovery->options.state_map_bytes,
        .log = recovery->options.log,
    };
    enum status result;

    if (!path_join(rows, recovery->state_directory, "rows") ||
        !path_join(index, recovery->state_directory, "index"))
        return STATUS_INVALID;
    if (!make_directory(recovery->state_directory))
        return STATUS_IO;
    recovery->trusted =
        !recovery->options.rebuild && recovery_owner_vouches(recovery->state_directory);
    /* After a power cut its pages may be anything; reading them could end the process. */
    if (!recovery->trusted && state_remove(rows) != STATUS_OK)
        return STATUS_IO;
    if (!recovery_owner_write(recovery->state_directory, false))
        return STATUS_IO;
    result = state_open(&options, &recovery->state);
    if (result != STATUS_OK)
        return result;
    recovery->trusted = recovery->trusted && state_fits_journal(recovery);
    if (recovery->trusted) {
        result = index_open(index, false, &recovery->index);
        recovery->trusted = result == STATUS_OK;
    }
    if (recovery->trusted)
        return STATUS_OK;
    result = state_reset(recovery->state);
    return result == STATUS_OK ? index_open(index, true, &recovery->index) : result;
}

static enum status open_engine(struct recovery *recovery)
{
    struct engine_options options = {
        .journal = recovery->journal,
        .state = recovery->state,
        .index = recovery->index,
        .registry = recovery->registry,
        .hash_key = &recovery->genesis.hash_key,
        .id_key = &recovery->genesis.id_key,
    };

    return engine_open(&options, &recovery->engine);
}

static const char *advice(enum status status)
{
    switch (status) {
    case STATUS_NOT_FOUND:
        return "there is no journal in this folder: check --data";
    case STATUS_CONFLICT:
        return "another process has this folder open: stop it, or use another --data";
    case STATUS_DISK_FULL:
        return "no room on the disk: free some, then start again";
    case STATUS_CORRUPT:
        return "a stored record is damaged: run 'hotlead fsck', restore a backup";
    case STATUS_INVALID:
        return "this file system cannot hold a journal: use a local disk";
    default:
        return "the folder cannot be read or written: check its owner and the disk";
    }
}

enum status recovery_open(const struct recovery_options *options, struct recovery **out)
{
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    const char *directory = options->state_directory;
    enum status result = STATUS_BUSY;

    if (recovery == NULL)
        return result;
    recovery->options = *options;
    recovery->lock = -1;
    if (recovery->options.journal_map_bytes == 0)
        recovery->options.journal_map_bytes = RECOVERY_MAP_BYTES;
    if (recovery->options.state_map_bytes == 0)
        recovery->options.state_map_bytes = RECOVERY_MAP_BYTES;
    if (recovery->options.reserve_bytes == 0)
        recovery->options.reserve_bytes = RECOVERY_RESERVE_BYTES;
    if (directory != NULL && directory[0] != '\0')
        snprintf(recovery->state_directory, PATH_MAX, "%s", directory);
    else if (!path_join(recovery->state_directory, options->data_directory, "state"))
        recovery->state_directory[0] = '\0';

    recovery->registry = registry_open();
    if (recovery->registry != NULL)
        result = take_lock(recovery);
    if (result == STATUS_OK)
        result = open_journal(recovery);
    if (result == STATUS_OK)
        result = open_state(recovery);
    if (result == STATUS_OK)
        result = open_engine(recovery);
    if (result != STATUS_OK) {
        log_write(options->log, LOG_ERROR, "the data folder cannot be opened",
                  LOG_TEXT("folder", options->data_directory),
                  LOG_TEXT("status", status_code(result)), LOG_TEXT("advice", advice(result)),
                  LOG_END);
        recovery_close(recovery, false);
        return result;
    }
    *out = recovery;
    return STATUS_OK;
}

/* --- folding ---------------------------------------------------------------------------- */

static void complain(struct recovery *recovery, uint64_t seq, enum status status)
{
    if (status == STATUS_CORRUPT)
        log_write(recovery->options.log, LOG_ERROR, "a record is damaged", LOG_INT("seq", seq),
                  LOG_TEXT("advice", advice(status)), LOG_END);
}

static bool fold_record(void *owner, uint64_t seq, enum status status,
                        const struct record_view *record)
{
    struct recovery *recovery = owner;

    if (status == STATUS_OK)
        status = engine_apply(recovery->engine, record);
    recovery->folding = status;
    complain(recovery, seq, status);
    return status == STATUS_OK && --recovery->fold_left > 0;
}

static bool restore_record(void *owner, uint64_t seq, enum status status,
                           const struct record_view *record)
{
    struct recovery *recovery = owner;

    if (status == STATUS_OK)
        status = engine_restore(recovery->engine, record);
    if (status == STATUS_OK)
        state_restored(recovery->state, seq);
    recovery->folding = status;
    complain(recovery, seq, status);
    return status == STATUS_OK && --recovery->fold_left > 0 && state_lacks_rows(recovery->state);
}

/* Hands up to `most` records behind `seq` to the callback, and counts them off. */
static enum status scan(struct recovery *recovery, uint64_t seq, uint64_t *most,
                        journal_record_fn *on_record)
{
    uint64_t slice = *most < COMMIT_EACH ? *most : COMMIT_EACH;
    enum status result;

    recovery->fold_left = slice;
    recovery->folding = STATUS_OK;
    result = journal_scan(recovery->reader, seq + 1, on_record, recovery);
    journal_reader_release(recovery->reader);
    *most -= slice - recovery->fold_left;
    return result == STATUS_OK ? recovery->folding : result;
}

enum status recovery_fold(struct recovery *recovery, uint64_t most, bool *done_out)
{
    struct state *state = recovery->state;
    struct state_meta *meta = state_meta(state);
    enum status result = STATUS_OK;

    *done_out = false;
    while (result == STATUS_OK && most > 0 && state_lacks_rows(state)) {
        result = scan(recovery, state_settled_seq(state), &most, restore_record);
        if (result == STATUS_OK)
            result = state_commit_live(state, false);
    }
    while (result == STATUS_OK && most > 0 &&
           meta->folded_seq < journal_last_seq(recovery->journal)) {
        result = scan(recovery, meta->folded_seq, &most, fold_record);
        if (result == STATUS_OK)
            result = state_commit_live(state, false);
    }
    *done_out = result == STATUS_OK && !state_lacks_rows(state) &&
                meta->folded_seq == journal_last_seq(recovery->journal);
    if (*done_out)
        result = state_commit(state);
    if (result != STATUS_OK) {
        *done_out = false;
        state_abort(state);
    }
    return result;
}

void recovery_close(struct recovery *recovery, bool clean)
{
    if (recovery == NULL)
        return;
    if (recovery->state != NULL) {
        clean = clean &&
                (!state_is_dirty(recovery->state) || state_commit(recovery->state) == STATUS_OK);
        clean = clean && state_sync(recovery->state) == STATUS_OK;
        clean = clean && index_sync(recovery->index) == STATUS_OK;
    }
    engine_close(recovery->engine);
    index_close(recovery->index);
    state_close(recovery->state);
    if (clean && recovery->state != NULL)
        recovery_owner_write(recovery->state_directory, true);
    if (recovery->reader != NULL)
        journal_reader_close(recovery->reader);
    journal_close(recovery->journal);
    registry_close(recovery->registry);
    if (recovery->lock >= 0)
        close(recovery->lock);
    free(recovery);
}

bool recovery_is_trusted(const struct recovery *recovery)
{
    return recovery->trusted;
}

struct journal *recovery_journal(struct recovery *recovery)
{
    return recovery->journal;
}

struct state *recovery_state(struct recovery *recovery)
{
    return recovery->state;
}

struct index *recovery_index(struct recovery *recovery)
{
    return recovery->index;
}

struct registry *recovery_registry(struct recovery *recovery)
{
    return recovery->registry;
}

struct engine *recovery_engine(struct recovery *recovery)
{
    return recovery->engine;
}

const struct hash_key *recovery_hash_key(const struct recovery *recovery)
{
    return &recovery->genesis.hash_key;
}

const struct hash_key *recovery_id_key(const struct recovery *recovery)
{
    return &recovery->genesis.id_key;
}

uint64_t recovery_epoch(const struct recovery *recovery)
{
    return recovery->epoch.epoch;
}

uint64_t recovery_admin_seq(const struct recovery *recovery)
{
    return recovery->admin_seq;
}

uint64_t recovery_last_ms(const struct recovery *recovery)
{
    return recovery->last_ms;
}
