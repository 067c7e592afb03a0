/* bench/load.c: when requests are sent, and over which connections. */
#include "tests/load_world.h"

static void moments_are_kept(void **state)
{
    struct schedule schedule;
    uint64_t begun_ns = 0;

    (void)state;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    run((struct load_options){
        .connections = 4, .schedule = &schedule, .duration_ns = 200 * NS_A_MS, .first = 70});
    assert_int_equal(answers, 200);
    assert_int_equal(counts.intended, 200);
    assert_int_equal(counts.waiting, 0);
    for (unsigned i = 0; i < 200; i++)
        if (seen[i].answer.n == 70)
            begun_ns = seen[i].answer.intended_ns;
    for (unsigned i = 0; i < 200; i++) {
        const struct load_answer *one = &seen[i].answer;
        assert_int_equal(one->intended_ns - begun_ns, (one->n - 70) * NS_A_MS);
        assert_true(one->sent_ns >= one->intended_ns);
    }
    assert_in_range(counts.elapsed_ns, 199 * NS_A_MS, 2000 * NS_A_MS);
    assert_in_range(counts.busy_ns, 1, counts.elapsed_ns);
}

/* What a closed loop, and a load tester that waits for answers, would not see. */
static void a_stall_is_charged_to_all_whose_moments_it_took(void **state)
{
    struct schedule schedule;
    unsigned corrected = 0, raw = 0;

    (void)state;
    served.stall_at = 50;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    run((struct load_options){
        .connections = 4, .schedule = &schedule, .duration_ns = 500 * NS_A_MS});
    assert_int_equal(answers, 500);
    all_are(201, "{\"id\":\"opt_1\"}");
    for (unsigned i = 0; i < answers; i++) {
        corrected += seen[i].answer.answered_ns - seen[i].answer.intended_ns > 100 * NS_A_MS;
        raw += seen[i].answer.answered_ns - seen[i].answer.sent_ns > 100 * NS_A_MS;
    }
    /* Planned in the first 200 ms of the stall, and those that catching up takes. */
    assert_in_range(corrected, 195, 400);
    assert_int_equal(raw, 4); /* one on each connection */
}

static void moments_wait_while_there_is_no_connection(void **state)
{
    struct schedule schedule;
    struct load_counts now = {0};

    (void)state;
    served.answer = NULL;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 1000, 1);
    open_load((struct load_options){.connections = 2, .schedule = &schedule, .requests_max = 20},
              (struct people_options){.json = 1});
    while (now.intended < 20) {
        uv_run(&loop, UV_RUN_NOWAIT);
        load_count(load, &now);
    }
    assert_int_equal(now.sent, 2);
    assert_int_equal(now.in_flight, 2);
    assert_int_equal(now.waiting, 18);
    close_all();
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void a_run_can_be_given_up_by_who_gets_an_answer(void **state)
{
    (void)state;
    given_up_at = 5;
    open_load((struct load_options){.connections = 4}, (struct people_options){.json = 1});
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 5);
}

static void stop_soon(uv_timer_t *timer)
{
    (void)timer;
    load_stop(load);
}

static void a_stop_sends_no_more_and_waits_for_what_was_sent(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_init(&schedule, SCHEDULE_POISSON, 500, 1);
    uv_timer_start(&stall, stop_soon, 100, 0);
    run((struct load_options){.connections = 4, .schedule = &schedule});
    assert_true(answers > 0);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(counts.sent, answers); /* who still waited for a connection is not sent */
    assert_true(counts.intended < 100);
}

static void a_new_connection_for_each_request(void **state)
{
    (void)state;
    served.hangs_up = true;
    run((struct load_options){.connections = 3, .requests_max = 50, .new_connections = true});
    assert_int_equal(answers, 50);
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(counts.connects, 50);
    assert_int_equal(served.connections, 50);
    assert_int_equal(served.without_close, 0);
}

/* A server that does not end the connection though it was asked to. */
static void a_new_connection_is_left_though_the_server_keeps_it(void **state)
{
    (void)state;
    run((struct load_options){.connections = 1, .requests_max = 2, .new_connections = true});
    all_are(201, "{\"id\":\"opt_1\"}");
    assert_int_equal(served.connections, 2);
}

static void duplicates_and_returning_people_are_told_apart(void **state)
{
    unsigned what[3] = {0};

    (void)state;
    open_load((struct load_options){.connections = 4, .requests_max = 400},
              (struct people_options){.json = 1, .returning = 0.3, .duplicates = 0.2});
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 400);
    for (unsigned i = 0; i < answers; i++) {
        what[seen[i].answer.what]++;
        assert_true(seen[i].answer.what == PEOPLE_NEW ? seen[i].answer.key == seen[i].answer.n
                                                      : seen[i].answer.key < seen[i].answer.n);
    }
    assert_in_range(what[PEOPLE_RETURNING], 90, 150);
    assert_in_range(what[PEOPLE_DUPLICATE], 50, 110);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(moments_are_kept),
        TEST(a_stall_is_charged_to_all_whose_moments_it_took),
        TEST(moments_wait_while_there_is_no_connection),
        TEST(a_run_can_be_given_up_by_who_gets_an_answer),
        TEST(a_stop_sends_no_more_and_waits_for_what_was_sent),
        TEST(a_new_connection_for_each_request),
        TEST(a_new_connection_is_left_though_the_server_keeps_it),
        TEST(duplicates_and_returning_people_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
