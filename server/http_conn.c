/* A connection: bytes in, requests out, in order.
 *
 * Input comes in a pooled block that is taken when bytes arrive and given back when the last
 * request in it is answered, so an idle connection holds none. A request is handed over as
 * slices of that block; what follows it (pipelined requests) stays behind it, untouched until
 * the answer is formatted. http_run_ready() is a loop and never calls itself, however deep
 * a pipeline is and whoever is answered from within the owner's callback. All that have sent
 * something are read from before the first of them goes on: taking turns, our code and the
 * kernel's would put each other out of the processor's cache. */
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/must.h"
#include "server/clock.h"
#include "server/http_internal.h"

/* A chunked body is read into at least this much room, so that its last bytes do not come one
 * by one. */
#define CHUNKED_ROOM 1024

static size_t held(const struct http_buffer *buffer)
{
    return buffer->filled - buffer->start;
}

static char *block_of(const struct http_conn *conn)
{
    return conn->input.bytes + conn->input.start;
}

/* --- reading -------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *conn = handle->data;
    struct http_buffer *input = &conn->input;
    (void)suggested;

    if (conn->state == HTTP_LINGER)
        *out = uv_buf_init(conn->http->scrap, HTTP_BLOCK_BYTES);
    else if (input->bytes == NULL && !http_buffer_take(&conn->http->pool, input))
        *out = uv_buf_init(NULL, 0);
    else
        *out =
            uv_buf_init(input->bytes + input->filled, (unsigned)(input->capacity - input->filled));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *ignored);

/* Not for every request: libuv turns a stop and a start into two system calls. */
static void read_or_not(struct http_conn *conn, bool wanted)
{
    if (conn->reading == wanted || conn->ended)
        return;
    conn->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&conn->tcp);
    else if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0)
        http_conn_close(conn);
}

/* Room for at least one byte of what is missing of the present request. False: too much memory
 * is taken already. */
static bool make_room(struct http_conn *conn)
{
    struct http_buffer *input = &conn->input;
    size_t wanted = 2 * input->capacity, room_least = 1;

    if (conn->in_body && conn->frame.framing.has_length) {
        size_t message = conn->head.length + (size_t)conn->frame.framing.length;
        wanted = message < wanted ? message : wanted;
    } else if (conn->in_body) {
        size_t message = conn->head.length + conn->frame.body_max + HTTP_BLOCK_BYTES;
        wanted = message < wanted ? message : wanted;
        room_least = CHUNKED_ROOM;
    }
    if (input->capacity - input->filled >= room_least)
        return true;
    if (input->capacity - held(input) >= room_least)
        wanted = input->capacity;
    return http_buffer_grow(&conn->http->pool, input, wanted);
}

/* --- handing over ----------------------------------------------------------------------- */

static struct slice path_of(const struct http_conn *conn)
{
    struct slice path = http_head_slice(block_of(conn), conn->head.path);

    return path.length == 0 ? SLICE("/") : path;
}

/* What the owner is told, and what it answers to. The head must be whole. */
static struct http_request begin_request(struct http_conn *conn, struct slice raw_body,
                                         struct slice body)
{
    const struct http_head *head = &conn->head;
    const char *block = block_of(conn);

    http_enter(conn, HTTP_PENDING);
    conn->ticket = http_ticket_make(conn->http, conn->slot);
    conn->last = conn->last || !http_head_keeps_alive(head);

    struct http_request request = {
        .ticket = conn->ticket,
        .listener = conn->listener,
        .method = head->method,
        .path = path_of(conn),
        .query = http_head_slice(block, head->query),
        .body = body,
        .raw_body = raw_body,
        .remote = conn->remote,
        .request_id = http_request_id(conn),
        .started_us = conn->started_us,
    };
    for (unsigned i = 0; i < HTTP_HEADER_COUNT; i++)
        request.headers[i] = http_head_slice(block, head->headers[i]);
    return request;
}

static void hand_over(struct http_conn *conn, struct slice raw_body, struct slice body)
{
    const struct http_options *options = &conn->http->options;
    struct http_request request = begin_request(conn, raw_body, body);

    options->on_request(options->owner, &request);
}

