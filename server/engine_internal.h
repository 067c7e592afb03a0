/* Shared by engine*.c only. */
#ifndef HOTLEAD_SERVER_ENGINE_INTERNAL_H
#define HOTLEAD_SERVER_ENGINE_INTERNAL_H

#include "proto/json.h"
#include "proto/known.h"
#include "proto/phone_zone.h"
#include "proto/region.h"
#include "proto/report.h"
#include "server/engine.h"
#include "server/law.h"
#include "server/playbook.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum status tried_ = (call);                                                               \
        if (tried_ != STATUS_OK)                                                                   \
            return tried_;                                                                         \
    } while (0)

/* The person that the record at hand is about, loaded once and written once. */
struct engine_person {
    uint64_t number; /* 0: none */
    uint64_t last_seq;
    struct person_row row;
    struct task_row task; /* number 0: none is open */
};

#define MERGED_MAX 16 /* into one person, one way or another */

#define WORDS_BYTES_MAX (4 * OPTIN_STORED_MAX)

/* Ends of business days, kept from when they were asked for last: opt-ins ask for that of today,
 * tasks that are still open for those of their own days, and finding one takes as long as deciding
 * ten records. */
#define DAY_ENDS_KEPT 32
struct day_ends {
    struct day_end {
        const struct playbook_calendar *calendar;
        uint64_t from_ms, end_ms; /* the end of all moments between */
    } kept[DAY_ENDS_KEPT];
    unsigned last, oldest; /* the one that was asked for last; the next one to go */
};

struct task_origin;
struct company;

struct engine {
    struct engine_options options;
    struct engine_person person;     /* apply's */
    struct person_row person_before; /* the same, as it was before the record */
    struct effect_optin decision;    /* of the record, when it is about an opt-in */
    struct effect_report report;     /* of the record; op 0: it has none */
    struct effect_amended amended;   /* of the record; told_ms 0: it has none */
    uint16_t opened;                 /* TALLY_OPTIN_*: the record's opt-in has a first response */
    struct json *json;               /* for settings, which are rare */
    char *padded;                    /* RECORD_PAYLOAD_MAX bytes, and what json wants behind them */
    struct optin *optin;             /* one that is compared with what came again */
    struct optin *words, *known;     /* what the person at hand has said, in `words_bytes` */
    char *words_bytes;
    char *known_bytes;   /* what is known of them, and a second time while that is put together */
    char *news_bytes;    /* what a report brings of it */
    char *told_bytes;    /* a payload that is the engine's own */
    struct record *rest; /* effects that stand behind the person's in the record at hand */
    struct day_ends day_ends;
    struct company *company;     /* of the life at hand */
    struct task_origin *origins; /* ORIGINS_KEPT */
    uint64_t origins_seq;        /* the record that was applied last */
};

/* A task as it stands, and whose. */
struct open_task {
    uint64_t person;
    struct engine_person who;
    struct task_row row; /* number 0: it is not open (any more) */
};

bool engine_load_person(struct engine *engine, uint64_t number, struct engine_person *out);

/* The open task of that number among the person's. */
bool engine_open_task(struct engine *engine, const struct engine_person *who, uint64_t task,
                      struct task_row *out);

/* The same, or who is left of them after a merge. */
bool engine_load_kept(struct engine *engine, uint64_t number, struct engine_person *out);
/* The person has this phone or e-mail, merged or not, be it beside another one. */
bool engine_is_found_by(struct engine *engine, const struct engine_person *who, struct hash hash,
                        bool phone);
/* Who has this phone or e-mail, which is in the hash as the agency is. */
bool engine_find_identity(struct engine *engine, struct hash hash, bool phone,
                          struct engine_person *out);

void engine_begin(struct record *record, enum record_kind kind, const struct turn *turn,
                  uint64_t person, uint64_t person_prev, uint32_t agency);
void engine_effect(struct record *record, enum effect_kind kind, const void *effect, size_t bytes);

/* --- where a task came from (engine_origin.c) ------------------------------------------------- */

#define ORIGINS_KEPT 8192

