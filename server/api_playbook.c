/* Playbooks over HTTP. What differs from other settings: an id has versions, which are shown one by
 * one and never change; what is wrong is told with its line and column, all of it at once.
 *
 * A playbook is opened here, on the loop: some milliseconds at most, now and then. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/form.h"
#include "server/api_admin.h"

/* --- showing ------------------------------------------------------------------------------- */

static void write_member(struct text *out, const char *name, struct slice value)
{
    text_printf(out, ",\"%s\":", name);
    text_json_string_or_null(out, value);
}

void api_playbook_write(const struct api *api, struct text *out, uint32_t number, bool yaml)
{
    const struct registry *registry = api->options.registry;
    const struct playbook_version *version = registry_playbook_version(registry, number);
    const struct playbook *playbook = version->playbook;

    text_string(out, "{\"id\":");
    text_json_string(out, slice_of(version->id));
    write_member(out, "agency", registry_name(registry, ENTITY_AGENCY, version->agency));
    text_printf(out, ",\"version\":%u,\"number\":%u", version->version, number);
    write_member(out, "name", playbook ? playbook->name : (struct slice){0});
    write_member(out, "title", playbook ? playbook->title : (struct slice){0});
    text_string(out, ",\"hash\":");
    if (playbook) {
        text_char(out, '"');
        text_hex(out, playbook->hash.bytes, sizeof(playbook->hash.bytes));
        text_char(out, '"');
    } else {
        text_string(out, "null");
    }
    if (yaml)
        write_member(out, "yaml", playbook ? playbook->canonical : (struct slice){0});
}

/* The shipped default is everybody's. */
static bool may_see(const struct api_call *call, const struct playbook_version *version)
{
    return version->agency == 0 || api_may_see(&call->caller, version->agency);
}

/* The newest version of an id, by the number of its first; NULL: there is none that this caller may
 * see, or it is one of a later id. */
static const struct playbook_version *newest_of(const struct api *api, const struct api_call *call,
                                                uint32_t first)
{
    const struct registry *registry = api->options.registry;
    const struct playbook_version *head = registry_playbook_version(registry, first);

    if (!head || head->first != first)
        return NULL;
    const struct playbook_version *newest = registry_playbook_version(registry, head->newest);
    return may_see(call, newest) ? newest : NULL;
}

/* First versions, at the number and after, of what is in force. 0: no more. */
static uint32_t next_in_force(const struct api *api, const struct api_call *call, uint32_t number)
{
    for (; number <= registry_count(api->options.registry, ENTITY_PLAYBOOK); number++) {
        const struct playbook_version *newest = newest_of(api, call, number);
        if (newest && newest->playbook)
            return number;
    }
    return 0;
}

#define SUMMARY_BYTES_MAX 8192

void api_playbook_list(struct api *api, const struct api_call *call)
{
    const struct registry *registry = api->options.registry;
    char bytes[SITE_NAME_MAX + 1];
    struct text scratch = text_over(bytes, sizeof(bytes)),
                body = text_over(api->out, API_OUT_BYTES);
    struct slice after = form_query(call->request->query, "after", &scratch), last = {0};
    uint32_t number = after.length == 0 ? 0 : registry_number(registry, ENTITY_PLAYBOOK, after);

    if (after.length != 0 && !newest_of(api, call, number)) {
        api_problem(api, call->request->ticket, STATUS_INVALID, "there is nothing of that id");
        return;
    }
    text_string(&body, "{\"playbooks\":[");
    number = next_in_force(api, call, number + 1);
    while (number != 0 && body.length + SUMMARY_BYTES_MAX < body.capacity) {
        if (last.length != 0)
            text_char(&body, ',');
        api_playbook_write(api, &body, newest_of(api, call, number)->number, false);
        text_char(&body, '}');
        last = registry_name(registry, ENTITY_PLAYBOOK, number);
        number = next_in_force(api, call, number + 1);
    }
    text_string(&body, "],\"next\":");
    text_json_string_or_null(&body, number == 0 ? (struct slice){0} : last);
    text_char(&body, '}');
    api_json(api, call->request->ticket, 200, &body);
}

/* What the path names, as far as this caller may see it; in force or not. */
static const struct playbook_version *newest_of_path(const struct api *api,
                                                     const struct api_call *call)
{
    return newest_of(api, call,
                     registry_number(api->options.registry, ENTITY_PLAYBOOK, call->names[0]));
}

/* `?version=N`. False: it is no number. */
static bool take_version(const struct api_call *call, uint32_t *out)
{
    char bytes[12];
    struct text scratch = text_over(bytes, sizeof(bytes) - 1);
    struct slice value = form_query(call->request->query, "version", &scratch);

    *out = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9' || *out > SITE_PLAYBOOK_NUMBER_MAX)
            return false;
        *out = *out * 10 + (uint32_t)(value.bytes[i] - '0');
    }
    return value.bytes == NULL || *out != 0;
}

