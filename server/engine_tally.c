/* What is counted: told from a record and from the rows before and after it, as apply has them. So
 * nothing of it stands in a record, a journal of before is counted as well, and a rebuild counts
 * the same.
 *
 * To count one kind more: a name in enum tally_kind, a line where its record is applied, and a line
 * here that says what its cohort is. */
#include "proto/must.h"
#include "proto/task.h"
#include "server/engine_internal.h"

#define DAY_MS  86400000ull
#define HOUR_MS 3600000ull

/* When, and from which sides, something is counted. What is 0 is not known, and not counted from
 * that side. */
struct cohort {
    uint64_t ms;
    uint32_t agency, site, source, campaign;
    uint64_t agent;
};

/* The hour is asked of lengths of time alone. */
static bool has_side(enum tally_kind kind, unsigned side, uint64_t value)
{
    if (side == TALLY_HOUR)
        return kind == TALLY_ANSWER || kind == TALLY_CONVERSED;
    return side == TALLY_ALL || value != 0;
}

static enum status count(struct engine *engine, enum tally_kind kind, const struct cohort *cohort,
                         const struct tally_add *add)
{
    const uint64_t values[] = {
        [TALLY_SITE] = cohort->site,     [TALLY_HOUR] = cohort->ms % DAY_MS / HOUR_MS,
        [TALLY_SOURCE] = cohort->source, [TALLY_CAMPAIGN] = cohort->campaign,
        [TALLY_AGENT] = cohort->agent,   [TALLY_OWNER] = 0};
    const uint32_t day = (uint32_t)(cohort->ms / DAY_MS);
    struct tally_key key = {.agency = cohort->agency, .kind = (uint8_t)kind};

    for (unsigned side = TALLY_ALL; side < TALLY_DIMENSION_END; side++) {
        if (!has_side(kind, side, values[side]))
            continue;
        key.day = tally_day((enum tally_dimension)side, day);
        key.dimension = (uint8_t)side;
        key.value = values[side];
        TRY(state_tally(engine->options.state, &key, add));
    }
    return STATUS_OK;
}

/* --- people ----------------------------------------------------------------------- */

static struct cohort cohort_of_person(const struct person_row *row)
{
    return (struct cohort){.ms = row->first_ms,
                           .agency = row->agency,
                           .site = row->first_site,
                           .source = row->source,
                           .campaign = row->campaign};
}

static bool is_end(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_WRONG_NUMBER:
    case OUTCOME_NOT_INTERESTED:
    case OUTCOME_DO_NOT_CONTACT:
    case OUTCOME_UNSUBSCRIBED:
    case OUTCOME_SOLD:
    case OUTCOME_SATISFIED:
    case OUTCOME_UNSATISFIED:
    case OUTCOME_REFERRAL:
    case OUTCOME_DEAD:
        return true;
    default:
        return false;
    }
}

bool engine_was_ended(const struct person_row *row)
{
    return row->segment == 0 && is_end((enum outcome)row->end);
}

/* Of people whom no life was planned for yet, as before playbooks were followed, an outcome says
 * that it is over; of all others the row does. */
bool engine_is_adrift(const struct person_row *row)
{
    if (row->optins == 0 || row->open_tasks > 0 || row->due_ms != 0 || row->closed != PERSON_WORKED)
        return false;
    if (row->flags & (PERSON_DO_NOT_CONTACT | PERSON_CUSTOMER))
        return false;
    if (engine_was_ended(row))
        return false;
    return row->attempts > 0 || row->reason == NO_TASK_HAS_ONE;
}

bool engine_is_unhappy(const struct person_row *row)
{
    return (row->marks & PERSON_UNHAPPY) || row->end == OUTCOME_UNSATISFIED;
}

