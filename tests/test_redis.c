#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "server/redis_internal.h"
#include "tests/redis_server.h"

/* --- a link and what came of it ---------------------------------------------------------- */

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

static void on_up(void *owner, const struct redis_server *server)
{
    struct fixture *fixture = owner;
    fixture->ups++;
    fixture->seen = *server;
}

static void on_down(void *owner)
{
    struct fixture *fixture = owner;
    fixture->downs++;
}

static void on_answer(void *owner, const struct redis_reply *reply)
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

static bool is_up(void *owner)
{
    return ((struct fixture *)owner)->ups > 0;
}

static bool is_up_twice(void *owner)
{
    return ((struct fixture *)owner)->ups > 1;
}

static bool is_down(void *owner)
{
    return ((struct fixture *)owner)->downs > 0;
}

static bool has_come(void *owner)
{
    return ((struct answer *)owner)->come;
}

static struct redis_options options_of(struct fixture *fixture, const char *url)
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

static void link_to(struct fixture *fixture, const char *url)
{
    struct redis_options options = options_of(fixture, url);
    assert_int_equal(redis_open(&options, &fixture->redis), STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    MUST(fixture != NULL && pipe(fixture->log_pipe) == 0);
    MUST(uv_loop_init(&fixture->loop) == 0);
    fixture->log = log_open(fixture->log_pipe[1], LOG_DEBUG);
    fixture->stats = stats_open();
    *state = fixture;
    return 0;
}

static int set_up_with_server(void **state)
{
    set_up(state);
    server_start(&((struct fixture *)*state)->server);
    return 0;
}

static int tear_down(void **state)
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

/* What was logged so far. */
static const char *logged(struct fixture *fixture)
{
    static char lines[16384];
    ssize_t length;

    assert_int_equal(write(fixture->log_pipe[1], ".", 1), 1);
    length = read(fixture->log_pipe[0], lines, sizeof(lines) - 1);
    assert_true(length > 0);
    lines[length] = '\0';
    return lines;
}

static bool send_words(struct fixture *fixture, struct answer *answer, const char *a, const char *b,
                       const char *c)
{
    struct slice words[3] = {slice_of(a), slice_of(b), slice_of(c)};
    size_t count = c != NULL ? 3 : b != NULL ? 2 : 1;

    return redis_command(fixture->redis, words, count, 0, on_answer, answer);
}

/* A TCP port of loopback with (or without) somebody who listens and says nothing. */
static int bind_loopback(int *port_out, bool listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    *port_out = ntohs(address.sin_port);
    return fd;
}

/* --- addresses --------------------------------------------------------------------------- */

static void urls_are_read(void **state)
{
    static const struct {
        const char *url, *host, *port, *path, *user, *password;
        unsigned database;
    } good[] = {
        {"redis://127.0.0.1:6379/0", "127.0.0.1", "6379", "", "", "", 0},
        {"redis://localhost", "localhost", "6379", "", "", "", 0},
        {"redis://localhost/", "localhost", "6379", "", "", "", 0},
        {"redis://:secret@box:7000/12", "box", "7000", "", "", "secret", 12},
        {"redis://me:p%40ss%2Fword@box", "box", "6379", "", "me", "p@ss/word", 0},
        {"redis://me:p@ss@box", "box", "6379", "", "me", "p@ss", 0},
        {"redis://[::1]:6380/1", "::1", "6380", "", "", "", 1},
        {"redis://[::1]", "::1", "6379", "", "", "", 0},
        {"unix:///run/redis.sock", "", "", "/run/redis.sock", "", "", 0},
        {"unix:///run/redis.sock?db=3", "", "", "/run/redis.sock", "", "", 3},
        {"unix://me:pw@/run/r.sock?db=3", "", "", "/run/r.sock", "me", "pw", 3},
    };
    struct redis_address address;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(redis_address_parse(good[i].url, &address), STATUS_OK);
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
        assert_string_equal(address.path, good[i].path);
        assert_string_equal(address.user, good[i].user);
        assert_string_equal(address.password, good[i].password);
        assert_int_equal(address.database, good[i].database);
    }
}

