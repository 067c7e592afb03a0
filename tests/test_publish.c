/* Publish over a real Redis and a real state: what is put gets there, once, whatever happens to
 * Redis in between. */
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

/* --- alarms ------------------------------------------------------------------------------ */

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
        TEST(what_state_has_not_stored_yet_is_waited_for),
        TEST(how_long_redis_lacks_an_operation_is_known),
        TEST(way_of_each_task_into_redis_is_timed_once),
        TEST(what_waits_in_a_queue_is_told_with_its_oldest),
        TEST(gap_in_the_feed_is_filled_from_state),
        LIST_TEST(next_start_goes_on_from_the_mark),
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
