/* One entry of the journal: header, effects, payload.
 *
 *   header   fixed size: what happened, when, to whom, checksums
 *   effects  every choice that was made, as numbers, times and keyed hashes: the
 *            rows of state as they are after it. apply() copies them and decides
 *            nothing, so a later release or another tz database cannot make a
 *            rebuild take another way
 *   payload  whatever names a person: the opt-in, the report's note, settings.
 *            Its checksum is its own: erasure zeroes it, the rest stays
 *
 * Stored little-endian as these structs lie in memory (checked at compile time).
 * To change: 1. raise RECORD_VERSION; 2. keep the old structs, named after their
 * version, and read them in record_view(); 3. add a journal of the old version to
 * tests/samples. Any thread. */
#ifndef HOTLEAD_SERVER_RECORD_H
#define HOTLEAD_SERVER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/optin.h"
#include "proto/slice.h"
#include "proto/status.h"

#define RECORD_VERSION     1
#define RECORD_EFFECTS_MAX 4096
#define RECORD_BYTES_MAX   (OPTIN_STORED_MAX + RECORD_EFFECTS_MAX + 128)

/* Stored numbers: append only. */
enum record_kind {
    RECORD_GENESIS = 1, /* first of a journal: keys */
    RECORD_EPOCH,       /* a new incarnation: create, restore, copied folder */
    RECORD_ADMIN,       /* agency, site, queue, agent, token: set or removed */
    RECORD_OPTIN,       /* an opt-in with its decision */
    RECORD_RECEIVED,    /* an opt-in while state is rebuilt: decided later */
    RECORD_DECIDED,     /* the decision for a received one */
    RECORD_REPEATED,    /* other content under an id already used, from a public key: adds */
    RECORD_CLAIM,
    RECORD_EXTEND,
    RECORD_RELEASE,
    RECORD_OUTCOME,
    RECORD_AMEND,
    RECORD_LATE,        /* an outcome after the first: kept, changes nothing */
    RECORD_POPPED,      /* tasks gone from their queue with no report: leases start */
    RECORD_LEASE_ENDED, /* no outcome in time: delivered again */
    RECORD_BREACH,      /* the deadline passed without contact */
    RECORD_KIND_END
};
const char *record_kind_name(enum record_kind kind);

struct record_header {
    uint64_t seq;
    uint64_t now_ms;
    uint64_t person;      /* 0: nobody's */
    uint64_t person_prev; /* seq of the person's previous record, 0: first */
    uint64_t admin_prev;  /* seq of the newest GENESIS, EPOCH or ADMIN before this one */
    uint32_t agency;
    uint16_t version;
    uint8_t kind;
    uint8_t reserved;
    uint32_t effects_bytes;
    uint32_t payload_bytes;
    uint64_t payload_checksum;
    uint64_t checksum; /* XXH3 of the effects, seeded with XXH3 of the header before it */
};

/* --- rows of state; also what effects carry ------------------------------- */

enum task_state {
    TASK_QUEUED = 1, /* has its put in the outbox: visible, or about to be */
    TASK_POPPED,     /* gone from Redis, nobody said so: leased for report_within */
    TASK_CLAIMED,    /* leased to an agent */
};
enum task_flag {
    TASK_BREACHED = 1,
    TASK_IN_LIST = 2, /* its queue is a Redis list: ranked by put_seq */
};
enum due_kind { DUE_NONE, DUE_BREACH = 1, DUE_LEASE = 2 };

/* An open task. `number` = (seq of the record that opened it) << 3 | 0..7. */
struct task_row {
    uint64_t number;
    uint64_t optin_seq; /* the record whose payload it is rendered from */
    uint64_t opened_ms;
    uint64_t received_ms;
    uint64_t deadline_ms;
    uint64_t not_before_ms;
    uint64_t rank_ms;        /* score of the put */
    uint64_t put_seq;        /* outbox seq of the put that is out; 0: none */
    uint64_t first_put_seq;  /* of this delivery: a later one only moves what is still there */
    uint64_t lease_until_ms; /* 0: not leased */
    uint64_t claimed_ms;     /* of the present delivery; 0: not */
    uint64_t due_ms;         /* its one entry in the due table; 0: none */
    uint64_t agent;          /* claimed by: keyed hash of the agent's id; 0: nobody */
    uint32_t queue;
    uint32_t site;
    uint32_t owner; /* as rendered into the member */
    uint16_t delivery;
    uint16_t attempt;
    uint8_t state;
    uint8_t flags;
    uint8_t due_kind;
    uint8_t channel;
    uint8_t kind;
    uint8_t stage; /* as rendered into the member */
    uint8_t renderer;
    uint8_t reserved;
    uint64_t more_seq; /* the record whose payload says what the opt-in's lacks: a later one about
                        * it, or an earlier one of the person; 0: none */
};

