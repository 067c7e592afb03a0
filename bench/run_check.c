/* What a run came to, and what must hold for its figures to count. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/run_internal.h"

#define METRICS_WAIT_S  10.0 /* until the server has read its last report */
#define METRICS_EACH_NS (50 * NS_PER_MS)

/* Of the sender: over this share of the time it has none left for more, and what it was late by it
 * may not be blamed for when that is small, in itself or beside what was measured. */
#define BUSY_SHARE_MAX   0.9
#define REACHED_SHARE    0.99
#define LATE_NS_SMALL    (1 * NS_PER_MS)
#define LATE_ONCE_NS_MAX (50 * NS_PER_MS)

typedef unsigned long long number;

/* --- what the server says -------------------------------------------------------------------- */

void run_metrics_before(struct run *run)
{
    run->server_pid = run->target->server.pid;
    if (!metrics_are_known(run->target) || metrics_read(run->target, &run->before) != STATUS_OK)
        run->before = NULL;
}

static double risen(const struct run *run, const struct metrics *after, const char *sample)
{
    return metrics_value(after, sample) - metrics_value(run->before, sample);
}

static void take_histogram(const struct run *run, const struct metrics *after, const char *name,
                           struct metrics_histogram *out)
{
    struct metrics_histogram before;

    if (!metrics_histogram(after, name, out))
        out->count = 0;
    else if (metrics_histogram(run->before, name, &before))
        metrics_histogram_subtract(out, &before);
}

/* Every opt-in that was acknowledged is stored. More may be, by as many as there are requests whose
 * answer was lost; a request with another answer than yes stores nothing. */
static void check_stored(struct run *run, const struct metrics *after,
                         const struct ledger_counts *counts)
{
    double stored = risen(run, after, "hotlead_optins_total{result=\"new\"}") +
                    risen(run, after, "hotlead_optins_total{result=\"suspect\"}") +
                    risen(run, after, "hotlead_optins_total{result=\"received\"}");
    double least = (double)counts->acked;
    double most = (double)(counts->acked + run->nameless + run->unanswered);

    result_check(run->result, stored >= least && stored <= most,
                 "every acknowledged opt-in is stored once",
                 "%.0f stored of %llu, %llu answers lost", stored, (number)counts->acked,
                 (number)run->unanswered);
}

/* Different ones. */
static uint64_t emails(const struct run *run, const struct ledger_counts *counts)
{
    return counts->emailed + run->later_emails;
}

/* Each task that came out has its one outcome. A task that was delivered twice is reported twice,
 * and ends once. */
static void check_outcomes(struct run *run, const struct metrics *after,
                           const struct ledger_counts *counts)
{
    double ended = risen(run, after, "hotlead_tasks_ended_total");
    uint64_t sent = emails(run, counts);

    result_check(run->result, ended == (double)(counts->popped + sent), "each task has one outcome",
                 "%.0f ended; %llu popped, and %llu e-mails", ended, (number)counts->popped,
                 (number)sent);
}

/* What the server thinks is open in the robots' queue is what was taken and not reported: else one
 * never came out. Of those that an earlier run left behind there may be fewer now. */
static double emails_left(const struct run *run, const struct metrics *after,
                          const struct ledger_counts *counts)
{
    bool reported = run->options->mode == CONSUME_REPORT;
    char sample[TARGET_TEXT_MAX + 64];

    if (run->target->emails[0] == '\0')
        return 0;
    snprintf(sample, sizeof(sample), "hotlead_queue_depth{queue=\"%s\"}", run->target->emails);
    return fmax(0, risen(run, after, sample) - (reported ? 0 : (double)emails(run, counts)));
}

static void check_emails(struct run *run, const struct metrics *after,
                         const struct ledger_counts *counts)
{
    double left = emails_left(run, after, counts);

    result_check(run->result, left <= 0, "no e-mail is lost", "%llu taken by the robot, %.0f lost",
                 (number)emails(run, counts), left);
}

/* The depth is that of state, which is a commit behind the counter. */
static bool reports_are_read(const struct run *run, const struct metrics *after,
                             const struct ledger_counts *counts)
{
    return run->options->mode != CONSUME_REPORT ||
           (risen(run, after, "hotlead_tasks_ended_total") >=
                (double)(counts->popped + emails(run, counts)) &&
            emails_left(run, after, counts) <= 0);
}

/* The server reads reports as they come; so when the last task is popped, some are on their way.
 * No more time is theirs than the tasks had: whoever gives those little has planned with it (see
 * search.c). The loop turns meanwhile, for Ctrl-C: the first ends this waiting too. */
static struct metrics *read_after(struct run *run, const struct ledger_counts *counts)
{
    const struct timespec each = {0, METRICS_EACH_NS};
    uint64_t end_ns = uv_hrtime() + (uint64_t)(fmin(METRICS_WAIT_S, run->drain_most_s) * 1e9);
    bool was_interrupted = run->interrupted;
    struct metrics *after = NULL;

