/* The outbox on its way into Redis: live, and from state. */
#include "tests/outlet.h"

/* --- the live feed ----------------------------------------------------------------------- */

static void puts_arrive_by_rank_before_state_has_committed_them(void **state)
{
    (void)state;
    outlet->holding_commits = true;
    outlet_meet();
    outlet_put(1, 300);
    outlet_put(2, 100);
    outlet_put(3, 200);
    assert_queue("2 3 1", 3000);
    assert_int_equal(outlet_mark(), 3);
}

static void dropped_task_is_never_seen_again(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    outlet_drop(1);
    assert_queue("2", 3000);
    assert_int_equal(outlet_mark(), 3);
}

static void put_and_drop_of_one_batch_leave_nothing(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_drop(1);
    outlet_put(2, 100);
    assert_queue("2", 3000);
}

static void many_puts_share_calls_of_256(void **state)
{
    (void)state;
    outlet_meet();
    for (uint64_t person = 1; person <= 600; person++)
        outlet_put_in(1, person, person);
    outlet_flush();
    outlet_catch_up();
    assert_int_equal(server_number(&outlet->server, "ZCARD %s", OUTLET_TASKS), 600);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_OPERATIONS), 600);
    assert_in_range(stats_count(outlet->stats, STATS_REDIS_PUSHES), 3, 5);
}

static void queues_are_kept_apart(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put_in(1, 1, 100);
    outlet_put_in(2, 2, 100);
    outlet_put_in(1, 3, 200);
    outlet_flush();
    outlet_catch_up();
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 3");
    assert_string_equal(outlet_queue_of(OUTLET_TASKS2), "2");
}

static void list_queue_is_a_row_in_order_of_puts(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 300);
    outlet_put(2, 100);
    outlet_put(3, 200);
    outlet_drop(2);
    assert_queue("1 3", 3000);
}

/* --- from state -------------------------------------------------------------------------- */

static void what_was_there_before_the_start_arrives(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_drop(1);
    outlet_launch();
    outlet_catch_up();
    assert_queue("2", 3000);
    assert_int_equal(outlet_mark(), 3);
}

static void nothing_is_lost_while_redis_is_away(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "SAVE");
    server_kill(&outlet->server);
    assert_true(outlet_until(outlet_is_down, NULL, 3000));
    assert_false(outlet->rendering); /* nobody renders for nothing */
    for (uint64_t person = 2; person <= 5; person++)
        outlet_put(person, 100 * person);
    outlet_drop(3);
    assert_true(publish_is_idle(outlet->publish)); /* a drain does not wait for it */
    server_launch(&outlet->server);
    assert_queue("1 2 4 5", 6000);
    assert_int_equal(outlet_mark(), 6);
}

static void more_than_memory_holds_arrives_once(void **state)
{
    (void)state;
    outlet->memory_max = 16384; /* about 150 members */
    outlet_meet();
    for (uint64_t person = 1; person <= 1000; person++) {
        outlet_put_in(1, person, person);
        if (person % 100 == 0)
            outlet_flush();
    }
    outlet_catch_up();
    assert_int_equal(server_number(&outlet->server, "LLEN %s", OUTLET_TASKS), 1000);
    redisReply *reply = server_do(&outlet->server, "LRANGE %s 0 -1", OUTLET_TASKS);
    for (uint64_t i = 0; i < 1000; i++) /* a list would show a double, and another order */
        assert_int_equal(outlet_number_of(reply->element[i]->str), i + 1);
    freeReplyObject(reply);
}

/* The buffer was dropped and state lags behind the live feed. */
static void what_state_has_not_committed_yet_is_waited_for(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* which commits, at the start */
    outlet->holding_commits = true;
    outlet->rendering = false; /* as while Redis was away */
    outlet_put(2, 200);
    outlet->rendering = true;
    outlet_put(3, 300);
    outlet_for(50);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1"); /* 3 alone would leave a gap */
    assert_false(publish_is_idle(outlet->publish));
    assert_int_equal(publish_lag(outlet->publish), 2);
    outlet_commit();
    assert_queue("1 2 3", 3000);
    assert_int_equal(publish_lag(outlet->publish), 0);
}

static bool wants_no_reconcile(void *owner)
{
    (void)owner;
    return outlet_is_reconciled(NULL) && !outlet->publish->queues[1]->reconcile &&
           outlet->publish->reconcile.queue == NULL;
}

/* State keeps drops for so long only, however short Redis was away by our clock. */
static void drop_that_is_gone_before_it_was_sent_is_made_up_for(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    assert_true(outlet_until(wants_no_reconcile, NULL, 6000)); /* as at each start */
    outlet->rendering = false;                                 /* as while Redis was away */
    outlet->holding_commits = true;
    outlet_drop(2); /* not the head, which is looked at all the time */
    assert_status(state_dropped_put(outlet->state, 1000, 1, 3), STATUS_OK);
    assert_status(state_dropped_trim(outlet->state, 2000, 100, 1), STATUS_OK);
    outlet_commit();
    outlet->rendering = true;
    outlet_put(3, 300);
    assert_queue("1 3", 6000);
}

/* State has committed more than it has stored: what is between may be open all the same. */
static void what_state_has_not_stored_yet_is_waited_for(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* which commits, at the start */
    outlet->holding_commits = true;
    outlet->rendering = false; /* as while Redis was away */
    outlet_put(2, 200);
    outlet->rendering = true;
    outlet_put(3, 300);
    MUST(state_commit_live(outlet->state, false) == STATUS_OK);
    outlet_for(50);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1");
    assert_true(outlet->store_count > 0);
    MUST(state_commit_live(outlet->state, true) == STATUS_OK);
    assert_queue("1 2 3", 3000);
    assert_int_equal(publish_lag(outlet->publish), 0);
}

