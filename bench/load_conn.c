/* A connection of the sender: a plain socket, written to and read from where epoll says so. A
 * request takes one send and one recv.
 *
 * Readiness is told once for each change (EPOLLET), so nothing has to be armed or disarmed from
 * one request to the next. That asks for care in one place: the end of a stream may be told
 * together with its last bytes, and is then not told again; so EPOLLRDHUP means to read on. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load_internal.h"
#include "proto/must.h"

#define BACK_OFF_FIRST_MS 10
#define BACK_OFF_MAX_MS   100
#define LEAVE_MS          100
#define NS_A_MS           1000000ull

static const char *error_name(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "refused";
    case ECONNRESET:
    case EPIPE:
        return "reset";
    case ETIMEDOUT:
        return "time-out";
    case EADDRNOTAVAIL:
        return "no port";
    case EMFILE:
    case ENFILE:
        return "no descriptor";
    default:
        return "unreachable";
    }
}

static void enter(struct conn *conn, enum conn_state state, uint64_t now_ns)
{
    conn->state = state;
    conn->since_ns = now_ns;
}

/* --- answers ------------------------------------------------------------------------- */

static const struct slice replayed_name = {"idempotent-replayed", 19};

static int on_header_field(llhttp_t *parser, const char *bytes, size_t length)
{
    struct conn *conn = parser->data;
    size_t left = replayed_name.length - conn->name_matched;

    /* Too long is as wrong as another letter, and stays wrong. */
    if (conn->name_matched > replayed_name.length || length > left ||
        strncasecmp(replayed_name.bytes + conn->name_matched, bytes, length) != 0)
        conn->name_matched = replayed_name.length + 1;
    else
        conn->name_matched += length;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *bytes, size_t length)
{
    struct conn *conn = parser->data;

    if (conn->name_matched == replayed_name.length && length > 0 && (bytes[0] | 0x20) == 't')
        conn->answer.replayed = true;
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct conn *conn = parser->data;

    conn->name_matched = 0;
    return 0;
}

/* What is in the input buffer is gone with the next read. */
static void keep_body(struct conn *conn)
{
    struct slice *body = &conn->answer.body;

    if (body->length == 0 || body->bytes == conn->kept)
        return;
    memcpy(conn->kept, body->bytes, body->length);
    body->bytes = conn->kept;
}

static int on_body(llhttp_t *parser, const char *bytes, size_t length)
{
    struct conn *conn = parser->data;
    struct slice *body = &conn->answer.body;
    size_t room = LOAD_BODY_BYTES_MAX - body->length;

    if (length > room)
        length = room;
    if (body->length == 0) {
        *body = (struct slice){bytes, length};
        return 0;
    }
    keep_body(conn);
    memcpy(conn->kept + body->length, bytes, length);
    body->length += length;
    return 0;
}

/* Stands still, so that bytes behind the answer are not taken for the next one. 1xx comes before
 * an answer and is none. */