    while (metrics_read(run->target, &after) == STATUS_OK &&
           !reports_are_read(run, after, counts) && uv_hrtime() < end_ns &&
           run->interrupted == was_interrupted) {
        metrics_close(after);
        after = NULL;
        nanosleep(&each, NULL);
        uv_run(&run->loop, UV_RUN_NOWAIT);
    }
    return after;
}

/* A server that was started anew counts from zero: then its figures are of no use. */
void run_metrics_after(struct run *run)
{
    struct ledger_counts counts;

    ledger_count(run->ledger, &counts);
    if (run->before != NULL && run->target->server.pid == run->server_pid)
        run->after = read_after(run, &counts);
}

static void check_by_metrics(struct run *run, const struct ledger_counts *counts)
{
    const struct metrics *after = run->after;

    if (after == NULL)
        return;
    take_histogram(run, after, "hotlead_lmdb_commit_seconds", &run->result->commit);
    take_histogram(run, after, "hotlead_commit_to_visible_seconds", &run->result->visible);
    if (run->server_pid > 0) { /* else others may send to it too */
        check_stored(run, after, counts);
        if (run->options->mode == CONSUME_REPORT)
            check_outcomes(run, after, counts);
        if (run->target->emails[0] && run_is_consumed(run))
            check_emails(run, after, counts);
    }
}

/* --- what the ledger says -------------------------------------------------------------------- */

static void check_tasks(struct run *run, const struct ledger_counts *counts)
{
    struct result *result = run->result;

    if (!run_is_consumed(run))
        return;
    result_check(result, counts->lost == 0, "no task is lost",
                 "%llu were due, the warm-up's too; %llu lost", (number)counts->must_pop,
                 (number)counts->lost);
    if (!run->options->faults)
        result_check(result, counts->doubled + counts->emails_doubled == 0,
                     "no task comes out twice", "%llu popped, %llu doubled; %llu e-mails doubled",
                     (number)counts->popped, (number)counts->doubled,
                     (number)counts->emails_doubled);
    result_check(result,
                 counts->unclaimed <= run->unanswered + run->nameless && result->strange == 0,
                 "each task belongs to an opt-in of this run",
                 "%llu unclaimed, %llu strange, %llu answers lost", (number)counts->unclaimed,
                 (number)result->strange, (number)run->unanswered);
}

static int by_count(const void *left, const void *right)
{
    const struct result_count *a = left, *b = right;
    return (a->count < b->count) - (a->count > b->count);
}

static bool is_bad(const struct run *run, int status)
{
    bool away = status == 0 || status == 503;

    return !result_is_yes(status) && !(run->options->faults && away);
}

static const struct result_count *worst_answer(const struct run *run)
{
    const struct result *result = run->result;

    for (unsigned i = 0; i < result->answer_count; i++)
        if (is_bad(run, result->answers[i].status))
            return &result->answers[i];
    return NULL;
}

static void check_answers(struct run *run)
{
    struct result *result = run->result;
    const struct result_count *worst = worst_answer(run);

    if (worst == NULL)
        result_check(result, result->acked > 0, "every request is answered with a yes",
                     "%llu of %llu", (number)result->acked, (number)result->intended);
    else if (worst->status != 0)
        result_check(result, false, "every request is answered with a yes", "%llu times %d",
                     (number)worst->count, worst->status);
    else
        result_check(result, false, "every request is answered with a yes",
                     "%llu times no answer: %s", (number)worst->count, worst->error);
    if (run->nameless > 0)
        result_check(result, false, "every yes names its opt-in", "%llu do not",
                     (number)run->nameless);
    if (run->taskless > 0)
        result_check(result, false, "every new opt-in is given a task",
                     "%llu are not: suspect or unreachable", (number)run->taskless);
}

/* --- whether it was the sender --------------------------------------------------------------- */

static double share_of(const struct run *run, uint64_t ns)
{
    uint64_t elapsed_ns = run->load_counts.elapsed_ns;

    return elapsed_ns > 0 ? (double)ns / (double)elapsed_ns : 0;
}

/* Of what it was to send, whatever was answered; over its time, since a plan that takes longer than
 * it was meant to is sent to its end too. */
static bool fell_short(const struct run *run)
{
    const struct result *result = run->result;
    double wanted = run->options->rate * result->duration_s;

    return wanted == 0 || (double)result->sent < REACHED_SHARE * wanted;
}

/* A sender that ran, or could have run and had no core, was never idle: so it was not the server
 * that it waited for. One that was busy and yet sent all it was to send was no limit; then the
 * longer way of an answer through it is all that can be said, in `why` too. */
static bool had_no_time(const struct run *run, char *why, size_t size)
{
    double busy = share_of(run, run->load_counts.busy_ns);
    double waited = share_of(run, run->load_counts.waited_ns);

    if (busy + waited <= BUSY_SHARE_MAX)
        return false;
    if (!fell_short(run)) {
        if (busy > BUSY_SHARE_MAX)
            snprintf(why, size,
                     "the sender kept up, but used %.0f %% of its core: a little of the latencies "
                     "may be its own",
                     busy * 100);
        return false;
    }
    if (busy > BUSY_SHARE_MAX)
        snprintf(why, size,
                 "the sender used %.0f %% of its core: the server may be able to do more",
                 busy * 100);
    else
        snprintf(why, size,
                 "the sender used %.0f %% of its core and waited for one for %.0f %% of the time, "
                 "which others had: the server may be able to do more",
                 busy * 100, waited * 100);
    return true;
}

