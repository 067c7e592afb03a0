/* The real HTTP module on a loopback port with an echo behind it, and clients on plain sockets,
 * all in one thread: the loop is stepped by hand, so what was sent in two pieces arrives in two
 * pieces, and nothing sleeps. */
#ifndef HOTLEAD_TESTS_HTTP_HARNESS_H
#define HOTLEAD_TESTS_HTTP_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "proto/must.h"
#include "proto/text.h"
#include "server/clock.h"
#include "server/http.h"

#define ECHO_LATER_MAX 4096

/* --- the server -------------------------------------------------------------------- */

struct server {
    uv_loop_t loop;
    struct http *http;
    struct log *log;
    struct stats *stats;
    int log_fd;
    unsigned port;
    char big[1 << 20]; /* body of the answer to /big, all x */

    /* what the echo has seen */
    unsigned requests;
    unsigned done;   /* answers that on_done told of */
    int done_status; /* the last one's */
    uint64_t done_ticket;
    uint64_t ticket;    /* of the last request */
    size_t body_length; /* of the last request, as handed over */
    size_t raw_length;
    char remote[64];
    char request_id[160];
    uint64_t later[ECHO_LATER_MAX]; /* tickets of /later, not answered yet */
    unsigned later_count;
    unsigned drained;
};

static const char *const echo_methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                           "PATCH", "DELETE", "OPTIONS"};

/* Answers "METHOD target length" and the body. */
static inline void echo_answer(struct server *server, uint64_t ticket,
                               const struct http_request *request)
{
    static char document[HTTP_BODY_MAX + 16 * 1024];
    char headers[64];
    struct text text = text_over(document, sizeof(document));

    text_string(&text, echo_methods[request->method]);
    text_char(&text, ' ');
    text_add(&text, request->path);
    if (request->query.bytes != NULL) {
        text_char(&text, '?');
        text_add(&text, request->query);
    }
    text_char(&text, ' ');
    text_uint(&text, request->body.length);
    text_char(&text, ' ');
    text_add(&text, request->body);
    MUST(!text.overflow);

    snprintf(headers, sizeof(headers), "X-Method: %s\r\n", echo_methods[request->method]);
    struct http_reply reply = {.status = 200,
                               .content_type = "text/plain",
                               .body = text_slice(&text),
                               .headers = slice_of(headers)};
    http_reply(server->http, ticket, &reply);
}

static inline void server_answer_later(struct server *server)
{
    uint64_t ticket = server->later[--server->later_count];

    http_reply(server->http, ticket, &(struct http_reply){.status = 202});
}

/* /later is answered by the test, or by /release, which answers them all, the newest first, and
 * then itself. /empty gets 204, /unmodified 304, /close is closed, /big gets a megabyte, /busy a
 * problem, everything else the echo at once. */
static inline void echo_on_request(void *owner, const struct http_request *request)
{
    struct server *server = owner;
    volatile unsigned char padding = 0;

    server->requests++;
    server->ticket = request->ticket;
    server->body_length = request->body.length;
    server->raw_length = request->raw_body.length;
    snprintf(server->remote, sizeof(server->remote), "%s", request->remote);
    snprintf(server->request_id, sizeof(server->request_id), "%.*s",
             (int)request->request_id.length, request->request_id.bytes);
    /* Under ASan this is where a body without readable bytes behind it fails. */
    for (size_t i = 0; i < 64; i++)
        padding = (unsigned char)request->body.bytes[request->body.length + i];
    (void)padding;

    if (slice_equal(request->path, SLICE("/later"))) {
        MUST(server->later_count < ECHO_LATER_MAX);
        server->later[server->later_count++] = request->ticket;
    } else if (slice_equal(request->path, SLICE("/release"))) {
        while (server->later_count > 0)
            server_answer_later(server);
        echo_answer(server, request->ticket, request);
    } else if (slice_equal(request->path, SLICE("/empty"))) {
        http_reply(server->http, request->ticket, &(struct http_reply){.status = 204});
    } else if (slice_equal(request->path, SLICE("/unmodified"))) {
        http_reply(server->http, request->ticket, &(struct http_reply){.status = 304});
    } else if (slice_equal(request->path, SLICE("/close"))) {
        http_reply(server->http, request->ticket,
                   &(struct http_reply){.status = 200, .close = true});
    } else if (slice_equal(request->path, SLICE("/big"))) {
        http_reply(server->http, request->ticket,
                   &(struct http_reply){.status = 200,
                                        .content_type = "text/plain",
                                        .body = {server->big, sizeof(server->big)}});
    } else if (slice_equal(request->path, SLICE("/busy"))) {
        http_problem(server->http, request->ticket, STATUS_BUSY, NULL, (struct slice){NULL, 0});
    } else {
        echo_answer(server, request->ticket, request);
    }
}

