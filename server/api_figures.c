/* GET /v1/reports/{name}: which figures are asked for, of whom, and how their values are called. */
#include <stdlib.h>

#include "proto/form.h"
#include "proto/zone.h"
#include "server/api_read.h"
#include "server/playbook_span.h"

/* What labels are found in; lives as long as one answer is written. */
struct labels {
    struct reading *reading;
    uint64_t *agents; /* hash of each, by number; NULL: not looked for yet */
    uint32_t agent_count;
};

static struct slice agent_called(struct labels *labels, uint64_t hash)
{
    const struct api *api = labels->reading->api;
    const struct registry *registry = api->options.registry;

    if (!labels->agents) {
        labels->agent_count = registry_count(registry, ENTITY_AGENT);
        labels->agents = calloc(labels->agent_count + 1, sizeof(*labels->agents));
        for (uint32_t i = 1; labels->agents && i <= labels->agent_count; i++)
            labels->agents[i] =
                agent_hash(writer_hash_key(api->writer), registry_name(registry, ENTITY_AGENT, i));
    }
    for (uint32_t i = 1; labels->agents && i <= labels->agent_count; i++)
        if (labels->agents[i] == hash)
            return registry_name(registry, ENTITY_AGENT, i);
    return (struct slice){0};
}

/* Only the hash is counted; the word stands in the opt-ins that said it, as long as they are not
 * erased. */
static struct slice word_of(const struct labels *labels, enum optin_text field, uint64_t hash,
                            const uint64_t seqs[FIGURES_SEQS])
{
    struct reading *reading = labels->reading;
    struct optin *optin = &reading->api->optin;
    const struct hash_key *key = writer_hash_key(reading->api->writer);

    for (size_t i = 0; i < FIGURES_SEQS && seqs[i] != 0; i++) {
        struct record_view record;
        if (journal_read(reading->journal, seqs[i], &record) == STATUS_OK && !record.erased &&
            optin_decode(record.payload, optin) == STATUS_OK &&
            source_hash(key, record.header.agency, optin->text[field]) == hash)
            return optin->text[field];
    }
    return (struct slice){0};
}

static void write_label(void *owner, enum tally_dimension dimension, uint64_t value,
                        const uint64_t seqs[FIGURES_SEQS], struct text *out)
{
    struct labels *labels = owner;
    struct slice name = {0};

    if (dimension == TALLY_SITE)
        name = registry_name(labels->reading->api->options.registry, ENTITY_SITE, (uint32_t)value);
    else if (dimension == TALLY_OWNER)
        name = registry_name(labels->reading->api->options.registry, ENTITY_AGENT, (uint32_t)value);
    else if (dimension == TALLY_AGENT)
        name = agent_called(labels, value);
    else
        name = word_of(labels, dimension == TALLY_SOURCE ? OPTIN_SOURCE_KIND : OPTIN_UTM_CAMPAIGN,
                       value, seqs);
    if (name.length > 0)
        text_json_string(out, name);
    else
        text_printf(out, "\"#%llx\"", (unsigned long long)value);
}

static bool is_agent(void *owner, uint32_t agent)
{
    const struct labels *labels = owner;

    return registry_agent(labels->reading->api->options.registry, agent) != NULL;
}

/* Whose words and numbers: the site's playbook, else its agency's; where all agencies are asked for
 * and there is but one, that one's. */
static const struct playbook *playbook_of(const struct registry *registry,
                                          const struct figures_query *query)
{
    const struct site agencys = {.agency = query->agency != 0 ? query->agency : 1};
    const struct site *site =
        query->side == TALLY_SITE ? registry_site(registry, (uint32_t)query->value) : &agencys;

    if (query->agency == 0 && registry_count(registry, ENTITY_AGENCY) != 1)
        return playbook_shipped();
    return registry_playbook(registry, site ? registry_playbook_of(registry, site) : 0);
}

static enum status run_figures(struct reading *reading, struct pending *pending, struct text *out)
{
    struct api *api = reading->api;
    struct labels labels = {.reading = reading};
    const struct figures_source source = {
        .state = reading->state,
        .playbook = playbook_of(api->options.registry, &pending->read.figures),
        .id_key = writer_id_key(api->writer),
        .agencies = registry_count(api->options.registry, ENTITY_AGENCY),
        .now_ms = clock_now_ms(api->options.clock),
        .label = write_label,
        .is_agent = is_agent,
        .owner = &labels,
    };
    enum status status = figures_write(&source, &pending->read.figures, out);

