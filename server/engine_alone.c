/* Each of several people who are one, alone.
 *
 * Who is merged into another one, and that one as well, goes on by itself beside what the two are
 * together: as a row that hears what it says, and what is reported of it, and nothing else. Nobody
 * is contacted by it, so what it would open is planned. Once they are two, each is what its row
 * says. A row stands in the journal, in the last record that changed it, and an edge says where. */
#include "server/engine_alone.h"

#include <string.h>

/* --- finding ------------------------------------------------------------------------------ */

bool engine_read_record(struct engine *engine, uint64_t seq, struct record_view *out)
{
    return seq != 0 && journal_batch_read(engine->options.journal, seq, out) == STATUS_OK;
}

static bool read_alone(struct engine *engine, uint64_t person, struct person_row *out)
{
    struct effect_alone alone;
    struct record_view record;
    struct state_edge edge;

    if (!state_edge_next(engine->options.state, person, EDGE_ALONE, person, &edge) ||
        edge.other != person || !engine_read_record(engine, edge.seq, &record) ||
        !effect_find_alone(&record, person, &alone))
        return false;
    *out = alone.row;
    return true;
}

struct alone *company_add(struct company *company, const struct engine_person *who)
{
    struct alone *alone = &company->of[company->count++];

    *alone = (struct alone){
        .who = {.number = who->number, .last_seq = who->last_seq, .row = who->row}, .is_new = true};
    alone->who.row.due_ms = 0;
    alone->before = alone->who.row;
    return alone;
}

/* Whoever is merged into that one as well, but by a merge from before such rows were kept: what is
 * counted of the one that is left has theirs already. */
static void add_merged(struct engine *engine, const struct engine_person *into, struct company *out)
{
    struct engine_person other = {.last_seq = into->last_seq};
    struct state_edge edge;
    uint64_t from = 0;

    while (out->count <= MERGED_MAX &&
           state_edge_next(engine->options.state, into->number, EDGE_MERGED, from, &edge)) {
        from = edge.other + 1;
        other.number = edge.other;
        if (!read_alone(engine, other.number, &other.row))
            continue;
        company_add(out, &other)->is_new = false;
        add_merged(engine, &other, out);
    }
}

void engine_load_company(struct engine *engine, const struct engine_person *kept,
                         struct company *out)
{
    struct engine_person who = *kept;
    bool is_stored = read_alone(engine, who.number, &who.row);

    out->count = 0;
    company_add(out, &who)->is_new = !is_stored;
    add_merged(engine, &who, out);
}

struct alone *company_find(struct company *company, uint64_t number)
{
    for (unsigned i = 0; i < company->count; i++)
        if (company->of[i].who.number == number)
            return &company->of[i];
    return NULL;
}

void life_begin_of(struct life *own, const struct life *life, struct alone *alone)
{
    *own = (struct life){
        .engine = life->engine,
        .turn = life->turn,
        .who = &alone->who,
        .before = alone->who.row,
        .playbook = registry_playbook(life->engine->options.registry, alone->who.row.playbook),
        .is_alone = true,
    };
}

bool life_begin_alone(struct life *own, const struct life *life)
{
    struct alone *alone = NULL;

    if (life->company != NULL)
        alone = company_find(life->company, life->speaker);
    if (alone == NULL)
        return false;
    life_begin_of(own, life, alone);
    alone->speaks = true;
    return true;
}

static bool is_same_run(const struct life *life, const struct person_row *row,
                        const struct person_row *other)
{
    return row->cadence != 0 && engine_is_same_run(life->engine, row, other);
}

static bool has_planned(const struct life *life, const struct task_row *task,
                        const struct person_row *row)
{
    if (task->kind == TASK_STEP)
        return is_same_run(life, row, &life->before);
    if (life->before.marks & PERSON_OWED)
        return (row->marks & PERSON_OWED) || row->call_why == CALL_AGAIN;
    return row->call_ms != 0 && row->call_ms == life->before.call_ms &&
           row->call_why == life->before.call_why;
}

bool life_begin_planner(struct life *own, const struct life *life, const struct task_row *task)
{
    if (life->company == NULL || life->speaker != 0)
        return false;
    for (unsigned i = 0; i < life->company->count; i++) {
        struct alone *alone = &life->company->of[i];
        if (!has_planned(life, task, &alone->who.row) ||
            !engine_has_address(&alone->who.row, (enum task_channel)task->channel))
            continue;
        life_begin_of(own, life, alone);
        return true;
    }
    return false;
}

/* --- what is owed ------------------------------------------------------------------------- */

