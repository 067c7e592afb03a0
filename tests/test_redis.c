/* A link to Redis while the server is well: its address, commands and their answers, scripts. */
#include "tests/redis_link.h"

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
        cmocka_unit_test_setup_teardown(blocking_command_has_its_own_deadline, set_up_with_server,
                                        tear_down),
        cmocka_unit_test_setup_teardown(user_password_database_and_name_are_used,
                                        set_up_with_server, tear_down),
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
