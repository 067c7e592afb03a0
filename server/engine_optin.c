/* What becomes of an opt-in: is it a repetition, whose is it, does it open a task? */
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/task.h"
#include "server/engine_alone.h"
#include "server/engine_response.h"
#include "server/engine_shown.h"

#define RESEARCH_WITHIN_MS 86400000ull

/* The record that already decided an opt-in under this hash, if it is young enough. */
static bool find_decision(struct engine *engine, struct hash hash, size_t hash_offset,
                          const struct effect_received *facts, uint64_t since_ms,
                          struct effect_optin *found, uint64_t *seq_out)
{
    struct index_lookup lookup = index_lookup(engine->options.index, INDEX_EVENT, hash, since_ms);
    uint64_t seq;

    while (index_next(&lookup, &seq)) {
        struct record_view record;
        struct hash stored;

        if (journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK ||
            record.header.now_ms < since_ms ||
            !effect_find(&record, EFFECT_OPTIN, found, sizeof(*found)))
            continue;
        memcpy(&stored, (const char *)found + hash_offset, sizeof(stored));
        if (!hash_equal(stored, hash) || found->site != facts->site ||
            found->credential != facts->credential)
            continue;
        *seq_out = seq;
        return true;
    }
    return false;
}

/* A sender's own id is remembered for a week; without one, the same content from the same
 * site is taken for a double click or a resend for five minutes. */
static bool find_replay(struct engine *engine, const struct effect_received *facts, uint64_t now_ms,
                        struct effect_optin *found, uint64_t *seq_out)
{
    if (!hash_is_none(facts->event))
        return find_decision(engine, facts->event, offsetof(struct effect_optin, event), facts,
                             now_ms > IDEMPOTENCY_MS ? now_ms - IDEMPOTENCY_MS : 0, found, seq_out);
    return find_decision(engine, facts->content, offsetof(struct effect_optin, content), facts,
                         now_ms > CONTENT_REPLAY_MS ? now_ms - CONTENT_REPLAY_MS : 0, found,
                         seq_out);
}

/* Phone first, else e-mail. When they point at two people nothing is merged: the phone's
 * person gets the opt-in and is flagged for a look. */
static bool find_person(struct engine *engine, const struct effect_received *facts,
                        struct engine_person *who, uint64_t *collides_out)
{
    struct engine_person other;
    bool by_phone = engine_find_identity(engine, facts->phone, true, who);

    *collides_out = 0;
    if (!by_phone)
        return engine_find_identity(engine, facts->email, false, who);
    if (engine_find_identity(engine, facts->email, false, &other) && other.number != who->number)
        *collides_out = other.number;
    return true;
}

/* A list takes up those whom nobody works. */
static void note_import(struct person_row *row, const struct effect_received *facts)
{
    bool is_worked = row->optins > 0 && row->segment != 0 && row->closed == PERSON_WORKED;

    if (!(facts->flags & INTAKE_IMPORTED))
        row->flags &= (uint8_t)~PERSON_IMPORTED;
    else if (!is_worked)
        row->flags |= PERSON_IMPORTED;
}

/* Who is new is worked by the newest version of the playbook, and stays with it. */
static void person_meet(struct engine *engine, struct engine_person *who,
                        const struct effect_received *facts, const struct site *site,
                        uint64_t optin_seq, uint64_t now_ms, bool review)
{
    struct person_row *row = &who->row;
    bool is_new = row->optins == 0;

    if (is_new) {
        row->first_ms = now_ms;
        row->first_seq = optin_seq;
        row->agency = site->agency;
        row->stage = STAGE_OPTIN;
        row->playbook = registry_playbook_of(engine->options.registry, site);
        row->first_site = facts->site;
        row->source = facts->source;
        row->campaign = facts->campaign;
    }
    if (is_new || !engine_is_only_looked_at(facts)) {
        row->site = site->number;
        row->zone = 0; /* they may be elsewhere now */
        note_import(row, facts);
    }
    if (is_new || engine_is_own_words(facts, review)) {
        row->last_ms = now_ms;
        row->optin_seq = optin_seq;
    }
    row->optins++;
    engine_add_words(engine, who, facts, optin_seq, review);
    engine_stand_by(row, facts, optin_seq, review);
}

