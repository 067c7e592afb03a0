/* Doubling, then halving the gap (in the logarithm, since a share is what counts), and a last run
 * of the whole length, because a few seconds hide what a queue that grows slowly does in a minute.
 *
 * All of it has its time. A rate near the limit holds in one trial and fails in the next, so
 * whoever searches until he is sure searches for ever; what is found too high is lowered by the
 * runs of the whole length, and what is still not sure then stands in the figures. */
#include "bench/search.h"

#include <math.h>
#include <string.h>

#include "bench/output.h"
#include "bench/output_words.h"

#define FIRST_RATE     1000.0
#define LEAST_RATE     1.0
#define MOST_RATE      4000000.0 /* no loopback carries that */
#define PRECISION      1.05
#define ACHIEVED_SHARE 0.97

/* Of all trials together; then come the runs of the whole length. */
#define TRIALS_S 75.0
/* Doubling asks only whether it is far from the limit, and has a short look. */
#define COARSE_S        2.0
#define COARSE_WARMUP_S 0.5
#define FINE_S          4.0
#define FINE_WARMUP_S   1.0
/* A server that is behind its load gets no more time than that: it is behind. It has the drain
 * twice, for its tasks and for their reports. */
#define PATIENCE_S 2.0
#define DRAIN_S    3.0
#define BEHIND_S   (PATIENCE_S + 2 * DRAIN_S)

/* Of the rate found, one after the other until one is kept. */
static const double whole_shares[] = {1, 1, 0.85, 0.7, 0.5};
#define WHOLE_RUNS (sizeof whole_shares / sizeof *whole_shares)

struct search {
    const struct run_options *asked;
    struct run_options options; /* of the next run */
    const struct target *target;
    const char *limit;
    FILE *talk;
    uint64_t begun_ns;
    double most_s;
    double holds, fails; /* 0, infinite: not known yet */
    struct search_found *found;
};

static double gone_s(const struct search *search)
{
    return (double)(uv_hrtime() - search->begun_ns) / 1e9;
}

static struct words minutes(double seconds)
{
    unsigned whole = (unsigned)ceil(seconds);
    struct words words;

    snprintf(words.text, sizeof words.text, "%u:%02u", whole / 60, whole % 60);
    return words;
}

/* --- one run --------------------------------------------------------------------------------- */

/* Why it does not hold, into `out`; false: it does. */
static bool is_at_fault(const struct search *search, const struct result *result,
                        const struct output_threshold *threshold, char *out, size_t bytes)
{
    double wanted = search->options.rate, reached = result_acked_per_second(result);

    if (result->lost > 0)
        snprintf(out, bytes, "%s tasks did not come out", words_count(result->lost).text);
    else if (result->doubled > 0)
        snprintf(out, bytes, "%s tasks came out twice", words_count(result->doubled).text);
    else if (result->failed > 0 || result->acked == 0)
        snprintf(out, bytes, "%s requests failed", words_count(result->failed).text);
    else if (reached < ACHIEVED_SHARE * wanted)
        snprintf(out, bytes, "only %s/s were kept up", words_rate(reached).text);
    else if (!threshold->holds)
        snprintf(out, bytes, "over the limit: %s", threshold->found_text);
    else
        return false;
    if (result->bench_was_the_limit)
        snprintf(out + strlen(out), bytes - strlen(out), " (the sender itself was at its end)");
    return true;
}

static void say_run(const struct search *search, const struct result *result, const char *fault)
{
    const struct hist *lead = result->latency[RESULT_LEAD], *ack = result->latency[RESULT_ACK];
    const struct hist *shown = hist_count(lead) > 0 ? lead : ack;

    fprintf(search->talk, "%5s  run %2u: %9s/s for %g s: %s p50 %s, p99 %s: %s\n",
            minutes(gone_s(search)).text, search->found->runs,
            words_rate(search->options.rate).text, search->options.duration_s,
            shown == lead ? "lead" : "ack", words_duration((double)hist_at(shown, 50)).text,
            words_duration((double)hist_at(shown, 99)).text, fault[0] ? fault : "holds");
}

