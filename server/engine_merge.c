/* Two people who prove to be one.
 *
 * The older one is left: it has what both had, and whoever looks for the other one finds it. The
 * other's row stays as it was but for its plans, with its tasks withdrawn, so that its own history
 * can still be read. Both go on alone beside that (engine_alone.c), so that it can be undone
 * (engine_unmerge.c). */
#include <string.h>

#include "proto/must.h"
#include "server/engine_joining.h"

#define ALL_CHANNELS (~0u)
#define SHOWN_FLAGS  (TASK_OTHER_PHONE | TASK_OTHER_EMAIL) /* go with the words that are told */

enum status joining_refuse(struct joining *joining, enum status status, enum denial why)
{
    joining->settlement->denial = why;
    return joining->settlement->status = status;
}

/* --- how many ----------------------------------------------------------------------------- */

static unsigned merged_into(struct engine *engine, uint64_t person, unsigned most)
{
    struct state_edge edge;
    unsigned count = 0;
    uint64_t from = 0;

    while (count < most &&
           state_edge_next(engine->options.state, person, EDGE_MERGED, from, &edge)) {
        count += 1 + merged_into(engine, edge.other, most - count - 1);
        from = edge.other + 1;
    }
    return count;
}

/* --- adding up ---------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static void add_identity(struct person_row *row, const struct person_row *other)
{
    if (hash_is_none(row->phone) && !hash_is_none(other->phone)) {
        row->phone = other->phone;
        row->phone_seq = other->phone_seq != 0 ? other->phone_seq : other->first_seq;
    }
    if (hash_is_none(row->email) && !hash_is_none(other->email)) {
        row->email = other->email;
        row->email_seq = other->email_seq != 0 ? other->email_seq : other->first_seq;
    }
    if (row->name_seq == 0)
        row->name_seq = other->name_seq;
}

/* The newest of both, each with whether it was a call. */
static void add_touches(struct person_row *row, const struct person_row *other)
{
    const struct person_row own = *row;
    unsigned a = 0, b = 0;

    row->touch_calls = 0;
    for (unsigned i = 0; i < TOUCHES_KEPT; i++) {
        bool mine = b == TOUCHES_KEPT || (a < TOUCHES_KEPT && own.touches[a] >= other->touches[b]);
        const struct person_row *from = mine ? &own : other;
        unsigned at = mine ? a++ : b++;
        row->touches[i] = from->touches[at];
        row->touch_calls |= (uint8_t)((from->touch_calls >> at & 1) << i);
    }
}

static void add_counts(struct life *life, const struct person_row *other)
{
    struct person_row *row = &life->who->row;

    row->optins += other->optins;
    row->attempts += other->attempts;
    row->sold_cents += other->sold_cents;
    if (row->sold_attempt == 0)
        row->sold_attempt = other->sold_attempt;
    if (row->calls < other->calls)
        row->calls = other->calls;
    life_score_both(life, other);
    add_touches(row, other);
}

static void add_dates(struct person_row *row, const struct person_row *other)
{
    row->contact_ms = earlier(row->contact_ms, other->contact_ms);
    row->conversed_ms = earlier(row->conversed_ms, other->conversed_ms);
    if (row->stopped_s < other->stopped_s)
        row->stopped_s = other->stopped_s;
    if (row->last_ms < other->last_ms) {
        row->last_ms = other->last_ms;
        row->optin_seq = other->optin_seq;
        row->site = other->site;
        row->zone = 0;
    }
}

/* Who has come further, in the order of the stages of the one that is left. */
static void add_stage(struct life *life, const struct person_row *other)
{
    const struct registry *registry = life->engine->options.registry;
    const struct playbook *own = life->playbook;
    const struct playbook *theirs = registry_playbook(registry, other->playbook);
    struct person_row *row = &life->who->row;
    unsigned stage = 0;
    bool buys, bought = row->flags & PERSON_CUSTOMER;

    if (other->stage > 0 && other->stage <= theirs->stages.count)
        stage = playbook_stage_of(own, theirs->stages.items[other->stage - 1].id);
    if (stage == 0)
        return;
    buys = own->stages.items[stage - 1].customer;
    if (buys == bought ? stage > row->stage : buys)
        row->stage = (uint8_t)stage;
}

