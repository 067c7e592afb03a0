/* What an audit is made of. For audit*.c; one thread.
 *
 *   audit.c         the order of the looks, and what is told
 *   audit_walk.c    the journal, record by record: facts
 *   audit_people.c  facts in order of person and task, beside the tables of people and tasks
 *   audit_row.c     how those lie there
 *   audit_tables.c  the rows that follow from all of it, beside the tables that hold them
 *   audit_queues.c  what stands in Redis
 *   audit_judge.c   that beside what should stand there
 *   audit_member.c  what a put says, to the byte
 *   audit_link.c    one question to Redis after the other
 *   audit_sort.c    more than fits into memory, in order
 */
#ifndef HOTLEAD_SERVER_AUDIT_INTERNAL_H
#define HOTLEAD_SERVER_AUDIT_INTERNAL_H

#include <endian.h>
#include <string.h>

#include "proto/id.h"
#include "server/audit.h"
#include "server/audit_sort.h"
#include "server/lmdb_env.h"
#include "server/log.h"
#include "server/render.h"
#include "server/site.h"
#include "server/state.h"

#define AUDIT_QUEUES_MAX     STATE_QUEUES_MAX
#define AUDIT_AGENTS_MAX     STATE_AGENTS_MAX
#define AUDIT_QUEUE_NAME_MAX 64
#define AUDIT_SUSPECTS_MAX   (1u << 20) /* tasks to be looked at again in Redis */

/* --- facts: what a record says, sorted by person, task (0: the person's own), record ---------- */

enum audit_fact_kind {
    FACT_RECEIVED, /* an opt-in that waits for its decision; person 0, task: its record */
    FACT_DECIDED,  /* that decision; the same */
    FACT_LINK,     /* any record of the person; where the next says so, it stands for both */
    FACT_PERSON,
    FACT_OPTIN,
    FACT_NAMED, /* the task was told to whoever sent an opt-in */
    FACT_TASK,
    FACT_POPPED,
    FACT_TASK_END,
    FACT_HEARD, /* a report about the task, from a stream */
};

struct audit_task {
    uint64_t fingerprint; /* of the row without the members that a pop changes, which follow */
    uint64_t put_seq, lease_until_ms, due_ms;
    uint64_t drop_seq; /* the operation that withdrew the put before; 0: none did */
    uint64_t rank;     /* its place in visible */
    uint64_t opened_ms;
    uint64_t deadline_ms;
    uint32_t with; /* agent; 0: none */
    uint32_t queue;
    uint16_t delivery;
    uint8_t state, due_kind, channel, flags;
};

struct audit_person {
    uint64_t fingerprint; /* of the row */
    uint64_t first_ms;
    uint64_t due_ms; /* of the person's own entry in due; 0: none */
    uint32_t owner;
    uint8_t due_kind;
    uint8_t end;     /* outcome of the last task that ended; 0: none */
    uint8_t closed;  /* why nothing more happens by itself; 0: something does */
    bool is_stopped; /* "never again" was said */
    bool is_planned; /* by a playbook: so what comes next is known, or why nothing does */
    bool is_link;    /* the record is the person's own */
};

struct audit_optin {
    uint64_t seq, received_ms; /* its id */
    uint64_t decided_seq;
    uint32_t agency, site;
    uint8_t reason;
};

struct audit_fact {
    uint64_t person, task, seq; /* big-endian; so are the next two by their size */
    uint8_t order;              /* within the record */
    uint8_t kind;
    union {
        struct audit_task task_row;
        struct audit_person person_row;
        struct audit_optin optin;
        struct {
            uint64_t ms, seq;
            uint32_t queue;
        } heard;
        uint64_t lease_until_ms; /* POPPED */
        uint64_t drop_seq;       /* TASK_END */
        uint64_t received_ms;    /* RECEIVED */
    };
};

/* --- rows that should be there, sorted by table and key ----------------------------------------
 */

enum audit_table {
    AUDIT_DUE, /* these may stay in a server's memory for a while, */
    AUDIT_OUTBOX,
    AUDIT_VISIBLE,
    AUDIT_SUSPECT, /* and these do not */
    AUDIT_WORK,
    AUDIT_OWNED,
    AUDIT_EDGE, /* each setting of it: behind its key the record; the newest counts */
    AUDIT_REVIEW,
    AUDIT_ENTITY, /* the same; value: hash and length */
    AUDIT_TURN,   /* agent and record; value: its pass */
    AUDIT_REDIS
};

