/* State: rows that can be rebuilt from the journal, in an LMDB environment opened
 * with MDB_NOSYNC.
 *
 *   person      number                   person_row, its task_row when one is open
 *   task        person, task             task_row: second and further open tasks
 *   due         due_ms, person, task     enum due_kind; task 0: the person's own
 *   outbox      queue, seq               puts until withdrawn or gone: person, task
 *                                        the newest drops of an hour: outbox_row
 *   visible     queue, rank_ms, task     person, outbox seq: the puts by rank
 *   dropped     dropped_ms, queue, seq   (nothing): drops by age, for trimming
 *   suspect     agency, ~optin seq       suspect_row: newest first, for review
 *   edge        person, kind, person seq: how two people hang together
 *   review      agency, ~seq, other  person: whom a manager should look at, newest first
 *   tally       agency, kind, dimension, day, value
 *                                        a cell of counts, see tally.h
 *   entity      kind, number             settings (JSON)
 *   queue       number                   state_queue
 *   agent       number                   state_agent
 *   work        agent, deadline_ms, task person: what is with an agent, in order of deadline
 *   owned       agent, person            (nothing): whose people they are
 *   meta        (one row)                version, state_meta
 *
 * Keys are fixed-width and big-endian. One write transaction stays open over many
 * batches; the writer thread owns it and reads through it. Other threads read what was
 * committed, through a reader of their own.
 *
 * Rows of due and visible, and puts of the outbox, may stay in memory for some seconds after they
 * were made (they are young), and few of them ever come to their table, because most are deleted
 * by then. The writer thread finds them all the same. All of them follow from the rows of people
 * and open tasks, which are never late: so when memory is lost they are made again, from those that
 * the records after the settled one are about.
 *
 * Cells of the tally stay in memory as well, and go into their table with each commit.
 *
 * Disk or map full is DISK_FULL: the transaction is lost and must be applied again. After a
 * put that failed every other one fails alike, until state_abort; a commit that failed has
 * aborted already. */
#ifndef HOTLEAD_SERVER_STATE_H
#define HOTLEAD_SERVER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "server/record.h"
#include "server/tally.h"

#define STATE_VERSION 11 /* another one in the file: rebuild */

struct log;
struct state;
struct state_reader;

struct state_options {
    const char *directory;
    uint64_t map_bytes; /* address space, sparse; 0: 64 GiB */
    struct log *log;    /* NULL: silent */
};

/* An outbox operation: what it is about stands in the task row as it was when put. For a put only
 * the task's number is stored: as long as the put is out, that is the task's row. */
enum outbox_op { OUTBOX_PUT = 1, OUTBOX_DROP };
struct outbox_row {
    uint64_t person;
    uint64_t made_ms;
    struct task_row task;
    uint8_t op;
    uint8_t reserved[7];
};

/* An opt-in that was stored as suspect. */
struct suspect_row {
    uint64_t decided_seq; /* the record that decided so */
    uint32_t site;
    uint32_t reserved;
};

/* How a person hangs together with another one, and which record says so. */
struct state_edge {
    uint64_t other, seq;
};

/* Somebody who is to be looked at, because of another one (0: of something else). */
struct state_review {
    uint64_t seq, person, other;
};

/* Kept with every commit of state, whole. */
#define STATE_QUEUES_MAX 65536
struct state_meta {
    uint64_t folded_seq;      /* newest record applied */
    uint64_t folded_checksum; /* its header checksum */
    uint64_t folded_ms;
    uint64_t people;         /* highest person number */
    uint64_t admin_seq;      /* newest GENESIS, EPOCH or ADMIN record */
    uint64_t received_seq;   /* newest RECEIVED record that was decided */
    uint64_t received_first; /* of the RECEIVED records that were not */
    uint64_t received_last;
    uint64_t optins, tasks_opened, tasks_ended, breaches, redeliveries;
    uint64_t steps, skipped, tiers, rungs, parked;
    uint64_t skipped_by[SKIP_END]; /* enum skip */
    uint64_t all_adopted;          /* 1: nobody is without a plan from before lives had one */
    uint64_t tally_checksum;       /* the sum of those of its rows, as stored */
};
struct state_queue {                /* index: queue number */
    uint64_t outbox_seq;            /* newest operation */
    uint64_t outbox_stored_seq;     /* as committed, the table lacks no operation up to here */
    uint64_t trimmed_seq;           /* newest drop that the table has no more */
    uint64_t report_ms, report_seq; /* newest stream entry whose effect is in */
    uint64_t open_tasks;
    uint64_t parked_tasks; /* of these, they wait for their window */
};

