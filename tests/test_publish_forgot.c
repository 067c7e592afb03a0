/* A Redis that forgets, is full, forbids, or has keys that somebody wrote over. */
#include "tests/outlet.h"

/* --- a Redis that forgets ---------------------------------------------------------------- */

static void flushall_on_an_idle_queue_brings_all_back(void **state)
{
    (void)state;
    outlet_meet();
    for (uint64_t person = 1; person <= 400; person++)
        outlet_put_in(1, person, person);
    outlet_flush();
    outlet_catch_up();
    outlet_drop(7);
    outlet_catch_up();
    unsigned forgot = outlet->forgot_count;
    server_run(&outlet->server, "FLUSHALL");
    uint64_t start_ns = uv_hrtime();
    while (server_number(&outlet->server, "ZCARD %s", OUTLET_TASKS) != 399 &&
           uv_hrtime() - start_ns < 3000000000ull)
        outlet_for(20);
    assert_int_equal(server_number(&outlet->server, "ZCARD %s", OUTLET_TASKS), 399);
    assert_int_equal(outlet_mark(), 401);
    assert_true(outlet->forgot_count > forgot);
    assert_true(stats_count(outlet->stats, STATS_REDIS_REWINDS) > 0);
}

static void lost_mark_alone_neither_loses_nor_doubles(void **state)
{
    (void)state;
    outlet_meet();
    for (uint64_t person = 1; person <= 3; person++)
        outlet_put(person, 100 * person);
    outlet_catch_up();
    server_run(&outlet->server, "DEL %s", OUTLET_MARK);
    outlet_put(4, 400);
    assert_queue("1 2 3 4", 3000);
    assert_int_equal(outlet_mark(), 4);
    outlet_for(150);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2 3 4");
}

static void lost_mark_of_a_long_list_does_not_double_it(void **state)
{
    (void)state;
    outlet_meet();
    for (uint64_t person = 1; person <= 600; person++)
        outlet_put_in(1, person, person);
    outlet_flush();
    outlet_catch_up();
    unsigned popped = outlet->popped_count;
    server_run(&outlet->server, "DEL %s", OUTLET_MARK);
    outlet_for(400);
    outlet_catch_up();
    assert_int_equal(server_number(&outlet->server, "LLEN %s", OUTLET_TASKS), 600);
    assert_int_equal(outlet_mark(), 600);
    /* While it was half rewritten, nothing in it counted as gone. */
    if (outlet->popped_count > popped)
        assert_int_equal(outlet->popped.popped.rank_ms, 1);
}

static void older_snapshot_is_brought_up_to_date(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    server_run(&outlet->server, "SAVE");
    outlet_put(3, 300);
    outlet_drop(1);
    outlet_catch_up();
    server_kill(&outlet->server); /* loses 3 and the withdrawal of 1 */
    server_launch(&outlet->server);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2");
    assert_queue("2 3", 6000);
    assert_int_equal(outlet_mark(), 4);
    assert_true(stats_count(outlet->stats, STATS_REDIS_REWINDS) > 0);
    assert_true(outlet->forgot_count > 0);
}

/* The mark is right, but bears the name of the process before. */
static void forgotten_take_over_is_no_second_writer(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "SAVE");
    outlet_stop();
    outlet_meet();
    outlet_for(250);
    server_kill(&outlet->server);
    server_launch(&outlet->server);
    assert_true(outlet_until(outlet_is_up, NULL, 6000));
    outlet_put(2, 200);
    assert_queue("1 2", 3000);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 0);
}

static void lost_tail_under_the_same_connection_is_seen_by_a_push(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    redisReply *mark = server_do(&outlet->server, "GET %s", OUTLET_MARK);
    server_run(&outlet->server, "SET %s 1%s", OUTLET_MARK, mark->str + 1);
    freeReplyObject(mark);
    server_run(&outlet->server, "ZPOPMAX %s", OUTLET_TASKS);
    outlet_put(3, 300);
    assert_queue("1 2 3", 3000);
}

static void scripts_that_redis_forgot_are_sent_again(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "SCRIPT FLUSH");
    outlet_put(2, 200);
    assert_queue("1 2", 3000);
}

static void push_of_unknown_outcome_is_neither_lost_nor_doubled(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    kill(outlet->server.pid, SIGSTOP);
    outlet_put(2, 200); /* sits in the socket, and will be run when Redis goes on */
    assert_true(outlet_until(outlet_is_down, NULL, 8000));
    outlet_put(3, 300);
    kill(outlet->server.pid, SIGCONT);
    assert_queue("1 2 3", 8000);
    outlet_for(300);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2 3");
    assert_int_equal(outlet_mark(), 3);
}

static void full_redis_gets_it_when_there_is_room(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "CONFIG SET maxmemory 1");
    outlet_put(2, 200);
    outlet_for(300);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1");
    assert_non_null(strstr(outlet_logged(), "OOM"));
    server_run(&outlet->server, "CONFIG SET maxmemory 0");
    assert_queue("1 2", 3000);
}

static bool is_refused(void *owner)
{
    (void)owner;
    return publish_trouble(outlet->publish) != NULL;
}

static bool is_well(void *owner)
{
    return !is_refused(owner);
}