struct audit_row {
    uint8_t table;
    uint8_t key[29]; /* as state has it; in Redis: queue, task, delivery */
    uint8_t side;    /* of Redis: 0 for what should be there, 1 for what is */
    uint8_t must;    /* it has to stand there; else it must not: in Redis, and of what is set */
    uint64_t
        value[2]; /* in Redis: put and rank of what should be there; hash and score of what is */
    uint64_t seq; /* the record that it follows from */
    uint64_t person, first_ms, task, opened_ms;
};

/* --- the audit ------------------------------------------------------------------------------- */

/* Whom an orphan is about, as far as it is known; 0: it is not. */
struct audit_about {
    uint64_t person, first_ms;
    uint64_t task, opened_ms;
    uint64_t optin, received_ms;
    uint64_t record;
};

struct audit_queue {
    char name[AUDIT_QUEUE_NAME_MAX + 1]; /* "": there never was one of that number */
    bool is_list;
    uint64_t open_tasks;            /* the next four by the journal, up to where state has come */
    uint64_t parked_tasks;          /* of these, they wait for their window */
    uint64_t outbox_seq;            /* newest operation */
    uint64_t kept_drop;             /* of state: its oldest drop; 0: it has none */
    uint64_t gone_drop;             /* the newest one before that */
    uint64_t heard_ms, heard_seq;   /* newest report */
    uint64_t mark;                  /* of Redis: operations up to here were pushed; 0: none were */
    uint64_t report_ms, report_seq; /* state has all reports up to this one */
    bool doubtful;                  /* something in it is to be looked at again */
};

/* An agent by the journal, up to where state has come. */
struct audit_agent {
    uint64_t open_tasks;   /* those that are with it */
    uint64_t assigned_seq; /* the record in which it was chosen last */
    uint64_t pass;
};

/* What is wrong with a delivery in Redis. */
enum audit_doubt {
    DOUBT_MISSING, /* it should stand there; all others should not: */
    DOUBT_HELD,    /* its task is open, and somebody has it */
    DOUBT_NOT_OPEN,
    DOUBT_ALTERED,   /* it is not what was put */
    DOUBT_MISPLACED, /* it is, at another score */
};
struct audit_suspect {
    struct audit_about about;
    uint64_t hash, score; /* of what stands there */
    uint64_t rank;        /* where it should */
    uint32_t queue;
    uint16_t delivery;
    uint8_t doubt;
    bool there, reported; /* at the look at hand */
    bool cleared;
};

struct audit_link;

struct audit {
    const struct audit_options *options;
    struct audit_result *result;
    enum status status; /* the first failure of any part */

    /* The journal, and what the walk has found. */
    struct lmdb_env journal;
    MDB_dbi journal_table;
    uint64_t walked_seq, walked_ms;
    bool has_key;
    struct hash_key id_key;
    uint64_t epoch;
    struct audit_queue *queues; /* AUDIT_QUEUES_MAX */
    struct audit_agent *agents; /* AUDIT_AGENTS_MAX */
    struct audit_sort *facts, *rows;
    struct registry *registry; /* names of all that was ever set up, and the playbooks */
    bool registry_torn;        /* a record of it may be missing */
    struct renderer renderer;

    /* State: a snapshot. */
    struct lmdb_env state;
    MDB_txn *snapshot;    /* NULL: there is none */
    uint64_t settled_seq; /* rows that follow from later records may be young */
    struct state_meta meta;

    struct audit_link *link;   /* NULL: Redis is not looked at */
    bool redis_failed;         /* it was to be, and could not: the rest goes on */
    struct audit_row expected; /* of the rows of Redis, until the next key comes */
    bool expects, expected_seen;
    struct audit_row seen; /* the last one */
    struct audit_suspect *suspects;
    size_t suspect_count;
};

#define AUDIT_NAME_MAX 128

/* Keeps the first failure. */
void audit_fail(struct audit *audit, enum status status);
/* Words for people and what was set up, ended by a zero: "per_...", or "person 7" where the id
 * cannot be made; "site acme-www", or "site number 7" of one that the journal does not know. */
void audit_name_person(struct audit *audit, uint64_t person, char out[AUDIT_NAME_MAX]);
void audit_name_entity(struct audit *audit, uint32_t kind, uint32_t number,
                       char out[AUDIT_NAME_MAX]);
