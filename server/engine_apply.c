/* apply: copies what a record says into state, index and registry, and decides nothing.
 *
 * The live path, a rebuild and a node of a later version all run this, so it looks at nothing
 * but the record and the rows that earlier records made. The person of a record is
 * loaded once and written once. */
#include "server/engine_internal.h"

#include "proto/must.h"
#include "proto/task.h"

/* What must be there was not found: state is damaged, or the look at it has failed. */
static enum status failure_or_corrupt(const struct engine *engine)
{
    enum status failed = state_failure(engine->options.state);

    return failed != STATUS_OK ? failed : STATUS_CORRUPT;
}

static enum status person_flush(struct engine *engine, const struct record_view *record)
{
    struct engine_person *person = &engine->person;

    if (person->number == 0)
        return STATUS_OK;
    if (person->number == record->header.person)
        person->last_seq = record->header.seq;
    TRY(state_person_put(engine->options.state, person->number, &person->row,
                         person->task.number != 0 ? &person->task : NULL, person->last_seq));
    TRY(engine_tally_person(engine));
    person->number = 0;
    return STATUS_OK;
}

static enum status person_turn_to(struct engine *engine, const struct record_view *record,
                                  uint64_t number)
{
    if (engine->person.number == number)
        return STATUS_OK;
    TRY(person_flush(engine, record));
    if (number > state_meta(engine->options.state)->people) {
        engine->person = (struct engine_person){.number = number};
        engine->person_before = engine->person.row;
        state_meta(engine->options.state)->people = number;
        return STATUS_OK;
    }
    if (!engine_load_person(engine, number, &engine->person))
        return failure_or_corrupt(engine);
    engine->person_before = engine->person.row;
    return STATUS_OK;
}

/* --- tasks ----------------------------------------------------------------------------------- */

/* The row as it is now; false: the record opens it. */
static bool old_row(struct engine *engine, const struct record_view *record, uint64_t task,
                    struct task_row *out)
{
    if (engine->person.task.number == task) {
        *out = engine->person.task;
        return true;
    }
    if (task >> 3 == record->header.seq)
        return false;
    return state_task_find(engine->options.state, engine->person.number, task, out);
}

/* A person's first open task lies in the person's row, further ones in a table. */
static enum status keep_row(struct engine *engine, bool is_old, const struct task_row *row)
{
    struct engine_person *person = &engine->person;

    if (person->task.number == row->number || (!is_old && person->task.number == 0)) {
        person->task = *row;
        return STATUS_OK;
    }
    return state_task_put(engine->options.state, person->number, row);
}

static enum status forget_row(struct engine *engine, const struct task_row *row)
{
    struct engine_person *person = &engine->person;

    if (person->task.number == row->number) {
        person->task = (struct task_row){0};
        return STATUS_OK;
    }
    return state_task_delete(engine->options.state, person->number, row->number);
}

/* What is with an agent: how many, and in which order. */
static enum status move_work(struct engine *engine, const struct task_row *old,
                             const struct task_row *row)
{
    struct state *state = engine->options.state;
    const struct state_work work = {row->deadline_ms, row->number, engine->person.number};

    if (old->with == row->with && old->deadline_ms == row->deadline_ms)
        return STATUS_OK;
    if (old->with != 0) {
        state_agent(state, old->with)->open_tasks--;
        TRY(state_work_delete(state, old->with, old->deadline_ms, old->number));
    }
    if (row->with == 0)
        return STATUS_OK;
    state_agent(state, row->with)->open_tasks++;
    return state_work_put(state, row->with, &work);
}

static void move_queue(struct state *state, const struct task_row *old, const struct task_row *row)
{
    if (old->queue == row->queue)
        return;
    state_queue(state, old->queue)->open_tasks--;
    state_queue(state, row->queue)->open_tasks++;
}

/* What waits for its window on each queue; a row without a number is none. */
static void count_parked(struct state *state, const struct task_row *old,
                         const struct task_row *row)
{
    if (old->state == TASK_PARKED)
        state_queue(state, old->queue)->parked_tasks--;
    if (row->state == TASK_PARKED)
        state_queue(state, row->queue)->parked_tasks++;
}

