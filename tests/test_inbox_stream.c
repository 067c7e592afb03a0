/* Where reading begins and goes on when Redis or hotlead was away, and what is trimmed. */
#include "tests/inbox_world.h"

static void start_reads_from_a_little_before_its_cursor(void **state)
{
    (void)state;
    add_entry("1000000-0", 8);
    add_entry("1950000-0", 9);
    add_entry("2000000-0", 9);
    add_entry("2000001-0", 10);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    await_heard(3);
    assert_int_equal(fixture->heard[0].report.task, 9); /* the minute before is read again */
    assert_int_equal(fixture->heard[1].report.task, 9);
    assert_int_equal(fixture->heard[2].report.task, 10);
}

/* Of very many it reads a few thousand again: those are more than can have been in flight. */
static void start_reads_little_again_of_a_busy_stream(void **state)
{
    (void)state;
    server_run(&fixture->server, "EVAL %s 1 %s %s",
               "for i = 1, 6000 do redis.call('XADD', KEYS[1], (1990000 + i) .. '-0', 'task', "
               "ARGV[1], 'delivery', 1, 'op', 'claim', 'agent', 'a') end",
               STREAM, task(8));
    add_entry("2000000-7", 9);
    add_entry("2000001-0", 10);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000, .report_seq = 7};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    pass(500);
    assert_int_equal(fixture->heard_count, 4096);
    assert_int_equal(fixture->heard[4094].report.task, 9);
    assert_int_equal(fixture->heard[4095].report.task, 10);
}

static void start_trusts_no_stream_that_lost_its_newest_entry(void **state)
{
    (void)state;
    server_run(&fixture->server, "EVAL %s 1 %s %s",
               "for i = 1, 4000 do redis.call('XADD', KEYS[1], (1950000 + i) .. '-0', 'task', "
               "ARGV[1], 'delivery', 1, 'op', 'claim', 'agent', 'a') end "
               "for i = 1, 4096 do redis.call('XADD', KEYS[1], (1990000 + i) .. '-0', 'x', 'y') "
               "end redis.call('XADD', KEYS[1], '2000001-0', 'x', 'y')",
               STREAM, task(8));
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000, .report_seq = 7};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    await_heard(4000);
}

/* An older one, from before a FLUSHALL, in which something stands that was never read; since then
 * more came. */
static void start_without_the_newest_entry_reads_all(void **state)
{
    (void)state;
    add_entry("1000000-0", 8);
    add_entry("2100000-0", 9);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    await_heard(2);
    assert_int_equal(fixture->heard[0].report.task, 8);
    assert_int_equal(fixture->heard[1].report.task, 9);
}

static void redis_that_comes_back_with_all_of_it_is_read_on(void **state)
{
    (void)state;
    launch();
    report_outcome(STREAM, 8);
    await_heard(1);
    server_run(&fixture->server, "SAVE");
    server_kill(&fixture->server);
    pass(100);
    server_launch(&fixture->server);
    report_outcome(STREAM, 9);
    await_heard(2);
    pass(300);
    assert_int_equal(fixture->heard_count, 2);
    assert_int_equal(fixture->heard[1].report.task, 9);
}

/* What was read stays in a snapshot up to 8; its clock is behind, so what comes then stands below
 * what was read. */
static void redis_that_lost_its_end_is_read_from_what_it_has(void **state)
{
    (void)state;
    launch();
    add_entry("1000-0", 7);
    add_entry("2000-0", 8);
    await_heard(2);
    server_run(&fixture->server, "SAVE");
    pass(1100);
    add_entry("9000-0", 9);
    await_heard(3);
    server_kill(&fixture->server);
    pass(100);
    server_launch(&fixture->server);
    add_entry("3000-0", 10);
    add_entry("9500-0", 11);
    await_heard(5);
    pass(300);
    assert_int_equal(fixture->heard_count, 5);
    assert_int_equal(fixture->heard[3].report.task, 10);
    assert_int_equal(fixture->heard[4].report.task, 11);
    assert_non_null(strstr(logged(), "does not have what was read last"));
}

