/* Work over HTTP: claiming a task from its queue, and saying what came of it. */
#include <stdlib.h>

#include "proto/id.h"
#include "proto/must.h"
#include "proto/task.h"
#include "server/api_internal.h"

#define WAIT_SECONDS_MAX 60

/* An agent's own token speaks for that agent and no other; any other token must say for whom.
 * Empty: nobody was named. FORBIDDEN: somebody else was. */
static enum status find_agent(const struct api_call *call, struct slice named, struct slice *out)
{
    struct slice own = slice_of(call->caller.token->agent);

    if (own.length != 0 && named.length != 0 && !slice_equal(own, named))
        return STATUS_FORBIDDEN;
    *out = own.length != 0 ? own : named;
    return STATUS_OK;
}

/* --- claiming --------------------------------------------------------------------- */

/* One that waits for a task: who asked, then what Redis gave out for it. */
struct held_claim {
    uint32_t queue;
    size_t agent_length, member_length;
    char agent[REPORT_AGENT_MAX];
    char member[TASK_BYTES_MAX];
};

static void end_claim(struct api *api, struct pending *pending)
{
    free(pending->claim.held);
    api_release(api, pending);
}

static void on_claim_look(uv_timer_t *timer);

static void link_claim(struct api *api, struct pending *pending)
{
    pending->claim.next = api->claims;
    api->claims = pending;
    uv_timer_start(&api->claim_timer, on_claim_look, API_CLAIM_LOOK_MS, API_CLAIM_LOOK_MS);
}

static void unlink_claim(struct api *api, struct pending *pending)
{
    struct pending **at = &api->claims;

    while (*at != pending)
        at = &(*at)->claim.next;
    *at = pending->claim.next;
    if (!api->claims)
        uv_timer_stop(&api->claim_timer);
}

/* The claim is in the journal (or the report that the script left was read before it: then it is
 * said again): now the agent may have the task. A conflict is a member that a forgetful Redis
 * showed again: its first claim holds, and this asker gets the next task. One that is not found was
 * put by another history of the journal (publish_reconcile.c): it is gone from its queue now, and
 * somebody should call. */
static void claim_settled(struct api *api, struct pending *pending,
                          const struct settlement *settlement, unsigned item)
{
    const struct held_claim *held = pending->claim.held;

    (void)item;
    if (settlement->status == STATUS_CONFLICT && api_is_waiting(api, pending)) {
        link_claim(api, pending);
        publish_claim(api->publish, api_ticket(api, pending, 0), held->queue,
                      (struct slice){held->agent, held->agent_length}, 0);
        return;
    }
    if (settlement->status == STATUS_OK || settlement->status == STATUS_DUPLICATE ||
        settlement->status == STATUS_NOT_FOUND)
        api_reply(api, pending->http_ticket, 200, JSON_TYPE,
                  (struct slice){held->member, held->member_length}, (struct slice){0});
    else
        api_problem(api, pending->http_ticket, settlement->status, NULL);
    end_claim(api, pending);
}

/* The release of a task whose claimer hung up; the lease is the fallback. */
static void give_back_settled(struct api *api, struct pending *pending,
                              const struct settlement *settlement, unsigned item)
{
    (void)settlement;
    (void)item;
    end_claim(api, pending);
}

static void answer_no_task(struct api *api, const struct pending *pending)
{
    api_reply(api, pending->http_ticket, 204, NULL, (struct slice){0}, (struct slice){0});
}

static void drop_claim(struct api *api, struct pending *pending)
{
    publish_unclaim(api->publish, api_ticket(api, pending, 0));
    unlink_claim(api, pending);
    answer_no_task(api, pending);
    end_claim(api, pending);
}

/* Nothing tells when a peer hangs up, so those that wait are looked at now and then. */
static void on_claim_look(uv_timer_t *timer)
{
    struct api *api = timer->data;
    struct pending *next;

    for (struct pending *pending = api->claims; pending; pending = next) {
        next = pending->claim.next;
        if (!api_is_waiting(api, pending))
            drop_claim(api, pending);
    }
}

