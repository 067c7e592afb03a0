/* What can be said about B beside A, and how surely.
 *
 * Rate, p50, p99 and CPU sway from second to second, and neighbouring seconds sway together. So
 * runs of seconds (blocks) are drawn with replacement until there are as many as there were, again
 * and again; how far the ratio of the two sides moves in that is its confidence. The seconds hold
 * percentiles of their own, whose mean is not the percentile of the whole run: the spread is taken
 * from them, the ratio itself from the whole histograms.
 *
 * A second has too few requests for a p99.9 of its own. There the whole histogram is asked: which
 * ranks would the p99.9 have, had the same server been asked by as many others (binomial bounds)?
 * The bounds of both sides are joined as independent errors are, in the logarithm (MOVER).
 *
 * With several runs a side, whole runs are drawn as well, for every figure. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/diff.h"
#include "bench/random.h"
#include "proto/must.h"

#define RESAMPLES   2000
#define SECONDS_MIN 8 /* of a run: less tells nothing about how seconds differ */
#define NORMAL_95   1.959964
#define SEED        0x686f746c656164ull

/* --- the figures --------------------------------------------------------------- */

static double rate_of(const struct diff_side *side, double unused)
{
    double acked = 0, seconds = 0;

    (void)unused;
    for (size_t i = 0; i < side->count; i++) {
        acked += (double)side->runs[i].acked;
        seconds += side->runs[i].duration_s;
    }
    return seconds > 0 ? acked / seconds : 0;
}

static double lead_of(const struct diff_side *side, double percentile)
{
    return (double)hist_at(side->lead, percentile);
}

static double ack_of(const struct diff_side *side, double percentile)
{
    return (double)hist_at(side->ack, percentile);
}

/* Of each acknowledged opt-in, in ns. A run whose CPU nobody could read makes it unknown. */
static double cpu_of(const struct diff_side *side, uint64_t cpu_us(const struct result *run))
{
    double sum = 0, acked = 0;

    for (size_t i = 0; i < side->count; i++) {
        if (cpu_us(&side->runs[i]) == 0)
            return 0;
        sum += 1e3 * (double)cpu_us(&side->runs[i]);
        acked += (double)side->runs[i].acked;
    }
    return acked > 0 ? sum / acked : 0;
}

static uint64_t server_cpu_us(const struct result *run)
{
    return run->server_cpu_us;
}

static uint64_t redis_cpu_us(const struct result *run)
{
    return run->redis_cpu_us;
}

static double server_cpu_of(const struct diff_side *side, double unused)
{
    (void)unused;
    return cpu_of(side, server_cpu_us);
}

static double redis_cpu_of(const struct diff_side *side, double unused)
{
    (void)unused;
    return cpu_of(side, redis_cpu_us);
}

static double one(const struct result_second *second)
{
    (void)second;
    return 1;
}

static double acked(const struct result_second *second)
{
    return (double)second->acked;
}

static double popped(const struct result_second *second)
{
    return (double)second->popped;
}

static double lead_p50(const struct result_second *second)
{
    return (double)second->lead_p50_ns * popped(second);
}

static double lead_p99(const struct result_second *second)
{
    return (double)second->lead_p99_ns * popped(second);
}

static double ack_p50(const struct result_second *second)
{
    return (double)second->ack_p50_ns * acked(second);
}

static double ack_p99(const struct result_second *second)
{
    return (double)second->ack_p99_ns * acked(second);
}

static double server_cpu(const struct result_second *second)
{
    return (double)second->server_cpu_us;
}

static double redis_cpu(const struct result_second *second)
{
    return (double)second->redis_cpu_us;
}