/* An emptied Redis gives the same ids again. */
static void same_id_with_other_words_is_another_entry(void **state)
{
    (void)state;
    launch();
    add_entry("5000-0", 8);
    await_heard(1);
    pass(50);
    server_run(&fixture->server, "DEL %s", STREAM);
    add_entry("4000-0", 9);
    add_entry("5000-0", 10);
    inbox_again(fixture->inbox);
    await_heard(3);
    assert_int_equal(fixture->heard[1].report.task, 9);
    assert_int_equal(fixture->heard[2].report.task, 10);
}

/* Nobody knows what it has, so it is read whole when it can be. */
static void stream_that_may_not_be_asked_is_read_from_its_start(void **state)
{
    (void)state;
    launch();
    add_entry("5000-0", 8);
    await_heard(1);
    pass(50);
    server_run(&fixture->server, "ACL SETUSER default -xread");
    inbox_again(fixture->inbox);
    pass(200);
    server_run(&fixture->server, "ACL SETUSER default +xread");
    add_entry("5001-0", 9);
    await_heard(3);
    assert_int_equal(fixture->heard[1].report.task, 8);
    assert_int_equal(fixture->heard[2].report.task, 9);
}

/* Another Redis at the start, whose clock is behind. */
static void start_sees_that_ids_went_back(void **state)
{
    (void)state;
    add_entry("1000000-0", 8);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 2000000};
    MUST(state_commit(fixture->state) == STATUS_OK);
    fixture->holding = true;
    launch();
    await_heard(1);
    assert_int_equal(fixture->drained_count, 0);
    fixture->holding = false;
    pass(200);
    assert_int_equal(fixture->drained_count, 1);
}

static void again_reads_nothing_twice_that_is_still_there(void **state)
{
    (void)state;
    launch();
    report_outcome(STREAM, 8);
    await_heard(1);
    pass(50);
    inbox_again(fixture->inbox);
    pass(300);
    report_outcome(STREAM, 9);
    await_heard(2);
    assert_int_equal(fixture->heard[1].report.task, 9);
}

/* As a machine that was set back to a snapshot: the link breaks, the run id is the same, and what
 * came since begins below the cursor and ends above it. */
static void redis_with_the_same_run_id_may_have_gone_back(void **state)
{
    (void)state;
    launch();
    add_entry("7000-0", 7);
    await_heard(1);
    pass(1100); /* the trail has steps a second apart */
    add_entry("9000-0", 8);
    await_heard(2);
    server_run(&fixture->server, "CLIENT KILL TYPE normal");
    server_run(&fixture->server, "XDEL %s 9000-0", STREAM);
    server_run(
        &fixture->server, "EVAL %s 1 %s %s",
        "local entry = redis.call('XRANGE', KEYS[1], '-', '+')[1] redis.call('DEL', KEYS[1]) "
        "redis.call('XADD', KEYS[1], entry[1], unpack(entry[2])) "
        "redis.call('XADD', KEYS[1], '8000-0', 'task', ARGV[1], 'delivery', '1', 'op', "
        "'claim', 'agent', 'a')",
        STREAM, task(9));
    add_entry("9500-0", 10);
    await_heard(4);
    assert_int_equal(fixture->heard[2].report.task, 9);
    assert_int_equal(fixture->heard[3].report.task, 10);
}

/* What a Redis that lost its tail, with a clock behind, gets next. */
static void ids_that_went_back_are_read(void **state)
{
    (void)state;
    launch();
    add_entry("9000-0", 8);
    await_heard(1);
    server_run(&fixture->server, "DEL %s", STREAM);
    add_entry("5000-0", 9);
    unsigned wanted = 2;
    assert_true(loop_until(&fixture->loop, turn, &wanted, 9000));
    assert_int_equal(fixture->heard[1].report.task, 9);
    assert_non_null(strstr(logged(), "does not have what was read last"));
}