/* Who could not be called by the end, was not given up. */
static bool is_by_law(const struct person_row *row)
{
    bool cannot_be_called = hash_is_none(row->phone) || (row->silenced >> TASK_CALL & 1);

    return (row->flags & PERSON_DO_NOT_CONTACT) || row->end == OUTCOME_WRONG_NUMBER ||
           row->end == OUTCOME_UNSUBSCRIBED || (row->closed == PERSON_RUN_OUT && cannot_be_called);
}

static enum tally_where where_is(const struct person_row *row)
{
    if (row->flags & PERSON_CUSTOMER)
        return TALLY_BOUGHT;
    if (engine_is_adrift(row))
        return TALLY_ADRIFT;
    if (row->open_tasks > 0 || row->due_ms != 0 || (row->attempts == 0 && row->end == OUTCOME_NONE))
        return TALLY_WORKED;
    return is_by_law(row) ? TALLY_BY_LAW : TALLY_STOPPED;
}

static uint16_t standing_bin(const struct person_row *row)
{
    if (row->optins == 0)
        return 0;
    const struct tally_standing standing = {
        .attempts = row->flags & PERSON_CUSTOMER ? row->sold_attempt : row->attempts,
        .where = where_is(row),
        .contacted = row->contact_ms != 0,
        .conversed = row->conversed_ms != 0,
        .unhappy = engine_is_unhappy(row),
    };

    return row->optins == 0 || row->closed == PERSON_MERGED ? 0 : tally_standing_bin(&standing);
}

static enum status count_standing(struct engine *engine, const struct cohort *cohort,
                                  uint16_t before, uint16_t after)
{
    struct tally_add add = {.bin = after, .from = before, .moves = before != 0};

    if (before == after)
        return STATUS_OK;
    if (after == 0)
        add = (struct tally_add){.bin = before, .less = true};
    return count(engine, TALLY_STANDING, cohort, &add);
}

static uint64_t since(uint64_t from_ms, uint64_t ms)
{
    return ms > from_ms ? ms - from_ms : 0;
}

static enum status count_conversed(struct engine *engine, const struct cohort *cohort,
                                   uint64_t conversed_ms, bool less)
{
    struct tally_add add = {.less = less, .amount = since(cohort->ms, conversed_ms)};

    if (conversed_ms == 0)
        return STATUS_OK;
    add.bin = tally_span_bin(add.amount);
    return count(engine, TALLY_CONVERSED, cohort, &add);
}

static enum status count_stage(struct engine *engine, const struct cohort *cohort, uint8_t stage,
                               bool less)
{
    if (stage <= STAGE_OPTIN)
        return STATUS_OK;
    return count(engine, TALLY_STAGE, cohort, &(struct tally_add){.bin = stage, .less = less});
}

static uint8_t stage_of(const struct person_row *row)
{
    return row->closed == PERSON_MERGED ? 0 : row->stage;
}

static uint64_t conversed_of(const struct person_row *row)
{
    return row->closed == PERSON_MERGED ? 0 : row->conversed_ms;
}

/* How it is now: of no day. Who has no owner is not counted, as most have none while an opt-in is
 * new. */
static enum status count_board(struct engine *engine, const struct person_row *row, bool less)
{
    const struct tally_key key = {
        .agency = row->agency, .kind = TALLY_BOARD, .dimension = TALLY_OWNER, .value = row->owner};
    const struct tally_add add = {
        .bin = (uint16_t)((row->stage & TALLY_BOARD_STAGE) |
                          (row->closed != PERSON_WORKED ? TALLY_BOARD_OVER : 0)),
        .less = less};

    if (row->owner == 0 || row->optins == 0 || row->closed == PERSON_MERGED)
        return STATUS_OK;
    return state_tally(engine->options.state, &key, &add);
}

static bool stands_the_same(const struct person_row *a, const struct person_row *b)
{
    return a->owner == b->owner && a->stage == b->stage && a->closed == b->closed &&
           (a->optins == 0) == (b->optins == 0);
}

static bool is_only_looked_at(unsigned reason)
{
    return reason == NO_TASK_TEST || reason == NO_TASK_SUSPECT;
}

