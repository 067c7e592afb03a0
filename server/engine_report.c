/* What a consumer's report does to its task: pop, claim, extend, release, outcome.
 *
 * The first outcome of a task counts, whoever brings it and for whatever delivery; later ones
 * are kept and change nothing, but for the wish to be left alone. Over HTTP the sender hears about
 * it; a stream entry that is read again is recognised by its identity and leaves no second record.
 */
#include "server/engine_hearing.h"

#include <string.h>

#include "proto/must.h"
#include "proto/report.h"
#include "proto/task.h"
#include "server/engine_shown.h"

/* A dialer's own word means what the person's playbook says. The call that was made counts whatever
 * it was called: one that is not known is no answer, flagged, because nobody hears of a refusal
 * over a stream. Robots do not dial, and who amends does it by hand. */
static enum status understand(struct hearing *hearing)
{
    struct report words;

    if ((hearing->said.op != REPORT_OUTCOME && hearing->said.op != REPORT_AMEND) ||
        hearing->said.outcome != OUTCOME_NONE)
        return STATUS_OK;
    if (report_decode(hearing->command->payload, &words) != STATUS_OK)
        return STATUS_INVALID;
    hearing->said.outcome = (uint8_t)playbook_outcome_of(hearing->life->playbook, words.word);
    if (hearing->said.outcome != OUTCOME_NONE)
        return STATUS_OK;
    if (words.word.length == 0 || hearing->said.op != REPORT_OUTCOME ||
        hearing->channel != TASK_CALL)
        return STATUS_INVALID;
    hearing->said.outcome = OUTCOME_NO_ANSWER;
    hearing->unknown_word = true;
    return STATUS_OK;
}

/* The task was put on that queue once, and has gone on since. */
static bool was_on(struct hearing *hearing, uint32_t queue)
{
    uint64_t seq = hearing->who.last_seq;

    for (unsigned i = 0; i < LOOKS_BACK && seq >= hearing->report->task >> 3; i++) {
        struct record_view record;
        struct effect_task task;

        if (journal_batch_read(hearing->engine->options.journal, seq, &record) != STATUS_OK)
            return false;
        if (engine_find_opened(&record, hearing->report->task, &task) && task.row.queue == queue)
            return true;
        seq = record.header.person_prev;
    }
    return false;
}

/* Finds the task's person by where it came from, and the task if it is open. A journal
 * that was restored or copied gives numbers a second time: the time in the id tells whose task is
 * meant. */
static enum status find_task(struct hearing *hearing)
{
    struct engine *engine = hearing->engine;
    struct task_origin origin;

    if (!engine_find_origin(engine, hearing->report->task, &origin))
        return STATUS_NOT_FOUND;
    if (hearing->report->opened_ms != 0 && hearing->report->opened_ms != origin.opened_ms)
        return STATUS_NOT_FOUND;
    if (hearing->report->agency != 0 && hearing->report->agency != origin.agency)
        return STATUS_NOT_FOUND;
    hearing->queue = origin.queue;
    hearing->opened_ms = origin.opened_ms;
    hearing->channel = (enum task_channel)origin.channel;
    if (!engine_load_person(engine, origin.person, &hearing->who))
        return STATUS_CORRUPT;
    if (!engine_open_task(engine, &hearing->who, hearing->report->task, &hearing->row))
        hearing->row.number = 0;
    if (hearing->row.number != 0)
        hearing->queue = hearing->row.queue;
    if (hearing->report->queue != 0 && hearing->report->queue != hearing->queue) {
        if (hearing->report->queue != origin.queue && !was_on(hearing, hearing->report->queue))
            return STATUS_FORBIDDEN;
        hearing->queue = hearing->report->queue;
    }
    life_begin(hearing->life, engine, hearing->turn, &hearing->who);
    return STATUS_OK;
}

void hearing_begin(struct hearing *hearing, enum record_kind kind, uint64_t contact_ms)
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
        .call_at_ms = report->call_at_ms,
        .contact_ms = contact_ms,
        .odd = hearing->news.odd,
        .unknown_word = hearing->unknown_word,
    };

    engine_begin(hearing->record, kind, hearing->turn, hearing->who.number, hearing->who.last_seq,
                 hearing->who.row.agency);
    engine_effect(hearing->record, EFFECT_REPORT, &effect, sizeof(effect));
    hearing->record->payload = hearing->payload;
}

/* Only here is it known that a dialer's word means a sale. What is no amount is refused where
 * somebody can be told; of a stream the sale counts without it. */
static enum status read_value(struct hearing *hearing)
{
    uint64_t cents;

