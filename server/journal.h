/* The journal: an LMDB environment that holds nothing but records by seq, appended
 * and never changed (but for erasure). Its commit is the acknowledgement.
 *
 * Sync mode only. One of the two files that see lmdb.h; LMDB's errors become
 * DISK_FULL (no space, map full: go on when there is room) or IO (the process must
 * end: what the disk kept is unknown). Appending is for the writer thread; reading is for
 * any thread, each with a reader of its own. */
#ifndef HOTLEAD_SERVER_JOURNAL_H
#define HOTLEAD_SERVER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/record.h"

struct journal;
struct journal_reader;

struct journal_options {
    const char *directory;    /* made, 0700, when missing; its entry is fsynced */
    uint64_t map_bytes;       /* address space, sparse: 64 GiB by default */
    uint64_t reserve_bytes;   /* file system space and map kept free: intake stops before */
    bool read_only;           /* for fsck, dump of a copy, backup */
};

/* NOT_FOUND with read_only when there is none; CONFLICT when another process has it
 * open for writing; INVALID for file systems that LMDB cannot live on (NFS and the like). */
enum status journal_open(const struct journal_options *options, struct journal **out);
void journal_close(struct journal *journal);

uint64_t journal_last_seq(const struct journal *journal); /* 0: empty. Writer thread */
uint64_t journal_inode(const struct journal *journal);
uint64_t journal_bytes(const struct journal *journal); /* of the file; any thread */

/* True when less than the reserve is left: say DISK_FULL to opt-ins; outcomes may
 * still be tried. Any thread; checked at most each 100 ms. */
bool journal_is_tight(struct journal *journal);

/* A batch. Records are appended in seq order without gaps; the record must be
 * sealed. After a failed append or commit the batch is gone whole (abort is done).
 * A record can be read back before the commit through journal_batch_read. */
enum status journal_begin(struct journal *journal);
enum status journal_append(struct journal *journal, const struct record *record);
enum status journal_commit(struct journal *journal);
void journal_abort(struct journal *journal);
enum status journal_batch_read(struct journal *journal, uint64_t seq, struct record_view *out);

/* Short reads. Slices are valid until journal_reader_release, which must come before the
 * thread goes back to its loop: an idle read transaction makes the file grow. */
enum status journal_reader_open(struct journal *journal, struct journal_reader **out);
void journal_reader_close(struct journal_reader *reader);
enum status journal_read(struct journal_reader *reader, uint64_t seq, struct record_view *out);
void journal_reader_release(struct journal_reader *reader);

/* Walks records from `seq` on, a page a transaction; the callback says false to stop. A
 * damaged record is handed on with `status` CORRUPT and only its seq. */
typedef bool journal_record_fn(void *owner, uint64_t seq, enum status status,
                               const struct record_view *record);
enum status journal_scan(struct journal_reader *reader, uint64_t from_seq,
                         journal_record_fn *on_record, void *owner);

/* Zeroes a record's payload (erasure), inside a batch. */
enum status journal_erase(struct journal *journal, uint64_t seq);

/* A consistent compacted copy while others write; fsynced, folder too. `directory` must not
 * exist. */
enum status journal_backup(struct journal *journal, const char *directory);

#endif