static enum status apply_task(struct engine *engine, const struct record_view *record,
                              const struct effect_task *effect)
{
    struct state *state = engine->options.state;
    struct task_row old;
    bool is_old;

    TRY(person_turn_to(engine, record, effect->person));
    is_old = old_row(engine, record, effect->row.number, &old);
    if (!is_old) {
        state_meta(state)->tasks_opened++;
        state_queue(state, effect->row.queue)->open_tasks++;
        engine->person.row.open_tasks++;
        old = (struct task_row){0};
    } else {
        move_queue(state, &old, &effect->row);
        state_meta(state)->redeliveries += effect->row.delivery > old.delivery;
    }
    count_parked(state, &old, &effect->row);
    TRY(engine_tally_task(engine, record, &old, &effect->row));
    if ((effect->row.flags & ~old.flags) & TASK_BREACHED) {
        state_meta(state)->breaches++;
        TRY(engine_tally_breach(engine, record, &effect->row, old.lease_until_ms != 0));
    }
    TRY(engine_retract(engine, &old));
    if (effect->drop_seq != 0)
        TRY(engine_drop_put(engine, record, effect->drop_seq, &old));
    TRY(engine_install(engine, record, &effect->row));
    TRY(move_work(engine, &old, &effect->row));
    engine_note_origin(engine, record, &effect->row);
    return keep_row(engine, is_old, &effect->row);
}

static enum status apply_task_end(struct engine *engine, const struct record_view *record,
                                  const struct effect_task_end *effect)
{
    struct state *state = engine->options.state;
    struct task_row old;

    TRY(person_turn_to(engine, record, effect->person));
    if (!old_row(engine, record, effect->task, &old))
        return failure_or_corrupt(engine);
    TRY(engine_retract(engine, &old));
    if (effect->drop_seq != 0)
        TRY(engine_drop_put(engine, record, effect->drop_seq, &old));
    state_meta(state)->tasks_ended++;
    state_queue(state, old.queue)->open_tasks--;
    count_parked(state, &old, &(const struct task_row){.number = 0});
    engine->person.row.open_tasks--;
    TRY(engine_tally_end(engine, record, &old));
    TRY(move_work(engine, &old, &(const struct task_row){.number = old.number}));
    return forget_row(engine, &old);
}

static enum status apply_popped(struct engine *engine, const struct record_view *record,
                                const struct effect_popped *effect)
{
    struct task_row old, row;

    TRY(person_turn_to(engine, record, effect->person));
    if (!old_row(engine, record, effect->task, &old))
        return failure_or_corrupt(engine);
    row = old;
    row.state = TASK_POPPED;
    row.put_seq = 0;
    row.lease_until_ms = row.due_ms = effect->lease_until_ms;
    row.due_kind = DUE_LEASE;
    TRY(engine_retract(engine, &old));
    TRY(engine_install(engine, record, &row));
    return keep_row(engine, true, &row);
}

/* --- opt-ins, people, reports, settings ----------------------------------------------- */

static enum status apply_suspect(struct engine *engine, const struct record_view *record,
                                 const struct effect_optin *effect)
{
    const struct suspect_row row = {.decided_seq = record->header.seq, .site = effect->site};

    if (effect->reason != NO_TASK_SUSPECT)
        return STATUS_OK;
    return state_suspect_put(engine->options.state, record->header.agency, effect->optin_seq, &row);
}

static enum status apply_optin(struct engine *engine, const struct record_view *record,
                               const struct effect_optin *effect)
{
    struct state_meta *meta = state_meta(engine->options.state);
    struct index *index = engine->options.index;

    meta->optins++;
    engine->decision = *effect;
    TRY(apply_suspect(engine, record, effect));
    if (record->header.kind == RECORD_DECIDED)
        meta->received_seq = effect->optin_seq;
    if (!hash_is_none(effect->event))
        TRY(index_insert(index, INDEX_EVENT, effect->event, record->header.seq,
                         record->header.now_ms));
    if (!hash_is_none(effect->content))
        TRY(index_insert(index, INDEX_EVENT, effect->content, record->header.seq,
                         record->header.now_ms));
    return STATUS_OK;
}

/* A person's one entry in the due table, where it moves. */
static enum status move_due(struct engine *engine, const struct person_row *row)
{
    struct state *state = engine->options.state;
    const struct engine_person *person = &engine->person;

    if (row->due_ms == person->row.due_ms)
        return STATUS_OK;
    if (person->row.due_ms != 0)
        TRY(state_due_delete(state, person->row.due_ms, person->number, 0));
    if (row->due_ms == 0)
        return STATUS_OK;
    return state_due_put(state, row->due_ms, person->number, 0, DUE_PERSON);
}

