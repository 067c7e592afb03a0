/* Who works off the queues: agents with shifts, who take what stands first, and robots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/id.h"
#include "proto/memory.h"
#include "proto/must.h"
#include "server/simulate_internal.h"

#define OFFICE_ZONE "America/New_York"

/* --- shifts -------------------------------------------------------------------------------------
 */

struct working_week {
    uint16_t from, until; /* minutes of the day */
    uint8_t days;         /* bit n: weekday n + 1 */
};

/* By day, one begins later, and one comes on Saturday and Sunday; further ones alike. */
static const struct working_week weeks[] = {
    {9 * 60, 17 * 60, 0x1f}, {11 * 60, 20 * 60, 0x1f}, {10 * 60, 18 * 60, 0x7c}};

/* The office is closed on holidays and between the years: nobody is there then. */
static bool is_closed(const struct civil *date)
{
    static const struct calendar_week open = {.day = {{{0, 1440}},
                                                      {{0, 1440}},
                                                      {{0, 1440}},
                                                      {{0, 1440}},
                                                      {{0, 1440}},
                                                      {{0, 1440}},
                                                      {{0, 1440}}}};
    const struct calendar calendar = {.zone = zone_utc(),
                                      .week = &open,
                                      .holidays = calendar_us_federal,
                                      .holiday_count = CALENDAR_US_FEDERAL_COUNT};

    return (date->month == 12 && date->day >= 24) ||
           calendar_state(&calendar, (uint64_t)date->day_number * DAY_MS) == CALENDAR_HOLIDAY;
}

static void add_shift(struct caller *agent, const struct zone *zone, const struct civil *date,
                      const struct working_week *week)
{
    struct civil local = *date;

    local.hour = (uint8_t)(week->from / 60);
    local.minute = local.second = 0;
    agent->shifts[agent->shift_count].from_ms = zone_moment(zone, &local);
    local.hour = (uint8_t)(week->until / 60);
    agent->shifts[agent->shift_count++].until_ms = zone_moment(zone, &local);
}

/* Two weeks of holidays a year, and days on which they are sick. */
static void draw_shifts(struct town *town, struct caller *agent, const struct working_week *week)
{
    const struct zone *office = zone_find(SLICE(OFFICE_ZONE));
    uint64_t first = SIMULATE_FROM_MS / DAY_MS, last = town->until_ms / DAY_MS;
    uint64_t away_from = 0, year = 0;

    agent->shifts = memory_take_zeroed(last - first + 1, sizeof(*agent->shifts));
    for (uint64_t day = first; day <= last; day++) {
        struct civil date;

        zone_civil(zone_utc(), day * DAY_MS, &date);
        if ((uint64_t)date.year != year) {
            year = (uint64_t)date.year;
            away_from = day + chance_below(&town->chance, 350);
        }
        bool sick = chance_hits(&town->chance, town->options->rates[SIMULATE_SICK]);
        if (sick || (day >= away_from && day < away_from + 14) ||
            !(week->days >> (date.weekday - 1) & 1) || is_closed(&date))
            continue;
        add_shift(agent, office ? office : zone_utc(), &date, week);
    }
}

/* False: no shift is left. */
static bool next_shift(struct caller *agent, uint64_t ms)
{
    while (agent->shift < agent->shift_count && agent->shifts[agent->shift].until_ms <= ms)
        agent->shift++;
    return agent->shift < agent->shift_count;
}

static bool is_there(struct caller *agent, uint64_t ms)
{
    return next_shift(agent, ms) && agent->shifts[agent->shift].from_ms <= ms;
}

/* Looks for work then, unless it comes sooner anyway. */
static void comes(struct town *town, uint32_t which, uint64_t ms)
{
    struct caller *agent = &town->agents[which];

    if (agent->comes_ms != 0 && agent->comes_ms <= ms)
        return;
    agent->comes_ms = ms;
    town_plan(town, ms, (struct event){.kind = EVENT_AGENT, .who = which});
}

static void waits(struct town *town, uint32_t which)
{
    struct caller *agent = &town->agents[which];

    agent->waits = true;
    if (next_shift(agent, town->now_ms) && agent->shifts[agent->shift].from_ms > town->now_ms)
        comes(town, which, agent->shifts[agent->shift].from_ms);
    else if (agent->shift + 1 < agent->shift_count)
        comes(town, which, agent->shifts[agent->shift + 1].from_ms);
}

