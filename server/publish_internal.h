/* What publish is made of:
 *
 *   publish.c            queues, the live feed, Redis coming and going
 *   publish_buffer.c     members that wait to be sent
 *   publish_push.c       one call of push.lua after the other, from the buffer or from state
 *   publish_gap.c        what was sent from state, and not as it came
 *   publish_backlog.c    how far behind it is, and how many wait for how long: for operators
 *   publish_watch.c      a look at each queue once a second: marks, and who is gone
 *   publish_epoch.c      going on under another name when a second writer shows up
 *   publish_refusal.c    what Redis refuses, and until when
 *   publish_reconcile.c  taking out what should not stand in a queue, finding what is gone
 *   publish_claim.c      claims over HTTP
 *
 * A queue's operations are numbered. `acked` are in Redis, `newest` is known to exist, and what
 * lies between is in the buffer, in state, or (for up to 100 ms) on its way into state. */
#ifndef HOTLEAD_SERVER_PUBLISH_INTERNAL_H
#define HOTLEAD_SERVER_PUBLISH_INTERNAL_H

#include "proto/id.h"
#include "proto/report.h"
#include "proto/task.h"
#include "proto/text.h"
#include "server/journal.h"
#include "server/publish.h"
#include "server/state.h"

#define CALL_OPERATIONS_MAX 256u
#define CALL_BYTES_MAX      ((size_t)1024 * 1024)
#define CALLS_BYTES_MAX     (4 * CALL_BYTES_MAX) /* in flight, all queues */
#define COMMANDS_MAX        256                  /* in flight on the link */
#define NONCE_LENGTH        32
#define SUSPECTS_MAX        64
#define LOST_CLAIMS_MAX     256
#define GAPS_MAX            16
#define GAP_TEXT_MAX        48 /* " <from>-<until>" */
#define TICK_MS             10 /* how soon to look again for what state has not committed yet */

/* --- a queue ----------------------------------------------------------------------------- */

struct publish_chunk;
struct publish_claim;

/* What Redis says no with: publish_refusal.c. */
enum publish_refusal {
    REFUSAL_NONE,
    REFUSAL_OTHER,
    REFUSAL_MEMORY,
    REFUSAL_DISK,
    REFUSAL_PERMISSION,
    REFUSAL_TYPE,
    REFUSAL_READONLY,
    REFUSAL_LOADING,
    REFUSAL_BUSY,
    REFUSAL_REPLICAS,
    REFUSAL_END
};

/* Sent from state: what it showed up to `until`, when the mark was at `from`. One behind the other,
 * oldest first: publish_gap.c. */
struct publish_gap {
    uint64_t from, until;
};
struct publish_gaps {
    unsigned count;
    struct publish_gap all[GAPS_MAX];
};

/* What stands first in a queue, as far as popped tasks can be told from it. */
struct publish_head {
    bool empty;
    uint64_t rank_ms;
    char id[ID_TEXT_LENGTH];
    uint64_t pushed_seq;
};

struct publish_queue {
    struct publish *publish;
    uint32_t number;
    bool is_list;
    struct slice tasks, mark, reports; /* keys in Redis */
    struct slice report_field;         /* as it stands in own members */
    char *texts;                       /* of the slices above */
    uint64_t epoch;                    /* that `mark` names */

    bool known;       /* `acked` is what the mark says, on this link */
    bool learned;     /* it was, on some link: a lower mark means that Redis has forgotten */
    bool taken;       /* the mark is this process's */
    bool stopped;     /* another writer, or a mark from the future: until the next epoch */
    bool refused;     /* the last push or look had an error: the next look tries again */
    bool broken_mark; /* the mark is none, which was said */
    bool dirty;       /* in publish->dirty */
    struct publish_queue *next_dirty;
    uint64_t acked, newest;
    uint64_t shown;        /* the newest that a push ever brought there: a mark may fall */
    uint64_t ahead_seq;    /* a mark that was over `newest` */
    uint64_t again_until;  /* up to here, puts may be in the queue already */
    uint64_t rewind_until; /* up to here, the queue lacks what it should hold */
    struct publish_gaps gaps;
    uint64_t open_tasks;
    uint64_t late_seq, late_since_ms; /* an operation that is waited for, since uv_now; 0: none */

