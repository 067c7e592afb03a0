#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

#include "server/http_internal.h"
#include "tests/http/harness.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

/* One server and one client, which most tests want. */
struct pair {
    struct server *server;
    struct client client;
};

static struct pair pair_open(struct http_options options)
{
    struct pair pair = {.server = server_open(options)};

    client_open(&pair.client, pair.server);
    return pair;
}

static void pair_close(struct pair *pair)
{
    client_close(&pair->client);
    server_close(pair->server);
}

static void say(struct pair *pair, const char *text)
{
    client_say(&pair->client, pair->server, text);
}

/* Sends and waits for that many answers in all. */
static void ask(struct pair *pair, const char *text, unsigned answers)
{
    say(pair, text);
    client_await(&pair->client, pair->server, answers);
    assert_int_equal(answers_in(&pair->client), answers);
}

static void assert_field(const struct answer *answer, const char *name, const char *expected)
{
    struct slice field = answer_field(answer, name);

    if (expected == NULL) {
        assert_null(field.bytes);
        return;
    }
    assert_non_null(field.bytes);
    assert_int_equal(field.length, strlen(expected));
    assert_memory_equal(field.bytes, expected, field.length);
}

static void assert_body_starts(const struct answer *answer, const char *expected)
{
    assert_true(answer->body.length >= strlen(expected));
    assert_memory_equal(answer->body.bytes, expected, strlen(expected));
}

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

/* Sends that many requests at once, of which the kernel holds what the server has not read. */
static void push_many(struct client *client, unsigned count)
{
    char *requests = malloc(count * sizeof(GET("/a")));
    size_t length = 0;

    assert_non_null(requests);
    for (unsigned i = 0; i < count; i++)
        length += (size_t)sprintf(requests + length, "%s", GET("/a"));
    assert_int_equal(client_push(client, requests, length), length);
    free(requests);
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

/* --- bodies ------------------------------------------------------------------------------ */

static void a_body_of_the_largest_size_comes_whole(void **state)
{
    static char body[HTTP_BODY_MAX];
    struct pair pair = pair_open((struct http_options){0});
    char head[256];
    (void)state;

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i % 23);
    snprintf(head, sizeof(head), POST("/batch") "Content-Length: %zu\r\n\r\n", sizeof(body));
    say(&pair, head);
    client_send(&pair.client, pair.server, body, sizeof(body));
    client_await(&pair.client, pair.server, 1);
    struct answer answer = client_answer(&pair.client, 0);
    assert_int_equal(answer.status, 200);
    size_t echo = answer.body.length - sizeof(body);
    assert_memory_equal(answer.body.bytes + echo, body, sizeof(body));
    assert_int_equal(pair.server->http->pool.grown_bytes, 0);
    ask(&pair, GET("/a"), 2);
    pair_close(&pair);
}

