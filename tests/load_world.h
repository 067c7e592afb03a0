/* A load, and a server on the same loop that answers it as the test says. For the tests of
 * load*.c: included by one test file each. */
#ifndef HOTLEAD_TESTS_LOAD_WORLD_H
#define HOTLEAD_TESTS_LOAD_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "bench/load.h"
#include "proto/must.h"
#include "tests/unit.h"

#define NS_A_MS     1000000ull
#define ANSWERS_MAX 4096
#define TEST_MS_MAX 10000

/* --- faults -------------------------------------------------------------------------- */

static unsigned send_calls, send_short_at; /* this call of send takes half, the next nothing */

/* Stands before libc's. */
ssize_t send(int socket, const void *bytes, size_t length, int flags)
{
    send_calls++;
    if (send_short_at > 0 && send_calls == send_short_at)
        length /= 2;
    if (send_short_at > 0 && send_calls == send_short_at + 1) {
        errno = EAGAIN;
        return -1;
    }
    return sendto(socket, bytes, length, flags, NULL, 0);
}

/* --- a server on the same loop ------------------------------------------------------- */

/* How it answers; set by the test, and maybe changed on the way. */
static struct {
    const char *answer;     /* NULL: not at all */
    const char *early;      /* when half a request is there */
    size_t at_once;         /* bytes of it a turn of the loop; 0: all */
    bool hangs_up;          /* behind the answer, or instead of it */
    unsigned stall_at;      /* from this request on nothing is answered for STALL_MS; 0: never */
    unsigned requests;      /* that came */
    unsigned connections;   /* that came */
    unsigned without_close; /* requests that did not ask for the end of their connection */
} served;
#define STALL_MS 300

struct guest {
    uv_tcp_t tcp; /* first */
    uv_prepare_t drip;
    unsigned handles;
    char request[PEOPLE_REQUEST_BYTES_MAX + 1];
    size_t request_bytes;
    const char *answer; /* what is left of it */
    struct guest *next; /* who is stalled */
};

static uv_loop_t loop;
static uv_tcp_t listener;
static uv_timer_t stall, guard;
static struct guest *stalled;
static struct target_site site = {"sk_acme_one", "pk_acme_one"};
static struct target target = {
    .kind = TARGET_HOTLEAD, .host = "127.0.0.1", .sites = &site, .site_count = 1};

static inline void on_guest_closed(uv_handle_t *handle)
{
    struct guest *guest = handle->data;

    if (--guest->handles == 0)
        free(guest);
}

static inline void leave(struct guest *guest)
{
    struct guest **place = &stalled;

    if (uv_is_closing((uv_handle_t *)&guest->tcp))
        return;
    while (*place && *place != guest)
        place = &(*place)->next;
    if (*place)
        *place = guest->next;
    uv_close((uv_handle_t *)&guest->tcp, on_guest_closed);
    uv_close((uv_handle_t *)&guest->drip, on_guest_closed);
}

static inline void on_drip(uv_prepare_t *drip)
{
    struct guest *guest = drip->data;
    size_t left = strlen(guest->answer);
    size_t count = served.at_once > 0 && served.at_once < left ? served.at_once : left;
    uv_buf_t bytes = uv_buf_init((char *)guest->answer, (unsigned)count);

    if (left == 0)
        uv_prepare_stop(drip);
    if (left == 0 && served.hangs_up) {
        leave(guest);
    } else if (left > 0) {
        int written = uv_try_write((uv_stream_t *)&guest->tcp, &bytes, 1);
        if (written > 0)
            guest->answer += written;
    }
}

static inline void answer(struct guest *guest)
{
    if (served.answer) {
        guest->answer = served.answer;
        uv_prepare_start(&guest->drip, on_drip);
    } else if (served.hangs_up) {
        leave(guest);
    }
}

static inline void on_stall_over(uv_timer_t *timer)
{
    (void)timer;
    served.stall_at = 0;
    while (stalled) {
        struct guest *guest = stalled;
        stalled = guest->next;
        answer(guest);
    }
}

static inline void on_request(struct guest *guest)
{
    served.requests++;
    served.without_close += strstr(guest->request, "Connection: close") == NULL;
    guest->request_bytes = 0;
    if (served.stall_at == 0 || served.requests < served.stall_at) {
        answer(guest);
        return;
    }
    if (served.requests == served.stall_at)
        uv_timer_start(&stall, on_stall_over, STALL_MS, 0);
    guest->next = stalled;
    stalled = guest;
}

static inline void on_guest_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct guest *guest = handle->data;

    (void)wanted;
    *out = uv_buf_init(guest->request + guest->request_bytes,
                       (unsigned)(PEOPLE_REQUEST_BYTES_MAX - guest->request_bytes));
}

