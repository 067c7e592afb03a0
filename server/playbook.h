/* A playbook: an agency's process as data. Which stages there are and what leads from one to the
 * next, what each outcome does, when is called again, which cadence whom, deadlines, escalation,
 * limits. One YAML file, checked as a whole when it is opened; after that everything is a number or
 * a slice, nothing is looked up by name and nothing can be wrong.
 *
 * A file may say `based_on: default`: what it does not say is then the shipped default's. The
 * canonical form holds all of it, so that a stored version means the same under every release;
 * files that mean the same have the same canonical form, hence the same hash.
 *
 * Numbers of stages, cadences, ... count from 1 in the order of `items`; 0 is none. Never changed
 * once opened: any thread may read. */
#ifndef HOTLEAD_SERVER_PLAYBOOK_H
#define HOTLEAD_SERVER_PLAYBOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/report.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "proto/task.h"
#include "proto/text.h"
#include "server/calendar.h"

#define PLAYBOOK_FILE_MAX      (1024 * 1024)
#define PLAYBOOK_CANONICAL_MAX 65536
#define PLAYBOOK_ESCAPED_MAX   (90 * 1024) /* of the same as a JSON string, to be stored */
#define PLAYBOOK_STAGES_MAX    32
#define PLAYBOOK_STEPS_MAX     250 /* of a cadence */

/* Where something was said; `base`: in the default that the file is based on. */
struct playbook_place {
    uint32_t line; /* from 1 */
    uint32_t column : 31;
    uint32_t base : 1;
};

/* A length of time: milliseconds, or months, which go by the date. */
struct playbook_span {
    uint64_t ms;
    uint32_t months;
};
#define PLAYBOOK_NO_SPAN   UINT64_MAX /* in `ms`: not given */
#define PLAYBOOK_NO_COUNT  UINT32_MAX
#define PLAYBOOK_NO_MINUTE UINT16_MAX

/* About so many ms, for comparing: a month as a twelfth of a year. */
uint64_t playbook_span_about(struct playbook_span span);

/* --- rules ----------------------------------------------------------------------------------- */

/* What a rule can ask about a person. Not stored as numbers. */
#define PLAYBOOK_FACT_MAP(XX)                                                                      \
    XX(SCORE, "score", NUMBER)                                                                     \
    XX(ATTEMPTS, "attempts", NUMBER)                                                               \
    XX(OPTINS, "optins", NUMBER)                                                                   \
    XX(AGE, "age", SPAN)                   /* ms since the first opt-in */                         \
    XX(CONVERSATION, "conversation", FLAG) /* there was one */                                     \
    XX(CUSTOMER, "customer", FLAG)                                                                 \
    XX(RETURNING, "returning", FLAG) /* opted in before */                                         \
    XX(IMPORTED, "imported", FLAG)                                                                 \
    XX(CONSENT, "consent", FLAG)                                                                   \
    XX(PHONE, "phone", FLAG) /* has one */                                                         \
    XX(EMAIL, "email", FLAG)                                                                       \
    XX(NAME, "name", FLAG)                                                                         \
    XX(OWNER, "owner", FLAG)                                                                       \
    XX(STAGE, "stage", CHOICE)                                                                     \
    XX(TEMPERATURE, "temperature", CHOICE)                                                         \
    XX(PERSONA, "persona", CHOICE)                                                                 \
    XX(SOURCE, "source", WORD) /* source_kind of the newest opt-in */                              \
    XX(AGENCY, "agency", WORD)                                                                     \
    XX(SITE, "site", WORD)                                                                         \
    XX(COUNTRY, "country", WORD)                                                                   \
    XX(COMPANY, "company", WORD)                                                                   \
    XX(TITLE, "title", WORD)                                                                       \
    XX(CAMPAIGN, "campaign", WORD) /* utm_campaign */                                              \
    XX(MEDIUM, "medium", WORD)     /* utm_medium */

