/* The business: decide and apply.
 *
 *   decide(state, command, rules, now) -> record    may look at everything; writes every
 *                                                  choice into the record
 *   apply(state, record)                            copies what the record says, nothing else
 *
 * Live, the writer decides and applies; a rebuild only applies; both give the same rows.
 * Neither reads a clock, a socket or a random number. Writer thread. */
#ifndef HOTLEAD_SERVER_ENGINE_H
#define HOTLEAD_SERVER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/index.h"
#include "server/journal.h"
#include "server/playbook.h"
#include "server/record.h"
#include "server/site.h"
#include "server/state.h"

#define DEADLINE_MS       300000ull /* contact within 5 minutes */
#define IDEMPOTENCY_MS    (7ull * 86400000)
#define CONTENT_REPLAY_MS 300000ull
#define AMEND_WITHIN_MS   300000ull
#define DROPS_KEPT_MS     3600000ull /* and of all queues no more than: */
#define DROPS_KEPT_MAX    65536
#define POPPED_PER_RECORD 64

enum command_kind {
    COMMAND_OPTIN = 1,
    COMMAND_REPORT,
    COMMAND_POPPED,
    COMMAND_ADMIN,
    COMMAND_BARRIER, /* nothing to decide: OK when state has committed all before it */
    COMMAND_EPOCH,   /* a new incarnation; the writer's own record */
    COMMAND_FIND,    /* who has this phone or e-mail? optin.phone, optin.email */
    COMMAND_ASSIGN,  /* somebody else's from now on; the payload is an encoded report with a note */
    COMMAND_MOVE,    /* somebody puts a person elsewhere */
    COMMAND_MERGE,   /* two people are one, or not after all */
    COMMAND_SIGNAL,  /* somebody showed interest */
    COMMAND_WAKE,    /* somebody cold is taken up again */
};

/* One thing to decide. Plain numbers; `payload` is what goes into the journal (an encoded
 * opt-in or report, an entity's settings) and is copied by writer_submit. */
struct command {
    enum command_kind kind;
    uint64_t ticket; /* the submitter's; handed back with the settlement */
    uint64_t now_ms; /* engine time when it came in */
    struct slice payload;
    union {
        struct effect_received optin;
        struct command_report {
            uint64_t task;      /* number */
            uint64_t opened_ms; /* of the task, as its id says; 0: not known */
            uint64_t agent;     /* keyed hash, 0: none */
            uint64_t started_ms, ended_ms;
            uint64_t call_at_ms;            /* agreed with the person; 0: nothing was */
            uint64_t stream_ms, stream_seq; /* 0: over HTTP */
            uint32_t queue;                 /* whose stream it came in by; 0: over HTTP */
            uint32_t agency;                /* the token's; 0: any */
            uint16_t delivery;
            uint8_t op, outcome;
            bool manager;
            uint8_t signal; /* enum signal_kind */
        } report;
        struct command_signal {
            uint64_t person, person_first_ms; /* as the public id says */
            uint64_t task, task_opened_ms;    /* whose e-mail it was; 0: nobody's */
            uint64_t at_ms;
            uint32_t agency; /* the caller's; 0: any */
            uint8_t kind;
        } signal;
        struct command_wake {
            uint64_t person;
            uint64_t cold_ms; /* who was silent for less is left alone */
            uint32_t agency;
        } wake;
        struct command_popped {
            uint32_t queue;
            bool empty;          /* nothing is in the queue */
            uint64_t rank_ms;    /* else: what stands first. Lists: the outbox seq of the */
            char id[30];         /* first own member; ids order members of one rank */
            uint64_t pushed_seq; /* puts over this were not in Redis when it was looked at */
        } popped;
        /* Settings behind those of the entity, a line each, are new queues that come with it. */
        struct command_admin {
            enum entity_kind entity;
            uint32_t number; /* 0: new; the next version of a playbook is always new */
            bool remove;     /* an agency with its robots' queues */
        } admin;
        /* The payload is a report's: `agent` who did it, `note` why, `value` the stage. */
        struct command_person {
            uint64_t number, first_ms; /* as the id says; first_ms 0: not known */
            uint64_t other, other_first_ms;
            uint32_t agency; /* the token's; 0: any */
            uint32_t playbook, from;
            uint8_t move; /* enum move_kind */
            bool is_page; /* one of many: only who is on version `from` still */
            bool undo;    /* of the merge */
        } person;
        uint64_t epoch; /* random, not 0 */
        struct command_assign {
            uint64_t person;   /* 0: the first of those that `from` owns */
            uint64_t first_ms; /* as its id says; 0: not known */
            uint32_t from, to; /* agents; to 0: nobody's */
            uint32_t agency;   /* the token's; 0: any */
            uint32_t by;       /* agent who says so, and must be the owner, unless */
            bool manager;
        } assign;
    };
};