static void urls_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "redis",
        "redis://",
        "redis:///0",
        "rediss://box",
        "http://box",
        "redis://box:0",
        "redis://box:65536",
        "redis://box:port",
        "redis://box:",
        "redis://box/x",
        "redis://box/-1",
        "redis://user@box",
        "redis://user:@box",
        "redis://u:%4@box",
        "redis://u:%zz@box",
        "redis://u:%00@box",
        "redis://[::1",
        "redis://[::1]x",
        "unix://run/redis",
        "unix://",
        "unix:///s?db=",
        "unix:///s?db=x",
        "unix:///s?name=1",
        "unix:///"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct redis_address address;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (redis_address_parse(bad[i], &address) != STATUS_INVALID)
            fail_msg("%s is taken", bad[i]);
    }
}

/* Every beginning of a good one is either good or refused, and read within its bounds. */
static void urls_that_are_cut_do_no_harm(void **state)
{
    static const char url[] = "redis://us%65r:p%40ss@[2001:db8::1]:6379/15";
    struct redis_address address;

    (void)state;
    for (size_t length = 0; length < sizeof(url); length++) {
        char *cut = strndup(url, length);
        redis_address_parse(cut, &address);
        free(cut);
    }
}

static void bad_url_is_said_at_open(void **state)
{
    struct fixture *fixture = *state;
    struct redis_options options = options_of(fixture, "mysql://box");

    assert_int_equal(redis_open(&options, &fixture->redis), STATUS_INVALID);
    assert_null(fixture->redis);
}

/* --- the link ---------------------------------------------------------------------------- */

static void link_comes_up_and_answers(void **state)
{
    struct fixture *fixture = *state;
    struct answer set = {0}, get = {0}, none = {0}, number = {0}, wrong = {0};

    link_to(fixture, fixture->server.url);
    assert_false(redis_is_up(fixture->redis));
    assert_false(send_words(fixture, &set, "SET", "k", "v"));
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    assert_true(redis_is_up(fixture->redis));
    assert_int_equal(strlen(fixture->seen.run_id), 40);
    assert_int_equal(strlen(fixture->seen.replication_id), 40);

    assert_true(send_words(fixture, &set, "SET", "k", "v"));
    assert_true(send_words(fixture, &get, "GET", "k", NULL));
    assert_true(send_words(fixture, &none, "GET", "none", NULL));
    assert_true(send_words(fixture, &number, "INCR", "n", NULL));
    assert_false(send_words(fixture, &wrong, "LPUSH", "k", "v")); /* four are in flight */
    assert_true(loop_until(&fixture->loop, has_come, &number, 3000));
    assert_true(send_words(fixture, &wrong, "LPUSH", "k", "v"));
    assert_true(loop_until(&fixture->loop, has_come, &wrong, 3000));

    assert_int_equal(set.type, REDIS_STATUS);
    assert_string_equal(set.text, "OK");
    assert_int_equal(get.type, REDIS_STRING);
    assert_string_equal(get.text, "v");
    assert_int_equal(none.type, REDIS_NIL);
    assert_int_equal(number.type, REDIS_INTEGER);
    assert_int_equal(number.integer, 1);
    assert_int_equal(wrong.type, REDIS_ERROR);
    assert_int_equal(strncmp(wrong.text, "WRONGTYPE", 9), 0);
    assert_int_equal(fixture->downs, 0);
}

static void flushed_commands_leave_before_the_turn_ends(void **state)
{
    struct fixture *fixture = *state;
    struct answer kept = {0}, sent = {0};

    link_to(fixture, fixture->server.url);
    redis_flush(fixture->redis); /* nothing is connected yet */
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    assert_true(send_words(fixture, &kept, "SET", "k", "1"));
    assert_int_equal(server_number(&fixture->server, "EXISTS k"), 0);
    redis_flush(fixture->redis);
    redis_flush(fixture->redis);
    for (int i = 0; i < 1000 && server_number(&fixture->server, "EXISTS k") == 0; i++)
        ;
    assert_int_equal(server_number(&fixture->server, "EXISTS k"), 1);
    assert_true(send_words(fixture, &sent, "INCR", "k", NULL));
    assert_true(loop_until(&fixture->loop, has_come, &sent, 3000));
    assert_true(kept.come);
    assert_int_equal(sent.integer, 2);
    server_kill(&fixture->server);
    redis_flush(fixture->redis);
    if (send_words(fixture, &kept, "GET", "k", NULL))
        kept.come = false;
    redis_flush(fixture->redis); /* finds out that it is gone */
    assert_true(loop_until(&fixture->loop, is_down, fixture, 3000));
    assert_true(kept.come);
}

