/* Pops that no look at the head shows: behind something more urgent, in a time of which publish
 * does not know. A reconcile finds them, and no others. */
#include "tests/outlet.h"

#define REPORTS "hl:{acme.calls}:reports:n1"

static void launch_with_three(void)
{
    outlet_meet();
    outlet_put(1, 1700000000100);
    outlet_put(2, 1700000000200);
    outlet_put(3, 1700000000300);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
}

/* Somebody has taken it while it stood first, and what stands before it now came since. */
static void take_from_behind(uint64_t person)
{
    struct task_row task = outlet_task(person);

    server_run(&outlet->server, "ZREM %s %s", OUTLET_TASKS, outlet_member(&task));
}

static long long reported(void)
{
    return server_number(&outlet->server, "XLEN %s", REPORTS);
}

static bool is_reported(void *owner)
{
    return reported() >= *(long long *)owner;
}

static void await_reported(long long count)
{
    assert_true(outlet_until(is_reported, &count, 5000));
}

/* The newest report says that the task of a person was popped. */
static void assert_popped(uint64_t person)
{
    struct task_row task = outlet_task(person);
    char id[ID_TEXT_LENGTH + 1] = "", said[256] = "", expected[256];

    id_format(id, &outlet_key, ID_TASK, task.opened_ms, task.number);
    snprintf(expected, sizeof(expected), "task %s delivery 1 op popped ", id);
    redisReply *reply = server_do(&outlet->server, "XREVRANGE %s + - COUNT 1", REPORTS);
    for (size_t i = 0; i < reply->element[0]->element[1]->elements; i++)
        strcat(strcat(said, reply->element[0]->element[1]->element[i]->str), " ");
    freeReplyObject(reply);
    assert_string_equal(said, expected);
}

static bool is_reconciled_again(void *owner)
{
    return stats_count(outlet->stats, STATS_REDIS_RECONCILES) > *(uint64_t *)owner;
}

static void await_reconcile(void)
{
    uint64_t before = stats_count(outlet->stats, STATS_REDIS_RECONCILES);

    outlet->publish->queues[1]->reconcile = true;
    assert_true(outlet_until(is_reconciled_again, &before, 5000));
}

/* --- when it looks ----------------------------------------------------------------------- */

static void start_finds_what_was_popped_before_it(void **state)
{
    (void)state;
    launch_with_three();
    outlet_stop();
    take_from_behind(2);
    outlet_meet();
    await_reported(1);
    assert_popped(2);
    outlet_for(300);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 3");
}

static void another_server_is_asked_who_is_gone(void **state)
{
    (void)state;
    launch_with_three();
    take_from_behind(3);
    server_run(&outlet->server, "SAVE");
    server_kill(&outlet->server);
    server_launch(&outlet->server);
    await_reported(1);
    assert_popped(3);
}

/* With the answer goes what stood first before the push. */
static void lost_answer_of_a_push_calls_for_a_search(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(1200); /* what began with the start is over */
    take_from_behind(2);
    server_run(&outlet->server, "CLIENT PAUSE 60000 WRITE");
    outlet_put(4, 1700000000050);
    outlet_for(50);
    assert_true(outlet->publish->queues[1]->call.running);
    server_run(&outlet->server, "CLIENT KILL TYPE normal");
    server_run(&outlet->server, "CLIENT UNPAUSE");
    await_reported(1);
    assert_popped(2);
    assert_queue("4 1 3", 3000);
}

/* --- what it says ------------------------------------------------------------------------ */

static void what_stands_there_is_not_reported(void **state)
{
    (void)state;
    launch_with_three();
    await_reconcile();
    assert_int_equal(reported(), 0);
}

/* It is put again, and nobody has it. */
static void what_redis_lost_is_not_reported(void **state)
{
    uint64_t before;

    (void)state;
    launch_with_three();
    before = stats_count(outlet->stats, STATS_REDIS_RECONCILES);
    server_run(&outlet->server, "EVAL %s 1 %s",
               "local mark = redis.call('KEYS', 'hl:{*}:mark:*')[1] "
               "redis.call('SET', mark, (redis.call('GET', mark):gsub('^3 ', '1 ')))",
               OUTLET_TASKS);
    take_from_behind(2);
    assert_queue("1 2 3", 3000);
    assert_true(outlet_until(is_reconciled_again, &before, 5000));
    assert_int_equal(reported(), 0);
}

