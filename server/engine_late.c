/* What is said behind a task's outcome: a late word, which changes nothing but for a wish; an
 * amendment; a signal. The person may have been merged since, or be two again. */
#include "server/engine_hearing.h"

#include "server/engine_past.h"
#include "server/engine_signal.h"

/* What is said behind a task's outcome is said by whose words it told, or by who is left of them:
 * some were merged since, or are two again. */
static enum status turn_to_speaker(struct hearing *hearing)
{
    uint64_t speaker = engine_whose_task(hearing->engine, &hearing->who, hearing->report->task);

    if (!engine_load_kept(hearing->engine, speaker, &hearing->who))
        return STATUS_CORRUPT;
    life_begin(hearing->life, hearing->engine, hearing->turn, &hearing->who);
    if (hearing->life->company != NULL)
        hearing->life->speaker = speaker;
    return STATUS_OK;
}

/* Of whom the life is now, who has others merged into it: it is of none of those that the report is
 * about. */
static void tell_company(struct life *life, const struct heard *heard)
{
    struct company company, *own = life->company;

    if (!(life->who->row.marks & PERSON_JOINED))
        return;
    engine_load_company(life->engine, life->who, &company);
    life->company = &company;
    life_share_wish(life, heard);
    company_write(life, &company, life->engine->rest);
    life->company = own;
}

/* It told words of somebody who is another one again, and may have said it as well. */
void hearing_tell_others(struct hearing *hearing, const struct engine_person *of,
                         const struct heard *heard)
{
    struct life *life = hearing->life;
    uint64_t others[OTHERS_MOST];
    unsigned count = 0;

    if (!engine_is_wish((uint8_t)heard->outcome))
        return;
    count = life_told_to_others(life, of, heard->task, others);
    for (unsigned i = 0; i < count; i++) {
        struct effect_person effect = {.person = others[i]};
        struct engine_person other;
        if (!engine_load_person(hearing->engine, others[i], &other))
            continue;
        life_turn_to(life, &other);
        life_hear_of_before(life, heard);
        other.row.due_ms = life_due_ms(&other.row);
        effect.row = other.row;
        life_effect(life, EFFECT_PERSON, &effect, sizeof(effect));
        tell_company(life, heard);
    }
    life_turn_to(life, &hearing->who);
}

static void hear_wish(struct hearing *hearing, const struct engine_person *of)
{
    struct heard heard;

    hearing_listen(hearing, &heard);
    life_hear_of_before(hearing->life, &heard);
    life_check_owner(hearing->life);
    if (life_begin_alone(hearing->alone, hearing->life))
        life_hear_of_before(hearing->alone, &heard);
    life_share_wish(hearing->life, &heard);
    hearing_tell_others(hearing, of, &heard);
    hearing->settlement->wish = true;
}

/* A step that the merge withdrew was done all the same: it is not owed any more. */
static void note_done(struct hearing *hearing)
{
    struct engine *engine = hearing->engine;
    struct life *life = hearing->life;
    struct engine_person kept;
    struct task_row told;
    uint64_t speaker = engine_find_told(engine, &hearing->who, hearing->report->task, &told)
                           ? engine_whose(engine, told.optin_seq, hearing->who.number)
                           : 0;

    if (speaker == 0 || !engine_load_kept(engine, hearing->who.number, &kept))
        return;
    engine_load_company(engine, &kept, engine->company);
    life->company = engine->company;
    life->speaker = speaker;
    if (life_begin_alone(hearing->alone, life))
        alone_forget_step(&hearing->alone->who->row, &told);
}

enum status hearing_late(struct hearing *hearing)
{
    const struct engine_person of = hearing->who;

    if (hearing->who.row.closed == PERSON_MERGED)
        hearing->settlement->denial = DENIED_MERGED;
    if (engine_is_wish(hearing->report->outcome) && turn_to_speaker(hearing) != STATUS_OK)
        return hearing_refuse(hearing, STATUS_CORRUPT);
    hearing_begin(hearing, RECORD_LATE, 0);
    if (engine_is_wish(hearing->report->outcome))
        hear_wish(hearing, &of);
    else if (hearing->who.row.closed == PERSON_MERGED)
        note_done(hearing);
    return hearing_finish(hearing, STATUS_CONFLICT);
}

/* --- amending -------------------------------------------------------------------------------- */