enum playbook_fact {
    PLAYBOOK_FACT_NONE,
#define XX(name, text, kind) PLAYBOOK_FACT_##name,
    PLAYBOOK_FACT_MAP(XX)
#undef XX
        PLAYBOOK_FACT_ANSWER, /* to a question of the playbook, by its id */
    PLAYBOOK_FACT_FIELD,      /* `field.<name>`: what a form said beside the known fields */
    PLAYBOOK_FACT_END
};

enum playbook_op {
    PLAYBOOK_IN = 1, /* a word: one of `words` */
    PLAYBOOK_NOT_IN,
    PLAYBOOK_WITHIN, /* a number: least to most, both included */
    PLAYBOOK_TRUE,   /* a flag is set, a word or an answer is known */
    PLAYBOOK_FALSE,
};

struct playbook_texts {
    const struct slice *items;
    uint32_t count;
};

struct playbook_test {
    uint8_t fact;                /* enum playbook_fact */
    uint8_t op;                  /* enum playbook_op */
    struct slice name;           /* of the question or the field */
    struct playbook_texts words; /* sorted */
    int64_t least, most;
};

/* All of the first `all`, one of the next `any` (if there are), and none of the last `none`.
 * Without tests it holds for everybody. */
struct playbook_rule {
    const struct playbook_test *tests;
    uint16_t all, any, none;
};

/* What is known of a person: `number` of numbers, spans (ms) and flags, `word` of the others, for
 * choices the id. Answers and fields are asked for; an empty answer is unknown. */
struct playbook_facts {
    struct {
        int64_t number;
        struct slice word;
    } of[PLAYBOOK_FACT_ANSWER];
    struct slice (*answer)(void *owner, enum playbook_fact kind, struct slice name); /* or NULL */
    void *owner;
};

bool playbook_holds(const struct playbook_rule *rule, const struct playbook_facts *facts);

/* --- what a playbook consists of ------------------------------------------------------------- */

#define PLAYBOOK_LIST(type)                                                                        \
    struct {                                                                                       \
        const struct type *items;                                                                  \
        uint32_t count;                                                                            \
    }

/* How the company calls something, and what everybody means by it. */
struct playbook_word {
    struct slice id;
    struct playbook_place at;
    struct slice say, means;
};

/* What is found out about a person in a conversation; `choices` empty: any words. */
struct playbook_question {
    struct slice id;
    struct playbook_place at;
    struct slice asks;
    struct playbook_texts choices;
};

struct playbook_pipeline {
    struct slice id;
    struct playbook_place at;
    struct slice title;
};

/* A name that goes to whomever its rule holds for: a temperature, a persona. First match. */
struct playbook_label {
    struct slice id;
    struct playbook_place at;
    struct slice title;
    struct playbook_rule when;
};

struct playbook_stage {
    struct slice id;
    struct playbook_place at;
    struct slice title, means;
    struct slice queue; /* of calls to people here: `<agency>.<queue>` */
    uint64_t pipelines; /* bit n: is counted in pipeline n */
    bool customer;
    struct playbook_texts checklist;
    struct playbook_rule needs;      /* who may enter */
    uint32_t move_first, move_count; /* in `moves`: those that leave it */
};

#define PLAYBOOK_ON_OPTIN (1ull << 62) /* the person opts in once more */
#define PLAYBOOK_ON_HAND  (1ull << 63) /* a manager says so */

/* As written: from any of some stages. */
struct playbook_transition {
    struct slice id; /* none */
    struct playbook_place at;
    uint64_t from; /* bit n: stage n */
    uint8_t to;
    uint64_t on; /* bit n: outcome n, and the two above */
    struct playbook_rule when;
};

/* As looked up: sorted by `from`, then as written. */
struct playbook_move {
    uint8_t from, to;
    uint64_t on;
    const struct playbook_transition *transition;
};

enum playbook_next { PLAYBOOK_NEXT_RETRY = 1, PLAYBOOK_NEXT_CADENCE, PLAYBOOK_NEXT_END };
enum playbook_final { PLAYBOOK_BY_LAW = 1, PLAYBOOK_BY_FACT };