static inline void on_guest_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *input)
{
    struct guest *guest = stream->data;

    (void)input;
    if (length < 0) {
        leave(guest);
        return;
    }
    guest->request_bytes += (size_t)length;
    guest->request[guest->request_bytes] = '\0';
    const char *body = strstr(guest->request, "\r\n\r\n");
    const char *field = strstr(guest->request, "Content-Length: ");
    if (body && field &&
        guest->request_bytes == (size_t)(body + 4 - guest->request) + strtoul(field + 16, NULL, 10))
        on_request(guest);
    else if (served.early) {
        guest->answer = served.early;
        uv_prepare_start(&guest->drip, on_drip);
    }
}

static inline void on_guest(uv_stream_t *stream, int status)
{
    struct guest *guest = calloc(1, sizeof *guest);

    MUST(status == 0 && guest != NULL);
    served.connections++;
    MUST(uv_tcp_init(&loop, &guest->tcp) == 0 && uv_prepare_init(&loop, &guest->drip) == 0);
    guest->handles = 2;
    guest->tcp.data = guest->drip.data = guest;
    MUST(uv_accept(stream, (uv_stream_t *)&guest->tcp) == 0);
    uv_tcp_nodelay(&guest->tcp, 1);
    uv_read_start((uv_stream_t *)&guest->tcp, on_guest_buffer, on_guest_read);
}

/* --- a run ---------------------------------------------------------------------------- */

struct seen {
    struct load_answer answer;
    char body[64];
    size_t body_bytes;
};

static struct seen seen[ANSWERS_MAX];
static unsigned answers;
static struct load *load;
static struct load_counts counts;
static struct people *people;
static unsigned given_up_at; /* with this answer; 0: not */

static inline void close_walked(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (handle->type == UV_TCP && handle != (uv_handle_t *)&listener)
        leave(handle->data);
    else if (!uv_is_closing(handle) && handle->type != UV_PREPARE)
        uv_close(handle, NULL);
}

static inline void close_all(void)
{
    load_close(load);
    load = NULL;
    uv_walk(&loop, close_walked, NULL);
}

static inline void on_answer(void *owner, const struct load_answer *told)
{
    struct seen *one = &seen[answers];

    (void)owner;
    MUST(answers < ANSWERS_MAX);
    answers++;
    one->answer = *told;
    one->body_bytes = told->body.length;
    snprintf(one->body, sizeof one->body, "%.*s", (int)told->body.length,
             told->body.length ? told->body.bytes : "");
    if (answers == given_up_at)
        close_all();
}

static inline void on_done(void *owner)
{
    (void)owner;
    load_count(load, &counts);
    close_all();
}

static inline void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "the run does not end\n");
    abort();
}

static inline int begin(void **state)
{
    struct sockaddr_in address;
    int length = sizeof address;

    (void)state;
    memset(&served, 0, sizeof served);
    served.answer = "HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{\"id\":\"opt_1\"}";
    answers = given_up_at = 0;
    send_calls = send_short_at = 0;
    stalled = NULL;
    MUST(uv_loop_init(&loop) == 0);
    MUST(uv_timer_init(&loop, &stall) == 0 && uv_timer_init(&loop, &guard) == 0);
    MUST(uv_tcp_init(&loop, &listener) == 0);
    MUST(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    MUST(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) == 0);
    MUST(uv_listen((uv_stream_t *)&listener, 128, on_guest) == 0);
    MUST(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length) == 0);
    target.port = ntohs(address.sin_port);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    people_close(people);
    return uv_loop_close(&loop);
}

static inline void open_load(struct load_options options, struct people_options who)
{
    who.target = &target;
    people = people_open(&who);
    options.loop = &loop;
    options.target = &target;
    options.people = people;
    options.on_answer = on_answer;
    options.on_done = on_done;
    if (options.timeout_ms == 0)
        options.timeout_ms = 5000;
    assert_status(load_open(&options, &load), STATUS_OK);
    load_start(load);
    uv_timer_start(&guard, on_guard, TEST_MS_MAX, 0);
}

/* To its end. */
static inline void run(struct load_options options)
{
    open_load(options, (struct people_options){.json = 1});
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(counts.sent, counts.answered + counts.failed);
    assert_int_equal(counts.in_flight, 0);
    assert_int_equal(answers, counts.sent);
}

/* A closed loop over one connection. */
static inline void send_some(unsigned count)
{
    run((struct load_options){.connections = 1, .requests_max = count});
    assert_int_equal(answers, count);
}

static inline void all_are(int status, const char *body)
{
    for (unsigned i = 0; i < answers; i++) {
        assert_null(seen[i].answer.error);
        assert_int_equal(seen[i].answer.status, status);
        assert_string_equal(seen[i].body, body);
    }
}

static inline void all_failed(const char *error)
{
    for (unsigned i = 0; i < answers; i++) {
        assert_int_equal(seen[i].answer.status, 0);
        assert_non_null(seen[i].answer.error);
        assert_string_equal(seen[i].answer.error, error);
    }
}

#endif
