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
        .owner = &labels,
    };
    enum status status = figures_write(&source, &pending->read.figures, out);

    free(labels.agents);
    return status == STATUS_OK && out->overflow ? STATUS_TOO_LARGE : status;
}

/* --- what is asked for ---------------------------------------------------------------- */

#define VALUE_MAX 256

/* What the query says, terminated; "" where it says nothing. False: it cannot be read. */
static bool take_text(const struct api_call *call, const char *name, char out[VALUE_MAX + 1])
{
    struct text scratch = text_over(out, VALUE_MAX);
    struct slice value = form_query(call->request->query, name, &scratch);

    memmove(out, value.bytes ? value.bytes : "", value.length);
    out[value.length] = '\0';
    return strlen(out) == value.length;
}

/* 2026-01-31 as a day since 1970. */
static bool read_day(const char *text, uint32_t *out)
{
    int year, month, day, length = 0;

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &length) != 3 || text[length] ||
        length != 10 || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *out = (uint32_t)civil_day_number(year, month, day);
    return true;
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

/* The parameters that are not filters, in their order. False: `*wrong` cannot be used. */
static bool take_numbers(const struct api_call *call, struct figures_query *query,
                         const char **wrong)
{
    char text[VALUE_MAX + 1];
    struct playbook_span cold_for;
    uint64_t parts, limit;

    query->day_last = UINT32_MAX;
    query->limit = FIGURES_LIMIT;
    query->price_cents = FIGURES_PRICE_OWN;
    query->recoverable_parts = FIGURES_RECOVERABLE_OWN;
    if (!take_text(call, *wrong = "from", text) || (*text && !read_day(text, &query->day_first)))
        return false;
    if (!take_text(call, *wrong = "to", text) || (*text && !read_day(text, &query->day_last)))
        return false;
    if (!take_text(call, *wrong = "by", text) || (*text && !read_period(text, &query->by)))
        return false;
    if (!take_text(call, *wrong = "after", text) || (*text && !read_number(text, &query->after)))
        return false;
    if (!take_text(call, *wrong = "limit", text))
        return false;
    if (*text) {
        if (!read_number(text, &limit) || limit == 0 || limit > FIGURES_LIMIT_MAX)
            return false;
        query->limit = (uint32_t)limit;
    }
    if (!take_text(call, *wrong = "cold_for", text) ||
        (*text && !playbook_span_of(slice_of(text), &cold_for)))
        return false;
    if (*text)
        query->cold_ms = playbook_span_about(cold_for);
    if (!take_text(call, *wrong = "price", text) ||
        (*text && !read_hundredths(text, 100000000, &query->price_cents)))
        return false;
    if (!take_text(call, *wrong = "recoverable", text))
        return false;
    if (*text) {
        if (!read_hundredths(text, 10000, &parts))
            return false;
        query->recoverable_parts = (uint32_t)parts;
    }
    return true;
}

/* A manager's own agency, and for an administrator the one that is named, else all of them. */
static enum status take_agency(const struct api *api, const struct api_call *call,
                               struct figures_query *query)
{
    char text[VALUE_MAX + 1];

    query->agency = call->caller.agency;
    if (!take_text(call, "agency", text))
        return STATUS_INVALID;
    if (!*text)
        return STATUS_OK;
    query->agency = registry_number(api->options.registry, ENTITY_AGENCY, slice_of(text));
    return query->agency != 0 && api_may_see(&call->caller, query->agency) ? STATUS_OK
                                                                           : STATUS_NOT_FOUND;
}

static enum status take_site(const struct api *api, const struct api_call *call, const char *id,
                             struct figures_query *query)
{
    uint32_t number = registry_number(api->options.registry, ENTITY_SITE, slice_of(id));
    uint32_t agency = registry_agency_of(api->options.registry, ENTITY_SITE, number);

    if (number == 0 || !api_may_see(&call->caller, agency))
        return STATUS_NOT_FOUND;
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
static enum status take_filter(const struct api *api, const struct api_call *call,
                               struct figures_query *query, const char **wrong)
{
    static const struct {
        const char *name;
        enum tally_dimension side;
    } filters[] = {{"site", TALLY_SITE},
                   {"agent", TALLY_AGENT},
                   {"source", TALLY_SOURCE},
                   {"campaign", TALLY_CAMPAIGN},
                   {"owner", TALLY_OWNER}};
    const struct hash_key *key = writer_hash_key(api->writer);
    enum status status = STATUS_OK;
    char text[VALUE_MAX + 1];

    query->side = TALLY_ALL;
    for (size_t i = 0; status == STATUS_OK && i < sizeof(filters) / sizeof(*filters); i++) {
        if (!take_text(call, *wrong = filters[i].name, text))
            return STATUS_INVALID;
        if (!*text)
            continue;
        if (query->side != TALLY_ALL || !goes_with(query->name, filters[i].side))
            return STATUS_INVALID;
        query->side = filters[i].side;
        if (query->side == TALLY_SITE)
            status = take_site(api, call, text, query);
        else if (query->side == TALLY_OWNER)
            status = take_owner(api, call, text, query);
        else if (query->side == TALLY_AGENT)
            query->value = agent_hash(key, slice_of(text));
        else if (query->agency == 0) /* whose word? */
            status = STATUS_INVALID;
        else
            query->value = source_hash(key, query->agency, slice_of(text));
    }
    return status;
}

void api_figures(struct api *api, const struct api_call *call)
{
    struct figures_query query = {.name = figures_of(call->names[0])};
    const char *wrong = "agency";
    enum status status = query.name == FIGURES_NONE ? STATUS_NOT_FOUND : STATUS_OK;

    if (status == STATUS_OK)
        status = take_agency(api, call, &query);
    if (status == STATUS_OK && !take_numbers(call, &query, &wrong))
        status = STATUS_INVALID;
    if (status == STATUS_OK)
        status = take_filter(api, call, &query, &wrong);
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, slice_of(wrong));
    else
        read_figures(api, call, &query, run_figures);
}
