/* What becomes of an opt-in: is it a repetition, whose is it, does it open a task? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/task.h"
#include "server/engine_internal.h"

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

/* Who has this phone or e-mail in the agency? The agency is part of the hash. */
static bool find_identity(struct engine *engine, struct hash hash, bool phone,
                          struct engine_person *out)
{
    struct index_lookup lookup;
    uint64_t number;

    if (hash_is_none(hash))
        return false;
    lookup = index_lookup(engine->options.index, INDEX_IDENTITY, hash, 0);
    while (index_next(&lookup, &number)) {
        if (engine_load_person(engine, number, out) &&
            hash_equal(phone ? out->row.phone : out->row.email, hash))
            return true;
    }
    return false;
}

/* Phone first, else e-mail. When they point at two people nothing is merged: the phone's
 * person gets the opt-in and is flagged for a look. */
static bool find_person(struct engine *engine, const struct effect_received *facts,
                        struct engine_person *who, bool *review_out)
{
    struct engine_person other;
    bool by_phone = find_identity(engine, facts->phone, true, who);

    *review_out = false;
    if (!by_phone)
        return find_identity(engine, facts->email, false, who);
    if (find_identity(engine, facts->email, false, &other) && other.number != who->number)
        *review_out = true;
    return true;
}

/* Input from outside adds to a person, it never overwrites. */
static void person_add(struct person_row *row, const struct effect_received *facts,
                       uint64_t said_seq, bool review)
{
    if (hash_is_none(row->phone) && !hash_is_none(facts->phone)) {
        row->phone = facts->phone;
        row->phone_seq = said_seq;
    }
    if (hash_is_none(row->email) && !hash_is_none(facts->email) && !review) {
        row->email = facts->email;
        row->email_seq = said_seq;
    }
    if (review)
        row->flags |= PERSON_REVIEW;
    if (facts->flags & INTAKE_BAD_PHONE)
        row->flags |= PERSON_BAD_PHONE;
    if (facts->flags & INTAKE_BAD_EMAIL)
        row->flags |= PERSON_BAD_EMAIL;
}

