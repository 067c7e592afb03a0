/* What should not stand in a queue is taken out, and what should is put back: at a start, and when
 * a look has seen it. */
#include "tests/outlet.h"

static void add_member(const char *member)
{
    if (outlet->queues[1].shape == QUEUE_LIST)
        server_run(&outlet->server, "RPUSH %s %s", OUTLET_TASKS, member);
    else
        server_run(&outlet->server, "ZADD %s 50 %s", OUTLET_TASKS, member);
}

/* A member of a task of ours as it would be at this delivery. */
static const char *member_of(uint64_t person, unsigned delivery)
{
    struct task_row task = {.number = person << 3,
                            .opened_ms = 1700000000000 + person,
                            .queue = 1,
                            .delivery = (uint16_t)delivery};
    return outlet_member(&task);
}

static void start_takes_out_what_should_not_stand_there(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_put(3, 300);
    outlet_popped(2); /* Redis forgot the pop of 2, */
    add_member(member_of(2, 1));
    add_member(member_of(1, 0)); /* the withdrawal of an older delivery of 1, */
    add_member(member_of(8, 1)); /* and of a task that has ended. */
    outlet_launch();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    assert_queue("1 3", 3000);
}

/* An older Redis shows a task that has ended, and nothing else is open in its queue. */
static void start_clears_a_queue_without_open_tasks(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet_drop(1);
    add_member(member_of(1, 1));
    outlet_launch();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    assert_queue("", 3000);
}

/* The same behind a link that holds: nothing says that this is another one. */
static void older_redis_is_noticed_on_a_queue_without_open_tasks(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    assert_queue("1", 3000);
    outlet_drop(1);
    assert_queue("", 3000);
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    server_run(&outlet->server, "EVAL %s 1 %s",
               "local mark = redis.call('KEYS', 'hl:{*}:mark:*')[1] "
               "redis.call('SET', mark, (redis.call('GET', mark):gsub('^2 ', '1 ')))",
               OUTLET_TASKS);
    add_member(member_of(1, 1));
    assert_queue("", 6000);
}

/* A copy that runs, or the life before a restore, has put tasks under numbers that our journal
 * gave to others, or did not come to. */
static void tasks_of_another_history_are_left_alone(void **state)
{
    struct task_row other = {.number = 8 << 3, .opened_ms = 1700000099999, .queue = 1};

    (void)state;
    outlet_put(1, 100);
    add_member(outlet_member(&other));
    add_member(member_of(9999999, 1));
    outlet_launch();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    outlet_catch_up();
    bool list = outlet->queues[1].shape == QUEUE_LIST;
    assert_int_equal(server_number(&outlet->server, list ? "LLEN %s" : "ZCARD %s", OUTLET_TASKS),
                     3);
}

static void tasks_of_other_nodes_are_left_alone(void **state)
{
    static const char other_node[] =
        "{\"v\":1,\"id\":\"tsk_0123456789ABCDEFGHJKMNPQRS\",\"delivery\":"
        "1,\"report\":\"hl:{acme.calls}:reports:n2\"}";
    static const char other_key[] =
        "{\"v\":1,\"id\":\"tsk_0123456789ABCDEFGHJKMNPQRS\",\"delivery\":"
        "1,\"report\":\"hl:{acme.calls}:reports:n1\"}";

    (void)state;
    outlet_put(1, 100);
    add_member(other_node);
    add_member(other_key);
    add_member("rubbish");
    add_member("");
    outlet_launch();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    outlet_catch_up();
    bool list = outlet->queues[1].shape == QUEUE_LIST;
    assert_int_equal(server_number(&outlet->server, list ? "LLEN %s" : "ZCARD %s", OUTLET_TASKS),
                     5);
}

/* Three pages, more strays than one withdrawal holds. */
static void long_queue_is_reconciled_page_by_page(void **state)
{
    (void)state;
    for (uint64_t person = 1; person <= 600; person++) {
        outlet_put_in(1, person, person);
        if (person % 3 == 0)
            add_member(member_of(person, 0));
    }
    outlet_flush();
    outlet_launch();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 10000));
    outlet_catch_up();
    bool list = outlet->queues[1].shape == QUEUE_LIST;
    assert_int_equal(server_number(&outlet->server, list ? "LLEN %s" : "ZCARD %s", OUTLET_TASKS),
                     600);
}

/* State lags behind what was just pushed: that is a suspect, but no stray. */
static void what_state_has_not_committed_is_not_taken_out(void **state)
{
    (void)state;
    outlet_meet();
    outlet->holding_commits = true;
    for (uint64_t person = 1; person <= 10; person++)
        outlet_put(person, person);
    unsigned barriers = outlet->barrier_count;
    outlet->publish->queues[1]->reconcile = true;
    outlet_for(400);
    assert_true(outlet->barrier_count > barriers);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2 3 4 5 6 7 8 9 10");
}

