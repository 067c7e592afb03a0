#include "tests/unit.h"

#include <signal.h>
#include <unistd.h>

#include "bench/soak.h"

#define SECONDS 600
#define RATE    1000

static struct soak_sample samples[SECONDS];
static struct result result;
static struct soak_creep creeps[SOAK_CREEPS];

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
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_int_equal(result.check_count, 4);
    assert_true(result_is_sound(&result));
}

static void memory_that_creeps_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SECONDS; i++)
        samples[i].anonymous_bytes += samples[i].acked * 100;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_false(holds("memory is flat"));
    assert_true(creeps[0].last > creeps[0].most);
    assert_true(creeps[1].last <= creeps[1].most);
    assert_true(holds("descriptors are flat"));
}

static void what_creeps_stands_in_the_table_with_its_rule(void **state)
{
    char text[1024];
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    for (unsigned i = 0; i < SECONDS; i++)
        samples[i].descriptors += i / 30;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    soak_creeps_print(creeps, out);
    fclose(out);
    assert_non_null(strstr(text, "CREEPS (2 more)"));
    assert_non_null(strstr(text, "flat (10 % and 60 B an opt-in more)"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 100);
}

static void descriptors_that_creep_are_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SECONDS; i++)
        samples[i].descriptors += i / 30;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_false(holds("descriptors are flat"));
}

static void a_file_that_grows_faster_than_at_first_is_told(void **state)
{
    (void)state;
    for (unsigned i = SECONDS / 2; i < SECONDS; i++)
        samples[i].folder_bytes += (samples[i].acked - samples[SECONDS / 2].acked) * 200;
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_false(holds("bytes on disk an opt-in are flat"));
}

static void one_odd_moment_decides_nothing(void **state)
{
    (void)state;
    samples[SECONDS - 1] = (struct soak_sample){.anonymous_bytes = 1ull << 40, .acked = 1};
    samples[SECONDS - 2] = (struct soak_sample){0}; /* the server was just being started */
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_true(result_is_sound(&result));
}

/* A look may take seconds, on a disk that is busy. */
static void seconds_in_which_nobody_looked_decide_nothing(void **state)
{
    (void)state;
    for (unsigned second = 0; second < SECONDS; second++)
        if (second % 3 != 0)
            samples[second] = (struct soak_sample){0};
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_true(creeps[0].first > 20);
    assert_true(result_is_sound(&result));
}

static void a_server_that_is_away_at_the_end_is_not_flat(void **state)
{
    (void)state;
    memset(&samples[SECONDS - 20], 0, 20 * sizeof *samples);
    assert_true(soak_judge(samples, SECONDS, SECONDS, &result, creeps));
    assert_false(holds("memory is flat"));
}

static void a_soak_that_was_ended_early_judges_no_creeping(void **state)
{
    (void)state;
    assert_false(soak_judge(samples, SECONDS / 2, SECONDS, &result, creeps));
    assert_int_equal(result.check_count, 1);
}

static void assert_unjudged(unsigned seconds, const char *why)
{
    char text[256];
    FILE *out = fmemopen(text, sizeof text, "w");

    soak_unjudged_print(seconds, out);
    fclose(out);
    if (!strstr(text, why))
        fail_msg("'%s' is not in: %s", why, text);
}

static void what_was_too_short_is_told_how_long_it_takes(void **state)
{
    (void)state;
    assert_int_equal(soak_judged_after(1800), 1020);
    assert_unjudged(1800, "not before second 1020 of 1800");
    assert_unjudged(240, "not before second 240 of 240");
    assert_unjudged(180, "4 minutes at least");
    assert_false(soak_judge(samples, soak_judged_after(SECONDS) - 1, SECONDS, &result, creeps));
    assert_true(soak_judge(samples, soak_judged_after(SECONDS), SECONDS, &result, creeps));
}

