/* One who proves to be two.
 *
 * Each is what its row alone says (engine_alone.c), with whoever is still merged into it. What was
 * said by somebody that none of those rows has heard of holds for both. Tasks go with those whose
 * words they tell: what is the other's is owed to it, and comes by its due entry, in a record of
 * its own. Whoever has one in hand is not disturbed. */
#include <string.h>

#include "server/engine_joining.h"
#include "server/engine_shown.h"

/* Who goes, with whoever was merged into it before. */
struct undoing {
    struct joining *joining;
    struct person_row merged; /* the kept one's row until now */
    uint64_t known_seq;       /* what was known of it behind the merge */
    struct company *company;
    bool goes[1 + MERGED_MAX]; /* of each of those */
    bool reviewed[2];          /* who stays, and who goes, is to be looked at */
};

/* --- who goes ----------------------------------------------------------------------------- */

static bool is_of(const struct joining *joining, uint64_t person, uint64_t whom)
{
    struct state_edge into;

    for (unsigned i = 0; i <= MERGED_MAX && person != whom; i++) {
        if (!state_edge_next(joining->engine->options.state, person, EDGE_MERGED_INTO, 0, &into))
            return false;
        person = into.other;
    }
    return person == whom;
}

/* Of a merge from before there were such rows: as it was then, and what is not to be done by now is
 * not. */
static void add_as_it_was(struct undoing *undoing)
{
    const struct joining *joining = undoing->joining;
    const struct person_row *kept = &undoing->company->of[0].who.row;
    struct engine_person who = {.number = joining->other.number,
                                .last_seq = joining->kept.last_seq,
                                .row = joining->merged.other_before};

    if (company_find(undoing->company, who.number) != NULL)
        return;
    who.row.silenced |= kept->silenced;
    who.row.flags |= kept->flags & PERSON_DO_NOT_CONTACT;
    company_add(undoing->company, &who);
}

static void note_goers(struct undoing *undoing)
{
    const struct joining *joining = undoing->joining;

    for (unsigned i = 0; i < undoing->company->count; i++)
        undoing->goes[i] =
            is_of(joining, undoing->company->of[i].who.number, joining->other.number);
}

static unsigned count_of(const struct undoing *undoing, bool goes)
{
    unsigned count = 0;

    for (unsigned i = 0; i < undoing->company->count; i++)
        count += undoing->goes[i] == goes;
    return count;
}

/* Whose words they are is not one of those who stay; 0: nobody says anything. */
static bool is_others(const struct undoing *undoing, uint64_t said_seq)
{
    const struct joining *joining = undoing->joining;
    uint64_t whose = said_seq != 0 ? engine_whose(joining->engine, said_seq, joining->kept.number)
                                   : joining->kept.number;

    for (unsigned i = 0; i < undoing->company->count; i++)
        if (undoing->company->of[i].who.number == whose)
            return undoing->goes[i];
    return false;
}

/* --- their rows --------------------------------------------------------------------------- */

/* What holds of all of them together, and of nobody alone, holds for everybody. */
static void share_wishes(struct undoing *undoing)
{
    struct company *company = undoing->company;
    const struct person_row *merged = &undoing->merged;
    unsigned silenced = merged->silenced, stopped = merged->flags & PERSON_DO_NOT_CONTACT;

    for (unsigned i = 0; i < company->count; i++) {
        silenced &= ~(unsigned)company->of[i].who.row.silenced;
        stopped &= ~(unsigned)company->of[i].who.row.flags;
    }
    for (unsigned i = 0; i < company->count; i++) {
        struct person_row *row = &company->of[i].who.row;
        row->silenced |= (uint16_t)silenced;
        row->flags |= (uint8_t)stopped;
        if (stopped != 0 && row->stopped_s < merged->stopped_s)
            row->stopped_s = merged->stopped_s;
    }
}

#define REVIEWS_PARTED 8 /* at most: a record has no room for all that there may be */