/* 0: there is no such version, or it was another tenant's. */
static uint32_t number_of_version(const struct api *api, const struct api_call *call,
                                  uint32_t first, uint32_t wanted)
{
    const struct registry *registry = api->options.registry;

    for (uint32_t number = first; number <= registry_count(registry, ENTITY_PLAYBOOK); number++) {
        const struct playbook_version *version = registry_playbook_version(registry, number);
        if (version->first == first && version->version == wanted)
            return may_see(call, version) ? number : 0;
    }
    return 0;
}

void api_playbook_show(struct api *api, const struct api_call *call)
{
    const struct playbook_version *newest = newest_of_path(api, call);
    struct text body = text_over(api->out, API_OUT_BYTES);
    uint32_t wanted, number = 0;

    if (!take_version(call, &wanted)) {
        api_problem_field(api, call->request->ticket, STATUS_INVALID, SLICE("version"));
        return;
    }
    if (newest && wanted != 0)
        number = number_of_version(api, call, newest->first, wanted);
    else if (newest && newest->playbook)
        number = newest->number;
    if (number == 0) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    api_playbook_write(api, &body, number, true);
    text_char(&body, '}');
    api_json(api, call->request->ticket, 200, &body);
}

/* --- what is wrong with one ------------------------------------------------------------------ */

/* A problem document whose `errors` are what was complained about. */
struct complaints {
    struct text out;
    unsigned count;
    struct playbook_place at; /* of the first */
    char text[512];
};

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    struct complaints *complaints = owner;

    if (complaints->count++ == 0) {
        complaints->at = complaint->at;
        snprintf(complaints->text, sizeof(complaints->text), "%s", complaint->text);
    } else {
        text_char(&complaints->out, ',');
    }
    text_printf(&complaints->out, "{\"line\":%u,\"column\":%u,", complaint->at.line,
                complaint->at.column);
    if (complaint->at.base)
        text_string(&complaints->out, "\"file\":\"default\",");
    text_string(&complaints->out, "\"text\":");
    text_json_string(&complaints->out, slice_of(complaint->text));
    text_char(&complaints->out, '}');
}

static void answer_complaints(struct api *api, const struct api_call *call,
                              struct complaints *complaints)
{
    char detail[640];
    struct text said = text_over(detail, sizeof(detail));
    struct text *out = &complaints->out;

    text_printf(&said, "line %u, column %u%s: %s", complaints->at.line, complaints->at.column,
                complaints->at.base ? " of the default" : "", complaints->text);
    if (complaints->count > 1)
        text_printf(&said, " (and %u more, see errors)", complaints->count - 1);
    text_string(out, "],\"detail\":");
    text_json_string(out, text_slice(&said));
    write_member(out, "request_id", call->request->request_id);
    text_char(out, '}');
    api_reply(api, call->request->ticket, status_http(STATUS_INVALID), PROBLEM_TYPE,
              text_slice(out), (struct slice){0});
}

/* --- the next version ------------------------------------------------------------------------ */

/* What a request says; slices of its document. */
struct proposal {
    struct slice id, agency, yaml;
};

static enum status read_proposal(struct json_value body, struct proposal *out, struct slice *field)
{
    struct json_walk walk = json_walk(body);
    struct json_value value;

    while (json_next(&walk, field, &value)) {
        struct slice *text = slice_equal(*field, SLICE("id"))       ? &out->id
                             : slice_equal(*field, SLICE("agency")) ? &out->agency
                             : slice_equal(*field, SLICE("yaml"))   ? &out->yaml
                                                                    : NULL;
        if (!text || (value.type != JSON_NULL && !json_string(value, text)))
            return STATUS_INVALID;
    }
    *field = SLICE("yaml");
    return out->yaml.bytes ? STATUS_OK : STATUS_INVALID;
}

/* A playbook is named after its agency, so the id alone says whose it is. */
static struct slice agency_of_id(struct slice id)
{
    const char *dot = id.length != 0 ? memchr(id.bytes, '.', id.length) : NULL;

    return dot ? (struct slice){id.bytes, (size_t)(dot - id.bytes)} : (struct slice){0};
}

static enum status check_caller(const struct api *api, const struct api_call *call,
                                const struct proposal *proposal)
{
    struct slice own = registry_name(api->options.registry, ENTITY_AGENCY, call->caller.agency);

    return call->caller.who == WHO_ADMIN || slice_equal(proposal->agency, own) ? STATUS_OK
                                                                               : STATUS_FORBIDDEN;
}

static void ignore(void *owner, const struct playbook_complaint *complaint)
{
    (void)owner;
    (void)complaint;
}

