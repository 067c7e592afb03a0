/* Tasks: where one goes, when it waits for its window, what it is due for next. */
#include <string.h>

#include "proto/must.h"
#include "server/engine_alone.h"
#include "server/engine_response.h"
#include "server/engine_shown.h"

/* What a robot sends is never contact, so it breaks no promise: its deadline says how late it may
 * still be sent. */
static bool is_robots(const struct task_row *row)
{
    return engine_is_robots((enum task_channel)row->channel);
}

static bool breaches(const struct task_row *row)
{
    return !(row->flags & TASK_BREACHED) && !is_robots(row);
}

bool engine_is_in_hand(const struct task_row *row)
{
    return row->state == TASK_POPPED || row->state == TASK_CLAIMED;
}

/* --- finding --------------------------------------------------------------------------------- */

bool life_find_open(struct life *life, enum task_channel channel, struct task_row *out)
{
    const struct engine_person *who = life->who;
    struct state *state = life->engine->options.state;
    uint64_t after = 0;

    if (life->is_alone)
        return false;
    if (who->task.number != 0 && who->task.channel == channel) {
        *out = who->task;
        return true;
    }
    if (who->number > state_meta(state)->people)
        return false; /* somebody new has none */
    while (state_task_next(state, who->number, after, out)) {
        if (out->channel == channel)
            return true;
        after = out->number;
    }
    return false;
}

uint32_t life_queue(struct life *life, struct slice name)
{
    const struct registry *registry = life->engine->options.registry;
    const struct agency *agency = registry_agency(registry, life->who->row.agency);
    char id[2 * SITE_NAME_MAX + 2];
    struct text text = text_over(id, sizeof(id));

    if (agency == NULL || name.length > SITE_NAME_MAX)
        return 0;
    text_string(&text, agency->id);
    text_char(&text, '.');
    text_add(&text, name);
    return registry_number(registry, ENTITY_QUEUE, text_slice(&text));
}

/* --- rank ------------------------------------------------------------------------------------- */

#define RANK_SPREAD_MS 86400000ull /* between the first and the last priority */
#define PRIORITY_USUAL 50
#define PRIORITY_MOST  100

/* What was promised by a moment has that for its rank. */
static bool is_promised(const struct task_row *row)
{
    return row->kind != TASK_STEP && row->kind != TASK_RETRY && row->kind != TASK_WAKE;
}

static uint32_t priority_of(struct engine *engine, const struct task_row *row)
{
    const struct playbook *playbook = registry_playbook(engine->options.registry, row->playbook);
    const struct playbook_step *step = playbook_step(playbook, row->cadence, row->step);

    if (step != NULL && step->priority != PLAYBOOK_NO_COUNT)
        return step->priority;
    if (row->segment > 0 && row->segment <= playbook->segments.count)
        return playbook->segments.items[row->segment - 1].priority;
    return PRIORITY_USUAL;
}

/* All other tasks stand behind what is fresh when they may first be done, the less urgent the
 * farther, and by a day at most: what comes later than that is ranked behind them, so that nothing
 * waits for ever however much of it comes. */
static uint64_t rank_from(struct engine *engine, const struct task_row *row, uint64_t from_ms)
{
    if (is_promised(row))
        return row->deadline_ms;
    return from_ms + DEADLINE_MS +
           (PRIORITY_MOST - priority_of(engine, row)) * (RANK_SPREAD_MS / PRIORITY_MOST);
}

/* --- putting and parking ------------------------------------------------------------------ */

/* A fresh opt-in asked to be contacted. */
static bool keeps_hours(const struct life *life, const struct task_row *row)
{
    const struct site *site = registry_lasting_site(life->engine->options.registry, row->site);

    if (!engine_has_hours((enum task_channel)row->channel))
        return false;
    if (row->kind != TASK_FIRST_RESPONSE)
        return true;
    /* Of before its site was noted: as it was put. */
    return site != NULL ? site->hours_policy == HOURS_ALWAYS : row->zone != 0;
}

/* A call counts as a touch when it was made; everything else that comes to the person does from
 * when it goes out, so that what waits for its window does not wait for itself. */
static bool reaches_them(const struct task_row *row)
{
    return row->channel != TASK_CALL && row->channel != TASK_RESEARCH;
}

static void put(struct life *life, struct task_row *row)
{
    row->state = TASK_QUEUED;
    row->owner = life->who->row.owner;
    row->put_seq = row->first_put_seq = life_take_seq(life, row->queue);
    if (row->delivery == 1 && reaches_them(row))
        life_touch(life, (enum task_channel)row->channel, life->turn->now_ms);
}

/* A call that nobody waits for, and that could not be made yet, has as long from the opening on as
 * it had. */