/* What is to be looked at because of words of those who go is looked at of them. */
static void part_reviews(struct undoing *undoing)
{
    struct joining *joining = undoing->joining;
    struct state *state = joining->engine->options.state;
    struct state_edge edge;
    uint64_t from = 0;
    unsigned parted = 0;

    undoing->reviewed[true] =
        state_edge_next(state, joining->other.number, EDGE_COLLIDES, 0, &edge);
    for (; state_edge_next(state, joining->kept.number, EDGE_COLLIDES, from, &edge);
         from = edge.other + 1) {
        bool goes = parted < REVIEWS_PARTED && is_others(undoing, edge.seq);
        undoing->reviewed[goes] = true;
        if (!goes)
            continue;
        parted++;
        life_drop_edge(&joining->life, EDGE_COLLIDES, edge.other);
        joining->life.who = &joining->other;
        life_add_edge(&joining->life, EDGE_COLLIDES, edge.other);
        joining->life.who = &joining->kept;
    }
}

/* Those who go, or who stay, as one: nobody is stopped by what is not said of these. Calls of those
 * who stay were seen to; of those who go they were withdrawn. */
static void join_again(struct undoing *undoing, struct engine_person *who, bool goes)
{
    struct joining *joining = undoing->joining;
    struct company *company = undoing->company;
    const struct person_row before = who->row;
    struct person_row *row = &who->row;

    *row = company_find(company, who->number)->who.row;
    life_turn_to(&joining->life, who);
    for (unsigned i = 0; i < company->count; i++)
        if (undoing->goes[i] == goes && company->of[i].who.number != who->number)
            life_join(&joining->life, &company->of[i].who.row, !goes);
    row->open_tasks = before.open_tasks;
    row->known_seq = before.known_seq;
    row->flags &= (uint8_t)~PERSON_REVIEW;
    if (undoing->reviewed[goes])
        row->flags |= PERSON_REVIEW;
    row->marks &= (uint8_t)~PERSON_JOINED;
    if (count_of(undoing, goes) > 1)
        row->marks |= PERSON_JOINED;
    if (goes)
        row->marks |= PERSON_PARTED;
    if (row->flags & PERSON_DO_NOT_CONTACT)
        life_stop(&joining->life, PERSON_STOPPED);
    else if (row->closed != PERSON_WORKED)
        life_stop(&joining->life, (enum person_end)row->closed);
    life_suit_cadence(&joining->life);
}

static bool is_call_of(const struct undoing *undoing, const struct person_row *row, bool goes)
{
    for (unsigned i = 0; i < undoing->company->count; i++)
        if (undoing->goes[i] == goes && undoing->company->of[i].who.row.call_ms == row->call_ms &&
            undoing->company->of[i].who.row.call_why == row->call_why)
            return true;
    return false;
}

/* A call that is planned for several who stay goes on being planned. */
static void keep_call(struct undoing *undoing)
{
    const struct person_row *merged = &undoing->merged;
    struct person_row *row = &undoing->joining->kept.row;

    if (count_of(undoing, false) == 1 || merged->call_ms == 0 || row->closed != PERSON_WORKED ||
        is_call_of(undoing, merged, true))
        return;
    row->call_ms = merged->call_ms;
    row->call_why = merged->call_why;
}

/* --- the tasks of the kept one ------------------------------------------------------------ */

static bool is_response(const struct task_row *task)
{
    return task->channel == TASK_CALL || task->channel == TASK_RESEARCH;
}

static bool is_unreachable(const struct person_row *row)
{
    return hash_is_none(row->phone) && hash_is_none(row->email);
}

/* What there is no address for any more, and steps of a cadence that is not gone on with. */
static bool is_over(const struct undoing *undoing, const struct task_row *task)
{
    struct joining *joining = undoing->joining;
    const struct person_row *row = &joining->kept.row, *merged = &undoing->merged;
    unsigned silenced = (unsigned)row->silenced & ~(unsigned)merged->silenced;
    enum task_channel channel = (enum task_channel)task->channel;

    if ((row->flags & PERSON_DO_NOT_CONTACT) || (silenced >> channel & 1))
        return true;
    if (channel == TASK_CALL)
        return is_unreachable(row);
    if (engine_is_robots(channel) &&
        life_cannot(&joining->life, channel, task->queue) == SKIP_NO_ADDRESS)
        return true;
    return task->kind == TASK_STEP && task->state == TASK_PARKED &&
           (row->cadence != merged->cadence || row->cadence_ms != merged->cadence_ms);
}