static int on_message_complete(llhttp_t *parser)
{
    struct conn *conn = parser->data;

    if (parser->status_code < 200)
        return HPE_OK;
    conn->answer.status = parser->status_code;
    conn->keep_alive = llhttp_should_keep_alive(parser);
    conn->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the ends of a request ----------------------------------------------------------- */

void conn_drop(struct conn *conn)
{
    struct load *load = conn->load;

    if (conn->fd >= 0)
        close(conn->fd);
    if (conn->state >= CONN_FREE)
        load->open--;
    conn->fd = -1;
    conn->generation++; /* what epoll still has to say is about the old one */
    conn->carries = false;
    load_unlist(load, conn);
    conn->state = CONN_CLOSED;
}

static void begin_again(struct conn *conn)
{
    if (conn->load->options.new_connections)
        load_list_free(conn->load, conn);
    else
        conn_connect(conn);
}

/* Is of use again: at once where it was of use, for a server may end a connection whenever it
 * likes; else after a while, or a server that is down would be hammered. */
static void come_back(struct conn *conn, uint64_t now_ns)
{
    const struct load *load = conn->load;

    if (load->closing || load->done_ns > 0 || conn->state != CONN_CLOSED)
        return;
    conn->since_ns = now_ns;
    if (conn->useful) {
        begin_again(conn);
        return;
    }
    uint64_t wait_ms = BACK_OFF_FIRST_MS << conn->refusals;
    if (wait_ms < BACK_OFF_MAX_MS)
        conn->refusals++;
    else
        wait_ms = BACK_OFF_MAX_MS;
    conn->retry_ns = now_ns + wait_ms * NS_A_MS;
}

/* The connection is of no use any more. What it carries has failed and is not sent again: nobody
 * knows whether it arrived. */
static void give_up(struct conn *conn, const char *error)
{
    struct load *load = conn->load;
    struct load_answer answer = conn->answer;
    bool carried = conn->carries, was_connecting = conn->state == CONN_CONNECTING;
    uint64_t now_ns = uv_hrtime();

    conn_drop(conn);
    if (was_connecting)
        load_tried(load, conn, error);
    if (carried) {
        answer.status = 0;
        answer.error = error;
        answer.body = (struct slice){NULL, 0};
        answer.answered_ns = now_ns;
        load_answered(load, &answer);
    }
    come_back(conn, now_ns);
}

/* Whoever closes first has to hold the port for a while (TIME_WAIT). That is the server, which was
 * asked to; a client that went first would soon have used up its own ports, and would measure
 * that. So a connection that is done stays until the end of the stream, though not for ever. */
static void answered(struct conn *conn, bool more_bytes)
{
    struct load *load = conn->load;
    struct load_answer *answer = &conn->answer;

    answer->answered_ns = uv_hrtime();
    conn->carries = false;
    conn->useful = true;
    conn->refusals = 0;
    if (more_bytes || conn->unsent) {
        conn_drop(conn); /* it says more than it was asked for, or sooner */
        come_back(conn, answer->answered_ns);
    } else if (!conn->keep_alive || load->options.new_connections) {
        enter(conn, CONN_LEAVING, answer->answered_ns);
    } else {
        enter(conn, CONN_FREE, answer->answered_ns);
        load_list_free(load, conn);
    }
    load_answered(load, answer);
}

/* --- connecting and writing ---------------------------------------------------------- */

/* Not the whole of it is sent only where the server does not read. Then the rest is sent when it
 * does, from the same request made once more: it is always the same. */
static void write_request(struct conn *conn)
{
    struct load *load = conn->load;
    struct people_request request;
    ssize_t count = 0;

    people_request(load->options.people, conn->answer.n, !load->options.new_connections, &request);
    conn->answer.key = request.key;
    conn->answer.what = request.what;
    do {
        count = send(conn->fd, request.bytes + conn->written, request.length - conn->written,
                     MSG_NOSIGNAL);
        if (count > 0)
            conn->written += (size_t)count;
    } while (count > 0 && conn->written < request.length);
    conn->unsent = conn->written < request.length;
    if (count < 0 && errno != EAGAIN)
        give_up(conn, error_name(errno));
}

static void begin_request(struct conn *conn, uint64_t now_ns)
{
    enter(conn, CONN_BUSY, now_ns);
    conn->written = 0;
    conn->name_matched = 0;
    conn->complete = false;
    write_request(conn);
}

static bool watch(struct conn *conn)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = (uint64_t)conn->generation << 32 | conn->index,
    };

    return epoll_ctl(conn->load->epoll, EPOLL_CTL_ADD, conn->fd, &event) == 0;
}

