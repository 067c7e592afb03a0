/* Publish when state or journal cannot be read for a while, for want of memory: what was not found
 * then may be there all the same. */
#include "tests/outlet.h"
#include "tests/store_faults.h"

static int tear_down(void **state)
{
    store_heal();
    return outlet_tear_down(state);
}

static void launch_with_two(void)
{
    outlet_meet();
    outlet_put(1, 1700000000100);
    outlet_put(2, 1700000000200);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
    outlet_for(250);
}

/* --- pushing ----------------------------------------------------------------------------- */

static void push_waits_while_the_outbox_cannot_be_read(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet_put(2, 200);
    store_fails(&store_faults.state_cursors, 0, UINT_MAX);
    outlet_meet();
    outlet_for(300);
    assert_int_equal(outlet_mark(), 0);
    store_works(&store_faults.state_cursors);
    assert_queue("1 2", 3000);
    assert_int_equal(outlet_mark(), 2);
}

static void push_waits_while_an_optin_cannot_be_read(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet->render = STATUS_BUSY;
    outlet_meet();
    outlet_for(300);
    assert_int_equal(outlet_mark(), 0);
    outlet->render = STATUS_OK;
    assert_queue("1 2", 3000);
    assert_int_equal(outlet_mark(), 2);
}

/* Or the queue would stand still for it. */
static void push_leaves_out_what_is_damaged(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet->render = STATUS_CORRUPT;
    outlet_launch();
    outlet_catch_up();
    outlet_for(300);
    assert_int_equal(outlet_mark(), 1);
    outlet->render = STATUS_OK;
    outlet_put(2, 200);
    assert_queue("2", 3000);
}

/* --- judging ----------------------------------------------------------------------------- */

static enum publish_member judge(uint64_t person)
{
    struct task_row row = outlet_task(person);
    const char *member = outlet_member(&row);
    enum publish_member judged = publish_judge(outlet->publish->queues[1], slice_of(member), &row);

    publish_release(outlet->publish);
    return judged;
}

static void member_whose_rows_cannot_be_read_is_left_alone(void **state)
{
    (void)state;
    launch_with_two();
    assert_int_equal(judge(1), MEMBER_OPEN);
    store_fails(&store_faults.state_gets, 0, 1); /* the test's own look has it from before */
    assert_int_equal(judge(1), MEMBER_UNREAD);
    assert_int_equal(judge(1), MEMBER_OPEN);
}

static void reconcile_takes_out_nothing_that_cannot_be_read(void **state)
{
    (void)state;
    launch_with_two();
    outlet->render = STATUS_BUSY;
    outlet->publish->queues[1]->reconcile = true;
    outlet_for(400);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2");
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_RECONCILES), 1);
    outlet->render = STATUS_OK;
    outlet_for(400);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2");
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_RECONCILES), 2);
}

static void list_whose_head_cannot_be_read_does_not_count_as_popped(void **state)
{
    (void)state;
    launch_with_two();
    unsigned told = outlet->popped_count;
    outlet->render = STATUS_BUSY;
    outlet_for(400);
    assert_int_equal(outlet->popped_count, told);
    assert_false(outlet->popped.popped.empty);
}

/* --- looking ----------------------------------------------------------------------------- */

static bool is_watched(void *owner)
{
    (void)owner;
    return outlet->watched_count > 0;
}

/* Deadlines wait for this, and there are tasks that may have been popped. */
static void nothing_is_watched_while_queues_cannot_be_read(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet->submit = STATUS_BUSY;
    store_fails(&store_faults.state_gets, 0, UINT_MAX);
    outlet_meet();
    outlet_for(300);
    store_works(&store_faults.state_gets);
    outlet_for(300);
    assert_int_equal(outlet->watched_count, 0);
    outlet->submit = STATUS_OK;
    assert_true(outlet_until(is_watched, NULL, 3000));
}

static void mark_ahead_of_what_cannot_be_read_is_no_alarm(void **state)
{
    (void)state;
    launch_with_two();
    struct publish_queue *queue = outlet->publish->queues[1];
    queue->newest = 1;
    queue->ahead_seq = 2;
    store_fails(&store_faults.state_gets, 0, 1);
    publish_judge_ahead(queue, STATUS_OK);
    assert_false(queue->stopped);
    publish_judge_ahead(queue, STATUS_OK);
    assert_false(queue->stopped);
    assert_int_equal(queue->newest, 2);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, tear_down)
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(push_waits_while_the_outbox_cannot_be_read),
        TEST(push_waits_while_an_optin_cannot_be_read),
        TEST(push_leaves_out_what_is_damaged),
        TEST(member_whose_rows_cannot_be_read_is_left_alone),
        TEST(reconcile_takes_out_nothing_that_cannot_be_read),
        LIST_TEST(list_whose_head_cannot_be_read_does_not_count_as_popped),
        TEST(nothing_is_watched_while_queues_cannot_be_read),
        TEST(mark_ahead_of_what_cannot_be_read_is_no_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
