/* What a consumer's report does to its task: claim, extend, release, outcome, amend.
 *
 * The first outcome of a task counts, whoever brings it and for whatever delivery; later ones
 * are kept and change nothing. Over HTTP the sender hears about it; a stream entry that is read
 * again is recognised by its identity and leaves no second record. */
#include "server/engine_internal.h"

#include <string.h>

#include "proto/must.h"
#include "proto/report.h"
#include "proto/task.h"

#define AMEND_LOOKS_BACK 1000 /* records of one person */

/* One report's way through the decision. */
struct hearing {
    struct engine *engine;
    const struct command *command;
    const struct command_report *report;
    const struct turn *turn;
    struct record *record;
    struct settlement *settlement;
    struct engine_person who;
    struct task_row row; /* number 0: not open */
    uint32_t queue;      /* that the task was put on */
    enum task_channel channel;
    struct hash identity;
    size_t taken_count; /* outbox operations that this record takes, by queue */
    struct {
        uint32_t queue;
        unsigned count;
    } taken[TASK_CHANNEL_END];
};

/* Only an extend may be said twice and mean it. */
static struct hash report_identity(const struct engine *engine, const struct command_report *report)
{
    uint64_t words[6] = {report->task,  report->delivery, report->op,
                         report->agent, report->outcome,  0};

    if (report->op == REPORT_EXTEND)
        words[5] = report->stream_ms * 31 + report->stream_seq;
    return hash_of(engine->options.hash_key, HASH_REPORT, 0,
                   (struct slice){(const char *)words, sizeof(words)});
}

static bool was_heard(struct hearing *hearing)
{
    struct index_lookup lookup =
        index_lookup(hearing->engine->options.index, INDEX_EVENT, hearing->identity, 0);
    uint64_t seq;

    while (index_next(&lookup, &seq)) {
        struct record_view record;
        struct effect_report effect;

        if (journal_batch_read(hearing->engine->options.journal, seq, &record) == STATUS_OK &&
            effect_find(&record, EFFECT_REPORT, &effect, sizeof(effect)) &&
            hash_equal(effect.identity, hearing->identity))
            return true;
    }
    return false;
}

/* Finds the task's person through the record that opened it, and the task if it is open. A journal
 * that was restored or copied gives numbers a second time: the time in the id tells whose task is
 * meant. */
static enum status find_task(struct hearing *hearing)
{
    struct engine *engine = hearing->engine;
    struct record_view opened;
    struct effect_task task;

    if (journal_batch_read(engine->options.journal, hearing->report->task >> 3, &opened) !=
            STATUS_OK ||
        !effect_find(&opened, EFFECT_TASK, &task, sizeof(task)) ||
        task.row.number != hearing->report->task)
        return STATUS_NOT_FOUND;
    if (hearing->report->opened_ms != 0 && hearing->report->opened_ms != task.row.opened_ms)
        return STATUS_NOT_FOUND;
    if (hearing->report->agency != 0 && hearing->report->agency != opened.header.agency)
        return STATUS_NOT_FOUND;
    if (hearing->report->queue != 0 && hearing->report->queue != task.row.queue)
        return STATUS_FORBIDDEN;
    hearing->queue = task.row.queue;
    hearing->channel = (enum task_channel)task.row.channel;
    if (!engine_load_person(engine, opened.header.person, &hearing->who))
        return STATUS_CORRUPT;
    if (!engine_open_task(engine, &hearing->who, hearing->report->task, &hearing->row))
        hearing->row.number = 0;
    return STATUS_OK;
}

static void begin(struct hearing *hearing, enum record_kind kind)
{
    const struct command_report *report = hearing->report;
    struct effect_report effect = {
        .identity = hearing->identity,
        .task = report->task,
        .started_ms = report->started_ms,
        .ended_ms = report->ended_ms,
        .stream_ms = report->stream_ms,
        .stream_seq = report->stream_seq,
        .agent = report->agent,
        .queue = hearing->queue,
        .delivery = report->delivery,
        .op = report->op,
        .outcome = report->outcome,
    };

    engine_begin(hearing->record, kind, hearing->turn, hearing->who.number, hearing->who.last_seq,
                 hearing->who.row.agency);
    engine_effect(hearing->record, EFFECT_REPORT, &effect, sizeof(effect));
    hearing->record->payload = hearing->command->payload;
}

static enum status finish(struct hearing *hearing, enum status answer)
{
    record_seal(hearing->record);
    hearing->settlement->status = answer;
    return STATUS_OK;
}

