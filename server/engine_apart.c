/* What somebody is without one who was merged into it.
 *
 * Other merges, undos, opt-ins and outcomes may have come since. So its history is gone through
 * once more, from before that merge and all others that are undone by now: whoever is still merged
 * into it is added as then, what it heard itself counts as if it had been alone, and of what only
 * those heard who are gone nothing is left but a wish. Where the history is longer than is walked,
 * all that was said in the part that is left out holds. */
#include <string.h>

#include "server/engine_joining.h"

/* --- the way back ------------------------------------------------------------------------- */

/* Whoever was merged by that record is so still, and stays. */
static bool stays(const struct joining *joining, uint64_t other, uint64_t seq)
{
    struct state_edge edge;

    return other != joining->merged.other &&
           state_edge_next(joining->engine->options.state, joining->kept.number, EDGE_MERGED, other,
                           &edge) &&
           edge.other == other && edge.seq == seq;
}

static void note_amended(struct apart *apart, const struct record_view *record)
{
    struct effect_report report;

    if (record->header.kind != RECORD_AMEND ||
        !effect_find(record, EFFECT_REPORT, &report, sizeof(report)))
        return;
    for (unsigned i = 0; i < apart->amended_count; i++)
        if (apart->amended[i].task == report.task)
            return;
    apart->amended[apart->amended_count].task = report.task;
    apart->amended[apart->amended_count++].seq = record->header.seq;
}

/* To where nobody was merged who is not in the end. The row from before the merge at hand does
 * where that is not reached; false: nor is that merge. */
static bool walk_back(struct apart *apart)
{
    const struct joining *joining = apart->joining;
    uint64_t seq = joining->kept.last_seq;
    unsigned gone = 1, merged_at = 0;

    apart->base = joining->merged.kept_before;
    while (apart->count < LOOKS_BACK && seq != 0) {
        struct effect_merged merged;
        struct record_view record;

        if (!joining_read(joining, seq, &record))
            break;
        apart->seqs[apart->count++] = seq;
        note_amended(apart, &record);
        gone += record.header.kind == RECORD_UNMERGED;
        if (seq == joining->merge_seq)
            merged_at = apart->count;
        if (record.header.kind == RECORD_MERGED &&
            effect_find(&record, EFFECT_MERGED, &merged, sizeof(merged)) &&
            !stays(joining, merged.other, seq) && --gone == 0) {
            apart->base = merged.kept_before;
            return true;
        }
        seq = record.header.person_prev;
    }
    if (merged_at != 0)
        apart->count = merged_at;
    return merged_at != 0;
}

/* --- what was done by hand ---------------------------------------------------------------- */

/* Its own stage in the other version, or the first where that has none of the name. */
static void change_playbook(struct apart *apart, const struct person_row *after)
{
    struct life *life = &apart->joining->life;
    const struct playbook *old = life->playbook;
    struct person_row *row = apart_row(apart);
    unsigned stage;

    life->playbook = registry_playbook(life->engine->options.registry, after->playbook);
    stage = playbook_stage_of(life->playbook, playbook_stage_id(old, row->stage));
    row->playbook = after->playbook;
    life_enter(life, stage != 0 ? stage : STAGE_OPTIN);
}

static void tell_move(struct apart *apart, const struct record_view *record,
                      const struct person_row *before, const struct person_row *after)
{
    struct effect_moved moved;

    apart_note(apart, before, after);
    if (!effect_find(record, EFFECT_MOVED, &moved, sizeof(moved)) || moved.kind == MOVE_REVIEWED)
        return;
    if (moved.kind == MOVE_STAGE)
        life_enter(&apart->joining->life, moved.to_stage);
    else if (moved.kind == MOVE_PLAYBOOK)
        change_playbook(apart, after);
    apart_take_back(apart_row(apart), before, after);
    apart_begin(apart, after);
}

/* --- merges and undos --------------------------------------------------------------------- */

/* The kept one's tasks that this has withdrawn; and whether a response to it, or to whom it added,
 * was among them. */
