/* hotlead-bench diff A.json B.json: the second beside the first, figure by figure, with how sure
 * that is. */
#include <argp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/diff.h"
#include "bench/output.h"
#include "proto/must.h"

#define METRICS_MAX    16
#define THRESHOLDS_MAX 16
#define RUNS_MAX       32 /* of a side */

struct diff {
    char *files[2];
    unsigned file_count;
    const struct diff_figure *metrics[METRICS_MAX]; /* none: all */
    unsigned metric_count;
    struct diff_threshold thresholds[THRESHOLDS_MAX];
    unsigned threshold_count;
    bool json;
    struct diff_side a, b;
};

/* --- command line -------------------------------------------------------------- */

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What is compared, and how it is shown", 1},
    {"metric", 'm', "FIGURE", 0,
     "only this figure (all); may be given again. One of rate, lead.p50, lead.p99, lead.p99.9, "
     "ack.p50, ack.p99, ack.p99.9, cpu, redis_cpu; p99 is lead.p99",
     0},
    {"json", 'j', NULL, 0, "JSON on stdout instead of a table", 0},
    {0, 0, 0, 0, "What has to be kept", 2},
    {"threshold", 't', "LIMIT", 0,
     "exit with 3 when the second is beyond it: 'p99<+5%', 'rate>-2%'. A difference that may be "
     "chance does not count. May be given again",
     0},
    {0, 0, 0, 0, "Help", -1},
    {0},
};

static void add_metric(struct diff *diff, const char *name, struct argp_state *state)
{
    if (diff->metric_count == METRICS_MAX)
        argp_error(state, "no more than %d metrics", METRICS_MAX);
    const struct diff_figure *figure = diff_figure_find(name, stderr);
    if (!figure)
        exit(BENCH_USAGE);
    diff->metrics[diff->metric_count++] = figure;
}

