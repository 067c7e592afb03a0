#include "proto/task.h"

#include "proto/must.h"

/* In bytes as escaped. Part of the renderer's version, like everything else here. */
#define NAME_MAX_BYTES        256
#define FIRST_NAME_MAX_BYTES  128
#define EMAIL_MAX_BYTES       320
#define PHONE_MAX_BYTES       64
#define TRACEPARENT_MAX_BYTES 64

static const char *const channel_names[TASK_CHANNEL_END] = {
    [TASK_CALL] = "call",           [TASK_EMAIL] = "email", [TASK_SMS] = "sms",
    [TASK_VOICEMAIL] = "voicemail", [TASK_FAX] = "fax",     [TASK_POSTCARD] = "postcard",
    [TASK_LETTER] = "letter",       [TASK_VISIT] = "visit", [TASK_RESEARCH] = "research",
};

static const char *const kind_names[TASK_KIND_END] = {
    [TASK_FIRST_RESPONSE] = "first_response",
    [TASK_FIND_CONTACT] = "find_contact",
};

static const char *const stage_names[STAGE_END] = {
    [STAGE_OPTIN] = "optin",
    [STAGE_LEAD] = "lead",
    [STAGE_OPPORTUNITY] = "opportunity",
    [STAGE_CUSTOMER] = "customer",
    [STAGE_REFERRER] = "referrer",
};

const char *task_channel_name(enum task_channel channel)
{
    MUST(channel >= TASK_CALL && channel < TASK_CHANNEL_END);
    return channel_names[channel];
}

const char *task_kind_name(enum task_kind kind)
{
    MUST(kind >= TASK_FIRST_RESPONSE && kind < TASK_KIND_END);
    return kind_names[kind];
}

const char *stage_name(enum stage stage)
{
    MUST(stage >= STAGE_OPTIN && stage < STAGE_END);
    return stage_names[stage];
}

/* A member being written. */
struct member {
    struct text text;
    size_t string_max; /* for strings of the context and the consent, as escaped */
    size_t fields_max; /* for all of `fields` together */
    bool cut;
};

#define KEY(member, literal) text_bytes(&(member)->text, literal, sizeof(literal) - 1)

static void put_null(struct member *member)
{
    KEY(member, "null");
}

static void put_ms(struct member *member, uint64_t ms)
{
    if (ms == 0)
        put_null(member);
    else
        text_uint(&member->text, ms);
}

/* A string of which the beginning is worth having. */
static void put_cut(struct member *member, struct slice value, size_t max)
{
    size_t length = text_json_fit(value, max);

    if (length < value.length)
        member->cut = true;
    text_json_string_or_null(&member->text, (struct slice){value.bytes, length});
}

/* A value that is wrong when it is not whole: nobody shall dial half a number. */
static void put_whole(struct member *member, struct slice value, size_t max)
{
    if (text_json_fit(value, max) < value.length) {
        member->cut = true;
        put_null(member);
    } else {
        text_json_string_or_null(&member->text, value);
    }
}

static void put_string(struct member *member, const struct optin *optin, enum optin_text field)
{
    put_cut(member, optin->text[field], member->string_max);
}

/* A string that is named only when there is one. `key` has the comma before it. */
static void put_given(struct member *member, const struct optin *optin, enum optin_text field,
                      const char *key, size_t length)
{
    struct text *text = &member->text;

    if (optin->text[field].length == 0)
        return;
    if (text->bytes[text->length - 1] == '{')
        text_bytes(text, key + 1, length - 1);
    else
        text_bytes(text, key, length);
    put_string(member, optin, field);
}

