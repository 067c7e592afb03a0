/* Agencies, sites, queues, agents, tokens: shown from the loop's registry, changed through the
 * writer. A change is checked here, journalled and checked again by the writer's engine, and,
 * once it is settled, applied to the loop's registry too. One is on its way at a time, the rest
 * waits in order: each must be checked against what the one before it left. */
#include <sodium.h>

#include "proto/form.h"
#include "proto/memory.h"
#include "proto/must.h"
#include "server/api_admin.h"

/* --- what an answer shows -------------------------------------------------------- */

static const char *const plurals[ENTITY_KIND_END] = {
    [ENTITY_AGENCY] = "agencies", [ENTITY_SITE] = "sites",   [ENTITY_QUEUE] = "queues",
    [ENTITY_AGENT] = "agents",    [ENTITY_TOKEN] = "tokens",
};

/* Settings without hashes; of a site's secret keys only how many live. */
static void write_entity(struct api *api, struct text *out, enum entity_kind kind, uint32_t number)
{
    struct slice settings = registry_settings(api->options.registry, kind, number), name;
    struct json_value root, value;
    const char *between = "{";

    MUST(json_parse(api->composed, settings.bytes, settings.length, &root) == STATUS_OK);
    struct json_walk walk = json_walk(root);
    while (json_next(&walk, &name, &value)) {
        bool public_keys = slice_equal(name, SLICE("pk"));
        bool secret_keys = slice_equal(name, SLICE("sk"));
        if (slice_equal(name, SLICE("hash")))
            continue;
        text_string(out, between);
        between = ",";
        text_json_string(out, public_keys   ? SLICE("public_keys")
                              : secret_keys ? SLICE("secret_keys")
                                            : name);
        text_char(out, ':');
        if (secret_keys)
            text_uint(out, json_count(value));
        else
            json_write(out, value);
    }
}

static void write_secrets(struct text *out, const struct admin_change *change)
{
    for (size_t i = 0; i < change->secret_count; i++) {
        text_printf(out, ",\"%s\":", change->secrets[i].name);
        text_json_string(out, slice_of(change->secrets[i].text));
    }
}

/* Entities of one kind that this caller may see, at the number and after. */
static uint32_t next_visible(const struct api *api, const struct api_call *call, uint32_t number)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument;
    uint32_t highest = registry_count(api->options.registry, kind);

    for (; number <= highest; number++)
        if (registry_settings(api->options.registry, kind, number).length != 0 &&
            api_may_see(&call->caller, registry_agency_of(api->options.registry, kind, number)))
            return number;
    return 0;
}

/* `?after=<id>` goes on where the page before ended; "next" says where this one did. */
void api_entity_list(struct api *api, const struct api_call *call)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument;
    char bytes[SITE_NAME_MAX + 1];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice after = form_query(call->request->query, "after", &scratch);
    uint32_t number = after.length == 0 ? 0 : registry_number(api->options.registry, kind, after);
    bool is_seen =
        api_may_see(&call->caller, registry_agency_of(api->options.registry, kind, number));
    struct text body = text_over(api->out, API_OUT_BYTES);
    uint32_t last = 0;

    if (after.length != 0 && (number == 0 || !is_seen)) {
        api_problem(api, call->request->ticket, STATUS_INVALID, "there is nothing of that id");
        return;
    }
    text_printf(&body, "{\"%s\":[", plurals[kind]);
    number = next_visible(api, call, number + 1);
    while (number != 0 && body.length + 2ul * SITE_SETTINGS_MAX < body.capacity) {
        if (last != 0)
            text_char(&body, ',');
        write_entity(api, &body, kind, number);
        text_char(&body, '}');
        last = number;
        number = next_visible(api, call, number + 1);
    }
    text_string(&body, "],\"next\":");
    text_json_string_or_null(&body, number == 0 ? (struct slice){0}
                                                : registry_name(api->options.registry, kind, last));
    text_char(&body, '}');
    api_json(api, call->request->ticket, 200, &body);
}

/* The entity that the path names. 0: there is none, or it is another tenant's; answered. */
static uint32_t entity_of_path(struct api *api, const struct api_call *call, enum entity_kind kind)
{
    uint32_t number = registry_number(api->options.registry, kind, call->names[0]);

    if (number != 0 &&
        api_may_see(&call->caller, registry_agency_of(api->options.registry, kind, number)))
        return number;
    api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
    return 0;
}

