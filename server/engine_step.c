/* What a person is due for: the next step of its cadence, or the next call. Whatever it is, it is
 * done or left out once, and the record says which and why; then the life goes on. */
#include "proto/must.h"
#include "server/engine_internal.h"

bool engine_is_robots(enum task_channel channel)
{
    return channel != TASK_CALL && channel != TASK_VOICEMAIL && channel != TASK_VISIT &&
           channel != TASK_RESEARCH;
}

/* --- what stands against it --------------------------------------------------------------- */

bool engine_has_address(const struct person_row *row, enum task_channel channel)
{
    switch (channel) {
    case TASK_EMAIL:
        return !hash_is_none(row->email);
    case TASK_CALL:
    case TASK_SMS:
    case TASK_VOICEMAIL:
        return !hash_is_none(row->phone);
    default: /* what a fax or a postcard needs, its robot knows */
        return true;
    }
}

/* A task that a record cannot end with all others would outlive "never again". */
static bool has_too_many(const struct life *life, enum task_channel channel)
{
    unsigned most = engine_is_robots(channel) ? ROBOT_TASKS_MAX : OPEN_TASKS_MAX;
    struct state *state = life->engine->options.state;
    struct task_row row;
    uint64_t after = 0;
    unsigned count = life->opened + (life->who->task.number != 0);

    if (life->who->number > state_meta(state)->people)
        return false; /* somebody new has none */
    while (count < most && state_task_next(state, life->who->number, after, &row)) {
        after = row.number;
        count++;
    }
    return count >= most;
}

static enum skip has_no_place(struct life *life, enum task_channel channel, uint32_t queue)
{
    struct task_row open;

    if (queue == 0)
        return SKIP_NO_QUEUE;
    if (channel == TASK_CALL && life_find_open(life, TASK_CALL, &open))
        return SKIP_CALL_OPEN;
    return has_too_many(life, channel) ? SKIP_TOO_MANY : SKIP_NONE;
}

enum skip life_cannot(struct life *life, enum task_channel channel, uint32_t queue)
{
    const struct person_row *row = &life->who->row;

    if (row->flags & PERSON_DO_NOT_CONTACT)
        return SKIP_STOPPED;
    if (row->silenced >> channel & 1)
        return SKIP_SILENCED;
    if (!engine_has_address(row, channel))
        return SKIP_NO_ADDRESS;
    return has_no_place(life, channel, queue);
}

/* Calls to people of a stage may have a queue of their own. `calls` is what a stage says that has
 * none: then they go where the site's calls go. */
uint32_t life_call_queue_at(struct life *life, uint32_t site)
{
    const struct person_row *row = &life->who->row;
    const struct registry *registry = life->engine->options.registry;
    struct slice own = {0};
    uint32_t queue = 0;

    if (row->stage > 0 && row->stage <= life->playbook->stages.count)
        own = life->playbook->stages.items[row->stage - 1].queue;
    if (own.length > 0 && !slice_equal(own, SLICE("calls")))
        queue = life_queue(life, own);
    if (queue != 0)
        return queue;
    return registry_call_queue(registry, row->agency, registry_lasting_site(registry, site));
}

uint32_t life_call_queue(struct life *life)
{
    return life_call_queue_at(life, life->who->row.site);
}

static uint32_t queue_of(struct life *life, const struct playbook_step *step)
{
    enum task_channel channel = (enum task_channel)step->channel;

    if (step->queue.length > 0)
        return life_queue(life, step->queue);
    if (channel == TASK_CALL)
        return life_call_queue(life);
    return life_queue(life, slice_of(task_channel_name(channel)));
}

static bool waits_for_name(struct life *life, const struct playbook_step *step)
{
    return slice_equal(step->without_name, SLICE("hold")) &&
           !life_names(life, (enum task_channel)step->channel);
}

static enum skip why_not(struct life *life, const struct playbook_step *step, uint64_t due_ms,
                         uint32_t queue)
{
    if (life->turn->now_ms > life_after(life, due_ms, step->late_max))
        return SKIP_LATE;
    if (!playbook_holds(&step->when, life_facts(life)))
        return SKIP_RULE;
    return life_cannot(life, (enum task_channel)step->channel, queue);
}

/* --- a step ---------------------------------------------------------------------------------- */

/* NULL: its version of the playbook has no such step. */
static const struct playbook_step *next_step(const struct life *life)
{
    return playbook_step(life->playbook, life->who->row.cadence, life->who->row.step);
}

