/* Answers: their heads, their order, refusals, and those that are held. */
#include "server/http_internal.h"
#include "tests/http/pair.h"

/* --- answers ------------------------------------------------------------------------ */

static void head_tells_the_length_that_get_would_send(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, "HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" GET("/abc"), 2);
    struct answer head = client_answer(&pair.client, 0), get = client_answer(&pair.client, 1);
    /* "HEAD /abc 0 " is one byte longer than "GET /abc 0 " */
    assert_field(&head, "Content-Length", "12");
    assert_field(&head, "Content-Type", "text/plain");
    assert_int_equal(head.body.length, 0);
    assert_field(&get, "Content-Length", "11");
    pair_close(&pair);
}

static void a_refused_head_has_no_body_either(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, "HEAD / HTTP/1.1\r\n\r\n");
    client_await_end(&pair.client, pair.server);
    assert_memory_equal(pair.client.received, "HTTP/1.1 400 ", 13);
    assert_string_equal(strstr(pair.client.received, "\r\n\r\n"), "\r\n\r\n");
    pair_close(&pair);
}

static void answers_without_a_body_say_so(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, GET("/empty") GET("/unmodified") GET("/later"), 2);
    server_answer_later(pair.server);
    client_await(&pair.client, pair.server, 3);
    struct answer empty = client_answer(&pair.client, 0);
    struct answer unmodified = client_answer(&pair.client, 1);
    struct answer accepted = client_answer(&pair.client, 2);
    assert_int_equal(empty.status, 204);
    assert_field(&empty, "Content-Length", NULL);
    assert_int_equal(unmodified.status, 304);
    assert_field(&unmodified, "Content-Length", NULL);
    assert_int_equal(accepted.status, 202);
    assert_field(&accepted, "Content-Length", "0");
    pair_close(&pair);
}

static void a_sound_request_id_is_kept_and_another_is_replaced(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: my-id_1.2\r\n\r\n", 1);
    struct answer kept = client_answer(&pair.client, 0);
    assert_field(&kept, "X-Request-Id", "my-id_1.2");
    assert_string_equal(pair.server->request_id, "my-id_1.2");

    ask(&pair, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: <script>\"\r\n\r\n", 2);
    struct answer replaced = client_answer(&pair.client, 1);
    assert_int_equal(answer_field(&replaced, "X-Request-Id").length, REQUEST_ID_LENGTH);
    assert_field(&replaced, "X-Request-Id", pair.server->request_id);

    ask(&pair, GET("/"), 3);
    struct answer made = client_answer(&pair.client, 2);
    assert_int_equal(answer_field(&made, "X-Request-Id").length, REQUEST_ID_LENGTH);
    assert_false(
        slice_equal(answer_field(&made, "X-Request-Id"), answer_field(&replaced, "X-Request-Id")));
    pair_close(&pair);
}

static void a_problem_is_a_document_with_a_stable_code(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    const char *expected = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                           "\"status\":503,\"code\":\"busy\","
                           "\"detail\":\"too much at once, retry later\","
                           "\"request_id\":\"r1\"}\n";
    (void)state;

    ask(&pair, "GET /busy HTTP/1.1\r\nHost: a\r\nX-Request-Id: r1\r\n\r\n", 1);
    struct answer answer = client_answer(&pair.client, 0);
    assert_int_equal(answer.status, 503);
    assert_field(&answer, "Content-Type", "application/problem+json");
    assert_field(&answer, "Retry-After", "1");
    assert_field(&answer, "Connection", NULL);
    assert_int_equal(answer.body.length, strlen(expected));
    assert_memory_equal(answer.body.bytes, expected, answer.body.length);
    pair_close(&pair);
}

static void a_given_retry_after_is_not_doubled(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later"));
    http_problem(pair.server->http, pair.server->ticket, STATUS_RATE_LIMITED, "slow \"down\"",
                 SLICE("X-A: b\r\nretry-after: 7\r\n"));
    client_await(&pair.client, pair.server, 1);
    struct answer answer = client_answer(&pair.client, 0);
    assert_int_equal(answer.status, 429);
    assert_field(&answer, "X-A", "b");
    assert_field(&answer, "Retry-After", "7");
    assert_null(memmem(answer.head.bytes, answer.head.length, "Retry-After: 1", 14));
    assert_non_null(
        memmem(answer.body.bytes, answer.body.length, "\"detail\":\"slow \\\"down\\\"\"", 24));
    pair_close(&pair);
}