/* What was said by either holds. */
static void add_flags(struct person_row *row, const struct person_row *other)
{
    row->flags |= other->flags & (uint8_t) ~(PERSON_REVIEW | PERSON_IMPORTED);
    row->silenced |= other->silenced;
    row->marks |= other->marks & PERSON_UNHAPPY;
    if (row->reason == NO_TASK_UNREACHABLE && other->reason == NO_TASK_HAS_ONE)
        row->reason = NO_TASK_HAS_ONE;
    if (row->end == OUTCOME_NONE)
        row->end = other->end;
}

static bool is_owed_beside(const struct person_row *agreed, const struct person_row *other)
{
    return agreed->call_why == CALL_AGREED && other->call_why == CALL_AGAIN;
}

/* A call that is agreed goes before one that is planned; a first response is owed beside it. */
static void add_call(struct person_row *row, const struct person_row *other)
{
    bool agreed = row->call_why == CALL_AGREED;

    if (is_owed_beside(row, other) || is_owed_beside(other, row))
        row->marks |= PERSON_OWED;
    if (other->call_ms == 0 || (row->call_ms != 0 && agreed && other->call_why != CALL_AGREED) ||
        (row->call_ms != 0 && agreed == (other->call_why == CALL_AGREED) &&
         row->call_ms <= other->call_ms))
        return;
    row->call_ms = other->call_ms;
    row->call_why = other->call_why;
}

static void add_plans(struct life *life, const struct person_row *other)
{
    struct person_row *row = &life->who->row;
    bool adopts = row->closed != PERSON_WORKED && other->closed == PERSON_WORKED;

    if (adopts)
        row->closed = PERSON_WORKED;
    if (row->cadence == 0 && other->cadence != 0) {
        if (!life_take_run(life, other))
            life_start_segments(life);
    } else if (adopts && row->step_ms == 0) {
        life_start_segments(life);
    }
}

/* --- tasks -------------------------------------------------------------------------------- */

/* Both go on alone as well, and whoever is merged into them. */
static void begin_company(struct joining *joining)
{
    struct engine *engine = joining->engine;
    struct company *company = engine->company, others = {.count = 0};

    if (joining->life.company == NULL) {
        company->count = 0;
        company_add(company, &joining->kept);
    }
    if (joining->other.row.marks & PERSON_JOINED)
        engine_load_company(engine, &joining->other, &others);
    else
        company_add(&others, &joining->other);
    for (unsigned i = 0; i < others.count; i++) {
        others.of[i].comes = true;
        company->of[company->count++] = others.of[i];
    }
    joining->life.company = company;
    joining->kept.row.marks |= PERSON_JOINED;
}

/* All that the other one has open is withdrawn, and nothing is planned for it any more. */
static void end_other(struct joining *joining, struct task_row *call_out)
{
    struct life *life = &joining->life;
    struct effect_person effect = {.person = joining->other.number};

    life->who = &joining->other;
    if (!life_find_open(life, TASK_CALL, call_out))
        call_out->number = 0;
    life_end_tasks(life, &(struct life_endings){.channels = ALL_CHANNELS});
    life_stop(life, PERSON_MERGED);
    joining->other.row.due_ms = 0;
    effect.row = joining->other.row;
    life_effect(life, EFFECT_PERSON, &effect, sizeof(effect));
    life->who = &joining->kept;
}

/* Its own call learns how the person can be called now. */
static void add_phone_to_call(struct joining *joining, struct task_row *open)
{
    const struct person_row *row = &joining->kept.row;

    if (!hash_is_none(joining->merged.kept_before.phone) || hash_is_none(row->phone))
        return;
    open->known_seq = row->known_seq;
    life_add_to_task(&joining->life, open, row->phone_seq);
}

/* The source stands with a call where it is not the person's. */
static void keep_source(const struct joining *joining, const struct task_row *call,
                        struct task_row *open)
{
    const struct person_row *other = &joining->other.row, *kept = &joining->kept.row;