static void bytes_of_any_kind_go_through(void **state)
{
    struct fixture *fixture = *state;
    size_t length = 1024 * 1024;
    char *bytes = malloc(length);
    struct answer set = {0};

    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 31 % 256);
    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    struct slice words[3] = {SLICE("SET"), SLICE("a\0b\r\n"), {bytes, length}};
    assert_true(redis_command(fixture->redis, words, 3, 0, on_answer, &set));
    assert_true(loop_until(&fixture->loop, has_come, &set, 3000));

    redisReply *reply = server_do(&fixture->server, "GET %b", "a\0b\r\n", (size_t)5);
    assert_int_equal(reply->len, length);
    assert_memory_equal(reply->str, bytes, length);
    freeReplyObject(reply);
    free(bytes);
}

static void array_items_are_given_one_by_one(void **state)
{
    redisReader *reader = redisReaderCreate();
    static const char bytes[] = "*4\r\n$1\r\na\r\n:7\r\n*1\r\n$-1\r\n-ERR no\r\n";
    void *found = NULL;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) { /* also byte by byte */
        assert_null(found);
        redisReaderFeed(reader, bytes + i, 1);
        assert_int_equal(redisReaderGetReply(reader, &found), 0);
    }
    assert_non_null(found);
    struct redis_reply array = redis_reply_of(found);
    assert_int_equal(array.type, REDIS_ARRAY);
    assert_int_equal(array.count, 4);
    assert_int_equal(redis_item(&array, 0).type, REDIS_STRING);
    assert_int_equal(redis_item(&array, 1).integer, 7);
    struct redis_reply inner = redis_item(&array, 2);
    assert_int_equal(redis_item(&inner, 0).type, REDIS_NIL);
    struct redis_reply error = redis_item(&array, 3);
    assert_true(redis_reply_is_error(&error, "ERR"));
    assert_false(redis_reply_is_error(&error, "ERR no more"));
    freeReplyObject(found);
    redisReaderFree(reader);
}

static void refused_connect_is_reported_and_tried_again(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, false);
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    link_to(fixture, url);
    loop_for(&fixture->loop, 400);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "Connection refused"));
    assert_true(fixture->redis->attempts >= 3);
    close(fd);
}

static void missing_socket_is_tried_until_it_is_there(void **state)
{
    struct fixture *fixture = *state;

    server_kill(&fixture->server);
    link_to(fixture, fixture->server.url);
    loop_for(&fixture->loop, 100);
    assert_int_equal(fixture->ups, 0);
    server_launch(&fixture->server);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
}

static void silent_peer_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, true);
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    link_to(fixture, url);
    loop_for(&fixture->loop, 1000);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "no answer in time"));
    close(fd);
}

static void unknown_host_is_reported(void **state)
{
    struct fixture *fixture = *state;

    link_to(fixture, "redis://no.such.host.invalid");
    loop_for(&fixture->loop, 600);
    assert_int_equal(fixture->ups, 0);
    const char *lines = logged(fixture);
    assert_true(strstr(lines, "host name") != NULL || strstr(lines, "too long") != NULL);
}

static void stopped_server_gives_unknown_then_link_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct answer late = {.up = true}, after = {0};

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    kill(fixture->server.pid, SIGSTOP);
    late.ask_in_callback = fixture->redis;
    assert_true(send_words(fixture, &late, "INCR", "n", NULL));
    assert_true(loop_until(&fixture->loop, has_come, &late, 3000));
    assert_int_equal(late.type, REDIS_UNKNOWN);
    assert_false(late.up);
    assert_int_equal(fixture->downs, 1);
    assert_false(redis_is_up(fixture->redis));

    kill(fixture->server.pid, SIGCONT);
    assert_true(loop_until(&fixture->loop, is_up_twice, fixture, 6000));
    assert_true(send_words(fixture, &after, "PING", NULL, NULL));
    assert_true(loop_until(&fixture->loop, has_come, &after, 3000));
    assert_string_equal(after.text, "PONG");
}