static const struct playbook_step *held_step(const struct life *life)
{
    return playbook_step(life->playbook, life->who->row.held_cadence, life->who->row.held_step);
}

/* `effect` says which; its task is set. */
static void open_step(struct life *life, const struct playbook_step *step, uint32_t queue,
                      struct effect_step *effect)
{
    struct task_row row;

    life_new_task(life, (enum task_channel)step->channel, TASK_STEP, &row);
    row.queue = queue;
    row.cadence = effect->cadence;
    row.step = effect->step;
    row.deadline_ms = engine_is_robots((enum task_channel)step->channel)
                          ? life_after(life, effect->due_ms, step->late_max)
                          : life->turn->now_ms + CALL_WITHIN_MS;
    if (step->without_name.length > 0 && !life_names(life, (enum task_channel)step->channel))
        row.flags |= TASK_NAMELESS;
    life_open_task(life, &row, life->turn->now_ms);
    effect->task = row.number;
}

/* What was over already when the person came to this version is passed over. */
static void advance(struct life *life)
{
    const struct playbook_step *step;
    struct person_row *row = &life->who->row;
    bool is_over;

    do {
        row->step++;
        is_over = row->passed & 1;
        row->passed >>= 1;
    } while (is_over);
    step = next_step(life);
    if (step != NULL)
        row->step_ms = life_step_at(life, step);
    else
        life_go_on(life);
    life_keep_going(life);
}

/* Not more than a person can bear: the step waits, and is looked at again. */
static bool has_to_wait(struct life *life, const struct playbook_step *step, uint64_t *until_ms)
{
    enum parked_by by = PARKED_BY_GAP;
    uint64_t now_ms = life->turn->now_ms;
    uint64_t allows_ms = life_caps(life, (enum task_channel)step->channel, now_ms, &by);
    struct effect_parked effect = {.opens_ms = allows_ms, .by = (uint8_t)by};

    /* What law and calendar keep hours for waits as a task. */
    if (allows_ms <= now_ms || engine_has_hours((enum task_channel)step->channel))
        return false;
    *until_ms = allows_ms;
    life_effect(life, EFFECT_PARKED, &effect, sizeof(effect));
    return true;
}

/* --- a step that waits for a name ---------------------------------------------------------- */

/* It waited for nothing. */
static void give_up_held(struct life *life)
{
    struct person_row *row = &life->who->row;
    const struct playbook_step *step = held_step(life);
    struct effect_step effect = {
        .due_ms = row->held_ms,
        .playbook = row->playbook,
        .cadence = row->held_cadence,
        .step = row->held_step,
        .channel = step != NULL ? step->channel : 0,
        .skip = SKIP_NO_NAME,
    };

    row->held_ms = 0;
    row->held_cadence = row->held_step = 0;
    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
}

/* One at a time: a later one takes its place. */
static enum record_kind hold(struct life *life, const struct playbook_step *step, uint64_t due_ms)
{
    struct person_row *row = &life->who->row;
    struct effect_parked effect = {.opens_ms = life_after(life, due_ms, step->late_max),
                                   .by = PARKED_BY_NAME};

    if (row->held_ms != 0)
        give_up_held(life);
    row->held_ms = effect.opens_ms;
    row->held_cadence = row->cadence;
    row->held_step = row->step;
    life_effect(life, EFFECT_PARKED, &effect, sizeof(effect));
    advance(life);
    return RECORD_PARKED;
}

static enum record_kind held_due(struct life *life)
{
    struct person_row *row = &life->who->row;
    const struct playbook_step *step = held_step(life);
    struct effect_step effect = {
        .due_ms = life->turn->now_ms,
        .playbook = row->playbook,
        .cadence = row->held_cadence,
        .step = row->held_step,
        .channel = step != NULL ? step->channel : 0,
    };
    uint32_t queue;

    if (step == NULL || waits_for_name(life, step)) {
        give_up_held(life);
        life_keep_going(life);
        return RECORD_SKIPPED;
    }
    queue = queue_of(life, step);
    effect.skip = (uint8_t)life_cannot(life, (enum task_channel)step->channel, queue);
    if (effect.skip == SKIP_NONE && has_to_wait(life, step, &row->held_ms))
        return RECORD_PARKED;
    row->held_ms = 0;
    row->held_cadence = row->held_step = 0;
    if (effect.skip == SKIP_NONE)
        open_step(life, step, queue, &effect);
    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
    life_keep_going(life);
    return effect.skip == SKIP_NONE ? RECORD_STEP : RECORD_SKIPPED;
}

