/* What publish sees when it looks: who is gone from a queue. */
#include "tests/outlet.h"

static bool popped_was_told(void *owner)
{
    return outlet->popped_count >= *(unsigned *)owner;
}

static void await_popped(unsigned count)
{
    assert_true(outlet_until(popped_was_told, &count, 3000));
}

/* The engine hears that this task stands first. */
static void assert_head(uint64_t person, uint64_t rank_ms, uint64_t pushed_seq)
{
    struct command_popped *popped = &outlet->popped.popped;
    struct task_row task = outlet_task(person);
    char id[ID_TEXT_LENGTH];

    id_format(id, &outlet_key, ID_TASK, task.opened_ms, task.number);
    assert_int_equal(popped->queue, 1);
    assert_false(popped->empty);
    assert_int_equal(popped->rank_ms, rank_ms);
    assert_memory_equal(popped->id, id, sizeof(id));
    assert_int_equal(popped->pushed_seq, pushed_seq);
}

static void launch_with_three(void)
{
    outlet_meet();
    outlet_put(1, 1700000000100);
    outlet_put(2, 1700000000200);
    outlet_put(3, 1700000000300);
    outlet_catch_up();
}

/* --- popped ------------------------------------------------------------------------------ */

static void head_is_told_once_and_again_when_it_changes(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(300);
    assert_head(1, 1700000000100, 3);
    unsigned told = outlet->popped_count;
    outlet_for(300);
    assert_int_equal(outlet->popped_count, told);

    server_run(&outlet->server, "ZPOPMIN %s", OUTLET_TASKS);
    await_popped(told + 1);
    assert_head(2, 1700000000200, 3);

    outlet_put(4, 1700000000250); /* the head stays, what was pushed does not */
    await_popped(told + 2);
    assert_head(2, 1700000000200, 4);
}

static void empty_queue_with_open_tasks_is_told_as_empty(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(250);
    unsigned told = outlet->popped_count;
    server_run(&outlet->server, "ZPOPMIN %s 3", OUTLET_TASKS);
    await_popped(told + 1);
    assert_true(outlet->popped.popped.empty);
    assert_int_equal(outlet->popped.popped.pushed_seq, 3);
}

static void what_is_put_in_front_hides_no_pop(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(300);
    unsigned told = outlet->popped_count;
    server_run(&outlet->server, "ZPOPMIN %s 2", OUTLET_TASKS);
    outlet_put(4, 1700000000050); /* before anybody has looked */
    await_popped(told + 2);
    assert_head(4, 1700000000050, 4);
    outlet->popped = outlet->popped_before;
    assert_head(3, 1700000000300, 3);
}

/* As after a push that Redis refused: what it was to put may be there already. */
static void what_is_put_again_in_front_hides_no_pop(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(300);
    unsigned told = outlet->popped_count;
    outlet->publish->queues[1]->again_until = 100;
    server_run(&outlet->server, "ZPOPMIN %s 2", OUTLET_TASKS);
    outlet_put(4, 1700000000050);
    await_popped(told + 2);
    outlet->popped = outlet->popped_before;
    assert_head(3, 1700000000300, 3);
}

/* What is put again is not gone, whatever stood first before Redis lost it. */
static void what_stood_first_before_a_loss_is_not_told(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(300);
    unsigned told = outlet->popped_count;
    struct publish_queue *queue = outlet->publish->queues[1];
    queue->before = (struct publish_head){.rank_ms = 1700000000300, .pushed_seq = 3};
    queue->has_before = true;
    server_run(&outlet->server, "FLUSHALL");
    await_popped(told + 1);
    assert_head(1, 1700000000100, 3);
    outlet_for(300);
    assert_int_equal(outlet->popped_count, told + 1);
}

static void queue_without_open_tasks_is_left_alone(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_drop(1);
    outlet_for(300);
    assert_int_equal(outlet->popped_count, 0);
}

static void head_is_told_again_when_the_writer_had_no_room(void **state)
{
    (void)state;
    outlet->submit = STATUS_BUSY;
    launch_with_three();
    outlet_for(250);
    assert_int_equal(outlet->popped_count, 0);
    outlet->submit = STATUS_OK;
    await_popped(1);
    assert_head(1, 1700000000100, 3);
}

static void head_is_told_again_when_it_was_not_stored(void **state)
{
    (void)state;
    launch_with_three();
    await_popped(1);
    outlet_for(250);
    unsigned told = outlet->popped_count;
    publish_on_settled(outlet->publish, &(struct settlement){.ticket = outlet->popped.ticket,
                                                             .kind = COMMAND_POPPED,
                                                             .status = STATUS_DISK_FULL});
    await_popped(told + 1);
}

static void task_of_another_node_may_stand_first(void **state)
{
    static const char other[] = "{\"v\":1,\"id\":\"tsk_0123456789ABCDEFGHJKMNPQRS\",\"report\":"
                                "\"hl:{acme.calls}:reports:n2\"}";

    (void)state;
    launch_with_three();
    outlet_for(250);
    unsigned told = outlet->popped_count;
    server_run(&outlet->server, "ZADD %s 7 %s", OUTLET_TASKS, other);
    await_popped(told + 1);
    assert_int_equal(outlet->popped.popped.rank_ms, 7);
    assert_memory_equal(outlet->popped.popped.id, "tsk_0123456789ABCDEFGHJKMNPQRS", ID_TEXT_LENGTH);

    server_run(&outlet->server, "ZADD %s 6.5 %s", OUTLET_TASKS, "rubbish");
    await_popped(told + 2);
    assert_int_equal(outlet->popped.popped.rank_ms, 6);
    assert_int_equal(outlet->popped.popped.id[0], 0); /* sorts before all of its rank */
}

