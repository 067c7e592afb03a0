/* POST /v1/optins: whose key it is, what it says, and, when the commit came back, the answer. */
#include "server/api_internal.h"

#include "proto/form.h"
#include "proto/id.h"
#include "proto/utf8.h"
#include "server/site_settings.h"

#define KEY_BYTES_MAX        255 /* of an Idempotency-Key */
#define USER_AGENT_BYTES_MAX 256

/* --- who sends ------------------------------------------------------------------ */

static struct slice public_key(const struct http_request *request, struct text *scratch)
{
    struct slice key = request->headers[HTTP_X_HOTLEAD_KEY];

    return key.length != 0 ? key : form_query(request->query, "key", scratch);
}

/* A secret key comes in Authorization and nowhere else: addresses end up in logs. */
static enum status find_site(struct api *api, struct submission *submission)
{
    const struct http_request *request = submission->request;
    char bytes[SECRET_TEXT_MAX];
    struct text scratch = text_over(bytes, sizeof(bytes));

    if (request->headers[HTTP_AUTHORIZATION].length != 0) {
        submission->site = registry_site_by_secret_key(api->options.registry, api_bearer(request));
        submission->credential = CREDENTIAL_SECRET;
        submission->shape = ANSWER_FULL;
    } else {
        submission->site =
            registry_site_by_public_key(api->options.registry, public_key(request, &scratch));
        submission->credential = CREDENTIAL_PUBLIC;
        submission->shape = ANSWER_ID;
    }
    return submission->site ? STATUS_OK : STATUS_UNAUTHORIZED;
}

/* A page may send only to a site that lists it. What sends no Origin is no browser, or one that
 * posts to its own origin; both could as well claim any. */
bool api_origin_is_listed(struct submission *submission)
{
    struct slice origin = submission->request->headers[HTTP_ORIGIN];

    if (origin.length == 0)
        return true;
    if (!site_allows_origin(submission->site, origin))
        return false;
    submission->origin = origin;
    return true;
}

enum status api_admit(struct submission *submission)
{
    if (!api_origin_is_listed(submission))
        return STATUS_ORIGIN_FORBIDDEN;
    return site_take(submission->site, clock_monotonic_ms(), &submission->suspect);
}

/* --- what it says ----------------------------------------------------------------- */

static bool is_hex(struct slice text)
{
    bool zero = true;

    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f')))
            return false;
        zero = zero && byte == '0';
    }
    return !zero;
}

/* W3C Trace Context, version 00: 00-<trace>-<parent>-<flags>. */
static bool is_traceparent(struct slice text)
{
    if (text.length != 55 || memcmp(text.bytes, "00-", 3) != 0 || text.bytes[35] != '-' ||
        text.bytes[52] != '-')
        return false;
    char flags[3] = {'1', text.bytes[53], text.bytes[54]}; /* these may be zero */
    return is_hex((struct slice){text.bytes + 3, 32}) &&
           is_hex((struct slice){text.bytes + 36, 16}) && is_hex((struct slice){flags, 3});
}

/* Cut between two characters; nothing when it is no UTF-8. */
static struct slice readable(struct slice text, size_t bytes_max)
{
    if (text.length > bytes_max) {
        text.length = bytes_max;
        while (text.length > 0 && (text.bytes[text.length] & 0xC0) == 0x80)
            text.length--;
    }
    return utf8_valid(text) ? text : (struct slice){0};
}

void api_stamp(const struct http_request *request, struct optin *optin)
{
    struct slice origin = request->headers[HTTP_ORIGIN];

    if (slice_equal(request->headers[HTTP_X_REQUEST_ID], request->request_id))
        optin->text[OPTIN_REQUEST_ID] = request->request_id;
    if (is_traceparent(request->headers[HTTP_TRACEPARENT]))
        optin->text[OPTIN_TRACEPARENT] = request->headers[HTTP_TRACEPARENT];
    if (settings_url_origin(origin).length == origin.length)
        optin->text[OPTIN_ORIGIN] = origin;
    optin->text[OPTIN_USER_AGENT] =
        readable(request->headers[HTTP_USER_AGENT], USER_AGENT_BYTES_MAX);
    optin->text[OPTIN_REMOTE_IP] = slice_of(request->remote);
}