static void a_chunked_body_of_the_largest_size_comes_whole(void **state)
{
    enum { CHUNK = 3000 };
    struct pair pair = pair_open((struct http_options){0});
    char chunk[CHUNK + 16];
    size_t length = 0;
    (void)state;

    say(&pair, POST("/batch") "Transfer-Encoding: chunked\r\n\r\n");
    for (; length + CHUNK <= HTTP_BODY_MAX; length += CHUNK) {
        int head = snprintf(chunk, sizeof(chunk), "%x\r\n", CHUNK);
        memset(chunk + head, 'a' + (int)(length / CHUNK % 26), CHUNK);
        memcpy(chunk + head + CHUNK, "\r\n", 2);
        client_send(&pair.client, pair.server, chunk, (size_t)head + CHUNK + 2);
    }
    say(&pair, "0\r\n\r\n");
    client_await(&pair.client, pair.server, 1);
    struct answer answer = client_answer(&pair.client, 0);
    assert_int_equal(answer.status, 200);
    assert_int_equal(pair.server->body_length, length);
    const char *body = answer.body.bytes + (answer.body.length - length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(body[i], 'a' + (int)(i / CHUNK % 26));
    pair_close(&pair);
}

static void continue_is_said_before_a_body_that_is_awaited(void **state)
{
    const char *said = "HTTP/1.1 100 Continue\r\n\r\n";
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    say(&pair, POST("/a") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    server_turns(pair.server, 2);
    client_pull(&pair.client);
    assert_int_equal(pair.client.length, strlen(said));
    assert_string_equal(pair.client.received, said);
    ask(&pair, "hi", 1);
    assert_int_equal(client_answer(&pair.client, 0).status, 200);
    pair_close(&pair);
}

static void continue_is_not_said_when_the_body_came_along(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    ask(&pair, POST("/a") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", 1);
    assert_memory_equal(pair.client.received, "HTTP/1.1 200", 12);
    pair_close(&pair);
}

static void continue_is_not_said_before_a_refusal(void **state)
{
    static const char *const refused[] = {
        POST("/a") "Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n",
        POST("/none") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        POST("/a") "Expect: 100-continue\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct pair pair = pair_open((struct http_options){0});
        say(&pair, refused[i]);
        client_await_end(&pair.client, pair.server);
        assert_null(strstr(pair.client.received, "100 Continue"));
        assert_int_equal(answers_in(&pair.client), 1);
        pair_close(&pair);
    }
}

static void bodies_over_the_memory_bound_are_refused_as_busy(void **state)
{
    struct server *server = server_open((struct http_options){.memory_max = 100 * 1024});
    struct client first, second;
    static char part[50 * 1024];
    (void)state;

    memset(part, 'x', sizeof(part));
    client_open(&first, server);
    client_say(&first, server, POST("/a") "Content-Length: 60000\r\n\r\n");
    client_send(&first, server, part, sizeof(part));
    server_turns(server, 20);
    client_open(&second, server);
    client_say(&second, server, POST("/a") "Content-Length: 60000\r\n\r\n");
    client_send(&second, server, part, sizeof(part));
    client_await_end(&second, server);
    assert_int_equal(client_answer(&second, 0).status, 503);

    client_send(&first, server, part, 60000 - sizeof(part));
    client_await(&first, server, 1);
    assert_int_equal(client_answer(&first, 0).status, 200);
    assert_int_equal(server->http->pool.grown_bytes, 0);
    client_close(&first);
    client_close(&second);
    server_close(server);
}

/* --- gzip ----------------------------------------------------------------------------------- */

static size_t gzip(const char *from, size_t length, char *to, size_t capacity)
{
    z_stream stream = {0};

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)from;
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)to;
    stream.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static int post_gzip(struct pair *pair, const char *path, const char *body, size_t length)
{
    static char packed[2 * HTTP_BODY_MAX];
    char head[256];
    size_t packed_length = gzip(body, length, packed, sizeof(packed));

    snprintf(head, sizeof(head),
             "POST %s HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             path, packed_length);
    say(pair, head);
    client_send(&pair->client, pair->server, packed, packed_length);
    client_await(&pair->client, pair->server, 1);
    return client_answer(&pair->client, 0).status;
}

static void a_zipped_body_is_handed_over_both_ways(void **state)
{
    static char body[60000];
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i * i % 7 + i % 11);
    assert_int_equal(post_gzip(&pair, "/a", body, sizeof(body)), 200);
    struct answer answer = client_answer(&pair.client, 0);
    assert_memory_equal(answer.body.bytes + answer.body.length - sizeof(body), body, sizeof(body));
    assert_int_equal(pair.server->body_length, sizeof(body));
    assert_true(pair.server->raw_length < sizeof(body) / 2);
    assert_int_equal(pair.server->http->pool.grown_bytes, 0);
    pair_close(&pair);
}

static void a_zipped_body_may_be_as_long_as_any_and_no_longer(void **state)
{
    static char body[64 * 1024 + 1];
    static const struct {
        const char *path;
        size_t length;
        int status;
    } cases[] = {{"/a", 64 * 1024, 200}, {"/a", 64 * 1024 + 1, 413}, {"/tiny", 17, 413}};
    (void)state;

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i * i % 7 + i % 11);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair = pair_open((struct http_options){0});
        assert_int_equal(post_gzip(&pair, cases[i].path, body, cases[i].length), cases[i].status);
        pair_close(&pair);
    }
}

/* A kilobyte that would become a megabyte is in the limit of a batch, and out of proportion. */
static void a_zip_bomb_is_refused(void **state)
{
    static char zeros[HTTP_BODY_MAX];
    struct pair pair = pair_open((struct http_options){0});
    (void)state;

    assert_int_equal(post_gzip(&pair, "/batch", zeros, sizeof(zeros)), 413);
    assert_int_equal(pair.server->requests, 0);
    pair_close(&pair);
}

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