/* "Never again" is taken back by a consent that was given after it; what only came after it may
 * have waited with its sender. Where it is not known when it was said, any consent from before now
 * is taken for an older one. */
static bool consents_again(const struct person_row *row, const struct effect_received *facts,
                           uint64_t came_ms)
{
    uint64_t stopped_ms = row->stopped_s != 0 ? row->stopped_s * 1000ull : came_ms;

    return (facts->flags & INTAKE_CONSENT) &&
           came_ms - facts->said_before_min * 60000ull >= stopped_ms;
}

enum no_task engine_reason(struct person_row *row, const struct effect_received *facts,
                           uint64_t came_ms)
{
    if (facts->flags & INTAKE_TEST)
        return NO_TASK_TEST;
    if (facts->flags & INTAKE_SUSPECT)
        return NO_TASK_SUSPECT;
    if (row->flags & PERSON_DO_NOT_CONTACT) {
        if ((facts->flags & INTAKE_IMPORTED) || !consents_again(row, facts, came_ms))
            return NO_TASK_DO_NOT_CONTACT;
        row->flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
        row->flags |= PERSON_CONSENT_AGAIN;
    }
    if (facts->flags & INTAKE_IMPORTED)
        return NO_TASK_IMPORTED;
    if (row->flags & PERSON_CUSTOMER)
        return NO_TASK_CUSTOMER;
    if (hash_is_none(row->phone) && hash_is_none(row->email))
        return NO_TASK_UNREACHABLE;
    return NO_TASK_HAS_ONE;
}

/* Research goes to the agency's own queue for it when there is one. */
static uint32_t response_queue(struct life *life, bool unreachable)
{
    uint32_t queue = unreachable ? life_queue(life, SLICE("research")) : 0;

    return queue != 0 ? queue : life_call_queue(life);
}

void life_begin_response(struct life *life, bool unreachable, uint64_t from_ms,
                         struct task_row *row)
{
    if (unreachable) {
        life_new_task(life, TASK_RESEARCH, TASK_FIND_CONTACT, row);
        row->deadline_ms = from_ms + RESEARCH_WITHIN_MS;
    } else {
        life_new_task(life, TASK_CALL, TASK_FIRST_RESPONSE, row);
        engine_promise(life->engine, row, from_ms);
        /* This call goes before the one that was planned; what was agreed stays. */
        if (life->who->row.call_why != CALL_AGREED)
            life_plan_call(life, 0, CALL_NOT);
        life->who->row.calls = 0;
    }
    row->queue = response_queue(life, unreachable);
}

void life_add_to_task(struct life *life, struct task_row *open, uint64_t said_seq)
{
    uint64_t drop_seq = 0;

    open->more_seq = said_seq;
    life_mark_shown(life, open);
    if (open->state == TASK_QUEUED)
        drop_seq = life_requeue(life, open, 0, life->turn->now_ms);
    else if (open->state == TASK_PARKED)
        life_wait_anew(life, open);
    life_task_effect(life, open, drop_seq);
}

/* There was none before, or another, or it was taken for a wrong one. */
static bool has_new_phone(const struct person_row *before, const struct person_row *row)
{
    return !hash_equal(before->phone, row->phone) ||
           (before->silenced & ~row->silenced) >> TASK_CALL & 1;
}

/* The opt-in's task, and the answer's. */
static void give_task(struct life *life, bool phone_is_new, struct effect_optin *decision)
{
    bool unreachable = decision->reason == NO_TASK_UNREACHABLE;
    struct task_row open;

    if (decision->reason != NO_TASK_HAS_ONE && !unreachable)
        return;
    if (!life_find_open(life, unreachable ? TASK_RESEARCH : TASK_CALL, &open)) {
        life_begin_response(life, unreachable, decision->received_ms, &open);
        life_tell_optin(life, &open, decision);
        life_open_task(life, &open, decision->received_ms);
    } else if (unreachable || !life_hasten_open(life, &open, decision)) {
        if (phone_is_new)
            life_add_to_task(life, &open, decision->optin_seq);
    }
    /* Who cannot be reached has no call to answer with; the research is the house's own. */
    if (unreachable)
        return;
    decision->task = open.number;
    decision->task_opened_ms = open.opened_ms;
    decision->deadline_ms = open.deadline_ms;
}

