/* Opt-ins as clients send them, in JSON or as the pairs of a form.
 *
 * Nobody is refused for a field that is optional: neither the visitor in front of a form nor the
 * program that posts JSON for one can mend a hidden field, and who asked to be called would be
 * lost. A value that makes no sense, or for which there is no place because the key had one
 * already, is kept among the extras and the opt-in counts. */
#include "proto/optin.h"
#include "proto/optin_alias.h"

/* What a key means: a text field by its own number, or one of these. */
enum member {
    MEMBER_UNKNOWN = 0,
    MEMBER_TEST = OPTIN_TEXT_END,
    MEMBER_SUBMITTED_AT,
    MEMBER_CONSENT,
    MEMBER_CONSENT_GIVEN,
    MEMBER_FIELDS,
    MEMBER_HONEYPOT,
    MEMBER_FORM_AGE,
    MEMBER_REDIRECT,
};

#define IS(literal) (memcmp(key.bytes, (literal), sizeof(literal) - 1) == 0)

/* By length first: at most four comparisons of a known size, for every key of every opt-in. */
static unsigned member_of(struct slice key)
{
    switch (key.length) {
    case 2:
        return IS("_t") ? MEMBER_FORM_AGE : MEMBER_UNKNOWN;
    case 3:
        return IS("_hp") ? MEMBER_HONEYPOT : MEMBER_UNKNOWN;
    case 4:
        return IS("name") ? OPTIN_NAME : IS("test") ? MEMBER_TEST : MEMBER_UNKNOWN;
    case 5:
        return IS("email")   ? OPTIN_EMAIL
               : IS("phone") ? OPTIN_PHONE
               : IS("title") ? OPTIN_TITLE
               : IS("gclid") ? OPTIN_GCLID
                             : MEMBER_UNKNOWN;
    case 6:
        return IS("utm_id")   ? OPTIN_UTM_ID
               : IS("fbclid") ? OPTIN_FBCLID
               : IS("fields") ? MEMBER_FIELDS
                              : MEMBER_UNKNOWN;
    case 7:
        return IS("company")   ? OPTIN_COMPANY
               : IS("country") ? OPTIN_COUNTRY
               : IS("consent") ? MEMBER_CONSENT
                               : MEMBER_UNKNOWN;
    case 8:
        return IS("page_url")   ? OPTIN_PAGE_URL
               : IS("referrer") ? OPTIN_REFERRER
               : IS("timezone") ? OPTIN_TIMEZONE
               : IS("utm_term") ? OPTIN_UTM_TERM
               : IS("event_id") ? OPTIN_EVENT_ID
                                : MEMBER_UNKNOWN;
    case 9:
        return IS("last_name")   ? OPTIN_LAST_NAME
               : IS("_redirect") ? MEMBER_REDIRECT
                                 : MEMBER_UNKNOWN;
    case 10:
        return IS("first_name")   ? OPTIN_FIRST_NAME
               : IS("utm_source") ? OPTIN_UTM_SOURCE
               : IS("utm_medium") ? OPTIN_UTM_MEDIUM
                                  : MEMBER_UNKNOWN;
    case 11:
        return IS("utm_content")   ? OPTIN_UTM_CONTENT
               : IS("postal_code") ? OPTIN_POSTAL_CODE
               : IS("source_kind") ? OPTIN_SOURCE_KIND
                                   : MEMBER_UNKNOWN;
    case 12:
        return IS("utm_campaign")   ? OPTIN_UTM_CAMPAIGN
               : IS("submitted_at") ? MEMBER_SUBMITTED_AT
               : IS("consent.text") ? OPTIN_CONSENT_TEXT
                                    : MEMBER_UNKNOWN;
    case 13:
        return IS("consent.given") ? MEMBER_CONSENT_GIVEN : MEMBER_UNKNOWN;
    case 15:
        return IS("consent.version") ? OPTIN_CONSENT_VERSION : MEMBER_UNKNOWN;
    case 16:
        return IS("consent.channels")   ? OPTIN_CONSENT_CHANNELS
               : IS("consent.cert_url") ? OPTIN_CONSENT_CERT_URL
                                        : MEMBER_UNKNOWN;
    default:
        return MEMBER_UNKNOWN;
    }
}