/* What is stored is the canonical form, and whoever reads it must find the same playbook. */
static bool canonical_is_sound(const struct playbook *playbook)
{
    const struct playbook *again = NULL;
    bool same = playbook_open(playbook->canonical, ignore, NULL, &again) == STATUS_OK &&
                hash_equal(again->hash, playbook->hash);

    playbook_close(again);
    return same;
}

/* Puts together what is to be stored; `playbook` NULL: the removal. */
static enum status compose(struct api *api, const struct proposal *proposal,
                           const struct playbook *playbook, struct slice *field)
{
    struct admin_change *change = &api->admin;
    struct text settings = text_over(change->settings_bytes, RECORD_PAYLOAD_MAX);
    enum status status = registry_check_playbook(api->options.registry, proposal->id,
                                                 proposal->agency, playbook, &settings, field);

    change->settings = text_slice(&settings);
    if (status != STATUS_OK || !playbook)
        return status;
    if (!canonical_is_sound(playbook))
        return STATUS_INTERNAL;
    return api_admin_add_robots(api, proposal->agency, field);
}

/* --- queues that are not there ------------------------------------------------------------ */

static bool has_queue(const struct api *api, struct slice agency, struct slice name)
{
    char bytes[2 * SITE_NAME_MAX + 2];
    struct text id = text_over(bytes, sizeof(bytes));

    text_add(&id, agency);
    text_char(&id, '.');
    text_add(&id, name);
    return !id.overflow &&
           registry_number(api->options.registry, ENTITY_QUEUE, text_slice(&id)) != 0;
}

/* Nothing is wrong with the playbook: the queue may come later, and until then there is a way round
 * it. But a slip in a name would go unseen. */
static void warn(struct api *api, struct slice agency, struct slice queue,
                 const struct playbook_place *at, const char *instead)
{
    struct admin_change *change = &api->admin;
    struct text out = {change->warnings, change->warnings_length, sizeof(change->warnings) - 1,
                       false};
    char bytes[256];
    struct text text = text_over(bytes, sizeof(bytes) - 1);

    if (queue.length == 0 || has_queue(api, agency, queue))
        return;
    text_printf(&text, "there is no queue '%.*s.%.*s': %s", (int)agency.length, agency.bytes,
                (int)queue.length, queue.bytes, instead);
    text_printf(&out, "%s{\"line\":%u,\"column\":%u,", out.length > 0 ? "," : "", at->line,
                at->column);
    text_string(&out, at->base ? "\"file\":\"default\",\"text\":" : "\"text\":");
    text_json_string(&out, text_slice(&text));
    text_char(&out, '}');
    if (!out.overflow)
        change->warnings_length = out.length;
}

static void look_for_queues(struct api *api, struct slice agency, const struct playbook *playbook)
{
    for (uint32_t i = 0; i < playbook->stages.count; i++) {
        const struct playbook_stage *stage = &playbook->stages.items[i];
        if (!slice_equal(stage->queue, SLICE("calls")))
            warn(api, agency, stage->queue, &stage->at, "calls go to the site's");
    }
    for (uint32_t i = 0; i < playbook->cadences.count; i++) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[i];
        for (uint32_t j = 0; j < cadence->steps.count; j++)
            warn(api, agency, cadence->steps.items[j].queue, &cadence->steps.items[j].at,
                 "the step is left out");
    }
}

void api_playbook_write_set(const struct api *api, struct text *out)
{
    const struct admin_change *change = &api->admin;

    api_playbook_write(api, out, change->number, false);
    text_string(out, ",\"warnings\":[");
    text_bytes(out, change->warnings, change->warnings_length);
    text_char(out, ']');
}

static void answer_same(struct api *api, const struct api_call *call, struct slice id)
{
    const struct registry *registry = api->options.registry;
    uint32_t first = registry_number(registry, ENTITY_PLAYBOOK, id);
    struct text body = text_over(api->out, API_OUT_BYTES);

    api_playbook_write(api, &body, registry_playbook_version(registry, first)->newest, false);
    text_char(&body, '}');
    api_json(api, call->request->ticket, 200, &body);
}

static void refuse(struct api *api, const struct api_call *call, enum status status,
                   struct slice field)
{
    char detail[160];

    if (status == STATUS_TOO_LARGE)
        snprintf(detail, sizeof(detail), "a playbook has at most %d bytes in its canonical form",
                 PLAYBOOK_CANONICAL_MAX);
    else if (status == STATUS_BUSY)
        snprintf(detail, sizeof(detail), "there are as many versions of playbooks as can be: %d",
                 SITE_PLAYBOOK_NUMBER_MAX);
    else if (status == STATUS_INVALID &&
             (slice_equal(field, SLICE("id")) || slice_equal(field, SLICE("agency")))) {
        api_problem(api, call->request->ticket, status,
                    "the value of id cannot be used: give AGENCY.NAME, as acme.main, of an agency "
                    "that is there");
        return;
    } else {
        api_admin_refuse(api, call, status, field);
        return;
    }
    api_problem(api, call->request->ticket,
                status == STATUS_BUSY ? STATUS_CONFLICT : STATUS_TOO_LARGE, detail);
}

