/* What follows from an outcome: the playbook says it, for each of them. Where the person stands,
 * who is silent from now on, which cadence goes on, when is called again; or that it is over. */
#include "server/engine_shown.h"

#define ALL_CHANNELS (~0u)

bool engine_is_revocation(enum outcome outcome, enum task_channel channel)
{
    return outcome == OUTCOME_DO_NOT_CONTACT ||
           (outcome == OUTCOME_UNSUBSCRIBED && channel != TASK_EMAIL);
}

bool engine_is_wish(uint8_t outcome)
{
    return outcome == OUTCOME_DO_NOT_CONTACT || outcome == OUTCOME_UNSUBSCRIBED;
}

bool engine_can_be(enum outcome outcome, enum task_channel channel)
{
    switch (outcome) {
    case OUTCOME_DELIVERED:
    case OUTCOME_BOUNCED:
        return channel != TASK_CALL && channel != TASK_RESEARCH && channel != TASK_VISIT;
    case OUTCOME_RESEARCHED:
        return channel == TASK_RESEARCH;
    default:
        return true;
    }
}

const struct playbook_outcome *engine_outcome(const struct playbook *playbook, enum outcome outcome)
{
    static const struct playbook_outcome unnamed = {.next = PLAYBOOK_NEXT_CADENCE,
                                                    .cadence = PLAYBOOK_KEEP};
    const struct playbook_outcome *named = playbook->by_outcome[outcome];

    return named != NULL ? named : &unnamed;
}

/* On the phone or face to face somebody was tried, whatever was said there. */
static bool is_heard_by_a_human(enum task_channel channel)
{
    return !engine_is_robots(channel) && channel != TASK_RESEARCH;
}

const struct playbook_outcome *engine_trial(const struct playbook *playbook, enum outcome outcome,
                                            enum task_channel channel)
{
    if (outcome == OUTCOME_UNSUBSCRIBED && is_heard_by_a_human(channel))
        outcome = OUTCOME_DO_NOT_CONTACT;
    return engine_outcome(playbook, outcome);
}

enum status engine_may_end(const struct playbook *playbook, enum outcome outcome, unsigned attempts)
{
    const struct playbook_outcome *does = engine_outcome(playbook, outcome);

    return does->next == PLAYBOOK_NEXT_END && does->final == 0 &&
                   attempts < playbook->calls.attempts_least
               ? STATUS_TOO_FEW_ATTEMPTS
               : STATUS_OK;
}

static void note_conversation(struct person_row *row, uint64_t contact_ms)
{
    row->flags |= PERSON_CONVERSED;
    if (row->conversed_ms == 0 || contact_ms < row->conversed_ms)
        row->conversed_ms = contact_ms;
}

/* Who does not answer, or was only sent something, has said nothing. */
static void note_mood(struct person_row *row, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_UNSATISFIED:
        row->marks |= PERSON_UNHAPPY;
        break;
    case OUTCOME_CONVERSATION:
    case OUTCOME_APPOINTMENT:
    case OUTCOME_INFORMATION:
    case OUTCOME_NOT_NOW:
    case OUTCOME_NOT_INTERESTED:
    case OUTCOME_DO_NOT_CONTACT:
    case OUTCOME_SOLD:
    case OUTCOME_SATISFIED:
    case OUTCOME_REFERRAL:
        row->marks &= (uint8_t)~PERSON_UNHAPPY;
        break;
    default:
        break;
    }
}

void life_learn(struct life *life, enum outcome outcome, uint64_t contact_ms)
{
    struct person_row *row = &life->who->row;

    switch (outcome) {
    case OUTCOME_CONVERSATION:
    case OUTCOME_APPOINTMENT:
    case OUTCOME_INFORMATION:
        note_conversation(row, contact_ms);
        break;
    case OUTCOME_SOLD: /* whatever the stages are called */
        note_conversation(row, contact_ms);
        row->flags |= PERSON_CUSTOMER;
        break;
    default:
        break;
    }
    note_mood(row, outcome);
    life_move(life, 1ull << outcome);
}

/* A customer who buys again was won by the first sale. */
void life_note_sale(struct life *life, const struct heard *heard)
{
    struct person_row *row = &life->who->row;
    uint64_t cents;

    if (report_amount(heard->value, &cents) && cents != 0)
        row->sold_cents = cents;
    if (row->sold_attempt == 0)
        row->sold_attempt = row->attempts;
}

/* --- cadences ----------------------------------------------------------------------------- */

static bool fits(const struct life *life, unsigned cadence)
{
    uint8_t program = life_is_customer(life) ? PLAYBOOK_CUSTOMERS : PLAYBOOK_PROSPECTS;

    const struct playbook_cadence *found = playbook_cadence(life->playbook, cadence);

    return found != NULL && found->program == program;
}

void life_start_segments(struct life *life)
{
    const struct playbook_segment *segment = playbook_segment_of(life->playbook, life_facts(life));

    life_start_cadence(life, segment->cadence);
}

void life_suit_cadence(struct life *life)
{
    if (life->who->row.cadence != 0 && life->who->row.step != 0 &&
        !fits(life, life->who->row.cadence))
        life_start_segments(life);
}

/* People are put into cadences of their own program only; who has become a customer leaves those
 * for prospects all the same. */
static void change_cadence(struct life *life, const struct playbook_outcome *does,
                           enum outcome outcome, bool had_run_out)
{
    struct person_row *row = &life->who->row;
    unsigned wanted = does->cadence > PLAYBOOK_SWITCH ? does->cadence - PLAYBOOK_SWITCH : 0;