/* Such fields could only be made of input; they must not bring the server down. */
static void headers_and_details_out_of_bounds_are_left_out(void **state)
{
    static char large[70000];
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    memset(large, 'x', sizeof(large) - 1);
    memcpy(large, "X: ", 3);
    memcpy(large + sizeof(large) - 3, "\r\n", 2);
    say(&pair, GET("/later"));
    http_reply(pair.server->http, pair.server->ticket,
               &(struct http_reply){.status = 200, .headers = slice_of(large)});
    ask(&pair, GET("/later"), 1);
    http_problem(pair.server->http, pair.server->ticket, STATUS_INVALID, large, slice_of(large));
    client_await(&pair.client, pair.server, 2);
    assert_int_equal(client_answer(&pair.client, 0).status, 500);
    struct answer answer = client_answer(&pair.client, 1);
    assert_int_equal(answer.status, 422);
    assert_true(answer.body.length < 500);
    pair_close(&pair);
}

static void no_input_is_echoed_by_a_refusal(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, "GET /secret HTTP/1.1\r\nHost: a\r\nX-Secret : secret\r\n\r\n");
    client_await_end(&pair.client, pair.server);
    assert_int_equal(client_answer(&pair.client, 0).status, 400);
    assert_null(strstr(pair.client.received, "ecret"));
    pair_close(&pair);
}

static void each_finished_answer_is_told_of_once(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, GET("/empty") GET("/"), 2);
    assert_int_equal(pair.server->done, 2);
    assert_int_equal(pair.server->done_status, 200);
    assert_int_equal(pair.server->done_ticket, pair.server->ticket);
    say(&pair, "BAD\r\n");
    client_await_end(&pair.client, pair.server);
    assert_int_equal(pair.server->done, 3);
    assert_int_equal(pair.server->done_status, 400);
    assert_int_equal(pair.server->done_ticket, 0);
    pair_close(&pair);
}

/* --- refusals that the owner answers --------------------------------------------------- */

static unsigned refusals;

static void answer_refusal(void *owner, const struct http_request *request, enum status status)
{
    struct server *server = owner;
    char line[128];

    refusals++;
    server->ticket = request->ticket;
    assert_int_equal(request->body.length, 0);
    snprintf(line, sizeof(line), "%.*s?%.*s from %.*s", (int)request->path.length,
             request->path.bytes, (int)request->query.length, request->query.bytes,
             (int)request->headers[HTTP_ORIGIN].length, request->headers[HTTP_ORIGIN].bytes);
    http_reply(server->http, request->ticket,
               &(struct http_reply){.status = status_http(status),
                                    .content_type = "text/html",
                                    .body = slice_of(line)});
}

/* The head is whole with this behind the fields that all have. */
static void assert_refusal_is_the_owners(const char *rest, int status)
{
    struct pair pair =
        pair_open((struct http_options){.on_refused = answer_refusal, .body_timeout_ms = 40});

    refusals = 0;
    say(&pair, POST("/tiny?a=b") "Origin: https://a.example\r\n");
    say(&pair, rest);
    client_await_end(&pair.client, pair.server);
    assert_int_equal(answers_in(&pair.client), 1);
    struct answer answer = client_answer(&pair.client, 0);
    assert_int_equal(answer.status, status);
    assert_field(&answer, "Content-Type", "text/html");
    assert_field(&answer, "Connection", "close");
    assert_body_starts(&answer, "/tiny?a=b from https://a.example");
    assert_int_equal(refusals, 1);
    assert_int_equal(pair.server->requests, 0);
    assert_int_equal(pair.server->done, 1);
    assert_int_equal(pair.server->done_ticket, pair.server->ticket);
    pair_close(&pair);
}

