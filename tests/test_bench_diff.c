#include "tests/unit.h"

#include "bench/commands.h"
#include "bench/diff.h"
#include "tests/bench_command.h"
#include "tests/bench_results.h"

#define RUNS_MAX 4

static struct folder folder;
static struct result runs_a[RUNS_MAX], runs_b[RUNS_MAX];
static struct diff_side a, b;
static char *said;

static struct diff_side side_over(struct result *runs)
{
    struct diff_side side = {.runs = runs, .lead = hist_open(), .ack = hist_open()};

    assert_non_null(side.lead);
    assert_non_null(side.ack);
    return side;
}

static void add_run(struct diff_side *side, double median_ns, uint64_t seed)
{
    struct result *run = &side->runs[side->count++];

    results_make(run, median_ns, seed);
    hist_merge(side->lead, run->latency[RESULT_LEAD]);
    hist_merge(side->ack, run->latency[RESULT_ACK]);
}

static int make_sides(void **state)
{
    (void)state;
    folder = folder_make();
    a = side_over(runs_a);
    b = side_over(runs_b);
    said = NULL;
    return 0;
}

static void free_side(struct diff_side *side)
{
    for (size_t i = 0; i < side->count; i++)
        result_free(&side->runs[i]);
    hist_close(side->lead);
    hist_close(side->ack);
}

static int free_sides(void **state)
{
    (void)state;
    free_side(&a);
    free_side(&b);
    free(said);
    folder_remove(&folder);
    return 0;
}

static struct diff_estimate estimate(const char *name)
{
    struct diff_estimate out;

    diff_estimate(diff_figure_find(name, stderr), &a, &b, &out);
    return out;
}

static void assert_verdict(const char *name, enum diff_verdict verdict)
{
    struct diff_estimate found = estimate(name);

    if (found.verdict != verdict)
        fail_msg("%s is %s (%g, %g .. %g), should be %s", name, diff_verdict_text(found.verdict),
                 found.ratio, found.low, found.high, diff_verdict_text(verdict));
}

/* --- estimates ----------------------------------------------------------------- */

static void a_slower_second_side_is_worse_in_all_its_latencies(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 1200000, 2);
    for (size_t i = 0; i < diff_figure_count; i++)
        if (strstr(diff_figures[i].name, ".p"))
            assert_verdict(diff_figures[i].name, DIFF_WORSE);
    struct diff_estimate p50 = estimate("lead.p50");
    assert_true(p50.low < 1.333 && p50.high > 1.333);
    assert_true(p50.low > 1.25 && p50.high < 1.42);
}

static void a_faster_second_side_is_better(void **state)
{
    (void)state;
    add_run(&a, 1200000, 1);
    add_run(&b, 900000, 2);
    assert_verdict("lead.p50", DIFF_BETTER);
    assert_verdict("ack.p99", DIFF_BETTER);
    assert_verdict("ack.p99.9", DIFF_BETTER);
}

static void more_a_second_is_better_and_more_cpu_is_worse(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    b.runs[0].acked_meanwhile = b.runs[0].acked = b.runs[0].acked * 3 / 2;
    assert_verdict("rate", DIFF_BETTER);
    assert_verdict("cpu", DIFF_BETTER);
    b.runs[0].server_cpu_us *= 2;
    assert_verdict("cpu", DIFF_WORSE);
}

/* 95 % of intervals are to hold the truth. Of 30 pairs of like runs and nine figures, which are not
 * independent, some are expected to miss it; a tenth would be too many. */
static void like_sides_rarely_show_a_difference(void **state)
{
    unsigned shown = 0, asked = 0;

    (void)state;
    for (uint64_t pair = 0; pair < 30; pair++) {
        add_run(&a, 900000, 100 + pair);
        add_run(&b, 900000, 200 + pair);
        for (size_t i = 0; i < diff_figure_count; i++, asked++) {
            struct diff_estimate out;
            diff_estimate(&diff_figures[i], &a, &b, &out);
            assert_int_not_equal(out.verdict, DIFF_NO_INTERVAL);
            shown += out.verdict != DIFF_NOT_SHOWN;
        }
        free_side(&a);
        free_side(&b);
        a = side_over(runs_a);
        b = side_over(runs_b);
    }
    if (shown * 10 > asked)
        fail_msg("%u of %u like figures were told apart", shown, asked);
}

static void the_same_files_give_the_same_interval(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 950000, 2);
    struct diff_estimate first = estimate("lead.p99"), second = estimate("lead.p99");
    assert_true(first.low == second.low && first.high == second.high);
    assert_true(first.low < first.ratio && first.ratio < first.high);
}

