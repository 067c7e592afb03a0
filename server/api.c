/* The front of the api: which route a request takes, who sent it, whether he may; and the
 * table of those that wait. */
#include "server/api.h"

#include <stdlib.h>

#include "proto/must.h"
#include "server/api_internal.h"

/* --- routes ---------------------------------------------------------------------
 *
 * The first rows are the way of an opt-in, because they are looked for most often.
 *
 * Keys of a site are turned over without a gap: POST .../keys {"kind":"sk"} adds a second live
 * one (409 while there are two), and once everybody uses it, DELETE .../keys/sk retires the
 * older (409 while there is only one). */

#define READERS  (WHO_KEY | WHO_MANAGER | WHO_ADMIN)
#define TASKMEN  (WHO_KEY | WHO_AGENT | WHO_MANAGER | WHO_ADMIN)
#define WORKERS  (WHO_AGENT | WHO_MANAGER | WHO_ADMIN)
#define MANAGERS (WHO_MANAGER | WHO_ADMIN)

#define ROUTE(verb, path, function, callers, number, bytes, everywhere)                            \
    {                                                                                              \
        HTTP_##verb, path, #verb " " path, function, callers, number, bytes, everywhere            \
    }
#define ENTITIES(plural, kind, callers)                                                            \
    ROUTE(GET, "/v1/" plural, api_entity_list, MANAGERS, kind, 0, false),                          \
        ROUTE(POST, "/v1/" plural, api_entity_create, callers, kind, API_BODY_MAX, false),         \
        ROUTE(GET, "/v1/" plural "/{}", api_entity_show, MANAGERS, kind, 0, false),                \
        ROUTE(PATCH, "/v1/" plural "/{}", api_entity_change, callers, kind, API_BODY_MAX, false),  \
        ROUTE(DELETE, "/v1/" plural "/{}", api_entity_remove, callers, kind, 0, false)
#define REPORT(verb, op)                                                                           \
    ROUTE(POST, "/v1/tasks/{}/" verb, api_task_report, WORKERS, op, API_BODY_MAX, false)

