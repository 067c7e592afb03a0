/* Peers that are slow, that do not read, that leave, and that do not stop. */
#include "server/http_internal.h"
#include "tests/http/pair.h"

/* --- time-outs --- */

static void a_slow_head_is_answered_408(void **state)
{
    struct pair pair = pair_open((struct http_options){.header_timeout_ms = 60});
    uint64_t begin_ms = harness_now_ms();
    (void)state;

    /* A byte now and then does not help. */
    const char *request = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t i = 0; request[i] != '\0' && !pair.client.ended; i++) {
        client_send(&pair.client, pair.server, request + i, 1);
        uv_sleep(5);
    }
    client_await_end(&pair.client, pair.server);
    assert_true(harness_now_ms() - begin_ms >= 60);
    assert_int_equal(client_answer(&pair.client, 0).status, 408);
    assert_int_equal(stats_count(pair.server->stats, STATS_HTTP_TIMEOUTS), 1);
    pair_close(&pair);
}

static void a_slow_body_is_answered_408(void **state)
{
    struct pair pair = pair_open((struct http_options){.body_timeout_ms = 40});
    (void)state;

    say(&pair, POST("/a") "Content-Length: 10\r\n\r\nhello");
    client_await_end(&pair.client, pair.server);
    assert_int_equal(client_answer(&pair.client, 0).status, 408);
    assert_int_equal(pair.server->requests, 0);
    pair_close(&pair);
}

static void an_idle_connection_is_closed_silently(void **state)
{
    struct pair pair = pair_open((struct http_options){.idle_timeout_ms = 40});
    struct client used;
    (void)state;

    client_open(&used, pair.server);
    client_say(&used, pair.server, GET("/"));
    client_await(&used, pair.server, 1);
    client_await_end(&pair.client, pair.server);
    client_await_end(&used, pair.server);
    assert_int_equal(pair.client.length, 0);
    assert_int_equal(answers_in(&used), 1);
    assert_false(pair.client.reset);
    assert_int_equal(stats_count(pair.server->stats, STATS_HTTP_TIMEOUTS), 0);
    client_close(&used);
    pair_close(&pair);
}

static void a_pending_request_has_no_timeout(void **state)
{
    struct pair pair = pair_open((struct http_options){
        .idle_timeout_ms = 20, .header_timeout_ms = 20, .body_timeout_ms = 20});
    uint64_t until_ms;
    (void)state;

    say(&pair, GET("/later"));
    for (until_ms = harness_now_ms() + 100; harness_now_ms() < until_ms;)
        server_turn(pair.server);
    server_answer_later(pair.server);
    client_await(&pair.client, pair.server, 1);
    assert_int_equal(client_answer(&pair.client, 0).status, 202);
    pair_close(&pair);
}

static void a_reader_that_does_not_read_is_cut(void **state)
{
    struct pair pair = pair_open((struct http_options){.write_timeout_ms = 60});
    uint64_t until_ms = harness_now_ms() + 10000;
    (void)state;

    for (int i = 0; i < 10; i++)
        client_push(&pair.client, GET("/big"), sizeof(GET("/big")) - 1);
    while (http_open_connections(pair.server->http) > 0) {
        assert_true(harness_now_ms() < until_ms);
        server_turn(pair.server);
    }
    assert_int_equal(stats_count(pair.server->stats, STATS_HTTP_TIMEOUTS), 1);
    pair_close(&pair);
}

/* --- slow readers --- */

static void a_slow_reader_holds_one_answer_not_all(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    const unsigned asked = 40;
    (void)state;

    for (unsigned i = 0; i < asked; i++)
        client_push(&pair.client, GET("/big"), sizeof(GET("/big")) - 1);
    server_turns(pair.server, 20);
    struct http_conn *conn = pair.server->http->lists[HTTP_WRITING].first;
    assert_non_null(conn);
    assert_false(conn->reading);
    assert_true(uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp) <=
                sizeof(pair.server->big) + HTTP_OUT_BYTES);
    assert_true(pair.server->requests < asked);

    client_await(&pair.client, pair.server, asked);
    assert_int_equal(answers_in(&pair.client), asked);
    assert_int_equal(pair.server->requests, asked);
    pair_close(&pair);
}

static void large_and_small_answers_keep_their_order(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, GET("/1") GET("/big") GET("/2") GET("/later") GET("/3") GET("/big") GET("/4"), 3);
    server_answer_later(pair.server);
    client_await(&pair.client, pair.server, 7);
    const char *bodies[] = {"GET /1 0", "xxxx", "GET /2 0", "", "GET /3 0", "xxxx", "GET /4 0"};
    for (unsigned i = 0; i < 7; i++) {
        struct answer answer = client_answer(&pair.client, i);
        assert_body_starts(&answer, bodies[i]);
    }
    pair_close(&pair);
}

/* --- tickets --- */

