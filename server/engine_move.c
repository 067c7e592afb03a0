/* What somebody does by hand to where a person stands: another stage, another version of the
 * playbook, an end to "never again", a look that was taken. Managers do; the transitions and the
 * guards of the playbook hold for them as well. */
#include "server/engine_alone.h"

struct moving {
    struct engine *engine;
    const struct command_person *command;
    const struct turn *turn;
    struct settlement *settlement;
    struct engine_person who;
    struct life life;
    struct report words;
    struct effect_moved moved;
};

static enum status refuse(struct moving *moving, enum status status, enum denial why)
{
    moving->settlement->denial = why;
    return moving->settlement->status = status;
}

bool engine_load_whom(struct engine *engine, const struct command_person *command, uint64_t number,
                      uint64_t first_ms, struct engine_person *out)
{
    return number != 0 && number <= state_meta(engine->options.state)->people &&
           engine_load_person(engine, number, out) &&
           (first_ms == 0 || out->row.first_ms == first_ms) &&
           (command->agency == 0 || command->agency == out->row.agency);
}

/* --- another stage ------------------------------------------------------------------------ */

static void enter(struct life *life, unsigned stage)
{
    life_enter(life, stage);
    life_suit_cadence(life);
    life_keep_going(life);
}

/* Of several people who are one, it is the one that is left who is put there. */
static enum status move_stage(struct moving *moving)
{
    struct life *life = &moving->life, alone;
    unsigned stage = playbook_stage_of(life->playbook, moving->words.value);
    enum playbook_way way;

    if (stage == 0)
        return refuse(moving, STATUS_INVALID, DENIED_STAGE_UNKNOWN);
    if (stage == moving->who.row.stage)
        return refuse(moving, STATUS_DUPLICATE, DENIED_NOT);
    way = playbook_way(life->playbook, moving->who.row.stage, stage, PLAYBOOK_ON_HAND,
                       life_facts(life));
    if (way != PLAYBOOK_WAY_OPEN)
        return refuse(moving, STATUS_CONFLICT,
                      way == PLAYBOOK_WAY_NONE ? DENIED_NO_WAY : DENIED_GUARD);
    enter(life, stage);
    if (life->company != NULL)
        life->speaker = moving->who.number;
    if (life_begin_alone(&alone, life))
        enter(&alone, stage);
    return STATUS_OK;
}

/* --- another version ---------------------------------------------------------------------- */

/* One of the same agency, or the shipped default. */
static bool is_theirs(const struct moving *moving, uint32_t number)
{
    const struct playbook_version *version =
        registry_playbook_version(moving->engine->options.registry, number);

    return number == 0 || (version != NULL && version->playbook != NULL &&
                           (version->agency == 0 || version->agency == moving->who.row.agency));
}

/* False: not in that version's stages, or not with its steps. */
static bool carry(struct life *life, const struct playbook *playbook, uint32_t number,
                  unsigned stage, uint8_t *lost_out)
{
    const struct playbook *old = life->playbook;
    struct person_row *row = &life->who->row;

    row->playbook = number;
    life->playbook = playbook;
    life->has_facts = false;
    life_enter(life, stage);
    if (!life_carry_over(life, old, lost_out))
        return false;
    if (row->closed == PERSON_WORKED || row->segment != 0) /* who has ended is of one of it, too */
        life_keep_going(life);
    return true;
}

/* Of several people who are one, each; who cannot be put there stays. */
static void carry_all(struct life *life)
{
    const struct person_row *row = &life->who->row;

    for (unsigned i = 0; life->company != NULL && i < life->company->count; i++) {
        struct alone *alone = &life->company->of[i];
        const struct person_row before = alone->who.row;
        struct life own;
        unsigned stage;
        uint8_t lost = 0;
        life_begin_of(&own, life, alone);
        stage = playbook_stage_of(life->playbook, playbook_stage_id(own.playbook, before.stage));
        if (stage == 0 || !carry(&own, life->playbook, row->playbook, stage, &lost))
            alone->who.row = before;
    }
}

