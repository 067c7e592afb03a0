/* bench/consume.c: what is popped, and a Redis that is not as it should be. */
#include "bench/link.h"
#include "tests/consume_world.h"

static long long zset_length(void)
{
    return server_number(&server, "ZCARD tasks");
}

/* --- pops ------------------------------------------------------------------------------------ */

static void tasks_of_a_zset_come_out_by_rank(void **state)
{
    struct world *world = *state;

    for (int n = 1; n <= 200; n++)
        server_run(&server, "ZADD tasks %d {\"email\":\"visitor-t-%d@h\"}", 1000 - n, n);
    open_consumers(world);
    await_pops(world, 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(world->pops[i].key, 200 - i);
        assert_int_equal(world->pops[i].delivery, 1);
        assert_false(world->pops[i].strange);
    }
    assert_int_equal(consume_popped(world->consume), 200);
    assert_int_equal(zset_length(), 0);
}

static void a_list_is_popped_from_the_end_that_is_asked_for(void **state)
{
    struct world *world = *state;

    world->target.shape = TARGET_LIST;
    for (int left = 0; left <= 1; left++) {
        world->target.pop_left = left;
        world->count = 0;
        for (int n = 1; n <= 100; n++)
            server_run(&server,
                       left ? "RPUSH tasks {\"email\":\"visitor-t-%d@h\"}"
                            : "LPUSH tasks {\"email\":\"visitor-t-%d@h\"}",
                       n);
        open_consumers(world);
        await_pops(world, 100);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(world->pops[i].key, i + 1);
        close_consumers(world);
    }
}

static void a_job_of_bullmq_is_found_by_its_id_and_removed(void **state)
{
    struct world *world = *state;

    world->target.shape = TARGET_BULLMQ;
    snprintf(world->target.key, sizeof(world->target.key), "bull:optins:");
    for (int n = 1; n <= 70; n++) {
        server_run(&server, "HSET bull:optins:%d name optin data {\"email\":\"visitor-t-%d@h\"}", n,
                   n + 1000);
        server_run(&server, "LPUSH bull:optins:wait %d", n);
    }
    server_run(&server, "LPUSH bull:optins:wait nobody");
    open_consumers(world);
    await_pops(world, 71);
    for (size_t i = 0; i < 70; i++)
        assert_int_equal(world->pops[i].key, i + 1001);
    assert_true(world->pops[70].strange);
    assert_int_equal(server_number(&server, "DBSIZE"), 0);
}

static void the_moment_is_that_of_the_reply(void **state)
{
    struct world *world = *state;

    open_consumers(world);
    loop_for(&world->loop, 20);
    uint64_t before_ns = uv_hrtime();
    server_run(&server,
               "ZADD tasks 1 {\"email\":\"visitor-t-1@h\"} 2 {\"email\":\"visitor-t-2@h\"}");
    uint64_t after_ns = uv_hrtime();
    await_pops(world, 2);
    uint64_t seen_ns = uv_hrtime();
    assert_in_range(world->pops[0].popped_ns, before_ns, seen_ns);
    /* It had been waiting: what lies between is a wake-up, not the hand-over or the block. */
    assert_true(world->pops[0].popped_ns < after_ns + 100000000);
    assert_int_equal(world->pops[0].popped_ns, world->pops[1].popped_ns);
}

static void a_task_of_somebody_else_is_strange(void **state)
{
    struct world *world = *state;

    server_run(&server, "ZADD tasks 1 other");
    open_consumers(world);
    await_pops(world, 1);
    assert_true(world->pops[0].strange);
}

static void a_later_delivery_is_said(void **state)
{
    struct world *world = *state;

    server_run(&server, "ZADD tasks 1 %s",
               "{\"id\":\"tsk_1\",\"delivery\":17,\"optin\":\"opt_4\",\"context\":{\"delivery\":3},"
               "\"report\":\"reports\"}");
    world->target.kind = TARGET_HOTLEAD;
    open_consumers(world);
    await_pops(world, 1);
    assert_int_equal(world->pops[0].delivery, 17);
    assert_int_equal(world->pops[0].key, target_key(SLICE("opt_4")));
}