    if (hearing->report->outcome != OUTCOME_SOLD || hearing->words.value.length == 0 ||
        report_amount(hearing->words.value, &cents))
        return STATUS_OK;
    hearing->settlement->no_amount = true;
    hearing->words.value = (struct slice){0};
    hearing->payload = life_written(hearing->life, &hearing->words);
    return hearing->report->stream_ms != 0 ? STATUS_OK : STATUS_INVALID;
}

enum status hearing_read_words(struct hearing *hearing)
{
    if (report_decode(hearing->command->payload, &hearing->words) != STATUS_OK)
        report_clear(&hearing->words);
    if (read_value(hearing) != STATUS_OK)
        return STATUS_INVALID;
    life_hear_news(hearing->life, &hearing->words, &hearing->news);
    if (hearing->news.odd == 0 || hearing->report->stream_ms != 0)
        return STATUS_OK;
    hearing->settlement->odd_item = hearing->news.first_odd;
    return STATUS_INVALID;
}

void hearing_keep_known(struct hearing *hearing)
{
    if (hearing->who.row.known_seq == hearing->turn->seq)
        hearing->record->payload = life_told(hearing->life, &hearing->words);
}

void hearing_take_news(struct hearing *hearing)
{
    hearing->reached = life_take_news(hearing->life, &hearing->news);
    hearing_keep_known(hearing);
    life_named(hearing->life);
}

static void tell_open_call(struct hearing *hearing)
{
    struct life *life = hearing->life;
    struct task_row open;

    if (life_find_open(life, TASK_CALL, &open) && open.number != hearing->report->task &&
        open.number != life->ended_call && life_show_found(life, hearing->news.phone, &open))
        life_add_to_task(life, &open, open.more_seq);
}

void hearing_follow_news(struct hearing *hearing)
{
    if (hearing->reached)
        life_reach(hearing->life);
    tell_open_call(hearing);
}

enum status hearing_finish(struct hearing *hearing, enum status answer)
{
    life_end(hearing->life, hearing->record, false);
    record_seal(hearing->record);
    hearing->settlement->status = answer;
    hearing->settlement->unknown_word = hearing->unknown_word;
    return STATUS_OK;
}

static enum status finish_task(struct hearing *hearing, enum record_kind kind, uint64_t drop_seq)
{
    hearing_begin(hearing, kind, 0);
    hearing_take_news(hearing);
    life_show_found(hearing->life, hearing->news.phone, &hearing->row);
    life_task_effect(hearing->life, &hearing->row, drop_seq);
    hearing->settlement->delivery = hearing->row.delivery;
    hearing->settlement->lease_until_ms = hearing->row.lease_until_ms;
    hearing_follow_news(hearing);
    return hearing_finish(hearing, STATUS_OK);
}

enum status hearing_refuse(struct hearing *hearing, enum status answer)
{
    hearing->settlement->status = answer;
    return answer;
}

static uint64_t lease_end(const struct hearing *hearing)
{
    return hearing->turn->now_ms + engine_claim_holds_ms(hearing->engine, &hearing->row);
}

static bool is_plausible(const struct hearing *hearing, uint64_t at_ms)
{
    return at_ms >= hearing->opened_ms && at_ms <= hearing->turn->now_ms;
}

/* When the report was made: a stream entry may have waited for a server that was down. */
static uint64_t said_at(const struct hearing *hearing)
{
    return is_plausible(hearing, hearing->report->stream_ms) ? hearing->report->stream_ms
                                                             : hearing->turn->now_ms;
}

/* Whoever has it in hand is the owner. */
static void take_hold(struct hearing *hearing)
{
    struct task_row *row = &hearing->row;

    row->state = TASK_CLAIMED;
    row->agent = hearing->report->agent;
    row->claimed_ms = said_at(hearing);
    row->put_seq = 0; /* claimed is popped: nothing is left to withdraw */
    life_take_hold(hearing->life, row, life_agent_named(hearing->life, hearing->command->payload));
}

/* Nobody begins it now: its window has not opened, or has closed since it was put. */
static bool is_out_of_hours(const struct hearing *hearing)
{
    const struct task_row *row = &hearing->row;

    return row->state == TASK_PARKED || (row->state != TASK_CLAIMED && row->closes_ms != 0 &&
                                         said_at(hearing) >= row->closes_ms);
}

/* It was moved in its queue, and was not there any more: who has it may be silent for as long as if
 * the watch had found it gone. */
static enum status hear_popped(struct hearing *hearing)
{
    struct task_row *row = &hearing->row;

