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

static void on_guest_closed(uv_handle_t *handle)
{
    struct guest *guest = handle->data;

    if (--guest->handles == 0)
        free(guest);
}

static void leave(struct guest *guest)
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

static void on_drip(uv_prepare_t *drip)
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

static void answer(struct guest *guest)
{
    if (served.answer) {
        guest->answer = served.answer;
        uv_prepare_start(&guest->drip, on_drip);
    } else if (served.hangs_up) {
        leave(guest);
    }
}

static void on_stall_over(uv_timer_t *timer)
{
    (void)timer;
    served.stall_at = 0;
    while (stalled) {
        struct guest *guest = stalled;
        stalled = guest->next;
        answer(guest);
    }
}

static void on_request(struct guest *guest)
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

static void on_guest_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct guest *guest = handle->data;

    (void)wanted;
    *out = uv_buf_init(guest->request + guest->request_bytes,
                       (unsigned)(PEOPLE_REQUEST_BYTES_MAX - guest->request_bytes));
}

static void on_guest_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *input)
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

static void on_guest(uv_stream_t *stream, int status)
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

static void close_walked(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (handle->type == UV_TCP && handle != (uv_handle_t *)&listener)
        leave(handle->data);
    else if (!uv_is_closing(handle) && handle->type != UV_PREPARE)
        uv_close(handle, NULL);
}

static void close_all(void)
{
    load_close(load);
    load = NULL;
    uv_walk(&loop, close_walked, NULL);
}

static void on_answer(void *owner, const struct load_answer *told)
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

static void on_done(void *owner)
{
    (void)owner;
    load_count(load, &counts);
    close_all();
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "the run does not end\n");
    abort();
}

static int begin(void **state)
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

static int end(void **state)
{
    (void)state;
    people_close(people);
    return uv_loop_close(&loop);
}

static void open_load(struct load_options options, struct people_options who)
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
static void run(struct load_options options)
{
    open_load(options, (struct people_options){.json = 1});
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(counts.sent, counts.answered + counts.failed);
    assert_int_equal(counts.in_flight, 0);
    assert_int_equal(answers, counts.sent);
}

/* A closed loop over one connection. */
static void send_some(unsigned count)
{
    run((struct load_options){.connections = 1, .requests_max = count});
    assert_int_equal(answers, count);
}

static void all_are(int status, const char *body)
{
    for (unsigned i = 0; i < answers; i++) {
        assert_null(seen[i].answer.error);
        assert_int_equal(seen[i].answer.status, status);
        assert_string_equal(seen[i].body, body);
    }
}

static void all_failed(const char *error)
{
    for (unsigned i = 0; i < answers; i++) {
        assert_int_equal(seen[i].answer.status, 0);
        assert_non_null(seen[i].answer.error);
        assert_string_equal(seen[i].answer.error, error);
    }
}

/* --- answers ------------------------------------------------------------------------- */

static void a_whole_answer_is_told(void **state)
{
    (void)state;
    send_some(3);
    all_are(201, "{\"id\":\"opt_1\"}");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(seen[i].answer.n, i);
        assert_int_equal(seen[i].answer.key, i);
        assert_int_equal(seen[i].answer.what, PEOPLE_NEW);
        assert_false(seen[i].answer.replayed);
        assert_true(seen[i].answer.sent_ns >= seen[i].answer.intended_ns);
        assert_true(seen[i].answer.answered_ns > seen[i].answer.sent_ns);
    }
    assert_int_equal(served.connections, 1);
    assert_int_equal(served.without_close, 3);
}

static void an_answer_that_comes_byte_by_byte_is_the_same(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nIdempotent-Replayed: true\r\n"
                    "Idempotent-Replay: no\r\n\r\n{\"id\":\"opt_1\"}";
    served.at_once = 1;
    send_some(2);
    all_are(200, "{\"id\":\"opt_1\"}");
    assert_true(seen[0].answer.replayed && seen[1].answer.replayed);
}

