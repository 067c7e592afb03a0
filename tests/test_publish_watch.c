/* What publish sees when it looks: who is gone from a queue, and what should not stand there. */
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

/* --- reconcile --------------------------------------------------------------------------- */

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
