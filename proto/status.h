/* One table for every way a request can end: the name used in code, the HTTP
 * status, the stable code of the problem document, and a text for people.
 * Library codes (LMDB, hiredis, llhttp, libuv) are translated into these in the
 * one file that sees the library. */
#ifndef HOTLEAD_PROTO_STATUS_H
#define HOTLEAD_PROTO_STATUS_H

#define STATUS_MAP(XX)                                                                             \
    XX(OK, 200, "ok", "done")                                                                      \
    XX(DUPLICATE, 200, "duplicate", "already stored")                                              \
    XX(ACCEPTED, 202, "accepted", "stored, decided later")                                         \
    XX(MALFORMED, 400, "malformed", "the request cannot be parsed")                                \
    XX(UNAUTHORIZED, 401, "unauthorized", "a valid key or token is required")                      \
    XX(FORBIDDEN, 403, "forbidden", "this key or token may not do that")                           \
    XX(ORIGIN_FORBIDDEN, 403, "origin_forbidden", "this site does not list the page's origin")     \
    XX(NOT_FOUND, 404, "not_found", "there is no such thing")                                      \
    XX(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "this path does not take that method")       \
    XX(TIMEOUT, 408, "timeout", "the request took too long to arrive")                             \
    XX(CONFLICT, 409, "conflict", "the request does not fit the present state")                    \
    XX(LENGTH_REQUIRED, 411, "length_required", "send Content-Length or chunked")                  \
    XX(TOO_LARGE, 413, "too_large", "a limit of size or of number is exceeded")                    \
    XX(TARGET_TOO_LONG, 414, "target_too_long", "the request target is longer than 8 KiB")         \
    XX(MEDIA_TYPE, 415, "media_type", "this content type or coding is not supported")              \
    XX(EXPECTATION_FAILED, 417, "expectation_failed", "only 100-continue can be expected")         \
    XX(INVALID, 422, "invalid", "a field has a value that cannot be used")                         \
    XX(NO_IDENTIFIER, 422, "no_identifier", "send a phone, an e-mail or a name")                   \
    XX(BAD_IDENTIFIER, 422, "bad_identifier", "neither phone nor e-mail can be used")              \
    XX(KEY_REUSED, 422, "idempotency_key_reused", "this idempotency key came with other content")  \
    XX(TOO_FEW_ATTEMPTS, 422, "too_few_attempts",                                                  \
       "nobody is given up before the attempts that its playbook asks for")                        \
    XX(RATE_LIMITED, 429, "rate_limited", "too many requests, retry later")                        \
    XX(HEADERS_TOO_LARGE, 431, "headers_too_large", "more than 16 KiB or 100 header fields")       \
    XX(INTERNAL, 500, "internal", "the server failed; nothing was stored")                         \
    XX(NOT_IMPLEMENTED, 501, "not_implemented", "this method or coding is not implemented")        \
    XX(BUSY, 503, "busy", "too much at once, retry later")                                         \
    XX(DISK_FULL, 503, "disk_full", "no room to store it, retry later")                            \
    XX(REDIS_AWAY, 503, "redis_away", "the queues cannot be reached, retry later")                 \
    XX(CLOSING, 503, "closing", "the server is shutting down, retry")                              \
    XX(VERSION, 505, "http_version", "only HTTP/1.0 and HTTP/1.1 are spoken")                      \
    XX(CORRUPT, 500, "corrupt", "a stored record is damaged")                                      \
    XX(IO, 500, "io", "the disk failed")

enum status {
#define XX(name, http, code, text) STATUS_##name,
    STATUS_MAP(XX)
#undef XX
        STATUS_COUNT
};

/* All three answer for every value of the enum; strings are static. */
int status_http(enum status status);
const char *status_code(enum status status);
const char *status_text(enum status status);

#endif