/* In `cadence` of an outcome: these, else PLAYBOOK_SWITCH + the number of another cadence, which
 * only people of its program are put in; the others keep theirs. */
enum { PLAYBOOK_KEEP = 1, PLAYBOOK_STOP = 2, PLAYBOOK_SWITCH = 2 };
/* In `then` of a cadence: this, else PLAYBOOK_GOES_ON + a number. */
enum { PLAYBOOK_ENDS = 1, PLAYBOOK_GOES_ON = 1 };

/* What an outcome does. Where the person moves, the transitions say. */
struct playbook_outcome {
    struct slice id;
    struct playbook_place at;
    bool attempt; /* one of the seven */
    bool contact; /* a human tried */
    bool agreed;  /* a time that comes with the report goes before `next` */
    uint8_t next; /* enum playbook_next; 0: `wake` */
    struct playbook_span wake;
    uint8_t cadence;
    uint8_t final; /* enum playbook_final; 0: may not end anything before calls.attempts_least */
    uint64_t silences; /* bit n: channel n is not used any more */
    bool silences_own; /* nor the channel that it came by */
};

struct playbook_alias {
    struct slice id; /* a dialer's word */
    struct playbook_place at;
    uint8_t outcome;
};

struct playbook_after {
    struct slice id; /* none */
    struct playbook_place at;
    struct playbook_span span;
};

struct playbook_calls {
    uint32_t attempts_least;
    PLAYBOOK_LIST(playbook_after) spacing; /* from the nth unanswered call to the next */
    struct playbook_span write_off_least;  /* nobody is given up sooner */
    struct slice script;
    uint8_t calendar; /* calls after the first response keep to it; 0: the law's hours alone */
};

enum playbook_kind {
    PLAYBOOK_OFFER = 1,
    PLAYBOOK_HELPFUL,
    PLAYBOOK_THANKS,
    PLAYBOOK_SURVEY,
    PLAYBOOK_REFERRAL,
};

struct playbook_step {
    struct slice id;
    struct playbook_place at;
    struct playbook_span after; /* from the cadence's start; NO_SPAN: by date */
    uint32_t day;               /* local date, counted from the start's; NO_COUNT: by `after` */
    uint16_t minute;            /* of that day */
    uint8_t channel;            /* enum task_channel */
    uint8_t kind;               /* enum playbook_kind */
    struct slice template;      /* of what a robot sends; "": a human acts by the script */
    struct slice script;
    struct slice without_name; /* "" send as it is, "hold", or another template */
    struct slice queue;        /* "": the channel's */
    struct slice resource;     /* people, products, papers that it takes */
    struct playbook_span late_max;
    uint32_t priority; /* 0 to 100; NO_COUNT: the segment's */
    struct playbook_rule when;
};

enum playbook_program { PLAYBOOK_PROSPECTS = 1, PLAYBOOK_CUSTOMERS };

struct playbook_cadence {
    struct slice id;
    struct playbook_place at;
    struct slice title;
    uint8_t program;   /* enum playbook_program */
    uint64_t stops_on; /* bit n: outcome n ends it early, and it goes on with `then` */
    uint8_t then;
    struct slice is_short; /* why it may have few attempts; "": it may not */
    PLAYBOOK_LIST(playbook_step) steps;
};

struct playbook_segment {
    struct slice id;
    struct playbook_place at;
    struct playbook_rule when;
    uint8_t cadence, sla, escalation;
    uint32_t priority;
};

struct playbook_calendar {
    struct slice id;
    struct playbook_place at;
    struct slice zone; /* name in the tz database; "": the person's */
    struct calendar_week week;
    PLAYBOOK_LIST(holiday) holidays; /* no two alike */
};

struct playbook_tier {
    struct slice id;
    struct playbook_place at;
    struct playbook_span within; /* NO_SPAN: till the calendar's business day ends */
    uint8_t calendar;
    bool alert; /* a manager hears of it */
};

enum playbook_whom { PLAYBOOK_AGENT = 1, PLAYBOOK_MANAGER, PLAYBOOK_ROBOT };

