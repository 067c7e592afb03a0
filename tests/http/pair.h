/* One server and one client, which most tests of the HTTP module want. */
#ifndef HOTLEAD_TESTS_HTTP_PAIR_H
#define HOTLEAD_TESTS_HTTP_PAIR_H

#include "tests/http/harness.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

struct pair {
    struct server *server;
    struct client client;
};

static inline struct pair pair_open(struct http_options options)
{
    struct pair pair = {.server = server_open(options)};

    client_open(&pair.client, pair.server);
    return pair;
}

static inline void pair_close(struct pair *pair)
{
    client_close(&pair->client);
    server_close(pair->server);
}

static inline void say(struct pair *pair, const char *text)
{
    client_say(&pair->client, pair->server, text);
}

/* Sends and waits for that many answers in all. */
static inline void ask(struct pair *pair, const char *text, unsigned answers)
{
    say(pair, text);
    client_await(&pair->client, pair->server, answers);
    assert_int_equal(answers_in(&pair->client), answers);
}

static inline void assert_field(const struct answer *answer, const char *name, const char *expected)
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

static inline void assert_body_starts(const struct answer *answer, const char *expected)
{
    assert_true(answer->body.length >= strlen(expected));
    assert_memory_equal(answer->body.bytes, expected, strlen(expected));
}

/* Sends that many requests at once, of which the kernel holds what the server has not read. */
static inline void push_many(struct client *client, unsigned count)
{
    char *requests = malloc(count * sizeof(GET("/a")));
    size_t length = 0;

    assert_non_null(requests);
    for (unsigned i = 0; i < count; i++)
        length += (size_t)sprintf(requests + length, "%s", GET("/a"));
    assert_int_equal(client_push(client, requests, length), length);
    free(requests);
}

static inline void reset_connection(struct client *client)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    client_close(client);
}

#endif