/* The lowest that fails and lies over what holds is what broke at the next step. */
static void learn(struct search *search, bool holds, const char *fault)
{
    struct search_found *found = search->found;
    double rate = search->options.rate;

    if (holds && rate > search->holds)
        search->holds = rate;
    if (holds || rate >= search->fails)
        return;
    search->fails = found->broke_at = rate;
    snprintf(found->broke_how, sizeof found->broke_how, "%s", fault);
}

static enum status run_into(struct search *search, struct result *result, char *fault, size_t bytes)
{
    struct output_threshold threshold;

    fault[0] = '\0';
    search->found->runs++;
    enum status status = run_once(&search->options, search->target, search->talk, result);
    if (status != STATUS_OK)
        return status;
    search->options.people.first = result->next_optin; /* nobody comes twice */
    if (result->interrupted)
        return STATUS_CLOSING;
    status = output_threshold(search->limit, result, search->talk, &threshold);
    if (status != STATUS_OK)
        return status;
    is_at_fault(search, result, &threshold, fault, bytes);
    say_run(search, result, fault);
    return STATUS_OK;
}

/* --- trials ---------------------------------------------------------------------------------- */

static enum status try_once(struct search *search, char *fault, size_t bytes)
{
    struct result result;
    enum status status = result_init(&result);

    if (status != STATUS_OK)
        return status;
    status = run_into(search, &result, fault, bytes);
    result_free(&result);
    return status;
}

static bool has_time(const struct search *search)
{
    const struct run_options *options = &search->options;

    return gone_s(search) + options->warmup_s + options->duration_s + BEHIND_S < TRIALS_S;
}

/* A failure has to happen twice, while there is time for that. */
static enum status try_rate(struct search *search, double rate)
{
    char fault[sizeof search->found->broke_how];

    search->options.rate = rate;
    enum status status = try_once(search, fault, sizeof fault);
    if (status == STATUS_OK && fault[0] && has_time(search))
        status = try_once(search, fault, sizeof fault);
    if (status == STATUS_OK)
        learn(search, !fault[0], fault);
    return status;
}

/* To be read more easily; of a few a second it would be another rate. */
static double whole(double rate)
{
    return rate < 100 ? rate : round(rate);
}

static void be_brief(struct search *search, double duration_s, double warmup_s)
{
    search->options.duration_s = fmin(search->asked->duration_s, duration_s);
    search->options.warmup_s = fmin(search->asked->warmup_s, warmup_s);
}

/* Finds a rate that holds below one that does not. */
static enum status enclose(struct search *search, double rate)
{
    enum status status = STATUS_OK;

    be_brief(search, COARSE_S, COARSE_WARMUP_S);
    while (status == STATUS_OK && (search->holds == 0 || isinf(search->fails)) &&
           rate >= LEAST_RATE && rate <= MOST_RATE && has_time(search)) {
        status = try_rate(search, rate);
        rate = search->holds > 0 ? search->holds * 2 : rate / 2;
    }
    return status;
}

static enum status narrow(struct search *search)
{
    enum status status = STATUS_OK;

    be_brief(search, FINE_S, FINE_WARMUP_S);
    while (status == STATUS_OK && search->holds > 0 && !isinf(search->fails) &&
           search->fails / search->holds > PRECISION && has_time(search))
        status = try_rate(search, whole(sqrt(search->holds * search->fails)));
    return status;
}

/* --- runs of the whole length ---------------------------------------------------------------- */

/* Makes `result` as the caller had it, with what he knows of the machine, for one more run. */
static enum status renew(struct result *result)
{
    struct result fresh;
    enum status status = result_init(&fresh);

    if (status != STATUS_OK)
        return status;
    fresh.machine = result->machine;
    fresh.disk = result->disk;
    memcpy(fresh.versions, result->versions, sizeof(fresh.versions));
    memcpy(fresh.redis_settings, result->redis_settings, sizeof(fresh.redis_settings));
    result_free(result);
    *result = fresh;
    return STATUS_OK;
}

