/* Who sent whom: said with an opt-in (`referred_by`), or by the outcome `referral` with whom it is
 * about. Somebody who is not known is kept as it was said, and leads to nobody. */
#include <string.h>

#include "proto/email.h"
#include "proto/id.h"
#include "proto/phone.h"
#include "server/engine_internal.h"

static bool find_by_id(struct life *life, struct slice text, struct engine_person *out)
{
    struct engine *engine = life->engine;
    uint64_t number, first_ms;

    return id_parse(text, engine->options.id_key, ID_PERSON, &first_ms, &number) &&
           number <= state_meta(engine->options.state)->people &&
           engine_load_person(engine, number, out) && out->row.first_ms == first_ms &&
           engine_load_kept(engine, number, out);
}

static bool find_by_email(struct life *life, struct slice text, struct engine_person *out)
{
    struct engine *engine = life->engine;
    char bytes[4 * EMAIL_LENGTH_MAX];
    struct text email = text_over(bytes, sizeof(bytes));

    return email_normalise(text, &email) == STATUS_OK && !email.overflow &&
           engine_find_identity(engine,
                                hash_of(engine->options.hash_key, HASH_EMAIL, life->who->row.agency,
                                        text_slice(&email)),
                                false, out);
}

static bool find_by_phone(struct life *life, struct slice text, struct engine_person *out)
{
    struct engine *engine = life->engine;
    const struct site *site = registry_lasting_site(engine->options.registry, life->who->row.site);
    struct phone phone;

    return phone_parse(text, site != NULL ? site->country : "US", &phone) == STATUS_OK &&
           engine_find_identity(engine,
                                hash_of(engine->options.hash_key, HASH_PHONE, life->who->row.agency,
                                        (struct slice){phone.e164, phone.length}),
                                true, out);
}

static bool find_whom(struct life *life, struct slice text, struct engine_person *out)
{
    bool found;

    if (text.length > 4 && memcmp(text.bytes, "per_", 4) == 0)
        found = find_by_id(life, text, out);
    else if (text.length > 0 && memchr(text.bytes, '@', text.length) != NULL)
        found = find_by_email(life, text, out);
    else
        found = text.length > 0 && find_by_phone(life, text, out);
    return found && out->row.agency == life->who->row.agency && out->number != life->who->number;
}

void life_referred_by(struct life *life)
{
    struct engine_person referrer;

    if (find_whom(life, life_field(life, SLICE("referred_by")), &referrer))
        life_add_edge(life, EDGE_REFERRED_BY, referrer.number);
}

void life_refers(struct life *life, const struct heard *heard, uint64_t before)
{
    struct engine_person referred;

    if (heard->outcome != OUTCOME_REFERRAL || !find_whom(life, heard->value, &referred))
        referred.number = 0;
    if (before != 0 && before != referred.number)
        life_drop_edge(life, EDGE_REFERRED, before);
    if (referred.number != 0)
        life_add_edge(life, EDGE_REFERRED, referred.number);
}
