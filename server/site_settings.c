#include "server/site_settings.h"

#include "proto/must.h"

#define NAME_BYTES_MAX 200
#define SECONDS_MAX    (366ull * 86400)
#define RATE_MAX       1000000
#define CAPACITY_MAX   100000
#define MOMENT_MAX     253402300799999ull /* the year 9999 */

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG, FIELD_LIST };
enum field_flag { FIELD_NEEDED = 1, FIELD_FIXED = 2 };

typedef bool field_sound_fn(struct slice text);

/* One setting. `sound` looks at a text or at each item of a list; numbers are within least
 * and most, flags are numbers that JSON calls true and false, lists have at most `most` items. */
struct field {
    const char *name;
    enum field_type type;
    unsigned flags; /* enum field_flag */
    size_t offset;  /* in struct settings */
    field_sound_fn *sound;
    uint64_t least, most;
};

static bool is_one_of(struct slice text, const char *const *words)
{
    for (; *words; words++)
        if (slice_equal(text, slice_of(*words)))
            return true;
    return false;
}

static bool is_id_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
}

static bool is_id(struct slice text, bool dots)
{
    if (text.length == 0 || text.length > SITE_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!is_id_byte(text.bytes[i]) && !(dots && text.bytes[i] == '.'))
            return false;
    return true;
}

/* An agency's id has no dot, because a queue's name is the agency's, a dot and the rest. */
static bool sound_agency(struct slice text)
{
    return is_id(text, false);
}

static bool sound_id(struct slice text)
{
    return is_id(text, true);
}

static bool sound_name(struct slice text)
{
    return text.length <= NAME_BYTES_MAX;
}

static bool sound_shape(struct slice text)
{
    return is_one_of(text, (const char *[]){"zset", "list", NULL});
}

static bool sound_policy(struct slice text)
{
    return is_one_of(text, (const char *[]){"except_first_response", "always", NULL});
}

static bool sound_role(struct slice text)
{
    return is_one_of(text, (const char *[]){"agent", "manager", "admin", NULL});
}

static bool sound_agent_role(struct slice text)
{
    return is_one_of(
        text, (const char *[]){"lead_generator", "business_development", "sales", "manager", NULL});
}

static bool sound_assign(struct slice text)
{
    return is_one_of(text,
                     (const char *[]){"pool", "round_robin", "weighted", "owner_first", NULL});
}

static bool sound_country(struct slice text)
{
    return text.length == 2 && text.bytes[0] >= 'A' && text.bytes[0] <= 'Z' &&
           text.bytes[1] >= 'A' && text.bytes[1] <= 'Z';
}

static bool sound_hash(struct slice text)
{
    if (text.length != SECRET_HASH_TEXT)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!((text.bytes[i] >= '0' && text.bytes[i] <= '9') ||
              (text.bytes[i] >= 'a' && text.bytes[i] <= 'f')))
            return false;
    return true;
}

static bool sound_yaml(struct slice text)
{
    return text.length <= PLAYBOOK_CANONICAL_MAX;
}

static bool sound_public_key(struct slice text)
{
    return text.length > 3 && text.length < SECRET_TEXT_MAX && memcmp(text.bytes, "pk_", 3) == 0;
}

/* --- URLs ------------------------------------------------------------------- */

static size_t scheme_length(struct slice url)
{
    if (url.length > 8 &&
        slice_equal_ignoring_case((struct slice){url.bytes, 8}, SLICE("https://")))
        return 8;
    if (url.length > 7 && slice_equal_ignoring_case((struct slice){url.bytes, 7}, SLICE("http://")))
        return 7;
    return 0;
}

static bool is_host_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
}

/* Where the host ends that begins at `at`; `at` itself when there is none. */
static size_t host_end(struct slice url, size_t at)
{
    size_t end = at;

    if (end < url.length && url.bytes[end] == '[') { /* an IPv6 address */
        for (end++; end < url.length && url.bytes[end] != ']'; end++)
            if (url.bytes[end] != ':' && !is_host_byte(url.bytes[end]))
                return at;
        return end < url.length && end > at + 2 ? end + 1 : at;
    }
    while (end < url.length && is_host_byte(url.bytes[end]))
        end++;
    return end;
}

/* Where the port ends that begins with the colon at `at`; `at` when there is no sound one. */
static size_t port_end(struct slice url, size_t at)
{
    unsigned port = 0;
    size_t end = at + 1;

    for (; end < url.length && url.bytes[end] >= '0' && url.bytes[end] <= '9'; end++) {
        port = port * 10 + (unsigned)(url.bytes[end] - '0');
        if (port > 65535)
            return at;
    }
    return port == 0 || url.bytes[at + 1] == '0' ? at : end;
}

