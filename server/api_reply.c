/* How answers look: headers, problem documents, pages, ids. */
#include <stdio.h>

#include "proto/id.h"
#include "proto/must.h"
#include "server/api_internal.h"

#define NO_STORE "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
/* Only inline styles, nothing from elsewhere, no frames, forms only to here. */
#define PAGE_HEADERS                                                                               \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; " \
    "base-uri 'none'; frame-ancestors 'none'\r\n"                                                  \
    "Referrer-Policy: no-referrer\r\n"

void api_reply(struct api *api, uint64_t ticket, int status, const char *content_type,
               struct slice body, struct slice headers)
{
    char bytes[API_CORS_MAX + SITE_URL_MAX + 512];
    struct text all = text_over(bytes, sizeof(bytes));

    text_string(&all, NO_STORE);
    text_add(&all, headers);
    MUST(!all.overflow);
    http_reply(api->http, ticket,
               &(struct http_reply){.status = status,
                                    .content_type = content_type,
                                    .body = body,
                                    .headers = text_slice(&all)});
}

void api_json(struct api *api, uint64_t ticket, int status, const struct text *body)
{
    if (body->overflow)
        api_problem(api, ticket, STATUS_INTERNAL, "the answer does not fit");
    else
        api_reply(api, ticket, status, JSON_TYPE, text_slice(body), (struct slice){0});
}

/* 501 is about what was asked for. */
bool api_failed(enum status status)
{
    return status_http(status) >= 500 && status != STATUS_NOT_IMPLEMENTED;
}

void api_problem_with(struct api *api, uint64_t ticket, enum status status, const char *detail,
                      struct slice headers)
{
    if (api_failed(status))
        log_write(api->options.log, LOG_ERROR, "request failed",
                  LOG_TEXT("code", status_code(status)), LOG_TEXT("detail", detail ? detail : ""),
                  LOG_END);
    http_problem(api->http, ticket, status, detail, headers);
}

void api_problem(struct api *api, uint64_t ticket, enum status status, const char *detail)
{
    static const struct slice challenge = SLICE("WWW-Authenticate: Bearer\r\n");

    api_problem_with(api, ticket, status, detail,
                     status == STATUS_UNAUTHORIZED ? challenge : (struct slice){0});
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Also of a header. */
static bool is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!is_letter(name.bytes[i]) && name.bytes[i] != '_' && name.bytes[i] != '.' &&
            name.bytes[i] != '-')
            return false;
    return name.length > 0 && name.length <= 40;
}

const char *api_field_detail(struct slice field, char *buffer, size_t capacity)
{
    if (!is_field_name(field))
        return NULL;
    snprintf(buffer, capacity, "the value of %.*s cannot be used", (int)field.length, field.bytes);
    return buffer;
}

void api_problem_field(struct api *api, uint64_t ticket, enum status status, struct slice field)
{
    char detail[80];
    bool is_field = status == STATUS_INVALID; /* anything else is not about one */

    api_problem(api, ticket, status,
                is_field ? api_field_detail(field, detail, sizeof(detail)) : NULL);
}

void api_page(struct api *api, uint64_t ticket, int status, struct slice html, struct slice headers)
{
    char bytes[API_CORS_MAX + 512];
    struct text all = text_over(bytes, sizeof(bytes));

    text_string(&all, PAGE_HEADERS);
    text_add(&all, headers);
    api_reply(api, ticket, status, HTML_TYPE, html, text_slice(&all));
}

void api_cors(struct text *headers, struct slice origin)
{
    text_string(headers, "Vary: Origin\r\n");
    if (origin.length == 0)
        return;
    text_string(headers, "Access-Control-Allow-Origin: ");
    text_add(headers, origin);
    text_string(headers, "\r\nAccess-Control-Expose-Headers: X-Request-Id, Retry-After\r\n");
}

void api_add_id(const struct api *api, struct text *out, const char *name, enum id_kind kind,
                uint64_t at_ms, uint64_t number)
{
    char id[ID_TEXT_LENGTH];

    text_string(out, ",\"");
    text_string(out, name);
    if (number == 0) {
        text_string(out, "\":null");
        return;
    }
    id_format(id, writer_id_key(api->writer), kind, at_ms, number);
    text_string(out, "\":\"");
    text_bytes(out, id, sizeof(id));
    text_char(out, '"');
}