static void hand_over_with_body(struct http_conn *conn)
{
    struct http *http = conn->http;
    struct slice raw = {block_of(conn) + conn->head.length, conn->frame.body_length};

    if (conn->head.coding == HTTP_CODING_NONE || raw.length == 0) {
        hand_over(conn, raw, raw);
        return;
    }
    enum status status =
        http_inflate_body(http->inflater, &http->pool, raw, conn->frame.body_max, &conn->inflated);
    if (status != STATUS_OK)
        http_conn_refuse(conn, status);
    else
        hand_over(conn, raw, (struct slice){conn->inflated.bytes, conn->inflated.filled});
}

/* --- taking requests apart ---------------------------------------------------------------- */

static void await_more(struct http_conn *conn, enum http_state state)
{
    http_enter(conn, state);
    if (conn->ended) /* a truncated request is no request */
        http_conn_refuse(conn, STATUS_MALFORMED);
    else if (!make_room(conn))
        http_conn_refuse(conn, STATUS_BUSY);
}

/* The owner takes no body here: it answers without one, and the connection ends with that,
 * because what follows on it is not the next request. */
static void hand_over_unread(struct http_conn *conn)
{
    struct slice none = {block_of(conn) + conn->head.length, 0};

    conn->last = true;
    conn->may_send = true;
    conn->message_bytes = conn->head.length;
    hand_over(conn, none, none);
}

static void begin_body(struct http_conn *conn)
{
    struct http *http = conn->http;
    const struct http_head *head = &conn->head;
    size_t body_max =
        http->options.body_max(http->options.owner, head->method, path_of(conn), conn->listener);

    if (body_max > HTTP_BODY_MAX)
        body_max = HTTP_BODY_MAX;
    if (body_max == 0) {
        hand_over_unread(conn);
    } else if (head->coding == HTTP_CODING_OTHER) {
        http_conn_refuse(conn, STATUS_MEDIA_TYPE);
    } else if (head->framing.has_length && head->framing.length > body_max) {
        http_conn_refuse(conn, STATUS_TOO_LARGE);
    } else {
        conn->in_body = true;
        conn->frame.body_max = body_max;
        if (head->expects_continue && held(&conn->input) == head->length)
            http_send_continue(conn);
    }
}

static void take_head(struct http_conn *conn)
{
    struct http_head *head = &conn->head;

    if (!http_frame_open(&conn->frame, &head->framing, block_of(conn) + head->start,
                         head->length - head->start)) {
        http_conn_refuse(conn, STATUS_MALFORMED);
    } else if (http_frame_is_whole(&conn->frame)) {
        conn->message_bytes = head->length;
        hand_over_with_body(conn);
    } else {
        begin_body(conn);
    }
}

/* False: the rest of the head has not come yet. */
static bool read_head(struct http_conn *conn)
{
    const struct http_head *head = &conn->head;
    size_t length = held(&conn->input);

    if (length == 0) {
        http_buffer_drop(&conn->http->pool, &conn->input);
        http_enter(conn, HTTP_IDLE);
        return false;
    }
    if (conn->state != HTTP_HEAD_IN)
        conn->started_us = clock_monotonic_us();
    switch (http_scan(&conn->head, block_of(conn), length)) {
    case HTTP_SCAN_WHOLE:
        take_head(conn);
        return true;
    case HTTP_SCAN_REFUSED:
        http_conn_refuse(conn, head->refusal);
        return true;
    default:
        if (conn->ended && length == head->start) /* nothing but empty lines */
            http_conn_close(conn);
        else
            await_more(conn, HTTP_HEAD_IN);
        return false;
    }
}

/* In `input`: the head, the body so far, then what has just come. Chunk lines and such vanish
 * as they are read, so that the body is in one piece. False: the rest has not come yet. */