    if (row->number == 0 || row->delivery != hearing->report->delivery)
        return hearing_refuse(hearing, STATUS_CONFLICT);
    if (row->state != TASK_QUEUED)
        return hearing_refuse(hearing, STATUS_DUPLICATE);
    row->state = TASK_POPPED;
    row->put_seq = 0;
    row->lease_until_ms = hearing->turn->now_ms + engine_report_within_ms(hearing->engine, row);
    return finish_task(hearing, RECORD_POPPED, 0);
}

/* The first claim of a delivery wins. */
static enum status hear_claim(struct hearing *hearing)
{
    struct task_row *row = &hearing->row;

    if (row->number == 0 || row->delivery != hearing->report->delivery)
        return hearing_refuse(hearing, STATUS_CONFLICT);
    if (is_out_of_hours(hearing))
        return hearing_refuse(hearing, STATUS_CONFLICT);
    if (row->state == TASK_CLAIMED) /* said again by its holder, or too late by another */
        return hearing_refuse(hearing, row->agent == hearing->report->agent ? STATUS_DUPLICATE
                                                                            : STATUS_CONFLICT);
    take_hold(hearing);
    row->lease_until_ms = lease_end(hearing);
    if (hearing_read_words(hearing) != STATUS_OK)
        return hearing_refuse(hearing, STATUS_INVALID);
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
    if (row->state == TASK_CLAIMED)
        return hearing->report->manager || row->agent == hearing->report->agent;
    return row->state != TASK_PARKED; /* which nobody can have */
}

static enum status hear_extend(struct hearing *hearing)
{
    struct task_row *row = &hearing->row;
    uint64_t drop_seq = 0;

    if (!holds(hearing) || is_out_of_hours(hearing))
        return hearing_refuse(hearing, STATUS_CONFLICT);
    if (hearing_read_words(hearing) != STATUS_OK)
        return hearing_refuse(hearing, STATUS_INVALID);
    if (row->state == TASK_QUEUED) /* nobody said that it was popped, so perhaps it was not */
        drop_seq = life_take_seq(hearing->life, row->queue);
    if (row->state != TASK_CLAIMED)
        take_hold(hearing);
    row->lease_until_ms = lease_end(hearing);
    return finish_task(hearing, RECORD_EXTEND, drop_seq);
}

static enum status hear_release(struct hearing *hearing)
{
    uint64_t drop_seq;

    if (!holds(hearing))
        return hearing_refuse(hearing, STATUS_CONFLICT);
    drop_seq = life_requeue(hearing->life, &hearing->row, engine_to_team(&hearing->row),
                            hearing->turn->now_ms);
    return finish_task(hearing, RECORD_RELEASE, drop_seq);
}

/* When the person was first tried by a human: as reported, else when claimed, else now. */
static uint64_t contact_at(const struct hearing *hearing)
{
    if (is_plausible(hearing, hearing->report->started_ms))
        return hearing->report->started_ms;
    return hearing->row.claimed_ms != 0 ? hearing->row.claimed_ms : said_at(hearing);
}

/* When the person wants to be called; 0: none was agreed. It may have passed meanwhile. One from
 * before there was anything to report, or too far away to be meant, is none. */
static uint64_t agreed_at(const struct hearing *hearing)
{
    uint64_t at_ms = hearing->report->call_at_ms;

    return at_ms >= hearing->opened_ms && at_ms <= said_at(hearing) + REPORT_AGREED_WITHIN_MS
               ? at_ms
               : 0;
}

void hearing_listen(struct hearing *hearing, struct heard *out)
{
    *out = (struct heard){
        .outcome = (enum outcome)hearing->report->outcome,
        .channel = hearing->channel,
        .said_ms = said_at(hearing),
        .contact_ms = contact_at(hearing),
        .call_at_ms = agreed_at(hearing),
        .task = hearing->report->task,
        .value = hearing->words.value,
        .told = hearing->row,
    };
    if (hearing->row.number == 0)
        engine_find_told(hearing->engine, &hearing->who, out->task, &out->told);
}

static void count_attempt(struct hearing *hearing, struct life *life, const struct heard *heard)
{
    const struct playbook_outcome *does =
        engine_trial(life->playbook, heard->outcome, heard->channel);
    struct person_row *row = &life->who->row;

    if (row->site == 0) /* of before this was noted */
        row->site = hearing->row.site;
    row->attempts += does->attempt;
    if (does->attempt && hearing->row.kind == TASK_FIRST_RESPONSE && hearing->row.promise_ms != 0 &&
        heard->contact_ms > hearing->row.promise_ms)
        life_miss_promise(life, &hearing->row);
    if (does->contact && row->contact_ms == 0)
        row->contact_ms = heard->contact_ms;
    if (does->contact && heard->channel == TASK_CALL)
        life_touch(life, TASK_CALL, heard->contact_ms);
}

/* What the outcome makes of whose words the task tells, alone: a response that was owed is given.
 */