void life_named(struct life *life)
{
    struct person_row *row = &life->who->row;

    const struct playbook_step *step = held_step(life);

    if (row->held_ms > life->turn->now_ms && step != NULL && !waits_for_name(life, step))
        row->held_ms = life->turn->now_ms;
}

/* --- what is due ----------------------------------------------------------------------------- */

/* By the playbook, also where it had to wait since. Who has moved to another zone since it was
 * planned gets it as planned; what comes next goes by the new clocks. */
static uint64_t due_at(struct life *life, const struct playbook_step *step)
{
    uint64_t at_ms = life_step_at(life, step), planned_ms = life->who->row.step_ms;

    return at_ms < planned_ms ? at_ms : planned_ms;
}

static enum record_kind step_due(struct life *life)
{
    const struct person_row *row = &life->who->row;
    const struct playbook_step *step = next_step(life);
    struct effect_step effect = {
        .playbook = row->playbook,
        .cadence = row->cadence,
        .step = row->step,
    };
    uint32_t queue;

    if (step == NULL) {
        advance(life);
        return RECORD_SKIPPED;
    }
    effect.due_ms = due_at(life, step);
    effect.channel = step->channel;
    queue = queue_of(life, step);
    effect.skip = (uint8_t)why_not(life, step, effect.due_ms, queue);
    if (effect.skip == SKIP_NONE && waits_for_name(life, step))
        return hold(life, step, effect.due_ms);
    if (effect.skip == SKIP_NONE && has_to_wait(life, step, &life->who->row.step_ms))
        return RECORD_PARKED;
    if (effect.skip == SKIP_NONE)
        open_step(life, step, queue, &effect);
    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
    advance(life);
    return effect.skip == SKIP_NONE ? RECORD_STEP : RECORD_SKIPPED;
}

static bool is_next_robots(const struct life *life)
{
    const struct playbook_step *step = next_step(life);

    return step != NULL && engine_is_robots((enum task_channel)step->channel);
}

/* Those that are left out take room in the record as well; what has none is due by itself. */
void life_steps_now(struct life *life)
{
    const struct person_row *row = &life->who->row;
    uint8_t cadence = row->cadence;
    unsigned room = TASKS_PER_RECORD - life->opened;

    for (; room > 0 && row->cadence == cadence && row->step_ms != 0 &&
           row->step_ms <= life->turn->now_ms && is_next_robots(life);
         room--)
        step_due(life);
}

/* --- a call ------------------------------------------------------------------------------- */

static enum task_kind kind_of(enum call_why why)
{
    switch (why) {
    case CALL_AGREED:
        return TASK_AGREED;
    case CALL_WAKE:
    case CALL_SIGNAL:
        return TASK_WAKE;
    default:
        return TASK_RETRY;
    }
}

/* Whom nobody may call, or can because the agency is gone, is not kept waiting for calls. */
static bool is_for_good(enum skip skip)
{
    return skip == SKIP_STOPPED || skip == SKIP_NO_QUEUE;
}

#define QUEUE_WITHIN_MS 86400000ull

/* An agency that has nowhere to put calls now may have it tomorrow: none is left out for that. */
static bool waits_for_queue(const struct life *life, enum skip skip)
{
    return skip == SKIP_NO_QUEUE &&
           registry_agency(life->engine->options.registry, life->who->row.agency) != NULL;
}

static enum record_kind wait_for_queue(struct life *life)
{
    struct effect_parked effect = {.opens_ms = life->turn->now_ms + QUEUE_WITHIN_MS,
                                   .by = PARKED_BY_QUEUE};

    life->who->row.call_ms = effect.opens_ms;
    life_effect(life, EFFECT_PARKED, &effect, sizeof(effect));
    return RECORD_PARKED;
}

/* Who named the time, or has opted in, is called also where no number is known, or a wrong one: the
 * task's phone is null then. */
static enum skip call_cannot(struct life *life, enum call_why why, uint32_t queue)
{
    enum skip skip = life_cannot(life, TASK_CALL, queue);
    bool agreed = why == CALL_AGREED;

    if ((skip == SKIP_NO_ADDRESS && (agreed || why == CALL_AGAIN)) ||
        (skip == SKIP_SILENCED && agreed))
        return has_no_place(life, TASK_CALL, queue);
    return skip;
}

/* Where its own promise is broken when it comes back, it is ranked by the time that was agreed. */
static bool may_breach_in_hand(const struct task_row *row)
{
    return engine_is_in_hand(row) && !(row->flags & TASK_BREACHED);
}