static enum status verify(struct search *search, struct result *result)
{
    char fault[sizeof search->found->broke_how] = "";
    double rate = search->holds;

    search->options.duration_s = search->asked->duration_s;
    search->options.warmup_s = search->asked->warmup_s;
    for (size_t i = 0; i < WHOLE_RUNS; i++) {
        enum status status = i > 0 ? renew(result) : STATUS_OK;
        search->options.rate = fmax(LEAST_RATE, whole(rate * whole_shares[i]));
        if (status == STATUS_OK)
            status = run_into(search, result, fault, sizeof fault);
        if (status != STATUS_OK)
            return status;
        if (!fault[0]) {
            search->found->rate = search->options.rate;
            return STATUS_OK;
        }
        bool again = i + 1 < WHOLE_RUNS && whole_shares[i + 1] == whole_shares[i];
        if (!again)
            learn(search, false, fault);
    }
    return STATUS_NOT_FOUND;
}

/* --- the search ------------------------------------------------------------------------------ */

static void say_plan(struct search *search)
{
    double whole_s = search->asked->warmup_s + search->asked->duration_s;

    search->most_s = TRIALS_S + (double)WHOLE_RUNS * (whole_s + BEHIND_S);
    fprintf(search->talk,
            "searching the highest rate that keeps %s: trials for %s min at most, then up to %zu "
            "runs of %g s; %s min in all at most, but for time-outs of a server that hangs\n",
            search->limit, minutes(TRIALS_S).text, WHOLE_RUNS, search->asked->duration_s,
            minutes(search->most_s).text);
}

/* What is known although it did not come to its end. */
static void say_end(const struct search *search, enum status status)
{
    const char *limit = search->limit;

    if (status == STATUS_CLOSING)
        fprintf(search->talk, "hotlead-bench: the search was ended by Ctrl-C\n");
    else if (status == STATUS_NOT_FOUND && search->holds == 0)
        fprintf(search->talk,
                "hotlead-bench: no rate keeps %s: at %s/s, the lowest tried, %s. Is the limit "
                "meant so? `hotlead-bench run` shows what the server does\n",
                limit, words_rate(search->found->broke_at).text, search->found->broke_how);
    else if (status == STATUS_NOT_FOUND)
        fprintf(search->talk,
                "hotlead-bench: no rate was kept for %g s: at %s/s %s. Other programs on the "
                "machine make that; or allow more with --limit\n",
                search->asked->duration_s, words_rate(search->found->broke_at).text,
                search->found->broke_how);
    else
        return;
    if (search->holds > 0)
        fprintf(search->talk, "hotlead-bench: %s/s held in a trial of %g s\n",
                words_rate(search->holds).text, fmin(search->asked->duration_s, FINE_S));
}

static enum status find(struct search *search, double first_rate, struct result *result)
{
    enum status status = enclose(search, first_rate > 0 ? first_rate : FIRST_RATE);

    if (status == STATUS_OK)
        status = narrow(search);
    if (status != STATUS_OK)
        return status;
    return search->holds > 0 ? verify(search, result) : STATUS_NOT_FOUND;
}

enum status search_rate(const struct run_options *options, const struct target *target,
                        const char *limit, double first_rate, FILE *talk,
                        struct search_found *found, struct result *out)
{
    struct search search = {.asked = options,
                            .options = *options,
                            .target = target,
                            .limit = limit,
                            .talk = talk,
                            .begun_ns = uv_hrtime(),
                            .fails = INFINITY,
                            .found = found};

    *found = (struct search_found){0};
    if (output_threshold_check(limit, talk) != STATUS_OK)
        return STATUS_INVALID;
    search.options.patience_s = PATIENCE_S;
    search.options.drain_s = DRAIN_S;
    /* Each run is said when it is done: between those a living line is welcome, plain ones are not.
     */
    if (!run_is_living(options->progress))
        search.options.progress = NULL;
    say_plan(&search);
    enum status status = find(&search, first_rate, out);
    found->took_s = gone_s(&search);
    say_end(&search, status);
    return status;
}