/* Who is worked from now on, and how; nobody by whom only the house is tested, and nobody who said
 * "never again". */
static bool takes_part(struct life *life, enum no_task reason)
{
    struct person_row *row = &life->who->row;

    if (reason == NO_TASK_DO_NOT_CONTACT)
        return false;
    if (reason == NO_TASK_TEST || reason == NO_TASK_SUSPECT) {
        if (row->segment == 0)
            row->closed = PERSON_NOT_STARTED;
        return false;
    }
    if (life->received != NULL && (life->received->more & INTAKE_REFERRED))
        life_referred_by(life);
    life_score(life, life->playbook->score.optin);
    if (row->optins > 1)
        life_move(life, PLAYBOOK_ON_OPTIN);
    life_meet(life);
    return true;
}

/* What it makes of whose words they are, alone. */
static void meet_alone(struct life *life, struct effect_received facts, struct slice said,
                       bool review, const struct site *site, const struct effect_optin *decision)
{
    struct effect_optin own = *decision;
    struct engine_person *who;
    struct person_row before;
    struct life alone;

    if (!life_begin_alone(&alone, life))
        return;
    who = alone.who;
    before = who->row;
    review |= life_leave_out_others(life, &facts);
    person_meet(life->engine, who, &facts, site, own.optin_seq, own.received_ms, review);
    life_keep_found(&alone, &before);
    if (who->row.optin_seq == own.optin_seq) {
        alone.received = &facts;
        alone.said = said;
    }
    own.reason = (uint8_t)engine_reason(&who->row, &facts, own.received_ms);
    who->row.reason = own.reason;
    takes_part(&alone, (enum no_task)own.reason);
    give_task(&alone, false, &own);
}

/* The decision for one opt-in whose payload is that of record `optin_seq`. */
static void decide_facts(struct engine *engine, const struct effect_received *facts,
                         struct slice said, const struct site *site, uint64_t optin_seq,
                         uint64_t received_ms, const struct turn *turn, enum record_kind kind,
                         struct record *record, struct effect_optin *decision)
{
    struct engine_person who;
    struct life life;
    struct person_row before;
    uint64_t collides = 0;
    bool is_worked;

    if (!find_person(engine, facts, &who, &collides))
        who = (struct engine_person){.number = state_meta(engine->options.state)->people + 1};
    before = who.row;
    person_meet(engine, &who, facts, site, optin_seq, received_ms, collides != 0);
    life_begin(&life, engine, turn, &who);
    if (who.row.optin_seq == optin_seq) {
        life.received = facts;
        life.said = said;
    }
    life_hear_from(&life, facts);
    if (collides != 0)
        life_collide(&life, collides);
    life_keep_found(&life, &before);
    life_found_by(&life, facts, collides != 0);

    *decision = (struct effect_optin){
        .event = facts->event,
        .content = hash_is_none(facts->event) ? facts->content : (struct hash){{0}},
        .optin_seq = optin_seq,
        .received_ms = received_ms,
        .person = who.number,
        .person_first_ms = who.row.first_ms,
        .site = facts->site,
        .credential = facts->credential,
        .flags = facts->flags,
        .reason = (uint8_t)engine_reason(&who.row, facts, received_ms),
        .source = facts->source,
        .campaign = facts->campaign,
    };
    who.row.reason = decision->reason;
    if (before.flags & ~who.row.flags & PERSON_DO_NOT_CONTACT)
        life_collide(&life, 0);
    is_worked = takes_part(&life, (enum no_task)decision->reason);
    give_task(&life, has_new_phone(&before, &who.row), decision);
    if (is_worked) {
        life_steps_now(&life);
        life_named(&life);
    }
    meet_alone(&life, *facts, said, collides != 0, site, decision);

    engine_begin(record, kind, turn, who.number, who.last_seq, site->agency);
    engine_effect(record, EFFECT_OPTIN, decision, sizeof(*decision));
    life_end(&life, record, true);
}

