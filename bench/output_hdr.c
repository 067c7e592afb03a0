/* HdrHistogram's percentile text, as its libraries print and its plotter reads it. The steps
 * between percentiles halve each time the distance to 100 % does: five to a half. The last line has
 * no fourth column, since 1/(1-1) is none; the plotter passes over it, as over the notes behind #.
 */
#include <math.h>

#include "bench/output.h"

#define TICKS_PER_HALF 5
#define NS_PER_MS      1e6

static double next_level(double level)
{
    double halvings = floor(log2(100 / (100 - level))) + 1;

    return level + 100 / (TICKS_PER_HALF * exp2(halvings));
}

static void write_levels(const struct hist *hist, FILE *out)
{
    uint64_t total = hist_count(hist), seen = 0, ns, count;
    double level = 0;
    size_t place = 0;

    while (hist_next(hist, &place, &ns, &count)) {
        seen += count;
        for (; seen < total && (double)seen * 100 >= level * (double)total;
             level = next_level(level))
            fprintf(out, "%12.3f %2.12f %10llu %14.2f\n", (double)ns / NS_PER_MS, level / 100,
                    (unsigned long long)seen, 100 / (100 - level));
    }
    if (total > 0)
        fprintf(out, "%12.3f %2.12f %10llu\n", (double)hist_max_ns(hist) / NS_PER_MS, 1.0,
                (unsigned long long)total);
}

void output_hdr(const struct result *result, enum result_latency which, FILE *out)
{
    const struct hist *hist = result->latency[which];

    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    write_levels(hist, out);
    fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", hist_mean_ns(hist) / NS_PER_MS,
            hist_deviation_ns(hist) / NS_PER_MS);
    fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n",
            (double)hist_max_ns(hist) / NS_PER_MS, (unsigned long long)hist_count(hist));
    /* Powers of two above the first, and the equal parts of each: see hist.c. */
    fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 32, 1024);
}