void api_entity_show(struct api *api, const struct api_call *call)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument;
    uint32_t number = entity_of_path(api, call, kind);
    struct text body = text_over(api->out, API_OUT_BYTES);

    if (number == 0)
        return;
    write_entity(api, &body, kind, number);
    text_char(&body, '}');
    api_json(api, call->request->ticket, 200, &body);
}

/* --- one change at a time ------------------------------------------------------------ */

bool api_admin_begin(struct api *api, const struct http_request *request)
{
    struct admin_change *change = &api->admin;

    if (!change->busy) {
        change->secret_count = 0;
        change->settings = (struct slice){0};
        return true;
    }
    if (change->waiting_count == ADMIN_WAITING_MAX) {
        api_problem(api, request->ticket, STATUS_BUSY, NULL);
        return false;
    }
    /* Its slices live as long as the peer waits. */
    unsigned place = (change->waiting_first + change->waiting_count++) % ADMIN_WAITING_MAX;
    change->waiting[place] = *request;
    return false;
}

/* The next ones begin anew, credentials and all: what came before them may have taken these. */
static void admin_go_on(struct api *api)
{
    struct admin_change *change = &api->admin;

    while (!change->busy && change->waiting_count > 0) {
        struct http_request request = change->waiting[change->waiting_first];
        change->waiting_first = (change->waiting_first + 1) % ADMIN_WAITING_MAX;
        change->waiting_count--;
        if (http_is_open(api->http, request.ticket))
            api_on_request(api, &request);
    }
}

static void answer_change(struct api *api, uint64_t ticket)
{
    struct admin_change *change = &api->admin;
    struct text body = text_over(api->out, API_OUT_BYTES);

    if (change->answer == 204) {
        api_reply(api, ticket, 204, NULL, (struct slice){0}, (struct slice){0});
        return;
    }
    if (change->entity == ENTITY_PLAYBOOK)
        api_playbook_write_set(api, &body);
    else
        write_entity(api, &body, change->entity, change->number);
    write_secrets(&body, change);
    text_char(&body, '}');
    api_json(api, ticket, change->answer, &body);
}

/* What was to be removed had no dependents when the loop looked, and changes come one at a time. */
static const char *why_refused(const struct admin_change *change, enum status status)
{
    return status == STATUS_CONFLICT && change->answer == 204
               ? "tasks are open on it: remove it when all of them have their outcome"
               : NULL;
}

/* The entity, and the queues that came with it. */
static enum status set(struct api *api, const uint16_t *queue_numbers)
{
    struct registry *registry = api->options.registry;
    const struct admin_change *change = &api->admin;
    struct slice lines = change->settings, settings;

    registry_next_settings(&lines, &settings);
    enum status status = registry_apply(registry, change->entity, change->number, settings);
    while (status == STATUS_OK && registry_next_settings(&lines, &settings))
        status = registry_apply(registry, ENTITY_QUEUE, *queue_numbers++, settings);
    return status;
}

/* With an agency go its robots' queues, with an agent its own. */
static enum status take_out(struct api *api)
{
    struct registry *registry = api->options.registry;
    const struct admin_change *change = &api->admin;
    const struct slice nothing = {NULL, 0};
    uint32_t along[SITE_ALONG_MAX];
    size_t count = registry_along(registry, change->entity, change->number, along);
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = registry_apply(registry, ENTITY_QUEUE, along[i], nothing);
    if (status == STATUS_OK)
        status = registry_apply(registry, change->entity, change->number, nothing);
    return status;
}

static void change_settled(struct api *api, struct pending *pending,
                           const struct settlement *settlement, unsigned item)
{
    struct admin_change *change = &api->admin;
    uint64_t ticket = pending->http_ticket;
    enum status status = settlement->status;

    (void)item;
    api_release(api, pending);
    if (status == STATUS_OK) {
        change->number = settlement->entity_number;
        status = change->settings.length == 0 ? take_out(api) : set(api, settlement->queue_numbers);
        MUST(status != STATUS_CORRUPT); /* it was checked here, in this order */
        if (status != STATUS_OK)
            memory_missing(); /* a loop that does not know what is stored would refuse its keys */
    }
    if (change->token_file)
        api_first_token_settled(api, status);
    else if (status == STATUS_OK)
        answer_change(api, ticket);
    else
        api_problem(api, ticket, status, why_refused(change, status));
    sodium_memzero(change->secrets, sizeof(change->secrets));
    change->busy = false;
    admin_go_on(api);
}

