/* Faces of a result. All write to a stream and say nothing else. */
#ifndef HOTLEAD_BENCH_OUTPUT_H
#define HOTLEAD_BENCH_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/result.h"

/* A summary that fits a screen of 100 x 40: what was measured on, load, answers, the latencies' p50
 * p90 p99 p99.9 max, corrected beside raw, CPU an opt-in, the ledger, the checks, and every
 * warning. */
void output_summary(const struct result *result, FILE *out);

/* HdrHistogram's percentile text (as its plotter reads it), in ms, of speed-to-lead or what is
 * asked. */
void output_hdr(const struct result *result, enum result_latency which, FILE *out);

/* One self-contained page: plots of latency by percentile and over time, rate, the way from send to
 * pop, light and dark. */
enum status output_html(const struct result *result, FILE *out);

/* Writes whatever `owner` has to a file; `path` may be NULL: not asked for. False, and said on
 * stderr: it is not there, or not whole. */
typedef enum status output_write_fn(void *owner, FILE *out);
bool output_file_of(const char *path, output_write_fn *write, void *owner);
/* The same for a face of a result. */
typedef enum status output_fn(const struct result *result, FILE *out);
bool output_file(const char *path, output_fn *write_result, const struct result *result);

/* The files somebody asked for; NULL: not wanted. */
struct output_files {
    const char *json, *html, *hdr;
    /* Of which latency `hdr` is; RESULT_LATENCY_COUNT: speed-to-lead, or the answers where nothing
     * was popped. */
    enum result_latency hdr_latency;
};
/* Writes all of them. False, and said on stderr: one is not there, or not whole. */
bool output_files(const struct output_files *files, const struct result *result);
/* Flushes what was printed. False, and said on stderr: stdout did not take all of it. */
bool output_flush(void);

/* [latency.]metric operator value[unit]
 *
 *   latency: lead or speed_to_lead, ack, ack_raw, after_ack.
 *     Left out it is speed_to_lead, or ack where nothing is popped.
 *   metric of a latency: p50, p99.9 (p and any number up to 100), mean, max.
 *   other metrics: lost or loss, doubled, errors, duplicates, rate (acknowledged a second),
 *     cpu and redis_cpu (of the server and of Redis, by acknowledged opt-in).
 *   operator: < <= == != >= >
 *   unit of a latency and of cpu: ns, us, ms, s, never left out. A count has none;
 *     errors and rate also take %, of what was to be sent and of the rate wanted.
 *
 * `p99<10ms`, `ack.max<1s`, `loss==0`, `errors<=0.1%`, `rate>=9900`, `cpu<20us` */
struct output_threshold {
    char text[64];
    double wanted, found; /* durations in ns */
    char found_text[32];  /* as people read it: "12.3ms", "0", "98.2%" */
    bool holds;
};
/* INVALID: it cannot be read, or asks for what this result does not have; said on `talk`. */
enum status output_threshold(const char *text, const struct result *result, FILE *talk,
                             struct output_threshold *out);
/* Judges all of them, each in a line on `out`, also behind one that was missed. The worst of them:
 * what a result cannot answer is worse than a miss, for a gate must not pass by it. */
enum output_outcome { OUTPUT_HOLDS, OUTPUT_MISSED, OUTPUT_UNKNOWN };
enum output_outcome output_thresholds(const char *const *texts, unsigned count,
                                      const struct result *result, FILE *out);
/* How a command ends that showed a result: 1, what it wrote is not whole or a threshold is unknown;
 * 3, one was missed; 1, the result is not sound; 0. */
int output_exit(const struct result *result, enum output_outcome outcome, bool written);
/* Whether it can be read at all: before anything is run. The same messages. */
enum status output_threshold_check(const char *text, FILE *talk);

#endif