void town_open_agents(struct town *town)
{
    town->agent_count = (unsigned)town->options->agents;
    for (uint32_t i = 0; i < town->agent_count; i++) {
        struct caller *agent = &town->agents[i];
        snprintf(agent->name, sizeof(agent->name), "a%u", i + 1);
        agent->hash = agent_hash(&town->room.genesis.hash_key, slice_of(agent->name));
        draw_shifts(town, agent, &weeks[i % 3]);
        waits(town, i);
    }
}

void town_close_agents(struct town *town)
{
    for (uint32_t i = 0; i < town->agent_count; i++)
        free(town->agents[i].shifts);
}

/* --- reports
 * --------------------------------------------------------------------------------------- */

static struct slice words_of(const char *agent, enum outcome outcome, char *room, size_t bytes)
{
    struct report report;

    report_clear(&report);
    report.agent = slice_of(agent);
    if (outcome == OUTCOME_SOLD)
        report.value = SLICE("500.00"); /* MISSION.md RE-3 */
    return (struct slice){room, report_encode(&report, room, bytes)};
}

static enum status report(struct town *town, const struct command_report *told, const char *agent)
{
    char words[128];
    struct command command = {
        .kind = COMMAND_REPORT,
        .now_ms = town->now_ms,
        .payload = words_of(agent, (enum outcome)told->outcome, words, sizeof(words)),
        .report = *told,
    };

    command.report.stream_ms = town->now_ms;
    command.report.stream_seq = town->stream_seq++;
    enum status status = town_do(town, &command);
    if (status == STATUS_OK)
        town->reports[town->report_count++ % STREAM_KEPT] = command;
    return status;
}

void town_read_again(struct town *town)
{
    unsigned count = town->report_count < STREAM_KEPT ? town->report_count : STREAM_KEPT;

    for (unsigned i = 0; i < count; i++) {
        struct command command = town->reports[i];
        uint64_t records = town->figures->records;

        command.payload = (struct slice){0};
        town_check(town, SIMULATE_CHECK_REPORT,
                   memory_room_do(&town->room, &command) == STATUS_DUPLICATE &&
                       town->figures->records == records);
    }
}

/* --- agents -------------------------------------------------------------------------------------
 */

/* What stands first of all queues that people work on. */
static bool find_first(struct town *town, struct state_visible *out, uint32_t *queue_out)
{
    bool found = false;

    for (uint32_t i = 0; i < town->human_queue_count; i++) {
        struct state_visible head;
        uint32_t queue = town->human_queues[i];
        if (!state_visible_next(town->room.state, queue, 0, 0, &head) ||
            (found && out->rank_ms <= head.rank_ms))
            continue;
        *out = head;
        *queue_out = queue;
        found = true;
    }
    return found;
}

static bool find_task(struct town *town, uint64_t person, uint64_t task, struct task_row *out)
{
    struct state *state = town->room.state;
    struct person_row row;
    uint64_t last_seq;

    return state_person_find(state, person, &row, out, &last_seq) &&
           (out->number == task || state_task_find(state, person, task, out));
}

/* Popped, and never heard of: the node sees that it is gone from what stands first behind it. */
static void pop_silently(struct town *town, const struct state_visible *head, uint32_t queue)
{
    struct command command = {.kind = COMMAND_POPPED, .now_ms = town->now_ms};
    struct state_visible next;
    struct task_row row;

    command.popped.queue = queue;
    command.popped.pushed_seq = state_queue(town->room.state, queue)->outbox_seq;
    command.popped.empty =
        !state_visible_next(town->room.state, queue, head->rank_ms, head->task + 1, &next);
    if (!command.popped.empty) {
        command.popped.rank_ms = next.rank_ms;
        if (!find_task(town, next.person, next.task, &row))
            return;
        id_format(command.popped.id, &town->room.genesis.id_key, ID_TASK, row.opened_ms,
                  row.number);
    }
    (void)town_do(town, &command);
}