/* It counts where the opt-in came from that it tells, and is done by whom that came to. */
static void keep_origin(struct life *life, struct task_row *task)
{
    struct origin origin;

    if (!engine_find_came_from(life->engine, task->optin_seq, &origin))
        return;
    life_note_source(life, task, &origin);
    if (task->channel != TASK_CALL || task->site == origin.site)
        return;
    task->site = origin.site;
    task->queue = life_call_queue_at(life, origin.site);
}

uint64_t life_respond(struct life *life, uint64_t asked_ms)
{
    const struct person_row *row = &life->who->row;
    bool unreachable = hash_is_none(row->phone) && hash_is_none(row->email);
    struct task_row task;

    if (response_queue(life, unreachable) == 0) {
        if (row->call_ms == 0)
            life_plan_call(life, life->turn->now_ms, CALL_AGAIN);
        return 0;
    }
    life_begin_response(life, unreachable, life->turn->now_ms, &task);
    task.flags |= TASK_LEARNT;
    keep_origin(life, &task);
    if (!unreachable)
        engine_promise_day(life->engine, &task, asked_ms);
    life_open_task(life, &task, life->turn->now_ms);
    return task.number;
}

/* Nothing has reached them so far, so all of it begins now. */
void life_reach(struct life *life)
{
    struct person_row *row = &life->who->row;

    if (row->reason != NO_TASK_UNREACHABLE || life_is_customer(life) ||
        (row->flags & PERSON_DO_NOT_CONTACT))
        return;
    row->reason = NO_TASK_HAS_ONE;
    row->cadence = 0;
    life_meet(life);
    if (!life_has_call(life))
        life_respond(life, life->turn->now_ms);
    life_steps_now(life);
}

/* Keyless content is stored with its hash; content under a sender's id is compared by the
 * first record's payload, which is read again here. */
static bool same_content(struct engine *engine, const struct effect_optin *found,
                         const struct effect_received *facts)
{
    struct record_view record;

    if (!hash_is_none(found->content))
        return hash_equal(found->content, facts->content);
    if (journal_batch_read(engine->options.journal, found->optin_seq, &record) != STATUS_OK)
        return false;
    if (record.erased)
        return true;
    if (optin_decode(record.payload, engine->optin) != STATUS_OK)
        return false;
    return hash_equal(optin_content(engine->optin, engine->options.hash_key, facts->site),
                      facts->content);
}

/* Whose opt-in it was, or who is left of them: they may have become two since. */
static bool load_speaker(struct engine *engine, const struct effect_optin *found,
                         struct engine_person *out)
{
    return engine_load_kept(engine, engine_whose(engine, found->optin_seq, found->person), out);
}

static enum status answer_replay(struct engine *engine, const struct command *command,
                                 const struct effect_optin *found, uint64_t found_seq,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement)
{
    struct engine_person who;

    settlement->optin = *found;
    settlement->seq = found_seq;
    if (same_content(engine, found, &command->optin))
        return settlement->status = STATUS_DUPLICATE;
    if (command->optin.credential == CREDENTIAL_SECRET)
        return settlement->status = STATUS_KEY_REUSED;

    /* A visitor cannot be told, so what he said second is kept beside the first, and adds to it. */
    if (!load_speaker(engine, found, &who))
        return settlement->status = STATUS_CORRUPT;
    engine_begin(record, RECORD_REPEATED, turn, who.number, who.last_seq, who.row.agency);
    engine_decide_update(engine, &command->optin, found, command->payload, turn->seq, turn->now_ms,
                         turn, &who, record);
    record->payload = command->payload;
    record_seal(record);
    settlement->kept = true;
    return settlement->status = STATUS_OK;
}

void engine_expect(const struct engine *engine, const struct command *command)
{
    const struct effect_received *facts = &command->optin;
    const struct index *index = engine->options.index;

    if (command->kind != COMMAND_OPTIN)
        return;
    index_prefetch(index, INDEX_EVENT, hash_is_none(facts->event) ? facts->content : facts->event);
    if (!hash_is_none(facts->phone))
        index_prefetch(index, INDEX_IDENTITY, facts->phone);
    if (!hash_is_none(facts->email))
        index_prefetch(index, INDEX_IDENTITY, facts->email);
}

enum status engine_decide_optin(struct engine *engine, const struct command *command,
                                const struct turn *turn, struct record *record,
                                struct settlement *settlement)
{
    const struct effect_received *facts = &command->optin;
    const struct site *site = registry_site(engine->options.registry, facts->site);
    struct effect_optin found;
    uint64_t found_seq;

