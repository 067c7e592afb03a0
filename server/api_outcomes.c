/* GET /v1/outcomes: what came of an agency's tasks, in the order in which it was stored, for the
 * systems that are kept up to date by it. */
#include "proto/form.h"
#include "proto/id.h"
#include "server/api_read.h"

#define OUTCOMES_DEFAULT 100
#define OUTCOMES_MAX     1000
#define LOOKS_MAX        20000 /* records that one page may pass over: some ms */
/* One more outcome always fits behind it: a note of 8 KiB, escaped. */
#define PAGE_BYTES_MAX (API_OUT_BYTES / 2)

struct outcomes {
    struct reading *reading;
    struct text *out;
    uint32_t agency, most, shown, looked;
    uint64_t seq; /* looked at last */
};

static bool is_outcome(const struct outcomes *outcomes, const struct record_view *record)
{
    return record->header.agency == outcomes->agency &&
           (record->header.kind == RECORD_OUTCOME || record->header.kind == RECORD_AMEND ||
            record->header.kind == RECORD_LATE);
}

static void write_outcome(struct outcomes *outcomes, const struct record_view *record)
{
    struct reading *reading = outcomes->reading;
    struct text *out = outcomes->out;
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    if (!state_read_person(reading->state, record->header.person, &row, &task, &last_seq))
        return;
    if (outcomes->shown++ > 0)
        text_char(out, ',');
    text_string(out, "{\"person\":\"");
    char id[ID_TEXT_LENGTH];
    id_format(id, writer_id_key(reading->api->writer), ID_PERSON, row.first_ms,
              record->header.person);
    text_bytes(out, id, sizeof(id));
    text_string(out, "\",\"attempts\":");
    text_uint(out, row.attempts);
    text_string(out, ",\"event\":");
    write_event(reading, out, record->header.person, record);
    text_char(out, '}');
}

static enum status run_outcomes(struct reading *reading, struct pending *pending, struct text *out)
{
    struct outcomes outcomes = {.reading = reading,
                                .out = out,
                                .agency = pending->read.agency,
                                .most = pending->read.limit,
                                .seq = pending->read.before};
    uint64_t last = state_read_folded(reading->state);
    enum status status = STATUS_OK;
    struct record_view record;

    text_string(out, "{\"outcomes\":[");
    while (status == STATUS_OK && outcomes.seq < last && outcomes.shown < outcomes.most &&
           outcomes.looked++ < LOOKS_MAX && out->length < PAGE_BYTES_MAX) {
        status = journal_read(reading->journal, outcomes.seq + 1, &record);
        if (status != STATUS_OK)
            break;
        outcomes.seq++;
        if (is_outcome(&outcomes, &record))
            write_outcome(&outcomes, &record);
    }
    text_printf(out, "],\"next\":\"%llu\"}", (unsigned long long)outcomes.seq);
    return status;
}

static bool take_number(const struct api_call *call, const char *name, uint64_t absent,
                        uint64_t most, uint64_t *out)
{
    char bytes[24];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice value = form_query(call->request->query, name, &scratch);
    uint64_t number = 0;

    *out = absent;
    if (value.length == 0)
        return !scratch.overflow;
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9' || number > UINT64_MAX / 10 - 1)
            return false;
        number = number * 10 + (uint64_t)(value.bytes[i] - '0');
    }
    *out = number;
    return number <= most;
}

static enum status take_page(const struct api *api, const struct api_call *call,
                             struct read_page *page, const char **wrong)
{
    char bytes[SITE_NAME_MAX + 1];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice named;
    uint64_t limit;

    *wrong = "limit";
    if (!take_number(call, "limit", OUTCOMES_DEFAULT, OUTCOMES_MAX, &limit) || limit == 0)
        return STATUS_INVALID;
    *wrong = "after";
    if (!take_number(call, "after", 0, UINT64_MAX / 2, &page->before))
        return STATUS_INVALID;
    *wrong = "agency";
    page->limit = (uint32_t)limit;
    page->agency = call->caller.agency;
    named = form_query(call->request->query, "agency", &scratch);
    if (named.length != 0)
        page->agency = registry_number(api->options.registry, ENTITY_AGENCY, named);
    if (named.length != 0 && (page->agency == 0 || !api_may_see(&call->caller, page->agency)))
        return STATUS_NOT_FOUND;
    return page->agency == 0 ? STATUS_INVALID : STATUS_OK;
}

/* `?agency=ID&limit=N&after=` what "next" of the page before said. */
void api_outcome_list(struct api *api, const struct api_call *call)
{
    struct read_page page = {0};
    const char *wrong;
    enum status status = take_page(api, call, &page, &wrong);

    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, slice_of(wrong));
    else
        read_list(api, call, &page, run_outcomes);
}