static enum status may_amend(const struct hearing *hearing, const struct past *past)
{
    const struct command_report *report = hearing->report;
    enum outcome outcome = (enum outcome)report->outcome;
    const struct playbook *playbook = hearing->life->playbook;
    unsigned more =
        engine_trial(playbook, outcome, hearing->channel)->attempt && !past->was_attempt;

    if (hearing->row.number != 0 || past->header.seq == 0)
        return STATUS_CONFLICT;
    if (!report->manager && past->ended.agent != report->agent)
        return STATUS_FORBIDDEN;
    if (!report->manager && hearing->turn->now_ms > past->header.now_ms + AMEND_WITHIN_MS)
        return STATUS_CONFLICT;
    if (!report->manager && (hearing->who.row.flags & PERSON_DO_NOT_CONTACT))
        return STATUS_FORBIDDEN;
    if (!engine_can_be(outcome, hearing->channel))
        return STATUS_INVALID;
    return engine_may_end(playbook, outcome, life_attempts(hearing->life) + more);
}

static void amend_alone(struct hearing *hearing, const struct heard *heard)
{
    struct past past;

    if (!life_begin_alone(hearing->alone, hearing->life))
        return;
    life_look_back(hearing->alone, heard->task, heard->channel, heard->outcome, &past);
    life_amend(hearing->alone, &past, heard);
    life_share_end_of_wish(hearing->life);
    life_share_wish(hearing->life, heard);
}

/* The task told the words of somebody who was merged since, or who is another one again. */
static bool is_anothers(struct hearing *hearing)
{
    struct life *life = hearing->life;
    uint64_t speaker = engine_whose_task(hearing->engine, &hearing->who, hearing->report->task);

    if (life->company != NULL)
        life->speaker = speaker;
    if (hearing->who.row.closed == PERSON_MERGED)
        return true;
    return life->company != NULL ? company_find(life->company, speaker) == NULL
                                 : speaker != hearing->who.number;
}

enum status hearing_amend(struct hearing *hearing)
{
    struct past past;
    struct heard heard;
    struct effect_amended amended;
    enum status allowed;

    if (is_anothers(hearing))
        return engine_is_wish(hearing->report->outcome) ? hearing_late(hearing)
                                                        : hearing_refuse(hearing, STATUS_CONFLICT);
    life_look_back(hearing->life, hearing->report->task, hearing->channel,
                   (enum outcome)hearing->report->outcome, &past);
    allowed = may_amend(hearing, &past);
    if (allowed != STATUS_OK)
        return hearing_refuse(hearing, allowed);
    if (hearing_read_words(hearing) != STATUS_OK)
        return hearing_refuse(hearing, STATUS_INVALID);
    hearing_begin(hearing, RECORD_AMEND, past.contacted_ms);
    hearing_take_news(hearing);
    hearing->settlement->delivery = hearing->report->delivery;
    hearing_listen(hearing, &heard);
    heard.said_ms = hearing->turn->now_ms;
    heard.contact_ms = past.contacted_ms;
    life_amend(hearing->life, &past, &heard);
    hearing_keep_known(hearing);
    life_refers(hearing->life, &heard, past.referred);
    hearing_follow_news(hearing);
    life_check_owner(hearing->life);
    amended = life_amended(hearing->life, &past);
    engine_effect(hearing->record, EFFECT_AMENDED, &amended, sizeof(amended));
    amend_alone(hearing, &heard);
    return hearing_finish(hearing, STATUS_OK);
}

/* The task's outcome may long be known. */
enum status hearing_signal(struct hearing *hearing)
{
    const struct command_report *report = hearing->report;
    const struct noticed noticed = {.person = hearing->who.number,
                                    .task = report->task,
                                    .task_opened_ms = hearing->opened_ms,
                                    .at_ms = report->stream_ms,
                                    .kind = (enum signal_kind)report->signal};
    struct effect_signal effect;

    hearing->identity = engine_signal_identity(hearing->engine, &noticed);
    if (engine_was_noticed(hearing->engine, &noticed, &hearing->who))
        return hearing_refuse(hearing, STATUS_DUPLICATE);
    if (turn_to_speaker(hearing) != STATUS_OK)
        return hearing_refuse(hearing, STATUS_CORRUPT);
    hearing_begin(hearing, RECORD_SIGNAL, 0);
    life_notice(hearing->life, &noticed, &effect);
    engine_effect(hearing->record, EFFECT_SIGNAL, &effect, sizeof(effect));
    return hearing_finish(hearing, STATUS_OK);
}
