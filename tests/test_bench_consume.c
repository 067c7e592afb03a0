#include "bench/consume.h"

#include <time.h>

#include "bench/consume_internal.h"
#include "bench/link.h"
#include "redis_server.h"
#include "unit.h"

static struct server server;

#define POPS_MAX 20000

struct world {
    uv_loop_t loop;
    struct target target;
    struct consume_options options;
    struct consume *consume;
    struct consume_pop pops[POPS_MAX];
    size_t count, wanted;
};

static void on_popped(void *owner, const struct consume_pop *pops, size_t count)
{
    struct world *world = owner;

    MUST(world->count + count <= POPS_MAX);
    memcpy(world->pops + world->count, pops, count * sizeof(*pops));
    world->count += count;
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    MUST(world != NULL && uv_loop_init(&world->loop) == 0);
    server_run(&server, "FLUSHALL");
    snprintf(world->target.redis_url, sizeof(world->target.redis_url), "%s", server.url);
    snprintf(world->target.key, sizeof(world->target.key), "tasks");
    world->target.kind = TARGET_PEER;
    world->options = (struct consume_options){.loop = &world->loop,
                                              .target = &world->target,
                                              .consumers = 1,
                                              .on_popped = on_popped,
                                              .owner = world};
    *state = world;
    return 0;
}

static void open_consumers(struct world *world)
{
    const char *why = NULL;

    assert_status(consume_open(&world->options, &world->consume, &why), STATUS_OK);
}

static void close_consumers(struct world *world)
{
    if (world->consume != NULL)
        consume_close(world->consume);
    world->consume = NULL;
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

static int tear_down(void **state)
{
    struct world *world = *state;

    close_consumers(world);
    MUST(uv_loop_close(&world->loop) == 0);
    free(world);
    return 0;
}

static bool enough(void *owner)
{
    const struct world *world = owner;
    return world->count >= world->wanted;
}

static void await_pops(struct world *world, size_t wanted)
{
    world->wanted = wanted;
    if (!loop_until(&world->loop, enough, world, 5000))
        fail_msg("%zu of %zu were popped", world->count, wanted);
}

static bool reports_taken(void *owner)
{
    const struct world *world = owner;
    return consume_reported(world->consume) >= world->wanted;
}

static void await_reports(struct world *world, size_t wanted)
{
    world->wanted = wanted;
    assert_true(loop_until(&world->loop, reports_taken, world, 5000));
}

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

/* --- reports --------------------------------------------------------------------------------- */

static void assert_report(const redisReply *entry, const char *expected)
{
    const redisReply *fields = entry->element[1];
    char line[512] = "";

    for (size_t i = 0; i < fields->elements; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", i ? " " : "",
                 fields->element[i]->str);
    assert_string_equal(line, expected);
}

static void each_task_is_claimed_and_ended_with_a_conversation(void **state)
{
    struct world *world = *state;

    world->target.kind = TARGET_HOTLEAD;
    world->options.mode = CONSUME_REPORT;
    for (int n = 1; n <= 3; n++)
        server_run(
            &server,
            "ZADD tasks %d "
            "{\"id\":\"tsk_%d\",\"delivery\":%d,\"optin\":\"opt_%d\",\"report\":\"rep:{q}\"}",
            n, n, n, n);
    open_consumers(world);
    await_pops(world, 3);
    await_reports(world, 6);
    redisReply *stream = server_do(&server, "XRANGE rep:{q} - +");
    assert_int_equal(stream->elements, 6);
    assert_report(stream->element[0], "task tsk_1 delivery 1 op claim agent bench-1");
    assert_report(stream->element[1],
                  "task tsk_1 delivery 1 op outcome outcome conversation agent bench-1");
    assert_report(stream->element[4], "task tsk_3 delivery 3 op claim agent bench-1");
    freeReplyObject(stream);
}

static void what_a_visitor_said_does_not_lead_a_report_astray(void **state)
{
    struct task_head head;
    struct slice task =
        SLICE("{\"v\":1,\"id\":\"tsk_A\",\"delivery\":2,\"name\":\"\\\"report\\\":\\\"x\\\"\","
              "\"context\":{\"fields\":{\"report\":\"other\",\"id\":\"tsk_B\",\"delivery\":9}},"
              "\"report\":\"hl:{q}:reports:n1\",\"traceparent\":null}");

    (void)state;
    assert_true(task_head_read(task, &head));
    assert_slice(head.id, "tsk_A");
    assert_slice(head.report, "hl:{q}:reports:n1");
    assert_int_equal(head.delivery, 2);
}

static void a_cut_task_is_no_task(void **state)
{
    const char *whole = "{\"v\":1,\"id\":\"tsk_A\",\"delivery\":2,\"report\":\"r\"";
    struct task_head head;

    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char *exact = malloc(length + 1); /* a byte too far is seen by the sanitizer */
        memcpy(exact, whole, length);
        assert_false(task_head_read((struct slice){exact, length}, &head));
        free(exact);
    }
    assert_true(task_head_read(slice_of(whole), &head));
}

static void a_refused_report_is_counted(void **state)
{
    struct world *world = *state;

    world->target.kind = TARGET_HOTLEAD;
    world->options.mode = CONSUME_REPORT;
    server_run(&server, "SET rep text");
    server_run(
        &server,
        "ZADD tasks 1 {\"id\":\"tsk_1\",\"delivery\":1,\"optin\":\"opt_1\",\"report\":\"rep\"}");
    open_consumers(world);
    await_pops(world, 1);
    for (int tries = 0; tries < 1000 && consume_refused(world->consume) < 2; tries++)
        usleep(1000);
    assert_int_equal(consume_refused(world->consume), 2);
    assert_int_equal(consume_reported(world->consume), 0);
}