/* Of the record that opened it. */
struct task_origin {
    uint64_t task, person, opened_ms;
    uint32_t agency, queue;
    uint8_t channel; /* enum task_channel */
};
/* False: there was never such a task. */
bool engine_find_origin(struct engine *engine, uint64_t task, struct task_origin *out);
/* As a record is applied: before all of it, and for each task's row in it. */
void engine_keep_origins(struct engine *engine, uint64_t seq);
void engine_note_origin(struct engine *engine, const struct record_view *record,
                        const struct task_row *row);
/* The row that the record gave a task. */
bool engine_find_opened(const struct record_view *record, uint64_t task, struct effect_task *out);

/* --- what comes once more (engine_again.c) ---------------------------------------------------- */

struct hash engine_report_identity(const struct engine *engine,
                                   const struct command_report *report);
/* There is a record of what has this identity, in the index of events or in the person's history.
 * None is older than `since_seq`, which came at `since_ms`. */
bool engine_came_before(struct engine *engine, struct hash identity,
                        const struct engine_person *who, uint64_t since_seq, uint64_t since_ms);

/* A wish that came before in the same words counts once more where it was lifted since, by a
 * consent or by hand, before it was said. */
bool engine_wishes_again(struct engine *engine, const struct engine_person *who, enum outcome wish,
                         enum task_channel channel, uint64_t said_ms);

/* Records of one person that a decision walks back at most. */
#define LOOKS_BACK 1000

/* --- a life (engine_life.c) ------------------------------------------------------------------ */

#define OPEN_TASKS_MAX   32 /* of one person: what a record can end at once */
#define ROBOT_TASKS_MAX  24 /* with so many no robot gets more: people still do */
#define TASKS_PER_RECORD 8  /* their numbers have three bits for it */
/* Room for all candidates that there may be: the postal code's regions and the phone's, their
 * zones, and the zone that was said. One left out would make legal what is not. */
/* Of what the person says, and of the two opt-ins that a task may be about. */
#define LIFE_JURISDICTIONS (4 * REGIONS_MAX)
#define LIFE_ZONES         (1 + 3 * PHONE_ZONES_MAX + REGIONS_MAX * REGION_ZONES_MAX)
_Static_assert(LIFE_JURISDICTIONS <= LAW_JURISDICTIONS_MAX, "all of them are asked about");

/* Where the person may be. */
struct life_place {
    const char *jurisdictions[LIFE_JURISDICTIONS];
    size_t jurisdiction_count;
    const struct zone *zones[LIFE_ZONES];
    size_t zone_count;
    char countries[4][3];
    const struct zone *local; /* whose dates count */
};

/* What the record at hand makes of one person. Its row is changed in place; tasks and all that is
 * to be read later are put behind it. Begun with the row as it is stored, ended once. */
struct life {
    struct engine *engine;
    const struct turn *turn;
    struct engine_person *who;
    struct person_row before;
    const struct playbook *playbook;
    struct company *company; /* NULL: nobody is merged into the person */
    uint64_t speaker;        /* of those, whose words are told; 0: none are */
    bool is_alone;           /* one of them by itself: nobody is contacted, nothing is withdrawn */

    /* The opt-in at hand, which is not in the journal yet; NULL: there is none. */
    const struct effect_received *received;
    struct slice said;

    unsigned opened;     /* tasks, by this record */
    bool opens_call;     /* one of them is a call */
    uint64_t ended_call; /* by this record; 0: none */
    size_t queue_count;
    struct {
        uint32_t queue;
        unsigned count;
    } taken[2 * OPEN_TASKS_MAX + TASKS_PER_RECORD]; /* outbox seqs, by this record */

    bool has_facts, has_words, has_place, has_known;
    struct hash wrong; /* a number that was just heard to be; none: none was */
    struct slice known;
    struct playbook_facts facts;
    struct life_place place;
};

void life_begin(struct life *life, struct engine *engine, const struct turn *turn,
                struct engine_person *who);
/* Goes on with somebody else, whose own effect is to be made, in the same record. */
void life_turn_to(struct life *life, struct engine_person *who);
/* Behind the person's effect, in the order of the calls. */
void life_effect(struct life *life, enum effect_kind kind, const void *effect, size_t bytes);
/* Appends the person's effect, if anything changed or `always`, and what stands behind it. */
void life_end(struct life *life, struct record *record, bool always);