/* State lags behind what was decided: Redis forgot a pop that the writer knows of and state does
 * not, and a look at the head sees another task. */
static void what_was_decided_before_a_reconcile_is_known_to_it(void **state)
{
    (void)state;
    outlet_launch();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
    outlet->holding_commits = true;
    outlet_popped(2);
    outlet->publish->queues[1]->reconcile = true;
    assert_queue("1", 3000);
}

static void busy_writer_only_delays_a_reconcile(void **state)
{
    (void)state;
    outlet_put(1, 100);
    add_member(member_of(8, 1));
    outlet->submit = STATUS_BUSY;
    outlet_launch();
    outlet_for(300);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_RECONCILES), 0);
    outlet->submit = STATUS_OK;
    assert_queue("1", 3000);
}

static bool is_reconciling(void *owner)
{
    (void)owner;
    return outlet->publish->reconcile.queue != NULL;
}

static bool is_reconciled_thrice(void *owner)
{
    (void)owner;
    return stats_count(outlet->stats, STATS_REDIS_RECONCILES) >= 3;
}

/* What calls for the second one may have come to a page that was read already. */
static void wish_for_a_reconcile_while_one_runs_is_kept(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
    struct publish_queue *queue = outlet->publish->queues[1];
    queue->reconcile = true;
    assert_true(outlet_until(is_reconciling, NULL, 3000));
    queue->reconcile = true;
    assert_true(outlet_until(is_reconciled_thrice, NULL, 3000));
    outlet_for(300);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_RECONCILES), 3);
}

static void rewind_makes_a_reconcile_that_runs_begin_anew(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
    struct publish_queue *queue = outlet->publish->queues[1];
    queue->reconcile = true;
    assert_true(outlet_until(is_reconciling, NULL, 3000));
    publish_learn(queue, true, 1, true, false);
    assert_null(outlet->publish->reconcile.queue);
    assert_true(queue->reconcile);
    assert_true(queue->reconcile_from_ms > uv_now(&outlet->loop));
    queue->reconcile_from_ms = 0;
    outlet_catch_up();
    assert_true(outlet_until(is_reconciling, NULL, 3000));
    assert_queue("1 2", 3000);
}

/* Nothing was forgotten, so nothing calls for a reconcile but the look itself: the member stands
 * first, at two looks in a row, and its task is done. */
static void stray_that_stands_first_is_taken_out(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_drop(1);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
    outlet_for(300);
    uint64_t reconciles = stats_count(outlet->stats, STATS_REDIS_RECONCILES);
    add_member(member_of(1, 1)); /* somebody put it back, at 50 */
    assert_queue("2", 3000);
    outlet_for(300);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_RECONCILES), reconciles + 1);
    assert_int_equal(outlet->forgot_count, 0);
}

/* What is first and right is looked at all the time, and never calls for one. */
static void open_task_that_stands_first_calls_for_no_reconcile(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    outlet_for(500);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_RECONCILES), 1);
}

/* A failover that lost a withdrawal alone: the mark looks right, only the server is another. */
static void another_server_is_reconciled_even_if_the_mark_is_right(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    outlet_drop(1);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000));
    add_member(member_of(1, 1));
    server_run(&outlet->server, "SAVE");
    server_kill(&outlet->server);
    server_launch(&outlet->server);
    assert_queue("2", 6000);
    assert_int_equal(outlet->forgot_count, 1);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start_takes_out_what_should_not_stand_there),
        LIST_TEST(start_takes_out_what_should_not_stand_there),
        TEST(start_clears_a_queue_without_open_tasks),
        TEST(older_redis_is_noticed_on_a_queue_without_open_tasks),
        LIST_TEST(start_clears_a_queue_without_open_tasks),
        LIST_TEST(older_redis_is_noticed_on_a_queue_without_open_tasks),
        TEST(tasks_of_another_history_are_left_alone),
        LIST_TEST(tasks_of_another_history_are_left_alone),
        TEST(tasks_of_other_nodes_are_left_alone),
        LIST_TEST(tasks_of_other_nodes_are_left_alone),
        TEST(long_queue_is_reconciled_page_by_page),
        LIST_TEST(long_queue_is_reconciled_page_by_page),
        TEST(what_state_has_not_committed_is_not_taken_out),
        TEST(what_was_decided_before_a_reconcile_is_known_to_it),
        LIST_TEST(what_was_decided_before_a_reconcile_is_known_to_it),
        TEST(busy_writer_only_delays_a_reconcile),
        TEST(wish_for_a_reconcile_while_one_runs_is_kept),
        TEST(rewind_makes_a_reconcile_that_runs_begin_anew),
        TEST(stray_that_stands_first_is_taken_out),
        TEST(open_task_that_stands_first_calls_for_no_reconcile),
        TEST(another_server_is_reconciled_even_if_the_mark_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
