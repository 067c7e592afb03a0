/* POST /v1/optins/batch: up to 500 opt-ins, each decided for itself; answered when the last one
 * is settled. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/must.h"
#include "server/api_internal.h"

struct batch {
    struct api *api;
    const struct http_request *request; /* only while it is read */
    const struct site *site;
    struct pending *pending;
    unsigned count;   /* items seen */
    unsigned waiting; /* submitted, not settled */
    bool reading;
    enum status statuses[INTAKE_BATCH_MAX];
};

void api_batch_free(struct batch *batch)
{
    free(batch);
}

/* The texts of statuses are about a whole request. */
static const char *detail_of(const struct batch *batch, unsigned index)
{
    if (batch->statuses[index] == STATUS_MALFORMED)
        return "this item is no JSON object that can be read";
    if (batch->statuses[index] == STATUS_INVALID)
        return "the value of Idempotency-Key cannot be used";
    return status_text(batch->statuses[index]);
}

static void write_failures(const struct batch *batch, struct text *body)
{
    const char *between = "";

    for (unsigned i = 0; i < batch->count; i++) {
        enum status status = batch->statuses[i];
        if (status == STATUS_OK || status == STATUS_DUPLICATE)
            continue;
        text_printf(body, "%s{\"index\":%u,\"code\":\"%s\",\"detail\":", between, i,
                    status_code(status));
        text_json_string(body, slice_of(detail_of(batch, i)));
        text_char(body, '}');
        between = ",";
    }
}

static unsigned count_of(const struct batch *batch, enum status status)
{
    unsigned count = 0;

    for (unsigned i = 0; i < batch->count; i++)
        count += batch->statuses[i] == status;
    return count;
}

/* Where there was no room for any item, the sender is told as for a single one. */
static bool is_all(const struct batch *batch, enum status status)
{
    return batch->count > 0 && count_of(batch, status) == batch->count;
}

static void finish(struct batch *batch)
{
    struct api *api = batch->api;
    uint64_t ticket = batch->pending->http_ticket;
    struct text body = text_over(api->out, API_OUT_BYTES);

    text_printf(&body, "{\"accepted\":%u,\"duplicates\":%u,\"failed\":[",
                count_of(batch, STATUS_OK), count_of(batch, STATUS_DUPLICATE));
    write_failures(batch, &body);
    text_string(&body, "]}");
    if (is_all(batch, STATUS_DISK_FULL))
        api_problem(api, ticket, STATUS_DISK_FULL, NULL);
    else if (is_all(batch, STATUS_BUSY))
        api_problem(api, ticket, STATUS_BUSY, NULL);
    else
        api_json(api, ticket, 200, &body);
    api_release(api, batch->pending);
    free(batch);
}

void api_batch_settled(struct api *api, struct pending *pending,
                       const struct settlement *settlement, unsigned item)
{
    struct batch *batch = pending->batch;

    api_count_settled(api, settlement);
    batch->statuses[item] = settlement->status == STATUS_ACCEPTED ? STATUS_OK : settlement->status;
    batch->waiting--;
    if (batch->waiting == 0 && !batch->reading)
        finish(batch);
}

/* One key for the whole batch stands for one key an item. */
static struct slice event_of(const struct batch *batch, const struct optin *optin, unsigned index,
                             struct text *scratch)
{
    struct slice key = batch->request->headers[HTTP_IDEMPOTENCY_KEY];

    if (optin->text[OPTIN_EVENT_ID].length != 0 || key.length == 0)
        return optin->text[OPTIN_EVENT_ID];
    text_add(scratch, key);
    text_printf(scratch, "#%u", index);
    return text_slice(scratch);
}

static enum status submit(struct batch *batch, unsigned index, struct optin *optin)
{
    struct api *api = batch->api;
    struct command command = {.kind = COMMAND_OPTIN,
                              .ticket = api_ticket(api, batch->pending, index),
                              .now_ms = clock_now_ms(api->options.clock)};
    char bytes[255];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice event = event_of(batch, optin, index, &scratch);

    if (scratch.overflow)
        return STATUS_INVALID;
    api_stamp(batch->request, optin);
    enum status status = intake_facts(api->intake, batch->site, CREDENTIAL_SECRET, event, false,
                                      optin, &command.optin);
    api_note_age(optin, command.now_ms, &command.optin);
    if (status == STATUS_OK)
        status = intake_encode(api->intake, optin, &command.payload);
    if (status != STATUS_OK)
        return status;
    batch->waiting++;
    status = writer_submit(api->writer, &command);
    if (status != STATUS_OK)
        batch->waiting--;
    return status;
}

static void on_item(void *owner, unsigned index, enum status status, struct optin *optin)
{
    struct batch *batch = owner;

    MUST(index < INTAKE_BATCH_MAX);
    batch->count = index + 1;
    if (status == STATUS_OK)
        status = submit(batch, index, optin);
    if (status == STATUS_OK)
        return; /* it will be settled */
    stats_add(batch->api->options.stats, STATS_OPTINS_REFUSED, 1);
    batch->statuses[index] = status;
}

void api_batch_post(struct api *api, const struct api_call *call)
{
    const struct http_request *request = call->request;
    struct pending *pending = api_pend(api, request->ticket, api_batch_settled);
    struct batch *batch = pending ? calloc(1, sizeof(*batch)) : NULL;

    if (!batch) {
        if (pending)
            api_release(api, pending);
        api_problem(api, request->ticket, STATUS_BUSY, NULL);
        return;
    }
    pending->batch = batch;
    batch->api = api;
    batch->request = request;
    batch->site = call->caller.site;
    batch->pending = pending;
    batch->reading = true;
    intake_now(api->intake, clock_now_ms(api->options.clock));
    enum status status = intake_batch(api->intake, request->headers[HTTP_CONTENT_TYPE],
                                      request->body, on_item, batch);
    batch->reading = false;
    if (status != STATUS_OK) { /* then there was no item */
        api_release(api, pending);
        free(batch);
        api_problem(api, request->ticket, status, NULL);
    } else if (batch->waiting == 0) {
        finish(batch);
    }
}