static enum status move_owned(struct engine *engine, const struct person_row *row)
{
    struct state *state = engine->options.state;
    const struct engine_person *person = &engine->person;

    if (row->owner == person->row.owner)
        return STATUS_OK;
    if (person->row.owner != 0)
        TRY(state_owned_delete(state, person->row.owner, person->number));
    return row->owner != 0 ? state_owned_put(state, row->owner, person->number) : STATUS_OK;
}

static void apply_assigned(struct engine *engine, const struct record_view *record,
                           const struct effect_assigned *effect)
{
    struct state_agent *agent;

    if (effect->pass == 0)
        return;
    agent = state_agent(engine->options.state, effect->to);
    agent->assigned_seq = record->header.seq;
    agent->pass = effect->pass;
}

static enum status apply_person(struct engine *engine, const struct record_view *record,
                                const struct effect_person *effect)
{
    struct index *index = engine->options.index;
    uint64_t now_ms = record->header.now_ms;
    uint8_t open_tasks;

    TRY(person_turn_to(engine, record, effect->person));
    if (!hash_is_none(effect->row.phone) &&
        !hash_equal(effect->row.phone, engine->person.row.phone))
        TRY(index_insert(index, INDEX_IDENTITY, effect->row.phone, effect->person, now_ms));
    if (!hash_is_none(effect->row.email) &&
        !hash_equal(effect->row.email, engine->person.row.email))
        TRY(index_insert(index, INDEX_IDENTITY, effect->row.email, effect->person, now_ms));
    TRY(move_due(engine, &effect->row));
    TRY(move_owned(engine, &effect->row));
    open_tasks = engine->person.row.open_tasks;
    engine->person.row = effect->row;
    engine->person.row.open_tasks = open_tasks;
    return STATUS_OK;
}

static enum status apply_report(struct engine *engine, const struct record_view *record,
                                const struct effect_report *effect)
{
    struct state_queue *queue = state_queue(engine->options.state, effect->queue);

    engine->report = *effect;
    if (effect->stream_ms == 0)
        return STATUS_OK;
    if (effect->stream_ms > queue->report_ms ||
        (effect->stream_ms == queue->report_ms && effect->stream_seq > queue->report_seq)) {
        queue->report_ms = effect->stream_ms;
        queue->report_seq = effect->stream_seq;
    }
    return index_insert(engine->options.index, INDEX_EVENT, effect->identity, record->header.seq,
                        record->header.now_ms);
}

/* Their effects are for reading: the rows come in others. They are counted. */
static enum status apply_step(struct engine *engine, const struct record_view *record,
                              const struct effect_step *effect)
{
    struct state_meta *meta = state_meta(engine->options.state);

    if (effect->skip == SKIP_NONE)
        meta->steps++;
    else
        meta->skipped++;
    if (effect->skip < SKIP_END)
        meta->skipped_by[effect->skip] += effect->skip != SKIP_NONE;
    TRY(person_turn_to(engine, record, record->header.person));
    return engine_tally_step(engine, record, effect);
}

static enum status apply_escalated(struct engine *engine, const struct record_view *record,
                                   const struct effect_escalated *effect)
{
    struct state_meta *meta = state_meta(engine->options.state);
    struct task_row row;

    if (effect->rung == 0)
        meta->tiers++;
    else
        meta->rungs++;
    TRY(person_turn_to(engine, record, record->header.person));
    if (!old_row(engine, record, effect->task, &row))
        return failure_or_corrupt(engine);
    return engine_tally_escalated(engine, record, effect, &row);
}

/* Somebody is called out of the graveyard, at that time. */
static enum status count_woken(struct engine *engine, uint32_t agency, uint64_t at_ms)
{
    const struct tally_key key = {.agency = agency, .kind = TALLY_WOKEN, .dimension = TALLY_ALL};

    return state_tally(engine->options.state, &key, &(struct tally_add){.amount = at_ms});
}

static enum status put_edge(struct engine *engine, const struct effect_edge *effect,
                            uint64_t person, enum edge_kind kind, uint64_t other)
{
    const struct state_edge edge = {.other = other, .seq = effect->seq};

    return effect->remove ? state_edge_delete(engine->options.state, person, kind, other)
                          : state_edge_put(engine->options.state, person, kind, &edge);
}