enum person_flag {
    PERSON_REVIEW = 1, /* phone and e-mail point at two people */
    PERSON_DO_NOT_CONTACT = 2,
    PERSON_CONSENT_AGAIN = 4, /* do_not_contact was left by a later consent */
    PERSON_CUSTOMER = 8,
    PERSON_BAD_PHONE = 16, /* a malformed one came beside a good identifier */
    PERSON_BAD_EMAIL = 32,
};

struct person_row {
    uint64_t first_ms;
    uint64_t last_ms;    /* newest opt-in */
    uint64_t first_seq;  /* first opt-in */
    uint64_t optin_seq;  /* newest opt-in */
    uint64_t contact_ms; /* first human contact; 0: none */
    struct hash phone;
    struct hash email;
    uint32_t agency;
    uint32_t owner;
    uint32_t optins;
    uint16_t attempts;
    uint8_t stage;
    uint8_t flags;
    uint8_t end;    /* enum outcome that ended the last task; 0: none */
    uint8_t reason; /* enum no_task of the last opt-in */
    uint8_t reserved[2];
    uint32_t stopped_s; /* do_not_contact was last said, in seconds since 1970; 0: never, or before
                         * this was noted */
    uint64_t phone_seq; /* the record whose payload brought the phone; 0: first_seq, or none did */
    uint64_t email_seq;
};

/* Why an opt-in has no task. Stored; append only. */
enum no_task {
    NO_TASK_HAS_ONE, /* it has */
    NO_TASK_TEST,
    NO_TASK_SUSPECT,
    NO_TASK_UNREACHABLE,
    NO_TASK_DO_NOT_CONTACT,
    NO_TASK_CUSTOMER,
    NO_TASK_IMPORTED,
    NO_TASK_END
};
const char *no_task_name(enum no_task reason); /* NULL for HAS_ONE; beyond the enum: a bug */

/* --- effects -------------------------------------------------------------- */

/* Stored numbers: append only. Each effect is a u16 kind, a u16 of bytes, then one
 * of the structs below. */
enum effect_kind {
    EFFECT_GENESIS = 1,
    EFFECT_EPOCH,
    EFFECT_ADMIN,
    EFFECT_RECEIVED,
    EFFECT_OPTIN,
    EFFECT_PERSON,
    EFFECT_TASK,
    EFFECT_TASK_END,
    EFFECT_POPPED,
    EFFECT_REPORT,
};

struct effect_genesis {
    struct hash_key hash_key; /* identity, idempotency */
    struct hash_key id_key;   /* public ids */
};

struct effect_epoch {
    uint64_t epoch;   /* random, never 0 */
    uint64_t machine; /* hash of the machine id */
    uint64_t inode;   /* of the journal's data file */
};

/* Stored numbers: append only. */
enum entity_kind {
    ENTITY_AGENCY = 1,
    ENTITY_SITE,
    ENTITY_QUEUE,
    ENTITY_AGENT,
    ENTITY_TOKEN,
    ENTITY_KIND_END
};

/* The payload is the entity's settings as JSON, secrets hashed; empty: removed. */
struct effect_admin {
    uint32_t entity; /* enum entity_kind */
    uint32_t number; /* within its kind, from 1 */
};

/* What the loop found out about an opt-in, all that a decision needs. */
enum credential { CREDENTIAL_PUBLIC = 1, CREDENTIAL_SECRET, CREDENTIAL_HOOK };
enum intake_flag {
    INTAKE_TEST = 1,
    INTAKE_SUSPECT = 2,
    INTAKE_BAD_PHONE = 4,
    INTAKE_BAD_EMAIL = 8,
    INTAKE_NAME = 16,
    INTAKE_CONSENT = 32, /* consent was given with a text */
    INTAKE_IMPORTED = 64,
};
struct effect_received {
    struct hash phone; /* none: not given or malformed */
    struct hash email;
    struct hash event; /* idempotency key, event_id or provider id; none: not given */
    struct hash content;
    uint32_t site;
    uint8_t credential;
    uint8_t flags;            /* enum intake_flag */
    uint16_t said_before_min; /* it was said so many minutes, begun ones too, before it came */
};