static void a_replay_is_known_by_its_header_and_by_no_other(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 200 OK\r\nIdempotent-Replayed-Not: true\r\nNot-Idempotent-Replayed: "
                    "true\r\nIdempotent: true\r\nIdempotent-Replayed: false\r\n"
                    "Content-Length: 0\r\n\r\n";
    send_some(1);
    all_are(200, "");
    assert_false(seen[0].answer.replayed);
}

static void chunks_make_one_body(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\n{\"id\"\r\n9;x=y\r\n:\"opt_1\"}\r\n0\r\n\r\n";
    send_some(2);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(served.connections, 1);
}

static void chunks_that_come_byte_by_byte_make_one_body(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\n{\"id\"\r\n9;x=y\r\n:\"opt_1\"}\r\n0\r\n\r\n";
    served.at_once = 1;
    send_some(2);
    all_are(201, "{\"id\":\"opt_1\"}");
}

static void an_answer_may_end_with_its_connection(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 201 Created\r\n\r\n{\"id\":\"opt_1\"}";
    served.hangs_up = true;
    send_some(3);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(counts.connects, 3);
}

static void after_connection_close_the_next_goes_over_a_new_one(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    served.hangs_up = true;
    send_some(5);
    all_are(204, "");
    assert_int_equal(counts.connects, 5);
    assert_int_equal(served.requests, 5);
}

static void early_hints_are_no_answer(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                    "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
    send_some(2);
    all_are(201, "{}");
}

static void of_a_long_body_the_beginning_is_told(void **state)
{
    static char long_answer[LOAD_BODY_BYTES_MAX * 3];
    int head = snprintf(long_answer, sizeof long_answer,
                        "HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n", LOAD_BODY_BYTES_MAX * 2);

    (void)state;
    memset(long_answer + head, 'x', LOAD_BODY_BYTES_MAX * 2);
    served.answer = long_answer;
    served.at_once = 1000;
    send_some(2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(seen[i].answer.status, 500);
        assert_int_equal(seen[i].body_bytes, LOAD_BODY_BYTES_MAX);
    }
    assert_int_equal(served.connections, 1);
}

static void what_is_left_of_a_request_is_sent_when_there_is_room(void **state)
{
    (void)state;
    send_short_at = 2;
    served.early = "HTTP/1.1 103 Early Hints\r\n\r\n";
    send_some(3);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(served.requests, 3);
    assert_int_equal(send_calls, 5);
    assert_int_equal(served.connections, 1);
}

/* The rest of the request would be taken for the next one. */
static void an_answer_to_half_a_request_ends_the_connection(void **state)
{
    (void)state;
    send_short_at = 2;
    served.early = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    send_some(3);
    assert_int_equal(seen[1].answer.status, 413);
    assert_int_equal(seen[2].answer.status, 201);
    assert_int_equal(served.connections, 2);
    assert_int_equal(served.requests, 2);
}

/* --- no answers ---------------------------------------------------------------------- */

/* Who says more than he was asked for cannot be trusted with the next request. */
static void bytes_behind_an_answer_end_the_connection(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    send_some(2);
    all_are(204, "");
    assert_int_equal(counts.connects, 2);
}

static void what_is_not_http_fails_the_request(void **state)
{
    (void)state;
    served.answer = "-ERR unknown command 'POST'\r\n";
    send_some(2);
    all_failed("not HTTP");
}

static void a_request_whose_connection_ends_has_failed_and_is_not_sent_again(void **state)
{
    (void)state;
    served.answer = NULL;
    served.hangs_up = true;
    send_some(3);
    all_failed("closed");
    assert_int_equal(served.requests, 3);
}

static void half_an_answer_is_none(void **state)
{
    (void)state;
    served.answer = "HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{\"id\":";
    served.hangs_up = true;
    send_some(1);
    all_failed("closed");
}

static void a_request_without_an_answer_is_given_up_in_time(void **state)
{
    (void)state;
    served.answer = NULL;
    run((struct load_options){.connections = 2, .requests_max = 4, .timeout_ms = 50});
    assert_int_equal(answers, 4);
    all_failed("time-out");
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(seen[i].answer.answered_ns - seen[i].answer.sent_ns, 50 * NS_A_MS,
                        1000 * NS_A_MS);
    assert_int_equal(served.requests, 4);
}

static void close_listener(void)
{
    uv_close((uv_handle_t *)&listener, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void where_nobody_listens_moments_are_refused_after_the_time_of_an_answer(void **state)
{
    struct schedule schedule;

    (void)state;
    close_listener();
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    run((struct load_options){
        .connections = 4, .schedule = &schedule, .duration_ns = 100 * NS_A_MS, .timeout_ms = 50});
    assert_int_equal(answers, 100);
    all_failed("refused");
    assert_true(seen[0].answer.answered_ns - seen[0].answer.intended_ns >= 50 * NS_A_MS);
}

static void where_nobody_listens_a_closed_loop_ends(void **state)
{
    (void)state;
    close_listener();
    send_some(3);
    all_failed("refused");
}

static void where_nobody_listens_new_connections_are_refused(void **state)
{
    (void)state;
    close_listener();
    run((struct load_options){.connections = 2, .requests_max = 5, .new_connections = true});
    assert_int_equal(answers, 5);
    all_failed("refused");
}

static void a_host_has_to_be_an_address(void **state)
{
    struct target named = {.kind = TARGET_HOTLEAD, .host = "localhost", .port = 1};
    const struct load_options options = {
        .loop = &loop, .target = &named, .connections = 1, .timeout_ms = 1};

    (void)state;
    people = NULL;
    assert_status(load_open(&options, &load), STATUS_INVALID);
    uv_walk(&loop, close_walked, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- the plan ------------------------------------------------------------------------ */

static void moments_are_kept(void **state)
{
    struct schedule schedule;
    uint64_t begun_ns = 0;

    (void)state;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    run((struct load_options){
        .connections = 4, .schedule = &schedule, .duration_ns = 200 * NS_A_MS, .first = 70});
    assert_int_equal(answers, 200);
    assert_int_equal(counts.intended, 200);
    assert_int_equal(counts.waiting, 0);
    for (unsigned i = 0; i < 200; i++)
        if (seen[i].answer.n == 70)
            begun_ns = seen[i].answer.intended_ns;
    for (unsigned i = 0; i < 200; i++) {
        const struct load_answer *one = &seen[i].answer;
        assert_int_equal(one->intended_ns - begun_ns, (one->n - 70) * NS_A_MS);
        assert_true(one->sent_ns >= one->intended_ns);
    }
    assert_in_range(counts.elapsed_ns, 199 * NS_A_MS, 2000 * NS_A_MS);
    assert_in_range(counts.busy_ns, 1, counts.elapsed_ns);
}

/* What a closed loop, and a load tester that waits for answers, would not see. */
static void a_stall_is_charged_to_all_whose_moments_it_took(void **state)
{
    struct schedule schedule;
    unsigned corrected = 0, raw = 0;

    (void)state;
    served.stall_at = 50;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    run((struct load_options){
        .connections = 4, .schedule = &schedule, .duration_ns = 500 * NS_A_MS});
    assert_int_equal(answers, 500);
    all_are(201, "{\"id\":\"opt_1\"}");
    for (unsigned i = 0; i < answers; i++) {
        corrected += seen[i].answer.answered_ns - seen[i].answer.intended_ns > 100 * NS_A_MS;
        raw += seen[i].answer.answered_ns - seen[i].answer.sent_ns > 100 * NS_A_MS;
    }
    /* Planned in the first 200 ms of the stall, and those that catching up takes. */
    assert_in_range(corrected, 195, 400);
    assert_int_equal(raw, 4); /* one on each connection */
}

static void moments_wait_while_there_is_no_connection(void **state)
{
    struct schedule schedule;
    struct load_counts now = {0};

    (void)state;
    served.answer = NULL;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    open_load((struct load_options){.connections = 2, .schedule = &schedule, .requests_max = 20},
              (struct people_options){.json = 1});
    while (now.intended < 20) {
        uv_run(&loop, UV_RUN_NOWAIT);
        load_count(load, &now);
    }
    assert_int_equal(now.sent, 2);
    assert_int_equal(now.in_flight, 2);
    assert_int_equal(now.waiting, 18);
    close_all();
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void a_run_can_be_given_up_by_who_gets_an_answer(void **state)
{
    (void)state;
    given_up_at = 5;
    open_load((struct load_options){.connections = 4}, (struct people_options){.json = 1});
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 5);
}

static void stop_soon(uv_timer_t *timer)
{
    (void)timer;
    load_stop(load);
}

static void a_stop_sends_no_more_and_waits_for_what_was_sent(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_init(&schedule, SCHEDULE_POISSON, 500, 1);
    uv_timer_start(&stall, stop_soon, 100, 0);
    run((struct load_options){.connections = 4, .schedule = &schedule});
    assert_true(answers > 0);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(counts.sent, answers); /* who still waited for a connection is not sent */
    assert_true(counts.intended < 100);
}

static void a_new_connection_for_each_request(void **state)
{
    (void)state;
    served.hangs_up = true;
    run((struct load_options){.connections = 3, .requests_max = 50, .new_connections = true});
    assert_int_equal(answers, 50);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(counts.connects, 50);
    assert_int_equal(served.connections, 50);
    assert_int_equal(served.without_close, 0);
}

/* A server that does not end the connection though it was asked to. */
static void a_new_connection_is_left_though_the_server_keeps_it(void **state)
{
    (void)state;
    run((struct load_options){.connections = 1, .requests_max = 2, .new_connections = true});
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(served.connections, 2);
}

static void duplicates_and_returning_people_are_told_apart(void **state)
{
    unsigned what[3] = {0};

    (void)state;
    open_load((struct load_options){.connections = 4, .requests_max = 400},
              (struct people_options){.json = 1, .returning = 0.3, .duplicates = 0.2});
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 400);
    for (unsigned i = 0; i < answers; i++) {
        what[seen[i].answer.what]++;
        assert_true(seen[i].answer.what == PEOPLE_NEW ? seen[i].answer.key == seen[i].answer.n
                                                      : seen[i].answer.key < seen[i].answer.n);
    }
    assert_in_range(what[PEOPLE_RETURNING], 90, 150);
    assert_in_range(what[PEOPLE_DUPLICATE], 50, 110);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_answer_is_told),
        TEST(an_answer_that_comes_byte_by_byte_is_the_same),
        TEST(a_replay_is_known_by_its_header_and_by_no_other),
        TEST(chunks_make_one_body),
        TEST(chunks_that_come_byte_by_byte_make_one_body),
        TEST(an_answer_may_end_with_its_connection),
        TEST(after_connection_close_the_next_goes_over_a_new_one),
        TEST(early_hints_are_no_answer),
        TEST(of_a_long_body_the_beginning_is_told),
        TEST(what_is_left_of_a_request_is_sent_when_there_is_room),
        TEST(an_answer_to_half_a_request_ends_the_connection),
        TEST(bytes_behind_an_answer_end_the_connection),
        TEST(what_is_not_http_fails_the_request),
        TEST(a_request_whose_connection_ends_has_failed_and_is_not_sent_again),
        TEST(half_an_answer_is_none),
        TEST(a_request_without_an_answer_is_given_up_in_time),
        TEST(where_nobody_listens_moments_are_refused_after_the_time_of_an_answer),
        TEST(where_nobody_listens_a_closed_loop_ends),
        TEST(where_nobody_listens_new_connections_are_refused),
        TEST(a_host_has_to_be_an_address),
        TEST(moments_are_kept),
        TEST(a_stall_is_charged_to_all_whose_moments_it_took),
        TEST(moments_wait_while_there_is_no_connection),
        TEST(a_run_can_be_given_up_by_who_gets_an_answer),
        TEST(a_stop_sends_no_more_and_waits_for_what_was_sent),
        TEST(a_new_connection_for_each_request),
        TEST(a_new_connection_is_left_though_the_server_keeps_it),
        TEST(duplicates_and_returning_people_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