static void a_refusal_behind_a_whole_head_is_the_owners_to_answer(void **state)
{
    (void)state;
    assert_refusal_is_the_owners("\r\n", 411);
    assert_refusal_is_the_owners("Content-Length: 17\r\n\r\n", 413);
    assert_refusal_is_the_owners("Content-Length: 9\r\nContent-Encoding: br\r\n\r\n", 415);
    assert_refusal_is_the_owners("Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\nhi", 400);
    assert_refusal_is_the_owners("Content-Length: 2\r\nExpect: more\r\n\r\n", 417);
    assert_refusal_is_the_owners("Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    assert_refusal_is_the_owners("Transfer-Encoding: gzip\r\n\r\n", 400);
    assert_refusal_is_the_owners("Transfer-Encoding: chunked\r\n\r\n5\r\nhellooo\r\n", 400);
    assert_refusal_is_the_owners("Transfer-Encoding: chunked\r\n\r\n17\r\n", 413);
    assert_refusal_is_the_owners("Content-Length: 9\r\n\r\nslow", 408);
}

static void a_request_that_is_cut_off_in_its_body_is_the_owners_to_answer(void **state)
{
    struct pair pair = pair_open((struct http_options){.on_refused = answer_refusal});
    (void)state;

    say(&pair, POST("/a") "Content-Length: 9\r\n\r\nhalf");
    shutdown(pair.client.fd, SHUT_WR);
    client_await_end(&pair.client, pair.server);
    struct answer answer = client_answer(&pair.client, 0);
    assert_int_equal(answer.status, 400);
    assert_field(&answer, "Content-Type", "text/html");
    pair_close(&pair);
}

static void a_refusal_within_the_head_is_a_plain_problem(void **state)
{
    static const char *const heads[] = {
        "BAD\r\n",
        "BREW /a HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\nHost : a\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct pair pair =
            pair_open((struct http_options){.on_refused = answer_refusal, .header_timeout_ms = 40});
        refusals = 0;
        say(&pair, heads[i]);
        client_await_end(&pair.client, pair.server);
        struct answer answer = client_answer(&pair.client, 0);
        assert_field(&answer, "Content-Type", "application/problem+json");
        assert_int_equal(refusals, 0);
        assert_int_equal(pair.server->done_ticket, 0);
        pair_close(&pair);
    }
}

static void what_is_piped_behind_a_refused_request_is_not_read(void **state)
{
    struct pair pair = pair_open((struct http_options){.on_refused = answer_refusal});
    (void)state;

    say(&pair, GET("/") POST("/a") "\r\n" GET("/"));
    client_await_end(&pair.client, pair.server);
    assert_int_equal(answers_in(&pair.client), 2);
    assert_int_equal(client_answer(&pair.client, 1).status, 411);
    assert_int_equal(pair.server->requests, 1);
    pair_close(&pair);
}

/* --- order ----------------------------------------------------------------------------- */

static void a_pipeline_waits_for_the_answer_before_it(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, GET("/a") GET("/later") GET("/b") GET("/later") GET("/c"), 1);
    server_turns(pair.server, 3);
    assert_int_equal(pair.server->requests, 2);
    server_answer_later(pair.server);
    client_await(&pair.client, pair.server, 3);
    assert_int_equal(answers_in(&pair.client), 3);
    server_answer_later(pair.server);
    client_await(&pair.client, pair.server, 5);

    const char *bodies[] = {"GET /a 0", "", "GET /b 0", "", "GET /c 0"};
    for (unsigned i = 0; i < 5; i++) {
        struct answer answer = client_answer(&pair.client, i);
        assert_body_starts(&answer, bodies[i]);
    }
    pair_close(&pair);
}

static void an_error_is_answered_after_the_pending_request(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later") "BAD\n");
    server_turns(pair.server, 3);
    client_pull(&pair.client);
    assert_int_equal(pair.client.length, 0);
    server_answer_later(pair.server);
    client_await_end(&pair.client, pair.server);
    assert_int_equal(answers_in(&pair.client), 2);
    assert_int_equal(client_answer(&pair.client, 0).status, 202);
    assert_int_equal(client_answer(&pair.client, 1).status, 400);
    pair_close(&pair);
}

static void a_pipeline_of_a_hundred_thousand_is_worked_off(void **state)
{
    const unsigned deep = 100000, at_once = 1000;
    struct pair pair = pair_open((struct http_options){0});
    char *requests = malloc(at_once * sizeof(GET("/empty")));
    size_t length = 0;
    (void)state;

    assert_non_null(requests);
    for (unsigned i = 0; i < at_once; i++)
        length += (size_t)sprintf(requests + length, "%s", GET("/empty"));
    for (unsigned i = 0; i < deep; i += at_once) {
        client_send(&pair.client, pair.server, requests, length);
        pair.client.length = 0; /* counted by the echo */
    }
    for (unsigned i = 0; i < deep && pair.server->requests < deep; i++) {
        server_turn(pair.server);
        client_pull(&pair.client);
        pair.client.length = 0;
    }
    assert_int_equal(pair.server->requests, deep);
    free(requests);
    pair_close(&pair);
}

