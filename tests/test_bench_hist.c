#include "tests/unit.h"

#include "bench/hist.h"

static struct hist *hist;

static int open_hist(void **state)
{
    (void)state;
    hist = hist_open();
    assert_non_null(hist);
    return 0;
}

static int close_hist(void **state)
{
    (void)state;
    hist_close(hist);
    return 0;
}

/* splitmix64: any sequence does, as long as it is the same each time. */
static uint64_t random_next(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Spread over all powers of two, as durations are. */
static uint64_t random_ns(uint64_t *random)
{
    return random_next(random) >> (22 + random_next(random) % 42);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void assert_same(const struct hist *a, const struct hist *b)
{
    size_t place_a = 0, place_b = 0;
    uint64_t ns_a, ns_b, count_a, count_b;

    assert_int_equal(hist_count(a), hist_count(b));
    assert_int_equal(hist_min_ns(a), hist_min_ns(b));
    assert_int_equal(hist_max_ns(a), hist_max_ns(b));
    while (hist_next(a, &place_a, &ns_a, &count_a)) {
        assert_true(hist_next(b, &place_b, &ns_b, &count_b));
        assert_int_equal(ns_a, ns_b);
        assert_int_equal(count_a, count_b);
    }
    assert_false(hist_next(b, &place_b, &ns_b, &count_b));
}

static void an_empty_one_answers_zero_to_everything(void **state)
{
    size_t place = 0;
    uint64_t ns, count;

    (void)state;
    assert_int_equal(hist_count(hist), 0);
    assert_int_equal(hist_at(hist, 99.9), 0);
    assert_int_equal(hist_max_ns(hist), 0);
    assert_int_equal(hist_min_ns(hist), 0);
    assert_true(hist_mean_ns(hist) == 0);
    assert_true(hist_deviation_ns(hist) == 0);
    assert_false(hist_next(hist, &place, &ns, &count));
}

/* With a far greater one beside it, a value is answered with its bucket's upper end. */
static void a_value_is_known_to_a_thousandth_and_never_told_too_small(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t ns = random_ns(&random);
        hist_add(hist, ns);
        hist_add(hist, HIST_NS_MAX);
        uint64_t told = hist_at(hist, 50);
        hist_clear(hist);
        if (told < ns || (double)(told - ns) > 0.001 * (double)ns)
            fail_msg("%llu is told as %llu", (unsigned long long)ns, (unsigned long long)told);
    }
}

static void the_edges_of_every_power_of_two_are_known_to_a_thousandth(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 42; bit++) {
        for (int aside = -1; aside <= 1; aside++) {
            uint64_t ns = (1ull << bit) + (uint64_t)aside;
            hist_add(hist, ns);
            hist_add(hist, HIST_NS_MAX);
            uint64_t told = hist_at(hist, 50);
            hist_clear(hist);
            if (told < ns || (double)(told - ns) > 0.001 * (double)ns)
                fail_msg("%llu is told as %llu", (unsigned long long)ns, (unsigned long long)told);
        }
    }
}

static void the_least_and_the_greatest_value_are_exact(void **state)
{
    (void)state;
    hist_add(hist, 123456789);
    hist_add(hist, 987654321);
    hist_add(hist, 500000000);
    assert_int_equal(hist_max_ns(hist), 987654321);
    assert_int_equal(hist_min_ns(hist), 123456789);
    assert_int_equal(hist_at(hist, 100), 987654321);
}

static void no_percentile_is_over_the_maximum(void **state)
{
    (void)state;
    hist_add_many(hist, 1000000007, 10);
    assert_int_equal(hist_at(hist, 50), 1000000007);
    assert_true(hist_mean_ns(hist) == 1000000007);
    assert_true(hist_deviation_ns(hist) == 0);
}

static void longer_ones_count_as_the_longest(void **state)
{
    (void)state;
    hist_add(hist, UINT64_MAX);
    hist_add(hist, HIST_NS_MAX + 1);
    assert_int_equal(hist_count(hist), 2);
    assert_int_equal(hist_max_ns(hist), HIST_NS_MAX);
    assert_int_equal(hist_at(hist, 1), HIST_NS_MAX);
}