void conn_connect(struct conn *conn)
{
    struct load *load = conn->load;
    bool v6 = load->address.any.sa_family == AF_INET6;
    int one = 1;

    enter(conn, CONN_CONNECTING, uv_hrtime());
    conn->useful = false;
    llhttp_init(&conn->parser, HTTP_RESPONSE, &settings);
    conn->parser.data = conn;
    conn->fd = socket(load->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        give_up(conn, error_name(errno));
        return;
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int result = connect(conn->fd, &load->address.any,
                         v6 ? sizeof load->address.v6 : sizeof load->address.v4);
    if ((result != 0 && errno != EINPROGRESS) || !watch(conn))
        give_up(conn, error_name(errno));
}

static void on_connected(struct conn *conn)
{
    struct load *load = conn->load;
    int error = 0;
    socklen_t length = sizeof error;

    MUST(getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
    if (error != 0) {
        give_up(conn, error_name(error));
        return;
    }
    load->open++;
    load->connects++;
    enter(conn, CONN_FREE, uv_hrtime());
    load_tried(load, conn, NULL);
    if (conn->carries)
        begin_request(conn, conn->since_ns);
    else
        load_list_free(load, conn);
}

void conn_take(struct conn *conn, const struct load_answer *next)
{
    load_unlist(conn->load, conn);
    conn->answer = *next;
    conn->carries = true;
    if (conn->state == CONN_FREE)
        begin_request(conn, next->sent_ns);
    else
        conn_connect(conn);
}

/* --- reading ------------------------------------------------------------------------- */

static void take_bytes(struct conn *conn, size_t length)
{
    const char *input = conn->load->input;

    if (!conn->carries) {
        give_up(conn, "not HTTP"); /* nothing was asked */
        return;
    }
    llhttp_errno_t error = llhttp_execute(&conn->parser, input, length);
    if (error == HPE_PAUSED && conn->complete) {
        bool more_bytes = llhttp_get_error_pos(&conn->parser) < input + length;
        llhttp_resume(&conn->parser);
        answered(conn, more_bytes);
    } else if (error != HPE_OK) {
        give_up(conn, "not HTTP");
    } else {
        keep_body(conn);
    }
}

/* Some answers end with their connection. */
static void take_end(struct conn *conn)
{
    if (conn->state == CONN_LEAVING || !conn->carries) {
        conn_drop(conn);
        come_back(conn, uv_hrtime());
        return;
    }
    llhttp_finish(&conn->parser);
    if (conn->complete) {
        conn->keep_alive = false;
        answered(conn, true);
    } else {
        give_up(conn, "closed");
    }
}

/* True: there may be more. */
static bool read_once(struct conn *conn, unsigned events)
{
    ssize_t count = recv(conn->fd, conn->load->input, LOAD_INPUT_BYTES, 0);

    if (count > 0)
        take_bytes(conn, (size_t)count);
    else if (count == 0)
        take_end(conn);
    else if (errno == EAGAIN)
        return false;
    else
        give_up(conn, error_name(errno));
    return count == LOAD_INPUT_BYTES || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* Reads before it writes: who has an answer already does not want the rest of the request. */
void conn_ready(struct conn *conn, unsigned events)
{
    uint32_t generation = conn->generation;

    if (conn->state == CONN_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        on_connected(conn);
    bool readable = events & ~(unsigned)EPOLLOUT;
    while (readable && conn->generation == generation)
        readable = read_once(conn, events);
    if (conn->generation == generation && conn->state == CONN_BUSY && conn->unsent)
        write_request(conn);
}

/* --- time ---------------------------------------------------------------------------- */

void conn_tick(struct conn *conn, uint64_t now_ns)
{
    uint64_t timeout_ns = conn->load->options.timeout_ms * NS_A_MS;

    switch (conn->state) {
    case CONN_CLOSED:
        if (!conn->listed && now_ns >= conn->retry_ns)
            begin_again(conn);
        break;
    case CONN_CONNECTING:
    case CONN_BUSY:
        if (now_ns - (conn->carries ? conn->answer.sent_ns : conn->since_ns) >= timeout_ns)
            give_up(conn, "time-out");
        break;
    case CONN_LEAVING:
        if (now_ns - conn->since_ns >= LEAVE_MS * NS_A_MS) {
            conn_drop(conn);
            come_back(conn, now_ns);
        }
        break;
    case CONN_FREE:
        break;
    }
}

void conn_init(struct conn *conn, struct load *load, uint32_t index)
{
    conn->load = load;
    conn->fd = -1;
    conn->index = index;
    conn->kept = load->bodies + (size_t)index * LOAD_BODY_BYTES_MAX;
}
