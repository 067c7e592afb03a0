/* Two results made one: what is added, what is not, and what cannot be one. */
#include "tests/unit.h"

#include "bench/result.h"
#include "tests/bench_results.h"

static struct result result, again;

/* Of the same moment. */
static int make_two(void **state)
{
    (void)state;
    results_make(&result, 900000, 7);
    results_make(&again, 900000, 8);
    return 0;
}

static int free_two(void **state)
{
    (void)state;
    result_free(&result);
    result_free(&again);
    return 0;
}

static void merge_well(void)
{
    const char *why = NULL;

    assert_status(result_merge(&result, &again, &why), STATUS_OK);
    assert_null(why);
}

static void runs_after_each_other_are_one_longer_run(void **state)
{
    (void)state;
    again.started_ms += 30000;
    again.rate = 2000;
    merge_well();
    assert_true(result.rate == 1500);
    assert_true(result.duration_s == 40);
    assert_int_equal(result.connections, 64);
    assert_int_equal(result.acked, 40000);
    assert_true(result_acked_per_second(&result) == 1000);
    assert_true(result_server_us_per_optin(&result) == 14);
    assert_true(result_redis_us_per_optin(&result) == 6);
    assert_int_equal(result.consumers, 2);
    assert_int_equal(result.runs, 2);
    assert_int_equal(result.second_count, 40);
    assert_int_equal(result.seconds[20].second, 20);
    assert_int_equal(result.seconds[20].acked, again.seconds[0].acked);
    assert_true(result.commit.cumulated[3] == 2000);
    assert_true(result.commit.sum_seconds == 2.5);
}

static void senders_at_one_time_add_their_rates(void **state)
{
    (void)state;
    again.started_ms -= 2000;
    uint64_t first = result.seconds[0].acked + again.seconds[2].acked;
    merge_well();
    assert_true(result.rate == 2000);
    assert_true(result.duration_s == 22);
    assert_int_equal(result.connections, 128);
    assert_int_equal(result.consumers, 4);
    assert_int_equal(result.acked, 40000);
    assert_int_equal(result.started_ms, 1700000000000 - 2000);
    /* The rows of the one that began later stand two seconds further on. */
    assert_int_equal(result.second_count, 22);
    assert_int_equal(result.seconds[2].second, 2);
    assert_int_equal(result.seconds[2].acked, first);
    /* Both watched the same server: its CPU is not twice what it was. */
    assert_int_equal(result.server_cpu_us, again.server_cpu_us);
    assert_int_equal(result.redis_cpu_us, again.redis_cpu_us);
    assert_true(result.commit.cumulated[3] == 1000);
}

/* Their rates must not be added, as if the server had done both at once. */
static void a_slip_between_runs_makes_no_senders_at_one_time(void **state)
{
    (void)state;
    again.started_ms += 15000;
    merge_well();
    assert_true(result.rate == 1000);
    assert_true(result.duration_s == 40);
}

static void of_a_second_that_both_had_the_worse_latency_stands(void **state)
{
    struct result_second worse = {.ack_p50_ns = 1ull << 40,
                                  .ack_p99_ns = 2ull << 40,
                                  .ack_max_ns = 3ull << 40,
                                  .lead_p50_ns = 4ull << 40,
                                  .lead_p99_ns = 5ull << 40,
                                  .lead_max_ns = 6ull << 40,
                                  .server_cpu_us = 7ull << 40,
                                  .redis_cpu_us = 8ull << 40,
                                  .server_resident_bytes = 9ull << 40,
                                  .intended = 1,
                                  .sent = 2,
                                  .acked = 3,
                                  .failed = 4,
                                  .popped = 5};
    struct result_second sum;

    (void)state;
    sum = result.seconds[0];
    again.seconds[0] = worse;
    merge_well();
    worse.intended += sum.intended, worse.sent += sum.sent, worse.acked += sum.acked;
    worse.failed += sum.failed, worse.popped += sum.popped;
    assert_memory_equal(&result.seconds[0], &worse, sizeof worse);
}