#undef IS

enum optin_text optin_field(struct slice key)
{
    unsigned member = member_of(key);

    return member < OPTIN_TEXT_END ? (enum optin_text)member : 0;
}

/* The first that says something wins. False: another one says something else. */
static bool set_text(struct optin *optin, unsigned field, struct slice text)
{
    struct slice *held = &optin->text[field];

    if (held->length == 0)
        *held = text;
    return text.length == 0 || slice_equal(*held, text);
}

/* The part of scratch that was written since it was `start` long. */
static struct slice since(const struct text *scratch, size_t start)
{
    return (struct slice){scratch->bytes + start, scratch->length - start};
}

static bool answer_of(struct slice text, enum optin_answer *out)
{
    static const struct slice yes[] = {SLICE("true"), SLICE("1"), SLICE("on"), SLICE("yes"),
                                       SLICE("y")};
    static const struct slice no[] = {SLICE("false"), SLICE("0"), SLICE("off"), SLICE("no"),
                                      SLICE("n")};

    if (text.length == 0)
        return true;
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        if (slice_equal_ignoring_case(text, yes[i])) {
            *out = OPTIN_YES;
            return true;
        }
        if (slice_equal_ignoring_case(text, no[i])) {
            *out = OPTIN_NO;
            return true;
        }
    }
    return false;
}

/* Decimal digits to the end; false: none, others, or more than 64 bits. */
static bool uint_of(struct slice text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || __builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (unsigned)(text.bytes[i] - '0'), out))
            return false;
    }
    return text.length > 0;
}

/* --- JSON -------------------------------------------------------------------- */

/* A string, or a number as its text. *out is empty for null; false: another type. */
static bool scalar_text(struct json_value value, struct text *scratch, struct slice *out)
{
    size_t start = scratch->length;

    if (json_string(value, out) || json_digits(value, out))
        return true;
    *out = (struct slice){0};
    switch (value.type) {
    case JSON_NULL:
        return true;
    case JSON_INT:
    case JSON_UINT:
    case JSON_DOUBLE:
        json_write(scratch, value);
        *out = since(scratch, start);
        return true;
    default:
        return false;
    }
}

static bool text_from_json(struct optin *optin, unsigned field, struct json_value value,
                           struct text *scratch)
{
    struct slice text;

    return scalar_text(value, scratch, &text) && set_text(optin, field, text);
}

static bool answer_from_json(struct json_value value, struct text *scratch, enum optin_answer *out)
{
    struct slice text;
    bool yes;

    if (json_bool(value, &yes)) {
        *out = yes ? OPTIN_YES : OPTIN_NO;
        return true;
    }
    return scalar_text(value, scratch, &text) && answer_of(text, out);
}

static bool time_from_json(struct json_value value, struct text *scratch, uint64_t *ms_out)
{
    struct slice text;

    if (!scalar_text(value, scratch, &text))
        return false;
    return text.length == 0 || optin_parse_time(text, ms_out);
}

/* Kept as a JSON array of strings; one string counts as an array of it. */
static bool channels_from_json(struct optin *optin, struct json_value value, struct text *scratch)
{
    size_t start = scratch->length, count = 0;
    struct json_walk walk = json_walk(value);
    struct json_value channel;
    struct slice name, single;

    if (value.type == JSON_NULL || (json_string(value, &single) && single.length == 0))
        return true;
    if (value.type != JSON_STRING && value.type != JSON_ARRAY)
        return false;
    for (; json_next(&walk, &name, &channel); count++) {
        if (channel.type != JSON_STRING)
            return false;
    }
    if (value.type == JSON_ARRAY && count == 0)
        return true;

    if (value.type == JSON_STRING)
        text_char(scratch, '[');
    json_write(scratch, value);
    if (value.type == JSON_STRING)
        text_char(scratch, ']');
    return set_text(optin, OPTIN_CONSENT_CHANNELS, since(scratch, start));
}