    open->own_source =
        call->own_source || other->source != kept->source || other->campaign != kept->campaign;
    if (!open->own_source)
        return;
    open->source = call->own_source ? call->source : other->source;
    open->campaign = call->own_source ? call->campaign : other->campaign;
}

/* One call is left: its own, or the other's, about what that was about. */
static void keep_call(struct joining *joining, const struct task_row *call)
{
    struct life *life = &joining->life;
    struct task_row open;

    if (life_find_open(life, TASK_CALL, &open)) {
        add_phone_to_call(joining, &open);
        return;
    }
    if (call->number == 0)
        return;
    life_new_task(life, TASK_CALL, (enum task_kind)call->kind, &open);
    open.site = call->site;
    open.queue = life_call_queue_at(life, call->site);
    if (open.queue == 0)
        open.queue = call->queue;
    open.optin_seq = call->optin_seq;
    open.received_ms = call->received_ms;
    open.more_seq = call->more_seq;
    open.deadline_ms = call->deadline_ms;
    open.promise_ms = call->promise_ms;
    open.tiers = call->tiers;
    open.rung = call->rung;
    open.flags =
        (uint8_t)((open.flags & ~SHOWN_FLAGS) | (call->flags & (SHOWN_FLAGS | TASK_BREACHED)));
    open.segment = call->segment;
    open.playbook = call->playbook;
    keep_source(joining, call, &open);
    life_open_task(life, &open, joining->turn->now_ms);
}

static void end_research(struct life *life)
{
    struct task_row research;

    if (!life_can_be_called(life) || !life_find_open(life, TASK_RESEARCH, &research))
        return;
    life_owe(life, &research);
    life_end_task(life, &research);
}

/* `call`: the other's that was open; number 0: none. */
static void settle_tasks(struct joining *joining, const struct task_row *call)
{
    struct life *life = &joining->life;

    if (joining->kept.row.flags & PERSON_DO_NOT_CONTACT) {
        life_stop(life, PERSON_STOPPED);
        life_end_tasks(life, &(struct life_endings){.channels = ALL_CHANNELS});
        return;
    }
    life_end_tasks(life, &(struct life_endings){.channels = joining->kept.row.silenced});
    if (!(joining->kept.row.silenced >> TASK_CALL & 1))
        keep_call(joining, call);
    end_research(life);
    life_suit_cadence(life);
    if (joining->kept.row.closed == PERSON_WORKED)
        life_keep_going(life);
}

/* --- merging ------------------------------------------------------------------------------ */

void life_join(struct life *life, const struct person_row *other, bool again)
{
    struct person_row *row = &life->who->row;

    add_identity(row, other);
    add_counts(life, other);
    add_dates(row, other);
    add_stage(life, other);
    add_flags(row, other);
    add_plans(life, other);
    if (!again)
        row->marks |= other->marks & PERSON_OWED;
    if (!again || other->call_why == CALL_AGREED)
        add_call(row, other);
}

/* What is known of both: of the same question, the newer record counts. */
static void add_known(struct joining *joining)
{
    struct life *life = &joining->life;
    struct life theirs = *life;

    theirs.who = &joining->other;
    theirs.has_known = false;
    if (joining->other.row.known_seq == 0)
        return;
    life_join_known(life, &theirs, joining->other.row.known_seq > joining->kept.row.known_seq);
}

void joining_seal(struct joining *joining, const struct command *command, enum record_kind kind,
                  bool has_known, struct record *record)
{
    struct engine_person *kept = &joining->kept;
    struct company *company = joining->life.company;
    struct report words;

    engine_begin(record, kind, joining->turn, kept->number, kept->last_seq, kept->row.agency);
    record->payload = command->payload;
    if (report_decode(command->payload, &words) == STATUS_OK && has_known)
        record->payload = life_told(&joining->life, &words);
    joining->life.company = NULL; /* nobody goes along with this */
    life_end(&joining->life, record, true);
    if (company != NULL)
        company_write(&joining->life, company, record);
    record_seal(record);
    joining->settlement->optin.person = kept->number;
    joining->settlement->optin.person_first_ms = kept->row.first_ms;
    joining->settlement->other = joining->other.number;
    joining->settlement->other_first_ms = joining->other.row.first_ms;
    joining->settlement->status = STATUS_OK;
}