static const struct route routes[] = {
    ROUTE(POST, "/v1/optins", api_optin_post, WHO_ANYONE, 0, OPTIN_BYTES_MAX, true),
    ROUTE(POST, "/f/{}", api_form_post, WHO_ANYONE, 0, OPTIN_BYTES_MAX, true),
    ROUTE(POST, "/v1/optins/batch", api_batch_post, WHO_KEY, 0, INTAKE_BATCH_BYTES_MAX, true),
    ROUTE(OPTIONS, "/v1/optins", api_optin_preflight, WHO_ANYONE, 0, 0, true),
    ROUTE(OPTIONS, "/f/{}", api_form_preflight, WHO_ANYONE, 0, 0, true),
    ROUTE(GET, "/t.js", api_tag, WHO_ANYONE, 0, 0, true),
    ROUTE(GET, "/livez", api_livez, WHO_ANYONE, 0, 0, true),
    ROUTE(GET, "/readyz", api_readyz, WHO_ANYONE, 0, 0, true),
    ROUTE(GET, "/metrics", api_metrics, WHO_ANYONE, 0, 0, false),
    ROUTE(GET, "/v1/clock", api_clock_get, WHO_ADMIN, 0, 0, false),
    ROUTE(POST, "/v1/clock/accept", api_clock_accept, WHO_ADMIN, 0, API_BODY_MAX, false),
    ROUTE(GET, "/openapi.yaml", api_openapi, WHO_ANYONE, 0, 0, false),
    ROUTE(GET, "/demo", api_demo, WHO_ANYONE, 0, 0, false),

    ROUTE(POST, "/v1/tasks/claim", api_task_claim, WORKERS, 0, API_BODY_MAX, false),
    REPORT("outcome", REPORT_OUTCOME),
    REPORT("extend", REPORT_EXTEND),
    REPORT("release", REPORT_RELEASE),
    REPORT("amend", REPORT_AMEND),

    ROUTE(GET, "/v1/optins", api_optin_list, MANAGERS, 0, 0, false),
    ROUTE(GET, "/v1/optins/{}", api_optin_get, TASKMEN, 0, 0, false),
    ROUTE(GET, "/v1/tasks/{}", api_task_get, TASKMEN, 0, 0, false),
    ROUTE(POST, "/v1/people/search", api_person_search, READERS, 0, API_BODY_MAX, false),
    ROUTE(POST, "/v1/people/move", api_people_move, MANAGERS, 0, API_BODY_MAX, false),
    ROUTE(GET, "/v1/people", api_people_list, READERS, 0, 0, false),
    ROUTE(GET, "/v1/people/{}", api_person_get, TASKMEN, 0, 0, false),
    ROUTE(GET, "/v1/people/{}/history", api_person_history, TASKMEN, 0, 0, false),
    ROUTE(GET, "/v1/people/{}/referrals", api_person_referrals, READERS, 0, 0, false),
    ROUTE(POST, "/v1/people/{}/assign", api_person_assign, WORKERS, 0, API_BODY_MAX, false),
    ROUTE(POST, "/v1/people/{}/move", api_person_move, MANAGERS, 0, API_BODY_MAX, false),
    ROUTE(POST, "/v1/people/{}/merge", api_person_merge, MANAGERS, false, API_BODY_MAX, false),
    ROUTE(POST, "/v1/people/{}/unmerge", api_person_merge, MANAGERS, true, API_BODY_MAX, false),
    ROUTE(POST, "/v1/people/{}/signals", api_signal_post, TASKMEN, 0, API_BODY_MAX, false),
    ROUTE(POST, "/v1/graveyard/wake", api_graveyard_wake, MANAGERS, 0, API_BODY_MAX, false),
    ROUTE(GET, "/v1/outcomes", api_outcome_list, READERS, 0, 0, false),
    ROUTE(GET, "/v1/agents/{}/worklist", api_agent_worklist, WORKERS, 0, 0, false),
    ROUTE(POST, "/v1/agents/{}/availability", api_agent_availability, WORKERS, 0, API_BODY_MAX,
          false),
    ROUTE(POST, "/v1/agents/{}/hand-over", api_agent_hand_over, MANAGERS, 0, API_BODY_MAX, false),

    ROUTE(GET, "/v1/reports/{}", api_figures, READERS, 0, 0, false),

    ENTITIES("agencies", ENTITY_AGENCY, WHO_ADMIN),
    ENTITIES("sites", ENTITY_SITE, MANAGERS),
    ENTITIES("queues", ENTITY_QUEUE, MANAGERS),
    ENTITIES("agents", ENTITY_AGENT, MANAGERS),
    ENTITIES("tokens", ENTITY_TOKEN, MANAGERS),
    ROUTE(GET, "/v1/playbooks", api_playbook_list, MANAGERS, 0, 0, false),
    ROUTE(POST, "/v1/playbooks", api_playbook_create, MANAGERS, 0, API_PLAYBOOK_MAX, false),
    ROUTE(GET, "/v1/playbooks/{}", api_playbook_show, MANAGERS, 0, 0, false),
    ROUTE(PATCH, "/v1/playbooks/{}", api_playbook_change, MANAGERS, 0, API_PLAYBOOK_MAX, false),
    ROUTE(DELETE, "/v1/playbooks/{}", api_playbook_remove, MANAGERS, 0, 0, false),
    ROUTE(POST, "/v1/sites/{}/keys", api_key_add, MANAGERS, 0, API_BODY_MAX, false),
    ROUTE(DELETE, "/v1/sites/{}/keys/{}", api_key_retire, MANAGERS, 0, 0, false),
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(*routes))
_Static_assert(ROUTE_COUNT < STATS_ROUTES_MAX, "one more counts what took no route");

/* Segments that stand for {} are never empty. */
static bool matches(const char *pattern, struct slice path, struct slice names[2])
{
    size_t at = 0, name = 0;

    for (; *pattern; pattern++) {
        if (*pattern == '{') {
            size_t from = at;
            while (at < path.length && path.bytes[at] != '/')
                at++;
            if (at == from)
                return false;
            names[name++] = (struct slice){path.bytes + from, at - from};
            pattern++; /* and the brace that closes */
        } else if (at == path.length || path.bytes[at++] != *pattern) {
            return false;
        }
    }
    return at == path.length;
}