/* Anything in the field that people do not see. */
static bool filled_in(struct json_value value)
{
    struct slice text;
    bool ticked;

    if (json_string(value, &text))
        return text.length > 0;
    if (json_bool(value, &ticked))
        return ticked;
    return value.type != JSON_NULL;
}

static struct optin_extra *find_extra(struct optin *optin, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(optin->extra[i].name, name))
            return &optin->extra[i];
    }
    return NULL;
}

/* The next free one; NULL: there are too many. */
static struct optin_extra *add_extra(struct optin *optin, struct slice name)
{
    if (optin->extra_count == OPTIN_FIELDS_MAX)
        return NULL;
    struct optin_extra *extra = &optin->extra[optin->extra_count++];
    *extra = (struct optin_extra){.name = name};
    return extra;
}

/* Opens what a name has so far for one more value: "a" becomes ["a", and the caller writes the
 * rest. Where an array is the last thing in scratch, as in a group of check boxes, it grows in
 * place. Returns where it starts. */
static size_t open_array(struct slice json, struct text *scratch)
{
    bool array = json.length > 0 && json.bytes[0] == '[';
    bool empty = array && json.length == 2;
    bool last = json.bytes + json.length == scratch->bytes + scratch->length;
    size_t start = array && last ? scratch->length - json.length : scratch->length;

    if (array && last) {
        scratch->length--;
    } else {
        if (!array)
            text_char(scratch, '[');
        text_bytes(scratch, json.bytes, array ? json.length - 1 : json.length);
    }
    if (!empty)
        text_char(scratch, ',');
    return start;
}

static struct slice json_text(struct json_value value, struct text *scratch)
{
    size_t start = scratch->length;

    json_write(scratch, value);
    return since(scratch, start);
}

/* A key that may stand among the first `known` extras already; then both values are kept. */
static enum status extra_from_json(struct optin *optin, size_t known, struct slice name,
                                   struct json_value value, struct text *scratch)
{
    struct optin_extra *extra = find_extra(optin, known, name);
    size_t start = scratch->length;
    struct slice json = json_text(value, scratch);

    if (extra && !slice_equal(extra->json, json)) {
        scratch->length = start;
        start = open_array(extra->json, scratch);
        json_write(scratch, value);
        text_char(scratch, ']');
        json = since(scratch, start);
    } else if (!extra) {
        extra = add_extra(optin, name);
    }
    if (!extra || scratch->overflow)
        return STATUS_TOO_LARGE;
    extra->json = json;
    return STATUS_OK;
}

static unsigned consent_member(struct slice key)
{
    static const struct {
        struct slice key;
        unsigned member;
    } members[] = {
        {SLICE("text"), OPTIN_CONSENT_TEXT},         {SLICE("given"), MEMBER_CONSENT_GIVEN},
        {SLICE("version"), OPTIN_CONSENT_VERSION},   {SLICE("channels"), OPTIN_CONSENT_CHANNELS},
        {SLICE("cert_url"), OPTIN_CONSENT_CERT_URL},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        if (slice_equal(members[i].key, key))
            return members[i].member;
    }
    return MEMBER_UNKNOWN;
}

static struct slice consent_key(struct slice key, struct text *scratch)
{
    size_t start = scratch->length;

    text_string(scratch, "consent.");
    text_add(scratch, key);
    return since(scratch, start);
}

/* Keys whose value stands on its own. False: the value is of no use. */
static bool scalar_from_json(struct optin *optin, unsigned member, struct json_value value,
                             struct text *scratch)
{
    struct slice text;

    switch (member) {
    case OPTIN_CONSENT_CHANNELS:
        return channels_from_json(optin, value, scratch);
    case MEMBER_TEST:
        return answer_from_json(value, scratch, &optin->test);
    case MEMBER_CONSENT_GIVEN:
        return answer_from_json(value, scratch, &optin->consent_given);
    case MEMBER_SUBMITTED_AT:
        return time_from_json(value, scratch, &optin->submitted_ms);
    case MEMBER_HONEYPOT:
        optin->honeypot = filled_in(value);
        return true;
    case MEMBER_FORM_AGE:
        return scalar_text(value, scratch, &text) &&
               (text.length == 0 || uint_of(text, &optin->form_age_ms));
    case MEMBER_REDIRECT:
        return scalar_text(value, scratch, &optin->redirect);
    default:
        return text_from_json(optin, member, value, scratch);
    }
}