static void what_other_buckets_counted_is_not_added(void **state)
{
    (void)state;
    again.started_ms += 30000;
    again.commit.upper_seconds[0] = 0.0001;
    again.visible.cumulated[3] = 3000, again.visible.count = 3;
    merge_well();
    assert_true(result.commit.cumulated[3] == 1000);
    assert_true(result.visible.cumulated[3] == 1000);
}

static void merged_latencies_are_those_of_all(void **state)
{
    (void)state;
    result_free(&again);
    results_make(&again, 90000000, 8);
    uint64_t slow = hist_max_ns(again.latency[RESULT_ACK]);
    merge_well();
    assert_int_equal(hist_count(result.latency[RESULT_ACK]),
                     hist_count(again.latency[RESULT_ACK]) +
                         hist_count(result.latency[RESULT_ACK_RAW]) -
                         hist_count(again.latency[RESULT_ACK_RAW]));
    assert_int_equal(hist_max_ns(result.latency[RESULT_ACK]), slow);
}

static void a_check_that_failed_anywhere_has_failed(void **state)
{
    (void)state;
    again.checks[1].holds = false;
    strcpy(again.checks[1].detail, "2 doubled");
    result_check(&again, true, "the server lived", "yes");
    merge_well();
    assert_false(result_is_sound(&result));
    assert_true(result.checks[0].holds);
    assert_string_equal(result.checks[1].detail, "2 doubled");
    assert_int_equal(result.check_count, 3);
}

static void answers_of_one_kind_are_added_and_the_most_frequent_leads(void **state)
{
    (void)state;
    again.answers[0] = (struct result_count){0, "time-out", 50000};
    again.answers[1] = (struct result_count){201, "", 10};
    again.answer_count = 2;
    merge_well();
    assert_int_equal(result.answer_count, 2);
    assert_string_equal(result.answers[0].error, "time-out");
    assert_int_equal(result.answers[1].count, 20010);
}

static void answers_for_which_no_line_is_left_are_counted_all_the_same(void **state)
{
    uint64_t all = 0;

    (void)state;
    again.answer_count = RESULT_STATUSES_MAX;
    for (int i = 0; i < RESULT_STATUSES_MAX; i++)
        again.answers[i] = (struct result_count){400 + i, "", 10};
    merge_well();
    assert_int_equal(result.answer_count, RESULT_STATUSES_MAX);
    for (unsigned i = 0; i < result.answer_count; i++)
        all += result.answers[i].count;
    assert_int_equal(all, 20000 + 10 * RESULT_STATUSES_MAX);
}

static void a_limit_of_one_sender_is_a_limit_of_all(void **state)
{
    (void)state;
    again.bench_was_the_limit = true;
    strcpy(again.limit_why, "its loop was busy 99 % of the time");
    merge_well();
    assert_true(result.bench_was_the_limit);
    assert_string_equal(result.limit_why, "its loop was busy 99 % of the time");
    again.limit_why[0] = '\0';
    merge_well();
    assert_string_equal(result.limit_why, "its loop was busy 99 % of the time");
}

static void different_targets_are_not_merged_and_nothing_changes(void **state)
{
    const char *why = NULL;

    (void)state;
    strcpy(again.name, "webdis");
    assert_status(result_merge(&result, &again, &why), STATUS_INVALID);
    assert_string_equal(why, "they measured different targets");
    assert_int_equal(result.acked, 20000);
    assert_int_equal(result.second_count, 20);
    assert_int_equal(result.runs, 1);
}

static void a_simulated_disk_is_not_merged_with_a_real_one(void **state)
{
    const char *why = NULL;

    (void)state;
    again.disk.simulated_us = 2000;
    assert_status(result_merge(&result, &again, &why), STATUS_INVALID);
    assert_string_equal(why, "their simulated disks differ, or one's is real");
    again.disk.simulated_us = 0;
    again.disk.volatile_memory = true;
    assert_status(result_merge(&result, &again, &why), STATUS_INVALID);
    assert_non_null(strstr(why, "in memory (tmpfs)"));
}

