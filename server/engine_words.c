/* How a person can be reached, as it is said in an opt-in: what is not known is taken, and what was
 * reported wrong is replaced. */
#include "proto/must.h"
#include "server/engine_shown.h"

bool engine_is_only_looked_at(const struct effect_received *facts)
{
    return facts->flags & (INTAKE_TEST | INTAKE_SUSPECT);
}

bool engine_is_own_words(const struct effect_received *facts, bool review)
{
    return !review && !engine_is_only_looked_at(facts);
}

/* What somebody types into a form; a list is no newer than what was found out since. */
static bool is_said_now(const struct effect_received *facts, bool review)
{
    return engine_is_own_words(facts, review) && !(facts->flags & INTAKE_IMPORTED);
}

static bool is_silent(const struct person_row *row, enum task_channel channel)
{
    return row->silenced >> channel & 1;
}

/* Whose number was wrong may say another one. */
static bool takes_phone(const struct person_row *row, const struct effect_received *facts,
                        bool review)
{
    if (hash_is_none(facts->phone) || hash_equal(facts->phone, row->phone))
        return false;
    return hash_is_none(row->phone) || (is_silent(row, TASK_CALL) && is_said_now(facts, review));
}

/* E-mail is silent because the address was wrong, and not because it is not wanted. What was said
 * to somebody who was merged stands in another history, so nobody knows of those. */
static bool has_only_bounced(struct engine *engine, const struct engine_person *who)
{
    uint64_t seq = who->last_seq;
    bool bounced = false;

    for (unsigned i = 0; i < LOOKS_BACK && seq != 0; i++) {
        struct record_view record;
        struct effect_report report;
        struct task_origin origin;

        if (journal_batch_read(engine->options.journal, seq, &record) != STATUS_OK ||
            record.header.kind == RECORD_MERGED || record.header.kind == RECORD_UNMERGED)
            return false;
        seq = record.header.person_prev;
        if (!effect_find(&record, EFFECT_REPORT, &report, sizeof(report)))
            continue;
        if (report.outcome == OUTCOME_UNSUBSCRIBED)
            return false;
        if (report.outcome == OUTCOME_BOUNCED && engine_find_origin(engine, report.task, &origin))
            bounced |= origin.channel == TASK_EMAIL;
    }
    return bounced && seq == 0;
}

static bool takes_email(struct engine *engine, const struct engine_person *who,
                        const struct effect_received *facts, bool review)
{
    const struct person_row *row = &who->row;

    if (hash_is_none(facts->email) || hash_equal(facts->email, row->email))
        return false;
    if (hash_is_none(row->email))
        return !review;
    return is_silent(row, TASK_EMAIL) && is_said_now(facts, review) &&
           has_only_bounced(engine, who);
}

void engine_add_words(struct engine *engine, struct engine_person *who,
                      const struct effect_received *facts, uint64_t said_seq, bool review)
{
    struct person_row *row = &who->row;

    if (takes_phone(row, facts, review)) {
        if (!hash_is_none(row->phone))
            row->silenced &= (uint16_t)~PHONE_CHANNELS;
        row->phone = facts->phone;
        row->phone_seq = said_seq;
    }
    if (row->name_seq == 0 && (facts->more & INTAKE_NAMED))
        row->name_seq = said_seq;
    if (takes_email(engine, who, facts, review)) {
        if (!hash_is_none(row->email))
            row->silenced &= (uint16_t) ~(1u << TASK_EMAIL);
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

void engine_stand_by(struct person_row *row, const struct effect_received *facts, uint64_t said_seq,
                     bool review)
{
    if (!is_silent(row, TASK_CALL) || !is_said_now(facts, review) || hash_is_none(facts->phone) ||
        !hash_equal(facts->phone, row->phone))
        return;
    row->silenced &= (uint16_t)~PHONE_CHANNELS;
    row->phone_seq = said_seq;
}