static void set(struct api *api, const struct api_call *call, const struct proposal *proposal,
                int answer)
{
    struct complaints complaints = {.out = text_over(api->out, API_OUT_BYTES)};
    const struct playbook *playbook = NULL;
    struct slice field = {0};

    text_printf(&complaints.out,
                "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":%d,"
                "\"code\":\"%s\",\"errors\":[",
                status_http(STATUS_INVALID), status_code(STATUS_INVALID));
    enum status status = check_caller(api, call, proposal);
    if (status == STATUS_OK)
        status = playbook_open(proposal->yaml, on_complaint, &complaints, &playbook);
    if (status == STATUS_OK)
        status = compose(api, proposal, playbook, &field);
    api->admin.warnings_length = 0;
    if (status == STATUS_OK)
        look_for_queues(api, proposal->agency, playbook);
    playbook_close(playbook);

    if (status == STATUS_OK) {
        status = api_admin_submit(api, call->request->ticket, ENTITY_PLAYBOOK, 0, answer);
        if (status != STATUS_OK)
            api_problem(api, call->request->ticket, status, NULL);
    } else if (complaints.count > 0) {
        answer_complaints(api, call, &complaints);
    } else if (status == STATUS_DUPLICATE) {
        answer_same(api, call, proposal->id);
    } else {
        refuse(api, call, status, field);
    }
}

/* `newest`: of the path, for whoever changes it; NULL: the body says the id. */
static void set_from_body(struct api *api, const struct api_call *call,
                          const struct playbook_version *newest, struct json_value body, int answer)
{
    struct proposal proposal = {0};
    struct slice field;
    enum status status = read_proposal(body, &proposal, &field);

    if (status == STATUS_OK && newest) {
        field = SLICE("id");
        if (proposal.id.length != 0 && !slice_equal(proposal.id, slice_of(newest->id)))
            status = STATUS_INVALID;
        proposal.id = slice_of(newest->id);
    }
    if (proposal.agency.length == 0)
        proposal.agency = agency_of_id(proposal.id);
    if (status == STATUS_OK && proposal.id.length == 0)
        api_problem(api, call->request->ticket, STATUS_INVALID,
                    "give the playbook's id: <agency>.<name>");
    else if (status == STATUS_OK)
        set(api, call, &proposal, answer);
    else
        api_admin_refuse(api, call, status, field);
}

/* A parser of the body's size for as long as it is read: they come rarely, and are large. */
static void take_body(struct api *api, const struct api_call *call,
                      const struct playbook_version *newest, int answer)
{
    struct slice bytes = call->request->body;
    struct json *json = json_open(bytes.length + 1);
    struct json_value body;
    enum status status =
        json ? json_parse(json, bytes.bytes, bytes.length, &body) : STATUS_INTERNAL;

    if (status == STATUS_OK && body.type == JSON_OBJECT)
        set_from_body(api, call, newest, body, answer);
    else
        api_problem(api, call->request->ticket, status == STATUS_OK ? STATUS_MALFORMED : status,
                    "the body must be a JSON object");
    json_close(json);
}

void api_playbook_create(struct api *api, const struct api_call *call)
{
    if (api_admin_begin(api, call->request))
        take_body(api, call, NULL, 201);
}

void api_playbook_change(struct api *api, const struct api_call *call)
{
    if (!api_admin_begin(api, call->request))
        return;
    const struct playbook_version *newest = newest_of_path(api, call);
    if (newest && newest->playbook)
        take_body(api, call, newest, 200);
    else
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
}

void api_playbook_remove(struct api *api, const struct api_call *call)
{
    struct slice field;

    if (!api_admin_begin(api, call->request))
        return;
    const struct playbook_version *newest = newest_of_path(api, call);
    if (!newest) {
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    const struct proposal proposal = {.id = slice_of(newest->id),
                                      .agency = agency_of_id(slice_of(newest->id))};
    enum status status = compose(api, &proposal, NULL, &field);
    if (status == STATUS_OK)
        status = api_admin_submit(api, call->request->ticket, ENTITY_PLAYBOOK, 0, 204);
    if (status == STATUS_CONFLICT)
        api_problem(api, call->request->ticket, status,
                    "a site or the agency goes by it: name another there first");
    else if (status != STATUS_OK)
        refuse(api, call, status, field);
}