    enum publish_refusal refusal; /* until something went through */
    unsigned refusals;            /* in a row */
    uint64_t retry_ms;            /* uv_now: no look before */
    uint64_t looked_ms;           /* the last look began */

    struct { /* the call in flight */
        bool running;
        bool live; /* out of the buffer, not read from state again */
        uint64_t prev, last, started_us;
        unsigned operations, puts;
        size_t bytes;
    } call;

    struct { /* operations that wait, in order, without a gap */
        struct publish_chunk *first, *last;
        uint64_t from; /* seq of the first; if there is none, of the one to come */
        uint64_t next;
    } buffer;

    struct { /* the look in flight */
        bool running, whole;
        bool readable, present, ours;
        uint64_t seq;
        struct publish_gaps gaps;
        size_t asked; /* members of a list */
    } look;

    char stray_id[ID_TEXT_LENGTH]; /* stood first at the last look, and should not */
    bool head_settled;             /* `head` was decided upon */
    bool watched;                  /* a head of it was decided upon and settled */
    struct publish_head head;
    bool has_before; /* since the last look; of those the one that most is gone by: */
    struct publish_head before;

    bool reconcile;             /* wanted, beside one that is on its way; */
    uint64_t reconcile_from_ms; /* but not before: uv_now */
    struct publish_claim *first_claim, *last_claim;
};

/* Why a command was submitted, in its ticket above the queue's number. */
enum publish_purpose {
    PURPOSE_POPPED = 1,
    PURPOSE_AHEAD,
    PURPOSE_RECONCILE,
    PURPOSE_EPOCH,
    PURPOSE_RELEASE,
};

struct publish {
    struct publish_options options;
    struct redis *redis;
    struct redis_script push_script, claim_script;
    char nonce[NONCE_LENGTH + 1];
    bool ready, closing;
    unsigned handles;

    struct { /* publish_epoch.c */
        uint64_t present, next;
        bool wanted, submitted;
        uint64_t not_before_ms, alarm_until_ms; /* uv_now */
    } epoch;

    struct redis_server server; /* the last that was met; run_id "": none */
    bool forgot;                /* on_forgot was called since the last watch */
    unsigned refused;           /* queues that Redis refuses */

    struct state_reader *state;
    struct journal_reader *journal;
    struct renderer renderer;

    struct publish_queue
        *queues[STATE_QUEUES_MAX]; /* those that something happened to, by number */
    uint32_t highest;              /* of these numbers */
    struct publish_queue *first_dirty;
    uv_timer_t tick_timer, watch_timer, claim_timer;
    bool watched;            /* every queue was */
    uint64_t hurry_until_ms; /* uv_now: watches come fast until then */
    uint32_t look_next;      /* number of the queue to be looked at next */
    unsigned looks;          /* in flight */

    struct { /* chunks of members: publish_buffer.c */
        char *memory;
        struct publish_chunk *free;
    } buffer;

    struct { /* the call being built: publish_push.c */
        bool is_list;
        size_t count, bytes;
        unsigned operations, puts;
        struct { /* the last one; see push.lua */
            size_t at;
            unsigned length;
            enum outbox_op op;
            uint64_t moved_seq, next_seq;
        } run;
        uint64_t rank_ms; /* the last one written, and its digits */
        struct slice rank;
        struct slice slices[2 + 5 + 5 * CALL_OPERATIONS_MAX];
        char digits[2 + 4 * CALL_OPERATIONS_MAX][24];
        char tail[NONCE_LENGTH + GAPS_MAX * GAP_TEXT_MAX]; /* of the mark: the nonce, and gaps */
        char *members;                                     /* rendered ones, CALL_BYTES_MAX */
        size_t bytes_in_flight;
    } call;