/* Longer when somebody answers. */
static uint64_t draw_length(struct town *town, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_NO_ANSWER:
    case OUTCOME_BUSY:
    case OUTCOME_WRONG_NUMBER:
        return chance_between(&town->chance, 20000, 45000);
    case OUTCOME_VOICEMAIL:
        return chance_between(&town->chance, 40000, 90000);
    default:
        return chance_between(&town->chance, 2 * MINUTE_MS, 15 * MINUTE_MS);
    }
}

static void call(struct town *town, uint32_t which, const struct task_row *row, uint64_t person)
{
    struct caller *agent = &town->agents[which];
    struct resident *resident = town_resident(town, person);
    struct event event = {.kind = EVENT_OUTCOME, .who = which};

    town_check_call(town, resident, row);
    agent->busy = true;
    agent->person = person;
    agent->task = row->number;
    agent->delivery = row->delivery;
    agent->claimed_ms = town->now_ms;
    event.outcome = (uint8_t)town_outcome_of_call(town, resident, row);
    town_plan(town, town->now_ms + draw_length(town, (enum outcome)event.outcome), event);
}

static void take(struct town *town, uint32_t which, const struct state_visible *head,
                 uint32_t queue)
{
    struct caller *agent = &town->agents[which];
    const uint32_t *rates = town->options->rates;
    struct command_report claim = {
        .task = head->task, .agent = agent->hash, .queue = queue, .op = REPORT_CLAIM};
    struct task_row row;

    MUST(find_task(town, head->person, head->task, &row));
    claim.delivery = row.delivery;
    if (chance_hits(&town->chance, rates[SIMULATE_SILENT])) {
        pop_silently(town, head, queue);
        comes(town, which, town->now_ms + MINUTE_MS);
        return;
    }
    MUST(report(town, &claim, agent->name) == STATUS_OK);
    if (chance_hits(&town->chance, rates[SIMULATE_LEFT]))
        comes(town, which, town->now_ms + HOUR_MS);
    else
        call(town, which, &row, head->person);
}

void town_agent(struct town *town, uint32_t which)
{
    struct caller *agent = &town->agents[which];
    struct state_visible head = {0};
    uint32_t queue = 0;

    /* It was to come sooner, and did. */
    if (agent->comes_ms > town->now_ms)
        return;
    agent->comes_ms = 0;
    if (agent->busy)
        return;
    if (is_there(agent, town->now_ms) && find_first(town, &head, &queue)) {
        agent->waits = false;
        take(town, which, &head, queue);
    } else {
        waits(town, which);
    }
}

/* Many would give up sooner than the playbook lets them. */
static bool gives_up(const struct town *town, const struct resident *resident, enum outcome outcome)
{
    const struct playbook_outcome *dead = town->playbook->by_outcome[OUTCOME_DEAD];

    return dead && !resident->is_customer && resident->attempts + 1 == resident->given_up_at &&
           (outcome == OUTCOME_NO_ANSWER || outcome == OUTCOME_VOICEMAIL ||
            outcome == OUTCOME_BUSY);
}

static void note_sale(struct town *town, const struct resident *resident)
{
    unsigned at = resident->attempts < SIMULATE_ATTEMPTS ? resident->attempts : SIMULATE_ATTEMPTS;

    town->figures->sold_at[at > 0 ? at - 1 : 0]++;
}

static void note_outcome(struct town *town, struct resident *resident, enum outcome outcome)
{
    const struct playbook_outcome *does = town->playbook->by_outcome[outcome];
    struct simulate_figures *figures = town->figures;
    bool attempt = does && does->attempt;

    figures->outcomes[outcome]++;
    figures->attempts += attempt;
    if (resident->attempts < UINT8_MAX)
        resident->attempts += attempt;
    if (outcome == OUTCOME_CONVERSATION || outcome == OUTCOME_APPOINTMENT ||
        outcome == OUTCOME_INFORMATION || outcome == OUTCOME_SOLD)
        figures->conversations++;
    if (outcome == OUTCOME_SOLD) {
        note_sale(town, resident);
        resident->is_customer = true;
    }
}