static bool read_body(struct http_conn *conn)
{
    struct http_buffer *input = &conn->input;
    char *body = block_of(conn) + conn->head.length;
    char *fresh = body + conn->frame.body_length;
    size_t used;

    switch (http_frame_read(&conn->frame, body, fresh,
                            (size_t)(input->bytes + input->filled - fresh), &used)) {
    case HTTP_FRAME_WHOLE:
        conn->in_body = false;
        conn->message_bytes = (size_t)(fresh + used - block_of(conn));
        hand_over_with_body(conn);
        return true;
    case HTTP_FRAME_REFUSED:
        http_conn_refuse(conn, conn->frame.refusal);
        return true;
    default:
        input->filled = (size_t)(body - input->bytes) + conn->frame.body_length;
        await_more(conn, HTTP_BODY_IN);
        return false;
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static void forget_request(struct http_conn *conn)
{
    struct http_pool *pool = &conn->http->pool;
    struct http_buffer *input = &conn->input;

    conn->ticket = 0;
    conn->request_id = (struct slice){NULL, 0};
    conn->in_body = false;
    http_buffer_drop(pool, &conn->inflated);
    input->start += conn->message_bytes;
    conn->message_bytes = 0;
    if (conn->last && (held(input) > 0 || http_head_keeps_alive(&conn->head)))
        conn->may_send = true;
    if (conn->last || held(input) == 0)
        http_buffer_drop(pool, input);
    http_scan_start(&conn->head);
}

void http_conn_answered(struct http_conn *conn)
{
    if (conn->state == HTTP_CLOSED) /* it turned out while sending */
        return;
    forget_request(conn);
    http_enter(conn, HTTP_IDLE);
    http_conn_run(conn);
}

void http_conn_refuse(struct http_conn *conn, enum status status)
{
    const struct http_options *options = &conn->http->options;

    conn->last = true;
    conn->may_send = true;
    conn->message_bytes = 0;
    if (conn->head.length > 0 && options->on_refused != NULL) {
        struct slice none = {block_of(conn) + conn->head.length, 0};
        struct http_request request = begin_request(conn, none, none);
        options->on_refused(options->owner, &request, status);
    } else {
        http_send_problem(conn, status, NULL, (struct slice){NULL, 0});
        http_conn_answered(conn);
    }
}

/* Closing a socket with unread input makes the kernel send a reset, which can destroy the
 * answer on its way. So the sending side is closed first, and input is read for a while. */
static void linger(struct http_conn *conn)
{
    http_buffer_drop(&conn->http->pool, &conn->input);
    if (shutdown(conn->fd, SHUT_WR) != 0) {
        http_conn_close(conn);
        return;
    }
    http_enter(conn, HTTP_LINGER);
    read_or_not(conn, true);
}

/* --- the loop --- */

static bool may_go_on(const struct http_conn *conn)
{
    switch (conn->state) {
    case HTTP_IDLE:
    case HTTP_HEAD_IN:
    case HTTP_BODY_IN:
    case HTTP_WRITING:
        return !conn->last && conn->writes == 0;
    default:
        return false;
    }
}

/* What the connection does until the next event. */
static void settle(struct http_conn *conn)
{
    if (conn->state == HTTP_CLOSED || conn->state == HTTP_LINGER)
        return;
    if (conn->state == HTTP_PENDING) {
        /* Reading goes on, while there is room, to notice a peer that leaves. */
        read_or_not(conn, conn->writes == 0 && conn->input.filled < conn->input.capacity);
    } else if (conn->writes > 0) {
        http_enter(conn, HTTP_WRITING);
        conn->unsent_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
        read_or_not(conn, false);
    } else if (conn->last) {
        if (conn->ended || !conn->may_send)
            http_conn_close(conn);
        else
            linger(conn);
    } else if (conn->state == HTTP_IDLE && (conn->ended || conn->http->draining)) {
        http_conn_close(conn);
    } else {
        read_or_not(conn, true);
    }
}

/* A pipeline of thousands takes turns with everybody else. Who has more than a turn's worth is not
 * read from meanwhile: libuv would do that many times in a row while there is something to read. */
static void run_later(struct http_conn *conn)
{
    struct http *http = conn->http;

    read_or_not(conn, false);
    conn->ready = true;
    conn->next_ready = NULL;
    *http->last_later = conn;
    http->last_later = &conn->next_ready;
    http_turn_soon(http);
}

static void run(struct http_conn *conn)
{
    bool more = true;

    conn->http->corked = conn;
    for (unsigned step = 0; more && may_go_on(conn) && step < HTTP_TURN_STEPS; step++)
        more = conn->in_body ? read_body(conn) : read_head(conn);
    http_flush(conn);
    conn->http->corked = NULL;
    if (more && may_go_on(conn))
        run_later(conn);
    else
        settle(conn);
}

static void run_soon(struct http_conn *conn)
{
    struct http *http = conn->http;

    if (conn->ready)
        return;
    conn->ready = true;
    conn->next_ready = NULL;
    *http->last_ready = conn;
    http->last_ready = &conn->next_ready;
}

void http_run_ready(struct http *http)
{
    MUST(http->corked == NULL && !http->holding);
    while (http->first_ready != NULL) {
        struct http_conn *conn = http->first_ready;
        http->first_ready = conn->next_ready;
        if (http->first_ready == NULL)
            http->last_ready = &http->first_ready;
        conn->ready = false;
        run(conn);
    }
}

void http_run_turn(struct http *http)
{
    if (http->first_later != NULL) {
        sched_yield(); /* for the other threads: they would wait for the end of a time slice */
        *http->last_ready = http->first_later;
        http->last_ready = http->last_later;
        http->first_later = NULL;
        http->last_later = &http->first_later;
    }
    http_run_ready(http);
}

void http_conn_run(struct http_conn *conn)
{
    struct http *http = conn->http;

    if (http->corked == conn)
        return; /* the loop above goes on by itself */
    run_soon(conn);
    if (http->corked == NULL && !http->holding)
        http_run_ready(http);
}

static void on_end(struct http_conn *conn, ssize_t error)
{
    if (error != UV_EOF || conn->state == HTTP_LINGER) {
        http_conn_close(conn);
        return;
    }
    /* It may only have closed its sending side: what it asked for is still answered. */
    conn->ended = true;
    conn->reading = false;
    if (conn->state != HTTP_PENDING)
        run_soon(conn);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *ignored)
{
    struct http_conn *conn = stream->data;
    (void)ignored;

    if (count < 0) {
        on_end(conn, count);
    } else if (conn->state == HTTP_LINGER) {
        conn->lingered_bytes += (size_t)count;
        if (conn->lingered_bytes > HTTP_LINGER_BYTES)
            http_conn_close(conn);
    } else {
        conn->input.filled += (size_t)count;
        if (conn->state == HTTP_PENDING)
            settle(conn);
        else if (conn->input.filled == conn->input.capacity)
            http_conn_run(conn); /* libuv reads on at once, and there must be room for it */
        else
            run_soon(conn);
    }
}

/* --- life --- */

static void on_closed(uv_handle_t *handle)
{
    struct http_conn *conn = handle->data;
    struct http *http = conn->http;

    http_buffer_drop(&http->pool, &conn->input);
    http_buffer_drop(&http->pool, &conn->inflated);
    http_conn_free(conn);
    http_on_handle_closed(http);
}

void http_conn_close(struct http_conn *conn)
{
    if (conn->state == HTTP_CLOSED)
        return;
    conn->ticket = 0;
    http_enter(conn, HTTP_CLOSED);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void http_conn_open(struct http *http, unsigned listener, int fd, const char *remote)
{
    struct http_conn *conn = http_conn_allocate(http);

    if (conn == NULL) {
        close(fd);
        return;
    }
    conn->listener = listener;
    conn->fd = fd;
    snprintf(conn->remote, sizeof(conn->remote), "%s", remote);
    uv_tcp_init(http->options.loop, &conn->tcp);
    conn->tcp.data = conn;
    http->open_handles++;
    if (uv_tcp_open(&conn->tcp, fd) != 0) {
        close(fd);
        http_conn_close(conn);
        return;
    }
    read_or_not(conn, true);
}