/* Why something by hand was refused, beside the status. */
enum denial {
    DENIED_NOT,
    DENIED_STAGE_UNKNOWN,
    DENIED_NO_WAY, /* no transition by hand leads there */
    DENIED_GUARD,  /* one does, but not for this person */
    DENIED_PLAYBOOK_UNKNOWN,
    DENIED_STAGE_LOST, /* that version has no such stage */
    DENIED_MERGED,     /* it is another one */
    DENIED_NOT_MERGED,
    DENIED_SAME,
    DENIED_TOO_MANY,
    DENIED_STEPS_FAR, /* that version has steps that are over too far behind the next one */
    DENIED_END
};

/* What came of a command. */
struct settlement {
    uint64_t ticket;
    enum command_kind kind;
    enum status status;        /* OK, DUPLICATE: stored. ACCEPTED: received, decided later */
    uint64_t seq;              /* of the record; for DUPLICATE of the first one */
    uint64_t now_ms;           /* of the record */
    bool kept;                 /* REPEATED: other content under a known id was kept */
    struct effect_optin optin; /* OPTIN, when OK or DUPLICATE; FIND: person, person_first_ms */
    uint32_t entity_number;    /* ADMIN */
    uint16_t queue_numbers[SITE_ROBOTS_MAX]; /* ADMIN: of the queues that came with it */
    uint64_t task_person;                    /* REPORT */
    uint16_t delivery;                       /* REPORT: the present one */
    uint64_t lease_until_ms;                 /* REPORT: claim, extend */
    uint64_t waited_ms;                      /* REPORT: claim, outcome: from the opt-in to it */
    unsigned odd_item;              /* REPORT, when INVALID: the first of its answers and finds that
                                     * cannot be, from 1; 0: something else is wrong */
    bool unknown_word;              /* REPORT: counted as no_answer, see effect_report */
    bool wish;                      /* REPORT: CONFLICT, but the person is left alone from now on */
    bool no_amount;                 /* REPORT: the value of a sale is none. INVALID, or over a
                                     * stream: it was left out */
    enum denial denial;             /* MOVE, MERGE; REPORT: an outcome that is late because its
                                     * person was merged */
    struct effect_moved moved;      /* MOVE */
    uint64_t other, other_first_ms; /* MERGE: who is not left; who is, stands in optin */
    uint64_t call_ms;               /* WAKE: when the person is called */
    uint32_t points;                /* SIGNAL: what it counted */
    bool hot;                       /* SIGNAL: the person is now */
};

/* One outbox operation that a record made, for the live feed. */
struct engine_outbox {
    uint32_t queue;
    uint64_t seq;
    enum outbox_op op;
    uint64_t person, person_first_ms;
    struct task_row task;             /* as it was put */
    const struct record_view *record; /* that made it */
};
typedef void engine_outbox_fn(void *owner, const struct engine_outbox *operation);

struct engine_options {
    struct journal *journal; /* read through journal_batch_read while deciding */
    struct state *state;
    struct index *index;
    struct registry *registry; /* the writer's */
    const struct hash_key *hash_key;
    const struct hash_key *id_key;
    engine_outbox_fn *on_outbox; /* NULL: nobody listens */
    void *owner;
};

