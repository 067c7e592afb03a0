/* POST /f/{pk}: the action of a plain HTML form. A person sent it, so a person's answer: where
 * the form says to go, else a page. JSON for scripts that ask for it. */
#include "proto/must.h"
#include "server/api_internal.h"

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<meta name=\"robots\" content=\"noindex\"><title>";
static const char page_style[] =
    "</title><style>:root{color-scheme:light dark}body{font:1.1rem/1.6 system-ui,sans-serif;"
    "max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.6rem;line-height:1.25}"
    "</style></head><body><main><h1>";
static const char page_end[] = "</p></main></body></html>\n";

static void write_page(struct text *page, const char *title, const char *words)
{
    text_string(page, page_head);
    text_html(page, slice_of(title));
    text_string(page, page_style);
    text_html(page, slice_of(title));
    text_string(page, "</h1><p>");
    text_html(page, slice_of(words));
    text_string(page, page_end);
    MUST(!page->overflow);
}

/* Where a word stands in a header; its length when it is not there. */
static size_t find_word(struct slice header, struct slice word)
{
    for (size_t at = 0; at + word.length <= header.length; at++)
        if (slice_equal_ignoring_case((struct slice){header.bytes + at, word.length}, word))
            return at;
    return header.length;
}

/* The client asks for JSON when it names it before HTML, or sends it and does not name HTML. */
static bool wants_json(const struct http_request *request)
{
    struct slice accept = request->headers[HTTP_ACCEPT];
    struct slice type = request->headers[HTTP_CONTENT_TYPE];
    size_t html = find_word(accept, SLICE("text/html"));

    if (find_word(accept, SLICE(JSON_TYPE)) < html)
        return true;
    return html == accept.length && find_word(type, SLICE(JSON_TYPE)) < type.length;
}

static struct submission submission_of(const struct api *api, const struct api_call *call)
{
    return (struct submission){
        .request = call->request,
        .site = registry_site_by_public_key(api->options.registry, call->names[0]),
        .credential = CREDENTIAL_PUBLIC,
        .shape = wants_json(call->request) ? ANSWER_FORM_JSON : ANSWER_PAGE,
    };
}

void api_form_post(struct api *api, const struct api_call *call)
{
    struct submission submission = submission_of(api, call);
    enum status status = submission.site ? api_admit(&submission) : STATUS_NOT_FOUND;

    if (status != STATUS_OK)
        api_submission_refuse(api, &submission, status, (struct slice){0});
    else
        api_submission_send(api, &submission);
}

void api_form_refuse(struct api *api, const struct api_call *call, enum status status)
{
    struct submission submission = submission_of(api, call);

    if (submission.site)
        api_origin_is_listed(&submission);
    api_submission_refuse(api, &submission, status, (struct slice){0});
}

void api_form_preflight(struct api *api, const struct api_call *call)
{
    struct site *site = registry_site_by_public_key(api->options.registry, call->names[0]);

    if (site)
        api_preflight(api, call->request, site);
    else
        api_problem_with(api, call->request->ticket, STATUS_NOT_FOUND, NULL,
                         SLICE("Vary: Origin\r\n"));
}

void api_form_done(struct api *api, uint64_t ticket, const char *redirect, struct slice headers)
{
    char bytes[API_CORS_MAX + SITE_URL_MAX + 64];
    struct text text = text_over(bytes, sizeof(bytes));

    if (redirect) {
        text_add(&text, headers);
        text_string(&text, "Location: ");
        text_string(&text, redirect);
        text_string(&text, "\r\n");
        api_reply(api, ticket, 303, NULL, (struct slice){0}, text_slice(&text));
        return;
    }
    write_page(&text, "Thank you", "We have received your message and will be in touch shortly.");
    api_page(api, ticket, 200, text_slice(&text), headers);
}

static const char *advice_for(enum status status)
{
    switch (status) {
    case STATUS_NO_IDENTIFIER:
        return "Please go back and fill in a phone number or an e-mail address.";
    case STATUS_BAD_IDENTIFIER:
        return "The phone number or the e-mail address cannot be right. Please go back and "
               "check it.";
    case STATUS_INVALID:
    case STATUS_TOO_LARGE:
        return "Something that you filled in cannot be used. Please go back, shorten or correct "
               "it, and send it again.";
    case STATUS_NOT_FOUND:
    case STATUS_ORIGIN_FORBIDDEN:
    case STATUS_MEDIA_TYPE:
    case STATUS_MALFORMED:
    case STATUS_LENGTH_REQUIRED:
    case STATUS_EXPECTATION_FAILED:
    case STATUS_NOT_IMPLEMENTED:
        return "This form is not set up correctly, so nothing could be sent. Please get in touch "
               "another way.";
    case STATUS_TIMEOUT:
        return "It took too long to get here. Please go back and send it again.";
    default:
        return "Too much is going on here at the moment. Please go back and send it again in a "
               "minute.";
    }
}

void api_form_refused(struct api *api, uint64_t ticket, enum status status, struct slice headers)
{
    char page_bytes[2048], headers_bytes[API_CORS_MAX + 64];
    struct text page = text_over(page_bytes, sizeof(page_bytes));
    struct text all = text_over(headers_bytes, sizeof(headers_bytes));

    text_add(&all, headers);
    if (status_http(status) == 429 || status_http(status) == 503)
        text_string(&all, "Retry-After: 1\r\n");
    if (api_failed(status))
        log_write(api->options.log, LOG_ERROR, "form refused",
                  LOG_TEXT("code", status_code(status)), LOG_END);
    write_page(&page, "This did not arrive", advice_for(status));
    api_page(api, ticket, status_http(status), text_slice(&page), text_slice(&all));
}
