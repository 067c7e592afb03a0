/* The batch, the thread, the wake-up: one writer for everything that is stored.
 *
 * While one commit is on its way to the disk the next batch fills; when it returns, what
 * is there goes. No timer, no batch size: a lone opt-in commits at once, and a slow disk
 * makes larger batches by itself.
 *
 * Order in a batch: decide and apply into the open state transaction, append to the
 * journal, commit the journal, then hand settlements and outbox operations to the loop.
 * Journal full: abort, apply the tail again, DISK_FULL. Journal failed otherwise: exit 70.
 *
 * Start: lock the data folder, open the journal (make it: GENESIS, EPOCH), read the registry
 * along the admin chain, look at state/OWNER, then apply the tail, or rebuild in slices
 * between batches of opt-ins that are journalled as received.
 *
 * All functions are for the loop thread unless said otherwise. */
#ifndef HOTLEAD_SERVER_WRITER_H
#define HOTLEAD_SERVER_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "server/clock.h"
#include "server/engine.h"
#include "server/log.h"
#include "server/render.h"
#include "server/stats.h"

struct writer;

/* An operation on its way to Redis; the member lives until the callback returns. */
struct writer_outbox {
    uint32_t queue;
    uint64_t seq;
    enum outbox_op op;
    uint64_t rank_ms;
    uint64_t first_seq; /* of the delivery's first put: a Redis that has it is asked to move it */
    uint64_t task;
    uint64_t received_ms;
    uint64_t committed_us; /* monotonic: when its batch was on disk */
    struct slice member;   /* empty when nobody wanted it rendered (writer_render) */
};

/* Loop thread. Settlements come in the order of submission; a batch's outbox operations come
 * after its settlements. */
typedef void writer_settled_fn(void *owner, const struct settlement *settlement);
typedef void writer_outbox_fn(void *owner, const struct writer_outbox *operation);
typedef void writer_batch_fn(void *owner); /* that was all of a batch */
typedef void writer_ready_fn(void *owner); /* state has caught up; once */

struct writer_options {
    uv_loop_t *loop;
    const char *data_directory;
    const char *state_directory; /* NULL: <data>/state */
    const char *node;
    const char *redis_prefix; /* "hl" */
    uint64_t journal_map_bytes, state_map_bytes, reserve_bytes;
    size_t batch_bytes_max;      /* hand-over: 8 MiB */
    unsigned batch_commands_max; /* 4096 */
    unsigned judge_after_ms;     /* at the latest, if nobody calls writer_judge */
    struct clock *clock;
    struct log *log;
    struct stats *stats;
    writer_settled_fn *on_settled;
    writer_outbox_fn *on_outbox;
    writer_batch_fn *on_batch;
    writer_ready_fn *on_ready;
    void *owner;
};

/* Starts the thread. CONFLICT: another process has the folder. CORRUPT, IO, DISK_FULL with a
 * line in the log that says what to do. */
enum status writer_open(const struct writer_options *options, struct writer **out);

/* Settles what was submitted, commits state, marks OWNER clean, ends the thread, frees. */
void writer_close(struct writer *writer);

/* Joins the batch now being filled; the command and its payload are copied. BUSY: full,
 * nothing was kept. DISK_FULL: no room for opt-ins. CLOSING after writer_close began. */
enum status writer_submit(struct writer *writer, const struct command *command);

/* What happened while nobody looked is submitted and settled: deadlines and leases may be judged.
 * Before this, or judge_after_ms after on_ready, nothing that is due is decided. */
void writer_judge(struct writer *writer);

bool writer_is_ready(const struct writer *writer);
/* Redis is there to take operations: render members (they are left empty otherwise). */
void writer_render(struct writer *writer, bool wanted);
/* The outbox is read from state: its puts come there with each commit for the next second, and
 * not only when they have become old. */
void writer_store_outbox(struct writer *writer);

/* Fixed after writer_open. */
const struct hash_key *writer_hash_key(const struct writer *writer);
const struct hash_key *writer_id_key(const struct writer *writer);
uint64_t writer_epoch(const struct writer *writer); /* later ones: COMMAND_EPOCH */
struct journal *writer_journal(const struct writer *writer);
struct state *writer_state(const struct writer *writer); /* for readers, once ready */
/* Reads the registry as of now from the journal into another one (the loop's at start). */
enum status writer_read_registry(struct writer *writer, struct registry *registry);

#endif
