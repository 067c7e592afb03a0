/* One who proves to be two.
 *
 * What the merge brought to the one that was left goes back, and what came since stays with it
 * (engine_apart.c). The other one is as it was. What the merge had withdrawn of either comes back:
 * a call as a first response (or the research for one), and a step that nobody had in hand as if it
 * had waited for something; both by the person's due entry, in a record of its own. */
#include <string.h>

#include "server/engine_joining.h"

#define ALL_CHANNELS (~0u)
/* A record has no room for all that there may be. */
#define TOLD_ANEW_MOST  5 /* tasks, and a call */
#define IDENTITIES_MOST 4 /* of each kind */

/* The undo of the merge that a record says. */
struct undoing {
    struct joining *joining;
    struct apart apart;
    struct person_row merged; /* the kept one's row until now */
    struct effect_task_end ends[2 * OPEN_TASKS_MAX];
    unsigned end_count;
    unsigned told_anew;
};

/* --- their tasks -------------------------------------------------------------------------- */

/* A task as it was when the merge withdrew it. */
struct withdrawn {
    struct task_row row;
    uint64_t put_ms; /* when that was put */
};

/* False: somebody had it in hand, or has reported since that somebody had. */
static bool was_waiting(struct engine *engine, const struct engine_person *who,
                        const struct effect_task_end *end, struct withdrawn *out)
{
    uint64_t seq = who->last_seq;

    for (unsigned i = 0; i < LOOKS_BACK && seq >= end->task >> 3; i++) {
        struct record_view record;
        struct effect_report report;
        struct effect_task task;

        if (journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK)
            return false;
        if (engine_find_opened(&record, end->task, &task)) {
            *out = (struct withdrawn){.row = task.row, .put_ms = record.header.now_ms};
            return end->drop_seq != 0 || task.row.state == TASK_PARKED;
        }
        if (effect_find(&record, EFFECT_REPORT, &report, sizeof(report)) &&
            report.task == end->task)
            return false;
        seq = record.header.person_prev;
    }
    return false;
}

/* A time that was agreed is kept. */
static void give_back_response(struct joining *joining)
{
    struct life *life = &joining->life;

    if (!life_has_call(life) && life->who->row.call_why != CALL_AGREED)
        life_plan_call(life, joining->turn->now_ms, CALL_AGAIN);
}

/* It reached nobody, so it keeps nothing else waiting. */
static void forget_touch(struct person_row *row, uint64_t put_ms)
{
    uint8_t later;
    unsigned i = 0;

    while (i < TOUCHES_KEPT && (row->touches[i] != put_ms / 1000 || row->touch_calls >> i & 1))
        i++;
    if (i == TOUCHES_KEPT)
        return;
    memmove(row->touches + i, row->touches + i + 1,
            (TOUCHES_KEPT - 1 - i) * sizeof(row->touches[0]));
    row->touches[TOUCHES_KEPT - 1] = 0;
    later = (uint8_t)((1u << i) - 1);
    row->touch_calls = (uint8_t)((row->touch_calls & later) | (row->touch_calls >> 1 & ~later));
}

/* One waits for a name already, or this one has waited too long. */
static void give_back_step(struct joining *joining, const struct withdrawn *step)
{
    struct person_row *row = &joining->life.who->row;
    uint64_t now_ms = joining->turn->now_ms;

    if (step->row.playbook != row->playbook || row->held_ms != 0 ||
        engine_is_over(&step->row, now_ms))
        return;
    row->held_cadence = step->row.cadence;
    row->held_step = step->row.step;
    row->held_ms = now_ms;
    if (step->row.state == TASK_QUEUED)
        forget_touch(row, step->put_ms);
}

static bool is_response(enum task_channel channel)
{
    return channel == TASK_CALL || channel == TASK_RESEARCH;
}

/* Of what was withdrawn of whom the life is at hand, the newest of the steps; and the call, or the
 * research for one, where that is owed. */
static void give_back_tasks(struct joining *joining, const struct effect_task_end *ends,
                            unsigned count, bool is_owed)
{
    const struct engine_person *who = joining->life.who;
    struct withdrawn task, step = {.row = {.number = 0}};

    for (unsigned i = 0; i < count; i++) {
        struct task_origin origin;
        if (ends[i].person != who->number ||
            !engine_find_origin(joining->engine, ends[i].task, &origin))
            continue;
        if (!is_response((enum task_channel)origin.channel) &&
            !(who->row.silenced >> origin.channel & 1) && ends[i].task > step.row.number &&
            was_waiting(joining->engine, who, &ends[i], &task) && task.row.kind == TASK_STEP)
            step = task;
    }
    if (is_owed)
        give_back_response(joining);
    if (step.row.number != 0)
        give_back_step(joining, &step);
}

/* --- the tasks of the kept one ------------------------------------------------------------ */

static bool is_in_hand(const struct task_row *task)
{
    return task->state == TASK_POPPED || task->state == TASK_CLAIMED;
}

static bool is_unreachable(const struct person_row *row)
{
    return hash_is_none(row->phone) && hash_is_none(row->email);
}