/* A call that is open is the agreed one from now on, with its deadline; whoever has it in hand is
 * not disturbed. A first response keeps its own promise, and goes before others as both do. */
static uint64_t agree_open_call(struct life *life, uint64_t agreed_ms)
{
    uint64_t deadline_ms = agreed_ms + DEADLINE_MS, drop_seq = 0;
    struct task_row open;

    MUST(life_find_open(life, TASK_CALL, &open));
    if (open.kind != TASK_FIRST_RESPONSE) {
        open.kind = TASK_AGREED;
        open.cadence = open.step = 0;
        open.deadline_ms = open.rank_ms = deadline_ms;
        open.not_before_ms = agreed_ms;
        open.flags &= (uint8_t)~TASK_BREACHED;
    } else if (open.rank_ms > deadline_ms || may_breach_in_hand(&open)) {
        open.rank_ms = deadline_ms;
    }
    if (open.state == TASK_PARKED)
        life_put(life, &open);
    else if (open.state == TASK_QUEUED)
        drop_seq = life_requeue(life, &open, 0, life->turn->now_ms);
    life_task_effect(life, &open, drop_seq);
    return open.number;
}

/* What a merge had withdrawn is promised by the day of the newest opt-in, unless somebody has
 * called since. */
static uint64_t asked_ms(const struct life *life)
{
    const struct person_row *row = &life->who->row;

    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        if ((row->touch_calls >> i & 1) && row->touches[i] >= row->last_ms / 1000)
            return life->turn->now_ms;
    return row->last_ms;
}

static enum record_kind call_due(struct life *life)
{
    struct person_row *person = &life->who->row;
    struct effect_step effect = {.due_ms = person->call_ms,
                                 .playbook = person->playbook,
                                 .channel = TASK_CALL,
                                 .why = person->call_why};
    uint32_t queue = life_call_queue(life);
    bool agreed = person->call_why == CALL_AGREED;
    struct task_row row;

    effect.skip = (uint8_t)call_cannot(life, (enum call_why)person->call_why, queue);
    if (waits_for_queue(life, (enum skip)effect.skip))
        return wait_for_queue(life);
    if (effect.skip == SKIP_CALL_OPEN && agreed) {
        effect.task = agree_open_call(life, person->call_ms);
        effect.skip = SKIP_NONE;
    } else if (effect.skip == SKIP_NONE && person->call_why == CALL_AGAIN) {
        effect.task = life_respond(life, asked_ms(life));
    } else if (effect.skip == SKIP_NONE) {
        life_new_task(life, TASK_CALL, kind_of((enum call_why)person->call_why), &row);
        row.queue = queue;
        row.deadline_ms = person->call_ms + (agreed ? DEADLINE_MS : CALL_WITHIN_MS);
        effect.task = row.number;
        life_open_task(life, &row, person->call_ms);
    }
    life_plan_call(life, 0, CALL_NOT);
    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
    if (effect.skip != SKIP_NONE && person->calls < UINT16_MAX)
        person->calls++; /* the next one is planned at a greater distance */
    life_keep_going(life);
    if (is_for_good((enum skip)effect.skip) && person->call_why == CALL_RETRY &&
        person->step_ms == 0)
        life_stop(life, PERSON_RUN_OUT);
    return effect.skip == SKIP_NONE ? RECORD_STEP : RECORD_SKIPPED;
}

/* Beside a time that is agreed, which stands. */
static enum record_kind response_due(struct life *life)
{
    struct person_row *person = &life->who->row;
    struct effect_step effect = {.due_ms = person->due_ms,
                                 .playbook = person->playbook,
                                 .channel = TASK_CALL,
                                 .why = CALL_AGAIN};

    effect.skip = (uint8_t)call_cannot(life, CALL_AGAIN, life_call_queue(life));
    if (effect.skip == SKIP_NONE)
        effect.task = life_respond(life, asked_ms(life));
    person->marks &= (uint8_t)~PERSON_OWED;
    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
    return effect.skip == SKIP_NONE ? RECORD_STEP : RECORD_SKIPPED;
}

enum record_kind life_due(struct life *life)
{
    const struct person_row *row = &life->who->row;

    if (row->marks & PERSON_OWED)
        return response_due(life);
    if (row->held_ms != 0 && row->held_ms == row->due_ms)
        return held_due(life);
    if (row->call_ms != 0 && (row->step_ms == 0 || row->call_ms < row->step_ms))
        return call_due(life);
    return step_due(life);
}
