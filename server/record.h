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
#include "server/record_row.h"

#define RECORD_VERSION     1
#define RECORD_EFFECTS_MAX 16384 /* two people in whom 16 are merged, with all open tasks */
#define RECORD_PAYLOAD_MAX OPTIN_STORED_MAX
#define RECORD_BYTES_MAX   (RECORD_PAYLOAD_MAX + RECORD_EFFECTS_MAX + 128)

/* Stored numbers: append only. */
enum record_kind {
    RECORD_GENESIS = 1, /* first of a journal: keys */
    RECORD_EPOCH,       /* a new incarnation: create, restore, copied folder */
    RECORD_ADMIN,       /* agency, site, queue, agent, token, playbook: set or removed */
    RECORD_OPTIN,       /* an opt-in with its decision */
    RECORD_RECEIVED,    /* an opt-in while state is rebuilt: decided later */
    RECORD_DECIDED,     /* the decision for a received one */
    RECORD_REPEATED,    /* other content under an id already used, from a public key: adds */
    RECORD_CLAIM,
    RECORD_EXTEND,
    RECORD_RELEASE,
    RECORD_OUTCOME,
    RECORD_AMEND,
    RECORD_LATE,        /* an outcome after the first: kept; only a wish changes the person */
    RECORD_POPPED,      /* tasks gone from their queue with no report: leases start */
    RECORD_LEASE_ENDED, /* no outcome in time: delivered again */
    RECORD_BREACH,      /* the deadline passed without contact */
    RECORD_STEP,        /* a step of a cadence, or a call that was to be made again, is due: done */
    RECORD_SKIPPED,     /* the same: left out, with the reason */
    RECORD_TIER,        /* one more promise about the first response was not kept */
    RECORD_RUNG,        /* nobody claimed it: escalated */
    RECORD_PARKED,      /* what is due has to wait, by law, calendar or caps */
    RECORD_OPENED,      /* its window has opened: put */
    RECORD_SHUT,        /* its window has closed: withdrawn until the next */
    RECORD_ASSIGNED,    /* somebody else's from now on: by hand, or because its agent was silent */
    RECORD_MOVED,       /* somebody put the person elsewhere by hand */
    RECORD_MERGED,      /* two people were found to be one */
    RECORD_UNMERGED,    /* and they are two after all */
    RECORD_SIGNAL,      /* the person showed interest: opened, clicked, came by, wrote back */
    RECORD_WOKEN,       /* somebody cold is taken up again */
    RECORD_ADOPTED,     /* somebody of before lives were planned has a next step or an end from now
                         * on; of nobody: all of them have */
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
    EFFECT_STEP,
    EFFECT_PARKED,
    EFFECT_ESCALATED,
    EFFECT_ASSIGNED,
    EFFECT_MOVED,
    EFFECT_EDGE,
    EFFECT_MERGED,
    EFFECT_SIGNAL,
    EFFECT_WOKEN,
    EFFECT_AMENDED,
    EFFECT_ALONE,
};

struct effect_genesis {
    struct hash_key hash_key; /* identity, idempotency */
    struct hash_key id_key;   /* public ids */
    uint8_t plans_lives;      /* of everybody, from its beginning: nobody has to be adopted */
    uint8_t reserved[7];
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
    ENTITY_PLAYBOOK, /* each version is one of its own, and stays as it is */
    ENTITY_KIND_END
};

/* The entity's settings stand in the payload as JSON, secrets hashed; none: removed. What belongs
 * together is set by one record: an agency with its robots' queues. */