static void hear_alone(struct hearing *hearing, const struct heard *heard)
{
    struct life *alone = hearing->alone;

    if (!life_begin_alone(alone, hearing->life))
        return;
    count_attempt(hearing, alone, heard);
    if (heard->channel == TASK_CALL || heard->channel == TASK_RESEARCH)
        alone_respond(&alone->who->row);
    life_learn(alone, heard->outcome, heard->contact_ms);
    life_hear(alone, heard);
    life_share_wish(hearing->life, heard);
}

/* Who works a task without a word before its outcome is its owner all the same; not who brings one
 * of a delivery that was taken from him. */
static void note_worker(struct hearing *hearing)
{
    uint32_t agent;

    if (hearing->row.state == TASK_CLAIMED || hearing->report->delivery != hearing->row.delivery)
        return;
    agent = life_agent_named(hearing->life, hearing->command->payload);
    if (agent != 0)
        life_take_hold(hearing->life, &hearing->row, agent);
}

static enum status hear_outcome(struct hearing *hearing)
{
    const struct playbook *playbook = hearing->life->playbook;
    enum outcome outcome = (enum outcome)hearing->report->outcome;
    const struct playbook_outcome *does = engine_trial(playbook, outcome, hearing->channel);
    struct heard heard;

    if (hearing->row.number == 0)
        return hearing_late(hearing);
    if (hearing->report->delivery > hearing->row.delivery ||
        !engine_can_be(outcome, hearing->channel))
        return hearing_refuse(hearing, STATUS_INVALID);
    /* The attempt that is reported with it is one of the seven. */
    if (engine_may_end(playbook, outcome, life_attempts(hearing->life) + does->attempt) !=
        STATUS_OK)
        return hearing_refuse(hearing, STATUS_TOO_FEW_ATTEMPTS);

    if (hearing_read_words(hearing) != STATUS_OK)
        return hearing_refuse(hearing, STATUS_INVALID);
    hearing_begin(hearing, RECORD_OUTCOME, does->attempt ? contact_at(hearing) : 0);
    hearing_take_news(hearing);
    hearing_listen(hearing, &heard);
    hearing->settlement->waited_ms = heard.contact_ms - hearing->row.received_ms;
    life_hear_about(hearing->life, &hearing->row);
    count_attempt(hearing, hearing->life, &heard);
    note_worker(hearing);
    life_end_task(hearing->life, &hearing->row);
    life_learn(hearing->life, outcome, heard.contact_ms);
    life_hear(hearing->life, &heard);
    hearing_keep_known(hearing);
    hearing_tell_others(hearing, &hearing->who, &heard);
    life_refers(hearing->life, &heard, 0);
    hearing_follow_news(hearing);
    life_check_owner(hearing->life);
    hear_alone(hearing, &heard);
    hearing->settlement->delivery = hearing->row.delivery;
    return hearing_finish(hearing, STATUS_OK);
}

static bool was_heard(const struct hearing *hearing)
{
    const struct command_report *report = hearing->report;

    return engine_came_before(hearing->engine, hearing->identity, &hearing->who, report->task >> 3,
                              hearing->opened_ms) &&
           !(engine_is_wish(hearing->report->outcome) &&
             engine_wishes_again(hearing->engine, &hearing->who, (enum outcome)report->outcome,
                                 hearing->channel, report->stream_ms));
}

enum status engine_decide_report(struct engine *engine, const struct command *command,
                                 const struct turn *turn, struct record *record,
                                 struct settlement *settlement)
{
    struct life life, alone; /* large, and begun where they are used: not to be cleared for all */
    struct hearing hearing = {
        .engine = engine,
        .command = command,
        .said = command->report,
        .report = &hearing.said,
        .turn = turn,
        .record = record,
        .settlement = settlement,
        .life = &life,
        .alone = &alone,
        .payload = command->payload,
    };
    enum status result = find_task(&hearing);

    if (result == STATUS_OK)
        result = understand(&hearing);
    if (result != STATUS_OK)
        return hearing_refuse(&hearing, result);
    hearing.identity = engine_report_identity(engine, hearing.report);
    settlement->task_person = hearing.who.number;
    if (command->report.op == REPORT_SIGNAL)
        return hearing_signal(&hearing);
    if (command->report.stream_ms != 0 && was_heard(&hearing))
        return hearing_refuse(&hearing, STATUS_DUPLICATE);

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
        return hearing_amend(&hearing);
    case REPORT_POPPED:
        return hear_popped(&hearing);
    case REPORT_SIGNAL:
    case REPORT_OP_END:
        break;
    }
    return hearing_refuse(&hearing, STATUS_INVALID);
}