static bool is_unhurried(const struct task_row *row)
{
    return row->channel == TASK_CALL && row->kind != TASK_FIRST_RESPONSE &&
           row->kind != TASK_AGREED && row->first_put_seq == 0;
}

#define RELEASE_EACH_MS   20     /* of what waits on a queue one after the other is put so soon */
#define RELEASE_WITHIN_MS 600000 /* after the opening, or a quarter of the window */

/* What was promised is put when its window opens. All else goes behind those that wait on its queue
 * already, so that a night's worth of them does not come in one moment; where there are more than
 * that leaves room for, they go through the same minutes once more. */
static uint64_t release_ms(const struct life *life, const struct task_row *row,
                           const struct life_window *window)
{
    const struct state_queue *queue = state_queue(life->engine->options.state, row->queue);
    uint64_t before = queue->parked_tasks, within_ms = RELEASE_WITHIN_MS;

    if (is_promised(row))
        return window->opens_ms;
    if (row->state == TASK_PARKED && before > 0) /* it is looked at again */
        before--;
    if (window->closes_ms != 0 && (window->closes_ms - window->opens_ms) / 4 < within_ms)
        within_ms = (window->closes_ms - window->opens_ms) / 4;
    return window->opens_ms + before % (within_ms / RELEASE_EACH_MS + 1) * RELEASE_EACH_MS;
}

/* What was promised by a moment at which nobody may call is promised for soon after the opening. */
static uint64_t deadline_from(const struct life *life, const struct task_row *row, uint64_t from_ms)
{
    return is_unhurried(row) ? from_ms + CALL_WITHIN_MS
                             : engine_deadline(life->engine, row, from_ms);
}

static void park(struct life *life, struct task_row *row, struct life_window *window)
{
    uint64_t deadline_ms = deadline_from(life, row, window->opens_ms);
    uint32_t team = engine_to_team(row); /* who is to have it is seen when it opens */

    if (team != 0)
        engine_set_queue(life->engine, row, team);
    row->not_before_ms = window->why.opens_ms = release_ms(life, row, window);
    row->state = TASK_PARKED;
    row->put_seq = 0;
    if (breaches(row) && row->deadline_ms < deadline_ms) {
        row->deadline_ms = deadline_ms;
        if (is_promised(row))
            row->rank_ms = deadline_ms;
    }
    /* What was reached on no day of those before has its old rank, and so comes first. */
    if (!is_promised(row) && row->first_put_seq == 0)
        row->rank_ms = rank_from(life->engine, row, window->opens_ms);
    life_effect(life, EFFECT_PARKED, &window->why, sizeof(window->why));
}

/* `fresh`: nobody had it yet, or nobody has it any more. True: it was put. */
static bool put_or_park(struct life *life, struct task_row *row, bool fresh)
{
    struct life_window window = {.open = true};

    if (keeps_hours(life, row)) {
        life_window(life, row, life->turn->now_ms, &window);
        /* Nobody was there while the one before closed, and this one has opened since. */
        if (window.open && row->closes_ms != 0 && row->closes_ms <= life->turn->now_ms)
            row->not_before_ms = life->turn->now_ms;
        row->closes_ms = window.closes_ms;
        row->zone = zone_code(life_place(life)->local);
    } else { /* its site may have wanted hours until now */
        row->closes_ms = 0;
        row->zone = 0;
    }
    if (!window.open) {
        park(life, row, &window);
        return false;
    }
    if (fresh)
        life_give(life, row);
    put(life, row);
    return true;
}

void life_task_effect(struct life *life, const struct task_row *row, uint64_t drop_seq)
{
    struct effect_task effect = {.person = life->who->number, .drop_seq = drop_seq, .row = *row};

    engine_schedule(life->engine, &effect.row);
    life_effect(life, EFFECT_TASK, &effect, sizeof(effect));
}

void life_open_task(struct life *life, struct task_row *row, uint64_t at_ms)
{
    if (life->is_alone) {
        alone_owe(&life->who->row, row, at_ms);
        return;
    }
    MUST(row->queue != 0); /* on which nobody would ever see it */
    engine_set_queue(life->engine, row, row->queue);
    if (row->channel == TASK_CALL)
        life->opens_call = true;
    row->not_before_ms = at_ms;
    row->rank_ms = rank_from(life->engine, row, at_ms);
    put_or_park(life, row, true);
    life_task_effect(life, row, 0);
}