/* What says words of the other one is told anew. Whoever has it in hand is not
 * disturbed: the next delivery has it. */
static void tell_anew(struct undoing *undoing, const struct task_row *task)
{
    struct joining *joining = undoing->joining;
    struct life *life = &joining->life;
    struct task_row fresh = *task;
    uint64_t drop_seq = 0;

    life_tell_task(life, &fresh);
    if (!is_others(undoing, task->optin_seq)) {
        fresh.optin_seq = task->optin_seq;
        fresh.received_ms = task->received_ms;
        if (!is_others(undoing, task->more_seq))
            fresh.more_seq = task->more_seq;
    }
    if (fresh.optin_seq == task->optin_seq && fresh.more_seq == task->more_seq &&
        fresh.known_seq == task->known_seq)
        return;
    if (task->state == TASK_QUEUED)
        drop_seq = life_requeue(life, &fresh, 0, joining->turn->now_ms);
    life_task_effect(life, &fresh, drop_seq);
}

/* It goes with the other one; what somebody has in hand is not disturbed, and comes by when it is
 * to be reported. */
static void hand_over(struct undoing *undoing, const struct task_row *task)
{
    struct joining *joining = undoing->joining;
    struct person_row *row = &joining->other.row;

    if (!is_others(undoing, task->optin_seq))
        return;
    if (!engine_is_in_hand(task)) {
        life_end_task(&joining->life, task);
        alone_owe(row, task, joining->turn->now_ms);
    } else if (is_response(task)) {
        alone_owe(row, task, task->lease_until_ms);
        row->marks &= (uint8_t)~PERSON_OWED; /* it is given; a time that is agreed stands */
    }
}

static void settle_task(struct undoing *undoing, const struct task_row *task)
{
    if (is_others(undoing, task->optin_seq) && !engine_is_in_hand(task))
        return; /* it went */
    if (is_over(undoing, task))
        life_end_task(&undoing->joining->life, task);
    else
        tell_anew(undoing, task);
}

static void walk_tasks(struct undoing *undoing,
                       void (*settle)(struct undoing *undoing, const struct task_row *task))
{
    const struct engine_person *who = &undoing->joining->kept;
    struct state *state = undoing->joining->engine->options.state;
    struct task_row task;
    uint64_t after = 0;

    if (who->task.number != 0)
        settle(undoing, &who->task);
    while (state_task_next(state, who->number, after, &task)) {
        after = task.number;
        settle(undoing, &task);
    }
}

/* --- both --------------------------------------------------------------------------------- */

/* An open call goes before one that is planned, but for one that is agreed; who was stopped, or has
 * come to an end, is owed nothing. */
static void settle_plans(struct life *life)
{
    struct person_row *row = &life->who->row;

    if (row->closed != PERSON_WORKED) {
        life_stop(life, (enum person_end)row->closed);
        return;
    }
    if (life_has_call(life)) {
        row->marks &= (uint8_t)~PERSON_OWED;
        if (row->call_why != CALL_AGREED)
            life_plan_call(life, 0, CALL_NOT);
    }
    if (row->held_ms <= life->turn->now_ms) {
        row->held_ms = 0;
        row->held_cadence = row->held_step = 0;
    }
    life_named(life);
    life_keep_going(life);
}

static void restore_other(struct undoing *undoing)
{
    struct joining *joining = undoing->joining;
    struct effect_person effect = {.person = joining->other.number};

    life_turn_to(&joining->life, &joining->other);
    settle_plans(&joining->life);
    joining->other.row.due_ms = life_due_ms(&joining->other.row);
    effect.row = joining->other.row;
    life_effect(&joining->life, EFFECT_PERSON, &effect, sizeof(effect));
}

