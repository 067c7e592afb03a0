/* Whose people are, by hand: one person, or all of an agent's; and what an agent has to do. */
#include <stdlib.h>

#include "proto/form.h"
#include "proto/id.h"
#include "server/api_admin.h"
#include "server/api_hand.h"
#include "server/api_read.h"

#define HANDED_AT_ONCE 64  /* people of one request: a batch of the writer's */
#define WORKLIST_PAGE  100 /* tasks */

/* The agent that the path names, if it is the caller's to have to do with: a manager's own
 * agency's, or the agent whose token it is. 0: answered. */
static uint32_t agent_of_path(struct api *api, const struct api_call *call)
{
    const struct registry *registry = api->options.registry;
    uint32_t number = registry_number(registry, ENTITY_AGENT, call->names[0]);
    const struct agent *agent = registry_agent(registry, number);

    if (agent == NULL || !api_may_see(&call->caller, agent->agency)) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
        return 0;
    }
    if (call->caller.who != WHO_AGENT || call->caller.token->agent_number == number)
        return number;
    api_problem(api, call->request->ticket, STATUS_FORBIDDEN,
                "an agent's token has to do with that agent only");
    return 0;
}

/* The agent that the body names; null: nobody. INVALID: it has no such member, or there is no such
 * agent among those that the caller may see. */
static enum status read_agent(const struct api *api, const struct api_call *call,
                              struct json_value body, const char *name, uint32_t *out)
{
    const struct registry *registry = api->options.registry;
    struct json_value value;
    struct slice id;

    *out = 0;
    if (!json_member(body, name, &value))
        return STATUS_INVALID;
    if (value.type == JSON_NULL)
        return STATUS_OK;
    if (!json_string(value, &id))
        return STATUS_INVALID;
    *out = registry_number(registry, ENTITY_AGENT, id);
    return *out != 0 && api_may_see(&call->caller, registry_agent(registry, *out)->agency)
               ? STATUS_OK
               : STATUS_INVALID;
}

/* --- one person ---------------------------------------------------------------------- */

static const char *why_refused(enum status status)
{
    switch (status) {
    case STATUS_FORBIDDEN:
        return "only the person's owner or a manager hands it over; claim its task to own it";
    case STATUS_INVALID:
        return "the agent is not one of the person's agency";
    case STATUS_CONFLICT:
        return hand_denial(DENIED_MERGED);
    default:
        return NULL;
    }
}

static void assign_settled(struct api *api, struct pending *pending,
                           const struct settlement *settlement, unsigned item)
{
    char bytes[256];
    struct text body = text_over(bytes, sizeof(bytes));
    const uint64_t number = pending->assign.number, at_ms = pending->assign.at_ms;
    struct slice to = registry_name(api->options.registry, ENTITY_AGENT, pending->assign.to);
    uint64_t ticket = pending->http_ticket;
    char id[ID_TEXT_LENGTH];

    (void)item;
    api_release(api, pending);
    if (settlement->status != STATUS_OK && settlement->status != STATUS_DUPLICATE) {
        api_problem(api, ticket, settlement->status, why_refused(settlement->status));
        return;
    }
    id_format(id, writer_id_key(api->writer), ID_PERSON, at_ms, number);
    text_string(&body, "{\"person\":\"");
    text_bytes(&body, id, sizeof(id));
    text_char(&body, '"');
    write_member_text(&body, "owner", to);
    text_char(&body, '}');
    api_json(api, ticket, 200, &body);
}

/* Who says so, and why: it stands in the person's history. */
static enum status read_note(struct api *api, const struct api_call *call, struct json_value body,
                             struct slice *out)
{
    const struct token *token = call->caller.token;
    struct json_value value;
    struct report said;

    report_clear(&said);
    said.agent = slice_of(token->agent[0] != '\0' ? token->agent : token->id);
    if (json_member(body, "note", &value) && value.type != JSON_NULL &&
        (!json_string(value, &said.note) || said.note.length > REPORT_NOTE_MAX))
        return STATUS_INVALID;
    *out = (struct slice){api->report_bytes,
                          report_encode(&said, api->report_bytes, sizeof(api->report_bytes))};
    return out->length != 0 ? STATUS_OK : STATUS_TOO_LARGE;
}