enum status api_admin_submit(struct api *api, uint64_t http_ticket, enum entity_kind kind,
                             uint32_t number, int answer)
{
    struct admin_change *change = &api->admin;
    struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = change->settings,
        .admin = {.entity = kind, .number = number, .remove = change->settings.length == 0},
    };
    struct pending *pending = api_pend(api, http_ticket, change_settled);

    if (!pending)
        return STATUS_BUSY;
    change->entity = kind;
    change->number = number;
    change->answer = answer;
    change->busy = true;
    enum status status = api_submit(api, pending, &command);
    change->busy = status == STATUS_OK;
    return status;
}

/* --- settings with what the server adds ------------------------------------------------- */

const char *api_admin_secret(struct api *api, const char *name, const char *prefix,
                             const char *agency)
{
    struct admin_change *change = &api->admin;

    MUST(change->secret_count < SECRETS_MAX);
    change->secrets[change->secret_count].name = name;
    registry_make_secret(change->secrets[change->secret_count].text, prefix, agency);
    return change->secrets[change->secret_count++].text;
}

void api_admin_add_hash(struct text *added, const char *secret)
{
    char hash[SECRET_HASH_TEXT];

    registry_hash_secret(slice_of(secret), hash);
    text_json_string(added, (struct slice){hash, sizeof(hash)});
}

/* Credentials are the server's to give out, never a caller's to choose. */
static bool is_credential(struct slice name)
{
    return slice_equal(name, SLICE("pk")) || slice_equal(name, SLICE("sk")) ||
           slice_equal(name, SLICE("hash"));
}

enum status api_admin_check(struct api *api, enum entity_kind kind, uint32_t number,
                            struct json_value body, struct slice added, struct slice *field)
{
    struct admin_change *change = &api->admin;
    struct text composed =
        text_over(api->composed_bytes, sizeof(api->composed_bytes) - JSON_PADDING);
    struct text settings = text_over(change->settings_bytes, SITE_SETTINGS_MAX);
    struct json_walk walk = json_walk(body);
    struct json_value value;
    const char *between = "{";

    while (json_next(&walk, field, &value)) {
        if (is_credential(*field))
            return STATUS_INVALID;
        text_string(&composed, between);
        text_json_string(&composed, *field);
        text_char(&composed, ':');
        json_write(&composed, value);
        between = ",";
    }
    if (added.length != 0) {
        text_string(&composed, between);
        text_add(&composed, added);
        between = ",";
    }
    text_string(&composed, between[0] == '{' ? "{}" : "}");
    *field = (struct slice){0};
    if (composed.overflow)
        return STATUS_TOO_LARGE;
    enum status status = json_parse(api->composed, api->composed_bytes, composed.length, &value);
    if (status == STATUS_OK)
        status = registry_check(api->options.registry, kind, number, value, &settings, field);
    change->settings = text_slice(&settings);
    return status;
}

enum status api_admin_add_robots(struct api *api, struct slice agency, struct slice *field)
{
    struct admin_change *change = &api->admin;
    struct text settings = text_over(change->settings_bytes, RECORD_PAYLOAD_MAX);

    settings.length = change->settings.length;
    enum status status = registry_add_robots(api->options.registry, agency, &settings);
    if (status == STATUS_INVALID)
        *field = SLICE("id");
    change->settings = text_slice(&settings);
    return status;
}

/* An agent comes with the queue that is its own, and the first of an agency with the managers'. */
static enum status add_agents(struct api *api, struct slice agency, struct slice agent,
                              struct slice *field)
{
    struct admin_change *change = &api->admin;
    struct text settings = text_over(change->settings_bytes, RECORD_PAYLOAD_MAX);

    settings.length = change->settings.length;
    enum status status = registry_add_agents(api->options.registry, agency, agent, &settings);
    if (status == STATUS_INVALID)
        *field = SLICE("id");
    change->settings = text_slice(&settings);
    return status;
}

/* CONFLICT is an id that is taken, or that no number is left, for it or for the queues that come
 * with it: then what there is too much of. Numbers of what was removed are not used again, but
 * by a queue of the same id. */