struct playbook_rung {
    struct slice id; /* none */
    struct playbook_place at;
    struct playbook_span after; /* of nobody claiming */
    uint8_t whom;
    uint8_t channel; /* a robot's */
    struct slice template;
};

struct playbook_chain {
    struct slice id;
    struct playbook_place at;
    PLAYBOOK_LIST(playbook_rung) rungs;
};

enum playbook_assign_mode {
    PLAYBOOK_POOL = 1,
    PLAYBOOK_ROUND_ROBIN,
    PLAYBOOK_WEIGHTED,
    PLAYBOOK_OWNER_FIRST
};

struct playbook_weight {
    struct slice id; /* agent */
    struct playbook_place at;
    uint32_t weight;
};

struct playbook_assign {
    uint8_t mode;
    struct playbook_span claim_within;
    PLAYBOOK_LIST(playbook_weight) weights;
};

/* Per person, over all channels. The first response is not held back by them. */
struct playbook_caps {
    uint32_t per_day, calls_per_day;
    struct playbook_span gap;
};

struct playbook_lease {
    struct playbook_span report, claim;
};

/* What is looked up before a call, and for how long at most. */
struct playbook_research {
    struct playbook_span box;
    struct slice script;
    struct playbook_texts finds;
};

/* Points of the score, which age: half of them are gone after `half_life`. */
struct playbook_score {
    uint32_t optin, open, click, visit, reply;
    struct playbook_span half_life;
};

struct playbook_odds {
    struct slice id; /* none */
    struct playbook_place at;
    struct playbook_span after;
    uint32_t times; /* so many times worse than at once */
};

struct playbook_money {
    struct slice currency;
    uint64_t optin_cents; /* what one opt-in costs */
    uint64_t sale_cents;  /* what a sale brings: the price of dust */
    uint32_t recoverable; /* per cent of the cold, who would buy still */
};

struct playbook_graveyard {
    struct playbook_span cold_after;
    uint32_t per_day; /* at most so many are taken up again */
};

struct playbook {
    struct slice name, title;
    PLAYBOOK_LIST(playbook_word) words; /* sorted by id, as all that is written `id: ...` */
    PLAYBOOK_LIST(playbook_question) questions;
    PLAYBOOK_LIST(playbook_pipeline) pipelines;
    PLAYBOOK_LIST(playbook_stage) stages;
    PLAYBOOK_LIST(playbook_transition) transitions;
    PLAYBOOK_LIST(playbook_label) temperatures;
    PLAYBOOK_LIST(playbook_label) personas;
    PLAYBOOK_LIST(playbook_outcome) outcomes;
    PLAYBOOK_LIST(playbook_alias) aliases;
    struct playbook_calls calls;
    PLAYBOOK_LIST(playbook_cadence) cadences;
    PLAYBOOK_LIST(playbook_segment) segments;
    PLAYBOOK_LIST(playbook_calendar) calendars;
    PLAYBOOK_LIST(playbook_tier) sla;
    PLAYBOOK_LIST(playbook_chain) escalations;
    struct playbook_assign assign;
    struct playbook_caps caps;
    struct playbook_lease lease;
    struct playbook_span overdue_after; /* a breached task is ranked so much later */
    struct playbook_research research;
    struct playbook_score score;
    PLAYBOOK_LIST(playbook_odds) odds;
    struct playbook_money money;
    struct playbook_graveyard graveyard;

    /* Made from the above. */
    const struct playbook_move *moves;
    uint32_t move_count;
    const struct playbook_outcome *by_outcome[OUTCOME_END];
    uint32_t asked; /* bit n: some rule asks about fact n */
    struct slice canonical;
    struct hash hash;
    struct playbook_arena *arena; /* owns all of it */
};

/* --- opening --------------------------------------------------------------------------------- */

/* What is wrong, and where; the text says what is expected, and lives as long as the call. */
struct playbook_complaint {
    struct playbook_place at;
    const char *text;
};
typedef void playbook_complain_fn(void *owner, const struct playbook_complaint *complaint);