static void note_ends(struct apart *apart, const struct record_view *record, uint64_t added)
{
    const struct joining *joining = apart->joining;
    struct effect_task_end ends[2 * OPEN_TASKS_MAX];
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind = effect_next(record, &offset, &body);
    unsigned count = 0;

    for (; kind != 0 && count < 2 * OPEN_TASKS_MAX; kind = effect_next(record, &offset, &body))
        if (kind == EFFECT_TASK_END)
            effect_copy(body, &ends[count++], sizeof(ends[0]));
    for (unsigned i = 0; i < count; i++) {
        struct task_origin origin;
        if ((ends[i].person != joining->kept.number && ends[i].person != added) ||
            !engine_find_origin(joining->engine, ends[i].task, &origin))
            continue;
        apart->is_owed |= origin.channel == TASK_CALL || origin.channel == TASK_RESEARCH;
        if (ends[i].person == joining->kept.number && apart->end_count < OPEN_TASKS_MAX)
            apart->ends[apart->end_count++] = ends[i];
    }
}

static void add_other(struct joining *joining, const struct effect_merged *merged)
{
    const struct engine_person other = joining->other;

    joining->other = (struct engine_person){.number = merged->other, .row = merged->other_before};
    joining_add(joining);
    joining->other = other;
    if (joining->kept.row.flags & PERSON_DO_NOT_CONTACT)
        life_stop(&joining->life, PERSON_STOPPED);
    life_suit_cadence(&joining->life);
}

static void tell_merge(struct apart *apart, const struct record_view *record,
                       const struct person_row *before)
{
    struct joining *joining = apart->joining;
    struct effect_merged merged;
    bool stay;

    if (!effect_find(record, EFFECT_MERGED, &merged, sizeof(merged)))
        return;
    stay = stays(joining, merged.other, record->header.seq);
    note_ends(apart, record, stay ? merged.other : 0);
    apart_note_wishes(apart, before, &merged.kept_before);
    if (stay) {
        add_other(joining, &merged);
        return;
    }
    apart->gone_silenced |= merged.other_before.silenced;
    apart->gone_stopped |= merged.other_before.flags & PERSON_DO_NOT_CONTACT;
}

/* A wish that is there again is its own, but for what only those had brought who are gone. What
 * merges had withdrawn until then was given back, unless nobody was to be contacted so. */
static void tell_undo(struct apart *apart, const struct person_row *before,
                      const struct person_row *after)
{
    struct person_row brought = *after;
    unsigned kept = 0;

    brought.silenced &= (uint16_t) ~(apart->gone_silenced & ~apart->own_silenced);
    if (apart->gone_stopped && !apart->own_stopped)
        brought.flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
    apart_note_wishes(apart, before, &brought);
    for (unsigned i = 0; i < apart->end_count; i++) {
        struct task_origin origin;
        if ((after->flags & PERSON_DO_NOT_CONTACT) ||
            (engine_find_origin(apart->joining->engine, apart->ends[i].task, &origin) &&
             (after->silenced >> origin.channel & 1)))
            apart->ends[kept++] = apart->ends[i];
    }
    apart->end_count = kept;
}

/* A promise to the other one is not missed by this one. */
static void tell_tier(struct apart *apart, const struct record_view *record,
                      const struct person_row *before, const struct person_row *after)
{
    struct person_row own = *after;
    struct effect_escalated effect;
    struct effect_task task;

    if (effect_find(record, EFFECT_ESCALATED, &effect, sizeof(effect)) &&
        engine_find_opened(record, effect.task, &task) &&
        joining_is_others(apart->joining, task.row.optin_seq))
        own.missed_s = before->missed_s;
    apart_note(apart, before, &own);
    apart_follow(apart_row(apart), before, &own);
}

/* --- all of it ---------------------------------------------------------------------------- */