/* With faults a request may have no answer: but not most of them. */
static void a_server_that_stays_away_is_told(void **state)
{
    (void)state;
    result.acked = result.intended / 2;
    soak_judge(samples, SECONDS, SECONDS, &result, creeps);
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

/* --- faults and minutes ------------------------------------------------------------------------
 */

static struct soak_history history;
static char *told;
static size_t told_length;

static int open_history(void **state)
{
    make_samples(state);
    assert_true(soak_history_open(&history, open_memstream(&told, &told_length)));
    result.seconds = calloc(SECONDS, sizeof *result.seconds);
    return 0;
}

static int close_history(void **state)
{
    fclose(history.talk);
    free(told);
    soak_history_close(&history);
    return free_result(state);
}

/* A second in which `popped` tasks came out, each `lead_ns` after it was meant. */
static void live_a_second(unsigned popped, uint64_t lead_ns)
{
    struct result_second *row = &result.seconds[result.second_count];

    *row = (struct result_second){.second = result.second_count,
                                  .acked = RATE,
                                  .popped = popped,
                                  .lead_p99_ns = popped ? lead_ns : 0};
    result.second_count++;
    if (popped > 0)
        hist_add_many(result.latency[RESULT_LEAD], lead_ns, popped);
    soak_history_second(&history, &result, row, &samples[row->second]);
}

static void live_until(unsigned second, unsigned popped, uint64_t lead_ns)
{
    while (result.second_count <= second)
        live_a_second(popped, lead_ns);
}

static char *tables(void)
{
    static char text[4096];
    FILE *out = fmemopen(text, sizeof text, "w");

    soak_history_print(&history, out);
    fclose(out);
    return text;
}

#define MS 1000000ull

static void fault_is_over_when_leads_are_fast_again(void **state)
{
    (void)state;
    live_until(10, RATE, 2 * MS);
    soak_history_fault(&history, SOAK_REDIS_KILLED, 10);
    live_until(15, 0, 0);
    soak_history_back(&history, true, 15);
    live_until(18, 3 * RATE, 4000 * MS);
    fflush(history.talk);
    assert_int_equal(told_length, 0);
    live_a_second(RATE, 2 * MS);
    fflush(history.talk);
    assert_non_null(strstr(told, "second 10: Redis was killed, back after 5 s, leads (p99) under "
                                 "1 s again after 9 s\n"));
    assert_non_null(strstr(tables(), "Redis killed              1          5 s               9 s"));
}

/* The slowest one need not be the last one. */
static void slowest_of_a_kind_stands_in_the_table(void **state)
{
    static const unsigned at[] = {10, 50, 90}, calm_at[] = {30, 54, 97};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        live_until(at[i], RATE, 2 * MS);
        soak_history_fault(&history, SOAK_REDIS_KILLED, at[i]);
        soak_history_back(&history, true, at[i] + 1);
        live_until(calm_at[i] - 1, 0, 0);
        live_a_second(RATE, 2 * MS);
    }
    assert_non_null(strstr(tables(), "Redis killed              3          1 s               7 s  "
                                     "     20 s\n"));
}

/* Nothing that is slow comes out when nothing comes out. */
static void fault_is_not_over_while_nothing_comes_out(void **state)
{
    (void)state;
    live_until(10, RATE, 2 * MS);
    soak_history_fault(&history, SOAK_KILLED, 10);
    soak_history_back(&history, false, 11);
    live_until(40, 0, 0);
    assert_int_equal(history.faults[0].calm, 0);
    assert_non_null(strstr(tables(), "(1 not calm at the end)"));
}

static void server_that_is_back_is_no_redis_that_is_back(void **state)
{
    (void)state;
    soak_history_fault(&history, SOAK_REDIS_KILLED, 10);
    soak_history_fault(&history, SOAK_RESTARTED, 10);
    soak_history_back(&history, false, 11);
    assert_int_equal(history.faults[0].back, 0);
    assert_int_equal(history.faults[1].back, 11);
}

