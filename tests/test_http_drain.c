/* Drain and close, and what memory is left. */
#include "server/http_internal.h"
#include "tests/http/pair.h"

/* --- drain and close --- */

static void count_drained(void *owner)
{
    struct server *server = owner;

    server->drained++;
}

static void drain_closes_idle_connections_and_answers_the_others(void **state)
{
    struct server *server = server_open((struct http_options){0});
    struct client fresh, kept, waiting, slow, late = {.fd = -1};
    (void)state;

    client_open(&fresh, server);
    client_open(&kept, server);
    client_say(&kept, server, GET("/"));
    client_open(&waiting, server);
    client_say(&waiting, server, GET("/later") GET("/never"));
    client_open(&slow, server);
    client_say(&slow, server, "GET /slow HTTP/1.1\r\n");

    http_drain(server->http, 60000, count_drained, server);
    server_turns(server, 2);
    client_await_end(&fresh, server);
    client_await_end(&kept, server);
    assert_int_equal(http_open_connections(server->http), 2);
    assert_int_equal(server->drained, 0);
    late.fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(late.fd, (struct sockaddr *)&at, sizeof(at)), -1);

    client_say(&slow, server, "Host: a\r\n\r\n");
    server_answer_later(server);
    client_await_end(&waiting, server);
    client_await_end(&slow, server);
    struct answer answer = client_answer(&waiting, 0);
    assert_field(&answer, "Connection", "close");
    assert_int_equal(answers_in(&waiting), 1);
    assert_int_equal(client_answer(&slow, 0).status, 200);
    client_close(&waiting);
    client_close(&slow);
    server_turns(server, 5);
    assert_int_equal(server->drained, 1);
    client_close(&fresh);
    client_close(&kept);
    client_close(&late);
    server_close(server);
}

static void a_long_pipeline_ends_with_an_answer_when_drained(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    push_many(&pair.client, 500);
    server_turn(pair.server);
    unsigned before = pair.server->requests;
    assert_true(before > 0 && before < 500);
    http_drain(pair.server->http, 60000, count_drained, pair.server);
    client_await_end(&pair.client, pair.server);
    assert_int_equal(answers_in(&pair.client), before + 1);
    struct answer answer = client_answer(&pair.client, before);
    assert_field(&answer, "Connection", "close");
    pair_close(&pair);
}

static void drain_cuts_what_is_left_after_its_grace(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later"));
    http_drain(pair.server->http, 30, count_drained, pair.server);
    client_await_end(&pair.client, pair.server);
    server_turns(pair.server, 5);
    assert_int_equal(pair.server->drained, 1);
    assert_int_equal(http_open_connections(pair.server->http), 0);
    server_answer_later(pair.server);
    assert_int_equal(pair.server->drained, 1);
    pair_close(&pair);
}

static void drain_without_connections_is_over_at_once_but_not_within_the_call(void **state)
{
    struct server *server = server_open((struct http_options){0});
    (void)state;

    http_drain(server->http, 60000, count_drained, server);
    assert_int_equal(server->drained, 0);
    server_turns(server, 3);
    assert_int_equal(server->drained, 1);
    server_close(server);
}

static void close_leaves_nothing_behind_in_any_state(void **state)
{
    static const char *const said[] = {"",
                                       GET("/"),
                                       "GET / HT",
                                       POST("/a") "Content-Length: 5\r\n\r\nhel",
                                       GET("/later"),
                                       "BAD\n",
                                       GET("/big"),
                                       POST("/batch") "Content-Length: 500000\r\n\r\n"};
    enum { CLIENTS = sizeof(said) / sizeof(said[0]) };
    struct server *server = server_open((struct http_options){0});
    struct client clients[CLIENTS];
    (void)state;

    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server);
        client_push(&clients[i], said[i], strlen(said[i]));
        server_turns(server, 2);
    }
    server_close(server); /* ASan counts the rest */
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
}

/* --- memory --- */

static void an_idle_connection_holds_no_buffer(void **state)
{
    enum { CLIENTS = 100 };
    struct server *server = server_open((struct http_options){0});
    struct client clients[CLIENTS];
    (void)state;

    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server);
        client_say(&clients[i], server, POST("/a") "Content-Length: 2\r\n\r\nhi");
        client_await(&clients[i], server, 1);
    }
    for (struct http_conn *conn = server->http->lists[HTTP_IDLE].first; conn; conn = conn->next)
        assert_null(conn->input.bytes);
    assert_true(sizeof(struct http_conn) <= 2048);
    assert_true(server->http->pool.free_count <= 2); /* one block served them all */
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    server_close(server);
}

static void unused_blocks_are_given_back(void **state)
{
    struct http_pool pool = {0};
    struct http_buffer buffers[64] = {0};
    (void)state;

    for (int i = 0; i < 64; i++)
        assert_true(http_buffer_take(&pool, &buffers[i]));
    for (int i = 0; i < 64; i++)
        http_buffer_drop(&pool, &buffers[i]);
    http_pool_trim(&pool); /* they were in use since the last call */
    assert_int_equal(pool.free_count, 64);
    http_pool_trim(&pool);
    assert_int_equal(pool.free_count, 32);
    http_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_pipeline_ends_with_an_answer_when_drained),
        cmocka_unit_test(drain_closes_idle_connections_and_answers_the_others),
        cmocka_unit_test(drain_cuts_what_is_left_after_its_grace),
        cmocka_unit_test(drain_without_connections_is_over_at_once_but_not_within_the_call),
        cmocka_unit_test(close_leaves_nothing_behind_in_any_state),
        cmocka_unit_test(an_idle_connection_holds_no_buffer),
        cmocka_unit_test(unused_blocks_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
