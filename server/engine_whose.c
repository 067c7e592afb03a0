/* Whose words are those of an opt-in that came to somebody while others were merged into it: who is
 * gone by now, or goes, is found by what is theirs. */
#include "proto/email.h"
#include "proto/name.h"
#include "server/engine_joining.h"

bool joining_read(const struct joining *joining, uint64_t seq, struct record_view *out)
{
    return journal_batch_read(joining->engine->options.journal, seq, out) == STATUS_OK;
}

bool joining_is_of(const struct joining *joining, uint64_t person, uint64_t whom)
{
    struct state_edge into;

    for (unsigned i = 0; i <= MERGED_MAX && person != whom; i++) {
        if (!state_edge_next(joining->engine->options.state, person, EDGE_MERGED_INTO, 0, &into))
            return false;
        person = into.other;
    }
    return person == whom;
}

/* Of the kept one, or of somebody who stays merged into it. */
static bool joining_is_ours(const struct joining *joining, uint64_t person)
{
    return joining_is_of(joining, person, joining->kept.number) &&
           !joining_is_of(joining, person, joining->other.number);
}

struct from joining_from(const struct joining *joining, uint64_t seq)
{
    struct engine *engine = joining->engine;
    uint32_t agency = joining->kept.row.agency;
    char bytes[EMAIL_LENGTH_MAX + 1];
    struct text email = text_over(bytes, sizeof(bytes));
    struct optin *words = engine->known;
    struct record_view record;
    struct from from = {.is_named = false};
    struct effect_optin optin;
    struct slice phone;

    if (!joining_read(joining, seq, &record) ||
        (record.header.kind == RECORD_DECIDED && /* the words came before it */
         effect_find(&record, EFFECT_OPTIN, &optin, sizeof(optin)) &&
         !joining_read(joining, optin.optin_seq, &record)) ||
        record.payload.length == 0 || optin_decode(record.payload, words) != STATUS_OK)
        return from;
    phone = optin_e164(words);
    if (phone.length > 0)
        from.phone = hash_of(engine->options.hash_key, HASH_PHONE, agency, phone);
    if (words->text[OPTIN_EMAIL].length > 0 &&
        email_normalise(words->text[OPTIN_EMAIL], &email) == STATUS_OK)
        from.email = hash_of(engine->options.hash_key, HASH_EMAIL, agency, text_slice(&email));
    from.is_named = name_is_given(words);
    return from;
}

/* By all but the kept one, which has that of others as well. */
static enum whose whose_by_people(const struct joining *joining, struct hash hash, bool phone)
{
    const struct person_row *row = &joining->kept.row;
    struct index_lookup lookup;
    enum whose whose = NOBODYS;
    uint64_t number;

    if (hash_is_none(hash))
        return NOBODYS;
    if (hash_equal(hash, phone ? row->phone : row->email))
        return OURS;
    lookup = index_lookup(joining->engine->options.index, INDEX_IDENTITY, hash, 0);
    while (index_next(&lookup, &number)) {
        struct engine_person who;
        if (number == joining->kept.number || !engine_load_person(joining->engine, number, &who) ||
            !engine_is_found_by(joining->engine, &who, hash, phone))
            continue;
        if (joining_is_ours(joining, number))
            return OURS;
        whose = THEIRS;
    }
    return whose;
}

/* What leads to the kept one beside its own came with something else, which tells whose it is. */
enum whose joining_whose(const struct joining *joining, struct hash hash, bool phone)
{
    enum whose whose = whose_by_people(joining, hash, phone);
    uint64_t place = hash_place(hash);
    struct state_edge edge;
    struct from from;

    if (whose != NOBODYS || hash_is_none(hash) ||
        !state_edge_next(joining->engine->options.state, joining->kept.number,
                         phone ? EDGE_PHONE : EDGE_EMAIL, place, &edge) ||
        edge.other != place)
        return whose;
    from = joining_from(joining, edge.seq);
    return whose_by_people(joining, phone ? from.email : from.phone, !phone) == THEIRS ? THEIRS
                                                                                       : OURS;
}

/* The phone comes first, as when an opt-in's person is looked for. What is new is its own. */
enum whose joining_whose_words(const struct joining *joining, const struct from *from)
{
    enum whose whose = joining_whose(joining, from->phone, true);

    if (whose == NOBODYS)
        whose = joining_whose(joining, from->email, false);
    return whose == NOBODYS ? OURS : whose;
}

bool joining_is_others(const struct joining *joining, uint64_t seq)
{
    struct record_view record;
    struct from from;

    if (seq == 0 || !joining_read(joining, seq, &record))
        return false;
    if (record.header.person != 0 && record.header.person != joining->kept.number)
        return !joining_is_ours(joining, record.header.person);
    from = joining_from(joining, seq);
    return joining_whose_words(joining, &from) == THEIRS;
}