static enum status finish_task(struct hearing *hearing, enum record_kind kind, uint64_t drop_seq)
{
    struct effect_task effect = {
        .person = hearing->who.number, .drop_seq = drop_seq, .row = hearing->row};

    begin(hearing, kind);
    engine_effect(hearing->record, EFFECT_TASK, &effect, sizeof(effect));
    hearing->settlement->delivery = hearing->row.delivery;
    hearing->settlement->lease_until_ms = hearing->row.lease_until_ms;
    return finish(hearing, STATUS_OK);
}

static enum status refuse(struct hearing *hearing, enum status answer)
{
    hearing->settlement->status = answer;
    return answer;
}

static uint64_t lease_end(const struct hearing *hearing)
{
    const struct queue *queue = registry_queue(hearing->engine->options.registry, hearing->queue);

    return hearing->turn->now_ms + (queue != NULL ? queue->claim_holds_ms : 1800000);
}

static bool is_plausible(const struct hearing *hearing, uint64_t at_ms)
{
    return at_ms >= hearing->row.opened_ms && at_ms <= hearing->turn->now_ms;
}

/* When the report was made: a stream entry may have waited for a server that was down. */
static uint64_t said_at(const struct hearing *hearing)
{
    return is_plausible(hearing, hearing->report->stream_ms) ? hearing->report->stream_ms
                                                             : hearing->turn->now_ms;
}

/* The first claim of a delivery wins. */
static enum status hear_claim(struct hearing *hearing)
{
    struct task_row *row = &hearing->row;

    if (row->number == 0 || row->delivery != hearing->report->delivery)
        return refuse(hearing, STATUS_CONFLICT);
    if (row->state == TASK_CLAIMED) /* said again by its holder, or too late by another */
        return refuse(hearing,
                      row->agent == hearing->report->agent ? STATUS_DUPLICATE : STATUS_CONFLICT);
    row->state = TASK_CLAIMED;
    row->agent = hearing->report->agent;
    row->claimed_ms = said_at(hearing);
    row->put_seq = 0; /* claimed is popped: nothing is left to withdraw */
    row->lease_until_ms = lease_end(hearing);
    engine_schedule(row);
    hearing->settlement->waited_ms = row->claimed_ms - row->received_ms;
    return finish_task(hearing, RECORD_CLAIM, 0);
}

/* Extend and release are for who holds the delivery; as long as nobody claimed it, that is
 * whoever popped it, noticed or not. */
static bool holds(const struct hearing *hearing)
{
    const struct task_row *row = &hearing->row;

    if (row->number == 0 || row->delivery != hearing->report->delivery)
        return false;
    return row->state != TASK_CLAIMED || hearing->report->manager ||
           row->agent == hearing->report->agent;
}

static enum status hear_extend(struct hearing *hearing)
{
    struct task_row *row = &hearing->row;
    uint64_t drop_seq = 0;

    if (!holds(hearing))
        return refuse(hearing, STATUS_CONFLICT);
    if (row->state == TASK_QUEUED) /* nobody said that it was popped, so perhaps it was not */
        drop_seq = engine_outbox_seq(hearing->engine, row->queue, 0);
    if (row->state != TASK_CLAIMED) {
        row->state = TASK_CLAIMED;
        row->agent = hearing->report->agent;
        row->claimed_ms = said_at(hearing);
        row->put_seq = 0;
    }
    row->lease_until_ms = lease_end(hearing);
    engine_schedule(row);
    return finish_task(hearing, RECORD_EXTEND, drop_seq);
}

static enum status hear_release(struct hearing *hearing)
{
    uint64_t drop_seq;

    if (!holds(hearing))
        return refuse(hearing, STATUS_CONFLICT);
    drop_seq = engine_requeue(hearing->engine, &hearing->row, hearing->turn->now_ms);
    return finish_task(hearing, RECORD_RELEASE, drop_seq);
}

static bool is_attempt(enum outcome outcome)
{
    return outcome != OUTCOME_DELIVERED && outcome != OUTCOME_BOUNCED &&
           outcome != OUTCOME_RESEARCHED && outcome != OUTCOME_UNSUBSCRIBED;
}

/* When the person was first tried by a human: as reported, else when claimed, else now. */
static uint64_t contact_at(const struct hearing *hearing)
{
    if (is_plausible(hearing, hearing->report->started_ms))
        return hearing->report->started_ms;
    return hearing->row.claimed_ms != 0 ? hearing->row.claimed_ms : said_at(hearing);
}

/* "Stop" counts by whatever means it is said, at once and for all channels; only who unsubscribes
 * from mail has said nothing about calls. */
