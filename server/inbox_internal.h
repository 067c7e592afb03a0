/* What inbox is made of: inbox.c (reading and submitting), inbox_stream.c (the streams, where they
 * end, trimming), inbox_entry.c (an entry's id and its report). */
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

/* --- inbox.c ----------------------------------------------------------------------------- */

struct inbox_stream {
    struct inbox *inbox;
    uint32_t queue;
    struct slice key;
    struct inbox_id cursor; /* read up to here */
    bool unusable;          /* the key is of another type */
    bool failed;            /* an entry came back unstored */
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
    struct redis_server server; /* the last that was met */
    bool ready, closing;
    bool turning; /* streams are to be read again, once nothing is in flight */
    bool again;   /* ... all of them from 0 */
    bool drained; /* the first time through; until then nothing blocks */
    enum inbox_phase phase;
    uv_timer_t timer; /* ends a pause */

    struct inbox_stream *streams[STATE_QUEUES_MAX]; /* by queue number */
    uint32_t stream_count;                          /* those not NULL */
    uint64_t check_ms, trim_ms, logged_ms;          /* uv_now: next check, next trim, last line */
    uint64_t refused;                               /* since the last line */
    bool barred;                                    /* Redis does not let us read */
    uint32_t check_next, trim_next;                 /* queue numbers */
    unsigned checks;                                /* in flight */

    struct inbox_sent sent[INBOX_IN_FLIGHT_MAX];
    struct inbox_sent *free_sent;
    unsigned in_flight;

    struct slice *words; /* of XREAD */
    char (*ids)[48];
    size_t words_max;
};

/* --- inbox_stream.c ---------------------------------------------------------------------- */

void inbox_find_streams(struct inbox *inbox); /* of queues that are new */
/* Tells stats how many streams cannot be read. */
void inbox_count_refused(const struct inbox *inbox);
/* Asks where the streams end, and reads those again that went back. Ends in inbox_checked. */
void inbox_check(struct inbox *inbox);
/* Trims what was read long ago: a few streams a call, each about once a minute. */
void inbox_trim(struct inbox *inbox);

/* inbox.c: every stream was checked. */
void inbox_checked(struct inbox *inbox);

#endif
