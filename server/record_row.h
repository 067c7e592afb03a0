/* Rows: what is known of a task and of a person. Records carry them in their effects as they are
 * from then on, and state keeps the newest of each. Stored as they stand here, little-endian. */
#ifndef HOTLEAD_SERVER_RECORD_ROW_H
#define HOTLEAD_SERVER_RECORD_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"

enum task_state {
    TASK_QUEUED = 1, /* has its put in the outbox: visible, or about to be */
    TASK_POPPED,     /* gone from Redis, nobody said so: leased for report_within */
    TASK_CLAIMED,    /* leased to an agent */
    TASK_PARKED,     /* waits for its window: is put at not_before_ms */
};
const char *task_state_name(enum task_state state); /* beyond the enum: a bug */
enum task_flag {
    TASK_BREACHED = 1,
    TASK_IN_LIST = 2,      /* its queue is a Redis list: ranked by put_seq */
    TASK_NAMELESS = 4,     /* of a person whose name is not known: its step has other words then */
    TASK_PHONELESS = 8,    /* a call, and the number that is known is wrong: it is not told */
    TASK_LEARNT = 16,      /* a first response that could only be begun by what was learnt later */
    TASK_OTHER_PHONE = 32, /* its opt-in's number is not the person's: more_seq's is told */
    TASK_OTHER_EMAIL = 64, /* the same of its address */
};
/* What an entry of the due table is about. Stored numbers: append only. */
enum due_kind {
    DUE_NONE,
    DUE_BREACH = 1,
    DUE_LEASE = 2,
    DUE_TIER = 3,
    DUE_RUNG = 4,
    DUE_PUT = 5,    /* the window opens */
    DUE_SHUT = 6,   /* the window closes */
    DUE_PERSON = 7, /* not a task's: the next step, or the next call */
    DUE_SILENT = 8, /* its agent has not claimed it: the team may */
    DUE_OVER = 9,   /* no robot has done it by its deadline: it ends */
};

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
    uint8_t own_source; /* its opt-in came from elsewhere than the person's first one: `source` */
    uint64_t more_seq;  /* the record whose payload says what the opt-in's lacks: a later one about
                         * it, or an earlier one of the person; 0: none */
    uint32_t playbook;  /* the version that it is worked by */
    uint32_t tiers;     /* bit n: tier n is missed, or is the deadline itself */
    uint32_t zone;      /* zone_code of the window; 0: it has none */
    uint8_t cadence;    /* whose step opened it; 0: none did */
    uint8_t step;
    uint8_t segment;
    uint8_t rung; /* of its escalation: the next one; of what a rung opened: that one; 0: none */
    uint64_t promise_ms;  /* the end of the business day by which it is to be answered; 0: nothing
                           * was promised */
    uint64_t closes_ms;   /* from then on it may not be done; 0: its window does not close */
    uint64_t claim_by_ms; /* from its agent's queue it goes to the team's; 0: it is not there */
    uint32_t team;        /* the queue that it goes back to; 0: it stands on that one */
    uint32_t with;        /* number of the agent whose own queue it is on, or who has claimed it */
    uint64_t known_seq;   /* the record whose payload holds what is known of the person; 0: none */
    uint32_t source;      /* hashes as its opt-in has them, where they are its own; else 0 */
    uint32_t campaign;
};

enum person_flag {
    PERSON_REVIEW = 1, /* phone and e-mail point at two people */
    PERSON_DO_NOT_CONTACT = 2,
    PERSON_CONSENT_AGAIN = 4, /* do_not_contact was left by a later consent */
    PERSON_CUSTOMER = 8,
    PERSON_BAD_PHONE = 16, /* a malformed one came beside a good identifier */
    PERSON_BAD_EMAIL = 32,
    PERSON_CONVERSED = 64, /* there was a conversation */
    PERSON_IMPORTED = 128, /* the newest opt-in came from a list */
};

enum person_mark {
    PERSON_UNHAPPY = 1, /* was last heard to be unsatisfied; before this was noted, `end` says it */
    PERSON_JOINED = 2,  /* others are merged into it, and each of them has a row alone */
    PERSON_PARTED = 4,  /* some of what it said stands in the history of whom it was one with */
    PERSON_OWED = 8,    /* a first response, as by CALL_AGAIN, beside a time that is agreed */
};