/* Of whom there was nothing but tests, and what was taken for a robot's. Records of before lives
 * were planned do not say so where there was more than one. */
static bool is_nobody(const struct person_row *row)
{
    return row->closed == PERSON_NOT_STARTED ||
           (row->optins == 1 && is_only_looked_at(row->reason));
}

/* Who is another one now is counted with that one. */
static bool is_somebody(const struct person_row *row)
{
    return row->optins > 0 && row->closed != PERSON_MERGED && !is_nobody(row);
}

/* Who comes with an opt-in that is real is counted with it; who had come before counts from now on,
 * or no more, in the cohort of what came first, as all that is counted of him. */
static enum status count_people(struct engine *engine, const struct cohort *cohort)
{
    const struct person_row *before = &engine->person_before, *after = &engine->person.row;
    unsigned less = is_somebody(before) ? TALLY_LESS : 0;

    if (before->optins == 0 || is_somebody(before) == is_somebody(after))
        return STATUS_OK;
    return count(engine, TALLY_OPTIN, cohort,
                 &(struct tally_add){.bin = TALLY_OPTIN_SINCE | TALLY_OPTIN_NEW | less});
}

/* The cohort that somebody is of stays, as long as he is the same person. */
enum status engine_tally_person(struct engine *engine)
{
    const struct person_row *before = &engine->person_before, *after = &engine->person.row;
    struct cohort cohort = cohort_of_person(after);

    TRY(count_people(engine, &cohort));
    TRY(count_standing(engine, &cohort, standing_bin(before), standing_bin(after)));
    if (conversed_of(before) != conversed_of(after)) {
        TRY(count_conversed(engine, &cohort, conversed_of(before), true));
        TRY(count_conversed(engine, &cohort, conversed_of(after), false));
    }
    if (stage_of(before) != stage_of(after)) {
        TRY(count_stage(engine, &cohort, stage_of(before), true));
        TRY(count_stage(engine, &cohort, stage_of(after), false));
    }
    if (!stands_the_same(before, after)) {
        TRY(count_board(engine, before, true));
        TRY(count_board(engine, after, false));
    }
    return STATUS_OK;
}

/* --- opt-ins and their answers --------------------------------------------------------- */

/* An opt-in that repeats another one has neither an id nor a content of its own. */
static bool is_repetition(const struct effect_optin *optin)
{
    return hash_is_none(optin->event) && hash_is_none(optin->content);
}

enum status engine_tally_optin(struct engine *engine, const struct record_view *record)
{
    const struct effect_optin *optin = &engine->decision;
    const struct cohort cohort = {.ms = optin->received_ms,
                                  .agency = record->header.agency,
                                  .site = optin->site,
                                  .source = optin->source,
                                  .campaign = optin->campaign};
    struct tally_add add = {.bin = optin->reason, .amount = optin->optin_seq};

    if (is_repetition(optin))
        return STATUS_OK;
    if (engine->person.row.optins == 1 && !is_only_looked_at(optin->reason))
        add.bin |= TALLY_OPTIN_NEW;
    add.bin |= engine->opened;
    return count(engine, TALLY_OPTIN, &cohort, &add);
}

/* A task goes back to its opt-in. */
static struct cohort cohort_of_task(const struct engine *engine, const struct record_view *record,
                                    const struct task_row *task)
{
    const struct person_row *person = &engine->person.row;

    return (struct cohort){.ms = task->received_ms,
                           .agency = record->header.agency,
                           .site = task->site,
                           .source = task->own_source ? task->source : person->source,
                           .campaign = task->own_source ? task->campaign : person->campaign};
}

static bool is_first_response(const struct task_row *task)
{
    return task->kind == TASK_FIRST_RESPONSE;
}