struct engine;
enum status engine_open(const struct engine_options *options, struct engine **out);
void engine_close(struct engine *engine);
void engine_listen(struct engine *engine, engine_outbox_fn *on_outbox, void *owner);

/* Where in the journal a decision will stand, and when. */
struct turn {
    uint64_t seq;       /* the record's */
    uint64_t admin_seq; /* newest GENESIS, EPOCH or ADMIN record before it */
    uint64_t now_ms;    /* engine time, not below the last record's */
};

/* Decides one command. OK: `record` is sealed, to be applied and appended, and `settlement`
 * is what to say once it is committed (its status need not be OK: a late outcome is kept and
 * answered CONFLICT); `more_out`: call again with the same command, there is more to do.
 * Anything else (DUPLICATE too): no record, `settlement` is the answer. */
enum status engine_decide(struct engine *engine, const struct command *command,
                          const struct turn *turn, struct record *record,
                          struct settlement *settlement, bool *more_out);

/* The command is going to be decided a few commands from now: asks for what it will look up. */
void engine_expect(const struct engine *engine, const struct command *command);

/* An opt-in while state is not there: journalled as it is. Uses nothing but the command
 * and the registry. */
enum status engine_receive(struct engine *engine, const struct command *command,
                           const struct turn *turn, struct record *record,
                           struct settlement *settlement);

/* Decides a received opt-in once state has caught up: a sealed DECIDED record. */
enum status engine_decide_received(struct engine *engine, const struct record_view *received,
                                   const struct turn *turn, struct record *record);

/* The earliest thing due at or before turn->now_ms, decided. NOT_FOUND: nothing is due. */
enum status engine_decide_due(struct engine *engine, const struct turn *turn,
                              struct record *record);
uint64_t engine_next_due_ms(struct engine *engine); /* UINT64_MAX: nothing */

/* Whom the journal has from before lives were planned is given a next step, or an end. Looks at
 * `most` people behind *after, which moves on, and decides the record of the first that needs one,
 * or, behind the last, that all have it. NOT_FOUND: there is no record to be made of these. */
enum status engine_decide_adoption(struct engine *engine, const struct turn *turn, uint64_t *after,
                                   unsigned most, struct record *record);
bool engine_has_adopted(const struct engine *engine); /* all of them */

/* Copies the record's effects into state, index and registry. DISK_FULL, IO: the state
 * transaction is lost (abort, then apply again from its folded seq). */
enum status engine_apply(struct engine *engine, const struct record_view *record);

/* Nothing is planned for the person any more, and nothing says why. For figures; any thread. */
bool engine_is_adrift(const struct person_row *row);

/* Was last heard to be unsatisfied. For figures; any thread. */
bool engine_is_unhappy(const struct person_row *row);

/* When the next call out of the graveyard may be. So far apart that no day has more of them than
 * the playbook allows: each behind the last that was given out, 0: none was. */
uint64_t engine_wake_slot(const struct playbook *playbook, uint64_t last_ms, uint64_t now_ms);

/* Nothing was heard of the person, and nobody called it, for so long; and it may be taken up again:
 * it is no customer, wants to be contacted, and no call is open, agreed, or planned until
 * `slot_ms`, as of who was woken. Any thread. `task`: its open call; number 0, or another task: it
 * has none. */
bool engine_is_cold(const struct person_row *row, const struct task_row *task, uint64_t now_ms,
                    uint64_t cold_ms, uint64_t slot_ms);

/* What can be known of somebody without looking up a word: numbers, flags, the stage. Any thread.
 */
void engine_plain_facts(const struct playbook *playbook, const struct person_row *row,
                        uint64_t now_ms, struct playbook_facts *facts);

/* Puts the rows of due, visible and outbox that the people and tasks of a record have now: see
 * state_settled_seq. DISK_FULL, IO as above. */
enum status engine_restore(struct engine *engine, const struct record_view *record);

#endif
