/* What inbox is made of: inbox.c (reading and submitting), inbox_stream.c (the streams, whether a
 * Redis still has what was read, trimming), inbox_trail.c (which entries that were read are
 * remembered for this), inbox_entry.c (an entry's id and its report). */
#ifndef HOTLEAD_SERVER_INBOX_INTERNAL_H
#define HOTLEAD_SERVER_INBOX_INTERNAL_H

#include "proto/report.h"
#include "server/inbox.h"
#include "server/state.h"

#define INBOX_PAGE_ENTRIES  512
#define INBOX_IN_FLIGHT_MAX (2ul * INBOX_PAGE_ENTRIES)

/* --- inbox_entry.c ----------------------------------------------------------------------- */

/* The id of a stream entry; ids rise within a stream. */
struct inbox_id {
    uint64_t ms, seq;
};

/* "1700000000000-3". False: it is none. */
bool inbox_id_read(struct slice text, struct inbox_id *out);
int inbox_id_compare(struct inbox_id a, struct inbox_id b);
struct inbox_id inbox_id_before(struct inbox_id id); /* of 0-0: itself */

/* One entry of XREAD, as a checked report whose slices live as long as the reply. MALFORMED: not
 * even an entry. INVALID: its id is good, but what consumers wrote is no report. *left_out: the
 * name of an optional field whose value was bad, NULL if there was none. */
enum status inbox_entry_read(const struct redis_reply *entry, struct inbox_id *id_out,
                             struct report *report_out, const char **left_out);

/* --- inbox_trail.c ----------------------------------------------------------------------- */

#define INBOX_STEPS 12 /* half an hour of reading */

/* An entry that was read. A Redis that still has it has all that stood before it: what is lost is
 * always the end. */
struct inbox_step {
    struct inbox_id id;
    uint64_t hash; /* of what it says: after a loss the same id may be given once more */
    uint64_t read; /* entries up to this one */
};

/* The newest entry that was read, then ever older ones, each about twice as old as the one before.
 */
struct inbox_trail {
    struct inbox_step steps[INBOX_STEPS];
    unsigned count;
    uint64_t read; /* entries so far */
    uint64_t ticks, tick_ms;
};

/* `entry` is the last of `entries` that were read; `now_ms` monotonic. */
void inbox_trail_add(struct inbox_trail *trail, struct inbox_id id, const struct redis_reply *entry,
                     uint64_t entries, uint64_t now_ms);
/* What is behind `cursor` will be read again. */
void inbox_trail_back(struct inbox_trail *trail, struct inbox_id cursor);
/* The reply of XREAD begins with just this entry. */
bool inbox_step_is_first(const struct inbox_step *step, const struct redis_reply *reply);
/* The id that at least `entries` were read after; 0-0: not yet. */
struct inbox_id inbox_trail_before(const struct inbox_trail *trail, uint64_t entries);

/* --- inbox.c ----------------------------------------------------------------------------- */

struct inbox_stream {
    struct inbox *inbox;
    uint32_t queue;
    struct slice key;
    struct inbox_id cursor; /* read up to here */
    struct inbox_id stored; /* the newest that state has at the start, */
    bool overlaps;          /* and how much before it is to be read again is not asked yet */
    struct inbox_trail trail;
    bool lost; /* its end, maybe: not read until Redis was asked for the steps of the trail */
    unsigned asked_step;
    uint64_t trimmed; /* trail.read at the last trim */
    bool unusable;    /* the key is of another type */
    bool failed;      /* an entry came back unstored */
    struct inbox_id failed_before;
};

/* An entry on its way through the writer. */
struct inbox_sent {
    struct inbox_sent *next_free;
    struct inbox_stream *stream; /* NULL: free */
    struct inbox_id id;
    uint8_t op;
};

enum inbox_phase {
    PHASE_IDLE,  /* not ready, or Redis is away, or paused: something will start it again */
    PHASE_CHECK, /* where do the streams end? */
    PHASE_READ,  /* XREAD is in flight */
};

struct inbox {
    struct inbox_options options;
    struct redis *redis;
    struct state_reader *state;
    bool met; /* a link was up before */
    bool ready, closing;
    bool turning; /* streams are to be read again, once nothing is in flight */
    bool again;   /* ... all of them from what Redis still has */
    bool drained; /* the first time through; until then nothing blocks */
    enum inbox_phase phase;
    uv_timer_t timer; /* ends a pause */

    struct inbox_stream *streams[STATE_QUEUES_MAX]; /* by queue number */
    uint32_t stream_count;                          /* those not NULL */
    uint32_t highest;                               /* number of one of them */
    bool has_put[STATE_QUEUES_MAX];                 /* said so by inbox_on_put */
    bool has_new;                                   /* one of them has no stream yet */
    uint64_t check_ms, trim_ms, logged_ms;          /* uv_now: next check, next trim, last line */
    uint64_t refused;                               /* since the last line */
    bool barred;                                    /* Redis does not let us read */
    uint32_t check_next, trim_next;                 /* queue numbers */
    unsigned checks;                                /* in flight */
    bool first_round, another_round;                /* of a check */
    unsigned lost_count;                            /* streams, after the last check */

    struct inbox_sent sent[INBOX_IN_FLIGHT_MAX];
    struct inbox_sent *free_sent;
    unsigned in_flight;

    struct slice *words; /* of XREAD */
    char (*ids)[48];
    size_t words_max;
};

/* --- inbox_stream.c ---------------------------------------------------------------------- */

/* Of queues that ever had a put, or that a site leads to: an idle one costs Redis nothing. */
void inbox_find_streams(struct inbox *inbox);
struct slice inbox_id_text(char buffer[48], struct inbox_id id);
/* Reading goes on behind `cursor`, which is not behind where it was. */
void inbox_read_from(struct inbox_stream *stream, struct inbox_id cursor);
/* Tells stats how many streams cannot be read. */
void inbox_count_refused(const struct inbox *inbox);
/* Asks where the streams end, and puts the cursors of those back that lost something. Ends in
 * inbox_checked. */
void inbox_check(struct inbox *inbox);
/* Trims what was read long ago: a few streams a call, each about once a minute. */
void inbox_trim(struct inbox *inbox);
/* The same for a busy stream, once enough was read since. */
void inbox_trim_busy(struct inbox_stream *stream);

/* inbox.c: every stream was checked. */
void inbox_checked(struct inbox *inbox);

#endif