static enum status move_playbook(struct moving *moving)
{
    const struct command_person *command = moving->command;
    struct person_row *row = &moving->who.row;
    struct life *life = &moving->life;
    const struct playbook *old = life->playbook;
    const struct playbook *playbook =
        registry_playbook(moving->engine->options.registry, command->playbook);
    unsigned stage = playbook_stage_of(playbook, playbook_stage_id(old, row->stage));
    uint32_t pinned;

    if (!is_theirs(moving, command->playbook))
        return refuse(moving, STATUS_INVALID, DENIED_PLAYBOOK_UNKNOWN);
    pinned = registry_pinned(moving->engine->options.registry, row->playbook);
    if (pinned == command->playbook || (command->is_page && pinned != command->from))
        return refuse(moving, STATUS_DUPLICATE, DENIED_NOT);
    if (stage == 0)
        return refuse(moving, STATUS_CONFLICT, DENIED_STAGE_LOST);
    if (!carry(life, playbook, command->playbook, stage, &moving->moved.lost))
        return refuse(moving, STATUS_CONFLICT, DENIED_STEPS_FAR);
    carry_all(life);
    return STATUS_OK;
}

/* --- the rest ----------------------------------------------------------------------------- */

static void take_up(struct life *life)
{
    struct person_row *row = &life->who->row;

    if (!(row->flags & PERSON_DO_NOT_CONTACT))
        return;
    row->flags &= (uint8_t)~PERSON_DO_NOT_CONTACT;
    life_meet(life);
    life_keep_going(life);
}

/* Channels that are silent for a reason of their own stay so. Of several people who are one,
 * whoever has said it. */
static enum status contact_again(struct moving *moving)
{
    struct life *life = &moving->life, alone;

    if (!(moving->who.row.flags & PERSON_DO_NOT_CONTACT))
        return refuse(moving, STATUS_DUPLICATE, DENIED_NOT);
    take_up(life);
    for (unsigned i = 0; life->company != NULL && i < life->company->count; i++) {
        life_begin_of(&alone, life, &life->company->of[i]);
        take_up(&alone);
    }
    return STATUS_OK;
}

static enum status reviewed(struct moving *moving)
{
    if (!(moving->who.row.flags & PERSON_REVIEW))
        return refuse(moving, STATUS_DUPLICATE, DENIED_NOT);
    life_reviewed(&moving->life);
    return STATUS_OK;
}

static enum status move(struct moving *moving)
{
    switch ((enum move_kind)moving->command->move) {
    case MOVE_STAGE:
        return move_stage(moving);
    case MOVE_PLAYBOOK:
        return move_playbook(moving);
    case MOVE_CONTACT_AGAIN:
        return contact_again(moving);
    case MOVE_REVIEWED:
        return reviewed(moving);
    case MOVE_KIND_END:
        break;
    }
    return refuse(moving, STATUS_INVALID, DENIED_NOT);
}

enum status engine_decide_move(struct engine *engine, const struct command *command,
                               const struct turn *turn, struct record *record,
                               struct settlement *settlement)
{
    struct moving moving = {
        .engine = engine, .command = &command->person, .turn = turn, .settlement = settlement};
    struct engine_person *who = &moving.who;
    enum status status;

    if (!engine_load_whom(engine, &command->person, command->person.number,
                          command->person.first_ms, who))
        return settlement->status = STATUS_NOT_FOUND;
    if (who->row.closed == PERSON_MERGED)
        return refuse(&moving, STATUS_CONFLICT, DENIED_MERGED);
    if (report_decode(command->payload, &moving.words) != STATUS_OK)
        report_clear(&moving.words);
    life_begin(&moving.life, engine, turn, who);
    moving.moved = (struct effect_moved){.kind = command->person.move,
                                         .from_stage = who->row.stage,
                                         .from_playbook = who->row.playbook};
    status = move(&moving);
    moving.moved.to_stage = who->row.stage;
    moving.moved.to_playbook = who->row.playbook;
    settlement->moved = moving.moved;
    if (status != STATUS_OK)
        return status;
    life_effect(&moving.life, EFFECT_MOVED, &moving.moved, sizeof(moving.moved));
    engine_begin(record, RECORD_MOVED, turn, who->number, who->last_seq, who->row.agency);
    record->payload = command->payload;
    life_end(&moving.life, record, true);
    record_seal(record);
    return settlement->status = STATUS_OK;
}