/* Other records bring no wish: it came with the undo of a merge into somebody else. */
static bool brings_wishes(enum record_kind kind)
{
    return kind == RECORD_MERGED || kind == RECORD_UNMERGED || kind == RECORD_OUTCOME ||
           kind == RECORD_AMEND || kind == RECORD_LATE;
}

static void tell(struct apart *apart, const struct record_view *record,
                 const struct person_row *before, const struct person_row *after)
{
    if (!brings_wishes((enum record_kind)record->header.kind))
        apart_note_wishes(apart, before, after);
    switch ((enum record_kind)record->header.kind) {
    case RECORD_MERGED:
        tell_merge(apart, record, before);
        return;
    case RECORD_UNMERGED:
        tell_undo(apart, before, after);
        return;
    case RECORD_OPTIN:
    case RECORD_DECIDED:
    case RECORD_REPEATED:
        apart_tell_optin(apart, record, before, after);
        return;
    case RECORD_OUTCOME:
    case RECORD_AMEND:
    case RECORD_LATE:
        apart_tell_word(apart, record, before, after);
        return;
    case RECORD_MOVED:
        tell_move(apart, record, before, after);
        return;
    case RECORD_SIGNAL:
    case RECORD_WOKEN:
    case RECORD_ADOPTED:
        apart_note(apart, before, after);
        apart_follow_or_begin(apart, before, after);
        return;
    case RECORD_TIER:
        tell_tier(apart, record, before, after);
        return;
    default:
        apart_note(apart, before, after);
        apart_follow(apart_row(apart), before, after);
    }
}

static void forget_looks(struct life *life)
{
    life->has_facts = life->has_words = life->has_place = life->has_known = false;
}

/* `before` becomes what the record left the row as. */
static void tell_record(struct apart *apart, uint64_t seq, struct person_row *before)
{
    struct joining *joining = apart->joining;
    const struct person_row *row = apart_row(apart);
    struct person_row after = *before;
    struct effect_person effect;
    struct record_view record;
    struct turn turn;

    if (!joining_read(joining, seq, &record))
        return;
    if (effect_find(&record, EFFECT_PERSON, &effect, sizeof(effect)) &&
        effect.person == joining->kept.number)
        after = effect.row;
    turn = (struct turn){
        .seq = seq, .admin_seq = record.header.admin_prev, .now_ms = record.header.now_ms};
    joining->life.turn = &turn;
    forget_looks(&joining->life);
    apart->own_silenced |= row->silenced;
    apart->own_stopped |= row->flags & PERSON_DO_NOT_CONTACT;
    tell(apart, &record, before, &after);
    joining->life.turn = joining->turn;
    *before = after;
}

/* It was put into another version in the part that is left out, where plans have other numbers. */
static void go_by_now(struct apart *apart, const struct person_row *now)
{
    struct life *life = &apart->joining->life;

    life->playbook = registry_playbook(life->engine->options.registry, now->playbook);
    apart_row(apart)->playbook = now->playbook;
    life_enter(life, now->stage);
    apart_begin(apart, now);
}

void joining_part(struct apart *apart)
{
    struct joining *joining = apart->joining;
    struct life *life = &joining->life;
    const struct person_row now = joining->kept.row;
    struct person_row *row = apart_row(apart), before;
    bool is_whole = walk_back(apart);

    *row = apart->base;
    before = is_whole ? apart->base : apart->after;
    life->playbook = registry_playbook(joining->engine->options.registry, row->playbook);
    if (!is_whole) /* whatever holds now may have been said in between */
        apart_note_wishes(apart, &(const struct person_row){.flags = 0}, &now);
    for (unsigned i = apart->count; i-- > 0;)
        tell_record(apart, apart->seqs[i], &before);
    apart_note_wishes(apart, &before, &now);
    if (row->playbook != now.playbook)
        go_by_now(apart, &now);
    row->owner = now.owner;
    row->open_tasks = now.open_tasks;
    row->known_seq = now.known_seq;
    row->flags = (uint8_t)((row->flags & ~PERSON_REVIEW) | (now.flags & PERSON_REVIEW));
    forget_looks(life);
}
