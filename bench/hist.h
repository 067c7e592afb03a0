/* A histogram of durations with high dynamic range: logarithmic buckets, each split into 1,024
 * equal ones, so that any value is known to 0.1 %, from 1 ns to over an hour. Its memory is fixed
 * (about 300 KiB); adding costs a few instructions. Longer ones count as the longest.
 *
 * Not shared between threads. */
#ifndef HOTLEAD_BENCH_HIST_H
#define HOTLEAD_BENCH_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIST_NS_MAX ((1ull << 42) - 1) /* 73 minutes */

struct hist;

struct hist *hist_open(void); /* NULL: out of memory */
void hist_close(struct hist *hist);
void hist_clear(struct hist *hist);

void hist_add(struct hist *hist, uint64_t ns);
void hist_add_many(struct hist *hist, uint64_t ns, uint64_t count);
void hist_merge(struct hist *into, const struct hist *from);

uint64_t hist_count(const struct hist *hist);
/* All 0 when empty. `percentile` is 0..100; the answer is the highest value that the bucket of that
 * rank may hold, never over the maximum, which is exact. */
uint64_t hist_at(const struct hist *hist, double percentile);
uint64_t hist_max_ns(const struct hist *hist);
uint64_t hist_min_ns(const struct hist *hist);
double hist_mean_ns(const struct hist *hist);
double hist_deviation_ns(const struct hist *hist);

/* Walks the buckets that hold something, from below; start with `*place` = 0. `ns_out` is the
 * highest value of the bucket. False: that was all. */
bool hist_next(const struct hist *hist, size_t *place, uint64_t *ns_out, uint64_t *count_out);

#endif
