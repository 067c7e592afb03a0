/* A server's /metrics (Prometheus text), read once. Blocking. */
#ifndef HOTLEAD_BENCH_METRICS_H
#define HOTLEAD_BENCH_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/target.h"
#include "proto/status.h"

struct metrics;

/* Whether it is known where they are: a hotlead, and its token or admin_url. */
bool metrics_are_known(const struct target *target);
/* BUSY: no answer, or none with metrics. FORBIDDEN: the token is not good. */
enum status metrics_read(const struct target *target, struct metrics **out);
void metrics_close(struct metrics *metrics);

/* A sample by its whole name with labels, as printed: hotlead_optins_total{result="new"}. 0 when
 * it is not there. */
double metrics_value(const struct metrics *metrics, const char *sample);
/* The value of a label of the first sample `name`: hotlead_build_info's version. "" and false when
 * there is none. Escapes in it are left as they are. */
bool metrics_label(const struct metrics *metrics, const char *name, const char *label, char *out,
                   size_t bytes);

#define METRICS_BUCKETS_MAX 32
struct metrics_histogram {
    size_t count;                              /* of buckets */
    double upper_seconds[METRICS_BUCKETS_MAX]; /* the last is infinite */
    double cumulated[METRICS_BUCKETS_MAX];
    double sum_seconds;
};
/* False: there is no such histogram. */
bool metrics_histogram(const struct metrics *metrics, const char *name,
                       struct metrics_histogram *out);
/* Where that share (0..100) of what was counted lies, in seconds, as if it lay evenly within its
 * bucket; infinite when it lies in the last, of which only the lower bound is known. 0 when nothing
 * was counted. */
double metrics_histogram_at(const struct metrics_histogram *histogram, double percentile);
/* The greatest finite bound. */
double metrics_histogram_bound(const struct metrics_histogram *histogram);
/* later - earlier, in place. */
void metrics_histogram_subtract(struct metrics_histogram *later,
                                const struct metrics_histogram *earlier);

#endif