static void neighbouring_seconds_that_sway_together_widen_the_interval(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    /* The same 20 values; either by turns or one half after the other. */
    for (unsigned i = 0; i < 20; i++)
        b.runs[0].seconds[i].acked = i % 2 ? 1200 : 800;
    struct diff_estimate by_turns = estimate("rate");
    for (unsigned i = 0; i < 20; i++)
        b.runs[0].seconds[i].acked = i < 10 ? 1200 : 800;
    struct diff_estimate halves = estimate("rate");
    assert_true(halves.high - halves.low > 1.5 * (by_turns.high - by_turns.low));
}

static void runs_that_differ_among_themselves_widen_the_interval(void **state)
{
    static const double medians[] = {700000, 900000, 1200000};

    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 1000000, 2);
    struct diff_estimate single = estimate("lead.p50"), single_tail = estimate("lead.p99.9");
    assert_int_equal(single.verdict, DIFF_WORSE);
    free_side(&a), free_side(&b);
    a = side_over(runs_a), b = side_over(runs_b);
    for (unsigned i = 0; i < 3; i++) {
        add_run(&a, medians[i], 10 + i);
        add_run(&b, 1.1 * medians[i], 20 + i);
    }
    struct diff_estimate several = estimate("lead.p50"), tail = estimate("lead.p99.9");
    assert_int_equal(several.verdict, DIFF_NOT_SHOWN);
    assert_true(several.high - several.low > 3 * (single.high - single.low));
    assert_true(tail.high - tail.low > single_tail.high - single_tail.low);
}

static void a_short_run_has_no_interval(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 1200000, 2);
    b.runs[0].second_count = 7;
    assert_verdict("lead.p50", DIFF_NO_INTERVAL);
    b.runs[0].second_count = 8;
    assert_verdict("lead.p50", DIFF_WORSE);
}

static void seconds_of_the_drain_do_not_count(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    struct diff_estimate before = estimate("rate");
    for (unsigned i = 10; i < 20; i++)
        b.runs[0].seconds[i] = (struct result_second){.second = i, .popped = 5};
    struct diff_estimate after = estimate("rate");
    assert_true(after.high - after.low < 3 * (before.high - before.low));
}

static void too_few_requests_have_no_bound_for_their_p999(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    hist_clear(b.lead);
    for (unsigned i = 1; i <= 3000; i++)
        hist_add(b.lead, i * 1000);
    assert_verdict("lead.p99.9", DIFF_NO_INTERVAL);
    for (unsigned i = 1; i <= 7000; i++)
        hist_add(b.lead, i * 1000);
    assert_int_not_equal(estimate("lead.p99.9").verdict, DIFF_NO_INTERVAL);
}

/* 10,000 values: ranks 9,990 +- 1.96 sqrt(9.99), so 9,983 and 9,998. */
/* A sender that was a hair late has its last requests in a second that had just begun. */
static void a_second_that_was_just_begun_is_none(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    struct diff_estimate before = estimate("rate");
    struct result *run = &runs_b[0];
    run->seconds = realloc(run->seconds, (run->second_count + 1) * sizeof *run->seconds);
    assert_non_null(run->seconds);
    run->seconds[run->second_count++] =
        (struct result_second){.second = 20, .intended = 1, .sent = 3, .acked = 9};
    struct diff_estimate after = estimate("rate");
    assert_true(after.low == before.low);
    assert_true(after.high == before.high);
}

static void bounds_of_a_tail_are_binomial_ranks(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    hist_clear(a.lead);
    for (unsigned i = 1; i <= 10000; i++)
        hist_add(a.lead, i <= 9982 ? 1000000 : i < 9998 ? 2000000 : 4000000);
    add_run(&b, 900000, 1);
    hist_clear(b.lead);
    hist_merge(b.lead, a.lead);
    struct diff_estimate tail = estimate("lead.p99.9");
    /* Both bounds of both sides: the lower one is the figure itself, the upper one twice it. */
    assert_true(tail.ratio == 1);
    assert_true(tail.high > 1.99 && tail.high < 2.01);
    assert_true(tail.low > 0.495 && tail.low < 0.505);
}

static void what_one_side_lacks_is_unknown(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    b.runs[0].redis_cpu_us = 0;
    hist_clear(b.lead);
    assert_false(estimate("redis_cpu").known);
    assert_false(estimate("lead.p50").known);
    assert_true(estimate("cpu").known);
}

/* --- thresholds ---------------------------------------------------------------- */

static enum status threshold(const char *text, struct diff_threshold *out)
{
    size_t length = 0;
    FILE *talk;