/* The next outbox seq of a queue. Operations must stand in the record in the order of this. */
uint64_t life_take_seq(struct life *life, uint32_t queue);

/* What is known of the person now; words are looked up where the playbook asks about any. */
const struct playbook_facts *life_facts(struct life *life);
/* What the newest opt-in's form said beside the known fields; texts only. */
struct slice life_field(struct life *life, struct slice name);
/* What the person has said, all opt-ins together. */
const struct optin *life_words(struct life *life);
const struct life_place *life_place(struct life *life);
bool life_is_customer(const struct life *life);
bool life_can_be_called(const struct life *life);
/* A call that is open once the record at hand is done. */
bool life_has_call(struct life *life);

/* Something happened (bits as of playbook_move): the stage that follows. */
void life_move(struct life *life, uint64_t on);
void life_enter(struct life *life, unsigned stage);

/* An opt-in was told to the person's row: its segment, and the cadence that goes with it. */
void life_meet(struct life *life);
void life_start_cadence(struct life *life, unsigned cadence);
/* The one that the person's segment has. */
void life_start_segments(struct life *life);
/* A customer has none of prospects', nor the other way round. */
void life_suit_cadence(struct life *life);
/* The cadence is over, or was cut short. */
void life_go_on(struct life *life);
void life_plan_call(struct life *life, uint64_t at_ms, enum call_why why);
/* So many of the attempts count where somebody is to be given up. */
unsigned life_attempts(const struct life *life);
void life_stop(struct life *life, enum person_end end);
/* Nobody is left without a next step: see engine_life.c. */
void life_keep_going(struct life *life);

/* When the person is due next; 0: not. */
uint64_t life_due_ms(const struct person_row *row);

void life_score_both(struct life *life, const struct person_row *other);
void life_touch(struct life *life, enum task_channel channel, uint64_t at_ms);
void life_score(struct life *life, uint32_t points);
/* The playbook's first temperature holds. */
bool life_is_hot(struct life *life);
/* The segment that the person is of now, and its cadence where that is another one. */
void life_follow(struct life *life);

/* --- what is found out (engine_known.c) ------------------------------------------------------ */

/* See known.h. */
struct slice life_known(struct life *life);
void life_know(struct life *life, struct slice news);
/* Two people's together; `newer`: where both know something, what the other one's says counts. */
void life_join_known(struct life *life, struct life *other, bool newer);
/* The payload of the record at hand: these words, */
struct slice life_written(struct life *life, const struct report *words);
/* and all that is known. */
struct slice life_told(struct life *life, struct report *words);

/* What a report brings of it, in memory of the engine until the next one. */
struct news {
    struct text items; /* what is sound: see known.h */
    struct text room;
    struct hash phone, email; /* found */
    uint64_t collides;        /* whose it is that was found; 0: nobody else's */
    unsigned seen;
    unsigned first_odd; /* what fits no question, or is no phone: which one first; 0: none */
    uint8_t odd;        /* how many */
};
void life_hear_news(struct life *life, const struct report *words, struct news *out);
/* True: the person can be reached in a way that was not known. */
bool life_take_news(struct life *life, const struct news *news);

/* --- another version of the playbook (engine_carry.c) ----------------------------------------- */

/* The row stands in `old`: from now on in the playbook of the life at hand, with the same steps
 * over and the same ones ahead. `lost_out`: bits of enum move_loss. False: one that is over stands
 * too far behind the next one for the row; nobody is to go on with it. */
bool life_carry_over(struct life *life, const struct playbook *old, uint8_t *lost_out);
/* The run of another row, as of the cadence and the next step, in the playbook of the life at hand.
 * False: there is no such cadence either, and the row is as it was. */
bool life_take_run(struct life *life, const struct person_row *from);
/* What waits for a name there; nothing does where this playbook has no such step. */
void life_take_held(struct life *life, const struct person_row *from);
/* Begun at the same time by the same cadence, also where they stand in two versions of the
 * playbook, which number it otherwise. Nobody's run is that of somebody who is in none. */
