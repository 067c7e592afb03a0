/* What must always be so, looked for in the records as they come and in the rows at the end of each
 * year: by what is noted here of each person, not by what the engine thinks of them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "server/simulate_internal.h"

static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

void town_check(struct town *town, enum simulate_check check, bool holds)
{
    struct simulate_checked *checked = &town->figures->checked[check];

    checked->looked++;
    if (holds)
        return;
    checked->broken++;
    if (!town->options->on_broken)
        return;
    pthread_mutex_lock(&telling);
    town->options->on_broken(town->options->owner, check, town->number, &town->room.record.header);
    pthread_mutex_unlock(&telling);
}

/* --- caps ------------------------------------------------------------------------------------ */

static void note_touch(struct seen *seen, uint64_t ms, bool call)
{
    memmove(seen->touches_ms + 1, seen->touches_ms,
            sizeof(seen->touches_ms) - sizeof(seen->touches_ms[0]));
    seen->touches_ms[0] = ms;
    seen->touch_calls = (uint16_t)(seen->touch_calls << 1 | call);
}

/* Whether one more is allowed now, by what was noted before. */
static bool keeps_caps(const struct town *town, const struct seen *seen, bool call, uint64_t ms)
{
    const struct playbook_caps *caps = &town->playbook->caps;
    uint64_t gap_ms = caps->gap.ms + caps->gap.months * 30 * DAY_MS;
    uint32_t touches = 0, calls = 0;

    for (unsigned i = 0; i < TOUCHES_SEEN && seen->touches_ms[i] != 0; i++) {
        uint64_t since_ms = ms > seen->touches_ms[i] ? ms - seen->touches_ms[i] : 0;
        /* Touches are kept in seconds. */
        if (since_ms + 1000 < gap_ms)
            return false;
        if (since_ms + 1000 >= DAY_MS)
            continue;
        touches++;
        calls += seen->touch_calls >> i & 1;
    }
    return (caps->per_day == 0 || touches < caps->per_day) &&
           (!call || caps->calls_per_day == 0 || calls < caps->calls_per_day);
}

/* --- effects -----------------------------------------------------------------------------------
 */

static bool has_hours(unsigned channel)
{
    return channel == TASK_CALL || channel == TASK_SMS || channel == TASK_VOICEMAIL;
}

static uint64_t step_place(const struct effect_step *step, uint64_t person)
{
    uint64_t mixed = person * 0x9e3779b97f4a7c15ull ^ step->due_ms;

    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull;
    mixed ^= (uint64_t)step->cadence << 8 | step->step;
    mixed = (mixed ^ mixed >> 32) * 0x94d049bb133111ebull;
    return mixed | 1;
}

static bool add_place(uint64_t *places, size_t capacity, uint64_t place)
{
    size_t at = (size_t)(place >> 8) & (capacity - 1);

    for (; places[at] != 0; at = (at + 1) & (capacity - 1))
        if (places[at] == place)
            return false;
    places[at] = place;
    return true;
}

static void widen_steps(struct town *town)
{
    size_t capacity = town->step_capacity == 0 ? 4096 : 2 * town->step_capacity;
    uint64_t *wider = memory_take_zeroed(capacity, sizeof(*wider));

    for (size_t i = 0; i < town->step_capacity; i++)
        if (town->steps_done[i] != 0)
            (void)add_place(wider, capacity, town->steps_done[i]);
    free(town->steps_done);
    town->steps_done = wider;
    town->step_capacity = capacity;
}

/* A step of one run through a cadence has one time at which it is due. */
static bool is_first_time(struct town *town, uint64_t person, const struct effect_step *step)
{
    if (2 * town->step_count >= town->step_capacity)
        widen_steps(town);
    if (!add_place(town->steps_done, town->step_capacity, step_place(step, person)))
        return false;
    town->step_count++;
    return true;
}

static void on_step(struct town *town, const struct record *record, const struct effect_step *step)
{
    struct simulate_figures *figures = town->figures;

    if (step->skip != SKIP_NONE) {
        figures->skipped[step->skip]++;
        return;
    }
    if (step->cadence == 0)
        return;
    figures->steps++;
    town_check(town, SIMULATE_CHECK_STEP, is_first_time(town, record->header.person, step));
}

static void on_new_task(struct town *town, struct seen *seen, const struct task_row *row)
{
    town->figures->tasks[row->channel]++;
    seen->open_tasks++;
    if (row->channel != TASK_CALL)
        return;
    town_check(town, SIMULATE_CHECK_CALL, seen->call == 0);
    seen->call = row->number;
}

/* The first response is not, nor a call at the time that the person named, nor what an escalation
 * sends beside it. */
static bool is_capped(const struct task_row *row)
{
    if (has_hours(row->channel))
        return row->kind != TASK_FIRST_RESPONSE && row->kind != TASK_AGREED;
    return row->kind == TASK_STEP && row->delivery == 1;
}

static void on_task(struct town *town, const struct record *record, struct seen *seen,
                    const struct task_row *row)
{
    if (row->number >> 3 == record->header.seq)
        on_new_task(town, seen, row);
    else if (row->delivery > 1 && row->put_seq != 0 && row->put_seq == row->first_put_seq &&
             record->header.kind != RECORD_OPENED)
        town->figures->redelivered++;
    /* Put by this record, for the first time of this delivery. */
    if (row->put_seq == 0 || row->put_seq != row->first_put_seq ||
        record->header.kind == RECORD_BREACH)
        return;
    if (is_capped(row))
        town_check(town, SIMULATE_CHECK_CAPS,
                   keeps_caps(town, seen, row->channel == TASK_CALL, record->header.now_ms));
    if (row->delivery == 1 && row->channel != TASK_CALL && row->channel != TASK_RESEARCH)
        note_touch(seen, record->header.now_ms, false);
}

