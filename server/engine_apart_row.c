/* What a record has changed in the row of somebody into whom others were merged, is changed in the
 * row without one of them. */
#include "server/engine_joining.h"

struct person_row *apart_row(struct apart *apart)
{
    return &apart->joining->kept.row;
}

/* --- what is planned ---------------------------------------------------------------------- */

/* Fields that make sense together only. */
static bool is_same_course(const struct person_row *a, const struct person_row *b)
{
    return a->closed == b->closed && a->cadence == b->cadence && a->cadence_ms == b->cadence_ms &&
           a->step == b->step && a->step_ms == b->step_ms && a->passed == b->passed &&
           a->held_ms == b->held_ms && a->held_cadence == b->held_cadence &&
           a->held_step == b->held_step;
}

static void take_course(struct person_row *row, const struct person_row *from)
{
    row->closed = from->closed;
    row->segment = from->segment;
    row->cadence = from->cadence;
    row->cadence_ms = from->cadence_ms;
    row->step = from->step;
    row->step_ms = from->step_ms;
    row->passed = from->passed;
    row->held_ms = from->held_ms;
    row->held_cadence = from->held_cadence;
    row->held_step = from->held_step;
}

static bool is_same_call(const struct person_row *a, const struct person_row *b)
{
    return a->call_ms == b->call_ms && a->call_why == b->call_why && a->calls == b->calls;
}

static void take_call(struct person_row *row, const struct person_row *from)
{
    row->call_ms = from->call_ms;
    row->call_why = from->call_why;
    row->calls = from->calls;
}

/* Whatever of it the merge has not changed went on as it did. */
void apart_follow(struct person_row *row, const struct person_row *before,
                  const struct person_row *after)
{
    bool was_held = before->held_ms != 0 && row->held_cadence == before->held_cadence &&
                    row->held_step == before->held_step;

    if (is_same_course(row, before))
        take_course(row, after);
    else if (was_held && after->held_ms == 0) { /* it was done */
        row->held_ms = 0;
        row->held_cadence = row->held_step = 0;
    }
    if (is_same_call(row, before))
        take_call(row, after);
}

/* Somebody has begun with the person, or put it elsewhere: that goes on. */
void apart_begin(struct apart *apart, const struct person_row *after)
{
    take_course(apart_row(apart), after);
    take_call(apart_row(apart), after);
    apart->has_begun = true;
}

void apart_follow_or_begin(struct apart *apart, const struct person_row *before,
                           const struct person_row *after)
{
    if (is_same_course(before, after) && is_same_call(before, after))
        apart_follow(apart_row(apart), before, after);
    else
        apart_begin(apart, after);
}

/* --- what every record may change --------------------------------------------------------- */

static bool has_touch(const struct person_row *row, uint32_t at_s, bool call)
{
    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        if (row->touches[i] == at_s && (row->touch_calls >> i & 1) == call)
            return true;
    return false;
}

static void add_touches(struct life *life, const struct person_row *before,
                        const struct person_row *after)
{
    for (unsigned i = TOUCHES_KEPT; i-- > 0;) {
        bool call = after->touch_calls >> i & 1;
        if (after->touches[i] != 0 && !has_touch(before, after->touches[i], call))
            life_touch(life, call ? TASK_CALL : TASK_EMAIL, after->touches[i] * 1000ull);
    }
}

void apart_note(struct apart *apart, const struct person_row *before,
                const struct person_row *after)
{
    struct person_row *row = apart_row(apart);

    row->optins += after->optins - before->optins;
    row->attempts = (uint16_t)(row->attempts + (after->attempts - before->attempts));
    if (before->attempts_before != after->attempts_before)
        row->attempts_before = row->attempts;
    if (before->missed_s != after->missed_s)
        row->missed_s = after->missed_s;
    life_score_since(&apart->joining->life, before, after);
    add_touches(&apart->joining->life, before, after);
}

/* What takes a silence back, or "never again". */
void apart_take_back(struct person_row *row, const struct person_row *before,
                     const struct person_row *after)
{
    row->flags &= (uint8_t) ~(before->flags & (uint8_t)~after->flags & PERSON_DO_NOT_CONTACT);
    row->silenced &= (uint16_t) ~(before->silenced & (uint16_t)~after->silenced);
}

/* What was said is the kept one's from now on; `since`: and the other one's, who was one with it.
 */
void apart_add_wishes(struct apart *apart, unsigned silenced, bool stops, uint32_t stopped_s,
                      bool since)
{
    struct person_row *row = apart_row(apart);

    row->silenced |= (uint16_t)silenced;
    if (stops) {
        row->flags |= PERSON_DO_NOT_CONTACT;
        row->stopped_s = stopped_s;
    }
    if (!since)
        return;
    apart->silenced |= (uint16_t)silenced;
    apart->is_stopped |= stops;
    if (stops)
        apart->stopped_s = stopped_s;
}

bool apart_is_since_merge(const struct apart *apart)
{
    return apart->joining->life.turn->seq > apart->joining->merge_seq;
}

/* Wishes that came to the row by no record of its own, or by one that is not looked at. */
void apart_note_wishes(struct apart *apart, const struct person_row *before,
                       const struct person_row *after)
{
    apart_add_wishes(apart, after->silenced & ~(unsigned)before->silenced,
                     after->flags & ~before->flags & PERSON_DO_NOT_CONTACT, after->stopped_s,
                     apart_is_since_merge(apart));
}
