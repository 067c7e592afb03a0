/* What is sent from state, in several calls, while consumers take it and more comes. */
#include "tests/outlet.h"

/* --- what gaps say ------------------------------------------------------------------------ */

static const char *written(const struct publish_gaps *gaps, uint64_t mark)
{
    static char buffer[GAPS_MAX * GAP_TEXT_MAX + 1];
    struct text text = text_over(buffer, sizeof(buffer) - 1);

    publish_gaps_write(gaps, mark, &text);
    buffer[text.length] = '\0';
    return buffer;
}

static void first_put_that_was_replaced_when_its_range_was_sent_is_hidden(void **state)
{
    struct publish_gaps gaps = {0};

    (void)state;
    publish_gaps_note(&gaps, 10, 40);
    assert_true(publish_gaps_hide(&gaps, 15, 40));
    assert_false(publish_gaps_hide(&gaps, 10, 40)); /* sent before the gap */
    assert_false(publish_gaps_hide(&gaps, 15, 41)); /* came after its range was read */
}

static void what_a_later_call_finds_moves_what_was_sent_before(void **state)
{
    struct publish_gaps gaps = {0};

    (void)state;
    publish_gaps_note(&gaps, 10, 40);
    publish_gaps_note(&gaps, 20, 40);
    publish_gaps_note(&gaps, 30, 50);
    assert_false(publish_gaps_hide(&gaps, 25, 45));
    assert_true(publish_gaps_hide(&gaps, 35, 45));
    assert_true(publish_gaps_hide(&gaps, 25, 40));
}

static void gaps_stand_in_the_mark_until_they_are_sent(void **state)
{
    struct publish_gaps gaps = {0};

    (void)state;
    publish_gaps_note(&gaps, 10, 40);
    publish_gaps_note(&gaps, 30, 50);
    assert_string_equal(written(&gaps, 39), " 10-40 30-50");
    assert_string_equal(written(&gaps, 40), " 30-50");
    assert_string_equal(written(&gaps, 50), "");
    publish_gaps_note(&gaps, 50, 50);
    assert_int_equal(gaps.count, 0);
}

/* Better one task twice in a queue than none. */
static void gap_too_many_makes_the_last_one_grow(void **state)
{
    struct publish_gaps gaps = {0};

    (void)state;
    for (uint64_t i = 0; i <= GAPS_MAX; i++)
        publish_gaps_note(&gaps, i, 100 + i);
    assert_int_equal(gaps.count, GAPS_MAX);
    assert_int_equal(gaps.all[GAPS_MAX - 1].from, GAPS_MAX - 1);
    assert_int_equal(gaps.all[GAPS_MAX - 1].until, 100 + GAPS_MAX);
}

/* --- what comes of it --------------------------------------------------------------------- */

/* As a breach does. State alone hears of it, as while Redis was away. */
static void move(uint64_t person, uint64_t rank_ms)
{
    struct task_row task = outlet_task(person);
    uint64_t first = task.put_seq;

    task.rank_ms = rank_ms;
    task.put_seq = outlet_operation(OUTBOX_PUT, &task);
    task.first_put_seq = first;
    MUST(state_outbox_delete(outlet->state, task.queue, first) == STATUS_OK);
    outlet_store(person, &task);
    outlet->rendering = false;
    outlet_tell(OUTBOX_PUT, task.put_seq, &task);
    outlet->rendering = true;
    outlet_flush();
}

/* The mark without its nonce. */
static const char *mark_text(void)
{
    static char result[256];
    redisReply *reply = server_do(&outlet->server, "GET %s", OUTLET_MARK);
    const char *nonce = reply->str != NULL ? strchr(reply->str, ' ') : NULL;
    const char *gaps = nonce != NULL ? strchr(nonce + 1, ' ') : NULL;

    snprintf(result, sizeof(result), "%llu%s", (unsigned long long)outlet_mark(),
             gaps != NULL ? gaps : "");
    freeReplyObject(reply);
    return result;
}