static void person_meet(struct engine_person *who, const struct effect_received *facts,
                        uint32_t agency, uint64_t optin_seq, uint64_t now_ms, bool review)
{
    struct person_row *row = &who->row;

    if (row->optins == 0) {
        row->first_ms = now_ms;
        row->first_seq = optin_seq;
        row->agency = agency;
        row->stage = STAGE_OPTIN;
    }
    row->optins++;
    row->last_ms = now_ms;
    row->optin_seq = optin_seq;
    person_add(row, facts, optin_seq, review);
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

static enum no_task reason_for(struct person_row *row, const struct effect_received *facts,
                               uint64_t came_ms)
{
    if (facts->flags & INTAKE_TEST)
        return NO_TASK_TEST;
    if (facts->flags & INTAKE_SUSPECT)
        return NO_TASK_SUSPECT;
    if (facts->flags & INTAKE_IMPORTED)
        return NO_TASK_IMPORTED;
    if (row->flags & PERSON_DO_NOT_CONTACT) {
        if (!consents_again(row, facts, came_ms))
            return NO_TASK_DO_NOT_CONTACT;
        row->flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
        row->flags |= PERSON_CONSENT_AGAIN | PERSON_REVIEW;
    }
    if (row->flags & PERSON_CUSTOMER)
        return NO_TASK_CUSTOMER;
    if (hash_is_none(row->phone) && hash_is_none(row->email))
        return NO_TASK_UNREACHABLE;
    return NO_TASK_HAS_ONE;
}

static bool find_open_channel(struct engine *engine, const struct engine_person *who,
                              enum task_channel channel, struct task_row *out)
{
    uint64_t after = 0;

    if (who->task.number != 0 && who->task.channel == channel) {
        *out = who->task;
        return true;
    }
    if (who->number > state_meta(engine->options.state)->people)
        return false; /* somebody new has none */
    while (state_task_next(engine->options.state, who->number, after, out)) {
        if (out->channel == channel)
            return true;
        after = out->number;
    }
    return false;
}

/* Research goes to the agency's own queue for it when there is one. */
static uint32_t queue_for(struct engine *engine, const struct site *site, enum task_channel channel)
{
    const struct agency *agency = registry_agency(engine->options.registry, site->agency);
    char name[2 * SITE_NAME_MAX];
    int length;
    uint32_t number = 0;

    if (channel != TASK_RESEARCH || agency == NULL)
        return site->queue;
    length = snprintf(name, sizeof(name), "%s.research", agency->id);
    number = registry_number(engine->options.registry, ENTITY_QUEUE,
                             (struct slice){name, (size_t)length});
    return number != 0 ? number : site->queue;
}

static void open_task(struct engine *engine, const struct engine_person *who,
                      const struct site *site, enum task_channel channel, enum task_kind kind,
                      uint64_t optin_seq, uint64_t received_ms, const struct turn *turn,
                      struct task_row *row)
{
    const struct queue *queue;

    *row = (struct task_row){
        .number = turn->seq << 3,
        .optin_seq = optin_seq,
        .opened_ms = turn->now_ms,
        .received_ms = received_ms,
        .deadline_ms = received_ms + (channel == TASK_RESEARCH ? RESEARCH_WITHIN_MS : DEADLINE_MS),
        .not_before_ms = received_ms,
        .queue = queue_for(engine, site, channel),
        .site = site->number,
        .owner = who->row.owner,
        .delivery = 1,
        .attempt = (uint16_t)(who->row.attempts + 1),
        .state = TASK_QUEUED,
        .channel = (uint8_t)channel,
        .kind = (uint8_t)kind,
        .stage = who->row.stage,
        .renderer = TASK_RENDERER,
    };
    queue = registry_queue(engine->options.registry, row->queue);
    if (queue != NULL && queue->shape == QUEUE_LIST)
        row->flags |= TASK_IN_LIST;
    row->rank_ms = row->deadline_ms;
    row->put_seq = row->first_put_seq = engine_outbox_seq(engine, row->queue, 0);
    engine_schedule(row);
}

/* Where somebody who comes again leaves out how to be reached, an earlier record has it: the phone
 * first, since there is a call to make. 0: nothing is missing that is known. */
static uint64_t known_from(const struct person_row *row, const struct effect_received *facts)
{
    uint64_t seq = 0;

    if (hash_is_none(facts->phone) && !hash_is_none(row->phone))
        seq = row->phone_seq != 0 ? row->phone_seq : row->first_seq;
    else if (hash_is_none(facts->email) && !hash_is_none(row->email))
        seq = row->email_seq != 0 ? row->email_seq : row->first_seq;
    return seq;
}

/* The open call learns what was said later, such as the phone that it lacked. Where it stands in
 * its queue it is given out anew; whoever has it in hand finds it with the person, and the next
 * delivery has it. */
static void add_to_task(struct engine *engine, const struct engine_person *who,
                        struct task_row *open, uint64_t said_seq, const struct turn *turn,
                        struct effect_task *task)
{
    open->more_seq = said_seq;
    task->person = who->number;
    task->drop_seq = open->state == TASK_QUEUED ? engine_requeue(engine, open, turn->now_ms) : 0;
    task->row = *open;
}

/* Fills the person's and the task's effects and the answer's task. `phone_is_new`: the person had
 * none before. */
static void give_task(struct engine *engine, struct engine_person *who, const struct site *site,
                      const struct effect_received *facts, bool phone_is_new,
                      const struct turn *turn, struct effect_optin *decision,
                      struct effect_task *task)
{
    bool unreachable = decision->reason == NO_TASK_UNREACHABLE;
    enum task_channel channel = unreachable ? TASK_RESEARCH : TASK_CALL;
    struct task_row open;

    task->person = 0;
    if (decision->reason != NO_TASK_HAS_ONE && !unreachable)
        return;
    if (!find_open_channel(engine, who, channel, &open)) {
        open_task(engine, who, site, channel, unreachable ? TASK_FIND_CONTACT : TASK_FIRST_RESPONSE,
                  decision->optin_seq, decision->received_ms, turn, &open);
        open.more_seq = known_from(&who->row, facts);
        task->person = who->number;
        task->drop_seq = 0;
        task->row = open;
    } else if (phone_is_new) {
        add_to_task(engine, who, &open, decision->optin_seq, turn, task);
    }
    /* Who cannot be reached has no call to answer with; the research is the house's own. */
    if (unreachable)
        return;
    decision->task = open.number;
    decision->task_opened_ms = open.opened_ms;
    decision->deadline_ms = open.deadline_ms;
}

/* The decision for one opt-in whose payload is that of record `optin_seq`. */
static void decide_facts(struct engine *engine, const struct effect_received *facts,
                         const struct site *site, uint64_t optin_seq, uint64_t received_ms,
                         const struct turn *turn, enum record_kind kind, struct record *record,
                         struct effect_optin *decision)
{
    struct engine_person who;
    struct effect_person person;
    struct effect_task task;
    bool review = false, had_phone;

    if (!find_person(engine, facts, &who, &review))
        who = (struct engine_person){.number = state_meta(engine->options.state)->people + 1};
    had_phone = !hash_is_none(who.row.phone);
    person_meet(&who, facts, site->agency, optin_seq, received_ms, review);

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
        .reason = (uint8_t)reason_for(&who.row, facts, received_ms),
    };
    give_task(engine, &who, site, facts, !had_phone && !hash_is_none(who.row.phone), turn, decision,
              &task);
    who.row.reason = decision->reason;

    engine_begin(record, kind, turn, who.number, who.last_seq, site->agency);
    engine_effect(record, EFFECT_OPTIN, decision, sizeof(*decision));
    person = (struct effect_person){.person = who.number, .row = who.row};
    engine_effect(record, EFFECT_PERSON, &person, sizeof(person));
    if (task.person != 0)
        engine_effect(record, EFFECT_TASK, &task, sizeof(task));
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

/* --- an update: other content under the same id, from a public key -------------------- */

static bool is_anothers(struct engine *engine, struct hash hash, bool phone,
                        const struct engine_person *who)
{
    struct engine_person other;

    return find_identity(engine, hash, phone, &other) && other.number != who->number;
}

/* What the update says and the person may be told by it: identifiers of somebody else are left out,
 * and what is true of the opt-in (a test, a robot's) is true of its update. */
static struct effect_received update_of(struct engine *engine, const struct effect_received *facts,
                                        const struct effect_optin *found,
                                        const struct engine_person *who, bool *review_out)
{
    struct effect_received update = *facts;
    bool phone = is_anothers(engine, facts->phone, true, who);
    bool email = is_anothers(engine, facts->email, false, who);

    if (phone)
        update.phone = (struct hash){{0}};
    if (email)
        update.email = (struct hash){{0}};
    update.flags |= found->flags & (INTAKE_TEST | INTAKE_SUSPECT | INTAKE_IMPORTED);
    *review_out = phone || email;
    return update;
}

/* Whoever can be called now need not be looked for any more. The call's outbox operations come
 * before in the record, so where the queue is the same they have taken their numbers. */
static void end_research(struct engine *engine, const struct engine_person *who,
                         const struct effect_task *call, struct record *record)
{
    struct effect_task_end end = {.person = who->number};
    struct task_row research;

    if (!find_open_channel(engine, who, TASK_RESEARCH, &research))
        return;
    end.task = research.number;
    if (research.state == TASK_QUEUED) {
        unsigned taken = (call->drop_seq != 0) + (call->row.put_seq != 0);
        bool same = call->row.queue == research.queue;
        end.drop_seq = engine_outbox_seq(engine, research.queue, same ? taken : 0);
    }
    engine_effect(record, EFFECT_TASK_END, &end, sizeof(end));
}

/* The open call learns of an update that makes it possible, or, the first time, of a consent. Where
 * none is open there is one now, if the update made it possible; its five minutes begin then. */
static void give_update_task(struct engine *engine, const struct engine_person *who,
                             const struct site *site, const struct effect_optin *found,
                             bool possible, bool consents, uint64_t said_seq,
                             const struct turn *turn, struct effect_task *task)
{
    struct task_row open;

    if (find_open_channel(engine, who, TASK_CALL, &open)) {
        if (possible || (consents && open.more_seq == 0))
            add_to_task(engine, who, &open, said_seq, turn, task);
        return;
    }
    if (!possible)
        return;
    open_task(engine, who, site, TASK_CALL, TASK_FIRST_RESPONSE, found->optin_seq,
              found->received_ms, turn, &open);
    open.more_seq = said_seq;
    open.deadline_ms = open.rank_ms = turn->now_ms + DEADLINE_MS;
    open.not_before_ms = turn->now_ms;
    engine_schedule(&open);
    *task = (struct effect_task){.person = who->number, .row = open};
}

/* Appends what follows from an update to the record at hand, which is the person's; its words are
 * the payload of record `said_seq`, which came at `said_ms`. */
static void decide_update(struct engine *engine, const struct effect_received *facts,
                          const struct effect_optin *found, const struct site *site,
                          uint64_t said_seq, uint64_t said_ms, const struct turn *turn,
                          struct engine_person *who, struct record *record)
{
    const struct person_row before = who->row;
    struct effect_task task = {0};
    struct effect_person person;
    bool review, possible, consents, others_phone;
    struct effect_received update = update_of(engine, facts, found, who, &review);

    person_add(&who->row, &update, said_seq, review);
    who->row.optin_seq = said_seq;
    who->row.reason = (uint8_t)reason_for(&who->row, &update, said_ms);
    possible = (hash_is_none(before.phone) && !hash_is_none(who->row.phone)) ||
               (hash_is_none(before.phone) && hash_is_none(before.email)) ||
               (before.flags & ~who->row.flags & PERSON_DO_NOT_CONTACT);
    consents = update.flags & ~found->flags & INTAKE_CONSENT;
    /* A task shows all words of an update, and whose phone it is may have asked not to be called:
     * nothing changes but the flag, for a manager. */
    others_phone = !hash_is_none(facts->phone) && hash_is_none(update.phone);
    if (others_phone)
        who->row.reason = before.reason;

    person = (struct effect_person){.person = who->number, .row = who->row};
    engine_effect(record, EFFECT_PERSON, &person, sizeof(person));
    if (who->row.reason == NO_TASK_HAS_ONE && !others_phone)
        give_update_task(engine, who, site, found, possible, consents, said_seq, turn, &task);
    if (task.person == 0)
        return;
    engine_effect(record, EFFECT_TASK, &task, sizeof(task));
    end_research(engine, who, &task, record);
}

static enum status answer_replay(struct engine *engine, const struct command *command,
                                 const struct site *site, const struct effect_optin *found,
                                 uint64_t found_seq, const struct turn *turn, struct record *record,
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
    if (!engine_load_person(engine, found->person, &who))
        return settlement->status = STATUS_CORRUPT;
    engine_begin(record, RECORD_REPEATED, turn, who.number, who.last_seq, who.row.agency);
    decide_update(engine, &command->optin, found, site, turn->seq, turn->now_ms, turn, &who,
                  record);
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
        return answer_replay(engine, command, site, &found, found_seq, turn, record, settlement);
    decide_facts(engine, facts, site, turn->seq, turn->now_ms, turn, RECORD_OPTIN, record,
                 &settlement->optin);
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
        decide_update(engine, facts, found, site, received->header.seq, received->header.now_ms,
                      turn, who, record);
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
        engine_load_person(engine, decision.person, &who)) {
        decide_repeated(engine, received, &facts, site, &decision, &who, turn, record);
        return STATUS_OK;
    }
    if (site == NULL) {
        /* Its site was removed since: no queue to put it on, so a person has to look. */
        facts.flags |= INTAKE_SUSPECT;
        site = &gone;
    }
    decide_facts(engine, &facts, site, received->header.seq, received->header.now_ms, turn,
                 RECORD_DECIDED, record, &decision);
    record_seal(record);
    return STATUS_OK;
}

enum status engine_decide_find(struct engine *engine, const struct command *command,
                               struct settlement *settlement)
{
    struct engine_person who;

    if (!find_identity(engine, command->optin.phone, true, &who) &&
        !find_identity(engine, command->optin.email, false, &who))
        return settlement->status = STATUS_NOT_FOUND;
    settlement->optin.person = who.number;
    settlement->optin.person_first_ms = who.row.first_ms;
    settlement->status = STATUS_OK;
    return STATUS_DUPLICATE; /* an answer without a record */
}
