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

/* `p99<10ms`, `speed_to_lead.p99.9<2.5ms`, `ack.max<1s`, `loss==0`, `doubled==0`, `errors<=5`,
 * `rate>=9900`, `cpu<20us`. A bare percentile is speed_to_lead's (the ack's where nothing is
 * popped). */
struct output_threshold {
    char text[64];
    double wanted, found;
    bool holds;
};
/* INVALID: it cannot be read, or asks for what this result does not have; said on `talk`. */
enum status output_threshold(const char *text, const struct result *result, FILE *talk,
                             struct output_threshold *out);
/* Whether it can be read at all: before anything is run. */
enum status output_threshold_check(const char *text, FILE *talk);

#endif