struct slice settings_url_origin(struct slice url)
{
    const struct slice none = {NULL, 0};
    size_t scheme = scheme_length(url);
    size_t end = host_end(url, scheme);

    for (size_t i = 0; i < url.length; i++)
        if (url.bytes[i] <= ' ' || url.bytes[i] > '~' || url.bytes[i] == '\\' ||
            url.bytes[i] == '"' || url.bytes[i] == '<' || url.bytes[i] == '>')
            return none;
    if (scheme == 0 || end == scheme || url.length > SITE_URL_MAX)
        return none;
    if (end < url.length && url.bytes[end] == ':') {
        size_t colon = end;
        end = port_end(url, colon);
        if (end == colon)
            return none;
    }
    /* What follows an authority; an @ here would make a host of what was read as user info. */
    if (end < url.length && url.bytes[end] != '/' && url.bytes[end] != '?' && url.bytes[end] != '#')
        return none;
    return (struct slice){url.bytes, end};
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.length >= end.length &&
           memcmp(text.bytes + text.length - end.length, end.bytes, end.length) == 0;
}

/* As a browser writes it: lower case, no path, no port that the scheme implies. Anything else
 * would be stored and then match no page, silently. */
static bool sound_origin(struct slice text)
{
    if (text.length == 0 || settings_url_origin(text).length != text.length)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] >= 'A' && text.bytes[i] <= 'Z')
            return false;
    bool https = text.bytes[4] == 's';
    return !ends_with(text, https ? SLICE(":443") : SLICE(":80"));
}

static bool sound_url(struct slice text)
{
    return settings_url_origin(text).length != 0;
}

/* --- the tables ----------------------------------------------------------------- */

#define TEXT(key, member, sound_fn, bits)                                                          \
    {                                                                                              \
        key, FIELD_TEXT, bits, offsetof(struct settings, member), sound_fn, 0, 0                   \
    }
#define NUMBER(key, member, from, to)                                                              \
    {                                                                                              \
        key, FIELD_NUMBER, 0, offsetof(struct settings, member), NULL, from, to                    \
    }
#define FLAG(key, member)                                                                          \
    {                                                                                              \
        key, FIELD_FLAG, 0, offsetof(struct settings, member), NULL, 0, 1                          \
    }
#define LIST(key, member, sound_fn, items_max)                                                     \
    {                                                                                              \
        key, FIELD_LIST, 0, offsetof(struct settings, member), sound_fn, 0, items_max              \
    }
#define IDENTITY (FIELD_NEEDED | FIELD_FIXED)

static const struct field agency_fields[] = {
    TEXT("id", id, sound_agency, IDENTITY),
    TEXT("name", name, sound_name, 0),
    TEXT("playbook", playbook, sound_id, 0),
    {0},
};

static const struct field site_fields[] = {
    TEXT("id", id, sound_id, IDENTITY),
    TEXT("agency", agency, sound_agency, IDENTITY),
    TEXT("queue", queue, sound_id, FIELD_NEEDED),
    LIST("origins", origins, sound_origin, SITE_ORIGINS_MAX),
    LIST("redirects", redirects, sound_url, SITE_ORIGINS_MAX),
    TEXT("country", country, sound_country, 0),
    LIST("countries", countries, sound_country, SITE_COUNTRIES_MAX),
    NUMBER("rate_limit", rate_limit, 0, RATE_MAX),
    NUMBER("suspect_limit", suspect_limit, 0, RATE_MAX),
    TEXT("hours_policy", hours_policy, sound_policy, 0),
    LIST("pk", public_keys, sound_public_key, SITE_KEYS_MAX),
    LIST("sk", secret_keys, sound_hash, SITE_KEYS_MAX),
    TEXT("playbook", playbook, sound_id, 0),
    {0},
};

/* A queue's shape is set once: what stands in Redis under its name has it. */
static const struct field queue_fields[] = {
    TEXT("id", id, sound_id, IDENTITY),
    TEXT("agency", agency, sound_agency, IDENTITY),
    TEXT("shape", shape, sound_shape, FIELD_FIXED),
    NUMBER("report_within", report_within_s, 1, SECONDS_MAX),
    NUMBER("claim_holds", claim_holds_s, 1, SECONDS_MAX),
    NUMBER("overdue_after", overdue_after_s, 1, SECONDS_MAX),
    TEXT("assign", assign, sound_assign, 0),
    {0},
};