void api_claims_end(struct api *api)
{
    while (api->claims)
        drop_claim(api, api->claims);
}

/* The member that Redis gave out, to nobody: which task, which delivery? */
static bool read_member(struct api *api, struct slice member, struct command_report *report)
{
    struct json_value root, id, delivery;
    struct slice text;
    uint64_t number;

    if (member.length > API_OUT_BYTES - JSON_PADDING)
        return false;
    memcpy(api->out, member.bytes, member.length);
    if (json_parse(api->json, api->out, member.length, &root) != STATUS_OK ||
        !json_member(root, "id", &id) || !json_string(id, &text) ||
        !id_parse(text, writer_id_key(api->writer), ID_TASK, &report->opened_ms, &report->task) ||
        !json_member(root, "delivery", &delivery) || !json_uint(delivery, &number))
        return false;
    report->delivery = (uint16_t)number;
    return number <= UINT16_MAX;
}

/* Says `op` for who asked, about the task that Redis gave out. */
static enum status report_claim(struct api *api, struct pending *pending, enum report_op op,
                                settled_fn *on_settled)
{
    const struct held_claim *held = pending->claim.held;
    struct command command = {
        .kind = COMMAND_REPORT,
        .report = {.op = (uint8_t)op,
                   .agency = pending->claim.agency,
                   .agent = pending->claim.agent},
    };
    struct report report;

    report_clear(&report);
    report.agent = (struct slice){held->agent, held->agent_length};
    command.payload = (struct slice){
        api->report_bytes, report_encode(&report, api->report_bytes, sizeof(api->report_bytes))};
    if (!read_member(api, (struct slice){held->member, held->member_length}, &command.report))
        return STATUS_CORRUPT;
    command.ticket = api_ticket(api, pending, 0);
    command.now_ms = clock_now_ms(api->options.clock);
    pending->on_settled = on_settled;
    return writer_submit(api->writer, &command);
}

/* The task was claimed for one who hung up meanwhile. It goes back at once instead of waiting
 * for its lease to end. */
static void give_back(struct api *api, struct pending *pending)
{
    enum status status = report_claim(api, pending, REPORT_RELEASE, give_back_settled);

    answer_no_task(api, pending);
    if (status == STATUS_OK)
        return;
    log_write(api->options.log, LOG_WARN, "a claimed task waits for its lease to end",
              LOG_TEXT("code", status_code(status)), LOG_END);
    end_claim(api, pending);
}

/* Where the writer cannot take the claim now, the report that the script left in Redis is
 * read later; the agent has the task either way. */
static void hand_out(struct api *api, struct pending *pending)
{
    struct held_claim *held = pending->claim.held;

    if (report_claim(api, pending, REPORT_CLAIM, claim_settled) == STATUS_OK)
        return;
    api_reply(api, pending->http_ticket, 200, JSON_TYPE,
              (struct slice){held->member, held->member_length}, (struct slice){0});
    end_claim(api, pending);
}

void api_on_claimed(void *owner, uint64_t ticket, enum status status, struct slice member)
{
    struct api *api = owner;
    struct pending *pending = api_pending_of(api, ticket);

    if (!pending || pending->on_settled != claim_settled)
        return;
    unlink_claim(api, pending);
    if (status == STATUS_OK && member.length != 0 && member.length <= TASK_BYTES_MAX) {
        pending->claim.held->member_length = member.length;
        memcpy(pending->claim.held->member, member.bytes, member.length);
        if (api_is_waiting(api, pending))
            hand_out(api, pending);
        else
            give_back(api, pending);
        return;
    }
    if (status != STATUS_OK)
        api_problem(api, pending->http_ticket, status, NULL);
    else
        answer_no_task(api, pending);
    end_claim(api, pending);
}

struct claim {
    struct slice queue, agent;
    uint64_t wait_s;
};

/* Missing and null say nothing; an empty text is none. */
static bool read_text(struct json_value body, const char *name, struct slice *out)
{
    struct json_value value;

    return !json_member(body, name, &value) || value.type == JSON_NULL ||
           (json_string(value, out) && out->length > 0);
}