#define BY_SECONDS DIFF_BY_SECONDS
#define BY_RANKS   DIFF_BY_RANKS
const struct diff_figure diff_figures[] = {
    {"rate", "acknowledged/s", DIFF_PER_SECOND, true, BY_SECONDS, 0, rate_of, acked, one},
    {"lead.p50", "speed-to-lead p50", DIFF_NS, false, BY_SECONDS, 50, lead_of, lead_p50, popped},
    {"lead.p99", "speed-to-lead p99", DIFF_NS, false, BY_SECONDS, 99, lead_of, lead_p99, popped},
    {"lead.p99.9", "speed-to-lead p99.9", DIFF_NS, false, BY_RANKS, 99.9, lead_of, NULL, NULL},
    {"ack.p50", "ack p50 (corrected)", DIFF_NS, false, BY_SECONDS, 50, ack_of, ack_p50, acked},
    {"ack.p99", "ack p99 (corrected)", DIFF_NS, false, BY_SECONDS, 99, ack_of, ack_p99, acked},
    {"ack.p99.9", "ack p99.9 (corrected)", DIFF_NS, false, BY_RANKS, 99.9, ack_of, NULL, NULL},
    {"cpu", "server CPU/opt-in", DIFF_NS, false, BY_SECONDS, 0, server_cpu_of, server_cpu, acked},
    {"redis_cpu", "Redis CPU/opt-in", DIFF_NS, false, BY_SECONDS, 0, redis_cpu_of, redis_cpu,
     acked},
};
const size_t diff_figure_count = sizeof diff_figures / sizeof *diff_figures;

static const char *const figure_names[] = {
    "rate",    "lead.p50",  "lead.p99", "lead.p99.9",        "ack.p50",
    "ack.p99", "ack.p99.9", "cpu",      "redis_cpu",         "speed_to_lead.p50",
    "p50",     "p99",       "p99.9",    "speed_to_lead.p99", "speed_to_lead.p99.9",
    NULL};

const struct diff_figure *diff_figure_find(const char *name, FILE *talk)
{
    static const char whole[] = "speed_to_lead.", shorter[] = "lead.";
    const char *rest = strncmp(name, whole, strlen(whole)) == 0 ? name + strlen(whole) : name;

    for (size_t i = 0; i < diff_figure_count; i++) {
        const char *known = diff_figures[i].name;
        if (strcmp(name, known) == 0 || (strncmp(known, shorter, strlen(shorter)) == 0 &&
                                         strcmp(rest, known + strlen(shorter)) == 0))
            return &diff_figures[i];
    }
    const char *nearest = words_nearest(name, figure_names);
    if (nearest)
        fprintf(talk, "hotlead-bench: there is no figure '%s'; did you mean '%s'?\n", name,
                nearest);
    else
        fprintf(talk,
                "hotlead-bench: there is no figure '%s'; there are rate, lead.p50, lead.p99, "
                "lead.p99.9, ack.p50, ack.p99, ack.p99.9, cpu and redis_cpu\n",
                name);
    return NULL;
}

/* --- drawing again ------------------------------------------------------------- */

struct row {
    double numerator, weight;
};
struct rows {
    struct row *rows;
    size_t count;
};
/* A side, as far as one figure goes: the rows of each of its runs. */
struct series {
    struct rows *runs;
    size_t count;
};

static void *allocated(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes);

    MUST(memory); /* a few hundred KiB, in a command that ends at once */
    return memory;
}

/* The last row is of the second that was not over when the sending was: as a whole one it would be
 * the slowest of all. */
static bool is_part(const struct result *run, unsigned row)
{
    return row > 0 && row + 1 == run->second_count &&
           2 * run->seconds[row].sent < run->seconds[row - 1].sent;
}

/* Seconds in which something was to be sent; those of the drain are left out. */
static struct rows rows_of_seconds(const struct diff_figure *figure, const struct result *run)
{
    struct rows rows = {allocated(run->second_count, sizeof(struct row)), 0};

    for (unsigned i = 0; i < run->second_count; i++) {
        const struct result_second *second = &run->seconds[i];
        if ((second->intended > 0 || second->sent > 0) && !is_part(run, i))
            rows.rows[rows.count++] =
                (struct row){figure->numerator(second), figure->weight(second)};
    }
    return rows;
}