/* Where the sender's clock can be trusted, what was said on Monday and is sent on Tuesday counts
 * from Monday. */
void api_note_age(const struct optin *optin, uint64_t now_ms, struct effect_received *facts)
{
    uint64_t minutes;

    if (facts->credential == CREDENTIAL_PUBLIC || optin->submitted_ms == 0 ||
        optin->submitted_ms >= now_ms)
        return;
    minutes = (now_ms - optin->submitted_ms + 59999) / 60000;
    facts->said_before_min = minutes < UINT16_MAX ? (uint16_t)minutes : UINT16_MAX;
}

static enum status read_facts(struct api *api, const struct submission *submission,
                              struct command *command, struct slice *field)
{
    const struct http_request *request = submission->request;
    struct slice type = request->headers[HTTP_CONTENT_TYPE];
    struct slice event = request->headers[HTTP_IDEMPOTENCY_KEY];
    enum intake_shape shape = intake_shape(type);

    bool form = submission->shape == ANSWER_PAGE || submission->shape == ANSWER_FORM_JSON;
    /* curl -d calls everything a form; no form begins with a brace. */
    if (shape == INTAKE_FORM && request->body.length > 0 && request->body.bytes[0] == '{')
        shape = INTAKE_JSON;
    /* What comes to /v1 as text is a beacon's JSON. */
    if (!form && shape == INTAKE_PLAIN)
        shape = INTAKE_JSON;
    if (!form && shape != INTAKE_JSON)
        return STATUS_MEDIA_TYPE;
    command->now_ms = clock_now_ms(api->options.clock);
    intake_now(api->intake, command->now_ms);
    enum status status = intake_read(api->intake, shape, type, request->body, &api->optin);
    if (status != STATUS_OK)
        return status;
    if (event.length > KEY_BYTES_MAX) {
        *field = SLICE("Idempotency-Key");
        return STATUS_INVALID;
    }
    if (event.length == 0)
        event = api->optin.text[OPTIN_EVENT_ID];
    api_stamp(request, &api->optin);
    status = intake_facts(api->intake, submission->site, submission->credential, event,
                          submission->suspect, &api->optin, &command->optin);
    api_note_age(&api->optin, command->now_ms, &command->optin);
    return status == STATUS_OK ? intake_encode(api->intake, &api->optin, &command->payload)
                               : status;
}

/* --- sending and answering ----------------------------------------------------------- */

static void optin_settled(struct api *api, struct pending *pending,
                          const struct settlement *settlement, unsigned item);

void api_submission_refuse(struct api *api, const struct submission *submission, enum status status,
                           struct slice field)
{
    char headers_bytes[API_CORS_MAX], detail[80];
    struct text headers = text_over(headers_bytes, sizeof(headers_bytes));
    uint64_t ticket = submission->request->ticket;

    stats_add(api->options.stats, STATS_OPTINS_REFUSED, 1);
    if (status == STATUS_UNAUTHORIZED)
        text_string(&headers, "WWW-Authenticate: Bearer\r\n");
    api_cors(&headers, submission->origin);
    if (submission->shape == ANSWER_PAGE)
        api_form_refused(api, ticket, status, text_slice(&headers));
    else
        api_problem_with(api, ticket, status, api_field_detail(field, detail, sizeof(detail)),
                         text_slice(&headers));
}

/* Only what the site lists, so that no form of ours leads a visitor to a stranger's page. */
static void keep_redirect(struct api *api, const struct submission *submission,
                          struct pending *pending)
{
    struct slice redirect = api->optin.redirect;
    char *kept = api->redirects[pending - api->pendings];

