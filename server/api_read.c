#include "server/api_read.h"

#include "proto/id.h"
#include "proto/must.h"

bool read_is_callers(const struct pending *pending, uint32_t agency)
{
    return pending->read.agency == 0 || pending->read.agency == agency;
}

enum status read_record(struct reading *reading, const struct pending *pending, uint64_t seq,
                        uint64_t at_ms, struct record_view *out)
{
    enum status status = journal_read(reading->journal, seq, out);

    if (status != STATUS_OK)
        return status;
    return out->header.now_ms == at_ms && read_is_callers(pending, out->header.agency)
               ? STATUS_OK
               : STATUS_NOT_FOUND;
}

static enum status reading_open(struct api *api, struct reading *reading)
{
    *reading = (struct reading){.api = api};
    enum status status = journal_reader_open(writer_journal(api->writer), &reading->journal);
    if (status != STATUS_OK)
        return status;
    status = state_reader_open(writer_state(api->writer), &reading->state);
    if (status != STATUS_OK)
        journal_reader_close(reading->journal);
    return status;
}

static void reading_close(struct reading *reading)
{
    state_reader_close(reading->state);
    journal_reader_close(reading->journal);
}

static void barrier_settled(struct api *api, struct pending *pending,
                            const struct settlement *settlement, unsigned item);
static void find_settled(struct api *api, struct pending *pending,
                         const struct settlement *settlement, unsigned item);

/* Sends a command under a pending that is kept; answers when it cannot be sent. */
static void hand_over(struct api *api, struct pending *pending, struct command *command,
                      settled_fn *then)
{
    uint64_t ticket = pending->http_ticket;

    pending->on_settled = then;
    enum status status = api_submit(api, pending, command);
    if (status != STATUS_OK)
        api_problem(api, ticket, status, NULL);
}

static void barrier_settled(struct api *api, struct pending *pending,
                            const struct settlement *settlement, unsigned item)
{
    struct text out = text_over(api->out, API_OUT_BYTES);
    uint64_t ticket = pending->http_ticket;
    enum status status = settlement->status;
    struct reading reading;

    (void)item;
    if (status == STATUS_OK)
        status = reading_open(api, &reading);
    if (status == STATUS_OK) {
        status = pending->read.run(&reading, pending, &out);
        if (state_reader_failure(reading.state) != STATUS_OK)
            status = state_reader_failure(reading.state);
        reading_close(&reading);
    }
    if (status == READ_LATER) {
        hand_over(api, pending, &(struct command){.kind = COMMAND_FIND, .optin = reading.received},
                  find_settled);
        return;
    }
    api_release(api, pending);
    if (status == STATUS_OK)
        api_json(api, ticket, 200, &out);
    else
        api_problem(api, ticket, status, NULL);
}

static void find_settled(struct api *api, struct pending *pending,
                         const struct settlement *settlement, unsigned item)
{
    uint64_t ticket = pending->http_ticket;

    (void)item;
    pending->read.person = PERSON_NONE;
    if (settlement->status == STATUS_OK) {
        pending->read.person = settlement->optin.person;
    } else if (settlement->status != STATUS_NOT_FOUND) {
        api_release(api, pending);
        api_problem(api, ticket, settlement->status, NULL);
        return;
    }
    hand_over(api, pending, &(struct command){.kind = COMMAND_BARRIER}, barrier_settled);
}

/* NULL: answered. */
static struct pending *pend(struct api *api, const struct api_call *call, read_fn *run)
{
    uint64_t ticket = call->request->ticket;

    if (!writer_is_ready(api->writer)) {
        api_problem(api, ticket, STATUS_BUSY, "what is stored is being brought up to date");
        return NULL;
    }
    struct pending *pending = api_pend(api, ticket, barrier_settled);
    if (!pending) {
        api_problem(api, ticket, STATUS_BUSY, NULL);
        return NULL;
    }
    memset(&pending->read, 0, sizeof(pending->read));
    pending->read.run = run;
    pending->read.agency = call->caller.agency;
    return pending;
}

void read_begin(struct api *api, const struct api_call *call, enum id_kind kind, read_fn *run)
{
    uint64_t number, at_ms;

    if (!id_parse(call->names[0], writer_id_key(api->writer), kind, &at_ms, &number)) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    struct pending *pending = pend(api, call, run);
    if (!pending)
        return;
    pending->read.number = number;
    pending->read.at_ms = at_ms;
    pending->read.before = call->before;
    hand_over(api, pending, &(struct command){.kind = COMMAND_BARRIER}, barrier_settled);
}

void read_list(struct api *api, const struct api_call *call, const struct read_page *page,
               read_fn *run)
{
    struct pending *pending = pend(api, call, run);

    if (!pending)
        return;
    pending->read.agency = page->agency;
    pending->read.site = page->site;
    pending->read.limit = page->limit;
    pending->read.before = page->before;
    pending->read.number = page->number;
    hand_over(api, pending, &(struct command){.kind = COMMAND_BARRIER}, barrier_settled);
}

void read_work(struct api *api, const struct api_call *call, uint32_t agent, uint64_t deadline_ms,
               uint64_t task, read_fn *run)
{
    struct pending *pending = pend(api, call, run);

    if (!pending)
        return;
    pending->read.number = agent;
    pending->read.at_ms = deadline_ms;
    pending->read.before = task;
    hand_over(api, pending, &(struct command){.kind = COMMAND_BARRIER}, barrier_settled);
}

void read_figures(struct api *api, const struct api_call *call, const struct figures_query *query,
                  read_fn *run)
{
    struct pending *pending = pend(api, call, run);

    if (!pending)
        return;
    pending->read.figures = *query;
    hand_over(api, pending, &(struct command){.kind = COMMAND_BARRIER}, barrier_settled);
}

void read_find(struct api *api, const struct api_call *call, const struct effect_received *facts,
               uint32_t agency, read_fn *run)
{
    struct pending *pending = pend(api, call, run);

    if (!pending)
        return;
    pending->read.agency = agency;
    hand_over(api, pending, &(struct command){.kind = COMMAND_FIND, .optin = *facts}, find_settled);
}

void write_member_ms(struct text *out, const char *name, uint64_t ms)
{
    text_printf(out, ",\"%s\":", name);
    if (ms == 0)
        text_string(out, "null");
    else
        text_uint(out, ms);
}

void write_member_text(struct text *out, const char *name, struct slice value)
{
    text_printf(out, ",\"%s\":", name);
    text_json_string_or_null(out, value);
}