static void a_long_pipeline_takes_turns_with_everybody_else(void **state)
{
    const unsigned deep = 2000;
    struct pair pair = pair_open((struct http_options){0});
    struct client other;
    (void)state;

    client_open(&other, pair.server);
    push_many(&pair.client, deep);
    assert_true(client_push(&other, GET("/b"), strlen(GET("/b"))) > 0);
    server_turns(pair.server, 2);
    client_pull(&other);
    assert_int_equal(answers_in(&other), 1);
    assert_true(pair.server->requests > 1 && pair.server->requests < deep / 10);
    client_await(&pair.client, pair.server, deep);
    assert_int_equal(answers_in(&pair.client), deep);
    assert_int_equal(pair.server->requests, deep + 1);
    client_close(&other);
    pair_close(&pair);
}

static void what_is_piped_behind_a_pending_request_is_bounded(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    struct http_conn *conn;
    unsigned sent = 0;
    (void)state;

    say(&pair, GET("/later"));
    conn = http_find(pair.server->http, pair.server->ticket);
    assert_non_null(conn);
    for (; sent < 3000; sent++) {
        if (client_push(&pair.client, GET("/empty"), sizeof(GET("/empty")) - 1) == 0)
            break;
        if (sent % 100 == 0)
            server_turn(pair.server);
    }
    server_turns(pair.server, 3);
    assert_int_equal(conn->input.capacity, HTTP_BLOCK_BYTES);
    assert_false(conn->reading);
    assert_int_equal(pair.server->requests, 1);

    server_answer_later(pair.server);
    client_await(&pair.client, pair.server, sent + 1);
    assert_int_equal(answers_in(&pair.client), sent + 1);
    pair_close(&pair);
}

/* Every answer lets a request behind it run, which answers others: were that done by calls
 * within calls, the stack would grow with the number of connections. */
static void answers_given_within_a_request_do_not_nest(void **state)
{
    enum { CLIENTS = 500 };
    static struct client clients[CLIENTS];
    struct server *server = server_open((struct http_options){0});
    (void)state;

    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server);
        client_say(&clients[i], server, GET("/later") GET("/release"));
    }
    assert_int_equal(server->later_count, CLIENTS);
    server_answer_later(server);
    for (int i = 0; i < CLIENTS; i++) {
        client_await(&clients[i], server, 2);
        assert_int_equal(client_answer(&clients[i], 0).status, 202);
        assert_int_equal(client_answer(&clients[i], 1).status, 200);
        client_close(&clients[i]);
    }
    server_close(server);
}

/* --- answers that are held ---------------------------------------------------------------- */

static void held_answers_leave_when_released(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later") GET("/behind"));
    http_hold(pair.server->http);
    server_answer_later(pair.server);
    client_pull(&pair.client);
    assert_int_equal(answers_in(&pair.client), 0);
    assert_int_equal(pair.server->done_status, 202);
    assert_int_equal(pair.server->requests, 1);

    http_release(pair.server->http);
    client_await(&pair.client, pair.server, 2);
    struct answer held = client_answer(&pair.client, 0), behind = client_answer(&pair.client, 1);
    assert_int_equal(held.status, 202);
    assert_body_starts(&behind, "GET /behind ");
    pair_close(&pair);
}

static void a_held_answer_is_the_only_one(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, GET("/later"));
    uint64_t ticket = pair.server->later[0];
    http_hold(pair.server->http);
    server_answer_later(pair.server);
    assert_false(http_is_waiting(pair.server->http, ticket));
    http_problem(pair.server->http, ticket, STATUS_BUSY, NULL, (struct slice){NULL, 0});
    http_release(pair.server->http);
    client_await(&pair.client, pair.server, 1);
    assert_int_equal(client_answer(&pair.client, 0).status, 202);
    ask(&pair, GET("/a"), 2);
    assert_int_equal(client_answer(&pair.client, 1).status, 200);
    pair_close(&pair);
}

/* What is settled after http was closed is answered all the same. */
static void answers_where_there_is_no_http_go_nowhere(void **state)
{
    (void)state;
    http_reply(NULL, 1, &(struct http_reply){.status = 202});
    http_problem(NULL, 1, STATUS_BUSY, NULL, (struct slice){NULL, 0});
    assert_false(http_is_waiting(NULL, 1));
}