static enum status send_assign(struct api *api, const struct api_call *call,
                               struct command *command)
{
    struct pending *pending = api_pend(api, call->request->ticket, assign_settled);

    if (!pending)
        return STATUS_BUSY;
    pending->assign.number = command->assign.person;
    pending->assign.at_ms = command->assign.first_ms;
    pending->assign.to = command->assign.to;
    return api_submit(api, pending, command);
}

void api_person_assign(struct api *api, const struct api_call *call)
{
    struct command command = {
        .kind = COMMAND_ASSIGN,
        .assign = {.agency = call->caller.agency,
                   .by = call->caller.token->agent_number,
                   .manager = call->caller.who != WHO_AGENT},
    };
    struct slice field = SLICE("agent");
    struct json_value body;

    if (!id_parse(call->names[0], writer_id_key(api->writer), ID_PERSON, &command.assign.first_ms,
                  &command.assign.person)) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    if (!api_body_object(api, call, &body))
        return;
    enum status status = read_agent(api, call, body, "agent", &command.assign.to);
    if (status == STATUS_OK) {
        field = SLICE("note");
        status = read_note(api, call, body, &command.payload);
    }
    if (status == STATUS_OK)
        status = send_assign(api, call, &command);
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, field);
}

/* --- all of an agent's ------------------------------------------------------------------ */

static void finish(struct api *api, struct pending *pending)
{
    uint64_t ticket = pending->http_ticket;
    enum status failed = pending->hand_over.failed;
    char bytes[128];
    struct text body = text_over(bytes, sizeof(bytes));

    text_printf(&body, "{\"handed_over\":%u,\"more\":%s}", pending->hand_over.done,
                pending->hand_over.at_end ? "false" : "true");
    api_release(api, pending);
    if (failed != STATUS_OK)
        api_problem(api, ticket, failed, NULL);
    else
        api_json(api, ticket, 200, &body);
}

static void hand_over_settled(struct api *api, struct pending *pending,
                              const struct settlement *settlement, unsigned item)
{
    (void)item;
    pending->hand_over.waiting--;
    if (settlement->status == STATUS_OK)
        pending->hand_over.done++;
    else if (settlement->status == STATUS_NOT_FOUND)
        pending->hand_over.at_end = true;
    else
        pending->hand_over.failed = settlement->status;
    if (pending->hand_over.waiting == 0)
        finish(api, pending);
}

/* Each takes the first of those that are left, so that whoever asks again goes on where this
 * ended, and a crash in between has lost nothing. */
static enum status send_hand_over(struct api *api, const struct api_call *call, uint32_t from,
                                  uint32_t to, struct slice said)
{
    struct pending *pending = api_pend(api, call->request->ticket, hand_over_settled);
    struct command command = {
        .kind = COMMAND_ASSIGN,
        .now_ms = clock_now_ms(api->options.clock),
        .payload = said,
        .assign = {.from = from, .to = to, .agency = call->caller.agency, .manager = true},
    };
    enum status status = STATUS_OK;

    if (!pending)
        return STATUS_BUSY;
    pending->hand_over.waiting = pending->hand_over.done = 0;
    pending->hand_over.at_end = false;
    pending->hand_over.failed = STATUS_OK;
    for (unsigned i = 0; i < HANDED_AT_ONCE && status == STATUS_OK; i++) {
        command.ticket = api_ticket(api, pending, i);
        status = writer_submit(api->writer, &command);
        pending->hand_over.waiting += status == STATUS_OK;
    }
    if (pending->hand_over.waiting > 0)
        return STATUS_OK;
    api_release(api, pending);
    return status;
}