/* It reached nobody, so it keeps nothing else waiting. */
static void forget_touch(struct person_row *row, const struct task_row *task)
{
    uint8_t later;
    unsigned i = 0;

    while (i < TOUCHES_KEPT && (row->touches[i] != task->not_before_ms / 1000 ||
                                row->touches[i] == 0 || (row->touch_calls >> i & 1)))
        i++;
    if (i == TOUCHES_KEPT)
        return;
    memmove(row->touches + i, row->touches + i + 1,
            (TOUCHES_KEPT - 1 - i) * sizeof(row->touches[0]));
    row->touches[TOUCHES_KEPT - 1] = 0;
    later = (uint8_t)((1u << i) - 1);
    row->touch_calls = (uint8_t)((row->touch_calls & later) | (row->touch_calls >> 1 & ~later));
}

static enum call_why why_of(enum task_kind kind)
{
    switch (kind) {
    case TASK_AGREED:
        return CALL_AGREED;
    case TASK_RETRY:
        return CALL_RETRY;
    case TASK_WAKE:
        return CALL_WAKE;
    default:
        return CALL_AGAIN;
    }
}

/* A time that was agreed is kept, and only a first response is owed beside it. */
static void owe_call(struct person_row *row, const struct task_row *task, uint64_t now_ms)
{
    enum call_why why = why_of((enum task_kind)task->kind);

    if (row->call_ms == 0 || row->call_why != CALL_AGREED) {
        row->call_ms = now_ms;
        row->call_why = (uint8_t)why;
    } else if (why == CALL_AGAIN) {
        row->marks |= PERSON_OWED;
    }
}

void alone_respond(struct person_row *row)
{
    row->marks &= (uint8_t)~PERSON_OWED;
    if (row->call_why != CALL_AGAIN)
        return;
    row->call_ms = 0;
    row->call_why = CALL_NOT;
}

/* Of the run that the person is in, or of the one before, and later in it than what waits. */
static bool is_later(const struct person_row *row, const struct task_row *task)
{
    if (task->cadence == row->held_cadence)
        return task->step > row->held_step;
    return row->held_ms == 0 || task->cadence == row->cadence;
}

/* As if it waited for a name, as long as that is possible: a later one takes its place. Not what
 * has waited too long, or is with somebody. */
static void owe_step(struct person_row *row, const struct task_row *task, uint64_t now_ms)
{
    if ((task->state != TASK_QUEUED && task->state != TASK_PARKED) || !is_later(row, task) ||
        task->playbook != row->playbook || engine_is_over(task, now_ms))
        return;
    row->held_cadence = task->cadence;
    row->held_step = task->step;
    row->held_ms = task->deadline_ms;
    if (task->state == TASK_QUEUED)
        forget_touch(row, task);
}

void alone_forget_step(struct person_row *row, const struct task_row *task)
{
    if (task->kind != TASK_STEP || row->held_cadence != task->cadence ||
        row->held_step != task->step)
        return;
    row->held_ms = 0;
    row->held_cadence = row->held_step = 0;
}

void alone_owe(struct person_row *row, const struct task_row *task, uint64_t now_ms)
{
    if (task->kind == TASK_STEP)
        owe_step(row, task, now_ms);
    else if (task->channel == TASK_CALL || task->channel == TASK_RESEARCH)
        owe_call(row, task, now_ms);
}

void life_owe(struct life *life, const struct task_row *task)
{
    struct alone *alone = NULL;

    if (life->company != NULL)
        alone = company_find(life->company,
                             engine_whose(life->engine, task->optin_seq, life->who->number));
    if (alone != NULL && alone->who.number != life->speaker)
        alone_owe(&alone->who.row, task, life->turn->now_ms);
}

void life_share_wish(struct life *life, const struct heard *heard)
{
    bool stops = engine_is_revocation(heard->outcome, heard->channel);
    unsigned silences = engine_silenced_by(life->playbook, heard->outcome, heard->channel);

    if (!engine_is_wish((uint8_t)heard->outcome))
        return;
    for (unsigned i = 0; life->company != NULL && i < life->company->count; i++) {
        struct person_row *row = &life->company->of[i].who.row;
        if (!stops) {
            row->silenced |= (uint16_t)silences;
            continue;
        }
        row->flags |= PERSON_DO_NOT_CONTACT;
        row->stopped_s = life->who->row.stopped_s;
    }
}

void life_share_end_of_wish(struct life *life)
{
    const struct person_row *before = &life->before, *after = &life->who->row;

    for (unsigned i = 0; life->company != NULL && i < life->company->count; i++) {
        struct person_row *row = &life->company->of[i].who.row;
        row->silenced &= (uint16_t) ~(before->silenced & (uint16_t)~after->silenced);
        row->flags &= (uint8_t) ~(before->flags & (uint8_t)~after->flags & PERSON_DO_NOT_CONTACT);
    }
}

void life_note_missed(struct life *life, const struct task_row *task)
{
    struct alone *alone = NULL;

    if (life->company != NULL)
        alone = company_find(life->company,
                             engine_whose(life->engine, task->optin_seq, life->who->number));
    if (alone != NULL)
        alone->who.row.missed_s = life->who->row.missed_s;
}

