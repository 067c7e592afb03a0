/* Inside of `hotlead-bench diff`: two sides of one or more runs each, and what can be said about
 * the second beside the first. */
#ifndef HOTLEAD_BENCH_DIFF_H
#define HOTLEAD_BENCH_DIFF_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/output_words.h"
#include "bench/result.h"

struct diff_side {
    struct result *runs;
    size_t count;
    struct hist *lead, *ack; /* of all runs */
};

enum diff_unit { DIFF_PER_SECOND, DIFF_NS };
enum diff_method { DIFF_BY_SECONDS, DIFF_BY_RANKS };

struct diff_figure {
    const char *name; /* "lead.p99" */
    const char *title;
    enum diff_unit unit;
    bool more_is_better;
    enum diff_method method;
    double percentile;
    double (*value)(const struct diff_side *side, double percentile); /* 0: unknown */
    /* A figure of a second is numerator / weight, of several the sums of both. */
    double (*numerator)(const struct result_second *second);
    double (*weight)(const struct result_second *second);
};

extern const struct diff_figure diff_figures[];
extern const size_t diff_figure_count;

/* `name` as in thresholds of a run: speed_to_lead.p99 and p99 are lead.p99 too. NULL, and said on
 * `talk`: there is none. */
const struct diff_figure *diff_figure_find(const char *name, FILE *talk);

enum diff_verdict { DIFF_NOT_SHOWN, DIFF_BETTER, DIFF_WORSE, DIFF_NO_INTERVAL };
const char *diff_verdict_text(enum diff_verdict verdict);

struct diff_estimate {
    double a, b, ratio;
    bool known;       /* on both sides */
    double low, high; /* of the ratio, 95 %; 0 with DIFF_NO_INTERVAL */
    enum diff_verdict verdict;
};
void diff_estimate(const struct diff_figure *figure, const struct diff_side *a,
                   const struct diff_side *b, struct diff_estimate *out);

/* `p99<+5%`: the second's p99 is to be less than 5 % over the first's. */
struct diff_threshold {
    const char *text;
    const struct diff_figure *figure;
    bool below, or_equal;
    double ratio;
};
/* INVALID: it cannot be read, and said on `talk`. */
enum status diff_threshold_read(const char *text, FILE *talk, struct diff_threshold *out);
/* Beyond the limit, and not by chance: an interval, where there is one, must exclude 1. */
bool diff_threshold_is_missed(const struct diff_threshold *threshold,
                              const struct diff_estimate *estimate);
bool diff_threshold_is_beyond(const struct diff_threshold *threshold,
                              const struct diff_estimate *estimate);

/* Says what was not the same for all runs, a line each; how many lines. */
unsigned diff_conditions(const struct diff_side *a, const struct diff_side *b, FILE *out);

#endif