bool engine_is_same_run(struct engine *engine, const struct person_row *a,
                        const struct person_row *b);
/* The same waits for a name, or nothing does, for both. */
bool engine_is_same_held(struct engine *engine, const struct person_row *a,
                         const struct person_row *b);

/* --- people and people (engine_edge.c) ------------------------------------------------------- */

void life_add_edge(struct life *life, enum edge_kind kind, uint64_t other); /* or it is there */
bool life_drop_edge(struct life *life, enum edge_kind kind, uint64_t other);
/* Something of theirs is another's; 0: there is something else to be looked at, as when a consent
 * has taken "never again" back. */
void life_collide(struct life *life, uint64_t other);
void life_reviewed(struct life *life);
/* Whom the opt-in at hand names; who is not known leads to nobody (engine_refer.c). */
void life_referred_by(struct life *life);

/* Whom no life was planned for yet, an outcome has ended (engine_tally.c). */
bool engine_was_ended(const struct person_row *row);
/* The cadence that an outcome has ended before its time, by the rows before and after it; 0: none
 * (engine_tally.c). */
uint8_t engine_cut(const struct person_row *before, const struct person_row *after);
/* As far back as it is kept when somebody was last tried. */
bool engine_was_sent_something(const struct person_row *row);
/* Nothing was heard of the person since, and nobody called it (engine_grave.c). */
uint64_t engine_silent_since(const struct person_row *row);

/* --- steps and calls (engine_step.c) --------------------------------------------------------- */

#define CALL_WITHIN_MS  86400000ull /* a call that nobody waits for */
#define ROBOT_WITHIN_MS 86400000ull /* an escalation that no robot took by then is over */

/* What the channel needs is known, good or not. */
bool engine_has_address(const struct person_row *row, enum task_channel channel);
/* Why nothing can be done over this channel; `queue` 0: the agency has none for it. */
enum skip life_cannot(struct life *life, enum task_channel channel, uint32_t queue);
bool engine_is_robots(enum task_channel channel);

/* A name has come: a step that waits for one is due now. */
void life_named(struct life *life);
/* Robots' steps of this moment, in the record of the opt-in itself. */
void life_steps_now(struct life *life);
/* The person's due entry; the kind of the record that it makes. */
enum record_kind life_due(struct life *life);

/* --- time (engine_time.c) -------------------------------------------------------------------- */

uint64_t life_after(struct life *life, uint64_t from_ms, struct playbook_span span);
/* When a step of the present cadence is due. */
uint64_t life_step_at(struct life *life, const struct playbook_step *step);

/* When the task may be done, from `ms` on. */
struct life_window {
    bool open;                    /* at `ms` */
    uint64_t opens_ms, closes_ms; /* closes 0: it does not */
    struct effect_parked why;     /* it is not open */
};
/* Those that law and calendar keep hours for. */
bool engine_has_hours(enum task_channel channel);
void life_window(struct life *life, const struct task_row *row, uint64_t ms,
                 struct life_window *out);
/* The caps alone: from when on they allow one more; `ms`: now. */
uint64_t life_caps(struct life *life, enum task_channel channel, uint64_t ms,
                   enum parked_by *by_out);
uint64_t engine_day_end(struct engine *engine, const struct playbook_calendar *calendar,
                        uint64_t ms);

/* --- tasks (engine_task.c) ------------------------------------------------------------------- */

bool life_find_open(struct life *life, enum task_channel channel, struct task_row *out);
/* `<agency>.<name>`; 0: there is none. */
uint32_t life_queue(struct life *life, struct slice name);

/* Where calls to the person go; 0: its agency has no queue for them. */
uint32_t life_call_queue(struct life *life);
uint32_t life_call_queue_at(struct life *life, uint32_t site); /* for what came by that site */

/* A task of the person as it begins: told of the newest opt-in, on no queue, with no deadline. */
void life_new_task(struct life *life, enum task_channel channel, enum task_kind kind,
                   struct task_row *row);
