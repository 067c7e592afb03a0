/* Shared by simulate*.c only. */
#ifndef HOTLEAD_SERVER_SIMULATE_INTERNAL_H
#define HOTLEAD_SERVER_SIMULATE_INTERNAL_H

#include "proto/task.h"
#include "proto/zone.h"
#include "server/calendar.h"
#include "server/memory_room.h"
#include "server/simulate.h"

#define MINUTE_MS        60000ull
#define HOUR_MS          (60 * MINUTE_MS)
#define DAY_MS           (24 * HOUR_MS)
#define YEAR_MS          (365 * DAY_MS + 6 * HOUR_MS)
#define SIMULATE_FROM_MS 1767225600000ull /* 2026-01-01 */
_Static_assert(SIMULATE_FROM_MS + SIMULATE_YEARS_MAX * YEAR_MS < UINT32_MAX * 1000ull,
               "see record.h");

#define TOWN_PEOPLE 1000 /* of an agency, at most */
#define TOWN_SITES  3
#define STREAM_KEPT 16 /* reports that are read again after a restart */

/* --- chance: numbers from a seed ---------------------------------------------------------- */

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t mixed = chance->state += 0x9e3779b97f4a7c15ull;

    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
    return mixed ^ mixed >> 31;
}

/* 0 to below - 1; that some come a 2^32th part oftener does not matter. */
static inline uint64_t chance_below(struct chance *chance, uint64_t below)
{
    return (uint64_t)((unsigned __int128)chance_next(chance) * below >> 64);
}

static inline uint64_t chance_between(struct chance *chance, uint64_t least, uint64_t most)
{
    return least + chance_below(chance, most - least + 1);
}

/* True so many times in ten thousand. */
static inline bool chance_hits(struct chance *chance, uint32_t rate)
{
    return chance_below(chance, 10000) < rate;
}

/* Which of some shares in per cent. */
static inline unsigned chance_share(struct chance *chance, const uint8_t *shares, unsigned count)
{
    unsigned drawn = (unsigned)chance_below(chance, 100), which = 0;

    while (which + 1 < count && drawn >= shares[which])
        drawn -= shares[which++];
    return which;
}

/* --- people (simulate_people.c) -------------------------------------------------------------- */

/* Somebody as they are, whatever hotlead knows of it. */
struct resident {
    const struct home *home;
    uint64_t name;
    bool has_phone, has_email, has_name, says_zone, is_listed, number_works;
    bool shares_phone;   /* with the one before them */
    uint8_t buys_at;     /* attempt; 0: never */
    uint8_t given_up_at; /* by whoever calls, if that were allowed */
    uint8_t attempts;    /* that were made */
    bool is_customer;
    uint8_t optins;
};

struct home {
    const char *area, *jurisdiction, *zone_name;
    uint16_t from, until; /* minutes of the day between which the law allows a call */
    bool sundays;
};
extern const struct home simulate_homes[];
const struct zone *simulate_zone(const struct home *home);

void simulate_draw(struct chance *chance, const uint32_t *rates, uint64_t index,
                   struct resident *out);
/* A moment in these days at which somebody there fills in a form. */
uint64_t simulate_moment(struct chance *chance, const struct home *home, uint64_t from_ms,
                         uint64_t days);

/* --- a town: an agency and its people (simulate_town.c) -----------------------------------------
 */

enum event_kind {
    EVENT_OPTIN,   /* who: a resident */
    EVENT_AGENT,   /* who: an agent, who looks for work */
    EVENT_OUTCOME, /* who: an agent, whose call has ended */
    EVENT_ROBOT,   /* who: a channel; a robot is done with a task */
    EVENT_LOOK,    /* at everybody */
};

struct event {
    uint64_t ms, order; /* of two at one time the one that was planned first */
    uint64_t person, task;
    uint32_t who;
    uint16_t delivery;
    uint8_t kind, outcome;
};

struct shift {
    uint64_t from_ms, until_ms;
};

struct caller {
    char name[16];
    uint64_t hash;
    struct shift *shifts;
    uint32_t shift_count, shift; /* the present or next one */
    uint64_t comes_ms;           /* planned: looks for work then; 0: no event is on its way */
    bool busy, waits;
    uint64_t person, task; /* in hand */
    uint64_t claimed_ms;
    uint16_t delivery;
};

/* What the checks know of somebody, by themselves. */
#define TOUCHES_SEEN 16
struct seen {
    uint64_t touches_ms[TOUCHES_SEEN]; /* newest first */
    uint64_t call;                     /* the open one; 0: none */
    uint32_t open_tasks;
    uint16_t touch_calls; /* bit n: the nth was a call */
    bool stopped;
};

struct town {
    const struct simulate_options *options;
    const struct playbook *playbook;
    struct simulate_figures *figures;
    unsigned number;
    struct chance chance;
    struct memory_room room;
    struct hash digest;
    uint64_t now_ms, until_ms;

    struct event *events; /* a heap */
    size_t event_count, event_capacity;
    uint64_t event_order;

    struct resident *residents;
    unsigned resident_count;
    uint32_t *resident_of; /* by hotlead's number, plus 1 */
    struct seen *seen;     /* the same */
    size_t number_capacity;

    uint32_t agency, sites[TOWN_SITES];
    uint32_t human_queues[8], human_queue_count;
    struct caller agents[SIMULATE_AGENTS_MAX];
    unsigned agent_count;

    struct shift *outages; /* of the server */
    uint32_t outage_count, outage;
    uint64_t *restart_at; /* seqs, in order */
    unsigned restart;
    uint64_t stream_seq;
    struct command reports[STREAM_KEPT]; /* the last ones, without words */
    unsigned report_count;

    uint64_t *steps_done; /* hashes; 0: free */
    size_t step_count, step_capacity;
};

/* What a row of numbers comes to; the order counts. */
struct hash simulate_mix(struct hash sum, uint64_t next);

void simulate_town(const struct simulate_options *options, unsigned number, unsigned people,
                   struct simulate_figures *figures, struct hash *digest);
void town_plan(struct town *town, uint64_t ms, struct event event);
struct resident *town_resident(struct town *town, uint64_t number);
struct seen *town_seen(struct town *town, uint64_t number);
enum status town_do(struct town *town, const struct command *command);

/* --- work (simulate_work.c) ------------------------------------------------------------------- */

void town_open_agents(struct town *town);
void town_close_agents(struct town *town);
void town_on_put(struct town *town, const struct engine_outbox *put);
void town_agent(struct town *town, uint32_t agent);
void town_outcome(struct town *town, const struct event *event);
void town_robot(struct town *town, const struct event *event);
/* Reports that a stream shows again: after a restart it is read from where the records end. */
void town_read_again(struct town *town);

/* --- outcomes (simulate_outcome.c) -------------------------------------------------------------
 */

enum outcome town_outcome_of_call(struct town *town, struct resident *resident,
                                  const struct task_row *task);
enum outcome town_outcome_of_robot(struct town *town, const struct resident *resident,
                                   const struct task_row *task);

/* --- checks (simulate_check.c) ------------------------------------------------------------------
 */

void town_check_record(struct town *town, const struct record *record);
void town_check_call(struct town *town, const struct resident *resident,
                     const struct task_row *task);
void town_check_outcome(struct town *town, const struct resident *resident, enum outcome outcome,
                        enum status status);
void town_check_everybody(struct town *town);
void town_check(struct town *town, enum simulate_check check, bool holds);

#endif