/* Why a person is called again. Stored; append only. */
enum call_why {
    CALL_NOT,
    CALL_RETRY,
    CALL_WAKE,
    CALL_AGREED,
    CALL_SIGNAL, /* the person showed interest */
    CALL_AGAIN,  /* the first response, which a merge had withdrawn */
    CALL_WHY_END
};
const char *call_why_name(enum call_why why); /* NULL for NOT; beyond the enum: a bug */

/* Why nothing more happens to a person by itself. Stored; append only. */
enum person_end {
    PERSON_WORKED,      /* something does */
    PERSON_NOT_STARTED, /* a test, or suspect */
    PERSON_STOPPED,     /* by the law: never again */
    PERSON_GIVEN_UP,    /* by an outcome that ends it */
    PERSON_RUN_OUT,     /* the last cadence has come to its end */
    PERSON_MERGED,      /* it is another one: see EDGE_MERGED_INTO */
    PERSON_END_END
};
const char *person_end_name(enum person_end end); /* NULL for WORKED; beyond the enum: a bug */

#define TOUCHES_KEPT 8
#define PASSED_BITS  32

/* Seconds of 32 bits, here and there, end in February 2106. */
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
    uint8_t end;        /* enum outcome that ended the last task; 0: none */
    uint8_t reason;     /* enum no_task of the last opt-in */
    uint8_t open_tasks; /* apply keeps it: what a record says of it does not count */
    uint8_t marks;      /* enum person_mark */
    uint32_t stopped_s; /* do_not_contact was last said, in seconds since 1970; 0: never, or before
                         * this was noted */
    uint64_t phone_seq; /* the record whose payload brought the phone; 0: first_seq, or none did */
    uint64_t email_seq;
    uint64_t cadence_ms; /* when its cadence began */
    uint64_t step_ms;    /* when the next step is due; 0: there is none */
    uint64_t due_ms;     /* its one entry in the due table, the earlier of step and call; 0: none */
    uint32_t playbook;   /* the version that it is pinned to */
    uint32_t site;       /* of the newest opt-in */
    uint32_t first_site; /* where it came from: of the first opt-in */
    uint32_t source;
    uint32_t campaign;
    uint32_t zone; /* zone_code of its dates; 0: not asked for yet, or not known */
    uint32_t score_hundredths;
    uint32_t score_s;  /* when it was that */
    uint8_t segment;   /* 0: none yet */
    uint8_t cadence;   /* 0: none */
    uint8_t step;      /* the next one, from 1; 0: none */
    uint8_t call_why;  /* enum call_why */
    uint16_t calls;    /* unanswered ones in a row */
    uint16_t silenced; /* bit n: channel n is not used any more */
    /* From here on mostly 0, which is not stored at a row's end. */
    uint16_t sold_attempt;          /* at which attempt it bought; 0: it has not */
    uint8_t closed;                 /* enum person_end */
    uint8_t touch_calls;            /* bit n: touches[n] was a call */
    uint32_t touches[TOUCHES_KEPT]; /* when it was last tried, in seconds, newest first; 0: none */
    uint8_t held_cadence;           /* the step that waits for a name */
    uint8_t held_step;
    uint16_t attempts_before; /* those before it came back from an end */
    uint64_t call_ms;         /* when it is to be called again; 0: nothing is agreed */
    uint64_t conversed_ms;    /* first conversation; 0: none */
    uint64_t sold_cents;
    uint64_t name_seq;  /* the record whose payload brought a name; 0: none, or before this was
                         * noted */
    uint64_t known_seq; /* the newest record whose payload holds all answers and findings */
    uint64_t held_ms;   /* a step waits until then for a name; 0: none does */
    uint32_t missed_s;  /* the newest moment by which it was promised an answer and had none, in
                         * seconds since 1970; 0: every promise was kept */
    uint32_t passed;    /* bit n: of its cadence, the step that is n + 1 behind the next one is over
                         * already, as the person came from a version with another order. Of no
                         * meaning when there is no next one */
};

/* The record whose words brought the person's own number, or its own address. */
static inline uint64_t person_brought_by(const struct person_row *row, bool phone)
{
    uint64_t seq = phone ? row->phone_seq : row->email_seq;

    return seq != 0 ? seq : row->first_seq;
}

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

_Static_assert(sizeof(struct task_row) == 200, "stored");
_Static_assert(sizeof(struct person_row) == 272, "stored");

#endif