static void different_versions_are_not_merged(void **state)
{
    const char *why = NULL;

    (void)state;
    strcpy(again.versions, "hotlead 0.2.0");
    assert_status(result_merge(&result, &again, &why), STATUS_INVALID);
    assert_string_equal(why, "they measured different versions");
}

static void assert_not_merged(const char *because)
{
    const char *why = NULL;

    assert_status(result_merge(&result, &again, &why), STATUS_INVALID);
    assert_string_equal(why, because);
    result_free(&again);
    results_make(&again, 900000, 8);
}

static void unlike_loads_are_not_merged(void **state)
{
    (void)state;
    strcpy(again.playbook, "calls (1a2b3c4d)");
    assert_not_merged("their playbooks differ");
    strcpy(again.redis_settings, "appendonly no");
    assert_not_merged("the settings of Redis differ");
    strcpy(again.arrivals, "closed");
    assert_not_merged("their arrivals differ (constant, poisson, closed)");
    strcpy(again.mix, "json=100");
    assert_not_merged("their mixes of bodies differ");
    again.new_connections = true;
    assert_not_merged("one made a new connection for each request, the other did not");
}

static uint64_t *count_of(struct result *of, size_t i)
{
    uint64_t *const counts[] = {&of->intended,       &of->sent,          &of->acked,
                                &of->failed,         &of->duplicates,    &of->acked_meanwhile,
                                &of->returned,       &of->popped,        &of->lost,
                                &of->doubled,        &of->redelivered,   &of->unclaimed,
                                &of->strange,        &of->emails_popped, &of->emails_reported,
                                &of->emails_doubled, &of->bench_cpu_us};

    return i < sizeof counts / sizeof *counts ? counts[i] : NULL;
}

static void all_that_was_counted_is_added(void **state)
{
    (void)state;
    for (size_t i = 0; count_of(&result, i); i++) {
        *count_of(&result, i) = 1000 * (i + 1);
        *count_of(&again, i) = i + 1;
    }
    result.runs = 3, again.runs = 2;
    merge_well();
    for (size_t i = 0; count_of(&result, i); i++)
        if (*count_of(&result, i) != 1001 * (i + 1))
            fail_msg("count %zu is %llu", i, (unsigned long long)*count_of(&result, i));
    assert_int_equal(result.runs, 5);
}

static void of_what_cannot_be_added_the_most_stands(void **state)
{
    (void)state;
    again.sites = 12, again.drain_s = 0.5, again.server_resident_bytes_max = 200ull << 20;
    merge_well();
    assert_int_equal(result.sites, 12);
    assert_true(result.drain_s == 0.5);
    assert_int_equal(result.server_resident_bytes_max, 200ull << 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_two, free_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_after_each_other_are_one_longer_run),
        TEST(senders_at_one_time_add_their_rates),
        TEST(a_slip_between_runs_makes_no_senders_at_one_time),
        TEST(of_a_second_that_both_had_the_worse_latency_stands),
        TEST(what_other_buckets_counted_is_not_added),
        TEST(merged_latencies_are_those_of_all),
        TEST(a_check_that_failed_anywhere_has_failed),
        TEST(answers_of_one_kind_are_added_and_the_most_frequent_leads),
        TEST(answers_for_which_no_line_is_left_are_counted_all_the_same),
        TEST(a_limit_of_one_sender_is_a_limit_of_all),
        TEST(different_targets_are_not_merged_and_nothing_changes),
        TEST(a_simulated_disk_is_not_merged_with_a_real_one),
        TEST(different_versions_are_not_merged),
        TEST(unlike_loads_are_not_merged),
        TEST(all_that_was_counted_is_added),
        TEST(of_what_cannot_be_added_the_most_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
