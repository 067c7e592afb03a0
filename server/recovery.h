/* Opens a data folder: the lock, the journal and its keys, the registry, state and index, and
 * the engine over them; decides whether state can be trusted; applies what it lacks.
 *
 *   <data>/hotlead.lock          one process at a time
 *   <data>/journal/              the journal
 *   <state>/OWNER                who had state open, and whether it was put away well
 *   <state>/rows/, index/        state and index
 *
 * OWNER names the machine's boot and says clean or dirty; it is made durable before state is
 * opened. State is trusted when it was closed well, or when this is still the same boot (then
 * what a killed process wrote is in the page cache); and only if the journal's record at the
 * folded seq is the one that was folded. Else state and index are made anew from the journal.
 *
 * The server's writer and the maintenance commands both start here. One thread at a time. */
#ifndef HOTLEAD_SERVER_RECOVERY_H
#define HOTLEAD_SERVER_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/engine.h"
#include "server/log.h"

struct recovery;

struct recovery_options {
    const char *data_directory;
    const char *state_directory;                                /* NULL or "": <data>/state */
    uint64_t journal_map_bytes, state_map_bytes, reserve_bytes; /* 0: defaults */
    bool create;  /* to serve: make a journal where there is none, begin a new epoch in a copy */
    bool rebuild; /* do not trust state */
    bool keeps_shipped; /* the default playbook becomes a record where it is another one than the
                         * journal's newest: who goes by that one goes on so */
    uint64_t now_ms;    /* for the records of a new journal or epoch */
    struct log *log;
};

#define RECOVERY_MAP_BYTES     (64ull << 30)
#define RECOVERY_RESERVE_BYTES (64ull << 20)

/* NOT_FOUND: no journal there. CONFLICT: another process has it. CORRUPT, IO, DISK_FULL. Each
 * with a line in the log that says what to do. */
enum status recovery_open(const struct recovery_options *options, struct recovery **out);

/* Applies up to `most` further records. *done_out: state has all of the journal. DISK_FULL: state
 * has no room; try again later. CORRUPT: a record is damaged, which the log names. */
enum status recovery_fold(struct recovery *recovery, uint64_t most, bool *done_out);

/* Commits and puts away state; OWNER says clean when `clean` and all that worked. */
void recovery_close(struct recovery *recovery, bool clean);

bool recovery_is_trusted(const struct recovery *recovery); /* only the tail is to be applied */
struct journal *recovery_journal(struct recovery *recovery);
struct state *recovery_state(struct recovery *recovery);
struct index *recovery_index(struct recovery *recovery);
struct registry *recovery_registry(struct recovery *recovery);
struct engine *recovery_engine(struct recovery *recovery);
const struct hash_key *recovery_hash_key(const struct recovery *recovery);
const struct hash_key *recovery_id_key(const struct recovery *recovery);
uint64_t recovery_epoch(const struct recovery *recovery);     /* as of recovery_open */
uint64_t recovery_admin_seq(const struct recovery *recovery); /* newest in the journal */
uint64_t recovery_last_ms(const struct recovery *recovery);   /* time of the last record */

/* The record that begins another epoch on this machine, sealed; to be applied and appended. */
void recovery_begin_epoch(const struct recovery *recovery, uint64_t epoch, const struct turn *turn,
                          struct record *record);

/* Reads all settings along the admin chain that ends at admin_seq into an empty registry. */
enum status recovery_read_registry(struct journal_reader *reader, uint64_t admin_seq,
                                   struct registry *registry);

#endif