/* In words for an operator, counted, and over when it is over. */
static void refusals_are_told_until_they_end(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "CONFIG SET maxmemory 1");
    outlet_put(2, 200);
    assert_true(outlet_until(is_refused, NULL, 3000));
    assert_non_null(strstr(publish_trouble(outlet->publish), "Redis is full"));
    assert_int_equal(stats_value(outlet->stats, STATS_GAUGE_QUEUES_REFUSED), 1);
    outlet_for(1500);
    assert_in_range(stats_count(outlet->stats, STATS_REDIS_REFUSED_MEMORY), 3, 8); /* not 15 */
    server_run(&outlet->server, "CONFIG SET maxmemory 0");
    assert_queue("1 2", 3000);
    assert_true(outlet_until(is_well, NULL, 3000));
    assert_int_equal(stats_value(outlet->stats, STATS_GAUGE_QUEUES_REFUSED), 0);
}

static void missing_permission_is_told(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "ACL SETUSER default -evalsha -eval");
    outlet_put(2, 200);
    assert_true(outlet_until(is_refused, NULL, 3000));
    assert_non_null(strstr(publish_trouble(outlet->publish), "ACL"));
    assert_non_null(strstr(outlet_logged(), "NOPERM"));
    server_run(&outlet->server, "ACL SETUSER default +@all");
    assert_queue("1 2", 3000);
    assert_true(outlet_until(is_well, NULL, 3000));

    server_run(&outlet->server, "ACL SETUSER default -zadd"); /* which the script calls */
    outlet_put(3, 300);
    assert_true(outlet_until(is_refused, NULL, 3000));
    assert_non_null(strstr(publish_trouble(outlet->publish), "ACL"));
    server_run(&outlet->server, "ACL SETUSER default +@all");
    assert_queue("1 2 3", 3000);
    assert_true(outlet_until(is_well, NULL, 3000));

    server_run(&outlet->server, "ACL SETUSER default -get");
    assert_true(outlet_until(is_refused, NULL, 3000)); /* the look, with nothing to push */
    server_run(&outlet->server, "ACL SETUSER default +@all");
    assert_true(outlet_until(is_well, NULL, 3000));
}

/* --- keys that somebody wrote over ------------------------------------------------------- */

static void overwritten_mark_is_taken_over(void **state)
{
    static const char *const writes[] = {"SET %s rubbish", "SET %s 7", "RPUSH %s 1"};

    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    for (uint64_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        server_run(&outlet->server, "DEL %s", OUTLET_MARK);
        server_run(&outlet->server, writes[i], OUTLET_MARK);
        outlet_for(300);
        redisReply *mark = server_do(&outlet->server, "GET %s", OUTLET_MARK);
        assert_int_equal(mark->type, REDIS_REPLY_STRING);
        assert_int_equal(strncmp(mark->str, "1 ", 2), 0);
        freeReplyObject(mark);
    }
    outlet_put(2, 200);
    assert_queue("1 2", 3000);
    assert_non_null(strstr(outlet_logged(), "overwritten"));
    assert_null(publish_trouble(outlet->publish));
}

static void overwritten_mark_is_taken_over_at_a_start(void **state)
{
    (void)state;
    server_run(&outlet->server, "HSET %s a b", OUTLET_MARK);
    outlet_put(1, 100);
    outlet_launch();
    assert_queue("1", 3000);
    assert_int_equal(outlet_mark(), 1);
}

static void queue_whose_key_is_of_another_type_waits_alone(void **state)
{
    (void)state;
    outlet_meet();
    server_run(&outlet->server, "SET %s nonsense", OUTLET_TASKS);
    outlet_put(1, 100);
    outlet_put_in(2, 9, 100);
    outlet_flush();
    outlet_for(400);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS2), "9");
    assert_non_null(strstr(publish_trouble(outlet->publish), "another type"));
    assert_non_null(strstr(outlet_logged(), "acme.calls"));
    assert_true(stats_count(outlet->stats, STATS_REDIS_REFUSED_TYPE) > 0);
    assert_int_equal(stats_value(outlet->stats, STATS_GAUGE_QUEUES_REFUSED), 1);
    server_run(&outlet->server, "DEL %s", OUTLET_TASKS);
    assert_queue("1", 3000);
    assert_true(outlet_until(is_well, NULL, 3000));
}

/* Nothing is to be pushed: the look notices. */
static void idle_queue_that_became_of_another_type_is_told(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "DEL %s", OUTLET_TASKS);
    server_run(&outlet->server, "RPUSH %s x", OUTLET_TASKS);
    assert_true(outlet_until(is_refused, NULL, 3000));
    server_run(&outlet->server, "DEL %s", OUTLET_TASKS);
    assert_true(outlet_until(is_well, NULL, 3000));
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(flushall_on_an_idle_queue_brings_all_back),
        TEST(lost_mark_alone_neither_loses_nor_doubles),
        LIST_TEST(lost_mark_alone_neither_loses_nor_doubles),
        LIST_TEST(lost_mark_of_a_long_list_does_not_double_it),
        TEST(older_snapshot_is_brought_up_to_date),
        TEST(forgotten_take_over_is_no_second_writer),
        TEST(lost_tail_under_the_same_connection_is_seen_by_a_push),
        TEST(scripts_that_redis_forgot_are_sent_again),
        LIST_TEST(push_of_unknown_outcome_is_neither_lost_nor_doubled),
        TEST(full_redis_gets_it_when_there_is_room),
        TEST(refusals_are_told_until_they_end),
        TEST(missing_permission_is_told),
        TEST(overwritten_mark_is_taken_over),
        TEST(overwritten_mark_is_taken_over_at_a_start),
        TEST(queue_whose_key_is_of_another_type_waits_alone),
        TEST(idle_queue_that_became_of_another_type_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