    free(labels.agents);
    return status == STATUS_OK && out->overflow ? STATUS_TOO_LARGE : status;
}

/* --- what is asked for ---------------------------------------------------------------- */

#define VALUE_MAX 256

/* What cannot be used, and why where its name does not say that. */
struct wrong {
    const char *name, *why; /* why NULL: nothing more is to be said */
};

static void refuse(struct api *api, const struct api_call *call, enum status status,
                   const struct wrong *wrong)
{
    uint64_t ticket = call->request->ticket;
    char field[80], detail[256];
    const char *what = api_field_detail(slice_of(wrong->name), field, sizeof(field));

    if (status != STATUS_INVALID || !wrong->why) {
        api_problem_field(api, ticket, status, slice_of(wrong->name));
        return;
    }
    snprintf(detail, sizeof(detail), "%s in the report %.*s: %s",
             what ? what : "a name that none has cannot be used", (int)call->names[0].length,
             call->names[0].bytes, wrong->why);
    api_problem(api, ticket, status, detail);
}

/* What the query says, terminated; "" where it says nothing. False: it cannot be read. */
static bool take_text(const struct api_call *call, const char *name, struct wrong *wrong,
                      char out[VALUE_MAX + 1])
{
    struct text scratch = text_over(out, VALUE_MAX);
    struct slice value;

    *wrong = (struct wrong){name, "it is no UTF-8 text of at most 256 bytes"};
    if (form_query_read(call->request->query, name, &scratch, &value) != STATUS_OK)
        return false;
    wrong->why = NULL;
    memmove(out, value.bytes ? value.bytes : "", value.length);
    out[value.length] = '\0';
    return strlen(out) == value.length;
}

/* 2026-01-31 as a day since 1970. */
static bool read_day(const char *text, uint32_t *out)
{
    int year, month, day, length = 0;

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &length) != 3 || text[length] ||
        length != 10 || year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    *out = (uint32_t)civil_day_number(year, month, day);
    return *out < (uint32_t)civil_day_number(year, month + 1, 1); /* that month has it */
}

static bool take_day(const struct api_call *call, const char *name, struct wrong *wrong,
                     uint32_t *out)
{
    char text[VALUE_MAX + 1];

    if (!take_text(call, name, wrong, text))
        return false;
    wrong->why = "give a day of the calendar, as 2026-01-31";
    return !*text || read_day(text, out);
}

/* The days that are asked for. */
static bool take_days(const struct api_call *call, struct figures_query *query, struct wrong *wrong)
{
    query->day_last = UINT32_MAX;
    if (!take_day(call, "from", wrong, &query->day_first) ||
        !take_day(call, "to", wrong, &query->day_last))
        return false;
    *wrong = (struct wrong){"from", "it is later than `to`"};
    return query->day_first <= query->day_last;
}

/* A number with at most two places, in hundredths. */
static bool read_hundredths(const char *text, uint64_t most, uint64_t *out)
{
    unsigned long whole, part = 0;
    char *end;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 12)
        return false;
    whole = strtoul(text, &end, 10);
    if (*end == '.') {
        size_t places = strlen(end + 1);
        if (places < 1 || places > 2 || end[1] < '0' || end[1] > '9')
            return false;
        part = strtoul(end + 1, &end, 10) * (places == 1 ? 10 : 1);
    }
    *out = whole * 100 + part;
    return *end == '\0' && *out <= most;
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && strlen(text) < 20 && *end == '\0';
}

static bool read_period(const char *text, enum figures_by *out)
{
    static const char *const names[] = {
        [FIGURES_BY_DAY] = "day", [FIGURES_BY_WEEK] = "week", [FIGURES_BY_MONTH] = "month"};

    for (unsigned by = FIGURES_BY_DAY; by <= FIGURES_BY_MONTH; by++) {
        if (strcmp(text, names[by]) == 0) {
            *out = (enum figures_by)by;
            return true;
        }
    }
    return false;
}

/* What only some reports are made with. */
static bool goes_by(enum figures_name name, const char *parameter)
{
    if (strcmp(parameter, "by") == 0)
        return name == FIGURES_FUNNEL || name == FIGURES_MIX || name == FIGURES_PROMISES;
    if (strcmp(parameter, "cold_for") == 0)
        return name == FIGURES_GRAVEYARD;
    return name == FIGURES_DUST; /* price, recoverable */
}

