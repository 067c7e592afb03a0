/* What an amendment needs of the person's history: the outcome that it amends, what was heard
 * since, and the way that all of it has brought the person. */
#include <string.h>

#include "server/engine_past.h"
#include "server/engine_shown.h"

#define OPTED_IN (LOOKS_BACK + 1) /* in `which`: no task's outcome */

/* When the attempt was made that ended in this outcome. */
static uint64_t contacted_at(const struct record_header *header, const struct effect_report *effect)
{
    return effect->contact_ms != 0 ? effect->contact_ms : header->now_ms;
}

static unsigned word_of_task(struct past *past, uint64_t task, enum outcome outcome,
                             bool *is_new_out)
{
    unsigned i = 0;

    while (i < past->known && past->of[i].task != task)
        i++;
    *is_new_out = i == past->known;
    if (*is_new_out) {
        past->of[past->known].task = task;
        past->of[past->known++].outcome = outcome;
    }
    return i;
}

static void add_event(struct past *past, unsigned which, uint64_t contact_ms)
{
    past->events[past->count].which = which;
    past->events[past->count++].contact_ms = contact_ms;
}

/* An opt-in with which the person was taken up once more; who had said "never again" by then was
 * not. */
static void note_optin(struct past *past, const struct record_view *record,
                       const struct person_row *row)
{
    struct effect_optin effect;

    if (row->flags & PERSON_DO_NOT_CONTACT)
        return;
    if (past->header.seq == 0)
        past->is_latest = false;
    if (row->optins > 1 && effect_find(record, EFFECT_OPTIN, &effect, sizeof(effect)) &&
        !(hash_is_none(effect.event) && hash_is_none(effect.content)) && /* it repeats one */
        effect.reason != NO_TASK_TEST && effect.reason != NO_TASK_SUSPECT)
        add_event(past, OPTED_IN, 0);
}

/* What is not known any more may have been said in a call. */
static enum task_channel channel_of(struct life *life, uint64_t task)
{
    struct task_origin origin;

    return engine_find_origin(life->engine, task, &origin) ? (enum task_channel)origin.channel
                                                           : TASK_CALL;
}

/* "Never again", and nobody has taken it back since. */
static bool stops_all(struct life *life, const struct past *past,
                      const struct effect_report *effect)
{
    return !past->was_taken_up &&
           engine_is_revocation((enum outcome)effect->outcome, channel_of(life, effect->task));
}

/* What was said of another task holds, whatever this one is amended to. */
static void note_other(struct life *life, struct past *past, const struct effect_report *effect)
{
    unsigned silences = engine_silenced_by(life->playbook, (enum outcome)effect->outcome,
                                           channel_of(life, effect->task));

    past->is_stopped |= stops_all(life, past, effect);
    if (past->header.seq == 0)
        past->silenced |= (uint16_t)(silences & ~past->opened);
}

/* What was said behind the outcome is not the task's word; a wish holds all the same, also where
 * it has changed nothing because another one did by then. */
static void note_late(struct life *life, struct past *past, const struct record_view *record,
                      const struct person_row *row)
{
    struct effect_report effect;

    if (!effect_find(record, EFFECT_REPORT, &effect, sizeof(effect)))
        return;
    if (effect.task != past->task) {
        note_other(life, past, &effect);
        if (past->header.seq == 0 && row != NULL)
            past->is_latest = false;
        return;
    }
    past->was_stopped |= stops_all(life, past, &effect);
    if (!past->has_after && row != NULL)
        past->after = *row;
    past->has_after |= row != NULL;
}

/* As what the outcome is counted: by the newest word about the task that is. */
static void note_counted(struct past *past, const struct record_view *record,
                         const struct effect_report *effect, const struct person_row *row)
{
    struct effect_amended amended;

    if (past->is_counted)
        return;
    if (effect_find(record, EFFECT_AMENDED, &amended, sizeof(amended)))
        past->counted_cut = amended.cut;
    else if (record->header.kind != RECORD_OUTCOME)
        return;
    else if (row != NULL)
        past->counted_row = *row;
    past->counted = (enum outcome)effect->outcome;
    past->is_counted = true;
}