void api_agent_hand_over(struct api *api, const struct api_call *call)
{
    uint32_t from = agent_of_path(api, call), to = 0;
    struct slice field = SLICE("to"), said;
    struct json_value body;

    if (from == 0 || !api_body_object(api, call, &body))
        return;
    enum status status = read_agent(api, call, body, "to", &to);
    if (status == STATUS_OK &&
        (to == from || (to != 0 && registry_agent(api->options.registry, to)->agency !=
                                       registry_agent(api->options.registry, from)->agency)))
        status = STATUS_INVALID;
    if (status == STATUS_OK) {
        field = SLICE("note");
        status = read_note(api, call, body, &said);
    }
    if (status == STATUS_OK)
        status = send_hand_over(api, call, from, to, said);
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, field);
}

/* --- what is to be done ------------------------------------------------------------------ */

static enum status write_work(struct reading *reading, struct text *out,
                              const struct state_work *work)
{
    struct task_story story;
    enum status status = read_story(reading, work->task, &story);

    if (status != STATUS_OK)
        return status;
    write_story(reading, out, &story);
    text_char(out, '}');
    return STATUS_OK;
}

/* Where the next page begins: a deadline and a task's number, which say nothing to anybody. */
static void write_next(struct text *out, bool more, const struct state_work *work)
{
    if (!more)
        text_string(out, ",\"next\":null}");
    else
        text_printf(out, ",\"next\":\"%llu.%llu\"}", (unsigned long long)work->deadline_ms,
                    (unsigned long long)work->task);
}

static enum status run_worklist(struct reading *reading, struct pending *pending, struct text *out)
{
    const struct registry *registry = reading->api->options.registry;
    uint32_t agent = (uint32_t)pending->read.number;
    struct state_work work;
    enum status status = STATUS_OK;
    unsigned count = 0;
    bool more = state_read_work_next(reading->state, agent, pending->read.at_ms,
                                     pending->read.before, &work);

    text_string(out, "{\"agent\":");
    text_json_string(out, registry_name(registry, ENTITY_AGENT, agent));
    text_string(out, ",\"tasks\":[");
    while (more && status == STATUS_OK && count < WORKLIST_PAGE) {
        if (count++ > 0)
            text_char(out, ',');
        status = write_work(reading, out, &work);
        more = state_read_work_next(reading->state, agent, work.deadline_ms, work.task + 1, &work);
    }
    text_char(out, ']');
    write_next(out, more, &work);
    return status;
}

/* `?after=` takes what "next" of the page before said. */
void api_agent_worklist(struct api *api, const struct api_call *call)
{
    uint32_t agent = agent_of_path(api, call);
    char bytes[64] = "", *end = bytes;
    struct text scratch = text_over(bytes, sizeof(bytes) - 1);
    uint64_t deadline_ms = 0, task = 0;

    if (agent == 0)
        return;
    struct slice after = form_query(call->request->query, "after", &scratch);
    if (after.length != 0) {
        memmove(bytes, after.bytes, after.length);
        bytes[after.length] = '\0';
        deadline_ms = strtoull(bytes, &end, 10);
        if (*end == '.')
            task = strtoull(end + 1, &end, 10);
        if (*end != '\0' || task == 0) {
            api_problem(api, call->request->ticket, STATUS_INVALID,
                        "after takes what next of the page before said");
            return;
        }
    }
    read_work(api, call, agent, deadline_ms, task, run_worklist);
}

/* --- whether somebody is there --------------------------------------------------------------- */

/* All else of an agent is for managers to say. */
static bool says_presence_only(struct json_value body, struct slice *field)
{
    struct json_walk walk = json_walk(body);
    struct json_value value;
    bool says_it = false;

    while (json_next(&walk, field, &value)) {
        if (!slice_equal(*field, SLICE("available")) && !slice_equal(*field, SLICE("away_until")))
            return false;
        says_it = true;
    }
    if (!says_it)
        *field = SLICE("available");
    return says_it;
}

void api_agent_availability(struct api *api, const struct api_call *call)
{
    struct json_value body;
    struct slice field = {0};

    if (!api_admin_begin(api, call->request))
        return;
    uint32_t number = agent_of_path(api, call);
    if (number == 0 || !api_body_object(api, call, &body))
        return;
    if (says_presence_only(body, &field))
        api_admin_change(api, call, ENTITY_AGENT, number, body, (struct slice){0}, 200);
    else
        api_problem_field(api, call->request->ticket, STATUS_INVALID, field);
}