static const struct field agent_fields[] = {
    TEXT("id", id, sound_id, IDENTITY),
    TEXT("agency", agency, sound_agency, IDENTITY),
    TEXT("name", name, sound_name, 0),
    TEXT("role", role, sound_agent_role, 0),
    FLAG("available", available),
    NUMBER("away_until", away_until, 0, MOMENT_MAX),
    NUMBER("capacity", capacity, 0, CAPACITY_MAX),
    LIST("queues", queues, sound_id, SITE_AGENT_QUEUES_MAX),
    {0},
};

static const struct field token_fields[] = {
    TEXT("id", id, sound_id, IDENTITY),
    TEXT("role", role, sound_role, IDENTITY),
    TEXT("agency", agency, sound_agency, FIELD_FIXED),
    TEXT("agent", agent, sound_id, 0),
    TEXT("hash", hash, sound_hash, FIELD_NEEDED),
    {0},
};

/* No YAML: with this version the playbook was removed. */
static const struct field playbook_fields[] = {
    TEXT("id", id, sound_id, IDENTITY),
    TEXT("agency", agency, sound_agency, FIELD_FIXED), /* of the shipped default: none */
    NUMBER("version", version, 1, SITE_PLAYBOOK_NUMBER_MAX),
    TEXT("yaml", yaml, sound_yaml, 0),
    {0},
};

static const struct field *fields_of(enum entity_kind kind)
{
    static const struct field *const tables[ENTITY_KIND_END] = {
        [ENTITY_AGENCY] = agency_fields, [ENTITY_SITE] = site_fields,
        [ENTITY_QUEUE] = queue_fields,   [ENTITY_AGENT] = agent_fields,
        [ENTITY_TOKEN] = token_fields,   [ENTITY_PLAYBOOK] = playbook_fields,
    };
    MUST(kind >= ENTITY_AGENCY && kind < ENTITY_KIND_END);
    return tables[kind];
}

void settings_default(enum entity_kind kind, struct settings *out)
{
    memset(out, 0, sizeof(*out));
    if (kind == ENTITY_SITE) {
        out->country = SLICE("US");
        out->hours_policy = SLICE("except_first_response");
    } else if (kind == ENTITY_QUEUE) {
        out->shape = SLICE("zset");
    } else if (kind == ENTITY_AGENT) {
        out->available = 1;
    }
}

const char *registry_advice(struct slice key)
{
    if (slice_equal(key, SLICE("country")))
        return "the value of country cannot be used: give a country's two capital letters "
               "(ISO 3166: US, GB, DE)";
    if (slice_equal(key, SLICE("countries")))
        return "the value of countries cannot be used: give a list of countries in two capital "
               "letters each "
               "(ISO 3166: US, GB, DE)";
    if (slice_equal(key, SLICE("playbook")))
        return "the value of playbook cannot be used: give the id of a playbook that this agency "
               "has and has not removed";
    if (slice_equal(key, SLICE("queues")))
        return "the value of queues cannot be used: give a list of ids of this agency's queues";
    if (slice_equal(key, SLICE("assign")))
        return "the value of assign cannot be used: give pool, round_robin, weighted or "
               "owner_first, or null for what the playbook says";
    if (slice_equal(key, SLICE("available")))
        return "the value of available cannot be used: give true or false";
    if (slice_equal(key, SLICE("away_until")))
        return "the value of away_until cannot be used: give milliseconds since 1970, or null";
    return NULL;
}

/* --- reading and writing -------------------------------------------------------- */

static struct slice *text_of(struct settings *settings, const struct field *field)
{
    return (struct slice *)((char *)settings + field->offset);
}

static uint64_t *number_of(struct settings *settings, const struct field *field)
{
    return (uint64_t *)((char *)settings + field->offset);
}

static struct settings_list *list_of(struct settings *settings, const struct field *field)
{
    return (struct settings_list *)((char *)settings + field->offset);
}

static bool read_list(const struct field *field, struct json_value value, struct settings_list *out)
{
    struct json_walk walk = json_walk(value);
    struct json_value item;
    struct slice name;

    if (value.type != JSON_ARRAY)
        return false;
    out->count = 0;
    while (json_next(&walk, &name, &item)) {
        struct slice text;
        if (out->count == field->most || !json_string(item, &text) || !field->sound(text))
            return false;
        out->items[out->count++] = text;
    }
    return true;
}

static bool read_field(const struct field *field, struct json_value value,
                       struct settings *settings)
{
    uint64_t number;
    struct slice text;
    bool flag;

