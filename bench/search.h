/* The highest rate that a target keeps: `run --max --limit 'p99<10ms'`. */
#ifndef HOTLEAD_BENCH_SEARCH_H
#define HOTLEAD_BENCH_SEARCH_H

#include <stdio.h>

#include "bench/run.h"

/* The highest rate, to 3 %, at which `limit` (see output_threshold) holds, every request is
 * answered with a yes and no task is lost or doubled. `first_rate` is tried first (0: 1,000 a
 * second), doubled or halved until the limit lies between two rates, and then the gap between those
 * is halved. A trial is a run of at most 5 s behind a warm-up of 1 s, and one that fails is
 * repeated, because a machine has other things to do; the rate found is then kept for the whole of
 * `options->duration_s`, and lowered until it can be. `out` (initialised as for run_once) is of
 * that last run.
 *
 * The trials are said on `talk`. What people sent in the trials does not repeat: each begins at the
 * number behind the last one of the trial before, so `options->people.first` is the first of many.
 *
 * NOT_FOUND: it does not hold at one request a second either; INVALID: the limit cannot be read;
 * else what run_once says. Ctrl-C ends the search: CLOSING. Main thread. */
enum status search_rate(const struct run_options *options, const struct target *target,
                        const char *limit, double first_rate, FILE *talk, double *rate_out,
                        struct result *out);

#endif