    struct {                         /* publish_reconcile.c */
        struct publish_queue *queue; /* NULL: none is on its way */
        uint64_t cursor, next_cursor;
        bool finding;   /* who is gone, before the pages; */
        bool reporting; /* this call is no count, but reports each */
        uint64_t found_seq, finding_seq, find_until_seq; /* done; by this call; in all */
        unsigned popped;
        bool waiting;    /* for an answer, or the writer */
        bool begun;      /* state has what was decided before it began */
        bool committing; /* a barrier is on its way, or */
        bool asking;     /* a command, perhaps of one that was given up */
        bool overflow;   /* the page had more suspects */
        unsigned suspects, withdrawn, withdrawn_of_page;
        size_t lengths[SUSPECTS_MAX];
        char *members; /* SUSPECTS_MAX of TASK_BYTES_MAX */
    } reconcile;

    unsigned claims;            /* publish_claim.c */
    unsigned lost_count;        /* ever; the newest are kept */
    struct publish_lost_claim { /* the script was sent, its answer is lost */
        uint32_t queue;         /* 0: its report was read */
        uint64_t asked_ms;
        size_t agent_bytes;
        char agent[REPORT_AGENT_MAX];
    } lost[LOST_CLAIMS_MAX];
};

/* --- publish.c --------------------------------------------------------------------------- */

/* NULL: there is no such queue (any more), or no memory. */
struct publish_queue *publish_queue_of(struct publish *publish, uint32_t number);
/* Makes the texts of a queue's keys, as of the present epoch. False: there is no such queue, or no
 * memory; then they are as before. */
bool publish_name_keys(struct publish_queue *queue);
/* Looks after all queues again in TICK_MS. */
void publish_tick_soon(struct publish *publish);
/* Lets go of what was read: before going back to the loop. */
void publish_release(struct publish *publish);
/* Reads how far state has come with a queue; the newest operation that it has committed. Where
 * that cannot be read it is 0, and what is known of the queue stays. */
uint64_t publish_read_queue(struct publish_queue *queue);
void publish_learn_queue(struct publish_queue *queue, const struct state_queue *row);
void publish_tell_forgot(struct publish *publish);
/* False: the writer has no room; try again later. */
bool publish_submit(struct publish_queue *queue, enum publish_purpose purpose,
                    struct command *command);

/* --- publish_buffer.c -------------------------------------------------------------------- */

/* An operation that waits. */
struct publish_waiting {
    uint64_t seq, rank_ms, first_seq, committed_us;
    enum outbox_op op;
    struct slice member;
};
/* Walks a buffer: `place` NULL and `offset` 0 start. */
struct publish_walk {
    struct publish_chunk *chunk;
    size_t offset;
};

bool publish_buffer_open(struct publish *publish, size_t memory_max);
void publish_buffer_close(struct publish *publish);
/* Keeps an operation that follows the newest one; otherwise (a gap, no member, no room) forgets
 * what is there, for it will be read from state. */
void publish_buffer_add(struct publish_queue *queue, const struct writer_outbox *operation);
void publish_buffer_forget(struct publish_queue *queue, uint64_t next_seq);
void publish_buffer_drop(struct publish_queue *queue, uint64_t up_to_seq);
bool publish_buffer_covers(const struct publish_queue *queue, uint64_t seq);
bool publish_buffer_next(const struct publish_queue *queue, struct publish_walk *walk,
                         struct publish_waiting *out);

/* --- publish_push.c ---------------------------------------------------------------------- */

/* Sends the next call, if there is something to send and no call is in flight. */
void publish_push(struct publish_queue *queue);
/* Takes in what a mark says. `ours`: this process wrote it. */
void publish_learn(struct publish_queue *queue, bool present, uint64_t seq, bool ours,
                   bool queue_is_empty);
/* The writer has committed all: is a mark that looked ahead still ahead? */
void publish_judge_ahead(struct publish_queue *queue, enum status status);
/* Takes members out of a queue, fenced by its mark. False: it could not be sent. */
bool publish_withdraw(struct publish_queue *queue, const struct slice *members, unsigned count,
                      redis_reply_fn *on_reply);