/* The record is the opt-in that the task is about. */
static bool is_with_optin(const struct engine *engine, const struct record_view *record,
                          const struct task_row *task)
{
    unsigned kind = record->header.kind;

    return (kind == RECORD_OPTIN || kind == RECORD_DECIDED) && !is_repetition(&engine->decision) &&
           task->optin_seq == engine->decision.optin_seq;
}

static bool is_to_first_optin(const struct engine *engine, const struct task_row *task)
{
    return task->optin_seq == engine->person.row.first_seq;
}

static unsigned owed_bin(const struct engine *engine, const struct task_row *task)
{
    return TALLY_OPTIN_OPENED | (task->promise_ms != 0 ? TALLY_OPTIN_PROMISED : 0) |
           (is_to_first_optin(engine, task) ? TALLY_OPTIN_FIRST : 0);
}

/* A response is owed from now on. */
static enum status count_opened(struct engine *engine, const struct record_view *record,
                                const struct task_row *task)
{
    const struct cohort cohort = cohort_of_task(engine, record, task);
    unsigned opened = owed_bin(engine, task);

    if (is_with_optin(engine, record, task)) {
        engine->opened = (uint16_t)opened;
        return STATUS_OK;
    }
    return count(engine, TALLY_OPTIN, &cohort,
                 &(struct tally_add){.bin = (uint16_t)(TALLY_OPTIN_SINCE | opened)});
}

static enum status count_settled(struct engine *engine, const struct cohort *cohort,
                                 const struct task_row *task)
{
    return count(engine, TALLY_SETTLED, cohort,
                 &(struct tally_add){.bin = is_to_first_optin(engine, task)});
}

/* Two people became one, or one became two. */
static bool is_of_merge(const struct record_view *record)
{
    return record->header.kind == RECORD_MERGED || record->header.kind == RECORD_UNMERGED;
}

/* What a merge withdraws has not come to an end: another call is owed instead, or is owed again
 * once there are two. */
static enum status count_taken_back(struct engine *engine, const struct cohort *cohort,
                                    const struct task_row *task)
{
    unsigned owed = TALLY_OPTIN_SINCE | TALLY_LESS | owed_bin(engine, task);
    unsigned settled = TALLY_LESS | is_to_first_optin(engine, task);

    if (task->flags & TASK_BREACHED)
        TRY(count(engine, TALLY_SETTLED, cohort, &(struct tally_add){.bin = (uint16_t)settled}));
    return count(engine, TALLY_OPTIN, cohort, &(struct tally_add){.bin = (uint16_t)owed});
}

static enum status count_unanswered(struct engine *engine, const struct cohort *cohort,
                                    const struct task_row *task)
{
    return count(engine, TALLY_UNANSWERED, cohort,
                 &(struct tally_add){.bin = task->promise_ms != 0});
}

/* The undo of a merge: it is about this person's opt-in now, and not the other one's. */
static enum status count_told_anew(struct engine *engine, const struct record_view *record,
                                   const struct task_row *old, const struct task_row *row)
{
    const struct cohort was = cohort_of_task(engine, record, old);
    const struct cohort is = cohort_of_task(engine, record, row);

    TRY(count_taken_back(engine, &was, old));
    if (old->flags & TASK_BREACHED)
        TRY(count_settled(engine, &is, row));
    return count_opened(engine, record, row);
}

/* A response that was late, and is about a newer opt-in now, is owed anew; to the older one there
 * was none. */
enum status engine_tally_task(struct engine *engine, const struct record_view *record,
                              const struct task_row *old, const struct task_row *row)
{
    const struct cohort cohort = cohort_of_task(engine, record, old);

    if (!is_first_response(row) || (is_first_response(old) && old->optin_seq == row->optin_seq))
        return STATUS_OK;
    if (is_first_response(old) && is_of_merge(record))
        return count_told_anew(engine, record, old, row);
    if (is_first_response(old))
        TRY(count_unanswered(engine, &cohort, old));
    return count_opened(engine, record, row);
}