/* Whom somebody was taken for who is one with it by now is not to be looked at any more. */
static void drop_reviews_of(struct life *life, struct engine_person *who)
{
    struct state *state = life->engine->options.state;
    struct state_edge edge;
    uint64_t from = 0;

    life->who = who;
    while (state_edge_next(state, who->number, EDGE_COLLIDES, from, &edge)) {
        from = edge.other + 1;
        if (company_find(life->company, edge.other) != NULL)
            life_drop_edge(life, EDGE_COLLIDES, edge.other);
    }
}

static bool has_other_review(const struct joining *joining)
{
    struct state_edge edge;
    uint64_t from = 0;

    while (state_edge_next(joining->engine->options.state, joining->kept.number, EDGE_COLLIDES,
                           from, &edge)) {
        if (company_find(joining->life.company, edge.other) == NULL)
            return true;
        from = edge.other + 1;
    }
    return false;
}

static void drop_reviews(struct joining *joining)
{
    struct life *life = &joining->life;

    for (unsigned i = 0; i < life->company->count; i++)
        drop_reviews_of(life, &life->company->of[i].who);
    life->who = &joining->kept;
    if (!has_other_review(joining))
        joining->kept.row.flags &= (uint8_t)~PERSON_REVIEW;
}

static enum status merge(struct joining *joining, const struct command *command,
                         struct record *record)
{
    struct person_row *row = &joining->kept.row;
    const struct person_row other = joining->other.row;
    uint64_t known_seq = row->known_seq;
    struct life *life = &joining->life;
    struct task_row call;

    life_begin(life, joining->engine, joining->turn, &joining->kept);
    joining->merged = (struct effect_merged){.kept = joining->kept.number,
                                             .other = joining->other.number,
                                             .kept_before = *row,
                                             .other_before = other};
    add_known(joining);
    begin_company(joining);
    life_join(life, &joining->other.row, false);
    drop_reviews(joining);
    end_other(joining, &call);
    settle_tasks(joining, &call);
    life_effect(life, EFFECT_MERGED, &joining->merged, sizeof(joining->merged));
    life_add_edge(life, EDGE_MERGED, joining->other.number);
    joining_seal(joining, command, RECORD_MERGED, row->known_seq != known_seq, record);
    return STATUS_OK;
}

/* --- the decision ------------------------------------------------------------------------- */

enum status engine_decide_merge(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement)
{
    const struct command_person *asked = &command->person;
    struct joining joining = {.engine = engine, .turn = turn, .settlement = settlement};
    struct engine_person *kept = &joining.kept, *other = &joining.other;

    if (!engine_load_whom(engine, asked, asked->number, asked->first_ms, kept) ||
        !engine_load_whom(engine, asked, asked->other, asked->other_first_ms, other) ||
        kept->row.agency != other->row.agency)
        return settlement->status = STATUS_NOT_FOUND;
    if (kept->number == other->number)
        return joining_refuse(&joining, STATUS_INVALID, DENIED_SAME);
    if (asked->undo) {
        if (kept->row.closed == PERSON_MERGED)
            return joining_refuse(&joining, STATUS_CONFLICT, DENIED_MERGED);
        return joining_undo(&joining, command, record);
    }
    if (kept->row.closed == PERSON_MERGED || other->row.closed == PERSON_MERGED)
        return joining_refuse(&joining, STATUS_CONFLICT, DENIED_MERGED);
    if (kept->number > other->number) {
        struct engine_person younger = *kept;
        *kept = *other;
        *other = younger;
    }
    if (merged_into(engine, kept->number, MERGED_MAX) +
            merged_into(engine, other->number, MERGED_MAX) >=
        MERGED_MAX)
        return joining_refuse(&joining, STATUS_CONFLICT, DENIED_TOO_MANY);
    return merge(&joining, command, record);
}