    free(said);
    said = NULL;
    talk = open_memstream(&said, &length);
    enum status status = diff_threshold_read(text, talk, out);
    fclose(talk);
    return status;
}

static bool missed(const char *text, double ratio, enum diff_verdict verdict)
{
    struct diff_threshold limit;
    struct diff_estimate found = {.known = true, .ratio = ratio, .verdict = verdict};

    if (threshold(text, &limit) != STATUS_OK)
        fail_msg("%s", said);
    return diff_threshold_is_missed(&limit, &found);
}

static void a_threshold_is_a_change_in_percent(void **state)
{
    (void)state;
    assert_false(missed("p99<+5%", 1.049, DIFF_WORSE));
    assert_true(missed("p99<+5%", 1.051, DIFF_WORSE));
    assert_false(missed("rate>-2%", 0.99, DIFF_WORSE));
    assert_true(missed("rate > -2%", 0.97, DIFF_WORSE));
    assert_true(missed("cpu<-10%", 0.95, DIFF_BETTER));
    assert_true(missed("ack.p50<0%", 1, DIFF_WORSE));
    assert_false(missed("ack.p50<=0%", 1, DIFF_WORSE));
    assert_false(missed("rate>=0%", 1, DIFF_WORSE));
}

static void a_threshold_is_not_missed_by_what_may_be_chance(void **state)
{
    (void)state;
    assert_false(missed("p99<+5%", 1.5, DIFF_NOT_SHOWN));
    assert_true(missed("p99<+5%", 1.5, DIFF_NO_INTERVAL));
}

static void a_threshold_that_cannot_be_read_is_refused_with_an_example(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {{"p99", "write one of < <= >= >"},
                 {"<+5%", "name a figure"},
                 {"p99<5", "ends with %, as in p99<+5% or rate>-2%"},
                 {"p99<5ms", "ends with %"},
                 {"p99<", "write a number of percent"},
                 {"p99<nan%", "write a number of percent"},
                 {"p99<-101%", "more than 100 %"},
                 {"raet>-2%", "there is no figure 'raet'; did you mean 'rate'?"},
                 {"weather<+5%", "there are rate, lead.p50"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diff_threshold out;
        assert_status(threshold(cases[i].text, &out), STATUS_INVALID);
        if (!strstr(said, cases[i].message))
            fail_msg("%s: said '%s'", cases[i].text, said);
    }
}

static void a_figure_is_found_by_all_its_names(void **state)
{
    (void)state;
    assert_string_equal(diff_figure_find("p99", stderr)->name, "lead.p99");
    assert_string_equal(diff_figure_find("speed_to_lead.p99.9", stderr)->name, "lead.p99.9");
    assert_string_equal(diff_figure_find("ack.p50", stderr)->name, "ack.p50");
}

/* --- the command --------------------------------------------------------------- */

#define COMMAND(...)                                                                               \
    command_run(diff_command, &folder, (const char *const[]){"diff", __VA_ARGS__, NULL}, &said)

static void assert_said(const char *part)
{
    if (!strstr(said, part))
        fail_msg("'%s' is not in\n%s", part, said);
}

static void a_gate_is_not_passed_by_a_result_that_is_not_sound(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 1);
    result_check(&b.runs[0], false, "no task is lost", "1 lost");
    command_store(&a.runs[0], &folder, "a.json");
    command_store(&b.runs[0], &folder, "b.json");
    assert_int_equal(COMMAND("a.json", "b.json"), BENCH_DONE);
    assert_said("a run of B is not sound");
    assert_int_equal(COMMAND("a.json", "b.json", "-t", "p99<+50%"), BENCH_FAILED);
    assert_said("no threshold is kept by it");
}

static void store_two_that_differ(void)
{
    add_run(&a, 900000, 1);
    add_run(&b, 1200000, 2);
    command_store(&a.runs[0], &folder, "a.json");
    command_store(&b.runs[0], &folder, "b.json");
}

