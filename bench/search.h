/* The highest rate that a target keeps: `run --max --limit 'p99<10ms'`. */
#ifndef HOTLEAD_BENCH_SEARCH_H
#define HOTLEAD_BENCH_SEARCH_H

#include <stdio.h>

#include "bench/run.h"

struct search_found {
    double rate;         /* the highest that was kept for the whole run; 0: none was */
    double broke_at;     /* the lowest tried that was not; 0: there was none */
    char broke_how[128]; /* "speed-to-lead p99 13.8ms is over the limit" */
    unsigned runs;
    double took_s;
};

/* The highest rate, to 5 %, at which `limit` (see output_threshold) holds, every request is
 * answered with a yes and no task is lost or doubled. `first_rate` is tried first (0: 1,000 a
 * second), doubled or halved until the limit lies between two rates, and then the gap between those
 * is halved. That is done in trials of a few seconds, and one that fails is repeated while there is
 * time, because a machine has other things to do; the rate found is then kept for the whole of
 * `options->duration_s`, and lowered a few times when it cannot be. `out` (initialised as for
 * run_once) is of that last run.
 *
 * How long it takes at most is said on `talk` beforehand, and kept: where the time for trials is
 * over, the gap stays as wide as it is. Each trial is said there as well. What people sent in the
 * trials does not repeat: each begins at the number behind the last one of the trial before, so
 * `options->people.first` is the first of many.
 *
 * NOT_FOUND: no rate was kept; INVALID: the limit cannot be read; CLOSING: Ctrl-C; each of them
 * said on `talk`, with what is known by then. Else what run_once says. Main thread. */
enum status search_rate(const struct run_options *options, const struct target *target,
                        const char *limit, double first_rate, FILE *talk,
                        struct search_found *found, struct result *out);

#endif