/* --- the robot ------------------------------------------------------------------------------- */

static void put_email(int n, uint64_t received_ms, uint64_t due_ms)
{
    server_run(&server,
               "ZADD hl:{acme.email}:tasks %d "
               "{\"id\":\"tsk_%d\",\"delivery\":1,\"optin\":\"opt_%d\",\"received_ms\":%d,"
               "\"deadline_ms\":9,\"not_before_ms\":%d,\"report\":\"rep:{email}\"}",
               n, n, n, (int)received_ms, (int)due_ms);
}

static void open_with_robot(struct world *world, enum consume_mode mode)
{
    world->target.kind = TARGET_HOTLEAD;
    strcpy(world->target.emails, "acme.email");
    world->options.mode = mode;
    open_consumers(world);
}

static bool emails_reported(void *owner)
{
    const struct world *world = owner;
    return consume_emails_reported(world->consume) >= world->wanted;
}

static void the_robot_takes_e_mails_and_says_that_they_were_sent(void **state)
{
    struct world *world = *state;

    for (int n = 1; n <= 250; n++)
        put_email(n, 1000, 1000);
    server_run(&server,
               "ZADD tasks 1 "
               "{\"id\":\"tsk_0\",\"delivery\":1,\"optin\":\"opt_0\",\"report\":\"rep:{q}\"}");
    open_with_robot(world, CONSUME_REPORT);
    await_pops(world, 251);
    world->wanted = 250;
    assert_true(loop_until(&world->loop, emails_reported, world, 5000));
    await_reports(world, 2);
    assert_int_equal(consume_popped(world->consume), 1);
    assert_int_equal(consume_emails_popped(world->consume), 250);
    assert_int_equal(consume_reported(world->consume), 2); /* of the call */
    for (size_t i = 0; i < 251; i++)
        assert_int_equal(world->pops[i].email, world->pops[i].key != target_key(SLICE("opt_0")));
    redisReply *stream = server_do(&server, "XRANGE rep:{email} - +");
    assert_int_equal(stream->elements, 250);
    assert_report(stream->element[249],
                  "task tsk_250 delivery 1 op outcome outcome delivered agent bench-robot");
    freeReplyObject(stream);
}

static void a_robot_that_only_pops_says_nothing(void **state)
{
    struct world *world = *state;

    put_email(1, 1000, 1000);
    open_with_robot(world, CONSUME_POP);
    await_pops(world, 1);
    close_consumers(world);
    assert_int_equal(server_number(&server, "EXISTS rep:{email}"), 0);
}

static void an_e_mail_of_the_moment_of_its_opt_in_is_told_from_a_later_one(void **state)
{
    struct world *world = *state;

    put_email(1, 1000, 1000);
    put_email(2, 1000, 1001);
    open_with_robot(world, CONSUME_POP);
    await_pops(world, 2);
    assert_true(world->pops[0].immediate);
    assert_false(world->pops[1].immediate);
}

static void what_a_visitor_said_makes_no_e_mail_immediate(void **state)
{
    (void)state;
    assert_false(
        task_is_immediate(SLICE("{\"context\":{\"fields\":{\"not_before_ms\":5}},\"received_ms\":5,"
                                "\"deadline_ms\":9,\"not_before_ms\":6,\"report\":\"r\"}")));
    assert_false(task_is_immediate(SLICE("{\"received_ms\":5}")));
}

/* What stands there waits until somebody takes it, so at once a robot would be busy with each. */
static void e_mails_that_come_one_by_one_are_taken_together(void **state)
{
    struct world *world = *state;

    open_with_robot(world, CONSUME_POP);
    for (int n = 1; n <= 500; n++)
        put_email(n, 1000, 1000);
    await_pops(world, 500);
    size_t moments = 1;
    for (size_t i = 1; i < world->count; i++)
        moments += world->pops[i].popped_ns != world->pops[i - 1].popped_ns;
    assert_in_range(moments, 5, 250);
}

static void without_consumers_there_is_no_robot_and_without_e_mails_either(void **state)
{
    struct world *world = *state;

    put_email(1, 1000, 1000);
    world->options.consumers = 0;
    open_with_robot(world, CONSUME_REPORT);
    loop_for(&world->loop, 20);
    close_consumers(world);
    world->options.consumers = 1;
    world->target.emails[0] = '\0';
    open_consumers(world);
    loop_for(&world->loop, 20);
    assert_int_equal(server_number(&server, "ZCARD hl:{acme.email}:tasks"), 1);
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

static int start_redis(void **state)
{
    (void)state;
    server_start(&server);
    return 0;
}

static int end_redis(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(each_task_is_claimed_and_ended_with_a_conversation),
        cmocka_unit_test(what_a_visitor_said_does_not_lead_a_report_astray),
        cmocka_unit_test(a_cut_task_is_no_task),
        TEST(a_refused_report_is_counted),
        TEST(the_robot_takes_e_mails_and_says_that_they_were_sent),
        TEST(a_robot_that_only_pops_says_nothing),
        TEST(an_e_mail_of_the_moment_of_its_opt_in_is_told_from_a_later_one),
        cmocka_unit_test(what_a_visitor_said_makes_no_e_mail_immediate),
        TEST(e_mails_that_come_one_by_one_are_taken_together),
        TEST(without_consumers_there_is_no_robot_and_without_e_mails_either),
        TEST(a_consumer_outlives_its_redis),
        TEST(a_stalled_redis_does_not_hold_the_end_up),
        TEST(a_queue_of_another_type_is_refused_and_tried_again),
        TEST(who_cannot_connect_is_told_why),
        TEST(the_database_and_the_password_of_the_address_are_used),
        cmocka_unit_test(addresses_are_read_as_redis_cli_does),
    };
    return cmocka_run_group_tests(tests, start_redis, end_redis);
}