static enum status read_claim(const struct api_call *call, struct json_value body,
                              struct claim *claim, struct slice *field)
{
    struct slice named = {0};
    struct json_value wait;
    struct report said; /* whom it does not take, a claim does not either */

    *field = SLICE("queue");
    if (!read_text(body, "queue", &claim->queue) || claim->queue.length == 0)
        return STATUS_INVALID;
    *field = SLICE("wait_s");
    if (json_member(body, "wait_s", &wait) &&
        (!json_uint(wait, &claim->wait_s) || claim->wait_s > WAIT_SECONDS_MAX))
        return STATUS_INVALID;
    *field = SLICE("agent");
    report_clear(&said);
    if (!read_text(body, "agent", &named) || report_set(&said, *field, named) != STATUS_OK)
        return STATUS_INVALID;
    enum status status = find_agent(call, named, &claim->agent);
    if (status == STATUS_OK && claim->agent.length == 0)
        return STATUS_INVALID;
    return status;
}

static void start_claim(struct api *api, const struct api_call *call, uint32_t queue,
                        const struct claim *claim)
{
    struct held_claim *held = calloc(1, sizeof(*held));
    struct pending *pending = held ? api_pend(api, call->request->ticket, claim_settled) : NULL;

    if (!pending) {
        free(held);
        api_problem(api, call->request->ticket, STATUS_BUSY, NULL);
        return;
    }
    held->agent_length = claim->agent.length;
    memcpy(held->agent, claim->agent.bytes, claim->agent.length);
    pending->claim.held = held;
    pending->claim.agency = registry_queue(api->options.registry, queue)->agency;
    pending->claim.agent = agent_hash(writer_hash_key(api->writer), claim->agent);
    held->queue = queue;
    link_claim(api, pending);
    publish_claim(api->publish, api_ticket(api, pending, 0), queue, claim->agent,
                  (unsigned)claim->wait_s * 1000);
}

void api_task_claim(struct api *api, const struct api_call *call)
{
    struct claim claim = {0};
    struct json_value body;
    struct slice field = {0};

    if (!api_body_object(api, call, &body))
        return;
    enum status status = read_claim(call, body, &claim, &field);
    uint32_t queue = registry_number(api->options.registry, ENTITY_QUEUE, claim.queue);
    if (status == STATUS_OK &&
        (queue == 0 ||
         !api_may_see(&call->caller, registry_queue(api->options.registry, queue)->agency)))
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK && api->draining)
        status = STATUS_CLOSING;
    if (status != STATUS_OK)
        api_problem_field(api, call->request->ticket, status, field);
    else
        start_claim(api, call, queue, &claim);
}

/* --- reports ----------------------------------------------------------------------- */

/* What a task is after a report of that kind. */
static const char *state_after(enum report_op op)
{
    switch (op) {
    case REPORT_CLAIM:
    case REPORT_EXTEND:
        return "claimed";
    case REPORT_RELEASE:
        return "queued";
    default:
        return "ended";
    }
}

static void count_report(struct api *api, const struct settlement *settlement, enum report_op op)
{
    enum stats_counter counter = STATS_REPORTS_REFUSED;
    enum status status = settlement->status;

    if (status == STATUS_OK)
        counter = STATS_REPORTS_APPLIED;
    else if (status == STATUS_DUPLICATE)
        counter = STATS_REPORTS_REPEATED;
    else if (status == STATUS_CONFLICT && op == REPORT_OUTCOME)
        counter = STATS_REPORTS_LATE;
    stats_add(api->options.stats, counter, 1);
    if (status == STATUS_OK && settlement->unknown_word)
        stats_add(api->options.stats, STATS_REPORT_WORDS_UNKNOWN, 1);
}

/* The task was withdrawn, and has no outcome. */
static const char *conflict_of_merged(const struct settlement *settlement)
{
    return settlement->wish ? "the person was merged into another one and the task withdrawn, so "
                              "this is late; that the person asked to be left alone is kept, and "
                              "holds from now on"
                            : "the person was merged into another one and the task withdrawn, so "
                              "this is late and only kept";
}

