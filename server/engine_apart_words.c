/* What was said to somebody, or reported of it, while others were merged into it: opt-ins,
 * outcomes, amendments, and what came late. */
#include "server/engine_joining.h"

/* --- opt-ins ------------------------------------------------------------------------------ */

/* How it can be reached and addressed; `said_seq`: whose words these are. */
static void note_identity(struct apart *apart, const struct person_row *before,
                          const struct person_row *after, const struct from *from,
                          uint64_t said_seq)
{
    struct person_row *row = apart_row(apart);

    if (!hash_equal(before->phone, after->phone) || before->phone_seq != after->phone_seq) {
        row->phone = after->phone;
        row->phone_seq = after->phone_seq;
    } else if (hash_is_none(row->phone) && !hash_is_none(from->phone) &&
               joining_whose(apart->joining, from->phone, true) != THEIRS) {
        row->phone = from->phone;
        row->phone_seq = said_seq;
    }
    if (!hash_equal(before->email, after->email) || before->email_seq != after->email_seq) {
        row->email = after->email;
        row->email_seq = after->email_seq;
    } else if (hash_is_none(row->email) && !hash_is_none(from->email) &&
               joining_whose(apart->joining, from->email, false) != THEIRS) {
        row->email = from->email;
        row->email_seq = said_seq;
    }
    if (before->name_seq != after->name_seq)
        row->name_seq = after->name_seq;
    else if (row->name_seq == 0 && from->is_named)
        row->name_seq = said_seq;
}

static void note_words(struct person_row *row, const struct person_row *before,
                       const struct person_row *after)
{
    if (before->optin_seq == after->optin_seq)
        return;
    row->optin_seq = after->optin_seq;
    row->last_ms = after->last_ms;
    row->site = after->site;
    row->zone = 0;
}

static bool is_worked_for(unsigned reason)
{
    return reason != NO_TASK_TEST && reason != NO_TASK_SUSPECT && reason != NO_TASK_DO_NOT_CONTACT;
}

/* It has no call only because of what is not said of this one. */
static bool was_refused_for_others(const struct person_row *row, unsigned reason)
{
    return (reason == NO_TASK_DO_NOT_CONTACT && !(row->flags & PERSON_DO_NOT_CONTACT)) ||
           (reason == NO_TASK_CUSTOMER && !(row->flags & PERSON_CUSTOMER));
}

static void note_own_optin(struct apart *apart, const struct person_row *before,
                           const struct person_row *after)
{
    const uint8_t noted = PERSON_IMPORTED | PERSON_BAD_PHONE | PERSON_BAD_EMAIL;
    struct person_row *row = apart_row(apart);
    bool is_new = before->optins != after->optins;

    row->flags = (uint8_t)((row->flags & ~(before->flags & ~after->flags & noted)) |
                           (after->flags & ~before->flags & (noted | PERSON_CONSENT_AGAIN)));
    apart_take_back(row, before, after);
    row->reason = after->reason;
    if (!is_new || !is_worked_for(after->reason)) {
        apart_follow_or_begin(apart, before, after);
    } else {
        if (row->optins > 1)
            life_move(&apart->joining->life, PLAYBOOK_ON_OPTIN);
        apart_begin(apart, after);
        apart->is_owed = false;
        apart->has_come = true;
    }
    if (is_new && was_refused_for_others(row, after->reason))
        apart->is_owed = true;
}

/* One that is mixed of both leaves the words as they are, as if a manager had to look. */
void apart_tell_optin(struct apart *apart, const struct record_view *record,
                      const struct person_row *before, const struct person_row *after)
{
    const struct joining *joining = apart->joining;
    struct effect_optin optin = {.optin_seq = record->header.seq};
    struct from from;

    effect_find(record, EFFECT_OPTIN, &optin, sizeof(optin));
    from = joining_from(joining, optin.optin_seq);
    apart_note(apart, before, after);
    if (joining_whose_words(joining, &from) == THEIRS) {
        apart->other_has_come |= before->optins != after->optins;
        return;
    }
    if (joining_whose(joining, from.email, false) != THEIRS) {
        note_identity(apart, before, after, &from, optin.optin_seq);
        note_words(apart_row(apart), before, after);
    }
    note_own_optin(apart, before, after);
}

/* --- what was reported -------------------------------------------------------------------- */

/* The newest word about a task. */
struct word {
    struct effect_report report;
    uint64_t told_ms;
    uint64_t cents; /* of a sale; 0: not said */
};

static bool read_word(const struct record_view *record, struct word *out)
{
    struct report words;

    if (!effect_find(record, EFFECT_REPORT, &out->report, sizeof(out->report)))
        return false;
    out->told_ms = record->header.now_ms;
    if (report_decode(record->payload, &words) != STATUS_OK ||
        !report_amount(words.value, &out->cents))
        out->cents = 0;
    return true;
}