/* Which opt-in it is about: the newest, and where that leaves something out, what has it. */
void life_tell_task(struct life *life, struct task_row *row);
/* Whether what it says then names somebody whom one can address so. */
bool life_names(struct life *life, enum task_channel channel);
/* Puts it, or parks it until its window opens; then it is an effect. `at_ms`: from when on. */
void life_open_task(struct life *life, struct task_row *row, uint64_t at_ms);
/* Withdraws the delivery that was out and puts the next one, on another queue where that is not 0,
 * or parks it; a deadline that passed during the lease is a breach when that ended. Returns the
 * drop's outbox seq. */
uint64_t life_requeue(struct life *life, struct task_row *row, uint32_t queue,
                      uint64_t given_back_ms);
/* An open call that nobody has in hand becomes another kind of call, with another deadline: the
 * next delivery, from `at_ms` on, about the newest opt-in. Returns the drop's outbox seq, 0: none.
 */
uint64_t life_put_anew(struct life *life, struct task_row *row, uint64_t at_ms);
/* The same before it is put. */
void life_make_anew(struct life *life, struct task_row *row, uint64_t at_ms);
/* A parked task whose window has opened, or was looked for too early; OPENED or PARKED. */
enum record_kind life_put(struct life *life, struct task_row *row);
/* A parked call whose hours may be others now: put, or parked until they open, and promised from
 * then on. */
void life_wait_anew(struct life *life, struct task_row *row);
/* A call that is open, or planned, comes at once; true: something was moved forward. */
bool life_hasten(struct life *life);
void life_task_effect(struct life *life, const struct task_row *row, uint64_t drop_seq);
void life_end_task(struct life *life, const struct task_row *row);
/* Somebody has popped or claimed it. */
bool engine_is_in_hand(const struct task_row *row);
/* A robot's, which none has done by its deadline; and it ends so. */
bool engine_is_over(const struct task_row *row, uint64_t now_ms);
void life_leave_undone(struct life *life, const struct task_row *row);

/* Which of the open tasks end. */
struct life_endings {
    unsigned channels; /* bit n: all of channel n */
    unsigned wrong;    /* bit n: of channel n, what shows the number just heard to be wrong */
    bool steps;        /* those of cadences that are not under way */
    bool calls;        /* those that were planned, and that nobody has in hand */
    uint64_t but;      /* not this one */
};
void life_end_tasks(struct life *life, const struct life_endings *endings);

/* What the task's queue says, else the playbook that it is worked by. */
uint64_t engine_report_within_ms(const struct engine *engine, const struct task_row *row);
uint64_t engine_claim_holds_ms(const struct engine *engine, const struct task_row *row);

/* Sets the row's one due entry from what it waits for. */
void engine_schedule(struct engine *engine, struct task_row *row);
void engine_breach(struct engine *engine, struct task_row *row, uint64_t broken_ms);

/* --- whose it is (engine_assign.c) ----------------------------------------------------------- */

void engine_set_queue(struct engine *engine, struct task_row *row, uint32_t number);
/* Takes it from the agent or the manager whose queue it is on; the queue that it is to be put on
 * comes back, 0: it is there. */
uint32_t engine_to_team(struct task_row *row);
/* A task is about to be put on its team's queue: perhaps there is an agent who is to have it. */
void life_give(struct life *life, struct task_row *row);
/* An agent has claimed it; 0: one who is not registered. */
void life_take_hold(struct life *life, struct task_row *row, uint32_t agent);
/* The agent that a report names, if it is one of the person's agency; else 0. */
uint32_t life_agent_named(const struct life *life, struct slice report);
/* Who does not work where calls to the person go now is its owner no more. */
void life_check_owner(struct life *life);
/* Its agent was silent. */
void life_go_to_team(struct life *life, struct task_row *row);
/* Nobody has claimed it: puts it where `whom` finds it. The drop's outbox seq, 0: it stays. */
uint64_t life_escalate(struct life *life, struct task_row *row, enum playbook_whom whom);
/* Gives one of the people who have a task with the agent to nobody, and its tasks to the team.
 * NOT_FOUND: there is none. */
enum status engine_clear_agent(struct engine *engine, uint32_t agent, const struct turn *turn,
                               struct record *record);