static inline size_t echo_body_max(void *owner, enum http_method method, struct slice path,
                                   unsigned listener)
{
    (void)owner, (void)method, (void)listener;
    if (slice_equal(path, SLICE("/none")))
        return 0;
    if (slice_equal(path, SLICE("/batch")))
        return HTTP_BODY_MAX;
    if (slice_equal(path, SLICE("/tiny")))
        return 16;
    return 64 * 1024;
}

static inline void echo_on_done(void *owner, uint64_t ticket, int status, uint64_t microseconds)
{
    struct server *server = owner;
    (void)microseconds;

    server->done++;
    server->done_status = status;
    server->done_ticket = ticket;
}

/* Options that a test leaves at 0 get the defaults of the product. */
static inline struct server *server_open(struct http_options options)
{
    struct server *server = calloc(1, sizeof(*server));

    assert_non_null(server);
    signal(SIGPIPE, SIG_IGN);
    memset(server->big, 'x', sizeof(server->big));
    assert_int_equal(uv_loop_init(&server->loop), 0);
    server->log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    server->log = log_open(server->log_fd, LOG_ERROR);
    server->stats = stats_open();

    options.loop = &server->loop;
    options.log = server->log;
    options.stats = server->stats;
    options.on_request = echo_on_request;
    options.body_max = echo_body_max;
    options.on_done = echo_on_done;
    options.owner = server;
    if (options.header_timeout_ms == 0)
        options.header_timeout_ms = 10000;
    if (options.body_timeout_ms == 0)
        options.body_timeout_ms = 30000;
    if (options.idle_timeout_ms == 0)
        options.idle_timeout_ms = 75000;
    if (options.write_timeout_ms == 0)
        options.write_timeout_ms = 10000;
    assert_int_equal(http_open(&options, &server->http), STATUS_OK);
    assert_int_equal(http_listen(server->http, "127.0.0.1:0", 1, &server->port), STATUS_OK);
    assert_true(server->port > 0);
    return server;
}

/* One turn of the loop: what has arrived is handled. */
static inline void server_turn(struct server *server)
{
    uv_run(&server->loop, UV_RUN_NOWAIT);
}

static inline void server_turns(struct server *server, int count)
{
    while (count-- > 0)
        server_turn(server);
}

static inline void server_close(struct server *server)
{
    http_close(server->http);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&server->loop), 0);
    log_close(server->log);
    stats_close(server->stats);
    close(server->log_fd);
    free(server);
}

/* --- a client ------------------------------------------------------------------------- */

struct client {
    int fd;
    char *received;
    size_t length, capacity;
    bool ended; /* the server has closed */
    bool reset;
};

static inline void client_open_to(struct client *client, unsigned port)
{
    const int yes = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(client->fd >= 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
}

static inline void client_open(struct client *client, struct server *server)
{
    client_open_to(client, server->port);
    server_turn(server);
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    free(client->received);
    *client = (struct client){.fd = -1};
}

/* Bytes sent; fewer when the kernel is full or the server has closed. */
static inline size_t client_push(struct client *client, const char *bytes, size_t length)
{
    ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL);

    return sent < 0 ? 0 : (size_t)sent;
}

