/* The front of the intake: which reader a body goes to, and what is found out about an
 * opt-in before the engine decides. Normalising and hashing are done here, on the loop, so
 * that the writer's thread, which all opt-ins pass one by one, does not have to. */
#include "server/intake/inside.h"

#include <stdlib.h>

#include "proto/email.h"
#include "proto/name.h"
#include "proto/phone.h"

/* Nobody fills in a form in less. */
#define FORM_AGE_MIN_MS 2000
/* `_t` from here up is a moment, below an age: 10^11 ms are 3 years, or March 1973. */
#define FORM_MOMENT_MIN 100000000000u

struct intake *intake_open(const struct hash_key *hash_key)
{
    struct intake *intake = malloc(sizeof(*intake));
    if (!intake)
        return NULL;

    intake->hash_key = *hash_key;
    intake->now_ms = 0;
    intake->json = json_open(INTAKE_BATCH_BYTES_MAX);
    if (!intake->json) {
        free(intake);
        return NULL;
    }
    return intake;
}

void intake_close(struct intake *intake)
{
    if (!intake)
        return;
    json_close(intake->json);
    free(intake);
}

void intake_now(struct intake *intake, uint64_t now_ms)
{
    intake->now_ms = now_ms;
}

/* --- reading ------------------------------------------------------------------ */