/* Of p99.9 each run is one row: only whole runs can be drawn. */
static struct rows row_of_run(const struct diff_figure *figure, const struct result *run)
{
    struct rows rows = {allocated(1, sizeof(struct row)), 1};
    struct diff_side alone = {.lead = run->latency[RESULT_LEAD], .ack = run->latency[RESULT_ACK]};
    double count = (double)hist_count(figure->value == lead_of ? alone.lead : alone.ack);

    rows.rows[0] = (struct row){figure->value(&alone, figure->percentile) * count, count};
    return rows;
}

static struct series series_open(const struct diff_figure *figure, const struct diff_side *side)
{
    struct series series = {allocated(side->count, sizeof(struct rows)), side->count};

    for (size_t i = 0; i < side->count; i++)
        series.runs[i] = figure->method == DIFF_BY_SECONDS ? rows_of_seconds(figure, &side->runs[i])
                                                           : row_of_run(figure, &side->runs[i]);
    return series;
}

static void series_close(struct series *series)
{
    for (size_t i = 0; i < series->count; i++)
        free(series->runs[i].rows);
    free(series->runs);
}

static size_t fewest_rows(const struct series *series)
{
    size_t fewest = SIZE_MAX;

    for (size_t i = 0; i < series->count; i++)
        if (series->runs[i].count < fewest)
            fewest = series->runs[i].count;
    return fewest;
}

static void add_row(struct row *sum, const struct row *row)
{
    sum->numerator += row->numerator;
    sum->weight += row->weight;
}

static double quotient(const struct row *sum)
{
    return sum->weight > 0 ? sum->numerator / sum->weight : 0;
}

static double as_it_was(const struct series *series)
{
    struct row sum = {0, 0};

    for (size_t i = 0; i < series->count; i++)
        for (size_t j = 0; j < series->runs[i].count; j++)
            add_row(&sum, &series->runs[i].rows[j]);
    return quotient(&sum);
}

/* The same files always give the same intervals. */
static size_t draw(uint64_t *random, size_t below)
{
    return (size_t)random_below(random_next(random), below);
}

/* Blocks that run over the end go on at the beginning, so that no second counts less than others.
 * Their length is the usual cube root. */
static void draw_rows(const struct rows *rows, uint64_t *random, struct row *sum)
{
    size_t block = (size_t)ceil(cbrt((double)rows->count));

    for (size_t drawn = 0; drawn < rows->count;) {
        size_t from = draw(random, rows->count);
        for (size_t i = 0; i < block && drawn < rows->count; i++, drawn++)
            add_row(sum, &rows->rows[(from + i) % rows->count]);
    }
}

