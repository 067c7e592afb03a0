/* bench/output_threshold.c: what thresholds compare, and how slips in them are answered. */
#include "tests/bench_output.h"

static enum status threshold(const char *text, struct output_threshold *out)
{
    size_t length = 0;
    FILE *talk;

    free(shown);
    shown = NULL;
    talk = open_memstream(&shown, &length);
    enum status status = output_threshold(text, &result, talk, out);
    fclose(talk);
    return status;
}

static void assert_holds(const char *text, bool holds)
{
    struct output_threshold out;

    if (threshold(text, &out) != STATUS_OK)
        fail_msg("%s: %s", text, shown);
    if (out.holds != holds)
        fail_msg("%s should %s; found %s", text, holds ? "hold" : "not hold", out.found_text);
    assert_string_equal(out.text, text);
    assert_string_equal(shown, "");
}

static void assert_refused(const char *text, const char *message)
{
    struct output_threshold out;

    assert_status(threshold(text, &out), STATUS_INVALID);
    if (!strstr(shown, message))
        fail_msg("%s: said '%s', should hold '%s'", text, shown, message);
}

static void thresholds_compare_percentiles_with_durations(void **state)
{
    struct output_threshold out;

    (void)state;
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++) {
        hist_clear(result.latency[i]);
        hist_add_many(result.latency[i], (i + 1) * 10000000, 100);
    }
    assert_holds("p99<10ms", false);
    assert_holds("p99<=10ms", true);
    assert_holds("p99 < 10.5 ms", true);
    assert_holds("lead.p99.9<10001us", true);
    assert_holds("speed_to_lead.p50==10ms", true);
    assert_holds("ack.max<1s", true);
    assert_holds("ack.p99.99>=20ms", true);
    assert_holds("ack_raw.mean>29999999ns", true);
    assert_holds("after_ack.p0!=40ms", false);
    assert_holds("ack.p50<20\u00b5s", false);
    assert_status(threshold("ack.p50<15ms", &out), STATUS_OK);
    assert_true(out.wanted == 15e6 && out.found == 20e6);
    assert_string_equal(out.found_text, "20.0ms");
}

static void thresholds_compare_counts_and_shares(void **state)
{
    (void)state;
    result.answers[1] = (struct result_count){503, "", 20};
    result.answer_count = 2;
    result.duplicates = 4;
    assert_holds("loss==0", true);
    assert_holds("lost==0", true);
    result.lost = 1;
    assert_holds("loss==0", false);
    assert_holds("doubled==0", true);
    assert_holds("errors<=20", true);
    assert_holds("errors<0.2%", true);
    assert_holds("errors<0.1%", false);
    assert_holds("duplicates>3", true);
    assert_holds("rate>=999.5", true);
    assert_holds("rate>=100%", true);
    result.acked = result.acked_meanwhile = 19000;
    assert_holds("rate>=99%", false);
    assert_holds("cpu<20us", true);
    assert_holds("redis_cpu<1us", false);
}

static void a_bare_percentile_is_the_acks_where_nothing_is_popped(void **state)
{
    (void)state;
    hist_clear(result.latency[RESULT_LEAD]);
    hist_clear(result.latency[RESULT_ACK]);
    hist_add(result.latency[RESULT_ACK], 5000000);
    assert_holds("p99==5ms", true);
    assert_refused("lead.p99<1s", "this result has no speed_to_lead: nothing was popped");
}

static void what_a_result_does_not_know_is_no_threshold_that_holds(void **state)
{
    (void)state;
    result.server_cpu_us = 0;
    assert_refused("cpu<20us", "this result does not know it");
    result.rate = 0;
    assert_refused("rate>=99%", "nothing that it could be a share of");
    hist_clear(result.latency[RESULT_LEAD]);
    hist_clear(result.latency[RESULT_ACK]);
    assert_refused("p99<1s", "nothing was acknowledged");
}

static void a_duration_needs_its_unit(void **state)
{
    (void)state;
    assert_refused("p99<10", "10 of what? Write a unit behind it: ns, us, ms or s");
    assert_refused("p99<10m", "'m' is no unit of time; there are ns, us, ms and s");
    assert_refused("cpu<20", "20 of what?");
}

static void a_count_takes_no_unit(void **state)
{
    (void)state;
    assert_refused("lost==0ms", "lost is a number, and 'ms' is no part of one");
    assert_refused("lost<1%", "lost is a number, and '%' is no part of one");
    assert_refused("errors<5s", "errors is a number or a share in %, and 's' is no part of one");
}

static void slips_are_answered_with_what_was_meant(void **state)
{
    (void)state;
    assert_refused("los==0", "there is no 'los'; did you mean 'lost'?");
    assert_refused("err0rs<5", "did you mean 'errors'?");
    assert_refused("akc.p99<1s", "there is no 'akc'; did you mean 'ack'?");
    assert_refused("leed.p99<1s", "did you mean 'lead'?");
    assert_refused("latency<5ms", "there are p<number>, max, mean (of speed_to_lead, ack,");
    assert_refused("p999<5ms", "lies between 0 and 100; write p99.9");
    assert_refused("ack.lost==0", "'lost' belongs to no latency: write it alone");
}

static void a_threshold_that_is_no_comparison_is_refused(void **state)
{
    (void)state;
    assert_refused("", "name a figure, as in p99<10ms");
    assert_refused("<10ms", "name a figure");
    assert_refused("p99", "one of < <= == != >= > is missing");
    assert_refused("p99=10ms", "one of < <= == != >= > is missing");
    assert_refused("p99<", "a number of at least 0 is missing");
    assert_refused("p99<-1ms", "a number of at least 0 is missing");
    assert_refused("p99<0x10ms", "a number of at least 0 is missing");
    assert_refused("p99<infms", "a number of at least 0 is missing");
    assert_refused("p99x<1ms", "'p99x' is no percentile");
    assert_refused("ack.<1ms", "there is no ''");
    assert_refused("p99<1ms and then some more text that makes it far too long to be one of them",
                   "it is longer than 63 bytes");
}

static void a_threshold_can_be_checked_before_there_is_a_result(void **state)
{
    size_t length = 0;
    FILE *talk = open_memstream(&shown, &length);

    (void)state;
    assert_status(output_threshold_check("lead.p99<10ms", talk), STATUS_OK);
    assert_status(output_threshold_check("p99<10", talk), STATUS_INVALID);
    fclose(talk);
    assert_string_equal(shown, "hotlead-bench: threshold 'p99<10': 10 of what? Write a unit behind "
                               "it: ns, us, ms or s\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_result, free_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(thresholds_compare_percentiles_with_durations),
        TEST(thresholds_compare_counts_and_shares),
        TEST(a_bare_percentile_is_the_acks_where_nothing_is_popped),
        TEST(what_a_result_does_not_know_is_no_threshold_that_holds),
        TEST(a_duration_needs_its_unit),
        TEST(a_count_takes_no_unit),
        TEST(slips_are_answered_with_what_was_meant),
        TEST(a_threshold_that_is_no_comparison_is_refused),
        TEST(a_threshold_can_be_checked_before_there_is_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