static void killed_server_gives_unknown_and_its_successor_is_another(void **state)
{
    struct fixture *fixture = *state;
    struct answer blocked = {.up = true};
    char first[41];
    struct slice words[3] = {SLICE("BLPOP"), SLICE("none"), SLICE("0")};

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    strcpy(first, fixture->seen.run_id);
    blocked.ask_in_callback = fixture->redis;
    assert_true(redis_command(fixture->redis, words, 3, 60000, on_answer, &blocked));
    loop_for(&fixture->loop, 50);
    server_kill(&fixture->server);
    assert_true(loop_until(&fixture->loop, is_down, fixture, 3000));
    assert_int_equal(blocked.type, REDIS_UNKNOWN);
    assert_false(blocked.up);
    server_launch(&fixture->server);
    assert_true(loop_until(&fixture->loop, is_up_twice, fixture, 6000));
    assert_string_not_equal(first, fixture->seen.run_id);
}

static void blocking_command_has_its_own_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct answer blocked = {0};
    struct slice words[3] = {SLICE("BLPOP"), SLICE("none"), SLICE("0.6")};

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    assert_true(redis_command(fixture->redis, words, 3, 2000, on_answer, &blocked));
    assert_true(loop_until(&fixture->loop, has_come, &blocked, 3000));
    assert_int_equal(blocked.type, REDIS_NIL);
    assert_int_equal(fixture->downs, 0);
}

static void replica_is_not_used_until_it_is_promoted(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, false);

    server_run(&fixture->server, "REPLICAOF 127.0.0.1 %d", port);
    link_to(fixture, fixture->server.url);
    loop_for(&fixture->loop, 200);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "replica"));
    server_run(&fixture->server, "REPLICAOF NO ONE");
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    close(fd);
}

static void readonly_answer_ends_the_link(void **state)
{
    struct fixture *fixture = *state;
    struct answer refused = {0};
    int port, fd = bind_loopback(&port, false);

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    server_run(&fixture->server, "REPLICAOF 127.0.0.1 %d", port);
    assert_true(send_words(fixture, &refused, "SET", "k", "v"));
    assert_true(loop_until(&fixture->loop, is_down, fixture, 3000));
    assert_int_equal(refused.type, REDIS_ERROR);
    assert_int_equal(strncmp(refused.text, "READONLY", 8), 0);
    server_run(&fixture->server, "REPLICAOF NO ONE");
    assert_true(loop_until(&fixture->loop, is_up_twice, fixture, 6000));
    close(fd);
}

static void idle_link_notices_that_the_role_changed(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, false);

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    server_run(&fixture->server, "REPLICAOF 127.0.0.1 %d", port);
    assert_true(loop_until(&fixture->loop, is_down, fixture, 8000));
    close(fd);
}

static void wrong_password_is_reported_without_it(void **state)
{
    struct fixture *fixture = *state;
    char url[200];

    server_run(&fixture->server, "CONFIG SET requirepass swordfish");
    snprintf(url, sizeof(url), "unix://:hunter2@%s", fixture->server.socket);
    link_to(fixture, url);
    loop_for(&fixture->loop, 200);
    assert_int_equal(fixture->ups, 0);
    const char *lines = logged(fixture);
    assert_non_null(strstr(lines, "refused"));
    assert_null(strstr(lines, "hunter2"));
}