    if (does->cadence == PLAYBOOK_STOP) {
        row->cadence = row->step = 0;
        row->cadence_ms = row->step_ms = row->held_ms = 0;
        row->held_cadence = row->held_step = 0;
    } else if (fits(life, wanted)) {
        if (row->cadence != wanted || row->step == 0)
            life_start_cadence(life, wanted);
    } else if (row->cadence == 0 && had_run_out) {
        return; /* nothing new came of it */
    } else if (!fits(life, row->cadence)) {
        life_start_segments(life);
    } else if (row->step != 0 &&
               (life->playbook->cadences.items[row->cadence - 1].stops_on >> outcome & 1)) {
        life_go_on(life);
    }
}

/* --- calls -------------------------------------------------------------------------------- */

static bool is_agreed(const struct playbook_outcome *does, const struct heard *heard)
{
    return does->agreed && heard->call_at_ms != 0;
}

/* What a robot reports changes nothing of what is planned. */
static bool plans_calls(const struct playbook_outcome *does)
{
    return does->contact || does->attempt;
}

/* What was agreed is kept until another time is, and needs no number: one may be found by then, and
 * who named the time waits for us. A first response that is owed is not given by a robot. Where it
 * was a second number that was wrong, nobody has answered on the other one. */
static void plan_call(struct life *life, const struct playbook_outcome *does,
                      const struct heard *heard)
{
    const struct playbook_calls *calls = &life->playbook->calls;
    struct person_row *row = &life->who->row;
    bool retries = does->next == PLAYBOOK_NEXT_RETRY || !hash_is_none(life->wrong);

    if (!plans_calls(does))
        return;
    row->calls = retries ? (uint16_t)(row->calls + 1) : 0;
    if (row->call_why == CALL_AGREED && !is_agreed(does, heard))
        return;
    if (row->call_why == CALL_AGAIN && engine_is_robots(heard->channel)) {
        if (!is_agreed(does, heard))
            return;
        row->marks |= PERSON_OWED;
    }
    life_plan_call(life, 0, CALL_NOT);
    if (is_agreed(does, heard)) {
        life_plan_call(life, heard->call_at_ms, CALL_AGREED);
        return;
    }
    if (!life_can_be_called(life))
        return;
    if (retries && row->calls <= calls->spacing.count)
        life_plan_call(life,
                       life_after(life, heard->said_ms, calls->spacing.items[row->calls - 1].span),
                       CALL_RETRY);
    else if (does->next == 0)
        life_plan_call(life, life_after(life, heard->said_ms, does->wake), CALL_WAKE);
}

unsigned engine_silenced_by(const struct playbook *playbook, enum outcome outcome,
                            enum task_channel channel)
{
    const struct playbook_outcome *does = engine_outcome(playbook, outcome);

    return (unsigned)does->silences | (does->silences_own ? 1u << channel : 0);
}

void life_hear(struct life *life, const struct heard *heard)
{
    const struct playbook_outcome *does = engine_outcome(life->playbook, heard->outcome);
    struct person_row *row = &life->who->row;
    bool had_run_out = row->closed == PERSON_RUN_OUT;
    const struct person_row before = *row;
    unsigned silences, used;
    struct life_endings endings = {.channels = ALL_CHANNELS, .but = heard->task};

    row->end = (uint8_t)heard->outcome;
    row->closed = PERSON_WORKED;
    if (heard->outcome == OUTCOME_SOLD)
        life_note_sale(life, heard);
    if (engine_is_revocation(heard->outcome, heard->channel)) {
        row->flags |= PERSON_DO_NOT_CONTACT;
        if (row->stopped_s < heard->said_ms / 1000)
            row->stopped_s = (uint32_t)(heard->said_ms / 1000);
        life_stop(life, PERSON_STOPPED);
        life_end_tasks(life, &endings);
        return;
    }
    used = life_hear_wrong(life, heard);
    silences = engine_silenced_by(life->playbook, heard->outcome, heard->channel);
    row->silenced |= (uint16_t)(silences & ~used);
    if (does->next == PLAYBOOK_NEXT_END) {
        life_stop(life, PERSON_GIVEN_UP);
        life_end_tasks(life, &endings);
        return;
    }
    change_cadence(life, does, heard->outcome, had_run_out);
    endings.channels = silences & ~used;
    endings.wrong = silences & used;
    endings.steps = row->cadence != before.cadence || row->cadence_ms != before.cadence_ms;
    endings.calls = endings.steps && plans_calls(does);
    life_end_tasks(life, &endings);
    plan_call(life, does, heard);
    life_keep_going(life);
}

void life_hear_of_before(struct life *life, const struct heard *heard)
{
    unsigned silences = engine_silenced_by(life->playbook, heard->outcome, heard->channel), used;
    struct person_row *row = &life->who->row;

    if (engine_is_revocation(heard->outcome, heard->channel)) {
        life_hear(life, heard);
        return;
    }
    if (heard->outcome == OUTCOME_SOLD && row->sold_attempt == 0)
        life_note_sale(life, heard);
    used = life_hear_wrong(life, heard);
    row->silenced |= (uint16_t)(silences & ~used);
    life_end_tasks(life, &(struct life_endings){
                             .channels = silences & ~used,
                             .wrong = silences & used,
                             .but = heard->task,
                         });
    if (row->cadence != 0 && !fits(life, row->cadence))
        life_start_segments(life);
    life_keep_going(life);
}
