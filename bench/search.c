/* Doubling, then halving the gap (in the logarithm, since 3 % is what counts), and a last run of
 * the whole length, because five seconds hide what a queue that grows slowly does in a minute. */
#include "bench/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/output.h"

#define FIRST_RATE       1000.0
#define LEAST_RATE       1.0
#define MOST_RATE        4000000.0 /* no loopback carries that */
#define PRECISION        1.03
#define LOWER_BY         0.03 /* then twice as much, and so on: a machine may have become busy */
#define VERIFY_MAX       10
#define TRIAL_S          5.0
#define TRIAL_WARMUP_S   1.0
#define TRIAL_PATIENCE_S 2.0
#define ACHIEVED_SHARE   0.97

struct search {
    struct run_options options; /* of the next run */
    const struct target *target;
    const char *limit;
    FILE *talk;
    unsigned trials;
    bool sender_was_the_limit; /* in the last one that failed */
};

/* --- one trial ------------------------------------------------------------------------------- */

/* Why it does not hold; NULL: it does. */
static const char *fault_of(const struct search *search, const struct result *result,
                            const struct output_threshold *threshold)
{
    if (result->lost > 0)
        return "tasks are lost";
    if (result->doubled > 0)
        return "tasks come out twice";
    if (result->failed > 0 || result->acked == 0)
        return "requests fail";
    if (result->acked < ACHIEVED_SHARE * search->options.rate * result->duration_s)
        return "it does not keep up";
    return threshold->holds ? NULL : "over the limit";
}

static void say_trial(const struct search *search, const struct result *result, const char *fault)
{
    const struct hist *lead = result->latency[RESULT_LEAD], *ack = result->latency[RESULT_ACK];
    const struct hist *shown = hist_count(lead) > 0 ? lead : ack;

    fprintf(search->talk, "trial %u: %.0f/s for %g s: %s p50 %.2f ms, p99 %.2f ms: %s%s\n",
            search->trials, search->options.rate, search->options.duration_s,
            shown == lead ? "lead" : "ack", (double)hist_at(shown, 50) / 1e6,
            (double)hist_at(shown, 99) / 1e6, fault ? fault : "holds",
            fault && result->bench_was_the_limit ? " (the sender itself was at its end)" : "");
}

static enum status judge(struct search *search, struct result *result, bool *holds_out)
{
    struct output_threshold threshold;
    enum status status = output_threshold(search->limit, result, search->talk, &threshold);

    if (status != STATUS_OK)
        return status;
    const char *fault = fault_of(search, result, &threshold);
    say_trial(search, result, fault);
    *holds_out = fault == NULL;
    if (fault != NULL)
        search->sender_was_the_limit = result->bench_was_the_limit;
    return STATUS_OK;
}

static enum status run_into(struct search *search, struct result *result, bool *holds_out)
{
    search->trials++;
    enum status status = run_once(&search->options, search->target, search->talk, result);

    if (status != STATUS_OK)
        return status;
    search->options.people.first = result->next_optin; /* nobody comes twice */
    if (result->interrupted)
        return STATUS_CLOSING;
    return judge(search, result, holds_out);
}

static enum status try_once(struct search *search, bool *holds_out)
{
    struct result result;
    enum status status = result_init(&result);

    if (status != STATUS_OK)
        return status;
    status = run_into(search, &result, holds_out);
    result_free(&result);
    return status;
}

/* A failure has to happen twice. */
static enum status try_rate(struct search *search, double rate, bool *holds_out)
{
    search->options.rate = rate;
    enum status status = try_once(search, holds_out);
    if (status == STATUS_OK && !*holds_out)
        status = try_once(search, holds_out);
    return status;
}

/* --- the search ------------------------------------------------------------------------------ */

/* Finds a rate that holds below one that does not. */
static enum status enclose(struct search *search, double rate, double *holds_out, double *fails_out)
{
    bool holds = false;

    *holds_out = 0;
    *fails_out = INFINITY;
    while (*holds_out == 0 || isinf(*fails_out)) {
        enum status status = try_rate(search, rate, &holds);
        if (status != STATUS_OK)
            return status;
        *(holds ? holds_out : fails_out) = rate;
        rate = holds ? rate * 2 : rate / 2;
        if (rate > MOST_RATE)
            *fails_out = rate;
        if (rate < LEAST_RATE)
            return STATUS_NOT_FOUND;
    }
    return STATUS_OK;
}

static enum status narrow(struct search *search, double *holds_in_out, double fails_at)
{
    while (fails_at / *holds_in_out > PRECISION) {
        double rate = sqrt(*holds_in_out * fails_at);
        bool holds = false;
        enum status status = try_rate(search, rate, &holds);
        if (status != STATUS_OK)
            return status;
        *(holds ? holds_in_out : &fails_at) = rate;
    }
    return STATUS_OK;
}

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

static enum status verify(struct search *search, double rate, double *rate_out,
                          struct result *result)
{
    double lower_by = LOWER_BY;
    bool holds = false;

    for (unsigned tries = 0; tries < VERIFY_MAX; tries++) {
        enum status status = tries > 0 ? renew(result) : STATUS_OK;
        search->options.rate = rate;
        if (status == STATUS_OK)
            status = run_into(search, result, &holds);
        if (status != STATUS_OK)
            return status;
        *rate_out = rate;
        if (holds)
            return STATUS_OK;
        if (tries % 2 == 1) { /* it has failed twice */
            rate *= 1 - lower_by;
            lower_by *= 2;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status find(struct search *search, const struct run_options *options, double first_rate,
                        double *rate_out, struct result *result)
{
    double holds = 0, fails = 0;
    enum status status = enclose(search, first_rate > 0 ? first_rate : FIRST_RATE, &holds, &fails);

    if (status == STATUS_OK)
        status = narrow(search, &holds, fails);
    if (status != STATUS_OK)
        return status;
    if (search->sender_was_the_limit)
        fprintf(search->talk, "the sender was at its end: the server may be able to do more\n");
    search->options.duration_s = options->duration_s;
    search->options.warmup_s = options->warmup_s;
    search->options.patience_s = options->patience_s;
    return verify(search, holds, rate_out, result);
}

enum status search_rate(const struct run_options *options, const struct target *target,
                        const char *limit, double first_rate, FILE *talk, double *rate_out,
                        struct result *out)
{
    struct search search = {.options = *options, .target = target, .limit = limit, .talk = talk};

    if (output_threshold_check(limit, talk) != STATUS_OK)
        return STATUS_INVALID;
    search.options.duration_s = fmin(options->duration_s, TRIAL_S);
    search.options.patience_s = TRIAL_PATIENCE_S;
    search.options.warmup_s = fmin(options->warmup_s, TRIAL_WARMUP_S);
    enum status status = find(&search, options, first_rate, rate_out, out);
    if (status == STATUS_NOT_FOUND)
        fprintf(talk, "hotlead-bench: '%s' holds at no rate for the whole of the run\n", limit);
    return status;
}