static void percentiles_are_those_of_a_sorted_array(void **state)
{
    enum { COUNT = 10000 };
    static const double asked[] = {0, 0.01, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    static uint64_t values[COUNT];
    uint64_t random = 7;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = random_ns(&random);
        hist_add(hist, values[i]);
    }
    qsort(values, COUNT, sizeof *values, ascending);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        /* Exact in whole numbers: hundredths of a percent of 10,000 values. */
        size_t rank = (size_t)(asked[i] * 100 + 0.5);
        uint64_t wanted = values[rank ? rank - 1 : 0], told = hist_at(hist, asked[i]);
        if (told < wanted || (double)(told - wanted) > 0.001 * (double)wanted)
            fail_msg("p%g is %llu, should be %llu", asked[i], (unsigned long long)told,
                     (unsigned long long)wanted);
    }
}

static void the_percentile_at_a_whole_rank_is_that_value_and_not_the_next(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns <= 1000; ns++)
        hist_add(hist, ns);
    for (unsigned tenths = 1; tenths <= 1000; tenths++)
        assert_int_equal(hist_at(hist, tenths / 10.0), tenths);
}

static void merging_is_adding_all_to_one(void **state)
{
    struct hist *parts[3], *all = hist_open();
    uint64_t random = 3;

    (void)state;
    for (int i = 0; i < 3; i++)
        parts[i] = hist_open();
    for (int i = 0; i < 9000; i++) {
        uint64_t ns = random_ns(&random);
        hist_add(parts[i % 2], ns); /* the third stays empty */
        hist_add(all, ns);
    }
    for (int i = 0; i < 3; i++)
        hist_merge(hist, parts[i]);
    assert_same(hist, all);
    assert_true(hist_mean_ns(hist) == hist_mean_ns(all));
    assert_true(hist_deviation_ns(hist) == hist_deviation_ns(all));
    for (int i = 0; i < 3; i++)
        hist_close(parts[i]);
    hist_close(all);
}

static void a_walk_meets_all_values_in_order(void **state)
{
    uint64_t ns, count, before = 0, sum = 0, random = 5;
    size_t place = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        hist_add_many(hist, random_ns(&random), 3);
    while (hist_next(hist, &place, &ns, &count)) {
        assert_true(sum == 0 || ns > before);
        assert_true(count > 0);
        before = ns;
        sum += count;
    }
    assert_int_equal(sum, 3000);
    assert_int_equal(before, hist_max_ns(hist));
}

/* How a file is read: the least value once, and every bucket at its upper end. */
static void a_walk_holds_what_is_needed_to_build_it_again(void **state)
{
    struct hist *again = hist_open();
    uint64_t ns, count, random = 11;
    size_t place = 0;
    bool first = true;

    (void)state;
    for (int i = 0; i < 1000; i++)
        hist_add(hist, random_ns(&random) + 5000);
    while (hist_next(hist, &place, &ns, &count)) {
        if (first)
            hist_add(again, hist_min_ns(hist));
        hist_add_many(again, ns, count - first);
        first = false;
    }
    assert_same(hist, again);
    assert_true(hist_mean_ns(hist) == hist_mean_ns(again));
    hist_close(again);
}

static void mean_and_deviation_are_known_to_a_thousandth(void **state)
{
    (void)state;
    hist_add_many(hist, 2000000, 50);
    hist_add_many(hist, 4000000, 50);
    assert_true(hist_mean_ns(hist) > 2997000 && hist_mean_ns(hist) < 3003000);
    assert_true(hist_deviation_ns(hist) > 999000 && hist_deviation_ns(hist) < 1001000);
}

static void a_cleared_one_holds_nothing(void **state)
{
    struct hist *fresh = hist_open();

    (void)state;
    hist_add(hist, 5);
    hist_add(hist, HIST_NS_MAX);
    hist_clear(hist);
    assert_same(hist, fresh);
    hist_add(hist, 700);
    assert_int_equal(hist_min_ns(hist), 700);
    assert_int_equal(hist_max_ns(hist), 700);
    hist_close(fresh);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_hist, close_hist)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_one_answers_zero_to_everything),
        TEST(a_value_is_known_to_a_thousandth_and_never_told_too_small),
        TEST(the_edges_of_every_power_of_two_are_known_to_a_thousandth),
        TEST(the_least_and_the_greatest_value_are_exact),
        TEST(no_percentile_is_over_the_maximum),
        TEST(longer_ones_count_as_the_longest),
        TEST(percentiles_are_those_of_a_sorted_array),
        TEST(the_percentile_at_a_whole_rank_is_that_value_and_not_the_next),
        TEST(merging_is_adding_all_to_one),
        TEST(a_walk_meets_all_values_in_order),
        TEST(a_walk_holds_what_is_needed_to_build_it_again),
        TEST(mean_and_deviation_are_known_to_a_thousandth),
        TEST(a_cleared_one_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
