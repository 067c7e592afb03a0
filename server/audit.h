/* Whether every opt-in that was acknowledged is where it was promised to be, by code of its own: a
 * fold of the journal that knows only opt-ins, people and tasks, its own reading of state's tables,
 * and its own look at Redis. It shares the layout of what is stored with the rest (record.h,
 * state.h), and what that is called and says: names (site.h) and the bytes of a member (render.h).
 * It shares none of the code that decides, applies or reads it.
 *
 * - The journal: every record is there and sound; each opt-in has a decision and a person, and the
 *   task that it was told was opened.
 * - A person: something of it is open, with a time at which it goes on; or an outcome, or a reason
 *   that the opt-in was answered with, has ended it.
 * - State: it has exactly the rows that follow.
 * - Redis: a task that is queued and was pushed stands there as it was put, byte by byte and at its
 *   score; what is held or has ended does not; and nothing else of ours does.
 *
 * What is not so is an orphan. Reads only, and works beside a server: what changes while it looks
 * is looked at again before it is named.
 *
 * Nothing is kept in memory for each person. What the journal says becomes facts, which are sorted
 * on disk (about 100 bytes a fact, two or three facts a record) and then read side by side with the
 * tables, which have the same order; the rows that should be there are sorted likewise. So memory
 * is twice the sorter's, some 150 MB, for any number of people. */
#ifndef HOTLEAD_SERVER_AUDIT_H
#define HOTLEAD_SERVER_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/status.h"

struct log;

struct audit_options {
    const char *journal, *rows; /* folders of the two stores */
    const char *scratch;        /* where what is sorted lies meanwhile */
    uint64_t journal_map_bytes, state_map_bytes;
    uint64_t sort_bytes;             /* memory of a sorter; 0: 64 MiB */
    const char *redis;               /* URL; NULL: not looked at */
    const char *redis_prefix, *node; /* as the server has them */
    bool beside_server;              /* one runs on this folder: things change, look again */
    bool json;                       /* orphans are told as JSON, one a line; else as text */
    FILE *out;                       /* where orphans are told */
    struct log *log;
};

struct audit_result {
    uint64_t optins, people;
    uint64_t ended, open; /* of the opt-ins */
    uint64_t received;    /* of the open ones: wait for their decision until state has caught up */
    uint64_t orphans;
    uint64_t young;    /* rows that a server has in memory, or makes again at its start */
    uint64_t unpushed; /* tasks on their way to Redis */
    bool has_state;    /* else it is made anew at the next start, and was not looked at */
};

/* NOT_FOUND: there is no journal. REDIS_AWAY: all but the queues was looked at. BUSY, IO,
 * DISK_FULL, CORRUPT: the result is of no use. */
enum status audit_run(const struct audit_options *options, struct audit_result *result_out);

#endif