/* The first edge of that kind that the record puts to the person. */
static bool find_edge(const struct record_view *record, enum edge_kind kind, uint64_t person,
                      struct effect_edge *out)
{
    enum effect_kind effect;
    struct slice body;
    size_t offset = 0;

    while ((effect = effect_next(record, &offset, &body)) != 0) {
        if (effect != EFFECT_EDGE)
            continue;
        effect_copy(body, out, sizeof(*out));
        if (out->kind == kind && out->person == person && !out->remove)
            return true;
    }
    return false;
}

/* Unless another word about the task has taken that back since. */
static void note_referred(const struct life *life, struct past *past,
                          const struct record_view *record)
{
    struct effect_edge named;
    struct state_edge edge;

    if (find_edge(record, EDGE_REFERRED, life->who->number, &named) &&
        state_edge_next(life->engine->options.state, named.person, EDGE_REFERRED, named.other,
                        &edge) &&
        edge.other == named.other && edge.seq == named.seq)
        past->referred = named.other;
}

static void note_word(struct life *life, struct past *past, const struct record_view *record,
                      const struct person_row *row)
{
    struct effect_report effect;
    bool is_own, is_last;
    unsigned which;

    if (!effect_find(record, EFFECT_REPORT, &effect, sizeof(effect)))
        return;
    is_own = effect.task == past->task;
    which = word_of_task(past, effect.task, (enum outcome)effect.outcome, &is_last);
    if (is_own) {
        note_counted(past, record, &effect, row);
        note_referred(life, past, record);
        past->was_stopped |= stops_all(life, past, &effect);
        past->was_attempt |=
            engine_trial(life->playbook, (enum outcome)effect.outcome, past->channel)->attempt;
        if (!past->has_after && row != NULL)
            past->after = *row;
        past->has_after |= row != NULL;
    } else {
        if (is_last)
            note_other(life, past, &effect);
        if (past->header.seq == 0)
            past->is_latest = false;
    }
    if (record->header.kind != RECORD_OUTCOME)
        return;
    add_event(past, which, contacted_at(&record->header, &effect));
    if (is_own) {
        past->header = record->header;
        past->ended = effect;
        past->contacted_ms = contacted_at(&record->header, &effect);
    }
}

/* What another one said while they were one holds for both where it is a wish. */
static void note_wish_of_other(struct life *life, struct past *past,
                               const struct record_view *record)
{
    struct effect_report effect;
    bool is_last;

    if (!effect_find(record, EFFECT_REPORT, &effect, sizeof(effect)))
        return;
    is_last = effect.task != past->task;
    if (is_last && record->header.kind != RECORD_LATE)
        word_of_task(past, effect.task, (enum outcome)effect.outcome, &is_last);
    if (is_last && engine_is_wish(effect.outcome))
        note_other(life, past, &effect);
}

static bool is_one_still(struct life *life, const struct effect_merged *merged, uint64_t seq)
{
    struct state_edge edge;

    return state_edge_next(life->engine->options.state, merged->kept, EDGE_MERGED, merged->other,
                           &edge) &&
           edge.other == merged->other && edge.seq == seq;
}

/* What two people had when they became one was not the outcome's doing, nor what they were left
 * with when they became two again. */
static void note_merge(struct life *life, struct past *past, const struct record_view *record)
{
    struct effect_merged merged;
    bool is_since = past->header.seq == 0;

    if (is_since)
        past->is_latest = false;
    if (life->is_alone || !effect_find(record, EFFECT_MERGED, &merged, sizeof(merged)) ||
        !is_one_still(life, &merged, record->header.seq))
        return;
    past->is_stopped |=
        !past->was_taken_up && (merged.other_before.flags & PERSON_DO_NOT_CONTACT) != 0;
    if (is_since)
        past->silenced |= merged.other_before.silenced & (uint16_t)~past->opened;
}