/* The second minute has the fault, the third what it left behind, the fourth none of it. */
static void minutes_are_calm_or_disturbed_and_have_leads_of_their_own(void **state)
{
    (void)state;
    live_until(100, RATE, 2 * MS);
    soak_history_fault(&history, SOAK_REDIS_KILLED, 100);
    live_until(105, 0, 0);
    soak_history_back(&history, true, 105);
    live_until(130, RATE, 5000 * MS);
    live_until(239, RATE, 2 * MS);
    assert_int_equal(history.minutes, 4);
    assert_int_equal(history.disturbed_minutes, 2);
    assert_int_equal(hist_count(history.calm), 120 * RATE);
    assert_int_equal(hist_count(history.disturbed), (120 - 5) * RATE);
    assert_true(hist_max_ns(history.calm) < 3 * MS);
    fflush(history.talk);
    assert_non_null(strstr(told, "minute 1, calm: 1000 acked/s, 1000 popped/s"));
    assert_non_null(strstr(told, "minute 3, disturbed"));
}

static void minute_that_was_cut_short_counts_too(void **state)
{
    (void)state;
    live_until(20, RATE, 2 * MS);
    soak_history_end(&history, &result);
    assert_int_equal(history.minutes, 1);
    assert_int_equal(hist_count(history.calm), 21 * RATE);
}

static void drain_is_no_minute_of_its_own(void **state)
{
    (void)state;
    soak_history_fault(&history, SOAK_KILLED, 3);
    live_until(59, RATE, 2 * MS);
    hist_add(result.latency[RESULT_LEAD], 2 * MS);
    soak_history_end(&history, &result);
    assert_int_equal(history.minutes, 1);
    assert_int_equal(hist_count(history.disturbed), 60 * RATE + 1);
}

/* --- a look beside the load --------------------------------------------------------------------
 */

static void watch_sees_a_process_and_its_folder(void **state)
{
    char folder[] = "/var/tmp/soak-watch.XXXXXX", path[64];
    struct process own = {.pid = getpgrp()};
    struct soak_sample seen[2] = {{0}};

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 10000; i++)
        fputs("0123456789", file);
    fclose(file);
    struct soak_watch *watch = soak_watch_open(folder, seen, 2);
    soak_watch_look(watch, &own, 0, 77);
    soak_watch_look(watch, &own, 2, 0); /* there is no such sample */
    soak_watch_close(watch);
    unlink(path);
    rmdir(folder);
    assert_int_equal(seen[0].acked, 77);
    assert_true(seen[0].folder_bytes >= 100000);
    assert_true(seen[0].anonymous_bytes > 0);
    assert_true(seen[0].descriptors > 2);
    assert_int_equal(seen[1].acked, 0);
}

#define HISTORY(name) cmocka_unit_test_setup_teardown(name, open_history, close_history)
#define TEST(name)    cmocka_unit_test_setup_teardown(name, make_samples, free_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_does_not_creep_is_sound),
        TEST(memory_that_creeps_is_told),
        TEST(what_creeps_stands_in_the_table_with_its_rule),
        TEST(descriptors_that_creep_are_told),
        TEST(a_file_that_grows_faster_than_at_first_is_told),
        TEST(one_odd_moment_decides_nothing),
        TEST(seconds_in_which_nobody_looked_decide_nothing),
        TEST(a_server_that_is_away_at_the_end_is_not_flat),
        TEST(a_soak_that_was_ended_early_judges_no_creeping),
        TEST(what_was_too_short_is_told_how_long_it_takes),
        TEST(a_server_that_stays_away_is_told),
        TEST(restarts_and_kills_take_turns_in_the_first_half),
        TEST(only_what_was_asked_for_ends_a_server),
        HISTORY(fault_is_over_when_leads_are_fast_again),
        HISTORY(slowest_of_a_kind_stands_in_the_table),
        HISTORY(fault_is_not_over_while_nothing_comes_out),
        HISTORY(server_that_is_back_is_no_redis_that_is_back),
        HISTORY(minutes_are_calm_or_disturbed_and_have_leads_of_their_own),
        HISTORY(minute_that_was_cut_short_counts_too),
        HISTORY(drain_is_no_minute_of_its_own),
        cmocka_unit_test(watch_sees_a_process_and_its_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