/* What is with an agent, and its place in the turns: who has the least pass is next. */
#define STATE_AGENTS_MAX 65536
struct state_agent {       /* index: agent number */
    uint64_t open_tasks;   /* those that are `with` it */
    uint64_t assigned_seq; /* the record in which it was chosen last; 0: never */
    uint64_t pass;
};

/* Makes the folder when missing. A state of another version, one whose meta is damaged,
 * or one that LMDB does not know as its own, is replaced by an empty one (the log says so): then
 * folded_seq is 0, as in a new one. After a power
 * cut pages may be anything and reading them may crash: state_remove comes first. CONFLICT,
 * INVALID as for the journal; DISK_FULL, IO. */
enum status state_open(const struct state_options *options, struct state **out);

/* Every reader is closed before. What was not committed is lost. */
void state_close(struct state *state);
/* Removes a state and makes an empty one; no reader is open. After a failure only
 * state_close may follow. */
enum status state_reset(struct state *state);
enum status state_remove(const char *directory); /* of a state that is not open */
/* Makes what was committed durable. */
enum status state_sync(struct state *state);
uint64_t state_bytes(const struct state *state); /* of the file; any thread */

/* --- writer thread --------------------------------------------------------- */

/* Opens the transaction when none is; puts and deletes need it. */
enum status state_begin(struct state *state);
/* OK, or how a put or a find has failed since the last commit or abort: what was not found then may
 * be there all the same. */
enum status state_failure(const struct state *state);
bool state_is_dirty(const struct state *state); /* something is not committed, or young */
/* Writes meta, queues and what is young; DISK_FULL, IO. */
enum status state_commit(struct state *state);
/* The same, but young rows stay so for STATE_YOUNG_MS and longer; `all`: the oldest
 * STATE_SETTLED_AT_ONCE of them whatever their age. */
enum status state_commit_live(struct state *state, bool all);
void state_abort(struct state *state); /* meta and queues go back to the last commit */

#define STATE_YOUNG_MS        4000
#define STATE_SETTLED_AT_ONCE 8192

/* The newest record with whose rows all are in their tables. When it is not the folded one, in a
 * state that was just opened or aborted, rows are missing: put those of the people and tasks that
 * the records behind it are about, and say how far that is done, until it is the folded one.
 * Nothing else may happen to the rows of tasks before. */
uint64_t state_settled_seq(const struct state *state);
bool state_lacks_rows(const struct state *state);
bool state_has_young(const struct state *state);
void state_restored(struct state *state, uint64_t seq);

/* Kept in memory, changed in place by apply; written by state_commit. A queue that nobody asked for
 * since the last commit costs the next one nothing. */
struct state_meta *state_meta(struct state *state);
struct state_queue *state_queue(struct state *state, uint32_t queue); /* < STATE_QUEUES_MAX */
struct state_agent *state_agent(struct state *state, uint32_t agent); /* < STATE_AGENTS_MAX */

/* Rows. find, next, first: false when there is none; with no transaction open they see what is
 * committed. Rows are copied out. An error there shows in the next put or commit. Put
 * errors: DISK_FULL, IO. Deleting what is not there is OK. A row of due, visible or outbox is put
 * once, and again only when it was deleted. */
enum status state_person_put(struct state *state, uint64_t person, const struct person_row *row,
                             const struct task_row *task, uint64_t last_seq);