static void reset_connection(struct client *client)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    client_close(client);
}

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

/* --- listening --- */

static void addresses_are_read(void **state)
{
    static const char *const good[] = {"127.0.0.1:0", "[::1]:0", "localhost:0", "0.0.0.0:0",
                                       "[::]:0"};
    static const char *const bad[] = {
        "",    "127.0.0.1",       ":80",       "127.0.0.1:",   "::1:80",  "[::1]",
        "a:b", "127.0.0.1:65536", "1.2.3:x:1", "127.0.0.1:-1", "[::1:80", "256.0.0.1:80"};
    struct server *server = server_open((struct http_options){0});
    unsigned port;
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        port = 0;
        assert_int_equal(http_listen(server->http, good[i], 2, &port), STATUS_OK);
        assert_true(port > 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(http_listen(server->http, bad[i], 2, &port), STATUS_INVALID);
        assert_int_equal(http_can_listen(bad[i]), STATUS_INVALID);
    }
    server_close(server);
}

static void an_address_in_use_is_a_conflict(void **state)
{
    struct server *server = server_open((struct http_options){0});
    char address[64];
    unsigned port;
    (void)state;

    snprintf(address, sizeof(address), "127.0.0.1:%u", server->port);
    assert_int_equal(http_listen(server->http, address, 2, &port), STATUS_CONFLICT);
    assert_int_equal(http_can_listen(address), STATUS_CONFLICT);
    assert_int_equal(http_can_listen("127.0.0.1:0"), STATUS_OK);
    server_close(server);
}

static void the_remote_address_is_told(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    struct client mapped;
    unsigned port;
    (void)state;

    ask(&pair, GET("/"), 1);
    assert_string_equal(pair.server->remote, "127.0.0.1");
    assert_int_equal(http_listen(pair.server->http, "[::]:0", 2, &port), STATUS_OK);
    client_open_to(&mapped, port);
    client_say(&mapped, pair.server, GET("/"));
    client_await(&mapped, pair.server, 1);
    assert_string_equal(pair.server->remote, "127.0.0.1");
    client_close(&mapped);
    pair_close(&pair);
}

static void a_peer_that_connects_and_leaves_at_once_costs_nothing(void **state)
{
    struct pair pair = pair_open((struct http_options){0});
    struct client gone;
    (void)state;

    for (int i = 0; i < 200; i++) {
        client_open_to(&gone, pair.server->port);
        reset_connection(&gone);
    }
    server_turns(pair.server, 20);
    assert_int_equal(http_open_connections(pair.server->http), 1);
    ask(&pair, GET("/"), 1);
    pair_close(&pair);
}

/* A server in a process of its own, with few file descriptors. It serves until `stop` is
 * closed. */
static _Noreturn void serve_with_few_files(unsigned connections_max, int port_fd, int stop_fd)
{
    const struct rlimit few = {64, 64};
    char byte;

    setrlimit(RLIMIT_NOFILE, &few);
    struct server *server = server_open((struct http_options){.connections_max = connections_max});
    if (write(port_fd, &server->port, sizeof(server->port)) != sizeof(server->port))
        _exit(1);
    fcntl(stop_fd, F_SETFL, O_NONBLOCK);
    while (read(stop_fd, &byte, 1) != 0)
        uv_run(&server->loop, UV_RUN_ONCE); /* the tick wakes it up */
    _exit(0);
}

static unsigned cpu_ticks(pid_t pid)
{
    char path[64];
    unsigned user = 0, system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(
        fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %u %u", &user, &system),
        2);
    fclose(file);
    return user + system;
}

static unsigned pull_answered(struct client *clients, int count)
{
    unsigned answered = 0;

    for (int i = 0; i < count; i++) {
        if (clients[i].fd < 0)
            continue;
        client_pull(&clients[i]);
        answered += answers_in(&clients[i]) > 0;
    }
    return answered;
}

static void close_answered(struct client *clients, int count)
{
    for (int i = 0; i < count; i++)
        if (clients[i].fd >= 0 && answers_in(&clients[i]) > 0)
            client_close(&clients[i]);
}

