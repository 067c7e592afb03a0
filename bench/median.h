/* The middle one of some figures: a round that was disturbed does not decide. */
#ifndef HOTLEAD_BENCH_MEDIAN_H
#define HOTLEAD_BENCH_MEDIAN_H

#include <stdlib.h>

static inline int median_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts them, so that the least is the first. 0 of none. */
static inline double median_of(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, median_by_size);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

#endif
