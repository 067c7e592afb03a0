/* How people hang together: who may be another one, who is one, who referred whom. */
#include "server/engine_shown.h"

static bool has_edge(struct life *life, uint64_t person, enum edge_kind kind, uint64_t other,
                     struct state_edge *edge_out)
{
    return state_edge_next(life->engine->options.state, person, kind, other, edge_out) &&
           edge_out->other == other;
}

static void add_edge(struct life *life, uint64_t person, enum edge_kind kind, uint64_t other)
{
    struct effect_edge effect = {.person = person,
                                 .other = other,
                                 .seq = life->turn->seq,
                                 .kind = (uint8_t)kind,
                                 .agency = life->who->row.agency};
    struct state_edge edge;

    if (!has_edge(life, person, kind, other, &edge))
        life_effect(life, EFFECT_EDGE, &effect, sizeof(effect));
}

void life_add_edge(struct life *life, enum edge_kind kind, uint64_t other)
{
    add_edge(life, life->who->number, kind, other);
}

static bool drop_edge(struct life *life, uint64_t person, enum edge_kind kind, uint64_t other)
{
    struct effect_edge effect = {.person = person,
                                 .other = other,
                                 .kind = (uint8_t)kind,
                                 .remove = true,
                                 .agency = life->who->row.agency};
    struct state_edge edge;

    if (!has_edge(life, person, kind, other, &edge))
        return false;
    effect.seq = edge.seq;
    life_effect(life, EFFECT_EDGE, &effect, sizeof(effect));
    return true;
}

bool life_drop_edge(struct life *life, enum edge_kind kind, uint64_t other)
{
    return drop_edge(life, life->who->number, kind, other);
}

void life_collide(struct life *life, uint64_t other)
{
    life->who->row.flags |= PERSON_REVIEW;
    life_add_edge(life, EDGE_COLLIDES, other);
}

void life_lead(struct life *life, uint64_t person, struct hash said, bool phone)
{
    struct engine_person other;

    if (!hash_is_none(said) && !engine_find_identity(life->engine, said, phone, &other))
        add_edge(life, person, phone ? EDGE_PHONE : EDGE_EMAIL, hash_place(said));
}

/* Who has another one from now on is still found by the one before: it may come once more. Of what
 * somebody has alone no more than this is kept with an edge. */
static void keep_identity(struct life *life, struct hash before, struct hash now, bool phone)
{
    bool is_alone = life->is_alone;

    if (hash_is_none(before) || hash_equal(before, now))
        return;
    life->is_alone = false;
    life_add_edge(life, phone ? EDGE_PHONE : EDGE_EMAIL, hash_place(before));
    life->is_alone = is_alone;
}

void life_keep_found(struct life *life, const struct person_row *before)
{
    keep_identity(life, before->phone, life->who->row.phone, true);
    keep_identity(life, before->email, life->who->row.email, false);
}

static uint64_t speaker_of(const struct life *life)
{
    return life->speaker != 0 ? life->speaker : life->who->number;
}

bool life_drop_phone(struct life *life, struct hash phone)
{
    return drop_edge(life, speaker_of(life), EDGE_PHONE, hash_place(phone)) ||
           life_drop_edge(life, EDGE_PHONE, hash_place(phone));
}

void life_regain_phone(struct life *life, struct hash phone)
{
    life_lead(life, speaker_of(life), phone, true);
}

void life_found_by(struct life *life, const struct effect_received *facts, bool review)
{
    const struct person_row *row = &life->who->row;
    uint64_t person = speaker_of(life);

    if (!engine_is_own_words(facts, review))
        return;
    if (!hash_equal(facts->phone, row->phone))
        life_lead(life, person, facts->phone, true);
    if (!hash_equal(facts->email, row->email))
        life_lead(life, person, facts->email, false);
}

/* As many as a record takes: what is left is looked at with the next one. */
#define REVIEWED_AT_ONCE 32

void life_reviewed(struct life *life)
{
    struct state *state = life->engine->options.state;
    struct state_edge edge = {0};
    uint64_t from = 0;

    for (unsigned i = 0; i < REVIEWED_AT_ONCE &&
                         state_edge_next(state, life->who->number, EDGE_COLLIDES, from, &edge);
         i++) {
        life_drop_edge(life, EDGE_COLLIDES, edge.other);
        from = edge.other + 1;
    }
    if (!state_edge_next(state, life->who->number, EDGE_COLLIDES, from, &edge))
        life->who->row.flags &= (uint8_t)~PERSON_REVIEW;
}

/* Who was merged is found as the one that is left. */
bool engine_load_kept(struct engine *engine, uint64_t number, struct engine_person *out)
{
    struct state_edge into;

    for (unsigned i = 0; i <= MERGED_MAX; i++) {
        if (!engine_load_person(engine, number, out))
            return false;
        if (out->row.closed != PERSON_MERGED)
            return true;
        if (!state_edge_next(engine->options.state, number, EDGE_MERGED_INTO, 0, &into))
            return false;
        number = into.other;
    }
    return false;
}

bool engine_is_found_by(struct engine *engine, const struct engine_person *who, struct hash hash,
                        bool phone)
{
    uint64_t place = hash_place(hash);
    struct state_edge edge;

    return hash_equal(phone ? who->row.phone : who->row.email, hash) ||
           (state_edge_next(engine->options.state, who->number, phone ? EDGE_PHONE : EDGE_EMAIL,
                            place, &edge) &&
            edge.other == place);
}

/* Who was merged still has what it is found by. */
bool engine_find_identity(struct engine *engine, struct hash hash, bool phone,
                          struct engine_person *out)
{
    struct index_lookup lookup;
    uint64_t number;

    if (hash_is_none(hash))
        return false;
    lookup = index_lookup(engine->options.index, INDEX_IDENTITY, hash, 0);
    while (index_next(&lookup, &number)) {
        if (engine_load_person(engine, number, out) && engine_is_found_by(engine, out, hash, phone))
            return out->row.closed != PERSON_MERGED || engine_load_kept(engine, number, out);
    }
    return false;
}