static const char *what_is_full(const struct registry *registry, enum entity_kind kind)
{
    static const char *const names[ENTITY_KIND_END] = {
        [ENTITY_AGENCY] = "agencies", [ENTITY_SITE] = "sites",   [ENTITY_QUEUE] = "queues",
        [ENTITY_AGENT] = "agents",    [ENTITY_TOKEN] = "tokens",
    };
    static const uint32_t comes_with[ENTITY_KIND_END] = {
        [ENTITY_AGENCY] = SITE_ROBOTS_MAX, [ENTITY_PLAYBOOK] = SITE_ROBOTS_MAX, [ENTITY_AGENT] = 2};
    uint32_t queues = registry_next_number(registry, ENTITY_QUEUE) - 1;

    if (queues + comes_with[kind] > SITE_NUMBER_MAX)
        return names[ENTITY_QUEUE];
    return registry_next_number(registry, kind) > SITE_NUMBER_MAX ? names[kind] : NULL;
}

void api_admin_refuse(struct api *api, const struct api_call *call, enum status status,
                      struct slice field)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument; /* 0: of a playbook */
    const char *advice = status == STATUS_INVALID ? registry_advice(field) : NULL;
    const char *full = status == STATUS_CONFLICT && field.length == 0 /* else that is taken */
                           ? what_is_full(api->options.registry, kind != 0 ? kind : ENTITY_PLAYBOOK)
                           : NULL;
    char detail[128];

    if (full) {
        snprintf(detail, sizeof(detail), "a server has at most %d %s, those that were removed too",
                 SITE_NUMBER_MAX, full);
        advice = detail;
    }
    if (advice)
        api_problem(api, call->request->ticket, status, advice);
    else
        api_problem_field(api, call->request->ticket, status, field);
}

/* --- creating ------------------------------------------------------------------------------ */

/* The agency that a new entity says it belongs to; a manager's own when it says nothing. Empty:
 * none is named. FORBIDDEN: not this caller's. */
static enum status find_agency(const struct api *api, const struct api_call *call,
                               struct json_value body, struct slice *named, bool *add_out)
{
    struct json_value value;

    *named = (struct slice){0};
    *add_out = false;
    if (json_member(body, "agency", &value) && value.type != JSON_NULL &&
        !json_string(value, named))
        return STATUS_OK; /* registry_check says what is wrong with it */
    if (call->caller.who != WHO_MANAGER)
        return STATUS_OK;
    struct slice own = registry_name(api->options.registry, ENTITY_AGENCY, call->caller.agency);
    if (named->length != 0 && !slice_equal(*named, own))
        return STATUS_FORBIDDEN;
    *add_out = !json_member(body, "agency", &value);
    *named = own;
    return STATUS_OK;
}

/* Managers hand out tokens to their agents, not to each other. */
static bool may_give_role(const struct api_call *call, struct json_value body)
{
    struct json_value role;
    struct slice text;

    if (call->caller.who == WHO_ADMIN)
        return true;
    return json_member(body, "role", &role) && json_string(role, &text) &&
           slice_equal(text, SLICE("agent"));
}

/* A key's text begins with the agency, so that a proxy can find its node by it. */
static void add_credentials(struct api *api, enum entity_kind kind, struct slice agency_id,
                            struct text *added)
{
    uint32_t number = registry_number(api->options.registry, ENTITY_AGENCY, agency_id);
    const struct agency *agency = registry_agency(api->options.registry, number);
    const char *between = added->length == 0 ? "" : ",";

    if (kind == ENTITY_SITE && agency) {
        text_printf(added, "%s\"pk\":[\"%s\"],\"sk\":[", between,
                    api_admin_secret(api, "pk", "pk", agency->id));
        api_admin_add_hash(added, api_admin_secret(api, "sk", "sk", agency->id));
        text_char(added, ']');
    } else if (kind == ENTITY_TOKEN) {
        text_printf(added, "%s\"hash\":", between);
        api_admin_add_hash(added, api_admin_secret(api, "token", "tk", NULL));
    }
}