/* Names an orphan: `what` is missing or wrong with it. */
void audit_tell(struct audit *audit, const struct audit_about *about, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/* --- audit_walk.c */

/* A record as it is stored, of which only the header and the effects were found sound. */
struct audit_record {
    struct record_header header;
    const char *effects;
    struct slice payload;
    bool is_whole; /* the payload is sound, too, and was not erased */
};
/* Hands the facts of the records behind the walked one to the callback, to the end; and the rows
 * that follow from a record alone, unless `on_row` is NULL. */
typedef void audit_fact_fn(struct audit *audit, const struct audit_fact *fact);
typedef void audit_row_fn(struct audit *audit, const struct audit_row *row);
void audit_walk(struct audit *audit, audit_fact_fn *on_fact, audit_row_fn *on_row);
/* One record, as long as the transaction, which is to be aborted (NULL: there is none now); false:
 * it is not there, or not sound. */
MDB_txn *audit_begin_reading(struct audit *audit);
bool audit_read_record(struct audit *audit, MDB_txn *txn, uint64_t seq, struct audit_record *out);
/* The header alone. */
bool audit_find_record(struct audit *audit, uint64_t seq, struct record_header *out);
/* The row of a task that the record has left; false: it is about others. */
bool audit_find_task(const struct audit_record *record, uint64_t number, struct task_row *out);
/* As facts have them. */
uint64_t audit_task_fingerprint(const struct task_row *row);
uint64_t audit_person_fingerprint(const struct person_row *row);
uint64_t audit_rank(const struct task_row *row);

/* --- audit_row.c */

/* A row as it is stored; false: no row is. A person's open task, if it stands there, comes along;
 * a further one's number is in its key. */
bool audit_read_person(MDB_val stored, uint64_t *last_seq_out, struct person_row *row_out,
                       struct task_row *task_out);
bool audit_read_task(MDB_val stored, uint64_t number, struct task_row *out);

/* --- audit_people.c, audit_tables.c */

/* Notes the oldest drop that state has of each queue: before audit_people. */
void audit_drops(struct audit *audit);

/* Reads the facts in order: counts and judges opt-ins, people and tasks, and adds the rows. */
void audit_people(struct audit *audit);

/* Reads the rows in order: judges the tables, and notes what is to be looked at in Redis. */
void audit_tables(struct audit *audit);

/* A table of the snapshot, from its beginning. */
struct audit_cursor {
    MDB_cursor *cursor; /* NULL: it is not there, and so has no rows */
    MDB_val key, value;
    bool has; /* a row is at hand */
};
void audit_cursor_open(struct audit *audit, const char *table, struct audit_cursor *out);
void audit_cursor_next(struct audit *audit, struct audit_cursor *cursor);
void audit_cursor_close(struct audit_cursor *cursor);

static inline uint64_t audit_be64(const void *bytes)
{
    uint64_t number;

    memcpy(&number, bytes, sizeof number);
    return be64toh(number);
}

static inline uint32_t audit_be32(const void *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof number);
    return be32toh(number);
}

/* --- audit_queues.c, audit_judge.c */

/* A member of ours in a queue, or a report about one, which has neither hash nor score. */
struct audit_member {
    uint32_t queue;
    uint16_t delivery;
    uint64_t task, opened_ms;
    uint64_t hash;  /* of its bytes */
    uint64_t score; /* a double as it lies in memory; 0 in a list */
};
typedef void audit_member_fn(struct audit *audit, const struct audit_member *member);

/* Reads each queue, or those that are doubtful: its mark, then all that stands in it. */
void audit_queues(struct audit *audit, bool only_doubtful, audit_member_fn *on_member);
/* What was reported and not heard yet, of the doubtful queues. */
void audit_reports(struct audit *audit, audit_member_fn *on_report);

/* Adds what stands in Redis to the rows. */
void audit_see_queues(struct audit *audit);
/* Row by row, in order; NULL behind the last. */
void audit_judge_queue_row(struct audit *audit, const struct audit_row *row);
/* Looks again at what is doubtful, and names what is so still. */
void audit_look_again(struct audit *audit);

/* --- audit_member.c */

/* False: no memory. */
bool audit_member_open(struct audit *audit);
void audit_member_close(struct audit *audit);
/* Whether a member of that hash is what was put last: the put of a row of Redis that must stand
 * there. True as well where nobody can say: its words were erased, or cannot be read, which is told
 * of the record. */
bool audit_is_as_put(struct audit *audit, const struct audit_row *expected, uint64_t hash);

/* --- audit_link.c */

struct redis_reply;
/* NULL: no answer; redis_failed. */
struct audit_link *audit_link_open(struct audit *audit);
void audit_link_close(struct audit_link *link);
/* Asks and waits. False: redis_failed, now or before; else the reply is valid during the callback.
 */
typedef void audit_reply_fn(void *owner, const struct redis_reply *reply);
bool audit_ask(struct audit *audit, const struct slice *words, size_t count,
               audit_reply_fn *on_reply, void *owner);

#endif