/* The other one hears of it as well, unless it was said by one of those who stay merged. */
static void hear_wish(struct apart *apart, const struct word *word,
                      const struct task_origin *origin)
{
    const struct joining *joining = apart->joining;
    enum outcome outcome = (enum outcome)word->report.outcome;
    enum task_channel channel = (enum task_channel)origin->channel;
    bool stops = engine_is_revocation(outcome, channel);
    bool is_theirs = origin->person == joining->kept.number ||
                     joining_is_of(joining, origin->person, joining->other.number);

    apart_add_wishes(
        apart, stops ? 0 : engine_silenced_by(joining->life.playbook, outcome, channel), stops,
        (uint32_t)(word->told_ms / 1000), is_theirs && apart_is_since_merge(apart));
}

/* Those that the word does not explain were there before it. */
static void note_other_wishes(struct apart *apart, const struct word *word,
                              const struct task_origin *origin, const struct person_row *before,
                              const struct person_row *after)
{
    const struct playbook *playbook = apart->joining->life.playbook;
    enum outcome outcome = (enum outcome)word->report.outcome;
    enum task_channel channel = (enum task_channel)origin->channel;
    struct person_row others = *after;

    others.silenced &= (uint16_t)~engine_silenced_by(playbook, outcome, channel);
    if (engine_is_revocation(outcome, channel))
        others.flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
    apart_note_wishes(apart, before, &others);
}

static void note_sale(struct person_row *row, const struct word *word)
{
    if (word->cents != 0)
        row->sold_cents = word->cents;
    if (row->sold_attempt == 0)
        row->sold_attempt = row->attempts;
}

static void hear(struct apart *apart, const struct word *word, const struct task_origin *origin)
{
    struct life *life = &apart->joining->life;
    enum outcome outcome = (enum outcome)word->report.outcome;
    struct person_row *row = apart_row(apart);
    uint64_t contact_ms =
        word->report.contact_ms != 0 ? word->report.contact_ms : life->turn->now_ms;

    if (engine_trial(life->playbook, outcome, (enum task_channel)origin->channel)->contact &&
        row->contact_ms == 0)
        row->contact_ms = contact_ms;
    life_learn(life, outcome, contact_ms);
    if (outcome == OUTCOME_SOLD)
        note_sale(row, word);
    hear_wish(apart, word, origin);
}

/* What the outcome is by now. */
static void amend_word(struct apart *apart, struct word *word)
{
    for (unsigned i = 0; i < apart->amended_count; i++) {
        struct record_view record;
        uint64_t contact_ms = word->report.contact_ms;

        if (apart->amended[i].task != word->report.task)
            continue;
        apart->amended[i].is_told = true;
        if (joining_read(apart->joining, apart->amended[i].seq, &record))
            read_word(&record, word);
        word->report.contact_ms = contact_ms;
    }
}

/* Nothing else is heard again that was told by its task's outcome, or by a newer word. */
static bool is_last_word(const struct apart *apart, const struct word *word, uint64_t seq)
{
    for (unsigned i = 0; i < apart->amended_count; i++)
        if (apart->amended[i].task == word->report.task)
            return apart->amended[i].seq == seq && !apart->amended[i].is_told;
    return false;
}

static void tell_amendment(struct apart *apart, const struct word *word, uint64_t seq,
                           const struct task_origin *origin, const struct person_row *before,
                           const struct person_row *after)
{
    struct person_row *row = apart_row(apart);

    apart_take_back(row, before, after);
    if (after->sold_cents == 0 && after->sold_attempt == 0)
        row->sold_cents = row->sold_attempt = 0;
    if (is_last_word(apart, word, seq))
        hear(apart, word, origin);
    apart_follow_or_begin(apart, before, after);
}

static void tell_outcome(struct apart *apart, struct word *word, const struct task_origin *origin,
                         const struct person_row *before, const struct person_row *after)
{
    const struct playbook_outcome *does =
        engine_trial(apart->joining->life.playbook, (enum outcome)word->report.outcome,
                     (enum task_channel)origin->channel);

    if (origin->channel == TASK_CALL || origin->channel == TASK_RESEARCH)
        apart->is_owed = false;
    if (does->attempt || does->contact)
        apart_begin(apart, after);
    else
        apart_follow_or_begin(apart, before, after);
    amend_word(apart, word);
    hear(apart, word, origin);
}

void apart_tell_word(struct apart *apart, const struct record_view *record,
                     const struct person_row *before, const struct person_row *after)
{
    static const struct from nobody = {.is_named = false};
    enum record_kind kind = (enum record_kind)record->header.kind;
    struct task_origin origin;
    struct word word;

    if (!read_word(record, &word) ||
        !engine_find_origin(apart->joining->engine, word.report.task, &origin))
        return;
    apart_note(apart, before, after);
    note_other_wishes(apart, &word, &origin, before, after);
    if (kind == RECORD_LATE) {
        if (word.report.outcome == OUTCOME_DO_NOT_CONTACT ||
            word.report.outcome == OUTCOME_UNSUBSCRIBED)
            hear_wish(apart, &word, &origin);
        apart_follow(apart_row(apart), before, after);
        return;
    }
    if (before->end != after->end || kind == RECORD_OUTCOME)
        apart_row(apart)->end = after->end;
    note_identity(apart, before, after, &nobody, 0);
    if (kind == RECORD_AMEND)
        tell_amendment(apart, &word, record->header.seq, &origin, before, after);
    else
        tell_outcome(apart, &word, &origin, before, after);
}