/* Reads and checks. INVALID: `complain` was told everything that is wrong, in the order of the
 * file. TOO_LARGE: more than PLAYBOOK_FILE_MAX bytes, or the canonical form has more than
 * PLAYBOOK_CANONICAL_MAX or PLAYBOOK_ESCAPED_MAX. `bytes` are not needed afterwards. */
enum status playbook_open(struct slice bytes, playbook_complain_fn *complain, void *owner,
                          const struct playbook **out);
/* The same of what was good when it was stored: not everything that a new one may not say is held
 * against it, nor that this machine's tz database does not know its zones. */
enum status playbook_open_stored(struct slice bytes, const struct playbook **out);
void playbook_close(const struct playbook *playbook); /* NULL: nothing */

/* The default that is compiled in. */
struct slice playbook_default(void);
/* The same, opened: once in a process, and for as long as it runs. */
const struct playbook *playbook_shipped(void);

/* --- looking up ------------------------------------------------------------------------------ */

/* The number of a stage, 0: there is none of that id. For people who are moved to this version. */
unsigned playbook_stage_of(const struct playbook *playbook, struct slice id);

/* Back again; empty: there is no such number. */
struct slice playbook_stage_id(const struct playbook *playbook, unsigned stage);

/* Outcomes by our names or a dialer's; NONE: unknown. */
enum outcome playbook_outcome_of(const struct playbook *playbook, struct slice word);

/* The stage after `on` (one bit) happened to somebody in `stage`; the same stage: no move. */
unsigned playbook_move(const struct playbook *playbook, unsigned stage, uint64_t on,
                       const struct playbook_facts *facts);

/* Whether `on` (one bit) leads from one stage to that other one. */
enum playbook_way { PLAYBOOK_WAY_NONE, PLAYBOOK_WAY_SHUT /* by a guard */, PLAYBOOK_WAY_OPEN };
enum playbook_way playbook_way(const struct playbook *playbook, unsigned from, unsigned to,
                               uint64_t on, const struct playbook_facts *facts);

/* The first segment that holds. There always is one. */
const struct playbook_segment *playbook_segment_of(const struct playbook *playbook,
                                                   const struct playbook_facts *facts);

/* The first label that holds; NULL: none does. */
const struct playbook_label *playbook_label_of(const struct playbook_label *labels, uint32_t count,
                                               const struct playbook_facts *facts);

/* A tier by its number, and the one that is the deadline of a segment's first responses; NULL:
 * there is no such number. */
const struct playbook_tier *playbook_tier(const struct playbook *playbook, unsigned tier);
const struct playbook_tier *playbook_deadline(const struct playbook *playbook, unsigned segment);

/* By its number; NULL: there is none of that number. */
const struct playbook_cadence *playbook_cadence(const struct playbook *playbook, unsigned number);
const struct playbook_segment *playbook_segment(const struct playbook *playbook, unsigned number);
const struct playbook_chain *playbook_chain(const struct playbook *playbook, unsigned number);

const struct playbook_step *playbook_step(const struct playbook *playbook, unsigned cadence,
                                          unsigned step);

/* The cadence that this one goes on with; NULL: it ends. */
const struct playbook_cadence *playbook_next(const struct playbook *playbook,
                                             const struct playbook_cadence *cadence);

/* The cadence stands in a ring, not only before one. */
bool playbook_in_ring(const struct playbook *playbook, const struct playbook_cadence *cadence);

/* How the company says it; the id itself where the playbook does not name it. */
struct slice playbook_say(const struct playbook *playbook, struct slice id);

/* --- showing --------------------------------------------------------------------------------- */

/* The stages and what leads from one to the next, as a Mermaid diagram or a DOT graph; everything,
 * as a page of text. May overflow: then give more room. */
void playbook_mermaid(const struct playbook *playbook, struct text *out);
void playbook_dot(const struct playbook *playbook, struct text *out);
void playbook_text(const struct playbook *playbook, struct text *out);

#endif