static void user_password_database_and_name_are_used(void **state)
{
    struct fixture *fixture = *state;
    struct answer set = {0};
    char url[200];

    server_run(&fixture->server, "ACL SETUSER node on >secret ~* +@all");
    snprintf(url, sizeof(url), "unix://node:secret@%s?db=2", fixture->server.socket);
    link_to(fixture, url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    assert_true(send_words(fixture, &set, "SET", "k", "v"));
    assert_true(loop_until(&fixture->loop, has_come, &set, 3000));
    server_run(&fixture->server, "SELECT 2");
    assert_int_equal(server_number(&fixture->server, "EXISTS k"), 1);
    redisReply *clients = server_do(&fixture->server, "CLIENT LIST");
    assert_non_null(strstr(clients->str, "name=test"));
    assert_non_null(strstr(clients->str, "user=node"));
    freeReplyObject(clients);
}

static void risky_settings_are_warned_about(void **state)
{
    struct fixture *fixture = *state;

    server_run(&fixture->server, "CONFIG SET maxmemory-policy allkeys-lru");
    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    const char *lines = logged(fixture);
    assert_non_null(strstr(lines, "maxmemory-policy"));
    assert_non_null(strstr(lines, "appendonly"));
}

static void protocol_rubbish_ends_the_link(void **state)
{
    struct fixture *fixture = *state;
    int port, fd = bind_loopback(&port, true);
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    link_to(fixture, url);
    loop_for(&fixture->loop, 50);
    int peer = accept(fd, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(write(peer, "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
    loop_for(&fixture->loop, 100);
    assert_int_equal(fixture->ups, 0);
    assert_non_null(strstr(logged(fixture), "Protocol error"));
    close(peer);
    close(fd);
}

static void link_may_be_closed_in_a_callback(void **state)
{
    struct fixture *fixture = *state;
    struct answer first = {0}, second = {0};

    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    first.close_in_callback = fixture->redis;
    assert_true(send_words(fixture, &first, "PING", NULL, NULL));
    assert_true(send_words(fixture, &second, "PING", NULL, NULL));
    loop_for(&fixture->loop, 50);
    assert_true(first.come);
    assert_false(second.come); /* closed: no callback comes any more */
    assert_int_equal(fixture->downs, 0);
    fixture->redis = NULL;
}

static void link_may_be_closed_at_any_time(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned turns = 0; turns < 30; turns++) {
        link_to(fixture, turns % 2 == 0 ? fixture->server.url : "redis://localhost:1");
        for (unsigned i = 0; i < turns / 2; i++)
            uv_run(&fixture->loop, UV_RUN_NOWAIT);
        redis_close(fixture->redis);
        fixture->redis = NULL;
        uv_run(&fixture->loop, UV_RUN_DEFAULT);
    }
}

/* --- scripts ----------------------------------------------------------------------------- */

static void script_is_named_as_redis_names_it(void **state)
{
    struct fixture *fixture = *state;
    char text[300];

    for (size_t length = 1; length < sizeof(text) - 1; length += 1 + length / 9) {
        struct redis_script script;
        memset(text, ' ', sizeof(text));
        memcpy(text, "--", length < 2 ? 0 : 2);
        text[length] = '\0';
        redis_script_init(&script, text);
        redisReply *reply = server_do(&fixture->server, "SCRIPT LOAD %s", text);
        assert_string_equal(script.sha, reply->str);
        freeReplyObject(reply);
    }
}

static void script_runs_whether_the_server_knows_it_or_not(void **state)
{
    struct fixture *fixture = *state;
    struct redis_script script;
    struct slice arguments[3] = {SLICE("n"), SLICE("5"), SLICE("x")};

    redis_script_init(&script, "#!lua\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])");
    link_to(fixture, fixture->server.url);
    assert_true(loop_until(&fixture->loop, is_up, fixture, 3000));
    for (int64_t round = 1; round <= 4; round++) {
        struct answer answer = {0};
        if (round == 3)
            server_run(&fixture->server, "SCRIPT FLUSH");
        assert_true(redis_run(fixture->redis, &script, 1, arguments, 3, on_answer, &answer));
        assert_true(loop_until(&fixture->loop, has_come, &answer, 3000));
        assert_int_equal(answer.type, REDIS_INTEGER);
        assert_int_equal(answer.integer, 5 * round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(urls_that_are_none_are_refused),
        cmocka_unit_test(urls_that_are_cut_do_no_harm),
        cmocka_unit_test(array_items_are_given_one_by_one),
        cmocka_unit_test_setup_teardown(bad_url_is_said_at_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(link_comes_up_and_answers, set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(flushed_commands_leave_before_the_turn_ends,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(bytes_of_any_kind_go_through, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(refused_connect_is_reported_and_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(missing_socket_is_tried_until_it_is_there,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(silent_peer_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_host_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_server_gives_unknown_then_link_comes_back,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(killed_server_gives_unknown_and_its_successor_is_another,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(blocking_command_has_its_own_deadline, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(replica_is_not_used_until_it_is_promoted,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(readonly_answer_ends_the_link, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(idle_link_notices_that_the_role_changed, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(wrong_password_is_reported_without_it, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(user_password_database_and_name_are_used,
                                        set_up_with_server, tear_down),
        cmocka_unit_test_setup_teardown(risky_settings_are_warned_about, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(protocol_rubbish_ends_the_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(link_may_be_closed_in_a_callback, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(link_may_be_closed_at_any_time, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(script_is_named_as_redis_names_it, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(script_runs_whether_the_server_knows_it_or_not,
                                        set_up_with_server, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