/* A known key, or else, where its value is of no use, one more extra. */
static enum status member_from_json(struct optin *optin, unsigned member, size_t known,
                                    struct slice name, struct json_value value,
                                    struct text *scratch)
{
    size_t start = scratch->length;

    if (member != MEMBER_UNKNOWN && scalar_from_json(optin, member, value, scratch))
        return STATUS_OK;
    scratch->length = start;
    return extra_from_json(optin, known, name, value, scratch);
}

static enum status consent_from_json(struct optin *optin, struct json_value consent,
                                     struct text *scratch)
{
    struct json_walk walk = json_walk(consent);
    enum status status = STATUS_OK;
    struct json_value value;
    struct slice key;

    /* A serialised form says it by its checkbox. */
    if (consent.type != JSON_OBJECT)
        return member_from_json(optin, MEMBER_CONSENT_GIVEN, 0, SLICE("consent"), consent, scratch);
    while (status == STATUS_OK && json_next(&walk, &key, &value))
        status = member_from_json(optin, consent_member(key), optin->extra_count,
                                  consent_key(key, scratch), value, scratch);
    return status;
}

static enum status fields_from_json(struct optin *optin, struct json_value fields,
                                    struct text *scratch)
{
    struct json_walk walk = json_walk(fields);
    enum status status = STATUS_OK;
    struct json_value value;
    struct slice key;
    size_t outer = optin->extra_count;

    if (fields.type == JSON_NULL)
        return STATUS_OK;
    if (fields.type != JSON_OBJECT)
        return extra_from_json(optin, 0, SLICE("fields"), fields, scratch);
    while (status == STATUS_OK && json_next(&walk, &key, &value))
        status = extra_from_json(optin, outer, key, value, scratch);
    return status;
}

enum status optin_from_json(struct json_value object, struct text *scratch, struct optin *out)
{
    struct json_walk walk = json_walk(object);
    struct json_value value, consent = {.type = JSON_NULL}, fields = {.type = JSON_NULL};
    struct slice key;
    enum status status = STATUS_OK;

    optin_clear(out);
    if (object.type != JSON_OBJECT)
        return STATUS_MALFORMED;
    while (status == STATUS_OK && json_next(&walk, &key, &value)) {
        unsigned member = member_of(key);
        if (member == MEMBER_CONSENT)
            consent = value;
        else if (member == MEMBER_FIELDS)
            fields = value;
        else
            status = member_from_json(out, member, 0, key, value, scratch);
    }

    /* Last, so that what they share with the outer object is found there. */
    if (status == STATUS_OK)
        status = consent_from_json(out, consent, scratch);
    if (status == STATUS_OK)
        status = fields_from_json(out, fields, scratch);
    return status == STATUS_OK && scratch->overflow ? STATUS_TOO_LARGE : status;
}

/* --- forms ------------------------------------------------------------------- */

static struct slice with_value(struct slice json, struct slice value, struct text *scratch)
{
    size_t start = open_array(json, scratch);

    text_json_string(scratch, value);
    text_char(scratch, ']');
    return since(scratch, start);
}

static struct slice json_of(struct slice value, bool in_array, struct text *scratch)
{
    size_t start = scratch->length;

    if (in_array)
        text_char(scratch, '[');
    text_json_string(scratch, value);
    if (in_array)
        text_char(scratch, ']');
    return since(scratch, start);
}

static enum status extra_from_pair(struct optin *optin, struct slice name, struct slice value,
                                   struct text *scratch)
{
    struct optin_extra *extra = find_extra(optin, optin->extra_count, name);
    struct slice json =
        extra ? with_value(extra->json, value, scratch) : json_of(value, false, scratch);

