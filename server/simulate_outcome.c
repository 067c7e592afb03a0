/* What comes of a call, or of what a robot sends: drawn from the rates. */
#include "server/simulate_internal.h"

static bool hits(struct town *town, enum simulate_rate rate)
{
    return chance_hits(&town->chance, town->options->rates[rate]);
}

static enum outcome unanswered(struct town *town, const struct resident *resident)
{
    if (!resident->number_works)
        return hits(town, SIMULATE_VOICEMAIL) ? OUTCOME_WRONG_NUMBER : OUTCOME_NO_ANSWER;
    if (hits(town, SIMULATE_VOICEMAIL))
        return OUTCOME_VOICEMAIL;
    return hits(town, SIMULATE_BUSY) ? OUTCOME_BUSY : OUTCOME_NO_ANSWER;
}

/* The odds of a conversation fall with the time that the opt-in has waited. */
static bool talks(struct town *town, const struct task_row *task)
{
    const uint32_t *rates = town->options->rates;
    uint64_t waited_ms = town->now_ms - task->received_ms;
    uint32_t yes = rates[SIMULATE_TALK_5_MIN], no = yes < 10000 ? 10000 - yes : 0;

    if (task->kind == TASK_FIRST_RESPONSE && waited_ms > 5 * MINUTE_MS)
        no *= rates[waited_ms > 30 * MINUTE_MS ? SIMULATE_ODDS_LATER : SIMULATE_ODDS_10_MIN];
    return yes + no > 0 && chance_below(&town->chance, yes + (uint64_t)no) < yes;
}

static enum outcome talked(struct town *town)
{
    if (hits(town, SIMULATE_APPOINTMENT))
        return OUTCOME_APPOINTMENT;
    return hits(town, SIMULATE_INFORMATION) ? OUTCOME_INFORMATION : OUTCOME_CONVERSATION;
}

static enum outcome of_customer(struct town *town)
{
    if (hits(town, SIMULATE_REFERRAL))
        return OUTCOME_REFERRAL;
    return hits(town, SIMULATE_SATISFIED) ? OUTCOME_CONVERSATION : OUTCOME_UNSATISFIED;
}

enum outcome town_outcome_of_call(struct town *town, struct resident *resident,
                                  const struct task_row *task)
{
    if (!resident->number_works || !hits(town, SIMULATE_ANSWERED))
        return unanswered(town, resident);
    if (resident->is_customer)
        return of_customer(town);
    if (resident->buys_at != 0 && resident->attempts + 1 >= resident->buys_at)
        return OUTCOME_SOLD;
    if (talks(town, task))
        return talked(town);
    if (hits(town, SIMULATE_DO_NOT_CONTACT))
        return OUTCOME_DO_NOT_CONTACT;
    if (hits(town, SIMULATE_NO_TIME))
        return OUTCOME_BUSY;
    return hits(town, SIMULATE_NOT_INTERESTED) ? OUTCOME_NOT_INTERESTED : OUTCOME_NOT_NOW;
}

static bool is_survey(const struct town *town, const struct task_row *task)
{
    const struct playbook *playbook = town->playbook;

    return task->cadence > 0 && task->cadence <= playbook->cadences.count && task->step > 0 &&
           task->step <= playbook->cadences.items[task->cadence - 1].steps.count &&
           playbook->cadences.items[task->cadence - 1].steps.items[task->step - 1].kind ==
               PLAYBOOK_SURVEY;
}

enum outcome town_outcome_of_robot(struct town *town, const struct resident *resident,
                                   const struct task_row *task)
{
    (void)resident;
    if (task->channel == TASK_RESEARCH)
        return OUTCOME_RESEARCHED;
    if (task->channel != TASK_EMAIL)
        return OUTCOME_DELIVERED;
    if (hits(town, SIMULATE_BOUNCED))
        return OUTCOME_BOUNCED;
    if (hits(town, SIMULATE_UNSUBSCRIBED))
        return OUTCOME_UNSUBSCRIBED;
    if (is_survey(town, task) && hits(town, SIMULATE_SURVEYED))
        return hits(town, SIMULATE_SATISFIED) ? OUTCOME_SATISFIED : OUTCOME_UNSATISFIED;
    return OUTCOME_DELIVERED;
}