static void on_task_end(struct seen *seen, const struct effect_task_end *end)
{
    seen->open_tasks--;
    if (seen->call == end->task)
        seen->call = 0;
}

static void on_escalated(struct town *town, const struct effect_escalated *escalated)
{
    if (escalated->rung == 0)
        town->figures->tiers++;
    else
        town->figures->rungs++;
}

static void look_at_effects(struct town *town, const struct record *record, struct seen *seen)
{
    struct record_view view;
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    record_view_of(record, &view);
    while ((kind = effect_next(&view, &offset, &body)) != 0) {
        union {
            struct effect_task task;
            struct effect_task_end end;
            struct effect_step step;
            struct effect_parked parked;
            struct effect_escalated escalated;
        } effect;

        switch (kind) {
        case EFFECT_TASK:
            effect_copy(body, &effect.task, sizeof(effect.task));
            on_task(town, record, seen, &effect.task.row);
            break;
        case EFFECT_TASK_END:
            effect_copy(body, &effect.end, sizeof(effect.end));
            on_task_end(seen, &effect.end);
            break;
        case EFFECT_STEP:
            effect_copy(body, &effect.step, sizeof(effect.step));
            on_step(town, record, &effect.step);
            break;
        case EFFECT_PARKED:
            effect_copy(body, &effect.parked, sizeof(effect.parked));
            town->figures->parked[effect.parked.by]++;
            break;
        case EFFECT_ESCALATED:
            effect_copy(body, &effect.escalated, sizeof(effect.escalated));
            on_escalated(town, &effect.escalated);
            break;
        default:
            break;
        }
    }
}

/* What the outside knows itself: somebody said it, or took it back by a consent. */
static void note_stop(struct seen *seen, const struct record *record)
{
    struct record_view view;
    struct effect_report report;
    struct effect_optin optin;

    record_view_of(record, &view);
    if (record->header.kind == RECORD_OUTCOME &&
        effect_find(&view, EFFECT_REPORT, &report, sizeof(report))) {
        if (report.outcome == OUTCOME_DO_NOT_CONTACT)
            seen->stopped = true;
        if (report.contact_ms != 0 && report.task == seen->call)
            note_touch(seen, report.contact_ms, true);
    } else if (record->header.kind == RECORD_OPTIN && seen->stopped &&
               effect_find(&view, EFFECT_OPTIN, &optin, sizeof(optin)) &&
               (optin.flags & INTAKE_CONSENT)) {
        seen->stopped = false;
    }
}

void town_check_record(struct town *town, const struct record *record)
{
    struct seen *seen;

    town->figures->records++;
    town->figures->breaches += record->header.kind == RECORD_BREACH;
    town_check(town, SIMULATE_CHECK_TIME, record->header.now_ms >= town->now_ms);
    if (record->header.person == 0)
        return;
    seen = town_seen(town, record->header.person);
    note_stop(seen, record);
    look_at_effects(town, record, seen);
    if (seen->stopped)
        town_check(town, SIMULATE_CHECK_STOPPED, seen->open_tasks == 0);
}

/* --- calls ---------------------------------------------------------------------------------------
 */

/* By the hours that the state has where they live, as the table of homes says: of calls, not of
 * visits. Who has named a time and no number may live in any of them. */
void town_check_call(struct town *town, const struct resident *resident,
                     const struct task_row *task)
{
    const struct home *home = resident->home;
    struct civil local;
    unsigned minute;

    if (!has_hours(task->channel) || task->kind == TASK_FIRST_RESPONSE || resident->shares_phone ||
        (task->kind == TASK_AGREED && !resident->has_phone))
        return;
    zone_civil(simulate_zone(home), town->now_ms, &local);
    minute = local.hour * 60u + local.minute;
    town_check(town, SIMULATE_CHECK_HOURS,
               minute >= home->from && minute < home->until &&
                   (home->sundays || local.weekday != 7));
}

/* `attempts` are those before this one. */
void town_check_outcome(struct town *town, const struct resident *resident, enum outcome outcome,
                        enum status status)
{
    const struct playbook_outcome *does = town->playbook->by_outcome[outcome];

    if (outcome != OUTCOME_DEAD || !does)
        return;
    if (does->next != PLAYBOOK_NEXT_END || does->final != 0)
        return;
    town_check(town, SIMULATE_CHECK_ATTEMPTS,
               status != STATUS_OK || resident->attempts + (uint32_t)does->attempt >=
                                          town->playbook->calls.attempts_least);
}

/* --- everybody -----------------------------------------------------------------------------------
 */

/* Visible, leased, or waiting for a time. */
static bool goes_on(const struct task_row *task)
{
    return task->number != 0 && (task->put_seq != 0 || task->due_kind != DUE_NONE);
}

static bool has_next(struct town *town, uint64_t number, const struct person_row *row,
                     const struct task_row *task)
{
    struct task_row further;
    uint64_t after = 0;

    if (row->due_ms != 0 || goes_on(task))
        return true;
    while (state_task_next(town->room.state, number, after, &further)) {
        if (goes_on(&further))
            return true;
        after = further.number;
    }
    return false;
}

void town_check_everybody(struct town *town)
{
    uint64_t people = state_meta(town->room.state)->people;

    for (uint64_t number = 1; number <= people; number++) {
        struct person_row row;
        struct task_row task;
        uint64_t last_seq;
        bool found = state_person_find(town->room.state, number, &row, &task, &last_seq);
        bool has_end =
            found && (row.closed != PERSON_WORKED || (row.flags & PERSON_DO_NOT_CONTACT) != 0);
        town_check(town, SIMULATE_CHECK_NEXT,
                   found && (has_end || has_next(town, number, &row, &task)));
    }
}