static bool blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice intake_trimmed(struct slice text)
{
    while (text.length > 0 && blank(text.bytes[0])) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && blank(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

struct slice intake_media_type(struct slice content_type)
{
    const char *end =
        content_type.length > 0 ? memchr(content_type.bytes, ';', content_type.length) : NULL;

    if (end)
        content_type.length = (size_t)(end - content_type.bytes);
    return intake_trimmed(content_type);
}

/* Browsers declare no charset here. A program that declares one which is not known can be
 * mended; what it sends would be stored as gibberish. */
static enum intake_shape form_in_known_charset(enum intake_shape shape, struct slice content_type)
{
    return charset_of_type(content_type) == CHARSET_UNKNOWN ? INTAKE_OTHER : shape;
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.length >= end.length &&
           slice_equal_ignoring_case(
               (struct slice){text.bytes + text.length - end.length, end.length}, end);
}

enum intake_shape intake_shape(struct slice content_type)
{
    struct slice type = intake_media_type(content_type);

    /* JSON is UTF-8 whatever its header says (RFC 8259), and is checked to be. */
    if (type.length == 0 || slice_equal_ignoring_case(type, SLICE("application/json")) ||
        slice_equal_ignoring_case(type, SLICE("text/json")) || ends_with(type, SLICE("+json")))
        return INTAKE_JSON;
    if (slice_equal_ignoring_case(type, SLICE("text/plain")))
        return INTAKE_PLAIN;
    if (slice_equal_ignoring_case(type, SLICE("application/x-www-form-urlencoded")))
        return form_in_known_charset(INTAKE_FORM, content_type);
    if (slice_equal_ignoring_case(type, SLICE("multipart/form-data")))
        return form_in_known_charset(INTAKE_MULTIPART, content_type);
    return INTAKE_OTHER;
}

/* What may be JSON or a form of that shape is JSON when it begins like it. */
static enum intake_shape json_or(enum intake_shape form, struct slice body)
{
    struct slice text = intake_trimmed(body);

    return text.length > 0 && text.bytes[0] == '{' ? INTAKE_JSON : form;
}

void intake_settle_age(const struct intake *intake, struct optin *optin)
{
    if (optin->form_age_ms < FORM_MOMENT_MIN)
        return;
    /* A moment that has not come yet is another clock's, and says nothing. */
    bool usable = intake->now_ms > optin->form_age_ms;
    optin->form_age_ms = usable ? intake->now_ms - optin->form_age_ms : 0;
}

enum status intake_read(struct intake *intake, enum intake_shape shape, struct slice content_type,
                        struct slice body, struct optin *optin)
{
    optin_clear(optin);
    if (body.length > OPTIN_BYTES_MAX)
        return STATUS_TOO_LARGE;
    if (shape == INTAKE_JSON && content_type.length == 0)
        shape = json_or(INTAKE_FORM, body);
    else if (shape == INTAKE_PLAIN)
        shape = json_or(INTAKE_PLAIN, body);
    switch (shape) {
    case INTAKE_JSON:
        return intake_read_json(intake, body, optin);
    case INTAKE_FORM:
    case INTAKE_MULTIPART:
    case INTAKE_PLAIN:
        return intake_read_form(intake, &(struct intake_form){shape, content_type, body}, optin);
    case INTAKE_OTHER:
        break;
    }
    return STATUS_MEDIA_TYPE;
}

/* --- facts -------------------------------------------------------------------- */

/* Two letters in capitals, from the visitor's own country or else the site's. */
static void country_of(const struct optin *optin, const struct site *site, char out[2])
{
    struct slice said = intake_trimmed(optin->text[OPTIN_COUNTRY]);

    memcpy(out, site->country, 2);
    if (said.length != 2)
        return;
    char upper[2] = {(char)(said.bytes[0] & ~0x20), (char)(said.bytes[1] & ~0x20)};
    if (upper[0] >= 'A' && upper[0] <= 'Z' && upper[1] >= 'A' && upper[1] <= 'Z')
        memcpy(out, upper, 2);
}

/* Numbers that cost the caller dearly are how forms are abused, so no site calls those, and
 * one that lists its countries calls no others. */
static bool site_calls(const struct site *site, const struct phone *phone)
{
    if (phone->range == PHONE_PREMIUM || phone->range == PHONE_SATELLITE)
        return false;
    for (size_t i = 0; i < site->country_count; i++) {
        if (slice_equal_ignoring_case(site->countries[i], slice_of(phone->country)))
            return true;
    }
    return site->country_count == 0;
}

/* A dialer wants the number as it is dialled, so the task carries what was understood; the
 * opt-in keeps what was typed as well. True: it is somebody's number. Where the site does not call
 * it, it is flagged and reaches nobody, as a name alone does. */
static bool find_phone(struct intake *intake, const struct site *site, struct optin *optin,
                       struct effect_received *facts)
{
    struct slice typed = intake_trimmed(optin->text[OPTIN_PHONE]);
    struct phone phone;
    char country[2];

    if (typed.length == 0)
        return false;
    country_of(optin, site, country);
    bool exists = phone_parse(typed, country, &phone) == STATUS_OK;
    if (!exists || !site_calls(site, &phone)) {
        facts->flags |= INTAKE_BAD_PHONE;
        return exists;
    }
    memcpy(intake->e164, phone.e164, phone.length);
    optin->text[OPTIN_PHONE_E164] = (struct slice){intake->e164, phone.length};
    facts->phone =
        hash_of(&intake->hash_key, HASH_PHONE, site->agency, optin->text[OPTIN_PHONE_E164]);
    return true;
}

static void find_email(struct intake *intake, const struct site *site, struct optin *optin,
                       struct effect_received *facts)
{
    struct slice typed = intake_trimmed(optin->text[OPTIN_EMAIL]);
    struct text normal = text_over(intake->email, sizeof(intake->email));

    if (typed.length == 0)
        return;
    if (email_normalise(typed, &normal) != STATUS_OK) {
        facts->flags |= INTAKE_BAD_EMAIL;
        return;
    }
    optin->normal_email = text_slice(&normal);
    facts->email = hash_of(&intake->hash_key, HASH_EMAIL, site->agency, optin->normal_email);
}

static bool has_name(const struct optin *optin)
{
    return intake_trimmed(optin->text[OPTIN_NAME]).length > 0 ||
           intake_trimmed(optin->text[OPTIN_FIRST_NAME]).length > 0 ||
           intake_trimmed(optin->text[OPTIN_LAST_NAME]).length > 0;
}

/* What only some opt-ins have, so that nobody looks for it in the others. */
static uint8_t more_of(const struct optin *optin)
{
    uint8_t more = name_is_given(optin) ? INTAKE_NAMED : 0;

    for (size_t i = 0; i < optin->extra_count; i++)
        if (slice_equal(optin->extra[i].name, SLICE("referred_by")))
            more |= INTAKE_REFERRED;
    return more;
}

static bool like_a_robot(const struct optin *optin)
{
    return optin->honeypot || (optin->form_age_ms > 0 && optin->form_age_ms < FORM_AGE_MIN_MS);
}

/* A list that the agency brings in asked for nothing just now, so nobody has five minutes. */
static bool is_imported(const struct optin *optin, enum credential credential)
{
    struct slice kind = optin->text[OPTIN_SOURCE_KIND];

    return credential == CREDENTIAL_SECRET &&
           (slice_equal(kind, SLICE("import")) || slice_equal(kind, SLICE("imported")));
}

static uint8_t flags_of(const struct optin *optin, enum credential credential, bool suspect)
{
    uint8_t flags = 0;

    if (is_imported(optin, credential))
        flags |= INTAKE_IMPORTED;

    if (optin->test == OPTIN_YES)
        flags |= INTAKE_TEST;
    if (suspect || like_a_robot(optin))
        flags |= INTAKE_SUSPECT;
    if (has_name(optin))
        flags |= INTAKE_NAME;
    if (optin->consent_given == OPTIN_YES && optin->text[OPTIN_CONSENT_TEXT].length > 0)
        flags |= INTAKE_CONSENT;
    return flags;
}

static enum status identified(const struct effect_received *facts, bool has_phone)
{
    if (has_phone || !hash_is_none(facts->email) || (facts->flags & INTAKE_NAME))
        return STATUS_OK;
    return facts->flags & (INTAKE_BAD_PHONE | INTAKE_BAD_EMAIL) ? STATUS_BAD_IDENTIFIER
                                                                : STATUS_NO_IDENTIFIER;
}

enum status intake_facts(struct intake *intake, const struct site *site, enum credential credential,
                         struct slice event, bool suspect, struct optin *optin,
                         struct effect_received *facts_out)
{
    *facts_out = (struct effect_received){
        .site = site->number,
        .credential = (uint8_t)credential,
        .flags = flags_of(optin, credential, suspect),
        .more = more_of(optin),
        .source = source_hash(&intake->hash_key, site->agency, optin->text[OPTIN_SOURCE_KIND]),
        .campaign = source_hash(&intake->hash_key, site->agency, optin->text[OPTIN_UTM_CAMPAIGN]),
    };
    bool has_phone = find_phone(intake, site, optin, facts_out);
    find_email(intake, site, optin, facts_out);
    enum status status = identified(facts_out, has_phone);
    if (status != STATUS_OK)
        return status;

    /* The same id from a browser and from the agency's server are two ids. */
    uint64_t event_scope = (uint64_t)site->number << 8 | (uint64_t)credential;
    if (event.length > 0)
        facts_out->event = hash_of(&intake->hash_key, HASH_IDEMPOTENCY, event_scope, event);
    facts_out->content = optin_content(optin, &intake->hash_key, site->number);
    return STATUS_OK;
}

enum status intake_encode(struct intake *intake, const struct optin *optin,
                          struct slice *payload_out)
{
    size_t length = optin_encode(optin, intake->stored, sizeof(intake->stored));

    *payload_out = (struct slice){intake->stored, length};
    return length > 0 ? STATUS_OK : STATUS_TOO_LARGE;
}