/* The same, of one that the report must be made with if it is given. */
static bool take_own(const struct api_call *call, const struct figures_query *query,
                     const char *name, struct wrong *wrong, char out[VALUE_MAX + 1])
{
    if (!take_text(call, name, wrong, out))
        return false;
    if (*out && !goes_by(query->name, name)) {
        wrong->why = "it is not made with that";
        return false;
    }
    return true;
}

static bool take_page(const struct api_call *call, struct figures_query *query, struct wrong *wrong)
{
    char text[VALUE_MAX + 1];
    uint64_t limit = FIGURES_LIMIT;

    if (!take_text(call, "after", wrong, text))
        return false;
    wrong->why = "give what `next` of the page before says";
    if (*text && !read_number(text, &query->after))
        return false;
    if (!take_text(call, "limit", wrong, text))
        return false;
    wrong->why = "give a number from 1 to 1000"; /* FIGURES_LIMIT_MAX */
    if ((*text && !read_number(text, &limit)) || limit == 0 || limit > FIGURES_LIMIT_MAX)
        return false;
    query->limit = (uint32_t)limit;
    return true;
}

static bool take_money(const struct api_call *call, struct figures_query *query,
                       struct wrong *wrong)
{
    char text[VALUE_MAX + 1];
    uint64_t parts = FIGURES_RECOVERABLE_OWN;

    query->price_cents = FIGURES_PRICE_OWN;
    if (!take_own(call, query, "price", wrong, text))
        return false;
    wrong->why = "give an amount up to 1000000 with at most two decimal places";
    if (*text && !read_hundredths(text, 100000000, &query->price_cents))
        return false;
    if (!take_own(call, query, "recoverable", wrong, text))
        return false;
    wrong->why = "give a percentage up to 100 with at most two decimal places";
    if (*text && !read_hundredths(text, 10000, &parts))
        return false;
    query->recoverable_parts = (uint32_t)parts;
    return true;
}

/* The parameters that are not filters, in their order. False: `*wrong` cannot be used. */
static bool take_numbers(const struct api_call *call, struct figures_query *query,
                         struct wrong *wrong)
{
    char text[VALUE_MAX + 1];
    struct playbook_span cold_for;

    if (!take_days(call, query, wrong))
        return false;
    if (!take_own(call, query, "by", wrong, text))
        return false;
    wrong->why = "give day, week or month";
    if (*text && !read_period(text, &query->by))
        return false;
    if (!take_page(call, query, wrong))
        return false;
    if (!take_own(call, query, "cold_for", wrong, text))
        return false;
    wrong->why = "give a span of time, as 6mo or 90d";
    if (*text && !playbook_span_of(slice_of(text), &cold_for))
        return false;
    if (*text)
        query->cold_ms = playbook_span_about(cold_for);
    return take_money(call, query, wrong);
}

/* A manager's own agency, and for an administrator the one that is named, else all of them. */
static enum status take_agency(const struct api *api, const struct api_call *call,
                               struct figures_query *query, struct wrong *wrong)
{
    char text[VALUE_MAX + 1];

    query->agency = call->caller.agency;
    if (!take_text(call, "agency", wrong, text))
        return STATUS_INVALID;
    if (!*text)
        return STATUS_OK;
    query->agency = registry_number(api->options.registry, ENTITY_AGENCY, slice_of(text));
    return query->agency != 0 && api_may_see(&call->caller, query->agency) ? STATUS_OK
                                                                           : STATUS_NOT_FOUND;
}

static enum status take_site(const struct api *api, const struct api_call *call, const char *id,
                             struct figures_query *query, struct wrong *wrong)
{
    uint32_t number = registry_number(api->options.registry, ENTITY_SITE, slice_of(id));
    uint32_t agency = registry_agency_of(api->options.registry, ENTITY_SITE, number);

    if (number == 0 || !api_may_see(&call->caller, agency))
        return STATUS_NOT_FOUND;
    wrong->why = "it is not of that agency";
    if (query->agency != 0 && query->agency != agency)
        return STATUS_INVALID;
    query->agency = agency;
    query->value = number;
    return STATUS_OK;
}

static enum status take_owner(const struct api *api, const struct api_call *call, const char *id,
                              struct figures_query *query)
{
    uint32_t number = registry_number(api->options.registry, ENTITY_AGENT, slice_of(id));

    if (number == 0 || !api_may_see(&call->caller, registry_agency_of(api->options.registry,
                                                                      ENTITY_AGENT, number)))
        return STATUS_NOT_FOUND;
    query->value = number;
    return STATUS_OK;
}

