/* Whether two sides were measured alike: each thing that differs is named, and nothing else. */
#include "tests/unit.h"

#include "bench/diff.h"
#include "tests/bench_results.h"

static struct result runs_a[2], runs_b[2];
static struct diff_side a, b;
static char *said;

static void add_run(struct diff_side *side, double median_ns, uint64_t seed)
{
    results_make(&side->runs[side->count++], median_ns, seed);
}

static int make_sides(void **state)
{
    (void)state;
    a = (struct diff_side){.runs = runs_a};
    b = (struct diff_side){.runs = runs_b};
    said = NULL;
    return 0;
}

static void free_side(struct diff_side *side)
{
    for (size_t i = 0; i < side->count; i++)
        result_free(&side->runs[i]);
}

static int free_sides(void **state)
{
    (void)state;
    free_side(&a);
    free_side(&b);
    free(said);
    return 0;
}

static unsigned conditions(void)
{
    size_t length = 0;
    FILE *out;

    free(said);
    said = NULL;
    out = open_memstream(&said, &length);
    unsigned lines = diff_conditions(&a, &b, out);
    fclose(out);
    return lines;
}

static void sides_measured_alike_are_not_warned_of(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 1200000, 2);
    assert_int_equal(conditions(), 0);
    assert_string_equal(said, "");
}

static void whatever_differs_is_named(void **state)
{
    static const char *const names[] = {"target", "versions", "machine", "disk",
                                        "Redis",  "playbook", "rate",    "connections",
                                        "people", "consumers"};

    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    struct result *run = &b.runs[0];
    strcpy(run->name, "webdis"), strcpy(run->versions, "webdis 0.1.22");
    run->machine.cores = 8, run->disk.simulated_us = 80;
    strcpy(run->redis_settings, "appendonly no"), run->rate = 2000;
    strcpy(run->playbook, "calls (1a2b3c4d)");
    run->new_connections = true, run->returning = 0.2, run->consumers = 3;
    assert_int_equal(conditions(), sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[64];
        snprintf(line, sizeof line, "  ! %s differs: A's is ", names[i]);
        if (!strstr(said, line))
            fail_msg("'%s' is not in\n%s", line, said);
    }
    assert_non_null(strstr(said, "A's is 1,000/s poisson; B's is 2,000/s poisson\n"));
    assert_non_null(strstr(said, "A's is 64 kept; B's is 64 new\n"));
}

/* Each of them alone: a condition of several parts differs when one of them does. */
static void each_part_of_a_condition_counts(void **state)
{
    struct result changed[15];
    enum { PARTS = sizeof changed / sizeof *changed };

    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    const struct result as_it_was = b.runs[0];
    for (size_t i = 0; i < PARTS; i++)
        changed[i] = as_it_was;
    changed[0].machine.cores++, strcpy(changed[1].machine.processor, "another");
    changed[2].machine.memory_bytes *= 2, strcpy(changed[3].machine.system, "Debian 13");
    strcpy(changed[4].machine.kernel, "6.12"), strcpy(changed[5].disk.file_system, "xfs");
    changed[6].disk.volatile_memory = true, strcpy(changed[7].arrivals, "constant");
    changed[8].rate = 0, changed[9].connections++, strcpy(changed[10].mix, "json=100");
    changed[11].duplicates_wanted = 0.1, changed[12].sites++, changed[13].consumers++;
    strcpy(changed[14].consumer_mode, "pop");
    for (size_t i = 0; i < PARTS; i++) {
        b.runs[0] = changed[i];
        if (conditions() != 1)
            fail_msg("part %zu: %s", i, said);
    }
    b.runs[0] = changed[8];
    conditions();
    assert_non_null(strstr(said, "A's is 1,000/s poisson; B's is closed loop\n"));
    b.runs[0] = as_it_was;
}

static void runs_of_one_side_must_be_alike_too(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&a, 900000, 2);
    add_run(&b, 900000, 3);
    a.runs[1].rate = 500;
    assert_int_equal(conditions(), 1);
    assert_non_null(strstr(said, "A's is 1,000/s poisson; another of A's is 500/s poisson"));
}

static void an_unsound_limited_or_disturbed_run_is_named(void **state)
{
    (void)state;
    add_run(&a, 900000, 1);
    add_run(&b, 900000, 2);
    a.runs[0].checks[0].holds = false;
    b.runs[0].bench_was_the_limit = true;
    b.runs[0].machine.load1 = 4;
    assert_int_equal(conditions(), 3);
    assert_non_null(strstr(said, "a run of A is not sound"));
    assert_non_null(strstr(said, "the bench was the limit in a run of B"));
    assert_non_null(strstr(said, "busy before a run of B: load 4.00 on 4 cores"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_sides, free_sides)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sides_measured_alike_are_not_warned_of),
        TEST(whatever_differs_is_named),
        TEST(each_part_of_a_condition_counts),
        TEST(runs_of_one_side_must_be_alike_too),
        TEST(an_unsound_limited_or_disturbed_run_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