/* The same between two steps of a search: the mark tells. */
static void search_ends_when_redis_forgets(void **state)
{
    struct publish_queue *queue;
    uint64_t before;

    (void)state;
    launch_with_three();
    before = stats_count(outlet->stats, STATS_REDIS_RECONCILES);
    queue = outlet->publish->queues[1];
    queue->reconcile = true;
    publish_reconcile(outlet->publish);
    assert_ptr_equal(outlet->publish->reconcile.queue, queue);
    server_run(&outlet->server, "FLUSHALL");
    assert_queue("1 2 3", 5000);
    assert_true(outlet_until(is_reconciled_again, &before, 5000));
    assert_int_equal(reported(), 0);
}

static bool is_finding(void *owner)
{
    (void)owner;
    return outlet->publish->reconcile.begun && outlet->publish->reconcile.finding;
}

/* The writer knows of the pop, and state not yet: what is gone is looked for once more when it
 * does. */
static void pop_that_was_heard_of_meanwhile_is_not_reported(void **state)
{
    (void)state;
    launch_with_three();
    uint64_t before = stats_count(outlet->stats, STATS_REDIS_RECONCILES);
    outlet->publish->queues[1]->reconcile = true;
    assert_true(outlet_until(is_finding, NULL, 3000));
    outlet->holding_commits = true;
    take_from_behind(2);
    outlet_popped(2);
    assert_true(outlet_until(is_reconciled_again, &before, 5000));
    assert_int_equal(reported(), 0);
}

static void drops_are_not_looked_for(void **state)
{
    (void)state;
    launch_with_three();
    outlet_drop(2);
    outlet_catch_up();
    await_reconcile();
    assert_int_equal(reported(), 0);
}

/* More than one call holds. */
static void long_queue_is_searched_through(void **state)
{
    (void)state;
    outlet_meet();
    for (uint64_t person = 1; person <= 700; person++)
        outlet_put_in(1, person, person);
    outlet_flush();
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 10000));
    take_from_behind(5);
    take_from_behind(300);
    take_from_behind(700);
    await_reconcile();
    assert_int_equal(reported(), 3);
    assert_popped(700);
}

/* --- what it waits for ------------------------------------------------------------------- */

/* State has committed the put of 4, and the outbox' table lacks it still. */
static void search_waits_for_what_is_not_stored(void **state)
{
    (void)state;
    launch_with_three();
    outlet->keeping_young = true;
    outlet_put(4, 1700000000400);
    outlet_catch_up();
    take_from_behind(4);
    outlet->publish->queues[1]->reconcile = true;
    outlet_for(300);
    assert_true(outlet->store_count > 0);
    assert_int_equal(reported(), 0);
    outlet->keeping_young = false;
    outlet_commit();
    await_reported(1);
    assert_popped(4);
}

static void busy_writer_only_delays_a_report(void **state)
{
    (void)state;
    launch_with_three();
    take_from_behind(2);
    outlet->publish->queues[1]->reconcile = true;
    assert_true(outlet_until(is_finding, NULL, 3000));
    outlet->submit = STATUS_BUSY;
    outlet_for(300);
    assert_int_equal(reported(), 0);
    outlet->submit = STATUS_OK;
    await_reported(1);
    assert_popped(2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start_finds_what_was_popped_before_it),
        TEST(another_server_is_asked_who_is_gone),
        TEST(lost_answer_of_a_push_calls_for_a_search),
        TEST(what_stands_there_is_not_reported),
        TEST(what_redis_lost_is_not_reported),
        TEST(search_ends_when_redis_forgets),
        TEST(pop_that_was_heard_of_meanwhile_is_not_reported),
        TEST(drops_are_not_looked_for),
        TEST(long_queue_is_searched_through),
        TEST(search_waits_for_what_is_not_stored),
        TEST(busy_writer_only_delays_a_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