static void several_consumers_lose_and_double_nothing(void **state)
{
    struct world *world = *state;
    static bool seen[10000];

    memset(seen, 0, sizeof(seen));
    world->options.consumers = 4;
    world->options.at_once = 7;
    open_consumers(world);
    for (int n = 0; n < 10000; n++)
        redisAppendCommand(server.client, "ZADD tasks %d {\"email\":\"visitor-t-%d@h\"}", n, n);
    for (int n = 0; n < 10000; n++) {
        void *reply = NULL;
        assert_int_equal(redisGetReply(server.client, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    await_pops(world, 10000);
    for (size_t i = 0; i < 10000; i++) {
        assert_false(seen[world->pops[i].key]);
        seen[world->pops[i].key] = true;
    }
    assert_int_equal(world->count, 10000);
}

static void closing_hands_over_what_is_left(void **state)
{
    struct world *world = *state;

    for (int n = 0; n < 100; n++)
        server_run(&server, "ZADD tasks %d {\"email\":\"visitor-t-%d@h\"}", n, n);
    open_consumers(world);
    /* The loop does not run: nothing is handed over before the close. */
    for (int tries = 0; tries < 1000 && zset_length() > 0; tries++)
        usleep(1000);
    assert_int_equal(world->count, 0);
    consume_close(world->consume);
    world->consume = NULL;
    assert_int_equal(world->count, 100);
}

static void who_consumes_nothing_leaves_the_backlog(void **state)
{
    struct world *world = *state;

    world->options.mode = CONSUME_NOTHING;
    server_run(&server, "ZADD tasks 1 {\"email\":\"visitor-t-1@h\"}");
    open_consumers(world);
    loop_for(&world->loop, 20);
    close_consumers(world);
    assert_int_equal(zset_length(), 1);
    world->target.shape = TARGET_NOWHERE;
    world->target.redis_url[0] = '\0'; /* a floor has none */
    world->options.mode = CONSUME_POP;
    open_consumers(world);
}

/* --- a Redis that goes ----------------------------------------------------------------------- */

static bool reconnected(void *owner)
{
    const struct world *world = owner;
    return consume_reconnects(world->consume) > 0;
}

static void a_consumer_outlives_its_redis(void **state)
{
    struct world *world = *state;

    server_run(&server, "ZADD tasks 1 {\"email\":\"visitor-t-1@h\"}");
    open_consumers(world);
    await_pops(world, 1);
    server_kill(&server);
    assert_true(loop_until(&world->loop, reconnected, world, 5000));
    server_launch(&server);
    server_run(&server, "ZADD tasks 1 {\"email\":\"visitor-t-2@h\"}");
    await_pops(world, 2);
    assert_int_equal(world->pops[1].key, 2);
    assert_int_equal(consume_reconnects(world->consume), 1);
}

static void a_stalled_redis_does_not_hold_the_end_up(void **state)
{
    struct world *world = *state;

    open_consumers(world);
    loop_for(&world->loop, 20);
    kill(server.pid, SIGSTOP);
    uint64_t before_ns = uv_hrtime();
    close_consumers(world);
    uint64_t took_ns = uv_hrtime() - before_ns;
    kill(server.pid, SIGCONT);
    assert_true(took_ns < 1500000000);
}

static void a_queue_of_another_type_is_refused_and_tried_again(void **state)
{
    struct world *world = *state;

    server_run(&server, "SET tasks text");
    open_consumers(world);
    for (int tries = 0; tries < 1000 && consume_refused(world->consume) == 0; tries++)
        usleep(1000);
    assert_true(consume_refused(world->consume) > 0);
    server_run(&server, "DEL tasks");
    server_run(&server, "ZADD tasks 1 {\"email\":\"visitor-t-5@h\"}");
    await_pops(world, 1);
}

static void who_cannot_connect_is_told_why(void **state)
{
    struct world *world = *state;
    const char *why = NULL;

    snprintf(world->target.redis_url, sizeof(world->target.redis_url), "unix:///nowhere/s");
    assert_status(consume_open(&world->options, &world->consume, &why), STATUS_BUSY);
    assert_non_null(strstr(why, "No such file"));
    snprintf(world->target.redis_url, sizeof(world->target.redis_url), "localhost");
    assert_status(consume_open(&world->options, &world->consume, &why), STATUS_INVALID);
    assert_non_null(strstr(why, "redis://"));
}

static void the_database_and_the_password_of_the_address_are_used(void **state)
{
    struct world *world = *state;

    server_run(&server, "ACL SETUSER dialer on >p@ss ~* +@all");
    snprintf(world->target.redis_url, sizeof(world->target.redis_url),
             "unix://dialer:p%%40ss@%s?db=3", server.socket);
    server_run(&server, "SELECT 3");
    server_run(&server, "ZADD tasks 1 {\"email\":\"visitor-t-8@h\"}");
    server_run(&server, "SELECT 0");
    open_consumers(world);
    await_pops(world, 1);
    assert_int_equal(world->pops[0].key, 8);
}

static void addresses_are_read_as_redis_cli_does(void **state)
{
    struct link_address address;

    (void)state;
    assert_true(link_address_parse("redis://127.0.0.1", &address));
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 6379);
    assert_true(link_address_parse("redis://user:se%2Fcret@[::1]:6400/2", &address));
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 6400);
    assert_string_equal(address.user, "user");
    assert_string_equal(address.password, "se/cret");
    assert_int_equal(address.database, 2);
    assert_true(link_address_parse("redis://:word@host/", &address));
    assert_string_equal(address.user, "");
    assert_string_equal(address.password, "word");
    assert_true(link_address_parse("unix:///run/redis.sock?db=4", &address));
    assert_string_equal(address.path, "/run/redis.sock");
    assert_int_equal(address.database, 4);

    static const char *const wrong[] = {"",
                                        "localhost:6379",
                                        "rediss://host",
                                        "redis://",
                                        "redis://:6379",
                                        "redis://host:",
                                        "redis://host:0",
                                        "redis://host:70000",
                                        "redis://host:6379x",
                                        "redis://[::1:6379",
                                        "redis://[::1]6379",
                                        "redis://host/x",
                                        "redis://word@host",
                                        "unix://relative",
                                        "unix:///s?db="};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (link_address_parse(wrong[i], &address))
            fail_msg("'%s' was taken for an address", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tasks_of_a_zset_come_out_by_rank),
        TEST(a_list_is_popped_from_the_end_that_is_asked_for),
        TEST(a_job_of_bullmq_is_found_by_its_id_and_removed),
        TEST(the_moment_is_that_of_the_reply),
        TEST(a_task_of_somebody_else_is_strange),
        TEST(a_later_delivery_is_said),
        TEST(several_consumers_lose_and_double_nothing),
        TEST(closing_hands_over_what_is_left),
        TEST(who_consumes_nothing_leaves_the_backlog),
        TEST(a_consumer_outlives_its_redis),
        TEST(a_stalled_redis_does_not_hold_the_end_up),
        TEST(a_queue_of_another_type_is_refused_and_tried_again),
        TEST(who_cannot_connect_is_told_why),
        TEST(the_database_and_the_password_of_the_address_are_used),
        cmocka_unit_test(addresses_are_read_as_redis_cli_does),
    };
    return cmocka_run_group_tests(tests, start_redis, end_redis);
}