bool state_person_find(struct state *state, uint64_t person, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out); /* task 0: none open */
enum status state_task_put(struct state *state, uint64_t person, const struct task_row *task);
enum status state_task_delete(struct state *state, uint64_t person, uint64_t task);
bool state_task_find(struct state *state, uint64_t person, uint64_t task, struct task_row *out);
/* The person's further open tasks in order; false: no more. `after` 0 starts. */
bool state_task_next(struct state *state, uint64_t person, uint64_t after, struct task_row *out);

enum status state_suspect_put(struct state *state, uint32_t agency, uint64_t optin_seq,
                              const struct suspect_row *row);

/* An edge is put once, and again only when it was deleted. */
enum status state_edge_put(struct state *state, uint64_t person, enum edge_kind kind,
                           const struct state_edge *edge);
enum status state_edge_delete(struct state *state, uint64_t person, enum edge_kind kind,
                              uint64_t other);
/* The person's edges of a kind, to people with numbers from `from` on, in order of those. */
bool state_edge_next(struct state *state, uint64_t person, enum edge_kind kind, uint64_t from,
                     struct state_edge *out);
enum status state_review_put(struct state *state, uint32_t agency, const struct state_review *row);
enum status state_review_delete(struct state *state, uint32_t agency,
                                const struct state_review *row);

enum status state_due_put(struct state *state, uint64_t due_ms, uint64_t person, uint64_t task,
                          enum due_kind kind);
enum status state_due_delete(struct state *state, uint64_t due_ms, uint64_t person, uint64_t task);
struct state_due {
    uint64_t due_ms, person, task;
    enum due_kind kind;
};
bool state_due_first(struct state *state, struct state_due *out); /* the earliest */

enum status state_outbox_put(struct state *state, uint32_t queue, uint64_t seq,
                             const struct outbox_row *row);
enum status state_outbox_delete(struct state *state, uint32_t queue, uint64_t seq);
enum status state_visible_put(struct state *state, uint32_t queue, uint64_t rank_ms, uint64_t task,
                              uint64_t person, uint64_t outbox_seq);
enum status state_visible_delete(struct state *state, uint32_t queue, uint64_t rank_ms,
                                 uint64_t task);
/* Puts of a queue in order of rank, from (rank_ms, task) on, both included. */
struct state_visible {
    uint64_t rank_ms, task, person, outbox_seq;
};
bool state_visible_next(struct state *state, uint32_t queue, uint64_t rank_ms, uint64_t task,
                        struct state_visible *out);
enum status state_dropped_put(struct state *state, uint64_t dropped_ms, uint32_t queue,
                              uint64_t seq);
/* Deletes up to `most` of the oldest drops, with their outbox rows: those made before `before_ms`,
 * and those that are over `keep` in all queues together. */
enum status state_dropped_trim(struct state *state, uint64_t before_ms, size_t keep, unsigned most);

/* What is with an agent, and its people. The first of each: of the earliest deadline, of the lowest
 * number. */
struct state_work {
    uint64_t deadline_ms, task, person;
};
enum status state_work_put(struct state *state, uint32_t agent, const struct state_work *work);
enum status state_work_delete(struct state *state, uint32_t agent, uint64_t deadline_ms,
                              uint64_t task);
bool state_work_first(struct state *state, uint32_t agent, struct state_work *out);
enum status state_owned_put(struct state *state, uint32_t agent, uint64_t person);
enum status state_owned_delete(struct state *state, uint32_t agent, uint64_t person);
bool state_owned_first(struct state *state, uint32_t agent, uint64_t *person_out);

enum status state_entity_put(struct state *state, enum entity_kind kind, uint32_t number,
                             struct slice settings); /* empty: delete */

/* Counts one thing more, or less, in the cell of that key; a value over TALLY_VALUES_MAX in that of
 * the others. BUSY: no memory; then as after a put that failed. */
enum status state_tally(struct state *state, const struct tally_key *key,
                        const struct tally_add *add);

/* The largest amount that was counted in a cell; 0: nothing was, or as above. */
uint64_t state_tally_max(struct state *state, const struct tally_key *key);

