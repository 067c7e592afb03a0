/* People by page, and those who went cold among them; and how they are taken up again. */
#include <stdlib.h>

#include "proto/form.h"
#include "proto/id.h"
#include "server/api_read.h"
#include "server/playbook_span.h"

#define PEOPLE_DEFAULT 100
#define PEOPLE_MAX     1000
#define LOOKS_MAX      20000 /* rows that one page may pass over: some ms */
#define WAKE_PAGE      100   /* woken by one request */

static const struct playbook *playbook_of(const struct api *api, uint32_t agency)
{
    const struct registry *registry = api->options.registry;
    const struct site of_agency = {.agency = agency};

    return registry_playbook(registry, registry_playbook_of(registry, &of_agency));
}

/* Who is looked for, as of now. */
struct cold {
    struct state_reader *state;
    uint64_t now_ms, cold_ms, slot_ms;
};

static struct cold cold_of(const struct api *api, struct state_reader *state, uint32_t agency,
                           uint64_t now_ms, uint64_t cold_ms)
{
    return (struct cold){.state = state,
                         .now_ms = now_ms,
                         .cold_ms = cold_ms,
                         .slot_ms = figures_woken_until(state, playbook_of(api, agency), agency)};
}

static bool is_cold(const struct cold *cold, uint64_t number, const struct person_row *row,
                    const struct task_row *first)
{
    struct task_row call;

    (void)state_read_call(cold->state, number, row, first, &call);
    return engine_is_cold(row, &call, cold->now_ms, cold->cold_ms, cold->slot_ms);
}

/* --- a list ---------------------------------------------------------------------------------- */

struct people {
    struct reading *reading;
    const struct figures_query *query;
    struct text *out;
    struct cold cold;
    unsigned shown, most;
};

static void write_row(const struct people *people, uint64_t number, const struct person_row *row)
{
    const struct api *api = people->reading->api;
    const struct registry *registry = api->options.registry;
    struct text *out = people->out;
    char id[ID_TEXT_LENGTH];

    id_format(id, writer_id_key(api->writer), ID_PERSON, row->first_ms, number);
    text_string(out, people->shown > 0 ? ",{\"id\":\"" : "{\"id\":\"");
    text_bytes(out, id, sizeof(id));
    text_char(out, '"');
    write_member_text(out, "agency", registry_name(registry, ENTITY_AGENCY, row->agency));
    write_agent(people->reading, out, "owner", row->owner);
    write_life(people->reading, out, row);
    text_printf(out, ",\"attempts\":%u", (unsigned)row->attempts);
    write_member_ms(out, "first_ms", row->first_ms);
    write_member_ms(out, "last_ms", row->last_ms);
    write_member_ms(out, "contact_ms", row->contact_ms);
    write_member_text(out, "last_outcome",
                      row->end == OUTCOME_NONE ? (struct slice){0}
                                               : slice_of(outcome_name((enum outcome)row->end)));
    text_char(out, '}');
}

static bool list_person(void *owner, uint64_t number, const struct person_row *row,
                        const struct task_row *task)
{
    struct people *people = owner;

    if (row->agency != people->query->agency ||
        (people->query->cold_ms != 0 && !is_cold(&people->cold, number, row, task)))
        return true;
    write_row(people, number, row);
    return ++people->shown < people->most;
}

static void write_next(struct text *out, uint64_t next)
{
    if (next == 0)
        text_string(out, ",\"next\":null");
    else
        text_printf(out, ",\"next\":\"%llu\"", (unsigned long long)next);
}

static enum status run_people(struct reading *reading, struct pending *pending, struct text *out)
{
    const struct figures_query *query = &pending->read.figures;
    struct people people = {.reading = reading,
                            .query = query,
                            .out = out,
                            .cold =
                                cold_of(reading->api, reading->state, query->agency,
                                        clock_now_ms(reading->api->options.clock), query->cold_ms),
                            .most = query->day_last};
    uint64_t next;

    text_string(out, "{\"people\":[");
    enum status status =
        state_read_people(reading->state, query->after, LOOKS_MAX, list_person, &people, &next);
    text_char(out, ']');
    write_next(out, next);
    text_char(out, '}');
    return status;
}

/* --- what is asked for -------------------------------------------------------------------- */

/* What the query says, in `bytes`; empty where it says nothing. */
static struct slice take_text(const struct api_call *call, const char *name, char *bytes,
                              size_t capacity)
{
    struct text scratch = text_over(bytes, capacity);

    return form_query(call->request->query, name, &scratch);
}