#define GIVEN(member, optin, field, name)                                                          \
    put_given(member, optin, OPTIN_##field, ",\"" name "\":", sizeof(",\"" name "\":") - 1)

/* --- who ------------------------------------------------------------------------ */

/* The name as given, else first and last name put together in `buffer`. */
static struct slice name_of(const struct optin *optin, struct text *buffer)
{
    struct slice first = optin->text[OPTIN_FIRST_NAME], last = optin->text[OPTIN_LAST_NAME];

    if (optin->text[OPTIN_NAME].length > 0)
        return optin->text[OPTIN_NAME];
    if (first.length == 0)
        return last;
    if (last.length == 0)
        return first;
    text_add(buffer, first);
    text_char(buffer, ' ');
    text_add(buffer, last);
    return text_slice(buffer);
}

/* The first name as given, else the first word of the name. */
static struct slice first_name_of(const struct optin *optin)
{
    struct slice word = optin->text[OPTIN_NAME];

    if (optin->text[OPTIN_FIRST_NAME].length > 0 || word.length == 0)
        return optin->text[OPTIN_FIRST_NAME];
    while (word.length > 0 && word.bytes[0] == ' ') {
        word.bytes++;
        word.length--;
    }
    const char *space = memchr(word.bytes, ' ', word.length);
    if (space != NULL)
        word.length = (size_t)(space - word.bytes);
    return word;
}

static void put_person(struct member *member, const struct optin *optin)
{
    /* Longer than what is kept of a name, so that it is cut where a name is. */
    char joined[2 * NAME_MAX_BYTES];
    struct text buffer = text_over(joined, sizeof(joined));

    KEY(member, ",\"name\":");
    put_cut(member, name_of(optin, &buffer), NAME_MAX_BYTES);
    KEY(member, ",\"first_name\":");
    put_cut(member, first_name_of(optin), FIRST_NAME_MAX_BYTES);
    KEY(member, ",\"phone\":");
    put_whole(member,
              optin->text[OPTIN_PHONE_E164].length > 0 ? optin->text[OPTIN_PHONE_E164]
                                                       : optin->text[OPTIN_PHONE],
              PHONE_MAX_BYTES);
    KEY(member, ",\"email\":");
    put_whole(member, optin->text[OPTIN_EMAIL], EMAIL_MAX_BYTES);
}

/* --- context and consent ---------------------------------------------------------- */

static void put_utm(struct member *member, const struct optin *optin)
{
    size_t given = 0;

    for (int field = OPTIN_UTM_SOURCE; field <= OPTIN_UTM_ID; field++)
        given += optin->text[field].length;
    if (given == 0) {
        put_null(member);
        return;
    }
    text_char(&member->text, '{');
    GIVEN(member, optin, UTM_SOURCE, "source");
    GIVEN(member, optin, UTM_MEDIUM, "medium");
    GIVEN(member, optin, UTM_CAMPAIGN, "campaign");
    GIVEN(member, optin, UTM_TERM, "term");
    GIVEN(member, optin, UTM_CONTENT, "content");
    GIVEN(member, optin, UTM_ID, "id");
    text_char(&member->text, '}');
}

/* As many, from the first on, as there is room for. Taking back an overflow is right
 * only because one that came before the fields leaves nothing to add here. */
static void put_fields(struct member *member, const struct optin *optin)
{
    struct text *text = &member->text;

    text_char(text, '{');
    size_t begin = text->length;
    for (size_t i = 0; i < optin->extra_count; i++) {
        size_t before = text->length;
        if (i > 0)
            text_char(text, ',');
        text_json_string(text, optin->extra[i].name);
        text_char(text, ':');
        text_add(text, optin->extra[i].json);
        if (text->length - begin > member->fields_max) {
            text->length = before;
            text->overflow = false;
            member->cut = true;
            break;
        }
    }
    text_char(text, '}');
}

/* A queue holds many members, so what was not given takes no room in the context. */
static void put_context(struct member *member, const struct optin *optin)
{
    KEY(member, ",\"context\":{\"page_url\":");
    put_string(member, optin, OPTIN_PAGE_URL);
    KEY(member, ",\"utm\":");
    put_utm(member, optin);
    GIVEN(member, optin, REFERRER, "referrer");
    GIVEN(member, optin, SOURCE_KIND, "source_kind");
    GIVEN(member, optin, GCLID, "gclid");
    GIVEN(member, optin, FBCLID, "fbclid");
    GIVEN(member, optin, COMPANY, "company");
    GIVEN(member, optin, TITLE, "title");
    GIVEN(member, optin, COUNTRY, "country");
    GIVEN(member, optin, POSTAL_CODE, "postal_code");
    GIVEN(member, optin, TIMEZONE, "timezone");
    GIVEN(member, optin, REQUEST_ID, "request_id");
    KEY(member, ",\"fields\":");
    put_fields(member, optin);
    KEY(member, "}");
}

static void put_answer(struct member *member, enum optin_answer answer)
{
    switch (answer) {
    case OPTIN_YES:
        KEY(member, "true");
        break;
    case OPTIN_NO:
        KEY(member, "false");
        break;
    default:
        put_null(member);
    }
}

/* The channels are JSON already. */
static void put_channels(struct member *member, struct slice channels)
{
    if (channels.length > member->string_max)
        member->cut = true;
    if (channels.length == 0 || channels.length > member->string_max)
        put_null(member);
    else
        text_add(&member->text, channels);
}

static void put_consent(struct member *member, const struct optin *optin)
{
    size_t said = optin->consent_given != OPTIN_UNSAID;

    for (int field = OPTIN_CONSENT_TEXT; field <= OPTIN_CONSENT_CHANNELS; field++)
        said += optin->text[field].length;
    if (said == 0) {
        put_null(member);
        return;
    }
    KEY(member, "{\"text\":");
    put_string(member, optin, OPTIN_CONSENT_TEXT);
    KEY(member, ",\"version\":");
    put_string(member, optin, OPTIN_CONSENT_VERSION);
    KEY(member, ",\"given\":");
    put_answer(member, optin->consent_given);
    KEY(member, ",\"channels\":");
    put_channels(member, optin->text[OPTIN_CONSENT_CHANNELS]);
    KEY(member, ",\"cert_url\":");
    put_string(member, optin, OPTIN_CONSENT_CERT_URL);
    KEY(member, "}");
}

/* --- the member --------------------------------------------------------------------- */

static void put_name(struct member *member, const char *name)
{
    text_json_string(&member->text, slice_of(name));
}

/* What and whose; each of these is there or known to be empty. */
static void put_head(struct member *member, const struct task_facts *facts)
{
    struct text *text = &member->text;

    KEY(member, "{\"v\":1,\"id\":");
    text_json_string(text, facts->id);
    KEY(member, ",\"delivery\":");
    text_uint(text, facts->delivery);
    KEY(member, ",\"attempt\":");
    text_uint(text, facts->attempt);
    KEY(member, ",\"queue\":");
    text_json_string(text, facts->queue);
    KEY(member, ",\"channel\":");
    put_name(member, task_channel_name(facts->channel));
    KEY(member, ",\"kind\":");
    put_name(member, task_kind_name(facts->kind));
    KEY(member, ",\"agency\":");
    text_json_string_or_null(text, facts->agency);
    KEY(member, ",\"site\":");
    text_json_string_or_null(text, facts->site);
    KEY(member, ",\"person\":");
    text_json_string_or_null(text, facts->person);
    KEY(member, ",\"optin\":");
    text_json_string_or_null(text, facts->optin);
    KEY(member, ",\"owner\":");
    text_json_string_or_null(text, facts->owner);
}

/* Where consumers XADD their reports. */
static void put_report_key(struct member *member, const struct task_facts *facts)
{
    char key[3 * TASK_FACT_MAX + 32];
    struct text text = text_over(key, sizeof(key));

    text_add(&text, facts->prefix);
    text_string(&text, ":{");
    text_add(&text, facts->queue);
    text_string(&text, "}:reports:");
    text_add(&text, facts->node);
    text_json_string(&member->text, text_slice(&text));
}

/* When, how, and where to report. Each kind of task has the script of its name. */
static void put_tail(struct member *member, const struct task_facts *facts,
                     const struct optin *optin)
{
    KEY(member, ",\"received_ms\":");
    put_ms(member, facts->received_ms);
    KEY(member, ",\"deadline_ms\":");
    put_ms(member, facts->deadline_ms);
    KEY(member, ",\"not_before_ms\":");
    put_ms(member, facts->not_before_ms);
    KEY(member, ",\"window\":null,\"script\":");
    put_name(member, task_kind_name(facts->kind));
    KEY(member, ",\"consent\":");
    put_consent(member, optin);
    KEY(member, ",\"report\":");
    put_report_key(member, facts);
    KEY(member, ",\"traceparent\":");
    put_whole(member, optin->text[OPTIN_TRACEPARENT], TRACEPARENT_MAX_BYTES);
    if (member->cut)
        KEY(member, ",\"truncated\":true");
    KEY(member, "}");
}

/* False: over the room of `out`, of which the length is then as it was. */
static bool render(struct text *out, const struct task_facts *facts, const struct optin *optin,
                   size_t string_max, size_t fields_max)
{
    struct member member = {*out, string_max, fields_max, false};

    put_head(&member, facts);
    put_person(&member, optin);
    KEY(&member, ",\"stage\":");
    put_name(&member, stage_name(facts->stage));
    put_context(&member, optin);
    put_tail(&member, facts, optin);
    if (member.text.overflow)
        return false;
    out->length = member.text.length;
    return true;
}

/* Without any fields first, to learn what room is left for them. With strings at the
 * last limit it fits whatever was sent: about 900 bytes of keys and numbers, 800 of
 * facts, 800 of the person and 19 strings. */
static void render_cut(struct text *out, const struct task_facts *facts, const struct optin *optin)
{
    static const size_t string_limits[] = {TASK_BYTES_MAX, 512, 256, 128, 64};

    for (size_t i = 0; i < sizeof(string_limits) / sizeof(string_limits[0]); i++) {
        if (!render(out, facts, optin, string_limits[i], 0))
            continue;
        size_t left = out->capacity - out->length;
        out->length = 0;
        MUST(render(out, facts, optin, string_limits[i], left));
        return;
    }
    MUST(!"a member fits when its strings are cut");
}

static void check(const struct task_facts *facts)
{
    const struct slice all[] = {facts->id,    facts->person, facts->optin,
                                facts->queue, facts->agency, facts->site,
                                facts->node,  facts->prefix, facts->owner};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        MUST(all[i].length <= TASK_FACT_MAX);
}

bool task_render(struct text *out, unsigned renderer, const struct task_facts *facts,
                 const struct optin *optin)
{
    char buffer[TASK_BYTES_MAX];
    struct text member = text_over(buffer, sizeof(buffer));

    if (renderer != TASK_RENDERER)
        return false;
    check(facts);
    if (!render(&member, facts, optin, TASK_BYTES_MAX, SIZE_MAX))
        render_cut(&member, facts, optin);
    if (out->capacity - out->length < member.length)
        out->overflow = true;
    else
        text_add(out, text_slice(&member));
    return true;
}