/* Also where it stands there already, of an undo before this one. */
static void note_parting(struct undoing *undoing, const struct engine_person *who)
{
    struct life *life = &undoing->joining->life;
    const struct effect_edge effect = {.person = who->number,
                                       .other = undoing->joining->kept.number,
                                       .seq = life->turn->seq,
                                       .kind = EDGE_PARTED,
                                       .agency = who->row.agency};

    life_effect(life, EFFECT_EDGE, &effect, sizeof(effect));
}

/* Who is nobody but itself again has its row alone as its row. */
static void end_company(struct undoing *undoing)
{
    struct life *life = &undoing->joining->life;
    struct company *company = undoing->company, left = {.count = 0};

    for (unsigned i = 0; i < company->count; i++) {
        life->who = &company->of[i].who;
        if (undoing->goes[i])
            note_parting(undoing, life->who);
        if (count_of(undoing, undoing->goes[i]) > 1)
            left.of[left.count++] = company->of[i];
        else
            life_drop_edge(life, EDGE_ALONE, life->who->number);
    }
    life->who = &undoing->joining->kept;
    *company = left;
}

/* What was found is the number, or the address, of one who goes. */
static void part_found(struct undoing *undoing, bool phone)
{
    struct joining *joining = undoing->joining;
    uint64_t whose =
        company_whose(joining->engine, undoing->company, life_found(&joining->life, phone), phone);

    if (whose != 0 && is_of(joining, whose, joining->other.number))
        life_forget_found(&joining->life, phone);
}

/* Of what is known, that which the other one brought goes with it. */
static void part_brought(struct undoing *undoing)
{
    struct joining *joining = undoing->joining;
    const struct effect_merged *merged = &joining->merged;
    struct person_row *row = &joining->kept.row;

    if (merged->other_before.known_seq == 0)
        return;
    if (row->known_seq == undoing->known_seq)
        row->known_seq = merged->kept_before.known_seq;
    else
        life_part_known(&joining->life, merged->other_before.known_seq,
                        merged->kept_before.known_seq);
}

static void part_known(struct undoing *undoing)
{
    part_brought(undoing);
    if (undoing->joining->kept.row.known_seq != undoing->joining->turn->seq)
        undoing->joining->life.has_known = false; /* it was another row's */
    part_found(undoing, true);
    part_found(undoing, false);
}

/* --- the record of the merge -------------------------------------------------------------- */

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
    undoing->known_seq = effect.row.known_seq;
    return true;
}

enum status joining_undo(struct joining *joining, const struct command *command,
                         struct record *record)
{
    struct engine *engine = joining->engine;
    struct undoing undoing = {
        .joining = joining, .merged = joining->kept.row, .company = engine->company};

    if (!find_merge(&undoing))
        return joining_refuse(joining, STATUS_CONFLICT, DENIED_NOT_MERGED);
    engine_load_company(engine, &joining->kept, undoing.company);
    life_begin(&joining->life, engine, joining->turn, &joining->kept);
    joining->life.company = NULL;
    add_as_it_was(&undoing);
    note_goers(&undoing);
    share_wishes(&undoing);
    part_reviews(&undoing);
    join_again(&undoing, &joining->other, true);
    life_turn_to(&joining->life, &joining->kept);
    walk_tasks(&undoing, hand_over);
    restore_other(&undoing);
    join_again(&undoing, &joining->kept, false);
    keep_call(&undoing);
    part_known(&undoing); /* from here on life has it at hand, until it is written */
    walk_tasks(&undoing, settle_task);
    settle_plans(&joining->life);
    life_drop_edge(&joining->life, EDGE_MERGED, joining->other.number);
    end_company(&undoing);
    joining->life.company = undoing.company;
    joining_seal(joining, command, RECORD_UNMERGED,
                 joining->kept.row.known_seq == joining->turn->seq, record);
    return STATUS_OK;
}
