#include "proto/task.h"

#include "proto/known.h"
#include "proto/must.h"
#include "proto/name.h"

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
    [TASK_STEP] = "step",
    [TASK_RETRY] = "retry",
    [TASK_WAKE] = "wake",
    [TASK_AGREED] = "agreed",
    [TASK_ESCALATION] = "escalation",
};

const char *task_channel_name(enum task_channel channel)
{
    MUST(channel >= TASK_CALL && channel < TASK_CHANNEL_END);
    return channel_names[channel];
}

enum task_channel task_channel_of(struct slice name)
{
    for (int channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++)
        if (slice_equal(name, slice_of(channel_names[channel])))
            return (enum task_channel)channel;
    return (enum task_channel)0;
}

const char *task_kind_name(enum task_kind kind)
{
    MUST(kind >= TASK_FIRST_RESPONSE && kind < TASK_KIND_END);
    return kind_names[kind];
}

/* A member being written. */
struct member {
    struct text text;
    size_t string_max; /* for strings of the context and the consent, as escaped */
    size_t fields_max; /* for all of `fields` together */
    bool cut;
    unsigned renderer;
    struct slice known;             /* what was found out about the person */
    const struct task_words *words; /* NULL: they are written anew */
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

static void put_person(struct member *member, const struct optin *optin)
{
    /* Longer than what is kept of a name, so that it is cut where a name is. */
    char joined[2 * NAME_MAX_BYTES], clean[NAME_CLEAN_MAX];
    struct text buffer = text_over(joined, sizeof(joined));

    KEY(member, ",\"name\":");
    put_cut(member, name_of(optin, &buffer), NAME_MAX_BYTES);
    KEY(member, ",\"first_name\":");
    put_cut(member, name_first_by(member->renderer, optin, clean), FIRST_NAME_MAX_BYTES);
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

/* Takes the last one back where it is more than there is room for; false: it is. Taking back an
 * overflow is right only because one that came before leaves nothing to add here. */
static bool fits(struct member *member, size_t begin, size_t before)
{
    struct text *text = &member->text;

    if (text->length - begin <= member->fields_max)
        return true;
    text->length = before;
    text->overflow = false;
    member->cut = true;
    return false;
}

/* What is written from `begin` on is taken off what fields may have. */
static void spend(struct member *member, size_t begin)
{
    if (member->fields_max != SIZE_MAX)
        member->fields_max -= member->text.length - begin;
}

/* As many, from the first on, as there is room for. */
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
        if (!fits(member, begin, before))
            break;
    }
    spend(member, begin);
    text_char(text, '}');
}

static void put_items(struct member *member, struct slice known, enum known_kind kind)
{
    struct text *text = &member->text;
    struct known_item item;

    text_char(text, '{');
    size_t begin = text->length;
    while (known_next(&known, &item)) {
        size_t before = text->length;
        if (item.kind != kind)
            continue;
        if (before > begin)
            text_char(text, ',');
        text_json_string(text, item.name);
        text_char(text, ':');
        text_json_string(text, item.value);
        if (!fits(member, begin, before))
            break;
    }
    spend(member, begin);
    text_char(text, '}');
}

/* What others have found out goes before what a form said. */
static void put_known(struct member *member, struct slice known)
{
    if (known.length == 0)
        return;
    KEY(member, ",\"answers\":");
    put_items(member, known, KNOWN_ANSWER);
    KEY(member, ",\"findings\":");
    put_items(member, known, KNOWN_FINDING);
}

/* Left open, because what is to be looked up is the task's. A queue holds many members, so what was
 * not given takes no room. */
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
    put_known(member, member->known);
    KEY(member, ",\"fields\":");
    put_fields(member, optin);
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

    KEY(member, ",\"consent\":");
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

static void put_trace(struct member *member, const struct optin *optin)
{
    KEY(member, ",\"traceparent\":");
    put_whole(member, optin->text[OPTIN_TRACEPARENT], TRACEPARENT_MAX_BYTES);
}

/* --- what is the opt-in's alone ------------------------------------------------------- */

typedef void put_part_fn(struct member *member, const struct optin *optin);

static put_part_fn *const put_part_of[TASK_PART_END] = {
    [TASK_PERSON] = put_person,
    [TASK_CONTEXT] = put_context,
    [TASK_CONSENT] = put_consent,
    [TASK_TRACE] = put_trace,
};

static void put_part(struct member *member, const struct optin *optin, enum task_part part)
{
    const struct task_words *words = member->words;
    size_t begin;

    if (words == NULL) {
        put_part_of[part](member, optin);
        return;
    }
    begin = part == 0 ? 0 : words->ends[part - 1];
    text_bytes(&member->text, words->bytes + begin, words->ends[part] - begin);
}

