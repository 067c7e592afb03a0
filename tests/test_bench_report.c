#include "tests/unit.h"

#include "bench/commands.h"
#include "bench/result.h"
#include "tests/bench_command.h"
#include "tests/bench_results.h"

static struct folder folder;
static struct result result;
static char *said;

static int make_files(void **state)
{
    (void)state;
    folder = folder_make();
    said = NULL;
    results_make(&result, 900000, 7);
    return 0;
}

static int free_files(void **state)
{
    (void)state;
    result_free(&result);
    folder_remove(&folder);
    free(said);
    return 0;
}

static void store(const char *name)
{
    command_store(&result, &folder, name);
}

static void read_back(const char *name)
{
    free(said);
    said = command_read(&folder, name);
}

#define COMMAND(...)                                                                               \
    command_run(report_command, &folder, (const char *const[]){"report", __VA_ARGS__, NULL}, &said)

static void assert_said(const char *part)
{
    if (!strstr(said, part))
        fail_msg("'%s' is not in\n%s", part, said);
}

static void a_result_is_shown_again(void **state)
{
    (void)state;
    store("a.json");
    assert_int_equal(COMMAND("a.json"), BENCH_DONE);
    assert_said("hotlead, 2023-11-14 22:13 UTC\n");
    assert_said("201 x 20,000");
}

static void several_results_are_merged(void **state)
{
    (void)state;
    store("a.json");
    result.started_ms += 60000;
    store("b.json");
    assert_int_equal(COMMAND("a.json", "b.json", "--json", "all.json"), BENCH_DONE);
    assert_said("2 runs merged");
    assert_said("1,000/s poisson, open loop, 40.0 s");
    read_back("all.json");
    assert_said("\n\"acked\": 40000,\n");
}

static void results_of_different_targets_are_not_merged(void **state)
{
    (void)state;
    store("a.json");
    strcpy(result.name, "webdis");
    store("b.json");
    assert_int_equal(COMMAND("a.json", "b.json"), BENCH_FAILED);
    assert_said(
        "b.json cannot be merged with the files before it: they measured different targets");
}

static void percentile_text_is_of_the_latency_that_is_asked(void **state)
{
    (void)state;
    hist_clear(result.latency[RESULT_ACK_RAW]);
    hist_add(result.latency[RESULT_ACK_RAW], 77000000);
    store("a.json");
    assert_int_equal(COMMAND("a.json", "--hdr", "a.hdr", "--latency", "ack_raw"), BENCH_DONE);
    read_back("a.hdr");
    assert_said("#[Max     =       77.000, Total count    =            1]\n");
}

static void percentile_text_is_of_the_ack_where_nothing_was_popped(void **state)
{
    (void)state;
    hist_clear(result.latency[RESULT_LEAD]);
    hist_clear(result.latency[RESULT_ACK]);
    hist_add(result.latency[RESULT_ACK], 5000000);
    store("a.json");
    assert_int_equal(COMMAND("a.json", "--hdr", "a.hdr"), BENCH_DONE);
    read_back("a.hdr");
    assert_said("#[Max     =        5.000, Total count    =            1]\n");
}

static void a_page_is_written(void **state)
{
    (void)state;
    store("a.json");
    assert_int_equal(COMMAND("a.json", "--html", "a.html"), BENCH_DONE);
    read_back("a.html");
    assert_said("<html");
}

static void a_missed_threshold_exits_with_3_and_shows_what_was_found(void **state)
{
    (void)state;
    result.lost = 2;
    store("a.json");
    assert_int_equal(COMMAND("a.json", "-t", "loss==0", "-t", "p99<1s"), BENCH_THRESHOLD);
    assert_said("threshold  loss==0                  MISSED (2)\n");
    assert_said("threshold  p99<1s                   ok     (3.");
}

static void a_threshold_of_what_the_result_lacks_fails(void **state)
{
    (void)state;
    result.server_cpu_us = 0;
    store("a.json");
    assert_int_equal(COMMAND("a.json", "-t", "cpu<20us", "-t", "lost>5"), BENCH_FAILED);
    assert_said("this result does not know it");
}

static void wrong_usage_exits_with_2(void **state)
{
    (void)state;
    assert_int_equal(COMMAND("--json", "x"), BENCH_USAGE);
    assert_said("name a result");
    assert_int_equal(COMMAND("a.json", "-t", "p99<10"), BENCH_USAGE);
    assert_said("10 of what?");
    assert_int_equal(COMMAND("a.json", "-l", "lag"), BENCH_USAGE);
    assert_said("there is no latency 'lag'");
}

static void what_cannot_be_read_or_written_exits_with_1(void **state)
{
    (void)state;
    store("a.json");
    assert_int_equal(COMMAND("none.json"), BENCH_FAILED);
    assert_said("none.json cannot be read");
    assert_int_equal(COMMAND("a.json", "--json", "/dev/full"), BENCH_FAILED);
    assert_said("/dev/full could not be written: No space left on device");
}

static void a_file_that_cannot_be_is_refused_before_anything_is_read(void **state)
{
    (void)state;
    assert_int_equal(COMMAND("none.json", "--hdr", "none/a.hdr"), BENCH_USAGE);
    assert_said("none/a.hdr cannot be written: make its folder");
    assert_int_equal(COMMAND("none.json", "--json", "x", "--html", "x"), BENCH_USAGE);
    assert_said("a file each");
}

static void a_result_that_is_not_sound_is_shown_and_fails(void **state)
{
    (void)state;
    result_check(&result, false, "no task is lost", "1 lost");
    store("a.json");
    assert_int_equal(COMMAND("a.json"), BENCH_FAILED);
    assert_said("NOT SOUND");
    assert_int_equal(COMMAND("a.json", "-t", "p99<1s"), BENCH_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_files, free_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_result_is_shown_again),
        TEST(several_results_are_merged),
        TEST(results_of_different_targets_are_not_merged),
        TEST(percentile_text_is_of_the_latency_that_is_asked),
        TEST(percentile_text_is_of_the_ack_where_nothing_was_popped),
        TEST(a_page_is_written),
        TEST(a_missed_threshold_exits_with_3_and_shows_what_was_found),
        TEST(a_threshold_of_what_the_result_lacks_fails),
        TEST(wrong_usage_exits_with_2),
        TEST(what_cannot_be_read_or_written_exits_with_1),
        TEST(a_file_that_cannot_be_is_refused_before_anything_is_read),
        TEST(a_result_that_is_not_sound_is_shown_and_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
