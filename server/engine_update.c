/* What becomes of an update: other content under the same id, from a public key. */
#include "server/engine_alone.h"
#include "server/engine_shown.h"

/* 0: nobody else's. */
static uint64_t whose_else(struct engine *engine, struct hash hash, bool phone,
                           const struct engine_person *who)
{
    struct engine_person other;

    return engine_find_identity(engine, hash, phone, &other) && other.number != who->number
               ? other.number
               : 0;
}

/* What the update says and the person may be told by it: identifiers of somebody else are left out,
 * and what is true of the opt-in (a test, a robot's) is true of its update. */
static struct effect_received update_of(struct engine *engine, const struct effect_received *facts,
                                        const struct effect_optin *found,
                                        const struct engine_person *who, uint64_t others_out[2])
{
    struct effect_received update = *facts;

    others_out[0] = whose_else(engine, facts->phone, true, who);
    others_out[1] = whose_else(engine, facts->email, false, who);
    if (others_out[0] != 0)
        update.phone = (struct hash){{0}};
    if (others_out[1] != 0)
        update.email = (struct hash){{0}};
    update.flags |= found->flags & (INTAKE_TEST | INTAKE_SUSPECT | INTAKE_IMPORTED);
    return update;
}

/* Whoever can be called now need not be looked for any more. */
static void end_research(struct life *life)
{
    struct task_row research;

    if (life_find_open(life, TASK_RESEARCH, &research))
        life_end_task(life, &research);
}

/* The open call learns of an update that makes it possible, or, the first time, of a consent. Where
 * none is open there is one now, if the update made it possible; its five minutes begin then. */
static void give_update_task(struct life *life, const struct effect_optin *found, bool possible,
                             bool consents, uint64_t said_seq)
{
    uint64_t now_ms = life->turn->now_ms;
    struct task_row open;

    if (life_find_open(life, TASK_CALL, &open)) {
        if (!possible && !(consents && open.more_seq == 0))
            return;
        life_add_to_task(life, &open, said_seq);
    } else if (possible) {
        life_begin_response(life, false, now_ms, &open);
        open.optin_seq = found->optin_seq;
        open.received_ms = found->received_ms;
        open.more_seq = said_seq;
        life_mark_shown(life, &open);
        open.flags |= TASK_LEARNT;
        life_open_task(life, &open, now_ms);
    } else {
        return;
    }
    end_research(life);
}

/* What was said once more, and the opt-in that it was said to. */
struct update {
    const struct effect_received *facts; /* what the person may be told of it */
    const struct effect_optin *found;
    struct slice said;
    uint64_t said_seq, said_ms;
    bool review, others_phone;
};

/* A task shows all words of an update, and whose phone it is may have asked not to be called:
 * nothing changes but the flag, for a manager. */
static void take(struct life *life, const struct update *update)
{
    const struct effect_received *facts = update->facts;
    struct person_row *row = &life->who->row;
    const struct person_row before = *row;
    bool possible, consents, taken_up;

    engine_add_words(life->engine, life->who, facts, update->said_seq, update->review);
    life_keep_found(life, &before);
    life_found_by(life, facts, update->review);
    if (engine_is_own_words(facts, update->review)) {
        life->received = facts;
        life->said = update->said;
        row->optin_seq = update->said_seq;
    }
    if (!update->others_phone)
        row->reason = (uint8_t)engine_reason(row, facts, update->said_ms);
    taken_up = before.flags & ~row->flags & PERSON_DO_NOT_CONTACT;
    possible = !hash_equal(before.phone, row->phone) ||
               (hash_is_none(before.phone) && hash_is_none(before.email)) || taken_up;
    consents = facts->flags & ~update->found->flags & INTAKE_CONSENT;
    if (taken_up)
        life_collide(life, 0);
    if (taken_up || (row->reason == NO_TASK_HAS_ONE && !update->others_phone && row->cadence == 0))
        life_meet(life);
    if (row->reason == NO_TASK_HAS_ONE && !update->others_phone)
        give_update_task(life, update->found, possible, consents, update->said_seq);
    life_named(life);
}

void engine_decide_update(struct engine *engine, const struct effect_received *facts,
                          const struct effect_optin *found, struct slice said, uint64_t said_seq,
                          uint64_t said_ms, const struct turn *turn, struct engine_person *who,
                          struct record *record)
{
    uint64_t others[2];
    struct effect_received own_facts = update_of(engine, facts, found, who, others);
    struct update update = {
        .facts = &own_facts,
        .found = found,
        .said = said,
        .said_seq = said_seq,
        .said_ms = said_ms,
        .review = others[0] != 0 || others[1] != 0,
        .others_phone = !hash_is_none(facts->phone) && hash_is_none(own_facts.phone),
    };
    struct life life, alone;

    life_begin(&life, engine, turn, who);
    if (life.company != NULL)
        life.speaker = engine_whose(engine, found->optin_seq, found->person);
    for (unsigned i = 0; i < 2; i++)
        if (others[i] != 0)
            life_collide(&life, others[i]);
    take(&life, &update);
    if (life_begin_alone(&alone, &life)) {
        update.review |= life_leave_out_others(&life, &own_facts);
        update.others_phone |= !hash_is_none(facts->phone) && hash_is_none(own_facts.phone);
        take(&alone, &update);
    }
    life_end(&life, record, true);
}
