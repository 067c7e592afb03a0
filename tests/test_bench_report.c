#include "tests/unit.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/commands.h"
#include "bench/result.h"
#include "tests/bench_results.h"
#include "tests/folder.h"

static struct folder folder;
static struct result result;
static char said[65536];

static int make_files(void **state)
{
    (void)state;
    folder = folder_make();
    results_make(&result, 900000, 7);
    return 0;
}

static int free_files(void **state)
{
    (void)state;
    result_free(&result);
    folder_remove(&folder);
    return 0;
}

static void store(const char *name)
{
    FILE *out = fopen(folder_path(&folder, name), "w");

    assert_non_null(out);
    assert_status(result_write_json(&result, out), STATUS_OK);
    assert_int_equal(fclose(out), 0);
}

static void read_back(const char *name)
{
    FILE *in = fopen(folder_path(&folder, name), "r");

    assert_non_null(in);
    said[fread(said, 1, sizeof said - 1, in)] = '\0';
    fclose(in);
}

/* In a process of its own, since argp ends the process where usage is wrong. `said` is what came on
 * both outputs. Words end with NULL. */
static int command(const char *const *words)
{
    static char copies[8][64] = {"report"};
    char *argv[8] = {copies[0]};
    int argc = 1, status;

    for (; words[argc - 1]; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int out = open(folder_path(&folder, "out"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
        dup2(out, 1), dup2(out, 2);
        int answer = chdir(folder.path) == 0 ? report_command(argc, argv) : 99;
        fflush(NULL);
        _exit(answer);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    read_back("out");
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
#define COMMAND(...) command((const char *const[]){__VA_ARGS__, NULL})

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
    assert_said("MISSED      loss==0: 2\n");
    assert_said("holds       p99<1s: 3.");
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
    assert_int_equal(COMMAND("a.json", "--hdr", "none/a.hdr"), BENCH_FAILED);
    assert_said("none/a.hdr cannot be written: No such file");
    assert_int_equal(COMMAND("a.json", "--json", "/dev/full"), BENCH_FAILED);
    assert_said("/dev/full could not be written whole");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