/* What the code alone does not say. */
static const char *conflict_of(const struct settlement *settlement, enum report_op op)
{
    if (settlement->denial == DENIED_MERGED)
        return conflict_of_merged(settlement);
    if (settlement->wish)
        return "the task has its outcome already, which stays; that the person asked to be left "
               "alone is kept, and holds from now on";
    switch (op) {
    case REPORT_OUTCOME:
        return "the task has its outcome already";
    case REPORT_EXTEND:
    case REPORT_RELEASE:
        return "this delivery is not held any more: it is stale, somebody else holds it, its "
               "window closed before anybody claimed it, or the task has its outcome";
    default:
        return "the task has no outcome yet, or it can be amended no more";
    }
}

/* The members of answers, then those of finds, are counted from 1: what is that one called? */
static bool find_item(struct json_value body, unsigned item, struct text *out)
{
    static const char *const objects[] = {"answers", "finds"};
    struct json_value object, value;
    struct slice name;

    for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
        if (!json_member(body, objects[i], &object))
            continue;
        struct json_walk walk = json_walk(object);
        while (json_next(&walk, &name, &value)) {
            if (--item > 0)
                continue;
            text_printf(out, "%s.", objects[i]);
            text_add(out, name);
            return !out->overflow;
        }
    }
    return false;
}

/* The playbook asks no such question, or it is none of its choices; or it is no phone. */
static void refuse_item(struct api *api, uint64_t ticket, struct slice bytes, unsigned item)
{
    char name[KNOWN_NAME_MAX + 16];
    struct text field = text_over(name, sizeof(name));
    struct json_value body;

    if (json_parse(api->json, bytes.bytes, bytes.length, &body) != STATUS_OK ||
        !find_item(body, item, &field))
        field.length = 0;
    api_problem_field(api, ticket, STATUS_INVALID, text_slice(&field));
}

static const char *detail_of(const struct settlement *settlement, enum report_op op)
{
    if (settlement->no_amount)
        return "the value of a sale is an amount: 1200 or 1200.50, without a currency or commas";
    switch (settlement->status) {
    case STATUS_CONFLICT:
        return conflict_of(settlement, op);
    case STATUS_INVALID:
        return "a delivery that was not given out yet, or an outcome that does not happen to a "
               "task of this channel, or that the person's playbook does not know, not among its "
               "`aliases` either";
    default:
        return NULL;
    }
}

static void report_settled(struct api *api, struct pending *pending,
                           const struct settlement *settlement, unsigned item)
{
    char bytes[256];
    struct text body = text_over(bytes, sizeof(bytes));
    enum report_op op = pending->report.op;
    uint64_t ticket = pending->http_ticket;
    struct slice said = pending->report.body;
    bool is_open = http_is_open(api->http, ticket);

    (void)item;
    count_report(api, settlement, op);
    text_string(&body, "{\"status\":\"");
    text_string(&body, state_after(op));
    text_char(&body, '"');
    api_add_id(api, &body, "task", ID_TASK, pending->report.opened_ms, pending->report.task);
    text_printf(&body, ",\"delivery\":%u", (unsigned)settlement->delivery);
    if (settlement->lease_until_ms != 0 && op == REPORT_EXTEND) {
        text_string(&body, ",\"lease_until_ms\":");
        text_uint(&body, settlement->lease_until_ms);
    }
    if (settlement->unknown_word)
        text_string(&body, ",\"outcome\":\"no_answer\",\"unknown_word\":true");
    text_char(&body, '}');
    api_release(api, pending);
    if (settlement->status == STATUS_OK || settlement->status == STATUS_DUPLICATE)
        api_json(api, ticket, 200, &body);
    else if (settlement->odd_item != 0 && is_open)
        refuse_item(api, ticket, said, settlement->odd_item);
    else
        api_problem(api, ticket, settlement->status, detail_of(settlement, op));
}

/* An end before the beginning, or a time that was agreed before there was a task, or is too far
 * away to be meant. What was agreed may have passed by the time it is told. */