/* Persons 1 and 2 can be sent; the third is known of, but state has not stored it yet. */
static void put_two_and_one_for_later(void)
{
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet->holding_commits = true;
    outlet_put(3, 300);
    MUST(state_commit_live(outlet->state, false) == STATUS_OK);
}

static void put_that_was_popped_in_a_gap_and_moved_is_not_put_again(void **state)
{
    (void)state;
    put_two_and_one_for_later();
    outlet_launch();
    assert_queue("1 2", 3000);
    assert_string_equal(mark_text(), "2 0-3");
    server_run(&outlet->server, "ZPOPMIN %s", OUTLET_TASKS);
    move(1, 400);
    MUST(state_commit_live(outlet->state, true) == STATUS_OK);
    assert_queue("2 3", 3000);
    outlet_catch_up();
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "2 3");
    assert_string_equal(mark_text(), "4");
}

/* So is one that the process before sent: its gaps stand in the mark. */
static void gaps_of_the_process_before_are_gone_on_with(void **state)
{
    (void)state;
    put_two_and_one_for_later();
    outlet_launch();
    assert_queue("1 2", 3000);
    outlet_stop();
    server_run(&outlet->server, "ZPOPMIN %s", OUTLET_TASKS);
    move(1, 400);
    MUST(state_commit_live(outlet->state, true) == STATUS_OK);
    outlet_launch();
    assert_queue("2 3", 3000);
    outlet_catch_up();
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "2 3");
}

/* It was not sent in its own place, so it was not popped either. */
static void put_that_was_moved_before_its_range_was_sent_is_put(void **state)
{
    (void)state;
    outlet_put(1, 100);
    move(1, 400);
    outlet->holding_commits = true;
    outlet_put(2, 200);
    MUST(state_commit_live(outlet->state, false) == STATUS_OK);
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 the-process-before 0-2");
    outlet_launch();
    assert_queue("1", 3000);
    MUST(state_commit_live(outlet->state, true) == STATUS_OK);
    assert_queue("2 1", 3000);
}

/* --- lists -------------------------------------------------------------------------------- */

/* Its mark was lost, it was not: how far it is sent again over what is there stands in the mark. */
static void list_that_is_sent_again_says_so_in_its_mark(void **state)
{
    (void)state;
    put_two_and_one_for_later();
    outlet_launch();
    assert_queue("1 2", 3000);
    assert_string_equal(mark_text(), "2");
    server_run(&outlet->server, "DEL %s", OUTLET_MARK);
    outlet_for(300);
    assert_string_equal(mark_text(), "2 0-3");
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1 2");
    MUST(state_commit_live(outlet->state, true) == STATUS_OK);
    assert_queue("1 2 3", 3000);
}

static void put_600_in_a_list(void)
{
    outlet_meet();
    for (uint64_t person = 1; person <= 600; person++)
        outlet_put_in(1, person, person);
    outlet_flush();
    outlet_catch_up();
}

static void assert_600_stand_there_once(void)
{
    outlet_for(300);
    outlet_catch_up();
    assert_int_equal(outlet_mark(), 600);
    assert_int_equal(server_number(&outlet->server, "LLEN %s", OUTLET_TASKS), 600);
}

static void list_that_the_process_before_sent_again_is_not_doubled(void **state)
{
    (void)state;
    put_600_in_a_list();
    outlet_stop();
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "20 the-process-before 0-600");
    outlet_launch();
    assert_600_stand_there_once();
}

/* A snapshot may have been taken while it was sent again. */
static void list_of_such_a_snapshot_is_not_doubled(void **state)
{
    (void)state;
    put_600_in_a_list();
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "20 the-process-before 0-600");
    assert_600_stand_there_once();
}

/* --- a mark that is not ours -------------------------------------------------------------- */