/* --- any thread, committed rows ----------------------------------------------
 * As of the first read after a release, which comes before going back to the loop: an idle
 * read transaction makes the file grow. */

enum status state_reader_open(struct state *state, struct state_reader **out);
void state_reader_close(struct state_reader *reader);
void state_reader_release(struct state_reader *reader);

/* OK, or how a read of this reader has failed since its last release: what it did not find may be
 * there all the same. */
enum status state_reader_failure(const struct state_reader *reader);

uint64_t state_read_folded(struct state_reader *reader);
bool state_read_queue(struct state_reader *reader, uint32_t queue, struct state_queue *out);
/* The first queue behind `after` to which anything has happened; false: no more. */
bool state_read_queue_next(struct state_reader *reader, uint32_t after, uint32_t *queue_out,
                           struct state_queue *out);
bool state_read_person(struct state_reader *reader, uint64_t person, struct person_row *row_out,
                       struct task_row *task_out, uint64_t *last_seq_out);
/* The people behind number `after`, in order, at most `most`. *next_out: where to go on, 0 when
 * those were all. `tell` returns false to stop behind the one that it is told. */
typedef bool state_person_fn(void *owner, uint64_t person, const struct person_row *row,
                             const struct task_row *task);
enum status state_read_people(struct state_reader *reader, uint64_t after, unsigned most,
                              state_person_fn *tell, void *owner, uint64_t *next_out);
bool state_read_task(struct state_reader *reader, uint64_t person, uint64_t task,
                     struct task_row *out);
bool state_read_task_next(struct state_reader *reader, uint64_t person, uint64_t after,
                          struct task_row *out);
/* The person's open call, of which there is one at most; false: none. `row`, `first`: as the person
 * is read; whoever has no further task costs no look. */
bool state_read_call(struct state_reader *reader, uint64_t person, const struct person_row *row,
                     const struct task_row *first, struct task_row *out);
/* An agency's newest suspect opt-in of those with seq < before; false: no more. */
bool state_read_suspect_next(struct state_reader *reader, uint32_t agency, uint64_t before,
                             uint64_t *optin_seq_out, struct suspect_row *out);
bool state_read_edge_next(struct state_reader *reader, uint64_t person, enum edge_kind kind,
                          uint64_t from, struct state_edge *out);
/* An agency's newest row of those that stand behind this one; seq UINT64_MAX starts. */
bool state_read_review_next(struct state_reader *reader, uint32_t agency,
                            const struct state_review *before, struct state_review *out);
/* Operations of a queue with seq > after, in order; false: no more. Behind outbox_stored_seq some
 * may be missing. */
bool state_read_outbox_next(struct state_reader *reader, uint32_t queue, uint64_t after,
                            uint64_t *seq_out, struct outbox_row *out);
/* Committed puts, as state_visible_next; of the last seconds some may be missing. */
bool state_read_visible_next(struct state_reader *reader, uint32_t queue, uint64_t rank_ms,
                             uint64_t task, struct state_visible *out);

/* What is with an agent, from (deadline_ms, task) on, both included; false: no more. */
bool state_read_work_next(struct state_reader *reader, uint32_t agent, uint64_t deadline_ms,
                          uint64_t task, struct state_work *out);

/* The cells of an agency's kind and dimension, from day_first to day_last, by day and value. The
 * view lives as long as the call. OK: all were told, or `cell` has returned false. */
typedef bool state_tally_fn(void *owner, const struct tally_view *cell);
enum status state_read_tally(struct state_reader *reader, uint32_t agency, enum tally_kind kind,
                             enum tally_dimension dimension, uint32_t day_first, uint32_t day_last,
                             state_tally_fn *cell, void *owner);

/* Canonical text of every table, for comparing a rebuild with the original: one row a
 * line, `table key=... field=value ...`, in key order, meta and queues first. Enums are
 * numbers, hashes hex; nothing depends on when what was committed. One transaction for all
 * of it. IO: it cannot be written or read. */
enum status state_dump(struct state_reader *reader, FILE *out);

#endif
