/* Answers are put together in one buffer of the server, not of the connection, and mostly leave
 * it by a single write before the turn is over. While a connection's pipelined requests are
 * worked off, its answers gather there (`corked`); between http_hold and http_release, those of
 * many connections do, and all go on at its end. Only what the kernel does not take is copied and
 * queued; then that connection is not read from, so at most one answer waits for a slow reader. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/must.h"
#include "proto/text.h"
#include "server/clock.h"
#include "server/http_internal.h"

/* Status line and the fields that are written here, the longest request id included. */
#define HEAD_SPARE 512

/* Of the owner's own fields. More can only come of input that it forgot to bound. */
#define HEADERS_OUT_MAX 32768

#define PROBLEM_BYTES 2048

struct unsent {
    uv_write_t request;
    char bytes[];
};

static const char *phrase_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Other";
    }
}

/* --- sending ------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct http_conn *conn = request->data;

    free(request);
    conn->writes--;
    if (conn->state == HTTP_CLOSED)
        return;
    if (status < 0)
        http_conn_close(conn);
    else if (conn->writes == 0)
        http_conn_run(conn);
}

static bool queue_rest(struct http_conn *conn, struct slice head, struct slice body, size_t sent)
{
    size_t head_sent = sent < head.length ? sent : head.length;
    size_t body_sent = sent - head_sent;
    size_t rest = head.length + body.length - sent;
    struct unsent *unsent = malloc(sizeof(*unsent) + rest);

    if (unsent == NULL)
        return false;
    struct text text = text_over(unsent->bytes, rest);
    text_bytes(&text, head.bytes + head_sent, head.length - head_sent);
    text_bytes(&text, body.bytes + body_sent, body.length - body_sent);

    uv_buf_t part = uv_buf_init(unsent->bytes, (unsigned)rest);
    unsent->request.data = conn;
    if (uv_write(&unsent->request, (uv_stream_t *)&conn->tcp, &part, 1, on_written) != 0) {
        free(unsent);
        return false;
    }
    conn->writes++;
    return true;
}

/* What the socket takes at once; -1: it is broken. Past libuv, whose way to the same call is
 * longer and ends in write(2), which looks at more than a socket needs. */