/* Takes what has come. */
static inline void client_pull(struct client *client)
{
    while (!client->ended) {
        if (client->capacity - client->length < 4096) {
            client->capacity = client->capacity * 2 + 8192;
            client->received = realloc(client->received, client->capacity);
            assert_non_null(client->received);
        }
        ssize_t count = recv(client->fd, client->received + client->length,
                             client->capacity - client->length - 1, 0);
        if (count > 0) {
            client->length += (size_t)count;
        } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            client->ended = true;
            client->reset = count < 0;
        } else {
            break;
        }
    }
    if (client->received != NULL)
        client->received[client->length] = '\0';
}

static inline void client_send(struct client *client, struct server *server, const char *bytes,
                               size_t length)
{
    while (length > 0) {
        size_t sent = client_push(client, bytes, length);
        bytes += sent;
        length -= sent;
        server_turn(server);
        client_pull(client);
        if (sent == 0 && client->ended)
            return;
    }
    server_turn(server);
    client_pull(client);
}

static inline void client_say(struct client *client, struct server *server, const char *text)
{
    client_send(client, server, text, strlen(text));
}

/* --- answers ----------------------------------------------------------------------------- */

struct answer {
    int status;
    struct slice head; /* status line and fields */
    struct slice body;
    size_t next; /* where the answer behind it begins */
};

static inline struct slice answer_field(const struct answer *answer, const char *name)
{
    size_t name_length = strlen(name);
    const char *line = answer->head.bytes, *end = line + answer->head.length;

    while (line < end) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (line_end == NULL)
            break;
        if ((size_t)(line_end - line) > name_length + 2 && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0)
            return (struct slice){line + name_length + 2,
                                  (size_t)(line_end - 1 - (line + name_length + 2))};
        line = line_end + 1;
    }
    return (struct slice){NULL, 0};
}

/* False: no whole answer at that place yet. Interim answers (1xx) are skipped. */
static inline bool answer_at(const struct client *client, size_t at, struct answer *out)
{
    if (client->length - at < 12)
        return false;
    const char *begin = client->received + at;
    const char *end = memmem(begin, client->length - at, "\r\n\r\n", 4);
    if (end == NULL || memcmp(begin, "HTTP/1.1 ", 9) != 0)
        return false;
    *out = (struct answer){.status = atoi(begin + 9),
                           .head = {begin, (size_t)(end + 2 - begin)},
                           .body = {end + 4, 0}};
    size_t body_at = (size_t)(end + 4 - client->received);
    if (out->status < 200)
        return answer_at(client, body_at, out);

    struct slice length = answer_field(out, "Content-Length");
    struct slice method = answer_field(out, "X-Method");
    if (length.bytes != NULL && !slice_equal(method, SLICE("HEAD")))
        out->body.length = strtoul(length.bytes, NULL, 10);
    if (client->ended && body_at == client->length)
        out->body.length = 0; /* a HEAD that was refused */
    out->next = body_at + out->body.length;
    return out->next <= client->length;
}

static inline unsigned answers_in(const struct client *client)
{
    struct answer answer;
    unsigned count = 0;

    for (size_t at = 0; client->length > 0 && answer_at(client, at, &answer); at = answer.next)
        count++;
    return count;
}

/* --- waiting ------------------------------------------------------------------------------- */

static inline uint64_t harness_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turns the loop until that many answers are here, or the server has closed. */
static inline void client_await(struct client *client, struct server *server, unsigned answers)
{
    uint64_t until_ms = harness_now_ms() + 10000;

    for (client_pull(client); answers_in(client) < answers && !client->ended; client_pull(client)) {
        assert_true(harness_now_ms() < until_ms);
        server_turn(server);
    }
}

static inline void client_await_end(struct client *client, struct server *server)
{
    uint64_t until_ms = harness_now_ms() + 10000;

    for (client_pull(client); !client->ended; client_pull(client)) {
        assert_true(harness_now_ms() < until_ms);
        server_turn(server);
    }
}

/* The answer of that index, which must be there. */
static inline struct answer client_answer(const struct client *client, unsigned index)
{
    struct answer answer = {0};
    size_t at = 0;

    for (unsigned i = 0; i <= index; i++, at = answer.next)
        assert_true(client->length > 0 && answer_at(client, at, &answer));
    return answer;
}

#endif