    pending->optin.redirects =
        redirect.length != 0 && site_allows_redirect(submission->site, redirect);
    if (!pending->optin.redirects)
        return;
    memcpy(kept, redirect.bytes, redirect.length);
    kept[redirect.length] = '\0';
}

static enum status submit(struct api *api, const struct submission *submission,
                          struct command *command)
{
    struct pending *pending = api_pend(api, submission->request->ticket, optin_settled);

    if (!pending)
        return STATUS_BUSY;
    pending->optin.origin = submission->origin;
    pending->optin.shape = submission->shape;
    keep_redirect(api, submission, pending);
    return api_submit(api, pending, command);
}

void api_submission_send(struct api *api, struct submission *submission)
{
    struct command command = {.kind = COMMAND_OPTIN};
    struct slice field = {0};
    enum status status = read_facts(api, submission, &command, &field);

    if (status == STATUS_OK)
        status = submit(api, submission, &command);
    if (status != STATUS_OK)
        api_submission_refuse(api, submission, status, field);

    /* On success nobody answers yet: the sender may only hear "yes" after the commit, see
     * optin_settled(). */
}

void api_optin_post(struct api *api, const struct api_call *call)
{
    struct submission submission = {.request = call->request, .shape = ANSWER_ID};
    enum status status = find_site(api, &submission);

    if (status == STATUS_OK && submission.credential == CREDENTIAL_PUBLIC)
        status = api_admit(&submission);
    if (status != STATUS_OK)
        api_submission_refuse(api, &submission, status, (struct slice){0});
    else
        api_submission_send(api, &submission);
}

void api_optin_refuse(struct api *api, const struct api_call *call, enum status status)
{
    struct submission submission = {.request = call->request, .shape = ANSWER_ID};

    if (find_site(api, &submission) == STATUS_OK && submission.credential == CREDENTIAL_PUBLIC)
        api_origin_is_listed(&submission);
    api_submission_refuse(api, &submission, status, (struct slice){0});
}

void api_count_settled(struct api *api, const struct settlement *settlement)
{
    enum stats_counter counter = STATS_OPTINS_REFUSED;

    if (settlement->status == STATUS_ACCEPTED)
        counter = STATS_OPTINS_RECEIVED;
    else if (settlement->status == STATUS_DUPLICATE || settlement->kept)
        counter = STATS_OPTINS_DUPLICATE;
    else if (settlement->status == STATUS_OK)
        counter =
            settlement->optin.reason == NO_TASK_SUSPECT ? STATS_OPTINS_SUSPECT : STATS_OPTINS_NEW;
    stats_add(api->options.stats, counter, 1);
}

/* All of it, for who has the secret key. */
static void write_decision(const struct api *api, struct text *body,
                           const struct effect_optin *optin)
{
    const char *reason = no_task_name((enum no_task)optin->reason);

    api_add_id(api, body, "person", ID_PERSON, optin->person_first_ms, optin->person);
    api_add_id(api, body, "task", ID_TASK, optin->task_opened_ms, optin->task);
    text_string(body, ",\"reason\":");
    text_json_string_or_null(body, slice_of(reason));
    text_string(body, ",\"deadline_ms\":");
    if (optin->deadline_ms != 0)
        text_uint(body, optin->deadline_ms);
    else
        text_string(body, "null");
}

static void write_answer(const struct api *api, struct text *body,
                         const struct settlement *settlement, bool whole)
{
    const struct effect_optin *optin = &settlement->optin;
    char id[ID_TEXT_LENGTH];

    id_format(id, writer_id_key(api->writer), ID_OPTIN, optin->received_ms, optin->optin_seq);
    text_string(body, "{\"id\":\"");
    text_bytes(body, id, sizeof(id));
    text_char(body, '"');
    if (whole)
        write_decision(api, body, optin);
    text_char(body, '}');
}

/* To strangers a repeated opt-in looks like a new one: what is stored is nobody's business. */
static int answer_status(const struct settlement *settlement, enum optin_answer_shape shape)
{
    if (settlement->status == STATUS_ACCEPTED)
        return 202;
    return settlement->status == STATUS_DUPLICATE && shape == ANSWER_FULL ? 200 : 201;
}