static ssize_t try_send(const struct http_conn *conn, struct slice head, struct slice body)
{
    struct iovec parts[2] = {{(char *)head.bytes, head.length}, {(char *)body.bytes, body.length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t sent;

    do
        sent = body.length == 0 ? send(conn->fd, head.bytes, head.length, flags)
                                : sendmsg(conn->fd, &message, flags);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
        return 0;
    return sent;
}

static void send_now(struct http_conn *conn, struct slice head, struct slice body)
{
    ssize_t sent = 0;

    if (conn->state == HTTP_CLOSED)
        return;
    if (conn->writes == 0)
        sent = try_send(conn, head, body);
    if (sent < 0) {
        http_conn_close(conn);
        return;
    }
    if ((size_t)sent < head.length + body.length && !queue_rest(conn, head, body, (size_t)sent))
        http_conn_close(conn);
}

void http_flush(struct http_conn *conn)
{
    struct http *http = conn->http;
    struct slice gathered = {http->out, http->out_length};

    if (conn != http->corked || gathered.length == 0)
        return;
    http->out_length = 0;
    send_now(conn, gathered, (struct slice){NULL, 0});
}

/* The connections go on in http_release, not here: what they ask for next would be worked on while
 * their owner gives another answer, and could overwrite the memory that this is read from. */
static void send_held(struct http *http)
{
    for (unsigned i = 0; i < http->held_count; i++) {
        struct http_held *held = &http->held[i];
        send_now(held->conn, (struct slice){http->out + held->at, held->length},
                 (struct slice){NULL, 0});
        held->conn->held = false;
        http_conn_answered(held->conn);
    }
    http->held_count = 0;
    http->out_length = 0;
}

void http_hold(struct http *http)
{
    MUST(http->corked == NULL);
    if (!http->holding)
        http->held_us = clock_monotonic_us();
    http->holding = true;
}

void http_release(struct http *http)
{
    send_held(http);
    http->holding = false;
    http_run_ready(http);
}

static void hold(struct http_conn *conn, const struct text *text)
{
    struct http *http = conn->http;

    http->held[http->held_count++] = (struct http_held){conn, http->out_length, text->length};
    http->out_length += text->length;
    conn->held = true;
}

/* Only a whole answer can be held: a larger one leaves by itself, behind those before it. */
static void make_room_to_hold(struct http *http, size_t bytes_max)
{
    if (bytes_max > HTTP_OUT_BYTES - http->out_length || http->held_count == HTTP_HELD_MAX)
        send_held(http);
}

/* A place in the output buffer for an answer's head, and for its body if that fits. */
static struct text begin(struct http *http, size_t head_bytes_max, size_t body_bytes)
{
    MUST(head_bytes_max <= HTTP_OUT_BYTES);
    if (http->holding)
        make_room_to_hold(http, head_bytes_max + body_bytes);
    if (HTTP_OUT_BYTES - http->out_length < head_bytes_max)
        http_flush(http->corked);
    return text_over(http->out + http->out_length, HTTP_OUT_BYTES - http->out_length);
}

static void finish(struct http_conn *conn, struct text *text, struct slice body)
{
    struct http *http = conn->http;

    MUST(!text->overflow);
    if (body.length <= text->capacity - text->length) {
        text_add(text, body);
        body = (struct slice){NULL, 0};
    }
    if (http->holding && body.length == 0) {
        hold(conn, text);
        return;
    }
    if (conn != http->corked) {
        send_now(conn, text_slice(text), body);
        return;
    }
    http->out_length += text->length;
    if (body.length > 0) {
        struct slice gathered = {http->out, http->out_length};
        http->out_length = 0;
        send_now(conn, gathered, body);
    }
}

/* --- formatting ------------------------------------------------------------------ */

static bool is_head(const struct http_conn *conn)
{
    return conn->head.method_known && conn->head.method == HTTP_HEAD;
}

static bool is_sound_request_id(struct slice id)
{
    static const char others[] = "-._~:/+=@";

    if (id.length == 0 || id.length > 128)
        return false;
    for (size_t i = 0; i < id.length; i++) {
        char byte = id.bytes[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9');
        if (!plain && memchr(others, byte, sizeof(others) - 1) == NULL)
            return false;
    }
    return true;
}

/* The wall clock, asked once in each millisecond of the loop. */
static uint64_t turn_ms(struct http *http)
{
    uint64_t loop_ms = uv_now(http->options.loop);

    if (http->turn_loop_ms != loop_ms || http->turn_wall_ms == 0) {
        http->turn_loop_ms = loop_ms;
        http->turn_wall_ms = clock_wall_ms();
    }
    return http->turn_wall_ms;
}

struct slice http_request_id(struct http_conn *conn)
{
    const char *block = conn->input.bytes + conn->input.start;
    struct slice id = http_head_slice(block, conn->head.headers[HTTP_X_REQUEST_ID]);

    if (conn->request_id.length > 0)
        return conn->request_id;
    if (!is_sound_request_id(id)) {
        id_request(conn->made_request_id, turn_ms(conn->http));
        id = (struct slice){conn->made_request_id, sizeof(conn->made_request_id)};
    }
    conn->request_id = id;
    return id;
}

static void write_head(struct text *out, struct http_conn *conn, const struct http_reply *reply,
                       struct slice more_headers)
{
    text_add(out, SLICE("HTTP/1.1 "));
    text_uint(out, (uint64_t)reply->status);
    text_char(out, ' ');
    text_string(out, phrase_of(reply->status));
    if (reply->status != 204 && reply->status != 304) {
        text_add(out, SLICE("\r\nContent-Length: "));
        text_uint(out, reply->content_type == NULL ? 0 : reply->body.length);
        if (reply->content_type != NULL) {
            text_add(out, SLICE("\r\nContent-Type: "));
            text_string(out, reply->content_type);
        }
    }
    text_add(out, SLICE("\r\nX-Request-Id: "));
    text_add(out, http_request_id(conn));
    if (conn->last)
        text_add(out, SLICE("\r\nConnection: close"));
    else if (conn->head.framing.is_1_0)
        text_add(out, SLICE("\r\nConnection: keep-alive"));
    text_add(out, SLICE("\r\n"));
    text_add(out, reply->headers);
    text_add(out, more_headers);
    text_add(out, SLICE("\r\n"));
}

static uint64_t now_us(const struct http *http)
{
    return http->holding ? http->held_us : clock_monotonic_us();
}

static void send_reply(struct http_conn *conn, const struct http_reply *reply,
                       struct slice more_headers)
{
    struct http *http = conn->http;
    size_t type_length = reply->content_type == NULL ? 0 : strlen(reply->content_type);
    bool has_body = reply->content_type != NULL && reply->status != 204 && reply->status != 304 &&
                    !is_head(conn);

    struct slice body = has_body ? reply->body : (struct slice){NULL, 0};

    struct text text = begin(http, HEAD_SPARE + type_length + reply->headers.length, body.length);
    write_head(&text, conn, reply, more_headers);
    finish(conn, &text, body);

    /* The owner hears of its own tickets only; 0 is a request that was refused here. */
    if (http->options.on_done != NULL)
        http->options.on_done(http->options.owner, conn->ticket, reply->status,
                              now_us(http) - conn->started_us);
}

void http_send_continue(struct http_conn *conn)
{
    struct text text = begin(conn->http, HEAD_SPARE, 0);

    text_add(&text, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    finish(conn, &text, (struct slice){NULL, 0});
}

/* --- problems ---------------------------------------------------------------------- */

static bool names_header(struct slice headers, struct slice name)
{
    while (headers.length > name.length) {
        struct slice start = {headers.bytes, name.length};
        if (slice_equal_ignoring_case(start, name) && headers.bytes[name.length] == ':')
            return true;
        const char *end = memchr(headers.bytes, '\n', headers.length);
        if (end == NULL)
            return false;
        headers.length -= (size_t)(end + 1 - headers.bytes);
        headers.bytes = end + 1;
    }
    return false;
}

static void write_problem(struct text *out, struct http_conn *conn, enum status status,
                          struct slice detail)
{
    text_add(out, SLICE("{\"type\":\"about:blank\",\"title\":"));
    text_json_string(out, slice_of(phrase_of(status_http(status))));
    text_add(out, SLICE(",\"status\":"));
    text_uint(out, (uint64_t)status_http(status));
    text_add(out, SLICE(",\"code\":"));
    text_json_string(out, slice_of(status_code(status)));
    text_add(out, SLICE(",\"detail\":"));
    text_json_string(out, detail);
    text_add(out, SLICE(",\"request_id\":"));
    text_json_string(out, http_request_id(conn));
    text_add(out, SLICE("}\n"));
}

static struct slice problem_headers(enum status status, struct slice given)
{
    int http_status = status_http(status);

    if ((http_status == 503 || http_status == 429) && !names_header(given, SLICE("retry-after")))
        return SLICE("Cache-Control: no-store\r\nRetry-After: 1\r\n");
    return SLICE("Cache-Control: no-store\r\n");
}

void http_send_problem(struct http_conn *conn, enum status status, const char *detail,
                       struct slice headers)
{
    struct slice usual = slice_of(status_text(status));
    char bytes[PROBLEM_BYTES];
    struct text document = text_over(bytes, sizeof(bytes));

    write_problem(&document, conn, status, detail == NULL ? usual : slice_of(detail));
    if (document.overflow) { /* a detail that long helps nobody */
        document = text_over(bytes, sizeof(bytes));
        write_problem(&document, conn, status, usual);
    }
    struct http_reply reply = {.status = status_http(status),
                               .content_type = "application/problem+json",
                               .body = text_slice(&document),
                               .headers = headers};
    send_reply(conn, &reply, problem_headers(status, headers));
}

/* --- answers of the owner -------------------------------------------------------------- */

/* To its owner a request is answered, sent or not. */
static void answered(struct http_conn *conn)
{
    if (conn->held)
        conn->ticket = 0;
    else
        http_conn_answered(conn);
}

void http_reply(struct http *http, uint64_t ticket, const struct http_reply *reply)
{
    struct http_conn *conn = http_find(http, ticket);

    if (conn == NULL)
        return;
    conn->last = conn->last || reply->close || http->draining;
    if (reply->headers.length <= HEADERS_OUT_MAX)
        send_reply(conn, reply, (struct slice){NULL, 0});
    else
        http_send_problem(conn, STATUS_INTERNAL, NULL, (struct slice){NULL, 0});
    answered(conn);
}

void http_problem(struct http *http, uint64_t ticket, enum status status, const char *detail,
                  struct slice headers)
{
    struct http_conn *conn = http_find(http, ticket);

    if (conn == NULL)
        return;
    conn->last = conn->last || http->draining;
    if (headers.length > HEADERS_OUT_MAX)
        headers = (struct slice){NULL, 0};
    http_send_problem(conn, status, detail, headers);
    answered(conn);
}

bool http_is_open(const struct http *http, uint64_t ticket)
{
    return http_find(http, ticket) != NULL;
}

bool http_is_waiting(const struct http *http, uint64_t ticket)
{
    const struct http_conn *conn = http_find(http, ticket);

    return conn != NULL && !conn->ended;
}