/* --- what they have in common ------------------------------------------------------------- */

static bool has_touch(const struct person_row *row, uint32_t at_s, bool call)
{
    for (unsigned i = 0; i < TOUCHES_KEPT; i++)
        if (row->touches[i] == at_s && (row->touch_calls >> i & 1) == call)
            return true;
    return false;
}

static void take_touches(const struct life *life, struct engine_person *who)
{
    const struct person_row *after = &life->who->row;
    struct life own = {.who = who};

    for (unsigned i = TOUCHES_KEPT; i-- > 0;) {
        bool call = after->touch_calls >> i & 1;
        if (after->touches[i] != 0 && !has_touch(&life->before, after->touches[i], call) &&
            !has_touch(&who->row, after->touches[i], call))
            life_touch(&own, call ? TASK_CALL : TASK_EMAIL, after->touches[i] * 1000ull);
    }
}

/* Another version has it under another number. */
static void take_segment(struct person_row *row, const struct person_row *from)
{
    if (row->playbook == from->playbook)
        row->segment = from->segment;
}

/* Nobody has said anything: a run, or a call, that is planned of the one as of the other has gone
 * on for both: but for a response, which is owed until there is an outcome, and for a call that
 * gave way to another. */
static void go_along(const struct life *life, struct life *own, bool is_kept)
{
    const struct person_row *before = &life->before, *after = &life->who->row;
    struct person_row *row = &own->who->row;
    bool same_call = row->call_ms == before->call_ms && row->call_why == before->call_why;
    bool same_run = is_same_run(life, row, before);
    bool is_made = life->opens_call && row->call_why != CALL_AGAIN;

    if (engine_is_same_held(life->engine, row, before) && (same_run || after->held_ms == 0))
        life_take_held(own, after);
    if (same_run) {
        if (!life_take_run(own, after))
            life_go_on(own);
        row->closed = after->closed;
        take_segment(row, after);
    }
    if (same_call && (after->call_ms == 0 ? is_made : is_kept)) {
        row->call_ms = after->call_ms;
        row->call_why = after->call_why;
        row->calls = after->calls;
    }
    if (is_kept && before->closed != after->closed)
        row->closed = after->closed;
}

/* What was said has begun a run, of which steps may be over already. */
static bool has_begun(const struct life *life)
{
    const struct person_row *row = &life->who->row;

    return row->cadence != 0 && row->cadence_ms == life->turn->now_ms &&
           !is_same_run(life, row, &life->before);
}

/* It is in the version that the run was begun in, or in that run as well. */
static bool has_same_steps(const struct life *life, const struct person_row *row)
{
    return row->playbook == life->who->row.playbook || is_same_run(life, row, &life->who->row);
}

static void follow(const struct life *life, struct alone *alone)
{
    const struct person_row *after = &life->who->row;
    struct person_row *row = &alone->who.row;
    bool is_kept = alone->who.number == life->who->number;
    bool had_part = is_kept || alone->speaks || is_same_run(life, row, &life->before);
    struct life own;

    life_begin_of(&own, life, alone);
    if (life->speaker == 0) {
        go_along(life, &own, is_kept);
    } else if (alone->speaks && has_begun(life) && has_same_steps(life, row)) {
        life_take_run(&own, after);
        life_take_held(&own, after);
        take_segment(row, after);
    }
    if (had_part)
        take_touches(life, &alone->who);
    if (is_kept)
        row->owner = life->who->row.owner;
}

static void write_one(const struct life *life, const struct alone *alone, struct record *record)
{
    const struct effect_alone effect = {.person = alone->who.number,
                                        .speaks = alone->speaks,
                                        .comes = alone->comes,
                                        .row = alone->who.row};
    const struct effect_edge edge = {.person = alone->who.number,
                                     .other = alone->who.number,
                                     .seq = life->turn->seq,
                                     .kind = EDGE_ALONE,
                                     .agency = alone->who.row.agency};

    engine_effect(record, EFFECT_ALONE, &effect, sizeof(effect));
    engine_effect(record, EFFECT_EDGE, &edge, sizeof(edge));
}

void company_write(const struct life *life, struct company *company, struct record *record)
{
    for (unsigned i = 0; i < company->count; i++) {
        struct alone *alone = &company->of[i];
        alone->who.row.due_ms = 0;
        if (alone->is_new || alone->speaks || alone->comes ||
            memcmp(&alone->before, &alone->who.row, sizeof(alone->before)) != 0)
            write_one(life, alone, record);
    }
}

void company_end(struct life *life, struct record *record)
{
    for (unsigned i = 0; i < life->company->count; i++)
        follow(life, &life->company->of[i]);
    company_write(life, life->company, record);
}
