/* hotlead-bench report F.json: the faces of a result again, without measuring again. Several files
 * are merged first: senders on several machines, or runs after each other. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/command_words.h"
#include "bench/commands.h"
#include "bench/output.h"

#define FILES_MAX      64
#define THRESHOLDS_MAX 16

struct report {
    const char *paths[FILES_MAX];
    unsigned path_count;
    const char *thresholds[THRESHOLDS_MAX];
    unsigned threshold_count;
    struct output_files files;
};

/* --- command line -------------------------------------------------------------- */

#define KEY_HTML 1
#define KEY_HDR  2
#define KEY_JSON 3

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What is written", 1},
    {"html", KEY_HTML, "FILE", 0, "a page with plots, all in one file", 0},
    {"json", KEY_JSON, "FILE", 0, "the result, merged", 0},
    {"hdr", KEY_HDR, "FILE", 0, "HdrHistogram's percentile text, in ms", 0},
    {"latency", 'l', "NAME", 0,
     "of which latency --hdr is: speed_to_lead, ack, ack_raw or after_ack (speed_to_lead, or ack "
     "where nothing was popped)",
     0},
    {0, 0, 0, 0, "What it has to keep", 2},
    {"threshold", 't', "LIMIT", 0,
     "exit with 3 when it does not hold: 'p99<10ms', 'loss==0', 'ack.p99.9<50ms', 'errors<0.1%', "
     "'cpu<20us'. May be given again",
     0},
    {0, 0, 0, 0, "Help", -1},
    {0},
};

static void add_threshold(struct report *report, const char *text, struct argp_state *state)
{
    if (report->threshold_count == THRESHOLDS_MAX)
        argp_error(state, "no more than %d thresholds", THRESHOLDS_MAX);
    if (output_threshold_check(text, stderr) != STATUS_OK)
        exit(BENCH_USAGE);
    report->thresholds[report->threshold_count++] = text;
}

static void set_latency(struct report *report, const char *name, struct argp_state *state)
{
    if (!result_latency_find(name, &report->files.hdr_latency))
        argp_error(state,
                   "there is no latency '%s'; there are speed_to_lead, ack, ack_raw and "
                   "after_ack",
                   name);
}

static void check_all(const struct report *report, struct argp_state *state)
{
    const char *const paths[] = {report->files.json, report->files.html, report->files.hdr};
    const char *fault = files_fault(paths);

    if (report->path_count == 0)
        argp_error(state, "name a result (see hotlead-bench run --json)");
    if (fault)
        argp_error(state, "%s", fault);
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
    struct report *report = state->input;

    switch (key) {
    case KEY_HTML:
        report->files.html = value;
        return 0;
    case KEY_HDR:
        report->files.hdr = value;
        return 0;
    case KEY_JSON:
        report->files.json = value;
        return 0;
    case 'l':
        set_latency(report, value, state);
        return 0;
    case 't':
        add_threshold(report, value, state);
        return 0;
    case ARGP_KEY_ARG:
        if (report->path_count == FILES_MAX)
            argp_error(state, "no more than %d files", FILES_MAX);
        report->paths[report->path_count++] = value;
        return 0;
    case ARGP_KEY_END:
        check_all(report, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    options,
    take_option,
    "F.json [F2.json...]",
    "Prints the summary of a result of hotlead-bench run --json, and writes its other faces."
    "\vSeveral results of one target are merged: of senders that ran at one time the rates are "
    "added, of runs after each other the time.\n\n"
    "  hotlead-bench report run.json --html run.html\n"
    "  hotlead-bench report run*.json -t 'p99<10ms' -t loss==0\n\n"
    "Exit: 0 done, 1 failed or a check of the result failed, 2 usage, 3 a threshold was missed.",
    NULL,
    NULL,
    NULL,
};

/* --- the result ---------------------------------------------------------------- */

static enum status merge_file(const char *path, struct result *into)
{
    struct result next;
    const char *why = NULL;
    enum status status = result_read_json(path, stderr, &next);

    if (status != STATUS_OK)
        return status;
    status = result_merge(into, &next, &why);
    if (status != STATUS_OK)
        fprintf(stderr, "hotlead-bench: %s cannot be merged with the files before it: %s\n", path,
                why);
    result_free(&next);
    return status;
}

/* On failure there is nothing to free. */
static enum status read_files(const struct report *report, struct result *out)
{
    enum status status = result_read_json(report->paths[0], stderr, out);

    if (status != STATUS_OK)
        return status;
    for (unsigned i = 1; i < report->path_count && status == STATUS_OK; i++)
        status = merge_file(report->paths[i], out);
    if (status != STATUS_OK)
        result_free(out);
    return status;
}

int report_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench report";
    struct report report = {.files = {.hdr_latency = RESULT_LATENCY_COUNT}};
    struct result result;

    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &report);
    if (read_files(&report, &result) != STATUS_OK)
        return BENCH_FAILED;
    output_summary(&result, stdout);
    enum output_outcome outcome =
        output_thresholds(report.thresholds, report.threshold_count, &result, stdout);
    bool written = output_flush();
    written &= output_files(&report.files, &result);
    int answer = output_exit(&result, outcome, written);
    result_free(&result);
    return answer;
}
