#include <math.h>

#include "bench/schedule.h"
#include "tests/unit.h"

#define RATE  10000.0
#define GAP   (1e9 / RATE)
#define COUNT 200000

static void even_moments_are_even(void **state)
{
    struct schedule schedule;
    uint64_t before = 0;

    (void)state;
    schedule_init(&schedule, SCHEDULE_CONSTANT, RATE, 1);
    assert_int_equal(schedule_next(&schedule), 0);
    for (int i = 1; i < 1000; i++) {
        uint64_t next = schedule_next(&schedule);
        assert_int_equal(next - before, (uint64_t)GAP);
        before = next;
    }
}

/* A gap that is no whole number, and in binary no finite one. */
static void even_moments_do_not_drift(void **state)
{
    struct schedule schedule;
    uint64_t last = 0;

    (void)state;
    schedule_init(&schedule, SCHEDULE_CONSTANT, 30000, 1);
    for (int i = 0; i <= 3000000; i++)
        last = schedule_next(&schedule);
    assert_in_range(last, 100000000000 - 1, 100000000000 + 1);
}

static void poisson_gaps_have_the_mean_and_the_deviation_of_the_rate(void **state)
{
    struct schedule schedule;
    double sum = 0, squares = 0, before = 0;

    (void)state;
    schedule_init(&schedule, SCHEDULE_POISSON, RATE, 7);
    for (int i = 0; i < COUNT; i++) {
        double next = (double)schedule_next(&schedule);
        sum += next - before;
        squares += (next - before) * (next - before);
        before = next;
    }
    double mean = sum / COUNT, deviation = sqrt(squares / COUNT - mean * mean);
    /* 1 / sqrt(COUNT) is 0.2 %. */
    if (fabs(mean / GAP - 1) > 0.01 || fabs(deviation / GAP - 1) > 0.02)
        fail_msg("mean %.1f and deviation %.1f, both should be %.1f", mean, deviation, GAP);
}

/* Of exponential gaps, a share of 1/e is longer than their mean. */
static void poisson_gaps_are_exponential(void **state)
{
    struct schedule schedule;
    uint64_t before = 0, longer = 0;

    (void)state;
    schedule_init(&schedule, SCHEDULE_POISSON, RATE, 8);
    for (int i = 0; i < COUNT; i++) {
        uint64_t next = schedule_next(&schedule);
        assert_true(next >= before);
        longer += (double)(next - before) > GAP;
        before = next;
    }
    assert_in_range(longer, COUNT * 0.36, COUNT * 0.376);
}

static void a_seed_gives_the_same_moments_and_another_others(void **state)
{
    struct schedule one, same, other;
    unsigned equal = 0;

    (void)state;
    schedule_init(&one, SCHEDULE_POISSON, RATE, 5);
    schedule_init(&same, SCHEDULE_POISSON, RATE, 5);
    schedule_init(&other, SCHEDULE_POISSON, RATE, 6);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = schedule_next(&one);
        assert_int_equal(next, schedule_next(&same));
        equal += next == schedule_next(&other);
    }
    assert_in_range(equal, 0, 2);
}

static void a_copy_goes_on_by_itself(void **state)
{
    struct schedule one, copy;

    (void)state;
    schedule_init(&one, SCHEDULE_POISSON, RATE, 5);
    schedule_next(&one);
    copy = one;
    uint64_t next = schedule_next(&one);
    schedule_next(&one);
    assert_int_equal(schedule_next(&copy), next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_moments_are_even),
        cmocka_unit_test(even_moments_do_not_drift),
        cmocka_unit_test(poisson_gaps_have_the_mean_and_the_deviation_of_the_rate),
        cmocka_unit_test(poisson_gaps_are_exponential),
        cmocka_unit_test(a_seed_gives_the_same_moments_and_another_others),
        cmocka_unit_test(a_copy_goes_on_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