static void add_threshold(struct diff *diff, const char *text, struct argp_state *state)
{
    if (diff->threshold_count == THRESHOLDS_MAX)
        argp_error(state, "no more than %d thresholds", THRESHOLDS_MAX);
    if (diff_threshold_read(text, stderr, &diff->thresholds[diff->threshold_count]) != STATUS_OK)
        exit(BENCH_USAGE);
    diff->threshold_count++;
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
    struct diff *diff = state->input;

    switch (key) {
    case 'm':
        add_metric(diff, value, state);
        return 0;
    case 't':
        add_threshold(diff, value, state);
        return 0;
    case 'j':
        diff->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (diff->file_count == 2)
            argp_error(state, "two sides are compared; join the runs of one with commas");
        diff->files[diff->file_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (diff->file_count < 2)
            argp_error(state, "name two results (see hotlead-bench run --json)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    options,
    take_option,
    "A.json[,A2.json...] B.json[,B2.json...]",
    "Compares two results of hotlead-bench run --json: B beside A, with 95 % confidence."
    "\vConfidence from one run a side says nothing about how runs differ. Measure A and B in turn "
    "several times and give all files:\n\n"
    "  hotlead-bench diff before.json after.json\n"
    "  hotlead-bench diff A1.json,A2.json B1.json,B2.json -t 'p99<+5%'\n\n"
    "Exit: 0 compared, 1 failed, or a threshold of a result that is not sound, 2 usage, 3 a "
    "threshold was missed.",
    NULL,
    NULL,
    NULL,
};

/* --- sides --------------------------------------------------------------------- */

static void side_close(struct diff_side *side)
{
    for (size_t i = 0; i < side->count; i++)
        result_free(&side->runs[i]);
    free(side->runs);
    hist_close(side->lead);
    hist_close(side->ack);
    *side = (struct diff_side){0};
}

static enum status add_run(struct diff_side *side, const char *path)
{
    if (side->count == RUNS_MAX) {
        fprintf(stderr, "hotlead-bench: no more than %d runs a side\n", RUNS_MAX);
        return STATUS_TOO_LARGE;
    }
    struct result *run = &side->runs[side->count];
    enum status status = result_read_json(path, stderr, run);
    if (status != STATUS_OK)
        return status;
    side->count++;
    hist_merge(side->lead, run->latency[RESULT_LEAD]);
    hist_merge(side->ack, run->latency[RESULT_ACK]);
    return STATUS_OK;
}

static enum status side_open(const char *files, struct diff_side *side)
{
    char *names = strdup(files), *rest = names;
    enum status status = STATUS_OK;

    *side = (struct diff_side){
        .runs = calloc(RUNS_MAX, sizeof *side->runs), .lead = hist_open(), .ack = hist_open()};
    MUST(names && side->runs && side->lead && side->ack);
    for (char *name = strsep(&rest, ","); name && status == STATUS_OK; name = strsep(&rest, ","))
        status = add_run(side, name);
    free(names);
    return status;
}

/* --- as a table ---------------------------------------------------------------- */

static bool is_asked(const struct diff *diff, const struct diff_figure *figure)
{
    for (unsigned i = 0; i < diff->metric_count; i++)
        if (diff->metrics[i] == figure)
            return true;
    return diff->metric_count == 0;
}

static struct words figure_words(const struct diff_figure *figure, double value)
{
    if (value <= 0)
        return (struct words){"-"};
    return figure->unit == DIFF_NS ? words_duration(value) : words_rate(value);
}

static void print_side(const char *letter, const char *files, const struct diff_side *side)
{
    uint64_t acked = 0;
    double seconds = 0;

    for (size_t i = 0; i < side->count; i++) {
        acked += side->runs[i].acked;
        seconds += side->runs[i].duration_s;
    }
    printf("%s  %s: %s, %zu run%s, %.0f s, %s acknowledged\n", letter, files, side->runs[0].name,
           side->count, side->count == 1 ? "" : "s", seconds, words_count(acked).text);
}

static void print_row(const struct diff *diff, const struct diff_figure *figure)
{
    struct diff_estimate estimate;
    char interval[32] = "", ratio[16] = "";

    diff_estimate(figure, &diff->a, &diff->b, &estimate);
    if (estimate.known)
        snprintf(ratio, sizeof ratio, "%.3f", estimate.ratio);
    if (estimate.known && estimate.verdict != DIFF_NO_INTERVAL)
        snprintf(interval, sizeof interval, "%.3f .. %.3f", estimate.low, estimate.high);
    printf("  %-22s %10s %10s %8s   %-18s %s\n", figure->title,
           figure_words(figure, estimate.a).text, figure_words(figure, estimate.b).text, ratio,
           interval, estimate.known ? diff_verdict_text(estimate.verdict) : "unknown");
}

static void print_method(const struct diff *diff)
{
    bool single = diff->a.count == 1 || diff->b.count == 1;

    puts("\nRate, p50, p99 and CPU: 2,000 block bootstraps over the seconds of the runs. p99.9: "
         "binomial\n"
         "bounds of its rank in all requests, taken as independent, which those in one stall are "
         "not.\n"
         "One figure in twenty differs by chance alone.");
    if (single)
        puts("Not covered: what changes from run to run (placement, caches, neighbours). Measure A "
             "and B in\n"
             "turn, several times, and give all files: hotlead-bench diff A1.json,A2.json "
             "B1.json,B2.json");
    else
        puts("Whole runs were drawn as well; with fewer than five a side that still promises too "
             "much.");
}

static bool print_table(const struct diff *diff)
{
    print_side("A", diff->files[0], &diff->a);
    print_side("B", diff->files[1], &diff->b);
    printf("\n  %-22s %10s %10s %8s   %-18s %s\n", "", "A", "B", "B/A", "95 % confidence", "B is");
    for (size_t i = 0; i < diff_figure_count; i++)
        if (is_asked(diff, &diff_figures[i]))
            print_row(diff, &diff_figures[i]);
    print_method(diff);
    char *text = NULL;
    size_t length = 0;
    FILE *differences = open_memstream(&text, &length);
    MUST(differences);
    unsigned lines = diff_conditions(&diff->a, &diff->b, differences);
    fclose(differences);
    if (lines > 0)
        printf("\nNot measured alike:\n%s", text);
    free(text);
    return true;
}

/* --- as JSON ------------------------------------------------------------------- */

static json_t *figure_json(const struct diff *diff, const struct diff_figure *figure)
{
    struct diff_estimate estimate;

    diff_estimate(figure, &diff->a, &diff->b, &estimate);
    json_t *made =
        json_pack("{s:s, s:s, s:f, s:f}", "name", figure->name, "unit",
                  figure->unit == DIFF_NS ? "ns" : "per_second", "a", estimate.a, "b", estimate.b);
    if (!estimate.known) {
        json_object_set_new(made, "verdict", json_pack("s", "unknown"));
        return made;
    }
    json_object_set_new(made, "ratio", json_real(estimate.ratio));
    json_object_set_new(made, "verdict", json_pack("s", diff_verdict_text(estimate.verdict)));
    if (estimate.verdict != DIFF_NO_INTERVAL)
        json_object_set_new(made, "interval_95", json_pack("[f, f]", estimate.low, estimate.high));
    return made;
}

/* The lines of diff_conditions as a list, without their marks. */
static json_t *conditions_json(const struct diff *diff)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    json_t *list = json_array();

    MUST(out);
    diff_conditions(&diff->a, &diff->b, out);
    fclose(out);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n"))
        json_array_append_new(list, json_pack("s", line + strlen("  ! ")));
    free(text);
    return list;
}

static bool print_json(const struct diff *diff)
{
    json_t *figures = json_array();

    for (size_t i = 0; i < diff_figure_count; i++)
        if (is_asked(diff, &diff_figures[i]))
            json_array_append_new(figures, figure_json(diff, &diff_figures[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:i, s:i, s:o, s:o}", "a", diff->files[0], "b", diff->files[1],
                  "runs_a", (int)diff->a.count, "runs_b", (int)diff->b.count, "figures", figures,
                  "not_alike", conditions_json(diff));
    if (!root) { /* a file's name may be any bytes */
        fprintf(stderr, "hotlead-bench: the files' names are no UTF-8 and cannot stand in JSON\n");
        return false;
    }
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    putchar('\n');
    json_decref(root);
    return true;
}

/* --- thresholds ---------------------------------------------------------------- */

/* From good to bad. What cannot be answered is worst: a gate must not pass by it. */
enum outcome { OUTCOME_HOLDS, OUTCOME_MISSED, OUTCOME_UNKNOWN };

static enum outcome judge_threshold(const struct diff *diff, const struct diff_threshold *threshold)
{
    struct diff_estimate estimate;
    FILE *out = diff->json ? stderr : stdout;

    diff_estimate(threshold->figure, &diff->a, &diff->b, &estimate);
    if (!estimate.known) {
        fprintf(out, "threshold %s: one of the results has no %s\n", threshold->text,
                threshold->figure->name);
        return OUTCOME_UNKNOWN;
    }
    double change = 100 * (estimate.ratio - 1);
    if (diff_threshold_is_missed(threshold, &estimate)) {
        fprintf(out, "threshold %s: MISSED, found %+.2f %%\n", threshold->text, change);
        return OUTCOME_MISSED;
    }
    fprintf(out, "threshold %s: %s, found %+.2f %%\n", threshold->text,
            diff_threshold_is_beyond(threshold, &estimate)
                ? "beyond it, but that may be chance (measure longer)"
                : "holds",
            change);
    return OUTCOME_HOLDS;
}

/* Figures of a run that lost something do not count, so nothing is held by them. */
static bool are_sound(const struct diff *diff)
{
    bool sound = true;

    for (size_t i = 0; i < diff->a.count; i++)
        sound &= result_is_sound(&diff->a.runs[i]);
    for (size_t i = 0; i < diff->b.count; i++)
        sound &= result_is_sound(&diff->b.runs[i]);
    if (!sound)
        fprintf(stderr, "hotlead-bench: a result is not sound, so no threshold is kept by it\n");
    return sound;
}

static int judge_thresholds(const struct diff *diff)
{
    static const int exits[] = {BENCH_DONE, BENCH_THRESHOLD, BENCH_FAILED};
    bool gates = diff->threshold_count > 0;
    enum outcome worst = gates && !are_sound(diff) ? OUTCOME_UNKNOWN : OUTCOME_HOLDS;

    if (diff->threshold_count > 0 && !diff->json)
        putchar('\n');
    for (unsigned i = 0; i < diff->threshold_count; i++) {
        enum outcome outcome = judge_threshold(diff, &diff->thresholds[i]);
        worst = outcome > worst ? outcome : worst;
    }
    return exits[worst];
}

int diff_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench diff";
    struct diff diff = {0};
    int answer = BENCH_FAILED;

    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &diff);
    if (side_open(diff.files[0], &diff.a) == STATUS_OK &&
        side_open(diff.files[1], &diff.b) == STATUS_OK) {
        bool shown = diff.json ? print_json(&diff) : print_table(&diff);
        answer = shown ? judge_thresholds(&diff) : BENCH_FAILED;
        if (!output_flush())
            answer = BENCH_FAILED;
    }
    side_close(&diff.a);
    side_close(&diff.b);
    return answer;
}