struct effect_admin {
    uint32_t entity; /* enum entity_kind */
    uint32_t number; /* within its kind, from 1 */
    uint32_t at;     /* where its settings begin in the payload, and how many bytes they have; */
    uint32_t bytes;  /* 0: they are all of it */
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
enum intake_more {
    INTAKE_NAMED = 1,    /* by a name that somebody can be addressed by */
    INTAKE_REFERRED = 2, /* it says by whom */
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
    uint32_t source;          /* keyed hashes of source_kind and utm_campaign; 0: not given */
    uint32_t campaign;
    uint8_t more; /* enum intake_more */
    uint8_t reserved[7];
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
    uint32_t source; /* as above */
    uint32_t campaign;
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
    uint64_t call_at_ms;  /* agreed with the person; 0: nothing was */
    uint64_t contact_ms;  /* when the person was tried, as it counts; 0: not, or before it was noted
                           */
    uint8_t odd;          /* of its answers, so many fit no question: kept, and not known by them */
    uint8_t unknown_word; /* 1: a dialer's, which the playbook does not know, so NO_ANSWER */
    uint8_t reserved[6];
};

/* Why a step, a call or a rung came to nothing. Stored; append only. */
#define SKIP_MAP(XX)                                                                               \
    XX(NONE, "none") /* it did not */                                                              \
    XX(LATE, "late")                                                                               \
    XX(NO_QUEUE, "no_queue")     /* the agency has none of that name */                            \
    XX(SILENCED, "silenced")     /* the channel is not used any more */                            \
    XX(NO_ADDRESS, "no_address") /* for this channel */                                            \
    XX(NO_NAME, "no_name")       /* and the step waits for one */                                  \
    XX(RULE, "rule")             /* its `when` does not hold */                                    \
    XX(CALL_OPEN, "call_open")   /* there is one already */                                        \
    XX(TOO_MANY, "too_many")     /* open tasks */                                                  \
    XX(STOPPED, "stopped")       /* do_not_contact */                                              \
    XX(UNDONE, "undone")         /* it was given to a robot, and none has done it in time */

enum skip {
#define XX(name, text) SKIP_##name,
    SKIP_MAP(XX)
#undef XX
        SKIP_END
};
const char *skip_name(enum skip skip);

/* A step that was due, or a call (cadence 0): what became of it. Only counts are folded from it. */
struct effect_step {
    uint64_t due_ms; /* by the playbook; undone: when the task was opened */
    uint64_t task;   /* that it opened, or that ends undone; 0: none */
    uint32_t playbook;
    uint8_t cadence, step;
    uint8_t channel;
    uint8_t skip; /* enum skip */
    uint8_t why;  /* enum call_why, of a call */
    uint8_t reserved[7];
};

/* Why something waits. The law's and the zones' versions say by which data that was decided.
 * Nothing is folded from it. */
enum parked_by {
    PARKED_BY_LAW = 1,
    PARKED_BY_CALENDAR,
    PARKED_BY_DAY_CAP,
    PARKED_BY_CALL_CAP,
    PARKED_BY_GAP,
    PARKED_BY_NAME,  /* a step that waits for one; `opens_ms`: it waits so long */
    PARKED_BY_QUEUE, /* a call that its agency has none for */
    PARKED_END
};
const char *parked_by_name(enum parked_by by);
struct effect_parked {
    uint64_t task;     /* 0: a step that opens none yet */
    uint64_t opens_ms; /* when it is looked at again */
    uint64_t closes_ms;
    uint32_t zone;  /* zone_code on whose clocks; 0: a cap */
    uint8_t by;     /* enum parked_by */
    uint8_t reason; /* enum law_reason */
    char jurisdiction[8];
    char law[12];
    char tz[12];
    uint8_t reserved[2];
};

/* A promise that was not kept (kind TIER), or a rung (kind RUNG). Only counts are folded from
 * it. */
struct effect_escalated {
    uint64_t task;
    uint64_t due_ms;
    uint64_t opened; /* the robot's task; 0: none */
    uint32_t playbook;
    uint8_t tier; /* from 1 */
    uint8_t chain, rung;
    uint8_t skip; /* enum skip, why the robot has none */
};

/* Why somebody else has to do with a person, or with one of its tasks. Stored; append only. */
#define ASSIGNED_MAP(XX)                                                                           \
    XX(CHOSEN, "chosen")       /* it is the agent's turn */                                        \
    XX(OWNER, "owner")         /* the person is the agent's already */                             \
    XX(CLAIMED, "claimed")     /* the agent has taken it */                                        \
    XX(SILENT, "silent")       /* the agent did not claim it: to the team */                       \
    XX(ESCALATED, "escalated") /* a rung */                                                        \
    XX(HANDED, "handed_over")  /* by hand */                                                       \
    XX(GIVEN_UP, "given_up")   /* the owner does not work the queue of this stage, or is gone */

enum assigned_why {
    ASSIGNED_NOT,
#define XX(name, text) ASSIGNED_##name,
    ASSIGNED_MAP(XX)
#undef XX
        ASSIGNED_END
};
const char *assigned_why_name(enum assigned_why why);

/* From one agent to another; 0: nobody, the team. Of a person (task 0), or of a task that is put
 * elsewhere by it. `pass`, when not 0, is where the chosen agent stands in the turns from now on;
 * nothing else is folded from it. */
struct effect_assigned {
    uint64_t task;
    uint64_t pass;
    uint32_t from, to;
    uint32_t queue; /* on which the task is now; 0: none */
    uint8_t why;    /* enum assigned_why */
    uint8_t reserved[3];
};

/* What somebody did by hand to where a person stands. Nothing is folded from it. */
enum move_kind { MOVE_STAGE = 1, MOVE_PLAYBOOK, MOVE_CONTACT_AGAIN, MOVE_REVIEWED, MOVE_KIND_END };
const char *move_kind_name(enum move_kind kind);
/* What another version has no place for: bits of `lost`. */
enum move_loss { MOVE_LOST_CADENCE = 1, MOVE_LOST_STEP = 2, MOVE_LOST_HELD = 4 };
struct effect_moved {
    uint32_t from_playbook, to_playbook;
    uint8_t kind; /* enum move_kind */
    uint8_t from_stage, to_stage;
    uint8_t lost;
    uint8_t reserved[4];
};

/* One person's relation to another, or to what it is found by. What relates people stands both ways
 * round but for COLLIDES. Stored numbers: append only. */
enum edge_kind {
    EDGE_COLLIDES = 1, /* what came for one has an identifier of the other; other 0: something else
                        * is to be looked at */
    EDGE_MERGED_INTO,
    EDGE_MERGED, /* the other one into it */
    EDGE_REFERRED_BY,
    EDGE_REFERRED,
    EDGE_PHONE, /* a number beside the row's, which nobody else had: `other` is its hash_place */
    EDGE_EMAIL,
    EDGE_ALONE,  /* to itself: its row alone stands in the record `seq` */
    EDGE_PARTED, /* from whom it was one with: what it said then stands in that one's history, from
                  * the record `seq` back */
    EDGE_KIND_END
};
/* Set, or taken away. A collision stands in its agency's list for review as well. */
struct effect_edge {
    uint64_t person, other;
    uint64_t seq; /* of the record that set it */
    uint8_t kind; /* enum edge_kind: the way from `person` */
    uint8_t remove;
    uint8_t reserved[2];
    uint32_t agency;
};

/* Both as they were before they became one, for when they are not. Nothing is folded from it. */
struct effect_merged {
    uint64_t kept, other;
    struct person_row kept_before, other_before;
    uint8_t reserved[8]; /* the first was 1 where the other one had an open call */
};

/* What somebody is alone who is one with others: see engine_alone.c. Nothing is folded from it but
 * where it stands, by an edge. */
struct effect_alone {
    uint64_t person;
    uint8_t speaks; /* the record's words are this one's */
    uint8_t comes;  /* it is one with those of the record from then on */
    uint8_t reserved[6];
    struct person_row row;
};

/* The person showed interest. The row that follows comes in its own effect. */
struct effect_signal {
    struct hash identity; /* (task, kind), or (person, kind, day) */
    uint64_t task;        /* whose e-mail it was; 0: nobody's */
    uint64_t at_ms;
    uint32_t points;
    uint8_t kind;     /* enum signal_kind */
    uint8_t hot;      /* the playbook's first temperature holds now */
    uint8_t hastened; /* an open call was moved forward, or a planned one */
    uint8_t reserved;
};

/* Somebody cold is to be called again. */
struct effect_woken {
    uint64_t at_ms;
    uint64_t cold_ms; /* for at least so long */
};

_Static_assert(sizeof(struct effect_signal) == 40, "stored");
_Static_assert(sizeof(struct effect_woken) == 16, "stored");

/* What was counted with the outcome that is amended, to be counted anew where it was. Only counts
 * are folded from it. */
struct effect_amended {
    uint64_t told_ms; /* the outcome */
    uint64_t agent;   /* who told it; see effect_report */
    uint8_t outcome;  /* as it was counted until now */
    uint8_t was_cut;  /* the cadence that it ended before its time, until now; 0: none */
    uint8_t cut;      /* the same as it is amended */
    uint8_t bare;     /* nothing had been sent before it */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct effect_amended) == 24, "stored");
