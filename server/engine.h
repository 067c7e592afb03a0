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
#include "server/record.h"
#include "server/site.h"
#include "server/state.h"

#define DEADLINE_MS          300000ull /* contact within 5 minutes */
#define IDEMPOTENCY_MS       (7ull * 86400000)
#define CONTENT_REPLAY_MS    300000ull
#define AMEND_WITHIN_MS      300000ull
#define ATTEMPTS_BEFORE_DEAD 7
#define DROPS_KEPT_MS        3600000ull
#define POPPED_PER_RECORD    64

enum command_kind {
    COMMAND_OPTIN = 1,
    COMMAND_REPORT,
    COMMAND_POPPED,
    COMMAND_ADMIN,
    COMMAND_BARRIER, /* nothing to decide: OK when state has committed all before it */
    COMMAND_EPOCH,   /* a new incarnation; the writer's own record */
    COMMAND_FIND,    /* who has this phone or e-mail? optin.phone, optin.email */
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
            uint64_t stream_ms, stream_seq; /* 0: over HTTP */
            uint32_t queue;                 /* whose stream it came in by; 0: over HTTP */
            uint32_t agency;                /* the token's; 0: any */
            uint16_t delivery;
            uint8_t op, outcome;
            bool manager;
        } report;
        struct command_popped {
            uint32_t queue;
            bool empty;          /* nothing is in the queue */
            uint64_t rank_ms;    /* else: what stands first. Lists: the outbox seq of the */
            char id[30];         /* first own member; ids order members of one rank */
            uint64_t pushed_seq; /* puts over this were not in Redis when it was looked at */
        } popped;
        struct command_admin {
            enum entity_kind entity;
            uint32_t number; /* 0: new */
            bool remove;
        } admin;
        uint64_t epoch; /* random, not 0 */
    };
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
    uint64_t task_person;      /* REPORT */
    uint16_t delivery;         /* REPORT: the present one */
    uint64_t lease_until_ms;   /* REPORT: claim, extend */
    uint64_t waited_ms;        /* REPORT: claim, outcome: from the opt-in to it */
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

/* Copies the record's effects into state, index and registry. DISK_FULL, IO: the state
 * transaction is lost (abort, then apply again from its folded seq). */
enum status engine_apply(struct engine *engine, const struct record_view *record);

/* Puts the rows of due, visible and outbox that the tasks of a record have now: see
 * state_settled_seq. DISK_FULL, IO as above. */
enum status engine_restore(struct engine *engine, const struct record_view *record);

#endif
