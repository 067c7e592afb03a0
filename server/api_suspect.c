/* Opt-ins that were stored as suspect, for a manager's review: an agency's or a site's, newest
 * first, in pages. State keeps a row for each, so that a page costs what it shows. */
#include <stdlib.h>

#include "proto/form.h"
#include "server/api_read.h"

#define PAGE_MAX     100
#define PAGE_DEFAULT 50
/* Rows that one page may pass over, because they are another site's: then it is short. */
#define LOOKS_MAX 1000
/* One more opt-in always fits behind it. */
#define PAGE_BYTES_MAX (API_OUT_BYTES / 8)

static enum status write_one(struct reading *reading, struct text *out, uint64_t seq,
                             const struct suspect_row *row)
{
    struct record_view decided, said;
    struct effect_optin optin;
    enum status status = journal_read(reading->journal, row->decided_seq, &decided);

    if (status == STATUS_OK)
        status = journal_read(reading->journal, seq, &said);
    if (status == STATUS_OK && !effect_find(&decided, EFFECT_OPTIN, &optin, sizeof(optin)))
        status = STATUS_CORRUPT;
    return status == STATUS_OK ? write_optin(reading, out, seq, &said, &optin) : status;
}

static enum status run_page(struct reading *reading, struct pending *pending, struct text *out)
{
    uint64_t seq = pending->read.before;
    enum status status = STATUS_OK;
    unsigned shown = 0;
    bool more = true;

    text_string(out, "{\"optins\":[");
    for (unsigned looks = 0; status == STATUS_OK && looks < LOOKS_MAX &&
                             shown < pending->read.limit && out->length < PAGE_BYTES_MAX;
         looks++) {
        struct suspect_row row;
        more = state_read_suspect_next(reading->state, pending->read.agency, seq, &seq, &row);
        if (!more)
            break;
        if (pending->read.site != 0 && pending->read.site != row.site)
            continue;
        if (shown++ > 0)
            text_char(out, ',');
        status = write_one(reading, out, seq, &row);
    }
    text_string(out, "],\"next\":");
    if (more)
        text_printf(out, "\"%llu\"", (unsigned long long)seq);
    else
        text_string(out, "null");
    text_char(out, '}');
    return status;
}

/* --- what is asked for ---------------------------------------------------------------- */

/* An unsigned number of the query; `absent` where it says nothing. False: it is none. */
static bool take_number(const struct api_call *call, const char *name, uint64_t absent,
                        uint64_t *out)
{
    char bytes[21];
    struct text scratch = text_over(bytes, sizeof(bytes) - 1);
    struct slice value = form_query(call->request->query, name, &scratch);
    char *end;

    *out = absent;
    if (value.length == 0)
        return true;
    memmove(bytes, value.bytes, value.length);
    bytes[value.length] = '\0';
    *out = strtoull(bytes, &end, 10);
    return bytes[0] >= '0' && bytes[0] <= '9' && *end == '\0';
}

/* The number of what the query names; 0 where it names nothing. False: there is none of that id. */
static bool take_entity(const struct api *api, const struct api_call *call, const char *name,
                        enum entity_kind kind, uint32_t *out)
{
    char bytes[SITE_NAME_MAX + 1];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice id = form_query(call->request->query, name, &scratch);

    *out = id.length == 0 ? 0 : registry_number(api->options.registry, kind, id);
    return id.length == 0 || *out != 0;
}

/* A manager's own agency, and for an administrator the one that is named, or the site's. NOT_FOUND:
 * nobody has what is named, or another does. INVALID: nothing is, or one does not go with the
 * other. */
static enum status take_scope(const struct api *api, const struct api_call *call,
                              struct read_page *page, const char **wrong)
{
    const struct registry *registry = api->options.registry;
    uint32_t of_site;

    if (!take_entity(api, call, "agency", ENTITY_AGENCY, &page->agency) ||
        !take_entity(api, call, "site", ENTITY_SITE, &page->site))
        return STATUS_NOT_FOUND;
    of_site = page->site == 0 ? 0 : registry_site(registry, page->site)->agency;
    if ((of_site != 0 && !api_may_see(&call->caller, of_site)) ||
        (page->agency != 0 && !api_may_see(&call->caller, page->agency)))
        return STATUS_NOT_FOUND;
    if (page->agency == 0)
        page->agency = of_site != 0 ? of_site : call->caller.agency;
    *wrong = page->agency == 0 ? "agency" : "site";
    return page->agency == 0 || (of_site != 0 && of_site != page->agency) ? STATUS_INVALID
                                                                          : STATUS_OK;
}

static enum status take_page(const struct api *api, const struct api_call *call,
                             struct read_page *page, const char **wrong)
{
    uint64_t suspect, limit;

    *wrong = "suspect";
    if (!take_number(call, "suspect", 0, &suspect) || suspect != 1)
        return STATUS_INVALID; /* the only list there is */
    *wrong = "limit";
    if (!take_number(call, "limit", PAGE_DEFAULT, &limit) || limit == 0 || limit > PAGE_MAX)
        return STATUS_INVALID;
    *wrong = "after";
    if (!take_number(call, "after", UINT64_MAX, &page->before))
        return STATUS_INVALID;
    page->limit = (uint32_t)limit;
    return take_scope(api, call, page, wrong);
}

/* `?suspect=1&agency=ID&site=ID&limit=N&after=` what "next" of the page before said. */
void api_optin_list(struct api *api, const struct api_call *call)
{
    struct read_page page = {0};
    const char *wrong;
    enum status status = take_page(api, call, &page, &wrong);

    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, slice_of(wrong));
    else
        read_list(api, call, &page, run_page);
}