/* True: all puts of the queue up to `seq` can be read from state. Else they will be, soon. */
bool publish_has_stored(struct publish_queue *queue, uint64_t seq);
/* Looks for the puts in (after, until], as many as a call holds, up to `last_out`: Redis has had
 * them. The answer counts those that are gone. `report`: and their pops are reported. False: they
 * cannot be read, or it could not be sent. */
bool publish_find(struct publish_queue *queue, uint64_t after, uint64_t until, bool report,
                  redis_reply_fn *on_reply, uint64_t *last_out);

/* --- publish_gap.c ----------------------------------------------------------------------- */

/* What is over `mark` is sent from state, which shows all up to `until`. */
void publish_gaps_note(struct publish_gaps *gaps, uint64_t mark, uint64_t until);
/* True: put `seq` stood in place of `first_seq` already when that one's range was sent. */
bool publish_gaps_hide(const struct publish_gaps *gaps, uint64_t first_seq, uint64_t seq);
/* As they stand in a mark that has come to `mark`. */
void publish_gaps_write(const struct publish_gaps *gaps, uint64_t mark, struct text *out);

/* --- publish_backlog.c ------------------------------------------------------------------- */

/* After `newest` or `acked` has moved: looks how long the oldest operation has waited. */
void publish_note_late(struct publish_queue *queue);

/* --- publish_watch.c --------------------------------------------------------------------- */

void publish_watch(struct publish *publish); /* all queues that may need it */
void publish_look(struct publish_queue *queue);
void publish_popped_settled(struct publish_queue *queue, enum status status);
/* What stood first before a push, as its answer says; both empty: nothing did. */
void publish_see_before(struct publish_queue *queue, struct slice member, struct slice score);

/* --- publish_epoch.c --------------------------------------------------------------------- */

void publish_want_epoch(struct publish_queue *queue);
void publish_begin_epoch(struct publish *publish); /* if one is wanted, and it is time */
void publish_epoch_settled(struct publish *publish, enum status status);
/* True: the queue's mark is of the present epoch; false: not yet, something is in flight. */
bool publish_follow_epoch(struct publish_queue *queue);
bool publish_epoch_alarm(const struct publish *publish); /* there was a second writer lately */

/* --- publish_refusal.c ------------------------------------------------------------------- */

/* Redis had an error for a push or a look. */
void publish_refuse(struct publish_queue *queue, const struct redis_reply *reply);
/* It took a push, or there is nothing to push and it let us look. */
void publish_accepted(struct publish_queue *queue);

/* --- publish_reconcile.c ----------------------------------------------------------------- */

enum publish_member { MEMBER_FOREIGN, MEMBER_OPEN, MEMBER_STRAY, MEMBER_UNREAD };

/* Whose a member is, and whether it should stand in the queue, as far as state knows. The task's
 * row comes with OPEN. UNREAD: that cannot be read now, for want of memory as a rule. */
enum publish_member publish_judge(struct publish_queue *queue, struct slice member,
                                  struct task_row *row_out);
bool publish_reconcile_open(struct publish *publish);
void publish_reconcile_close(struct publish *publish);
void publish_reconcile(struct publish *publish); /* the next step, if there is one */
/* The queue is being filled again: wants a reconcile, from its beginning, when that and the reports
 * that wait are through. */
void publish_reconcile_anew(struct publish_queue *queue);
void publish_reconcile_settled(struct publish_queue *queue, enum status status);

/* --- publish_claim.c --------------------------------------------------------------------- */

#define CLAIMS_MAX 4096

void publish_claims_wake(struct publish_queue *queue, unsigned puts); /* tasks have come */
void publish_claims_away(struct publish *publish);                    /* Redis has gone */
void publish_claims_close(struct publish *publish);
void publish_claims_on_timer(uv_timer_t *timer);

#endif