/* NULL: none; then `methods_out` has a bit for each method that this path would take. A
 * pattern that is spelled out stands before one whose {} would take the same path. */
static const struct route *find_route(enum http_method method, struct slice path, bool is_public,
                                      struct slice names[2], unsigned *methods_out)
{
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    *methods_out = 0;
    for (const struct route *route = routes; route < routes + ROUTE_COUNT; route++) {
        if ((is_public && !route->is_public) || !matches(route->pattern, path, names))
            continue;
        if (route->method == method)
            return route;
        *methods_out |= 1u << route->method;
    }
    return NULL;
}

static void refuse_route(struct api *api, const struct http_request *request, unsigned methods)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET, HEAD", [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
        [HTTP_PATCH] = "PATCH",   [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
    };
    char bytes[128];
    struct text allow = text_over(bytes, sizeof(bytes));
    const char *between = "Allow: ";

    if (methods == 0) {
        api_problem(api, request->ticket, STATUS_NOT_FOUND, NULL);
        return;
    }
    for (unsigned method = 0; method < sizeof(names) / sizeof(*names); method++) {
        if (!(methods & 1u << method))
            continue;
        text_string(&allow, between);
        text_string(&allow, names[method]);
        between = ", ";
    }
    text_string(&allow, "\r\n");
    api_problem_with(api, request->ticket, STATUS_METHOD_NOT_ALLOWED, NULL, text_slice(&allow));
}

size_t api_body_max(void *owner, enum http_method method, struct slice path, unsigned listener)
{
    struct slice names[2];
    unsigned methods;
    const struct route *route = find_route(method, path, listener == API_PUBLIC, names, &methods);

    (void)owner;
    if (route)
        return route->body_max;
    /* Room for a body that nobody wants, so that the answer is what is really wrong. */
    return method == HTTP_POST || method == HTTP_PATCH || method == HTTP_PUT ? API_BODY_MAX : 0;
}

/* --- who ------------------------------------------------------------------------------ */

struct slice api_bearer(const struct http_request *request)
{
    static const struct slice scheme = SLICE("Bearer ");
    struct slice value = request->headers[HTTP_AUTHORIZATION];

    if (value.length <= scheme.length ||
        !slice_equal_ignoring_case((struct slice){value.bytes, scheme.length}, scheme))
        return (struct slice){0};
    return (struct slice){value.bytes + scheme.length, value.length - scheme.length};
}

static enum who who_has(const struct token *token)
{
    switch (token->role) {
    case ROLE_ADMIN:
        return WHO_ADMIN;
    case ROLE_MANAGER:
        return WHO_MANAGER;
    case ROLE_AGENT:
        return WHO_AGENT;
    case ROLE_NONE:
        break;
    }
    return 0;
}

static enum status find_caller(struct api *api, const struct http_request *request,
                               struct caller *caller)
{
    struct slice key = api_bearer(request);

    if (key.length == 0)
        return STATUS_UNAUTHORIZED;
    caller->token = registry_token_by_secret(api->options.registry, key);
    if (caller->token) {
        caller->agency = caller->token->agency;
        caller->who = who_has(caller->token);
        return STATUS_OK;
    }
    caller->site = registry_site_by_secret_key(api->options.registry, key);
    if (!caller->site)
        return STATUS_UNAUTHORIZED;
    caller->agency = caller->site->agency;
    caller->who = WHO_KEY;
    return STATUS_OK;
}

bool api_may_see(const struct caller *caller, uint32_t agency)
{
    return caller->who == WHO_ADMIN || caller->agency == agency;
}

/* --- a request -------------------------------------------------------------------------- */

#define ROUTED_MAX 65536

static struct routed *routed_slot(struct api *api, uint64_t ticket)
{
    return &api->routed[ticket % ROUTED_MAX];
}