static void how_long_redis_lacks_an_operation_is_known(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    assert_int_equal(publish_lag_ms(outlet->publish), 0);
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* which commits, at the start */
    outlet->holding_commits = true;
    outlet->rendering = false;
    outlet_put(2, 200); /* in the way of what comes later */
    outlet->rendering = true;
    outlet_for(120);
    outlet_put(3, 300);
    assert_true(publish_lag_ms(outlet->publish) >= 100);
    assert_true(publish_lag_ms(outlet->publish) < 3000);
    outlet_commit();
    assert_queue("1 2 3", 3000);
    assert_int_equal(publish_lag_ms(outlet->publish), 0);
}

/* A sample of the metrics' page. */
static double metric(const char *name)
{
    static char page[256 * 1024];
    struct text out = text_over(page, sizeof(page) - 1);
    char line[128];

    stats_write(outlet->stats, &out);
    page[out.length] = '\0';
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *found = strstr(page, line);
    MUST(found != NULL);
    return strtod(found + strlen(line), NULL);
}

static void way_of_each_task_into_redis_is_timed_once(void **state)
{
    (void)state;
    outlet_put(1, 100); /* before the start: read from state */
    outlet_launch();
    assert_queue("1", 3000);
    outlet->committed_before_us = 2000000;
    outlet_put(2, 200);
    outlet_put(3, 300);
    outlet_drop(2);
    outlet_catch_up();
    assert_int_equal(metric("hotlead_commit_to_visible_seconds_count"), 2);
    assert_int_equal(metric("hotlead_commit_to_visible_seconds_bucket{le=\"1\"}"), 0);
    assert_int_equal(metric("hotlead_commit_to_visible_seconds_bucket{le=\"5\"}"), 2);
    server_run(&outlet->server, "FLUSHALL");
    assert_queue("1 3", 3000);
    outlet_catch_up();
    assert_int_equal(metric("hotlead_commit_to_visible_seconds_count"), 2);
    outlet_put(4, 400);
    outlet_catch_up();
    assert_int_equal(metric("hotlead_commit_to_visible_seconds_count"), 3);
}

/* The visible rows of a queue, received at 5000 - rank: the last in line came first. */
static void store_visible(uint64_t person, uint64_t rank_ms)
{
    struct task_row task = outlet_task(person);

    task.received_ms = 5000 - rank_ms;
    outlet_store(person, &task);
    MUST(state_visible_put(outlet->state, 1, rank_ms, task.number, person, task.put_seq) ==
         STATUS_OK);
    outlet_commit();
}

static void what_waits_in_a_queue_is_told_with_its_oldest(void **state)
{
    struct publish_backlog backlog = {0};

    (void)state;
    outlet_meet();
    assert_false(publish_backlog_next(outlet->publish, &backlog));
    publish_backlog_end(outlet->publish);
    for (uint64_t person = 1; person <= 3; person++) {
        outlet_put(person, 100 * person);
        store_visible(person, 100 * person);
    }
    backlog = (struct publish_backlog){0};
    assert_true(publish_backlog_next(outlet->publish, &backlog));
    assert_int_equal(backlog.queue, 1);
    assert_int_equal(backlog.open_tasks, 3);
    assert_int_equal(publish_oldest_ms(outlet->publish, 1, 64), 4700);
    assert_int_equal(publish_oldest_ms(outlet->publish, 1, 2), 4800);
    assert_int_equal(publish_oldest_ms(outlet->publish, 2, 64), 0);
    assert_false(publish_backlog_next(outlet->publish, &backlog));
    publish_backlog_end(outlet->publish);
}

/* An operation that publish was not told of, as of a queue that its thread had not heard of. */
static void gap_in_the_feed_is_filled_from_state(void **state)
{
    struct publish *publish;

    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    kill(outlet->server.pid, SIGSTOP); /* so that all of it waits in the buffer */
    outlet_put(2, 200);
    publish = outlet->publish;
    outlet->publish = NULL;
    outlet_put(3, 300);
    outlet->publish = publish;
    outlet_put(4, 400);
    kill(outlet->server.pid, SIGCONT);
    assert_queue("1 2 3 4", 3000);
}

static void next_start_goes_on_from_the_mark(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    server_run(&outlet->server, "LPOP %s", OUTLET_TASKS);
    outlet_stop();
    outlet_put(3, 300);
    outlet_launch();
    outlet_catch_up();
    assert_queue("2 3", 3000); /* 1 was popped and is not put again, 2 is not doubled */
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(puts_arrive_by_rank_before_state_has_committed_them),
        TEST(dropped_task_is_never_seen_again),
        TEST(put_and_drop_of_one_batch_leave_nothing),
        TEST(many_puts_share_calls_of_256),
        TEST(queues_are_kept_apart),
        LIST_TEST(list_queue_is_a_row_in_order_of_puts),
        TEST(what_was_there_before_the_start_arrives),
        TEST(nothing_is_lost_while_redis_is_away),
        LIST_TEST(more_than_memory_holds_arrives_once),
        TEST(what_state_has_not_committed_yet_is_waited_for),
        TEST(drop_that_is_gone_before_it_was_sent_is_made_up_for),
        TEST(what_state_has_not_stored_yet_is_waited_for),
        TEST(how_long_redis_lacks_an_operation_is_known),
        TEST(way_of_each_task_into_redis_is_timed_once),
        TEST(what_waits_in_a_queue_is_told_with_its_oldest),
        TEST(gap_in_the_feed_is_filled_from_state),
        LIST_TEST(next_start_goes_on_from_the_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