static bool take_number(struct slice text, uint64_t absent, uint64_t most, uint64_t *out)
{
    uint64_t number = 0;

    *out = absent;
    if (text.length == 0)
        return true;
    for (size_t i = 0; i < text.length; i++) {
        uint64_t digit = (uint64_t)(text.bytes[i] - '0');
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

/* A manager's own agency, and for an administrator the one that is named. */
static enum status find_agency(const struct api *api, const struct api_call *call,
                               struct slice named, uint32_t *out)
{
    *out = call->caller.agency;
    if (named.length != 0)
        *out = registry_number(api->options.registry, ENTITY_AGENCY, named);
    if (named.length != 0 && (*out == 0 || !api_may_see(&call->caller, *out)))
        return STATUS_NOT_FOUND;
    return *out == 0 ? STATUS_INVALID : STATUS_OK;
}

static bool read_span(struct slice text, uint64_t *out_ms)
{
    struct playbook_span span;

    if (!playbook_span_of(text, &span))
        return false;
    *out_ms = playbook_span_about(span);
    return *out_ms > 0;
}

static enum status take_people(const struct api *api, const struct api_call *call,
                               struct figures_query *query, const char **wrong)
{
    char bytes[SITE_NAME_MAX + 1];
    struct slice text;
    uint64_t limit;

    text = take_text(call, *wrong = "cold_for", bytes, sizeof(bytes));
    if (text.length != 0 && !read_span(text, &query->cold_ms))
        return STATUS_INVALID;
    if (!take_number(take_text(call, *wrong = "limit", bytes, sizeof(bytes)), PEOPLE_DEFAULT,
                     PEOPLE_MAX, &limit) ||
        limit == 0)
        return STATUS_INVALID;
    query->day_last = (uint32_t)limit;
    if (!take_number(take_text(call, *wrong = "after", bytes, sizeof(bytes)), 0, UINT64_MAX / 2,
                     &query->after))
        return STATUS_INVALID;
    return find_agency(api, call, take_text(call, *wrong = "agency", bytes, sizeof(bytes)),
                       &query->agency);
}

/* `?agency=ID&cold_for=6mo&limit=N&after=` what "next" of the page before said. */
void api_people_cold(struct api *api, const struct api_call *call)
{
    struct figures_query query = {0};
    const char *wrong;
    enum status status = take_people(api, call, &query, &wrong);

    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, slice_of(wrong));
    else
        read_figures(api, call, &query, run_people);
}

/* --- taking up again ------------------------------------------------------------------------ */

/* Looked for by a reader, so that the writer decides about those alone who are cold. */
struct waking {
    struct cold cold;           /* while it is looked */
    struct command_wake wanted; /* of whom; `person`: looked behind this one */
    unsigned most;
    unsigned found, waiting, woken, left;
    uint64_t next; /* where to go on; 0: nobody is left */
    uint64_t first_ms, last_ms;
    enum status refused; /* by the writer: it has no room */
    uint64_t now_ms;
    uint64_t people[WAKE_PAGE];
};

void api_waking_free(struct waking *waking)
{
    free(waking);
}

static void answer_waking(struct api *api, struct pending *pending)
{
    struct waking *waking = pending->waking;
    uint64_t ticket = pending->http_ticket;
    char bytes[256];
    struct text body = text_over(bytes, sizeof(bytes));

    text_printf(&body, "{\"woken\":%u,\"left\":%u", waking->woken, waking->left);
    write_member_ms(&body, "first_call_ms", waking->first_ms);
    write_member_ms(&body, "last_call_ms", waking->last_ms);
    write_next(&body, waking->next);
    text_char(&body, '}');
    api_release(api, pending);
    if (waking->refused != STATUS_OK && waking->woken == 0)
        api_problem(api, ticket, waking->refused, NULL);
    else
        api_json(api, ticket, 200, &body);
    free(waking);
}

static void woken_settled(struct api *api, struct pending *pending,
                          const struct settlement *settlement, unsigned item)
{
    struct waking *waking = pending->waking;

    (void)item;
    if (settlement->status == STATUS_OK) {
        waking->woken++;
        if (waking->first_ms == 0)
            waking->first_ms = settlement->call_ms;
        waking->last_ms = settlement->call_ms;
    } else {
        waking->left++;
    }
    if (--waking->waiting == 0)
        answer_waking(api, pending);
}

static bool find_cold(void *owner, uint64_t number, const struct person_row *row,
                      const struct task_row *task)
{
    struct waking *waking = owner;

    if (row->agency != waking->wanted.agency || !is_cold(&waking->cold, number, row, task))
        return true;
    waking->people[waking->found++] = number;
    return waking->found < waking->most;
}

/* Where the writer has no room the rest is left for the next request. */
static void wake_found(struct api *api, struct pending *pending)
{
    struct waking *waking = pending->waking;
    struct command command = {.kind = COMMAND_WAKE, .now_ms = waking->now_ms};

    command.wake = waking->wanted;
    pending->on_settled = woken_settled;
    for (unsigned i = 0; i < waking->found; i++) {
        command.wake.person = waking->people[i];
        command.ticket = api_ticket(api, pending, i);
        waking->refused = writer_submit(api->writer, &command);
        if (waking->refused != STATUS_OK) {
            waking->next = waking->people[i] - 1;
            break;
        }
        waking->waiting++;
    }
    if (waking->waiting == 0)
        answer_waking(api, pending);
}

static void looked_settled(struct api *api, struct pending *pending,
                           const struct settlement *settlement, unsigned item)
{
    struct waking *waking = pending->waking;
    struct state_reader *reader;
    enum status status = settlement->status;

    (void)item;
    if (status == STATUS_OK)
        status = state_reader_open(writer_state(api->writer), &reader);
    if (status == STATUS_OK) {
        waking->cold =
            cold_of(api, reader, waking->wanted.agency, waking->now_ms, waking->wanted.cold_ms);
        status = state_read_people(reader, waking->wanted.person, LOOKS_MAX, find_cold, waking,
                                   &waking->next);
        if (status == STATUS_OK)
            status = state_reader_failure(reader);
        state_reader_close(reader);
    }
    if (status == STATUS_OK) {
        wake_found(api, pending);
        return;
    }
    api_problem(api, pending->http_ticket, status, NULL);
    free(waking);
    api_release(api, pending);
}

bool api_is_waking(const struct pending *pending)
{
    return pending->on_settled == looked_settled || pending->on_settled == woken_settled;
}

static enum status read_waking(const struct api *api, const struct api_call *call,
                               struct json_value body, struct waking *waking, const char **wrong)
{
    struct json_value value;
    struct slice text = {0};
    uint64_t most = WAKE_PAGE;
    enum status status;

    *wrong = "agency";
    if (json_member(body, "agency", &value) && !json_string(value, &text))
        return STATUS_INVALID;
    status = find_agency(api, call, text, &waking->wanted.agency);
    if (status != STATUS_OK)
        return status;
    *wrong = "cold_for";
    waking->wanted.cold_ms =
        playbook_span_about(playbook_of(api, waking->wanted.agency)->graveyard.cold_after);
    if (json_member(body, "cold_for", &value) &&
        (!json_string(value, &text) || !read_span(text, &waking->wanted.cold_ms)))
        return STATUS_INVALID;
    *wrong = "most";
    if (json_member(body, "most", &value) && (!json_uint(value, &most) || most == 0))
        return STATUS_INVALID;
    waking->most = most < WAKE_PAGE ? (unsigned)most : WAKE_PAGE;
    *wrong = "after";
    if (json_member(body, "after", &value) && value.type != JSON_NULL &&
        (!json_string(value, &text) ||
         !take_number(text, 0, UINT64_MAX / 2, &waking->wanted.person)))
        return STATUS_INVALID;
    return STATUS_OK;
}

/* {"agency","most","cold_for","after"} */
void api_graveyard_wake(struct api *api, const struct api_call *call)
{
    struct waking wanted = {.now_ms = clock_now_ms(api->options.clock)};
    uint64_t ticket = call->request->ticket;
    struct command command = {.kind = COMMAND_BARRIER};
    struct json_value body;
    const char *wrong;

    if (!api_body_object(api, call, &body))
        return;
    enum status status = read_waking(api, call, body, &wanted, &wrong);
    if (status != STATUS_OK) {
        api_problem_field(api, ticket, status, slice_of(wrong));
        return;
    }
    if (!writer_is_ready(api->writer)) {
        api_problem(api, ticket, STATUS_BUSY, "what is stored is being brought up to date");
        return;
    }
    struct pending *pending = api_pend(api, ticket, looked_settled);
    struct waking *waking = pending ? malloc(sizeof(*waking)) : NULL;
    if (!waking) {
        if (pending)
            api_release(api, pending);
        api_problem(api, ticket, STATUS_BUSY, NULL);
        return;
    }
    *waking = wanted;
    pending->waking = waking;
    status = api_submit(api, pending, &command);
    if (status != STATUS_OK) {
        free(waking);
        api_problem(api, ticket, status, NULL);
    }
}