static bool is_revocation(enum outcome outcome, enum task_channel channel)
{
    return outcome == OUTCOME_DO_NOT_CONTACT ||
           (outcome == OUTCOME_UNSUBSCRIBED && channel != TASK_EMAIL);
}

/* Only a conversation, or information asked for or given, makes a lead of an opt-in. */
static void person_advance(struct person_row *row, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_CONVERSATION:
    case OUTCOME_APPOINTMENT:
    case OUTCOME_INFORMATION:
        if (row->stage == STAGE_OPTIN)
            row->stage = STAGE_LEAD;
        break;
    case OUTCOME_SOLD:
        row->stage = STAGE_CUSTOMER;
        row->flags |= PERSON_CUSTOMER;
        break;
    default:
        break;
    }
}

static void person_learn(struct person_row *row, enum outcome outcome, enum task_channel channel,
                         uint64_t said_ms)
{
    if (is_revocation(outcome, channel)) {
        row->flags |= PERSON_DO_NOT_CONTACT;
        row->stopped_s = (uint32_t)(said_ms / 1000);
    }
    person_advance(row, outcome);
    row->end = (uint8_t)outcome;
}

static uint64_t take_outbox_seq(struct hearing *hearing, uint32_t queue)
{
    size_t i = 0;

    while (i < hearing->taken_count && hearing->taken[i].queue != queue)
        i++;
    if (i == hearing->taken_count) {
        /* A person has at most one open task a channel, so at most as many queues. */
        MUST(hearing->taken_count < sizeof(hearing->taken) / sizeof(hearing->taken[0]));
        hearing->taken[hearing->taken_count++].queue = queue;
    }
    return engine_outbox_seq(hearing->engine, queue, hearing->taken[i].count++);
}

static void end_task(struct hearing *hearing, const struct task_row *row)
{
    struct effect_task_end end = {.person = hearing->who.number, .task = row->number};

    /* What is popped or claimed is not in Redis; what is queued must not stay there. */
    if (row->state == TASK_QUEUED)
        end.drop_seq = take_outbox_seq(hearing, row->queue);
    engine_effect(hearing->record, EFFECT_TASK_END, &end, sizeof(end));
}

/* Whoever says "never again" is left alone by every queue at once. */
static void end_other_tasks(struct hearing *hearing)
{
    struct task_row other;
    uint64_t after = 0;

    if (hearing->who.task.number != 0 && hearing->who.task.number != hearing->row.number)
        end_task(hearing, &hearing->who.task);
    while (state_task_next(hearing->engine->options.state, hearing->who.number, after, &other)) {
        after = other.number;
        if (other.number != hearing->row.number)
            end_task(hearing, &other);
    }
}

static enum status hear_late(struct hearing *hearing)
{
    begin(hearing, RECORD_LATE);
    return finish(hearing, STATUS_CONFLICT);
}

static enum status hear_outcome(struct hearing *hearing)
{
    enum outcome outcome = hearing->report->outcome;
    struct effect_person person;

    if (hearing->row.number == 0)
        return hear_late(hearing);
    if (hearing->report->delivery > hearing->row.delivery)
        return refuse(hearing, STATUS_INVALID);
    /* The attempt that is reported with it is one of the seven. */
    if (outcome == OUTCOME_DEAD && hearing->who.row.attempts + 1 < ATTEMPTS_BEFORE_DEAD)
        return refuse(hearing, STATUS_TOO_FEW_ATTEMPTS);

    begin(hearing, RECORD_OUTCOME);
    hearing->settlement->waited_ms = contact_at(hearing) - hearing->row.received_ms;
    if (is_attempt(outcome)) {
        hearing->who.row.attempts++;
        if (hearing->who.row.contact_ms == 0)
            hearing->who.row.contact_ms = contact_at(hearing);
    }
    person_learn(&hearing->who.row, outcome, hearing->channel, said_at(hearing));
    person = (struct effect_person){.person = hearing->who.number, .row = hearing->who.row};
    engine_effect(hearing->record, EFFECT_PERSON, &person, sizeof(person));
    end_task(hearing, &hearing->row);
    if (is_revocation(outcome, hearing->channel))
        end_other_tasks(hearing);
    hearing->settlement->delivery = hearing->row.delivery;
    return finish(hearing, STATUS_OK);
}

/* The outcome that ended the task (not one that amended it, or each amendment would begin the
 * five minutes anew): the person's chain is short, and walked newest first. */
static bool find_outcome(struct hearing *hearing, struct record_header *header_out,
                         struct effect_report *effect_out)
{
    uint64_t seq = hearing->who.last_seq;