/* --- the first response (engine_sla.c) ------------------------------------------------------- */

/* By when there is to be contact if that could be had from `from_ms` on. */
uint64_t engine_deadline(struct engine *engine, const struct task_row *row, uint64_t from_ms);
/* The same, the tiers and the escalation that begin with it, as the task's segment has them, and
 * the business day within which it is promised. */
void engine_promise(struct engine *engine, struct task_row *row, uint64_t from_ms);
/* Only that day: what came at `asked_ms` is answered within it. */
void engine_promise_day(struct engine *engine, struct task_row *row, uint64_t asked_ms);
/* The earliest tier that is still kept; 0: none is left. */
unsigned engine_next_tier(struct engine *engine, const struct task_row *row, uint64_t *at_ms_out);
uint64_t engine_next_rung_ms(struct engine *engine, const struct task_row *row); /* UINT64_MAX */
/* The business day by whose end an answer was promised is over. */
void life_miss_promise(struct life *life, const struct task_row *row);
void life_miss_tier(struct life *life, struct task_row *row, uint64_t due_ms);
void life_climb(struct life *life, struct task_row *row, uint64_t due_ms);

/* --- what follows from an outcome (engine_outcome.c) ----------------------------------------- */

struct heard {
    enum outcome outcome;
    enum task_channel channel;
    uint64_t said_ms, contact_ms;
    uint64_t call_at_ms;  /* what was agreed; 0: nothing */
    uint64_t task;        /* that it ended, */
    struct task_row told; /* and as that was; number 0: it is not known */
    struct slice value;
};
/* "Stop" counts by whatever means it is said, at once and for all channels; only who unsubscribes
 * from mail has said nothing about calls. */
bool engine_is_revocation(enum outcome outcome, enum task_channel channel);
/* A wish of the person holds whenever it is said; nothing else that is said behind a task's outcome
 * does. */
bool engine_is_wish(uint8_t outcome);
/* What only happens to what is sent, or only comes of a search, is no outcome of a call. */
bool engine_can_be(enum outcome outcome, enum task_channel channel);
const struct playbook_outcome *engine_outcome(const struct playbook *playbook,
                                              enum outcome outcome);
/* The channels that are not used any more after it. */
unsigned engine_silenced_by(const struct playbook *playbook, enum outcome outcome,
                            enum task_channel channel);
/* The one that says whether it was an attempt, and contact: `unsubscribed` is what a robot hears of
 * its mail, but to a human it is said as `do_not_contact` is. */
const struct playbook_outcome *engine_trial(const struct playbook *playbook, enum outcome outcome,
                                            enum task_channel channel);
/* OK, or TOO_FEW_ATTEMPTS: it would end what may not be ended yet. `attempts`: this one included.
 */
enum status engine_may_end(const struct playbook *playbook, enum outcome outcome,
                           unsigned attempts);
/* What it says about the person: the stage, a conversation, and that there was one then. */
void life_learn(struct life *life, enum outcome outcome, uint64_t contact_ms);
void life_note_sale(struct life *life, const struct heard *heard);
/* Whom an outcome names, instead of the one whom its task had named; 0: nobody. */
void life_refers(struct life *life, const struct heard *heard, uint64_t before);
/* What comes next, and what was sold. */
void life_hear(struct life *life, const struct heard *heard);
/* It turns out to have been said before the last word about the person. Silences and "never again"
 * count whenever they were said; what is planned goes by the last word. */
void life_hear_of_before(struct life *life, const struct heard *heard);

/* --- opt-ins (engine_optin.c), and updates of them (engine_update.c) ------------------------- */

/* Why there is to be no task; a consent given since takes "never again" back from the row. */
enum no_task engine_reason(struct person_row *row, const struct effect_received *facts,
                           uint64_t came_ms);
/* Who cannot be reached is looked for; who can is called, within what the segment promises. */
void life_begin_response(struct life *life, bool unreachable, uint64_t from_ms,
                         struct task_row *row);
/* The open call learns what was said later, such as the phone that it lacked. Where it stands in
 * its queue it is given out anew, and where it waits it keeps the hours of that phone; whoever has
 * it in hand finds it with the person, and the next delivery has it. */