static bool are_both_reconciled(void *owner)
{
    (void)owner;
    return stats_count(outlet->stats, STATS_REDIS_RECONCILES) >= 2 &&
           !outlet->publish->queues[1]->reconcile && !outlet->publish->queues[2]->reconcile &&
           outlet->publish->reconcile.queue == NULL;
}

static bool is_second_empty(void *owner)
{
    (void)owner;
    return *outlet_queue_of(OUTLET_TASKS2) == '\0';
}

/* No writer lowers a mark: this is an old one, of a Redis that has forgotten the take-over too. */
static void push_that_is_fenced_by_an_older_mark_has_met_a_forgetful_redis(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put(2, 200);
    outlet_catch_up();
    unsigned forgot = outlet->forgot_count;
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "1 the-process-before");
    server_run(&outlet->server, "ZPOPMAX %s", OUTLET_TASKS);
    outlet_put(3, 300);
    assert_queue("1 2 3", 3000);
    assert_true(outlet->forgot_count > forgot);
    assert_int_equal(outlet->epoch_count, 0);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_FENCED), 0);
    assert_int_equal(outlet_mark(), 3);
}

/* Nobody waits for anything in the second queue, so it is seldom looked at: twice, as it takes to
 * find a stray, in six seconds. */
static void redis_that_forgot_in_one_queue_is_reconciled_in_all(void **state)
{
    (void)state;
    outlet_meet();
    outlet_put(1, 100);
    outlet_put_in(2, 9, 900);
    outlet_flush();
    outlet_catch_up();
    redisReply *member = server_do(&outlet->server, "ZRANGE %s 0 -1", OUTLET_TASKS2);
    outlet_drop(9);
    outlet_catch_up();
    assert_true(outlet_until(are_both_reconciled, NULL, 6000)); /* as at each start */
    server_run(&outlet->server, "ZADD %s 900 %s", OUTLET_TASKS2, member->element[0]->str);
    freeReplyObject(member);
    server_run(&outlet->server, "SET %s %s", OUTLET_MARK, "0 the-process-before");
    server_run(&outlet->server, "DEL %s", OUTLET_TASKS);
    assert_queue("1", 2000);
    assert_true(outlet_until(is_second_empty, NULL, 3000));
}

/* Nothing says that it was ever there: the process before may have ended first. */
static void mark_that_nobody_met_is_not_said_to_be_forgotten(void **state)
{
    (void)state;
    outlet_put(1, 100);
    outlet_launch();
    assert_queue("1", 3000);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_REWINDS), 0);
    assert_null(strstr(outlet_logged(), "forgotten"));
    server_run(&outlet->server, "FLUSHALL");
    outlet_for(300);
    assert_queue("1", 3000);
    assert_int_equal(stats_count(outlet->stats, STATS_REDIS_REWINDS), 1);
    assert_non_null(strstr(outlet_logged(), "forgotten"));
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)
#define TEST_LIST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up_list, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_put_that_was_replaced_when_its_range_was_sent_is_hidden),
        cmocka_unit_test(what_a_later_call_finds_moves_what_was_sent_before),
        cmocka_unit_test(gaps_stand_in_the_mark_until_they_are_sent),
        cmocka_unit_test(gap_too_many_makes_the_last_one_grow),
        TEST(put_that_was_popped_in_a_gap_and_moved_is_not_put_again),
        TEST(gaps_of_the_process_before_are_gone_on_with),
        TEST(put_that_was_moved_before_its_range_was_sent_is_put),
        TEST_LIST(list_that_is_sent_again_says_so_in_its_mark),
        TEST_LIST(list_that_the_process_before_sent_again_is_not_doubled),
        TEST_LIST(list_of_such_a_snapshot_is_not_doubled),
        TEST(push_that_is_fenced_by_an_older_mark_has_met_a_forgetful_redis),
        TEST(redis_that_forgot_in_one_queue_is_reconciled_in_all),
        TEST(mark_that_nobody_met_is_not_said_to_be_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