/* Which route it is; noted for the metrics. NULL: none. */
static const struct route *take_route(struct api *api, struct api_call *call, unsigned *methods_out)
{
    const struct http_request *request = call->request;

    call->route = find_route(request->method, request->path, request->listener == API_PUBLIC,
                             call->names, methods_out);
    *routed_slot(api, request->ticket) = (struct routed){
        request->ticket, call->route ? api->route_stats[call->route - routes] : api->stats_other};
    return call->route;
}

void api_on_request(void *owner, const struct http_request *request)
{
    struct api *api = owner;
    struct api_call call = {.request = request};
    unsigned methods;

    if (!take_route(api, &call, &methods)) {
        refuse_route(api, request, methods);
        return;
    }
    if (!(call.route->who & WHO_ANYONE)) {
        enum status status = find_caller(api, request, &call.caller);
        if (status == STATUS_OK && !(call.route->who & call.caller.who))
            status = STATUS_FORBIDDEN;
        if (status != STATUS_OK) {
            api_problem(api, request->ticket, status, NULL);
            return;
        }
    }
    call.route->run(api, &call);
}

/* Who sends opt-ins may be a person, or a page's script that has to be let read the answer. */
void api_on_refused(void *owner, const struct http_request *request, enum status status)
{
    struct api *api = owner;
    struct api_call call = {.request = request};
    unsigned methods;

    const struct route *route = take_route(api, &call, &methods);
    if (route && route->run == api_form_post)
        api_form_refuse(api, &call, status);
    else if (route && route->run == api_optin_post)
        api_optin_refuse(api, &call, status);
    else
        http_problem(api->http, request->ticket, status, NULL, (struct slice){0});
}

void api_on_done(void *owner, uint64_t ticket, int http_status, uint64_t microseconds)
{
    struct api *api = owner;
    const struct routed *routed = routed_slot(api, ticket);

    /* What http refused by itself never came here. */
    stats_request(api->options.stats, routed->ticket == ticket ? routed->route : api->stats_other,
                  http_status, microseconds);
}

bool api_body_object(struct api *api, const struct api_call *call, struct json_value *out)
{
    struct slice body = call->request->body;
    enum status status = json_parse(api->json, body.bytes, body.length, out);

    if (status == STATUS_OK && out->type != JSON_OBJECT)
        status = STATUS_MALFORMED;
    if (status != STATUS_OK)
        api_problem(api, call->request->ticket, status, "the body must be a JSON object");
    return status == STATUS_OK;
}

/* --- those that wait ------------------------------------------------------------------------
 *
 * ticket:  63 API_TICKET | 31..60 generation | 20..30 item of a batch | 0..19 place */

#define TICKET_PLACES     (1u << 20)
#define TICKET_ITEMS      (1u << 11)
#define TICKET_GENERATION ((1u << 30) - 1)

_Static_assert(INTAKE_BATCH_MAX <= TICKET_ITEMS, "an item's number fits the ticket");

struct pending *api_pend(struct api *api, uint64_t http_ticket, settled_fn *on_settled)
{
    struct pending *pending;

    if (api->free_first != 0) {
        pending = &api->pendings[api->free_first - 1];
        api->free_first = pending->next_free;
    } else if (api->pending_count < api->options.in_flight_max) {
        pending = &api->pendings[api->pending_count++];
    } else {
        return NULL;
    }
    pending->used = true;
    pending->generation = (pending->generation + 1) & TICKET_GENERATION;
    pending->http_ticket = http_ticket;
    pending->on_settled = on_settled;
    return pending;
}

void api_release(struct api *api, struct pending *pending)
{
    MUST(pending->used);
    pending->used = false;
    pending->next_free = api->free_first;
    api->free_first = (uint32_t)(pending - api->pendings) + 1;
}

uint64_t api_ticket(const struct api *api, const struct pending *pending, unsigned item)
{
    return API_TICKET | (uint64_t)pending->generation << 31 | (uint64_t)item << 20 |
           (uint64_t)(pending - api->pendings);
}

struct pending *api_pending_of(struct api *api, uint64_t ticket)
{
    uint32_t place = ticket & (TICKET_PLACES - 1);