static double drawn_again(const struct series *series, uint64_t *random)
{
    struct row sum = {0, 0};

    for (size_t i = 0; i < series->count; i++)
        draw_rows(&series->runs[draw(random, series->count)], random, &sum);
    return quotient(&sum);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* How far the logarithm of B/A may lie below and above what was found. */
struct spread {
    double below, above;
};

/* False: a side has nothing to draw from. */
static bool spread_of_drawing(const struct series *a, const struct series *b, struct spread *out)
{
    static double moved[RESAMPLES];
    double found_a = as_it_was(a), found_b = as_it_was(b);
    uint64_t random = SEED;

    if (found_a <= 0 || found_b <= 0)
        return false;
    for (unsigned i = 0; i < RESAMPLES; i++) {
        double again_a = drawn_again(a, &random), again_b = drawn_again(b, &random);
        if (again_a <= 0 || again_b <= 0)
            return false;
        moved[i] = log(again_b / again_a) - log(found_b / found_a);
    }
    qsort(moved, RESAMPLES, sizeof *moved, ascending);
    /* Rounding aside, what was found lies within. */
    out->below = fmax(0, -moved[(size_t)(0.025 * RESAMPLES)]);
    out->above = fmax(0, moved[(size_t)(0.975 * RESAMPLES) - 1]);
    return true;
}

/* --- ranks --------------------------------------------------------------------- */

/* False: the upper rank lies behind the last request, so nothing bounds it. */
static bool bounds_of_ranks(const struct hist *hist, double percentile, double *low, double *high)
{
    double count = (double)hist_count(hist), share = percentile / 100;
    double sway = NORMAL_95 * sqrt(count * share * (1 - share));
    double lower = floor(count * share - sway), upper = ceil(count * share + sway) + 1;

    if (lower < 1 || upper > count)
        return false;
    *low = (double)hist_at(hist, 100 * lower / count);
    *high = (double)hist_at(hist, 100 * upper / count);
    return *low > 0;
}

static bool spread_of_ranks(const struct hist *a, const struct hist *b, double percentile,
                            struct spread *out)
{
    double low_a, high_a, low_b, high_b;
    double found_a = (double)hist_at(a, percentile), found_b = (double)hist_at(b, percentile);

    if (!bounds_of_ranks(a, percentile, &low_a, &high_a) ||
        !bounds_of_ranks(b, percentile, &low_b, &high_b))
        return false;
    out->below = hypot(log(found_b / low_b), log(high_a / found_a));
    out->above = hypot(log(high_b / found_b), log(found_a / low_a));
    return true;
}

/* --- both ---------------------------------------------------------------------- */

static bool spread_of(const struct diff_figure *figure, const struct diff_side *a,
                      const struct diff_side *b, struct spread *out)
{
    struct series series_a = series_open(figure, a), series_b = series_open(figure, b);
    bool by_ranks = figure->method == DIFF_BY_RANKS, lead = figure->value == lead_of;
    bool enough = by_ranks ||
                  (fewest_rows(&series_a) >= SECONDS_MIN && fewest_rows(&series_b) >= SECONDS_MIN);
    struct spread ranks = {0, 0};

    enough = enough && spread_of_drawing(&series_a, &series_b, out);
    series_close(&series_a);
    series_close(&series_b);
    if (enough && by_ranks)
        enough = spread_of_ranks(lead ? a->lead : a->ack, lead ? b->lead : b->ack,
                                 figure->percentile, &ranks);
    out->below = hypot(out->below, ranks.below);
    out->above = hypot(out->above, ranks.above);
    return enough;
}

static enum diff_verdict verdict_of(const struct diff_figure *figure,
                                    const struct diff_estimate *estimate)
{
    if (estimate->low <= 1 && estimate->high >= 1)
        return DIFF_NOT_SHOWN;
    return (estimate->low > 1) == figure->more_is_better ? DIFF_BETTER : DIFF_WORSE;
}

void diff_estimate(const struct diff_figure *figure, const struct diff_side *a,
                   const struct diff_side *b, struct diff_estimate *out)
{
    struct spread spread = {0, 0};

    *out = (struct diff_estimate){.a = figure->value(a, figure->percentile),
                                  .b = figure->value(b, figure->percentile),
                                  .verdict = DIFF_NO_INTERVAL};
    out->known = out->a > 0 && out->b > 0;
    if (!out->known)
        return;
    out->ratio = out->b / out->a;
    if (!spread_of(figure, a, b, &spread))
        return;
    out->low = out->ratio * exp(-spread.below);
    out->high = out->ratio * exp(spread.above);
    out->verdict = verdict_of(figure, out);
}

const char *diff_verdict_text(enum diff_verdict verdict)
{
    static const char *const texts[] = {
        [DIFF_NOT_SHOWN] = "no difference shown",
        [DIFF_BETTER] = "better",
        [DIFF_WORSE] = "worse",
        [DIFF_NO_INTERVAL] = "too short to say",
    };

    return texts[verdict];
}