    if (scratch->overflow)
        return STATUS_TOO_LARGE;
    if (!extra)
        extra = add_extra(optin, name);
    if (!extra)
        return STATUS_TOO_LARGE;
    extra->json = json;
    return STATUS_OK;
}

static enum status channel_from_pair(struct optin *optin, struct slice value, struct text *scratch)
{
    struct slice *channels = &optin->text[OPTIN_CONSENT_CHANNELS];

    if (value.length == 0)
        return STATUS_OK;
    struct slice json = channels->length > 0 ? with_value(*channels, value, scratch)
                                             : json_of(value, true, scratch);
    if (scratch->overflow)
        return STATUS_TOO_LARGE;
    *channels = json;
    return STATUS_OK;
}

/* Names as PHP reads them: consent[text] is consent.text, consent[channels][] a group. */
static unsigned form_member(struct slice name)
{
    static const struct slice prefix = SLICE("consent["), group = SLICE("[]");
    unsigned member = member_of(name);

    if (member != MEMBER_UNKNOWN)
        return member;
    if (name.length > group.length &&
        memcmp(name.bytes + name.length - group.length, group.bytes, group.length) == 0)
        name.length -= group.length;
    if (name.length <= prefix.length || memcmp(name.bytes, prefix.bytes, prefix.length) != 0 ||
        name.bytes[name.length - 1] != ']')
        return member_of(name);
    return consent_member(
        (struct slice){name.bytes + prefix.length, name.length - prefix.length - 1});
}

/* What a pair says to the field that it means. */
static enum status pair_to(struct optin *optin, unsigned member, struct slice name,
                           struct slice value, struct text *scratch)
{
    bool understood = true;

    switch (member) {
    case MEMBER_UNKNOWN:
    case MEMBER_FIELDS:
        understood = false;
        break;
    case MEMBER_TEST:
        understood = answer_of(value, &optin->test);
        break;
    case MEMBER_CONSENT:
    case MEMBER_CONSENT_GIVEN:
        understood = answer_of(value, &optin->consent_given);
        break;
    case MEMBER_SUBMITTED_AT:
        understood = value.length == 0 || optin_parse_time(value, &optin->submitted_ms);
        break;
    case MEMBER_HONEYPOT:
        optin->honeypot = optin->honeypot || value.length > 0;
        break;
    case MEMBER_FORM_AGE:
        understood = value.length == 0 || uint_of(value, &optin->form_age_ms);
        break;
    case MEMBER_REDIRECT:
        if (optin->redirect.length == 0)
            optin->redirect = value;
        break;
    case OPTIN_CONSENT_CHANNELS:
        return channel_from_pair(optin, value, scratch);
    default:
        understood = set_text(optin, member, value);
    }
    return understood ? STATUS_OK : extra_from_pair(optin, name, value, scratch);
}

static bool hold(struct optin_aliases *aliases, struct slice name, struct slice value)
{
    struct slice key;

    if (aliases->count == OPTIN_ALIASES_MAX)
        return false;
    key = optin_alias(name);
    if (key.length == 0)
        return false;
    aliases->held[aliases->count].key = key;
    aliases->held[aliases->count].name = name;
    aliases->held[aliases->count++].value = value;
    return true;
}

enum status optin_from_pair(struct optin *optin, struct optin_aliases *aliases, struct slice name,
                            struct slice value, struct text *scratch)
{
    unsigned member = form_member(name);

    if (member == MEMBER_UNKNOWN && aliases != NULL && hold(aliases, name, value))
        return STATUS_OK;
    return pair_to(optin, member, name, value, scratch);
}

enum status optin_settle_aliases(struct optin *optin, const struct optin_aliases *aliases,
                                 struct text *scratch)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < aliases->count && status == STATUS_OK; i++) {
        unsigned member = member_of(aliases->held[i].key);
        if (member == MEMBER_CONSENT && optin->consent_given != OPTIN_UNSAID)
            member = MEMBER_UNKNOWN;
        status = pair_to(optin, member, aliases->held[i].name, aliases->held[i].value, scratch);
    }
    return status;
}
