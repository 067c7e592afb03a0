/* Shared by writer*.c only.
 *
 *   writer.c           the loop's side: submit, deliver, open, close
 *   writer_thread.c    the thread: takes a batch, decides, applies, commits
 *   writer_result.c    what a batch hands back
 *   writer_catch_up.c  state that is behind the journal: at start, and when its disk was full
 *
 * Two halves meet under one mutex: the loop fills a batch of commands, the thread takes it
 * whole; the thread fills a batch of results, the loop takes it whole. There are two of each, so
 * both can work at once and neither grows: a full batch is BUSY for the submitter, a result that
 * nobody fetched yet makes the thread wait. */
#ifndef HOTLEAD_SERVER_WRITER_INTERNAL_H
#define HOTLEAD_SERVER_WRITER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "proto/task.h"
#include "server/recovery.h"
#include "server/writer.h"

#define WRITER_COMMIT_RECORDS 2048 /* of state: about the same size always */
#define WRITER_STATE_RETRY_MS 200

struct command_batch {
    struct command *commands;
    unsigned count;
    char *bytes;
    size_t length;
};

struct result_operation {
    struct writer_outbox operation;
    size_t member_offset, member_length;
};

struct result_batch {
    struct settlement *settlements;
    unsigned count;
    struct result_operation *operations;
    size_t operation_count, operation_capacity;
    char *members;
    size_t members_length, members_capacity;
    uint64_t committed_us; /* monotonic */
    bool ready;            /* state caught up with this batch */
    bool full;             /* waits to be fetched by the loop */
};

/* Looks at queues whose popped tasks are still to be noted. */
#define POSTPONED_MAX 64
struct postponed {
    struct command commands[POSTPONED_MAX];
    unsigned first, count;
    unsigned done; /* of them, once the batch is committed */
};

struct writer {
    struct writer_options options;
    struct recovery *recovery;
    struct engine *engine;
    struct journal *journal;
    struct state *state;
    uv_async_t async;
    uv_check_t check;     /* these two wake the thread once a loop turn, not once a command: */
    uv_prepare_t prepare; /* after polling, and before it sleeps for what timers submitted */
    bool woken;           /* loop: commands were added since the last wake */
    bool closing;

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t to_thread; /* commands, stop */
    pthread_cond_t fetched;   /* a result, for the thread that has the next one */
    pthread_cond_t to_loop;   /* a result while writer_close waits */
    struct command_batch *filling, *taken;
    struct command_batch commands[2];
    struct result_batch results[2];
    unsigned result_next; /* thread: to be filled; the loop fetches in the same order */
    unsigned fetch_next;  /* loop */
    bool stop, stopped;
    _Atomic uint64_t store_until_ms; /* monotonic: the outbox is read from state */
    atomic_bool ready_flag, render_wanted, stalled, judging;

    /* the thread's own */
    struct record record;
    struct result_batch *result;
    uint64_t last_ms;
    uint64_t admin_seq;
    uint64_t expired_ms;     /* engine time of the last look for old index generations */
    uint64_t adopted;        /* people up to this number were looked at: see engine_adopt.c */
    uint64_t dirty_since_ms; /* monotonic; 0: state has nothing uncommitted */
    unsigned dirty_records;
    bool admin_in_batch;
    bool behind;        /* state lacks records or rows: nothing is decided before it has them */
    uint64_t *barriers; /* tickets of this batch's barriers, settled after the state commit */
    unsigned barrier_count;
    struct postponed postponed;
    uint64_t judge_from_ms;    /* monotonic: what is due waits until then, or for `judging` */
    struct state_meta counted; /* what stats were told so far */
    unsigned alerts;           /* of this batch */
    unsigned breaches;         /* the same; by queue: */
    uint32_t breaches_of[STATE_QUEUES_MAX];
    struct renderer renderer;
    struct optin optin;
};

/* --- writer_thread.c ------------------------------------------------------------- */

void *writer_run(void *writer);

/* Takes what was submitted; waits for it up to `ms`. NULL: stop, and nothing is left. */
struct command_batch *writer_take(struct writer *writer, uint64_t ms);

/* The turn of the next record, at engine time `wanted_ms` or later. */
struct turn writer_turn(struct writer *writer, uint64_t wanted_ms);

/* Applies and appends the sealed record at hand. */
enum status writer_keep(struct writer *writer);

/* Commits the open batch of the journal, or ends it when nothing was appended. */
enum status writer_commit_journal(struct writer *writer, uint64_t appended);

/* What the disk kept is unknown, or state contradicts the journal: only a fresh start, which
 * reads what is really there, can tell. Nothing of the present batch was acknowledged. */
void writer_die(struct writer *writer, const char *what, enum status status);

/* --- writer_result.c --------------------------------------------------------------- */

void writer_settle(struct writer *writer, const struct settlement *settlement);
void writer_settle_as(struct writer *writer, const struct command *command, enum status status);

/* engine_outbox_fn: joins the result, rendered when somebody wants it. */
void writer_on_outbox(void *writer, const struct engine_outbox *made);

/* Waits until the loop has fetched what stands in the next result batch, then opens it. */
void writer_result_open(struct writer *writer);
void writer_result_hand_over(struct writer *writer);
void writer_count_changes(struct writer *writer);
void writer_note_breach(struct writer *writer, const struct record_view *record);
void writer_note_tier(struct writer *writer, const struct record_view *record);
void writer_count_breaches(struct writer *writer, bool happened);

/* --- writer_catch_up.c ---------------------------------------------------------------- */

/* State has all of the journal and the loop was told, or the writer is to stop. */
void writer_catch_up_all(struct writer *writer);
/* One step of it; true: nothing is left to do. */
bool writer_catch_up(struct writer *writer);

/* State is behind (a rebuild, or no room for it): opt-ins are kept as they came, the rest
 * waits. */
void writer_receive(struct writer *writer, const struct command_batch *batch);

/* Brings state back to what the journal has, after a batch that is lost. */
void writer_refold(struct writer *writer);
void writer_reload_registry(struct writer *writer);

#endif