static void read_entries_are_trimmed_an_hour_behind(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 300; i++)
        server_run(&fixture->server, "XADD %s %llu-0 task %s delivery 1 op claim agent a", STREAM,
                   (unsigned long long)(10000000 + i), task(8));
    add_entry("13600250-0", 8);
    add_entry("13660250-0", 8);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 13660250};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    pass(300);
    /* Redis trims by whole nodes, so a few more than 53 may be left. */
    assert_in_range(server_number(&fixture->server, "XLEN %s", STREAM), 53, 53 + 100);
    redisReply *left = server_do(&fixture->server, "XRANGE %s 10000250 +", STREAM);
    assert_int_equal(left->elements, 53);
    freeReplyObject(left);
}

/* Redis' own limit is 10,000 a call: at more reports than that a minute streams would grow for
 * ever. */
static void busy_streams_are_trimmed_as_fast_as_they_grow(void **state)
{
    (void)state;
    server_run(&fixture->server, "EVAL %s 1 %s %s",
               "for i = 1, 30000 do redis.call('XADD', KEYS[1], i .. '-0', 'task', ARGV[1]) end",
               STREAM, task(8));
    add_entry("13600250-0", 8);
    add_entry("13660250-0", 8);
    MUST(state_begin(fixture->state) == STATUS_OK);
    *state_queue(fixture->state, 1) = (struct state_queue){.report_ms = 13660250};
    MUST(state_commit(fixture->state) == STATUS_OK);
    launch();
    pass(300);
    assert_in_range(server_number(&fixture->server, "XLEN %s", STREAM), 0, 100);
}

static void trail_remembers_ever_older_entries(void **state)
{
    struct inbox_trail trail = {0};
    struct redis_reply nothing = {.type = REDIS_NIL};

    (void)state;
    assert_int_equal(inbox_trail_before(&trail, 1).ms, 0);
    for (uint64_t second = 1; second <= 5000; second++)
        inbox_trail_add(&trail, (struct inbox_id){second, 0}, &nothing, 10, 1000 * second);
    assert_int_equal(trail.count, INBOX_STEPS);
    assert_int_equal(trail.steps[0].id.ms, 5000);
    for (unsigned i = 1; i < INBOX_STEPS; i++)
        assert_in_range(5000 - trail.steps[i].id.ms, 1u << (i - 1), 2u << (i - 1));
    assert_in_range(inbox_trail_before(&trail, 1000).ms, 5000 - 400, 5000 - 100);
}

static void trail_goes_back_with_the_cursor(void **state)
{
    struct inbox_trail trail = {0};
    struct redis_reply nothing = {.type = REDIS_NIL};

    (void)state;
    for (uint64_t second = 1; second <= 100; second++)
        inbox_trail_add(&trail, (struct inbox_id){second, 0}, &nothing, 10, 1000 * second);
    inbox_trail_back(&trail, (struct inbox_id){95, 7});
    assert_in_range(trail.steps[0].id.ms, 80, 95);
    assert_int_equal(trail.read, 10 * trail.steps[0].id.ms);
    inbox_trail_back(&trail, (struct inbox_id){0, 0});
    assert_int_equal(trail.count + trail.read, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start_reads_from_a_little_before_its_cursor),
        TEST(start_reads_little_again_of_a_busy_stream),
        TEST(start_trusts_no_stream_that_lost_its_newest_entry),
        TEST(start_without_the_newest_entry_reads_all),
        TEST(redis_that_comes_back_with_all_of_it_is_read_on),
        TEST(redis_that_lost_its_end_is_read_from_what_it_has),
        TEST(same_id_with_other_words_is_another_entry),
        TEST(stream_that_may_not_be_asked_is_read_from_its_start),
        TEST(start_sees_that_ids_went_back),
        TEST(again_reads_nothing_twice_that_is_still_there),
        TEST(redis_with_the_same_run_id_may_have_gone_back),
        TEST(ids_that_went_back_are_read),
        TEST(read_entries_are_trimmed_an_hour_behind),
        TEST(busy_streams_are_trimmed_as_fast_as_they_grow),
        cmocka_unit_test(trail_remembers_ever_older_entries),
        cmocka_unit_test(trail_goes_back_with_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