    if (place >= api->pending_count)
        return NULL;
    struct pending *pending = &api->pendings[place];
    bool same = pending->used && pending->generation == (ticket >> 31 & TICKET_GENERATION);
    return same ? pending : NULL;
}

bool api_is_waiting(const struct api *api, const struct pending *pending)
{
    return http_is_waiting(api->http, pending->http_ticket);
}

enum status api_submit(struct api *api, struct pending *pending, struct command *command)
{
    command->ticket = api_ticket(api, pending, 0);
    if (command->now_ms == 0)
        command->now_ms = clock_now_ms(api->options.clock);
    enum status status = writer_submit(api->writer, command);
    if (status != STATUS_OK)
        api_release(api, pending);
    return status;
}

void api_on_settled(struct api *api, const struct settlement *settlement)
{
    struct pending *pending = api_pending_of(api, settlement->ticket);

    MUST(pending); /* nothing is released before it is settled */
    pending->on_settled(api, pending, settlement,
                        (unsigned)(settlement->ticket >> 20 & (TICKET_ITEMS - 1)));
}

/* --- opening and closing ---------------------------------------------------------------------- */

static bool open_parts(struct api *api)
{
    unsigned places = api->options.in_flight_max;

    /* Touched only as far as requests ever waited at once. */
    api->pendings = calloc(places, sizeof(*api->pendings));
    api->redirects = calloc(places, sizeof(*api->redirects));
    api->routed = calloc(ROUTED_MAX, sizeof(*api->routed));
    api->route_stats = calloc(ROUTE_COUNT, sizeof(*api->route_stats));
    api->json = json_open(API_BODY_MAX);
    api->composed = json_open(sizeof(api->composed_bytes) - JSON_PADDING);
    api->out = malloc(API_OUT_BYTES);
    return api->pendings && api->redirects && api->routed && api->route_stats && api->json &&
           api->composed && api->out;
}

static void free_parts(struct api *api)
{
    for (uint32_t i = 0; i < api->pending_count; i++) {
        const struct pending *pending = &api->pendings[i];
        if (pending->used && pending->on_settled == api_batch_settled)
            api_batch_free(pending->batch);
        else if (pending->used && pending->on_settled == api_hand_page_settled)
            api_hand_page_free(pending->hand.page);
        else if (pending->used && api_is_waking(pending))
            api_waking_free(pending->waking);
    }
    intake_close(api->intake);
    json_close(api->json);
    json_close(api->composed);
    free(api->pendings);
    free(api->redirects);
    free(api->routed);
    free(api->route_stats);
    free(api->admin.token_file);
    free(api->admin.token_file_new);
    free(api->out);
    free(api);
}

enum status api_open(const struct api_options *options, struct api **out)
{
    MUST(options->in_flight_max > 0 && options->in_flight_max <= TICKET_PLACES);
    struct api *api = calloc(1, sizeof(*api));
    if (!api)
        return STATUS_INTERNAL;
    api->options = *options;
    if (!open_parts(api)) {
        free_parts(api);
        return STATUS_INTERNAL;
    }
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        api->route_stats[i] = stats_route(options->stats, routes[i].name);
    api->stats_other = stats_route(options->stats, "other");
    MUST(uv_timer_init(options->loop, &api->claim_timer) == 0);
    api->claim_timer.data = api;
    *out = api;
    return STATUS_OK;
}

enum status api_attach(struct api *api, struct http *http, struct writer *writer,
                       struct publish *publish)
{
    api->http = http;
    api->writer = writer;
    api->publish = publish;
    api->intake = intake_open(writer_hash_key(writer));
    return api->intake ? STATUS_OK : STATUS_INTERNAL;
}

void api_detach(struct api *api)
{
    api->http = NULL;
    uv_timer_stop(&api->claim_timer);
}

static void on_closed(uv_handle_t *timer)
{
    free_parts(timer->data);
}

void api_close(struct api *api)
{
    if (api)
        uv_close((uv_handle_t *)&api->claim_timer, on_closed);
}

void api_drain(struct api *api)
{
    api->draining = true;
    api_claims_end(api);
}
