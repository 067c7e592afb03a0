/* One who proves to be two.
 *
 * What the merge brought to the one that was left goes back, as far as nothing has changed it
 * since, and what came since stays with it. The other one is as it was. What the merge had
 * withdrawn of either comes back: a call as a first response (or the research for one), and a step
 * that nobody had in hand as if it had waited for something; both by the person's due entry, in a
 * record of its own. */
#include <string.h>

#include "server/engine_joining.h"

/* What the record of the merge says. */
struct undoing {
    struct joining *joining;
    uint64_t merge_seq;
    struct person_row after; /* the kept one's row */
    struct effect_task_end ends[2 * OPEN_TASKS_MAX];
    unsigned end_count;
};

/* --- the rows ----------------------------------------------------------------------------- */

/* What the merge changed and nothing has changed since, goes back. */
#define BACK(field)                                                                                \
    do {                                                                                           \
        if (memcmp(&row->field, &after->field, sizeof(row->field)) == 0)                           \
            memcpy(&row->field, &before->field, sizeof(row->field));                               \
    } while (0)

static void give_back_plans(struct person_row *row, const struct person_row *before,
                            const struct person_row *after)
{
    BACK(stage);
    BACK(closed);
    BACK(cadence);
    BACK(cadence_ms);
    BACK(step);
    BACK(step_ms);
    BACK(passed);
    BACK(held_cadence);
    BACK(held_step);
    BACK(held_ms);
    BACK(call_ms);
    BACK(call_why);
    BACK(calls);
}

static void give_back(struct person_row *row, const struct person_row *before,
                      const struct person_row *after)
{
    /* Numbers of another version of the playbook mean other stages and steps. */
    bool went_on = row->attempts != after->attempts || row->end != after->end ||
                   row->playbook != after->playbook;
    uint8_t added = after->flags & (uint8_t)~before->flags;

    if (went_on)
        added &= (uint8_t) ~(PERSON_CONVERSED | PERSON_CUSTOMER);
    if (row->stopped_s != after->stopped_s)
        added &= (uint8_t)~PERSON_DO_NOT_CONTACT;
    row->flags &= (uint8_t)~added;
    row->silenced &= (uint16_t) ~(after->silenced & (uint16_t)~before->silenced);
    row->optins -= after->optins - before->optins;
    row->attempts = (uint16_t)(row->attempts - (after->attempts - before->attempts));
    row->sold_cents -= after->sold_cents - before->sold_cents;
    if (!went_on)
        give_back_plans(row, before, after);
    BACK(phone);
    BACK(phone_seq);
    BACK(email);
    BACK(email_seq);
    BACK(name_seq);
    BACK(known_seq);
    BACK(last_ms);
    BACK(optin_seq);
    BACK(site);
    BACK(zone);
    BACK(contact_ms);
    BACK(conversed_ms);
    BACK(stopped_s);
    BACK(sold_attempt);
    BACK(reason);
    BACK(end);
    BACK(unhappy);
    BACK(score_hundredths);
    BACK(score_s);
    BACK(touches);
    BACK(touch_calls);
}

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

/* Nobody has tried the person since, nor begun with it anew. */
static bool is_as_before(const struct person_row *row, const struct person_row *before)
{
    return row->closed == before->closed && row->cadence == before->cadence &&
           row->cadence_ms == before->cadence_ms && row->attempts == before->attempts;
}

static bool is_response(enum task_channel channel)
{
    return channel == TASK_CALL || channel == TASK_RESEARCH;
}

/* What the merge withdrew of whom the life is at hand: the call, or the research for one, and the
 * newest of the steps. */