/* They leave; the requests behind them are taken when all are released, and one answers all. */
static void more_answers_than_can_be_held_leave_before(void **state)
{
    enum { CLIENTS = 2 * HTTP_HELD_MAX + 10 };
    static struct client clients[CLIENTS];
    struct server *server = server_open((struct http_options){0});
    (void)state;

    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server);
        client_say(&clients[i], server, GET("/later") GET("/a") GET("/later") GET("/release"));
    }
    http_hold(server->http);
    for (int i = 0; i < CLIENTS; i++)
        http_reply(server->http, server->later[i], &(struct http_reply){.status = 202});
    client_pull(&clients[0]);
    assert_int_equal(answers_in(&clients[0]), 1);
    assert_int_equal(server->requests, CLIENTS);
    http_release(server->http);
    server_answer_later(server);
    for (int i = 0; i < CLIENTS; i++) {
        client_await(&clients[i], server, 4);
        assert_int_equal(client_answer(&clients[i], 0).status, 202);
        assert_int_equal(client_answer(&clients[i], 1).status, 200);
        assert_int_equal(client_answer(&clients[i], 2).status, 202);
        assert_int_equal(client_answer(&clients[i], 3).status, 200);
        client_close(&clients[i]);
    }
    server_close(server);
}

/* Answers are given from memory that whoever answers the next request uses again. */
static void an_answer_too_large_to_be_held_is_sent_at_once(void **state)
{
    struct pair small = pair_open((struct http_options){0});
    struct client large;
    struct server *server = small.server;
    (void)state;

    say(&small, GET("/later") GET("/a"));
    client_open(&large, server);
    client_say(&large, server, GET("/later") GET("/b"));
    http_hold(server->http);
    http_reply(server->http, server->later[0], &(struct http_reply){.status = 202});
    http_reply(server->http, server->later[1],
               &(struct http_reply){.status = 200,
                                    .content_type = "text/plain",
                                    .body = {server->big, sizeof(server->big)}});
    client_pull(&small.client);
    assert_int_equal(answers_in(&small.client), 1);
    assert_int_equal(server->requests, 2);
    http_release(server->http);
    client_await(&small.client, server, 2);
    client_await(&large, server, 2);
    struct answer a = client_answer(&small.client, 1), b = client_answer(&large, 1);
    assert_int_equal(client_answer(&small.client, 0).status, 202);
    assert_body_starts(&a, "GET /a ");
    assert_int_equal(client_answer(&large, 0).body.length, sizeof(server->big));
    assert_body_starts(&b, "GET /b ");
    client_close(&large);
    pair_close(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_tells_the_length_that_get_would_send),
        cmocka_unit_test(a_refused_head_has_no_body_either),
        cmocka_unit_test(answers_without_a_body_say_so),
        cmocka_unit_test(a_sound_request_id_is_kept_and_another_is_replaced),
        cmocka_unit_test(a_problem_is_a_document_with_a_stable_code),
        cmocka_unit_test(a_given_retry_after_is_not_doubled),
        cmocka_unit_test(headers_and_details_out_of_bounds_are_left_out),
        cmocka_unit_test(no_input_is_echoed_by_a_refusal),
        cmocka_unit_test(each_finished_answer_is_told_of_once),
        cmocka_unit_test(a_refusal_behind_a_whole_head_is_the_owners_to_answer),
        cmocka_unit_test(a_request_that_is_cut_off_in_its_body_is_the_owners_to_answer),
        cmocka_unit_test(a_refusal_within_the_head_is_a_plain_problem),
        cmocka_unit_test(what_is_piped_behind_a_refused_request_is_not_read),
        cmocka_unit_test(a_pipeline_waits_for_the_answer_before_it),
        cmocka_unit_test(an_error_is_answered_after_the_pending_request),
        cmocka_unit_test(a_pipeline_of_a_hundred_thousand_is_worked_off),
        cmocka_unit_test(a_long_pipeline_takes_turns_with_everybody_else),
        cmocka_unit_test(what_is_piped_behind_a_pending_request_is_bounded),
        cmocka_unit_test(answers_given_within_a_request_do_not_nest),
        cmocka_unit_test(held_answers_leave_when_released),
        cmocka_unit_test(answers_where_there_is_no_http_go_nowhere),
        cmocka_unit_test(a_held_answer_is_the_only_one),
        cmocka_unit_test(more_answers_than_can_be_held_leave_before),
        cmocka_unit_test(an_answer_too_large_to_be_held_is_sent_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