static enum status create(struct api *api, const struct api_call *call, struct json_value body,
                          struct slice *field)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument;
    char bytes[2 * SECRET_TEXT_MAX + 256];
    struct text added = text_over(bytes, sizeof(bytes));
    struct slice agency, name;
    struct json_value id;
    bool add_agency;

    if (kind == ENTITY_TOKEN && !may_give_role(call, body))
        return STATUS_FORBIDDEN;
    enum status status = find_agency(api, call, body, &agency, &add_agency);
    if (status != STATUS_OK)
        return status;
    if (add_agency) {
        text_string(&added, "\"agency\":");
        text_json_string(&added, agency);
    }
    add_credentials(api, kind, agency, &added);
    MUST(!added.overflow);
    status = api_admin_check(api, kind, 0, body, text_slice(&added), field);
    if (status == STATUS_OK && kind == ENTITY_AGENCY && json_member(body, "id", &id) &&
        json_string(id, &name))
        status = api_admin_add_robots(api, name, field);
    if (status == STATUS_OK && kind == ENTITY_AGENT && json_member(body, "id", &id) &&
        json_string(id, &name))
        status = add_agents(api, agency, name, field);
    return status == STATUS_OK ? api_admin_submit(api, call->request->ticket, kind, 0, 201)
                               : status;
}

void api_entity_create(struct api *api, const struct api_call *call)
{
    struct json_value body;
    struct slice field = {0};

    if (!api_admin_begin(api, call->request) || !api_body_object(api, call, &body))
        return;
    enum status status = create(api, call, body, &field);
    if (status != STATUS_OK)
        api_admin_refuse(api, call, status, field);
}

/* --- changing and removing ------------------------------------------------------------------- */

/* A manager's reach over tokens ends at those of agents. */
static bool may_change(const struct api *api, const struct api_call *call, enum entity_kind kind,
                       uint32_t number)
{
    return kind != ENTITY_TOKEN || call->caller.who == WHO_ADMIN ||
           registry_token(api->options.registry, number)->role == ROLE_AGENT;
}

void api_admin_change(struct api *api, const struct api_call *call, enum entity_kind kind,
                      uint32_t number, struct json_value body, struct slice added, int answer)
{
    struct slice field = {0};
    const struct registry *registry = api->options.registry;
    enum status status = api_admin_check(api, kind, number, body, added, &field);

    if (status == STATUS_OK && kind == ENTITY_AGENT) /* one of before agents had queues */
        status = add_agents(
            api, registry_name(registry, ENTITY_AGENCY, registry_agency_of(registry, kind, number)),
            registry_name(registry, kind, number), &field);
    if (status == STATUS_OK)
        status = api_admin_submit(api, call->request->ticket, kind, number, answer);
    if (status != STATUS_OK)
        api_admin_refuse(api, call, status, field);
}

void api_entity_change(struct api *api, const struct api_call *call)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument;
    struct json_value body;

    if (!api_admin_begin(api, call->request))
        return;
    uint32_t number = entity_of_path(api, call, kind);
    if (number == 0 || !api_body_object(api, call, &body))
        return;
    if (may_change(api, call, kind, number))
        api_admin_change(api, call, kind, number, body, (struct slice){0}, 200);
    else
        api_problem(api, call->request->ticket, STATUS_FORBIDDEN, NULL);
}

/* Without one nobody could make another. */
static bool is_last_admin(const struct api *api, enum entity_kind kind, uint32_t number)
{
    const struct registry *registry = api->options.registry;

    if (kind != ENTITY_TOKEN || registry_token(registry, number)->role != ROLE_ADMIN)
        return false;
    for (uint32_t other = 1; other <= registry_count(registry, ENTITY_TOKEN); other++) {
        const struct token *token = registry_token(registry, other);
        if (token && other != number && token->role == ROLE_ADMIN)
            return false;
    }
    return true;
}

void api_entity_remove(struct api *api, const struct api_call *call)
{
    enum entity_kind kind = (enum entity_kind)call->route->argument;
    const char *detail = NULL;

    if (!api_admin_begin(api, call->request))
        return;
    uint32_t number = entity_of_path(api, call, kind);
    if (number == 0)
        return;
    enum status status = registry_check_remove(api->options.registry, kind, number);
    if (status == STATUS_CONFLICT)
        detail = kind == ENTITY_AGENT
                     ? "remove first its tokens, and lead its queue's sites to another"
                     : "remove first what depends on it";
    if (status == STATUS_OK && is_last_admin(api, kind, number)) {
        status = STATUS_CONFLICT;
        detail = "it is the last token of an administrator";
    }
    if (status == STATUS_OK && !may_change(api, call, kind, number))
        status = STATUS_FORBIDDEN;
    if (status == STATUS_OK)
        status = api_admin_submit(api, call->request->ticket, kind, number, 204);
    if (status != STATUS_OK)
        api_problem(api, call->request->ticket, status, detail);
}