static void give_back_tasks(struct undoing *undoing, const struct person_row *before)
{
    struct joining *joining = undoing->joining;
    struct life *life = &joining->life;
    const struct engine_person *who = life->who;
    struct withdrawn task, step = {.row = {.number = 0}};

    if (!is_as_before(&who->row, before))
        return;
    for (unsigned i = 0; i < undoing->end_count; i++) {
        const struct effect_task_end *end = &undoing->ends[i];
        struct task_origin origin;

        if (end->person != who->number || !engine_find_origin(joining->engine, end->task, &origin))
            continue;
        if (is_response((enum task_channel)origin.channel))
            give_back_response(joining);
        else if (end->task > step.row.number && was_waiting(joining->engine, who, end, &task) &&
                 task.row.kind == TASK_STEP)
            step = task;
    }
    if (step.row.number != 0)
        give_back_step(joining, &step);
}

/* The call that was the other's, unless somebody has it in hand, or it is about an opt-in that came
 * since. */
static void end_brought_call(struct undoing *undoing)
{
    struct life *life = &undoing->joining->life;
    struct task_row call;

    if (life_find_open(life, TASK_CALL, &call) && call.number >> 3 == undoing->merge_seq &&
        (call.state == TASK_QUEUED || call.state == TASK_PARKED) &&
        life->who->row.optins == undoing->after.optins)
        life_end_task(life, &call);
}

/* --- both --------------------------------------------------------------------------------- */

static void turn_to(struct joining *joining, struct engine_person *who)
{
    struct life *life = &joining->life;

    life->who = who;
    life->playbook = registry_playbook(joining->engine->options.registry, who->row.playbook);
    life->has_facts = life->has_words = life->has_known = false;
    life->opens_call = false;
}

/* What was said since, "never again" or of a channel, may have been said by either. */
static void restore_other(struct undoing *undoing, bool stopped, uint16_t silenced)
{
    struct joining *joining = undoing->joining;
    struct life *life = &joining->life;
    struct person_row *row = &joining->other.row;
    struct effect_person effect = {.person = joining->other.number};

    *row = joining->merged.other_before;
    row->silenced |= silenced;
    turn_to(joining, &joining->other);
    if (stopped) {
        row->flags |= PERSON_DO_NOT_CONTACT;
        row->stopped_s = joining->kept.row.stopped_s;
        life_stop(life, PERSON_STOPPED);
    }
    give_back_tasks(undoing, &joining->merged.other_before);
    if (row->closed == PERSON_WORKED)
        life_keep_going(life);
    row->due_ms = life_due_ms(row);
    effect.row = *row;
    life_effect(life, EFFECT_PERSON, &effect, sizeof(effect));
    turn_to(joining, &joining->kept);
}

static void restore_kept(struct undoing *undoing)
{
    struct joining *joining = undoing->joining;
    struct life *life = &joining->life;
    struct person_row *row = &joining->kept.row;

    if (hash_is_none(row->phone) && hash_is_none(row->email))
        life_end_tasks(
            life, &(struct life_endings){.channels = 1u << TASK_CALL, .but = life->ended_call});
    give_back_tasks(undoing, &joining->merged.kept_before);
    if (row->closed == PERSON_WORKED)
        life_keep_going(life);
    life_drop_edge(life, EDGE_MERGED, joining->other.number);
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
    undoing->merge_seq = edge.seq;
    undoing->after = effect.row;
    note_ends(undoing, &record);
    return true;
}

enum status joining_undo(struct joining *joining, const struct command *command,
                         struct record *record)
{
    struct undoing undoing = {.joining = joining};
    struct person_row *row = &joining->kept.row;
    uint16_t silenced;
    bool stopped;

    if (!find_merge(&undoing))
        return joining_refuse(joining, STATUS_CONFLICT, DENIED_NOT_MERGED);
    life_begin(&joining->life, joining->engine, joining->turn, &joining->kept);
    stopped = (row->flags & PERSON_DO_NOT_CONTACT) && row->stopped_s != undoing.after.stopped_s;
    silenced = row->silenced & (uint16_t)~undoing.after.silenced;
    end_brought_call(&undoing);
    give_back(row, &joining->merged.kept_before, &undoing.after);
    restore_other(&undoing, stopped, silenced);
    restore_kept(&undoing);
    joining_seal(joining, command, RECORD_UNMERGED, false, record);
    return STATUS_OK;
}