static void serve_200_with_64_files(unsigned connections_max)
{
    enum { CLIENTS = 200 };
    struct client clients[CLIENTS];
    int port_pipe[2], stop_pipe[2], status;
    unsigned port, served = 0;

    assert_int_equal(pipe(port_pipe), 0);
    assert_int_equal(pipe(stop_pipe), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(stop_pipe[1]);
        serve_with_few_files(connections_max, port_pipe[1], stop_pipe[0]);
    }
    assert_int_equal(read(port_pipe[0], &port, sizeof(port)), sizeof(port));
    for (int i = 0; i < CLIENTS; i++) {
        client_open_to(&clients[i], port);
        client_push(&clients[i], GET("/"), sizeof(GET("/")) - 1);
    }

    uv_sleep(200);
    unsigned first = pull_answered(clients, CLIENTS);
    assert_in_range(first, 16, 63);
    unsigned ticks = cpu_ticks(pid);
    uv_sleep(500);
    assert_true(cpu_ticks(pid) - ticks <= 10); /* of 50 */

    uint64_t until_ms = harness_now_ms() + 20000;
    while (served < CLIENTS) {
        assert_true(harness_now_ms() < until_ms);
        served += pull_answered(clients, CLIENTS);
        close_answered(clients, CLIENTS);
        uv_sleep(5);
    }
    close(stop_pipe[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(stop_pipe[0]);
    close(port_pipe[0]);
    close(port_pipe[1]);
}

static void a_full_server_waits_without_spinning(void **state)
{
    (void)state;
    serve_200_with_64_files(0);
}

static void a_server_out_of_files_waits_without_spinning(void **state)
{
    (void)state;
    serve_200_with_64_files(1000);
}

static void silent_connections_make_room_when_all_are_taken(void **state)
{
    struct server *server = server_open((struct http_options){.connections_max = 2});
    struct client silent[2], next;
    (void)state;

    client_open(&silent[0], server);
    client_open(&silent[1], server);
    client_open(&next, server);
    client_say(&next, server, GET("/"));
    assert_int_equal(http_open_connections(server->http), 2);
    client_await(&next, server, 1);
    assert_int_equal(client_answer(&next, 0).status, 200);
    client_close(&silent[0]);
    client_close(&silent[1]);
    client_close(&next);
    server_close(server);
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
        cmocka_unit_test(a_long_pipeline_ends_with_an_answer_when_drained),
        cmocka_unit_test(what_is_piped_behind_a_pending_request_is_bounded),
        cmocka_unit_test(answers_given_within_a_request_do_not_nest),
        cmocka_unit_test(held_answers_leave_when_released),
        cmocka_unit_test(answers_where_there_is_no_http_go_nowhere),
        cmocka_unit_test(a_held_answer_is_the_only_one),
        cmocka_unit_test(more_answers_than_can_be_held_leave_before),
        cmocka_unit_test(an_answer_too_large_to_be_held_is_sent_at_once),
        cmocka_unit_test(a_body_of_the_largest_size_comes_whole),
        cmocka_unit_test(a_chunked_body_of_the_largest_size_comes_whole),
        cmocka_unit_test(continue_is_said_before_a_body_that_is_awaited),
        cmocka_unit_test(continue_is_not_said_when_the_body_came_along),
        cmocka_unit_test(continue_is_not_said_before_a_refusal),
        cmocka_unit_test(bodies_over_the_memory_bound_are_refused_as_busy),
        cmocka_unit_test(a_zipped_body_is_handed_over_both_ways),
        cmocka_unit_test(a_zipped_body_may_be_as_long_as_any_and_no_longer),
        cmocka_unit_test(a_zip_bomb_is_refused),
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
        cmocka_unit_test(drain_closes_idle_connections_and_answers_the_others),
        cmocka_unit_test(drain_cuts_what_is_left_after_its_grace),
        cmocka_unit_test(drain_without_connections_is_over_at_once_but_not_within_the_call),
        cmocka_unit_test(close_leaves_nothing_behind_in_any_state),
        cmocka_unit_test(an_idle_connection_holds_no_buffer),
        cmocka_unit_test(unused_blocks_are_given_back),
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(an_address_in_use_is_a_conflict),
        cmocka_unit_test(the_remote_address_is_told),
        cmocka_unit_test(a_peer_that_connects_and_leaves_at_once_costs_nothing),
        cmocka_unit_test(a_full_server_waits_without_spinning),
        cmocka_unit_test(a_server_out_of_files_waits_without_spinning),
        cmocka_unit_test(silent_connections_make_room_when_all_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
