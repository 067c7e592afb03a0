/* hotlead-bench report F.json: the faces of a result again, without measuring again. Several files
 * are merged first: senders on several machines, or runs after each other. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/output.h"

#define FILES_MAX      64
#define THRESHOLDS_MAX 16

struct report {
    const char *files[FILES_MAX];
    unsigned file_count;
    const char *thresholds[THRESHOLDS_MAX];
    unsigned threshold_count;
    const char *html, *hdr, *json;
    bool names_latency;
    enum result_latency latency;
};

/* --- command line -------------------------------------------------------------- */

#define KEY_HTML 1
#define KEY_HDR  2
#define KEY_JSON 3

static const struct argp_option options[] = {
    {"html", KEY_HTML, "FILE", 0, "write a page with plots, all in one file", 0},
    {"hdr", KEY_HDR, "FILE", 0, "write HdrHistogram's percentile text, in ms", 0},
    {"json", KEY_JSON, "FILE", 0, "write the result, merged", 0},
    {"latency", 'l', "NAME", 0,
     "of which latency --hdr is: speed_to_lead, ack, ack_raw or after_ack; left out: "
     "speed_to_lead, or ack where nothing was popped",
     0},
    {"threshold", 't', "LIMIT", 0,
     "exit with 3 when it does not hold: 'p99<10ms', 'loss==0', 'ack.p99.9<50ms', 'errors<0.1%', "
     "'cpu<20us'. May be given again",
     0},
    {NULL, 0, NULL, 0, NULL, 0},
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
    report->names_latency = true;
    if (!result_latency_find(name, &report->latency))
        argp_error(state,
                   "there is no latency '%s'; there are speed_to_lead, ack, ack_raw and "
                   "after_ack",
                   name);
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
    struct report *report = state->input;

    switch (key) {
    case KEY_HTML:
        report->html = value;
        return 0;
    case KEY_HDR:
        report->hdr = value;
        return 0;
    case KEY_JSON:
        report->json = value;
        return 0;
    case 'l':
        set_latency(report, value, state);
        return 0;
    case 't':
        add_threshold(report, value, state);
        return 0;
    case ARGP_KEY_ARG:
        if (report->file_count == FILES_MAX)
            argp_error(state, "no more than %d files", FILES_MAX);
        report->files[report->file_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (report->file_count == 0)
            argp_error(state, "name a result (see hotlead-bench run --json)");
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
    "Exit: 0 done, 1 failed, 2 usage, 3 a threshold was missed.",
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
    enum status status = result_read_json(report->files[0], stderr, out);

    if (status != STATUS_OK)
        return status;
    for (unsigned i = 1; i < report->file_count && status == STATUS_OK; i++)
        status = merge_file(report->files[i], out);
    if (status != STATUS_OK)
        result_free(out);
    return status;
}

/* --- its faces ----------------------------------------------------------------- */

static enum status write_hdr(const struct report *report, const struct result *result, FILE *out)
{
    enum result_latency which = report->latency;

    if (!report->names_latency)
        which = hist_count(result->latency[RESULT_LEAD]) ? RESULT_LEAD : RESULT_ACK;
    output_hdr(result, which, out);
    return STATUS_OK;
}

static enum status write_html(const struct report *report, const struct result *result, FILE *out)
{
    (void)report;
    return output_html(result, out);
}

static enum status write_json(const struct report *report, const struct result *result, FILE *out)
{
    (void)report;
    return result_write_json(result, out);
}

typedef enum status write_fn(const struct report *report, const struct result *result, FILE *out);

/* `path` may be NULL: not asked for. False, and said: it could not be written. */
static bool write_face(const char *path, write_fn *write, const struct report *report,
                       const struct result *result)
{
    if (!path)
        return true;
    FILE *out = fopen(path, "we");
    if (!out) {
        fprintf(stderr, "hotlead-bench: %s cannot be written: %m\n", path);
        return false;
    }
    enum status status = write(report, result, out);
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (status == STATUS_OK && !failed)
        return true;
    fprintf(stderr, "hotlead-bench: %s could not be written whole: %s\n", path,
            status_text(status == STATUS_OK ? STATUS_IO : status));
    return false;
}

static bool write_faces(const struct report *report, const struct result *result)
{
    bool good = write_face(report->html, write_html, report, result);

    good &= write_face(report->hdr, write_hdr, report, result);
    good &= write_face(report->json, write_json, report, result);
    return good;
}

/* What a result cannot answer is a failure, worse than a miss: a gate must not pass by it. */
static int judge_thresholds(const struct report *report, const struct result *result)
{
    bool unknown = false, missed = false;

    if (report->threshold_count > 0)
        putchar('\n');
    for (unsigned i = 0; i < report->threshold_count; i++) {
        struct output_threshold threshold;
        if (output_threshold(report->thresholds[i], result, stderr, &threshold) != STATUS_OK) {
            unknown = true;
            continue;
        }
        printf("  %-12s%s: %s\n", threshold.holds ? "holds" : "MISSED", threshold.text,
               threshold.found_text);
        missed |= !threshold.holds;
    }
    return unknown ? BENCH_FAILED : missed ? BENCH_THRESHOLD : BENCH_DONE;
}

int report_command(int argc, char **argv)
{
    static char name[] = "hotlead-bench report";
    struct report report = {0};
    struct result result;

    argv[0] = name;
    argp_err_exit_status = BENCH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &report);
    if (read_files(&report, &result) != STATUS_OK)
        return BENCH_FAILED;
    output_summary(&result, stdout);
    int answer = judge_thresholds(&report, &result);
    if (!write_faces(&report, &result))
        answer = BENCH_FAILED;
    result_free(&result);
    return answer;
}