/* Somebody put the person where it stood then: what came before leads nowhere else. What another
 * version of the playbook makes of it can be gone through by that one, and what was said by
 * somebody who was merged only is of no account once they are two. */
static bool is_base(const struct life *life, const struct record_view *record)
{
    struct effect_moved moved;

    if (record->header.kind == RECORD_MOVED)
        return !effect_find(record, EFFECT_MOVED, &moved, sizeof(moved)) ||
               (moved.kind != MOVE_PLAYBOOK && moved.kind != MOVE_REVIEWED);
    return (record->header.kind == RECORD_MERGED || record->header.kind == RECORD_UNMERGED) &&
           life->company != NULL;
}

static bool find_row(const struct life *life, const struct record_view *record,
                     struct effect_person *out)
{
    uint64_t person = life->who->number;
    struct effect_alone alone;

    if (life->company == NULL && effect_find_alone(record, person, &alone)) {
        out->row = alone.row;
        return true;
    }
    return effect_find(record, EFFECT_PERSON, out, sizeof(*out)) && out->person == person &&
           (life->company != NULL || !(out->row.marks & PERSON_JOINED));
}

/* Not of somebody who was one with the person then, and is not now. */
static bool is_own(const struct life *life, const struct record_view *record)
{
    uint64_t speaker = effect_speaker(record);

    return speaker == 0 || speaker == life->who->number ||
           (life->company != NULL && company_find(life->company, speaker) != NULL);
}

static void note_words(struct life *life, struct past *past, const struct record_view *record,
                       const struct person_row *row)
{
    switch ((enum record_kind)record->header.kind) {
    case RECORD_OUTCOME:
    case RECORD_AMEND:
        note_word(life, past, record, row);
        return;
    case RECORD_LATE:
        note_late(life, past, record, row);
        return;
    case RECORD_OPTIN:
    case RECORD_DECIDED:
    case RECORD_REPEATED:
        if (row != NULL)
            note_optin(past, record, row);
        return;
    default:
        return;
    }
}

static void note_record(struct life *life, struct past *past, const struct record_view *record)
{
    struct effect_person person;
    const struct person_row *row = find_row(life, record, &person) ? &person.row : NULL;
    bool is_before = past->header.seq != 0 && !past->has_before;

    if (row != NULL && !(row->flags & PERSON_DO_NOT_CONTACT))
        past->was_taken_up = true;
    if (row != NULL)
        past->opened |= (uint16_t)~row->silenced;
    if (record->header.kind == RECORD_MERGED || record->header.kind == RECORD_UNMERGED)
        note_merge(life, past, record);
    else if (is_own(life, record))
        note_words(life, past, record, row);
    else
        note_wish_of_other(life, past, record);
    if (row != NULL && !past->has_base && is_base(life, record)) {
        past->base = *row;
        past->base_events = past->count;
        past->base_is_newer = past->header.seq == 0;
        past->has_base = true;
    }
    if (is_before && row != NULL) {
        past->before = *row;
        past->has_before = true;
    }
}

/* --- the history -------------------------------------------------------------------------- */

/* The person's own, and those of whom it is one with, or was. */
struct histories {
    unsigned count;
    struct history {
        uint64_t person; /* whose it is */
        uint64_t seq;    /* of the newest record that is not read yet; 0: none */
        bool is_in;      /* it was one with them then */
    } of[1 + 2 * MERGED_MAX];
};

static bool has_history(const struct histories *histories, uint64_t person)
{
    for (unsigned i = 0; i < histories->count; i++)
        if (histories->of[i].person == person)
            return true;
    return false;
}

/* And of whom it is merged into. */
static void add_present(const struct life *life, struct histories *out)
{
    struct engine *engine = life->engine;
    struct engine_person who = *life->who;
    struct state_edge into = {.other = who.number};

    do {
        if (life->is_alone && !engine_load_person(engine, into.other, &who))
            return;
        out->of[out->count++] =
            (struct history){.person = into.other, .seq = who.last_seq, .is_in = true};
    } while (life->is_alone && out->count <= MERGED_MAX &&
             state_edge_next(engine->options.state, into.other, EDGE_MERGED_INTO, 0, &into));
}