void life_add_to_task(struct life *life, struct task_row *open, uint64_t said_seq);

/* Appends what follows from an update to the record at hand, which is the person's; its words are
 * the payload of record `said_seq`, which came at `said_ms`. */
void engine_decide_update(struct engine *engine, const struct effect_received *facts,
                          const struct effect_optin *found, struct slice said, uint64_t said_seq,
                          uint64_t said_ms, const struct turn *turn, struct engine_person *who,
                          struct record *record);

/* Somebody was found out how to reach: the first response, if none was possible. */
void life_reach(struct life *life);
/* A first response from now on, or research of how to give one: its task; 0: it is planned, since
 * the agency has no queue for it. `asked_ms`: from then on the day counts by whose end it was
 * promised. */
uint64_t life_respond(struct life *life, uint64_t asked_ms);

/* --- decisions ------------------------------------------------------------------------------- */

enum status engine_decide_optin(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement);

/* Who has this phone or e-mail? An answer without a record. */
enum status engine_decide_find(struct engine *engine, const struct command *command,
                               struct settlement *settlement);

enum status engine_decide_report(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement);

enum status engine_decide_admin(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement, bool *more_out);

enum status engine_decide_assign(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement);

/* Whom a command names, if whoever asks may. */
bool engine_load_whom(struct engine *engine, const struct command_person *command, uint64_t number,
                      uint64_t first_ms, struct engine_person *out);
enum status engine_decide_move(struct engine *engine, const struct command *command,
                               const struct turn *turn, struct record *record,
                               struct settlement *settlement);
enum status engine_decide_merge(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement);

enum status engine_decide_signal(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement);
enum status engine_decide_wake(struct engine *engine, const struct command *command,
                               const struct turn *turn, struct record *record,
                               struct settlement *settlement);

/* --- what apply pushes (engine_outbox.c); of the person at hand, errors as of state_*_put ----- */

/* Takes the row's put and its due entry away, as far as it has them. */
enum status engine_retract(struct engine *engine, const struct task_row *old);
/* Withdraws the put that was out. */
enum status engine_drop_put(struct engine *engine, const struct record_view *record, uint64_t seq,
                            const struct task_row *old);
/* Puts what the row has of them, and tells whoever listens of a new put. */
enum status engine_install(struct engine *engine, const struct record_view *record,
                           const struct task_row *row);
/* The same for anybody's row, and tells nobody: what was put is put again. */
enum status engine_put_rows(struct state *state, uint64_t person, const struct task_row *row);

/* --- what apply counts (engine_tally.c); errors as of state_tally ---------------------------- */

/* The person, from person_before to now. */
enum status engine_tally_person(struct engine *engine);
/* The opt-in that engine->decision is about. */
enum status engine_tally_optin(struct engine *engine, const struct record_view *record);
/* A task of the person at hand is opened (`old` is empty), or changed. Before the opt-in is. */
enum status engine_tally_task(struct engine *engine, const struct record_view *record,
                              const struct task_row *old, const struct task_row *row);
/* The deadline of a task of the person at hand has passed; `held`: while somebody had it. */
enum status engine_tally_breach(struct engine *engine, const struct record_view *record,
                                const struct task_row *task, bool held);
/* A task of the person at hand has ended. */
enum status engine_tally_end(struct engine *engine, const struct record_view *record,
                             const struct task_row *task);
/* The first outcome of a task, as engine->report has it. */
enum status engine_tally_outcome(struct engine *engine, const struct record_view *record);
/* What is said of the task instead, as engine->amended and engine->report have it. */
enum status engine_tally_amended(struct engine *engine, const struct record_view *record);
/* A step or a call was due to the person at hand. */
enum status engine_tally_step(struct engine *engine, const struct record_view *record,
                              const struct effect_step *effect);
/* A tier or a rung of this task of the person at hand. */
enum status engine_tally_escalated(struct engine *engine, const struct record_view *record,
                                   const struct effect_escalated *effect,
                                   const struct task_row *task);

#endif
