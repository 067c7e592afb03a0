/* The journal: an LMDB environment that holds nothing but records by seq, appended
 * and never changed (but for erasure). Its commit is the acknowledgement.
 *
 * Sync mode only. LMDB's errors become DISK_FULL (no space, map full: go on when there
 * is room) or IO (the process must end: what the disk kept is unknown). The process
 * ignores SIGXFSZ, else a file size limit kills it. Appending is for the writer thread;
 * reading is for any thread, each with a reader of its own. */
#ifndef HOTLEAD_SERVER_JOURNAL_H
#define HOTLEAD_SERVER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/record.h"

struct journal;
struct journal_reader;
struct log;

struct journal_options {
    const char *directory;  /* made, 0700, when missing; its entry is fsynced */
    uint64_t map_bytes;     /* address space, sparse; 0: 64 GiB */
    uint64_t reserve_bytes; /* file system space and map kept free: intake stops before */
    bool read_only;         /* for fsck, dump of a copy, backup */
    struct log *log;        /* NULL: silent */
};

/* NOT_FOUND with read_only when there is none; CONFLICT when it is open for writing
 * already; INVALID for file systems that LMDB cannot live on (NFS and the like); CORRUPT
 * when it is no journal. A process opens a journal once: LMDB's locks are its own. */
enum status journal_open(const struct journal_options *options, struct journal **out);

/* Every reader is closed before. An open batch is aborted. */
void journal_close(struct journal *journal);

uint64_t journal_last_seq(const struct journal *journal); /* 0: empty. Writer thread */
uint64_t journal_inode(const struct journal *journal);

/* Of the file, with what is written ahead of the records (1 to 10 MiB; see journal_ahead.h).
 * Any thread. */
uint64_t journal_bytes(const struct journal *journal);

/* True when less than the reserve is left: say DISK_FULL to opt-ins; outcomes may
 * still be tried. Any thread; checked at most each 100 ms. */
bool journal_is_tight(struct journal *journal);

/* A batch. Records are appended in seq order without gaps, sealed. After a failed append
 * or commit the batch is gone whole (abort is done); after DISK_FULL the next may be begun
 * at once. begin while one is open is a bug; abort without one does nothing. */
enum status journal_begin(struct journal *journal);
enum status journal_append(struct journal *journal, const struct record *record);
enum status journal_commit(struct journal *journal);
void journal_abort(struct journal *journal);

/* A record as the writer sees it, of the open batch too. NOT_FOUND; CORRUPT. Slices are valid
 * in a batch until the next append or its end, else until the next call on the writer thread. */
enum status journal_batch_read(struct journal *journal, uint64_t seq, struct record_view *out);

/* Short reads of what is committed, as of the first read after a release. Slices are valid
 * until journal_reader_release, which must come before the thread goes back to its loop: an
 * idle read transaction makes the file grow. BUSY: too many readers. */
enum status journal_reader_open(struct journal *journal, struct journal_reader **out);
void journal_reader_close(struct journal_reader *reader);
enum status journal_read(struct journal_reader *reader, uint64_t seq, struct record_view *out);
void journal_reader_release(struct journal_reader *reader);

/* Walks records from `from_seq` on, a page a transaction; the callback says false to stop, and
 * does not use the reader. A damaged record is handed on with `status` CORRUPT and only its
 * seq. What was read before with this reader is released. */
typedef bool journal_record_fn(void *owner, uint64_t seq, enum status status,
                               const struct record_view *record);
enum status journal_scan(struct journal_reader *reader, uint64_t from_seq,
                         journal_record_fn *on_record, void *owner);

/* Zeroes a record's payload (erasure), inside a batch. Done already: OK. NOT_FOUND and CORRUPT
 * leave the batch as it is; other errors end it. LMDB copies on write: the bytes that were
 * there stay in a free page of the file until an append takes it. */
enum status journal_erase(struct journal *journal, uint64_t seq);

/* A consistent compacted copy while others write; fsynced, folder too. CONFLICT: `directory`
 * exists. Any thread but the loop: it takes as long as the copying takes. */
enum status journal_backup(struct journal *journal, const char *directory);

#endif
