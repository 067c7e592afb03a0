/* Writes zeros behind the end of the journal's file, ahead of what LMDB uses. A commit in
 * blocks that were written before changes no size and no extent of the file, so its sync
 * has nothing to wait for in the file system's own journal.
 *
 * A thread of its own appends, and nothing but appends: the kernel finds the end and
 * writes there under the inode's lock. What LMDB has written lies before that end and is
 * never touched; what LMDB writes later goes over the zeros. So the two need no hand-shake,
 * a batch may be larger than the lead, and a crash leaves zeros that no page refers to.
 *
 * It only makes commits faster: whatever fails here (no room, a size limit, no thread) is
 * tried again later or left alone, and the commits tell of it if it is theirs too. */
#ifndef HOTLEAD_SERVER_JOURNAL_AHEAD_H
#define HOTLEAD_SERVER_JOURNAL_AHEAD_H

#include <stdint.h>

#include "server/log.h"

struct journal_ahead;

struct journal_ahead_options {
    const char *path;       /* data.mdb */
    uint64_t used_bytes;    /* by LMDB's pages, from the file's start */
    uint64_t map_bytes;     /* nothing is written behind that */
    uint64_t reserve_bytes; /* of the file system: left alone, and 10 MiB more */
    struct log *log;        /* NULL: silent */
};

/* NULL: it cannot be had, which is logged; the others take NULL and do nothing. */
struct journal_ahead *journal_ahead_open(const struct journal_ahead_options *options);

/* After each commit. Writer thread; waits for no disk. */
void journal_ahead_follow(struct journal_ahead *ahead, uint64_t used_bytes);

/* Waits for the write under way. To be followed by close once LMDB has closed the file:
 * closing a descriptor of it before could drop locks that LMDB has on it. */
void journal_ahead_stop(struct journal_ahead *ahead);
void journal_ahead_close(struct journal_ahead *ahead);

#endif