_Static_assert(sizeof(struct record_header) == 72, "stored");
/* Records of earlier versions have rows that end sooner; the rest reads as 0. */
_Static_assert(sizeof(struct effect_step) == 32, "stored");
_Static_assert(sizeof(struct effect_parked) == 64, "stored");
_Static_assert(sizeof(struct effect_escalated) == 32, "stored");
_Static_assert(sizeof(struct effect_assigned) == 32, "stored");
_Static_assert(sizeof(struct effect_received) == 88, "stored");
_Static_assert(sizeof(struct effect_optin) == 104, "stored");
_Static_assert(sizeof(struct effect_report) == 96, "stored");
_Static_assert(sizeof(struct effect_moved) == 16, "stored");
_Static_assert(sizeof(struct effect_edge) == 32, "stored");
_Static_assert(sizeof(struct effect_merged) == 568, "stored");
_Static_assert(sizeof(struct effect_alone) == 288, "stored");
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

/* Appends the effects of another one, in their order. */
bool record_effects(struct record *record, const struct record *from);

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

/* What an effect of kind ADMIN sets its entity to, as a slice of the payload. False: it says that
 * its settings stand where no payload is. */
bool effect_settings(const struct record_view *view, const struct effect_admin *effect,
                     struct slice *out);

/* The row that the record gives this person; false: none. */
bool effect_find_person(const struct record_view *view, uint64_t person, struct person_row *out);
/* What the record says that this one is alone; false: nothing. */
bool effect_find_alone(const struct record_view *view, uint64_t person, struct effect_alone *out);
/* Of several people who are one, whose words the record holds; 0: it does not say. */
uint64_t effect_speaker(const struct record_view *view);

/* The first effect of a kind, copied; false: there is none. */
bool effect_find(const struct record_view *view, enum effect_kind kind, void *out, size_t bytes);

#endif