    for (unsigned i = 0; i < AMEND_LOOKS_BACK && seq != 0; i++) {
        struct record_view record;

        if (journal_batch_read(hearing->engine->options.journal, seq, &record) != STATUS_OK)
            return false;
        if (record.header.kind == RECORD_OUTCOME &&
            effect_find(&record, EFFECT_REPORT, effect_out, sizeof(*effect_out)) &&
            effect_out->task == hearing->report->task) {
            *header_out = record.header;
            return true;
        }
        seq = record.header.person_prev;
    }
    return false;
}

/* Takes back how far the amended outcome had brought the person: it is where the last words about
 * its other tasks have brought it. Of somebody with a longer history than is walked nothing is
 * taken back. */
static void person_go_back(struct hearing *hearing)
{
    struct person_row without = {.stage = STAGE_OPTIN};
    uint64_t tasks[AMEND_LOOKS_BACK + 1] = {hearing->report->task};
    uint64_t seq = hearing->who.last_seq;
    unsigned count = 1;

    for (unsigned looked = 0; seq != 0; looked++) {
        struct record_view record;
        struct effect_report effect;
        unsigned i = 0;

        if (looked == AMEND_LOOKS_BACK ||
            journal_batch_read(hearing->engine->options.journal, seq, &record) != STATUS_OK)
            return;
        seq = record.header.person_prev;
        if ((record.header.kind != RECORD_OUTCOME && record.header.kind != RECORD_AMEND) ||
            !effect_find(&record, EFFECT_REPORT, &effect, sizeof(effect)))
            continue;
        while (i < count && tasks[i] != effect.task)
            i++;
        if (i < count)
            continue;
        tasks[count++] = effect.task;
        person_advance(&without, effect.outcome);
    }
    hearing->who.row.stage = without.stage;
    hearing->who.row.flags &= (uint8_t)~PERSON_CUSTOMER;
    hearing->who.row.flags |= without.flags;
}

static enum status hear_amend(struct hearing *hearing)
{
    struct record_header header;
    struct effect_report amended;
    struct effect_person person;

    if (hearing->row.number != 0 || !find_outcome(hearing, &header, &amended))
        return refuse(hearing, STATUS_CONFLICT);
    if (!hearing->report->manager) {
        if (amended.agent != hearing->report->agent)
            return refuse(hearing, STATUS_FORBIDDEN);
        if (hearing->turn->now_ms > header.now_ms + AMEND_WITHIN_MS)
            return refuse(hearing, STATUS_CONFLICT);
        if (hearing->who.row.flags & PERSON_DO_NOT_CONTACT)
            return refuse(hearing, STATUS_FORBIDDEN);
    }
    if (hearing->report->outcome == OUTCOME_DEAD &&
        hearing->who.row.attempts < ATTEMPTS_BEFORE_DEAD)
        return refuse(hearing, STATUS_TOO_FEW_ATTEMPTS);
    begin(hearing, RECORD_AMEND);
    hearing->settlement->delivery = hearing->report->delivery;
    if (is_revocation(hearing->who.row.end, hearing->channel))
        hearing->who.row.flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
    person_go_back(hearing);
    person_learn(&hearing->who.row, hearing->report->outcome, hearing->channel,
                 hearing->turn->now_ms);
    person = (struct effect_person){.person = hearing->who.number, .row = hearing->who.row};
    engine_effect(hearing->record, EFFECT_PERSON, &person, sizeof(person));
    return finish(hearing, STATUS_OK);
}

enum status engine_decide_report(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement)
{
    struct hearing hearing = {
        .engine = engine,
        .command = command,
        .report = &command->report,
        .turn = turn,
        .record = record,
        .settlement = settlement,
        .identity = report_identity(engine, &command->report),
    };
    enum status result = find_task(&hearing);

    if (result != STATUS_OK)
        return refuse(&hearing, result);
    settlement->task_person = hearing.who.number;
    if (command->report.stream_ms != 0 && was_heard(&hearing))
        return refuse(&hearing, STATUS_DUPLICATE);

    switch ((enum report_op)command->report.op) {
    case REPORT_CLAIM:
        return hear_claim(&hearing);
    case REPORT_EXTEND:
        return hear_extend(&hearing);
    case REPORT_RELEASE:
        return hear_release(&hearing);
    case REPORT_OUTCOME:
        return hear_outcome(&hearing);
    case REPORT_AMEND:
        return hear_amend(&hearing);
    case REPORT_OP_END:
        break;
    }
    return refuse(&hearing, STATUS_INVALID);
}
