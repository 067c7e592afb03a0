/* The words and the summary that a result is shown with. */
#include "bench/output_words.h"
#include "tests/bench_output.h"

static const char *summary(void)
{
    free(shown);
    shown = results_text(output_summary, &result);
    return shown;
}

static void assert_shows(const char *part)
{
    if (!strstr(summary(), part))
        fail_msg("'%s' is not in\n%s", part, shown);
}

static void assert_shows_not(const char *part)
{
    if (strstr(summary(), part))
        fail_msg("'%s' is in\n%s", part, shown);
}

static void assert_fits(void)
{
    unsigned lines = 0;
    char *text = strdup(summary()), *rest = text;

    for (char *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n")) {
        lines++;
        if (strlen(line) > 100)
            fail_msg("%zu columns: %s", strlen(line), line);
    }
    if (lines > 40)
        fail_msg("%u lines:\n%s", lines, shown);
    free(text);
}

/* --- words --------------------------------------------------------------------- */

static void durations_have_three_digits_and_a_fitting_unit(void **state)
{
    static const struct {
        double ns;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1ns"},
                 {999, "999ns"},
                 {1000, "1.00us"},
                 {1234, "1.23us"},
                 {34567, "34.6us"},
                 {999499, "999us"},
                 {999500, "1.00ms"},
                 {99950000, "100ms"},
                 {9994000, "9.99ms"},
                 {9996000, "10.0ms"},
                 {1.5e9, "1.50s"},
                 {4.2e12, "4200s"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(words_duration(cases[i].ns).text, cases[i].text);
}

static void counts_have_commas(void **state)
{
    (void)state;
    assert_string_equal(words_count(0).text, "0");
    assert_string_equal(words_count(999).text, "999");
    assert_string_equal(words_count(1000).text, "1,000");
    assert_string_equal(words_count(12345678).text, "12,345,678");
    assert_string_equal(words_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void rates_are_whole_from_a_hundred_on(void **state)
{
    (void)state;
    assert_string_equal(words_rate(9998.4).text, "9,998");
    assert_string_equal(words_rate(99.97).text, "100");
    assert_string_equal(words_rate(12.34).text, "12.3");
    assert_string_equal(words_rate(5).text, "5");
}

static void sizes_are_in_powers_of_1024(void **state)
{
    (void)state;
    assert_string_equal(words_bytes(96ull << 20).text, "96.0MiB");
    assert_string_equal(words_bytes(8ull << 30).text, "8.00GiB");
    assert_string_equal(words_bytes(512).text, "0.50KiB");
}

/* --- summary ------------------------------------------------------------------- */

static void a_summary_fits_the_screen(void **state)
{
    (void)state;
    assert_fits();
}

static void a_summary_with_everything_at_its_longest_fits_the_screen(void **state)
{
    (void)state;
    memset(result.command, 'c', sizeof result.command - 1);
    memset(result.versions, 'v', sizeof result.versions - 1);
    memset(result.redis_settings, 'r', sizeof result.redis_settings - 1);
    memset(result.playbook, 'b', sizeof result.playbook - 1);
    result.emails_popped = result.emails_reported = result.emails_doubled = UINT64_MAX;
    memset(result.machine.processor, 'p', sizeof result.machine.processor - 1);
    result.answer_count = RESULT_STATUSES_MAX;
    for (unsigned i = 0; i < RESULT_STATUSES_MAX; i++)
        result.answers[i] = (struct result_count){.status = 500, .count = UINT64_MAX};
    while (result.check_count < RESULT_CHECKS_MAX)
        result_check(&result, result.check_count % 2, "something that was checked", "%.*s", 127,
                     result.command);
    result.bench_was_the_limit = true;
    memset(result.limit_why, 'w', sizeof result.limit_why - 1);
    result.disk.volatile_memory = true;
    result.disk.simulated_us = UINT32_MAX;
    result.machine.load1 = 99;
    result.rate = 1e9;
    hist_add_many(result.latency[RESULT_ACK], 5000000000, 5000);
    assert_fits();
}

static void a_cut_line_says_so_and_keeps_characters_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i + 2 < sizeof result.command; i += 2)
        memcpy(&result.command[i], "\xc3\xa9", 2);
    char *line = strstr(summary(), "  command");
    assert_non_null(line);
    *strchr(line, '\n') = '\0';
    assert_string_equal(line + strlen(line) - 3, "...");
    assert_memory_equal(line + strlen(line) - 5, "\xc3\xa9", 2);
}

static void a_summary_names_machine_disk_versions_and_load(void **state)
{
    (void)state;
    assert_shows("hotlead, 2023-11-14 22:13 UTC\n");
    assert_shows("hotlead-bench run --rate 1000 --duration 20\n");
    assert_shows("hotlead 0.1.0, Redis 7.0.15, libuv 1.44.2; playbook default\n");
    assert_shows(
        "4 cores, AMD EPYC 7B13, 8.00GiB, load 0.25 before; Debian 12, Linux 6.1.0-18-amd64");
    assert_shows("ext4, fdatasync p50 410us p99 2.30ms; Redis: appendonly yes");
    assert_shows("1,000/s poisson, open loop, 20.0 s, 64 kept connections, 2 consumers (report)\n");
    assert_shows("10 sites, json=70,form=25,multipart=5, 10 % returning, 0 % duplicates, seed 7");
}

static void latencies_stand_in_a_table(void **state)
{
    char row[128];

    (void)state;
    hist_clear(result.latency[RESULT_ACK]);
    hist_add_many(result.latency[RESULT_ACK], 1234000, 99);
    hist_add(result.latency[RESULT_ACK], 56000000);
    snprintf(row, sizeof row, "  %-34s %10s %10s %10s %10s %10s\n", "intended -> 2xx (corrected)",
             "1.23ms", "1.23ms", "1.23ms", "56.0ms", "56.0ms");
    assert_shows(row);
}

static void buckets_of_the_server_are_interpolated_and_marked(void **state)
{
    char row[128];

    (void)state;
    result.commit.cumulated[0] = 500, result.commit.cumulated[1] = 980;
    result.commit.cumulated[2] = 1000, result.commit.cumulated[3] = 1000;
    snprintf(row, sizeof row, " %10s %10s %10s %10s %10s\n", "~500us", "~917us", "~1.50ms",
             "~1.95ms", "<2.00ms");
    assert_shows(row);
}

static void what_is_over_all_buckets_is_only_known_to_be_longer(void **state)
{
    char row[128];

    (void)state;
    snprintf(row, sizeof row, " %10s %10s %10s %10s %10s\n", "~1.00ms", ">2.00ms", ">2.00ms",
             ">2.00ms", ">2.00ms");
    assert_shows(row);
}

static void a_peer_without_buckets_and_pops_shows_none(void **state)
{
    (void)state;
    result.commit.count = result.visible.count = 0;
    hist_clear(result.latency[RESULT_LEAD]);
    assert_shows_not("buckets");
    assert_shows("speed-to-lead: intended -> popped           -          -");
}

static void throughput_is_compared_with_what_was_wanted(void **state)
{
    (void)state;
    result.acked = result.acked_meanwhile = 19990;
    assert_shows("1,000 acknowledged/s of 1,000 wanted (99.95 %)");
}

static void errors_are_all_that_was_sent_and_not_taken(void **state)
{
    (void)state;
    result.answers[1] = (struct result_count){503, "", 30};
    result.answers[2] = (struct result_count){0, "time-out", 10};
    result.answers[3] = (struct result_count){303, "", 9}; /* a form's */
    result.answer_count = 4;
    assert_shows("201 x 20,000, 503 x 30, time-out x 10, 303 x 9\n");
    assert_shows("40 of 20,000 due (0.2 %)");
}

static void cost_is_told_by_opt_in(void **state)
{
    (void)state;
    assert_shows("server 14.0us, Redis 6.00us, bench 9.00us an acknowledged opt-in");
    assert_shows("server 96.0MiB at most");
    result.server_cpu_us = 0;
    assert_shows("server unknown, Redis 6.00us");
}

static void playbook_stands_with_the_versions(void **state)
{
    (void)state;
    assert_shows("libuv 1.44.2; playbook default\n");
    result.playbook[0] = '\0'; /* of a peer, or of a server that somebody else started */
    assert_shows("libuv 1.44.2\n");
}

static void e_mails_have_a_line_where_there_were_some(void **state)
{
    (void)state;
    result.emails_reported = 19999;
    result.emails_doubled = 2;
    assert_shows("  e-mails     20,000 taken by the robot, 19,999 reported as sent, 2 doubled\n");
    result.emails_popped = 0;
    assert_shows_not("e-mails");
}

static void failed_checks_come_first_and_the_title_says_so(void **state)
{
    (void)state;
    assert_shows_not("NOT SOUND");
    result.checks[1].holds = false;
    assert_shows("UTC: NOT SOUND, these figures do not count\n");
    assert_shows(
        "  FAILED      none was popped twice: 0 doubled\n  ok          every acknowledged");
}

static void a_sound_run_on_a_disk_has_no_notes(void **state)
{
    (void)state;
    assert_shows_not("\n  ! ");
}

static void whatever_takes_from_the_figures_is_said(void **state)
{
    (void)state;
    result.disk.volatile_memory = true;
    strcpy(result.disk.file_system, "tmpfs");
    assert_shows("! The store was on tmpfs, in memory");
    result.machine.load1 = 3;
    assert_shows("! The machine was busy before the run: load 3.00 on 4 cores.");
    result.bench_was_the_limit = true;
    strcpy(result.limit_why, "its loop was busy all the time");
    assert_shows(
        "! The bench was the limit, so its figures are its own, not the server's: its loop");
    result.acked = result.acked_meanwhile = 15000;
    assert_shows("! The wanted rate was not reached");
}

static void a_disk_that_was_not_measured_has_no_figures(void **state)
{
    (void)state;
    result.disk = (struct machine_disk){.file_system = "remote"};
    assert_shows("disk        remote, fdatasync not measured; Redis: appendonly yes");
}

static void a_drain_that_was_none_says_so(void **state)
{
    (void)state;
    result.drain_s = 0.0025;
    assert_shows("drain       the last task was popped 2.50ms after the last answer");
    result.drain_s = 0;
    assert_shows("drain       none: the last task was popped before the last answer was read");
    result.popped = 0;
    assert_shows_not("drain  ");
}

static void
what_a_server_elsewhere_does_not_tell_is_named_with_the_flag_that_brings_it(void **state)
{
    (void)state;
    assert_shows_not("--admin-url");
    result.disk = (struct machine_disk){.file_system = "remote"};
    assert_shows("! CPU and memory are unknown of a server behind --url.");
    assert_shows_not("--admin-url");
    result.commit.count = result.visible.count = 0;
    assert_shows("! No lines commit, commit -> visible");
    assert_shows("--admin-url");
    assert_fits();
}

static void a_key_that_the_server_does_not_know_is_named(void **state)
{
    (void)state;
    result.answers[0].status = 401;
    assert_shows("! 401: the server does not know the key. Is --key");
}

static void where_no_task_came_out_the_place_is_asked_for(void **state)
{
    (void)state;
    result.lost = result.acked;
    assert_shows_not("Not one task came out");
    result.popped = 0;
    assert_shows("! Not one task came out. Is it this Redis (--redis");
}

static void a_seed_that_was_sent_before_is_told_from_duplicates_that_were_wanted(void **state)
{
    (void)state;
    result.duplicates = result.acked - 1;
    assert_shows_not("repetition");
    result.duplicates = result.acked;
    assert_shows("! Every opt-in was a repetition: seed 7 was sent to this server before");
}

static void tasks_of_somebody_else_are_explained(void **state)
{
    (void)state;
    result.unclaimed = 1;
    assert_shows("! Tasks came out that are not of this run");
}

static void a_simulated_disk_is_said(void **state)
{
    (void)state;
    assert_shows_not("imulated");
    assert_shows_not("SIMULATED");
    result.disk.simulated_us = 80;
    assert_shows(
        "  disk        SIMULATED: no sync, 80 us instead; really ext4, fdatasync p50 410us");
    assert_shows("! The server's disk was simulated: syncs were left out and took 80 us instead");
}

static void a_run_that_was_ended_early_says_so(void **state)
{
    (void)state;
    strcpy(result.limit_why, "Ended by Ctrl-C.");
    assert_shows("! Ended by Ctrl-C.\n");
}

static void corrected_far_over_raw_is_explained(void **state)
{
    (void)state;
    assert_shows_not("corrected counts");
    hist_add_many(result.latency[RESULT_ACK], 400000000, 4000);
    assert_shows("! The corrected p99 is ");
}

static void a_closed_loop_shows_no_corrected_latency_and_says_why(void **state)
{
    (void)state;
    result.rate = 0;
    strcpy(result.arrivals, "closed");
    assert_shows("1,000 acknowledged/s in a closed loop\n");
    assert_shows("! Closed loop: nothing is sent while an answer is awaited");
    assert_shows_not("(corrected)");
    assert_shows_not("wanted");
}

static void an_empty_result_is_shown_all_the_same(void **state)
{
    (void)state;
    result_free(&result);
    assert_status(result_init(&result), STATUS_OK);
    assert_fits();
    assert_shows("answers     none");
    assert_shows_not("nan");
    assert_shows_not("inf");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_result, free_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(durations_have_three_digits_and_a_fitting_unit),
        TEST(counts_have_commas),
        TEST(rates_are_whole_from_a_hundred_on),
        TEST(sizes_are_in_powers_of_1024),
        TEST(a_summary_fits_the_screen),
        TEST(a_summary_with_everything_at_its_longest_fits_the_screen),
        TEST(a_cut_line_says_so_and_keeps_characters_whole),
        TEST(a_summary_names_machine_disk_versions_and_load),
        TEST(latencies_stand_in_a_table),
        TEST(buckets_of_the_server_are_interpolated_and_marked),
        TEST(what_is_over_all_buckets_is_only_known_to_be_longer),
        TEST(a_peer_without_buckets_and_pops_shows_none),
        TEST(throughput_is_compared_with_what_was_wanted),
        TEST(errors_are_all_that_was_sent_and_not_taken),
        TEST(cost_is_told_by_opt_in),
        TEST(playbook_stands_with_the_versions),
        TEST(e_mails_have_a_line_where_there_were_some),
        TEST(failed_checks_come_first_and_the_title_says_so),
        TEST(a_sound_run_on_a_disk_has_no_notes),
        TEST(whatever_takes_from_the_figures_is_said),
        TEST(a_disk_that_was_not_measured_has_no_figures),
        TEST(a_drain_that_was_none_says_so),
        TEST(what_a_server_elsewhere_does_not_tell_is_named_with_the_flag_that_brings_it),
        TEST(a_key_that_the_server_does_not_know_is_named),
        TEST(where_no_task_came_out_the_place_is_asked_for),
        TEST(a_seed_that_was_sent_before_is_told_from_duplicates_that_were_wanted),
        TEST(tasks_of_somebody_else_are_explained),
        TEST(a_simulated_disk_is_said),
        TEST(a_run_that_was_ended_early_says_so),
        TEST(corrected_far_over_raw_is_explained),
        TEST(a_closed_loop_shows_no_corrected_latency_and_says_why),
        TEST(an_empty_result_is_shown_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