/* Whom a manager should look at. */
static enum status put_review(struct engine *engine, const struct effect_edge *effect)
{
    const struct state_review row = {
        .seq = effect->seq, .person = effect->person, .other = effect->other};

    return effect->remove ? state_review_delete(engine->options.state, effect->agency, &row)
                          : state_review_put(engine->options.state, effect->agency, &row);
}

static enum status apply_edge(struct engine *engine, const struct record_view *record,
                              const struct effect_edge *effect)
{
    enum edge_kind kind = (enum edge_kind)effect->kind;

    TRY(put_edge(engine, effect, effect->person, kind, effect->other));
    switch (kind) {
    case EDGE_COLLIDES:
        return put_review(engine, effect);
    case EDGE_MERGED:
        return put_edge(engine, effect, effect->other, EDGE_MERGED_INTO, effect->person);
    case EDGE_MERGED_INTO:
        return put_edge(engine, effect, effect->other, EDGE_MERGED, effect->person);
    case EDGE_REFERRED:
        return put_edge(engine, effect, effect->other, EDGE_REFERRED_BY, effect->person);
    case EDGE_REFERRED_BY:
        return put_edge(engine, effect, effect->other, EDGE_REFERRED, effect->person);
    case EDGE_PHONE:
    case EDGE_EMAIL:
        return index_insert(engine->options.index, INDEX_IDENTITY, hash_at(effect->other),
                            effect->person, record->header.now_ms);
    case EDGE_ALONE:
    case EDGE_PARTED:
        return STATUS_OK;
    case EDGE_KIND_END:
        break;
    }
    return STATUS_CORRUPT;
}

/* One that came by a stream is known by its report. */
static enum status apply_signal(struct engine *engine, const struct record_view *record,
                                const struct effect_signal *effect)
{
    if (engine->report.op != 0 && engine->report.stream_ms != 0)
        return STATUS_OK;
    return index_insert(engine->options.index, INDEX_EVENT, effect->identity, record->header.seq,
                        record->header.now_ms);
}

static enum status apply_admin(struct engine *engine, const struct record_view *record,
                               const struct effect_admin *effect)
{
    struct slice settings;

    if (!effect_settings(record, effect, &settings))
        return STATUS_CORRUPT;
    TRY(state_entity_put(engine->options.state, (enum entity_kind)effect->entity, effect->number,
                         settings));
    return registry_apply(engine->options.registry, (enum entity_kind)effect->entity,
                          effect->number, settings);
}

static enum status apply_effect(struct engine *engine, const struct record_view *record,
                                enum effect_kind kind, struct slice body)
{
    union {
        struct effect_genesis genesis;
        struct effect_admin admin;
        struct effect_optin optin;
        struct effect_person person;
        struct effect_task task;
        struct effect_task_end task_end;
        struct effect_popped popped;
        struct effect_report report;
        struct effect_step step;
        struct effect_escalated escalated;
        struct effect_assigned assigned;
        struct effect_edge edge;
        struct effect_signal signal;
        struct effect_woken woken;
        struct effect_amended amended;
    } effect;

    effect_copy(body, &effect, sizeof(effect));
    switch (kind) {
    case EFFECT_ADMIN:
        return apply_admin(engine, record, &effect.admin);
    case EFFECT_OPTIN:
        return apply_optin(engine, record, &effect.optin);
    case EFFECT_PERSON:
        return apply_person(engine, record, &effect.person);
    case EFFECT_TASK:
        return apply_task(engine, record, &effect.task);
    case EFFECT_TASK_END:
        return apply_task_end(engine, record, &effect.task_end);
    case EFFECT_POPPED:
        return apply_popped(engine, record, &effect.popped);
    case EFFECT_REPORT:
        return apply_report(engine, record, &effect.report);
    case EFFECT_STEP:
        return apply_step(engine, record, &effect.step);
    case EFFECT_ESCALATED:
        return apply_escalated(engine, record, &effect.escalated);
    case EFFECT_ASSIGNED:
        apply_assigned(engine, record, &effect.assigned);
        return STATUS_OK;
    case EFFECT_SIGNAL:
        return apply_signal(engine, record, &effect.signal);
    case EFFECT_WOKEN:
        return count_woken(engine, record->header.agency, effect.woken.at_ms);
    case EFFECT_AMENDED:
        engine->amended = effect.amended;
        return STATUS_OK;
    case EFFECT_PARKED:
        state_meta(engine->options.state)->parked++;
        return STATUS_OK;
    case EFFECT_EDGE:
        return apply_edge(engine, record, &effect.edge);
    case EFFECT_GENESIS:
        state_meta(engine->options.state)->all_adopted = effect.genesis.plans_lives;
        return STATUS_OK;
    case EFFECT_EPOCH:
    case EFFECT_MOVED:
    case EFFECT_MERGED:
    case EFFECT_ALONE:
    case EFFECT_RECEIVED: /* nothing is folded from these */
        return STATUS_OK;
    }
    return STATUS_CORRUPT;
}

