/* bench/load.c: what is taken for an answer, and what becomes of a request without one. */
#include "tests/load_world.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