uint64_t life_requeue(struct life *life, struct task_row *row, uint32_t queue,
                      uint64_t given_back_ms)
{
    uint64_t drop_seq = life_take_seq(life, row->queue);

    if (engine_is_in_hand(row))
        life_hasten_back(life, row);
    if (queue != 0)
        engine_set_queue(life->engine, row, queue);
    row->delivery++;
    row->agent = 0;
    row->claimed_ms = 0;
    row->lease_until_ms = 0;
    if (breaches(row) && row->deadline_ms <= given_back_ms)
        engine_breach(life->engine, row, given_back_ms);
    else if (breaches(row) && is_promised(row) && row->rank_ms > row->deadline_ms)
        row->rank_ms = row->deadline_ms;
    put_or_park(life, row, false);
    return drop_seq;
}

void life_make_anew(struct life *life, struct task_row *row, uint64_t at_ms)
{
    row->flags &= (uint8_t)~TASK_BREACHED;
    row->cadence = row->step = 0;
    row->closes_ms = 0;
    row->zone = 0;
    row->rank_ms = rank_from(life->engine, row, at_ms);
    row->not_before_ms = at_ms;
    life_tell_task(life, row);
}

uint64_t life_put_anew(struct life *life, struct task_row *row, uint64_t at_ms)
{
    life_make_anew(life, row, at_ms);
    if (row->state != TASK_PARKED)
        return life_requeue(life, row, 0, life->turn->now_ms);
    put_or_park(life, row, true);
    return 0;
}

enum record_kind life_put(struct life *life, struct task_row *row)
{
    return put_or_park(life, row, true) ? RECORD_OPENED : RECORD_PARKED;
}

void life_wait_anew(struct life *life, struct task_row *row)
{
    uint64_t now_ms = life->turn->now_ms;

    if (breaches(row) && (is_promised(row) || is_unhurried(row))) {
        row->deadline_ms = deadline_from(life, row, now_ms);
        row->rank_ms = rank_from(life->engine, row, now_ms);
    }
    row->not_before_ms = now_ms;
    put_or_park(life, row, true);
}

#define HASTEN_GAP_MS 86400000ull /* nobody is called twice a day for being interested */

static uint64_t last_called_ms(const struct person_row *row)
{
    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        if (row->touch_calls >> i & 1)
            return row->touches[i] * 1000ull;
    return 0;
}

/* As if it were fresh. */
static bool move_forward(struct life *life, struct task_row *row)
{
    uint64_t rank_ms = life->turn->now_ms + DEADLINE_MS;

    if (row->state != TASK_QUEUED || (row->flags & TASK_IN_LIST) || row->rank_ms <= rank_ms)
        return false;
    row->rank_ms = rank_ms;
    row->put_seq = life_take_seq(life, row->queue);
    life_task_effect(life, row, 0);
    return true;
}

bool life_hasten(struct life *life)
{
    struct person_row *row = &life->who->row;
    uint64_t called_ms = last_called_ms(row), at_ms = life->turn->now_ms;
    struct task_row open;

    if (row->closed == PERSON_GIVEN_UP || row->closed == PERSON_NOT_STARTED ||
        (row->flags & (PERSON_DO_NOT_CONTACT | PERSON_CUSTOMER)) || !life_can_be_called(life))
        return false;
    if (life_find_open(life, TASK_CALL, &open))
        return move_forward(life, &open);
    if (called_ms != 0 && called_ms + HASTEN_GAP_MS > at_ms)
        at_ms = called_ms + HASTEN_GAP_MS;
    if (row->call_why == CALL_AGREED || (row->call_ms != 0 && row->call_ms <= at_ms))
        return false;
    row->call_ms = at_ms;
    row->call_why = CALL_SIGNAL;
    row->closed = PERSON_WORKED;
    return true;
}

/* --- ending ------------------------------------------------------------------------------- */

void life_end_task(struct life *life, const struct task_row *row)
{
    struct effect_task_end end = {.person = life->who->number, .task = row->number};

    /* What is popped, claimed or parked is not in Redis; what is queued must not stay there. */
    if (row->state == TASK_QUEUED)
        end.drop_seq = life_take_seq(life, row->queue);
    if (row->channel == TASK_CALL)
        life->ended_call = row->number;
    life_effect(life, EFFECT_TASK_END, &end, sizeof(end));
}

/* What stands in a robot's queue is as good as sent, and may be what was asked for. */
static bool is_under_way(const struct task_row *row)
{
    return row->state == TASK_QUEUED ? is_robots(row) : row->state != TASK_PARKED;
}

/* What was agreed, and a first response, are not given up for another plan. */
static bool is_planned_call(const struct task_row *row)
{
    return row->kind == TASK_RETRY || row->kind == TASK_WAKE;
}