static void find_histories(const struct life *life, struct histories *out)
{
    const struct engine_person *who = life->who;
    struct state_edge edge;
    uint64_t from = 0;

    out->count = 0;
    add_present(life, out);
    if (!(who->row.marks & PERSON_PARTED))
        return;
    for (unsigned i = 0; i < MERGED_MAX; i++) {
        if (!state_edge_next(life->engine->options.state, who->number, EDGE_PARTED, from, &edge))
            return;
        if (!has_history(out, edge.other))
            out->of[out->count++] = (struct history){.person = edge.other, .seq = edge.seq};
        from = edge.other + 1;
    }
}

/* Of another one's: what was said between the merge and its undo. */
static bool is_in(const struct life *life, struct history *history,
                  const struct record_view *record)
{
    uint64_t person = life->who->number;
    bool was_in = history->is_in;
    struct effect_alone alone;
    struct effect_edge parted;

    if (record->header.person == person)
        return true;
    if (record->header.kind == RECORD_UNMERGED && find_edge(record, EDGE_PARTED, person, &parted))
        history->is_in = true;
    else if (record->header.kind == RECORD_MERGED && effect_find_alone(record, person, &alone) &&
             alone.comes)
        history->is_in = false;
    return was_in;
}

static struct history *newest_of(struct histories *histories)
{
    struct history *newest = &histories->of[0];

    for (unsigned i = 1; i < histories->count; i++)
        if (histories->of[i].seq > newest->seq)
            newest = &histories->of[i];
    return newest;
}

void life_look_back(struct life *life, uint64_t task, enum task_channel channel,
                    enum outcome outcome, struct past *past)
{
    struct histories histories;
    struct history *newest;
    bool is_new;

    memset(past, 0, offsetof(struct past, of));
    past->task = task;
    past->channel = channel;
    past->is_latest = true;
    word_of_task(past, task, outcome, &is_new);
    find_histories(life, &histories);
    newest = newest_of(&histories);
    for (unsigned i = 0; i < LOOKS_BACK && newest->seq != 0; i++) {
        struct record_view record;

        if (journal_batch_read(life->engine->options.journal, newest->seq, &record) != STATUS_OK)
            break;
        if (is_in(life, newest, &record))
            note_record(life, past, &record);
        newest->seq = record.header.person_prev;
        newest = newest_of(&histories);
    }
    past->is_whole = newest->seq == 0;
}

/* Its "never again", its silence, its sale and its call, and the cadence that it began or stopped.
 * What others have brought since stays, and a cadence that has gone on since then is left as it is.
 */
static void take_back(struct life *life, const struct past *past)
{
    const struct person_row *before = &past->before;
    struct person_row *row = &life->who->row;
    bool was_agreed = before->call_why == CALL_AGREED && before->call_ms > life->turn->now_ms;

    if (past->was_stopped)
        row->flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
    if (!past->has_before)
        return;
    if (past->has_after)
        row->silenced &=
            (uint16_t) ~(past->after.silenced & (uint16_t) ~(before->silenced | past->silenced));
    row->calls = before->calls;
    if (past->is_latest) {
        row->sold_cents = before->sold_cents;
        row->sold_attempt = before->sold_attempt;
    }
    row->call_ms = was_agreed ? before->call_ms : 0;
    row->call_why = was_agreed ? (uint8_t)CALL_AGREED : (uint8_t)CALL_NOT;
    if (past->has_after && before->cadence != 0 &&
        !engine_is_same_run(life->engine, before, &past->after) &&
        engine_is_same_run(life->engine, row, &past->after))
        life_take_run(life, before);
}