enum status engine_tally_breach(struct engine *engine, const struct record_view *record,
                                const struct task_row *task, bool held)
{
    const struct cohort cohort = cohort_of_task(engine, record, task);
    const struct tally_add add = {.bin = held ? TALLY_BREACH_HELD : TALLY_BREACH_WAITING};

    if (is_first_response(task))
        TRY(count_settled(engine, &cohort, task));
    if (is_of_merge(record)) /* it was late when it was the other one's */
        return STATUS_OK;
    return count(engine, TALLY_BREACH, &cohort, &add);
}

static bool is_of_report(const struct engine *engine, const struct task_row *task)
{
    return engine->report.op == REPORT_OUTCOME && engine->report.task == task->number;
}

static enum tally_promise promise_of(const struct task_row *task, uint64_t answered_ms)
{
    if (task->promise_ms == 0)
        return TALLY_PROMISE_NONE;
    return answered_ms <= task->promise_ms ? TALLY_PROMISE_KEPT : TALLY_PROMISE_BROKEN;
}

static uint16_t answer_bin(const struct task_row *task, uint64_t answered_ms)
{
    unsigned promise = promise_of(task, answered_ms);
    unsigned class = tally_class_of(task->received_ms, answered_ms, task->promise_ms);

    return (uint16_t)((promise << TALLY_CLASS_BITS | class) << TALLY_SPAN_BITS |
                      tally_span_bin(since(task->received_ms, answered_ms)));
}

enum status engine_tally_end(struct engine *engine, const struct record_view *record,
                             const struct task_row *task)
{
    struct cohort cohort = cohort_of_task(engine, record, task);
    bool tried =
        is_of_report(engine, task) && engine->person.row.attempts > engine->person_before.attempts;
    uint64_t answered_ms;
    struct tally_add add = {0};

    if (!is_first_response(task))
        return STATUS_OK;
    if (is_of_merge(record))
        return count_taken_back(engine, &cohort, task);
    if (!(task->flags & TASK_BREACHED))
        TRY(count_settled(engine, &cohort, task));
    if (!tried)
        return count_unanswered(engine, &cohort, task);
    answered_ms = engine->report.contact_ms;
    if (answered_ms < task->received_ms) /* not said, by a record of before it was */
        answered_ms = record->header.now_ms;
    add.amount = since(task->received_ms, answered_ms);
    if (!(task->flags & TASK_LEARNT)) /* until then it was in somebody's hands, not the system's */
        add.aside = since(task->received_ms, task->opened_ms);
    add.bin = answer_bin(task, answered_ms);
    cohort.agent = engine->report.agent;
    return count(engine, TALLY_ANSWER, &cohort, &add);
}

/* Of the person at hand, now. */
static struct cohort cohort_of_now(const struct engine *engine, const struct record_view *record)
{
    struct cohort cohort = cohort_of_person(&engine->person.row);

    cohort.ms = record->header.now_ms;
    cohort.agency = record->header.agency;
    return cohort;
}

bool engine_was_sent_something(const struct person_row *row)
{
    for (unsigned i = 0; i < TOUCHES_KEPT && row->touches[i] != 0; i++)
        if (!(row->touch_calls >> i & 1))
            return true;
    return false;
}

static enum status count_bare(struct engine *engine, const struct cohort *cohort)
{
    const struct person_row *before = &engine->person_before;

    if (before->conversed_ms != 0 || engine->person.row.conversed_ms == 0)
        return STATUS_OK;
    return count(engine, TALLY_BARE, cohort,
                 &(struct tally_add){.bin = !engine_was_sent_something(before)});
}

uint8_t engine_cut(const struct person_row *before, const struct person_row *after)
{
    if (before->step == 0 || after->closed != PERSON_GIVEN_UP || is_by_law(after))
        return 0;
    return before->cadence;
}

static enum status count_cut(struct engine *engine, const struct cohort *cohort)
{
    uint8_t cut = engine_cut(&engine->person_before, &engine->person.row);