/* Which reports are made of what is counted from that side. */
static bool goes_with(enum figures_name name, enum tally_dimension side)
{
    if (side == TALLY_OWNER)
        return name == FIGURES_BOARD || name == FIGURES_GRAVEYARD;
    if (name == FIGURES_BOARD)
        return false;
    if (side == TALLY_AGENT)
        return name == FIGURES_SPEED;
    return name != FIGURES_CAMPAIGNS || side == TALLY_CAMPAIGN;
}

/* One filter at a time: each side is counted for itself. */
static enum status find_side(const struct api *api, const struct api_call *call,
                             enum tally_dimension side, const char *text,
                             struct figures_query *query, struct wrong *wrong)
{
    const struct hash_key *key = writer_hash_key(api->writer);

    wrong->why = "give only one of site, source, campaign, agent and owner";
    if (query->side != TALLY_ALL)
        return STATUS_INVALID;
    wrong->why = "it is not made with that";
    if (!goes_with(query->name, side))
        return STATUS_INVALID;
    query->side = side;
    if (side == TALLY_SITE)
        return take_site(api, call, text, query, wrong);
    if (side == TALLY_OWNER)
        return take_owner(api, call, text, query);
    if (side == TALLY_AGENT) {
        query->value = agent_hash(key, slice_of(text));
        return STATUS_OK;
    }
    wrong->why = "name the agency, too, whose word it is";
    query->value = source_hash(key, query->agency, slice_of(text));
    return query->agency != 0 ? STATUS_OK : STATUS_INVALID;
}

static enum status take_filter(const struct api *api, const struct api_call *call,
                               struct figures_query *query, struct wrong *wrong)
{
    static const struct {
        const char *name;
        enum tally_dimension side;
    } filters[] = {{"site", TALLY_SITE},
                   {"agent", TALLY_AGENT},
                   {"source", TALLY_SOURCE},
                   {"campaign", TALLY_CAMPAIGN},
                   {"owner", TALLY_OWNER}};
    enum status status = STATUS_OK;
    char text[VALUE_MAX + 1];

    query->side = TALLY_ALL;
    for (size_t i = 0; status == STATUS_OK && i < sizeof(filters) / sizeof(*filters); i++) {
        if (!take_text(call, filters[i].name, wrong, text))
            return STATUS_INVALID;
        if (!*text)
            continue;
        status = find_side(api, call, filters[i].side, text, query, wrong);
    }
    return status;
}

/* A filter that is misspelt is not left out, nor one of two that are said: the figures would be
 * those of others. */
static bool is_known(const struct api_call *call, struct wrong *wrong, char name[VALUE_MAX + 1])
{
    static const char *const names[] = {"agency", "from",     "to",       "by",          "after",
                                        "limit",  "cold_for", "price",    "recoverable", "site",
                                        "agent",  "source",   "campaign", "owner",       NULL};
    struct text scratch = text_over(name, VALUE_MAX);
    struct slice other = form_query_other(call->request->query, names, &scratch);

    for (size_t i = 0; other.bytes == NULL && names[i] != NULL; i++) {
        *wrong = (struct wrong){names[i], "give it once"};
        if (form_query_repeats(call->request->query, names[i], &scratch))
            return false;
    }
    if (other.bytes == NULL)
        return true;
    memmove(name, other.bytes, other.length < VALUE_MAX ? other.length : VALUE_MAX);
    name[other.length < VALUE_MAX ? other.length : VALUE_MAX] = '\0';
    *wrong = (struct wrong){name, "no report is made with that"};
    return false;
}

void api_figures(struct api *api, const struct api_call *call)
{
    struct figures_query query = {.name = figures_of(call->names[0])};
    char name[VALUE_MAX + 1];
    struct wrong wrong = {"agency", NULL};
    enum status status = query.name == FIGURES_NONE ? STATUS_NOT_FOUND : STATUS_OK;

    if (status == STATUS_OK && !is_known(call, &wrong, name))
        status = STATUS_INVALID;
    if (status == STATUS_OK)
        status = take_agency(api, call, &query, &wrong);
    if (status == STATUS_OK && !take_numbers(call, &query, &wrong))
        status = STATUS_INVALID;
    if (status == STATUS_OK)
        status = take_filter(api, call, &query, &wrong);
    if (status != STATUS_OK)
        refuse(api, call, status, &wrong);
    else
        read_figures(api, call, &query, run_figures);
}
