/* Years of opt-ins in seconds: the engine, with its playbooks, calendars and law, over state in
 * memory (memory.h), on a clock that goes from one event to the next.
 *
 * People are drawn from a seed and opt in to the sites of agencies. Agents with shifts, holidays
 * and days off call them, robots send to them, and what comes of it is drawn from rates with their
 * sources. An agency and its people are a town, which shares nobody with another; so towns run on
 * any number of threads, and the result does not depend on how many.
 *
 * From time to time the rows are thrown away and made again from the records, as after a crash; the
 * outside (who is on the phone with whom) goes on meanwhile. That must change nothing either. What
 * must always be so is looked for in the records, not asked of the engine. */
#ifndef HOTLEAD_SERVER_SIMULATE_H
#define HOTLEAD_SERVER_SIMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/hash.h"
#include "proto/report.h"
#include "proto/task.h"
#include "server/playbook.h"
#include "server/record.h"

#define SIMULATE_PEOPLE_MAX  100000000ull
#define SIMULATE_YEARS_MAX   80 /* what rows keep in seconds of 32 bits ends in February 2106 */
#define SIMULATE_AGENTS_MAX  64
#define SIMULATE_THREADS_MAX 64

/* --- rates (simulate_rates.c) ------------------------------------------------------------------
 */

/* In hundredths of a per cent, unless the text says something else. */
#define SIMULATE_RATE_MAP(XX)                                                                      \
    XX(ANSWERED, "answered", 3373, "calls to a working number that are answered",                  \
       "Keller Center Research Report (Baylor University) as quoted in 2022: 28 % answered, 55 % " \
       "not, 17 % not working")                                                                    \
    XX(WRONG_LISTED, "wrong_number_listed", 1700, "numbers of bought lists that do not work",      \
       "the same")                                                                                 \
    XX(WRONG, "wrong_number", 300, "numbers of forms that do not work", "assumed")                 \
    XX(VOICEMAIL, "voicemail", 6000, "calls not answered that reach a voicemail", "assumed")       \
    XX(BUSY, "busy", 500, "calls not answered that are busy", "assumed")                           \
    XX(BUYERS, "buyers", 2600, "people who buy sooner or later",                                   \
       "MISSION.md RE-4 and RE-3 (S2): of 10 one buys, and 20 % of the 8 cold ones can be won")    \
    XX(TALK_5_MIN, "talk_5_min", 5000, "answered within 5 minutes: a conversation", "assumed")     \
    XX(ODDS_10_MIN, "odds_10_min", 4, "its odds are so many times worse behind 5 minutes",         \
       "MISSION.md SL-3 (S1)")                                                                     \
    XX(ODDS_LATER, "odds_later", 21, "and so many times behind 30 minutes",                        \
       "MISSION.md SL-3 (S1)")                                                                     \
    XX(APPOINTMENT, "appointment", 1200, "conversations that end in an appointment", "assumed")    \
    XX(INFORMATION, "information", 1000, "and in information", "assumed")                          \
    XX(NO_TIME, "no_time", 5000, "answers without a conversation: call again", "assumed")          \
    XX(NOT_INTERESTED, "not_interested", 2500, "the others: not interested", "assumed")            \
    XX(DO_NOT_CONTACT, "do_not_contact", 400, "and: never again", "assumed")                       \
    XX(BOUNCED, "bounced", 200, "e-mails that bounce", "assumed")                                  \
    XX(UNSUBSCRIBED, "unsubscribed", 40, "e-mails that somebody unsubscribes by", "assumed")       \
    XX(SURVEYED, "surveyed", 2500, "surveys that are answered", "assumed")                         \
    XX(SATISFIED, "satisfied", 8500, "answers of satisfied customers", "assumed")                  \
    XX(REFERRAL, "referral", 800, "calls to customers that bring a referral", "assumed")           \
    XX(RETURNING, "returning", 2500, "opt-ins after which the same person opts in again",          \
       "assumed")                                                                                  \
    XX(TWICE, "twice", 100, "opt-ins that are sent twice", "assumed")                              \
    XX(SILENT, "silent", 100, "tasks that are popped, and never heard of", "assumed")              \
    XX(LEFT, "left", 100, "tasks that are claimed, and left", "assumed")                           \
    XX(SICK, "sick", 200, "working days on which an agent is sick", "assumed")