static enum status check_times(const struct api *api, const struct report *report,
                               uint64_t opened_ms, struct slice *field)
{
    uint64_t farthest_ms = clock_now_ms(api->options.clock) + REPORT_AGREED_WITHIN_MS;

    *field = SLICE("ended_ms");
    if (report_is_reversed(report))
        return STATUS_INVALID;
    *field = SLICE("call_at_ms");
    if (report->call_at_ms == 0)
        return STATUS_OK;
    return report->call_at_ms >= opened_ms && report->call_at_ms <= farthest_ms ? STATUS_OK
                                                                                : STATUS_INVALID;
}

static enum status read_report(const struct api_call *call, struct json_value body,
                               struct report *report, struct slice *field)
{
    report_clear(report);
    report->task = call->names[0];
    report->op = (enum report_op)call->route->argument;
    enum status status = report_from_json(report, body, field);
    if (status == STATUS_OK)
        status = find_agent(call, report->agent, &report->agent);
    return status == STATUS_OK ? report_check(report, field) : status;
}

static void fill_command(struct api *api, const struct api_call *call, const struct report *report,
                         uint64_t task, struct command *command)
{
    size_t length = report_encode(report, api->report_bytes, sizeof(api->report_bytes));

    *command = (struct command){
        .kind = COMMAND_REPORT,
        .payload = {api->report_bytes, length},
        .report = {.task = task,
                   .started_ms = report->started_ms,
                   .ended_ms = report->ended_ms,
                   .call_at_ms = report->call_at_ms,
                   .agency = call->caller.agency,
                   .delivery = (uint16_t)report->delivery,
                   .op = (uint8_t)report->op,
                   .outcome = (uint8_t)report->outcome,
                   .manager = call->caller.who != WHO_AGENT},
    };
    if (report->agent.length != 0)
        command->report.agent = agent_hash(writer_hash_key(api->writer), report->agent);
}

static enum status submit_report(struct api *api, const struct api_call *call,
                                 const struct report *report, uint64_t task, uint64_t opened_ms)
{
    struct command command;

    fill_command(api, call, report, task, &command);
    if (command.payload.length == 0)
        return STATUS_TOO_LARGE;
    struct pending *pending = api_pend(api, call->request->ticket, report_settled);
    if (!pending)
        return STATUS_BUSY;
    command.report.opened_ms = opened_ms;
    pending->report.task = task;
    pending->report.opened_ms = opened_ms;
    pending->report.op = report->op;
    pending->report.body = call->request->body;
    return api_submit(api, pending, &command);
}

/* A field that takes few words says which. */
static void refuse_report(struct api *api, uint64_t ticket, enum status status, struct slice field)
{
    char bytes[192];
    struct text detail = text_over(bytes, sizeof(bytes));

    if (status != STATUS_INVALID || !slice_equal(field, SLICE("channel"))) {
        api_problem_field(api, ticket, status, field);
        return;
    }
    text_string(&detail, "the value of channel cannot be used: give ");
    for (int channel = TASK_CALL; channel < TASK_CHANNEL_END; channel++)
        text_printf(&detail, "%s%s",
                    channel == TASK_CALL              ? ""
                    : channel + 1 == TASK_CHANNEL_END ? " or "
                                                      : ", ",
                    task_channel_name((enum task_channel)channel));
    text_char(&detail, '\0');
    MUST(!detail.overflow);
    api_problem(api, ticket, status, bytes);
}

void api_task_report(struct api *api, const struct api_call *call)
{
    uint64_t ticket = call->request->ticket, task, opened_ms;
    struct json_value body;
    struct report report;
    struct slice field = {0};

    if (!id_parse(call->names[0], writer_id_key(api->writer), ID_TASK, &opened_ms, &task)) {
        api_problem(api, ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    if (!api_body_object(api, call, &body))
        return;
    enum status status = read_report(call, body, &report, &field);
    if (status == STATUS_OK)
        status = check_times(api, &report, opened_ms, &field);
    if (status == STATUS_OK)
        status = submit_report(api, call, &report, task, opened_ms);
    if (status != STATUS_OK)
        refuse_report(api, ticket, status, field);
}