/* FLUSHALL empties the queue: that must not read as "everything was popped". */
static void forgotten_queue_does_not_count_as_popped(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(250);
    for (int i = 0; i < 10; i++) {
        server_run(&outlet->server, "FLUSHALL");
        outlet_for(60);
        assert_false(outlet->popped.popped.empty);
    }
    assert_queue("1 2 3", 3000);
}

/* What is first among half of what should be there says nothing about the other half. */
static void queue_that_is_being_filled_again_is_not_judged(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(250);
    unsigned told = outlet->popped_count;
    outlet->publish->queues[1]->rewind_until = 4;
    server_run(&outlet->server, "ZPOPMIN %s", OUTLET_TASKS);
    outlet_for(300);
    assert_int_equal(outlet->popped_count, told);
    outlet_put(4, 1700000000400);
    await_popped(told + 1);
}

static void head_of_a_list_is_told_by_its_seq(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(250);
    assert_head(1, 1, 3);
    unsigned told = outlet->popped_count;
    server_run(&outlet->server, "LPOP %s", OUTLET_TASKS);
    await_popped(told + 1);
    assert_head(2, 2, 3);
    server_run(&outlet->server, "LPOP %s 2", OUTLET_TASKS);
    await_popped(told + 2);
    assert_true(outlet->popped.popped.empty);
}

static void own_head_of_a_list_is_found_behind_others(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(250);
    unsigned told = outlet->popped_count;
    server_run(&outlet->server, "LPOP %s", OUTLET_TASKS);
    for (int i = 0; i < 300; i++)
        server_run(&outlet->server, "LPUSH %s %s%d", OUTLET_TASKS, "somebody's ", i);
    await_popped(told + 1);
    outlet_for(250);
    assert_head(2, 2, 3);
    /* Nothing of ours at all. */
    server_run(&outlet->server, "LTRIM %s 0 299", OUTLET_TASKS);
    await_popped(told + 2);
    assert_true(outlet->popped.popped.empty);
}

/* The row of a member that was just pushed is not committed: it must not be overlooked. */
static void list_is_not_judged_by_a_state_that_lags(void **state)
{
    (void)state;
    launch_with_three();
    outlet_for(250);
    server_run(&outlet->server, "LPOP %s 3", OUTLET_TASKS);
    outlet->holding_commits = true;
    outlet_put(4, 1700000000400);
    outlet_put(5, 1700000000500);
    outlet_for(300);
    if (outlet->popped.popped.pushed_seq > 3)
        assert_head(4, 4, 5);
    outlet->holding_commits = false;
    outlet_commit();
    outlet_for(300);
    assert_head(4, 4, 5);
}

static bool is_watched(void *owner)
{
    (void)owner;
    return outlet->watched_count > 0;
}

/* Deadlines wait for this: who is gone from which queue. */
static void watched_is_told_once_when_pops_of_all_queues_are_settled(void **state)
{
    (void)state;
    outlet_put(1, 1700000000100);
    outlet_put(2, 1700000000200);
    outlet_put_in(2, 3, 1700000000300);
    outlet_flush();
    outlet->submit = STATUS_BUSY;
    outlet_launch();
    outlet_for(300);
    assert_int_equal(outlet->watched_count, 0);
    outlet->submit = STATUS_OK;
    assert_true(outlet_until(is_watched, NULL, 1000));
    assert_int_equal(outlet->popped_count, 2);
    outlet_for(300);
    assert_int_equal(outlet->watched_count, 1);
}

static void nothing_open_is_watched_at_once(void **state)
{
    (void)state;
    outlet_launch();
    assert_true(outlet_until(is_watched, NULL, 1000));
}

static void a_queue_of_which_all_is_parked_is_not_waited_for(void **state)
{
    (void)state;
    outlet_put(1, 1700000000100);
    state_queue(outlet->state, 2)->open_tasks++;
    outlet_flush();
    outlet_launch();
    assert_true(outlet_until(is_watched, NULL, 1000));
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(head_is_told_once_and_again_when_it_changes),
        TEST(empty_queue_with_open_tasks_is_told_as_empty),
        TEST(what_is_put_in_front_hides_no_pop),
        TEST(what_is_put_again_in_front_hides_no_pop),
        TEST(what_stood_first_before_a_loss_is_not_told),
        TEST(queue_without_open_tasks_is_left_alone),
        TEST(head_is_told_again_when_the_writer_had_no_room),
        TEST(head_is_told_again_when_it_was_not_stored),
        TEST(task_of_another_node_may_stand_first),
        TEST(forgotten_queue_does_not_count_as_popped),
        TEST(queue_that_is_being_filled_again_is_not_judged),
        LIST_TEST(head_of_a_list_is_told_by_its_seq),
        LIST_TEST(own_head_of_a_list_is_found_behind_others),
        LIST_TEST(list_is_not_judged_by_a_state_that_lags),
        TEST(watched_is_told_once_when_pops_of_all_queues_are_settled),
        TEST(nothing_open_is_watched_at_once),
        TEST(a_queue_of_which_all_is_parked_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