/* By its id: a version of the playbook may have numbered it that the person is not on any more. */
static uint8_t base_stage(const struct life *life, const struct past *past)
{
    const struct playbook *of =
        registry_playbook(life->engine->options.registry, past->base.playbook);
    unsigned stage = 0;

    if (past->has_base)
        stage = playbook_stage_of(life->playbook, playbook_stage_id(of, past->base.stage));
    return stage != 0 ? (uint8_t)stage : STAGE_OPTIN;
}

/* How far opt-ins and outcomes have brought the person, the amended one as it is now: from the
 * first stage on, or from where somebody put it by hand, in the order in which they came. Of
 * somebody with a longer history than is walked, or who was put elsewhere since, nothing is taken
 * back. */
static void go_through_again(struct life *life, const struct past *past, const struct heard *heard)
{
    struct person_row *row = &life->who->row;

    if ((!past->is_whole && !past->has_base) || past->base_is_newer) {
        life_learn(life, heard->outcome, heard->contact_ms);
        return;
    }
    row->stage = base_stage(life, past);
    row->flags &= (uint8_t) ~(PERSON_CUSTOMER | PERSON_CONVERSED);
    row->conversed_ms = 0;
    row->marks &= (uint8_t)~PERSON_UNHAPPY;
    if (past->has_base) {
        row->marks |= engine_is_unhappy(&past->base) ? PERSON_UNHAPPY : 0;
        row->flags |= past->base.flags & (PERSON_CUSTOMER | PERSON_CONVERSED);
        row->conversed_ms = past->base.conversed_ms;
    }
    for (unsigned i = past->has_base ? past->base_events : past->count; i-- > 0;) {
        if (past->events[i].which == OPTED_IN)
            life_move(life, PLAYBOOK_ON_OPTIN);
        else
            life_learn(life, past->of[past->events[i].which].outcome, past->events[i].contact_ms);
    }
    if (!(row->flags & PERSON_CUSTOMER)) {
        row->sold_cents = 0;
        row->sold_attempt = 0;
    }
}

/* The amended outcome may be the first that is an attempt, or a contact. */
static void count_amended(struct life *life, const struct past *past, const struct heard *heard)
{
    const struct playbook_outcome *does =
        engine_trial(life->playbook, heard->outcome, heard->channel);
    struct person_row *row = &life->who->row;

    if (does->attempt && !past->was_attempt)
        row->attempts++;
    if (does->contact && row->contact_ms == 0)
        row->contact_ms = heard->contact_ms;
}

/* Not by this outcome alone. */
static bool stays_stopped(const struct life *life, const struct past *past)
{
    return (life->who->row.flags & PERSON_DO_NOT_CONTACT) &&
           (past->is_stopped || !past->was_stopped);
}

void life_amend(struct life *life, const struct past *past, const struct heard *heard)
{
    bool counts_wholly = (past->was_stopped || past->is_latest) && !stays_stopped(life, past);

    count_amended(life, past, heard);
    life_hear_right(life, heard);
    if (counts_wholly)
        take_back(life, past);
    go_through_again(life, past, heard);
    if (counts_wholly)
        life_hear(life, heard);
    else
        life_hear_of_before(life, heard);
    life_keep_going(life); /* whom the outcome ends is of another segment, too */
}

/* Whom something else has ended since then is not cut by this. */
static uint8_t cut_now(const struct life *life, const struct past *past, uint8_t was_cut)
{
    if (was_cut == 0 && life->before.closed == PERSON_GIVEN_UP)
        return 0;
    return engine_cut(&past->before, &life->who->row);
}

struct effect_amended life_amended(const struct life *life, const struct past *past)
{
    struct effect_amended amended = {.told_ms = past->header.now_ms,
                                     .agent = past->ended.agent,
                                     .outcome = (uint8_t)past->counted,
                                     .was_cut = past->counted_cut,
                                     .bare = !engine_was_sent_something(&past->before)};

    if (amended.was_cut == 0)
        amended.was_cut = engine_cut(&past->before, &past->counted_row);
    amended.cut = cut_now(life, past, amended.was_cut);
    return amended;
}