/* A request that waits for a connection is the server's affair; only what the sender was late by
 * with one free is its own. */
static bool was_late(const struct run *run, char *why, size_t size)
{
    uint64_t usual_ns = hist_at(run->late, 99), late_ns = hist_max_ns(run->late);
    const struct hist *ack = run->result->latency[RESULT_ACK];

    if (run->options->rate == 0)
        return false;
    if (usual_ns > LATE_NS_SMALL && usual_ns > hist_at(ack, 99) / 2) {
        snprintf(why, size,
                 "the sender was late: by %.1f ms or more with 1 %% of the requests, for which a "
                 "connection was free",
                 (double)usual_ns / 1e6);
        return true;
    }
    if (late_ns > LATE_ONCE_NS_MAX && late_ns > hist_max_ns(ack) / 2) {
        snprintf(why, size, "the sender was late once by %.0f ms: the longest latency is its own",
                 (double)late_ns / 1e6);
        return true;
    }
    return false;
}

/* No check: what a late sender adds to a latency is there, so the figures are bounds, and are said
 * to be, but what the server promised was kept. */
static void check_sender(struct run *run)
{
    struct result *result = run->result;
    char why[RESULT_TEXT_MAX / 2] = "", *out = result->limit_why;

    result->bench_was_the_limit =
        had_no_time(run, why, sizeof(why)) || was_late(run, why, sizeof(why));
    if (run->interrupted && result->intended == 0)
        snprintf(out, sizeof(result->limit_why),
                 "ended by Ctrl-C in its warm-up: nothing was measured");
    else if (run->interrupted)
        snprintf(out, sizeof(result->limit_why), "ended by Ctrl-C after %.1f s%s%s",
                 result->duration_s, why[0] ? "; " : "", why);
    else
        snprintf(out, sizeof(result->limit_why), "%s", why);
}

/* --- the figures ----------------------------------------------------------------------------- */

/* As long as it was meant to last; longer when the last moments had to wait for a connection. */
static double duration_of(const struct run *run)
{
    double sent_s = run->last_sent_ns > run->measure_ns
                        ? (double)(run->last_sent_ns - run->measure_ns) / 1e9
                        : 0;
    bool cut = run->interrupted || run->options->requests_max > 0;

    return cut || sent_s > run->options->duration_s ? sent_s : run->options->duration_s;
}

static uint64_t own_cpu_us(const struct run *run)
{
    struct rusage now;
    const struct rusage *then = &run->own_use;

    getrusage(RUSAGE_SELF, &now);
    int64_t seconds = (now.ru_utime.tv_sec - then->ru_utime.tv_sec) +
                      (now.ru_stime.tv_sec - then->ru_stime.tv_sec);
    int64_t micros = (now.ru_utime.tv_usec - then->ru_utime.tv_usec) +
                     (now.ru_stime.tv_usec - then->ru_stime.tv_usec);
    return run->measuring ? (uint64_t)(seconds * 1000000 + micros) : 0;
}

/* Every request that was sent has its answer or its error, so what was not of the warm-up was
 * measured; moments that had come and were never sent were given up, unless the run ended in its
 * warm-up: then they were of that. */
static void take_counts(struct run *run)
{
    struct result *result = run->result;
    const struct load_counts *counts = &run->load_counts;
    uint64_t unsent = run->measuring ? counts->intended - counts->sent : 0;

    result->interrupted = run->interrupted;
    result->next_optin = run->options->people.first + counts->intended;
    result->sent = counts->sent - run->warm_answers;
    result->intended = result->sent + unsent;
    if (unsent > 0)
        run_count_answers(result, 0, "not sent", unsent);
    result->failed += unsent;
    qsort(result->answers, result->answer_count, sizeof(*result->answers), by_count);
    result->duration_s = duration_of(run);
    result->server_cpu_us = run->server_cpu.sum_us;
    result->redis_cpu_us = run->redis_cpu.sum_us;
    result->bench_cpu_us = own_cpu_us(run);
    result->server_resident_bytes_max = run->server_resident_max;
    result->drain_s = run->last_pop_ns > run->last_ack_ns
                          ? (double)(run->last_pop_ns - run->last_ack_ns) / 1e9
                          : 0;
}

static void take_ledger(struct result *result, const struct ledger_counts *counts)
{
    result->popped = hist_count(result->latency[RESULT_LEAD]);
    result->lost = counts->lost;
    result->doubled = counts->doubled;
    result->redelivered = counts->redelivered;
    result->unclaimed = counts->unclaimed;
    result->emails_doubled = counts->emails_doubled;
}

void run_finish(struct run *run)
{
    struct ledger_counts counts;

    ledger_count(run->ledger, &counts);
    take_counts(run);
    take_ledger(run->result, &counts);
    check_tasks(run, &counts);
    check_answers(run);
    check_by_metrics(run, &counts);
    check_sender(run);
}