    return cut == 0 ? STATUS_OK : count(engine, TALLY_CUT, cohort, &(struct tally_add){.bin = cut});
}

static enum status count_word(struct engine *engine, struct cohort cohort, enum outcome outcome,
                              unsigned less)
{
    cohort.source = cohort.campaign = 0;
    return count(engine, TALLY_OUTCOME, &cohort,
                 &(struct tally_add){.bin = (uint16_t)(outcome | less)});
}

enum status engine_tally_outcome(struct engine *engine, const struct record_view *record)
{
    struct cohort cohort = cohort_of_now(engine, record);

    cohort.agent = engine->report.agent;
    TRY(count_bare(engine, &cohort));
    TRY(count_cut(engine, &cohort));
    return count_word(engine, cohort, (enum outcome)engine->report.outcome, 0);
}

/* Whom an amendment makes talked with, or not. */
static enum status count_bare_anew(struct engine *engine, const struct cohort *cohort)
{
    bool was = engine->person_before.conversed_ms != 0;
    bool is = engine->person.row.conversed_ms != 0;
    unsigned bin = engine->amended.bare | (was ? TALLY_LESS : 0);

    if (was == is)
        return STATUS_OK;
    return count(engine, TALLY_BARE, cohort, &(struct tally_add){.bin = (uint16_t)bin});
}

static enum status count_cut_anew(struct engine *engine, const struct cohort *cohort)
{
    unsigned was = engine->amended.was_cut, is = engine->amended.cut;

    if (was == is)
        return STATUS_OK;
    if (was != 0)
        TRY(count(engine, TALLY_CUT, cohort,
                  &(struct tally_add){.bin = (uint16_t)(was | TALLY_LESS)}));
    return is == 0 ? STATUS_OK
                   : count(engine, TALLY_CUT, cohort, &(struct tally_add){.bin = (uint16_t)is});
}

/* Records of before it was noted do not say what they amend. */
enum status engine_tally_amended(struct engine *engine, const struct record_view *record)
{
    const struct effect_amended *amended = &engine->amended;
    struct cohort cohort = cohort_of_now(engine, record);

    if (amended->told_ms == 0)
        return STATUS_OK;
    cohort.ms = amended->told_ms;
    cohort.agent = amended->agent;
    TRY(count_bare_anew(engine, &cohort));
    TRY(count_cut_anew(engine, &cohort));
    if (amended->outcome == engine->report.outcome)
        return STATUS_OK;
    TRY(count_word(engine, cohort, (enum outcome)amended->outcome, TALLY_LESS));
    return count_word(engine, cohort, (enum outcome)engine->report.outcome, 0);
}

/* --- what the playbook does by itself ---------------------------------------------------- */

static uint16_t by_whom(bool robot)
{
    return robot ? TALLY_BY_ROBOT : 0;
}

enum status engine_tally_step(struct engine *engine, const struct record_view *record,
                              const struct effect_step *effect)
{
    const struct cohort cohort = cohort_of_now(engine, record);

    if (effect->skip != SKIP_NONE)
        return count(engine, TALLY_SKIPPED, &cohort, &(struct tally_add){.bin = effect->skip});
    return count(
        engine, TALLY_STEP, &cohort,
        &(struct tally_add){.bin = effect->cadence |
                                   by_whom(engine_is_robots((enum task_channel)effect->channel))});
}

enum status engine_tally_escalated(struct engine *engine, const struct record_view *record,
                                   const struct effect_escalated *effect,
                                   const struct task_row *task)
{
    const struct cohort cohort = cohort_of_task(engine, record, task);

    if (effect->rung == 0)
        return count(engine, TALLY_TIER, &cohort, &(struct tally_add){.bin = effect->tier});
    return count(engine, TALLY_RUNG, &cohort,
                 &(struct tally_add){.bin = effect->rung | by_whom(effect->opened != 0)});
}