static uint64_t draw_appointment(struct town *town, enum outcome outcome)
{
    bool agrees = outcome == OUTCOME_APPOINTMENT ||
                  (outcome == OUTCOME_CONVERSATION && chance_hits(&town->chance, 3000));

    return agrees ? town->now_ms + chance_between(&town->chance, 4 * HOUR_MS, 14 * DAY_MS) : 0;
}

void town_outcome(struct town *town, const struct event *event)
{
    struct caller *agent = &town->agents[event->who];
    struct resident *resident = town_resident(town, agent->person);
    enum outcome outcome = (enum outcome)event->outcome;
    struct command_report told = {.task = agent->task,
                                  .agent = agent->hash,
                                  .started_ms = agent->claimed_ms,
                                  .ended_ms = town->now_ms,
                                  .op = REPORT_OUTCOME,
                                  .delivery = agent->delivery};
    enum status status = STATUS_TOO_FEW_ATTEMPTS;

    if (gives_up(town, resident, outcome)) {
        told.outcome = OUTCOME_DEAD;
        status = report(town, &told, agent->name);
        town_check_outcome(town, resident, OUTCOME_DEAD, status);
        town->figures->refused += status == STATUS_TOO_FEW_ATTEMPTS;
        if (status == STATUS_OK)
            outcome = OUTCOME_DEAD;
    }
    if (status == STATUS_TOO_FEW_ATTEMPTS) {
        told.outcome = (uint8_t)outcome;
        told.call_at_ms = draw_appointment(town, outcome);
        status = report(town, &told, agent->name);
    }
    if (status == STATUS_OK)
        note_outcome(town, resident, outcome);
    agent->busy = false;
    comes(town, event->who, town->now_ms + chance_between(&town->chance, 5000, 60000));
}

/* --- robots
 * --------------------------------------------------------------------------------------- */

/* How long one takes: mail goes at once, what is printed when somebody has looked at the printer.
 */
static uint64_t draw_robot(struct town *town, unsigned channel)
{
    switch (channel) {
    case TASK_EMAIL:
    case TASK_SMS:
        return chance_between(&town->chance, 200, 5000);
    case TASK_RESEARCH:
        return chance_between(&town->chance, HOUR_MS, 12 * HOUR_MS);
    default:
        return chance_between(&town->chance, MINUTE_MS, 4 * HOUR_MS);
    }
}

void town_robot(struct town *town, const struct event *event)
{
    const struct resident *resident = town_resident(town, event->person);
    struct task_row row;
    struct command_report told = {
        .task = event->task, .op = REPORT_OUTCOME, .delivery = event->delivery};

    /* It was withdrawn meanwhile, or is another robot's. */
    if (!find_task(town, event->person, event->task, &row) || row.state != TASK_QUEUED ||
        row.delivery != event->delivery)
        return;
    told.queue = row.queue;
    if (chance_hits(&town->chance, town->options->rates[SIMULATE_LEFT])) {
        told.op = REPORT_CLAIM;
        (void)report(town, &told, "robot");
        return;
    }
    told.outcome = (uint8_t)town_outcome_of_robot(town, resident, &row);
    if (report(town, &told, "robot") == STATUS_OK)
        note_outcome(town, town_resident(town, event->person), (enum outcome)told.outcome);
}

/* --- what comes
 * -------------------------------------------------------------------------------------- */

static void wake_one(struct town *town)
{
    for (uint32_t i = 0; i < town->agent_count; i++) {
        struct caller *agent = &town->agents[i];
        if (!agent->waits || agent->busy || !is_there(agent, town->now_ms))
            continue;
        agent->waits = false;
        comes(town, i, town->now_ms + chance_between(&town->chance, 1000, 30000));
        return;
    }
}

void town_on_put(struct town *town, const struct engine_outbox *put)
{
    struct event event = {.kind = EVENT_ROBOT,
                          .who = put->task.channel,
                          .person = put->person,
                          .task = put->task.number,
                          .delivery = put->task.delivery};

    if (put->op != OUTBOX_PUT || put->seq != put->task.first_put_seq)
        return;
    if (put->task.channel == TASK_CALL || put->task.channel == TASK_VOICEMAIL ||
        put->task.channel == TASK_VISIT)
        wake_one(town);
    else
        town_plan(town, town->now_ms + draw_robot(town, put->task.channel), event);
}
