/* bench/output_hdr.c: percentiles as HdrHistogram prints them. */
#include "tests/bench_output.h"

static void write_hdr(const struct result *from, FILE *out)
{
    output_hdr(from, RESULT_ACK, out);
}

/* 2.001: the highest value of the bucket that 2 ms fall into. */
static void percentiles_are_printed_as_hdrhistogram_does(void **state)
{
    (void)state;
    hist_clear(result.latency[RESULT_ACK]);
    for (unsigned ms = 1; ms <= 4; ms++)
        hist_add(result.latency[RESULT_ACK], ms * 1000000);
    shown = results_text(write_hdr, &result);
    assert_string_equal(shown, "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                               "\n"
                               "       1.000 0.000000000000          1           1.00\n"
                               "       1.000 0.100000000000          1           1.11\n"
                               "       1.000 0.200000000000          1           1.25\n"
                               "       2.001 0.300000000000          2           1.43\n"
                               "       2.001 0.400000000000          2           1.67\n"
                               "       2.001 0.500000000000          2           2.00\n"
                               "       3.000 0.550000000000          3           2.22\n"
                               "       3.000 0.600000000000          3           2.50\n"
                               "       3.000 0.650000000000          3           2.86\n"
                               "       3.000 0.700000000000          3           3.33\n"
                               "       3.000 0.750000000000          3           4.00\n"
                               "       4.000 1.000000000000          4\n"
                               "#[Mean    =        2.500, StdDeviation   =        1.118]\n"
                               "#[Max     =        4.000, Total count    =            4]\n"
                               "#[Buckets =           32, SubBuckets     =         1024]\n");
}

/* The plotter takes the lines of four columns. */
static void percentiles_never_fall_and_end_with_all(void **state)
{
    double value, level, before_value = 0, before_level = -1;
    unsigned long long count, before_count = 0;
    unsigned lines = 0;

    (void)state;
    shown = results_text(write_hdr, &result);
    for (char *line = strchr(shown, '\n'); line; line = strchr(line + 1, '\n')) {
        if (line[1] == '\n' || sscanf(line, "%lf %lf %llu", &value, &level, &count) != 3)
            continue;
        assert_true(value >= before_value && level > before_level && count >= before_count);
        assert_true((double)count >= level * (double)hist_count(result.latency[RESULT_ACK]) - 1);
        before_value = value, before_level = level, before_count = count;
        lines++;
    }
    assert_true(lines > 50);
    assert_true(before_level == 1);
    assert_int_equal(before_count, hist_count(result.latency[RESULT_ACK]));
}

static void an_empty_histogram_has_a_head_and_notes(void **state)
{
    (void)state;
    hist_clear(result.latency[RESULT_ACK]);
    shown = results_text(write_hdr, &result);
    assert_non_null(strstr(shown, "1/(1-Percentile)\n\n#[Mean    =        0.000"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_result, free_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(percentiles_are_printed_as_hdrhistogram_does),
        TEST(percentiles_never_fall_and_end_with_all),
        TEST(an_empty_histogram_has_a_head_and_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
