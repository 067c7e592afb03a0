/* run --max: the highest rate that keeps a limit. */
#include "bench/search.h"
#include "faulty_server.h"

static void the_highest_rate_without_a_fault_is_found(void **state)
{
    struct world *world = *state;
    struct search_found found;

    faulty.faults.most_per_s = 1500;
    world->options.duration_s = 0.2;
    enum status status = search_rate(&world->options, &world->target, "ack.p99<10s", 1000,
                                     world->talk, &found, &world->result);
    fflush(world->talk);
    assert_status(status, STATUS_OK);
    /* In 0.2 s the bucket takes a tenth more than its rate. */
    if (found.rate < 1200 || found.rate > 1800)
        fail_msg("found %.0f/s: %s", found.rate, world->talk_text);
    assert_int_equal(world->result.failed, 0);
    assert_true(world->result.rate == found.rate);
    assert_true(found.broke_at > found.rate);
    assert_non_null(strstr(found.broke_how, " requests failed"));
    assert_non_null(strstr(world->talk_text, "1:56 min in all at most"));
    assert_non_null(strstr(world->talk_text, ":     2,000/s for 0.2 s"));
}

static void a_limit_that_no_rate_keeps_is_told_with_what_was_tried(void **state)
{
    struct world *world = *state;
    struct search_found found;

    world->options.duration_s = 0.05;
    world->options.warmup_s = 0;
    assert_status(search_rate(&world->options, &world->target, "ack.p50<1ns", 40, world->talk,
                              &found, &world->result),
                  STATUS_NOT_FOUND);
    fflush(world->talk);
    assert_true(found.rate == 0);
    assert_non_null(strstr(world->talk_text, "no rate keeps ack.p50<1ns"));
    assert_non_null(strstr(world->talk_text, "the lowest tried"));
}

static void ctrl_c_ends_a_search_and_what_is_known_is_told(void **state)
{
    struct world *world = *state;
    struct search_found found;
    pthread_t thread;

    world->options.duration_s = 10;
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
    assert_status(search_rate(&world->options, &world->target, "ack.p99<10s", 100, world->talk,
                              &found, &world->result),
                  STATUS_CLOSING);
    pthread_join(thread, NULL);
    fflush(world->talk);
    assert_non_null(strstr(world->talk_text, "ended by Ctrl-C"));
}

static void a_limit_that_cannot_be_read_is_refused_before_anything_is_sent(void **state)
{
    struct world *world = *state;
    struct search_found found;

    assert_status(search_rate(&world->options, &world->target, "fast", 1000, world->talk, &found,
                              &world->result),
                  STATUS_INVALID);
    assert_int_equal(faulty.requests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_highest_rate_without_a_fault_is_found),
        TEST(a_limit_that_no_rate_keeps_is_told_with_what_was_tried),
        TEST(ctrl_c_ends_a_search_and_what_is_known_is_told),
        TEST(a_limit_that_cannot_be_read_is_refused_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, start_redis, end_redis);
}