static unsigned ended_channels(const struct undoing *undoing)
{
    const struct person_row *row = &undoing->joining->kept.row;

    if (row->flags & PERSON_DO_NOT_CONTACT)
        return ALL_CHANNELS;
    return (unsigned)row->silenced & ~(unsigned)undoing->merged.silenced;
}

/* The call is opened by a merge, or by an opt-in, that is the other's. */
static bool is_others_call(const struct joining *joining, const struct task_row *task)
{
    uint64_t opened_seq = task->number >> 3;
    struct record_view record;

    if (!joining_is_others(joining, task->optin_seq))
        return false;
    return (journal_batch_read(joining->engine->options.journal, opened_seq, &record) ==
                STATUS_OK &&
            record.header.kind == RECORD_MERGED) ||
           joining_is_others(joining, opened_seq);
}

/* A call that was the other's, unless it is the answer to an opt-in that came since; what there is
 * no address for any more; and steps of a cadence that is not gone on with. */
static bool is_over(const struct undoing *undoing, const struct task_row *task)
{
    struct joining *joining = undoing->joining;
    const struct person_row *row = &joining->kept.row, *merged = &undoing->merged;
    enum task_channel channel = (enum task_channel)task->channel;

    if (ended_channels(undoing) >> channel & 1)
        return true;
    if (channel == TASK_CALL)
        return is_unreachable(row) ||
               (!is_in_hand(task) && !undoing->apart.has_come && is_others_call(joining, task));
    if (engine_is_robots(channel) &&
        life_cannot(&joining->life, channel, task->queue) == SKIP_NO_ADDRESS)
        return true;
    return task->kind == TASK_STEP && task->state == TASK_PARKED &&
           (row->cadence != merged->cadence || row->cadence_ms != merged->cadence_ms);
}

/* What says words of the other one is told anew. Whoever has it in hand is not disturbed: the next
 * delivery has it. */
static void tell_anew(struct undoing *undoing, const struct task_row *task)
{
    struct joining *joining = undoing->joining;
    struct life *life = &joining->life;
    struct task_row fresh = *task;
    uint64_t drop_seq = 0;

    life_tell_task(life, &fresh);
    if (!joining_is_others(joining, task->optin_seq)) {
        if (!joining_is_others(joining, task->more_seq))
            fresh.more_seq = task->more_seq;
        else if (fresh.optin_seq != task->optin_seq)
            fresh.more_seq = 0;
        fresh.optin_seq = task->optin_seq;
        fresh.received_ms = task->received_ms;
    }
    if (fresh.optin_seq == task->optin_seq && fresh.more_seq == task->more_seq &&
        (fresh.known_seq == task->known_seq || task->known_seq < joining->merge_seq))
        return;
    if (undoing->told_anew++ >= TOLD_ANEW_MOST && task->channel != TASK_CALL) {
        life_end_task(life, task);
        return;
    }
    if (task->state == TASK_QUEUED)
        drop_seq = life_requeue(life, &fresh, 0, joining->turn->now_ms);
    life_task_effect(life, &fresh, drop_seq);
}

static void settle_task(struct undoing *undoing, const struct task_row *task)
{
    if (is_over(undoing, task))
        life_end_task(&undoing->joining->life, task);
    else
        tell_anew(undoing, task);
}

static void settle_tasks(struct undoing *undoing)
{
    const struct engine_person *who = &undoing->joining->kept;
    struct state *state = undoing->joining->engine->options.state;
    struct task_row task;
    uint64_t after = 0;

    if (who->task.number != 0)
        settle_task(undoing, &who->task);
    while (state_task_next(state, who->number, after, &task)) {
        after = task.number;
        settle_task(undoing, &task);
    }
}

/* What else the other one can be found by since then leads to it again. */
static void give_back_identities(struct joining *joining, enum edge_kind kind)
{
    struct life *life = &joining->life;
    struct state_edge edge;
    uint64_t from = 0;

    for (unsigned i = 0;
         i < IDENTITIES_MOST &&
         state_edge_next(joining->engine->options.state, joining->kept.number, kind, from, &edge);
         i++) {
        from = edge.other + 1;
        if (edge.seq <= joining->merge_seq || !joining_is_others(joining, edge.seq))
            continue;
        life_drop_edge(life, kind, edge.other);
        life->who = &joining->other;
        life_add_edge(life, kind, edge.other);
        life->who = &joining->kept;
    }
}

/* --- both --------------------------------------------------------------------------------- */

static void turn_to(struct joining *joining, struct engine_person *who)
{
    struct life *life = &joining->life;

    life->who = who;
    life->playbook = registry_playbook(joining->engine->options.registry, who->row.playbook);
    life->has_facts = life->has_words = life->has_place = life->has_known = false;
    life->opens_call = false;
}

