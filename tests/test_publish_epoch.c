/* A second writer, and a journal that went on elsewhere: a new epoch begins. */
#include "tests/outlet.h"

static bool is_new_epoch(void *owner)
{
    (void)owner;
    return outlet->epoch_count > 0;
}

static void second_writer_makes_a_new_epoch_begin(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put_in(2, 9, 100);
    outlet_put(2, 200);
    outlet_drop(2);
    outlet_catch_up();
    assert_null(publish_trouble(outlet->publish));
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "3 somebody-else");
    outlet_put(3, 300);
    assert_queue("1 3", 3000);
    outlet_catch_up();
    outlet_for(300);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 3");
    assert_string_equal(outlet_queue_of(OUTLET_TASKS2), "9");
    assert_int_equal(outlet_mark(), 4);
    assert_int_equal(outlet->epoch_count, 1);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 1);
    assert_int_equal(stats_count(outlet->stats, STATS_EPOCHS), 1);
    assert_non_null(strstr(outlet_logged(), "another process"));
    assert_non_null(strstr(publish_trouble(outlet->publish), "another server"));
    /* The other one's mark stays his. */
    redisReply *mark = server_do(&outlet->server, "GET %s", OUTLET_MARK);
    assert_string_equal(mark->str, "3 somebody-else");
    freeReplyObject(mark);
}

static void second_writer_is_noticed_on_an_idle_queue(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 somebody-else");
    assert_true(outlet_until(is_new_epoch, NULL, 3000));
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 1);
}

/* Under load a call of each queue is always in flight, on its way to the mark that is given up. */
static void queue_with_a_call_in_flight_changes_over_after_it(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put_in(1, 1, 100);
    outlet_put_in(2, 2, 100);
    outlet_flush();
    outlet_catch_up();
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 somebody-else");
    kill(outlet->server.pid, SIGSTOP);
    outlet_put_in(1, 3, 300);
    outlet_put_in(2, 4, 400);
    outlet_flush();
    kill(outlet->server.pid, SIGCONT);
    assert_true(outlet_until(is_new_epoch, NULL, 3000));
    for (uint64_t person = 5; person < 40; person++) {
        outlet_put_in(2, person, person * 100);
        outlet_flush();
        outlet_for(5);
    }
    outlet_catch_up();
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 3");
    assert_int_equal(server_number(&outlet->server, "ZCARD %s", OUTLET_TASKS2), 37);
    assert_int_equal(server_number(&outlet->server, "EXISTS hl:{acme.mails}:mark:n1:%llx",
                                   (unsigned long long)outlet->epoch),
                     1);
    assert_int_equal(outlet->epoch_count, 1);
}

static void list_is_not_doubled_by_a_new_epoch(void **state)
{
    (void)state;
    outlet_meet();
    for (uint64_t person = 1; person <= 600; person++)
        outlet_put_in(1, person, person);
    outlet_flush();
    outlet_catch_up();
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "600 somebody-else");
    assert_true(outlet_until(is_new_epoch, NULL, 3000));
    outlet_for(300);
    outlet_catch_up();
    assert_int_equal(server_number(&outlet->server, "LLEN %s", OUTLET_TASKS), 600);
    assert_int_equal(outlet_mark(), 600);
}

static bool is_followed(void *owner)
{
    return is_new_epoch(owner) && outlet->publish->queues[1]->epoch == outlet->epoch;
}

/* All is put again, and who has taken some of it is told by reports that may wait. */
static void new_epoch_is_reconciled_when_reports_were_read(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* the one of the start */
    uint64_t before_ms = uv_now(&outlet->loop);
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 somebody-else");
    assert_true(outlet_until(is_followed, NULL, 3000));
    assert_true(outlet->publish->queues[1]->reconcile);
    assert_true(outlet->publish->queues[1]->reconcile_from_ms > before_ms);
}

/* Whoever does that again and again is no server that was copied. */
static void second_fence_within_a_minute_waits(void **state)
{
    char mark[64];

    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 somebody-else");
    assert_true(outlet_until(is_new_epoch, NULL, 3000));
    outlet_for(200);
    outlet_catch_up();
    snprintf(mark, sizeof(mark), "hl:{acme.calls}:mark:n1:%llx", (unsigned long long)outlet->epoch);
    server_run(&outlet->server, "SET %s %s", mark, "1 somebody-else");
    outlet_put(2, 200);
    outlet_for(500);
    assert_int_equal(outlet->epoch_count, 1);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 2);
    outlet->publish->epoch.not_before_ms = uv_now(&outlet->loop); /* the minute is over */
    assert_queue("1 2", 3000);
    assert_int_equal(outlet->epoch_count, 2);
}

static void epoch_that_the_writer_had_no_room_for_begins_later(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_catch_up();
    outlet->submit = STATUS_BUSY;
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 somebody-else");
    outlet_put(2, 200);
    outlet_for(300);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1");
    outlet->submit = STATUS_OK;
    assert_queue("1 2", 3000);
}

static void mark_of_a_journal_that_went_on_makes_a_new_epoch_begin(void **state)
{
    (void)state;
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "50 the-life-before");
    outlet_put(1, 100);
    outlet_launch();
    assert_queue("1", 3000);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 1);
    assert_true(outlet->barrier_count > 0); /* it was not for state lagging behind */
    assert_int_equal(outlet_mark(), 1);
    assert_non_null(strstr(outlet_logged(), "ahead"));
}

static void mark_ahead_of_what_state_has_committed_is_no_alarm(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet->holding_commits = true;
    outlet_put(2, 200);
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "2 the-life-before");
    outlet_launch();
    outlet_for(300);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 0);
    outlet_put(3, 300);
    outlet_catch_up();
    assert_int_equal(outlet_mark(), 3);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(second_writer_makes_a_new_epoch_begin),
        TEST(second_writer_is_noticed_on_an_idle_queue),
        TEST(queue_with_a_call_in_flight_changes_over_after_it),
        LIST_TEST(list_is_not_doubled_by_a_new_epoch),
        TEST(new_epoch_is_reconciled_when_reports_were_read),
        TEST(second_fence_within_a_minute_waits),
        TEST(epoch_that_the_writer_had_no_room_for_begins_later),
        TEST(mark_of_a_journal_that_went_on_makes_a_new_epoch_begin),
        TEST(mark_ahead_of_what_state_has_committed_is_no_alarm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
