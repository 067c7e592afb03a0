#include "tests/unit.h"

#include <signal.h>

#include "bench/soak.h"

#define SECONDS 600
#define RATE    1000

static struct soak_sample samples[SECONDS];
static struct result result;

/* Ten minutes as they should be: 40 bytes of memory and 500 of disk for each opt-in. */
static int make_samples(void **state)
{
    (void)state;
    assert_status(result_init(&result), STATUS_OK);
    result.intended = result.acked = result.acked_meanwhile = SECONDS * RATE;
    for (unsigned i = 0; i < SECONDS; i++) {
        uint64_t acked = (uint64_t)(i + 1) * RATE;
        samples[i] = (struct soak_sample){.anonymous_bytes = (20u << 20) + 40 * acked,
                                          .folder_bytes = 500 * acked,
                                          .acked = acked,
                                          .descriptors = 80};
    }
    return 0;
}

static int free_result(void **state)
{
    (void)state;
    result_free(&result);
    return 0;
}

static bool holds(const char *what)
{
    for (unsigned i = 0; i < result.check_count; i++)
        if (strcmp(result.checks[i].what, what) == 0)
            return result.checks[i].holds;
    fail_msg("there is no check '%s'", what);
    return false;
}

static void what_does_not_creep_is_sound(void **state)
{
    (void)state;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result));
    assert_int_equal(result.check_count, 4);
    assert_true(result_is_sound(&result));
}

static void memory_that_creeps_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SECONDS; i++)
        samples[i].anonymous_bytes += samples[i].acked * 100;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result));
    assert_false(holds("memory is flat"));
    assert_true(holds("descriptors are flat"));
}

static void descriptors_that_creep_are_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SECONDS; i++)
        samples[i].descriptors += i / 30;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result));
    assert_false(holds("descriptors are flat"));
}

static void a_file_that_grows_faster_than_at_first_is_told(void **state)
{
    (void)state;
    for (unsigned i = SECONDS / 2; i < SECONDS; i++)
        samples[i].folder_bytes += (samples[i].acked - samples[SECONDS / 2].acked) * 200;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result));
    assert_false(holds("bytes on disk an opt-in are flat"));
}

static void one_odd_moment_decides_nothing(void **state)
{
    (void)state;
    samples[SECONDS - 1] = (struct soak_sample){.anonymous_bytes = 1ull << 40, .acked = 1};
    samples[SECONDS - 2] = (struct soak_sample){0}; /* the server was just being started */
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result));
    assert_true(result_is_sound(&result));
}

static void a_soak_that_was_ended_early_judges_no_creeping(void **state)
{
    (void)state;
    assert_false(soak_judge(samples, SECONDS / 2, SECONDS, &result));
    assert_int_equal(result.check_count, 1);
}

/* With faults a request may have no answer: but not most of them. */
static void a_server_that_stays_away_is_told(void **state)
{
    (void)state;
    result.acked = result.intended / 2;
    soak_judge(samples, SECONDS, SECONDS, &result);
    assert_false(holds("nearly every request is answered with a yes"));
}

static void restarts_and_kills_take_turns_in_the_first_half(void **state)
{
    unsigned restarts = 0, kills = 0;

    (void)state;
    for (unsigned second = 0; second < SECONDS; second++) {
        int signal = soak_signal_at(second, SECONDS);
        if (signal != 0)
            assert_true(second < SECONDS / 2);
        restarts += signal == SIGTERM;
        kills += signal == SIGKILL;
    }
    assert_int_equal(restarts, 3);
    assert_int_equal(kills, 3);
    assert_int_equal(soak_signal_at(0, 10), 0);
}

static void only_what_was_asked_for_ends_a_server(void **state)
{
    (void)state;
    assert_true(soak_end_is_expected(SIGTERM, 0));
    assert_true(soak_end_is_expected(SIGKILL, 128 + SIGKILL));
    assert_false(soak_end_is_expected(SIGTERM, 128 + SIGABRT));
    assert_false(soak_end_is_expected(SIGTERM, 1));
    assert_false(soak_end_is_expected(0, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_samples, free_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_does_not_creep_is_sound),
        TEST(memory_that_creeps_is_told),
        TEST(descriptors_that_creep_are_told),
        TEST(a_file_that_grows_faster_than_at_first_is_told),
        TEST(one_odd_moment_decides_nothing),
        TEST(a_soak_that_was_ended_early_judges_no_creeping),
        TEST(a_server_that_stays_away_is_told),
        TEST(restarts_and_kills_take_turns_in_the_first_half),
        TEST(only_what_was_asked_for_ends_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