static void the_command_prints_a_table_and_its_method(void **state)
{
    (void)state;
    store_two_that_differ();
    assert_int_equal(COMMAND("a.json", "b.json"), BENCH_DONE);
    assert_said("A  a.json: hotlead, 1 run, 20 s, 20,000 acknowledged\n");
    assert_said("speed-to-lead p99.9 ");
    assert_said("block bootstraps over the seconds");
    assert_said("Not covered: what changes from run to run");
    assert_null(strstr(said, "Not measured alike"));
    for (char *rest = said, *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n"))
        assert_true(strlen(line) <= 100);
}

static void the_command_takes_several_runs_a_side(void **state)
{
    (void)state;
    store_two_that_differ();
    assert_int_equal(COMMAND("a.json,a.json", "b.json,b.json"), BENCH_DONE);
    assert_said("hotlead, 2 runs, 40 s, 40,000 acknowledged");
    assert_said("Whole runs were drawn as well");
}

static void the_command_warns_of_other_conditions(void **state)
{
    (void)state;
    store_two_that_differ();
    b.runs[0].connections = 8;
    command_store(&b.runs[0], &folder, "b.json");
    assert_int_equal(COMMAND("a.json", "b.json"), BENCH_DONE);
    assert_said("Not measured alike:\n  ! connections differs: A's is 64 kept; B's is 8 kept\n");
}

static void the_command_compares_only_what_is_asked(void **state)
{
    (void)state;
    store_two_that_differ();
    assert_int_equal(COMMAND("--metric", "cpu", "a.json", "b.json"), BENCH_DONE);
    assert_said("server CPU/opt-in");
    assert_null(strstr(said, "speed-to-lead"));
}

static void a_missed_threshold_exits_with_3(void **state)
{
    (void)state;
    store_two_that_differ();
    assert_int_equal(COMMAND("a.json", "b.json", "-t", "p50<+5%"), BENCH_THRESHOLD);
    assert_said("threshold p50<+5%: MISSED, found +3");
    assert_int_equal(COMMAND("b.json", "a.json", "-t", "p50<+5%"), BENCH_DONE);
    assert_said("threshold p50<+5%: holds, found -2");
}

static void a_threshold_of_what_a_side_lacks_fails(void **state)
{
    (void)state;
    store_two_that_differ();
    b.runs[0].redis_cpu_us = 0;
    command_store(&b.runs[0], &folder, "b.json");
    assert_int_equal(COMMAND("a.json", "b.json", "-t", "redis_cpu<+5%"), BENCH_FAILED);
    assert_said("one of the results has no redis_cpu");
}

static void json_holds_the_figures(void **state)
{
    (void)state;
    store_two_that_differ();
    assert_int_equal(COMMAND("--json", "-m", "rate", "a.json", "b.json"), BENCH_DONE);
    assert_said("\"name\": \"rate\"");
    assert_said("\"a\": 1000.0");
    assert_said("\"interval_95\": [");
    assert_said("\"not_alike\": []");
}

static void wrong_usage_exits_with_2(void **state)
{
    (void)state;
    assert_int_equal(COMMAND("a.json"), BENCH_USAGE);
    assert_said("name two results");
    assert_int_equal(COMMAND("a", "b", "c"), BENCH_USAGE);
    assert_int_equal(COMMAND("a", "b", "--metric", "p98"), BENCH_USAGE);
    assert_said("there is no figure 'p98'; did you mean");
    assert_int_equal(COMMAND("a", "b", "--threshold", "p99<5ms"), BENCH_USAGE);
}

static void a_file_that_cannot_be_read_exits_with_1(void **state)
{
    (void)state;
    assert_int_equal(COMMAND("none.json", "none.json"), BENCH_FAILED);
    assert_said("none.json cannot be read: No such file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_sides, free_sides)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slower_second_side_is_worse_in_all_its_latencies),
        TEST(a_faster_second_side_is_better),
        TEST(more_a_second_is_better_and_more_cpu_is_worse),
        TEST(like_sides_rarely_show_a_difference),
        TEST(the_same_files_give_the_same_interval),
        TEST(neighbouring_seconds_that_sway_together_widen_the_interval),
        TEST(runs_that_differ_among_themselves_widen_the_interval),
        TEST(a_short_run_has_no_interval),
        TEST(seconds_of_the_drain_do_not_count),
        TEST(too_few_requests_have_no_bound_for_their_p999),
        TEST(a_second_that_was_just_begun_is_none),
        TEST(bounds_of_a_tail_are_binomial_ranks),
        TEST(what_one_side_lacks_is_unknown),
        TEST(a_threshold_is_a_change_in_percent),
        TEST(a_threshold_is_not_missed_by_what_may_be_chance),
        TEST(a_threshold_that_cannot_be_read_is_refused_with_an_example),
        TEST(a_figure_is_found_by_all_its_names),
        TEST(the_command_prints_a_table_and_its_method),
        TEST(the_command_takes_several_runs_a_side),
        TEST(the_command_warns_of_other_conditions),
        TEST(the_command_compares_only_what_is_asked),
        TEST(a_missed_threshold_exits_with_3),
        TEST(a_threshold_of_what_a_side_lacks_fails),
        TEST(a_gate_is_not_passed_by_a_result_that_is_not_sound),
        TEST(json_holds_the_figures),
        TEST(wrong_usage_exits_with_2),
        TEST(a_file_that_cannot_be_read_exits_with_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