/* What was said since, "never again" or of a channel, may have been said by either. */
static void restore_other(struct undoing *undoing)
{
    const struct apart *apart = &undoing->apart;
    struct joining *joining = undoing->joining;
    struct life *life = &joining->life;
    struct person_row *row = &joining->other.row;
    struct effect_person effect = {.person = joining->other.number};
    bool is_owed = apart->other_has_come;

    *row = joining->merged.other_before;
    row->silenced |= apart->silenced;
    turn_to(joining, &joining->other);
    if (apart->is_stopped) {
        row->flags |= PERSON_DO_NOT_CONTACT;
        row->stopped_s = apart->stopped_s;
        life_stop(life, PERSON_STOPPED);
    }
    for (unsigned i = 0; i < undoing->end_count; i++) {
        struct task_origin origin;
        is_owed |= undoing->ends[i].person == joining->other.number &&
                   engine_find_origin(joining->engine, undoing->ends[i].task, &origin) &&
                   is_response((enum task_channel)origin.channel);
    }
    if (row->closed == PERSON_WORKED) {
        give_back_tasks(joining, undoing->ends, undoing->end_count, is_owed);
        life_keep_going(life);
    }
    row->due_ms = life_due_ms(row);
    effect.row = *row;
    life_effect(life, EFFECT_PERSON, &effect, sizeof(effect));
    turn_to(joining, &joining->kept);
}

/* Nobody is stopped by what is not said of this one; who has come to an end has no plans. */
static void settle_plans(struct undoing *undoing)
{
    struct life *life = &undoing->joining->life;
    struct person_row *row = &undoing->joining->kept.row;
    bool is_stopped = row->flags & PERSON_DO_NOT_CONTACT;

    if (!is_stopped && row->closed == PERSON_STOPPED)
        life_meet(life);
    if (is_stopped || row->closed != PERSON_WORKED)
        life_stop(life, is_stopped ? PERSON_STOPPED : (enum person_end)row->closed);
    life_suit_cadence(life);
}

static void restore_kept(struct undoing *undoing)
{
    const struct apart *apart = &undoing->apart;
    struct joining *joining = undoing->joining;
    struct person_row *row = &joining->kept.row;
    bool is_as_before = !apart->has_begun && row->cadence == apart->base.cadence &&
                        row->cadence_ms == apart->base.cadence_ms;

    if (row->closed == PERSON_WORKED) {
        give_back_tasks(joining, apart->ends, is_as_before ? apart->end_count : 0, apart->is_owed);
        life_keep_going(&joining->life);
    }
    life_drop_edge(&joining->life, EDGE_MERGED, joining->other.number);
}

/* Of what is known, that which the other one brought goes with it. */
static void part_known(struct undoing *undoing)
{
    struct joining *joining = undoing->joining;
    const struct effect_merged *merged = &joining->merged;
    struct person_row *row = &joining->kept.row;

    if (merged->other_before.known_seq == 0)
        return;
    if (row->known_seq == undoing->apart.after.known_seq)
        row->known_seq = merged->kept_before.known_seq;
    else
        life_part_known(&joining->life, merged->other_before.known_seq,
                        merged->kept_before.known_seq);
}

/* --- the record of the merge -------------------------------------------------------------- */

static void note_ends(struct undoing *undoing, const struct record_view *record)
{
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind = effect_next(record, &offset, &body);

    for (; kind != 0 && undoing->end_count < 2 * OPEN_TASKS_MAX;
         kind = effect_next(record, &offset, &body))
        if (kind == EFFECT_TASK_END)
            effect_copy(body, &undoing->ends[undoing->end_count++], sizeof(undoing->ends[0]));
}

static bool find_merge(struct undoing *undoing)
{
    struct joining *joining = undoing->joining;
    struct state_edge edge;
    struct record_view record;
    struct effect_person effect;

    if (!state_edge_next(joining->engine->options.state, joining->kept.number, EDGE_MERGED,
                         joining->other.number, &edge) ||
        edge.other != joining->other.number ||
        journal_batch_read(joining->engine->options.journal, edge.seq, &record) != STATUS_OK ||
        !effect_find(&record, EFFECT_MERGED, &joining->merged, sizeof(joining->merged)) ||
        !effect_find(&record, EFFECT_PERSON, &effect, sizeof(effect)))
        return false;
    joining->merge_seq = edge.seq;
    undoing->apart.joining = joining;
    undoing->apart.after = effect.row;
    note_ends(undoing, &record);
    return true;
}

enum status joining_undo(struct joining *joining, const struct command *command,
                         struct record *record)
{
    struct undoing undoing = {.joining = joining, .merged = joining->kept.row};

    if (!find_merge(&undoing))
        return joining_refuse(joining, STATUS_CONFLICT, DENIED_NOT_MERGED);
    life_begin(&joining->life, joining->engine, joining->turn, &joining->kept);
    joining_part(&undoing.apart);
    restore_other(&undoing);
    give_back_identities(joining, EDGE_PHONE);
    give_back_identities(joining, EDGE_EMAIL);
    part_known(&undoing); /* from here on life has it at hand, until it is written */
    settle_plans(&undoing);
    settle_tasks(&undoing);
    restore_kept(&undoing);
    joining_seal(joining, command, RECORD_UNMERGED,
                 joining->kept.row.known_seq == joining->turn->seq, record);
    return STATUS_OK;
}