/* What is counted of the record as a whole, while its person is at hand. */
static enum status tally_record(struct engine *engine, const struct record_view *record)
{
    switch (record->header.kind) {
    case RECORD_OPTIN:
    case RECORD_DECIDED:
        return engine_tally_optin(engine, record);
    case RECORD_OUTCOME:
        return engine_tally_outcome(engine, record);
    case RECORD_AMEND:
        return engine_tally_amended(engine, record);
    default:
        return STATUS_OK;
    }
}

static void note_received(struct state_meta *meta, uint64_t seq)
{
    if (meta->received_last <= meta->received_seq)
        meta->received_first = seq;
    meta->received_last = seq;
}

enum status engine_apply(struct engine *engine, const struct record_view *record)
{
    struct state_meta *meta = state_meta(engine->options.state);
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    MUST(record->header.seq == meta->folded_seq + 1);
    MUST(!state_lacks_rows(engine->options.state));
    TRY(state_begin(engine->options.state));
    engine_keep_origins(engine, record->header.seq);
    engine->person.number = 0;
    engine->report.op = 0;
    engine->amended.told_ms = 0;
    engine->opened = 0;
    while ((kind = effect_next(record, &offset, &body)) != 0)
        TRY(apply_effect(engine, record, kind, body));
    /* A record of a person is a link of the chain even when it changes no row. */
    if (record->header.person != 0)
        TRY(person_turn_to(engine, record, record->header.person));
    TRY(tally_record(engine, record));
    TRY(person_flush(engine, record));

    if (record->header.kind == RECORD_RECEIVED)
        note_received(meta, record->header.seq);
    if (record->header.kind == RECORD_ADOPTED && record->header.person == 0)
        meta->all_adopted = 1;
    if (record->header.kind == RECORD_GENESIS || record->header.kind == RECORD_EPOCH ||
        record->header.kind == RECORD_ADMIN)
        meta->admin_seq = record->header.seq;
    meta->folded_seq = record->header.seq;
    meta->folded_checksum = record->header.checksum;
    meta->folded_ms = record->header.now_ms;
    return STATUS_OK;
}

/* --- restoring ------------------------------------------------------------------------------- */

static enum status restore_task(struct engine *engine, uint64_t person, uint64_t task)
{
    struct engine_person who;
    struct task_row row;

    if (!engine_load_person(engine, person, &who) || !engine_open_task(engine, &who, task, &row))
        return STATUS_OK; /* it was ended since */
    return engine_put_rows(engine->options.state, person, &row);
}

static enum status restore_person(struct engine *engine, uint64_t person)
{
    struct engine_person who;

    if (!engine_load_person(engine, person, &who) || who.row.due_ms == 0)
        return state_failure(engine->options.state);
    return state_due_put(engine->options.state, who.row.due_ms, person, 0, DUE_PERSON);
}

enum status engine_restore(struct engine *engine, const struct record_view *record)
{
    struct slice body;
    size_t offset = 0;
    enum effect_kind kind;

    TRY(state_begin(engine->options.state));
    while ((kind = effect_next(record, &offset, &body)) != 0) {
        struct effect_task opened;
        struct effect_popped popped;
        struct effect_person person;

        if (kind == EFFECT_PERSON) {
            effect_copy(body, &person, sizeof(person));
            TRY(restore_person(engine, person.person));
        } else if (kind == EFFECT_TASK) {
            effect_copy(body, &opened, sizeof(opened));
            TRY(restore_task(engine, opened.person, opened.row.number));
        } else if (kind == EFFECT_POPPED) {
            effect_copy(body, &popped, sizeof(popped));
            TRY(restore_task(engine, popped.person, popped.task));
        }
    }
    return STATUS_OK;
}