/* The decision for an opt-in, and all that a replay needs to answer the same. */
struct effect_optin {
    struct hash event;
    struct hash content;
    uint64_t optin_seq; /* whose payload it is: this record, or the received one */
    uint64_t received_ms;
    uint64_t person;
    uint64_t person_first_ms; /* for the person's id */
    uint64_t task;            /* open task's number; 0: none */
    uint64_t task_opened_ms;
    uint64_t deadline_ms;
    uint32_t site;
    uint8_t credential;
    uint8_t reason; /* enum no_task */
    uint8_t flags;  /* enum intake_flag */
    uint8_t reserved;
};

struct effect_person {
    uint64_t person;
    struct person_row row;
};

/* The row as it is from now on. `drop_seq`, when not 0, is the outbox operation that
 * withdraws the put that was out before. */
struct effect_task {
    uint64_t person;
    uint64_t drop_seq;
    struct task_row row;
};

struct effect_task_end {
    uint64_t person;
    uint64_t task;
    uint64_t drop_seq; /* 0: nothing was out */
};

struct effect_popped {
    uint64_t person;
    uint64_t task;
    uint64_t lease_until_ms;
};

struct effect_report {
    struct hash identity; /* (task, delivery, op, agent, outcome[, stream id]) */
    uint64_t task;
    uint64_t started_ms;
    uint64_t ended_ms;
    uint64_t stream_ms; /* id of the stream entry; 0: came over HTTP */
    uint64_t stream_seq;
    uint64_t agent; /* keyed hash of the agent's id, whose text is in the payload; 0: none */
    uint32_t queue;
    uint16_t delivery;
    uint8_t op;
    uint8_t outcome;
};

_Static_assert(sizeof(struct record_header) == 72, "stored");
/* Records of before more_seq or phone_seq have rows that end without it; it reads as 0. */
_Static_assert(sizeof(struct task_row) == 136, "stored");
_Static_assert(sizeof(struct person_row) == 112, "stored");
_Static_assert(sizeof(struct effect_received) == 72, "stored");
_Static_assert(sizeof(struct effect_optin) == 96, "stored");
_Static_assert(sizeof(struct effect_report) == 72, "stored");
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records are stored little-endian"
#endif

/* --- building and reading ------------------------------------------------- */

/* A record being made. The payload is borrowed until it is appended. */
struct record {
    struct record_header header;
    struct slice payload;
    char effects[RECORD_EFFECTS_MAX];
};

void record_begin(struct record *record, enum record_kind kind, uint64_t now_ms, uint32_t agency);

/* Appends one effect. False: no room (a bug, but for POPPED, which counts first). */
bool record_effect(struct record *record, enum effect_kind kind, const void *effect, size_t bytes);

/* Fills lengths and checksums; header.seq and the chain must be set before. Returns
 * the stored size. */
size_t record_seal(struct record *record);

/* Stored size of a sealed record. */
size_t record_bytes(const struct record_header *header);

/* Writes the sealed record; `buffer` has room for record_bytes. */
void record_store(const struct record *record, char *buffer);

/* A stored or sealed record for reading; slices of the bytes it was read from. The
 * header is copied, because stored bytes are not aligned. */
struct record_view {
    struct record_header header;
    struct slice effects;
    struct slice payload; /* empty when erased */
    bool erased;
};

/* CORRUPT: sizes or checksum are wrong, or a version from the future. A wrong payload
 * checksum is CORRUPT too, except all zeroes: erased. */
enum status record_view(struct slice stored, struct record_view *out);
void record_view_of(const struct record *sealed, struct record_view *out);

/* Walks effects: `offset` starts at 0. 0: no more. The body is neither aligned nor of the
 * expected size: take it with effect_copy. */
enum effect_kind effect_next(const struct record_view *view, size_t *offset,
                             struct slice *body_out);

/* Copies an effect's body into a struct of `bytes`, zero-filled behind a shorter stored one. */
void effect_copy(struct slice body, void *out, size_t bytes);

/* The first effect of a kind, copied; false: there is none. */
bool effect_find(const struct record_view *view, enum effect_kind kind, void *out, size_t bytes);

#endif
