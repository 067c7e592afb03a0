/* POST /v1/people/{id}/signals: the person opened, clicked, came by, or wrote back. */
#include "proto/id.h"
#include "server/api_internal.h"

static void signal_settled(struct api *api, struct pending *pending,
                           const struct settlement *settlement, unsigned item)
{
    char bytes[96];
    struct text body = text_over(bytes, sizeof(bytes));
    uint64_t ticket = pending->http_ticket;

    (void)item;
    api_release(api, pending);
    if (settlement->status == STATUS_OK) {
        text_printf(&body, "{\"status\":\"counted\",\"points\":%u,\"hot\":%s}",
                    (unsigned)settlement->points, settlement->hot ? "true" : "false");
        api_json(api, ticket, 200, &body);
    } else if (settlement->status == STATUS_DUPLICATE) {
        text_string(&body, "{\"status\":\"known\",\"points\":0}");
        api_json(api, ticket, 200, &body);
    } else {
        api_problem(api, ticket, settlement->status, NULL);
    }
}

/* INVALID: *wrong cannot be used. */
static enum status read_signal(const struct api *api, struct json_value body,
                               struct command_signal *signal, const char **wrong)
{
    struct json_value value;
    struct slice text;
    uint64_t now_ms = signal->at_ms;

    *wrong = "kind";
    if (!json_member(body, "kind", &value) || !json_string(value, &text) ||
        signal_kind_of(text) == SIGNAL_NONE)
        return STATUS_INVALID;
    signal->kind = (uint8_t)signal_kind_of(text);
    *wrong = "at_ms";
    if (json_member(body, "at_ms", &value) && value.type != JSON_NULL &&
        (!json_uint(value, &signal->at_ms) || signal->at_ms > now_ms))
        return STATUS_INVALID;
    *wrong = "task";
    if (!json_member(body, "task", &value) || value.type == JSON_NULL)
        return STATUS_OK;
    return json_string(value, &text) && id_parse(text, writer_id_key(api->writer), ID_TASK,
                                                 &signal->task_opened_ms, &signal->task)
               ? STATUS_OK
               : STATUS_INVALID;
}

void api_signal_post(struct api *api, const struct api_call *call)
{
    struct command command = {
        .kind = COMMAND_SIGNAL,
        .signal = {.agency = call->caller.agency, .at_ms = clock_now_ms(api->options.clock)}};
    uint64_t ticket = call->request->ticket;
    struct json_value body;
    const char *wrong;

    if (!api_body_object(api, call, &body))
        return;
    if (!id_parse(call->names[0], writer_id_key(api->writer), ID_PERSON,
                  &command.signal.person_first_ms, &command.signal.person)) {
        api_problem(api, ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    enum status status = read_signal(api, body, &command.signal, &wrong);
    if (status != STATUS_OK) {
        api_problem_field(api, ticket, status, slice_of(wrong));
        return;
    }
    struct pending *pending = api_pend(api, ticket, signal_settled);
    status = pending ? api_submit(api, pending, &command) : STATUS_BUSY;
    if (status != STATUS_OK)
        api_problem(api, ticket, status, NULL);
}
