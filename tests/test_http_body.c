/* Bodies: large ones, chunked ones, zipped ones, and those that are asked for first. */
#include <zlib.h>

#include "server/http_internal.h"
#include "tests/http/pair.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_of_the_largest_size_comes_whole),
        cmocka_unit_test(a_chunked_body_of_the_largest_size_comes_whole),
        cmocka_unit_test(continue_is_said_before_a_body_that_is_awaited),
        cmocka_unit_test(continue_is_not_said_when_the_body_came_along),
        cmocka_unit_test(continue_is_not_said_before_a_refusal),
        cmocka_unit_test(bodies_over_the_memory_bound_are_refused_as_busy),
        cmocka_unit_test(a_zipped_body_is_handed_over_both_ways),
        cmocka_unit_test(a_zipped_body_may_be_as_long_as_any_and_no_longer),
        cmocka_unit_test(a_zip_bomb_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
