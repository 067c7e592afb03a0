/* An open call becomes the first response to an opt-in that came since it was opened: at once, or,
 * where somebody had it in hand then, when it comes back without an outcome. */
#include "server/engine_response.h"

#include "server/engine_alone.h"
#include "server/engine_shown.h"

void life_note_source(const struct life *life, struct task_row *row, const struct origin *origin)
{
    const struct person_row *person = &life->who->row;

    row->own_source = origin->source != person->source || origin->campaign != person->campaign;
    row->source = row->own_source ? origin->source : 0;
    row->campaign = row->own_source ? origin->campaign : 0;
}

void life_tell_optin(const struct life *life, struct task_row *row,
                     const struct effect_optin *decision)
{
    life_note_source(life, row,
                     &(struct origin){decision->site, decision->source, decision->campaign});
    if (row->optin_seq == decision->optin_seq)
        return;
    row->optin_seq = decision->optin_seq;
    row->received_ms = decision->received_ms;
    row->more_seq = 0; /* it has both phone and e-mail, of two people */
    row->flags &= (uint8_t) ~(TASK_OTHER_PHONE | TASK_OTHER_EMAIL);
}

/* Somebody was to be called sooner or later, or should have been, and opts in again: now it is a
 * first response, with its promise. One that can still be kept stands: a second opt-in gives it no
 * more time. */
static bool promise_anew(struct life *life, const struct task_row *open, uint64_t from_ms,
                         struct task_row *fresh)
{
    *fresh = *open;
    fresh->kind = TASK_FIRST_RESPONSE;
    fresh->site = life->who->row.site; /* whose hours it keeps */
    fresh->playbook = life->who->row.playbook;
    fresh->segment = life->who->row.segment;
    fresh->flags &= (uint8_t)~TASK_BREACHED;
    engine_promise(life->engine, fresh, from_ms);
    return (open->flags & TASK_BREACHED) ||
           (open->kind != TASK_FIRST_RESPONSE && fresh->deadline_ms < open->deadline_ms);
}

bool life_hasten_open(struct life *life, struct task_row *open, const struct effect_optin *decision)
{
    struct task_row fresh;
    uint64_t drop_seq;

    if (engine_is_in_hand(open) || !promise_anew(life, open, decision->received_ms, &fresh))
        return false;
    drop_seq = life_put_anew(life, &fresh, decision->received_ms);
    life_tell_optin(life, &fresh, decision);
    life_owe(life, open); /* it was about the words of another one who is one with whoever comes */
    *open = fresh;
    life_task_effect(life, open, drop_seq);
    return true;
}

/* --- what comes back ---------------------------------------------------------------------- */

/* The newest opt-in in the person's own words, if it was to be answered. */
static bool find_newest(const struct life *life, struct effect_optin *out)
{
    const struct person_row *row = &life->who->row;
    uint64_t seq = life->who->last_seq;

    for (unsigned i = 0; i < LOOKS_BACK && seq != 0; i++) {
        struct record_view record;

        if (journal_batch_read(life->engine->options.journal, seq, &record) != STATUS_OK)
            return false;
        if (effect_find(&record, EFFECT_OPTIN, out, sizeof(*out)) &&
            out->received_ms == row->last_ms)
            return out->reason == NO_TASK_HAS_ONE;
        seq = record.header.person_prev;
    }
    return false;
}

/* A promise that was given is kept or broken, and what was asked for in between gives it no more
 * time. Of several people who are one, another call may have answered it, before they were. */
static bool may_have_come_since(const struct life *life, const struct task_row *row)
{
    const struct person_row *person = &life->who->row;
    bool is_promised = row->kind == TASK_FIRST_RESPONSE || row->kind == TASK_AGREED;

    return row->channel == TASK_CALL && !is_promised && life->company == NULL &&
           person->last_ms > row->opened_ms && person->last_ms > row->received_ms;
}

void life_hasten_back(struct life *life, struct task_row *row)
{
    const struct person_row *person = &life->who->row;
    uint64_t now_ms = life->turn->now_ms;
    struct effect_optin newest;
    struct task_row fresh;

    if (!may_have_come_since(life, row) || !find_newest(life, &newest) ||
        !promise_anew(life, row, now_ms, &fresh))
        return;
    engine_promise_day(life->engine, &fresh, newest.received_ms);
    life_make_anew(life, &fresh, now_ms);
    life_tell_optin(life, &fresh, &newest);
    if (newest.optin_seq != person->optin_seq) { /* which an update to it brought */
        fresh.more_seq = person->optin_seq;
        life_mark_shown(life, &fresh);
    }
    *row = fresh;
}
