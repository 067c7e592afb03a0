/* HTTP/1.1 on libuv with llhttp in strict mode (http_frame.c is the one file that sees it).
 *
 * What llhttp lets through is refused by a scan of the raw header block before it: bare CR
 * or LF, folded lines, control bytes, wrong or missing Host, Transfer-Encoding beside
 * Content-Length, other versions. Every limit is checked before copying. One request of a
 * connection is answered before the next is parsed, so answers keep the order of requests,
 * and a pipeline costs no memory; a long one takes turns with other connections. Slow senders
 * and slow readers are cut. Whoever runs this ignores SIGPIPE.
 *
 * Loop thread only. */
#ifndef HOTLEAD_SERVER_HTTP_H
#define HOTLEAD_SERVER_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "server/log.h"
#include "server/stats.h"

#define HTTP_TARGET_MAX  8192  /* besides the fields: a head has at most both */
#define HTTP_HEADERS_MAX 16384 /* the fields with their line ends, and the empty line */
#define HTTP_FIELDS_MAX  100
#define HTTP_BODY_MAX    1048576 /* the batch; the callback below says less for others */

struct http;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS
};

#define HTTP_HEADER_MAP(XX)                                                                        \
    XX(ACCEPT, "accept")                                                                           \
    XX(AUTHORIZATION, "authorization")                                                             \
    XX(CONTENT_TYPE, "content-type")                                                               \
    XX(CONTENT_ENCODING, "content-encoding")                                                       \
    XX(IDEMPOTENCY_KEY, "idempotency-key")                                                         \
    XX(ORIGIN, "origin")                                                                           \
    XX(REFERER, "referer")                                                                         \
    XX(TRACEPARENT, "traceparent")                                                                 \
    XX(USER_AGENT, "user-agent")                                                                   \
    XX(X_FORWARDED_FOR, "x-forwarded-for")                                                         \
    XX(X_HOTLEAD_KEY, "x-hotlead-key")                                                             \
    XX(X_REQUEST_ID, "x-request-id")                                                               \
    XX(ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method")                             \
    XX(ACCESS_CONTROL_REQUEST_HEADERS, "access-control-request-headers")

enum http_header {
#define XX(name, text) HTTP_##name,
    HTTP_HEADER_MAP(XX)
#undef XX
        HTTP_HEADER_COUNT
};

/* Slices live until the reply to this ticket. A repeated header is 400, but of Accept and
 * X-Forwarded-For, which are lists, the last line counts. */
struct http_request {
    uint64_t ticket;   /* slot and generation, under 2^60, not 0: harmless when the peer is gone */
    unsigned listener; /* as given to http_listen */
    enum http_method method;
    struct slice path;                       /* of the target, undecoded, absolute form taken off */
    struct slice query;                      /* behind the ?, undecoded */
    struct slice headers[HTTP_HEADER_COUNT]; /* bytes NULL: not sent */
    struct slice body;                       /* inflated; followed by 64 readable bytes */
    struct slice raw_body;                   /* as it came, before inflating */
    const char *remote;                      /* peer's address, terminated */
    struct slice request_id;                 /* the client's X-Request-Id when sound, else made */
    uint64_t started_us;                     /* monotonic: first byte of the request */
};

/* Called when a request is whole. Must lead to exactly one http_reply, now or later. */
typedef void http_request_fn(void *owner, const struct http_request *request);

/* Called when a request is refused here though its head is whole (a body over its limit, in an
 * unknown coding, too slow, cut off ...), so that the answer can be in the sender's terms; no
 * body is handed over. Must lead to one http_reply or http_problem like the above, after which
 * the connection is closed. Without it, and where the head never came whole, a problem
 * document is sent. May be NULL. */
typedef void http_refused_fn(void *owner, const struct http_request *request, enum status status);

/* Called when headers are in: how much body (inflated) this request may have. 0: none is
 * taken, the reply comes without reading it, and a connection on which one was sent is closed
 * with that. Not called for requests without a body. */
typedef size_t http_body_max_fn(void *owner, enum http_method method, struct slice path,
                                unsigned listener);

/* Called once for each reply that was formatted, for metrics and logs; may be NULL. Ticket 0: a
 * request that was refused here and that neither on_request nor on_refused saw. */
typedef void http_done_fn(void *owner, uint64_t ticket, int http_status, uint64_t microseconds);

struct http_options {
    uv_loop_t *loop;
    unsigned connections_max;   /* 0: from RLIMIT_NOFILE, 64 kept spare (half of it, if less) */
    unsigned header_timeout_ms; /* 10,000 (0, here and below: none): from the first byte to the end
                                   of headers */
    unsigned body_timeout_ms;   /* 30,000 */
    unsigned idle_timeout_ms;   /* 75,000: kept connections between requests */
    unsigned write_timeout_ms;  /* 10,000 without progress */
    size_t memory_max;          /* of bodies that need more than 8 KiB, together; 0: 256 MiB */
    struct log *log;
    struct stats *stats;
    http_request_fn *on_request;
    http_refused_fn *on_refused;
    http_body_max_fn *body_max;
    http_done_fn *on_done;
    void *owner;
};

enum status http_open(const struct http_options *options, struct http **out);

/* `address` is HOST:PORT ("127.0.0.1:8080", "[::1]:0"). The port in use comes back.
 * CONFLICT: in use; INVALID: not an address. */
/* Whether one could listen there: CONFLICT, INVALID as http_listen. Any thread. */
enum status http_can_listen(const char *address);
enum status http_listen(struct http *http, const char *address, unsigned listener,
                        unsigned *port_out);

struct http_reply {
    int status;               /* 200, 303, ... */
    const char *content_type; /* NULL: no body */
    struct slice body;        /* copied */
    struct slice headers;     /* further lines, each ended by CRLF; copied. May be empty */
    bool close;               /* close afterwards */
};

/* Answers; silently nothing when the connection is gone, or http is NULL. X-Request-Id, Date-less;
 * Content-Length, Connection and the body's absence for HEAD are added here. */
void http_reply(struct http *http, uint64_t ticket, const struct http_reply *reply);

/* An RFC 9457 problem document of that status; `detail` may be NULL. 503 and 429 get
 * Retry-After. `headers` as in http_reply. */
void http_problem(struct http *http, uint64_t ticket, enum status status, const char *detail,
                  struct slice headers);

/* Answers given between these two are formatted first and sent together, at the latest at the end,
 * one after the other: each half then stays in the processor's cache. No callback of the owner but
 * on_done comes before that end. For who answers many at once; not from within on_request. */
void http_hold(struct http *http);
void http_release(struct http *http);

/* True while the request of the ticket can be answered: until then, what it was asked with is
 * there. */
bool http_is_open(const struct http *http, uint64_t ticket);

/* The same, and its peer has not closed its sending side, as one that gave up does. It may only
 * have said all it had to say: a request that is open has to be answered either way, or it stays
 * for ever. */
bool http_is_waiting(const struct http *http, uint64_t ticket);

/* No new connections; kept ones are closed after their present answer. `on_drained` when none
 * is left, or after `grace_ms`, when the rest is cut. */
typedef void http_drained_fn(void *owner);
void http_drain(struct http *http, unsigned grace_ms, http_drained_fn *on_drained, void *owner);

/* Closes whatever is open; memory is freed when the loop has run on. */
void http_close(struct http *http);

unsigned http_open_connections(const struct http *http);

#endif