static void answer(struct api *api, struct pending *pending, const struct settlement *settlement)
{
    char body_bytes[256], headers_bytes[API_CORS_MAX];
    struct text body = text_over(body_bytes, sizeof(body_bytes));
    struct text headers = text_over(headers_bytes, sizeof(headers_bytes));
    enum optin_answer_shape shape = pending->optin.shape;
    bool whole = shape == ANSWER_FULL && settlement->status != STATUS_ACCEPTED;

    api_cors(&headers, pending->optin.origin);
    if (shape == ANSWER_PAGE) {
        const char *redirect =
            pending->optin.redirects ? api->redirects[pending - api->pendings] : NULL;
        api_form_done(api, pending->http_ticket, redirect, text_slice(&headers));
        return;
    }
    if (shape == ANSWER_FULL && settlement->status == STATUS_DUPLICATE)
        text_string(&headers, "Idempotent-Replayed: true\r\n");
    write_answer(api, &body, settlement, whole);
    api_reply(api, pending->http_ticket, answer_status(settlement, shape), JSON_TYPE,
              text_slice(&body), text_slice(&headers));
}

static void answer_refusal(struct api *api, struct pending *pending, enum status status)
{
    char headers_bytes[API_CORS_MAX];
    struct text headers = text_over(headers_bytes, sizeof(headers_bytes));

    api_cors(&headers, pending->optin.origin);
    if (pending->optin.shape == ANSWER_PAGE)
        api_form_refused(api, pending->http_ticket, status, text_slice(&headers));
    else
        api_problem_with(api, pending->http_ticket, status, NULL, text_slice(&headers));
}

static void optin_settled(struct api *api, struct pending *pending,
                          const struct settlement *settlement, unsigned item)
{
    enum status status = settlement->status;

    (void)item;
    api_count_settled(api, settlement);
    /* The peer may be gone, and with it the origin that is to be echoed. */
    if (http_is_open(api->http, pending->http_ticket)) {
        if (status == STATUS_OK || status == STATUS_DUPLICATE || status == STATUS_ACCEPTED)
            answer(api, pending, settlement);
        else
            answer_refusal(api, pending, status);
    }
    api_release(api, pending);
}

/* --- preflight ----------------------------------------------------------------------- */

/* Without a key in the address the site is not known yet, since a preflight has not the header
 * that may bring it; then every page is let to ask, and the request itself is what is checked. */
void api_preflight(struct api *api, const struct http_request *request, const struct site *site)
{
    char bytes[API_CORS_MAX + 512];
    struct text headers = text_over(bytes, sizeof(bytes));
    struct slice origin = request->headers[HTTP_ORIGIN];

    if (!site)
        origin = SLICE("*");
    else if (!site_allows_origin(site, origin))
        origin.length = 0;
    api_cors(&headers, origin);
    if (origin.length == 0 && request->headers[HTTP_ORIGIN].length != 0) {
        api_problem_with(api, request->ticket, STATUS_ORIGIN_FORBIDDEN, NULL, text_slice(&headers));
        return;
    }
    text_string(&headers, "Access-Control-Allow-Methods: POST\r\n"
                          "Access-Control-Allow-Headers: content-type, idempotency-key, "
                          "x-hotlead-key, x-request-id, traceparent\r\n"
                          "Access-Control-Max-Age: 7200\r\n");
    api_reply(api, request->ticket, 204, NULL, (struct slice){0}, text_slice(&headers));
}

void api_optin_preflight(struct api *api, const struct api_call *call)
{
    char bytes[SECRET_TEXT_MAX];
    struct text scratch = text_over(bytes, sizeof(bytes));
    struct slice key = form_query(call->request->query, "key", &scratch);

    api_preflight(api, call->request,
                  key.length != 0 ? registry_site_by_public_key(api->options.registry, key) : NULL);
}