static void an_answer_to_a_peer_that_left_is_nothing(void **state)
{
    struct server *server = server_open((struct http_options){0});
    struct client left, next;
    (void)state;

    client_open(&left, server);
    client_say(&left, server, GET("/later"));
    uint64_t stale = server->ticket;
    assert_true(http_is_waiting(server->http, stale));
    reset_connection(&left);
    server_turns(server, 3);
    assert_false(http_is_waiting(server->http, stale));
    assert_int_equal(http_open_connections(server->http), 0);

    /* The next connection has the slot of the one that left, but not its ticket. */
    client_open(&next, server);
    client_say(&next, server, GET("/later"));
    assert_int_equal(server->ticket & 0xffffff, stale & 0xffffff);
    assert_int_not_equal(server->ticket, stale);
    http_reply(server->http, stale, &(struct http_reply){.status = 500});
    http_problem(server->http, stale, STATUS_INTERNAL, NULL, (struct slice){NULL, 0});
    server_turns(server, 2);
    client_pull(&next);
    assert_int_equal(next.length, 0);
    http_reply(server->http, server->ticket, &(struct http_reply){.status = 201});
    client_await(&next, server, 1);
    assert_int_equal(client_answer(&next, 0).status, 201);
    client_close(&next);
    server_close(server);
}

static void a_second_answer_is_nothing(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later"));
    uint64_t ticket = pair.server->ticket;
    http_reply(pair.server->http, ticket, &(struct http_reply){.status = 201});
    http_reply(pair.server->http, ticket, &(struct http_reply){.status = 202});
    ask(&pair, GET("/a"), 2);
    http_reply(pair.server->http, ticket, &(struct http_reply){.status = 202});
    server_turns(pair.server, 2);
    client_pull(&pair.client);
    assert_int_equal(answers_in(&pair.client), 2);
    assert_int_equal(client_answer(&pair.client, 0).status, 201);
    pair_close(&pair);
}

static void made_up_tickets_are_nobody(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    http_reply(pair.server->http, 0, &(struct http_reply){.status = 200});
    http_reply(pair.server->http, UINT64_MAX, &(struct http_reply){.status = 200});
    assert_false(http_is_waiting(pair.server->http, 1u << 24));
    ask(&pair, GET("/later") GET("/a"), 0);
    assert_true(pair.server->ticket >> 60 == 0);
    pair_close(&pair);
}

static void a_peer_that_closed_its_side_is_answered_but_does_not_wait(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later") GET("/a"));
    shutdown(pair.client.fd, SHUT_WR);
    server_turns(pair.server, 3);
    assert_false(http_is_waiting(pair.server->http, pair.server->ticket));
    server_answer_later(pair.server);
    client_await_end(&pair.client, pair.server);
    assert_int_equal(answers_in(&pair.client), 2);
    server_turns(pair.server, 2);
    assert_int_equal(http_open_connections(pair.server->http), 0);
    pair_close(&pair);
}

/* --- refused peers --- */

static void a_refused_peer_that_goes_on_sending_gets_its_answer(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    static char body[60 * 1024];
    (void)state;

    say(&pair, POST("/tiny") "Content-Length: 61440\r\n\r\n");
    client_send(&pair.client, pair.server, body, sizeof(body));
    client_await_end(&pair.client, pair.server);
    assert_false(pair.client.reset);
    assert_int_equal(client_answer(&pair.client, 0).status, 413);
    pair_close(&pair);
}

static void a_refused_peer_that_does_not_stop_is_cut(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    static char body[8 * 1024];
    size_t sent = 0;
    (void)state;

    say(&pair, POST("/tiny") "Content-Length: 1000000\r\n\r\n");
    while (http_open_connections(pair.server->http) > 0) {
        sent += client_push(&pair.client, body, sizeof(body));
        server_turn(pair.server);
        assert_true(sent < 4 * HTTP_LINGER_BYTES);
    }
    assert_true(sent >= HTTP_LINGER_BYTES);
    pair_close(&pair);
}

static void a_refused_peer_that_stays_is_closed_after_a_second(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    uint64_t begin_ms = harness_now_ms();
    (void)state;

    say(&pair, "BAD\r\n");
    client_await_end(&pair.client, pair.server);
    assert_int_equal(http_open_connections(pair.server->http), 1);
    while (http_open_connections(pair.server->http) > 0) {
        assert_true(harness_now_ms() - begin_ms < 5000);
        uv_run(&pair.server->loop, UV_RUN_ONCE);
    }
    assert_true(harness_now_ms() - begin_ms >= HTTP_LINGER_MS - 10);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_head_is_answered_408),
        cmocka_unit_test(a_slow_body_is_answered_408),
        cmocka_unit_test(an_idle_connection_is_closed_silently),
        cmocka_unit_test(a_pending_request_has_no_timeout),
        cmocka_unit_test(a_reader_that_does_not_read_is_cut),
        cmocka_unit_test(a_slow_reader_holds_one_answer_not_all),
        cmocka_unit_test(large_and_small_answers_keep_their_order),
        cmocka_unit_test(an_answer_to_a_peer_that_left_is_nothing),
        cmocka_unit_test(a_second_answer_is_nothing),
        cmocka_unit_test(made_up_tickets_are_nobody),
        cmocka_unit_test(a_peer_that_closed_its_side_is_answered_but_does_not_wait),
        cmocka_unit_test(a_refused_peer_that_goes_on_sending_gets_its_answer),
        cmocka_unit_test(a_refused_peer_that_does_not_stop_is_cut),
        cmocka_unit_test(a_refused_peer_that_stays_is_closed_after_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