static bool is_to_end(struct life *life, const struct task_row *row,
                      const struct life_endings *endings)
{
    if (row->number == 0 || row->number == endings->but)
        return false;
    if (endings->channels >> row->channel & 1)
        return true;
    if ((endings->wrong >> row->channel & 1) && life_shows_wrong(life, row))
        return true;
    return (row->kind == TASK_STEP ? endings->steps : endings->calls && is_planned_call(row)) &&
           !is_under_way(row);
}

bool engine_is_over(const struct task_row *row, uint64_t now_ms)
{
    return is_robots(row) && row->deadline_ms <= now_ms;
}

/* What comes next was planned when it was opened, so nothing but this ends. */
void life_leave_undone(struct life *life, const struct task_row *row)
{
    struct effect_step effect = {
        .due_ms = row->opened_ms,
        .task = row->number,
        .playbook = row->playbook,
        .cadence = row->cadence,
        .step = row->step,
        .channel = row->channel,
        .skip = SKIP_UNDONE,
    };

    life_effect(life, EFFECT_STEP, &effect, sizeof(effect));
    life_end_task(life, row);
}

static void withdraw(struct life *life, const struct task_row *row)
{
    life_owe(life, row);
    life_end_task(life, row);
}

void life_end_tasks(struct life *life, const struct life_endings *endings)
{
    const struct engine_person *who = life->who;
    struct task_row other;
    uint64_t after = 0;

    if ((endings->channels == 0 && endings->wrong == 0 && !endings->steps) || life->is_alone)
        return;
    if (is_to_end(life, &who->task, endings))
        withdraw(life, &who->task);
    while (state_task_next(life->engine->options.state, who->number, after, &other)) {
        after = other.number;
        if (is_to_end(life, &other, endings))
            withdraw(life, &other);
    }
}

/* --- what its queue says, or its playbook ------------------------------------------------------
 */

static const struct playbook *playbook_of(const struct engine *engine, const struct task_row *row)
{
    return registry_playbook(engine->options.registry, row->playbook);
}

static uint64_t said_or(uint64_t said_ms, struct playbook_span span)
{
    return said_ms != 0 ? said_ms : playbook_span_about(span);
}

uint64_t engine_report_within_ms(const struct engine *engine, const struct task_row *row)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);

    return said_or(queue != NULL ? queue->report_within_ms : 0,
                   playbook_of(engine, row)->lease.report);
}

uint64_t engine_claim_holds_ms(const struct engine *engine, const struct task_row *row)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);

    return said_or(queue != NULL ? queue->claim_holds_ms : 0,
                   playbook_of(engine, row)->lease.claim);
}

/* --- what it is due for ------------------------------------------------------------------- */

static void due_earlier(struct task_row *row, enum due_kind kind, uint64_t at_ms)
{
    if (at_ms == 0 || at_ms == UINT64_MAX || (row->due_kind != DUE_NONE && row->due_ms <= at_ms))
        return;
    row->due_kind = (uint8_t)kind;
    row->due_ms = at_ms;
}

/* While somebody has it in hand nothing else is looked at: what passed then is noticed when it
 * comes back. */
void engine_schedule(struct engine *engine, struct task_row *row)
{
    uint64_t tier_ms;

    row->due_kind = DUE_NONE;
    row->due_ms = 0;
    if (row->lease_until_ms != 0) {
        due_earlier(row, DUE_LEASE, row->lease_until_ms);
        return;
    }
    if (is_robots(row))
        due_earlier(row, DUE_OVER, row->deadline_ms);
    if (row->state == TASK_PARKED) {
        due_earlier(row, DUE_PUT, row->not_before_ms);
        return;
    }
    due_earlier(row, DUE_SHUT, row->closes_ms);
    due_earlier(row, DUE_SILENT, row->claim_by_ms);
    if (breaches(row))
        due_earlier(row, DUE_BREACH, row->deadline_ms);
    if (row->kind != TASK_FIRST_RESPONSE)
        return;
    if (engine_next_tier(engine, row, &tier_ms) != 0)
        due_earlier(row, DUE_TIER, tier_ms);
    due_earlier(row, DUE_RUNG, engine_next_rung_ms(engine, row));
}

/* What was not promised is not overdue either, and keeps its rank.
 *
 * The rank follows from when the promise was broken, not from when that was noticed: a server that
 * was down leaves the order as it would have been. */
void engine_breach(struct engine *engine, struct task_row *row, uint64_t broken_ms)
{
    const struct queue *queue = registry_queue(engine->options.registry, row->queue);
    const struct playbook *playbook = playbook_of(engine, row);

    row->flags |= TASK_BREACHED;
    if (is_promised(row) && row->rank_ms <= broken_ms) /* else by a time that was agreed as well */
        row->rank_ms = broken_ms + said_or(queue != NULL ? queue->overdue_after_ms : 0,
                                           playbook->overdue_after);
}