void task_words(struct task_words *out, const struct optin *optin)
{
    struct member member = {.text = text_over(out->bytes, sizeof(out->bytes)),
                            .string_max = TASK_BYTES_MAX,
                            .fields_max = SIZE_MAX,
                            .renderer = TASK_RENDERER};

    for (enum task_part part = 0; part < TASK_PART_END; part++) {
        put_part_of[part](&member, optin);
        out->ends[part] = (uint16_t)member.text.length;
    }
    out->cut = member.cut;
    out->whole = !member.text.overflow;
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

/* Of renderer 1: each kind of task has the script of its name, and no hours. */
static void put_how_1(struct member *member, const struct task_facts *facts)
{
    KEY(member, ",\"window\":null,\"script\":");
    put_name(member, task_kind_name(facts->kind));
}

static void put_window(struct member *member, const struct task_facts *facts)
{
    if (facts->window_tz.length == 0) {
        put_null(member);
        return;
    }
    KEY(member, "{\"tz\":");
    text_json_string(&member->text, facts->window_tz);
    KEY(member, ",\"opens_ms\":");
    put_ms(member, facts->not_before_ms);
    KEY(member, ",\"closes_ms\":");
    put_ms(member, facts->closes_ms);
    KEY(member, "}");
}

/* Only what a robot sends has a template. */
static void put_how(struct member *member, const struct task_facts *facts)
{
    KEY(member, ",\"window\":");
    put_window(member, facts);
    KEY(member, ",\"script\":");
    text_json_string_or_null(&member->text, facts->script);
    if (facts->template.length == 0)
        return;
    KEY(member, ",\"template\":");
    text_json_string(&member->text, facts->template);
}

/* Look them up first, but not for longer than that. */
static void put_research(struct member *member, const struct task_facts *facts)
{
    struct text *text = &member->text;

    KEY(member, ",\"research\":{\"script\":");
    text_json_string_or_null(text, facts->research);
    KEY(member, ",\"until_ms\":");
    text_uint(text, facts->research_ms);
    KEY(member, ",\"finds\":[");
    size_t begin = text->length;
    for (size_t i = 0; i < facts->find_count; i++) {
        size_t before = text->length;
        if (before > begin)
            text_char(text, ',');
        text_json_string(text, facts->finds[i]);
        if (!fits(member, begin, before))
            break;
    }
    KEY(member, "]}");
}

/* When, how, and where to report. */
static void put_tail(struct member *member, const struct task_facts *facts,
                     const struct optin *optin)
{
    KEY(member, ",\"received_ms\":");
    put_ms(member, facts->received_ms);
    KEY(member, ",\"deadline_ms\":");
    put_ms(member, facts->deadline_ms);
    KEY(member, ",\"not_before_ms\":");
    put_ms(member, facts->not_before_ms);
    if (member->renderer == 1)
        put_how_1(member, facts);
    else
        put_how(member, facts);
    put_part(member, optin, TASK_CONSENT);
    KEY(member, ",\"report\":");
    put_report_key(member, facts);
    put_part(member, optin, TASK_TRACE);
    if (member->cut)
        KEY(member, ",\"truncated\":true");
    KEY(member, "}");
}

/* False: over the room of `out`, of which the length is then as it was. */
static bool render(struct text *out, unsigned renderer, const struct task_facts *facts,
                   const struct optin *optin, const struct task_words *words, size_t string_max,
                   size_t fields_max)
{
    struct member member = {.text = *out,
                            .string_max = string_max,
                            .fields_max = fields_max,
                            .cut = words != NULL && words->cut,
                            .renderer = renderer,
                            .known = facts->known,
                            .words = words};

    put_head(&member, facts);
    put_part(&member, optin, TASK_PERSON);
    KEY(&member, ",\"stage\":");
    text_json_string(&member.text, facts->stage);
    put_part(&member, optin, TASK_CONTEXT);
    if (renderer >= 3 && facts->research_ms != 0)
        put_research(&member, facts);
    KEY(&member, "}");
    put_tail(&member, facts, optin);
    if (member.text.overflow)
        return false;
    out->length = member.text.length;
    return true;
}

/* Without any fields first, to learn what room is left for them. With strings at the
 * last limit it fits whatever was sent: about 1,000 bytes of keys and numbers, 1,000 of
 * facts, 800 of the person and 19 strings. */
static void render_cut(struct text *out, unsigned renderer, const struct task_facts *facts,
                       const struct optin *optin)
{
    static const size_t string_limits[] = {TASK_BYTES_MAX, 512, 256, 128, 64, 32};

    for (size_t i = 0; i < sizeof(string_limits) / sizeof(string_limits[0]); i++) {
        if (!render(out, renderer, facts, optin, NULL, string_limits[i], 0))
            continue;
        size_t left = out->capacity - out->length;
        out->length = 0;
        MUST(render(out, renderer, facts, optin, NULL, string_limits[i], left));
        return;
    }
    MUST(!"a member fits when its strings are cut");
}

static void check(const struct task_facts *facts)
{
    const struct slice all[] = {facts->id,        facts->person,  facts->optin,  facts->queue,
                                facts->agency,    facts->site,    facts->node,   facts->prefix,
                                facts->owner,     facts->stage,   facts->script, facts->template,
                                facts->window_tz, facts->research};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        MUST(all[i].length <= TASK_FACT_MAX);
}

bool task_render_with(struct text *out, unsigned renderer, const struct task_facts *facts,
                      const struct optin *optin, const struct task_words *words)
{
    char buffer[TASK_BYTES_MAX];
    struct text member = text_over(buffer, sizeof(buffer));

    if (renderer == 0 || renderer > TASK_RENDERER)
        return false;
    check(facts);
    MUST(words == NULL || words->whole);
    if (renderer < TASK_RENDERER)
        words = NULL; /* which are the present one's */
    if (!render(&member, renderer, facts, optin, words, TASK_BYTES_MAX, SIZE_MAX))
        render_cut(&member, renderer, facts, optin);
    if (out->capacity - out->length < member.length)
        out->overflow = true;
    else
        text_add(out, text_slice(&member));
    return true;
}

bool task_render(struct text *out, unsigned renderer, const struct task_facts *facts,
                 const struct optin *optin)
{
    return task_render_with(out, renderer, facts, optin, NULL);
}