    switch (field->type) {
    case FIELD_TEXT:
        if (!json_string(value, &text) || !field->sound(text))
            return false;
        *text_of(settings, field) = text;
        return true;
    case FIELD_NUMBER:
        if (!json_uint(value, &number) || number < field->least || number > field->most)
            return false;
        *number_of(settings, field) = number;
        return true;
    case FIELD_FLAG:
        if (!json_bool(value, &flag))
            return false;
        *number_of(settings, field) = flag;
        return true;
    case FIELD_LIST:
        return read_list(field, value, list_of(settings, field));
    }
    return false;
}

static void reset_field(enum entity_kind kind, const struct field *field, struct settings *settings)
{
    struct settings fresh;

    settings_default(kind, &fresh);
    switch (field->type) {
    case FIELD_TEXT:
        *text_of(settings, field) = *text_of(&fresh, field);
        break;
    case FIELD_NUMBER:
    case FIELD_FLAG:
        *number_of(settings, field) = *number_of(&fresh, field);
        break;
    case FIELD_LIST:
        list_of(settings, field)->count = 0;
        break;
    }
}

/* Forms and scripts send "" where JSON has null. Not of a flag: where it stands for yes, nobody
 * who says nothing means that. */
static bool says_nothing(const struct field *field, struct json_value value)
{
    struct slice text;

    return value.type == JSON_NULL ||
           (field->type != FIELD_FLAG && json_string(value, &text) && text.length == 0);
}

static const struct field *field_named(enum entity_kind kind, struct slice name)
{
    for (const struct field *field = fields_of(kind); field->name; field++)
        if (slice_equal(name, slice_of(field->name)))
            return field;
    return NULL;
}

enum status settings_read(enum entity_kind kind, struct json_value object, bool fixed,
                          struct settings *settings, struct slice *field_out)
{
    struct json_walk walk = json_walk(object);
    struct json_value value;

    *field_out = (struct slice){0};
    if (object.type != JSON_OBJECT)
        return STATUS_INVALID;
    while (json_next(&walk, field_out, &value)) {
        const struct field *field = field_named(kind, *field_out);
        if (!field)
            return STATUS_INVALID;
        bool keep = fixed && (field->flags & FIELD_FIXED);
        struct slice before = keep ? *text_of(settings, field) : (struct slice){0};
        if (says_nothing(field, value))
            reset_field(kind, field, settings);
        else if (!read_field(field, value, settings))
            return STATUS_INVALID;
        if (keep && !slice_equal(before, *text_of(settings, field)))
            return STATUS_INVALID;
    }
    *field_out = (struct slice){0};
    return STATUS_OK;
}

enum status settings_complete(enum entity_kind kind, const struct settings *settings,
                              struct slice *field_out)
{
    for (const struct field *field = fields_of(kind); field->name; field++) {
        const struct slice *text = (const struct slice *)((const char *)settings + field->offset);
        if ((field->flags & FIELD_NEEDED) && text->length == 0) {
            *field_out = slice_of(field->name);
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

static void write_list(const struct settings_list *list, struct text *out)
{
    text_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            text_char(out, ',');
        text_json_string(out, list->items[i]);
    }
    text_char(out, ']');
}

/* 0 where there must be more: it was not said. */
static void write_number(const struct field *field, uint64_t number, struct text *out)
{
    if (number < field->least)
        text_string(out, "null");
    else
        text_uint(out, number);
}

void settings_write(enum entity_kind kind, const struct settings *settings, struct text *out)
{
    const char *at = (const char *)settings;

    for (const struct field *field = fields_of(kind); field->name; field++) {
        text_char(out, field == fields_of(kind) ? '{' : ',');
        text_json_string(out, slice_of(field->name));
        text_char(out, ':');
        if (field->type == FIELD_TEXT)
            text_json_string_or_null(out, *(const struct slice *)(at + field->offset));
        else if (field->type == FIELD_NUMBER)
            write_number(field, *(const uint64_t *)(at + field->offset), out);
        else if (field->type == FIELD_FLAG)
            text_string(out, *(const uint64_t *)(at + field->offset) != 0 ? "true" : "false");
        else
            write_list((const struct settings_list *)(at + field->offset), out);
    }
    text_char(out, '}');
}

bool settings_is_id(struct slice text)
{
    return sound_id(text);
}

enum role settings_role(const struct settings *settings)
{
    if (slice_equal(settings->role, SLICE("admin")))
        return ROLE_ADMIN;
    if (slice_equal(settings->role, SLICE("manager")))
        return ROLE_MANAGER;
    return slice_equal(settings->role, SLICE("agent")) ? ROLE_AGENT : ROLE_NONE;
}