enum simulate_rate {
#define XX(name, word, value, means, source) SIMULATE_##name,
    SIMULATE_RATE_MAP(XX)
#undef XX
        SIMULATE_RATE_END
};

#define SIMULATE_RATES_VERSION "2026-11-22" /* when they were put together */

/* In per cent, of the first to the fifth attempt; the fifth stands for that one and all behind it.
 * MISSION.md ME-5 (S2): at which people stop by themselves, and at which sales close. */
#define SIMULATE_ATTEMPTS 5
extern const uint8_t simulate_stops_at[SIMULATE_ATTEMPTS];
extern const uint8_t simulate_sales_at[SIMULATE_ATTEMPTS];

struct simulate_rate_row {
    const char *word, *means, *source;
    uint32_t value;
};
extern const struct simulate_rate_row simulate_rates[SIMULATE_RATE_END];

/* --- what must always be so (simulate_check.c) -------------------------------------------------
 */

#define SIMULATE_CHECK_MAP(XX)                                                                     \
    XX(NEXT, "next", "who is worked has a next step, or an end")                                   \
    XX(STEP, "step_once", "no step is done twice")                                                 \
    XX(STOPPED, "stopped", "nothing is open after do_not_contact")                                 \
    XX(CALL, "one_call", "a person has one open call at most")                                     \
    XX(CAPS, "caps", "what is put keeps the caps and the gap")                                     \
    XX(HOURS, "hours", "nobody is called again outside the law's hours")                           \
    XX(ATTEMPTS, "attempts", "nobody is given up before the playbook allows it")                   \
    XX(TIME, "time", "records are in order of time")                                               \
    XX(REPORT, "report_once", "a report that is read again counts once")                           \
    XX(REBUILT, "rebuilt", "rows made again from the records are the same")

enum simulate_check {
#define XX(name, word, means) SIMULATE_CHECK_##name,
    SIMULATE_CHECK_MAP(XX)
#undef XX
        SIMULATE_CHECK_END
};

struct simulate_checked {
    uint64_t looked, broken;
};

/* --- a run -------------------------------------------------------------------------------------
 */

struct simulate_figures {
    uint64_t agencies, people, person_ms;
    uint64_t optins, repeated, records, restarts;
    uint64_t tasks[TASK_CHANNEL_END], steps, skipped[SKIP_END], parked[PARKED_END];
    uint64_t breaches, tiers, rungs, redelivered;
    uint64_t attempts, conversations, refused; /* to give somebody up before the time */
    uint64_t outcomes[OUTCOME_END];
    uint64_t stopped_at[SIMULATE_ATTEMPTS], sold_at[SIMULATE_ATTEMPTS];
    uint64_t ended[PERSON_END_END]; /* people at last, by how it ended; those who are worked too */
    struct simulate_checked checked[SIMULATE_CHECK_END];
    uint64_t *conversed_ms; /* from the opt-in to the first conversation, sorted */
    uint64_t conversed_count;
};

/* For tests: changes a record between its decision and all that is made of it. */
typedef void simulate_tamper_fn(void *owner, struct record *record);
/* Told a violation, by any thread, one at a time. */
typedef void simulate_broken_fn(void *owner, enum simulate_check check, unsigned town,
                                const struct record_header *record);

struct simulate_options {
    const struct playbook *playbook; /* NULL: the shipped default */
    uint64_t people, seed;
    unsigned years;
    unsigned threads;  /* 0: as many as there are processors */
    unsigned restarts; /* of each agency */
    int agents;        /* of each agency; 0: nobody is ever there */
    uint32_t rates[SIMULATE_RATE_END];
    simulate_tamper_fn *tamper; /* NULL */
    simulate_broken_fn *on_broken;
    void *owner;
};

/* Rates as they are in the table, three agents, one restart. */
void simulate_defaults(struct simulate_options *options);

/* INVALID: the playbook cannot be kept as an agency's (it is too large). */
enum status simulate_run(const struct simulate_options *options, struct simulate_figures *figures,
                         struct hash *digest);
void simulate_free(struct simulate_figures *figures);

#endif