    if (site == NULL)
        return settlement->status = STATUS_NOT_FOUND;
    if (find_replay(engine, facts, turn->now_ms, &found, &found_seq))
        return answer_replay(engine, command, &found, found_seq, turn, record, settlement);
    decide_facts(engine, facts, command->payload, site, turn->seq, turn->now_ms, turn, RECORD_OPTIN,
                 record, &settlement->optin);
    record->payload = command->payload;
    record_seal(record);
    return STATUS_OK;
}

enum status engine_receive(struct engine *engine, const struct command *command,
                           const struct turn *turn, struct record *record,
                           struct settlement *settlement)
{
    const struct site *site = registry_site(engine->options.registry, command->optin.site);

    *settlement = (struct settlement){
        .ticket = command->ticket, .kind = command->kind, .now_ms = turn->now_ms};
    if (site == NULL)
        return settlement->status = STATUS_NOT_FOUND;
    engine_begin(record, RECORD_RECEIVED, turn, 0, 0, site->agency);
    engine_effect(record, EFFECT_RECEIVED, &command->optin, sizeof(command->optin));
    record->payload = command->payload;
    record_seal(record);
    settlement->seq = turn->seq;
    settlement->optin.optin_seq = turn->seq;
    settlement->optin.received_ms = turn->now_ms;
    settlement->status = STATUS_ACCEPTED;
    return STATUS_OK;
}

/* A received opt-in that repeats one that was decided: the same answer, under its own id. */
static void decide_repeated(struct engine *engine, const struct record_view *received,
                            const struct effect_received *facts, const struct site *site,
                            const struct effect_optin *found, struct engine_person *who,
                            const struct turn *turn, struct record *record)
{
    struct effect_optin decision = *found;
    bool is_update = site != NULL && facts->credential != CREDENTIAL_SECRET &&
                     !same_content(engine, found, facts);

    decision.optin_seq = received->header.seq;
    decision.received_ms = received->header.now_ms;
    decision.event = decision.content = (struct hash){{0}};
    engine_begin(record, RECORD_DECIDED, turn, who->number, who->last_seq, who->row.agency);
    engine_effect(record, EFFECT_OPTIN, &decision, sizeof(decision));
    if (is_update)
        engine_decide_update(engine, facts, found, received->payload, received->header.seq,
                             received->header.now_ms, turn, who, record);
    record_seal(record);
}

enum status engine_decide_received(struct engine *engine, const struct record_view *received,
                                   const struct turn *turn, struct record *record)
{
    struct effect_received facts;
    struct effect_optin decision;
    uint64_t found_seq;
    struct engine_person who;
    struct site gone = {.agency = received->header.agency};
    const struct site *site;

    if (!effect_find(received, EFFECT_RECEIVED, &facts, sizeof(facts)))
        return STATUS_CORRUPT;
    site = registry_site(engine->options.registry, facts.site);
    if (find_replay(engine, &facts, received->header.now_ms, &decision, &found_seq) &&
        load_speaker(engine, &decision, &who)) {
        decide_repeated(engine, received, &facts, site, &decision, &who, turn, record);
        return STATUS_OK;
    }
    if (site == NULL) {
        /* Its site was removed since: no queue to put it on, so a person has to look. */
        facts.flags |= INTAKE_SUSPECT;
        site = &gone;
    }
    decide_facts(engine, &facts, received->payload, site, received->header.seq,
                 received->header.now_ms, turn, RECORD_DECIDED, record, &decision);
    record_seal(record);
    return STATUS_OK;
}

enum status engine_decide_find(struct engine *engine, const struct command *command,
                               struct settlement *settlement)
{
    struct engine_person who;

    if (!engine_find_identity(engine, command->optin.phone, true, &who) &&
        !engine_find_identity(engine, command->optin.email, false, &who))
        return settlement->status = STATUS_NOT_FOUND;
    settlement->optin.person = who.number;
    settlement->optin.person_first_ms = who.row.first_ms;
    settlement->status = STATUS_OK;
    return STATUS_DUPLICATE; /* an answer without a record */
}
