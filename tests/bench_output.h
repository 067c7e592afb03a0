/* A result, and what was written of it. For the tests of bench/output*.c: included by one test
 * file each. */
#ifndef HOTLEAD_TESTS_BENCH_OUTPUT_H
#define HOTLEAD_TESTS_BENCH_OUTPUT_H

#include "bench/output.h"
#include "tests/bench_results.h"
#include "tests/unit.h"

static struct result result;
static char *shown;

static inline int make_result(void **state)
{
    (void)state;
    results_make(&result, 900000, 7);
    shown = NULL;
    return 0;
}

static inline int free_result(void **state)
{
    (void)state;
    result_free(&result);
    free(shown);
    return 0;
}

#endif
