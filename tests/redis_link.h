/* A link to a real Redis and what comes of it. For the tests of redis*.c: included by one test file
 * each. */
#ifndef HOTLEAD_TESTS_REDIS_LINK_H
#define HOTLEAD_TESTS_REDIS_LINK_H

#include "server/redis_internal.h"
#include "tests/redis_server.h"
#include "tests/unit.h"

struct fixture {
    uv_loop_t loop;
    struct server server;
    struct log *log;
    struct stats *stats;
    struct redis *redis;
    struct redis_server seen;
    unsigned ups, downs;
    int log_pipe[2];
};

struct answer {
    bool come;
    enum redis_type type;
    int64_t integer;
    char text[256];
    struct redis *close_in_callback;
    struct redis *ask_in_callback;
    bool up; /* what that was at the time */
};

static inline void on_up(void *owner, const struct redis_server *server)
{
    struct fixture *fixture = owner;
    fixture->ups++;
    fixture->seen = *server;
}

static inline void on_down(void *owner)
{
    struct fixture *fixture = owner;
    fixture->downs++;
}

static inline void on_answer(void *owner, const struct redis_reply *reply)
{
    struct answer *answer = owner;

    assert_false(answer->come);
    answer->come = true;
    answer->type = reply->type;
    answer->integer = reply->integer;
    size_t length = reply->text.length < 255 ? reply->text.length : 255;
    if (length > 0)
        memcpy(answer->text, reply->text.bytes, length);
    answer->text[length] = '\0';
    if (answer->ask_in_callback != NULL)
        answer->up = redis_is_up(answer->ask_in_callback);
    if (answer->close_in_callback != NULL)
        redis_close(answer->close_in_callback);
}

static inline bool is_up(void *owner)
{
    return ((struct fixture *)owner)->ups > 0;
}

static inline bool is_up_twice(void *owner)
{
    return ((struct fixture *)owner)->ups > 1;
}

static inline bool is_down(void *owner)
{
    return ((struct fixture *)owner)->downs > 0;
}

static inline bool has_come(void *owner)
{
    return ((struct answer *)owner)->come;
}

static inline struct redis_options options_of(struct fixture *fixture, const char *url)
{
    return (struct redis_options){.loop = &fixture->loop,
                                  .url = url,
                                  .name = "test",
                                  .connect_timeout_ms = 300,
                                  .command_timeout_ms = 300,
                                  .in_flight_max = 4,
                                  .log = fixture->log,
                                  .stats = fixture->stats,
                                  .on_up = on_up,
                                  .on_down = on_down,
                                  .owner = fixture};
}

static inline void link_to(struct fixture *fixture, const char *url)
{
    struct redis_options options = options_of(fixture, url);
    assert_int_equal(redis_open(&options, &fixture->redis), STATUS_OK);
}

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    MUST(fixture != NULL && pipe(fixture->log_pipe) == 0);
    MUST(uv_loop_init(&fixture->loop) == 0);
    fixture->log = log_open(fixture->log_pipe[1], LOG_DEBUG);
    fixture->stats = stats_open();
    *state = fixture;
    return 0;
}

static inline int set_up_with_server(void **state)
{
    set_up(state);
    server_start(&((struct fixture *)*state)->server);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;

    redis_close(fixture->redis);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    if (fixture->server.folder[0] != '\0')
        server_end(&fixture->server);
    log_close(fixture->log);
    stats_close(fixture->stats);
    close(fixture->log_pipe[0]);
    close(fixture->log_pipe[1]);
    free(fixture);
    return 0;
}

static inline bool send_words(struct fixture *fixture, struct answer *answer, const char *a,
                              const char *b, const char *c)
{
    struct slice words[3] = {slice_of(a), slice_of(b), slice_of(c)};
    size_t count = c != NULL ? 3 : b != NULL ? 2 : 1;

    return redis_command(fixture->redis, words, count, 0, on_answer, answer);
}

#endif
